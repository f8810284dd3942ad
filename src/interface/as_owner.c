/*-------------------------------------------------------------------------
 *
 * as_owner.c
 *	  Calling a private function as the extension's owner.
 *
 * A public function sched.f(args) that is declared with the symbol
 * sched_as_owner runs the private sched._f(caller oid, args) with the
 * rights of the extension's owner, and hands over who called.  SECURITY DEFINER
 * would not do: inside of such a function nobody can tell which role called it,
 * session_user being somebody else after SET ROLE.
 *
 * The private function is looked up once per call site and must belong to the
 * extension's owner.  SET ROLE is refused while it runs.  The user id is put
 * back when it returns; after an error the abort of the transaction, or of the
 * subtransaction that catches the error, puts it back, since both remember what it was
 * when they began.
 *
 * Sets are passed through: the private function finds the caller's ReturnSetInfo,
 * and is asked to fill a tuplestore in one call, so that no code of the caller runs
 * in between.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "infrastructure/tables/owned.h"
#include "infrastructure/tables/store.h"
#include "interface/as_owner.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

PG_FUNCTION_INFO_V1(sched_as_owner);

/* What a call site remembers. */
typedef struct Target
{
	FmgrInfo	function;
	Oid			owner;			/* of the extension */
} Target;

/* The private function behind a public one. */
static Oid
find_target(Oid public_function, Oid owner)
{
	HeapTuple	tuple;
	Form_pg_proc form;
	Oid			types[FUNC_MAX_ARGS];
	Oid			found;
	int			nargs;
	char		name[NAMEDATALEN];
	char		signature[NAMEDATALEN];

	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(public_function));
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for function %u", public_function);
	form = (Form_pg_proc) GETSTRUCT(tuple);
	strlcpy(signature, NameStr(form->proname), sizeof(signature));
	nargs = form->pronargs;
	if (nargs >= FUNC_MAX_ARGS || strlen(signature) + 2 > sizeof(name))
		elog(ERROR, "function %s cannot have a private one behind it",
			 signature);
	snprintf(name, sizeof(name), "_%.*s", NAMEDATALEN - 2, signature);
	types[0] = OIDOID;
	for (int i = 0; i < nargs; i++)
		types[i + 1] = form->proargtypes.values[i];
	ReleaseSysCache(tuple);

	found = sched_owned_function(name, nargs + 1, types, owner);
	if (!OidIsValid(found))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("function sched.%s is not complete", signature),
				 errdetail("There is no function sched.%s of the extension's owner that takes the same arguments.",
						   name),
				 errhint("Update the extension with ALTER EXTENSION sched UPDATE.")));
	return found;
}

static Target *
get_target(FmgrInfo *flinfo)
{
	Target	   *target = flinfo->fn_extra;
	Oid			owner;

	if (target != NULL)
		return target;
	owner = sched_store_owner();
	target = MemoryContextAllocZero(flinfo->fn_mcxt, sizeof(Target));
	target->owner = owner;
	fmgr_info_cxt(find_target(flinfo->fn_oid, owner), &target->function,
				  flinfo->fn_mcxt);
	flinfo->fn_extra = target;
	return target;
}

/* A strict function is not called with a NULL argument: no row, or NULL. */
static Datum
strict_result(FunctionCallInfo fcinfo)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;

	if (rsinfo != NULL && IsA(rsinfo, ReturnSetInfo))
		rsinfo->isDone = ExprEndResult;
	PG_RETURN_NULL();
}

Datum
sched_as_owner(PG_FUNCTION_ARGS)
{
	Target	   *target = get_target(fcinfo->flinfo);
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	LOCAL_FCINFO(inner, FUNC_MAX_ARGS);
	int			allowed = 0;
	Oid			caller;
	int			security;
	Datum		result;

	if (rsinfo != NULL && !IsA(rsinfo, ReturnSetInfo))
		rsinfo = NULL;

	GetUserIdAndSecContext(&caller, &security);
	InitFunctionCallInfoData(*inner, &target->function, PG_NARGS() + 1,
							 PG_GET_COLLATION(), fcinfo->context,
							 fcinfo->resultinfo);
	inner->args[0].value = ObjectIdGetDatum(caller);
	inner->args[0].isnull = false;
	for (int i = 0; i < PG_NARGS(); i++)
	{
		inner->args[i + 1] = fcinfo->args[i];
		if (target->function.fn_strict && fcinfo->args[i].isnull)
			return strict_result(fcinfo);
	}

	if (rsinfo != NULL)
	{
		allowed = rsinfo->allowedModes;
		if (allowed & SFRM_Materialize)
			rsinfo->allowedModes |= SFRM_Materialize_Preferred;
	}
	SetUserIdAndSecContext(target->owner,
						   security | SECURITY_LOCAL_USERID_CHANGE);
	result = FunctionCallInvoke(inner);
	SetUserIdAndSecContext(caller, security);
	if (rsinfo != NULL)
		rsinfo->allowedModes = allowed;

	fcinfo->isnull = inner->isnull;
	return result;
}
