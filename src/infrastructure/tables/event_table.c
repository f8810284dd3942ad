/*-------------------------------------------------------------------------
 *
 * event_table.c
 *	  The tables of events: what happened, and what is to be sent of it.
 *
 * _event is partitioned by ranges of event_id, as the record of tasks is by
 * task_id, and rows go straight into their partition: writers never lock the
 * parent, so that old partitions are dropped while others write.  The
 * partition is found by its name, which follows from the id; it is made
 * and attached in one transaction, so one that is seen is attached.  What has
 * none goes to the default partition.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "commands/sequence.h"
#include "infrastructure/tables/event_table.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/xid8.h"

/* Event ids of a partition, as in sched._event_width(). */
#define WIDTH	1000000

enum
{
	EVENT_ID = 1, EVENT_TYPE, EVENT_AT, EVENT_JOB, EVENT_TASK, EVENT_EXECUTOR,
	EVENT_OWNER, EVENT_ACTOR, EVENT_PAYLOAD, EVENT_FIRED, EVENT_XID,
	EVENT_COLUMNS = EVENT_XID
};

int64
sched_event_table_next_id(void)
{
	(void) GetTopFullTransactionId();
	return nextval_internal(sched_store_relation("_event_id_seq"), false);
}

static Relation
open_partition(int64 event_id)
{
	Oid			schema = get_namespace_oid("sched", false);
	char		name[NAMEDATALEN];
	Oid			partition;
	Relation	relation = NULL;

	snprintf(name, sizeof(name), "_event_" INT64_FORMAT, event_id / WIDTH);
	partition = get_relname_relid(name, schema);
	if (OidIsValid(partition))
		relation = try_table_open(partition, RowExclusiveLock);
	if (relation == NULL)
		relation = table_open(sched_store_relation("_event_default"),
							  RowExclusiveLock);
	return relation;
}

/* Long values go to a TOAST table, and that needs a snapshot. */
static void
insert_row(Relation relation, Datum *values, bool *nulls)
{
	bool		pushed = !ActiveSnapshotSet();
	HeapTuple	tuple = heap_form_tuple(RelationGetDescr(relation), values,
										nulls);

	if (pushed)
		PushActiveSnapshot(GetTransactionSnapshot());
	CatalogTupleInsert(relation, tuple);
	if (pushed)
		PopActiveSnapshot();
	heap_freetuple(tuple);
	table_close(relation, NoLock);
}

static Datum
ids_array(const int64 *ids, int count)
{
	Datum	   *elements = palloc(count * sizeof(Datum));

	for (int i = 0; i < count; i++)
		elements[i] = Int64GetDatum(ids[i]);
	return PointerGetDatum(construct_array(elements, count, INT8OID, 8, true,
										   TYPALIGN_DOUBLE));
}

void
sched_event_table_insert(const SchedEventRow *row)
{
	Datum		v[EVENT_COLUMNS] = {0};
	bool		n[EVENT_COLUMNS] = {0};

	v[EVENT_ID - 1] = Int64GetDatum(row->event_id);
	v[EVENT_TYPE - 1] = CStringGetTextDatum(row->type);
	v[EVENT_AT - 1] = TimestampTzGetDatum(row->occurred_at);
	v[EVENT_JOB - 1] = Int64GetDatum(row->job_id);
	n[EVENT_JOB - 1] = row->job_id == SCHED_UNSET;
	v[EVENT_TASK - 1] = Int64GetDatum(row->task_id);
	n[EVENT_TASK - 1] = row->task_id == SCHED_UNSET;
	n[EVENT_EXECUTOR - 1] = row->executor == NULL;
	if (row->executor != NULL)
		v[EVENT_EXECUTOR - 1] = CStringGetTextDatum(row->executor);
	v[EVENT_OWNER - 1] = ObjectIdGetDatum(row->owner);
	v[EVENT_ACTOR - 1] = ObjectIdGetDatum(row->actor);
	n[EVENT_ACTOR - 1] = !OidIsValid(row->actor);
	v[EVENT_PAYLOAD - 1] = PointerGetDatum(row->payload);
	n[EVENT_PAYLOAD - 1] = row->payload == NULL;
	n[EVENT_FIRED - 1] = row->fired_count == 0;
	if (row->fired_count > 0)
		v[EVENT_FIRED - 1] = ids_array(row->fired, row->fired_count);
	v[EVENT_XID - 1] = FullTransactionIdGetDatum(GetTopFullTransactionId());
	insert_row(open_partition(row->event_id), v, n);
}

void
sched_event_table_insert_delivery(int64 subscription_id, int64 event_id,
								  TimestampTz now)
{
	/* in the order of sql/install/52_events.sql */
	Datum		v[7] = {0};
	bool		n[7] = {false, false, false, false, true, true, true};

	v[0] = Int64GetDatum(subscription_id);
	v[1] = Int64GetDatum(event_id);
	v[2] = TimestampTzGetDatum(now);
	v[3] = Int32GetDatum(0);
	insert_row(table_open(sched_store_relation("_delivery"),
						  RowExclusiveLock), v, n);
}
