/*
 * Routing: which executor has a job's tasks.  The choice is made in C; here is
 * what sched.why() says of it, and the functions of users that choose.
 */
CREATE FUNCTION sched._task_target(task_id bigint) RETURNS int
LANGUAGE c STABLE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_task_target';
COMMENT ON FUNCTION sched._task_target(bigint) IS 'The executor that a ready task was given to, NULL: none.';

/* Is there an executor that may have the task, and if not, what is missing? */
CREATE FUNCTION sched._why_executors(p_job sched._job, p_task_id bigint)
RETURNS TABLE (condition text, satisfied boolean, detail text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
	v_all		bigint;
	v_typed		bigint;
	v_tagged	bigint;
	v_online	bigint;
	v_room		bigint;
	v_target	text;
BEGIN
	SELECT count(*), count(*) FILTER (WHERE e.typed), count(*) FILTER (WHERE e.typed AND e.tagged),
		count(*) FILTER (WHERE e.typed AND e.tagged AND e.online),
		count(*) FILTER (WHERE e.typed AND e.tagged AND e.online AND e.room)
	INTO v_all, v_typed, v_tagged, v_online, v_room
	FROM (SELECT (x.types = '{}' OR p_job.type = ANY (x.types)) AS typed,
				 x.tags @> p_job.required_tags AS tagged,
				 coalesce(l.status, x.status) = 'online' AS online,
				 coalesce(l.running, 0) < x.max_concurrent AS room
		  FROM sched._executor x LEFT JOIN sched._live_executors() AS l ON l.executor_id = x.executor_id
		  WHERE x.status <> 'deregistered') AS e;
	RETURN QUERY SELECT 'an executor takes its type', v_typed > 0,
		format('%s of %s executors take tasks of type "%s"', v_typed, v_all, p_job.type);
	IF p_job.required_tags <> '{}' THEN
		RETURN QUERY SELECT 'an executor has its tags', v_tagged > 0,
			format('%s of these have all of the tags %s', v_tagged, array_to_string(p_job.required_tags, ', '));
	END IF;
	RETURN QUERY SELECT 'an executor is online', v_online > 0, format('%s of these are online', v_online);
	RETURN QUERY SELECT 'an executor has room', v_room > 0,
		format('%s of these have fewer than max_concurrent tasks', v_room);

	IF coalesce(p_job.routing, 'pull') <> 'pull' THEN
		SELECT x.name INTO v_target FROM sched._executor x WHERE x.executor_id = sched._task_target(p_task_id);
		RETURN QUERY SELECT 'it was given to an executor', v_target IS NOT NULL,
			CASE WHEN v_target IS NULL THEN format('route %s has not found one', p_job.routing)
				 ELSE format('by route %s to executor "%s", which has not taken it yet', p_job.routing, v_target) END;
	END IF;
END $$;
COMMENT ON FUNCTION sched._why_executors(sched._job, bigint) IS 'What sched.why() says of executors.';
