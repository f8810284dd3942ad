/*-------------------------------------------------------------------------
 *
 * calendar_int.h
 *	  Inside of a calendar: for calendar.c and calendar_parse.c only.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_CALENDAR_INT_H
#define SCHED_CALENDAR_INT_H

#include "domain/schedule/bits.h"
#include "domain/schedule/calendar.h"

/* Offsets from Easter that stay within the year, whenever Easter is */
#define CALENDAR_EASTER_MIN		(-80)
#define CALENDAR_EASTER_MAX		250

/* What a calendar may hold, and how far calendars may refer to others */
#define CALENDAR_MAX_RANGES		10000
#define CALENDAR_MAX_DEPTH		8
#define CALENDAR_MAX_TOTAL		32

typedef struct CalendarRange
{
	int32		from;			/* days, both included */
	int32		to;
} CalendarRange;

/* The days of "include" or "exclude" */
typedef struct CalendarDays
{
	CalendarRange *ranges;		/* sorted, apart from each other */
	int			n_ranges;
	int			range_capacity;
	uint32		weekdays;		/* bit 0 = Sunday */
	bool		has_yearly;
	bool		has_nth;
	bool		has_easter;
	uint64		yearly[6];		/* bit 0 = 1 January, bit 59 = 29 February */
	uint16		nth[12][7];		/* bits 1-5: n-th, 9-13: n-th from the end */
	uint64		easter[6];		/* bit 0 = CALENDAR_EASTER_MIN */
	SchedCalendar **calendars;
	int			n_calendars;
} CalendarDays;

struct SchedCalendar
{
	uint32		weekly;
	CalendarDays include;
	CalendarDays exclude;
};

/* The number of a month and day in a leap year, from 0 */
extern int	calendar_yearly_bit(int month, int mday);

/* Sort the ranges and join those that touch. */
extern void calendar_tidy_ranges(CalendarDays *days);

#endif							/* SCHED_CALENDAR_INT_H */
