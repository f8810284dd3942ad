/*-------------------------------------------------------------------------
 *
 * waiting.h
 *	  The scheduler's care for tasks that wait for others.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_WAITING_H
#define SCHED_WAITING_H

#include "infrastructure/memory/queue.h"

/* A waiting task's timer has rung; false when there are too many at once. */
extern bool sched_waiting_rings(QTask *task);

/* Look at those, and at tasks that wait for what has happened meanwhile. */
extern bool sched_waiting_turn(int db);

/* A waiting task was read that memory has no room for. */
extern void sched_waiting_stray(int64 task_id);

/* Look at every waiting task again: after an error, and at the start. */
extern void sched_waiting_recheck(int db, bool all);

#endif							/* SCHED_WAITING_H */
