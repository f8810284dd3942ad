# Which processes there are, and when: the launcher, a scheduler for each
# database with the extension, and what happens to them when databases come,
# change their names and go, and when somebody ends the processes.

use strict;
use warnings;
use Test::More;
use SchedTest;
use PostgreSQL::Test::Utils;
use Time::HiRes qw(time);

# A task that does not stop when it is told to is not to be waited for long.
my $node = new_node(
	'launcher',
	extension => 0,
	conf => 'sched.cancel_grace = 1');

# ---- they appear ------------------------------------------------------------

my ($launcher) = wait_pids($node, launcher_type, 1);
ok($launcher, 'the launcher runs');

sql($node, 'CREATE EXTENSION sched');
my ($scheduler) = wait_pids($node, scheduler_type, 1, 'postgres');
ok($scheduler, 'a scheduler comes with CREATE EXTENSION');
poll_ok($node, q(SELECT sched.health() ->> 'status'), 'UP', 'and all is well');

sql($node, 'CREATE DATABASE second');
sql($node, 'CREATE EXTENSION sched', 'second');
ok(wait_pids($node, scheduler_type, 1, 'second'),
	'another database has a scheduler of its own');
is( sql($node, q(SELECT pid FROM sched._scheduler_state())),
	$scheduler, 'the first one is not disturbed');

# Each runs the jobs of its own database.
for my $db ('postgres', 'second')
{
	sql($node, 'CREATE TABLE seen (db name)', $db);
	sql($node,
		q(SELECT sched.create_job('seen', 'INSERT INTO seen VALUES (current_database())', '@every 200 ms')),
		$db);
}
for my $db ('postgres', 'second')
{
	poll_ok($node, 'SELECT count(*) > 1 FROM seen',
		't', "the job of $db runs", db => $db);
	is(sql($node, 'SELECT DISTINCT db FROM seen', $db),
		$db, "and in $db only");
}

# ---- reload -----------------------------------------------------------------

is(sql($node, q(SELECT priority FROM sched.get_job('seen'))),
	5, 'the default priority');
$node->append_conf('postgresql.conf', 'sched.enabled = off');
my $log_end = -s $node->logfile;
$node->reload;
wait_for($node, 'SHOW sched.enabled', 'off');

# The scheduler reads its settings at the next turn, which _settle() causes.
sql($node, q(SELECT sched._settle('10 s')));
my $count = sql($node, 'SELECT count(*) FROM sched._task');
my $cycles = sql($node, 'SELECT last_cycle_at FROM sched._scheduler_state()');
sql($node, q(SELECT sched._settle('10 s')));
is(sql($node, 'SELECT count(*) FROM sched._task'),
	$count, 'nothing fires after sched.enabled = off and SIGHUP');
is( sql($node,
		"SELECT running AND last_cycle_at > '$cycles' FROM sched._scheduler_state()"),
	't', 'while the scheduler goes on');
is( sql($node, q(SELECT sched.health() #>> '{components,scheduler,problem}')),
	'sched.enabled is off', 'health() says why');
$node->append_conf('postgresql.conf', 'sched.enabled = on');
$node->reload;
poll_ok($node, "SELECT count(*) > $count FROM sched._task",
	't', 'and on again');
is((pids($node, launcher_type))[0], $launcher, 'the launcher is the same');

# ---- they are ended ---------------------------------------------------------

sql($node, "SELECT pg_terminate_backend($scheduler)");
wait_until(sub { process_gone($scheduler) });
my ($next) = wait_pids($node, scheduler_type, 1, 'postgres');
isnt($next, $scheduler, 'a scheduler that was terminated comes back');
$count = sql($node, 'SELECT count(*) FROM seen');
poll_ok($node, "SELECT count(*) > $count FROM seen",
	't', 'and fires again');

sql($node, "SELECT pg_terminate_backend($launcher)");
wait_until(sub { process_gone($launcher) });
my ($again) = wait_pids($node, launcher_type, 1);
isnt($again, $launcher, 'so does the launcher');
is((pids($node, scheduler_type, 'postgres'))[0],
	$next, 'which leaves the schedulers alone');
sql($node, "SELECT pg_terminate_backend($next)");
wait_until(sub { process_gone($next) });
ok(wait_pids($node, scheduler_type, 1, 'postgres'),
	'and looks after those that it did not start');

# ---- DROP EXTENSION ---------------------------------------------------------

sql($node, 'CREATE DATABASE third');
sql($node, 'CREATE EXTENSION sched', 'third');
wait_pids($node, scheduler_type, 1, 'third');
sql($node, q(SELECT sched.create_job('busy', 'SELECT pg_sleep(600)')), 'third');
sql($node, q(SELECT sched.run_job('busy')), 'third');
wait_pids($node, worker_type, 1, 'third');
sql($node, 'DROP EXTENSION sched CASCADE', 'third');
ok(wait_until(sub { !pids($node, scheduler_type, 'third') }),
	'the scheduler leaves after DROP EXTENSION');
ok(wait_until(sub { !pids($node, worker_type, 'third') }),
	'and takes the workers with it');
sql($node, 'CREATE EXTENSION sched', 'third');
ok(wait_pids($node, scheduler_type, 1, 'third'),
	'and comes back with the next CREATE EXTENSION');
my ($state) = sql_error($node, 'BEGIN; DROP EXTENSION sched; SELECT 1/0',
	'third');
is($state, '22012', 'DROP EXTENSION that is rolled back');
poll_ok($node, 'SELECT running FROM sched._scheduler_state()',
	't', 'leaves the scheduler where it is', db => 'third');

# ---- databases come and go --------------------------------------------------

sql($node, 'ALTER DATABASE second RENAME TO renamed');
ok(wait_pids($node, scheduler_type, 1, 'renamed'),
	'ALTER DATABASE RENAME is let through, and the scheduler comes back');
$count = sql($node, 'SELECT count(*) FROM seen', 'renamed');
poll_ok($node, "SELECT count(*) > $count FROM seen",
	't', 'the jobs go on under the new name', db => 'renamed');

sql($node, 'CREATE DATABASE copied TEMPLATE renamed');
ok(wait_pids($node, scheduler_type, 1, 'copied'),
	'a copy of a database with jobs can be made, and has a scheduler');
wait_for($node, 'SELECT running FROM sched._scheduler_state()',
	't', db => 'copied');
$count = sql($node, 'SELECT count(*) FROM seen', 'copied');
like(
	sql($node, q(SELECT sched.health() #>> '{components,origin,problem}'), 'copied'),
	qr/copy/, 'health() tells that it is a copy');
is(sql($node, q(SELECT sched.readiness() ->> 'status'), 'copied'),
	'DOWN', 'which is not ready');
poll_ok($node, 'SELECT max(scheduled_at) > now() - interval \'1 s\' FROM sched._task',
	't', 'the original goes on', db => 'renamed');
is(sql($node, 'SELECT count(*) FROM seen', 'copied'),
	$count, 'nothing has run in the copy meanwhile');
is(sql($node, 'SELECT sched.resume_all()', 'copied'),
	't', 'resume_all() lets it run');
is(sql($node, 'SELECT sched.resume_all()', 'copied'),
	'f', 'once');
poll_ok($node, "SELECT count(*) > 0 FROM seen WHERE db = 'copied'",
	't', 'and it runs, soon', db => 'copied', seconds => 15);
is(sql($node, q(SELECT count(*) > 0 FROM seen WHERE db = 'copied'), 'copied'),
	't', 'in its own database');

for my $db ('copied', 'renamed')
{
	sql($node, q(SELECT sched.create_job('busy', 'SELECT pg_sleep(600)')), $db);
	sql($node, q(SELECT sched.run_job('busy')), $db);
	wait_for($node, q(SELECT count(*) FROM sched._workers() w JOIN pg_database d ON d.oid = w.database
		WHERE d.datname = current_database() AND w.state = 'busy' AND
		w.task_id = (SELECT max(task_id) FROM sched.tasks WHERE job_name = 'busy')),
		'1', db => $db);
	my $start = time();
	sql($node, "DROP DATABASE $db");
	cmp_ok(time() - $start, '<', 10, "DROP DATABASE $db with a task running");
}
is(scalar(pids($node, scheduler_type)), 2,
	'the schedulers of the others are there');

# ---- the server stops -------------------------------------------------------

sql($node, q(SELECT sched.create_job('busy', 'SELECT pg_sleep(600)')));
sql($node, q(SELECT sched.run_job('busy')));
wait_for($node, q(SELECT status FROM sched.tasks WHERE job_name = 'busy'),
	'running');
my $start = time();
$node->stop('fast');
cmp_ok(time() - $start, '<', 5, 'fast shutdown does not wait for a task');

$node->start;
poll_ok($node, q(SELECT status FROM sched.tasks WHERE job_name = 'busy'),
	'running', 'the task that was cut off runs again');
is( sql($node, q(SELECT string_agg(outcome, ',') FROM sched.task_attempts(
	(SELECT task_id FROM sched.tasks WHERE job_name = 'busy')) WHERE outcome IS NOT NULL)) =~ /^(lost)?$/ ? 1 : 0,
	1, 'and its first attempt has not failed');
$count = sql($node, 'SELECT count(*) FROM seen');
poll_ok($node, "SELECT count(*) > $count FROM seen", 't',
	'the jobs go on after a restart');
$start = time();
$node->stop('fast');
cmp_ok(time() - $start, '<', 5, 'and stop again');

done_testing();
