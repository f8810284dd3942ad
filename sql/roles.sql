-- Roles: whose jobs are whose, what the roles of sched.create_roles() may do,
-- and that nobody gains a right by a job or by shadowing what the extension uses.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS sched;
RESET client_min_messages;
SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';

CREATE ROLE regress_sched_alice LOGIN;
CREATE ROLE regress_sched_bob LOGIN;
CREATE ROLE regress_sched_team NOLOGIN;
CREATE ROLE regress_sched_operator LOGIN;
CREATE ROLE regress_sched_viewer LOGIN;
CREATE ROLE regress_sched_admin LOGIN;
CREATE ROLE regress_sched_nobody LOGIN;

-- What a statement comes to, for a role.
CREATE FUNCTION public.regress_try(role_name text, statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	EXECUTE format('SET LOCAL ROLE %I', role_name);
	BEGIN
		EXECUTE statement INTO result;
		result := coalesce(result, 'NULL');
	EXCEPTION WHEN OTHERS THEN
		result := SQLSTATE || ' ' || SQLERRM;
	END;
	RESET ROLE;
	RETURN result;
END $$;

-- Without create_roles() nobody but a superuser gets in.
SELECT public.regress_try('regress_sched_alice', $$SELECT sched.create_job('x', 'SELECT 1')$$);

--
-- The roles are made once, and taken only if they are harmless.
--
CREATE ROLE sched_admin LOGIN SUPERUSER;
SELECT sched.create_roles();
ALTER ROLE sched_admin NOLOGIN NOSUPERUSER;
GRANT pg_monitor TO sched_admin;
SELECT sched.create_roles();
DROP ROLE sched_admin;
SELECT count(*) AS none_left_behind FROM pg_roles WHERE rolname LIKE 'sched\_%';
SELECT sched.create_roles();
SELECT sched.create_roles() AS again;
SELECT rolname, rolsuper OR rolcreaterole OR rolcreatedb OR rolcanlogin OR rolreplication OR rolbypassrls AS more_than_nothing
FROM pg_roles WHERE rolname LIKE 'sched\_%' ORDER BY rolname;
GRANT sched_user TO regress_sched_alice, regress_sched_bob;
GRANT sched_operator TO regress_sched_operator;
GRANT sched_viewer TO regress_sched_viewer;
GRANT sched_admin TO regress_sched_admin;
GRANT regress_sched_team TO regress_sched_alice;
-- an ordinary role cannot make them
SELECT public.regress_try('regress_sched_admin', 'SELECT sched.create_roles()');
SELECT public.regress_try('regress_sched_admin', 'SELECT count(*) FROM sched.import_pg_cron()');

-- No role has any right on a private table or function, but for what the views call.
SELECT r.rolname, c.oid::regclass FROM pg_roles r, pg_class c
WHERE r.rolname LIKE 'sched\_%' AND c.relnamespace = 'sched'::regnamespace AND c.relkind IN ('r', 'p', 'v')
  AND (c.relname LIKE '\_%' AND has_table_privilege(r.oid, c.oid, 'SELECT')
	   OR has_table_privilege(r.oid, c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER'))
ORDER BY 1, 2;
SELECT p.proname, array_agg(r.rolname ORDER BY r.rolname) FROM pg_roles r, pg_proc p
WHERE r.rolname LIKE 'sched\_%' AND p.pronamespace = 'sched'::regnamespace AND p.proname LIKE '\_%'
  AND has_function_privilege(r.oid, p.oid, 'EXECUTE')
GROUP BY p.proname ORDER BY p.proname;
-- The public functions of each role
\pset format unaligned
\pset footer off
SELECT p.proname, string_agg(DISTINCT replace(r.rolname, 'sched_', ''), ' ' ORDER BY replace(r.rolname, 'sched_', '')) AS roles
FROM pg_proc p LEFT JOIN pg_roles r ON r.rolname LIKE 'sched\_%' AND has_function_privilege(r.oid, p.oid, 'EXECUTE')
WHERE p.pronamespace = 'sched'::regnamespace AND p.proname NOT LIKE '\_%'
GROUP BY p.proname ORDER BY p.proname;
\pset footer on
\pset format aligned

--
-- A user has jobs of its own, and sees and changes no others.
--
SET ROLE regress_sched_alice;
SELECT sched.create_job('alice-1', 'SELECT 1', '@at 2090-01-01 00:00+00') > 0 AS created;
SELECT sched.create_job('alice-2', 'SELECT 2', active => false) > 0 AS created;
SET ROLE regress_sched_bob;
SELECT sched.create_job('bob-1', 'SELECT 3') > 0 AS created;
SELECT name, owner FROM sched.jobs ORDER BY name;
SELECT job_name FROM sched.triggers;
RESET ROLE;
SELECT sched.create_job('super-1', 'SELECT 4') > 0 AS created;
SELECT sched.schedule_task('alice-1', '2090-01-01') AS alice_task \gset
SELECT sched.schedule_task('super-1', '2090-01-01') AS super_task \gset

-- who sees what
SELECT who, public.regress_try(who, $$SELECT string_agg(name, ' ' ORDER BY name) FROM sched.jobs$$) AS jobs,
	public.regress_try(who, $$SELECT string_agg(job_name, ' ' ORDER BY job_name) FROM sched.tasks WHERE job_name ~ '-[0-9]$'$$) AS tasks,
	public.regress_try(who, $$SELECT string_agg(job_name, ' ' ORDER BY job_name) FROM sched.triggers$$) AS triggers,
	public.regress_try(who, $$SELECT count(*) FROM sched.tasks_by_status('scheduled') WHERE job_name ~ '-[0-9]$'$$) AS by_status
FROM unnest('{regress_sched_alice,regress_sched_bob,regress_sched_viewer,regress_sched_operator,regress_sched_admin,regress_sched_nobody}'::text[]) who;

-- who may do what with alice's job
SELECT what, replace(who, 'regress_sched_', '') AS who, 
	regexp_replace(public.regress_try(who, replace(replace(what, 'TASK', :'alice_task'), 'WHO', upper(who))), 'task [0-9]+', 'task N') AS result
FROM unnest(ARRAY[
	$$SELECT name FROM sched.get_job('alice-1')$$,
	$$SELECT status FROM sched.get_task(TASK)$$,
	$$SELECT count(*) FROM sched.task_logs(TASK)$$,
	$$SELECT count(*) FROM sched.task_attempts(TASK)$$,
	$$SELECT count(*) > 3 FROM sched.why(TASK)$$,
	$$SELECT count(*) FROM sched.tasks_by_job('alice-1')$$,
	$$SELECT sched.pause_job('alice-1')$$,
	$$SELECT sched.resume_job('alice-1')$$,
	$$SELECT sched.update_job('alice-1', '{"priority": 6}') > 0$$,
	$$SELECT sched.update_job('alice-1', '{"command": "SELECT WHO"}') > 0$$,
	$$SELECT sched.update_job('alice-1', '{"parameters": {"WHO": 1}}') > 0$$,
	$$SELECT sched.add_trigger('alice-1', '@at 2091-01-01 00:00+00') > 0$$,
	$$SELECT sched.add_trigger('alice-1', '@at 2091-01-01 00:00+00', parameters => '{"x": 1}') > 0$$,
	$$SELECT sched.delete_job('alice-2')$$,
	$$SELECT sched.resume_all()$$]) WITH ORDINALITY AS a(what, n),
	unnest('{regress_sched_alice,regress_sched_bob,regress_sched_viewer,regress_sched_operator,regress_sched_admin}'::text[]) WITH ORDINALITY AS b(who, m)
ORDER BY n, m;

-- other people's names are not offered
SELECT public.regress_try('regress_sched_bob', $$SELECT sched.pause_job('alice-3')$$);
-- a name is taken, whoever has it
SELECT public.regress_try('regress_sched_bob', $$SELECT sched.create_job('alice-1', 'SELECT 1')$$);

--
-- A job has the rights of its owner, or of a role that the owner is a member of.
--
SELECT public.regress_try('regress_sched_alice', $$SELECT sched.create_job('as-bob', 'SELECT 1', run_as => 'regress_sched_bob')$$);
SELECT public.regress_try('regress_sched_alice', $$SELECT sched.create_job('as-super', 'SELECT 1', run_as => 10::oid::regrole)$$);
SELECT public.regress_try('regress_sched_alice', $$SELECT sched.create_job('as-team', 'SELECT 1', run_as => 'regress_sched_team')$$);
ALTER ROLE regress_sched_team LOGIN;
SELECT public.regress_try('regress_sched_alice', $$SELECT sched.create_job('as-team', 'SELECT 1', run_as => 'regress_sched_team') > 0$$);
SELECT owner, run_as FROM sched.jobs WHERE name = 'as-team';
SELECT public.regress_try('regress_sched_alice', $$SELECT sched.update_job('alice-1', '{"run_as": "regress_sched_bob"}')$$);
SELECT public.regress_try('regress_sched_alice', $$SELECT sched.update_job('alice-1', '{"run_as": "regress_sched_team"}') > 0$$);
-- a superuser may let it run as another role; its owner may then not say any more what it executes
SELECT sched.update_job('alice-1', '{"run_as": "regress_sched_bob"}') > 0 AS done;
SELECT public.regress_try('regress_sched_alice', $$SELECT sched.update_job('alice-1', '{"command": "SELECT 1, 2"}')$$);
SELECT public.regress_try('regress_sched_alice', $$SELECT sched.update_job('alice-1', '{"priority": 3}') > 0$$);
SELECT public.regress_try('regress_sched_alice', $$SELECT sched.update_job('alice-1', '{"run_as": null, "command": "SELECT 1, 2"}')$$);
-- an SQL job needs a role that can log in
ALTER ROLE regress_sched_team NOLOGIN;
GRANT sched_user TO regress_sched_team;
SELECT public.regress_try('regress_sched_team', $$SELECT sched.create_job('team-1', 'SELECT 1')$$);

--
-- A view shows no row to a function of the caller that it does not show to the caller.
--
GRANT CREATE ON SCHEMA public TO regress_sched_bob;
SET ROLE regress_sched_bob;
CREATE FUNCTION public.regress_leak(anyelement) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $$
BEGIN
	RAISE NOTICE 'sees %', $1;
	RETURN true;
END $$;
SELECT name FROM sched.jobs WHERE public.regress_leak(command) ORDER BY name;
SELECT job_name FROM sched.tasks WHERE public.regress_leak(job_name) ORDER BY job_name;
SELECT job_name FROM sched.triggers WHERE public.regress_leak(schedule) ORDER BY job_name;

--
-- What the extension does as its owner cannot be shadowed.
--
RESET ROLE;
GRANT CREATE ON DATABASE :DBNAME TO regress_sched_bob;
SET ROLE regress_sched_bob;
CREATE SCHEMA regress_evil;
DO $$
DECLARE
	op record;
BEGIN
	-- every operator on text, bigint, interval, timestamptz, jsonb, oid and arrays that pg_catalog has
	FOR op IN
		SELECT DISTINCT o.oprname, format_type(o.oprleft, NULL) AS l, format_type(o.oprright, NULL) AS r, format_type(o.oprresult, NULL) AS t
		FROM pg_operator o
		WHERE o.oprnamespace = 'pg_catalog'::regnamespace AND o.oprkind = 'b'
		  AND o.oprleft = ANY ('{text,bigint,int,interval,timestamptz,jsonb,oid,boolean,"char",name}'::regtype[])
		  AND o.oprright = ANY ('{text,bigint,int,interval,timestamptz,jsonb,oid,boolean,"char",name}'::regtype[])
	LOOP
		EXECUTE format('CREATE FUNCTION regress_evil.%I(%s, %s) RETURNS %s LANGUAGE plpgsql AS $f$ BEGIN RAISE ''shadowed as %%'', current_user; END $f$',
			'op_' || md5(op.oprname || op.l || op.r), op.l, op.r, op.t);
		EXECUTE format('CREATE OPERATOR regress_evil.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = regress_evil.%I)',
			op.oprname, op.l, op.r, 'op_' || md5(op.oprname || op.l || op.r));
	END LOOP;
	-- and the functions by the names that one would think of
	FOR op IN
		SELECT n, a FROM unnest('{format,left,lower,length,octet_length,now,nextval,pg_get_userbyid,jsonb_typeof,isfinite,
			current_setting,to_regclass,unnest,array_position,count,string_agg,concat_ws,regexp_replace,greatest,jsonb_each}'::text[]) n,
			unnest('{text,bigint,anyelement,"text, text","jsonb","text, boolean"}'::text[]) a
	LOOP
		EXECUTE format('CREATE FUNCTION regress_evil.%I(%s) RETURNS text LANGUAGE plpgsql AS $f$ BEGIN RAISE ''shadowed as %%'', current_user; END $f$', op.n, op.a);
	END LOOP;
END $$;
CREATE TABLE regress_evil.pg_authid (oid oid, rolcanlogin boolean, rolsuper boolean, rolname name);
CREATE DOMAIN regress_evil.text AS pg_catalog.text CHECK (false);
SET search_path = regress_evil, pg_catalog, public;
SELECT sched.create_job('shadow', 'SELECT 1', '@at 2090-01-01 00:00+00', timezone => 'Europe/Berlin', tags => '{a}',
	retry_delay => '5 s', overlap_policy => 'skip', max_attempts => 2) IS NOT NULL AS created;
SELECT sched.update_job('shadow', '{"priority": 8, "timeout": "1 min", "schedule": "@at 2091-01-01 00:00+00"}') IS NOT NULL AS changed;
SELECT sched.pause_job('shadow'), sched.resume_job('shadow'), sched.disable_job('shadow'), sched.activate_job('shadow');
SELECT sched.add_trigger('shadow', '@at 2092-01-01 00:00+00') IS NOT NULL AS added;
SELECT (sched.get_job('shadow')).priority;
SELECT sched.schedule_task('shadow', '2090-01-01') AS shadow_task \gset
SELECT (sched.get_task(:shadow_task)).status;
SELECT name FROM sched.jobs;
SELECT job_name, status FROM sched.tasks;
SELECT job_name, kind FROM sched.triggers;
DO $$
DECLARE
	n pg_catalog.int8;
BEGIN
	SELECT pg_catalog.count(*) INTO n FROM sched.why((SELECT task_id FROM sched.tasks));
	SELECT pg_catalog.count(*) INTO n FROM sched.task_logs((SELECT task_id FROM sched.tasks));
	SELECT pg_catalog.count(*) INTO n FROM sched.task_attempts((SELECT task_id FROM sched.tasks));
	SELECT pg_catalog.count(*) INTO n FROM sched.tasks_by_job('shadow');
	SELECT pg_catalog.count(*) INTO n FROM sched.tasks_by_status('scheduled');
	SELECT pg_catalog.count(*) INTO n FROM sched.status();
	SELECT 1 INTO n FROM sched.health();
	SELECT 1 INTO n FROM sched.liveness();
	SELECT 1 INTO n FROM sched.readiness();
END $$;
SELECT sched.delete_job('shadow');
RESET search_path;
RESET ROLE;

-- cleaning up
SET client_min_messages = warning;
SELECT bool_and(sched.delete_job(job_id)) AS cleaned_up FROM sched.jobs;
DROP SCHEMA regress_evil CASCADE;
DROP FUNCTION public.regress_try(text, text);
DROP OWNED BY regress_sched_alice, regress_sched_bob, regress_sched_team, regress_sched_operator, regress_sched_viewer,
	regress_sched_admin, regress_sched_nobody;
DROP OWNED BY sched_admin, sched_operator, sched_user, sched_viewer, sched_executor;
DROP ROLE regress_sched_alice, regress_sched_bob, regress_sched_team, regress_sched_operator, regress_sched_viewer,
	regress_sched_admin, regress_sched_nobody;
DROP ROLE sched_admin, sched_operator, sched_user, sched_viewer, sched_executor;
