/*-------------------------------------------------------------------------
 *
 * calendar.h
 *	  Named sets of days on which jobs may or may not fire.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_CALENDAR_H
#define SCHED_CALENDAR_H

#include "domain/domain.h"

typedef struct SchedCalendar SchedCalendar;

/*
 * Parse the text of a calendar's JSON spec; NULL with *err filled on bad input.
 * "resolve" gives the spec of another calendar named in "include_calendars" /
 * "exclude_calendars" (NULL when unknown); it may be NULL.
 */
typedef const char *(*SchedCalendarResolve) (const char *name, void *arg);

extern SchedCalendar *sched_calendar_parse(const char *json,
										   SchedCalendarResolve resolve,
										   void *arg, SchedError *err);
extern void sched_calendar_free(SchedCalendar *calendar);

/* Is the local day (days since 2000-01-01) one on which a job may fire? */
extern bool sched_calendar_includes(const SchedCalendar *calendar, int32 day);

#endif							/* SCHED_CALENDAR_H */
