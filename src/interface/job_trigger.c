/*-------------------------------------------------------------------------
 *
 * job_trigger.c
 *	  Noticing changes of the configuration, whoever makes them.
 *
 * Row triggers on _job, _trigger, _calendar, _task_type and _pool, enabled ALWAYS so that also a
 * replica and a restore are noticed.  They note the change; the scheduler hears
 * of it when the transaction commits.  Without shared memory there is no
 * scheduler either: then the next one reads everything anyway, and a restore into such
 * a server is let through.  They also record the events that report a change
 * of a job.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "application/events/event.h"
#include "application/tasks/observe.h"
#include "commands/trigger.h"
#include "domain/state.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "infrastructure/memory/listener.h"
#include "infrastructure/memory/pending.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/rel.h"

PG_FUNCTION_INFO_V1(sched_job_changed);
PG_FUNCTION_INFO_V1(sched_calendar_changed);
PG_FUNCTION_INFO_V1(sched_task_type_changed);
PG_FUNCTION_INFO_V1(sched_pool_changed);

static TriggerData *
trigger_data(FunctionCallInfo fcinfo, const char *name)
{
	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function sched.%s was not called by the trigger manager",
						name)));
	return (TriggerData *) fcinfo->context;
}

/* Is the job of the row paused?  -1: the table has no such column. */
static int
is_paused(HeapTuple tuple, TupleDesc desc)
{
	int			column = SPI_fnumber(desc, "status");
	Datum		value;
	bool		isnull;
	char	   *status;

	if (column <= 0)
		return -1;
	value = heap_getattr(tuple, column, desc, &isnull);
	if (isnull)
		return -1;
	status = TextDatumGetCString(value);
	return strcmp(status, "paused") == 0;
}

/* Does the row of _trigger listen to events?  A row of _job never does. */
static bool
listens(HeapTuple tuple, TupleDesc desc)
{
	int			column = SPI_fnumber(desc, "kind");
	Datum		value;
	bool		isnull;

	if (column <= 0 || tuple == NULL)
		return false;
	value = heap_getattr(tuple, column, desc, &isnull);
	return !isnull && strcmp(TextDatumGetCString(value), "event") == 0;
}

static char *
text_column(HeapTuple tuple, TupleDesc desc, const char *name)
{
	int			column = SPI_fnumber(desc, name);
	bool		isnull = true;
	Datum		value = (Datum) 0;

	if (column > 0)
		value = heap_getattr(tuple, column, desc, &isnull);
	return isnull ? "" : TextDatumGetCString(value);
}

/* Tell the server log when the status of a job has changed. */
static void
log_status(HeapTuple before, HeapTuple after, TupleDesc desc, int64 job_id)
{
	char	   *from = text_column(before, desc, "status");
	char	   *to = text_column(after, desc, "status");

	if (strcmp(from, to) != 0)
		sched_observe_job(text_column(after, desc, "name"), job_id, from, to);
}

/*
 * The event that a changed row of _job stands for.  New rows are left to
 * whoever makes a job: a restore brings them too.
 */
static void
record_change(HeapTuple old, HeapTuple new, TupleDesc desc)
{
	char	   *status = text_column(new, desc, "status");
	char	   *reason = text_column(new, desc, "status_reason");
	SchedEventType type = SCHED_EVENT_JOB_UPDATED;
	SchedJobStatus from;
	SchedJobStatus to;
	StringInfoData payload;
	Oid			owner;
	int64		job_id;
	bool		isnull;

	if (SessionReplicationRole == SESSION_REPLICATION_ROLE_REPLICA)
		return;
	if (strcmp(text_column(old, desc, "status"), status) != 0)
	{
		if (strcmp(status, "deleted") == 0)
			type = SCHED_EVENT_JOB_DELETED;
		else if (sched_job_status_from_name(text_column(old, desc, "status"),
											&from) &&
				 sched_job_status_from_name(status, &to))
			type = sched_event_type_from_name(sched_job_event_name(from, to));
	}
	if (type == SCHED_EVENT_COUNT || !sched_event_wanted(type))
		return;
	initStringInfo(&payload);
	appendStringInfo(&payload, "\"status\": \"%s\"", status);
	if (type != SCHED_EVENT_JOB_UPDATED && reason[0] != '\0')
	{
		appendStringInfoString(&payload, ", \"reason\": ");
		escape_json(&payload, reason);
	}
	job_id = DatumGetInt64(heap_getattr(new, SPI_fnumber(desc, "job_id"), desc,
										&isnull));
	owner = DatumGetObjectId(heap_getattr(new, SPI_fnumber(desc, "owner"),
										  desc, &isnull));
	sched_event_job(type, job_id, owner, text_column(new, desc, "name"),
					payload.data);
}

Datum
sched_job_changed(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = trigger_data(fcinfo, "_job_changed()");
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
	HeapTuple	row = trigger->tg_trigtuple;
	int			paused = -1;
	Datum		job_id;
	bool		isnull;

	if (!TRIGGER_FIRED_FOR_ROW(trigger->tg_event))
		elog(ERROR, "trigger on %s must be for each row",
			 RelationGetRelationName(trigger->tg_relation));
	if (sched_shared == NULL)
		return PointerGetDatum(NULL);

	if (listens(row, desc) || listens(trigger->tg_newtuple, desc))
		sched_listeners_changed();
	if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
	{
		row = trigger->tg_newtuple;
		paused = is_paused(row, desc);
		if (paused == is_paused(trigger->tg_trigtuple, desc))
			paused = -1;
	}
	else if (TRIGGER_FIRED_BY_INSERT(trigger->tg_event))
		paused = is_paused(row, desc);

	job_id = heap_getattr(row, SPI_fnumber(desc, "job_id"), desc, &isnull);
	if (isnull)
		return PointerGetDatum(NULL);
	sched_pending_job_changed(DatumGetInt64(job_id), paused);
	if (!TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
		return PointerGetDatum(NULL);
	if (sched_observes_states())
		log_status(trigger->tg_trigtuple, row, desc, DatumGetInt64(job_id));
	if (SPI_fnumber(desc, "status") > 0)
		record_change(trigger->tg_trigtuple, row, desc);
	return PointerGetDatum(NULL);
}

Datum
sched_calendar_changed(PG_FUNCTION_ARGS)
{
	(void) trigger_data(fcinfo, "_calendar_changed()");
	if (sched_shared != NULL)
		sched_pending_job_changed(SCHED_CHANGE_ALL, -1);
	return PointerGetDatum(NULL);
}

Datum
sched_task_type_changed(PG_FUNCTION_ARGS)
{
	(void) trigger_data(fcinfo, "_task_type_changed()");
	if (sched_shared != NULL)
		sched_pending_types_changed();
	return PointerGetDatum(NULL);
}

Datum
sched_pool_changed(PG_FUNCTION_ARGS)
{
	(void) trigger_data(fcinfo, "_pool_changed()");
	if (sched_shared != NULL)
		sched_pending_pools_changed();
	return PointerGetDatum(NULL);
}
