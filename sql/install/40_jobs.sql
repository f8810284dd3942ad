/*
 * Jobs: what a definition may look like, and how it is made and changed.
 *
 * The public functions, which stand in 48_job_api.sql, run the private
 * ones here as the extension's owner; "caller" is who called.  A private
 * function therefore decides itself what the caller may do, by
 * sched._may(caller, owner, verb): 'see' a job, 'operate' it (pause, run,
 * cancel), 'change' it.  An owner of 0 stands for what belongs to nobody, and is
 * for superusers and the roles with that right over everything.
 *
 * What a job executes is its run role's business alone: see
 * sched._check_run_member().
 */

CREATE TABLE sched._task_type
(
	name				text NOT NULL,
	handler				text,				-- a signature, as of regprocedure; NULL: executors run it
	parameter_schema	jsonb,
	needs_command		boolean NOT NULL DEFAULT false,
	built_in			boolean NOT NULL DEFAULT false,
	owner				regrole,			-- NULL: built in
	created_at			timestamptz,
	CONSTRAINT task_type_pkey PRIMARY KEY (name)
);
COMMENT ON TABLE sched._task_type IS 'What a job''s type may be.';
INSERT INTO sched._task_type (name, needs_command, built_in)
VALUES ('sql', true, true), ('http', true, true), ('shell', true, true);

/*
 * How alike two names are, from 0 to 1: the share of pairs of neighbouring
 * letters that both have (Dice).
 */
CREATE FUNCTION sched._likeness(p_left text, p_right text) RETURNS real
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_left	text := ' ' || lower(left(p_left, 64)) || ' ';
	v_right	text := ' ' || lower(left(p_right, 64)) || ' ';
BEGIN
	RETURN (SELECT 2.0 * count(*) / (length(v_left) + length(v_right) - 2)
			FROM (SELECT substr(v_left, i, 2) FROM generate_series(1, length(v_left) - 1) i
				  INTERSECT ALL
				  SELECT substr(v_right, i, 2) FROM generate_series(1, length(v_right) - 1) i) AS same);
END $$;
COMMENT ON FUNCTION sched._likeness(text, text) IS 'How alike two names are, from 0 to 1.';

/* Up to three of the candidates, the likest first, as text; NULL: none is like it. */
CREATE FUNCTION sched._alike(p_name text, p_candidates text[]) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN (SELECT string_agg(format('"%s"', c.name), ', ' ORDER BY c.likeness DESC, c.name)
			FROM (SELECT u.name, sched._likeness(left(p_name, 64), u.name) AS likeness
				  FROM unnest(p_candidates) AS u(name)
				  ORDER BY likeness DESC, u.name LIMIT 3) AS c
			WHERE c.likeness >= 0.4);
END $$;
COMMENT ON FUNCTION sched._alike(text, text[]) IS 'The names that somebody may have meant.';

CREATE FUNCTION sched._no_such_job(p_caller oid, p_job text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_alike	text;
	v_start	text := lower(left(p_job, 2));
	v_end	text := lower(right(p_job, 3));
BEGIN
	/* Names that begin alike, that the caller may see; no more work than an error is worth. */
	v_alike := sched._alike(p_job, ARRAY
		(SELECT j.name FROM sched._job j
		 WHERE j.status <> 'deleted'
		   AND (lower(left(j.name, 2)) = v_start OR lower(right(j.name, 3)) = v_end)
		   AND sched._may(p_caller, j.owner::oid, 'see')
		 LIMIT 500));
	RAISE EXCEPTION USING
		ERRCODE = 'undefined_object',
		MESSAGE = format('job "%s" does not exist', p_job),
		HINT = coalesce('Did you mean ' || v_alike || '?', 'See sched.jobs for those that do.');
END $$;
COMMENT ON FUNCTION sched._no_such_job(oid, text) IS 'Raises the error for an unknown job.';

CREATE FUNCTION sched._check_right(p_caller oid, p_owner oid, p_verb text, p_object text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF NOT sched._may(p_caller, p_owner, p_verb) THEN
		RAISE EXCEPTION USING
			ERRCODE = 'insufficient_privilege',
			MESSAGE = format('permission denied for %s', p_object),
			DETAIL = CASE WHEN p_owner <> 0 THEN
				format('Role "%s" is not a member of its owner "%s".',
					   pg_get_userbyid(p_caller), pg_get_userbyid(p_owner)) ELSE '' END;
	END IF;
END $$;
COMMENT ON FUNCTION sched._check_right(oid, oid, text, text) IS 'Raises an error unless the caller may do that.';

/* The job of that name, on which the caller has the right; locked unless it is only looked at. */
CREATE FUNCTION sched._job_find(p_caller oid, p_job text, p_verb text) RETURNS sched._job
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_job	sched._job;
BEGIN
	IF p_job IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'the job is missing', DETAIL = 'Argument "job" is NULL.',
			HINT = 'Give the name of a job or its job_id.';
	END IF;
	IF p_verb = 'see' THEN
		SELECT j.* INTO v_job FROM sched._job j
		WHERE j.name = p_job AND j.status <> 'deleted';
	ELSE
		SELECT j.* INTO v_job FROM sched._job j
		WHERE j.name = p_job AND j.status <> 'deleted' FOR NO KEY UPDATE;
	END IF;
	IF NOT FOUND THEN
		PERFORM sched._no_such_job(p_caller, p_job);
	END IF;
	PERFORM sched._check_right(p_caller, v_job.owner::oid, p_verb, format('job "%s"', v_job.name));
	RETURN v_job;
END $$;
COMMENT ON FUNCTION sched._job_find(oid, text, text) IS 'Looks a job up by name and checks the right on it.';

CREATE FUNCTION sched._job_find(p_caller oid, p_job_id bigint, p_verb text) RETURNS sched._job
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_job	sched._job;
BEGIN
	IF p_job_id IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'the job is missing', DETAIL = 'Argument "job_id" is NULL.',
			HINT = 'Give the name of a job or its job_id.';
	END IF;
	IF p_verb = 'see' THEN
		SELECT j.* INTO v_job FROM sched._job j
		WHERE j.job_id = p_job_id AND j.status <> 'deleted';
	ELSE
		SELECT j.* INTO v_job FROM sched._job j
		WHERE j.job_id = p_job_id AND j.status <> 'deleted' FOR NO KEY UPDATE;
	END IF;
	IF NOT FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object',
			MESSAGE = format('job %s does not exist', p_job_id),
			HINT = 'See sched.jobs for those that do.';
	END IF;
	PERFORM sched._check_right(p_caller, v_job.owner::oid, p_verb, format('job "%s"', v_job.name));
	RETURN v_job;
END $$;
COMMENT ON FUNCTION sched._job_find(oid, bigint, text) IS 'Looks a job up by id and checks the right on it.';

/* For functions that only look at a job. */
CREATE FUNCTION sched._job_id(p_caller oid, p_job text) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN (sched._job_find(p_caller, p_job, 'see')).job_id;
END $$;
COMMENT ON FUNCTION sched._job_id(oid, text) IS 'The id of a job that the caller may see.';

CREATE FUNCTION sched._job_id(p_caller oid, p_job_id bigint) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN (sched._job_find(p_caller, p_job_id, 'see')).job_id;
END $$;
COMMENT ON FUNCTION sched._job_id(oid, bigint) IS 'The id of a job that the caller may see.';

CREATE FUNCTION sched._bad_argument(p_job text, p_field text, p_value text, p_hint text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RAISE EXCEPTION USING
		ERRCODE = 'invalid_parameter_value',
		MESSAGE = format('invalid %s for job "%s"', p_field, left(p_job, 100)),
		DETAIL = format('%s is %s.', p_field, coalesce('"' || left(p_value, 200) || '"', 'NULL')),
		HINT = p_hint;
END $$;
COMMENT ON FUNCTION sched._bad_argument(text, text, text, text) IS 'Raises the error for a bad argument of a job.';

CREATE FUNCTION sched._check_choice(p_job text, p_field text, p_value text, p_allowed text[]) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF p_value <> ALL (p_allowed) THEN
		PERFORM sched._bad_argument(p_job, p_field, p_value,
			format('Allowed are: %s.', array_to_string(p_allowed, ', ')));
	END IF;
END $$;
COMMENT ON FUNCTION sched._check_choice(text, text, text, text[]) IS 'Raises an error unless the value is one of those allowed.';

CREATE FUNCTION sched._check_range(p_job text, p_field text, p_value int, p_low int, p_high int DEFAULT NULL)
RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF p_value < p_low OR p_value > p_high THEN
		PERFORM sched._bad_argument(p_job, p_field, p_value::text,
			CASE WHEN p_high IS NULL THEN format('Give a number from %s.', p_low)
				 ELSE format('Give a number from %s to %s.', p_low, p_high) END);
	END IF;
END $$;
COMMENT ON FUNCTION sched._check_range(text, text, int, int, int) IS 'Raises an error unless the number lies in the range.';

CREATE FUNCTION sched._check_interval(p_job text, p_field text, p_value interval) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF p_value < interval '0' OR NOT isfinite(p_value) THEN
		PERFORM sched._bad_argument(p_job, p_field, p_value::text,
			'Give an interval that is not negative, such as 5 minutes.');
	END IF;
END $$;
COMMENT ON FUNCTION sched._check_interval(text, text, interval) IS 'Raises an error if the interval is negative.';

/*
 * Whose rights a job has is not to be gained by defining or changing it: who says
 * what is executed must be a member of the role that executes it.  Having
 * sched_admin is not enough for that.
 */
CREATE FUNCTION sched._check_run_member(p_caller oid, p_job sched._job) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_role	oid := coalesce(p_job.run_as, p_job.owner)::oid;
BEGIN
	IF v_role <> p_caller
		AND EXISTS (SELECT FROM pg_catalog.pg_authid a WHERE a.oid = v_role)
		AND NOT pg_has_role(p_caller, v_role, 'MEMBER')
	THEN
		RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
			MESSAGE = format('permission denied to say what job "%s" executes', p_job.name),
			DETAIL = format('It runs as role "%s", of which role "%s" is not a member.',
							pg_get_userbyid(v_role), pg_get_userbyid(p_caller));
	END IF;
END $$;
COMMENT ON FUNCTION sched._check_run_member(oid, sched._job) IS 'Raises an error unless the caller may say what the job executes.';

CREATE FUNCTION sched._check_run_role(p_caller oid, p_job sched._job) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_role	oid := coalesce(p_job.run_as, p_job.owner)::oid;
	v_login	boolean;
	v_type	sched._task_type;
BEGIN
	PERFORM sched._check_run_member(p_caller, p_job);
	SELECT tt.* INTO v_type FROM sched._task_type tt WHERE tt.name = p_job.type;
	SELECT a.rolcanlogin INTO v_login FROM pg_catalog.pg_authid a WHERE a.oid = v_role;
	IF NOT FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object',
			MESSAGE = format('role of job "%s" does not exist', p_job.name),
			DETAIL = format('There is no role with OID %s.', v_role),
			HINT = 'Name an existing role as run_as.';
	END IF;
	/* The type's owner says what is executed as well. */
	IF v_type.handler IS NOT NULL
		AND NOT coalesce((SELECT pg_has_role(a.oid, v_role, 'MEMBER') FROM pg_catalog.pg_authid a
						  WHERE a.oid = v_type.owner), false)
	THEN
		RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
			MESSAGE = format('the owner of task type "%s" may not say what role "%s" executes',
							 v_type.name, pg_get_userbyid(v_role)),
			DETAIL = 'It is neither a member of that role nor a superuser.',
			HINT = 'Let a superuser or a member of the role register the type.';
	END IF;
	IF NOT v_login AND (p_job.type = 'sql' OR p_job.run_as IS NOT NULL OR v_type.handler IS NOT NULL) THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('role "%s" of job "%s" cannot log in', pg_get_userbyid(v_role), p_job.name),
			DETAIL = format('%s is "%s", which does not have the attribute LOGIN; tasks connect as their role.',
							CASE WHEN p_job.run_as IS NULL THEN 'The owner' ELSE 'run_as' END,
							pg_get_userbyid(v_role)),
			HINT = CASE WHEN p_job.run_as IS NULL
				THEN 'Create the job as a role that can log in, or name one as run_as.'
				ELSE 'Name a role that can log in.' END;
	END IF;
END $$;
COMMENT ON FUNCTION sched._check_run_role(oid, sched._job) IS 'Raises an error unless the job can run as its role and the caller may say so.';

CREATE FUNCTION sched._check_name(p_name text) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF p_name IS NULL OR p_name = '' THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'the name of the job is missing',
			DETAIL = format('name is %s.', CASE WHEN p_name IS NULL THEN 'NULL' ELSE 'empty' END),
			HINT = 'Give a name of 1 to 255 bytes, such as nightly-report.';
	ELSIF octet_length(p_name) > 255 THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('the name of job "%s..." is too long', left(p_name, 40)),
			DETAIL = format('name has %s bytes.', octet_length(p_name)),
			HINT = 'Give a name of 1 to 255 bytes.';
	ELSIF p_name ~ '[[:cntrl:]]' THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('the name of job "%s" contains a control character',
							 left(regexp_replace(p_name, '[[:cntrl:]]', '?', 'g'), 100)),
			DETAIL = 'name contains a line break, a tab or the like.',
			HINT = 'Give a name of printable characters.';
	END IF;
END $$;
COMMENT ON FUNCTION sched._check_name(text) IS 'Raises an error if a job cannot have that name.';

/* The definition as it is stored, if it is sound; schedules are not part of it. */
CREATE FUNCTION sched._check_job(p_job sched._job) RETURNS sched._job
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_type	sched._task_type;
	v_fault	record;
BEGIN
	p_job.type := coalesce(p_job.type, 'sql');
	p_job.parameters := coalesce(p_job.parameters, '{}');
	p_job.tags := coalesce(p_job.tags, '{}');
	p_job.required_tags := coalesce(p_job.required_tags, '{}');

	PERFORM sched._check_name(p_job.name);
	SELECT tt.* INTO v_type FROM sched._task_type tt WHERE tt.name = p_job.type;
	IF NOT FOUND THEN
		PERFORM sched._bad_argument(p_job.name, 'type', p_job.type,
			(SELECT format('Allowed are: %s.', string_agg(tt.name, ', ' ORDER BY tt.built_in DESC, tt.name))
			 FROM sched._task_type tt));
	END IF;
	IF v_type.needs_command AND coalesce(p_job.command, '') !~ '\S' THEN
		PERFORM sched._bad_argument(p_job.name, 'command', p_job.command,
			CASE p_job.type
				WHEN 'sql' THEN 'Give the SQL to run, such as VACUUM ANALYZE.'
				WHEN 'http' THEN 'Give the URL to call.'
				ELSE 'Give the command to run.' END);
	END IF;
	IF jsonb_typeof(p_job.parameters) <> 'object' THEN
		PERFORM sched._bad_argument(p_job.name, 'parameters', p_job.parameters::text,
			'Give a JSON object, such as {"region": "north"}.');
	END IF;
	IF v_type.parameter_schema IS NOT NULL THEN
		PERFORM sched._check_parameters(p_job.name, v_type.parameter_schema, p_job.parameters);
	END IF;

	IF p_job.type = 'http' THEN
		v_fault := sched._http_fault(p_job.command, p_job.parameters);
		IF v_fault.field IS NOT NULL THEN
			RAISE EXCEPTION USING
				ERRCODE = 'invalid_parameter_value',
				MESSAGE = format('invalid %s for job "%s"', v_fault.field, left(p_job.name, 100)),
				DETAIL = v_fault.detail,
				HINT = v_fault.hint;
		END IF;
	END IF;

	IF p_job.timezone IS NOT NULL AND NOT sched._is_timezone(p_job.timezone) THEN
		PERFORM sched._bad_argument(p_job.name, 'timezone', p_job.timezone,
			'Give a name of pg_timezone_names, such as Europe/Berlin.');
	END IF;

	IF p_job.retry_strategy IS NOT NULL THEN
		PERFORM sched._check_choice(p_job.name, 'retry_strategy', p_job.retry_strategy, ARRAY
			['exponential_backoff', 'fixed_delay', 'linear_backoff', 'fibonacci_backoff', 'none']);
	END IF;
	IF p_job.retry_jitter IS NOT NULL THEN
		PERFORM sched._check_choice(p_job.name, 'retry_jitter', p_job.retry_jitter,
			ARRAY['none', 'full', 'equal']);
	END IF;
	IF p_job.overlap_policy IS NOT NULL THEN
		PERFORM sched._check_choice(p_job.name, 'overlap_policy', p_job.overlap_policy, ARRAY
			['skip', 'buffer_one', 'buffer_all', 'cancel_other', 'terminate_other', 'allow']);
	END IF;
	IF p_job.misfire_policy IS NOT NULL THEN
		PERFORM sched._check_choice(p_job.name, 'misfire_policy', p_job.misfire_policy,
			ARRAY['fire_once', 'skip', 'fire_all']);
	END IF;
	IF p_job.dst_policy IS NOT NULL THEN
		PERFORM sched._check_choice(p_job.name, 'dst_policy', p_job.dst_policy,
			ARRAY['vixie', 'skip_both', 'skip_first', 'shift_first']);
	END IF;
	IF p_job.trigger_rule IS NOT NULL THEN
		PERFORM sched._check_choice(p_job.name, 'trigger_rule', p_job.trigger_rule, ARRAY
			['all_success', 'all_done', 'all_failed', 'one_success', 'one_failed', 'one_done',
			 'none_failed', 'none_failed_min_one_success', 'all_done_min_one_success',
			 'none_skipped', 'all_skipped', 'always']);
	END IF;
	IF p_job.routing IS NOT NULL THEN
		PERFORM sched._check_choice(p_job.name, 'routing', p_job.routing,
			ARRAY['pull', 'round_robin', 'least_load', 'consistent_hash', 'broadcast', 'sticky']
			|| ARRAY(SELECT r.name FROM sched._router r ORDER BY r.name));
	END IF;
	IF p_job.history IS NOT NULL THEN
		PERFORM sched._check_choice(p_job.name, 'history', p_job.history,
			ARRAY['all', 'failures', 'none']);
	END IF;

	IF (p_job.priority, p_job.max_attempts, p_job.max_concurrent_runs, p_job.catchup_limit,
		p_job.max_runs, p_job.pool_slots) IS DISTINCT FROM (NULL::int, NULL::int, NULL::int, NULL::int, NULL::int, NULL::int)
	THEN
		PERFORM sched._check_range(p_job.name, 'priority', p_job.priority, 1, 10),
			sched._check_range(p_job.name, 'max_attempts', p_job.max_attempts, 1, 1000000),
			sched._check_range(p_job.name, 'max_concurrent_runs', p_job.max_concurrent_runs, 1),
			sched._check_range(p_job.name, 'catchup_limit', p_job.catchup_limit, 0),
			sched._check_range(p_job.name, 'max_runs', p_job.max_runs, 1),
			sched._check_range(p_job.name, 'pool_slots', p_job.pool_slots, 1);
	END IF;
	IF coalesce(p_job.timeout, p_job.retry_delay, p_job.retry_max_delay, p_job.catchup_window,
				p_job.jitter, p_job.dependency_timeout) IS NOT NULL
	THEN
		PERFORM sched._check_interval(p_job.name, 'timeout', p_job.timeout),
			sched._check_interval(p_job.name, 'retry_delay', p_job.retry_delay),
			sched._check_interval(p_job.name, 'retry_max_delay', p_job.retry_max_delay),
			sched._check_interval(p_job.name, 'catchup_window', p_job.catchup_window),
			sched._check_interval(p_job.name, 'jitter', p_job.jitter),
			sched._check_interval(p_job.name, 'dependency_timeout', p_job.dependency_timeout);
	END IF;

	IF NOT isfinite(p_job.start_at) THEN
		PERFORM sched._bad_argument(p_job.name, 'start_at', p_job.start_at::text, 'Give a finite time.');
	END IF;
	IF p_job.end_at <= coalesce(p_job.start_at, '-infinity') THEN
		PERFORM sched._bad_argument(p_job.name, 'end_at', p_job.end_at::text, 'Give a time after start_at.');
	END IF;
	/* array_position() refuses more than one dimension by an error of its own. */
	IF (CASE WHEN array_ndims(p_job.tags) > 1 THEN true
			 ELSE array_position(p_job.tags, NULL) IS NOT NULL END)
	THEN
		PERFORM sched._bad_argument(p_job.name, 'tags', p_job.tags::text,
			'Give a plain list of tags that are not NULL.');
	END IF;
	IF (CASE WHEN array_ndims(p_job.required_tags) > 1 THEN true
			 ELSE array_position(p_job.required_tags, NULL) IS NOT NULL END)
	THEN
		PERFORM sched._bad_argument(p_job.name, 'required_tags', p_job.required_tags::text,
			'Give a plain list of tags that are not NULL.');
	END IF;

	IF p_job.calendar IS NOT NULL
		AND NOT EXISTS (SELECT FROM sched._calendar c WHERE c.name = p_job.calendar)
	THEN
		PERFORM sched._bad_argument(p_job.name, 'calendar', p_job.calendar,
			'There is no calendar of that name; make it with sched.create_calendar().');
	END IF;
	IF p_job.pool IS NOT NULL OR p_job.required_tags <> '{}' THEN
		PERFORM sched._check_capacity(p_job);
	END IF;
	RETURN p_job;
END $$;
COMMENT ON FUNCTION sched._check_job(sched._job) IS 'Checks a definition and fills in what may not be NULL.';

CREATE FUNCTION sched._is_timezone(p_name text) RETURNS boolean
LANGUAGE plpgsql STABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	/* Reading it, so that the answer is the server's; POSIX specifications are not names. */
	PERFORM timestamptz '2000-01-01 00:00+00' AT TIME ZONE p_name;
	RETURN p_name !~ '[0-9,<>]' OR p_name ~* '^etc/|^(est5edt|cst6cdt|mst7mdt|pst8pdt|gmt[+-]?0)$'
		OR EXISTS (SELECT FROM pg_catalog.pg_timezone_names z WHERE lower(z.name) = lower(p_name));
EXCEPTION WHEN invalid_parameter_value THEN
	RETURN false;
END $$;
COMMENT ON FUNCTION sched._is_timezone(text) IS 'Does the server know a time zone of that name?';

/*
 * What a schedule means for a job, from now on.  Refused if it can never fire.
 */
CREATE FUNCTION sched._schedule_check(p_job sched._job, p_trigger sched._trigger,
	OUT kind text, OUT next_fire_at timestamptz)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
	v_info	record;
BEGIN
	SELECT i.kind, i.next_fire_at, i.surprise INTO v_info
	FROM sched._schedule_info(p_trigger.schedule, coalesce(p_trigger.timezone, p_job.timezone),
			coalesce(p_job.dst_policy, 'vixie'), p_job.calendar,
			coalesce(p_job.start_at, p_trigger.created_at), p_job.start_at, p_job.end_at,
			sched._now()) AS i;
	kind := v_info.kind;
	next_fire_at := v_info.next_fire_at;
	IF kind = 'event' THEN
		PERFORM sched._event_filter_check(p_job, p_trigger);
	END IF;
	IF next_fire_at IS NULL AND kind NOT IN ('after', 'startup', 'event', 'custom') THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('the schedule of job "%s" can never fire', p_job.name),
			DETAIL = format('schedule is "%s"%s%s.', p_trigger.schedule,
							coalesce(', end_at is ' || p_job.end_at, ''),
							coalesce(', calendar is "' || p_job.calendar || '"', '')),
			HINT = CASE kind
				WHEN 'at' THEN 'Give a time in the future, such as @at 2030-01-01 09:00.'
				ELSE 'Ask sched.next_fire_times() when a schedule fires; 0 3 * * * does every day at 03:00.' END;
	END IF;
	IF v_info.surprise IS NOT NULL THEN
		RAISE NOTICE 'schedule "%" of job "%": %', p_trigger.schedule, p_job.name, v_info.surprise;
	END IF;
END $$;
COMMENT ON FUNCTION sched._schedule_check(sched._job, sched._trigger) IS 'Checks the schedule of a trigger and says when it fires next.';

/* From when on the function of a custom trigger is asked; NULL for the others. */
CREATE FUNCTION sched._ask_after(p_job sched._job, p_kind text) RETURNS timestamptz
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN CASE WHEN p_kind = 'custom' THEN greatest(sched._now(), p_job.start_at - interval '1 microsecond') END;
END $$;
COMMENT ON FUNCTION sched._ask_after(sched._job, text) IS 'From when on the function of a custom trigger is asked.';

/* Write a trigger, new or changed, and where it stands. */
CREATE FUNCTION sched._trigger_put(p_job sched._job, p_trigger sched._trigger) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_check	record;
	v_fault	record;
	v_next	timestamptz;
	v_ask	timestamptz;
BEGIN
	v_check := sched._schedule_check(p_job, p_trigger);
	IF p_job.type = 'http' AND jsonb_typeof(p_trigger.parameters) = 'object' THEN
		v_fault := sched._http_fault(p_job.command, p_job.parameters, p_trigger.parameters);
		IF v_fault.field IS NOT NULL THEN
			RAISE EXCEPTION USING
				ERRCODE = 'invalid_parameter_value',
				MESSAGE = format('invalid %s for job "%s"', v_fault.field, p_job.name),
				DETAIL = v_fault.detail,
				HINT = v_fault.hint;
		END IF;
	END IF;
	p_trigger.kind := v_check.kind;
	/* Only an active or a paused job has a place in time. */
	v_next := CASE WHEN p_job.status IN ('active', 'paused') THEN v_check.next_fire_at END;
	v_ask := sched._ask_after(p_job, v_check.kind);

	IF p_trigger.trigger_id IS NULL THEN
		p_trigger.trigger_id := nextval('sched._trigger_trigger_id_seq');
		INSERT INTO sched._trigger_state (trigger_id, next_fire_at, ask_after)
		VALUES (p_trigger.trigger_id, v_next, v_ask);
		INSERT INTO sched._trigger SELECT p_trigger.*;
	ELSE
		INSERT INTO sched._trigger_state AS s (trigger_id, next_fire_at, ask_after)
		VALUES (p_trigger.trigger_id, v_next, v_ask)
		ON CONFLICT (trigger_id) DO UPDATE
			SET next_fire_at = v_next, fault = NULL, ask_after = v_ask, fires = NULL, unlisted = NULL;
		UPDATE sched._trigger
		SET kind = p_trigger.kind, schedule = p_trigger.schedule, timezone = p_trigger.timezone,
			parameters = p_trigger.parameters, config = p_trigger.config, created_at = p_trigger.created_at
		WHERE trigger_id = p_trigger.trigger_id;
	END IF;
	RETURN p_trigger.trigger_id;
END $$;
COMMENT ON FUNCTION sched._trigger_put(sched._job, sched._trigger) IS 'Writes a trigger after checking it.';

CREATE FUNCTION sched._create_job(p_caller oid,
	p_name text, p_command text, p_schedule text, p_type text,
	p_parameters jsonb, p_timezone text, p_description text,
	p_priority int, p_timeout interval, p_max_attempts int,
	p_retry_delay interval, p_retry_strategy text, p_retry_max_delay interval, p_retry_jitter text,
	p_overlap_policy text, p_max_concurrent_runs int,
	p_misfire_policy text, p_catchup_window interval, p_catchup_limit int,
	p_start_at timestamptz, p_end_at timestamptz, p_max_runs int, p_jitter interval,
	p_depends_on text[], p_trigger_rule text, p_dependency_timeout interval,
	p_pool text, p_pool_slots int, p_required_tags text[], p_routing text,
	p_calendar text, p_dst_policy text, p_run_as regrole, p_tags text[], p_history text,
	p_active boolean) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_job		sched._job;
	v_trigger	sched._trigger;
BEGIN
	v_job.name := p_name;
	v_job.type := p_type;
	v_job.command := p_command;
	v_job.status := CASE WHEN p_active IS NOT FALSE THEN 'active' ELSE 'created' END;
	v_job.owner := p_caller;
	v_job.parameters := p_parameters;
	v_job.timezone := p_timezone;
	v_job.description := p_description;
	v_job.priority := p_priority;
	v_job.timeout := p_timeout;
	v_job.max_attempts := p_max_attempts;
	v_job.retry_delay := p_retry_delay;
	v_job.retry_strategy := p_retry_strategy;
	v_job.retry_max_delay := p_retry_max_delay;
	v_job.retry_jitter := p_retry_jitter;
	v_job.overlap_policy := p_overlap_policy;
	v_job.max_concurrent_runs := p_max_concurrent_runs;
	v_job.misfire_policy := p_misfire_policy;
	v_job.catchup_window := p_catchup_window;
	v_job.catchup_limit := p_catchup_limit;
	v_job.start_at := p_start_at;
	v_job.end_at := p_end_at;
	v_job.max_runs := p_max_runs;
	v_job.jitter := p_jitter;
	v_job.trigger_rule := p_trigger_rule;
	v_job.dependency_timeout := p_dependency_timeout;
	v_job.pool := p_pool;
	v_job.pool_slots := p_pool_slots;
	v_job.required_tags := p_required_tags;
	v_job.routing := p_routing;
	v_job.calendar := p_calendar;
	v_job.dst_policy := p_dst_policy;
	v_job.run_as := p_run_as;
	v_job.defined_by := p_caller;
	v_job.tags := p_tags;
	v_job.history := p_history;
	v_job.created_at := sched._now();
	v_job.updated_at := v_job.created_at;
	v_job.activated_at := CASE WHEN v_job.status = 'active' THEN v_job.created_at END;

	v_job := sched._check_job(v_job);
	PERFORM sched._check_run_role(p_caller, v_job);

	v_job.job_id := nextval('sched._job_job_id_seq');
	INSERT INTO sched._job SELECT v_job.*
	ON CONFLICT (name) WHERE status <> 'deleted' DO NOTHING;
	IF NOT FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'duplicate_object',
			MESSAGE = format('job "%s" already exists', p_name),
			HINT = 'Choose another name, or change that job with sched.update_job().';
	END IF;

	IF p_schedule IS NOT NULL THEN
		v_trigger.job_id := v_job.job_id;
		v_trigger.schedule := p_schedule;
		v_trigger.created_at := v_job.created_at;
		v_trigger.is_main := true;
		PERFORM sched._trigger_put(v_job, v_trigger),
			sched._check_custom(p_caller, v_job, p_schedule);
	END IF;
	IF cardinality(p_depends_on) > 0 THEN
		PERFORM sched._dependencies_set(p_caller, v_job, p_depends_on);
	END IF;
	PERFORM sched._event_note('job.created', v_job.job_id, NULL, NULL, v_job.owner::oid,
		jsonb_build_object('job_name', v_job.name, 'status', v_job.status));
	RETURN v_job.job_id;
END $$;
COMMENT ON FUNCTION sched._create_job(oid, text, text, text, text, jsonb, text, text, int, interval, int,
	interval, text, interval, text, text, int, text, interval, int, timestamptz, timestamptz, int,
	interval, text[], text, interval, text, int, text[], text, text, text, regrole, text[], text, boolean)
	IS 'Creates a job.';
