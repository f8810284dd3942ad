/*-------------------------------------------------------------------------
 *
 * shard_table.c
 *	  Reading sched._shard: what belongs to a broadcast task.
 *
 * Below the level of SQL, since it is read for each row of a query that is
 * still open.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "infrastructure/tables/shard_table.h"
#include "infrastructure/tables/store.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/* The first columns of _shard. */
#define SHARD_TASK		1
#define SHARD_PARENT	2
#define SHARD_EXECUTOR	3

bool
sched_store_shard(int64 task_id, int64 *parent_id, int *executor_id)
{
	Relation	relation = table_open(sched_store_relation("_shard"),
									  AccessShareLock);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		found;

	ScanKeyInit(&key, SHARD_TASK, BTEqualStrategyNumber, F_INT8EQ,
				Int64GetDatum(task_id));
	scan = systable_beginscan(relation, sched_store_relation("shard_pkey"),
							  true, snapshot, 1, &key);
	tuple = systable_getnext(scan);
	found = HeapTupleIsValid(tuple);
	if (found)
	{
		TupleDesc	desc = RelationGetDescr(relation);
		bool		isnull;

		*parent_id = DatumGetInt64(heap_getattr(tuple, SHARD_PARENT, desc,
												&isnull));
		*executor_id = DatumGetInt32(heap_getattr(tuple, SHARD_EXECUTOR, desc,
												  &isnull));
	}
	systable_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(relation, AccessShareLock);
	return found;
}
