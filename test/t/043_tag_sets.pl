# More different sets of required tags than memory has room for kinds of tasks:
# some jobs wait for room, all of their tasks are done, others are not held up.

use strict;
use warnings;
use Test::More;
use SchedTest;

my $node = new_node('tags', conf => "sched.max_concurrent_jobs = 0\n");
wait_pids($node, scheduler_type, 1);
poll_ok($node, q(SELECT sched.readiness() ->> 'status'), 'UP', 'the scheduler is at work');

# Every subset of 14 tags is another kind of task; memory has room for 15360.
my $sets = 16000;
sql($node, <<"SQL");
SELECT sched.register_task_type('x');
SELECT count(*) FROM sched.register_executor('all', '{x}', ARRAY(SELECT 't' || g FROM generate_series(1, 14) g), 100000);
SELECT count(*) FROM sched.register_executor('one', '{x}', '{t1}', 100000);
SELECT count(*) FROM sched.register_executor('none', '{x}', '{}', 100000);
SELECT count(sched.create_job('j' || n, type => 'x',
	required_tags => ARRAY(SELECT 't' || g FROM generate_series(1, 14) g WHERE n & (1 << (g - 1)) > 0)))
FROM generate_series(1, $sets) n;
SELECT sched.create_job('plain', type => 'x'), sched.create_job('sql', 'SELECT 1');
SELECT count(sched.run_job('j' || n)) FROM generate_series(1, $sets) n;
SQL
is(sql($node, q(SELECT count(*) FROM sched.tasks WHERE status = 'ready')), $sets, 'all of them are ready');
cmp_ok(sql($node, q(SELECT count(*) FROM sched._live_tasks() WHERE holds = 'too many different pools and tags')), '>', 500,
	'some have to wait until there is room for their set');
is(sql($node, q(SELECT count(*) FROM sched.claim_tasks('none', 10))), 0, 'an executor without tags may have none of them');
is(sql($node, q(SELECT count(*) FROM sched.claim_tasks('one', 10))), 1, 'one with a tag may have the one that wants only that');

# Others go on.
my $task = sql($node, q(SELECT sched.run_job('sql')));
is(sql($node, "SELECT sched.wait_for_task($task)"), 'completed', 'SQL tasks are not held up');
sql($node, q(SELECT sched.run_job('plain')));
is(sql($node, q(SELECT string_agg(job_name, ' ') FROM sched.claim_tasks('none', 10))), 'plain', 'nor are those of the same type without tags');

# All are done in the end; ended ones make room.
my $claimed = 1;
for (1 .. 100)
{
	my $got = sql($node, q(SELECT count(*) FROM sched.claim_tasks('all', 1000)));
	$claimed += $got;
	sql($node, <<'SQL');
SELECT count(*) FROM sched.tasks t, LATERAL sched.start_task(t.task_id, t.attempt) AS s WHERE t.status = 'assigned';
SELECT count(*) FROM (SELECT array_agg(t.task_id) AS ids, array_agg(t.attempt) AS attempts FROM sched.tasks t WHERE t.status = 'running') AS r,
	LATERAL sched.complete_tasks(r.ids, r.attempts) AS c WHERE r.ids IS NOT NULL;
SQL
	last if $claimed >= $sets;
}
is($claimed, $sets, 'every task is claimed once');
is(sql($node, q(SELECT count(*) FROM sched.tasks WHERE finished_at IS NULL)), 0, 'and done');
is(sql($node, q(SELECT count(DISTINCT job_id) FROM sched.tasks WHERE status = 'completed')), $sets + 2, 'each job had its turn');

# The places are free again.
sql($node, q(SELECT count(sched.run_job('j' || n)) FROM generate_series(1, 2000) n));
is(sql($node, q(SELECT count(*) FROM sched._live_tasks() WHERE holds IS NOT NULL)), 0, 'there is room for others now');
done_testing();
