/*-------------------------------------------------------------------------
 *
 * executor_table.c
 *	  Rows of _executor.
 *
 * Types and tags are kept in shared memory as hashes: of a type the same that
 * names its class in the queue.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "infrastructure/tables/executor_table.h"
#include "infrastructure/memory/queue_lease.h"
#include "infrastructure/tables/store.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/* Columns, in the order of sql/install/10_tables.sql. */
enum
{
	EXECUTOR_ID, EXECUTOR_NAME, EXECUTOR_OWNER, EXECUTOR_TYPES,
	EXECUTOR_TAGS, EXECUTOR_MAX_CONCURRENT, EXECUTOR_INFO, EXECUTOR_DIGEST,
	EXECUTOR_STATUS, EXECUTOR_ACTIVE, EXECUTOR_COLUMNS
};

static int
hash_all(Datum array, bool isnull, int max, uint32 *hashes, bool types)
{
	Datum	   *elements;
	bool	   *nulls;
	int			count;
	int			kept = 0;

	if (isnull)
		return 0;
	deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false,
					  TYPALIGN_INT, &elements, &nulls, &count);
	for (int i = 0; i < count && kept < max; i++)
	{
		char	   *word;

		if (nulls[i])
			continue;
		word = TextDatumGetCString(elements[i]);
		hashes[kept++] = types ? sched_queue_kind(word) :
			hash_bytes((const unsigned char *) word, strlen(word));
	}
	return kept;
}

bool
sched_store_executor_spec(HeapTuple tuple, TupleDesc desc,
						  QExecutorSpec *spec)
{
	Datum		v[EXECUTOR_COLUMNS + 16];
	bool		n[EXECUTOR_COLUMNS + 16];
	bytea	   *digest;

	Assert(desc->natts <= lengthof(v));
	heap_deform_tuple(tuple, desc, v, n);
	MemSet(spec, 0, sizeof(QExecutorSpec));
	spec->executor_id = DatumGetInt32(v[EXECUTOR_ID]);
	strlcpy(spec->name, TextDatumGetCString(v[EXECUTOR_NAME]),
			sizeof(spec->name));
	spec->owner = DatumGetObjectId(v[EXECUTOR_OWNER]);
	spec->active = DatumGetBool(v[EXECUTOR_ACTIVE]);
	spec->max_concurrent = DatumGetInt32(v[EXECUTOR_MAX_CONCURRENT]);
	spec->type_count = hash_all(v[EXECUTOR_TYPES], n[EXECUTOR_TYPES],
								SCHED_EXECUTOR_TYPES, spec->types, true);
	spec->tag_count = hash_all(v[EXECUTOR_TAGS], n[EXECUTOR_TAGS],
							   SCHED_EXECUTOR_TAGS, spec->tags, false);
	digest = DatumGetByteaPP(v[EXECUTOR_DIGEST]);
	memcpy(spec->digest, VARDATA_ANY(digest),
		   Min(VARSIZE_ANY_EXHDR(digest), sizeof(spec->digest)));
	spec->status = SCHED_EXECUTOR_OFFLINE;
	return sched_executor_status_from_name(TextDatumGetCString(v[EXECUTOR_STATUS]),
										   &spec->status);
}

char	   *
sched_store_executor_name(int executor_id)
{
	Relation	relation = table_open(sched_store_relation("_executor"),
									  AccessShareLock);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	char	   *name = NULL;
	bool		isnull;

	ScanKeyInit(&key, EXECUTOR_ID + 1, BTEqualStrategyNumber, F_INT4EQ,
				Int32GetDatum(executor_id));
	scan = systable_beginscan(relation, sched_store_relation("executor_pkey"),
							  true, snapshot, 1, &key);
	if (HeapTupleIsValid(tuple = systable_getnext(scan)))
		name = TextDatumGetCString(heap_getattr(tuple, EXECUTOR_NAME + 1,
												RelationGetDescr(relation),
												&isnull));
	systable_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(relation, AccessShareLock);
	return name;
}
