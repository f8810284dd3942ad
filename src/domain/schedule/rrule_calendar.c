/*-------------------------------------------------------------------------
 *
 * rrule_calendar.c
 *	  Recurrence rules on the days that a calendar allows.
 *
 * A rule may fire every second, and a calendar may exclude a year: so what is
 * excluded is stepped over by the day and never fire by fire.  A search alternates
 * between the two: the rule's next fire, then, if its day is excluded, the next
 * day that is not.  Counting adds up what the rule has in each run of allowed days.
 *
 * Each step costs a few microseconds, and their number is bounded by
 * SCHED_CALENDAR_PATIENCE: a rule and a calendar that never agree on so many
 * occasions in a row have nothing to do with each other.
 *
 *-------------------------------------------------------------------------
 */
#ifndef FRONTEND
#include "postgres.h"
#else
#include "postgres_fe.h"
#endif

#include "domain/schedule/schedule_int.h"

SchedTime
sched_rrule_allowed_next(const SchedRRule *rrule,
						 const SchedScheduleContext *context, SchedTime after)
{
	for (int i = 0; i < SCHED_CALENDAR_PATIENCE; i++)
	{
		SchedTime	fire = sched_rrule_next(rrule, context->zone,
											context->anchor, after);

		if (fire == SCHED_TIME_NEVER || sched_context_allows(context, fire))
			return fire;
		after = sched_context_next_day(context, fire);
		if (after == SCHED_TIME_NEVER)
			break;
		after--;
	}
	return SCHED_TIME_NEVER;
}

SchedTime
sched_rrule_allowed_last(const SchedRRule *rrule,
						 const SchedScheduleContext *context,
						 SchedTime after, SchedTime upto)
{
	for (int i = 0; i < SCHED_CALENDAR_PATIENCE && upto > after; i++)
	{
		SchedTime	fire = sched_rrule_last(rrule, context->zone,
											context->anchor, after, upto);

		if (fire == SCHED_TIME_BEGIN || sched_context_allows(context, fire))
			return fire;
		upto = sched_context_previous_day(context, fire);
		if (upto == SCHED_TIME_BEGIN)
			break;
	}
	return SCHED_TIME_BEGIN;
}

int64
sched_rrule_allowed_count(const SchedRRule *rrule,
						  const SchedScheduleContext *context,
						  SchedTime after, SchedTime upto, int64 limit)
{
	int64		count = 0;

	if (context->calendar == NULL)
		return sched_rrule_count(rrule, context->zone, context->anchor, after,
								 upto, limit);
	while (count < limit)
	{
		SchedTime	fire = sched_rrule_allowed_next(rrule, context, after);
		SchedTime	end;

		if (fire == SCHED_TIME_NEVER || fire > upto)
			break;
		/* the fires of this run of allowed days, the first one included */
		end = Min(sched_context_allowed_until(context, fire, upto), upto);
		count += sched_rrule_count(rrule, context->zone, context->anchor,
								   fire - 1, end, limit - count);
		after = end;
	}
	return Min(count, limit);
}
