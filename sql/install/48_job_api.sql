/*
 * The public functions on jobs.  Each runs the private function of the same name
 * with an underscore in front, as the extension's owner and with the caller as
 * first argument: see sched_as_owner().  Every one that names a job by its
 * name also takes its job_id.
 */

CREATE FUNCTION sched.create_job(
	name text, command text = NULL, schedule text = NULL, type text = 'sql',
	parameters jsonb = '{}', timezone text = NULL, description text = NULL,
	priority int = NULL, timeout interval = NULL, max_attempts int = NULL,
	retry_delay interval = NULL, retry_strategy text = NULL, retry_max_delay interval = NULL, retry_jitter text = NULL,
	overlap_policy text = NULL, max_concurrent_runs int = NULL,
	misfire_policy text = NULL, catchup_window interval = NULL, catchup_limit int = NULL,
	start_at timestamptz = NULL, end_at timestamptz = NULL, max_runs int = NULL, jitter interval = NULL,
	depends_on text[] = NULL, trigger_rule text = NULL, dependency_timeout interval = NULL,
	pool text = NULL, pool_slots int = NULL, required_tags text[] = NULL, routing text = NULL,
	calendar text = NULL, dst_policy text = NULL, run_as regrole = NULL, tags text[] = NULL, history text = NULL,
	active boolean = true) RETURNS bigint
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched.create_job(text, text, text, text, jsonb, text, text, int, interval, int,
	interval, text, interval, text, text, int, text, interval, int, timestamptz, timestamptz, int,
	interval, text[], text, interval, text, int, text[], text, text, text, regrole, text[], text, boolean)
	IS 'Creates a job and returns its job_id. Without a schedule it runs when it is told to.';

CREATE FUNCTION sched._update_job(p_caller oid, p_job text, p_changes jsonb) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN sched._job_update(p_caller, sched._job_find(p_caller, p_job, 'change'), p_changes);
END $$;
COMMENT ON FUNCTION sched._update_job(oid, text, jsonb) IS 'Behind sched.update_job().';
CREATE FUNCTION sched.update_job(job text, changes jsonb) RETURNS bigint
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched.update_job(text, jsonb) IS 'Changes a job: keys are arguments of create_job, null sets one back to its default.';

CREATE FUNCTION sched._update_job(p_caller oid, p_job bigint, p_changes jsonb) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN sched._job_update(p_caller, sched._job_find(p_caller, p_job, 'change'), p_changes);
END $$;
COMMENT ON FUNCTION sched._update_job(oid, bigint, jsonb) IS 'Behind sched.update_job().';
CREATE FUNCTION sched.update_job(job_id bigint, changes jsonb) RETURNS bigint
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched.update_job(bigint, jsonb) IS 'Changes a job: keys are arguments of create_job, null sets one back to its default.';

CREATE FUNCTION sched._activate_job(p_caller oid, p_job text, p_reason text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN sched._job_activate(sched._job_find(p_caller, p_job, 'operate'), p_reason);
END $$;
COMMENT ON FUNCTION sched._activate_job(oid, text, text) IS 'Behind sched.activate_job().';
CREATE FUNCTION sched.activate_job(job text, reason text DEFAULT NULL) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched.activate_job(text, text) IS 'Starts a job afresh from now. False when it is active.';

CREATE FUNCTION sched._activate_job(p_caller oid, p_job bigint, p_reason text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN sched._job_activate(sched._job_find(p_caller, p_job, 'operate'), p_reason);
END $$;
COMMENT ON FUNCTION sched._activate_job(oid, bigint, text) IS 'Behind sched.activate_job().';
CREATE FUNCTION sched.activate_job(job_id bigint, reason text DEFAULT NULL) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched.activate_job(bigint, text) IS 'Starts a job afresh from now. False when it is active.';

CREATE FUNCTION sched._pause_job(p_caller oid, p_job text, p_reason text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN sched._job_pause(sched._job_find(p_caller, p_job, 'operate'), p_reason);
END $$;
COMMENT ON FUNCTION sched._pause_job(oid, text, text) IS 'Behind sched.pause_job().';
CREATE FUNCTION sched.pause_job(job text, reason text DEFAULT NULL) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched.pause_job(text, text) IS 'Holds a job in its place; running tasks go on. False when it is paused.';

CREATE FUNCTION sched._pause_job(p_caller oid, p_job bigint, p_reason text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN sched._job_pause(sched._job_find(p_caller, p_job, 'operate'), p_reason);
END $$;
COMMENT ON FUNCTION sched._pause_job(oid, bigint, text) IS 'Behind sched.pause_job().';
CREATE FUNCTION sched.pause_job(job_id bigint, reason text DEFAULT NULL) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched.pause_job(bigint, text) IS 'Holds a job in its place; running tasks go on. False when it is paused.';

CREATE FUNCTION sched._resume_job(p_caller oid, p_job text, p_reason text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN sched._job_resume(sched._job_find(p_caller, p_job, 'operate'), p_reason);
END $$;
COMMENT ON FUNCTION sched._resume_job(oid, text, text) IS 'Behind sched.resume_job().';
CREATE FUNCTION sched.resume_job(job text, reason text DEFAULT NULL) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched.resume_job(text, text) IS 'Lets a paused job go on; its misfire policy decides about what was missed. False when it is active.';

CREATE FUNCTION sched._resume_job(p_caller oid, p_job bigint, p_reason text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN sched._job_resume(sched._job_find(p_caller, p_job, 'operate'), p_reason);
END $$;
COMMENT ON FUNCTION sched._resume_job(oid, bigint, text) IS 'Behind sched.resume_job().';
CREATE FUNCTION sched.resume_job(job_id bigint, reason text DEFAULT NULL) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched.resume_job(bigint, text) IS 'Lets a paused job go on; its misfire policy decides about what was missed. False when it is active.';

CREATE FUNCTION sched._disable_job(p_caller oid, p_job text, p_reason text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN sched._job_disable(sched._job_find(p_caller, p_job, 'operate'), p_reason);
END $$;
COMMENT ON FUNCTION sched._disable_job(oid, text, text) IS 'Behind sched.disable_job().';
CREATE FUNCTION sched.disable_job(job text, reason text DEFAULT NULL) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched.disable_job(text, text) IS 'Stops a job and cancels what waits. False when it is disabled.';

CREATE FUNCTION sched._disable_job(p_caller oid, p_job bigint, p_reason text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN sched._job_disable(sched._job_find(p_caller, p_job, 'operate'), p_reason);
END $$;
COMMENT ON FUNCTION sched._disable_job(oid, bigint, text) IS 'Behind sched.disable_job().';
CREATE FUNCTION sched.disable_job(job_id bigint, reason text DEFAULT NULL) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched.disable_job(bigint, text) IS 'Stops a job and cancels what waits. False when it is disabled.';

CREATE FUNCTION sched._delete_job(p_caller oid, p_job text, p_reason text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN sched._job_delete(sched._job_find(p_caller, p_job, 'change'), p_reason);
END $$;
COMMENT ON FUNCTION sched._delete_job(oid, text, text) IS 'Behind sched.delete_job().';
CREATE FUNCTION sched.delete_job(job text, reason text DEFAULT NULL) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched.delete_job(text, text) IS 'Deletes a job. What waits is cancelled; its history stays until retention removes it.';

CREATE FUNCTION sched._delete_job(p_caller oid, p_job bigint, p_reason text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN sched._job_delete(sched._job_find(p_caller, p_job, 'change'), p_reason);
END $$;
COMMENT ON FUNCTION sched._delete_job(oid, bigint, text) IS 'Behind sched.delete_job().';
CREATE FUNCTION sched.delete_job(job_id bigint, reason text DEFAULT NULL) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched.delete_job(bigint, text) IS 'Deletes a job. What waits is cancelled; its history stays until retention removes it.';

CREATE FUNCTION sched._add_trigger(p_caller oid, p_job text, p_schedule text, p_timezone text, p_parameters jsonb, p_config jsonb) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN sched._job_add_trigger(p_caller, sched._job_find(p_caller, p_job, 'change'), p_schedule, p_timezone, p_parameters, p_config);
END $$;
COMMENT ON FUNCTION sched._add_trigger(oid, text, text, text, jsonb, jsonb) IS 'Behind sched.add_trigger().';
CREATE FUNCTION sched.add_trigger(job text, schedule text, timezone text DEFAULT NULL, parameters jsonb DEFAULT NULL, config jsonb DEFAULT NULL) RETURNS bigint
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched.add_trigger(text, text, text, jsonb, jsonb) IS 'Adds a schedule to a job and returns its trigger_id.';

CREATE FUNCTION sched._add_trigger(p_caller oid, p_job bigint, p_schedule text, p_timezone text, p_parameters jsonb, p_config jsonb) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN sched._job_add_trigger(p_caller, sched._job_find(p_caller, p_job, 'change'), p_schedule, p_timezone, p_parameters, p_config);
END $$;
COMMENT ON FUNCTION sched._add_trigger(oid, bigint, text, text, jsonb, jsonb) IS 'Behind sched.add_trigger().';
CREATE FUNCTION sched.add_trigger(job_id bigint, schedule text, timezone text DEFAULT NULL, parameters jsonb DEFAULT NULL, config jsonb DEFAULT NULL) RETURNS bigint
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched.add_trigger(bigint, text, text, jsonb, jsonb) IS 'Adds a schedule to a job and returns its trigger_id.';

CREATE FUNCTION sched.remove_trigger(trigger_id bigint) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched.remove_trigger(bigint) IS 'Removes a trigger of a job. False when there is none of that id.';

CREATE FUNCTION sched._get_job(p_caller oid, p_job text) RETURNS sched.jobs
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_id	bigint := (sched._job_find(p_caller, p_job, 'see')).job_id;
	v_row	sched.jobs;
BEGIN
	SELECT j.* INTO v_row FROM sched.jobs j WHERE j.job_id = v_id;
	RETURN v_row;
END $$;
COMMENT ON FUNCTION sched._get_job(oid, text) IS 'Behind sched.get_job().';
CREATE FUNCTION sched.get_job(job text) RETURNS sched.jobs
LANGUAGE c STABLE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched.get_job(text) IS 'A job with its status, its next fire and its newest task.';

CREATE FUNCTION sched._get_job(p_caller oid, p_job bigint) RETURNS sched.jobs
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_id	bigint := (sched._job_find(p_caller, p_job, 'see')).job_id;
	v_row	sched.jobs;
BEGIN
	SELECT j.* INTO v_row FROM sched.jobs j WHERE j.job_id = v_id;
	RETURN v_row;
END $$;
COMMENT ON FUNCTION sched._get_job(oid, bigint) IS 'Behind sched.get_job().';
CREATE FUNCTION sched.get_job(job_id bigint) RETURNS sched.jobs
LANGUAGE c STABLE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched.get_job(bigint) IS 'A job with its status, its next fire and its newest task.';
