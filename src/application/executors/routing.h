/*-------------------------------------------------------------------------
 *
 * routing.h
 *	  What the routes of jobs need besides shared memory.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_ROUTING_H
#define SCHED_ROUTING_H

#include "infrastructure/memory/queue.h"
#include "infrastructure/tables/store.h"

/* The key of a task for consistent_hash; parameters are its own, or NULL. */
extern uint32 sched_routing_key(const SchedJob *job, const Jsonb *parameters);

/* Before tasks of the lane are ordered. */
extern void sched_routing_prepare(const QLaneSpec *lane);

/* In the scheduler: answer what lanes and tasks wait for. */
extern void sched_routing_run(int db);

/* Now and then: ask again for those that got no answer. */
extern void sched_routing_recheck(int db);

#endif							/* SCHED_ROUTING_H */
