/*-------------------------------------------------------------------------
 *
 * clock.h
 *	  The one place that tells the time.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_CLOCK_H
#define SCHED_CLOCK_H

#include "datatype/timestamp.h"

/* What time it is for the scheduler: the real time, unless a test set it. */
extern TimestampTz sched_clock_now(void);

/* Does the time stand still? */
extern bool sched_clock_is_frozen(void);

/* For tests: stop the clock at an instant, or let it run again (0). */
extern void sched_clock_set(TimestampTz instant);

#endif							/* SCHED_CLOCK_H */
