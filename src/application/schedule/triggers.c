/*-------------------------------------------------------------------------
 *
 * triggers.c
 *	  The triggers of a database: which is next.
 *
 * The scheduler keeps every trigger that has a next fire time in a binary heap
 * in its own memory: 40 bytes each and a hash entry per job.  What the trigger says is
 * read from the tables when it fires, so memory holds nothing that could be
 * stale but the time, and a change of a job means reading the rows of that job.
 * fire.c does the firing.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "application/tasks/attempt.h"
#include "application/schedule/custom_trigger.h"
#include "application/schedule/fire.h"
#include "application/schedule/triggers.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "infrastructure/clock.h"
#include "infrastructure/schedule_cache.h"
#include "infrastructure/memory/shmem.h"
#include "infrastructure/tables/store.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#define NONE			(-1)
#define LOAD_ROWS		5000

typedef struct HeapEntry
{
	int64		trigger_id;
	int64		job_id;
	TimestampTz fire_at;
	int32		heap_position;	/* NONE: the slot is free */
	int32		next;			/* of the same job, or free slot */
} HeapEntry;

typedef struct JobTriggers
{
	int64		job_id;
	int32		first;
} JobTriggers;

static MemoryContext context;
static HTAB *by_job;
static HeapEntry *triggers;
static int32 *heap;
static int32 capacity;
static int32 touched;
static int32 free_slot = NONE;
static int32 heap_size;
/* When the first of the triggers without a state was made, see load_row(). */
static TimestampTz oldest_unknown = PG_INT64_MAX;
static bool computed_anew = false;	/* by this process */
static bool begins_now = false; /* a copy is allowed to run */

/* ---------- the heap ---------- */

static inline void
place(int32 position, int32 slot)
{
	heap[position] = slot;
	triggers[slot].heap_position = position;
}

static void
sift_up(int32 position)
{
	int32		slot = heap[position];

	while (position > 0)
	{
		int32		parent = (position - 1) / 2;

		if (triggers[heap[parent]].fire_at <= triggers[slot].fire_at)
			break;
		place(position, heap[parent]);
		position = parent;
	}
	place(position, slot);
}

static void
sift_down(int32 position)
{
	int32		slot = heap[position];

	for (;;)
	{
		int32		child = 2 * position + 1;

		if (child >= heap_size)
			break;
		if (child + 1 < heap_size &&
			triggers[heap[child + 1]].fire_at < triggers[heap[child]].fire_at)
			child++;
		if (triggers[slot].fire_at <= triggers[heap[child]].fire_at)
			break;
		place(position, heap[child]);
		position = child;
	}
	place(position, slot);
}

static void
remove_from_heap(int32 slot)
{
	int32		position = triggers[slot].heap_position;
	int32		last = heap[--heap_size];

	if (position < heap_size)
	{
		place(position, last);
		sift_up(position);
		sift_down(triggers[last].heap_position);
	}
	triggers[slot].heap_position = NONE;
}

static void
reset(void)
{
	HASHCTL		control = {0};

	if (context == NULL)
		context = AllocSetContextCreate(TopMemoryContext, "sched triggers",
										ALLOCSET_DEFAULT_SIZES);
	else
		MemoryContextReset(context);
	capacity = 1024;
	triggers = MemoryContextAlloc(context, capacity * sizeof(HeapEntry));
	heap = MemoryContextAlloc(context, capacity * sizeof(int32));
	touched = 0;
	heap_size = 0;
	free_slot = NONE;
	control.keysize = sizeof(int64);
	control.entrysize = sizeof(JobTriggers);
	control.hcxt = context;
	by_job = hash_create("sched triggers by job", 1024, &control,
						 HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

static void
add(int64 trigger_id, int64 job_id, TimestampTz fire_at)
{
	JobTriggers *entry;
	int32		slot;
	bool		found;

	if (free_slot != NONE)
	{
		slot = free_slot;
		free_slot = triggers[slot].next;
	}
	else
	{
		if (touched == capacity)
		{
			capacity *= 2;
			triggers = repalloc_huge(triggers,
									 (Size) capacity * sizeof(HeapEntry));
			heap = repalloc_huge(heap, (Size) capacity * sizeof(int32));
		}
		slot = touched++;
	}
	entry = hash_search(by_job, &job_id, HASH_ENTER, &found);
	triggers[slot].trigger_id = trigger_id;
	triggers[slot].job_id = job_id;
	triggers[slot].fire_at = fire_at;
	triggers[slot].next = found ? entry->first : NONE;
	entry->first = slot;
	place(heap_size, slot);
	sift_up(heap_size++);
}

static void
forget_job(int64 job_id)
{
	JobTriggers *entry = hash_search(by_job, &job_id, HASH_FIND, NULL);
	int32		slot;
	int32		next;

	if (entry == NULL)
		return;
	for (slot = entry->first; slot != NONE; slot = next)
	{
		next = triggers[slot].next;
		remove_from_heap(slot);
		triggers[slot].next = free_slot;
		free_slot = slot;
	}
	(void) hash_search(by_job, &job_id, HASH_REMOVE, NULL);
}

TimestampTz
sched_triggers_next(void)
{
	return heap_size == 0 ? 0 : triggers[heap[0]].fire_at;
}

int64
sched_triggers_count(void)
{
	return heap_size;
}

bool
sched_triggers_found_unknown(TimestampTz *oldest)
{
	*oldest = oldest_unknown;
	oldest_unknown = PG_INT64_MAX;
	return *oldest != PG_INT64_MAX;
}

/* ---------- loading ---------- */

#define LOAD_QUERY \
	"SELECT t.trigger_id, t.job_id, t.schedule, " \
	"COALESCE(t.timezone, j.timezone), j.dst_policy, j.calendar, " \
	"s.next_fire_at, s.fault, s.trigger_id IS NOT NULL, " \
	"pg_catalog.date_part('epoch', j.jitter) * 1000000, " \
	"COALESCE(j.start_at, t.created_at), s.ask_after, j.owner, t.created_at, " \
	"j.start_at, s.last_fire_at " \
	"FROM sched._trigger t JOIN sched._job j ON j.job_id = t.job_id " \
	"LEFT JOIN sched._trigger_state s ON s.trigger_id = t.trigger_id " \
	"WHERE j.status = 'active' "

static char *
get_text(HeapTuple tuple, TupleDesc desc, int column)
{
	return SPI_getvalue(tuple, desc, column);
}

static TimestampTz
get_time(HeapTuple tuple, TupleDesc desc, int column)
{
	bool		isnull;
	Datum		value = SPI_getbinval(tuple, desc, column, &isnull);

	return isnull ? 0 : DatumGetTimestampTz(value);
}

/*
 * The rules of a time zone may have changed since the next fire was computed: it is
 * computed again, from what has fired last or is over.  Only when the process
 * starts, since it reads the rules of each zone once; it starts anew every day.
 */
static TimestampTz
compute_anew(const SchedCompiled *compiled,
			 const SchedScheduleContext *schedule_context, TimestampTz next,
			 TimestampTz last, TimestampTz start_at)
{
	TimestampTz now = sched_clock_now();
	TimestampTz base = Max(now, last);
	SchedTime	computed;

	/* what is due is the business of the misfire policy, unless it is new here */
	if (next <= now && !(begins_now && last == 0))
		return next;
	if (!sched_schedule_is_timed(compiled->schedule) ||
		(next > now && sched_schedule_period_is_fixed(compiled->schedule)))
		return next;
	if (start_at != 0)
		base = Max(base, start_at - 1);
	computed = sched_schedule_next(compiled->schedule, schedule_context, base);
	return computed == SCHED_TIME_NEVER ? next : computed;
}

/* A row of LOAD_QUERY.  What it finds wrong goes to *faults, to be written. */
static void
load_row(int db, HeapTuple tuple, TupleDesc desc, bool server_start,
		 List **repairs)
{
	SchedRepair repair = {0};
	SchedError	error;
	SchedCompiled *compiled;
	SchedScheduleContext schedule_context;
	SchedScheduleKind kind;
	TimestampTz now = sched_clock_now();
	TimestampTz next = get_time(tuple, desc, 7);
	char	   *schedule = get_text(tuple, desc, 3);
	char	   *known_fault = get_text(tuple, desc, 8);
	bool		isnull;
	int64		job_id;

	repair.trigger_id = DatumGetInt64(SPI_getbinval(tuple, desc, 1, &isnull));
	job_id = DatumGetInt64(SPI_getbinval(tuple, desc, 2, &isnull));

	compiled = sched_compiled_get(schedule, get_text(tuple, desc, 4),
								  get_text(tuple, desc, 5),
								  get_text(tuple, desc, 6), &error);
	if (compiled == NULL)
	{
		if (known_fault == NULL)
		{
			repair.fault = psprintf("%s%s%s", error.message,
									error.detail[0] ? ": " : "",
									error.detail);
			*repairs = sched_fire_add_repair(*repairs, &repair);
			ereport(LOG,
					(errmsg("sched: trigger " INT64_FORMAT " of job " INT64_FORMAT " is in quarantine: %s",
							repair.trigger_id, job_id, repair.fault)));
		}
		return;
	}
	kind = sched_schedule_kind(compiled->schedule);
	schedule_context = compiled->context;
	schedule_context.anchor = get_time(tuple, desc, 11);
	schedule_context.previous_end = SCHED_TIME_BEGIN;

	if (!DatumGetBool(SPI_getbinval(tuple, desc, 9, &isnull)))
	{
		/* restored from a dump, or written by hand: from now on */
		if (sched_schedule_is_timed(compiled->schedule))
		{
			SchedTime	computed;

			if (kind == SCHED_AFTER)
				computed = now;
			else
				computed = sched_schedule_next(compiled->schedule,
											   &schedule_context,
											   Max(now, get_time(tuple, desc, 15) - 1));
			next = computed == SCHED_TIME_NEVER ? 0 : computed;
		}
		if (kind == SCHED_CUSTOM)
			repair.ask_after = now;
		oldest_unknown = Min(oldest_unknown, get_time(tuple, desc, 14));
		repair.create = true;
		repair.next_fire_at = next;
		*repairs = sched_fire_add_repair(*repairs, &repair);
	}
	else if (known_fault != NULL && kind == SCHED_CUSTOM && !server_start)
	{
		/* its function failed: whoever mends that says so, by resume_job */
		sched_compiled_release(compiled);
		return;
	}
	else if (known_fault != NULL)
	{
		repair.mended = true;
		*repairs = sched_fire_add_repair(*repairs, &repair);
	}

	if ((!computed_anew || begins_now) && next != 0 && !repair.create && !repair.mended)
	{
		TimestampTz anew = compute_anew(compiled, &schedule_context, next,
										get_time(tuple, desc, 16),
										get_time(tuple, desc, 15));

		if (anew != next)
		{
			repair.moved_from = next;
			repair.next_fire_at = anew;
			*repairs = sched_fire_add_repair(*repairs, &repair);
			next = anew;
		}
	}

	if (kind == SCHED_CUSTOM && next == 0)
	{
		if (repair.ask_after != 0 || get_time(tuple, desc, 12) != 0)
			sched_custom_ask_for(repair.trigger_id,
								 DatumGetObjectId(SPI_getbinval(tuple, desc,
																13, &isnull)));
		else
			sched_fire_exhausted(job_id);
	}
	else if (kind == SCHED_AFTER && next == 0)
		next = sched_fire_after_end(db, job_id, compiled->schedule);
	else if (kind == SCHED_STARTUP && server_start)
		next = now;
	if (next != 0)
	{
		int64		jitter = (int64)
		DatumGetFloat8(SPI_getbinval(tuple, desc, 10, &isnull));

		if (!isnull && jitter > 0)
		{
			SchedTime	following = sched_schedule_next(compiled->schedule,
														&schedule_context,
														next);

			next += sched_trigger_jitter(job_id, next, following, jitter);
		}
		add(repair.trigger_id, job_id, next);
	}
	sched_compiled_release(compiled);
}

static void
load(int db, const char *query, int nargs, Oid *types, Datum *args,
	 bool server_start)
{
	MemoryContext rows;
	List	   *repairs = NIL;
	Portal		portal;
	SPITupleTable *table;
	uint64		count;

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	rows = AllocSetContextCreate(CurrentMemoryContext, "sched trigger rows",
								 ALLOCSET_DEFAULT_SIZES);
	portal = SPI_cursor_open_with_args(NULL, query, nargs, types, args, NULL,
									   true, 0);
	for (;;)
	{
		SPI_cursor_fetch(portal, true, LOAD_ROWS);
		/* a row of a fixed delay makes queries of its own */
		table = SPI_tuptable;
		count = SPI_processed;
		if (count == 0)
			break;
		for (uint64 i = 0; i < count; i++)
		{
			MemoryContext old = MemoryContextSwitchTo(rows);

			load_row(db, table->vals[i], table->tupdesc, server_start,
					 &repairs);
			MemoryContextSwitchTo(old);
		}
		SPI_freetuptable(table);
		if (repairs == NIL)
			MemoryContextReset(rows);
		CHECK_FOR_INTERRUPTS();
	}
	SPI_cursor_close(portal);
	sched_fire_write_repairs(repairs);
	SPI_finish();
	PopActiveSnapshot();
	CommitTransactionCommand();
}

/* What the queue knows of the jobs, too, from the rows as they are now. */
static void
update_lanes(int db, const int64 *jobs, int count)
{
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	for (int i = 0; i < count; i++)
	{
		bool		live;
		SchedJob   *job;
		QLaneSpec	spec;

		sched_lock(LW_SHARED);
		live = sched_queue_find_lane(db, jobs[i]) != NULL;
		sched_unlock();
		if (!live || (job = sched_store_job(jobs[i])) == NULL)
			continue;
		sched_lane_spec(job, &spec);
		sched_lock(LW_EXCLUSIVE);
		{
			QLane	   *lane = sched_queue_find_lane(db, jobs[i]);

			if (lane != NULL)
			{
				spec.report_end = lane->spec.report_end;
				sched_queue_update_lane(db, &spec);
			}
		}
		sched_unlock();
	}
	PopActiveSnapshot();
	CommitTransactionCommand();
}

/* The jobs of all lanes, a few at a time. */
static void
update_all_lanes(int db)
{
	uint32		cursor = 0;
	int64	   *jobs = palloc(LOAD_ROWS * sizeof(int64));

	for (;;)
	{
		int			count = 0;
		QLane	   *lane;

		sched_lock(LW_SHARED);
		while (count < LOAD_ROWS &&
			   (lane = sched_queue_next_lane(db, &cursor)) != NULL)
			jobs[count++] = lane->spec.job_id;
		sched_unlock();
		if (count == 0)
			break;
		update_lanes(db, jobs, count);
		CHECK_FOR_INTERRUPTS();
	}
	pfree(jobs);
}

void
sched_triggers_reload_all(int db)
{
	update_all_lanes(db);
	sched_triggers_load_all(db, false);
}

void
sched_triggers_load_all(int db, bool server_start)
{
	reset();
	sched_custom_forget_asked();
	load(db, LOAD_QUERY, 0, NULL, NULL, server_start);
	computed_anew = true;
}

void
sched_triggers_begin(int db)
{
	begins_now = true;
	PG_TRY();
	{
		sched_triggers_load_all(db, false);
	}
	PG_CATCH();
	{
		begins_now = false;
		PG_RE_THROW();
	}
	PG_END_TRY();
	begins_now = false;
}

void
sched_triggers_reload(int db, const int64 *jobs, int count)
{
	Datum	   *ids = palloc(count * sizeof(Datum));
	Oid			types[1] = {INT8ARRAYOID};
	Datum		args[1];

	for (int i = 0; i < count; i++)
	{
		forget_job(jobs[i]);
		ids[i] = Int64GetDatum(jobs[i]);
	}
	args[0] = PointerGetDatum(construct_array(ids, count, INT8OID, 8, true,
											  'd'));
	update_lanes(db, jobs, count);
	load(db, LOAD_QUERY "AND j.job_id = ANY ($1)", 1, types, args, false);
}

/* ---------- firing ---------- */

bool
sched_triggers_fire(int db)
{
	TimestampTz now = sched_clock_now();
	int64		due[SCHED_FIRE_BATCH];
	int32		slots[SCHED_FIRE_BATCH];
	TimestampTz next[SCHED_FIRE_BATCH];
	int			count = 0;

	while (count < SCHED_FIRE_BATCH && heap_size > 0 &&
		   triggers[heap[0]].fire_at <= now)
	{
		int32		slot = heap[0];

		due[count] = triggers[slot].trigger_id;
		slots[count] = slot;
		next[count] = 0;
		count++;
		/* out of the way for now; its place is decided below */
		triggers[slot].fire_at = PG_INT64_MAX;
		sift_down(0);
	}
	if (count == 0)
		return false;

	PG_TRY();
	{
		sched_fire(due, count, now, next);
	}
	PG_CATCH();
	{
		/* nothing was committed: they are due still, but let others breathe */
		for (int i = 0; i < count; i++)
		{
			triggers[slots[i]].fire_at = now + USECS_PER_SEC;
			sift_up(triggers[slots[i]].heap_position);
		}
		PG_RE_THROW();
	}
	PG_END_TRY();

	for (int i = 0; i < count; i++)
	{
		triggers[slots[i]].fire_at = next[i] == 0 ? PG_INT64_MAX : next[i];
		sift_up(triggers[slots[i]].heap_position);
	}
	return count == SCHED_FIRE_BATCH || sched_triggers_next() <= now;
}
