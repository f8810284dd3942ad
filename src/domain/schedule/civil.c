/*-------------------------------------------------------------------------
 *
 * civil.c
 *	  Civil dates, and local time to UTC and back.
 *
 * Days are turned into dates through the 400-year cycle of the Gregorian
 * calendar, with years that begin in March so that the leap day is the last
 * one.  Everything is integer arithmetic without loops.
 *
 * A reading of a wall clock is turned into instants by looking at every
 * period of constant offset which could contain it.  An offset never exceeds
 * a day by much, so that only the periods within a bit more than a day on
 * either side of the reading (taken as if it were UTC) matter; nearly always
 * that is one.
 *
 *-------------------------------------------------------------------------
 */
#ifndef FRONTEND
#include "postgres.h"
#else
#include "postgres_fe.h"
#endif

#include "domain/schedule/civil.h"

/* Days from 0000-03-01 to 2000-01-01. */
#define EPOCH_SHIFT		730425
#define DAYS_PER_CYCLE	146097

/* No zone is further from UTC than this, in seconds. */
#define MAX_OFFSET		(26 * 3600)

bool
sched_civil_is_leap(int32 year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

int
sched_civil_month_days(int32 year, int month)
{
	static const uint8 days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return days[month - 1] + (month == 2 && sched_civil_is_leap(year) ? 1 : 0);
}

int32
sched_civil_day(int32 year, int month, int mday)
{
	int32		y = month <= 2 ? year - 1 : year;
	int32		cycle = (y >= 0 ? y : y - 399) / 400;
	int32		year_of_cycle = y - cycle * 400;
	int32		day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + mday - 1;

	return cycle * DAYS_PER_CYCLE +
		year_of_cycle * 365 + year_of_cycle / 4 - year_of_cycle / 100 +
		day_of_year - EPOCH_SHIFT;
}

SchedDate
sched_civil_date(int32 day)
{
	SchedDate	date;
	int64		shifted = (int64) day + EPOCH_SHIFT;
	int32		cycle = (int32) sched_floor_div(shifted, DAYS_PER_CYCLE);
	int32		day_of_cycle = (int32) (shifted - (int64) cycle * DAYS_PER_CYCLE);
	int32		year_of_cycle;
	int32		day_of_year;
	int32		march_month;

	year_of_cycle = (day_of_cycle - day_of_cycle / 1460 + day_of_cycle / 36524 -
					 day_of_cycle / 146096) / 365;
	day_of_year = day_of_cycle -
		(365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
	march_month = (5 * day_of_year + 2) / 153;

	date.mday = day_of_year - (153 * march_month + 2) / 5 + 1;
	date.month = march_month < 10 ? march_month + 3 : march_month - 9;
	date.year = year_of_cycle + cycle * 400 + (date.month <= 2 ? 1 : 0);
	return date;
}

int
sched_civil_weekday(int32 day)
{
	/* 2000-01-01 was a Saturday */
	return (int) sched_floor_mod((int64) day + 6, 7);
}

int64
sched_zone_to_local(const SchedZone *zone, int64 second)
{
	SchedZonePeriod period;

	zone->period(zone, second, &period);
	return second + period.offset;
}

void
sched_zone_from_local(const SchedZone *zone, int64 local_second,
					  SchedLocal *result)
{
	SchedZonePeriod period;
	SchedZonePeriod next;
	int			found = 0;

	zone->period(zone, local_second, &period);
	if (period.from <= local_second - MAX_OFFSET &&
		period.until > local_second + MAX_OFFSET)
	{
		result->kind = SCHED_LOCAL_UNIQUE;
		result->first = result->second = local_second - period.offset;
		return;
	}

	zone->period(zone, local_second - MAX_OFFSET, &period);
	for (;;)
	{
		int64		second = local_second - period.offset;

		if (period.from <= second && second < period.until)
		{
			if (found++ == 0)
				result->first = second;
			result->second = second;
			if (found == 2)
				break;
		}
		if (period.until > local_second + MAX_OFFSET)
			break;
		zone->period(zone, period.until, &next);

		/* a zone which does not move on would hold us here for ever */
		if (next.until <= period.until)
			break;

		if (found == 0 &&
			local_second >= period.until + period.offset &&
			local_second < period.until + next.offset)
		{
			result->kind = SCHED_LOCAL_GAP;
			result->first = period.until;
			result->second = local_second - period.offset;
			result->gap_from = period.until + period.offset;
			result->gap_until = period.until + next.offset;
			return;
		}
		period = next;
	}

	if (found == 0)
	{
		/* only a zone that contradicts itself comes here */
		result->first = result->second = local_second - period.offset;
	}
	result->kind = result->first == result->second ?
		SCHED_LOCAL_UNIQUE : SCHED_LOCAL_OVERLAP;
}
