/*-------------------------------------------------------------------------
 *
 * slots.c
 *	  What the queue has to know of the pools of a database.
 *
 * Only the scheduler writes it, from all rows of _pool at once, whenever
 * somebody who changed the table has committed.  If that happens again while it
 * reads, what it has read may be old, and it reads again.  Tasks of a pool that
 * has just been made wait for these few milliseconds, since a pool that the
 * queue does not know has no slots.
 *
 * How many slots are used is not stored anywhere: it is the sum of the leases.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "application/executors/slots.h"
#include "infrastructure/memory/queue.h"
#include "infrastructure/tables/store.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/* The first columns of _pool. */
#define POOL_NAME	1
#define POOL_SLOTS	2

typedef struct PoolRow
{
	uint64		key;
	int			slots;
} PoolRow;

static uint32 known_generation;

static PoolRow *
read_rows(int *count)
{
	Relation	relation = table_open(sched_store_relation("_pool"),
									  AccessShareLock);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	SysScanDesc scan = systable_beginscan(relation, InvalidOid, false,
										  snapshot, 0, NULL);
	int			capacity = 64;
	PoolRow    *rows = palloc(capacity * sizeof(PoolRow));
	HeapTuple	tuple;

	*count = 0;
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		TupleDesc	desc = RelationGetDescr(relation);
		bool		isnull;

		if (*count == capacity)
		{
			capacity *= 2;
			rows = repalloc(rows, capacity * sizeof(PoolRow));
		}
		rows[*count].key =
			sched_pool_key(TextDatumGetCString(heap_getattr(tuple, POOL_NAME,
															desc, &isnull)));
		rows[*count].slots = DatumGetInt32(heap_getattr(tuple, POOL_SLOTS,
														desc, &isnull));
		(*count)++;
	}
	systable_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(relation, AccessShareLock);
	return rows;
}

/* True when nobody has changed them since. */
static bool
apply(int db, uint32 generation, const PoolRow *rows, int count, int *left_out)
{
	bool		current;

	sched_lock(LW_EXCLUSIVE);
	current = sched_shared->databases[db].pool_generation == generation;
	if (current)
	{
		*left_out = 0;
		sched_queue_begin_pools(db);
		for (int i = 0; i < count; i++)
			*left_out += !sched_queue_set_pool(db, rows[i].key, rows[i].slots);
		sched_queue_end_pools(db);
	}
	sched_unlock();
	return current;
}

void
sched_slots_refresh(int db, bool always)
{
	volatile uint32 *generation = &sched_shared->databases[db].pool_generation;
	uint32		reading = *generation;
	int			left_out = 0;
	PoolRow    *rows;
	int			count;

	if (!always && reading == known_generation)
		return;
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	for (;;)
	{
		reading = *generation;
		pg_memory_barrier();
		rows = read_rows(&count);
		if (apply(db, reading, rows, count, &left_out))
			break;
		CHECK_FOR_INTERRUPTS();
	}
	CommitTransactionCommand();
	known_generation = reading;
	if (left_out > 0)
		ereport(LOG,
				(errmsg("sched: %d of %d pools of this database have no room in memory, their tasks wait",
						left_out, count),
				 errhint("Drop pools that are not needed.")));
}
