/*-------------------------------------------------------------------------
 *
 * announce.c
 *	  Telling the sessions that LISTEN on sched_events of new events.
 *
 * NOTIFY takes a lock of the whole cluster at commit and fails when its queue is full,
 * so nobody but the scheduler does it, in a transaction of its own after
 * the events have been committed: many at a time, in the order of their ids.
 * How far it has come stands in _event_position and is written in the
 * same transaction, so that another scheduler goes on from there.
 *
 * A notification is a hint.  When the queue is half full, because somebody
 * listens and does not read, it is left to the others and tried again later;
 * the events wait in their table.  Any error, a lock that is not had at once
 * among them, has the same effect.  None of it holds up the rest of the turn.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xact.h"
#include "application/events/announce.h"
#include "application/schedule/fire.h"
#include "catalog/pg_type.h"
#include "commands/async.h"
#include "executor/spi.h"
#include "infrastructure/memory/shmem.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/xid8.h"

#define BATCH			1000	/* events of one transaction */
#define MAX_BATCHES		20		/* of one turn: others want their turn too */
#define PAUSE			(10 * 1000) /* microseconds between turns */
#define PAUSE_WHEN_FULL	USECS_PER_SEC
#define FULL			0.5		/* share of the queue that is left alone */

static bool look = true;
static TimestampTz not_before;	/* real time */
static bool complained = false;

void
sched_announce_start(void)
{
	look = true;
	not_before = 0;
}

static void
append_id(StringInfo out, const char *key, HeapTuple tuple, TupleDesc desc,
		  int column)
{
	char	   *value = SPI_getvalue(tuple, desc, column);

	appendStringInfo(out, "\"%s\": %s", key, value == NULL ? "null" : value);
}

static void
notify(HeapTuple tuple, TupleDesc desc)
{
	StringInfoData out;

	initStringInfo(&out);
	appendStringInfoChar(&out, '{');
	append_id(&out, "event_id", tuple, desc, 1);
	appendStringInfoString(&out, ", \"type\": ");
	escape_json(&out, SPI_getvalue(tuple, desc, 2));
	appendStringInfoString(&out, ", ");
	append_id(&out, "job_id", tuple, desc, 3);
	appendStringInfoString(&out, ", ");
	append_id(&out, "task_id", tuple, desc, 4);
	appendStringInfoChar(&out, '}');
	Async_Notify(SCHED_EVENTS_CHANNEL, out.data);
}

/* Jobs that have had all of their runs. */
static void
note_exhausted(Datum jobs)
{
	Datum	   *ids;
	int			count;

	deconstruct_array(DatumGetArrayTypeP(jobs), INT8OID, 8, true,
					  TYPALIGN_DOUBLE, &ids, NULL, &count);
	for (int i = 0; i < count; i++)
		sched_fire_exhausted(DatumGetInt64(ids[i]));
}

static int64
last_event_id(void)
{
	bool		isnull;

	if (SPI_execute("SELECT last_value FROM sched._event_id_seq", true, 1) !=
		SPI_OK_SELECT || SPI_processed != 1)
		elog(ERROR, "could not read sched._event_id_seq");
	return DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0],
									   SPI_tuptable->tupdesc, 1, &isnull));
}

/* One transaction; returns how many events it told of. */
static int
announce_batch(void)
{
	Oid			types[3] = {INT4OID, INT8OID, XID8OID};
	Datum		args[3];
	int			told = 0;

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	/* what is lost by a crash is told again */
	(void) set_config_option("synchronous_commit", "off", PGC_SUSET,
							 PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0, false);
	/* the lock of NOTIFY may be held by somebody who waits for a standby */
	(void) set_config_option("lock_timeout", "100ms", PGC_SUSET,
							 PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0, false);
	PushActiveSnapshot(GetTransactionSnapshot());
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");

	/* in this order: see _event_position */
	args[0] = Int32GetDatum(BATCH);
	args[1] = Int64GetDatum(last_event_id());
	args[2] = FullTransactionIdGetDatum(ReadNextFullTransactionId());
	if (SPI_execute_with_args("SELECT * FROM sched._events_announce($1, $2, $3)",
							  3, types, args, NULL, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read the new events");
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		bool		isnull;
		Datum		exhausted = SPI_getbinval(tuple, desc, 5, &isnull);

		if (!isnull)
			note_exhausted(exhausted);
		(void) SPI_getbinval(tuple, desc, 1, &isnull);
		if (isnull)
			continue;
		notify(tuple, desc);
		told++;
	}
	SPI_finish();
	PopActiveSnapshot();
	CommitTransactionCommand();
	return told;
}

/* The same, with errors kept from the rest of the turn; -1 after one. */
static int
try_batch(void)
{
	volatile int told = -1;
	MemoryContext old = CurrentMemoryContext;

	PG_TRY();
	{
		told = announce_batch();
	}
	PG_CATCH();
	{
		ErrorData  *error;

		HOLD_INTERRUPTS();
		MemoryContextSwitchTo(old);
		error = CopyErrorData();
		FlushErrorState();
		AbortOutOfAnyTransaction();
		RESUME_INTERRUPTS();
		ereport(complained ? DEBUG1 : LOG,
				(errmsg("sched: notifications of events are put off: %s",
						error->message)));
		complained = true;
		FreeErrorData(error);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(old);
	return told;
}

static bool
queue_is_full(void)
{
	double		usage;

	StartTransactionCommand();
	usage = DatumGetFloat8(DirectFunctionCall1(pg_notification_queue_usage,
											   (Datum) 0));
	CommitTransactionCommand();
	if (usage < FULL)
		return false;
	ereport(complained ? DEBUG1 : LOG,
			(errmsg("sched: notifications of events are put off: the queue of NOTIFY is half full"),
			 errhint("Some session listens and does not end its transaction.")));
	complained = true;
	return true;
}

TimestampTz
sched_announce(int db)
{
	SchedDatabase *database = &sched_shared->databases[db];
	TimestampTz now = GetCurrentTimestamp();
	int			told = 0;

	if (!look && !database->events)
		return 0;
	if (now < not_before)
		return not_before;
	sched_lock(LW_EXCLUSIVE);
	database->events = false;
	sched_unlock();
	look = false;

	for (int i = 0; i < MAX_BATCHES && !database->leave; i++)
	{
		if (queue_is_full() || (told = try_batch()) < 0)
		{
			look = true;
			not_before = GetCurrentTimestamp() + PAUSE_WHEN_FULL;
			return not_before;
		}
		complained = false;
		if (told < BATCH)
			break;
		CHECK_FOR_INTERRUPTS();
	}
	look = told == BATCH;
	not_before = GetCurrentTimestamp() + PAUSE;
	return look ? not_before : 0;
}
