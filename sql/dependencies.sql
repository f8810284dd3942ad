-- Dependencies: edges, cycles, runs, join rules, what follows from what.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS sched;
RESET client_min_messages;
SET timezone = 'UTC';
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

-- One run of a job, to its end: what became of every task of it.
CREATE PROCEDURE pg_temp.run(job text) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('test.run', sched.run_job(job)::text, false);
	COMMIT;
	ASSERT sched._settle();
END $$;
CREATE VIEW pg_temp.run AS
SELECT replace(t.job_name, 'dep ', '') AS job, t.status, t.attempt,
	regexp_replace(t.reason, 'task \d+', 'task N') AS reason
FROM sched.tasks t WHERE t.run_id = current_setting('test.run')::bigint ORDER BY t.task_id;
-- Jobs of these tests, each with an own way to end.
CREATE FUNCTION pg_temp.job(name text, command text, variadic depends_on text[]) RETURNS bigint LANGUAGE sql AS $$
	SELECT sched.create_job('dep ' || name, command, max_attempts => 1, depends_on => ARRAY(SELECT 'dep ' || d FROM unnest(depends_on) d))
$$;

--
-- Edges
--
SELECT pg_temp.job('a', 'SELECT 1', VARIADIC '{}') > 0 AS a, pg_temp.job('b', 'SELECT 1', 'a') > 0 AS b, pg_temp.job('c', 'SELECT 1', 'a', 'a') > 0 AS c,
	pg_temp.job('d', 'SELECT 1', 'b', 'c') > 0 AS d;
SELECT job, depends_on, type, match, "offset", condition, delay FROM sched.dependencies WHERE job LIKE 'dep %' ORDER BY 1, 2;
-- the same once more is no other edge; another between the same two is refused
SELECT sched.add_dependency('dep b', 'dep a') = dependency_id AS same FROM sched.dependencies WHERE job = 'dep b';
SELECT pg_temp.error_of($$SELECT sched.add_dependency('dep b', 'dep a', 'failure')$$);
SELECT pg_temp.error_of($$SELECT sched.add_dependency('dep b', 'no such job')$$);
SELECT pg_temp.error_of($$SELECT sched.add_dependency('dep d', 'dep a', 'sucess')$$);
SELECT pg_temp.error_of($$SELECT sched.add_dependency('dep d', 'dep a', match => 'sometime')$$);
SELECT pg_temp.error_of($$SELECT sched.add_dependency('dep d', 'dep a', match => 'window')$$);
SELECT pg_temp.error_of($$SELECT sched.add_dependency('dep d', 'dep a', match => 'latest', "offset" => '1 hour')$$);
SELECT pg_temp.error_of($$SELECT sched.add_dependency('dep d', 'dep a', match => 'offset', "offset" => '-1 hour')$$);
SELECT pg_temp.error_of($$SELECT sched.add_dependency('dep d', 'dep a', delay => '-1 hour')$$);
SELECT pg_temp.error_of($$SELECT sched.add_dependency('dep d', 'dep a', 'conditional')$$);
SELECT pg_temp.error_of($$SELECT sched.add_dependency('dep d', 'dep a', condition => 'true')$$);

-- circles are refused, and named
SELECT pg_temp.error_of($$SELECT sched.add_dependency('dep a', 'dep d')$$);
SELECT pg_temp.error_of($$SELECT sched.add_dependency('dep a', 'dep a')$$);
SELECT pg_temp.error_of($$SELECT sched.update_job('dep a', '{"depends_on": ["dep b"]}')$$);
-- a mutex waits for nothing to end, so two may exclude each other
SELECT sched.add_dependency('dep a', 'dep d', 'mutex') > 0 AS added, sched.remove_dependency('dep a', 'dep d') AS removed, sched.remove_dependency('dep a', 'dep d') AS again;

-- by job_id, and by update_job
SELECT sched.add_dependency(job_id, 'dep a', 'completion') > 0 AS added FROM sched.jobs WHERE name = 'dep d';
SELECT sched.remove_dependency(job_id, 'dep a') FROM sched.jobs WHERE name = 'dep d';
SELECT sched.update_job('dep d', '{"depends_on": ["dep a", "dep c"]}') > 0 AS updated;
SELECT depends_on FROM sched.dependencies WHERE job = 'dep d' ORDER BY 1;
SELECT sched.update_job('dep d', '{"depends_on": null}') > 0 AS updated;
SELECT count(*) FROM sched.dependencies WHERE job = 'dep d';
SELECT sched.update_job('dep d', '{"depends_on": ["dep b", "dep c"]}') > 0 AS updated;

-- nobody is deleted on whom others depend
SELECT pg_temp.error_of($$SELECT sched.delete_job('dep a')$$);

--
-- Runs
--
CALL pg_temp.run('dep a');
TABLE pg_temp.run;
-- from the middle: what lies upstream has no say
CALL pg_temp.run('dep b');
SELECT job, status FROM pg_temp.run WHERE job <> 'd';
-- a task that nobody can help any more is cancelled like any other
SELECT sched.cancel_task(task_id, 'enough') FROM sched.tasks WHERE run_id = current_setting('test.run')::bigint AND status = 'waiting';

-- A fails for good: all that follows is upstream_failed, without an attempt
SELECT sched.update_job('dep a', '{"command": "SELECT 1/0"}') > 0 AS updated;
CALL pg_temp.run('dep a');
TABLE pg_temp.run;
SELECT count(DISTINCT t.finished_at) AS moments FROM sched.tasks t WHERE run_id = current_setting('test.run')::bigint AND status = 'upstream_failed';

SELECT sched.delete_job(name) FROM (VALUES ('dep d'), ('dep c'), ('dep b'), ('dep a')) v (name);
