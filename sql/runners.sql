--
-- External executors: registering, claiming, ending; every wrong call is
-- refused and changes nothing.
--
\set VERBOSITY default
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS sched;
SELECT sched._settle('30 s');
SELECT sched._clock_set('2030-01-01 12:00:00+00');

CREATE FUNCTION tasks() RETURNS TABLE (n bigint, status text, attempt int, executor text, error text, reason text)
LANGUAGE sql AS $$
	SELECT row_number() OVER (ORDER BY t.task_id), t.status, t.attempt, t.executor, t.error, t.reason
	FROM sched.tasks t WHERE t.job_name = 'parcels' ORDER BY t.task_id $$;
-- the ids differ from run to run: the n-th task of the job
CREATE FUNCTION id(p_n int) RETURNS bigint LANGUAGE sql AS $$
	SELECT t.task_id FROM sched.tasks t WHERE t.job_name = 'parcels' ORDER BY t.task_id OFFSET p_n - 1 LIMIT 1 $$;
-- what an error says, without ids
CREATE FUNCTION fails(p_query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	v_detail text;
BEGIN
	EXECUTE p_query;
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS v_detail = PG_EXCEPTION_DETAIL;
	RETURN SQLSTATE || ' ' || regexp_replace(SQLERRM, 'task [0-9]+', 'task N') || coalesce(' / ' || regexp_replace(nullif(v_detail, ''), 'owner "[^"]*"', 'owner "tester"'), '');
END $$;

--
-- Registering
--
SELECT executor_id >= 10 AS id, token ~ '^[0-9a-f]{64}$' AS token, heartbeat_interval
FROM sched.register_executor('east', '{shell}', '{gpu,north}', 3, '{"version": "1.0"}');
SELECT name, status, types, tags, max_concurrent, running, last_heartbeat_at, registered_at, info FROM sched.executors ORDER BY executor_id < 10, name;
SELECT fails($$SELECT sched.register_executor('')$$);
SELECT fails($$SELECT sched.register_executor(NULL)$$);
SELECT fails($$SELECT sched.register_executor('sql')$$);
SELECT fails($$SELECT sched.register_executor('x', '{sql}')$$);
SELECT fails($$SELECT sched.register_executor('x', max_concurrent => 0)$$);
SELECT fails($$SELECT sched.register_executor('x', info => '3')$$);
SELECT fails($$SELECT sched.register_executor('x', types => '{a,NULL}')$$);
SELECT fails($$SELECT sched.register_executor(repeat('x', 128))$$);
-- only the digest of a token is kept
SELECT count(*) FROM sched._executor e, sched.register_executor('west', active => false) r
WHERE e::text LIKE '%' || r.token || '%';
SELECT name, status FROM sched.executors WHERE name = 'west';
SELECT fails($$SELECT sched.claim_tasks('west')$$);
SELECT sched.heartbeat('west');
SELECT status FROM sched.executors WHERE name = 'west';
SELECT sched.activate_executor('west'), sched.activate_executor('west');
SELECT status FROM sched.executors WHERE name = 'west';
SELECT fails($$SELECT sched.heartbeat('nobody')$$);
SELECT fails($$SELECT sched.claim_tasks('nobody')$$);
SELECT fails($$SELECT sched.activate_executor('nobody')$$);
SELECT fails($$SELECT sched.deactivate_executor('sql')$$);
-- in one transaction
BEGIN;
SELECT executor_id >= 10 AS id FROM sched.register_executor('brief');
SELECT name, status FROM sched.executors WHERE name = 'brief';
SELECT sched.heartbeat('brief');
ROLLBACK;
SELECT fails($$SELECT sched.heartbeat('brief')$$);

--
-- One task from claim to end
--
SELECT sched.create_job('parcels', 'send', type => 'shell', parameters => '{"a": 1, "b": 1}', timeout => '10 min') > 0 AS made;
SELECT sched.schedule_task('parcels', parameters => '{"b": 2}') > 0 AS ordered;
SELECT attempt, job_name, type, command, parameters, scheduled_at, deadline, run_id = task_id AS own_run
FROM sched.claim_tasks('east');
SELECT * FROM tasks();
SELECT name, running FROM sched.executors WHERE name = 'east';
SELECT (sched.task_executor(id(1))).name;
SELECT fails(format('SELECT sched.complete_task(%s, 1)', id(1)));
SELECT fails(format('SELECT sched.start_task(%s, 2)', id(1)));
SELECT sched.start_task(id(1), 1);
SELECT fails(format('SELECT sched.start_task(%s, 1)', id(1)));
SELECT sched.log_task(id(1), 1, 'info', 'half way');
SELECT sched.report_progress(id(1), 1, 50);
SELECT status, attempt, executor, started_at, progress FROM sched.get_task(id(1));
SELECT fails(format('SELECT sched.complete_task(%s, 2)', id(1)));
SELECT fails(format('SELECT sched.fail_task(%s, 0, NULL)', id(1)));
SELECT sched.complete_task(id(1), 1, '{"sent": true}');
SELECT fails(format('SELECT sched.complete_task(%s, 1)', id(1)));
SELECT fails(format('SELECT sched.fail_task(%s, 1, NULL)', id(1)));
SELECT status, attempt, executor, result, finished_at FROM sched.get_task(id(1));
SELECT attempt, executor, started_at, finished_at, outcome FROM sched.task_attempts(id(1));
SELECT level, message FROM sched.task_logs(id(1));
SELECT fails('SELECT sched.complete_task(-5, 1)');
SELECT fails('SELECT sched.complete_task(NULL, 1)');
SELECT fails($$SELECT sched.claim_tasks('east', 0)$$);
SELECT fails($$SELECT sched.claim_tasks('east', 1, '-1 s')$$);

--
-- Failures: another attempt, or none
--
SELECT sched.schedule_task('parcels') > 0 AS ordered;
SELECT attempt, parameters FROM sched.claim_tasks('east', start => true);
SELECT sched.fail_task(id(2), 1, 'no stamps');
SELECT * FROM tasks() WHERE n = 2;
SELECT sched._clock_set('2030-01-01 12:01:00+00'), sched._settle('30 s');
SELECT attempt FROM sched.claim_tasks('east', start => true);
SELECT fails(format('SELECT sched.complete_task(%s, 1)', id(2)));
SELECT sched.fail_task(id(2), 2, 'no such street', retryable => false);
SELECT * FROM tasks() WHERE n = 2;

--
-- Batches: a row for each, and one bad one does not spoil the rest
--
SELECT count(*) FROM sched.schedule_tasks('parcels', array_fill('{}'::jsonb, ARRAY[5]));
SELECT count(*) FROM sched.claim_tasks('east', 10);
SELECT * FROM tasks() WHERE n > 2;
SELECT accepted, regexp_replace(message, 'task [0-9]+', 'task N') AS message
FROM sched.start_tasks(ARRAY[id(3), id(4), id(4), id(6)], ARRAY[1, 1, 1, 1]);
SELECT accepted, regexp_replace(message, 'task [0-9]+', 'task N') AS message
FROM sched.complete_tasks(ARRAY[id(3), id(3), id(4), id(5), id(6), -1], ARRAY[1, 1, 2, 1, 1, 1], ARRAY['{"r": 3}', NULL, NULL, NULL, NULL, NULL]::jsonb[]);
SELECT accepted, message FROM sched.fail_tasks(ARRAY[id(4)], ARRAY[1], ARRAY['lost'], false);
SELECT * FROM tasks() WHERE n > 2;
SELECT fails('SELECT sched.complete_tasks(ARRAY[1, 2], ARRAY[1])');
SELECT fails('SELECT sched.complete_tasks(ARRAY[1, NULL], ARRAY[1, 1])');
SELECT fails('SELECT sched.complete_tasks(NULL, NULL)');
SELECT count(*) FROM sched.complete_tasks('{}', '{}');
-- complete one batch, claim the next
SELECT sched.start_task(id(5), 1);
SELECT count(*) FROM sched.complete_and_claim('east', ARRAY[id(5)], ARRAY[1], max_tasks => 5);
SELECT * FROM tasks() WHERE n > 4;
SELECT count(*) FROM sched.complete_and_claim('east', ARRAY[id(6), id(7)], ARRAY[1, 1]);
SELECT DISTINCT status FROM tasks() WHERE n > 4;

--
-- Nothing remains of what is rolled back
--
SELECT count(*) FROM sched.schedule_tasks('parcels', array_fill('{}'::jsonb, ARRAY[2]));
BEGIN;
SELECT count(*) FROM sched.claim_tasks('east', 2);
ROLLBACK;
SELECT * FROM tasks() WHERE n > 7;
BEGIN;
SELECT count(*) FROM sched.claim_tasks('east');
SAVEPOINT s;
SELECT sched.start_task(id(8), 1);
SELECT count(*) FROM sched.claim_tasks('east');
ROLLBACK TO s;
SELECT * FROM tasks() WHERE n > 7;
SELECT sched.start_task(id(8), 1);
SAVEPOINT s;
SELECT sched.complete_task(id(8), 1);
SELECT fails(format('SELECT sched.complete_task(%s, 1)', id(8)));
ROLLBACK TO s;
SELECT sched.fail_task(id(8), 1, 'once', false);
COMMIT;
SELECT * FROM tasks() WHERE n > 7;
BEGIN;
SELECT count(*) FROM sched.claim_tasks('east', start => true);
SELECT sched.complete_task(id(9), 1);
COMMIT;
SELECT * FROM tasks() WHERE n > 8;

--
-- Cancelling: asked first, forced after a grace
--
SELECT count(*) FROM sched.schedule_tasks('parcels', array_fill('{}'::jsonb, ARRAY[3]));
SELECT count(*) FROM sched.claim_tasks('east', 3);
SELECT count(*) FROM sched.start_tasks(ARRAY[id(10), id(11)], ARRAY[1, 1]) WHERE accepted;
SELECT sched.cancel_task(id(10), 'not wanted'), sched.cancel_task(id(11)), sched.cancel_task(id(12), 'not begun');
SELECT sched.cancel_task(id(10)) AS again;
SELECT jsonb_array_length(b -> 'cancel') AS cancel, b -> 'lost' = to_jsonb(ARRAY[id(12)]) AS lost FROM sched.heartbeat('east') b;
SELECT * FROM tasks() WHERE n > 9;
SELECT sched.fail_task(id(10), 1, 'stopped');
SELECT fails(format('SELECT sched.start_task(%s, 1)', id(12)));
SELECT sched._clock_set('2030-01-01 12:01:11+00'), sched._settle('30 s');
SELECT fails(format('SELECT sched.complete_task(%s, 1)', id(11)));
SELECT * FROM tasks() WHERE n > 9;
SELECT jsonb_array_length(b -> 'cancel') AS cancel, b -> 'lost' = to_jsonb(ARRAY[id(11)]) AS lost FROM sched.heartbeat('east') b;

--
-- Times: not started in time, too slow, too silent
--
SELECT count(*) FROM sched.schedule_tasks('parcels', array_fill('{}'::jsonb, ARRAY[2]));
SELECT count(*) FROM sched.claim_tasks('east', 2);
SELECT sched.start_task(id(13), 1);
SELECT sched.heartbeat('east');
SELECT sched._clock_set('2030-01-01 12:03:00+00'), sched._settle('30 s');
SELECT sched.heartbeat('east');
SELECT sched._clock_set('2030-01-01 12:04:50+00'), sched._settle('30 s');
SELECT sched.heartbeat('east');
SELECT sched._clock_set('2030-01-01 12:06:10+00'), sched._settle('30 s');
SELECT sched.heartbeat('east');
SELECT * FROM tasks() WHERE n > 12;
SELECT sched._clock_set('2030-01-01 12:06:11+00'), sched._settle('30 s');
SELECT * FROM tasks() WHERE n > 12;
SELECT attempt, executor, outcome FROM sched.task_attempts(id(14));
SELECT fails(format('SELECT sched.start_task(%s, 1)', id(14)));
SELECT attempt FROM sched.claim_tasks('east');
SELECT sched._clock_set('2030-01-01 12:08:11+00'), sched._settle('30 s');
SELECT name, status FROM sched.executors WHERE name IN ('east', 'west') ORDER BY 1;
SELECT sched.heartbeat('east') ->> 'drain' AS drain;
SELECT sched._clock_set('2030-01-01 12:10:11+00'), sched._settle('30 s');
SELECT name, status FROM sched.executors WHERE name IN ('east', 'west') ORDER BY 1;
SELECT sched._clock_set('2030-01-01 12:10:12+00'), sched._settle('30 s');
SELECT name, status FROM sched.executors WHERE name IN ('east', 'west') ORDER BY 1;
SELECT * FROM tasks() WHERE n > 12;
SELECT fails(format('SELECT sched.complete_task(%s, 1)', id(13)));
SELECT fails(format('SELECT sched.start_task(%s, 2)', id(14)));
SELECT b ->> 'drain' AS drain, jsonb_array_length(b -> 'lost') AS lost FROM sched.heartbeat('east') b;
SELECT status FROM sched.executors WHERE name = 'east';
SELECT n, t.attempt, t.executor, t.outcome FROM generate_series(13, 14) n, sched.task_attempts(id(n)) t ORDER BY 1, 2;
-- the lost attempt does not count
SELECT count(*) FROM sched.claim_tasks('east', 2, start => true);
SELECT count(*) FROM sched.fail_tasks(ARRAY[id(13), id(14)], ARRAY[2, 3], ARRAY['x', 'y']) WHERE accepted;
SELECT * FROM tasks() WHERE n > 12;
SELECT sched.cancel_task(id(13)), sched.cancel_task(id(14));

--
-- Detection on demand
--
SELECT sched.heartbeat('west') IS NOT NULL, sched.heartbeat('east') IS NOT NULL;
SELECT sched.schedule_task('parcels') > 0 AS ordered;
SELECT count(*) FROM sched.claim_tasks('west', start => true);
SELECT sched._clock_set('2030-01-01 12:11:12+00');
SELECT sched.heartbeat('east') IS NOT NULL;
SELECT sched.detect_failed_executors('60 s'), sched.detect_failed_executors('59 s'), sched.detect_failed_executors('59 s');
SELECT * FROM tasks() WHERE n > 14;
SELECT fails($$SELECT sched.detect_failed_executors('-1 s')$$);
SELECT sched._settle('30 s');
SELECT attempt FROM sched.claim_tasks('east', start => true);
SELECT sched.complete_task(id(15), 2);
SELECT attempt, executor, outcome FROM sched.task_attempts(id(15));

--
-- Draining, switching off, deregistering
--
SELECT count(*) FROM sched.schedule_tasks('parcels', array_fill('{}'::jsonb, ARRAY[3]));
SELECT count(*) FROM sched.claim_tasks('east', 2, start => true);
SELECT sched.deactivate_executor('east', 'upgrade'), sched.deactivate_executor('east', 'upgrade');
SELECT status, status_reason FROM sched.executors WHERE name = 'east';
SELECT count(*) FROM sched.claim_tasks('east');
SELECT sched.heartbeat('east') ->> 'drain' AS drain;
SELECT sched.complete_task(id(16), 1);
SELECT status, running FROM sched.executors WHERE name = 'east';
SELECT sched.complete_task(id(17), 1);
SELECT sched.heartbeat('east') ->> 'drain' AS drain;
SELECT status, running FROM sched.executors WHERE name = 'east';
SELECT fails($$SELECT sched.claim_tasks('east')$$);
SELECT sched.activate_executor('east');
SELECT count(*) FROM sched.claim_tasks('east');
SELECT sched.deactivate_executor('east', drain => false);
SELECT sched._settle('30 s');
SELECT status FROM sched.executors WHERE name = 'east';
SELECT sched.heartbeat('east') ->> 'drain' AS drain;
SELECT status FROM sched.executors WHERE name = 'east';
SELECT * FROM tasks() WHERE n > 15;
SELECT sched.activate_executor('east'), sched.activate_executor('west');
SELECT attempt FROM sched.claim_tasks('east', start => true);
-- a node that was restarted registers again: what it had goes to others
SELECT executor_id >= 10 AS id FROM sched.register_executor('east', '{shell}');
SELECT * FROM tasks() WHERE n > 17;
SELECT fails(format('SELECT sched.complete_task(%s, 2)', id(18)));
SELECT sched._settle('30 s');
SELECT attempt FROM sched.claim_tasks('west', start => true);
SELECT sched.deregister_executor('west');
SELECT sched._settle('30 s');
SELECT * FROM tasks() WHERE n > 17;
SELECT fails($$SELECT sched.heartbeat('west')$$);
SELECT attempt, executor, outcome FROM sched.task_attempts(id(18));

--
-- Given by hand
--
SELECT sched.retry_task(id(18));
SELECT attempt FROM sched.claim_tasks('east', start => true);
SELECT fails(format('SELECT sched.assign_task(%s, ''east'')', id(18)));
SELECT sched.why(id(18));
SELECT sched.complete_task(id(18), 4);
SELECT sched.schedule_task('parcels') > 0 AS ordered;
SELECT sched.assign_task(id(19), 'east');
SELECT * FROM tasks() WHERE n > 18;
SELECT attempt FROM sched.claim_tasks('east');
SELECT count(*) FROM sched.claim_tasks('east');
SELECT sched.start_task(id(19), 1), sched.complete_task(id(19), 1);
SELECT fails($$SELECT sched.assign_task(-1, 'east')$$);
SELECT fails(format('SELECT sched.assign_task(%s, ''nobody'')', id(19)));

--
-- Who may: the role that registered it, or the bearer of its token
--
CREATE ROLE regress_node LOGIN;
CREATE ROLE regress_other LOGIN;
SELECT sched.create_roles();
GRANT sched_executor TO regress_node, regress_other;
SET SESSION AUTHORIZATION regress_node;
SELECT token AS token1 FROM sched.register_executor('n1', '{shell}', max_concurrent => 5) \gset
SELECT token AS token2 FROM sched.register_executor('n2', '{shell}', max_concurrent => 5) \gset
RESET SESSION AUTHORIZATION;
SELECT count(*) FROM sched.schedule_tasks('parcels', array_fill('{}'::jsonb, ARRAY[2]));
SET SESSION AUTHORIZATION regress_node;
SELECT task_id AS t20 FROM sched.claim_tasks('n1', start => true) \gset
SET SESSION AUTHORIZATION regress_other;
SELECT fails($$SELECT sched.heartbeat('n1')$$);
SELECT fails($$SELECT sched.claim_tasks('n1')$$);
SELECT fails($$SELECT sched.register_executor('n1')$$);
SELECT fails($$SELECT sched.deactivate_executor('n1')$$);
SELECT fails($$SELECT sched.rotate_executor_token('n1')$$);
SELECT fails(format('SELECT sched.complete_task(%s, 1)', :t20));
SET sched.executor_token = :'token2';
SELECT fails($$SELECT sched.heartbeat('n1')$$);
SELECT fails(format('SELECT sched.complete_task(%s, 1)', :t20));
SELECT fails(format('SELECT sched.log_task(%s, 1, ''info'', ''x'')', :t20));
SET sched.executor_token = :'token1';
SELECT sched.heartbeat('n1') ->> 'drain' AS drain;
SELECT sched.log_task(:t20, 1, 'info', 'x');
-- by HTTP
RESET sched.executor_token;
SELECT set_config('request.headers', json_build_object('x-executor-auth-token', :'token1')::text, false) <> '' AS set;
SELECT sched.complete_task(:t20, 1);
SELECT set_config('request.headers', json_build_object('x-executor-auth-token', :'token1' || 'x')::text, false) <> '' AS set;
SELECT fails($$SELECT sched.heartbeat('n1')$$);
RESET request.headers;
-- a token binds also the role that registered both
SET SESSION AUTHORIZATION regress_node;
SELECT task_id AS t21 FROM sched.claim_tasks('n1', start => true) \gset
SET sched.executor_token = :'token2';
SELECT fails(format('SELECT sched.complete_task(%s, 1)', :t21));
RESET sched.executor_token;
SELECT sched.rotate_executor_token('n1') AS token3 \gset
SET sched.executor_token = :'token1';
SELECT fails(format('SELECT sched.complete_task(%s, 1)', :t21));
SET sched.executor_token = :'token3';
SELECT sched.complete_task(:t21, 1);
RESET sched.executor_token;
RESET SESSION AUTHORIZATION;
SELECT name, owner FROM sched.executors WHERE name ~ '^n' ORDER BY 1;

--
-- Locks are leases, too
--
SELECT sched.acquire_lock('reports', 'node-1', '1 minute'), sched.acquire_lock('reports', 'node-2', '1 minute');
SELECT name, owner, acquired_at, expires_at FROM sched.locks;
SELECT sched.release_lock('reports', 'node-2'), sched.release_lock('reports', 'node-1'), sched.release_lock('reports', 'node-1');
SELECT sched.acquire_lock('reports', 'node-2', '1 minute');
SELECT sched._clock_set('2030-01-01 12:12:12+00');
SELECT count(*) FROM sched.locks;
SELECT sched.acquire_lock('reports', 'node-1', '1 hour');
SET SESSION AUTHORIZATION regress_node;
SELECT sched.release_lock('reports', 'node-1'), sched.acquire_lock('reports', 'node-1', '1 minute');
RESET SESSION AUTHORIZATION;
SELECT fails($$SELECT sched.acquire_lock('reports', 'node-1', '0 s')$$);
SELECT fails($$SELECT sched.acquire_lock('reports', 'node-1', '178000000 years')$$);
SELECT fails($$SELECT * FROM sched.claim_tasks('nobody', 1, '-178000000 years')$$);
SELECT fails($$SELECT * FROM sched.register_executor('square', '{{a,b},{c,d}}')$$);
SELECT fails($$SELECT sched.acquire_lock('', 'node-1', '1 s')$$);

SELECT executors, online, capacity, running_tasks FROM sched.cluster_status;

SELECT sched.deregister_executor(name) FROM sched.executors WHERE executor_id >= 10;
SELECT sched.delete_job('parcels');
SELECT sched._clock_reset();
DROP FUNCTION tasks(), id(int), fails(text);
DROP ROLE regress_node, regress_other;
DROP OWNED BY sched_admin, sched_operator, sched_user, sched_viewer, sched_executor;
DROP ROLE sched_admin, sched_operator, sched_user, sched_viewer, sched_executor;
-- other tests count on small ids
DELETE FROM sched._executor;
ALTER SEQUENCE sched._executor_executor_id_seq RESTART;
