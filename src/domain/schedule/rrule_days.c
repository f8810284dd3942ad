/*-------------------------------------------------------------------------
 *
 * rrule_days.c
 *	  The days on which a recurrence rule may fire.
 *
 * Design: every day-level part of a rule, whether RFC 5545 calls it an
 * expansion or a limit, says of a day that it belongs or does not, and that
 * depends on nothing but the day's place in its year and the shape of the
 * year: the weekday of 1 January and where the nearest leap year is.  There
 * are 28 shapes; for each that is met one bitmap of 366 days is computed
 * once, in about 4 microseconds.  Searching and counting days are then
 * operations on six words per year, so that going through all the six
 * centuries between the earliest DTSTART and the last fire takes well under a
 * millisecond, however sparse the rule is.
 *
 * INTERVAL is laid over the bitmap of a concrete year: whole years, months,
 * weeks or days that are out of phase are cleared.
 *
 * A week that belongs to two years is numbered as in ISO 8601, generalised to
 * other first days of the week; with INTERVAL its days follow the calendar
 * year in which they lie.
 *
 *-------------------------------------------------------------------------
 */
#ifndef FRONTEND
#include "postgres.h"
#else
#include "postgres_fe.h"
#endif

#include "domain/schedule/civil.h"
#include "domain/schedule/rrule_int.h"

/* What decides over the bitmap of a year */
typedef struct YearShape
{
	int			index;
	int			length;
	int			first_weekday;	/* of 1 January, 0 = Sunday */
	bool		leap;
	bool		previous_leap;
	bool		next_leap;
} YearShape;

static YearShape
shape_of_year(int32 year)
{
	YearShape	shape;
	int			kind;

	shape.leap = sched_civil_is_leap(year);
	shape.previous_leap = sched_civil_is_leap(year - 1);
	shape.next_leap = sched_civil_is_leap(year + 1);
	shape.length = shape.leap ? 366 : 365;
	shape.first_weekday = sched_civil_weekday(sched_civil_day(year, 1, 1));

	/* leap years are never neighbours, and never two years apart */
	kind = shape.leap ? 1 : shape.previous_leap ? 2 : shape.next_leap ? 3 : 0;
	shape.index = kind * 7 + shape.first_weekday;
	return shape;
}

/*
 * The day of the year (0 = 1 January, may be negative) on which week 1
 * begins: the first week with at least four days in the year.
 */
static int
week_one(int first_weekday, int wkst)
{
	int			gone = (first_weekday - wkst + 7) % 7;

	return gone <= 3 ? -gone : 7 - gone;
}

static int
weeks_in_year(int first_weekday, int length, int wkst)
{
	int			next_weekday = (first_weekday + length) % 7;

	return (length + week_one(next_weekday, wkst) -
			week_one(first_weekday, wkst)) / 7;
}

static bool
week_matches(const RRuleSet *set, const YearShape *shape, int year_day)
{
	const RRuleParts *parts = set->parts;
	int			wkst = parts->wkst;
	int			offset = year_day - week_one(shape->first_weekday, wkst);
	int			total;
	int			week;

	if (offset < 0)
	{
		/* the last week of the year before */
		int			length = shape->previous_leap ? 366 : 365;

		total = weeks_in_year((shape->first_weekday + 371 - length) % 7,
							  length, wkst);
		week = total;
	}
	else
	{
		total = weeks_in_year(shape->first_weekday, shape->length, wkst);
		week = offset / 7 + 1;
		if (week > total)
		{
			/* the first week of the year after */
			total = weeks_in_year((shape->first_weekday + shape->length) % 7,
								  shape->next_leap ? 366 : 365, wkst);
			week = 1;
		}
	}
	return (parts->weeks[0] & SCHED_BIT64(week)) != 0 ||
		(parts->weeks[1] & SCHED_BIT64(total - week + 1)) != 0;
}

/* BYDAY: the weekday alone, or the n-th of its kind in the month or year */
static bool
weekday_matches(const RRuleSet *set, int weekday, int place, int length)
{
	const RRuleParts *parts = set->parts;

	if (set->weekdays & (1u << weekday))
		return true;
	if (!parts->has_nth)
		return false;
	return (parts->nth[0][weekday] & SCHED_BIT64(place / 7 + 1)) != 0 ||
		(parts->nth[1][weekday] & SCHED_BIT64((length - 1 - place) / 7 + 1)) != 0;
}

static inline bool
bit_in(const RRuleBits bits, int n)
{
	return (bits[n / 64] & SCHED_BIT64(n % 64)) != 0;
}

/* Months, days of the month, of the year, weeks and weekdays, all together */
static void
build_shape(RRuleSet *set, const YearShape *shape)
{
	const RRuleParts *parts = set->parts;
	uint64	   *bits = set->shape[shape->index];
	bool		by_week = (parts->given & RRULE_GIVEN(RRULE_BYWEEKNO)) != 0;
	bool		by_year_day = (parts->given & RRULE_GIVEN(RRULE_BYYEARDAY)) != 0;
	bool		by_month_day = set->month_days != 0 || parts->month_days[1] != 0;
	bool		by_weekday = set->weekdays != 0 || parts->has_nth;
	bool		nth_in_month = parts->freq == RRULE_MONTHLY || set->months != 0;
	int			year_day = 0;

	memset(bits, 0, sizeof(RRuleBits));
	for (int month = 1; month <= 12; month++)
	{
		int			length = sched_civil_month_days(shape->leap ? 2000 : 2001,
													month);

		if (set->months != 0 && (set->months & (1u << month)) == 0)
		{
			year_day += length;
			continue;
		}
		for (int i = 0; i < length; i++, year_day++)
		{
			int			weekday = (shape->first_weekday + year_day) % 7;

			if (by_month_day &&
				(set->month_days & (1u << (i + 1))) == 0 &&
				(parts->month_days[1] & (1u << (length - i))) == 0)
				continue;
			if (by_weekday &&
				!weekday_matches(set, weekday,
								 nth_in_month ? i : year_day,
								 nth_in_month ? length : shape->length))
				continue;
			if (by_year_day &&
				!bit_in(parts->year_days[0], year_day + 1) &&
				!bit_in(parts->year_days[1], shape->length - year_day))
				continue;
			if (by_week && !week_matches(set, shape, year_day))
				continue;
			bits[year_day / 64] |= SCHED_BIT64(year_day % 64);
		}
	}
	set->shapes_built |= 1u << shape->index;
}

/* The bitmap of a year without regard to INTERVAL, and the year's length */
static const uint64 *
year_bits(RRuleSet *set, int32 year, int *length)
{
	YearShape	shape = shape_of_year(year);

	if ((set->shapes_built & (1u << shape.index)) == 0)
		build_shape(set, &shape);
	*length = shape.length;
	return set->shape[shape.index];
}

int64
rrule_days_period_of(const RRuleSet *set, int64 day)
{
	SchedDate	date;

	switch (set->parts->freq)
	{
		case RRULE_YEARLY:
			return sched_civil_date((int32) day).year;
		case RRULE_MONTHLY:
			date = sched_civil_date((int32) day);
			return (int64) date.year * 12 + date.month - 1;
		case RRULE_WEEKLY:
			/* day 0 was a Saturday; weeks are numbered from its week */
			return sched_floor_div(day + (13 - set->parts->wkst) % 7, 7);
		default:
			return day;
	}
}

int64
rrule_days_period_start(const RRuleSet *set, int64 period)
{
	switch (set->parts->freq)
	{
		case RRULE_YEARLY:
			return sched_civil_day((int32) period, 1, 1);
		case RRULE_MONTHLY:
			return sched_civil_day((int32) sched_floor_div(period, 12),
								   (int) sched_floor_mod(period, 12) + 1, 1);
		case RRULE_WEEKLY:
			return period * 7 - (13 - set->parts->wkst) % 7;
		default:
			return period;
	}
}

/* The first period at or after this one that INTERVAL does not leave out */
int64
rrule_days_period_align(const RRuleSet *set, int64 period)
{
	int64		interval = set->interval;
	int64		beyond = sched_floor_mod(period - set->phase, interval);

	return beyond == 0 ? period : period + interval - beyond;
}

static void
set_bits(uint64 *bits, int from, int until)
{
	for (int i = from; i < until;)
	{
		int			word = i / 64;
		int			end = Min(until, (word + 1) * 64);

		bits[word] |= sched_bits_below(end - word * 64) &
			~sched_bits_below(i - word * 64);
		i = end;
	}
}

/*
 * The bitmap of a year in which the periods out of phase are cleared.  It is
 * made in "buffer" if it differs from the shape's.
 */
static const uint64 *
phased_year_bits(RRuleSet *set, int32 year, RRuleBits buffer, int *length)
{
	const uint64 *bits = year_bits(set, year, length);
	int64		first;
	int64		interval = set->interval;

	if (interval == 1 || set->sub_daily)
		return bits;

	memset(buffer, 0, sizeof(RRuleBits));
	if (set->parts->freq == RRULE_YEARLY)
		return sched_floor_mod(year - set->phase, interval) == 0 ? bits : buffer;

	first = sched_civil_day(year, 1, 1);
	for (int64 period = rrule_days_period_align(set,
												rrule_days_period_of(set, first));;
		 period += interval)
	{
		int64		from = rrule_days_period_start(set, period) - first;
		int64		until;

		if (from >= *length)
			break;
		until = rrule_days_period_start(set, period + 1) - first;
		set_bits(buffer, (int) Max(from, 0), (int) Min(until, *length));
		if (interval > 366)
			break;				/* no second one begins in this year */
	}
	for (int i = 0; i < RRULE_YEAR_WORDS; i++)
		buffer[i] &= bits[i];
	return buffer;
}

/* The first bit at or after "from", -1 if there is none */
static int
first_bit(const uint64 *bits, int from)
{
	int			word = from / 64;
	uint64		rest;

	if (word >= RRULE_YEAR_WORDS)
		return -1;
	rest = bits[word] & ~sched_bits_below(from % 64);
	while (rest == 0)
	{
		if (++word >= RRULE_YEAR_WORDS)
			return -1;
		rest = bits[word];
	}
	return word * 64 + sched_bits_lowest(rest);
}

/* How many bits are set in [from, until) */
static int
count_bits(const uint64 *bits, int from, int until)
{
	int			count = 0;

	for (int word = from / 64; word < RRULE_YEAR_WORDS && word * 64 < until; word++)
	{
		uint64		rest = bits[word] &
		sched_bits_below(Min(until - word * 64, 64));

		if (word == from / 64)
			rest &= ~sched_bits_below(from % 64);
		count += sched_bits_count(rest);
	}
	return count;
}

static int64
search_days(RRuleSet *set, int64 from, int64 until, bool phased)
{
	int32		year;
	int64		first;

	if (from >= until)
		return RRULE_NO_SECOND;
	year = sched_civil_date((int32) from).year;
	first = sched_civil_day(year, 1, 1);

	while (first < until)
	{
		RRuleBits	buffer;
		int			length;
		const uint64 *bits = phased ?
		phased_year_bits(set, year, buffer, &length) :
		year_bits(set, year, &length);
		int			found = first_bit(bits, (int) Max(from - first, 0));

		if (found >= 0)
			return first + found < until ? first + found : RRULE_NO_SECOND;
		first += length;
		year++;
		if (phased && set->parts->freq == RRULE_YEARLY && !set->sub_daily)
		{
			/* straight to the next year in phase */
			int64		next = rrule_days_period_align(set, year);

			if (next >= SCHED_YEAR_LIMIT + 1)
				break;
			if (next != year)
			{
				year = (int32) next;
				first = sched_civil_day(year, 1, 1);
			}
		}
	}
	return RRULE_NO_SECOND;
}

static int64
count_days(RRuleSet *set, int64 from, int64 until, bool phased)
{
	int64		count = 0;
	int32		year;
	int64		first;

	if (from >= until)
		return 0;
	if (set->every_day && (!phased || set->sub_daily || set->interval == 1))
		return until - from;

	year = sched_civil_date((int32) from).year;
	first = sched_civil_day(year, 1, 1);
	while (first < until)
	{
		RRuleBits	buffer;
		int			length;
		const uint64 *bits = phased ?
		phased_year_bits(set, year, buffer, &length) :
		year_bits(set, year, &length);

		count += count_bits(bits, (int) Max(from - first, 0),
							(int) Min(until - first, length));
		first += length;
		year++;
	}
	return count;
}

/* The first day of the rule in [from, until), RRULE_NO_SECOND if there is none */
int64
rrule_days_first(RRuleSet *set, int64 from, int64 until)
{
	if (set->every_day && from < until &&
		(set->sub_daily || set->interval == 1))
		return from;
	return search_days(set, from, until, true);
}

int64
rrule_days_count(RRuleSet *set, int64 from, int64 until)
{
	return count_days(set, from, until, true);
}

int64
rrule_days_any_first(RRuleSet *set, int64 from, int64 until)
{
	return search_days(set, from, until, false);
}

int64
rrule_days_any_count(RRuleSet *set, int64 from, int64 until)
{
	return count_days(set, from, until, false);
}

/*
 * Complete the parts that select days with what DTSTART implies, and find the
 * period in which it lies.
 */
void
rrule_days_init(RRuleSet *set)
{
	const RRuleParts *parts = set->parts;
	int64		day = sched_floor_div(set->start, SCHED_SECS_PER_DAY);
	SchedDate	date = sched_civil_date((int32) day);
	uint32		given = parts->given & RRULE_DAY_PARTS;

	set->months = parts->months;
	set->month_days = parts->month_days[0];
	set->weekdays = parts->weekdays;

	switch (parts->freq)
	{
		case RRULE_YEARLY:
			if (given == 0)
				set->months = 1u << date.month;
			if ((given & ~RRULE_GIVEN(RRULE_BYMONTH)) == 0)
				set->month_days = 1u << date.mday;
			else if ((given & RRULE_GIVEN(RRULE_BYWEEKNO)) != 0 &&
					 (given & (RRULE_GIVEN(RRULE_BYYEARDAY) |
							   RRULE_GIVEN(RRULE_BYMONTHDAY) |
							   RRULE_GIVEN(RRULE_BYDAY))) == 0)
				set->weekdays = 1u << sched_civil_weekday((int32) day);
			break;
		case RRULE_MONTHLY:
			if ((given & ~RRULE_GIVEN(RRULE_BYMONTH)) == 0)
				set->month_days = 1u << date.mday;
			break;
		case RRULE_WEEKLY:
			if ((given & ~RRULE_GIVEN(RRULE_BYMONTH)) == 0)
				set->weekdays = 1u << sched_civil_weekday((int32) day);
			break;
		default:
			break;
	}
	set->every_day = given == 0 && parts->freq <= RRULE_DAILY;
	set->shapes_built = 0;
	set->phase = rrule_days_period_of(set, day);
}
