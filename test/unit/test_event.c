/*-------------------------------------------------------------------------
 *
 * test_event.c
 *	  Names of events, which of them a level keeps, and what patterns match.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include "domain/event.h"
#include "domain/event_pattern.h"
#include "unit.h"

static void
test_types(void)
{
	int			important = 0;

	for (int i = 0; i < SCHED_EVENT_COUNT; i++)
	{
		SchedEventType type = (SchedEventType) i;
		int			position;

		unit_ok(sched_event_type_from_name(sched_event_type_name(type)) == type,
				"%s is found by its name", sched_event_type_name(type));
		unit_ok(sched_event_name_fault(sched_event_type_name(type), &position) != NULL,
				"nobody else may emit %s", sched_event_type_name(type));
		unit_ok(sched_event_in_level(type, SCHED_EVENTS_ALL) &&
				!sched_event_in_level(type, SCHED_EVENTS_NONE),
				"%s is in all and not in none", sched_event_type_name(type));
		important += sched_event_in_level(type, SCHED_EVENTS_IMPORTANT);
	}
	unit_is_int(SCHED_EVENT_COUNT - important, 7, "seven are not important");
	unit_ok(!sched_event_in_level(SCHED_EVENT_TASK_COMPLETED, SCHED_EVENTS_IMPORTANT) &&
			sched_event_in_level(SCHED_EVENT_TASK_FAILED, SCHED_EVENTS_IMPORTANT),
			"that a task completed is not, that it failed is");
	unit_ok(sched_event_type_from_name("task.nothing") == SCHED_EVENT_COUNT, "others are not found");
}

static void
test_names(void)
{
	static const struct
	{
		const char *name;
		bool		good;
		int			position;
	}			cases[] = {
		{"a", true, 0}, {"order.created", true, 0}, {"A-1.b_2.3", true, 0},
		{"jobs", true, 0}, {"tasks.done", true, 0}, {"my.task", true, 0},
		{"", false, 0}, {".", false, 0}, {"a.", false, 2}, {".a", false, 0},
		{"a..b", false, 2}, {"a b", false, 1}, {" a", false, 0}, {"a.b ", false, 3},
		{"a.*", false, 2}, {"**", false, 0}, {"a\nb", false, 1}, {"\xc3\xa4", false, 0},
		{"job", false, 0}, {"task.x", false, 0}, {"executor.a.b", false, 0}, {"a'b", false, 1},
	};
	char		longest[SCHED_MAX_EVENT_NAME + 2];
	int			position;

	for (int i = 0; i < lengthof(cases); i++)
	{
		const char *fault = sched_event_name_fault(cases[i].name, &position);

		if (!unit_ok((fault == NULL) == cases[i].good, "case %d is %s name",
					 i, cases[i].good ? "a" : "no"))
			printf("# \"%s\": %s\n", cases[i].name,
				   fault ? fault : "no fault");
		if (!cases[i].good)
			unit_is_int(position, cases[i].position, "and the place is told");
	}
	memset(longest, 'x', sizeof(longest));
	longest[SCHED_MAX_EVENT_NAME] = '\0';
	unit_ok(sched_event_name_fault(longest, &position) == NULL, "255 bytes are not too many");
	longest[SCHED_MAX_EVENT_NAME] = 'x';
	longest[SCHED_MAX_EVENT_NAME + 1] = '\0';
	unit_ok(sched_event_name_fault(longest, &position) != NULL, "256 are");
}

/* Part by part, in the plainest way: what the fast one is compared with. */
static bool
matches_slowly(const char *pattern, const char *name)
{
	const char *pattern_dot;
	const char *name_dot;
	size_t		pattern_length;
	size_t		name_length;

	if (pattern == NULL)
		return name == NULL;
	pattern_dot = strchr(pattern, '.');
	pattern_length = pattern_dot ? pattern_dot - pattern : strlen(pattern);
	if (pattern_length == 2 && strncmp(pattern, "**", 2) == 0)
	{
		const char *rest = pattern_dot ? pattern_dot + 1 : NULL;

		for (; name != NULL; name = name_dot ? name_dot + 1 : NULL)
		{
			if (matches_slowly(rest, name))
				return true;
			name_dot = strchr(name, '.');
		}
		return matches_slowly(rest, NULL);
	}
	if (name == NULL)
		return false;
	name_dot = strchr(name, '.');
	name_length = name_dot ? name_dot - name : strlen(name);
	if (!(pattern_length == 1 && *pattern == '*') &&
		(pattern_length != name_length || strncmp(pattern, name, name_length) != 0))
		return false;
	return matches_slowly(pattern_dot ? pattern_dot + 1 : NULL,
						  name_dot ? name_dot + 1 : NULL);
}

static void
test_patterns(void)
{
	static const char *const words[] = {"a", "b", "*", "**"};
	int			different = 0;
	int			matched = 0;

	unit_ok(sched_event_pattern_matches("order.*", "order.created") &&
			!sched_event_pattern_matches("order.*", "order.created.now") &&
			!sched_event_pattern_matches("order.*", "order"), "* is one part");
	unit_ok(sched_event_pattern_matches("order.**", "order") &&
			sched_event_pattern_matches("order.**", "order.a.b") &&
			!sched_event_pattern_matches("order.**", "orders.a"), "** is any number of parts");

	/* all patterns and names of up to four parts of a small alphabet */
	for (int p = 0; p < 4 + 16 + 64 + 256; p++)
		for (int n = 0; n < 2 + 4 + 8 + 16; n++)
		{
			char		pattern[20] = "";
			char		name[20] = "";
			int			parts = p < 4 ? 1 : p < 20 ? 2 : p < 84 ? 3 : 4;
			int			rest = p - (p < 4 ? 0 : p < 20 ? 4 : p < 84 ? 20 : 84);

			for (int i = 0; i < parts; i++, rest /= 4)
				sprintf(pattern + strlen(pattern), "%s%s", i ? "." : "", words[rest % 4]);
			parts = n < 2 ? 1 : n < 6 ? 2 : n < 14 ? 3 : 4;
			rest = n - (n < 2 ? 0 : n < 6 ? 2 : n < 14 ? 6 : 14);
			for (int i = 0; i < parts; i++, rest /= 2)
				sprintf(name + strlen(name), "%s%s", i ? "." : "", words[rest % 2]);
			if (sched_event_pattern_matches(pattern, name) != matches_slowly(pattern, name))
				different++;
			matched += sched_event_pattern_matches(pattern, name);
		}
	unit_is_int(different, 0, "matching agrees with the plainest way to do it");
	unit_ok(matched > 1000, "and there were matches");
}

static void
test_time(void)
{
	char		pattern[500] = "";
	char		name[500] = "";
	double		before = unit_cpu_seconds();

	for (int i = 0; i < 100; i++)
	{
		strcat(pattern, i ? ".**" : "**");
		strcat(name, i ? ".a" : "a");
	}
	strcat(pattern, ".b");
	unit_ok(!sched_event_pattern_matches(pattern, name) && unit_cpu_seconds() - before < 0.1,
			"many ** take no time");
}

int
main(void)
{
	test_types();
	test_names();
	test_patterns();
	test_time();
	return unit_done();
}
