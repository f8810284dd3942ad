/*-------------------------------------------------------------------------
 *
 * queue_int.h
 *	  What the parts of the queue share with each other, and with nobody else.
 *
 * queue.c has the heaps and the states, queue_lease.c what executors do with
 * them.  The lock is held exclusively.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_QUEUE_INT_H
#define SCHED_QUEUE_INT_H

#include "infrastructure/memory/queue.h"

extern bool sched_queue_lane_is_full(const QLane *lane);
extern void sched_queue_lane_has_room(QLane *lane);

/* The one place that changes states, and takes back what was rolled back. */
extern void sched_queue_set_status(QTask *task, SchedTaskStatus to);
extern void sched_queue_revert_status(QTask *task, SchedTaskStatus to);

/* Into the heap where a ready task belongs, and out of the one it is in. */
extern void sched_queue_enqueue(QTask *task);
extern void sched_queue_dequeue(QTask *task);

extern void sched_queue_clear_attempt(QTask *task);

/* An entry, and giving it up; db is the one whose bucket it is in. */
extern QTask *sched_queue_make_entry(int db, int64 task_id);
extern void sched_queue_free_entry(QTask *task, int db);

/* QTask.db of an entry that says only that the task has ended. */
#define SCHED_TOMB(db)	(-2 - (db))

#endif							/* SCHED_QUEUE_INT_H */
