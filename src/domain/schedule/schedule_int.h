/*-------------------------------------------------------------------------
 *
 * schedule_int.h
 *	  Inside of a schedule: shared by the files that parse, search and
 *	  describe it, and by nobody else.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_SCHEDULE_INT_H
#define SCHED_SCHEDULE_INT_H

#include "domain/schedule/calendar.h"
#include "domain/schedule/civil.h"
#include "domain/schedule/interval.h"
#include "domain/schedule/rrule.h"
#include "domain/schedule/schedule.h"

#define SCHED_YEAR_FIRST	1970
#define SCHED_YEAR_WORDS	((SCHED_YEAR_LIMIT - SCHED_YEAR_FIRST + 63) / 64)

/* A search that meets this many days in a row which the calendar excludes ends. */
#define SCHED_CALENDAR_PATIENCE	4000

typedef enum SchedCronForm
{
	SCHED_CRON_FIVE,			/* minute hour dom month dow */
	SCHED_CRON_SIX,				/* the same behind a seconds field */
	SCHED_CRON_QUARTZ			/* with "?" or a year: Sunday is 1 */
} SchedCronForm;

/*
 * A cron expression as bit masks.  Days of the week are numbered from Sunday
 * = 0 whatever the form was.
 */
typedef struct SchedCron
{
	SchedCronForm form;
	uint64		seconds;		/* bits 0..59 */
	uint64		minutes;		/* bits 0..59 */
	uint32		hours;			/* bits 0..23 */
	uint32		months;			/* bits 1..12 */

	uint32		dom;			/* bits 1..31 */
	uint32		dom_last;		/* bit n: n days before the last of the month */
	uint32		dom_nearest;	/* bit n: the weekday nearest to day n */
	uint32		dom_last_nearest;	/* bit n: the weekday nearest to L-n */

	uint8		dow;			/* bits 0..6: every such day */
	uint8		dow_last;		/* bits 0..6: the last one of the month */
	uint8		dow_nth[5];		/* bits 0..6: the first .. fifth one */

	bool		second_star;	/* the field holds "*" or a step over it */
	bool		minute_star;
	bool		hour_star;
	bool		dom_star;		/* "?" counts as a star */
	bool		dow_star;
	bool		step_beyond;	/* a step is longer than its field */

	bool		has_years;
	uint64		years[SCHED_YEAR_WORDS];	/* bit 0: SCHED_YEAR_FIRST */
} SchedCron;

struct SchedSchedule
{
	SchedScheduleKind kind;
	char		zone_name[64];	/* empty: none in the text */
	union
	{
		SchedCron	cron;
		SchedInterval interval; /* SCHED_EVERY, SCHED_AFTER */
		struct
		{
			int64		local_second;
			int32		usec;
			bool		has_offset;
			int32		offset; /* seconds east of UTC */
		}			at;
		SchedRRule *rrule;
		struct
		{
			char	   *value;	/* pattern of @event, name of @custom */
			char	   *filter; /* of @event, or NULL */
		}			name;
	}			u;
};

/* cron.c: text is NUL-terminated; error positions count from text. */
extern bool sched_cron_parse(const char *text, SchedCron *cron, SchedError *err);

/* The days of a month that match, as bits 1..31. */
extern uint32 sched_cron_month_days(const SchedCron *cron, int32 year, int month);

/* cron_next.c */
extern SchedTime sched_cron_next(const SchedCron *cron,
								 const SchedScheduleContext *context,
								 SchedTime after);
extern int64 sched_cron_count(const SchedCron *cron,
							  const SchedScheduleContext *context,
							  SchedTime after, SchedTime upto, int64 limit);

/*
 * Does the expression match a reading in from <= reading < until?  Then the
 * first is stored.  No zone, no calendar.
 */
extern bool sched_cron_reading(const SchedCron *cron, int64 from, int64 until,
							   int64 *reading);

/* every.c: fixed rate, fixed delay, once */
extern SchedTime sched_every_next(const SchedInterval *interval,
								  const SchedScheduleContext *context,
								  SchedTime after);
extern SchedTime sched_every_last(const SchedInterval *interval,
								  const SchedScheduleContext *context,
								  SchedTime after, SchedTime upto);
extern int64 sched_every_count(const SchedInterval *interval,
							   const SchedScheduleContext *context,
							   SchedTime after, SchedTime upto, int64 limit);
extern SchedTime sched_after_next(const SchedInterval *interval,
								  const SchedScheduleContext *context,
								  SchedTime after);

/* Is the local day of this instant one on which the context lets jobs fire? */
extern bool sched_context_allows(const SchedScheduleContext *context,
								 SchedTime t);

/*
 * The first instant of the first allowed local day after that of t, or
 * SCHED_TIME_NEVER when none comes within SCHED_CALENDAR_PATIENCE days.
 */
extern SchedTime sched_context_next_day(const SchedScheduleContext *context,
										SchedTime t);

/*
 * The last instant of the last allowed local day before that of t, or
 * SCHED_TIME_BEGIN when none comes within SCHED_CALENDAR_PATIENCE days.
 */
extern SchedTime sched_context_previous_day(const SchedScheduleContext *context,
											SchedTime t);

/* The last instant up to "upto" such that all local days from t to it are allowed. */
extern SchedTime sched_context_allowed_until(const SchedScheduleContext *context,
											 SchedTime t, SchedTime upto);

/* rrule_calendar.c: a rule on the days that the context allows */
extern SchedTime sched_rrule_allowed_next(const SchedRRule *rrule,
										  const SchedScheduleContext *context,
										  SchedTime after);
extern SchedTime sched_rrule_allowed_last(const SchedRRule *rrule,
										  const SchedScheduleContext *context,
										  SchedTime after, SchedTime upto);
extern int64 sched_rrule_allowed_count(const SchedRRule *rrule,
									   const SchedScheduleContext *context,
									   SchedTime after, SchedTime upto,
									   int64 limit);

/* at.c: the date and time of @at; positions count from text. */
extern bool sched_at_parse(const char *text, SchedSchedule *schedule,
						   SchedError *err);
extern SchedTime sched_at_time(const SchedSchedule *schedule,
							   const SchedScheduleContext *context);

/* schedule.c */
extern bool sched_zone_name_valid(const char *name, size_t length);

#endif							/* SCHED_SCHEDULE_INT_H */
