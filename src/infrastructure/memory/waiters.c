/*-------------------------------------------------------------------------
 *
 * waiters.c
 *	  Sessions that wait in the server for a task to claim.
 *
 * One line per database, first come first served.  Whoever makes a task ready
 * wakes the first in line whose executor may have it, and takes him out of the
 * line: so one task wakes one session, however many wait.  A session that was
 * woken and finds the task gone stands in line again; one that leaves for
 * another reason after it was woken hands on what it was woken for.
 *
 * As many places as there can be connections.  The lock is held exclusively;
 * nothing in here raises an error, allocates, or waits.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "infrastructure/settings.h"
#include "infrastructure/memory/waiters.h"
#include "infrastructure/memory/wake.h"
#include "miscadmin.h"
#include "storage/shmem.h"

typedef struct WaitersShared
{
	int			capacity;
	uint32		free;			/* 1-based, 0: none */
	QWaiter		slots[FLEXIBLE_ARRAY_MEMBER];
} WaitersShared;

static WaitersShared *shared;

Size
sched_waiters_size(void)
{
	return add_size(offsetof(WaitersShared, slots),
					mul_size(sizeof(QWaiter), MaxConnections));
}

void
sched_waiters_attach(bool found)
{
	shared = ShmemInitStruct("sched waiters", sched_waiters_size(), &found);
	if (found)
		return;
	shared->capacity = MaxConnections;
	shared->free = 0;
	for (int i = shared->capacity; i > 0; i--)
	{
		shared->slots[i - 1].db = -1;
		shared->slots[i - 1].next_free = shared->free;
		shared->free = i;
	}
	for (int i = 0; i < SCHED_MAX_DATABASES; i++)
		dlist_init(&sched_shared->databases[i].waiters);
}

QWaiter    *
sched_waiter_enter(int db, QExecutor *executor)
{
	QWaiter    *waiter;

	if (shared->free == 0)
		return NULL;
	waiter = &shared->slots[shared->free - 1];
	shared->free = waiter->next_free;
	waiter->proc = MyProc;
	waiter->db = db;
	waiter->executor = executor;
	waiter->executor_id = executor->spec.executor_id;
	waiter->queued = false;
	sched_waiter_requeue(waiter);
	return waiter;
}

void
sched_waiter_requeue(QWaiter *waiter)
{
	if (waiter->queued)
		return;
	dlist_push_tail(&sched_shared->databases[waiter->db].waiters,
					&waiter->node);
	waiter->queued = true;
}

static void
take_out(QWaiter *waiter)
{
	dlist_delete(&waiter->node);
	waiter->queued = false;
}

void
sched_waiter_leave(QWaiter *waiter)
{
	bool		woken = !waiter->queued;
	int			db = waiter->db;

	if (waiter->queued)
		take_out(waiter);
	waiter->db = -1;
	waiter->proc = NULL;
	waiter->next_free = shared->free;
	shared->free = waiter - shared->slots + 1;
	if (woken)
		sched_queue_wake_workers(db);
}

/* May the executor that the session waits for have a task of the class? */
static bool
may_have(const QWaiter *waiter, const QClass *class)
{
	const QExecutor *executor = waiter->executor;

	return executor->db == waiter->db &&
		executor->spec.executor_id == waiter->executor_id &&
		executor->spec.status == SCHED_EXECUTOR_ONLINE &&
		executor->running < executor->spec.max_concurrent &&
		(class->kind == SCHED_KIND_ROUTED ?
		 class->role == (Oid) executor->spec.executor_id :
		 sched_executor_takes_kind(executor, class->kind) &&
		 sched_executor_has_tags(executor, class));
}

void
sched_waiter_wake(const QClass *class)
{
	SchedDatabase *db = &sched_shared->databases[class->db];
	dlist_iter	iter;

	dlist_foreach(iter, &sched_shared->databases[class->db].waiters)
	{
		QWaiter    *waiter = dlist_container(QWaiter, node, iter.cur);

		if (may_have(waiter, class))
		{
			take_out(waiter);
			sched_wake_process(waiter->proc);
			return;
		}
	}
	/* nobody waits here; somebody may listen */
	if (sched_notify_interval > 0 && !db->hint)
	{
		db->hint = true;
		sched_wake_scheduler(db);
	}
}

void
sched_waiter_wake_all(const QExecutor *executor)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &sched_shared->databases[executor->db].waiters)
	{
		QWaiter    *waiter = dlist_container(QWaiter, node, iter.cur);

		if (waiter->executor == executor)
		{
			take_out(waiter);
			sched_wake_process(waiter->proc);
		}
	}
}

int
sched_waiter_count(int db)
{
	dlist_iter	iter;
	int			count = 0;

	dlist_foreach(iter, &sched_shared->databases[db].waiters)
		count++;
	return count;
}
