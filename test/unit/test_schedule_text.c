/*-------------------------------------------------------------------------
 *
 * test_schedule_text.c
 *	  What is refused and why, descriptions, surprises, durations, patterns.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include "domain/schedule/civil.h"
#include "domain/event_pattern.h"
#include "domain/schedule/interval.h"
#include "domain/schedule/schedule.h"
#include "tzfile.h"
#include "unit.h"

/* Refused at that position, with that message, a detail and a hint. */
static void
refused(const char *text, int position, const char *message)
{
	SchedError	err;
	SchedSchedule *schedule;

	memset(&err, 0x7f, sizeof(err));
	schedule = sched_schedule_parse(text, &err);
	if (!unit_ok(schedule == NULL, "\"%s\" is refused", text))
	{
		sched_schedule_free(schedule);
		return;
	}
	unit_is_int(err.position, position, psprintf("\"%s\": the position", text));
	unit_is_str(err.message, message, psprintf("\"%s\": the message", text));
	unit_ok(err.detail[0] != '\0' && err.detail[strlen(err.detail) - 1] == '.' &&
			err.hint[0] != '\0' && err.hint[strlen(err.hint) - 1] == '.',
			"\"%s\": detail and hint are sentences", text);
}

/* What a hint shows in quotes has to be right itself. */
static void
hint_is_right(const char *text)
{
	SchedError	err;
	const char *at;
	int			shown = 0;

	sched_schedule_free(sched_schedule_parse(text, &err));
	for (at = strchr(err.hint, '"'); at != NULL; at = strchr(at + 1, '"'))
	{
		const char *end = strchr(at + 1, '"');
		char	   *example;
		SchedSchedule *schedule;

		if (end == NULL)
			break;
		example = pnstrdup(at + 1, end - at - 1);
		at = end;

		/* "?" is named in passing, durations stand without their word */
		if (strcmp(example, "?") == 0)
			continue;
		schedule = sched_schedule_parse(example, NULL);
		if (schedule == NULL)
			schedule = sched_schedule_parse(psprintf("@every %s", example), NULL);
		if (schedule == NULL)
			break;
		shown++;
		sched_schedule_free(schedule);
	}
	unit_ok(at == NULL && shown > 0, "the hint for \"%s\" is right: %s", text, err.hint);
}

static void
test_errors(void)
{
	static const char *const texts[] = {
		"60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8", "61 * * * * *",
		"0 0 0 ? * 0", "0 0 0 1 1 ? 1900", "* * *", "@every", "@every 1s -2s", "@after 0",
		"@at 2027", "@foo", "@event", "@custom", "@daily x", "0 0 0 1 * MON 2027", "TZ=! @daily"
	};

	refused("", 0, "schedule is empty");
	refused("   ", 3, "schedule is empty");
	refused("* * * *", 7, "a cron expression has 5, 6 or 7 fields, not 4");
	refused("* * * * * * * *", 14, "a cron expression has 5, 6 or 7 fields, not 8");
	refused("60 * * * *", 0, "minute must be 0-59");
	refused("*/5 9-25 * * *", 6, "hour must be 0-23");
	refused("0 0 1,15,32 * *", 9, "day of month must be 1-31");
	refused("0 0 1-0 * *", 6, "day of month must be 1-31");
	refused("0 0 * JAN-FOO *", 10, "month must be 1-12");
	refused("0 0 * * MON,8", 12, "day of week must be 0-7");
	refused("0 0 0 ? * 8", 10, "day of week must be 1-7");
	refused("60 0 0 * * *", 0, "second must be 0-59");
	refused("0 0 0 1 1 ? 1969", 12, "year must be 1970-2200");
	refused("0 0 0 1 1 ? 2030-2029", 12, "range of years ends before it begins");
	refused("99999999999999999999 * * * *", 0, "minute must be 0-59");
	refused("*/0 * * * *", 2, "step must be at least 1");
	refused("*/ * * * *", 2, "the minute field ends too early");
	refused("1- * * * *", 2, "the minute field ends too early");
	refused("1,, * * * *", 2, "unexpected \",\" in the minute field");
	refused("1-5-7 * * * *", 3, "unexpected \"-\" in the minute field");
	refused("+5 * * * *", 0, "unexpected \"+\" in the minute field");
	refused("0x5 * * * *", 1, "unexpected \"x\" in the minute field");
	refused("0~30 * * * *", 1, "unexpected \"~\" in the minute field");
	refused("? * * * *", 0, "unexpected \"?\" in the minute field");
	refused("0 0 * * MONDAY", 11, "unexpected \"D\" in the day of week field");
	refused("0 0 \303\274 * *", 4, "unexpected \"\303\274\" in the day of month field");
	refused("0\302\2400 * * *", 10, "a cron expression has 5, 6 or 7 fields, not 4");
	refused("0 0 * * L", 8, "day of week must be 0-7");
	refused("0 0 * * FRI#6", 12, "week of month must be 1-5");
	refused("0 0 * * FRI#", 12, "the day of week field ends too early");
	refused("0 0 L-31 * *", 6, "days before the last must be 0-30");
	refused("0 0 15WL * *", 7, "unexpected \"L\" in the day of month field");
	refused("0 0 9 1 * MON 2027", 10, "one of day of month and day of week must be \"?\"");

	refused("TZ= * * * * *", 3, "time zone name is not valid");
	refused("TZ=Europe/Berlin", 16, "schedule is empty");
	refused("TZ=Europe/Berlin 60 * * * *", 17, "minute must be 0-59");
	refused("CRON_TZ=Eu$rope * * * * *", 8, "time zone name is not valid");

	refused("@", 0, "schedule \"@\" is not known");
	refused(" @fortnightly", 1, "schedule \"@fortnightly\" is not known");
	refused("@daily at noon", 7, "unexpected text behind the schedule");
	refused("@startup now", 9, "unexpected text behind the schedule");

	refused("@every", 6, "duration is missing");
	refused("@every 5 parsecs", 9, "unit of the duration is not known");
	refused("@every 30 1h", 10, "a unit is expected here");
	refused("@every five minutes", 7, "a number is expected here");
	refused("@every 0 s", 7, "duration must not be zero");
	refused("@every -5 minutes", 7, "duration must not be negative");
	refused("@every 99ms", 7, "duration must be at least 100 ms");
	refused("@every 99999999999999999999 s", 7, "duration is out of range");
	refused("@every 9999999999 years", 7, "duration is out of range");
	refused("@every 1 month -1 day", 7, "no part of a duration with months may be negative");
	refused("@after 10 minutes ago", 7, "duration must not be negative");

	refused("@at", 3, "date and time ends too early");
	refused("@at tomorrow", 4, "a digit is expected here");
	refused("@at 2027-13-01", 9, "month must be 1-12");
	refused("@at 2027-02-29", 12, "the month has no such day");
	refused("@at 2027-03-01 24:00", 15, "hour must be 0-23");
	refused("@at 2027-03-01 09:60", 18, "minute must be 0-59");
	refused("@at 1969-03-01", 4, "year must be 1970-2200");
	refused("@at 2027-03-01 09:00+", 21, "date and time ends too early");
	refused("@at 2027-03-01 09:00 UTC x", 25, "text after the date and time");

	refused("@event", 6, "a part of the event name is missing");
	refused("@event a..b", 9, "unexpected character in the event name");
	refused("@event a.", 9, "a part of the event name is missing");
	refused("@event a.***", 11, "at most two \"*\" may follow each other");
	refused("@event a.b*", 10, "unexpected character in the event name");
	refused("@event a b", 9, "unexpected text behind the event name");
	refused("@event a ? @.x", 11, "the condition must stand in parentheses");
	refused("@custom", 7, "name of the trigger type is missing");
	refused("@custom a b", 9, "unexpected text behind the name of the trigger type");

	for (int i = 0; i < lengthof(texts); i++)
		hint_is_right(texts[i]);
}

static void
described(const char *text, const char *expected)
{
	SchedSchedule *schedule = sched_schedule_parse(text, NULL);

	unit_is_str(schedule != NULL ? sched_schedule_describe(schedule) : NULL, expected,
				psprintf("\"%s\" is described", text));
	sched_schedule_free(schedule);
}

static void
test_descriptions(void)
{
	described("* * * * *", "every minute");
	described("@minutely", "every minute");
	described("*/5 * * * *", "every 5 minutes");
	described("*/7 * * * *", "at minutes 0, 7, 14, 21, 28, 35, 42, 49 and 56 of every hour");
	described("*/5 9-17 * * MON-FRI", "every 5 minutes from 09:00 through 17:59 on Monday through Friday");
	described("* 3 * * *", "every minute from 03:00 through 03:59");
	described("@hourly", "every hour");
	described("15 * * * *", "at minute 15 of every hour");
	described("1-5 * * * *", "at minutes 1 through 5 of every hour");
	described("0 */2 * * *", "every 2 hours");
	described("5,10 */3 * * *", "at minutes 5 and 10 of every 3rd hour");
	described("*/20 */2 * * *", "every 20 minutes in every 2nd hour");
	described("7,8 1,2,5,9,13 * * *", "at minutes 7 and 8 of the hours 1, 2, 5, 9 and 13");
	described("@daily", "at 00:00 every day");
	described("0 9 * * MON-FRI", "at 09:00 on Monday through Friday");
	described("0 9 * * 1-5", "at 09:00 on Monday through Friday");
	described("30 9,17 * * *", "at 09:30 and 17:30 every day");
	described("@weekly", "at 00:00 on Sunday");
	described("@weekends", "at 00:00 on Saturday and Sunday");
	described("0 0 * * FRI-MON", "at 00:00 on Friday through Monday");
	described("@monthly", "at 00:00 on day 1 of the month");
	described("@yearly", "at 00:00 on day 1 of the month in January");
	described("0 0 1,15 * *", "at 00:00 on days 1 and 15 of the month");
	described("0 0 */2 * *", "at 00:00 on every 2nd day of the month from day 1");
	described("0 0 * NOV-FEB *", "at 00:00 every day in November through February");
	described("0 0 13 * FRI", "at 00:00 on day 13 of the month, and also on Friday");
	described("0 0 */10 * MON", "at 00:00 on every 10th day of the month from day 1, but only on Monday");
	described("0 0 1-31 * MON", "at 00:00 every day");
	described("0 0 L * *", "at 00:00 on the last day of the month");
	described("0 0 L-3 * *", "at 00:00 on the 3rd day before the last of the month");
	described("0 0 LW * *", "at 00:00 on the last weekday of the month");
	described("0 0 15W * *", "at 00:00 on the weekday nearest to day 15 of the month");
	described("0 0 * * FRI#3", "at 00:00 on the third Friday of the month");
	described("0 0 * * 5L", "at 00:00 on the last Friday of the month");
	described("* * * * * *", "every second");
	described("*/10 * * * * *", "every 10 seconds");
	described("10 * * * * *", "at second 10 of every minute");
	described("30 0 3 * * ?", "at 03:00:30 every day");
	described("0 0 12 ? * 7 2027-2030,2040", "at 12:00 on Saturday in 2027 through 2030, 2040");
	described("TZ=Asia/Tokyo 0 9 * * *", "at 09:00 every day, time zone Asia/Tokyo");
	described("@every 90s", "every 1 minute 30 seconds");
	described("@every 1h", "every hour");
	described("@every 1 hour 30 minutes", "every 1 hour 30 minutes");
	described("@every 100ms", "every 100 milliseconds");
	described("@every 18 months", "every 1 year 6 months");
	described("@after 10 minutes", "10 minutes after the end of the previous run");
	described("@at 2027-03-01 09:00", "once, on 2027-03-01 at 09:00");
	described("@at 2027-03-01T09:00:30-05:30", "once, on 2027-03-01 at 09:00:30 UTC-05:30");
	described("@at 2027-03-01 09:00 Asia/Tokyo", "once, on 2027-03-01 at 09:00, time zone Asia/Tokyo");
	described("@startup", "each time the scheduler starts");
	described("@event order.created", "on each event order.created");
	described("@event order.* ? (@.total > 100)", "on each event that matches order.* with (@.total > 100)");
	described("@custom tide", "when the trigger type tide says so");
}

/* NULL: nothing to say */
static void
surprises(const char *text, const char *zone, SchedDstPolicy policy, const char *expected)
{
	SchedScheduleContext context = {tzfile_zone(zone), policy, NULL, 0, SCHED_TIME_BEGIN};
	SchedSchedule *schedule = sched_schedule_parse(text, NULL);
	SchedTime	now = (SchedTime) sched_civil_day(2026, 1, 1) * 86400 * SCHED_USEC_PER_SEC;
	char	   *got = sched_schedule_surprise(schedule, &context, now);

	if (expected == NULL)
		unit_ok(got == NULL, "\"%s\" in %s surprises nobody%s%s", text, zone,
				got != NULL ? ": " : "", got != NULL ? got : "");
	else
		unit_is_str(got, expected, psprintf("\"%s\" in %s may surprise", text, zone));
	sched_schedule_free(schedule);
}

static void
test_surprises(void)
{
	surprises("0 0 13 * FRI", "UTC", SCHED_DST_VIXIE,
			  "both day of month and day of week are restricted: it fires on days that match either of them");
	surprises("0 0 */2 * MON", "UTC", SCHED_DST_VIXIE,
			  "both day of month and day of week are restricted, and one of them begins with \"*\": it fires only on days that match both");
	surprises("0 0 13 * *", "UTC", SCHED_DST_VIXIE, NULL);
	surprises("0 0 * * FRI", "UTC", SCHED_DST_VIXIE, NULL);
	surprises("0 0 1-31 * FRI", "UTC", SCHED_DST_VIXIE, NULL);
	surprises("*/90 * * * *", "UTC", SCHED_DST_VIXIE,
			  "a step is longer than its field, so that only the first value is left");
	surprises("*/60 * * * *", "UTC", SCHED_DST_VIXIE, NULL);

	surprises("30 2 * * *", "Europe/Berlin", SCHED_DST_VIXIE,
			  "on 2026-03-29 the clock jumps from 02:00 to 03:00, so 02:30 fires at 03:00");
	surprises("30 2 * * *", "Europe/Berlin", SCHED_DST_SHIFT_FIRST,
			  "on 2026-03-29 the clock jumps from 02:00 to 03:00, so 02:30 fires at 03:30");
	surprises("30 2 * * *", "Europe/Berlin", SCHED_DST_SKIP_BOTH,
			  "on 2026-03-29 the clock jumps from 02:00 to 03:00, so 02:30 is skipped that day");
	surprises("30 2 * * MON", "Europe/Berlin", SCHED_DST_VIXIE, NULL);
	surprises("30 2 * * *", "Asia/Tokyo", SCHED_DST_VIXIE, NULL);
	surprises("*/30 2 * * *", "Europe/Berlin", SCHED_DST_VIXIE, NULL);
	surprises("30 3 * * *", "Europe/Berlin", SCHED_DST_VIXIE, NULL);
	surprises("15,45 2 29 * SUN", "Europe/Berlin", SCHED_DST_VIXIE,
			  "both day of month and day of week are restricted: it fires on days that match either of them; "
			  "on 2026-03-29 the clock jumps from 02:00 to 03:00, so 02:15 fires at 03:00");

	surprises("@every 1 month", "UTC", SCHED_DST_VIXIE,
			  "months have no fixed length: they are counted from the start of the schedule, and a day that a month lacks becomes its last day");
	surprises("@every 1 day", "Europe/Berlin", SCHED_DST_VIXIE,
			  "a day counts as 24 hours of elapsed time: the local time of the fires moves when the clocks change");
	surprises("@every 1 day", "UTC", SCHED_DST_VIXIE, NULL);
	surprises("@every 90 minutes", "Europe/Berlin", SCHED_DST_VIXIE, NULL);
	surprises("@at 2027-03-28 02:30", "Europe/Berlin", SCHED_DST_VIXIE,
			  "on 2027-03-28 02:30 does not exist, it fires at 03:30");
	surprises("@at 2027-10-31 02:30", "Europe/Berlin", SCHED_DST_VIXIE,
			  "on 2027-10-31 02:30 comes twice, it fires at the first");
	surprises("@at 2027-10-31 02:30Z", "Europe/Berlin", SCHED_DST_VIXIE, NULL);
}

static void
lasts(const char *text, int32 months, int32 days, int64 usec)
{
	SchedInterval interval;
	SchedError	err;

	if (!unit_ok(sched_interval_parse(text, &interval, &err), "duration \"%s\" parses", text))
	{
		printf("# %s at %d\n", err.message, err.position);
		return;
	}
	unit_is_int(interval.months, months, psprintf("months of \"%s\"", text));
	unit_is_int(interval.days, days, psprintf("days of \"%s\"", text));
	unit_is_int(interval.usec, usec, psprintf("microseconds of \"%s\"", text));
}

static void
test_durations(void)
{
	const int64 second = SCHED_USEC_PER_SEC;

	lasts("90", 0, 0, 90 * second);
	lasts("90s", 0, 0, 90 * second);
	lasts("1h30m", 0, 0, 5400 * second);
	lasts("1.5h", 0, 0, 5400 * second);
	lasts("250ms", 0, 0, 250000);
	lasts("1s500ms", 0, 0, 1500000);
	lasts("300000us", 0, 0, 300000);
	lasts("300000\302\265s", 0, 0, 300000);
	lasts("200000000ns", 0, 0, 200000);
	lasts("1 hour 30 minutes", 0, 0, 5400 * second);
	lasts("1 HOUR", 0, 0, 3600 * second);
	lasts("01:30", 0, 0, 5400 * second);
	lasts("01:30:15.5", 0, 0, 5415 * second + 500000);
	lasts("1 day 02:00", 0, 1, 7200 * second);
	lasts("1 02:00", 0, 1, 7200 * second);
	lasts("1 week", 0, 7, 0);
	lasts("1.5 weeks", 0, 10, 43200 * second);
	lasts("1 mon 2 days", 1, 2, 0);
	lasts("1.5 months", 1, 15, 0);
	lasts("2 years 3 months", 27, 0, 0);
	lasts("1-2", 14, 0, 0);
	lasts("-1-2", -14, 0, 0);
	lasts("3 days ago", 0, -3, 0);
	lasts("1 day -1 hour", 0, 1, -3600 * second);
	lasts("P1Y2M3W4DT5H6M7.5S", 14, 25, 18367 * second + 500000);
	lasts("PT36H", 0, 0, 129600 * second);
	lasts("pt1m", 0, 0, 60 * second);
}

static void
matches(const char *pattern, const char *name, bool expected)
{
	unit_ok(sched_event_pattern_matches(pattern, name) == expected, "\"%s\" %s \"%s\"",
			pattern, expected ? "matches" : "does not match", name);
}

static void
test_patterns(void)
{
	char		pattern[2 * 64 + 1] = "";
	char		name[2 * 64 + 1] = "";

	matches("order.created", "order.created", true);
	matches("order.created", "order.createdx", false);
	matches("order.created", "order", false);
	matches("order", "order.created", false);
	matches("order.*", "order.created", true);
	matches("order.*", "order", false);
	matches("order.*", "order.created.now", false);
	matches("*.created", "order.created", true);
	matches("*", "order", true);
	matches("**", "order.created.now", true);
	matches("order.**", "order", true);
	matches("order.**", "order.created.now", true);
	matches("order.**.now", "order.now", true);
	matches("order.**.now", "order.a.b.now", true);
	matches("order.**.now", "order.a.b.later", false);
	matches("**.a.**.b", "x.a.y.a.z.b", true);
	matches("**.a.**.b", "x.a.y.a.z.c", false);
	matches("**.*", "a", true);
	matches("*.**.*", "a", false);

	/* many "**" which all fail at the end */
	for (int i = 0; i < 30; i++)
	{
		strcat(pattern, i % 2 == 0 ? "**." : "a.");
		strcat(name, "a.");
	}
	strcat(pattern, "b");
	strcat(name, "c");
	matches(pattern, name, false);
}

int
main(void)
{
	test_errors();
	test_descriptions();
	test_surprises();
	test_durations();
	test_patterns();
	return unit_done();
}
