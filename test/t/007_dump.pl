# What a dump brings along: jobs, triggers and the positions of ids, but no
# history; and a restored database stands still until somebody says otherwise.

use strict;
use warnings;
use Test::More;
use SchedTest;
use PostgreSQL::Test::Utils;

my $node = new_node('dump');
wait_pids($node, scheduler_type, 1);

sql($node, <<'SQL');
SELECT sched.create_roles();
CREATE ROLE alice LOGIN;
GRANT sched_user TO alice;
CREATE TABLE seen (db name, at timestamptz DEFAULT now());
GRANT INSERT ON seen TO alice;
SELECT sched.create_job('cron', 'INSERT INTO seen VALUES (current_database())', '@every 200 ms',
	description => 'a "quoted" \ text', parameters => '{"a": [1, null]}', priority => 7, timeout => '90 s',
	retry_strategy => 'fibonacci_backoff', tags => '{x,y}', jitter => '0');
SELECT sched.add_trigger('cron', '0 3 * * MON', 'Europe/Berlin', '{"b": 2}');
SELECT sched.create_job('by hand', 'SELECT 1');
SELECT sched.create_job('paused', 'SELECT 1', '@every 1 s');
SELECT sched.pause_job('paused', 'for a while');
SELECT sched.create_job('startup', 'INSERT INTO seen VALUES (current_database())', '@startup');
SELECT sched.create_job('gone', 'SELECT 1');
SELECT sched.create_job('after', 'SELECT 1', depends_on => '{by hand,paused}'), sched.remove_dependency('after', 'paused');
SELECT sched.delete_job('gone');
SELECT sched.create_calendar('holidays', '{"exclude": ["2030-12-25"]}');
CREATE FUNCTION in_an_hour(config jsonb, timezone text, after timestamptz) RETURNS timestamptz LANGUAGE sql AS $$SELECT after + interval '1 hour'$$;
SELECT sched.register_trigger_type('in-an-hour', 'in_an_hour'), sched.create_job('custom', 'SELECT 1', '@custom in-an-hour');
SELECT sched.schedule_task('by hand', now() + interval '1 day');
SET ROLE alice;
SELECT sched.create_job('of alice', 'INSERT INTO seen VALUES (current_database())', '@hourly');
SQL
poll_ok($node, q(SELECT count(*) > 2 FROM sched.tasks WHERE status = 'completed'), 't', 'jobs have run');

my $columns = 'job_id, name, type, command, status, owner, parameters, timezone, description, priority, timeout, max_attempts, retry_delay, retry_strategy, tags, created_at, updated_at, status_reason';
my %what = (
	jobs     => "SELECT $columns FROM sched._job WHERE status <> 'deleted' ORDER BY job_id",
	triggers => 'SELECT * FROM sched._trigger ORDER BY trigger_id',
	calendars => 'SELECT * FROM sched._calendar ORDER BY 1',
	'trigger types' => 'SELECT * FROM sched._trigger_type ORDER BY 1',
	dependencies => 'SELECT * FROM sched._dependency WHERE removed_at IS NULL ORDER BY 1');

# The positions of ids are compared by what they give out next.
sub next_ids
{
	my ($db) = @_;
	return sql($node,
		q(SELECT nextval('sched._job_job_id_seq') || ' ' || nextval('sched._trigger_trigger_id_seq')), $db);
}

my $file = $node->basedir . '/dump';
my %format = (plain => 'p', custom => 'c');
for my $format (sort keys %format)
{
	my $db = "restored_$format";
	command_ok([ 'pg_dump', '-d', $node->connstr('postgres'), '-F', $format{$format}, '-f', "$file.$format" ],
		"pg_dump -F $format");
	my %before = map { $_ => sql($node, $what{$_}) } keys %what;
	my $task_ids = sql($node, 'SELECT last_value FROM sched._task_id_seq');
	my $begun = sql($node, 'SELECT now()');
	sql($node, "CREATE DATABASE $db");
	command_ok(
		$format eq 'plain'
		? [ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr($db), '-f', "$file.$format" ]
		: [ 'pg_restore', '-e', '-d', $node->connstr($db), "$file.$format" ],
		"restored from $format");
	ok(wait_pids($node, scheduler_type, 1, $db), "$db: there is a scheduler");
	wait_for($node, 'SELECT running AND held IS NOT NULL FROM sched._scheduler_state()', 't', db => $db);

	is(sql($node, $what{$_}, $db), $before{$_}, "$db: the $_ are there") for sort keys %what;
	is(next_ids($db), join(' ', map { $_ + 1 } split / /, sql($node,
		q(SELECT (SELECT last_value FROM sched._job_job_id_seq) || ' ' || (SELECT last_value FROM sched._trigger_trigger_id_seq)))),
		"$db: so are the positions of their ids");
	is(sql($node, 'SELECT count(*) FROM sched.tasks', $db), 0, "$db: without history");
	my $rows = sql($node, 'SELECT count(*) FROM seen', $db);
	like(sql($node, q(SELECT sched.health() #>> '{components,origin,problem}'), $db), qr/copy/, "$db: it is held, and health() says so");
	is(sql($node, q(SELECT sched.readiness() ->> 'status'), $db), 'DOWN', "$db: not ready");
	is(sql($node, q(SELECT sched._settle('20 s')), $db), 't', "$db: the scheduler has nothing to do");
	is(sql($node, 'SELECT count(*) FROM sched.tasks', $db), 0, "$db: nothing fires");

	# what is ordered waits
	my $id = sql($node, q(SELECT sched.run_job('by hand')), $db);
	cmp_ok($id, '>', $task_ids - 10000, "$db: ids of tasks are not used again");
	is(sql($node, "SELECT satisfied FROM sched.why($id) WHERE condition = 'database is not held'", $db),
		'f', "$db: what is ordered waits, and why() says for what");
	is(sql($node, "SELECT sched.wait_for_task($id, '0.3 s') IS NULL", $db), 't', "$db: it does wait");
	is(sql($node, 'SELECT count(*) FROM seen', $db), $rows, "$db: nothing has run");

	is(sql($node, 'SELECT sched.resume_all()', $db), 't', "$db: resume_all()");
	is(sql($node, "SELECT sched.wait_for_task($id, '60 s')", $db), 'completed', "$db: lets the task run");
	poll_ok($node, "SELECT count(*) > 0 FROM seen WHERE db = '$db'", 't', "$db: and the jobs", db => $db);
	is(sql($node, q(SELECT count(*) FROM sched.tasks WHERE job_name = 'paused'), $db), 0, "$db: but not the paused one");
	poll_ok($node, q(SELECT next_fire_at > now() FROM sched.jobs WHERE name = 'custom'), 't', "$db: functions are asked when their triggers fire", db => $db);
	is(sql($node, "SELECT count(*) FROM sched.tasks WHERE scheduled_at < '$begun'", $db),
		0, "$db: nothing is made up for the time before");
	poll_ok($node, q(SELECT sched.health() #>> '{components,origin,status}'), 'UP', "$db: all is well", db => $db);
}
is(sql($node, q(SELECT DISTINCT db FROM seen)), 'postgres', 'the copies have not run anything in the original');

# A dump of a copy that runs is like any other.
command_ok([ 'pg_dump', '-d', $node->connstr('restored_plain'), '-F', 'p', '-f', "$file.again" ], 'dumped again');
sql($node, 'CREATE DATABASE again');
command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('again'), '-f', "$file.again" ], 'and restored');
poll_ok($node, q(SELECT running AND held IS NOT NULL FROM sched._scheduler_state()), 't', 'held again', db => 'again');
is(sql($node, q(SELECT count(*) FROM sched.tasks), 'again'), 0, 'nothing has run');

# Several processes restore in any order: the triggers may come long before _origin.
sql($node, 'CREATE DATABASE piecemeal');
my @restore = ('pg_restore', '-d', $node->connstr('piecemeal'));
command_ok([ @restore, '--section=pre-data', "$file.custom" ], 'restored without data');
wait_for($node, q(SELECT running FROM sched._scheduler_state()), 't', db => 'piecemeal');
command_ok([ @restore, '-a', '-n', 'sched', '-t', $_, "$file.custom" ], "restored $_") for '_job', '_trigger';
poll_ok($node, q(SELECT running AND held IS NOT NULL FROM sched._scheduler_state()), 't',
	'triggers that are older than the extension hold the database', db => 'piecemeal');
is(sql($node, q(SELECT sched._settle('20 s')), 'piecemeal'), 't', 'its scheduler has nothing to do');
is(sql($node, q(SELECT count(*) FROM sched.tasks), 'piecemeal'), 0, 'nothing has fired');
command_ok([ @restore, '-a', '-n', 'sched', '-t', '_origin', "$file.custom" ], 'restored _origin');
is(sql($node, q(SELECT sched.resume_all()), 'piecemeal'), 't', 'resume_all()');
poll_ok($node, q(SELECT count(*) > 0 FROM sched.tasks WHERE status = 'completed'), 't', 'lets the jobs run', db => 'piecemeal');

# A dump without the data has no jobs and nothing to hold.
command_ok([ 'pg_dump', '-s', '-d', $node->connstr('postgres'), '-f', "$file.schema" ], 'a dump of the schema only');
sql($node, 'CREATE DATABASE bare');
command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('bare'), '-f', "$file.schema" ], 'restored');
is(sql($node, 'SELECT count(*) FROM sched.jobs', 'bare'), 0, 'has no jobs');
poll_ok($node, q(SELECT sched.readiness() ->> 'status'), 'UP', 'and is ready for new ones', db => 'bare');
$node->stop;
done_testing();
