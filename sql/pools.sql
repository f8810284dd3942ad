-- Pools: slots that several jobs share, who gets them, and what changes of a pool do.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS sched;
RESET client_min_messages;

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

-- A task of these holds its slots until the lock of its number is free.
CREATE TABLE public.pool_trace (n int GENERATED ALWAYS AS IDENTITY, job text, used int, slots int);
CREATE FUNCTION public.pool_use(wait_for int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO public.pool_trace (job, used, slots)
	SELECT sched.current_task() ->> 'job_name', p.used, p.slots FROM sched.pools p WHERE p.name = 'of two';
	PERFORM pg_advisory_xact_lock_shared(4711, wait_for);
END $$;
CREATE FUNCTION pg_temp.until(condition text, expected text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	v_got	text;
BEGIN
	FOR i IN 1..2000 LOOP
		EXECUTE condition INTO v_got;
		EXIT WHEN v_got = expected;
		PERFORM pg_sleep(0.005);
	END LOOP;
	RETURN v_got;
END $$;

--
-- Making, changing, dropping
--
SELECT sched.create_pool('of two', 2, 'for tests');
SELECT sched.create_pool('closed', 0);
SELECT name, slots, used, waiting, description, owner = current_user AS mine FROM sched.pools;
SELECT pg_temp.error_of($$SELECT sched.create_pool('of two', 3)$$);
SELECT pg_temp.error_of($$SELECT sched.create_pool('', 3)$$);
SELECT pg_temp.error_of($$SELECT sched.create_pool(NULL, 3)$$);
SELECT pg_temp.error_of($$SELECT sched.create_pool('x', -1)$$);
SELECT pg_temp.error_of($$SELECT sched.create_pool('x', NULL)$$);
SELECT pg_temp.error_of($$SELECT sched.update_pool('of tow', 3)$$);
SELECT pg_temp.error_of($$SELECT sched.update_pool('of two', 1000001)$$);
SELECT sched.update_pool('of two') AS changed;
SELECT sched.update_pool('of two', 2) AS changed;
SELECT sched.update_pool('of two', description => 'two at once') AS changed;
SELECT pg_temp.error_of($$SELECT sched.drop_pool('no such')$$);
-- Jobs name pools that are there, and no more slots than there are.
SELECT pg_temp.error_of($$SELECT sched.create_job('pool x', 'SELECT 1', pool => 'of tow')$$);
SELECT pg_temp.error_of($$SELECT sched.create_job('pool x', 'SELECT 1', pool => 'of two', pool_slots => 3)$$);
SELECT pg_temp.error_of($$SELECT sched.create_job('pool x', 'SELECT 1', pool => 'of two', pool_slots => 0)$$);
SELECT pg_temp.error_of($$SELECT sched.create_job('pool x', 'SELECT 1', required_tags => array_fill('a'::text, '{17}'))$$);
SELECT pg_temp.error_of($$SELECT sched.create_job('pool x', 'SELECT 1', required_tags => '{a,""}')$$);

--
-- Slots
--
SELECT sched.create_job('pool one', 'SELECT public.pool_use(1)', pool => 'of two') > 0 AS created;
SELECT sched.create_job('pool both', 'SELECT public.pool_use(2)', pool => 'of two', pool_slots => 2) > 0 AS created;
SELECT sched.create_job('pool none', 'SELECT 1') > 0 AS created;
SELECT pg_temp.error_of($$SELECT sched.drop_pool('of two')$$);
SELECT pg_advisory_lock(4711, 1), pg_advisory_lock(4711, 2);

-- Two run, the others wait; a task that is in no pool passes by.
SELECT count(sched.run_job('pool one')) FROM generate_series(1, 3);
SELECT pg_temp.until($$SELECT used || ' ' || waiting FROM sched.pools WHERE name = 'of two'$$, '2 1');
SELECT sched.run_job('pool both') AS both \gset
SELECT sched.run_job('pool one') AS last \gset
SELECT sched.run_job('pool none') AS t \gset
SELECT sched.wait_for_task(:t);
SELECT used, waiting FROM sched.pools WHERE name = 'of two';
SELECT condition, satisfied, regexp_replace(detail, '; task.*', '') AS detail FROM sched.why(:both)
WHERE condition LIKE 'pool%' OR NOT satisfied;
-- The big one is not overtaken by the small one behind it, though that would fit sooner.
SELECT pg_advisory_unlock(4711, 1);
SELECT pg_temp.until($$SELECT count(*)::text FROM public.pool_trace WHERE job = 'pool both'$$, '0');
SELECT pg_temp.until($$SELECT string_agg(status, ' ' ORDER BY task_id) FROM sched.tasks WHERE job_name = 'pool one'$$,
	'completed completed completed ready');
SELECT pg_temp.until($$SELECT used || ' ' || waiting FROM sched.pools WHERE name = 'of two'$$, '2 1');
SELECT satisfied, regexp_replace(detail, '; task.*', '') AS detail FROM sched.why(:last) WHERE condition LIKE 'pool%';
SELECT pg_advisory_unlock(4711, 2);
SELECT sched.wait_for_task(:last), sched.wait_for_task(:both);
SELECT pg_temp.until($$SELECT used || ' ' || waiting FROM sched.pools WHERE name = 'of two'$$, '0 0');
SELECT count(*) AS ran, bool_and(used <= slots) AS within FROM public.pool_trace;

-- Priority goes before age, also within a pool.
SELECT sched.update_pool('of two', 0);
SELECT sched._settle();
SELECT sched.schedule_task('pool one', priority => 1) AS low \gset
SELECT sched.schedule_task('pool one', priority => 10) AS high \gset
SELECT sched.schedule_task('pool one', priority => 5) AS middle \gset
TRUNCATE public.pool_trace RESTART IDENTITY;
SELECT condition, satisfied, detail FROM sched.why(:low) WHERE condition LIKE 'pool%';
SELECT sched.update_pool('of two', 1);
SELECT sched.wait_for_task(:low), sched.wait_for_task(:middle), sched.wait_for_task(:high);
SELECT task_id = :high AS high, task_id = :middle AS middle, task_id = :low AS low
FROM sched.tasks WHERE task_id IN (:low, :high, :middle) ORDER BY started_at;

-- A pool that shrank below what a job needs: its task takes all that there is.
SELECT sched.run_job('pool both') AS both \gset
SELECT sched.wait_for_task(:both);
SELECT sched.update_pool('of two', 2);

-- A closed pool starts nothing; the job may be moved to another one meanwhile, or out of any.
SELECT sched.create_job('pool shut', 'SELECT 1', pool => 'closed') > 0 AS created;
SELECT sched.run_job('pool shut') AS t \gset
SELECT sched.run_job('pool shut') AS u \gset
SELECT sched._settle();
SELECT name, slots, used, waiting FROM sched.pools;
SELECT sched.update_job('pool shut', '{"pool": "of two"}') > 0 AS moved;
SELECT sched.wait_for_task(:t), sched.wait_for_task(:u);
SELECT sched.update_job('pool shut', '{"pool": "closed"}') > 0 AS moved;
SELECT sched.run_job('pool shut') AS t \gset
SELECT sched.update_job('pool shut', '{"pool": null}') > 0 AS moved;
SELECT sched.wait_for_task(:t);

-- Slots that were taken in one pool are given back to it, wherever the job is by then.
SELECT pg_advisory_lock(4711, 1);
SELECT sched.run_job('pool one') AS t \gset
SELECT pg_temp.until($$SELECT used::text FROM sched.pools WHERE name = 'of two'$$, '1');
SELECT sched.update_job('pool one', '{"pool": null}') > 0 AS moved;
SELECT sched._settle('1 ms');
SELECT used FROM sched.pools WHERE name = 'of two';
SELECT pg_advisory_unlock(4711, 1);
SELECT sched.wait_for_task(:t);
SELECT pg_temp.until($$SELECT used::text FROM sched.pools WHERE name = 'of two'$$, '0');

-- Cancelling gives back too, and what waits can be cancelled.
SELECT sched.update_job('pool one', '{"pool": "of two"}') > 0 AS moved;
SELECT pg_advisory_lock(4711, 1);
SELECT sched.run_job('pool one') AS a, sched.run_job('pool one') AS b, sched.run_job('pool one') AS c \gset
SELECT pg_temp.until($$SELECT used || ' ' || waiting FROM sched.pools WHERE name = 'of two'$$, '2 1');
SELECT sched.cancel_task(:c), sched.cancel_task(:a);
SELECT sched.wait_for_task(:a), sched.wait_for_task(:c);
SELECT pg_temp.until($$SELECT used || ' ' || waiting FROM sched.pools WHERE name = 'of two'$$, '1 0');
SELECT pg_advisory_unlock(4711, 1);
SELECT sched.wait_for_task(:b);

-- A pool whose row is taken away by force: its tasks wait, and go on when it is there again.
DELETE FROM sched._pool WHERE name = 'of two';
SELECT sched._settle();
SELECT sched.run_job('pool one') AS t \gset
SELECT condition, satisfied, detail FROM sched.why(:t) WHERE condition LIKE 'pool%' OR condition LIKE 'nothing else%';
SELECT sched.create_pool('of two', 1);
SELECT sched.wait_for_task(:t);

-- What is rolled back has never been.
BEGIN;
SELECT sched.update_pool('of two', 0);
ROLLBACK;
SELECT sched.run_job('pool one') AS t \gset
SELECT sched.wait_for_task(:t);

SELECT sched.delete_job(name) FROM sched.jobs WHERE name LIKE 'pool %' ORDER BY name COLLATE "C";
SELECT sched.drop_pool('of two'), sched.drop_pool('closed');
SELECT count(*) FROM sched.pools;
DROP FUNCTION public.pool_use(int);
DROP TABLE public.pool_trace;
