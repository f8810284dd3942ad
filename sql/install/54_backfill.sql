/*
 * Backfill: the schedule of a job over a past range of time, as one run.
 *
 * What is to be done is worked out when backfill is called and written down,
 * one row per occurrence, in the caller's transaction: so it does not hang
 * on memory, and neither a crash nor a change of the schedule in the middle makes
 * it another one.  The scheduler orders the next tasks whenever less than max_parallel
 * are live (_backfill_step), in the transaction that advances the position: an
 * occurrence gets its task once.  The tasks share the run_id and are like
 * any that are ordered by hand.
 */

CREATE TABLE sched._backfill
(
	run_id			bigint NOT NULL,
	job_id			bigint NOT NULL,
	from_time		timestamptz NOT NULL,
	to_time			timestamptz NOT NULL,
	reprocess		text NOT NULL,
	max_parallel	int NOT NULL,
	requested_by	regrole NOT NULL,
	created_at		timestamptz NOT NULL,
	total			bigint NOT NULL,			-- occurrences to be run
	position		bigint NOT NULL DEFAULT 0,	-- how many of them have got their task
	live			bigint[] NOT NULL DEFAULT '{}',	-- tasks that had not ended when last looked at
	state			text NOT NULL,
	finished_at		timestamptz,
	reason			text,
	CONSTRAINT backfill_pkey PRIMARY KEY (run_id),
	CONSTRAINT backfill_state_check CHECK (state IN ('running', 'completed', 'cancelled', 'failed')),
	CONSTRAINT backfill_reprocess_check CHECK (reprocess IN ('none', 'failed', 'all'))
) WITH (fillfactor = 50);
COMMENT ON TABLE sched._backfill IS 'Runs of jobs over a past range of time.';
CREATE INDEX backfill_running_idx ON sched._backfill (job_id) WHERE state = 'running';

CREATE TABLE sched._backfill_plan
(
	run_id		bigint NOT NULL,
	n			bigint NOT NULL,
	fire_at		timestamptz NOT NULL,
	parameters	jsonb,						-- of the trigger; NULL: the job's
	CONSTRAINT backfill_plan_pkey PRIMARY KEY (run_id, n)
);
COMMENT ON TABLE sched._backfill_plan IS 'The occurrences of backfills that have not ended.';

/* The scheduler hears of a new one. */
CREATE TRIGGER backfill_changed AFTER INSERT ON sched._backfill
	FOR EACH ROW EXECUTE FUNCTION sched._job_changed();
ALTER TABLE sched._backfill ENABLE ALWAYS TRIGGER backfill_changed;

/* state is "running" also while the job is paused: its tasks wait. */
CREATE VIEW sched.backfills WITH (security_barrier) AS
SELECT b.run_id, b.job_id, j.name AS job_name, pg_catalog.pg_get_userbyid(j.owner) AS owner,
	b.state AS status, b.from_time, b.to_time, b.reprocess, b.max_parallel,
	b.total AS occurrences, b.position AS started, pg_catalog.pg_get_userbyid(b.requested_by) AS requested_by,
	b.created_at, b.finished_at, b.reason
FROM sched._backfill b
JOIN sched._job j ON j.job_id = b.job_id
WHERE sched._can_see(j.owner::oid);
COMMENT ON VIEW sched.backfills IS 'Backfills, running and past. Their tasks are those of sched.tasks with the same run_id.';
COMMENT ON COLUMN sched.backfills.status IS 'running, completed, cancelled or failed; completed says that all tasks have ended, not how.';
COMMENT ON COLUMN sched.backfills.started IS 'How many of the occurrences have got their task.';

/*
 * Where a fixed rate counts from when it is looked at before its anchor: the
 * same phase, as many periods earlier as are needed.  Months are of no fixed length.
 */
CREATE FUNCTION sched._backfill_anchor(p_schedule text, p_anchor timestamptz, p_from timestamptz) RETURNS timestamptz
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_period	numeric := sched._schedule_period(p_schedule);
BEGIN
	IF p_anchor <= p_from OR v_period IS NULL THEN
		RETURN p_anchor;
	END IF;
	RETURN p_anchor - make_interval(secs => ceil(extract(epoch FROM p_anchor - p_from) / v_period) * v_period);
END $$;
COMMENT ON FUNCTION sched._backfill_anchor(text, timestamptz, timestamptz) IS 'The phase of a fixed rate before its beginning.';

CREATE FUNCTION sched._backfill_job(p_caller oid, p_job sched._job, p_from timestamptz, p_to timestamptz,
	p_reprocess text, p_max_parallel int, p_triggers bigint[], p_fires timestamptz[]) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	max_occurrences	constant int := 1000000;
	v_run_id	bigint;
	v_total		bigint;
	v_seen		bigint;
BEGIN
	IF p_from IS NULL OR p_to IS NULL OR NOT isfinite(p_from) OR NOT isfinite(p_to) OR p_from >= p_to OR p_to > sched._now()
			OR p_from < '0001-01-01 00:00:00+00' THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('invalid time range for a backfill of job "%s"', p_job.name),
			DETAIL = format('from_time is %s, to_time is %s.', coalesce(p_from::text, 'NULL'), coalesce(p_to::text, 'NULL')),
			HINT = 'Give two past times, from_time before to_time; what fires at to_time is not part of it.';
	END IF;
	IF p_reprocess IS NULL THEN
		PERFORM sched._bad_argument(p_job.name, 'reprocess', NULL, 'Allowed are: none, failed, all.');
	END IF;
	PERFORM sched._check_choice(p_job.name, 'reprocess', p_reprocess, ARRAY['none', 'failed', 'all']);
	IF p_max_parallel IS NULL THEN
		PERFORM sched._bad_argument(p_job.name, 'max_parallel', NULL, 'Give a number from 1 to 1000.');
	END IF;
	PERFORM sched._check_range(p_job.name, 'max_parallel', p_max_parallel, 1, 1000);
	IF p_job.status = 'disabled' THEN
		PERFORM sched._wrong_state(p_job, 'backfill', 'Start it with sched.activate_job().');
	END IF;
	IF NOT EXISTS (SELECT FROM sched._trigger t WHERE t.job_id = p_job.job_id AND t.kind IN ('cron', 'every', 'at', 'rrule', 'custom')) THEN
		RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = format('cannot backfill job "%s"', p_job.name),
			DETAIL = 'It has no schedule that says when it should have run.',
			HINT = 'Order its tasks with sched.schedule_tasks().';
	END IF;

	v_run_id := nextval('sched._task_id_seq');
	INSERT INTO sched._backfill_plan (run_id, n, fire_at, parameters)
	SELECT v_run_id, row_number() OVER (ORDER BY f.fire_at, t.trigger_id), f.fire_at, t.parameters
	FROM (SELECT t.trigger_id, x.fire_at
		  FROM sched._trigger t
		  CROSS JOIN LATERAL sched._schedule_fires(t.schedule, coalesce(t.timezone, p_job.timezone),
				coalesce(p_job.dst_policy, 'vixie'), p_job.calendar,
				sched._backfill_anchor(t.schedule, coalesce(p_job.start_at, t.created_at), p_from),
				greatest(p_from, p_job.start_at) - interval '1 microsecond',
				least(p_to - interval '1 microsecond', p_job.end_at), max_occurrences + 1) AS x(fire_at)
		  WHERE t.job_id = p_job.job_id AND t.kind <> 'custom'
		  UNION ALL
		  SELECT u.trigger_id, u.fire_at FROM unnest(p_triggers, p_fires) AS u(trigger_id, fire_at)) AS f
	JOIN sched._trigger t ON t.trigger_id = f.trigger_id
	LEFT JOIN (SELECT DISTINCT ON (k.scheduled_at) k.scheduled_at, k.task_id
			   FROM sched._task k
			   WHERE p_reprocess <> 'all' AND k.job_id = p_job.job_id AND k.scheduled_at >= p_from AND k.scheduled_at < p_to
			   ORDER BY k.scheduled_at, k.task_id DESC) AS newest ON newest.scheduled_at = f.fire_at
	WHERE newest.task_id IS NULL
	   OR (p_reprocess = 'failed' AND EXISTS
			(SELECT FROM sched._outcome o WHERE o.task_id = newest.task_id AND o.final AND o.status IN ('f', 't', 'm', 'u')));
	GET DIAGNOSTICS v_total = ROW_COUNT;
	IF v_total > max_occurrences THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('a backfill of job "%s" cannot have more than %s occurrences', p_job.name, max_occurrences),
			DETAIL = format('from_time is %s, to_time is %s.', p_from, p_to),
			HINT = 'Give a shorter range, and go on from its end.';
	END IF;

	INSERT INTO sched._backfill (run_id, job_id, from_time, to_time, reprocess, max_parallel, requested_by,
		created_at, total, state, finished_at)
	VALUES (v_run_id, p_job.job_id, p_from, p_to, p_reprocess, p_max_parallel, p_caller::regrole, sched._now(), v_total,
		CASE WHEN v_total = 0 THEN 'completed' ELSE 'running' END, CASE WHEN v_total = 0 THEN sched._now() END);
	RETURN v_run_id;
END $$;
COMMENT ON FUNCTION sched._backfill_job(oid, sched._job, timestamptz, timestamptz, text, int, bigint[], timestamptz[]) IS 'Begins a backfill.';

/* p_triggers and p_fires: what custom triggers have told, see sched_backfill(). */
CREATE FUNCTION sched._backfill(p_caller oid, p_job text, p_from timestamptz, p_to timestamptz, p_reprocess text,
	p_max_parallel int, p_triggers bigint[], p_fires timestamptz[]) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN sched._backfill_job(p_caller, sched._job_find(p_caller, p_job, 'operate'), p_from, p_to, p_reprocess, p_max_parallel, p_triggers, p_fires);
END $$;
COMMENT ON FUNCTION sched._backfill(oid, text, timestamptz, timestamptz, text, int, bigint[], timestamptz[]) IS 'Behind sched.backfill().';
CREATE FUNCTION sched._backfill(p_caller oid, p_job bigint, p_from timestamptz, p_to timestamptz, p_reprocess text,
	p_max_parallel int, p_triggers bigint[], p_fires timestamptz[]) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN sched._backfill_job(p_caller, sched._job_find(p_caller, p_job, 'operate'), p_from, p_to, p_reprocess, p_max_parallel, p_triggers, p_fires);
END $$;
COMMENT ON FUNCTION sched._backfill(oid, bigint, timestamptz, timestamptz, text, int, bigint[], timestamptz[]) IS 'Behind sched.backfill().';

CREATE FUNCTION sched.backfill(job text, from_time timestamptz, to_time timestamptz, reprocess text = 'none', max_parallel int = 1) RETURNS bigint
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_backfill';
COMMENT ON FUNCTION sched.backfill(text, timestamptz, timestamptz, text, int) IS 'Runs a job for every time from from_time on and before to_time at which its schedule should have fired, max_parallel at once, and returns the run_id. reprocess is none (only times that have no task), failed (also those whose newest task failed) or all.';
CREATE FUNCTION sched.backfill(job_id bigint, from_time timestamptz, to_time timestamptz, reprocess text = 'none', max_parallel int = 1) RETURNS bigint
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_backfill';
COMMENT ON FUNCTION sched.backfill(bigint, timestamptz, timestamptz, text, int) IS 'Runs a job for every time from from_time on and before to_time at which its schedule should have fired, max_parallel at once, and returns the run_id. reprocess is none (only times that have no task), failed (also those whose newest task failed) or all.';

/*
 * Orders what may start.  For the scheduler: a row that somebody has locked is left for the
 * next time, and what goes wrong in one backfill ends that one.  Returns the jobs of
 * those that go on.
 */
CREATE FUNCTION sched._backfill_step() RETURNS bigint[]
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_backfill	sched._backfill;
	v_next		sched._backfill_plan;
	v_live		bigint[];
	v_position	bigint;
	v_jobs		bigint[] := '{}';
BEGIN
	FOR v_backfill IN
		SELECT b.* FROM sched._backfill b WHERE b.state = 'running' ORDER BY b.run_id FOR UPDATE SKIP LOCKED
	LOOP
		v_live := ARRAY(SELECT u.task_id FROM unnest(v_backfill.live) AS u(task_id)
						WHERE NOT EXISTS (SELECT FROM sched._outcome o WHERE o.task_id = u.task_id AND o.final)
						  AND EXISTS (SELECT FROM sched._task t WHERE t.task_id = u.task_id));
		v_position := v_backfill.position;
		BEGIN
			IF cardinality(v_live) < v_backfill.max_parallel AND v_position < v_backfill.total THEN
				FOR v_next IN
					SELECT p.* FROM sched._backfill_plan p
					WHERE p.run_id = v_backfill.run_id AND p.n > v_position
					ORDER BY p.n LIMIT v_backfill.max_parallel - cardinality(v_live)
				LOOP
					v_live := v_live || sched._enqueue(v_backfill.job_id, v_next.fire_at, v_next.parameters, NULL::int,
													   v_backfill.run_id, NULL::bigint, NULL::bigint, NULL::int);
					v_position := v_next.n;
				END LOOP;
			END IF;
			IF cardinality(v_live) = 0 AND v_position >= v_backfill.total THEN
				PERFORM sched._backfill_end(v_backfill.run_id, 'completed', NULL);
			ELSE
				v_jobs := v_jobs || v_backfill.job_id;
			END IF;
			IF (v_live, v_position) IS DISTINCT FROM (v_backfill.live, v_backfill.position) THEN
				UPDATE sched._backfill SET live = v_live, position = v_position WHERE run_id = v_backfill.run_id;
			END IF;
		EXCEPTION WHEN OTHERS THEN
			PERFORM sched._backfill_end(v_backfill.run_id, 'failed', SQLERRM);
			RAISE LOG 'sched: backfill % of job % ends: %', v_backfill.run_id, v_backfill.job_id, SQLERRM;
		END;
	END LOOP;
	RETURN v_jobs;
END $$;
COMMENT ON FUNCTION sched._backfill_step() IS 'Orders the next tasks of backfills.';

CREATE FUNCTION sched._backfill_end(p_run_id bigint, p_state text, p_reason text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	UPDATE sched._backfill SET state = p_state, finished_at = sched._now(), reason = p_reason WHERE run_id = p_run_id;
	DELETE FROM sched._backfill_plan WHERE run_id = p_run_id;
	/* as long as its tasks, about */
	DELETE FROM sched._backfill b
	WHERE b.state <> 'running' AND b.run_id <> p_run_id
	  AND current_setting('sched.history_retention')::interval > interval '0'
	  AND b.finished_at < sched._now() - current_setting('sched.history_retention')::interval;
END $$;
COMMENT ON FUNCTION sched._backfill_end(bigint, text, text) IS 'A backfill is over.';

/* The backfills of a job that is disabled or deleted; its tasks are the caller's business. */
CREATE FUNCTION sched._backfills_cancel(p_job_id bigint, p_reason text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_run_id	bigint;
BEGIN
	FOR v_run_id IN
		SELECT b.run_id FROM sched._backfill b
		WHERE b.job_id = p_job_id AND b.state = 'running' ORDER BY b.run_id FOR UPDATE
	LOOP
		PERFORM sched._backfill_end(v_run_id, 'cancelled', p_reason);
	END LOOP;
END $$;
COMMENT ON FUNCTION sched._backfills_cancel(bigint, text) IS 'Ends the backfills of a job.';

/* ---- a run as a whole ---- */

CREATE FUNCTION sched._cancel_run(p_caller oid, p_run_id bigint, p_reason text) RETURNS int
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_backfill	sched._backfill;
	v_task		record;
	v_known		boolean;
	v_count		int := 0;
BEGIN
	IF p_run_id IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'the run is missing', DETAIL = 'Argument "run_id" is NULL.',
			HINT = 'Give the run_id of a run, see sched.tasks or sched.backfills.';
	END IF;
	/* First, so that nothing new is ordered. */
	SELECT b.* INTO v_backfill FROM sched._backfill b WHERE b.run_id = p_run_id;
	v_known := FOUND;
	IF v_known THEN
		PERFORM sched._check_right(p_caller, (SELECT j.owner FROM sched._job j WHERE j.job_id = v_backfill.job_id)::oid,
			'operate', format('run %s', p_run_id));
		SELECT b.* INTO v_backfill FROM sched._backfill b WHERE b.run_id = p_run_id FOR UPDATE;
		IF v_backfill.state = 'running' THEN
			PERFORM sched._backfill_end(p_run_id, 'cancelled', coalesce(p_reason, 'cancelled on request'));
		END IF;
	END IF;
	FOR v_task IN
		SELECT t.task_id, j.owner, o.task_id IS NOT NULL AS ended
		FROM sched._task t
		JOIN sched._job j ON j.job_id = t.job_id
		LEFT JOIN sched._outcome o ON o.task_id = t.task_id AND o.final
		WHERE t.run_id = p_run_id
		  AND t.task_id >= coalesce((SELECT min(s.lo) FROM sched._segment s WHERE s.closed_at IS NULL), 0)
		ORDER BY t.task_id
	LOOP
		v_known := true;
		CONTINUE WHEN v_task.ended;
		PERFORM sched._check_right(p_caller, v_task.owner::oid, 'operate', format('run %s', p_run_id));
		v_count := v_count + sched.cancel_task(v_task.task_id, coalesce(p_reason, 'run cancelled'))::int;
	END LOOP;
	IF NOT v_known AND NOT EXISTS (SELECT FROM sched._task t WHERE t.run_id = p_run_id) THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object',
			MESSAGE = format('run %s does not exist', p_run_id),
			HINT = 'See run_id in sched.tasks and sched.backfills.';
	END IF;
	RETURN v_count;
END $$;
COMMENT ON FUNCTION sched._cancel_run(oid, bigint, text) IS 'Behind sched.cancel_run().';
CREATE FUNCTION sched.cancel_run(run_id bigint, reason text = NULL) RETURNS int
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched.cancel_run(bigint, text) IS 'Cancels every task of a run that has not ended, and the rest of a backfill. Returns how many tasks that were.';
