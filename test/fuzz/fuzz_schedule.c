/*-------------------------------------------------------------------------
 *
 * fuzz_schedule.c
 *	  Any text as a schedule: parse it, describe it, ask when it fires.
 *
 * The first bytes of an input choose the zone, the policy and the instant,
 * the rest is the text.  Beyond memory errors and undefined behaviour, which
 * the sanitizers find, it is a failure when a refusal lacks a message, a hint
 * or a position inside of the text, when fires do not increase or disagree
 * with count() and last(), or when one input costs more than 10 ms of
 * processor time.  The sanitizers' own cost is not counted: the limit is
 * scaled by FUZZ_SLOWDOWN.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include <time.h>

#include "domain/schedule/calendar.h"
#include "domain/schedule/schedule.h"
#include "tzfile.h"

#ifndef FUZZ_SLOWDOWN
#define FUZZ_SLOWDOWN	5
#endif

#define MAX_COST		(0.010 * FUZZ_SLOWDOWN)
#define SEARCHES		8		/* of use(), next() and the others */
#define YEAR			(INT64CONST(365) * 86400 * SCHED_USEC_PER_SEC)

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const zone_names[] = {
	"UTC", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe",
	"Africa/Casablanca", "Pacific/Apia", "America/Havana", "Antarctica/Troll"
};

static const char *const calendar_specs[] = {
	"{\"weekly\": [\"MON\", \"TUE\", \"WED\", \"THU\", \"FRI\"], \"exclude\": [\"12-25\", {\"easter\": 1}]}",
	"{\"include\": [\"02-29\", {\"month\": 11, \"weekday\": \"THU\", \"nth\": -1}]}",
	"{\"exclude\": [\"2000-01-01..2150-06-30\"]}"
};

static double
cpu_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

static void
demand(bool condition, const char *claim, const char *input)
{
	if (condition)
		return;
	fprintf(stderr, "%s: \"%s\"\n", claim, input);
	abort();
}

static void
use(const SchedSchedule *schedule, const SchedScheduleContext *context,
	SchedTime after, const char *input)
{
	SchedTime	t = after;
	SchedTime	previous = after;
	SchedTime	end = SCHED_TIME_NEVER;
	int			count = 0;
	char	   *words = sched_schedule_describe(schedule);
	char	   *surprise = sched_schedule_surprise(schedule, context, after);

	demand(words[0] != '\0', "description is empty", input);
	pfree(words);
	if (surprise != NULL)
		pfree(surprise);

	if (sched_schedule_kind(schedule) == SCHED_AFTER)
	{
		demand(sched_schedule_next(schedule, context, after) > after, "delay is not later", input);
		return;
	}
	while (count < 4)
	{
		t = sched_schedule_next(schedule, context, t);
		demand(t > previous, "fire is not later", input);
		if (t == SCHED_TIME_NEVER)
			break;
		previous = t;
		count++;
	}
	if (count == 0)
		return;
	if (context->calendar != NULL)
		end = after + 10 * YEAR;
	demand(sched_schedule_count(schedule, context, after, previous, 1000) == count,
		   "count() differs", input);
	demand(sched_schedule_last(schedule, context, after, previous) == previous,
		   "last() differs", input);
	if (previous > end)
		return;
	demand(sched_schedule_count(schedule, context, after, end, 1000000) >= count,
		   "count() of everything differs", input);
	demand(sched_schedule_last(schedule, context, after, end) >= previous,
		   "last() of everything differs", input);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const SchedZone *zone;
	SchedScheduleContext context;
	SchedSchedule *schedule;
	SchedError	err;
	SchedTime	after;
	SchedTime	fires[3];
	char	   *input;
	double		start;

	if (size < 4)
		return 0;
	zone = tzfile_zone(zone_names[data[0] % lengthof(zone_names)]);
	if (zone == NULL)
		return -1;
	after = ((SchedTime) data[1] * 256 + data[2] - 10000) * 86400 * SCHED_USEC_PER_SEC +
		data[3] * INT64CONST(337500001);
	memset(&context, 0, sizeof(context));
	context.zone = zone;
	context.dst_policy = (SchedDstPolicy) (data[0] / lengthof(zone_names) % 4);
	/* a quarter of the inputs each, and one without */
	context.calendar = data[3] % 4 == 3 ? NULL :
		sched_calendar_parse(calendar_specs[data[3] % 4], NULL, NULL, NULL);
	context.anchor = after - data[3] * INT64CONST(86400000000);
	context.previous_end = data[3] % 2 ? SCHED_TIME_BEGIN : context.anchor;
	/* what the function of @custom has told */
	fires[0] = after;
	fires[1] = after + 1;
	fires[2] = after + data[3] * INT64CONST(86400000000) + 2;
	context.fires = fires;
	context.fire_count = data[2] % 4;

	input = palloc(size - 3);
	memcpy(input, data + 4, size - 4);
	input[size - 4] = '\0';

	start = cpu_seconds();
	memset(&err, 0x7f, sizeof(err));
	schedule = sched_schedule_parse(input, &err);
	if (schedule == NULL)
	{
		demand(err.position >= -1 && err.position <= (int) strlen(input), "position is outside", input);
		demand(memchr(err.message, '\0', sizeof(err.message)) != NULL &&
			   err.message[0] != '\0' && err.message[0] != 0x7f, "no message", input);
		demand(memchr(err.hint, '\0', sizeof(err.hint)) != NULL &&
			   err.hint[0] != '\0' && err.hint[0] != 0x7f, "no hint", input);
	}
	else
	{
		use(schedule, &context, after, input);
		sched_schedule_free(schedule);
	}
	/* days that are excluded cost time, in each of the searches */
	demand(cpu_seconds() - start < (context.calendar != NULL ? SEARCHES : 1) * MAX_COST,
		   "takes too long", input);
	sched_calendar_free((SchedCalendar *) context.calendar);
	pfree(input);
	return 0;
}
