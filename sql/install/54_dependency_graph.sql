/*
 * The graph of jobs, or of a run, as a text to be drawn elsewhere or as a
 * picture.  Nodes are in the order of their names, by bytes, edges in that of
 * their nodes; so the same graph gives the same text.
 */

CREATE FUNCTION sched._graph_draw(p_format text, p_run_id bigint, p_job_ids bigint[], p_names text[],
	p_states text[], p_task_ids bigint[], p_from int[], p_to int[], p_types text[]) RETURNS text
LANGUAGE c STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'sched_sql_graph_draw';
COMMENT ON FUNCTION sched._graph_draw(text, bigint, bigint[], text[], text[], bigint[], int[], int[], text[]) IS 'Writes a graph as a text; run_id 0: none.';

/* The jobs that lead to one or follow from it, itself included; NULL: all that are part of an edge. */
CREATE FUNCTION sched._graph_jobs(p_job_id bigint) RETURNS bigint[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF p_job_id IS NULL THEN
		RETURN ARRAY
			(SELECT d.job_id FROM sched._dependency d WHERE d.removed_at IS NULL
			 UNION
			 SELECT d.upstream_id FROM sched._dependency d WHERE d.removed_at IS NULL);
	END IF;
	RETURN ARRAY
		(WITH RECURSIVE up(job_id) AS
			(SELECT p_job_id
			 UNION
			 SELECT d.upstream_id FROM up JOIN sched._dependency d ON d.job_id = up.job_id AND d.removed_at IS NULL),
		 down(job_id) AS
			(SELECT p_job_id
			 UNION
			 SELECT d.job_id FROM down JOIN sched._dependency d ON d.upstream_id = down.job_id AND d.removed_at IS NULL)
		 SELECT up.job_id FROM up UNION SELECT down.job_id FROM down);
END $$;
COMMENT ON FUNCTION sched._graph_jobs(bigint) IS 'The jobs of a graph.';

CREATE FUNCTION sched._graph_of(p_caller oid, p_format text, p_job_id bigint, p_run_id bigint) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_formats	text[] := ARRAY['mermaid', 'dot', 'json', 'svg'];
	v_jobs		bigint[];
	v_tasks		bigint[];
	v_states	text[];
	v_ids		bigint[];
	v_names		text[];
	v_from		int[];
	v_to		int[];
	v_types		text[];
	v_owners	oid[];
BEGIN
	IF p_format IS NULL OR lower(p_format) <> ALL (v_formats) THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('unknown format %s of a dependency graph', coalesce('"' || left(p_format, 100) || '"', 'NULL')),
			DETAIL = format('format is %s.', coalesce('"' || left(p_format, 100) || '"', 'NULL')),
			HINT = format('Allowed are: %s.', array_to_string(v_formats, ', '));
	END IF;
	SELECT array_agg(o.owner) INTO v_owners
	FROM (SELECT DISTINCT j.owner::oid AS owner FROM sched._job j) AS o
	WHERE sched._may(p_caller, o.owner, 'see');

	IF p_run_id IS NULL THEN
		v_jobs := sched._graph_jobs(p_job_id);
	ELSE
		/* The root has the id of the run; the newest task of a job counts. */
		PERFORM sched._task_find(p_caller, p_run_id, 'see');
		SELECT coalesce(array_agg(newest.job_id), '{}'), coalesce(array_agg(newest.task_id), '{}') INTO v_jobs, v_tasks
		FROM (SELECT t.job_id, max(t.task_id) AS task_id FROM sched._task t
			  WHERE t.task_id = ANY (ARRAY(SELECT n.task_id FROM sched._node n WHERE n.run_id = p_run_id) || p_run_id)
			  GROUP BY t.job_id) AS newest
		WHERE p_job_id IS NULL OR newest.job_id = ANY (sched._graph_jobs(p_job_id));
	END IF;

	/* In order, and only what the caller may see. */
	SELECT array_agg(n.job_id ORDER BY n.name COLLATE "C", n.job_id),
		array_agg(n.name ORDER BY n.name COLLATE "C", n.job_id),
		array_agg(n.status ORDER BY n.name COLLATE "C", n.job_id),
		array_agg(n.task_id ORDER BY n.name COLLATE "C", n.job_id)
	INTO v_ids, v_names, v_states, v_tasks
	FROM (SELECT j.job_id, j.name, coalesce(t.status, j.status) AS status, w.task_id
		  FROM unnest(v_jobs, coalesce(v_tasks, array_fill(NULL::bigint, ARRAY[cardinality(v_jobs)]))) AS w(job_id, task_id)
		  JOIN sched._job j ON j.job_id = w.job_id
		  LEFT JOIN sched.tasks t ON t.task_id = w.task_id
		  WHERE j.owner::oid = ANY (v_owners) AND (j.status <> 'deleted' OR p_run_id IS NOT NULL)) AS n;

	/* Those of a run are the edges that its tasks were made with. */
	SELECT array_agg(e.source ORDER BY e.source, e.target), array_agg(e.target ORDER BY e.source, e.target),
		array_agg(e.type ORDER BY e.source, e.target)
	INTO v_from, v_to, v_types
	FROM (SELECT DISTINCT ON (u.position, w.position) u.position::int AS source, w.position::int AS target, d.type
		  FROM sched._dependency d
		  JOIN unnest(v_ids) WITH ORDINALITY AS w(job_id, position) ON w.job_id = d.job_id
		  JOIN unnest(v_ids) WITH ORDINALITY AS u(job_id, position) ON u.job_id = d.upstream_id
		  WHERE CASE WHEN p_run_id IS NULL THEN d.removed_at IS NULL
				ELSE EXISTS (SELECT FROM sched._node n WHERE n.task_id = v_tasks[w.position]
							 AND d.dependency_id = ANY (n.in_edges)) END
		  ORDER BY u.position, w.position, d.dependency_id DESC) AS e;

	RETURN sched._graph_draw(lower(p_format), coalesce(p_run_id, 0), coalesce(v_ids, '{}'), coalesce(v_names, '{}'),
		coalesce(v_states, '{}'), coalesce(v_tasks, '{}'), coalesce(v_from, '{}'), coalesce(v_to, '{}'),
		coalesce(v_types, '{}'));
END $$;
COMMENT ON FUNCTION sched._graph_of(oid, text, bigint, bigint) IS 'A graph of what the caller may see.';

CREATE FUNCTION sched._dependency_graph(p_caller oid, p_format text, p_job text, p_run_id bigint) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN sched._graph_of(p_caller, p_format,
		CASE WHEN p_job IS NOT NULL THEN sched._job_id(p_caller, p_job) END, p_run_id);
END $$;
COMMENT ON FUNCTION sched._dependency_graph(oid, text, text, bigint) IS 'Behind sched.dependency_graph().';
CREATE FUNCTION sched.dependency_graph(format text DEFAULT 'mermaid', job text DEFAULT NULL, run_id bigint DEFAULT NULL)
RETURNS text LANGUAGE c STABLE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched.dependency_graph(text, text, bigint) IS 'The graph of the jobs that depend on each other, of those around one job, or of a run with the states of its tasks: as mermaid, dot, json or svg.';

CREATE FUNCTION sched._dependency_graph(p_caller oid, p_format text, p_job_id bigint, p_run_id bigint) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN sched._graph_of(p_caller, p_format,
		CASE WHEN p_job_id IS NOT NULL THEN sched._job_id(p_caller, p_job_id) END, p_run_id);
END $$;
COMMENT ON FUNCTION sched._dependency_graph(oid, text, bigint, bigint) IS 'Behind sched.dependency_graph().';
CREATE FUNCTION sched.dependency_graph(format text, job_id bigint, run_id bigint DEFAULT NULL)
RETURNS text LANGUAGE c STABLE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched.dependency_graph(text, bigint, bigint) IS 'The graph of the jobs around one job, or of those of a run, with the states of its tasks: as mermaid, dot, json or svg.';
