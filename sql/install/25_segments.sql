/*
 * Segments: the partitions of _task, _outcome, _log, _node, _letter and _lease.
 *
 * Segment n holds the task ids from n million up to, not including, the next
 * million, in _task_n, _outcome_n and so on.  The scheduler calls what stands
 * here, each call in a transaction of its own:
 *
 *	_segments_ensure	makes segments ahead of the sequence of task ids
 *	_segment_rotate		goes on to the next one when the current one is a day old
 *	_segments_close		marks those whose tasks have all ended
 *	_segments_retire	takes away what is older than the retention
 *
 * Nobody may have to queue behind any of it.  A lock that is not had at once
 * is given up (lock_timeout), the call says "nothing done", and the next
 * cycle tries again.  There is always a segment in reserve, so it may fail for
 * days.  And should there be none: the default partitions take every row, so
 * that a missing segment never costs a task.
 *
 * Never is a segment made for ids that may be in use already: rows of the
 * range could lie in the default partition, and sessions that are about to
 * write there would fail.  When the current segment is missing (after a
 * restore the sequence stands far ahead of the segments) the next one is
 * made, and the call after that lets the sequence jump to it.
 *
 * A task that is due in months keeps its segment open.  Such a segment is not
 * moved but thinned (_segment_thin): what is left of it is copied aside, the
 * partitions are truncated, and the rows are put back; once a day at the
 * most, and only if that frees half of it or more.
 */

CREATE TABLE sched._task_default PARTITION OF sched._task DEFAULT;
CREATE TABLE sched._outcome_default PARTITION OF sched._outcome DEFAULT;
CREATE TABLE sched._log_default PARTITION OF sched._log DEFAULT;
CREATE TABLE sched._node_default PARTITION OF sched._node DEFAULT;
CREATE TABLE sched._letter_default PARTITION OF sched._letter DEFAULT;
CREATE TABLE sched._lease_default PARTITION OF sched._lease DEFAULT;
COMMENT ON TABLE sched._task_default IS 'Tasks for which there was no segment. Normally empty.';
COMMENT ON TABLE sched._outcome_default IS 'Outcomes for which there was no segment. Normally empty.';
COMMENT ON TABLE sched._log_default IS 'Log lines for which there was no segment. Normally empty.';
COMMENT ON TABLE sched._node_default IS 'Places of tasks for which there was no segment. Normally empty.';
COMMENT ON TABLE sched._letter_default IS 'Letters for which there was no segment. Normally empty.';
COMMENT ON TABLE sched._lease_default IS 'Leases for which there was no segment. Normally empty.';

CREATE FUNCTION sched._segment_width() RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN 1000000::bigint;
COMMENT ON FUNCTION sched._segment_width() IS 'How many task ids a segment holds.';

/* The id that the sequence will give next. */
CREATE FUNCTION sched._segment_position() RETURNS bigint
LANGUAGE sql VOLATILE
BEGIN ATOMIC
	SELECT last_value + is_called::int FROM sched._task_id_seq;
END;
COMMENT ON FUNCTION sched._segment_position() IS 'The task id that is next in turn.';

/* Are all partitions of a segment there and attached? */
CREATE FUNCTION sched._segment_intact(p_segment_id int) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN EXISTS (SELECT FROM sched._segment WHERE segment_id = p_segment_id)
		AND (SELECT count(*) = 6
			 FROM pg_catalog.pg_inherits i
			 JOIN pg_catalog.pg_class p ON p.oid = i.inhparent
			 JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
			 WHERE i.inhparent IN ('sched._task'::regclass, 'sched._outcome'::regclass,
								   'sched._log'::regclass, 'sched._node'::regclass,
								   'sched._letter'::regclass, 'sched._lease'::regclass)
			   AND c.relname = p.relname || '_' || p_segment_id
			   AND c.relnamespace = p.relnamespace
			   AND NOT i.inhdetachpending);
END $$;
COMMENT ON FUNCTION sched._segment_intact(int) IS 'Does a segment have all of its partitions?';

/*
 * Make one segment, or what is missing of it.  The table is made on its own and
 * attached, so that of the parent no lock is needed that a writer would
 * notice.  It becomes a member of the extension, which keeps it out of dumps;
 * while CREATE EXTENSION runs that happens by itself.
 */
CREATE FUNCTION sched._segment_make(p_segment_id int) RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms' AS $$
DECLARE
	v_lo		bigint := p_segment_id * sched._segment_width();
	v_hi		bigint := v_lo + sched._segment_width();
	v_parent	text;
	v_name		text;
BEGIN
	FOREACH v_parent IN ARRAY ARRAY['_task', '_outcome', '_log', '_node', '_letter', '_lease'] LOOP
		v_name := v_parent || '_' || p_segment_id;
		CONTINUE WHEN EXISTS
			(SELECT FROM pg_catalog.pg_inherits
			 WHERE inhparent = ('sched.' || v_parent)::regclass
			   AND inhrelid = to_regclass('sched.' || v_name));

		/*
		 * Rows only ever arrive, so one freezing pass over new pages is all the
		 * vacuum that a segment needs: not by share of the table, and without
		 * waiting for an age.
		 */
		EXECUTE format(
			'CREATE TABLE sched.%I (LIKE sched.%I INCLUDING DEFAULTS INCLUDING CONSTRAINTS '
			'INCLUDING STORAGE INCLUDING COMPRESSION INCLUDING INDEXES) WITH ('
			'autovacuum_vacuum_insert_threshold = 200000, autovacuum_vacuum_insert_scale_factor = 0, '
			'autovacuum_freeze_min_age = 0, '
			'autovacuum_analyze_threshold = 50000, autovacuum_analyze_scale_factor = 0.2)',
			v_name, v_parent);
		EXECUTE format('REVOKE ALL ON sched.%I FROM PUBLIC', v_name);
		EXECUTE format('ALTER TABLE sched.%I ATTACH PARTITION sched.%I FOR VALUES FROM (%s) TO (%s)',
					   v_parent, v_name, v_lo, v_hi);
		IF NOT EXISTS
			(SELECT FROM pg_catalog.pg_depend
			 WHERE classid = 'pg_catalog.pg_class'::regclass
			   AND objid = ('sched.' || v_name)::regclass
			   AND refclassid = 'pg_catalog.pg_extension'::regclass AND deptype = 'e')
		THEN
			EXECUTE format('ALTER EXTENSION sched ADD TABLE sched.%I', v_name);
		END IF;
	END LOOP;

	INSERT INTO sched._segment (segment_id, lo, hi, created_at)
	VALUES (p_segment_id, v_lo, v_hi, sched._now())
	ON CONFLICT (segment_id) DO NOTHING;
	PERFORM sched._segment_changed();
END $$;
COMMENT ON FUNCTION sched._segment_make(int) IS 'Makes the partitions of a segment.';

/*
 * Let the sequence jump forward to the start of a segment.  Between looking and
 * jumping others draw ids; were one of them beyond the target already, the
 * jump would go back and give ids twice.  So it is made only from far away:
 * nobody draws a hundred thousand ids within one statement.  From nearer the
 * sequence gets there by itself.
 */
CREATE FUNCTION sched._segment_jump(p_lo bigint) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	PERFORM setval('sched._task_id_seq', p_lo, false)
	FROM sched._task_id_seq WHERE last_value < p_lo - 100000;
	RETURN FOUND;
END $$;
COMMENT ON FUNCTION sched._segment_jump(bigint) IS 'Moves the sequence of task ids forward, if that is safe.';

/*
 * See to it that the current segment and "ahead" more exist.  Returns how much
 * was done: call again, in a new transaction, until it is 0.
 */
CREATE FUNCTION sched._segments_ensure(p_ahead int) RETURNS int
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms' AS $$
DECLARE
	v_position	bigint := sched._segment_position();
	v_width		bigint := sched._segment_width();
	v_current	int := v_position / v_width;
	v_next		bigint;
	v_done		int := 0;
	v_unused	boolean;
BEGIN
	/* One at a time, by a lock that nobody else can take. */
	LOCK TABLE sched._segment IN SHARE UPDATE EXCLUSIVE MODE;

	IF NOT sched._segment_intact(v_current) THEN
		SELECT NOT is_called AND v_position <= 1 INTO v_unused FROM sched._task_id_seq;
		SELECT min(lo) INTO v_next FROM sched._segment
		WHERE lo > v_position AND sched._segment_intact(segment_id);
		IF v_unused THEN
			NULL;					/* a new installation: make it */
		ELSIF v_next IS NOT NULL THEN
			IF NOT sched._segment_jump(v_next) THEN
				RETURN 0;
			END IF;
			v_current := v_next / v_width;
			v_done := 1;
		ELSE
			/* Beyond everything that may have gone to the default partitions. */
			SELECT greatest(v_position, max(id)) / v_width + 1 INTO v_current
			FROM (SELECT max(task_id) FROM sched._task_default
				  UNION ALL SELECT max(task_id) FROM sched._outcome_default
				  UNION ALL SELECT max(task_id) FROM sched._log_default
				  UNION ALL SELECT max(task_id) FROM sched._node_default
				  UNION ALL SELECT max(task_id) FROM sched._letter_default
				  UNION ALL SELECT max(task_id) FROM sched._lease_default) AS d(id);
		END IF;
	END IF;

	FOR v_id IN v_current .. v_current + p_ahead LOOP
		IF NOT sched._segment_intact(v_id) THEN
			PERFORM sched._segment_make(v_id);
			v_done := v_done + 1;
		END IF;
	END LOOP;
	RETURN v_done;
EXCEPTION
	WHEN lock_not_available OR check_violation OR duplicate_table OR deadlock_detected THEN
		/* A reader holds the default partition, or rows or a table lie in the way. */
		RAISE LOG 'segment of the task tables not made: %', SQLERRM;
		RETURN 0;
END $$;
COMMENT ON FUNCTION sched._segments_ensure(int) IS 'Makes the partitions that task ids will need next. Repeat until 0.';

/*
 * Leave a segment that has been in use for a day, so that segments follow time
 * and retention can drop them as a whole.
 */
CREATE FUNCTION sched._segment_rotate(p_age interval DEFAULT '1 day') RETURNS boolean
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms' AS $$
DECLARE
	v_position	bigint := sched._segment_position();
	v_now		timestamptz := sched._now();
	v_segment	sched._segment;
	v_next		bigint;
BEGIN
	SELECT s.* INTO v_segment FROM sched._segment s
	WHERE s.lo < v_position AND v_position <= s.hi;
	IF NOT FOUND THEN
		RETURN false;				/* nothing used yet, or no segment */
	END IF;
	IF v_segment.first_used_at IS NULL THEN
		SELECT min(t.created_at) INTO v_segment.first_used_at
		FROM (SELECT created_at FROM sched._task
			  WHERE task_id >= v_segment.lo AND task_id < v_segment.hi
			  ORDER BY task_id LIMIT 1) AS t;
		UPDATE sched._segment
		SET first_used_at = coalesce(v_segment.first_used_at, v_now)
		WHERE segment_id = v_segment.segment_id;
	END IF;
	IF v_now - coalesce(v_segment.first_used_at, v_now) < p_age OR v_position = v_segment.hi THEN
		RETURN false;
	END IF;
	SELECT min(lo) INTO v_next FROM sched._segment
	WHERE lo >= v_segment.hi AND sched._segment_intact(segment_id);
	RETURN v_next IS NOT NULL AND sched._segment_jump(v_next);
END $$;
COMMENT ON FUNCTION sched._segment_rotate(interval) IS 'Goes on to the next segment when the current one is old enough.';

/*
 * Mark the segments that nothing can change any more: task ids have gone on to
 * another segment for a while, no transaction is writing tasks, and every
 * task has its final outcome.  A start after a crash does not read them.
 */
CREATE FUNCTION sched._segments_close() RETURNS int
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms' AS $$
DECLARE
	v_now		timestamptz := sched._now();
	v_segment	sched._segment;
	v_open		boolean;
	v_newest	timestamptz;
	v_closed	int := 0;
BEGIN
	FOR v_segment IN
		SELECT s.* FROM sched._segment s
		WHERE s.closed_at IS NULL AND s.hi <= sched._segment_position()
		  AND EXISTS (SELECT FROM sched._segment later
					  WHERE later.lo > s.lo AND later.first_used_at < v_now - interval '10 minutes')
		ORDER BY s.lo
	LOOP
		/* What is known to be alive spares reading the tables. */
		CONTINUE WHEN EXISTS (SELECT FROM sched._live_tasks() l
							  WHERE l.task_id >= v_segment.lo AND l.task_id < v_segment.hi)
			OR EXISTS (SELECT FROM sched._future f
					   WHERE f.task_id >= v_segment.lo AND f.task_id < v_segment.hi);
		BEGIN
			/* Granted when the last transaction that wrote a task in it has ended. */
			IF to_regclass('sched._task_' || v_segment.segment_id) IS NOT NULL THEN
				EXECUTE format('LOCK TABLE sched.%I IN SHARE MODE', '_task_' || v_segment.segment_id);
			END IF;
			SELECT EXISTS
				(SELECT FROM sched._task t
				 WHERE t.task_id >= v_segment.lo AND t.task_id < v_segment.hi
				   AND NOT EXISTS (SELECT FROM sched._outcome o
								   WHERE o.task_id = t.task_id AND o.final
									 AND o.task_id >= v_segment.lo AND o.task_id < v_segment.hi))
			INTO v_open;
			IF NOT v_open THEN
				SELECT max(o.finished_at) INTO v_newest FROM sched._outcome o
				WHERE o.task_id >= v_segment.lo AND o.task_id < v_segment.hi;
				UPDATE sched._segment
				SET closed_at = v_now, newest_at = coalesce(v_newest, created_at)
				WHERE segment_id = v_segment.segment_id;
				v_closed := v_closed + 1;
			END IF;
		EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
			NULL;					/* next time */
		END;
	END LOOP;
	IF v_closed > 0 THEN
		PERFORM sched._segment_changed();
	END IF;
	RETURN v_closed;
END $$;
COMMENT ON FUNCTION sched._segments_close() IS 'Marks the segments in which every task has ended; returns how many.';

CREATE FUNCTION sched._segment_drop(p_segment_id int) RETURNS boolean
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms' AS $$
DECLARE
	v_parent	text;
	v_name		text;
BEGIN
	/* In the order in which everybody else comes by them. */
	LOCK TABLE ONLY sched._task, ONLY sched._outcome, ONLY sched._log, ONLY sched._node,
		ONLY sched._letter, ONLY sched._lease IN ACCESS EXCLUSIVE MODE;
	FOREACH v_parent IN ARRAY ARRAY['_task', '_outcome', '_log', '_node', '_letter', '_lease'] LOOP
		v_name := v_parent || '_' || p_segment_id;
		CONTINUE WHEN to_regclass('sched.' || v_name) IS NULL;
		IF EXISTS (SELECT FROM pg_catalog.pg_depend
				   WHERE classid = 'pg_catalog.pg_class'::regclass
					 AND objid = ('sched.' || v_name)::regclass
					 AND refclassid = 'pg_catalog.pg_extension'::regclass AND deptype = 'e')
		THEN
			EXECUTE format('ALTER EXTENSION sched DROP TABLE sched.%I', v_name);
		END IF;
		EXECUTE format('DROP TABLE sched.%I', v_name);
	END LOOP;
	DELETE FROM sched._segment WHERE segment_id = p_segment_id;
	PERFORM sched._segment_changed();
	RETURN true;
EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
	RETURN false;
END $$;
COMMENT ON FUNCTION sched._segment_drop(int) IS 'Drops the partitions of a segment, unless somebody is reading them.';

/*
 * Free a segment, which some unfinished tasks keep open, of what ended before
 * the cut-off.  TRUNCATE rather than DELETE: nothing dead stays behind.  A
 * snapshot that is older than this step sees the segment empty.
 */
CREATE FUNCTION sched._segment_thin(p_segment_id int, p_cutoff timestamptz) RETURNS boolean
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms' AS $$
DECLARE
	v_parent	text;
	v_all		bigint;
	v_kept		bigint;
BEGIN
	UPDATE sched._segment SET thinned_at = sched._now() WHERE segment_id = p_segment_id;
	BEGIN
		EXECUTE format('LOCK TABLE sched.%I, sched.%I, sched.%I, sched.%I, sched.%I, sched.%I IN ACCESS EXCLUSIVE MODE',
					   '_task_' || p_segment_id, '_outcome_' || p_segment_id, '_log_' || p_segment_id,
					   '_node_' || p_segment_id, '_letter_' || p_segment_id, '_lease_' || p_segment_id);
		EXECUTE format('SELECT count(*) FROM sched.%I', '_task_' || p_segment_id) INTO v_all;
		EXECUTE format(
			'CREATE TEMP TABLE _keep ON COMMIT DROP AS SELECT t.task_id FROM sched.%I t '
			'WHERE NOT EXISTS (SELECT FROM sched.%I o WHERE o.task_id = t.task_id '
			'AND o.final AND o.finished_at < $1)',
			'_task_' || p_segment_id, '_outcome_' || p_segment_id) USING p_cutoff;
		GET DIAGNOSTICS v_kept = ROW_COUNT;
		IF v_kept > v_all / 2 OR v_all = v_kept THEN
			DROP TABLE pg_temp._keep;
			RETURN false;
		END IF;
		FOREACH v_parent IN ARRAY ARRAY['_task', '_outcome', '_log', '_node', '_letter'] LOOP
			EXECUTE format(
				'CREATE TEMP TABLE _rows ON COMMIT DROP AS SELECT * FROM sched.%I '
				'WHERE task_id IN (SELECT task_id FROM pg_temp._keep)',
				v_parent || '_' || p_segment_id);
			EXECUTE format('TRUNCATE sched.%I', v_parent || '_' || p_segment_id);
			EXECUTE format('INSERT INTO sched.%I SELECT * FROM pg_temp._rows',
						   v_parent || '_' || p_segment_id);
			DROP TABLE pg_temp._rows;
		END LOOP;
		/* A lease stands for several tasks, and stays while one of them does. */
		EXECUTE format(
			'CREATE TEMP TABLE _rows ON COMMIT DROP AS SELECT l.* FROM sched.%I l WHERE EXISTS '
			'(SELECT FROM pg_temp._keep k WHERE k.task_id = l.task_id OR k.task_id = ANY (l.task_ids))',
			'_lease_' || p_segment_id);
		EXECUTE format('TRUNCATE sched.%I', '_lease_' || p_segment_id);
		EXECUTE format('INSERT INTO sched.%I SELECT * FROM pg_temp._rows', '_lease_' || p_segment_id);
		DROP TABLE pg_temp._rows;
		DROP TABLE pg_temp._keep;
		RETURN true;
	EXCEPTION WHEN lock_not_available OR deadlock_detected OR undefined_table THEN
		RETURN false;
	END;
END $$;
COMMENT ON FUNCTION sched._segment_thin(int, timestamptz) IS 'Removes what ended long ago from a segment that cannot be dropped yet.';

/*
 * One small step of retention.  Returns 0 when there is nothing (more) to do,
 * or nothing can be had without waiting; else call again, in a new
 * transaction.  NULL keeps for ever.
 */
CREATE FUNCTION sched._segments_retire(p_retention interval, p_log_retention interval DEFAULT NULL)
RETURNS int
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms' AS $$
DECLARE
	v_now		timestamptz := sched._now();
	v_cutoff	timestamptz := v_now - p_retention;
	v_id		int;
	v_count		int;
	v_ids		bigint[];
BEGIN
	/* Whole segments. */
	SELECT s.segment_id INTO v_id FROM sched._segment s
	WHERE s.closed_at IS NOT NULL AND s.newest_at < v_cutoff
	ORDER BY s.lo LIMIT 1;
	IF FOUND AND sched._segment_drop(v_id) THEN
		RETURN 1;
	END IF;

	/* Logs alone, where they are kept for less long. */
	SELECT s.segment_id INTO v_id FROM sched._segment s
	WHERE s.closed_at IS NOT NULL AND s.newest_at < v_now - p_log_retention
	  AND pg_relation_size(to_regclass('sched._log_' || s.segment_id)) > 0
	ORDER BY s.lo LIMIT 1;
	IF FOUND THEN
		BEGIN
			EXECUTE format('TRUNCATE sched.%I', '_log_' || v_id);
			RETURN 1;
		EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
			NULL;					/* next time; the rest may go on */
		END;
	END IF;

	/* Segments that some tasks of the far future keep open. */
	SELECT s.segment_id INTO v_id FROM sched._segment s
	WHERE s.closed_at IS NULL AND s.hi <= sched._segment_position()
	  AND s.first_used_at < v_cutoff - interval '1 day'
	  AND (s.thinned_at IS NULL OR s.thinned_at < v_now - interval '1 day')
	ORDER BY s.thinned_at NULLS FIRST LIMIT 1;
	IF FOUND THEN
		PERFORM sched._segment_thin(v_id, v_cutoff);
		RETURN 1;
	END IF;

	/* The default partitions: rare and small, so row by row. */
	SELECT array_agg(o.task_id) INTO v_ids
	FROM (SELECT task_id FROM sched._outcome_default
		  WHERE final AND finished_at < v_cutoff LIMIT 10000) AS o;
	IF v_ids IS NOT NULL THEN
		DELETE FROM sched._letter_default WHERE task_id = ANY (v_ids);
		DELETE FROM sched._node_default WHERE task_id = ANY (v_ids);
		DELETE FROM sched._log_default WHERE task_id = ANY (v_ids);
		DELETE FROM sched._lease_default WHERE task_id = ANY (v_ids);
		DELETE FROM sched._outcome_default WHERE task_id = ANY (v_ids);
		DELETE FROM sched._task_default WHERE task_id = ANY (v_ids);
		RETURN 1;
	END IF;

	/* Idempotency keys whose task is gone. */
	DELETE FROM sched._idempotency i
	WHERE i.ctid = ANY (ARRAY
		(SELECT old.ctid FROM sched._idempotency old
		 WHERE old.created_at < v_cutoff
		   AND NOT EXISTS (SELECT FROM sched._task t WHERE t.task_id = old.task_id)
		 LIMIT 10000));
	GET DIAGNOSTICS v_count = ROW_COUNT;
	IF v_count > 0 THEN
		RETURN 1;
	END IF;

	/* Edges that were removed and that no task can refer to any more. */
	DELETE FROM sched._dependency d
	WHERE d.dependency_id = ANY (ARRAY
		(SELECT old.dependency_id FROM sched._dependency old
		 WHERE old.removed_at < v_cutoff
		   AND NOT EXISTS (SELECT FROM sched._live_jobs() l WHERE l.job_id = old.job_id)
		 LIMIT 1000));
	GET DIAGNOSTICS v_count = ROW_COUNT;
	IF v_count > 0 THEN
		RETURN 1;
	END IF;

	/* Deleted jobs of which no task is left. */
	DELETE FROM sched._job j
	WHERE j.job_id = ANY (ARRAY
		(SELECT old.job_id FROM sched._job old
		 WHERE old.status = 'deleted' AND old.updated_at < v_cutoff
		   AND NOT EXISTS (SELECT FROM sched._task t WHERE t.job_id = old.job_id)
		 LIMIT 1000));
	GET DIAGNOSTICS v_count = ROW_COUNT;
	IF v_count > 0 THEN
		RETURN 1;
	END IF;

	/* Locks that lapsed long ago. */
	DELETE FROM sched._lock l WHERE l.expires_at < v_now - interval '1 day';

	/* Executors that were deregistered before any task that is left. */
	DELETE FROM sched._executor e
	WHERE e.executor_id = ANY (ARRAY
		(SELECT old.executor_id FROM sched._executor old
		 WHERE old.status = 'deregistered' AND old.updated_at < v_cutoff LIMIT 1000));
	GET DIAGNOSTICS v_count = ROW_COUNT;
	RETURN (v_count > 0)::int;
END $$;
COMMENT ON FUNCTION sched._segments_retire(interval, interval) IS 'Removes, step by step, what is older than the retention. Repeat until 0.';
