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
					|| coalesce((SELECT format(': it failed at %s with %s', r.fault_at, r.fault)
								 FROM sched._router r WHERE r.name = p_job.routing AND r.fault IS NOT NULL), '')
				 ELSE format('by route %s to executor "%s", which has not taken it yet', p_job.routing, v_target) END;
	END IF;
END $$;
COMMENT ON FUNCTION sched._why_executors(sched._job, bigint) IS 'What sched.why() says of executors.';

/*
 * Functions of users that choose the executor.  They run as the owner of the job, in a
 * worker; see src/application/executors/router.c.  Kept as text for the same reason as those of
 * trigger types, and with the same rule: nobody gains a right by one.
 */
CREATE TABLE sched._router
(
	name		text COLLATE pg_catalog."C" NOT NULL,
	selector	text NOT NULL,				-- a signature, as of regprocedure
	owner		regrole NOT NULL,
	created_at	timestamptz NOT NULL,
	fault		text,						-- the last failure, since it was registered
	fault_at	timestamptz,
	CONSTRAINT router_pkey PRIMARY KEY (name)
);
COMMENT ON TABLE sched._router IS 'Functions that choose the executor of a task.';

CREATE VIEW sched.routers AS
SELECT r.name, r.selector, pg_catalog.pg_get_userbyid(r.owner) AS owner, r.created_at, r.fault, r.fault_at
FROM sched._router r ORDER BY r.name;
COMMENT ON VIEW sched.routers IS 'Functions that may be the routing of a job.';
COMMENT ON COLUMN sched.routers.name IS 'As in sched.create_job(routing => ...).';
COMMENT ON COLUMN sched.routers.selector IS 'The function.';
COMMENT ON COLUMN sched.routers.owner IS 'Who registered it, and may take it away.';
COMMENT ON COLUMN sched.routers.created_at IS 'When it was registered.';
COMMENT ON COLUMN sched.routers.fault IS 'How it failed last; NULL: it has not.';
COMMENT ON COLUMN sched.routers.fault_at IS 'When that was.';

CREATE FUNCTION sched._register_router(p_caller oid, p_name text, p_selector regproc) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_proc		pg_catalog.pg_proc;
	v_signature	text := p_selector::oid::regprocedure::text;
BEGIN
	IF p_name IS NULL OR octet_length(p_name) NOT BETWEEN 1 AND 63 OR p_name ~ '[[:cntrl:][:space:],]'
		OR p_name IN ('pull', 'round_robin', 'least_load', 'consistent_hash', 'broadcast', 'sticky', 'custom')
	THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('invalid name of a router: %s', coalesce('"' || left(p_name, 100) || '"', 'NULL')),
			DETAIL = 'A name has 1 to 63 bytes, neither blanks nor commas, and is none of the built-in routes.',
			HINT = 'For example "nearest".';
	END IF;
	SELECT p.* INTO v_proc FROM pg_catalog.pg_proc p WHERE p.oid = p_selector::oid;
	IF v_proc.oid IS NULL OR v_proc.prokind <> 'f' OR v_proc.proretset OR v_proc.prorettype <> 'text'::regtype
		OR v_proc.proargtypes::text <> format('%s %s', 'jsonb'::regtype::oid, 'jsonb'::regtype::oid)
	THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('invalid selector for router "%s"', p_name),
			DETAIL = format('%s is not a function of the form that is needed.', coalesce(v_signature, 'NULL')),
			HINT = 'Give f(task jsonb, executors jsonb) RETURNS text.';
	ELSIF NOT pg_has_role(p_caller, v_proc.proowner, 'USAGE') THEN
		RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
			MESSAGE = format('permission denied for function %s', v_signature),
			DETAIL = format('Role "%s" is not a member of its owner "%s".',
							pg_get_userbyid(p_caller), pg_get_userbyid(v_proc.proowner));
	END IF;
	INSERT INTO sched._router (name, selector, owner, created_at)
	SELECT p_name, v_signature, p_caller, sched._now()
	ON CONFLICT (name) DO NOTHING;
	IF NOT FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'duplicate_object',
			MESSAGE = format('router "%s" already exists', p_name),
			HINT = 'Replace its function, or choose another name.';
	END IF;
END $$;
COMMENT ON FUNCTION sched._register_router(oid, text, regproc) IS 'Behind sched.register_router().';
CREATE FUNCTION sched.register_router(name text, selector regproc) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched.register_router(text, regproc) IS 'Makes a function of the caller choose executors for jobs with that routing: selector(task jsonb, executors jsonb) returns the name of one, NULL for none now. It runs as the owner of the job.';

CREATE FUNCTION sched._unregister_router(p_caller oid, p_name text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_owner	oid;
	v_users	bigint;
BEGIN
	SELECT r.owner INTO v_owner FROM sched._router r WHERE r.name = p_name FOR UPDATE;
	IF NOT FOUND THEN
		RETURN false;
	END IF;
	PERFORM sched._check_right(p_caller, v_owner, 'change', format('router "%s"', p_name));
	SELECT count(*) INTO v_users FROM sched._job j WHERE j.routing = p_name AND j.status <> 'deleted';
	IF v_users > 0 THEN
		RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = format('router "%s" is in use', p_name),
			DETAIL = format('Jobs that use it: %s.', v_users),
			HINT = 'Give these jobs another routing first.';
	END IF;
	DELETE FROM sched._router r WHERE r.name = p_name;
	RETURN true;
END $$;
COMMENT ON FUNCTION sched._unregister_router(oid, text) IS 'Behind sched.unregister_router().';
CREATE FUNCTION sched.unregister_router(name text) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched.unregister_router(text) IS 'Takes a router away that no job uses. False when there is none of that name.';

/* The function to ask for a job, and the executors to choose from. */
CREATE FUNCTION sched._router_question(p_job_id bigint, OUT selector oid, OUT executors jsonb)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_job	sched._job;
	v_text	text;
BEGIN
	SELECT j.* INTO v_job FROM sched._job j WHERE j.job_id = p_job_id;
	SELECT r.selector INTO v_text FROM sched._router r WHERE r.name = v_job.routing;
	IF NOT FOUND THEN
		RETURN;
	END IF;
	selector := to_regprocedure(v_text)::oid;
	IF selector IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_function',
			MESSAGE = format('function %s of router "%s" does not exist', v_text, v_job.routing);
	END IF;
	SELECT coalesce(jsonb_agg(jsonb_build_object('name', x.name, 'tags', x.tags, 'running', l.running,
				'max_concurrent', x.max_concurrent, 'load', l.load, 'info', x.info) ORDER BY x.executor_id), '[]')
	INTO executors
	FROM sched._executor x JOIN sched._live_executors() AS l ON l.executor_id = x.executor_id
	WHERE l.status = 'online' AND x.status <> 'deregistered'
	  AND (x.types = '{}' OR v_job.type = ANY (x.types)) AND x.tags @> v_job.required_tags;
END $$;
COMMENT ON FUNCTION sched._router_question(bigint) IS 'What to ask, and about whom, to choose executors for the tasks of a job.';

CREATE FUNCTION sched._router_task(p_task_id bigint) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN (SELECT jsonb_build_object('task_id', t.task_id, 'job_id', t.job_id, 'job_name', j.name, 'type', j.type,
				'run_id', t.run_id, 'scheduled_at', t.scheduled_at, 'priority', coalesce(t.priority, j.priority),
				'parameters', j.parameters || coalesce(t.parameters, '{}'), 'required_tags', j.required_tags)
			FROM sched._task t JOIN sched._job j ON j.job_id = t.job_id WHERE t.task_id = p_task_id);
END $$;
COMMENT ON FUNCTION sched._router_task(bigint) IS 'The task that a router is asked about.';

CREATE FUNCTION sched._router_fault(p_job_id bigint, p_error text) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_name	text;
BEGIN
	UPDATE sched._router r SET fault = p_error, fault_at = sched._now()
	WHERE r.name = (SELECT j.routing FROM sched._job j WHERE j.job_id = p_job_id)
	RETURNING r.name INTO v_name;
	RETURN v_name;
END $$;
COMMENT ON FUNCTION sched._router_fault(bigint, text) IS 'Notes how a router failed.';

/*
 * Broadcast tasks and their shards, see src/application/executors/broadcast.c.  Rows go when
 * their tasks have left the history.
 */
CREATE TABLE sched._shard
(
	task_id		bigint NOT NULL,
	parent_id	bigint NOT NULL,
	executor_id	int NOT NULL,				-- the only one that may have it
	shard_index	int NOT NULL,				-- from 0
	shard_total	int NOT NULL,
	CONSTRAINT shard_pkey PRIMARY KEY (task_id)
);
CREATE INDEX shard_parent_idx ON sched._shard (parent_id);
COMMENT ON TABLE sched._shard IS 'Which tasks are shards of a broadcast task.';

CREATE VIEW sched.shards WITH (security_barrier) AS
SELECT s.parent_id,
	s.task_id,
	s.shard_index,
	s.shard_total,
	x.name AS executor,
	t.status,
	t.result,
	t.error
FROM sched._shard s
JOIN sched.tasks t ON t.task_id = s.task_id
LEFT JOIN sched._executor x ON x.executor_id = s.executor_id
ORDER BY s.parent_id DESC, s.shard_index;
COMMENT ON VIEW sched.shards IS 'The shards of broadcast tasks.';
COMMENT ON COLUMN sched.shards.parent_id IS 'The broadcast task.';
COMMENT ON COLUMN sched.shards.task_id IS 'The shard, a task in the same run.';
COMMENT ON COLUMN sched.shards.shard_index IS 'Which one it is, from 0; a parameter of the shard.';
COMMENT ON COLUMN sched.shards.shard_total IS 'How many there are; a parameter of the shard.';
COMMENT ON COLUMN sched.shards.executor IS 'The executor that it is for.';
COMMENT ON COLUMN sched.shards.status IS 'The state of the shard, as in sched.tasks.';
COMMENT ON COLUMN sched.shards.result IS 'Its result.';
COMMENT ON COLUMN sched.shards.error IS 'Its error.';
