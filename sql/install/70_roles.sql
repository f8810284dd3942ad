/*
 * Roles.  Five of them, in the cluster, none with LOGIN or any other attribute;
 * what they may do in this database is granted here.  Nothing is granted to PUBLIC.
 *
 *	sched_user		has jobs of its own
 *	sched_viewer	sees all jobs and tasks
 *	sched_operator	sees all, and pauses, resumes, runs, cancels
 *	sched_admin		sees and changes all, short of saying what a job
 *					executes as a role that it is not a member of
 *	sched_executor	takes and reports tasks
 *
 * Whose job it is, is looked at by each function itself; what is granted here is the
 * right to call it at all.
 */

/* Which functions are for whom, by name: so the later ones need only be added. */
CREATE FUNCTION sched._role_functions(p_role text) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
	SELECT CASE p_role
		WHEN 'sched_viewer' THEN f.read
		WHEN 'sched_user' THEN f.read || f.operate || f.change
		WHEN 'sched_operator' THEN f.read || f.operate || f.manage
		WHEN 'sched_admin' THEN f.read || f.operate || f.change || f.manage || f.execute
		WHEN 'sched_executor' THEN f.look || f.execute
	END
	FROM (SELECT
		/* no job or task of anybody in these */
		ARRAY['next_fire_times', 'describe_schedule', 'calendar_includes', 'liveness', 'readiness',
			'scaling_metric'] AS look,
		ARRAY['next_fire_times', 'describe_schedule', 'calendar_includes', 'liveness', 'readiness',
			'scaling_metric', 'health', 'status', 'prometheus_metrics', 'get_job', 'job_plan', 'get_task',
			'tasks_by_job', 'tasks_by_status', 'task_logs', 'task_attempts', 'task_executor', 'why',
			'dependency_graph', 'current_task', 'log', 'wait_for_task'] AS read,
		ARRAY['activate_job', 'pause_job', 'resume_job', 'disable_job', 'run_job', 'schedule_task',
			'schedule_tasks', 'cancel_task', 'retry_task', 'rerun_task', 'backfill', 'cancel_run', 'report_progress',
			'log_task'] AS operate,
		ARRAY['create_job', 'update_job', 'delete_job', 'add_trigger', 'remove_trigger', 'create_calendar',
			'update_calendar', 'drop_calendar', 'register_trigger_type', 'unregister_trigger_type', 'add_dependency', 'remove_dependency', 'emit_event',
			'create_pool', 'update_pool', 'drop_pool', 'register_router', 'unregister_router',
			'register_task_type', 'update_task_type', 'unregister_task_type', 'attach_table_events', 'detach_table_events', 'subscribe', 'unsubscribe', 'pause_subscription',
			'resume_subscription', 'acquire_lock',
			'release_lock', 'set_secret', 'drop_secret', 'grant_secret', 'revoke_secret'] AS change,
		ARRAY['resume_all', 'assign_task', 'detect_failed_executors', 'activate_executor',
			'deactivate_executor'] AS manage,
		ARRAY['register_executor', 'activate_executor', 'deactivate_executor', 'deregister_executor',
			'rotate_executor_token', 'heartbeat', 'claim_tasks', 'complete_and_claim', 'wait_for_tasks', 'start_task',
			'start_tasks', 'complete_task', 'fail_task', 'complete_tasks', 'fail_tasks', 'log_task', 'report_progress', 'acquire_lock',
			'release_lock'] AS execute) AS f);
COMMENT ON FUNCTION sched._role_functions(text) IS 'The public functions that a role may call.';

/* The private functions that views call with their reader's rights. */
CREATE FUNCTION sched._view_functions() RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ARRAY['_can_see', '_now', '_outcome_status', '_executor_name', '_live_task', '_live_jobs', '_attempt_before',
	'_live_executors', '_pool_state', '_cluster_counts', '_run_info'];
COMMENT ON FUNCTION sched._view_functions() IS 'The private functions that the reader of a view needs.';

/* A role that is there already is taken only if it is as harmless as a new one. */
CREATE FUNCTION sched._role_make(p_role text, p_comment text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_role		pg_catalog.pg_authid;
	v_too_much	text;
	v_memberof	text;
BEGIN
	SELECT a.* INTO v_role FROM pg_catalog.pg_authid a WHERE a.rolname = p_role;
	IF NOT FOUND THEN
		EXECUTE format('CREATE ROLE %I NOLOGIN', p_role);
		EXECUTE format('COMMENT ON ROLE %I IS %L', p_role, p_comment);
		RETURN true;
	END IF;
	v_too_much := concat_ws(', ',
		CASE WHEN v_role.rolsuper THEN 'SUPERUSER' END,
		CASE WHEN v_role.rolcreaterole THEN 'CREATEROLE' END,
		CASE WHEN v_role.rolcreatedb THEN 'CREATEDB' END,
		CASE WHEN v_role.rolcanlogin THEN 'LOGIN' END,
		CASE WHEN v_role.rolreplication THEN 'REPLICATION' END,
		CASE WHEN v_role.rolbypassrls THEN 'BYPASSRLS' END);
	IF v_too_much <> '' THEN
		RAISE EXCEPTION USING ERRCODE = 'duplicate_object',
			MESSAGE = format('role "%s" already exists and is not one of sched', p_role),
			DETAIL = format('It has the attributes %s.', v_too_much),
			HINT = format('Rename it, or take these from it with ALTER ROLE %I.', p_role);
	END IF;
	SELECT string_agg(format('"%s"', pg_get_userbyid(m.roleid)), ', ' ORDER BY m.roleid) INTO v_memberof
	FROM pg_catalog.pg_auth_members m WHERE m.member = v_role.oid;
	IF v_memberof IS NOT NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'duplicate_object',
			MESSAGE = format('role "%s" already exists and is not one of sched', p_role),
			DETAIL = format('It is a member of %s.', v_memberof),
			HINT = format('Rename it, or take it out of these with REVOKE ... FROM %I.', p_role);
	END IF;
	RETURN false;
END $$;
COMMENT ON FUNCTION sched._role_make(text, text) IS 'Creates one of the roles, or checks the one that is there.';

CREATE FUNCTION sched._create_roles(p_caller oid) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_role		text;
	v_object	text;
BEGIN
	IF NOT (SELECT a.rolsuper FROM pg_catalog.pg_authid a WHERE a.oid = p_caller) THEN
		RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
			MESSAGE = 'permission denied to create the roles of sched',
			DETAIL = 'Only a superuser may.';
	END IF;
	PERFORM sched._role_make('sched_admin', 'sched: sees and changes all jobs'),
		sched._role_make('sched_operator', 'sched: sees all jobs and operates them'),
		sched._role_make('sched_user', 'sched: has jobs of its own'),
		sched._role_make('sched_viewer', 'sched: sees all jobs'),
		sched._role_make('sched_executor', 'sched: runs tasks as an executor');

	FOREACH v_role IN ARRAY ARRAY['sched_admin', 'sched_operator', 'sched_user', 'sched_viewer', 'sched_executor'] LOOP
		EXECUTE format('GRANT USAGE ON SCHEMA sched TO %I', v_role);
		FOR v_object IN
			SELECT p.oid::regprocedure::text FROM pg_catalog.pg_proc p
			WHERE p.pronamespace = 'sched'::regnamespace
			  AND p.proname = ANY (sched._role_functions(v_role))
			ORDER BY p.oid
		LOOP
			EXECUTE format('GRANT EXECUTE ON ROUTINE %s TO %I', v_object, v_role);
		END LOOP;
		CONTINUE WHEN v_role = 'sched_executor';
		FOR v_object IN
			SELECT format('%I.%I', 'sched', c.relname) FROM pg_catalog.pg_class c
			WHERE c.relnamespace = 'sched'::regnamespace AND c.relkind = 'v' AND c.relname NOT LIKE '\_%'
			ORDER BY c.relname
		LOOP
			EXECUTE format('GRANT SELECT ON %s TO %I', v_object, v_role);
		END LOOP;
		FOR v_object IN
			SELECT p.oid::regprocedure::text FROM pg_catalog.pg_proc p
			WHERE p.pronamespace = 'sched'::regnamespace AND p.proname = ANY (sched._view_functions())
			ORDER BY p.oid
		LOOP
			EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', v_object, v_role);
		END LOOP;
	END LOOP;
END $$;
COMMENT ON FUNCTION sched._create_roles(oid) IS 'Behind sched.create_roles().';
CREATE FUNCTION sched.create_roles() RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched.create_roles() IS 'Creates sched_admin, sched_operator, sched_user, sched_viewer and sched_executor, where they are missing, and grants them their rights in this database.';
