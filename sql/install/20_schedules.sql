/*
 * Schedules and calendars.
 *
 * What a schedule means is computed in C without touching any table but
 * _calendar.  Calendars are changed by the private functions below, which
 * the public ones of the same name call as the extension's owner, with the
 * caller's role in front.
 */

/* The name's collation is what the index is searched by from C. */
CREATE TABLE sched._calendar
(
	name		text COLLATE pg_catalog."C" NOT NULL,
	spec		jsonb NOT NULL,
	owner		regrole NOT NULL,
	description	text,
	created_at	timestamptz NOT NULL,
	updated_at	timestamptz NOT NULL,
	CONSTRAINT calendar_pkey PRIMARY KEY (name),
	CONSTRAINT calendar_name_check CHECK (name <> '' AND octet_length(name) <= 63)
);
COMMENT ON TABLE sched._calendar IS 'Named sets of days on which jobs may or may not fire.';

CREATE VIEW sched.calendars WITH (security_barrier) AS
	SELECT c.name, c.spec, pg_catalog.pg_get_userbyid(c.owner) AS owner, c.description,
		c.created_at, c.updated_at
	FROM sched._calendar c;
COMMENT ON VIEW sched.calendars IS 'Named sets of days on which jobs may or may not fire. Everybody may use every calendar.';

/* ---- schedules ---- */

CREATE FUNCTION sched.next_fire_times(schedule text, count int DEFAULT 5,
	after timestamptz DEFAULT pg_catalog.now(), timezone text DEFAULT NULL,
	dst_policy text DEFAULT NULL, calendar text DEFAULT NULL)
RETURNS SETOF timestamptz LANGUAGE c STABLE PARALLEL RESTRICTED ROWS 5 COST 100
AS 'MODULE_PATHNAME', 'sched_next_fire_times';
COMMENT ON FUNCTION sched.next_fire_times(text, int, timestamptz, text, text, text) IS
'The next instants at which a schedule fires, strictly after the one given. Fixed rates count from there, and runs of a fixed delay are taken to need no time. The function of @custom is called with the rights of the caller and an empty config.';

CREATE FUNCTION sched.describe_schedule(schedule text)
RETURNS text LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'sched_describe_schedule';
COMMENT ON FUNCTION sched.describe_schedule(text) IS 'What a schedule says, in plain English.';

/* Raises 22023 for what cannot be used; after: when looking for the next fire begins, default now. */
CREATE FUNCTION sched._schedule_info(schedule text, timezone text, dst_policy text, calendar text,
	anchor timestamptz, start_at timestamptz, end_at timestamptz, after timestamptz DEFAULT NULL,
	OUT kind text, OUT next_fire_at timestamptz, OUT surprise text, OUT zone text)
LANGUAGE c STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'sched_schedule_info';
COMMENT ON FUNCTION sched._schedule_info(text, text, text, text, timestamptz, timestamptz, timestamptz, timestamptz) IS 'Checks a schedule and what goes with it; says its kind, its first fire, its zone and what may surprise.';

CREATE FUNCTION sched._schedule_next(schedule text, timezone text, dst_policy text, calendar text,
	anchor timestamptz, previous_end timestamptz, after timestamptz)
RETURNS timestamptz LANGUAGE c STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'sched_schedule_sql_next';
COMMENT ON FUNCTION sched._schedule_next(text, text, text, text, timestamptz, timestamptz, timestamptz) IS 'The first fire after an instant.';

CREATE FUNCTION sched._schedule_period(schedule text)
RETURNS numeric LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'sched_schedule_fixed_period';
COMMENT ON FUNCTION sched._schedule_period(text) IS 'The seconds of @every, NULL for months and for every other schedule.';

/* The following three look at the fires in (after, upto]. */
CREATE FUNCTION sched._schedule_last(schedule text, timezone text, dst_policy text, calendar text,
	anchor timestamptz, after timestamptz, upto timestamptz)
RETURNS timestamptz LANGUAGE c STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'sched_schedule_sql_last';
COMMENT ON FUNCTION sched._schedule_last(text, text, text, text, timestamptz, timestamptz, timestamptz) IS 'The last fire up to an instant.';

CREATE FUNCTION sched._schedule_count(schedule text, timezone text, dst_policy text, calendar text,
	anchor timestamptz, after timestamptz, upto timestamptz, max_count bigint DEFAULT NULL)
RETURNS bigint LANGUAGE c STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'sched_schedule_sql_count';
COMMENT ON FUNCTION sched._schedule_count(text, text, text, text, timestamptz, timestamptz, timestamptz, bigint) IS 'How many fires lie between two instants.';

CREATE FUNCTION sched._schedule_fires(schedule text, timezone text, dst_policy text, calendar text,
	anchor timestamptz, after timestamptz, upto timestamptz, max_rows int)
RETURNS SETOF timestamptz LANGUAGE c STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'sched_schedule_sql_fires';
COMMENT ON FUNCTION sched._schedule_fires(text, text, text, text, timestamptz, timestamptz, timestamptz, int) IS 'The fires between two instants.';

/* The name of a time zone as the server spells it, NULL for what is none. */
CREATE FUNCTION sched._zone_name(timezone text)
RETURNS text LANGUAGE c STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'sched_zone_name';
COMMENT ON FUNCTION sched._zone_name(text) IS 'The proper name of a time zone.';

/* ---- the plan of a job ---- */

CREATE FUNCTION sched._job_plan(caller oid, job_id bigint, from_time timestamptz, to_time timestamptz)
RETURNS SETOF timestamptz LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	max_rows constant int := 100000;
	rows_seen int := 0;
	visible_job bigint := sched._job_id(_job_plan.caller, _job_plan.job_id);
	job_name text;
	fire timestamptz;
BEGIN
	SELECT j.name INTO job_name FROM sched._job j WHERE j.job_id = visible_job;
	IF _job_plan.from_time IS NULL OR _job_plan.to_time IS NULL OR
		_job_plan.from_time > _job_plan.to_time
	THEN
		RAISE EXCEPTION 'invalid time range for the plan of job "%"', job_name USING
			ERRCODE = '22023',
			DETAIL = format('from_time is %s, to_time is %s.',
				coalesce(_job_plan.from_time::text, 'NULL'), coalesce(_job_plan.to_time::text, 'NULL')),
			HINT = 'Give both, from_time not after to_time.';
	END IF;

	/* what lies before start_at or behind end_at is no part of the plan */
	FOR fire IN
		SELECT f.fire
		FROM sched._job j
		JOIN sched._trigger t ON t.job_id = j.job_id
		CROSS JOIN LATERAL sched._schedule_fires(t.schedule, coalesce(t.timezone, j.timezone),
			j.dst_policy, j.calendar, coalesce(j.start_at, t.created_at),
			greatest(_job_plan.from_time, j.start_at) - interval '1 microsecond',
			least(_job_plan.to_time - interval '1 microsecond', j.end_at),
			max_rows + 1) AS f (fire)
		WHERE j.job_id = visible_job
		ORDER BY f.fire
		LIMIT max_rows + 1
	LOOP
		rows_seen := rows_seen + 1;
		IF rows_seen > max_rows THEN
			RAISE EXCEPTION 'the plan of job "%" has more than % rows', job_name, max_rows USING
				ERRCODE = '22023',
				DETAIL = format('They fit up to %s.', fire),
				HINT = 'Ask for a shorter time.';
		END IF;
		RETURN NEXT fire;
	END LOOP;
END
$$;
COMMENT ON FUNCTION sched._job_plan(oid, bigint, timestamptz, timestamptz) IS 'When the triggers of a job fire.';

CREATE FUNCTION sched._job_plan(caller oid, job text, from_time timestamptz, to_time timestamptz)
RETURNS SETOF timestamptz LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN QUERY SELECT p.fire
		FROM sched._job_plan(_job_plan.caller, sched._job_id(_job_plan.caller, _job_plan.job),
			_job_plan.from_time, _job_plan.to_time) AS p (fire);
END
$$;
COMMENT ON FUNCTION sched._job_plan(oid, text, timestamptz, timestamptz) IS 'When the triggers of a job fire.';

CREATE FUNCTION sched.job_plan(job text, from_time timestamptz, to_time timestamptz)
RETURNS SETOF timestamptz LANGUAGE c STABLE
AS 'MODULE_PATHNAME', 'sched_job_plan';
COMMENT ON FUNCTION sched.job_plan(text, timestamptz, timestamptz) IS
'When the triggers of a job fire from from_time on and before to_time, all in one order.';

CREATE FUNCTION sched.job_plan(job_id bigint, from_time timestamptz, to_time timestamptz)
RETURNS SETOF timestamptz LANGUAGE c STABLE
AS 'MODULE_PATHNAME', 'sched_job_plan';
COMMENT ON FUNCTION sched.job_plan(bigint, timestamptz, timestamptz) IS
'When the triggers of a job fire from from_time on and before to_time, all in one order.';

/* ---- calendars ---- */

/* Raises 22023 for a spec that cannot be used under this name. */
CREATE FUNCTION sched._calendar_check(name text, spec jsonb)
RETURNS void LANGUAGE c STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'sched_calendar_check';
COMMENT ON FUNCTION sched._calendar_check(text, jsonb) IS 'Refuses a spec that a calendar of that name cannot have.';

CREATE FUNCTION sched.calendar_includes(calendar text, day date)
RETURNS boolean LANGUAGE c STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'sched_calendar_includes_day';
COMMENT ON FUNCTION sched.calendar_includes(text, date) IS 'Is this a day on which jobs with the calendar may fire?';

/*
 * Locks the calendar for a change by its owner; false when there is none.
 * Changes come one after the other: two at once could close a circle.
 */
CREATE FUNCTION sched._calendar_lock(caller oid, calendar text)
RETURNS boolean LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	calendar_owner oid;
BEGIN
	LOCK TABLE sched._calendar IN SHARE ROW EXCLUSIVE MODE;
	SELECT c.owner INTO calendar_owner FROM sched._calendar c
		WHERE c.name = _calendar_lock.calendar FOR UPDATE;
	IF NOT FOUND THEN
		RETURN false;
	END IF;
	PERFORM sched._check_right(_calendar_lock.caller, calendar_owner, 'change',
		format('calendar "%s"', _calendar_lock.calendar));
	RETURN true;
END
$$;
COMMENT ON FUNCTION sched._calendar_lock(oid, text) IS 'Locks a calendar for a change.';

CREATE FUNCTION sched._create_calendar(caller oid, name text, spec jsonb, description text)
RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	calendar text := _create_calendar.name;
BEGIN
	IF calendar IS NULL OR calendar = '' OR octet_length(calendar) > 63 THEN
		RAISE EXCEPTION 'invalid calendar name "%"', coalesce(calendar, '') USING
			ERRCODE = '22023',
			DETAIL = 'A name has 1 to 63 bytes.',
			HINT = 'For example "holidays".';
	END IF;
	IF _create_calendar.spec IS NULL THEN
		RAISE EXCEPTION 'calendar "%" has no spec', calendar USING
			ERRCODE = '22023',
			HINT = 'For example {"weekly": ["MON", "TUE", "WED", "THU", "FRI"], "exclude": ["12-25"]}.';
	END IF;
	LOCK TABLE sched._calendar IN SHARE ROW EXCLUSIVE MODE;
	PERFORM sched._calendar_check(calendar, _create_calendar.spec);

	INSERT INTO sched._calendar AS c (name, spec, owner, description, created_at, updated_at)
	SELECT calendar, _create_calendar.spec, _create_calendar.caller::regrole,
			coalesce(_create_calendar.description, _create_calendar.spec ->> 'description'),
			clock.now, clock.now
	FROM (SELECT sched._now() AS now OFFSET 0) AS clock
	ON CONFLICT ON CONSTRAINT calendar_pkey DO NOTHING;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'calendar "%" already exists', calendar USING
			ERRCODE = '42710',
			HINT = 'sched.update_calendar() replaces its spec.';
	END IF;
END
$$;
COMMENT ON FUNCTION sched._create_calendar(oid, text, jsonb, text) IS 'Makes a calendar.';

CREATE FUNCTION sched.create_calendar(name text, spec jsonb, description text DEFAULT NULL)
RETURNS void LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched.create_calendar(text, jsonb, text) IS
'Makes a named set of days on which jobs may or may not fire.';

CREATE FUNCTION sched._update_calendar(caller oid, name text, spec jsonb, description text)
RETURNS boolean LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	calendar text := _update_calendar.name;
BEGIN
	IF NOT sched._calendar_lock(_update_calendar.caller, calendar) THEN
		RAISE EXCEPTION 'calendar "%" does not exist', calendar USING
			ERRCODE = '42704',
			HINT = 'Calendars are made by sched.create_calendar().';
	END IF;
	PERFORM sched._calendar_check(calendar, _update_calendar.spec);

	/* NULL leaves things as they are */
	UPDATE sched._calendar c
	SET spec = n.spec, description = n.description, updated_at = sched._now()
	FROM (SELECT coalesce(_update_calendar.spec, o.spec) AS spec,
			coalesce(_update_calendar.description, _update_calendar.spec ->> 'description',
				o.description) AS description
		  FROM sched._calendar o WHERE o.name = calendar) n
	WHERE c.name = calendar AND (c.spec, c.description) IS DISTINCT FROM (n.spec, n.description);
	RETURN FOUND;
END
$$;
COMMENT ON FUNCTION sched._update_calendar(oid, text, jsonb, text) IS 'Replaces the days of a calendar.';

CREATE FUNCTION sched.update_calendar(name text, spec jsonb, description text DEFAULT NULL)
RETURNS boolean LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched.update_calendar(text, jsonb, text) IS
'Replaces the days of a calendar, for all jobs that use it. False when nothing changed.';

CREATE FUNCTION sched._drop_calendar(caller oid, name text)
RETURNS boolean LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	calendar text := _drop_calendar.name;
	users bigint;
	used_by text;
BEGIN
	IF NOT sched._calendar_lock(_drop_calendar.caller, calendar) THEN
		RETURN false;
	END IF;

	/* other people's jobs are counted, but not named */
	SELECT count(*), min(j.name) FILTER (WHERE sched._may(_drop_calendar.caller, j.owner::oid, 'see'))
	INTO users, used_by
	FROM sched._job j
	WHERE j.calendar = _drop_calendar.name AND j.status <> 'deleted';
	IF users > 0 THEN
		RAISE EXCEPTION 'calendar "%" is in use', calendar USING
			ERRCODE = '55000',
			DETAIL = format('Jobs that use it: %s%s.', users,
				coalesce(format(', among them "%s"', used_by), '')),
			HINT = 'Give these jobs another calendar first.';
	END IF;

	SELECT string_agg(format('"%s"', c.name), ', ' ORDER BY c.name) INTO used_by
	FROM sched._calendar c
	WHERE c.name <> calendar AND
		(c.spec -> 'include_calendars' ? calendar OR c.spec -> 'exclude_calendars' ? calendar);
	IF used_by IS NOT NULL THEN
		RAISE EXCEPTION 'calendar "%" is in use', calendar USING
			ERRCODE = '55000',
			DETAIL = format('Calendars that refer to it: %s.', used_by),
			HINT = 'Take it out of these calendars first.';
	END IF;

	DELETE FROM sched._calendar c WHERE c.name = calendar;
	RETURN true;
END
$$;
COMMENT ON FUNCTION sched._drop_calendar(oid, text) IS 'Removes a calendar.';

CREATE FUNCTION sched.drop_calendar(name text)
RETURNS boolean LANGUAGE c VOLATILE
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched.drop_calendar(text) IS
'Removes a calendar that no job uses. False when there is none of that name.';
