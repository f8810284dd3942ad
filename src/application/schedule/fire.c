/*-------------------------------------------------------------------------
 *
 * fire.c
 *	  Turning due triggers into tasks.
 *
 * One transaction per batch: lock the triggers' rows (those that a user's
 * transaction has locked are left for later, the scheduler never waits for
 * anybody), decide what each occurrence becomes, write task rows, and advance
 * _trigger_state.  So an occurrence and its task are durable together.  Nothing
 * here is user code: schedules are data to the domain layer.
 *
 * Every occurrence leaves a row: a task that runs, or one that is born with its
 * final outcome (skipped, missed) and the reason.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "application/schedule/custom_trigger.h"
#include "application/events/event.h"
#include "application/schedule/fire.h"
#include "application/schedule/occur.h"
#include "application/tasks/record.h"
#include "catalog/pg_type.h"
#include "domain/policy.h"
#include "executor/spi.h"
#include "infrastructure/clock.h"
#include "infrastructure/memory/pending.h"
#include "infrastructure/schedule_cache.h"
#include "infrastructure/settings.h"
#include "infrastructure/memory/shmem.h"
#include "infrastructure/tables/store.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#define DEFER			(100 * 1000)	/* microseconds: the row was locked */
#define STOP_BATCH		1000	/* tasks that are cancelled at a time */
#define MAX_RUNS_AT_ONCE	10000	/* of one trigger, by fire_all */

/* A trigger's row, locked. */
typedef struct Claimed
{
	int64		trigger_id;
	TimestampTz nominal;
	int64		fire_count;
	char	   *kind;
	Jsonb	   *parameters;		/* NULL: none */
	TimestampTz anchor;
	/* of @custom: the fires that are known, and where to go on asking */
	SchedTime  *fires;
	int			fire_known;
	int64		unlisted;		/* more of them before the first */
	TimestampTz ask_after;		/* 0: there are no more */
	bool		ask;
	SchedCompiled *compiled;
	SchedJob   *job;
	/* what becomes of it */
	TimestampTz next;			/* 0: never */
	TimestampTz last;
	int64		fired;
	const char *fault;
	bool		completed;
} Claimed;

/* Rows of the batch, to be written together. */
typedef struct Batch
{
	TimestampTz now;
	SchedTaskRow *tasks;
	SchedOutcome *outcomes;
	int			task_count;
	int			outcome_count;
	int			task_capacity;
	int			outcome_capacity;
	uint32		generation;
} Batch;

static List *jobs_to_complete = NIL;	/* job_ids, in TopMemoryContext */

static void
execute_saved(SPIPlanPtr *plan, const char *query, int nargs, Oid *types,
			  Datum *args, const char *nulls, int expected)
{
	if (*plan == NULL)
	{
		SPIPlanPtr	prepared = SPI_prepare(query, nargs, types);

		if (prepared == NULL || SPI_keepplan(prepared) != 0)
			elog(ERROR, "could not prepare \"%s\"", query);
		*plan = prepared;
	}
	if (SPI_execute_plan(*plan, args, nulls, false, 0) != expected)
		elog(ERROR, "could not execute \"%s\"", query);
}

/* ---------- repairs ---------- */

List *
sched_fire_add_repair(List *repairs, const SchedRepair *repair)
{
	SchedRepair *copy = palloc(sizeof(SchedRepair));

	*copy = *repair;
	return lappend(repairs, copy);
}

/* A row that somebody has locked keeps its time until it has fired. */
static void
write_move(const SchedRepair *repair)
{
	static SPIPlanPtr plan = NULL;
	Oid			types[3] = {INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID};
	Datum		args[3];

	args[0] = Int64GetDatum(repair->trigger_id);
	args[1] = TimestampTzGetDatum(repair->next_fire_at);
	args[2] = TimestampTzGetDatum(repair->moved_from);
	execute_saved(&plan,
				  "UPDATE sched._trigger_state SET next_fire_at = $2 WHERE trigger_id IN "
				  "(SELECT s.trigger_id FROM sched._trigger_state s "
				  "WHERE s.trigger_id = $1 AND s.next_fire_at = $3 FOR UPDATE SKIP LOCKED)",
				  3, types, args, NULL, SPI_OK_UPDATE);
}

/* Inside a transaction and an SPI connection. */
void
sched_fire_write_repairs(List *repairs)
{
	static SPIPlanPtr plan = NULL;
	ListCell   *cell;

	foreach(cell, repairs)
	{
		SchedRepair *repair = lfirst(cell);

		if (repair->moved_from != 0)
			write_move(repair);
	}
	foreach(cell, repairs)
	{
		SchedRepair *repair = lfirst(cell);
		Oid			types[4] = {INT8OID, TIMESTAMPTZOID, TEXTOID,
		TIMESTAMPTZOID};
		Datum		args[4];
		char		nulls[5] = "    ";

		if (repair->moved_from != 0)
			continue;
		args[0] = Int64GetDatum(repair->trigger_id);
		args[1] = TimestampTzGetDatum(repair->next_fire_at);
		nulls[1] = repair->create && repair->next_fire_at != 0 ? ' ' : 'n';
		args[2] = (Datum) 0;
		nulls[2] = 'n';
		if (repair->fault != NULL)
		{
			args[2] = CStringGetTextDatum(repair->fault);
			nulls[2] = ' ';
		}
		args[3] = TimestampTzGetDatum(repair->ask_after);
		nulls[3] = repair->ask_after != 0 ? ' ' : 'n';
		execute_saved(&plan,
					  "INSERT INTO sched._trigger_state AS s "
					  "(trigger_id, next_fire_at, fault, ask_after) "
					  "SELECT $1, $2, $3, $4 WHERE EXISTS "
					  "(SELECT FROM sched._trigger t WHERE t.trigger_id = $1) "
					  "ON CONFLICT (trigger_id) DO UPDATE SET fault = EXCLUDED.fault "
					  "WHERE s.fault IS DISTINCT FROM EXCLUDED.fault",
					  4, types, args, nulls, SPI_OK_INSERT);
	}
}

/* ---------- fixed delay ---------- */

TimestampTz
sched_fire_after_end(int db, int64 job_id, const SchedSchedule *schedule)
{
	QLane	   *lane;
	bool		live;
	Oid			types[1] = {INT8OID};
	Datum		args[1] = {Int64GetDatum(job_id)};
	TimestampTz end = 0;
	bool		isnull;
	static SPIPlanPtr plan = NULL;

	sched_lock(LW_EXCLUSIVE);
	lane = sched_queue_find_lane(db, job_id);
	live = lane != NULL && lane->occupied > 0;
	if (lane != NULL)
		lane->spec.report_end = true;
	sched_unlock();
	if (live)
		return 0;

	execute_saved(&plan,
				  "SELECT o.finished_at FROM sched._task t "
				  "JOIN sched._outcome o ON o.task_id = t.task_id "
				  "WHERE t.job_id = $1 AND o.final AND o.status <> 'k' "
				  "ORDER BY t.task_id DESC LIMIT 1",
				  1, types, args, NULL, SPI_OK_SELECT);
	if (SPI_processed > 0)
		end = DatumGetTimestampTz(SPI_getbinval(SPI_tuptable->vals[0],
												SPI_tuptable->tupdesc, 1,
												&isnull));
	SPI_freetuptable(SPI_tuptable);
	return end == 0 ? sched_clock_now() :
		end + sched_schedule_period(schedule);
}

/* ---------- rows ---------- */

static SchedTaskRow *
new_task(Batch *batch, const Claimed *c, TimestampTz scheduled_at)
{
	SchedTaskRow *row;

	if (batch->task_count == batch->task_capacity)
	{
		batch->task_capacity = Max(64, batch->task_capacity * 2);
		batch->tasks = batch->tasks == NULL ?
			palloc(batch->task_capacity * sizeof(SchedTaskRow)) :
			repalloc(batch->tasks, batch->task_capacity * sizeof(SchedTaskRow));
	}
	row = &batch->tasks[batch->task_count++];
	MemSet(row, 0, sizeof(SchedTaskRow));
	row->task_id = sched_store_next_task_id();
	row->job_id = c->job->job_id;
	row->run_id = row->task_id;
	row->trigger_id = c->trigger_id;
	row->rerun_of = SCHED_UNSET;
	row->scheduled_at = scheduled_at;
	row->created_at = batch->now;
	row->parameters = c->parameters;
	return row;
}

/* The task is born ended. */
static void
end_task(Batch *batch, SchedTaskRow *row, char status,
		 const char *reason)
{
	SchedOutcome *outcome;

	if (batch->outcome_count == batch->outcome_capacity)
	{
		batch->outcome_capacity = Max(64, batch->outcome_capacity * 2);
		batch->outcomes = batch->outcomes == NULL ?
			palloc(batch->outcome_capacity * sizeof(SchedOutcome)) :
			repalloc(batch->outcomes,
					 batch->outcome_capacity * sizeof(SchedOutcome));
	}
	outcome = &batch->outcomes[batch->outcome_count++];
	sched_occur_ended(row, status, reason, batch->now, outcome);
}

/* One occurrence: a task that runs, or one that says why not. */
static void
occur(Batch *batch, Claimed *c, TimestampTz nominal, int64 missed)
{
	SchedTaskRow *row = new_task(batch, c, nominal);
	bool		after = strcmp(c->kind, "after") == 0;

	row->missed_count = missed;
	if (sched_occur_decide(c->job, after, batch->now))
		sched_occur_enqueue(c->job, row, batch->generation, after, batch->now);
	else
		end_task(batch, row, SCHED_OUTCOME_SKIPPED, SCHED_OCCUR_SKIPPED);
}

/* ---------- one trigger ---------- */

static void
run_plan(Batch *batch, Claimed *c, const SchedScheduleContext *context)
{
	SchedMisfireInput input = {0};
	SchedMisfirePlan plan;
	SchedTime	at;

	input.schedule = c->compiled->schedule;
	input.context = context;
	input.last_fire = c->nominal - 1;
	input.now = batch->now;
	input.threshold = sched_misfire_threshold * USECS_PER_SEC +
		c->job->jitter;
	input.policy = c->job->misfire_policy;
	input.catchup_window = c->job->catchup_window;
	input.catchup_limit = c->job->catchup_limit > 0 ?
		Min(c->job->catchup_limit, MAX_RUNS_AT_ONCE) : MAX_RUNS_AT_ONCE;
	input.end_at = c->job->end_at != 0 ? c->job->end_at : SCHED_TIME_NEVER;
	input.runs_left = c->job->max_runs > 0 ?
		Max(c->job->max_runs - c->fire_count, 0) : -1;
	sched_misfire_plan(&input, &plan);
	if (c->unlisted > 0)
	{
		plan.missed_count += c->unlisted;
		plan.record_missed = c->job->misfire_policy != SCHED_MISFIRE_FIRE_ONCE;
		plan.missed_last = Max(plan.missed_last, c->fires[0] - 1);
	}
	if (plan.missed_count > 0)
		sched_event_job(SCHED_EVENT_JOB_MISFIRED, c->job->job_id, c->job->owner,
						c->job->name,
						psprintf("\"trigger_id\": " INT64_FORMAT
								 ", \"missed_count\": " INT64_FORMAT
								 ", \"run_count\": " INT64_FORMAT,
								 c->trigger_id, (int64) plan.missed_count,
								 (int64) plan.run_count));

	if (plan.record_missed && plan.missed_count > 0)
	{
		SchedTaskRow *row = new_task(batch, c, plan.missed_last);

		row->missed_count = (int) Min(plan.missed_count, PG_INT32_MAX);
		end_task(batch, row, SCHED_OUTCOME_MISSED,
				 "misfire policy: its time had passed");
		c->last = plan.missed_last;
	}
	at = plan.run_first;
	for (int64 i = 0; i < plan.run_count; i++)
	{
		occur(batch, c, at, i == 0 && !plan.record_missed ?
			  Min(plan.missed_count, PG_INT32_MAX) : 0);
		c->fired++;
		c->last = Max(c->last, at);
		if (i + 1 < plan.run_count)
			at = sched_schedule_next(c->compiled->schedule, context, at);
	}
	c->next = plan.next == SCHED_TIME_NEVER ? 0 : plan.next;
}

/*
 * What a misfire policy says needs every fire up to now.  A custom trigger that
 * is merely late fires with what is known.
 */
static bool
custom_is_known(const Batch *batch, const Claimed *c)
{
	return c->ask_after == 0 ||
		c->fires[c->fire_known - 1] > batch->now ||
		batch->now - c->nominal <=
		sched_misfire_threshold * USECS_PER_SEC + c->job->jitter;
}

static void
fire_one(Batch *batch, Claimed *c)
{
	SchedScheduleKind kind = sched_schedule_kind(c->compiled->schedule);
	SchedScheduleContext context = c->compiled->context;
	SchedTime	next;

	context.anchor = c->anchor;
	context.previous_end = SCHED_TIME_BEGIN;
	context.fires = c->fires;
	context.fire_count = c->fire_known;

	if (kind == SCHED_CUSTOM && !custom_is_known(batch, c))
	{
		c->ask = true;
		c->next = c->nominal;
		return;
	}
	if (kind == SCHED_AFTER || kind == SCHED_STARTUP)
	{
		TimestampTz at = c->nominal != 0 ? c->nominal : batch->now;

		/* one occurrence; the next follows from the end, or the next start */
		occur(batch, c, at, 0);
		c->fired = 1;
		c->last = at;
		c->next = 0;
	}
	else if (batch->now - c->nominal <=
			 sched_misfire_threshold * USECS_PER_SEC + c->job->jitter &&
			 (next = sched_schedule_next(c->compiled->schedule, &context,
										 c->nominal)) > batch->now &&
			 c->job->max_runs == 0 &&
			 (kind != SCHED_CUSTOM || c->job->calendar == NULL))
	{
		/* the usual case: one occurrence, in time */
		if (c->job->end_at == 0 || c->nominal <= c->job->end_at)
		{
			occur(batch, c, c->nominal, 0);
			c->fired = 1;
			c->last = c->nominal;
		}
		c->next = next == SCHED_TIME_NEVER ? 0 : next;
	}
	else
		run_plan(batch, c, &context);

	if (c->next != 0 && c->job->end_at != 0 && c->next > c->job->end_at)
		c->next = 0;
	if (c->job->max_runs > 0 && c->fire_count + c->fired >= c->job->max_runs)
	{
		c->next = 0;
		c->completed = true;
	}
	if (c->next == 0 && kind == SCHED_CUSTOM && !c->completed &&
		c->ask_after != 0 && c->fires[c->fire_known - 1] <= batch->now &&
		(c->job->end_at == 0 || c->ask_after < c->job->end_at))
		c->ask = true;
	else if (c->next == 0 && kind != SCHED_AFTER && kind != SCHED_STARTUP)
		c->completed = true;
}

/* ---------- the batch ---------- */

static Jsonb *
get_jsonb(HeapTuple tuple, TupleDesc desc, int column)
{
	bool		isnull;
	Datum		value = SPI_getbinval(tuple, desc, column, &isnull);

	return isnull ? NULL : DatumGetJsonbPCopy(value);
}

/* What is known of the fires of a custom trigger; at least its next one. */
static void
get_custom(Claimed *c, HeapTuple tuple, TupleDesc desc)
{
	bool		isnull;
	Datum		value = SPI_getbinval(tuple, desc, 12, &isnull);
	Datum	   *fires;
	bool	   *nulls;
	int			count = 0;

	c->fires = palloc(sizeof(SchedTime));
	if (!isnull)
	{
		deconstruct_array(DatumGetArrayTypePCopy(value), TIMESTAMPTZOID, 8,
						  true, 'd', &fires, &nulls, &count);
		c->fires = palloc((count + 1) * sizeof(SchedTime));
		for (int i = 0; i < count; i++)
			if (!nulls[i] && DatumGetTimestampTz(fires[i]) >= c->nominal)
				c->fires[c->fire_known++] = DatumGetTimestampTz(fires[i]);
	}
	if (c->fire_known == 0)
		c->fires[c->fire_known++] = c->nominal;
	c->ask_after = DatumGetTimestampTz(SPI_getbinval(tuple, desc, 13,
													 &isnull));
	if (isnull)
		c->ask_after = 0;
	c->unlisted = DatumGetInt64(SPI_getbinval(tuple, desc, 14, &isnull));
	if (isnull)
		c->unlisted = 0;
}

/* Read and lock the rows; *claimed is filled in the order of the rows. */
static int
claim(const int64 *trigger_ids, int count, Claimed *claimed)
{
	static SPIPlanPtr plan = NULL;
	Datum	   *ids = palloc(count * sizeof(Datum));
	Oid			types[1] = {INT8ARRAYOID};
	Datum		args[1];
	SchedJob   *job = NULL;
	TupleDesc	desc;
	SPITupleTable *rows;
	int			n;

	for (int i = 0; i < count; i++)
		ids[i] = Int64GetDatum(trigger_ids[i]);
	args[0] = PointerGetDatum(construct_array(ids, count, INT8OID, 8, true,
											  'd'));
	execute_saved(&plan,
				  "SELECT s.trigger_id, s.next_fire_at, s.fire_count, t.kind, "
				  "t.schedule, COALESCE(t.timezone, j.timezone), t.parameters, "
				  "COALESCE(j.start_at, t.created_at), j.job_id, j.dst_policy, "
				  "j.calendar, s.fires, s.ask_after, s.unlisted "
				  "FROM sched._trigger_state s "
				  "JOIN sched._trigger t ON t.trigger_id = s.trigger_id "
				  "JOIN sched._job j ON j.job_id = t.job_id "
				  "WHERE s.trigger_id = ANY ($1) AND j.status = 'active' "
				  "ORDER BY s.next_fire_at, s.trigger_id "
				  "FOR UPDATE OF s SKIP LOCKED",
				  1, types, args, NULL, SPI_OK_SELECT);
	rows = SPI_tuptable;
	desc = rows->tupdesc;
	n = SPI_processed;

	for (int i = 0; i < n; i++)
	{
		HeapTuple	tuple = rows->vals[i];
		Claimed    *c = &claimed[i];
		SchedError	error;
		bool		isnull;
		int64		job_id = DatumGetInt64(SPI_getbinval(tuple, desc, 9,
														 &isnull));

		MemSet(c, 0, sizeof(Claimed));
		c->trigger_id = DatumGetInt64(SPI_getbinval(tuple, desc, 1, &isnull));
		c->nominal = DatumGetTimestampTz(SPI_getbinval(tuple, desc, 2,
													   &isnull));
		if (isnull)
			c->nominal = 0;
		c->fire_count = DatumGetInt64(SPI_getbinval(tuple, desc, 3, &isnull));
		c->kind = SPI_getvalue(tuple, desc, 4);
		c->parameters = get_jsonb(tuple, desc, 7);
		c->anchor = DatumGetTimestampTz(SPI_getbinval(tuple, desc, 8,
													  &isnull));
		if (job == NULL || job->job_id != job_id)
			job = sched_store_job(job_id);
		c->job = job;
		c->compiled = sched_compiled_get(SPI_getvalue(tuple, desc, 5),
										 SPI_getvalue(tuple, desc, 6),
										 SPI_getvalue(tuple, desc, 10),
										 SPI_getvalue(tuple, desc, 11),
										 &error);
		if (c->compiled == NULL)
			c->fault = pstrdup(error.message);
		else if (sched_schedule_kind(c->compiled->schedule) == SCHED_CUSTOM)
			get_custom(c, tuple, desc);
	}
	SPI_freetuptable(rows);
	return n;
}

/* A custom trigger is over, whatever its function would say. */
static void
stop_asking(const Claimed *c)
{
	static SPIPlanPtr plan = NULL;
	Oid			types[1] = {INT8OID};
	Datum		args[1] = {Int64GetDatum(c->trigger_id)};

	execute_saved(&plan,
				  "UPDATE sched._trigger_state SET ask_after = NULL, fires = NULL "
				  "WHERE trigger_id = $1",
				  1, types, args, NULL, SPI_OK_UPDATE);
}

/* Advance _trigger_state for the whole batch. */
static void
advance(Claimed *claimed, int count)
{
	static SPIPlanPtr plan = NULL;
	Oid			types[5] = {INT8ARRAYOID, TIMESTAMPTZARRAYOID,
	TIMESTAMPTZARRAYOID, INT8ARRAYOID, TEXTARRAYOID};
	Datum		args[5];
	Datum	   *values[5];
	bool	   *nulls[5];
	Oid			elements[5] = {INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID,
	INT8OID, TEXTOID};
	int			lower = 1;

	for (int k = 0; k < 5; k++)
	{
		values[k] = palloc(count * sizeof(Datum));
		nulls[k] = palloc0(count * sizeof(bool));
	}
	for (int i = 0; i < count; i++)
	{
		Claimed    *c = &claimed[i];

		values[0][i] = Int64GetDatum(c->trigger_id);
		values[1][i] = TimestampTzGetDatum(c->next);
		nulls[1][i] = c->next == 0;
		values[2][i] = TimestampTzGetDatum(c->last);
		nulls[2][i] = c->last == 0;
		values[3][i] = Int64GetDatum(c->fired);
		nulls[4][i] = c->fault == NULL;
		if (c->fault != NULL)
			values[4][i] = CStringGetTextDatum(c->fault);
	}
	for (int k = 0; k < 5; k++)
		args[k] = PointerGetDatum(construct_md_array(values[k], nulls[k], 1,
													 &count, &lower,
													 elements[k],
													 k == 4 ? -1 : 8, k != 4,
													 k == 4 ? 'i' : 'd'));
	execute_saved(&plan,
				  "UPDATE sched._trigger_state s SET next_fire_at = u.next, "
				  "last_fire_at = COALESCE(u.last, s.last_fire_at), "
				  "fire_count = s.fire_count + u.fired, fault = u.fault, "
				  "unlisted = CASE WHEN u.next IS NOT DISTINCT FROM s.next_fire_at "
				  "THEN s.unlisted END "
				  "FROM unnest($1, $2, $3, $4, $5) "
				  "AS u (id, next, last, fired, fault) "
				  "WHERE s.trigger_id = u.id",
				  5, types, args, NULL, SPI_OK_UPDATE);
}

static int
position_of(int64 trigger_id, const int64 *trigger_ids, int count)
{
	for (int i = 0; i < count; i++)
		if (trigger_ids[i] == trigger_id)
			return i;
	return -1;
}

void
sched_fire_exhausted(int64 job_id)
{
	MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);
	int64	   *copy = palloc(sizeof(int64));

	*copy = job_id;
	jobs_to_complete = lappend(jobs_to_complete, copy);
	MemoryContextSwitchTo(old);
}

void
sched_fire(const int64 *trigger_ids, int count, TimestampTz now,
		   TimestampTz *next)
{
	Claimed    *claimed;
	Batch		batch = {0};
	int			n;

	batch.now = now;
	batch.generation = sched_pending_job_generation();

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");

	claimed = palloc(count * sizeof(Claimed));
	n = claim(trigger_ids, count, claimed);
	for (int i = 0; i < count; i++)
		next[i] = now + DEFER;	/* for those whose row is locked or gone */
	for (int i = 0; i < n; i++)
	{
		Claimed    *c = &claimed[i];
		int			position = position_of(c->trigger_id, trigger_ids, count);
		bool		startup = strcmp(c->kind, "startup") == 0;

		if (c->fault != NULL)
		{
			ereport(LOG,
					(errmsg("sched: trigger " INT64_FORMAT " of job \"%s\" is in quarantine: %s",
							c->trigger_id, c->job->name, c->fault)));
			c->next = c->nominal;
			next[position] = 0;
			continue;
		}
		if (c->nominal == 0 && !startup && strcmp(c->kind, "after") != 0)
		{
			next[position] = 0;
			continue;
		}
		if (c->nominal > now)
		{
			/* moved on since it was read; jitter may put it off as well */
			c->next = c->nominal;
			next[position] = c->nominal;
			continue;
		}
		fire_one(&batch, c);
		next[position] = c->ask ? 0 : c->next;
		if (next[position] != 0 && c->job->jitter > 0)
		{
			SchedScheduleContext context = c->compiled->context;

			context.anchor = c->anchor;
			context.previous_end = SCHED_TIME_BEGIN;
			context.fires = c->fires;
			context.fire_count = c->fire_known;
			next[position] += sched_trigger_jitter(c->job->job_id, c->next,
												   sched_schedule_next(c->compiled->schedule,
																	   &context, c->next),
												   c->job->jitter);
		}
	}
	if (n > 0)
	{
		sched_record_tasks(batch.tasks, batch.task_count);
		sched_record_outcomes(batch.outcomes, batch.outcome_count);
		advance(claimed, n);
		for (int i = 0; i < n; i++)
			if (claimed[i].completed && claimed[i].ask_after != 0)
				stop_asking(&claimed[i]);
	}
	for (int i = 0; i < n; i++)
	{
		if (claimed[i].compiled != NULL)
			sched_compiled_release(claimed[i].compiled);
		if (claimed[i].completed)
			sched_fire_exhausted(claimed[i].job->job_id);
		if (claimed[i].ask)
			sched_custom_ask_for(claimed[i].trigger_id, claimed[i].job->owner);
	}
	SPI_finish();
	PopActiveSnapshot();
	CommitTransactionCommand();
}

/* ---------- exhausted jobs ---------- */

/*
 * A job is completed when none of its triggers will fire again.  A row that
 * somebody has locked is tried again later.
 */
bool
sched_fire_complete_jobs(void)
{
	static SPIPlanPtr plan = NULL;
	ListCell   *cell;
	Oid			types[2] = {INT8OID, TIMESTAMPTZOID};

	if (jobs_to_complete == NIL)
		return true;
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	foreach(cell, jobs_to_complete)
	{
		Datum		args[2];
		bool		isnull;
		bool		locked;

		args[0] = Int64GetDatum(*(int64 *) lfirst(cell));
		args[1] = TimestampTzGetDatum(sched_clock_now());
		execute_saved(&plan,
					  "WITH free AS MATERIALIZED (SELECT j.job_id, j.status FROM sched._job j "
					  "WHERE j.job_id = $1 FOR UPDATE SKIP LOCKED), "
					  "done AS (UPDATE sched._job j SET status = 'completed', "
					  "status_reason = 'the schedule is exhausted', updated_at = $2 "
					  "FROM free WHERE j.job_id = free.job_id AND j.status = 'active' "
					  "AND NOT EXISTS (SELECT FROM sched._trigger t "
					  "LEFT JOIN sched._trigger_state s ON s.trigger_id = t.trigger_id "
					  "WHERE t.job_id = j.job_id AND (j.max_runs IS NULL OR s.fire_count < j.max_runs) AND "
					  "(s.next_fire_at IS NOT NULL OR s.trigger_id IS NULL OR s.fault IS NOT NULL "
					  "OR s.ask_after IS NOT NULL "
					  "OR t.kind IN ('after', 'startup', 'event'))) RETURNING 1) "
					  "SELECT NOT EXISTS (SELECT FROM free) AND EXISTS "
					  "(SELECT FROM sched._job j WHERE j.job_id = $1 AND j.status = 'active')",
					  2, types, args, NULL, SPI_OK_SELECT);
		locked = DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0],
											SPI_tuptable->tupdesc, 1,
											&isnull));
		if (!locked)
		{
			pfree(lfirst(cell));
			jobs_to_complete = foreach_delete_current(jobs_to_complete, cell);
		}
	}
	SPI_finish();
	PopActiveSnapshot();
	CommitTransactionCommand();
	return jobs_to_complete == NIL;
}
