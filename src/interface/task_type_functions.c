/*-------------------------------------------------------------------------
 *
 * task_type_functions.c
 *	  SQL functions about task types, for the SQL that manages them.
 *
 * They look at their arguments and raise errors; nothing else.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "application/tasks/handler.h"
#include "fmgr.h"
#include "infrastructure/json_tree.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(sched_sql_check_schema);
PG_FUNCTION_INFO_V1(sched_sql_check_parameters);

static void
refuse_schema(const char *type, const char *path, const char *message)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid parameter_schema for task type \"%s\"", type),
			 errdetail("%s %s.", path, message),
			 errhint("Give a JSON Schema, such as {\"type\": \"object\", \"required\": [\"to\"], \"properties\": {\"to\": {\"type\": \"string\"}}}.")));
}

/* _check_schema(type text, schema jsonb): raise 22023 if it is none. */
Datum
sched_sql_check_schema(PG_FUNCTION_ARGS)
{
	char	   *type = text_to_cstring(PG_GETARG_TEXT_PP(0));
	const char *reason;
	SchedJson  *schema = sched_json_tree(PG_GETARG_JSONB_P(1), &reason);
	SchedSchemaFault fault;

	if (schema == NULL)
		refuse_schema(type, "$", reason);
	if (!sched_schema_is_sound(schema, &sched_schema_host, &fault))
		refuse_schema(type, fault.path, fault.message);
	PG_RETURN_VOID();
}

/* _check_parameters(job text, schema jsonb, parameters jsonb) */
Datum
sched_sql_check_parameters(PG_FUNCTION_ARGS)
{
	char	   *job = text_to_cstring(PG_GETARG_TEXT_PP(0));
	const char *reason;
	SchedJson  *schema = sched_json_tree(PG_GETARG_JSONB_P(1), &reason);

	if (schema != NULL)
		sched_parameters_check(psprintf("job \"%s\"", job), schema,
							   PG_GETARG_JSONB_P(2));
	PG_RETURN_VOID();
}
