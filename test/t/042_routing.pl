# Routes outlast the server: where round robin and sticky stand, whose a shard is,
# and what tasks were given to nobody yet.

use strict;
use warnings;
use Test::More;
use SchedTest;

my $node = new_node('routing');
wait_pids($node, scheduler_type, 1);

sql($node, <<'SQL');
SELECT sched.register_task_type('x');
SELECT sched.create_pool('two', 2);
SELECT count(*) FROM sched.register_executor('e1', '{x}', '{}', 50);
SELECT count(*) FROM sched.register_executor('e2', '{x}', '{}', 50);
SELECT count(*) FROM sched.register_executor('e3', '{x}', '{}', 50);
SELECT sched.create_job('rr', type => 'x', routing => 'round_robin');
SELECT sched.create_job('st', type => 'x', routing => 'sticky');
SELECT sched.create_job('ch', type => 'x', routing => 'consistent_hash');
SELECT sched.create_job('all', type => 'x', routing => 'broadcast');
SELECT sched.create_job('pooled', type => 'x', pool => 'two', routing => 'least_load');
SQL
# new_node's extension may be younger than its scheduler
poll_ok($node, q(SELECT sched.readiness() ->> 'status'), 'UP', 'the scheduler is at work');

# Which executor gets how many tasks of which job, all of them taken.
sub taken
{
	my ($job) = @_;
	my %got;

	foreach my $executor ('e1', 'e2', 'e3')
	{
		$got{$executor} = sql($node, "SELECT count(*) FROM sched.claim_tasks('$executor', 50) AS c WHERE c.job_name = '$job'");
	}
	return join ' ', map { "$_:$got{$_}" } sort keys %got;
}

sub finish_all
{
	sql($node, <<'SQL');
SELECT count(sched.start_task(t.task_id, t.attempt)) FROM sched.tasks t WHERE t.status = 'assigned';
SELECT count(sched.complete_task(t.task_id, t.attempt)) FROM sched.tasks t WHERE t.status = 'running' AND t.executor IN ('e1', 'e2', 'e3');
SQL
	return;
}

sub restart
{
	my ($how) = @_;

	if ($how eq 'crash') { kill9_server($node); $node->start }
	else { $node->restart }
	wait_pids($node, scheduler_type, 1);
	poll_ok($node, q(SELECT count(*) FROM sched.executors WHERE name LIKE 'e%' AND status = 'online'), 3, "after a $how the executors are there again");
	return;
}

# ---- where the routes stand ----------------------------------------------------

sql($node, q(SELECT sched.run_job('rr') FROM generate_series(1, 4)));
is(taken('rr'), 'e1:2 e2:1 e3:1', 'four tasks go round');
sql($node, q(SELECT sched.run_job('st') FROM generate_series(1, 2)));
my $sticky = taken('st');
like($sticky, qr/:2/, 'sticky gives both to one');
finish_all();
my $keys = q(SELECT count(*) FROM sched.schedule_tasks('ch', ARRAY(SELECT jsonb_build_object('routing_key', g) FROM generate_series(1, 30) g)));
sql($node, $keys);
my $shares = taken('ch');
finish_all();

restart('restart');
sql($node, q(SELECT sched.run_job('rr') FROM generate_series(1, 2)));
is(taken('rr'), 'e1:0 e2:1 e3:1', 'after a restart round robin goes on with the next');
sql($node, q(SELECT sched.run_job('st') FROM generate_series(1, 2)));
is(taken('st'), $sticky, 'and sticky sticks to the same');
sql($node, $keys);
is(taken('ch'), $shares, 'and the same keys belong to the same');

# the leases that are left say it too
restart('crash');
sql($node, q(SELECT sched.run_job('rr')));
is(taken('rr'), 'e1:1 e2:0 e3:0', 'after a crash, with tasks still in their hands, it goes on behind the last of these');
finish_all();

# ---- tasks that were given to somebody who has not taken them -------------------

sql($node, q(SELECT sched.run_job('rr') FROM generate_series(1, 6)));
sql($node, q(SELECT sched.run_job('pooled') FROM generate_series(1, 5)));
restart('crash');
is(sql($node, q(SELECT count(*) FROM sched.claim_tasks('e1', 50) AS c WHERE c.job_name = 'pooled')) +
	sql($node, q(SELECT count(*) FROM sched.claim_tasks('e2', 50) AS c WHERE c.job_name = 'pooled')) +
	sql($node, q(SELECT count(*) FROM sched.claim_tasks('e3', 50) AS c WHERE c.job_name = 'pooled')), 2, 'given to executors, the slots of a pool hold all the same');
is(sql($node, q(SELECT string_agg(c, ' ' ORDER BY c) FROM (SELECT count(*)::text AS c FROM sched.tasks WHERE job_name = 'rr' AND status = 'assigned' GROUP BY executor) AS x)),
	'2 2 2', 'what waited for executors goes round anew');
is(sql($node, q(SELECT used FROM sched.pools)), 2, 'the slots are counted');
finish_all();
for (1 .. 2)
{
	is(sql($node, q(SELECT count(*) FROM sched.claim_tasks('e1', 50))) + sql($node, q(SELECT count(*) FROM sched.claim_tasks('e2', 50))) +
		sql($node, q(SELECT count(*) FROM sched.claim_tasks('e3', 50))), $_ == 1 ? 2 : 1, 'and the next ones get them');
	finish_all();
}

# ---- broadcast -------------------------------------------------------------------

my $task = sql($node, q(SELECT sched.run_job('all')));
poll_ok($node, "SELECT count(*) FROM sched.shards WHERE parent_id = $task", 3, 'three shards');
sql($node, q(SELECT count(*) FROM sched.claim_tasks('e2', 50)));
restart('crash');
is(sql($node, "SELECT status FROM sched.get_task($task)"), 'running', 'after a crash the task is running');
is(sql($node, q(SELECT count(*) FROM sched.claim_tasks('e2', 50))), 0, 'the shard that was taken is not there for a second time');
is(sql($node, q(SELECT count(*) FROM sched.claim_tasks('e1', 50))), 1, 'and each of the others for its executor');
is(sql($node, q(SELECT count(*) FROM sched.claim_tasks('e3', 50))), 1, 'alone');
finish_all();
is(sql($node, "SELECT sched.wait_for_task($task, '30 s')"), 'completed', 'it ends with the last of them');
is(sql($node, "SELECT count(*) FROM sched.shards WHERE parent_id = $task"), 3, 'no further shards were made');

# a crash when all shards have ended but the task has not
$task = sql($node, q(SELECT sched.run_job('all')));
poll_ok($node, "SELECT count(*) FROM sched.shards WHERE parent_id = $task", 3, 'three shards again');
sql($node, qq(SELECT count(*) FROM sched.claim_tasks('$_', 50))) for 'e1', 'e2', 'e3';
finish_all();
restart('crash');
is(sql($node, "SELECT sched.wait_for_task($task, '30 s')"), 'completed', 'whenever the server dies, it ends');

is(sql($node, q(SELECT count(*) FROM sched.tasks WHERE finished_at IS NULL)), 0, 'nothing is left over');
done_testing();
