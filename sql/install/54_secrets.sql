/*
 * Secrets: what HTTP requests send and nobody is to see.
 *
 * Only the HTTP worker opens them, for jobs whose owner may use them; no
 * function and no view returns one.  With sched.secret_key_file set they are
 * encrypted; a dump takes along those that are.
 *
 * Names that users give are letters, digits, "_", "." and "-".  Those with a
 * colon belong to other objects ("subscription:NAME").
 */

CREATE TABLE sched._secret
(
	name		text NOT NULL,
	owner		regrole NOT NULL,
	sealed		bytea NOT NULL,				-- see infrastructure/http/secret_box.c
	shared_with	regrole[] NOT NULL DEFAULT '{}',
	created_at	timestamptz NOT NULL,
	updated_at	timestamptz NOT NULL,
	CONSTRAINT secret_pkey PRIMARY KEY (name),
	CONSTRAINT secret_name_check CHECK (name <> '' AND octet_length(name) <= 300)
);
COMMENT ON TABLE sched._secret IS 'Values that HTTP requests may use by name.';

CREATE FUNCTION sched._seal(name text, value text) RETURNS bytea
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_sql_seal';
COMMENT ON FUNCTION sched._seal(text, text) IS 'A value as it is to be stored.';

CREATE FUNCTION sched._secrets_changed()
RETURNS trigger LANGUAGE c
AS 'MODULE_PATHNAME', 'sched_sql_secrets_changed';
COMMENT ON FUNCTION sched._secrets_changed() IS 'Has the HTTP worker read secrets anew.';
CREATE TRIGGER secret_changed AFTER INSERT OR UPDATE OR DELETE ON sched._secret
	FOR EACH STATEMENT EXECUTE FUNCTION sched._secrets_changed();
ALTER TABLE sched._secret ENABLE ALWAYS TRIGGER secret_changed;

CREATE VIEW sched.secrets WITH (security_barrier) AS
SELECT s.name,
	pg_catalog.pg_get_userbyid(s.owner) AS owner,
	get_byte(s.sealed, 0) > 0 AS encrypted,
	ARRAY(SELECT pg_catalog.pg_get_userbyid(r.role) FROM unnest(s.shared_with) AS r(role) ORDER BY 1) AS shared_with,
	s.created_at,
	s.updated_at
FROM sched._secret s
WHERE s.name !~ ':' AND sched._can_see(s.owner::oid);
COMMENT ON VIEW sched.secrets IS 'Names of secrets, never their values.';
COMMENT ON COLUMN sched.secrets.encrypted IS 'False: it was set when sched.secret_key_file was empty, and lies in the table in clear.';
COMMENT ON COLUMN sched.secrets.shared_with IS 'Roles whose jobs may use it, beside those of its owner.';

/* The secret of that name, locked, if the caller may change it. */
CREATE FUNCTION sched._secret_find(p_caller oid, p_name text) RETURNS sched._secret
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_secret	sched._secret;
BEGIN
	SELECT s.* INTO v_secret FROM sched._secret s WHERE s.name = p_name AND s.name !~ ':' FOR NO KEY UPDATE;
	IF NOT FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object',
			MESSAGE = format('secret "%s" does not exist', left(p_name, 100)),
			HINT = 'Names are case-sensitive; SELECT * FROM sched.secrets lists them.';
	END IF;
	PERFORM sched._check_right(p_caller, v_secret.owner::oid, 'change', format('secret "%s"', p_name));
	RETURN v_secret;
END $$;
COMMENT ON FUNCTION sched._secret_find(oid, text) IS 'Looks a secret up and checks the right on it.';

CREATE FUNCTION sched._set_secret(p_caller oid, p_name text, p_value text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_sealed	bytea;
BEGIN
	IF p_name IS NULL OR p_name !~ '^[A-Za-z0-9_.-]{1,63}$' THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'invalid name for a secret',
			DETAIL = format('name is %s.', coalesce('"' || left(p_name, 100) || '"', 'NULL')),
			HINT = 'Give 1 to 63 letters, digits, "_", "." or "-", such as billing_token.';
	END IF;
	IF p_value IS NULL OR octet_length(p_value) > 65536 THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('invalid value for secret "%s"', p_name),
			DETAIL = CASE WHEN p_value IS NULL THEN 'value is NULL.' ELSE 'value is longer than 64 kB.' END,
			HINT = 'Give a text, or remove the secret with sched.drop_secret().';
	END IF;
	v_sealed := sched._seal(p_name, p_value);

	INSERT INTO sched._secret (name, owner, sealed, created_at, updated_at)
	VALUES (p_name, p_caller, v_sealed, sched._now(), sched._now())
	ON CONFLICT (name) DO NOTHING;
	IF NOT FOUND THEN
		PERFORM sched._secret_find(p_caller, p_name);
		UPDATE sched._secret SET sealed = v_sealed, updated_at = sched._now() WHERE name = p_name;
	END IF;
	IF get_byte(v_sealed, 0) = 0 THEN
		RAISE WARNING USING
			MESSAGE = format('secret "%s" is stored in clear', p_name),
			DETAIL = 'sched.secret_key_file is empty. Nobody but superusers can read the table, and no dump has it.',
			HINT = 'Set sched.secret_key_file, and set the secret once more.';
	END IF;
END $$;
COMMENT ON FUNCTION sched._set_secret(oid, text, text) IS 'Behind sched.set_secret().';
CREATE FUNCTION sched.set_secret(name text, value text) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched.set_secret(text, text) IS 'Keeps a value under a name, by which HTTP jobs of the caller may send it; replaces the value of a secret that is there.';

CREATE FUNCTION sched._drop_secret(p_caller oid, p_name text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	PERFORM sched._secret_find(p_caller, p_name);
	DELETE FROM sched._secret WHERE name = p_name;
	RETURN true;
END $$;
COMMENT ON FUNCTION sched._drop_secret(oid, text) IS 'Behind sched.drop_secret().';
CREATE FUNCTION sched.drop_secret(name text) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched.drop_secret(text) IS 'Forgets a secret. Jobs that name it fail from then on.';

CREATE FUNCTION sched._share_secret(p_caller oid, p_name text, p_role regrole, p_share boolean) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_secret	sched._secret := sched._secret_find(p_caller, p_name);
BEGIN
	IF p_role IS NULL OR NOT EXISTS (SELECT FROM pg_catalog.pg_authid a WHERE a.oid = p_role::oid) THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('invalid role for secret "%s"', p_name),
			DETAIL = format('role is %s.', coalesce('"' || p_role::text || '"', 'NULL')),
			HINT = 'Give the name of a role.';
	END IF;
	/* sched_admin may change other roles' secrets, but not have them for itself. */
	IF p_share AND NOT pg_has_role(p_caller, v_secret.owner::oid, 'USAGE') THEN
		RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
			MESSAGE = format('permission denied for secret "%s"', p_name),
			DETAIL = format('Role "%s" is not a member of its owner "%s".',
							pg_get_userbyid(p_caller), pg_get_userbyid(v_secret.owner));
	END IF;
	IF p_share = (p_role = ANY (v_secret.shared_with)) THEN
		RETURN false;
	END IF;
	UPDATE sched._secret SET
		shared_with = CASE WHEN p_share THEN array_append(shared_with, p_role)
						   ELSE array_remove(shared_with, p_role) END,
		updated_at = sched._now()
	WHERE name = p_name;
	RETURN true;
END $$;
COMMENT ON FUNCTION sched._share_secret(oid, text, regrole, boolean) IS 'Behind sched.grant_secret() and sched.revoke_secret().';

CREATE FUNCTION sched._grant_secret(p_caller oid, p_name text, p_role regrole) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN sched._share_secret(p_caller, p_name, p_role, true);
END $$;
COMMENT ON FUNCTION sched._grant_secret(oid, text, regrole) IS 'Behind sched.grant_secret().';
CREATE FUNCTION sched.grant_secret(name text, role regrole) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched.grant_secret(text, regrole) IS 'Lets jobs of the role and its members use a secret, without showing it. False when they may already.';

CREATE FUNCTION sched._revoke_secret(p_caller oid, p_name text, p_role regrole) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN sched._share_secret(p_caller, p_name, p_role, false);
END $$;
COMMENT ON FUNCTION sched._revoke_secret(oid, text, regrole) IS 'Behind sched.revoke_secret().';
CREATE FUNCTION sched.revoke_secret(name text, role regrole) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched.revoke_secret(text, regrole) IS 'Takes back what sched.grant_secret() gave. False when there is nothing to take back.';
