/*-------------------------------------------------------------------------
 *
 * schedule_cache.c
 *	  Schedules made ready for use: parsed, with zone, policy and calendar.
 *
 * A million triggers share a few thousand different schedules.  The scheduler
 * therefore gets each from this cache, which counts its users and frees what
 * nobody uses any more: jobs that run once and go leave nothing
 * behind.  Two triggers share an entry when the text, the zone it is meant in, the
 * policy and the name of the calendar are the same; what differs between them
 * (the anchor, the end of the last run) is not in it.
 *
 * Calendars are shared in the same way, one level below.  Since calendars may
 * include each other, a change to one makes all of them, and everything
 * that uses them, unlisted: found no longer, kept until released.
 *
 * The cache belongs to one process and needs no lock.  It does not throw on
 * bad input, because the scheduler must go on; it neither knows the
 * table of calendars, but is told how to read it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "domain/names.h"
#include "infrastructure/pgzone.h"
#include "infrastructure/schedule_cache.h"
#include "lib/ilist.h"
#include "utils/memutils.h"

typedef struct SchedCachedCalendar
{
	dlist_node	node;			/* in "calendars" while listed */
	bool		listed;
	int			users;			/* cached schedules that hold it */
	MemoryContext context;		/* holds all of it, this struct too */
	SchedCalendar *calendar;
	char	   *name;
} SchedCachedCalendar;

typedef struct CacheSlot
{
	SchedCompiled *compiled;
	char		status;
} CacheSlot;

static bool
same_compiled(const SchedCompiled *a, const SchedCompiled *b)
{
	if (a == b)
		return true;
	if (a->hash != b->hash || a->given_zone != b->given_zone ||
		a->context.dst_policy != b->context.dst_policy ||
		(a->calendar_name == NULL) != (b->calendar_name == NULL))
		return false;
	return strcmp(a->text, b->text) == 0 &&
		(a->calendar_name == NULL ||
		 strcmp(a->calendar_name, b->calendar_name) == 0);
}

#define SH_PREFIX		compiled_hash
#define SH_ELEMENT_TYPE	CacheSlot
#define SH_KEY_TYPE		SchedCompiled *
#define SH_KEY			compiled
#define SH_HASH_KEY(tb, key)	((key)->hash)
#define SH_EQUAL(tb, a, b)		same_compiled(a, b)
#define SH_SCOPE		static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

static MemoryContext cache_context = NULL;
static compiled_hash_hash *cache = NULL;
static dlist_head calendars = DLIST_STATIC_INIT(calendars);
static SchedCalendarResolve calendar_resolve = NULL;

static const char *const kind_names[] = {
	[SCHED_CRON] = "cron",
	[SCHED_EVERY] = "every",
	[SCHED_AFTER] = "after",
	[SCHED_AT] = "at",
	[SCHED_STARTUP] = "startup",
	[SCHED_EVENT] = "event",
	[SCHED_RRULE] = "rrule",
	[SCHED_CUSTOM] = "custom"
};

static const char *const dst_policy_names[] = {
	[SCHED_DST_VIXIE] = "vixie",
	[SCHED_DST_SKIP_BOTH] = "skip_both",
	[SCHED_DST_SKIP_FIRST] = "skip_first",
	[SCHED_DST_SHIFT_FIRST] = "shift_first"
};

const char *
sched_schedule_kind_name(SchedScheduleKind kind)
{
	return kind_names[kind];
}

/* A copy, as the name may be part of what is freed. */
static void
set_fault_name(const char **fault_name, const char *name)
{
	if (fault_name != NULL)
		*fault_name = pstrdup(name);
}

/*
 * Everything but the schedule and the calendar: the zone for a text that
 * names none, and the policy.
 */
static SchedFault
resolve_words(const char *timezone, const char *dst_policy,
			  SchedCompiled *result, SchedError *err, const char **fault_name)
{
	int			policy = SCHED_DST_VIXIE;

	if (timezone != NULL)
	{
		result->given_zone = sched_pgzone_get(timezone);
		if (result->given_zone == NULL)
		{
			set_fault_name(fault_name, timezone);
			sched_error_set(err, -1, "time zone \"%s\" is not known", NULL,
							"The view pg_timezone_names lists the names.",
							timezone);
			return SCHED_FAULT_ZONE;
		}
	}
	else
		result->given_zone = sched_pgzone_default();

	if (dst_policy != NULL)
		policy = sched_name_lookup(dst_policy_names,
								   lengthof(dst_policy_names), dst_policy);
	if (policy < 0)
	{
		set_fault_name(fault_name, dst_policy);
		sched_error_set(err, -1, "dst_policy \"%s\" is not known", NULL,
						"Allowed are vixie, skip_both, skip_first and shift_first.",
						dst_policy);
		return SCHED_FAULT_DST_POLICY;
	}
	result->context.dst_policy = (SchedDstPolicy) policy;
	result->context.anchor = SCHED_TIME_BEGIN;
	result->context.previous_end = SCHED_TIME_BEGIN;
	return SCHED_FAULT_NONE;
}

/* Parse the text and choose between its own zone and the given one. */
static SchedFault
resolve_schedule(const char *schedule, SchedCompiled *result, SchedError *err,
				 const char **fault_name)
{
	const char *zone_name;

	result->schedule = sched_schedule_parse(schedule, err);
	if (result->schedule == NULL)
	{
		set_fault_name(fault_name, schedule);
		return SCHED_FAULT_SCHEDULE;
	}

	result->context.zone = result->given_zone;
	zone_name = sched_schedule_zone_name(result->schedule);
	if (zone_name == NULL)
		return SCHED_FAULT_NONE;

	result->context.zone = sched_pgzone_get(zone_name);
	if (result->context.zone != NULL)
		return SCHED_FAULT_NONE;

	set_fault_name(fault_name, zone_name);
	sched_error_set(err, -1, "time zone \"%s\" is not known", NULL,
					"The view pg_timezone_names lists the names.", zone_name);
	sched_schedule_free(result->schedule);
	result->schedule = NULL;
	return SCHED_FAULT_ZONE;
}

SchedFault
sched_calendar_compile(const char *name, SchedCalendarResolve resolve,
					   SchedCalendar **result, SchedError *err)
{
	const char *spec = resolve ? resolve(name, NULL) : NULL;

	if (spec == NULL)
	{
		sched_error_set(err, -1, "calendar \"%s\" does not exist", NULL,
						"Calendars are made by sched.create_calendar().", name);
		return SCHED_FAULT_NO_CALENDAR;
	}
	*result = sched_calendar_parse(spec, resolve, NULL, err);
	return *result ? SCHED_FAULT_NONE : SCHED_FAULT_CALENDAR;
}

SchedFault
sched_schedule_compile(const char *schedule, const char *timezone,
					   const char *dst_policy, const char *calendar,
					   SchedCalendarResolve resolve, SchedCompiled *result,
					   SchedError *err, const char **fault_name)
{
	SchedFault	fault;
	SchedCalendar *days = NULL;

	memset(result, 0, sizeof(*result));
	fault = resolve_words(timezone, dst_policy, result, err, fault_name);
	if (fault == SCHED_FAULT_NONE)
		fault = resolve_schedule(schedule, result, err, fault_name);
	if (fault == SCHED_FAULT_NONE && calendar != NULL)
	{
		fault = sched_calendar_compile(calendar, resolve, &days, err);
		if (fault != SCHED_FAULT_NONE)
		{
			set_fault_name(fault_name, calendar);
			sched_schedule_free(result->schedule);
			result->schedule = NULL;
		}
		result->context.calendar = days;
	}
	return fault;
}

/* A calendar of the cache; the caller becomes its user. */
static SchedCachedCalendar *
get_calendar(const char *name, SchedError *err)
{
	dlist_iter	iter;
	MemoryContext context;
	MemoryContext old_context;
	SchedCachedCalendar *cached;
	SchedCalendar *calendar = NULL;

	dlist_foreach(iter, &calendars)
	{
		cached = dlist_container(SchedCachedCalendar, node, iter.cur);
		if (strcmp(cached->name, name) == 0)
		{
			cached->users++;
			return cached;
		}
	}

	/* belongs to the caller's context until it is complete */
	context = AllocSetContextCreate(CurrentMemoryContext, "sched calendar",
									ALLOCSET_SMALL_SIZES);
	old_context = MemoryContextSwitchTo(context);
	if (sched_calendar_compile(name, calendar_resolve, &calendar, err) != SCHED_FAULT_NONE)
	{
		MemoryContextSwitchTo(old_context);
		MemoryContextDelete(context);
		return NULL;
	}
	cached = palloc0(sizeof(SchedCachedCalendar));
	cached->name = pstrdup(name);
	MemoryContextSwitchTo(old_context);

	cached->context = context;
	cached->calendar = calendar;
	cached->users = 1;
	cached->listed = true;
	dlist_push_head(&calendars, &cached->node);
	MemoryContextSetParent(context, cache_context);
	return cached;
}

static void
release_calendar(SchedCachedCalendar *cached)
{
	if (cached == NULL || --cached->users > 0)
		return;
	if (cached->listed)
		dlist_delete(&cached->node);
	MemoryContextDelete(cached->context);
}

static void
ensure_cache(void)
{
	if (cache != NULL)
		return;
	if (cache_context == NULL)
		cache_context = AllocSetContextCreate(TopMemoryContext,
											  "sched schedule cache",
											  ALLOCSET_DEFAULT_SIZES);
	cache = compiled_hash_create(cache_context, 256, NULL);
}

static void
hash_compiled(SchedCompiled *probe)
{
	uint32		hash;

	hash = hash_bytes((const unsigned char *) probe->text, strlen(probe->text));
	hash = hash_combine(hash, hash_bytes((const unsigned char *) &probe->given_zone,
										 sizeof(probe->given_zone)));
	hash = hash_combine(hash, (uint32) probe->context.dst_policy);
	if (probe->calendar_name != NULL)
		hash = hash_combine(hash,
							hash_bytes((const unsigned char *) probe->calendar_name,
									   strlen(probe->calendar_name)));
	probe->hash = hash;
}

/*
 * Make an entry out of a probe whose schedule was parsed in the cache's
 * context.  What can fail comes before the table knows it.
 */
static SchedCompiled *
add_compiled(const SchedCompiled *probe)
{
	SchedCompiled *compiled;
	size_t		text_size = strlen(probe->text) + 1;
	size_t		name_size = probe->calendar_name ?
	strlen(probe->calendar_name) + 1 : 0;
	char	   *strings;
	bool		found;

	/* one piece: there may be a million of them */
	compiled = MemoryContextAlloc(cache_context,
								  sizeof(SchedCompiled) + text_size + name_size);
	*compiled = *probe;
	strings = (char *) (compiled + 1);
	memcpy(strings, probe->text, text_size);
	compiled->text = strings;
	if (name_size > 0)
	{
		memcpy(strings + text_size, probe->calendar_name, name_size);
		compiled->calendar_name = strings + text_size;
	}
	compiled->users = 1;
	compiled->listed = true;
	compiled_hash_insert(cache, compiled, &found);
	Assert(!found);
	return compiled;
}

SchedCompiled *
sched_compiled_get(const char *schedule, const char *timezone,
				   const char *dst_policy, const char *calendar,
				   SchedError *err)
{
	SchedCompiled probe;
	CacheSlot  *slot;
	MemoryContext old_context;
	SchedFault	fault;

	ensure_cache();
	memset(&probe, 0, sizeof(probe));
	if (resolve_words(timezone, dst_policy, &probe, err, NULL) != SCHED_FAULT_NONE)
		return NULL;
	probe.text = schedule;
	probe.calendar_name = calendar;
	hash_compiled(&probe);

	slot = compiled_hash_lookup(cache, &probe);
	if (slot != NULL)
	{
		slot->compiled->users++;
		return slot->compiled;
	}

	/* the calendar first: reading it may throw */
	if (calendar != NULL)
	{
		probe.calendar = get_calendar(calendar, err);
		if (probe.calendar == NULL)
			return NULL;
		probe.context.calendar = probe.calendar->calendar;
	}

	old_context = MemoryContextSwitchTo(cache_context);
	fault = resolve_schedule(schedule, &probe, err, NULL);
	MemoryContextSwitchTo(old_context);
	if (fault != SCHED_FAULT_NONE)
	{
		release_calendar(probe.calendar);
		return NULL;
	}
	return add_compiled(&probe);
}

void
sched_compiled_release(SchedCompiled *compiled)
{
	Assert(compiled->users > 0);
	if (--compiled->users > 0)
		return;
	if (compiled->listed)
		compiled_hash_delete(cache, compiled);
	sched_schedule_free(compiled->schedule);
	release_calendar(compiled->calendar);
	pfree(compiled);
}

void
sched_compiled_set_calendars(SchedCalendarResolve resolve)
{
	calendar_resolve = resolve;
}

void
sched_compiled_calendars_changed(void)
{
	dlist_mutable_iter iter;
	compiled_hash_iterator i;
	CacheSlot  *slot;
	SchedCompiled **stale;
	int			count = 0;

	dlist_foreach_modify(iter, &calendars)
	{
		SchedCachedCalendar *cached = dlist_container(SchedCachedCalendar,
													  node, iter.cur);

		cached->listed = false;
		dlist_delete(&cached->node);
	}
	if (cache == NULL || cache->members == 0)
		return;

	/* the table moves its slots when one goes, so collect first */
	stale = MemoryContextAllocHuge(CurrentMemoryContext,
								   cache->members * sizeof(SchedCompiled *));
	compiled_hash_start_iterate(cache, &i);
	while ((slot = compiled_hash_iterate(cache, &i)) != NULL)
	{
		if (slot->compiled->calendar != NULL)
			stale[count++] = slot->compiled;
	}
	while (count > 0)
	{
		SchedCompiled *compiled = stale[--count];

		compiled->listed = false;
		compiled_hash_delete(cache, compiled);
	}
	pfree(stale);
}

void
sched_compiled_reset(void)
{
	if (cache_context == NULL)
		return;
	MemoryContextReset(cache_context);
	dlist_init(&calendars);
	cache = NULL;
}

int64
sched_compiled_count(void)
{
	return cache ? cache->members : 0;
}
