/*
 * Runs: what belongs to them, what they have come to, what they wait for; and
 * doing a part of one again.
 */

CREATE FUNCTION sched._edge_letter(type text, status text, started boolean) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'sched_sql_edge_letter';
COMMENT ON FUNCTION sched._edge_letter(text, text, boolean) IS 'What an edge makes of the state of an upstream task.';

CREATE FUNCTION sched._join_decision(rule text, letters text) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'sched_sql_join_decision';
COMMENT ON FUNCTION sched._join_decision(text, text) IS 'What a join rule says of letters such as S,F,P.';

CREATE FUNCTION sched._enqueue_placed(task_id bigint, job_id bigint, run_id bigint, rerun_of bigint,
	scheduled_at timestamptz, parameters jsonb, priority int, waits boolean) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_enqueue_placed';
COMMENT ON FUNCTION sched._enqueue_placed(bigint, bigint, bigint, bigint, timestamptz, jsonb, int, boolean) IS 'Makes a task whose place in its run has been written.';

/* The edges of a task: what they were matched to, and their letters now. */
CREATE FUNCTION sched._edges_of_task(p_task_id bigint)
RETURNS TABLE (edge int, depends_on text, type text, match text, upstream_task bigint, upstream_status text,
	letter text, detail text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
	v_node		sched._node;
	v_now		timestamptz := sched._now();
	v_edge		record;
	v_letter	record;
	v_end		record;
BEGIN
	SELECT n.* INTO v_node FROM sched._node n WHERE n.task_id = p_task_id;
	FOR v_edge IN
		SELECT (u.n - 1)::int AS edge, j.name, d.type, d.match, d.delay, d.condition, d.upstream_id, nullif(u.task_id, 0) AS task_id
		FROM unnest(v_node.in_edges, v_node.in_tasks) WITH ORDINALITY AS u(dependency_id, task_id, n)
		JOIN sched._dependency d ON d.dependency_id = u.dependency_id
		JOIN sched._job j ON j.job_id = d.upstream_id
		ORDER BY u.n
	LOOP
		edge := v_edge.edge;
		depends_on := v_edge.name;
		type := v_edge.type;
		match := coalesce(v_edge.match, CASE WHEN v_edge.task_id IS NULL THEN 'since_last_run' ELSE 'same_run' END);
		upstream_task := v_edge.task_id;
		upstream_status := NULL;
		letter := 'P';
		detail := NULL;
		SELECT max(l.upstream_task) AS task_id, max(l.letter::text) FILTER (WHERE l.letter <> 'P') AS letter,
			max(l.reason) AS reason
		INTO v_letter
		FROM sched._letter l WHERE l.task_id = p_task_id AND l.edge = v_edge.edge;
		upstream_task := coalesce(v_letter.task_id, upstream_task);
		IF upstream_task IS NOT NULL THEN
			SELECT o.status, o.finished_at, o.started_at INTO v_end
			FROM sched._outcome o WHERE o.task_id = upstream_task AND o.final;
			upstream_status := coalesce(sched._outcome_status(v_end.status),
				(SELECT l.status FROM sched._live_task(upstream_task) AS l), 'waiting');
		END IF;
		IF v_edge.type = 'mutex' THEN
			letter := '-';
			match := NULL;
			SELECT format('%s of its tasks run, %s are ready', l.running, l.ready) INTO detail
			FROM sched._live_jobs() AS l WHERE l.job_id = v_edge.upstream_id;
			detail := coalesce(detail, 'no task of it is live');
		ELSIF v_letter.letter IS NOT NULL THEN
			letter := v_letter.letter;
			detail := v_letter.reason;
		ELSIF upstream_task IS NOT NULL THEN
			letter := sched._edge_letter(v_edge.type, upstream_status,
				EXISTS (SELECT FROM sched._outcome o WHERE o.task_id = upstream_task AND o.started_at IS NOT NULL));
			IF v_edge.type = 'conditional' AND letter = 'P' AND v_end.status IS NOT NULL THEN
				detail := 'its condition is being evaluated';
			ELSIF letter = 'S' AND v_end.finished_at + v_edge.delay > v_now AND v_edge.type <> 'start' THEN
				letter := 'P';
				detail := format('its delay ends at %s', v_end.finished_at + v_edge.delay);
			END IF;
		ELSE
			detail := 'no task of it matches yet';
		END IF;
		RETURN NEXT;
	END LOOP;
END $$;
COMMENT ON FUNCTION sched._edges_of_task(bigint) IS 'The edges of a task and their letters.';

CREATE TYPE sched._run AS
(
	status			text,
	started_at		timestamptz,
	finished_at		timestamptz,
	tasks			jsonb,
	task_count		int,
	critical_path	text,
	waits_for		text
);
COMMENT ON TYPE sched._run IS 'What a run has come to.';

/* The tasks of a run; of one that was run again only the newest. */
CREATE FUNCTION sched._run_tasks(p_run_id bigint) RETURNS bigint[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN (
		WITH member AS MATERIALIZED (
			SELECT t.task_id, t.rerun_of FROM sched._task t
			WHERE t.task_id = ANY (ARRAY(SELECT n.task_id FROM sched._node n WHERE n.run_id = p_run_id) || p_run_id))
		SELECT array_agg(m.task_id ORDER BY m.task_id) FROM member m
		WHERE NOT EXISTS (SELECT FROM member later WHERE later.rerun_of = m.task_id));
END $$;
COMMENT ON FUNCTION sched._run_tasks(bigint) IS 'The tasks of a run, without those that were run again.';

/* From the task that ended last back over the upstream that each waited longest for. */
CREATE FUNCTION sched._run_critical_path(p_tasks bigint[]) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_task	bigint;
	v_job	text;
	v_path	text;
BEGIN
	SELECT o.task_id INTO v_task FROM sched._outcome o
	WHERE o.task_id = ANY (p_tasks) AND o.final
	ORDER BY o.finished_at DESC, o.task_id DESC LIMIT 1;
	FOR i IN 1 .. 1000 LOOP
		EXIT WHEN v_task IS NULL;
		SELECT j.name INTO v_job FROM sched._task t JOIN sched._job j ON j.job_id = t.job_id WHERE t.task_id = v_task;
		v_path := concat_ws(' -> ', v_job, v_path);
		SELECT o.task_id INTO v_task
		FROM sched._node n, unnest(n.in_tasks) AS u(task_id), sched._outcome o
		WHERE n.task_id = v_task AND o.task_id = u.task_id AND o.final
		ORDER BY o.finished_at DESC, o.task_id DESC LIMIT 1;
	END LOOP;
	RETURN v_path;
END $$;
COMMENT ON FUNCTION sched._run_critical_path(bigint[]) IS 'The chain of jobs that decided when a run ended.';

CREATE FUNCTION sched.__run_info(p_caller oid, p_run_id bigint) RETURNS sched._run
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off AS $$
DECLARE
	v_tasks	bigint[];
	v_run	sched._run;
	v_word	record;
BEGIN
	/* The caller is whoever reads the view, and may as well call this himself. */
	IF NOT coalesce(sched._may(p_caller,
		(SELECT j.owner::oid FROM sched._job j
		 WHERE j.job_id = coalesce((SELECT t.job_id FROM sched._task t WHERE t.task_id = p_run_id),
								   (SELECT b.job_id FROM sched._backfill b WHERE b.run_id = p_run_id))), 'see'), false)
	THEN
		RETURN NULL;
	END IF;
	v_tasks := sched._run_tasks(p_run_id);
	/* what has ended is counted by its outcomes, and only the rest looked at closely */
	SELECT jsonb_object_agg(s.status, s.n), sum(s.n)::int, min(s.started_at), max(s.finished_at)
	INTO v_run.tasks, v_run.task_count, v_run.started_at, v_run.finished_at
	FROM (SELECT sched._outcome_status(o.status) AS status, count(*) AS n, min(o.started_at) AS started_at,
				max(o.finished_at) AS finished_at
		  FROM sched._outcome o WHERE o.task_id = ANY (v_tasks) AND o.final GROUP BY o.status
		  UNION ALL
		  SELECT t.status, count(*), min(t.started_at), max(t.finished_at)
		  FROM sched.tasks t WHERE t.task_id = ANY (
			ARRAY(SELECT u.task_id FROM unnest(v_tasks) AS u(task_id)
				  EXCEPT SELECT o.task_id FROM sched._outcome o WHERE o.task_id = ANY (v_tasks) AND o.final))
		  GROUP BY t.status) AS s;
	SELECT coalesce(sum(e.value::int) FILTER (WHERE e.key IN ('ready', 'assigned', 'running', 'waiting_retry')), 0) AS busy,
		coalesce(sum(e.value::int) FILTER (WHERE e.key = 'scheduled'), 0) AS scheduled,
		coalesce(sum(e.value::int) FILTER (WHERE e.key = 'waiting'), 0) AS waiting
	INTO v_word
	FROM jsonb_each_text(v_run.tasks) AS e;
	v_run.status := CASE
		WHEN v_word.busy > 0 THEN 'running'
		WHEN v_word.scheduled > 0 THEN 'scheduled'
		WHEN v_word.waiting > 0 THEN 'waiting'
		WHEN v_run.tasks ?| ARRAY['failed', 'timeout', 'upstream_failed', 'missed'] THEN 'failed'
		WHEN v_run.tasks ? 'cancelled' THEN 'cancelled'
		WHEN v_run.tasks ? 'completed' THEN 'completed'
		ELSE 'skipped' END;
	IF v_word.busy + v_word.scheduled + v_word.waiting > 0 THEN
		v_run.finished_at := NULL;
	END IF;
	IF v_word.waiting > 0 AND v_word.busy + v_word.scheduled = 0 THEN
		/* of a run that moves, its next step says it */
		SELECT string_agg(format('%s: %s', w.job_name, w.waits_for), '; ' ORDER BY w.task_id) INTO v_run.waits_for
		FROM (SELECT t.task_id, t.job_name,
				(SELECT string_agg(concat_ws(' ', e.depends_on, '(' || e.detail || ')'), ', ' ORDER BY e.edge)
				 FROM sched._edges_of_task(t.task_id) AS e WHERE e.letter IN ('P', '-')) AS waits_for
			  FROM sched.tasks t WHERE t.task_id = ANY (v_tasks) AND t.status = 'waiting'
			  ORDER BY t.task_id LIMIT 10) AS w;
		/* nobody of those that it waits for will come by itself */
		IF NOT EXISTS
			(SELECT FROM sched.tasks t, sched._edges_of_task(t.task_id) AS e, sched._job j
			 WHERE t.task_id = ANY (v_tasks) AND t.status = 'waiting' AND e.letter IN ('P', '-')
			   AND j.name = e.depends_on AND j.status <> 'deleted'
			   AND CASE WHEN e.letter = '-' OR e.detail LIKE 'its %' THEN true
						WHEN e.upstream_task IS NULL THEN sched._may_come(j.job_id)
						ELSE e.upstream_task <> ALL (v_tasks) END)
		THEN
			v_run.status := 'stalled';
		END IF;
	END IF;
	IF v_run.task_count > 1 THEN
		v_run.critical_path := sched._run_critical_path(v_tasks);
	END IF;
	RETURN v_run;
END $$;
COMMENT ON FUNCTION sched.__run_info(oid, bigint) IS 'Behind sched._run_info().';
CREATE FUNCTION sched._run_info(run_id bigint) RETURNS sched._run
LANGUAGE c STABLE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched._run_info(bigint) IS 'What a run has come to, for views.';

/*
 * Will a task of the job come without somebody ordering it?  It, or one that it
 * depends on, has a trigger that will fire, or a task that has not ended.
 */
CREATE FUNCTION sched._may_come(p_job_id bigint) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_jobs	bigint[];
BEGIN
	WITH RECURSIVE up AS (
		SELECT p_job_id AS job_id
		UNION
		SELECT d.upstream_id FROM up JOIN sched._dependency d ON d.job_id = up.job_id
		WHERE d.removed_at IS NULL AND d.type <> 'mutex')
	SELECT array_agg(up.job_id) INTO v_jobs
	FROM up JOIN sched._job j ON j.job_id = up.job_id
	WHERE j.status IN ('active', 'paused');
	RETURN EXISTS (SELECT FROM sched._trigger t LEFT JOIN sched._trigger_state s ON s.trigger_id = t.trigger_id
				   WHERE t.job_id = ANY (v_jobs)
					 AND (s.next_fire_at IS NOT NULL OR t.kind IN ('after', 'startup', 'event', 'custom')))
		OR EXISTS (SELECT FROM sched._live_jobs() AS l WHERE l.job_id = ANY (v_jobs))
		OR EXISTS (SELECT FROM sched._future f JOIN sched._task t ON t.task_id = f.task_id
				   WHERE t.job_id = ANY (v_jobs));
END $$;
COMMENT ON FUNCTION sched._may_come(bigint) IS 'Will a task of the job come by itself?';

CREATE VIEW sched.runs WITH (security_barrier) AS
SELECT root.run_id,
	j.name AS root_job,
	(r.run).status AS status,
	(r.run).started_at AS started_at,
	(r.run).finished_at AS finished_at,
	(r.run).tasks AS tasks,
	(r.run).task_count AS task_count,
	(r.run).critical_path AS critical_path,
	(r.run).waits_for AS waits_for,
	root.job_id AS root_job_id,
	root.scheduled_at,
	root.created_at,
	pg_catalog.pg_get_userbyid(j.owner) AS owner
FROM (SELECT t.run_id, t.job_id, t.scheduled_at, t.created_at FROM sched._task t WHERE t.task_id = t.run_id
	  UNION ALL
	  SELECT b.run_id, b.job_id, b.from_time, b.created_at FROM sched._backfill b) AS root
JOIN sched._job j ON j.job_id = root.job_id
CROSS JOIN LATERAL (SELECT sched._run_info(root.run_id) AS run OFFSET 0) AS r
WHERE sched._can_see(j.owner::oid)
ORDER BY root.run_id DESC;
COMMENT ON VIEW sched.runs IS 'Runs, newest first: a task and all that follow from it through dependencies, or a backfill.';
COMMENT ON COLUMN sched.runs.status IS 'scheduled, running, waiting (for tasks of other runs, or a delay), stalled (nothing will happen by itself); then failed, cancelled, skipped or completed.';
COMMENT ON COLUMN sched.runs.tasks IS 'How many tasks there are of each status; of a task that was run again the newest counts.';
COMMENT ON COLUMN sched.runs.critical_path IS 'From the root to the task that ended last: the jobs that decided when.';
COMMENT ON COLUMN sched.runs.waits_for IS 'What the tasks of a run that does not move wait for.';

/* A task and all that followed from it, in the order of their making. */
CREATE FUNCTION sched._run_followers(p_task_id bigint) RETURNS bigint[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET enable_nestloop = on SET jit = off AS $$
BEGIN
	RETURN (
		WITH RECURSIVE follow AS (
			SELECT p_task_id AS task_id
			UNION
			SELECT o.task_id FROM follow f JOIN sched._node n ON n.task_id = f.task_id
			CROSS JOIN LATERAL unnest(n.out_tasks) AS o(task_id))
		SELECT array_agg(f.task_id ORDER BY f.task_id) FROM follow f);
END $$;
COMMENT ON FUNCTION sched._run_followers(bigint) IS 'A task and all that followed from it in its run.';

/*
 * Once more from a task that has ended, with all that followed from it: new tasks
 * in the same run.  Those that they depend on and that are not done again are
 * taken as they are now, the newest of each.  Everything is found by the ids of tasks,
 * and joined by hashing, since the arrays may be large.
 */
CREATE FUNCTION sched._rerun_downstream(p_caller oid, p_task sched._task) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET enable_nestloop = off SET jit = off AS $$
DECLARE
	v_old	bigint[] := sched._run_followers(p_task.task_id);
	v_new	bigint[];
	v_task	record;
BEGIN
	SELECT t.task_id, j.name INTO v_task
	FROM sched._task t JOIN sched._job j ON j.job_id = t.job_id
	LEFT JOIN (SELECT o.task_id FROM sched._outcome o WHERE o.task_id = ANY (v_old) AND o.final) AS ended
		ON ended.task_id = t.task_id
	WHERE t.task_id = ANY (v_old) AND ended.task_id IS NULL
	ORDER BY t.task_id LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = format('cannot run task %s and what followed again', p_task.task_id),
			DETAIL = format('Task %s of job "%s" has not ended yet.', v_task.task_id, v_task.name),
			HINT = 'Wait for it, or cancel it with sched.cancel_task().';
	END IF;
	FOR v_task IN
		SELECT j.owner::oid AS owner, min(t.task_id) AS task_id
		FROM sched._task t JOIN sched._job j ON j.job_id = t.job_id
		WHERE t.task_id = ANY (v_old) GROUP BY j.owner
	LOOP
		PERFORM sched._check_right(p_caller, v_task.owner, 'operate', format('task %s', v_task.task_id));
	END LOOP;
	/* of jobs that are still there */
	SELECT array_agg(t.task_id ORDER BY t.task_id) INTO v_old
	FROM sched._task t JOIN sched._job j ON j.job_id = t.job_id
	WHERE t.task_id = ANY (v_old)
	  AND (j.status IN ('active', 'paused') OR t.task_id = p_task.task_id);
	/* in the same order */
	SELECT array_agg(s.id ORDER BY s.id) INTO v_new
	FROM (SELECT nextval('sched._task_id_seq') AS id FROM generate_series(1, cardinality(v_old))) AS s;

	/* Edges that lead out of what is done again: to the newest rerun of the old task. */
	INSERT INTO sched._letter (task_id, edge, letter, upstream_task, decided_at)
	WITH RECURSIVE map AS MATERIALIZED (
		SELECT m.old_id, m.new_id FROM unnest(v_old, v_new) AS m(old_id, new_id)
	), matched AS MATERIALIZED (
		SELECT l.task_id, l.edge, max(l.upstream_task) AS upstream_task
		FROM sched._letter l WHERE l.task_id = ANY (v_old) GROUP BY l.task_id, l.edge
	), edge AS MATERIALIZED (
		SELECT e.old_id, e.edge, coalesce(nullif(e.task_id, 0), x.upstream_task) AS task_id
		FROM (SELECT n.task_id AS old_id, (u.n - 1)::int AS edge, u.task_id
			  FROM sched._node n CROSS JOIN LATERAL unnest(n.in_tasks) WITH ORDINALITY AS u(task_id, n)
			  WHERE n.task_id = ANY (v_old) AND n.task_id <> p_task.task_id) AS e
		LEFT JOIN matched x ON x.task_id = e.old_id AND x.edge = e.edge
	), outward AS MATERIALIZED (
		SELECT e.* FROM edge e LEFT JOIN map m ON m.old_id = e.task_id
		WHERE e.task_id IS NOT NULL AND m.old_id IS NULL
	), again AS MATERIALIZED (
		SELECT t.task_id, t.rerun_of FROM sched._task t
		WHERE t.task_id = ANY (ARRAY(SELECT n.task_id FROM sched._node n WHERE n.run_id = p_task.run_id))
		  AND t.rerun_of IS NOT NULL
	), chain AS (
		SELECT DISTINCT o.task_id AS first_id, o.task_id FROM outward o
		UNION
		SELECT c.first_id, a.task_id FROM chain c JOIN again a ON a.rerun_of = c.task_id
	), newest AS (
		SELECT c.first_id, max(c.task_id) AS task_id FROM chain c GROUP BY c.first_id
	)
	SELECT m.new_id, o.edge, 'P', n.task_id, sched._now()
	FROM outward o JOIN map m ON m.old_id = o.old_id JOIN newest n ON n.first_id = o.task_id;

	INSERT INTO sched._node (task_id, run_id, job_id, rule, give_up_at, in_edges, in_tasks, out_tasks, out_types)
	WITH map AS MATERIALIZED (
		SELECT m.old_id, m.new_id FROM unnest(v_old, v_new) AS m(old_id, new_id)
	), led AS MATERIALIZED (
		SELECT n.task_id AS old_id, u.task_id, u.n
		FROM sched._node n CROSS JOIN LATERAL unnest(n.in_tasks) WITH ORDINALITY AS u(task_id, n)
		WHERE n.task_id = ANY (v_old)
	), ins AS MATERIALIZED (
		SELECT e.old_id, array_agg(coalesce(m.new_id, 0) ORDER BY e.n) AS tasks
		FROM led e LEFT JOIN map m ON m.old_id = e.task_id
		GROUP BY e.old_id
	), leads AS MATERIALIZED (
		SELECT n.task_id AS old_id, u.task_id, u.n, substr(n.out_types, u.n::int, 1) AS type
		FROM sched._node n CROSS JOIN LATERAL unnest(n.out_tasks) WITH ORDINALITY AS u(task_id, n)
		WHERE n.task_id = ANY (v_old)
	), outs AS MATERIALIZED (
		SELECT e.old_id, array_agg(m.new_id ORDER BY e.n) AS tasks, string_agg(e.type, '' ORDER BY e.n) AS types
		FROM leads e JOIN map m ON m.old_id = e.task_id
		GROUP BY e.old_id
	)
	SELECT m.new_id, t.run_id, t.job_id, CASE WHEN w.waits THEN n.rule END,
		CASE WHEN w.waits AND n.rule IS NOT NULL THEN sched._now() + j.dependency_timeout END,
		CASE WHEN w.waits THEN n.in_edges END, CASE WHEN w.waits THEN ins.tasks END, outs.tasks, outs.types
	FROM map m
	JOIN sched._task t ON t.task_id = m.old_id AND t.task_id = ANY (v_old)
	JOIN sched._job j ON j.job_id = t.job_id
	LEFT JOIN sched._node n ON n.task_id = m.old_id AND n.task_id = ANY (v_old)
	LEFT JOIN ins ON ins.old_id = m.old_id
	LEFT JOIN outs ON outs.old_id = m.old_id
	CROSS JOIN LATERAL (SELECT m.old_id <> p_task.task_id AS waits) AS w;

	PERFORM sched._enqueue_placed(r.new_id, r.job_id, r.run_id, r.task_id, least(r.scheduled_at, sched._now()),
		r.parameters, r.priority::int, r.waits)
	FROM (SELECT m.new_id, t.*, n.rule IS NOT NULL AS waits
		  FROM unnest(v_old, v_new) AS m(old_id, new_id)
		  JOIN sched._task t ON t.task_id = m.old_id AND t.task_id = ANY (v_old)
		  JOIN sched._node n ON n.task_id = m.new_id AND n.task_id = ANY (v_new)
		  ORDER BY m.old_id) AS r;
	RETURN v_new[array_position(v_old, p_task.task_id)];
END $$;
COMMENT ON FUNCTION sched._rerun_downstream(oid, sched._task) IS 'Makes new tasks for one and all that followed from it.';
