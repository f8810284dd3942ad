# Runs of jobs that depend on each other: every task exactly once, also when
# many end at the same moment and when the server is killed in the middle; and
# which task of a job with a schedule of its own is waited for.

use strict;
use warnings;
use Test::More;
use IPC::Run ();
use SchedTest;

$SchedTest::deadline = 60;
my $node = new_node('graph', conf => "sched.max_workers = 8\nmax_connections = 60");
wait_pids($node, scheduler_type, 1);

sub settle { is(sql($node, q(SELECT sched._settle('60 s'))), 't', "$_[0]: everything is done"); return; }

# What has become of the tasks of a run, as "job=status job=status", in order of name.
sub states
{
	my ($run) = @_;
	return sql($node, "SELECT string_agg(job_name || '=' || status, ' ' ORDER BY job_name, task_id) FROM sched.tasks WHERE run_id = $run");
}

# ---- wide fan-in ------------------------------------------------------------------
# 1,000 tasks end in eight workers, as they come; the one that waits for all of them
# runs once.
sql($node, <<'SQL');
CREATE TABLE effects (job text, task_id bigint, at timestamptz DEFAULT clock_timestamp());
DO $$
BEGIN
	PERFORM sched.create_job('fan root', 'SELECT 1');
	FOR n IN 1 .. 1000 LOOP
		PERFORM sched.create_job('fan ' || n, 'SELECT 1', depends_on => '{fan root}');
	END LOOP;
	PERFORM sched.create_job('fan in', 'INSERT INTO effects VALUES (''fan in'', (sched.current_task() ->> ''task_id'')::bigint)',
		depends_on => ARRAY(SELECT 'fan ' || n FROM generate_series(1, 1000) n));
END $$;
SQL
for my $round (1 .. 3)
{
	my $run = sql($node, q(SELECT sched.run_job('fan root')));
	poll_ok($node, "SELECT status FROM sched.tasks WHERE run_id = $run AND job_name = 'fan in'", 'completed',
		"fan-in, round $round: what waits for 1,000 tasks runs");
	is(sql($node, "SELECT count(*), count(*) FILTER (WHERE status = 'completed') FROM sched.tasks WHERE run_id = $run"),
		'1002|1002', "fan-in, round $round: every task once");
	is(sql($node, 'SELECT count(*) FROM effects'), $round, "fan-in, round $round: one effect");
	is(sql($node, "SELECT bool_and(u.finished_at <= d.started_at) FROM sched.tasks d, sched.tasks u
		WHERE d.run_id = $run AND d.job_name = 'fan in' AND u.run_id = $run AND u.job_name <> 'fan in'"),
		't', "fan-in, round $round: not before the last of them ended");
}
cmp_ok(sql($node, q(SELECT count(*) FROM sched._workers())), '>', 1, 'fan-in: several workers took part');

# ---- ends from many sessions at once -------------------------------------------------
# Not by workers: 1,000 waiting tasks are cancelled from eight sessions, and each of
# these is the last one for somebody.
sql($node, <<'SQL');
DO $$
BEGIN
	PERFORM sched.create_job('many root', 'SELECT 1', active => false);
	FOR n IN 1 .. 1000 LOOP
		PERFORM sched.create_job('many ' || n, 'SELECT 1', depends_on => '{many root}');
	END LOOP;
	PERFORM sched.create_job('many in', 'SELECT 1', depends_on => ARRAY(SELECT 'many ' || n FROM generate_series(1, 1000) n),
		trigger_rule => 'all_done');
END $$;
SQL
my $run  = sql($node, q(SELECT sched.schedule_task('many root', now() + interval '50 s')));
poll_ok($node, "SELECT count(*) FROM sched._live_tasks() l JOIN sched._task t USING (task_id) WHERE t.run_id = $run", '1002', 'many ends: the run is there');
my @handles;
for my $k (0 .. 7)
{
	my $part = join "\n", map { "SELECT count(sched.cancel_task(t.task_id)) FROM sched._task t JOIN sched._job j USING (job_id) WHERE t.run_id = $run AND j.name = 'many $_';" } grep { $_ % 8 == $k } 1 .. 1000;
	my ($in, $out, $err) = ($part, '', '');
	push @handles, IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres') ], '<', \$in, '>', \$out, '2>', \$err);
}
$_->finish for @handles;
poll_ok($node, "SELECT status FROM sched.tasks WHERE run_id = $run AND job_name = 'many in'", 'completed', 'many ends: what waits for all of them runs');
is(sql($node, "SELECT count(*) FILTER (WHERE status = 'cancelled'), count(*) FROM sched.tasks WHERE run_id = $run"), '1000|1002', 'many ends: and each ended once');
sql($node, "SELECT sched.cancel_task($run)");

# ---- two runs at once are never mixed ------------------------------------------------
sql($node, <<'SQL');
SELECT sched.create_job('mix a', 'SELECT pg_sleep(0.02 * random())'), sched.create_job('mix b', 'SELECT pg_sleep(0.05 * random())', depends_on => '{mix a}'),
	sched.create_job('mix c', 'SELECT pg_sleep(0.05 * random())', depends_on => '{mix a}'),
	sched.create_job('mix d', $$INSERT INTO effects SELECT 'mix d', (u.value ->> 'task_id')::bigint FROM jsonb_each(sched.current_task() -> 'upstream') u$$, depends_on => '{mix b,mix c}');
SELECT sched.run_job('mix a') FROM generate_series(1, 20);
SQL
settle('overlapping runs');
is(sql($node, q(SELECT count(*), count(DISTINCT run_id) FROM sched.tasks WHERE job_name = 'mix d' AND status = 'completed')), '20|20', 'overlapping runs: one task for each');
is(sql($node, q(SELECT count(*) FROM effects e JOIN sched.tasks u USING (task_id) WHERE e.job = 'mix d' AND u.job_name IN ('mix b', 'mix c') AND u.status = 'completed')), '40', 'overlapping runs: every upstream was seen once');
is(sql($node, q(SELECT count(*) FROM sched.tasks d JOIN sched._node n USING (task_id), unnest(n.in_tasks) u(task_id) JOIN sched.tasks t ON t.task_id = u.task_id WHERE d.job_name LIKE 'mix %' AND t.run_id <> d.run_id)), '0', 'overlapping runs: nobody waited for a task of another run');
is(sql($node, q(SELECT count(*) FROM sched.tasks d JOIN sched._node n USING (task_id), unnest(n.in_tasks) u(task_id) JOIN sched.tasks t ON t.task_id = u.task_id WHERE d.job_name LIKE 'mix %' AND d.started_at < t.finished_at)), '0', 'overlapping runs: nobody started before its upstreams ended');

# ---- jobs with schedules of their own ------------------------------------------------
# daily R at 03:00, its upstream at 02:00 still running at 03:00
set_clock($node, '2030-05-01 00:00:00+00');
sql($node, <<'SQL');
CREATE TABLE gate (name text);
CREATE FUNCTION wait_gate(text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	WHILE NOT EXISTS (SELECT FROM gate g WHERE g.name = $1) LOOP
		PERFORM pg_sleep(0.01);
	END LOOP;
END $$;
SELECT sched.create_job('up', $$SELECT wait_gate('up')$$, '0 2 * * *', timeout => '0');
SELECT sched.create_job('R', 'SELECT 1', '0 3 * * *', depends_on => '{up}');
SELECT sched.create_job('same', 'SELECT 1', '0 3 * * *');
SELECT sched.add_dependency('same', 'up', match => 'same_time');
SELECT sched.create_job('hour before', 'SELECT 1', '0 3 * * *');
SELECT sched.add_dependency('hour before', 'up', match => 'offset', "offset" => '1 hour');
SELECT sched.create_job('weekly', 'SELECT 1', '0 4 * * SUN', depends_on => '{up}');
SELECT sched.create_job('week', 'SELECT 1', '0 4 * * SUN');
SELECT sched.add_dependency('week', 'up', match => 'window', "offset" => '7 days');
SQL
is(sql($node, q(SELECT match FROM sched.dependencies WHERE job = 'R')), 'since_last_run', 'a job with a schedule waits since its last run');
set_clock($node, '2030-05-01 02:00:00+00');
poll_ok($node, q(SELECT status FROM sched.tasks WHERE job_name = 'up'), 'running', 'the upstream runs');
set_clock($node, '2030-05-01 03:00:00+00');
poll_ok($node, q(SELECT status FROM sched.tasks WHERE job_name = 'R'), 'waiting', 'R is due while its upstream still runs: it waits');
poll_ok($node, q(SELECT status || ': ' || reason FROM sched.tasks WHERE job_name = 'same'), qr/^upstream_failed: .*does not fire at/, 'a match that can never come is decided at once');
poll_ok($node, q(SELECT status FROM sched.tasks WHERE job_name = 'hour before'), 'waiting', 'a match by offset waits');
like(sql($node, q(SELECT string_agg(condition || ' ' || satisfied || ' ' || detail, E'\n') FROM sched.tasks t, sched.why(t.task_id) WHERE t.job_name = 'R')),
	qr/depends on job "up" false success: pending, since_last_run, task \d+ is running/, 'why says what for');

sql($node, q(INSERT INTO gate VALUES ('up')));
poll_ok($node, q(SELECT string_agg(status, ' ' ORDER BY job_name) FROM sched.tasks WHERE job_name IN ('R', 'hour before', 'up')), 'completed completed completed', 'it ends, and they run');

# days go by until Sunday, 5 May; the upstream fails on one of them
for my $day (2 .. 4)
{
	sql($node, q(SELECT sched.update_job('up', '{"command": "SELECT 1/0", "max_attempts": 1}'))) if $day == 3;
	sql($node, q(SELECT sched.update_job('up', '{"command": "SELECT 1"}'))) if $day == 4;
	set_clock($node, "2030-05-0$day 03:00:00+00");
	settle("day $day");
}
is(sql($node, q(SELECT string_agg(status, ' ' ORDER BY task_id) FROM sched.tasks WHERE job_name = 'R')), 'completed completed upstream_failed completed', 'R takes the newest since its last run, each day');
set_clock($node, '2030-05-05 02:00:00+00');
settle('Sunday, 2:00');
set_clock($node, '2030-05-05 04:00:00+00');
settle('Sunday, 4:00');
is(sql($node, q(SELECT t.status || ' ' || (SELECT u.scheduled_at FROM sched._edges_of_task(t.task_id) e JOIN sched.tasks u ON u.task_id = e.upstream_task) FROM sched.tasks t WHERE job_name = 'weekly')),
	'completed 2030-05-05 02:00:00+00', 'weekly after daily: the newest since the last run');
like(sql($node, q(SELECT status || ' ' || reason FROM sched.tasks WHERE job_name = 'week')), qr/^upstream_failed .*failed/, 'a window takes all of the week: one failed');

# an upstream that is due at the same time, and fires later in the same second
sql($node, q(SELECT sched.create_job('first', 'SELECT 1', '0 6 * * *', depends_on => '{}'), sched.create_job('second', 'SELECT 1', '0 6 * * *', depends_on => '{first}')));
set_clock($node, '2030-05-05 06:00:00+00');
settle('due at the same time');
is(sql($node, q(SELECT t.status || ' ' || (t.scheduled_at = u.scheduled_at) FROM sched.tasks t, sched._edges_of_task(t.task_id) e JOIN sched.tasks u ON u.task_id = e.upstream_task WHERE t.job_name = 'second')),
	'completed true', 'due at the same nominal time: waited for');

# disabled: no match can come
sql($node, q(SELECT sched.disable_job('first')));
set_clock($node, '2030-05-06 06:00:00+00');
settle('disabled');
like(sql($node, q(SELECT status || ' ' || reason FROM sched.tasks WHERE job_name = 'second' ORDER BY task_id DESC LIMIT 1)), qr/upstream_failed .*upstream job "first" is disabled/, 'an upstream that is disabled: decided at once, with the reason');

# ---- delay, start, timeouts --------------------------------------------------------
sql($node, <<'SQL');
SELECT sched.create_job('t up', $$SELECT wait_gate('t up')$$), sched.create_job('t late', 'SELECT 1'), sched.create_job('t start', 'SELECT 1'), sched.create_job('t start late', 'SELECT 1'),
	sched.create_job('t gives up', 'SELECT 1', depends_on => '{t up}', dependency_timeout => '10 minutes'),
	sched.create_job('t goes on', 'SELECT 1', depends_on => '{t up}', dependency_timeout => '10 minutes', trigger_rule => 'all_done');
SELECT sched.add_dependency('t late', 't up', delay => '5 minutes'), sched.add_dependency('t start', 't up', 'start'), sched.add_dependency('t start late', 't up', 'start', delay => '5 minutes');
SQL
$run = sql($node, q(SELECT sched.run_job('t up')));
poll_ok($node, "SELECT string_agg(job_name || '=' || status, ' ' ORDER BY job_name) FROM sched.tasks WHERE run_id = $run",
	't gives up=waiting t goes on=waiting t late=waiting t start=completed t start late=waiting t up=running', 'start: with the start of the upstream');
set_clock($node, '2030-05-06 06:05:00+00');
poll_ok($node, "SELECT status FROM sched.tasks WHERE run_id = $run AND job_name = 't start late'", 'completed', 'start with a delay: when it is over');
set_clock($node, '2030-05-06 06:10:00+00');
poll_ok($node, "SELECT string_agg(job_name || '=' || status, ' ' ORDER BY job_name) FROM sched.tasks WHERE run_id = $run AND job_name LIKE 't g%'",
	't gives up=upstream_failed t goes on=completed', 'dependency_timeout: upstream_failed, and all_done goes on');
like(sql($node, "SELECT reason FROM sched.tasks WHERE run_id = $run AND job_name = 't gives up'"), qr/^dependency_timeout/, 'with the reason');
sql($node, q(INSERT INTO gate VALUES ('t up')));
poll_ok($node, "SELECT status FROM sched.tasks WHERE task_id = $run", 'completed', 'the upstream ends');
settle('delay');
is(sql($node, "SELECT status FROM sched.tasks WHERE run_id = $run AND job_name = 't late'"), 'waiting', 'delay: not yet');
set_clock($node, '2030-05-06 06:15:00+00');
poll_ok($node, "SELECT status FROM sched.tasks WHERE run_id = $run AND job_name = 't late'", 'completed', 'delay: over');

# ---- an edge that comes while a task waits -----------------------------------------
sql($node, q(SELECT sched.create_job('v up', $$SELECT wait_gate('v up')$$), sched.create_job('v other', 'SELECT 1'), sched.create_job('v down', 'SELECT 1', depends_on => '{v up}')));
$run = sql($node, q(SELECT sched.run_job('v up')));
sql($node, q(SELECT sched.add_dependency('v down', 'v other'), sched.remove_dependency('v down', 'v up')));
is(sql($node, "SELECT string_agg(e.depends_on, ' ') FROM sched.tasks t, sched._edges_of_task(t.task_id) e WHERE t.run_id = $run AND t.job_name = 'v down'"), 'v up', 'a task keeps the edges that it was made with');
sql($node, q(INSERT INTO gate VALUES ('v up')));
poll_ok($node, "SELECT status FROM sched.tasks WHERE run_id = $run AND job_name = 'v down'", 'completed', 'and goes by them');

# ---- a run that stands still -------------------------------------------------------
sql($node, q(SELECT sched.create_job('s a', 'SELECT 1'), sched.create_job('s b', 'SELECT 1', depends_on => '{s a}'), sched.create_job('s c', 'SELECT 1', depends_on => '{s a}'), sched.create_job('s d', 'SELECT 1', depends_on => '{s b,s c}')));
$run = sql($node, q(SELECT sched.run_job('s b')));
poll_ok($node, "SELECT status || ' ' || waits_for FROM sched.runs WHERE run_id = $run", qr/^stalled s d: s c/, 'a run that nothing will move is called stalled');
set_clock($node, '2030-05-06 07:30:00+00');
poll_ok($node, "SELECT status FROM sched.runs WHERE run_id = $run", 'failed', 'after sched.stall_timeout it is ended');
like(sql($node, "SELECT reason FROM sched.tasks WHERE run_id = $run AND job_name = 's d'"), qr/job "s c": stalled/, 'with the reason');

# ---- mutex -----------------------------------------------------------------------
sql($node, q(SELECT sched.create_job('m a', $$SELECT wait_gate('m a')$$), sched.create_job('m b', 'SELECT 1'); SELECT sched.add_dependency('m b', 'm a', 'mutex'), sched.add_dependency('m a', 'm b', 'mutex')));
my $first = sql($node, q(SELECT sched.run_job('m a')));
poll_ok($node, "SELECT status FROM sched.tasks WHERE task_id = $first", 'running', 'mutex: the first runs');
my $second = sql($node, q(SELECT sched.run_job('m b')));
poll_ok($node, "SELECT status FROM sched.tasks WHERE task_id = $second", 'waiting', 'mutex: the other is held back');
sql($node, q(INSERT INTO gate VALUES ('m a')));
poll_ok($node, "SELECT status FROM sched.tasks WHERE task_id = $second", 'completed', 'mutex: runs when the other has ended');
is(sql($node, "SELECT b.started_at >= a.finished_at FROM sched.tasks a, sched.tasks b WHERE a.task_id = $first AND b.task_id = $second"), 't', 'mutex: not before');

reset_clock($node);

# ---- kill -9 while tasks wait ------------------------------------------------------
sql($node, <<'SQL');
SELECT sched.create_job('w up', $$SELECT wait_gate('w up')$$), sched.create_job('w down', 'SELECT 1', depends_on => '{w up}'), sched.run_job('w up');
SELECT sched.create_job('w R', 'SELECT 1', '@at ' || now() + interval '1 s', depends_on => '{w up}');
SQL
my $waiting = q(SELECT string_agg(job_name || '=' || status, ' ' ORDER BY job_name) FROM sched.tasks WHERE job_name LIKE 'w %');
poll_ok($node, $waiting, 'w R=waiting w down=waiting w up=running', 'tasks wait, in the run and from outside of it');
kill9_server($node);
$node->start;
poll_ok($node, $waiting, 'w R=waiting w down=waiting w up=running', 'after kill -9 they wait again');
sql($node, q(INSERT INTO gate VALUES ('w up')));
poll_ok($node, $waiting, 'w R=completed w down=completed w up=completed', 'and run when their upstream has ended');

# ---- kill -9 in the middle of a run ------------------------------------------------
# A graph of 20 layers of 20; every task leaves a trace.  The server is killed three times;
# the last layer waits until that is over.
sql($node, <<'SQL');
TRUNCATE effects;
DO $$
DECLARE
	up	text[];
BEGIN
	PERFORM setseed(0.25);
	PERFORM sched.create_job('k root', $c$INSERT INTO effects SELECT t ->> 'job_name', (t ->> 'task_id')::bigint FROM sched.current_task() t$c$);
	FOR layer IN 1 .. 20 LOOP
		FOR k IN 1 .. 20 LOOP
			up := CASE layer WHEN 1 THEN '{k root}' ELSE ARRAY(SELECT DISTINCT format('k %s-%s', layer - 1, 1 + floor(random() * 20)::int) FROM generate_series(1, 4)) END;
			PERFORM sched.create_job(format('k %s-%s', layer, k),
				$c$INSERT INTO effects SELECT t ->> 'job_name', (t ->> 'task_id')::bigint FROM sched.current_task() t; SELECT pg_sleep(0.01)$c$
				|| CASE layer WHEN 20 THEN '; SELECT wait_gate(''k'')' ELSE '' END, depends_on => up);
		END LOOP;
	END LOOP;
END $$;
SQL
$run = sql($node, q(SELECT sched.run_job('k root')));
my $ended;
for my $blow (1 .. 3)
{
	wait_for($node, "SELECT count(*) >= $blow * 80 FROM sched._outcome o JOIN sched._task t USING (task_id) WHERE t.run_id = $run AND o.final", 't');
	$ended = sql($node, "SELECT count(*) FROM sched._outcome o JOIN sched._task t USING (task_id) WHERE t.run_id = $run AND o.final");
	kill9_server($node);
	$node->start;
}
sql($node, q(INSERT INTO gate VALUES ('k')));
cmp_ok($ended, '<', 401, 'kill -9: in the middle of the run');
poll_ok($node, "SELECT count(*) FROM sched._outcome o JOIN sched._task t USING (task_id) WHERE t.run_id = $run AND o.final", '401', 'kill -9 three times: the run ends');
is(sql($node, "SELECT status, tasks FROM sched.runs WHERE run_id = $run"), 'completed|{"completed": 401}', 'kill -9: and ends right');
is(sql($node, q(SELECT count(*), count(DISTINCT job) FROM effects)), '401|401', 'kill -9: every task had its effect once');
is(sql($node, "SELECT count(*) FROM sched._node n, unnest(n.in_tasks) u(task_id), sched.tasks d, sched.tasks t WHERE n.run_id = $run AND d.task_id = n.task_id AND t.task_id = u.task_id AND d.started_at < t.finished_at"), '0', 'kill -9: in the order of the graph');

done_testing();
