/*-------------------------------------------------------------------------
 *
 * claiming.c
 *	  Waiting in the server for tasks to claim.
 *
 * A session that waits stands in line in shared memory (waiters.c) and sleeps on
 * its latch until whoever makes a task ready wakes it: no polling, no NOTIFY.
 * It steps into the line before it looks, so that nothing is missed in between.
 * Whatever ends the wait, also an error, it leaves the line, and hands on what it
 * was woken for and did not take.
 *
 * Time is real time here, also when a test has stopped the clock.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "application/executors/claiming.h"
#include "infrastructure/memory/queue_lease.h"
#include "infrastructure/memory/waiters.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/ipc.h"
#include "storage/latch.h"

/* ---------- the line ---------- */

static void
leave_line(int code, Datum arg)
{
	sched_lock(LW_EXCLUSIVE);
	sched_waiter_leave((QWaiter *) DatumGetPointer(arg));
	sched_unlock();
}

static QWaiter *
enter_line(const SchedIdentity *identity)
{
	QWaiter    *waiter = NULL;
	QExecutor  *executor;
	int			me;

	sched_lock(LW_EXCLUSIVE);
	me = sched_shmem_my_database();
	executor = me < 0 ? NULL : sched_identity_slot(me, identity);
	if (executor != NULL)
		waiter = sched_waiter_enter(me, executor);
	sched_unlock();
	return waiter;
}

/* Sleep until woken or the deadline; false when that is over. */
static bool
sleep_in_line(QWaiter *waiter, TimestampTz deadline)
{
	for (;;)
	{
		int64		left = deadline - GetCurrentTimestamp();
		bool		woken;

		CHECK_FOR_INTERRUPTS();
		sched_lock(LW_SHARED);
		woken = !waiter->queued;
		sched_unlock();
		if (woken)
			return true;
		if (left <= 0)
			return false;
		(void) WaitLatch(MyLatch,
						 WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 (long) ((left + 999) / 1000), PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
	}
}

/* ---------- claiming ---------- */

static void
check_online(const SchedIdentity *identity)
{
	if (identity->status == SCHED_EXECUTOR_REGISTERED ||
		identity->status == SCHED_EXECUTOR_MAINTENANCE ||
		(identity->status == SCHED_EXECUTOR_OFFLINE && !identity->active))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("executor \"%s\" takes no tasks", identity->name),
				 errdetail("Its status is %s.",
						   sched_executor_status_name(identity->status)),
				 errhint("Let it take part with sched.activate_executor().")));
}

static int
claim(const char *name, int max, bool start, SchedClaim *claims,
	  SchedIdentity *identity)
{
	sched_identity_require(name, identity);
	check_online(identity);
	return sched_lease_claim(identity, max, start, claims);
}

int
sched_wait_and_claim(const char *executor, int max, int64 wait, bool start,
					 SchedClaim *claims)
{
	SchedIdentity identity;
	TimestampTz deadline;
	QWaiter    *waiter;
	volatile int count;

	count = claim(executor, max, start, claims, &identity);
	if (count > 0 || wait <= 0 || identity.status == SCHED_EXECUTOR_DRAINING)
		return count;

	deadline = GetCurrentTimestamp() + Min(wait, SCHED_MAX_WAIT);
	waiter = enter_line(&identity);
	if (waiter == NULL)
		return 0;
	PG_ENSURE_ERROR_CLEANUP(leave_line, PointerGetDatum(waiter));
	{
		for (;;)
		{
			bool		woken;

			count = claim(executor, max, start, claims, &identity);
			if (count > 0 || identity.status == SCHED_EXECUTOR_DRAINING)
				break;
			woken = sleep_in_line(waiter, deadline);
			if (!woken)
				break;
			sched_lock(LW_EXCLUSIVE);
			sched_waiter_requeue(waiter);
			sched_unlock();
		}
	}
	PG_END_ENSURE_ERROR_CLEANUP(leave_line, PointerGetDatum(waiter));
	leave_line(0, PointerGetDatum(waiter));
	return count;
}

/* ---------- only waiting ---------- */

static bool
something_ready(const SchedIdentity *identity)
{
	QExecutor  *executor;
	bool		found = false;
	int			me;

	/* looking may note whose turn it is in a pool */
	sched_lock(LW_EXCLUSIVE);
	me = sched_shmem_my_database();
	executor = me < 0 ? NULL : sched_identity_slot(me, identity);
	if (executor != NULL)
		found = executor->undelivered > 0 || sched_queue_has_for(executor);
	sched_unlock();
	return found;
}

bool
sched_wait_for_tasks(const char *name, int64 wait)
{
	SchedIdentity identity;
	TimestampTz deadline = GetCurrentTimestamp() + wait;
	QWaiter    *waiter;
	volatile bool found = false;

	sched_identity_require(name, &identity);
	check_online(&identity);
	waiter = enter_line(&identity);
	if (waiter == NULL)
		return something_ready(&identity);
	PG_ENSURE_ERROR_CLEANUP(leave_line, PointerGetDatum(waiter));
	{
		for (;;)
		{
			found = something_ready(&identity);
			if (found || !sleep_in_line(waiter, deadline))
				break;
			sched_lock(LW_EXCLUSIVE);
			sched_waiter_requeue(waiter);
			sched_unlock();
		}
	}
	PG_END_ENSURE_ERROR_CLEANUP(leave_line, PointerGetDatum(waiter));
	leave_line(0, PointerGetDatum(waiter));
	return found;
}
