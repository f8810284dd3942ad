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
 * emitted it.
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
#include "application/current.h"
#include "application/event_fire.h"
#include "application/occur.h"
#include "application/record.h"
#include "application/rights.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "infrastructure/pending.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/numeric.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"

#define MAX_CHAIN	16

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
 * In a subtransaction: what silent mode lets through is still no reason to
 * undo the transaction of somebody who has nothing to do with the filter.
 */
static bool
passes(const SchedListener *listener, const SchedEvent *event, Jsonb *payload)
{
	MemoryContext caller_context = CurrentMemoryContext;
	ResourceOwner caller_owner = CurrentResourceOwner;
	volatile bool result = true;

	if (listener->condition == NULL && listener->filter == NULL)
		return true;
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(caller_context);
	PG_TRY();
	{
		if (listener->condition != NULL)
			result = path_holds(psprintf("$ %s", listener->condition), payload);
		if (result && listener->filter != NULL)
			result = path_holds(listener->filter, payload);
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
		if (error->sqlerrcode == ERRCODE_QUERY_CANCELED ||
			error->sqlerrcode == ERRCODE_OUT_OF_MEMORY)
			ReThrowError(error);
		ereport(DEBUG1,
				(errmsg("filter of trigger " INT64_FORMAT " on event \"%s\": %s",
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

/*
 * Count one more run of a job that has only so many; false when there is none
 * left.  As the extension's owner: whoever emits has no right on the table.
 */
static bool
count_run(const SchedListener *listener, const SchedJob *job, TimestampTz now)
{
	Oid			types[3] = {INT8OID, TIMESTAMPTZOID, INT8OID};
	Datum		values[3] = {Int64GetDatum(listener->trigger_id),
	TimestampTzGetDatum(now), Int64GetDatum(job->max_runs)};
	Oid			caller;
	int			security;
	bool		counted;

	GetUserIdAndSecContext(&caller, &security);
	SetUserIdAndSecContext(sched_store_owner(),
						   security | SECURITY_LOCAL_USERID_CHANGE);
	PushActiveSnapshot(GetTransactionSnapshot());
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (SPI_execute_with_args("UPDATE sched._trigger_state"
							  " SET fire_count = fire_count OPERATOR(pg_catalog.+) 1,"
							  " last_fire_at = $2"
							  " WHERE trigger_id OPERATOR(pg_catalog.=) $1"
							  " AND fire_count OPERATOR(pg_catalog.<) $3",
							  3, types, values, NULL, false, 0) != SPI_OK_UPDATE)
		elog(ERROR, "could not count the runs of job %lld",
			 (long long) job->job_id);
	counted = SPI_processed > 0;
	SPI_finish();
	PopActiveSnapshot();
	SetUserIdAndSecContext(caller, security);
	return counted;
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
		  const Chain *chain, TimestampTz now)
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
		if (job->max_runs > 0 && !count_run(listener, job, now))
			continue;

		make_task(listener, job, generation,
				  make_parameters(listener, event, event_id, payload, &chain),
				  event->occurred_at != 0 ? event->occurred_at : now, &chain,
				  now);
		fired[n++] = listener->trigger_id;
		CommandCounterIncrement();
	}
	return n;
}
