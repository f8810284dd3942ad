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
