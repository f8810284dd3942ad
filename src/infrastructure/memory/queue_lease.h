/*-------------------------------------------------------------------------
 *
 * queue_lease.h
 *	  Leases: what external executors do with the tasks of the queue.
 *
 * Every function but sched_queue_kind() needs sched_shared->lock held
 * exclusively; none can fail.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_QUEUE_LEASE_H
#define SCHED_QUEUE_LEASE_H

#include "infrastructure/memory/executors.h"

/* The kind of class that has the tasks of a type. */
extern uint32 sched_queue_kind(const char *type);

/*
 * Up to max ready tasks that the executor may have now, assigned to it and held
 * by the transaction of that process; returns how many.
 */
extern int	sched_queue_lease(QExecutor *executor, QTask **tasks, int max,
							  int pid, TimestampTz now);

/* Is there a task that the executor could have now?  The lock in any mode. */
extern bool sched_queue_has_for(const QExecutor *executor);

/* The same of a given task; false when it is not to be had. */
extern bool sched_queue_assign(QExecutor *executor, QTask *task, int pid,
							   TimestampTz now);

/* The transaction committed, or was rolled back. */
extern void sched_queue_lease_kept(QTask *task);
extern void sched_queue_lease_undone(QTask *task);

/* Assigned to running, and what a rollback makes of it. */
extern void sched_queue_start(QTask *task, TimestampTz now,
							  TimestampTz deadline);
extern void sched_queue_start_undone(QTask *task);

/* If the task's executor is no longer there, the scheduler is to look. */
extern void sched_queue_check_holder(const QTask *task);

/*
 * It was told to stop when it had just stopped by itself, and waits for another
 * attempt: there is to be none.  The scheduler ends it.
 */
extern void sched_queue_stop_waiting(QTask *task, SchedStopReason reason,
									 TimestampTz now);

extern void sched_queue_release(QTask *task, TimestampTz now);
extern void sched_queue_restore_orphan(QTask *task, TimestampTz started_at,
									   bool http);
extern void sched_queue_restore_lease(QExecutor *executor, QTask *task,
									  TimestampTz leased_at,
									  TimestampTz started_at,
									  TimestampTz deadline);

#endif							/* SCHED_QUEUE_LEASE_H */
