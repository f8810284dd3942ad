/*-------------------------------------------------------------------------
 *
 * watch.c
 *	  Watching executors and their leases.
 *
 * Runs in the scheduler; sched.detect_failed_executors() runs parts of it in the
 * caller's session.  An executor that was silent for longer than
 * sched.executor_timeout is offline.  What it had is taken back: attempts that
 * ran are lost, those that had only been assigned are released, and in both
 * cases another attempt follows, so that whatever the executor says about them
 * later is about a stale attempt.
 *
 * Leases end one by one as well: not started in time, timed out, or told to
 * stop and not stopped within sched.cancel_grace.
 *
 * A task that somebody's open transaction holds is left alone; when that
 * transaction is over the scheduler is asked to look again.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "application/tasks/attempt.h"
#include "application/events/event.h"
#include "application/tasks/job_cache.h"
#include "application/tasks/record.h"
#include "application/executors/watch.h"
#include "commands/async.h"
#include "executor/spi.h"
#include "infrastructure/clock.h"
#include "infrastructure/tables/executor_table.h"
#include "infrastructure/memory/pending.h"
#include "infrastructure/settings.h"
#include "infrastructure/tables/store.h"
#include "miscadmin.h"
#include "utils/snapmgr.h"

#define BATCH			1000
#define DETECT_PAUSE	(500 * 1000)	/* microseconds between looks */

static TimestampTz last_detection;	/* real time */
static TimestampTz last_hint;	/* real time */

/* An attempt that is to be ended, copied while the lock was held. */
typedef struct Ended
{
	SchedAttempt attempt;
	SchedTaskStatus status;
	QTaskRef   *ref;
	bool		late;			/* its own time was over */
} Ended;

/* ---------- ending attempts ---------- */

/* Hold the task for this transaction; lock held. */
static bool
hold(QTask *task, QTaskBatch *batch, Ended *ended, bool late)
{
	if (task->ending_pid != 0)
		return false;
	task->ending_pid = MyProcPid;
	task->ending = true;
	ended->ref = sched_batch_add(batch, task);
	ended->status = task->status;
	ended->late = late;
	sched_attempt_copy(task, &ended->attempt);
	if (task->executor != 0)
		sched_executor_note_lost(sched_executor_of(task), task->task_id,
								 task->attempt);
	return true;
}

static void
describe_end(const Ended *ended, SchedEnd *end)
{
	MemSet(end, 0, sizeof(SchedEnd));
	end->row_count = SCHED_UNSET;
	end->executor_id = ended->attempt.executor_id;
	if (ended->attempt.stop != SCHED_STOP_NONE)
	{
		end->status = SCHED_OUTCOME_CANCELLED;
		end->reason = ended->attempt.stop == SCHED_STOP_CANCEL ?
			SCHED_ON_REQUEST : "replaced by a newer run";
	}
	else if (ended->status == SCHED_TASK_ASSIGNED)
	{
		end->status = SCHED_OUTCOME_RELEASED;
		end->reason = ended->late ? "its executor did not start it in time" :
			"its executor is gone";
	}
	else if (ended->late)
	{
		end->status = SCHED_OUTCOME_TIMEOUT;
		end->retryable = true;
		end->error = "timeout";
		end->sqlstate = "57014";
	}
	else
	{
		end->status = SCHED_OUTCOME_LOST;
		end->error = "its executor is gone";
		end->sqlstate = "08006";
	}
}

/* Write the outcomes, in the running transaction. */
static void
end_all(Ended *ended, int count, TimestampTz now)
{
	SchedOutcome *outcomes;

	if (count == 0)
		return;
	outcomes = palloc(count * sizeof(SchedOutcome));
	for (int i = 0; i < count; i++)
	{
		const SchedAttempt *attempt = &ended[i].attempt;
		SchedEnd	end;
		bool		again;

		describe_end(&ended[i], &end);
		again = sched_attempt_outcome(sched_job_cached(attempt->job_id),
									  attempt, &end, now, &outcomes[i],
									  &ended[i].ref->counts);
		ended[i].ref->fate = again ? Q_RETRY : Q_FINISH;
		ended[i].ref->retry_at = outcomes[i].retry_at;
	}
	sched_record_outcomes(outcomes, count);
	pfree(outcomes);
}

static void
begin(void)
{
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
}

static void
commit(void)
{
	PopActiveSnapshot();
	CommitTransactionCommand();
}

/* ---------- what ends one by one ---------- */

bool
sched_watch_is_over(QTask *task, TimestampTz now)
{
	/*
	 * somebody's transaction has it: soon it is over, or it will be asked
	 * again
	 */
	if (task->ending_pid != 0)
	{
		sched_queue_set_timer(task, now + USECS_PER_SEC);
		return false;
	}
	sched_queue_set_timer(task, now + USECS_PER_SEC);
	return true;
}

void
sched_watch_expire(const SchedExpired *expired, int count)
{
	TimestampTz now = sched_clock_now();
	QTaskBatch *batch;
	Ended	   *ended;
	int			me;
	int			n = 0;

	begin();
	batch = sched_pending_ends(count);
	ended = palloc(count * sizeof(Ended));
	sched_lock(LW_EXCLUSIVE);
	me = sched_shmem_my_database();
	for (int i = 0; i < count; i++)
	{
		QTask	   *task = sched_queue_find(me, expired[i].task_id);

		if (task != NULL &&
			(task->executor != 0 || task->stop != SCHED_STOP_NONE) &&
			task->attempt == expired[i].attempt &&
			hold(task, batch, &ended[n], true))
			n++;
	}
	sched_unlock();
	end_all(ended, n, now);
	commit();
}

/* ---------- executors that are gone ---------- */

#define LOST_BATCH	64

/* Executors that have just been found gone; names are copied under the lock. */
typedef struct Lost
{
	int			count;
	Oid			owners[LOST_BATCH];
	char		names[LOST_BATCH][SCHED_EXECUTOR_NAME_BYTES];
} Lost;

static void
note_gone(QExecutor *executor, TimestampTz now, Lost *lost)
{
	sched_executor_set_status(executor, SCHED_EXECUTOR_OFFLINE,
							  executor->spec.active, now);
	lost->owners[lost->count] = executor->spec.owner;
	strlcpy(lost->names[lost->count], executor->spec.name,
			SCHED_EXECUTOR_NAME_BYTES);
	lost->count++;
}

/* Record the events; in the scheduler in a transaction of their own. */
static void
report_lost(const Lost *lost)
{
	bool		own = !IsTransactionState();

	if (lost->count == 0)
		return;
	if (own)
		begin();
	for (int i = 0; i < lost->count; i++)
		sched_event_executor(SCHED_EVENT_EXECUTOR_LOST, lost->names[i],
							 lost->owners[i], NULL);
	if (own)
		commit();
}

static void
detect(int db, int64 timeout)
{
	TimestampTz now = sched_clock_now();
	QExecutor  *executor;
	Lost		lost;

	do
	{
		lost.count = 0;
		sched_lock(LW_EXCLUSIVE);
		while (lost.count < LOST_BATCH &&
			   (executor = sched_executor_overdue(db, now, timeout)) != NULL)
			note_gone(executor, now, &lost);
		sched_unlock();
		report_lost(&lost);
	} while (lost.count == LOST_BATCH);
}

/*
 * The same with another timeout than the one that the heap is ordered by; at
 * most a batch of them.  Lock held.
 */
static void
detect_all(int db, int64 timeout, TimestampTz now, Lost *lost)
{
	QExecutor  *executor;
	uint32		cursor = 0;

	lost->count = 0;
	while (lost->count < LOST_BATCH &&
		   (executor = sched_executor_next(db, &cursor)) != NULL)
		if (!executor->gone && executor->timed &&
			now - executor->last_beat > timeout)
			note_gone(executor, now, lost);
}

/*
 * Hold leases of executors that are to be settled; returns how many, stores
 * whether there may be more.  Lock held.
 */
static int
collect(int db, QTaskBatch *batch, Ended *ended, bool *more)
{
	QExecutor  *executor;
	uint32		cursor = 0;
	int			count = 0;

	*more = false;
	while ((executor = sched_executor_next(db, &cursor)) != NULL && !*more)
	{
		dlist_iter	iter;

		if (!executor->settle)
			continue;
		dlist_foreach(iter, &executor->leases)
		{
			if (count == BATCH)
			{
				*more = true;
				break;
			}
			if (hold(dlist_container(QTask, lease_node, iter.cur), batch,
					 &ended[count], false))
				count++;
		}
		if (!*more)
			executor->settle = false;
	}
	if (!*more)
		sched_shared->databases[db].settle_executors = false;
	return count;
}

/* After an error in between they are to be looked at again. */
static void
ask_again(int db)
{
	QExecutor  *executor;
	uint32		cursor = 0;

	sched_lock(LW_EXCLUSIVE);
	while ((executor = sched_executor_next(db, &cursor)) != NULL)
		if (executor->running > 0 && !dlist_is_empty(&executor->leases))
			sched_queue_check_holder(dlist_container(QTask, lease_node,
													 dlist_head_node(&executor->leases)));
	sched_unlock();
}

static bool
take_back(int db)
{
	QTaskBatch *batch = sched_pending_ends(BATCH);
	Ended	   *ended = palloc(BATCH * sizeof(Ended));
	bool		more;
	int			count;

	sched_lock(LW_EXCLUSIVE);
	count = collect(db, batch, ended, &more);
	sched_unlock();
	end_all(ended, count, sched_clock_now());
	pfree(ended);
	return more;
}

/*
 * Finding them and holding what they have is one step, so that the scheduler
 * does not come in between.  More than a batch is left to the scheduler.
 */
int
sched_watch_fail_silent(int db, int64 timeout)
{
	TimestampTz now = sched_clock_now();
	int			found = 0;
	Lost		lost;

	do
	{
		QTaskBatch *batch = sched_pending_ends(BATCH);
		Ended	   *ended = palloc(BATCH * sizeof(Ended));
		bool		more;
		int			count;

		sched_lock(LW_EXCLUSIVE);
		detect_all(db, timeout, now, &lost);
		count = collect(db, batch, ended, &more);
		sched_unlock();
		report_lost(&lost);
		end_all(ended, count, now);
		CommandCounterIncrement();
		pfree(ended);
		found += lost.count;
	} while (lost.count == LOST_BATCH);
	return found;
}

void
sched_watch_take_from(int db, int executor_id)
{
	int			n;

	do
	{
		QTaskBatch *batch = sched_pending_ends(BATCH);
		Ended	   *ended = palloc(BATCH * sizeof(Ended));
		QExecutor  *executor;
		dlist_iter	iter;

		n = 0;
		sched_lock(LW_EXCLUSIVE);
		executor = sched_executor_find_id(db, executor_id);
		if (executor != NULL)
			dlist_foreach(iter, &executor->leases)
				if (n < BATCH &&
					hold(dlist_container(QTask, lease_node, iter.cur), batch,
						 &ended[n], false))
				n++;
		sched_unlock();
		end_all(ended, n, sched_clock_now());
		CommandCounterIncrement();
		pfree(ended);
	} while (n == BATCH);
}

/*
 * Tell those who LISTEN that there are tasks.  From here and not from whoever
 * makes them, so that no commit of a user takes the lock of NOTIFY; and not more
 * often than sched.notify_interval says.
 */
static void
notify(SchedDatabase *database)
{
	TimestampTz real_now = GetCurrentTimestamp();

	if (!database->hint || sched_notify_interval == 0 ||
		real_now - last_hint < sched_notify_interval * INT64CONST(1000))
		return;
	sched_lock(LW_EXCLUSIVE);
	database->hint = false;
	sched_unlock();
	last_hint = real_now;
	begin();
	Async_Notify("sched_tasks", "");
	commit();
}

void
sched_watch_run(int db)
{
	SchedDatabase *database = &sched_shared->databases[db];
	TimestampTz real_now = GetCurrentTimestamp();
	bool		more = true;

	if (sched_clock_is_frozen() || real_now < last_detection ||
		real_now - last_detection >= DETECT_PAUSE)
	{
		detect(db, sched_executor_timeout * USECS_PER_SEC);
		last_detection = real_now;
	}
	notify(database);
	while (database->settle_executors && more)
	{
		PG_TRY();
		{
			begin();
			more = take_back(db);
			commit();
		}
		PG_CATCH();
		{
			ask_again(db);
			PG_RE_THROW();
		}
		PG_END_TRY();
		CHECK_FOR_INTERRUPTS();
	}
}

TimestampTz
sched_watch_next(int db, TimestampTz *by_real)
{
	TimestampTz check = sched_executor_next_check(db);

	*by_real = sched_shared->databases[db].hint && sched_notify_interval > 0 ?
		last_hint + sched_notify_interval * INT64CONST(1000) : 0;
	/* not more often than every half second, however many are due */
	if (check != 0 && !sched_clock_is_frozen() &&
		check < last_detection + DETECT_PAUSE)
	{
		if (*by_real == 0 || *by_real > last_detection + DETECT_PAUSE)
			*by_real = last_detection + DETECT_PAUSE;
		return 0;
	}
	return check;
}

void
sched_watch_reconfigured(int db)
{
	TimestampTz now = sched_clock_now();
	Lost		lost;

	do
	{
		sched_lock(LW_EXCLUSIVE);
		detect_all(db, sched_executor_timeout * USECS_PER_SEC, now, &lost);
		sched_unlock();
		report_lost(&lost);
	} while (lost.count == LOST_BATCH);
}

/* ---------- loading ---------- */

void
sched_watch_load(int db)
{
	TimestampTz now = sched_clock_now();
	bool		full = false;

	if (SPI_execute("SELECT e.* FROM sched._executor e "
					"WHERE e.status <> 'deregistered' ORDER BY e.executor_id",
					true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read sched._executor");
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		QExecutorSpec spec;

		sched_store_executor_spec(SPI_tuptable->vals[i],
								  SPI_tuptable->tupdesc, &spec);
		sched_lock(LW_EXCLUSIVE);
		if (sched_executor_find_id(db, spec.executor_id) == NULL)
			full |= sched_executor_put(db, &spec, 0, now) == NULL;
		sched_unlock();
	}
	if (full)
		ereport(LOG,
				(errmsg("sched: shared memory has no room for some of the executors"),
				 errhint("Increase sched.max_executors.")));
}
