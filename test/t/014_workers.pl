# Workers that do not come to life, changes of very many jobs, runs that are
# replaced, and what starts with the server.

use strict;
use warnings;
use Test::More;
use SchedTest;

my $node = new_node('workers', conf => "sched.max_workers = 3\n");
wait_pids($node, scheduler_type, 1);

# ---- workers that die before their first task ---------------------------------

# A database that takes no more connections keeps those that it has.  The launcher
# would send the scheduler home; it is held still in the meantime.
sql($node, <<'SQL');
CREATE ROLE carol LOGIN;
SELECT sched.create_job('of carol', 'SELECT session_user AS s', run_as => 'carol', max_attempts => 1);
SELECT sched.create_job('other', 'SELECT 1');
SELECT sched.run_job('other') AS id \gset
SELECT sched.wait_for_task(:id, '20 s');
SQL
my $session = $node->background_psql('postgres', on_error_stop => 1);
my ($launcher) = wait_pids($node, launcher_type, 1);
kill 'STOP', $launcher;
sql($node, 'ALTER DATABASE postgres ALLOW_CONNECTIONS false', 'template1');
my $from = -s $node->logfile;
my $id = $session->query_safe(q(SELECT sched.run_job('of carol')));
ok( wait_until(sub { $session->query_safe('SELECT max(failures) > 3 FROM sched._start_failures()') eq 't' }),
	'workers that cannot connect are started a few times');
is($session->query_safe("SELECT status FROM sched.tasks WHERE task_id = $id"), 'ready', 'their task waits');
is( $session->query_safe("SELECT satisfied FROM sched.why($id) WHERE condition = 'workers of its role start'"),
	'f', 'why() says for what');
is($session->query_safe(q(SELECT sched.health() #>> '{components,workers,status}')), 'DEGRADED', 'health() is DEGRADED');
is($session->query_safe(q(SELECT sched.health() #>> '{components,workers,failing_roles}')), '["carol"]', 'and names the role');
is(scalar(log_lines($node, qr/workers for role "carol" do not start/, $from)), 1, 'the log says so once');
my $tried = $session->query_safe('SELECT max(failures) FROM sched._start_failures()');
my $other = $session->query_safe(q(SELECT sched.run_job('other')));
is($session->query_safe("SELECT sched.wait_for_task($other, '20 s')"), 'completed', 'other roles go on');
cmp_ok($session->query_safe('SELECT max(failures) FROM sched._start_failures()') - $tried,
	'<', 4, 'it is not tried over and over');
sql($node, 'ALTER DATABASE postgres ALLOW_CONNECTIONS true', 'template1');
kill 'CONT', $launcher;
$session->quit;
is(sql($node, "SELECT sched.wait_for_task($id, '90 s')"), 'completed', 'when they start again, the task runs');
poll_ok($node, q(SELECT sched.health() #>> '{components,workers,status}'), 'UP', 'and all is well');

# ---- an administrator's hand ----------------------------------------------------

sql($node, q(SELECT sched.create_job('shot', 'SELECT pg_sleep(0.3)', run_as => 'carol', max_attempts => 1)));
$id = sql($node, q(SELECT sched.run_job('shot')));
for my $shot (1 .. 4)
{
	wait_for($node, "SELECT count(pg_terminate_backend(w.pid)) FROM sched._workers() w WHERE w.task_id = $id", '1');
	wait_for($node, "SELECT count(*) = $shot FROM sched.task_attempts($id) WHERE outcome = 'lost'", 't');
	sql($node, "SELECT sched.retry_task($id)");
}
is(sql($node, "SELECT sched.wait_for_task($id, '90 s')"), 'completed', 'terminating workers fails no task');
is(sql($node, "SELECT count(*) FROM sched.task_attempts($id) WHERE outcome = 'lost'"), 4, 'the attempts are lost');

# ---- very many jobs change at once ------------------------------------------------

# More than the list of changes holds: then everything is looked at.
sql($node, <<'SQL');
SELECT count(*) FROM (SELECT sched.create_job('many ' || n, 'SELECT 1', max_concurrent_runs => 5, active => false) FROM generate_series(1, 5000) n) AS j;
CREATE ROLE dora LOGIN;
SELECT sched.create_job('watched', 'SELECT session_user AS s');
SELECT sched.pause_job('watched');
SQL
$id = sql($node, q(SELECT sched.run_job('watched')));
sql($node, q(UPDATE sched._job SET run_as = 'dora'::regrole, max_concurrent_runs = 2 WHERE name LIKE 'many %' OR name = 'watched'));
sql($node, q(SELECT sched._settle('60 s')));
is( sql($node, "SELECT detail FROM sched.why($id) WHERE condition = 'job is below max_concurrent_runs'"),
	'0 running, at most 2; job paused', 'a limit that changes with 5,000 others holds for tasks that wait');
sql($node, q(SELECT sched.resume_job('watched')));
is(sql($node, "SELECT sched.wait_for_task($id, '60 s')"), 'completed', 'and they run');
is(sql($node, "SELECT result #>> '{rows,0,s}' FROM sched.tasks WHERE task_id = $id"), 'dora', 'as the new role');
is(sql($node, "SELECT count(*) FROM sched.task_attempts($id)"), 1, 'of which memory knew');

# ---- replaced by a newer run --------------------------------------------------------

set_clock($node, '2030-01-01 00:00:00');
sql($node, q(SELECT sched.create_job('newest', 'SELECT 1', '@every 1 hour', overlap_policy => 'cancel_other', max_concurrent_runs => 1, start_at => '2030-01-01')));
my $first = sql($node, q(SELECT min(t) FROM sched.schedule_tasks('newest', array_fill('{}'::jsonb, ARRAY[1])) AS t));
sql($node, "SELECT sched.wait_for_task($first, '20 s')");
sql($node, q(BEGIN; SELECT sched.pause_job('newest'); SELECT count(*) FROM sched.schedule_tasks('newest', array_fill('{}'::jsonb, ARRAY[700])); COMMIT));
sql($node, q(ALTER SYSTEM SET sched.max_concurrent_jobs = 1));
sql($node, q(SELECT sched.create_job('blocker', 'SELECT pg_sleep(600)', timeout => '0')));
sql($node, q(SELECT pg_reload_conf()));
my $blocker = sql($node, q(SELECT sched.run_job('blocker')));
wait_for($node, "SELECT status FROM sched.tasks WHERE task_id = $blocker", 'running');
sql($node, q(SELECT sched.resume_job('newest')));
advance_clock($node, '1 hour');
wait_for($node, q(SELECT count(*) FROM sched.tasks WHERE job_name = 'newest' AND status = 'cancelled' AND reason = 'replaced by a newer run'), 700);
pass('cancel_other cancels all 700 tasks that wait');
poll_ok($node, q(SELECT count(*) FROM sched.tasks WHERE job_name = 'newest' AND status = 'ready'), 1, 'the newest run waits for its turn');
sql($node, "SELECT sched.cancel_task($blocker, 'make way')");
poll_ok($node, q(SELECT count(*) FROM sched.tasks WHERE job_name = 'newest' AND status = 'completed'), 2, 'and runs');
is(sql($node, "SELECT status || ' ' || reason FROM sched.tasks WHERE task_id = $blocker"), 'cancelled make way', 'a running task is cancelled for the reason given');
reset_clock($node);

# ---- with the server ------------------------------------------------------------------

# The first scheduler fails while it reads the tables: what starts with the server
# is not forgotten.
sql($node, q(SELECT sched.create_job('startup', 'SELECT 1', '@startup')));
sql($node, 'ALTER TABLE sched._idempotency RENAME TO _elsewhere; ALTER TABLE sched._segment RENAME TO _aside');
$node->restart;
wait_for($node, q(SELECT 1), '1');
wait_until(sub { log_lines($node, qr/relation "sched._segment" does not exist/) > 1 });
sql($node, 'ALTER TABLE sched._elsewhere RENAME TO _idempotency; ALTER TABLE sched._aside RENAME TO _segment');
poll_ok($node, q(SELECT count(*) FROM sched.tasks WHERE job_name = 'startup' AND status = 'completed'),
	1, '@startup fires once although the first scheduler failed');
my ($scheduler) = wait_pids($node, scheduler_type, 1);
sql($node, "SELECT pg_terminate_backend($scheduler)");
wait_until(sub { my ($new) = pids($node, scheduler_type); defined $new && $new != $scheduler });
sql($node, q(SELECT sched._settle('60 s')));
is(sql($node, q(SELECT count(*) FROM sched.tasks WHERE job_name = 'startup')), 1, 'and not again when only the scheduler starts');

$node->stop;
done_testing();
