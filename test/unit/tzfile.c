/*-------------------------------------------------------------------------
 *
 * tzfile.c
 *	  Time zones from the system's TZif files, for tests without a server.
 *
 * Reads the 64-bit block of RFC 8536 and the POSIX rule in the footer, which
 * governs everything behind the last transition.  What the rule does up to
 * the end of all searches is written down when the file is read, so that a
 * lookup is a binary search.  Transitions which leave the offset as it was are
 * dropped, so that a period is as long as it can be.
 * Nothing is shared with the code under test apart from the arithmetic of
 * civil days.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include <dirent.h>
#include <sys/stat.h>

#include "domain/schedule/civil.h"
#include "tzfile.h"

/* Seconds from 1970-01-01 to 2000-01-01. */
#define UNIX_SHIFT	INT64CONST(946684800)

/* The years for which the footer's rule is written down. */
#define RULE_FIRST_YEAR	1900
#define RULE_LAST_YEAR	(SCHED_YEAR_LIMIT + 2)

typedef struct Change
{
	int64		at;				/* seconds since 2000 */
	int32		offset;			/* from then on */
	bool		is_dst;
} Change;

/* One end of daylight-saving time in a POSIX rule. */
typedef struct RuleDate
{
	char		kind;			/* 'J', 'N' (from 0) or 'M' */
	int			month;
	int			week;
	int			day;
	int32		time;
} RuleDate;

typedef struct ZoneData
{
	int32		first_offset;
	bool		first_is_dst;
	int			count;
	Change	   *changes;
	bool		has_rule;		/* the footer has two offsets */
	int32		std_offset;
	int32		dst_offset;
	RuleDate	dst_start;
	RuleDate	dst_end;
} ZoneData;

static int64
read_be(const unsigned char *at, int bytes)
{
	uint64		value = (at[0] & 0x80) ? ~UINT64CONST(0) : 0;

	for (int i = 0; i < bytes; i++)
		value = value << 8 | at[i];
	return (int64) value;
}

static const char *
skip_abbreviation(const char *at)
{
	if (*at == '<')
	{
		while (*at != '\0' && *at != '>')
			at++;
		return *at == '>' ? at + 1 : at;
	}
	while ((*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z'))
		at++;
	return at;
}

/* Append a change, if it comes behind the last one and changes the offset. */
static void
add_change(ZoneData *data, const Change *change)
{
	const Change *last = data->count > 0 ? &data->changes[data->count - 1] : NULL;

	if (last != NULL && change->at <= last->at)
		return;
	if (change->offset == (last != NULL ? last->offset : data->first_offset))
		return;
	data->changes[data->count++] = *change;
}

/* [+-]h[:m[:s]] in seconds */
static const char *
read_rule_time(const char *at, int32 *seconds)
{
	int			sign = *at == '-' ? -1 : 1;
	int			part[3] = {0, 0, 0};

	if (*at == '-' || *at == '+')
		at++;
	for (int i = 0; i < 3; i++)
	{
		while (*at >= '0' && *at <= '9')
			part[i] = part[i] * 10 + (*at++ - '0');
		if (*at != ':' || i == 2)
			break;
		at++;
	}
	*seconds = sign * (part[0] * 3600 + part[1] * 60 + part[2]);
	return at;
}

static const char *
read_rule_date(const char *at, RuleDate *date)
{
	memset(date, 0, sizeof(*date));
	date->time = 7200;
	if (*at == ',')
		at++;
	if (*at == 'M')
	{
		date->kind = 'M';
		date->month = (int) strtol(at + 1, (char **) &at, 10);
		date->week = (int) strtol(at + 1, (char **) &at, 10);
		date->day = (int) strtol(at + 1, (char **) &at, 10);
	}
	else
	{
		date->kind = *at == 'J' ? 'J' : 'N';
		date->day = (int) strtol(*at == 'J' ? at + 1 : at, (char **) &at, 10);
	}
	if (*at == '/')
		at = read_rule_time(at + 1, &date->time);
	return at;
}

static void
read_rule(const char *rule, ZoneData *data)
{
	int32		west;
	const char *at = read_rule_time(skip_abbreviation(rule), &west);

	data->std_offset = -west;
	data->dst_offset = -west + 3600;
	if (*at == '\0' || *at == '\n')
		return;
	at = skip_abbreviation(at);
	if (*at != ',')
	{
		at = read_rule_time(at, &west);
		data->dst_offset = -west;
	}
	at = read_rule_date(at, &data->dst_start);
	read_rule_date(at, &data->dst_end);
	data->has_rule = true;
}

/* When a rule's date falls in a year, on the clock that shows "offset". */
static int64
rule_second(const RuleDate *date, int32 year, int32 offset)
{
	int32		day;

	if (date->kind == 'M')
	{
		int32		first = sched_civil_day(year, date->month, 1);
		int			length = sched_civil_month_days(year, date->month);
		int			mday = (date->day - sched_civil_weekday(first) + 7) % 7 + 7 * (date->week - 1);

		while (mday >= length)
			mday -= 7;
		day = first + mday;
	}
	else
	{
		day = sched_civil_day(year, 1, 1) + date->day;
		if (date->kind == 'J' && (date->day < 60 || !sched_civil_is_leap(year)))
			day--;
	}
	return day * INT64CONST(86400) + date->time - offset;
}

/* Write down what the rule does behind the last change of the file. */
static void
expand_rule(ZoneData *data)
{
	int32		first = RULE_FIRST_YEAR;

	if (data->count > 0)
	{
		int64		second = data->changes[data->count - 1].at;

		first = sched_civil_date((int32) sched_floor_div(second, 86400)).year;
	}
	data->changes = repalloc(data->changes,
							 (data->count + 2 * (RULE_LAST_YEAR - first + 1) + 1) * sizeof(Change));
	for (int32 year = first; year <= RULE_LAST_YEAR; year++)
	{
		Change		start = {rule_second(&data->dst_start, year, data->std_offset), data->dst_offset, true};
		Change		end = {rule_second(&data->dst_end, year, data->dst_offset), data->std_offset, false};

		add_change(data, start.at < end.at ? &start : &end);
		add_change(data, start.at < end.at ? &end : &start);
	}
}

static void
zone_period(const SchedZone *zone, int64 second, SchedZonePeriod *result)
{
	const ZoneData *data = zone->data;
	int			low = -1;
	int			high = data->count;

	while (high - low > 1)
	{
		int			middle = low + (high - low) / 2;

		if (data->changes[middle].at <= second)
			low = middle;
		else
			high = middle;
	}
	result->from = low < 0 ? PG_INT64_MIN : data->changes[low].at;
	result->until = high < data->count ? data->changes[high].at : PG_INT64_MAX;
	result->offset = low < 0 ? data->first_offset : data->changes[low].offset;
	result->is_dst = low < 0 ? data->first_is_dst : data->changes[low].is_dst;
}

static unsigned char *
read_file(const char *path, size_t *size)
{
	FILE	   *file = fopen(path, "rb");
	unsigned char *content;

	if (file == NULL)
		return NULL;
	content = palloc(1 << 18);
	*size = fread(content, 1, (1 << 18) - 1, file);
	content[*size] = '\0';
	fclose(file);
	return content;
}

static ZoneData *
parse_file(const unsigned char *content, size_t size)
{
	const unsigned char *head = content;
	const unsigned char *types;
	const unsigned char *indexes;
	const unsigned char *end = content + size;
	ZoneData   *data;
	int64		n[6];

	if (size < 44 || memcmp(head, "TZif", 4) != 0 || head[4] < '2')
		return NULL;
	for (int block = 0; block < 2; block++)
	{
		int			width = block == 0 ? 4 : 8;

		/* isut, isstd, leap, transitions, types, characters */
		for (int i = 0; i < 6; i++)
			n[i] = read_be(head + 20 + i * 4, 4);
		if (block == 1)
			break;
		head += 44 + n[3] * width + n[3] + n[4] * 6 + n[5] + n[2] * (width + 4) + n[1] + n[0];
		if (head + 44 > end)
			return NULL;
	}
	head += 44;
	indexes = head + n[3] * 8;
	types = indexes + n[3];

	data = palloc0(sizeof(ZoneData));
	data->changes = palloc((n[3] + 1) * sizeof(Change));
	data->first_offset = (int32) read_be(types, 4);
	data->first_is_dst = types[4] != 0;
	for (int64 i = 0; i < n[3]; i++)
	{
		const unsigned char *type = types + indexes[i] * 6;
		Change		change;

		change.at = read_be(head + i * 8, 8) - UNIX_SHIFT;
		change.offset = (int32) read_be(type, 4);
		change.is_dst = type[4] != 0;
		add_change(data, &change);
	}
	head = types + n[4] * 6 + n[5] + n[2] * 12 + n[1] + n[0];
	if (head < end && *head == '\n' && head[1] != '\n' && head[1] != '\0')
		read_rule((const char *) head + 1, data);
	if (data->has_rule)
		expand_rule(data);
	return data;
}

const char *
tzfile_directory(void)
{
	const char *directory = getenv("TZDIR");

	return directory != NULL ? directory : "/usr/share/zoneinfo";
}

const SchedZone *
tzfile_zone(const char *name)
{
	static SchedZone **cache = NULL;
	static int	cached = 0;
	static int	room = 0;
	char		path[1024];
	unsigned char *content;
	size_t		size;
	ZoneData   *data;
	SchedZone  *zone;

	for (int i = 0; i < cached; i++)
	{
		if (strcmp(cache[i]->name, name) == 0)
			return cache[i];
	}
	snprintf(path, sizeof(path), "%s/%s", tzfile_directory(), name);
	content = read_file(path, &size);
	if (content == NULL)
		return NULL;
	data = parse_file(content, size);
	pfree(content);
	if (data == NULL)
		return NULL;
	zone = palloc0(sizeof(SchedZone));
	zone->period = zone_period;
	zone->data = data;
	strlcpy(zone->name, name, sizeof(zone->name));
	if (cached == room)
	{
		room = room * 2 + 64;
		cache = cache == NULL ? palloc(room * sizeof(*cache)) :
			repalloc(cache, room * sizeof(*cache));
	}
	cache[cached++] = zone;
	return zone;
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *) a, *(char *const *) b);
}

/* Collect the zone files below a directory. */
static void
collect(const char *below, char ***names, int *count, int *room)
{
	char		path[1024];
	DIR		   *directory;
	struct dirent *entry;

	snprintf(path, sizeof(path), "%s/%s", tzfile_directory(), below);
	directory = opendir(path);
	if (directory == NULL)
		return;
	while ((entry = readdir(directory)) != NULL)
	{
		char		name[512];
		struct stat info;

		if (entry->d_name[0] == '.' || strcmp(entry->d_name, "right") == 0 ||
			strcmp(entry->d_name, "posix") == 0)
			continue;
		snprintf(name, sizeof(name), "%s%s%s", below, *below ? "/" : "", entry->d_name);
		snprintf(path, sizeof(path), "%s/%s", tzfile_directory(), name);
		if (stat(path, &info) != 0)
			continue;
		if (S_ISDIR(info.st_mode))
			collect(name, names, count, room);
		else if (tzfile_zone(name) != NULL)
		{
			if (*count + 1 >= *room)
			{
				*room = *room * 2 + 1024;
				*names = *names == NULL ? palloc(*room * sizeof(char *)) :
					repalloc(*names, *room * sizeof(char *));
			}
			(*names)[(*count)++] = pstrdup(name);
		}
	}
	closedir(directory);
}

char	  **
tzfile_names(void)
{
	static char **names = NULL;
	int			count = 0;
	int			room = 0;

	if (names == NULL)
	{
		collect("", &names, &count, &room);
		if (names == NULL)
			names = palloc(sizeof(char *));
		names[count] = NULL;
		qsort(names, count, sizeof(char *), compare_names);
	}
	return names;
}

bool
tzfile_parse_time(const char *text, size_t length, SchedTime *result)
{
	char		copy[64];
	int			year;
	int			month;
	int			mday;
	int			hour;
	int			minute;
	int			second;
	int			used;
	int32		offset = 0;
	int32		usec = 0;

	if (length >= sizeof(copy))
		return false;
	memcpy(copy, text, length);
	copy[length] = '\0';
	if (sscanf(copy, "%4d-%2d-%2dT%2d:%2d:%2d%n", &year, &month, &mday,
			   &hour, &minute, &second, &used) != 6)
		return false;
	if (copy[used] == '.')
	{
		int32		scale = 100000;

		for (used++; copy[used] >= '0' && copy[used] <= '9'; used++, scale /= 10)
			usec += (copy[used] - '0') * scale;
	}
	if (copy[used] != 'Z')
		read_rule_time(copy + used, &offset);
	*result = (sched_civil_day(year, month, mday) * INT64CONST(86400) +
			   hour * 3600 + minute * 60 + second - offset) * SCHED_USEC_PER_SEC + usec;
	return true;
}

const char *
tzfile_format_time(SchedTime t)
{
	static char buffers[8][48];
	static int	turn = 0;
	char	   *buffer = buffers[turn++ % 8];
	int64		second = sched_time_second(t);
	int32		usec = (int32) (t - second * SCHED_USEC_PER_SEC);
	int32		day = (int32) sched_floor_div(second, 86400);
	int32		rest = (int32) (second - day * INT64CONST(86400));
	SchedDate	date = sched_civil_date(day);

	if (t == SCHED_TIME_NEVER || t == SCHED_TIME_BEGIN)
		return t == SCHED_TIME_NEVER ? "NEVER" : "BEGIN";
	snprintf(buffer, sizeof(buffers[0]), "%04d-%02d-%02dT%02d:%02d:%02d", date.year,
			 date.month, date.mday, rest / 3600, rest / 60 % 60, rest % 60);
	if (usec != 0)
		snprintf(buffer + strlen(buffer), 12, ".%06d", usec);
	strlcat(buffer, "Z", sizeof(buffers[0]));
	return buffer;
}
