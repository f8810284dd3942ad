/*
 * Who may do what through HTTP.  Rights follow from those in schema sched: the roles
 * of sched.create_roles() may call in sched_api what they may call there.
 */

/* Which of the functions of sched_api are for whom. */
CREATE FUNCTION sched._api_role_functions(p_role text) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN CASE p_role
		WHEN 'anon' THEN ARRAY['health', 'liveness', 'readiness', 'pre_request']
		WHEN 'sched_executor' THEN sched._role_functions(p_role) || ARRAY['pre_request']
		ELSE sched._role_functions(p_role) || ARRAY['pre_request', 'get_executor'] END;
END $$;
COMMENT ON FUNCTION sched._api_role_functions(text) IS 'The functions of sched_api that a role may call; anon is whoever does not say who he is.';

CREATE FUNCTION sched._api_grant(p_role text, p_as text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_object	text;
BEGIN
	EXECUTE format('GRANT USAGE ON SCHEMA sched_api TO %I', p_role);
	FOR v_object IN
		SELECT p.oid::regprocedure::text FROM pg_catalog.pg_proc p
		WHERE p.pronamespace = 'sched_api'::regnamespace AND p.proname = ANY (sched._api_role_functions(p_as))
		ORDER BY p.oid
	LOOP
		EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', v_object, p_role);
	END LOOP;
	IF p_as NOT IN ('anon', 'sched_executor') THEN
		FOR v_object IN
			SELECT format('sched_api.%I', c.relname) FROM pg_catalog.pg_class c
			WHERE c.relnamespace = 'sched_api'::regnamespace AND c.relkind = 'v' ORDER BY c.relname
		LOOP
			EXECUTE format('GRANT SELECT ON %s TO %I', v_object, p_role);
		END LOOP;
	END IF;

	/* what pre_request() and the answers about health need */
	EXECUTE format('GRANT USAGE ON SCHEMA sched TO %I', p_role);
	EXECUTE format('GRANT EXECUTE ON FUNCTION sched._request_token(), sched._executor_of_token(text) TO %I', p_role);
	IF p_as = 'anon' THEN
		EXECUTE format('GRANT EXECUTE ON FUNCTION sched.health(), sched.liveness(), sched.readiness() TO %I', p_role);
	END IF;
END $$;
COMMENT ON FUNCTION sched._api_grant(text, text) IS 'Grants a role what another name stands for in sched_api.';

CREATE FUNCTION sched_api.setup(authenticator text DEFAULT 'authenticator', anon text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_role	text;
	v_login	pg_catalog.pg_roles;
BEGIN
	IF NOT (SELECT r.rolsuper FROM pg_catalog.pg_roles r WHERE r.rolname = current_user) THEN
		RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
			MESSAGE = 'permission denied to set up the HTTP face of sched',
			DETAIL = 'Only a superuser may.';
	END IF;
	IF coalesce(setup.authenticator, '') = '' THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'the authenticator is missing', DETAIL = 'Argument "authenticator" is empty.',
			HINT = 'Give the role that PostgREST connects as, such as authenticator.';
	END IF;
	PERFORM sched.create_roles();

	SELECT r.* INTO v_login FROM pg_catalog.pg_roles r WHERE r.rolname = setup.authenticator;
	IF NOT FOUND THEN
		EXECUTE format('CREATE ROLE %I LOGIN NOINHERIT', setup.authenticator);
		RAISE NOTICE USING MESSAGE = format('role "%s" has been created', setup.authenticator),
			HINT = 'It has no password yet.';
	ELSIF v_login.rolsuper OR v_login.rolbypassrls OR v_login.rolcreaterole THEN
		RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = format('role "%s" is too powerful to be the authenticator', setup.authenticator),
			DETAIL = 'It is a superuser, or has CREATEROLE or BYPASSRLS: every client could become that.',
			HINT = 'Let PostgREST connect as a role of its own with LOGIN and NOINHERIT and no other attribute.';
	ELSIF v_login.rolinherit THEN
		RAISE WARNING USING MESSAGE = format('role "%s" inherits the rights of the roles that it may become', setup.authenticator),
			HINT = format('ALTER ROLE %I NOINHERIT;', setup.authenticator);
	END IF;
	IF setup.anon IS NOT NULL AND NOT EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.rolname = setup.anon) THEN
		EXECUTE format('CREATE ROLE %I NOLOGIN', setup.anon);
		RAISE NOTICE USING MESSAGE = format('role "%s" has been created', setup.anon);
	END IF;

	FOREACH v_role IN ARRAY ARRAY['sched_admin', 'sched_operator', 'sched_user', 'sched_viewer', 'sched_executor'] LOOP
		PERFORM sched._api_grant(v_role, v_role);
		EXECUTE format('GRANT %I TO %I', v_role, setup.authenticator);
	END LOOP;
	IF setup.anon IS NOT NULL THEN
		PERFORM sched._api_grant(setup.anon, 'anon');
		EXECUTE format('GRANT %I TO %I', setup.anon, setup.authenticator);
	END IF;
	INSERT INTO sched._authenticator (name) VALUES (setup.authenticator) ON CONFLICT DO NOTHING;
	NOTIFY pgrst, 'reload schema';
END $$;
COMMENT ON FUNCTION sched_api.setup(text, text) IS 'Lets PostgREST in
Grants the roles of sched.create_roles() what they may do through HTTP, lets authenticator become them, and lets anon, if given, ask how it goes. Creates these two where they are missing. Superusers only; may be repeated.';

/*
 * PostgREST calls it before each request (db-pre-request), as the role that the
 * request runs as.  A request with an executor's token and without another
 * credential becomes one of sched_executor.  It must not be a definer's: only
 * then may it change the role, and only to one that the session may become.
 */
CREATE FUNCTION sched_api.pre_request() RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_token	text := sched._request_token();
BEGIN
	IF v_token IS NULL THEN
		RETURN;
	END IF;
	IF sched._executor_of_token(v_token) IS NULL THEN
		RAISE SQLSTATE 'PGRST' USING
			MESSAGE = '{"code": "28000", "message": "invalid executor token", "details": null, "hint": "Register the executor, or get another token for it with rotate_executor_token."}',
			DETAIL = '{"status": 401, "headers": {"WWW-Authenticate": "Bearer"}}';
	END IF;
	PERFORM set_config('sched.executor_token', v_token, true);
	IF nullif(current_setting('request.headers', true), '')::jsonb ->> 'authorization' IS NULL THEN
		PERFORM set_config('role', 'sched_executor', true);
	END IF;
END $$;
COMMENT ON FUNCTION sched_api.pre_request() IS 'Checks the token of an executor
For the setting db-pre-request of PostgREST. The header is named by sched.executor_auth_header.';

REVOKE ALL ON ALL TABLES IN SCHEMA sched_api FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA sched_api FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('sched._authenticator', '');
