# A standby runs nothing; promoted under load it goes on where the primary
# stopped, and nothing happens twice.

use strict;
use warnings;
use Test::More;
use SchedTest;

my $primary = new_node('primary', streaming => 1);
wait_pids($primary, scheduler_type, 1);

sql($primary, <<'SQL');
CREATE TABLE effects (task_id bigint, attempt int);
SELECT sched.create_job('cron', $$
	INSERT INTO effects SELECT (t ->> 'task_id')::bigint, (t ->> 'attempt')::int FROM sched.current_task() AS t $$,
	'@every 500 ms', overlap_policy => 'allow', misfire_policy => 'fire_all');
SELECT sched.create_job('bulk', $$
	INSERT INTO effects SELECT (t ->> 'task_id')::bigint, (t ->> 'attempt')::int FROM sched.current_task() AS t;
	SELECT pg_sleep(0.1) $$);
SELECT sched.create_job('long', $$
	INSERT INTO effects SELECT (t ->> 'task_id')::bigint, (t ->> 'attempt')::int FROM sched.current_task() AS t;
	SELECT pg_sleep(2) $$, max_attempts => 1);
SQL

my $standby = new_standby($primary, 'standby');

wait_for($primary, q(SELECT count(*) > 2 FROM sched.tasks WHERE job_name = 'cron' AND status = 'completed'), 't');
$primary->wait_for_catchup($standby);

# ---- in recovery ---------------------------------------------------------------

is(sql($standby, q(SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'sched%')),
	0, 'nothing of ours runs on the standby');
is(sql($standby, q(SELECT count(*) > 2 FROM sched.tasks WHERE job_name = 'cron' AND status = 'completed')),
	't', 'the tasks of the primary can be read there');
is(sql($standby, q(SELECT count(*) FROM sched.jobs WHERE status = 'active')), 3, 'so can the jobs');
is(sql($standby, q(SELECT sched.health() #>> '{components,database,role}')), 'standby', 'health() knows what it is');
is(sql($standby, q(SELECT sched.health() ->> 'status')), 'UP', 'and has nothing to complain of');
is(sql($standby, q(SELECT sched.readiness() ->> 'status')), 'DOWN', 'but is not ready for tasks');
is((sql_error($standby, q(SELECT sched.run_job('cron'))))[0], '25006', 'tasks are refused');
like(sql($standby, 'SELECT * FROM sched.status()'), qr/this server is a standby/, 'status() says so');

like(sql($standby, 'SELECT sched.prometheus_metrics()'), qr/^sched_up 1$/m, 'metrics can be had there');
is(sql($standby, 'SELECT sched.scaling_metric()'), 0, 'there is nothing to be done there');

# ---- promotion under load ------------------------------------------------------

sql($primary, q(SELECT sched.run_job('long')));
sql($primary, q(SELECT count(*) FROM sched.schedule_tasks('bulk', array_fill('{}'::jsonb, ARRAY[100]))));
wait_for($primary, q(SELECT status FROM sched.tasks WHERE job_name = 'long'), 'running');
$primary->wait_for_catchup($standby);
my $ended = sql($primary, q(SELECT count(*) FROM sched.tasks WHERE job_name = 'bulk' AND finished_at IS NOT NULL));
cmp_ok($ended, '<', 100, 'not all is done when the primary fails');
$primary->stop('immediate');
promote($standby);

ok(wait_pids($standby, launcher_type, 1), 'the launcher starts with the promotion');
ok(wait_pids($standby, scheduler_type, 1), 'the scheduler too');
poll_ok($standby, q(SELECT sched.readiness() ->> 'status'), 'UP', 'ready');
is(sql($standby, q(SELECT sched.health() #>> '{components,origin,status}')), 'UP', 'and not held as a copy');
poll_ok($standby, q(SELECT count(*) FROM sched.tasks WHERE job_name IN ('bulk', 'long') AND finished_at IS NULL),
	'0', 'what the primary had left is done', seconds => 40);
my $last = sql($standby, 'SELECT max(task_id) FROM sched._task');
poll_ok($standby, "SELECT count(*) > 2 FROM sched.tasks WHERE job_name = 'cron' AND status = 'completed' AND task_id > $last",
	't', 'and the jobs go on');
sql($standby, q(SELECT sched.pause_job('cron')));
poll_ok($standby, 'SELECT count(*) FROM sched.tasks WHERE finished_at IS NULL', '0', 'nothing is stuck');

# ---- the account ----------------------------------------------------------------

is(sql($standby, q(SELECT string_agg(DISTINCT status, ',') FROM sched.tasks)), 'completed', 'every task is completed');
is( sql($standby, q(SELECT count(*) FROM sched.tasks t WHERE 1 <> (SELECT count(*) FROM effects e WHERE e.task_id = t.task_id))),
	0, 'each has had its effect exactly once');
is( sql($standby, q(SELECT count(*) FROM (SELECT trigger_id, scheduled_at FROM sched.tasks WHERE trigger_id IS NOT NULL GROUP BY 1, 2 HAVING count(*) > 1) AS d)),
	0, 'no occurrence has two rows');
is( sql($standby, q(SELECT bool_and(gap = interval '0.5 second') FROM (SELECT scheduled_at - lag(scheduled_at) OVER (ORDER BY scheduled_at) AS gap
		FROM sched.tasks WHERE trigger_id IS NOT NULL) AS g)),
	't', 'and none is missing');
my $counted = sql($standby, q(SELECT (regexp_match(sched.prometheus_metrics(), '\nscheduler_tasks_completed_count (\d+)'))[1]));
cmp_ok($counted, '>=', sql($standby, q(SELECT count(*) FROM sched.tasks WHERE status = 'completed')), 'the new primary has counted what the old one did');
cmp_ok($counted, '<=', 3 + sql($standby, q(SELECT count(*) FROM sched.tasks WHERE status = 'completed')), 'and not much more');
$standby->stop;
done_testing();
