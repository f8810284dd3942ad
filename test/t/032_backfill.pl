# Backfill: a past range as one run, so many at once, every occurrence once whatever
# happens, and cancelled as a whole.

use strict;
use warnings;
use Test::More;
use SchedTest;

my $node = new_node('backfill', conf => 'sched.cancel_grace = 1s');
wait_pids($node, scheduler_type, 1);

sql($node, <<'SQL');
SELECT sched.create_roles();
CREATE ROLE alice LOGIN;
CREATE ROLE bob LOGIN;
CREATE ROLE olga LOGIN;
GRANT sched_user TO alice, bob;
GRANT sched_operator TO olga;
GRANT CREATE ON SCHEMA public TO alice;
CREATE TABLE seen (at timestamptz, run bigint, live int, parameters jsonb);
GRANT ALL ON seen TO alice;
SET ROLE alice;
-- what it stands for, and how many of the run are at work together
SELECT sched.create_job('hourly', $$
	INSERT INTO seen SELECT (c ->> 'scheduled_at')::timestamptz, (c ->> 'run_id')::bigint,
		(SELECT count(*) FROM sched.tasks t WHERE t.run_id = (c ->> 'run_id')::bigint AND t.status NOT IN ('completed', 'failed', 'cancelled')), c -> 'parameters'
	FROM sched.current_task() c;
	SELECT 1 / (1 - (extract(hour FROM (sched.current_task() ->> 'scheduled_at')::timestamptz) = (SELECT bad FROM fail))::int)$$,
	'0 * * * *', timezone => 'UTC', max_attempts => 1, parameters => '{"of": "job"}');
CREATE TABLE fail (bad int);
INSERT INTO fail VALUES (3);
SQL

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

sub run_state
{
	my ($run) = @_;
	return sql($node, "SELECT status || ' ' || started || '/' || occurrences FROM sched.backfills WHERE run_id = $run");
}

sub ended
{
	my ($run, $state, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	poll_ok($node, "SELECT status || ' ' || started || '/' || occurrences FROM sched.backfills WHERE run_id = $run", $state, $name);
	return;
}

# ---- one range -----------------------------------------------------------------

my $run = as('alice', q(SELECT sched.backfill('hourly', '2026-01-01 00:00+00', '2026-01-02 00:00+00', max_parallel => 3)));
ended($run, 'completed 24/24', 'a day of an hourly job');
is(sql($node, "SELECT count(*) || ' ' || count(DISTINCT scheduled_at) || ' ' || min(scheduled_at) || ' ' || max(scheduled_at) FROM sched.tasks WHERE run_id = $run"),
	'24 24 2026-01-01 00:00:00+00 2026-01-01 23:00:00+00', 'is 24 tasks of one run, the beginning included, the end not');
is(sql($node, "SELECT string_agg(DISTINCT status || ' ' || extract(hour FROM scheduled_at), ',') FROM sched.tasks WHERE run_id = $run AND status <> 'completed'"),
	'failed 3', 'each stands for its hour');
cmp_ok(sql($node, "SELECT max(live) FROM seen WHERE run = $run"), '<=', 3, 'never more than max_parallel at once');
is(sql($node, "SELECT DISTINCT parameters FROM seen WHERE run = $run"), '{"of": "job"}', 'with the parameters of the job');
is(sql($node, q(SELECT count(*) FROM sched._backfill_plan)), 0, 'the plan is gone');

# ---- reprocess -------------------------------------------------------------------

my $again = as('alice', q(SELECT sched.backfill('hourly', '2026-01-01 00:00+00', '2026-01-02 02:00+00')));
ended($again, 'completed 2/2', 'none: only what has no task');
as('alice', 'UPDATE fail SET bad = 99');
$again = as('alice', q(SELECT sched.backfill((SELECT job_id FROM sched.jobs WHERE name = 'hourly'), '2026-01-01 00:00+00', '2026-01-02 02:00+00', 'failed')));
ended($again, 'completed 1/1', 'failed: and what failed');
is(sql($node, "SELECT scheduled_at || ' ' || status FROM sched.tasks WHERE run_id = $again"), '2026-01-01 03:00:00+00 completed', 'that is the one');
$again = as('alice', q(SELECT sched.backfill('hourly', '2026-01-01 00:00+00', '2026-01-02 02:00+00', 'failed')));
ended($again, 'completed 0/0', 'failed: the newest task counts, and that is completed');
$again = as('alice', q(SELECT sched.backfill('hourly', '2026-01-01 22:00+00', '2026-01-02 02:00+00', 'all', 100)));
ended($again, 'completed 4/4', 'all: everything');
is(sql($node, "SELECT sched.cancel_run($again)"), 0, 'what has ended has nothing to cancel');

# ---- what schedules say ------------------------------------------------------------

as('alice', q(
	SELECT sched.create_calendar('odd', '{"weekly": ["MON"]}');
	SELECT sched.create_job('two', 'SELECT 1', '0 9 * * *', timezone => 'Europe/Berlin', calendar => 'odd');
	SELECT sched.add_trigger('two', 'DTSTART:20260101T120000 RRULE:FREQ=MONTHLY;BYDAY=1MO', parameters => '{"of": "trigger"}');
	SELECT sched.add_trigger('two', '@startup');
	SELECT sched.create_job('every', 'SELECT 1', '@every 6 hours', start_at => NULL);
	CREATE FUNCTION nines(config jsonb, timezone text, after timestamptz) RETURNS timestamptz LANGUAGE sql AS
		$$ SELECT date_bin('9 hours', after, '2000-01-01 00:00+00') + interval '9 hours' $$;
	SELECT sched.register_trigger_type('nines', 'nines');
	SELECT sched.create_job('custom', 'SELECT 1', '@custom nines')));
$run = as('alice', q(SELECT sched.backfill('two', '2026-03-20 00:00+00', '2026-04-07 00:00+00', max_parallel => 5)));
ended($run, 'completed 4/4', 'all triggers count, the calendar and the zone too');
is(sql($node, "SELECT string_agg(to_char(scheduled_at AT TIME ZONE 'Europe/Berlin', 'MM-DD HH24:MI') || coalesce(parameters ->> 'of', ''), ', ' ORDER BY scheduled_at) FROM sched.tasks WHERE run_id = $run"),
	'03-23 09:00, 03-30 09:00, 04-06 09:00, 04-06 12:00trigger', 'each with its parameters');
$run = as('alice', q(SELECT sched.backfill('every', now() - interval '1 day', now(), max_parallel => 5)));
ended($run, 'completed 4/4', 'a fixed rate has a phase also before its beginning');
is(sql($node, "SELECT DISTINCT extract(epoch FROM (SELECT created_at FROM sched.triggers WHERE job_name = 'every') - scheduled_at)::numeric % 21600 FROM sched.tasks WHERE run_id = $run")+0,
	0, 'and keeps it');
$run = as('alice', q(SELECT sched.backfill('custom', '2026-01-01 00:00+00', '2026-01-02 00:00+00', max_parallel => 5)));
ended($run, qr/^completed (2|3)\//, 'the function of a custom trigger is asked');
like(error_as('olga', q(SELECT sched.backfill('custom', '2026-01-01 00:00+00', '2026-01-02 00:00+00'))),
	qr/^42501 function nines belongs to role "alice"/, 'but not for somebody whose rights it would get');
as('alice', q(SELECT sched.create_job('plain', 'SELECT 1')));
is(error_as('alice', q(SELECT sched.backfill('plain', '2026-01-01', '2026-01-02'))), '55000 cannot backfill job "plain"', 'a job without a schedule has nothing to be made up');

# ---- bad arguments, rights -----------------------------------------------------------

for my $case (
	[ q('hourly', '2026-01-02', '2026-01-01'), '22023 invalid time range for a backfill of job "hourly"' ],
	[ q('hourly', '2026-01-01', '2026-01-01'), '22023 invalid time range for a backfill of job "hourly"' ],
	[ q('hourly', NULL, '2026-01-01'), '22023 invalid time range for a backfill of job "hourly"' ],
	[ q('hourly', '-infinity', '2026-01-01'), '22023 invalid time range for a backfill of job "hourly"' ],
	[ q('hourly', '2026-01-01', 'infinity'), '22023 invalid time range for a backfill of job "hourly"' ],
	[ q('hourly', '2026-01-01', now() + interval '1 hour'), '22023 invalid time range for a backfill of job "hourly"' ],
	[ q('custom', '2026-01-01', now() + interval '1 hour'), '22023 invalid time range for a backfill of job "custom"' ],
	[ q('hourly', '2026-01-01', '2026-01-02', 'some'), '22023 invalid reprocess for job "hourly"' ],
	[ q('hourly', '2026-01-01', '2026-01-02', NULL), '22023 invalid reprocess for job "hourly"' ],
	[ q('hourly', '2026-01-01', '2026-01-02', 'all', 0), '22023 invalid max_parallel for job "hourly"' ],
	[ q('hourly', '2026-01-01', '2026-01-02', 'all', NULL), '22023 invalid max_parallel for job "hourly"' ],
	[ q('hourly', '2026-01-01', '2026-01-02', 'all', 1001), '22023 invalid max_parallel for job "hourly"' ],
	[ q('hourly', '1850-01-01', '2026-01-02', 'all'), '22023 a backfill of job "hourly" cannot have more than 1000000 occurrences' ],
	[ q('nobody', '2026-01-01', '2026-01-02'), '42704 job "nobody" does not exist' ],
	[ q(NULL::text, '2026-01-01', '2026-01-02'), '22023 the job is missing' ],
	[ q(-1, '2026-01-01', '2026-01-02'), '42704 job -1 does not exist' ])
{
	is(error_as('alice', "SELECT sched.backfill($case->[0])"), $case->[1], "refused: $case->[0]");
}
is(error_as('bob', q(SELECT sched.backfill('hourly', '2026-01-01', '2026-01-02'))), '42501 permission denied for job "hourly"', 'the job of somebody else is refused');
is(error_as('alice', 'SELECT sched.cancel_run(NULL)'), '22023 the run is missing', 'no run');
is(error_as('alice', 'SELECT sched.cancel_run(-5)'), '42704 run -5 does not exist', 'an unknown run');
is(error_as('bob', "SELECT sched.cancel_run($run)"), "42501 permission denied for run $run", 'the run of somebody else');
is(as('bob', 'SELECT count(*) FROM sched.backfills'), 0, 'which he does not see either');
$run = as('olga', q(SELECT sched.backfill('hourly', '2026-02-01', '2026-02-02')));
ended($run, qr/^completed/, 'an operator may');

# ---- cancelled as a whole --------------------------------------------------------------

as('alice', q(SELECT sched.create_job('slow', 'SELECT pg_sleep(600)', '0 * * * *')));
$run = as('alice', q(SELECT sched.backfill('slow', '2026-01-01 00:00+00', '2026-02-01 00:00+00', max_parallel => 2)));
poll_ok($node, "SELECT count(*) FROM sched.tasks WHERE run_id = $run AND status = 'running'", '2', 'two of them run');
is(sql($node, "SELECT count(*) FROM sched.tasks WHERE run_id = $run"), 2, 'the others are not there yet');
is(as('alice', "BEGIN; SELECT sched.cancel_run($run); ROLLBACK"), 2, 'a cancellation that is rolled back');
is(run_state($run), 'running 2/744', 'has not happened');
is(as('alice', "SELECT sched.cancel_run($run, 'enough')"), 2, 'a cancellation');
poll_ok($node, "SELECT string_agg(status, ' ') FROM sched.tasks WHERE run_id = $run", 'cancelled cancelled', 'ends those that run');
is(run_state($run) . sql($node, "SELECT ' ' || reason FROM sched.backfills WHERE run_id = $run"), 'cancelled 2/744 enough', 'and what was still to come');
is(sql($node, q(SELECT sched._settle('60 s'))), 't', 'comes to rest');
is(sql($node, "SELECT count(*) FROM sched.tasks WHERE run_id = $run"), 2, 'nothing follows');
is(as('alice', "SELECT sched.cancel_run($run)"), 0, 'once is enough');

my $task = as('alice', q(SELECT sched.run_job('slow')));
poll_ok($node, "SELECT status FROM sched.tasks WHERE task_id = $task", 'running', 'a run of another kind');
is(as('alice', "SELECT sched.cancel_run(run_id) FROM sched.tasks WHERE task_id = $task"), 1, 'can be cancelled too');
poll_ok($node, "SELECT status FROM sched.tasks WHERE task_id = $task", 'cancelled', 'and is');

$run = as('alice', q(SELECT sched.backfill('slow', '2026-01-01 00:00+00', '2026-02-01 00:00+00', 'all')));
poll_ok($node, "SELECT count(*) FROM sched.tasks WHERE run_id = $run AND status = 'running'", '1', 'one more');
as('alice', q(SELECT sched.disable_job('slow', 'out of order')));
is(run_state($run), 'cancelled 1/744', 'disable_job() ends the backfill');
as('alice', qq(SELECT sched.cancel_task((SELECT task_id FROM sched.tasks WHERE run_id = $run))));
is(error_as('alice', q(SELECT sched.backfill('slow', '2026-01-01', '2026-01-02'))), '55000 cannot backfill job "slow"', 'a disabled job is refused');

# ---- paused, and together with what fires --------------------------------------------------

as('alice', q(SELECT sched.pause_job('two')));
$run = as('alice', q(SELECT sched.backfill('two', '2026-03-20 00:00+00', '2026-04-07 00:00+00', 'all', 2)));
is(sql($node, q(SELECT sched._settle('60 s'))), 't', 'comes to rest');
is(run_state($run) . sql($node, "SELECT ' ' || string_agg(status, ' ') FROM sched.tasks WHERE run_id = $run"), 'running 2/4 ready ready', 'a paused job lets the tasks wait');
as('alice', q(SELECT sched.resume_job('two')));
ended($run, 'completed 4/4', 'resumed, it goes on');

# ---- a crash in the middle ------------------------------------------------------------------

as('alice', q(SELECT sched.create_job('minutely', $$INSERT INTO seen SELECT (sched.current_task() ->> 'scheduled_at')::timestamptz, (sched.current_task() ->> 'run_id')::bigint$$, '* * * * *')));
$run = as('alice', q(SELECT sched.backfill('minutely', '2026-01-01 00:00+00', '2026-01-02 00:00+00', max_parallel => 20)));
poll_ok($node, "SELECT started > 100 FROM sched.backfills WHERE run_id = $run", 't', 'on its way');
kill9($node, scheduler_type);
poll_ok($node, "SELECT started > 400 FROM sched.backfills WHERE run_id = $run", 't', 'it goes on after a crash of the scheduler');
kill9_server($node);
$node->start;
poll_ok($node, "SELECT started > 700 FROM sched.backfills WHERE run_id = $run", 't', 'and of the server');
my ($pid) = pids($node, scheduler_type);
sql($node, "SELECT pg_terminate_backend($pid)");
ended($run, 'completed 1440/1440', 'it comes to its end');
is(sql($node, "SELECT count(*) || ' ' || count(DISTINCT scheduled_at) FROM sched.tasks WHERE run_id = $run AND status = 'completed'"), '1440 1440', 'every occurrence has one task');
is(sql($node, "SELECT count(*) || ' ' || count(DISTINCT at) FROM seen WHERE run = $run"), '1440 1440', 'and ran once');

# ---- a long range ----------------------------------------------------------------------------

as('alice', q(SELECT sched.create_job('long', 'SELECT 1', '* * * * *', history => 'none')));
my $scheduler = (wait_pids($node, scheduler_type, 1))[0];
$run = as('alice', q(SELECT sched.backfill('long', '2026-01-01 00:00+00', '2026-03-11 10:40+00', max_parallel => 100)));
like(run_state($run), qr{^running \d+/100000$}, '100,000 occurrences');
poll_ok($node, "SELECT started > 2000 FROM sched.backfills WHERE run_id = $run", 't', 'are on their way');
cmp_ok(rss_kb($scheduler), '<', 30_000, 'and not in the memory of the scheduler');
cmp_ok(sql($node, q(SELECT queue_used FROM sched._scheduler_state())), '<=', 120, 'nor in the queue');
is(as('alice', "SELECT sched.cancel_run($run) <= 100"), 't', 'they can be cancelled');
poll_ok($node, "SELECT count(*) FROM sched.tasks WHERE run_id = $run AND status NOT IN ('completed', 'cancelled')", '0', 'all of them');
is(sql($node, 'SELECT count(*) FROM sched._backfill_plan'), 0, 'nothing is left of the plan');
$node->stop;
done_testing();
