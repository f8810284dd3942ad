/*-------------------------------------------------------------------------
 *
 * triggers.h
 *	  The triggers of a database: which is next, and firing those that are due.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_TRIGGERS_H
#define SCHED_TRIGGERS_H

#include "datatype/timestamp.h"

/* All of it in the scheduler, outside a transaction. */

/* Read all triggers, or those of some jobs anew. */
extern void sched_triggers_load_all(int db, bool server_start);

/* The same after any job may have changed; the queue hears of it too. */
extern void sched_triggers_reload_all(int db);
extern void sched_triggers_reload(int db, const int64 *jobs, int count);

/*
 * Read all when a copy begins to run: triggers that have never fired in it begin
 * now, nothing is made up for the time that it stood still.
 */
extern void sched_triggers_begin(int db);

/* When the first trigger is due, 0: none. */
extern TimestampTz sched_triggers_next(void);

/* Fire what is due, at most a batch; true when there may be more. */
extern bool sched_triggers_fire(int db);

extern int64 sched_triggers_count(void);

/*
 * Since the last call, were triggers loaded that had no state, as in a restore?
 * Sets when the oldest of them was made.
 */
extern bool sched_triggers_found_unknown(TimestampTz *oldest);

#endif							/* SCHED_TRIGGERS_H */
