/*-------------------------------------------------------------------------
 *
 * route.c
 *	  How a job's tasks are given to executors.
 *
 * Consistent hashing is done by rendezvous rather than on a ring: there is no
 * ring to keep, no number of virtual nodes to choose, and the shares are as even
 * as the hash.  Weights must never change, not even between versions: a
 * fleet that is updated would move all its keys.
 *
 *-------------------------------------------------------------------------
 */
#ifndef FRONTEND
#include "postgres.h"
#else
#include "postgres_fe.h"
#endif

#include "domain/route.h"

static const char *const names[SCHED_ROUTE_COUNT] = {
	"pull", "round_robin", "least_load", "consistent_hash", "sticky",
	"broadcast", "custom"
};

const char *
sched_route_name(SchedRoute route)
{
	return names[route];
}

SchedRoute
sched_route_from_name(const char *name)
{
	for (int i = 0; i < SCHED_ROUTE_CUSTOM; i++)
		if (strcmp(name, names[i]) == 0)
			return (SchedRoute) i;
	return SCHED_ROUTE_CUSTOM;
}

/* The finalizer of SplitMix64: every bit of the input changes half of the output. */
static uint64
mix(uint64 x)
{
	x += UINT64CONST(0x9E3779B97F4A7C15);
	x = (x ^ (x >> 30)) * UINT64CONST(0xBF58476D1CE4E5B9);
	x = (x ^ (x >> 27)) * UINT64CONST(0x94D049BB133111EB);
	return x ^ (x >> 31);
}

uint64
sched_route_weight(uint64 key, uint64 node)
{
	return mix(mix(key) ^ node);
}
