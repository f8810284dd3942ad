/*-------------------------------------------------------------------------
 *
 * condition.h
 *	  The conditions of dependencies, evaluated as the job's owner.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_CONDITION_H
#define SCHED_CONDITION_H

#include "application/processes/chore.h"
#include "infrastructure/tables/graph_store.h"

/* id1: the waiting task, id2: the position of the edge. */
extern const SchedChoreHandler sched_condition_chore;

/* The parameters of a task: the job's, and over them its own. */
extern Jsonb *sched_condition_parameters(const SchedJob *job,
										 const SchedTaskRow *task);

#endif							/* SCHED_CONDITION_H */
