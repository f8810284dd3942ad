/*-------------------------------------------------------------------------
 *
 * worker.c
 *	  The background workers that run SQL tasks.
 *
 * A worker is connected as the role that its tasks run as and stays warm
 * between them.  It takes the next task of its role from the queue, runs it,
 * writes the outcome in the task's own transaction, and resets the session.
 * Nothing is written when a task starts: until the commit, the attempt exists
 * in shared memory only, and a worker that dies takes the attempt's effects with it.
 *
 * A worker that dies with a task in hand leaves its slot in state DEAD; the
 * scheduler writes what became of the task.  Cancellation comes as SIGINT,
 * with the reason in the slot.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "application/tasks/attempt.h"
#include "application/processes/chore.h"
#include "application/processes/current.h"
#include "application/tasks/handler.h"
#include "application/tasks/observe.h"
#include "application/processes/pool.h"
#include "application/processes/script.h"
#include "application/processes/session.h"
#include "application/processes/worker.h"
#include "catalog/pg_authid.h"
#include "infrastructure/clock.h"
#include "infrastructure/compat.h"
#include "infrastructure/memory/pending.h"
#include "infrastructure/settings.h"
#include "infrastructure/memory/wake.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/procsignal.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/ps_status.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

static SchedWorker *me;
static int	my_slot;
static bool role_changed = false;

/* The timeout that the deadline of the task in hand follows from. */
static int64 my_timeout;

/* The task in hand has ended with a commit; memory does not know yet. */
static bool task_is_over = false;

/* Job definitions, as long as no job has changed. */
static MemoryContext job_context;
static uint32 job_generation;
static SchedJob *cached_job;

/* ---------- coming and going ---------- */

static void
leave_slot(int code, Datum arg)
{
	SchedDatabase *db;
	QClass	   *class;

	sched_lock(LW_EXCLUSIVE);
	db = &sched_shared->databases[me->db];
	class = sched_queue_find_class(me->db, me->role, SCHED_KIND_SQL);
	if (class != NULL)
	{
		class->workers--;
		if (me->tasks_done == 0 && me->state == SCHED_WORKER_STARTING)
			sched_pool_start_failed(class);
	}
	me->proc = NULL;
	if (me->chore != 0)
	{
		sched_chores_failed(me->chore - 1, me->stop == SCHED_STOP_TIMEOUT ?
							"it took too long, see sched.callback_timeout" :
							"its worker was terminated", false);
		me->chore = 0;
	}
	if (me->task != NULL)
		me->state = SCHED_WORKER_DEAD;
	else
	{
		me->state = SCHED_WORKER_FREE;
		me->database = InvalidOid;
		sched_shared->workers_used--;
	}
	/* there is room for another one, perhaps of another database */
	for (int i = 0; i < SCHED_MAX_DATABASES; i++)
		if (sched_shared->databases[i].ready > 0 ||
			&sched_shared->databases[i] == db)
		{
			sched_shared->databases[i].want_workers = true;
			sched_wake_scheduler(&sched_shared->databases[i]);
		}
	if (db->scheduler == NULL)
		sched_wake_launcher();
	sched_unlock();
}

static void
note_role_change(Datum arg, int cacheid, uint32 hashvalue)
{
	role_changed = true;
}

/* May the role still log in? Needs a transaction. */
static bool
role_is_valid(void)
{
	HeapTuple	tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(me->role));
	bool		valid;

	if (!HeapTupleIsValid(tuple))
		return false;
	valid = ((Form_pg_authid) GETSTRUCT(tuple))->rolcanlogin;
	ReleaseSysCache(tuple);
	return valid;
}

static void
attach_slot(int slot)
{
	my_slot = slot;
	me = &sched_shared->workers[slot];
	sched_lock(LW_EXCLUSIVE);
	if (me->state != SCHED_WORKER_STARTING ||
		memcmp(MyBgworkerEntry->bgw_extra, &me->generation,
			   sizeof(me->generation)) != 0)
	{
		sched_unlock();
		proc_exit(0);			/* the slot was given to somebody else */
	}
	me->proc = MyProc;
	me->pid = MyProcPid;
	me->started_at = GetCurrentTimestamp();
	sched_unlock();
	before_shmem_exit(leave_slot, (Datum) 0);
}

/* ---------- one task ---------- */

/* The job's row; needs a transaction.  Cached until any job changes. */
static SchedJob *
current_job(int64 job_id)
{
	uint32		generation = sched_pending_job_generation();
	MemoryContext old;

	if (cached_job != NULL && cached_job->job_id == job_id &&
		job_generation == generation)
		return cached_job;
	cached_job = NULL;
	MemoryContextReset(job_context);
	old = MemoryContextSwitchTo(job_context);
	cached_job = sched_store_job(job_id);
	MemoryContextSwitchTo(old);
	job_generation = generation;
	return cached_job;
}

static void
set_deadline(QTask *task)
{
	task->deadline = my_timeout == 0 ? 0 : task->started_at + my_timeout;
	sched_queue_set_timer(task, task->deadline);
}

/*
 * Put the task down in the slot; from here on it can be cancelled.  A signal
 * that has come before was meant for the one before.
 */
static void
begin_task(QTask *task, SchedAttempt *attempt)
{
	QueryCancelPending = false;
	me->state = SCHED_WORKER_BUSY;
	me->since = GetCurrentTimestamp();
	me->task = task;
	me->task_id = task->task_id;
	me->attempt = task->attempt;
	me->stop = SCHED_STOP_NONE;
	me->terminated = false;
	me->woken = false;
	task->worker = my_slot;
	my_timeout = task->lane->spec.timeout;
	set_deadline(task);
	sched_attempt_copy(task, attempt);
}

/*
 * The task is no longer ours, whatever became of it.  A successful one is
 * finished here, under the same hold of the lock under which the next is taken.  In
 * the meantime the extension may have been dropped, and the queue emptied.
 */
static void
let_go_of_task(void)
{
	QTask	   *task = me->task;

	if (task == NULL)
		return;
	if (task_is_over && task->db == me->db && task->task_id == me->task_id &&
		task->attempt == me->attempt && task->worker == my_slot)
		sched_queue_finish(task);
	task_is_over = false;
	me->task = NULL;
	me->task_id = 0;
	me->stop = SCHED_STOP_NONE;
	me->tasks_done++;
}

/* The job has another timeout than memory thought. */
static void
correct_deadline(const SchedJob *job)
{
	int64		timeout = Max(job->timeout, 0);

	if (timeout == my_timeout)
		return;
	sched_lock(LW_EXCLUSIVE);
	my_timeout = timeout;
	if (me->task->worker == my_slot && me->stop == SCHED_STOP_NONE)
		set_deadline(me->task);
	sched_unlock();
}

/* What the task has reported; nobody else takes the task out of our hands. */
static void
copy_progress(void)
{
	sched_current->attempt.progress =
		*(volatile float4 *) &me->task->progress;
}

/*
 * A job that runs as somebody else than its owner does so on the word of whoever
 * defined it: who must still be there and a member of that role.
 */
static void
check_run_as(const SchedJob *job)
{
	if (job->run_as == job->owner ||
		(OidIsValid(job->defined_by) &&
		 SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(job->defined_by)) &&
		 is_member_of_role(job->defined_by, job->run_as)))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("job \"%s\" may no longer run as role \"%s\"", job->name,
					GetUserNameFromId(job->run_as, true)),
			 errdetail("The role that defined it is gone or is not a member of that role any more."),
			 errhint("Let a member of the role set run_as with sched.update_job().")));
}

/* In a transaction of its own, or the line would come when the task has ended. */
static void
log_start(const SchedAttempt *attempt)
{
	CommitTransactionCommand();
	StartTransactionCommand();
	sched_observe_state(attempt->task_id, attempt->attempt, attempt->job_id,
						"running");
	CommitTransactionCommand();
	StartTransactionCommand();
}

static void
run_command(const SchedJob *job, SchedScriptResult *result)
{
	if (job->command == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("job \"%s\" has no command", job->name)));
	debug_query_string = job->command;
	pgstat_report_activity(STATE_RUNNING, job->command);
	sched_script_run(job->command, sched_current->context, result);
}

/* Run the task and commit its outcome with it.  Raises the task's errors. */
static void
run_to_completion(SchedAttempt *attempt)
{
	SchedScriptResult result = {SCHED_UNSET, NULL};
	SchedEnd	end = {0};
	SchedJob   *job;
	const SchedTaskType *type;
	bool		is_sql;

	StartTransactionCommand();
	if (role_changed)
	{
		AcceptInvalidationMessages();
		role_changed = false;
		if (!role_is_valid())
		{
			sched_lock(LW_EXCLUSIVE);
			me->leave = true;
			sched_unlock();
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
					 errmsg("role %u does not exist or cannot log in",
							me->role)));
		}
	}
	job = current_job(attempt->job_id);
	sched_current->job = job;
	if (job == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("job " INT64_FORMAT " no longer exists",
						attempt->job_id)));
	type = sched_task_type(job->type);
	is_sql = strcmp(job->type, "sql") == 0;
	if (job->run_as != me->role || (!is_sql && type->handler == NULL))
	{
		/* changed while it waited: somebody else is to have it */
		end.status = SCHED_OUTCOME_RELEASED;
		end.reason = job->run_as != me->role ?
			"the job runs as another role now" :
			"the job's type has no handler any more";
		end.row_count = SCHED_UNSET;
		end.executor_id = SCHED_EXECUTOR_SQL;
		(void) sched_attempt_end(job, attempt, &end, sched_clock_now());
		CommitTransactionCommand();
		return;
	}
	check_run_as(job);
	if (sched_observes_states())
		log_start(attempt);
	correct_deadline(job);
	if (is_sql)
		run_command(job, &result);
	else
		sched_handler_run(job, type, sched_current->context, &result);

	/* cancelled in its last moment: do not commit what was to be stopped */
	CHECK_FOR_INTERRUPTS();
	copy_progress();
	end.status = SCHED_OUTCOME_COMPLETED;
	end.row_count = result.row_count;
	if (job->history == NULL || strcmp(job->history, "all") == 0)
		end.result = result.result;
	end.executor_id = SCHED_EXECUTOR_SQL;
	if (sched_current->first != NULL)
		sched_current_write_log();
	(void) sched_attempt_end(job, attempt, &end, sched_clock_now());
	CommitTransactionCommand();
}

static const char *
stop_reason_text(SchedStopReason stop)
{
	switch (stop)
	{
		case SCHED_STOP_TIMEOUT:
			return "timeout";
		case SCHED_STOP_CANCEL:
			return SCHED_ON_REQUEST;
		case SCHED_STOP_REPLACED:
			return "replaced by a newer run";
		case SCHED_STOP_NONE:
			break;
	}
	return NULL;
}

/* Write down that the attempt failed, in a transaction of its own. */
static void
record_failure(SchedAttempt *attempt, const ErrorData *error,
			   SchedStopReason stop)
{
	SchedEnd	end = {0};
	TimestampTz now = sched_clock_now();
	char		sqlstate[6];
	SchedJob   *job;

	StartTransactionCommand();
	job = current_job(attempt->job_id);
	strlcpy(sqlstate, unpack_sql_state(error->sqlerrcode), sizeof(sqlstate));
	end.status = stop == SCHED_STOP_TIMEOUT ? SCHED_OUTCOME_TIMEOUT :
		stop != SCHED_STOP_NONE ? SCHED_OUTCOME_CANCELLED :
		SCHED_OUTCOME_FAILED;
	end.retryable = stop == SCHED_STOP_TIMEOUT ||
		sched_retry_sqlstate_is_retryable(sqlstate);
	end.sqlstate = sqlstate;
	end.error = error->message;
	end.reason = stop_reason_text(stop);
	end.row_count = SCHED_UNSET;
	end.executor_id = SCHED_EXECUTOR_SQL;

	sched_current_log(SCHED_LOG_ERROR, error->message);
	if (error->detail != NULL)
		sched_current_log(SCHED_LOG_ERROR, error->detail);
	if (error->hint != NULL)
		sched_current_log(SCHED_LOG_INFO, error->hint);
	if (error->context != NULL)
		sched_current_log(SCHED_LOG_INFO, error->context);
	sched_current_write_log();
	(void) sched_attempt_end(job, attempt, &end, now);
	CommitTransactionCommand();

	ereport(DEBUG1,
			(errmsg("task " INT64_FORMAT " attempt %d failed: %s",
					attempt->task_id, attempt->attempt, error->message)));
}

/*
 * Somebody else ended the attempt first: its outcome row was there, so ours
 * did not commit, and neither did the task's effects.
 */
static bool
was_ended_elsewhere(const SchedAttempt *attempt)
{
	int			last = 0;
	char		status;
	bool		final;
	bool		ended;
	TimestampTz finished_at;

	StartTransactionCommand();
	ended = sched_store_last_outcome(attempt->task_id, &last, &status, &final,
									 &finished_at) &&
		last >= attempt->attempt;
	if (ended && final)
		sched_pending_finish_task(attempt->task_id);
	CommitTransactionCommand();
	return ended;
}

static void
run_task(SchedAttempt *attempt)
{
	SchedCurrent current = {0};
	ErrorData  *volatile error = NULL;
	SchedStopReason stop;
	MemoryContext old = CurrentMemoryContext;

	current.attempt = *attempt;
	current.context = AllocSetContextCreate(TopMemoryContext, "sched task",
											ALLOCSET_DEFAULT_SIZES);
	sched_current = &current;

	sched_pending_defer_finish(attempt->task_id);
	PG_TRY();
	{
		run_to_completion(&current.attempt);
	}
	PG_CATCH();
	{
		HOLD_INTERRUPTS();
		MemoryContextSwitchTo(current.context);
		error = CopyErrorData();
		FlushErrorState();
		AbortOutOfAnyTransaction();
		RESUME_INTERRUPTS();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(old);
	debug_query_string = NULL;
	task_is_over = sched_pending_take_deferred() && error == NULL;

	if (error != NULL)
	{
		/* no cancellation while the failure is written down */
		stop = me->stop;
		QueryCancelPending = false;
		copy_progress();
		if (!was_ended_elsewhere(attempt))
			record_failure(&current.attempt, error, stop);
	}
	sched_current = NULL;
	sched_session_reset();
	pgstat_report_stat(false);
	MemoryContextDelete(current.context);
}

/* ---------- the loop ---------- */

/* A function that the scheduler waits for goes first; true when there is one. */
static bool
take_chore(void)
{
	int			chore = sched_chores_take(me->db, me->role, my_slot);

	if (chore < 0)
		return false;
	QueryCancelPending = false;
	me->state = SCHED_WORKER_BUSY;
	me->since = GetCurrentTimestamp();
	me->chore = chore + 1;
	me->stop = SCHED_STOP_NONE;
	me->terminated = false;
	return true;
}

/*
 * The next thing to do; false: there is nothing, and *leave tells that this
 * worker has to go.
 */
static bool
take_work(SchedAttempt *attempt, bool *leave)
{
	QClass	   *class;
	QTask	   *task = NULL;
	SchedDatabase *db = &sched_shared->databases[me->db];
	bool		idle = me->state == SCHED_WORKER_IDLE;

	sched_lock(LW_EXCLUSIVE);
	let_go_of_task();
	*leave = me->leave;
	class = sched_queue_find_class(me->db, me->role, SCHED_KIND_SQL);
	if (class != NULL)
	{
		class->start_failures = 0;
		class->retry_start_at = 0;
		if (!me->leave && !take_chore())
			task = sched_queue_take(class, sched_clock_now());
	}
	if (me->chore != 0)
		;
	else if (task != NULL)
		begin_task(task, attempt);
	else if (!idle)
	{
		me->state = SCHED_WORKER_IDLE;
		me->since = GetCurrentTimestamp();
		sched_wake_scheduler(db);
		/* the place of an idle one may be wanted in another database */
		for (int i = 0; i < SCHED_MAX_DATABASES &&
			 sched_shared->workers_used >= sched_max_workers; i++)
			if (sched_shared->databases[i].ready > 0)
				sched_wake_scheduler(&sched_shared->databases[i]);
	}
	me->woken = false;
	sched_unlock();
	if (task == NULL && me->chore == 0 && !idle)
		pgstat_report_activity(STATE_IDLE, NULL);
	return task != NULL || me->chore != 0;
}

void
sched_worker_main(Datum slot)
{
	TimestampTz idle_since = GetCurrentTimestamp();
	bool		has_stats = false;

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();

	attach_slot(DatumGetInt32(slot));
	BackgroundWorkerInitializeConnectionByOid(me->database, me->role, 0);
	CacheRegisterSyscacheCallback(AUTHOID, note_role_change, (Datum) 0);
	job_context = AllocSetContextCreate(TopMemoryContext, "sched job",
										ALLOCSET_DEFAULT_SIZES);
	sched_script_capture_notices();
	pgstat_report_activity(STATE_IDLE, NULL);

	for (;;)
	{
		SchedAttempt attempt;
		bool		leave;

		ResetLatch(MyLatch);
		QueryCancelPending = false; /* meant for a task that is over */
		CHECK_FOR_INTERRUPTS();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
		}
		if (take_work(&attempt, &leave))
		{
			if (me->chore != 0)
				sched_chore_run(me);
			else
				run_task(&attempt);
			has_stats = true;
			idle_since = GetCurrentTimestamp();
			continue;
		}
		if (leave || GetCurrentTimestamp() - idle_since >
			sched_worker_idle_timeout * USECS_PER_SEC)
			proc_exit(0);
		/* counters that were held back so far are due after a second */
		if (WaitLatch(MyLatch,
					  WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
					  has_stats ? 1000L :
					  Min(sched_worker_idle_timeout, 30) * 1000L + 1,
					  PG_WAIT_EXTENSION) & WL_TIMEOUT && has_stats)
		{
			pgstat_report_stat(true);
			has_stats = false;
		}
	}
}
