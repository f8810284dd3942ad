# Nobody gets rights that he does not have: not by names that he puts in the
# way of the extension's code, not through the jobs of others, not through its
# tables and private functions.

use strict;
use warnings;
use Test::More;
use SchedTest;

my $node = new_node('security');
wait_pids($node, scheduler_type, 1);

sql($node, <<'SQL');
SELECT sched.create_roles();
CREATE ROLE alice LOGIN;
CREATE ROLE mallory LOGIN;
GRANT sched_user TO alice, mallory;
GRANT sched_executor TO mallory;
SELECT sched_api.setup();
GRANT CREATE ON DATABASE postgres TO mallory;
CREATE TABLE public.mallory_table (b int, c text);
ALTER TABLE public.mallory_table OWNER TO mallory;
CREATE TABLE public.super_table (b int, c text);
GRANT INSERT ON public.super_table TO mallory;
SELECT sched.create_job('of super', 'SELECT session_user', parameters => '{"secret": "xyzzy"}');
SET ROLE alice;
SELECT sched.create_job('of alice', 'SELECT session_user', '@hourly', parameters => '{"secret": "xyzzy"}');
SELECT sched.create_calendar('of alice', '{"weekly": ["MON"]}');
SQL
my $theirs = sql($node, q(SET ROLE alice; SELECT sched.run_job('of alice')));
sql($node, "SELECT sched.wait_for_task($theirs, '20 s')");

# as(role, query): (sqlstate, output, notices), with mallory's names in the way
sub as
{
	my ($role, $query, $path) = @_;
	my ($out, $err) = ('', '');

	$node->psql('postgres',
		($role eq 'super' ? '' : "SET SESSION AUTHORIZATION $role;") . "SET search_path = " . ($path // 'evil, pg_catalog, public') . "; $query",
		stdout => \$out, stderr => \$err, extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	return ($err =~ /(?:ERROR|FATAL):  (\w{5})/ ? $1 : '', $out, $err);
}

# ---- the traps ------------------------------------------------------------------

# Every operator of pg_catalog, every function of it that the extension's code
# mentions, its types and catalogs: each tells when it is used, and by whom.
sql($node, <<'SQL');
SET SESSION AUTHORIZATION mallory;
CREATE SCHEMA evil;
GRANT USAGE ON SCHEMA evil TO PUBLIC;
CREATE FUNCTION evil.trap(what text) RETURNS boolean LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
	RAISE WARNING 'TRAP % as %', what, current_user;
	RETURN true;
END $$;
DO $do$
DECLARE
	r record;
	body text := 'BEGIN PERFORM evil.trap(%L); RETURN NULL; END';
BEGIN
	FOR r IN SELECT o.oid, o.oprname, o.oprleft::regtype AS l, o.oprright::regtype AS r, o.oprresult::regtype AS res
		FROM pg_operator o
		JOIN pg_type rt ON rt.oid = o.oprright AND rt.typtype <> 'p'
		JOIN pg_type st ON st.oid = o.oprresult AND st.typtype <> 'p'
		LEFT JOIN pg_type lt ON lt.oid = o.oprleft
		WHERE o.oprnamespace = 'pg_catalog'::regnamespace AND coalesce(lt.typtype, 'b') <> 'p'
	LOOP
		EXECUTE format('CREATE FUNCTION evil.%I(%s) RETURNS %s LANGUAGE plpgsql AS %L', 'op' || r.oid,
			concat_ws(',', nullif(r.l::text, '-'), r.r), r.res, format(body, r.oprname));
		EXECUTE format('CREATE OPERATOR evil.%s (FUNCTION = evil.%I, %s RIGHTARG = %s)', r.oprname, 'op' || r.oid,
			CASE WHEN r.l::text <> '-' THEN format('LEFTARG = %s,', r.l) ELSE '' END, r.r);
	END LOOP;
	FOR r IN SELECT p.oid, p.proname, pg_get_function_identity_arguments(p.oid) AS args, p.prorettype::regtype AS res, p.proretset
		FROM pg_proc p JOIN pg_type t ON t.oid = p.prorettype AND t.typtype <> 'p'
		WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind = 'f' AND p.proallargtypes IS NULL
		  AND NOT EXISTS (SELECT FROM unnest(p.proargtypes) a JOIN pg_type at ON at.oid = a WHERE at.typtype = 'p')
		  AND EXISTS (SELECT FROM pg_proc s WHERE s.pronamespace = 'sched'::regnamespace AND strpos(s.prosrc, p.proname || '(') > 0)
	LOOP
		EXECUTE format('CREATE FUNCTION evil.%I(%s) RETURNS %s %s LANGUAGE plpgsql AS %L', r.proname, r.args,
			CASE WHEN r.proretset THEN 'SETOF' ELSE '' END, r.res,
			CASE WHEN r.proretset THEN format('BEGIN PERFORM evil.trap(%L); RETURN; END', r.proname) ELSE format(body, r.proname) END);
	END LOOP;
	FOR r IN SELECT t.typname FROM pg_type t WHERE t.typnamespace = 'pg_catalog'::regnamespace AND t.typtype = 'b'
		AND t.typname IN ('text', 'jsonb', 'json', 'oid', 'regclass', 'regrole', 'regproc', 'regprocedure', 'timestamptz', 'interval', 'int8', 'int4', 'bool', 'name', 'numeric', 'bytea')
	LOOP
		EXECUTE format('CREATE DOMAIN evil.%I AS pg_catalog.%I CHECK (evil.trap(%L))', r.typname, r.typname, 'type ' || r.typname);
	END LOOP;
	FOR r IN SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'pg_catalog'::regnamespace AND c.relname IN
		('pg_class', 'pg_database', 'pg_roles', 'pg_auth_members', 'pg_proc', 'pg_depend', 'pg_extension', 'pg_settings', 'pg_inherits', 'pg_namespace', 'pg_timezone_names')
	LOOP
		EXECUTE format('CREATE VIEW evil.%I AS SELECT * FROM pg_catalog.%I WHERE evil.trap(%L)', r.relname, r.relname, 'view ' || r.relname);
	END LOOP;
	CREATE VIEW evil.pg_authid AS SELECT * FROM pg_catalog.pg_roles WHERE evil.trap('view pg_authid');
END $do$;
SQL
cmp_ok(sql($node, q(SELECT count(*) FROM pg_operator WHERE oprnamespace = 'evil'::regnamespace)), '>', 500, 'there are traps');
for my $query (q(SELECT 'a'::pg_catalog.text || 'b'), 'SELECT 1 = 1', 'SELECT 1 FROM pg_class LIMIT 1',
	q(SELECT lower('A'::pg_catalog.text)))
{
	like((as('mallory', $query))[2], qr/TRAP .* as mallory/, "a trap works: $query");
}

# ---- every public function ---------------------------------------------------------

# What each role calls; %1 stands for a job of its own, %2 for a task of it.
my @calls = (
	q(create_job('%1 new', 'SELECT 1', '0 3 * * *', parameters => '{"a": 1}', description => 'd', timeout => '5 s', tags => '{a}', timezone => 'Europe/Berlin', calendar => 'weekly of %r')),
	q(create_job('%1 new', 'SELECT 1')), q(create_job('%1 bad', 'SELECT 1', 'nonsense')), q(create_job('', NULL)),
	q(update_job('%1', '{"priority": 3, "schedule": "@hourly", "command": "SELECT 2"}')), q(update_job('%1', '{"nonsense": 3}')),
	q(get_job('%1')), q(get_job('nobody')), q(dependency_graph()), q(dependency_graph('svg', '%1')),
	q(pause_job('%1', 'why')), q(resume_job('%1', 'why')), q(disable_job('%1', 'why')), q(activate_job('%1', 'why')),
	q(run_job('%1')), q(schedule_task('%1', '2100-01-01', '{"b": 1}', 3, 'key of %r')), q(schedule_task('%1', '2100-01-01', '{"b": 1}', 3, 'key of %r')),
	q(schedule_tasks('%1', '{"{}","{}"}', '2100-01-01')),
	q(add_trigger('%1', '*/5 * * * *', 'UTC', '{}')), q(remove_trigger((SELECT max(trigger_id) FROM sched.triggers WHERE job_name OPERATOR(pg_catalog.=) '%1'))),
	q(create_job('%1 after', 'SELECT 1', depends_on => '{%1}', trigger_rule => 'all_done')), q(add_dependency('%1 after', '%1', 'failure')),
	q(remove_dependency('%1 after', '%1')), q(add_dependency('%1 after', '%1', 'conditional', condition => 'true')), q(add_dependency('%1', '%1 after')), q(delete_job('%1')), q(delete_job('%1 after')),
	q(next_fire_times('0 0 * * *')), q(describe_schedule('*/5 * * * *')), q(job_plan('%1', '2030-01-01', '2030-01-02')),
	q(backfill('%1', '2020-01-01', '2020-01-02')), q(backfill('%1', '2030-01-01', '2030-01-02')), q(cancel_run(%2)), q(cancel_run(0)),
	q(create_calendar('weekly of %r', '{"weekly": ["MON"]}')), q(update_calendar('weekly of %r', '{"weekly": ["TUE"]}')), q(calendar_includes('weekly of %r', '2030-01-01')),
	q(get_task(%2)), q(tasks_by_job('%1')), q(tasks_by_status('completed')), q(tasks_by_status('running')), q(task_logs(%2)), q(task_attempts(%2)), q(why(%2)),
	q(rerun_task(%2)), q(rerun_task(%2, true)), q(retry_task(%2)), q(cancel_task(%2, 'no')), q(wait_for_task(%2)), q(current_task()), q(log('info', 'x')), q(log_task(%2, 1, 'info', 'x')),
	q(report_progress(10)), q(report_progress(%2, 1, 10)),
	q(health()), q(liveness()), q(readiness()), q(status()), q(prometheus_metrics()), q(scaling_metric()), q(version()),
	q(resume_all()), q(import_pg_cron()), q(create_roles()),
	q(emit_event('of.%r', '{"a": 1}')), q(subscribe('of %r', 'of.*', 'http://localhost:1/', '{"X-A": "b"}', 'secret')), q(pause_subscription('of %r', 'why')), q(resume_subscription('of %r')), q(resume_subscription('of nobody')), q(unsubscribe('of %r')), q(unsubscribe('of nobody')),
	q(create_pool('pool of %r', 3, 'p')), q(update_pool('pool of %r', 4)), q(update_pool('pool of nobody', 4)),
	q(create_job('%1 pooled', 'SELECT 1', pool => 'pool of %r', pool_slots => 2, required_tags => '{a,b}')), q(delete_job('%1 pooled')), q(drop_pool('pool of %r')),
	q(set_secret('of_%r', 'xyzzy')), q(set_secret('bad name', 'x')), q(grant_secret('of_%r', 'alice')), q(revoke_secret('of_%r', 'alice')), q(drop_secret('of_%r')), q(drop_secret('nobody')),
	q(register_router('router-of-%r', 'pg_catalog.jsonb_pretty')), q(unregister_router('router-of-%r')),
	q(register_task_type('type-of-%r', NULL, '{"required": ["a"]}')), q(register_task_type('type-of-%r', 'pg_catalog.jsonb_pretty')),
	q(update_task_type('type-of-%r', '{"parameter_schema": {"type": "object"}}')), q(update_task_type('type-of-nobody', '{}')),
	q(register_trigger_type('trigger-of-%r', 'pg_catalog.now')), q(unregister_trigger_type('trigger-of-%r')), q(next_fire_times('@custom trigger-of-%r')),
	q(create_job('%1 typed', type => 'type-of-%r', parameters => '{"a": 1}')), q(delete_job('%1 typed')), q(unregister_task_type('type-of-%r')),
	q(attach_table_events('%r_table', 'of.%r', '{INSERT,DELETE}', 'b > 1 AND lower(c) = c', true)), q(attach_table_events('%r_table', 'of.%r')), q(detach_table_events('%r_table', 'of.%r')), q(detach_table_events('%r_table')),
	q(register_task_type('ext-%r')), q(create_job('%1 ext', type => 'ext-%r', max_attempts => 9, retry_delay => '0')), q(schedule_tasks('%1 ext', '{"{}","{}","{}","{}"}')),
	q(register_executor('e-%r', '{ext-%r}', '{a}', 5, '{"v": 1}')), q(register_executor('e-%r', '{ext-%r}')), q(register_executor('', '{sql}')),
	q(deactivate_executor('e-%r', 'why')), q(activate_executor('e-%r')), q(rotate_executor_token('e-%r')), q(heartbeat('e-%r', '{"cpu": 1}')), q(heartbeat('nobody')),
	q(assign_task(%3, 'e-%r')), q(claim_tasks('e-%r', 1)), q(start_task(%3, 1)), q(start_tasks(ARRAY[%3], '{1}')), q(fail_task(%3, 1, 'no')), q(fail_tasks(ARRAY[%3], '{2}', '{no}')),
	q(complete_task(%3, 1, '{"a": 1}')), q(complete_tasks(ARRAY[%3], '{2}', '{"{}"}')), q(complete_and_claim('e-%r', '{}', '{}')), q(task_executor(%3)), q(detect_failed_executors('1 hour')),
	q(!CALL sched.wait_for_tasks('e-%r', '0')), q(deregister_executor('e-%r')), q(acquire_lock('lock of %r', 'me', '1 min')), q(release_lock('lock of %r', 'me')),
	q(!SELECT sched_api.pre_request()), q(!SELECT sched_api.setup()), q(!SELECT sched_api.create_job('%1 by http', 'SELECT 1')), q(!SELECT sched_api.get_job(99)), q(!SELECT * FROM sched_api.jobs),
	q(!SELECT sched_api.register_executor('h-%r')), q(!SELECT sched_api.get_executor('h-%r')), q(!SELECT sched_api.heartbeat('10')), q(!SELECT sched_api.health()), q(!SELECT sched_api.prometheus_metrics()),
	q(delete_job('%1 ext')), q(delete_job('%1')), q(drop_calendar('weekly of %r')));
my @views = split /\n/, sql($node, q(SELECT relname FROM pg_class WHERE relnamespace = 'sched'::regnamespace AND relkind = 'v' AND relname NOT LIKE '\_%'));

my %named = map { (/^(?:!CALL sched\.)?(\w+)/ ? $1 : '') => 1 } @calls;
is(join(' ', grep { !$named{$_} } split /\n/, sql($node, q(SELECT DISTINCT proname FROM pg_proc WHERE pronamespace = 'sched'::regnamespace AND proname NOT LIKE '\_%' ORDER BY 1))),
	'', 'every public function is called here');

my ($calls, $done) = (0, 0);
for my $role ('mallory', 'super')
{
	my $job = "job of $role";
	my ($state, $out, $err) = as($role, "SELECT sched.create_job('$job', 'SELECT 1', '\@hourly')");
	is($state, '', "$role: makes a job") or diag($err);
	my $task = (as($role, "SELECT sched.run_job('$job')"))[1];
	sql($node, "SELECT sched.wait_for_task($task, '20 s')");
	for my $call (@calls, map { "!SELECT * FROM sched.$_" } @views)
	{
		my $query = $call =~ /^!(.*)/ ? $1 : "SELECT * FROM sched.$call";
		$query =~ s/%3/(SELECT max(task_id) FROM sched.tasks WHERE job_name OPERATOR(pg_catalog.=) '%1 ext')/g;
		$query =~ s/%1/$job/g;
		$query =~ s/%2/$task/g;
		$query =~ s/%r/$role/g;
		($state, $out, $err) = as($role, $query);
		$calls++;
		$done++ if $state eq '';
		my @trapped = grep { $role eq 'super' || !/ as mallory$/ } $err =~ /(TRAP .* as \w+)/g;
		ok(!@trapped, "$role, own names first: $query") or diag("$trapped[0]\n$err");
		unlike($state, qr/^(XX|42804|42725|42883|22P02)/, "$role: is not confused") if $call !~ /version|prometheus|scaling|backfill|update_calendar/;
	}
}

# Events of tables: whoever writes to the table, and whatever names stand first
for my $case ([ 'mallory', 'super' ], [ 'super', 'mallory' ])
{
	my ($owner, $writer) = @$case;

	is((as($owner, "SELECT sched.attach_table_events('public.${owner}_table', 'of.$owner', '{INSERT}', 'b > 1 AND lower(c) = c AND c || c LIKE ''x%''', true)"))[0],
		'', "$owner attaches events to a table");
	as($owner, "SELECT sched.create_job('hears $owner', 'SELECT 1', '\@event of.** ? (\@.count > 0)', overlap_policy => 'buffer_all')");
	my ($state, $out, $err) = as($writer, "INSERT INTO public.${owner}_table VALUES (3, 'x'::pg_catalog.text)");
	is($state, '', "$writer writes to it") or diag($err);
	unlike($err, qr/TRAP/, 'the condition is evaluated under names of its own');
	is(sql($node, "SELECT payload ->> 'count' || ' ' || pg_get_userbyid(owner) FROM sched._event WHERE type = 'of.$owner' ORDER BY event_id DESC LIMIT 1"),
		'1 ' . sql($node, "SELECT tableowner FROM pg_tables WHERE tablename = '${owner}_table'"), "and the event is its owner's");
}
is(sql($node, q(SELECT count(*) FROM sched.tasks WHERE job_name = 'hears mallory' AND parameters -> 'event' ->> 'name' = 'of.super')), 0,
	'mallory does not hear of the tables of others');

cmp_ok($done, '>', $calls / 2, 'most of the calls succeed');

# The scheduler and the workers, in a database that puts these names first
my @old = (pids($node, worker_type), pids($node, scheduler_type));
sql($node, 'ALTER DATABASE postgres SET search_path = evil, pg_catalog, public');
for my $pid (@old)
{
	kill 15, $pid;
	wait_until(sub { process_gone($pid) }) or die "$pid does not end";
}
my $end = -s $node->logfile;
as('super', q(SELECT sched.create_job('every moment', 'VALUES (1)', '@every 200 ms'); SELECT sched.create_job('failing', 'bad', '@every 200 ms', max_attempts => 2, retry_delay => '0.1 s')), 'pg_catalog');
for my $status ('completed', 'failed')
{
	ok(wait_until(sub { (as('super', "SELECT count(*) > 2 FROM sched.tasks WHERE job_name IN ('every moment', 'failing') AND status = '$status'", 'pg_catalog'))[1] eq 't' }),
		"tasks are $status under that search_path");
}
is_deeply([ log_lines($node, qr/TRAP .* as (?!mallory)/, $end) ], [], 'neither scheduler nor workers ran into a trap');
$node->psql('postgres', 'SET search_path = pg_catalog; ALTER DATABASE postgres RESET search_path');

# ---- the jobs of others --------------------------------------------------------------

is((as('mallory', $_, 'pg_catalog'))[0], '42501', "refused: $_")
  for
  map({ "SELECT sched.$_('of alice')" } qw(pause_job resume_job disable_job activate_job delete_job run_job get_job schedule_task)),
  q(SELECT sched.update_job('of alice', '{"command": "SELECT 2"}')),
  q(SELECT sched.add_trigger('of alice', '@hourly')),
  q(SELECT sched.remove_trigger((SELECT 1::bigint))),
  q(SELECT sched.schedule_tasks('of alice', '{"{}"}')),
  q(SELECT sched.job_plan('of alice', '2030-01-01', '2030-01-02')),
  map({ "SELECT sched.$_($theirs)" } qw(get_task task_logs task_attempts why rerun_task retry_task cancel_task wait_for_task)),
  "SELECT sched.log_task($theirs, 1, 'info', 'x')",
  "SELECT sched.report_progress($theirs, 1, 10)",
  q(SELECT sched.drop_calendar('of alice')),
  q(SELECT sched.create_job('as alice', 'SELECT 1', run_as => 'alice')),
  q(SELECT sched.create_roles()), q(SELECT sched.resume_all());
is((as('mallory', "SELECT count(*) FROM sched.$_->[0] WHERE $_->[1]", 'pg_catalog'))[1], 0, "does not see rows of others in $_->[0]")
  for [ 'jobs', "name LIKE 'of %'" ], [ 'active_jobs', "name LIKE 'of %'" ], [ 'triggers', "job_name LIKE 'of %'" ], [ 'tasks', "job_name LIKE 'of %'" ];
is((as('mallory', q(SELECT count(*) FROM sched.tasks_by_status('completed') WHERE job_name = 'of alice'), 'pg_catalog'))[1], 0, 'nor in tasks_by_status()');
unlike((as('mallory', 'SELECT * FROM sched.status()', 'pg_catalog'))[1], qr/of alice/, 'nor in status()');
unlike((as('mallory', q(
	CREATE FUNCTION evil.leak(jsonb) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS 'BEGIN RAISE NOTICE ''LEAK %'', $1; RETURN true; END';
	SELECT 1 FROM sched.jobs WHERE evil.leak(parameters); SELECT 1 FROM sched.tasks WHERE evil.leak(parameters)), 'pg_catalog'))[2], qr/xyzzy/,
	'nor by a cheap function of his own');
is(sql($node, q(SELECT status || ' ' || command FROM sched.jobs WHERE name = 'of alice')), 'active SELECT session_user', 'nothing has changed');

# ---- tables and private functions ---------------------------------------------------------

for my $role ('mallory', 'sched_user', 'sched_viewer', 'sched_operator', 'sched_executor', 'sched_admin')
{
	is( sql($node, "SELECT string_agg(c.relname, ' ') FROM pg_class c WHERE c.relnamespace = 'sched'::regnamespace
			AND ((c.relkind IN ('r', 'p') AND has_table_privilege('$role', c.oid, 'SELECT'))
			OR (c.relkind IN ('r', 'p', 'v') AND has_table_privilege('$role', c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER'))
			OR (c.relkind = 'S' AND has_sequence_privilege('$role', c.oid, 'USAGE, SELECT, UPDATE')))"),
		'', "$role has no right on a table");
	is( sql($node, "SELECT string_agg(p.proname, ' ') FROM pg_proc p WHERE p.pronamespace = 'sched'::regnamespace
			AND p.proname LIKE '\\_%' AND p.proname <> ALL (sched._view_functions() || ARRAY['_request_token', '_executor_of_token']) AND has_function_privilege('$role', p.oid, 'EXECUTE')"),
		'', "$role may call no private function");
}
is( sql($node, q(SELECT string_agg(p.proname, ' ') FROM pg_proc p WHERE p.pronamespace = 'sched'::regnamespace AND has_function_privilege('public', p.oid, 'EXECUTE'))),
	'', 'everybody may call nothing');
is(sql($node, q(SELECT has_schema_privilege('public', 'sched', 'USAGE') OR has_schema_privilege('sched_admin', 'sched', 'CREATE'))),
	'f', 'nor look into the schema or put something there');
is( sql($node, q(SELECT string_agg(p.proname, ' ') FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang WHERE p.pronamespace IN ('sched'::regnamespace, 'sched_api'::regnamespace)
		AND l.lanname = 'plpgsql' AND coalesce(p.proconfig, '{}') @> '{"search_path=pg_catalog, pg_temp"}' IS NOT TRUE)),
	'', 'every function in PL/pgSQL has a search_path of its own');
$node->stop;
done_testing();
