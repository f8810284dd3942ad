/*-------------------------------------------------------------------------
 *
 * tasks.c
 *	  Ordering tasks, and what people do to tasks that have not ended.
 *
 * Runs in the backend of whoever calls.  Each change is rows of the record,
 * written in the caller's transaction, and a note of what they mean for the
 * queue, applied at its commit (pending.c); a rollback takes back both.
 *
 * Who ends a waiting task reserves it first, so that no worker starts it in
 * the meantime.  A task that a built-in worker runs is not ended here: the
 * worker is told to stop at commit, and writes the outcome itself when its
 * statement is over.  Should both happen to end the same attempt, the primary key of
 * _outcome lets one of them win.
 *
 * The queue's lock is held for looking something up only, never across access to
 * a table.
 *
 * What is written is made visible to the rest of the same statement, which may
 * call again with the same task or idempotency key.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "application/tasks/handler.h"
#include "application/http/http_request.h"
#include "application/workflow/graph.h"
#include "application/tasks/record.h"
#include "application/tasks/rights.h"
#include "application/executors/routing.h"
#include "application/tasks/tasks.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "infrastructure/clock.h"
#include "infrastructure/memory/pending.h"
#include "miscadmin.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"

/* How many rows are written at a time. */
#define BATCH	1000

/* What became of an attempt to cancel a waiting task. */
typedef enum CancelResult
{
	CANCEL_WRITE,				/* an outcome is to be written */
	CANCEL_RUNNING,				/* a worker has it */
	CANCEL_ENDED,				/* it has ended already */
	CANCEL_BUSY					/* another session is ending it */
} CancelResult;

/* ---------- ordering ---------- */

void
sched_order_init(SchedOrder *order, TimestampTz scheduled_at)
{
	MemSet(order, 0, sizeof(SchedOrder));
	order->scheduled_at = scheduled_at;
	order->run_id = SCHED_UNSET;
	order->rerun_of = SCHED_UNSET;
	order->trigger_id = SCHED_UNSET;
}

void
sched_tasks_check_job(const SchedJob *job)
{
	if (job->status == SCHED_JOB_DISABLED)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("cannot run job \"%s\"", job->name),
				 errdetail("Its status is disabled."),
				 errhint("Start it with sched.activate_job().")));
}

/*
 * What is laid over a job's request has to make a valid one.  Secrets are for
 * whoever defines the job to name, not for whoever orders a task of it.
 */
static void
check_http_order(const SchedJob *job, const SchedOrder *order)
{
	SchedHttpSpec spec;
	SchedHttpProblem problem;

	if (!sched_http_spec_overlay(job->command, job->parameters,
								 order->parameters, &spec, &problem))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid %s for job \"%s\"", problem.field, job->name),
				 errdetail("%s", problem.detail),
				 errhint("%s", problem.hint)));
}

static void
check_order(const SchedJob *job, const SchedOrder *order)
{
	const char *key = order->idempotency_key;

	if (TIMESTAMP_NOT_FINITE(order->scheduled_at))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid run_at for job \"%s\"", job->name),
				 errdetail("run_at is infinite."),
				 errhint("Give a point in time, such as now() + interval '1 hour'.")));
	if (order->priority != 0 &&
		(order->priority < 1 || order->priority > 10))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid priority for job \"%s\"", job->name),
				 errdetail("priority is %d.", order->priority),
				 errhint("Give a number from 1 to 10, 10 goes first.")));
	if (order->parameters != NULL && !JB_ROOT_IS_OBJECT(order->parameters))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid parameters for job \"%s\"", job->name),
				 errdetail("parameters is not a JSON object."),
				 errhint("Give a JSON object, such as {\"region\": \"north\"}.")));
	if (order->parameters != NULL && strcmp(job->type, "http") == 0)
		check_http_order(job, order);
	if (key != NULL && (key[0] == '\0' || strlen(key) > SCHED_MAX_KEY_BYTES))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid idempotency_key for job \"%s\"", job->name),
				 errdetail("idempotency_key is %zu bytes long.", strlen(key)),
				 errhint("Give 1 to %d bytes.", SCHED_MAX_KEY_BYTES)));
}

/* Let the queue know of a task whose row has been written. */
static void
note_task(const SchedJob *job, const QLaneSpec *lane, uint32 generation,
		  const SchedTaskRow *row, TimestampTz now)
{
	QTaskSpec	spec = {0};

	spec.task_id = row->task_id;
	spec.run_id = row->run_id;
	spec.due_at = Max(row->scheduled_at, row->created_at);
	spec.scheduled_at = row->scheduled_at;
	spec.tid = row->tid;
	spec.has_parameters = row->parameters != NULL;
	spec.route_key = sched_routing_key(job, row->parameters);
	spec.priority = row->priority != 0 ? row->priority : job->priority;
	spec.attempt = 1;
	if (row->waits != SCHED_WAITS_FOR_NOTHING)
		(void) sched_graph_waits(job, false, row->scheduled_at, &spec);
	if (row->scheduled_at > now + SCHED_LOOKAHEAD)
	{
		sched_store_insert_future(row->scheduled_at, row->task_id);
		sched_pending_add_future(lane, &spec, generation);
	}
	else
		sched_pending_add_task(lane, &spec, generation);
}

void
sched_tasks_order(const SchedJob *job, uint32 generation,
				  const SchedOrder *orders, int count, int64 *ids)
{
	TimestampTz now = sched_clock_now();
	SchedTaskRow *rows;
	QLaneSpec	lane;
	QTaskSpec	spec;
	MemoryContext batch_context;
	MemoryContext caller_context;
	int			done = 0;

	sched_shmem_require();
	for (int i = 0; i < count; i++)
	{
		check_order(job, &orders[i]);
		sched_parameters_check_task(job, orders[i].parameters);
	}

	sched_lane_spec(job, &lane);
	sched_routing_prepare(&lane);
	rows = palloc(Min(count, BATCH) * sizeof(SchedTaskRow));
	batch_context = AllocSetContextCreate(CurrentMemoryContext, "sched tasks",
										  ALLOCSET_DEFAULT_SIZES);
	caller_context = MemoryContextSwitchTo(batch_context);
	while (done < count)
	{
		int			n = 0;

		for (; done < count && n < BATCH; done++)
		{
			const SchedOrder *order = &orders[done];
			SchedTaskRow *row = &rows[n];

			ids[done] = sched_store_next_task_id();
			if (order->idempotency_key != NULL)
			{
				int64		existing;

				existing = sched_store_idempotent(job->job_id,
												  order->idempotency_key,
												  ids[done], now);
				if (existing != 0)
				{
					ids[done] = existing;
					continue;
				}
				CommandCounterIncrement();
			}
			row->task_id = ids[done];
			row->job_id = job->job_id;
			row->run_id = order->run_id == SCHED_UNSET ? row->task_id :
				order->run_id;
			row->trigger_id = order->trigger_id;
			row->rerun_of = order->rerun_of;
			row->scheduled_at = order->scheduled_at;
			row->created_at = now;
			row->priority = order->priority;
			row->missed_count = order->missed_count;
			row->parameters = order->parameters;
			row->idempotency_key = order->idempotency_key;
			row->waits = sched_graph_waits(job, false, row->scheduled_at,
										   &spec);
			row->ended = false;
			row->placed = false;
			n++;
		}
		sched_record_tasks(rows, n);
		for (int i = 0; i < n; i++)
			note_task(job, &lane, generation, &rows[i], now);
		CommandCounterIncrement();
		MemoryContextReset(batch_context);
		CHECK_FOR_INTERRUPTS();
	}
	MemoryContextSwitchTo(caller_context);
	MemoryContextDelete(batch_context);
	pfree(rows);
}

/* ---------- finding ---------- */

/* The owner of a job, deleted ones included: those have tasks too. */
static Oid
job_owner(int64 job_id)
{
	const SchedJob *job = sched_store_any_job(job_id);

	return job == NULL ? InvalidOid : job->owner;
}

void
sched_task_require(int64 task_id, SchedTaskRow *row, bool operate)
{
	if (!sched_store_task(task_id, row))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("task %lld does not exist", (long long) task_id),
				 errhint("History is kept for a while only, see sched.history_retention.")));
	sched_require_right(job_owner(row->job_id),
						operate ? SCHED_MAY_OPERATE : SCHED_MAY_SEE,
						psprintf("task %lld", (long long) task_id));
}

bool
sched_task_live(int64 task_id, SchedTaskStatus *status, SchedAttempt *attempt)
{
	QTask	   *task = NULL;
	int			me;

	if (sched_shared == NULL)
		return false;
	sched_lock(LW_SHARED);
	me = sched_shmem_my_database();
	if (me >= 0)
		task = sched_queue_find(me, task_id);
	if (task != NULL)
	{
		*status = task->status;
		sched_attempt_copy(task, attempt);
	}
	sched_unlock();
	return task != NULL;
}

/* Has the task's worker been told to stop? */
static bool
is_stopping(int64 task_id)
{
	bool		stopping = false;
	QTask	   *task = NULL;
	int			me;

	sched_lock(LW_SHARED);
	me = sched_shmem_my_database();
	if (me >= 0)
		task = sched_queue_find(me, task_id);
	if (task != NULL && task->executor != 0)
		stopping = task->stop != SCHED_STOP_NONE;
	if (task != NULL && task->worker >= 0)
		stopping = sched_shared->workers[task->worker].stop != SCHED_STOP_NONE;
	else if (task != NULL && task->worker == SCHED_WORKER_HTTP)
		stopping = task->stop != SCHED_STOP_NONE;
	sched_unlock();
	return stopping;
}

bool
sched_task_progress(int64 task_id, int attempt, float4 percent)
{
	QTask	   *task = NULL;
	bool		runs;
	int			me;

	sched_shmem_require();
	sched_lock(LW_EXCLUSIVE);
	me = sched_shmem_my_database();
	if (me >= 0)
		task = sched_queue_find(me, task_id);
	runs = task != NULL && task->attempt == attempt &&
		task->status == SCHED_TASK_RUNNING;
	if (runs)
		task->progress = percent;
	sched_unlock();
	return runs;
}

/* ---------- cancelling ---------- */

/*
 * Reserve a task and fill in the outcome that ends it, if it is ours to end.
 * What memory does not know may still have ended, or may never have been in memory.
 */
static CancelResult
prepare_cancel(const SchedTaskRow *row, const char *reason, TimestampTz now,
			   SchedOutcome *outcome)
{
	int64		task_id = row->task_id;
	SchedTaskStatus status = SCHED_TASK_SCHEDULED;
	SchedAttempt live;
	bool		is_live;
	int			last_attempt;
	char		last_status;
	bool		final;
	TimestampTz finished_at;

	if (!sched_pending_reserve_task(task_id))
		return CANCEL_BUSY;

	MemSet(outcome, 0, sizeof(SchedOutcome));
	outcome->attempt = 1;
	is_live = sched_task_live(task_id, &status, &live);
	if (sched_store_last_outcome(task_id, &last_attempt, &last_status, &final,
								 &finished_at))
	{
		if (final)
			return CANCEL_ENDED;
		outcome->attempt = last_attempt + 1;
	}
	if (is_live)
	{
		outcome->attempt = live.attempt;
		if (status == SCHED_TASK_RUNNING)
		{
			/* whoever runs it may still end it before he is told */
			sched_pending_unreserve_task(task_id);
			return CANCEL_RUNNING;
		}
		if (status == SCHED_TASK_READY)
			outcome->queued_at = live.queued_at;
	}
	outcome->task_id = task_id;
	outcome->job_id = row->job_id;
	outcome->run_id = row->run_id;
	outcome->status = SCHED_OUTCOME_CANCELLED;
	outcome->final = true;
	outcome->finished_at = now;
	outcome->row_count = SCHED_UNSET;
	outcome->progress = -1;
	outcome->reason = reason;
	return CANCEL_WRITE;
}

/* The live shards of a broadcast task; in a palloc'd array. */
static int64 *
live_shards(int64 task_id, int *count)
{
	int64	   *ids = NULL;
	QTask	   *task = NULL;
	int			capacity;
	int			me;

	*count = 0;
	sched_lock(LW_SHARED);
	me = sched_shmem_my_database();
	if (me >= 0)
		task = sched_queue_find(me, task_id);
	capacity = task != NULL && task->umbrella ? task->shards : 0;
	sched_unlock();
	if (capacity == 0)
		return NULL;

	ids = palloc_extended(capacity * sizeof(int64), MCXT_ALLOC_HUGE);
	sched_lock(LW_SHARED);
	task = sched_queue_find(me, task_id);
	if (task != NULL && task->umbrella)
	{
		dlist_iter	iter;

		dlist_foreach(iter, &task->lane->tasks)
		{
			const QTask *shard = dlist_container(QTask, lane_node, iter.cur);

			if (shard->parent == task_id && *count < capacity)
				ids[(*count)++] = shard->task_id;
		}
	}
	sched_unlock();
	return ids;
}

/* A broadcast task ends when its shards do, so they are cancelled. */
static bool
cancel_shards(int64 task_id, const char *reason)
{
	int			count;
	int64	   *ids = live_shards(task_id, &count);
	bool		cancelled = false;

	for (int i = 0; i < count; i++)
		cancelled |= sched_task_cancel(ids[i], reason);
	return cancelled;
}

/* A worker runs the task: it will be told at commit. */
static bool
cancel_running(int64 task_id, const char *reason, const SchedOutcome *outcome,
			   TimestampTz now)
{
	if (is_stopping(task_id))
		return false;
	if (cancel_shards(task_id, reason))
		return true;
	if (reason != NULL)
		sched_store_insert_log(task_id, outcome->attempt, SCHED_LOG_INFO, now,
							   psprintf(SCHED_REQUEST_LOG "%s", reason));
	sched_pending_stop_task(task_id, SCHED_STOP_CANCEL, false);
	return true;
}

/*
 * Write an outcome; false when somebody else ended the attempt first.  A task
 * that is not in memory cannot be reserved, so rivals meet at the
 * primary key, in a subtransaction.
 */
static bool
insert_or_lose(const SchedOutcome *outcomes, int count)
{
	MemoryContext caller_context = CurrentMemoryContext;
	ResourceOwner caller_owner = CurrentResourceOwner;
	volatile bool won = true;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(caller_context);
	PG_TRY();
	{
		sched_record_outcomes(outcomes, count);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(caller_context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(caller_context);
		CurrentResourceOwner = caller_owner;
		if (error->sqlerrcode != ERRCODE_UNIQUE_VIOLATION)
			ReThrowError(error);
		FreeErrorData(error);
		won = false;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller_context);
	CurrentResourceOwner = caller_owner;
	return won;
}

/* The same for many; how many were not ended by somebody else. */
static int
insert_those_won(const SchedOutcome *outcomes, int count)
{
	int			won = 0;

	if (insert_or_lose(outcomes, count))
		return count;
	for (int i = 0; i < count; i++)
		won += insert_or_lose(&outcomes[i], 1);
	return won;
}

bool
sched_task_cancel(int64 task_id, const char *reason)
{
	TimestampTz now = sched_clock_now();
	SchedTaskRow row;
	SchedOutcome outcome;

	sched_shmem_require();
	sched_task_require(task_id, &row, true);
	switch (prepare_cancel(&row, reason, now, &outcome))
	{
		case CANCEL_ENDED:
			return false;
		case CANCEL_RUNNING:
			return cancel_running(task_id, reason, &outcome, now);
		case CANCEL_BUSY:
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("cannot cancel task %lld", (long long) task_id),
					 errdetail("Another session is ending it."),
					 errhint("Try again when that session's transaction is over.")));
			break;
		case CANCEL_WRITE:
			if (!insert_or_lose(&outcome, 1))
				return false;
			CommandCounterIncrement();
			sched_pending_finish_task(task_id);
			break;
	}
	return true;
}

/*
 * The tasks of a job without a final outcome, from the segments that may have
 * some; in a palloc'd array.
 */
static SchedTaskRow *
open_tasks(int64 job_id, int *count)
{
	static const char query[] =
	"SELECT t.task_id, t.run_id FROM sched._task t"
	" WHERE t.job_id OPERATOR(pg_catalog.=) $1"
	" AND t.task_id OPERATOR(pg_catalog.>=) coalesce(("
	"  SELECT pg_catalog.min(s.lo) FROM sched._segment s"
	"  WHERE s.closed_at IS NULL), 0)"
	" AND NOT EXISTS (SELECT FROM sched._outcome o"
	"  WHERE o.task_id OPERATOR(pg_catalog.=) t.task_id AND o.final)"
	" ORDER BY t.task_id";
	Oid			types[1] = {INT8OID};
	Datum		values[1] = {Int64GetDatum(job_id)};
	MemoryContext caller_context = CurrentMemoryContext;
	SchedTaskRow *rows;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (SPI_execute_with_args(query, 1, types, values, NULL, false, 0) !=
		SPI_OK_SELECT)
		elog(ERROR, "could not read the tasks of job %lld",
			 (long long) job_id);
	*count = (int) SPI_processed;
	rows = MemoryContextAllocHuge(caller_context,
								  Max(SPI_processed, 1) * sizeof(SchedTaskRow));
	for (int i = 0; i < *count; i++)
	{
		bool		isnull;

		MemSet(&rows[i], 0, sizeof(SchedTaskRow));
		rows[i].job_id = job_id;
		rows[i].task_id = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[i],
													  SPI_tuptable->tupdesc, 1,
													  &isnull));
		rows[i].run_id = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[i],
													 SPI_tuptable->tupdesc, 2,
													 &isnull));
	}
	SPI_finish();
	return rows;
}

int
sched_tasks_cancel_waiting(int64 job_id, const char *reason)
{
	TimestampTz now = sched_clock_now();
	int			count;
	int			cancelled = 0;
	int			n = 0;
	SchedTaskRow *rows;
	SchedOutcome *outcomes;

	sched_shmem_require();
	rows = open_tasks(job_id, &count);
	outcomes = palloc(Min(Max(count, 1), BATCH) * sizeof(SchedOutcome));
	for (int i = 0; i < count; i++)
	{
		if (prepare_cancel(&rows[i], reason, now, &outcomes[n]) == CANCEL_WRITE)
		{
			sched_pending_finish_task(rows[i].task_id);
			n++;
		}
		if (n == BATCH || (i == count - 1 && n > 0))
		{
			cancelled += insert_those_won(outcomes, n);
			CommandCounterIncrement();
			n = 0;
			CHECK_FOR_INTERRUPTS();
		}
	}
	pfree(outcomes);
	pfree(rows);
	return cancelled;
}

/* ---------- the next attempt at once ---------- */

bool
sched_task_hurry(int64 task_id)
{
	SchedTaskRow row;
	SchedTaskStatus status;
	SchedAttempt live;
	int			attempt;
	char		outcome;
	bool		final = false;
	TimestampTz finished_at;

	sched_shmem_require();
	sched_task_require(task_id, &row, true);
	if (sched_store_last_outcome(task_id, &attempt, &outcome, &final,
								 &finished_at) && final)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("cannot retry task %lld", (long long) task_id),
				 errdetail("It has ended for good."),
				 errhint("Run it once more with sched.rerun_task().")));
	if (!sched_task_live(task_id, &status, &live) ||
		status != SCHED_TASK_WAITING_RETRY)
		return false;
	sched_pending_hurry_task(task_id);
	return true;
}
