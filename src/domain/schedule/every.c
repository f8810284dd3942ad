/*-------------------------------------------------------------------------
 *
 * every.c
 *	  Fixed rates and fixed delays, and the days that a calendar allows.
 *
 * The n-th fire of a rate is computed from its anchor, never from the fire
 * before: a rate of days, hours and less is a multiple of elapsed time, and
 * for a rate with months n times as many months are added to the anchor's
 * local date (held to the last day of a shorter month) before the elapsed
 * part.  So a rate from 31 January comes back to the 31st in March, and
 * nothing drifts.
 *
 * A calendar filters the local day of each fire.  Inside a period of constant
 * offset local days are plain ranges of instants, so fires are skipped and
 * counted by the day.
 *
 *-------------------------------------------------------------------------
 */
#ifndef FRONTEND
#include "postgres.h"
#else
#include "postgres_fe.h"
#endif

#include "domain/schedule/schedule_int.h"

#define SECS_PER_DAY	INT64CONST(86400)

static inline SchedTime
time_limit(void)
{
	return (SchedTime) sched_civil_day(SCHED_YEAR_LIMIT, 1, 1) * SCHED_USEC_PER_DAY;
}

/* Sums with the longest interval stay far from overflow behind this. */
static inline SchedTime
time_floor(void)
{
	return (SchedTime) sched_civil_day(1000, 1, 1) * SCHED_USEC_PER_DAY;
}

/* An anchor outside of any sensible range stands for no anchor at all. */
static inline SchedTime
usable_anchor(const SchedScheduleContext *context)
{
	return context->anchor < time_floor() ? 0 : context->anchor;
}

bool
sched_context_allows(const SchedScheduleContext *context, SchedTime t)
{
	int64		local;

	if (context->calendar == NULL)
		return true;
	local = sched_zone_to_local(context->zone, sched_time_second(t));
	return sched_calendar_includes(context->calendar,
								   (int32) sched_floor_div(local, SECS_PER_DAY));
}

/* The end of the stretch around a second with one offset and one local day. */
static int64
local_day_end(const SchedZone *zone, int64 second, int32 *day)
{
	SchedZonePeriod period;
	int64		midnight;

	zone->period(zone, second, &period);
	*day = (int32) sched_floor_div(second + period.offset, SECS_PER_DAY);
	midnight = (*day + 1) * SECS_PER_DAY - period.offset;
	return Min(midnight, period.until);
}

SchedTime
sched_context_next_day(const SchedScheduleContext *context, SchedTime t)
{
	int64		second = sched_time_second(t);
	int32		day;

	for (int i = 0; i < SCHED_CALENDAR_PATIENCE; i++)
	{
		second = local_day_end(context->zone, second, &day);
		if (sched_context_allows(context, second * SCHED_USEC_PER_SEC))
			return second * SCHED_USEC_PER_SEC;
	}
	return SCHED_TIME_NEVER;
}

SchedTime
sched_context_previous_day(const SchedScheduleContext *context, SchedTime t)
{
	int64		second = sched_time_second(t);

	for (int i = 0; i < SCHED_CALENDAR_PATIENCE; i++)
	{
		SchedZonePeriod period;
		int64		day;

		/* the last second before the stretch with this offset and this day */
		context->zone->period(context->zone, second, &period);
		day = sched_floor_div(second + period.offset, SECS_PER_DAY);
		second = Max(day * SECS_PER_DAY - period.offset, period.from) - 1;
		if (sched_context_allows(context, second * SCHED_USEC_PER_SEC))
			return second * SCHED_USEC_PER_SEC + SCHED_USEC_PER_SEC - 1;
	}
	return SCHED_TIME_BEGIN;
}

SchedTime
sched_context_allowed_until(const SchedScheduleContext *context, SchedTime t,
							SchedTime upto)
{
	int64		second = sched_time_second(t);
	int32		day;

	do
		second = local_day_end(context->zone, second, &day);
	while (second * SCHED_USEC_PER_SEC <= upto &&
		   sched_context_allows(context, second * SCHED_USEC_PER_SEC));
	return second * SCHED_USEC_PER_SEC - 1;
}

/* Fire number n of a rate with months. */
static SchedTime
month_fire(const SchedInterval *interval, const SchedZone *zone,
		   SchedTime anchor, int64 n)
{
	int64		second = sched_time_second(anchor);
	int64		local = sched_zone_to_local(zone, second);
	int32		day = (int32) sched_floor_div(local, SECS_PER_DAY);
	SchedDate	date = sched_civil_date(day);
	int64		months = date.year * INT64CONST(12) + date.month - 1 + n * interval->months;
	int32		year = (int32) (months / 12);
	int			month = (int) (months % 12) + 1;
	SchedLocal	where;
	int64		mday = Min(date.mday, sched_civil_month_days(year, month));

	if (n == 0)
		return anchor;
	sched_zone_from_local(zone,
						  sched_civil_day(year, month, (int) mday) * SECS_PER_DAY +
						  (local - day * SECS_PER_DAY), &where);
	return (where.kind == SCHED_LOCAL_GAP ? where.second : where.first) * SCHED_USEC_PER_SEC +
		(anchor - second * SCHED_USEC_PER_SEC) +
		n * (interval->days * SCHED_USEC_PER_DAY + interval->usec);
}

/* The number of the first fire strictly after an instant; below zero never. */
static int64
first_number(const SchedInterval *interval, const SchedZone *zone,
			 SchedTime anchor, SchedTime after)
{
	int64		low = 0;
	int64		high;

	if (after < anchor)
		return 0;
	if (interval->months == 0)
		return (after - anchor) / sched_interval_usec(interval) + 1;

	/* no month is shorter than 28 days, so this one lies behind "after" */
	high = (after - anchor) / ((interval->months * 28 + interval->days) *
							   SCHED_USEC_PER_DAY + interval->usec) + 2;
	while (low + 1 < high)
	{
		int64		middle = low + (high - low) / 2;

		if (month_fire(interval, zone, anchor, middle) > after)
			high = middle;
		else
			low = middle;
	}
	return high;
}

static SchedTime
every_raw_next(const SchedInterval *interval, const SchedScheduleContext *context,
			   SchedTime after)
{
	SchedTime	anchor = usable_anchor(context);
	SchedTime	limit = time_limit();
	SchedTime	fire;
	int64		n;

	if (after >= limit || anchor >= limit)
		return SCHED_TIME_NEVER;
	n = first_number(interval, context->zone, anchor, after);
	if (interval->months == 0)
		fire = anchor + n * sched_interval_usec(interval);
	else
		fire = month_fire(interval, context->zone, anchor, n);
	return fire < limit ? fire : SCHED_TIME_NEVER;
}

SchedTime
sched_every_next(const SchedInterval *interval,
				 const SchedScheduleContext *context, SchedTime after)
{
	SchedTime	fire = every_raw_next(interval, context, after);

	for (int i = 0; i < SCHED_CALENDAR_PATIENCE && fire != SCHED_TIME_NEVER; i++)
	{
		if (sched_context_allows(context, fire))
			return fire;
		fire = sched_context_next_day(context, fire);
		if (fire != SCHED_TIME_NEVER)
			fire = every_raw_next(interval, context, fire - 1);
	}
	return SCHED_TIME_NEVER;
}

SchedTime
sched_every_last(const SchedInterval *interval,
				 const SchedScheduleContext *context,
				 SchedTime after, SchedTime upto)
{
	SchedTime	anchor = usable_anchor(context);

	upto = Min(upto, time_limit() - 1);
	for (int i = 0; i < SCHED_CALENDAR_PATIENCE && upto > after; i++)
	{
		int64		n = first_number(interval, context->zone, anchor, upto) - 1;
		SchedTime	fire;

		if (n < 0)
			break;
		fire = interval->months == 0 ?
			anchor + n * sched_interval_usec(interval) :
			month_fire(interval, context->zone, anchor, n);
		if (fire <= after)
			break;
		if (sched_context_allows(context, fire))
			return fire;
		upto = sched_context_previous_day(context, fire);
		if (upto == SCHED_TIME_BEGIN)
			break;
	}
	return SCHED_TIME_BEGIN;
}

int64
sched_every_count(const SchedInterval *interval,
				  const SchedScheduleContext *context,
				  SchedTime after, SchedTime upto, int64 limit)
{
	SchedTime	anchor = usable_anchor(context);
	int64		total = 0;

	/* past the horizon of next(), there is nothing to count */
	upto = Min(upto, time_limit() - 1);
	after = Max(after, anchor - 1);
	while (after < upto && total < limit)
	{
		SchedTime	stop = upto;

		if (context->calendar != NULL)
		{
			int32		day;
			SchedTime	end = local_day_end(context->zone, sched_time_second(after + 1), &day) *
			SCHED_USEC_PER_SEC - 1;

			stop = Min(upto, end);
			if (!sched_calendar_includes(context->calendar, day))
			{
				after = stop;
				continue;
			}
		}
		total += first_number(interval, context->zone, anchor, stop) -
			first_number(interval, context->zone, anchor, after);
		after = stop;
	}
	return Min(total, limit);
}

SchedTime
sched_after_next(const SchedInterval *interval,
				 const SchedScheduleContext *context, SchedTime after)
{
	SchedTime	end = Max(context->previous_end, time_floor());
	SchedTime	due;

	if (after >= time_limit())
		return SCHED_TIME_NEVER;
	if (context->previous_end == SCHED_TIME_BEGIN)
		due = context->anchor;
	else if (end >= time_limit())
		return SCHED_TIME_NEVER;
	else if (interval->months > 0)
		due = month_fire(interval, context->zone, end, 1);
	else
		due = end + sched_interval_usec(interval);

	/* what is overdue fires at once, not never */
	due = Max(due, after + 1);
	if (!sched_context_allows(context, due))
		due = sched_context_next_day(context, due);
	return due < time_limit() ? due : SCHED_TIME_NEVER;
}
