# The tables of SEMANTICS 4 and 5 in a server: what is fired while another run is not
# over, and what is fired late, under every policy; and rules of time that change.

use strict;
use warnings;
use Test::More;
use SchedTest;

my $node = new_node('policies', conf => "sched.max_workers = 16\nsched.cancel_grace = 60s");
wait_pids($node, scheduler_type, 1);

sub settle
{
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(sql($node, q(SELECT sched._settle('60 s'))), 't', "comes to rest: $_[0]");
	return;
}

# ---- overlap --------------------------------------------------------------------
#
# Fires at 0, 60 ... 300 seconds; a run goes on until the clock says that it is over.
# It takes 149 seconds rather than 150, so that none ends at the very
# moment at which another one is due.

set_clock($node, '2040-01-01 09:59:30+00');
for my $policy ('skip', 'buffer_one', 'buffer_all', 'cancel_other', 'terminate_other', 'allow')
{
	my $limit = $policy eq 'allow' ? ', max_concurrent_runs => 2' : '';
	sql($node, <<"SQL");
SELECT sched.create_job('$policy', \$\$
DO 'DECLARE e timestamptz := sched._now() + interval ''149 s''; BEGIN WHILE sched._now() < e LOOP PERFORM pg_sleep(0.01); END LOOP; END'
\$\$, '* * * * *', start_at => '2040-01-01 10:00+00', end_at => '2040-01-01 10:05+00', overlap_policy => '$policy', timeout => '0', max_attempts => 1$limit);
SQL
}

# Everything that follows from the time that it is has happened.
my $quiet = <<'SQL';
SELECT (s.next_fire_at IS NULL OR s.next_fire_at > sched._now())
	AND NOT EXISTS (SELECT FROM sched._live_tasks() l WHERE l.status = 'running' AND l.started_at + interval '149 s' <= sched._now())
	AND NOT EXISTS (SELECT FROM sched._live_tasks() l WHERE l.status = 'ready' AND coalesce(l.holds, '') NOT IN ('overlap', 'max_concurrent_runs'))
	AND NOT EXISTS (SELECT FROM sched._live_tasks() l JOIN sched._live_tasks() r ON r.job_id = l.job_id AND r.status = 'ready' JOIN sched._job j ON j.job_id = l.job_id
					WHERE l.status = 'running' AND j.overlap_policy IN ('cancel_other', 'terminate_other'))
FROM sched._scheduler_state() s
SQL
for my $at (0, 60, 120, 149, 180, 209, 240, 298, 300, 329, 358, 447, 449, 507, 596, 745, 894)
{
	set_clock($node, sql($node, "SELECT '2040-01-01 10:00+00'::timestamptz + interval '$at s'"));
	wait_for($node, $quiet, 't');
}
settle('all runs are over');

# nominal@start status, in seconds
sub runs
{
	my ($job) = @_;
	return sql($node, <<"SQL");
SELECT string_agg(extract(epoch FROM scheduled_at - '2040-01-01 10:00+00')::int
	|| coalesce('\@' || extract(epoch FROM started_at - '2040-01-01 10:00+00')::int, '') || CASE status WHEN 'completed' THEN '' ELSE ' ' || status END, ', ' ORDER BY task_id)
FROM sched.tasks WHERE job_name = '$job'
SQL
}
is(runs('skip'), '0@0, 60 skipped, 120 skipped, 180@180, 240 skipped, 300 skipped', 'skip');
is(runs('buffer_one'), '0@0, 60@149, 120 skipped, 180@298, 240 skipped, 300@447', 'buffer_one');
is(runs('buffer_all'), '0@0, 60@149, 120@298, 180@447, 240@596, 300@745', 'buffer_all');
is(runs('cancel_other'), '0@0 cancelled, 60@60 cancelled, 120@120 cancelled, 180@180 cancelled, 240@240 cancelled, 300@300', 'cancel_other');
is(runs('terminate_other'), '0@0 cancelled, 60@60 cancelled, 120@120 cancelled, 180@180 cancelled, 240@240 cancelled, 300@300', 'terminate_other');
is(runs('allow'), '0@0, 60@60, 120@149, 180@209, 240@298, 300@358', 'allow, up to max_concurrent_runs');
is(sql($node, q(SELECT string_agg(DISTINCT reason, '; ') FROM sched.tasks WHERE status IN ('skipped', 'cancelled'))),
	'overlap policy: an earlier run is not over; replaced by a newer run', 'with their reasons');
is(sql($node, q(SELECT string_agg(DISTINCT status, ' ') FROM sched.jobs)), 'completed', 'after end_at the jobs are completed');

# A task that was ordered by hand occupies the job, but is never skipped itself.
sql($node, q(SELECT sched.delete_job(name) FROM sched.jobs));
set_clock($node, '2040-01-01 10:59:30+00');
sql($node, q(SELECT sched.create_job('by hand', $$DO 'BEGIN WHILE sched._now() < ''2040-01-01 11:02+00'' LOOP PERFORM pg_sleep(0.01); END LOOP; END'$$, '* * * * *', timeout => '0');
	SELECT sched.run_job('by hand'), sched.run_job('by hand')));
wait_for($node, q(SELECT count(*) FROM sched.tasks WHERE job_name = 'by hand' AND status = 'running'), '2');
set_clock($node, '2040-01-01 11:00:00+00');
poll_ok($node, q(SELECT string_agg(status, ' ' ORDER BY task_id) FROM sched.tasks WHERE job_name = 'by hand'), 'running running skipped', 'what is ordered by hand runs, and occupies the job');
set_clock($node, '2040-01-01 11:02:00+00');
poll_ok($node, q(SELECT string_agg(status, ' ' ORDER BY task_id) FROM sched.tasks WHERE job_name = 'by hand'), qr/^completed completed skipped /, 'until it is over');
sql($node, q(SELECT sched.delete_job('by hand')));
settle('by hand');

# ---- misfire -----------------------------------------------------------------------
#
# A job of every five minutes; nothing runs from 10:01 to 10:33: since the clock jumps, since
# the scheduler is switched off, since the job is paused.

sub fired
{
	my ($job) = @_;
	return sql($node, "SELECT coalesce(string_agg(to_char(scheduled_at, 'HH24:MI') || ' ' || status || coalesce(' ' || missed_count, ''), ', ' ORDER BY task_id), '-')
		FROM sched.tasks WHERE job_id = (SELECT job_id FROM sched.jobs WHERE name = '$job')");
}

sub set_enabled
{
	my ($value) = @_;
	sql($node, "ALTER SYSTEM SET sched.enabled = $value");
	sql($node, 'SELECT pg_reload_conf()');
	wait_for($node, 'SHOW sched.enabled', $value);
	return;
}

my %cases = (
	skip             => [ q('*/5 * * * *', misfire_policy => 'skip'), '10:00 completed, 10:30 missed 6', '10:35 active' ],
	fire_once        => [ q('*/5 * * * *'), '10:00 completed, 10:30 completed 5', '10:35 active' ],
	fire_all         => [ q('*/5 * * * *', misfire_policy => 'fire_all', overlap_policy => 'buffer_all'),
		join(', ', map { "10:$_ completed" } '00', '05', 10, 15, 20, 25, 30), '10:35 active' ],
	'fire_all newest 2' => [ q('*/5 * * * *', misfire_policy => 'fire_all', overlap_policy => 'buffer_all', catchup_limit => 2),
		'10:00 completed, 10:20 missed 4, 10:25 completed, 10:30 completed', '10:35 active' ],
	'fire_all of 10 minutes' => [ q('*/5 * * * *', misfire_policy => 'fire_all', overlap_policy => 'buffer_all', catchup_window => '10 minutes'),
		'10:00 completed, 10:20 missed 4, 10:25 completed, 10:30 completed', '10:35 active' ],
	'fire_all, no limit of 0' => [ q('*/5 * * * *', misfire_policy => 'fire_all', overlap_policy => 'allow', catchup_limit => 0),
		join(', ', map { "10:$_ completed" } '00', '05', 10, 15, 20, 25, 30), '10:35 active' ],
	every            => [ q('@every 5 minutes', start_at => '2040-01-02 10:00+00'), '10:00 completed, 10:30 completed 5', '10:35 active' ],
	'at, fire_once'  => [ q('@at 2040-01-02 10:10+00'), '10:10 completed', ' completed' ],
	'at, skip'       => [ q('@at 2040-01-02 10:10+00', misfire_policy => 'skip'), '10:10 missed 1', ' completed' ],
	ended            => [ q('*/5 * * * *', end_at => '2040-01-02 10:20+00'), '10:00 completed, 10:20 completed 3', ' completed' ],
	'ended, skip'    => [ q('*/5 * * * *', end_at => '2040-01-02 10:20+00', misfire_policy => 'skip'), '10:00 completed, 10:20 missed 4', ' completed' ],
	'max_runs'       => [ q('*/5 * * * *', max_runs => 3, misfire_policy => 'fire_all', overlap_policy => 'allow'), '10:00 completed, 10:05 completed, 10:10 completed', ' completed' ],
	'in Berlin'      => [ q('*/5 11 * * *', timezone => 'Europe/Berlin'), '10:00 completed, 10:30 completed 5', '10:35 active' ],
	rrule            => [ q('DTSTART:20400102T100000Z RRULE:FREQ=MINUTELY;INTERVAL=5'), '10:00 completed, 10:30 completed 5', '10:35 active' ]);

for my $how ('the clock jumps', 'the scheduler is off', 'the job is paused', 'the server is down')
{
	set_clock($node, '2040-01-02 09:59:30+00');
	sql($node, q(SELECT sched.delete_job(name) FROM sched.jobs));
	sql($node, "SELECT sched.create_job('$_', 'SELECT 1', $cases{$_}[0])") for sort keys %cases;
	set_clock($node, '2040-01-02 10:00:00+00');
	settle('ten');
	set_clock($node, '2040-01-02 10:01:00+00');
	settle('a minute past ten');
	set_enabled('off') if $how eq 'the scheduler is off';
	sql($node, q(SELECT sched.pause_job(name) FROM sched.jobs)) if $how eq 'the job is paused';
	if ($how eq 'the server is down')
	{
		# the frozen clock is gone with it, and it is switched off until the clock is right
		sql($node, 'ALTER SYSTEM SET sched.enabled = off');
		$node->stop('immediate');
		$node->start;
		set_clock($node, '2040-01-02 10:33:00+00');
		wait_for($node, q(SELECT running AND triggers > 0 FROM sched._scheduler_state()), 't');
		set_enabled('on');
	}
	set_clock($node, '2040-01-02 10:33:00+00');
	set_enabled('on') if $how eq 'the scheduler is off';
	sql($node, q(SELECT sched.resume_job(name) FROM sched.jobs WHERE status = 'paused')) if $how eq 'the job is paused';
	settle('10:33');
	for my $job (sort keys %cases)
	{
		is(fired($job), $cases{$job}[1], "$how: $job");
		is(sql($node, "SELECT coalesce(to_char(next_fire_at, 'HH24:MI'), '') || ' ' || status FROM sched.jobs WHERE name = '$job'"), $cases{$job}[2], "$how: $job, and then");
	}
}

# within the threshold it is merely late
sql($node, q(SELECT sched.delete_job(name) FROM sched.jobs));
set_clock($node, '2040-01-03 10:04:30+00');
sql($node, q(SELECT sched.create_job('late', 'SELECT 1', '*/5 * * * *', misfire_policy => 'skip')));
settle('before it');
set_clock($node, '2040-01-03 10:05:40+00');
settle('40 seconds late');
is(fired('late'), '10:05 completed', 'what is not later than sched.misfire_threshold is not missed');

# thirty days of a minutely job
sql($node, q(SELECT sched.create_job('minutely', 'SELECT 1', '* * * * *'), sched.create_job('never caught up', 'SELECT 1', '* * * * *', misfire_policy => 'fire_all', overlap_policy => 'allow', catchup_limit => 3)));
settle('two more');
set_clock($node, '2040-02-02 10:05:40+00');
settle('thirty days later');
is(sql($node, q(SELECT status || ' ' || missed_count FROM sched.tasks WHERE job_name = 'minutely')), 'completed 43199', 'thirty days of a minutely job are one task');
is(sql($node, q(SELECT string_agg(status || coalesce(' ' || missed_count, ''), ', ' ORDER BY task_id) FROM sched.tasks WHERE job_name = 'never caught up')),
	'missed 43196, completed, completed, completed, completed', 'or as many as catchup_limit says, and the one that is merely late');

# ---- what changes around the job -------------------------------------------------------

# Rules of a time zone that change: what was computed by the old ones is computed again.
set_clock($node, '2040-03-01 00:00:00+00');
settle('March');
sql($node, q(SELECT sched.delete_job(name) FROM sched.jobs));
sql($node, q(SELECT sched.create_job('zone', 'SELECT 1', '0 12 * * *', timezone => 'Europe/Berlin'),
	sched.create_job('elapsed', 'SELECT 1', '@every 1 hour'),
	sched.create_job('monthly', 'SELECT 1', '@every 1 month', start_at => '2040-03-05 00:00+00'),
	sched.create_job('later', 'SELECT 1', '0 12 * * *', timezone => 'Europe/Berlin', start_at => '2040-03-20 00:00+00'),
	sched.create_job('locked', 'SELECT 1', '0 12 * * *', timezone => 'Europe/Berlin')));
settle('defined');
my $next = q(SELECT string_agg(name || ' ' || to_char(next_fire_at, 'MM-DD HH24:MI'), ', ' ORDER BY name) FROM sched.jobs);
my $before = sql($node, $next);
is($before, 'elapsed 03-01 01:00, later 03-20 11:00, locked 03-01 11:00, monthly 03-05 00:00, zone 03-01 11:00', 'what is next');
sql($node, q(UPDATE sched._trigger_state SET next_fire_at = next_fire_at + interval '1 hour'
	WHERE trigger_id IN (SELECT trigger_id FROM sched.triggers WHERE job_name IN ('zone', 'later', 'locked'))));
my $session = $node->background_psql('postgres', on_error_stop => 1);
$session->query_safe(q(BEGIN; SELECT 1 FROM sched._trigger_state s JOIN sched.triggers t USING (trigger_id) WHERE t.job_name = 'locked' FOR UPDATE OF s));
my ($old) = pids($node, scheduler_type);
sql($node, "SELECT pg_terminate_backend($old)");
wait_until(sub { my ($new) = pids($node, scheduler_type); defined $new && $new != $old });
poll_ok($node, $next, 'elapsed 03-01 01:00, later 03-20 11:00, locked 03-01 12:00, monthly 03-05 00:00, zone 03-01 11:00', 'a scheduler that starts computes it anew, and waits for nobody');
$session->query_safe('ROLLBACK');
$session->quit;

# A clock that is set back, and forward again: nothing fires twice.
set_clock($node, '2040-03-01 12:00:30+00');
settle('noon');
set_clock($node, '2040-03-01 10:30:00+00');
settle('an hour and a half earlier');
($old) = pids($node, scheduler_type);
sql($node, "SELECT pg_terminate_backend($old)");
wait_until(sub { my ($new) = pids($node, scheduler_type); defined $new && $new != $old });
settle('a new scheduler');
set_clock($node, '2040-03-01 11:30:00+00');
settle('past what has fired');
set_clock($node, '2040-03-01 12:00:30+00');
settle('noon again');
is(sql($node, q(SELECT count(*) FROM (SELECT trigger_id, scheduled_at FROM sched.tasks WHERE trigger_id IS NOT NULL GROUP BY 1, 2 HAVING count(*) > 1) d)),
	0, 'a clock that is set back, and another scheduler: nothing fires twice');
is(fired('zone'), '11:00 completed', 'once');
$node->stop;
done_testing();
