/*-------------------------------------------------------------------------
 *
 * listener.c
 *	  Who listens to which events: event triggers and subscriptions.
 *
 * Each backend has a copy of what the tables say, read again when the listener
 * generation in shared memory has moved on, or when this backend's own
 * transaction changed something (pending.c tells of its end).  Patterns
 * without a star are sorted and found by bisection, the others are tried one by
 * one; and for the domain events the answer to "does anybody listen?" is a bit,
 * so that an end of a task that nobody wants to hear of costs a comparison.
 *
 * Rows that cannot be understood are left out: they were checked when they were
 * made, and the scheduler has them in quarantine.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "domain/event_pattern.h"
#include "domain/schedule/schedule.h"
#include "infrastructure/memory/listener.h"
#include "infrastructure/memory/pending.h"
#include "infrastructure/memory/shmem.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/* Columns of _trigger and of _subscription. */
enum
{
	TRIGGER_ID = 1, TRIGGER_JOB, TRIGGER_KIND, TRIGGER_SCHEDULE,
	TRIGGER_TIMEZONE, TRIGGER_PARAMETERS, TRIGGER_CONFIG
};

enum
{
	SUBSCRIPTION_ID = 1, SUBSCRIPTION_NAME, SUBSCRIPTION_PATTERN,
	SUBSCRIPTION_OWNER
};

static MemoryContext context;
static bool valid = false;
static uint32 read_generation;
static Oid	read_schema;		/* they were read for this one */
static SchedListener *literals; /* sorted by pattern */
static int	literal_count;
static SchedListener *wildcards;
static int	wildcard_count;
static bool wanted[SCHED_EVENT_COUNT];

/* ---------- reading ---------- */

static void
append(SchedListener **list, int *count, const SchedListener *listener)
{
	/* room grows by doubling, at powers of two */
	if ((*count & (*count - 1)) == 0)
	{
		Size		size = (*count == 0 ? 1 : 2 * *count) *
		sizeof(SchedListener);

		*list = *count == 0 ? palloc(size) : repalloc_huge(*list, size);
	}
	(*list)[(*count)++] = *listener;
}

static void
add(const SchedListener *listener)
{
	if (strchr(listener->pattern, '*') != NULL)
		append(&wildcards, &wildcard_count, listener);
	else
		append(&literals, &literal_count, listener);
	for (int i = 0; i < SCHED_EVENT_COUNT; i++)
		if (!wanted[i])
			wanted[i] = sched_event_pattern_matches(listener->pattern,
													sched_event_type_name(i));
}

/* The text under the key "filter" of a trigger's config. */
static char *
config_filter(Jsonb *config)
{
	JsonbValue	value;

	if (!JB_ROOT_IS_OBJECT(config) ||
		getKeyJsonValueFromContainer(&config->root, "filter", 6,
									 &value) == NULL ||
		value.type != jbvString)
		return NULL;
	return pnstrdup(value.val.string.val, value.val.string.len);
}

static void
read_trigger(HeapTuple tuple, TupleDesc desc)
{
	SchedListener listener = {0};
	SchedSchedule *schedule;
	SchedError	error;
	Datum		value;
	bool		isnull;

	listener.trigger_id = DatumGetInt64(heap_getattr(tuple, TRIGGER_ID, desc,
													 &isnull));
	listener.job_id = DatumGetInt64(heap_getattr(tuple, TRIGGER_JOB, desc,
												 &isnull));
	value = heap_getattr(tuple, TRIGGER_SCHEDULE, desc, &isnull);
	schedule = sched_schedule_parse(TextDatumGetCString(value), &error);
	if (schedule == NULL || sched_schedule_kind(schedule) != SCHED_EVENT)
		return;
	listener.pattern = sched_schedule_argument(schedule);
	listener.condition = sched_schedule_filter(schedule);
	value = heap_getattr(tuple, TRIGGER_PARAMETERS, desc, &isnull);
	if (!isnull)
		listener.parameters = DatumGetJsonbPCopy(value);
	value = heap_getattr(tuple, TRIGGER_CONFIG, desc, &isnull);
	if (!isnull)
		listener.filter = config_filter(DatumGetJsonbP(value));
	add(&listener);
}

static void
read_subscription(HeapTuple tuple, TupleDesc desc)
{
	SchedListener listener = {0};
	bool		isnull;

	listener.subscription_id = DatumGetInt64(heap_getattr(tuple,
														  SUBSCRIPTION_ID,
														  desc, &isnull));
	listener.pattern = TextDatumGetCString(heap_getattr(tuple,
														SUBSCRIPTION_PATTERN,
														desc, &isnull));
	listener.owner = DatumGetObjectId(heap_getattr(tuple, SUBSCRIPTION_OWNER,
												   desc, &isnull));
	add(&listener);
}

static void
read_table(const char *table, const char *index,
		   void (*read_row) (HeapTuple tuple, TupleDesc desc))
{
	Relation	relation = table_open(sched_store_relation(table),
									  AccessShareLock);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	SysScanDesc scan = systable_beginscan(relation,
										  sched_store_relation(index), true,
										  snapshot, 0, NULL);
	HeapTuple	tuple;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		read_row(tuple, RelationGetDescr(relation));
	systable_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(relation, AccessShareLock);
}

static int
compare(const void *a, const void *b)
{
	const SchedListener *left = a;
	const SchedListener *right = b;
	int			result = strcmp(left->pattern, right->pattern);

	if (result == 0)
		result = left->trigger_id < right->trigger_id ? -1 :
			left->trigger_id > right->trigger_id ? 1 :
			left->subscription_id < right->subscription_id ? -1 : 1;
	return result;
}

static uint32
present_generation(int me)
{
	return *(volatile uint32 *) &sched_shared->databases[me].listener_generation;
}

/* Without a slot of the database nobody counts its changes. */
static void
make_valid(void)
{
	int			me = sched_shmem_my_database();
	Oid			schema = get_namespace_oid("sched", false);
	uint32		generation = me < 0 ? 0 : present_generation(me);
	MemoryContext caller_context;

	if (valid && me >= 0 && generation == read_generation &&
		schema == read_schema)
		return;

	valid = false;
	if (context == NULL)
		context = AllocSetContextCreate(TopMemoryContext, "sched listeners",
										ALLOCSET_DEFAULT_SIZES);
	else
		MemoryContextReset(context);
	literal_count = wildcard_count = 0;
	memset(wanted, 0, sizeof(wanted));

	caller_context = MemoryContextSwitchTo(context);
	read_table("_trigger", "trigger_event_idx", read_trigger);
	read_table("_subscription", "subscription_pkey", read_subscription);
	if (literal_count > 0)
		qsort(literals, literal_count, sizeof(SchedListener), compare);
	MemoryContextSwitchTo(caller_context);

	read_generation = generation;
	read_schema = schema;
	valid = me >= 0;
}

/* ---------- asking ---------- */

bool
sched_listeners_want(SchedEventType type)
{
	make_valid();
	return wanted[type];
}

/* The first literal pattern that does not sort before the name. */
static int
first_literal(const char *name)
{
	int			low = 0;
	int			high = literal_count;

	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (strcmp(literals[middle].pattern, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* A copy that stays when the list is read anew. */
static void
add_copy(SchedListener **list, int *count, const SchedListener *listener)
{
	SchedListener copy = *listener;

	copy.pattern = pstrdup(listener->pattern);
	if (listener->condition != NULL)
		copy.condition = pstrdup(listener->condition);
	if (listener->filter != NULL)
		copy.filter = pstrdup(listener->filter);
	if (listener->parameters != NULL)
	{
		Size		size = VARSIZE(listener->parameters);

		copy.parameters = memcpy(palloc(size), listener->parameters, size);
	}
	append(list, count, &copy);
}

int
sched_listeners_find(const char *name, SchedListener **listeners)
{
	int			count = 0;

	make_valid();
	*listeners = NULL;
	for (int i = first_literal(name);
		 i < literal_count && strcmp(literals[i].pattern, name) == 0; i++)
		add_copy(listeners, &count, &literals[i]);
	for (int i = 0; i < wildcard_count; i++)
		if (sched_event_pattern_matches(wildcards[i].pattern, name))
			add_copy(listeners, &count, &wildcards[i]);
	return count;
}

/* ---------- changes ---------- */

void
sched_listeners_changed(void)
{
	valid = false;
	sched_pending_listeners_changed();
}

void
sched_listeners_forget(void)
{
	valid = false;
}
