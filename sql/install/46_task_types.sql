/*
 * Task types: what else a job's type may be besides the built-in ones.
 *
 * A type with a handler is run by the SQL workers, one without by executors
 * that list it.  Whoever registers a handler says what the jobs of the type
 * execute; see sched._check_run_role() for what follows from that.
 */
CREATE TRIGGER task_type_changed AFTER INSERT OR UPDATE OR DELETE ON sched._task_type
	FOR EACH STATEMENT EXECUTE FUNCTION sched._task_type_changed();
ALTER TABLE sched._task_type ENABLE ALWAYS TRIGGER task_type_changed;

CREATE VIEW sched.task_types AS
SELECT t.name,
	t.handler,
	t.parameter_schema,
	t.built_in,
	CASE WHEN t.owner IS NOT NULL THEN pg_catalog.pg_get_userbyid(t.owner) END AS owner,
	t.created_at
FROM sched._task_type t
ORDER BY t.built_in DESC, t.name;
COMMENT ON VIEW sched.task_types IS 'What a job''s type may be.';
COMMENT ON COLUMN sched.task_types.name IS 'The type, as in sched.create_job(type => ...).';
COMMENT ON COLUMN sched.task_types.handler IS 'The function that runs tasks of the type inside the database; NULL: built in, or executors run them.';
COMMENT ON COLUMN sched.task_types.parameter_schema IS 'The JSON Schema that parameters of jobs and tasks of the type have to suit, NULL: any.';
COMMENT ON COLUMN sched.task_types.built_in IS 'Is it a part of sched?';
COMMENT ON COLUMN sched.task_types.owner IS 'Who registered it, and may change it; NULL: nobody.';
COMMENT ON COLUMN sched.task_types.created_at IS 'When it was registered.';

CREATE FUNCTION sched._bad_type(p_name text, p_field text, p_detail text, p_hint text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RAISE EXCEPTION USING
		ERRCODE = 'invalid_parameter_value',
		MESSAGE = format('invalid %s for task type "%s"', p_field, left(p_name, 100)),
		DETAIL = p_detail,
		HINT = p_hint;
END $$;
COMMENT ON FUNCTION sched._bad_type(text, text, text, text) IS 'Raises the error for a bad argument of a task type.';

/* The signature of a function that can be a handler, and that the caller may call. */
CREATE FUNCTION sched._handler_signature(p_caller oid, p_name text, p_handler oid) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_proc		pg_catalog.pg_proc;
	v_signature	text := p_handler::regprocedure::text;
BEGIN
	SELECT p.* INTO v_proc FROM pg_catalog.pg_proc p WHERE p.oid = p_handler;
	IF NOT FOUND THEN
		PERFORM sched._bad_type(p_name, 'handler', format('There is no function with OID %s.', p_handler),
			'Name a function f(parameters jsonb) RETURNS jsonb.');
	ELSIF v_proc.prokind <> 'f' OR v_proc.proretset
		OR v_proc.pronargs NOT IN (1, 2)
		OR (v_proc.proargtypes[0] <> 'jsonb'::regtype
			OR v_proc.pronargs = 2 AND v_proc.proargtypes[1] <> 'jsonb'::regtype)
		OR v_proc.prorettype NOT IN ('jsonb'::regtype, 'void'::regtype)
	THEN
		PERFORM sched._bad_type(p_name, 'handler', format('%s is not a function of the form that is needed.', v_signature),
			'Give f(parameters jsonb) or f(parameters jsonb, task jsonb), RETURNS jsonb or void.');
	ELSIF NOT has_function_privilege(p_caller, p_handler, 'EXECUTE') THEN
		RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
			MESSAGE = format('permission denied for function %s', v_signature),
			DETAIL = format('It is to be the handler of task type "%s".', p_name);
	END IF;
	RETURN v_signature;
END $$;
COMMENT ON FUNCTION sched._handler_signature(oid, text, oid) IS 'Checks a function that is to be a handler and gives its signature.';

CREATE FUNCTION sched._type_name_check(p_name text) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF p_name IS NULL OR octet_length(p_name) NOT BETWEEN 1 AND 63 OR p_name ~ '[[:cntrl:][:space:],]' THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('invalid name of a task type: %s', coalesce('"' || left(p_name, 100) || '"', 'NULL')),
			DETAIL = 'A name has 1 to 63 bytes and neither blanks nor commas.',
			HINT = 'For example "mail" or "report.pdf".';
	END IF;
END $$;
COMMENT ON FUNCTION sched._type_name_check(text) IS 'Raises an error if a task type cannot have that name.';

/* A type that the caller may change, locked. */
CREATE FUNCTION sched._type_find(p_caller oid, p_name text) RETURNS sched._task_type
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_type	sched._task_type;
	v_alike	text;
BEGIN
	SELECT t.* INTO v_type FROM sched._task_type t WHERE t.name = p_name FOR UPDATE;
	IF NOT FOUND THEN
		v_alike := sched._alike(p_name, ARRAY(SELECT t.name FROM sched._task_type t WHERE NOT t.built_in));
		RAISE EXCEPTION USING ERRCODE = 'undefined_object',
			MESSAGE = format('task type "%s" does not exist', p_name),
			HINT = coalesce('Did you mean ' || v_alike || '?', 'See sched.task_types for those that do.');
	ELSIF v_type.built_in THEN
		RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = format('task type "%s" cannot be changed', p_name),
			DETAIL = 'It is built in.';
	END IF;
	PERFORM sched._check_right(p_caller, v_type.owner::oid, 'change', format('task type "%s"', p_name));
	RETURN v_type;
END $$;
COMMENT ON FUNCTION sched._type_find(oid, text) IS 'Looks a task type up and checks the right to change it.';

CREATE FUNCTION sched._register_task_type(p_caller oid, p_name text, p_handler regproc, p_parameter_schema jsonb)
RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	PERFORM sched._type_name_check(p_name);
	PERFORM sched._check_schema(p_name, p_parameter_schema);
	INSERT INTO sched._task_type (name, handler, parameter_schema, owner, created_at)
	SELECT p_name,
		CASE WHEN p_handler IS NOT NULL THEN sched._handler_signature(p_caller, p_name, p_handler) END,
		p_parameter_schema, p_caller, sched._now()
	ON CONFLICT (name) DO NOTHING;
	IF NOT FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'duplicate_object',
			MESSAGE = format('task type "%s" already exists', p_name),
			HINT = 'Change it with sched.update_task_type(), or choose another name.';
	END IF;
END $$;
COMMENT ON FUNCTION sched._register_task_type(oid, text, regproc, jsonb) IS 'Behind sched.register_task_type().';
CREATE FUNCTION sched.register_task_type(name text, handler regproc DEFAULT NULL, parameter_schema jsonb DEFAULT NULL)
RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched.register_task_type(text, regproc, jsonb) IS 'Makes a type of tasks: run inside the database by handler(parameters jsonb), or by executors that list the type; parameter_schema is a JSON Schema that parameters have to suit.';

CREATE FUNCTION sched._update_task_type(p_caller oid, p_name text, p_changes jsonb) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_old	sched._task_type := sched._type_find(p_caller, p_name);
	v_new	sched._task_type := v_old;
	v_key	text;
	v_value	jsonb;
	v_job	sched._job;
	v_function oid;
BEGIN
	IF p_changes IS NULL OR jsonb_typeof(p_changes) <> 'object' THEN
		PERFORM sched._bad_type(p_name, 'changes', format('changes is %s.', coalesce(left(p_changes::text, 100), 'NULL')),
			'Give a JSON object, such as {"handler": "public.send_mail"}.');
	END IF;
	FOR v_key, v_value IN SELECT e.key, e.value FROM jsonb_each(p_changes) e LOOP
		IF v_key = 'handler' AND jsonb_typeof(v_value) = 'null' THEN
			v_new.handler := NULL;
		ELSIF v_key = 'handler' AND jsonb_typeof(v_value) = 'string' THEN
			v_function := CASE WHEN v_value #>> '{}' LIKE '%(%' THEN to_regprocedure(v_value #>> '{}')::oid
							   ELSE to_regproc(v_value #>> '{}')::oid END;
			IF v_function IS NULL THEN
				PERFORM sched._bad_type(p_name, 'handler', format('There is no function %s, or there are several.', v_value),
					'Name it with its schema, such as public.send_mail.');
			END IF;
			v_new.handler := sched._handler_signature(p_caller, p_name, v_function);
		ELSIF v_key = 'parameter_schema' THEN
			v_new.parameter_schema := nullif(v_value, 'null');
			PERFORM sched._check_schema(p_name, v_new.parameter_schema);
		ELSE
			PERFORM sched._bad_type(p_name, 'changes', format('Key "%s" is %s.', left(v_key, 100), left(v_value::text, 100)),
				'The keys are handler, the name of a function, and parameter_schema.');
		END IF;
	END LOOP;
	IF v_new *= v_old THEN
		RETURN false;
	END IF;
	/* Who says last what is executed answers for it. */
	IF v_new.handler IS DISTINCT FROM v_old.handler AND v_new.handler IS NOT NULL THEN
		v_new.owner := p_caller;
	END IF;
	IF v_new.parameter_schema IS DISTINCT FROM v_old.parameter_schema AND v_new.parameter_schema IS NOT NULL THEN
		FOR v_job IN SELECT j.* FROM sched._job j WHERE j.type = p_name AND j.status <> 'deleted' ORDER BY j.job_id LOOP
			PERFORM sched._check_parameters(v_job.name, v_new.parameter_schema, v_job.parameters);
		END LOOP;
	END IF;
	UPDATE sched._task_type SET handler = v_new.handler, parameter_schema = v_new.parameter_schema, owner = v_new.owner
	WHERE name = p_name;
	RETURN true;
END $$;
COMMENT ON FUNCTION sched._update_task_type(oid, text, jsonb) IS 'Behind sched.update_task_type().';
CREATE FUNCTION sched.update_task_type(name text, changes jsonb) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched.update_task_type(text, jsonb) IS 'Changes a task type; the keys are handler and parameter_schema, null takes one away. Who sets a handler becomes its owner. False when nothing changed.';

CREATE FUNCTION sched._unregister_task_type(p_caller oid, p_name text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_type	sched._task_type := sched._type_find(p_caller, p_name);
	v_users	bigint;
	v_name	text;
BEGIN
	/* other people's jobs are counted, but not named */
	SELECT count(*), min(j.name) FILTER (WHERE sched._may(p_caller, j.owner::oid, 'see'))
	INTO v_users, v_name
	FROM sched._job j WHERE j.type = p_name AND j.status <> 'deleted';
	IF v_users > 0 THEN
		RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = format('task type "%s" is in use', p_name),
			DETAIL = format('Jobs that use it: %s%s.', v_users, coalesce(format(', among them "%s"', v_name), '')),
			HINT = 'Delete these jobs, or give them another type, first.';
	END IF;
	DELETE FROM sched._task_type WHERE name = p_name;
	RETURN true;
END $$;
COMMENT ON FUNCTION sched._unregister_task_type(oid, text) IS 'Behind sched.unregister_task_type().';
CREATE FUNCTION sched.unregister_task_type(name text) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched.unregister_task_type(text) IS 'Removes a task type that no job uses.';
