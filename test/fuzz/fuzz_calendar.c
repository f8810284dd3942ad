/*-------------------------------------------------------------------------
 *
 * fuzz_calendar.c
 *	  Any text as a calendar's spec.
 *
 * The text also serves as the spec of a calendar named "a"; a fixed one is
 * named "b".  Beyond what the sanitizers find, it is a failure when a refusal
 * lacks a message, a hint or a position inside the text, when a calendar has
 * no day, or when the day that next_day() gives is not in it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include "domain/schedule/calendar.h"
#include "domain/schedule/civil.h"

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_TEXT		4096

static void
demand(bool condition, const char *claim, const char *text)
{
	if (condition)
		return;
	fprintf(stderr, "%s: %s\n", claim, text);
	abort();
}

static const char *
resolve(const char *name, void *arg)
{
	if (strcmp(name, "a") == 0)
		return arg;
	if (strcmp(name, "b") == 0)
		return "{\"include\": [\"12-24..01-02\", {\"easter\": 1}, \"2027-05-01\"]}";
	return NULL;
}

static void
use(const SchedCalendar *calendar, const char *text)
{
	int32		begin = sched_civil_day(1970, 1, 1);
	int32		end = sched_civil_day(2201, 1, 1);
	int32		day = begin;

	for (int i = 0; i < 20; i++)
	{
		day = sched_calendar_next_day(calendar, day, end);
		demand(i > 0 || day < end, "calendar has no day", text);
		if (day == end)
			break;
		demand(sched_calendar_includes(calendar, day),
			   "the next day is not in the calendar", text);
		day++;
	}
	/* far from anything that a date can say */
	(void) sched_calendar_includes(calendar, PG_INT32_MAX / 2);
	(void) sched_calendar_includes(calendar, PG_INT32_MIN / 2);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[	MAX_TEXT];
	SchedError	err;
	SchedCalendar *calendar;

	if (size >= sizeof(text))
		return 0;
	memcpy(text, data, size);
	text[		size] = '\0';

	memset(&err, 0, sizeof(err));
	calendar = sched_calendar_parse(text, resolve, text, &err);
	if (calendar == NULL)
		demand(err.message[0] != '\0' && err.hint[0] != '\0' &&
			   err.position >= -1 && err.position <= (int) strlen(text),
			   "refused without a reason", text);
	else
	{
		use(calendar, text);
		sched_calendar_free(calendar);
	}
	return 0;
}
