/*-------------------------------------------------------------------------
 *
 * calendar.c
 *	  Is a day in a calendar?
 *
 * Design: the question is asked for each candidate day of each search, so
 * everything is prepared by the parser to be answered without loops: weekly,
 * yearly, n-th weekday and Easter rules are bit maps, single days and ranges
 * a sorted array of disjoint ranges for binary search.  Only calendars that
 * refer to others recurse, CALENDAR_MAX_DEPTH deep at most.
 *
 *-------------------------------------------------------------------------
 */
#ifndef FRONTEND
#include "postgres.h"
#else
#include "postgres_fe.h"
#endif

#include "domain/schedule/calendar_int.h"
#include "domain/schedule/civil.h"

/* What the rules ask about a day, worked out once */
typedef struct DayFacts
{
	int32		day;
	int			weekday;
	SchedDate	date;
} DayFacts;

static bool facts_in_calendar(const SchedCalendar *calendar,
							  const DayFacts *facts);

int
calendar_yearly_bit(int month, int mday)
{
	static const int16 before[] = {
		0, 31, 60, 91, 121, 152, 182, 213, 244, 274, 305, 335
	};

	return before[month - 1] + mday - 1;
}

/*
 * The Gregorian computus: the golden number and the century give the age of
 * the moon, that the Paschal full moon, and Easter is the Sunday after it.
 */
int32
sched_calendar_easter(int32 year)
{
	int			golden = (int) sched_floor_mod(year, 19);
	int			century = (int) sched_floor_div(year, 100);
	int			leap_centuries = (int) sched_floor_div(century, 4);
	int			moon_shift = (8 * century + 13) / 25;
	int			epact = (int) sched_floor_mod(century - leap_centuries -
											  moon_shift + 19 * golden + 15, 30);
	int32		full_moon;
	int			weekday;

	/* two corrections keep the full moon within 21 March and 18 April */
	if (epact == 29 || (epact == 28 && golden >= 11))
		epact--;
	full_moon = sched_civil_day(year, 3, 21 + epact);
	weekday = sched_civil_weekday(full_moon);
	return full_moon + 7 - weekday;
}

static bool
in_ranges(const CalendarDays *days, int32 day)
{
	int			low = 0;
	int			high = days->n_ranges;

	/* the last range that begins at or before the day */
	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (days->ranges[middle].from <= day)
			low = middle + 1;
		else
			high = middle;
	}
	return low > 0 && day <= days->ranges[low - 1].to;
}

static inline bool
bit_in(const uint64 *bits, int n)
{
	return (bits[n / 64] & SCHED_BIT64(n % 64)) != 0;
}

static bool
in_nth(const CalendarDays *days, const DayFacts *facts)
{
	int			length = sched_civil_month_days(facts->date.year,
												facts->date.month);
	int			nth = (facts->date.mday - 1) / 7 + 1;
	int			nth_last = (length - facts->date.mday) / 7 + 1;
	uint16		bits = days->nth[facts->date.month - 1][facts->weekday];

	return (bits & ((1u << nth) | (1u << (nth_last + 8)))) != 0;
}

static bool
in_easter(const CalendarDays *days, const DayFacts *facts)
{
	int32		offset = facts->day - sched_calendar_easter(facts->date.year);

	return offset >= CALENDAR_EASTER_MIN && offset <= CALENDAR_EASTER_MAX &&
		bit_in(days->easter, offset - CALENDAR_EASTER_MIN);
}

static bool
in_days(const CalendarDays *days, const DayFacts *facts)
{
	if (days->weekdays & (1u << facts->weekday))
		return true;
	if (days->n_ranges > 0 && in_ranges(days, facts->day))
		return true;
	if (days->has_yearly &&
		bit_in(days->yearly,
			   calendar_yearly_bit(facts->date.month, facts->date.mday)))
		return true;
	if (days->has_nth && in_nth(days, facts))
		return true;
	if (days->has_easter && in_easter(days, facts))
		return true;
	for (int i = 0; i < days->n_calendars; i++)
	{
		if (facts_in_calendar(days->calendars[i], facts))
			return true;
	}
	return false;
}

static bool
facts_in_calendar(const SchedCalendar *calendar, const DayFacts *facts)
{
	if (in_days(&calendar->exclude, facts))
		return false;
	return (calendar->weekly & (1u << facts->weekday)) != 0 ||
		in_days(&calendar->include, facts);
}

bool
sched_calendar_includes(const SchedCalendar *calendar, int32 day)
{
	DayFacts	facts;

	facts.day = day;
	facts.weekday = sched_civil_weekday(day);
	facts.date = sched_civil_date(day);
	return facts_in_calendar(calendar, &facts);
}

int32
sched_calendar_next_day(const SchedCalendar *calendar, int32 from, int32 until)
{
	while (from < until && !sched_calendar_includes(calendar, from))
		from++;
	return Min(from, until);
}

static int
compare_ranges(const void *a, const void *b)
{
	const CalendarRange *x = a;
	const CalendarRange *y = b;

	return x->from < y->from ? -1 : x->from > y->from ? 1 : 0;
}

void
calendar_tidy_ranges(CalendarDays *days)
{
	int			kept = 0;

	if (days->n_ranges == 0)
		return;
	qsort(days->ranges, days->n_ranges, sizeof(CalendarRange), compare_ranges);
	for (int i = 1; i < days->n_ranges; i++)
	{
		CalendarRange *last = &days->ranges[kept];

		if (days->ranges[i].from <= last->to + 1)
			last->to = Max(last->to, days->ranges[i].to);
		else
			days->ranges[++kept] = days->ranges[i];
	}
	days->n_ranges = kept + 1;
}

static void
free_days(CalendarDays *days)
{
	if (days->ranges != NULL)
		pfree(days->ranges);
	for (int i = 0; i < days->n_calendars; i++)
		sched_calendar_free(days->calendars[i]);
	if (days->calendars != NULL)
		pfree(days->calendars);
}

void
sched_calendar_free(SchedCalendar *calendar)
{
	if (calendar == NULL)
		return;
	free_days(&calendar->include);
	free_days(&calendar->exclude);
	pfree(calendar);
}
