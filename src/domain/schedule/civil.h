/*-------------------------------------------------------------------------
 *
 * civil.h
 *	  Civil (proleptic Gregorian) dates, and local time to UTC and back.
 *
 * A "day" is a count of days since 2000-01-01, a "local second" the reading
 * of a wall clock expressed as seconds since 2000-01-01 00:00:00 on that same
 * clock, a "second" an instant in seconds since 2000-01-01 00:00:00 UTC.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_CIVIL_H
#define SCHED_CIVIL_H

#include "domain/domain.h"
#include "domain/schedule/zone.h"

/* No fire is looked for at or after the start of this year. */
#define SCHED_YEAR_LIMIT	2201

typedef struct SchedDate
{
	int32		year;
	int32		month;			/* 1..12 */
	int32		mday;			/* 1..31 */
} SchedDate;

extern bool sched_civil_is_leap(int32 year);
extern int	sched_civil_month_days(int32 year, int month);

/* mday may lie outside the month: day arithmetic carries over. */
extern int32 sched_civil_day(int32 year, int month, int mday);
extern SchedDate sched_civil_date(int32 day);

/* 0 = Sunday .. 6 = Saturday */
extern int	sched_civil_weekday(int32 day);

/* Division that rounds towards minus infinity, and the rest that goes with it. */
static inline int64
sched_floor_div(int64 value, int64 divisor)
{
	int64		quotient = value / divisor;

	return quotient - (value % divisor < 0 ? 1 : 0);
}

static inline int64
sched_floor_mod(int64 value, int64 divisor)
{
	int64		rest = value % divisor;

	return rest < 0 ? rest + divisor : rest;
}

/* The whole second at or before an instant. */
static inline int64
sched_time_second(SchedTime t)
{
	return sched_floor_div(t, SCHED_USEC_PER_SEC);
}

typedef enum SchedLocalKind
{
	SCHED_LOCAL_UNIQUE,			/* one instant has this reading */
	SCHED_LOCAL_GAP,			/* none: the clock jumped over it */
	SCHED_LOCAL_OVERLAP			/* two: the clock was set back */
} SchedLocalKind;

/*
 * What a reading of the local clock means.
 *
 * UNIQUE: first = second = the instant.
 * OVERLAP: first < second.
 * GAP: first is the instant of the jump, which is also the first instant
 * after the gap; second is the reading shifted forward by the gap's length.
 * The readings gap_from <= r < gap_until do not exist.
 */
typedef struct SchedLocal
{
	SchedLocalKind kind;
	int64		first;
	int64		second;
	int64		gap_from;
	int64		gap_until;
} SchedLocal;

#define sched_local_gap_length(local)	((local)->gap_until - (local)->gap_from)

extern int64 sched_zone_to_local(const SchedZone *zone, int64 second);
extern void sched_zone_from_local(const SchedZone *zone, int64 local_second,
								  SchedLocal *result);

#endif							/* SCHED_CIVIL_H */
