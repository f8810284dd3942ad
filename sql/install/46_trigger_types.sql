/*
 * Trigger types: when a schedule @custom NAME fires is told by a function.
 *
 * The function runs as the owner of the job, in a worker, never in the
 * scheduler; see src/application/schedule/custom_trigger.c.  It is kept as text, since a
 * column of an OID that stands for a function keeps pg_upgrade from working; what
 * it names is looked up, and the right to execute it checked, at every call.
 *
 * Nobody gains a right by it: who adds such a trigger to a job must be a member of the
 * job's owner, and a function that runs with the rights of its caller must
 * belong to a superuser or to a role that may act as the job's owner anyway.
 */

CREATE TABLE sched._trigger_type
(
	name		text COLLATE pg_catalog."C" NOT NULL,
	next_fire	text NOT NULL,				-- as regprocedure shows it under an empty search_path
	owner		regrole NOT NULL,			-- who registered it
	created_at	timestamptz NOT NULL,
	CONSTRAINT trigger_type_pkey PRIMARY KEY (name),
	CONSTRAINT trigger_type_name_check CHECK (name ~ '^[^[:space:][:cntrl:]]+$' AND octet_length(name) <= 63)
);
COMMENT ON TABLE sched._trigger_type IS 'Functions that say when @custom schedules fire.';

CREATE VIEW sched.trigger_types WITH (security_barrier) AS
	SELECT t.name, t.next_fire, pg_catalog.pg_get_userbyid(t.owner) AS owner, t.created_at
	FROM sched._trigger_type t;
COMMENT ON VIEW sched.trigger_types IS 'What may stand behind @custom in a schedule.';

CREATE FUNCTION sched._trigger_type_name(schedule text) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'sched_trigger_type_name';
COMMENT ON FUNCTION sched._trigger_type_name(text) IS 'The NAME of a schedule @custom NAME, NULL for every other.';

/* The function that a trigger type names; error when it is not there. */
CREATE FUNCTION sched._trigger_type_function(p_name text) RETURNS oid
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_next_fire	text;
	v_function	oid;
BEGIN
	SELECT t.next_fire INTO v_next_fire FROM sched._trigger_type t WHERE t.name = p_name;
	IF NOT FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object',
			MESSAGE = format('trigger type "%s" does not exist', p_name),
			HINT = 'Trigger types are made by sched.register_trigger_type(), sched.trigger_types lists them.';
	END IF;
	v_function := to_regprocedure(v_next_fire)::oid;
	IF v_function IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_function',
			MESSAGE = format('function %s of trigger type "%s" does not exist', v_next_fire, p_name),
			HINT = 'Register the type anew with sched.register_trigger_type().';
	END IF;
	RETURN v_function;
END $$;
COMMENT ON FUNCTION sched._trigger_type_function(text) IS 'The function of a trigger type.';

CREATE FUNCTION sched._register_trigger_type(p_caller oid, p_name text, p_next_fire regproc) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_function	pg_catalog.pg_proc;
	v_type		sched._trigger_type;
BEGIN
	/* what a schedule can name */
	IF p_name IS NULL OR length(p_name) > 63 OR sched._trigger_type_name('@custom ' || p_name) IS DISTINCT FROM p_name THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('invalid name of a trigger type: %s', coalesce('"' || left(p_name, 100) || '"', 'NULL')),
			DETAIL = 'A name has at most 63 letters, digits, "_", "-" and dots.',
			HINT = 'For example lunar.';
	END IF;
	SELECT f.* INTO v_function FROM pg_catalog.pg_proc f WHERE f.oid = p_next_fire::oid;
	IF NOT FOUND THEN
		RAISE EXCEPTION USING ERRCODE = CASE WHEN p_next_fire IS NULL THEN 'invalid_parameter_value' ELSE 'undefined_function' END,
			MESSAGE = format('trigger type "%s" has no function', p_name),
			DETAIL = format('next_fire is %s.', coalesce(p_next_fire::text, 'NULL')),
			HINT = 'Name a function (config jsonb, timezone text, after timestamptz) RETURNS timestamptz.';
	END IF;
	IF v_function.prokind <> 'f' OR v_function.proretset
		OR v_function.proargtypes::text <> format('%s %s %s', 'jsonb'::regtype::oid, 'text'::regtype::oid, 'timestamptz'::regtype::oid)
		OR v_function.prorettype <> 'timestamptz'::regtype
	THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('function %s cannot be that of trigger type "%s"', p_next_fire::oid::regprocedure, p_name),
			DETAIL = format('It returns %s%s.', CASE WHEN v_function.proretset THEN 'a set of ' ELSE '' END,
							format_type(v_function.prorettype, NULL)),
			HINT = 'Name a function (config jsonb, timezone text, after timestamptz) RETURNS timestamptz.';
	END IF;
	IF NOT pg_has_role(p_caller, v_function.proowner, 'USAGE') THEN
		RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
			MESSAGE = format('permission denied for function %s', p_next_fire::oid::regprocedure),
			DETAIL = format('Role "%s" is not a member of its owner "%s".',
							pg_get_userbyid(p_caller), pg_get_userbyid(v_function.proowner));
	END IF;

	/* Again by the same owner: the function is another one from now on. */
	SELECT t.* INTO v_type FROM sched._trigger_type t WHERE t.name = p_name FOR UPDATE;
	IF FOUND AND NOT sched._may(p_caller, v_type.owner::oid, 'change') THEN
		RAISE EXCEPTION USING ERRCODE = 'duplicate_object',
			MESSAGE = format('trigger type "%s" already exists', p_name),
			DETAIL = format('It belongs to role "%s".', pg_get_userbyid(v_type.owner)),
			HINT = 'Choose another name.';
	ELSIF FOUND THEN
		UPDATE sched._trigger_type SET next_fire = p_next_fire::oid::regprocedure::text, owner = p_caller::regrole
		WHERE name = p_name;
		/* What was put aside because of the old one gets another chance. */
		UPDATE sched._trigger_state s SET fault = NULL
		FROM sched._trigger t
		WHERE t.trigger_id = s.trigger_id AND s.fault IS NOT NULL
		  AND sched._trigger_type_name(t.schedule) = p_name;
		UPDATE sched._trigger t SET kind = t.kind
		WHERE t.kind = 'custom' AND sched._trigger_type_name(t.schedule) = p_name;
		RETURN;
	END IF;
	INSERT INTO sched._trigger_type (name, next_fire, owner, created_at)
	VALUES (p_name, p_next_fire::oid::regprocedure::text, p_caller::regrole, sched._now())
	ON CONFLICT ON CONSTRAINT trigger_type_pkey DO NOTHING;
	IF NOT FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'duplicate_object',
			MESSAGE = format('trigger type "%s" already exists', p_name),
			HINT = 'Choose another name.';
	END IF;
END $$;
COMMENT ON FUNCTION sched._register_trigger_type(oid, text, regproc) IS 'Behind sched.register_trigger_type().';
CREATE FUNCTION sched.register_trigger_type(name text, next_fire regproc) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched.register_trigger_type(text, regproc) IS 'Makes a function of the caller say when schedules @custom name fire: next_fire(config jsonb, timezone text, after timestamptz) returns the first fire after that instant, NULL for never again. It runs as the owner of the job.';

CREATE FUNCTION sched._unregister_trigger_type(p_caller oid, p_name text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_type	sched._trigger_type;
	v_users	bigint;
BEGIN
	SELECT t.* INTO v_type FROM sched._trigger_type t WHERE t.name = p_name FOR UPDATE;
	IF NOT FOUND THEN
		RETURN false;
	END IF;
	PERFORM sched._check_right(p_caller, v_type.owner::oid, 'change', format('trigger type "%s"', p_name));
	SELECT count(*) INTO v_users FROM sched._trigger t
	WHERE t.kind = 'custom' AND sched._trigger_type_name(t.schedule) = p_name;
	IF v_users > 0 THEN
		RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = format('trigger type "%s" is in use', p_name),
			DETAIL = format('Triggers that use it: %s.', v_users),
			HINT = 'Remove these triggers first.';
	END IF;
	DELETE FROM sched._trigger_type WHERE name = p_name;
	RETURN true;
END $$;
COMMENT ON FUNCTION sched._unregister_trigger_type(oid, text) IS 'Behind sched.unregister_trigger_type().';
CREATE FUNCTION sched.unregister_trigger_type(name text) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched.unregister_trigger_type(text) IS 'Removes a trigger type that no trigger uses. False when there is none of that name.';

/* May the caller give the job such a trigger, and can the job use it? */
CREATE FUNCTION sched._check_custom(p_caller oid, p_job sched._job, p_schedule text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_name		text := sched._trigger_type_name(p_schedule);
	v_function	oid;
	v_owner		pg_catalog.pg_authid;
BEGIN
	IF v_name IS NULL THEN
		RETURN;
	END IF;
	v_function := sched._trigger_type_function(v_name);
	SELECT a.* INTO v_owner FROM pg_catalog.pg_authid a WHERE a.oid = p_job.owner::oid;
	IF NOT pg_has_role(p_caller, p_job.owner::oid, 'MEMBER') THEN
		RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
			MESSAGE = format('permission denied to give job "%s" the schedule "%s"', p_job.name, p_schedule),
			DETAIL = format('Its function runs as role "%s", of which role "%s" is not a member.',
							v_owner.rolname, pg_get_userbyid(p_caller));
	ELSIF NOT v_owner.rolcanlogin THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('job "%s" cannot have the schedule "%s"', p_job.name, p_schedule),
			DETAIL = format('Its function runs as the owner, role "%s", which cannot log in.', v_owner.rolname),
			HINT = 'Create the job as a role that can log in.';
	ELSIF NOT has_function_privilege(v_owner.oid, v_function, 'EXECUTE') THEN
		RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
			MESSAGE = format('permission denied for function %s of trigger type "%s"', v_function::regprocedure, v_name),
			DETAIL = format('It runs as the owner of job "%s", role "%s", which may not execute it.', p_job.name, v_owner.rolname),
			HINT = format('GRANT EXECUTE ON FUNCTION %s TO %I.', v_function::regprocedure, v_owner.rolname);
	END IF;
END $$;
COMMENT ON FUNCTION sched._check_custom(oid, sched._job, text) IS 'Raises an error unless the caller may give the job that schedule.';

/* What a worker that is connected as the job's owner has to ask; no row: nothing. */
CREATE FUNCTION sched._custom_question(p_trigger_id bigint, OUT function oid, OUT job_id bigint,
	OUT config jsonb, OUT timezone text, OUT after timestamptz, OUT version text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_schedule	text;
BEGIN
	SELECT j.job_id, coalesce(t.config, '{}'),
		(sched._schedule_info(t.schedule, coalesce(t.timezone, j.timezone), NULL, NULL, NULL, NULL, NULL)).zone,
		s.ask_after, t.xmin::text || ' ' || coalesce(j.timezone, ''), t.schedule
	INTO job_id, config, timezone, after, version, v_schedule
	FROM sched._trigger t
	JOIN sched._trigger_state s ON s.trigger_id = t.trigger_id
	JOIN sched._job j ON j.job_id = t.job_id
	WHERE t.trigger_id = p_trigger_id AND t.kind = 'custom' AND j.status = 'active'
	  AND s.ask_after IS NOT NULL AND s.fault IS NULL
	  /* somebody may have asked twice, and the answer be there */
	  AND (s.next_fire_at IS NULL OR coalesce(s.fires[cardinality(s.fires)], s.next_fire_at) <= sched._now())
	  /* whoever asks is connected as the role that he was told to be */
	  AND pg_get_userbyid(j.owner) = session_user;
	IF FOUND THEN
		function := sched._trigger_type_function(sched._trigger_type_name(v_schedule));
	END IF;
END $$;
COMMENT ON FUNCTION sched._custom_question(bigint) IS 'What the function of a custom trigger is to be asked.';

CREATE FUNCTION sched._custom_answer(p_trigger_id bigint, p_version text, p_asked_after timestamptz,
	p_fires timestamptz[], p_dropped bigint, p_ask_after timestamptz) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_state	sched._trigger_state;
	v_end	timestamptz;
	v_known	timestamptz[];
BEGIN
	SELECT s.* INTO v_state FROM sched._trigger_state s WHERE s.trigger_id = p_trigger_id FOR UPDATE;
	SELECT j.end_at INTO v_end
	FROM sched._trigger t JOIN sched._job j ON j.job_id = t.job_id
	WHERE t.trigger_id = p_trigger_id AND v_state.ask_after = p_asked_after
	  AND t.xmin::text || ' ' || coalesce(j.timezone, '') = p_version
	  AND j.status IN ('active', 'paused');
	IF NOT FOUND THEN
		RETURN;
	END IF;
	/* What has not come yet is there only after a standstill. */
	v_known := ARRAY(SELECT k.fire FROM unnest(v_state.fires) AS k(fire)
					 WHERE k.fire >= v_state.next_fire_at ORDER BY k.fire);
	p_fires := v_known || p_fires;
	p_dropped := p_dropped + coalesce(v_state.unlisted, 0) + greatest(cardinality(p_fires) - 1000, 0);
	p_fires := p_fires[greatest(cardinality(p_fires) - 999, 1):];
	IF p_fires[1] > v_end AND p_dropped = 0 THEN
		p_fires := '{}';
		p_ask_after := NULL;
	END IF;
	UPDATE sched._trigger_state
	SET fires = nullif(p_fires, '{}'), next_fire_at = p_fires[1], ask_after = p_ask_after,
		unlisted = nullif(p_dropped, 0)
	WHERE trigger_id = p_trigger_id;
END $$;
COMMENT ON FUNCTION sched._custom_answer(bigint, text, timestamptz, timestamptz[], bigint, timestamptz) IS 'Keeps what the function of a custom trigger has told.';

CREATE FUNCTION sched._custom_fault(p_trigger_id bigint, p_fault text) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_id	bigint;
BEGIN
	/* The scheduler waits for nobody: a row that somebody has locked stays as it is. */
	SELECT s.trigger_id INTO v_id FROM sched._trigger_state s
	WHERE s.trigger_id = p_trigger_id FOR UPDATE SKIP LOCKED;
	UPDATE sched._trigger_state SET fault = p_fault WHERE trigger_id = v_id;
	RETURN (SELECT j.name FROM sched._trigger t JOIN sched._job j ON j.job_id = t.job_id
			WHERE t.trigger_id = v_id);
END $$;
COMMENT ON FUNCTION sched._custom_fault(bigint, text) IS 'Puts a custom trigger into quarantine.';

/*
 * For sched.job_plan(): what is computed, and the custom triggers whose functions
 * are still to be asked; trigger_ids is NULL when there are none.
 */
CREATE FUNCTION sched._job_plan_custom(p_caller oid, p_job bigint, p_from timestamptz, p_to timestamptz,
	OUT times timestamptz[], OUT trigger_ids bigint[], OUT functions oid[], OUT configs jsonb[],
	OUT schedules text[], OUT timezones text[], OUT calendar text, OUT after timestamptz, OUT upto timestamptz)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_job	sched._job := sched._job_find(p_caller, p_job, 'see');
BEGIN
	SELECT array_agg(t.trigger_id ORDER BY t.trigger_id),
		array_agg(sched._trigger_type_function(sched._trigger_type_name(t.schedule)) ORDER BY t.trigger_id),
		array_agg(coalesce(t.config, '{}') ORDER BY t.trigger_id), array_agg(t.schedule ORDER BY t.trigger_id),
		array_agg((sched._schedule_info(t.schedule, coalesce(t.timezone, v_job.timezone), NULL, NULL, NULL, NULL, NULL)).zone
				  ORDER BY t.trigger_id)
	INTO trigger_ids, functions, configs, schedules, timezones
	FROM sched._trigger t WHERE t.job_id = v_job.job_id AND t.kind = 'custom';
	IF trigger_ids IS NOT NULL THEN
		times := ARRAY(SELECT p.fire FROM sched._job_plan(p_caller, p_job, p_from, p_to) AS p(fire));
		calendar := v_job.calendar;
		after := greatest(p_from, v_job.start_at) - interval '1 microsecond';
		upto := least(p_to - interval '1 microsecond', v_job.end_at);
	END IF;
END $$;
COMMENT ON FUNCTION sched._job_plan_custom(oid, bigint, timestamptz, timestamptz) IS 'What sched.job_plan() has to ask functions for.';

CREATE FUNCTION sched._job_plan_custom(p_caller oid, p_job text, p_from timestamptz, p_to timestamptz,
	OUT times timestamptz[], OUT trigger_ids bigint[], OUT functions oid[], OUT configs jsonb[],
	OUT schedules text[], OUT timezones text[], OUT calendar text, OUT after timestamptz, OUT upto timestamptz)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	SELECT c.* INTO times, trigger_ids, functions, configs, schedules, timezones, calendar, after, upto
	FROM sched._job_plan_custom(p_caller, sched._job_id(p_caller, p_job), p_from, p_to) AS c;
END $$;
COMMENT ON FUNCTION sched._job_plan_custom(oid, text, timestamptz, timestamptz) IS 'What sched.job_plan() has to ask functions for.';

/* The fires of a custom trigger that are known without asking. */
CREATE FUNCTION sched._custom_known(p_trigger_id bigint, p_after timestamptz, p_upto timestamptz) RETURNS timestamptz[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN ARRAY(SELECT f.fire FROM sched._trigger_state s CROSS JOIN LATERAL unnest(s.fires) AS f(fire)
				 WHERE s.trigger_id = p_trigger_id AND f.fire > p_after AND f.fire <= p_upto AND f.fire >= s.next_fire_at
				 ORDER BY f.fire);
END $$;
COMMENT ON FUNCTION sched._custom_known(bigint, timestamptz, timestamptz) IS 'The fires of a custom trigger that are known without asking.';
