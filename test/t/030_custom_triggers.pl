# Schedules that a function of the user tells: it runs as the owner of the job, in a
# worker; what it does wrong puts its trigger into quarantine and nothing else.

use strict;
use warnings;
use Test::More;
use SchedTest;

my $node = new_node('custom', conf => "sched.callback_timeout = 500ms\nsched.cancel_grace = 1s");
wait_pids($node, scheduler_type, 1);

sql($node, <<'SQL');
SELECT sched.create_roles();
CREATE ROLE alice LOGIN;
CREATE ROLE bob LOGIN;
CREATE ROLE carol LOGIN;
GRANT sched_user TO alice, bob, carol;
GRANT sched_admin TO carol;
CREATE SCHEMA alice AUTHORIZATION alice;
CREATE SCHEMA bob AUTHORIZATION bob;
GRANT USAGE ON SCHEMA alice, bob TO PUBLIC;
SET ROLE alice;
CREATE TABLE alice.asked (who name, session name, zone text, config jsonb, pid int);
CREATE FUNCTION alice.step(config jsonb, timezone text, after timestamptz) RETURNS timestamptz LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO alice.asked VALUES (current_user, session_user, timezone, config, pg_backend_pid());
	RETURN after + (config ->> 'step')::interval;
END $$;
SELECT sched.register_trigger_type('step', 'alice.step');
-- counts down and is over
CREATE FUNCTION alice.until(config jsonb, timezone text, after timestamptz) RETURNS timestamptz LANGUAGE sql AS $$
	SELECT CASE WHEN after < (config ->> 'until')::timestamptz THEN date_trunc('hour', after) + '1 hour' END $$;
SELECT sched.register_trigger_type('until', 'alice.until');
CREATE FUNCTION alice.bad(config jsonb, timezone text, after timestamptz) RETURNS timestamptz LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO alice.asked VALUES (current_user, session_user, timezone, config, pg_backend_pid());
	CASE config ->> 'how'
		WHEN 'raise' THEN RAISE EXCEPTION 'I do not know';
		WHEN 'zero' THEN PERFORM 1 / 0;
		WHEN 'same' THEN RETURN after;
		WHEN 'past' THEN RETURN after - interval '1 day';
		WHEN 'infinite' THEN RETURN 'infinity';
		WHEN 'often' THEN RETURN after + interval '1 microsecond';
		WHEN 'slow' THEN PERFORM pg_sleep(60);
		WHEN 'stubborn' THEN
			BEGIN PERFORM pg_sleep(60); EXCEPTION WHEN query_canceled THEN PERFORM pg_sleep(60); END;
		WHEN 'dead' THEN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(60);
		WHEN 'long' THEN RAISE EXCEPTION '%', repeat('ä', 1000);
		WHEN 'readonly' THEN SET TRANSACTION READ ONLY;
		WHEN 'role' THEN SET ROLE none; SET statement_timeout = 1; SET search_path = alice;
	END CASE;
	RETURN after + interval '200 ms';
END $$;
SELECT sched.register_trigger_type('bad', 'alice.bad');
SELECT sched.create_job('good', 'SELECT 1', '@every 200 ms');
SQL

sub fired
{
	my ($job) = @_;
	return sql($node, "SELECT coalesce(string_agg(to_char(scheduled_at, 'HH24:MI:SS') || ' ' || status || coalesce(' ' || missed_count, ''), ', ' ORDER BY task_id), '-')
		FROM sched.tasks WHERE job_name = '$job'");
}

sub settle
{
	is(sql($node, q(SELECT sched._settle('60 s'))), 't', "comes to rest: $_[0]");
	return;
}

# As a login of its own, the way that an application comes.
sub as
{
	my ($role, $query) = @_;
	return $node->safe_psql('postgres', $query, extra_params => [ '-U', $role ]);
}

sub error_as
{
	my ($role, $query) = @_;
	my ($out, $err) = ('', '');
	$node->psql('postgres', $query, stdout => \$out, stderr => \$err, extra_params => [ '-U', $role, '-v', 'VERBOSITY=verbose' ]);
	return $err =~ /ERROR:  (\w{5}): (.*)/ ? "$1 $2" : "no error: $out";
}

# ---- it fires -----------------------------------------------------------------

as('alice', q(SELECT sched.create_job('steps', 'SELECT 1', '@every 1 year', timezone => 'Europe/Berlin', overlap_policy => 'allow')));
as('alice', q(SELECT sched.add_trigger('steps', '@custom step', config => '{"step": "200 ms", "x": [1]}')));
poll_ok($node, q(SELECT count(*) >= 3 FROM sched.tasks WHERE job_name = 'steps' AND status = 'completed'), 't', 'a custom trigger fires again and again');
is(sql($node, q(SELECT count(*) FROM (SELECT scheduled_at - lag(scheduled_at) OVER (ORDER BY task_id) AS d FROM sched.tasks WHERE job_name = 'steps') s WHERE d <> '200 ms')),
	0, 'at the times that its function tells, counted from the nominal time');
is(sql($node, q(SELECT DISTINCT who || ' ' || session || ' ' || zone || ' ' || config FROM alice.asked)),
	'alice alice Europe/Berlin {"x": [1], "step": "200 ms"}', 'which runs as the owner of the job, with zone and config');
is(sql($node, q(SELECT count(*) FROM alice.asked a, sched._scheduler_state() s WHERE a.pid = s.pid)), 0, 'and never in the scheduler');
as('alice', q(SELECT sched.delete_job('steps')));

# ---- who may ------------------------------------------------------------------

is(error_as('bob', q(SELECT sched.register_trigger_type('mine', 'alice.step'))),
	'42501 permission denied for function alice.step(jsonb,text,timestamp with time zone)', 'a function of somebody else cannot be registered');
is(error_as('bob', q(SELECT sched.register_trigger_type('step', 'alice.step'))),
	'42501 permission denied for function alice.step(jsonb,text,timestamp with time zone)', 'nor in the place of another');
as('bob', q(CREATE FUNCTION bob.trojan(config jsonb, timezone text, after timestamptz) RETURNS timestamptz LANGUAGE plpgsql AS $$
	BEGIN CREATE TABLE alice.taken (); RETURN after + interval '1 hour'; END $$;
	SELECT sched.register_trigger_type('trojan', 'bob.trojan')));
is(error_as('bob', q(SELECT sched.register_trigger_type('step', 'bob.trojan'))),
	'42710 trigger type "step" already exists', 'a name that is taken stays with its owner');
is(error_as('bob', q(SELECT sched.unregister_trigger_type('step'))),
	'42501 permission denied for trigger type "step"', 'who cannot take it away either');
is(error_as('carol', q(SELECT sched.add_trigger('good', '@custom trojan'))),
	'42501 permission denied to give job "good" the schedule "@custom trojan"', 'sched_admin is not enough to let a function run as the owner');
is(error_as('carol', q(SELECT sched.update_job('good', '{"schedule": "@custom trojan"}'))),
	'42501 permission denied to give job "good" the schedule "@custom trojan"', 'nor by changing the job');
as('alice', q(SELECT sched.create_job('victim', 'SELECT 1', '@custom trojan')));
poll_ok($node, q(SELECT fault FROM sched.triggers WHERE job_name = 'victim'), qr/^function trojan belongs to role "bob", which may not act as role "alice"$/,
	'a function with the rights of its caller must belong to who may act as him');
is(sql($node, q(SELECT to_regclass('alice.taken') IS NULL)), 't', 'it has not run');
is(error_as('alice', q(SELECT sched.next_fire_times('@custom trojan'))), '42501 function trojan belongs to role "bob", which may not act as role "alice"',
	'nor does a question run it');
as('alice', q(SELECT sched.delete_job('victim')));
as('bob', q(ALTER FUNCTION bob.trojan SECURITY DEFINER));
as('alice', q(SELECT sched.create_job('victim', 'SELECT 1', '@custom trojan')));
poll_ok($node, q(SELECT fault FROM sched.triggers WHERE job_name = 'victim'), qr/^permission denied for schema alice$/, 'SECURITY DEFINER runs with its own rights');
as('alice', q(SELECT sched.delete_job('victim')));
as('bob', q(REVOKE EXECUTE ON FUNCTION bob.trojan FROM PUBLIC));
is(error_as('alice', q(SELECT sched.create_job('victim', 'SELECT 1', '@custom trojan'))),
	'42501 permission denied for function bob.trojan(jsonb,text,timestamp with time zone) of trigger type "trojan"', 'the owner needs EXECUTE');
is(error_as('alice', q(SELECT sched.next_fire_times('@custom nobody'))), '42704 trigger type "nobody" does not exist', 'nor can an unknown type be asked');
is(error_as('alice', q(SELECT sched.create_job('x', 'SELECT 1', '@custom nobody'))), '42704 trigger type "nobody" does not exist', 'an unknown type is refused');
is(error_as('alice', q(SELECT sched.register_trigger_type('bad name', 'alice.step'))), '22023 invalid name of a trigger type: "bad name"', 'so is a name with a blank');
is(error_as('alice', q(SELECT sched.register_trigger_type(repeat('x', 64), 'alice.step'))), '22023 invalid name of a trigger type: "' . 'x' x 64 . '"', 'or too long');
is(error_as('alice', q(SELECT sched.register_trigger_type('a b', 'alice.step'))), '22023 invalid name of a trigger type: "a b"', 'or of two words');
is(error_as('alice', q(SELECT sched.register_trigger_type('', 'alice.step'))), '22023 invalid name of a trigger type: ""', 'or empty');
is(error_as('alice', q(SELECT sched.register_trigger_type(NULL, 'alice.step'))), '22023 invalid name of a trigger type: NULL', 'or none');
is(error_as('alice', q(SELECT sched.register_trigger_type('x', NULL))), '22023 trigger type "x" has no function', 'or no function');
like(error_as('alice', q(SELECT sched.register_trigger_type('x', 'pg_catalog.now'))), qr/^22023 function now\(\) cannot be that of trigger type/, 'or one of another kind');
is(error_as('alice', q(SELECT sched.unregister_trigger_type('nobody'))), 'no error: f', 'what is not there cannot be removed');

# ---- functions that fail --------------------------------------------------------

# others_go_on(when): the good job runs to the end of one more task, ordered from now.
sub others_go_on
{
	my ($when) = @_;
	my $last = sql($node, 'SELECT max(task_id) FROM sched._task');
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	poll_ok($node, "SELECT count(*) > 1 FROM sched.tasks WHERE job_name = 'good' AND status = 'completed' AND task_id > $last",
		't', "the others go on: $when");
	return;
}

as('alice', q(SELECT sched.create_job('bad', 'SELECT 1')));
for my $case (
	[ raise    => qr/^I do not know$/,                  3 ],
	[ zero     => qr/^division by zero$/,               1 ],
	[ same     => qr/^function bad returned .*, which is not after /, 1 ],
	[ past     => qr/^function bad returned .*, which is not after /, 1 ],
	[ infinite => qr/^function bad returned an infinite time$/, 1 ],
	[ often    => qr/^function bad returned two times less than 100 ms apart$/, 1 ],
	[ slow     => qr/^it took too long, see sched.callback_timeout$/, 3 ],
	[ stubborn => qr/^it took too long, see sched.callback_timeout$/, 3 ],
	[ dead     => qr/^(its worker was terminated|terminating connection)/, 3 ],
	[ long     => qr/^(?:\xc3\xa4){100,127}$/,                     3 ])
{
	my ($how, $fault, $tries) = @$case;
	my $from = -s $node->logfile;
	sql($node, 'TRUNCATE alice.asked');
	my $trigger = as('alice', qq(SELECT sched.add_trigger('bad', '\@custom bad', config => '{"how": "$how"}')));
	others_go_on("\"$how\"");
	poll_ok($node, "SELECT fault FROM sched.triggers WHERE trigger_id = $trigger", $fault, "\"$how\": in quarantine");
	is(sql($node, q(SELECT sched.health() #>> '{components,triggers,problem}')), '1 in quarantine', 'health() says so');
	is(scalar(log_lines($node, qr/is in quarantine/, $from)), 1, 'the log says so once');
	# what was rolled back has left nothing in the table
	cmp_ok(scalar(log_lines($node, qr/trigger $trigger of job "bad" is in quarantine/, $from)), '==', 1, 'and names it');
	others_go_on("after \"$how\"");
	as('alice', "SELECT sched.remove_trigger($trigger)");
}
for my $how ('readonly', 'role')
{
	my $trigger = as('alice', qq(SELECT sched.add_trigger('bad', '\@custom bad', config => '{"how": "$how"}')));
	poll_ok($node, "SELECT fault IS NOT NULL OR fire_count > 1 FROM sched.triggers WHERE trigger_id = $trigger", 't', "\"$how\" harms nobody");
	as('alice', "SELECT sched.remove_trigger($trigger)");
}
sql($node, 'ALTER ROLE alice SET default_transaction_read_only = on');
as('alice', q(SET default_transaction_read_only = off; SELECT sched.create_job('ro', 'SELECT 1', '@custom until')));
my $out = sql($node, q(SELECT sched._settle('60 s') FROM sched._clock_reset()));
sql($node, 'ALTER ROLE alice RESET default_transaction_read_only');

# A function that is mended gets another chance.
my $trigger = as('alice', q(SELECT sched.add_trigger('bad', '@custom step', config => '{"step": "no interval"}')));
poll_ok($node, "SELECT fault FROM sched.triggers WHERE trigger_id = $trigger", qr/^invalid input syntax for type interval/, 'a config that the function cannot read');
as('alice', q(CREATE OR REPLACE FUNCTION alice.step(config jsonb, timezone text, after timestamptz) RETURNS timestamptz LANGUAGE sql AS $$ SELECT after + interval '1 hour' $$));
as('alice', q(SELECT sched.pause_job('bad'); SELECT sched.resume_job('bad')));
poll_ok($node, "SELECT fault IS NULL AND next_fire_at > now() FROM sched.triggers WHERE trigger_id = $trigger", 't', 'pause and resume after mending it: it goes on');
as('alice', q(DROP FUNCTION alice.step));
is(error_as('alice', q(SELECT sched.add_trigger('bad', '@custom step'))),
	'42883 function alice.step(jsonb,text,timestamp with time zone) of trigger type "step" does not exist', 'a function that is gone is missed');
as('alice', q(SELECT sched.disable_job('bad'); SELECT sched.activate_job('bad')));
poll_ok($node, "SELECT fault FROM sched.triggers WHERE trigger_id = $trigger", qr/^function alice.step.* does not exist$/, 'by those who use it too');
as('alice', q(SELECT sched.register_trigger_type('step', 'alice.until')));
poll_ok($node, "SELECT fault IS NULL FROM sched.triggers WHERE trigger_id = $trigger", 't', 'registered anew, they go on');
is(error_as('alice', q(SELECT sched.unregister_trigger_type('step'))), '55000 trigger type "step" is in use', 'a type in use stays');
as('alice', q(SELECT sched.delete_job('bad'); SELECT sched.unregister_trigger_type('step')));
is(sql($node, q(SELECT string_agg(name, ' ' ORDER BY name) FROM sched.trigger_types)), 'bad trojan until', 'one that is not in use goes');

# Many slow ones of one role hold two workers, not all four.
as('alice', q(SELECT sched.create_job('hog', 'SELECT 1'); SELECT count(sched.add_trigger('hog', '@custom bad', config => '{"how": "slow"}')) FROM generate_series(1, 12)));
my $most = 0;
for (1 .. 20)
{
	my $n = sql($node, q(SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'sched worker' AND query = 'sched chore' AND state = 'active'));
	$most = $n if $n > $most;
}
others_go_on('many slow functions');
cmp_ok($most, '<=', 2, 'slow functions of one role hold two workers at most');
as('alice', q(SELECT sched.delete_job('hog')));

# ---- a question that changes while it is being answered ------------------------

sql($node, 'ALTER SYSTEM SET sched.callback_timeout = 60000');
sql($node, 'SELECT pg_reload_conf()');
wait_for($node, 'SHOW sched.callback_timeout', '1min');
as('alice', q(CREATE TABLE alice.gate (open boolean); INSERT INTO alice.gate VALUES (false);
	CREATE FUNCTION alice.zoned(config jsonb, timezone text, after timestamptz) RETURNS timestamptz LANGUAGE plpgsql AS $$
	BEGIN
		WHILE NOT (SELECT open FROM alice.gate) LOOP PERFORM pg_sleep(0.005); END LOOP;
		RETURN CASE timezone WHEN 'Europe/Berlin' THEN '2060-06-01'::timestamptz ELSE '2050-05-01' END;
	END $$;
	SELECT sched.register_trigger_type('zoned', 'alice.zoned'), sched.create_job('zoned', 'SELECT 1', '@custom zoned', timezone => 'UTC')));
poll_ok($node, q(SELECT count(*) > 0 FROM pg_stat_activity WHERE backend_type = 'sched worker' AND usename = 'alice' AND query = 'sched chore' AND state = 'active'), 't', 'the function is at it');
as('alice', q(SELECT sched.update_job('zoned', '{"timezone": "Europe/Berlin"}'); UPDATE alice.gate SET open = true));
poll_ok($node, q(SELECT next_fire_at FROM sched.jobs WHERE name = 'zoned'), '2060-06-01 00:00:00+00', 'an answer to what was asked before counts for nothing');
is(sql($node, q(SELECT fault IS NULL FROM sched.triggers WHERE job_name = 'zoned')), 't', 'nor does it harm');
as('alice', q(UPDATE alice.gate SET open = false; SELECT sched.disable_job('zoned'); SELECT sched.activate_job('zoned')));
wait_for($node, q(SELECT count(*) > 0 FROM pg_stat_activity WHERE backend_type = 'sched worker' AND usename = 'alice' AND query = 'sched chore' AND state = 'active'), 't');
as('alice', q(SELECT sched.delete_job('zoned'); UPDATE alice.gate SET open = true));
others_go_on('a job was deleted while its function was at it');
is(scalar(log_lines($node, qr/"zoned" is in quarantine/)), 0, 'which nobody misses');

sql($node, 'ALTER SYSTEM RESET sched.callback_timeout');
sql($node, 'SELECT pg_reload_conf()');

# ---- many at once ---------------------------------------------------------------

as('alice', q(CREATE FUNCTION alice.never(config jsonb, timezone text, after timestamptz) RETURNS timestamptz LANGUAGE sql AS $$ SELECT after + interval '1 day' $$;
	SELECT sched.register_trigger_type('never', 'alice.never');
	SELECT count(sched.create_job('many ' || i, 'SELECT 1', '@custom never')) FROM generate_series(1, 700) i));
poll_ok($node, q(SELECT count(*) FROM sched.jobs WHERE name LIKE 'many %' AND next_fire_at IS NOT NULL), '700', 'more questions than there is room for are all answered');
kill9($node, worker_type);
wait_for($node, q(SELECT (sched.liveness() ->> 'status')), 'UP');
others_go_on('after a crash');
is(sql($node, q(SELECT count(*) FROM sched.jobs WHERE name LIKE 'many %' AND next_fire_at IS NOT NULL)), '700', 'and kept');

# ---- missed ----------------------------------------------------------------------

set_clock($node, '2040-01-01 10:00:00+00');
as('alice', q(SELECT count(sched.delete_job(name)) FROM sched.jobs WHERE name NOT LIKE 'good'));
sql($node, q(SELECT sched.delete_job('good')));
as('alice', q(
	CREATE FUNCTION alice.fives(config jsonb, timezone text, after timestamptz) RETURNS timestamptz LANGUAGE sql AS
	$$ SELECT date_bin('5 min', after, '2000-01-01 00:00+00') + interval '5 min' $$;
	SELECT sched.register_trigger_type('fives', 'alice.fives');
	SELECT sched.create_job('once', 'SELECT 1', '@custom fives'),
		sched.create_job('skip', 'SELECT 1', '@custom fives', misfire_policy => 'skip'),
		sched.create_job('all', 'SELECT 1', '@custom fives', misfire_policy => 'fire_all', overlap_policy => 'buffer_all'),
		sched.create_job('newest 2', 'SELECT 1', '@custom fives', misfire_policy => 'fire_all', overlap_policy => 'buffer_all', catchup_limit => 2),
		sched.create_job('ended', 'SELECT 1', '@custom fives', end_at => '2040-01-01 10:20:00+00'),
		sched.create_job('twice', 'SELECT 1', '@custom fives', max_runs => 2, overlap_policy => 'allow');
	SELECT sched.create_job('over', 'SELECT 1', active => false);
	SELECT sched.add_trigger('over', '@custom until', config => '{"until": "2040-01-01 11:30+00"}');
	SELECT sched.activate_job('over')));
settle('ten');
is(sql($node, q(SELECT string_agg(DISTINCT next_fire_at::text, ',') FROM sched.jobs WHERE name <> 'over')), '2040-01-01 10:05:00+00', 'they wait for five past ten');
is(as('alice', q(SELECT string_agg(t::time::text, ' ') FROM sched.next_fire_times('@custom fives', 3, '2040-01-01 10:00+00') t)),
	'10:05:00 10:10:00 10:15:00', 'next_fire_times() asks the function');
is(as('alice', q(SELECT string_agg(t::time::text, ' ') FROM sched.job_plan('ended', '2040-01-01 10:00+00', '2040-01-02') t)),
	'10:00:00 10:05:00 10:10:00 10:15:00 10:20:00', 'so does job_plan(), up to end_at');
is(sql($node, q(SELECT string_agg(t::time::text, ' ') FROM sched.job_plan('ended', '2040-01-01 10:00+00', '2040-01-02') t)),
	'10:05:00', 'but never with the rights of somebody else: then it shows what is known');
is(as('alice', q(SELECT string_agg(t::time::text, ' ') FROM sched.job_plan((SELECT job_id FROM sched.jobs WHERE name = 'over'), '2040-01-01 10:00+00', '2040-01-02') t)),
	'10:00:00 11:00:00 12:00:00', 'it ends where the function says so');
is(as('alice', q(SELECT sched.describe_schedule('@custom fives'))), 'when the trigger type fives says so', 'describe_schedule() says who decides');
set_clock($node, '2040-01-01 10:33:00+00');
settle('33 minutes later');
is(fired('once'), '10:30:00 completed 5', 'fire_once');
is(fired('skip'), '10:30:00 missed 6', 'skip');
is(fired('all'), join(', ', map { "10:$_:00 completed" } '05', 10, 15, 20, 25, 30), 'fire_all');
is(fired('newest 2'), '10:20:00 missed 4, 10:25:00 completed, 10:30:00 completed', 'fire_all with a limit');
is(fired('ended'), '10:20:00 completed 3', 'fire_once up to end_at');
is(fired('twice'), '10:30:00 completed 5', 'one of two runs');
is(sql($node, q(SELECT string_agg(name || ' ' || status || coalesce(' ' || next_fire_at::time, ''), ', ' ORDER BY name) FROM sched.jobs)),
	'all active 10:35:00, ended completed, newest 2 active 10:35:00, once active 10:35:00, over active 11:00:00, skip active 10:35:00, twice active 10:35:00',
	'and all wait for the next');
set_clock($node, '2040-01-01 10:35:00+00');
settle('35 minutes past ten');
is(fired('twice'), '10:30:00 completed 5, 10:35:00 completed', 'two of two');
is(sql($node, q(SELECT status FROM sched.jobs WHERE name = 'twice')), 'completed', 'it is over');
set_clock($node, '2040-01-01 11:00:30+00');
settle('eleven');
set_clock($node, '2040-01-01 12:00:30+00');
settle('twelve');
is(fired('over'), '11:00:00 completed, 12:00:00 completed', 'one after the other');
is(sql($node, q(SELECT status FROM sched.jobs WHERE name = 'over')), 'completed', 'a function that returns NULL ends the job');

# A month, every five minutes: more than is listed.
set_clock($node, '2040-02-01 12:00:30+00');
settle('a month later');
like(fired('once'), qr/, 12:00:00 completed 89(2[0-9]|27)$/, 'fire_once counts all of them');
like(fired('skip'), qr/, 11:55:00 missed 892[0-9], 12:00:00 completed$/, 'so does skip');
is(sql($node, q(SELECT sum(coalesce(missed_count, 0) + (status = 'completed')::int) FROM sched.tasks WHERE job_name = 'once')),
	sql($node, q(SELECT count(*) FROM generate_series('2040-01-01 10:05+00'::timestamptz, '2040-02-01 12:00+00', '5 min'))), 'none is lost');
$node->stop;
done_testing();
