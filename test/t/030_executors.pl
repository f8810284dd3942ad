# External executors survive what is done to the server, and the server what is
# done to them: a lease that was committed is there after any crash, one that
# was not is not; nobody runs a task that another one has.

use strict;
use warnings;
use Test::More;
use SchedTest;

my $node = new_node('executors', streaming => 1, conf => "sched.max_executors = 20\nsched.max_concurrent_jobs = 0\n");
wait_pids($node, scheduler_type, 1);

sub statuses
{
	my ($job, $n) = @_;
	return sql($n // $node, "SELECT string_agg(status || coalesce(' ' || executor, '') || ' ' || attempt, ', ' ORDER BY task_id)
		FROM sched.tasks WHERE job_name = '$job' AND finished_at IS NULL");
}

sub task
{
	my ($job, $n) = @_;
	return sql($node, "SELECT task_id FROM sched.tasks WHERE job_name = '$job' ORDER BY task_id OFFSET $n - 1 LIMIT 1");
}

# A session that does that, one statement after the other.
sub background
{
	my %w = (out => '', err => '');
	$w{run} = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), map { ('-c', $_) } @_ ],
		'>', \$w{out}, '2>', \$w{err});
	return \%w;
}

sql($node, <<'SQL');
SELECT sched.create_job('crash', 'x', type => 'shell');
SELECT sched.register_executor('e1', max_concurrent => 100);
SELECT sched.register_executor('e2', max_concurrent => 100, types => '{shell}', tags => '{a,b}');
SELECT sched.schedule_tasks('crash', array_fill('{"n": 1}'::jsonb, ARRAY[6]));
SQL

# ---- crashes -----------------------------------------------------------------

# 1 and 2 run, 3 is assigned, all of e1; 4 is assigned to e2
sql($node, q(SELECT count(*) FROM sched.claim_tasks('e1', 1, start => true)));
sql($node, q(SELECT count(*) FROM sched.claim_tasks('e1', 2)));
sql($node, 'SELECT sched.start_task(' . task('crash', 2) . ', 1)');
sql($node, q(SELECT count(*) FROM sched.claim_tasks('e2', 1)));
my $before = 'running e1 1, running e1 1, assigned e1 1, assigned e2 1, ready 0, ready 0';
is(statuses('crash'), $before, 'executors have tasks');
my $started = sql($node, q(SELECT string_agg(started_at::text, ' ' ORDER BY task_id) FROM sched.tasks WHERE job_name = 'crash'));

# A claim that has not been committed when the server dies
my $open = background("BEGIN", q(SELECT count(*) FROM sched.claim_tasks('e2', 2)), 'SELECT pg_sleep(600)');
wait_for($node, q(SELECT count(*) FROM sched.tasks WHERE job_name = 'crash' AND status = 'assigned'), '4');
is(statuses('crash'), 'running e1 1, running e1 1, assigned e1 1, assigned e2 1, assigned e2 1, assigned e2 1',
	'a claim is seen while its transaction is open');
kill9_server($node);
$open->{run}->kill_kill;
$node->start;
poll_ok($node, q(SELECT (sched.liveness()) ->> 'status'), 'UP', 'the scheduler is back');
is(sql($node, q(SELECT sched.heartbeat('e1') -> 'lost')), '[]', 'the executor is known after a crash');
is(statuses('crash'), $before, 'kill -9 of the server: committed leases are there, the open one is not');
is((sql_error($node, 'SELECT sched.start_task(' . task('crash', 5) . ', 1)'))[0], '55000', 'and the open one is worth nothing');
is( sql($node, q(SELECT string_agg(started_at::text, ' ' ORDER BY task_id) FROM sched.tasks WHERE job_name = 'crash')),
	$started, 'with the time when they were started');
is(sql($node, q(SELECT string_agg(name || ' ' || status || ' ' || running, ', ' ORDER BY name) FROM sched.executors WHERE executor_id > 2)),
	'e1 online 3, e2 online 1', 'each executor has what it had');

kill9($node, scheduler_type);
wait_for($node, q(SELECT count(*) FROM sched.cluster_status WHERE online = 2), '1');
sql($node, q(SELECT sched.heartbeat('e1')));
is(statuses('crash'), $before, 'kill -9 of the scheduler: nothing is lost');
sql($node, q(SELECT pg_terminate_backend(pid) FROM sched._scheduler_state()));
is(sql($node, 'SELECT sched.complete_task(' . task('crash', 1) . ', 1)'), '', 'a task that ran through all that is completed');
wait_pids($node, scheduler_type, 1);

# ---- a standby takes over ------------------------------------------------------

my $standby = new_standby($node, 'standby');
is((sql_error($standby, q(SELECT sched.heartbeat('e1'))))[0], '25006', 'on a standby nobody beats');
$node->wait_for_catchup($standby);
promote($standby);
wait_for($standby, q(SELECT sched.heartbeat('e1') ->> 'drain'), 'false');
is(statuses('crash', $standby), 'running e1 1, assigned e1 1, assigned e2 1, ready 0, ready 0', 'promotion: the leases are there');
my $second = task('crash', 2);
is(sql($standby, "SELECT sched.complete_task($second, 1, '{\"by\": \"the other server\"}')"), '', 'and what runs is completed there');
is((sql_error($standby, "SELECT sched.complete_task($second, 1)"))[0], '55000', 'once');
$standby->stop;

# ---- silence ----------------------------------------------------------------------

set_clock($node, '2030-06-01 12:00:00+00');
sub settle { is(sql($node, q(SELECT sched._settle('30 s'))), 't', "comes to rest: $_[0]"); return }
sub online { return sql($node, q(SELECT string_agg(name, ' ' ORDER BY name) FROM sched.executors WHERE executor_id > 2 AND status = 'online')) }
settle('a jump of years');
is(online() // '', '', 'executors that were silent for years are lost');
is(statuses('crash'), 'ready e1 1, ready e1 1, ready e2 1, ready 0, ready 0', 'what they had is ready again')
  or diag(sql($node, q(SELECT string_agg(row(status, error, reason)::text, ' ') FROM sched.tasks)));
sql($node, q(SELECT sched.heartbeat('e1'), sched.heartbeat('e2')));
is(online(), 'e1 e2', 'they beat, and are online again');
advance_clock($node, '119 s');
settle('119 s');
is(online(), 'e1 e2', '119 s of silence are not too much');
sql($node, q(SELECT sched.heartbeat('e1')));
advance_clock($node, '2 s');
settle('121 s');
is(online(), 'e1', '121 s are');
$node->restart;
wait_for($node, q(SELECT sched.liveness() ->> 'status'), 'UP');
set_clock($node, '2030-06-01 13:00:00+00');
settle('after a restart');
is(online() // '', '', 'after the restart all are silent for an hour')
  or diag(sql($node, 'SELECT string_agg(name || status || last_heartbeat_at, $$ $$) FROM sched.executors'));
reset_clock($node);
$node->restart;
wait_for($node, q(SELECT sched.liveness() ->> 'status'), 'UP');
is(online(), 'e1 e2', 'a restart gives all of them time to beat');

# ---- limits ------------------------------------------------------------------------------

is(sql($node, q(SELECT count(*) FROM generate_series(1, 18) g, sched.register_executor('many-' || g))), 18, 'there is room for 20');
my ($state, $message) = sql_error($node, q(SELECT sched.register_executor('one too many')));
is($state, '53400', 'and not for more');
like($message, qr/no room for executor "one too many"/, 'which it says');
is(sql($node, q(SELECT count(*) FROM sched._executor WHERE name = 'one too many')), 0, 'nothing of it stays');
is(sql($node, q(SELECT count(*) FROM sched.executors e, sched.deregister_executor(e.name) WHERE e.name LIKE 'many-%')), 18, 'some go');
is(sql($node, q(SELECT count(*) FROM sched.register_executor('one more'))), 1, 'and there is room again');

# ---- who is not let in -----------------------------------------------------------------------

$node->append_conf('postgresql.conf', 'sched.cluster_enabled = off');
$node->reload;
wait_for($node, 'SHOW sched.cluster_enabled', 'off');
for my $call (q(heartbeat('e1')), q(claim_tasks('e1')), 'complete_task(1, 1)', q(fail_tasks('{1}', '{1}', '{x}')), q(assign_task(1, 'e1')))
{
	($state, $message) = sql_error($node, "SELECT sched.$call");
	is($state, '55000', "sched.cluster_enabled off: $call is refused");
	like($message, qr/external executors take no part/, 'and says why');
}
sql($node, q(SELECT sched.create_job('here', 'SELECT 1')));
my $here = sql($node, q(SELECT sched.run_job('here')));
is(sql($node, "SELECT sched.wait_for_task($here, '60 s')"), 'completed', 'built-in workers go on');
$node->append_conf('postgresql.conf', "sched.cluster_enabled = on\nsched.security_enabled = off");
$node->reload;
wait_for($node, 'SHOW sched.security_enabled', 'off');
sql($node, <<'SQL');
SELECT sched.create_roles();
CREATE ROLE node LOGIN;
CREATE ROLE stranger LOGIN;
GRANT sched_executor TO node;
SQL
is(sql($node, q(SET SESSION AUTHORIZATION node; SELECT sched.heartbeat('e1') ->> 'drain')),
	'false', 'sched.security_enabled off: a member of sched_executor needs no token');
is((sql_error($node, q(SET SESSION AUTHORIZATION stranger; SELECT sched.heartbeat('e1'))))[0], '42501', 'a stranger has no right all the same');

# ---- waiting -------------------------------------------------------------------------------------

sql($node, q(SELECT sched.complete_tasks(array_agg(task_id), array_agg(attempt)) FROM sched.claim_tasks('e1', 100, start => true)));

sub waiting { return wait_for($node, 'SELECT waiting_sessions FROM sched.cluster_status', $_[0]) }

my @waiters = map { background(q(SELECT task_id || ' ' || attempt FROM sched.claim_tasks('e1', 1, '30 s', start => true))) } 1 .. 8;
waiting(8);
pass('eight sessions wait');
my $one = sql($node, q(SELECT sched.schedule_task('crash')));
waiting(7);
wait_until(sub { (grep { !$_->{run}->pumpable } @waiters) == 1 || do { $_->{run}->pump_nb for @waiters; 0 } }, 30);
is((join '', map { $_->{out} } @waiters), "$one 1\n", 'one task goes to one of them');
is(sql($node, 'SELECT waiting_sessions FROM sched.cluster_status'), 7, 'the others go on waiting');
my $procedure = background(q(CALL sched.wait_for_tasks('e2', '30 s')));
waiting(8);
is(sql($node, q(SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CALL sched.wait%' AND (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL))),
	0, 'the procedure holds no snapshot while it waits');
sql($node, q(SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%claim_tasks%' AND pid <> pg_backend_pid()));
waiting(1);
pass('sessions that are terminated leave the line');
sql($node, q(SELECT sched.schedule_task('crash')));
$procedure->{run}->finish;
is($procedure->{err}, '', 'the procedure returns when there is a task');
is(sql($node, q(SELECT count(*) FROM sched.claim_tasks('e2', 1))), 1, 'which is there to be claimed');
$_->{run}->finish for @waiters;
waiting(0);
is(sql($node, q(SELECT count(*) FROM sched.claim_tasks('e2', 1, '100 ms'))), 0, 'a wait ends at its deadline');

# ---- those who listen ------------------------------------------------------------------------

$node->append_conf('postgresql.conf', 'sched.notify_interval = 10ms');
$node->reload;
wait_for($node, 'SHOW sched.notify_interval', '10ms');
sql($node, q(SELECT sched.create_job('gate', 'SELECT 1'), sched.pause_job('gate')));
my $gate = sql($node, q(SELECT sched.schedule_task('gate')));
my $listener = background('LISTEN sched_tasks', "SELECT sched.wait_for_task($gate, '60 s')");
wait_for($node, q(SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT sched.wait_for_task%' AND state = 'active' AND pid <> pg_backend_pid()), '1');
sql($node, q(SELECT count(*) FROM sched.schedule_tasks('crash', array_fill('{}'::jsonb, ARRAY[20]))));
sql($node, q(SELECT sched._settle('30 s')));
sql($node, q(SELECT sched.resume_job('gate')));
$listener->{run}->finish;
like($listener->{out}, qr/notification "sched_tasks"/, 'a session that listens hears of tasks that nobody waits for');
cmp_ok(scalar(() = $listener->{out} =~ /notification/g), '<', 5, 'twenty tasks are not twenty notifications');

$node->stop;
done_testing();
