# Time that jumps: back, forward by days, and not at all.

use strict;
use warnings;
use Test::More;
use SchedTest;

my $node = new_node('clock');
wait_pids($node, scheduler_type, 1);

# Let the scheduler do all that there is to do at the time that it is now.
sub settle
{
	is(sql($node, q(SELECT sched._settle('30 s'))), 't', "comes to rest: $_[0]");
	return;
}

sub fired
{
	my ($job) = @_;
	return sql($node, "SELECT string_agg(to_char(scheduled_at, 'DD HH24:MI') || ' ' || status || coalesce(' ' || missed_count, ''), ', ' ORDER BY task_id)
		FROM sched.tasks WHERE job_name = '$job'");
}

set_clock($node, '2030-05-01 11:59:30+00');
sql($node, <<'SQL');
SELECT sched.create_job('once', 'SELECT 1', '0 * * * *');
SELECT sched.create_job('skip', 'SELECT 1', '0 * * * *', misfire_policy => 'skip');
SELECT sched.create_job('all', 'SELECT 1', '0 * * * *', misfire_policy => 'fire_all', overlap_policy => 'allow');
SELECT sched.create_job('minutely', 'SELECT 1', '@every 1 minute');
SQL
settle('before');
is(sql($node, 'SELECT count(*) FROM sched.tasks'), 0, 'nothing is due yet');
is(sql($node, q(SELECT DISTINCT next_fire_at FROM sched.jobs WHERE name <> 'minutely')),
	'2030-05-01 12:00:00+00', 'they wait for twelve');

# ---- a clock that stands still -----------------------------------------------

set_clock($node, '2030-05-01 12:00:00+00');
settle('twelve');
is(fired('once'), '01 12:00 completed', 'at twelve it is done');
settle('twelve, still');
is(fired('once'), '01 12:00 completed', 'and once, as long as it is twelve');
is(fired('minutely'), '', 'the rate counts from the creation');
set_clock($node, '2030-05-01 12:00:30+00');
settle('half a minute later');
is(fired('minutely'), '01 12:00 completed', 'a minute after it');

# ---- back --------------------------------------------------------------------

set_clock($node, '2030-05-01 11:30:00+00');
settle('half an hour earlier');
set_clock($node, '2030-05-01 11:59:59+00');
settle('just before twelve again');
set_clock($node, '2030-05-01 12:00:00+00');
settle('twelve again');
set_clock($node, '2030-05-01 12:00:40+00');
settle('after twelve again');
is(fired($_), '01 12:00 completed', "$_: nothing fires twice")
  for 'once', 'skip', 'all', 'minutely';
set_clock($node, '2030-04-01 00:00:00+00');
settle('a month earlier');
is(sql($node, q(SELECT running FROM sched._scheduler_state())),
	't', 'a month back harms nobody');
sql($node, q(SELECT sched.run_job('once')));
settle('a task by hand');
is(fired('once'), '01 12:00 completed, 01 00:00 completed', 'and what is ordered then runs');
set_clock($node, '2030-05-01 13:00:00+00');
settle('one o\'clock');
like(fired('once'), qr/, 01 13:00 completed$/, 'the next hour is fired in its turn');

# ---- forward by days ---------------------------------------------------------

sql($node, q(SELECT sched.delete_job('minutely')));
set_clock($node, '2030-05-04 13:20:00+00');
settle('three days later');
like(fired('once'), qr/13:00 completed, 04 13:00 completed 71$/,
	'fire_once: one task for all that was missed, and it says how many');
like(fired('skip'), qr/13:00 completed, 04 13:00 missed 72$/,
	'skip: one row that says so');
is( sql($node, q(SELECT count(*) FILTER (WHERE status = 'completed') || ' ' || count(DISTINCT scheduled_at) || ' ' || count(*) FROM sched.tasks WHERE job_name = 'all')),
	'74 74 74', 'fire_all: one task for each');
is(sql($node, q(SELECT DISTINCT next_fire_at FROM sched.jobs)),
	'2030-05-04 14:00:00+00', 'and from there on as usual');
is( sql($node, q(SELECT count(*) FROM (SELECT trigger_id, scheduled_at FROM sched.tasks WHERE trigger_id IS NOT NULL GROUP BY 1, 2 HAVING count(*) > 1) d)),
	0, 'no occurrence has two rows');

# ---- a retry and a task for later go by the same clock -------------------------

my $id = sql($node, q(SELECT sched.schedule_task('once', '2030-05-04 13:30+00')));
settle('a task for later');
is(sql($node, "SELECT status FROM sched.tasks WHERE task_id = $id"), 'scheduled', 'a task for later waits');
set_clock($node, '2030-05-04 13:29:59+00');
settle('a second before');
is(sql($node, "SELECT status FROM sched.tasks WHERE task_id = $id"), 'scheduled', 'to the second');
set_clock($node, '2030-05-04 13:30:00+00');
settle('its time');
is(sql($node, "SELECT status FROM sched.tasks WHERE task_id = $id"), 'completed', 'until its time');

# ---- all triggers are read anew, behind one that looks for its last end ----------

sql($node, q(SELECT sched.create_job('delayed', 'SELECT 1', '@after 1 hour')));
sql($node, q(SELECT sched.create_job('behind ' || i, 'SELECT 1', '@every 1 day') FROM generate_series(1, 20) i));
settle('a fixed delay');
is(fired('delayed'), '04 13:30 completed', 'which has run');
set_clock($node, '2030-05-04 13:29:00+00');
settle('a minute earlier');
is( sql($node, q(SELECT (SELECT triggers FROM sched._scheduler_state()) - (SELECT count(*) FROM sched._trigger))),
	0, 'none is left out');

# ---- years ahead ---------------------------------------------------------------

set_clock($node, '2130-01-01 00:00:30+00');
settle('a century later');
like(fired('once'), qr/completed 87\d+$/, 'a century is one task, too');
reset_clock($node);
settle('the real time');
is(sql($node, q(SELECT sched._now() - clock_timestamp() BETWEEN interval '-1 s' AND interval '1 s')),
	't', 'the real time again');
$id = sql($node, q(SELECT sched.run_job('once')));
is(sql($node, "SELECT sched.wait_for_task($id, '20 s')"), 'completed', 'and tasks run in it');
is(sql($node, 'SELECT count(*) FROM sched.tasks WHERE finished_at IS NULL'), 0, 'nothing is left over');
$node->stop;
done_testing();
