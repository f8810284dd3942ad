/*-------------------------------------------------------------------------
 *
 * route.h
 *	  How a job's tasks are given to executors.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_ROUTE_H
#define SCHED_ROUTE_H

#include "domain/domain.h"

typedef enum SchedRoute
{
	SCHED_ROUTE_PULL,			/* whoever asks first */
	SCHED_ROUTE_ROUND_ROBIN,
	SCHED_ROUTE_LEAST_LOAD,
	SCHED_ROUTE_CONSISTENT_HASH,
	SCHED_ROUTE_STICKY,			/* the one that had the job's last task */
	SCHED_ROUTE_BROADCAST,		/* all of them, each a share */
	SCHED_ROUTE_CUSTOM			/* a function of the user says */
} SchedRoute;

#define SCHED_ROUTE_COUNT	(SCHED_ROUTE_CUSTOM + 1)

extern const char *sched_route_name(SchedRoute route);

/* The route of that name; one that is none of ours is custom. */
extern SchedRoute sched_route_from_name(const char *name);

/*
 * The weight of a node for a key: the key belongs to the node with the greatest
 * one (rendezvous hashing).  So a node that goes takes only its own keys
 * along, and one that comes takes an even share from each of the others.
 */
extern uint64 sched_route_weight(uint64 key, uint64 node);

#endif							/* SCHED_ROUTE_H */
