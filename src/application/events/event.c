/*-------------------------------------------------------------------------
 *
 * event.c
 *	  Recording events, and what follows from them in the same transaction.
 *
 * An event is a row of _event, written by whoever makes the change that it
 * reports, in that change's transaction: both are there or neither.
 * Subscribers get a row of _delivery each at the same time, and the jobs that
 * listen their tasks (event_fire.c).
 *
 * Most changes are not worth a row.  sched_event_wanted() decides by
 * sched.event_level and by who listens, from memory: a task that completes
 * unwatched costs a comparison and a look at a counter.
 *
 * The moves that a task makes in memory alone have no transaction of their own.
 * What is known of them when the attempt ends (when it became ready, and when a
 * built-in worker started it) is recorded then, each with its own time.
 *
 * What listeners may hear of: only what the owner of the job or subscription may see.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "application/tasks/attempt.h"
#include "application/events/event.h"
#include "application/events/event_fire.h"
#include "application/tasks/observe.h"
#include "application/tasks/rights.h"
#include "catalog/pg_type.h"
#include "infrastructure/clock.h"
#include "infrastructure/tables/event_table.h"
#include "infrastructure/tables/executor_table.h"
#include "infrastructure/memory/listener.h"
#include "infrastructure/memory/pending.h"
#include "infrastructure/settings.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/json.h"

void
sched_event_init(SchedEvent *event, SchedEventType type)
{
	MemSet(event, 0, sizeof(SchedEvent));
	event->type = type;
	event->name = type == SCHED_EVENT_COUNT ? NULL :
		sched_event_type_name(type);
	event->job_id = SCHED_UNSET;
	event->task_id = SCHED_UNSET;
}

bool
sched_event_wanted(SchedEventType type)
{
	if (sched_shared == NULL)
		return false;
	return sched_event_in_level(type, sched_event_level) ||
		sched_listeners_want(type);
}

bool
sched_event_nobody_acts(void)
{
	int			me = sched_shmem_my_database();

	return me >= 0 && (sched_shared->databases[me].scheduler == MyProc ||
					   sched_shared->databases[me].http.proc == MyProc);
}

int64
sched_event_record(const SchedEvent *event)
{
	SchedEventRow row = {0};
	SchedListener *listeners;
	TimestampTz now = sched_clock_now();
	int			count;

	sched_shmem_require();
	row.event_id = sched_event_table_next_id();
	row.type = event->name;
	row.occurred_at = event->occurred_at != 0 ? event->occurred_at : now;
	row.job_id = event->job_id;
	row.task_id = event->task_id;
	row.executor = event->executor;
	row.owner = event->owner;
	row.actor = sched_event_nobody_acts() ? InvalidOid : GetOuterUserId();
	row.payload = event->payload;

	count = sched_listeners_find(event->name, &listeners);
	if (count > 0)
	{
		int64	   *fired = palloc(count * sizeof(int64));

		row.fired_count = sched_event_fire(event, row.event_id, listeners,
										   count, fired, now);
		row.fired = fired;
	}
	for (int i = 0; i < count; i++)
		if (listeners[i].trigger_id == 0 &&
			sched_may(listeners[i].owner, event->owner, SCHED_MAY_SEE))
		{
			sched_event_table_insert_delivery(listeners[i].subscription_id,
											  row.event_id, now);
			sched_pending_deliveries();
		}
	sched_event_table_insert(&row);
	sched_pending_events_recorded();
	return row.event_id;
}

/* ---------- payloads ---------- */

static Jsonb *
jsonb_from_text(const char *text)
{
	return text == NULL ? NULL :
	DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(text)));
}

static void
add_key(StringInfo out, const char *key)
{
	appendStringInfo(out, "%s\"%s\": ", out->len > 1 ? ", " : "", key);
}

static void
add_text(StringInfo out, const char *key, const char *value)
{
	if (value == NULL)
		return;
	add_key(out, key);
	escape_json(out, value);
}

static void
add_number(StringInfo out, const char *key, int64 value)
{
	if (value == SCHED_UNSET)
		return;
	add_key(out, key);
	appendStringInfo(out, INT64_FORMAT, value);
}

static void
add_time(StringInfo out, const char *key, TimestampTz value)
{
	char text[	MAXDATELEN + 1];

	if (value == 0)
		return;
	JsonEncodeDateTime(text, TimestampTzGetDatum(value), TIMESTAMPTZOID, NULL);
	add_key(out, key);
	appendStringInfo(out, "\"%s\"", text);
}

/* ---------- what is recorded often ---------- */

/*
 * The job that a run of rows is about, read again only when it is another one.
 * NULL when it is gone altogether: then there is nobody to tell.
 */
static const SchedJob *
job_of(int64 job_id, const SchedJob *last)
{
	return last != NULL && last->job_id == job_id ? last :
		sched_store_any_job(job_id);
}

void
sched_event_job(SchedEventType type, int64 job_id, Oid owner,
				const char *job_name, const char *payload)
{
	SchedEvent	event;
	StringInfoData out;

	if (!sched_event_wanted(type))
		return;
	sched_event_init(&event, type);
	event.job_id = job_id;
	event.owner = owner;
	initStringInfo(&out);
	appendStringInfoChar(&out, '{');
	add_text(&out, "job_name", job_name);
	if (payload != NULL)
		appendStringInfo(&out, ", %s", payload);
	appendStringInfoChar(&out, '}');
	event.payload = jsonb_from_text(out.data);
	(void) sched_event_record(&event);
}

static void
record_task_event(SchedEventType type, const SchedJob *job, int64 task_id,
				  TimestampTz at, const char *executor, const char *members)
{
	SchedEvent	event;
	StringInfoData out;

	if (job == NULL)
		return;
	sched_event_init(&event, type);
	event.job_id = job->job_id;
	event.task_id = task_id;
	event.owner = job->owner;
	event.executor = executor;
	event.occurred_at = at;
	initStringInfo(&out);
	appendStringInfoChar(&out, '{');
	add_text(&out, "job_name", job->name);
	if (members != NULL && members[0] != '\0')
		appendStringInfo(&out, ", %s", members);
	appendStringInfoChar(&out, '}');
	event.payload = jsonb_from_text(out.data);
	(void) sched_event_record(&event);
}

void
sched_event_task(SchedEventType type, int64 task_id, int64 job_id,
				 const char *executor, const char *payload)
{
	if (sched_event_wanted(type))
		record_task_event(type, job_of(job_id, NULL), task_id, 0, executor, payload);
}

void
sched_event_executor(SchedEventType type, const char *executor, Oid owner,
					 const char *payload)
{
	SchedEvent	event;

	sched_observe_executor(executor, sched_event_type_name(type) + strlen("executor."),
						   type == SCHED_EVENT_EXECUTOR_LOST);
	if (!sched_event_wanted(type))
		return;
	sched_event_init(&event, type);
	event.executor = executor;
	event.owner = owner;
	event.payload = jsonb_from_text(payload);
	(void) sched_event_record(&event);
}

/* ---------- the record of tasks ---------- */

void
sched_event_of_tasks(const SchedTaskRow *rows, int count)
{
	const SchedJob *job = NULL;

	if (count == 0 || !sched_event_wanted(SCHED_EVENT_TASK_SCHEDULED))
		return;
	for (int i = 0; i < count; i++)
	{
		StringInfoData out;

		job = job_of(rows[i].job_id, job);
		initStringInfo(&out);
		add_time(&out, "scheduled_at", rows[i].scheduled_at);
		appendStringInfo(&out, ", \"run_id\": " INT64_FORMAT, rows[i].run_id);
		record_task_event(SCHED_EVENT_TASK_SCHEDULED, job, rows[i].task_id, 0,
						  NULL, out.data);
		pfree(out.data);
	}
}

static SchedEventType
type_of_outcome(const SchedOutcome *row)
{
	if (!row->final)
		return SCHED_EVENT_TASK_RETRY_SCHEDULED;
	switch (row->status)
	{
		case SCHED_OUTCOME_COMPLETED:
			return SCHED_EVENT_TASK_COMPLETED;
		case SCHED_OUTCOME_FAILED:
			return SCHED_EVENT_TASK_FAILED;
		case SCHED_OUTCOME_TIMEOUT:
			return SCHED_EVENT_TASK_TIMEOUT;
		case SCHED_OUTCOME_CANCELLED:
			return SCHED_EVENT_TASK_CANCELLED;
		case SCHED_OUTCOME_SKIPPED:
			return SCHED_EVENT_TASK_SKIPPED;
		case SCHED_OUTCOME_UPSTREAM_FAILED:
			return SCHED_EVENT_TASK_UPSTREAM_FAILED;
		case SCHED_OUTCOME_MISSED:
			return SCHED_EVENT_TASK_MISSED;
		default:
			return SCHED_EVENT_TASK_FAILED;
	}
}

/* How it went, as members of a JSON object. */
static char *
describe_outcome(const SchedOutcome *row)
{
	StringInfoData out;

	initStringInfo(&out);
	add_number(&out, "attempt", row->attempt);
	appendStringInfo(&out, ", \"run_id\": " INT64_FORMAT, row->run_id);
	add_text(&out, "error", row->error);
	add_text(&out, "sqlstate", row->sqlstate);
	add_text(&out, "reason", row->reason);
	add_time(&out, "started_at", row->started_at);
	add_time(&out, "retry_at", row->retry_at);
	return out.data;
}

static const char *
executor_name(int executor_id)
{
	return executor_id == 0 ? NULL :
		executor_id == SCHED_EXECUTOR_SQL ? "sql" :
		executor_id == SCHED_EXECUTOR_HTTP ? "http" :
		sched_store_executor_name(executor_id);
}

void
sched_event_of_lease(bool started, int executor_id, int64 task_id,
					 int64 job_id, int attempt)
{
	SchedEventType type = started ? SCHED_EVENT_TASK_STARTED :
	SCHED_EVENT_TASK_ASSIGNED;

	if (sched_event_wanted(type))
		record_task_event(type, job_of(job_id, NULL), task_id, 0,
						  executor_name(executor_id),
						  psprintf("\"attempt\": %d", attempt));
}

void
sched_event_of_progress(int64 task_id, int attempt, float4 percent,
						const char *message)
{
	SchedTaskRow row;
	StringInfoData out;

	if (!sched_event_wanted(SCHED_EVENT_TASK_PROGRESS) ||
		!sched_store_task(task_id, &row))
		return;
	initStringInfo(&out);
	add_number(&out, "attempt", attempt);
	appendStringInfo(&out, ", \"percent\": %g", percent);
	add_text(&out, "message", message);
	record_task_event(SCHED_EVENT_TASK_PROGRESS, job_of(row.job_id, NULL),
					  task_id, 0, NULL, out.data);
}

/* sched_event_wanted(), asked once for each type in a batch. */
typedef struct Wanted
{
	bool		known[SCHED_EVENT_COUNT];
	bool		yes[SCHED_EVENT_COUNT];
} Wanted;

static inline bool
is_wanted(Wanted *wanted, SchedEventType type)
{
	if (!wanted->known[type])
	{
		wanted->known[type] = true;
		wanted->yes[type] = sched_event_wanted(type);
	}
	return wanted->yes[type];
}

/*
 * The way to an outcome, of which nothing was written until now; what external
 * executors do with their leases was, see sched_event_of_lease().
 */
static const SchedJob *
record_way(const SchedOutcome *row, Wanted *wanted, const SchedJob *job)
{
	bool		built_in = row->executor_id == SCHED_EXECUTOR_SQL ||
	row->executor_id == SCHED_EXECUTOR_HTTP;
	static const SchedEventType way[] = {SCHED_EVENT_TASK_READY,
	SCHED_EVENT_TASK_ASSIGNED, SCHED_EVENT_TASK_STARTED};

	for (int i = 0; i < lengthof(way); i++)
	{
		bool		ready = way[i] == SCHED_EVENT_TASK_READY;
		TimestampTz at = ready ? row->queued_at :
		built_in ? row->started_at : 0;

		if (at == 0 || !is_wanted(wanted, way[i]))
			continue;
		job = job_of(row->job_id, job);
		record_task_event(way[i], job, row->task_id, at,
						  ready ? NULL : executor_name(row->executor_id),
						  psprintf("\"attempt\": %d", row->attempt));
	}
	return job;
}

void
sched_event_of_outcomes(const SchedOutcome *rows, int count)
{
	const SchedJob *job = NULL;
	Wanted		wanted = {0};

	for (int i = 0; i < count; i++)
	{
		const SchedOutcome *row = &rows[i];
		SchedEventType type = type_of_outcome(row);

		job = record_way(row, &wanted, job);
		if (!is_wanted(&wanted, type))
			continue;
		job = job_of(row->job_id, job);
		record_task_event(type, job, row->task_id, row->finished_at,
						  executor_name(row->executor_id),
						  describe_outcome(row));
	}
}
