/*-------------------------------------------------------------------------
 *
 * schedule_functions.h
 *	  How the SQL functions refuse bad schedules and the like.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_SCHEDULE_FUNCTIONS_H
#define SCHED_SCHEDULE_FUNCTIONS_H

#include "infrastructure/compat.h"
#include "infrastructure/schedule_cache.h"

/*
 * Raise 22023 for a text that the domain refused: "invalid <what> "<text>":
 * <message>", with the place in DETAIL, marked by a caret.
 */
compat_noreturn extern void sched_schedule_error(const char *what,
												 const char *text,
												 const SchedError *err);

/*
 * The first fire in (after, upto] of @custom that the schedule's calendar allows, 0:
 * none.  Calls the function as the current user.
 */
extern TimestampTz sched_custom_next_allowed(Oid function, Datum config,
											 Datum timezone,
											 const SchedCompiled *compiled,
											 TimestampTz after,
											 TimestampTz upto);

#endif							/* SCHED_SCHEDULE_FUNCTIONS_H */
