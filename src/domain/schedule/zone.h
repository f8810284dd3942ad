/*-------------------------------------------------------------------------
 *
 * zone.h
 *	  A time zone as the domain sees it: periods of constant offset.
 *
 * The server supplies zones from its own time zone library
 * (infrastructure/pgzone.c); tests and fuzzers supply them from TZif files.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_ZONE_H
#define SCHED_ZONE_H

#include "domain/domain.h"

/*
 * The stretch of time around an instant in which the offset from UTC does not
 * change: from <= t < until, in seconds since 2000-01-01 UTC.  PG_INT64_MIN and
 * PG_INT64_MAX stand for a side without a boundary.
 */
typedef struct SchedZonePeriod
{
	int64		from;
	int64		until;
	int32		offset;			/* seconds east of UTC */
	bool		is_dst;			/* is this daylight-saving time? */
} SchedZonePeriod;

typedef struct SchedZone SchedZone;
struct SchedZone
{
	void		(*period) (const SchedZone *zone, int64 second,
						   SchedZonePeriod *result);
	void	   *data;
	char		name[64];
};

#endif							/* SCHED_ZONE_H */
