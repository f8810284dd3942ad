/*-------------------------------------------------------------------------
 *
 * event_pattern.h
 *	  Which events a pattern of dotted names means.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_EVENT_PATTERN_H
#define SCHED_EVENT_PATTERN_H

#include "domain/domain.h"

/*
 * The length of the pattern at the start of text, -1 when there is no valid
 * one; then *stop is the offending character and *message says why.
 */
extern int	sched_event_pattern_length(const char *text, const char **stop,
									   const char **message);

/*
 * Does the name of an event match?  "*" stands for one part, "**" for any
 * number of parts, none included.  Takes time proportional to the product of
 * the two lengths at most.
 */
extern bool sched_event_pattern_matches(const char *pattern, const char *name);

#endif							/* SCHED_EVENT_PATTERN_H */
