/*-------------------------------------------------------------------------
 *
 * state_functions.c
 *	  SQL functions that look at shared memory, at rights and at the clock, and
 *	  that wait.
 *
 * What is shown is copied under the shared lock into memory of our own; rows are
 * made of it after the lock is released.  In a server that has not loaded the
 * library there is no present state, and these functions show none.
 *
 * Waiting polls: what ends a task is a commit, of which nobody here is told.
 * Waiting goes by the real time also when a test has stopped the clock.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "application/tasks/rights.h"
#include "application/tasks/tasks.h"
#include "fmgr.h"
#include "funcapi.h"
#include "infrastructure/clock.h"
#include "infrastructure/memory/pending.h"
#include "infrastructure/memory/queue_class.h"
#include "infrastructure/settings.h"
#include "infrastructure/memory/wake.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(sched_live_task);
PG_FUNCTION_INFO_V1(sched_live_tasks);
PG_FUNCTION_INFO_V1(sched_live_jobs);
PG_FUNCTION_INFO_V1(sched_start_failures);
PG_FUNCTION_INFO_V1(sched_workers);
PG_FUNCTION_INFO_V1(sched_scheduler_state);
PG_FUNCTION_INFO_V1(sched_task_target);
PG_FUNCTION_INFO_V1(sched_pool_capacity);
PG_FUNCTION_INFO_V1(sched_pool_state);
PG_FUNCTION_INFO_V1(sched_can_see);
PG_FUNCTION_INFO_V1(sched_sql_may);
PG_FUNCTION_INFO_V1(sched_now);
PG_FUNCTION_INFO_V1(sched_sql_clock_set);
PG_FUNCTION_INFO_V1(sched_sql_clock_reset);
PG_FUNCTION_INFO_V1(sched_sql_wake_launcher);
PG_FUNCTION_INFO_V1(sched_sql_segment_changed);
PG_FUNCTION_INFO_V1(sched_sql_wake);
PG_FUNCTION_INFO_V1(sched_wait_for_task);
PG_FUNCTION_INFO_V1(sched_settle);

#define POLL_MS			2
#define PROBE_MS		50		/* how often the tables are looked at */
#define SOME_CLASSES	32
#define LIVE_COLUMNS	10		/* of the composite type sched._live */

/* A live task, copied. */
typedef struct LiveTask
{
	int64		task_id;
	int64		job_id;
	SchedTaskStatus status;
	int			attempt;		/* attempts that were started */
	int			worker_pid;		/* 0: none */
	bool		http;			/* it is the HTTP worker's */
	char		executor[SCHED_EXECUTOR_NAME_BYTES];	/* "": none */
	float4		progress;
	TimestampTz queued_at;
	TimestampTz started_at;
	TimestampTz deadline;
	TimestampTz retry_at;
	const char *holds;			/* a constant, or NULL */
} LiveTask;

/* A job with live tasks, copied. */
typedef struct LiveJob
{
	int64		job_id;
	int			running;
	int			ready;
	int			waiting;
	int			scheduled;
	int			retrying;
	const char *limited;
} LiveJob;

/* ---------- copying, with the lock held ---------- */

/* Why does nobody run this ready task? */
static const char *
holds_text(const QTask *task)
{
	const QLane *lane = task->lane;
	const SchedDatabase *db = &sched_shared->databases[task->db];

	if (task->status != SCHED_TASK_READY)
		return NULL;
	switch ((QPlace) task->place)
	{
		case Q_NOWHERE:
			return "another session is ending it";
		case Q_BUFFER:
			return "overlap";
		case Q_HELD:
			return lane->spec.paused ? "job paused" :
				lane->stuck ? "too many different pools and tags" :
				"max_concurrent_runs";
		case Q_UNROUTED:
			return "no executor to give it to";
		case Q_CLASS:
			break;
	}
	if (sched_max_concurrent_jobs > 0 &&
		db->running >= sched_max_concurrent_jobs)
		return "max_concurrent_jobs";
	if (lane->class->pool != NULL && !sched_class_is_open(lane->class))
		return lane->class->pool->known ? "pool full" : "pool unknown";
	if (lane->class->kind == SCHED_KIND_SQL && lane->class->base->workers == 0)
		return "no worker";
	if (lane->class->kind == SCHED_KIND_HTTP && db->http.proc == NULL)
		return "no worker";
	return NULL;
}

static void
copy_task(const QTask *task, LiveTask *live)
{
	live->task_id = task->task_id;
	live->job_id = task->lane->spec.job_id;
	live->status = task->status;
	live->attempt = sched_task_status_holds_lease(task->status) ?
		task->attempt : task->attempt - 1;
	live->worker_pid = task->worker >= 0 ?
		sched_shared->workers[task->worker].pid : 0;
	live->http = task->worker == SCHED_WORKER_HTTP;
	if (live->http)
		live->worker_pid = sched_shared->databases[task->db].http.pid;
	live->executor[0] = '\0';
	if (task->executor != 0)
		strlcpy(live->executor, sched_executor_of(task)->spec.name,
				sizeof(live->executor));
	live->progress = task->progress;
	live->queued_at = task->queued_at;
	live->started_at = task->started_at;
	live->deadline = task->deadline;
	live->retry_at = task->status == SCHED_TASK_WAITING_RETRY ?
		task->due_at : 0;
	live->holds = holds_text(task);
}

static void
copy_lane(const QLane *lane, LiveJob *job)
{
	dlist_iter	iter;

	MemSet(job, 0, sizeof(LiveJob));
	job->job_id = lane->spec.job_id;
	dlist_foreach(iter, unconstify(dlist_head *, &lane->tasks))
	{
		const QTask *task = dlist_container(QTask, lane_node, iter.cur);

		switch (task->status)
		{
			case SCHED_TASK_SCHEDULED:
				job->scheduled++;
				break;
			case SCHED_TASK_WAITING:
				job->waiting++;
				break;
			case SCHED_TASK_READY:
				job->ready++;
				break;
			case SCHED_TASK_WAITING_RETRY:
				job->retrying++;
				break;
			default:
				job->running++;
				break;
		}
	}
	if (lane->spec.paused)
		job->limited = "job paused";
	else if (lane->spec.max_running > 0 &&
			 lane->running >= lane->spec.max_running)
		job->limited = "max_concurrent_runs";
	else if (lane->spill_lo != SCHED_NO_SPILL)
		job->limited = "queue full";
}

/* ---------- rows ---------- */

static Datum
text_or_null(const char *text, bool *isnull)
{
	*isnull = text == NULL;
	return text == NULL ? (Datum) 0 : CStringGetTextDatum(text);
}

static Datum
time_or_null(TimestampTz at, bool *isnull)
{
	*isnull = at == 0;
	return TimestampTzGetDatum(at);
}

/* The columns of sched._live. */
static void
fill_live(const LiveTask *live, Datum *v, bool *n)
{
	MemSet(n, 0, LIVE_COLUMNS * sizeof(bool));
	v[0] = CStringGetTextDatum(sched_task_status_name(live->status));
	v[1] = Int32GetDatum(live->attempt);
	v[2] = time_or_null(live->queued_at, &n[2]);
	v[3] = time_or_null(live->started_at, &n[3]);
	v[4] = time_or_null(live->deadline, &n[4]);
	v[5] = time_or_null(live->retry_at, &n[5]);
	v[6] = text_or_null(live->executor[0] != '\0' ? live->executor :
						live->worker_pid == 0 ? NULL :
						psprintf("%s-%d", live->http ? "http" : "sql",
								 live->worker_pid), &n[6]);
	v[7] = Float4GetDatum(live->progress);
	n[7] = live->progress < 0;
	v[8] = (Datum) 0;			/* what was said with it is in the log */
	n[8] = true;
	v[9] = text_or_null(live->holds, &n[9]);
}

static TupleDesc
composite_desc(FunctionCallInfo fcinfo)
{
	TupleDesc	desc;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	return BlessTupleDesc(desc);
}

Datum
sched_live_task(PG_FUNCTION_ARGS)
{
	QTask	   *task = NULL;
	LiveTask	live;
	Datum		v[LIVE_COLUMNS];
	bool		n[LIVE_COLUMNS];
	int			me;

	if (sched_shared == NULL)
		PG_RETURN_NULL();
	sched_lock(LW_SHARED);
	me = sched_shmem_my_database();
	if (me >= 0)
		task = sched_queue_find(me, PG_GETARG_INT64(0));
	if (task != NULL)
		copy_task(task, &live);
	sched_unlock();
	if (task == NULL)
		PG_RETURN_NULL();

	fill_live(&live, v, n);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(composite_desc(fcinfo),
													  v, n)));
}

/* Room for one more element of an array that may grow beyond 1 GB. */
static void *
grow(void *array, int count, int *capacity, Size size)
{
	if (count < *capacity)
		return array;
	*capacity *= 2;
	return repalloc_huge(array, *capacity * size);
}

Datum
sched_live_tasks(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	int			capacity = 256;
	int			count = 0;
	LiveTask   *live;
	uint32		cursor = 0;
	QTask	   *task;
	int			me;

	InitMaterializedSRF(fcinfo, 0);
	if (sched_shared == NULL)
		return (Datum) 0;
	live = palloc(capacity * sizeof(LiveTask));
	sched_lock(LW_SHARED);
	me = sched_shmem_my_database();
	while (me >= 0 && (task = sched_queue_next_task(me, &cursor)) != NULL)
	{
		live = grow(live, count, &capacity, sizeof(LiveTask));
		copy_task(task, &live[count++]);
	}
	sched_unlock();

	for (int i = 0; i < count; i++)
	{
		Datum		v[2 + LIVE_COLUMNS];
		bool		n[2 + LIVE_COLUMNS] = {0};

		v[0] = Int64GetDatum(live[i].task_id);
		v[1] = Int64GetDatum(live[i].job_id);
		fill_live(&live[i], &v[2], &n[2]);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, v, n);
	}
	pfree(live);
	return (Datum) 0;
}

Datum
sched_live_jobs(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	int			capacity = 64;
	int			count = 0;
	LiveJob    *jobs;
	uint32		cursor = 0;
	QLane	   *lane;
	int			me;

	InitMaterializedSRF(fcinfo, 0);
	if (sched_shared == NULL)
		return (Datum) 0;
	jobs = palloc(capacity * sizeof(LiveJob));
	sched_lock(LW_SHARED);
	me = sched_shmem_my_database();
	while (me >= 0 && (lane = sched_queue_next_lane(me, &cursor)) != NULL)
	{
		jobs = grow(jobs, count, &capacity, sizeof(LiveJob));
		copy_lane(lane, &jobs[count++]);
	}
	sched_unlock();

	for (int i = 0; i < count; i++)
	{
		Datum		v[7];
		bool		n[7] = {0};

		v[0] = Int64GetDatum(jobs[i].job_id);
		v[1] = Int32GetDatum(jobs[i].running);
		v[2] = Int32GetDatum(jobs[i].ready);
		v[3] = Int32GetDatum(jobs[i].waiting);
		v[4] = Int32GetDatum(jobs[i].scheduled);
		v[5] = Int32GetDatum(jobs[i].retrying);
		v[6] = text_or_null(jobs[i].limited, &n[6]);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, v, n);
	}
	pfree(jobs);
	return (Datum) 0;
}

static const char *
worker_state_name(SchedWorkerState state)
{
	switch (state)
	{
		case SCHED_WORKER_STARTING:
			return "starting";
		case SCHED_WORKER_IDLE:
			return "idle";
		case SCHED_WORKER_BUSY:
			return "busy";
		case SCHED_WORKER_DEAD:
			return "dead";
		case SCHED_WORKER_FREE:
			break;
	}
	return NULL;
}

/* The workers of the whole server, which share sched.max_workers. */
Datum
sched_workers(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	SchedWorker *workers;

	InitMaterializedSRF(fcinfo, 0);
	if (sched_shared == NULL)
		return (Datum) 0;
	workers = palloc(sched_max_workers * sizeof(SchedWorker));
	sched_lock(LW_SHARED);
	memcpy(workers, sched_shared->workers,
		   sched_max_workers * sizeof(SchedWorker));
	sched_unlock();

	for (int i = 0; i < sched_max_workers; i++)
	{
		const SchedWorker *worker = &workers[i];
		bool		busy = worker->state == SCHED_WORKER_BUSY;
		Datum		v[8];
		bool		n[8] = {0};

		if (worker->state == SCHED_WORKER_FREE)
			continue;
		v[0] = Int32GetDatum(worker->pid);
		n[0] = worker->pid == 0;
		v[1] = ObjectIdGetDatum(worker->database);
		v[2] = ObjectIdGetDatum(worker->role);
		v[3] = text_or_null(worker_state_name(worker->state), &n[3]);
		v[4] = Int64GetDatum(worker->task_id);
		n[4] = !busy;
		v[5] = Int32GetDatum(worker->attempt);
		n[5] = !busy;
		v[6] = time_or_null(worker->started_at, &n[6]);
		v[7] = Int64GetDatum((int64) worker->tasks_done);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, v, n);
	}
	pfree(workers);
	return (Datum) 0;
}

/* Roles whose workers died before their first task, several times in a row. */
Datum
sched_start_failures(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	QClass		failing[SOME_CLASSES];
	int			count = 0;
	int			cursor = 0;
	int			me;
	QClass	   *class;

	InitMaterializedSRF(fcinfo, 0);
	if (sched_shared == NULL)
		return (Datum) 0;
	sched_lock(LW_SHARED);
	me = sched_shmem_my_database();
	while (me >= 0 && count < SOME_CLASSES &&
		   (class = sched_queue_next_class(me, &cursor)) != NULL)
		if (class->retry_start_at != 0)
			failing[count++] = *class;
	sched_unlock();
	for (int i = 0; i < count; i++)
	{
		Datum		v[3];
		bool		n[3] = {false, false, false};

		v[0] = ObjectIdGetDatum(failing[i].role);
		v[1] = Int32GetDatum(failing[i].start_failures);
		v[2] = TimestampTzGetDatum(failing[i].retry_start_at);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, v, n);
	}
	return (Datum) 0;
}

Datum
sched_scheduler_state(PG_FUNCTION_ARGS)
{
	const SchedDatabase *db;
	Datum		v[12] = {0};
	bool		n[12];
	bool		running;

	memset(n, true, sizeof(n));
	v[0] = BoolGetDatum(false);
	n[0] = false;
	if (sched_shared != NULL)
	{
		const char *held = NULL;
		int			me;

		sched_lock(LW_SHARED);
		me = sched_shmem_my_database();
		if (me >= 0)
		{
			db = &sched_shared->databases[me];
			running = db->state == SCHED_DB_RUNNING;
			v[0] = BoolGetDatum(running);
			v[1] = Int32GetDatum(db->scheduler_pid);
			n[1] = !running;
			v[2] = time_or_null(running ? db->started_at : 0, &n[2]);
			held = db->held ? "this database is a copy" : NULL;
			v[4] = time_or_null(db->last_cycle_at, &n[4]);
			v[5] = Int64GetDatum(db->triggers);
			v[6] = time_or_null(db->next_fire_at, &n[6]);
			v[7] = Int64GetDatum((int64) db->spilled_lanes);
			v[11] = time_or_null(db->no_slot_since, &n[11]);
			n[5] = n[7] = false;
		}
		v[8] = Int32GetDatum(sched_queue_used());
		v[9] = Int32GetDatum(sched_max_queued_tasks);
		v[10] = Int32GetDatum(sched_shared->workers_used);
		n[8] = n[9] = n[10] = false;
		sched_unlock();
		v[3] = text_or_null(held, &n[3]);
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(composite_desc(fcinfo),
													  v, n)));
}

/* _task_target(task_id): the executor that a ready task was given to. */
Datum
sched_task_target(PG_FUNCTION_ARGS)
{
	int			target = 0;
	int			me;

	if (sched_shared == NULL)
		PG_RETURN_NULL();
	sched_lock(LW_SHARED);
	me = sched_shmem_my_database();
	if (me >= 0)
	{
		QTask	   *task = sched_queue_find(me, PG_GETARG_INT64(0));

		if (task != NULL && task->place == Q_CLASS)
			target = task->target;
	}
	sched_unlock();
	if (target == 0)
		PG_RETURN_NULL();
	PG_RETURN_INT32(target);
}

/* _pool_capacity(name): what the queue knows, 0: nothing. */
Datum
sched_pool_capacity(PG_FUNCTION_ARGS)
{
	uint64		key = sched_pool_key(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	QPool	   *pool = NULL;
	int			slots = 0;
	int			me;

	sched_shmem_require();
	sched_lock(LW_SHARED);
	me = sched_shmem_my_database();
	if (me >= 0)
		pool = sched_queue_find_pool(me, key);
	if (pool != NULL && pool->known)
		slots = pool->slots;
	sched_unlock();
	PG_RETURN_INT32(slots);
}

/* _pool_state(name): slots in use, ready tasks, the first that got none. */
Datum
sched_pool_state(PG_FUNCTION_ARGS)
{
	Datum		v[3] = {0};
	bool		n[3] = {true, true, true};
	uint64		key = sched_pool_key(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	int			me;

	if (sched_shared != NULL)
	{
		QPool	   *pool = NULL;
		int			used = 0;
		int			waiting = 0;
		int64		first = 0;

		sched_lock(LW_SHARED);
		me = sched_shmem_my_database();
		if (me >= 0)
			pool = sched_queue_find_pool(me, key);
		if (pool != NULL)
		{
			used = pool->used;
			sched_queue_pool_state(pool, &waiting, &first);
		}
		sched_unlock();
		v[0] = Int32GetDatum(used);
		v[1] = Int32GetDatum(waiting);
		v[2] = Int64GetDatum(first);
		n[0] = n[1] = false;
		n[2] = first == 0;
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(composite_desc(fcinfo),
													  v, n)));
}

/* ---------- rights ---------- */

Datum
sched_can_see(PG_FUNCTION_ARGS)
{
	Oid			owner = PG_ARGISNULL(0) ? InvalidOid : PG_GETARG_OID(0);

	PG_RETURN_BOOL(sched_may(GetUserId(), owner, SCHED_MAY_SEE));
}

Datum
sched_sql_may(PG_FUNCTION_ARGS)
{
	Oid			owner = PG_ARGISNULL(1) ? InvalidOid : PG_GETARG_OID(1);
	char	   *word = PG_ARGISNULL(2) ? NULL :
	text_to_cstring(PG_GETARG_TEXT_PP(2));
	SchedVerb	verb;

	if (word == NULL || !sched_verb_from_name(word, &verb))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unknown right \"%s\"", word == NULL ? "NULL" : word),
				 errhint("Allowed are: see, operate, change.")));
	PG_RETURN_BOOL(!PG_ARGISNULL(0) &&
				   sched_may(PG_GETARG_OID(0), owner, verb));
}

/* ---------- the clock ---------- */

Datum
sched_now(PG_FUNCTION_ARGS)
{
	PG_RETURN_TIMESTAMPTZ(sched_clock_now());
}

/* The time is another one now: everyone who waits for one looks again. */
static void
set_clock(TimestampTz instant)
{
	sched_shmem_require();
	if (!superuser())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be superuser to set the clock of sched")));
	sched_clock_set(instant);
	sched_lock(LW_SHARED);
	for (int i = 0; i < SCHED_MAX_DATABASES; i++)
		if (sched_shared->databases[i].state != SCHED_DB_FREE)
			sched_wake_scheduler(&sched_shared->databases[i]);
	sched_unlock();
}

Datum
sched_sql_clock_set(PG_FUNCTION_ARGS)
{
	TimestampTz instant = PG_GETARG_TIMESTAMPTZ(0);

	/* 2000-01-01 00:00 UTC itself stands for a clock that runs */
	if (TIMESTAMP_NOT_FINITE(instant) || instant == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("cannot stop the clock of sched at this instant"),
				 errdetail("It is infinite or 2000-01-01 00:00:00+00."),
				 errhint("Give another one, or call sched._clock_reset().")));
	set_clock(instant);
	PG_RETURN_VOID();
}

Datum
sched_sql_clock_reset(PG_FUNCTION_ARGS)
{
	set_clock(0);
	PG_RETURN_VOID();
}

/* ---------- telling others, at commit ---------- */

Datum
sched_sql_wake_launcher(PG_FUNCTION_ARGS)
{
	if (sched_shared != NULL)
		sched_pending_wake_launcher();
	PG_RETURN_VOID();
}

Datum
sched_sql_segment_changed(PG_FUNCTION_ARGS)
{
	if (sched_shared != NULL)
		sched_pending_segments_changed();
	PG_RETURN_VOID();
}

Datum
sched_sql_wake(PG_FUNCTION_ARGS)
{
	if (sched_shared != NULL)
		sched_pending_wake_scheduler();
	PG_RETURN_VOID();
}

/* ---------- waiting ---------- */

/* When to give up waiting, in real time. */
static TimestampTz
deadline_arg(FunctionCallInfo fcinfo, int n)
{
	int64		timeout;

	if (PG_ARGISNULL(n))
		return PG_INT64_MAX;
	timeout = sched_store_interval_usec(PG_GETARG_INTERVAL_P(n));
	if (timeout < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid timeout for waiting"),
				 errdetail("timeout is negative."),
				 errhint("Give an interval such as 1 minute.")));
	return GetCurrentTimestamp() + timeout;
}

static void
nap(void)
{
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
					 POLL_MS, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

static const char *
outcome_name(char outcome)
{
	switch (outcome)
	{
		case SCHED_OUTCOME_COMPLETED:
			return sched_task_status_name(SCHED_TASK_COMPLETED);
		case SCHED_OUTCOME_FAILED:
			return sched_task_status_name(SCHED_TASK_FAILED);
		case SCHED_OUTCOME_TIMEOUT:
			return sched_task_status_name(SCHED_TASK_TIMEOUT);
		case SCHED_OUTCOME_CANCELLED:
			return sched_task_status_name(SCHED_TASK_CANCELLED);
		case SCHED_OUTCOME_SKIPPED:
			return sched_task_status_name(SCHED_TASK_SKIPPED);
		case SCHED_OUTCOME_UPSTREAM_FAILED:
			return sched_task_status_name(SCHED_TASK_UPSTREAM_FAILED);
		case SCHED_OUTCOME_MISSED:
			return sched_task_status_name(SCHED_TASK_MISSED);
	}
	return NULL;
}

/*
 * The tables are looked at when memory no longer has the task; now and then
 * also while it has, and at the deadline.
 */
Datum
sched_wait_for_task(PG_FUNCTION_ARGS)
{
	TimestampTz deadline = deadline_arg(fcinfo, 1);
	TimestampTz probed_at = 0;
	int64		task_id;
	SchedTaskRow row;
	MemoryContext probe_context;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	task_id = PG_GETARG_INT64(0);
	sched_task_require(task_id, &row, false);
	probe_context = AllocSetContextCreate(CurrentMemoryContext, "sched wait",
										  ALLOCSET_SMALL_SIZES);
	for (;;)
	{
		TimestampTz now = GetCurrentTimestamp();
		SchedTaskStatus status;
		SchedAttempt live;

		if (now >= deadline || now - probed_at > PROBE_MS * 1000 ||
			!sched_task_live(task_id, &status, &live))
		{
			MemoryContext caller_context = MemoryContextSwitchTo(probe_context);
			int			attempt;
			char		outcome;
			bool		final = false;
			bool		found;
			TimestampTz finished_at;

			found = sched_store_last_outcome(task_id, &attempt, &outcome,
											 &final, &finished_at);
			MemoryContextSwitchTo(caller_context);
			MemoryContextReset(probe_context);
			probed_at = now;
			if (found && final)
				PG_RETURN_TEXT_P(cstring_to_text(outcome_name(outcome)));
		}
		if (now >= deadline)
			PG_RETURN_NULL();
		nap();
	}
}

/*
 * Is there nothing in this database that the scheduler or a worker could do
 * now?  Tasks that are held back (job paused, no executor for their type) do
 * not count.  Stores how many turns the scheduler has made, and wakes it for
 * another.
 */
static bool
is_quiet(TimestampTz now, uint64 *cycles)
{
	SchedDatabase *db;
	QClass	   *class;
	QTask	   *timer;
	int			cursor = 0;
	TimestampTz queued_at;
	bool		quiet;
	int			me;

	sched_lock(LW_SHARED);
	me = sched_shmem_my_database();
	if (me < 0)
	{
		sched_unlock();
		return false;
	}
	db = &sched_shared->databases[me];
	*cycles = db->cycles;
	quiet = db->state == SCHED_DB_RUNNING && db->loaded &&
		db->running == db->leased && db->change_count == 0 &&
		!db->change_overflow && !db->rescan && !db->want_refill &&
		!db->settle_executors;
	if (quiet && sched_enabled && !db->held)
	{
		if (db->chores > 0)
			quiet = false;
		if (db->next_fire_at != 0 && db->next_fire_at <= now)
			quiet = false;
		timer = sched_queue_first_timer(me);
		if (timer != NULL && timer->timer_at <= now)
			quiet = false;
		if (sched_executor_next_check(me) != 0 &&
			sched_executor_next_check(me) <= now)
			quiet = false;
		while (quiet &&
			   (class = sched_queue_next_class(me, &cursor)) != NULL)
			if ((class->kind == SCHED_KIND_SQL ||
				 class->kind == SCHED_KIND_HTTP) &&
				sched_queue_startable(class, &queued_at) > 0)
				quiet = false;
	}
	sched_wake_scheduler(db);
	sched_unlock();
	return quiet;
}

/*
 * For tests: wait until the scheduler has come to rest, which is when two of its
 * turns in a row left nothing to do.
 */
Datum
sched_settle(PG_FUNCTION_ARGS)
{
	TimestampTz deadline = deadline_arg(fcinfo, 0);
	uint64		target = 0;
	bool		counting = false;

	sched_shmem_require();
	for (;;)
	{
		uint64		cycles = 0;

		if (!is_quiet(sched_clock_now(), &cycles))
			counting = false;
		else if (!counting)
		{
			counting = true;
			target = cycles + 2;
		}
		else if (cycles >= target)
			PG_RETURN_BOOL(true);
		if (GetCurrentTimestamp() >= deadline)
			PG_RETURN_BOOL(false);
		nap();
	}
}
