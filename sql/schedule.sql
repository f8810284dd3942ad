--
-- schedules: when they fire, what they mean, how bad ones are refused
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS sched;
RESET client_min_messages;
SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';

--
-- every form fires when it should
--
CREATE FUNCTION pg_temp.fires(schedule text, count int, after timestamptz,
	timezone text DEFAULT 'UTC', dst_policy text DEFAULT NULL, calendar text DEFAULT NULL)
RETURNS text LANGUAGE sql
RETURN (SELECT coalesce(string_agg(to_char(f, 'YYYY-MM-DD HH24:MI:SS.MS'), ' | ' ORDER BY f), 'never')
		FROM sched.next_fire_times(schedule, count, after, timezone, dst_policy, calendar) f);

SELECT schedule, pg_temp.fires(schedule, 2, '2026-01-01 00:00+00') AS fires
FROM unnest(ARRAY[
	'* * * * *', '*/5 9-17 * * MON-FRI', '0 22-2 * * *', '0 0 13 * FRI', '0 0 L * *', '0 0 LW * *',
	'0 0 15W * *', '0 0 * * 5#3', '0 0 * * 5L', '0 0 29 2 *', '0 0 30 2 *',
	'30 0 3 * * *', '30 0 3 * * ?', '0 0 12 ? * 2 2027', '0 0 0 L-3 * ?',
	'@hourly', '@DAILY', '@midnight', '@weekly', '@monthly', '@yearly', '@annually',
	'@every 90s', '@every 1 hour 30 minutes', '@every 100ms', '@after 10 minutes',
	'@at 2027-03-01 09:00', '@at 2027-03-01 09:00+02:00', '@at 2020-01-01 00:00',
	'TZ=Europe/Berlin 0 9 * * *', 'CRON_TZ=Asia/Kathmandu 0 9 * * *',
	'RRULE:FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13',
	'DTSTART:20260105T090000 RRULE:FREQ=WEEKLY;COUNT=2',
	'@startup', '@reboot', '@event order.*']) WITH ORDINALITY AS u (schedule, n)
ORDER BY n;

--
-- the arguments
--
SELECT count(*) AS default_count FROM sched.next_fire_times('* * * * *');
SELECT count(*) AS none FROM sched.next_fire_times('* * * * *', 0);
SELECT count(*) AS no_schedule FROM sched.next_fire_times(NULL);
SELECT count(*) AS null_is_default FROM sched.next_fire_times('* * * * *', NULL, NULL, NULL, NULL, NULL);
SELECT bool_and(f > now()) AS after_now FROM sched.next_fire_times('@monthly') f;
SELECT count(*) AS after_all FROM sched.next_fire_times('* * * * *', 5, 'infinity');
SELECT count(*) AS after_limit FROM sched.next_fire_times('* * * * *', 5, '2201-01-01');
SELECT f FROM sched.next_fire_times('0 9 * * *', after => '2026-07-01', timezone => 'europe/BERLIN', count => 1) f;
-- the zone in the text goes first
SELECT f FROM sched.next_fire_times('TZ=Asia/Tokyo 0 9 * * *', after => '2026-07-01', timezone => 'Europe/Berlin', count => 1) f;
-- a client's time zone changes nothing: without one in the job the server's counts
SET timezone = 'Asia/Tokyo';
SELECT zone, next_fire_at AT TIME ZONE 'UTC' AS utc
FROM sched._schedule_info('0 9 * * *', NULL, NULL, NULL, NULL, NULL, NULL, '2026-07-01 00:00+00');
SELECT zone FROM sched._schedule_info('0 9 * * *', 'Europe/Berlin', NULL, NULL, NULL, NULL, NULL);
SET timezone = 'UTC';

-- a gap and an overlap under every policy
SELECT policy, pg_temp.fires('30 2 * * *', 2, '2026-03-28 12:00+00', 'Europe/Berlin', policy) AS gap,
	pg_temp.fires('30 2 * * *', 3, '2026-10-24 12:00+00', 'Europe/Berlin', policy) AS overlap
FROM unnest(ARRAY['vixie', 'skip_both', 'skip_first', 'shift_first']) AS policy;

--
-- the published cases, under each policy for which they say something
--
\set cases `cat "$PG_ABS_SRCDIR/test/unit/cases/schedules.tsv"`
\set rules `cat "$PG_ABS_SRCDIR/test/unit/cases/schedules.rule.tsv"`
CREATE TEMP TABLE schedule_case AS
WITH line AS (
	SELECT string_to_array(l, E'\t') AS field
	FROM string_to_table(:'cases', E'\n') l
	WHERE l <> '' AND l !~ '^id\t'
), rule AS (
	SELECT split_part(l, E'\t', 1) AS id, split_part(l, E'\t', 2) AS policy, split_part(l, E'\t', 3) AS expected
	FROM string_to_table(:'rules', E'\n') l
)
SELECT field[1] AS id, field[2] AS schedule, field[3] AS timezone, field[4]::timestamptz AS after,
	p.policy, coalesce(r.expected, field[4 + n]) AS expected
FROM line
CROSS JOIN unnest(ARRAY['vixie', 'skip_both', 'skip_first', 'shift_first']) WITH ORDINALITY AS p (policy, n)
LEFT JOIN rule r ON r.id = field[1] AND r.policy = p.policy
WHERE coalesce(r.expected, field[4 + n], '') <> '';

CREATE FUNCTION pg_temp.outcome(c schedule_case) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	expected timestamptz[];
	found timestamptz[];
BEGIN
	IF c.expected NOT IN ('ERROR', 'NEVER') THEN
		expected := string_to_array(c.expected, ' ')::timestamptz[];
	END IF;
	found := ARRAY(SELECT f FROM sched.next_fire_times(c.schedule, coalesce(cardinality(expected), 1),
		c.after, c.timezone, c.policy) f);
	RETURN CASE WHEN found = expected THEN 'as expected'
		WHEN found = '{}' THEN 'NEVER'
		ELSE found::text END;
EXCEPTION WHEN invalid_parameter_value THEN
	RETURN 'ERROR';
END $$;

SELECT count(*) > 500 AS many, count(DISTINCT id) > 280 AS most, count(DISTINCT policy) AS policies FROM schedule_case;
-- two zones whose rules for the years to come may be newer than the cases
CREATE TEMP TABLE moved_zone AS
SELECT z.name FROM (VALUES ('America/Havana', timestamptz '2026-12-01 12:00+00', time '07:00'),
	('Africa/Casablanca', '2027-06-01 12:00+00', '13:00')) AS z (name, at, clock)
WHERE (z.at AT TIME ZONE z.name)::time <> z.clock;
SELECT c.id, c.policy, c.schedule, c.expected, pg_temp.outcome(c) AS outcome
FROM schedule_case c
WHERE c.timezone NOT IN (SELECT m.name FROM moved_zone m) AND pg_temp.outcome(c) <> CASE WHEN c.expected IN ('ERROR', 'NEVER') THEN c.expected ELSE 'as expected' END
ORDER BY c.id, c.policy;

--
-- bad input: 22023, with the place in DETAIL and a right one in HINT
--
\set VERBOSITY default
SELECT * FROM sched.next_fire_times('0 9 61 * *');
SELECT * FROM sched.next_fire_times('0 9');
SELECT * FROM sched.next_fire_times('');
SELECT * FROM sched.next_fire_times(E'0\t9\n6x * *');
SELECT * FROM sched.next_fire_times(repeat('1,', 40) || '77 0 9 * *');
SELECT * FROM sched.next_fire_times('@every 0s');
SELECT * FROM sched.next_fire_times('@fortnightly');
SELECT * FROM sched.next_fire_times('@at 2027-13-01 09:00');
SELECT * FROM sched.next_fire_times('RRULE:FREQ=DAILY;BYHOUR=25');
SELECT * FROM sched.describe_schedule('* * * *');
SELECT * FROM sched.next_fire_times('* * * * *', -1);
SELECT * FROM sched.next_fire_times('* * * * *', 100001);

-- zones: what is like it; no rules, no files, no other tricks
SELECT * FROM sched.next_fire_times('0 9 * * *', timezone => 'Europe/Berln');
SELECT * FROM sched.next_fire_times('0 9 * * *', timezone => 'New York');
SELECT * FROM sched.next_fire_times('0 9 * * *', timezone => 'UTC+2');
SELECT * FROM sched.next_fire_times('0 9 * * *', timezone => 'Qwertzuiop');
SELECT * FROM sched.next_fire_times('TZ=Asia/Tokio 0 9 * * *');
SELECT name, sched._zone_name(name)
FROM unnest(ARRAY['UTC', 'utc', 'EUROPE/berlin', 'EST5EDT', 'Etc/GMT-14', '+02', '<+02>-02', 'FOO3', 'posixrules',
	'posix/Europe/Berlin', 'right/Europe/Berlin', 'localtime', ':UTC', '/etc/passwd', '../Europe/Berlin',
	'', ' UTC', repeat('A', 100)]) WITH ORDINALITY AS u (name, n)
ORDER BY n;
-- our reading of a zone is the server's
SELECT count(*) AS differences
FROM (VALUES ('Europe/Berlin'), ('America/New_York'), ('Africa/Casablanca'), ('Australia/Lord_Howe'),
	('Pacific/Apia'), ('Asia/Kathmandu'), ('Antarctica/Troll')) AS z (name),
	generate_series(timestamptz '2001-01-01', '2090-01-01', '1001 hours') AS t (t),
	sched.next_fire_times('0 9 * * *', 1, t.t, z.name) AS f
WHERE (f AT TIME ZONE z.name)::time <> '09:00' OR f <= t.t OR f > t.t + interval '49 hours';

SELECT * FROM sched.next_fire_times('0 9 * * *', dst_policy => 'never');
SELECT * FROM sched.next_fire_times('0 9 * * *', calendar => 'nowhere');

--
-- in words
--
SELECT schedule, sched.describe_schedule(schedule)
FROM unnest(ARRAY['* * * * *', '0 9 * * MON-FRI', '@every 90s', '@at 2027-03-01 09:00', '@daily',
	'@event order.created']) WITH ORDINALITY AS u (schedule, n)
ORDER BY n;
SELECT sched.describe_schedule(NULL) IS NULL AS nothing;

--
-- what other functions ask
--
SELECT * FROM sched._schedule_info('0 9 13 * FRI', 'europe/berlin', NULL, NULL, NULL, NULL, NULL, '2026-01-01 00:00+00');
-- a fire at start_at counts, and so does one at end_at
SELECT next_fire_at FROM sched._schedule_info('0 9 * * *', 'UTC', NULL, NULL, NULL,
	'2030-01-01 09:00+00', '2030-01-01 09:00+00');
SELECT next_fire_at FROM sched._schedule_info('0 9 * * *', 'UTC', NULL, NULL, NULL,
	'2030-01-01 09:01+00', '2030-01-02 08:59+00');
SELECT next_fire_at FROM sched._schedule_info('@every 1 hour', 'UTC', NULL, NULL, NULL, '2030-01-01 09:17+00', NULL);
SELECT kind, next_fire_at FROM sched._schedule_info('@event a.b', 'UTC', NULL, NULL, NULL, NULL, NULL);
SELECT kind, next_fire_at FROM sched._schedule_info('@after 5m', 'UTC', NULL, NULL, NULL, NULL, NULL, '2026-01-01 00:00+00');
SELECT kind, next_fire_at FROM sched._schedule_info('0 0 30 2 *', 'UTC', NULL, NULL, NULL, NULL, NULL);
SELECT sched._schedule_last('*/5 * * * *', 'UTC', NULL, NULL, NULL, '2026-01-01 10:01+00', '2026-01-01 10:33+00') AS last,
	sched._schedule_count('*/5 * * * *', 'UTC', NULL, NULL, NULL, '2026-01-01 10:01+00', '2026-01-01 10:33+00') AS count,
	sched._schedule_count('*/5 * * * *', 'UTC', NULL, NULL, NULL, '2026-01-01 10:01+00', '2026-01-01 10:33+00', 4) AS limited,
	sched._schedule_next('*/5 * * * *', 'UTC', NULL, NULL, NULL, NULL, '2026-01-01 10:33+00') AS next;
SELECT sched._schedule_next('@every 10m', 'UTC', NULL, NULL, '2026-01-01 10:03+00', NULL, '2026-01-01 10:33+00') AS in_phase,
	sched._schedule_next('@after 10m', 'UTC', NULL, NULL, NULL, '2026-01-01 10:30+00', '2026-01-01 10:33+00') AS from_end;
SELECT count(*), min(f), max(f)
FROM sched._schedule_fires('0 * * * *', 'UTC', NULL, NULL, NULL, '2026-01-01 00:00+00', '2026-01-02 00:00+00', 100) f;

--
-- the plan of a job
--
\set SHOW_CONTEXT never
SELECT sched.create_job('plan', 'SELECT 1', '0 9 * * *', timezone => 'Europe/Berlin',
	start_at => '2030-03-30 00:00+00', end_at => '2030-04-01 12:00+00', active => false) > 0 AS created;
SELECT sched.add_trigger('plan', '@every 12 hours') > 0 AS added;
SELECT f FROM sched.job_plan('plan', '2030-01-01', '2031-01-01') f;
-- from_time belongs to it, to_time does not
SELECT f FROM sched.job_plan('plan', '2030-03-31 12:00+00', '2030-04-01 07:00+00') f;
SELECT count(*) = 2 AS by_id
FROM sched.job_plan((SELECT job_id FROM sched.jobs WHERE name = 'plan'), '2030-03-31 12:00+00', '2030-04-01 07:00+00');
SELECT count(*) FROM sched.job_plan('plan', '2030-01-01', '2030-01-01');
SELECT * FROM sched.job_plan('plan', '2031-01-01', '2030-01-01');
SELECT * FROM sched.job_plan('plan', NULL, '2030-01-01');
\set VERBOSITY terse
SELECT * FROM sched.job_plan('no such plan', '2030-01-01', '2031-01-01');
SELECT sched.create_job('busy plan', 'SELECT 1', '* * * * * *', start_at => '2030-01-01', active => false) > 0 AS created;
SELECT count(*) FROM sched.job_plan('busy plan', '2030-01-01', timestamptz '2030-01-01' + interval '100000 seconds');
SELECT count(*) FROM sched.job_plan('busy plan', '2030-01-01', '2031-01-01');
SELECT sched.delete_job('plan') AND sched.delete_job('busy plan') AS deleted;
