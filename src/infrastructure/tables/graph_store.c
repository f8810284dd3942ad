/*-------------------------------------------------------------------------
 *
 * graph_store.c
 *	  Reading and writing dependencies, and the places of tasks in their runs.
 *
 * _dependency is read by its two indexes.  _node and _letter are partitioned
 * like _task, and like there rows go straight into the partition of their
 * task_id.  No lock beyond those of the scans and inserts; whoever runs a task
 * comes by here as an ordinary role, so nothing of it is SQL.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/pg_type.h"
#include "infrastructure/tables/graph_store.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

enum
{
	DEP_ID = 1, DEP_JOB, DEP_UPSTREAM, DEP_TYPE, DEP_MATCH, DEP_OFFSET,
	DEP_CONDITION, DEP_DELAY, DEP_CREATED_AT, DEP_REMOVED_AT,
	DEP_COLUMNS = DEP_REMOVED_AT
};

enum
{
	NODE_TASK = 1, NODE_RUN, NODE_JOB, NODE_RULE, NODE_GIVE_UP_AT,
	NODE_IN_EDGES, NODE_IN_TASKS, NODE_OUT_TASKS, NODE_OUT_TYPES,
	NODE_COLUMNS = NODE_OUT_TYPES
};

enum
{
	LETTER_TASK = 1, LETTER_EDGE, LETTER_LETTER, LETTER_UPSTREAM_TASK,
	LETTER_DECIDED_AT, LETTER_REASON, LETTER_COLUMNS = LETTER_REASON
};

/* ---------- edges ---------- */

static SchedMatch
match_from_name(const char *name)
{
	static const char *const names[] = {
		"", "same_run", "since_last_run", "same_time", "offset", "latest",
		"window"
	};

	for (int i = 0; name != NULL && i < lengthof(names); i++)
		if (strcmp(names[i], name) == 0)
			return (SchedMatch) i;
	return SCHED_MATCH_DEFAULT;
}

static int64
interval_or_zero(Datum value, bool isnull)
{
	return isnull ? 0 : sched_store_interval_usec(DatumGetIntervalP(value));
}

static void
edge_from_tuple(HeapTuple tuple, TupleDesc desc, SchedEdge *edge)
{
	Datum		v[DEP_COLUMNS + 8];
	bool		n[DEP_COLUMNS + 8];

	heap_deform_tuple(tuple, desc, v, n);
	edge->edge_id = DatumGetInt64(v[DEP_ID - 1]);
	edge->job_id = DatumGetInt64(v[DEP_JOB - 1]);
	edge->upstream_id = DatumGetInt64(v[DEP_UPSTREAM - 1]);
	edge->type = SCHED_EDGE_SUCCESS;
	(void) sched_edge_type_from_name(TextDatumGetCString(v[DEP_TYPE - 1]),
									 &edge->type);
	edge->match = n[DEP_MATCH - 1] ? SCHED_MATCH_DEFAULT :
		match_from_name(TextDatumGetCString(v[DEP_MATCH - 1]));
	edge->offset = interval_or_zero(v[DEP_OFFSET - 1], n[DEP_OFFSET - 1]);
	edge->delay = interval_or_zero(v[DEP_DELAY - 1], n[DEP_DELAY - 1]);
	edge->condition = n[DEP_CONDITION - 1] ? NULL :
		TextDatumGetCString(v[DEP_CONDITION - 1]);
	edge->removed = !n[DEP_REMOVED_AT - 1];
}

static SchedEdge *
scan_edges(const char *index, int column, int64 id, int *count)
{
	Relation	relation = table_open(sched_store_relation("_dependency"),
									  AccessShareLock);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	int			capacity = 0;
	SchedEdge  *edges = NULL;

	ScanKeyInit(&key, column, BTEqualStrategyNumber, F_INT8EQ,
				Int64GetDatum(id));
	scan = systable_beginscan(relation, sched_store_relation(index), true,
							  snapshot, 1, &key);
	*count = 0;
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		if (*count == capacity)
		{
			capacity = Max(8, capacity * 2);
			edges = edges == NULL ? palloc(capacity * sizeof(SchedEdge)) :
				repalloc(edges, capacity * sizeof(SchedEdge));
		}
		edge_from_tuple(tuple, RelationGetDescr(relation), &edges[(*count)++]);
	}
	systable_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(relation, AccessShareLock);
	return edges;
}

SchedEdge  *
sched_store_edges_of(int64 job_id, int *count)
{
	return scan_edges("dependency_job_idx", DEP_JOB, job_id, count);
}

SchedEdge  *
sched_store_edges_on(int64 upstream_id, int *count)
{
	return scan_edges("dependency_upstream_idx", DEP_UPSTREAM, upstream_id,
					  count);
}

bool
sched_store_edge(int64 edge_id, SchedEdge *edge)
{
	int			count;
	SchedEdge  *found = scan_edges("dependency_pkey", DEP_ID, edge_id, &count);

	if (count > 0)
		*edge = found[0];
	return count > 0;
}

bool
sched_store_has_trigger(int64 job_id)
{
	Relation	relation = table_open(sched_store_relation("_trigger"),
									  AccessShareLock);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	ScanKeyData key;
	SysScanDesc scan;
	bool		found;

	ScanKeyInit(&key, 2, BTEqualStrategyNumber, F_INT8EQ,
				Int64GetDatum(job_id));
	scan = systable_beginscan(relation,
							  sched_store_relation("trigger_job_idx"), true,
							  snapshot, 1, &key);
	found = HeapTupleIsValid(systable_getnext(scan));
	systable_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(relation, AccessShareLock);
	return found;
}

/* ---------- arrays ---------- */

static Datum
array_of(const int64 *values, int count)
{
	Datum	   *elements = palloc(Max(count, 1) * sizeof(Datum));
	Datum		array;

	for (int i = 0; i < count; i++)
		elements[i] = Int64GetDatum(values[i]);
	array = PointerGetDatum(construct_array(elements, count, INT8OID, 8,
											FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
	pfree(elements);
	return array;
}

static int64 *
array_from(Datum value, bool isnull, int *count)
{
	Datum	   *elements;
	int64	   *values;

	*count = 0;
	if (isnull)
		return NULL;
	deconstruct_array(DatumGetArrayTypeP(value), INT8OID, 8, FLOAT8PASSBYVAL,
					  TYPALIGN_DOUBLE, &elements, NULL, count);
	values = palloc(Max(*count, 1) * sizeof(int64));
	for (int i = 0; i < *count; i++)
		values[i] = DatumGetInt64(elements[i]);
	pfree(elements);
	return values;
}

/* ---------- places ---------- */

static HeapTuple
form_node(const SchedNode *node, TupleDesc desc)
{
	Datum		v[NODE_COLUMNS] = {0};
	bool		n[NODE_COLUMNS] = {0};

	v[NODE_TASK - 1] = Int64GetDatum(node->task_id);
	v[NODE_RUN - 1] = Int64GetDatum(node->run_id);
	v[NODE_JOB - 1] = Int64GetDatum(node->job_id);
	n[NODE_RULE - 1] = !node->waits;
	if (node->waits)
		v[NODE_RULE - 1] =
			CStringGetTextDatum(sched_join_rule_name(node->rule));
	v[NODE_GIVE_UP_AT - 1] = TimestampTzGetDatum(node->give_up_at);
	n[NODE_GIVE_UP_AT - 1] = node->give_up_at == 0;
	n[NODE_IN_EDGES - 1] = n[NODE_IN_TASKS - 1] = node->in_count == 0;
	if (node->in_count > 0)
	{
		v[NODE_IN_EDGES - 1] = array_of(node->in_edges, node->in_count);
		v[NODE_IN_TASKS - 1] = array_of(node->in_tasks, node->in_count);
	}
	n[NODE_OUT_TASKS - 1] = n[NODE_OUT_TYPES - 1] = node->out_count == 0;
	if (node->out_count > 0)
	{
		v[NODE_OUT_TASKS - 1] = array_of(node->out_tasks, node->out_count);
		v[NODE_OUT_TYPES - 1] =
			PointerGetDatum(cstring_to_text_with_len(node->out_types,
													 node->out_count));
	}
	return heap_form_tuple(desc, v, n);
}

static HeapTuple
form_letter(const SchedLetterRow *row, TupleDesc desc)
{
	Datum		v[LETTER_COLUMNS] = {0};
	bool		n[LETTER_COLUMNS] = {0};

	v[LETTER_TASK - 1] = Int64GetDatum(row->task_id);
	v[LETTER_EDGE - 1] = Int32GetDatum(row->edge);
	v[LETTER_LETTER - 1] = CharGetDatum(row->letter);
	v[LETTER_UPSTREAM_TASK - 1] = Int64GetDatum(row->upstream_task);
	n[LETTER_UPSTREAM_TASK - 1] = row->upstream_task == 0;
	v[LETTER_DECIDED_AT - 1] = TimestampTzGetDatum(row->decided_at);
	n[LETTER_REASON - 1] = row->reason == NULL;
	if (row->reason != NULL)
		v[LETTER_REASON - 1] = CStringGetTextDatum(row->reason);
	return heap_form_tuple(desc, v, n);
}

/* The rows that belong to the partition of the first; returns how many. */
static int
insert_some(SchedSegmentTable table, const void *rows, int count)
{
	const SchedNode *nodes = table == SCHED_SEGMENT_NODE ? rows : NULL;
	const SchedLetterRow *letters = table == SCHED_SEGMENT_LETTER ? rows : NULL;
	int64		lo = nodes != NULL ? nodes[0].task_id : letters[0].task_id;
	int64		hi;
	Relation	relation = sched_store_open_segment(table, lo, &hi);
	CatalogIndexState indexes = CatalogOpenIndexes(relation);
	int			done = 0;

	while (done < count)
	{
		int64		id = nodes != NULL ? nodes[done].task_id :
		letters[done].task_id;
		HeapTuple	tuple;

		if (id < lo || id >= hi)
			break;
		tuple = nodes != NULL ?
			form_node(&nodes[done], RelationGetDescr(relation)) :
			form_letter(&letters[done], RelationGetDescr(relation));
		CatalogTupleInsertWithInfo(relation, tuple, indexes);
		heap_freetuple(tuple);
		done++;
	}
	CatalogCloseIndexes(indexes);
	table_close(relation, NoLock);
	return done;
}

void
sched_store_insert_nodes(const SchedNode *rows, int count)
{
	bool		pushed = sched_store_push_snapshot();

	for (int done = 0; done < count;)
		done += insert_some(SCHED_SEGMENT_NODE, rows + done, count - done);
	sched_store_pop_snapshot(pushed);
}

void
sched_store_insert_letters(const SchedLetterRow *rows, int count)
{
	bool		pushed = sched_store_push_snapshot();

	for (int done = 0; done < count;)
		done += insert_some(SCHED_SEGMENT_LETTER, rows + done, count - done);
	sched_store_pop_snapshot(pushed);
}

static SysScanDesc
scan_task(Relation relation, int64 task_id, Snapshot snapshot)
{
	ScanKeyData key;
	Oid			index = sched_store_index_on_task(relation);

	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_INT8EQ,
				Int64GetDatum(task_id));
	return systable_beginscan(relation, index, OidIsValid(index), snapshot, 1,
							  &key);
}

bool
sched_store_node(int64 task_id, SchedNode *node)
{
	int64		hi;
	Relation	relation = sched_store_open_segment(SCHED_SEGMENT_NODE,
													task_id, &hi);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	SysScanDesc scan = scan_task(relation, task_id, snapshot);
	HeapTuple	tuple = systable_getnext(scan);
	bool		found = HeapTupleIsValid(tuple);

	if (found)
	{
		Datum		v[NODE_COLUMNS + 8];
		bool		n[NODE_COLUMNS + 8];
		int			count;
		bool		pushed = sched_store_push_snapshot();

		MemSet(node, 0, sizeof(SchedNode));
		heap_deform_tuple(tuple, RelationGetDescr(relation), v, n);
		node->task_id = task_id;
		node->run_id = DatumGetInt64(v[NODE_RUN - 1]);
		node->job_id = DatumGetInt64(v[NODE_JOB - 1]);
		node->waits = !n[NODE_RULE - 1];
		node->rule = SCHED_JOIN_ALL_SUCCESS;
		if (node->waits)
			(void) sched_join_rule_from_name(TextDatumGetCString(v[NODE_RULE - 1]),
											 &node->rule);
		node->give_up_at = n[NODE_GIVE_UP_AT - 1] ? 0 :
			DatumGetTimestampTz(v[NODE_GIVE_UP_AT - 1]);
		node->in_edges = array_from(v[NODE_IN_EDGES - 1],
									n[NODE_IN_EDGES - 1], &node->in_count);
		node->in_tasks = array_from(v[NODE_IN_TASKS - 1],
									n[NODE_IN_TASKS - 1], &count);
		node->in_count = Min(node->in_count, count);
		node->out_tasks = array_from(v[NODE_OUT_TASKS - 1],
									 n[NODE_OUT_TASKS - 1], &node->out_count);
		node->out_types = n[NODE_OUT_TYPES - 1] ? pstrdup("") :
			TextDatumGetCString(v[NODE_OUT_TYPES - 1]);
		node->out_count = Min(node->out_count, (int) strlen(node->out_types));
		sched_store_pop_snapshot(pushed);
	}
	systable_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(relation, NoLock);
	return found;
}

SchedLetterRow *
sched_store_letters(int64 task_id, int *count)
{
	int64		hi;
	Relation	relation = sched_store_open_segment(SCHED_SEGMENT_LETTER,
													task_id, &hi);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	SysScanDesc scan = scan_task(relation, task_id, snapshot);
	HeapTuple	tuple;
	int			capacity = 0;
	SchedLetterRow *rows = NULL;

	*count = 0;
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Datum		v[LETTER_COLUMNS + 8];
		bool		n[LETTER_COLUMNS + 8];
		SchedLetterRow *row;

		if (*count == capacity)
		{
			capacity = Max(8, capacity * 2);
			rows = rows == NULL ? palloc(capacity * sizeof(SchedLetterRow)) :
				repalloc(rows, capacity * sizeof(SchedLetterRow));
		}
		row = &rows[(*count)++];
		heap_deform_tuple(tuple, RelationGetDescr(relation), v, n);
		row->task_id = task_id;
		row->edge = DatumGetInt32(v[LETTER_EDGE - 1]);
		row->letter = DatumGetChar(v[LETTER_LETTER - 1]);
		row->upstream_task = n[LETTER_UPSTREAM_TASK - 1] ? 0 :
			DatumGetInt64(v[LETTER_UPSTREAM_TASK - 1]);
		row->decided_at = DatumGetTimestampTz(v[LETTER_DECIDED_AT - 1]);
		row->reason = n[LETTER_REASON - 1] ? NULL :
			TextDatumGetCString(v[LETTER_REASON - 1]);
	}
	systable_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(relation, NoLock);
	return rows;
}
