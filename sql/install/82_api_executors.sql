/*
 * Executors in HTTP: by the token that they bring, and by the id that stands in a path.
 */

CREATE FUNCTION sched.__executor_of_token(p_caller oid, p_token text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN (SELECT e.name FROM sched._executor e
			WHERE e.token_digest = sha256(convert_to(p_token, 'UTF8')) AND e.status <> 'deregistered');
END $$;
COMMENT ON FUNCTION sched.__executor_of_token(oid, text) IS 'Behind sched._executor_of_token().';
CREATE FUNCTION sched._executor_of_token(token text) RETURNS text
LANGUAGE c STABLE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched._executor_of_token(text) IS 'The executor whose token it is; NULL: none.';

/* A name that looks like an id stays a name if there is an executor of that name. */
CREATE FUNCTION sched.__api_executor_name(p_caller oid, p_executor text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN coalesce((SELECT e.name FROM sched._executor e
					 WHERE e.status <> 'deregistered' AND (e.name = p_executor OR e.executor_id::text = p_executor)
					 ORDER BY e.name = p_executor DESC LIMIT 1), p_executor);
END $$;
COMMENT ON FUNCTION sched.__api_executor_name(oid, text) IS 'Behind sched._api_executor_name().';
CREATE FUNCTION sched._api_executor_name(executor text) RETURNS text
LANGUAGE c STABLE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched._api_executor_name(text) IS 'The name of an executor that is given by name or by id.';

/* One object, not an array of one. */
CREATE FUNCTION sched._api_register_executor(name text, types text[], tags text[], max_concurrent int, info jsonb, active boolean,
	OUT executor_id bigint, OUT token text, OUT heartbeat_interval interval)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	SELECT r.executor_id, r.token, r.heartbeat_interval
	INTO _api_register_executor.executor_id, _api_register_executor.token, _api_register_executor.heartbeat_interval
	FROM sched.register_executor($1, $2, $3, $4, $5, $6) AS r;
END $$;
COMMENT ON FUNCTION sched._api_register_executor(text, text[], text[], int, jsonb, boolean) IS 'Behind sched_api.register_executor().';
CREATE FUNCTION sched_api.register_executor(name text, types text[] DEFAULT '{}', tags text[] DEFAULT '{}',
	max_concurrent int DEFAULT 1, info jsonb DEFAULT '{}', active boolean DEFAULT true,
	OUT executor_id bigint, OUT token text, OUT heartbeat_interval interval)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_api_call';
COMMENT ON FUNCTION sched_api.register_executor(text, text[], text[], int, jsonb, boolean) IS 'Registers an executor
Answers with its token, which is not shown again, and how often it should beat. A name that exists is registered anew by whoever may act for that executor.';

CREATE FUNCTION sched._api_get_executor(executor text) RETURNS sched.executors
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_row	sched.executors;
BEGIN
	SELECT e.* INTO v_row FROM sched.executors e
	WHERE e.name = $1 OR e.executor_id::text = $1 ORDER BY e.name = $1 DESC LIMIT 1;
	IF NOT FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object',
			MESSAGE = format('executor "%s" does not exist', left($1, 200)),
			HINT = 'See sched.executors for those that are registered.';
	END IF;
	RETURN v_row;
END $$;
COMMENT ON FUNCTION sched._api_get_executor(text) IS 'Behind sched_api.get_executor().';
CREATE FUNCTION sched_api.get_executor(executor text) RETURNS sched.executors
LANGUAGE c STABLE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_api_call';
COMMENT ON FUNCTION sched_api.get_executor(text) IS 'An executor, by its name or its id.';
