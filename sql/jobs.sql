-- Jobs: what is accepted, what is refused and how, and the states of jobs.
-- Nothing in here comes due, so a scheduler at work changes nothing.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS sched;
RESET client_min_messages;
SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';
SET intervalstyle = 'postgres';

-- The error of a statement as one line: SQLSTATE, message, detail, hint.
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

--
-- A job with nothing said has the defaults.
--
SELECT sched.create_job('plain', 'SELECT 1') > 0 AS created;
SELECT name, type, command, schedule, status, owner = current_user AS mine, priority, parameters, tags,
	timeout, max_attempts, retry_delay, retry_strategy, retry_max_delay, retry_jitter
FROM sched.jobs WHERE name = 'plain';
SELECT overlap_policy, max_concurrent_runs, misfire_policy, trigger_rule, routing, dst_policy, history,
	run_as = current_user AS as_me, next_fire_at, last_task_id, last_status, running, waiting,
	created_at = updated_at AS untouched, activated_at = created_at AS active_at_once
FROM sched.jobs WHERE name = 'plain';

-- Everything said is kept.
SELECT sched.create_job('full', 'SELECT 2', '0 3 1 1 *', 'sql', '{"a": 1}', 'Europe/Berlin', 'all of it',
	7, '10 min', 5, '30 s', 'fibonacci_backoff', '5 min', 'equal', 'buffer_one', 3, 'fire_all', '1 day', 12,
	'2090-01-01 00:00+00', '2099-01-01 00:00+00', 100, '2 s', NULL, 'all_done', '1 h', NULL, 2, '{gpu}',
	'least_load', NULL, 'skip_both', NULL, '{nightly,big}', 'failures', true) > 0 AS created;
\x on
SELECT name, command, schedule, timezone, status, priority, parameters, description, tags, timeout, max_attempts,
	retry_delay, retry_strategy, retry_max_delay, retry_jitter, overlap_policy, max_concurrent_runs,
	misfire_policy, catchup_window, catchup_limit, trigger_rule, dependency_timeout, pool_slots, required_tags,
	routing, dst_policy, history, start_at, end_at, max_runs, jitter, next_fire_at
FROM sched.jobs WHERE name = 'full';
\x off
SELECT (sched.get_job('full')).name, (sched.get_job('full')).next_fire_at;
SELECT name FROM sched.get_job((SELECT job_id FROM sched.jobs WHERE name = 'full'));
SELECT job_name, kind, schedule, timezone, next_fire_at, last_fire_at, fire_count, is_main FROM sched.triggers
WHERE job_name IN ('plain', 'full');

-- A job that is not active has no next fire.
SELECT sched.create_job('later', 'SELECT 3', '@at 2098-01-01 09:00+00', active => false) > 0 AS created;
SELECT status, next_fire_at, activated_at FROM sched.get_job('later');

--
-- Bad arguments are refused, and say how to do it right.
--
SELECT pg_temp.error_of($$SELECT sched.create_job(NULL, 'SELECT 1')$$);
SELECT pg_temp.error_of($$SELECT sched.create_job('', 'SELECT 1')$$);
SELECT pg_temp.error_of($$SELECT sched.create_job(repeat('x', 256), 'SELECT 1')$$);
SELECT pg_temp.error_of($$SELECT sched.create_job(E'two\nlines', 'SELECT 1')$$);
SELECT sched.create_job(repeat('x', 255), 'SELECT 1') > 0 AS longest_name;
SELECT sched.delete_job(repeat('x', 255));
SELECT pg_temp.error_of($$SELECT sched.create_job('bad')$$);
SELECT pg_temp.error_of($$SELECT sched.create_job('bad', E' \t ')$$);
SELECT pg_temp.error_of($$SELECT sched.create_job('bad', 'x', type => 'telepathy')$$);
SELECT pg_temp.error_of($$SELECT sched.create_job('bad', 'SELECT 1', parameters => '[1]')$$);
SELECT pg_temp.error_of($$SELECT sched.create_job('bad', 'SELECT 1', timezone => 'Mars/Olympus')$$);
SELECT pg_temp.error_of($$SELECT sched.create_job('bad', 'SELECT 1', overlap_policy => 'sometimes')$$);
SELECT pg_temp.error_of($$SELECT sched.create_job('bad', 'SELECT 1', misfire_policy => 'x')$$);
SELECT pg_temp.error_of($$SELECT sched.create_job('bad', 'SELECT 1', retry_strategy => 'x')$$);
SELECT pg_temp.error_of($$SELECT sched.create_job('bad', 'SELECT 1', retry_jitter => 'x')$$);
SELECT pg_temp.error_of($$SELECT sched.create_job('bad', 'SELECT 1', dst_policy => 'x')$$);
SELECT pg_temp.error_of($$SELECT sched.create_job('bad', 'SELECT 1', trigger_rule => 'x')$$);
SELECT pg_temp.error_of($$SELECT sched.create_job('bad', 'SELECT 1', routing => 'x')$$);
SELECT pg_temp.error_of($$SELECT sched.create_job('bad', 'SELECT 1', history => 'x')$$);
SELECT pg_temp.error_of($$SELECT sched.create_job('bad', 'SELECT 1', priority => 11)$$);
SELECT pg_temp.error_of($$SELECT sched.create_job('bad', 'SELECT 1', max_attempts => 0)$$);
SELECT pg_temp.error_of($$SELECT sched.create_job('bad', 'SELECT 1', max_concurrent_runs => 0)$$);
SELECT pg_temp.error_of($$SELECT sched.create_job('bad', 'SELECT 1', timeout => '-1 s')$$);
SELECT pg_temp.error_of($$SELECT sched.create_job('bad', 'SELECT 1', retry_delay => '-1 s')$$);
SELECT pg_temp.error_of($$SELECT sched.create_job('bad', 'SELECT 1', jitter => '-1 s')$$);
SELECT pg_temp.error_of($$SELECT sched.create_job('bad', 'SELECT 1', start_at => 'infinity')$$);
SELECT pg_temp.error_of($$SELECT sched.create_job('bad', 'SELECT 1', start_at => '2090-01-02', end_at => '2090-01-01')$$);
SELECT pg_temp.error_of($$SELECT sched.create_job('bad', 'SELECT 1', tags => '{a,NULL}')$$);
SELECT pg_temp.error_of($$SELECT sched.create_job('bad', 'SELECT 1', calendar => 'holidays')$$);
SELECT pg_temp.error_of($$SELECT sched.create_job('bad', 'SELECT 1', pool => 'small')$$);
SELECT pg_temp.error_of($$SELECT sched.create_job('bad', 'SELECT 1', depends_on => '{no such job}')$$);
-- schedules
SELECT pg_temp.error_of($$SELECT sched.create_job('bad', 'SELECT 1', '61 * * * *')$$);
SELECT pg_temp.error_of($$SELECT sched.create_job('bad', 'SELECT 1', '0 0 30 2 *')$$);
SELECT pg_temp.error_of($$SELECT sched.create_job('bad', 'SELECT 1', '@at 2001-01-01 00:00')$$);
SELECT pg_temp.error_of($$SELECT sched.create_job('bad', 'SELECT 1', '@daily', end_at => '2001-01-01')$$);
SELECT count(*) AS nothing_left_behind FROM sched.jobs WHERE name = 'bad';
SELECT pg_temp.error_of($$SELECT sched.create_job('plain', 'SELECT 1')$$);

--
-- Jobs are found by name and by id; names that are nearly right are offered.
--
SELECT pg_temp.error_of($$SELECT sched.pause_job('plane')$$);
SELECT pg_temp.error_of($$SELECT sched.get_job('something else')$$);
SELECT pg_temp.error_of($$SELECT sched.pause_job(0)$$);
SELECT pg_temp.error_of($$SELECT sched.pause_job(NULL::text)$$);
SELECT pg_temp.error_of($$SELECT sched.pause_job(NULL::bigint)$$);

--
-- Changing a job
--
SELECT sched.update_job('full', '{"priority": 9, "timeout": "1 minute", "tags": ["x"], "description": null,
	"parameters": {"b": [1, 2]}, "start_at": "2091-01-01T00:00:00Z"}') =
	(SELECT job_id FROM sched.jobs WHERE name = 'full') AS returns_id;
SELECT priority, timeout, tags, description, parameters, start_at, next_fire_at, updated_at > created_at AS touched
FROM sched.get_job('full');
-- null sets back to the default
SELECT sched.update_job('full', '{"priority": null, "timeout": null, "tags": null, "parameters": null,
	"required_tags": null, "type": null, "overlap_policy": null}') > 0 AS done;
SELECT priority, timeout, tags, parameters, required_tags, type, overlap_policy FROM sched.get_job('full');
-- nothing changed: nothing written
SELECT updated_at AS before FROM sched.get_job('full') \gset
SELECT sched.update_job('full', '{"priority": null, "schedule": "0 3 1 1 *", "active": true}') > 0 AS done;
SELECT sched.update_job('full', '{}') > 0 AS done;
SELECT updated_at = :'before' AS untouched FROM sched.get_job('full');
-- the schedule
SELECT sched.update_job('full', '{"schedule": "0 5 1 6 *", "timezone": "UTC"}') > 0 AS done;
SELECT schedule, timezone, next_fire_at FROM sched.get_job('full');
SELECT kind, schedule, is_main FROM sched.triggers WHERE job_name = 'full';
SELECT sched.update_job('full', '{"schedule": null}') > 0 AS done;
SELECT schedule, next_fire_at FROM sched.get_job('full');
SELECT sched.update_job('full', '{"schedule": "@at 2095-05-05 05:05"}') > 0 AS done;
SELECT schedule, next_fire_at FROM sched.get_job('full');
-- by id, and another name
SELECT sched.update_job((sched.get_job('full')).job_id, '{"name": "renamed"}') > 0 AS done;
SELECT name FROM sched.jobs WHERE name IN ('full', 'renamed');
SELECT pg_temp.error_of($$SELECT sched.update_job('renamed', '{"name": "plain"}')$$);
SELECT pg_temp.error_of($$SELECT sched.update_job('renamed', '{"name": null}')$$);
SELECT pg_temp.error_of($$SELECT sched.update_job('renamed', '{"prioritty": 1}')$$);
SELECT pg_temp.error_of($$SELECT sched.update_job('renamed', '{"owner": "somebody"}')$$);
SELECT pg_temp.error_of($$SELECT sched.update_job('renamed', '{"job_id": 1}')$$);
SELECT pg_temp.error_of($$SELECT sched.update_job('renamed', '{"priority": "high"}')$$);
SELECT pg_temp.error_of($$SELECT sched.update_job('renamed', '{"priority": 1.5}')$$);
SELECT pg_temp.error_of($$SELECT sched.update_job('renamed', '{"priority": 99999999999}')$$);
SELECT pg_temp.error_of($$SELECT sched.update_job('renamed', '{"priority": 12}')$$);
SELECT pg_temp.error_of($$SELECT sched.update_job('renamed', '{"timeout": 60}')$$);
SELECT pg_temp.error_of($$SELECT sched.update_job('renamed', '{"timeout": "soon"}')$$);
SELECT pg_temp.error_of($$SELECT sched.update_job('renamed', '{"start_at": "2090-13-01"}')$$);
SELECT pg_temp.error_of($$SELECT sched.update_job('renamed', '{"tags": "x"}')$$);
SELECT pg_temp.error_of($$SELECT sched.update_job('renamed', '{"tags": [1]}')$$);
SELECT pg_temp.error_of($$SELECT sched.update_job('renamed', '{"parameters": []}')$$);
SELECT pg_temp.error_of($$SELECT sched.update_job('renamed', '{"active": "yes"}')$$);
SELECT pg_temp.error_of($$SELECT sched.update_job('renamed', '{"command": ""}')$$);
SELECT pg_temp.error_of($$SELECT sched.update_job('renamed', '{"schedule": "every day"}')$$);
SELECT pg_temp.error_of($$SELECT sched.update_job('renamed', '{"overlap_policy": "never"}')$$);
SELECT pg_temp.error_of($$SELECT sched.update_job('renamed', '{"depends_on": ["no such job"]}')$$);
SELECT pg_temp.error_of($$SELECT sched.update_job('renamed', '{"run_as": "nobody_of_that_name"}')$$);
SELECT pg_temp.error_of($$SELECT sched.update_job('renamed', '[1]')$$);
SELECT pg_temp.error_of($$SELECT sched.update_job('renamed', NULL)$$);
SELECT pg_temp.error_of($$SELECT sched.update_job('no such job', '{}')$$);
SELECT schedule, priority, name FROM sched.get_job('renamed');

--
-- States.  Each action on each state: what happens, and what does not.
--
CREATE TEMP TABLE walk (n int GENERATED ALWAYS AS IDENTITY, from_status text, action text, result text, to_status text);
DO $$
DECLARE
	from_status text; action text; result text; job bigint;
BEGIN
	FOREACH from_status IN ARRAY ARRAY['created', 'active', 'paused', 'disabled', 'completed'] LOOP
		FOREACH action IN ARRAY ARRAY['activate', 'pause', 'resume', 'disable', 'delete'] LOOP
			job := sched.create_job('walk', 'SELECT 1', '@at 2097-01-01 00:00', active => from_status <> 'created');
			IF from_status = 'paused' THEN
				PERFORM sched.pause_job('walk', 'for the test');
			ELSIF from_status = 'disabled' THEN
				PERFORM sched.disable_job('walk');
			ELSIF from_status = 'completed' THEN
				PERFORM sched.update_job('walk', '{"end_at": "2001-01-01"}');
			END IF;
			ASSERT (sched.get_job('walk')).status = from_status, from_status;
			BEGIN
				EXECUTE format('SELECT sched.%I($1)', action || '_job') INTO result USING 'walk'::text;
			EXCEPTION WHEN object_not_in_prerequisite_state THEN
				result := SQLSTATE || ' ' || SQLERRM;
			END;
			INSERT INTO walk (from_status, action, result, to_status)
			VALUES (from_status, action, result, (SELECT j.status FROM sched.jobs j WHERE j.name = 'walk'));
			IF action <> 'delete' THEN
				PERFORM sched.delete_job(job);
			END IF;
		END LOOP;
	END LOOP;
END $$;
SELECT from_status, action, result, to_status FROM walk ORDER BY n;

-- Pausing keeps the place in time, disabling forgets it, activating starts afresh.
SELECT sched.create_job('states', 'SELECT 1', '@at 2096-01-01 00:00+00') AS states \gset
SELECT sched.pause_job('states', 'holidays');
SELECT status, status_reason, next_fire_at, paused_at IS NOT NULL AS paused_at FROM sched.get_job('states');
SELECT sched.resume_job(:states);
SELECT status, status_reason, next_fire_at, paused_at FROM sched.get_job(:states);
SELECT sched.schedule_task('states', '2096-02-02') AS task \gset
SELECT status, attempt, scheduled_at FROM sched.get_task(:task);
SELECT sched.disable_job('states', 'not wanted now');
SELECT status, status_reason, next_fire_at FROM sched.get_job('states');
SELECT status, attempt, reason FROM sched.get_task(:task);
SELECT sched.activate_job('states');
SELECT status, status_reason, next_fire_at FROM sched.get_job('states');
-- ROLLBACK leaves nothing
BEGIN;
SELECT sched.pause_job('states');
SELECT sched.create_job('rolled back', 'SELECT 1') > 0 AS created;
ROLLBACK;
SELECT name, status FROM sched.jobs WHERE name IN ('states', 'rolled back');
-- the state by update_job
SELECT sched.update_job('states', '{"active": false}') = :states AS same;
SELECT status FROM sched.get_job('states');
SELECT sched.update_job('states', '{"active": true}') = :states AS same;
SELECT status, next_fire_at FROM sched.get_job('states');

-- A job that is completed has another life with another schedule.
SELECT sched.update_job('states', '{"end_at": "2001-01-01"}') = :states AS same;
SELECT status, next_fire_at FROM sched.get_job('states');
SELECT pg_temp.error_of($$SELECT sched.activate_job('states')$$);
SELECT sched.update_job('states', '{"end_at": null, "schedule": "@at 2096-03-03 00:00+00"}') = :states AS same;
SELECT status, next_fire_at FROM sched.get_job('states');

-- Deleting cancels what waits and frees the name; the history stays.
SELECT sched.schedule_task('states', '2096-02-02') AS task \gset
SELECT sched.delete_job('states', 'gone');
SELECT status, reason, job_name FROM sched.get_task(:task);
SELECT count(*) FROM sched.jobs WHERE name = 'states';
SELECT pg_temp.error_of(format('SELECT sched.get_job(%s)', :states)) = format('42704 job %s does not exist', :states) AS gone LIMIT 1;
SELECT pg_temp.error_of($$SELECT sched.delete_job('states')$$);
SELECT sched.create_job('states', 'SELECT 1') <> :states AS another;

--
-- Several triggers
--
SELECT sched.add_trigger('later', '0 0 1 1 *', 'Asia/Tokyo', '{"half": 1}') AS first \gset
SELECT sched.add_trigger((sched.get_job('later')).job_id, '@at 2090-07-01 00:00+00', config => '{}') AS second \gset
SELECT kind, schedule, timezone, parameters, config, next_fire_at, is_main FROM sched.triggers
WHERE job_name = 'later' ORDER BY trigger_id;
SELECT sched.activate_job('later');
SELECT kind, next_fire_at > now() AS fires FROM sched.triggers WHERE job_name = 'later' ORDER BY trigger_id;
SELECT sched.remove_trigger(:first), sched.remove_trigger(:first) AS again;
SELECT next_fire_at FROM sched.get_job('later');
SELECT sched.remove_trigger(:second);
SELECT next_fire_at FROM sched.get_job('later');
SELECT pg_temp.error_of($$SELECT sched.add_trigger('later', NULL)$$);
SELECT pg_temp.error_of($$SELECT sched.add_trigger('later', 'whenever')$$);
SELECT pg_temp.error_of($$SELECT sched.add_trigger('later', '@daily', 'Nowhere')$$);
SELECT pg_temp.error_of($$SELECT sched.add_trigger('later', '@daily', parameters => '1')$$);
SELECT pg_temp.error_of($$SELECT sched.add_trigger('none', '@daily')$$);

-- Arrays of two dimensions, and what cannot be the name of a role.
SELECT pg_temp.error_of($$SELECT sched.create_job('no', 'SELECT 1', tags => '{{a},{b}}')$$);
SELECT pg_temp.error_of($$SELECT sched.create_job('no', 'SELECT 1', required_tags => '{{a},{b}}')$$);
SELECT pg_temp.error_of($$SELECT sched.update_job('later', '{"tags": [["a"]]}')$$);
SELECT pg_temp.error_of($$SELECT sched.update_job('later', '{"run_as": "no role"}')$$);

-- A surprising schedule is accepted with a notice.
SELECT sched.create_job('surprise', 'SELECT 1', '0 0 */10 * 1', active => false) > 0 AS created;

SELECT bool_and(sched.delete_job(job_id)) AS cleaned_up FROM sched.jobs;
SELECT count(*) FROM sched.jobs;
SELECT count(*) FROM sched.triggers;
