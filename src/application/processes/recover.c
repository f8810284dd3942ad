/*-------------------------------------------------------------------------
 *
 * recover.c
 *	  Reading live tasks from the tables into the queue.
 *
 * Runs in the scheduler.  A task is live when it has no final outcome.  Three
 * occasions: the start (everything due soon, from the segments that are not
 * closed), the turn of a minute (tasks whose time comes up), and room in a
 * lane that had left tasks out.
 *
 * Whoever commits a new task enters it himself.  To lose none in between, each
 * reader first opens the door (loaded, horizon, spill mark) under the lock and
 * takes its snapshot afterwards: what commits before the snapshot is
 * read, what commits later finds the door open; both is harmless.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "application/tasks/attempt.h"
#include "application/tasks/record.h"
#include "application/processes/recover.h"
#include "application/executors/routing.h"
#include "application/workflow/waiting.h"
#include "application/tasks/tasks.h"
#include "application/executors/watch.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "infrastructure/clock.h"
#include "infrastructure/memory/pending.h"
#include "infrastructure/settings.h"
#include "infrastructure/tables/shard_table.h"
#include "infrastructure/tables/store.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#define REFILL_ROWS		5000
#define CURSOR_ROWS		1000
#define ENTER_ROWS		50		/* under one hold of the lock */

/* Marks have been taken away, what they stand for is not yet in memory. */
static bool reading = false;

/* What read_row() reads of a task, and what has ended of it so far. */
#define LIVE_COLUMNS \
	"SELECT t.task_id, t.job_id, t.scheduled_at, t.priority, " \
	"t.trigger_id IS NOT NULL, o.attempt, o.tries, o.losses, o.retry_at, t.run_id, " \
	"n.rule, n.give_up_at, t.ctid, t.parameters IS NOT NULL "
#define LIVE_COLUMN_COUNT	14
#define ENDED_ATTEMPTS \
	"pg_catalog.bool_or(x.final) AS final, " \
	"pg_catalog.max(x.attempt) AS attempt, " \
	"pg_catalog.count(*) FILTER (WHERE x.status NOT IN ('l', 'b')) AS tries, " \
	"pg_catalog.count(*) FILTER (WHERE x.status = 'l') AS losses, " \
	"pg_catalog.max(x.retry_at) AS retry_at "

/*
 * $1 the least task_id, $2 the horizon, $3 a job or NULL, $4 task ids or NULL.
 * attempts: what has ended so far of a task that goes on.
 */
#define LIVE_TASKS \
	LIVE_COLUMNS \
	"FROM sched._task t LEFT JOIN " \
	"(SELECT x.task_id, " ENDED_ATTEMPTS \
	"FROM sched._outcome x WHERE %s GROUP BY x.task_id) o " \
	"ON o.task_id = t.task_id " \
	"LEFT JOIN sched._node n ON n.task_id = t.task_id " \
	"WHERE o.final IS NOT TRUE AND %s " \
	"ORDER BY t.task_id"

/*
 * Leases without an outcome of their attempt: what executors were doing when
 * the server went down.
 */
#define LEASED_TASKS \
	LIVE_COLUMNS ", l.executor_id, l.leased_at, l.started_at " \
	"FROM sched._task t LEFT JOIN " \
	"(SELECT x.task_id, " ENDED_ATTEMPTS \
	"FROM sched._outcome x WHERE x.task_id >= $1 GROUP BY x.task_id) o " \
	"ON o.task_id = t.task_id JOIN " \
	"(SELECT coalesce(u.task_id, r.task_id) AS task_id, " \
	"coalesce(u.attempt, r.attempt) AS attempt, " \
	"pg_catalog.max(r.executor_id) AS executor_id, " \
	"pg_catalog.min(r.leased_at) AS leased_at, " \
	"pg_catalog.max(r.leased_at) FILTER (WHERE r.kind IN ('r', 's')) AS started_at " \
	"FROM sched._lease r LEFT JOIN LATERAL " \
	"unnest(r.task_ids, r.attempts) AS u (task_id, attempt) ON true " \
	"WHERE r.task_id >= $1 GROUP BY 1, 2) l " \
	"ON l.task_id = t.task_id AND l.attempt = coalesce(o.attempt, 0) + 1 " \
	"LEFT JOIN sched._node n ON n.task_id = t.task_id " \
	"WHERE o.final IS NOT TRUE AND t.task_id >= $1 " \
	"ORDER BY t.task_id"

/* The executor of a lease is no longer there: nobody will end the attempt. */
static void
end_orphan(const SchedJob *job, int64 task_id, int executor_id,
		   TimestampTz started_at, TimestampTz now)
{
	SchedTaskStatus status;
	SchedAttempt attempt;
	SchedEnd	end = {0};

	if (!sched_task_live(task_id, &status, &attempt))
		return;
	attempt.started_at = started_at;
	end.status = started_at == 0 ? SCHED_OUTCOME_RELEASED : SCHED_OUTCOME_LOST;
	end.error = started_at == 0 ? NULL : "its executor is gone";
	end.reason = started_at == 0 ? "its executor is gone" : NULL;
	end.sqlstate = started_at == 0 ? NULL : "08006";
	end.row_count = SCHED_UNSET;
	end.executor_id = executor_id;
	(void) sched_attempt_end(job, &attempt, &end, now);
}

/* The lease of a task that has just been entered. */
static void
enter_lease(int db, const SchedJob *job, int64 task_id, int executor_id,
			TimestampTz leased_at, TimestampTz started_at, TimestampTz now)
{
	QTask	   *task;
	QExecutor  *executor;

	sched_lock(LW_EXCLUSIVE);
	task = sched_queue_find(db, task_id);
	executor = sched_executor_find_id(db, executor_id);
	if (task != NULL && executor != NULL)
		sched_queue_restore_lease(executor, task, leased_at, started_at,
								  started_at == 0 || job->timeout <= 0 ? 0 :
								  started_at + job->timeout);
	else if (task != NULL)
		sched_queue_restore_orphan(task, started_at,
								   executor_id == SCHED_EXECUTOR_HTTP);
	sched_unlock();
	/* those of the HTTP worker are settled with whatever else it leaves */
	if (task != NULL && executor == NULL && executor_id != SCHED_EXECUTOR_HTTP)
		end_orphan(job, task_id, executor_id, started_at, now);
}

/* Tasks that have been read, on their way into the queue. */
typedef struct Entering
{
	int			count;
	QLaneSpec	lanes[ENTER_ROWS];
	QTaskSpec	tasks[ENTER_ROWS];
} Entering;

static void
enter(int db, Entering *entering, TimestampTz now)
{
	bool		stray[ENTER_ROWS];

	if (entering->count == 0)
		return;
	sched_lock(LW_EXCLUSIVE);
	for (int i = 0; i < entering->count; i++)
		stray[i] = sched_queue_add(db, &entering->lanes[i],
								   &entering->tasks[i], true,
								   now) == Q_STRAY;
	sched_unlock();
	for (int i = 0; i < entering->count; i++)
		if (stray[i])
			sched_waiting_stray(entering->tasks[i].task_id);
	entering->count = 0;
}

/* One row.  The job is the one of the row before, mostly. */
static void
read_row(int db, HeapTuple tuple, TupleDesc desc, SchedJob **job,
		 MemoryContext job_context, TimestampTz now, Entering *entering)
{
	bool		n[LIVE_COLUMN_COUNT + 3];
	Datum		v[LIVE_COLUMN_COUNT + 3];
	bool		leased = desc->natts > LIVE_COLUMN_COUNT;
	QTaskSpec	spec = {0};
	int64		job_id;

	heap_deform_tuple(tuple, desc, v, n);
	job_id = DatumGetInt64(v[1]);
	if (*job == NULL || (*job)->job_id != job_id)
	{
		MemoryContext old;

		MemoryContextReset(job_context);
		old = MemoryContextSwitchTo(job_context);
		*job = sched_store_job(job_id);
		MemoryContextSwitchTo(old);
	}
	spec.task_id = DatumGetInt64(v[0]);
	spec.run_id = DatumGetInt64(v[9]);
	spec.attempt = n[5] ? 1 : DatumGetInt32(v[5]) + 1;
	spec.tries = n[6] ? 0 : (int) DatumGetInt64(v[6]);
	spec.losses = n[7] ? 0 : (uint16) Min(DatumGetInt64(v[7]), 1000);
	spec.retrying = !n[8];
	spec.due_at = DatumGetTimestampTz(n[8] ? v[2] : v[8]);
	spec.scheduled_at = DatumGetTimestampTz(v[2]);
	spec.tid = *(ItemPointer) DatumGetPointer(v[12]);
	spec.has_parameters = DatumGetBool(v[13]);
	if (!n[10] && n[5] && !leased)
	{
		/* it has not been started yet: it may have to wait for others */
		SchedJoinRule rule = SCHED_JOIN_ALL_SUCCESS;

		spec.waits = true;
		spec.evaluate = true;
		(void) sched_join_rule_from_name(TextDatumGetCString(v[10]), &rule);
		spec.rule = rule;
		spec.give_up_at = n[11] ? 0 : DatumGetTimestampTz(v[11]);
	}

	if (*job == NULL)
	{
		/* an orphan: say so, and be done with it */
		SchedOutcome outcome = {0};

		outcome.task_id = spec.task_id;
		outcome.job_id = job_id;
		outcome.run_id = spec.run_id;
		outcome.attempt = spec.attempt;
		outcome.status = SCHED_OUTCOME_CANCELLED;
		outcome.final = true;
		outcome.finished_at = now;
		outcome.row_count = SCHED_UNSET;
		outcome.progress = -1;
		outcome.reason = "the job no longer exists";
		sched_record_outcomes(&outcome, 1);
		return;
	}
	spec.priority = n[3] ? (*job)->priority : DatumGetInt16(v[3]);
	spec.serial = DatumGetBool(v[4]) &&
		(*job)->overlap_policy != SCHED_OVERLAP_ALLOW;
	if ((*job)->route == SCHED_ROUTE_BROADCAST)
		(void) sched_store_shard(spec.task_id, &spec.parent, &spec.target);
	if ((*job)->route == SCHED_ROUTE_CONSISTENT_HASH)
	{
		SchedTaskRow row;

		spec.route_key = sched_routing_key(*job, spec.has_parameters &&
										   sched_store_task(spec.task_id, &row) ?
										   row.parameters : NULL);
	}
	sched_lane_spec(*job, &entering->lanes[entering->count]);
	entering->tasks[entering->count++] = spec;
	if (leased)
	{
		enter(db, entering, now);
		enter_lease(db, *job, spec.task_id,
					DatumGetInt32(v[LIVE_COLUMN_COUNT]),
					DatumGetTimestampTz(v[LIVE_COLUMN_COUNT + 1]),
					n[LIVE_COLUMN_COUNT + 2] ? 0 :
					DatumGetTimestampTz(v[LIVE_COLUMN_COUNT + 2]), now);
	}
}

/* Run a query of the shape of LIVE_TASKS; gives the last task_id and the count. */
static uint64
enter_all(int db, const char *query, int nargs, Oid *types, Datum *args,
		  const char *nulls, uint64 limit, int64 *last_task_id)
{
	TimestampTz now = sched_clock_now();
	MemoryContext job_context = AllocSetContextCreate(CurrentMemoryContext,
													  "sched recovered job",
													  ALLOCSET_SMALL_SIZES);
	MemoryContext row_context = AllocSetContextCreate(CurrentMemoryContext,
													  "sched recovered rows",
													  ALLOCSET_DEFAULT_SIZES);
	SchedJob   *job = NULL;
	Entering   *entering = palloc0(sizeof(Entering));
	uint64		seen = 0;
	Portal		portal;

	portal = SPI_cursor_open_with_args(NULL, query, nargs, types, args, nulls,
									   true, 0);
	for (;;)
	{
		SPI_cursor_fetch(portal, true, CURSOR_ROWS);
		if (SPI_processed == 0)
			break;
		for (uint64 i = 0; i < SPI_processed && seen < limit; i++, seen++)
		{
			HeapTuple	tuple = SPI_tuptable->vals[i];
			MemoryContext old = MemoryContextSwitchTo(row_context);
			bool		isnull;

			read_row(db, tuple, SPI_tuptable->tupdesc, &job, job_context,
					 now, entering);
			if (entering->count == ENTER_ROWS)
				enter(db, entering, now);
			*last_task_id = DatumGetInt64(SPI_getbinval(tuple,
														SPI_tuptable->tupdesc,
														1, &isnull));
			MemoryContextSwitchTo(old);
			MemoryContextReset(row_context);
		}
		enter(db, entering, now);
		SPI_freetuptable(SPI_tuptable);
		CHECK_FOR_INTERRUPTS();
		if (seen >= limit)
			break;
	}
	SPI_cursor_close(portal);
	pfree(entering);
	return seen;
}

static void
begin(void)
{
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
}

/* What was read is in memory, and the snapshot is of no more interest. */
static void
commit(int db)
{
	SPI_finish();
	PopActiveSnapshot();
	CommitTransactionCommand();
	sched_lock(LW_EXCLUSIVE);
	sched_queue_end_reading(db);
	sched_unlock();
}

void
sched_recover_interrupted(int db)
{
	sched_lock(LW_EXCLUSIVE);
	sched_queue_end_reading(db);
	if (reading)
		sched_shared->databases[db].rescan = true;
	reading = false;
	sched_unlock();
}

/*
 * Everything that is live and due soon.  Retries are in no other table, so
 * they are entered however late they are due.
 */
void
sched_recover_all(int db)
{
	SchedDatabase *database = &sched_shared->databases[db];
	TimestampTz horizon = sched_clock_now() + SCHED_HORIZON;
	Oid			types[2] = {INT8OID, TIMESTAMPTZOID};
	Datum		args[2];
	int64		last;
	bool		isnull;
	bool		first;
	char	   *query;

	sched_lock(LW_EXCLUSIVE);
	reading = true;
	sched_queue_begin_reading(db);
	first = !database->executors_loaded;
	database->rescan = false;
	database->strays = false;
	database->loaded = true;
	database->horizon = horizon;
	sched_unlock();

	begin();
	if (SPI_execute("SELECT pg_catalog.min(lo) FROM sched._segment "
					"WHERE closed_at IS NULL", true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read sched._segment");
	args[0] = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1,
							&isnull);
	if (isnull)
		args[0] = Int64GetDatum(0);
	args[1] = TimestampTzGetDatum(horizon);
	/* leases first: whatever else memory has no room for, it has for them */
	if (first)
	{
		sched_watch_load(db);
		(void) enter_all(db, LEASED_TASKS, 1, types, args, NULL, PG_UINT64_MAX,
						 &last);
	}
	query = psprintf(LIVE_TASKS, "x.task_id >= $1",
					 "t.task_id >= $1 AND "
					 "(o.retry_at IS NOT NULL OR t.scheduled_at <= $2)");
	(void) enter_all(db, query, 2, types, args, NULL, PG_UINT64_MAX, &last);
	commit(db);
	reading = false;
	/* nobody claims before all is known */
	sched_lock(LW_EXCLUSIVE);
	database->executors_loaded = true;
	sched_unlock();
}

/* Tasks whose time comes within the horizon. */
void
sched_recover_future(int db)
{
	SchedDatabase *database = &sched_shared->databases[db];
	TimestampTz horizon = sched_clock_now() + SCHED_HORIZON;
	Oid			types[1] = {TIMESTAMPTZOID};
	Datum		args[1] = {TimestampTzGetDatum(horizon)};
	int64		last;

	sched_lock(LW_EXCLUSIVE);
	if (horizon < database->horizon)
		horizon = database->horizon;
	database->horizon = horizon;
	sched_queue_begin_reading(db);
	sched_unlock();

	begin();
	if (SPI_execute_with_args("DELETE FROM sched._future WHERE due_at <= $1 "
							  "RETURNING task_id",
							  1, types, args, NULL, false,
							  0) != SPI_OK_DELETE_RETURNING)
		elog(ERROR, "could not read sched._future");
	if (SPI_processed > 0)
	{
		uint64		count = SPI_processed;
		Datum	   *ids = palloc(count * sizeof(Datum));
		Oid			array_types[1] = {INT8ARRAYOID};
		bool		isnull;

		for (uint64 i = 0; i < count; i++)
			ids[i] = SPI_getbinval(SPI_tuptable->vals[i],
								   SPI_tuptable->tupdesc, 1, &isnull);
		args[0] = PointerGetDatum(construct_array(ids, count, INT8OID, 8,
												  true, 'd'));
		(void) enter_all(db, psprintf(LIVE_TASKS, "x.task_id = ANY ($1)",
									  "t.task_id = ANY ($1)"),
						 1, array_types, args, NULL, PG_UINT64_MAX, &last);
	}
	commit(db);
}

/* Tasks of one lane that were left out; false when there is no such lane. */
bool
sched_recover_left_out(int db)
{
	SchedDatabase *database = &sched_shared->databases[db];
	QLane	   *lane;
	QLaneSpec	spec;
	int64		lo;
	int64		last = 0;
	Oid			types[3] = {INT8OID, INT8OID, TIMESTAMPTZOID};
	Datum		args[3];
	uint64		rows = Min(REFILL_ROWS, sched_max_queued_tasks / 4);
	uint64		seen;

	sched_lock(LW_EXCLUSIVE);
	database->want_refill = false;
	lane = sched_queue_spilled_lane(db);
	if (lane != NULL)
	{
		spec = lane->spec;
		lo = lane->spill_lo;
		/* tasks that are ordered for soon may lie beyond the horizon */
		args[2] = TimestampTzGetDatum(Max(database->horizon,
										  sched_clock_now() +
										  2 * SCHED_HORIZON));
		reading = true;
		sched_queue_begin_reading(db);
		sched_queue_clear_left_out(lane);
	}
	sched_unlock();
	if (lane == NULL)
		return false;

	begin();
	args[0] = Int64GetDatum(lo);
	args[1] = Int64GetDatum(spec.job_id);
	seen = enter_all(db, psprintf(
								  LIVE_COLUMNS
								  "FROM sched._task t LEFT JOIN LATERAL "
								  "(SELECT " ENDED_ATTEMPTS
								  "FROM sched._outcome x WHERE x.task_id = t.task_id) o ON true "
								  "LEFT JOIN sched._node n ON n.task_id = t.task_id "
								  "WHERE o.final IS NOT TRUE AND t.job_id = $2 AND t.task_id >= $1 "
								  "AND (o.retry_at IS NOT NULL OR t.scheduled_at <= $3) "
								  "ORDER BY t.job_id, t.task_id LIMIT %d", (int) rows),
					 3, types, args, NULL, rows, &last);
	if (seen == rows)
	{
		sched_lock(LW_EXCLUSIVE);
		sched_queue_leave_out(db, &spec, last + 1);
		sched_unlock();
	}
	commit(db);
	reading = false;
	return true;
}
