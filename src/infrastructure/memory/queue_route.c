/*-------------------------------------------------------------------------
 *
 * queue_route.c
 *	  Tasks that are given to a certain executor, and which one that is.
 *
 * A job with a route other than pull has its ready tasks given to an executor when
 * they become ready, not when somebody asks.  Each executor has a class for
 * what was given to it (kind SCHED_KIND_ROUTED, the executor's id in the
 * place of a role), with variants for pools like any other, from which it alone
 * claims.  When it goes offline, drains, or takes other types now, what is in
 * there is given to others.
 *
 * A task that no executor may have at the moment is "unrouted": in a heap of its lane,
 * until an executor comes, or until the scheduler has an answer: which executor
 * had the job's last task (it is in the record, if not in memory), or what
 * the user's function says.
 *
 * Which executor a job had last is remembered in a table of fixed size that outlives
 * the lane.  Two jobs may share a place in it; then the later one is remembered,
 * and the scheduler is asked for the other.
 *
 * The caller holds sched_shared->lock exclusively.  Nothing in here raises an
 * error, allocates, or waits.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "infrastructure/memory/queue_class.h"
#include "infrastructure/memory/queue_int.h"
#include "infrastructure/memory/queue_order.h"
#include "infrastructure/memory/queue_route.h"
#include "infrastructure/memory/wake.h"
#include "storage/shmem.h"

#define REMEMBERED	8192		/* a power of two */

typedef struct Remembered
{
	int64		job_id;
	int			db;
	int			executor_id;
} Remembered;

static Remembered *remembered;

Size
sched_routes_size(void)
{
	return mul_size(REMEMBERED, sizeof(Remembered));
}

void
sched_routes_attach(bool found)
{
	remembered = ShmemInitStruct("sched routes", sched_routes_size(), &found);
	if (!found)
		MemSet(remembered, 0, sched_routes_size());
}

static Remembered *
place_of(int db, int64 job_id)
{
	return &remembered[(murmurhash32((uint32) job_id ^ (uint32) (job_id >> 32)) +
						db) & (REMEMBERED - 1)];
}

static void
remember(QLane *lane, int executor_id)
{
	Remembered *place = place_of(lane->db, lane->spec.job_id);

	lane->last_executor = executor_id;
	place->db = lane->db;
	place->job_id = lane->spec.job_id;
	place->executor_id = executor_id;
}

bool
sched_route_is_known(int db, int64 job_id)
{
	const QLane *lane = sched_queue_find_lane(db, job_id);
	const Remembered *place = place_of(db, job_id);

	return lane != NULL || (place->job_id == job_id && place->db == db);
}

void
sched_route_learn(int db, int64 job_id, int executor_id)
{
	Remembered *place = place_of(db, job_id);

	if (sched_route_is_known(db, job_id))
		return;
	place->db = db;
	place->job_id = job_id;
	place->executor_id = executor_id;
}

void
sched_route_init_lane(QLane *lane)
{
	Remembered *place = place_of(lane->db, lane->spec.job_id);

	lane->last_executor = place->job_id == lane->spec.job_id &&
		place->db == lane->db ? place->executor_id : SCHED_EXECUTOR_UNKNOWN;
	lane->unrouted.ph_compare = compare_ready;
}

/* ---------- which one ---------- */

bool
sched_route_is_eligible(const QExecutor *executor, const QLane *lane)
{
	return executor->spec.status == SCHED_EXECUTOR_ONLINE &&
		!executor->gone && executor->hidden_pid == 0 &&
		executor->spec.max_concurrent > 0 &&
		sched_executor_takes_kind(executor, lane->spec.kind) &&
		sched_executor_has_tags(executor, lane->class);
}

static QExecutor *
find_eligible(const QLane *lane, int executor_id)
{
	QExecutor  *executor = executor_id <= 0 ? NULL :
		sched_executor_find_id(lane->db, executor_id);

	return executor != NULL && sched_route_is_eligible(executor, lane) ?
		executor : NULL;
}

/* The next one behind the one that had the last, in the order of their slots. */
static QExecutor *
round_robin(const QLane *lane)
{
	QExecutor  *last = lane->last_executor <= 0 ? NULL :
		sched_executor_find_id(lane->db, lane->last_executor);
	uint32		first = last == NULL ? 0 : sched_executor_index(last);
	uint32		cursor = first;
	QExecutor  *executor;

	while ((executor = sched_executor_next(lane->db, &cursor)) != NULL)
		if (sched_route_is_eligible(executor, lane))
			return executor;
	cursor = 0;
	while ((executor = sched_executor_next(lane->db, &cursor)) != NULL &&
		   cursor <= first)
		if (sched_route_is_eligible(executor, lane))
			return executor;
	return NULL;
}

/* Is a less loaded than b, by what they have and what was given to them? */
static inline bool
has_less(const QExecutor *a, const QExecutor *b)
{
	return (int64) (a->running + a->routed) * b->spec.max_concurrent <
		(int64) (b->running + b->routed) * a->spec.max_concurrent;
}

static QExecutor *
least_load(const QLane *lane)
{
	QExecutor  *best = NULL;
	QExecutor  *executor;
	uint32		cursor = 0;

	while ((executor = sched_executor_next(lane->db, &cursor)) != NULL)
		if (sched_route_is_eligible(executor, lane) &&
			(best == NULL || has_less(executor, best)))
			best = executor;
	return best;
}

static QExecutor *
by_hash(const QLane *lane, uint32 key)
{
	QExecutor  *best = NULL;
	uint64		most = 0;
	QExecutor  *executor;
	uint32		cursor = 0;

	while ((executor = sched_executor_next(lane->db, &cursor)) != NULL)
	{
		uint64		weight;

		if (!sched_route_is_eligible(executor, lane))
			continue;
		/* by its name: an executor that registers anew keeps its keys */
		weight = sched_route_weight(key,
									hash_bytes_extended((const unsigned char *) executor->spec.name,
														strlen(executor->spec.name), 0));
		if (best == NULL || weight > most)
		{
			best = executor;
			most = weight;
		}
	}
	return best;
}

/* NULL: none is there, or it is not known yet. */
static QExecutor *
choose(QTask *task)
{
	QLane	   *lane = task->lane;
	QExecutor  *executor = find_eligible(lane, task->target);

	if (executor != NULL || task->pinned)
		return executor;
	switch ((SchedRoute) lane->spec.route)
	{
		case SCHED_ROUTE_ROUND_ROBIN:
			if (lane->last_executor == SCHED_EXECUTOR_UNKNOWN)
				return NULL;
			executor = round_robin(lane);
			break;
		case SCHED_ROUTE_STICKY:
			if (lane->last_executor == SCHED_EXECUTOR_UNKNOWN)
				return NULL;
			executor = find_eligible(lane, lane->last_executor);
			if (executor == NULL)
				executor = least_load(lane);
			break;
		case SCHED_ROUTE_LEAST_LOAD:
			return least_load(lane);
		case SCHED_ROUTE_CONSISTENT_HASH:
			return by_hash(lane, task->route_key);
		case SCHED_ROUTE_PULL:
		case SCHED_ROUTE_BROADCAST:
		case SCHED_ROUTE_CUSTOM:
			return NULL;
	}
	if (executor != NULL)
		remember(lane, executor->spec.executor_id);
	return executor;
}

/* ---------- into its heap, and out of it ---------- */

static bool
asks(const QLane *lane)
{
	switch ((SchedRoute) lane->spec.route)
	{
		case SCHED_ROUTE_ROUND_ROBIN:
		case SCHED_ROUTE_STICKY:
			return lane->last_executor == SCHED_EXECUTOR_UNKNOWN;
		case SCHED_ROUTE_BROADCAST:
		case SCHED_ROUTE_CUSTOM:
			return true;
		default:
			return false;
	}
}

static void
leave_unrouted(QTask *task)
{
	QLane	   *lane = task->lane;
	SchedDatabase *db = &sched_shared->databases[task->db];

	if (!task->pinned)
		task->target = 0;
	pairingheap_add(&lane->unrouted, &task->ready_node);
	lane->unrouted_count++;
	db->unrouted++;
	task->place = Q_UNROUTED;
	if (asks(lane))
	{
		db->want_routes = true;
		sched_wake_scheduler(db);
	}
}

void
sched_route_place(QTask *task)
{
	QExecutor  *executor = choose(task);
	QLaneSpec	spec = {0};
	QClass	   *class = NULL;

	if (executor != NULL)
	{
		spec.role = (Oid) executor->spec.executor_id;
		spec.kind = SCHED_KIND_ROUTED;
		spec.pool = task->lane->spec.pool;
		class = sched_class_for(task->db, &spec);
	}
	if (class == NULL)
	{
		leave_unrouted(task);
		return;
	}
	task->target = executor->spec.executor_id;
	executor->routed++;
	sched_class_hold(class);
	sched_class_push(class, task);
	task->place = Q_CLASS;
	if (class->pool == NULL || sched_class_is_open(class))
		sched_queue_wake_class(class);
}

void
sched_route_withdraw(QTask *task)
{
	QLane	   *lane = task->lane;

	if (task->place == Q_UNROUTED)
	{
		pairingheap_remove(&lane->unrouted, &task->ready_node);
		lane->unrouted_count--;
		sched_shared->databases[task->db].unrouted--;
	}
	else
	{
		QClass	   *class = task->class;
		QExecutor  *executor = sched_executor_find_id(task->db,
													  (int) class->role);

		sched_class_remove(task);
		sched_class_release(class);
		if (executor != NULL)
			executor->routed--;
	}
}

/* ---------- changes ---------- */

static void
place_again(QTask *task)
{
	sched_queue_dequeue(task);
	sched_queue_enqueue(task);
}

static void
place_lane_again(QLane *lane)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &lane->tasks)
	{
		QTask	   *task = dlist_container(QTask, lane_node, iter.cur);

		if (task->place == Q_UNROUTED)
			place_again(task);
	}
}

/* Everything in the class goes to others; what comes back into it stays. */
static void
empty_class(QClass *class)
{
	sched_class_hold(class);	/* it must not go with its last task */
	for (int left = class->ready; left > 0 && class->ready > 0; left--)
		place_again(pairingheap_container(QTask, ready_node,
										  pairingheap_first(&class->heap)));
	sched_class_release(class);
}

void
sched_route_executor_changed(QExecutor *executor)
{
	SchedDatabase *db = &sched_shared->databases[executor->db];
	int			db_index = executor->db;

	if (executor->routed > 0)
	{
		QClass	   *base = sched_queue_find_class(db_index,
												  (Oid) executor->spec.executor_id,
												  SCHED_KIND_ROUTED);

		if (base != NULL)
		{
			QClass	   *variants[64];
			int			count = 0;
			QClass	   *variant = NULL;

			while (count < lengthof(variants) &&
				   (variant = sched_queue_next_variant(base, variant)) != NULL)
				variants[count++] = variant;
			empty_class(base);
			for (int i = 0; i < count; i++)
				empty_class(variants[i]);
		}
	}
	if (db->unrouted > 0 && executor->spec.status == SCHED_EXECUTOR_ONLINE &&
		executor->hidden_pid == 0 && !executor->gone)
	{
		uint32		cursor = 0;
		QLane	   *lane;

		while (db->unrouted > 0 &&
			   (lane = sched_queue_next_lane(db_index, &cursor)) != NULL)
			if (lane->unrouted_count > 0)
				place_lane_again(lane);
	}
}

void
sched_route_retry(int db)
{
	uint32		cursor = 0;
	QLane	   *lane;

	if (sched_shared->databases[db].unrouted == 0)
		return;
	while ((lane = sched_queue_next_lane(db, &cursor)) != NULL)
		if (lane->unrouted_count > 0)
			place_lane_again(lane);
}

/* ---------- the scheduler's answers ---------- */

QLane *
sched_route_next_asking(int db, uint32 *cursor)
{
	QLane	   *lane;

	while ((lane = sched_queue_next_lane(db, cursor)) != NULL)
		if ((lane->unrouted_count > 0 && asks(lane)) ||
			(lane->spec.route == SCHED_ROUTE_BROADCAST && lane->total > 0))
			return lane;
	return NULL;
}

void
sched_route_set_last(QLane *lane, int executor_id)
{
	if (lane->last_executor != SCHED_EXECUTOR_UNKNOWN)
		return;
	remember(lane, executor_id);
	place_lane_again(lane);
}

bool
sched_route_assign(QTask *task, int executor_id)
{
	if (task->place != Q_UNROUTED ||
		find_eligible(task->lane, executor_id) == NULL)
		return false;
	task->target = executor_id;
	place_again(task);
	return true;
}

/* A shard came or went: when its umbrella has none left, the scheduler looks. */
void
sched_route_count_shard(const QTask *shard, int change)
{
	QTask	   *umbrella = sched_queue_find(shard->db, shard->parent);

	if (umbrella == NULL || !umbrella->umbrella)
		return;
	umbrella->shards += change;
	if (umbrella->shards == 0)
	{
		SchedDatabase *db = &sched_shared->databases[shard->db];

		db->want_routes = true;
		sched_wake_scheduler(db);
	}
}
