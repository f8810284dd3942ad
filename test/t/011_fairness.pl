# Who gets a worker when there are fewer than would be wanted.

use strict;
use warnings;
use Test::More;
use SchedTest;

my $node = new_node('fairness', conf => "sched.max_workers = 2\n");
wait_pids($node, scheduler_type, 1);

# done(job): a query that counts the job's completed tasks.
sub done
{
	my ($job) = @_;
	return
	  "SELECT count(*) FROM sched.tasks WHERE job_name = '$job' AND status = 'completed'";
}

# serving(role): a query that tells how many workers the role has.
sub serving
{
	my ($role) = @_;
	return
	  "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'sched worker' AND usename = '$role'";
}

sql($node, <<'SQL');
CREATE ROLE greedy LOGIN;
CREATE ROLE modest LOGIN;
CREATE ROLE patient LOGIN;
SELECT sched.create_job('backlog', 'SELECT pg_sleep(0.02)', run_as => 'greedy');
SELECT sched.create_job('errand', 'SELECT 1', run_as => 'modest');
SELECT sched.create_job('trip', 'SELECT pg_sleep(0.02)', run_as => 'patient');
SELECT count(*) FROM sched.schedule_tasks('backlog', array_fill('{}'::jsonb, ARRAY[3000]));
SQL

# an endless backlog
wait_for($node, serving('greedy'), 2);
sql($node, "SELECT sched.run_job('errand')");
poll_ok($node, done('errand'), 1,
	'a task of another role runs although the backlog has used up sched.max_workers');
cmp_ok(sql($node,
		"SELECT extract(epoch FROM started_at - queued_at) FROM sched.tasks WHERE job_name = 'errand'"),
	'<', 10, 'it waits for a second or two, not for the end of the backlog');
cmp_ok(sql($node, done('backlog')), '<', 3000, 'the backlog was not over by then');

# two backlogs and a third role
sql($node,
	"SELECT count(*) FROM sched.schedule_tasks('trip', array_fill('{}'::jsonb, ARRAY[3000]))");
wait_for($node, serving('patient'), 1);
wait_for($node, serving('greedy'), 1);
sql($node, "SELECT sched.run_job('errand')");
poll_ok($node, done('errand'), 2,
	'a third role gets its turn when two backlogs hold a worker each');
poll_ok($node, serving('patient'), 1, 'and afterwards the one backlog goes on');
poll_ok($node, serving('greedy'), 1, 'and the other');

# the task in hand is finished first
is( sql($node,
		"SELECT count(*) FROM sched.tasks WHERE status NOT IN ('completed', 'ready', 'running')"
	),
	0,
	'who had to make way ended his task first');
is( sql($node,
		"SELECT count(*) FROM sched.tasks t, sched.task_attempts(t.task_id) a WHERE t.status = 'completed' AND a.attempt > 1"
	),
	0,
	'no attempt was lost on the way');

# workers that are long about their tasks
sql($node, <<'SQL');
SELECT sched.disable_job('backlog');
SELECT sched.disable_job('trip');
SELECT sched.create_job('walk', 'SELECT pg_sleep(600)', run_as => 'patient');
SQL
sql($node, "SELECT sched._settle('30 s')");
sql($node, <<'SQL');
SELECT sched.run_job('walk');
SELECT sched.activate_job('backlog');
SELECT count(*) FROM sched.schedule_tasks('backlog', array_fill('{}'::jsonb, ARRAY[3000]));
SQL
# one worker is long about its task, the other has a backlog
wait_for($node,
	"SELECT count(*) FROM sched.tasks WHERE status = 'running' AND job_name IN ('walk', 'backlog')",
	2);
sql($node, "SELECT sched.run_job('errand')");
poll_ok($node, done('errand'), 3,
	'it is not the one with the long task that is waited for');
is(sql($node, "SELECT status FROM sched.tasks WHERE job_name = 'walk'"),
	'running', 'the long task goes on');

$node->stop('fast');
done_testing();
