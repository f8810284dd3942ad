/*-------------------------------------------------------------------------
 *
 * test_schedule.c
 *	  When schedules fire: edges of the calendar and of zones, by hand.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include "domain/schedule/calendar.h"
#include "domain/schedule/civil.h"
#include "domain/schedule/schedule.h"
#include "tzfile.h"
#include "unit.h"

static SchedTime
instant(const char *text)
{
	SchedTime	t;

	if (strcmp(text, "NEVER") == 0)
		return SCHED_TIME_NEVER;
	if (!tzfile_parse_time(text, strlen(text), &t))
	{
		printf("Bail out! not a time: %s\n", text);
		exit(1);
	}
	return t;
}

static const SchedZone *
zone_named(const char *name)
{
	const SchedZone *zone = tzfile_zone(name);

	if (zone == NULL)
	{
		printf("Bail out! no time zone %s below %s\n", name, tzfile_directory());
		exit(1);
	}
	return zone;
}

static SchedSchedule *
parse(const char *text)
{
	SchedError	err;
	SchedSchedule *schedule = sched_schedule_parse(text, &err);

	if (schedule == NULL)
	{
		printf("Bail out! \"%s\": %s at %d\n", text, err.message, err.position);
		exit(1);
	}
	return schedule;
}

static SchedScheduleContext
context_in(const char *zone, SchedDstPolicy policy, const char *anchor)
{
	SchedScheduleContext context = {zone_named(zone), policy, NULL, instant(anchor), SCHED_TIME_BEGIN};

	return context;
}

/* The fires behind "after" are those listed, with blanks between them. */
static void
fires(const char *text, const char *zone, SchedDstPolicy policy,
	  const char *after, const char *expected, const char *claim)
{
	SchedSchedule *schedule = parse(text);
	SchedScheduleContext context = context_in(zone, policy, after);
	SchedTime	t = instant(after);
	char		got[512] = "";
	int			left = 1;

	for (const char *c = expected; *c != '\0'; c++)
		left += *c == ' ';
	while (left-- > 0)
	{
		t = sched_schedule_next(schedule, &context, t);
		strlcat(got, got[0] ? " " : "", sizeof(got));
		strlcat(got, tzfile_format_time(t), sizeof(got));
		if (t == SCHED_TIME_NEVER)
			break;
	}
	unit_is_str(got, expected, claim);
	sched_schedule_free(schedule);
}

#define vixie(text, zone, after, expected, claim) \
	fires(text, zone, SCHED_DST_VIXIE, after, expected, claim)

static void
test_parsing_traps(void)
{
	vixie("9,19,29 * * * *", "UTC", "2026-01-01T00:00:00Z",
		  "2026-01-01T00:09:00Z 2026-01-01T00:19:00Z 2026-01-01T00:29:00Z 2026-01-01T01:09:00Z",
		  "a list of minutes is never read as seconds");
	vixie("*/5 * * * *", "UTC", "2025-12-31T23:59:59.999Z", "2026-01-01T00:00:00Z",
		  "the fraction of a second does not hide the next fire");
	vixie("*/5 * * * *", "UTC", "2026-01-01T00:00:00Z", "2026-01-01T00:05:00Z",
		  "the next fire is strictly later");
	vixie("*/5 * * * *", "UTC", "2026-01-01T00:00:00.000001Z", "2026-01-01T00:05:00Z",
		  "a microsecond after a fire comes the one after it");
	vixie("5/15 * * * *", "UTC", "2026-01-01T00:00:00Z",
		  "2026-01-01T00:05:00Z 2026-01-01T00:20:00Z 2026-01-01T00:35:00Z 2026-01-01T00:50:00Z 2026-01-01T01:05:00Z",
		  "5/15 starts at 5 and goes on in steps of 15");
	vixie("0 22-2/2 * * *", "UTC", "2026-01-01T12:00:00Z",
		  "2026-01-01T22:00:00Z 2026-01-02T00:00:00Z 2026-01-02T02:00:00Z 2026-01-02T22:00:00Z",
		  "the steps of a range that wraps go on over its end");
	vixie("0 0 * * FRI-MON/2", "UTC", "2026-01-01T12:00:00Z",
		  "2026-01-02T00:00:00Z 2026-01-04T00:00:00Z 2026-01-09T00:00:00Z",
		  "so do those of days of the week");
	vixie(" \t*/30\t*  * * *\n", "UTC", "2026-01-01T00:00:00Z", "2026-01-01T00:30:00Z",
		  "any blanks may stand around fields");
	vixie("0 0 1 1 *", "UTC", "1969-06-01T00:00:00Z", "1970-01-01T00:00:00Z",
		  "instants before 1970 and before 2000 are nothing special");
	vixie("0 0 0 1 1 ? 2030/5", "UTC", "2031-01-01T00:00:00Z",
		  "2035-01-01T00:00:00Z 2040-01-01T00:00:00Z", "years may have steps");
	vixie("0 0 0 1 1 ? 2031-2033,2040", "UTC", "2026-01-01T00:00:00Z",
		  "2031-01-01T00:00:00Z 2032-01-01T00:00:00Z 2033-01-01T00:00:00Z 2040-01-01T00:00:00Z NEVER",
		  "when the years are over, nothing fires");
	vixie("0 0 0 LW * ?", "UTC", "2026-01-01T00:00:00Z",
		  "2026-01-30T00:00:00Z 2026-02-27T00:00:00Z 2026-03-31T00:00:00Z 2026-04-30T00:00:00Z 2026-05-29T00:00:00Z",
		  "LW is the last Monday to Friday of the month");
	vixie("0 0 L-2W * *", "UTC", "2026-01-01T00:00:00Z",
		  "2026-01-29T00:00:00Z 2026-02-26T00:00:00Z 2026-03-30T00:00:00Z",
		  "L-2W is the weekday nearest to the second day before the last");
}

static void
test_never(void)
{
	vixie("0 0 30 2 *", "UTC", "2026-01-01T00:00:00Z", "NEVER", "30 February never comes");
	vixie("0 0 31W 2,4,6,9,11 *", "UTC", "2026-01-01T00:00:00Z", "NEVER", "nor does the weekday nearest to 31 June");
	vixie("0 0 0 ? 2 * 2200", "UTC", "2200-02-28T00:00:00Z", "NEVER", "2200 is not a leap year");
	vixie("0 0 31 12 *", "UTC", "2199-01-01T00:00:00Z",
		  "2199-12-31T00:00:00Z 2200-12-31T00:00:00Z NEVER", "the search ends with the year 2200");
	vixie("* * * * *", "Asia/Tokyo", "2300-01-01T00:00:00Z", "NEVER", "behind its end nothing fires");
}

static void
test_zones(void)
{
	/* clock forward by half an hour, 2026-10-04 02:00 */
	vixie("0 0 * * *", "Australia/Lord_Howe", "2026-10-03T12:00:00Z",
		  "2026-10-03T13:30:00Z 2026-10-04T13:00:00Z", "Lord Howe: midnight follows a change by half an hour");
	vixie("10,20 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00:00Z",
		  "2026-10-03T15:30:00Z 2026-10-04T15:10:00Z 2026-10-04T15:20:00Z",
		  "Lord Howe: two fires in the gap become one at its end");
	vixie("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T12:00:00Z",
		  "2026-04-04T14:45:00Z 2026-04-05T15:15:00Z", "Lord Howe: a time that comes twice fires at the first");

	vixie("30 1 * * *", "Antarctica/Troll", "2026-03-28T12:00:00Z",
		  "2026-03-29T01:00:00Z 2026-03-29T23:30:00Z", "Troll: a gap of two hours is made up at its end");
	vixie("30 1,2 * * *", "Antarctica/Troll", "2026-03-28T12:00:00Z",
		  "2026-03-29T01:00:00Z 2026-03-29T23:30:00Z 2026-03-30T00:30:00Z",
		  "Troll: both hours of the gap collapse into one fire");
	fires("30 1 * * *", "Antarctica/Troll", SCHED_DST_SKIP_BOTH, "2026-10-24T12:00:00Z",
		  "2026-10-24T23:30:00Z 2026-10-25T01:30:00Z 2026-10-26T01:30:00Z",
		  "Troll: skip_both fires twice in an overlap of two hours");

	vixie("30 2 * * *", "Africa/Casablanca", "2026-02-14T12:00:00Z",
		  "2026-02-15T01:30:00Z 2026-02-16T02:30:00Z", "Casablanca: Ramadan begins, the first of two");
	vixie("30 2 * * *", "Africa/Casablanca", "2026-03-21T12:00:00Z",
		  "2026-03-22T02:00:00Z 2026-03-23T01:30:00Z", "Casablanca: Ramadan ends, made up at the end of the gap");

	/* midnight itself is skipped: a daily job is never lost */
	vixie("@daily", "America/Havana", "2026-03-07T12:00:00Z",
		  "2026-03-08T05:00:00Z 2026-03-09T04:00:00Z", "Havana: @daily survives a skipped midnight");
	vixie("@daily", "Africa/Cairo", "2026-04-23T12:00:00Z",
		  "2026-04-23T22:00:00Z 2026-04-24T21:00:00Z", "Cairo: @daily survives a skipped midnight");
	vixie("@daily", "Asia/Beirut", "2026-03-28T12:00:00Z",
		  "2026-03-28T22:00:00Z 2026-03-29T21:00:00Z", "Beirut: @daily survives a skipped midnight");
	vixie("@daily", "America/Santiago", "2026-09-05T12:00:00Z",
		  "2026-09-06T04:00:00Z 2026-09-07T03:00:00Z", "Santiago: @daily survives a skipped midnight");
	vixie("@daily", "America/Santiago", "2026-04-04T12:00:00Z",
		  "2026-04-05T04:00:00Z 2026-04-06T04:00:00Z", "Santiago: @daily fires once when 23:00 comes twice");
	fires("@daily", "America/Havana", SCHED_DST_SHIFT_FIRST, "2025-11-01T12:00:00Z",
		  "2025-11-02T04:00:00Z 2025-11-03T05:00:00Z", "Havana: shift_first takes the first of two midnights");

	/* changes of the rules themselves */
	vixie("30 1 * * *", "Europe/Moscow", "2014-10-25T12:00:00Z",
		  "2014-10-25T21:30:00Z 2014-10-26T22:30:00Z", "Moscow 2014: the clock set back for good, one fire");
	vixie("0 * * * *", "Europe/Moscow", "2014-10-25T20:30:00Z",
		  "2014-10-25T21:00:00Z 2014-10-25T22:00:00Z 2014-10-25T23:00:00Z",
		  "Moscow 2014: an hourly job follows each real hour");
	vixie("0 12 * * *", "Asia/Pyongyang", "2018-05-03T12:00:00Z",
		  "2018-05-04T03:30:00Z 2018-05-05T03:00:00Z", "Pyongyang 2018: noon moves at once");
	vixie("*/30 * * * *", "Asia/Pyongyang", "2018-05-04T14:00:00Z",
		  "2018-05-04T14:30:00Z 2018-05-04T15:00:00Z", "Pyongyang 2018: half hours go on over the gap");

	/* 30 December 2011 does not exist in Samoa */
	vixie("0 12 * * *", "Pacific/Apia", "2011-12-29T00:00:00Z",
		  "2011-12-29T22:00:00Z 2011-12-30T22:00:00Z", "Samoa: a skipped day is not made up");
	vixie("0 0 30 12 *", "Pacific/Apia", "2011-06-01T00:00:00Z",
		  "2012-12-29T10:00:00Z", "Samoa: a job on the skipped day waits for the next year");
	fires("0 12 * * *", "Pacific/Apia", SCHED_DST_SHIFT_FIRST, "2011-12-29T00:00:00Z",
		  "2011-12-29T22:00:00Z 2011-12-30T22:00:00Z 2011-12-31T22:00:00Z",
		  "Samoa: what shifts onto the next day falls together with that day's fire");

	/* 15,45 1: both of them repeat under skip_first, one alone does not */
	fires("30 1 * * *", "America/New_York", SCHED_DST_SKIP_FIRST, "2026-10-31T12:00:00Z",
		  "2026-11-01T05:30:00Z 2026-11-02T06:30:00Z", "skip_first does not repeat a single fire");
	fires("0 0 2 1 *", "Asia/Kathmandu", SCHED_DST_VIXIE, "1985-06-01T00:00:00Z",
		  "1986-01-01T18:15:00Z", "Kathmandu: a change by a quarter of an hour");
	vixie("0 0 1 * *", "Africa/Monrovia", "1971-12-15T00:00:00Z",
		  "1972-01-01T00:44:30Z", "Monrovia: an offset with seconds");
}

static void
test_every(void)
{
	SchedScheduleContext context = context_in("America/New_York", SCHED_DST_VIXIE, "2026-03-07T17:34:56Z");
	SchedSchedule *schedule = parse("@every 12 hours");

	vixie("@every 12 hours", "America/New_York", "2026-03-07T17:34:56Z",
		  "2026-03-08T05:34:56Z 2026-03-08T17:34:56Z 2026-03-09T05:34:56Z",
		  "a rate counts elapsed time, whatever the local clock does");
	vixie("@every 100ms", "UTC", "2026-01-01T00:00:00.05Z",
		  "2026-01-01T00:00:00.150000Z 2026-01-01T00:00:00.250000Z", "a rate may be as short as 100 ms");
	unit_is_str(tzfile_format_time(sched_schedule_next(schedule, &context, instant("2026-03-01T00:00:00Z"))),
				"2026-03-07T17:34:56Z", "an anchor in the future is the first fire");
	unit_is_str(tzfile_format_time(sched_schedule_next(schedule, &context, instant("2026-03-09T18:00:00Z"))),
				"2026-03-10T05:34:56Z", "the phase is kept after a pause");
	unit_is_int(sched_schedule_count(schedule, &context, instant("2026-03-07T17:34:56Z"),
									 instant("2026-03-17T17:34:56Z"), 1000),
				20, "count() of a rate");
	unit_is_str(tzfile_format_time(sched_schedule_last(schedule, &context, instant("2026-03-07T17:34:56Z"),
													   instant("2026-03-17T17:34:55Z"))),
				"2026-03-17T05:34:56Z", "last() of a rate");
	unit_is_int(sched_schedule_period(schedule), 12 * 3600 * SCHED_USEC_PER_SEC, "the period of a rate");
	sched_schedule_free(schedule);

	vixie("@every 1 month", "UTC", "2026-01-31T09:00:00Z",
		  "2026-02-28T09:00:00Z 2026-03-31T09:00:00Z 2026-04-30T09:00:00Z 2026-05-31T09:00:00Z",
		  "months are added to the anchor, not to the last result");
	vixie("@every 1 month", "America/New_York", "2026-02-08T07:30:00Z",
		  "2026-03-08T07:30:00Z 2026-04-08T06:30:00Z",
		  "a month keeps the local time, and shifts out of a gap");
	vixie("@every 1 year 1 day", "UTC", "2024-02-29T00:00:00Z",
		  "2025-03-01T00:00:00Z 2026-03-02T00:00:00Z", "years and days are kept apart");
	schedule = parse("@every 1 month 12 hours");
	context = context_in("UTC", SCHED_DST_VIXIE, "2026-01-01T00:00:00Z");
	unit_is_int(sched_schedule_count(schedule, &context, instant("2026-01-01T00:00:00Z"),
									 instant("2028-01-01T00:00:00Z"), 1000),
				23, "count() of a rate with months");
	unit_is_str(tzfile_format_time(sched_schedule_last(schedule, &context, instant("2026-01-01T00:00:00Z"),
													   instant("2028-01-01T00:00:00Z"))),
				"2027-12-12T12:00:00Z", "last() of a rate with months");
	unit_is_int(sched_schedule_period(schedule), 30 * 86400 * SCHED_USEC_PER_SEC + 12 * 3600 * SCHED_USEC_PER_SEC,
				"the period of a month is 30 days");
	sched_schedule_free(schedule);
}

static void
test_after_and_at(void)
{
	SchedScheduleContext context = context_in("Europe/Berlin", SCHED_DST_VIXIE, "2026-01-01T00:00:00Z");
	SchedSchedule *schedule = parse("@after 10 minutes");
	SchedTime	now = instant("2026-01-01T00:00:00Z");

	unit_is_int(sched_schedule_next(schedule, &context, now), now + 1,
				"a delay without a run before it fires at once");
	unit_is_str(tzfile_format_time(sched_schedule_next(schedule, &context, instant("2025-06-01T00:00:00Z"))),
				"2026-01-01T00:00:00Z", "but not before its start");
	context.previous_end = instant("2026-01-01T00:02:30Z");
	unit_is_str(tzfile_format_time(sched_schedule_next(schedule, &context, now)),
				"2026-01-01T00:12:30Z", "a delay counts from the end of the run");
	unit_is_int(sched_schedule_next(schedule, &context, instant("2026-01-02T00:00:00Z")),
				instant("2026-01-02T00:00:00Z") + 1, "an overdue delay fires at once");
	unit_is_int(sched_schedule_count(schedule, &context, now, instant("2027-01-01T00:00:00Z"), 10), 1,
				"a delay is due once until the run ends");
	unit_ok(!sched_schedule_is_timed(schedule), "a delay cannot be computed in advance");
	sched_schedule_free(schedule);

	vixie("@at 2027-03-01 09:00", "Europe/Berlin", "2026-01-01T00:00:00Z",
		  "2027-03-01T08:00:00Z NEVER", "@at fires once, in the zone of the job");
	vixie("@at 2027-03-01T09:00:00.25Z", "Europe/Berlin", "2026-01-01T00:00:00Z",
		  "2027-03-01T09:00:00.250000Z NEVER", "@at with Z is UTC");
	vixie("@at 2027-03-01 09:00-05:30", "Europe/Berlin", "2026-01-01T00:00:00Z",
		  "2027-03-01T14:30:00Z", "@at with an offset");
	vixie("@at 20270301T0900+0230", "Europe/Berlin", "2026-01-01T00:00:00Z",
		  "2027-03-01T06:30:00Z", "@at in the compact notation");
	vixie("@at 2027-03-01", "Europe/Berlin", "2026-01-01T00:00:00Z",
		  "2027-02-28T23:00:00Z", "@at with a date alone is midnight");
	vixie("@at 2027-03-28 02:30", "Europe/Berlin", "2026-01-01T00:00:00Z",
		  "2027-03-28T01:30:00Z", "@at in a gap shifts forward");
	vixie("@at 2027-10-31 02:30", "Europe/Berlin", "2026-01-01T00:00:00Z",
		  "2027-10-31T00:30:00Z", "@at in an overlap takes the first");
	vixie("@at 2025-12-31 23:00", "UTC", "2026-01-01T00:00:00Z", "NEVER", "@at in the past never fires");
	vixie("@startup", "UTC", "2026-01-01T00:00:00Z", "NEVER", "@startup has no time");
}

/* Zone names in the text are the caller's to resolve. */
static void
test_accessors(void)
{
	SchedSchedule *schedule = parse("CRON_TZ=Europe/Berlin 0 9 * * *");

	unit_is_str(sched_schedule_zone_name(schedule), "Europe/Berlin", "CRON_TZ= is kept");
	unit_ok(sched_schedule_kind(schedule) == SCHED_CRON, "behind it stands a cron expression");
	unit_ok(sched_schedule_argument(schedule) == NULL, "which has no argument");
	sched_schedule_free(schedule);

	schedule = parse("tz=America/Argentina/Buenos_Aires @Hourly");
	unit_is_str(sched_schedule_zone_name(schedule), "America/Argentina/Buenos_Aires", "TZ= in any case");
	sched_schedule_free(schedule);

	schedule = parse("@at 2027-03-01 09:00 Asia/Tokyo");
	unit_is_str(sched_schedule_zone_name(schedule), "Asia/Tokyo", "@at may name a zone");
	sched_schedule_free(schedule);

	schedule = parse("@event order.*.** ? (@.total > 100) ");
	unit_is_str(sched_schedule_argument(schedule), "order.*.**", "the pattern of @event");
	unit_is_str(sched_schedule_filter(schedule), "? (@.total > 100)", "the condition of @event");
	unit_ok(sched_schedule_kind(schedule) == SCHED_EVENT && !sched_schedule_is_timed(schedule),
			"@event has no times");
	sched_schedule_free(schedule);

	schedule = parse("@custom business.hours");
	unit_is_str(sched_schedule_argument(schedule), "business.hours", "the name of @custom");
	unit_ok(sched_schedule_filter(schedule) == NULL, "which has no condition");
	sched_schedule_free(schedule);

	schedule = parse("@REBOOT");
	unit_ok(sched_schedule_kind(schedule) == SCHED_STARTUP, "@reboot is @startup");
	sched_schedule_free(schedule);
}

static void
test_last_and_count(void)
{
	SchedScheduleContext context = context_in("Europe/Berlin", SCHED_DST_VIXIE, "2026-01-01T00:00:00Z");
	SchedSchedule *schedule = parse("*/5 * * * *");

	/* down from 10:01 to 10:33 */
	unit_is_str(tzfile_format_time(sched_schedule_last(schedule, &context, instant("2026-01-01T10:01:00Z"),
													   instant("2026-01-01T10:33:00Z"))),
				"2026-01-01T10:30:00Z", "the newest of what was missed");
	unit_is_int(sched_schedule_count(schedule, &context, instant("2026-01-01T10:01:00Z"),
									 instant("2026-01-01T10:33:00Z"), 1000),
				6, "how much was missed");
	unit_is_int(sched_schedule_count(schedule, &context, instant("2026-01-01T10:01:00Z"),
									 instant("2026-01-01T10:33:00Z"), 4),
				4, "counting stops at the limit");
	unit_is_int(sched_schedule_last(schedule, &context, instant("2026-01-01T10:01:00Z"),
									instant("2026-01-01T10:04:59Z")),
				SCHED_TIME_BEGIN, "nothing was missed");
	unit_is_int(sched_schedule_last(schedule, &context, instant("2026-01-01T10:00:00Z"),
									instant("2026-01-01T10:00:00Z")),
				SCHED_TIME_BEGIN, "an empty span holds nothing");
	unit_is_str(tzfile_format_time(sched_schedule_last(schedule, &context, SCHED_TIME_BEGIN, SCHED_TIME_NEVER)),
				"2200-12-31T22:55:00Z", "the whole of time ends where the search does");
	unit_is_int(sched_schedule_count(schedule, &context, SCHED_TIME_NEVER, SCHED_TIME_NEVER, 10), 0,
				"nothing comes after the end of time");
	sched_schedule_free(schedule);

	schedule = parse("0 0 29 2 *");
	unit_is_str(tzfile_format_time(sched_schedule_last(schedule, &context, instant("2000-01-01T00:00:00Z"),
													   instant("2103-01-01T00:00:00Z"))),
				"2096-02-28T23:00:00Z", "last() finds rare days");
	unit_is_int(sched_schedule_count(schedule, &context, instant("2000-01-01T00:00:00Z"),
									 instant("2103-01-01T00:00:00Z"), 1000),
				25, "count() of rare days");
	sched_schedule_free(schedule);
}

/* Four fires from 2026-12-23 on the days that a calendar allows, and the count of a year. */
static void
with_calendar(const char *text, const char *spec, const char *expected, int64 year_count)
{
	SchedError	err;
	SchedCalendar *calendar = sched_calendar_parse(spec, NULL, NULL, &err);
	SchedScheduleContext context = context_in("America/New_York", SCHED_DST_VIXIE, "2026-12-23T00:00:00Z");
	SchedTime	start = instant("2026-12-23T00:00:00Z");
	SchedTime	end = instant("2027-12-23T00:00:00Z");
	SchedTime	t = start;
	SchedTime	last = SCHED_TIME_BEGIN;
	int64		count = 0;
	SchedSchedule *schedule = parse(text);
	char		got[512] = "";

	if (calendar == NULL)
	{
		printf("Bail out! calendar %s: %s\n", spec, err.message);
		exit(1);
	}
	context.calendar = calendar;
	while ((t = sched_schedule_next(schedule, &context, t)) <= end)
	{
		if (count++ < 4)
		{
			strlcat(got, count > 1 ? " " : "", sizeof(got));
			strlcat(got, tzfile_format_time(t), sizeof(got));
		}
		last = t;
	}
	unit_is_str(got, expected, psprintf("\"%s\" keeps to the days of %s", text, spec));
	unit_is_int(count, year_count, psprintf("\"%s\": that many in a year", text));
	unit_is_int(sched_schedule_count(schedule, &context, start, end, PG_INT64_MAX), count,
				psprintf("\"%s\": count() agrees", text));
	unit_is_int(sched_schedule_last(schedule, &context, start, end), last,
				psprintf("\"%s\": last() agrees", text));
	sched_schedule_free(schedule);
	sched_calendar_free(calendar);
}

static void
test_calendars(void)
{
	static const char *const workdays =
	"{\"weekly\": [\"MON\", \"TUE\", \"WED\", \"THU\", \"FRI\"], \"exclude\": [\"12-25\", \"2026-12-24\"]}";
	static const char *const never = "{\"include\": [\"2190-06-01\"]}";

	with_calendar("0 22 * * *", workdays,
				  "2026-12-23T03:00:00Z 2026-12-24T03:00:00Z 2026-12-29T03:00:00Z 2026-12-30T03:00:00Z",
				  259);
	with_calendar("30 2 28 3 *", "{\"weekly\": [\"SUN\"]}", "2027-03-28T06:30:00Z", 1);
	with_calendar("@every 36 hours", workdays,
				  "2026-12-29T00:00:00Z 2026-12-30T12:00:00Z 2027-01-01T00:00:00Z 2027-01-05T12:00:00Z",
				  172);
	with_calendar("@every 1 month", workdays,
				  "2027-01-23T00:00:00Z 2027-02-23T00:00:00Z 2027-03-22T23:00:00Z 2027-04-22T23:00:00Z",
				  10);
	with_calendar("RRULE:FREQ=DAILY;BYHOUR=9;BYMINUTE=0;BYSECOND=0", workdays,
				  "2026-12-23T14:00:00Z 2026-12-28T14:00:00Z 2026-12-29T14:00:00Z 2026-12-30T14:00:00Z",
				  259);
	with_calendar("@at 2027-01-02 12:00", workdays, "", 0);
	with_calendar("* * * * *", never, "", 0);
	with_calendar("@every 1h", never, "", 0);
}

/* Instants at the ends of the range neither overflow nor go backwards. */
static void
test_extremes(void)
{
	static const char *const texts[] = {
		"* * * * *", "0 0 29 2 *", "* * * * * *", "@every 1s", "@every 1 month",
		"@every 1000 years", "@every 1 month 300000 days", "@after 1h", "@after 1 month",
		"@at 2200-12-31 23:59:59-15:00", "@startup", "@event a", "RRULE:FREQ=DAILY",
		"DTSTART:20260101T000000 RRULE:FREQ=SECONDLY"
	};
	const SchedTime ends[] = {
		SCHED_TIME_BEGIN, SCHED_TIME_BEGIN + 1, -INT64CONST(211813488000000000), 0,
		INT64CONST(9223371331200000000) - 1, SCHED_TIME_NEVER - 1, SCHED_TIME_NEVER
	};
	const int	n = lengthof(ends);

	for (int i = 0; i < lengthof(texts); i++)
	{
		SchedSchedule *schedule = parse(texts[i]);
		bool		ok = true;

		for (int k = 0; k < n * n * n * n; k++)
		{
			SchedTime	after = ends[k % n];
			SchedTime	upto = ends[k / n % n];
			SchedScheduleContext context = {
				zone_named(k % 2 ? "America/New_York" : "Pacific/Apia"),
				(SchedDstPolicy) (k % 4), NULL, ends[k / n / n % n], ends[k / n / n / n]
			};
			SchedTime	next = sched_schedule_next(schedule, &context, after);
			SchedTime	last = sched_schedule_last(schedule, &context, after, upto);
			int64		count = sched_schedule_count(schedule, &context, after, upto, 10);

			ok = ok && (next > after || next == SCHED_TIME_NEVER) &&
				(last == SCHED_TIME_BEGIN || (last > after && last <= upto)) &&
				count >= 0 && count <= 10 && (count > 0) == (last != SCHED_TIME_BEGIN);
		}
		unit_ok(ok, "\"%s\" bears the ends of time", texts[i]);
		sched_schedule_free(schedule);
	}
}

/* Generous bounds: ten times what is promised, so that a busy machine passes. */
static void
test_cost(void)
{
	SchedScheduleContext context = context_in("America/New_York", SCHED_DST_SKIP_FIRST, "2026-01-01T00:00:00Z");
	SchedTime	now = instant("2026-01-01T00:00:00Z");
	SchedSchedule *schedule = parse("* * * * *");
	double		start = unit_cpu_seconds();
	static const char *const slow[] = {
		"0 0 29 2 *", "0 0 31 2,4,6,9,11 *", "30 2 8-14 3 */7", "0 0 0 ? 2 FRI#5",
		"30 2 * 3 SUN#2", "0 0 0 29 2 ? 2196"
	};

	unit_is_int(sched_schedule_count(schedule, &context, now, instant("2036-01-01T00:00:00Z"), PG_INT64_MAX),
				5258880, "ten years of a minutely job are counted");
	unit_is_str(tzfile_format_time(sched_schedule_last(schedule, &context, now, instant("2036-01-01T00:00:00Z"))),
				"2036-01-01T00:00:00Z", "and the last of them is found");
	unit_ok(unit_cpu_seconds() - start < 0.1, "in no time");
	sched_schedule_free(schedule);

	for (int i = 0; i < lengthof(slow); i++)
	{
		SchedTime	sum = 0;

		schedule = parse(slow[i]);
		start = unit_cpu_seconds();
		for (int n = 0; n < 100; n++)
			sum ^= sched_schedule_next(schedule, &context, now + n);
		unit_ok(unit_cpu_seconds() - start < 100 * 0.0005 && sum >= 0,
				"next() of \"%s\" is fast", slow[i]);
		sched_schedule_free(schedule);
	}
}

int
main(void)
{
	test_parsing_traps();
	test_never();
	test_zones();
	test_every();
	test_after_and_at();
	test_accessors();
	test_last_and_count();
	test_calendars();
	test_extremes();
	test_cost();
	return unit_done();
}
