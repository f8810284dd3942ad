/*-------------------------------------------------------------------------
 *
 * task_type.c
 *	  What sched._task_type says of the type of a job.
 *
 * Kept per process, in a hash by name, until type_generation of the database
 * moves on; it does so at the commit of whoever changed the table, when the change is
 * visible.  A name that is not there is not kept, so that nobody can fill the
 * memory with names.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_collation.h"
#include "infrastructure/json_tree.h"
#include "infrastructure/memory/shmem.h"
#include "infrastructure/tables/store.h"
#include "infrastructure/tables/task_type.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/* The columns of _task_type. */
#define TYPE_NAME		1
#define TYPE_HANDLER	2
#define TYPE_SCHEMA		3
#define TYPE_OWNER		6

#define MAX_NAME	256			/* the same as of a job's name */

typedef struct Entry
{
	char		name[MAX_NAME];
	SchedTaskType type;
} Entry;

static MemoryContext context;
static HTAB *entries;
static uint32 known_generation;

static const SchedTaskType built_in = {true, InvalidOid, NULL, NULL};
static const SchedTaskType missing = {false, InvalidOid, NULL, NULL};

static uint32
current_generation(void)
{
	int			me = sched_shared == NULL ? -1 : sched_shmem_my_database();

	return me < 0 ? 0 :
		*(volatile uint32 *) &sched_shared->databases[me].type_generation;
}

static void
reset(void)
{
	HASHCTL		info = {0};

	entries = NULL;
	if (context != NULL)
		MemoryContextReset(context);
	else
		context = AllocSetContextCreate(TopMemoryContext, "sched task types",
										ALLOCSET_DEFAULT_SIZES);
	info.keysize = MAX_NAME;
	info.entrysize = sizeof(Entry);
	info.hcxt = context;
	entries = hash_create("sched task types", 16, &info,
						  HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
}

/* The row, in the current context; false when there is none. */
static bool
read_type(const char *name, SchedTaskType *type)
{
	Relation	relation = table_open(sched_store_relation("_task_type"),
									  AccessShareLock);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	MemSet(type, 0, sizeof(SchedTaskType));
	ScanKeyEntryInitialize(&key, 0, TYPE_NAME, BTEqualStrategyNumber,
						   InvalidOid, DEFAULT_COLLATION_OID, F_TEXTEQ,
						   CStringGetTextDatum(name));
	scan = systable_beginscan(relation, sched_store_relation("task_type_pkey"),
							  true, snapshot, 1, &key);
	if (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		TupleDesc	desc = RelationGetDescr(relation);
		const char *reason;
		bool		isnull;
		Datum		value;

		type->exists = true;
		value = heap_getattr(tuple, TYPE_OWNER, desc, &isnull);
		type->owner = isnull ? InvalidOid : DatumGetObjectId(value);
		value = heap_getattr(tuple, TYPE_HANDLER, desc, &isnull);
		if (!isnull)
			type->handler = TextDatumGetCString(value);
		value = heap_getattr(tuple, TYPE_SCHEMA, desc, &isnull);
		if (!isnull)
			type->schema = sched_json_tree(DatumGetJsonbP(value), &reason);
	}
	systable_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(relation, AccessShareLock);
	return type->exists;
}

const SchedTaskType *
sched_task_type(const char *name)
{
	uint32		generation;
	Entry	   *entry;
	SchedTaskType type;
	MemoryContext old;

	if (strcmp(name, "sql") == 0)
		return &built_in;
	if (strlen(name) >= MAX_NAME)
		return &missing;
	generation = current_generation();
	if (entries == NULL || generation != known_generation)
	{
		reset();
		known_generation = generation;
	}
	entry = hash_search(entries, name, HASH_FIND, NULL);
	if (entry != NULL)
		return &entry->type;

	old = MemoryContextSwitchTo(context);
	(void) read_type(name, &type);
	MemoryContextSwitchTo(old);
	if (!type.exists)
		return &missing;
	entry = hash_search(entries, name, HASH_ENTER, NULL);
	entry->type = type;
	return &entry->type;
}
