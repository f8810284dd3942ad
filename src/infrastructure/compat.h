/*-------------------------------------------------------------------------
 *
 * compat.h
 *	  Differences between the PostgreSQL versions that sched supports, 15 to
 *	  19, as inline wrappers.  No other file tests PG_VERSION_NUM.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_COMPAT_H
#define SCHED_COMPAT_H

#include "access/xact.h"
#include "catalog/pg_database.h"
#include "catalog/pg_proc.h"
#include "common/base64.h"
#include "executor/executor.h"
#include "miscadmin.h"

/* The layout of Port is not needed, and with it would come Kerberos' headers. */
#undef ENABLE_GSS
#include "libpq/libpq.h"
#include "libpq/libpq-be.h"
#include "parser/analyze.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/dest.h"
#include "tcop/pquery.h"
#include "tcop/tcopprot.h"
#include "utils/acl.h"
#include "utils/memutils.h"
#include "utils/portal.h"

#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

#if PG_VERSION_NUM < 150000
#error "sched needs PostgreSQL 15 or later"
#endif

/* 18 has another word, and takes it in front only. */
#if PG_VERSION_NUM >= 180000
#define compat_noreturn	pg_noreturn
#else
#define compat_noreturn	pg_attribute_noreturn()
#endif

/* Ownership and rights checks became object-generic in 16. */
static inline bool
compat_owns_database(Oid database, Oid role)
{
#if PG_VERSION_NUM >= 160000
	return object_ownercheck(DatabaseRelationId, database, role);
#else
	return pg_database_ownercheck(database, role);
#endif
}

static inline bool
compat_may_connect(Oid database, Oid role)
{
#if PG_VERSION_NUM >= 160000
	return object_aclcheck(DatabaseRelationId, database, role,
						   ACL_CONNECT) == ACLCHECK_OK;
#else
	return pg_database_aclcheck(database, role, ACL_CONNECT) == ACLCHECK_OK;
#endif
}

static inline bool
compat_may_execute(Oid function, Oid role)
{
#if PG_VERSION_NUM >= 160000
	return object_aclcheck(ProcedureRelationId, function, role,
						   ACL_EXECUTE) == ACLCHECK_OK;
#else
	return pg_proc_aclcheck(function, role, ACL_EXECUTE) == ACLCHECK_OK;
#endif
}

/* Run a portal to its end; run_once went away in 18. */
static inline bool
compat_portal_run(Portal portal, DestReceiver * dest, QueryCompletion * qc)
{
#if PG_VERSION_NUM >= 180000
	return PortalRun(portal, FETCH_ALL, true, dest, dest, qc);
#else
	return PortalRun(portal, FETCH_ALL, true, true, dest, dest, qc);
#endif
}

/* Takes unsigned bytes since 18. */
static inline int
compat_b64_encode(const char *source, int length, char *target, int size)
{
#if PG_VERSION_NUM >= 180000
	return pg_b64_encode((const uint8 *) source, length, target, size);
#else
	return pg_b64_encode(source, length, target, size);
#endif
}

/* An event set for as long as the process lives; owners came in 17. */
static inline WaitEventSet *
compat_create_wait_event_set(int events)
{
#if PG_VERSION_NUM >= 170000
	return CreateWaitEventSet(NULL, events);
#else
	return CreateWaitEventSet(TopMemoryContext, events);
#endif
}

#endif							/* SCHED_COMPAT_H */
