# The HTTP face: what PostgREST asks in SQL is answered with the right statuses,
# and doc/nginx.conf gives it the paths that clients know.

use strict;
use warnings;
use Test::More;
use FindBin;
use JSON::PP;
use Postgrest;
use SchedTest;

my $json = JSON::PP->new->canonical->allow_nonref;
my $node = new_node('http');
wait_pids($node, scheduler_type, 1);

sql($node, <<'SQL');
CREATE ROLE authenticator LOGIN NOINHERIT;
CREATE ROLE anon NOLOGIN;
SELECT sched_api.setup(anon => 'anon');
SELECT sched_api.setup(anon => 'anon');
CREATE ROLE alice LOGIN;
CREATE ROLE bob LOGIN;
GRANT sched_user TO alice, bob;
CREATE ROLE olga LOGIN;
GRANT sched_operator TO olga;
CREATE ROLE vera LOGIN;
GRANT sched_viewer TO vera;
GRANT alice, bob, olga, vera TO authenticator;
SQL
wait_for($node, q(SELECT sched.readiness() ->> 'status'), 'UP');

# ask(role, method, target [, body as data or text, more headers]): (status, data or text, headers)
sub ask
{
	my ($role, $method, $target, $body, %headers) = @_;
	$headers{Authorization} = token($role) if $role ne '';
	my ($status, $answer, $content) = answer($node, $method, $target, \%headers, ref $body ? $json->encode($body) : $body);
	return ($status, ($answer->{'content-type'} // '') =~ /json/ && $content ne '' ? $json->decode($content) : $content, $answer);
}

# ---- its shape ---------------------------------------------------------------------

is(sql($node, q(SELECT string_agg(proname, ' ') FROM (SELECT proname FROM pg_proc WHERE pronamespace = 'sched_api'::regnamespace GROUP BY proname HAVING count(*) > 1) AS p)),
	'', 'no function of sched_api has overloads');
is(sql($node, q(SELECT string_agg(proname, ' ') FROM pg_proc WHERE pronamespace = 'sched_api'::regnamespace AND (pronargs > cardinality(coalesce(proargnames, '{}')) OR '' = ANY (proargnames)))),
	'', 'all of their arguments have names');
is(sql($node, q(SELECT string_agg(c.relname, ' ') FROM pg_class c WHERE c.relnamespace = 'sched_api'::regnamespace AND c.relkind <> 'v' OR c.relkind = 'v' AND c.relnamespace = 'sched_api'::regnamespace
	AND NOT coalesce(c.reloptions, '{}') @> '{security_invoker=true,security_barrier=true}')), '', 'its relations are views with the rights of who asks');
is(sql($node, q(SELECT string_agg(n, ' ') FROM (SELECT proname AS n FROM pg_proc WHERE pronamespace = 'sched_api'::regnamespace AND obj_description(oid, 'pg_proc') IS NULL
	UNION ALL SELECT relname FROM pg_class WHERE relnamespace = 'sched_api'::regnamespace AND relkind = 'v' AND obj_description(oid, 'pg_class') IS NULL) AS x)),
	'', 'everything in it is described, for OpenAPI');
like(sql($node, q(SELECT obj_description('sched_api'::regnamespace, 'pg_namespace'))), qr/^sched\n\w/, 'and so is the whole, with a title');
is(sql($node, q(SELECT string_agg(f, ' ') FROM unnest(sched._api_functions()) f WHERE  NOT EXISTS (SELECT FROM pg_proc WHERE pronamespace = 'sched_api'::regnamespace AND proname = f))),
	'', 'every function that is meant to be there is');
is(sql($node, q(SELECT string_agg(p.proname, ' ') FROM pg_proc p WHERE p.pronamespace = 'sched_api'::regnamespace AND has_function_privilege('public', p.oid, 'EXECUTE'))),
	'', 'nothing is granted to PUBLIC');
is(sql($node, q(SELECT string_agg(proname, ' ' ORDER BY proname) FROM pg_proc WHERE pronamespace = 'sched_api'::regnamespace AND has_function_privilege('anon', oid, 'EXECUTE'))),
	'health liveness pre_request readiness', 'anon may ask how it goes, and nothing else');

# ---- jobs and tasks --------------------------------------------------------------------

my ($status, $data, $headers) = ask('alice', 'POST', '/rpc/create_job',
	{ name => 'of alice', command => 'SELECT 1', schedule => '0 3 * * *', tags => [ 'a', 'b' ], parameters => { n => 1 }, timeout => 'PT1H30M' });
is($status, 201, 'POST create_job: 201');
my $job = $data;
like($job, qr/^\d+$/, 'with the id');
is($headers->{location}, "/jobs?job_id=eq.$job", 'and where it is');
is(sql($node, "SELECT owner || ' ' || timeout || ' ' || tags::text || ' ' || parameters::text FROM sched.jobs WHERE job_id = $job"), 'alice 01:30:00 {a,b} {"n": 1}', 'with all that was said');
($status, $data) = ask('alice', 'GET', '/jobs?name=eq.of%20alice');
is("$status $data->[0]{job_id} $data->[0]{status}", "200 $job active", 'GET jobs, filtered');
($status, $data) = ask('alice', 'GET', "/rpc/get_job?job_id=$job");
is("$status $data->{name}", '200 of alice', 'GET get_job is one object');
is((ask('alice', 'POST', '/rpc/update_job', { job_id => $job, changes => { priority => 7 } }))[0], 200, 'POST update_job');
is((ask('alice', 'GET', "/rpc/get_job?job_id=$job"))[1]{priority}, 7, 'has changed it');
for my $verb ('pause', 'resume', 'disable', 'activate')
{
	($status, $data) = ask('alice', 'POST', "/rpc/${verb}_job", { job_id => $job, reason => 'why not' });
	is($status . ($data ? ' true' : ' false'), '200 true', "POST ${verb}_job");
}
($status, $data, $headers) = ask('alice', 'POST', '/rpc/schedule_task', { job_id => $job, parameters => { b => 2 }, idempotency_key => 'k' });
is($status, 201, 'POST schedule_task: 201');
my $task = $data;
is($headers->{location}, "/tasks?task_id=eq.$task", 'and where it is');
is((ask('alice', 'POST', '/rpc/schedule_task', { job_id => $job, idempotency_key => 'k' }))[1], $task, 'the same key gives the same task');
sql($node, "SELECT sched.wait_for_task($task)");
is((ask('alice', 'GET', "/rpc/get_task?task_id=$task"))[1]{status}, 'completed', 'GET get_task');
is((ask('alice', 'GET', "/tasks?job_id=eq.$job"))[1][0]{parameters}{b}, 2, 'GET tasks');
is((ask('alice', 'GET', "/rpc/tasks_by_job?job_id=$job"))[1][0]{task_id}, $task, 'GET tasks_by_job');
is((ask('alice', 'GET', '/rpc/tasks_by_status?status=completed'))[1][0]{task_id}, $task, 'GET tasks_by_status');
is((ask('alice', 'GET', "/rpc/task_attempts?task_id=$task"))[1][0]{outcome}, 'completed', 'GET task_attempts');
is_deeply([ (ask('alice', 'GET', "/rpc/task_logs?task_id=$task"))[ 0, 1 ] ], [ 200, [] ], 'GET task_logs');
is((ask('alice', 'GET', "/rpc/why?task_id=$task"))[0], 200, 'GET why');
is((ask('alice', 'GET', '/rpc/next_fire_times?schedule=' . '0%203%20*%20*%20*' . '&count=3'))[0], 200, 'GET next_fire_times');

# ---- errors --------------------------------------------------------------------------------

# refused(expected status, expected code, pattern of the message, request...)
sub refused
{
	my ($expected, $code, $message, @request) = @_;
	my ($got, $error) = ask(@request);
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	is("$got " . ($error->{code} // ''), "$expected $code", "$expected for $request[1] $request[2] by " . ($request[0] || 'nobody')) or diag($json->encode($error));
	like($error->{message}, $message, '... with the message');
	return $error;
}

refused(404, '42704', qr/job 99 does not exist/, 'alice', 'GET', '/rpc/get_job?job_id=99');
refused(404, '42704', qr/task 99999 does not exist/, 'alice', 'POST', '/rpc/cancel_task', { task_id => 99999 });
my $error = refused(400, '22023', qr/invalid schedule/, 'alice', 'POST', '/rpc/create_job', { name => 'x', command => 'SELECT 1', schedule => "x\r\nX-Injected: 1" });
ok(defined $error->{hint} && defined $error->{details}, '... detail and hint');
refused(400, '22023', qr/status/, 'alice', 'GET', '/rpc/tasks_by_status?status=nonsense');
refused(400, '22P02', qr/bigint/, 'alice', 'GET', '/rpc/get_job?job_id=abc');
refused(409, '42710', qr/already exists/, 'alice', 'POST', '/rpc/create_job', { name => 'of alice', command => 'SELECT 1' });
refused(409, '55000', qr/task $task/, 'alice', 'POST', '/rpc/retry_task', { task_id => $task });
refused(401, '42501', qr/permission denied/, '', 'GET', '/jobs');
refused(401, '42501', qr/permission denied/, '', 'POST', '/rpc/create_job', { name => 'x', command => 'SELECT 1' });
refused(403, '42501', qr/permission denied/, 'vera', 'POST', '/rpc/create_job', { name => 'x', command => 'SELECT 1' });
refused(403, '42501', qr/permission denied for job "of alice"/, 'bob', 'POST', '/rpc/pause_job', { job_id => $job });
refused(403, '42501', qr/permission denied/, 'bob', 'GET', "/rpc/get_task?task_id=$task");
refused(405, '25006', qr/read-only/, 'alice', 'GET', "/rpc/run_job?job_id=$job");
refused(404, 'PGRST202', qr/function/, 'alice', 'POST', '/rpc/pause_job', { job_id => $job, nonsense => 1 });
refused(404, 'PGRST202', qr/function/, 'alice', 'POST', '/rpc/_counters_put', {});
is_deeply((ask('bob', 'GET', '/jobs'))[1], [], 'a user does not see the jobs of others');
is(scalar(@{ (ask('vera', 'GET', '/jobs'))[1] }), 1, 'a viewer does');
is((ask('olga', 'POST', '/rpc/pause_job', { job_id => $job }))[0], 200, 'an operator operates them');
refused(403, '42501', qr/permission denied/, 'olga', 'POST', '/rpc/delete_job', { job_id => $job });
is((ask('alice', 'POST', '/rpc/resume_job', { job_id => $job }))[0], 200, 'its owner has it back');

# what is taken from a role in SQL is taken from it here
sql($node, 'REVOKE EXECUTE ON FUNCTION sched.why(bigint) FROM sched_user');
refused(403, '42501', qr/permission denied for function why/, 'alice', 'GET', "/rpc/why?task_id=$task");
sql($node, 'GRANT EXECUTE ON FUNCTION sched.why(bigint) TO sched_user');

# whatever only looks does so in a READ ONLY transaction
for my $view (split /\n/, sql($node, q(SELECT relname FROM pg_class WHERE relnamespace = 'sched_api'::regnamespace AND relkind = 'v' ORDER BY 1)))
{
	is((ask('vera', 'GET', "/$view?limit=3"))[0], 200, "GET $view");
}
for my $call ("job_plan?job_id=$job&from_time=2030-01-01&to_time=2030-01-03", 'describe_schedule?schedule=@daily', "dependency_graph?format=mermaid", 'scaling_metric')
{
	is((ask('vera', 'GET', "/rpc/$call"))[0], 200, "GET $call");
}

# conflicts of transactions must not reach PostgREST as they are
sql($node, q(CREATE FUNCTION sched._api_status() RETURNS SETOF text LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'conflict' USING ERRCODE = '40001'; END$$));
refused(409, '40001', qr/conflict/, 'alice', 'GET', '/rpc/status');
sql($node, q(CREATE OR REPLACE FUNCTION sched._api_status() RETURNS SETOF text LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION E'two\r\nlines' USING ERRCODE = '23514', DETAIL = 'Failing row contains (secret).'; END$$));
is(refused(400, '23514', qr/two\r\nlines/, 'alice', 'GET', '/rpc/status')->{details}, undefined(), 'the row of a violated constraint is not shown');
sql($node, q(DROP FUNCTION sched._api_status()));
is((ask('alice', 'GET', '/rpc/status'))[0], 200, 'GET status');
sub undefined { return undef }

# in a session like any other the settings of a request prove nothing
{
	my ($out, $err) = ('', '');
	$node->psql('postgres', q(SET request.headers = '{"x-executor-auth-token": "guess"}'; SELECT sched_api.pre_request(); SELECT current_user || coalesce(nullif(current_setting('sched.executor_token', true), ''), '-')),
		stdout => \$out, stderr => \$err, extra_params => [ '-U', 'alice' ]);
	is($out, "\nalice-", 'a forged header in an ordinary session is not looked at') or diag($err);
}

# ---- executors -----------------------------------------------------------------------------------

sql($node, q(CREATE ROLE farm LOGIN; GRANT sched_executor TO farm; GRANT farm TO authenticator; SELECT sched.register_task_type('render'); SET ROLE alice; SELECT sched.create_job('pictures', type => 'render', max_attempts => 2, retry_delay => '0')));
($status, $data) = ask('farm', 'POST', '/rpc/register_executor', { name => 'e1', types => ['render'], max_concurrent => 5, info => { v => 1 } });
is($status, 201, 'POST register_executor: 201');
my ($id, $secret) = @$data{qw(executor_id token)};
ok($id >= 10 && length $secret >= 32 && defined $data->{heartbeat_interval}, 'one object with id, token and interval') or diag($json->encode($data));
my $other = (ask('farm', 'POST', '/rpc/register_executor', { name => 'e2', types => ['render'] }))[1]{token};
my @mine = ('X-Executor-Auth-Token' => $secret);

refused(401, '28000', qr/invalid executor token/, '', 'POST', '/rpc/heartbeat', { executor => 'e1' }, 'X-Executor-Auth-Token' => 'guess');
refused(401, '42501', qr/permission denied/, '', 'POST', '/rpc/heartbeat', { executor => 'e1' });
is((ask('', 'POST', '/rpc/heartbeat', { executor => 'e1', load => { cpu => 0.5 } }, @mine))[0], 200, 'POST heartbeat with the token');
is((ask('', 'POST', '/rpc/heartbeat', { executor => "$id" }, @mine))[0], 200, 'an executor may be named by its id');
refused(403, '42501', qr/permission denied for executor "e1"/, '', 'POST', '/rpc/heartbeat', { executor => 'e1' }, 'X-Executor-Auth-Token' => $other);
refused(403, '42501', qr/permission denied for executor "e1"/, '', 'POST', '/rpc/claim_tasks', { executor => 'e1' }, 'X-Executor-Auth-Token' => $other);
refused(409, '42710', qr/executor "e1" already exists/, '', 'POST', '/rpc/register_executor', { name => 'e1' }, 'X-Executor-Auth-Token' => $other);
refused(401, '42501', qr/permission denied/, '', 'GET', '/jobs', undef, @mine);
refused(404, '42704', qr/executor "nobody"/, 'farm', 'POST', '/rpc/heartbeat', { executor => 'nobody' });
my $picture = (ask('alice', 'POST', '/rpc/run_job', { job_id => sql($node, q(SELECT job_id FROM sched.jobs WHERE name = 'pictures')), parameters => { size => 3 } }))[1];
($status, $data) = ask('', 'POST', '/rpc/claim_tasks', { executor => 'e1', max_tasks => 5, wait => '5 s' }, @mine);
is("$status @{[map { qq($_->{task_id} $_->{attempt} $_->{type} $_->{parameters}{size}) } @$data]}", "200 $picture 1 render 3", 'POST claim_tasks');
is((ask('', 'POST', '/rpc/start_task', { task_id => $picture, attempt => 1 }, @mine))[0], 204, 'POST start_task');
is((ask('', 'POST', '/rpc/log_task', { task_id => $picture, attempt => 1, level => 'info', message => 'half' }, @mine))[0], 204, 'POST log_task');
is((ask('', 'POST', '/rpc/report_progress', { task_id => $picture, attempt => 1, percent => 50 }, @mine))[0], 204, 'POST report_progress');
is((ask('vera', 'GET', "/rpc/task_executor?task_id=$picture"))[1]{name}, 'e1', 'GET task_executor');
is((ask('vera', 'GET', '/rpc/get_executor?executor=e1'))[1]{running}, 1, 'GET get_executor by name');
is((ask('vera', 'GET', "/rpc/get_executor?executor=$id"))[1]{name}, 'e1', 'and by id');
is((ask('vera', 'GET', '/rpc/get_executor?executor=1'))[1]{name}, 'sql', 'also a built-in one');
refused(404, '42704', qr/executor "e9"/, 'vera', 'GET', '/rpc/get_executor?executor=e9');
is((ask('vera', 'GET', '/executors?name=eq.e1'))[1][0]{status}, 'online', 'GET executors');
refused(409, '55000', qr/task $picture/, '', 'POST', '/rpc/complete_task', { task_id => $picture, attempt => 2 }, @mine);
refused(409, '55000', qr/belongs to another executor/, '', 'POST', '/rpc/complete_task', { task_id => $picture, attempt => 1 }, 'X-Executor-Auth-Token' => $other);
is((ask('', 'POST', '/rpc/fail_task', { task_id => $picture, attempt => 1, error => 'no paint' }, @mine))[0], 204, 'POST fail_task');
($status, $data) = ask('', 'POST', '/rpc/claim_tasks', { executor => 'e1', wait => '10 s', start => JSON::PP::true }, @mine);
is("$data->[0]{task_id} $data->[0]{attempt}", "$picture 2", 'its next attempt');
is((ask('', 'POST', '/rpc/complete_task', { task_id => $picture, attempt => 2, result => { url => 'x' } }, @mine))[0], 204, 'POST complete_task');
is((ask('alice', 'GET', "/rpc/get_task?task_id=$picture"))[1]{result}{url}, 'x', 'is in the record');
is((ask('olga', 'POST', '/rpc/deactivate_executor', { executor => 'e1' }))[1] ? 1 : 0, 1, 'POST deactivate_executor by an operator');
is((ask('olga', 'POST', '/rpc/activate_executor', { executor => "$id" }))[1] ? 1 : 0, 1, 'POST activate_executor');
is((ask('olga', 'POST', '/rpc/detect_failed_executors', { timeout => '1 hour' }))[1], 0, 'POST detect_failed_executors');
my $renewed = (ask('', 'POST', '/rpc/rotate_executor_token', { executor => 'e1' }, @mine))[1];
refused(401, '28000', qr/invalid executor token/, '', 'POST', '/rpc/heartbeat', { executor => 'e1' }, @mine);
is((ask('', 'POST', '/rpc/heartbeat', { executor => 'e1' }, 'X-Executor-Auth-Token' => $renewed))[0], 200, 'a renewed token makes the old one invalid');
@mine = ('X-Executor-Auth-Token' => $renewed);
sql($node, "SELECT sched.log('info', 'x')");
is(scalar(log_lines($node, qr/$secret|$renewed|$other/)), 0, 'no token is in the server log');

# ---- how it goes -------------------------------------------------------------------------------

for my $name ('health', 'liveness', 'readiness')
{
	($status, $data, $headers) = ask('', 'GET', "/rpc/$name");
	is("$status $data->{status}", '200 UP', "GET $name, by nobody in particular");
	like($headers->{'content-type'}, qr{^application/json}, '... as JSON');
}
refused(401, '42501', qr/permission denied/, '', 'GET', '/rpc/prometheus_metrics');
($status, $data, $headers) = ask('vera', 'GET', '/rpc/prometheus_metrics', undef, Accept => 'text/plain');
is($status, 200, 'GET prometheus_metrics');
like($headers->{'content-type'}, qr{^text/plain; version=0\.0\.4}, '... as plain text');
like($data, qr/^# HELP scheduler_jobs_active_count .*^scheduler_jobs_active_count 2\n.*\n\z/ms, '... with the metrics and the end of the last line');

# ---- delete ---------------------------------------------------------------------------------------

is((ask('alice', 'POST', '/rpc/delete_job', { job_id => $job }))[0], 200, 'POST delete_job');
refused(404, '42704', qr/job $job/, 'alice', 'GET', "/rpc/get_job?job_id=$job");

# ---- paths -------------------------------------------------------------------------------------------

SKIP:
{
	my $nginx = have_program('nginx');
	skip 'nginx is not on the PATH', 1 unless $nginx;
	my ($front, $back) = map { PostgreSQL::Test::Cluster::get_free_port() } 1, 2;
	my ($postgrest, $real) = start_postgrest($node, $back);
	my $dir = PostgreSQL::Test::Utils::tempdir();
	my $conf = PostgreSQL::Test::Utils::slurp_file("$FindBin::RealBin/../../doc/nginx.conf");

	note($real ? 'a real PostgREST' : 'postgrest is not on the PATH: its protocol in SQL instead');
	$conf =~ s/listen 8080;/listen 127.0.0.1:$front;/;
	$conf =~ s/127\.0\.0\.1:3000/127.0.0.1:$back/;
	$conf =~ s{/var/log/nginx}{$dir}g;
	$conf =~ s{/run/nginx\.pid}{$dir/nginx.pid};
	$conf =~ s/worker_processes auto;/worker_processes 1; daemon off;/;
	$conf =~ s/(access_log .*)/$1\n\t@{[map { "${_}_temp_path $dir\/$_; " } qw(client_body proxy fastcgi uwsgi scgi)]}/;
	PostgreSQL::Test::Utils::append_to_file("$dir/nginx.conf", $conf);
	is(system("'$nginx' -t -c '$dir/nginx.conf' > '$dir/said' 2>&1"), 0, 'nginx takes doc/nginx.conf')
	  or diag(PostgreSQL::Test::Utils::slurp_file("$dir/said"));
	defined(my $pid = fork) or die;
	if (!$pid)
	{
		open STDERR, '>', "$dir/said";
		exec $nginx, '-c', "$dir/nginx.conf", '-e', "$dir/error.log";
	}

	# rest(role, method, path [, body, headers]): (status, data, headers)
	my $rest = sub
	{
		my ($role, $method, $path, $body, %more) = @_;
		$more{Authorization} = token($role) if $role ne '';
		$more{'Content-Type'} = 'application/json' if defined $body;
		my ($got, $h, $content) = http($front, $method, $path, \%more, ref $body ? $json->encode($body) : $body);
		my $d = ($h->{'content-type'} // '') =~ /json/ && ($content // '') ne '' ? eval { $json->decode($content) } : undef;
		return ($got, $d // $content, $h);
	};
	ok(wait_until(sub { ($rest->('', 'GET', '/actuator/health/liveness'))[0] == 200 }, 30), 'nginx and what is behind it answer')
	  or diag(PostgreSQL::Test::Utils::slurp_file("$dir/said"));

	my ($s, $d, $h) = $rest->('alice', 'POST', '/api/v1/jobs', { name => 'by path', command => 'SELECT 1', max_attempts => 1 });
	is($s, 201, 'POST /jobs: 201');
	my $path_job = $d;
	like($h->{location}, qr{/api/v1/jobs/$path_job$}, 'with a Location that is a path');
	my $table = sub
	{
		my ($method, $path, $body, $want, $check) = @_;
		($s, $d, $h) = $rest->('alice', $method, "/api/v1$path", $body);
		is($s, $want, "$method $path" . (defined $body ? ' ' . (ref $body ? $json->encode($body) : $body) : '')) or diag(ref $d ? $json->encode($d) : $d);
		ok($check->(), '... is right') or diag(ref $d ? $json->encode($d) : $d) if $check;
		return;
	};
	my $state = sub { sql($node, "SELECT status || coalesce(' ' || status_reason, '') FROM sched.jobs WHERE job_id = $path_job") };
	$table->('GET', '/jobs', undef, 200, sub { grep { $_->{name} eq 'by path' } @$d });
	$table->('GET', '/jobs?name=eq.nobody', undef, 200, sub { @$d == 0 });
	$table->('GET', '/jobs/active', undef, 200, sub { grep { $_->{job_id} == $path_job } @$d });
	$table->('GET', "/jobs/$path_job", undef, 200, sub { $d->{name} eq 'by path' });
	$table->('GET', '/jobs/987654321', undef, 404, sub { $d->{message} =~ /987654321/ && $d->{code} eq '42704' });
	$table->('GET', '/jobs/abc', undef, 404, sub { $d->{code} eq '404' });
	$table->('PUT', "/jobs/$path_job", { priority => 9 }, 200, sub { sql($node, "SELECT priority FROM sched.jobs WHERE job_id = $path_job") == 9 });
	$table->('PUT', "/jobs/$path_job", { priority => 99 }, 400);
	$table->('PUT', "/jobs/$path_job", 'no JSON', 400);
	$table->('PUT', "/jobs/$path_job", '{"priority": 1},"job_id":0', 200, sub { sql($node, "SELECT priority FROM sched.jobs WHERE job_id = $path_job") == 1 });
	$table->('PUT', "/jobs/$path_job", '{"priority": 1}}', 400);
	$table->('POST', "/jobs/$path_job/pause", undef, 200, sub { $state->() eq 'paused' });
	$table->('POST', "/jobs/$path_job/resume", '{}', 200, sub { $state->() eq 'active' });
	$table->('POST', "/jobs/$path_job/pause", qq({\n  "reason": "a {b} }"\n}\n), 200, sub { $state->() eq 'paused a {b} }' });
	$table->('POST', "/jobs/$path_job/resume", { job_id => 0 }, 200, sub { $state->() eq 'active' });
	$table->('POST', "/jobs/$path_job/disable", 'garbage', 400);
	$table->('POST', "/jobs/$path_job/disable", '[1]', 400);
	$table->('POST', "/jobs/$path_job/disable", '{"reason":"a"},{"b":1}', 400);
	$table->('POST', "/jobs/$path_job/disable", { reason => 'x' x 100_000 }, 200, sub { $state->() =~ /^disabled x+$/ });
	$table->('POST', "/jobs/$path_job/activate", undef, 200, sub { $state->() =~ /^active/ });
	$table->('GET', "/jobs/$path_job/activate", undef, 405);
	$table->('PATCH', "/jobs/$path_job", '{}', 405);
	$table->('POST', '/tasks', { job_id => $path_job, parameters => { a => 1 } }, 201, sub { $h->{location} =~ m{/api/v1/tasks/$d$} });
	my $t = $d;
	sql($node, "SELECT sched.wait_for_task($t)");
	$table->('GET', '/tasks', undef, 200, sub { grep { $_->{task_id} == $t } @$d });
	$table->('GET', "/tasks/job/$path_job", undef, 200, sub { $d->[0]{task_id} == $t });
	$table->('GET', '/tasks/status/completed', undef, 200, sub { grep { $_->{task_id} == $t } @$d });
	$table->('GET', '/tasks/status/nonsense', undef, 400);
	$table->('GET', "/tasks/$t", undef, 200, sub { $d->{parameters}{a} == 1 });
	$table->('POST', '/tasks', { job_id => $path_job, run_at => '2100-01-01' }, 201);
	my $later = $d;
	$table->('POST', "/tasks/$later/cancel", { reason => 'no' }, 200, sub { sql($node, "SELECT status || reason FROM sched.get_task($later)") eq 'cancelledno' });
	$table->('POST', "/tasks/$later/cancel", undef, 200, sub { !$d });
	$table->('GET', "/tasks/$later/logs", undef, 200, sub { @$d == 0 });
	$table->('POST', "/tasks/$later/log", { attempt => 1, level => 'info', message => 'x' }, 409);
	my $executor = sub
	{
		my ($method, $path, $body, $want, $check) = @_;
		($s, $d, $h) = $rest->('', $method, "/api/v1$path", $body, 'X-Executor-Auth-Token' => $renewed);
		is($s, $want, "$method $path, with a token") or diag(ref $d ? $json->encode($d) : $d);
		ok($check->(), '... is right') or diag(ref $d ? $json->encode($d) : $d) if $check;
		return;
	};
	my $assigned = (ask('alice', 'POST', '/rpc/run_job', { job_id => sql($node, q(SELECT job_id FROM sched.jobs WHERE name = 'pictures')) }))[1];
	($s, $d) = $rest->('farm', 'POST', '/api/v1/cluster/executors', { name => 'e3', types => ['render'] });
	is("$s " . length $d->{token}, '201 64', 'POST /cluster/executors');
	$executor->('POST', '/cluster/executors/e1/heartbeat', { load => { a => 1 } }, 200, sub { ref $d->{cancel} eq 'ARRAY' });
	$executor->('POST', "/cluster/executors/$id/heartbeat", undef, 200);
	$executor->('POST', '/cluster/executors/e3/heartbeat', undef, 403);
	($s, $d) = $rest->('olga', 'POST', "/api/v1/tasks/$assigned/assign", { executor => 'e1' });
	is("$s $d", '200 1', 'POST /tasks/{id}/assign gives the attempt');
	$executor->('POST', '/cluster/executors/e1/claim', { max_tasks => 3 }, 200, sub { $d->[0]{task_id} == $assigned });
	$executor->('POST', "/tasks/$assigned/start", { attempt => 1 }, 204);
	$executor->('POST', "/tasks/$assigned/log", { attempt => 1, level => 'warning', message => 'line' }, 204);
	$executor->('POST', "/tasks/$assigned/complete", { attempt => 1, result => { ok => JSON::PP::true } }, 204);
	$table->('GET', "/tasks/$assigned/logs", undef, 200, sub { $d->[0]{message} eq 'line' });
	($s, $d) = $rest->('vera', 'GET', "/api/v1/cluster/tasks/$assigned/executor");
	is("$s $d->{name}", '200 e1', 'GET /cluster/tasks/{id}/executor');
	$assigned = (ask('alice', 'POST', '/rpc/run_job', { job_id => sql($node, q(SELECT job_id FROM sched.jobs WHERE name = 'pictures')) }))[1];
	$executor->('POST', '/cluster/executors/e1/claim', { start => JSON::PP::true }, 200, sub { $d->[0]{task_id} == $assigned });
	$executor->('POST', "/tasks/$assigned/fail", { attempt => 1, error => 'no', retryable => JSON::PP::false }, 204, sub { sql($node, "SELECT status FROM sched.get_task($assigned)") eq 'failed' });
	($s, $d) = $rest->('vera', 'GET', '/api/v1/cluster/executors/active');
	is("$s " . join(' ', sort map { $_->{name} } grep { $_->{executor_id} >= 10 } @$d), '200 e1 e2 e3', 'GET /cluster/executors/active');
	($s, $d) = $rest->('vera', 'GET', '/api/v1/cluster/executors/e2');
	is("$s $d->{name}", '200 e2', 'GET /cluster/executors/{id}');
	is(($rest->('vera', 'GET', '/api/v1/cluster/executors'))[0], 200, 'GET /cluster/executors');
	is(($rest->('olga', 'POST', '/api/v1/cluster/executors/e2/deactivate', { reason => 'rest' }))[1] ? 1 : 0, 1, 'POST /cluster/executors/{id}/deactivate');
	is(($rest->('olga', 'POST', '/api/v1/cluster/executors/e2/activate'))[1] ? 1 : 0, 1, 'POST /cluster/executors/{id}/activate');
	($s, $d) = $rest->('olga', 'POST', '/api/v1/cluster/maintenance/detect-failed-executors', '{}');
	is("$s $d", '200 0', 'POST /cluster/maintenance/detect-failed-executors');
	$table->('DELETE', "/jobs/$path_job", undef, 200);
	$table->('GET', "/jobs/$path_job", undef, 404);
	is(($rest->('', 'GET', '/api/v1/jobs'))[0], 401, 'who does not say who he is sees no jobs');
	is(($rest->('bob', 'POST', "/api/v1/tasks/$later/cancel"))[0], 403, 'who is somebody else does not cancel a task');
	for my $path ('/jobs', '/rpc/health', '/rpc/create_job', '/of_job/pause_job', '/triggers', '/openapi', '/')
	{
		is(($rest->('alice', 'GET', $path))[0], 404, "GET $path is no way past the paths");
	}
	($s, $d, $h) = $rest->('', 'GET', '/actuator/health');
	is("$s $d->{status}", '200 UP', 'GET /actuator/health');
	like($h->{'content-type'}, qr{^application/json}, '... as JSON');
	is(($rest->('', 'GET', '/actuator/health/readiness'))[1]{status}, 'UP', 'GET /actuator/health/readiness');
	($s, $d, $h) = $rest->('vera', 'GET', '/actuator/prometheus', undef, Accept => 'application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1');
	is($s, 200, 'GET /actuator/prometheus');
	like($h->{'content-type'}, qr{^text/plain; version=0\.0\.4}, '... as plain text');
	like($d, qr/^scheduler_tasks_completed_count \d+$/m, '... and not as JSON');
	$node->append_conf('postgresql.conf', 'sched.enabled = off');
	$node->reload;
	ok(wait_until(sub { ($s, $d) = $rest->('', 'GET', '/actuator/health/readiness'); $s == 503 && $d->{status} eq 'DOWN' }), 'who is not ready says 503');
	is(($rest->('', 'GET', '/actuator/health/liveness'))[0], 200, 'but lives');
	kill 'TERM', $pid, $postgrest;
	waitpid $_, 0 for $pid, $postgrest;
}

$node->stop;
done_testing();
