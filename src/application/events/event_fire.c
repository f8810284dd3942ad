/*-------------------------------------------------------------------------
 *
 * event_fire.c
 *	  Turning events into tasks of the jobs that listen to them.
 *
 * Runs in the backend in which the event happens and in its transaction, so that
 * event and tasks are there together or not at all.  It asks nothing of the
 * job's row but to be read, and locks nothing that another emitter may hold;
 * only a job with max_runs has its emitters stand in line, since they count.
 *
 * Filters are jsonpath, which has no side effects, and are evaluated in a
 * subtransaction: one that fails lets the event pass by, it never harms whoever
 * emitted it.  They may take long, though: where the scheduler itself reports
 * the event it gives up after MAX_FILTER_TIME and asks no more for a while, and it
 * does not wait for rows.
 *
 * Endless loops: each task that an event fired carries the chain of jobs that led
 * to it, in parameters -> 'event' -> 'chain'.  An event of sched's own never
 * fires a job that is in its chain, nor the job that it is about; events that
 * somebody emits may, but no chain is longer than MAX_CHAIN.  That a task was
 * made (scheduled, skipped, missed) fires nothing if it was made by an event,
 * so that one event never makes tasks without end in one transaction.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "application/processes/current.h"
#include "application/events/event_fire.h"
#include "application/schedule/occur.h"
#include "application/tasks/record.h"
#include "application/tasks/rights.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "infrastructure/memory/pending.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/numeric.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"
#include "utils/timeout.h"

#define MAX_CHAIN	16

/* What the scheduler spends on the filters of one trigger, milliseconds. */
#define MAX_FILTER_TIME	50
#define MAX_SLOW_FILTERS 256
#define SLOW_FILTER_PAUSE	(10 * USECS_PER_MINUTE)

/* The jobs that led to an event, the first one first. */
typedef struct Chain
{
	int			length;
	bool		made_by_event;	/* the task that the event is about */
	int64		jobs[MAX_CHAIN + 1];
} Chain;

/* ---------- chains ---------- */

static JsonbValue *
get_key(JsonbContainer *container, const char *key, JsonbValue *value)
{
	if (!JsonContainerIsObject(container))
		return NULL;
	return getKeyJsonValueFromContainer(container, key, strlen(key), value);
}

/* Written by us; but parameters are the user's, so anything may stand there. */
static int64
job_id_of_element(const JsonbValue *value)
{
	if (value->type != jbvNumeric)
		return 0;
	return strtoi64(DatumGetCString(DirectFunctionCall1(numeric_out,
														NumericGetDatum(value->val.numeric))),
					NULL, 10);
}

/* The chain that a task's parameters tell of, and its own job behind it. */
static void
chain_of_task(int64 task_id, int64 job_id, Chain *chain)
{
	SchedTaskRow row;
	JsonbValue	event;
	JsonbValue	jobs;
	JsonbIterator *iterator;
	JsonbIteratorToken token;

	/* the command that made the task may be the one that reports it */
	CommandCounterIncrement();
	if (sched_store_task(task_id, &row) && row.parameters != NULL &&
		get_key(&row.parameters->root, "event", &event) != NULL &&
		event.type == jbvBinary &&
		get_key(event.val.binary.data, "chain", &jobs) != NULL &&
		jobs.type == jbvBinary && JsonContainerIsArray(jobs.val.binary.data))
	{
		chain->made_by_event = true;
		iterator = JsonbIteratorInit(jobs.val.binary.data);
		while ((token = JsonbIteratorNext(&iterator, &jobs, true)) != WJB_DONE)
			if (token == WJB_ELEM && chain->length < MAX_CHAIN)
				chain->jobs[chain->length++] = job_id_of_element(&jobs);
	}
	chain->jobs[chain->length++] = job_id;
}

static void
find_chain(const SchedEvent *event, Chain *chain)
{
	MemSet(chain, 0, sizeof(Chain));
	if (sched_current != NULL)
		chain_of_task(sched_current->attempt.task_id,
					  sched_current->attempt.job_id, chain);
	else if (event->task_id != SCHED_UNSET)
		chain_of_task(event->task_id, event->job_id, chain);
}

static bool
is_in_chain(const Chain *chain, int64 job_id)
{
	for (int i = 0; i < chain->length; i++)
		if (chain->jobs[i] == job_id)
			return true;
	return false;
}

/* Does the event only say that a task was made? */
static bool
reports_making(SchedEventType type)
{
	return type == SCHED_EVENT_TASK_SCHEDULED ||
		type == SCHED_EVENT_TASK_SKIPPED ||
		type == SCHED_EVENT_TASK_MISSED;
}

/* ---------- filters ---------- */

/*
 * A path that gives a truth value is a condition; of any other the question is
 * whether it gives anything.
 */
static bool
path_holds(const char *path, Jsonb *payload)
{
	LOCAL_FCINFO(fcinfo, 4);
	FmgrInfo	function;
	Datum		parsed = DirectFunctionCall1(jsonpath_in,
											 CStringGetDatum(path));
	Datum		variables = DirectFunctionCall1(jsonb_in,
												CStringGetDatum("{}"));
	Datum		result;
	JsonbValue	value;

	fmgr_info(F_JSONB_PATH_QUERY_FIRST_TZ, &function);
	InitFunctionCallInfoData(*fcinfo, &function, 4, InvalidOid, NULL, NULL);
	fcinfo->args[0].value = JsonbPGetDatum(payload);
	fcinfo->args[1].value = parsed;
	fcinfo->args[2].value = variables;
	fcinfo->args[3].value = BoolGetDatum(true); /* silent */
	for (int i = 0; i < 4; i++)
		fcinfo->args[i].isnull = false;
	result = FunctionCallInvoke(fcinfo);
	if (fcinfo->isnull)
		return false;
	if (JB_ROOT_IS_SCALAR(DatumGetJsonbP(result)) &&
		JsonbExtractScalar(&DatumGetJsonbP(result)->root, &value))
	{
		if (value.type == jbvBool)
			return value.val.boolean;
		if (value.type == jbvNull)
			return false;
	}
	return true;
}

/*
 * Triggers whose filters took the scheduler too long are not asked again for
 * a while; the oldest entry makes room.
 */
typedef struct SlowFilter
{
	int64		trigger_id;
	TimestampTz until;			/* real time */
}			SlowFilter;

static SlowFilter slow_filters[MAX_SLOW_FILTERS];

static bool
is_slow(int64 trigger_id)
{
	for (int i = 0; i < MAX_SLOW_FILTERS; i++)
		if (slow_filters[i].trigger_id == trigger_id)
			return slow_filters[i].until > GetCurrentTimestamp();
	return false;
}

static void
note_slow(int64 trigger_id)
{
	SlowFilter *entry = &slow_filters[0];

	for (int i = 0; i < MAX_SLOW_FILTERS; i++)
	{
		if (slow_filters[i].trigger_id == trigger_id)
		{
			entry = &slow_filters[i];
			break;
		}
		if (slow_filters[i].until < entry->until)
			entry = &slow_filters[i];
	}
	entry->trigger_id = trigger_id;
	entry->until = GetCurrentTimestamp() + SLOW_FILTER_PAUSE;
}

/* No cancellation of the filter that comes too late may hit anything else. */
static void
stop_clock(bool bounded)
{
	if (!bounded)
		return;
	disable_timeout(STATEMENT_TIMEOUT, false);
	QueryCancelPending = false;
}

/*
 * In a subtransaction: what silent mode lets through is still no reason to
 * undo the transaction of somebody who has nothing to do with the filter.
 */
static bool
passes(const SchedListener *listener, const SchedEvent *event, Jsonb *payload)
{
	MemoryContext caller_context = CurrentMemoryContext;
	ResourceOwner caller_owner = CurrentResourceOwner;
	volatile bool result = true;

	bool		bounded = sched_event_nobody_acts();

	if (listener->condition == NULL && listener->filter == NULL)
		return true;
	if (bounded && is_slow(listener->trigger_id))
		return false;
	BeginInternalSubTransaction(NULL);
	if (bounded)
		enable_timeout_after(STATEMENT_TIMEOUT, MAX_FILTER_TIME);
	MemoryContextSwitchTo(caller_context);
	PG_TRY();
	{
		if (listener->condition != NULL)
			result = path_holds(psprintf("$ %s", listener->condition), payload);
		if (result && listener->filter != NULL)
			result = path_holds(listener->filter, payload);
		stop_clock(bounded);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		ErrorData  *error;

		stop_clock(bounded);
		MemoryContextSwitchTo(caller_context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(caller_context);
		CurrentResourceOwner = caller_owner;
		if ((error->sqlerrcode == ERRCODE_QUERY_CANCELED && !bounded) ||
			error->sqlerrcode == ERRCODE_OUT_OF_MEMORY)
			ReThrowError(error);
		if (error->sqlerrcode == ERRCODE_QUERY_CANCELED)
			note_slow(listener->trigger_id);
		ereport(error->sqlerrcode == ERRCODE_QUERY_CANCELED ? LOG : DEBUG1,
				(errmsg("sched: filter of trigger " INT64_FORMAT " on event \"%s\": %s",
						listener->trigger_id, event->name, error->message)));
		FreeErrorData(error);
		result = false;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller_context);
	CurrentResourceOwner = caller_owner;
	return result;
}

/* ---------- limits ---------- */

typedef enum RunCount
{
	RUN_COUNTED,
	RUN_NONE_LEFT,
	RUN_UNKNOWN					/* another session is counting */
}			RunCount;

/* Nobody who is about to count holds the row; then it is locked. */
static bool
lock_count(int64 trigger_id)
{
	Oid			types[1] = {INT8OID};
	Datum		values[1] = {Int64GetDatum(trigger_id)};

	if (SPI_execute_with_args("SELECT FROM sched._trigger_state"
							  " WHERE trigger_id OPERATOR(pg_catalog.=) $1"
							  " FOR UPDATE SKIP LOCKED",
							  1, types, values, NULL, false, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read the state of trigger %lld",
			 (long long) trigger_id);
	return SPI_processed > 0;
}

/*
 * Count one more run of a job that has only so many.  As the extension's owner:
 * whoever emits has no right on the table.
 */
static RunCount
count_run(const SchedListener *listener, const SchedJob *job, TimestampTz now)
{
	Oid			types[3] = {INT8OID, TIMESTAMPTZOID, INT8OID};
	Datum		values[3] = {Int64GetDatum(listener->trigger_id),
	TimestampTzGetDatum(now), Int64GetDatum(job->max_runs)};
	Oid			caller;
	int			security;
	RunCount	result = RUN_UNKNOWN;

	GetUserIdAndSecContext(&caller, &security);
	SetUserIdAndSecContext(sched_store_owner(),
						   security | SECURITY_LOCAL_USERID_CHANGE);
	PushActiveSnapshot(GetTransactionSnapshot());
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (!sched_event_nobody_acts() || lock_count(listener->trigger_id))
	{
		if (SPI_execute_with_args("UPDATE sched._trigger_state"
								  " SET fire_count = fire_count OPERATOR(pg_catalog.+) 1,"
								  " last_fire_at = $2"
								  " WHERE trigger_id OPERATOR(pg_catalog.=) $1"
								  " AND fire_count OPERATOR(pg_catalog.<) $3",
								  3, types, values, NULL, false, 0) != SPI_OK_UPDATE)
			elog(ERROR, "could not count the runs of job %lld",
				 (long long) job->job_id);
		result = SPI_processed > 0 ? RUN_COUNTED : RUN_NONE_LEFT;
	}
	SPI_finish();
	PopActiveSnapshot();
	SetUserIdAndSecContext(caller, security);
	return result;
}

static bool
takes_part(const SchedJob *job, TimestampTz now)
{
	return (job->status == SCHED_JOB_ACTIVE ||
			job->status == SCHED_JOB_PAUSED) &&
		(job->start_at == 0 || job->start_at <= now) &&
		(job->end_at == 0 || job->end_at >= now);
}

/* ---------- firing ---------- */

/* The trigger's own parameters, and under "event" what happened. */
static Jsonb *
make_parameters(const SchedListener *listener, const SchedEvent *event,
				int64 event_id, Jsonb *payload, const Chain *chain)
{
	StringInfoData out;
	Datum		made;

	initStringInfo(&out);
	appendStringInfo(&out, "{\"event\": {\"id\": " INT64_FORMAT ", \"name\": ",
					 event_id);
	escape_json(&out, event->name);
	if (event->job_id != SCHED_UNSET)
		appendStringInfo(&out, ", \"job_id\": " INT64_FORMAT, event->job_id);
	if (event->task_id != SCHED_UNSET)
		appendStringInfo(&out, ", \"task_id\": " INT64_FORMAT, event->task_id);
	appendStringInfoString(&out, ", \"payload\": ");
	(void) JsonbToCString(&out, &payload->root, VARSIZE(payload));
	appendStringInfoString(&out, ", \"chain\": [");
	for (int i = 0; i < chain->length; i++)
		appendStringInfo(&out, "%s" INT64_FORMAT, i > 0 ? ", " : "",
						 chain->jobs[i]);
	appendStringInfoString(&out, "]}}");

	made = DirectFunctionCall1(jsonb_in, CStringGetDatum(out.data));
	pfree(out.data);
	if (listener->parameters != NULL)
		made = DirectFunctionCall2(jsonb_concat,
								   JsonbPGetDatum(listener->parameters), made);
	return DatumGetJsonbP(made);
}

/* Make the task; one that is not to run is born ended. */
static void
make_task(const SchedListener *listener, const SchedJob *job,
		  uint32 generation, Jsonb *parameters, TimestampTz nominal,
		  const Chain *chain, RunCount count, TimestampTz now)
{
	SchedTaskRow row;
	char		status = 0;
	const char *reason = NULL;

	MemSet(&row, 0, sizeof(row));
	row.task_id = sched_store_next_task_id();
	row.job_id = job->job_id;
	row.run_id = row.task_id;
	row.trigger_id = listener->trigger_id;
	row.rerun_of = SCHED_UNSET;
	row.scheduled_at = nominal;
	row.created_at = now;
	row.parameters = parameters;

	if (chain->length >= MAX_CHAIN)
	{
		status = SCHED_OUTCOME_SKIPPED;
		reason = psprintf("the event has come through a chain of %d jobs",
						  MAX_CHAIN);
	}
	else if (count == RUN_UNKNOWN)
	{
		status = SCHED_OUTCOME_SKIPPED;
		reason = "max_runs: another session was counting the runs";
	}
	else if (job->status == SCHED_JOB_PAUSED &&
			 job->misfire_policy == SCHED_MISFIRE_SKIP)
	{
		status = SCHED_OUTCOME_MISSED;
		reason = "misfire policy: the job was paused";
	}
	else if (!sched_occur_decide(job, false, now))
	{
		status = SCHED_OUTCOME_SKIPPED;
		reason = SCHED_OCCUR_SKIPPED;
	}

	if (status == 0)
	{
		sched_occur_enqueue(job, &row, generation, false, now);
		sched_record_tasks(&row, 1);
	}
	else
	{
		SchedOutcome outcome;

		sched_occur_ended(&row, status, reason, now, &outcome);
		sched_record_tasks(&row, 1);
		sched_record_outcomes(&outcome, 1);
	}
}

int
sched_event_fire(const SchedEvent *event, int64 event_id,
				 const SchedListener *listeners, int count, int64 *fired,
				 TimestampTz now)
{
	bool		own = event->type != SCHED_EVENT_COUNT;
	bool		have_chain = false;
	Chain		chain;
	Jsonb	   *payload = event->payload;
	int			n = 0;

	for (int i = 0; i < count; i++)
	{
		const SchedListener *listener = &listeners[i];
		uint32		generation = sched_pending_job_generation();
		SchedJob   *job;
		RunCount	run_count = RUN_COUNTED;

		if (listener->trigger_id == 0 ||
			(own && listener->job_id == event->job_id))
			continue;
		job = sched_store_job(listener->job_id);
		if (job == NULL || !takes_part(job, now) ||
			!sched_may(job->owner, event->owner, SCHED_MAY_SEE))
			continue;

		if (!have_chain)
		{
			find_chain(event, &chain);
			have_chain = true;
			if (payload == NULL)
				payload = DatumGetJsonbP(DirectFunctionCall1(jsonb_in,
															 CStringGetDatum("{}")));
		}
		if (chain.length > MAX_CHAIN ||
			(own && (is_in_chain(&chain, job->job_id) ||
					 (chain.made_by_event && reports_making(event->type)))))
			continue;
		if (!passes(listener, event, payload))
			continue;
		if (job->max_runs > 0)
			run_count = count_run(listener, job, now);
		if (run_count == RUN_NONE_LEFT)
			continue;

		make_task(listener, job, generation,
				  make_parameters(listener, event, event_id, payload, &chain),
				  event->occurred_at != 0 ? event->occurred_at : now, &chain,
				  run_count, now);
		fired[n++] = listener->trigger_id;
		CommandCounterIncrement();
	}
	return n;
}
