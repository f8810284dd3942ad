/*-------------------------------------------------------------------------
 *
 * surprise.c
 *	  What is likely to surprise the author of a schedule.
 *
 * Nothing here is an error.  Each finding is one phrase; several are joined
 * by semicolons.  The search for a coming gap of the local clock looks one
 * year ahead, period by period.
 *
 *-------------------------------------------------------------------------
 */
#ifndef FRONTEND
#include "postgres.h"
#else
#include "postgres_fe.h"
#endif

#include "lib/stringinfo.h"
#include "domain/schedule/schedule_int.h"

#define SECS_PER_DAY	INT64CONST(86400)
#define LOOK_AHEAD		(366 * SECS_PER_DAY)

#define ALL_MDAYS		0xfffffffeU
#define ALL_WEEKDAYS	0x7fU

/* A cycle after which dates fall on the same weekdays again. */
#define FIRST_YEAR		2000
#define YEAR_CYCLE		28

static void
begin_phrase(StringInfo out)
{
	if (out->len > 0)
		appendStringInfoString(out, "; ");
}

static void
append_clock(StringInfo out, int64 local_second)
{
	int			rest = (int) sched_floor_mod(local_second, SECS_PER_DAY);

	appendStringInfo(out, "%02d:%02d", rest / 3600, rest / 60 % 60);
	if (rest % 60 != 0)
		appendStringInfo(out, ":%02d", rest % 60);
}

static void
append_date(StringInfo out, int64 local_second)
{
	SchedDate	date = sched_civil_date((int32) sched_floor_div(local_second, SECS_PER_DAY));

	appendStringInfo(out, "%04d-%02d-%02d", date.year, date.month, date.mday);
}

/* Do "either matches" and "both match" choose different days? */
static bool
readings_differ(const SchedCron *cron)
{
	SchedCron	either = *cron;
	SchedCron	both = *cron;

	either.dom_star = either.dow_star = false;
	both.dom_star = both.dow_star = true;
	for (int year = FIRST_YEAR; year < FIRST_YEAR + YEAR_CYCLE; year++)
	{
		for (int month = 1; month <= 12; month++)
		{
			if ((cron->months >> month & 1) &&
				sched_cron_month_days(&either, year, month) !=
				sched_cron_month_days(&both, year, month))
				return true;
		}
	}
	return false;
}

static void
append_day_rule(StringInfo out, const SchedCron *cron)
{
	if (cron->dom == ALL_MDAYS || cron->dow == ALL_WEEKDAYS || !readings_differ(cron))
		return;
	begin_phrase(out);
	if (cron->dom_star || cron->dow_star)
		appendStringInfoString(out, "both day of month and day of week are restricted, and one of them begins with \"*\": "
							   "it fires only on days that match both");
	else
		appendStringInfoString(out, "both day of month and day of week are restricted: "
							   "it fires on days that match either of them");
}

/* The first gap within a year that swallows a fixed time of the expression. */
static void
append_gap(StringInfo out, const SchedCron *cron,
		   const SchedScheduleContext *context, SchedTime now)
{
	const SchedZone *zone = context->zone;
	int64		second = sched_time_second(now);
	int64		end = second + LOOK_AHEAD;
	SchedZonePeriod period;

	if (cron->minute_star || cron->hour_star)
		return;
	zone->period(zone, second, &period);
	while (period.until < end)
	{
		SchedZonePeriod next;
		int64		gap_from = period.until + period.offset;
		int64		gap_until;
		int64		reading;

		zone->period(zone, period.until, &next);
		gap_until = period.until + next.offset;
		if (sched_cron_reading(cron, gap_from, gap_until, &reading))
		{
			begin_phrase(out);
			appendStringInfoString(out, "on ");
			append_date(out, reading);
			appendStringInfoString(out, " the clock jumps from ");
			append_clock(out, gap_from);
			appendStringInfoString(out, " to ");
			append_clock(out, gap_until);
			appendStringInfoString(out, ", so ");
			append_clock(out, reading);
			if (context->dst_policy == SCHED_DST_VIXIE && gap_until - gap_from <= 3 * 3600)
			{
				appendStringInfoString(out, " fires at ");
				append_clock(out, gap_until);
			}
			else if (context->dst_policy == SCHED_DST_SHIFT_FIRST)
			{
				appendStringInfoString(out, " fires at ");
				append_clock(out, reading + gap_until - gap_from);
			}
			else
				appendStringInfoString(out, " is skipped that day");
			return;
		}
		if (next.until <= period.until)
			return;
		period = next;
	}
}

static bool
changes_offset(const SchedZone *zone, SchedTime now)
{
	SchedZonePeriod period;

	zone->period(zone, sched_time_second(now), &period);
	return period.until < sched_time_second(now) + LOOK_AHEAD;
}

static void
append_every(StringInfo out, const SchedInterval *interval,
			 const SchedScheduleContext *context, SchedTime now)
{
	if (interval->months > 0)
	{
		begin_phrase(out);
		appendStringInfoString(out, "months have no fixed length: they are counted from the start of the schedule, "
							   "and a day that a month lacks becomes its last day");
	}
	else if (sched_interval_usec(interval) % SCHED_USEC_PER_DAY == 0 &&
			 changes_offset(context->zone, now))
	{
		begin_phrase(out);
		appendStringInfoString(out, "a day counts as 24 hours of elapsed time: "
							   "the local time of the fires moves when the clocks change");
	}
}

static void
append_at(StringInfo out, const SchedSchedule *schedule,
		  const SchedScheduleContext *context)
{
	SchedLocal	where;

	if (schedule->u.at.has_offset)
		return;
	sched_zone_from_local(context->zone, schedule->u.at.local_second, &where);
	if (where.kind == SCHED_LOCAL_UNIQUE)
		return;
	begin_phrase(out);
	appendStringInfoString(out, "on ");
	append_date(out, schedule->u.at.local_second);
	appendStringInfoChar(out, ' ');
	append_clock(out, schedule->u.at.local_second);
	if (where.kind == SCHED_LOCAL_GAP)
	{
		appendStringInfoString(out, " does not exist, it fires at ");
		append_clock(out, schedule->u.at.local_second + sched_local_gap_length(&where));
	}
	else
		appendStringInfoString(out, " comes twice, it fires at the first");
}

char	   *
sched_schedule_surprise(const SchedSchedule *schedule,
						const SchedScheduleContext *context, SchedTime now)
{
	StringInfoData out;

	initStringInfo(&out);
	switch (schedule->kind)
	{
		case SCHED_CRON:
			append_day_rule(&out, &schedule->u.cron);
			if (schedule->u.cron.step_beyond)
			{
				begin_phrase(&out);
				appendStringInfoString(&out, "a step is longer than its field, so that only the first value is left");
			}
			append_gap(&out, &schedule->u.cron, context, now);
			break;
		case SCHED_EVERY:
			append_every(&out, &schedule->u.interval, context, now);
			break;
		case SCHED_AT:
			append_at(&out, schedule, context);
			break;
		default:
			break;
	}
	if (out.len > 0)
		return out.data;
	pfree(out.data);
	return NULL;
}
