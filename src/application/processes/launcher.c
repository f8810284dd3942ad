/*-------------------------------------------------------------------------
 *
 * launcher.c
 *	  The process that sees to it that each database has its scheduler.
 *
 * One per server, connected to no database.  Each cycle it reads pg_database
 * in a short transaction and compares it with what it knows: a scheduler is
 * started where there may be work, followed while it lives, and when it is
 * gone its exit_reason says what comes next.  In a database not known yet the
 * scheduler itself finds out whether the extension is there; a few such probes
 * run at a time.
 *
 * The launcher owns the database slots in shared memory: it alone takes and
 * frees them.  A slot is freed only when no worker refers to it and the queue
 * has forgotten the database, so the index of a slot never changes its meaning
 * under somebody who holds a task.
 *
 * What it knows is in its own memory and can be lost: an error in a cycle ends
 * the process, the postmaster starts it again after a second, and the
 * schedulers that are there are adopted.  Adopted ones have no handle; their
 * slot and their pid say whether they live.
 *
 * Locks: sched_shared->lock, for short, and AccessShareLock on pg_database.
 * Nothing that can fail is done under the former: the exit callback takes it.
 * Time is real time here, also when a test has stopped the clock.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "application/processes/launcher.h"
#include "catalog/pg_database.h"
#include "infrastructure/memory/chores.h"
#include "infrastructure/pgzone.h"
#include "infrastructure/memory/queue.h"
#include "infrastructure/settings.h"
#include "infrastructure/memory/shmem.h"
#include "infrastructure/memory/wake.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/procarray.h"
#include "storage/procsignal.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#define MAX_PROBES			4
#define NO_SLOT				(-1)

/* A database in the middle of being dropped, in versions that mark it. */
#define CONNLIMIT_DROPPED	(-2)

/* microseconds */
#define LONGEST_SLEEP		(30 * USECS_PER_SEC)
#define ADOPTED_SLEEP		(5 * USECS_PER_SEC)
#define SHORT_SLEEP			USECS_PER_SEC
#define RELEASE_SLEEP		(USECS_PER_SEC / 10)
#define FIRST_BACKOFF		USECS_PER_SEC
#define LONGEST_BACKOFF		(60 * USECS_PER_SEC)
#define PROBE_TIME			(5 * USECS_PER_SEC) /* longer ones do not count */
#define START_TIME			(60 * USECS_PER_SEC)	/* for adopted ones */
#define HEALTHY_TIME		(60 * USECS_PER_SEC)	/* no failure any more */

typedef enum Presence
{
	PRESENCE_UNKNOWN,
	PRESENCE_ABSENT,			/* the extension is not there */
	PRESENCE_CERTAIN			/* a scheduler has been at work */
} Presence;

typedef enum Phase
{
	PHASE_IDLE,					/* no process; the slot may be kept */
	PHASE_ALIVE,				/* a scheduler is started or running */
	PHASE_RELEASE				/* the slot waits for its workers to go */
} Phase;

typedef struct KnownDatabase
{
	Oid			database;		/* the key */
	char		name[NAMEDATALEN];
	Presence	presence;
	Phase		phase;
	int			slot;			/* index or NO_SLOT */
	BackgroundWorkerHandle *handle; /* NULL: adopted */
	TimestampTz since;			/* when the phase began */
	bool		probe_again;	/* the answer of the running probe is stale */
	bool		wanted;			/* may have a scheduler, as of this cycle */
	int			failures;		/* in a row */
	TimestampTz retry_at;		/* no start before */
} KnownDatabase;

static HTAB *known;
static MemoryContext launcher_context;
static MemoryContext cycle_context;
static bool no_room_logged = false;
static int	probes;				/* counted anew in each cycle */
static int64 sleep_time;		/* microseconds, shortened by the cycle */

/* ---------- small things ---------- */

static void
sleep_at_most(int64 usecs)
{
	sleep_time = Min(sleep_time, Max(usecs, 1000));
}

static void
set_phase(KnownDatabase *entry, Phase phase, TimestampTz now)
{
	entry->phase = phase;
	entry->since = now;
}

/* Signed, so that a clock that was set back does not make it last for ever. */
static bool
lasts_longer_than(KnownDatabase *entry, int64 usecs, TimestampTz now)
{
	if (entry->since > now)
		entry->since = now;
	return now - entry->since >= usecs;
}

static void
back_off(KnownDatabase *entry, TimestampTz now)
{
	int64		delay = FIRST_BACKOFF << Min(entry->failures, 6);

	entry->failures++;
	entry->retry_at = now + Min(delay, LONGEST_BACKOFF);
}

static KnownDatabase *
know_database(Oid database, const char *name)
{
	bool		found;
	KnownDatabase *entry = hash_search(known, &database, HASH_ENTER, &found);

	if (!found)
	{
		memset(entry, 0, sizeof(KnownDatabase));
		entry->database = database;
		entry->slot = NO_SLOT;
	}
	strlcpy(entry->name, name, NAMEDATALEN);
	return entry;
}

/* Say once that there is no room, and again only after there was some. */
static void
no_room(KnownDatabase *entry, TimestampTz now, const char *what,
		const char *hint)
{
	entry->retry_at = now + SHORT_SLEEP;
	sleep_at_most(SHORT_SLEEP);
	if (no_room_logged)
		return;
	no_room_logged = true;
	ereport(WARNING,
			(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
			 errmsg("could not start the scheduler of database \"%s\"",
					entry->name),
			 errdetail_internal("%s", what),
			 errhint("%s", hint)));
}

/* ---------- what there is ---------- */

/*
 * CREATE EXTENSION has committed somewhere: ask every database again.  A probe
 * that is on its way may have looked before that commit.
 */
static void
take_probe_request(void)
{
	bool		asked;
	HASH_SEQ_STATUS scan;
	KnownDatabase *entry;

	sched_lock(LW_EXCLUSIVE);
	asked = sched_shared->probe;
	sched_shared->probe = false;
	sched_unlock();
	if (!asked)
		return;

	hash_seq_init(&scan, known);
	while ((entry = hash_seq_search(&scan)) != NULL)
	{
		if (entry->phase != PHASE_IDLE)
			entry->probe_again = true;
		if (entry->presence == PRESENCE_ABSENT)
		{
			entry->presence = PRESENCE_UNKNOWN;
			entry->failures = 0;
			entry->retry_at = 0;
		}
	}
}

/* A session that died takes its hold with it; this is for one that could not. */
static void
drop_stale_holds(void)
{
	SchedHold	holds[SCHED_MAX_HOLDS];

	sched_lock(LW_SHARED);
	memcpy(holds, sched_shared->holds, sizeof(holds));
	sched_unlock();

	for (int i = 0; i < SCHED_MAX_HOLDS; i++)
	{
		SchedHold  *hold = &sched_shared->holds[i];

		if (!OidIsValid(holds[i].database) ||
			BackendPidGetProc(holds[i].holder) != NULL)
			continue;
		sched_lock(LW_EXCLUSIVE);
		if (hold->database == holds[i].database &&
			hold->holder == holds[i].holder)
		{
			hold->database = InvalidOid;
			hold->holder = 0;
		}
		sched_unlock();
	}
}

/* Find out which databases may have a scheduler. */
static void
read_databases(void)
{
	HASH_SEQ_STATUS scan;
	KnownDatabase *entry;
	Relation	rel;
	SysScanDesc rows;
	HeapTuple	tuple;

	hash_seq_init(&scan, known);
	while ((entry = hash_seq_search(&scan)) != NULL)
		entry->wanted = false;

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	rel = table_open(DatabaseRelationId, AccessShareLock);
	rows = systable_beginscan(rel, InvalidOid, false, NULL, 0, NULL);
	while (HeapTupleIsValid(tuple = systable_getnext(rows)))
	{
		Form_pg_database form = (Form_pg_database) GETSTRUCT(tuple);

		if (!form->datallowconn || form->datistemplate ||
			form->datconnlimit == CONNLIMIT_DROPPED ||
			!sched_settings_database_wanted(NameStr(form->datname)))
			continue;
		know_database(form->oid, NameStr(form->datname))->wanted = true;
	}
	systable_endscan(rows);
	table_close(rel, AccessShareLock);
	CommitTransactionCommand();
	MemoryContextSwitchTo(cycle_context);
}

/* After a restart of the launcher: the schedulers that are there. */
static void
adopt_schedulers(TimestampTz now)
{
	for (int i = 0; i < SCHED_MAX_DATABASES; i++)
	{
		SchedDatabase *db = &sched_shared->databases[i];
		KnownDatabase *entry;
		Oid			database = InvalidOid;
		bool		at_work = false;

		sched_lock(LW_SHARED);
		if (db->state != SCHED_DB_FREE)
		{
			database = db->database;
			at_work = db->loaded || db->cycles > 0;
		}
		sched_unlock();
		if (!OidIsValid(database))
			continue;
		entry = know_database(database, "");
		entry->slot = i;
		entry->presence = at_work ? PRESENCE_CERTAIN : PRESENCE_UNKNOWN;
		set_phase(entry, PHASE_ALIVE, now);
	}
}

/* ---------- the end of a scheduler ---------- */

/*
 * Let go of the workers of a database that has no scheduler.  True when none
 * refers to the slot any more.  Lock held.
 */
static bool
workers_are_gone(int slot, bool terminate)
{
	SchedHttpWorker *http = &sched_shared->databases[slot].http;
	bool		gone = true;

	if (http->proc != NULL)
	{
		gone = false;
		if (!http->leave)
		{
			http->leave = true;
			sched_wake_http(&sched_shared->databases[slot]);
		}
		if (terminate && !http->terminated)
		{
			http->terminated = true;
			sched_wake_terminate_http(&sched_shared->databases[slot]);
		}
	}
	else
	{
		/* one that has not attached yet finds another generation and goes */
		http->state = SCHED_WORKER_FREE;
		http->generation++;
	}
	for (int i = 0; i < sched_max_workers; i++)
	{
		SchedWorker *worker = &sched_shared->workers[i];
		QClass	   *class;

		if (worker->state == SCHED_WORKER_FREE || worker->db != slot)
			continue;
		if (worker->proc != NULL)
		{
			gone = false;
			if (!worker->leave)
			{
				worker->leave = true;
				sched_wake_worker(worker);
			}
			if (terminate && !worker->terminated)
			{
				worker->terminated = true;
				sched_wake_terminate(worker);
			}
			continue;
		}

		/*
		 * Nobody is left to settle a dead one.  One that has not attached yet
		 * finds its slot taken away and goes.
		 */
		if (worker->state == SCHED_WORKER_STARTING)
		{
			class = sched_queue_find_class(slot, worker->role, SCHED_KIND_SQL);
			if (class != NULL && class->workers > 0)
				class->workers--;
		}
		worker->state = SCHED_WORKER_FREE;
		worker->database = InvalidOid;
		worker->task = NULL;
		worker->chore = 0;
		sched_shared->workers_used--;
	}
	return gone;
}

/* Free the slot, if no worker is in the way. */
static void
try_release(KnownDatabase *entry, TimestampTz now)
{
	SchedDatabase *db = &sched_shared->databases[entry->slot];
	bool		terminate;
	bool		gone;

	/*
	 * Without the extension there is nowhere to record an outcome, so tasks
	 * get no more than the usual time to stop.  Otherwise they may end.
	 */
	terminate = entry->presence != PRESENCE_CERTAIN &&
		lasts_longer_than(entry, sched_cancel_grace * USECS_PER_SEC, now);

	sched_lock(LW_EXCLUSIVE);
	gone = workers_are_gone(entry->slot, terminate);
	if (gone)
	{
		sched_queue_purge(entry->slot);
		sched_counters_close(&db->counters);
		sched_chores_purge(entry->slot);
		db->state = SCHED_DB_FREE;
		db->database = InvalidOid;
		db->leave = false;
	}
	sched_unlock();

	if (gone)
	{
		entry->slot = NO_SLOT;
		set_phase(entry, PHASE_IDLE, now);
	}
	else
		sleep_at_most(lasts_longer_than(entry, PROBE_TIME, now) ?
					  SHORT_SLEEP : RELEASE_SLEEP);
}

static void
release_slot(KnownDatabase *entry, TimestampTz now)
{
	set_phase(entry, PHASE_RELEASE, now);
	try_release(entry, now);
}

/* Is the process gone?  A handle knows; for adopted ones the slot has to do. */
static bool
scheduler_is_gone(KnownDatabase *entry, TimestampTz now)
{
	SchedDatabase *db = &sched_shared->databases[entry->slot];
	SchedDatabaseState state;
	pid_t		pid;

	if (entry->handle != NULL)
	{
		switch (GetBackgroundWorkerPid(entry->handle, &pid))
		{
			case BGWH_STARTED:
			case BGWH_NOT_YET_STARTED:
				return false;
			case BGWH_STOPPED:
				return true;
			case BGWH_POSTMASTER_DIED:
				proc_exit(1);
		}
	}

	sched_lock(LW_SHARED);
	state = db->state;
	pid = db->scheduler_pid;
	sched_unlock();
	sleep_at_most(ADOPTED_SLEEP);
	switch (state)
	{
		case SCHED_DB_STARTING:
			/* it may not have come as far as to have a pid that can be found */
			return lasts_longer_than(entry, START_TIME, now) &&
				(pid == 0 || BackendPidGetProc(pid) == NULL);
		case SCHED_DB_RUNNING:
			return BackendPidGetProc(pid) == NULL;
		case SCHED_DB_FREE:
		case SCHED_DB_STOPPED:
			break;
	}
	return true;
}

/* The scheduler is gone: what comes next? */
static void
settle_exit(KnownDatabase *entry, TimestampTz now)
{
	SchedDatabase *db = &sched_shared->databases[entry->slot];
	SchedExitReason reason;

	if (entry->handle != NULL)
		pfree(entry->handle);
	entry->handle = NULL;

	sched_lock(LW_EXCLUSIVE);
	reason = db->exit_reason;
	if (db->loaded || db->cycles > 0)
		entry->presence = PRESENCE_CERTAIN;
	db->scheduler = NULL;
	db->scheduler_pid = 0;
	db->state = SCHED_DB_STOPPED;
	sched_unlock();

	switch (reason)
	{
		case SCHED_EXIT_NO_EXTENSION:
			entry->presence = entry->probe_again ?
				PRESENCE_UNKNOWN : PRESENCE_ABSENT;
			entry->failures = 0;
			entry->retry_at = 0;
			release_slot(entry, now);
			return;
		case SCHED_EXIT_ASKED:
			entry->failures = 0;
			entry->retry_at = 0;
			break;
		case SCHED_EXIT_FAILED:
			if (lasts_longer_than(entry, HEALTHY_TIME, now))
				entry->failures = 0;
			back_off(entry, now);
			/* do not let hopeless databases use up the slots */
			if (entry->presence != PRESENCE_CERTAIN)
			{
				release_slot(entry, now);
				return;
			}
			break;
	}
	set_phase(entry, PHASE_IDLE, now);
}

/* ---------- the start of a scheduler ---------- */

/* Take a slot for the start; false when the database cannot have one now. */
static bool
take_slot(KnownDatabase *entry, TimestampTz now)
{
	SchedDatabase *db;
	int			slot = entry->slot;
	bool		is_held;

	sched_lock(LW_EXCLUSIVE);
	is_held = sched_shmem_is_held(entry->database);
	for (int i = 0; i < SCHED_MAX_DATABASES && slot == NO_SLOT; i++)
		if (sched_shared->databases[i].state == SCHED_DB_FREE)
			slot = i;
	if (!is_held && slot != NO_SLOT)
	{
		db = &sched_shared->databases[slot];
		if (entry->slot == NO_SLOT)
		{
			db->database = entry->database;
			db->last_cycle_at = 0;
			db->cycles = 0;
			db->held = false;
			db->no_worker_slot = false;
			db->no_slot_since = 0;
			db->triggers = 0;
			db->next_fire_at = 0;
			db->horizon = 0;
			db->sleep_until = 0;
		}
		db->scheduler = NULL;
		db->scheduler_pid = 0;
		db->exit_reason = SCHED_EXIT_FAILED;	/* unless it says otherwise */
		db->started_at = now;
		db->leave = false;
		db->state = SCHED_DB_STARTING;
	}
	sched_unlock();

	if (is_held)
		return false;			/* the end of the hold wakes us */
	if (slot == NO_SLOT)
	{
		no_room(entry, now,
				psprintf("All %d slots for databases with the extension are in use.",
						 SCHED_MAX_DATABASES),
				"Limit sched.databases to those that need a scheduler.");
		return false;
	}
	entry->slot = slot;
	return true;
}

static void
start_scheduler(KnownDatabase *entry, TimestampTz now)
{
	BackgroundWorker worker;
	MemoryContext old;
	bool		registered;

	if (!take_slot(entry, now))
		return;

	memset(&worker, 0, sizeof(worker));
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS |
		BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;	/* we do it */
	worker.bgw_main_arg = Int32GetDatum(entry->slot);
	worker.bgw_notify_pid = MyProcPid;
	strlcpy(worker.bgw_library_name, "sched", sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, "sched_scheduler_main", BGW_MAXLEN);
	strlcpy(worker.bgw_name, "sched scheduler", BGW_MAXLEN);
	strlcpy(worker.bgw_type, "sched scheduler", BGW_MAXLEN);

	old = MemoryContextSwitchTo(launcher_context);
	registered = RegisterDynamicBackgroundWorker(&worker, &entry->handle);
	MemoryContextSwitchTo(old);

	if (registered)
	{
		no_room_logged = false;
		entry->probe_again = false;
		set_phase(entry, PHASE_ALIVE, now);
		return;
	}

	entry->handle = NULL;
	sched_lock(LW_EXCLUSIVE);
	sched_shared->databases[entry->slot].state = SCHED_DB_STOPPED;
	sched_unlock();
	if (entry->presence != PRESENCE_CERTAIN)
		release_slot(entry, now);
	no_room(entry, now, "No background worker slot is free.",
			"Increase max_worker_processes.");
}

/* ---------- one cycle ---------- */

/* While it lives: has it found the extension, and is it still welcome? */
static void
watch_scheduler(KnownDatabase *entry, TimestampTz now)
{
	SchedDatabase *db = &sched_shared->databases[entry->slot];

	sched_lock(LW_EXCLUSIVE);
	if (db->loaded || db->cycles > 0)
		entry->presence = PRESENCE_CERTAIN;
	if (!entry->wanted && !db->leave)
	{
		db->leave = true;
		sched_wake_scheduler(db);
	}
	sched_unlock();
	if (entry->presence != PRESENCE_CERTAIN)
	{
		sleep_at_most(PROBE_TIME);
		if (!lasts_longer_than(entry, PROBE_TIME, now))
			probes++;
	}
}

static void
start_if_due(KnownDatabase *entry, TimestampTz now)
{
	if (entry->presence == PRESENCE_ABSENT)
		return;

	/* the clock may have been set back since */
	entry->retry_at = Min(entry->retry_at, now + LONGEST_BACKOFF);
	if (entry->retry_at > now)
	{
		sleep_at_most(entry->retry_at - now);
		return;
	}
	if (entry->presence == PRESENCE_UNKNOWN)
	{
		if (probes >= MAX_PROBES)
		{
			sleep_at_most(SHORT_SLEEP);
			return;
		}
		probes++;
	}
	start_scheduler(entry, now);
}

static void
run_cycle(void)
{
	TimestampTz now = GetCurrentTimestamp();
	HASH_SEQ_STATUS scan;
	KnownDatabase *entry;

	sleep_time = LONGEST_SLEEP;
	probes = 0;

	take_probe_request();
	drop_stale_holds();
	read_databases();

	/* first what is there, so that the probes are counted before the starts */
	hash_seq_init(&scan, known);
	while ((entry = hash_seq_search(&scan)) != NULL)
	{
		if (entry->phase == PHASE_ALIVE)
		{
			if (scheduler_is_gone(entry, now))
				settle_exit(entry, now);
			else
				watch_scheduler(entry, now);
		}
		else if (entry->phase == PHASE_RELEASE)
			try_release(entry, now);

		if (entry->phase == PHASE_IDLE && !entry->wanted)
		{
			if (entry->slot != NO_SLOT)
				release_slot(entry, now);
			if (entry->phase == PHASE_IDLE)
				hash_search(known, &entry->database, HASH_REMOVE, NULL);
		}
	}

	hash_seq_init(&scan, known);
	while ((entry = hash_seq_search(&scan)) != NULL)
		if (entry->phase == PHASE_IDLE && entry->wanted)
			start_if_due(entry, now);
}

/* ---------- the process ---------- */

static void
leave_shared_memory(int code, Datum arg)
{
	sched_lock(LW_EXCLUSIVE);
	if (sched_shared->launcher == MyProc)
	{
		sched_shared->launcher = NULL;
		sched_shared->launcher_pid = 0;
	}
	sched_unlock();
}

static void
set_up(void)
{
	HASHCTL		info;

	launcher_context = AllocSetContextCreate(TopMemoryContext,
											 "sched launcher",
											 ALLOCSET_DEFAULT_SIZES);
	cycle_context = AllocSetContextCreate(launcher_context,
										  "sched launcher cycle",
										  ALLOCSET_DEFAULT_SIZES);
	memset(&info, 0, sizeof(info));
	info.keysize = sizeof(Oid);
	info.entrysize = sizeof(KnownDatabase);
	info.hcxt = launcher_context;
	known = hash_create("sched databases", 64, &info,
						HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);

	before_shmem_exit(leave_shared_memory, (Datum) 0);
	sched_lock(LW_EXCLUSIVE);
	sched_shared->launcher = MyProc;
	sched_shared->launcher_pid = MyProcPid;
	sched_unlock();
	adopt_schedulers(GetCurrentTimestamp());
}

void
sched_launcher_main(Datum main_arg)
{
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	set_up();

	for (;;)
	{
		/* not 0: then the postmaster would not start us again */
		if (ProcDiePending)
			proc_exit(1);
		CHECK_FOR_INTERRUPTS();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
			sched_pgzone_publish();
		}

		MemoryContextSwitchTo(cycle_context);
		run_cycle();
		MemoryContextSwitchTo(launcher_context);
		MemoryContextReset(cycle_context);

		(void) WaitLatch(MyLatch,
						 WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 (long) (sleep_time / 1000), PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
	}
}

void
sched_launcher_register(void)
{
	BackgroundWorker worker;

	memset(&worker, 0, sizeof(worker));
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS |
		BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = 1;
	strlcpy(worker.bgw_library_name, "sched", sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, "sched_launcher_main", BGW_MAXLEN);
	strlcpy(worker.bgw_name, "sched launcher", BGW_MAXLEN);
	strlcpy(worker.bgw_type, "sched launcher", BGW_MAXLEN);
	RegisterBackgroundWorker(&worker);
}
