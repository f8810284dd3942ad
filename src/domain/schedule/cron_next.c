/*-------------------------------------------------------------------------
 *
 * cron_next.c
 *	  When a cron expression fires.
 *
 * An expression describes readings of the local clock.  The lower half of the
 * work ignores zones: it finds the next matching reading, or counts those in
 * a stretch, by bit scans over the times of a day and the days of a month,
 * skipping from month to month.
 *
 * The upper half lays readings onto instants.  Within a period of constant
 * offset the two differ by that offset only, so it walks periods, and jumps
 * over those in which no reading matches.  What is special happens at the
 * start of a period:
 *
 * - the clock jumped forward: readings in the gap do not exist.  vixie lets a
 *   fixed time fire once at the end of the gap, shift_first moves each of
 *   them forward by the gap's length, the others drop them;
 * - the clock was set back: readings come a second time.  Which expressions
 *   follow them is decided by second_allowed().
 *
 * The calendar filters the day of the reading.  A search ends at the year
 * SCHED_YEAR_LIMIT, or when the calendar has excluded SCHED_CALENDAR_PATIENCE
 * matching days in a row; each step moves it forward by a month or a period,
 * so that it is bounded whatever the zone and the expression are.
 *
 *-------------------------------------------------------------------------
 */
#ifndef FRONTEND
#include "postgres.h"
#else
#include "postgres_fe.h"
#endif

#include "port/pg_bitutils.h"
#include "domain/schedule/schedule_int.h"

#define SECS_PER_DAY	INT64CONST(86400)

/* Further than this from a change of offset, the change has no effect. */
#define EDGE			(3 * SECS_PER_DAY)

/* vixie does not make up what a longer gap swallowed. */
#define VIXIE_GAP_MAX	(3 * 3600)

#define YEAR_FLOOR		1900

/* What a change of offset at the start of a period did to the local clock. */
typedef struct Change
{
	int64		at;				/* the instant; start of the period */
	int64		gap_from;		/* readings that do not exist */
	int64		gap_until;		/* = gap_from: none */
	int64		second_until;	/* readings below this are the second ones */
} Change;

static inline int64
second_limit(void)
{
	return (int64) sched_civil_day(SCHED_YEAR_LIMIT, 1, 1) * SECS_PER_DAY;
}

static inline int64
second_floor(void)
{
	return (int64) sched_civil_day(YEAR_FLOOR, 1, 1) * SECS_PER_DAY;
}

static inline bool
year_allowed(const SchedCron *cron, int32 year)
{
	int32		bit = year - SCHED_YEAR_FIRST;

	if (!cron->has_years)
		return true;
	if (bit < 0 || year >= SCHED_YEAR_LIMIT)
		return false;
	return (cron->years[bit / 64] >> (bit % 64) & 1) != 0;
}

/* Bits of a mask at or above a position. */
static inline uint64
from_bit(uint64 mask, int position)
{
	return position > 63 ? 0 : mask & (~UINT64CONST(0) << position);
}

static inline int
lowest(uint64 mask)
{
	return pg_rightmost_one_pos64(mask);
}

static inline int
bit_count(uint64 mask)
{
	return pg_popcount64(mask);
}

/* The first time of day at or after the given second of the day, or -1. */
static int
next_time(const SchedCron *cron, int second_of_day)
{
	int			hour = second_of_day / 3600;
	int			minute = second_of_day / 60 % 60;
	uint64		rest;

	if (cron->hours >> hour & 1)
	{
		if (cron->minutes >> minute & 1)
		{
			rest = from_bit(cron->seconds, second_of_day % 60);
			if (rest != 0)
				return hour * 3600 + minute * 60 + lowest(rest);
		}
		rest = from_bit(cron->minutes, minute + 1);
		if (rest != 0)
			return hour * 3600 + lowest(rest) * 60 + lowest(cron->seconds);
	}
	rest = from_bit(cron->hours, hour + 1);
	if (rest != 0)
		return lowest(rest) * 3600 + lowest(cron->minutes) * 60 + lowest(cron->seconds);
	return -1;
}

/* How many times of day lie before the given second of the day? */
static int
times_before(const SchedCron *cron, int second_of_day)
{
	int			hour = second_of_day / 3600;
	int			minute = second_of_day / 60 % 60;
	int			second = second_of_day % 60;
	int			seconds = bit_count(cron->seconds);
	int			minutes = bit_count(cron->minutes);
	int			count;

	count = bit_count(cron->hours & ((1U << hour) - 1)) * minutes * seconds;
	if (cron->hours >> hour & 1)
	{
		count += bit_count(cron->minutes & ((UINT64CONST(1) << minute) - 1)) * seconds;
		if (cron->minutes >> minute & 1)
			count += bit_count(cron->seconds & ((UINT64CONST(1) << second) - 1));
	}
	return count;
}

/* A month during a search: its matching days that are still ahead. */
typedef struct MonthCursor
{
	int32		year;
	int			month;
	int32		base;			/* the day before the first */
	uint32		days;			/* bits 1..31 */
} MonthCursor;

static void
cursor_load(const SchedCron *cron, MonthCursor *cursor)
{
	cursor->base = sched_civil_day(cursor->year, cursor->month, 1) - 1;
	cursor->days = (cron->months >> cursor->month & 1) && year_allowed(cron, cursor->year) ?
		sched_cron_month_days(cron, cursor->year, cursor->month) : 0;
}

static void
cursor_start(const SchedCron *cron, int32 day, MonthCursor *cursor)
{
	SchedDate	date = sched_civil_date(day);

	cursor->year = date.year;
	cursor->month = date.month;
	cursor_load(cron, cursor);
	cursor->days = (uint32) from_bit(cursor->days, date.mday);
}

/* Move to the next month in which the expression can match. */
static bool
cursor_advance(const SchedCron *cron, MonthCursor *cursor)
{
	uint64		rest = from_bit(cron->months, cursor->month + 1);

	if (rest == 0)
	{
		do
		{
			if (++cursor->year >= SCHED_YEAR_LIMIT)
				return false;
		} while (!year_allowed(cron, cursor->year));
		rest = cron->months;
	}
	cursor->month = lowest(rest);
	cursor_load(cron, cursor);
	return true;
}

/* The first matching reading in from <= reading < until. */
static bool
find_reading(const SchedCron *cron, const struct SchedCalendar *calendar,
			 int64 from, int64 until, int64 *reading)
{
	int32		today;
	int32		last_day;
	int			excluded = 0;
	MonthCursor cursor;

	if (from >= until)
		return false;
	today = (int32) sched_floor_div(from, SECS_PER_DAY);
	last_day = (int32) sched_floor_div(until - 1, SECS_PER_DAY);
	cursor_start(cron, today, &cursor);
	do
	{
		for (; cursor.days != 0; cursor.days &= cursor.days - 1)
		{
			int32		day = cursor.base + lowest(cursor.days);
			int			time;

			if (day > last_day)
				return false;
			time = next_time(cron, day == today ? (int) (from - today * SECS_PER_DAY) : 0);
			if (time < 0)
				continue;
			if (calendar != NULL && !sched_calendar_includes(calendar, day))
			{
				if (++excluded >= SCHED_CALENDAR_PATIENCE)
					return false;
				continue;
			}
			*reading = day * SECS_PER_DAY + time;
			return *reading < until;
		}
		if (cursor.base + 31 > last_day)
			return false;
	} while (cursor_advance(cron, &cursor));
	return false;
}

/* How many matching readings lie in from <= reading < until? */
static int64
count_readings(const SchedCron *cron, const struct SchedCalendar *calendar,
			   int64 from, int64 until)
{
	int32		first_day;
	int32		last_day;		/* the day of "until", of which a part counts */
	int64		total = 0;
	int			per_day;
	MonthCursor cursor;

	if (from >= until)
		return 0;
	first_day = (int32) sched_floor_div(from, SECS_PER_DAY);
	last_day = (int32) sched_floor_div(until, SECS_PER_DAY);
	per_day = bit_count(cron->hours) * bit_count(cron->minutes) * bit_count(cron->seconds);
	cursor_start(cron, first_day, &cursor);
	do
	{
		uint32		days = cursor.days;

		if (cursor.base >= last_day)
			break;
		if (calendar != NULL)
		{
			for (uint32 rest = days; rest != 0; rest &= rest - 1)
			{
				int			mday = lowest(rest);

				if (cursor.base + mday > last_day)
					break;
				if (!sched_calendar_includes(calendar, cursor.base + mday))
					days &= ~(1U << mday);
			}
		}
		if (first_day > cursor.base && (days >> (first_day - cursor.base) & 1))
			total -= times_before(cron, (int) (from - first_day * SECS_PER_DAY));
		if (last_day <= cursor.base + 31)
		{
			int			mday = last_day - cursor.base;

			if (days >> mday & 1)
				total += times_before(cron, (int) (until - last_day * SECS_PER_DAY));
			days &= (1U << mday) - 1;
		}
		total += (int64) bit_count(days) * per_day;
	} while (cursor_advance(cron, &cursor));
	return total;
}

bool
sched_cron_reading(const SchedCron *cron, int64 from, int64 until, int64 *reading)
{
	return find_reading(cron, NULL, from, until, reading);
}

/* Does the expression name a time of day, rather than follow the clock? */
static inline bool
is_fixed(const SchedCron *cron)
{
	return !cron->minute_star && !cron->hour_star;
}

static inline bool
is_hourly(const SchedCron *cron)
{
	return cron->hours == 0xffffff;
}

/* What happened at the start of the period, if that still matters at t. */
static void
look_back(const SchedZone *zone, const SchedZonePeriod *period, int64 t,
		  Change *change)
{
	SchedZonePeriod before;

	change->at = period->from;
	change->gap_from = change->gap_until = 0;
	change->second_until = PG_INT64_MIN;
	if (period->from == PG_INT64_MIN || t - period->from >= EDGE)
		return;
	zone->period(zone, period->from - 1, &before);
	if (before.offset < period->offset)
	{
		change->gap_from = period->from + before.offset;
		change->gap_until = period->from + period->offset;
	}
	else
		change->second_until = period->from + before.offset;
}

/*
 * May readings fire that come a second time?
 *
 * skip_first and shift_first keep to the first, but an expression for every
 * hour follows the clock; skip_first drops a repetition only where it would
 * follow its own first, that is, when the repeated stretch holds one match.
 */
static bool
second_allowed(const SchedCron *cron, const SchedScheduleContext *context,
			   const SchedZonePeriod *period, const Change *change)
{
	switch (context->dst_policy)
	{
		case SCHED_DST_VIXIE:
			return !is_fixed(cron);
		case SCHED_DST_SKIP_BOTH:
			return true;
		case SCHED_DST_SKIP_FIRST:
			return is_hourly(cron) ||
				count_readings(cron, context->calendar,
							   period->from + period->offset,
							   change->second_until) > 1;
		case SCHED_DST_SHIFT_FIRST:
			return is_hourly(cron);
	}
	return true;
}

/* The first fire at or after t that stands in for readings lost in a gap. */
static bool
next_from_gap(const SchedCron *cron, const SchedScheduleContext *context,
			  const Change *change, int64 t, int64 *fire)
{
	int64		length = change->gap_until - change->gap_from;
	int64		reading;

	if (length == 0 || t - change->at >= length)
		return false;
	switch (context->dst_policy)
	{
		case SCHED_DST_VIXIE:
			if (t > change->at || length > VIXIE_GAP_MAX || !is_fixed(cron) ||
				!find_reading(cron, context->calendar, change->gap_from,
							  change->gap_until, &reading))
				return false;
			*fire = change->at;
			return true;
		case SCHED_DST_SHIFT_FIRST:
			if (!find_reading(cron, context->calendar,
							  change->gap_from + (t - change->at),
							  change->gap_until, &reading))
				return false;
			*fire = change->at + (reading - change->gap_from);
			return true;
		default:
			return false;
	}
}

SchedTime
sched_cron_next(const SchedCron *cron, const SchedScheduleContext *context,
				SchedTime after)
{
	const SchedZone *zone = context->zone;
	int64		limit = second_limit();
	int64		t = Max(sched_time_second(after) + 1, second_floor());

	while (t < limit)
	{
		SchedZonePeriod period;
		Change		change;
		int64		from;
		int64		reading;
		int64		real = PG_INT64_MAX;
		int64		made_up;

		zone->period(zone, t, &period);
		look_back(zone, &period, t, &change);
		from = t + period.offset;
		if (from < change.second_until &&
			!second_allowed(cron, context, &period, &change))
			from = change.second_until;

		if (find_reading(cron, context->calendar, from, limit, &reading))
			real = reading - period.offset;
		if (next_from_gap(cron, context, &change, t, &made_up) && made_up <= real)
			return made_up * SCHED_USEC_PER_SEC;
		if (real < period.until && real < limit)
			return real * SCHED_USEC_PER_SEC;

		/*
		 * Nothing until the offset changes.  Close to the change, readings
		 * before this one may come again, so go there.  Otherwise nothing can
		 * fire before the reading that was found, give or take the difference
		 * of two offsets.
		 */
		if (period.until <= t + EDGE)
			t = period.until;
		else if (real == PG_INT64_MAX)
			break;
		else
			t = Max(period.until, real - EDGE);
	}
	return SCHED_TIME_NEVER;
}

/* How many fires at t <= fire < end, inside one period, come from a gap only? */
static int64
count_from_gap(const SchedCron *cron, const SchedScheduleContext *context,
			   const Change *change, int64 t, int64 end)
{
	int64		count = 0;
	int64		fire;

	while (t < end && next_from_gap(cron, context, change, t, &fire) && fire < end)
	{
		/* the reading that the clock shows at that instant */
		int64		shown = fire - change->at + change->gap_until;
		int64		reading;

		if (!find_reading(cron, context->calendar, shown, shown + 1, &reading))
			count++;
		t = fire + 1;
	}
	return count;
}

int64
sched_cron_count(const SchedCron *cron, const SchedScheduleContext *context,
				 SchedTime after, SchedTime upto, int64 limit)
{
	const SchedZone *zone = context->zone;
	int64		t = Max(sched_time_second(after) + 1, second_floor());
	int64		end = Min(sched_time_second(upto) + 1, second_limit());
	int64		total = 0;

	while (t < end && total < limit)
	{
		SchedZonePeriod period;
		Change		change;
		int64		stop;
		int64		from;

		zone->period(zone, t, &period);
		look_back(zone, &period, t, &change);
		stop = Min(period.until, end);
		from = t + period.offset;
		if (from < change.second_until &&
			!second_allowed(cron, context, &period, &change))
			from = change.second_until;
		total += count_readings(cron, context->calendar, from, stop + period.offset);
		total += count_from_gap(cron, context, &change, t, stop);
		t = stop;
	}
	return Min(total, limit);
}
