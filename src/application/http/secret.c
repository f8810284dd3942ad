/*-------------------------------------------------------------------------
 *
 * secret.c
 *	  Which secret a job may use.
 *
 * A secret is its owner's, and of the roles that it was shared with.  A job may
 * use it if the job's owner has the privileges of one of these, and so does whoever
 * said last what the job does: otherwise a role that may change other roles' jobs
 * could have their secrets sent to itself.  Looked at when the secret is used, so
 * that what was revoked is gone.
 *
 * Only the HTTP worker calls this; nothing that a user can call returns a
 * secret.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "application/http/secret.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "infrastructure/http/secret_box.h"
#include "infrastructure/tables/store.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

/* Columns of _secret. */
enum
{
	SECRET_NAME = 1, SECRET_OWNER, SECRET_SEALED, SECRET_SHARED
};

static bool
role_exists(Oid role)
{
	return OidIsValid(role) &&
		SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(role));
}

static bool
may_use(Oid role, Oid owner, ArrayType * shared)
{
	Datum	   *roles;
	int			count;

	if (!role_exists(role))
		return false;
	if (role_exists(owner) && has_privs_of_role(role, owner))
		return true;
	deconstruct_array(shared, REGROLEOID, sizeof(Oid), true, TYPALIGN_INT,
					  &roles, NULL, &count);
	for (int i = 0; i < count; i++)
		if (role_exists(DatumGetObjectId(roles[i])) &&
			has_privs_of_role(role, DatumGetObjectId(roles[i])))
			return true;
	return false;
}

char	   *
sched_secret_value(const char *name, Oid owner, Oid definer, const char **why)
{
	Relation	relation = table_open(sched_store_relation("_secret"),
									  AccessShareLock);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	char	   *value = NULL;

	*why = "does not exist";
	ScanKeyEntryInitialize(&key, 0, SECRET_NAME, BTEqualStrategyNumber,
						   InvalidOid, DEFAULT_COLLATION_OID, F_TEXTEQ,
						   CStringGetTextDatum(name));
	scan = systable_beginscan(relation, sched_store_relation("secret_pkey"),
							  true, snapshot, 1, &key);
	if (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		TupleDesc	desc = RelationGetDescr(relation);
		bool		isnull;
		Oid			secret_owner = DatumGetObjectId(heap_getattr(tuple, SECRET_OWNER,
																 desc, &isnull));
		ArrayType  *shared = DatumGetArrayTypeP(heap_getattr(tuple, SECRET_SHARED,
															 desc, &isnull));

		if (!may_use(owner, secret_owner, shared))
			*why = "is not shared with the owner of the job";
		else if (!may_use(definer, secret_owner, shared))
			*why = "is not shared with the role that defined the job";
		else
			value = sched_secret_open(name, DatumGetByteaPP(heap_getattr(tuple,
																		 SECRET_SEALED, desc, &isnull)), why);
	}
	systable_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(relation, AccessShareLock);
	return value;
}
