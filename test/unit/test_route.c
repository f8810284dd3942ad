/*-------------------------------------------------------------------------
 *
 * test_route.c
 *	  Names of routes, and which node a key belongs to.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include "domain/route.h"
#include "unit.h"

#define KEYS	100000
#define NODES	10

/* Some 64-bit number that stands for the name of a node. */
static uint64
node_hash(int node)
{
	return UINT64CONST(0x100000001B3) * (node + 17);
}

/* The node of those in the mask that the key belongs to. */
static int
owner(uint64 key, uint32 mask)
{
	int			best = -1;
	uint64		most = 0;

	for (int i = 0; i < NODES; i++)
	{
		uint64		weight = sched_route_weight(key, node_hash(i));

		if ((mask & (1u << i)) != 0 && (best < 0 || weight > most))
		{
			best = i;
			most = weight;
		}
	}
	return best;
}

static void
test_shares(void)
{
	int			share[NODES] = {0};
	int			least = KEYS;
	int			most = 0;

	for (uint64 key = 0; key < KEYS; key++)
		share[owner(key, (1u << NODES) - 1)]++;
	for (int i = 0; i < NODES; i++)
	{
		least = Min(least, share[i]);
		most = Max(most, share[i]);
	}
	unit_ok(least > KEYS / NODES * 0.95 && most < KEYS / NODES * 1.05,
			"shares of neighbouring keys are even: %d to %d of %d", least, most,
			KEYS / NODES);
}

static void
test_removal(void)
{
	uint32		all = (1u << NODES) - 1;

	for (int gone = 0; gone < NODES; gone++)
	{
		int			moved = 0;
		int			wrongly = 0;
		int			heirs[NODES] = {0};
		int			most = 0;

		for (uint64 key = 0; key < KEYS; key++)
		{
			int			before = owner(key, all);
			int			after = owner(key, all & ~(1u << gone));

			moved += before != after;
			wrongly += before != after && before != gone;
			if (before == gone)
				heirs[after]++;
		}
		for (int i = 0; i < NODES; i++)
			most = Max(most, heirs[i]);
		unit_is_int(wrongly, 0,
					psprintf("node %d gone: no key of another one moves", gone));
		unit_ok(moved > KEYS / NODES * 0.95 && moved < KEYS / NODES * 1.05,
				"node %d gone: %d of %d keys move", gone, moved, KEYS);
		unit_ok(most < moved / (NODES - 1) * 1.25,
				"node %d gone: the others share its keys evenly", gone);
	}
}

static void
test_stability(void)
{
	unit_ok(sched_route_weight(0, 0) == UINT64CONST(0xA706DD2F4D197E6F),
			"the weight of 0 and 0 is what it has always been");
	unit_ok(sched_route_weight(12345, UINT64CONST(0xFEDCBA9876543210)) ==
			UINT64CONST(0x5FD9A23B0C8F4810),
			"and so is that of larger numbers");
	unit_ok(sched_route_weight(1, 2) == sched_route_weight(1, 2),
			"the same key and node have the same weight");
	unit_ok(sched_route_weight(1, 2) != sched_route_weight(2, 1),
			"key and node are not the same thing");
}

static void
test_names(void)
{
	for (int i = 0; i < SCHED_ROUTE_CUSTOM; i++)
		unit_is_int(sched_route_from_name(sched_route_name((SchedRoute) i)), i,
					psprintf("%s is found by its name",
							 sched_route_name((SchedRoute) i)));
	unit_is_int(sched_route_from_name("mine"), SCHED_ROUTE_CUSTOM,
				"another name is custom");
}

int
main(void)
{
	test_shares();
	test_removal();
	test_stability();
	test_names();
	return unit_done();
}
