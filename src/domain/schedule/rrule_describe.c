/*-------------------------------------------------------------------------
 *
 * rrule_describe.c
 *	  A recurrence rule in plain English.
 *
 * Design: the sentence follows the rule's own order, from the frequency over
 * the days to the time of day, then what narrows it down as a whole: BYSETPOS,
 * the start, the end, and the dates added or left out.  It says only what the
 * text says: what the rule takes from its start is described by the start.
 *
 *-------------------------------------------------------------------------
 */
#ifndef FRONTEND
#include "postgres.h"
#else
#include "postgres_fe.h"
#endif

#include "lib/stringinfo.h"
#include "domain/schedule/civil.h"
#include "domain/schedule/rrule_int.h"

/* More clock times than this are described by hour and minute instead. */
#define MAX_CLOCK_TIMES	6

/* Text size is bounded: of longer lists the beginning is shown. */
#define MAX_LISTED		40

static const char *const weekday_names[] = {
	"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday",
	"Saturday"
};

static const char *const month_names[] = {
	"", "January", "February", "March", "April", "May", "June", "July",
	"August", "September", "October", "November", "December"
};

static const char *const unit_names[] = {
	[RRULE_SECONDLY] = "second",
	[RRULE_MINUTELY] = "minute",
	[RRULE_HOURLY] = "hour",
	[RRULE_DAILY] = "day",
	[RRULE_WEEKLY] = "week",
	[RRULE_MONTHLY] = "month",
	[RRULE_YEARLY] = "year",
};

/*
 * A list under way.  An item is held back until it is known whether another
 * one follows, since "and" stands before the last.
 */
typedef struct List
{
	StringInfo	out;
	StringInfoData item;
	int			count;
} List;

static void
list_begin(List *list, StringInfo out)
{
	list->out = out;
	list->count = 0;
	initStringInfo(&list->item);
}

/* Write what was held back, and make room for the next item. */
static StringInfo
list_next(List *list)
{
	if (list->count > 0 && list->count <= MAX_LISTED)
		appendStringInfo(list->out, "%s%s", list->count > 1 ? ", " : "",
						 list->item.data);
	list->count++;
	resetStringInfo(&list->item);
	return &list->item;
}

static void
list_end(List *list)
{
	if (list->count > MAX_LISTED)
		appendStringInfo(list->out, " and %d more", list->count - MAX_LISTED);
	else if (list->count > 0)
		appendStringInfo(list->out, "%s%s", list->count > 1 ? " and " : "",
						 list->item.data);
	pfree(list->item.data);
}

static inline bool
bit_in(const uint64 *bits, int n)
{
	return (bits[n / 64] & SCHED_BIT64(n % 64)) != 0;
}

static void
append_nth(StringInfo out, int n)
{
	const char *ending = "th";

	if (n / 10 % 10 != 1)
		ending = n % 10 == 1 ? "st" : n % 10 == 2 ? "nd" :
			n % 10 == 3 ? "rd" : "th";
	appendStringInfo(out, "%d%s", n, ending);
}

/* "last", "2nd to last" */
static void
append_nth_last(StringInfo out, int n)
{
	if (n > 1)
	{
		append_nth(out, n);
		appendStringInfoString(out, " to ");
	}
	appendStringInfoString(out, "last");
}

/* Numbers from both ends as "the 1st, 3rd and last" */
static void
append_nths(StringInfo out, const uint64 *from_start, const uint64 *from_end,
			int high)
{
	List		list;

	list_begin(&list, out);
	appendStringInfoString(out, "the ");
	for (int n = 1; n <= high; n++)
	{
		if (bit_in(from_start, n))
			append_nth(list_next(&list), n);
	}
	for (int n = high; n >= 1; n--)
	{
		if (bit_in(from_end, n))
			append_nth_last(list_next(&list), n);
	}
	list_end(&list);
}

static void
append_weekdays(StringInfo out, const RRuleParts *parts, const char *whole)
{
	List		list;

	list_begin(&list, out);
	for (int i = 0; i < 7; i++)
	{
		int			day = (parts->wkst + i) % 7;

		if (parts->weekdays & (1u << day))
			appendStringInfoString(list_next(&list), weekday_names[day]);
	}
	for (int end = 0; end < 2; end++)
	{
		for (int n = 1; parts->has_nth && n <= 53; n++)
		{
			for (int i = 0; i < 7; i++)
			{
				int			day = (parts->wkst + i) % 7;
				StringInfo	item;

				if ((parts->nth[end][day] & SCHED_BIT64(n)) == 0)
					continue;
				item = list_next(&list);
				appendStringInfoString(item, "the ");
				if (end == 0)
					append_nth(item, n);
				else
					append_nth_last(item, n);
				appendStringInfo(item, " %s", weekday_names[day]);
			}
		}
	}
	list_end(&list);
	if (parts->has_nth)
		appendStringInfo(out, " of the %s", whole);
}

static void
append_days(StringInfo out, const RRuleParts *parts)
{
	uint32		given = parts->given;
	bool		by_weekday = (given & RRULE_GIVEN(RRULE_BYDAY)) != 0;
	const char *join = " on ";

	if (by_weekday)
	{
		appendStringInfoString(out, join);
		append_weekdays(out, parts,
						parts->freq == RRULE_MONTHLY || parts->months != 0 ?
						"month" : "year");
		join = " that is ";
	}
	if (given & RRULE_GIVEN(RRULE_BYMONTHDAY))
	{
		uint64		bits[2] = {parts->month_days[0], parts->month_days[1]};

		appendStringInfoString(out, join);
		append_nths(out, &bits[0], &bits[1], 31);
		appendStringInfoString(out, " day of the month");
		join = " that is ";
	}
	if (given & RRULE_GIVEN(RRULE_BYYEARDAY))
	{
		appendStringInfoString(out, join);
		append_nths(out, parts->year_days[0], parts->year_days[1], 366);
		appendStringInfoString(out, " day of the year");
	}
	if (given & RRULE_GIVEN(RRULE_BYWEEKNO))
	{
		appendStringInfoString(out, " in ");
		append_nths(out, &parts->weeks[0], &parts->weeks[1], 53);
		appendStringInfoString(out, " week of the year");
	}
	if (given & RRULE_GIVEN(RRULE_BYMONTH))
	{
		List		list;

		appendStringInfoString(out, " in ");
		list_begin(&list, out);
		for (int month = 1; month <= 12; month++)
		{
			if (parts->months & (1u << month))
				appendStringInfoString(list_next(&list), month_names[month]);
		}
		list_end(&list);
	}
}

static void
append_numbers(StringInfo out, const char *what, uint64 bits)
{
	List		list;

	if (bits == 0)
		return;
	appendStringInfo(out, "%s%s ", what,
					 sched_bits_count(bits) == 1 ? "" : "s");
	list_begin(&list, out);
	for (int n = 0; n < 60; n++)
	{
		if (bits & SCHED_BIT64(n))
			appendStringInfo(list_next(&list), "%d", n);
	}
	list_end(&list);
}

/* "at 09:00 and 17:30" if hours and minutes are known and few */
static bool
append_clock_times(StringInfo out, const RRuleParts *parts)
{
	int64		start = parts->dtstart.value;
	bool		has_start = parts->dtstart.kind != RRULE_MOMENT_NONE;
	int			time = (int) sched_floor_mod(start, SCHED_SECS_PER_DAY);
	uint64		hours = parts->hours;
	uint64		minutes = parts->minutes;
	uint64		seconds = parts->seconds;
	List		list;

	if (has_start)
	{
		if (hours == 0 && parts->freq >= RRULE_DAILY)
			hours = SCHED_BIT64(time / 3600);
		if (minutes == 0 && parts->freq >= RRULE_HOURLY)
			minutes = SCHED_BIT64(time % 3600 / 60);
		if (seconds == 0 && parts->freq >= RRULE_MINUTELY)
			seconds = SCHED_BIT64(time % 60);
	}
	else if (seconds == 0 && parts->freq > RRULE_SECONDLY)
		seconds = 1;			/* not worth a word */
	if (hours == 0 || minutes == 0 || seconds == 0 ||
		sched_bits_count(hours) * sched_bits_count(minutes) *
		sched_bits_count(seconds) > MAX_CLOCK_TIMES)
		return false;

	appendStringInfoString(out, " at ");
	list_begin(&list, out);
	for (int i = 0; i < SCHED_SECS_PER_DAY; i++)
	{
		StringInfo	item;

		if ((hours & SCHED_BIT64(i / 3600)) == 0 ||
			(minutes & SCHED_BIT64(i % 3600 / 60)) == 0 ||
			(seconds & SCHED_BIT64(i % 60)) == 0)
			continue;
		item = list_next(&list);
		appendStringInfo(item, "%02d:%02d", i / 3600, i % 3600 / 60);
		if (i % 60 != 0)
			appendStringInfo(item, ":%02d", i % 60);
	}
	list_end(&list);
	return true;
}

static void
append_times(StringInfo out, const RRuleParts *parts)
{
	if ((parts->given & (RRULE_GIVEN(RRULE_BYHOUR) |
						 RRULE_GIVEN(RRULE_BYMINUTE) |
						 RRULE_GIVEN(RRULE_BYSECOND))) == 0 &&
		parts->freq < RRULE_DAILY)
		return;
	if (append_clock_times(out, parts))
		return;
	append_numbers(out, " in hour", parts->hours);
	append_numbers(out, " at minute", parts->minutes);
	append_numbers(out, " at second", parts->seconds);
}

static void
append_moment(StringInfo out, const RRuleMoment *moment)
{
	int64		day = sched_floor_div(moment->value, SCHED_SECS_PER_DAY);
	int			time = (int) (moment->value - day * SCHED_SECS_PER_DAY);
	SchedDate	date = sched_civil_date((int32) day);

	appendStringInfo(out, "%04d-%02d-%02d", date.year, date.month, date.mday);
	if (moment->kind != RRULE_MOMENT_DATE)
	{
		appendStringInfo(out, " %02d:%02d", time / 3600, time % 3600 / 60);
		if (time % 60 != 0)
			appendStringInfo(out, ":%02d", time % 60);
		if (moment->kind == RRULE_MOMENT_UTC)
			appendStringInfoString(out, " UTC");
	}
}

static void
append_bounds(StringInfo out, const RRuleParts *parts)
{
	if (parts->dtstart.kind != RRULE_MOMENT_NONE)
	{
		appendStringInfoString(out, ", from ");
		append_moment(out, &parts->dtstart);
		if (parts->zone_name[0] != '\0')
			appendStringInfo(out, " (%s)", parts->zone_name);
	}
	if (parts->until.kind != RRULE_MOMENT_NONE)
	{
		appendStringInfoString(out, ", until ");
		append_moment(out, &parts->until);
	}
	if (parts->count == 1)
		appendStringInfoString(out, ", once");
	else if (parts->count > 0)
		appendStringInfo(out, ", " INT64_FORMAT " times", parts->count);
}

static void
append_extra_dates(StringInfo out, const char *what,
				   const RRuleMoment *moments, int count)
{
	List		list;

	if (count == 0)
		return;
	appendStringInfoString(out, what);
	list_begin(&list, out);
	for (int i = 0; i < count; i++)
		append_moment(list_next(&list), &moments[i]);
	list_end(&list);
}

char	   *
sched_rrule_describe(const SchedRRule *rule)
{
	const RRuleParts *parts = &rule->parts;
	const char *unit = unit_names[parts->freq];
	StringInfoData out;

	initStringInfo(&out);
	if (parts->interval == 1)
		appendStringInfo(&out, "every %s", unit);
	else
		appendStringInfo(&out, "every " INT64_FORMAT " %ss", parts->interval,
						 unit);
	append_days(&out, parts);
	append_times(&out, parts);
	if (parts->given & RRULE_GIVEN(RRULE_BYSETPOS))
	{
		appendStringInfoString(&out, ", of these only ");
		append_nths(&out, parts->positions[0], parts->positions[1], 366);
		appendStringInfo(&out, " of each %s", unit);
	}
	append_bounds(&out, parts);
	append_extra_dates(&out, ", also on ", parts->rdates, parts->n_rdates);
	append_extra_dates(&out, ", but not on ", parts->exdates,
					   parts->n_exdates);
	return out.data;
}
