/*
 * Counts that outlive the server.  They are kept in shared memory; once a minute
 * the scheduler saves them here together with its snapshot.  After a restart they
 * are what was saved and what the record has got since: the rows that that
 * snapshot does not see.  So a crash takes nothing away from a count.
 */

CREATE FUNCTION sched._counters()
RETURNS TABLE (name text, value bigint) LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 60
AS 'MODULE_PATHNAME', 'sched_counters';
COMMENT ON FUNCTION sched._counters() IS 'The counts of this database; no rows when nobody counts.';

CREATE FUNCTION sched._counters_open()
RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_sql_counters_open';
COMMENT ON FUNCTION sched._counters_open() IS 'From now on is counted, from zero.';

CREATE FUNCTION sched._counters_put(names text[], counts bigint[])
RETURNS boolean LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_counters_put';
COMMENT ON FUNCTION sched._counters_put(text[], bigint[]) IS 'Adds to the counts of this database.';

CREATE FUNCTION sched._counter_bounds()
RETURNS bigint[] LANGUAGE c IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'sched_counter_bounds';
COMMENT ON FUNCTION sched._counter_bounds() IS 'The upper bounds of the buckets of histograms, in microseconds.';

/* One row; read by a start of the scheduler only. */
CREATE TABLE sched._counter
(
	counter_id	int NOT NULL DEFAULT 1,
	saved_at	timestamptz NOT NULL,
	snapshot	pg_snapshot NOT NULL,		-- what the counts include
	counts		jsonb NOT NULL,
	CONSTRAINT counter_pkey PRIMARY KEY (counter_id),
	CONSTRAINT counter_one_row_check CHECK (counter_id = 1)
);
COMMENT ON TABLE sched._counter IS 'The counts of this database as the scheduler saved them last.';

CREATE FUNCTION sched._counters_save() RETURNS int
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	/* taken first: what commits meanwhile is rather counted twice than lost */
	v_snapshot	pg_snapshot := pg_current_snapshot();
	v_counts	jsonb;
	v_done		int;
BEGIN
	SELECT jsonb_object_agg(c.name, c.value) INTO v_counts FROM sched._counters() AS c;
	IF v_counts IS NULL THEN
		RETURN 0;
	END IF;
	INSERT INTO sched._counter AS s (counter_id, saved_at, snapshot, counts)
	VALUES (1, sched._now(), v_snapshot, v_counts)
	ON CONFLICT (counter_id) DO UPDATE
		SET saved_at = EXCLUDED.saved_at, snapshot = EXCLUDED.snapshot, counts = EXCLUDED.counts
		WHERE s.counts <> EXCLUDED.counts;
	GET DIAGNOSTICS v_done = ROW_COUNT;
	RETURN v_done;
END $$;
COMMENT ON FUNCTION sched._counters_save() IS 'Saves the counts; 0 when they are as they were.';

/*
 * Ages rather than transaction ids are compared, since these come round; a row
 * as old as the oldest transaction of the snapshot is in the counts.
 */
CREATE FUNCTION sched._counters_since(p_snapshot pg_snapshot, p_saved_at timestamptz, p_until pg_snapshot) RETURNS TABLE (name text, value bigint)
LANGUAGE plpgsql VOLATILE ROWS 60 SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
	v_now	bigint := pg_current_xact_id()::text::bigint;
	v_age	bigint := coalesce(v_now - pg_snapshot_xmin(p_snapshot)::text::bigint, 2147483646);
	v_part	record;
BEGIN
	/* what was written of late is in segments that are open, or were a moment ago */
	FOR v_part IN
		SELECT s.lo, s.hi FROM sched._segment s
		WHERE s.closed_at IS NULL OR s.closed_at > sched._now() - interval '1 hour' OR s.closed_at > p_saved_at
	LOOP
	RETURN QUERY
	WITH task AS MATERIALIZED
		(SELECT t.task_id, t.missed_count
		 FROM sched._task t
		 WHERE t.task_id >= v_part.lo AND t.task_id < v_part.hi AND age(t.xmin) <= v_age
		   AND pg_visible_in_snapshot((v_now - age(t.xmin))::text::xid8, p_until)
		   AND (p_snapshot IS NULL
				OR NOT pg_visible_in_snapshot((v_now - age(t.xmin))::text::xid8, p_snapshot))),
	outcome AS MATERIALIZED
		(SELECT o.task_id, o.attempt, o.status, o.final, o.started_at, o.finished_at
		 FROM sched._outcome o
		 WHERE o.task_id >= v_part.lo AND o.task_id < v_part.hi AND age(o.xmin) <= v_age
		   AND pg_visible_in_snapshot((v_now - age(o.xmin))::text::xid8, p_until)
		   AND (p_snapshot IS NULL
				OR NOT pg_visible_in_snapshot((v_now - age(o.xmin))::text::xid8, p_snapshot))),
	/* in microseconds; how late: against the retry's time, else against the task's */
	span AS
		(SELECT 'duration' AS histogram,
			greatest(extract(epoch FROM o.finished_at - o.started_at) * 1000000, 0)::bigint AS usec
		 FROM outcome o WHERE o.started_at IS NOT NULL
		 UNION ALL
		 SELECT 'lateness', greatest(extract(epoch FROM o.started_at - coalesce(p.retry_at,
				CASE WHEN t.trigger_id IS NULL THEN greatest(t.scheduled_at, t.created_at)
					 ELSE t.scheduled_at END)) * 1000000, 0)::bigint
		 FROM outcome o
		 JOIN sched._task t ON t.task_id = o.task_id AND t.task_id >= v_part.lo AND t.task_id < v_part.hi
		 LEFT JOIN sched._outcome p ON p.task_id = o.task_id AND p.attempt = o.attempt - 1
			AND p.task_id >= v_part.lo AND p.task_id < v_part.hi
		 WHERE o.started_at IS NOT NULL)
	SELECT 'tasks', count(*) FROM task
	UNION ALL
	SELECT 'misfires', coalesce(sum(t.missed_count), 0)::bigint FROM task t
	UNION ALL
	SELECT sched._outcome_status(o.status), count(*) FROM outcome o
	WHERE o.final OR o.status IN ('l', 'b') GROUP BY o.status
	UNION ALL
	SELECT 'retries', count(*) FROM outcome o WHERE NOT o.final AND o.status NOT IN ('l', 'b')
	UNION ALL
	SELECT 'timeouts', count(*) FROM outcome o WHERE o.status = 't'
	UNION ALL
	SELECT format('%s_%s', s.histogram, width_bucket(s.usec - 1, sched._counter_bounds())), count(*)
	FROM span s GROUP BY 1
	UNION ALL
	SELECT format('%s_usec', s.histogram), coalesce(sum(s.usec), 0)::bigint FROM span s GROUP BY s.histogram;
	END LOOP;
END $$;
COMMENT ON FUNCTION sched._counters_since(pg_snapshot, timestamptz, pg_snapshot) IS 'What the record got between two snapshots, counted; NULL: from its beginning.';

CREATE FUNCTION sched._counters_restore() RETURNS int
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_saved		sched._counter;
	v_snapshot	pg_snapshot;
BEGIN
	SELECT c.* INTO v_saved FROM sched._counter c;
	/* what this snapshot sees is read, what commits after it counts itself */
	v_snapshot := pg_current_snapshot();
	PERFORM sched._counters_open();
	PERFORM sched._counters_put(array_agg(e.key), array_agg(e.value::bigint))
	FROM jsonb_each_text(v_saved.counts) e;
	PERFORM sched._counters_put(array_agg(s.name), array_agg(s.value))
	FROM sched._counters_since(v_saved.snapshot, v_saved.saved_at, v_snapshot) AS s;
	RETURN sched._counters_save();
END $$;
COMMENT ON FUNCTION sched._counters_restore() IS 'Brings the counts up to date after a restart of the server.';
