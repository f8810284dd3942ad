/*-------------------------------------------------------------------------
 *
 * store.c
 *	  Access to the tables of the extension from C.
 *
 * _task, _outcome and _log are partitioned by ranges of task_id.  Rows go
 * straight into the partition of their range, which a backend knows from its
 * copy of _segment, read again when the segment generation in shared memory
 * has moved on; a task_id that no segment covers goes to the default
 * partition.  The parent is never locked, so dropping an old partition
 * never stands in the way of writing.
 *
 * Readers use the latest snapshot rather than the transaction's: what decides
 * about a task is what is committed now.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_type.h"
#include "commands/dbcommands.h"
#include "commands/extension.h"
#include "commands/sequence.h"
#include "common/hashfn.h"
#include "common/int.h"
#include "lib/qunique.h"
#include "infrastructure/compat.h"
#include "infrastructure/settings.h"
#include "infrastructure/memory/shmem.h"
#include "infrastructure/tables/store.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

/* Columns, in the order of sql/install/10_tables.sql. */
enum
{
	JOB_ID = 1, JOB_NAME, JOB_TYPE, JOB_COMMAND, JOB_STATUS, JOB_OWNER,
	JOB_PARAMETERS, JOB_TIMEZONE, JOB_DESCRIPTION, JOB_PRIORITY, JOB_TIMEOUT,
	JOB_MAX_ATTEMPTS, JOB_RETRY_DELAY, JOB_RETRY_STRATEGY,
	JOB_RETRY_MAX_DELAY, JOB_RETRY_JITTER, JOB_OVERLAP_POLICY,
	JOB_MAX_CONCURRENT_RUNS, JOB_MISFIRE_POLICY, JOB_CATCHUP_WINDOW,
	JOB_CATCHUP_LIMIT, JOB_START_AT, JOB_END_AT, JOB_MAX_RUNS, JOB_JITTER,
	JOB_TRIGGER_RULE, JOB_DEPENDENCY_TIMEOUT, JOB_POOL, JOB_POOL_SLOTS,
	JOB_REQUIRED_TAGS, JOB_ROUTING, JOB_CALENDAR, JOB_DST_POLICY, JOB_RUN_AS,
	JOB_TAGS, JOB_HISTORY, JOB_CREATED_AT, JOB_UPDATED_AT, JOB_ACTIVATED_AT,
	JOB_PAUSED_AT, JOB_STATUS_REASON, JOB_DEFINED_BY,
	JOB_COLUMNS = JOB_DEFINED_BY
};

enum
{
	TASK_ID = 1, TASK_JOB, TASK_RUN, TASK_SCHEDULED_AT, TASK_CREATED_AT,
	TASK_TRIGGER, TASK_RERUN_OF, TASK_PRIORITY, TASK_MISSED_COUNT,
	TASK_PARAMETERS, TASK_IDEMPOTENCY_KEY, TASK_COLUMNS = TASK_IDEMPOTENCY_KEY
};

enum
{
	OUT_TASK = 1, OUT_ATTEMPT, OUT_STATUS, OUT_FINAL, OUT_FINISHED_AT,
	OUT_QUEUED_AT, OUT_STARTED_AT, OUT_RETRY_AT, OUT_EXECUTOR, OUT_ROW_COUNT,
	OUT_PROGRESS, OUT_SQLSTATE, OUT_ERROR, OUT_REASON, OUT_RESULT,
	OUT_COLUMNS = OUT_RESULT
};

enum
{
	LOG_TASK = 1, LOG_ID, LOG_ATTEMPT, LOG_LEVEL, LOG_AT, LOG_MESSAGE,
	LOG_COLUMNS = LOG_MESSAGE
};

static const char *const segment_names[SCHED_SEGMENT_TABLES] = {
	"_task", "_outcome", "_log", "_node", "_letter", "_lease"
};

typedef struct Segment
{
	int64		lo;
	int64		hi;
	Oid			relation[SCHED_SEGMENT_TABLES];
} Segment;

static Segment *segments;
static int	segment_count;
static uint32 segments_generation;
static Oid	segments_schema;	/* they were read for this schema */

/* ---------- finding things ---------- */

static Oid
schema_oid(bool missing_ok)
{
	return get_namespace_oid("sched", missing_ok);
}

bool
sched_store_present(void)
{
	Oid			schema = schema_oid(true);

	return OidIsValid(schema) &&
		OidIsValid(get_extension_oid("sched", true)) &&
		OidIsValid(get_relname_relid("_outcome", schema));
}

Oid
sched_store_relation(const char *name)
{
	Oid			schema = schema_oid(true);
	Oid			relation = OidIsValid(schema) ?
		get_relname_relid(name, schema) : InvalidOid;

	if (!OidIsValid(relation))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("extension \"sched\" is not installed in database \"%s\"",
						get_database_name(MyDatabaseId)),
				 errdetail("Relation sched.%s does not exist.", name),
				 errhint("Run CREATE EXTENSION sched in this database.")));
	return relation;
}

Oid
sched_store_owner(void)
{
	HeapTuple	tuple;
	Oid			owner;

	/* the schema cannot be told from the extension; its tables can */
	tuple = SearchSysCache1(RELOID,
							ObjectIdGetDatum(sched_store_relation("_job")));
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for relation sched._job");
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return owner;
}

int64
sched_store_interval_usec(const Interval *interval)
{
	int64		result;

	if (pg_mul_s64_overflow(interval->month, INT64CONST(30), &result) ||
		pg_add_s64_overflow(result, interval->day, &result) ||
		pg_mul_s64_overflow(result, USECS_PER_DAY, &result) ||
		pg_add_s64_overflow(result, interval->time, &result))
		/* days and months beyond that leave the time no say */
		return (int64) interval->month * 30 + interval->day < 0 ?
			-(PG_INT64_MAX / 4) : PG_INT64_MAX / 4;
	return Max(Min(result, PG_INT64_MAX / 4), -(PG_INT64_MAX / 4));
}

/* ---------- jobs ---------- */

static char *
text_or_null(Datum value, bool isnull)
{
	return isnull ? NULL : TextDatumGetCString(value);
}

static int64
interval_or(Datum value, bool isnull, int64 otherwise)
{
	return isnull ? otherwise : sched_store_interval_usec(DatumGetIntervalP(value));
}

static int
compare_hashes(const void *a, const void *b)
{
	uint32		x = *(const uint32 *) a;
	uint32		y = *(const uint32 *) b;

	return x < y ? -1 : x > y;
}

uint32 *
sched_store_hash_texts(ArrayType *array, int *count)
{
	Datum	   *elements;
	bool	   *nulls;
	int			n;
	uint32	   *hashes;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &elements,
					  &nulls, &n);
	hashes = palloc(Max(n, 1) * sizeof(uint32));
	*count = 0;
	for (int i = 0; i < n; i++)
		if (!nulls[i])
		{
			text	   *value = DatumGetTextPP(elements[i]);

			hashes[(*count)++] =
				hash_bytes((const unsigned char *) VARDATA_ANY(value),
						   VARSIZE_ANY_EXHDR(value));
		}
	qsort(hashes, *count, sizeof(uint32), compare_hashes);
	*count = qunique(hashes, *count, sizeof(uint32), compare_hashes);
	return hashes;
}

SchedJob *
sched_store_job_from_tuple(HeapTuple tuple, TupleDesc desc)
{
	SchedJob   *job = palloc0(sizeof(SchedJob));
	Datum		v[JOB_COLUMNS + 8];
	bool		n[JOB_COLUMNS + 8];
	char	   *word;

	Assert(desc->natts <= lengthof(v));
	heap_deform_tuple(tuple, desc, v, n);

#define TEXT(column)	text_or_null(v[(column) - 1], n[(column) - 1])
#define INT(column, otherwise) \
	(n[(column) - 1] ? (otherwise) : DatumGetInt32(v[(column) - 1]))
#define USEC(column, otherwise) \
	interval_or(v[(column) - 1], n[(column) - 1], otherwise)
#define TIME(column) \
	(n[(column) - 1] ? 0 : DatumGetTimestampTz(v[(column) - 1]))

	job->job_id = DatumGetInt64(v[JOB_ID - 1]);
	job->name = TEXT(JOB_NAME);
	job->type = TEXT(JOB_TYPE);
	job->command = TEXT(JOB_COMMAND);
	word = TEXT(JOB_STATUS);
	job->deleted = strcmp(word, "deleted") == 0;
	if (!sched_job_status_from_name(word, &job->status))
		job->status = SCHED_JOB_DISABLED;
	job->owner = DatumGetObjectId(v[JOB_OWNER - 1]);
	job->run_as = n[JOB_RUN_AS - 1] ? job->owner :
		DatumGetObjectId(v[JOB_RUN_AS - 1]);
	job->defined_by = n[JOB_DEFINED_BY - 1] ? InvalidOid :
		DatumGetObjectId(v[JOB_DEFINED_BY - 1]);
	job->parameters = DatumGetJsonbPCopy(v[JOB_PARAMETERS - 1]);
	job->timezone = TEXT(JOB_TIMEZONE);
	job->calendar = TEXT(JOB_CALENDAR);
	job->dst_policy = TEXT(JOB_DST_POLICY);
	job->history = TEXT(JOB_HISTORY);
	job->priority = INT(JOB_PRIORITY, sched_default_priority);
	job->timeout = USEC(JOB_TIMEOUT, sched_default_timeout * USECS_PER_SEC);
	job->max_attempts = INT(JOB_MAX_ATTEMPTS, sched_retry_max_attempts);
	job->retry_delay = USEC(JOB_RETRY_DELAY,
							sched_default_retry_delay * USECS_PER_SEC);
	job->retry_max_delay = USEC(JOB_RETRY_MAX_DELAY,
								sched_retry_max_delay * USECS_PER_SEC);
	job->retry_strategy = sched_retry_strategy;
	if ((word = TEXT(JOB_RETRY_STRATEGY)) != NULL)
		(void) sched_retry_strategy_from_name(word, &job->retry_strategy);
	job->retry_jitter = SCHED_JITTER_NONE;
	if ((word = TEXT(JOB_RETRY_JITTER)) != NULL)
		(void) sched_retry_jitter_from_name(word, &job->retry_jitter);
	job->overlap_policy = SCHED_OVERLAP_SKIP;
	if ((word = TEXT(JOB_OVERLAP_POLICY)) != NULL)
		(void) sched_overlap_policy_from_name(word, &job->overlap_policy);
	job->misfire_policy = SCHED_MISFIRE_FIRE_ONCE;
	if ((word = TEXT(JOB_MISFIRE_POLICY)) != NULL)
		(void) sched_misfire_policy_from_name(word, &job->misfire_policy);
	job->max_concurrent_runs = INT(JOB_MAX_CONCURRENT_RUNS, 0);
	job->catchup_window = USEC(JOB_CATCHUP_WINDOW, 0);
	job->catchup_limit = INT(JOB_CATCHUP_LIMIT, 0);
	job->jitter = USEC(JOB_JITTER, 0);
	job->max_runs = INT(JOB_MAX_RUNS, 0);
	if ((word = TEXT(JOB_ROUTING)) != NULL)
		job->route = sched_route_from_name(word);
	if (job->route == SCHED_ROUTE_CUSTOM)
		job->router = word;
	job->pool = TEXT(JOB_POOL);
	job->pool_slots = INT(JOB_POOL_SLOTS, 1);
	if (ARR_NDIM(DatumGetArrayTypeP(v[JOB_REQUIRED_TAGS - 1])) > 0)
		job->tags = sched_store_hash_texts(DatumGetArrayTypeP(v[JOB_REQUIRED_TAGS - 1]),
										   &job->tag_count);
	job->start_at = TIME(JOB_START_AT);
	job->end_at = TIME(JOB_END_AT);
	job->trigger_rule = SCHED_JOIN_ALL_SUCCESS;
	if ((word = TEXT(JOB_TRIGGER_RULE)) != NULL)
		(void) sched_join_rule_from_name(word, &job->trigger_rule);
	job->dependency_timeout = USEC(JOB_DEPENDENCY_TIMEOUT, 0);
	job->created_at = TIME(JOB_CREATED_AT);
	job->activated_at = TIME(JOB_ACTIVATED_AT);

#undef TEXT
#undef INT
#undef USEC
#undef TIME
	return job;
}

/* Fetch the first row of an index scan that suits the latest snapshot. */
static SchedJob *
scan_job(const char *index, ScanKey key, bool deleted_too)
{
	Relation	relation = table_open(sched_store_relation("_job"),
									  AccessShareLock);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	SysScanDesc scan = systable_beginscan(relation,
										  sched_store_relation(index), true,
										  snapshot, 1, key);
	HeapTuple	tuple;
	SchedJob   *job = NULL;

	while (job == NULL && HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		job = sched_store_job_from_tuple(tuple, RelationGetDescr(relation));
		if (job->deleted && !deleted_too)
			job = NULL;
	}
	systable_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(relation, AccessShareLock);
	return job;
}

SchedJob *
sched_store_job(int64 job_id)
{
	ScanKeyData key;

	ScanKeyInit(&key, JOB_ID, BTEqualStrategyNumber, F_INT8EQ,
				Int64GetDatum(job_id));
	return scan_job("job_pkey", &key, false);
}

SchedJob *
sched_store_any_job(int64 job_id)
{
	ScanKeyData key;

	ScanKeyInit(&key, JOB_ID, BTEqualStrategyNumber, F_INT8EQ,
				Int64GetDatum(job_id));
	return scan_job("job_pkey", &key, true);
}

SchedJob *
sched_store_job_by_name(const char *name)
{
	ScanKeyData key;

	ScanKeyEntryInitialize(&key, 0, JOB_NAME, BTEqualStrategyNumber,
						   InvalidOid, DEFAULT_COLLATION_OID, F_TEXTEQ,
						   CStringGetTextDatum(name));
	return scan_job("job_name_key", &key, false);
}

/* ---------- segments ---------- */

static int
compare_segments(const void *a, const void *b)
{
	int64		la = ((const Segment *) a)->lo;
	int64		lb = ((const Segment *) b)->lo;

	return la < lb ? -1 : la > lb ? 1 : 0;
}

static void
read_segments(Oid schema, uint32 generation)
{
	Relation	relation = table_open(sched_store_relation("_segment"),
									  AccessShareLock);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	SysScanDesc scan = systable_beginscan(relation, InvalidOid, false,
										  snapshot, 0, NULL);
	HeapTuple	tuple;
	int			capacity = 64;
	int			count = 0;
	Segment    *new = MemoryContextAlloc(TopMemoryContext,
										 capacity * sizeof(Segment));

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		bool		isnull;
		int			id = DatumGetInt32(heap_getattr(tuple, 1,
													RelationGetDescr(relation),
													&isnull));
		Segment    *segment;

		if (count == capacity)
		{
			capacity *= 2;
			new = repalloc(new, capacity * sizeof(Segment));
		}
		segment = &new[count++];
		segment->lo = DatumGetInt64(heap_getattr(tuple, 2,
												 RelationGetDescr(relation),
												 &isnull));
		segment->hi = DatumGetInt64(heap_getattr(tuple, 3,
												 RelationGetDescr(relation),
												 &isnull));
		for (int i = 0; i < SCHED_SEGMENT_TABLES; i++)
		{
			char		name[NAMEDATALEN];

			snprintf(name, sizeof(name), "%s_%d", segment_names[i], id);
			segment->relation[i] = get_relname_relid(name, schema);
		}
	}
	systable_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(relation, AccessShareLock);

	qsort(new, count, sizeof(Segment), compare_segments);
	if (segments != NULL)
		pfree(segments);
	segments = new;
	segment_count = count;
	segments_generation = generation;
	segments_schema = schema;
}

/* A partition that was dropped in the meantime is looked for again. */
Relation
sched_store_open_segment(SchedSegmentTable table, int64 task_id, int64 *hi)
{
	Oid			schema = schema_oid(false);
	char		name[NAMEDATALEN];

	for (int try = 0; try < 2; try++)
	{
		int			me = sched_shared == NULL ? -1 : sched_shmem_my_database();
		uint32		generation = me < 0 ? 0 :
			*(volatile uint32 *) &sched_shared->databases[me].segment_generation;
		int			low = 0;
		int			high;

		if (segments == NULL || segments_schema != schema ||
			segments_generation != generation || me < 0 || try > 0)
			read_segments(schema, generation);

		high = segment_count;
		while (low < high)
		{
			int			middle = (low + high) / 2;

			if (task_id >= segments[middle].hi)
				low = middle + 1;
			else
				high = middle;
		}
		if (low < segment_count && task_id >= segments[low].lo &&
			OidIsValid(segments[low].relation[table]))
		{
			Relation	relation = try_table_open(segments[low].relation[table],
												  RowExclusiveLock);

			if (relation != NULL)
			{
				*hi = segments[low].hi;
				return relation;
			}
			continue;
		}
		/* no segment: up to where the next one begins */
		*hi = low < segment_count && segments[low].lo > task_id ?
			segments[low].lo : task_id + 1;
		break;
	}
	snprintf(name, sizeof(name), "%s_default", segment_names[table]);
	return table_open(sched_store_relation(name), RowExclusiveLock);
}

/* ---------- writing ---------- */

int64
sched_store_next_task_id(void)
{
	return nextval_internal(sched_store_relation("_task_id_seq"), false);
}

static HeapTuple
form_task(const SchedTaskRow *row, TupleDesc desc)
{
	Datum		v[TASK_COLUMNS] = {0};
	bool		n[TASK_COLUMNS] = {0};

	v[TASK_ID - 1] = Int64GetDatum(row->task_id);
	v[TASK_JOB - 1] = Int64GetDatum(row->job_id);
	v[TASK_RUN - 1] = Int64GetDatum(row->run_id);
	v[TASK_SCHEDULED_AT - 1] = TimestampTzGetDatum(row->scheduled_at);
	v[TASK_CREATED_AT - 1] = TimestampTzGetDatum(row->created_at);
	v[TASK_TRIGGER - 1] = Int64GetDatum(row->trigger_id);
	n[TASK_TRIGGER - 1] = row->trigger_id == SCHED_UNSET;
	v[TASK_RERUN_OF - 1] = Int64GetDatum(row->rerun_of);
	n[TASK_RERUN_OF - 1] = row->rerun_of == SCHED_UNSET;
	v[TASK_PRIORITY - 1] = Int16GetDatum(row->priority);
	n[TASK_PRIORITY - 1] = row->priority == 0;
	v[TASK_MISSED_COUNT - 1] = Int32GetDatum(row->missed_count);
	n[TASK_MISSED_COUNT - 1] = row->missed_count == 0;
	v[TASK_PARAMETERS - 1] = PointerGetDatum(row->parameters);
	n[TASK_PARAMETERS - 1] = row->parameters == NULL;
	n[TASK_IDEMPOTENCY_KEY - 1] = row->idempotency_key == NULL;
	if (row->idempotency_key != NULL)
		v[TASK_IDEMPOTENCY_KEY - 1] = CStringGetTextDatum(row->idempotency_key);
	return heap_form_tuple(desc, v, n);
}

static HeapTuple
form_outcome(const SchedOutcome *row, TupleDesc desc)
{
	Datum		v[OUT_COLUMNS] = {0};
	bool		n[OUT_COLUMNS] = {0};

#define TIME(column, value) \
	do { \
		v[(column) - 1] = TimestampTzGetDatum(value); \
		n[(column) - 1] = (value) == 0; \
	} while (0)
#define TEXT(column, value) \
	do { \
		n[(column) - 1] = (value) == NULL; \
		if ((value) != NULL) \
			v[(column) - 1] = CStringGetTextDatum(value); \
	} while (0)

	v[OUT_TASK - 1] = Int64GetDatum(row->task_id);
	v[OUT_ATTEMPT - 1] = Int32GetDatum(row->attempt);
	v[OUT_STATUS - 1] = CharGetDatum(row->status);
	v[OUT_FINAL - 1] = BoolGetDatum(row->final);
	TIME(OUT_FINISHED_AT, row->finished_at);
	TIME(OUT_QUEUED_AT, row->queued_at);
	TIME(OUT_STARTED_AT, row->started_at);
	TIME(OUT_RETRY_AT, row->retry_at);
	v[OUT_EXECUTOR - 1] = Int32GetDatum(row->executor_id);
	n[OUT_EXECUTOR - 1] = row->executor_id == 0;
	v[OUT_ROW_COUNT - 1] = Int64GetDatum(row->row_count);
	n[OUT_ROW_COUNT - 1] = row->row_count == SCHED_UNSET;
	v[OUT_PROGRESS - 1] = Float4GetDatum(row->progress);
	n[OUT_PROGRESS - 1] = row->progress < 0;
	TEXT(OUT_SQLSTATE, row->sqlstate);
	TEXT(OUT_ERROR, row->error);
	TEXT(OUT_REASON, row->reason);
	v[OUT_RESULT - 1] = PointerGetDatum(row->result);
	n[OUT_RESULT - 1] = row->result == NULL;

#undef TIME
#undef TEXT
	return heap_form_tuple(desc, v, n);
}

/*
 * Long values go to a TOAST table, and that needs a snapshot, which a worker
 * has no longer when the task's statements are over.
 */
bool
sched_store_push_snapshot(void)
{
	if (ActiveSnapshotSet())
		return false;
	PushActiveSnapshot(GetTransactionSnapshot());
	return true;
}

void
sched_store_pop_snapshot(bool pushed)
{
	if (pushed)
		PopActiveSnapshot();
}

void
sched_store_insert_tasks(SchedTaskRow *rows, int count)
{
	int			done = 0;
	bool		pushed = sched_store_push_snapshot();

	while (done < count)
	{
		int64		hi;
		Relation	relation = sched_store_open_segment(SCHED_SEGMENT_TASK, rows[done].task_id,
											&hi);
		CatalogIndexState indexes = CatalogOpenIndexes(relation);
		int64		lo = rows[done].task_id;

		while (done < count && rows[done].task_id >= lo &&
			   rows[done].task_id < hi)
		{
			HeapTuple	tuple = form_task(&rows[done],
										  RelationGetDescr(relation));

			CatalogTupleInsertWithInfo(relation, tuple, indexes);
			rows[done].tid = tuple->t_self;
			heap_freetuple(tuple);
			done++;
		}
		CatalogCloseIndexes(indexes);
		table_close(relation, NoLock);
	}
	sched_store_pop_snapshot(pushed);
}

void
sched_store_insert_outcomes(const SchedOutcome *rows, int count)
{
	int			done = 0;
	bool		pushed = sched_store_push_snapshot();

	while (done < count)
	{
		int64		hi;
		int64		lo = rows[done].task_id;
		Relation	relation = sched_store_open_segment(SCHED_SEGMENT_OUTCOME, lo, &hi);
		CatalogIndexState indexes = CatalogOpenIndexes(relation);

		while (done < count && rows[done].task_id >= lo &&
			   rows[done].task_id < hi)
		{
			HeapTuple	tuple = form_outcome(&rows[done],
											 RelationGetDescr(relation));

			CatalogTupleInsertWithInfo(relation, tuple, indexes);
			heap_freetuple(tuple);
			done++;
		}
		CatalogCloseIndexes(indexes);
		table_close(relation, NoLock);
	}
	sched_store_pop_snapshot(pushed);
}

void
sched_store_insert_log(int64 task_id, int attempt, SchedLogLevel level,
					   TimestampTz at, const char *message)
{
	int64		hi;
	Relation	relation = sched_store_open_segment(SCHED_SEGMENT_LOG, task_id, &hi);
	Datum		v[6];
	bool		n[6] = {0};
	bool		pushed = sched_store_push_snapshot();

	v[0] = Int64GetDatum(task_id);
	v[1] = Int64GetDatum(nextval_internal(sched_store_relation("_log_id_seq"),
										  false));
	v[2] = Int32GetDatum(attempt);
	v[3] = Int16GetDatum(level);
	v[4] = TimestampTzGetDatum(at);
	v[5] = CStringGetTextDatum(message);
	CatalogTupleInsert(relation,
					   heap_form_tuple(RelationGetDescr(relation), v, n));
	table_close(relation, NoLock);
	sched_store_pop_snapshot(pushed);
}

static void
insert_row(const char *table, Datum *values, bool *nulls)
{
	Relation	relation = table_open(sched_store_relation(table),
									  RowExclusiveLock);
	bool		pushed = sched_store_push_snapshot();

	CatalogTupleInsert(relation,
					   heap_form_tuple(RelationGetDescr(relation), values,
									   nulls));
	table_close(relation, NoLock);
	sched_store_pop_snapshot(pushed);
}

void
sched_store_insert_future(TimestampTz due_at, int64 task_id)
{
	Datum		v[2] = {TimestampTzGetDatum(due_at), Int64GetDatum(task_id)};
	bool		n[2] = {false, false};

	insert_row("_future", v, n);
}

/* ---------- idempotency keys ---------- */

int64
sched_store_find_idempotent(int64 job_id, const char *key)
{
	Relation	relation = table_open(sched_store_relation("_idempotency"),
									  AccessShareLock);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;
	int64		task_id = 0;
	bool		isnull;

	ScanKeyInit(&keys[0], 1, BTEqualStrategyNumber, F_INT8EQ,
				Int64GetDatum(job_id));
	ScanKeyEntryInitialize(&keys[1], 0, 2, BTEqualStrategyNumber, InvalidOid,
						   DEFAULT_COLLATION_OID, F_TEXTEQ,
						   CStringGetTextDatum(key));
	scan = systable_beginscan(relation,
							  sched_store_relation("idempotency_pkey"), true,
							  snapshot, 2, keys);
	if (HeapTupleIsValid(tuple = systable_getnext(scan)))
		task_id = DatumGetInt64(heap_getattr(tuple, 3,
											 RelationGetDescr(relation),
											 &isnull));
	systable_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(relation, AccessShareLock);
	return task_id;
}

/*
 * Sessions that bring the same key stand in line on an advisory lock of a
 * space of our own, until the first has committed or rolled back.
 */
int64
sched_store_idempotent(int64 job_id, const char *key, int64 task_id,
					   TimestampTz now)
{
	Datum		v[4];
	bool		n[4] = {0};
	LOCKTAG		tag;
	int64		existing;
	uint32		hash = DatumGetUInt32(hash_any((const unsigned char *) key,
											   strlen(key)));

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, (uint32) job_id, hash, 7);
	(void) LockAcquire(&tag, ExclusiveLock, false, false);

	existing = sched_store_find_idempotent(job_id, key);
	if (existing != 0)
		return existing;

	v[0] = Int64GetDatum(job_id);
	v[1] = CStringGetTextDatum(key);
	v[2] = Int64GetDatum(task_id);
	v[3] = TimestampTzGetDatum(now);
	insert_row("_idempotency", v, n);
	return 0;
}

/* ---------- reading tasks ---------- */

/* The index of a partition by its first columns: its name is not certain. */
Oid
sched_store_index_on_task(Relation relation)
{
	List	   *indexes = RelationGetIndexList(relation);
	ListCell   *cell;
	Oid			found = InvalidOid;

	foreach(cell, indexes)
	{
		Relation	index = index_open(lfirst_oid(cell), AccessShareLock);

		if (index->rd_index->indkey.values[0] == 1 &&
			index->rd_index->indisvalid)
			found = RelationGetRelid(index);
		index_close(index, NoLock);
	}
	list_free(indexes);
	return found;
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
sched_store_task(int64 task_id, SchedTaskRow *row)
{
	int64		hi;
	Relation	relation = sched_store_open_segment(SCHED_SEGMENT_TASK, task_id, &hi);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	SysScanDesc scan = scan_task(relation, task_id, snapshot);
	HeapTuple	tuple = systable_getnext(scan);
	bool		found = HeapTupleIsValid(tuple);

	if (found)
	{
		Datum		v[TASK_COLUMNS + 8];
		bool		n[TASK_COLUMNS + 8];

		heap_deform_tuple(tuple, RelationGetDescr(relation), v, n);
		row->task_id = task_id;
		row->job_id = DatumGetInt64(v[TASK_JOB - 1]);
		row->run_id = DatumGetInt64(v[TASK_RUN - 1]);
		row->scheduled_at = DatumGetTimestampTz(v[TASK_SCHEDULED_AT - 1]);
		row->created_at = DatumGetTimestampTz(v[TASK_CREATED_AT - 1]);
		row->trigger_id = n[TASK_TRIGGER - 1] ? SCHED_UNSET :
			DatumGetInt64(v[TASK_TRIGGER - 1]);
		row->rerun_of = n[TASK_RERUN_OF - 1] ? SCHED_UNSET :
			DatumGetInt64(v[TASK_RERUN_OF - 1]);
		row->priority = n[TASK_PRIORITY - 1] ? 0 :
			DatumGetInt16(v[TASK_PRIORITY - 1]);
		row->missed_count = n[TASK_MISSED_COUNT - 1] ? 0 :
			DatumGetInt32(v[TASK_MISSED_COUNT - 1]);
		row->parameters = n[TASK_PARAMETERS - 1] ? NULL :
			DatumGetJsonbPCopy(v[TASK_PARAMETERS - 1]);
		row->idempotency_key = text_or_null(v[TASK_IDEMPOTENCY_KEY - 1],
											n[TASK_IDEMPOTENCY_KEY - 1]);
	}
	systable_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(relation, NoLock);
	return found;
}

bool
sched_store_last_outcome(int64 task_id, int *attempt, char *status,
						 bool *final, TimestampTz *finished_at)
{
	int64		hi;
	Relation	relation = sched_store_open_segment(SCHED_SEGMENT_OUTCOME, task_id, &hi);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	SysScanDesc scan = scan_task(relation, task_id, snapshot);
	HeapTuple	tuple;
	bool		found = false;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Datum		v[OUT_COLUMNS + 8];
		bool		n[OUT_COLUMNS + 8];

		heap_deform_tuple(tuple, RelationGetDescr(relation), v, n);
		if (found && DatumGetInt32(v[OUT_ATTEMPT - 1]) < *attempt)
			continue;
		found = true;
		*attempt = DatumGetInt32(v[OUT_ATTEMPT - 1]);
		*status = DatumGetChar(v[OUT_STATUS - 1]);
		*final = DatumGetBool(v[OUT_FINAL - 1]);
		*finished_at = DatumGetTimestampTz(v[OUT_FINISHED_AT - 1]);
	}
	systable_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(relation, NoLock);
	return found;
}

bool
sched_store_started_at(int64 task_id, TimestampTz *started_at)
{
	int64		hi;
	Relation	relation = sched_store_open_segment(SCHED_SEGMENT_OUTCOME,
													task_id, &hi);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	SysScanDesc scan = scan_task(relation, task_id, snapshot);
	HeapTuple	tuple;
	bool		found = false;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		bool		isnull;
		Datum		value = heap_getattr(tuple, OUT_STARTED_AT,
										 RelationGetDescr(relation), &isnull);

		if (isnull || (found && DatumGetTimestampTz(value) >= *started_at))
			continue;
		found = true;
		*started_at = DatumGetTimestampTz(value);
	}
	systable_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(relation, NoLock);
	return found;
}

Jsonb *
sched_store_result(int64 task_id)
{
	int64		hi;
	Relation	relation = sched_store_open_segment(SCHED_SEGMENT_OUTCOME,
													task_id, &hi);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	SysScanDesc scan = scan_task(relation, task_id, snapshot);
	HeapTuple	tuple;
	Jsonb	   *result = NULL;
	bool		pushed = sched_store_push_snapshot();

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Datum		v[OUT_COLUMNS + 8];
		bool		n[OUT_COLUMNS + 8];

		heap_deform_tuple(tuple, RelationGetDescr(relation), v, n);
		if (DatumGetBool(v[OUT_FINAL - 1]) && !n[OUT_RESULT - 1])
			result = DatumGetJsonbPCopy(v[OUT_RESULT - 1]);
	}
	sched_store_pop_snapshot(pushed);
	systable_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(relation, NoLock);
	return result;
}

char *
sched_store_find_log(int64 task_id, int attempt, const char *prefix)
{
	int64		hi;
	Relation	relation = sched_store_open_segment(SCHED_SEGMENT_LOG, task_id, &hi);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	SysScanDesc scan = scan_task(relation, task_id, snapshot);
	HeapTuple	tuple;
	int64		first = PG_INT64_MAX;
	char	   *found = NULL;
	bool		pushed = sched_store_push_snapshot();

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Datum		v[LOG_COLUMNS + 8];
		bool		n[LOG_COLUMNS + 8];
		char	   *message;

		heap_deform_tuple(tuple, RelationGetDescr(relation), v, n);
		if (DatumGetInt32(v[LOG_ATTEMPT - 1]) != attempt ||
			DatumGetInt64(v[LOG_ID - 1]) >= first)
			continue;
		message = TextDatumGetCString(v[LOG_MESSAGE - 1]);
		if (strncmp(message, prefix, strlen(prefix)) == 0)
		{
			found = message + strlen(prefix);
			first = DatumGetInt64(v[LOG_ID - 1]);
		}
	}
	sched_store_pop_snapshot(pushed);
	systable_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(relation, NoLock);
	return found;
}
