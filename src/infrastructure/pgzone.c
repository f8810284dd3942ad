/*-------------------------------------------------------------------------
 *
 * pgzone.c
 *	  Time zones of the server's library, as the domain sees them.
 *
 * The first use of a zone walks with pg_next_dst_boundary() from its first
 * change of offset to the end of the years in which schedules are searched,
 * and writes the periods down in an array: some hundred entries, some tens
 * of microseconds.  After that nothing asks the library any more (and nobody
 * depends on the static buffer of pg_localtime): a lookup is the period that
 * was found last, or the one behind it, or a binary search.
 *
 * Zones are kept for the life of the process, by name in upper case, like the
 * library keeps its own.  A process sees new time zone data only after it
 * was started anew.
 *
 * Names.  The library also takes POSIX rules such as "UTC+2", whose sign is the
 * opposite of what people mean (that one is west of Greenwich), and names
 * of files that only look like zones.  Both are refused in what users write;
 * the server's own TimeZone may be anything.
 *
 * The default.  TimeZone as a session sees it is no use: clients set it when
 * they connect, and the preview that a session computes has to agree with what
 * the scheduler does.  RESET's value is no better, as it includes what
 * the client asked for.  So the postmaster at its start, and after each reload
 * a process without a client or a database, whose TimeZone is the configured
 * one too, publish it in shared memory, and everybody reads it there.  Only
 * without it (the library was not preloaded) is RESET's value taken.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <ctype.h>

#include "datatype/timestamp.h"
#include "domain/schedule/civil.h"
#include "infrastructure/pgzone.h"
#include "infrastructure/settings.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "pgtime.h"
#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/varlena.h"

#define NAME_SIZE		sizeof(((SchedZone *) NULL)->name)

/* Seconds from 1970-01-01, which the library counts from, to 2000-01-01. */
#define UNIX_SHIFT \
	((int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY)

/* Where the walk begins (long before any zone) and where it may end. */
#define WALK_FROM		((int64) -6000 * 366 * SECS_PER_DAY)
#define WALK_UNTIL		((int64) (SCHED_YEAR_LIMIT + 2 - 2000) * 366 * SECS_PER_DAY)

/* More changes than any zone has in that time. */
#define MAX_PERIODS		10000

typedef struct ZonePeriods
{
	int			count;
	int			hint;			/* index of the period found last */
	SchedZonePeriod period[FLEXIBLE_ARRAY_MEMBER];
} ZonePeriods;

typedef struct ZoneEntry
{
	char		key[NAME_SIZE]; /* the name in upper case */
	SchedZone  *zone;
} ZoneEntry;

typedef struct Suggestion
{
	const char *name;
	int			score;			/* less is nearer */
} Suggestion;

#define MAX_SUGGESTIONS	3

static MemoryContext zone_context = NULL;
static HTAB * zones = NULL;

/* All names of the library, read when the first hint is needed. */
static char **zone_names = NULL;
static int	zone_name_count = 0;

static SchedZoneShare *zone_share = NULL;

/*
 * The period that holds an instant.  Nearly always it is the one of the time
 * before, so that this costs a few comparisons.
 */
static void
find_period(const SchedZone *zone, int64 second, SchedZonePeriod *result)
{
	ZonePeriods *periods = zone->data;
	int			i = periods->hint;

	if (second < periods->period[i].from || second >= periods->period[i].until)
	{
		if (i + 1 < periods->count &&
			second >= periods->period[i + 1].from &&
			second < periods->period[i + 1].until)
			i++;
		else
		{
			int			low = 0;
			int			high = periods->count - 1;

			while (low < high)
			{
				int			middle = (low + high + 1) / 2;

				if (periods->period[middle].from <= second)
					low = middle;
				else
					high = middle - 1;
			}
			i = low;
		}
		periods->hint = i;
	}
	*result = periods->period[i];
}

/*
 * Write down the periods of a zone.  Changes of the abbreviation alone are
 * no boundaries.  The last period goes on for ever.
 */
static ZonePeriods *
walk_zone(pg_tz * tz)
{
	int			room = 64;
	int			count = 0;
	SchedZonePeriod *list = palloc(room * sizeof(SchedZonePeriod));
	pg_time_t	t = WALK_FROM;
	ZonePeriods *periods;

	list[0].from = PG_INT64_MIN;
	for (;;)
	{
		long		before_offset;
		long		after_offset = 0;
		int			before_dst;
		int			after_dst = 0;
		pg_time_t	boundary = 0;
		int			rc;

		rc = pg_next_dst_boundary(&t, &before_offset, &before_dst, &boundary,
								  &after_offset, &after_dst, tz);
		if (rc < 0)
		{
			before_offset = 0;
			before_dst = 0;
		}
		list[count].offset = (int32) before_offset;
		list[count].is_dst = before_dst != 0;

		if (rc <= 0 || boundary <= t || boundary - UNIX_SHIFT >= WALK_UNTIL ||
			count + 1 >= MAX_PERIODS)
			break;
		t = boundary;
		if (after_offset == before_offset && after_dst == before_dst)
			continue;

		list[count].until = boundary - UNIX_SHIFT;
		if (++count == room)
		{
			room *= 2;
			list = repalloc(list, room * sizeof(SchedZonePeriod));
		}
		list[count].from = boundary - UNIX_SHIFT;
	}
	list[count].until = PG_INT64_MAX;
	count++;

	periods = palloc(offsetof(ZonePeriods, period) +
					 count * sizeof(SchedZonePeriod));
	periods->count = count;
	periods->hint = count - 1;
	memcpy(periods->period, list, count * sizeof(SchedZonePeriod));
	pfree(list);
	return periods;
}

static void
ensure_zones(void)
{
	HASHCTL		ctl;

	if (zones != NULL)
		return;
	if (zone_context == NULL)
		zone_context = AllocSetContextCreate(TopMemoryContext,
											 "sched time zones",
											 ALLOCSET_DEFAULT_SIZES);
	memset(&ctl, 0, sizeof(ctl));
	ctl.keysize = NAME_SIZE;
	ctl.entrysize = sizeof(ZoneEntry);
	ctl.hcxt = zone_context;
	zones = hash_create("sched time zones", 32, &ctl,
						HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
}

/* The key of a name; false when it is too long or empty. */
static bool
make_key(const char *name, char *key)
{
	size_t		length = strnlen(name, NAME_SIZE);

	if (length == 0 || length >= NAME_SIZE)
		return false;
	for (size_t i = 0; i <= length; i++)
		key[i] = pg_ascii_toupper((unsigned char) name[i]);
	return true;
}

/*
 * May a user write this?  Zones of the database have digits in their names
 * only in "Etc/GMT+5" and a few like "EST5EDT"; every other name with a
 * digit would be taken as a POSIX rule.
 */
static bool
is_zone_name(const char *key)
{
	static const char *const with_digits[] = {
		"EST5EDT", "CST6CDT", "MST7MDT", "PST8PDT",
		"GMT0", "GMT+0", "GMT-0", "ETC/GMT0"
	};
	static const char *const not_zones[] = {
		"POSIXRULES", "LOCALTIME", "FACTORY"
	};

	if (!isalpha((unsigned char) key[0]))
		return false;
	if (key[strspn(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-/")] != '\0')
		return false;
	if (strncmp(key, "POSIX/", 6) == 0 || strncmp(key, "RIGHT/", 6) == 0)
		return false;
	for (int i = 0; i < lengthof(not_zones); i++)
	{
		if (strcmp(key, not_zones[i]) == 0)
			return false;
	}
	if (strpbrk(key, "0123456789") == NULL)
		return true;
	if (strncmp(key, "ETC/GMT+", 8) == 0 || strncmp(key, "ETC/GMT-", 8) == 0)
		return strlen(key + 8) <= 2 &&
			strspn(key + 8, "0123456789") == strlen(key + 8);
	for (int i = 0; i < lengthof(with_digits); i++)
	{
		if (strcmp(key, with_digits[i]) == 0)
			return true;
	}
	return false;
}

static const SchedZone *
lookup_zone(const char *name, bool posix_too)
{
	char		key[NAME_SIZE];
	ZoneEntry  *entry;
	MemoryContext old_context;
	SchedZone  *zone;
	pg_tz	   *tz;

	if (!make_key(name, key) || (!posix_too && !is_zone_name(key)))
		return NULL;

	ensure_zones();
	entry = hash_search(zones, key, HASH_FIND, NULL);
	if (entry != NULL)
		return entry->zone;

	tz = pg_tzset(name);
	if (tz == NULL || !pg_tz_acceptable(tz))
		return NULL;

	/* everything that can fail comes before the entry */
	old_context = MemoryContextSwitchTo(zone_context);
	zone = palloc0(sizeof(SchedZone));
	zone->period = find_period;
	zone->data = walk_zone(tz);
	strlcpy(zone->name, pg_get_timezone_name(tz), sizeof(zone->name));
	MemoryContextSwitchTo(old_context);

	entry = hash_search(zones, key, HASH_ENTER, NULL);
	entry->zone = zone;
	return zone;
}

const SchedZone *
sched_pgzone_get(const char *name)
{
	return lookup_zone(name, false);
}

/*
 * Tell everybody what TimeZone is in this process.  The zone's own name is
 * told rather than the setting's text, as that may be a number of hours.
 */
void
sched_pgzone_publish(void)
{
	const char *name = pg_get_timezone_name(session_timezone);

	if (zone_share == NULL || name == NULL ||
		strlen(name) >= sizeof(zone_share->name))
		return;
	SpinLockAcquire(&zone_share->mutex);
	strlcpy(zone_share->name, name, sizeof(zone_share->name));
	SpinLockRelease(&zone_share->mutex);
}

void
sched_pgzone_share_attach(SchedZoneShare *share, bool found)
{
	zone_share = share;
	if (found)
		return;
	SpinLockInit(&share->mutex);
	share->name[0] = '\0';
	sched_pgzone_publish();
}

const SchedZone *
sched_pgzone_default(void)
{
	char		name[NAME_SIZE] = "";
	const SchedZone *zone = NULL;

	if (sched_timezone != NULL && sched_timezone[0] != '\0')
		zone = sched_pgzone_get(sched_timezone);
	if (zone != NULL)
		return zone;

	if (zone_share != NULL)
	{
		SpinLockAcquire(&zone_share->mutex);
		memcpy(name, zone_share->name, sizeof(name));
		SpinLockRelease(&zone_share->mutex);
	}
	if (name[0] == '\0')
	{
		const char *reset = GetConfigOptionResetString("TimeZone");

		strlcpy(name, reset ? reset : "", sizeof(name));
	}

	zone = lookup_zone(name, true);
	if (zone == NULL)
		zone = lookup_zone("GMT", true);
	if (zone == NULL)
		elog(ERROR, "the server has no time zone GMT");
	return zone;
}

/* Read the names of all zones; they never change in a process. */
static void
read_zone_names(void)
{
	MemoryContext old_context;
	pg_tzenum  *dir;
	pg_tz	   *tz;
	char	  **names;
	int			room = 1024;
	int			count = 0;

	if (zone_names != NULL)
		return;
	ensure_zones();
	old_context = MemoryContextSwitchTo(zone_context);
	names = palloc(room * sizeof(char *));
	dir = pg_tzenumerate_start();
	while ((tz = pg_tzenumerate_next(dir)) != NULL)
	{
		const char *name = pg_get_timezone_name(tz);
		char		key[NAME_SIZE];

		if (!make_key(name, key) || !is_zone_name(key))
			continue;
		if (count == room)
		{
			room *= 2;
			names = repalloc(names, room * sizeof(char *));
		}
		names[count++] = pstrdup(name);
	}
	pg_tzenumerate_end(dir);
	MemoryContextSwitchTo(old_context);
	zone_names = names;
	zone_name_count = count;
}

/* The part behind the last slash: people remember the city. */
static const char *
city_of(const char *name)
{
	const char *slash = strrchr(name, '/');

	return slash ? slash + 1 : name;
}

/* How many edits two names are apart, -1 when they are not alike at all. */
static int
edits_between(const char *wanted, const char *name)
{
	int			wanted_length = strlen(wanted);
	int			limit = 1 + wanted_length / 5;
	int			edits;

	edits = varstr_levenshtein_less_equal(wanted, wanted_length,
										  name, strlen(name),
										  1, 1, 1, limit, true);
	return edits <= limit ? edits : -1;
}

/* How near a zone's name is to what was written, -1: not at all. */
static int
score_name(const char *wanted, const char *name)
{
	char		folded[NAME_SIZE];
	const char *wanted_city = city_of(wanted);
	int			whole;
	int			city;

	if (!make_key(name, folded))
		return -1;
	whole = edits_between(wanted, folded);
	city = wanted_city[0] ? edits_between(wanted_city, city_of(folded)) : -1;
	if (whole >= 0 && (city < 0 || whole <= city))
		return whole * 2;
	return city >= 0 ? city * 2 + 1 : -1;
}

/* Keep the best few, nearest first and then by name. */
static void
keep_suggestion(Suggestion *best, int *count, const char *name, int score)
{
	int			i = *count;

	while (i > 0 && (best[i - 1].score > score ||
					 (best[i - 1].score == score &&
					  strcmp(best[i - 1].name, name) > 0)))
	{
		if (i < MAX_SUGGESTIONS)
			best[i] = best[i - 1];
		i--;
	}
	if (i >= MAX_SUGGESTIONS)
		return;
	best[i].name = name;
	best[i].score = score;
	if (*count < MAX_SUGGESTIONS)
		(*count)++;
}

char	   *
sched_pgzone_hint(const char *name)
{
	char		wanted[NAME_SIZE];
	int			length;
	Suggestion	best[MAX_SUGGESTIONS];
	int			count = 0;
	StringInfoData hint;

	if (strpbrk(name, "0123456789") != NULL)
		return pstrdup("For a fixed offset use a name such as \"Etc/GMT-2\", which is two hours ahead of UTC.");

	/* too long names are cut: their beginning may still be like something */
	length = pg_mbcliplen(name, strlen(name), NAME_SIZE - 1);
	for (int i = 0; i < length; i++)
		wanted[i] = name[i] == ' ' ? '_' : pg_ascii_toupper((unsigned char) name[i]);
	wanted[length] = '\0';

	if (length > 0)
	{
		read_zone_names();
		for (int i = 0; i < zone_name_count; i++)
		{
			int			score = score_name(wanted, zone_names[i]);

			if (score >= 0)
				keep_suggestion(best, &count, zone_names[i], score);
		}
	}
	if (count == 0)
		return pstrdup("The view pg_timezone_names lists the names, for example \"Europe/Berlin\".");

	initStringInfo(&hint);
	appendStringInfoString(&hint, "Similar names: ");
	for (int i = 0; i < count; i++)
		appendStringInfo(&hint, "%s\"%s\"", i > 0 ? ", " : "", best[i].name);
	appendStringInfoChar(&hint, '.');
	return hint.data;
}
