/*-------------------------------------------------------------------------
 *
 * owned.c
 *	  Private SQL functions of the extension, called from C.
 *
 * A worker is connected as the role that its tasks run as, which has no right
 * on any table of the extension.  What is not written below the SQL level
 * (store.c) it does through private functions, as the extension's owner.  Those
 * must belong to that owner and pin their search_path, so that nothing which the
 * role has set up decides what they do.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_proc.h"
#include "fmgr.h"
#include "infrastructure/tables/owned.h"
#include "infrastructure/tables/store.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/syscache.h"

Oid
sched_owned_function(const char *name, int nargs, const Oid *types, Oid owner)
{
	HeapTuple	tuple;
	Oid			schema = get_namespace_oid("sched", false);
	Oid			found = InvalidOid;
	Form_pg_proc form;

	tuple = SearchSysCache3(PROCNAMEARGSNSP, CStringGetDatum(name),
							PointerGetDatum(buildoidvector(types, nargs)),
							ObjectIdGetDatum(schema));
	if (!HeapTupleIsValid(tuple))
		return InvalidOid;
	form = (Form_pg_proc) GETSTRUCT(tuple);
	if (form->prokind == PROKIND_FUNCTION && form->proowner == owner)
		found = form->oid;
	ReleaseSysCache(tuple);
	return found;
}

Datum
sched_owned_call(const char *name, int nargs, const Oid *types,
				 const Datum *args, const bool *nulls, bool *isnull)
{
	LOCAL_FCINFO(fcinfo, FUNC_MAX_ARGS);
	FmgrInfo	flinfo;
	Oid			owner = sched_store_owner();
	Oid			function = sched_owned_function(name, nargs, types, owner);
	Oid			caller;
	int			security;
	Datum		result;

	if (!OidIsValid(function))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("function sched.%s is missing or not the extension's own",
						name),
				 errhint("Update the extension with ALTER EXTENSION sched UPDATE.")));
	fmgr_info(function, &flinfo);
	InitFunctionCallInfoData(*fcinfo, &flinfo, nargs, InvalidOid, NULL, NULL);
	for (int i = 0; i < nargs; i++)
	{
		fcinfo->args[i].value = args[i];
		fcinfo->args[i].isnull = nulls != NULL && nulls[i];
	}

	/* an abort puts it back */
	GetUserIdAndSecContext(&caller, &security);
	SetUserIdAndSecContext(owner, security | SECURITY_LOCAL_USERID_CHANGE);
	result = FunctionCallInvoke(fcinfo);
	SetUserIdAndSecContext(caller, security);
	*isnull = fcinfo->isnull;
	return result;
}
