/*-------------------------------------------------------------------------
 *
 * api_call.c
 *	  The functions of schema sched_api: what HTTP clients call, by way of
 *	  PostgREST.
 *
 * A function sched_api.f(args) that is declared with the symbol sched_api_call
 * calls sched._api_f(args) if there is one, which calls what it needs, else
 * sched.f(args) if the role may; these check what it may do.  Its own part is the
 * protocol:
 *
 *	errors		reach the client as an HTTP status with the message, detail, hint
 *				and the SQLSTATE as code.  PostgREST makes a response of SQLSTATE
 *				PGRST, whose message and detail are JSON; being JSON, nothing that a
 *				user wrote can become a header.  Serialization failures and
 *				deadlocks must not reach PostgREST as they are: it would repeat the
 *				request for ever.
 *	created		what makes something answers 201 with its Location
 *	executors	may be named by name or by id, as they stand in a path
 *
 * The error is not swallowed but raised again in another shape, so it needs no
 * subtransaction.  Sets are passed through as in as_owner.c.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "infrastructure/compat.h"
#include "infrastructure/tables/store.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

PG_FUNCTION_INFO_V1(sched_api_call);

#define ERRCODE_POSTGREST		MAKE_SQLSTATE('P', 'G', 'R', 'S', 'T')
#define ERRCODE_CLASS(code)		((code) & 0xFFF)
#define CLASS(a, b)				ERRCODE_CLASS(MAKE_SQLSTATE(a, b, '0', '0', '0'))

/* What a call site remembers. */
typedef struct ApiTarget
{
	FmgrInfo	function;
	FmgrInfo	executor_name;	/* sched._api_executor_name() */
	int			executor_arg;	/* -1: none */
	bool		checked;		/* the right to call it is asked for */
	const char *location;		/* of what it creates; NULL: creates nothing */
} ApiTarget;

/* ---------- the function behind it ---------- */

static Oid
find_function(const char *name, const oidvector *types, Oid schema,
			  Oid owner)
{
	HeapTuple	tuple;
	Oid			found = InvalidOid;

	tuple = SearchSysCache3(PROCNAMEARGSNSP, CStringGetDatum(name),
							PointerGetDatum(types), ObjectIdGetDatum(schema));
	if (HeapTupleIsValid(tuple))
	{
		Form_pg_proc form = (Form_pg_proc) GETSTRUCT(tuple);

		if (form->prokind == PROKIND_FUNCTION && form->proowner == owner)
			found = form->oid;
		ReleaseSysCache(tuple);
	}
	return found;
}

/* Which argument names an executor? */
static int
executor_arg(HeapTuple tuple, int nargs)
{
	char	  **names;
	Oid		   *types;
	char	   *modes;
	int			input = 0;
	int			total = get_func_arg_info(tuple, &types, &names, &modes);

	for (int i = 0; names != NULL && i < total && input < nargs; i++)
	{
		if (modes != NULL && modes[i] != FUNC_PARAM_IN &&
			modes[i] != FUNC_PARAM_INOUT && modes[i] != FUNC_PARAM_VARIADIC)
			continue;
		if (types[i] == TEXTOID && strcmp(names[i], "executor") == 0)
			return input;
		input++;
	}
	return -1;
}

static ApiTarget *
get_target(FmgrInfo *flinfo)
{
	ApiTarget  *target = flinfo->fn_extra;
	HeapTuple	tuple;
	Form_pg_proc form;
	Oid			owner;
	Oid			schema;
	Oid			text_type = TEXTOID;
	Oid			found;
	bool		checked;
	const char *name;

	if (target != NULL)
		return target;
	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(flinfo->fn_oid));
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for function %u", flinfo->fn_oid);
	form = (Form_pg_proc) GETSTRUCT(tuple);
	name = NameStr(form->proname);
	owner = sched_store_owner();
	schema = get_namespace_oid("sched", false);
	found = find_function(psprintf("_api_%s", name), &form->proargtypes,
						  schema, owner);
	checked = !OidIsValid(found);
	if (checked)
		found = find_function(name, &form->proargtypes, schema, owner);
	if (!OidIsValid(found))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("function sched_api.%s is not complete", name),
				 errdetail("There is no function sched.%s of the extension's owner that takes the same arguments.",
						   name),
				 errhint("Update the extension with ALTER EXTENSION sched UPDATE.")));

	target = MemoryContextAllocZero(flinfo->fn_mcxt, sizeof(ApiTarget));
	target->checked = checked;
	fmgr_info_cxt(found, &target->function, flinfo->fn_mcxt);
	target->executor_arg = executor_arg(tuple, form->pronargs);
	if (target->executor_arg >= 0)
	{
		found = find_function("_api_executor_name",
							  buildoidvector(&text_type, 1), schema, owner);
		if (!OidIsValid(found))
			elog(ERROR, "function sched._api_executor_name is missing");
		fmgr_info_cxt(found, &target->executor_name, flinfo->fn_mcxt);
	}
	if (strcmp(name, "create_job") == 0)
		target->location = "/jobs?job_id=eq.";
	else if (strcmp(name, "schedule_task") == 0)
		target->location = "/tasks?task_id=eq.";
	else if (strcmp(name, "register_executor") == 0)
		target->location = "";
	ReleaseSysCache(tuple);
	flinfo->fn_extra = target;
	return target;
}

/* ---------- errors ---------- */

/*
 * Has the client said who it is?  Asked before the call: after an error the
 * catalogs are out of bounds, and the current role may be another one.
 */
static bool
is_authenticated(void)
{
	const char *headers = GetConfigOption("request.headers", true, false);

	/* a rough look is enough: it tells 401 from 403 and nothing else */
	return GetUserId() == get_role_oid("sched_executor", true) ||
		(headers != NULL && strstr(headers, "\"authorization\"") != NULL);
}

/* The HTTP status of an SQLSTATE, 0: as PostgREST has it. */
static int
http_status(int sqlstate, bool authenticated)
{
	switch (sqlstate)
	{
		case ERRCODE_UNDEFINED_OBJECT:
			return 404;
		case ERRCODE_INSUFFICIENT_PRIVILEGE:
			return authenticated ? 403 : 401;
		case ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE:
		case ERRCODE_DUPLICATE_OBJECT:
		case ERRCODE_LOCK_NOT_AVAILABLE:
		case ERRCODE_OBJECT_IN_USE:
		case ERRCODE_UNIQUE_VIOLATION:
		case ERRCODE_FOREIGN_KEY_VIOLATION:
		case ERRCODE_T_R_SERIALIZATION_FAILURE:
		case ERRCODE_T_R_DEADLOCK_DETECTED:
			return 409;
		case ERRCODE_READ_ONLY_SQL_TRANSACTION:
			return 405;
		case ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION:
			return 401;
		case ERRCODE_QUERY_CANCELED:
			return 503;
		case ERRCODE_INTERNAL_ERROR:
		case ERRCODE_POSTGREST:
			return 0;
	}
	switch (ERRCODE_CLASS(sqlstate))
	{
		case CLASS('5', '3'):
		case CLASS('5', '7'):
		case CLASS('0', '8'):
		case CLASS('X', 'X'):
		case CLASS('P', 'T'):
			return 0;
	}
	return 400;
}

static void
append_member(StringInfo json, const char *name, const char *value)
{
	if (json->len > 1)
		appendStringInfoString(json, ", ");
	escape_json(json, name);
	appendStringInfoString(json, ": ");
	if (value == NULL)
		appendStringInfoString(json, "null");
	else
		escape_json(json, value);
}

/* Raise the error again as one that PostgREST makes a response of. */
static void
raise_for_http(const ErrorData *error, bool authenticated)
{
	int			status = http_status(error->sqlerrcode, authenticated);
	StringInfoData message;
	StringInfoData detail;
	bool		leaks = ERRCODE_CLASS(error->sqlerrcode) == CLASS('2', '3');

	if (status == 0)
		ReThrowError(unconstify(ErrorData *, error));

	initStringInfo(&message);
	appendStringInfoChar(&message, '{');
	append_member(&message, "code", unpack_sql_state(error->sqlerrcode));
	append_member(&message, "message", error->message);
	/* of a violated constraint it would show the row */
	append_member(&message, "details", leaks ? NULL : error->detail);
	append_member(&message, "hint", error->hint);
	appendStringInfoChar(&message, '}');

	initStringInfo(&detail);
	appendStringInfo(&detail, "{\"status\": %d, \"headers\": {", status);
	if (status == 401)
		appendStringInfoString(&detail, "\"WWW-Authenticate\": \"Bearer\"");
	else if (status == 503)
		appendStringInfoString(&detail, "\"Retry-After\": \"5\"");
	appendStringInfoString(&detail, "}}");

	ereport(ERROR,
			(errcode(ERRCODE_POSTGREST),
			 errmsg_internal("%s", message.data),
			 errdetail_internal("%s", detail.data)));
}

/* ---------- the call ---------- */

static Datum
executor_by_name_or_id(ApiTarget *target, Datum executor)
{
	const char *given = TextDatumGetCString(executor);

	if (given[0] == '\0' || strspn(given, "0123456789") != strlen(given))
		return executor;
	return FunctionCall1(&target->executor_name, executor);
}

/* Tell PostgREST what to answer with, in this transaction. */
static void
set_response(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_LOCAL, true, 0, false);
}

static void
answer_created(const ApiTarget *target, Oid result_type, Datum result)
{
	set_response("response.status", "201");
	if (target->location[0] != '\0' && result_type == INT8OID)
		set_response("response.headers",
					 psprintf("[{\"Location\": \"%s%lld\"}]",
							  target->location,
							  (long long) DatumGetInt64(result)));
}

Datum
sched_api_call(PG_FUNCTION_ARGS)
{
	LOCAL_FCINFO(inner, FUNC_MAX_ARGS);
	MemoryContext context = CurrentMemoryContext;
	bool		authenticated = is_authenticated();
	volatile Datum result = (Datum) 0;

	PG_TRY();
	{
		ApiTarget  *target = get_target(fcinfo->flinfo);

		if (target->checked &&
			!compat_may_execute(target->function.fn_oid, GetUserId()))
			aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_FUNCTION,
						   get_func_name(target->function.fn_oid));
		InitFunctionCallInfoData(*inner, &target->function, PG_NARGS(),
								 PG_GET_COLLATION(), fcinfo->context,
								 fcinfo->resultinfo);
		for (int i = 0; i < PG_NARGS(); i++)
		{
			inner->args[i] = fcinfo->args[i];
			if (i == target->executor_arg && !fcinfo->args[i].isnull)
				inner->args[i].value =
					executor_by_name_or_id(target, fcinfo->args[i].value);
		}
		result = FunctionCallInvoke(inner);
		fcinfo->isnull = inner->isnull;
		if (target->location != NULL && !inner->isnull)
			answer_created(target, get_func_rettype(fcinfo->flinfo->fn_oid),
						   result);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		raise_for_http(error, authenticated);
	}
	PG_END_TRY();
	return result;
}
