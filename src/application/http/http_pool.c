/*-------------------------------------------------------------------------
 *
 * http_pool.c
 *	  The scheduler's care for the HTTP worker of its database.
 *
 * There is one worker for all requests of a database, started when the first
 * HTTP task is ready.  One that dies leaves its state DEAD if it had requests on
 * the wire; then their attempts are written off as lost before another one is
 * started, so that no task is ever in two hands.  After failures the next start
 * waits longer each time.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "application/tasks/attempt.h"
#include "application/http/http_pool.h"
#include "executor/spi.h"
#include "infrastructure/clock.h"
#include "infrastructure/memory/pending.h"
#include "infrastructure/settings.h"
#include "infrastructure/memory/wake.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#define FIRST_BACK_OFF		(1 * USECS_PER_SEC)
#define LONGEST_BACK_OFF	(60 * USECS_PER_SEC)
#define STILLBORN_AGE		(60 * USECS_PER_SEC)

typedef struct Orphan
{
	SchedAttempt attempt;
	SchedStopReason stop;
} Orphan;

static BackgroundWorkerHandle * handle;

static inline SchedHttpWorker *
worker_of(int db)
{
	return &sched_shared->databases[db].http;
}

/* ---------- what a dead worker had in hand ---------- */

/* The tasks that run in no worker, in a palloc'd array. */
static Orphan *
find_orphans(int db, int *count)
{
	int			capacity = 0;
	Orphan	   *orphans;
	uint32		cursor = 0;
	QTask	   *task;

	sched_lock(LW_SHARED);
	capacity = sched_shared->databases[db].running;
	sched_unlock();
	orphans = palloc((capacity + 1) * sizeof(Orphan));
	*count = 0;

	/* nobody starts HTTP tasks in the meantime */
	sched_lock(LW_SHARED);
	while (*count < capacity &&
		   (task = sched_queue_next_task(db, &cursor)) != NULL)
		if (task->worker == SCHED_WORKER_HTTP &&
			sched_task_status_holds_lease(task->status))
		{
			sched_attempt_copy(task, &orphans[*count].attempt);
			orphans[(*count)++].stop = task->stop;
		}
	sched_unlock();
	return orphans;
}

static void
settle_one(const Orphan *orphan)
{
	SchedEnd	end = {0};
	int			last = 0;
	char		status;
	bool		final = false;
	TimestampTz finished_at;

	end.row_count = SCHED_UNSET;
	end.executor_id = SCHED_EXECUTOR_HTTP;
	end.sqlstate = "57P01";
	end.error = "the HTTP worker was terminated";
	end.status = orphan->stop == SCHED_STOP_NONE ? SCHED_OUTCOME_LOST :
		orphan->stop == SCHED_STOP_TIMEOUT ? SCHED_OUTCOME_TIMEOUT :
		SCHED_OUTCOME_CANCELLED;
	end.retryable = true;
	end.reason = orphan->stop == SCHED_STOP_CANCEL ? SCHED_ON_REQUEST :
		orphan->stop == SCHED_STOP_REPLACED ? "replaced by a newer run" :
		orphan->stop == SCHED_STOP_TIMEOUT ? "timeout" : NULL;
	if (!(sched_store_last_outcome(orphan->attempt.task_id, &last, &status,
								   &final, &finished_at) &&
		  last >= orphan->attempt.attempt))
		(void) sched_attempt_end(sched_store_job(orphan->attempt.job_id),
								 &orphan->attempt, &end, sched_clock_now());
	else if (final)
		sched_pending_finish_task(orphan->attempt.task_id);
	CommandCounterIncrement();
}

static void
settle(int db)
{
	int			count;
	Orphan	   *orphans = find_orphans(db, &count);

	if (count > 0)
	{
		SetCurrentStatementStartTimestamp();
		StartTransactionCommand();
		PushActiveSnapshot(GetTransactionSnapshot());
		for (int i = 0; i < count; i++)
			settle_one(&orphans[i]);
		PopActiveSnapshot();
		CommitTransactionCommand();
	}
	pfree(orphans);
	sched_lock(LW_EXCLUSIVE);
	if (worker_of(db)->state == SCHED_WORKER_DEAD)
		worker_of(db)->state = SCHED_WORKER_FREE;
	sched_unlock();
}

/* ---------- starting ---------- */

static bool
has_work(int db)
{
	QClass	   *class = sched_queue_find_class(db, InvalidOid, SCHED_KIND_HTTP);
	TimestampTz queued_at;

	if (worker_of(db)->deliveries)
		return true;
	return class != NULL && sched_queue_startable(class, &queued_at) > 0;
}

static void
note_failure(SchedHttpWorker *http)
{
	http->retry_start_at = GetCurrentTimestamp() +
		Min(FIRST_BACK_OFF << Min(http->start_failures, 10), LONGEST_BACK_OFF);
	http->start_failures++;
}

/* A worker that never came: the postmaster could not start it. */
static void
notice_stillborn(int db)
{
	SchedHttpWorker *http = worker_of(db);
	pid_t		pid;

	if (http->state != SCHED_WORKER_STARTING)
		return;
	if (handle != NULL &&
		GetBackgroundWorkerPid(handle, &pid) != BGWH_STOPPED)
		return;
	sched_lock(LW_EXCLUSIVE);
	if (http->state == SCHED_WORKER_STARTING && http->proc == NULL &&
		(handle != NULL ||
		 GetCurrentTimestamp() - http->since > STILLBORN_AGE))
	{
		http->state = SCHED_WORKER_FREE;
		note_failure(http);
	}
	sched_unlock();
}

/* True when the worker is to be started now; takes the slot. */
static bool
reserve(int db, TimestampTz now)
{
	SchedHttpWorker *http = worker_of(db);
	bool		start;

	sched_lock(LW_EXCLUSIVE);
	start = http->state == SCHED_WORKER_FREE && has_work(db) &&
		!sched_shared->databases[db].held &&
		!sched_shared->databases[db].leave &&
		http->retry_start_at <= now;
	if (start)
	{
		http->state = SCHED_WORKER_STARTING;
		http->generation++;
		http->proc = NULL;
		http->pid = 0;
		http->leave = false;
		http->terminated = false;
		http->woken = false;
		http->stops = false;
		http->wanted = false;
		http->since = now;
		http->in_flight = 0;
	}
	sched_unlock();
	return start;
}

static void
start(int db)
{
	SchedHttpWorker *http = worker_of(db);
	BackgroundWorker worker = {0};
	MemoryContext old;
	bool		started;

	worker.bgw_flags = BGWORKER_SHMEM_ACCESS |
		BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	worker.bgw_notify_pid = MyProcPid;
	worker.bgw_main_arg = Int32GetDatum(db);
	strlcpy(worker.bgw_library_name, "sched", BGW_MAXLEN);
	strlcpy(worker.bgw_function_name, "sched_http_worker_main", BGW_MAXLEN);
	strlcpy(worker.bgw_type, "sched http", BGW_MAXLEN);
	strlcpy(worker.bgw_name, "sched http", BGW_MAXLEN);
	memcpy(worker.bgw_extra, &http->generation, sizeof(uint32));

	if (handle != NULL)
		pfree(handle);
	handle = NULL;
	old = MemoryContextSwitchTo(TopMemoryContext);
	started = RegisterDynamicBackgroundWorker(&worker, &handle);
	MemoryContextSwitchTo(old);
	if (started)
		return;

	handle = NULL;
	sched_lock(LW_EXCLUSIVE);
	http->state = SCHED_WORKER_FREE;
	note_failure(http);
	sched_unlock();
	if (http->start_failures == 1)
		ereport(LOG,
				(errmsg("sched: no free background worker slot, HTTP tasks wait"),
				 errhint("Increase max_worker_processes.")));
}

/* What an earlier life of the server left to be sent is in the table only. */
static void
look_for_deliveries(int db)
{
	static bool looked = false;
	bool		found;

	if (looked)
		return;
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (SPI_execute("SELECT FROM sched._delivery LIMIT 1", true,
					1) != SPI_OK_SELECT)
		elog(ERROR, "could not read sched._delivery");
	found = SPI_processed > 0;
	SPI_finish();
	PopActiveSnapshot();
	CommitTransactionCommand();
	looked = true;
	if (!found)
		return;
	sched_lock(LW_EXCLUSIVE);
	sched_queue_note_deliveries(&sched_shared->databases[db]);
	sched_unlock();
}

TimestampTz
sched_http_pool_run(int db)
{
	SchedHttpWorker *http = worker_of(db);
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz again = 0;

	look_for_deliveries(db);
	notice_stillborn(db);
	if (http->state == SCHED_WORKER_DEAD)
		settle(db);
	if (!sched_enabled)
		return 0;
	if (reserve(db, now))
		start(db);
	sched_lock(LW_SHARED);
	if (http->state == SCHED_WORKER_FREE && has_work(db) &&
		!sched_shared->databases[db].held)
		again = Max(http->retry_start_at, now + USECS_PER_SEC / 10);
	sched_unlock();
	return again;
}

void
sched_http_pool_dismiss(int db)
{
	sched_lock(LW_EXCLUSIVE);
	worker_of(db)->leave = true;
	sched_wake_http(&sched_shared->databases[db]);
	sched_unlock();
}
