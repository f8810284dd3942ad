/*-------------------------------------------------------------------------
 *
 * test_schedule_calendar.c
 *	  Schedules that fire very often or seldom under calendars that allow much
 *	  or little: the same as going through all fires, and within 10 ms.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include "domain/schedule/calendar.h"
#include "domain/schedule/civil.h"
#include "domain/schedule/schedule.h"
#include "tzfile.h"
#include "unit.h"

#define BOUND	0.010			/* seconds of processor time */
#define YEAR	(INT64CONST(365) * 86400 * SCHED_USEC_PER_SEC)

static const char *const schedules[] = {
	"RRULE:FREQ=SECONDLY",
	"RRULE:FREQ=SECONDLY;INTERVAL=7",
	"RRULE:FREQ=MINUTELY",
	"RRULE:FREQ=MINUTELY;INTERVAL=7",
	"RRULE:FREQ=MINUTELY;BYHOUR=9,10,11;BYDAY=SA,SU",
	"RRULE:FREQ=HOURLY",
	"RRULE:FREQ=HOURLY;INTERVAL=5",
	"RRULE:FREQ=DAILY;BYHOUR=2,3;BYMINUTE=0,30;BYSECOND=0",
	"RRULE:FREQ=WEEKLY;BYDAY=MO",
	"RRULE:FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
	"RRULE:FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13",
	"RRULE:FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=25",
	"DTSTART:20260101T000000 RRULE:FREQ=DAILY;COUNT=400 EXDATE:20260202T000000 RDATE:20260203T120000",
	"* * * * *",
	"*/7 * * * * *",
	"0 9 13 * FRI",
	"@every 1s",
	"@every 100ms",
	"@every 36h"
};

static const char *const calendars[] = {
	"{\"weekly\": [\"MON\", \"TUE\", \"WED\", \"THU\", \"FRI\"], \"exclude\": [\"12-25\", \"12-24..01-02\"]}",
	"{\"weekly\": [\"SUN\"]}",
	"{\"include\": [\"02-29\"]}",
	"{\"include\": [{\"month\": 11, \"weekday\": \"THU\", \"nth\": 4}, {\"easter\": 1}]}",
	"{\"exclude\": [\"2026-01-01..2027-06-30\"]}",
	"{\"include\": [\"2035-12-31\"]}",
	"{\"exclude\": [\"2026-01-01..2199-12-31\"]}"
};

static SchedTime
instant(const char *text)
{
	SchedTime	t;

	if (!tzfile_parse_time(text, strlen(text), &t))
	{
		printf("Bail out! not a time: %s\n", text);
		exit(1);
	}
	return t;
}

/* The least of a few runs: what others do on the machine is not meant. */
#define TIMED(variable, expression) \
	do { \
		double		best = 1e9; \
		for (int run = 0; run < 3 && best > BOUND / 4; run++) \
		{ \
			double		began = unit_cpu_seconds(); \
			variable = expression; \
			best = Min(best, unit_cpu_seconds() - began); \
		} \
		worst = Max(worst, best); \
	} while (0)

static void
test_pair(const char *text, const char *spec, const char *zone_name)
{
	SchedError	err;
	SchedSchedule *schedule = sched_schedule_parse(text, &err);
	SchedCalendar *calendar = sched_calendar_parse(spec, NULL, NULL, &err);
	SchedScheduleContext context = {0};
	SchedScheduleContext every_day;
	SchedTime	start = instant("2026-02-01T00:00:00Z");
	SchedTime	near = start + YEAR / 24;
	SchedTime	far = start + 10 * YEAR;
	SchedTime	t = start;
	SchedTime	next;
	SchedTime	last;
	SchedTime	slow_next = SCHED_TIME_NEVER;
	SchedTime	slow_last = SCHED_TIME_BEGIN;
	int64		count;
	int64		slow_count = 0;
	double		worst = 0;
	const char *name;

	if (schedule == NULL || calendar == NULL)
	{
		printf("Bail out! %s, %s: %s\n", text, spec, err.message);
		exit(1);
	}
	name = psprintf("%s under %s in %s", text, spec, zone_name);
	context.zone = tzfile_zone(zone_name);
	context.anchor = start;
	every_day = context;
	context.calendar = calendar;

	/* going through all fires of half a month, and asking for each day */
	if (strstr(text, "SECONDLY") == NULL && strchr(text, '@') == NULL &&
		strncmp(text, "*/7", 3) != 0)
	{
		while ((t = sched_schedule_next(schedule, &every_day, t)) <= near)
		{
			int64		local = sched_zone_to_local(context.zone, t / SCHED_USEC_PER_SEC);

			if (!sched_calendar_includes(calendar, (int32) sched_floor_div(local, 86400)))
				continue;
			if (slow_count++ == 0)
				slow_next = t;
			slow_last = t;
		}
		if (slow_count > 0)
			unit_is_int(sched_schedule_next(schedule, &context, start), slow_next,
						psprintf("%s: next() steps over nothing else", name));
		unit_is_int(sched_schedule_last(schedule, &context, start, near), slow_last,
					psprintf("%s: last() is the last of them", name));
		unit_is_int(sched_schedule_count(schedule, &context, start, near, PG_INT64_MAX),
					slow_count, psprintf("%s: count() counts them", name));
	}

	TIMED(next, sched_schedule_next(schedule, &context, start));
	TIMED(last, sched_schedule_last(schedule, &context, start, far));
	TIMED(count, sched_schedule_count(schedule, &context, start, far, PG_INT64_MAX));
	unit_ok((next <= far) == (count > 0) && (last > start) == (count > 0) &&
			(count == 0 || next <= last),
			"%s: in ten years, next, last and count agree", name);
	if (!unit_ok(worst < BOUND, "%s: none takes over 10 ms", name))
		printf("# %.1f ms\n", worst * 1000);
	sched_schedule_free(schedule);
	sched_calendar_free(calendar);
}

int
main(void)
{
	for (int i = 0; i < lengthof(schedules); i++)
		for (int k = 0; k < lengthof(calendars); k++)
		{
			test_pair(schedules[i], calendars[k], "America/New_York");
			if (k < 2)
				test_pair(schedules[i], calendars[k], "Pacific/Apia");
		}
	return unit_done();
}
