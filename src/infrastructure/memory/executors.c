/*-------------------------------------------------------------------------
 *
 * executors.c
 *	  The external executors, in shared memory.
 *
 * An array of fixed size (sched.max_executors), with hash chains by id and by
 * name within the database.  The definition of each is a copy of its row in
 * _executor; what changes with every beat or lease is here only: the time of
 * the last beat, the load, the list of leased tasks.  A beat writes no table.
 *
 * Silence is found through a pairing heap per database, ordered by the time
 * before which an executor cannot be lost.  A beat does not move its node: the
 * time stands in the slot, and whoever comes to the top of the heap too early is
 * put back at its proper place.  So a beat costs nothing, and each executor is
 * looked at about once per timeout.
 *
 * A slot that a transaction has entered and not committed is seen by its own
 * process only.
 *
 * The caller holds sched_shared->lock exclusively (shared for what only looks).
 * Nothing in here raises an error, allocates, or waits.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "infrastructure/memory/executors.h"
#include "infrastructure/memory/queue_route.h"
#include "infrastructure/settings.h"
#include "infrastructure/memory/waiters.h"
#include "infrastructure/memory/wake.h"
#include "miscadmin.h"
#include "storage/shmem.h"

#define BUCKETS		4096

typedef struct ExecutorsShared
{
	uint32		capacity;
	uint32		touched;		/* never used beyond */
	uint32		used;
	uint32		free;
	uint32		by_id[BUCKETS];
	uint32		by_name[BUCKETS];
	QExecutor	slots[FLEXIBLE_ARRAY_MEMBER];	/* slots[0] is not used */
} ExecutorsShared;

static ExecutorsShared *shared;

static const char *const status_names[] = {
	[SCHED_EXECUTOR_REGISTERED] = "registered",
	[SCHED_EXECUTOR_ONLINE] = "online",
	[SCHED_EXECUTOR_OFFLINE] = "offline",
	[SCHED_EXECUTOR_DRAINING] = "draining",
	[SCHED_EXECUTOR_MAINTENANCE] = "maintenance"
};

const char *
sched_executor_status_name(SchedExecutorStatus status)
{
	return status_names[status];
}

bool
sched_executor_status_from_name(const char *name, SchedExecutorStatus *status)
{
	for (int i = 0; i < lengthof(status_names); i++)
		if (strcmp(name, status_names[i]) == 0)
		{
			*status = (SchedExecutorStatus) i;
			return true;
		}
	return false;
}

/* ---------- allocation ---------- */

Size
sched_executors_size(void)
{
	return CACHELINEALIGN(add_size(offsetof(ExecutorsShared, slots),
								   mul_size(sizeof(QExecutor),
											sched_max_executors + 1)));
}

void
sched_executors_attach(bool found)
{
	shared = ShmemInitStruct("sched executors", sched_executors_size(), &found);
	if (!found)
	{
		MemSet(shared, 0, offsetof(ExecutorsShared, slots));
		shared->capacity = sched_max_executors;
	}
}

int
sched_executors_used(void)
{
	return shared->used;
}

QExecutor  *
sched_executor_at(uint32 index)
{
	return &shared->slots[index];
}

uint32
sched_executor_index(const QExecutor *executor)
{
	return executor - shared->slots;
}

static uint32 *
id_bucket(int db, int executor_id)
{
	return &shared->by_id[murmurhash32((uint32) executor_id + db * 7919) %
						  BUCKETS];
}

static uint32 *
name_bucket(int db, const char *name)
{
	return &shared->by_name[(hash_bytes((const unsigned char *) name,
										strlen(name)) + db) % BUCKETS];
}

static inline bool
is_visible(const QExecutor *executor)
{
	return executor->hidden_pid == 0 || executor->hidden_pid == MyProcPid;
}

/* ---------- finding ---------- */

QExecutor  *
sched_executor_find(int db, const char *name)
{
	uint32		i = *name_bucket(db, name);

	for (; i != 0; i = shared->slots[i].next_name)
	{
		QExecutor  *executor = &shared->slots[i];

		if (executor->db == db && !executor->gone && is_visible(executor) &&
			strcmp(executor->spec.name, name) == 0)
			return executor;
	}
	return NULL;
}

QExecutor  *
sched_executor_find_id(int db, int executor_id)
{
	uint32		i = *id_bucket(db, executor_id);

	while (i != 0 && !(shared->slots[i].db == db &&
					   shared->slots[i].spec.executor_id == executor_id))
		i = shared->slots[i].next;
	return i == 0 ? NULL : &shared->slots[i];
}

QExecutor  *
sched_executor_next(int db, uint32 *cursor)
{
	while (*cursor < shared->touched)
	{
		QExecutor  *executor = &shared->slots[++*cursor];

		if (executor->db == db && is_visible(executor))
			return executor;
	}
	return NULL;
}

QExecutor  *
sched_executor_of(const QTask *task)
{
	return task->executor == 0 ? NULL : &shared->slots[task->executor];
}

/* ---------- beats ---------- */

static int
compare_check(const pairingheap_node *a, const pairingheap_node *b, void *arg)
{
	TimestampTz ta = pairingheap_const_container(QExecutor, beat_node, a)->check_at;
	TimestampTz tb = pairingheap_const_container(QExecutor, beat_node, b)->check_at;

	return ta < tb ? 1 : ta > tb ? -1 : 0;
}

static void
watch(QExecutor *executor, TimestampTz check_at)
{
	SchedDatabase *db = &sched_shared->databases[executor->db];

	if (executor->timed)
		pairingheap_remove(&db->beats, &executor->beat_node);
	executor->timed = check_at != 0;
	executor->check_at = check_at;
	if (!executor->timed)
		return;
	db->beats.ph_compare = compare_check;
	pairingheap_add(&db->beats, &executor->beat_node);
	if (check_at < db->sleep_until)
	{
		db->sleep_until = check_at;
		sched_wake_scheduler(db);
	}
}

static bool
is_watched(const QExecutor *executor)
{
	return executor->spec.status == SCHED_EXECUTOR_ONLINE ||
		executor->spec.status == SCHED_EXECUTOR_DRAINING;
}

bool
sched_executor_beat(QExecutor *executor, TimestampTz now)
{
	bool		was_online = executor->spec.status != SCHED_EXECUTOR_OFFLINE;

	executor->last_beat = now;
	if (!was_online && executor->spec.active)
		sched_executor_set_status(executor, SCHED_EXECUTOR_ONLINE, true, now);
	return was_online;
}

bool
sched_executor_came_online(QExecutor *executor, TimestampTz now)
{
	return !sched_executor_beat(executor, now) &&
		executor->spec.status == SCHED_EXECUTOR_ONLINE;
}

QExecutor  *
sched_executor_overdue(int db, TimestampTz now, int64 timeout)
{
	pairingheap *heap = &sched_shared->databases[db].beats;

	while (heap->ph_root != NULL)
	{
		QExecutor  *first = pairingheap_container(QExecutor, beat_node,
												  pairingheap_first(heap));

		if (first->check_at > now)
			return NULL;
		if (now - first->last_beat > timeout)
			return first;
		/* the microsecond: silence for exactly the timeout is no loss */
		watch(first, first->last_beat + timeout + 1);
	}
	return NULL;
}

TimestampTz
sched_executor_next_check(int db)
{
	pairingheap *heap = &sched_shared->databases[db].beats;

	if (heap->ph_root == NULL)
		return 0;
	return pairingheap_container(QExecutor, beat_node,
								 pairingheap_first(heap))->check_at;
}

/* ---------- coming and going ---------- */

QExecutor  *
sched_executor_put(int db, const QExecutorSpec *spec, int hidden_pid,
				   TimestampTz now)
{
	QExecutor  *executor = sched_executor_find_id(db, spec->executor_id);
	uint32	   *bucket;
	uint32		i;

	if (executor != NULL)
	{
		/* a row that says the same as before changes nothing of the present */
		bool		moved = spec->status != executor->row_status ||
		spec->active != executor->spec.active;

		executor->row_status = spec->status;
		executor->hidden_pid = hidden_pid;
		executor->spec.owner = spec->owner;
		executor->spec.max_concurrent = spec->max_concurrent;
		executor->spec.type_count = spec->type_count;
		memcpy(executor->spec.types, spec->types, sizeof(spec->types));
		executor->spec.tag_count = spec->tag_count;
		memcpy(executor->spec.tags, spec->tags, sizeof(spec->tags));
		memcpy(executor->spec.digest, spec->digest, sizeof(spec->digest));
		if (moved)
			sched_executor_set_status(executor, spec->status, spec->active,
									  now);
		sched_route_executor_changed(executor);
		return executor;
	}
	if (shared->free != 0)
	{
		i = shared->free;
		shared->free = shared->slots[i].next;
	}
	else if (shared->touched < shared->capacity)
		i = ++shared->touched;
	else
		return NULL;
	shared->used++;

	executor = &shared->slots[i];
	MemSet(executor, 0, offsetof(QExecutor, load));
	executor->db = db;
	executor->spec = *spec;
	executor->row_status = spec->status;
	executor->hidden_pid = hidden_pid;
	executor->last_beat = now;
	dlist_init(&executor->leases);
	bucket = id_bucket(db, spec->executor_id);
	executor->next = *bucket;
	*bucket = i;
	bucket = name_bucket(db, spec->name);
	executor->next_name = *bucket;
	*bucket = i;
	if (is_watched(executor))
		watch(executor, now + sched_executor_timeout * USECS_PER_SEC + 1);
	sched_route_executor_changed(executor);
	return executor;
}

static void
free_slot(QExecutor *executor)
{
	uint32		i = sched_executor_index(executor);
	uint32	   *link = id_bucket(executor->db, executor->spec.executor_id);

	while (*link != i)
		link = &shared->slots[*link].next;
	*link = executor->next;
	link = name_bucket(executor->db, executor->spec.name);
	while (*link != i)
		link = &shared->slots[*link].next_name;
	*link = executor->next_name;
	if (executor->timed)
		watch(executor, 0);
	executor->db = -1;
	executor->next = shared->free;
	shared->free = i;
	shared->used--;
}

void
sched_executor_remove(QExecutor *executor)
{
	executor->gone = true;
	if (executor->timed)
		watch(executor, 0);
	sched_route_executor_changed(executor);
	if (executor->running == 0)
		free_slot(executor);
	else
		sched_executor_ask_settle(executor);
}

void
sched_executor_set_status(QExecutor *executor, SchedExecutorStatus status,
						  bool active, TimestampTz now)
{
	bool		was_watched = is_watched(executor);

	executor->spec.active = active;
	if (executor->spec.status == status)
		return;
	executor->spec.status = status;
	if (is_watched(executor) && !was_watched)
	{
		executor->last_beat = now;
		watch(executor, now + sched_executor_timeout * USECS_PER_SEC + 1);
	}
	else if (!is_watched(executor) && was_watched)
		watch(executor, 0);
	if (status != SCHED_EXECUTOR_ONLINE &&
		status != SCHED_EXECUTOR_DRAINING && executor->running > 0)
		sched_executor_ask_settle(executor);
	sched_route_executor_changed(executor);
	if (status == SCHED_EXECUTOR_ONLINE)
		sched_queue_wake_workers(executor->db);
	else
		sched_waiter_wake_all(executor);
}

bool
sched_executor_has_tags(const QExecutor *executor, const QClass *class)
{
	QTags		tags;

	if (class->tag_count == 0)
		return true;
	sched_tags_init(&tags, executor->spec.tags, executor->spec.tag_count);
	return sched_queue_has_tags(class, &tags);
}

bool
sched_executor_takes_kind(const QExecutor *executor, uint32 kind)
{
	if (executor->spec.type_count == 0)
		return kind != SCHED_KIND_SQL && kind != SCHED_KIND_HTTP;
	for (int i = 0; i < executor->spec.type_count; i++)
		if (executor->spec.types[i] == kind)
			return true;
	return false;
}

/* ---------- leases ---------- */

void
sched_executor_link(QExecutor *executor, QTask *task)
{
	task->executor = sched_executor_index(executor);
	dlist_push_tail(&executor->leases, &task->lease_node);
	executor->running++;
	executor->claimed++;
	sched_shared->databases[executor->db].leased++;
}

void
sched_executor_unlink(QTask *task)
{
	QExecutor  *executor = sched_executor_of(task);

	if (executor == NULL)
		return;
	dlist_delete(&task->lease_node);
	task->executor = 0;
	if (task->undelivered)
		executor->undelivered--;
	task->undelivered = false;
	sched_shared->databases[executor->db].leased--;
	/* it has room again, and somebody may wait for that */
	if (executor->running-- == executor->spec.max_concurrent &&
		!dlist_is_empty(&sched_shared->databases[executor->db].waiters))
		sched_queue_wake_workers(executor->db);
	if (executor->gone && executor->running == 0)
		free_slot(executor);
}

void
sched_executor_note_lost(QExecutor *executor, int64 task_id, int attempt)
{
	int			slot = executor->lost_count++ % SCHED_EXECUTOR_LOST;

	executor->lost[slot] = task_id;
	executor->lost_attempts[slot] = attempt;
	if (executor->lost_count == 2 * SCHED_EXECUTOR_LOST)
		executor->lost_count = SCHED_EXECUTOR_LOST;
}

void
sched_executor_ask_settle(QExecutor *executor)
{
	SchedDatabase *db = &sched_shared->databases[executor->db];

	executor->settle = true;
	db->settle_executors = true;
	sched_wake_scheduler(db);
}

void
sched_executors_purge(int db)
{
	for (uint32 i = 1; i <= shared->touched; i++)
	{
		QExecutor  *executor = &shared->slots[i];

		if (executor->db == db)
			sched_executor_remove(executor);
	}
}
