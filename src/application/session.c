/*-------------------------------------------------------------------------
 *
 * session.c
 *	  Leaving nothing of a task behind in its worker.
 *
 * What DISCARD ALL does, apart from throwing away cached plans, which hold
 * nothing that a later task could notice: settings, role, temporary tables,
 * prepared statements, cursors, advisory locks, LISTEN, sequence state.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "application/session.h"
#include "catalog/namespace.h"
#include "commands/async.h"
#include "commands/prepare.h"
#include "commands/sequence.h"
#include "storage/lock.h"
#include "utils/guc.h"
#include "utils/portal.h"
#include "utils/snapmgr.h"

void
sched_session_reset(void)
{
	StartTransactionCommand();
	PortalHashTableDeleteAll();
	SetPGVariable("session_authorization", NIL, false);
	ResetAllOptions();
	DropAllPreparedStatements();
	Async_UnlistenAll();
	LockReleaseAll(USER_LOCKMETHOD, true);
	/* dropping temporary tables may detoast */
	PushActiveSnapshot(GetTransactionSnapshot());
	ResetTempTableNamespace();
	PopActiveSnapshot();
	ResetSequenceCaches();
	CommitTransactionCommand();
}
