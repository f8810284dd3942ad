/*-------------------------------------------------------------------------
 *
 * schedule.c
 *	  One schedule expression, whatever its form.
 *
 * Recognises the form from the first characters, hands the rest to the file
 * that knows it, and dispatches next, last and count by kind.
 *
 * The last fire up to an instant needs no search of its own.  next() never
 * decreases when it starts later, so "does anything fire after x, up to the
 * end?" is true before the last fire and false from it on, and the last fire
 * is found by bisection with some dozens of calls of next().
 *
 * Error positions are those of the text that the user wrote: every parser
 * counts from the start of its own part, and its caller adds what stands
 * before it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef FRONTEND
#include "postgres.h"
#else
#include "postgres_fe.h"
#endif

#include "domain/event_pattern.h"
#include "domain/schedule/schedule_int.h"

#define MIN_PERIOD		INT64CONST(100000)	/* 100 ms */
#define MAX_NAME		63

typedef struct Macro
{
	const char *name;
	const char *cron;
} Macro;

static const Macro macros[] = {
	{"minutely", "* * * * *"},
	{"hourly", "0 * * * *"},
	{"daily", "0 0 * * *"},
	{"midnight", "0 0 * * *"},
	{"weekly", "0 0 * * 0"},
	{"monthly", "0 0 1 * *"},
	{"yearly", "0 0 1 1 *"},
	{"annually", "0 0 1 1 *"},
	{"weekdays", "0 0 * * 1-5"},
	{"weekends", "0 0 * * 0,6"}
};

static inline bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static inline bool
is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		(c >= '0' && c <= '9') || c == '_' || c == '-';
}

static const char *
skip_blanks(const char *at)
{
	while (is_blank(*at))
		at++;
	return at;
}

bool
sched_zone_name_valid(const char *name, size_t length)
{
	if (length == 0 || length > MAX_NAME)
		return false;
	for (size_t i = 0; i < length; i++)
	{
		if (!is_name_char(name[i]) && strchr("+/:,.<>", name[i]) == NULL)
			return false;
	}
	return true;
}

/* "TZ=name " or "CRON_TZ=name " in front: keep the name, step over it. */
static bool
read_zone_prefix(const char *text, const char **at, SchedSchedule *schedule,
				 SchedError *err)
{
	const char *name;
	size_t		length;

	if (pg_strncasecmp(*at, "TZ=", 3) == 0)
		name = *at + 3;
	else if (pg_strncasecmp(*at, "CRON_TZ=", 8) == 0)
		name = *at + 8;
	else
		return true;

	length = strcspn(name, " \t\r\n");
	if (!sched_zone_name_valid(name, length))
	{
		sched_error_set(err, (int) (name - text), "time zone name is not valid",
						"The name ends at the first blank and has at most 63 characters.",
						"For example \"TZ=Europe/Berlin 0 9 * * *\".");
		return false;
	}
	memcpy(schedule->zone_name, name, length);
	schedule->zone_name[length] = '\0';
	*at = skip_blanks(name + length);
	return true;
}

static bool
parse_duration(const char *text, bool is_rate, SchedSchedule *schedule,
			   SchedError *err)
{
	SchedInterval *interval = &schedule->u.interval;
	const char *message = NULL;

	if (!sched_interval_parse(text, interval, err))
		return false;
	if (interval->months != 0 &&
		(interval->months < 0 || sched_interval_usec(interval) < interval->months * 30 * SCHED_USEC_PER_DAY))
		message = "no part of a duration with months may be negative";
	else if (sched_interval_usec(interval) < 0)
		message = "duration must not be negative";
	else if (sched_interval_usec(interval) == 0)
		message = "duration must not be zero";
	else if (sched_interval_usec(interval) < MIN_PERIOD)
		message = "duration must be at least 100 ms";
	if (message == NULL)
		return true;
	sched_error_set(err, (int) (skip_blanks(text) - text), "%s",
					"The shortest duration is 100 ms.",
					is_rate ? "For example \"@every 90s\" or \"@every 1 hour 30 minutes\"." :
					"For example \"@after 10 minutes\".", message);
	return false;
}

/* A pattern of event names; a condition in the form "? (...)" may follow. */
static bool
parse_event(const char *text, SchedSchedule *schedule, SchedError *err)
{
	const char *start = skip_blanks(text);
	const char *at;
	const char *message;
	int			length = sched_event_pattern_length(start, &at, &message);

	if (length > 0)
	{
		at = skip_blanks(at);
		if (*at == '?')
		{
			const char *filter = at;
			size_t		filter_length = strlen(filter);

			at = skip_blanks(at + 1);
			while (is_blank(filter[filter_length - 1]))
				filter_length--;
			if (*at == '(' && filter[filter_length - 1] == ')')
				schedule->u.name.filter = pnstrdup(filter, filter_length);
			else
				message = "the condition must stand in parentheses";
		}
		else if (*at != '\0')
			message = "unexpected text behind the event name";
		if (message == NULL)
		{
			schedule->u.name.value = pnstrdup(start, length);
			return true;
		}
	}
	sched_error_set(err, (int) (at - text), "%s",
					"An event name has parts of letters, digits, \"_\" and \"-\" between dots; \"*\" stands for one part, \"**\" for any number.",
					"For example \"@event order.created\" or \"@event order.* ? (@.total > 100)\".",
					message);
	return false;
}

static bool
parse_custom(const char *text, SchedSchedule *schedule, SchedError *err)
{
	const char *start = skip_blanks(text);
	const char *at = start;

	while (is_name_char(*at) || *at == '.')
		at++;
	if (at > start && at - start <= MAX_NAME && *skip_blanks(at) == '\0')
	{
		schedule->u.name.value = pnstrdup(start, at - start);
		return true;
	}
	sched_error_set(err, (int) (at - text),
					at == start ? "name of the trigger type is missing" :
					at - start > MAX_NAME ? "name of the trigger type is too long" :
					"unexpected text behind the name of the trigger type",
					"The name has at most 63 letters, digits, \"_\", \"-\" and dots.",
					"For example \"@custom business_hours\".");
	return false;
}

static bool
parse_nothing(const char *text, SchedError *err)
{
	const char *at = skip_blanks(text);

	if (*at == '\0')
		return true;
	sched_error_set(err, (int) (at - text), "unexpected text behind the schedule",
					"This form stands alone.", "For example \"@daily\" or \"@startup\".");
	return false;
}

/* Everything that begins with "@"; at stands behind it. */
static bool
parse_at_form(const char *at, SchedSchedule *schedule, SchedError *err)
{
	size_t		length = 0;
	const char *rest;
	bool		ok;

	while ((at[length] >= 'a' && at[length] <= 'z') ||
		   (at[length] >= 'A' && at[length] <= 'Z'))
		length++;
	rest = at + length;

#define IS_WORD(word) \
	(length == sizeof(word) - 1 && pg_strncasecmp(at, word, length) == 0 && \
	 (*rest == '\0' || is_blank(*rest)))

	if (IS_WORD("every"))
	{
		schedule->kind = SCHED_EVERY;
		ok = parse_duration(rest, true, schedule, err);
	}
	else if (IS_WORD("after"))
	{
		schedule->kind = SCHED_AFTER;
		ok = parse_duration(rest, false, schedule, err);
	}
	else if (IS_WORD("at"))
	{
		schedule->kind = SCHED_AT;
		ok = sched_at_parse(rest, schedule, err);
	}
	else if (IS_WORD("event"))
	{
		schedule->kind = SCHED_EVENT;
		ok = parse_event(rest, schedule, err);
	}
	else if (IS_WORD("custom"))
	{
		schedule->kind = SCHED_CUSTOM;
		ok = parse_custom(rest, schedule, err);
	}
	else if (IS_WORD("startup") || IS_WORD("reboot"))
	{
		schedule->kind = SCHED_STARTUP;
		ok = parse_nothing(rest, err);
	}
	else
	{
		for (int i = 0; i < lengthof(macros); i++)
		{
			if (strlen(macros[i].name) == length &&
				pg_strncasecmp(at, macros[i].name, length) == 0 &&
				(*rest == '\0' || is_blank(*rest)))
			{
				ok = parse_nothing(rest, err) &&
					sched_cron_parse(macros[i].cron, &schedule->u.cron, err);
				if (!ok && err != NULL)
					err->position += (int) length;
				return ok;
			}
		}
		sched_error_set(err, -1, "schedule \"@%.*s\" is not known",
						"The words behind \"@\" are hourly, daily, midnight, weekly, monthly, yearly, annually, minutely, weekdays, weekends, every, after, at, startup, reboot, event and custom.",
						"For example \"@daily\" or \"@every 10 minutes\".",
						(int) Min(length, 40), at);
		return false;
	}
#undef IS_WORD
	if (!ok && err != NULL && err->position >= 0)
		err->position += (int) length;
	return ok;
}

/* Does the text begin with one of the properties of a recurrence rule? */
static bool
is_rrule(const char *at)
{
	return pg_strncasecmp(at, "RRULE", 5) == 0 || pg_strncasecmp(at, "DTSTART", 7) == 0 ||
		pg_strncasecmp(at, "RDATE", 5) == 0 || pg_strncasecmp(at, "EXDATE", 6) == 0;
}

SchedSchedule *
sched_schedule_parse(const char *text, SchedError *err)
{
	SchedSchedule *schedule = palloc0(sizeof(SchedSchedule));
	const char *at = skip_blanks(text);
	SchedError	ignored;
	bool		blame = true;
	bool		ok;

	if (err == NULL)
		err = &ignored;
	if (!read_zone_prefix(text, &at, schedule, err))
	{
		pfree(schedule);
		return NULL;
	}
	if (*at == '@')
	{
		at++;
		ok = parse_at_form(at, schedule, err);
	}
	else if (is_rrule(at))
	{
		schedule->kind = SCHED_RRULE;
		schedule->u.rrule = sched_rrule_parse(at, err);
		ok = schedule->u.rrule != NULL;
		if (!ok)
			blame = err->position >= 0;
		else if (schedule->zone_name[0] == '\0' && sched_rrule_zone_name(schedule->u.rrule) != NULL)
			strlcpy(schedule->zone_name, sched_rrule_zone_name(schedule->u.rrule),
					sizeof(schedule->zone_name));
	}
	else
		ok = sched_cron_parse(at, &schedule->u.cron, err);

	if (!ok)
	{
		/* positions so far count from "at" */
		if (blame)
			err->position += (int) (at - text);
		sched_schedule_free(schedule);
		return NULL;
	}
	return schedule;
}

void
sched_schedule_free(SchedSchedule *schedule)
{
	if (schedule == NULL)
		return;
	if (schedule->kind == SCHED_RRULE && schedule->u.rrule != NULL)
		sched_rrule_free(schedule->u.rrule);
	if (schedule->kind == SCHED_EVENT || schedule->kind == SCHED_CUSTOM)
	{
		if (schedule->u.name.value != NULL)
			pfree(schedule->u.name.value);
		if (schedule->u.name.filter != NULL)
			pfree(schedule->u.name.filter);
	}
	pfree(schedule);
}

SchedScheduleKind
sched_schedule_kind(const SchedSchedule *schedule)
{
	return schedule->kind;
}

const char *
sched_schedule_zone_name(const SchedSchedule *schedule)
{
	return schedule->zone_name[0] != '\0' ? schedule->zone_name : NULL;
}

const char *
sched_schedule_argument(const SchedSchedule *schedule)
{
	if (schedule->kind != SCHED_EVENT && schedule->kind != SCHED_CUSTOM)
		return NULL;
	return schedule->u.name.value;
}

const char *
sched_schedule_filter(const SchedSchedule *schedule)
{
	return schedule->kind == SCHED_EVENT ? schedule->u.name.filter : NULL;
}

bool
sched_schedule_is_timed(const SchedSchedule *schedule)
{
	return schedule->kind == SCHED_CRON || schedule->kind == SCHED_EVERY ||
		schedule->kind == SCHED_AT || schedule->kind == SCHED_RRULE;
}

int64
sched_schedule_period(const SchedSchedule *schedule)
{
	if (schedule->kind != SCHED_EVERY && schedule->kind != SCHED_AFTER)
		return 0;
	return sched_interval_usec(&schedule->u.interval);
}

bool
sched_schedule_period_is_fixed(const SchedSchedule *schedule)
{
	return (schedule->kind == SCHED_EVERY || schedule->kind == SCHED_AFTER) &&
		schedule->u.interval.months == 0;
}

/* The first of the known fires behind an instant. */
static SchedTime
custom_next(const SchedScheduleContext *context, SchedTime after)
{
	int			low = 0;
	int			high = context->fire_count;

	while (low < high)
	{
		int			middle = low + (high - low) / 2;

		if (context->fires[middle] > after)
			high = middle;
		else
			low = middle + 1;
	}
	while (low < context->fire_count &&
		   !sched_context_allows(context, context->fires[low]))
		low++;
	return low < context->fire_count ? context->fires[low] : SCHED_TIME_NEVER;
}

static int64
custom_count(const SchedScheduleContext *context, SchedTime after,
			 SchedTime upto, int64 limit)
{
	int64		count = 0;

	while (count < limit &&
		   (after = custom_next(context, after)) <= upto &&
		   after != SCHED_TIME_NEVER)
		count++;
	return count;
}

SchedTime
sched_schedule_next(const SchedSchedule *schedule,
					const SchedScheduleContext *context, SchedTime after)
{
	SchedTime	fire;

	switch (schedule->kind)
	{
		case SCHED_CRON:
			return sched_cron_next(&schedule->u.cron, context, after);
		case SCHED_EVERY:
			return sched_every_next(&schedule->u.interval, context, after);
		case SCHED_AFTER:
			return sched_after_next(&schedule->u.interval, context, after);
		case SCHED_AT:
			fire = sched_at_time(schedule, context);
			return fire > after && sched_context_allows(context, fire) ?
				fire : SCHED_TIME_NEVER;
		case SCHED_RRULE:
			return sched_rrule_allowed_next(schedule->u.rrule, context, after);
		case SCHED_CUSTOM:
			return custom_next(context, after);
		case SCHED_STARTUP:
		case SCHED_EVENT:
			break;
	}
	return SCHED_TIME_NEVER;
}

/* Some fire in after < fire <= upto, or SCHED_TIME_BEGIN. */
static SchedTime
fire_between(const SchedSchedule *schedule, const SchedScheduleContext *context,
			 SchedTime after, SchedTime upto)
{
	SchedTime	fire = sched_schedule_next(schedule, context, after);

	return fire <= upto && fire != SCHED_TIME_NEVER ? fire : SCHED_TIME_BEGIN;
}

SchedTime
sched_schedule_last(const SchedSchedule *schedule,
					const SchedScheduleContext *context,
					SchedTime after, SchedTime upto)
{
	SchedTime	low;
	SchedTime	high;
	SchedTime	fire;
	int64		step = SCHED_USEC_PER_SEC;

	/* nothing ever fires behind this */
	upto = Min(upto, (SchedTime) sched_civil_day(SCHED_YEAR_LIMIT, 1, 2) * SCHED_USEC_PER_DAY);
	if (after >= upto)
		return SCHED_TIME_BEGIN;
	if (schedule->kind == SCHED_RRULE)
		return sched_rrule_allowed_last(schedule->u.rrule, context, after, upto);

	if (schedule->kind == SCHED_EVERY)
		return sched_every_last(&schedule->u.interval, context, after, upto);

	/* a delay fires once, then waits for the next end */
	low = fire_between(schedule, context, after, upto);
	if (low == SCHED_TIME_BEGIN || schedule->kind == SCHED_AFTER)
		return low;
	high = upto;

	/* step back from the end until something fires behind that point */
	while (high - step > low)
	{
		fire = fire_between(schedule, context, high - step, upto);
		if (fire != SCHED_TIME_BEGIN)
		{
			low = fire;
			break;
		}
		high -= step;
		step *= 2;
	}

	/* low is a fire, and nothing fires behind high */
	for (;;)
	{
		fire = fire_between(schedule, context, low, upto);
		if (fire == SCHED_TIME_BEGIN)
			return low;
		low = fire;
		if (low >= high)
			return low;
		fire = fire_between(schedule, context, low + (high - low) / 2, upto);
		if (fire == SCHED_TIME_BEGIN)
			high = low + (high - low) / 2;
		else
			low = fire;
	}
}

int64
sched_schedule_count(const SchedSchedule *schedule,
					 const SchedScheduleContext *context,
					 SchedTime after, SchedTime upto, int64 limit)
{
	if (after >= upto || limit <= 0)
		return 0;
	switch (schedule->kind)
	{
		case SCHED_CRON:
			return sched_cron_count(&schedule->u.cron, context, after, upto, limit);
		case SCHED_EVERY:
			return sched_every_count(&schedule->u.interval, context, after, upto, limit);
		case SCHED_RRULE:
			return sched_rrule_allowed_count(schedule->u.rrule, context, after, upto,
											 limit);
		case SCHED_AFTER:
		case SCHED_AT:
			return fire_between(schedule, context, after, upto) == SCHED_TIME_BEGIN ? 0 : 1;
		case SCHED_CUSTOM:
			return custom_count(context, after, upto, limit);
		case SCHED_STARTUP:
		case SCHED_EVENT:
			break;
	}
	return 0;
}
