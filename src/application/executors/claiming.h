/*-------------------------------------------------------------------------
 *
 * claiming.h
 *	  Waiting in the server for tasks to claim.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_CLAIMING_H
#define SCHED_CLAIMING_H

#include "application/executors/leases.h"

/* A SELECT holds a snapshot while it waits: not for longer than this. */
#define SCHED_MAX_WAIT		(60 * USECS_PER_SEC)

/*
 * Claim up to max tasks; when there is none, wait up to that many microseconds
 * for one.  Raises 42704, 42501, and 55000 when the executor is not online.
 */
extern int	sched_wait_and_claim(const char *executor, int max, int64 wait,
								 bool start, SchedClaim *claims);

/*
 * Wait until there is something that the executor could claim; false when
 * there is nothing by then.  Holds no snapshot by itself.
 */
extern bool sched_wait_for_tasks(const char *executor, int64 wait);

#endif							/* SCHED_CLAIMING_H */
