/*-------------------------------------------------------------------------
 *
 * executors.h
 *	  The external executors, in shared memory.
 *
 * See doc/internals/executors.md.  Every function needs sched_shared->lock held
 * exclusively unless it says otherwise; none can fail.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_EXECUTORS_H
#define SCHED_EXECUTORS_H

#include "infrastructure/memory/queue.h"

#define SCHED_EXECUTOR_NAME_BYTES	128 /* with the zero */
#define SCHED_EXECUTOR_TYPES		32
#define SCHED_EXECUTOR_TAGS			64
#define SCHED_EXECUTOR_LOAD_BYTES	512
#define SCHED_EXECUTOR_LOST			32	/* lost leases that are remembered */
#define SCHED_TOKEN_DIGEST_BYTES	32

/* Ids of the built-in executors; others have SCHED_EXECUTOR_FIRST or more. */
#define SCHED_EXECUTOR_SQL			1
#define SCHED_EXECUTOR_HTTP			2
#define SCHED_EXECUTOR_FIRST		10

typedef enum SchedExecutorStatus
{
	SCHED_EXECUTOR_REGISTERED,	/* has not been activated yet */
	SCHED_EXECUTOR_ONLINE,
	SCHED_EXECUTOR_OFFLINE,		/* silent for too long, or switched off */
	SCHED_EXECUTOR_DRAINING,	/* ends what it has, takes nothing new */
	SCHED_EXECUTOR_MAINTENANCE	/* drained: nothing of it is left */
} SchedExecutorStatus;

/* What the row of an executor says. */
typedef struct QExecutorSpec
{
	int			executor_id;
	char		name[SCHED_EXECUTOR_NAME_BYTES];
	Oid			owner;
	SchedExecutorStatus status;
	bool		active;			/* a beat brings it online; else only
								 * activate_executor() does */
	int			max_concurrent;
	int			type_count;		/* 0: any type that is not built in */
	uint32		types[SCHED_EXECUTOR_TYPES];	/* kinds of classes */
	int			tag_count;
	uint32		tags[SCHED_EXECUTOR_TAGS];
	uint8		digest[SCHED_TOKEN_DIGEST_BYTES];
} QExecutorSpec;

typedef struct QExecutor
{
	uint32		next;			/* in its hash chain by id, or the free list */
	uint32		next_name;		/* in its hash chain by name */
	int			db;				/* -1: free */
	QExecutorSpec spec;
	int			hidden_pid;		/* registered by its transaction, which has
								 * not committed; 0: none */
	SchedExecutorStatus row_status; /* what its row said last */
	int			undelivered;	/* leases that it has not been told of */
	bool		gone;			/* deregistered; leases are left */
	bool		settle;			/* the scheduler has to take leases back */
	bool		timed;			/* in the heap of beats */
	int			running;		/* leases: assigned or running */
	int			routed;			/* ready tasks that were given to it */
	TimestampTz last_beat;
	TimestampTz check_at;		/* not lost before */
	pairingheap_node beat_node;
	dlist_head	leases;			/* QTask.lease_node */
	uint64		claimed;		/* tasks, since the server's start */
	int			lost_count;
	int64		lost[SCHED_EXECUTOR_LOST];	/* taken away since the last beat */
	int			lost_attempts[SCHED_EXECUTOR_LOST];
	int			load_size;		/* of the jsonb in load, 0: none */
	char		load[SCHED_EXECUTOR_LOAD_BYTES];
} QExecutor;

/* Allocation, for shmem.c. */
extern Size sched_executors_size(void);
extern void sched_executors_attach(bool found);

/* The lock in any mode; NULL when there is none. */
extern QExecutor *sched_executor_find(int db, const char *name);
extern QExecutor *sched_executor_find_id(int db, int executor_id);
extern QExecutor *sched_executor_next(int db, uint32 *cursor);
extern QExecutor *sched_executor_of(const QTask *task);
extern uint32 sched_executor_index(const QExecutor *executor);
extern QExecutor *sched_executor_at(uint32 index);
extern int	sched_executors_used(void);

/*
 * Enter an executor, or what its row says now; NULL when there is no room.
 * Whoever is new has just beaten.
 */
extern QExecutor *sched_executor_put(int db, const QExecutorSpec *spec,
									 int hidden_pid, TimestampTz now);

/* It is deregistered: the slot goes with its last lease. */
extern void sched_executor_remove(QExecutor *executor);

/* A sign of life; false when it was not online before. */
extern bool sched_executor_beat(QExecutor *executor, TimestampTz now);

/* The same; true when it was not online before, and is now. */
extern bool sched_executor_came_online(QExecutor *executor, TimestampTz now);
extern void sched_executor_set_status(QExecutor *executor,
									  SchedExecutorStatus status,
									  bool active, TimestampTz now);

/* Has it what the tasks of the class require? */
extern bool sched_executor_has_tags(const QExecutor *executor,
									const QClass *class);
extern bool sched_executor_takes_kind(const QExecutor *executor, uint32 kind);

/* Its leases; called where the state of a task changes. */
extern void sched_executor_link(QExecutor *executor, QTask *task);
extern void sched_executor_unlink(QTask *task);

/* Remember, for its next beat, a lease that was taken away. */
extern void sched_executor_note_lost(QExecutor *executor, int64 task_id,
									 int attempt);

/* Ask the scheduler to take leases back. */
extern void sched_executor_ask_settle(QExecutor *executor);

/*
 * The first executor whose silence may have lasted long enough, or NULL.  Those
 * that have beaten in the meantime are put where they belong.
 */
extern QExecutor *sched_executor_overdue(int db, TimestampTz now,
										 int64 timeout);

/* When to look again, 0: never. */
extern TimestampTz sched_executor_next_check(int db);

extern void sched_executors_purge(int db);

extern const char *sched_executor_status_name(SchedExecutorStatus status);
extern bool sched_executor_status_from_name(const char *name,
											SchedExecutorStatus *status);

#endif							/* SCHED_EXECUTORS_H */
