/*
 * Functions in C: ordering and ending tasks, the present state, the clock.
 * Those without a comment are private.
 */

CREATE TYPE sched._live AS
(
	status			text,
	attempt			int,
	queued_at		timestamptz,
	started_at		timestamptz,
	deadline		timestamptz,
	retry_at		timestamptz,
	executor		text,
	progress		real,
	progress_message text,
	holds			text
);

CREATE FUNCTION sched.schedule_task(job text, run_at timestamptz DEFAULT NULL, parameters jsonb DEFAULT NULL, priority int DEFAULT NULL, idempotency_key text DEFAULT NULL)
RETURNS bigint LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_schedule_task_by_name';
COMMENT ON FUNCTION sched.schedule_task(text, timestamptz, jsonb, int, text) IS 'Order a task of the job: at run_at (now), with parameters laid over the job''s (a JSON object), a priority from 1 to 10, and a key under which a repeated call gives the same task. Returns the task_id.';

CREATE FUNCTION sched.schedule_tasks(job text, parameters jsonb[], run_at timestamptz DEFAULT NULL)
RETURNS SETOF bigint LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_schedule_tasks_by_name';
COMMENT ON FUNCTION sched.schedule_tasks(text, jsonb[], timestamptz) IS 'Order one task of the job for each element of parameters, all at run_at (now). Returns the task_ids in that order.';

CREATE FUNCTION sched.run_job(job text, parameters jsonb DEFAULT NULL)
RETURNS bigint LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_run_job_by_name';
COMMENT ON FUNCTION sched.run_job(text, jsonb) IS 'Order a task of the job for now. Returns the task_id.';

CREATE FUNCTION sched.schedule_task(job_id bigint, run_at timestamptz DEFAULT NULL, parameters jsonb DEFAULT NULL, priority int DEFAULT NULL, idempotency_key text DEFAULT NULL)
RETURNS bigint LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_schedule_task_by_id';
COMMENT ON FUNCTION sched.schedule_task(bigint, timestamptz, jsonb, int, text) IS 'Order a task of the job: at run_at (now), with parameters laid over the job''s (a JSON object), a priority from 1 to 10, and a key under which a repeated call gives the same task. Returns the task_id.';

CREATE FUNCTION sched.schedule_tasks(job_id bigint, parameters jsonb[], run_at timestamptz DEFAULT NULL)
RETURNS SETOF bigint LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_schedule_tasks_by_id';
COMMENT ON FUNCTION sched.schedule_tasks(bigint, jsonb[], timestamptz) IS 'Order one task of the job for each element of parameters, all at run_at (now). Returns the task_ids in that order.';

CREATE FUNCTION sched.run_job(job_id bigint, parameters jsonb DEFAULT NULL)
RETURNS bigint LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_run_job_by_id';
COMMENT ON FUNCTION sched.run_job(bigint, jsonb) IS 'Order a task of the job for now. Returns the task_id.';

CREATE FUNCTION sched.cancel_task(task_id bigint, reason text DEFAULT NULL)
RETURNS boolean LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_cancel_task';
COMMENT ON FUNCTION sched.cancel_task(bigint, text) IS 'Cancel a task: at once when it has not started, else its statement is interrupted, and after sched.cancel_grace its worker. False when it has ended already.';

CREATE FUNCTION sched.retry_task(task_id bigint)
RETURNS boolean LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_retry_task';
COMMENT ON FUNCTION sched.retry_task(bigint) IS 'Start the next attempt of a task that waits for its retry now. False when it waits for none.';

CREATE FUNCTION sched.current_task()
RETURNS jsonb LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_current_task';
COMMENT ON FUNCTION sched.current_task() IS 'The task that runs this statement: task_id, attempt, job_id, job_name, run_id, scheduled_at, parameters, missed_count, rerun_of, idempotency_key, and upstream, what the tasks that it waited for have come to. NULL outside a task.';

CREATE FUNCTION sched.log(level text, message text)
RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_log_message';
COMMENT ON FUNCTION sched.log(text, text) IS 'Write a line to the log of the task that runs this statement; level is debug, info, warning or error. Outside a task a notice.';

CREATE FUNCTION sched.log_task(task_id bigint, attempt int, level text, message text)
RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_log_task';
COMMENT ON FUNCTION sched.log_task(bigint, int, text, text) IS 'Write a line to the log of a live attempt.';

CREATE FUNCTION sched.report_progress(percent numeric, message text DEFAULT NULL)
RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_report_progress_current';
COMMENT ON FUNCTION sched.report_progress(numeric, text) IS 'Say how far the task that runs this statement has come, 0 to 100 percent. Seen at once by everybody.';

CREATE FUNCTION sched.report_progress(task_id bigint, attempt int, percent numeric, message text DEFAULT NULL)
RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_report_progress';
COMMENT ON FUNCTION sched.report_progress(bigint, int, numeric, text) IS 'Say how far a running attempt has come, 0 to 100 percent.';

CREATE FUNCTION sched.wait_for_task(task_id bigint, timeout interval DEFAULT '1 minute')
RETURNS text LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_wait_for_task';
COMMENT ON FUNCTION sched.wait_for_task(bigint, interval) IS 'Wait until the task has ended and return its status; NULL when it has not within the timeout. Must not be called in the transaction that ordered the task.';

CREATE FUNCTION sched._enqueue(job_id bigint, scheduled_at timestamptz, parameters jsonb, priority int, run_id bigint, rerun_of bigint, trigger_id bigint, missed_count int)
RETURNS bigint LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_enqueue';

CREATE FUNCTION sched._cancel_waiting(job_id bigint, reason text)
RETURNS int LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_cancel_waiting';

CREATE FUNCTION sched._live_task(task_id bigint)
RETURNS sched._live LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_live_task';

CREATE FUNCTION sched._live_tasks()
RETURNS TABLE (task_id bigint, job_id bigint, status text, attempt int, queued_at timestamptz, started_at timestamptz, deadline timestamptz, retry_at timestamptz, executor text, progress real, progress_message text, holds text) LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_live_tasks';

CREATE FUNCTION sched._live_jobs()
RETURNS TABLE (job_id bigint, running int, ready int, waiting int, scheduled int, retrying int, limited text) LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_live_jobs';

CREATE FUNCTION sched._workers()
RETURNS TABLE (pid int, database oid, role oid, state text, task_id bigint, attempt int, started_at timestamptz, tasks_done bigint) LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_workers';

CREATE FUNCTION sched._start_failures()
RETURNS TABLE (role oid, failures int, retry_at timestamptz) LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_start_failures';

CREATE FUNCTION sched._scheduler_state(OUT running boolean, OUT pid int, OUT started_at timestamptz, OUT held text, OUT last_cycle_at timestamptz, OUT triggers bigint, OUT next_fire_at timestamptz, OUT spilled bigint, OUT queue_used int, OUT queue_size int, OUT worker_slots_used int, OUT no_slot_since timestamptz)
RETURNS record LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_scheduler_state';

CREATE FUNCTION sched._http_fault(command text, parameters jsonb, own_parameters jsonb DEFAULT NULL, OUT field text, OUT detail text, OUT hint text)
RETURNS record LANGUAGE c IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'sched_http_fault';

CREATE FUNCTION sched._can_see(owner oid)
RETURNS boolean LANGUAGE c STABLE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_can_see';

CREATE FUNCTION sched._may(caller oid, owner oid, verb text)
RETURNS boolean LANGUAGE c STABLE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_sql_may';

CREATE FUNCTION sched._now()
RETURNS timestamptz LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_now';

CREATE FUNCTION sched._clock_set(instant timestamptz)
RETURNS void LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_sql_clock_set';

CREATE FUNCTION sched._clock_reset()
RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_sql_clock_reset';

CREATE FUNCTION sched._wake_launcher()
RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_sql_wake_launcher';

CREATE FUNCTION sched._wake()
RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_sql_wake';

CREATE FUNCTION sched._segment_changed()
RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_sql_segment_changed';

CREATE FUNCTION sched._settle(timeout interval DEFAULT '10 seconds')
RETURNS boolean LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'sched_settle';

/*
 * Whoever changes a job, a trigger or a calendar: the scheduler hears of it at
 * commit.  ALWAYS, so that a restore or a replica role makes no difference.
 */
CREATE FUNCTION sched._job_changed()
RETURNS trigger LANGUAGE c
AS 'MODULE_PATHNAME', 'sched_job_changed';

CREATE TRIGGER job_changed AFTER INSERT OR UPDATE OR DELETE ON sched._job
	FOR EACH ROW EXECUTE FUNCTION sched._job_changed();
ALTER TABLE sched._job ENABLE ALWAYS TRIGGER job_changed;

CREATE TRIGGER trigger_changed AFTER INSERT OR UPDATE OR DELETE ON sched._trigger
	FOR EACH ROW EXECUTE FUNCTION sched._job_changed();
ALTER TABLE sched._trigger ENABLE ALWAYS TRIGGER trigger_changed;

CREATE FUNCTION sched._check_schema(type text, schema jsonb)
RETURNS void LANGUAGE c IMMUTABLE STRICT
AS 'MODULE_PATHNAME', 'sched_sql_check_schema';

CREATE FUNCTION sched._check_parameters(job text, schema jsonb, parameters jsonb)
RETURNS void LANGUAGE c IMMUTABLE STRICT
AS 'MODULE_PATHNAME', 'sched_sql_check_parameters';

CREATE FUNCTION sched._task_type_changed()
RETURNS trigger LANGUAGE c
AS 'MODULE_PATHNAME', 'sched_task_type_changed';

CREATE TRIGGER dependency_changed AFTER INSERT OR UPDATE OR DELETE ON sched._dependency
	FOR EACH ROW EXECUTE FUNCTION sched._job_changed();
ALTER TABLE sched._dependency ENABLE ALWAYS TRIGGER dependency_changed;

CREATE FUNCTION sched._calendar_changed()
RETURNS trigger LANGUAGE c
AS 'MODULE_PATHNAME', 'sched_calendar_changed';
