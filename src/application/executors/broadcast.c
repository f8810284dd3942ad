/*-------------------------------------------------------------------------
 *
 * broadcast.c
 *	  Tasks that all executors share.
 *
 * A ready task of a job with the route broadcast is not run by anybody.  The
 * scheduler makes a shard of it for each executor that may have it: a task of the
 * same job and run, bound to that executor ("pinned"), whose parameters have
 * shard_index and shard_total.  The rows of the shards and those of _shard, which say
 * what belongs together, are written in one transaction; until then the task
 * waits as any other that no executor may have.
 *
 * From then on the task is "running" as an umbrella of its shards: it holds no
 * lease and counts for no limit.  It ends when the last of them has: completed,
 * failed if one of them failed, cancelled if one was.  Memory counts the live shards;
 * what decides is read from the record, so after a restart the same follows.
 *
 * A shard whose executor is offline waits for it; if the executor is
 * deregistered, the shard fails.
 *
 * Runs in the scheduler only.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "application/tasks/attempt.h"
#include "application/executors/broadcast.h"
#include "application/tasks/record.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "infrastructure/clock.h"
#include "infrastructure/memory/pending.h"
#include "infrastructure/memory/queue_int.h"
#include "infrastructure/memory/queue_route.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"

#define MAX_AT_ONCE	64

/* What there is to do with a task of the lane, copied. */
typedef enum Work
{
	WORK_SPREAD,				/* it has no shards yet, or has not begun */
	WORK_END,					/* all of its shards may have ended */
	WORK_ORPHAN					/* a shard whose executor is gone */
} Work;

typedef struct Todo
{
	Work		work;
	SchedAttempt attempt;
	int			executor_id;	/* of an orphan */
} Todo;

/* The executors that may have the task. */
typedef struct Takers
{
	int			count;
	int		   *ids;
} Takers;

/* ---------- looking ---------- */

static int
look(int db, int64 job_id, Todo *items)
{
	QLane	   *lane;
	dlist_iter	iter;
	int			count = 0;

	sched_lock(LW_SHARED);
	lane = sched_queue_find_lane(db, job_id);
	if (lane != NULL)
		dlist_foreach(iter, &lane->tasks)
		{
			const QTask *task = dlist_container(QTask, lane_node, iter.cur);
			QExecutor  *executor;

			if (count == MAX_AT_ONCE)
				break;
			if (task->umbrella && task->shards == 0)
				items[count].work = WORK_END;
			else if (task->place != Q_UNROUTED)
				continue;
			else if (!task->pinned)
				items[count].work = WORK_SPREAD;
			else
			{
				executor = sched_executor_find_id(db, task->target);
				if (executor != NULL && !executor->gone)
					continue;
				items[count].work = WORK_ORPHAN;
				items[count].executor_id = task->target;
			}
			sched_attempt_copy(task, &items[count++].attempt);
		}
	sched_unlock();
	return count;
}

static void
find_takers(int db, int64 job_id, Takers *takers)
{
	QLane	   *lane;
	int			room = sched_executors_used() + 16;

	takers->ids = palloc(room * sizeof(int));
	takers->count = 0;
	sched_lock(LW_SHARED);
	lane = sched_queue_find_lane(db, job_id);
	if (lane != NULL)
	{
		uint32		cursor = 0;
		QExecutor  *executor;

		while (takers->count < room &&
			   (executor = sched_executor_next(db, &cursor)) != NULL)
			if (sched_route_is_eligible(executor, lane))
				takers->ids[takers->count++] = executor->spec.executor_id;
	}
	sched_unlock();
}

static int64
count_query(const char *query, int64 task_id)
{
	Oid			types[1] = {INT8OID};
	Datum		args[1] = {Int64GetDatum(task_id)};
	bool		isnull;

	if (SPI_execute_with_args(query, 1, types, args, NULL, false, 1) !=
		SPI_OK_SELECT || SPI_processed != 1)
		elog(ERROR, "could not read sched._shard");
	return DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0],
									   SPI_tuptable->tupdesc, 1, &isnull));
}

/* ---------- making shards ---------- */

/* The parameters of the task, with the shard's place. */
static Jsonb *
shard_parameters(const SchedTaskRow *parent, int index, int total)
{
	Datum		place = DirectFunctionCall1(jsonb_in,
											CStringGetDatum(psprintf("{\"shard_index\": %d, \"shard_total\": %d}",
																	 index, total)));

	if (parent->parameters == NULL)
		return DatumGetJsonbP(place);
	return DatumGetJsonbP(DirectFunctionCall2(jsonb_concat,
											  JsonbPGetDatum(parent->parameters),
											  place));
}

static void
write_shards(const SchedTaskRow *rows, int64 parent_id, const Takers *takers)
{
	static const char query[] =
		"INSERT INTO sched._shard (task_id, parent_id, executor_id, shard_index, shard_total)"
		" SELECT u.task_id, $1, u.executor_id, u.n - 1, pg_catalog.cardinality($2)"
		" FROM ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($3)) WITH ORDINALITY"
		" AS u (task_id, executor_id, n)";
	Oid			types[3] = {INT8OID, INT8ARRAYOID, INT4ARRAYOID};
	Datum		args[3];
	Datum	   *ids = palloc(takers->count * sizeof(Datum));
	Datum	   *executors = palloc(takers->count * sizeof(Datum));

	for (int i = 0; i < takers->count; i++)
	{
		ids[i] = Int64GetDatum(rows[i].task_id);
		executors[i] = Int32GetDatum(takers->ids[i]);
	}
	args[0] = Int64GetDatum(parent_id);
	args[1] = PointerGetDatum(construct_array(ids, takers->count, INT8OID, 8,
											  true, 'd'));
	args[2] = PointerGetDatum(construct_array(executors, takers->count,
											  INT4OID, 4, true, 'i'));
	if (SPI_execute_with_args(query, 3, types, args, NULL, false, 0) !=
		SPI_OK_INSERT)
		elog(ERROR, "could not write to sched._shard");
	/* those of tasks that have left the history */
	if (SPI_execute("DELETE FROM sched._shard s WHERE s.parent_id < "
					"(SELECT pg_catalog.min(g.lo) FROM sched._segment g)",
					false, 0) != SPI_OK_DELETE)
		elog(ERROR, "could not thin out sched._shard");
}

static void
make_shards(const SchedJob *job, const SchedTaskRow *parent,
			const Takers *takers, TimestampTz now)
{
	SchedTaskRow *rows = palloc0(takers->count * sizeof(SchedTaskRow));
	uint32		generation = sched_pending_job_generation();
	QLaneSpec	lane;

	for (int i = 0; i < takers->count; i++)
	{
		rows[i].task_id = sched_store_next_task_id();
		rows[i].job_id = job->job_id;
		rows[i].run_id = parent->run_id;
		rows[i].trigger_id = SCHED_UNSET;
		rows[i].rerun_of = SCHED_UNSET;
		rows[i].scheduled_at = parent->scheduled_at;
		rows[i].created_at = now;
		rows[i].priority = parent->priority;
		rows[i].parameters = shard_parameters(parent, i, takers->count);
		rows[i].placed = true;	/* those that depend on the task wait for it, not
								 * for its shards */
	}
	sched_record_tasks(rows, takers->count);
	write_shards(rows, parent->task_id, takers);

	sched_lane_spec(job, &lane);
	for (int i = 0; i < takers->count; i++)
	{
		QTaskSpec	spec = {0};

		spec.task_id = rows[i].task_id;
		spec.run_id = rows[i].run_id;
		spec.due_at = now;
		spec.scheduled_at = rows[i].scheduled_at;
		spec.tid = rows[i].tid;
		spec.has_parameters = true;
		spec.priority = rows[i].priority != 0 ? rows[i].priority : job->priority;
		spec.attempt = 1;
		spec.parent = parent->task_id;
		spec.target = takers->ids[i];
		sched_pending_add_task(&lane, &spec, generation);
	}
}

/* From now on it lasts as long as its shards do. */
static void
become_umbrella(int db, int64 task_id, TimestampTz now)
{
	QTask	   *task;
	dlist_iter	iter;

	sched_lock(LW_EXCLUSIVE);
	task = sched_queue_find(db, task_id);
	if (task != NULL && task->place == Q_UNROUTED && !task->pinned)
	{
		sched_queue_dequeue(task);
		task->umbrella = true;
		task->shards = 0;
		dlist_foreach(iter, &task->lane->tasks)
			task->shards += dlist_container(QTask, lane_node, iter.cur)->parent == task_id;
		sched_queue_set_status(task, SCHED_TASK_ASSIGNED);
		sched_queue_set_status(task, SCHED_TASK_RUNNING);
		task->started_at = now;
		if (task->shards == 0)
			sched_shared->databases[db].want_routes = true;
	}
	sched_unlock();
}

/* True when shards were made. */
static bool
spread(int db, const SchedJob *job, int64 task_id, TimestampTz now)
{
	SchedTaskRow parent;
	Takers		takers;

	if (count_query("SELECT pg_catalog.count(*) FROM sched._shard s "
					"WHERE s.parent_id OPERATOR(pg_catalog.=) $1", task_id) > 0)
	{
		become_umbrella(db, task_id, now);
		return false;
	}
	find_takers(db, job->job_id, &takers);
	if (takers.count == 0 || !sched_store_task(task_id, &parent) ||
		!sched_pending_reserve_task(task_id))
		return false;
	make_shards(job, &parent, &takers, now);
	return true;
}

/* ---------- ending ---------- */

static void
end_umbrella(const SchedJob *job, const SchedAttempt *attempt, TimestampTz now)
{
	static const char query[] =
		"SELECT pg_catalog.count(*), pg_catalog.count(o.task_id),"
		" pg_catalog.count(*) FILTER (WHERE o.status = 'c'),"
		" pg_catalog.count(*) FILTER (WHERE o.status = 'x'),"
		" pg_catalog.jsonb_build_object('shards', pg_catalog.count(*),"
		"  'completed', pg_catalog.count(*) FILTER (WHERE o.status = 'c'))"
		" FROM sched._shard s LEFT JOIN sched._outcome o"
		" ON o.task_id = s.task_id AND o.final WHERE s.parent_id = $1";
	Oid			types[1] = {INT8OID};
	Datum		args[1] = {Int64GetDatum(attempt->task_id)};
	int64		counts[4];
	Datum		result;
	SchedEnd	end = {0};
	bool		isnull;

	if (SPI_execute_with_args(query, 1, types, args, NULL, false, 1) !=
		SPI_OK_SELECT || SPI_processed != 1)
		elog(ERROR, "could not read sched._shard");
	for (int i = 0; i < lengthof(counts); i++)
		counts[i] = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0],
												SPI_tuptable->tupdesc, i + 1,
												&isnull));
	result = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 5,
						   &isnull);
	if (counts[1] < counts[0])
		return;					/* not in memory, but not over */

	end.row_count = SCHED_UNSET;
	end.result = DatumGetJsonbP(result);
	if (counts[2] == counts[0])
		end.status = SCHED_OUTCOME_COMPLETED;
	else if (counts[2] + counts[3] == counts[0])
	{
		end.status = SCHED_OUTCOME_CANCELLED;
		end.reason = psprintf(INT64_FORMAT " of " INT64_FORMAT " shards were cancelled",
							  counts[3], counts[0]);
	}
	else
	{
		end.status = SCHED_OUTCOME_FAILED;
		end.error = psprintf(INT64_FORMAT " of " INT64_FORMAT " shards were not completed",
							 counts[0] - counts[2], counts[0]);
	}
	(void) sched_attempt_end(job, attempt, &end, now);
}

/* A shard that nobody will ever take. */
static void
fail_orphan(int db, const SchedJob *job, SchedAttempt *attempt,
			int executor_id, TimestampTz now)
{
	SchedEnd	end = {0};

	if (!sched_pending_reserve_task(attempt->task_id))
		return;
	end.status = SCHED_OUTCOME_FAILED;
	end.error = psprintf("executor %d, which was to run it, has been deregistered",
						 executor_id);
	end.row_count = SCHED_UNSET;
	(void) sched_attempt_end(job, attempt, &end, now);
}

bool
sched_broadcast_turn(int db, int64 job_id)
{
	Todo		items[MAX_AT_ONCE];
	int			count = look(db, job_id, items);
	TimestampTz now = sched_clock_now();
	SchedJob   *job;
	bool		made = false;

	if (count == 0)
		return false;
	job = sched_store_job(job_id);
	for (int i = 0; i < count; i++)
	{
		switch (items[i].work)
		{
			case WORK_SPREAD:
				if (job != NULL && spread(db, job, items[i].attempt.task_id, now))
					made = true;
				break;
			case WORK_END:
				end_umbrella(job, &items[i].attempt, now);
				break;
			case WORK_ORPHAN:
				fail_orphan(db, job, &items[i].attempt, items[i].executor_id, now);
				break;
		}
		CHECK_FOR_INTERRUPTS();
	}
	return made || count == MAX_AT_ONCE;
}
