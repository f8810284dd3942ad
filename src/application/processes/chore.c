/*-------------------------------------------------------------------------
 *
 * chore.c
 *	  What is done for each kind of chore, and by whom.
 *
 * A worker takes chores before tasks.  It runs the user's code in one
 * transaction, resets its session, and hands over the answer in another one, so
 * that nothing which the code has left behind (settings, a role, a deferred
 * trigger) is there when the extension's own rows are written.  A failure in
 * either is told to shared memory; after the last one the scheduler puts the
 * object into quarantine.
 *
 * To add a kind: a word in SchedChoreKind, a handler in the table below, and in
 * the scheduler something that calls sched_chores_put() for whatever in the tables
 * lacks an answer: after the start, when the object changes, and again when
 * there was no room.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "application/processes/chore.h"
#include "application/workflow/condition.h"
#include "application/schedule/custom_trigger.h"
#include "application/executors/router.h"
#include "application/processes/session.h"
#include "catalog/pg_proc.h"
#include "domain/retry.h"
#include "infrastructure/compat.h"
#include "infrastructure/settings.h"
#include "pgstat.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

static const SchedChoreHandler *const handlers[] = {
	[SCHED_CHORE_NEXT_FIRE] = &sched_custom_trigger_chore,
	[SCHED_CHORE_CONDITION] = &sched_condition_chore,
	[SCHED_CHORE_ROUTE] = &sched_router_chore
};

StaticAssertDecl(lengthof(handlers) == SCHED_CHORE_KINDS,
				 "every kind of chore needs a handler");

/* ---------- in the worker ---------- */

static void
run_code(const SchedChore *chore, MemoryContext context, void **answer)
{
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	*answer = handlers[chore->kind]->run(chore, context);
	PopActiveSnapshot();
	CommitTransactionCommand();
}

static void
hand_over(const SchedChore *chore, void *answer)
{
	StartTransactionCommand();
	/* whatever the role's defaults are */
	XactIsoLevel = XACT_READ_COMMITTED;
	XactReadOnly = false;
	PushActiveSnapshot(GetTransactionSnapshot());
	handlers[chore->kind]->store(chore, answer);
	PopActiveSnapshot();
	CommitTransactionCommand();
}

/* Returns the error, NULL when all went well. */
static ErrorData *
attempt(const SchedChore *chore, MemoryContext context)
{
	MemoryContext old = CurrentMemoryContext;
	ErrorData  *volatile error = NULL;
	void	   *volatile answer = NULL;

	PG_TRY();
	{
		void	   *made = NULL;

		run_code(chore, context, &made);
		answer = made;
	}
	PG_CATCH();
	{
		HOLD_INTERRUPTS();
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		AbortOutOfAnyTransaction();
		RESUME_INTERRUPTS();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(old);

	sched_session_reset();
	if (error != NULL || answer == NULL)
		return error;

	PG_TRY();
	{
		hand_over(chore, answer);
	}
	PG_CATCH();
	{
		HOLD_INTERRUPTS();
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		AbortOutOfAnyTransaction();
		RESUME_INTERRUPTS();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(old);
	return error;
}

void
sched_chore_run(SchedWorker *me)
{
	int			index = me->chore - 1;
	SchedChore	chore;
	MemoryContext context = AllocSetContextCreate(TopMemoryContext,
												  "sched chore",
												  ALLOCSET_DEFAULT_SIZES);
	ErrorData  *error;
	char	   *message = NULL;
	bool		for_good = false;

	sched_lock(LW_SHARED);
	chore = *sched_chores_get(index);
	sched_unlock();

	pgstat_report_activity(STATE_RUNNING, "sched chore");
	error = attempt(&chore, context);
	if (error != NULL)
	{
		char		sqlstate[6];

		strlcpy(sqlstate, unpack_sql_state(error->sqlerrcode),
				sizeof(sqlstate));
		message = error->message;
		for_good = !sched_retry_sqlstate_is_retryable(sqlstate);
	}

	sched_lock(LW_EXCLUSIVE);
	if (message != NULL && me->stop == SCHED_STOP_TIMEOUT)
	{
		message = MemoryContextStrdup(context, "it took too long, see sched.callback_timeout");
		for_good = false;
	}
	me->chore = 0;
	me->stop = SCHED_STOP_NONE;
	me->tasks_done++;
	if (message == NULL)
		sched_chores_done(index);
	else
		sched_chores_failed(index, message, for_good);
	sched_unlock();

	if (message != NULL)
	{
		ereport(DEBUG1,
				(errmsg("chore of kind %d for " INT64_FORMAT " failed: %s",
						chore.kind, chore.id1, message)));
		sched_session_reset();
	}
	pgstat_report_stat(false);
	pgstat_report_activity(STATE_IDLE, NULL);
	MemoryContextDelete(context);
}

/*
 * A function that runs with the rights of whoever calls it must not be one that
 * somebody else may write as he likes: who names it in a job, or may replace
 * it, would gain the job owner's rights.
 */
char *
sched_chore_function_obstacle(Oid function)
{
	Oid			caller = GetUserId();
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	Form_pg_proc form;
	Oid			owner;
	bool		definer;

	if (!HeapTupleIsValid(tuple))
		return psprintf("function %u does not exist", function);
	form = (Form_pg_proc) GETSTRUCT(tuple);
	owner = form->proowner;
	definer = form->prosecdef;
	ReleaseSysCache(tuple);

	if (!compat_may_execute(function, caller))
		return psprintf("role \"%s\" may not execute function %s",
						GetUserNameFromId(caller, false),
						get_func_name(function));
	if (definer || superuser_arg(owner) || is_member_of_role(owner, caller))
		return NULL;
	return psprintf("function %s belongs to role \"%s\", which may not act as role \"%s\"",
					get_func_name(function), GetUserNameFromId(owner, true),
					GetUserNameFromId(caller, false));
}

void
sched_chore_check_function(Oid function)
{
	char	   *obstacle = sched_chore_function_obstacle(function);

	if (obstacle != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("%s", obstacle),
				 errhint("It must be SECURITY DEFINER, or belong to a superuser or to the role that it runs as.")));
}

/* ---------- in the scheduler ---------- */

/* The last failure of a chore. */
static void
give_up(int index)
{
	SchedChore	chore;
	bool		failed;

	sched_lock(LW_SHARED);
	chore = *sched_chores_get(index);
	sched_unlock();

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	handlers[chore.kind]->give_up(&chore, chore.error);
	PopActiveSnapshot();
	CommitTransactionCommand();

	sched_lock(LW_EXCLUSIVE);
	/* nobody but this process asks for it anew, or forgets it */
	failed = sched_chores_get(index)->state == SCHED_CHORE_FAILED &&
		sched_chores_get(index)->order == chore.order;
	if (failed)
		sched_chores_forget(index);
	sched_unlock();
}

void
sched_chore_upkeep(int db)
{
	int			cursor = 0;
	int			index;

	if (sched_shared->databases[db].chores == 0)
		return;
	sched_lock(LW_EXCLUSIVE);
	sched_chores_tick(db);
	sched_unlock();
	for (;;)
	{
		sched_lock(LW_SHARED);
		index = sched_chores_next_failed(db, &cursor);
		sched_unlock();
		if (index < 0)
			break;
		give_up(index);
	}
}
