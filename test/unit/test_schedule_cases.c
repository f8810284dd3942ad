/*-------------------------------------------------------------------------
 *
 * test_schedule_cases.c
 *	  Every schedule of cases/schedules.tsv fires when it should, under all
 *	  four DST policies.
 *
 * Columns: id, schedule, zone, after, fires (UTC), then the fires under
 * skip_both, skip_first and shift_first where those are known.  "ERROR" must
 * be refused, "NEVER" must parse and not fire.  A list is a prefix of what
 * fires.
 *
 * cases/schedules.rule.tsv names the few fields in which the cases record
 * what other programs do while our documented rule says something else: id,
 * column, what we do, and why.  An entry that agrees with the case is an
 * error, so that the list cannot outlive its reasons.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include "domain/schedule/schedule.h"
#include "tzfile.h"
#include "unit.h"

#ifndef UNIT_CASES
#define UNIT_CASES "test/unit/cases"
#endif

#define MAX_COLUMNS		8
#define FIRST_FIRES		4		/* column of vixie; the other policies follow */
#define MAX_RULES		64

typedef struct Line
{
	char	   *field[MAX_COLUMNS];
	int			count;
} Line;

static const char *const policy_names[] = {"vixie", "skip_both", "skip_first", "shift_first"};

static Line rules[MAX_RULES];
static int	rule_count;

static char *
read_text(const char *name)
{
	char		path[1024];
	FILE	   *file;
	char	   *content = palloc0(1 << 20);

	snprintf(path, sizeof(path), "%s/%s", UNIT_CASES, name);
	file = fopen(path, "rb");
	if (file == NULL)
	{
		printf("Bail out! cannot open %s\n", path);
		exit(1);
	}
	content[fread(content, 1, (1 << 20) - 1, file)] = '\0';
	fclose(file);
	return content;
}

/* Cut the next line into fields, in place; false at the end. */
static bool
next_line(char **text, Line *line)
{
	char	   *at = *text;
	char	   *end;

	if (*at == '\0')
		return false;
	end = at + strcspn(at, "\n");
	*text = *end == '\0' ? end : end + 1;
	*end = '\0';
	line->count = 0;
	while (line->count < MAX_COLUMNS)
	{
		char	   *tab = strchr(at, '\t');

		line->field[line->count++] = at;
		if (tab == NULL)
			break;
		*tab = '\0';
		at = tab + 1;
	}
	for (int i = line->count; i < MAX_COLUMNS; i++)
		line->field[i] = "";
	return true;
}

/* What our rule says instead of the case, or the case itself. */
static const char *
expected_fires(const Line *line, int policy)
{
	const char *expected = line->field[FIRST_FIRES + policy];

	for (int i = 0; i < rule_count; i++)
	{
		if (strcmp(rules[i].field[0], line->field[0]) == 0 &&
			strcmp(rules[i].field[1], policy_names[policy]) == 0)
		{
			unit_ok(strcmp(expected, rules[i].field[2]) != 0,
					"%s %s is still an exception", line->field[0], policy_names[policy]);
			rules[i].count = 0;
			return rules[i].field[2];
		}
	}
	return expected;
}

static void
check_fires(const Line *line, int policy, const SchedSchedule *schedule,
			const SchedZone *zone, SchedTime after, const char *expected)
{
	SchedScheduleContext context = {zone, (SchedDstPolicy) policy, NULL, after, SCHED_TIME_BEGIN};
	SchedTime	last = after;
	int			count = 0;
	bool		ok = true;

	if (strcmp(expected, "NEVER") == 0)
	{
		unit_is_str(tzfile_format_time(sched_schedule_next(schedule, &context, after)),
					"NEVER", psprintf("%s %s \"%s\" never fires", line->field[0],
									  policy_names[policy], line->field[1]));
		return;
	}
	while (*expected != '\0')
	{
		size_t		length = strcspn(expected, " ");
		SchedTime	wanted;
		SchedTime	fire = sched_schedule_next(schedule, &context, last);

		if (!tzfile_parse_time(expected, length, &wanted))
		{
			ok = false;
			printf("# not a time: %.*s\n", (int) length, expected);
			break;
		}
		if (fire != wanted)
		{
			ok = false;
			printf("# fire %d is %s, not %s\n", count + 1, tzfile_format_time(fire),
				   tzfile_format_time(wanted));
			break;
		}
		count++;
		last = fire;
		expected += length + (expected[length] == ' ' ? 1 : 0);
	}
	unit_ok(ok && count > 0, "%s %s \"%s\" in %s fires as listed", line->field[0],
			policy_names[policy], line->field[1], line->field[2]);
	if (!ok)
		return;
	unit_ok(sched_schedule_last(schedule, &context, after, last) == last &&
			sched_schedule_count(schedule, &context, after, last, 1000) == count,
			"%s %s last and count agree", line->field[0], policy_names[policy]);
}

/*
 * Two zones got other rules for the years to come after the cases were listed.
 * With such data in place, those of them say nothing.
 */
static bool
zone_has_moved(const SchedZone *zone)
{
	static const struct
	{
		const char *zone;
		const char *at;
		int32		offset;
	}			listed[] = {
		{"America/Havana", "2026-12-01T12:00:00Z", -5 * 3600},
		{"Africa/Casablanca", "2027-06-01T12:00:00Z", 3600}
	};

	for (int i = 0; i < (int) lengthof(listed); i++)
	{
		SchedZonePeriod period;
		SchedTime	at;

		if (strcmp(zone->name, listed[i].zone) != 0 ||
			!tzfile_parse_time(listed[i].at, strlen(listed[i].at), &at))
			continue;
		zone->period(zone, at / 1000000, &period);
		return period.offset != listed[i].offset;
	}
	return false;
}

static void
check_case(const Line *line)
{
	SchedError	err;
	SchedSchedule *schedule = sched_schedule_parse(line->field[1], &err);
	const SchedZone *zone = tzfile_zone(line->field[2]);
	SchedTime	after;
	const char *expected = expected_fires(line, 0);

	if (strcmp(expected, "ERROR") == 0)
	{
		unit_ok(schedule == NULL && err.message[0] != '\0' && err.hint[0] != '\0' &&
				err.position >= 0 && err.position <= strlen(line->field[1]),
				"%s \"%s\" is refused: %s", line->field[0], line->field[1],
				schedule == NULL ? err.message : "it was not");
		sched_schedule_free(schedule);
		return;
	}
	if (!unit_ok(schedule != NULL, "%s \"%s\" parses", line->field[0], line->field[1]))
	{
		printf("# %s at %d\n", err.message, err.position);
		return;
	}
	if (zone == NULL || !tzfile_parse_time(line->field[3], strlen(line->field[3]), &after))
	{
		unit_ok(false, "%s has a known zone and a time", line->field[0]);
		return;
	}
	if (zone_has_moved(zone))
	{
		unit_ok(true, "%s # skip the rules of %s are newer", line->field[0], zone->name);
		for (int policy = 1; policy < 4; policy++)
			(void) expected_fires(line, policy);
		sched_schedule_free(schedule);
		return;
	}
	check_fires(line, 0, schedule, zone, after, expected);
	for (int policy = 1; policy < 4; policy++)
	{
		expected = expected_fires(line, policy);
		if (*expected != '\0')
			check_fires(line, policy, schedule, zone, after, expected);
	}
	sched_schedule_free(schedule);
}

int
main(void)
{
	char	   *text = read_text("schedules.rule.tsv");
	Line		line;
	int			cases = 0;

	next_line(&text, &line);
	while (rule_count < MAX_RULES && next_line(&text, &rules[rule_count]))
		rule_count++;

	text = read_text("schedules.tsv");

	next_line(&text, &line);
	for (; next_line(&text, &line); cases++)
		check_case(&line);
	unit_is_int(cases, 291, "all 291 cases were read");
	for (int i = 0; i < rule_count; i++)
		unit_is_int(rules[i].count, 0, psprintf("exception %s names a case", rules[i].field[0]));
	return unit_done();
}
