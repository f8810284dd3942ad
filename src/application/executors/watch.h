/*-------------------------------------------------------------------------
 *
 * watch.h
 *	  Watching executors and their leases: silence, lateness, recovery.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_WATCH_H
#define SCHED_WATCH_H

#include "infrastructure/memory/executors.h"

/* A lease whose time is over, noted while timers ring. */
typedef struct SchedExpired
{
	int64		task_id;
	int			attempt;
} SchedExpired;

/*
 * The timer of an executor's task rang; lock held.  True when the attempt is to
 * be ended; else the timer has been set again.
 */
extern bool sched_watch_is_over(QTask *task, TimestampTz now);

/* End these attempts, in a transaction of its own.  For the scheduler. */
extern void sched_watch_expire(const SchedExpired *expired, int count);

/*
 * Take for lost those that were silent for longer than the timeout
 * (microseconds), and take back what they have, in the running transaction;
 * returns how many they are.
 */
extern int	sched_watch_fail_silent(int db, int64 timeout);

/* Take back what one executor has, whatever its state. */
extern void sched_watch_take_from(int db, int executor_id);

/* Find who is silent and settle what is to be settled: for the scheduler. */
extern void sched_watch_run(int db);

/* When to look for silence again, in real time and by the clock; 0: never. */
extern TimestampTz sched_watch_next(int db, TimestampTz *by_real);

/* The settings have changed: look at all of them. */
extern void sched_watch_reconfigured(int db);

/* Read the executors from their table; connected to SPI. */
extern void sched_watch_load(int db);

#endif							/* SCHED_WATCH_H */
