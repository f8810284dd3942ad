# What cannot run is set aside, health() tells of it, and everything else goes
# on: roles that are gone, schedules that nobody can read, no room for workers.

use strict;
use warnings;
use Test::More;
use SchedTest;

my $node = new_node('quarantine');
wait_pids($node, scheduler_type, 1);

sql($node, <<'SQL');
SELECT sched.create_roles();
CREATE ROLE alice LOGIN;
CREATE ROLE bob LOGIN;
GRANT sched_user TO alice, bob;
SELECT sched.create_job('good', 'SELECT 1', '@every 200 ms');
SET ROLE alice;
SELECT sched.create_job('of alice', 'SELECT session_user AS s', '@every 200 ms', max_attempts => 1);
SET ROLE bob;
SELECT sched.create_job('of bob', 'SELECT session_user AS s', '@every 200 ms', max_attempts => 1);
SQL

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

sub component
{
	my ($name) = @_;
	return sql($node, "SELECT (sched.health() #>> '{components,$name,status}') || ' ' || coalesce(sched.health() #>> '{components,$name,problem}', '')");
}

for my $job ('good', 'of alice', 'of bob')
{
	poll_ok($node, "SELECT count(*) > 0 FROM sched.tasks WHERE job_name = '$job' AND status = 'completed'", 't', "$job runs");
}
is(sql($node, q(SELECT sched.health() ->> 'status')), 'UP', 'all is well');

# ---- owners ------------------------------------------------------------------

sql($node, 'ALTER ROLE alice RENAME TO alicia');
my $last = sql($node, 'SELECT max(task_id) FROM sched._task');
poll_ok($node, "SELECT DISTINCT result #>> '{rows,0,s}' FROM sched.tasks WHERE job_name = 'of alice' AND status = 'completed' AND task_id > $last",
	'alicia', 'a job follows its owner to another name');
is(sql($node, q(SELECT owner FROM sched.jobs WHERE name = 'of alice')), 'alicia', 'and shows it');
others_go_on('a role has another name');

sql($node, 'DROP ROLE bob');
others_go_on('a role was dropped');
poll_ok($node, q(SELECT (sched.health() #> '{components,jobs,broken}')::text), qr/of bob.*role/, 'health() names the job without a role');
like(component('jobs'), qr/^DEGRADED 1 cannot run/, 'as a problem');
$last = sql($node, 'SELECT max(task_id) FROM sched._task');
my $id = sql($node, q(SELECT coalesce(max(task_id), 0) FROM sched.tasks WHERE job_name = 'of bob'));
poll_ok($node, q(SELECT count(*) FROM sched.tasks WHERE job_name = 'of bob' AND status = 'completed' AND started_at > now()), '0', 'nothing of it runs');
sql($node, q(SELECT sched.delete_job('of bob')));
poll_ok($node, q(SELECT sched.health() #>> '{components,jobs,status}'), 'UP', 'without the job all is well again');

# ---- schedules ----------------------------------------------------------------

my $trigger = sql($node, q(SELECT trigger_id FROM sched.triggers WHERE job_name = 'of alice'));
for my $bad ('bad * * *', '@every -1 s', '61 * * * *', 'RRULE:FREQ=NEVER', '', 'x' x 5000)
{
	my $short = length($bad) > 20 ? substr($bad, 0, 20) . '...' : $bad;
	my $from = -s $node->logfile;
	sql($node, "UPDATE sched._trigger SET schedule = '$bad' WHERE trigger_id = $trigger");
	poll_ok($node, "SELECT fault IS NOT NULL FROM sched.triggers WHERE trigger_id = $trigger", 't', "\"$short\" in the table: in quarantine");
	like(component('triggers'), qr/^DEGRADED 1 in quarantine/, 'and in health()');
	others_go_on("\"$short\"");
	is(scalar(log_lines($node, qr/is in quarantine/, $from)), 1, 'the log says so once');
	sql($node, "UPDATE sched._trigger SET schedule = '\@every 200 ms' WHERE trigger_id = $trigger");
	poll_ok($node, "SELECT fault IS NULL FROM sched.triggers WHERE trigger_id = $trigger", 't', 'mended');
	poll_ok($node, "SELECT count(*) > 0 FROM sched.tasks WHERE trigger_id = $trigger AND status = 'completed' AND task_id > $last", 't', 'it runs again');
	$last = sql($node, 'SELECT max(task_id) FROM sched._task');
}
sql($node, "UPDATE sched._job SET timezone = 'Mars/Olympus' WHERE name = 'of alice'");
poll_ok($node, "SELECT fault LIKE '%Mars%' FROM sched.triggers WHERE trigger_id = $trigger", 't', 'so does a zone that is none');
others_go_on('a zone that is none');
sql($node, "UPDATE sched._job SET timezone = NULL WHERE name = 'of alice'");
poll_ok($node, "SELECT fault IS NULL FROM sched.triggers WHERE trigger_id = $trigger", 't', 'mended');

# A row that somebody has locked keeps nobody else waiting.
my $session = $node->background_psql('postgres', on_error_stop => 1);
$session->query_safe(q(BEGIN; SELECT 1 FROM sched._job WHERE name = 'of alice' FOR UPDATE;
	SELECT 1 FROM sched._trigger_state FOR UPDATE));
$session->query_safe('ROLLBACK');
$session->query_safe(qq(BEGIN; SELECT 1 FROM sched._trigger_state WHERE trigger_id = $trigger FOR UPDATE));
others_go_on('the state of a trigger is locked');
$session->query_safe('ROLLBACK');
$session->quit;
$last = sql($node, 'SELECT max(task_id) FROM sched._task');
poll_ok($node, "SELECT count(*) > 0 FROM sched.tasks WHERE trigger_id = $trigger AND task_id > $last", 't', 'released, it fires');
is( sql($node, q(SELECT count(*) FROM (SELECT trigger_id, scheduled_at FROM sched.tasks WHERE trigger_id IS NOT NULL GROUP BY 1, 2 HAVING count(*) > 1) AS d)),
	0, 'no occurrence has two rows');
$node->stop;

# ---- no room for workers --------------------------------------------------------

# One slot for the launcher, one for the scheduler, none for anybody else.
my $small = new_node('small', conf => "max_worker_processes = 2\nmax_parallel_workers = 0\nmax_logical_replication_workers = 0");
wait_pids($small, scheduler_type, 1);
my $from = -s $small->logfile;
sql($small, q(SELECT sched.create_job('waits', 'SELECT 1', '@every 1 s', overlap_policy => 'allow')));
poll_ok($small, q(SELECT count(*) > 1 FROM sched.tasks WHERE status = 'ready'), 't', 'without a worker slot tasks are due all the same');
poll_ok($small, q(SELECT sched.health() #>> '{components,workers,problem}'), qr/no free worker slot/, 'health() says what is missing');
is(sql($small, q(SELECT sched.health() ->> 'status')), 'DEGRADED', 'and is DEGRADED');
is(sql($small, q(SELECT count(*) FROM sched.tasks WHERE status = 'failed')), 0, 'no slot is not a failure');
is( sql($small, q(SELECT satisfied FROM sched.why((SELECT min(task_id) FROM sched.tasks)) WHERE condition = 'a worker is free')),
	'f', 'why() says it of a task');
my $cpu = cpu_seconds((pids($small, scheduler_type))[0]);
my $more = sql($small, 'SELECT max(task_id) + 2 FROM sched._task');
wait_for($small, "SELECT max(task_id) >= $more FROM sched._task", 't');
cmp_ok(cpu_seconds((pids($small, scheduler_type))[0]) - $cpu, '<', 0.5, 'waiting costs next to nothing');
is(scalar(log_lines($small, qr/no free background worker slot/, $from)), 1, 'the log says so once');

$small->adjust_conf('postgresql.conf', 'max_worker_processes', '8');
$small->restart;
poll_ok($small, "SELECT bool_and(status = 'completed') FROM sched.tasks WHERE task_id < $more", 't', 'with slots all of them run');
poll_ok($small, q(SELECT sched.health() ->> 'status'), 'UP', 'and all is well');
$small->stop;
done_testing();
