/*
 * Dependencies between jobs: adding, removing, refusing cycles.
 *
 * Whoever changes edges holds SHARE ROW EXCLUSIVE on _dependency until his
 * transaction ends, so two that would close a circle together come one after
 * the other; the second finds the first one's edge, since the path is looked for as
 * of now (sched._dependency_path), not as of his snapshot.  Readers, and the runs
 * that are going on, are not disturbed.
 */

CREATE FUNCTION sched._dependency_path(job_id bigint, upstream_id bigint) RETURNS bigint[]
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_dependency_path';
COMMENT ON FUNCTION sched._dependency_path(bigint, bigint) IS 'The jobs over which the second depends on the first, both included; NULL: it does not.';

CREATE FUNCTION sched._check_expression(expression text) RETURNS boolean
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_sql_check_expression';
COMMENT ON FUNCTION sched._check_expression(text) IS 'Is it one SQL expression, by its grammar?';

CREATE FUNCTION sched._dependency_refuse_cycle(p_job sched._job, p_upstream sched._job) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_path	bigint[];
BEGIN
	v_path := CASE WHEN p_job.job_id = p_upstream.job_id THEN ARRAY[p_job.job_id]
				   ELSE sched._dependency_path(p_job.job_id, p_upstream.job_id) END;
	IF v_path IS NULL THEN
		RETURN;
	END IF;
	RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
		MESSAGE = format('job "%s" cannot depend on job "%s": they would wait for each other',
						 p_job.name, p_upstream.name),
		DETAIL = format('The cycle is %s.',
			(SELECT string_agg(format('"%s"', j.name), ' -> ' ORDER BY p.n)
			 FROM unnest(v_path || p_job.job_id) WITH ORDINALITY AS p(job_id, n)
			 JOIN sched._job j ON j.job_id = p.job_id)),
		HINT = 'Remove one of these dependencies with sched.remove_dependency().';
END $$;
COMMENT ON FUNCTION sched._dependency_refuse_cycle(sched._job, sched._job) IS 'Raises an error if the edge would close a circle.';

CREATE FUNCTION sched._dependency_check(p_job sched._job, p_edge sched._dependency) RETURNS sched._dependency
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	p_edge.type := coalesce(p_edge.type, 'success');
	PERFORM sched._check_choice(p_job.name, 'type', p_edge.type,
		ARRAY['success', 'completion', 'failure', 'start', 'conditional', 'soft', 'mutex']);
	IF p_edge.match IS NOT NULL THEN
		PERFORM sched._check_choice(p_job.name, 'match', p_edge.match,
			ARRAY['same_run', 'since_last_run', 'same_time', 'offset', 'latest', 'window']);
	ELSIF p_edge."offset" IS NOT NULL THEN
		p_edge.match := 'offset';
	END IF;
	IF p_edge."offset" IS NOT NULL THEN
		PERFORM sched._check_interval(p_job.name, 'offset', p_edge."offset");
	END IF;
	IF p_edge.delay IS NOT NULL THEN
		PERFORM sched._check_interval(p_job.name, 'delay', p_edge.delay);
	END IF;
	IF (p_edge.match IN ('offset', 'window')) IS DISTINCT FROM (p_edge."offset" IS NOT NULL)
		AND (p_edge.match IS NOT NULL OR p_edge."offset" IS NOT NULL)
	THEN
		PERFORM sched._bad_argument(p_job.name, 'offset', p_edge."offset"::text,
			CASE WHEN p_edge."offset" IS NULL THEN format('Give an interval: match => ''%s'' needs one.', p_edge.match)
				 ELSE 'It goes with match => ''offset'' or match => ''window''.' END);
	END IF;
	IF p_edge.type = 'conditional' AND coalesce(p_edge.condition, '') !~ '\S' THEN
		PERFORM sched._bad_argument(p_job.name, 'condition', p_edge.condition,
			'Give a SQL expression over status, result and parameters, such as (result ->> ''rows'')::int > 0.');
	ELSIF p_edge.condition IS NOT NULL AND p_edge.type = 'conditional' THEN
		BEGIN
			IF NOT sched._check_expression(p_edge.condition) THEN
				PERFORM sched._bad_argument(p_job.name, 'condition', p_edge.condition, 'Give one SQL expression.');
			END IF;
		EXCEPTION WHEN syntax_error THEN
			PERFORM sched._bad_argument(p_job.name, 'condition', p_edge.condition, format('It is no SQL: %s.', SQLERRM));
		END;
	ELSIF p_edge.type <> 'conditional' AND p_edge.condition IS NOT NULL THEN
		PERFORM sched._bad_argument(p_job.name, 'condition', p_edge.condition,
			'It goes with type => ''conditional''.');
	END IF;
	IF p_edge.type = 'mutex' AND (p_edge.match IS NOT NULL OR p_edge.delay IS NOT NULL) THEN
		PERFORM sched._bad_argument(p_job.name,
			CASE WHEN p_edge.match IS NOT NULL THEN 'match' ELSE 'delay' END,
			coalesce(p_edge.match, p_edge.delay::text),
			'A mutex looks at all live tasks of the other job, now.');
	END IF;
	RETURN p_edge;
END $$;
COMMENT ON FUNCTION sched._dependency_check(sched._job, sched._dependency) IS 'Checks an edge and fills in defaults.';

CREATE FUNCTION sched._dependency_lock() RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	LOCK TABLE sched._dependency IN SHARE ROW EXCLUSIVE MODE;
END $$;
COMMENT ON FUNCTION sched._dependency_lock() IS 'One at a time changes dependencies.';

CREATE FUNCTION sched._dependency_add(p_caller oid, p_job sched._job, p_upstream sched._job,
	p_type text, p_match text, p_offset interval, p_condition text, p_delay interval) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
	v_edge	sched._dependency;
	v_old	sched._dependency;
BEGIN
	v_edge.job_id := p_job.job_id;
	v_edge.upstream_id := p_upstream.job_id;
	v_edge.type := p_type;
	v_edge.match := p_match;
	v_edge."offset" := p_offset;
	v_edge.condition := p_condition;
	v_edge.delay := p_delay;
	v_edge := sched._dependency_check(p_job, v_edge);
	IF v_edge.condition IS NOT NULL THEN
		/* it will be evaluated as the job's owner */
		PERFORM sched._check_run_member(p_caller, p_job);
	END IF;

	PERFORM sched._dependency_lock();
	IF NOT EXISTS (SELECT FROM sched._job j WHERE j.job_id = p_upstream.job_id AND j.status <> 'deleted') THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object',
			MESSAGE = format('job "%s" does not exist', p_upstream.name),
			HINT = 'It has been deleted meanwhile.';
	END IF;
	SELECT d.* INTO v_old FROM sched._dependency d
	WHERE d.job_id = v_edge.job_id AND d.upstream_id = v_edge.upstream_id AND d.removed_at IS NULL;
	IF FOUND THEN
		IF (v_old.type, v_old.match, v_old."offset", v_old.condition, v_old.delay)
			IS NOT DISTINCT FROM (v_edge.type, v_edge.match, v_edge."offset", v_edge.condition, v_edge.delay)
		THEN
			RETURN v_old.dependency_id;
		END IF;
		RAISE EXCEPTION USING ERRCODE = 'duplicate_object',
			MESSAGE = format('job "%s" depends on job "%s" already', p_job.name, p_upstream.name),
			DETAIL = format('The type of that dependency is %s.', v_old.type),
			HINT = 'Remove it first with sched.remove_dependency().';
	END IF;
	IF v_edge.type <> 'mutex' OR p_job.job_id = p_upstream.job_id THEN
		PERFORM sched._dependency_refuse_cycle(p_job, p_upstream);
	END IF;
	v_edge.dependency_id := nextval('sched._dependency_dependency_id_seq');
	v_edge.created_at := sched._now();
	INSERT INTO sched._dependency SELECT v_edge.*;
	RETURN v_edge.dependency_id;
END $$;
COMMENT ON FUNCTION sched._dependency_add(oid, sched._job, sched._job, text, text, interval, text, interval) IS 'Adds an edge after checking it.';

CREATE FUNCTION sched._dependency_remove(p_job sched._job, p_upstream sched._job) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	PERFORM sched._dependency_lock();
	UPDATE sched._dependency SET removed_at = sched._now()
	WHERE job_id = p_job.job_id AND upstream_id = p_upstream.job_id AND removed_at IS NULL;
	RETURN FOUND;
END $$;
COMMENT ON FUNCTION sched._dependency_remove(sched._job, sched._job) IS 'Removes an edge; tasks that wait by it go on to.';

/*
 * The success dependencies of a job are to be those on these jobs; NULL: none.
 * All at once, since large graphs are built by it: and never by reading whole tables,
 * though a plan made while they are small would.
 */
CREATE FUNCTION sched._dependencies_set(p_caller oid, p_job sched._job, p_depends_on text[]) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
	v_wanted	bigint[];
	v_owners	oid[];
	v_missing	text;
	v_upstream	sched._job;
	v_added		boolean;
BEGIN
	IF array_ndims(p_depends_on) > 1 OR array_position(p_depends_on, NULL) IS NOT NULL THEN
		PERFORM sched._bad_argument(p_job.name, 'depends_on', p_depends_on::text,
			'Give a plain list of names of jobs.');
	END IF;
	PERFORM sched._dependency_lock();
	SELECT coalesce(array_agg(DISTINCT j.job_id) FILTER (WHERE j.job_id IS NOT NULL), '{}'), array_agg(DISTINCT j.owner::oid),
		min(n.name) FILTER (WHERE j.job_id IS NULL)
	INTO v_wanted, v_owners, v_missing
	FROM unnest(p_depends_on) AS n(name)
	LEFT JOIN sched._job j ON j.name = n.name AND j.status <> 'deleted';
	IF v_missing IS NOT NULL THEN
		PERFORM sched._no_such_job(p_caller, v_missing);
	ELSIF v_owners <> ARRAY[p_job.owner::oid] THEN
		PERFORM sched._job_find(p_caller, j.job_id, 'see') FROM sched._job j WHERE j.job_id = ANY (v_wanted);
	END IF;

	IF EXISTS (SELECT FROM unnest(v_wanted) AS w(job_id)
			   WHERE w.job_id = p_job.job_id OR sched._dependency_path(p_job.job_id, w.job_id) IS NOT NULL)
	THEN
		FOR v_upstream IN SELECT j.* FROM sched._job j WHERE j.job_id = ANY (v_wanted) ORDER BY j.job_id LOOP
			PERFORM sched._dependency_refuse_cycle(p_job, v_upstream);
		END LOOP;
	END IF;
	INSERT INTO sched._dependency (job_id, upstream_id, created_at)
	SELECT p_job.job_id, w.job_id, sched._now()
	FROM unnest(v_wanted) AS w(job_id)
	ON CONFLICT (job_id, upstream_id) WHERE removed_at IS NULL DO NOTHING;
	v_added := FOUND;
	UPDATE sched._dependency SET removed_at = sched._now()
	WHERE job_id = p_job.job_id AND removed_at IS NULL AND type = 'success'
	  AND upstream_id <> ALL (v_wanted);
	RETURN v_added OR FOUND;
END $$;
COMMENT ON FUNCTION sched._dependencies_set(oid, sched._job, text[]) IS 'Makes the success dependencies of a job those on the jobs named.';

/* Before a job is deleted: nobody may depend on it. */
CREATE FUNCTION sched._dependency_refuse_delete(p_job sched._job) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_names	text;
BEGIN
	PERFORM sched._dependency_lock();
	SELECT string_agg(format('"%s"', d.name), ', ' ORDER BY d.name) INTO v_names
	FROM (SELECT j.name FROM sched._dependency e JOIN sched._job j ON j.job_id = e.job_id
		  WHERE e.upstream_id = p_job.job_id AND e.removed_at IS NULL AND j.status <> 'deleted'
		  ORDER BY j.name LIMIT 10) AS d;
	IF v_names IS NOT NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = format('cannot delete job "%s" because other jobs depend on it', p_job.name),
			DETAIL = format('They are %s.', v_names),
			HINT = 'Remove these dependencies with sched.remove_dependency(), or disable the job.';
	END IF;
	UPDATE sched._dependency SET removed_at = sched._now()
	WHERE job_id = p_job.job_id AND removed_at IS NULL;
END $$;
COMMENT ON FUNCTION sched._dependency_refuse_delete(sched._job) IS 'Raises an error if other jobs depend on the job; else its own dependencies go.';

CREATE FUNCTION sched._add_dependency(p_caller oid, p_job text, p_depends_on text, p_type text, p_match text,
	p_offset interval, p_condition text, p_delay interval) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN sched._dependency_add(p_caller, sched._job_find(p_caller, p_job, 'change'),
		sched._job_find(p_caller, p_depends_on, 'see'), p_type, p_match, p_offset, p_condition, p_delay);
END $$;
COMMENT ON FUNCTION sched._add_dependency(oid, text, text, text, text, interval, text, interval) IS 'Behind sched.add_dependency().';
CREATE FUNCTION sched.add_dependency(job text, depends_on text, type text DEFAULT 'success', match text DEFAULT NULL,
	"offset" interval DEFAULT NULL, condition text DEFAULT NULL, delay interval DEFAULT NULL) RETURNS bigint
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched.add_dependency(text, text, text, text, interval, text, interval) IS 'Lets a job wait for another: for its success, completion, failure or start, a condition, softly, or by mutex. Returns the dependency_id.';

CREATE FUNCTION sched._add_dependency(p_caller oid, p_job bigint, p_depends_on text, p_type text, p_match text,
	p_offset interval, p_condition text, p_delay interval) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN sched._dependency_add(p_caller, sched._job_find(p_caller, p_job, 'change'),
		sched._job_find(p_caller, p_depends_on, 'see'), p_type, p_match, p_offset, p_condition, p_delay);
END $$;
COMMENT ON FUNCTION sched._add_dependency(oid, bigint, text, text, text, interval, text, interval) IS 'Behind sched.add_dependency().';
CREATE FUNCTION sched.add_dependency(job_id bigint, depends_on text, type text DEFAULT 'success', match text DEFAULT NULL,
	"offset" interval DEFAULT NULL, condition text DEFAULT NULL, delay interval DEFAULT NULL) RETURNS bigint
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched.add_dependency(bigint, text, text, text, interval, text, interval) IS 'Lets a job wait for another: for its success, completion, failure or start, a condition, softly, or by mutex. Returns the dependency_id.';

CREATE FUNCTION sched._remove_dependency(p_caller oid, p_job text, p_depends_on text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN sched._dependency_remove(sched._job_find(p_caller, p_job, 'change'),
		sched._job_find(p_caller, p_depends_on, 'see'));
END $$;
COMMENT ON FUNCTION sched._remove_dependency(oid, text, text) IS 'Behind sched.remove_dependency().';
CREATE FUNCTION sched.remove_dependency(job text, depends_on text) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched.remove_dependency(text, text) IS 'Lets a job no longer wait for another. Tasks that were made before keep waiting. False when it does not depend on it.';

CREATE FUNCTION sched._remove_dependency(p_caller oid, p_job bigint, p_depends_on text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN sched._dependency_remove(sched._job_find(p_caller, p_job, 'change'),
		sched._job_find(p_caller, p_depends_on, 'see'));
END $$;
COMMENT ON FUNCTION sched._remove_dependency(oid, bigint, text) IS 'Behind sched.remove_dependency().';
CREATE FUNCTION sched.remove_dependency(job_id bigint, depends_on text) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched.remove_dependency(bigint, text) IS 'Lets a job no longer wait for another. Tasks that were made before keep waiting. False when it does not depend on it.';

CREATE VIEW sched.dependencies WITH (security_barrier) AS
SELECT j.name AS job,
	u.name AS depends_on,
	d.type,
	CASE WHEN d.type = 'mutex' THEN NULL
		 ELSE coalesce(d.match, CASE WHEN EXISTS (SELECT FROM sched._trigger t WHERE t.job_id = d.job_id)
									 THEN 'since_last_run' ELSE 'same_run' END) END AS match,
	d."offset",
	d.condition,
	d.delay,
	d.dependency_id,
	d.job_id,
	d.upstream_id AS depends_on_id,
	pg_catalog.pg_get_userbyid(j.owner) AS owner,
	d.created_at
FROM sched._dependency d
JOIN sched._job j ON j.job_id = d.job_id
JOIN sched._job u ON u.job_id = d.upstream_id
WHERE d.removed_at IS NULL AND j.status <> 'deleted' AND sched._can_see(j.owner::oid);
COMMENT ON VIEW sched.dependencies IS 'Which job waits for which, and how.';
COMMENT ON COLUMN sched.dependencies.match IS 'Which task of the other job is meant: same_run, since_last_run, same_time, offset, latest, window. What nobody said is shown as it works out.';
