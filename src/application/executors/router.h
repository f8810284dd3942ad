/*-------------------------------------------------------------------------
 *
 * router.h
 *	  Functions of users that choose the executor of a task.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_ROUTER_H
#define SCHED_ROUTER_H

#include "application/processes/chore.h"

extern const SchedChoreHandler sched_router_chore;

#endif							/* SCHED_ROUTER_H */
