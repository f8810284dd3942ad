# Who may do what: the table of doc/security.md is what the catalogs say, row
# security goes by owners, and none of the known ways leads to another role's
# rights, nor a token or secret out of the tables.

use strict;
use warnings;
use Test::More;
use FindBin;
use SchedTest;

my $page = PostgreSQL::Test::Utils::slurp_file("$FindBin::RealBin/../../doc/security.md");
my $node = new_node('rights');
wait_pids($node, scheduler_type, 1);
my @roles = map { "sched_$_" } qw(viewer user operator admin executor);

sql($node, <<'SQL');
SELECT sched_api.setup('authenticator', 'anon');
CREATE ROLE alice LOGIN;
CREATE ROLE bob LOGIN;
CREATE ROLE vera LOGIN;
CREATE ROLE olga LOGIN;
CREATE ROLE adam LOGIN;
CREATE ROLE crew LOGIN;
CREATE ROLE mallory LOGIN;
GRANT sched_user TO alice, bob, mallory;
GRANT sched_viewer TO vera;
GRANT sched_operator TO olga;
GRANT sched_admin TO adam;
GRANT crew TO alice;
GRANT sched_user TO crew;
GRANT CREATE ON DATABASE postgres TO mallory;
SQL
wait_for($node, q(SELECT sched.readiness() ->> 'status'), 'UP');

# as(role, query [, database]): (sqlstate or '', output, all that was said), as a login of the role
sub as
{
	my ($role, $query, $db) = @_;
	my ($out, $err) = ('', '');

	$node->psql($db // 'postgres', $query, stdout => \$out, stderr => \$err, extra_params => [ '-U', $role, '-v', 'VERBOSITY=verbose' ]);
	return ($err =~ /(?:ERROR|FATAL):  (\w{5})/ ? $1 : '', $out, $err);
}

# ---- the table ----------------------------------------------------------------------

my $marks = join ", ", map { "CASE WHEN %s('$_', x.oid, '%s') THEN 'yes' ELSE '' END" } @roles;
sub matrix
{
	my ($schema, $db) = @_;
	(my $functions = $marks) =~ s/%s\('(\w+)', x.oid, '%s'\)/has_function_privilege('$1', x.oid, 'EXECUTE')/g;
	(my $views = $marks) =~ s/%s\('(\w+)', x.oid, '%s'\)/has_table_privilege('$1', x.oid, 'SELECT')/g;

	return sql($node, "SELECT line FROM (SELECT DISTINCT 1 AS part, x.proname::text AS name, concat_ws(' | ', '| `' || x.proname || '`', $functions) || ' |' AS line
		FROM pg_proc x WHERE x.pronamespace = '$schema'::regnamespace AND x.proname NOT LIKE '\\_%'
		UNION SELECT 2, x.relname, concat_ws(' | ', '| view `' || x.relname || '`', $views) || ' |'
		FROM pg_class x WHERE x.relnamespace = '$schema'::regnamespace AND x.relkind = 'v' AND x.relname NOT LIKE '\\_%') AS m ORDER BY part, name COLLATE \"C\"", $db);
}
my $real = matrix('sched');
my $written = join "\n", $page =~ /^(\| (?:view )?`\w+` (?:\| (?:yes)? ?){5}\|)$/mg;
is($written, $real, 'the table of doc/security.md is what the catalogs say') or diag("The catalogs say:\n$real");

my %api = map { /^\| (?:view )?`(\w+)`/ ? ($1 => $_) : () } split /\n/, matrix('sched_api');
my %sql = map { /^\| (?:view )?`(\w+)`/ ? ($1 => $_) : () } split /\n/, $real;
is_deeply([ grep { defined $sql{$_} && $api{$_} ne $sql{$_} } sort keys %api ], [], 'what a role may call through HTTP is what it may call in SQL');
is_deeply([ grep { !defined $sql{$_} } sort keys %api ], [ grep { defined $api{$_} } qw(get_executor pre_request setup) ], 'and there is nothing else to be called');

for my $role (@roles, 'mallory', 'anon', 'authenticator')
{
	is( sql($node, "SELECT string_agg(c.oid::regclass::text, ' ') FROM pg_class c WHERE c.relnamespace IN ('sched'::regnamespace, 'sched_api'::regnamespace)
			AND (c.relkind IN ('r', 'p') AND has_table_privilege('$role', c.oid, 'SELECT')
			OR c.relkind IN ('r', 'p', 'v') AND has_table_privilege('$role', c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
			OR c.relkind IN ('r', 'p', 'v') AND c.relname LIKE '\\_%' AND has_any_column_privilege('$role', c.oid, 'SELECT, INSERT, UPDATE, REFERENCES')
			OR c.relkind = 'S' AND has_sequence_privilege('$role', c.oid, 'USAGE, SELECT, UPDATE'))"),
		'', "$role: no right on a table, none to change through a view");
	is( sql($node, "SELECT has_schema_privilege('$role', 'sched', 'CREATE') OR has_schema_privilege('$role', 'sched_api', 'CREATE')"), 'f', "$role: puts nothing into the schemas");
}
is( sql($node, q(SELECT string_agg(DISTINCT p.proname || ' ' || r.rolname, ', ') FROM pg_proc p CROSS JOIN pg_roles r WHERE r.rolname LIKE 'sched\_%' AND p.pronamespace = 'sched'::regnamespace
		AND p.proname LIKE '\_%' AND p.proname <> ALL (sched._view_functions() || ARRAY['_request_token', '_executor_of_token']) AND has_function_privilege(r.oid, p.oid, 'EXECUTE'))),
	'', 'private functions are private');
is(sql($node, q(SELECT string_agg(p.proname, ' ') FROM pg_proc p WHERE p.pronamespace IN ('sched'::regnamespace, 'sched_api'::regnamespace) AND p.prosecdef)), '', 'there is no SECURITY DEFINER function');
is(sql($node, q(SELECT string_agg(rolname, ' ') FROM pg_roles WHERE rolname LIKE 'sched\_%' AND (rolsuper OR rolcanlogin OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls))), '', 'the roles have no attribute');

# ---- rows ----------------------------------------------------------------------------

my $job = (as('alice', q(SELECT sched.create_job('of alice', 'SELECT session_user', '@yearly', parameters => '{"secret": "xyzzy-parameter"}'))))[1];
my $task = (as('alice', "SELECT sched.run_job($job)"))[1];
sql($node, "SELECT sched.wait_for_task($task, '30 s')");

# verb, who may
for my $case (
	[ "SELECT name FROM sched.jobs WHERE job_id = $job",                        'of alice', qw(alice vera olga adam) ],
	[ "SELECT job_name FROM sched.tasks WHERE task_id = $task",                 'of alice', qw(alice vera olga adam) ],
	[ "SELECT name FROM sched_api.jobs WHERE job_id = $job",                    'of alice', qw(alice vera olga adam) ],
	[ "SELECT (sched.get_job($job)).name",                                      'of alice', qw(alice vera olga adam) ],
	[ "SELECT sched.pause_job($job) OR sched.resume_job($job)",                 't',        qw(alice olga adam) ],
	[ "SELECT sched.run_job($job) > 0",                                         't',        qw(alice olga adam) ],
	[ "SELECT sched.run_job($job, '{}') > 0",                                   't',        qw(alice olga adam) ],
	[ "SELECT sched.run_job($job, '{\"secret\": \"xyzzy-parameter\"}') > 0",    't',        qw(alice olga adam) ],
	[ "SELECT sched.run_job($job, '{\"secret\": \"other\"}') > 0",              't',        qw(alice) ],
	[ "SELECT sched.schedule_task($job, '2100-01-01', '{\"b\": 1}') > 0",       't',        qw(alice) ],
	[ "SELECT count(*) FROM sched.schedule_tasks($job, ARRAY['{}', '{\"b\": 1}']::jsonb[])", 2, qw(alice) ],
	[ "SELECT count(*) FROM sched.schedule_tasks($job, ARRAY['{}', NULL]::jsonb[])", 2,          qw(alice olga adam) ],
	[ "SELECT sched.add_trigger($job, '\@yearly', parameters => '{\"b\": 1}') > 0", 't',        qw(alice) ],
	[ "SELECT sched.add_trigger($job, '\@yearly') > 0",                          't',        qw(alice adam) ],
	[ "SELECT sched.update_job($job, '{\"description\": \"x\"}') = $job",       't',        qw(alice adam) ],
	[ "SELECT sched.update_job($job, '{\"command\": \"SELECT 2\"}') = $job",    't',        qw(alice) ])
{
	my ($query, $answer, @may) = @$case;
	my @did = grep { my @r = as($_, "BEGIN; $query; ROLLBACK"); $r[0] eq '' && $r[1] eq $answer } qw(alice bob vera olga adam mallory);
	is("@did", "@may", $query);
}
is((as('alice', q(SET ROLE crew; SELECT sched.create_job('of crew', 'SELECT 1'); RESET ROLE; SELECT owner FROM sched.jobs WHERE name = 'of crew')))[1] =~ s/^\d+\n//r, 'crew', 'a job belongs to the current role, and its members see it');
is((as('bob', q(SELECT count(*) FROM sched.jobs)))[1], 0, 'others do not');

# a role of the same name is another one
sql($node, 'CREATE ROLE gone LOGIN; GRANT sched_user TO gone');
as('gone', q(SELECT sched.create_job('of gone', 'SELECT 1')));
sql($node, 'DROP ROLE gone; CREATE ROLE gone LOGIN; GRANT sched_user TO gone');
is((as('gone', 'SELECT count(*) FROM sched.jobs'))[1], 0, 'who gets the name of a dropped role does not get its jobs');

# ---- out of a job -----------------------------------------------------------------------

# run(role, command): what became of it
sub run_as
{
	my ($role, $command) = @_;
	my $id = (as($role, "SELECT sched.run_job(sched.create_job('job ' || gen_random_uuid(), \$cmd\$$command\$cmd\$, max_attempts => 1))"))[1];

	sql($node, "SELECT sched.wait_for_task($id, '30 s')");
	return sql($node, "SELECT coalesce(sqlstate || ' ' || error, result #>> '{rows,0,r}', status) FROM sched.tasks WHERE task_id = $id");
}
my $who = "SELECT session_user || ' ' || current_user AS r";
is(run_as('mallory', $who), 'mallory mallory', 'a task is its owner, in the session and now');
is(run_as('mallory', "RESET ROLE; $who"), 'mallory mallory', 'RESET ROLE leads nowhere');
is(run_as('mallory', "RESET SESSION AUTHORIZATION; $who"), 'mallory mallory', 'nor does RESET SESSION AUTHORIZATION');
like(run_as('mallory', "SET ROLE postgres; $who"), qr/^42501/, 'nor SET ROLE to a superuser');
like(run_as('mallory', "SET ROLE sched_admin; $who"), qr/^42501/, 'nor to a role of the extension');
like(run_as('mallory', "SET SESSION AUTHORIZATION postgres; $who"), qr/^42501/, 'nor SET SESSION AUTHORIZATION');
like(run_as('mallory', "SELECT set_config('session_authorization', 'postgres', false); $who"), qr/^42501/, 'in any spelling');
like(run_as('mallory', "SELECT set_config('is_superuser', 'on', false); $who"), qr/^55P02/, 'nor saying that it is one');
is(run_as('alice', "SET ROLE crew; $who"), 'alice crew', 'a role that one is a member of is another thing');
is(run_as('alice', $who), 'alice alice', 'and is given back before the next task');
is(run_as('mallory', "SET request.headers = '{}'; SET search_path = pg_temp; CREATE TEMP TABLE t (a int); PREPARE p AS SELECT 1"), 'completed', 'a task leaves settings, tables, statements behind');
is(run_as('mallory', "SELECT concat_ws(' ', to_regclass('pg_temp.t'), nullif(current_setting('request.headers', true), ''), (SELECT count(*) FROM pg_prepared_statements)) AS r"), '0', 'the next one finds none of them');
like(run_as('mallory', "SELECT sched.pause_job($job)"), qr/^42501/, 'a task may do what its owner may, and not more');
like(run_as('mallory', "UPDATE sched._job SET owner = 'mallory'::regrole"), qr/^42501/, 'not to the tables either');
like(run_as('mallory', "COPY (SELECT 1) TO PROGRAM 'id'"), qr/^42501/, 'nor to the machine');

# ---- into a job -------------------------------------------------------------------------------

like((as('mallory', $_))[0], qr/^42501$/, $_)
  for "SELECT sched.create_job('x', 'SELECT 1', run_as => 'postgres')", "SELECT sched.create_job('x', 'SELECT 1', run_as => 'alice')",
  "SELECT sched.update_job($job, '{\"command\": \"SELECT 2\"}')", "SELECT sched.add_trigger($job, '\@hourly')", "SELECT sched.rerun_task($task)", "SELECT sched.log_task($task, 1, 'info', 'x')",
  "INSERT INTO sched._job (name, owner, command, created_at, updated_at) VALUES ('x', 'postgres', 'SELECT 1', now(), now())", "DELETE FROM sched._outcome", "TRUNCATE sched._task",
  "CREATE FUNCTION sched._may(int, int, text) RETURNS boolean LANGUAGE sql AS 'SELECT true'", "CREATE FUNCTION sched_api.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
  "SELECT sched._job_find(10::oid, 'of alice', 'change')", "SELECT sched._pause_job(10::oid, 'of alice', 'x')", "SELECT sched_api.setup()";
isnt((as('mallory', $_))[0], '', $_)
  for "CREATE FUNCTION pg_temp.f(oid, bigint, text) RETURNS boolean LANGUAGE c AS '\$libdir/sched', 'sched_as_owner'", "ALTER EXTENSION sched UPDATE", "DROP EXTENSION sched",
  "ALTER FUNCTION sched.pause_job(bigint, text) SECURITY DEFINER", "SET sched.security_enabled = off", "SET sched.log_level = debug", "SET sched.databases = ''";
# somebody who is a member of the owner runs things as the owner on purpose; adam is a member of nobody
like((as('adam', q(SELECT sched.create_job('y', 'SELECT 1', run_as => 'alice'))))[0], qr/^42501$/, 'sched_admin does not run as others');

# a definer's function lends its owner's rights inside of itself, not what it was called from
sql($node, q(CREATE SCHEMA lent AUTHORIZATION alice; GRANT USAGE ON SCHEMA lent TO mallory));
as('alice', q(CREATE FUNCTION lent.look() RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS 'SELECT count(*) FROM sched.jobs'; GRANT EXECUTE ON FUNCTION lent.look() TO mallory));
cmp_ok((as('mallory', 'SELECT lent.look()'))[1], '>', 0, 'alice shows her jobs by a function of hers');
is((as('mallory', 'SELECT lent.look() > 0, count(*) FROM sched.jobs WHERE owner = $$alice$$'))[1], 't|0', 'and by nothing else');

# ---- requests that are none ---------------------------------------------------------------------

my $forged = q(SET request.headers = '{"x-executor-auth-token": "guess", "authorization": "Bearer x"}'; SET request.jwt.claims = '{"role": "sched_admin"}'; SET request.method = 'POST';);
is((as('mallory', "$forged SELECT sched_api.pre_request(); SELECT current_user"))[1] =~ s/\n//gr, 'mallory', 'forged settings of a request make nobody another role');
like((as('mallory', "$forged SELECT sched_api.pause_job($job)"))[2], qr/PGRST.*42501/, 'nor allow him anything');
like((as('authenticator', $_))[0], qr/^42501$/, "the authenticator by itself: $_") for "SELECT sched.create_job('z', 'SELECT 1')", 'SELECT * FROM sched.jobs', 'SELECT * FROM sched_api.jobs';
like((as('authenticator', "SET ROLE postgres"))[0], qr/^42501$/, 'it becomes no superuser');
is((as('authenticator', "SET ROLE sched_executor; SELECT count(*) FROM pg_roles WHERE rolname = current_user AND rolcanlogin"))[1], 0, 'and nobody who logs in, unless it is granted');

# ---- tokens and secrets ----------------------------------------------------------------------------

my @secrets = ('xyzzy-subscription', 'xyzzy-header');
as('alice', q(SELECT sched.subscribe('hook', 'order.*', 'https://example.com/', '{"Authorization": "xyzzy-header"}', 'xyzzy-subscription')));
my $seen = '';
for my $role ('alice', 'adam', 'vera', 'olga', 'bob')
{
	for my $view (split /\n/, sql($node, q(SELECT c.oid::regclass FROM pg_class c WHERE c.relnamespace IN ('sched'::regnamespace, 'sched_api'::regnamespace) AND c.relkind = 'v' AND c.relname NOT LIKE '\_%')))
	{
		my ($state, $out) = as($role, "SELECT v::text FROM $view AS v");
		is($state, '', "$role reads $view") if $role ne 'bob';
		$seen .= $out;
	}
	$seen .= (as($role, 'SELECT sched.health(); SELECT * FROM sched.status(); SELECT sched.prometheus_metrics()'))[1];
}
like($seen, qr/of alice/, 'there was something to see');
is(scalar(grep { $seen =~ /$_/ } @secrets), 0, 'no secret of a subscription');
is(scalar(grep { my $s = $_; scalar log_lines($node, qr/\Q$s\E/) } @secrets), 0, 'nor in the server log');
is((as('bob', q(SELECT count(*) FROM sched.subscriptions)))[1], 0, 'and nobody else sees that it is there');
unlike($seen, qr/\\x[0-9a-f]{64}/, 'no digest either');

# ---- a copy ------------------------------------------------------------------------------------------

{
	my $file = PostgreSQL::Test::Utils::tempdir() . '/dump';

	isnt(system('pg_dump', '-h', $node->host, '-p', $node->port, '-U', 'mallory', '-f', $file, 'postgres'), 0, 'who may not read the tables cannot dump them');
	$node->command_ok([ 'pg_dump', '-f', $file, $node->connstr('postgres') ], 'a superuser can');
	sql($node, 'CREATE DATABASE copy');
	$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', $file, $node->connstr('copy') ], 'and restore them');
	is(matrix('sched', 'copy'), $real, 'the copy has the same rights');
	is(matrix('sched_api', 'copy'), matrix('sched_api'), 'through HTTP too');
	is(sql($node, q(SELECT string_agg(name, ' ') FROM sched._authenticator), 'copy'), 'authenticator', 'and knows who its PostgREST is');
	is((as('bob', 'SELECT count(*) FROM sched.jobs', 'copy'))[1], 0, 'nobody sees more in it');
	is((as('alice', 'SELECT count(*) > 0 FROM sched.jobs', 'copy'))[1], 't', 'nor less');
	like((as('mallory', q(SELECT sched.resume_all()), 'copy'))[0], qr/^42501$/, 'nor lets it loose');
}

$node->stop;
done_testing();
