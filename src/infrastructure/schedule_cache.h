/*-------------------------------------------------------------------------
 *
 * schedule_cache.h
 *	  Schedules made ready for use: parsed, with zone, policy and calendar.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_SCHEDULE_CACHE_H
#define SCHED_SCHEDULE_CACHE_H

#include "domain/schedule/calendar.h"
#include "domain/schedule/schedule.h"

/* Which part of a schedule's definition is at fault. */
typedef enum SchedFault
{
	SCHED_FAULT_NONE,
	SCHED_FAULT_SCHEDULE,
	SCHED_FAULT_ZONE,			/* no such time zone */
	SCHED_FAULT_DST_POLICY,		/* no such policy */
	SCHED_FAULT_NO_CALENDAR,	/* no such calendar */
	SCHED_FAULT_CALENDAR		/* the calendar's spec is bad */
} SchedFault;

typedef struct SchedCompiled SchedCompiled;
struct SchedCompiled
{
	SchedSchedule *schedule;

	/*
	 * To copy; anchor and previous_end are SCHED_TIME_BEGIN and to be filled
	 * in by whoever uses it.
	 */
	SchedScheduleContext context;

	/* the rest is the cache's own */
	struct SchedCachedCalendar *calendar;
	const char *text;
	const char *calendar_name;	/* NULL: none */
	const SchedZone *given_zone;	/* the zone for a text without one */
	uint32		hash;
	int			users;
	bool		listed;
};

/* "cron", "every", ... as in sched._trigger.kind */
extern const char *sched_schedule_kind_name(SchedScheduleKind kind);

/*
 * Parse and resolve once, without the cache, in the current memory context.
 * timezone, dst_policy and calendar may be NULL: the default zone unless the
 * text names one, vixie, every day.  resolve reads calendars.  On a fault
 * *err is filled and *fault_name, if asked for, is the name at fault.
 */
extern SchedFault sched_schedule_compile(const char *schedule,
										 const char *timezone,
										 const char *dst_policy,
										 const char *calendar,
										 SchedCalendarResolve resolve,
										 SchedCompiled *result,
										 SchedError *err,
										 const char **fault_name);

/* The same for a calendar alone. */
extern SchedFault sched_calendar_compile(const char *name,
										 SchedCalendarResolve resolve,
										 SchedCalendar **result,
										 SchedError *err);

/*
 * A schedule through the cache of this process.  NULL with *err filled on bad
 * input; only reading a calendar may throw.  The result is shared and
 * stays until it was released as often as it was got, or until the reset.
 */
extern SchedCompiled *sched_compiled_get(const char *schedule,
										 const char *timezone,
										 const char *dst_policy,
										 const char *calendar,
										 SchedError *err);
extern void sched_compiled_release(SchedCompiled *compiled);

/* How sched_compiled_get() reads calendars; without it there are none. */
extern void sched_compiled_set_calendars(SchedCalendarResolve resolve);

/*
 * A calendar changed.  What was got before goes on as it was until released;
 * who gets it again gets the new one.
 */
extern void sched_compiled_calendars_changed(void);

/* Forget everything; what was got before is gone. */
extern void sched_compiled_reset(void);

/* How many different ones there are now. */
extern int64 sched_compiled_count(void);

#endif							/* SCHED_SCHEDULE_CACHE_H */
