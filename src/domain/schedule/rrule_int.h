/*-------------------------------------------------------------------------
 *
 * rrule_int.h
 *	  What the rrule_*.c files share.
 *
 * rrule_parse.c turns text into an RRuleParts.  rrule_days.c knows on which
 * days a rule may fire, rrule_set.c at which readings of the local clock, and
 * rrule.c at which instants.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_RRULE_INT_H
#define SCHED_RRULE_INT_H

#include "domain/schedule/bits.h"
#include "domain/domain.h"
#include "domain/schedule/rrule.h"

typedef enum RRuleFreq
{
	RRULE_SECONDLY,
	RRULE_MINUTELY,
	RRULE_HOURLY,
	RRULE_DAILY,
	RRULE_WEEKLY,
	RRULE_MONTHLY,
	RRULE_YEARLY
} RRuleFreq;

/* The parts of a rule that were given, as bits of RRuleParts.given. */
typedef enum RRuleKey
{
	RRULE_FREQ,
	RRULE_INTERVAL,
	RRULE_COUNT,
	RRULE_UNTIL,
	RRULE_BYMONTH,
	RRULE_BYWEEKNO,
	RRULE_BYYEARDAY,
	RRULE_BYMONTHDAY,
	RRULE_BYDAY,
	RRULE_BYHOUR,
	RRULE_BYMINUTE,
	RRULE_BYSECOND,
	RRULE_BYSETPOS,
	RRULE_WKST,
	RRULE_DTSTART
} RRuleKey;

#define RRULE_KEY_COUNT		(RRULE_DTSTART + 1)
#define RRULE_GIVEN(key)	(1u << (key))

/* Any of the parts that select days, within a year or a week */
#define RRULE_DAY_PARTS \
	(RRULE_GIVEN(RRULE_BYMONTH) | RRULE_GIVEN(RRULE_BYWEEKNO) | \
	 RRULE_GIVEN(RRULE_BYYEARDAY) | RRULE_GIVEN(RRULE_BYMONTHDAY) | \
	 RRULE_GIVEN(RRULE_BYDAY))

/* A date or date and time as written: not yet an instant. */
typedef enum RRuleMomentKind
{
	RRULE_MOMENT_NONE,
	RRULE_MOMENT_UTC,
	RRULE_MOMENT_LOCAL,
	RRULE_MOMENT_DATE			/* value is its midnight */
} RRuleMomentKind;

typedef struct RRuleMoment
{
	RRuleMomentKind kind;
	int64		value;			/* seconds since 2000-01-01 as written */
} RRuleMoment;

#define RRULE_MAX_MOMENTS	1000	/* RDATE and EXDATE values, each */

/* One bit for each day of a year, from bit 0, or for 1..366 from bit 1 */
#define RRULE_YEAR_WORDS	6
typedef uint64 RRuleBits[RRULE_YEAR_WORDS];

typedef struct RRuleParts
{
	uint32		given;
	RRuleFreq	freq;
	int			wkst;			/* 0 = Sunday */
	int64		interval;
	int64		count;			/* 0: none */
	RRuleMoment until;
	RRuleMoment dtstart;
	uint32		months;			/* bit 1 = January */
	uint32		month_days[2];	/* bit 1 = first; [1]: counted from the end */
	RRuleBits	year_days[2];
	uint64		weeks[2];
	uint32		weekdays;		/* without an ordinal, bit 0 = Sunday */
	uint64		nth[2][7];		/* with one: bit n = the n-th */
	bool		has_nth;
	uint32		hours;
	uint64		minutes;
	uint64		seconds;
	RRuleBits	positions[2];	/* BYSETPOS */
	int			n_rdates;
	int			n_exdates;
	RRuleMoment *rdates;
	RRuleMoment *exdates;
	char		zone_name[64];
} RRuleParts;

/*
 * A rule completed with what its start implies: the readings of a local clock
 * at which it fires, in "local seconds" (see civil.h).
 */
#define RRULE_YEAR_SHAPES	28
#define RRULE_PERIOD_MEMO	32

typedef struct RRuleSet
{
	const RRuleParts *parts;
	int64		start;			/* DTSTART as a local second */
	int64		interval;		/* beyond all time is the same as never again */
	bool		sub_daily;

	/* days: one bitmap for each shape of a year, built when first needed */
	uint32		shapes_built;	/* bit per shape */
	RRuleBits	shape[RRULE_YEAR_SHAPES];
	bool		every_day;		/* no part restricts the day */
	uint32		months;			/* these complete the parts of the same name */
	uint32		month_days;
	uint32		weekdays;
	int64		phase;			/* period of DTSTART: year, month, week, day */

	/* times of day: some hours, each with the same pattern of seconds */
	uint32		hours;
	uint64		minutes;		/* those with a bit in seconds[] */
	uint64		seconds[60];
	uint16		before[61];		/* how many seconds before each minute */
	int			per_hour;
	int			per_day;

	/* BYSETPOS of a daily or longer frequency */
	bool		positional;
	struct
	{
		int32		days;
		int32		count;
	}			period_memo[RRULE_PERIOD_MEMO];

	/* a sub-daily frequency fires in [base + n * step, + unit) */
	bool		gridded;		/* step > unit: some units are left out */
	int64		unit;
	int64		step;
	int64		base;			/* a second in UTC, depends on the zone */
	int32	   *day_counts;		/* per position of a day on the grid, or NULL */
	int32	   *hour_counts;	/* per position of an hour; part of the above */
} RRuleSet;

#define RRULE_NO_SECOND		PG_INT64_MAX

struct SchedRRule
{
	RRuleParts	parts;

	/* caches, valid for set.start and, where the zone matters, for this one */
	RRuleSet	set;
	bool		set_valid;
	bool		limit_valid;
	const SchedZone *limit_zone;
	char		limit_zone_name[64];
	int64		limit;			/* of COUNT; local second or, sub-daily, UTC */
};

/* rrule_days.c */
extern void rrule_days_init(RRuleSet *set);
extern int64 rrule_days_first(RRuleSet *set, int64 from, int64 until);
extern int64 rrule_days_count(RRuleSet *set, int64 from, int64 until);
extern int64 rrule_days_period_of(const RRuleSet *set, int64 day);
extern int64 rrule_days_period_start(const RRuleSet *set, int64 period);
extern int64 rrule_days_period_align(const RRuleSet *set, int64 period);

/* Without regard to INTERVAL, for the days within one period */
extern int64 rrule_days_any_first(RRuleSet *set, int64 from, int64 until);
extern int64 rrule_days_any_count(RRuleSet *set, int64 from, int64 until);

/* rrule_set.c */
extern void rrule_set_init(RRuleSet *set, const RRuleParts *parts,
						   int64 start);

/*
 * The first second of the set in [from, until), RRULE_NO_SECOND if there is none; how
 * many there are.  offset says which instants these readings are (only a grid
 * depends on it).
 */
extern int64 rrule_set_first(RRuleSet *set, int64 from, int64 until,
							 int32 offset);
extern int64 rrule_set_count(RRuleSet *set, int64 from, int64 until,
							 int32 offset);

/* The seconds of one minute (not for a positional set), as bits */
extern uint64 rrule_set_minute(RRuleSet *set, int64 minute, int32 offset);

#endif							/* SCHED_RRULE_INT_H */
