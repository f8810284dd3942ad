/*-------------------------------------------------------------------------
 *
 * event_functions.c
 *	  SQL functions about events.
 *
 * sched.emit_event() runs with the caller's rights; the tables are reached
 * below the level of SQL, so that the caller needs no right on them.  What
 * begins with an underscore is for the extension's owner.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "application/events/event.h"
#include "application/tasks/observe.h"
#include "application/tasks/rights.h"
#include "domain/event_pattern.h"
#include "fmgr.h"
#include "infrastructure/memory/listener.h"
#include "infrastructure/memory/shmem.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(sched_emit_event);
PG_FUNCTION_INFO_V1(sched_sql_event_note);
PG_FUNCTION_INFO_V1(sched_sql_event_name_check);
PG_FUNCTION_INFO_V1(sched_sql_listeners_changed);
PG_FUNCTION_INFO_V1(sched_sql_event_pattern_fault);

#define MAX_NAME_IN_MESSAGE 200
#define MAX_PAYLOAD			(1024 * 1024)

static char *
checked_name(FunctionCallInfo fcinfo, int n)
{
	char	   *name = PG_ARGISNULL(n) ? NULL :
	text_to_cstring(PG_GETARG_TEXT_PP(n));
	const char *fault;
	int			position;

	if (name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the name of the event is missing"),
				 errdetail("Argument \"name\" is NULL."),
				 errhint("Give a name such as order.created.")));
	fault = sched_event_name_fault(name, &position);
	if (fault != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid event name \"%.*s\"",
						pg_mbcliplen(name, strlen(name), MAX_NAME_IN_MESSAGE),
						name),
				 errdetail("At byte %d: %s.", position + 1, fault),
				 errhint("A name has parts of letters, digits, \"_\" and \"-\" between dots, such as order.created.")));
	return name;
}

static Jsonb *
checked_payload(FunctionCallInfo fcinfo, int n, const char *name)
{
	Jsonb	   *payload;

	if (PG_ARGISNULL(n))
		return NULL;
	payload = PG_GETARG_JSONB_P(n);
	if (VARSIZE(payload) > MAX_PAYLOAD)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the payload of event \"%s\" is too large", name),
				 errdetail("payload has %zu bytes, at most %d are allowed.",
						   (size_t) VARSIZE(payload), MAX_PAYLOAD),
				 errhint("Store the data in a table and emit their key.")));
	return payload;
}

Datum
sched_emit_event(PG_FUNCTION_ARGS)
{
	SchedEvent	event;

	sched_shmem_require();
	sched_event_init(&event, SCHED_EVENT_COUNT);
	event.name = checked_name(fcinfo, 0);
	event.payload = checked_payload(fcinfo, 1, event.name);
	event.owner = GetUserId();
	PG_RETURN_INT64(sched_event_record(&event));
}

Datum
sched_sql_event_name_check(PG_FUNCTION_ARGS)
{
	(void) checked_name(fcinfo, 0);
	PG_RETURN_VOID();
}

/*
 * _event_note(type, job_id, task_id, executor, owner, payload): a domain event,
 * if it is wanted; NULL if not.
 */
Datum
sched_sql_event_note(PG_FUNCTION_ARGS)
{
	SchedEventType type = PG_ARGISNULL(0) ? SCHED_EVENT_COUNT :
	sched_event_type_from_name(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	SchedEvent	event;

	sched_require_owner("_event_note()");
	if (type == SCHED_EVENT_COUNT)
		elog(ERROR, "there is no such domain event");
	if (!PG_ARGISNULL(3))
		sched_observe_executor(text_to_cstring(PG_GETARG_TEXT_PP(3)),
							   sched_event_type_name(type) + strlen("executor."), false);
	if (!sched_event_wanted(type))
		PG_RETURN_NULL();
	sched_event_init(&event, type);
	if (!PG_ARGISNULL(1))
		event.job_id = PG_GETARG_INT64(1);
	if (!PG_ARGISNULL(2))
		event.task_id = PG_GETARG_INT64(2);
	if (!PG_ARGISNULL(3))
		event.executor = text_to_cstring(PG_GETARG_TEXT_PP(3));
	if (!PG_ARGISNULL(4))
		event.owner = PG_GETARG_OID(4);
	if (!PG_ARGISNULL(5))
		event.payload = PG_GETARG_JSONB_P(5);
	PG_RETURN_INT64(sched_event_record(&event));
}

/* Trigger on _subscription. */
Datum
sched_sql_listeners_changed(PG_FUNCTION_ARGS)
{
	if (sched_shared != NULL)
		sched_listeners_changed();
	return PointerGetDatum(NULL);
}

/* What is wrong with a pattern, NULL: nothing. */
Datum
sched_sql_event_pattern_fault(PG_FUNCTION_ARGS)
{
	char	   *pattern = text_to_cstring(PG_GETARG_TEXT_PP(0));
	const char *stop;
	const char *fault;
	int			length = sched_event_pattern_length(pattern, &stop, &fault);

	if (length >= 0 && pattern[length] != '\0')
		fault = "unexpected character in the event name";
	else if (length > SCHED_MAX_EVENT_NAME)
		fault = "the pattern is longer than 255 bytes";
	if (fault == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(psprintf("at byte %d: %s",
											  (int) (stop - pattern) + 1,
											  fault)));
}
