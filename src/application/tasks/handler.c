/*-------------------------------------------------------------------------
 *
 * handler.c
 *	  Task types of users: the functions that run them, and what parameters
 *	  they take.
 *
 * A handler runs in a worker, as the role that the task's job runs as, in the
 * transaction that also records the completion: like the command of an SQL
 * task, but called directly.  It is named by its signature, which is looked up at every run,
 * so that a dump or an upgrade of the server leaves it valid.
 *
 * Who registers a type says what the jobs of that type execute.  So that
 * nobody gains a right by it, the type's owner must be a member of the role that the
 * job runs as, or a superuser; that is looked at when the job is defined, and
 * here again.
 *
 * Parameters are checked against the type's schema wherever somebody gives
 * some, not when the task runs: what was accepted stays accepted.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "application/processes/current.h"
#include "application/tasks/handler.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "infrastructure/compat.h"
#include "infrastructure/json_tree.h"
#include "mb/pg_wchar.h"
#include "pgstat.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/regproc.h"
#include "utils/snapmgr.h"

#define MAX_RESULT_BYTES	SCHED_JSON_MAX_BYTES

/* ---------- running ---------- */

static void
check_trust(const SchedJob *job, const SchedTaskType *type)
{
	if (OidIsValid(type->owner) &&
		is_member_of_role(type->owner, job->run_as))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("the owner of task type \"%s\" may not say what role \"%s\" executes",
					job->type, GetUserNameFromId(job->run_as, true)),
			 errdetail("It is neither a member of that role nor a superuser."),
			 errhint("Let a superuser or a member of the role register the type.")));
}

/* Look the function up, and may the role call it? */
static Oid
find_handler(const SchedJob *job, const SchedTaskType *type)
{
	Oid			function = DatumGetObjectId(DirectFunctionCall1(regprocedurein,
																CStringGetDatum(type->handler)));

	if (!compat_may_execute(function, GetUserId()))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for function %s", type->handler),
				 errdetail("It is the handler of task type \"%s\".", job->type),
				 errhint("Grant EXECUTE on it to role \"%s\".",
						 GetUserNameFromId(GetUserId(), true))));
	return function;
}

/* Copy what the handler returned, which must not be huge. */
static Jsonb *
copy_result(const SchedJob *job, Datum value, MemoryContext result_context)
{
	Jsonb	   *jsonb = DatumGetJsonbP(value);
	Jsonb	   *copy;

	if (VARSIZE(jsonb) > MAX_RESULT_BYTES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the result of job \"%s\" is too large", job->name),
				 errdetail("The handler returned %zu bytes, at most %d are kept.",
						   (size_t) VARSIZE(jsonb), MAX_RESULT_BYTES),
				 errhint("Store it in a table and return where it is.")));
	copy = MemoryContextAlloc(result_context, VARSIZE(jsonb));
	memcpy(copy, jsonb, VARSIZE(jsonb));
	return copy;
}

void
sched_handler_run(const SchedJob *job, const SchedTaskType *type,
				  MemoryContext result_context, SchedScriptResult *result)
{
	MemoryContext work;
	MemoryContext old;
	Jsonb	   *task;
	Datum		parameters;
	FmgrInfo	function;
	PgStat_FunctionCallUsage usage;

	LOCAL_FCINFO(fcinfo, 2);
	Datum		value;

	check_trust(job, type);
	pgstat_report_activity(STATE_RUNNING, type->handler);
	work = AllocSetContextCreate(result_context, "sched handler",
								 ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(work);
	PushActiveSnapshot(GetTransactionSnapshot());

	fmgr_info_cxt(find_handler(job, type), &function, work);
	task = sched_current_describe();
	parameters = DirectFunctionCall2(jsonb_object_field, JsonbPGetDatum(task),
									 CStringGetTextDatum("parameters"));
	InitFunctionCallInfoData(*fcinfo, &function, function.fn_nargs,
							 InvalidOid, NULL, NULL);
	fcinfo->args[0].value = parameters;
	fcinfo->args[0].isnull = false;
	fcinfo->args[1].value = JsonbPGetDatum(task);
	fcinfo->args[1].isnull = false;
	pgstat_init_function_usage(fcinfo, &usage);
	value = FunctionCallInvoke(fcinfo);
	pgstat_end_function_usage(&usage, true);

	result->row_count = SCHED_UNSET;
	result->result = NULL;
	if (!fcinfo->isnull && get_func_rettype(function.fn_oid) == JSONBOID)
		result->result = copy_result(job, value, result_context);

	PopActiveSnapshot();
	CommandCounterIncrement();
	MemoryContextSwitchTo(old);
	MemoryContextDelete(work);
}

/* ---------- parameters ---------- */

/* Report a fault; the path may be long, and cut off at any byte. */
static void
refuse(const char *object, const char *path, const char *message)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid parameters for %s", object),
			 errdetail("%s %s.", path, message),
			 errhint("See column parameter_schema of sched.task_types.")));
}

void
sched_parameters_check(const char *object, const SchedJson *schema,
					   const Jsonb *parameters)
{
	MemoryContext work = AllocSetContextCreate(CurrentMemoryContext,
											   "sched parameters",
											   ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(work);
	SchedSchemaFault fault;
	const char *reason;
	SchedJson  *value = sched_json_tree(parameters, &reason);

	if (value == NULL)
		refuse(object, "$", reason);
	if (!sched_schema_accepts(schema, value, &sched_schema_host, &fault))
		refuse(object, fault.path, fault.message);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(work);
}

void
sched_parameters_check_task(const SchedJob *job, const Jsonb *parameters)
{
	const SchedTaskType *type;
	Datum		whole;

	if (parameters == NULL || strcmp(job->type, "sql") == 0)
		return;
	type = sched_task_type(job->type);
	if (type->schema == NULL)
		return;
	/* the job's, and over them the task's own: what the task will have */
	whole = DirectFunctionCall2(jsonb_concat, JsonbPGetDatum(job->parameters),
								JsonbPGetDatum(parameters));
	sched_parameters_check(psprintf("job \"%s\"", job->name), type->schema,
						   DatumGetJsonbP(whole));
	pfree(DatumGetPointer(whole));
}
