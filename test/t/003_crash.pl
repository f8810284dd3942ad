# Whatever is killed, and whenever: every due occurrence leaves exactly one
# row, an atomic task has exactly one effect, and nothing is stuck.

use strict;
use warnings;
use Test::More;
use SchedTest;

my $node = new_node('crash');
wait_pids($node, scheduler_type, 1);

# Both jobs write who they are.  The table must not have a key: a second effect
# is to be seen, not to be refused.
sql($node, <<'SQL');
CREATE TABLE effects (task_id bigint, attempt int);
SELECT sched.create_job('cron', $$
	INSERT INTO effects SELECT (t ->> 'task_id')::bigint, (t ->> 'attempt')::int FROM sched.current_task() AS t $$,
	'@every 1 second', overlap_policy => 'allow', misfire_policy => 'fire_all');
SELECT sched.create_job('bulk', $$
	INSERT INTO effects SELECT (t ->> 'task_id')::bigint, (t ->> 'attempt')::int FROM sched.current_task() AS t;
	SELECT pg_sleep(0.02) $$);
SELECT sched.create_job('slow', $$
	INSERT INTO effects SELECT (t ->> 'task_id')::bigint, (t ->> 'attempt')::int FROM sched.current_task() AS t;
	SELECT pg_sleep(0.7) $$);
SQL

sub order
{
	sql($node, q(SELECT count(*) FROM sched.schedule_tasks('bulk', array_fill('{}'::jsonb, ARRAY[50]))));
	sql($node, q(SELECT sched.schedule_task('slow')));
	return;
}

sub newest
{
	return sql($node, q(SELECT coalesce(max(task_id), 0) FROM sched.tasks WHERE job_name = 'cron' AND status = 'completed'));
}

# After each blow: things go on, and what was ordered is done, once.
sub check
{
	my ($blow) = @_;
	my $before = newest();

	poll_ok($node, "SELECT count(*) > 1 FROM sched.tasks WHERE job_name = 'cron' AND status = 'completed' AND task_id > $before",
		't', "$blow: the cron job goes on", seconds => 30);
	poll_ok($node, q(SELECT count(*) FROM sched.tasks WHERE job_name IN ('bulk', 'slow') AND finished_at IS NULL),
		'0', "$blow: all that was ordered ends", seconds => 30);
	return;
}

# A worker in the middle of a task
sub kill_worker
{
	my $pid;

	wait_until(sub {
		$pid = sql($node, q(SELECT w.pid FROM sched._workers() w JOIN sched._task t ON t.task_id = w.task_id
			JOIN sched._job j ON j.job_id = t.job_id WHERE j.name = 'slow' AND w.state = 'busy' LIMIT 1));
		$pid ne '' }) or die 'no worker has the slow task';
	my $started = sql($node, "SELECT backend_start FROM pg_stat_activity WHERE backend_type = 'checkpointer'");
	kill 9, $pid;
	wait_for($node, "SELECT backend_start > '$started' FROM pg_stat_activity WHERE backend_type = 'checkpointer'", 't');
	return;
}

my %blows = (
	'kill -9 of a worker'     => \&kill_worker,
	'kill -9 of the scheduler' => sub { kill9($node, scheduler_type) },
	'kill -9 of the launcher' => sub { kill9($node, launcher_type) },
	'kill -9 of the server'   => sub { kill9_server($node); $node->start },
	'immediate stop'          => sub { $node->stop('immediate'); $node->start },
	'termination of a worker' => sub {
		sql($node, q(SELECT pg_terminate_backend(w.pid) FROM sched._workers() w WHERE w.state = 'busy'));
	},
	'termination of the scheduler' => sub {
		sql($node, q(SELECT pg_terminate_backend(pid) FROM sched._scheduler_state()));
	});

for my $round (1 .. 2)
{
	for my $blow (sort keys %blows)
	{
		order();
		wait_for($node, q(SELECT count(*) > 0 FROM sched.tasks WHERE job_name = 'slow' AND status = 'running'), 't');
		$blows{$blow}->();
		check("$blow, round $round");
	}
}

# ---- the account ------------------------------------------------------------

sql($node, q(SELECT sched.pause_job('cron')));
poll_ok($node, q(SELECT count(*) FROM sched.tasks WHERE finished_at IS NULL), '0', 'nothing is stuck');

is(sql($node, q(SELECT string_agg(DISTINCT status, ',') FROM sched.tasks)),
	'completed', 'every task is completed');
is( sql($node, q(SELECT count(*) FROM sched.tasks t WHERE 1 <> (SELECT count(*) FROM effects e WHERE e.task_id = t.task_id))),
	0, 'each has had its effect exactly once');
is( sql($node, q(SELECT count(*) FROM effects e WHERE NOT EXISTS (SELECT FROM sched.tasks t WHERE t.task_id = e.task_id AND t.attempt = e.attempt))),
	0, 'and no effect is of another attempt than the one that was recorded');
is( sql($node, q(SELECT count(*) FROM (SELECT trigger_id, scheduled_at FROM sched.tasks WHERE trigger_id IS NOT NULL GROUP BY 1, 2 HAVING count(*) > 1) AS d)),
	0, 'no occurrence has two rows');
is( sql($node, q(SELECT bool_and(gap = interval '1 second') FROM (SELECT scheduled_at - lag(scheduled_at) OVER (ORDER BY scheduled_at) AS gap
		FROM sched.tasks WHERE trigger_id IS NOT NULL) AS g)),
	't', 'and none is missing');
is( sql($node, q(SELECT count(*) FROM sched._task t JOIN sched._trigger_state s USING (trigger_id) WHERE t.scheduled_at >= s.next_fire_at)),
	0, 'no trigger stands before what it has fired');
cmp_ok(sql($node, q(SELECT sum(running + waiting) FROM sched.jobs)), '==', 0, 'the queue is empty');
is(sql($node, q(SELECT sched.health() ->> 'status')), 'UP', 'all is well');

$node->stop;
done_testing();
