/*-------------------------------------------------------------------------
 *
 * upkeep.c
 *	  What the scheduler does once a minute: segments, retention, saving counts.
 *
 * The steps are SQL functions (25_segments.sql).  Each takes its locks with a
 * short lock_timeout, so that nothing queues up behind a long reader; what
 * does not get its lock is done a minute later.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "application/processes/upkeep.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "infrastructure/settings.h"
#include "miscadmin.h"
#include "utils/timestamp.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#define SEGMENTS_AHEAD	4
#define MAX_REPEATS		20

/* What an integer function answered, 0 for any other. */
static int
count_of_row(void)
{
	bool		isnull;
	Datum		value;

	if (SPI_processed != 1 ||
		SPI_gettypeid(SPI_tuptable->tupdesc, 1) != INT4OID)
		return 0;
	value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1,
						  &isnull);
	return isnull ? 0 : DatumGetInt32(value);
}

/* One transaction; what the function says it did, 0 when it failed. */
static int
step(const char *query)
{
	volatile int done = 0;
	MemoryContext old = CurrentMemoryContext;

	PG_TRY();
	{
		SetCurrentStatementStartTimestamp();
		StartTransactionCommand();
		PushActiveSnapshot(GetTransactionSnapshot());
		if (SPI_connect() != SPI_OK_CONNECT)
			elog(ERROR, "SPI_connect failed");
		if (SPI_execute(query, false, 0) < 0)
			elog(ERROR, "could not execute \"%s\"", query);
		done = count_of_row();
		SPI_finish();
		PopActiveSnapshot();
		CommitTransactionCommand();
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
		ereport(error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE ? DEBUG1 : LOG,
				(errmsg("sched: upkeep is put off: %s", error->message)));
		FreeErrorData(error);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(old);
	return done;
}

/* As long as there is something left, within reason: time is for firing. */
static void
repeat_step(const char *query)
{
	for (int i = 0; i < MAX_REPEATS && step(query) > 0; i++)
		CHECK_FOR_INTERRUPTS();
}

void
sched_upkeep_run(void)
{
	char		query[200];

	snprintf(query, sizeof(query), "SELECT sched._segments_ensure(%d)",
			 SEGMENTS_AHEAD);
	repeat_step(query);
	(void) step("SELECT sched._segment_rotate()");
	(void) step("SELECT sched._segments_close()");
	(void) step("SELECT sched._counters_save()");
	repeat_step("SELECT sched._event_partitions_ensure(1)");
	(void) step("SELECT sched._event_rotate()");
	if (sched_history_retention > 0)
	{
		char		logs[80] = "NULL";

		if (sched_log_retention > 0)
			snprintf(logs, sizeof(logs),
					 "pg_catalog.make_interval(secs => %d)",
					 sched_log_retention);
		snprintf(query, sizeof(query),
				 "SELECT sched._segments_retire("
				 "pg_catalog.make_interval(secs => %d), %s)",
				 sched_history_retention, logs);
		repeat_step(query);
		snprintf(query, sizeof(query),
				 "SELECT sched._events_retire("
				 "pg_catalog.make_interval(secs => %d))",
				 sched_history_retention);
		repeat_step(query);
		(void) step("SELECT sched._deliveries_thin()");
	}
}

void
sched_upkeep_restore_counters(void)
{
	(void) step("SELECT sched._counters_restore()");
}

bool
sched_upkeep_is_copy(char *reason, int size)
{
	bool		copy = false;

	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (SPI_execute("SELECT CASE o.system_identifier "
					"WHEN 0 THEN 'a dump' "
					"WHEN c.system_identifier THEN 'another database' "
					"ELSE 'another server' END "
					"FROM sched._origin o, pg_catalog.pg_control_system() c, "
					"pg_catalog.pg_database d "
					"WHERE d.datname = pg_catalog.current_database() AND "
					"(o.system_identifier <> c.system_identifier "
					"OR o.database_oid <> d.oid) LIMIT 1",
					true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read sched._origin");
	if (SPI_processed > 0)
	{
		copy = true;
		snprintf(reason, size, "the data comes from %s",
				 SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc,
							  1));
	}
	SPI_finish();
	PopActiveSnapshot();
	CommitTransactionCommand();
	return copy;
}

void
sched_upkeep_note_unknown(TimestampTz oldest)
{
	Oid			types[1] = {TIMESTAMPTZOID};
	Datum		args[1] = {TimestampTzGetDatum(oldest)};

	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (SPI_execute_with_args("INSERT INTO sched._origin "
							  "(system_identifier, database_oid, recorded_at) "
							  "SELECT 0, 0, sched._now() "
							  "FROM sched._origin o, pg_catalog.pg_control_system() c, "
							  "pg_catalog.pg_database d "
							  "WHERE d.datname = pg_catalog.current_database() "
							  "AND o.system_identifier = c.system_identifier "
							  "AND o.database_oid = d.oid "
							  "HAVING pg_catalog.min(o.recorded_at) > $1",
							  1, types, args, NULL, false,
							  0) != SPI_OK_INSERT)
		elog(ERROR, "could not write sched._origin");
	SPI_finish();
	PopActiveSnapshot();
	CommitTransactionCommand();
}
