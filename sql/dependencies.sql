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
	/* whoever runs the test */
	IF detail <> '' THEN RETURN NEXT '  ' || regexp_replace(detail, 'owner "[^"]*"', 'owner "tester"'); END IF;
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
SELECT t.task_id, replace(t.job_name, 'dep ', '') AS job, t.status, t.attempt,
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
SELECT job, status, attempt, reason FROM pg_temp.run ORDER BY task_id;
-- from the middle: what lies upstream has no say
CALL pg_temp.run('dep b');
SELECT job, status FROM pg_temp.run WHERE job <> 'd';
-- a task that nobody can help any more is cancelled like any other
SELECT sched.cancel_task(task_id, 'enough') FROM sched.tasks WHERE run_id = current_setting('test.run')::bigint AND status = 'waiting';

-- A fails for good: all that follows is upstream_failed, without an attempt
SELECT sched.update_job('dep a', '{"command": "SELECT 1/0"}') > 0 AS updated;
CALL pg_temp.run('dep a');
SELECT job, status, attempt, reason FROM pg_temp.run ORDER BY task_id;
SELECT count(DISTINCT t.finished_at) AS moments FROM sched.tasks t WHERE run_id = current_setting('test.run')::bigint AND status = 'upstream_failed';


-- a failed task and what followed, once more, in the same run
SELECT sched.update_job('dep a', '{"command": "SELECT 7 AS n"}') > 0 AS updated;
SELECT sched.update_job('dep d', $${"command": "SELECT u.key, u.value ->> 'status' AS status, (SELECT job_name FROM sched.tasks WHERE task_id = (u.value ->> 'task_id')::bigint) AS task FROM jsonb_each(sched.current_task() -> 'upstream') AS u ORDER BY 1"}$$) > 0 AS updated;
SELECT sched.rerun_task(current_setting('test.run')::bigint, true) > 0 AS again;
SELECT sched._settle();
SELECT r.job, r.status, t.rerun_of IS NOT NULL AS again FROM pg_temp.run r JOIN sched.tasks t ON t.task_id = r.task_id ORDER BY r.task_id;
SELECT jsonb_path_query_array(result, '$.rows[*]') AS upstream FROM sched.tasks t WHERE run_id = current_setting('test.run')::bigint AND job_name = 'dep d' AND status = 'completed';
SELECT status, tasks, task_count, critical_path LIKE 'dep a -> dep _ -> dep d' AS path FROM sched.runs WHERE run_id = current_setting('test.run')::bigint;
-- from the middle: those that are not done again count as they are
SELECT sched.rerun_task(max(task_id), true) > 0 AS again FROM sched.tasks WHERE run_id = current_setting('test.run')::bigint AND job_name = 'dep b';
SELECT sched._settle();
SELECT replace(job_name, 'dep ', '') AS job, count(*), max(status) FILTER (WHERE task_id = (SELECT max(n.task_id) FROM sched.tasks n WHERE n.run_id = t.run_id AND n.job_id = t.job_id)) AS newest
FROM sched.tasks t WHERE run_id = current_setting('test.run')::bigint GROUP BY job_name ORDER BY 1;
SELECT pg_temp.error_of(format('SELECT sched.rerun_task(%s, true)', sched.schedule_task('dep a', '2100-01-01')));

-- a run that is ordered for later: all of it waits for its time
SELECT replace(job_name, 'dep ', '') AS job, status FROM sched.tasks WHERE scheduled_at = '2100-01-01' ORDER BY task_id;
SELECT count(sched.cancel_task(task_id)) FROM sched.tasks WHERE scheduled_at = '2100-01-01' AND job_name = 'dep a';
SELECT sched._settle();
-- those that follow learn of it when their time comes
SELECT count(sched.cancel_task(task_id)) FROM sched.tasks WHERE scheduled_at = '2100-01-01' AND finished_at IS NULL;

-- a paused job in the middle holds the run, a disabled one is no part of it
SELECT sched.pause_job('dep b'), sched.disable_job('dep c');
CALL pg_temp.run('dep a');
SELECT job, status FROM pg_temp.run ORDER BY task_id;
SELECT sched.resume_job('dep b');
SELECT sched._settle();
SELECT job, status, reason FROM pg_temp.run ORDER BY task_id;
SELECT sched.activate_job('dep c');

SELECT sched.delete_job(name) FROM (VALUES ('dep d'), ('dep c'), ('dep b'), ('dep a')) v (name);

--
-- What each type of edge makes of each way to end
--
SELECT t.type, string_agg(coalesce(sched._edge_letter(t.type, s.status, s.started), '?'), ' ' ORDER BY s.n) AS "c f t x k u m | running retry ready"
FROM unnest('{success,completion,failure,start,conditional,soft,mutex}'::text[]) WITH ORDINALITY AS t (type, n),
	(VALUES (1, 'completed', true), (2, 'failed', true), (3, 'timeout', true), (4, 'cancelled', false), (5, 'skipped', false), (6, 'upstream_failed', false),
			(7, 'missed', false), (8, 'running', true), (9, 'waiting_retry', true), (10, 'ready', false)) AS s (n, status, started)
GROUP BY t.type, t.n ORDER BY t.n;
SELECT r.rule, string_agg(sched._join_decision(r.rule, l.letters), ' ' ORDER BY l.n) AS "S F U K P | SF SK SP FP KP UP SSS"
FROM unnest('{all_success,all_done,all_failed,one_success,one_failed,one_done,none_failed,none_failed_min_one_success,all_done_min_one_success,none_skipped,all_skipped,always}'::text[]) WITH ORDINALITY AS r (rule, n),
	unnest('{S,F,U,K,P,SF,SK,SP,FP,KP,UP,SSS}'::text[]) WITH ORDINALITY AS l (letters, n)
GROUP BY r.rule, r.n ORDER BY r.n;

--
-- Types of edges, in runs
--
SELECT pg_temp.job('a', 'SELECT 42 AS n', VARIADIC '{}') > 0 AS a;
SELECT pg_temp.job('e ' || type, 'SELECT 1', VARIADIC '{}') > 0 AS made FROM unnest('{success,completion,failure,start,soft,condition,error}'::text[]) AS type;
SELECT count(sched.add_dependency('dep e ' || type, 'dep a', type)) FROM unnest('{success,completion,failure,start,soft}'::text[]) AS type;
SELECT count(sched.add_dependency('dep e ' || name, 'dep a', 'conditional', condition => condition))
FROM (VALUES ('condition', $$status = 'completed' AND (result #>> '{rows,0,n}')::int = 42 AND parameters = '{}'$$), ('error', '1 / (result ->> ''row_count'')::int = 2 / 0')) v (name, condition);
SELECT pg_temp.error_of($$SELECT sched.add_dependency('dep e success', 'dep e failure', 'conditional', condition => 'result ->>')$$);
SELECT pg_temp.error_of($$SELECT sched.add_dependency('dep e success', 'dep e failure', 'conditional', condition => 'true), (false')$$);
SELECT pg_temp.error_of($$SELECT sched.add_dependency('dep e success', 'dep e failure', 'conditional', condition => 'true); DROP TABLE x; SELECT (1')$$);
CALL pg_temp.run('dep a');
SELECT job, status, reason FROM pg_temp.run ORDER BY job;
-- a condition may only read
SELECT sched.remove_dependency('dep e condition', 'dep a'), sched.add_dependency('dep e condition', 'dep a', 'conditional', condition => $$nextval('sched._log_id_seq') > 0$$) > 0 AS added;
SELECT sched.update_job('dep a', '{"command": "SELECT 1/0"}') > 0 AS updated;
CALL pg_temp.run('dep a');
SELECT job, status, reason FROM pg_temp.run ORDER BY job;
SELECT sched.delete_job('dep e condition');
-- cancelled: the failure handler is skipped
SELECT sched.pause_job('dep a');
CALL pg_temp.run('dep a');
SELECT sched.cancel_task(current_setting('test.run')::bigint);
SELECT sched._settle();
SELECT job, status, reason FROM pg_temp.run WHERE job IN ('a', 'e success', 'e completion', 'e failure', 'e start') ORDER BY job;
SELECT sched.delete_job(name) FROM sched.jobs WHERE name LIKE 'dep e %' ORDER BY name;
SELECT sched.delete_job('dep a');

--
-- Rights: to make one's job wait for another's one has to see that
--
CREATE ROLE regress_dep_user LOGIN;
SELECT sched.create_roles();
GRANT sched_user TO regress_dep_user;
SELECT pg_temp.job('theirs', 'SELECT 1', VARIADIC '{}') > 0 AS made;
SET ROLE regress_dep_user;
SELECT sched.create_job('dep mine', 'SELECT 1') > 0 AS made;
SELECT pg_temp.error_of($$SELECT sched.add_dependency('dep mine', 'dep theirs')$$);
SELECT pg_temp.error_of($$SELECT sched.add_dependency('dep theirs', 'dep mine')$$);
SELECT pg_temp.error_of($$SELECT sched.create_job('dep mine too', 'SELECT 1', depends_on => '{dep theirs}')$$);
SELECT pg_temp.error_of($$SELECT sched._run_info(1)$$);
RESET ROLE;
GRANT sched_viewer TO regress_dep_user;
SET ROLE regress_dep_user;
SELECT sched.add_dependency('dep mine', 'dep theirs', 'conditional', condition => $$current_user = 'regress_dep_user' AND session_user = 'regress_dep_user'$$) > 0 AS added;
RESET ROLE;
CALL pg_temp.run('dep theirs');
SELECT job, status, attempt, reason FROM pg_temp.run ORDER BY task_id;
SELECT sched.delete_job(name) FROM (VALUES ('dep mine'), ('dep theirs')) v (name);
DROP OWNED BY regress_dep_user, sched_admin, sched_operator, sched_user, sched_viewer, sched_executor;
DROP ROLE regress_dep_user, sched_admin, sched_operator, sched_user, sched_viewer, sched_executor;
