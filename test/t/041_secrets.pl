# Secrets reach the host that they are for and nobody else: not other roles'
# jobs, no view, no result, no error, no log, no dump.

use strict;
use warnings;
use Test::More;
use SchedTest;
use HttpStub;
use PostgreSQL::Test::Utils;

my $value = 'hunter2-Xyz"9';
my $stub  = HttpStub->start;
my $port  = $stub->port;
my $dir   = PostgreSQL::Test::Utils::tempdir();
my $node  = new_node('secrets', conf => <<"CONF");
sched.http_allowed_hosts = '127.0.0.1'
sched.http_max_response_size = 1kB
log_statement = none
log_min_error_statement = panic
CONF

sub new_key
{
	my ($name, $mode) = @_;

	append_to_file("$dir/$name", $name x 32);
	chmod $mode, "$dir/$name";
	return "$dir/$name";
}

sub set_key
{
	my ($file) = @_;

	$node->append_conf('postgresql.conf', "sched.secret_key_file = '$file'");
	$node->reload;
	wait_for($node, 'SHOW sched.secret_key_file', $file);
	return;
}

# as(role, query): its output, or (SQLSTATE, message) when it fails
sub as
{
	my ($role, $query) = @_;
	return sql($node, "SET SESSION AUTHORIZATION $role; $query");
}

sub error_as
{
	my ($role, $query) = @_;
	return (sql_error($node, "SET SESSION AUTHORIZATION $role; $query"))[0];
}

# run(role, job): status, SQLSTATE and error of a task of it
sub run
{
	my ($role, $job) = @_;
	my $task = as($role, "SELECT sched.run_job('$job')");

	as($role, "SELECT sched.wait_for_task($task, '30s')");
	return sql($node, "SELECT concat_ws(' ', status, sqlstate, error) FROM sched.tasks WHERE task_id = $task");
}

sql($node, 'SELECT sched.create_roles()');
for my $role (qw(alice bob))
{
	sql($node, "CREATE ROLE $role LOGIN; GRANT sched_user TO $role");
}
sql($node, 'CREATE ROLE boss LOGIN; GRANT sched_admin TO boss');

# ---- at rest --------------------------------------------------------------------

my ($out, $err) = ('', '');
$node->psql('postgres', "SET SESSION AUTHORIZATION alice; SELECT sched.set_secret('clear', 'visible-in-the-table')", stderr => \$err);
like($err, qr/WARNING:  secret "clear" is stored in clear/, 'without a key file a warning says that a secret is not encrypted');

set_key(new_key('open', 0644));
is(error_as('alice', "SELECT sched.set_secret('token', 'x')"), '55000', 'a key file that others can read is refused');
set_key("$dir/nowhere");
is(error_as('alice', "SELECT sched.set_secret('token', 'x')"), '55000', 'a key file that is not there, too');
my $key = new_key('first', 0600);
set_key($key);
as('alice', "SELECT sched.set_secret('token', '$value')");
is(sql($node, "SELECT position('$value'::bytea IN sealed) FROM sched._secret WHERE name = 'token'"), '0', 'a secret is encrypted in its table');
is(sql($node, "SELECT name, owner, encrypted FROM sched.secrets ORDER BY 1"), "clear|alice|f\ntoken|alice|t", 'the view tells names and whether they are encrypted');
is(error_as($_, 'SELECT * FROM sched._secret'), '42501', "$_ cannot read the table") for qw(alice bob boss);
is(as('bob', 'SELECT count(*) FROM sched.secrets'), '0', 'nobody sees that others have secrets');
is(error_as('alice', "SELECT sched.set_secret('a b', 'x')"), '22023', 'names are plain words');
is(error_as('alice', "SELECT sched.set_secret('a:b', 'x')"), '22023', 'and not those of other objects');

# ---- on the wire -----------------------------------------------------------------

my $parameters = '{"headers": {"Authorization": "Bearer {{secret:token}}", "X-Key": {"secret": "token"}}, "secrets": {"X-Third": "token"}, "body": {"t": {"secret": "token"}, "u": "<{{secret:token}}>"}}';
as('alice', "SELECT sched.create_job('send', '" . $stub->url('/echo?{{secret:token}}') . "', type => 'http', parameters => '$parameters')");
is(run('alice', 'send'), 'failed 22023 invalid command: The URL holds a character that has to be percent-encoded.', 'a secret that makes no valid URL is refused, without showing it');
as('alice', "SELECT sched.update_job('send', jsonb_build_object('command', '" . $stub->url('/echo') . "'))");
is(run('alice', 'send'), 'completed', 'a job of its owner may use a secret');
my ($request) = $stub->requests('/echo');
is(join(' ', @{ $request->{headers} }{qw(authorization x-key x-third)}), "Bearer $value $value $value", 'it is sent in headers, in three notations');
is($request->{body}, '{"t": "hunter2-Xyz\"9", "u": "<hunter2-Xyz\"9>"}', 'and in the body, as JSON wants it');

unlike(sql($node, "SELECT result FROM sched.tasks WHERE job_name = 'send' AND status = 'completed'"), qr/hunter2/, 'an answer that repeats it is masked');
like(sql($node, "SELECT result ->> 'body' FROM sched.tasks WHERE job_name = 'send' AND status = 'completed'"), qr/Authorization: Bearer \*\*\*/, 'by asterisks');
unlike(sql($node, "SELECT string_agg(j::text, '') FROM sched.jobs j"), qr/hunter2/, 'the definition holds the name only');

as('alice', "SELECT sched.set_secret('lines', E'a\\r\\nEvil: 1')");
as('alice', "SELECT sched.create_job('inject', '" . $stub->url('/echo?inject') . "', type => 'http', parameters => '{\"secrets\": {\"X-Key\": \"lines\"}}')");
is(run('alice', 'inject'), 'failed 22023 invalid parameters: $.headers."X-Key": the value holds a control character.', 'a secret with a line break does not get into a header');
is(scalar($stub->requests('/echo?inject')), 0, 'and nothing is sent');

as('alice', "SELECT sched.set_secret('path', 'SecretPath')");
as('alice', "SELECT sched.create_job('in url', '" . $stub->url('/302/to/http://127.0.0.1:1/{{secret:path}}') . "', type => 'http', max_attempts => 1)");
like(run('alice', 'in url'), qr/^failed 08001 could not connect to 127.0.0.1:1: /, 'a secret may be part of the URL');
is(scalar($stub->requests('/302/to/http://127.0.0.1:1/SecretPath')), 1, 'and is sent');

is(error_as('alice', "SELECT sched.schedule_task('send', parameters => '{\"body\": {\"secret\": \"token\"}}')"), '22023', 'the parameters of a task cannot name a secret');
is(error_as('alice', "SELECT sched.schedule_task('send', parameters => '{\"body\": \"{{secret:token}}\"}')"), '22023', 'in no notation');

is(error_as('alice', "SELECT sched.add_trigger('send', '\@daily', parameters => '{\"secrets\": {\"X-Key\": \"token\"}}')"), '22023', 'nor can those of a trigger');

# an event that somebody else emits is data, whatever it says
as('alice', "SELECT sched.create_job('told', '" . $stub->url('/echo?told') . "', '\@event told.*', type => 'http', parameters => '{\"method\": \"POST\", \"headers\": {\"X-Key\": \"{{secret:token}}\"}}')");
as('alice', q(SELECT sched.emit_event('told.it', '{"a": "{{secret:token}}", "b": {"secret": "token"}}')));
ok(wait_until(sub { $stub->requests('/echo?told') == 1 }), 'an event fires an HTTP job');
($request) = $stub->requests('/echo?told');
is($request->{headers}{'x-key'}, $value, 'which sends its own secrets');
like($request->{body}, qr/"name": "told\.it".*"payload": \{"a": "\{\{secret:token\}\}", "b": \{"secret": "token"\}\}|"payload": \{"a": "\{\{secret:token\}\}", "b": \{"secret": "token"\}\}/, 'and the event as it is');

# ---- for whom ----------------------------------------------------------------------

as('bob', "SELECT sched.create_job('theft', '" . $stub->url('/echo?theft') . "', type => 'http', parameters => '{\"secrets\": {\"X-Key\": \"token\"}}')");
is(run('bob', 'theft'), 'failed 22023 invalid parameters: Secret "token" is not shared with the owner of the job.', 'a job of another role may not use it');
is(error_as('bob', "SELECT sched.$_"), '42501', "another role may not: $_")
  for ("set_secret('token', 'mine')", "drop_secret('token')", "grant_secret('token', 'bob')", "revoke_secret('token', 'bob')");
is(error_as('boss', "SELECT sched.grant_secret('token', 'boss')"), '42501', 'nor does an administrator give it to himself');
is(error_as('bob', "SELECT sched.drop_secret('nothing')"), '42704', 'a secret that is not there');
is(as('alice', "SELECT sched.grant_secret('token', 'bob')"), 't', 'its owner shares it');
is(as('alice', "SELECT sched.grant_secret('token', 'bob')"), 'f', 'once');
is(run('bob', 'theft'), 'completed', 'then the other role\'s jobs use it');
unlike(as('bob', "SELECT result FROM sched.tasks WHERE job_name = 'theft' AND status = 'completed'"), qr/hunter2/, 'without seeing it');
is(as('alice', "SELECT sched.revoke_secret('token', 'bob')"), 't', 'until it is revoked');
like(run('bob', 'theft'), qr/not shared with the owner/, 'which holds from the next request on');

as('alice', "SELECT sched.set_secret('token', 'changed')");
is(run('alice', 'send'), 'completed', 'a changed secret');
is(($stub->requests('/echo'))[-1]{headers}{'x-key'}, 'changed', 'is sent from the next request on');

# ---- other keys, dumps, logs ----------------------------------------------------------

set_key(new_key('second', 0600));
as('alice', "SELECT sched.set_secret('path', 'x')");    # has everything read anew
wait_until(sub { run('alice', 'send') =~ /^failed/ });
is(run('alice', 'send'), 'failed 22023 invalid parameters: Secret "token" cannot be decrypted: the key in sched.secret_key_file is another one.', 'with another key it does not open');
sql($node, "UPDATE sched._secret SET name = 'moved' WHERE name = 'token'");
set_key($key);
as('alice', "SELECT sched.create_job('moved', '" . $stub->url('/echo') . "', type => 'http', parameters => '{\"secrets\": {\"X-Key\": \"moved\"}}')");
like(run('alice', 'moved'), qr/cannot be decrypted/, 'nor under another name');

as('alice', "SELECT sched.set_secret('kept', 'kept-Value')");
my $dump = "$dir/dump.sql";
$node->command_ok([ 'pg_dump', '-f', $dump, $node->connstr('postgres') ], 'pg_dump');
my $text = slurp_file($dump);
unlike($text, qr/visible-in-the-table|hunter2|kept-Value/, 'a dump shows no secret');
unlike($text, qr/^clear\t/m, 'and does not take along one that is not encrypted');
like($text, qr/^kept\talice\t/m, 'but those that are');
unlike(slurp_file($node->logfile), qr/hunter2|kept-Value/, 'the server log shows none either');

is(as('alice', "SELECT sched.drop_secret('kept')"), 't', 'a secret is dropped');
$stub->stop;
done_testing();
