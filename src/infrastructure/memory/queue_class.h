/*-------------------------------------------------------------------------
 *
 * queue_class.h
 *	  Who may claim which ready tasks: classes, their variants, and pools.
 *
 * Every function needs sched_shared->lock held exclusively unless it says
 * otherwise; none can fail.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_QUEUE_CLASS_H
#define SCHED_QUEUE_CLASS_H

#include "infrastructure/memory/queue.h"

/* Allocation, for queue.c. */
extern Size sched_classes_size(void);
extern void sched_classes_attach(bool found);

/* The class for the tasks of such a lane, made if need be; NULL: no room. */
extern QClass *sched_class_for(int db, const QLaneSpec *spec);

/* The one without pool and tags that the class belongs to; may be itself. */
extern QClass *sched_class_base_for(int db, const QLaneSpec *spec);

/* Do the same takers have the tasks of both? */
extern bool sched_class_is_same(const QLaneSpec *a, const QLaneSpec *b);

/* A lane refers to it from now on, or no longer: then it may be gone. */
extern void sched_class_hold(QClass *class);
extern void sched_class_release(QClass *class);

/* Ready tasks come and go.  True when somebody could start one now. */
extern void sched_class_push(QClass *class, QTask *task);
extern void sched_class_remove(QTask *task);
extern bool sched_class_is_open(const QClass *class);

/* A task gets its lease, and gives it back. */
extern void sched_pool_occupy(QTask *task);
extern void sched_pool_vacate(QTask *task);

/* Wake as many takers as there may be free slots for. */
extern void sched_pool_wake(QPool *pool);

#endif							/* SCHED_QUEUE_CLASS_H */
