/*-------------------------------------------------------------------------
 *
 * session.c
 *	  Leaving nothing of a task behind in its worker.
 *
 * What DISCARD ALL does, apart from throwing away cached plans, which hold
 * nothing that a later task could notice: settings, role, temporary tables,
 * prepared statements, cursors, advisory locks, LISTEN, sequence state.
 *
 * Some of it needs a transaction, and costs as much as a short task does.
 * But temporary tables, prepared statements and LISTEN are made by utility
 * commands alone, which a hook reports, and whether the role or the session's user
 * is another one can be seen.  When nothing of that has happened, the rest is
 * reset without a transaction.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "application/processes/session.h"
#include "catalog/namespace.h"
#include "commands/async.h"
#include "commands/prepare.h"
#include "commands/sequence.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "utils/guc.h"
#include "utils/portal.h"
#include "utils/snapmgr.h"

static bool used_utility = true;

void
sched_session_note_utility(void)
{
	used_utility = true;
}

static void
reset_in_transaction(void)
{
	StartTransactionCommand();
	SetPGVariable("session_authorization", NIL, false);
	DropAllPreparedStatements();
	Async_UnlistenAll();
	/* dropping temporary tables may detoast */
	PushActiveSnapshot(GetTransactionSnapshot());
	ResetTempTableNamespace();
	PopActiveSnapshot();
	CommitTransactionCommand();
}

void
sched_session_reset(void)
{
	/* a cancellation was meant for the task that is over */
	HOLD_CANCEL_INTERRUPTS();
	PortalHashTableDeleteAll();
	if (used_utility || OidIsValid(GetCurrentRoleId()) ||
		GetSessionUserId() != GetAuthenticatedUserId())
		reset_in_transaction();
	used_utility = false;
	ResetAllOptions();
	LockReleaseAll(USER_LOCKMETHOD, true);
	ResetSequenceCaches();
	RESUME_CANCEL_INTERRUPTS();
}
