/*
 * Pools: a number of slots that the tasks of several jobs share.
 *
 * The table says how many slots there are; how many are used is the sum of the leases
 * in memory, and nowhere else.  The scheduler reads the table whenever it has changed.
 */
CREATE TABLE sched._pool
(
	name		text NOT NULL,
	slots		int NOT NULL,
	description	text,
	owner		regrole NOT NULL,
	created_at	timestamptz NOT NULL,
	updated_at	timestamptz NOT NULL,
	CONSTRAINT pool_pkey PRIMARY KEY (name),
	CONSTRAINT pool_slots_check CHECK (slots >= 0)
);
COMMENT ON TABLE sched._pool IS 'Slots that the tasks of several jobs share.';

CREATE FUNCTION sched._pool_changed()
RETURNS trigger LANGUAGE c
AS 'MODULE_PATHNAME', 'sched_pool_changed';
CREATE TRIGGER pool_changed AFTER INSERT OR UPDATE OR DELETE ON sched._pool
	FOR EACH STATEMENT EXECUTE FUNCTION sched._pool_changed();
ALTER TABLE sched._pool ENABLE ALWAYS TRIGGER pool_changed;

CREATE FUNCTION sched._pool_state(name text, OUT used int, OUT waiting int, OUT first_waiting bigint)
LANGUAGE c STABLE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_pool_state';

/* For tests: how many slots the queue believes that there are. */
CREATE FUNCTION sched._pool_capacity(name text) RETURNS int
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_pool_capacity';

CREATE VIEW sched.pools AS
SELECT p.name,
	p.slots,
	coalesce(s.used, 0) AS used,
	coalesce(s.waiting, 0) AS waiting,
	p.description,
	pg_catalog.pg_get_userbyid(p.owner) AS owner,
	p.created_at,
	p.updated_at
FROM sched._pool p
CROSS JOIN LATERAL (SELECT (sched._pool_state(p.name)).used, (sched._pool_state(p.name)).waiting OFFSET 0) AS s
ORDER BY p.name;
COMMENT ON VIEW sched.pools IS 'Pools: slots that the tasks of several jobs share.';
COMMENT ON COLUMN sched.pools.name IS 'As in sched.create_job(pool => ...).';
COMMENT ON COLUMN sched.pools.slots IS 'How many there are.';
COMMENT ON COLUMN sched.pools.used IS 'How many the tasks have that are assigned or running.';
COMMENT ON COLUMN sched.pools.waiting IS 'Ready tasks of its jobs that have not been taken, for whatever reason but a limit of their job.';
COMMENT ON COLUMN sched.pools.description IS 'What it is for.';
COMMENT ON COLUMN sched.pools.owner IS 'Who may change it.';
COMMENT ON COLUMN sched.pools.created_at IS 'When it was made.';
COMMENT ON COLUMN sched.pools.updated_at IS 'When it was last changed.';

CREATE FUNCTION sched._bad_pool(p_name text, p_field text, p_value text, p_hint text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
		MESSAGE = format('invalid %s for pool "%s"', p_field, left(p_name, 100)),
		DETAIL = format('%s is %s.', p_field, coalesce('"' || left(p_value, 100) || '"', 'NULL')),
		HINT = p_hint;
END $$;
COMMENT ON FUNCTION sched._bad_pool(text, text, text, text) IS 'Raises the error for a bad argument of a pool.';

/* A pool that the caller may change, locked. */
CREATE FUNCTION sched._pool_find(p_caller oid, p_name text) RETURNS sched._pool
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_pool	sched._pool;
	v_alike	text;
BEGIN
	SELECT p.* INTO v_pool FROM sched._pool p WHERE p.name = p_name FOR UPDATE;
	IF NOT FOUND THEN
		v_alike := sched._alike(p_name, ARRAY(SELECT p.name FROM sched._pool p LIMIT 1000));
		RAISE EXCEPTION USING ERRCODE = 'undefined_object',
			MESSAGE = format('pool "%s" does not exist', left(p_name, 100)),
			HINT = coalesce('Did you mean ' || v_alike || '?', 'See sched.pools for those that do.');
	END IF;
	PERFORM sched._check_right(p_caller, v_pool.owner::oid, 'change', format('pool "%s"', p_name));
	RETURN v_pool;
END $$;
COMMENT ON FUNCTION sched._pool_find(oid, text) IS 'Looks a pool up and checks the right to change it.';

CREATE FUNCTION sched._create_pool(p_caller oid, p_name text, p_slots int, p_description text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF p_name IS NULL OR octet_length(p_name) NOT BETWEEN 1 AND 255 OR p_name ~ '[[:cntrl:]]' THEN
		PERFORM sched._bad_pool(p_name, 'name', regexp_replace(p_name, '[[:cntrl:]]', '?', 'g'),
			'Give a name of 1 to 255 bytes without control characters.');
	ELSIF p_slots IS NULL OR p_slots NOT BETWEEN 0 AND 1000000 THEN
		PERFORM sched._bad_pool(p_name, 'slots', p_slots::text, 'Give a number from 0 to 1000000; 0 lets nothing start.');
	END IF;
	INSERT INTO sched._pool (name, slots, description, owner, created_at, updated_at)
	SELECT p_name, p_slots, p_description, p_caller, clock.now, clock.now
	FROM (SELECT sched._now() AS now OFFSET 0) AS clock
	ON CONFLICT (name) DO NOTHING;
	IF NOT FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'duplicate_object',
			MESSAGE = format('pool "%s" already exists', p_name),
			HINT = 'Change it with sched.update_pool(), or choose another name.';
	END IF;
END $$;
COMMENT ON FUNCTION sched._create_pool(oid, text, int, text) IS 'Behind sched.create_pool().';
CREATE FUNCTION sched.create_pool(name text, slots int, description text DEFAULT NULL) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched.create_pool(text, int, text) IS 'Makes a pool: jobs that name it share its slots, each running task has pool_slots of them.';

CREATE FUNCTION sched._update_pool(p_caller oid, p_name text, p_slots int, p_description text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_pool	sched._pool := sched._pool_find(p_caller, p_name);
BEGIN
	IF p_slots NOT BETWEEN 0 AND 1000000 THEN
		PERFORM sched._bad_pool(p_name, 'slots', p_slots::text, 'Give a number from 0 to 1000000; 0 lets nothing start.');
	END IF;
	/* NULL leaves things as they are */
	UPDATE sched._pool p
	SET slots = coalesce(p_slots, p.slots), description = coalesce(p_description, p.description), updated_at = sched._now()
	WHERE p.name = p_name
	  AND (p.slots, p.description) IS DISTINCT FROM (coalesce(p_slots, p.slots), coalesce(p_description, p.description));
	RETURN FOUND;
END $$;
COMMENT ON FUNCTION sched._update_pool(oid, text, int, text) IS 'Behind sched.update_pool().';
CREATE FUNCTION sched.update_pool(name text, slots int DEFAULT NULL, description text DEFAULT NULL) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched.update_pool(text, int, text) IS 'Changes the slots of a pool, or its description; NULL leaves either as it is. Running tasks keep the slots that they have. False when nothing changed.';

CREATE FUNCTION sched._drop_pool(p_caller oid, p_name text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_pool	sched._pool := sched._pool_find(p_caller, p_name);
	v_users	bigint;
	v_name	text;
BEGIN
	/* other people's jobs are counted, but not named */
	SELECT count(*), min(j.name) FILTER (WHERE sched._may(p_caller, j.owner::oid, 'see'))
	INTO v_users, v_name
	FROM sched._job j WHERE j.pool = p_name AND j.status <> 'deleted';
	IF v_users > 0 THEN
		RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = format('pool "%s" is in use', p_name),
			DETAIL = format('Jobs that use it: %s%s.', v_users, coalesce(format(', among them "%s"', v_name), '')),
			HINT = 'Give these jobs another pool first, or none: sched.update_job(job, ''{"pool": null}'').';
	END IF;
	DELETE FROM sched._pool p WHERE p.name = p_name;
	RETURN true;
END $$;
COMMENT ON FUNCTION sched._drop_pool(oid, text) IS 'Behind sched.drop_pool().';
CREATE FUNCTION sched.drop_pool(name text) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched.drop_pool(text) IS 'Removes a pool that no job uses.';

/* Slots and tags of a definition. */
CREATE FUNCTION sched._check_capacity(p_job sched._job) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_slots	int;
	v_alike	text;
BEGIN
	IF p_job.pool IS NOT NULL THEN
		SELECT p.slots INTO v_slots FROM sched._pool p WHERE p.name = p_job.pool;
		IF NOT FOUND THEN
			v_alike := sched._alike(p_job.pool, ARRAY(SELECT p.name FROM sched._pool p LIMIT 1000));
			PERFORM sched._bad_argument(p_job.name, 'pool', p_job.pool,
				coalesce('Did you mean ' || v_alike || '? ', '')
				|| 'There is no pool of that name; make it with sched.create_pool(name, slots).');
		ELSIF p_job.pool_slots > greatest(v_slots, 1) THEN
			PERFORM sched._bad_argument(p_job.name, 'pool_slots', p_job.pool_slots::text,
				format('Give a number from 1 to %s: pool "%s" has no more.', v_slots, p_job.pool));
		END IF;
	END IF;
	IF cardinality(p_job.required_tags) > 16 OR EXISTS (SELECT FROM unnest(p_job.required_tags) AS t WHERE t = '') THEN
		PERFORM sched._bad_argument(p_job.name, 'required_tags', p_job.required_tags::text,
			'Give at most 16 tags, none of them empty.');
	END IF;
END $$;
COMMENT ON FUNCTION sched._check_capacity(sched._job) IS 'Raises an error if a definition asks for capacity that there cannot be.';
