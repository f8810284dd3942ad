/*
 * The states of jobs, and their triggers.
 *
 *	created, disabled, completed --activate--> active
 *	active --pause--> paused --resume--> active
 *	created, active, paused --disable--> disabled
 *	active --its schedule is exhausted--> completed
 *
 * Each function takes the locked row of the job, returns false when there is
 * nothing to do, and raises 55000 from a state that the action does not start from.
 * A paused job keeps its place in time: its triggers stand where they stood, so
 * that the misfire policy can decide about what was missed.  A disabled one
 * has none.
 */

CREATE FUNCTION sched._wrong_state(p_job sched._job, p_action text, p_hint text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RAISE EXCEPTION USING
		ERRCODE = 'object_not_in_prerequisite_state',
		MESSAGE = format('cannot %s job "%s"', p_action, p_job.name),
		DETAIL = format('Its status is %s.', p_job.status),
		HINT = coalesce(p_hint, '');
END $$;
COMMENT ON FUNCTION sched._wrong_state(sched._job, text, text) IS 'Raises the error for an action that does not fit the state of a job.';

CREATE FUNCTION sched._job_activate(p_job sched._job, p_reason text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_trigger	sched._trigger;
	v_info		record;
	v_any		boolean := false;
	v_alive		boolean := false;
BEGIN
	IF p_job.status = 'active' THEN
		RETURN false;
	ELSIF p_job.status NOT IN ('created', 'disabled', 'completed') THEN
		PERFORM sched._wrong_state(p_job, 'activate', 'A paused job goes on with sched.resume_job().');
	END IF;

	/* Afresh, and strictly after now: nothing is made up. */
	p_job.activated_at := sched._now();
	FOR v_trigger IN
		SELECT t.* FROM sched._trigger t WHERE t.job_id = p_job.job_id ORDER BY t.trigger_id
	LOOP
		SELECT i.kind, i.next_fire_at INTO v_info
		FROM sched._schedule_info(v_trigger.schedule, coalesce(v_trigger.timezone, p_job.timezone),
				coalesce(p_job.dst_policy, 'vixie'), p_job.calendar,
				coalesce(p_job.start_at, v_trigger.created_at), p_job.start_at, p_job.end_at,
				p_job.activated_at) AS i;
		v_any := true;
		v_alive := v_alive OR v_info.next_fire_at IS NOT NULL
			OR v_info.kind NOT IN ('cron', 'every', 'at', 'rrule');
		INSERT INTO sched._trigger_state (trigger_id, next_fire_at, ask_after)
		VALUES (v_trigger.trigger_id, v_info.next_fire_at, sched._ask_after(p_job, v_info.kind))
		ON CONFLICT (trigger_id)
			DO UPDATE SET next_fire_at = v_info.next_fire_at, fire_count = 0, fault = NULL,
				ask_after = EXCLUDED.ask_after, fires = NULL, unlisted = NULL;
	END LOOP;
	IF v_any AND NOT v_alive THEN
		RAISE EXCEPTION USING
			ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = format('cannot activate job "%s"', p_job.name),
			DETAIL = 'Its schedule has no time left at which it could fire.',
			HINT = 'Give it another schedule with sched.update_job().';
	END IF;
	UPDATE sched._job
	SET status = 'active', activated_at = p_job.activated_at, updated_at = p_job.activated_at,
		paused_at = NULL, status_reason = p_reason
	WHERE job_id = p_job.job_id;
	RETURN true;
END $$;
COMMENT ON FUNCTION sched._job_activate(sched._job, text) IS 'created, disabled, completed to active.';

CREATE FUNCTION sched._job_pause(p_job sched._job, p_reason text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF p_job.status = 'paused' THEN
		RETURN false;
	ELSIF p_job.status <> 'active' THEN
		PERFORM sched._wrong_state(p_job, 'pause', 'Only an active job can be paused.');
	END IF;
	UPDATE sched._job
	SET status = 'paused', paused_at = sched._now(), updated_at = sched._now(), status_reason = p_reason
	WHERE job_id = p_job.job_id;
	RETURN true;
END $$;
COMMENT ON FUNCTION sched._job_pause(sched._job, text) IS 'active to paused.';

CREATE FUNCTION sched._job_resume(p_job sched._job, p_reason text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF p_job.status = 'active' THEN
		RETURN false;
	ELSIF p_job.status <> 'paused' THEN
		PERFORM sched._wrong_state(p_job, 'resume',
			format('A %s job starts with sched.activate_job().', p_job.status));
	END IF;
	/* What is in quarantine gets another chance. */
	UPDATE sched._trigger_state s SET fault = NULL
	FROM sched._trigger t
	WHERE t.job_id = p_job.job_id AND s.trigger_id = t.trigger_id AND s.fault IS NOT NULL;
	UPDATE sched._job
	SET status = 'active', paused_at = NULL, updated_at = sched._now(), status_reason = p_reason
	WHERE job_id = p_job.job_id;
	RETURN true;
END $$;
COMMENT ON FUNCTION sched._job_resume(sched._job, text) IS 'paused to active.';

CREATE FUNCTION sched._job_disable(p_job sched._job, p_reason text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF p_job.status = 'disabled' THEN
		RETURN false;
	ELSIF p_job.status = 'completed' THEN
		PERFORM sched._wrong_state(p_job, 'disable', 'Its schedule is exhausted: it does not fire any more.');
	END IF;
	UPDATE sched._trigger_state s SET next_fire_at = NULL
	FROM sched._trigger t
	WHERE t.job_id = p_job.job_id AND s.trigger_id = t.trigger_id;
	UPDATE sched._job
	SET status = 'disabled', paused_at = NULL, updated_at = sched._now(), status_reason = p_reason
	WHERE job_id = p_job.job_id;
	PERFORM sched._backfills_cancel(p_job.job_id, coalesce(p_reason, 'job disabled')),
		sched._cancel_waiting(p_job.job_id, coalesce(p_reason, 'job disabled'));
	RETURN true;
END $$;
COMMENT ON FUNCTION sched._job_disable(sched._job, text) IS 'created, active, paused to disabled; cancels what waits.';

CREATE FUNCTION sched._job_delete(p_job sched._job, p_reason text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	PERFORM sched._dependency_refuse_delete(p_job);
	DELETE FROM sched._trigger_state s
	USING sched._trigger t
	WHERE t.job_id = p_job.job_id AND s.trigger_id = t.trigger_id;
	DELETE FROM sched._trigger_fired f
	USING sched._trigger t
	WHERE t.job_id = p_job.job_id AND f.trigger_id = t.trigger_id;
	DELETE FROM sched._trigger WHERE job_id = p_job.job_id;
	/* The row stays with its history; the name is free again. */
	UPDATE sched._job
	SET status = 'deleted', paused_at = NULL, updated_at = sched._now(), status_reason = p_reason
	WHERE job_id = p_job.job_id;
	PERFORM sched._backfills_cancel(p_job.job_id, coalesce(p_reason, 'job deleted')),
		sched._cancel_waiting(p_job.job_id, coalesce(p_reason, 'job deleted'));
	RETURN true;
END $$;
COMMENT ON FUNCTION sched._job_delete(sched._job, text) IS 'Disables a job for ever; its history stays.';

/* ---- triggers ---- */

CREATE FUNCTION sched._job_add_trigger(p_caller oid, p_job sched._job, p_schedule text,
	p_timezone text, p_parameters jsonb, p_config jsonb) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_trigger	sched._trigger;
BEGIN
	IF p_schedule IS NULL THEN
		PERFORM sched._bad_argument(p_job.name, 'schedule', NULL, 'Give a schedule, such as 0 3 * * *.');
	END IF;
	IF p_timezone IS NOT NULL AND NOT sched._is_timezone(p_timezone) THEN
		PERFORM sched._bad_argument(p_job.name, 'timezone', p_timezone,
			'Give a name of pg_timezone_names, such as Europe/Berlin.');
	END IF;
	IF jsonb_typeof(p_parameters) <> 'object' THEN
		PERFORM sched._bad_argument(p_job.name, 'parameters', p_parameters::text,
			'Give a JSON object, such as {"region": "north"}.');
	END IF;
	IF jsonb_typeof(p_config) <> 'object' THEN
		PERFORM sched._bad_argument(p_job.name, 'config', p_config::text, 'Give a JSON object.');
	END IF;
	IF p_parameters IS NOT NULL THEN
		PERFORM sched._check_run_member(p_caller, p_job);
		PERFORM sched._check_parameters(p_job.name, tt.parameter_schema, p_job.parameters || p_parameters)
		FROM sched._task_type tt WHERE tt.name = p_job.type AND tt.parameter_schema IS NOT NULL;
	END IF;
	v_trigger.job_id := p_job.job_id;
	v_trigger.schedule := p_schedule;
	v_trigger.timezone := p_timezone;
	v_trigger.parameters := p_parameters;
	v_trigger.config := p_config;
	v_trigger.created_at := sched._now();
	v_trigger.is_main := false;
	v_trigger.trigger_id := sched._trigger_put(p_job, v_trigger);
	PERFORM sched._check_custom(p_caller, p_job, p_schedule);
	PERFORM sched._event_note('job.updated', p_job.job_id, NULL, NULL, p_job.owner::oid,
		jsonb_build_object('job_name', p_job.name, 'status', p_job.status, 'trigger_id', v_trigger.trigger_id));
	/* A job whose schedule was exhausted has one again. */
	IF p_job.status = 'completed' THEN
		PERFORM sched._job_activate(p_job, NULL);
	END IF;
	RETURN v_trigger.trigger_id;
END $$;
COMMENT ON FUNCTION sched._job_add_trigger(oid, sched._job, text, text, jsonb, jsonb) IS 'Adds a trigger to a job.';

CREATE FUNCTION sched._remove_trigger(p_caller oid, p_trigger_id bigint) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_job_id	bigint;
	v_job		sched._job;
BEGIN
	SELECT t.job_id INTO v_job_id FROM sched._trigger t WHERE t.trigger_id = p_trigger_id;
	IF NOT FOUND THEN
		RETURN false;
	END IF;
	v_job := sched._job_find(p_caller, v_job_id, 'change');
	DELETE FROM sched._trigger_state WHERE trigger_id = p_trigger_id;
	DELETE FROM sched._trigger_fired WHERE trigger_id = p_trigger_id;
	DELETE FROM sched._trigger WHERE trigger_id = p_trigger_id;
	IF NOT FOUND THEN
		RETURN false;
	END IF;
	PERFORM sched._event_note('job.updated', v_job.job_id, NULL, NULL, v_job.owner::oid,
		jsonb_build_object('job_name', v_job.name, 'status', v_job.status, 'trigger_id', p_trigger_id));
	RETURN true;
END $$;
COMMENT ON FUNCTION sched._remove_trigger(oid, bigint) IS 'Removes a trigger.';
