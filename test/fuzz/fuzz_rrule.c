/*-------------------------------------------------------------------------
 *
 * fuzz_rrule.c
 *	  Any text as a recurrence rule: parse it, describe it, ask when it fires.
 *
 * The first three bytes of an input choose the zone, the anchor and the
 * instant to ask from, the rest is the text.  Beyond what the sanitizers find,
 * it is a failure when a refusal lacks a message, a hint or a position inside
 * the text, when fires do not increase, when count() and last() disagree with
 * them, or when one call costs more than 10 ms of processor time, scaled by
 * FUZZ_SLOWDOWN for what the sanitizers cost.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include <time.h>

#include "domain/schedule/civil.h"
#include "domain/schedule/rrule.h"
#include "tzfile.h"

#ifndef FUZZ_SLOWDOWN
#define FUZZ_SLOWDOWN	8
#endif

#define MAX_COST		(0.010 * FUZZ_SLOWDOWN)
#define MAX_TEXT		4096

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const zone_names[] = {
	"UTC", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe",
	"Africa/Casablanca", "Pacific/Apia", "America/Havana", "Antarctica/Troll"
};

typedef struct Question
{
	const SchedRRule *rule;
	const SchedZone *zone;
	SchedTime	anchor;
	const char *text;
} Question;

static void
demand(bool condition, const char *claim, const char *text)
{
	if (condition)
		return;
	fprintf(stderr, "%s: \"%s\"\n", claim, text);
	abort();
}

static double
cpu_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

static void
demand_cheap(double begin, const char *call, const char *text)
{
	double		cost = cpu_seconds() - begin;

	if (cost < MAX_COST)
		return;
	fprintf(stderr, "%s took %.1f ms: \"%s\"\n", call, cost * 1000, text);
	abort();
}

static SchedTime
next(const Question *q, SchedTime after)
{
	double		begin = cpu_seconds();
	SchedTime	t = sched_rrule_next(q->rule, q->zone, q->anchor, after);

	demand_cheap(begin, "next", q->text);
	demand(t > after, "fire is not later", q->text);
	return t;
}

static SchedTime
last(const Question *q, SchedTime after, SchedTime upto)
{
	double		begin = cpu_seconds();
	SchedTime	t = sched_rrule_last(q->rule, q->zone, q->anchor, after, upto);

	demand_cheap(begin, "last", q->text);
	demand(t == SCHED_TIME_BEGIN || (t > after && t <= upto),
		   "last is outside its span", q->text);
	return t;
}

static int64
count(const Question *q, SchedTime after, SchedTime upto)
{
	double		begin = cpu_seconds();
	int64		n = sched_rrule_count(q->rule, q->zone, q->anchor, after, upto,
									  PG_INT64_MAX);

	demand_cheap(begin, "count", q->text);
	demand(n >= 0, "count is negative", q->text);
	return n;
}

static void
ask(const Question *q, SchedTime after)
{
	SchedTime	t = after;
	SchedTime	previous = SCHED_TIME_BEGIN;
	SchedTime	newest;
	int			fires = 0;

	while (fires < 6)
	{
		SchedTime	fire = next(q, t);

		if (fire == SCHED_TIME_NEVER)
			break;
		previous = fires > 0 ? t : SCHED_TIME_BEGIN;
		t = fire;
		fires++;
	}
	if (fires > 0)
	{
		demand(count(q, after, t) == fires, "count disagrees with next", q->text);
		demand(last(q, after, t) == t, "last disagrees with next", q->text);
		demand(last(q, after, t - 1) == previous,
			   "last before the last disagrees with next", q->text);
	}
	newest = last(q, after, SCHED_TIME_NEVER);
	if (newest == SCHED_TIME_BEGIN)
		demand(fires == 0, "last finds nothing where next does", q->text);
	else
	{
		demand(next(q, newest) == SCHED_TIME_NEVER,
			   "something fires after the last", q->text);
		demand(count(q, newest - 1, SCHED_TIME_NEVER) == 1,
			   "the last is not one", q->text);
	}
	demand(count(q, after, SCHED_TIME_NEVER) >= fires,
		   "fewer in all than seen", q->text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[	MAX_TEXT];
	SchedError	err;
	SchedRRule *rule;
	double		begin;

	if (size < 3 || size - 3 >= sizeof(text))
		return 0;
	memcpy(text, data + 3, size - 3);
	text[		size - 3] = '\0';

	memset(&err, 0, sizeof(err));
	begin = cpu_seconds();
	rule = sched_rrule_parse(text, &err);
	demand_cheap(begin, "parse", text);
	if (rule == NULL)
	{
		demand(err.message[0] != '\0' && err.hint[0] != '\0' &&
			   err.position >= 0 && err.position <= (int) strlen(text),
			   "refused without a reason", text);
	}
	else
	{
		/* days before and after now, thousands of them */
		SchedTime	far = (SchedTime) 47 * SCHED_SECS_PER_DAY *
		SCHED_USEC_PER_SEC;
		Question	q;
		char	   *words = sched_rrule_describe(rule);

		demand(words[0] != '\0', "description is empty", text);
		pfree(words);
		q.rule = rule;
		q.zone = tzfile_zone(zone_names[data[0] % lengthof(zone_names)]);
		q.anchor = ((int) data[1] - 128) * far + data[0];
		q.text = text;

		demand(q.zone != NULL, "no time zones", text);
		ask(&q, ((int) data[2] - 128) * far * 8);
		ask(&q, SCHED_TIME_BEGIN);
		sched_rrule_free(rule);
	}
	return 0;
}
