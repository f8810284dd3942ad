-- Segments: made ahead, left when a day old, closed when all has ended, dropped as a
-- whole, thinned when they cannot be.  All of it in one transaction that keeps the
-- scheduler's own upkeep away and is rolled back.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS sched;
RESET client_min_messages;
SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';

CREATE FUNCTION pg_temp.make_until_done(ahead int) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
	steps int := 0;
BEGIN
	WHILE sched._segments_ensure(ahead) > 0 LOOP
		steps := steps + 1;
		ASSERT steps < 20;
	END LOOP;
	RETURN steps;
END $$;

-- A new installation has its first segment, and some in reserve; partitions are part of
-- the extension, so that no dump takes them.
SELECT bool_and(sched._segment_intact(segment_id)) AS intact, min(lo) AS first, count(*) >= 3 AS some FROM sched._segment;
SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent IN ('sched._task'::regclass, 'sched._outcome'::regclass, 'sched._log'::regclass)
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e');

-- Everybody else is kept away, by locks that are taken before any other.
BEGIN;
LOCK TABLE ONLY sched._segment, ONLY sched._task, ONLY sched._outcome, ONLY sched._log IN ACCESS EXCLUSIVE MODE;
SELECT sched._segment_position() AS position, sched._segment_position() / 1000000 AS current \gset
SELECT max(segment_id) - :current AS ahead FROM sched._segment \gset
SELECT sched._segments_ensure(:ahead) AS nothing_to_do;
SELECT sched._segments_ensure(:ahead + 2) AS made;
SELECT sched._segments_ensure(:ahead + 2) AS nothing_to_do;
SELECT array_agg(sched._segment_intact(segment_id)) AS intact FROM sched._segment WHERE segment_id > :current + :ahead;

-- what fits the partitions: the same columns, indexes and constraints as in the parent
SELECT relname ~ '^_(task|outcome|log)_[0-9]+$' AS partition, reloptions FROM pg_class
WHERE oid = ('sched._outcome_' || :current + :ahead + 2)::regclass;
SELECT replace(indexrelid::regclass::text, (:current + :ahead + 2)::text, 'N') AS index FROM pg_index
WHERE indrelid IN (('sched._task_' || :current + :ahead + 2)::regclass, ('sched._outcome_' || :current + :ahead + 2)::regclass,
	('sched._log_' || :current + :ahead + 2)::regclass) ORDER BY 1;

--
-- Rotation: only out of a segment that is in use for a day
--
INSERT INTO sched._job (job_id, name, command, owner, created_at, updated_at, status)
VALUES (-1, 'regress segments', 'SELECT 1', 10, now(), now(), 'created');
SELECT nextval('sched._task_id_seq') AS task \gset
INSERT INTO sched._task (task_id, job_id, run_id, scheduled_at, created_at) VALUES (:task, -1, :task, now(), now());
UPDATE sched._segment SET first_used_at = NULL WHERE segment_id = :current;
SELECT sched._segment_rotate() AS too_young;
SELECT first_used_at IS NOT NULL AS noted FROM sched._segment WHERE segment_id = :current;
UPDATE sched._segment SET first_used_at = now() - interval '25 hours' WHERE segment_id = :current;
SELECT sched._segment_rotate() AS old_enough;
SELECT sched._segment_position() = (:current + 1) * 1000000 AS at_the_next;
SELECT sched._segment_rotate() AS not_used_yet;
-- the sequence never goes back
SELECT sched._segment_jump(:current * 1000000) AS backwards, sched._segment_jump((:current + 1) * 1000000) AS to_itself,
	sched._segment_jump((:current + 1) * 1000000 + 99999) AS too_near;
SELECT sched._segment_position() = (:current + 1) * 1000000 AS still_there;

--
-- Closing: not while a task has not ended, not right after
--
SELECT nextval('sched._task_id_seq') AS next_task \gset
SELECT sched._segments_close() AS next_one_just_begun;
UPDATE sched._segment SET first_used_at = now() - interval '1 hour' WHERE segment_id = :current + 1;
SELECT sched._segments_close() AS a_task_has_not_ended;
-- others may have left unfinished tasks in it: they end here too
INSERT INTO sched._outcome (task_id, attempt, status, final, finished_at)
SELECT t.task_id, 1000, 'x', true, now() - interval '40 days' FROM sched._task t
WHERE NOT EXISTS (SELECT FROM sched._outcome o WHERE o.task_id = t.task_id AND o.final);
UPDATE sched._outcome SET finished_at = now() - interval '40 days';
DELETE FROM sched._future;
SELECT sched._segments_close() AS closed;
SELECT closed_at IS NOT NULL AS closed, newest_at = now() - interval '40 days' AS newest FROM sched._segment WHERE segment_id = :current;

--
-- Retention: whole segments, oldest first, one at a time
--
SELECT sched._segments_retire(NULL) AS kept_for_ever, sched._segments_retire('41 days') AS not_yet;
INSERT INTO sched._log VALUES (:task, 0, 1, 1, now(), 'a word');
SELECT sched._segments_retire('41 days', '10 days') AS logs_first;
SELECT count(*) AS lines, sched._segment_intact(:current) AS intact FROM sched._log WHERE task_id = :task;
SELECT sched._segments_retire('30 days') AS dropped;
SELECT to_regclass('sched._task_' || :current) AS task, to_regclass('sched._outcome_' || :current) AS outcome,
	to_regclass('sched._log_' || :current) AS log, (SELECT count(*) FROM sched._segment WHERE segment_id = :current) AS segment;

--
-- A segment that a task of the far future keeps open is thinned.
--
SELECT :current + 1 AS kept, (:current + 1) * 1000000 AS kept_lo \gset
INSERT INTO sched._task (task_id, job_id, run_id, scheduled_at, created_at)
SELECT :kept_lo + n, -1, :kept_lo + n, now(), now() FROM generate_series(100, 199) n;
INSERT INTO sched._outcome (task_id, attempt, status, final, finished_at)
SELECT :kept_lo + n, 1, 'c', true, now() - interval '40 days' FROM generate_series(100, 197) n;
INSERT INTO sched._outcome (task_id, attempt, status, final, finished_at)
VALUES (:kept_lo + 198, 1, 'c', true, now()), (:kept_lo + 199, 1, 'f', false, now() - interval '40 days');
INSERT INTO sched._log SELECT :kept_lo + n, n, 1, 1, now(), 'line' FROM generate_series(190, 199) n;
UPDATE sched._segment SET first_used_at = now() - interval '50 days' WHERE segment_id = :kept;
SELECT setval('sched._task_id_seq', (:kept + 1) * 1000000, true) > 0 AS moved_on;
SELECT sched._segments_retire('30 days') AS step;
SELECT (SELECT array_agg(task_id - :kept_lo ORDER BY task_id) FROM sched._task WHERE task_id >= :kept_lo AND task_id < :kept_lo + 1000000) AS tasks,
	(SELECT array_agg(task_id - :kept_lo ORDER BY task_id) FROM sched._outcome WHERE task_id >= :kept_lo AND task_id < :kept_lo + 1000000) AS outcomes,
	(SELECT array_agg(task_id - :kept_lo ORDER BY task_id) FROM sched._log WHERE task_id >= :kept_lo AND task_id < :kept_lo + 1000000) AS logs;
SELECT thinned_at IS NOT NULL AS thinned, closed_at FROM sched._segment WHERE segment_id = :kept;

--
-- No segment for the current ids: rows go to the default partitions, and the ids
-- jump to a new segment beyond them.
--
SELECT setval('sched._task_id_seq', (:current + 500) * 1000000::bigint + 7, true) > 0 AS far_ahead;
INSERT INTO sched._task (task_id, job_id, run_id, scheduled_at, created_at)
SELECT id, -1, id, now(), now() FROM nextval('sched._task_id_seq') id;
SELECT count(*) FROM sched._task_default;
SELECT sched.health() #>> '{components,segments,status}' AS status, sched.health() #>> '{components,segments,default_in_use}' AS default_in_use;
SELECT pg_temp.make_until_done(2) AS steps;
SELECT sched._segment_position() = (:current + 501) * 1000000::bigint AS jumped, count(*) AS intact
FROM sched._segment WHERE segment_id > :current + 500 AND sched._segment_intact(segment_id);
-- rows in the default partition are removed like others, when they are old
INSERT INTO sched._outcome (task_id, attempt, status, final, finished_at)
SELECT task_id, 1, 'c', true, now() - interval '40 days' FROM sched._task_default;
DO $$
DECLARE
	steps int := 0;
BEGIN
	WHILE sched._segments_retire('30 days') > 0 LOOP
		steps := steps + 1;
		ASSERT steps < 50;
	END LOOP;
END $$;
SELECT (SELECT count(*) FROM sched._task_default) AS tasks, (SELECT count(*) FROM sched._outcome_default) AS outcomes;

--
-- A partition that is missing is reported, and ids go on to the next segment that is whole.
--
SELECT nextval('sched._task_id_seq') AS id \gset
SAVEPOINT whole;
SELECT format('ALTER EXTENSION sched DROP TABLE sched._outcome_%s', :current + 501) \gexec
SELECT format('DROP TABLE sched._outcome_%s', :current + 501) \gexec
SELECT sched._segment_intact(:current + 501) AS intact,
	sched.health() #>> '{components,segments,status}' AS status,
	sched.health() #>> '{components,segments,problem}' LIKE '%partitions are missing of segments%' AS reported;
SELECT pg_temp.make_until_done(2) AS steps;
SELECT sched._segment_position() = (:current + 502) * 1000000::bigint AS jumped;
ROLLBACK TO whole;

--
-- The rest of what retention removes
--
INSERT INTO sched._idempotency (job_id, idempotency_key, task_id, created_at)
VALUES (-1, 'gone', -5, now() - interval '40 days'), (-1, 'recent', -6, now());
INSERT INTO sched._job (job_id, name, command, owner, created_at, updated_at, status)
VALUES (-2, 'regress old', 'SELECT 1', 10, now() - interval '50 days', now() - interval '40 days', 'deleted'),
	(-3, 'regress new', 'SELECT 1', 10, now(), now(), 'deleted');
DO $$
BEGIN
	WHILE sched._segments_retire('30 days') > 0 LOOP
	END LOOP;
END $$;
SELECT (SELECT array_agg(idempotency_key) FROM sched._idempotency WHERE job_id = -1) AS keys,
	(SELECT array_agg(job_id) FROM sched._job WHERE job_id IN (-2, -3)) AS jobs;
SELECT setval('sched._task_id_seq', :position, false) = :position AS ids_where_they_were;
ROLLBACK;
SELECT bool_and(sched._segment_intact(segment_id)) AS intact FROM sched._segment;
