/*
 * How it goes: for machines (health, liveness, readiness) and for people
 * (status).  Nothing here raises an error because something is broken: telling
 * what is broken is its purpose.
 */

/* What the roles and the tables of the extension look like, one object per component. */
CREATE FUNCTION sched._health(p_caller oid) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_now		timestamptz := sched._now();
	v_standby	boolean := pg_is_in_recovery();
	v_enabled	boolean := coalesce(current_setting('sched.enabled', true)::boolean, true);
	v_state		record;
	v_parts		jsonb := '{}';
	v_problem	text;
	v_level		text;
	v_list		jsonb;
	v_count		bigint;
	v_rows		boolean;
	v_slots		int;
	v_nodes		record;
BEGIN
	SELECT s.* INTO v_state FROM sched._scheduler_state() AS s;

	v_parts := v_parts || jsonb_build_object('database', jsonb_build_object(
		'status', 'UP', 'name', current_database(),
		'role', CASE WHEN v_standby THEN 'standby' ELSE 'primary' END));

	/* the scheduler; on a standby there is none, and that is right */
	v_problem := CASE
		WHEN v_standby THEN NULL
		WHEN NOT v_enabled THEN 'sched.enabled is off'
		WHEN v_state.running IS NOT TRUE THEN 'no scheduler runs in this database'
		WHEN v_state.held IS NULL AND v_state.next_fire_at < v_now - interval '1 minute'
			THEN format('triggers are late: %s should have fired', v_state.next_fire_at)
	END;
	v_level := CASE
		WHEN v_problem IS NULL THEN 'UP'
		WHEN v_enabled AND v_state.running IS NOT TRUE THEN 'DOWN'
		ELSE 'DEGRADED' END;
	v_parts := v_parts || jsonb_build_object('scheduler', jsonb_strip_nulls(jsonb_build_object(
		'status', v_level, 'problem', v_problem, 'pid', v_state.pid, 'started_at', v_state.started_at,
		'last_cycle_at', v_state.last_cycle_at, 'triggers', v_state.triggers,
		'next_fire_at', v_state.next_fire_at)));

	/* a restored or cloned copy */
	v_parts := v_parts || jsonb_build_object('origin', jsonb_strip_nulls(jsonb_build_object(
		'status', CASE WHEN v_state.held IS NULL THEN 'UP' ELSE 'DEGRADED' END,
		'problem', v_state.held,
		'hint', CASE WHEN v_state.held IS NOT NULL
			THEN 'Nothing runs here until somebody calls sched.resume_all().' END)));

	/* the queue in shared memory */
	v_parts := v_parts || jsonb_build_object('queue', jsonb_strip_nulls(jsonb_build_object(
		'status', CASE WHEN v_state.spilled > 0 THEN 'DEGRADED' ELSE 'UP' END,
		'problem', CASE WHEN v_state.spilled > 0
			THEN format('%s tasks wait in the table because shared memory is full', v_state.spilled) END,
		'used', v_state.queue_used, 'size', v_state.queue_size, 'spilled', v_state.spilled)));

	/* workers */
	SELECT count(*) INTO v_count FROM sched._workers() AS w;
	SELECT jsonb_agg(f.role::regrole::text ORDER BY f.role) INTO v_list FROM sched._start_failures() AS f;
	v_slots := current_setting('sched.max_workers', true)::int;
	v_parts := v_parts || jsonb_build_object('workers', jsonb_strip_nulls(jsonb_build_object(
		'status', CASE WHEN v_state.no_slot_since IS NULL AND v_list IS NULL THEN 'UP' ELSE 'DEGRADED' END,
		'problem', CASE WHEN v_state.no_slot_since IS NOT NULL THEN
			format('the server has had no free worker slot since %s; see max_worker_processes', v_state.no_slot_since)
			WHEN v_list IS NOT NULL THEN 'workers die before their first task, the server log says why' END,
		'failing_roles', v_list,
		'workers', v_count,
		'busy', (SELECT count(*) FROM sched._workers() AS w WHERE w.task_id IS NOT NULL),
		'max', v_slots)));

	/* external executors: there may be none, but not all of them gone */
	SELECT c.* INTO v_nodes FROM sched.cluster_status AS c;
	v_problem := CASE WHEN NOT v_standby AND v_nodes.offline > 0 AND v_nodes.online + v_nodes.draining = 0
		THEN format('all of %s executors are offline', v_nodes.offline) END;
	v_parts := v_parts || jsonb_build_object('executors', jsonb_strip_nulls(jsonb_build_object(
		'status', CASE WHEN v_problem IS NULL THEN 'UP' ELSE 'DEGRADED' END,
		'problem', v_problem, 'registered', v_nodes.executors, 'online', v_nodes.online,
		'offline', v_nodes.offline, 'draining', v_nodes.draining)));

	/* triggers in quarantine; those of others are counted, not named */
	SELECT count(*),
		jsonb_agg(jsonb_build_object('trigger_id', s.trigger_id, 'job', j.name, 'fault', s.fault)
				  ORDER BY s.trigger_id) FILTER (WHERE sched._may(p_caller, j.owner::oid, 'see'))
	INTO v_count, v_list
	FROM (SELECT f.trigger_id, f.fault FROM sched._trigger_state f
		  WHERE f.fault IS NOT NULL ORDER BY f.trigger_id LIMIT 100) AS s
	JOIN sched._trigger t ON t.trigger_id = s.trigger_id
	JOIN sched._job j ON j.job_id = t.job_id;
	v_parts := v_parts || jsonb_build_object('triggers', jsonb_strip_nulls(jsonb_build_object(
		'status', CASE WHEN v_count = 0 THEN 'UP' ELSE 'DEGRADED' END,
		'problem', CASE WHEN v_count > 0 THEN format('%s in quarantine', v_count) END,
		'quarantined', coalesce(v_list, '[]'))));

	/* jobs whose role is gone or may not connect */
	SELECT count(*),
		jsonb_agg(jsonb_build_object('job', b.name, 'fault', b.fault) ORDER BY b.job_id)
			FILTER (WHERE b.n <= 100 AND sched._may(p_caller, b.owner, 'see'))
	INTO v_count, v_list
	FROM (SELECT j.job_id, j.name, j.owner::oid AS owner, row_number() OVER (ORDER BY j.job_id) AS n,
				 CASE WHEN a.oid IS NULL THEN 'its role does not exist any more'
					  ELSE format('role "%s" may not log in', a.rolname) END AS fault
		  FROM sched._job j
		  LEFT JOIN pg_catalog.pg_authid a ON a.oid = coalesce(j.run_as, j.owner)::oid
		  WHERE j.status IN ('active', 'paused') AND (a.oid IS NULL OR (j.type = 'sql' AND NOT a.rolcanlogin))) AS b;
	v_parts := v_parts || jsonb_build_object('jobs', jsonb_strip_nulls(jsonb_build_object(
		'status', CASE WHEN v_count = 0 THEN 'UP' ELSE 'DEGRADED' END,
		'problem', CASE WHEN v_count > 0 THEN format('%s cannot run', v_count) END,
		'active', (SELECT count(*) FROM sched._job j WHERE j.status = 'active'),
		'broken', coalesce(v_list, '[]'))));

	/* partitions */
	SELECT count(*), jsonb_agg(s.segment_id ORDER BY s.segment_id) INTO v_count, v_list
	FROM sched._segment s WHERE NOT sched._segment_intact(s.segment_id);
	v_rows := EXISTS (SELECT FROM sched._task_default) OR EXISTS (SELECT FROM sched._outcome_default);
	v_problem := concat_ws('; ',
		CASE WHEN v_count > 0 THEN format('partitions are missing of segments %s', v_list) END,
		CASE WHEN NOT EXISTS (SELECT FROM sched._segment s
							  WHERE s.lo > sched._segment_position() AND sched._segment_intact(s.segment_id))
			 THEN 'no segment is in reserve' END);
	v_parts := v_parts || jsonb_build_object('segments', jsonb_strip_nulls(jsonb_build_object(
		'status', CASE WHEN v_problem = '' THEN 'UP' ELSE 'DEGRADED' END,
		'problem', nullif(v_problem, ''),
		'segments', (SELECT count(*) FROM sched._segment),
		'open', (SELECT count(*) FROM sched._segment s WHERE s.closed_at IS NULL),
		'default_in_use', v_rows)));

	RETURN jsonb_build_object(
		'status', CASE
			WHEN jsonb_path_exists(v_parts, '$.*.status ? (@ == "DOWN")') THEN 'DOWN'
			WHEN jsonb_path_exists(v_parts, '$.*.status ? (@ == "DEGRADED")') THEN 'DEGRADED'
			ELSE 'UP' END,
		'components', v_parts);
END $$;
COMMENT ON FUNCTION sched._health(oid) IS 'Behind sched.health().';
CREATE FUNCTION sched.health() RETURNS jsonb
LANGUAGE c STABLE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched.health() IS 'UP, DEGRADED or DOWN, with what is wrong component by component.';

/* Would a restart help?  UP unless a scheduler should run and does not. */
CREATE FUNCTION sched._liveness(p_caller oid) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_up	boolean;
BEGIN
	v_up := pg_is_in_recovery()
		OR NOT coalesce(current_setting('sched.enabled', true)::boolean, true)
		OR coalesce((SELECT s.running FROM sched._scheduler_state() AS s), false);
	RETURN jsonb_build_object('status', CASE WHEN v_up THEN 'UP' ELSE 'DOWN' END,
		'components', jsonb_build_object('scheduler',
			jsonb_build_object('status', CASE WHEN v_up THEN 'UP' ELSE 'DOWN' END)));
END $$;
COMMENT ON FUNCTION sched._liveness(oid) IS 'Behind sched.liveness().';
CREATE FUNCTION sched.liveness() RETURNS jsonb
LANGUAGE c STABLE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched.liveness() IS 'UP or DOWN: does the scheduler live, where it should?';

/* Would a task that is ordered now be run? */
CREATE FUNCTION sched._readiness(p_caller oid) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_state		record;
	v_problem	text;
BEGIN
	SELECT s.* INTO v_state FROM sched._scheduler_state() AS s;
	v_problem := CASE
		WHEN pg_is_in_recovery() THEN 'this server is a standby'
		WHEN NOT coalesce(current_setting('sched.enabled', true)::boolean, true) THEN 'sched.enabled is off'
		WHEN v_state.running IS NOT TRUE THEN 'no scheduler runs in this database'
		WHEN v_state.held IS NOT NULL THEN v_state.held END;
	RETURN jsonb_build_object('status', CASE WHEN v_problem IS NULL THEN 'UP' ELSE 'DOWN' END,
		'components', jsonb_build_object('scheduler', jsonb_strip_nulls(jsonb_build_object(
			'status', CASE WHEN v_problem IS NULL THEN 'UP' ELSE 'DOWN' END, 'problem', v_problem))));
END $$;
COMMENT ON FUNCTION sched._readiness(oid) IS 'Behind sched.readiness().';
CREATE FUNCTION sched.readiness() RETURNS jsonb
LANGUAGE c STABLE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched.readiness() IS 'UP or DOWN: would a task that is ordered now be run?';

/* A span of time as people say it: 12s, 3m 20s, 5h 10m, 2d 3h. */
CREATE FUNCTION sched._span(p_span interval) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_seconds	bigint := abs(floor(extract(epoch FROM p_span)))::bigint;
BEGIN
	RETURN CASE
		WHEN v_seconds < 60 THEN format('%ss', v_seconds)
		WHEN v_seconds < 3600 THEN format('%sm %ss', v_seconds / 60, v_seconds % 60)
		WHEN v_seconds < 86400 THEN format('%sh %sm', v_seconds / 3600, v_seconds / 60 % 60)
		ELSE format('%sd %sh', v_seconds / 86400, v_seconds / 3600 % 24) END;
END $$;
COMMENT ON FUNCTION sched._span(interval) IS 'A span of time, short.';

/* One line of it: control characters gone, cut to fit. */
CREATE FUNCTION sched._line(p_text text, p_width int) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_text	text := regexp_replace(left(p_text, 1000), '[[:cntrl:][:space:]]+', ' ', 'g');
BEGIN
	RETURN CASE WHEN length(v_text) > p_width THEN left(v_text, p_width - 3) || '...' ELSE v_text END;
END $$;
COMMENT ON FUNCTION sched._line(text, int) IS 'A text as one line that fits.';

CREATE FUNCTION sched._status(p_caller oid) RETURNS SETOF text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_now		timestamptz := sched._now();
	v_health	jsonb := sched._health(p_caller);
	v_state		record;
	v_row		record;
	v_count		bigint := 0;
BEGIN
	SELECT s.* INTO v_state FROM sched._scheduler_state() AS s;
	RETURN NEXT format('sched in database "%s": %s at %s', current_database(), v_health ->> 'status',
					   to_char(v_now, 'YYYY-MM-DD HH24:MI:SS TZ'));
	RETURN NEXT format('  scheduler  %s', CASE
		WHEN pg_is_in_recovery() THEN 'none: this server is a standby'
		WHEN v_state.running THEN format('pid %s, up %s, %s triggers%s', v_state.pid,
				sched._span(v_now - v_state.started_at), v_state.triggers,
				coalesce(', next fire in ' || sched._span(CASE WHEN v_state.next_fire_at IS NOT NULL THEN greatest(v_state.next_fire_at - v_now, interval '0') END), ''))
		ELSE 'not running' END);
	RETURN NEXT format('  workers    %s of at most %s, %s busy',
					   v_health #>> '{components,workers,workers}',
					   coalesce(v_health #>> '{components,workers,max}', '?'),
					   v_health #>> '{components,workers,busy}');
	IF (v_health #>> '{components,executors,registered}')::int > 0 THEN
		RETURN NEXT format('  executors  %s of %s online', v_health #>> '{components,executors,online}',
						   v_health #>> '{components,executors,registered}');
	END IF;
	RETURN NEXT format('  queue      %s of %s places taken%s', coalesce(v_state.queue_used, 0),
					   coalesce(v_state.queue_size, 0),
					   CASE WHEN v_state.spilled > 0 THEN format(', %s more in the table', v_state.spilled) ELSE '' END);
	FOR v_row IN
		SELECT p.name, p.slots, p.used, p.waiting FROM sched.pools p
		WHERE p.used > 0 OR p.waiting > 0 ORDER BY p.waiting DESC, p.name LIMIT 5
	LOOP
		RETURN NEXT format('  pool       %s: %s of %s slots used, %s tasks wait', sched._line(v_row.name, 30),
						   v_row.used, v_row.slots, v_row.waiting);
	END LOOP;
	FOR v_row IN
		SELECT c.key, c.value ->> 'status' AS status, c.value ->> 'problem' AS problem, c.value ->> 'hint' AS hint
		FROM jsonb_each(v_health -> 'components') c
		WHERE c.value ->> 'problem' IS NOT NULL ORDER BY c.key
	LOOP
		RETURN NEXT format('  ! %s %s: %s', v_row.key, v_row.status, concat_ws('. ', v_row.problem, v_row.hint));
	END LOOP;

	RETURN NEXT '';
	RETURN NEXT 'Running now';
	FOR v_row IN
		SELECT l.*, j.name, coalesce(j.max_attempts, current_setting('sched.retry_max_attempts', true)::int) AS attempts
		FROM sched._live_tasks() AS l JOIN sched._job j ON j.job_id = l.job_id
		WHERE l.status IN ('running', 'assigned') AND sched._may(p_caller, j.owner::oid, 'see')
		ORDER BY l.started_at, l.task_id LIMIT 10
	LOOP
		v_count := v_count + 1;
		RETURN NEXT format('  task %-9s %-30s attempt %s/%s, %s%s%s', v_row.task_id, sched._line(v_row.name, 30),
			v_row.attempt, v_row.attempts,
			coalesce('for ' || sched._span(v_now - v_row.started_at), v_row.status),
			coalesce(', ' || round(v_row.progress::numeric) || '%', ''),
			coalesce(': ' || sched._line(v_row.progress_message, 40), ''));
	END LOOP;
	IF v_count = 0 THEN
		RETURN NEXT '  nothing';
	END IF;

	RETURN NEXT '';
	RETURN NEXT 'Next';
	v_count := 0;
	FOR v_row IN
		(SELECT s.next_fire_at, j.name, t.schedule
		 FROM sched._trigger_state s
		 JOIN sched._trigger t ON t.trigger_id = s.trigger_id
		 JOIN sched._job j ON j.job_id = t.job_id
		 WHERE s.next_fire_at IS NOT NULL AND s.fault IS NULL AND j.status = 'active'
		   AND sched._may(p_caller, j.owner::oid, 'see')
		 ORDER BY s.next_fire_at, s.trigger_id LIMIT 8)
		UNION ALL
		/* Tasks that were ordered for later: the near ones are in memory, of the others the first. */
		(SELECT t.scheduled_at, j.name, 'task ' || t.task_id
		 FROM (SELECT l.task_id FROM sched._live_tasks() AS l WHERE l.status = 'scheduled'
			   UNION
			   (SELECT f.task_id FROM sched._future f ORDER BY f.due_at, f.task_id LIMIT 100)) AS u
		 JOIN sched._task t ON t.task_id = u.task_id
		 JOIN sched._job j ON j.job_id = t.job_id
		 WHERE sched._may(p_caller, j.owner::oid, 'see')
		   AND NOT EXISTS (SELECT FROM sched._outcome o WHERE o.task_id = t.task_id AND o.final)
		 ORDER BY t.scheduled_at, t.task_id LIMIT 8)
		ORDER BY 1, 2 LIMIT 8
	LOOP
		v_count := v_count + 1;
		RETURN NEXT format('  %s  %-30s %s', to_char(v_row.next_fire_at, 'YYYY-MM-DD HH24:MI:SS'),
			sched._line(v_row.name, 30),
			concat_ws(', ', CASE WHEN v_row.next_fire_at > v_now THEN 'in ' || sched._span(v_row.next_fire_at - v_now)
								 ELSE 'now' END, sched._line(v_row.schedule, 40)));
	END LOOP;
	IF v_count = 0 THEN
		RETURN NEXT '  nothing';
	END IF;

	RETURN NEXT '';
	RETURN NEXT 'Waiting';
	v_count := 0;
	FOR v_row IN
		SELECT l.*, j.name, j.status AS job_status
		FROM sched._live_tasks() AS l JOIN sched._job j ON j.job_id = l.job_id
		WHERE l.status IN ('ready', 'waiting', 'waiting_retry') AND sched._may(p_caller, j.owner::oid, 'see')
		ORDER BY l.queued_at, l.task_id LIMIT 8
	LOOP
		v_count := v_count + 1;
		RETURN NEXT format('  task %-9s %-30s %s', v_row.task_id, sched._line(v_row.name, 30),
			CASE
				WHEN v_row.job_status = 'paused' THEN 'for its job to be resumed'
				WHEN v_row.status = 'waiting' THEN coalesce('for ' ||
					(SELECT sched._line(string_agg(concat_ws(', ', e.depends_on, 'which is ' || e.upstream_status), '; ' ORDER BY e.edge), 60)
					 FROM sched._edges_of_task(v_row.task_id) AS e WHERE e.letter IN ('P', '-')), 'for others')
				WHEN v_row.status = 'waiting_retry' THEN
					format('for its retry%s', coalesce(' in ' || sched._span(CASE WHEN v_row.retry_at IS NOT NULL THEN greatest(v_row.retry_at - v_now, interval '0') END), ''))
				ELSE coalesce('for ' || v_row.holds, 'for a worker') END);
	END LOOP;
	IF v_count = 0 THEN
		RETURN NEXT '  nothing';
	ELSE
		RETURN NEXT '  (sched.why(task_id) tells all that a task waits for)';
	END IF;

	/* Of the newest tasks only: history has no index by time, and needs none. */
	RETURN NEXT '';
	RETURN NEXT 'Failed lately';
	v_count := 0;
	FOR v_row IN
		SELECT o.*, j.name
		FROM sched._outcome o
		JOIN sched._task t ON t.task_id = o.task_id
		JOIN sched._job j ON j.job_id = t.job_id
		WHERE o.task_id >= sched._segment_position() - 10000 AND t.task_id >= sched._segment_position() - 10000
		  AND o.final AND o.status IN ('f', 't', 'm', 'u') AND o.finished_at > v_now - interval '1 day'
		  AND sched._may(p_caller, j.owner::oid, 'see')
		ORDER BY o.finished_at DESC LIMIT 8
	LOOP
		v_count := v_count + 1;
		RETURN NEXT format('  task %-9s %-30s %s ago: %s', v_row.task_id, sched._line(v_row.name, 30),
			sched._span(v_now - v_row.finished_at),
			sched._line(concat_ws(': ', sched._outcome_status(v_row.status), coalesce(v_row.error, v_row.reason)), 70));
	END LOOP;
	IF v_count = 0 THEN
		RETURN NEXT '  nothing';
	END IF;
END $$;
COMMENT ON FUNCTION sched._status(oid) IS 'Behind sched.status().';
CREATE FUNCTION sched.status() RETURNS SETOF text
LANGUAGE c STABLE PARALLEL RESTRICTED ROWS 40
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched.status() IS 'One screen for people: what runs, what is next, what waits for what, what failed.';

/* ---- a restored copy ---- */

/*
 * Take over the data of another server or database: from now on this one is its
 * only home.  What the copy was doing when it was made goes on here.
 */
CREATE FUNCTION sched._resume_all(p_caller oid) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_system	bigint;
	v_database	oid;
	v_count		bigint;
BEGIN
	PERFORM sched._check_right(p_caller, 0::oid, 'operate', 'database "' || current_database() || '"');
	SELECT c.system_identifier INTO v_system FROM pg_catalog.pg_control_system() AS c;
	SELECT d.oid INTO v_database FROM pg_catalog.pg_database d WHERE d.datname = current_database();
	DELETE FROM sched._origin o WHERE (o.system_identifier, o.database_oid) <> (v_system, v_database);
	GET DIAGNOSTICS v_count = ROW_COUNT;
	IF NOT EXISTS (SELECT FROM sched._origin) THEN
		INSERT INTO sched._origin (system_identifier, database_oid, recorded_at)
		VALUES (v_system, v_database, sched._now());
		v_count := v_count + 1;
	END IF;
	PERFORM sched._wake_launcher();
	PERFORM sched._wake();
	RETURN v_count > 0;
END $$;
COMMENT ON FUNCTION sched._resume_all(oid) IS 'Behind sched.resume_all().';
CREATE FUNCTION sched.resume_all() RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched.resume_all() IS 'Lets a restored or cloned copy run its jobs. False when nothing held it.';

/* ---- from pg_cron ---- */

/*
 * pg_cron's jobs of this database, as jobs of the same owner.  The table is read
 * only if it is pg_cron's own: whoever could put up another one could have
 * jobs made in anybody's name.
 */
CREATE FUNCTION sched._import_pg_cron(p_caller oid, p_take_over boolean)
RETURNS TABLE (cron_jobid bigint, job_id bigint, job_name text, note text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
	v_cron	record;
	v_owner	oid;
BEGIN
	IF NOT (SELECT a.rolsuper FROM pg_catalog.pg_authid a WHERE a.oid = p_caller) THEN
		RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
			MESSAGE = 'permission denied to import the jobs of pg_cron',
			DETAIL = 'It makes jobs that belong to other roles: only a superuser may.';
	END IF;
	IF NOT EXISTS
		(SELECT FROM pg_catalog.pg_depend d
		 JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
		 WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = to_regclass('cron.job')
		   AND d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.deptype = 'e' AND e.extname = 'pg_cron')
	THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object',
			MESSAGE = format('extension "pg_cron" is not installed in database "%s"', current_database()),
			HINT = 'Install sched in the database that pg_cron is in, see cron.database_name.';
	END IF;

	FOR v_cron IN EXECUTE
		'SELECT c.jobid, c.schedule, c.command, c.username::text AS username, c.active, c.jobname::text AS jobname '
		'FROM cron.job c WHERE c.database::text = pg_catalog.current_database()::text ORDER BY c.jobid'
	LOOP
		cron_jobid := v_cron.jobid;
		job_id := NULL;
		note := 'imported';
		job_name := coalesce(nullif(v_cron.jobname, ''), 'pg_cron ' || v_cron.jobid);
		BEGIN
			SELECT a.oid INTO STRICT v_owner FROM pg_catalog.pg_authid a WHERE a.rolname = v_cron.username;
			job_id := sched._create_job(v_owner, job_name, v_cron.command,
				CASE WHEN v_cron.schedule ~* '^\s*[0-9]+\s+seconds?\s*$'
					 THEN '@every ' || (regexp_match(v_cron.schedule, '[0-9]+'))[1] || 's'
					 ELSE v_cron.schedule END,
				'sql', '{}', coalesce(nullif(current_setting('cron.timezone', true), ''), 'GMT'),
				'imported from pg_cron', NULL, '0', 1,
				NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
				NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, v_cron.active);
			IF p_take_over AND v_cron.active THEN
				EXECUTE 'UPDATE cron.job SET active = false WHERE jobid = $1' USING v_cron.jobid;
				note := 'imported, and switched off in pg_cron';
			ELSIF v_cron.active THEN
				note := format('imported; runs in pg_cron as well until SELECT cron.unschedule(%s)', v_cron.jobid);
			END IF;
		EXCEPTION
			WHEN no_data_found THEN
				note := format('not imported: role "%s" does not exist', v_cron.username);
			WHEN invalid_parameter_value OR duplicate_object OR undefined_object OR feature_not_supported
				 OR insufficient_privilege THEN
				note := 'not imported: ' || SQLERRM;
				job_id := NULL;
		END;
		RETURN NEXT;
	END LOOP;
END $$;
COMMENT ON FUNCTION sched._import_pg_cron(oid, boolean) IS 'Behind sched.import_pg_cron().';
CREATE FUNCTION sched.import_pg_cron(take_over boolean DEFAULT false)
RETURNS TABLE (cron_jobid bigint, job_id bigint, job_name text, note text)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched.import_pg_cron(boolean) IS 'Makes jobs of pg_cron''s jobs of this database, one row each. take_over switches those off in pg_cron in the same transaction; else both run.';
