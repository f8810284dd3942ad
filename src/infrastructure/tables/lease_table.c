/*-------------------------------------------------------------------------
 *
 * lease_table.c
 *	  The record of leases, and parameters of tasks by their place.
 *
 * A lease is what makes a claim survive a crash.  One row of _lease stands for
 * all tasks that a call has claimed or started, so a claim of a hundred tasks
 * writes one row and touches none of theirs.  The table is partitioned by the
 * first task_id of the row, like the tasks; rows are never updated, have
 * no index, and are read only after a restart.
 *
 * A row that would not fit beside others in a page is made several: compressed
 * or put into a TOAST table it would cost more than it saves.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "infrastructure/tables/lease_table.h"
#include "storage/bufmgr.h"
#include "utils/array.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#define MAX_TASKS_OF_ROW	120

enum
{
	LEASE_TASK, LEASE_KIND, LEASE_EXECUTOR, LEASE_AT, LEASE_ATTEMPT,
	LEASE_TASK_IDS, LEASE_ATTEMPTS, LEASE_COLUMNS
};

/* An array without NULLs, of values of fixed size. */
static Datum
make_array(Oid type, int size, const void *values, int count)
{
	Size		data = (Size) count * size;
	ArrayType  *array = palloc0(ARR_OVERHEAD_NONULLS(1) + data);

	SET_VARSIZE(array, ARR_OVERHEAD_NONULLS(1) + data);
	array->ndim = 1;
	array->elemtype = type;
	ARR_DIMS(array)[0] = count;
	ARR_LBOUND(array)[0] = 1;
	memcpy(ARR_DATA_PTR(array), values, data);
	return PointerGetDatum(array);
}

static void
insert_row(Relation relation, char kind, int executor_id, TimestampTz at,
		   const int64 *task_ids, const int *attempts, int count)
{
	Datum		v[LEASE_COLUMNS] = {0};
	bool		n[LEASE_COLUMNS] = {0};
	bool		same = true;
	HeapTuple	tuple;

	for (int i = 1; i < count && same; i++)
		same = attempts[i] == attempts[0];
	v[LEASE_TASK] = Int64GetDatum(task_ids[0]);
	v[LEASE_KIND] = CharGetDatum(kind);
	v[LEASE_EXECUTOR] = Int32GetDatum(executor_id);
	v[LEASE_AT] = TimestampTzGetDatum(at);
	v[LEASE_ATTEMPT] = Int32GetDatum(attempts[0]);
	n[LEASE_TASK_IDS] = count == 1;
	if (count > 1)
		v[LEASE_TASK_IDS] = make_array(INT8OID, sizeof(int64), task_ids,
									   count);
	n[LEASE_ATTEMPTS] = same;
	if (!same)
		v[LEASE_ATTEMPTS] = make_array(INT4OID, sizeof(int32), attempts,
									   count);
	tuple = heap_form_tuple(RelationGetDescr(relation), v, n);
	heap_insert(relation, tuple, GetCurrentCommandId(true), 0, NULL);
	heap_freetuple(tuple);
}

void
sched_store_insert_leases(char kind, int executor_id, TimestampTz at,
						  const int64 *task_ids, const int *attempts,
						  int count)
{
	int			done = 0;

	while (done < count)
	{
		int64		lo = task_ids[done];
		int64		hi;
		Relation	relation = sched_store_open_segment(SCHED_SEGMENT_LEASE,
														lo, &hi);

		while (done < count && task_ids[done] >= lo && task_ids[done] < hi)
		{
			int			n = 1;

			while (done + n < count && n < MAX_TASKS_OF_ROW &&
				   task_ids[done + n] >= lo && task_ids[done + n] < hi)
				n++;
			insert_row(relation, kind, executor_id, at, &task_ids[done],
					   &attempts[done], n);
			done += n;
		}
		table_close(relation, NoLock);
	}
}

void
sched_store_close_reader(SchedTaskReader *reader)
{
	if (reader->relation != NULL)
		table_close(reader->relation, NoLock);
	reader->relation = NULL;
}

/*
 * Whoever is in the queue has been committed, so the row's visibility is not in
 * question; and whether it is the right row is asked.
 */
Jsonb	   *
sched_store_parameters(SchedTaskReader *reader, int64 task_id,
					   const ItemPointerData *tid)
{
	HeapTupleData tuple;
	Buffer		buffer;
	Jsonb	   *parameters = NULL;
	SchedTaskRow row;

	if (reader->relation == NULL || task_id < reader->lo ||
		task_id >= reader->hi)
	{
		sched_store_close_reader(reader);
		reader->lo = task_id;
		reader->relation = sched_store_open_segment(SCHED_SEGMENT_TASK,
													task_id, &reader->hi);
		reader->blocks = 0;
	}
	tuple.t_self = *tid;
	/* a partition that was thinned may have become shorter */
	if (ItemPointerIsValid(tid) &&
		ItemPointerGetBlockNumber(tid) >= reader->blocks)
		reader->blocks = RelationGetNumberOfBlocks(reader->relation);
	if (ItemPointerIsValid(tid) &&
		ItemPointerGetBlockNumber(tid) < reader->blocks &&
		heap_fetch(reader->relation, SnapshotAny, &tuple, &buffer, false))
	{
		TupleDesc	desc = RelationGetDescr(reader->relation);
		bool		isnull;
		bool		right;
		Datum		value;

		right = DatumGetInt64(heap_getattr(&tuple, 1, desc, &isnull)) == task_id;
		if (right)
		{
			value = heap_getattr(&tuple, 10, desc, &isnull);
			if (!isnull)
				parameters = DatumGetJsonbPCopy(value);
		}
		ReleaseBuffer(buffer);
		if (right)
			return parameters;
	}
	if (!sched_store_task(task_id, &row))
		return NULL;
	return row.parameters;
}
