/*-------------------------------------------------------------------------
 *
 * graph.h
 *	  Runs: the tasks that follow from a task, and what its end means for them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_GRAPH_H
#define SCHED_GRAPH_H

#include "infrastructure/tables/graph_store.h"
#include "infrastructure/memory/queue.h"

/* Tasks were made, or ended, in the running transaction: see record.c. */
extern void sched_graph_tasks_made(const SchedTaskRow *rows, int count);
extern void sched_graph_tasks_ended(const SchedOutcome *rows, int count);

/*
 * For whom a new task of the job has to wait that a trigger fires, or that
 * somebody orders; if for anybody, what the queue has to know is put into *spec.
 */
extern SchedWaits sched_graph_waits(const SchedJob *job, bool fired,
									TimestampTz due_at, QTaskSpec *spec);

/*
 * New tasks for one that has ended and for all that followed from it in its
 * run; the id of the first.  Raises 55000 while one of them has not ended.
 */
extern int64 sched_graph_rerun(const SchedTaskRow *old);

/* The state that an outcome's code stands for. */
extern SchedTaskStatus sched_outcome_status(char code);

#endif							/* SCHED_GRAPH_H */
