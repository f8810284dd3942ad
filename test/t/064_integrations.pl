# What doc/integrations.md describes, with the programs that it describes: a
# report that an external program renders, a materialized view that tells when it
# is fresh, and a browser that hears of both.

use strict;
use warnings;
use Test::More;
use FindBin;
use Digest::SHA qw(hmac_sha256_hex);
use IO::Socket::INET;
use JSON::PP;
use SchedTest;

my $top = "$FindBin::RealBin/../..";
my $dir = PostgreSQL::Test::Utils::tempdir();
my $node = new_node('integrations', conf => "sched.http_allowed_hosts = '127.0.0.1'\n");
wait_pids($node, scheduler_type, 1);

# The examples of a section, without those of the renderer that speaks SQL.
my $page = PostgreSQL::Test::Utils::slurp_file("$top/doc/integrations.md");
sub examples
{
	my ($section) = @_;
	my ($text) = $page =~ /^## \Q$section\E\n(.*?)(?=^## |\z)/ms or die "no section $section";
	return grep { !/renderer-2/ } $text =~ /^```sql\n(.*?)^```/msg;
}

# ---- the bridge, and a browser ------------------------------------------------------

my $bridge = "$dir/sse_bridge";
my $port = PostgreSQL::Test::Cluster::get_free_port();
my ($include, $lib) = map { `pg_config --$_` =~ s/\n//r } 'includedir', 'libdir';
is(system("cc -O1 -Wall -Wextra -Werror -o $bridge $top/doc/examples/sse_bridge.c -I$include -L$lib -lpq"), 0, 'sse_bridge.c compiles without a warning')
  or BAIL_OUT('there is no bridge');
sql($node, 'SELECT sched.create_roles(); CREATE ROLE dashboard LOGIN; GRANT sched_viewer TO dashboard; CREATE ROLE renderer LOGIN; GRANT sched_executor TO renderer; CREATE ROLE stranger LOGIN; GRANT sched_user TO stranger');
my $bridge_pid = start_program($bridge, $node->connstr('postgres') . ' user=dashboard', $port, 'https://app.example.com');

sub start_program
{
	my @command = @_;
	defined(my $pid = fork) or die;
	return $pid if $pid;
	open STDOUT, '>>', "$dir/said";
	open STDERR, '>&', \*STDOUT;
	exec @command or die;
}

# browse(path [, headers]): a connection that has been answered
sub browse
{
	my ($path, %headers) = @_;
	my $socket;

	wait_until(sub { $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) }) or die 'the bridge does not answer';
	print $socket "GET $path HTTP/1.1\r\nHost: localhost\r\n", map({ "$_: $headers{$_}\r\n" } keys %headers), "\r\n";
	$socket->blocking(0);
	return { socket => $socket, text => '' };
}

# hear(browser, type [, pattern]): waits for an event and returns its data
sub hear
{
	my ($browser, $type, $pattern) = @_;
	my $event;

	wait_until(sub {
		sysread $browser->{socket}, $browser->{text}, 65536, length $browser->{text};
		for ($browser->{text} =~ /^id: (\d+)\nevent: \Q$type\E\ndata: (.*)\n\n/mg ? [ $browser->{text} =~ /^id: (\d+)\nevent: \Q$type\E\ndata: (.*)\n\n/m ] : ())
		{
			my ($id, $data) = @$_;
			next if $pattern && $data !~ $pattern;
			$event = { %{ decode_json($data) }, id => $id };
		}
		$event;
	}, 60);
	return $event;
}
my $browser = browse('/events');
my $reader  = browse('/events?type=report.');
ok(wait_until(sub { sql($node, q{SELECT count(*) FROM pg_stat_activity WHERE application_name = 'sse_bridge' AND query LIKE '%max(%'}) == 1 }), 'the bridge listens, with one connection');
ok(wait_until(sub { sysread $browser->{socket}, $browser->{text}, 65536, length $browser->{text}; $browser->{text} =~ /\r\n\r\n/ }), 'and answers a browser');
like($browser->{text}, qr{^HTTP/1.1 200 .*^Content-Type: text/event-stream\r$}ms, '... with a stream of events');
like($browser->{text}, qr{^Access-Control-Allow-Origin: https://app.example.com\r$}m, '... for pages of the origin that may');
like(do { my $b = browse('/etc/passwd'); wait_until(sub { sysread $b->{socket}, $b->{text}, 1000, length $b->{text}; $b->{text} ne '' }); $b->{text} }, qr{^HTTP/1.1 404 }, 'and nothing else');

# Somebody's server: keeps what it is sent, one request a file, and says 200.
my $hooks = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 20) or die;
my $hook = 'http://127.0.0.1:' . $hooks->sockport . '/hooks';
defined(my $hook_pid = fork) or die;
if (!$hook_pid)
{
	for (my $n = 1; my $client = $hooks->accept; $n++)
	{
		my ($head, $body, $length) = ('', '', 0);
		while (my $line = <$client>)
		{
			$head .= $line;
			$length = $1 if $line =~ /^Content-Length: (\d+)/i;
			last if $line =~ /^\r?\n$/;
		}
		read $client, $body, $length;
		PostgreSQL::Test::Utils::append_to_file("$dir/hook.tmp", "$head$body");
		rename "$dir/hook.tmp", "$dir/hook.$n";
		print $client "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
		close $client;
	}
	require POSIX;
	POSIX::_exit(0);
}

# sent(type): the CloudEvent of that type, if its signature is right
sub sent
{
	my ($type, $secret) = @_;
	my $event;

	wait_until(sub {
		for my $file (glob "$dir/hook.[0-9]*")
		{
			my ($head, $body) = split /\r\n\r\n/, PostgreSQL::Test::Utils::slurp_file($file), 2;
			my $data = decode_json($body);
			next unless $data->{type} eq $type;
			my ($t, $v1) = $head =~ /^X-Sched-Signature: t=(\d+),v1=(\w+)/mi;
			$event = $data if defined $v1 && $v1 eq hmac_sha256_hex("$t.$body", $secret);
		}
		$event;
	}, 60);
	return $event;
}

# ---- reports ------------------------------------------------------------------------------

sql($node, $_) for examples('A report engine');
sql($node, "SELECT sched.subscribe('here', '**', '$hook', secret => 'key')");
is((sql_error($node, q(SELECT sched.run_job('sales report', '{"region": "east"}'))))[0], '22023', 'parameters that do not suit the schema are refused');
my $executor = "$top/sched-executor";
ok(-x $executor, 'sched-executor is built') or BAIL_OUT('no sched-executor');
my $executor_pid = start_program($executor, '--dbname=' . $node->connstr('postgres') . ' user=renderer', '--name=renderer', '--register', '--no-shell', "--handler=report=$top/doc/examples/render_report.sh $dir");
poll_ok($node, q(SELECT status FROM sched.tasks WHERE job_name = 'sales report'), 'completed', 'the report is rendered by a program outside');
my $task = decode_json(sql($node, q(SELECT row_to_json(t) FROM sched.tasks t WHERE job_name = 'sales report')));
is($task->{executor}, 'renderer', 'by that executor');
like(PostgreSQL::Test::Utils::slurp_file($task->{result}{file}), qr/Report for south/, 'the result says where it is, and it is what was ordered');
is(-s $task->{result}{file}, $task->{result}{bytes}, 'as long as it says');
like(sql($node, "SELECT string_agg(message, ',') FROM sched.task_logs($task->{task_id})"), qr/rendering sales report for region south/, 'what the program said is the log');
poll_ok($node, q(SELECT status FROM sched.tasks WHERE job_name = 'announce sales report'), 'completed', 'the job that depends on it runs');
my $event = hear($reader, 'report.ready');
is($event->{payload}{result}{file}, $task->{result}{file}, 'a page hears that the report is ready, and where');
is(sent('report.ready', 'key')->{data}{task_id}, $task->{task_id}, 'and the portal by a signed webhook');
is(sql($node, q(SELECT run_id = (SELECT run_id FROM sched.tasks WHERE job_name = 'announce sales report') FROM sched.tasks WHERE job_name = 'sales report')), 't', 'all in one run');
kill 'TERM', $executor_pid;
waitpid $executor_pid, 0;
is($? >> 8, 0, 'the renderer leaves when it is told to');

# ---- dashboards ------------------------------------------------------------------------------

my @dashboard = examples('Data for dashboards');
sql($node, $dashboard[0]);
$event = hear($browser, 'dashboard.fresh');
is("$event->{payload}{view} $event->{payload}{rows}", 'sales_by_region 2', 'a page hears that the view is fresh');
is(sent('dashboard.fresh', 'key')->{data}{rows}, 2, 'and so does a server that has subscribed');
is(sql($node, q(SELECT status FROM sched.tasks WHERE job_name = 'refresh sales' ORDER BY task_id LIMIT 1)), 'completed', 'REFRESH ... CONCURRENTLY is a task like any other');
unlike($reader->{text}, qr/dashboard\.fresh/, 'a page that asked for reports hears of reports');
my $last = $event->{id};
sql($node, $dashboard[1]);
poll_ok($node, q(SELECT amount FROM sales_by_region WHERE region = 'north'), 15, 'a changed table refreshes the view');

# ---- connections that are lost ------------------------------------------------------------------

close $browser->{socket};
my $missed = sql($node, q(SELECT sched.emit_event('report.missed', '{"n": 1}')));
$browser = browse('/events?type=report.', 'Last-Event-ID' => $missed - 1);
is(hear($browser, 'report.missed')->{id}, $missed, 'a page that comes back gets what it missed');
sql($node, q(SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'sse_bridge'));
$missed = sql($node, q(SELECT sched.emit_event('report.gap', '{"n": 2}')));
is(hear($browser, 'report.gap')->{id}, $missed, 'and so does a bridge whose connection was cut');
is(hear($reader, 'report.gap')->{id}, $missed, 'the pages that stayed hear of it, too');

# the bridge sees what its role sees
my $other = PostgreSQL::Test::Cluster::get_free_port();
my $stranger = start_program($bridge, $node->connstr('postgres') . ' user=stranger', $other);
{
	my $socket;
	wait_until(sub { $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $other) });
	print $socket "GET /events HTTP/1.1\r\nLast-Event-ID: 0\r\n\r\n";
	$socket->blocking(0);
	my $b = { socket => $socket, text => '' };
	my ($out) = ('');
	$node->psql('postgres', q(SELECT sched.emit_event('stranger.own')), stdout => \$out, extra_params => [ '-U', 'stranger' ]);
	ok(hear($b, 'stranger.own'), 'a bridge of another role passes on its own events');
	unlike($b->{text}, qr/report\.|dashboard\./, 'and nothing of others');
}
kill 'TERM', $bridge_pid, $stranger, $hook_pid;
waitpid $_, 0 for $bridge_pid, $stranger, $hook_pid;
$node->stop;
done_testing();
