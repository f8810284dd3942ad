/*-------------------------------------------------------------------------
 *
 * schedule_functions.h
 *	  How the SQL functions refuse bad schedules and the like.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_SCHEDULE_FUNCTIONS_H
#define SCHED_SCHEDULE_FUNCTIONS_H

#include "domain/domain.h"

/*
 * Raise 22023 for a text that the domain refused: "invalid <what> "<text>":
 * <message>", with the place in DETAIL, marked by a caret.
 */
extern void sched_schedule_error(const char *what, const char *text,
								 const SchedError *err) pg_attribute_noreturn();

#endif							/* SCHED_SCHEDULE_FUNCTIONS_H */
