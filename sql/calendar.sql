--
-- calendars: which days they include, who may change them, what they do to schedules
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS sched;
RESET client_min_messages;
SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';
\set SHOW_CONTEXT never

SELECT sched.create_calendar('workdays', '{"weekly": ["MON", "TUE", "WED", "THU", "FRI"], "exclude": ["12-25", "2026-01-01"]}');
SELECT sched.create_calendar('closing', '{"include": [{"month": 11, "weekday": "THU", "nth": 4}, "2026-12-24..2026-12-31"]}', 'days of closing');
SELECT sched.create_calendar('open', '{"include_calendars": ["workdays"], "exclude_calendars": ["closing"]}');
SELECT name, spec, owner = current_user AS mine, description, updated_at = created_at AS unchanged
FROM sched.calendars ORDER BY name;

-- which days
SELECT to_char(d, 'Dy YYYY-MM-DD') AS day, sched.calendar_includes('workdays', d::date) AS workdays,
	sched.calendar_includes('closing', d::date) AS closing, sched.calendar_includes('open', d::date) AS open
FROM unnest(ARRAY['2026-01-01', '2026-01-02', '2026-01-03', '2026-11-25', '2026-11-26', '2026-12-24', '2026-12-25']::date[]) d
ORDER BY d;
SELECT sched.calendar_includes('workdays', 'infinity');
SELECT sched.calendar_includes('nowhere', '2026-01-01');

-- a schedule fires on its days only, and those are the days of its zone
SELECT f FROM sched.next_fire_times('0 9 * * *', 4, '2025-12-30 12:00+00', 'UTC', calendar => 'workdays') f;
SELECT f FROM sched.next_fire_times('30 23 * * *', 2, '2026-01-01 00:00+00', 'America/New_York', calendar => 'workdays') f;
SELECT f FROM sched.next_fire_times('@every 1 day', 3, '2025-12-30 12:00+00', 'UTC', calendar => 'workdays') f;
SELECT f FROM sched.next_fire_times('RRULE:FREQ=DAILY', 3, '2025-12-30 12:00+00', 'UTC', calendar => 'open') f;
SELECT count(*) AS never FROM sched.next_fire_times('0 9 25 12 *', calendar => 'workdays');
SELECT sched._schedule_count('0 9 * * *', 'UTC', NULL, 'workdays', NULL, '2026-01-01 00:00+00', '2026-02-01 00:00+00') AS january;

-- a spec that is bad is refused, with the place
SELECT sched.create_calendar('bad', '{"weekly": ["MON", "FOO"]}');
SELECT sched.create_calendar('bad', '{"exclude": ["2027-02-30"]}');
SELECT sched.create_calendar('bad', '{"weekdays": ["MON"]}');
SELECT sched.create_calendar('bad', '[]');
SELECT sched.create_calendar('bad', '{"include_calendars": ["nowhere"]}');
SELECT sched.create_calendar('bad', '{"include_calendars": ["bad"]}');
SELECT sched.create_calendar('bad', NULL);
SELECT sched.create_calendar('', '{"weekly": ["MON"]}');
SELECT sched.create_calendar(NULL, '{"weekly": ["MON"]}');
SELECT sched.create_calendar(repeat('x', 64), '{"weekly": ["MON"]}');
SELECT sched.create_calendar('workdays', '{"weekly": ["MON"]}');

-- no circles by way of an update either
SELECT sched.update_calendar('workdays', '{"include_calendars": ["open"]}');
SELECT sched.update_calendar('nowhere', '{"weekly": ["MON"]}');
-- an update is seen at once, also through the calendars that refer to it
SELECT sched.update_calendar('workdays', '{"weekly": ["SAT"]}') AS changed;
SELECT sched.update_calendar('workdays', '{"weekly": ["SAT"]}') AS changed;
SELECT sched.update_calendar('workdays', NULL, 'Saturdays') AS changed;
SELECT sched.update_calendar('workdays', NULL, 'Saturdays') AS changed;
SELECT name, spec, description FROM sched.calendars WHERE name = 'workdays';
SELECT f FROM sched.next_fire_times('0 9 * * *', 2, '2026-01-01 00:00+00', 'UTC', calendar => 'open') f;

-- what is in use stays
SELECT sched.create_job('keeper', 'SELECT 1', '0 9 * * *', calendar => 'open', start_at => '2030-01-01', active => false) > 0 AS created;
SELECT f FROM sched.job_plan('keeper', '2030-01-01', '2030-01-14') f;
SELECT sched.drop_calendar('open');
SELECT sched.drop_calendar('workdays');
SELECT sched.delete_job('keeper') AS deleted;
SELECT sched.drop_calendar('open') AS dropped;
SELECT sched.drop_calendar('open') AS dropped;

-- only the owner changes it; everybody may use it
CREATE ROLE regress_sched_stranger;
GRANT USAGE ON SCHEMA sched TO regress_sched_stranger;
GRANT EXECUTE ON FUNCTION sched.create_calendar(text, jsonb, text), sched.update_calendar(text, jsonb, text),
	sched.drop_calendar(text), sched.calendar_includes(text, date),
	sched.next_fire_times(text, int, timestamptz, text, text, text) TO regress_sched_stranger;
SET ROLE regress_sched_stranger;
\set VERBOSITY terse
SELECT sched.update_calendar('workdays', '{"weekly": ["SUN"]}');
SELECT sched.drop_calendar('workdays');
SELECT sched.create_calendar('mine', '{"include_calendars": ["workdays"]}');
SELECT sched.calendar_includes('mine', '2026-01-03') AS saturday;
SELECT f FROM sched.next_fire_times('0 9 * * *', 1, '2026-01-01 00:00+00', 'UTC', calendar => 'mine') f;
SELECT count(*) FROM sched._calendar;
SELECT sched.drop_calendar('mine') AS dropped;
RESET ROLE;
REVOKE ALL ON FUNCTION sched.create_calendar(text, jsonb, text), sched.update_calendar(text, jsonb, text),
	sched.drop_calendar(text), sched.calendar_includes(text, date),
	sched.next_fire_times(text, int, timestamptz, text, text, text) FROM regress_sched_stranger;
REVOKE USAGE ON SCHEMA sched FROM regress_sched_stranger;
DROP ROLE regress_sched_stranger;
SELECT sched.drop_calendar('workdays') AND sched.drop_calendar('closing') AS dropped;
