/*-------------------------------------------------------------------------
 *
 * describe.c
 *	  A schedule in plain English.
 *
 * A description is built from the masks, not from the text, so that two
 * expressions which mean the same read the same.  It has up to four parts:
 * the time of day, the days, the months and years, and the zone that the text
 * names.  Each part has a general wording which is right for any mask, and
 * shorter ones for what people usually write.
 *
 *-------------------------------------------------------------------------
 */
#ifndef FRONTEND
#include "postgres.h"
#else
#include "postgres_fe.h"
#endif

#include "lib/stringinfo.h"
#include "port/pg_bitutils.h"
#include "domain/schedule/schedule_int.h"

#define ALL_SIXTY		((UINT64CONST(1) << 60) - 1)
#define ALL_HOURS		0xffffffU
#define ALL_MONTHS		0x1ffeU
#define ALL_MDAYS		0xfffffffeU
#define ALL_WEEKDAYS	0x7fU

/* More clock times than this are described by minute and hour instead. */
#define MAX_CLOCK_TIMES	6

typedef void (*AppendValue) (StringInfo out, int value);

static const char *const weekday_names[] = {
	"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"
};

static const char *const month_names[] = {
	"January", "February", "March", "April", "May", "June", "July",
	"August", "September", "October", "November", "December"
};

static const char *const ordinals[] = {"first", "second", "third", "fourth", "fifth"};

static void
append_number(StringInfo out, int value)
{
	appendStringInfo(out, "%d", value);
}

static void
append_weekday(StringInfo out, int value)
{
	appendStringInfoString(out, weekday_names[value]);
}

static void
append_month(StringInfo out, int value)
{
	appendStringInfoString(out, month_names[value - 1]);
}

static void
append_year(StringInfo out, int value)
{
	appendStringInfo(out, "%d", SCHED_YEAR_FIRST + value);
}

/* "2nd" */
static void
append_nth(StringInfo out, int n)
{
	const char *ending = "th";

	if (n / 10 != 1)
		ending = n % 10 == 1 ? "st" : n % 10 == 2 ? "nd" : n % 10 == 3 ? "rd" : "th";
	appendStringInfo(out, "%d%s", n, ending);
}

static inline bool
has_bit(uint64 mask, int bit)
{
	return (mask >> bit & 1) != 0;
}

/*
 * The values of a mask as "1, 5 through 8 and 12".  low..high are the bits
 * that exist; where the field wraps, a run may cross its end.
 */
static void
append_list(StringInfo out, uint64 mask, int low, int high, bool wraps,
			AppendValue append)
{
	int			span = high - low + 1;
	int			start = low;
	int			left = pg_popcount64(mask);
	bool		first = true;

	/* begin with the first value that no other precedes */
	if (wraps && left < span)
	{
		while (has_bit(mask, (start - low + span - 1) % span + low))
			start++;
	}
	for (int i = 0; left > 0; i++)
	{
		int			bit = (start - low + i) % span + low;
		int			run = 1;

		if (!has_bit(mask, bit))
			continue;
		while (run < left && i + run < span &&
			   has_bit(mask, (start - low + i + run) % span + low))
			run++;
		if (run < 3)
			run = 1;
		left -= run;
		if (!first)
			appendStringInfoString(out, left > 0 ? ", " : " and ");
		first = false;
		append(out, bit);
		if (run > 1)
		{
			appendStringInfoString(out, " through ");
			i += run - 1;
			append(out, (start - low + i) % span + low);
		}
	}
}

/* n > 1 when the mask holds exactly the multiples of n, and n divides span. */
static int
even_step(uint64 mask, int span)
{
	for (int n = 2; n < span; n++)
	{
		uint64		multiples = 0;

		if (span % n != 0)
			continue;
		for (int i = 0; i < span; i += n)
			multiples |= UINT64CONST(1) << i;
		if (multiples == mask)
			return n;
	}
	return 0;
}

static void
append_clock(StringInfo out, int hour, int minute, int second)
{
	appendStringInfo(out, "%02d:%02d", hour, minute);
	if (second > 0)
		appendStringInfo(out, ":%02d", second);
}

/* "at 09:00, 12:00 and 15:30", when there are few enough; else false */
static bool
append_clock_times(StringInfo out, const SchedCron *cron)
{
	int			left = pg_popcount64(cron->hours) * pg_popcount64(cron->minutes);
	int			second = pg_rightmost_one_pos64(cron->seconds);

	if (left > MAX_CLOCK_TIMES || pg_popcount64(cron->seconds) != 1)
		return false;
	appendStringInfoString(out, "at ");
	for (int hour = 0; hour < 24; hour++)
	{
		if (!has_bit(cron->hours, hour))
			continue;
		for (int minute = 0; minute < 60; minute++)
		{
			if (!has_bit(cron->minutes, minute))
				continue;
			append_clock(out, hour, minute, second);
			left--;
			if (left > 0)
				appendStringInfoString(out, left > 1 ? ", " : " and ");
		}
	}
	return true;
}

/* "every 5 minutes", "at minute 3", "at minutes 3 and 7" */
static void
append_sixty(StringInfo out, uint64 mask, const char *unit)
{
	int			step = even_step(mask, 60);

	if (mask == ALL_SIXTY)
		appendStringInfo(out, "every %s", unit);
	else if (step > 0)
		appendStringInfo(out, "every %d %ss", step, unit);
	else
	{
		appendStringInfo(out, "at %s%s ", unit, pg_popcount64(mask) == 1 ? "" : "s");
		append_list(out, mask, 0, 59, false, append_number);
	}
}

/* The hours, behind what happens inside of each. */
static void
append_hours(StringInfo out, const SchedCron *cron, bool of_hour)
{
	int			count = pg_popcount64(cron->hours);
	int			first = pg_rightmost_one_pos64(cron->hours);
	int			step = even_step(cron->hours, 24);

	if (cron->hours == ALL_HOURS)
		appendStringInfoString(out, of_hour ? " of every hour" : "");
	else if (cron->hours >> first == (UINT64CONST(1) << count) - 1)
		appendStringInfo(out, " from %02d:00 through %02d:59", first, first + count - 1);
	else if (step > 0)
	{
		appendStringInfoString(out, of_hour ? " of every " : " in every ");
		append_nth(out, step);
		appendStringInfoString(out, " hour");
	}
	else
	{
		appendStringInfoString(out, of_hour ? " of the hours " : " in the hours ");
		append_list(out, cron->hours, 0, 23, true, append_number);
	}
}

/* The time of day; returns whether it names times rather than a frequency. */
static bool
append_time(StringInfo out, const SchedCron *cron)
{
	int			hour_step = cron->hours == ALL_HOURS ? 1 : even_step(cron->hours, 24);
	bool		on_the_minute = cron->seconds == 1;
	bool		lists_minutes = cron->minutes != ALL_SIXTY && even_step(cron->minutes, 60) == 0;

	if (append_clock_times(out, cron))
		return true;
	if (on_the_minute && cron->minutes == 1 && hour_step > 0)
	{
		appendStringInfo(out, hour_step == 1 ? "every hour" : "every %d hours", hour_step);
		return false;
	}
	if (!on_the_minute)
	{
		append_sixty(out, cron->seconds, "second");
		if (cron->minutes == ALL_SIXTY)
		{
			if (cron->seconds != ALL_SIXTY && even_step(cron->seconds, 60) == 0)
				appendStringInfoString(out, " of every minute");
			append_hours(out, cron, false);
			return false;
		}
		appendStringInfoString(out, ", ");
	}
	append_sixty(out, cron->minutes, "minute");
	append_hours(out, cron, lists_minutes);
	return false;
}

/* From which day on, and every how many days?  False when it is no such row. */
static bool
month_day_step(uint32 days, int *from, int *step)
{
	uint32		row = 0;

	if (pg_popcount64(days) < 4)
		return false;
	*from = pg_rightmost_one_pos64(days);
	*step = pg_rightmost_one_pos64(days & (days - 1)) - *from;
	for (int day = *from; day <= 31; day += *step)
		row |= 1U << day;
	return *step > 1 && row == days;
}

/* Between the members of a list of different kinds of days. */
static void
append_and(StringInfo out, bool *first)
{
	if (!*first)
		appendStringInfoString(out, " and ");
	*first = false;
}

/* "day 1 and 15 of the month", "the last day of the month", ... */
static void
append_month_days(StringInfo out, const SchedCron *cron)
{
	bool		first = true;
	int			from;
	int			step;

	if (month_day_step(cron->dom, &from, &step))
	{
		append_and(out, &first);
		appendStringInfoString(out, "every ");
		append_nth(out, step);
		appendStringInfo(out, " day of the month from day %d", from);
	}
	else if (cron->dom != 0)
	{
		append_and(out, &first);
		appendStringInfoString(out, pg_popcount64(cron->dom) > 1 ? "days " : "day ");
		append_list(out, cron->dom, 1, 31, false, append_number);
		appendStringInfoString(out, " of the month");
	}
	for (int n = 0; n <= 30; n++)
	{
		if (has_bit(cron->dom_nearest, n + 1))
		{
			append_and(out, &first);
			appendStringInfo(out, "the weekday nearest to day %d of the month", n + 1);
		}
		if (has_bit(cron->dom_last, n))
		{
			append_and(out, &first);
			if (n > 0)
			{
				appendStringInfoString(out, "the ");
				append_nth(out, n);
				appendStringInfoString(out, " day before the last of the month");
			}
			else
				appendStringInfoString(out, "the last day of the month");
		}
		if (has_bit(cron->dom_last_nearest, n))
		{
			append_and(out, &first);
			if (n > 0)
			{
				appendStringInfoString(out, "the weekday nearest to the ");
				append_nth(out, n);
				appendStringInfoString(out, " day before the last of the month");
			}
			else
				appendStringInfoString(out, "the last weekday of the month");
		}
	}
}

static void
append_weekdays(StringInfo out, const SchedCron *cron)
{
	bool		first = true;

	if (cron->dow != 0)
	{
		append_and(out, &first);
		append_list(out, cron->dow, 0, 6, true, append_weekday);
	}
	for (int nth = 0; nth < 5; nth++)
	{
		if (cron->dow_nth[nth] == 0)
			continue;
		append_and(out, &first);
		appendStringInfo(out, "the %s ", ordinals[nth]);
		append_list(out, cron->dow_nth[nth], 0, 6, true, append_weekday);
		appendStringInfoString(out, " of the month");
	}
	if (cron->dow_last != 0)
	{
		append_and(out, &first);
		appendStringInfoString(out, "the last ");
		append_list(out, cron->dow_last, 0, 6, true, append_weekday);
		appendStringInfoString(out, " of the month");
	}
}

static void
append_days(StringInfo out, const SchedCron *cron, bool names_times)
{
	bool		any_mday = cron->dom == ALL_MDAYS;
	bool		any_weekday = cron->dow == ALL_WEEKDAYS;

	if (any_mday && any_weekday)
	{
		if (names_times)
			appendStringInfoString(out, " every day");
		return;
	}
	if (any_mday || any_weekday)
	{
		/* with one of them unrestricted, "either" means every day */
		if (!cron->dom_star && !cron->dow_star)
		{
			appendStringInfoString(out, names_times ? " every day" : "");
			return;
		}
		appendStringInfoString(out, " on ");
		if (any_weekday)
			append_month_days(out, cron);
		else
			append_weekdays(out, cron);
		return;
	}
	appendStringInfoString(out, " on ");
	append_month_days(out, cron);
	appendStringInfoString(out, cron->dom_star || cron->dow_star ?
						   ", but only on " : ", and also on ");
	append_weekdays(out, cron);
}

static void
append_years(StringInfo out, const SchedCron *cron)
{
	bool		first = true;

	appendStringInfoString(out, " in ");
	for (int i = 0; i < SCHED_YEAR_LIMIT - SCHED_YEAR_FIRST; i++)
	{
		int			run = 0;

#define HAS_YEAR(n) \
	((n) < SCHED_YEAR_LIMIT - SCHED_YEAR_FIRST && has_bit(cron->years[(n) / 64], (n) % 64))
		while (HAS_YEAR(i + run))
			run++;
#undef HAS_YEAR
		if (run == 0)
			continue;
		if (!first)
			appendStringInfoString(out, ", ");
		first = false;
		append_year(out, i);
		if (run > 1)
		{
			appendStringInfoString(out, run > 2 ? " through " : ", ");
			append_year(out, i + run - 1);
		}
		i += run;
	}
}

static void
append_cron(StringInfo out, const SchedCron *cron)
{
	bool		names_times = append_time(out, cron);

	append_days(out, cron, names_times);
	if (cron->months != ALL_MONTHS)
	{
		appendStringInfoString(out, " in ");
		append_list(out, cron->months, 1, 12, true, append_month);
	}
	if (cron->has_years)
		append_years(out, cron);
}

static void
append_count(StringInfo out, int64 count, const char *unit)
{
	if (count == 0)
		return;
	appendStringInfo(out, "%s" INT64_FORMAT " %s%s", out->len > 0 ? " " : "",
					 count, unit, count == 1 ? "" : "s");
}

/* "1 hour 30 minutes" */
static char *
interval_text(const SchedInterval *interval)
{
	StringInfoData out;
	int64		usec = sched_interval_usec(interval) -
	interval->months * 30 * SCHED_USEC_PER_DAY;
	int64		seconds;

	initStringInfo(&out);
	append_count(&out, interval->months / 12, "year");
	append_count(&out, interval->months % 12, "month");
	append_count(&out, usec / SCHED_USEC_PER_DAY, "day");
	seconds = usec % SCHED_USEC_PER_DAY / SCHED_USEC_PER_SEC;
	usec %= SCHED_USEC_PER_SEC;
	append_count(&out, seconds / 3600, "hour");
	append_count(&out, seconds / 60 % 60, "minute");
	append_count(&out, seconds % 60, "second");
	if (usec % 1000 == 0)
		append_count(&out, usec / 1000, "millisecond");
	else
		append_count(&out, usec, "microsecond");
	return out.data;
}

static void
append_every(StringInfo out, const SchedInterval *interval)
{
	char	   *words = interval_text(interval);

	/* "every hour" rather than "every 1 hour" */
	if (strncmp(words, "1 ", 2) == 0 && strchr(words + 2, ' ') == NULL)
		appendStringInfo(out, "every %s", words + 2);
	else
		appendStringInfo(out, "every %s", words);
	pfree(words);
}

static void
append_at(StringInfo out, const SchedSchedule *schedule)
{
	int64		second = schedule->u.at.local_second;
	int32		day = (int32) sched_floor_div(second, SCHED_SECS_PER_DAY);
	int32		rest = (int32) (second - (int64) day * SCHED_SECS_PER_DAY);
	SchedDate	date = sched_civil_date(day);

	appendStringInfo(out, "once, on %04d-%02d-%02d at ", date.year, date.month, date.mday);
	append_clock(out, rest / 3600, rest / 60 % 60, rest % 60);
	if (schedule->u.at.usec != 0)
	{
		if (rest % 60 == 0)
			appendStringInfoString(out, ":00");
		appendStringInfo(out, ".%06d", schedule->u.at.usec);
	}
	if (schedule->u.at.has_offset)
	{
		int32		offset = schedule->u.at.offset;

		appendStringInfoString(out, " UTC");
		if (offset != 0)
		{
			appendStringInfoChar(out, offset < 0 ? '-' : '+');
			offset = offset < 0 ? -offset : offset;
			append_clock(out, offset / 3600, offset / 60 % 60, 0);
		}
	}
}

char	   *
sched_schedule_describe(const SchedSchedule *schedule)
{
	StringInfoData out;
	char	   *words;

	initStringInfo(&out);
	switch (schedule->kind)
	{
		case SCHED_CRON:
			append_cron(&out, &schedule->u.cron);
			break;
		case SCHED_EVERY:
			append_every(&out, &schedule->u.interval);
			break;
		case SCHED_AFTER:
			words = interval_text(&schedule->u.interval);
			appendStringInfo(&out, "%s after the end of the previous run", words);
			pfree(words);
			break;
		case SCHED_AT:
			append_at(&out, schedule);
			break;
		case SCHED_STARTUP:
			appendStringInfoString(&out, "each time the scheduler starts");
			break;
		case SCHED_EVENT:
			appendStringInfo(&out, "on each event %s%s",
							 strchr(schedule->u.name.value, '*') != NULL ? "that matches " : "",
							 schedule->u.name.value);
			if (schedule->u.name.filter != NULL)
				appendStringInfo(&out, " with %s", schedule->u.name.filter + 1 +
								 strspn(schedule->u.name.filter + 1, " \t\r\n"));
			break;
		case SCHED_RRULE:
			words = sched_rrule_describe(schedule->u.rrule);
			appendStringInfoString(&out, words);
			pfree(words);
			break;
		case SCHED_CUSTOM:
			appendStringInfo(&out, "when the trigger type %s says so", schedule->u.name.value);
			break;
	}
	if (schedule->zone_name[0] != '\0')
		appendStringInfo(&out, ", time zone %s", schedule->zone_name);
	return out.data;
}
