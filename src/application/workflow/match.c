/*-------------------------------------------------------------------------
 *
 * match.c
 *	  Which task of the upstream an edge of a waiting task is about.
 *
 * Matching goes by nominal time (scheduled_at), never by when a task started.
 * Runs in the scheduler, by SQL with its pinned search_path.  Only the newest
 * tasks of a job are looked at (RECENT), by the index on (job_id, task_id), so a
 * long history costs nothing.
 *
 *	since_last_run	the newest after this job's previous task, up to now; one
 *					that is due by the task's own time is waited for
 *	same_time		that of the same time
 *	offset			that of the time before by "offset"
 *	latest			the newest up to now
 *	window			all those of the span "offset" that ends with the task's time
 *
 * What the overlap policy skipped is no run and is never matched.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "application/workflow/match.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#define RECENT	"1000"

/* Tasks of job $1 with times in ($2, $3], newest first. */
#define TASKS_BETWEEN \
	"SELECT t.task_id FROM (SELECT x.task_id, x.scheduled_at, x.trigger_id " \
	"FROM sched._task x WHERE x.job_id = $1 " \
	"ORDER BY x.task_id DESC LIMIT " RECENT ") t " \
	"WHERE t.scheduled_at > $2 AND t.scheduled_at <= $3 AND NOT EXISTS " \
	"(SELECT FROM sched._outcome o WHERE o.task_id = t.task_id " \
	"AND o.status = 'k' AND t.trigger_id IS NOT NULL AND o.started_at IS NULL) " \
	"ORDER BY t.scheduled_at DESC, t.task_id DESC"

static uint64
query(SPIPlanPtr *plan, const char *text, int nargs, Oid *types, Datum *args)
{
	if (*plan == NULL)
	{
		SPIPlanPtr	prepared = SPI_prepare(text, nargs, types);

		if (prepared == NULL || SPI_keepplan(prepared) != 0)
			elog(ERROR, "could not prepare \"%s\"", text);
		*plan = prepared;
	}
	/* not read only: what this transaction has written counts too */
	if (SPI_execute_plan(*plan, args, NULL, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not execute \"%s\"", text);
	return SPI_processed;
}

static Datum
first_value(bool *isnull)
{
	return SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1,
						 isnull);
}

/* The nominal time of the job's previous task that was not skipped or missed. */
static TimestampTz
previous_time(const SchedTaskRow *task)
{
	static SPIPlanPtr plan = NULL;
	Oid			types[3] = {INT8OID, INT8OID, TIMESTAMPTZOID};
	Datum		args[3];
	bool		isnull;

	args[0] = Int64GetDatum(task->job_id);
	args[1] = Int64GetDatum(task->task_id);
	args[2] = TimestampTzGetDatum(task->scheduled_at);
	if (query(&plan,
			  "SELECT t.scheduled_at FROM (SELECT x.task_id, x.scheduled_at "
			  "FROM sched._task x WHERE x.job_id = $1 AND x.task_id < $2 "
			  "ORDER BY x.task_id DESC LIMIT " RECENT ") t "
			  "WHERE t.scheduled_at <= $3 AND NOT EXISTS "
			  "(SELECT FROM sched._outcome o WHERE o.task_id = t.task_id "
			  "AND o.status IN ('k', 'm')) "
			  "ORDER BY t.scheduled_at DESC, t.task_id DESC LIMIT 1",
			  3, types, args) == 0)
		return DT_NOBEGIN;
	return DatumGetTimestampTz(first_value(&isnull));
}

/* When the upstream's triggers fire next; false when it has none that will. */
static bool
next_fire(int64 job_id, TimestampTz *at)
{
	static SPIPlanPtr plan = NULL;
	Oid			types[1] = {INT8OID};
	Datum		args[1] = {Int64GetDatum(job_id)};
	bool		isnull;

	(void) query(&plan,
				 "SELECT min(s.next_fire_at) FROM sched._trigger t "
				 "JOIN sched._trigger_state s ON s.trigger_id = t.trigger_id "
				 "WHERE t.job_id = $1 AND s.fault IS NULL",
				 1, types, args);
	*at = DatumGetTimestampTz(first_value(&isnull));
	return !isnull;
}

static TimestampTz
before(TimestampTz at, int64 span)
{
	return Max(at - span, MIN_TIMESTAMP);	/* spans end at 73,000 years */
}

/* Tasks with times in (from, to]; their ids, newest first. */
static int
between(int64 job_id, TimestampTz from, TimestampTz to, int64 **ids)
{
	static SPIPlanPtr plan = NULL;
	Oid			types[3] = {INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID};
	Datum		args[3];
	int			count;
	bool		isnull;

	args[0] = Int64GetDatum(job_id);
	args[1] = TimestampTzGetDatum(from);
	args[2] = TimestampTzGetDatum(to);
	count = (int) query(&plan, TASKS_BETWEEN, 3, types, args);
	*ids = SPI_palloc(Max(count, 1) * sizeof(int64));
	for (int i = 0; i < count; i++)
		(*ids)[i] = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[i],
												SPI_tuptable->tupdesc, 1,
												&isnull));
	return count;
}

/* Can no task of the upstream come any more, whatever its time? */
static const char *
upstream_is_over(int64 job_id)
{
	SchedJob   *job = sched_store_job(job_id);

	if (job == NULL)
		return "the upstream job has been deleted";
	switch (job->status)
	{
		case SCHED_JOB_DISABLED:
			return psprintf("upstream job \"%s\" is disabled", job->name);
		case SCHED_JOB_COMPLETED:
			return psprintf("upstream job \"%s\" is completed", job->name);
		default:
			return NULL;
	}
}

/* An occurrence of exactly this time has not come; will it? */
static const char *
time_is_over(int64 job_id, TimestampTz at)
{
	TimestampTz next;

	if (!sched_store_has_trigger(job_id))
		return NULL;
	if (next_fire(job_id, &next) && next <= at)
		return NULL;
	return psprintf("the upstream job does not fire at %s",
					timestamptz_to_str(at));
}

void
sched_match(const SchedEdge *edge, const SchedTaskRow *task, TimestampTz now,
			SchedMatchResult *result)
{
	TimestampTz nominal = task->scheduled_at;
	TimestampTz next;
	int64		upstream = edge->upstream_id;

	MemSet(result, 0, sizeof(SchedMatchResult));
	result->kind = SCHED_MATCH_NOT_YET;
	switch (edge->match)
	{
		case SCHED_MATCH_SAME_RUN:
			result->kind = SCHED_MATCH_NEVER;
			result->reason = "the upstream job is no part of the run";
			return;
		case SCHED_MATCH_DEFAULT:
		case SCHED_MATCH_SINCE_LAST_RUN:
			if (next_fire(upstream, &next) && next <= nominal)
				break;
			result->count = between(upstream, previous_time(task),
									Max(now, nominal), &result->task_ids);
			break;
		case SCHED_MATCH_LATEST:
			result->count = between(upstream, DT_NOBEGIN, Max(now, nominal),
									&result->task_ids);
			break;
		case SCHED_MATCH_SAME_TIME:
		case SCHED_MATCH_OFFSET:
			if (edge->match == SCHED_MATCH_OFFSET)
				nominal = before(nominal, edge->offset);
			result->count = between(upstream, nominal - 1, nominal,
									&result->task_ids);
			if (result->count == 0)
				result->reason = time_is_over(upstream, nominal);
			break;
		case SCHED_MATCH_WINDOW:
			if (next_fire(upstream, &next) && next <= nominal)
				break;
			result->count = between(upstream, before(nominal, edge->offset),
									nominal, &result->task_ids);
			if (result->count > 0)
			{
				result->kind = SCHED_MATCH_SEVERAL;
				return;
			}
			break;
	}
	if (result->count > 0)
	{
		result->kind = SCHED_MATCH_FOUND;
		result->task_id = result->task_ids[0];
		return;
	}
	if (result->reason == NULL)
		result->reason = upstream_is_over(upstream);
	if (result->reason != NULL)
		result->kind = SCHED_MATCH_NEVER;
}
