/*-------------------------------------------------------------------------
 *
 * bareloop.c
 *	  The limits that the benchmarks are held against.
 *
 * bareloop_run() starts background workers that each do, transaction by
 * transaction, what a trivial task cannot do without: its statement by
 * SPI_execute(), one saved INSERT, and a commit.  No queue, no claim, no state
 * to reset.  What it reaches is what a built-in worker could reach at best.
 *
 * bareloop_ping() measures how long a latch takes to wake a worker: half of
 * the way there and back, which is the least latency between a commit and a
 * task that runs in another process.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "port/atomics.h"
#include "postmaster/bgworker.h"
#include "storage/dsm.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "utils/builtins.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(bareloop_run);
PG_FUNCTION_INFO_V1(bareloop_ping);
PGDLLEXPORT void bareloop_main(Datum handle);
PGDLLEXPORT void bareloop_pong(Datum handle);

#define MAX_WORKERS	16
#define TEXT_SIZE	4096

typedef struct Shared
{
	Oid			database;
	Oid			role;
	int64		loops;			/* per worker */
	int			expected;		/* workers that start together */
	pg_atomic_uint32 workers;	/* numbers given out */
	pg_atomic_uint32 turn;		/* ping: whose move it is */
	Latch	   *pinger;
	Latch	   *ponger;
	TimestampTz begun[MAX_WORKERS];
	TimestampTz ended[MAX_WORKERS];
	char		statement[TEXT_SIZE];
	char		insert[TEXT_SIZE];
} Shared;

/* ---------- the workers ---------- */

static Shared *
attach(Datum handle)
{
	dsm_segment *segment;
	Shared	   *shared;

	BackgroundWorkerUnblockSignals();
	CurrentResourceOwner = ResourceOwnerCreate(NULL, "bareloop");
	segment = dsm_attach(DatumGetUInt32(handle));
	if (segment == NULL)
		proc_exit(1);
	dsm_pin_mapping(segment);
	shared = dsm_segment_address(segment);
	BackgroundWorkerInitializeConnectionByOid(shared->database, shared->role, 0);
	return shared;
}

void
bareloop_main(Datum handle)
{
	Shared	   *shared = attach(handle);
	uint32		me = pg_atomic_fetch_add_u32(&shared->workers, 1);
	Oid			types[1] = {INT8OID};
	SPIPlanPtr	plan = NULL;

	/* starting a process is not what is measured */
	while (pg_atomic_read_u32(&shared->workers) < shared->expected)
	{
		CHECK_FOR_INTERRUPTS();
		pg_usleep(1000);
	}
	shared->begun[me] = GetCurrentTimestamp();
	for (int64 i = 0; i < shared->loops; i++)
	{
		Datum		id = Int64GetDatum(shared->loops * me + i);

		StartTransactionCommand();
		PushActiveSnapshot(GetTransactionSnapshot());
		SPI_connect();
		if (plan == NULL && shared->insert[0] != '\0')
		{
			plan = SPI_prepare(shared->insert, 1, types);
			SPI_keepplan(plan);
		}
		SPI_execute(shared->statement, false, 0);
		if (plan != NULL)
			SPI_execute_plan(plan, &id, NULL, false, 0);
		SPI_finish();
		PopActiveSnapshot();
		CommitTransactionCommand();
		CHECK_FOR_INTERRUPTS();
	}
	shared->ended[me] = GetCurrentTimestamp();
	pgstat_report_stat(true);
	proc_exit(0);
}

void
bareloop_pong(Datum handle)
{
	Shared	   *shared = attach(handle);

	shared->ponger = MyLatch;
	pg_write_barrier();
	pg_atomic_write_u32(&shared->turn, 1);
	SetLatch(shared->pinger);
	for (int64 i = 0; i < shared->loops; i++)
	{
		while (pg_atomic_read_u32(&shared->turn) != 2)
		{
			(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_EXIT_ON_PM_DEATH, -1,
							 PG_WAIT_EXTENSION);
			ResetLatch(MyLatch);
			CHECK_FOR_INTERRUPTS();
		}
		pg_atomic_write_u32(&shared->turn, 1);
		SetLatch(shared->pinger);
	}
	proc_exit(0);
}

/* ---------- the callers ---------- */

static dsm_segment *
make_shared(int64 loops)
{
	dsm_segment *segment = dsm_create(sizeof(Shared), 0);
	Shared	   *shared = dsm_segment_address(segment);

	memset(shared, 0, sizeof(Shared));
	shared->database = MyDatabaseId;
	shared->role = GetUserId();
	shared->loops = loops;
	shared->pinger = MyLatch;
	pg_atomic_init_u32(&shared->workers, 0);
	pg_atomic_init_u32(&shared->turn, 0);
	return segment;
}

static BackgroundWorkerHandle *
start_worker(dsm_segment *segment, const char *library, const char *function)
{
	BackgroundWorker worker = {0};
	BackgroundWorkerHandle *handle;

	worker.bgw_flags = BGWORKER_SHMEM_ACCESS |
		BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	worker.bgw_main_arg = UInt32GetDatum(dsm_segment_handle(segment));
	worker.bgw_notify_pid = MyProcPid;
	strlcpy(worker.bgw_library_name, library, sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, function, BGW_MAXLEN);
	strlcpy(worker.bgw_name, "bareloop", BGW_MAXLEN);
	strlcpy(worker.bgw_type, "bareloop", BGW_MAXLEN);
	if (!RegisterDynamicBackgroundWorker(&worker, &handle))
		ereport(ERROR, (errmsg("no free worker slot")));
	return handle;
}

/* bareloop_run(library, loops per worker, workers, statement, insert): seconds */
Datum
bareloop_run(PG_FUNCTION_ARGS)
{
	char	   *library = text_to_cstring(PG_GETARG_TEXT_PP(0));
	int			workers = PG_GETARG_INT32(2);
	dsm_segment *segment = make_shared(PG_GETARG_INT64(1));
	Shared	   *shared = dsm_segment_address(segment);
	BackgroundWorkerHandle *handles[MAX_WORKERS];
	TimestampTz begun = DT_NOEND;
	TimestampTz ended = DT_NOBEGIN;

	if (workers < 1 || workers > MAX_WORKERS)
		ereport(ERROR, (errmsg("1 to %d workers", MAX_WORKERS)));
	shared->expected = workers;
	text_to_cstring_buffer(PG_GETARG_TEXT_PP(3), shared->statement, TEXT_SIZE);
	text_to_cstring_buffer(PG_GETARG_TEXT_PP(4), shared->insert, TEXT_SIZE);
	for (int i = 0; i < workers; i++)
		handles[i] = start_worker(segment, library, "bareloop_main");
	for (int i = 0; i < workers; i++)
		(void) WaitForBackgroundWorkerShutdown(handles[i]);
	for (int i = 0; i < workers; i++)
	{
		if (shared->ended[i] == 0)
			ereport(ERROR, (errmsg("a worker failed, see the server log")));
		begun = Min(begun, shared->begun[i]);
		ended = Max(ended, shared->ended[i]);
	}
	dsm_detach(segment);
	PG_RETURN_FLOAT8((ended - begun) / 1000000.0);
}

/* bareloop_ping(library, rounds): microseconds from SetLatch to running, mean */
Datum
bareloop_ping(PG_FUNCTION_ARGS)
{
	char	   *library = text_to_cstring(PG_GETARG_TEXT_PP(0));
	int64		rounds = PG_GETARG_INT64(1);
	dsm_segment *segment = make_shared(rounds);
	Shared	   *shared = dsm_segment_address(segment);
	BackgroundWorkerHandle *handle;
	TimestampTz begun = 0;

	handle = start_worker(segment, library, "bareloop_pong");
	for (int64 i = 0; i <= rounds; i++)
	{
		while (pg_atomic_read_u32(&shared->turn) != 1)
		{
			(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_EXIT_ON_PM_DEATH, -1,
							 PG_WAIT_EXTENSION);
			ResetLatch(MyLatch);
			CHECK_FOR_INTERRUPTS();
		}
		if (i == 0)
			begun = GetCurrentTimestamp();
		if (i == rounds)
			break;
		pg_atomic_write_u32(&shared->turn, 2);
		SetLatch(shared->ponger);
	}
	begun = GetCurrentTimestamp() - begun;
	(void) WaitForBackgroundWorkerShutdown(handle);
	dsm_detach(segment);
	PG_RETURN_FLOAT8(begun / 2.0 / rounds);
}
