/*-------------------------------------------------------------------------
 *
 * chores.c
 *	  User code that the scheduler wants to know the answer of, as work for
 *	  the SQL workers of a role.
 *
 * The scheduler never runs what a user wrote: when a custom trigger fires next
 * is found out by a worker that is connected as the job's owner.  A chore is the
 * request for that, one entry of a small array in shared memory.  It holds no
 * data but two ids and no answer: a worker reads in the tables what is to
 * be done and writes the answer there.  So a chore may be lost with the
 * server at any time: whoever needs the answer sees in the tables that it is
 * missing, and asks again.
 *
 * WAITING --a worker takes it--> RUNNING --done--> free
 *                                        --failed--> WAITING, after a delay
 *                                        --failed for good--> FAILED
 * FAILED --the scheduler has put it into quarantine--> free
 *
 * The worker's time is measured by the scheduler: at the deadline SIGINT,
 * sched.cancel_grace later SIGTERM, as for tasks.  A worker that leaves with a
 * chore in hand counts as a failure of the chore.
 *
 * The lock of shared memory is held by the caller.  Each search goes over the
 * whole array, but only in databases that have a chore.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "infrastructure/memory/chores.h"
#include "infrastructure/memory/queue.h"
#include "infrastructure/settings.h"
#include "infrastructure/memory/wake.h"
#include "mb/pg_wchar.h"
#include "storage/shmem.h"

#define FIRST_DELAY		(1 * USECS_PER_SEC) /* after a failure, then tripled */

typedef struct ChoresShared
{
	uint64		last_order;
	int			touched;		/* never used beyond */
	SchedChore	chores[SCHED_MAX_CHORES];
} ChoresShared;

static ChoresShared *shared;

Size
sched_chores_size(void)
{
	return sizeof(ChoresShared);
}

void
sched_chores_attach(bool found)
{
	shared = ShmemInitStruct("sched chores", sched_chores_size(), &found);
	if (!found)
		MemSet(shared, 0, sizeof(ChoresShared));
}

SchedChore *
sched_chores_get(int chore)
{
	return &shared->chores[chore];
}

/* Let a worker of the role know, or have one started. */
static void
wake_worker(const SchedChore *chore)
{
	QClass	   *class = sched_queue_find_class(chore->db, chore->role,
											   SCHED_KIND_SQL);

	if (class != NULL)
		sched_queue_wake_class(class);
}

static void
wait_for_worker(SchedChore *chore, TimestampTz not_before)
{
	chore->state = SCHED_CHORE_WAITING;
	chore->since = GetCurrentTimestamp();
	chore->not_before = not_before;
	chore->order = ++shared->last_order;
	chore->worker = -1;
	chore->again = false;
	if (not_before == 0)
		wake_worker(chore);
	else
		sched_wake_scheduler(&sched_shared->databases[chore->db]);
}

bool
sched_chores_put(int db, Oid role, SchedChoreKind kind, int64 id1, int64 id2)
{
	SchedDatabase *database = &sched_shared->databases[db];
	SchedChore *chore = NULL;
	int			same_role = 0;

	for (int i = 0; i < shared->touched; i++)
	{
		SchedChore *other = &shared->chores[i];

		if (other->state == SCHED_CHORE_FREE)
		{
			if (chore == NULL)
				chore = other;
			continue;
		}
		if (other->db != db)
			continue;
		if (other->kind == kind && other->id1 == id1 && other->id2 == id2)
		{
			/* what it has read, or failed at, may be out of date */
			if (other->state == SCHED_CHORE_RUNNING)
				other->again = true;
			else if (other->state == SCHED_CHORE_FAILED)
			{
				other->failures = 0;
				wait_for_worker(other, 0);
			}
			return true;
		}
		if (other->role == role)
			same_role++;
	}
	if (chore == NULL && shared->touched < SCHED_MAX_CHORES)
		chore = &shared->chores[shared->touched++];
	if (chore == NULL || same_role >= SCHED_CHORES_PER_ROLE ||
		!sched_queue_hold_class(db, role))
	{
		database->chores_refused = true;
		return false;
	}
	MemSet(chore, 0, sizeof(SchedChore));
	chore->db = db;
	chore->role = role;
	chore->kind = kind;
	chore->id1 = id1;
	chore->id2 = id2;
	database->chores++;
	wait_for_worker(chore, 0);
	return true;
}

static int
running_of(int db, Oid role)
{
	int			running = 0;

	for (int i = 0; i < shared->touched; i++)
		if (shared->chores[i].state == SCHED_CHORE_RUNNING &&
			shared->chores[i].db == db && shared->chores[i].role == role)
			running++;
	return running;
}

int
sched_chores_take(int db, Oid role, int worker)
{
	SchedDatabase *database = &sched_shared->databases[db];
	TimestampTz now;
	SchedChore *next = NULL;

	if (database->chores == 0 || database->held || !sched_enabled)
		return -1;
	now = GetCurrentTimestamp();
	for (int i = 0; i < shared->touched; i++)
	{
		SchedChore *chore = &shared->chores[i];

		if (chore->state == SCHED_CHORE_WAITING && chore->db == db &&
			chore->role == role && chore->not_before <= now &&
			(next == NULL || chore->order < next->order))
			next = chore;
	}
	if (next == NULL || running_of(db, role) >= SCHED_CHORES_AT_ONCE)
		return -1;
	next->state = SCHED_CHORE_RUNNING;
	next->since = now;
	next->worker = worker;
	next->deadline = now + (int64) sched_callback_timeout * 1000;
	return next - shared->chores;
}

void
sched_chores_forget(int index)
{
	SchedChore *chore = &shared->chores[index];

	sched_queue_release_class(chore->db, chore->role);
	sched_shared->databases[chore->db].chores--;
	chore->state = SCHED_CHORE_FREE;
	for (int i = 0; i < SCHED_MAX_DATABASES; i++)
	{
		SchedDatabase *database = &sched_shared->databases[i];

		if (database->chores_refused)
		{
			database->chores_refused = false;
			sched_wake_scheduler(database);
		}
	}
}

void
sched_chores_done(int index)
{
	SchedChore *chore = &shared->chores[index];

	if (!chore->again)
	{
		sched_chores_forget(index);
		return;
	}
	chore->failures = 0;
	wait_for_worker(chore, 0);
}

void
sched_chores_failed(int index, const char *error, bool for_good)
{
	SchedChore *chore = &shared->chores[index];
	int64		delay = FIRST_DELAY;

	if (chore->again)
	{
		/* what it failed at has changed in the meantime */
		chore->failures = 0;
		wait_for_worker(chore, 0);
		return;
	}
	strlcpy(chore->error, error, sizeof(chore->error));
	if (strlen(error) >= sizeof(chore->error))
		chore->error[pg_mbcliplen(error, strlen(error),
								  sizeof(chore->error) - 1)] = '\0';
	chore->failures++;
	if (for_good || chore->failures >= SCHED_CHORE_ATTEMPTS)
	{
		chore->state = SCHED_CHORE_FAILED;
		chore->since = GetCurrentTimestamp();
		chore->worker = -1;
		sched_wake_scheduler(&sched_shared->databases[chore->db]);
		return;
	}
	for (int i = 1; i < chore->failures; i++)
		delay *= 3;
	wait_for_worker(chore, GetCurrentTimestamp() + delay);
}

void
sched_chores_fail_role(int db, Oid role, const char *error)
{
	for (int i = 0; i < shared->touched; i++)
	{
		SchedChore *chore = &shared->chores[i];

		if (chore->state == SCHED_CHORE_WAITING && chore->db == db &&
			chore->role == role)
			sched_chores_failed(i, error, true);
	}
}

int
sched_chores_due(int db, Oid role, TimestampTz *since)
{
	TimestampTz now;
	int			due = 0;

	*since = 0;
	if (sched_shared->databases[db].chores == 0)
		return 0;
	now = GetCurrentTimestamp();
	for (int i = 0; i < shared->touched; i++)
	{
		SchedChore *chore = &shared->chores[i];
		TimestampTz from = Max(chore->since, chore->not_before);

		if (chore->state != SCHED_CHORE_WAITING || chore->db != db ||
			chore->role != role || from > now)
			continue;
		due++;
		if (*since == 0 || from < *since)
			*since = from;
	}
	return Min(due, Max(SCHED_CHORES_AT_ONCE - running_of(db, role), 0));
}

TimestampTz
sched_chores_next(int db)
{
	TimestampTz next = 0;
	TimestampTz now;

	if (sched_shared->databases[db].chores == 0)
		return 0;
	now = GetCurrentTimestamp();
	for (int i = 0; i < shared->touched; i++)
	{
		SchedChore *chore = &shared->chores[i];
		TimestampTz at = 0;

		if (chore->db != db)
			continue;
		if (chore->state == SCHED_CHORE_RUNNING)
			at = chore->deadline;
		else if (chore->state == SCHED_CHORE_WAITING)
		{
			/* once it runs, its deadline is not before that */
			at = chore->not_before > now ? chore->not_before :
				now + (int64) sched_callback_timeout * 1000;
		}
		else if (chore->state == SCHED_CHORE_FAILED)
			at = now;
		if (at != 0 && (next == 0 || at < next))
			next = at;
	}
	return next;
}

/* A worker that takes too long: it is asked to stop, then it is stopped. */
static void
enforce(SchedChore *chore, TimestampTz now)
{
	SchedWorker *worker = &sched_shared->workers[chore->worker];

	if (worker->chore != chore - shared->chores + 1)
		return;
	if (worker->stop == SCHED_STOP_NONE)
	{
		worker->stop = SCHED_STOP_TIMEOUT;
		sched_wake_cancel(worker);
	}
	else
	{
		worker->terminated = true;
		sched_wake_terminate(worker);
	}
	chore->deadline = now + sched_cancel_grace * USECS_PER_SEC;
}

void
sched_chores_tick(int db)
{
	TimestampTz now;

	if (sched_shared->databases[db].chores == 0)
		return;
	now = GetCurrentTimestamp();
	for (int i = 0; i < shared->touched; i++)
	{
		SchedChore *chore = &shared->chores[i];

		if (chore->db != db)
			continue;
		if (chore->state == SCHED_CHORE_RUNNING && chore->deadline <= now)
			enforce(chore, now);
		else if (chore->state == SCHED_CHORE_WAITING &&
				 chore->not_before <= now)
		{
			if (chore->not_before != 0)
				chore->since = now;
			chore->not_before = 0;
			/* also one that waited for the end of others of its role */
			if (running_of(db, chore->role) < SCHED_CHORES_AT_ONCE)
				wake_worker(chore);
		}
	}
}

int
sched_chores_next_failed(int db, int *cursor)
{
	if (sched_shared->databases[db].chores == 0)
		return -1;
	while (*cursor < shared->touched)
	{
		int			i = (*cursor)++;

		if (shared->chores[i].state == SCHED_CHORE_FAILED &&
			shared->chores[i].db == db)
			return i;
	}
	return -1;
}

void
sched_chores_purge(int db)
{
	for (int i = 0; i < shared->touched; i++)
		if (shared->chores[i].state != SCHED_CHORE_FREE &&
			shared->chores[i].db == db)
			sched_chores_forget(i);
	sched_shared->databases[db].chores_refused = false;
}
