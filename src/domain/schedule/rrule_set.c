/*-------------------------------------------------------------------------
 *
 * rrule_set.c
 *	  The readings of a local clock at which a recurrence rule fires.
 *
 * Design: a rule fires on some days (rrule_days.c) at some times of day.  The
 * times of day are a set of hours, each with the same pattern of minutes and
 * seconds, so that "the first at or after" and "how many before" take a few
 * bit operations, and a whole day need never be expanded.  Three kinds of set
 * build on that:
 *
 * plain: each time of day on each day.  All daily and longer frequencies
 * without BYSETPOS, and the shorter ones with INTERVAL=1.
 *
 * gridded: HOURLY, MINUTELY and SECONDLY with an INTERVAL.  A second belongs
 * if its reading does and if it lies in a unit of elapsed time that INTERVAL
 * does not leave out, counted from DTSTART.  The search jumps from the next
 * unit on the grid to the next reading that matches and back, until both
 * agree.  The two can avoid each other for a long time: after some days in
 * vain, and whenever many days are counted, tables remember the number of
 * fires for each position that the start of an hour or a day can have on the
 * grid.  Filling them visits each (position, unit of the hour) once, 3,600 of
 * them at most for an offset, and 24 hours for each position of a day; after
 * that each day is one look-up.
 *
 * positional: BYSETPOS with a daily or longer frequency.  The elements of a
 * period are numbered day by day, so that a position is turned into a reading
 * by division.  For shorter frequencies, BYSETPOS picks the same elements
 * from every hour or minute and is applied to the pattern beforehand.
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

#define DAY				SCHED_SECS_PER_DAY

/* Days searched on the grid in vain before the table is made */
#define GRID_PATIENCE	16

/* ---- times of day ---- */

/* The first second of the pattern of an hour at or after "from", or -1 */
static int
hour_first(const RRuleSet *set, int from)
{
	int			minute = from / 60;
	uint64		rest;

	rest = set->seconds[minute] & ~sched_bits_below(from % 60);
	if (rest != 0)
		return minute * 60 + sched_bits_lowest(rest);
	rest = set->minutes & ~sched_bits_below(minute + 1);
	if (rest == 0)
		return -1;
	minute = sched_bits_lowest(rest);
	return minute * 60 + sched_bits_lowest(set->seconds[minute]);
}

/* The first time of day at or after "from", or -1 */
static int
time_first(const RRuleSet *set, int from)
{
	int			hour = from / 3600;
	int			found;
	uint32		rest;

	if (set->per_day == 0 || hour >= 24)
		return -1;
	if (set->hours & (1u << hour))
	{
		found = hour_first(set, from % 3600);
		if (found >= 0)
			return hour * 3600 + found;
	}
	rest = set->hours & ~(uint32) sched_bits_below(hour + 1);
	if (rest == 0)
		return -1;
	return sched_bits_lowest(rest) * 3600 + hour_first(set, 0);
}

/* How many seconds of the pattern lie before "second", 0 <= second <= 3600 */
static inline int
hour_rank(const RRuleSet *set, int second)
{
	int			minute = second / 60;
	int			rank = set->before[minute];

	if (minute < 60)
		rank += sched_bits_count(set->seconds[minute] &
								 sched_bits_below(second % 60));
	return rank;
}

/* How many times of day lie before "time", for 0 <= time <= DAY */
static int
time_rank(const RRuleSet *set, int time)
{
	int			hour = time / 3600;
	int			rank = set->per_hour *
	sched_bits_count(set->hours & sched_bits_below(hour));

	if (hour < 24 && (set->hours & (1u << hour)) != 0)
		rank += hour_rank(set, time % 3600);
	return rank;
}

/* The n-th (from 0) time of day; there must be as many */
static int
time_select(const RRuleSet *set, int n)
{
	int			hour = sched_bits_select(set->hours, n / set->per_hour);
	int			minute = 0;

	n %= set->per_hour;
	while (set->before[minute + 1] <= n)
		minute++;
	return hour * 3600 + minute * 60 +
		sched_bits_select(set->seconds[minute], n - set->before[minute]);
}

/* Bring the counts in line with seconds[] */
static void
count_pattern(RRuleSet *set)
{
	set->minutes = 0;
	set->before[0] = 0;
	for (int minute = 0; minute < 60; minute++)
	{
		if (set->seconds[minute] != 0)
			set->minutes |= SCHED_BIT64(minute);
		set->before[minute + 1] = set->before[minute] +
			sched_bits_count(set->seconds[minute]);
	}
	set->per_hour = set->before[60];
	set->per_day = set->per_hour * sched_bits_count(set->hours);
}

/* ---- BYSETPOS ---- */

/*
 * The smallest index at or after "from" that BYSETPOS selects out of "total"
 * elements, -1 if there is none.
 */
static int64
position_first(const RRuleParts *parts, int64 total, int64 from)
{
	int64		found = -1;

	if (from >= total)
		return -1;
	if (from < 366)
	{
		/* position n is index n - 1, bit n */
		int			bit = (int) from + 1;

		for (int word = bit / 64; word < RRULE_YEAR_WORDS; word++)
		{
			uint64		rest = parts->positions[0][word];

			if (word == bit / 64)
				rest &= ~sched_bits_below(bit % 64);
			if (rest != 0)
			{
				found = word * 64 + sched_bits_lowest(rest) - 1;
				break;
			}
		}
		if (found >= total)
			found = -1;
	}

	/* position -n is index total - n: the largest n that is not too large */
	for (int bit = (int) Min(total - from, 366), word = bit / 64; word >= 0; word--)
	{
		uint64		rest = parts->positions[1][word];

		if (word == bit / 64)
			rest &= sched_bits_below(bit % 64 + 1);
		if (rest != 0)
		{
			int64		index = total - (word * 64 + sched_bits_highest(rest));

			return found < 0 ? index : Min(found, index);
		}
	}
	return found;
}

/* How many indexes in [from, until) BYSETPOS selects */
static int64
position_count(const RRuleParts *parts, int64 total, int64 from, int64 until)
{
	int64		count = 0;

	for (;;)
	{
		from = position_first(parts, total, from);
		if (from < 0 || from >= until)
			return count;
		count++;
		from++;
	}
}

/* Keep only what BYSETPOS selects out of every hour, minute or second. */
static void
apply_positions_to_pattern(RRuleSet *set, const RRuleParts *parts)
{
	if (parts->freq == RRULE_HOURLY)
	{
		uint64		kept[60] = {0};
		int64		index = -1;

		while ((index = position_first(parts, set->per_hour, index + 1)) >= 0)
		{
			int			minute = 0;

			while (set->before[minute + 1] <= index)
				minute++;
			kept[minute] |=
				SCHED_BIT64(sched_bits_select(set->seconds[minute],
											  (int) index - set->before[minute]));
		}
		memcpy(set->seconds, kept, sizeof(kept));
	}
	else
	{
		for (int minute = 0; minute < 60; minute++)
		{
			uint64		pattern = set->seconds[minute];
			uint64		kept = 0;
			int64		index = -1;
			int			total = sched_bits_count(pattern);

			if (parts->freq == RRULE_SECONDLY)
			{
				/* each second is a period of its own, with one element */
				if (position_first(parts, 1, 0) == 0)
					kept = pattern;
			}
			else
			{
				while ((index = position_first(parts, total, index + 1)) >= 0)
					kept |= SCHED_BIT64(sched_bits_select(pattern, (int) index));
			}
			set->seconds[minute] = kept;
		}
	}
	count_pattern(set);
}

/* One period, its days and where it stands */
typedef struct Period
{
	int64		number;
	int64		from;
	int64		until;
	int64		days;			/* that belong to the rule */
} Period;

static void
load_period(RRuleSet *set, int64 number, Period *period)
{
	period->number = number;
	period->from = rrule_days_period_start(set, number);
	period->until = rrule_days_period_start(set, number + 1);
	period->days = rrule_days_any_count(set, period->from, period->until);
}

/* The first period in phase that has a day of the rule in [day, until) */
static bool
next_period(RRuleSet *set, int64 day, int64 until, Period *period)
{
	for (;;)
	{
		int64		number;
		int64		aligned;

		day = rrule_days_any_first(set, day, until);
		if (day == RRULE_NO_SECOND)
			return false;
		number = rrule_days_period_of(set, day);
		aligned = rrule_days_period_align(set, number);
		if (aligned == number)
		{
			load_period(set, number, period);
			return true;
		}
		day = rrule_days_period_start(set, aligned);
	}
}

/* The index within its period of the first element at or after "second" */
static int64
element_rank(RRuleSet *set, const Period *period, int64 second)
{
	int64		day = sched_floor_div(second, DAY);
	int64		rank;

	if (day < period->from)
		return 0;
	if (day >= period->until)
		return period->days * set->per_day;
	rank = rrule_days_any_count(set, period->from, day) * set->per_day;
	if (rrule_days_any_count(set, day, day + 1) > 0)
		rank += time_rank(set, (int) (second - day * DAY));
	return rank;
}

static int64
element_select(RRuleSet *set, const Period *period, int64 index)
{
	int64		day = period->from;

	for (int64 n = index / set->per_day;; n--)
	{
		day = rrule_days_any_first(set, day, period->until);
		if (n == 0)
			break;
		day++;
	}
	return day * DAY + time_select(set, (int) (index % set->per_day));
}

/* All the elements of a period that has so many days */
static int64
period_count(RRuleSet *set, int64 days)
{
	int			slot = (int) (days % RRULE_PERIOD_MEMO);
	int64		total = days * set->per_day;

	if (set->period_memo[slot].days != days)
	{
		set->period_memo[slot].days = (int32) days;
		set->period_memo[slot].count =
			(int32) position_count(set->parts, total, 0, total);
	}
	return set->period_memo[slot].count;
}

static int64
positional_first(RRuleSet *set, int64 from, int64 until)
{
	int64		day = sched_floor_div(from, DAY);
	int64		last_day = sched_floor_div(until - 1, DAY) + 1;
	Period		period;

	/* a day is like any other: then there is nothing, or something soon */
	if (set->parts->freq == RRULE_DAILY && period_count(set, 1) == 0)
		return RRULE_NO_SECOND;

	/* the first period may have begun before */
	day = rrule_days_period_start(set, rrule_days_period_of(set, day));
	while (next_period(set, day, last_day, &period))
	{
		int64		index = position_first(set->parts,
										   period.days * set->per_day,
										   element_rank(set, &period, from));

		if (index >= 0)
		{
			int64		found = element_select(set, &period, index);

			return found < until ? found : RRULE_NO_SECOND;
		}
		day = period.until;
	}
	return RRULE_NO_SECOND;
}

static int64
positional_count(RRuleSet *set, int64 from, int64 until)
{
	int64		day = sched_floor_div(from, DAY);
	int64		last_day = sched_floor_div(until - 1, DAY) + 1;
	int64		count = 0;
	Period		period;

	if (set->parts->freq == RRULE_DAILY && last_day - day > 2)
	{
		/* whole days are alike and need not be visited */
		return positional_count(set, from, (day + 1) * DAY) +
			rrule_days_count(set, day + 1, last_day - 1) *
			period_count(set, 1) +
			positional_count(set, (last_day - 1) * DAY, until);
	}
	day = rrule_days_period_start(set, rrule_days_period_of(set, day));
	while (next_period(set, day, last_day, &period))
	{
		if (period.from * DAY >= from && period.until * DAY <= until)
			count += period_count(set, period.days);
		else
			count += position_count(set->parts, period.days * set->per_day,
									element_rank(set, &period, from),
									element_rank(set, &period, until));
		day = period.until;
	}
	return count;
}

/* ---- plain sets ---- */

static int64
plain_first(RRuleSet *set, int64 from, int64 until)
{
	int64		day = sched_floor_div(from, DAY);
	int64		last_day = sched_floor_div(until - 1, DAY) + 1;
	int64		found = rrule_days_first(set, day, last_day);

	if (found == day)
	{
		int			time = time_first(set, (int) (from - day * DAY));

		if (time >= 0)
		{
			found = day * DAY + time;
			return found < until ? found : RRULE_NO_SECOND;
		}
		found = rrule_days_first(set, day + 1, last_day);
	}
	if (found == RRULE_NO_SECOND)
		return RRULE_NO_SECOND;
	found = found * DAY + time_first(set, 0);
	return found < until ? found : RRULE_NO_SECOND;
}

static int64
plain_count(RRuleSet *set, int64 from, int64 until)
{
	int64		first = sched_floor_div(from, DAY);
	int64		last = sched_floor_div(until, DAY);
	int64		count = rrule_days_count(set, first, last) * set->per_day;

	/* whole days from the first to before the last, then mend both ends */
	if (rrule_days_count(set, first, first + 1) > 0)
		count -= time_rank(set, (int) (from - first * DAY));
	if (until > last * DAY && rrule_days_count(set, last, last + 1) > 0)
		count += time_rank(set, (int) (until - last * DAY));
	return count;
}

/* ---- sets on a grid of elapsed time ---- */

/* Where a reading stands on the grid: 0 <= result < step */
static inline int64
grid_position(const RRuleSet *set, int64 second, int32 offset)
{
	return sched_floor_mod(second - offset - set->base, set->step);
}

/* The fires in [from, until), within the hour that begins at "hour" */
static int
grid_count_units(const RRuleSet *set, int64 hour, int64 from, int64 until,
				 int32 offset)
{
	int			count = 0;

	for (int64 unit = from - grid_position(set, from, offset); unit < until;
		 unit += set->step)
	{
		int64		low = Max(unit, from);
		int64		high = Min(unit + set->unit, until);

		if (low < high)
			count += hour_rank(set, (int) (high - hour)) -
				hour_rank(set, (int) (low - hour));
	}
	return count;
}

/* The fires in [from, until), which lies within one day */
static int64
grid_count_within(const RRuleSet *set, int64 from, int64 until, int32 offset)
{
	int64		midnight = sched_floor_div(from, DAY) * DAY;
	int64		count = 0;
	uint32		hours = set->hours &
	~(uint32) sched_bits_below((int) ((from - midnight) / 3600));

	for (; hours != 0; hours &= hours - 1)
	{
		int64		hour = midnight + sched_bits_lowest(hours) * 3600;
		int32	   *known;

		if (hour >= until)
			break;
		if (set->hour_counts == NULL || hour < from || hour + 3600 > until)
		{
			count += grid_count_units(set, hour, Max(hour, from),
									  Min(hour + 3600, until), offset);
			continue;
		}
		known = &set->hour_counts[grid_position(set, hour, offset)];
		if (*known < 0)
			*known = grid_count_units(set, hour, hour, hour + 3600, offset);
		count += *known;
	}
	return count;
}

/* The fires of a whole day, from the table if it is in use */
static int64
grid_count_day(RRuleSet *set, int64 day, int32 offset)
{
	int32	   *known;

	if (set->day_counts == NULL)
		return grid_count_within(set, day * DAY, (day + 1) * DAY, offset);

	known = &set->day_counts[grid_position(set, day * DAY, offset)];
	if (*known < 0)
		*known = (int32) grid_count_within(set, day * DAY, (day + 1) * DAY,
										   offset);
	return *known;
}

/*
 * The tables have an entry for each second of a step, hence only for steps up
 * to a day; with a longer one most days hold no unit of the grid at all.
 */
static void
make_tables(RRuleSet *set)
{
	if (set->day_counts != NULL || set->step > DAY)
		return;
	set->day_counts = palloc(2 * set->step * sizeof(int32));
	set->hour_counts = set->day_counts + set->step;
	memset(set->day_counts, 0xff, 2 * set->step * sizeof(int32));
}

/* The first fire in [from, until), which lies within one day */
static int64
grid_first_within(const RRuleSet *set, int64 from, int64 until, int32 offset)
{
	int64		midnight = sched_floor_div(from, DAY) * DAY;

	while (from < until)
	{
		int64		position = grid_position(set, from, offset);
		int			time;

		if (position >= set->unit)
			from += set->step - position;
		if (from >= until)
			break;
		time = time_first(set, (int) (from - midnight));
		if (time < 0)
			break;
		if (midnight + time == from)
			return from;
		from = midnight + time;
		if (from < until &&
			grid_position(set, from, offset) < set->unit)
			return from;
	}
	return RRULE_NO_SECOND;
}

/*
 * The first day in [from, until) that is of the rule and has something of the
 * grid; *from goes to where in it to begin, at midnight if possible.
 */
static int64
grid_next_day(RRuleSet *set, int64 *from, int64 until, int32 offset)
{
	int64		position = grid_position(set, *from, offset);
	int64		unit = position < set->unit ? *from :
	*from + set->step - position;
	int64		day;

	if (unit >= until)
		return RRULE_NO_SECOND;
	day = rrule_days_first(set, sched_floor_div(unit, DAY),
						   sched_floor_div(until - 1, DAY) + 1);
	if (day != RRULE_NO_SECOND)
		*from = Max(*from, day * DAY);
	return day;
}

/* The fires of a day in [from, until) */
static int64
grid_count_part(RRuleSet *set, int64 day, int64 from, int64 until,
				int32 offset)
{
	if (from == day * DAY && until == from + DAY)
		return grid_count_day(set, day, offset);
	return grid_count_within(set, from, until, offset);
}

static int64
grid_first(RRuleSet *set, int64 from, int64 until, int32 offset)
{
	int			in_vain = 0;

	while (from < until)
	{
		int64		day = grid_next_day(set, &from, until, offset);
		int64		found;
		int64		end;

		if (day == RRULE_NO_SECOND)
			break;
		if (++in_vain > GRID_PATIENCE)
			make_tables(set);
		end = Min(until, (day + 1) * DAY);
		if (set->day_counts == NULL ||
			grid_count_part(set, day, from, end, offset) > 0)
		{
			found = grid_first_within(set, from, end, offset);
			if (found != RRULE_NO_SECOND)
				return found;
		}
		from = end;
	}
	return RRULE_NO_SECOND;
}

/*
 * Is every unit of the grid a full one, whatever its day and time?  Then they
 * can be counted by division.
 */
static bool
grid_is_unrestricted(const RRuleSet *set)
{
	if (!set->every_day || set->hours != (uint32) sched_bits_below(24))
		return false;
	if (set->unit == 3600)
		return true;
	if (set->minutes != sched_bits_below(60))
		return false;
	for (int minute = 1; minute < 60; minute++)
	{
		if (set->seconds[minute] != set->seconds[0])
			return false;
	}
	return set->unit == 60 || set->per_hour == 3600;
}

/* The same as grid_count_within(), for a span that may cross a midnight */
static int64
grid_count_span(const RRuleSet *set, int64 from, int64 until, int32 offset)
{
	int64		count = 0;

	while (from < until)
	{
		int64		midnight = (sched_floor_div(from, DAY) + 1) * DAY;
		int64		end = Min(until, midnight);

		count += grid_count_within(set, from, end, offset);
		from = end;
	}
	return count;
}

static int64
grid_count(RRuleSet *set, int64 from, int64 until, int32 offset)
{
	int64		count = 0;

	if (until - from > 2 * set->step && grid_is_unrestricted(set))
	{
		int64		per_unit = set->unit == 3600 ? set->per_hour :
		set->unit == 60 ? sched_bits_count(set->seconds[0]) : 1;
		int64		first = from + set->step - grid_position(set, from, offset);
		int64		whole = (until - first) / set->step;

		return grid_count_span(set, from, first, offset) + whole * per_unit +
			grid_count_span(set, first + whole * set->step, until, offset);
	}

	if (until - from > GRID_PATIENCE * (int64) DAY)
		make_tables(set);
	while (from < until)
	{
		int64		day = grid_next_day(set, &from, until, offset);
		int64		end;

		if (day == RRULE_NO_SECOND)
			break;
		end = Min(until, (day + 1) * DAY);
		count += grid_count_part(set, day, from, end, offset);
		from = end;
	}
	return count;
}

/* ---- all kinds ---- */

int64
rrule_set_first(RRuleSet *set, int64 from, int64 until, int32 offset)
{
	if (from >= until || set->per_day == 0)
		return RRULE_NO_SECOND;
	if (set->positional)
		return positional_first(set, from, until);
	if (set->gridded)
		return grid_first(set, from, until, offset);
	return plain_first(set, from, until);
}

int64
rrule_set_count(RRuleSet *set, int64 from, int64 until, int32 offset)
{
	if (from >= until || set->per_day == 0)
		return 0;
	if (set->positional)
		return positional_count(set, from, until);
	if (set->gridded)
		return grid_count(set, from, until, offset);
	return plain_count(set, from, until);
}

uint64
rrule_set_minute(RRuleSet *set, int64 minute, int32 offset)
{
	int64		day = sched_floor_div(minute, DAY);
	int			time = (int) (minute - day * DAY);
	uint64		bits;

	if ((set->hours & (1u << (time / 3600))) == 0)
		return 0;
	bits = set->seconds[time % 3600 / 60];
	if (bits == 0 || rrule_days_first(set, day, day + 1) != day)
		return 0;
	if (set->gridded)
	{
		uint64		on_grid = 0;
		int64		unit = -grid_position(set, minute, offset);

		for (; unit < 60; unit += set->step)
		{
			if (unit + set->unit > 0)
				on_grid |= sched_bits_below((int) Min(unit + set->unit, 60)) &
					~sched_bits_below((int) Max(unit, 0));
		}
		bits &= on_grid;
	}
	return bits;
}

void
rrule_set_init(RRuleSet *set, const RRuleParts *parts, int64 start)
{
	int64		day = sched_floor_div(start, DAY);
	int			time = (int) (start - day * DAY);
	uint64		minutes = parts->minutes;
	uint64		seconds = parts->seconds;

	memset(set, 0, sizeof(*set));
	set->parts = parts;
	set->start = start;
	set->sub_daily = parts->freq < RRULE_DAILY;
	set->interval = set->sub_daily ? parts->interval :
		Min(parts->interval, 1000000);
	rrule_days_init(set);

	/* what the frequency leaves open comes from DTSTART, or is any */
	set->hours = parts->hours;
	if (set->hours == 0)
		set->hours = set->sub_daily ? (uint32) sched_bits_below(24) :
			1u << (time / 3600);
	if (minutes == 0)
		minutes = parts->freq <= RRULE_MINUTELY ? sched_bits_below(60) :
			SCHED_BIT64(time % 3600 / 60);
	if (seconds == 0)
		seconds = parts->freq == RRULE_SECONDLY ? sched_bits_below(60) :
			SCHED_BIT64(time % 60);
	for (int minute = 0; minute < 60; minute++)
		set->seconds[minute] = (minutes & SCHED_BIT64(minute)) ? seconds : 0;
	count_pattern(set);

	if (parts->given & RRULE_GIVEN(RRULE_BYSETPOS))
	{
		if (set->sub_daily)
			apply_positions_to_pattern(set, parts);
		else
			set->positional = true;
	}
	for (int i = 0; i < RRULE_PERIOD_MEMO; i++)
		set->period_memo[i].days = -1;

	set->unit = parts->freq == RRULE_HOURLY ? 3600 :
		parts->freq == RRULE_MINUTELY ? 60 : 1;
	set->step = set->unit * set->interval;
	set->gridded = set->sub_daily && set->interval > 1;
}
