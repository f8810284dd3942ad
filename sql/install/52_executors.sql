/*
 * Executors: who takes part, and what they do with tasks.
 *
 * The functions that are called all the time (beats, claims, completions) are in C
 * and touch no row of _executor; what is here changes it, a trigger passes
 * it on to shared memory at commit.
 */

CREATE FUNCTION sched._executor_changed()
RETURNS trigger LANGUAGE c
AS 'MODULE_PATHNAME', 'sched_executor_changed';
COMMENT ON FUNCTION sched._executor_changed() IS 'Passes a changed executor on to shared memory.';
CREATE TRIGGER executor_changed AFTER INSERT OR UPDATE OR DELETE ON sched._executor
	FOR EACH ROW EXECUTE FUNCTION sched._executor_changed();
ALTER TABLE sched._executor ENABLE ALWAYS TRIGGER executor_changed;

CREATE FUNCTION sched._live_executors()
RETURNS TABLE (executor_id int, status text, running int, load jsonb, last_heartbeat_at timestamptz, claimed bigint)
LANGUAGE c STABLE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_live_executors';
COMMENT ON FUNCTION sched._live_executors() IS 'What shared memory knows of executors.';

CREATE FUNCTION sched._cluster_counts(OUT waiting_sessions int, OUT ready int, OUT running int)
RETURNS record LANGUAGE c STABLE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_cluster_counts';
COMMENT ON FUNCTION sched._cluster_counts() IS 'Sessions that wait for tasks; tasks that are ready, and in somebody''s hands.';

CREATE FUNCTION sched._executor_may_act(p_caller oid, p_name text)
RETURNS boolean LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_executor_may_act';
COMMENT ON FUNCTION sched._executor_may_act(oid, text) IS 'May the caller speak for the executor?';

/* It takes part again, whatever its row said before; at commit. */
CREATE FUNCTION sched._executor_online(executor_id int)
RETURNS void LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_sql_executor_online';
COMMENT ON FUNCTION sched._executor_online(int) IS 'Brings an executor online in shared memory.';

/* Whoever had its name before has lost what it was doing. */
CREATE FUNCTION sched._executor_restarted(executor_id int)
RETURNS void LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_sql_executor_restarted';
COMMENT ON FUNCTION sched._executor_restarted(int) IS 'Takes back the tasks of an executor that begins anew.';

/* ---- views ---- */

/* The built-in workers are executors, too: one for each kind. */
CREATE VIEW sched.executors WITH (security_barrier) AS
SELECT e.executor_id::bigint AS executor_id,
	e.name,
	coalesce(l.status, e.status) AS status,
	e.types,
	e.tags,
	e.max_concurrent,
	coalesce(l.running, 0) AS running,
	l.load,
	l.last_heartbeat_at,
	e.registered_at,
	pg_catalog.pg_get_userbyid(e.owner) AS owner,
	e.info,
	e.status_reason,
	l.claimed
FROM sched._executor e
LEFT JOIN (SELECT x.* FROM sched._live_executors() AS x OFFSET 0) AS l ON l.executor_id = e.executor_id
WHERE e.status <> 'deregistered'
UNION ALL
SELECT 1, 'sql',
	CASE WHEN pg_catalog.pg_is_in_recovery() OR NOT coalesce(current_setting('sched.enabled', true)::boolean, true)
		THEN 'offline' ELSE 'online' END,
	ARRAY['sql'], '{}', current_setting('sched.max_workers', true)::int,
	(SELECT x.running FROM sched._live_executors() AS x WHERE x.executor_id = 1),
	NULL, sched._now(), NULL, NULL, '{}', NULL, NULL
UNION ALL
SELECT 2, 'http',
	CASE WHEN pg_catalog.pg_is_in_recovery() OR NOT coalesce(current_setting('sched.enabled', true)::boolean, true)
		THEN 'offline' ELSE 'online' END,
	ARRAY['http'], '{}', current_setting('sched.http_max_in_flight', true)::int,
	(SELECT x.running FROM sched._live_executors() AS x WHERE x.executor_id = 2),
	NULL, sched._now(), NULL, NULL, '{}', NULL, NULL;
COMMENT ON VIEW sched.executors IS 'Who runs tasks: the built-in workers (sql, http) and external executors.';
COMMENT ON COLUMN sched.executors.status IS 'registered, online, offline, draining or maintenance.';
COMMENT ON COLUMN sched.executors.types IS 'Types of tasks that it takes; empty: all that are not built in.';
COMMENT ON COLUMN sched.executors.running IS 'Tasks that it has: assigned or running.';
COMMENT ON COLUMN sched.executors.load IS 'What it said of itself with its last beat.';
COMMENT ON COLUMN sched.executors.claimed IS 'Tasks that it has got since the server''s start.';

CREATE VIEW sched.active_executors WITH (security_barrier) AS
SELECT e.* FROM sched.executors e WHERE e.status = 'online';
COMMENT ON VIEW sched.active_executors IS 'Executors that take tasks now.';

CREATE VIEW sched.cluster_status WITH (security_barrier) AS
SELECT coalesce(nullif(current_setting('sched.node_id', true), ''), nullif(current_setting('cluster_name', true), ''), 'postgres') AS node_id,
	CASE WHEN pg_catalog.pg_is_in_recovery() THEN 'standby' ELSE 'primary' END AS role,
	coalesce(current_setting('sched.cluster_enabled', true)::boolean, true) AS cluster_enabled,
	e.executors, e.online, e.offline, e.draining, e.maintenance, e.registered,
	c.waiting_sessions, c.ready AS ready_tasks, c.running AS running_tasks,
	e.capacity, e.last_heartbeat_at
FROM (SELECT count(*)::int AS executors,
		count(*) FILTER (WHERE x.status = 'online')::int AS online,
		count(*) FILTER (WHERE x.status = 'offline')::int AS offline,
		count(*) FILTER (WHERE x.status = 'draining')::int AS draining,
		count(*) FILTER (WHERE x.status = 'maintenance')::int AS maintenance,
		count(*) FILTER (WHERE x.status = 'registered')::int AS registered,
		coalesce(sum(x.max_concurrent) FILTER (WHERE x.status = 'online'), 0)::bigint AS capacity,
		max(x.last_heartbeat_at) AS last_heartbeat_at
	  FROM sched.executors x WHERE x.executor_id >= 10) AS e
CROSS JOIN sched._cluster_counts() AS c;
COMMENT ON VIEW sched.cluster_status IS 'The external executors in numbers, one row.';

/* ---- registering ---- */

CREATE FUNCTION sched._executor_bad(p_name text, p_argument text, p_detail text, p_hint text) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
		MESSAGE = format('invalid %s for executor %s', p_argument, coalesce('"' || left(p_name, 200) || '"', 'NULL')),
		DETAIL = p_detail, HINT = p_hint;
END $$;
COMMENT ON FUNCTION sched._executor_bad(text, text, text, text) IS 'Raises 22023 about an argument.';

/* Two random UUIDs have 244 random bits. */
CREATE FUNCTION sched._executor_token() RETURNS text
LANGUAGE sql VOLATILE
RETURN replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', '');
COMMENT ON FUNCTION sched._executor_token() IS 'A new token.';

CREATE FUNCTION sched._executor_event(p_type text, p_name text, p_owner oid, p_reason text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	PERFORM sched._event_note(p_type, NULL, NULL, p_name, p_owner,
		CASE WHEN p_reason IS NOT NULL THEN jsonb_build_object('reason', p_reason) END);
END $$;
COMMENT ON FUNCTION sched._executor_event(text, text, oid, text) IS 'Records an event about an executor.';

CREATE FUNCTION sched._register_executor(p_caller oid, p_name text, p_types text[], p_tags text[],
	p_max_concurrent int, p_info jsonb, p_active boolean)
RETURNS TABLE (executor_id bigint, token text, heartbeat_interval interval)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
	v_old		sched._executor;
	v_digest	bytea;
BEGIN
	IF p_name IS NULL OR p_name !~ '\S' OR octet_length(p_name) > 127 THEN
		PERFORM sched._executor_bad(p_name, 'name', 'name is empty or longer than 127 bytes.',
			'Give the name of a node, such as worker-1.');
	ELSIF p_name IN ('sql', 'http') THEN
		PERFORM sched._executor_bad(p_name, 'name', 'This is the name of the built-in workers.', 'Give another name.');
	ELSIF p_name ~ '[[:cntrl:]]' THEN
		PERFORM sched._executor_bad(p_name, 'name', 'name contains a control character.', 'Give the name of a node, such as worker-1.');
	ELSIF p_max_concurrent IS NULL OR p_max_concurrent < 1 OR p_max_concurrent > 1000000 THEN
		PERFORM sched._executor_bad(p_name, 'max_concurrent', format('max_concurrent is %s.', coalesce(p_max_concurrent::text, 'NULL')),
			'Give how many tasks it may have at once, 1 or more.');
	ELSIF array_ndims(p_types) > 1 OR array_ndims(p_tags) > 1 THEN
		PERFORM sched._executor_bad(p_name, CASE WHEN array_ndims(p_types) > 1 THEN 'types' ELSE 'tags' END,
			'It is an array of arrays.', 'Give a plain array such as {shell}.');
	ELSIF cardinality(p_types) > 32 OR array_position(p_types, NULL) IS NOT NULL THEN
		PERFORM sched._executor_bad(p_name, 'types', 'types has a NULL or more than 32 elements.', 'Give an array such as {shell}.');
	ELSIF 'sql' = ANY (p_types) THEN
		PERFORM sched._executor_bad(p_name, 'types', 'SQL tasks are run by built-in workers alone, with the rights of the job''s owner.',
			'Give a type of your own, see sched.register_task_type().');
	ELSIF cardinality(p_tags) > 64 OR array_position(p_tags, NULL) IS NOT NULL THEN
		PERFORM sched._executor_bad(p_name, 'tags', 'tags has a NULL or more than 64 elements.', 'Give an array such as {gpu}.');
	ELSIF jsonb_typeof(p_info) <> 'object' THEN
		PERFORM sched._executor_bad(p_name, 'info', 'info is not a JSON object.', 'Give a JSON object, such as {"version": "1.2"}.');
	END IF;

	token := sched._executor_token();
	v_digest := sha256(convert_to(token, 'UTF8'));
	SELECT e.* INTO v_old FROM sched._executor e
	WHERE e.name = p_name AND e.status <> 'deregistered' FOR NO KEY UPDATE;
	IF FOUND THEN
		/* Its own role may register it anew, as a node that was restarted does. */
		IF NOT sched._executor_may_act(p_caller, p_name) THEN
			RAISE EXCEPTION USING ERRCODE = 'duplicate_object',
				MESSAGE = format('executor "%s" already exists', p_name),
				DETAIL = format('It belongs to role "%s".', pg_get_userbyid(v_old.owner)),
				HINT = 'Choose another name.';
		END IF;
		UPDATE sched._executor e
		SET types = coalesce(p_types, '{}'), tags = coalesce(p_tags, '{}'), max_concurrent = p_max_concurrent,
			info = coalesce(p_info, '{}'), token_digest = v_digest,
			status = CASE WHEN coalesce(p_active, true) THEN 'online' ELSE 'registered' END,
			active = coalesce(p_active, true), status_reason = NULL, updated_at = sched._now()
		WHERE e.executor_id = v_old.executor_id;
		executor_id := v_old.executor_id;
		PERFORM sched._executor_restarted(executor_id::int);
	ELSE
		INSERT INTO sched._executor (name, owner, types, tags, max_concurrent, info, token_digest, status, active,
			registered_at, updated_at)
		VALUES (p_name, p_caller, coalesce(p_types, '{}'), coalesce(p_tags, '{}'), p_max_concurrent,
			coalesce(p_info, '{}'), v_digest,
			CASE WHEN coalesce(p_active, true) THEN 'online' ELSE 'registered' END, coalesce(p_active, true),
			sched._now(), sched._now())
		RETURNING _executor.executor_id INTO executor_id;
	END IF;
	PERFORM sched._executor_event('executor.registered', p_name, coalesce(v_old.owner::oid, p_caller));
	IF coalesce(p_active, true) THEN
		PERFORM sched._executor_event('executor.online', p_name, coalesce(v_old.owner::oid, p_caller));
	END IF;
	heartbeat_interval := current_setting('sched.executor_heartbeat_interval')::interval;
	RETURN NEXT;
EXCEPTION WHEN unique_violation THEN
	RAISE EXCEPTION USING ERRCODE = 'duplicate_object',
		MESSAGE = format('executor "%s" already exists', p_name),
		DETAIL = 'Another session has just registered it.', HINT = 'Choose another name.';
END $$;
COMMENT ON FUNCTION sched._register_executor(oid, text, text[], text[], int, jsonb, boolean) IS 'Behind sched.register_executor().';
CREATE FUNCTION sched.register_executor(name text, types text[] DEFAULT '{}', tags text[] DEFAULT '{}',
	max_concurrent int DEFAULT 1, info jsonb DEFAULT '{}', active boolean DEFAULT true)
RETURNS TABLE (executor_id bigint, token text, heartbeat_interval interval)
LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched.register_executor(text, text[], text[], int, jsonb, boolean) IS 'Registers an executor: the types of tasks that it takes (none: all that are not built in), its tags, and how many tasks it may have at once. Returns its token, which is not shown again, and how often it should beat. A name that exists is registered anew if it belongs to the caller''s role.';

/* The row of an executor, locked, if the caller may act for it or operate. */
CREATE FUNCTION sched._executor_find(p_caller oid, p_name text) RETURNS sched._executor
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_row	sched._executor;
BEGIN
	IF p_name IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'the executor is missing', DETAIL = 'Argument "executor" is NULL.',
			HINT = 'Give the name of an executor, see sched.executors.';
	ELSIF p_name IN ('sql', 'http') THEN
		RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = format('executor "%s" is built in', p_name),
			HINT = 'See sched.enabled and sched.max_workers.';
	END IF;
	SELECT e.* INTO v_row FROM sched._executor e
	WHERE e.name = p_name AND e.status <> 'deregistered' FOR NO KEY UPDATE;
	IF NOT FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object',
			MESSAGE = format('executor "%s" does not exist', left(p_name, 200)),
			HINT = 'Register it with sched.register_executor(); see sched.executors for those that are.';
	END IF;
	IF NOT sched._executor_may_act(p_caller, p_name) AND NOT sched._may(p_caller, 0::oid, 'operate') THEN
		RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
			MESSAGE = format('permission denied for executor "%s"', p_name),
			DETAIL = 'The session shows no token of it, and its role is not a member of the role that registered it.',
			HINT = 'Set sched.executor_token to the token that sched.register_executor() returned.';
	END IF;
	RETURN v_row;
END $$;
COMMENT ON FUNCTION sched._executor_find(oid, text) IS 'Looks an executor up and checks the right on it.';

CREATE FUNCTION sched._activate_executor(p_caller oid, p_executor text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_row	sched._executor := sched._executor_find(p_caller, p_executor);
BEGIN
	IF v_row.active AND v_row.status = 'online'
	   AND NOT EXISTS (SELECT FROM sched._live_executors() AS l WHERE l.executor_id = v_row.executor_id AND l.status = 'offline')
	THEN
		RETURN false;
	END IF;
	UPDATE sched._executor e
	SET status = 'online', active = true, status_reason = NULL, updated_at = sched._now()
	WHERE e.executor_id = v_row.executor_id;
	PERFORM sched._executor_online(v_row.executor_id),
		sched._executor_event('executor.online', v_row.name, v_row.owner::oid);
	RETURN true;
END $$;
COMMENT ON FUNCTION sched._activate_executor(oid, text) IS 'Behind sched.activate_executor().';
CREATE FUNCTION sched.activate_executor(executor text) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched.activate_executor(text) IS 'Lets an executor take tasks. False when it does already.';

CREATE FUNCTION sched._deactivate_executor(p_caller oid, p_executor text, p_reason text, p_drain boolean) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_row		sched._executor := sched._executor_find(p_caller, p_executor);
	v_drain		boolean := coalesce(p_drain, true);
BEGIN
	/* one that drains may still be switched off */
	IF NOT v_row.active AND (v_drain OR v_row.status = 'offline') THEN
		RETURN false;
	END IF;
	UPDATE sched._executor e
	SET status = CASE WHEN v_drain THEN 'draining' ELSE 'offline' END, active = false,
		status_reason = p_reason, updated_at = sched._now()
	WHERE e.executor_id = v_row.executor_id;
	PERFORM sched._executor_event(CASE WHEN v_drain THEN 'executor.draining' ELSE 'executor.offline' END,
		v_row.name, v_row.owner::oid, p_reason);
	RETURN true;
END $$;
COMMENT ON FUNCTION sched._deactivate_executor(oid, text, text, boolean) IS 'Behind sched.deactivate_executor().';
CREATE FUNCTION sched.deactivate_executor(executor text, reason text DEFAULT NULL, drain boolean DEFAULT true) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched.deactivate_executor(text, text, boolean) IS 'Keeps an executor from taking tasks until it is activated again. With drain it ends what it has; without, its tasks are taken back at once. False when it was deactivated already.';

CREATE FUNCTION sched._deregister_executor(p_caller oid, p_executor text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_row	sched._executor := sched._executor_find(p_caller, p_executor);
BEGIN
	UPDATE sched._executor e
	SET status = 'deregistered', active = false, updated_at = sched._now()
	WHERE e.executor_id = v_row.executor_id;
	PERFORM sched._executor_event('executor.deregistered', v_row.name, v_row.owner::oid);
	RETURN true;
END $$;
COMMENT ON FUNCTION sched._deregister_executor(oid, text) IS 'Behind sched.deregister_executor().';
CREATE FUNCTION sched.deregister_executor(executor text) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched.deregister_executor(text) IS 'Takes an executor out of the cluster. Tasks that it has are taken back.';

CREATE FUNCTION sched._rotate_executor_token(p_caller oid, p_executor text) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_row	sched._executor := sched._executor_find(p_caller, p_executor);
	v_token	text := sched._executor_token();
BEGIN
	UPDATE sched._executor e
	SET token_digest = sha256(convert_to(v_token, 'UTF8')), updated_at = sched._now()
	WHERE e.executor_id = v_row.executor_id;
	RETURN v_token;
END $$;
COMMENT ON FUNCTION sched._rotate_executor_token(oid, text) IS 'Behind sched.rotate_executor_token().';
CREATE FUNCTION sched.rotate_executor_token(executor text) RETURNS text
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched.rotate_executor_token(text) IS 'Gives an executor a new token, which is not shown again; the old one is void from the commit on.';

/* ---- at work ---- */

CREATE FUNCTION sched.heartbeat(executor text, load jsonb DEFAULT NULL)
RETURNS jsonb LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_heartbeat';
COMMENT ON FUNCTION sched.heartbeat(text, jsonb) IS 'A sign of life of an executor. Tells it which of its tasks to stop ("cancel"), which have been taken from it ("lost", their attempts in "lost_attempts"), and whether to take no new ones ("drain").';

CREATE FUNCTION sched.claim_tasks(executor text, max_tasks int DEFAULT 1, wait interval DEFAULT '0', start boolean DEFAULT false)
RETURNS TABLE (task_id bigint, attempt int, job_id bigint, job_name text, type text, command text, parameters jsonb,
	scheduled_at timestamptz, deadline timestamptz, run_id bigint)
LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 10
AS 'MODULE_PATHNAME', 'sched_claim_tasks';
COMMENT ON FUNCTION sched.claim_tasks(text, int, interval, boolean) IS 'Up to max_tasks tasks for the executor, assigned to it, or with start running at once. When there is none it waits for one, a minute at most. The attempt goes into every call about the task.';

CREATE FUNCTION sched.complete_and_claim(executor text, task_ids bigint[], attempts int[], results jsonb[] DEFAULT NULL,
	max_tasks int DEFAULT 1, wait interval DEFAULT '0')
RETURNS TABLE (task_id bigint, attempt int, job_id bigint, job_name text, type text, command text, parameters jsonb,
	scheduled_at timestamptz, deadline timestamptz, run_id bigint)
LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 10
AS 'MODULE_PATHNAME', 'sched_complete_and_claim';
COMMENT ON FUNCTION sched.complete_and_claim(text, bigint[], int[], jsonb[], int, interval) IS 'Completes a batch of tasks and claims and starts the next in one round trip. A completion that is refused is told by a notice. Waits only when there was nothing to complete.';

CREATE FUNCTION sched.start_task(task_id bigint, attempt int)
RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_start_task';
COMMENT ON FUNCTION sched.start_task(bigint, int) IS 'The executor that was assigned the attempt starts it; its timeout counts from now.';

CREATE FUNCTION sched.start_tasks(task_ids bigint[], attempts int[])
RETURNS TABLE (task_id bigint, accepted boolean, message text)
LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 10
AS 'MODULE_PATHNAME', 'sched_start_tasks';
COMMENT ON FUNCTION sched.start_tasks(bigint[], int[]) IS 'Starts many attempts; a row for each tells whether it was accepted.';

CREATE FUNCTION sched.complete_task(task_id bigint, attempt int, result jsonb DEFAULT NULL)
RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_complete_task';
COMMENT ON FUNCTION sched.complete_task(bigint, int, jsonb) IS 'The attempt, which runs, has done its work.';

CREATE FUNCTION sched.fail_task(task_id bigint, attempt int, error text, retryable boolean DEFAULT true)
RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_fail_task';
COMMENT ON FUNCTION sched.fail_task(bigint, int, text, boolean) IS 'The attempt, which runs, has failed. Another follows as the job''s retry settings say, unless it is not retryable.';

CREATE FUNCTION sched.complete_tasks(task_ids bigint[], attempts int[], results jsonb[] DEFAULT NULL)
RETURNS TABLE (task_id bigint, accepted boolean, message text)
LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 10
AS 'MODULE_PATHNAME', 'sched_complete_tasks';
COMMENT ON FUNCTION sched.complete_tasks(bigint[], int[], jsonb[]) IS 'Completes many attempts; a row for each tells whether it was accepted.';

CREATE FUNCTION sched.fail_tasks(task_ids bigint[], attempts int[], errors text[], retryable boolean DEFAULT true)
RETURNS TABLE (task_id bigint, accepted boolean, message text)
LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 10
AS 'MODULE_PATHNAME', 'sched_fail_tasks';
COMMENT ON FUNCTION sched.fail_tasks(bigint[], int[], text[], boolean) IS 'Fails many attempts; a row for each tells whether it was accepted.';

CREATE FUNCTION sched.assign_task(task_id bigint, executor text)
RETURNS int LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_assign_task';
COMMENT ON FUNCTION sched.assign_task(bigint, text) IS 'Gives a ready task to an executor, which gets it with its next claim. Returns the attempt.';

CREATE FUNCTION sched.detect_failed_executors(timeout interval DEFAULT NULL)
RETURNS int LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_detect_failed';
COMMENT ON FUNCTION sched.detect_failed_executors(interval) IS 'Takes for lost every executor that has been silent for longer than the timeout (sched.executor_timeout), and takes its tasks back. Returns how many.';

CREATE PROCEDURE sched.wait_for_tasks(executor text, wait interval DEFAULT '30 seconds')
LANGUAGE c
AS 'MODULE_PATHNAME', 'sched_wait_for_tasks_sql';
COMMENT ON PROCEDURE sched.wait_for_tasks(text, interval) IS 'Waits until there is something to claim for the executor. Called outside of a transaction block it holds no snapshot and no transaction meanwhile.';

CREATE FUNCTION sched._task_executor(p_caller oid, p_task_id bigint) RETURNS sched.executors
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_row	sched.executors;
	v_name	text;
BEGIN
	PERFORM sched._task_find(p_caller, p_task_id, 'see');
	SELECT t.executor INTO v_name FROM sched.tasks t WHERE t.task_id = p_task_id;
	SELECT e.* INTO v_row FROM sched.executors e
	WHERE e.name = CASE WHEN v_name LIKE 'sql-%' AND NOT EXISTS (SELECT FROM sched._executor x WHERE x.name = v_name)
		THEN 'sql' ELSE v_name END;
	RETURN v_row;
END $$;
COMMENT ON FUNCTION sched._task_executor(oid, bigint) IS 'Behind sched.task_executor().';
CREATE FUNCTION sched.task_executor(task_id bigint) RETURNS sched.executors
LANGUAGE c STABLE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched.task_executor(bigint) IS 'The executor that has the task, or had its newest attempt; NULL when nobody had.';

/* ---- locks ---- */

/* A lease on a name.  It lapses by itself, so nobody is shut out for ever. */
CREATE TABLE sched._lock
(
	name		text NOT NULL,
	owner		text NOT NULL,				-- whoever the caller says
	role		regrole NOT NULL,			-- who may release it
	acquired_at	timestamptz NOT NULL,
	expires_at	timestamptz NOT NULL,
	CONSTRAINT lock_pkey PRIMARY KEY (name)
);
COMMENT ON TABLE sched._lock IS 'User-visible leases on names.';

CREATE FUNCTION sched._acquire_lock(p_caller oid, p_name text, p_owner text, p_ttl interval) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_now	timestamptz := sched._now();
BEGIN
	IF coalesce(p_name, '') !~ '\S' OR octet_length(p_name) > 255 OR coalesce(p_owner, '') !~ '\S' OR octet_length(p_owner) > 255 THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('invalid name or owner for lock %s', coalesce('"' || left(p_name, 200) || '"', 'NULL')),
			DETAIL = 'name or owner is empty or longer than 255 bytes.',
			HINT = 'Give both, such as sched.acquire_lock(''reports'', ''node-1'', ''1 minute'').';
	ELSIF p_ttl IS NULL OR p_ttl <= interval '0' OR p_ttl > interval '10000 years' THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('invalid ttl for lock "%s"', p_name),
			DETAIL = format('ttl is %s.', coalesce(p_ttl::text, 'NULL')),
			HINT = 'Give how long it is to last, such as 1 minute.';
	END IF;
	/* free, lapsed, or his own: then it lasts longer */
	INSERT INTO sched._lock AS l (name, owner, role, acquired_at, expires_at)
	VALUES (p_name, p_owner, p_caller, v_now, v_now + p_ttl)
	ON CONFLICT (name) DO UPDATE
	SET owner = excluded.owner, role = excluded.role, expires_at = excluded.expires_at,
		acquired_at = CASE WHEN l.owner = excluded.owner AND l.expires_at > v_now THEN l.acquired_at ELSE v_now END
	WHERE l.expires_at <= v_now OR (l.owner = excluded.owner AND sched._may(p_caller, l.role::oid, 'change'));
	RETURN FOUND;
END $$;
COMMENT ON FUNCTION sched._acquire_lock(oid, text, text, interval) IS 'Behind sched.acquire_lock().';
CREATE FUNCTION sched.acquire_lock(name text, owner text, ttl interval) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched.acquire_lock(text, text, interval) IS 'Takes, or renews, a lease on a name for the owner; it lapses after ttl. False when somebody else has it.';

CREATE FUNCTION sched._release_lock(p_caller oid, p_name text, p_owner text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	DELETE FROM sched._lock l
	WHERE l.name = p_name AND l.owner = p_owner AND l.expires_at > sched._now()
	  AND sched._may(p_caller, l.role::oid, 'change');
	RETURN FOUND;
END $$;
COMMENT ON FUNCTION sched._release_lock(oid, text, text) IS 'Behind sched.release_lock().';
CREATE FUNCTION sched.release_lock(name text, owner text) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched.release_lock(text, text) IS 'Gives a lease on a name up. False when the owner does not have it.';

CREATE VIEW sched.locks WITH (security_barrier) AS
SELECT l.name, l.owner, pg_catalog.pg_get_userbyid(l.role) AS role, l.acquired_at, l.expires_at
FROM sched._lock l
WHERE l.expires_at > sched._now();
COMMENT ON VIEW sched.locks IS 'Leases on names that are held now.';
