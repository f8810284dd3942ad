/*-------------------------------------------------------------------------
 *
 * http_functions.c
 *	  SQL functions about HTTP tasks.
 *
 * Run in the caller's backend; nothing here calls libcurl.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "application/http/http_request.h"
#include "fmgr.h"
#include "commands/trigger.h"
#include "funcapi.h"
#include "infrastructure/memory/pending.h"
#include "infrastructure/http/secret_box.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(sched_http_fault);
PG_FUNCTION_INFO_V1(sched_sql_seal);
PG_FUNCTION_INFO_V1(sched_sql_secrets_changed);
PG_FUNCTION_INFO_V1(sched_sql_wake_deliveries);

static Datum
text_or_null(const char *text, bool *isnull)
{
	*isnull = text == NULL;
	return text == NULL ? (Datum) 0 : CStringGetTextDatum(text);
}

/*
 * What is wrong with the command and parameters of an HTTP job, and those that
 * go over them; NULLs: nothing.
 */
Datum
sched_http_fault(PG_FUNCTION_ARGS)
{
	char	   *command = PG_ARGISNULL(0) ? NULL :
	text_to_cstring(PG_GETARG_TEXT_PP(0));
	SchedHttpSpec spec;
	SchedHttpProblem problem = {0};
	TupleDesc	desc;
	Datum		v[3];
	bool		n[3];

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	if (PG_ARGISNULL(1))
		PG_RETURN_NULL();
	if (PG_ARGISNULL(2))
		(void) sched_http_spec_parse(command, PG_GETARG_JSONB_P(1), &spec,
									 &problem);
	else
		(void) sched_http_spec_overlay(command, PG_GETARG_JSONB_P(1),
									   PG_GETARG_JSONB_P(2), &spec, &problem);
	v[0] = text_or_null(problem.field, &n[0]);
	v[1] = text_or_null(problem.detail, &n[1]);
	v[2] = text_or_null(problem.hint, &n[2]);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), v,
													  n)));
}

/* A secret as it is to be stored. */
Datum
sched_sql_seal(PG_FUNCTION_ARGS)
{
	bool		encrypted;

	PG_RETURN_BYTEA_P(sched_secret_seal(text_to_cstring(PG_GETARG_TEXT_PP(0)),
										text_to_cstring(PG_GETARG_TEXT_PP(1)),
										&encrypted));
}

/* Trigger on _secret. */
Datum
sched_sql_secrets_changed(PG_FUNCTION_ARGS)
{
	if (sched_shared != NULL)
		sched_pending_secrets_changed();
	PG_RETURN_POINTER(NULL);
}

/* At commit the HTTP worker looks at what is to be sent. */
Datum
sched_sql_wake_deliveries(PG_FUNCTION_ARGS)
{
	sched_pending_deliveries();
	PG_RETURN_VOID();
}
