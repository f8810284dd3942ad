/*
 * Looking at tasks, and running one again.  What changes the state of a live
 * task is in C.
 */

/* A task on which the caller has the right. */
CREATE FUNCTION sched._task_find(p_caller oid, p_task_id bigint, p_verb text) RETURNS sched._task
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_task	sched._task;
	v_owner	oid;
BEGIN
	IF p_task_id IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'the task is missing', DETAIL = 'Argument "task_id" is NULL.',
			HINT = 'Give the task_id of a task, see sched.tasks.';
	END IF;
	SELECT t.* INTO v_task FROM sched._task t WHERE t.task_id = p_task_id;
	IF NOT FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object',
			MESSAGE = format('task %s does not exist', p_task_id),
			HINT = CASE WHEN p_task_id > 0 AND p_task_id < sched._segment_position()
				THEN 'It may have been removed after the time that history is kept for.'
				ELSE 'See sched.tasks for those that do.' END;
	END IF;
	SELECT j.owner INTO v_owner FROM sched._job j WHERE j.job_id = v_task.job_id;
	PERFORM sched._check_right(p_caller, coalesce(v_owner, 0), p_verb, format('task %s', p_task_id));
	RETURN v_task;
END $$;
COMMENT ON FUNCTION sched._task_find(oid, bigint, text) IS 'Looks a task up and checks the right on it.';

CREATE FUNCTION sched._get_task(p_caller oid, p_task_id bigint) RETURNS sched.tasks
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_row	sched.tasks;
BEGIN
	PERFORM sched._task_find(p_caller, p_task_id, 'see');
	SELECT t.* INTO v_row FROM sched.tasks t WHERE t.task_id = p_task_id;
	RETURN v_row;
END $$;
COMMENT ON FUNCTION sched._get_task(oid, bigint) IS 'Behind sched.get_task().';
CREATE FUNCTION sched.get_task(task_id bigint) RETURNS sched.tasks
LANGUAGE c STABLE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched.get_task(bigint) IS 'A task: the row of sched.tasks.';

CREATE FUNCTION sched._tasks_by_job(p_caller oid, p_job_id bigint) RETURNS SETOF sched.tasks
LANGUAGE plpgsql VOLATILE ROWS 100 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_job_id	bigint := sched._job_id(p_caller, p_job_id);
BEGIN
	RETURN QUERY SELECT t.* FROM sched.tasks t WHERE t.job_id = v_job_id ORDER BY t.task_id;
END $$;
COMMENT ON FUNCTION sched._tasks_by_job(oid, bigint) IS 'Behind sched.tasks_by_job().';
CREATE FUNCTION sched.tasks_by_job(job_id bigint) RETURNS SETOF sched.tasks
LANGUAGE c STABLE PARALLEL RESTRICTED ROWS 100
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched.tasks_by_job(bigint) IS 'The tasks of a job, oldest first.';

CREATE FUNCTION sched._tasks_by_job(p_caller oid, p_job text) RETURNS SETOF sched.tasks
LANGUAGE plpgsql VOLATILE ROWS 100 SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN QUERY SELECT t.* FROM sched._tasks_by_job(p_caller, sched._job_id(p_caller, p_job)) AS t;
END $$;
COMMENT ON FUNCTION sched._tasks_by_job(oid, text) IS 'Behind sched.tasks_by_job().';
CREATE FUNCTION sched.tasks_by_job(job text) RETURNS SETOF sched.tasks
LANGUAGE c STABLE PARALLEL RESTRICTED ROWS 100
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched.tasks_by_job(text) IS 'The tasks of a job, oldest first.';

CREATE FUNCTION sched._tasks_by_status(p_caller oid, p_status text) RETURNS SETOF sched.tasks
LANGUAGE plpgsql VOLATILE ROWS 100 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_live		text[] := ARRAY['scheduled', 'waiting', 'ready', 'assigned', 'running', 'waiting_retry'];
	v_final		text[] := ARRAY['completed', 'failed', 'timeout', 'cancelled', 'skipped',
								'upstream_failed', 'missed'];
	v_owners	oid[];
BEGIN
	IF p_status IS NULL OR p_status <> ALL (v_live || v_final) THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('unknown task status %s', coalesce('"' || left(p_status, 100) || '"', 'NULL')),
			DETAIL = format('status is %s.', coalesce('"' || left(p_status, 100) || '"', 'NULL')),
			HINT = format('Allowed are: %s.', array_to_string(v_live || v_final, ', '));
	END IF;
	SELECT array_agg(o.owner) INTO v_owners
	FROM (SELECT DISTINCT j.owner::oid AS owner FROM sched._job j) AS o
	WHERE sched._may(p_caller, o.owner, 'see');

	IF p_status IN ('assigned', 'running') THEN
		/* never anywhere but in memory */
		RETURN QUERY SELECT t.* FROM sched.tasks t
			JOIN sched._job j ON j.job_id = t.job_id
			WHERE t.task_id = ANY (ARRAY(SELECT l.task_id FROM sched._live_tasks() l
										 WHERE l.status = p_status))
			  AND t.status = p_status AND j.owner::oid = ANY (v_owners)
			ORDER BY t.task_id;
	ELSE
		RETURN QUERY SELECT t.* FROM sched.tasks t
			JOIN sched._job j ON j.job_id = t.job_id
			WHERE t.status = p_status AND j.owner::oid = ANY (v_owners)
			ORDER BY t.task_id;
	END IF;
END $$;
COMMENT ON FUNCTION sched._tasks_by_status(oid, text) IS 'Behind sched.tasks_by_status().';
CREATE FUNCTION sched.tasks_by_status(status text) RETURNS SETOF sched.tasks
LANGUAGE c STABLE PARALLEL RESTRICTED ROWS 100
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched.tasks_by_status(text) IS 'The tasks of a status that the caller may see, oldest first.';

CREATE FUNCTION sched._task_logs(p_caller oid, p_task_id bigint, p_min_level text)
RETURNS TABLE (log_id bigint, logged_at timestamptz, attempt int, level text, message text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
	v_levels	text[] := ARRAY['debug', 'info', 'warning', 'error'];
	v_min		int := array_position(v_levels, lower(p_min_level)) - 1;
BEGIN
	PERFORM sched._task_find(p_caller, p_task_id, 'see');
	IF v_min IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('unknown log level %s for task %s',
							 coalesce('"' || left(p_min_level, 100) || '"', 'NULL'), p_task_id),
			DETAIL = format('min_level is %s.', coalesce('"' || left(p_min_level, 100) || '"', 'NULL')),
			HINT = format('Allowed are: %s.', array_to_string(v_levels, ', '));
	END IF;
	RETURN QUERY
		SELECT l.log_id, l.logged_at, l.attempt, v_levels[l.level + 1], l.message
		FROM sched._log l
		WHERE l.task_id = p_task_id AND l.level >= v_min
		ORDER BY l.log_id;
END $$;
COMMENT ON FUNCTION sched._task_logs(oid, bigint, text) IS 'Behind sched.task_logs().';
CREATE FUNCTION sched.task_logs(task_id bigint, min_level text DEFAULT 'debug')
RETURNS TABLE (log_id bigint, logged_at timestamptz, attempt int, level text, message text)
LANGUAGE c STABLE PARALLEL RESTRICTED ROWS 20
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched.task_logs(bigint, text) IS 'What a task said, from min_level (debug, info, warning, error) up.';

CREATE FUNCTION sched._task_attempts(p_caller oid, p_task_id bigint)
RETURNS TABLE (attempt int, executor text, started_at timestamptz, finished_at timestamptz,
	outcome text, error text, sqlstate text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
	PERFORM sched._task_find(p_caller, p_task_id, 'see');
	RETURN QUERY
		SELECT o.attempt, sched._executor_name(o.executor_id), o.started_at, o.finished_at,
			sched._outcome_status(o.status), o.error, o.sqlstate
		FROM sched._outcome o
		WHERE o.task_id = p_task_id
		  AND (o.started_at IS NOT NULL OR o.executor_id IS NOT NULL)
		UNION ALL
		SELECT l.attempt, l.executor, l.started_at, NULL, NULL, NULL, NULL
		FROM sched._live_task(p_task_id) AS l
		WHERE l.status IN ('assigned', 'running')
		  AND NOT EXISTS (SELECT FROM sched._outcome o
						  WHERE o.task_id = p_task_id AND (o.final OR o.attempt >= l.attempt))
		ORDER BY 1;
END $$;
COMMENT ON FUNCTION sched._task_attempts(oid, bigint) IS 'Behind sched.task_attempts().';
CREATE FUNCTION sched.task_attempts(task_id bigint)
RETURNS TABLE (attempt int, executor text, started_at timestamptz, finished_at timestamptz,
	outcome text, error text, sqlstate text)
LANGUAGE c STABLE PARALLEL RESTRICTED ROWS 3
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched.task_attempts(bigint) IS 'Every attempt at a task, the running one included (outcome NULL). Outcomes are those of tasks, and lost and released.';

/* A new task for the same nominal time, in the same run. */
CREATE FUNCTION sched._rerun_task(p_caller oid, p_task_id bigint, p_downstream boolean) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_task	sched._task;
	v_job	sched._job;
BEGIN
	v_task := sched._task_find(p_caller, p_task_id, 'operate');
	SELECT j.* INTO v_job FROM sched._job j WHERE j.job_id = v_task.job_id;
	IF v_job.status = 'deleted' THEN
		RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = format('cannot run task %s again', p_task_id),
			DETAIL = format('Its job "%s" has been deleted.', v_job.name);
	END IF;
	IF NOT EXISTS (SELECT FROM sched._outcome o WHERE o.task_id = p_task_id AND o.final) THEN
		RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = format('cannot run task %s again', p_task_id),
			DETAIL = 'It has not ended yet.',
			HINT = 'Cancel it first with sched.cancel_task().';
	END IF;
	IF p_downstream THEN
		RETURN sched._rerun_downstream(p_caller, v_task);
	END IF;
	RETURN sched._enqueue(v_task.job_id, least(v_task.scheduled_at, sched._now()), v_task.parameters,
						  v_task.priority::int, v_task.run_id, p_task_id, NULL::bigint, NULL::int);
END $$;
COMMENT ON FUNCTION sched._rerun_task(oid, bigint, boolean) IS 'Behind sched.rerun_task().';
CREATE FUNCTION sched.rerun_task(task_id bigint, downstream boolean DEFAULT false) RETURNS bigint
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched.rerun_task(bigint, boolean) IS 'Runs a task that has ended once more, as a new task, whose task_id it returns; with downstream also all that followed from it, in the same run.';

/*
 * Everything that a task waits for.  All conditions are listed, not only those
 * that are not met.
 */
CREATE FUNCTION sched._why(p_caller oid, p_task_id bigint)
RETURNS TABLE (condition text, satisfied boolean, detail text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
	v_task		sched._task;
	v_row		sched.tasks;
	v_job		sched._job;
	v_live		record;
	v_state		record;
	v_lane		record;
	v_running	bigint;
	v_limit		int;
	v_role		oid;
	v_login		boolean;
	v_workers	int;
	v_type		sched._task_type;
	v_pool		record;
BEGIN
	v_task := sched._task_find(p_caller, p_task_id, 'see');
	SELECT t.* INTO v_row FROM sched.tasks t WHERE t.task_id = p_task_id;
	SELECT j.* INTO v_job FROM sched._job j WHERE j.job_id = v_task.job_id;

	IF v_row.finished_at IS NOT NULL THEN
		RETURN QUERY SELECT 'task has not ended', false,
			format('%s at %s%s', v_row.status, v_row.finished_at, coalesce(': ' || coalesce(v_row.reason, v_row.error), ''));
		RETURN;
	END IF;
	SELECT l.* INTO v_live FROM sched._live_task(p_task_id) AS l;
	IF v_row.status IN ('assigned', 'running') THEN
		RETURN QUERY SELECT 'task runs', true,
			format('%s, attempt %s%s%s', v_row.status, v_row.attempt,
				   coalesce(' on ' || v_row.executor, ''), coalesce(' since ' || v_row.started_at, ''));
		RETURN;
	END IF;

	/* the whole */
	SELECT s.* INTO v_state FROM sched._scheduler_state() AS s;
	RETURN QUERY SELECT 'scheduler runs', coalesce(v_state.running, false),
		CASE WHEN pg_is_in_recovery() THEN 'this server is a standby'
			 WHEN v_state.running THEN format('since %s', v_state.started_at)
			 ELSE 'no scheduler runs in this database' END;
	RETURN QUERY SELECT 'database is not held', v_state.held IS NULL,
		coalesce(v_state.held || '; see sched.resume_all()', 'it is not');
	RETURN QUERY SELECT 'sched.enabled is on',
		coalesce(current_setting('sched.enabled', true)::boolean, true), 'setting';

	/* the job */
	RETURN QUERY SELECT 'job is not paused', v_job.status <> 'paused',
		format('job "%s" is %s%s', v_job.name, v_job.status, coalesce(': ' || v_job.status_reason, ''));
	v_role := coalesce(v_job.run_as, v_job.owner)::oid;
	SELECT a.rolcanlogin INTO v_login FROM pg_catalog.pg_authid a WHERE a.oid = v_role;
	RETURN QUERY SELECT 'role can log in', coalesce(v_login, false),
		CASE WHEN v_login IS NULL THEN format('the role with OID %s does not exist', v_role)
			 ELSE format('runs as "%s"', pg_get_userbyid(v_role)) END;

	/* its time */
	RETURN QUERY SELECT 'its time has come', v_row.status <> 'scheduled',
		format('scheduled for %s', v_task.scheduled_at);
	IF v_row.status = 'waiting_retry' OR v_row.attempt > 0 THEN
		RETURN QUERY SELECT 'retry delay is over', v_row.status <> 'waiting_retry',
			format('attempt %s of %s ended: %s%s', v_row.attempt, v_row.max_attempts,
				   coalesce(v_row.error, v_row.reason, 'without a word'),
				   coalesce('; next at ' || v_row.retry_at, ''));
	END IF;

	/* those that it depends on */
	IF v_row.status = 'waiting' THEN
		RETURN QUERY
			SELECT format('depends on job "%s"', e.depends_on), e.letter = 'S',
				concat_ws(', ', format('%s: %s', e.type, CASE e.letter
						WHEN 'S' THEN 'satisfied' WHEN 'F' THEN 'failed' WHEN 'U' THEN 'upstream failed'
						WHEN 'K' THEN 'skipped' WHEN '-' THEN 'excludes' ELSE 'pending' END),
					e.match, 'task ' || e.upstream_task || ' is ' || e.upstream_status, e.detail)
			FROM sched._edges_of_task(p_task_id) AS e
			ORDER BY e.edge;
		RETURN QUERY SELECT 'dependencies allow it', false,
			(SELECT concat_ws(', ', 'trigger_rule ' || n.rule, 'gives up at ' || n.give_up_at)
			 FROM sched._node n WHERE n.task_id = p_task_id);
	END IF;

	/* room for it */
	RETURN QUERY SELECT 'is in the queue', v_live.status IS NOT NULL,
		CASE WHEN v_live.status IS NOT NULL THEN format('status %s', v_live.status)
			 WHEN v_row.status = 'scheduled' THEN 'not yet: it is due later'
			 ELSE format('the queue holds %s of %s; read from the table as soon as there is room',
						 v_state.queue_used, v_state.queue_size) END;
	SELECT l.* INTO v_lane FROM sched._live_jobs() AS l WHERE l.job_id = v_task.job_id;
	RETURN QUERY SELECT 'job is below max_concurrent_runs',
		coalesce(v_lane.running, 0) < coalesce(v_job.max_concurrent_runs, 2147483647),
		format('%s running, %s', coalesce(v_lane.running, 0),
			   coalesce('at most ' || v_job.max_concurrent_runs, 'no limit')) || coalesce('; ' || v_lane.limited, '');
	SELECT sum(l.running) INTO v_running FROM sched._live_jobs() AS l;
	v_limit := nullif(current_setting('sched.max_concurrent_jobs', true)::int, 0);
	RETURN QUERY SELECT 'database is below sched.max_concurrent_jobs',
		coalesce(v_running, 0) < coalesce(v_limit, 2147483647),
		format('%s running, %s', coalesce(v_running, 0), coalesce('at most ' || v_limit, 'no limit'));
	IF v_job.pool IS NOT NULL THEN
		SELECT p.slots, s.used, s.waiting, s.first_waiting INTO v_pool
		FROM sched._pool_state(v_job.pool) AS s LEFT JOIN sched._pool p ON p.name = v_job.pool;
		RETURN QUERY SELECT 'pool has room',
			coalesce(coalesce(v_pool.used, 0) + least(coalesce(v_job.pool_slots, 1), v_pool.slots) <= v_pool.slots
				AND v_pool.slots > 0 AND (v_pool.first_waiting IS NULL OR v_pool.first_waiting = p_task_id), false),
			CASE WHEN v_pool.slots IS NULL THEN format('pool "%s" does not exist', v_job.pool)
				 ELSE format('pool "%s": %s of %s slots used, this task needs %s', v_job.pool, v_pool.used, v_pool.slots,
							 coalesce(v_job.pool_slots, 1))
					|| CASE WHEN v_job.pool_slots > v_pool.slots THEN ' and will take all of them' ELSE '' END
					|| CASE WHEN v_pool.first_waiting <> p_task_id
							THEN format('; task %s comes first', v_pool.first_waiting) ELSE '' END END;
	END IF;
	SELECT tt.* INTO v_type FROM sched._task_type tt WHERE tt.name = v_job.type;
	IF v_type.handler IS NOT NULL THEN
		RETURN QUERY SELECT 'its handler is there', to_regprocedure(v_type.handler) IS NOT NULL,
			format('%s of task type "%s"', v_type.handler, v_type.name);
	END IF;
	IF v_job.type = 'sql' OR v_type.handler IS NOT NULL THEN
		SELECT count(*)::int INTO v_workers FROM sched._workers() AS w;
		v_limit := current_setting('sched.max_workers', true)::int;
		RETURN QUERY SELECT 'a worker is free',
			v_state.no_slot_since IS NULL
			AND (EXISTS (SELECT FROM sched._workers() AS w
						 WHERE w.role = v_role AND w.task_id IS NULL
						   AND w.database = (SELECT d.oid FROM pg_catalog.pg_database d
											 WHERE d.datname = current_database()))
				 OR coalesce(v_state.worker_slots_used, v_workers) < v_limit),
			CASE WHEN v_state.no_slot_since IS NOT NULL
				 THEN format('the server has had no slot for another worker since %s', v_state.no_slot_since)
				 ELSE format('%s of %s workers in the server', coalesce(v_state.worker_slots_used, v_workers), v_limit) END;
		RETURN QUERY SELECT 'workers of its role start', false,
			format('%s died before their first task, the server log says why; tried again at %s', f.failures, f.retry_at)
		FROM sched._start_failures() AS f WHERE f.role = v_role;
	ELSIF v_job.type <> 'http' THEN
		RETURN QUERY SELECT w.* FROM sched._why_executors(v_job, p_task_id) AS w;
	END IF;
	IF v_live.holds IS NOT NULL THEN
		RETURN QUERY SELECT 'nothing else holds it', false, v_live.holds;
	END IF;
END $$;
COMMENT ON FUNCTION sched._why(oid, bigint) IS 'Behind sched.why().';
CREATE FUNCTION sched.why(task_id bigint)
RETURNS TABLE (condition text, satisfied boolean, detail text)
LANGUAGE c STABLE PARALLEL RESTRICTED ROWS 12
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched.why(bigint) IS 'Everything that a task waits for, and whether it is there.';
