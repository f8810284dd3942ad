# Runs that overlap, under every policy, while processes and the server are
# killed: every occurrence leaves exactly one row, runs of policies that do not
# let them overlap never do, and nothing is stuck.

use strict;
use warnings;
use Test::More;
use SchedTest;

my $node = new_node('overlap', conf => "sched.max_workers = 8\n");
wait_pids($node, scheduler_type, 1);

my @serial = qw(skip buffer_one buffer_all cancel_other terminate_other);
my @all = (@serial, 'allow');

# Each run takes longer than the time until the next.
sql($node, 'CREATE TABLE effects (task_id bigint)');
sql($node, qq(SELECT sched.create_job('$_', \$\$
	INSERT INTO effects SELECT (sched.current_task() ->> 'task_id')::bigint; SELECT pg_sleep(0.7) \$\$,
	'\@every 500 ms', overlap_policy => '$_', misfire_policy => 'fire_all', max_concurrent_runs => CASE '$_' WHEN 'allow' THEN 3 END)))
  for @all;

my %blows = (
	'a worker' => sub {
		my $pid;
		my $started = sql($node, q(SELECT backend_start FROM pg_stat_activity WHERE backend_type = 'checkpointer'));

		# not one that terminate_other may have ended by then
		wait_until(sub {
			$pid = sql($node, q(SELECT w.pid FROM sched._workers() w JOIN sched._task t ON t.task_id = w.task_id
				JOIN sched._job j ON j.job_id = t.job_id WHERE w.state = 'busy' AND j.name = 'buffer_all'));
			$pid ne '' }) or die 'no worker is busy';
		kill 9, $pid;
		wait_for($node, "SELECT backend_start > '$started' FROM pg_stat_activity WHERE backend_type = 'checkpointer'", 't');
	},
	'the scheduler' => sub { kill9($node, scheduler_type) },
	'the server' => sub { kill9_server($node); $node->start });

for my $blow (sort keys %blows, sort keys %blows)
{
	my $last = sql($node, 'SELECT coalesce(max(task_id), 0) FROM sched._task');

	# every policy has had some occurrences since the blow before
	wait_for($node, "SELECT count(*) FROM (SELECT job_id FROM sched._task WHERE task_id > $last GROUP BY 1 HAVING count(*) > 2) AS j", scalar @all);
	$blows{$blow}->();
	wait_for($node, q(SELECT running FROM sched._scheduler_state()), 't');
}
my $last = sql($node, 'SELECT max(task_id) FROM sched._task');
poll_ok($node, "SELECT count(*) FROM (SELECT job_id FROM sched._task WHERE task_id > $last GROUP BY 1 HAVING count(*) > 2) AS j",
	scalar @all, 'all jobs go on after the last blow');

# the account: nothing more fires, what is there runs to its end
sql($node, qq(SELECT sched.update_job('$_', jsonb_build_object('end_at', now()))) ) for @all;
poll_ok($node, q(SELECT count(*) FROM sched.tasks WHERE finished_at IS NULL), 0, 'nothing is stuck');

is( sql($node, q(SELECT count(*) FROM (SELECT job_id, scheduled_at FROM sched.tasks GROUP BY 1, 2 HAVING count(*) > 1) AS d)),
	0, 'no occurrence has two rows');
is( sql($node, q(SELECT count(*) FROM (SELECT scheduled_at - lag(scheduled_at) OVER (PARTITION BY job_id ORDER BY scheduled_at) AS gap FROM sched.tasks) AS g
		WHERE gap <> interval '500 ms')), 0, 'and none is missing');
is( sql($node, q(SELECT count(*) FROM sched.tasks t WHERE (t.status = 'completed')::int <> (SELECT count(*) FROM effects e WHERE e.task_id = t.task_id))),
	0, 'a task has its effect once if it is completed, and else not at all');
for my $policy (@serial)
{
	is( sql($node, qq(SELECT count(*) FROM (SELECT started_at, lag(finished_at) OVER (ORDER BY started_at) AS before FROM sched.tasks
			WHERE job_name = '$policy' AND status = 'completed') AS t WHERE started_at < before)),
		0, "$policy: no two runs at the same time");
}
my %ends = (
	skip            => 'completed,skipped',
	buffer_one      => 'completed,skipped',
	buffer_all      => 'completed',
	allow           => 'completed,skipped',
	cancel_other    => 'cancelled,completed',
	terminate_other => 'cancelled,completed');
for my $policy (@all)
{
	my $found = sql($node, qq(SELECT string_agg(DISTINCT status, ',') FROM sched.tasks WHERE job_name = '$policy'));
	ok((grep { $found eq $_ } ($ends{$policy}, split /,/, $ends{$policy})), "$policy: tasks end as they may")
	  or diag($found);
}
is(sql($node, q(SELECT sum(running + waiting) FROM sched.jobs)), 0, 'the queue is empty');
is(sql($node, q(SELECT sched.health() ->> 'status')), 'UP', 'all is well');

$node->stop;
done_testing();
