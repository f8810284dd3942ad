/*-------------------------------------------------------------------------
 *
 * counters.h
 *	  What happened, counted, per database.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_COUNTERS_H
#define SCHED_COUNTERS_H

#include "port/atomics.h"

#define SCHED_HISTOGRAM_BOUNDS	18
/* one count for each bound, one for what lies above, and the sum in microseconds */
#define SCHED_HISTOGRAM_SIZE	(SCHED_HISTOGRAM_BOUNDS + 2)

/* Names are in counters.c. */
typedef enum SchedCounter
{
	SCHED_COUNT_TASKS,			/* ordered or fired */
	SCHED_COUNT_COMPLETED,		/* tasks that ended so; likewise below */
	SCHED_COUNT_FAILED,
	SCHED_COUNT_TIMEOUT,
	SCHED_COUNT_CANCELLED,
	SCHED_COUNT_SKIPPED,
	SCHED_COUNT_UPSTREAM_FAILED,
	SCHED_COUNT_MISSED,
	SCHED_COUNT_RETRIES,		/* attempts after which another one follows */
	SCHED_COUNT_TIMEOUTS,		/* attempts that took too long */
	SCHED_COUNT_LOST,			/* attempts whose executor was lost */
	SCHED_COUNT_RELEASED,		/* attempts given back unfinished */
	SCHED_COUNT_MISFIRES,		/* occurrences that were not run in time */
	SCHED_COUNT_LATENESS,		/* histogram: from due to started */
	SCHED_COUNT_DURATION = SCHED_COUNT_LATENESS + SCHED_HISTOGRAM_SIZE,
	/* histogram: from started to finished */
	SCHED_COUNTERS = SCHED_COUNT_DURATION + SCHED_HISTOGRAM_SIZE
} SchedCounter;

/* Of one database, in shared memory. */
typedef struct SchedCounters
{
	pg_atomic_uint32 open;		/* 0: nobody counts, see counters.c */
	pg_atomic_uint64 value[SCHED_COUNTERS];
} SchedCounters;

/* Called once, in the postmaster. */
extern void sched_counters_install(void);

/* For shmem.c. */
extern void sched_counters_init(SchedCounters *counters);

/* Count once the running transaction has committed. */
extern void sched_counters_add(SchedCounter counter, int64 n);
extern void sched_counters_observe(SchedCounter histogram, int64 usec);

/* Count at once. */
extern void sched_counters_observe_now(SchedCounters *counters,
									   SchedCounter histogram, int64 usec);

/* Begin at zero, and stop. */
extern void sched_counters_open(SchedCounters *counters);
extern bool sched_counters_is_open(SchedCounters *counters);
extern void sched_counters_close(SchedCounters *counters);

/* Names, for those who save, restore and show. */
extern const char *sched_counter_name(int counter);
extern int	sched_counter_by_name(const char *name);	/* -1: unknown */
extern int64 sched_counter_bound(int i);	/* microseconds, ascending */

#endif							/* SCHED_COUNTERS_H */
