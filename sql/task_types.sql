-- Task types of users: handlers, parameter schemas, and who may do what with them.
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

CREATE SCHEMA tt;
CREATE FUNCTION tt.greet(parameters jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
	RAISE NOTICE 'greeting %', parameters ->> 'to';
	RETURN jsonb_build_object('greeting', 'Hello ' || (parameters ->> 'to'), 'as alice', session_user = 'tt_alice');
END $$;
CREATE FUNCTION tt.look(parameters jsonb, task jsonb) RETURNS jsonb LANGUAGE sql
RETURN jsonb_build_object('job', task -> 'job_name', 'attempt', task -> 'attempt', 'same', task -> 'parameters' = parameters,
	'current', sched.current_task() = task);
CREATE FUNCTION tt.nothing(parameters jsonb) RETURNS void LANGUAGE sql RETURN NULL;
CREATE FUNCTION tt.breaks(parameters jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO tt.trace VALUES (1);
	RAISE EXCEPTION 'broken' USING ERRCODE = '22000', DETAIL = 'on purpose';
END $$;
CREATE TABLE tt.trace (n int);

-- A type with a handler: its return value is the result.
SELECT sched.register_task_type('tt.greet', 'tt.greet', '{
	"type": "object", "required": ["to"], "additionalProperties": false,
	"properties": {
		"to": {"type": "string", "minLength": 1, "maxLength": 20},
		"times": {"type": "integer", "minimum": 1, "maximum": 9},
		"how": {"enum": ["loud", "soft"]},
		"on": {"type": "string", "format": "date"},
		"also": {"type": "array", "items": {"type": "string", "pattern": "^[A-Z]"}}}}');
SELECT sched.register_task_type('tt.look', 'tt.look');
SELECT sched.register_task_type('tt.nothing', 'tt.nothing');
SELECT sched.register_task_type('tt.breaks', 'tt.breaks');
SELECT sched.register_task_type('tt.far');
SELECT name, handler, parameter_schema IS NOT NULL AS has_schema, built_in, owner = current_user AS mine
FROM sched.task_types ORDER BY name COLLATE "C";

SELECT sched.create_job('tt greet', type => 'tt.greet', parameters => '{"to": "world"}') > 0 AS created;
SELECT sched.create_job('tt look', type => 'tt.look') > 0 AS created;
SELECT sched.create_job('tt nothing', type => 'tt.nothing') > 0 AS created;
SELECT sched.create_job('tt breaks', type => 'tt.breaks') > 0 AS created;

SELECT sched.run_job('tt greet') AS t \gset
SELECT sched.wait_for_task(:t);
SELECT status, result, executor FROM sched.get_task(:t);
SELECT level, message FROM sched.task_logs(:t);
-- The task's parameters lie over the job's.
SELECT sched.schedule_task('tt greet', parameters => '{"to": "moon", "times": 2}') AS t \gset
SELECT sched.wait_for_task(:t);
SELECT status, result ->> 'greeting' AS greeting FROM sched.get_task(:t);
SELECT sched.run_job('tt look', '{"a": 1}') AS t \gset
SELECT sched.wait_for_task(:t);
SELECT status, result FROM sched.get_task(:t);
SELECT sched.run_job('tt nothing') AS t \gset
SELECT sched.wait_for_task(:t);
SELECT status, result FROM sched.get_task(:t);
-- A handler that fails leaves nothing behind but the failure.
SELECT sched.run_job('tt breaks') AS t \gset
SELECT sched.wait_for_task(:t);
SELECT status, error, sqlstate FROM sched.get_task(:t);
SELECT count(*) FROM tt.trace;

-- Parameters that do not suit the schema are refused wherever they come in, with the path.
SELECT pg_temp.error_of($$SELECT sched.create_job('tt bad', type => 'tt.greet')$$);
SELECT pg_temp.error_of($$SELECT sched.create_job('tt bad', type => 'tt.greet', parameters => '{"to": ""}')$$);
SELECT pg_temp.error_of($$SELECT sched.create_job('tt bad', type => 'tt.greet', parameters => '{"to": "x", "also": ["A", "b"]}')$$);
SELECT pg_temp.error_of($$SELECT sched.update_job('tt greet', '{"parameters": {"to": 5}}')$$);
SELECT pg_temp.error_of($$SELECT sched.run_job('tt greet', '{"times": 2.5}')$$);
SELECT pg_temp.error_of($$SELECT sched.schedule_task('tt greet', parameters => '{"how": "mute"}')$$);
SELECT pg_temp.error_of($$SELECT sched.schedule_tasks('tt greet', ARRAY['{"times": 3}', '{"on": "2026-02-30"}']::jsonb[])$$);
SELECT pg_temp.error_of($$SELECT sched.add_trigger('tt greet', '@daily', parameters => '{"an \"odd\" key": 1}')$$);
SELECT pg_temp.error_of($$SELECT sched.update_job('tt look', '{"type": "tt.greet"}')$$);
SELECT pg_temp.error_of(format($$SELECT sched.run_job('tt greet', %L)$$, '{"to": ' || repeat('[', 200) || repeat(']', 200) || '}'));
SELECT pg_temp.error_of(format($$SELECT sched.run_job('tt greet', %L)$$, jsonb_build_object('to', repeat('x', 1100000))));
SELECT count(*) FROM sched.tasks WHERE job_name = 'tt greet';

-- A schema that is none is refused, with the path.
SELECT pg_temp.error_of($$SELECT sched.register_task_type('tt.x', NULL, '{"properties": {"a": {"type": "txt"}}}')$$);
SELECT pg_temp.error_of($$SELECT sched.register_task_type('tt.x', NULL, '{"properties": {"a": {"pattern": "("}}}')$$);
SELECT pg_temp.error_of($$SELECT sched.register_task_type('tt.x', NULL, '{"allOf": [{"$ref": "#/x"}]}')$$);
SELECT pg_temp.error_of($$SELECT sched.register_task_type('tt.x', NULL, '[]')$$);
-- So is a function that cannot be a handler, a bad name, a name that is taken.
SELECT pg_temp.error_of($$SELECT sched.register_task_type('tt.x', 'pg_catalog.now')$$);
SELECT pg_temp.error_of($$SELECT sched.register_task_type('tt.x', 'jsonb_array_elements')$$);
SELECT pg_temp.error_of($$SELECT sched.register_task_type('tt.x', 4294967295::oid)$$);
SELECT pg_temp.error_of($$SELECT sched.register_task_type('')$$);
SELECT pg_temp.error_of($$SELECT sched.register_task_type('two words')$$);
SELECT pg_temp.error_of($$SELECT sched.register_task_type(NULL)$$);
SELECT pg_temp.error_of($$SELECT sched.register_task_type('tt.greet')$$);
SELECT pg_temp.error_of($$SELECT sched.register_task_type('sql')$$);
SELECT pg_temp.error_of($$SELECT sched.update_task_type('sql', '{"handler": "tt.greet"}')$$);
SELECT pg_temp.error_of($$SELECT sched.update_task_type('tt.gret', '{}')$$);
SELECT pg_temp.error_of($$SELECT sched.update_task_type('tt.far', '{"handlr": "tt.greet"}')$$);
SELECT pg_temp.error_of($$SELECT sched.update_task_type('tt.far', '{"handler": "tt.no_such"}')$$);
SELECT pg_temp.error_of($$SELECT sched.unregister_task_type('tt.none')$$);

-- A task that waits for executors runs here as soon as its type gets a handler.
SELECT sched.create_job('tt far', type => 'tt.far') > 0 AS created;
SELECT sched.run_job('tt far') AS t \gset
SELECT status FROM sched.get_task(:t);
SELECT sched.update_task_type('tt.far', '{"handler": null}') AS changed;
SELECT sched.update_task_type('tt.far', '{"handler": "tt.look"}') AS changed;
SELECT sched.wait_for_task(:t);
SELECT sched.update_task_type('tt.far', '{"handler": null}') AS changed;
SELECT sched.run_job('tt far') AS t \gset
SELECT sched._settle();
SELECT status FROM sched.get_task(:t);
SELECT sched.cancel_task(:t);

-- A handler that is gone fails its tasks, and why() tells beforehand.
SELECT sched.pause_job('tt nothing');
SELECT sched.run_job('tt nothing') AS t \gset
DROP FUNCTION tt.nothing;
SELECT condition, satisfied, detail FROM sched.why(:t) WHERE condition LIKE '%handler%';
SELECT sched.resume_job('tt nothing');
SELECT sched.wait_for_task(:t);
SELECT status, error FROM sched.get_task(:t);

-- A new schema is held against the jobs that are there.
SELECT pg_temp.error_of($$SELECT sched.update_task_type('tt.greet', '{"parameter_schema": {"required": ["from"]}}')$$);
SELECT sched.update_task_type('tt.greet', '{"parameter_schema": {"required": ["to"]}}');
SELECT sched.run_job('tt greet', '{"from": "me"}') AS t \gset
SELECT sched.wait_for_task(:t);

-- A type in use stays.
SELECT pg_temp.error_of($$SELECT sched.unregister_task_type('tt.greet')$$);

--
-- Nobody gains a right by a type: its owner must be a member of the role that the job runs as.
--
SET client_min_messages = error;
SELECT sched.create_roles();
RESET client_min_messages;
CREATE ROLE tt_alice LOGIN;
CREATE ROLE tt_bob LOGIN;
GRANT sched_user TO tt_alice, tt_bob;
GRANT ALL ON SCHEMA tt TO tt_alice, tt_bob;
SET ROLE tt_alice;
CREATE FUNCTION tt.alice(parameters jsonb) RETURNS jsonb LANGUAGE sql RETURN to_jsonb(session_user::text);
SELECT sched.register_task_type('tt.alice', 'tt.alice');
SELECT sched.create_job('tt alice', type => 'tt.alice') > 0 AS created;
SELECT sched.run_job('tt alice') AS t \gset
SELECT sched.wait_for_task(:t);
SELECT result FROM sched.get_task(:t);
-- one that a superuser has registered is for all
SELECT sched.create_job('tt alice greets', type => 'tt.greet', parameters => '{"to": "bob"}') > 0 AS created;
SELECT sched.run_job('tt alice greets') AS t \gset
SELECT sched.wait_for_task(:t);
SELECT result FROM sched.get_task(:t);
SET ROLE tt_bob;
SELECT pg_temp.error_of($$SELECT sched.create_job('tt bob', type => 'tt.alice')$$);
SELECT pg_temp.error_of($$SELECT sched.update_task_type('tt.alice', '{"handler": null}')$$);
SELECT pg_temp.error_of($$SELECT sched.unregister_task_type('tt.alice')$$);
SELECT sched.create_job('tt bob greets', type => 'tt.greet', parameters => '{"to": "alice"}') > 0 AS created;
RESET ROLE;
SELECT replace(e, current_user, 'SUPERUSER') FROM pg_temp.error_of($$SELECT sched.create_job('tt root', type => 'tt.alice')$$) AS e;
-- an administrator who is no superuser takes over a type, and with it the answer for it
CREATE ROLE tt_admin LOGIN;
GRANT sched_admin TO tt_admin;
GRANT USAGE ON SCHEMA tt TO tt_admin;
SET ROLE tt_admin;
SELECT sched.update_task_type('tt.greet', '{"handler": "tt.look"}') AS changed;
RESET ROLE;
SELECT owner FROM sched.task_types WHERE name = 'tt.greet';
SELECT sched.update_job('tt bob greets', '{"max_attempts": 1}') > 0 AS changed;
SELECT sched.run_job('tt bob greets') AS t \gset
SELECT sched.wait_for_task(:t);
SELECT status, error, sqlstate FROM sched.get_task(:t);

SELECT sched.delete_job(name) FROM sched.jobs WHERE name LIKE 'tt %' ORDER BY name COLLATE "C";
SELECT sched.unregister_task_type(name) FROM sched.task_types WHERE NOT built_in ORDER BY name COLLATE "C";
SELECT name FROM sched.task_types ORDER BY name COLLATE "C";
DROP SCHEMA tt CASCADE;
DROP OWNED BY tt_alice, tt_bob, tt_admin;
DROP ROLE tt_alice, tt_bob, tt_admin;
