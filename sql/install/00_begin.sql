/* sched: install script.  Made by make from sql/install/NN_*.sql, in order. */
\echo Use "CREATE EXTENSION sched" to load this file. \quit

/*
 * Whoever may create objects in the schema could put a function of a better
 * match beside one of ours, and have it run as the extension's owner.  A schema
 * that was there before must therefore be a superuser's, closed to all others, and
 * hold nothing of theirs.  (A dump makes the schema before the extension.)
 */
DO $$
DECLARE
	v_schema	pg_catalog.pg_namespace;
	v_foreign	text;
BEGIN
	SELECT n.* INTO STRICT v_schema FROM pg_catalog.pg_namespace n WHERE n.nspname = 'sched';
	SELECT CASE r.oid WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.pg_get_userbyid(r.oid) END INTO v_foreign
	FROM (SELECT v_schema.nspowner
		  UNION ALL
		  SELECT x.grantee FROM pg_catalog.aclexplode(v_schema.nspacl) x WHERE x.privilege_type = 'CREATE'
		  UNION ALL
		  SELECT p.proowner FROM pg_catalog.pg_proc p WHERE p.pronamespace = v_schema.oid
		  UNION ALL
		  SELECT c.relowner FROM pg_catalog.pg_class c WHERE c.relnamespace = v_schema.oid
		  UNION ALL
		  SELECT t.typowner FROM pg_catalog.pg_type t WHERE t.typnamespace = v_schema.oid
		  UNION ALL
		  SELECT o.oprowner FROM pg_catalog.pg_operator o WHERE o.oprnamespace = v_schema.oid) AS r (oid)
	WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_authid a WHERE a.oid = r.oid AND a.rolsuper)
	LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
			MESSAGE = 'schema "sched" is not safe to install extension "sched" in',
			DETAIL = pg_catalog.format('It belongs to, is open to, or holds objects of "%s", who is not a superuser.',
				v_foreign),
			HINT = 'Drop the schema; CREATE EXTENSION makes it anew.';
	END IF;
END $$;
