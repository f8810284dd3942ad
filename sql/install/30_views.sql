/*
 * Views.  Each shows a role the rows of the jobs that it may see, see
 * sched._can_see(); the security barrier keeps a caller's own functions from
 * looking at the other rows.  The functions that a view calls run with the
 * caller's rights, so whoever may read the view may call them: see
 * sched.create_roles().
 *
 * Columns that cost something are computed in subqueries that the planner
 * leaves out when nobody asks for them.
 */

/* A column that calls something volatile is never left out. */
ALTER FUNCTION sched._now() STABLE;
ALTER FUNCTION sched._live_task(bigint) STABLE;
ALTER FUNCTION sched._live_jobs() STABLE;

CREATE FUNCTION sched._outcome_status(outcome "char") RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE outcome
	WHEN 'c' THEN 'completed'
	WHEN 'f' THEN 'failed'
	WHEN 't' THEN 'timeout'
	WHEN 'x' THEN 'cancelled'
	WHEN 'k' THEN 'skipped'
	WHEN 'u' THEN 'upstream_failed'
	WHEN 'm' THEN 'missed'
	WHEN 'l' THEN 'lost'
	WHEN 'b' THEN 'released'
END;
COMMENT ON FUNCTION sched._outcome_status("char") IS 'The word for the code of an outcome.';

/* The built-in workers are two executors; while a task runs its worker is shown. */
CREATE FUNCTION sched._executor_name(executor_id int) RETURNS text
LANGUAGE c STABLE STRICT PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'sched_executor_name';
COMMENT ON FUNCTION sched._executor_name(int) IS 'The name of an executor.';

/*
 * How the newest ended attempt of a task went that has not ended itself.  By a
 * function, because its plan is kept and looks at one partition only; were it a
 * part of the view, every query would open them all.
 */
CREATE TYPE sched._last_attempt AS
(
	attempt		int,
	queued_at	timestamptz,
	started_at	timestamptz,
	retry_at	timestamptz,
	executor_id	int,
	sqlstate	text,
	error		text,
	reason		text,
	waits		boolean				-- no attempt: it waits for other tasks
);
COMMENT ON TYPE sched._last_attempt IS 'The newest ended attempt of a task that has not ended.';

CREATE FUNCTION sched.__attempt_before(p_caller oid, p_task_id bigint) RETURNS sched._last_attempt
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	v_attempt	sched._last_attempt;
BEGIN
	SELECT o.attempt, o.queued_at, o.started_at, o.retry_at, o.executor_id, o.sqlstate, o.error, o.reason
	INTO v_attempt
	FROM sched._outcome o WHERE o.task_id = p_task_id ORDER BY o.attempt DESC LIMIT 1;
	IF NOT FOUND THEN
		SELECT n.rule IS NOT NULL INTO v_attempt.waits FROM sched._node n WHERE n.task_id = p_task_id;
	END IF;
	/* The caller is whoever reads the view, and may as well call this himself. */
	IF FOUND AND NOT coalesce(sched._may(p_caller,
			(SELECT j.owner::oid FROM sched._task t JOIN sched._job j ON j.job_id = t.job_id
			 WHERE t.task_id = p_task_id), 'see'), false)
	THEN
		RETURN NULL;
	END IF;
	RETURN v_attempt;
END $$;
COMMENT ON FUNCTION sched.__attempt_before(oid, bigint) IS 'Behind sched._attempt_before().';
CREATE FUNCTION sched._attempt_before(task_id bigint) RETURNS sched._last_attempt
LANGUAGE c STABLE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'sched_as_owner';
COMMENT ON FUNCTION sched._attempt_before(bigint) IS 'The newest ended attempt of a task, for views.';

/*
 * Newest first.  The final outcome is one probe of a primary key.  Only a task
 * without one is looked up in shared memory, and only if it has had an attempt
 * that one is looked up; OFFSET 0 keeps the planner from doing either more than
 * once for a row.
 */
CREATE VIEW sched.tasks WITH (security_barrier) AS
SELECT t.task_id,
	t.job_id,
	j.name AS job_name,
	pg_catalog.pg_get_userbyid(j.owner) AS owner,
	CASE
		WHEN o.task_id IS NOT NULL THEN sched._outcome_status(o.status)
		WHEN (m.live).status IS NOT NULL THEN (m.live).status
		WHEN (p.last).retry_at IS NOT NULL THEN 'waiting_retry'
		WHEN t.scheduled_at > sched._now() THEN 'scheduled'
		WHEN (p.last).waits THEN 'waiting'
		ELSE 'ready'
	END AS status,
	CASE
		WHEN o.task_id IS NOT NULL AND o.started_at IS NULL THEN greatest(o.attempt - 1, 0)
		WHEN o.task_id IS NOT NULL THEN o.attempt
		WHEN (m.live).status IN ('assigned', 'running') THEN (m.live).attempt
		ELSE coalesce((p.last).attempt, 0)
	END AS attempt,
	coalesce(j.max_attempts, current_setting('sched.retry_max_attempts', true)::int) AS max_attempts,
	coalesce(t.priority, j.priority, current_setting('sched.default_priority', true)::int) AS priority,
	t.scheduled_at,
	CASE WHEN o.task_id IS NOT NULL THEN o.queued_at
		 ELSE coalesce((m.live).queued_at, (p.last).queued_at) END AS queued_at,
	CASE WHEN o.task_id IS NOT NULL THEN o.started_at
		 ELSE coalesce((m.live).started_at, (p.last).started_at) END AS started_at,
	o.finished_at,
	CASE
		WHEN (m.live).executor IS NOT NULL THEN (m.live).executor
		ELSE sched._executor_name(coalesce(o.executor_id, (p.last).executor_id))
	END AS executor,
	coalesce(t.parameters, j.parameters) AS parameters,
	o.result,
	coalesce(o.error, (p.last).error) AS error,
	coalesce(o.sqlstate, (p.last).sqlstate) AS sqlstate,
	coalesce(o.reason, (p.last).reason) AS reason,
	coalesce(o.progress, (m.live).progress) AS progress,
	t.run_id,
	t.rerun_of,
	t.missed_count,
	t.idempotency_key,
	t.trigger_id,
	o.row_count,
	(m.live).progress_message AS progress_message,
	(m.live).deadline AS deadline,
	CASE
		WHEN o.task_id IS NOT NULL THEN NULL
		WHEN (m.live).status = 'waiting_retry' THEN coalesce((m.live).retry_at, (p.last).retry_at)
		WHEN (m.live).status IS NULL THEN (p.last).retry_at
	END AS retry_at,
	t.created_at
FROM sched._task t
JOIN sched._job j ON j.job_id = t.job_id
LEFT JOIN sched._outcome o ON o.task_id = t.task_id AND o.final
CROSS JOIN LATERAL
	(SELECT CASE WHEN o.task_id IS NULL THEN sched._live_task(t.task_id) END AS live OFFSET 0) AS m
CROSS JOIN LATERAL
	(SELECT CASE WHEN o.task_id IS NULL AND coalesce((m.live).attempt, 1) > 0
				 THEN sched._attempt_before(t.task_id) END AS last OFFSET 0) AS p
WHERE sched._can_see(j.owner::oid)
ORDER BY t.task_id DESC;
COMMENT ON VIEW sched.tasks IS 'Tasks, live and past, newest first. Terminal rows never change.';
COMMENT ON COLUMN sched.tasks.status IS 'scheduled, waiting, ready, assigned, running, waiting_retry; terminal: completed, failed, timeout, cancelled, skipped, upstream_failed, missed.';
COMMENT ON COLUMN sched.tasks.attempt IS 'The newest attempt that was handed out, 0: none yet.';
COMMENT ON COLUMN sched.tasks.scheduled_at IS 'The nominal time that the task stands for.';
COMMENT ON COLUMN sched.tasks.queued_at IS 'When the newest attempt became ready.';
COMMENT ON COLUMN sched.tasks.started_at IS 'When the newest attempt started.';
COMMENT ON COLUMN sched.tasks.finished_at IS 'When the task ended for good.';
COMMENT ON COLUMN sched.tasks.missed_count IS 'How many occurrences this row stands for, if several were missed.';

CREATE TYPE sched._last_task AS (task_id bigint, status text, finished_at timestamptz);
COMMENT ON TYPE sched._last_task IS 'The newest task of a job.';

/* All that sched.jobs shows; "last" is computed once, and only if wanted. */
CREATE VIEW sched._jobs WITH (security_barrier) AS
SELECT j.*,
	(SELECT trg.schedule FROM sched._trigger trg
	 WHERE trg.job_id = j.job_id
	 ORDER BY trg.is_main DESC, trg.trigger_id LIMIT 1) AS schedule,
	CASE WHEN j.status = 'active' THEN
		(SELECT min(s.next_fire_at)
		 FROM sched._trigger trg
		 JOIN sched._trigger_state s ON s.trigger_id = trg.trigger_id
		 WHERE trg.job_id = j.job_id AND s.fault IS NULL) END AS next_fire_at,
	(SELECT ROW(newest.task_id,
				CASE
					WHEN o.task_id IS NOT NULL THEN sched._outcome_status(o.status)
					WHEN l.status IS NOT NULL THEN l.status
					WHEN r.retry_at IS NOT NULL THEN 'waiting_retry'
					WHEN newest.scheduled_at > sched._now() THEN 'scheduled'
					ELSE 'ready'
				END,
				o.finished_at)::sched._last_task
	 FROM (SELECT t.task_id, t.scheduled_at FROM sched._task t
		   WHERE t.job_id = j.job_id ORDER BY t.task_id DESC LIMIT 1) AS newest
	 LEFT JOIN sched._outcome o ON o.task_id = newest.task_id AND o.final
	 LEFT JOIN LATERAL
		(SELECT live.status FROM sched._live_task(newest.task_id) AS live
		 WHERE o.task_id IS NULL LIMIT 1) AS l ON true
	 LEFT JOIN LATERAL
		(SELECT p.retry_at FROM sched._outcome p
		 WHERE p.task_id = newest.task_id AND o.task_id IS NULL
		 ORDER BY p.attempt DESC LIMIT 1) AS r ON true) AS last,
	live.running,
	live.waiting
FROM sched._job j
LEFT JOIN
	(SELECT DISTINCT ON (lane.job_id) lane.job_id, lane.running,
			lane.ready + lane.waiting + lane.scheduled + lane.retrying AS waiting
	 FROM sched._live_jobs() AS lane) AS live ON live.job_id = j.job_id
WHERE j.status <> 'deleted' AND sched._can_see(j.owner::oid);
COMMENT ON VIEW sched._jobs IS 'What sched.jobs is made of.';

CREATE VIEW sched.jobs WITH (security_barrier) AS
SELECT j.job_id,
	j.name,
	j.type,
	j.command,
	j.schedule,
	coalesce(j.timezone, nullif(current_setting('sched.timezone', true), '')) AS timezone,
	j.status,
	pg_catalog.pg_get_userbyid(j.owner) AS owner,
	coalesce(j.priority, current_setting('sched.default_priority', true)::int) AS priority,
	j.parameters,
	j.description,
	j.tags,
	coalesce(j.timeout, current_setting('sched.default_timeout', true)::interval) AS timeout,
	coalesce(j.max_attempts, current_setting('sched.retry_max_attempts', true)::int) AS max_attempts,
	coalesce(j.retry_delay, current_setting('sched.retry_delay', true)::interval) AS retry_delay,
	coalesce(j.retry_strategy, current_setting('sched.retry_strategy', true)) AS retry_strategy,
	coalesce(j.retry_max_delay, current_setting('sched.retry_max_delay', true)::interval) AS retry_max_delay,
	coalesce(j.retry_jitter, 'none') AS retry_jitter,
	coalesce(j.overlap_policy, 'skip') AS overlap_policy,
	j.max_concurrent_runs,
	coalesce(j.misfire_policy, 'fire_once') AS misfire_policy,
	j.catchup_window,
	j.catchup_limit,
	coalesce(j.trigger_rule, 'all_success') AS trigger_rule,
	j.dependency_timeout,
	j.pool,
	j.pool_slots,
	j.required_tags,
	coalesce(j.routing, 'pull') AS routing,
	j.calendar,
	coalesce(j.dst_policy, 'vixie') AS dst_policy,
	pg_catalog.pg_get_userbyid(coalesce(j.run_as, j.owner)) AS run_as,
	coalesce(j.history, 'all') AS history,
	j.start_at,
	j.end_at,
	j.max_runs,
	j.jitter,
	j.next_fire_at,
	(j.last).task_id AS last_task_id,
	(j.last).status AS last_status,
	(j.last).finished_at AS last_finished_at,
	coalesce(j.running, 0) AS running,
	coalesce(j.waiting, 0) AS waiting,
	j.created_at,
	j.updated_at,
	j.activated_at,
	j.paused_at,
	j.status_reason
FROM sched._jobs j;
COMMENT ON VIEW sched.jobs IS 'Jobs with the settings in effect, when they fire next, and what their newest task did.';
COMMENT ON COLUMN sched.jobs.status IS 'created, active, paused, disabled or completed.';
COMMENT ON COLUMN sched.jobs.schedule IS 'The schedule given to create_job, else that of the oldest trigger. See sched.triggers for all.';
COMMENT ON COLUMN sched.jobs.next_fire_at IS 'The earliest next time of all triggers; NULL while the job is not active.';
COMMENT ON COLUMN sched.jobs.last_task_id IS 'The newest task, whatever became of it.';
COMMENT ON COLUMN sched.jobs.running IS 'Tasks that run now.';
COMMENT ON COLUMN sched.jobs.waiting IS 'Tasks that have not ended and do not run: ready, waiting, due soon or waiting for a retry.';

CREATE VIEW sched.active_jobs WITH (security_barrier) AS
SELECT j.* FROM sched.jobs j WHERE j.status = 'active';
COMMENT ON VIEW sched.active_jobs IS 'Jobs of status active.';

CREATE VIEW sched.triggers WITH (security_barrier) AS
SELECT trg.trigger_id,
	trg.job_id,
	j.name AS job_name,
	trg.kind,
	trg.schedule,
	coalesce(trg.timezone, j.timezone, nullif(current_setting('sched.timezone', true), '')) AS timezone,
	CASE WHEN j.status = 'active' AND s.fault IS NULL THEN s.next_fire_at END AS next_fire_at,
	greatest(s.last_fire_at, f.last_fire_at) AS last_fire_at,
	coalesce(s.fire_count, 0) + coalesce(f.fire_count, 0) AS fire_count,
	s.fault,
	trg.parameters,
	trg.config,
	trg.is_main,
	pg_catalog.pg_get_userbyid(j.owner) AS owner,
	trg.created_at
FROM sched._trigger trg
JOIN sched._job j ON j.job_id = trg.job_id
LEFT JOIN sched._trigger_state s ON s.trigger_id = trg.trigger_id
LEFT JOIN sched._trigger_fired f ON f.trigger_id = trg.trigger_id
WHERE j.status <> 'deleted' AND sched._can_see(j.owner::oid);
COMMENT ON VIEW sched.triggers IS 'What makes jobs fire, and when next.';
COMMENT ON COLUMN sched.triggers.fault IS 'Why the trigger is in quarantine; NULL: it is not.';
