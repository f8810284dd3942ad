/*-------------------------------------------------------------------------
 *
 * queue_route.h
 *	  Tasks that are given to a certain executor, and which one that is.
 *
 * Every function needs sched_shared->lock held exclusively; none can fail.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_QUEUE_ROUTE_H
#define SCHED_QUEUE_ROUTE_H

#include "domain/route.h"
#include "infrastructure/memory/executors.h"

/* Allocation, for queue.c. */
extern Size sched_routes_size(void);
extern void sched_routes_attach(bool found);

/* A new lane: what is remembered of the job. */
extern void sched_route_init_lane(QLane *lane);

/* Is it known which executor a job had last?  If not, this one (0: none). */
extern bool sched_route_is_known(int db, int64 job_id);
extern void sched_route_learn(int db, int64 job_id, int executor_id);

/*
 * Put a ready task of a lane with a route where it belongs: into the heap of its
 * executor, or with those that have none yet.  And out of it.
 */
extern void sched_route_place(QTask *task);
extern void sched_route_withdraw(QTask *task);

/* The executor came, went, or takes other tasks now. */
extern void sched_route_executor_changed(QExecutor *executor);

/* Try again with all that are unrouted. */
extern void sched_route_retry(int db);

/* For the scheduler: lanes that wait for an answer of its. */
extern QLane *sched_route_next_asking(int db, uint32 *cursor);

/* The answer: the executor that had the job's last task, 0: none. */
extern void sched_route_set_last(QLane *lane, int executor_id);

/* The answer for one task: give it to that executor; false if it may not have it. */
extern bool sched_route_assign(QTask *task, int executor_id);

/* A shard of a broadcast task came (1) or went (-1). */
extern void sched_route_count_shard(const QTask *shard, int change);

/* May the executor have tasks of the lane? */
extern bool sched_route_is_eligible(const QExecutor *executor,
									const QLane *lane);

#endif							/* SCHED_QUEUE_ROUTE_H */
