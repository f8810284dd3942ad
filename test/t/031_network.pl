# Two executors in network namespaces of their own, and a link that is cut and
# restored: the task of the one that cannot be reached is run by the other, and what the
# first says afterwards changes nothing.

use strict;
use warnings;
use Cwd qw(abs_path);
use IPC::Run qw(start run);
use Test::More;

# A user namespace gives an ordinary user networks to play with; the test runs
# itself again inside of one, before anything is set up.
BEGIN
{
	if (!$ENV{SCHED_IN_NAMESPACE})
	{
		my @enter = ('unshare', '--map-current-user', '--keep-caps', '-U', '-n');
		my $try = 'ip link set lo up && ip link add sa type veth peer name sb && exec true';
		plan skip_all => 'network namespaces are not to be had here'
		  unless $^O eq 'linux' && eval { run([ @enter, 'sh', '-c', $try ], '>', '/dev/null', '2>', '/dev/null') };
		$ENV{SCHED_IN_NAMESPACE} = 1;
		exec @enter, $^X, (map { "-I$_" } @INC), $0 or die "could not enter a namespace: $!";
	}
}

use PostgreSQL::Test::Utils;
use SchedTest;

my $program = abs_path($ENV{SCHED_EXECUTOR} // './sched-executor');
my $work    = PostgreSQL::Test::Utils::tempdir();
sub shell { run([ 'sh', '-ec', $_[0] ]) or die "failed: $_[0]"; return; }

shell('ip link set lo up');
my $node = new_node('net', extension => 0, conf => <<'CONF');
listen_addresses = '*'
sched.executor_heartbeat_interval = '1s'
sched.executor_timeout = '3s'
CONF
$node->append_conf('pg_hba.conf', "host all all 10.99.0.0/16 trust\n");
$node->reload;
sql($node, 'CREATE EXTENSION sched');
wait_pids($node, scheduler_type, 1);

# A network for each executor, with a veth pair between it and the server.
my (%holder, %executor);
for my $n (1, 2)
{
	my $h = start([ 'unshare', '-n', 'sh', '-c', 'echo ready; exec sleep 600' ], '<', \'', '>', \my $out, '2>', '/dev/null');
	$h->pump until $out =~ /ready/;
	my $pid = $h->{KIDS}[0]{PID};
	$holder{$n} = $h;
	shell("ip link add a$n type veth peer name b$n; ip link set b$n netns $pid;
		ip addr add 10.99.$n.1/24 dev a$n; ip link set a$n up;
		nsenter -t $pid -n ip addr add 10.99.$n.2/24 dev b$n; nsenter -t $pid -n ip link set b$n up;
		nsenter -t $pid -n ip link set lo up");
	my $dsn = "host=10.99.$n.1 port=" . $node->port . " dbname=postgres user=" . getpwuid($<) . " connect_timeout=2";
	$executor{$n} = start([ 'nsenter', '-t', $pid, '-n', $program, '-d', $dsn, '-n', "e$n", '--register', '-v', '-c', '1' ],
		'<', \'', '>', '/dev/null', '2>', "$work/e$n.log");
	poll_ok($node, "SELECT status FROM sched.executors WHERE name = 'e$n'", 'online', "executor $n reaches the server");
}

# Each run notes that it has begun and then waits for a file of its attempt.
sql($node, qq(SELECT sched.create_job('long', 'touch $work/begun-\$SCHED_ATTEMPT; while [ ! -e $work/end-\$SCHED_ATTEMPT ]; do sleep 0.1; done; echo "{\\"ran\\": \$SCHED_ATTEMPT}"', type => 'shell')));
my $task = sql($node, q(SELECT sched.run_job('long')));
poll_ok($node, "SELECT status FROM sched.tasks WHERE task_id = $task", 'running', 'one of them runs the task');
my $first = sql($node, "SELECT executor FROM sched.tasks WHERE task_id = $task");
my ($cut) = $first =~ /(\d)/;
my $other = 'e' . (3 - $cut);

shell("ip link set a$cut down");
poll_ok($node, "SELECT outcome FROM sched.task_attempts($task) WHERE attempt = 1", 'lost', 'the link is cut: its attempt is lost');
poll_ok($node, "SELECT status || ' ' || executor FROM sched.tasks WHERE task_id = $task", "running $other", 'the other executor runs the task');
ok(wait_until(sub { -e "$work/begun-2" }), 'as the second attempt');
ok(wait_until(sub { slurp_file("$work/$first.log") =~ /lease is lost/ }), 'the one that is cut off stops its command by itself');

# Late words of the first attempt
shell("touch $work/end-1; ip link set a$cut up");
poll_ok($node, "SELECT status FROM sched.executors WHERE name = '$first'", 'online', 'the link is restored: it is online again');
is(sql($node, "SELECT status || ' ' || executor FROM sched.tasks WHERE task_id = $task"), "running $other", 'the task is still the other one\'s');
shell("touch $work/end-2");
poll_ok($node, "SELECT status FROM sched.tasks WHERE task_id = $task", 'completed', 'which completes it');
is(sql($node, "SELECT result ->> 'ran' FROM sched.tasks WHERE task_id = $task"), '2', 'with its own result');
is(sql($node, "SELECT string_agg(attempt || ' ' || executor || ' ' || outcome, ', ' ORDER BY attempt) FROM sched.task_attempts($task)"),
	"1 $first lost, 2 $other completed", 'every attempt ended once');

for my $n (1, 2)
{
	$executor{$n}->signal('TERM');
	$executor{$n}->finish;
	$holder{$n}->kill_kill;
}
$node->stop('fast');
done_testing();
