# sched-executor runs tasks as commands: what it hands to them and what it makes
# of them, time limits, cancellation, draining, and servers that go away.

use strict;
use warnings;
use Cwd qw(abs_path);
use IPC::Run qw(start);
use PostgreSQL::Test::Utils;
use Test::More;
use SchedTest;

my $program = abs_path($ENV{SCHED_EXECUTOR} // './sched-executor');
ok(-x $program, 'sched-executor has been built');

my $node = new_node('executor', conf => "sched.executor_heartbeat_interval = '1s'\nsched.cancel_grace = '1s'");
wait_pids($node, scheduler_type, 1);
my $work = PostgreSQL::Test::Utils::tempdir();

# What a child of ours may see of the token and the connection: nothing.
$ENV{SCHED_EXECUTOR_TOKEN} = 'wrong, and not needed by the role that registers';

my %running;

# run_executor(name, options...): in the background; its stderr in a file
sub run_executor
{
	my ($name, @options) = @_;
	my $log = "$work/$name.log";
	local $ENV{SCHED_EXECUTOR_TOKEN};
	delete $ENV{SCHED_EXECUTOR_TOKEN};
	my $h = start([ $program, '-d', $node->connstr('postgres'), '-n', $name, '--register', '-v', @options ],
		'<', \'', '>', '/dev/null', '2>>', $log);
	$running{$name} = $h;
	return $h;
}

sub executor_pid { return $running{ $_[0] }->{KIDS}[0]{PID}; }

sub log_of { return slurp_file("$work/$_[0].log"); }

# stop_executor(name [, signal]): its exit code
sub stop_executor
{
	my ($name, $signal) = @_;
	my $h = delete $running{$name};
	$h->signal($signal // 'TERM');
	wait_until(sub { !$h->pumpable || process_gone($h->{KIDS}[0]{PID}) }) or die "$name does not stop";
	$h->finish;
	return $h->result(0);
}

sub run_job
{
	my ($name, $command, %opt) = @_;
	my $arguments = join '', map { ", $_ => $opt{$_}" } sort grep { $_ ne 'with' } keys %opt;
	my $with = $opt{with} // '{}';
	sql($node, "SELECT sched.create_job('$name', \$c\$$command\$c\$$arguments)") unless
		sql($node, "SELECT count(*) FROM sched.jobs WHERE name = '$name'");
	return sql($node, "SELECT sched.run_job('$name', '$with')");
}

sub ends
{
	my ($task, $status, $claim) = @_;
	poll_ok($node, "SELECT status FROM sched.tasks WHERE task_id = $task", $status, $claim, seconds => 60);
	return;
}

run_executor('e1', '-c', '4', '--fatal-exit', '65', '--kill-after', '1', '--max-output', '2000',
	'--handler', 'render=sed s/^/rendered:/; echo "$SCHED_COMMAND $SCHED_JOB_NAME" >&2');
poll_ok($node, q(SELECT status FROM sched.executors WHERE name = 'e1'), 'online', 'it registers and beats');

# ---- what goes in and what comes out ----
my $shell = "type => 'shell'";
my %s = (type => "'shell'");
my $t = run_job('json', 'cat', %s, with => '{"answer": 42}');
ends($t, 'completed', 'a command that succeeds completes its task');
is(sql($node, "SELECT result -> 'answer' FROM sched.tasks WHERE task_id = $t"), '42',
	'parameters come on stdin, JSON on stdout is the result');
is(sql($node, "SELECT executor FROM sched.tasks WHERE task_id = $t"), 'e1', 'the task knows who ran it');

$t = run_job('text', 'echo plain "quoted"', %s);
ends($t, 'completed', 'text is a result too');
is(sql($node, "SELECT result ->> 'stdout' FROM sched.tasks WHERE task_id = $t"), "plain quoted\n", 'text becomes stdout of the result');

foreach my $case ([ '72G free', '{"stdout": "72G free", "exit_code": 0}' ], [ ' -1.5e3', '-1500' ],
	[ '[1]', '[1]' ], [ 'null', 'null' ], [ 'nullable', '{"stdout": "nullable", "exit_code": 0}' ],
	[ '{', '{"stdout": "{", "exit_code": 0}' ])
{
	$t = run_job("says $case->[0]", "printf '$case->[0]'", %s);
	ends($t, 'completed', "a command may say $case->[0]");
	is(sql($node, "SELECT result FROM sched.tasks WHERE task_id = $t"), $case->[1], '... and that is its result');
}
is(() = PostgreSQL::Test::Utils::slurp_file($node->logfile) =~ /invalid input syntax for type json/g, 0,
	'text is no error in the log of the server');

$t = run_job('environment', 'echo "\"$SCHED_JOB_NAME $SCHED_TASK_ID $SCHED_ATTEMPT ${PGHOST:-none} ${SCHED_EXECUTOR_TOKEN:-none}\""', %s);
ends($t, 'completed', 'a command is told what it runs for');
is(sql($node, "SELECT result #>> '{}' FROM sched.tasks WHERE task_id = $t"), "environment $t 1 none none",
	'task, job and attempt are in its environment, connection and token are not');

$t = run_job('log', 'echo first >&2; echo "WARNING: second" >&2; echo "PROGRESS: 40 nearly half" >&2; printf third >&2', %s);
ends($t, 'completed', 'a command may write to stderr');
is(sql($node, "SELECT string_agg(level || ' ' || message, ', ' ORDER BY log_id) FROM sched.task_logs($t)"),
	'info first, warning second, info nearly half, info third', 'lines of stderr are the log of the task');

$t = run_job('rendering', 'template-7', type => "'render'", with => '{"x": 1}') if
	sql($node, q(SELECT sched.register_task_type('render') IS NOT NULL)) ne '';
ends($t, 'completed', 'a handler runs the tasks of its type');
like(sql($node, "SELECT result ->> 'stdout' FROM sched.tasks WHERE task_id = $t"), qr/^rendered:\{"x": 1\}$/, 'with the parameters on stdin');
is(sql($node, "SELECT string_agg(message, ',') FROM sched.task_logs($t)"), 'template-7 rendering', 'and the command of the job in its environment');

$t = run_job('much', 'i=0; while [ $i -lt 2000 ]; do echo "line $i" >&2; echo "out $i"; i=$((i + 1)); done', %s);
ends($t, 'completed', 'a command that says much is not held up');
is(sql($node, "SELECT result ->> 'truncated' FROM sched.tasks WHERE task_id = $t"), 'true', 'its output is cut');
cmp_ok(sql($node, "SELECT sum(length(message)) FROM sched.task_logs($t)"), '<', 10000, 'its log is cut');
is(sql($node, "SELECT message FROM sched.task_logs($t) ORDER BY log_id DESC LIMIT 1"), 'line 1999', 'the end of the log is there');

$t = run_job('binary', 'printf "a\\377\\000b"', %s);
ends($t, 'completed', 'bytes that are no text do no harm');

# ---- failure ----
$t = run_job('fails', 'echo "disk is full" >&2; exit 3', %s, max_attempts => 2, retry_delay => "'0'");
ends($t, 'failed', 'an exit code other than 0 fails the attempt');
is(sql($node, "SELECT attempt || ' ' || error FROM sched.tasks WHERE task_id = $t"), '2 the command ended with exit code 3: disk is full',
	'it is tried again as the job says, the error tells the code and the last words');
$t = run_job('fatal', 'exit 65', %s);
ends($t, 'failed', 'a fatal exit code fails the task');
is(sql($node, "SELECT attempt FROM sched.tasks WHERE task_id = $t"), '1', 'at its first attempt');
$t = run_job('signalled', 'kill -SEGV $$', %s, max_attempts => 1);
ends($t, 'failed', 'a command that crashes fails');
like(sql($node, "SELECT error FROM sched.tasks WHERE task_id = $t"), qr/signal 11/, 'and the error says by which signal');

# ---- time limits and cancellation, of the whole process group ----
$t = run_job('slow', "trap '' TERM; sleep 300 & echo \$! > $work/slow.pid; while :; do wait; done", %s, timeout => "'2 seconds'", max_attempts => 1);
ends($t, 'timeout', 'a command that takes too long ends by timeout');
ok(wait_until(sub { process_gone(slurp_file("$work/slow.pid") + 0) }), 'its children are killed with it, deaf to TERM or not');

$t = run_job('cancelled', "echo \$\$ > $work/cancel.pid; sleep 300", %s);
ok(wait_until(sub { -s "$work/cancel.pid" }), 'a long command runs');
sql($node, "SELECT sched.cancel_task($t, 'not wanted')");
ends($t, 'cancelled', 'cancel_task ends it');
ok(wait_until(sub { process_gone(slurp_file("$work/cancel.pid") + 0) }), 'and its command');

# ---- the server goes away and comes back ----
$t = run_job('survivor', "while [ ! -e $work/go-on ]; do sleep 0.1; done; echo 7", %s);
ends($t, 'running', 'a command runs');
$node->restart('immediate');
open my $go, '>', "$work/go-on" or die; close $go;
ends($t, 'completed', 'it runs through a crash of the server, and its end is reported to the new one');
is(sql($node, "SELECT result #>> '{}' || ' ' || attempt FROM sched.tasks WHERE task_id = $t"), '7 1', 'with its result, as the same attempt');

# ---- stopping ----
$t = run_job('peaceful', "echo \$\$ > $work/peaceful.pid; while [ ! -e $work/peace ]; do sleep 0.1; done", %s);
ends($t, 'running', 'a command runs while its executor is told to stop');
kill 'TERM', executor_pid('e1');
ok(wait_until(sub { log_of('e1') =~ /stopping; 1 tasks/ }), 'the executor says that it stops');
my $late = run_job('late', 'echo late', %s);
open $go, '>', "$work/peace" or die; close $go;
ends($t, 'completed', 'what runs may end');
ok(wait_until(sub { process_gone(executor_pid('e1')) }), 'then it leaves');
delete($running{e1})->finish;
is(sql($node, "SELECT status FROM sched.tasks WHERE task_id = $late"), 'ready', 'without taking another task');

run_executor('e2', '--kill-after', '1');
ends($late, 'completed', 'another executor takes what waits');
$t = run_job('hurried', "trap 'echo stopped >&2; exit 1' TERM; echo \$\$ > $work/hurried.pid; sleep 300 & wait", %s, max_attempts => 1);
ok(wait_until(sub { -s "$work/hurried.pid" }), 'a command runs while its executor is told twice');
kill 'TERM', executor_pid('e2');
ok(wait_until(sub { log_of('e2') =~ /stopping/ }), 'the first signal lets it run');
is(stop_executor('e2'), 0, 'the second one ends it');
ends($t, 'failed', 'the task is told to have failed');
like(sql($node, "SELECT error FROM sched.tasks WHERE task_id = $t"), qr/shutting down/, 'because of the shutdown');

# ---- kill -9 ----
run_executor('e3');
$t = run_job('orphan', "echo \$\$ > $work/orphan.pid; exec sleep 300", %s);
ok(wait_until(sub { -s "$work/orphan.pid" }), 'a command runs while its executor is killed');
kill 'KILL', executor_pid('e3');
delete($running{e3})->finish;
ok(wait_until(sub { process_gone(slurp_file("$work/orphan.pid") + 0) }), 'the command dies with it') if $^O eq 'linux';
sql($node, q(SELECT sched.detect_failed_executors('0 seconds')));
poll_ok($node, "SELECT count(*) FROM sched.task_attempts($t) WHERE outcome = 'lost'", '1', 'its attempt is lost');
run_executor('e4');
sql($node, "SELECT sched.cancel_task($t)");
ends($t, 'cancelled', 'and the task can be taken by another one');

# ---- once, and who is not known ----
command_fails_like([ $program, '-d', $node->connstr('postgres'), '-n', 'e4' ], qr/permission denied/, 'a wrong token is no help');
delete $ENV{SCHED_EXECUTOR_TOKEN};
my $once = run_job('once', 'echo 1', %s);
ends($once, 'completed', 'e4 works');
is(stop_executor('e4'), 0, 'an executor stops with exit code 0');
$once = run_job('once', 'echo 1', %s);
command_ok([ $program, '-d', $node->connstr('postgres'), '-n', 'e5', '--register', '--deregister', '--once' ], 'with --once it leaves when nothing waits');
ends($once, 'completed', 'having run what waited');
is(sql($node, q(SELECT count(*) FROM sched.executors WHERE name = 'e5')), '0', 'with --deregister it is forgotten');
command_fails_like([ $program, '-d', $node->connstr('postgres'), '-n', 'nobody', '--once' ], qr/nobody/, 'an executor that is not registered is told so');
command_fails_like([ $program, '--concurrency', 'many' ], qr/needs a number/, 'bad options are refused');
command_like([ $program, '--version' ], qr/^sched-executor \d/, 'it knows its version');

stop_executor($_) for keys %running;
$node->stop('fast');
done_testing();
