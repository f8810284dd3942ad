/*-------------------------------------------------------------------------
 *
 * queue.h
 *	  The present state of all live tasks, in shared memory.
 *
 * See doc/internals/architecture.md.  Every function needs
 * sched_shared->lock held exclusively unless it says otherwise; none can fail.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_QUEUE_H
#define SCHED_QUEUE_H

#include "domain/join.h"
#include "domain/state.h"
#include "infrastructure/memory/shmem.h"
#include "lib/ilist.h"
#include "lib/pairingheap.h"
#include "storage/itemptr.h"

#define SCHED_NO_SPILL		PG_INT64_MAX
#define SCHED_ANY_DATABASE	(-1)	/* for sched_queue_next_class() */
#define SCHED_KIND_SQL		0	/* the built-in SQL workers */
#define SCHED_KIND_HTTP		1	/* the built-in HTTP worker */
#define SCHED_WORKER_HTTP	(-2)	/* in QTask.worker: the HTTP worker */
#define SCHED_KIND_ROUTED	2	/* what was given to an executor, see
								 * queue_route.c */
#define SCHED_MAX_REQUIRED_TAGS	16
#define SCHED_EXECUTOR_UNKNOWN	(-1)	/* the last one is not known yet */

/* A pool: slots that the leases of several jobs share, see queue_class.c. */
typedef struct QPool
{
	uint32		next;			/* in its hash chain or the free list */
	int			db;				/* -1: free */
	uint64		key;			/* of its name */
	bool		known;			/* its row has been read */
	bool		seen;			/* while the rows are read */
	int			slots;
	int			used;			/* by leases */
	struct QTask *first;		/* did not get its slots; in a class's heap */
	TimestampTz first_at;		/* when somebody asked for it last */
	dlist_head	classes;		/* QClass.pool_node */
} QPool;

/* Those who may claim the same tasks, see queue_class.c. */
typedef struct QClass
{
	uint32		next;			/* in its hash chain or the free list */
	int			db;				/* -1: free */
	Oid			role;			/* of SQL tasks, else InvalidOid */
	uint32		kind;			/* SCHED_KIND_SQL or a hash of the type */
	uint64		pool_key;		/* 0: none */
	int			tag_count;
	uint32		tags[SCHED_MAX_REQUIRED_TAGS];	/* that the taker must have */
	uint64		tag_mask;		/* a bit for each, to look first */
	struct QClass *base;		/* the class without pool and tags */
	int			variants;		/* classes whose base it is */
	dlist_head	active;			/* of them: those with ready tasks */
	int			active_count;
	dlist_node	active_node;
	QPool	   *pool;			/* NULL: none */
	dlist_node	pool_node;
	int			lanes;			/* that refer to it */
	int			ready;			/* tasks in the heap */
	int			workers;		/* starting, idle or busy for it */
	int			chores;			/* for it, see chores.h */
	int			start_failures; /* workers that died before their first task */
	TimestampTz retry_start_at; /* no new worker before, real time */
	TimestampTz hungry_since;	/* first seen with nobody for its tasks, 0: not */
	TimestampTz starving_at;	/* last seen to starve; both real time */
	pairingheap heap;
} QClass;

/* What the queue knows of a job that has live tasks. */
typedef struct QLaneSpec
{
	int64		job_id;
	Oid			role;
	uint32		kind;
	int			max_running;	/* 0: no limit */
	int64		timeout;		/* of an attempt, microseconds; 0: none */
	bool		paused;
	bool		report_end;		/* the scheduler wants to know of ends */
	uint8		route;			/* SchedRoute */
	uint8		tag_count;
	int			pool_slots;
	uint64		pool;			/* sched_pool_key(), 0: none */
	uint32		tags[SCHED_MAX_REQUIRED_TAGS];	/* hashes, sorted */
} QLaneSpec;

typedef struct QLane
{
	uint32		next;			/* in its hash chain or the free list */
	int			db;
	QLaneSpec	spec;
	QClass	   *class;
	bool		stuck;			/* there was no room for its class */
	int			last_executor;	/* that its route gave a task to, 0: none */
	int			unrouted_count;
	pairingheap unrouted;		/* ready, but no executor may have it yet */
	int			total;			/* tasks in memory */
	int			occupied;		/* of them: waiting to waiting_retry */
	int			waiting;		/* of them: for their dependencies */
	int			running;		/* of them: assigned or running */
	int			buffered;		/* of them: held back by the overlap policy */
	int64		spill_lo;		/* least task_id left out, or SCHED_NO_SPILL */
	pairingheap held;			/* ready, but the job is at its limit */
	pairingheap buffer;			/* ready, but another run is not over */
	dlist_head	tasks;
} QLane;

/* Which heap the ready node is in. */
typedef enum QPlace
{
	Q_NOWHERE,
	Q_CLASS,
	Q_HELD,
	Q_BUFFER,
	Q_UNROUTED
} QPlace;

typedef struct QTask
{
	uint32		next;			/* in its hash chain or the free list */
	int			db;
	int64		task_id;
	int64		run_id;
	QLane	   *lane;
	QClass	   *class;			/* whose heap it is in, else NULL */
	QPool	   *pool;			/* whose slots it has, else NULL */
	int			pool_used;
	int			target;			/* executor that it was given to, 0: none */
	uint32		route_key;		/* for consistent_hash */
	bool		pinned;			/* to the target, for ever */
	bool		umbrella;		/* lasts as long as its shards, see broadcast.c */
	int			shards;			/* of an umbrella: live ones in memory */
	int64		parent;			/* of a shard: its umbrella */
	uint8		status;			/* SchedTaskStatus */
	uint8		place;			/* QPlace */
	uint8		stop;			/* SchedStopReason, of HTTP and executors' tasks */
	bool		timed;			/* in the timer heap */
	bool		serial;			/* fired by a trigger under a policy that does
								 * not let runs overlap */
	bool		waits;			/* its dependencies decide when it is ready */
	bool		counted;		/* "join" is what the tables say */
	bool		guarded;		/* a mutex has a say too */
	bool		start_watched;	/* the scheduler wants to know of its start */
	uint8		rule;			/* SchedJoinRule */
	int16		priority;
	uint16		losses;			/* attempts that were lost */
	int			attempt;		/* the present or next attempt */
	int			tries;			/* ended attempts that count */
	int			ending_pid;		/* backend whose open transaction leases,
								 * starts or ends it, 0: none */
	int			worker;			/* slot that runs it, -1: none, or
								 * SCHED_WORKER_HTTP */
	uint32		executor;		/* external executor that has it, 0: none */
	bool		ending;			/* that transaction has ended the attempt */
	bool		undelivered;	/* its executor has not been told of it */
	bool		has_parameters; /* of its own, in its row */
	ItemPointerData tid;		/* of its row, as far as known */
	TimestampTz scheduled_at;	/* nominal time */
	TimestampTz leased_at;		/* when an executor got it */
	float4		progress;		/* percent, negative: none */
	TimestampTz due_at;			/* nominal time, or when the retry is due */
	TimestampTz queued_at;
	TimestampTz started_at;
	TimestampTz timer_at;		/* 0: none */
	TimestampTz deadline;		/* of the running attempt, 0: none */
	SchedJoinCounts join;		/* what its upstreams have come to */
	uint64		counted_before; /* "join" has no transaction from this on */
	TimestampTz give_up_at;		/* its dependencies' timeout, 0: none */
	int64		key1;			/* the order of ready tasks: key1, key2, id */
	int64		key2;
	pairingheap_node ready_node;
	pairingheap_node timer_node;
	dlist_node	lane_node;
	dlist_node	lease_node;
} QTask;

/* What memory has to know of a task. */
typedef struct QTaskSpec
{
	uint32		route_key;
	int			target;			/* the only executor that may have it, 0: any */
	int64		parent;			/* it is a shard of that task */
	int64		task_id;
	int64		run_id;
	TimestampTz due_at;			/* not before */
	TimestampTz scheduled_at;	/* nominal time */
	ItemPointerData tid;		/* of its row, may be invalid */
	int16		priority;
	bool		has_parameters;
	bool		serial;
	bool		retrying;		/* due_at is the time of a retry */
	uint16		losses;
	int			attempt;		/* of the next attempt, from 1 */
	int			tries;
	/* for tasks with dependencies */
	bool		waits;
	bool		evaluate;		/* not all follows from letters that will come */
	bool		guarded;
	uint8		rule;
	int			pending;		/* upstreams */
	TimestampTz give_up_at;
} QTaskSpec;

typedef enum QAdd
{
	Q_ADDED,
	Q_DUPLICATE,				/* it is there already */
	Q_LEFT_OUT,					/* no room: it stays in its table for now */
	Q_STRAY						/* it waits, and will be read when it matters */
} QAdd;

/* Allocation, for shmem.c. */
extern Size sched_queue_size(void);
extern void sched_queue_attach(bool found);

/* A class that is there for chores, and may have no tasks; false: no room. */
extern bool sched_queue_hold_class(int db, Oid role);
extern void sched_queue_release_class(int db, Oid role);
extern void sched_queue_wake_class(QClass *class);

/* Take part. */
extern QAdd sched_queue_add(int db, const QLaneSpec *lane,
							const QTaskSpec *task, bool refill,
							TimestampTz now);
extern QTask *sched_queue_find(int db, int64 task_id);
extern QLane *sched_queue_find_lane(int db, int64 job_id);
extern QClass *sched_queue_find_class(int db, Oid role, uint32 kind);

/* The tags that a taker has, by their hashes. */
typedef struct QTags
{
	const uint32 *hashes;
	int			count;
	uint64		mask;
} QTags;

extern void sched_tags_init(QTags *tags, const uint32 *hashes, int count);
extern bool sched_queue_has_tags(const QClass *class, const QTags *tags);

/*
 * The first task of the class and its variants that a taker with these tags may
 * have now, NULL: none.  NULL as tags: a built-in worker, of which none are
 * asked.  The task stays where it is.
 */
extern QTask *sched_queue_first(QClass *base, const QTags *tags,
								TimestampTz now);

/* Are there ready tasks at all, and are the slots free that the task needs? */
extern bool sched_queue_has_ready(const QClass *base);
extern bool sched_queue_has_slots(const QTask *task);

/* How many could start if there were takers, and since when the first waits. */
extern int	sched_queue_startable(const QClass *base, TimestampTz *queued_at);

/* Pools, by the hash of their name; NULL: nothing is known of it. */
extern uint64 sched_pool_key(const char *name);
extern QPool *sched_queue_find_pool(int db, uint64 key);
extern void sched_queue_pool_state(const QPool *pool, int *waiting,
								   int64 *first);

/*
 * All pools of a database as their rows are now: between begin and end each is
 * set once.  False when there is no room for it.
 */
extern void sched_queue_begin_pools(int db);
extern bool sched_queue_set_pool(int db, uint64 key, int slots);
extern void sched_queue_end_pools(int db);

/* The next task that a worker of the class may run, now running; or NULL. */
extern QTask *sched_queue_take(QClass *class, TimestampTz now);

/* Tell the HTTP worker to stop a running task; false when it was told before. */
extern bool sched_queue_stop_http(QTask *task, SchedStopReason reason);

/* There may be events to be sent to subscribers. */
extern void sched_queue_note_deliveries(SchedDatabase *db);

/* Changes of state. */
extern void sched_queue_make_ready(QTask *task, TimestampTz now);
extern void sched_queue_retry(QTask *task, TimestampTz due_at, bool counts);
extern void sched_queue_finish(QTask *task);

/* Waiting for others, see queue_wait.c. */
extern void sched_queue_begin_waiting(QTask *task, TimestampTz now);
extern void sched_queue_enter_waiting(QTask *task);
extern void sched_queue_letter(QTask *task, SchedEdgeLetter letter,
							   uint64 xid, TimestampTz now);
extern void sched_queue_evaluate(QTask *task, TimestampTz now);
extern void sched_queue_counted(QTask *task, const SchedJoinCounts *join,
								bool guarded, bool turn, uint64 before,
								TimestampTz look_at, TimestampTz now);

/*
 * What ends between these two is not entered again by sched_queue_add(): to be
 * called around reading live tasks with a snapshot.
 */
extern void sched_queue_begin_reading(int db);
extern void sched_queue_end_reading(int db);
extern void sched_queue_note_ended(int db, int64 task_id);

/* Keep a task from being started while a transaction is about to end it. */
extern bool sched_queue_reserve(QTask *task, int pid);
extern void sched_queue_unreserve(QTask *task, TimestampTz now);

/* Timers. */
extern void sched_queue_set_timer(QTask *task, TimestampTz at);
extern QTask *sched_queue_first_timer(int db);

/* The job changed. */
extern void sched_queue_update_lane(int db, const QLaneSpec *spec);
extern void sched_queue_pause_lane(int db, int64 job_id, bool paused);

/* Tasks that were left out. */
extern QLane *sched_queue_spilled_lane(int db);
extern void sched_queue_clear_left_out(QLane *lane);
extern void sched_queue_leave_out(int db, const QLaneSpec *spec,
								  int64 task_id);

/* Wake whoever can run what is ready in the database. */
extern void sched_queue_wake_workers(int db);

/* Wake whoever claims tasks of the class. */
extern void sched_queue_wake_class(QClass *class);

/* Forget everything of a database. */
extern void sched_queue_purge(int db);

/* For views: visit all tasks, lanes, classes; lock held in any mode. */
extern QTask *sched_queue_next_task(int db, uint32 *cursor);
extern QLane *sched_queue_next_lane(int db, uint32 *cursor);
extern QClass *sched_queue_next_class(int db, int *cursor); /* bases only */
extern QClass *sched_queue_next_variant(QClass *base, QClass *after);

extern int	sched_queue_used(void);

#endif							/* SCHED_QUEUE_H */
