/*-------------------------------------------------------------------------
 *
 * rrule.c
 *	  The instants at which a recurrence rule fires.
 *
 * Design: rrule_set.c knows the readings of a local clock; here they become
 * instants.  Time is walked in stretches of constant offset.  Within one, an
 * instant fires if its reading is in the set.  At the seams:
 *
 * - After the clock was set forward by g, an instant of the first g seconds
 *	 fires also if the reading that the clock would have had without the jump
 *	 is in the set: a time that does not exist is shifted forward by the gap.
 *
 * - After it was set back by g, the readings of the first g seconds are
 *	 second occurrences.  Daily and longer frequencies name local times, which
 *	 take the first; so they pass over them.  HOURLY, MINUTELY and SECONDLY
 *	 step through elapsed time and fire in both.
 *
 * Stretches in which no day of the rule lies are jumped over, so that a rule
 * for each fourth 29 February asks for a handful of them.
 *
 * DTSTART bounds the set; it is an occurrence only if it matches the rule.
 * COUNT counts from DTSTART: the last reading (sub-daily: instant) that it
 * lets through is found by counting year by year, once for each start and
 * zone.  For daily and longer rules local times are what counts, so that two
 * which collapse into one instant after a gap are still two.
 *
 * The time that a call takes is bounded by the number of years, about 600
 * from the earliest DTSTART to the horizon, plus filling tables for a grid of
 * elapsed time (see rrule_set.c), plus the values of RDATE and EXDATE.  The
 * last fire is searched with bounded first-fire searches from the far end,
 * whose spans double, and then by bisection.
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

#define DAY				((int64) SCHED_SECS_PER_DAY)

/* No clock is set further than this at once, and no zone further from UTC */
#define MAX_SHIFT		(26 * 3600)

/* The years between which anything happens */
#define FIRST_YEAR		1601

/* Everything that the search needs to know */
typedef struct Search
{
	const SchedRRule *rule;
	RRuleSet   *set;
	const SchedZone *zone;
	int64		first_local;	/* readings outside [first, last] do not count */
	int64		last_local;
	int64		from;			/* nor do instants outside [from, until) */
	int64		until;
} Search;

/* A span of time in which readings translate to instants in one way */
typedef struct Stretch
{
	int64		from;			/* instants */
	int64		until;
	int32		offset;
	bool		after_gap;
	int32		gap_offset;		/* the offset as if the clock had not jumped */
	bool		repeated;		/* second occurrences of the same readings */
} Stretch;

/* ---- zones ---- */

static void
utc_period(const SchedZone *zone, int64 second, SchedZonePeriod *result)
{
	result->from = PG_INT64_MIN;
	result->until = PG_INT64_MAX;
	result->offset = 0;
	result->is_dst = false;
}

static const SchedZone utc_zone = {utc_period, NULL, "UTC"};

/* The instant of a reading: gaps shift forward, overlaps take the first */
static int64
instant_of_local(const SchedZone *zone, int64 local_second)
{
	SchedLocal	local;

	sched_zone_from_local(zone, local_second, &local);
	return local.kind == SCHED_LOCAL_GAP ? local.second : local.first;
}

static int64
instant_of_moment(const SchedZone *zone, const RRuleMoment *moment)
{
	if (moment->kind == RRULE_MOMENT_UTC)
		return moment->value;
	return instant_of_local(zone, moment->value);
}

/* The end of what a moment covers: a date is a whole local day */
static int64
end_of_moment(const SchedZone *zone, const RRuleMoment *moment)
{
	if (moment->kind == RRULE_MOMENT_DATE)
	{
		SchedLocal	local;

		sched_zone_from_local(zone, moment->value + DAY, &local);
		return local.first;
	}
	return instant_of_moment(zone, moment) + 1;
}

/*
 * The stretch that begins at an instant.  It ends where the offset changes,
 * or where what is special about the time after a change ends.
 */
static void
load_stretch(const Search *search, int64 second, Stretch *stretch)
{
	SchedZonePeriod period;
	SchedZonePeriod before;
	int64		shift;

	search->zone->period(search->zone, second, &period);
	stretch->from = second;
	stretch->until = Min(period.until, search->until);
	stretch->offset = period.offset;
	stretch->after_gap = false;
	stretch->repeated = false;

	if (period.from == PG_INT64_MIN || second >= period.from + MAX_SHIFT)
		return;
	search->zone->period(search->zone, period.from - 1, &before);
	shift = (int64) period.offset - before.offset;
	if (shift > 0 && second < period.from + shift)
	{
		stretch->after_gap = true;
		stretch->gap_offset = before.offset;
		stretch->until = Min(stretch->until, period.from + shift);
	}
	else if (shift < 0 && second < period.from - shift)
	{
		stretch->repeated = true;
		stretch->until = Min(stretch->until, period.from - shift);
	}
}

/* ---- searching and counting by the rule alone ---- */

/* The first instant of a stretch whose reading with this offset is in the set */
static int64
first_with_offset(const Search *search, const Stretch *stretch, int32 offset)
{
	int64		found = rrule_set_first(search->set,
										Max(stretch->from + offset,
											search->first_local),
										Min(stretch->until + offset,
											search->last_local + 1),
										offset);

	return found == RRULE_NO_SECOND ? RRULE_NO_SECOND : found - offset;
}

static int64
first_in_stretch(const Search *search, const Stretch *stretch)
{
	int64		found;

	if (stretch->repeated && !search->set->sub_daily)
		return RRULE_NO_SECOND;
	found = first_with_offset(search, stretch, stretch->offset);
	if (stretch->after_gap)
		found = Min(found, first_with_offset(search, stretch,
											 stretch->gap_offset));
	return found;
}

/*
 * After a gap, instants can match by either reading and must be counted once.
 * Both readings of a minute show the same seconds, except with the odd
 * offsets of the nineteenth century: then, and for positional sets, of which
 * there are few at a time, each instant is visited.
 */
static int64
count_after_gap(const Search *search, const Stretch *stretch)
{
	RRuleSet   *set = search->set;
	int64		minute;
	int64		count = 0;

	if (set->positional || stretch->offset % 60 != 0 ||
		stretch->gap_offset % 60 != 0)
	{
		Stretch		rest = *stretch;

		for (;;)
		{
			int64		found = first_in_stretch(search, &rest);

			if (found == RRULE_NO_SECOND)
				return count;
			count++;
			rest.from = found + 1;
		}
	}

	minute = sched_floor_div(stretch->from, 60) * 60;
	for (; minute < stretch->until; minute += 60)
	{
		uint64		bits = 0;
		int			low = (int) Max(stretch->from - minute, 0);
		int			high = (int) Min(stretch->until - minute, 60);

		for (int i = 0; i < 2; i++)
		{
			int32		offset = i == 0 ? stretch->offset : stretch->gap_offset;
			int64		local = minute + offset;
			int64		first = Max(search->first_local - local, 0);
			int64		last = Min(search->last_local - local, 59);

			if (first <= last)
				bits |= rrule_set_minute(set, local, offset) &
					sched_bits_below((int) last + 1) &
					~sched_bits_below((int) first);
		}
		count += sched_bits_count(bits & sched_bits_below(high) &
								  ~sched_bits_below(low));
	}
	return count;
}

static int64
count_in_stretch(const Search *search, const Stretch *stretch)
{
	if (stretch->repeated && !search->set->sub_daily)
		return 0;
	if (stretch->after_gap)
		return count_after_gap(search, stretch);
	return rrule_set_count(search->set,
						   Max(stretch->from + stretch->offset,
							   search->first_local),
						   Min(stretch->until + stretch->offset,
							   search->last_local + 1),
						   stretch->offset);
}

/*
 * Where to go on after a stretch, which may be much later if no day of the
 * rule follows soon; RRULE_NO_SECOND if none follows at all.  Near a change
 * of offset nothing is left out, since readings may come again there.
 */
static int64
after_stretch(const Search *search, const Stretch *stretch, int64 until)
{
	int64		day;

	if (stretch->until >= until)
		return RRULE_NO_SECOND;
	day = rrule_days_first(search->set,
						   sched_floor_div(stretch->until - MAX_SHIFT, DAY) - 1,
						   sched_floor_div(until + MAX_SHIFT, DAY) + 1);
	if (day == RRULE_NO_SECOND)
		return RRULE_NO_SECOND;
	return Max(stretch->until, day * DAY - 2 * MAX_SHIFT);
}

/* The first instant in [from, until) by the rule itself */
static int64
rule_first(const Search *search, int64 from, int64 until)
{
	from = Max(from, search->from);
	until = Min(until, search->until);
	while (from < until)
	{
		Stretch		stretch;
		int64		found;

		load_stretch(search, from, &stretch);
		stretch.until = Min(stretch.until, until);
		found = first_in_stretch(search, &stretch);
		if (found != RRULE_NO_SECOND)
			return found;
		from = after_stretch(search, &stretch, until);
	}
	return RRULE_NO_SECOND;
}

static int64
rule_count(const Search *search, int64 from, int64 until)
{
	int64		count = 0;

	from = Max(from, search->from);
	until = Min(until, search->until);
	while (from < until)
	{
		Stretch		stretch;

		load_stretch(search, from, &stretch);
		stretch.until = Min(stretch.until, until);
		count += count_in_stretch(search, &stretch);
		from = after_stretch(search, &stretch, until);
	}
	return count;
}

/* ---- COUNT ---- */

static int64
count_for_limit(const Search *search, int64 from, int64 until)
{
	if (search->set->sub_daily)
		return rule_count(search, from, until);
	return rrule_set_count(search->set, from, until, 0);
}

/* The local second, or sub-daily the instant, of the COUNT-th occurrence */
static int64
find_limit(const Search *search, int64 start, int64 horizon)
{
	int64		wanted = search->rule->parts.count;
	int64		from = start;

	while (from < horizon)
	{
		int64		until = Min(from + 366 * DAY, horizon);
		int64		count = count_for_limit(search, from, until);

		if (count >= wanted)
		{
			int64		low = from; /* fewer than wanted before it */
			int64		high = until;	/* enough */

			while (high - low > 1)
			{
				int64		middle = low + (high - low) / 2;

				if (count_for_limit(search, from, middle) >= wanted)
					high = middle;
				else
					low = middle;
			}
			return high - 1;
		}
		wanted -= count;
		from = until;
	}
	return horizon;
}

static void
apply_count(SchedRRule *rule, Search *search, int64 horizon)
{
	RRuleSet   *set = search->set;

	if (!rule->limit_valid ||
		(set->sub_daily &&
		 (rule->limit_zone != search->zone ||
		  strcmp(rule->limit_zone_name, search->zone->name) != 0)))
	{
		/* UNTIL cannot stand beside COUNT, so search is still unlimited */
		rule->limit = find_limit(search,
								 set->sub_daily ? search->from : set->start,
								 set->sub_daily ? search->until :
								 horizon + MAX_SHIFT);
		rule->limit_zone = search->zone;
		strlcpy(rule->limit_zone_name, search->zone->name,
				sizeof(rule->limit_zone_name));
		rule->limit_valid = true;
	}
	if (set->sub_daily)
		search->until = Min(search->until, rule->limit + 1);
	else
		search->last_local = Min(search->last_local, rule->limit);
}

/* ---- setting up ---- */

static int64
start_of_rule(const SchedRRule *rule, const SchedZone *zone, SchedTime anchor)
{
	int64		earliest = sched_civil_day(FIRST_YEAR, 1, 1) * DAY;
	int64		latest = sched_civil_day(SCHED_YEAR_LIMIT, 1, 1) * DAY;
	int64		second;

	if (rule->parts.dtstart.kind != RRULE_MOMENT_NONE)
		return rule->parts.dtstart.value;
	second = sched_time_second(anchor);
	if (second < earliest)
		return earliest;
	if (second > latest)
		return latest;
	return sched_zone_to_local(zone, second);
}

/* search_end() must follow. */
static void
search_begin(Search *search, const SchedRRule *const_rule,
			 const SchedZone *zone, SchedTime anchor)
{
	/* only the caches change */
	SchedRRule *rule = unconstify(SchedRRule *, const_rule);
	const RRuleParts *parts = &rule->parts;
	int64		horizon = sched_civil_day(SCHED_YEAR_LIMIT, 1, 1) * DAY;
	int64		start;

	if (parts->dtstart.kind == RRULE_MOMENT_UTC)
		zone = &utc_zone;
	start = start_of_rule(rule, zone, anchor);
	if (!rule->set_valid || rule->set.start != start)
	{
		rrule_set_init(&rule->set, parts, start);
		rule->set_valid = true;
		rule->limit_valid = false;
	}

	search->rule = rule;
	search->set = &rule->set;
	search->zone = zone;
	search->first_local = start;
	search->last_local = horizon + MAX_SHIFT;
	search->from = start - MAX_SHIFT;
	search->until = horizon;

	if (rule->set.sub_daily)
	{
		/* elapsed time: DTSTART is an instant, and so is what bounds it */
		search->from = instant_of_local(zone, start);
		search->first_local = search->from - MAX_SHIFT;
		rule->set.base = search->from -
			sched_floor_mod(start, rule->set.unit);
	}
	if (parts->until.kind != RRULE_MOMENT_NONE)
		search->until = Min(search->until, end_of_moment(zone, &parts->until));
	if (parts->count > 0)
		apply_count(rule, search, horizon);
}

static void
search_end(Search *search)
{
	if (search->set->day_counts != NULL)
	{
		pfree(search->set->day_counts);
		search->set->day_counts = NULL;
		search->set->hour_counts = NULL;
	}
}

/* ---- RDATE and EXDATE ---- */

/* Can the moment mean this instant?  Saves looking into the zone. */
static inline bool
is_near(const RRuleMoment *moment, int64 second)
{
	return moment->value - 2 * MAX_SHIFT <= second &&
		second <= moment->value + 2 * MAX_SHIFT + DAY;
}

/* The end of the exclusion that covers an instant, or the instant itself */
static int64
end_of_exclusion(const Search *search, int64 second)
{
	const RRuleParts *parts = &search->rule->parts;

	for (int i = 0; i < parts->n_exdates; i++)
	{
		const RRuleMoment *moment = &parts->exdates[i];

		if (is_near(moment, second) &&
			instant_of_moment(search->zone, moment) <= second &&
			second < end_of_moment(search->zone, moment))
			return end_of_moment(search->zone, moment);
	}
	return second;
}

/* The first RDATE in [from, until) that no EXDATE takes away */
static int64
rdate_first(const Search *search, int64 from, int64 until)
{
	const RRuleParts *parts = &search->rule->parts;
	int64		horizon = sched_civil_day(SCHED_YEAR_LIMIT, 1, 1) * DAY;
	int64		best = RRULE_NO_SECOND;

	until = Min(until, horizon);
	for (int i = 0; i < parts->n_rdates; i++)
	{
		const RRuleMoment *moment = &parts->rdates[i];
		int64		second;

		if (moment->value + 2 * MAX_SHIFT < from ||
			moment->value - 2 * MAX_SHIFT >= Min(until, best))
			continue;
		second = instant_of_moment(search->zone, moment);
		if (second >= from && second < until && second < best &&
			end_of_exclusion(search, second) == second)
			best = second;
	}
	return best;
}

/* The first fire in [from, until), all properties considered */
static int64
fire_first(const Search *search, int64 from, int64 until)
{
	int64		extra = rdate_first(search, from, until);
	int64		found;

	until = Min(until, extra);
	while ((found = rule_first(search, from, until)) != RRULE_NO_SECOND)
	{
		from = end_of_exclusion(search, found);
		if (from == found)
			return found;
	}
	return extra;
}

typedef struct Span
{
	int64		from;
	int64		until;
} Span;

static int
compare_spans(const void *a, const void *b)
{
	const Span *x = a;
	const Span *y = b;

	if (x->from != y->from)
		return x->from < y->from ? -1 : 1;
	return x->until < y->until ? -1 : x->until > y->until ? 1 : 0;
}

/* How many fires of the rule the EXDATEs take away in [from, until) */
static int64
count_excluded(const Search *search, int64 from, int64 until)
{
	const RRuleParts *parts = &search->rule->parts;
	Span	   *spans;
	int64		count = 0;
	int64		done = from;

	if (parts->n_exdates == 0)
		return 0;
	spans = palloc(parts->n_exdates * sizeof(Span));
	for (int i = 0; i < parts->n_exdates; i++)
	{
		spans[i].from = instant_of_moment(search->zone, &parts->exdates[i]);
		spans[i].until = end_of_moment(search->zone, &parts->exdates[i]);
	}
	qsort(spans, parts->n_exdates, sizeof(Span), compare_spans);
	for (int i = 0; i < parts->n_exdates; i++)
	{
		int64		begin = Max(spans[i].from, done);
		int64		end = Min(spans[i].until, until);

		if (begin < end)
		{
			count += rule_count(search, begin, end);
			done = end;
		}
	}
	pfree(spans);
	return count;
}

/* How many fires in [from, until) are there by RDATE only */
static int64
count_added(const Search *search, int64 from, int64 until)
{
	int64		count = 0;

	if (search->rule->parts.n_rdates == 0)
		return 0;
	while ((from = rdate_first(search, from, until)) != RRULE_NO_SECOND)
	{
		if (rule_first(search, from, from + 1) == RRULE_NO_SECOND)
			count++;
		from++;
	}
	return count;
}

/* ---- what the header promises ---- */

/* Fires are at whole seconds: the first one that is after an instant */
static inline int64
second_after(SchedTime t)
{
	return sched_time_second(t) + 1;
}

SchedTime
sched_rrule_next(const SchedRRule *rule, const SchedZone *zone,
				 SchedTime anchor, SchedTime after)
{
	Search		search;
	int64		found;

	if (after == SCHED_TIME_NEVER)
		return SCHED_TIME_NEVER;
	search_begin(&search, rule, zone, anchor);
	found = fire_first(&search, second_after(after), PG_INT64_MAX);
	search_end(&search);
	return found == RRULE_NO_SECOND ? SCHED_TIME_NEVER :
		found * SCHED_USEC_PER_SEC;
}

SchedTime
sched_rrule_last(const SchedRRule *rule, const SchedZone *zone,
				 SchedTime anchor, SchedTime after, SchedTime upto)
{
	int64		horizon = sched_civil_day(SCHED_YEAR_LIMIT, 1, 1) * DAY;
	Search		search;
	int64		low = second_after(after);
	int64		high = Min(second_after(upto), horizon);
	int64		best;
	bool		bisect = false;

	if (after >= upto)
		return SCHED_TIME_BEGIN;
	search_begin(&search, rule, zone, anchor);
	best = fire_first(&search, low, high);
	if (best == RRULE_NO_SECOND)
	{
		search_end(&search);
		return SCHED_TIME_BEGIN;
	}

	/* from here on: a fire at best, none in [high, upto] */
	low = best + 1;
	for (int64 span = 64; low < high;)
	{
		int64		probe = bisect ? low + (high - low) / 2 :
		Max(low, high - span);
		int64		found = fire_first(&search, probe, high);

		if (found != RRULE_NO_SECOND)
		{
			best = found;
			low = found + 1;
			bisect = true;
		}
		else
			high = probe;
		span = Min(span * 2, horizon);
	}
	search_end(&search);
	return best * SCHED_USEC_PER_SEC;
}

int64
sched_rrule_count(const SchedRRule *rule, const SchedZone *zone,
				  SchedTime anchor, SchedTime after, SchedTime upto,
				  int64 limit)
{
	Search		search;
	int64		from = second_after(after);
	int64		until = second_after(upto);
	int64		count;

	if (after >= upto || limit <= 0)
		return 0;
	search_begin(&search, rule, zone, anchor);
	count = rule_count(&search, from, until);
	count -= count_excluded(&search, from, until);
	count += count_added(&search, from, until);
	search_end(&search);
	return Min(count, limit);
}
