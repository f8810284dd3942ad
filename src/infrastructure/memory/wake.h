/*-------------------------------------------------------------------------
 *
 * wake.h
 *	  The one place that wakes a process.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_WAKE_H
#define SCHED_WAKE_H

#include "infrastructure/memory/shmem.h"

/* All with sched_shared->lock held, in any mode. */
extern void sched_wake_launcher(void);
extern void sched_wake_scheduler(SchedDatabase *db);
extern void sched_wake_worker(SchedWorker *worker);
extern void sched_wake_http(SchedDatabase *db);
extern void sched_wake_process(PGPROC *proc);

/* Interrupt the statement of a worker, or the worker itself. */
extern void sched_wake_cancel(SchedWorker *worker);
extern void sched_wake_terminate(SchedWorker *worker);
extern void sched_wake_terminate_http(SchedDatabase *db);

#endif							/* SCHED_WAKE_H */
