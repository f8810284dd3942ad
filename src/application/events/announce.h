/*-------------------------------------------------------------------------
 *
 * announce.h
 *	  Telling the sessions that LISTEN on sched_events of new events.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_ANNOUNCE_H
#define SCHED_ANNOUNCE_H

#include "datatype/timestamp.h"

#define SCHED_EVENTS_CHANNEL	"sched_events"

/* Look at the table once, whether or not memory says that there is something. */
extern void sched_announce_start(void);

/*
 * Tell of what has been recorded since.  Returns when, in real time, to call
 * again, 0: when database->events is set.
 */
extern TimestampTz sched_announce(int db);

#endif							/* SCHED_ANNOUNCE_H */
