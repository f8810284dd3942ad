/*-------------------------------------------------------------------------
 *
 * calendar_table.h
 *	  Reads calendars from sched._calendar.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_CALENDAR_TABLE_H
#define SCHED_CALENDAR_TABLE_H

/*
 * The JSON text of a calendar's spec, palloc'd, or NULL when there is no such
 * calendar.  A SchedCalendarResolve; arg is not used.  Needs a transaction
 * with an active snapshot.
 */
extern const char *sched_calendar_table_spec(const char *name, void *arg);

#endif							/* SCHED_CALENDAR_TABLE_H */
