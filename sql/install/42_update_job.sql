/*
 * Changing a job: update_job takes create_job's arguments as the keys of a
 * JSON object.
 */

/* What JSON an argument takes; NULL: there is no such argument. */
CREATE FUNCTION sched._argument_kind(p_name text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
	WHEN p_name IN ('name', 'command', 'schedule', 'type', 'timezone', 'description', 'retry_strategy',
		'retry_jitter', 'overlap_policy', 'misfire_policy', 'trigger_rule', 'pool', 'routing',
		'calendar', 'dst_policy', 'history') THEN 'a string'
	WHEN p_name IN ('priority', 'max_attempts', 'max_concurrent_runs', 'catchup_limit', 'max_runs',
		'pool_slots') THEN 'a whole number'
	WHEN p_name IN ('timeout', 'retry_delay', 'retry_max_delay', 'catchup_window', 'jitter',
		'dependency_timeout') THEN 'an interval as a string, such as "5 minutes"'
	WHEN p_name IN ('start_at', 'end_at') THEN 'a time as a string, such as "2030-01-01T09:00:00Z"'
	WHEN p_name IN ('depends_on', 'required_tags', 'tags') THEN 'an array of strings'
	WHEN p_name = 'run_as' THEN 'the name of a role as a string'
	WHEN p_name = 'parameters' THEN 'an object'
	WHEN p_name = 'active' THEN 'true or false'
END;
COMMENT ON FUNCTION sched._argument_kind(text) IS 'What JSON an argument of create_job takes.';

CREATE FUNCTION sched._argument_fits(p_kind text, p_value jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE jsonb_typeof(p_value)
	WHEN 'null' THEN true
	WHEN 'string' THEN p_kind LIKE '%string' OR p_kind LIKE '%string,%'
	WHEN 'number' THEN p_kind = 'a whole number' AND p_value::text ~ '^-?[0-9]{1,9}$'
	WHEN 'boolean' THEN p_kind = 'true or false'
	WHEN 'object' THEN p_kind = 'an object'
	ELSE p_kind = 'an array of strings'
		AND NOT pg_catalog.jsonb_path_exists(p_value, '$[*] ? (@.type() != "string")')
END;
COMMENT ON FUNCTION sched._argument_fits(text, jsonb) IS 'Is this JSON of the kind that an argument takes?';

/* One change applied to the row, with an error that names the key. */
CREATE FUNCTION sched._apply_change(p_job sched._job, p_name text, p_key text, p_value jsonb)
RETURNS sched._job
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_kind	text := sched._argument_kind(p_key);
	v_alike	text;
BEGIN
	IF v_kind IS NULL THEN
		v_alike := sched._alike(p_key, ARRAY
			['name', 'command', 'schedule', 'type', 'parameters', 'timezone', 'description', 'priority',
			 'timeout', 'max_attempts', 'retry_delay', 'retry_strategy', 'retry_max_delay', 'retry_jitter',
			 'overlap_policy', 'max_concurrent_runs', 'misfire_policy', 'catchup_window', 'catchup_limit',
			 'start_at', 'end_at', 'max_runs', 'jitter', 'depends_on', 'trigger_rule', 'dependency_timeout',
			 'pool', 'pool_slots', 'required_tags', 'routing', 'calendar', 'dst_policy', 'run_as', 'tags',
			 'history', 'active']);
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('unknown key "%s" in the changes to job "%s"', left(p_key, 100), p_name),
			DETAIL = 'The keys are the names of the arguments of sched.create_job().',
			HINT = coalesce('Did you mean ' || v_alike || '?', 'For example {"priority": 7}.');
	END IF;
	IF NOT sched._argument_fits(v_kind, p_value) THEN
		PERFORM sched._bad_argument(p_name, p_key, p_value #>> '{}', format('Give %s.', v_kind));
	END IF;
	IF p_key IN ('schedule', 'depends_on', 'active') THEN
		RETURN p_job;
	END IF;
	BEGIN
		RETURN jsonb_populate_record(p_job, jsonb_build_object(p_key, p_value));
	EXCEPTION WHEN data_exception OR invalid_name THEN
		PERFORM sched._bad_argument(p_name, p_key, p_value #>> '{}', format('Give %s.', v_kind));
	END;
END $$;
COMMENT ON FUNCTION sched._apply_change(sched._job, text, text, jsonb) IS 'Applies one change to the row of a job.';

/*
 * Where the triggers stand after the definition around them has changed.  A
 * job whose triggers have all come to their end with it is completed.
 */
CREATE FUNCTION sched._triggers_replan(p_job sched._job) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_trigger	sched._trigger;
	v_info		record;
	v_alive		boolean := false;
	v_any		boolean := false;
BEGIN
	FOR v_trigger IN
		SELECT t.* FROM sched._trigger t WHERE t.job_id = p_job.job_id ORDER BY t.trigger_id
	LOOP
		SELECT i.kind, i.next_fire_at INTO v_info
		FROM sched._schedule_info(v_trigger.schedule, coalesce(v_trigger.timezone, p_job.timezone),
				coalesce(p_job.dst_policy, 'vixie'), p_job.calendar,
				coalesce(p_job.start_at, v_trigger.created_at), p_job.start_at, p_job.end_at,
				sched._now()) AS i;
		v_any := true;
		v_alive := v_alive OR v_info.next_fire_at IS NOT NULL
			OR v_info.kind NOT IN ('cron', 'every', 'at', 'rrule');
		IF p_job.status IN ('active', 'paused') THEN
			INSERT INTO sched._trigger_state (trigger_id, next_fire_at, ask_after)
			VALUES (v_trigger.trigger_id, v_info.next_fire_at, sched._ask_after(p_job, v_info.kind))
			ON CONFLICT (trigger_id) DO UPDATE
				SET next_fire_at = v_info.next_fire_at, fault = NULL,
					ask_after = EXCLUDED.ask_after, fires = NULL, unlisted = NULL;
		END IF;
	END LOOP;
	IF v_any AND NOT v_alive AND p_job.status = 'active' THEN
		UPDATE sched._job SET status = 'completed', updated_at = sched._now()
		WHERE job_id = p_job.job_id;
	END IF;
END $$;
COMMENT ON FUNCTION sched._triggers_replan(sched._job) IS 'Computes anew when the triggers of a job fire.';

CREATE FUNCTION sched._change_schedule(p_caller oid, p_job sched._job, p_schedule text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_trigger	sched._trigger;
BEGIN
	SELECT t.* INTO v_trigger FROM sched._trigger t WHERE t.job_id = p_job.job_id AND t.is_main;
	IF v_trigger.schedule IS NOT DISTINCT FROM p_schedule THEN
		RETURN false;
	ELSIF p_schedule IS NULL THEN
		DELETE FROM sched._trigger WHERE trigger_id = v_trigger.trigger_id;
		DELETE FROM sched._trigger_state WHERE trigger_id = v_trigger.trigger_id;
		DELETE FROM sched._trigger_fired WHERE trigger_id = v_trigger.trigger_id;
	ELSE
		v_trigger.job_id := p_job.job_id;
		v_trigger.schedule := p_schedule;
		v_trigger.is_main := true;
		v_trigger.created_at := sched._now();	/* fixed rates count from here */
		PERFORM sched._trigger_put(p_job, v_trigger),
			sched._check_custom(p_caller, p_job, p_schedule);
	END IF;
	RETURN true;
END $$;
COMMENT ON FUNCTION sched._change_schedule(oid, sched._job, text) IS 'Replaces the trigger that create_job made.';

CREATE FUNCTION sched._job_update(p_caller oid, p_job sched._job, p_changes jsonb) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_new		sched._job := p_job;
	v_key		text;
	v_value		jsonb;
	v_changed	boolean;
	v_active	boolean;
BEGIN
	IF p_changes IS NULL OR jsonb_typeof(p_changes) <> 'object' THEN
		PERFORM sched._bad_argument(p_job.name, 'changes', p_changes::text,
			'Give a JSON object whose keys are the arguments to change, such as {"priority": 7}.');
	END IF;
	FOR v_key, v_value IN SELECT e.key, e.value FROM jsonb_each(p_changes) e LOOP
		v_new := sched._apply_change(v_new, p_job.name, v_key, v_value);
	END LOOP;
	v_new := sched._check_job(v_new);

	/* Before anything of it counts: may the caller say what is executed, now and then? */
	IF (v_new.type, v_new.command, v_new.parameters, v_new.run_as)
		IS DISTINCT FROM (p_job.type, p_job.command, p_job.parameters, p_job.run_as)
	THEN
		PERFORM sched._check_run_member(p_caller, p_job);
		PERFORM sched._check_run_role(p_caller, v_new);
		v_new.defined_by := p_caller;
	END IF;
	v_changed := v_new *<> p_job;
	IF v_changed THEN
		v_new.updated_at := sched._now();
		BEGIN
			UPDATE sched._job SET
				name = v_new.name, type = v_new.type, command = v_new.command,
				parameters = v_new.parameters, timezone = v_new.timezone,
				description = v_new.description, priority = v_new.priority, timeout = v_new.timeout,
				max_attempts = v_new.max_attempts, retry_delay = v_new.retry_delay,
				retry_strategy = v_new.retry_strategy, retry_max_delay = v_new.retry_max_delay,
				retry_jitter = v_new.retry_jitter, overlap_policy = v_new.overlap_policy,
				max_concurrent_runs = v_new.max_concurrent_runs,
				misfire_policy = v_new.misfire_policy, catchup_window = v_new.catchup_window,
				catchup_limit = v_new.catchup_limit, start_at = v_new.start_at,
				end_at = v_new.end_at, max_runs = v_new.max_runs, jitter = v_new.jitter,
				trigger_rule = v_new.trigger_rule, dependency_timeout = v_new.dependency_timeout,
				pool = v_new.pool, pool_slots = v_new.pool_slots,
				required_tags = v_new.required_tags, routing = v_new.routing,
				calendar = v_new.calendar, dst_policy = v_new.dst_policy, run_as = v_new.run_as,
				defined_by = v_new.defined_by,
				tags = v_new.tags, history = v_new.history, updated_at = v_new.updated_at
			WHERE job_id = p_job.job_id;
		EXCEPTION WHEN unique_violation THEN
			RAISE EXCEPTION USING ERRCODE = 'duplicate_object',
				MESSAGE = format('job "%s" already exists', v_new.name),
				DETAIL = format('Job "%s" cannot take the name of another.', p_job.name),
				HINT = 'Choose another name.';
		END;
	END IF;

	IF p_changes ? 'schedule' AND sched._change_schedule(p_caller, v_new, p_changes ->> 'schedule') THEN
		IF v_new.status = 'completed' AND p_changes ->> 'schedule' IS NOT NULL THEN
			PERFORM sched._job_activate(v_new, NULL);
		ELSIF NOT v_changed THEN
			UPDATE sched._job SET updated_at = sched._now() WHERE job_id = p_job.job_id;
		END IF;
	END IF;
	IF (v_new.timezone, v_new.dst_policy, v_new.calendar, v_new.start_at, v_new.end_at)
		IS DISTINCT FROM (p_job.timezone, p_job.dst_policy, p_job.calendar, p_job.start_at, p_job.end_at)
	THEN
		PERFORM sched._triggers_replan(v_new);
	END IF;

	IF p_changes ? 'depends_on' THEN
		PERFORM sched._dependencies_set(p_caller, v_new,
			CASE WHEN jsonb_typeof(p_changes -> 'depends_on') = 'array'
				 THEN ARRAY(SELECT jsonb_array_elements_text(p_changes -> 'depends_on')) END);
	END IF;

	IF p_changes ? 'active' THEN
		v_active := coalesce((p_changes ->> 'active')::boolean, true);
		SELECT j.* INTO v_new FROM sched._job j WHERE j.job_id = p_job.job_id;
		IF v_active AND v_new.status = 'paused' THEN
			PERFORM sched._job_resume(v_new, NULL);
		ELSIF v_active THEN
			PERFORM sched._job_activate(v_new, NULL);
		ELSIF v_new.status IN ('active', 'paused') THEN
			PERFORM sched._job_disable(v_new, NULL);
		END IF;
	END IF;
	RETURN p_job.job_id;
END $$;
COMMENT ON FUNCTION sched._job_update(oid, sched._job, jsonb) IS 'Changes the definition of a job.';
