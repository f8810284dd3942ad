/*-------------------------------------------------------------------------
 *
 * queue.c
 *	  The present state of all live tasks, in shared memory.
 *
 * Tasks, lanes (one per job with live tasks) and classes (one per kind of
 * claimer) lie in arrays of fixed size; 1-based indexes link hash chains and
 * free lists.  Ready tasks are in exactly one heap: their class's when they may
 * start, their lane's "held" heap when the job is at its limit or paused, or its
 * "buffer" when the overlap policy lets them start only after the other runs
 * have ended.  Held tasks come back one by one as runs end, so nothing ever
 * steps over the same blocked task twice.
 *
 * Heap nodes and function pointers are plain addresses: all processes are
 * forked from the postmaster and see the segment and this library at the
 * same place.
 *
 * The caller holds sched_shared->lock exclusively (shared for the read-only
 * functions).  Nothing in here raises an error, allocates, or waits.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "infrastructure/memory/executors.h"
#include "infrastructure/memory/queue_class.h"
#include "infrastructure/memory/queue_int.h"
#include "infrastructure/memory/queue_lease.h"
#include "infrastructure/memory/queue_order.h"
#include "infrastructure/memory/queue_route.h"
#include "infrastructure/settings.h"
#include "infrastructure/memory/wake.h"
#include "storage/shmem.h"

typedef struct QueueShared
{
	uint32		task_capacity;
	uint32		lane_capacity;
	uint32		bucket_mask;
	uint32		tasks_touched;	/* never used beyond: not on the free list */
	uint32		lanes_touched;
	uint32		tasks_used;
	uint32		tasks_waiting;	/* of them: for their dependencies */
	uint32		free_task;
	uint32		free_lane;
	int			stuck_lanes;	/* without room for their class */
	uint32		stuck_cursor;	/* where the last one was looked for */
} QueueShared;

static QueueShared *queue;
static uint32 *task_buckets;
static uint32 *lane_buckets;
static QTask *tasks;			/* tasks[0] is not used */
static QLane *lanes;

static void requeue_lane(QLane *lane);

/* ---------- allocation ---------- */

static uint32
bucket_count(void)
{
	uint32		n = 1024;

	while (n < (uint32) sched_max_queued_tasks && n < (1U << 30))
		n *= 2;
	return n;
}

/* Size of the parts, each aligned, in the order in which they lie. */
static Size
part_size(int part)
{
	switch (part)
	{
		case 0:
			return CACHELINEALIGN(sizeof(QueueShared));
		case 1:
		case 2:
			return CACHELINEALIGN(mul_size(sizeof(uint32), bucket_count()));
		case 3:
			return CACHELINEALIGN(mul_size(sizeof(QTask),
										   sched_max_queued_tasks + 1));
		default:
			return CACHELINEALIGN(mul_size(sizeof(QLane),
										   sched_max_queued_tasks + 1));
	}
}

Size
sched_queue_size(void)
{
	Size		size = 0;

	for (int part = 0; part < 5; part++)
		size = add_size(size, part_size(part));
	return size;
}

void
sched_queue_attach(bool found)
{
	char	   *base = ShmemInitStruct("sched queue", sched_queue_size(), &found);

	queue = (QueueShared *) base;
	base += part_size(0);
	task_buckets = (uint32 *) base;
	base += part_size(1);
	lane_buckets = (uint32 *) base;
	base += part_size(2);
	tasks = (QTask *) base;
	base += part_size(3);
	lanes = (QLane *) base;

	if (!found)
	{
		MemSet(queue, 0, sizeof(QueueShared));
		queue->task_capacity = sched_max_queued_tasks;
		queue->lane_capacity = sched_max_queued_tasks;
		queue->bucket_mask = bucket_count() - 1;
		MemSet(task_buckets, 0, part_size(1));
		MemSet(lane_buckets, 0, part_size(2));
	}
}

int
sched_queue_used(void)
{
	return queue->tasks_used;
}

static inline uint32 *
bucket_of(uint32 *buckets, int db, int64 id)
{
	return &buckets[hash_combine(murmurhash32((uint32) id),
								 murmurhash32((uint32) (id >> 32) + db)) &
					queue->bucket_mask];
}

/* ---------- lanes ---------- */

QLane	   *
sched_queue_find_lane(int db, int64 job_id)
{
	uint32		i = *bucket_of(lane_buckets, db, job_id);

	while (i != 0 && !(lanes[i].db == db && lanes[i].spec.job_id == job_id))
		i = lanes[i].next;
	return i == 0 ? NULL : &lanes[i];
}

static QLane *
make_lane(int db, const QLaneSpec *spec)
{
	QLane	   *lane = sched_queue_find_lane(db, spec->job_id);
	QClass	   *class;
	QClass	   *stuck = NULL;
	uint32	   *bucket;
	uint32		i;

	if (lane != NULL)
		return lane;
	class = sched_class_for(db, spec);
	if (class == NULL && (stuck = sched_class_base_for(db, spec)) == NULL)
		return NULL;

	if (queue->free_lane != 0)
	{
		i = queue->free_lane;
		queue->free_lane = lanes[i].next;
	}
	else if (queue->lanes_touched < queue->lane_capacity)
		i = ++queue->lanes_touched;
	else
		return NULL;

	lane = &lanes[i];
	MemSet(lane, 0, sizeof(QLane));
	lane->db = db;
	lane->spec = *spec;
	lane->class = class != NULL ? class : stuck;
	lane->stuck = class == NULL;
	queue->stuck_lanes += lane->stuck;
	sched_class_hold(lane->class);
	lane->spill_lo = SCHED_NO_SPILL;
	sched_route_init_lane(lane);
	init_heap(&lane->held, compare_ready);
	init_heap(&lane->buffer, compare_ready);
	dlist_init(&lane->tasks);
	bucket = bucket_of(lane_buckets, db, spec->job_id);
	lane->next = *bucket;
	*bucket = i;
	return lane;
}

/*
 * A class may have been given up: lanes that found no room for theirs try
 * again, each in its turn.
 */
static void
unstick(void)
{
	for (uint32 n = 0; n < queue->lanes_touched && queue->stuck_lanes > 0; n++)
	{
		QLane	   *lane;
		QClass	   *class;

		queue->stuck_cursor = queue->stuck_cursor % queue->lanes_touched + 1;
		lane = &lanes[queue->stuck_cursor];
		if (lane->db < 0 || !lane->stuck)
			continue;
		class = sched_class_for(lane->db, &lane->spec);
		if (class == NULL)
		{
			queue->stuck_cursor--;	/* it is first again */
			return;
		}
		sched_class_hold(class);
		sched_class_release(lane->class);
		lane->class = class;
		lane->stuck = false;
		queue->stuck_lanes--;
		requeue_lane(lane);
	}
}

static void
free_lane_if_idle(QLane *lane)
{
	uint32	   *link;
	uint32		i = lane - lanes;

	if (lane->total > 0 || lane->spill_lo != SCHED_NO_SPILL)
		return;
	link = bucket_of(lane_buckets, lane->db, lane->spec.job_id);
	while (*link != i)
		link = &lanes[*link].next;
	*link = lane->next;
	queue->stuck_lanes -= lane->stuck;
	sched_class_release(lane->class);
	lane->db = -1;
	lane->next = queue->free_lane;
	queue->free_lane = i;
	if (queue->stuck_lanes > 0)
		unstick();
}

bool
sched_queue_lane_is_full(const QLane *lane)
{
	return lane->spec.paused || lane->stuck ||
		(lane->spec.max_running > 0 && lane->running >= lane->spec.max_running);
}

/*
 * How many tasks of one job memory takes; the rest waits in the table.  Paused
 * jobs get little, or a few of them would leave no room for the others.
 */
static inline int
lane_capacity(const QLane *lane)
{
	return queue->task_capacity / (lane->spec.paused ? 64 : 4);
}

/* What was left out is not read again while more than this is in memory. */
static inline uint32
refill_level(void)
{
	return queue->task_capacity / 4 * 3;
}

/* Memory has room again: lanes may wait for it that have nothing in it. */
static void
offer_room(void)
{
	for (int i = 0; i < SCHED_MAX_DATABASES; i++)
	{
		SchedDatabase *db = &sched_shared->databases[i];

		if (db->spilled_lanes > 0)
		{
			db->want_refill = true;
			sched_wake_scheduler(db);
		}
	}
}

static void
ask_for_refill(QLane *lane)
{
	SchedDatabase *db = &sched_shared->databases[lane->db];

	if (lane->spill_lo != SCHED_NO_SPILL && !db->want_refill &&
		lane->total < lane_capacity(lane) / 2)
	{
		db->want_refill = true;
		sched_wake_scheduler(db);
	}
}

/* ---------- states ---------- */

/*
 * The one place that changes the state of a live task.  The counts of the lane,
 * the database and the executor follow from it.
 */
static void
change_status(QTask *task, SchedTaskStatus to)
{
	SchedTaskStatus from = task->status;
	QLane	   *lane = task->lane;
	SchedDatabase *db = &sched_shared->databases[task->db];

	/* an umbrella holds no lease, it only looks as if */
	if (task->umbrella)
		;
	else if (sched_task_status_holds_lease(from))
	{
		lane->running--;
		db->running--;
		if (task->pool != NULL && !sched_task_status_holds_lease(to))
			sched_pool_vacate(task);
	}
	else if (lane->class->pool != NULL && sched_task_status_holds_lease(to))
		sched_pool_occupy(task);
	if (from == SCHED_TASK_READY)
		db->ready--;
	if (sched_task_status_occupies_job(from))
		lane->occupied--;
	if (from == SCHED_TASK_WAITING)
	{
		lane->waiting--;
		queue->tasks_waiting--;
	}

	task->status = to;

	if (sched_task_status_holds_lease(to) && !task->umbrella)
	{
		lane->running++;
		db->running++;
	}
	if (to == SCHED_TASK_READY)
		db->ready++;
	if (sched_task_status_occupies_job(to))
		lane->occupied++;
	if (to == SCHED_TASK_WAITING)
	{
		lane->waiting++;
		queue->tasks_waiting++;
	}
	if (task->executor != 0 && !sched_task_status_holds_lease(to))
		sched_executor_unlink(task);
}

/* Runs that are not over and wait for nobody else. */
static inline int
lane_active(const QLane *lane)
{
	return lane->occupied - lane->waiting - lane->buffered;
}

void
sched_queue_set_status(QTask *task, SchedTaskStatus to)
{
	Assert(sched_task_transition_allowed(task->status, to));
	change_status(task, to);
}

/*
 * Back to where it was: the transaction that leased or started the task was
 * rolled back, so the change has never been.
 */
void
sched_queue_revert_status(QTask *task, SchedTaskStatus to)
{
	Assert(sched_task_transition_allowed(to, task->status));
	change_status(task, to);
}

/* Take a task out of the heap of ready tasks that it is in. */
void
sched_queue_dequeue(QTask *task)
{
	QLane	   *lane = task->lane;

	switch ((QPlace) task->place)
	{
		case Q_CLASS:
			if (task->class->kind == SCHED_KIND_ROUTED)
				sched_route_withdraw(task);
			else
				sched_class_remove(task);
			break;
		case Q_UNROUTED:
			sched_route_withdraw(task);
			break;
		case Q_HELD:
			pairingheap_remove(&lane->held, &task->ready_node);
			break;
		case Q_BUFFER:
			pairingheap_remove(&lane->buffer, &task->ready_node);
			lane->buffered--;
			break;
		case Q_NOWHERE:
			break;
	}
	task->place = Q_NOWHERE;
}

/* Out of its heap, without starting: others may have the slots it waited for. */
static void
withdraw(QTask *task)
{
	QPool	   *pool = task->class != NULL ? task->class->pool : NULL;

	sched_queue_dequeue(task);
	if (pool != NULL)
		sched_pool_wake(pool);
}

/* Put a ready task where it belongs. */
void
sched_queue_enqueue(QTask *task)
{
	QLane	   *lane = task->lane;

	Assert(task->status == SCHED_TASK_READY && task->place == Q_NOWHERE);

	if (task->ending_pid != 0 || task->stop != SCHED_STOP_NONE)
		return;					/* somebody is ending it */
	if (task->serial && lane_active(lane) > 1)
	{
		pairingheap_add(&lane->buffer, &task->ready_node);
		lane->buffered++;
		task->place = Q_BUFFER;
	}
	else if (sched_queue_lane_is_full(lane))
	{
		pairingheap_add(&lane->held, &task->ready_node);
		task->place = Q_HELD;
	}
	else if (lane->spec.route != SCHED_ROUTE_PULL)
		sched_route_place(task);
	else
	{
		task->target = 0;
		sched_class_push(lane->class, task);
		task->place = Q_CLASS;
		if (lane->class->pool == NULL || sched_class_is_open(lane->class))
			sched_queue_wake_class(lane->class);
	}
}

/* Something of the lane ended: let the next one through. */
void
sched_queue_lane_has_room(QLane *lane)
{
	if (lane->buffered > 0 && lane_active(lane) == 0)
	{
		QTask	   *task = heap_first(&lane->buffer);

		sched_queue_dequeue(task);
		sched_queue_enqueue(task);
	}
	while (!pairingheap_is_empty(&lane->held) && !sched_queue_lane_is_full(lane))
	{
		QTask	   *task = heap_first(&lane->held);

		sched_queue_dequeue(task);
		sched_queue_enqueue(task);
		if (lane->spec.max_running > 0)
			break;				/* one run ended, one may start */
	}
}

void
sched_queue_make_ready(QTask *task, TimestampTz now)
{
	sched_queue_set_status(task, SCHED_TASK_READY);
	sched_queue_set_timer(task, 0);
	task->queued_at = now;
	set_order(task);
	sched_queue_enqueue(task);
}

/* What was of the attempt that is over. */
void
sched_queue_clear_attempt(QTask *task)
{
	if (!task->pinned)
		task->target = 0;
	task->worker = -1;
	task->stop = SCHED_STOP_NONE;
	task->ending = false;
	task->leased_at = 0;
	task->started_at = 0;
	task->deadline = 0;
	task->progress = -1;
}

/* It is due, and its dependencies decide when it may start. */
void
sched_queue_enter_waiting(QTask *task)
{
	sched_queue_set_status(task, SCHED_TASK_WAITING);
}

/*
 * An attempt is over and another one is to follow at due_at.  An attempt that
 * was lost does not count against the job's limit of attempts.
 */
void
sched_queue_retry(QTask *task, TimestampTz due_at, bool counts)
{
	sched_queue_set_status(task, SCHED_TASK_WAITING_RETRY);
	task->attempt++;
	if (counts)
		task->tries++;
	else if (task->losses < PG_UINT16_MAX)
		task->losses++;
	sched_queue_clear_attempt(task);
	task->due_at = due_at;
	sched_queue_set_timer(task, due_at);
	sched_queue_lane_has_room(task->lane);
}

/* Give the entry up.  db is the one whose bucket it is in. */
void
sched_queue_free_entry(QTask *task, int db)
{
	uint32		i = task - tasks;
	uint32	   *link = bucket_of(task_buckets, db, task->task_id);

	while (*link != i)
		link = &tasks[*link].next;
	*link = task->next;
	task->db = -1;
	task->next = queue->free_task;
	queue->free_task = i;
	queue->tasks_used--;
}

/* The task has ended; forget it. */
void
sched_queue_finish(QTask *task)
{
	QLane	   *lane = task->lane;
	SchedDatabase *db = &sched_shared->databases[task->db];
	bool		was_limited = sched_max_concurrent_jobs > 0 &&
	db->running >= sched_max_concurrent_jobs &&
	sched_task_status_holds_lease(task->status);

	withdraw(task);
	if (task->parent != 0)
		sched_route_count_shard(task, -1);
	sched_queue_set_timer(task, 0);
	if (lane->spec.report_end)
	{
		sched_shmem_note_change(db, lane->spec.job_id);
		sched_wake_scheduler(db);
	}
	sched_queue_set_status(task, SCHED_TASK_CANCELLED); /* any terminal state will do */
	dlist_delete(&task->lane_node);
	lane->total--;

	db->tasks--;
	if (db->reading)
	{
		task->db = SCHED_TOMB(task->db);
		dlist_push_tail(&db->tombs, &task->lane_node);
	}
	else
		sched_queue_free_entry(task, task->db);

	sched_queue_lane_has_room(lane);
	ask_for_refill(lane);
	if (queue->tasks_used == refill_level())
		offer_room();
	free_lane_if_idle(lane);
	if (was_limited)
		sched_queue_wake_workers(db - sched_shared->databases);
}

bool
sched_queue_reserve(QTask *task, int pid)
{
	if (task->ending_pid != 0 && task->ending_pid != pid)
		return false;
	task->ending_pid = pid;
	withdraw(task);
	return true;
}

void
sched_queue_unreserve(QTask *task, TimestampTz now)
{
	task->ending_pid = 0;
	task->ending = false;
	if (task->status == SCHED_TASK_READY && task->place == Q_NOWHERE)
		sched_queue_enqueue(task);
	else if (task->timed && task->timer_at <= now)
		sched_wake_scheduler(&sched_shared->databases[task->db]);
	sched_queue_check_holder(task);
}

/* ---------- timers ---------- */

void
sched_queue_set_timer(QTask *task, TimestampTz at)
{
	SchedDatabase *db = &sched_shared->databases[task->db];

	if (task->timed)
		pairingheap_remove(&db->timers, &task->timer_node);
	task->timer_at = at;
	task->timed = at != 0;
	if (!task->timed)
		return;
	if (db->timers.ph_compare == NULL)
		init_heap(&db->timers, compare_timer);
	pairingheap_add(&db->timers, &task->timer_node);
	if (at < db->sleep_until)
	{
		db->sleep_until = at;
		sched_wake_scheduler(db);
	}
}

QTask	   *
sched_queue_first_timer(int db)
{
	pairingheap *heap = &sched_shared->databases[db].timers;

	if (heap->ph_root == NULL)
		return NULL;
	return pairingheap_container(QTask, timer_node, pairingheap_first(heap));
}

/* ---------- in and out ---------- */

QTask	   *
sched_queue_find(int db, int64 task_id)
{
	uint32		i = *bucket_of(task_buckets, db, task_id);

	while (i != 0 && !(tasks[i].db == db && tasks[i].task_id == task_id))
		i = tasks[i].next;
	return i == 0 ? NULL : &tasks[i];
}

/* Is there an entry for it, if only to say that it has ended? */
static bool
is_known(int db, int64 task_id)
{
	uint32		i = *bucket_of(task_buckets, db, task_id);

	while (i != 0 && !((tasks[i].db == db || tasks[i].db == SCHED_TOMB(db)) &&
					   tasks[i].task_id == task_id))
		i = tasks[i].next;
	return i != 0;
}

QTask	   *
sched_queue_make_entry(int db, int64 task_id)
{
	uint32	   *bucket = bucket_of(task_buckets, db, task_id);
	uint32		i;
	QTask	   *task;

	if (queue->free_task != 0)
	{
		i = queue->free_task;
		queue->free_task = tasks[i].next;
	}
	else if (queue->tasks_touched < queue->task_capacity)
		i = ++queue->tasks_touched;
	else
		return NULL;
	queue->tasks_used++;
	sched_shared->databases[db].tasks++;

	task = &tasks[i];
	MemSet(task, 0, sizeof(QTask));
	task->db = db;
	task->task_id = task_id;
	task->worker = -1;
	task->progress = -1;
	task->next = *bucket;
	*bucket = i;
	return task;
}

void
sched_queue_leave_out(int db, const QLaneSpec *spec, int64 task_id)
{
	QLane	   *lane = make_lane(db, spec);

	if (lane == NULL)
	{
		/* not even room for the lane: read everything again later */
		sched_shared->databases[db].rescan = true;
		return;
	}
	if (lane->spill_lo == SCHED_NO_SPILL)
		sched_shared->databases[db].spilled_lanes++;
	lane->spill_lo = Min(lane->spill_lo, task_id);
	ask_for_refill(lane);
}

/*
 * Enter a task that the tables hold.  While tasks of the lane are left out,
 * only the scheduler that reads them back in order ("refill") enters more.
 */
QAdd
sched_queue_add(int db, const QLaneSpec *spec, const QTaskSpec *new,
				bool refill, TimestampTz now)
{
	QLane	   *lane;
	QTask	   *task;

	if (is_known(db, new->task_id))
		return Q_DUPLICATE;
	/* those who wait must not leave the others without room */
	if (new->waits && queue->tasks_waiting >= queue->task_capacity / 2)
	{
		sched_shared->databases[db].strays = true;
		return Q_STRAY;
	}
	lane = make_lane(db, spec);
	if (lane == NULL ||
		(lane->spill_lo != SCHED_NO_SPILL && !refill) ||
		lane->total >= lane_capacity(lane) ||
		(task = sched_queue_make_entry(db, new->task_id)) == NULL)
	{
		sched_queue_leave_out(db, spec, new->task_id);
		return Q_LEFT_OUT;
	}

	if (spec->report_end)
		lane->spec.report_end = true;
	task->lane = lane;
	lane->total++;
	dlist_push_tail(&lane->tasks, &task->lane_node);
	task->run_id = new->run_id;
	task->route_key = new->route_key;
	task->target = new->target;
	task->pinned = new->target != 0;
	task->parent = new->parent;
	if (new->parent != 0)
		sched_route_count_shard(task, 1);
	task->scheduled_at = new->scheduled_at;
	task->tid = new->tid;
	task->has_parameters = new->has_parameters;
	task->priority = new->priority;
	task->serial = new->serial;
	task->losses = new->losses;
	task->attempt = new->attempt;
	task->tries = new->tries;
	task->due_at = new->due_at;
	task->waits = new->waits;
	task->counted = !new->evaluate;
	task->guarded = new->guarded;
	task->rule = new->rule;
	task->join.pending = new->pending;
	task->give_up_at = new->give_up_at;

	/* the first state is not a change of state */
	if (new->retrying)
	{
		task->status = SCHED_TASK_WAITING_RETRY;
		lane->occupied++;
	}
	else
		task->status = SCHED_TASK_SCHEDULED;
	if (new->due_at > now)
		sched_queue_set_timer(task, new->due_at);
	else if (new->waits)
		sched_queue_begin_waiting(task, now);
	else
		sched_queue_make_ready(task, now);
	return Q_ADDED;
}

QTask	   *
sched_queue_take(QClass *class, TimestampTz now)
{
	SchedDatabase *db = &sched_shared->databases[class->db];
	QTask	   *task;

	if (!sched_enabled || db->held)
		return NULL;
	if (sched_max_concurrent_jobs > 0 &&
		db->running >= sched_max_concurrent_jobs)
		return NULL;

	while ((task = sched_queue_first(class, NULL, now)) != NULL)
	{
		QLane	   *lane = task->lane;

		sched_queue_dequeue(task);
		if (sched_queue_lane_is_full(lane))
		{
			sched_queue_enqueue(task);		/* to the lane's own heap */
			continue;
		}
		sched_queue_set_status(task, SCHED_TASK_ASSIGNED);
		sched_queue_set_status(task, SCHED_TASK_RUNNING);
		task->started_at = now;
		sched_counters_observe_now(&db->counters, SCHED_COUNT_LATENESS,
								   now - task->due_at);
		task->stop = SCHED_STOP_NONE;
		if (task->start_watched)
			sched_shmem_note_moved(db, lane->spec.job_id);
		return task;
	}
	return NULL;
}

/* ---------- the job changed ---------- */

/* Move everything of the lane through the gates again. */
static void
requeue_lane(QLane *lane)
{
	dlist_iter	iter;

	dlist_foreach(iter, &lane->tasks)
	{
		QTask	   *task = dlist_container(QTask, lane_node, iter.cur);

		if (task->status == SCHED_TASK_READY && task->place != Q_BUFFER)
		{
			sched_queue_dequeue(task);
			sched_queue_enqueue(task);
		}
		else if (task->status == SCHED_TASK_WAITING_RETRY && !task->timed &&
				 !lane->spec.paused)
			sched_queue_set_timer(task, task->due_at);
	}
	sched_queue_lane_has_room(lane);
	if (lane->class->pool != NULL)
		sched_pool_wake(lane->class->pool);
	ask_for_refill(lane);
}

void
sched_queue_update_lane(int db, const QLaneSpec *spec)
{
	QLane	   *lane = sched_queue_find_lane(db, spec->job_id);
	QClass	   *class;
	dlist_iter	iter;

	if (lane == NULL || memcmp(&lane->spec, spec, sizeof(QLaneSpec)) == 0)
		return;
	if (!sched_class_is_same(&lane->spec, spec))
	{
		bool		stuck;

		class = sched_class_for(db, spec);
		stuck = class == NULL;
		if (stuck && (class = sched_class_base_for(db, spec)) == NULL)
			return;				/* stay where it is */
		sched_class_hold(class);
		dlist_foreach(iter, &lane->tasks)
		{
			QTask	   *task = dlist_container(QTask, lane_node, iter.cur);

			if (task->place == Q_CLASS)
				withdraw(task); /* entered again below */
		}
		sched_class_release(lane->class);
		lane->class = class;
		queue->stuck_lanes += stuck - lane->stuck;
		lane->stuck = stuck;
	}
	lane->spec = *spec;
	requeue_lane(lane);
}

void
sched_queue_pause_lane(int db, int64 job_id, bool paused)
{
	QLane	   *lane = sched_queue_find_lane(db, job_id);

	if (lane == NULL || lane->spec.paused == paused)
		return;
	lane->spec.paused = paused;
	requeue_lane(lane);
}

/* ---------- tasks that were left out ---------- */

/* A lane that has room for the tasks that it left out. */
QLane	   *
sched_queue_spilled_lane(int db)
{
	if (queue->tasks_used > refill_level())
		return NULL;
	for (uint32 i = 1; i <= queue->lanes_touched; i++)
	{
		QLane	   *lane = &lanes[i];

		if (lane->db == db && lane->spill_lo != SCHED_NO_SPILL &&
			lane->total < lane_capacity(lane) / 2)
			return lane;
	}
	return NULL;
}

/* They are about to be read: what finds no room from now on is marked anew. */
void
sched_queue_clear_left_out(QLane *lane)
{
	lane->spill_lo = SCHED_NO_SPILL;
	sched_shared->databases[lane->db].spilled_lanes--;
	free_lane_if_idle(lane);
}

void
sched_queue_purge(int db)
{
	SchedDatabase *database = &sched_shared->databases[db];

	for (uint32 i = 1; i <= queue->lanes_touched; i++)
	{
		if (lanes[i].db == db)
		{
			lanes[i].spill_lo = SCHED_NO_SPILL;
			lanes[i].spec.report_end = false;
			if (lanes[i].total == 0)
				free_lane_if_idle(&lanes[i]);
		}
	}
	for (uint32 i = 1; i <= queue->tasks_touched; i++)
		if (tasks[i].db == db)
			sched_queue_finish(&tasks[i]);
	sched_queue_end_reading(db);
	sched_executors_purge(db);
	sched_queue_begin_pools(db);
	sched_queue_end_pools(db);
	database->spilled_lanes = 0;
	database->want_refill = false;
	database->want_workers = false;
	database->change_count = 0;
	database->change_overflow = false;
	database->rescan = false;
	database->loaded = false;
	database->started_up = false;
	database->executors_loaded = false;
}

/* ---------- for views ---------- */

QTask	   *
sched_queue_next_task(int db, uint32 *cursor)
{
	while (*cursor < queue->tasks_touched)
	{
		QTask	   *task = &tasks[++*cursor];

		if (task->db == db && task->task_id != 0)
			return task;
	}
	return NULL;
}

QLane	   *
sched_queue_next_lane(int db, uint32 *cursor)
{
	while (*cursor < queue->lanes_touched)
	{
		QLane	   *lane = &lanes[++*cursor];

		if (lane->db == db && lane->spec.job_id != 0)
			return lane;
	}
	return NULL;
}
