-- Views: what they show of jobs and tasks, finished and not, and how they get at it.
-- History is written straight into the tables here, so that every state is there.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS sched;
RESET client_min_messages;
SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';
SET intervalstyle = 'postgres';

CREATE FUNCTION pg_temp.error_of(statement text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	state text; message text; detail text; hint text;
BEGIN
	EXECUTE statement;
	RETURN NEXT 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT,
		detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN NEXT state || ' ' || message;
	IF detail <> '' THEN RETURN NEXT '  ' || detail; END IF;
	IF hint <> '' THEN RETURN NEXT '  ' || hint; END IF;
END $$;

-- The columns that are promised are there.
SELECT v.name, array_agg(c.name ORDER BY c.name) FILTER (WHERE a.attname IS NULL) AS missing
FROM (VALUES
	('jobs', 'job_id name type command schedule timezone status owner priority parameters description tags timeout max_attempts retry_delay retry_strategy overlap_policy misfire_policy trigger_rule pool start_at end_at next_fire_at last_task_id last_status last_finished_at running waiting created_at updated_at'),
	('active_jobs', 'job_id name type command schedule timezone status owner priority parameters description tags timeout max_attempts retry_delay retry_strategy overlap_policy misfire_policy trigger_rule pool start_at end_at next_fire_at last_task_id last_status last_finished_at running waiting created_at updated_at'),
	('triggers', 'trigger_id job_id job_name kind schedule timezone next_fire_at last_fire_at'),
	('tasks', 'task_id job_id job_name owner status attempt max_attempts priority scheduled_at queued_at started_at finished_at executor parameters result error sqlstate reason progress run_id rerun_of missed_count idempotency_key')) AS v(name, columns)
CROSS JOIN LATERAL unnest(string_to_array(v.columns, ' ')) AS c(name)
LEFT JOIN pg_attribute a ON a.attrelid = ('sched.' || v.name)::regclass AND a.attname = c.name
GROUP BY v.name ORDER BY v.name;

-- Everything public has a comment.
SELECT p.oid::regprocedure FROM pg_proc p
WHERE p.pronamespace = 'sched'::regnamespace AND p.proname NOT LIKE '\_%' AND obj_description(p.oid, 'pg_proc') IS NULL;
SELECT c.oid::regclass FROM pg_class c
WHERE c.relnamespace = 'sched'::regnamespace AND c.relkind IN ('v', 'r', 'p') AND NOT c.relispartition
  AND obj_description(c.oid, 'pg_class') IS NULL;

-- Nothing is granted to PUBLIC, and every plpgsql function pins its search_path.
SELECT p.oid::regprocedure FROM pg_proc p
WHERE p.pronamespace = 'sched'::regnamespace
  AND (p.proacl IS NULL OR EXISTS (SELECT FROM aclexplode(p.proacl) a WHERE a.grantee = 0));
SELECT c.oid::regclass FROM pg_class c
WHERE c.relnamespace = 'sched'::regnamespace AND EXISTS (SELECT FROM aclexplode(c.relacl) a WHERE a.grantee = 0);
SELECT p.oid::regprocedure FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
WHERE p.pronamespace = 'sched'::regnamespace AND (l.lanname = 'plpgsql' OR p.prosecdef)
  AND NOT coalesce('search_path=pg_catalog, pg_temp' = ANY (p.proconfig), false);

--
-- One task in each state that can be read from the tables
--
SELECT sched.create_job('history', 'SELECT 1', parameters => '{"from": "job"}', priority => 4, max_attempts => 3) AS job \gset
CREATE TEMP TABLE made (what text, task_id bigint DEFAULT nextval('sched._task_id_seq'));
INSERT INTO made (what) VALUES ('completed'), ('failed'), ('timeout'), ('cancelled'), ('skipped'), ('upstream'),
	('missed'), ('lost first'), ('retrying'), ('future');
INSERT INTO sched._task (task_id, job_id, run_id, scheduled_at, created_at, priority, missed_count, parameters, idempotency_key)
SELECT task_id, :job, task_id, CASE what WHEN 'future' THEN '2090-01-01 00:00+00' ELSE '2026-01-01 10:00+00'::timestamptz END,
	'2026-01-01 10:00+00', CASE what WHEN 'completed' THEN 9 END, CASE what WHEN 'missed' THEN 17 END,
	CASE what WHEN 'failed' THEN '{"from": "task"}'::jsonb END, CASE what WHEN 'completed' THEN 'key-1' END
FROM made;
INSERT INTO sched._outcome (task_id, attempt, status, final, finished_at, queued_at, started_at, executor_id, retry_at,
	row_count, sqlstate, error, reason, result)
SELECT m.task_id, o.attempt, o.status, o.final, '2026-01-01 10:00+00'::timestamptz + o.attempt * interval '1 min',
	o.started, o.started, CASE WHEN o.started IS NOT NULL THEN 1 END, o.retry_at, o.row_count, o.sqlstate, o.error, o.reason, o.result
FROM made m JOIN (VALUES
	('completed', 1, 'c'::"char", true, '2026-01-01 10:00:01+00'::timestamptz, NULL::timestamptz, 3, NULL, NULL, NULL, '{"ok": true}'::jsonb),
	('failed', 1, 'f', false, '2026-01-01 10:00:01+00', '2026-01-01 10:02+00', NULL, '40001', 'first', NULL, NULL),
	('failed', 2, 'f', true, '2026-01-01 10:01:30+00', NULL, NULL, '22012', 'division by zero', NULL, NULL),
	('timeout', 1, 't', true, '2026-01-01 10:00:01+00', NULL, NULL, '57014', 'timeout', NULL, NULL),
	('cancelled', 1, 'f', false, '2026-01-01 10:00:01+00', '2026-01-01 10:02+00', NULL, '40001', 'first', NULL, NULL),
	('cancelled', 2, 'x', true, NULL, NULL, NULL, NULL, NULL, 'not wanted', NULL),
	('skipped', 0, 'k', true, NULL, NULL, NULL, NULL, NULL, 'overlap', NULL),
	('upstream', 0, 'u', true, NULL, NULL, NULL, NULL, NULL, 'upstream', NULL),
	('missed', 0, 'm', true, NULL, NULL, NULL, NULL, NULL, 'scheduler was down', NULL),
	('lost first', 1, 'l', false, '2026-01-01 10:00:01+00', '2026-01-01 10:00:02+00', NULL, NULL, 'executor lost', NULL, NULL),
	('lost first', 2, 'c', true, '2026-01-01 10:01:01+00', NULL, NULL, NULL, NULL, NULL, NULL),
	('retrying', 1, 'f', false, '2026-01-01 10:00:01+00', '2090-01-01 00:00+00', NULL, '40001', 'could not serialize', NULL, NULL))
	AS o(what, attempt, status, final, started, retry_at, row_count, sqlstate, error, reason, result) ON o.what = m.what;
INSERT INTO sched._log (task_id, log_id, attempt, level, logged_at, message)
SELECT task_id, nextval('sched._log_id_seq'), l.attempt, l.level, '2026-01-01 10:00:01+00', l.message
FROM made, (VALUES (1, 0, 'looking'), (1, 1, 'found'), (1, 2, 'odd'), (2, 3, 'broken')) AS l(attempt, level, message)
WHERE what = 'failed';

SELECT m.what, t.status, t.attempt, t.max_attempts, t.priority, t.started_at, t.finished_at, t.executor
FROM sched.tasks t JOIN made m USING (task_id) ORDER BY task_id;
SELECT m.what, t.parameters, t.result, t.row_count, t.error, t.sqlstate, t.reason, t.missed_count, t.idempotency_key, t.retry_at
FROM sched.tasks t JOIN made m USING (task_id) ORDER BY task_id;
-- each task is one row, whatever its number of attempts
SELECT count(*) = count(DISTINCT task_id) AS one_row_each, count(*) FROM sched.tasks WHERE job_id = :job;

-- A job's newest task
SELECT last_task_id = (SELECT max(task_id) FROM made) AS newest, last_status, last_finished_at FROM sched.get_job('history');
INSERT INTO made (what) VALUES ('newest');
INSERT INTO sched._task (task_id, job_id, run_id, scheduled_at, created_at)
SELECT task_id, :job, task_id, '2026-01-02 10:00+00', '2026-01-02 10:00+00' FROM made WHERE what = 'newest';
INSERT INTO sched._outcome (task_id, attempt, status, final, finished_at, started_at)
SELECT task_id, 1, 'c', true, '2026-01-02 10:00:05+00', '2026-01-02 10:00:01+00' FROM made WHERE what = 'newest';
SELECT last_task_id = (SELECT max(task_id) FROM made) AS newest, last_status, last_finished_at FROM sched.get_job('history');

--
-- The functions that look at tasks
--
SELECT what, (sched.get_task(task_id)).status FROM made WHERE what IN ('completed', 'future') ORDER BY task_id;
SELECT m.what, t.status FROM sched.tasks_by_job('history') t JOIN made m USING (task_id) ORDER BY t.task_id;
SELECT count(*) FROM sched.tasks_by_job(:job);
SELECT s AS status, (SELECT string_agg(m.what, ', ' ORDER BY t.task_id) FROM sched.tasks_by_status(s) t JOIN made m USING (task_id)) AS tasks
FROM unnest('{completed,failed,timeout,cancelled,skipped,upstream_failed,missed,scheduled,waiting_retry,running}'::text[]) s;
SELECT attempt, level, message FROM made, sched.task_logs(task_id) WHERE what = 'failed' ORDER BY log_id;
SELECT attempt, level, message FROM made, sched.task_logs(task_id, 'warning') WHERE what = 'failed' ORDER BY log_id;
SELECT what, a.* FROM made m, sched.task_attempts(m.task_id) a
WHERE what IN ('failed', 'cancelled', 'skipped', 'lost first', 'retrying') ORDER BY m.task_id, a.attempt;
SELECT pg_temp.error_of('SELECT sched.get_task(0)');
SELECT pg_temp.error_of('SELECT sched.get_task(NULL)');
SELECT pg_temp.error_of('SELECT * FROM sched.task_logs(0)');
SELECT pg_temp.error_of('SELECT * FROM sched.task_attempts(0)');
SELECT pg_temp.error_of('SELECT * FROM sched.why(0)');
SELECT pg_temp.error_of('SELECT sched.rerun_task(0)');
SELECT pg_temp.error_of($$SELECT * FROM sched.tasks_by_status('done')$$);
SELECT pg_temp.error_of($$SELECT * FROM sched.tasks_by_status(NULL)$$);
SELECT pg_temp.error_of($$SELECT * FROM sched.tasks_by_job('no such job')$$);
SELECT regexp_replace(pg_temp.error_of(format('SELECT * FROM sched.task_logs(%s, ''loud'')', task_id)), '[0-9]+$', 'N')
FROM made WHERE what = 'failed';

-- Why a task waits: what has ended says so, what is due later says when.
SELECT m.what, w.* FROM made m, sched.why(m.task_id) w WHERE what IN ('failed', 'missed') ORDER BY m.task_id;
SELECT w.* FROM made m, sched.why(m.task_id) w
WHERE what = 'future' AND condition IN ('its time has come', 'job is not paused', 'job is below max_concurrent_runs');
SELECT w.* FROM made m, sched.why(m.task_id) w WHERE what = 'retrying' AND condition = 'retry delay is over';
SELECT sched.pause_job('history', 'for a while');
SELECT w.* FROM made m, sched.why(m.task_id) w WHERE what = 'future' AND condition = 'job is not paused';

-- A task that has ended runs again as a new one, in the same run and for the same time.
BEGIN;
SELECT sched.rerun_task(task_id) AS again FROM made WHERE what = 'failed' \gset
SELECT t.rerun_of = m.task_id AS rerun, t.run_id = m.task_id AS same_run, t.scheduled_at, t.parameters, t.task_id > m.task_id AS new
FROM sched.tasks t, made m WHERE t.task_id = :again AND m.what = 'failed';
ROLLBACK;
SELECT regexp_replace(pg_temp.error_of(format('SELECT sched.rerun_task(%s)', task_id)), '(?<=task )[0-9]+', 'N')
FROM made WHERE what = 'future';

--
-- How the views get at it
--
CREATE FUNCTION pg_temp.plan_has(query text, pattern text, options text DEFAULT 'COSTS OFF') RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
	line text;
BEGIN
	FOR line IN EXECUTE format('EXPLAIN (%s) %s', options, query) LOOP
		IF line ~ pattern THEN
			RETURN true;
		END IF;
	END LOOP;
	RETURN false;
END $$;
SET enable_seqscan = off;
-- one task: by the index, in one partition, no matter how many there are
SELECT pg_temp.plan_has(q, 'Index Cond: \(task_id = ''?5') AS by_index,
	pg_temp.plan_has(q, 'Seq Scan') AS seq_scan,
	pg_temp.plan_has(q, ' on _task_0 t') AS its_partition,
	pg_temp.plan_has(q, '_task_(1|2|default) ') AS another_partition,
	pg_temp.plan_has(q, ' on _outcome_0 o') AS its_outcome
FROM (VALUES ('SELECT * FROM sched.tasks WHERE task_id = 5')) AS v(q);
-- the tasks of a job: by the index on (job_id, task_id)
SELECT pg_temp.plan_has(q, 'Index Cond: \(job_id = ''?5') AS by_index, pg_temp.plan_has(q, 'Seq Scan on _task') AS seq_scan
FROM (VALUES ('SELECT * FROM sched.tasks WHERE job_id = 5')) AS v(q);
-- one job by its name
SELECT pg_temp.plan_has($$SELECT * FROM sched.jobs WHERE name = 'x'$$, 'Scan (using|on) job_name_key') AS by_index;
RESET enable_seqscan;
-- what is not asked for is not computed
SELECT pg_temp.plan_has('SELECT * FROM sched.jobs', '_task_0') AS all_columns,
	pg_temp.plan_has('SELECT name, status FROM sched.jobs', '_task_0') AS newest_task,
	pg_temp.plan_has('SELECT name, status FROM sched.jobs', '_live_jobs') AS counts,
	pg_temp.plan_has('SELECT name, status FROM sched.jobs', '_trigger') AS triggers;
-- of a task that has ended nobody asks shared memory; of another, once
SET track_functions = 'all';
BEGIN;
SELECT status, error FROM sched.tasks WHERE task_id = (SELECT task_id FROM made WHERE what = 'completed');
SELECT count(*) AS asked FROM pg_stat_xact_user_functions WHERE funcname IN ('_live_task', '_attempt_before');
COMMIT;
BEGIN;
SELECT status, error FROM sched.tasks WHERE task_id = (SELECT task_id FROM made WHERE what = 'retrying');
SELECT funcname, calls FROM pg_stat_xact_user_functions WHERE funcname IN ('_live_task', '_attempt_before') ORDER BY funcname;
COMMIT;
RESET track_functions;
-- the newest come first, and the last few are had without the others
SELECT task_id = lag(task_id) OVER () - 1 AS going_down FROM (SELECT task_id FROM sched.tasks WHERE job_id = :job LIMIT 3) t;
SET enable_seqscan = off;
SELECT pg_temp.plan_has('SELECT * FROM sched.tasks ORDER BY task_id DESC LIMIT 10', 'Sort Key: .*task_id') AS merges,
	pg_temp.plan_has('SELECT * FROM sched.tasks ORDER BY task_id DESC LIMIT 10', '^ *->  Sort') AS sorts;
RESET enable_seqscan;

--
-- Health: says what is wrong, and does not fail on it
--
SELECT sched.health() ? 'status' AS status, array_agg(k ORDER BY k) AS components
FROM jsonb_object_keys(sched.health() -> 'components') k;
SELECT sched.liveness() ->> 'status' IN ('UP', 'DOWN') AS liveness, sched.readiness() ->> 'status' IN ('UP', 'DOWN') AS readiness;
SELECT count(*) > 8 AS one_screen, count(*) < 60 AS not_more FROM sched.status();
SELECT s FROM sched.status() s WHERE s IN ('Running now', 'Next', 'Waiting', 'Failed lately');
-- what was ordered for later is next too, until it is cancelled
SELECT sched.schedule_task('history', '2026-01-01 00:00+00'::timestamptz + interval '60 years') AS task \gset
SELECT count(*) FROM sched.status() s WHERE s LIKE '  2086-01-01 00:00:00  history %task ' || :task;
SELECT sched.cancel_task(:task);
SELECT count(*) FROM sched.status() s WHERE s LIKE '  2086-01-01 00:00:00  history %task ' || :task;

-- a trigger in quarantine is listed with its fault
BEGIN;
SELECT sched.add_trigger('history', '@at 2090-01-01 00:00+00') AS trigger \gset
UPDATE sched._trigger_state SET fault = 'its schedule cannot be read' WHERE trigger_id = :trigger;
SELECT sched.health() ->> 'status' <> 'UP' AS noticed, c ->> 'status' AS status, c ->> 'problem' AS problem,
	c #>> '{quarantined,0,job}' AS job, c #>> '{quarantined,0,fault}' AS fault
FROM (SELECT sched.health() #> '{components,triggers}') AS h(c);
SELECT next_fire_at, fault FROM sched.triggers WHERE trigger_id = :trigger;
SELECT count(*) FROM sched.status() s WHERE s LIKE '%triggers DEGRADED: 1 in quarantine%';
-- resuming the job gives it another chance
SELECT sched.resume_job('history');
SELECT next_fire_at, fault FROM sched.triggers WHERE trigger_id = :trigger;
ROLLBACK;
-- a job whose role may not log in any more
BEGIN;
CREATE ROLE regress_sched_gone LOGIN;
SELECT sched.update_job('history', '{"run_as": "regress_sched_gone"}') = :job AS done;
ALTER ROLE regress_sched_gone NOLOGIN;
SELECT sched.health() #> '{components,jobs,broken}' AS broken;
ROLLBACK;

-- cleaning up
DELETE FROM sched._log WHERE task_id IN (SELECT task_id FROM made);
DELETE FROM sched._outcome WHERE task_id IN (SELECT task_id FROM made);
DELETE FROM sched._task WHERE task_id IN (SELECT task_id FROM made);
SELECT sched.delete_job('history');
