/*-------------------------------------------------------------------------
 *
 * scheduler.c
 *	  The scheduler of one database.
 *
 * A loop on its latch.  Each turn takes care of everything that shared memory
 * or the clock says is to be done, each in its own short transaction, and then
 * sleeps until the first of: the next trigger, the next timer of a
 * task, the minute's upkeep; or until somebody sets the latch.  It is connected
 * as the bootstrap superuser and never runs anything that a user wrote.
 *
 * An error in a turn is logged and the turn is tried again after a moment;
 * other parts of the turn were transactions of their own and are not lost.  When
 * errors go on the process leaves and the launcher starts a new one; the queue in
 * shared memory stays.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "application/events/announce.h"
#include "application/tasks/attempt.h"
#include "application/schedule/backfill.h"
#include "application/processes/chore.h"
#include "application/schedule/custom_trigger.h"
#include "application/schedule/fire.h"
#include "application/tasks/observe.h"
#include "application/http/http_pool.h"
#include "application/processes/pool.h"
#include "application/processes/recover.h"
#include "application/executors/routing.h"
#include "application/processes/scheduler.h"
#include "application/executors/slots.h"
#include "application/schedule/triggers.h"
#include "application/processes/upkeep.h"
#include "application/workflow/waiting.h"
#include "application/executors/watch.h"
#include "infrastructure/tables/calendar_table.h"
#include "infrastructure/memory/chores.h"
#include "infrastructure/clock.h"
#include "infrastructure/memory/pending.h"
#include "infrastructure/schedule_cache.h"
#include "infrastructure/settings.h"
#include "infrastructure/tables/store.h"
#include "infrastructure/memory/wake.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"

#define UPKEEP_INTERVAL		(60 * USECS_PER_SEC)
#define LOOKAHEAD_INTERVAL	(SCHED_HORIZON / 2)
#define MAX_SLEEP			(60 * USECS_PER_SEC)
#define MAX_ERRORS			10
#define LIFETIME			USECS_PER_DAY	/* then a new one reads time zones
											 * anew */

static SchedDatabase *database;
static int	my_db;
static TimestampTz next_upkeep; /* real time */
static TimestampTz next_lookahead;	/* the clock's time */
static TimestampTz next_pool;	/* real time, 0: when woken */
static TimestampTz next_http;	/* real time, 0: when woken */
static TimestampTz next_completion; /* real time, 0: none */
static TimestampTz next_announcement;	/* likewise */
static TimestampTz next_backfill;	/* real time, 0: none runs */
static TimestampTz last_clock;

/* ---------- coming and going ---------- */

static void
leave_slot(int code, Datum arg)
{
	sched_recover_interrupted(my_db);
	sched_lock(LW_EXCLUSIVE);
	database->scheduler = NULL;
	database->scheduler_pid = 0;
	database->state = SCHED_DB_STOPPED;
	sched_wake_launcher();
	sched_unlock();
}

static void
depart(SchedExitReason reason)
{
	sched_lock(LW_EXCLUSIVE);
	database->exit_reason = reason;
	sched_unlock();
	proc_exit(reason == SCHED_EXIT_FAILED ? 1 : 0);
}

static bool
extension_is_there(void)
{
	bool		there;

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	there = sched_store_present();
	CommitTransactionCommand();
	return there;
}

static void
attach(int slot)
{
	my_db = slot;
	database = &sched_shared->databases[slot];
	sched_lock(LW_EXCLUSIVE);
	if (database->state != SCHED_DB_STARTING || database->scheduler != NULL)
	{
		sched_unlock();
		proc_exit(0);
	}
	database->scheduler = MyProc;
	database->scheduler_pid = MyProcPid;
	database->exit_reason = SCHED_EXIT_FAILED;
	database->started_at = GetCurrentTimestamp();
	sched_unlock();
	before_shmem_exit(leave_slot, (Datum) 0);
}

/* ---------- parts of a turn ---------- */

/* For sched.log_level = debug: these have become ready. */
static void
log_ready(const SchedAttempt *ready, int count)
{
	if (count == 0)
		return;
	StartTransactionCommand();
	for (int i = 0; i < count; i++)
		sched_observe_state(ready[i].task_id, ready[i].attempt,
							ready[i].job_id, "ready");
	CommitTransactionCommand();
}

/* Times of tasks: those that become due, and those that take too long. */
static void
ring_timers(void)
{
	TimestampTz now = sched_clock_now();
	SchedAttempt ready[64];
	int			ready_count = 0;
	SchedExpired expired[256];
	int			count = 0;
	QTask	   *task;
	bool		full = false;	/* so many wait that the rest rings later */

	sched_lock(LW_EXCLUSIVE);
	while (!full && (task = sched_queue_first_timer(my_db)) != NULL &&
		   task->timer_at <= now && count < lengthof(expired))
	{
		if (task->executor != 0 ||
			(task->stop != SCHED_STOP_NONE &&
			 !sched_task_status_holds_lease(task->status)))
		{
			if (sched_watch_is_over(task, now))
			{
				expired[count].task_id = task->task_id;
				expired[count++].attempt = task->attempt;
			}
			continue;
		}
		switch ((SchedTaskStatus) task->status)
		{
			case SCHED_TASK_SCHEDULED:
			case SCHED_TASK_WAITING_RETRY:
				if (task->lane->spec.paused &&
					task->status == SCHED_TASK_WAITING_RETRY)
					sched_queue_set_timer(task, 0);
				else if (task->waits && task->status == SCHED_TASK_SCHEDULED)
					sched_queue_begin_waiting(task, now);
				else
				{
					sched_queue_make_ready(task, now);
					if (sched_observes_states())
						sched_attempt_copy(task, &ready[ready_count++]);
				}
				break;
			case SCHED_TASK_WAITING:
				full = !sched_waiting_rings(task);
				break;
			case SCHED_TASK_RUNNING:
				sched_queue_set_timer(task, now + sched_cancel_grace *
									  USECS_PER_SEC);
				sched_pool_enforce(task, SCHED_STOP_TIMEOUT, false);
				break;
			default:
				sched_queue_set_timer(task, 0);
				break;
		}
		if (ready_count == lengthof(ready))
		{
			sched_unlock();
			log_ready(ready, ready_count);
			ready_count = 0;
			sched_lock(LW_EXCLUSIVE);
		}
	}
	sched_unlock();
	log_ready(ready, ready_count);
	if (count > 0)
		sched_watch_expire(expired, count);
}

/* Jobs whose definition changed, or whose run ended. */
static void
take_changes(void)
{
	int64	   *jobs = palloc(sizeof(database->changes));
	int			count;
	bool		all;

	sched_lock(LW_EXCLUSIVE);
	count = database->change_count;
	all = database->change_overflow;
	memcpy(jobs, database->changes, count * sizeof(int64));
	database->change_count = 0;
	database->change_overflow = false;
	sched_unlock();

	PG_TRY();
	{
		if (all || count > 0)
			next_backfill = 1;	/* at once */
		if (all)
		{
			sched_compiled_calendars_changed();
			sched_triggers_reload_all(my_db);
		}
		else if (count > 0)
			sched_triggers_reload(my_db, jobs, count);
	}
	PG_CATCH();
	{
		/* the ring has forgotten them, and some may be half read */
		sched_lock(LW_EXCLUSIVE);
		database->change_overflow = true;
		sched_unlock();
		PG_RE_THROW();
	}
	PG_END_TRY();
	pfree(jobs);
}

/* Do the data come from elsewhere?  Then nothing runs. */
static bool
hold_copy(void)
{
	char		reason[80] = "";
	bool		held = sched_upkeep_is_copy(reason, sizeof(reason));

	sched_lock(LW_EXCLUSIVE);
	database->held = held;
	sched_unlock();
	if (held)
		ereport(LOG,
				(errmsg("sched: jobs of this database stand still: %s", reason),
				 errhint("Run SELECT sched.resume_all() to let them run here.")));
	return held;
}

static void
start_up(void)
{
	bool		server_start;
	bool		held = hold_copy();

	sched_lock(LW_SHARED);
	server_start = !database->loaded;
	sched_unlock();

	sched_upkeep_run();
	if (server_start)
	{
		sched_counters_close(&database->counters);
		sched_upkeep_restore_counters();
		if (!sched_counters_is_open(&database->counters))
			sched_counters_open(&database->counters);	/* without the past */
	}
	sched_announce_start();
	sched_pool_put_back(my_db);
	sched_slots_refresh(my_db, true);
	if (server_start)
		sched_recover_all(my_db);
	sched_triggers_load_all(my_db, !database->started_up && !held);
	next_upkeep = GetCurrentTimestamp() + UPKEEP_INTERVAL;
	next_lookahead = sched_clock_now() + LOOKAHEAD_INTERVAL;
	next_backfill = 1;
	last_clock = sched_clock_now();
	sched_recover_future(my_db);
	sched_waiting_recheck(my_db, true);

	sched_lock(LW_EXCLUSIVE);
	database->state = SCHED_DB_RUNNING;
	sched_unlock();
}

/* Is the copy allowed to run in the meantime? */
static void
check_held(void)
{
	char		reason[80];

	if (!database->held || sched_upkeep_is_copy(reason, sizeof(reason)))
		return;
	sched_lock(LW_EXCLUSIVE);
	database->held = false;
	sched_unlock();
	ereport(LOG, (errmsg("sched: jobs of this database run from now on")));
	sched_triggers_begin(my_db);
	sched_lock(LW_EXCLUSIVE);
	sched_queue_wake_workers(my_db);
	sched_unlock();
}

/*
 * A restore creates the extension first and brings the rows afterwards, when
 * we are at work already.  Triggers that have never been seen here give
 * it away before they fire.  When several processes restore, they may be here
 * before the rows of _origin; but then they are older than the extension.
 */
static void
check_restored(void)
{
	TimestampTz oldest;

	if (!sched_triggers_found_unknown(&oldest) || database->held)
		return;
	sched_upkeep_note_unknown(oldest);
	(void) hold_copy();
}

/* The clock was set: what was computed from it is computed again. */
static void
check_clock(void)
{
	TimestampTz now = sched_clock_now();

	if (now < last_clock - USECS_PER_SEC)
	{
		next_lookahead = now;
		sched_triggers_load_all(my_db, false);
	}
	last_clock = now;
}

static void
turn(void)
{
	bool		more = true;
	bool		rescan;

	check_clock();
	check_held();
	take_changes();
	sched_slots_refresh(my_db, false);
	check_restored();
	sched_pool_settle(my_db);
	sched_chore_upkeep(my_db);
	sched_watch_run(my_db);

	if (sched_enabled && !database->held)
	{
		while (more)
		{
			more = sched_triggers_fire(my_db);
			ring_timers();
			if (sched_waiting_turn(my_db))
				more = true;
			sched_pool_settle(my_db);
			if (more)
				sched_pool_grow(my_db);
			CHECK_FOR_INTERRUPTS();
			if (database->leave || ConfigReloadPending)
				break;
		}
		ring_timers();
		while (sched_waiting_turn(my_db))
			ring_timers();
	}

	if (sched_clock_now() >= next_lookahead)
	{
		sched_recover_future(my_db);
		next_lookahead = sched_clock_now() + LOOKAHEAD_INTERVAL;
	}
	sched_lock(LW_SHARED);
	rescan = database->rescan;
	more = database->want_refill;
	sched_unlock();
	if (rescan && (sched_queue_used() < sched_max_queued_tasks / 2 ||
				   !database->executors_loaded))
		sched_recover_all(my_db);
	while (more && sched_recover_left_out(my_db))
		CHECK_FOR_INTERRUPTS();

	while (database->want_routes && sched_enabled && !database->held)
	{
		sched_routing_run(my_db);
		CHECK_FOR_INTERRUPTS();
	}
	sched_routing_run(my_db);
	if (sched_enabled && !database->held)
	{
		sched_custom_ask(my_db);
		if (next_backfill != 0 && GetCurrentTimestamp() >= next_backfill)
			next_backfill = sched_backfill_run(my_db);
	}
	next_announcement = sched_announce(my_db);
	next_completion = sched_fire_complete_jobs() ? 0 :
		GetCurrentTimestamp() + USECS_PER_SEC;
	next_pool = sched_enabled ? sched_pool_grow(my_db) : 0;
	next_http = sched_http_pool_run(my_db);

	if (GetCurrentTimestamp() >= next_upkeep)
	{
		if (!database->held)
			(void) hold_copy();
		sched_upkeep_run();
		sched_waiting_recheck(my_db, false);
		sched_routing_recheck(my_db);
		next_upkeep = GetCurrentTimestamp() + UPKEEP_INTERVAL;
	}
}

/* ---------- sleeping ---------- */

static inline void
sooner(TimestampTz *when, TimestampTz candidate)
{
	if (candidate != 0 && candidate < *when)
		*when = candidate;
}

/* Milliseconds to sleep; tells others from when on they need not wake us. */
static long
time_to_sleep(void)
{
	TimestampTz real_now = GetCurrentTimestamp();
	TimestampTz now = sched_clock_now();
	TimestampTz by_clock = now + MAX_SLEEP;
	TimestampTz by_real = real_now + MAX_SLEEP;
	TimestampTz first = sched_triggers_next();
	TimestampTz watch_by_real;
	QTask	   *task;
	int64		wait;

	if (sched_enabled && !database->held)
		sooner(&by_clock, first);
	sooner(&by_clock, next_lookahead);
	sooner(&by_real, next_upkeep);
	sooner(&by_real, next_pool);
	sooner(&by_real, next_http);
	sooner(&by_real, next_completion);
	sooner(&by_real, next_announcement);
	sooner(&by_real, next_backfill);

	sched_lock(LW_EXCLUSIVE);
	task = sched_queue_first_timer(my_db);
	if (task != NULL && sched_enabled && !database->held)
		sooner(&by_clock, task->timer_at);
	sooner(&by_real, sched_chores_next(my_db));
	sooner(&by_clock, sched_watch_next(my_db, &watch_by_real));
	sooner(&by_real, watch_by_real);
	if (database->settle_executors)
		by_real = real_now;
	database->sleep_until = by_clock;
	database->cycles++;
	database->last_cycle_at = real_now;
	database->triggers = sched_triggers_count();
	database->next_fire_at = first == PG_INT64_MAX ? 0 : first;
	if (database->change_count > 0 || database->change_overflow ||
		(database->events && next_announcement == 0))
		by_real = real_now;
	sched_unlock();

	/* a clock that stands still brings nothing: only the latch does */
	wait = by_real - real_now;
	if (!sched_clock_is_frozen())
		wait = Min(wait, by_clock - now);
	else if (by_clock <= now)
		wait = Min(wait, 100 * 1000);
	if (wait <= 0)
		return 0;
	return (long) Min((wait + 999) / 1000, MAX_SLEEP / 1000);
}

void
sched_scheduler_main(Datum slot)
{
	sigjmp_buf	jump;
	MemoryContext cycle;
	int			errors = 0;
	volatile bool started = false;

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();

	attach(DatumGetInt32(slot));
	BackgroundWorkerInitializeConnectionByOid(database->database, InvalidOid,
											  0);
	SetConfigOption("search_path", "pg_catalog, pg_temp", PGC_SUSET,
					PGC_S_OVERRIDE);
	/* plans of moments, made for the arrays at hand: never worth compiling */
	SetConfigOption("jit", "off", PGC_SUSET, PGC_S_OVERRIDE);
	SetConfigOption("plan_cache_mode", "force_custom_plan", PGC_SUSET,
					PGC_S_OVERRIDE);
	/* less than deadlock_timeout: DROP EXTENSION and the like go first */
	SetConfigOption("lock_timeout", "500ms", PGC_SUSET, PGC_S_OVERRIDE);
	SetConfigOption("statement_timeout", "0", PGC_SUSET, PGC_S_OVERRIDE);
	SetConfigOption("default_transaction_isolation", "read committed",
					PGC_SUSET, PGC_S_OVERRIDE);
	SetConfigOption("default_transaction_read_only", "off", PGC_SUSET,
					PGC_S_OVERRIDE);
	SetConfigOption("session_replication_role", "origin", PGC_SUSET,
					PGC_S_OVERRIDE);
	pgstat_report_activity(STATE_IDLE, NULL);

	if (!extension_is_there())
		depart(SCHED_EXIT_NO_EXTENSION);
	sched_compiled_set_calendars(sched_calendar_table_spec);
	cycle = AllocSetContextCreate(TopMemoryContext, "sched cycle",
								  ALLOCSET_DEFAULT_SIZES);

	if (sigsetjmp(jump, 1) != 0)
	{
		/* an error in a turn: report it, clean up, breathe, go on */
		error_context_stack = NULL;
		HOLD_INTERRUPTS();
		EmitErrorReport();
		AbortOutOfAnyTransaction();
		LWLockReleaseAll();
		sched_recover_interrupted(my_db);
		sched_pool_put_back(my_db);
		sched_waiting_recheck(my_db, false);
		MemoryContextSwitchTo(TopMemoryContext);
		FlushErrorState();
		RESUME_INTERRUPTS();
		if (++errors > MAX_ERRORS || !started)
			proc_exit(1);
		(void) WaitLatch(MyLatch, WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, 1000,
						 PG_WAIT_EXTENSION);
	}
	PG_exception_stack = &jump;

	if (!started)
	{
		MemoryContextSwitchTo(cycle);
		start_up();
		started = true;
	}

	for (;;)
	{
		long		wait;

		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
			sched_watch_reconfigured(my_db);
		}
		if (database->leave ||
			GetCurrentTimestamp() - database->started_at > LIFETIME)
			depart(SCHED_EXIT_ASKED);
		MemoryContextSwitchTo(cycle);
		MemoryContextReset(cycle);
		if (!extension_is_there())
		{
			sched_pool_dismiss(my_db);
			sched_http_pool_dismiss(my_db);
			depart(SCHED_EXIT_NO_EXTENSION);
		}
		turn();
		/* an earlier scheduler may not have got as far as this */
		database->started_up = true;
		errors = 0;
		pgstat_report_stat(false);

		wait = time_to_sleep();
		if (wait > 0)
			(void) WaitLatch(MyLatch,
							 WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
							 wait, PG_WAIT_EXTENSION);
	}
}
