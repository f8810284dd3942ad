/*-------------------------------------------------------------------------
 *
 * pool.h
 *	  The scheduler's care for the workers of its database.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_POOL_H
#define SCHED_POOL_H

#include "infrastructure/memory/shmem.h"

/* Write down what became of tasks whose worker died. */
extern void sched_pool_settle(int db);

/* Tasks that were taken in a transaction that failed go on. */
extern void sched_pool_put_back(int db);

/*
 * Start workers for tasks that nobody takes.  Returns when to look again (real
 * time), 0: only when something happens.
 */
extern TimestampTz sched_pool_grow(int db);

/* Tell all workers of the database to go when they are idle. */
extern void sched_pool_dismiss(int db);

/* A task's time is up: interrupt it, and later its worker.  Lock held. */
struct QTask;
extern void sched_pool_enforce(struct QTask *task, SchedStopReason reason,
							   bool now);

/*
 * A worker of the class has died before its first task.  With the lock held.
 */
extern void sched_pool_start_failed(QClass *class);

#endif							/* SCHED_POOL_H */
