/*
 * Subscriptions that stand still, and what is left of them.
 */

CREATE FUNCTION sched._wake_deliveries() RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_sql_wake_deliveries';
COMMENT ON FUNCTION sched._wake_deliveries() IS 'Has the HTTP worker look at what is to be sent, once this transaction commits.';

/* The subscription of that name, if the caller may change it. */
CREATE FUNCTION sched._subscription_find(p_caller oid, p_name text) RETURNS sched._subscription
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_subscription	sched._subscription;
BEGIN
	SELECT s.* INTO v_subscription FROM sched._subscription s WHERE s.name = p_name;
	IF NOT FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object',
			MESSAGE = format('subscription "%s" does not exist', left(p_name, 100)),
			HINT = 'Names are case-sensitive; SELECT name FROM sched.subscriptions lists them.';
	END IF;
	PERFORM sched._check_right(p_caller, v_subscription.owner::oid, 'change', format('subscription "%s"', p_name));
	RETURN v_subscription;
END $$;
COMMENT ON FUNCTION sched._subscription_find(oid, text) IS 'Looks a subscription up and checks the right on it.';

CREATE FUNCTION sched._pause_subscription(p_caller oid, p_name text, p_reason text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_subscription	sched._subscription := sched._subscription_find(p_caller, p_name);
BEGIN
	INSERT INTO sched._subscription_state AS st (subscription_id, delivered, failures, paused_at, paused_reason)
	VALUES (v_subscription.subscription_id, 0, 0, sched._now(), p_reason)
	ON CONFLICT (subscription_id) DO UPDATE SET paused_at = excluded.paused_at, paused_reason = excluded.paused_reason
	WHERE st.paused_at IS NULL;
	RETURN FOUND;
END $$;
COMMENT ON FUNCTION sched._pause_subscription(oid, text, text) IS 'Behind sched.pause_subscription().';
CREATE FUNCTION sched.pause_subscription(name text, reason text DEFAULT NULL) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched.pause_subscription(text, text) IS 'Sends a subscription nothing for now; its events are kept. False when it is paused already.';

CREATE FUNCTION sched._resume_subscription(p_caller oid, p_name text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_subscription	sched._subscription := sched._subscription_find(p_caller, p_name);
BEGIN
	UPDATE sched._subscription_state st SET paused_at = NULL, paused_reason = NULL, failures = 0
	WHERE st.subscription_id = v_subscription.subscription_id AND st.paused_at IS NOT NULL;
	IF NOT FOUND THEN
		RETURN false;
	END IF;
	/* What it stumbled over is tried again at once, and as often as before. */
	UPDATE sched._delivery d SET attempts = 0, due_at = sched._now()
	WHERE d.subscription_id = v_subscription.subscription_id AND d.attempts > 0;
	PERFORM sched._wake_deliveries();
	RETURN true;
END $$;
COMMENT ON FUNCTION sched._resume_subscription(oid, text) IS 'Behind sched.resume_subscription().';
CREATE FUNCTION sched.resume_subscription(name text) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched.resume_subscription(text) IS 'Sends a paused subscription its events again, from the one that it stopped at. False when it is not paused.';

/* Events that retention has taken cannot be sent any more. */
CREATE FUNCTION sched._deliveries_thin() RETURNS int
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_count	int;
BEGIN
	DELETE FROM sched._delivery d
	WHERE d.event_id < (SELECT min(e.event_id) FROM sched._event e);
	GET DIAGNOSTICS v_count = ROW_COUNT;
	RETURN v_count;
END $$;
COMMENT ON FUNCTION sched._deliveries_thin() IS 'Forgets what was not sent of events that are gone.';
