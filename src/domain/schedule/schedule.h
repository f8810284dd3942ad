/*-------------------------------------------------------------------------
 *
 * schedule.h
 *	  One schedule expression, parsed, and the instants at which it fires.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_SCHEDULE_H
#define SCHED_SCHEDULE_H

#include "domain/domain.h"
#include "domain/schedule/zone.h"

typedef enum SchedScheduleKind
{
	SCHED_CRON,					/* 5, 6 or 7 fields, and the @daily macros */
	SCHED_EVERY,				/* @every: fixed rate from an anchor */
	SCHED_AFTER,				/* @after: fixed delay from the last end */
	SCHED_AT,					/* @at: once */
	SCHED_STARTUP,				/* @startup, @reboot */
	SCHED_EVENT,				/* @event PATTERN */
	SCHED_RRULE,				/* RRULE: RFC 5545 */
	SCHED_CUSTOM				/* @custom NAME */
} SchedScheduleKind;

/*
 * What cron expressions do where the local clock jumps.
 *
 * VIXIE: an expression whose minute and hour hold no "*" names fixed times.
 * Those lost in a gap fire once at its end (unless the gap is longer than 3
 * hours), those that come twice fire at the first.  Any other expression
 * fires at each instant whose reading matches.
 *
 * SKIP_BOTH: each instant whose reading matches, nothing else.
 *
 * SKIP_FIRST: what a gap holds is dropped.  In an overlap a reading is not
 * repeated right after itself: when one match lies in the overlap, it fires
 * at the first only; when several do, or when the hours are unrestricted, all
 * of them fire both times.
 *
 * SHIFT_FIRST: what a gap holds fires later by the gap's length; in an
 * overlap the first, unless the hours are unrestricted.
 *
 * Fires that fall together are one.  @every counts elapsed time and knows no
 * policy; @at and RRULE shift out of a gap and take the first of two.
 */
typedef enum SchedDstPolicy
{
	SCHED_DST_VIXIE,
	SCHED_DST_SKIP_BOTH,
	SCHED_DST_SKIP_FIRST,
	SCHED_DST_SHIFT_FIRST
} SchedDstPolicy;

typedef struct SchedSchedule SchedSchedule; /* see schedule_int.h */
struct SchedCalendar;

/*
 * Everything besides the expression that decides when it fires.  zone must
 * not be NULL.  anchor is the phase of @every and RRULE without DTSTART (the job's
 * start_at, else its creation); previous_end is what @after counts from,
 * SCHED_TIME_BEGIN when there was no run yet (then it fires at once: anchor).
 *
 * A calendar filters the local day of each fire, for cron the day of the
 * reading that the expression names.  A search gives up when the calendar
 * excludes 4000 candidate days in a row.
 *
 * When @custom fires is not computed here: whoever has asked its function
 * gives the answers so far as "fires".
 */
typedef struct SchedScheduleContext
{
	const SchedZone *zone;
	SchedDstPolicy dst_policy;
	const struct SchedCalendar *calendar;	/* NULL: every day */
	SchedTime	anchor;
	SchedTime	previous_end;
	const SchedTime *fires;		/* of @custom: what is known, ascending */
	int			fire_count;
} SchedScheduleContext;

/*
 * Parse text into a palloc'd schedule, NULL with *err filled on bad input.
 * A leading "TZ=name " or "CRON_TZ=name " is kept: see
 * sched_schedule_zone_name().  Takes under 2 microseconds for a usual cron
 * expression, and never more than 10 ms for any input.
 */
extern SchedSchedule *sched_schedule_parse(const char *text, SchedError *err);
extern void sched_schedule_free(SchedSchedule *schedule);

extern SchedScheduleKind sched_schedule_kind(const SchedSchedule *schedule);

/* The zone named in the text itself (overrides the job's), or NULL. */
extern const char *sched_schedule_zone_name(const SchedSchedule *schedule);

/* The pattern of @event and the type name of @custom, else NULL. */
extern const char *sched_schedule_argument(const SchedSchedule *schedule);

/*
 * The condition of "@event PATTERN ? (...)" from the question mark on, as it
 * stands behind "$" in a jsonpath, else NULL.
 */
extern const char *sched_schedule_filter(const SchedSchedule *schedule);

/* Does this kind have instants that can be computed in advance? */
extern bool sched_schedule_is_timed(const SchedSchedule *schedule);

/*
 * The first fire strictly after the given instant, SCHED_TIME_NEVER when
 * there is none up to the year 2200.  Bounded: under 50 microseconds
 * in the worst case.
 *
 * The anchor of @every is its first fire.  A delay (@after) which is overdue
 * fires one microsecond after "after": whoever asks for more than one fire
 * of it has to set previous_end anew each time.
 */
extern SchedTime sched_schedule_next(const SchedSchedule *schedule,
									 const SchedScheduleContext *context,
									 SchedTime after);

/*
 * The last fire at or before the given instant and strictly after "after",
 * SCHED_TIME_BEGIN when there is none.  Found without enumerating what
 * lies between.
 */
extern SchedTime sched_schedule_last(const SchedSchedule *schedule,
									 const SchedScheduleContext *context,
									 SchedTime after, SchedTime upto);

/*
 * How many fires lie in (after, upto], counting stops at limit.  10 years of
 * a minutely job within 10 ms.
 */
extern int64 sched_schedule_count(const SchedSchedule *schedule,
								  const SchedScheduleContext *context,
								  SchedTime after, SchedTime upto,
								  int64 limit);

/* The fixed period or delay of @every and @after in microseconds (months as 30 days), else 0. */
extern int64 sched_schedule_period(const SchedSchedule *schedule);

/* Is that period always of the same length, that is, without months? */
extern bool sched_schedule_period_is_fixed(const SchedSchedule *schedule);

/* Plain English, palloc'd: "at 09:00 on Monday through Friday". */
extern char *sched_schedule_describe(const SchedSchedule *schedule);

/*
 * What is likely to surprise the author ("both day of month and day of week
 * are restricted ..."), palloc'd, or NULL.  now is where looking for a gap
 * starts.
 */
extern char *sched_schedule_surprise(const SchedSchedule *schedule,
									 const SchedScheduleContext *context,
									 SchedTime now);

#endif							/* SCHED_SCHEDULE_H */
