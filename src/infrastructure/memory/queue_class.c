/*-------------------------------------------------------------------------
 *
 * queue_class.c
 *	  Who may claim which ready tasks: classes, their variants, and pools.
 *
 * A class has the ready tasks that exactly the same takers may have.  A base
 * is the class of a kind of worker: SQL workers of a role, or executors that
 * list a type.  Tasks that need more than that, slots of a pool or an executor
 * with certain tags, lie in a variant of the base, one per combination, each with
 * a heap of its own.  A taker compares the first tasks of the base and of those
 * variants that have any, and steps over variants whole: so a pool that is
 * full, or a tag that nobody has, costs a comparison and keeps nobody from
 * anything.  A kind without variants pays for looking at one pointer.
 *
 * A pool gives its slots to leases and has no state but the sum of them.  Within
 * a pool the order of tasks holds also where it spans several classes: the first
 * task that did not get its slots is remembered ("first"), and no later one
 * gets any while somebody keeps asking for it.  When nobody has asked for
 * some seconds, because its kind has no taker any more, the others go on.
 *
 * When there is no room for another variant, its lane waits until there is
 * (queue.c); a pool that is not known, because its row has not been read yet or
 * is gone, has no slots.
 *
 * The caller holds sched_shared->lock exclusively (shared for the functions that
 * only look).  Nothing in here raises an error, allocates, or waits.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "infrastructure/memory/queue_class.h"
#include "infrastructure/memory/queue_order.h"
#include "storage/shmem.h"

#define MAX_CLASSES		16384
#define RESERVED		1024	/* of these, for kinds of workers */
#define MAX_POOLS		4096
#define BUCKETS			4096	/* of each, a power of two */
/* with the first one in a pool */
#define PATIENCE		(30 * USECS_PER_SEC)

typedef struct ClassesShared
{
	int			classes_touched;
	uint32		free_class;		/* 1-based, 0: none */
	int			free_classes;	/* on that list */
	uint32		pools_touched;
	uint32		free_pool;
	uint32		class_buckets[BUCKETS];
	uint32		pool_buckets[BUCKETS];
	QClass		classes[MAX_CLASSES + 1];	/* the first is not used */
	QPool		pools[MAX_POOLS + 1];
} ClassesShared;

static ClassesShared *shared;

Size
sched_classes_size(void)
{
	return MAXALIGN(sizeof(ClassesShared));
}

void
sched_classes_attach(bool found)
{
	shared = ShmemInitStruct("sched classes", sched_classes_size(), &found);
	if (!found)
		MemSet(shared, 0, offsetof(ClassesShared, classes));
}

static inline QTask *
head_of(const QClass *class)
{
	return class->ready == 0 ? NULL :
		pairingheap_container(QTask, ready_node,
							  pairingheap_first(unconstify(pairingheap *, &class->heap)));
}

/* ---------- pools ---------- */

uint64
sched_pool_key(const char *name)
{
	uint64		key = hash_bytes_extended((const unsigned char *) name,
										  strlen(name), 0);

	return Max(key, 1);
}

static inline uint32 *
pool_bucket(int db, uint64 key)
{
	return &shared->pool_buckets[(key ^ murmurhash32(db)) & (BUCKETS - 1)];
}

QPool *
sched_queue_find_pool(int db, uint64 key)
{
	uint32		i = *pool_bucket(db, key);

	while (i != 0 && !(shared->pools[i].db == db && shared->pools[i].key == key))
		i = shared->pools[i].next;
	return i == 0 ? NULL : &shared->pools[i];
}

static QPool *
make_pool(int db, uint64 key)
{
	QPool	   *pool = sched_queue_find_pool(db, key);
	uint32		i;

	if (pool != NULL)
		return pool;
	if (shared->free_pool != 0)
	{
		i = shared->free_pool;
		shared->free_pool = shared->pools[i].next;
	}
	else if (shared->pools_touched < MAX_POOLS)
		i = ++shared->pools_touched;
	else
		return NULL;
	pool = &shared->pools[i];
	MemSet(pool, 0, sizeof(QPool));
	pool->db = db;
	pool->key = key;
	dlist_init(&pool->classes);
	pool->next = *pool_bucket(db, key);
	*pool_bucket(db, key) = i;
	return pool;
}

static void
free_pool_if_idle(QPool *pool)
{
	uint32		i = pool - shared->pools;
	uint32	   *link;

	if (pool->known || pool->used > 0 || !dlist_is_empty(&pool->classes))
		return;
	link = pool_bucket(pool->db, pool->key);
	while (*link != i)
		link = &shared->pools[*link].next;
	*link = pool->next;
	pool->db = -1;
	pool->next = shared->free_pool;
	shared->free_pool = i;
}

/* A task that needs more than there is takes all that there is. */
static inline int
slots_needed(const QTask *task, const QPool *pool)
{
	int			slots = Max(task->lane->spec.pool_slots, 1);

	return pool->known && pool->slots > 0 ? Min(slots, pool->slots) : slots;
}

static inline bool
fits(const QTask *task, const QPool *pool)
{
	return pool->known &&
		pool->used + slots_needed(task, pool) <= pool->slots;
}

/*
 * May the task, the first of its class, have its slots?  If there are too few, it
 * is remembered, and comes before all later ones.
 */
static bool
may_have_slots(QTask *task, QPool *pool, TimestampTz now)
{
	bool		behind = pool->first != NULL && pool->first != task &&
		now - pool->first_at < PATIENCE &&
		compare_order(pool->first, task) > 0;

	if (behind)
		return false;
	if (fits(task, pool))
		return true;
	pool->first = task;
	pool->first_at = now;
	return false;
}

/* There are free slots: wake as many takers as could use them. */
void
sched_pool_wake(QPool *pool)
{
	int			free = pool->known ? pool->slots - pool->used : 0;
	QClass	   *turn = NULL;
	dlist_iter	iter;

	if (free <= 0)
		return;
	if (pool->first != NULL)
	{
		/* his turn; the slots are kept for him in any case */
		turn = pool->first->class;
		sched_queue_wake_class(turn);
		free--;
	}
	dlist_foreach(iter, &pool->classes)
	{
		QClass	   *class = dlist_container(QClass, pool_node, iter.cur);

		for (int i = class == turn; i < class->ready && free > 0; i++, free--)
			sched_queue_wake_class(class);
		if (free <= 0)
			break;
	}
}

void
sched_pool_occupy(QTask *task)
{
	QPool	   *pool = task->lane->class->pool;

	if (pool == NULL)
		return;
	task->pool = pool;
	task->pool_used = slots_needed(task, pool);
	pool->used += task->pool_used;
}

void
sched_pool_vacate(QTask *task)
{
	QPool	   *pool = task->pool;

	if (pool == NULL)
		return;
	pool->used -= task->pool_used;
	task->pool = NULL;
	task->pool_used = 0;
	sched_pool_wake(pool);
	free_pool_if_idle(pool);
}

bool
sched_queue_set_pool(int db, uint64 key, int slots)
{
	QPool	   *pool = make_pool(db, key);

	if (pool == NULL)
		return false;
	pool->known = true;
	pool->seen = true;
	if (pool->slots != slots)
	{
		pool->slots = slots;
		pool->first = NULL;
		sched_pool_wake(pool);
	}
	return true;
}

void
sched_queue_begin_pools(int db)
{
	for (uint32 i = 1; i <= shared->pools_touched; i++)
		shared->pools[i].seen = false;
}

void
sched_queue_end_pools(int db)
{
	for (uint32 i = 1; i <= shared->pools_touched; i++)
	{
		QPool	   *pool = &shared->pools[i];

		if (pool->db == db && pool->known && !pool->seen)
		{
			pool->known = false;
			pool->slots = 0;
			free_pool_if_idle(pool);
		}
	}
}

void
sched_queue_pool_state(const QPool *pool, int *waiting, int64 *first)
{
	dlist_iter	iter;

	*waiting = 0;
	dlist_foreach(iter, unconstify(dlist_head *, &pool->classes))
		*waiting += dlist_container(QClass, pool_node, iter.cur)->ready;
	*first = pool->first == NULL ? 0 : pool->first->task_id;
}

/* ---------- classes ---------- */

static uint32
class_hash(int db, Oid role, uint32 kind, uint64 pool, int tag_count,
		   const uint32 *tags)
{
	uint32		hash = hash_combine(murmurhash32(role ^ (kind * 31)),
									murmurhash32(db));

	hash = hash_combine(hash, (uint32) (pool ^ (pool >> 32)));
	for (int i = 0; i < tag_count; i++)
		hash = hash_combine(hash, tags[i]);
	return hash & (BUCKETS - 1);
}

static inline bool
is_referenced(const QClass *class)
{
	return class->lanes + class->workers + class->chores + class->variants > 0;
}

static QClass *
find(int db, Oid role, uint32 kind, uint64 pool, int tag_count,
	 const uint32 *tags)
{
	uint32		i = shared->class_buckets[class_hash(db, role, kind, pool,
													 tag_count, tags)];

	for (; i != 0; i = shared->classes[i].next)
	{
		QClass	   *class = &shared->classes[i];

		if (class->db == db && class->role == role && class->kind == kind &&
			class->pool_key == pool && class->tag_count == tag_count &&
			(tag_count == 0 ||
			 memcmp(class->tags, tags, tag_count * sizeof(uint32)) == 0))
			return class;
	}
	return NULL;
}

QClass *
sched_queue_find_class(int db, Oid role, uint32 kind)
{
	QClass	   *class = find(db, role, kind, 0, 0, NULL);

	return class != NULL && is_referenced(class) ? class : NULL;
}

static void
unlink_class(QClass *class)
{
	uint32		i = class - shared->classes;
	uint32	   *link = &shared->class_buckets[class_hash(class->db, class->role,
														 class->kind,
														 class->pool_key,
														 class->tag_count,
														 class->tags)];

	while (*link != i)
		link = &shared->classes[*link].next;
	*link = class->next;
	class->db = -1;
	class->next = shared->free_class;
	shared->free_class = i;
	shared->free_classes++;
}

/* Bases that nobody refers to stay until their place is wanted. */
static void
sweep(void)
{
	for (int i = 1; i <= shared->classes_touched; i++)
	{
		QClass	   *class = &shared->classes[i];

		if (class->db >= 0 && !is_referenced(class))
			unlink_class(class);
	}
}

static inline int
room(void)
{
	return shared->free_classes + MAX_CLASSES - shared->classes_touched;
}

static QClass *
make(int db, Oid role, uint32 kind, uint64 pool, int tag_count,
	 const uint32 *tags)
{
	uint32	   *bucket = &shared->class_buckets[class_hash(db, role, kind, pool,
														   tag_count, tags)];
	QClass	   *class;
	uint32		i;

	/* tags, pools and routes may take much, but not the last of it */
	bool		limited = pool != 0 || tag_count > 0 ||
		kind == SCHED_KIND_ROUTED;
	int			wanted = limited ? RESERVED : 0;

	if (room() <= wanted)
		sweep();
	if (room() <= wanted)
		return NULL;
	if (shared->free_class != 0)
	{
		i = shared->free_class;
		shared->free_class = shared->classes[i].next;
		shared->free_classes--;
	}
	else
		i = ++shared->classes_touched;
	class = &shared->classes[i];
	MemSet(class, 0, sizeof(QClass));
	class->db = db;
	class->role = role;
	class->kind = kind;
	class->pool_key = pool;
	class->tag_count = tag_count;
	if (tag_count > 0)
		memcpy(class->tags, tags, tag_count * sizeof(uint32));
	for (int t = 0; t < tag_count; t++)
		class->tag_mask |= UINT64CONST(1) << (tags[t] & 63);
	class->base = class;
	init_heap(&class->heap, compare_ready);
	dlist_init(&class->active);
	class->next = *bucket;
	*bucket = i;
	return class;
}

static QClass *
make_base(int db, Oid role, uint32 kind)
{
	QClass	   *class = find(db, role, kind, 0, 0, NULL);

	if (class != NULL && !is_referenced(class))
	{
		/* of an earlier life: what is known of it is of no use */
		unlink_class(class);
		class = NULL;
	}
	return class != NULL ? class : make(db, role, kind, 0, 0, NULL);
}

QClass *
sched_class_base_for(int db, const QLaneSpec *spec)
{
	return make_base(db, spec->role, spec->kind);
}

bool
sched_queue_hold_class(int db, Oid role)
{
	QClass	   *class = make_base(db, role, SCHED_KIND_SQL);

	if (class == NULL)
		return false;
	class->chores++;
	return true;
}

void
sched_queue_release_class(int db, Oid role)
{
	QClass	   *class = sched_queue_find_class(db, role, SCHED_KIND_SQL);

	if (class != NULL && class->chores > 0)
		class->chores--;
}

QClass *
sched_class_for(int db, const QLaneSpec *spec)
{
	QClass	   *base = sched_class_base_for(db, spec);
	QClass	   *class;
	QPool	   *pool = NULL;

	if (base == NULL || (spec->pool == 0 && spec->tag_count == 0))
		return base;
	class = find(db, spec->role, spec->kind, spec->pool, spec->tag_count,
				 spec->tags);
	if (class != NULL)
		return class;
	if (spec->pool != 0 && (pool = make_pool(db, spec->pool)) == NULL)
		return NULL;
	base->variants++;			/* first: a sweep must not take it */
	class = make(db, spec->role, spec->kind, spec->pool, spec->tag_count,
				 spec->tags);
	if (class == NULL)
	{
		base->variants--;
		if (pool != NULL)
			free_pool_if_idle(pool);
		return NULL;
	}
	class->base = base;
	class->pool = pool;
	if (pool != NULL)
		dlist_push_tail(&pool->classes, &class->pool_node);
	return class;
}

/* Do the same takers have the tasks of both? */
bool
sched_class_is_same(const QLaneSpec *a, const QLaneSpec *b)
{
	return a->role == b->role && a->kind == b->kind && a->pool == b->pool &&
		a->tag_count == b->tag_count &&
		memcmp(a->tags, b->tags, sizeof(a->tags)) == 0;
}

void
sched_class_hold(QClass *class)
{
	class->lanes++;
}

void
sched_class_release(QClass *class)
{
	class->lanes--;
	if (class->lanes > 0 || class->base == class)
		return;
	Assert(class->ready == 0);
	class->base->variants--;
	if (class->pool != NULL)
	{
		dlist_delete(&class->pool_node);
		free_pool_if_idle(class->pool);
	}
	unlink_class(class);
}

void
sched_class_push(QClass *class, QTask *task)
{
	task->class = class;
	pairingheap_add(&class->heap, &task->ready_node);
	if (class->ready++ == 0 && class->base != class)
	{
		dlist_push_tail(&class->base->active, &class->active_node);
		class->base->active_count++;
	}
}

void
sched_class_remove(QTask *task)
{
	QClass	   *class = task->class;

	pairingheap_remove(&class->heap, &task->ready_node);
	if (--class->ready == 0 && class->base != class)
	{
		dlist_delete(&class->active_node);
		class->base->active_count--;
	}
	if (class->pool != NULL && class->pool->first == task)
		class->pool->first = NULL;
	task->class = NULL;
}

bool
sched_class_is_open(const QClass *class)
{
	QTask	   *head = head_of(class);

	return head != NULL && (class->pool == NULL || fits(head, class->pool));
}

/* ---------- takers ---------- */

void
sched_tags_init(QTags *tags, const uint32 *hashes, int count)
{
	tags->hashes = hashes;
	tags->count = count;
	tags->mask = 0;
	for (int i = 0; i < count; i++)
		tags->mask |= UINT64CONST(1) << (hashes[i] & 63);
}

bool
sched_queue_has_tags(const QClass *class, const QTags *tags)
{
	if (class->tag_count == 0)
		return true;
	if (class->tag_mask & ~tags->mask)
		return false;
	for (int i = 0; i < class->tag_count; i++)
	{
		bool		found = false;

		for (int j = 0; j < tags->count && !found; j++)
			found = tags->hashes[j] == class->tags[i];
		if (!found)
			return false;
	}
	return true;
}

QTask *
sched_queue_first(QClass *base, const QTags *tags, TimestampTz now)
{
	QTask	   *best = head_of(base);
	dlist_iter	iter;

	if (base->active_count == 0)
		return best;
	dlist_foreach(iter, &base->active)
	{
		QClass	   *class = dlist_container(QClass, active_node, iter.cur);
		QTask	   *head = head_of(class);

		if ((best != NULL && compare_order(head, best) < 0) ||
			(tags != NULL && !sched_queue_has_tags(class, tags)) ||
			(class->pool != NULL && !may_have_slots(head, class->pool, now)))
			continue;
		best = head;
	}
	return best;
}

bool
sched_queue_has_ready(const QClass *base)
{
	return base->ready > 0 || base->active_count > 0;
}

bool
sched_queue_has_slots(const QTask *task)
{
	const QPool *pool = task->lane->class->pool;

	return pool == NULL || fits(task, pool);
}

int
sched_queue_startable(const QClass *base, TimestampTz *queued_at)
{
	QTask	   *head = head_of(base);
	int			count = base->ready;
	dlist_iter	iter;

	*queued_at = head == NULL ? 0 : head->queued_at;
	dlist_foreach(iter, unconstify(dlist_head *, &base->active))
	{
		const QClass *class = dlist_container(QClass, active_node, iter.cur);
		int			more = class->ready;

		if (!sched_class_is_open(class))
			continue;
		if (class->pool != NULL)
			more = Min(more, class->pool->slots - class->pool->used);
		head = head_of(class);
		if (*queued_at == 0 || head->queued_at < *queued_at)
			*queued_at = head->queued_at;
		count += more;
	}
	return count;
}

QClass *
sched_queue_next_class(int db, int *cursor)
{
	while (*cursor < shared->classes_touched)
	{
		QClass	   *class = &shared->classes[++*cursor];

		if ((class->db == db || db == SCHED_ANY_DATABASE) &&
			class->base == class && is_referenced(class))
			return class;
	}
	return NULL;
}

QClass *
sched_queue_next_variant(QClass *base, QClass *after)
{
	dlist_head *active = &base->active;
	dlist_node *node = NULL;

	if (after != NULL && dlist_has_next(active, &after->active_node))
		node = dlist_next_node(active, &after->active_node);
	else if (after == NULL && !dlist_is_empty(active))
		node = dlist_head_node(active);
	return node == NULL ? NULL : dlist_container(QClass, active_node, node);
}
