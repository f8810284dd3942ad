# What SQL tasks can do and what becomes of them.

use strict;
use warnings;
use Test::More;
use SchedTest;

my $node = new_node('tasks');
wait_pids($node, scheduler_type, 1);

sub quoted
{
	my ($text) = @_;
	return '$q$' . $text . '$q$';
}

# define(name, command, further arguments of create_job): returns nothing.
sub define
{
	my ($name, $command, $more) = @_;
	sql($node, "SELECT sched.create_job('$name', "
		  . quoted($command) . (defined $more ? ", $more" : '') . ')');
	return;
}

# run(name): runs the job and waits; (task_id, status).
sub run
{
	my ($name) = @_;
	my $id = sql($node, "SELECT sched.run_job('$name')");
	my $status = sql($node, "SELECT sched.wait_for_task($id, '30 s')");
	return ($id, $status);
}

# once(command, further arguments): a job of its own, run; (task_id, status)
my $jobs = 0;
sub once
{
	my ($command, $more) = @_;
	my $name = 'job' . ++$jobs;
	define($name, $command, $more // 'max_attempts => 1');
	return run($name);
}

sub task
{
	my ($id, $column) = @_;
	return sql($node, "SELECT $column FROM sched.tasks WHERE task_id = $id");
}

sub logs
{
	my ($id) = @_;
	return sql($node,
		"SELECT string_agg(level || ': ' || message, '; ' ORDER BY log_id) FROM sched.task_logs($id)");
}

sql($node, <<'SQL');
CREATE TABLE effects (what text, at timestamptz DEFAULT clock_timestamp());
CREATE ROLE worker_a LOGIN;
CREATE ROLE worker_b LOGIN;
GRANT CREATE, USAGE ON SCHEMA public TO worker_a, worker_b;
SELECT sched.create_roles();
GRANT sched_user TO worker_a, worker_b;
GRANT INSERT, SELECT ON effects TO worker_a, worker_b;
SQL

# ---- they run ---------------------------------------------------------------

define('tick', 'INSERT INTO effects VALUES (\'tick\')', q(schedule => '@every 1 second'));
poll_ok($node, q(SELECT count(*) >= 3 FROM effects WHERE what = 'tick'),
	't', 'a job runs every second');
sql($node, q(SELECT sched.pause_job('tick')));
is( sql($node, q(SELECT bool_and(gap = interval '1 second') FROM
	(SELECT scheduled_at - lag(scheduled_at) OVER (ORDER BY task_id) AS gap FROM sched.tasks WHERE job_name = 'tick') AS g)),
	't', 'a second apart, to the microsecond');
is( sql($node, q(SELECT count(*) FROM sched.tasks WHERE job_name = 'tick' AND started_at < scheduled_at)),
	0, 'and never too early');
sql($node, q(SELECT sched.delete_job('tick')));

my ($id, $status) = once('SELECT 42 AS answer, NULL AS nothing, true AS yes, \'x\'::text AS word FROM generate_series(1, 2)');
is($status, 'completed', 'a query completes');
is(task($id, q(result -> 'rows' -> 0)),
	'{"yes": true, "word": "x", "answer": 42, "nothing": null}', 'its rows are the result');
is(task($id, q(row_count || ' ' || (result ->> 'row_count') || ' ' || (result ->> 'command'))),
	'2 2 SELECT', 'counted');
($id, $status) = once('SELECT i FROM generate_series(1, 100000) i');
is(task($id, q(status || ' ' || row_count || ' ' || jsonb_array_length(result -> 'rows') || ' ' || (result ->> 'truncated'))),
	'completed 100000 100 true', 'of many rows the first are kept');
($id, $status) = once("INSERT INTO effects SELECT 'rows' FROM generate_series(1, 7)");
is(task($id, 'row_count'), 7, 'rows of an INSERT are counted');

# ---- what needs the top level -----------------------------------------------

sql($node, 'CREATE TABLE dull (i int); INSERT INTO dull SELECT generate_series(1, 100); DELETE FROM dull');
($id, $status) = once('VACUUM (ANALYZE) dull');
is($status, 'completed', 'VACUUM') or diag(task($id, 'error'));
is(sql($node, q(SELECT pg_relation_size('dull'))), 0, 'and it did its work');
($id, $status) = once('CREATE INDEX CONCURRENTLY dull_i ON dull (i)');
is($status, 'completed', 'CREATE INDEX CONCURRENTLY') or diag(task($id, 'error'));

sql($node, <<'SQL');
CREATE PROCEDURE in_parts(fails boolean) LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO effects VALUES ('part 1');
	COMMIT;
	INSERT INTO effects VALUES ('part 2');
	ROLLBACK;
	INSERT INTO effects VALUES ('part 3');
	IF fails THEN RAISE EXCEPTION 'part 4' USING ERRCODE = 'P0004'; END IF;
END $$;
SQL
($id, $status) = once('CALL in_parts(false)');
is($status, 'completed', 'CALL of a procedure with COMMIT') or diag(task($id, 'error'));
is(sql($node, q(SELECT string_agg(what, ',' ORDER BY what) FROM effects WHERE what LIKE 'part%')),
	'part 1,part 3', 'which kept what it committed');
sql($node, q(DELETE FROM effects WHERE what LIKE 'part%'));
($id, $status) = once('CALL in_parts(true)');
is(task($id, q(status || ' ' || sqlstate || ' ' || error)), 'failed P0004 part 4',
	'a failing one fails');
is(sql($node, q(SELECT string_agg(what, ',' ORDER BY what) FROM effects WHERE what LIKE 'part%')),
	'part 1', 'after its COMMIT');

($id, $status) = once(q(INSERT INTO effects VALUES ('s1'); INSERT INTO effects VALUES ('s2'); SELECT count(*) FROM effects WHERE what IN ('s1', 's2')));
is(task($id, q(status || ' ' || (result #>> '{rows,0,count}'))), 'completed 2',
	'several statements see each other, the last one is the result');
($id, $status) = once(q(INSERT INTO effects VALUES ('t1'); INSERT INTO effects VALUES ('t2'); SELECT 1/0));
is(task($id, q(status || ' ' || sqlstate || ' ' || error)), 'failed 22012 division by zero',
	'one that fails in the end');
is(sql($node, q(SELECT count(*) FROM effects WHERE what IN ('t1', 't2'))),
	0, 'takes all of them back');
($id, $status) = once(q(SET LOCAL work_mem = '123kB'; SELECT current_setting('work_mem') AS w));
is(task($id, q(result #>> '{rows,0,w}')), '123kB', 'SET LOCAL lasts to the end');
($id, $status) = once('nonsense');
is(task($id, q(status || ' ' || sqlstate)), 'failed 42601', 'a syntax error');
($id, $status) = once('-- nothing');
is($status, 'completed', 'nothing at all') or diag(task($id, 'error'));
($id, $status) = once(q(BEGIN; INSERT INTO effects VALUES ('open')));
is(task($id, q(status || ' ' || sqlstate)), 'failed 25000', 'BEGIN without COMMIT is an error');
is(sql($node, q(SELECT count(*) FROM effects WHERE what = 'open')), 0, 'and does nothing');
($id, $status) = once('COPY effects FROM STDIN');
is(task($id, q(status || ' ' || sqlstate)), 'failed 0A000', 'COPY FROM STDIN is refused');
($id, $status) = once('COPY effects TO STDOUT');
is(task($id, q(status || ' ' || sqlstate)), 'failed 0A000', 'so is COPY TO STDOUT');

# ---- failing, again and again ------------------------------------------------

sql($node, <<'SQL');
CREATE FUNCTION fail_before(attempt int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	IF (sched.current_task() ->> 'attempt')::int < attempt THEN
		RAISE EXCEPTION 'too early' USING ERRCODE = '40001';
	END IF;
END $$;
SQL
define('flaky', 'SELECT fail_before(100)', q(max_attempts => 3, retry_delay => '0.1 s', retry_strategy => 'fixed_delay'));
($id, $status) = run('flaky');
is($status, 'failed', 'a job that fails every time fails');
is(task($id, q(attempt || ' ' || max_attempts || ' ' || sqlstate || ' ' || error)),
	'3 3 40001 too early', 'after its three attempts, with the error');
is( sql($node, "SELECT string_agg(attempt || ' ' || outcome || ' ' || sqlstate, ', ' ORDER BY attempt) FROM sched.task_attempts($id)"),
	'1 failed 40001, 2 failed 40001, 3 failed 40001', 'which are all there');
is( sql($node, "SELECT bool_and(gap >= interval '0.1 s') FROM (SELECT started_at - lag(finished_at) OVER (ORDER BY attempt) AS gap FROM sched.task_attempts($id)) g"),
	't', 'with a delay in between');
define('recovers', 'SELECT fail_before(2)',
	q(max_attempts => 3, retry_delay => '0.1 s'));
($id, $status) = run('recovers');
is(task($id, q(status || ' ' || attempt || ' ' || coalesce(error, 'no error'))),
	'completed 2 no error', 'one that recovers is completed');

define('hopeless', 'SELECT 1/0', q(max_attempts => 3, retry_delay => '0.1 s'));
($id, $status) = run('hopeless');
is(task($id, q(status || ' ' || attempt)), 'failed 1', 'an error that would come again is not tried again');

# ---- time and users end them --------------------------------------------------

define('slow', q(INSERT INTO effects VALUES ('slow'); SELECT pg_sleep(600)),
	q(timeout => '0.3 s', max_attempts => 1));
($id, $status) = run('slow');
is(task($id, q(status || ' ' || sqlstate)), 'timeout 57014', 'a timeout cancels');
define('slower', 'SELECT pg_sleep(600)',
	q(timeout => '0.2 s', max_attempts => 2, retry_delay => '0.1 s'));
($id, $status) = run('slower');
is(task($id, q(status || ' ' || attempt)), 'timeout 2', 'each attempt');

define('long', q(INSERT INTO effects VALUES ('long'); SELECT pg_sleep(600)));
$id = sql($node, q(SELECT sched.run_job('long')));
wait_for($node, "SELECT status FROM sched.tasks WHERE task_id = $id", 'running');
my ($worker) = sql($node, "SELECT pid FROM sched._workers() WHERE task_id = $id");
is(sql($node, "SELECT sched.cancel_task($id, 'enough')"), 't', 'cancel_task of a running task');
is(sql($node, "SELECT sched.wait_for_task($id, '20 s')"), 'cancelled', 'stops it');
is(task($id, 'attempt'), 1, 'for good');
is(sql($node, q(SELECT count(*) FROM effects WHERE what IN ('slow', 'long'))),
	0, 'neither of them has done anything');
is(sql($node, "SELECT sched.cancel_task($id)"), 'f', 'one that has ended is not cancelled again');
is(task($id, 'reason'), 'enough', 'the reason is kept');
like(logs($id), qr/cancel requested: enough/, 'in the log, too');
($id, $status) = once('SELECT 1');
is($status, 'completed', 'the next task is not hit');

# ---- nothing is left for the next --------------------------------------------

# One worker, so that it is the same session.
sql($node, q(ALTER ROLE worker_a SET work_mem = '777kB'));
my $leave = <<'SQL';
SET work_mem = '1234kB';
SET search_path = pg_temp;
SET ROLE worker_a;
RESET ROLE;
CREATE TEMP TABLE left_over AS SELECT 1 AS i;
PREPARE left_over AS SELECT 1;
DECLARE left_over CURSOR WITH HOLD FOR SELECT 1;
SELECT set_config('my.variable', 'left over', false), pg_advisory_lock(4711), pg_advisory_lock_shared(4712), pg_backend_pid() AS pid
SQL
my $look = <<'SQL';
SELECT pg_backend_pid() AS pid, current_setting('work_mem') AS mem, current_setting('search_path') AS path,
	current_user AS cu, session_user AS su, coalesce(to_regclass('pg_temp.left_over')::text, '') AS temp,
	(SELECT count(*) FROM pg_prepared_statements) AS prepared, (SELECT count(*) FROM pg_cursors) AS cursors,
	(SELECT count(*) FROM pg_locks WHERE locktype = 'advisory') AS locks,
	coalesce(current_setting('my.variable', true), '') AS variable
SQL
for my $way ('completes', 'fails')
{
	sql($node, "SET ROLE worker_a; SELECT sched.create_job('leave $way', "
		  . quoted($way eq 'fails' ? "BEGIN; $leave; COMMIT; SELECT 1/0" : $leave)
		  . ', max_attempts => 1); SELECT sched.create_job(\'look ' . $way . '\', ' . quoted($look) . ')');
	($id, $status) = run("leave $way");
	is($status, $way eq 'fails' ? 'failed' : 'completed', "a task that leaves much behind and $way")
	  or diag(task($id, 'error'));
	my $pid = $way eq 'fails' ? '' : task($id, q(result #>> '{rows,0,pid}'));
	($id, $status) = run("look $way");
	is(task($id, q((result #> '{rows,0}') - 'pid')),
		'{"cu": "worker_a", "su": "worker_a", "mem": "777kB", "path": "\"$user\", public", "temp": "", "locks": 0, "cursors": 0, "prepared": 0, "variable": ""}',
		'leaves nothing for the next') or diag(task($id, 'error'));
	is(task($id, q(result #>> '{rows,0,pid}')), $pid, 'in the same worker')
	  if $pid ne '';
}

# ---- what they say -----------------------------------------------------------

($id, $status) = once(<<'SQL');
DO $$ BEGIN
	RAISE NOTICE 'first';
	RAISE WARNING 'second' USING DETAIL = 'more';
	RAISE INFO 'third';
	PERFORM sched.log('debug', 'fourth');
	PERFORM sched.log('error', 'fifth');
END $$
SQL
is(logs($id), 'info: first; warning: second (more); info: third; debug: fourth; error: fifth',
	'notices are the log');
is(sql($node, "SELECT string_agg(message, ',') FROM sched.task_logs($id, 'warning')"),
	'second (more),fifth', 'by level');
($id, $status) = once(q(DO $$ BEGIN RAISE NOTICE 'before'; RAISE EXCEPTION 'no' USING DETAIL = 'the detail', HINT = 'the hint'; END $$));
like(logs($id), qr/^info: before; error: no; error: the detail; info: the hint/,
	'of a failing task too');
($id, $status) = once(q(DO $$ BEGIN FOR i IN 1..2000 LOOP RAISE NOTICE '% %', i, repeat('x', 1000); END LOOP; END $$));
is($status, 'completed', 'two megabytes of notices do not block');
is(sql($node, "SELECT count(*) <= 1001 AND bool_or(message LIKE '1 x%') AND bool_or(message LIKE '2000 x%') AND bool_or(message LIKE '%left out%') FROM sched.task_logs($id)"),
	't', 'the first and the last are kept');
define('progress', q(SELECT sched.report_progress(40, 'on the way'); SELECT pg_sleep(600)));
$id = sql($node, q(SELECT sched.run_job('progress')));
poll_ok($node, "SELECT progress FROM sched.tasks WHERE task_id = $id", '40', 'progress can be seen');
sql($node, "SELECT sched.cancel_task($id)");
is(sql($node, "SELECT sched.wait_for_task($id, '20 s')"), 'cancelled', 'until the end');

define('knows', q(SELECT sched.current_task() AS t), q(parameters => '{"a": 1, "b": 2}'));
$id = sql($node, q(SELECT sched.run_job('knows', '{"b": 3}')));
sql($node, "SELECT sched.wait_for_task($id, '20 s')");
is(task($id, q(result #> '{rows,0,t,parameters}')), '{"a": 1, "b": 3}', 'a task knows its parameters');
is(task($id, q(result #>> '{rows,0,t,task_id}')), $id, 'and itself');
is(sql($node, 'SELECT sched.current_task() IS NULL'), 't', 'outside of tasks there is none');

# ---- who they are ------------------------------------------------------------

sub as_role
{
	my ($name, $command) = @_;
	sql($node, "SET ROLE worker_a; SELECT sched.create_job('$name', " . quoted($command) . ', max_attempts => 1)');
	return run($name);
}
($id, $status) = as_role('who', 'SELECT session_user AS s, current_user AS c');
is(task($id, q(result #> '{rows,0}')), '{"c": "worker_a", "s": "worker_a"}',
	'a task runs as the owner of its job');
($id, $status) = as_role('reset role', 'RESET ROLE; SELECT current_user AS c');
is(task($id, q(result #>> '{rows,0,c}')), 'worker_a', 'RESET ROLE leads to nobody else');
($id, $status) = as_role('reset session', 'RESET SESSION AUTHORIZATION; SELECT session_user AS c');
is(task($id, q(result #>> '{rows,0,c}')), 'worker_a', 'nor does RESET SESSION AUTHORIZATION');
my $super = sql($node, 'SELECT current_user');
for my $command ("SET SESSION AUTHORIZATION $super", "SET ROLE $super", 'SET ROLE worker_b',
	'SELECT * FROM pg_authid', 'ALTER ROLE worker_a SUPERUSER')
{
	($id, $status) = as_role($command, $command);
	is(task($id, q(status || ' ' || sqlstate)), 'failed 42501', $command);
}

sql($node, q(CREATE ROLE locked_out LOGIN; GRANT sched_user TO locked_out));
sql($node, q(SET ROLE locked_out; SELECT sched.create_job('no login', 'SELECT 1', max_attempts => 1)));
sql($node, 'ALTER ROLE locked_out NOLOGIN');
$id = sql($node, q(SELECT sched.run_job('no login')));
is(sql($node, "SELECT sched.wait_for_task($id, '20 s')"), 'failed', 'a role that may not log in runs nothing');
like(task($id, 'error'), qr/locked_out/, 'and the error names it');
($id, $status) = once('SELECT 1');
is($status, 'completed', 'others are not concerned');

is(sql($node, q(SELECT count(*) FROM sched.tasks WHERE status NOT IN ('completed', 'failed', 'cancelled', 'timeout', 'skipped'))),
	0, 'nothing is left over');
my $rss = rss_kb((pids($node, scheduler_type))[0]);
cmp_ok($rss, '<', 50_000, 'the scheduler is small');
$node->stop;
done_testing();
