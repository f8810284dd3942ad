/*-------------------------------------------------------------------------
 *
 * calendar.h
 *	  Named sets of days on which jobs may or may not fire.
 *
 * A spec is a JSON object with these keys, all optional:
 *
 *	 "description", "timezone"		text, of no influence on the days
 *	 "weekly"						["MON", "TUE", ...]: days that are in
 *	 "include", "exclude"			lists of items, see below
 *	 "include_calendars", "exclude_calendars"	names of other calendars, whose
 *									days are in or out
 *
 * An item is one of
 *
 *	 "2027-12-25", "2027-12-24..2027-12-31"		once
 *	 "12-25", "12-24..01-02"					every year
 *	 {"from": ..., "to": ...}					the same as from..to
 *	 "SAT"										every week
 *	 {"month": 11, "weekday": "THU", "nth": 4}	nth -1 is the last; without
 *												"month" every month
 *	 {"easter": 1}								days after Easter Sunday
 *
 * A day that is excluded is out, whatever else holds.  Else a day is in if it
 * is included or its weekday is in "weekly".  Without "weekly" all weekdays
 * are in, unless something is included: then only that is.
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
 *
 * Refused are also calendars that refer to each other in a circle, and a
 * calendar without any day from 1970 to 2200.
 */
typedef const char *(*SchedCalendarResolve) (const char *name, void *arg);

extern SchedCalendar *sched_calendar_parse(const char *json,
										   SchedCalendarResolve resolve,
										   void *arg, SchedError *err);
extern void sched_calendar_free(SchedCalendar *calendar);

/* Is the local day (days since 2000-01-01) one on which a job may fire? */
extern bool sched_calendar_includes(const SchedCalendar *calendar, int32 day);

/* The first such day in [from, until), or "until" if there is none. */
extern int32 sched_calendar_next_day(const SchedCalendar *calendar,
									 int32 from, int32 until);

/* Easter Sunday (Gregorian) of a year, as a day. */
extern int32 sched_calendar_easter(int32 year);

#endif							/* SCHED_CALENDAR_H */
