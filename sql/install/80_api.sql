/*
 * Schema sched_api: what HTTP clients see, by way of PostgREST.
 *
 * It has views, which show what the views of sched show, with the rights of who
 * asks, and functions of the names and arguments of those of sched, without
 * overloads: where a function of sched takes a job by name or by id, the one here takes
 * the id.  They are made from those of sched below, so they cannot differ from them.
 * What they add is the protocol, see src/interface/api_call.c: statuses, errors,
 * content types.  Private helpers are in schema sched, where PostgREST does not look.
 */

/* Unlike sched it is made here and nowhere else, so nothing can have been put into it. */
DO $$
BEGIN
	IF EXISTS (SELECT FROM pg_catalog.pg_namespace n WHERE n.nspname = 'sched_api') THEN
		RAISE EXCEPTION USING ERRCODE = 'duplicate_schema',
			MESSAGE = 'schema "sched_api" already exists',
			DETAIL = 'Extension "sched" makes it, and takes no schema that somebody else made.',
			HINT = 'Drop or rename the schema.';
	END IF;
END $$;
CREATE SCHEMA sched_api;
COMMENT ON SCHEMA sched_api IS 'sched
The job scheduler of this database: jobs, tasks, executors, and how it goes. What a role may do here is what it may do in SQL.';

/* PostgREST answers with the type that a domain is named after. */
CREATE DOMAIN sched_api."text/plain" AS text;
COMMENT ON DOMAIN sched_api."text/plain" IS 'Text that is sent as it is, not as JSON.';

/* Who PostgREST connects as; what it says of a request is believed to it only. */
CREATE TABLE sched._authenticator
(
	name	text NOT NULL,
	CONSTRAINT authenticator_pkey PRIMARY KEY (name)
);
COMMENT ON TABLE sched._authenticator IS 'The roles that PostgREST connects as, see sched_api.setup().';

/* ---- what differs from the functions of sched ---- */

/* Without a scheduler the answer is 503, as load balancers and probes want it. */
CREATE FUNCTION sched._api_health() RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_health	jsonb := sched.health();
BEGIN
	IF v_health ->> 'status' = 'DOWN' THEN
		PERFORM set_config('response.status', '503', true);
	END IF;
	RETURN v_health;
END $$;
COMMENT ON FUNCTION sched._api_health() IS 'Behind sched_api.health().';

CREATE FUNCTION sched._api_liveness() RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_health	jsonb := sched.liveness();
BEGIN
	IF v_health ->> 'status' = 'DOWN' THEN
		PERFORM set_config('response.status', '503', true);
	END IF;
	RETURN v_health;
END $$;
COMMENT ON FUNCTION sched._api_liveness() IS 'Behind sched_api.liveness().';

CREATE FUNCTION sched._api_readiness() RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_health	jsonb := sched.readiness();
BEGIN
	IF v_health ->> 'status' = 'DOWN' THEN
		PERFORM set_config('response.status', '503', true);
	END IF;
	RETURN v_health;
END $$;
COMMENT ON FUNCTION sched._api_readiness() IS 'Behind sched_api.readiness().';

CREATE FUNCTION sched._api_prometheus_metrics() RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	PERFORM set_config('response.headers',
		'[{"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}, {"Cache-Control": "no-store"}]', true);
	RETURN sched.prometheus_metrics();
END $$;
COMMENT ON FUNCTION sched._api_prometheus_metrics() IS 'Behind sched_api.prometheus_metrics().';

/* ---- views and functions ---- */

/* Those of sched that HTTP clients see. */
CREATE FUNCTION sched._api_views() RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ARRAY['jobs', 'active_jobs', 'triggers', 'tasks', 'runs', 'dependencies', 'executors', 'active_executors',
	'cluster_status', 'locks', 'events', 'subscriptions', 'task_types', 'pools'];
COMMENT ON FUNCTION sched._api_views() IS 'The views of sched that sched_api shows.';

CREATE FUNCTION sched._api_functions() RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ARRAY['create_job', 'update_job', 'get_job', 'activate_job', 'pause_job', 'resume_job', 'disable_job', 'delete_job',
	'run_job', 'add_trigger', 'remove_trigger', 'job_plan', 'backfill',
	'next_fire_times', 'describe_schedule', 'create_calendar', 'update_calendar', 'drop_calendar',
	'schedule_task', 'schedule_tasks', 'assign_task', 'start_task', 'complete_task', 'fail_task', 'complete_tasks',
	'fail_tasks', 'cancel_task', 'retry_task', 'rerun_task', 'log_task', 'report_progress', 'get_task', 'tasks_by_job',
	'tasks_by_status', 'task_logs', 'task_attempts', 'task_executor', 'why',
	'register_executor', 'activate_executor', 'deactivate_executor', 'deregister_executor', 'rotate_executor_token',
	'heartbeat', 'claim_tasks', 'detect_failed_executors', 'acquire_lock', 'release_lock',
	'add_dependency', 'remove_dependency', 'dependency_graph', 'emit_event', 'subscribe', 'unsubscribe',
	'pause_subscription', 'resume_subscription',
	'health', 'liveness', 'readiness', 'status', 'prometheus_metrics', 'scaling_metric', 'resume_all'];
COMMENT ON FUNCTION sched._api_functions() IS 'The functions of sched that sched_api has.';

DO $$
DECLARE
	v_view		text;
	v_function	record;
	v_column	record;
BEGIN
	FOREACH v_view IN ARRAY sched._api_views() LOOP
		CONTINUE WHEN to_regclass('sched.' || v_view) IS NULL;
		EXECUTE format('CREATE VIEW sched_api.%I WITH (security_invoker, security_barrier) AS SELECT * FROM sched.%I',
					   v_view, v_view);
		EXECUTE format('COMMENT ON VIEW sched_api.%I IS %L', v_view,
					   obj_description(to_regclass('sched.' || v_view), 'pg_class'));
		FOR v_column IN
			SELECT a.attname, col_description(a.attrelid, a.attnum) AS comment FROM pg_catalog.pg_attribute a
			WHERE a.attrelid = to_regclass('sched.' || v_view) AND a.attnum > 0
			  AND col_description(a.attrelid, a.attnum) IS NOT NULL
		LOOP
			EXECUTE format('COMMENT ON COLUMN sched_api.%I.%I IS %L', v_view, v_column.attname, v_column.comment);
		END LOOP;
	END LOOP;

	/* of overloads the one that takes ids */
	FOR v_function IN
		SELECT DISTINCT ON (p.proname) p.oid, p.proname, p.proisstrict, p.provolatile, p.proretset, p.prorows,
			pg_get_function_arguments(p.oid) AS arguments, pg_get_function_identity_arguments(p.oid) AS identity,
			CASE p.proname WHEN 'prometheus_metrics' THEN 'sched_api."text/plain"'
				ELSE pg_get_function_result(p.oid) END AS result,
			obj_description(p.oid, 'pg_proc') AS comment
		FROM pg_catalog.pg_proc p
		WHERE p.pronamespace = 'sched'::regnamespace AND p.proname = ANY (sched._api_functions()) AND p.proname <> 'register_executor'	/* 82_api_executors.sql */
		ORDER BY p.proname, p.proargnames[1] IN ('job_id', 'task_id') DESC, p.pronargs DESC, p.oid
	LOOP
		EXECUTE format($f$CREATE FUNCTION sched_api.%I(%s) RETURNS %s LANGUAGE c %s %s %s PARALLEL UNSAFE
			AS 'MODULE_PATHNAME', 'sched_api_call'$f$,
			v_function.proname, v_function.arguments, v_function.result,
			CASE v_function.provolatile WHEN 'v' THEN 'VOLATILE' ELSE 'STABLE' END,
			CASE WHEN v_function.proisstrict THEN 'STRICT' ELSE '' END,
			CASE WHEN v_function.proretset THEN 'ROWS ' || v_function.prorows ELSE '' END);
		EXECUTE format('COMMENT ON FUNCTION sched_api.%I(%s) IS %L', v_function.proname, v_function.identity,
					   v_function.comment);
	END LOOP;
END $$;

/* ---- who asks ---- */

/*
 * The executor whose token the request brings, NULL: it brings none.  A header
 * proves nothing unless PostgREST says that it was there: any session can set
 * request.headers, but not who it connected as.
 */
CREATE FUNCTION sched.__request_token(p_caller oid) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF NOT coalesce(current_setting('sched.security_enabled', true)::boolean, true)
		OR NOT EXISTS (SELECT FROM sched._authenticator a WHERE a.name = session_user)
	THEN
		RETURN NULL;
	END IF;
	RETURN nullif(current_setting('request.headers', true), '')::jsonb
		->> lower(coalesce(current_setting('sched.executor_auth_header', true), ''));
END $$;
COMMENT ON FUNCTION sched.__request_token(oid) IS 'Behind sched._request_token().';
CREATE FUNCTION sched._request_token() RETURNS text
LANGUAGE c STABLE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched._request_token() IS 'The executor token that came with the HTTP request that PostgREST works on.';
