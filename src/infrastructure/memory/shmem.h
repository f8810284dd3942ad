/*-------------------------------------------------------------------------
 *
 * shmem.h
 *	  What the processes of sched share, apart from the queue itself.
 *
 * Everything here is guarded by sched_shared->lock unless said otherwise.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_SHMEM_H
#define SCHED_SHMEM_H

#include "infrastructure/memory/counters.h"
#include "infrastructure/pgzone.h"
#include "lib/ilist.h"
#include "lib/pairingheap.h"
#include "port/atomics.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "storage/proc.h"
#include "utils/timestamp.h"

#define SCHED_MAX_DATABASES		128 /* with the extension, in one server */
#define SCHED_MAX_HOLDS			16
#define SCHED_CHANGE_RING		4096
#define SCHED_MOVED_RING		1024
#define SCHED_CHANGE_ALL		0	/* a job_id that stands for every job */

typedef enum SchedDatabaseState
{
	SCHED_DB_FREE,				/* the slot is not in use */
	SCHED_DB_STARTING,			/* scheduler registered, not yet attached */
	SCHED_DB_RUNNING,			/* scheduler attached */
	SCHED_DB_STOPPED			/* scheduler gone, slot kept for a restart */
} SchedDatabaseState;

/* Why a scheduler left, for the launcher. */
typedef enum SchedExitReason
{
	SCHED_EXIT_FAILED,			/* error or signal: start again */
	SCHED_EXIT_NO_EXTENSION,	/* nothing to do in this database */
	SCHED_EXIT_ASKED			/* somebody needs the database to be empty */
} SchedExitReason;

typedef enum SchedWorkerState
{
	SCHED_WORKER_FREE,
	SCHED_WORKER_STARTING,
	SCHED_WORKER_IDLE,
	SCHED_WORKER_BUSY,
	SCHED_WORKER_DEAD			/* gone with a task in hand: to be settled */
} SchedWorkerState;

/* The one process of a database that does HTTP. */
typedef struct SchedHttpWorker
{
	SchedWorkerState state;		/* DEAD while its tasks are to be settled */
	uint32		generation;		/* counts the users of this struct */
	PGPROC	   *proc;
	pid_t		pid;
	bool		leave;			/* asked to go */
	bool		terminated;		/* SIGTERM has been sent */
	bool		woken;			/* its latch was set, it has not looked yet */
	bool		stops;			/* one of its tasks was told to stop */
	bool		wanted;			/* there is work and nobody to do it */
	bool		deliveries;		/* events may be due to be sent */
	int			start_failures; /* in a row */
	TimestampTz since;			/* of the state, real time */
	TimestampTz retry_start_at; /* real time; no new one before */
	TimestampTz started_at;
	int			in_flight;
	uint64		tasks_done;
	uint32		secret_generation;	/* counts the changes of _secret */
} SchedHttpWorker;

/* One database with a scheduler. */
typedef struct SchedDatabase
{
	Oid			database;
	SchedDatabaseState state;
	SchedExitReason exit_reason;
	PGPROC	   *scheduler;		/* NULL: none */
	pid_t		scheduler_pid;
	TimestampTz started_at;
	TimestampTz last_cycle_at;	/* real time */
	uint64		cycles;			/* full turns of the scheduler's loop */
	bool		leave;			/* the scheduler is asked to go */
	bool		rescan;			/* the queue may lack tasks: read them all */
	bool		loaded;			/* the queue has been read from the tables */
	bool		started_up;		/* what starts with the server has fired */
	bool		held;			/* restored copy: nothing runs */
	bool		no_worker_slot; /* the server had no room for a worker */
	TimestampTz no_slot_since;
	int64		triggers;		/* triggers in the scheduler's heap */
	TimestampTz next_fire_at;	/* of its first trigger, 0: none */
	TimestampTz horizon;		/* tasks due before it are in memory */
	TimestampTz sleep_until;	/* when the scheduler looks again by itself */
	uint32		segment_generation; /* counts the changes of _segment */
	uint32		job_generation; /* counts the changes of _job and _trigger */
	uint32		listener_generation;	/* those of who listens to events */
	bool		events;			/* some were recorded, the scheduler is to
								 * look */
	uint32		type_generation;	/* counts the changes of _task_type */
	uint32		pool_generation;	/* counts the changes of _pool */

	/* the queue's part, see infrastructure/memory/queue.h */
	pairingheap timers;
	int			tasks;			/* in memory */
	int			running;		/* assigned or running */
	int			ready;			/* ready, whether held back or not */
	int			spilled_lanes;	/* lanes with tasks left out */
	int			unrouted;		/* ready tasks that no executor may have yet */
	bool		want_routes;	/* some wait for an answer of the scheduler */
	bool		want_workers;	/* a class has tasks and nobody idle */
	bool		want_refill;	/* a lane with left-out tasks has room */
	bool		reading;		/* live tasks are being read from the tables */
	dlist_head	tombs;			/* tasks that have ended since */

	/* see infrastructure/memory/chores.h */
	int			chores;			/* of this database */
	bool		chores_refused; /* there was no room for one */

	SchedCounters counters;		/* atomics, without the lock */
	SchedHttpWorker http;
	/* external executors, see infrastructure/memory/executors.h */
	pairingheap beats;			/* by when each may be lost */
	bool		executors_loaded;	/* read from their table */
	bool		settle_executors;	/* some have leases to be taken back */
	int			leased;			/* tasks that they have */
	bool		hint;			/* NOTIFY that there are tasks */
	dlist_head	waiters;		/* sessions that wait for tasks */

	/* jobs whose definition changed, for the scheduler */
	int			change_count;
	bool		change_overflow;
	int64		changes[SCHED_CHANGE_RING];

	/* jobs of which a task began or ended, while somebody waits for such */
	int			watches;		/* edges that the scheduler watches */
	int			moved_count;
	bool		moved_overflow;
	int64		moved[SCHED_MOVED_RING];

	/* waiting tasks that memory has no room for, and what has happened to some */
	bool		strays;
	int			stray_count;
	bool		stray_overflow;
	int64		stray[SCHED_MOVED_RING];
} SchedDatabase;

/* Why a running task was told to stop. */
typedef enum SchedStopReason
{
	SCHED_STOP_NONE,
	SCHED_STOP_TIMEOUT,
	SCHED_STOP_CANCEL,
	SCHED_STOP_REPLACED			/* overlap policy: a newer run takes over */
} SchedStopReason;

struct QTask;
struct QClass;

/* One background worker that runs tasks. */
typedef struct SchedWorker
{
	SchedWorkerState state;
	uint32		generation;		/* counts the users of the slot */
	Oid			database;
	int			db;				/* index of the database's slot */
	Oid			role;
	PGPROC	   *proc;
	pid_t		pid;
	bool		leave;			/* asked to go when idle */
	bool		woken;			/* its latch was set for a new task */
	TimestampTz since;			/* when it became idle or busy, real time */
	TimestampTz started_at;
	uint64		tasks_done;

	/* the task in hand */
	struct QTask *task;
	int64		task_id;
	int			attempt;
	SchedStopReason stop;
	bool		terminated;		/* SIGTERM has been sent for this task */
	int			chore;			/* instead of a task: its index + 1 */
} SchedWorker;

/* Somebody needs a database without sessions of ours. */
typedef struct SchedHold
{
	Oid			database;		/* InvalidOid: free */
	pid_t		holder;
} SchedHold;

typedef struct SchedShared
{
	LWLock	   *lock;
	pg_atomic_uint64 frozen_clock;
	SchedZoneShare zone;		/* the server's TimeZone */
	PGPROC	   *launcher;		/* NULL: none */
	pid_t		launcher_pid;
	bool		probe;			/* a database may have got the extension */
	int			workers_used;	/* slots that are not free */
	SchedHold	holds[SCHED_MAX_HOLDS];
	SchedDatabase databases[SCHED_MAX_DATABASES];
	SchedWorker workers[FLEXIBLE_ARRAY_MEMBER];
} SchedShared;

/* NULL when the library was not preloaded. */
extern SchedShared *sched_shared;

extern void sched_shmem_install_hooks(void);

/* Raises an error when the library was not preloaded. */
extern void sched_shmem_require(void);

/* The database's slot or NULL; the index of the caller's own, or -1. */
extern SchedDatabase *sched_shmem_database(Oid database);
extern int	sched_shmem_my_database(void);

/* Is somebody waiting for this database to be empty? */
extern bool sched_shmem_is_held(Oid database);

/* Note a changed job for the database's scheduler. */
extern void sched_shmem_note_change(SchedDatabase *db, int64 job_id);

/* Note that a letter has come for a waiting task that is not in memory. */
extern void sched_shmem_note_stray(SchedDatabase *db, int64 task_id);

/* Note that a task of a job began or ended, if the scheduler watches any. */
extern void sched_shmem_note_moved(SchedDatabase *db, int64 job_id);

static inline void
sched_lock(LWLockMode mode)
{
	LWLockAcquire(sched_shared->lock, mode);
}

static inline void
sched_unlock(void)
{
	LWLockRelease(sched_shared->lock);
}

#endif							/* SCHED_SHMEM_H */
