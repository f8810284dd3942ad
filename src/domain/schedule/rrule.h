/*-------------------------------------------------------------------------
 *
 * rrule.h
 *	  Recurrence rules of RFC 5545 and the instants at which they fire.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_RRULE_H
#define SCHED_RRULE_H

#include "domain/domain.h"
#include "domain/schedule/zone.h"

typedef struct SchedRRule SchedRRule;	/* see rrule_int.h */

/*
 * Parse a rule into palloc'd memory, NULL with *err filled on bad input.
 * The text is a list of properties, separated by white space, in any order:
 * one RRULE (whose name may be left out), DTSTART, any number of RDATE and
 * EXDATE.  Positions in *err are offsets in this text.
 */
extern SchedRRule *sched_rrule_parse(const char *text, SchedError *err);
extern void sched_rrule_free(SchedRRule *rule);

/* The zone named by DTSTART;TZID=, or NULL. */
extern const char *sched_rrule_zone_name(const SchedRRule *rule);

/*
 * The functions below never take more than 10 ms (typically well under a
 * microsecond) for any rule.  anchor is the start of a rule without DTSTART.
 * A DTSTART that ends in Z makes the rule run in UTC, whatever the zone.
 *
 * They keep what they computed for (anchor, zone) inside the rule, and are
 * therefore for one thread at a time.
 */

/* The first fire strictly after an instant, SCHED_TIME_NEVER if none. */
extern SchedTime sched_rrule_next(const SchedRRule *rule,
								  const SchedZone *zone, SchedTime anchor,
								  SchedTime after);

/* The last fire in (after, upto], SCHED_TIME_BEGIN if none. */
extern SchedTime sched_rrule_last(const SchedRRule *rule,
								  const SchedZone *zone, SchedTime anchor,
								  SchedTime after, SchedTime upto);

/* The number of fires in (after, upto], at most limit. */
extern int64 sched_rrule_count(const SchedRRule *rule, const SchedZone *zone,
							   SchedTime anchor, SchedTime after,
							   SchedTime upto, int64 limit);

/* Plain English, palloc'd. */
extern char *sched_rrule_describe(const SchedRRule *rule);

#endif							/* SCHED_RRULE_H */
