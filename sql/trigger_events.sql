--
-- Events: what is recorded, what is emitted, who is told.
--
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS sched;
SET client_min_messages = notice;

CREATE ROLE events_ann LOGIN;
CREATE ROLE events_bob LOGIN;
GRANT USAGE ON SCHEMA sched TO events_ann, events_bob;
DO $$
DECLARE
	v_object	text;
BEGIN
	FOR v_object IN
		SELECT 'EXECUTE ON FUNCTION ' || p.oid::regprocedure::text FROM pg_proc p
		WHERE p.pronamespace = 'sched'::regnamespace
		  AND p.proname = ANY (sched._role_functions('sched_user') || sched._view_functions())
		UNION ALL
		SELECT 'SELECT ON sched.' || relname FROM pg_class
		WHERE relnamespace = 'sched'::regnamespace AND relkind = 'v' AND relname NOT LIKE '\_%'
	LOOP
		EXECUTE 'GRANT ' || v_object || ' TO events_ann, events_bob';
	END LOOP;
END $$;

-- the events after the ones that a mark was set at
CREATE TABLE mark AS SELECT coalesce(max(event_id), 0) AS id FROM sched.events;
CREATE FUNCTION news() RETURNS TABLE (type text, job text, payload jsonb) LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY SELECT e.type, j.name, e.payload - 'scheduled_at' - 'run_id' - 'started_at' - 'retry_at' - 'trigger_id'
		FROM sched.events e LEFT JOIN sched._job j ON j.job_id = e.job_id
		WHERE e.event_id > (SELECT id FROM mark) ORDER BY e.event_id;
	UPDATE mark SET id = (SELECT coalesce(max(event_id), 0) FROM sched.events);
END $$;
CREATE FUNCTION eventually(query text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	v_yes	boolean;
BEGIN
	FOR i IN 1 .. 1000 LOOP
		EXECUTE 'SELECT ' || query INTO v_yes;
		IF v_yes THEN RETURN true; END IF;
		PERFORM pg_sleep(0.02);
	END LOOP;
	RETURN false;
END $$;
CREATE FUNCTION outcome(task bigint) RETURNS text LANGUAGE sql AS $$ SELECT sched.wait_for_task(task, '20 s') $$;

--
-- Domain events
--
SELECT sched.create_job('ev a', $$DO 'BEGIN RAISE ''once more'' USING ERRCODE = ''40001''; END'$$, active => false, max_attempts => 2, retry_delay => '0') > 0 AS made;
SELECT sched.activate_job('ev a'), sched.activate_job('ev a');
SELECT sched.pause_job('ev a', 'lunch'), sched.pause_job('ev a', 'lunch');
SELECT sched.resume_job('ev a');
SELECT sched.update_job('ev a', '{"priority": 7}') > 0 AS updated, sched.update_job('ev a', '{"priority": 7}') > 0 AS again;
SELECT sched.add_trigger('ev a', '@every 10 years') > 0 AS added;
SELECT sched.remove_trigger(trigger_id) FROM sched.triggers WHERE job_name = 'ev a';
SELECT * FROM news();
-- a task: at the level "important" only what went wrong
SELECT sched.run_job('ev a') AS task \gset
\c -
SELECT outcome(:task);
SELECT * FROM news();
SELECT sched.schedule_task('ev a', now() + interval '1 hour') AS task \gset
SELECT sched.cancel_task(:task, 'not today'), sched.cancel_task(:task, 'not today');
SELECT * FROM news();
-- nothing is left of what is rolled back
BEGIN;
SELECT sched.disable_job('ev a');
SAVEPOINT s;
SELECT sched.emit_event('never.seen') > 0 AS emitted;
ROLLBACK TO s;
SELECT type FROM sched.events WHERE event_id > (SELECT id FROM mark);
ROLLBACK;
SELECT * FROM news();
SELECT sched.disable_job('ev a', 'over'), sched.delete_job('ev a', 'gone');
SELECT * FROM news();

-- level: everything, and nothing
ALTER SYSTEM SET sched.event_level = 'all';
SELECT pg_reload_conf();
\c -
SELECT sched.create_job('ev b', 'SELECT 1') > 0 AS made;
SELECT sched.run_job('ev b') AS task \gset
SELECT outcome(:task);
SELECT * FROM news();
ALTER SYSTEM SET sched.event_level = 'none';
SELECT pg_reload_conf();
\c -
SELECT sched.update_job('ev b', '{"command": "SELECT 1/0", "max_attempts": 1}') > 0 AS updated;
SELECT sched.run_job('ev b') AS task \gset
SELECT outcome(:task);
-- an event that somebody listens to is recorded whatever the level
SELECT sched.create_job('ev listener', 'SELECT 1', '@event task.failed') > 0 AS made;
SELECT sched.run_job('ev b') AS task \gset
SELECT outcome(:task);
SELECT * FROM news();
SELECT outcome(max(task_id)), count(*) FROM sched.tasks WHERE job_name = 'ev listener';
SELECT parameters -> 'event' ->> 'name' AS name, parameters -> 'event' -> 'payload' ->> 'error' AS error
FROM sched.tasks WHERE job_name = 'ev listener';
SELECT sched.delete_job('ev listener');
ALTER SYSTEM RESET sched.event_level;
SELECT pg_reload_conf();
\c -

--
-- emit_event(): names and payloads
--
\set VERBOSITY default
\set SHOW_CONTEXT never
SELECT sched.emit_event(NULL);
SELECT sched.emit_event('');
SELECT sched.emit_event('order..created');
SELECT sched.emit_event('order.created ');
SELECT sched.emit_event('order.*');
SELECT sched.emit_event('task.failed');
SELECT sched.emit_event('job');
SELECT sched.emit_event(repeat('x', 256));
SELECT sched.emit_event('too.large', jsonb_build_object('x', repeat('y', 1100000)));
\set VERBOSITY terse
SELECT sched.emit_event('jobs.are.fine'), sched.emit_event('Order-1.created_2', NULL) > 0 AS second \gset
SELECT type, actor = current_user AS own, payload FROM sched.events WHERE event_id > (SELECT id FROM mark) ORDER BY event_id;
UPDATE mark SET id = (SELECT max(event_id) FROM sched.events);

--
-- @event
--
SELECT sched.create_job('ev one', 'SELECT 1', '@event shop.*', overlap_policy => 'buffer_all', active => true) > 0 AS made;
SELECT sched.create_job('ev many', 'SELECT 1', '@event shop.**', overlap_policy => 'buffer_all') > 0 AS made;
SELECT sched.create_job('ev filtered', 'SELECT 1', '@event shop.sale ? (@.amount > 100)', overlap_policy => 'buffer_all') > 0 AS made;
SELECT sched.create_job('ev config', 'SELECT 1') > 0 AS made;
SELECT sched.add_trigger('ev config', '@event shop.sale', parameters => '{"own": true}', config => '{"filter": "$.items[*] ? (@.price > 10)"}') > 0 AS added;
SELECT sched.add_trigger('ev config', '@event shop.refund', config => '{"filter": "$.amount > 5"}') > 0 AS added;
CREATE VIEW fired AS SELECT j.name, t.parameters - 'event' AS own, t.parameters -> 'event' ->> 'name' AS event,
	t.parameters -> 'event' -> 'payload' AS payload FROM sched._task t JOIN sched._job j USING (job_id)
	WHERE t.parameters ? 'event' AND j.name IN ('ev one', 'ev many', 'ev filtered', 'ev config') ORDER BY t.task_id;
BEGIN;
SELECT sched.emit_event('shop.sale', '{"amount": 50}') > 0 AS emitted;
SELECT sched.emit_event('shop.sale.big', '{"amount": 500}') > 0 AS emitted;
SELECT * FROM fired;
ROLLBACK;
SELECT count(*) FROM fired;
SELECT sched.emit_event('shop') > 0 AS emitted;
SELECT sched.emit_event('shop.sale', '{"amount": 500, "items": [{"price": 3}, {"price": 30}]}') > 0 AS emitted;
SELECT sched.emit_event('shop.refund', '{"amount": 6}') > 0 AS emitted;
SELECT sched.emit_event('shop.refund', '{"amount": 5}') > 0 AS emitted;
SELECT sched.emit_event('shop.refund', '{"amount": "x"}') > 0 AS emitted;
SELECT sched.emit_event('shops.sale', '{"amount": 500}') > 0 AS emitted;
SELECT * FROM fired;
-- made and used in one transaction; and gone again
BEGIN;
SELECT sched.create_job('ev brief', 'SELECT 1', '@event brief') > 0 AS made;
SELECT sched.emit_event('brief') > 0 AS emitted;
SELECT count(*) FROM sched.tasks WHERE job_name = 'ev brief';
ROLLBACK;
SELECT sched.emit_event('brief') > 0 AS emitted;
SELECT count(*) FROM sched.tasks WHERE job_name = 'ev brief';
-- an event may fire while the clock of the job says so, and while it is active
SELECT sched.create_job('ev later', 'SELECT 1', '@event later', start_at => '2090-01-01') > 0 AS made;
SELECT sched.create_job('ev off', 'SELECT 1', '@event later', active => false) > 0 AS made;
SELECT sched.emit_event('later') > 0 AS emitted;
SELECT count(*) FROM sched.tasks WHERE job_name IN ('ev later', 'ev off');
-- a paused job keeps the event's task, or says that it missed it
SELECT sched.create_job('ev paused', 'SELECT 1', '@event nap') > 0 AS made;
SELECT sched.create_job('ev absent', 'SELECT 1', '@event nap', misfire_policy => 'skip') > 0 AS made;
SELECT sched.pause_job('ev paused'), sched.pause_job('ev absent');
SELECT sched.emit_event('nap') > 0 AS emitted;
SELECT sched._settle();
SELECT job_name, status, reason FROM sched.tasks WHERE job_name IN ('ev paused', 'ev absent') ORDER BY 1;
SELECT sched.resume_job('ev paused');
SELECT outcome(max(task_id)) FROM sched.tasks WHERE job_name = 'ev paused';
-- overlap policies, also within one transaction
SELECT sched.create_job('ev skip', 'SELECT pg_sleep(60)', '@event over', overlap_policy => 'skip') > 0 AS made;
SELECT sched.create_job('ev buffer', 'SELECT pg_sleep(60)', '@event over', overlap_policy => 'buffer_one') > 0 AS made;
SELECT sched.create_job('ev cancel', 'SELECT pg_sleep(60)', '@event over', overlap_policy => 'cancel_other') > 0 AS made;
SELECT sched.create_job('ev allow', 'SELECT pg_sleep(60)', '@event over', overlap_policy => 'allow') > 0 AS made;
BEGIN;
SELECT sched.emit_event('over') > 0 AS emitted FROM generate_series(1, 2);
COMMIT;
SELECT sched.emit_event('over') > 0 AS emitted;
SELECT job_name, reason FROM sched.tasks WHERE job_name IN ('ev skip', 'ev buffer') AND status = 'skipped' ORDER BY 1;
SELECT count(*) FROM sched.tasks WHERE job_name = 'ev allow';
SELECT sched.delete_job(name) FROM sched.jobs WHERE name IN ('ev skip', 'ev buffer', 'ev cancel', 'ev allow');
SELECT count(sched.cancel_task(task_id)) > 0 AS cancelled FROM sched._live_tasks();
-- max_runs
SELECT sched.create_job('ev twice', 'SELECT 1', '@event twice', max_runs => 2, overlap_policy => 'buffer_all') > 0 AS made;
SELECT count(sched.emit_event('twice')) FROM generate_series(1, 3);
SELECT count(*) FROM sched.tasks WHERE job_name = 'ev twice';
SELECT eventually($$status = 'completed' FROM sched.jobs WHERE name = 'ev twice'$$);
SELECT eventually($$fire_count = 4 FROM sched.triggers WHERE job_name = 'ev one'$$);
SELECT fire_count FROM sched.triggers WHERE job_name IN ('ev twice', 'ev one') ORDER BY job_name;
-- filters that cannot be
\set VERBOSITY default
SELECT sched.create_job('ev bad', 'SELECT 1', '@event a ? (@.x === 1)');
SELECT sched.add_trigger('ev one', '@event a', config => '{"filter": "$.x ==== 1"}');
SELECT sched.add_trigger('ev one', '@event a', config => '{"filter": 1}');
SELECT sched.add_trigger('ev one', '@event a', config => '{"filtre": "$"}');
\set VERBOSITY terse
-- one that fails when it is asked lets the event pass
SELECT sched.add_trigger('ev config', '@event weird', config => '{"filter": "$.x like_regex \"^[a-z]+$\" || $.y.datetime() > \"x\".datetime()"}') > 0 AS added;
SELECT sched.emit_event('weird', '{"x": {}, "y": "z"}') > 0 AS emitted;

--
-- Loops end
--
-- a job that its own failures would fire
SELECT sched.create_job('ev self', 'SELECT 1/0', '@event task.failed', max_attempts => 1, overlap_policy => 'allow') > 0 AS made;
SELECT sched.run_job('ev self') AS task \gset
SELECT outcome(:task);
SELECT sched._settle();
SELECT count(*) FROM sched.tasks WHERE job_name = 'ev self';
-- two that fire each other
SELECT sched.create_job('ev other', 'SELECT 1/0', '@event task.failed', max_attempts => 1, overlap_policy => 'allow') > 0 AS made;
SELECT sched.run_job('ev self') AS task \gset
SELECT outcome(:task);
SELECT outcome(task_id) FROM sched.tasks WHERE job_name = 'ev other';
SELECT sched._settle();
SELECT job_name, count(*) FROM sched.tasks WHERE job_name IN ('ev self', 'ev other') GROUP BY 1 ORDER BY 1;
SELECT sched.delete_job('ev self'), sched.delete_job('ev other');
-- one that emits what it listens to may, for a while
SELECT sched.create_job('ev echo', 'SELECT sched.emit_event(''echo'')', '@event echo', overlap_policy => 'allow') > 0 AS made;
SELECT sched.emit_event('echo') > 0 AS emitted;
SELECT eventually($$EXISTS (SELECT FROM sched.tasks WHERE job_name = 'ev echo' AND status = 'skipped')
	AND NOT EXISTS (SELECT FROM sched.tasks WHERE job_name = 'ev echo' AND status IN ('ready', 'running'))$$);
SELECT status, count(*), min(reason) FROM sched.tasks WHERE job_name = 'ev echo' GROUP BY 1 ORDER BY 1;
SELECT sched.delete_job('ev echo');

--
-- Executors, and what they do with tasks
--
UPDATE mark SET id = (SELECT max(event_id) FROM sched.events);
SELECT sched.create_job('ev all', 'SELECT 1', '@event executor.**', overlap_policy => 'buffer_all') > 0 AS made;
SELECT sched.subscribe('ev tasks', 'task.*', 'http://localhost:1/') > 0 AS subscribed;
SELECT sched.register_task_type('ev-type');
SELECT sched.create_job('ev remote', type => 'ev-type') > 0 AS made;
SELECT count(*) FROM sched.register_executor('ev node', types => '{ev-type}', max_concurrent => 2);
SELECT sched.run_job('ev remote') AS task \gset
SELECT count(*) FROM sched.claim_tasks('ev node');
SELECT sched.start_task(:task, 1);
SELECT sched.report_progress(:task, 1, 50, 'half');
SELECT sched.complete_task(:task, 1);
SELECT sched.deactivate_executor('ev node', 'weekend'), sched.deactivate_executor('ev node');
SELECT sched.activate_executor('ev node');
SELECT sched.detect_failed_executors('0') > 0 AS lost;
SELECT sched.heartbeat('ev node') ->> 'drain' AS drain;
SELECT sched.deregister_executor('ev node');
SELECT e.type, e.executor, e.payload - 'scheduled_at' - 'run_id' - 'started_at' AS payload FROM sched.events e
WHERE e.event_id > (SELECT id FROM mark) AND (e.type LIKE 'executor.%' OR e.task_id = :task) ORDER BY e.event_id;
SELECT count(*) FROM sched.tasks WHERE job_name = 'ev all';
SELECT sched.unsubscribe('ev tasks'), sched.delete_job('ev all'), sched.delete_job('ev remote');

--
-- Whose events
--
SET ROLE events_ann;
SELECT sched.create_job('ev ann', 'SELECT 1/0', max_attempts => 1) > 0 AS made;
SELECT sched.create_job('ev ann hears', 'SELECT 1', '@event private', overlap_policy => 'buffer_all') > 0 AS made;
SELECT sched.emit_event('private', '{"secret": "of ann"}') > 0 AS emitted;
SET ROLE events_bob;
SELECT sched.create_job('ev bob hears', 'SELECT 1', '@event **', overlap_policy => 'buffer_all') > 0 AS made;
SELECT sched.subscribe('ev bob', '**', 'http://localhost:1/') > 0 AS subscribed;
SELECT count(*) FROM sched.events WHERE payload::text LIKE '%ann%';
SET ROLE events_ann;
SELECT sched.emit_event('private', '{"secret": "of ann"}') > 0 AS emitted;
SELECT sched.run_job('ev ann') AS task \gset
SELECT type, payload FROM sched.events WHERE type = 'private';
RESET ROLE;
SELECT outcome(:task);
SELECT job_name, count(*) FROM sched.tasks WHERE job_name LIKE 'ev ann%' GROUP BY 1 ORDER BY 1;
SELECT count(*) FROM sched.tasks WHERE job_name = 'ev bob hears' AND parameters::text LIKE '%ann%';
SELECT count(*) FROM sched._delivery d JOIN sched._event e USING (event_id) WHERE e.payload::text LIKE '%ann%';
-- a member of the role hears them
GRANT events_ann TO events_bob;
SET ROLE events_ann;
SELECT sched.emit_event('private', '{"secret": "of ann"}') > 0 AS emitted;
RESET ROLE;
SELECT count(*) FROM sched.tasks WHERE job_name = 'ev bob hears' AND parameters::text LIKE '%of ann%';
SELECT pattern, signed, waiting > 0 AS waiting FROM sched.subscriptions WHERE name = 'ev bob';
SELECT sched.delete_job('ev bob hears');

--
-- Subscriptions
--
\set VERBOSITY default
SELECT sched.subscribe('', '**', 'http://localhost/');
SELECT sched.subscribe('ev s', 'a..b', 'http://localhost/');
SELECT sched.subscribe('ev s', NULL, 'http://localhost/');
SELECT sched.subscribe('ev s', '**', 'ftp://localhost/');
SELECT sched.subscribe('ev s', '**', 'http://localhost/', '{"X-A": "a\r\nb"}');
SELECT sched.subscribe('ev bob', '**', 'http://localhost/');
SET ROLE events_ann;
SELECT sched.unsubscribe('ev bob');
RESET ROLE;
\set VERBOSITY terse
SELECT sched.subscribe('ev s', 'ev.*', 'https://localhost/', '{"X-A": "b"}', 'key') > 0 AS subscribed;
SELECT name, pattern, url, headers, signed, waiting FROM sched.subscriptions WHERE name = 'ev s';
SELECT sched.unsubscribe('ev bob'), sched.unsubscribe('ev s'), sched.unsubscribe('ev s');
SELECT count(*) FROM sched._delivery;

--
-- Tables
--
CREATE SCHEMA ev AUTHORIZATION events_ann;
SET ROLE events_ann;
CREATE TABLE ev.orders (id int, amount numeric, note text);
SELECT sched.attach_table_events('ev.orders', 'orders.changed', '{INSERT,update,DELETE}');
SELECT sched.attach_table_events('ev.orders', 'orders.large', '{insert,delete}', 'amount > 100', true);
SELECT sched.attach_table_events('ev.orders', 'orders.emptied', '{truncate}');
RESET ROLE;
UPDATE mark SET id = (SELECT max(event_id) FROM sched.events);
INSERT INTO ev.orders SELECT i, i, 'x' FROM generate_series(99, 102) i;
INSERT INTO ev.orders SELECT 1, 2, 'y' WHERE false;
BEGIN;
INSERT INTO ev.orders VALUES (1, 200);
ROLLBACK;
UPDATE ev.orders SET note = 'z' WHERE id < 101;
DELETE FROM ev.orders WHERE id > 101;
DELETE FROM ev.orders WHERE id > 101;
TRUNCATE ev.orders;
SELECT * FROM news();
-- a million rows are one event, and of them at most 100 rows
INSERT INTO ev.orders SELECT i, 500 FROM generate_series(1, 1000000) i;
SELECT type, payload ->> 'count' AS count, jsonb_array_length(payload -> 'rows') AS rows, payload -> 'rows_complete' AS complete FROM news();
-- what the condition may be, and who may attach
\set VERBOSITY default
SELECT sched.attach_table_events('ev.orders', 'orders.changed');
SELECT sched.attach_table_events('ev.orders', 'task.failed');
SELECT sched.attach_table_events('ev.orders', 'x.y', '{}');
SELECT sched.attach_table_events('ev.orders', 'x.y', '{SELECT}');
SELECT sched.attach_table_events('ev.orders', 'x.y', '{truncate}', 'true');
SELECT sched.attach_table_events('ev.orders', 'x.y', '{INSERT}', 'nothing > 3');
SELECT sched.attach_table_events('ev.orders', 'x.y', '{INSERT}', 'amount >');
SELECT sched.attach_table_events('ev.orders', 'x.y', '{INSERT}', 'amount');
SELECT sched.attach_table_events('ev.orders', 'x.y', '{INSERT}', 'true); DROP TABLE ev.orders; SELECT (true');
SELECT sched.attach_table_events('ev.orders', 'x.y', '{INSERT}', 'true) UNION SELECT 1 WHERE (true');
SELECT sched.attach_table_events('ev.orders', 'x.y', '{INSERT}', 'EXISTS (SELECT)');
SELECT sched.attach_table_events('ev.orders', 'x.y', '{INSERT}', 'random() > 0.5');
SELECT sched.attach_table_events('ev.orders', 'x.y', '{INSERT}', 'count(*) > 1');
SELECT sched.attach_table_events('sched.jobs', 'x.y');
SELECT sched.attach_table_events('pg_class', 'x.y');
SET ROLE events_ann;
CREATE FUNCTION ev.mine(numeric) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1 > 1';
SELECT sched.attach_table_events('ev.orders', 'x.y', '{INSERT}', 'ev.mine(amount)');
RESET ROLE;
REVOKE events_ann FROM events_bob;
SET ROLE events_bob;
SELECT sched.attach_table_events('ev.orders', 'x.y');
RESET ROLE;
GRANT USAGE ON SCHEMA ev TO events_bob;
GRANT TRIGGER, INSERT ON ev.orders TO events_bob;
SET ROLE events_bob;
SELECT sched.attach_table_events('ev.orders', 'x.y', '{INSERT}', 'true');
SELECT sched.attach_table_events('ev.orders', 'x.y');
INSERT INTO ev.orders VALUES (1, 2);
-- the event is that of the table's owner
SELECT count(*) FROM sched.events WHERE type IN ('x.y', 'orders.changed');
CREATE TRIGGER own AFTER INSERT ON ev.orders FOR EACH STATEMENT EXECUTE FUNCTION sched._table_event('a', '', '');
RESET ROLE;
\set VERBOSITY terse
SELECT type, actor FROM sched.events WHERE type = 'x.y';
SELECT sched.detach_table_events('ev.orders', 'x.y'), sched.detach_table_events('ev.orders', 'x.y'), sched.detach_table_events('ev.orders');
SELECT count(*) FROM pg_trigger WHERE tgrelid = 'ev.orders'::regclass;

--
-- Retention
--
SELECT setval('sched._event_id_seq', 1000000, false);
SELECT sched._event_partitions_ensure(0);
SELECT sched.emit_event('in.the.next.partition');
SELECT tableoid::regclass FROM sched._event WHERE event_id = 1000000;
SELECT sched._events_retire('100 years');
-- nothing goes that was not told of: the scheduler is past it after a few more events
CREATE PROCEDURE tick() LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. 1000 LOOP
		EXIT WHEN (SELECT low >= 1000000 FROM sched._event_position);
		PERFORM sched.emit_event('tick'), pg_sleep(0.02);
		COMMIT;
	END LOOP;
END $$;
CALL tick();
SELECT low >= 1000000 AS told FROM sched._event_position;
SELECT sched._clock_set(now() + interval '50 days');
SELECT sched._events_retire('60 days');
SELECT sched._events_retire('30 days'), sched._events_retire('30 days');
SELECT sched._clock_reset();
SELECT to_regclass('sched._event_0'), min(event_id) FROM sched.events;

-- a restored sequence stands where there is no partition: the default one takes the rows
SELECT setval('sched._event_id_seq', 7300000, false);
SELECT sched.emit_event('after.restore');
SELECT tableoid::regclass FROM sched._event WHERE event_id = 7300000;
SELECT sched._event_partitions_ensure(1);
SELECT sched.emit_event('after.restore');
SELECT tableoid::regclass FROM sched._event WHERE event_id = 8000000;

-- jobs that hear everything do not make tasks of each other's tasks without end
SELECT sched.create_job('ev all ' || n, 'SELECT 1', '@event **', overlap_policy => 'allow') > 0 AS created
FROM generate_series(1, 3) n;
SELECT sched.create_job('ev heard', 'SELECT 1') > 0 AS created;
SELECT job_name, count(*) FROM sched.tasks
WHERE job_name LIKE 'ev all %' AND parameters -> 'event' -> 'payload' ->> 'job_name' = 'ev heard' GROUP BY 1 ORDER BY 1;

DO $$ BEGIN PERFORM sched.delete_job(name) FROM sched.jobs WHERE name LIKE 'ev %'; END $$;
DROP SCHEMA ev CASCADE;
DROP VIEW fired;
DROP PROCEDURE tick();
DROP FUNCTION news(), outcome(bigint), eventually(text);
DROP TABLE mark;
DROP OWNED BY events_ann, events_bob;
DROP ROLE events_ann, events_bob;
