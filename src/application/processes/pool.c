/*-------------------------------------------------------------------------
 *
 * pool.c
 *	  The scheduler's care for the workers of its database.
 *
 * Workers are started when tasks are ready that nobody takes: the first of a
 * class at once, more only when the head of the class has waited for a moment,
 * since a warm worker runs thousands of short tasks in the time that another
 * one takes to start.  No free slot is not a failure: the tasks wait, and an
 * idle worker of another class is asked to leave.  Nor is it one when workers
 * die before their first task, by an administrator's hand, say, or for want of
 * connections: then it is tried again after a while.  What does fail is a role
 * that cannot log in: then its tasks fail with that reason.
 *
 * A class whose tasks have waited for a second while none of its workers began
 * another one is starving: then a busy worker of the class that has most is
 * told to leave after its present task, and the slot is kept for the class
 * that starves.  So classes with more work than sched.max_workers can do take turns, each
 * worker for a second at least, and nobody waits for longer than others' tasks last.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "application/tasks/attempt.h"
#include "application/processes/pool.h"
#include "catalog/pg_authid.h"
#include "infrastructure/memory/chores.h"
#include "infrastructure/clock.h"
#include "infrastructure/compat.h"
#include "infrastructure/memory/pending.h"
#include "infrastructure/settings.h"
#include "infrastructure/memory/wake.h"
#include "postmaster/bgworker.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#define PATIENCE		(2 * 1000)	/* microseconds before one more worker */
#define START_ATTEMPTS	3		/* at once, before we begin to wait in between */
#define MAX_WANTS		16
#define STILLBORN_AGE	(60 * USECS_PER_SEC)
#define STARVING_AFTER	USECS_PER_SEC
#define STARVING_LASTS	(3 * USECS_PER_SEC) /* unless its scheduler says it again */

typedef struct Want
{
	Oid			role;
	int			workers;
	bool		first;			/* the class has none yet */
	int			failures;
	bool		starving;
	TimestampTz since;			/* when it was first seen hungry */
} Want;

/* ---------- dead workers ---------- */

static void
settle_one(SchedWorker *worker)
{
	SchedAttempt attempt;
	SchedEnd	end = {0};
	SchedStopReason stop;
	SchedJob   *job;
	bool		ours;

	sched_lock(LW_SHARED);
	/* it may have ended its attempt, and another worker be at the next one */
	ours = worker->state == SCHED_WORKER_DEAD && worker->task != NULL &&
		worker->task->task_id == worker->task_id &&
		worker->task->attempt == worker->attempt &&
		worker->task->worker == worker - sched_shared->workers;
	if (ours)
		sched_attempt_copy(worker->task, &attempt);
	stop = worker->stop;
	sched_unlock();

	if (ours)
	{
		int			last = 0;
		char		status;
		bool		final = false;
		TimestampTz finished_at;

		SetCurrentStatementStartTimestamp();
		StartTransactionCommand();
		PushActiveSnapshot(GetTransactionSnapshot());
		job = sched_store_job(attempt.job_id);
		end.row_count = SCHED_UNSET;
		end.executor_id = SCHED_EXECUTOR_SQL;
		end.sqlstate = "57P01";
		end.error = "the worker that ran the task was terminated";
		switch (stop)
		{
			case SCHED_STOP_NONE:
				end.status = SCHED_OUTCOME_LOST;
				break;
			case SCHED_STOP_TIMEOUT:
				end.status = SCHED_OUTCOME_TIMEOUT;
				end.retryable = true;
				end.reason = "timeout; the task did not react to its cancellation";
				break;
			case SCHED_STOP_CANCEL:
				end.status = SCHED_OUTCOME_CANCELLED;
				end.reason = SCHED_ON_REQUEST;
				break;
			case SCHED_STOP_REPLACED:
				end.status = SCHED_OUTCOME_CANCELLED;
				end.reason = "replaced by a newer run";
				break;
		}
		if (!(sched_store_last_outcome(attempt.task_id, &last, &status, &final,
									   &finished_at) &&
			  last >= attempt.attempt))
			(void) sched_attempt_end(job, &attempt, &end, sched_clock_now());
		else if (final)
			sched_pending_finish_task(attempt.task_id);
		PopActiveSnapshot();
		CommitTransactionCommand();
	}

	sched_lock(LW_EXCLUSIVE);
	if (worker->state == SCHED_WORKER_DEAD)
	{
		worker->state = SCHED_WORKER_FREE;
		worker->database = InvalidOid;
		worker->task = NULL;
		sched_shared->workers_used--;
	}
	sched_unlock();
}

void
sched_pool_settle(int db)
{
	for (int i = 0; i < sched_max_workers; i++)
	{
		SchedWorker *worker = &sched_shared->workers[i];
		bool		dead;

		sched_lock(LW_SHARED);
		dead = worker->state == SCHED_WORKER_DEAD && worker->db == db &&
			worker->database == MyDatabaseId;
		sched_unlock();
		if (dead)
			settle_one(worker);
	}
}

/* ---------- starting ---------- */

void
sched_pool_start_failed(QClass *class)
{
	int			failures = ++class->start_failures;

	class->retry_start_at = failures < START_ATTEMPTS ? 0 :
		GetCurrentTimestamp() +
		Min(USECS_PER_SEC << Min(failures - START_ATTEMPTS, 6),
			USECS_PER_MINUTE);
}

static BackgroundWorkerHandle **handles;

/* Workers that never came: the postmaster could not start them. */
static void
notice_stillborn(int db)
{
	if (handles == NULL)
		handles = MemoryContextAllocZero(TopMemoryContext,
										 sched_max_workers *
										 sizeof(BackgroundWorkerHandle *));
	for (int i = 0; i < sched_max_workers; i++)
	{
		SchedWorker *worker = &sched_shared->workers[i];
		pid_t		pid;

		/* one that an earlier scheduler started has no handle: by its age */
		if (handles[i] != NULL &&
			GetBackgroundWorkerPid(handles[i], &pid) != BGWH_STOPPED)
			continue;
		sched_lock(LW_EXCLUSIVE);
		if (worker->state == SCHED_WORKER_STARTING && worker->db == db &&
			worker->database == MyDatabaseId && worker->proc == NULL &&
			(handles[i] != NULL ||
			 GetCurrentTimestamp() - worker->since > STILLBORN_AGE))
		{
			QClass	   *class = sched_queue_find_class(db, worker->role,
													   SCHED_KIND_SQL);

			if (class != NULL)
			{
				class->workers--;
				sched_pool_start_failed(class);
			}
			worker->state = SCHED_WORKER_FREE;
			worker->database = InvalidOid;
			sched_shared->workers_used--;
		}
		sched_unlock();
		if (handles[i] != NULL)
			pfree(handles[i]);
		handles[i] = NULL;
	}
}

static bool
is_starving(const QClass *class, TimestampTz now)
{
	return class->kind == SCHED_KIND_SQL &&
		now - class->starving_at < STARVING_LASTS;
}

/*
 * Ask a busy worker to leave after its task, one for each class that starves:
 * of those that have served for a while one whose class has most workers, and
 * more than the class that starves, and that has just begun its task.  Who
 * has been asked and is long about his task is not waited for.
 */
static void
make_way_for(const QClass *hungry, TimestampTz now)
{
	SchedWorker *victim = NULL;
	int			most = 0;
	int			cursor = 0;
	int			starving = 0;
	int			leaving = 0;
	QClass	   *class;

	while ((class = sched_queue_next_class(SCHED_ANY_DATABASE,
										   &cursor)) != NULL)
		starving += is_starving(class, now);
	for (int i = 0; i < sched_max_workers; i++)
	{
		SchedWorker *worker = &sched_shared->workers[i];

		if (worker->state == SCHED_WORKER_FREE)
			continue;
		if (worker->leave && now - worker->since < 2 * STARVING_AFTER)
			leaving++;
		if (worker->state != SCHED_WORKER_BUSY || worker->leave ||
			now - worker->started_at < STARVING_AFTER)
			continue;
		class = sched_queue_find_class(worker->db, worker->role,
									   SCHED_KIND_SQL);
		if (class == NULL || class == hungry ||
			(hungry->workers > 0 && class->workers <= hungry->workers))
			continue;
		if (class->workers > most ||
			(class->workers == most &&
			 worker->since > victim->since))
		{
			victim = worker;
			most = class->workers;
		}
	}
	if (victim != NULL && leaving < starving)
		victim->leave = true;	/* its exit wakes us */
}

/*
 * Has nobody of the class begun anything for a while, with tasks waiting and
 * nobody idle?  How long they have waited is no measure: that is long in a
 * backlog that is being worked off, too.
 */
static bool
has_starved(const QClass *class, int db, TimestampTz now)
{
	TimestampTz begun = class->hungry_since;

	for (int i = 0; i < sched_max_workers; i++)
	{
		SchedWorker *worker = &sched_shared->workers[i];

		if (worker->db == db && worker->role == class->role &&
			worker->database == MyDatabaseId &&
			worker->state == SCHED_WORKER_BUSY)
			begun = Max(begun, worker->since);
	}
	return now - begun >= STARVING_AFTER;
}

/* Classes that starve come first, when there are no more slots than for them. */
static bool
is_kept_for_others(const QClass *mine, TimestampTz now)
{
	int			free = sched_max_workers - sched_shared->workers_used;
	int			cursor = 0;
	QClass	   *class;

	if (is_starving(mine, now))
		return false;
	while ((class = sched_queue_next_class(SCHED_ANY_DATABASE,
										   &cursor)) != NULL)
		if (is_starving(class, now) && --free <= 0)
			return true;
	return false;
}

/* Take a free slot for the class, -1 when there is none. */
static int
reserve_slot(int db, Oid role)
{
	QClass	   *class;
	TimestampTz now = GetCurrentTimestamp();
	int			slot = -1;
	int			oldest = -1;

	sched_lock(LW_EXCLUSIVE);
	class = sched_queue_find_class(db, role, SCHED_KIND_SQL);
	if (class == NULL || is_kept_for_others(class, now))
	{
		/* or its last task has just ended: nobody would count the worker */
		sched_unlock();
		return -1;
	}
	for (int i = 0; i < sched_max_workers && slot < 0; i++)
	{
		SchedWorker *worker = &sched_shared->workers[i];

		if (worker->state == SCHED_WORKER_FREE)
			slot = i;
		else if (worker->state == SCHED_WORKER_IDLE && !worker->woken &&
				 !worker->leave &&
				 !(worker->db == db && worker->role == role) &&
				 (oldest < 0 ||
				  worker->since < sched_shared->workers[oldest].since))
			oldest = i;
	}
	if (slot >= 0)
	{
		SchedWorker *worker = &sched_shared->workers[slot];
		uint32		generation = worker->generation + 1;

		MemSet(worker, 0, sizeof(SchedWorker));
		worker->generation = generation;
		worker->state = SCHED_WORKER_STARTING;
		worker->database = MyDatabaseId;
		worker->db = db;
		worker->role = role;
		worker->since = now;
		sched_shared->workers_used++;
		class->workers++;
		class->starving_at = 0;
	}
	else if (oldest >= 0)
	{
		/* somebody idle makes room; its exit wakes us */
		sched_shared->workers[oldest].leave = true;
		sched_wake_worker(&sched_shared->workers[oldest]);
	}
	else if (is_starving(class, now))
		make_way_for(class, now);
	sched_unlock();
	return slot;
}

static bool
start_worker(int db, Oid role)
{
	BackgroundWorker worker = {0};
	int			slot = reserve_slot(db, role);
	bool		started;

	if (slot < 0)
		return false;

	worker.bgw_flags = BGWORKER_SHMEM_ACCESS |
		BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	worker.bgw_notify_pid = MyProcPid;
	worker.bgw_main_arg = Int32GetDatum(slot);
	strlcpy(worker.bgw_library_name, "sched", BGW_MAXLEN);
	strlcpy(worker.bgw_function_name, "sched_worker_main", BGW_MAXLEN);
	strlcpy(worker.bgw_type, "sched worker", BGW_MAXLEN);
	snprintf(worker.bgw_name, BGW_MAXLEN, "sched worker %d", slot + 1);
	memcpy(worker.bgw_extra, &sched_shared->workers[slot].generation,
		   sizeof(uint32));

	if (handles[slot] != NULL)
	{
		pfree(handles[slot]);
		handles[slot] = NULL;
	}
	{
		MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);

		started = RegisterDynamicBackgroundWorker(&worker, &handles[slot]);
		MemoryContextSwitchTo(old);
	}

	sched_lock(LW_EXCLUSIVE);
	if (!started)
	{
		QClass	   *class = sched_queue_find_class(db, role, SCHED_KIND_SQL);
		SchedDatabase *database = &sched_shared->databases[db];

		if (class != NULL)
			class->workers--;
		sched_shared->workers[slot].state = SCHED_WORKER_FREE;
		sched_shared->workers[slot].database = InvalidOid;
		sched_shared->workers_used--;
		handles[slot] = NULL;
		if (!database->no_worker_slot)
			database->no_slot_since = GetCurrentTimestamp();
	}
	sched_unlock();

	if (!started && !sched_shared->databases[db].no_worker_slot)
	{
		sched_shared->databases[db].no_worker_slot = true;
		ereport(LOG,
				(errmsg("sched: no free background worker slot, tasks wait"),
				 errhint("Increase max_worker_processes.")));
	}
	else if (started)
		sched_shared->databases[db].no_worker_slot = false;
	return started;
}

/* ---------- roles that cannot have a worker ---------- */

/* Why a worker for the role cannot start, or NULL. Needs a transaction. */
static char *
role_obstacle(Oid role)
{
	HeapTuple	tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(role));
	char	   *obstacle = NULL;

	if (!HeapTupleIsValid(tuple))
		return psprintf("role %u does not exist", role);
	if (!((Form_pg_authid) GETSTRUCT(tuple))->rolcanlogin)
		obstacle = psprintf("role \"%s\" cannot log in",
							NameStr(((Form_pg_authid) GETSTRUCT(tuple))->rolname));
	else if (!compat_may_connect(MyDatabaseId, role))
		obstacle = psprintf("role \"%s\" may not connect to the database",
							NameStr(((Form_pg_authid) GETSTRUCT(tuple))->rolname));
	ReleaseSysCache(tuple);
	return obstacle;
}

/* End the attempts of all ready tasks of the class with an error. */
static void
fail_class(int db, Oid role, const char *message)
{
	for (;;)
	{
		QClass	   *class;
		QTask	   *task = NULL;
		SchedAttempt attempt;
		SchedEnd	end = {0};
		TimestampTz now = sched_clock_now();

		sched_lock(LW_EXCLUSIVE);
		class = sched_queue_find_class(db, role, SCHED_KIND_SQL);
		if (class != NULL)
			task = sched_queue_take(class, now);
		if (task != NULL)
			sched_attempt_copy(task, &attempt);
		sched_unlock();
		if (task == NULL)
			return;

		end.status = SCHED_OUTCOME_FAILED;
		end.retryable = false;
		end.sqlstate = "28000";
		end.error = message;
		end.row_count = SCHED_UNSET;
		(void) sched_attempt_end(sched_store_job(attempt.job_id), &attempt,
								 &end, now);
		CommandCounterIncrement();
	}
}

/*
 * Tasks that were taken to be failed, by a transaction that did not commit:
 * nobody runs them.
 */
void
sched_pool_put_back(int db)
{
	uint32		cursor = 0;
	QTask	   *task;

	sched_lock(LW_EXCLUSIVE);
	while ((task = sched_queue_next_task(db, &cursor)) != NULL)
		if (sched_task_status_holds_lease(task->status) && task->worker == -1 &&
			task->executor == 0 && task->lane->spec.kind == SCHED_KIND_SQL)
			sched_queue_retry(task, sched_clock_now(), false);
	sched_unlock();
}

/* True when workers may be started for the role. */
static bool
check_role(int db, const Want *want)
{
	char	   *obstacle;

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	obstacle = role_obstacle(want->role);
	if (obstacle == NULL && want->failures == START_ATTEMPTS)
		ereport(LOG,
				(errmsg("sched: workers for role \"%s\" do not start, its tasks wait",
						GetUserNameFromId(want->role, true)),
				 errhint("The lines above say why; it is tried again, at the latest once a minute.")));
	if (obstacle != NULL)
	{
		fail_class(db, want->role, obstacle);
		sched_lock(LW_EXCLUSIVE);
		sched_chores_fail_role(db, want->role, obstacle);
		sched_unlock();
	}
	PopActiveSnapshot();
	CommitTransactionCommand();
	return obstacle == NULL;
}

/* Has nothing waited for so long that it needs one more worker? */
static bool
is_patient(TimestampTz queued_at, int ready, int chores,
		   TimestampTz chores_since)
{
	if (chores > 0 && GetCurrentTimestamp() - chores_since >= PATIENCE)
		return false;
	if (ready == 0)
		return true;
	return sched_clock_now() - queued_at < PATIENCE;
}

/* Keep the wants sorted: who starves first, then who has waited longest. */
static int
add_want(Want *wants, int count, const Want *want)
{
	int			i = count;

	while (i > 0 && (want->starving > wants[i - 1].starving ||
					 (want->starving == wants[i - 1].starving &&
					  want->since < wants[i - 1].since)))
		i--;
	if (i == MAX_WANTS)
		return count;
	memmove(&wants[i + 1], &wants[i],
			(Min(count, MAX_WANTS - 1) - i) * sizeof(Want));
	wants[i] = *want;
	return Min(count + 1, MAX_WANTS);
}

/* Workers of the class that have nothing to do, or soon will. */
static int
count_idle(int db, Oid role)
{
	int			idle = 0;

	for (int i = 0; i < sched_max_workers; i++)
	{
		SchedWorker *worker = &sched_shared->workers[i];

		if (worker->db == db && worker->role == role &&
			worker->database == MyDatabaseId && !worker->leave &&
			(worker->state == SCHED_WORKER_IDLE ||
			 worker->state == SCHED_WORKER_STARTING))
			idle++;
	}
	return idle;
}

static void
note_hunger(QClass *class, int db, bool hungry, TimestampTz now)
{
	if (!hungry)
	{
		class->hungry_since = 0;
		class->starving_at = 0;
	}
	else if (class->hungry_since == 0)
		class->hungry_since = now;
	else if (has_starved(class, db, now))
		class->starving_at = now;
}

/*
 * The classes that want workers, those first that need them most; *again is when
 * to look again at the latest, 0: when somebody says so.
 */
static int
find_wants(int db, Want *wants, TimestampTz *again)
{
	SchedDatabase *database = &sched_shared->databases[db];
	TimestampTz real_now = GetCurrentTimestamp();
	int			count = 0;
	int			cursor = 0;
	QClass	   *class;

	*again = 0;
	sched_lock(LW_EXCLUSIVE);
	database->want_workers = false;
	while (!database->held &&
		   (class = sched_queue_next_class(db, &cursor)) != NULL)
	{
		Want		want;
		int			idle = 0;
		TimestampTz queued_at;
		int			ready = 0;
		TimestampTz chores_since;
		int			chores;

		if (class->kind != SCHED_KIND_SQL)
			continue;
		ready = sched_queue_startable(class, &queued_at);
		chores = sched_chores_due(db, class->role, &chores_since);
		/* chores are no jobs, no limit of those holds them back */
		if (sched_max_concurrent_jobs > 0 &&
			database->running >= sched_max_concurrent_jobs)
			ready = 0;
		if (ready + chores > 0 && class->retry_start_at > real_now)
		{
			*again = *again == 0 ? class->retry_start_at :
				Min(*again, class->retry_start_at);
			ready = chores = 0;
		}
		if (ready + chores > 0)
			idle = count_idle(db, class->role);
		note_hunger(class, db, ready + chores > 0 && idle == 0, real_now);
		if (ready + chores <= idle)
			continue;
		if (class->workers > 0 && !sched_clock_is_frozen() &&
			is_patient(queued_at, ready, chores, chores_since))
		{
			*again = real_now + PATIENCE;	/* sooner than anything else */
			continue;
		}
		want.role = class->role;
		want.workers = Min(ready + chores - idle, sched_max_workers);
		want.first = class->workers == 0;
		want.failures = class->start_failures;
		want.starving = is_starving(class, real_now);
		want.since = class->hungry_since;
		count = add_want(wants, count, &want);
	}
	sched_unlock();
	if (count > 0)
		*again = *again == 0 ? real_now + STARVING_AFTER / 2 :
			Min(*again, real_now + STARVING_AFTER / 2);
	return count;
}

TimestampTz
sched_pool_grow(int db)
{
	Want		wants[MAX_WANTS];
	TimestampTz again;
	int			count;

	notice_stillborn(db);
	count = find_wants(db, wants, &again);

	/* everybody's first before anybody's second */
	for (int round = 0; count > 0 && round < sched_max_workers; round++)
	{
		bool		progress = false;

		for (int i = 0; i < count; i++)
		{
			if (round >= wants[i].workers)
				continue;
			if (round == 0 && wants[i].first && !check_role(db, &wants[i]))
			{
				wants[i].workers = 0;
				continue;
			}
			if (start_worker(db, wants[i].role))
				progress = true;
			else if (sched_shared->databases[db].no_worker_slot)
				return GetCurrentTimestamp() + USECS_PER_SEC;
		}
		if (!progress)
			break;
		if (count == MAX_WANTS)
			again = GetCurrentTimestamp() + PATIENCE;	/* others, too */
	}
	return again;
}

void
sched_pool_dismiss(int db)
{
	sched_lock(LW_EXCLUSIVE);
	for (int i = 0; i < sched_max_workers; i++)
	{
		SchedWorker *worker = &sched_shared->workers[i];

		if (worker->state != SCHED_WORKER_FREE && worker->db == db)
		{
			worker->leave = true;
			sched_wake_worker(worker);
		}
	}
	sched_unlock();
}

void
sched_pool_enforce(QTask *task, SchedStopReason reason, bool at_once)
{
	SchedWorker *worker;

	if (task->executor != 0 && reason != SCHED_STOP_TIMEOUT)
	{
		/* its executor hears of it with its next beat */
		if (task->stop == SCHED_STOP_NONE)
			task->stop = reason;
		sched_queue_set_timer(task, at_once ? sched_clock_now() :
							  sched_clock_now() +
							  sched_cancel_grace * USECS_PER_SEC);
	}
	if (sched_queue_stop_http(task, reason) || task->worker < 0)
		return;
	worker = &sched_shared->workers[task->worker];
	if (worker->state != SCHED_WORKER_BUSY || worker->task != task)
		return;
	if (worker->stop == SCHED_STOP_NONE && !at_once)
	{
		worker->stop = reason;
		sched_wake_cancel(worker);
	}
	else
	{
		if (worker->stop == SCHED_STOP_NONE)
			worker->stop = reason;
		worker->terminated = true;
		sched_wake_terminate(worker);
	}
	sched_queue_set_timer(task, sched_clock_now() +
						  sched_cancel_grace * USECS_PER_SEC);
}
