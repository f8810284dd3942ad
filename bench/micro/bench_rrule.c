/*-------------------------------------------------------------------------
 *
 * bench_rrule.c
 *	  What recurrence rules and calendars cost.
 *
 * Each line is the best of several batches, in nanoseconds of processor time
 * per call, with the bound that the header promises: 10 ms for any rule, far
 * less for the usual ones.  FIRST asks a rule that was just parsed, so that
 * nothing is known of it; NEXT asks one again and again.  The program fails
 * when a bound is exceeded.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include <time.h>

#include "domain/schedule/calendar.h"
#include "domain/schedule/civil.h"
#include "domain/schedule/rrule.h"
#include "tzfile.h"

#define BATCHES			5
#define BATCH_SECONDS	0.02
#define BOUND			10e6

typedef enum BenchOperation
{
	PARSE, FIRST, NEXT, LAST, COUNT
}			BenchOperation;

typedef struct BenchCase
{
	BenchOperation operation;
	const char *text;
	double		bound;			/* nanoseconds */
}			BenchCase;

static const char *const operation_names[] = {"parse", "first", "next", "last", "count"};

#define WEEKDAYS	"DTSTART:20200101T090000 RRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"
#define THIRTEENTH	"DTSTART:20200101T090000 RRULE:FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13"
#define LAST_DAY	"DTSTART:20200101T090000 RRULE:FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1"
#define QUARTERS	"DTSTART:20200101T090000 RRULE:FREQ=MINUTELY;INTERVAL=15;BYHOUR=9,10,11,12"
#define COUNTED		"DTSTART:20200101T090000 RRULE:FREQ=DAILY;COUNT=100000"
#define SLOW_COUNT	"DTSTART:16010101T000000 RRULE:FREQ=SECONDLY;INTERVAL=67;COUNT=99999999;BYSECOND=1,2,3"
#define SLOW_STEP	"DTSTART:16010101T000000 RRULE:FREQ=SECONDLY;INTERVAL=86399;COUNT=99999;BYHOUR=3;BYMINUTE=7"
#define SLOW_NEVER	"DTSTART:16010101T000000 RRULE:FREQ=SECONDLY;INTERVAL=60;BYSECOND=30"
#define SLOW_LEAP	"DTSTART:16040229T000000 RRULE:FREQ=YEARLY;INTERVAL=28;BYMONTH=2;BYMONTHDAY=29;BYDAY=TU;COUNT=500"

static const BenchCase benches[] = {
	{PARSE, WEEKDAYS, 5000},
	{PARSE, THIRTEENTH, 5000},
	{FIRST, WEEKDAYS, 50000},
	{FIRST, THIRTEENTH, 200000},
	{FIRST, COUNTED, 200000},
	{NEXT, WEEKDAYS, 2000},
	{NEXT, THIRTEENTH, 2000},
	{NEXT, LAST_DAY, 5000},
	{NEXT, QUARTERS, 2000},
	{NEXT, COUNTED, 2000},
	{LAST, WEEKDAYS, 50000},
	{LAST, QUARTERS, 50000},
	{COUNT, WEEKDAYS, 100000},
	{COUNT, QUARTERS, 500000},
	{FIRST, SLOW_COUNT, BOUND},
	{FIRST, SLOW_STEP, BOUND},
	{FIRST, SLOW_NEVER, BOUND},
	{FIRST, SLOW_LEAP, BOUND},
	{COUNT, SLOW_COUNT, BOUND},
	{COUNT, SLOW_STEP, BOUND},
	{LAST, SLOW_STEP, BOUND},
	{LAST, SLOW_NEVER, BOUND},
	{LAST, SLOW_LEAP, BOUND}
};

static double
cpu_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

/* Nanoseconds per call in one batch. */
static double
run_batch(const BenchCase * bench, int64 *sink)
{
	const SchedZone *zone = tzfile_zone("Europe/Berlin");
	SchedTime	now = (SchedTime) sched_civil_day(2026, 7, 1) *
	SCHED_SECS_PER_DAY * SCHED_USEC_PER_SEC;
	SchedTime	ten_years = now + INT64CONST(315576000) * SCHED_USEC_PER_SEC;
	SchedRRule *rule = sched_rrule_parse(bench->text, NULL);
	double		start = cpu_seconds();
	double		spent;
	int64		calls = 0;

	do
	{
		/* walk through half a year, so that no cache helps */
		SchedTime	after = now + calls % 1000 * INT64CONST(15778800) * 1000;

		calls++;
		switch (bench->operation)
		{
			case PARSE:
				sched_rrule_free(sched_rrule_parse(bench->text, NULL));
				break;
			case FIRST:
				sched_rrule_free(rule);
				rule = sched_rrule_parse(bench->text, NULL);
				*sink ^= sched_rrule_next(rule, zone, 0, after);
				break;
			case NEXT:
				*sink ^= sched_rrule_next(rule, zone, 0, after);
				break;
			case LAST:
				*sink ^= sched_rrule_last(rule, zone, 0, now, ten_years + calls);
				break;
			case COUNT:
				*sink ^= sched_rrule_count(rule, zone, 0, now,
										   ten_years + calls, PG_INT64_MAX);
				break;
		}
		spent = cpu_seconds() - start;
	} while (spent < BATCH_SECONDS);
	sched_rrule_free(rule);
	return spent * 1e9 / calls;
}

/* Looking up days, in calendars of each kind */
static int
bench_calendars(int64 *sink)
{
	static const char *const specs[] = {
		"{\"weekly\": [\"MON\", \"TUE\", \"WED\", \"THU\", \"FRI\"]}",
		"{\"weekly\": [\"MON\", \"TUE\", \"WED\", \"THU\", \"FRI\"], \"exclude\": [\"12-25\", {\"easter\": 1}, {\"month\": 5, \"weekday\": \"MON\", \"nth\": -1}, \"2027-08-01..2027-08-15\"]}"
	};
	int			failures = 0;

	for (int i = 0; i < lengthof(specs); i++)
	{
		SchedCalendar *calendar = sched_calendar_parse(specs[i], NULL, NULL, NULL);
		double		best = 0;

		for (int batch = 0; batch < BATCHES; batch++)
		{
			double		start = cpu_seconds();
			double		spent;

			for (int32 day = 0; day < 200000; day++)
				*sink += sched_calendar_includes(calendar, day);
			spent = (cpu_seconds() - start) * 1e9 / 200000;
			best = batch == 0 ? spent : Min(best, spent);
		}
		printf("%-6s %-104.104s %10.0f %10d%s\n", "day", specs[i], best, 100,
			   best > 100 ? "  EXCEEDED" : "");
		failures += best > 100;
		sched_calendar_free(calendar);
	}
	return failures;
}

int
main(void)
{
	int64		sink = 0;
	int			failures = 0;

	printf("%-6s %-104s %10s %10s\n", "call", "rule", "ns", "bound");
	for (int i = 0; i < lengthof(benches); i++)
	{
		const		BenchCase *bench = &benches[i];
		double		best = run_batch(bench, &sink);

		for (int batch = 1; batch < BATCHES; batch++)
		{
			double		spent = run_batch(bench, &sink);

			best = Min(best, spent);
		}
		printf("%-6s %-104s %10.0f %10.0f%s\n",
			   operation_names[bench->operation], bench->text, best,
			   bench->bound, best > bench->bound ? "  EXCEEDED" : "");
		failures += best > bench->bound;
	}
	failures += bench_calendars(&sink);
	printf("# check sum " INT64_FORMAT "\n", sink);
	return failures > 0 ? 1 : 0;
}
