/*-------------------------------------------------------------------------
 *
 * interval.h
 *	  Durations as people write them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_INTERVAL_H
#define SCHED_INTERVAL_H

#include "domain/domain.h"

/*
 * A duration whose months have no fixed length.  Days are always 24 hours
 * here; they are kept apart from usec only to be described as they were
 * written.
 */
typedef struct SchedInterval
{
	int32		months;
	int32		days;
	int64		usec;
} SchedInterval;

#define SCHED_USEC_PER_DAY	(SCHED_SECS_PER_DAY * SCHED_USEC_PER_SEC)

/* Longest duration accepted, in either direction: a thousand years. */
#define SCHED_INTERVAL_MAX_MONTHS	12000
#define SCHED_INTERVAL_MAX_DAYS		366000

/*
 * Parse a PostgreSQL interval ("1 hour 30 minutes", "01:30", "P1DT2H",
 * "1-2", "3 days ago") or a Go duration ("1h30m", "100ms").  Error positions
 * count from the start of text.  Sign and size are not judged beyond the
 * limits above.
 */
extern bool sched_interval_parse(const char *text, SchedInterval *result,
								 SchedError *err);

/* The length in microseconds with 30 days to the month; never overflows. */
extern int64 sched_interval_usec(const SchedInterval *interval);

#endif							/* SCHED_INTERVAL_H */
