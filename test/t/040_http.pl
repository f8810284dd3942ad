# HTTP tasks: the answer decides, whatever it is; nothing waits for a request
# but its own task; nothing is lost or done behind the back of the receiver.

use strict;
use warnings;
use Test::More;
use Time::HiRes qw(time);
use SchedTest;
use HttpStub;

my $stub = HttpStub->start;
my $port = $stub->port;
my $node = new_node('http', conf => <<'CONF');
sched.http_allowed_hosts = '127.0.0.1, localhost'
sched.max_concurrent_jobs = 0
sched.retry_delay = 1h
sched.log_level = error
CONF

sub quote
{
	my ($text) = @_;
	return "'" . $text =~ s/'/''/gr . "'";
}

# create(name, url, parameters [, further arguments]): the job's id.
sub create
{
	my ($name, $url, $parameters, $more) = @_;

	return sql($node,
		sprintf "SELECT sched.create_job(%s, %s, type => 'http', parameters => %s%s)",
		quote($name), quote($url), quote($parameters // '{}'),
		defined $more ? ", $more" : '');
}

sub run { return sql($node, "SELECT sched.run_job(" . quote($_[0]) . ')') }

sub field
{
	my ($task, $what) = @_;
	return sql($node, "SELECT $what FROM sched.tasks WHERE task_id = $task");
}

sub ended
{
	my ($task) = @_;
	return sql($node, "SELECT sched.wait_for_task($task, '30s')");
}

# The id of a task of the job, when it has ended.
sub ended_id
{
	my ($name) = @_;
	my $task = run($name);

	ended($task);
	return $task;
}

# ---- every answer has its outcome --------------------------------------------

my $refused = sql($node, 'SELECT 1') && PostgreSQL::Test::Cluster::get_free_port();
my $label = 'x' x 64;
my @cases = (
	# name, URL, parameters, status, SQLSTATE, error
	[ 'ok',        $stub->url('/ok'),        '{}', 'completed', '', '' ],
	[ 'created',   $stub->url('/status/201'), '{}', 'completed', '', '' ],
	[ 'expected',  $stub->url('/status/404'), '{"expect_status": [200, "404"]}', 'completed', '', '' ],
	[ 'unexpected', $stub->url('/status/200'), '{"expect_status": "201-299"}', 'failed', '', "HTTP 200 OK from 127.0.0.1:$port" ],
	[ 'not found', $stub->url('/status/404'), '{}', 'failed', '', "HTTP 404 Not Found from 127.0.0.1:$port" ],
	[ 'no content', $stub->url('/status/204'), '{"method": "HEAD"}', 'completed', '', '' ],
	[ 'slow headers', $stub->url('/slow-headers'), '{"timeout": 0.3}', 'timeout', '08006', "request to 127.0.0.1:$port timed out while waiting for the headers of the answer" ],
	[ 'slow body', $stub->url('/slow-body'), '{"timeout": "300ms"}', 'timeout', '08006', "request to 127.0.0.1:$port timed out in the body of the answer" ],
	[ 'endless body', $stub->url('/endless'), '{}', 'completed', '', '' ],
	[ 'reset', $stub->url('/reset'), '{}', 'failed', '08006', "connection to 127.0.0.1:$port broke while waiting for the headers of the answer: Recv failure: Connection reset by peer" ],
	[ 'truncated', $stub->url('/truncated'), '{}', 'failed', '08006', qr/^connection to 127.0.0.1:$port broke in the body of the answer: .*90 bytes remaining/ ],
	[ 'redirect loop', $stub->url('/loop'), '{}', 'failed', '08P01', "127.0.0.1:$port redirects further than 10 times" ],
	[ 'redirect once', $stub->url('/302/to//ok'), '{}', 'completed', '', '' ],
	[ 'redirect not followed', $stub->url('/302/to//ok'), '{"follow_redirects": false}', 'failed', '', "HTTP 302 Found from 127.0.0.1:$port" ],
	[ 'redirect to metadata', $stub->url('/302/to/http://169.254.169.254/latest'), '{}', 'failed', '42501', 'request to 169.254.169.254:80 refused: the address 169.254.169.254 is link-local, see sched.http_allowed_hosts' ],
	[ 'redirect to a file', $stub->url('/302/to/file:///etc/passwd'), '{}', 'failed', '42501', 'redirect not followed: the URL begins with neither http:// nor https://' ],
	[ 'redirect with a password', $stub->url('/307/to/http://a:b@localhost/'), '{}', 'failed', '42501', 'redirect not followed: the URL holds a user name or password' ],
	[ 'huge headers', $stub->url('/huge-headers'), '{}', 'failed', '08P01', "headers of the answer of 127.0.0.1:$port are larger than 64 kB" ],
	[ 'huge line', $stub->url('/huge-line'), '{}', 'failed', '08P01', "headers of the answer of 127.0.0.1:$port are larger than 64 kB" ],
	[ 'no HTTP', $stub->url('/not-http'), '{}', 'failed', '08P01', qr/^answer of 127.0.0.1:$port is not HTTP: / ],
	[ 'no TLS', "https://127.0.0.1:$port/ok", '{}', 'failed', '08001', qr/^TLS handshake with 127.0.0.1:$port failed: / ],
	[ 'nobody listens', "http://127.0.0.1:$refused/", '{}', 'failed', '08001', "could not connect to 127.0.0.1:$refused: Connection refused" ],
	# a label of 64 bytes: no resolver asks anybody for that
	[ 'no such name', "http://$label.invalid/", '{}', 'failed', '08001', "could not resolve the name of $label.invalid:80: Could not resolve host: $label.invalid" ],
	[ 'private address', 'http://10.1.2.3:8080/', '{}', 'failed', '42501', 'request to 10.1.2.3:8080 refused: the address 10.1.2.3 is private, see sched.http_allowed_hosts' ],
	[ 'mapped address', "http://[::ffff:169.254.169.254]/", '{}', 'failed', '42501', qr/is link-local/ ],
	[ 'decimal address', "http://2852039166/", '{}', 'failed', '42501', qr/is link-local|host is not listed/ ],
);

my %task;
for my $case (@cases)
{
	create($case->[0], $case->[1], $case->[2], 'max_attempts => 1');
	$task{ $case->[0] } = run($case->[0]);
}
for my $case (@cases)
{
	my ($name, undef, undef, $status, $sqlstate, $error) = @$case;
	my $id = $task{$name};

	is(ended($id), $status, "$name: $status");
	is(field($id, 'sqlstate'), $sqlstate, "$name: SQLSTATE");
	ref $error
	  ? like(field($id, 'error'), $error, "$name: error")
	  : is(field($id, 'error'), $error, "$name: error");
}
is(field($task{'ok'}, 'executor'), 'http', 'the executor is http');
is(field($task{'ok'}, "result ->> 'body'"), 'hello', 'text is kept as text');
is(field($task{'not found'}, "result ->> 'body'"),
	'status 404', 'an answer that failed the task is kept too');
is( field($task{'endless body'},
		"length(result ->> 'body') || ' ' || (result ->> 'truncated')"),
	'65536 true', 'of an endless body so much is kept as the setting says');
is(field($task{'redirect once'}, "result ->> 'redirects'"), '1', 'redirects are counted');
is(field($task{'ok'}, "(result #> '{timings,total}')::numeric > 0"), 't', 'the time is taken');

for my $case (
	[ '/json', "result #>> '{body,rows,2,x}' IS NULL AND result #>> '{body,rows,1}' = '2'", 'JSON is kept as JSON' ],
	[ '/json', "result #>> '{headers,set-cookie}' = '***'", 'cookies are not kept' ],
	[ '/bad-json', "result ->> 'body' = '{\"a\":'", 'what only claims to be JSON is text' ],
	[ '/binary', "decode(result ->> 'body_base64', 'base64') = '\\x00ff01'", 'what is no text is base64' ])
{
	my ($path, $condition, $claim) = @$case;
	create("body $claim", $stub->url($path));
	my $id = run("body $claim");
	ended($id);
	is(field($id, $condition), 't', $claim);
}

# ---- a certificate that nobody vouches for -------------------------------------

SKIP:
{
	skip 'openssl is not here', 3 if system('openssl version >/dev/null 2>&1') != 0;
	my $dir = PostgreSQL::Test::Utils::tempdir();
	my $tls = PostgreSQL::Test::Cluster::get_free_port();

	system("openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost "
		  . "-addext subjectAltName=DNS:localhost -keyout $dir/key -out $dir/cert >/dev/null 2>&1") == 0
	  or die 'openssl req failed';
	my $pid = fork() // die $!;
	if ($pid == 0)
	{
		open STDIN, '<', '/dev/null';
		open STDOUT, '>', '/dev/null';
		open STDERR, '>', '/dev/null';
		exec 'openssl', 's_server', '-accept', "127.0.0.1:$tls", '-cert', "$dir/cert", '-key', "$dir/key", '-www';
		POSIX::_exit(1);
	}
	wait_until(sub { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $tls) })
	  or die 'openssl s_server does not listen';

	create('tls', "https://localhost:$tls/", '{"timeout": 20}');
	my $id = run('tls');
	is(ended($id), 'failed', 'a self-made certificate is not accepted, and not tried again');
	like(field($id, 'sqlstate || error'), qr/^08001certificate of localhost:$tls was not accepted: /, 'and the error says so');

	$node->append_conf('postgresql.conf', "sched.http_ca_file = '$dir/cert'");
	$node->reload;
	wait_for($node, 'SHOW sched.http_ca_file', "$dir/cert");
	$id = run('tls');
	is(ended($id), 'completed', 'it is, when sched.http_ca_file vouches for it');
	kill 'KILL', $pid;
	waitpid $pid, 0;
}

# ---- what is sent --------------------------------------------------------------

create('sent', $stub->url('/echo?sent'),
	'{"method": "PUT", "headers": {"X-Team": "a b", "X-Number": 17}, "body": {"day": [1, "ü"]}}');
my $sent = run('sent');
ended($sent);
my ($request) = $stub->requests('/echo?sent');
is($request->{method}, 'PUT', 'the method is sent');
is($request->{headers}{'x-team'}, 'a b', 'headers are sent');
is($request->{headers}{'x-number'}, '17', 'a number as a header too');
is($request->{headers}{'content-type'}, 'application/json', 'a JSON body says so');
is($request->{body}, '{"day": [1, "ü"]}', 'in UTF-8');
is($request->{headers}{'idempotency-key'}, "$sent-$sent-1", 'the idempotency key names run, task and attempt');
is(join(' ', @{ $request->{headers} }{qw(x-sched-run-id x-sched-task-id x-sched-attempt)}), "$sent $sent 1", 'and so do headers of their own');
ok(!exists $request->{headers}{expect}, 'nothing asks for permission to send a body');

sql($node, "SELECT sched.schedule_task('sent', parameters => '{\"body\": \"plain\", \"headers\": {}}')");
wait_until(sub { $stub->requests('/echo?sent') == 2 });
($request) = ($stub->requests('/echo?sent'))[1];
is("$request->{method} $request->{body} $request->{headers}{'content-type'}",
	'PUT plain text/plain; charset=utf-8', 'the parameters of a task go over those of the job');
ok(!exists $request->{headers}{'x-team'}, 'key by key');

create('away', $stub->url("/307/to/http://localhost:$port/ok-away"),
	'{"headers": {"Authorization": "Basic c2VjcmV0", "Cookie": "c", "X-Stays": "1"}, "body": "b", "method": "POST"}');
is(ended(run('away')), 'completed', 'a redirect to another host is followed');
my ($first, $second) = ($stub->requests("/307/to/http://localhost:$port/ok-away"), $stub->requests('/ok-away'));
is($first->{headers}{authorization}, 'Basic c2VjcmV0', 'the first host gets the credentials');
ok(!exists $second->{headers}{authorization} && !exists $second->{headers}{cookie}, 'the other host does not');
is("$second->{method} $second->{body} $second->{headers}{'x-stays'}", 'POST b 1', 'the rest goes along');

create('see other', $stub->url('/303/to//echo?other'), '{"method": "POST", "body": "b"}');
ended(run('see other'));
($request) = $stub->requests('/echo?other');
is("$request->{method} '$request->{body}'", "GET ''", 'after See Other a GET without the body');

# ---- retries ---------------------------------------------------------------------

sub delay { return field($_[0], "extract(epoch FROM retry_at - started_at)::int") }

for my $status (408, 425, 429, 500, 503)
{
	create("again $status", $stub->url("/status/$status"), '{}', 'max_attempts => 2');
	my $id = run("again $status");
	wait_for($node, "SELECT status FROM sched.tasks WHERE task_id = $id", 'waiting_retry');
	pass("after $status it is tried again");
}
create('after', $stub->url('/status/429/after/7'), '{}', 'max_attempts => 3');
my $after = run('after');
wait_for($node, "SELECT status FROM sched.tasks WHERE task_id = $after", 'waiting_retry');
is(delay($after), '7', 'Retry-After takes the place of the delay');
sql($node, "SELECT sched.retry_task($after)");
wait_until(sub { $stub->requests('/status/429/after/7') == 2 });
is(join(' ', map { $_->{headers}{'idempotency-key'} } $stub->requests('/status/429/after/7')),
	"$after-$after-1 $after-$after-2", 'each attempt that got an answer has a key of its own');

create('after date', $stub->url('/after-date'), '{}', "retry_max_delay => '2 minutes'");
$after = run('after date');
wait_for($node, "SELECT status FROM sched.tasks WHERE task_id = $after", 'waiting_retry');
is(delay($after), '120', 'a date is understood, and retry_max_delay bounds it');

# ---- what is refused when it is defined --------------------------------------------

for my $case (
	[ 'command', 'ftp://example.com/', '{}' ],
	[ 'command', 'http://user:pass@example.com/', '{}' ],
	[ 'command', "http://example.com/\r\nX: y", '{}' ],
	[ 'command', 'http://example.com:99999/', '{}' ],
	[ 'parameters', 'http://example.com/', '{"headers": {"X": "a\r\nEvil: 1"}}', qr/\$\.headers\."X": the value holds a control character/ ],
	[ 'parameters', 'http://example.com/', '{"headers": {"X: y": "a"}}', qr/\$\.headers/ ],
	[ 'parameters', 'http://example.com/', '{"headers": {"Host": "a"}}', qr/\$\.headers\."Host"/ ],
	[ 'parameters', 'http://example.com/', '{"headers": {"x": "1", "X": "2"}}', qr/there already/ ],
	[ 'parameters', 'http://example.com/', '{"method": "BREW"}', qr/\$\.method is "BREW"/ ],
	[ 'parameters', 'http://example.com/', '{"timeout": -1}', qr/\$\.timeout is -1/ ],
	[ 'parameters', 'http://example.com/', '{"timeout": "soon"}', qr/\$\.timeout is "soon"/ ],
	[ 'parameters', 'http://example.com/', '{"expect_status": [200, "6xx"]}', qr/\$\.expect_status\[1\] is "6xx"/ ],
	[ 'parameters', 'http://example.com/', '{"follow_redirects": 1.5}', qr/\$\.follow_redirects is 1.5/ ],
	[ 'parameters', 'http://example.com/', '{"haeders": {}}', qr/\$\."haeders" is not known/ ])
{
	my ($field, $url, $parameters, $detail) = @$case;
	my ($out, $err) = ('', '');

	$node->psql('postgres',
		sprintf("SELECT sched.create_job('bad', %s, type => 'http', parameters => %s)", quote($url), quote($parameters)),
		stderr => \$err, extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	like($err, qr/ERROR:  22023: invalid $field for job "bad"/, "refused: $field " . ($field eq 'command' ? $url =~ s/\s+/ /gr : $parameters));
	like($err, $detail, '... with the place') if defined $detail;
}
is((sql_error($node, "SELECT sched.schedule_task('ok', parameters => '{\"timeout\": 0}')"))[0],
	'22023', 'parameters of a task are checked when it is ordered');
is((sql_error($node, "ALTER SYSTEM SET sched.http_allowed_hosts = 'a..b'"))[0],
	'22023', 'a list of hosts that is not valid is refused');

# ---- what is on the wire holds nothing and can be stopped ----------------------------

create('gate', $stub->url('/gate'), '{}', "timeout => '1 hour'");
$stub->hold(1);
my @held = map { run('gate') } 1 .. 8;
wait_until(sub { $stub->requests('/gate') == 8 }) or die 'the requests do not come';
is(field($held[0], 'status'), 'running', 'a task on the wire is running');
like(field($held[0], 'executor'), qr/^http-\d+$/, 'by the HTTP worker');
is( sql($node, "SELECT count(*) FILTER (WHERE xact_start IS NOT NULL OR backend_xmin IS NOT NULL) || ' ' || count(*) FROM pg_stat_activity WHERE backend_type = 'sched http'"),
	'0 1', 'it has no transaction and no snapshot meanwhile');

is(sql($node, "SELECT sched.cancel_task($held[0], 'enough')"), 't', 'a task on the wire can be cancelled');
is(ended($held[0]), 'cancelled', 'and is');
is(field($held[0], 'reason'), 'enough', 'for that reason');
ok(wait_until(sub { $stub->ends('/gate') == 1 }), 'its connection is closed');

my $start = sql($node, "SELECT sched._now()");
set_clock($node, sql($node, "SELECT '$start'::timestamptz + '59 minutes'::interval"));
is(field($held[1], 'status'), 'running', 'a task runs up to its timeout');
advance_clock($node, '2 minutes');
wait_for($node, "SELECT status FROM sched.tasks WHERE task_id = $held[1]", 'waiting_retry');
is(field($held[1], 'error'), "request to 127.0.0.1:$port timed out while waiting for the headers of the answer", 'and not longer');
reset_clock($node);
sql($node, "SELECT sched.disable_job('gate')");

# ---- rules that change ------------------------------------------------------------------

is(ended(run('ok')), 'completed', 'a request over a kept connection');
$node->append_conf('postgresql.conf', "sched.http_allowed_hosts = ''");
$node->reload;
wait_for($node, 'SHOW sched.http_allowed_hosts', '');
wait_until(sub { ended(run('ok')) eq 'failed' });
my $last = sql($node, "SELECT max(task_id) FROM sched.tasks WHERE job_name = 'ok'");
is(field($last, 'sqlstate || error'),
	"42501request to 127.0.0.1:$port refused: the address 127.0.0.1 is loopback, see sched.http_allowed_hosts",
	'a rule that is taken away holds for kept connections too');
$node->append_conf('postgresql.conf', "sched.http_allowed_hosts = 'localhost:$port, api.example.com'");
$node->reload;
wait_for($node, 'SHOW sched.http_allowed_hosts', "localhost:$port, api.example.com");
create('listed', "http://localhost:$port/ok");
wait_until(sub { ended(run('listed')) eq 'completed' });
pass('a name that is listed with its port may lead to a loopback address');
create('other port', 'http://localhost:9/', '{}');
is(field(ended_id('other port'), 'error'), 'request to localhost:9 refused: the host is not listed, see sched.http_allowed_hosts',
	'not at another port');
create('unlisted', 'http://example.org/', '{}');
is(field(ended_id('unlisted'), 'error'), 'request to example.org:80 refused: the host is not listed, see sched.http_allowed_hosts',
	'a name that no rule could allow is not even resolved');
$node->append_conf('postgresql.conf', "sched.http_allowed_hosts = '127.0.0.0/8, localhost'");
$node->reload;
wait_for($node, 'SHOW sched.http_allowed_hosts', '127.0.0.0/8, localhost');

# ---- the worker goes ----------------------------------------------------------------------

create('crash', $stub->url('/gate?crash'), '{}', 'max_attempts => 1');
$stub->hold(1);
sql($node, "SELECT count(*) FROM sched.schedule_tasks('crash', array_fill(NULL::jsonb, ARRAY[4]))");
wait_until(sub { $stub->requests('/gate?crash') == 4 }) or die 'the requests do not come';
my ($http) = wait_pids($node, 'sched http', 1);
$stub->hold(0);
sql($node, "SELECT pg_terminate_backend($http)");
wait_for($node, "SELECT count(*) FROM sched.tasks WHERE job_name = 'crash' AND status = 'completed'", '4');
is(sql($node, "SELECT string_agg(DISTINCT outcome, ' ' ORDER BY outcome) FROM sched.tasks t, sched.task_attempts(t.task_id) WHERE job_name = 'crash'"),
	'completed lost', 'a terminated worker loses its attempts, and the tasks go on');
my %times;
$times{ $_->{headers}{'idempotency-key'} }++ for $stub->requests('/gate?crash');
is(join(' ', sort { $a <=> $b } values %times), '2 2 2 2', 'under the same idempotency keys');

create('killed', $stub->url('/gate?killed'), '{}', 'max_attempts => 1');
$stub->hold(1);
sql($node, "SELECT count(*) FROM sched.schedule_tasks('killed', array_fill(NULL::jsonb, ARRAY[64]))");
wait_until(sub { $stub->requests('/gate?killed') == 64 }) or die '64 requests do not come';
$stub->hold(0);
kill9($node, 'sched http');
wait_for($node, "SELECT count(*) FROM sched.tasks WHERE job_name = 'killed' AND status = 'completed'", '64');
is(sql($node, "SELECT string_agg(DISTINCT outcome, ' ' ORDER BY outcome) FROM sched.tasks t, sched.task_attempts(t.task_id) WHERE job_name = 'killed'"),
	'completed lost', 'kill -9: what was on the wire is told as lost');
is(sql($node, "SELECT count(*) || ' ' || count(DISTINCT task_id) FROM sched._outcome o JOIN sched._task t USING (task_id) JOIN sched._job j USING (job_id) WHERE j.name = 'killed' AND o.final"),
	'64 64', 'kill -9 with 64 on the wire: each task ends exactly once');
%times = ();
$times{ $_->{headers}{'idempotency-key'} }++ for $stub->requests('/gate?killed');
is(scalar(keys %times), 64, 'the receiver sees 64 keys');
is(scalar(grep { $_ == 2 } values %times), 64, 'each of them twice');

# ---- the database goes, the server goes -----------------------------------------------------

$stub->hold(1);
sql($node, 'CREATE DATABASE other');
sql($node, 'CREATE EXTENSION sched', 'other');
sql($node, sprintf("SELECT sched.create_job('gate', %s, type => 'http')", quote($stub->url('/gate?other'))), 'other');
sql($node, "SELECT sched.run_job('gate')", 'other');
wait_until(sub { $stub->requests('/gate?other') == 1 }) or die 'the request does not come';
sql($node, 'DROP DATABASE other');
pass('a database is dropped though a request is on the wire');

create('hanging', $stub->url('/gate?hanging'));
sql($node, "SELECT count(*) FROM sched.schedule_tasks('hanging', array_fill(NULL::jsonb, ARRAY[32]))");
wait_until(sub { $stub->requests('/gate?hanging') == 32 }) or die 'the requests do not come';
my $begin = time;
$node->stop('fast');
my $took = time - $begin;
cmp_ok($took, '<', 5, 'fast shutdown does not wait for hanging requests');
note(sprintf 'it took %.2f s', $took);

$stub->stop;
done_testing();
