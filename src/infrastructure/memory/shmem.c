/*-------------------------------------------------------------------------
 *
 * shmem.c
 *	  Allocation of what the processes of sched share.
 *
 * Fixed in size, from sched.max_workers and sched.max_queued_tasks, and
 * allocated at server start.  Pages that are never touched cost no memory.
 * After a crash of any process the postmaster makes it anew, and the
 * schedulers fill it from the tables.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "infrastructure/memory/chores.h"
#include "infrastructure/memory/executors.h"
#include "infrastructure/pgzone.h"
#include "infrastructure/memory/queue_class.h"
#include "infrastructure/memory/queue_route.h"
#include "infrastructure/settings.h"
#include "infrastructure/memory/shmem.h"
#include "infrastructure/memory/waiters.h"
#include "infrastructure/memory/wake.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/shmem.h"

SchedShared *sched_shared = NULL;

static shmem_request_hook_type previous_request_hook;
static shmem_startup_hook_type previous_startup_hook;

static Size
shared_size(void)
{
	return add_size(offsetof(SchedShared, workers),
					mul_size(sizeof(SchedWorker), sched_max_workers));
}

static void
request_shmem(void)
{
	if (previous_request_hook)
		previous_request_hook();
	RequestAddinShmemSpace(shared_size());
	RequestAddinShmemSpace(sched_queue_size());
	RequestAddinShmemSpace(sched_chores_size());
	RequestAddinShmemSpace(sched_executors_size());
	RequestAddinShmemSpace(sched_waiters_size());
	RequestAddinShmemSpace(sched_classes_size());
	RequestAddinShmemSpace(sched_routes_size());
	RequestNamedLWLockTranche("sched", 1);
}

static void
startup_shmem(void)
{
	bool		found;

	if (previous_startup_hook)
		previous_startup_hook();

	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	sched_shared = ShmemInitStruct("sched", shared_size(), &found);
	if (!found)
	{
		MemSet(sched_shared, 0, shared_size());
		sched_shared->lock = &(GetNamedLWLockTranche("sched"))->lock;
		pg_atomic_init_u64(&sched_shared->frozen_clock, 0);
		for (int i = 0; i < SCHED_MAX_DATABASES; i++)
			sched_counters_init(&sched_shared->databases[i].counters);
	}
	sched_pgzone_share_attach(&sched_shared->zone, found);
	sched_queue_attach(found);
	sched_chores_attach(found);
	sched_executors_attach(found);
	sched_waiters_attach(found);
	sched_classes_attach(found);
	sched_routes_attach(found);
	LWLockRelease(AddinShmemInitLock);
}

void
sched_shmem_install_hooks(void)
{
	previous_request_hook = shmem_request_hook;
	shmem_request_hook = request_shmem;
	previous_startup_hook = shmem_startup_hook;
	shmem_startup_hook = startup_shmem;
}

void
sched_shmem_require(void)
{
	if (sched_shared == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("sched is not loaded"),
				 errdetail("The library has to be loaded at server start."),
				 errhint("Add sched to shared_preload_libraries and restart the server.")));
}

SchedDatabase *
sched_shmem_database(Oid database)
{
	for (int i = 0; i < SCHED_MAX_DATABASES; i++)
	{
		SchedDatabase *db = &sched_shared->databases[i];

		if (db->state != SCHED_DB_FREE && db->database == database)
			return db;
	}
	return NULL;
}

/*
 * A slot, once given to a database, stays with it as long as anything in the
 * queue belongs to it, so the index may be cached; the database is checked.
 */
int
sched_shmem_my_database(void)
{
	static int	cached = -1;
	SchedDatabase *db;

	if (cached >= 0 &&
		sched_shared->databases[cached].state != SCHED_DB_FREE &&
		sched_shared->databases[cached].database == MyDatabaseId)
		return cached;
	db = sched_shmem_database(MyDatabaseId);
	cached = db == NULL ? -1 : (int) (db - sched_shared->databases);
	return cached;
}

bool
sched_shmem_is_held(Oid database)
{
	if (!OidIsValid(database))
		return false;
	for (int i = 0; i < SCHED_MAX_HOLDS; i++)
		if (sched_shared->holds[i].database == database)
			return true;
	return false;
}

void
sched_shmem_note_change(SchedDatabase *db, int64 job_id)
{
	if (db->change_overflow)
		return;
	if (job_id == SCHED_CHANGE_ALL || db->change_count == SCHED_CHANGE_RING)
		db->change_overflow = true;
	else if (db->change_count == 0 ||
			 db->changes[db->change_count - 1] != job_id)
		db->changes[db->change_count++] = job_id;
}

void
sched_shmem_note_moved(SchedDatabase *db, int64 job_id)
{
	if (db->watches == 0)
		return;
	if (db->moved_count == SCHED_MOVED_RING)
		db->moved_overflow = true;
	else if (db->moved_count == 0 ||
			 db->moved[db->moved_count - 1] != job_id)
		db->moved[db->moved_count++] = job_id;
	sched_wake_scheduler(db);
}

void
sched_shmem_note_stray(SchedDatabase *db, int64 task_id)
{
	if (!db->strays)
		return;
	if (db->stray_count == SCHED_MOVED_RING)
		db->stray_overflow = true;
	else
		db->stray[db->stray_count++] = task_id;
	sched_wake_scheduler(db);
}
