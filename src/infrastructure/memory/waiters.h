/*-------------------------------------------------------------------------
 *
 * waiters.h
 *	  Sessions that wait in the server for a task to claim.
 *
 * Every function needs sched_shared->lock held exclusively; none can fail.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_WAITERS_H
#define SCHED_WAITERS_H

#include "infrastructure/memory/executors.h"

typedef struct QWaiter
{
	dlist_node	node;			/* in its database's list, while queued */
	uint32		next_free;
	PGPROC	   *proc;
	int			db;				/* -1: free */
	QExecutor  *executor;
	int			executor_id;	/* of whoever the slot belonged to */
	bool		queued;			/* in the list: not woken yet */
} QWaiter;

/* Allocation, for shmem.c. */
extern Size sched_waiters_size(void);
extern void sched_waiters_attach(bool found);

/* Stand in line for the executor; NULL when there is no room. */
extern QWaiter *sched_waiter_enter(int db, QExecutor *executor);

/* Again, at the end of the line, after having found nothing. */
extern void sched_waiter_requeue(QWaiter *waiter);
extern void sched_waiter_leave(QWaiter *waiter);

/* A task of the class is ready: wake the first one that may have it. */
extern void sched_waiter_wake(const QClass *class);

/* The executor's status changed, or it is gone: all its waiters look. */
extern void sched_waiter_wake_all(const QExecutor *executor);

extern int	sched_waiter_count(int db);

#endif							/* SCHED_WAITERS_H */
