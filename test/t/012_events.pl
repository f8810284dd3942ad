# Who listens on sched_events hears of every event once, in the order of the
# ids, over restarts of the scheduler; and a queue of NOTIFY that is full
# stops nobody.

use strict;
use warnings;
use Test::More;
use SchedTest;
use PostgreSQL::Test::Utils;

my $node = new_node('events', conf => "autovacuum = off\n");
my $at;
wait_pids($node, scheduler_type, 1);

# A session that listens; heard() gives the events of which it was told until now.
my $listener = $node->background_psql('postgres');
$listener->query_safe('LISTEN sched_events');
my @heard;

sub heard
{
	my $out = $listener->query('SELECT 1');

	push @heard, $1 while $out =~ /"sched_events" with payload "(\{.*?\})" received/g;
	return @heard;
}

# Wait until the listener has been told of event $id.
sub told
{
	my ($id) = @_;
	return wait_until(sub { heard(); grep { /"event_id": $id,/ } @heard });
}

sub ids
{
	return map { /"event_id": (\d+)/ } @heard;
}

# ---- what is said ------------------------------------------------------------

my $job = sql($node, q(SELECT sched.create_job('failing', 'SELECT 1/0', max_attempts => 1)));
my $task = sql($node, q(SELECT sched.run_job('failing')));
is(sql($node, "SELECT sched.wait_for_task($task, '60 s')"), 'failed', 'a task fails');
my $own = sql($node, q(SELECT sched.emit_event('shop.sale', '{"secret": 1}')));
ok(told($own), 'an event is told of');
my ($failed) = grep { /task\.failed/ } @heard;
like($failed, qr/^\{"event_id": \d+, "type": "task.failed", "job_id": $job, "task_id": $task\}$/, 'a notification names event, job and task');
is((grep { /shop.sale/ } @heard)[0], qq({"event_id": $own, "type": "shop.sale", "job_id": null, "task_id": null}), 'and nothing of the payload');

# ---- order, gaps ---------------------------------------------------------------

my $slow = $node->background_psql('postgres');
$slow->query_safe('BEGIN');
my $early = $slow->query_safe(q(SELECT sched.emit_event('early')));
sql($node, q(BEGIN; SELECT sched.emit_event('never'); ROLLBACK));
my $late = sql($node, q(SELECT sched.emit_event('late')));
cmp_ok($early, '<', $late, 'an id is drawn before the commit');
ok(told($late), 'who commits later does not hold up the others');
my $low = sql($node, 'SELECT low FROM sched._event_position');
cmp_ok($low, '<=', $early, 'what has not been seen is looked for again');
$slow->query_safe('COMMIT');
ok(told($early), 'and is told of when it is there');
ok(!(grep { /never/ } @heard), 'what was rolled back is not told of');

# many, and a scheduler that is killed in between
my $end;
for my $round (1 .. 3)
{
	sql($node, q(SELECT count(sched.emit_event('many')) FROM generate_series(1, 1500)));
	kill 15, pids($node, scheduler_type) if $round < 3;
	$end = sql($node, q(SELECT sched.emit_event('end')));
}
ok(told($end), 'a scheduler that has been replaced goes on') or diag(scalar @heard);
my %times;
$times{$_}++ for ids();
is(scalar(keys %times), sql($node, 'SELECT count(*) FROM sched.events'), 'every event has been told of');
is(join(' ', grep { $times{$_} > 1 } keys %times), '', 'once');
my @many = map { /"event_id": (\d+), "type": "many"/ } @heard;
is_deeply(\@many, [ sort { $a <=> $b } @many ], 'in the order of the ids');

# ---- the table of events does not grow into the way -----------------------------

ok(wait_until(sub {
	my $id = sql($node, q(SELECT sched.emit_event('tick')));
	told($id);
	return sql($node, 'SELECT low FROM sched._event_position') > $end;
}), 'what has been told of is not looked at again');
$listener->quit;

# ---- the scheduler's time --------------------------------------------------------

# It reports what it skips itself.  A filter that would take years, and a count that
# somebody holds, take it a moment.
my $name   = ('ab' x 120) . 'ac';
my $filter = '$.job_name like_regex "^(.+)(.+)(.+)(.+)(.+)\\\\5\\\\4\\\\3\\\\2\\\\1ac$"';
sql($node, qq(SELECT sched.create_job('hears slowly', 'SELECT 1');
	SELECT sched.add_trigger('hears slowly', '\@event task.skipped', config => jsonb_build_object('filter', '$filter'));
	SELECT sched.create_job('hears once', 'SELECT 1', '\@event task.skipped', max_runs => 1)));
my $counter = $node->background_psql('postgres');
$counter->query_safe(q(BEGIN; SELECT FROM sched._trigger_state s JOIN sched._trigger t USING (trigger_id)
	JOIN sched._job j USING (job_id) WHERE j.name = 'hears once' FOR UPDATE OF s));
$at = -s $node->logfile;
sql($node, "SELECT sched.create_job('$name', 'SELECT pg_sleep(600)', '\@every 200 ms')");
wait_log($node, qr/filter of trigger \d+ on event "task.skipped": canceling statement due to statement timeout/, $at);
$task = sql($node, q(SELECT sched.run_job('failing')));
is(sql($node, "SELECT sched.wait_for_task($task, '60 s')"), 'failed', 'a filter without end does not stop the scheduler');
poll_ok($node, "SELECT count(*) > 0 FROM sched.tasks WHERE job_name = 'hears once' AND status = 'skipped' AND reason LIKE 'max_runs%'", 't',
	'nor does somebody who counts runs');
$counter->query_safe('ROLLBACK');
$counter->quit;
poll_ok($node, "SELECT count(*) FROM sched.tasks WHERE job_name = 'hears once' AND status = 'completed'", '1', 'who goes on counting afterwards');
sql($node, "SELECT sched.delete_job('$name'), sched.delete_job('hears slowly'); SELECT count(sched.cancel_task(task_id)) FROM sched._live_tasks()");

# ---- a lock that is not had ------------------------------------------------------

# NOTIFY needs a lock at commit, which another database may hold for long.
my $locker = $node->background_psql('postgres');
$locker->query_safe(q(BEGIN; LOCK TABLE sched._event_position IN ACCESS EXCLUSIVE MODE));
$at = -s $node->logfile;
sql($node, q(SELECT sched.emit_event('unheard')));
wait_log($node, qr/notifications of events are put off: canceling statement due to lock timeout/, $at);
is(scalar(log_lines($node, qr/notifications of events are put off/, $at)), 1, 'it says once that notifications are put off');
$task = sql($node, q(SELECT sched.run_job('failing')));
is(sql($node, "SELECT sched.wait_for_task($task, '60 s')"), 'failed', 'tasks go on in the meantime');
$locker->query_safe('COMMIT');
$locker->quit;
$listener = $node->background_psql('postgres');
$listener->query_safe('LISTEN sched_events');
my $heard_after = sql($node, q(SELECT sched.emit_event('heard.again')));
ok(told($heard_after), 'and so do the notifications, afterwards');
$listener->quit;
$slow->quit;
$node->stop;

# ---- a dump ------------------------------------------------------------------------

$node->start;
sql($node, q(CREATE TABLE dumped (a int, b text);
	SELECT sched.attach_table_events('dumped', 'dumped.rows', '{INSERT}', 'a > 1 AND b <> ''it''''s''', true);
	INSERT INTO dumped VALUES (2, 'before')));
command_ok([ 'pg_dump', '-d', $node->connstr('postgres'), '-f', $node->basedir . '/events.sql' ], 'tables with events are dumped');
my $drawn = sql($node, 'SELECT last_value FROM sched._event_id_seq');
sql($node, 'CREATE DATABASE again');
command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('again'), '-f', $node->basedir . '/events.sql' ], 'and restored');
is(sql($node, 'SELECT count(*) FROM sched.events', 'again'), 0, 'which makes no events');
sql($node, q(INSERT INTO dumped VALUES (1, 'after'), (3, 'it''s'), (4, 'after')), 'again');
is(sql($node, q(SELECT payload -> 'rows' FROM sched.events), 'again'), '[{"a": 4, "b": "after"}]', 'the table makes events as before');
cmp_ok(sql($node, 'SELECT max(event_id) FROM sched.events', 'again'), '>', $drawn, 'whose ids go on');
sql($node, 'DROP DATABASE again');
$node->stop;

# ---- after a crash -----------------------------------------------------------------

$node->start;
kill9_server($node);
$node->start;
wait_pids($node, scheduler_type, 1);
$listener = $node->background_psql('postgres');
$listener->query_safe('LISTEN sched_events');
my $last = sql($node, q(SELECT sched.emit_event('after.crash')));
ok(told($last), 'after a crash of the server events are told of');
$listener->quit;
$node->stop;
done_testing();
