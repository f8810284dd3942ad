-- Which executor has a job's tasks: tags, routes, and what becomes of tasks
-- whose executor goes.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS sched;
RESET client_min_messages;

-- Claims up to n tasks and says which of the job's tasks they are, numbered from 1.
CREATE FUNCTION pg_temp.claim(executor text, n int DEFAULT 100, wait interval DEFAULT '0') RETURNS text LANGUAGE sql AS $$
	SELECT coalesce(string_agg(format('%s %s', c.job_name,
			(SELECT count(*) FROM sched.tasks t WHERE t.job_id = c.job_id AND t.task_id <= c.task_id)), ', ' ORDER BY c.task_id), '-')
	FROM sched.claim_tasks(executor, n, wait) AS c $$;
CREATE FUNCTION pg_temp.order_tasks(job text, n int) RETURNS int LANGUAGE sql AS $$
	SELECT count(*)::int FROM sched.schedule_tasks(job, array_fill(NULL::jsonb, ARRAY[n])) $$;
CREATE FUNCTION pg_temp.until(condition text, expected text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	v_got	text;
BEGIN
	FOR i IN 1..4000 LOOP
		EXECUTE condition INTO v_got;
		EXIT WHEN v_got = expected;
		PERFORM pg_sleep(0.005);
	END LOOP;
	RETURN v_got;
END $$;
-- Ends what an executor has.
CREATE FUNCTION pg_temp.finish(executor text) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
	v_task	record;
	v_count	int := 0;
BEGIN
	FOR v_task IN SELECT t.task_id, t.attempt, t.status FROM sched.tasks t
		WHERE t.executor = finish.executor AND t.finished_at IS NULL ORDER BY t.task_id
	LOOP
		IF v_task.status = 'assigned' THEN
			PERFORM sched.start_task(v_task.task_id, v_task.attempt);
		END IF;
		PERFORM sched.complete_task(v_task.task_id, v_task.attempt);
		v_count := v_count + 1;
	END LOOP;
	RETURN v_count;
END $$;

SELECT pg_temp.until($$SELECT sched.readiness() ->> 'status'$$, 'UP');
SELECT sched.register_task_type('route.x'), sched.register_task_type('route.y');
SELECT count(*) FROM sched.register_executor('route e1', '{route.x}', '{a,b}', 20);
SELECT count(*) FROM sched.register_executor('route e2', '{route.x}', '{a}', 20);
SELECT count(*) FROM sched.register_executor('route e3', '{route.x}', '{}', 20);

--
-- Tags and types
--
SELECT sched.create_job('ab', type => 'route.x', required_tags => '{b,a,b}') > 0 AS created;
SELECT sched.create_job('a', type => 'route.x', required_tags => '{a}') > 0 AS created;
SELECT sched.create_job('gpu', type => 'route.x', required_tags => '{gpu}') > 0 AS created;
SELECT sched.create_job('any', type => 'route.x') > 0 AS created;
SELECT sched.create_job('other', type => 'route.y') > 0 AS created;
SELECT pg_temp.order_tasks('ab', 2), pg_temp.order_tasks('a', 2), pg_temp.order_tasks('gpu', 1), pg_temp.order_tasks('other', 1);
SELECT pg_temp.order_tasks('any', 2);
SELECT pg_temp.claim('route e3', 1) AS "e3 has no tag";
SELECT pg_temp.claim('route e2', 1) AS "e2 has a";
SELECT pg_temp.claim('route e1', 3) AS "e1 has both";
SELECT pg_temp.claim('route e3') AS "the rest of what it may have";
SELECT pg_temp.claim('route e2');
SELECT pg_temp.claim('route e1');
-- why() says what is missing
SELECT task_id AS t FROM sched.tasks WHERE job_name = 'gpu' \gset
SELECT condition, satisfied, detail FROM sched.why(:t) WHERE condition LIKE 'an executor%';
SELECT task_id AS t FROM sched.tasks WHERE job_name = 'other' \gset
SELECT condition, satisfied, detail FROM sched.why(:t) WHERE condition LIKE 'an executor%';
-- an executor with the tag comes
SELECT count(*) FROM sched.register_executor('route gpu', '{route.x}', '{gpu,a,b}', 20);
SELECT pg_temp.claim('route gpu');
-- the job's tags change while its task waits
SELECT pg_temp.order_tasks('gpu', 1);
SELECT pg_temp.claim('route e3');
SELECT sched.update_job('gpu', '{"required_tags": []}') > 0 AS changed;
SELECT pg_temp.claim('route e3', 1, '10 s');
SELECT sched.deregister_executor('route gpu');
SELECT sched.cancel_task(:t);
SELECT pg_temp.finish('route e1'), pg_temp.finish('route e2'), pg_temp.finish('route e3');

--
-- Round robin: 1 2 3 1 2 3 1, whoever asks first and however often
--
SELECT sched.create_job('rr', type => 'route.x', routing => 'round_robin') > 0 AS created;
SELECT pg_temp.order_tasks('rr', 7);
SELECT condition, satisfied, detail FROM sched.why((SELECT max(task_id) FROM sched.tasks)) WHERE condition LIKE '%executor';
SELECT pg_temp.claim('route e3'), pg_temp.claim('route e1'), pg_temp.claim('route e2');
SELECT pg_temp.claim('route e3'), pg_temp.claim('route e1'), pg_temp.claim('route e2');
-- it goes on from there, also when the job had nothing to do in between
SELECT pg_temp.finish('route e1'), pg_temp.finish('route e2'), pg_temp.finish('route e3');
SELECT pg_temp.order_tasks('rr', 2);
SELECT pg_temp.claim('route e1'), pg_temp.claim('route e2'), pg_temp.claim('route e3');
-- who is not there is left out; what it had not taken goes to the others
SELECT pg_temp.order_tasks('rr', 3);
SELECT sched.deactivate_executor('route e1');
SELECT pg_temp.claim('route e1'), pg_temp.claim('route e2'), pg_temp.claim('route e3');
SELECT sched.activate_executor('route e1');

--
-- Least load: fewest tasks for its size, also of those that wait for it
--
SELECT pg_temp.finish('route e1'), pg_temp.finish('route e2'), pg_temp.finish('route e3');
SELECT sched.create_job('ll', type => 'route.x', routing => 'least_load') > 0 AS created;
SELECT pg_temp.order_tasks('any', 4);
SELECT pg_temp.claim('route e2', 3);
SELECT pg_temp.claim('route e3', 1);
SELECT pg_temp.order_tasks('ll', 8);
SELECT executor, count(*) FROM
	(SELECT 'e1' AS executor, * FROM sched.claim_tasks('route e1', 20)
	 UNION ALL SELECT 'e2', * FROM sched.claim_tasks('route e2', 20)
	 UNION ALL SELECT 'e3', * FROM sched.claim_tasks('route e3', 20)) AS c GROUP BY 1 ORDER BY 1;
SELECT pg_temp.finish('route e1'), pg_temp.finish('route e2'), pg_temp.finish('route e3');

--
-- Consistent hash: the same key, the same executor; one that goes takes only its own
--
SELECT sched.create_job('ch', type => 'route.x', routing => 'consistent_hash') > 0 AS created;
CREATE TEMP TABLE first_time AS
	SELECT parameters ->> 'routing_key' AS key, NULL::text AS executor FROM sched.tasks WHERE false;
SELECT count(*) FROM sched.schedule_tasks('ch', ARRAY(SELECT jsonb_build_object('routing_key', 'k' || g) FROM generate_series(1, 45) g));
INSERT INTO first_time
	SELECT parameters ->> 'routing_key', 'e1' FROM sched.claim_tasks('route e1', 20)
	UNION ALL SELECT parameters ->> 'routing_key', 'e2' FROM sched.claim_tasks('route e2', 20)
	UNION ALL SELECT parameters ->> 'routing_key', 'e3' FROM sched.claim_tasks('route e3', 20);
SELECT count(*), count(DISTINCT key), count(DISTINCT executor), min(c) > 5 AS shared FROM
	(SELECT *, count(*) OVER (PARTITION BY executor) AS c FROM first_time) AS f;
SELECT pg_temp.finish('route e1') + pg_temp.finish('route e2') + pg_temp.finish('route e3') AS finished;
SELECT sched.deactivate_executor('route e2');
SELECT count(*) FROM sched.schedule_tasks('ch', ARRAY(SELECT jsonb_build_object('routing_key', key) FROM first_time ORDER BY key LIMIT 22));
CREATE TEMP TABLE second_time AS
	SELECT parameters ->> 'routing_key' AS key, 'e1' AS executor FROM sched.claim_tasks('route e1', 20)
	UNION ALL SELECT parameters ->> 'routing_key', 'e3' FROM sched.claim_tasks('route e3', 20);
SELECT count(*) AS again, count(*) FILTER (WHERE f.executor <> s.executor AND f.executor <> 'e2') AS moved_without_need
FROM second_time s JOIN first_time f USING (key);
SELECT pg_temp.finish('route e1') + pg_temp.finish('route e3') AS finished;
SELECT sched.activate_executor('route e2');

--
-- Sticky: as long as it is there
--
SELECT sched.create_job('st', type => 'route.x', routing => 'sticky') > 0 AS created;
SELECT pg_temp.order_tasks('st', 3);
SELECT pg_temp.claim('route e1'), pg_temp.claim('route e2'), pg_temp.claim('route e3');
SELECT pg_temp.finish('route e1');
SELECT pg_temp.order_tasks('st', 1);
SELECT pg_temp.claim('route e3'), pg_temp.claim('route e2'), pg_temp.claim('route e1');
SELECT pg_temp.finish('route e1');
SELECT sched.deactivate_executor('route e1', drain => false);
SELECT pg_temp.order_tasks('st', 1);
SELECT pg_temp.claim('route e3'), pg_temp.claim('route e2');
SELECT sched.activate_executor('route e1');
SELECT pg_temp.order_tasks('st', 1);
SELECT pg_temp.claim('route e1'), pg_temp.claim('route e3'), pg_temp.claim('route e2');

--
-- No executor: stays ready until one comes, and goes by the route then
--
SELECT sched.create_job('rr y', type => 'route.y', routing => 'round_robin') > 0 AS created;
SELECT pg_temp.order_tasks('rr y', 2);
SELECT DISTINCT status FROM sched.tasks WHERE job_name = 'rr y';
SELECT condition, satisfied, detail FROM sched.why((SELECT max(task_id) FROM sched.tasks)) WHERE condition LIKE '%executor%';
SELECT count(*) FROM sched.register_executor('route y', '{route.y}', '{}', 1);
SELECT pg_temp.claim('route y');
SELECT condition, satisfied, detail FROM sched.why((SELECT max(task_id) FROM sched.tasks)) WHERE condition LIKE '%executor%';
-- it is deregistered while one waits for it
SELECT pg_temp.finish('route y');
SELECT sched.deregister_executor('route y');
SELECT condition, satisfied FROM sched.why((SELECT max(task_id) FROM sched.tasks)) WHERE condition LIKE '%executor%';
-- the job takes another route
SELECT count(*) FROM sched.register_executor('route z', '{route.y}', '{}', 5);
SELECT sched.update_job('rr y', '{"routing": "pull"}') > 0 AS changed;
SELECT pg_temp.claim('route z', 1, '10 s');

-- A pool holds back what was given to an executor as well.
SELECT sched.create_pool('route one', 1);
SELECT pg_temp.finish('route z');
SELECT sched.update_job('rr y', '{"routing": "round_robin", "pool": "route one"}') > 0 AS changed;
SELECT pg_temp.order_tasks('rr y', 2);
SELECT pg_temp.claim('route z', 5, '10 s');
SELECT pg_temp.claim('route z');
SELECT pg_temp.finish('route z');
SELECT pg_temp.claim('route z');

--
-- A function of the user chooses
--
CREATE FUNCTION public.route_pick(task jsonb, executors jsonb) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	IF task #>> '{parameters,who}' = 'error' THEN
		RAISE EXCEPTION USING ERRCODE = '22000', MESSAGE = 'no idea';
	END IF;
	RETURN CASE task #>> '{parameters,who}' WHEN 'last' THEN executors -> -1 ->> 'name' ELSE task #>> '{parameters,who}' END;
END $$;
SELECT sched.register_router('route.pick', 'public.route_pick');
SELECT name, selector, owner = current_user AS mine, fault FROM sched.routers;
SELECT sched.create_job('pick', type => 'route.x', routing => 'route.pick') > 0 AS created;
SELECT count(*) FROM sched.schedule_tasks('pick', ARRAY['{"who": "route e2"}', '{"who": "last"}', '{"who": "nobody"}', '{"who": "route e2"}']::jsonb[]);
SELECT pg_temp.claim('route e2', 1, '10 s');
SELECT pg_temp.claim('route e3', 1, '10 s');
SELECT pg_temp.claim('route e2', 5, '10 s');
SELECT pg_temp.claim('route e1');
SELECT condition, satisfied, detail FROM sched.why((SELECT task_id FROM sched.tasks WHERE parameters ->> 'who' = 'nobody'))
WHERE condition = 'it was given to an executor';
SELECT sched.cancel_task(task_id) FROM sched.tasks WHERE parameters ->> 'who' = 'nobody';
-- one that fails is reported; its tasks wait, those of others do not
SELECT sched.run_job('pick', '{"who": "error"}') AS t \gset
SELECT pg_temp.until($$SELECT fault FROM sched.routers WHERE name = 'route.pick'$$, 'no idea');
SELECT condition, satisfied, regexp_replace(detail, 'at .* with', 'at ... with') AS detail FROM sched.why(:t)
WHERE condition = 'it was given to an executor';
SELECT sched.cancel_task(:t);
SELECT sched.run_job('pick', '{"who": "last"}') > 0 AS ordered;
SELECT pg_temp.claim('route e3', 1, '10 s');
DO $$
BEGIN
	PERFORM sched.unregister_router('route.pick');
EXCEPTION WHEN object_not_in_prerequisite_state THEN
	RAISE NOTICE '%', SQLERRM;
END $$;
DO $$
BEGIN
	PERFORM sched.register_router('pull', 'public.route_pick');
EXCEPTION WHEN invalid_parameter_value THEN
	RAISE NOTICE '%', SQLERRM;
END $$;
DO $$
BEGIN
	PERFORM sched.register_router('route.bad', 'pg_catalog.now');
EXCEPTION WHEN invalid_parameter_value THEN
	RAISE NOTICE '%', SQLERRM;
END $$;

--
-- Broadcast: one shard for each, and the task ends with the last of them
--
CREATE FUNCTION pg_temp.shards(parent bigint) RETURNS TABLE (shard text) LANGUAGE sql AS $$
	SELECT format('%s of %s for %s: %s', s.shard_index, s.shard_total, s.executor, s.status)
	FROM sched.shards s WHERE s.parent_id = parent ORDER BY s.shard_index $$;
SELECT sched.create_job('all', type => 'route.x', routing => 'broadcast', parameters => '{"a": 1}', max_attempts => 1) > 0 AS created;
SELECT sched.run_job('all', '{"b": 2}') AS t \gset
SELECT pg_temp.until($$SELECT count(*)::text FROM sched.shards WHERE parent_id = $$ || :t, '3');
SELECT status FROM sched.get_task(:t);
SELECT * FROM pg_temp.shards(:t);
SELECT parameters, run_id = :t AS same_run FROM sched.claim_tasks('route e2', 5);
SELECT parameters FROM sched.claim_tasks('route e1', 5);
SELECT pg_temp.finish('route e1'), pg_temp.finish('route e2');
SELECT sched._settle('1 ms') IS NOT NULL AS waited;
SELECT status FROM sched.get_task(:t);
SELECT parameters FROM sched.claim_tasks('route e3', 5);
SELECT pg_temp.finish('route e3');
SELECT sched.wait_for_task(:t);
SELECT status, result, executor FROM sched.get_task(:t);
SELECT * FROM pg_temp.shards(:t);
-- one that fails makes it fail, when the others have ended
SELECT sched.run_job('all') AS t \gset
SELECT pg_temp.until($$SELECT count(*)::text FROM sched.shards WHERE parent_id = $$ || :t, '3');
SELECT pg_temp.claim('route e1') <> '-' AS e1, pg_temp.claim('route e2') <> '-' AS e2, pg_temp.claim('route e3') <> '-' AS e3;
SELECT sched.start_task(task_id, attempt) IS NOT NULL AS started, sched.fail_task(task_id, attempt, 'no', false) IS NOT NULL AS failed
FROM sched.tasks WHERE executor = 'route e1' AND finished_at IS NULL;
SELECT pg_temp.finish('route e2'), pg_temp.finish('route e3');
SELECT sched.wait_for_task(:t);
SELECT status, result, error FROM sched.get_task(:t);
-- cancelling it cancels what is left of them
SELECT sched.run_job('all') AS t \gset
SELECT pg_temp.until($$SELECT count(*)::text FROM sched.shards WHERE parent_id = $$ || :t, '3');
SELECT pg_temp.claim('route e1') <> '-' AS e1;
SELECT pg_temp.finish('route e1');
SELECT sched.cancel_task(:t, 'enough');
SELECT sched.wait_for_task(:t);
SELECT status, reason FROM sched.get_task(:t);
SELECT * FROM pg_temp.shards(:t);
SELECT sched.cancel_task(:t);
-- with one run at a time it works too; the executor that is deregistered fails its shard
SELECT sched.update_job('all', '{"max_concurrent_runs": 1}') > 0 AS changed;
SELECT count(*) FROM sched.register_executor('route e4', '{route.x}', '{}', 5);
SELECT sched.run_job('all') AS t \gset
SELECT pg_temp.until($$SELECT count(*)::text FROM sched.shards WHERE parent_id = $$ || :t, '4');
SELECT pg_temp.claim('route e1', 1, '10 s') <> '-' AS e1, pg_temp.finish('route e1');
SELECT pg_temp.claim('route e2', 1, '10 s') <> '-' AS e2, pg_temp.finish('route e2');
SELECT pg_temp.claim('route e3', 1, '10 s') <> '-' AS e3, pg_temp.finish('route e3');
SELECT sched.deregister_executor('route e4');
SELECT sched.wait_for_task(:t);
SELECT * FROM pg_temp.shards(:t);
-- nobody there: it stays ready
SELECT sched.create_job('all y', type => 'route.y', routing => 'broadcast') > 0 AS created;
SELECT sched.deactivate_executor('route z', drain => false);
SELECT sched.run_job('all y') AS t \gset
SELECT sched._settle('1 ms') IS NOT NULL AS waited;
SELECT status FROM sched.get_task(:t);
SELECT condition, satisfied FROM sched.why(:t) WHERE condition LIKE '%executor%';
SELECT sched.activate_executor('route z');
SELECT pg_temp.until($$SELECT count(*)::text FROM sched.shards WHERE executor = 'route z'$$, '1');
SELECT pg_temp.claim('route z') LIKE '%all y%' AS z, pg_temp.finish('route z') > 0 AS finished;
SELECT sched.wait_for_task(:t);

-- A route that there is not is refused.
DO $$
BEGIN
	PERFORM sched.create_job('bad', type => 'route.x', routing => 'round_robbin');
EXCEPTION WHEN invalid_parameter_value THEN
	RAISE NOTICE '%', SQLERRM;
END $$;

SELECT sum(pg_temp.finish(name)) >= 0 AS finished FROM sched.executors WHERE name LIKE 'route %' AND status = 'online';
SELECT sched.delete_job(name) FROM sched.jobs WHERE type LIKE 'route.%' ORDER BY name COLLATE "C";
SELECT bool_and(sched.deregister_executor(name)) FROM sched.executors WHERE name LIKE 'route %';
SELECT sched.drop_pool('route one'), sched.unregister_router('route.pick');
DROP FUNCTION public.route_pick(jsonb, jsonb);
SELECT sched.unregister_task_type('route.x'), sched.unregister_task_type('route.y');
