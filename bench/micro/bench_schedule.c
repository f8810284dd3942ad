/*-------------------------------------------------------------------------
 *
 * bench_schedule.c
 *	  What parsing and searching schedules costs.
 *
 * Each line is the best of several batches, in nanoseconds of processor time
 * per call, with the bound that schedule.h promises.  The program fails when
 * a bound is exceeded, so that it can stand in a script; it is no part of the
 * tests because machines differ.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include <time.h>

#include "domain/schedule/civil.h"
#include "domain/schedule/schedule.h"
#include "tzfile.h"

#define BATCHES			7
#define BATCH_SECONDS	0.02

typedef enum BenchOperation
{
	PARSE, NEXT, LAST, COUNT
} BenchOperation;

typedef struct BenchCase
{
	BenchOperation	operation;
	const char *text;
	const char *zone;
	SchedDstPolicy policy;
	int			years;			/* span of LAST and COUNT */
	double		bound;			/* nanoseconds */
} BenchCase;

static const char *const operation_names[] = {"parse", "next", "last", "count"};

static const BenchCase benches[] = {
	{PARSE, "*/5 9-17 * * MON-FRI", "UTC", SCHED_DST_VIXIE, 0, 2000},
	{PARSE, "0 0 12 ? * 2-6 2027-2030", "UTC", SCHED_DST_VIXIE, 0, 2000},
	{PARSE, "TZ=Europe/Berlin 0 0 15W,LW,L-3 JAN-JUN *", "UTC", SCHED_DST_VIXIE, 0, 2000},
	{PARSE, "@daily", "UTC", SCHED_DST_VIXIE, 0, 2000},
	{PARSE, "@every 1 hour 30 minutes", "UTC", SCHED_DST_VIXIE, 0, 2000},
	{PARSE, "@at 2027-03-01 09:00", "UTC", SCHED_DST_VIXIE, 0, 2000},
	{NEXT, "* * * * *", "UTC", SCHED_DST_VIXIE, 0, 1000},
	{NEXT, "*/5 9-17 * * MON-FRI", "America/New_York", SCHED_DST_VIXIE, 0, 1000},
	{NEXT, "0 9 * * *", "Europe/Berlin", SCHED_DST_VIXIE, 0, 1000},
	{NEXT, "0 0 1 1 *", "Europe/Berlin", SCHED_DST_VIXIE, 0, 1000},
	{NEXT, "0 0 * * FRI#5", "Australia/Lord_Howe", SCHED_DST_SHIFT_FIRST, 0, 1000},
	{NEXT, "@every 90s", "Europe/Berlin", SCHED_DST_VIXIE, 0, 1000},
	{NEXT, "@every 1 month", "Europe/Berlin", SCHED_DST_VIXIE, 0, 5000},
	{NEXT, "0 0 29 2 *", "Europe/Berlin", SCHED_DST_VIXIE, 0, 50000},
	{NEXT, "0 0 0 ? 2 FRI#5", "Europe/Berlin", SCHED_DST_VIXIE, 0, 50000},
	{NEXT, "0 0 0 29 2 ? 2196", "Europe/Berlin", SCHED_DST_VIXIE, 0, 50000},
	{NEXT, "0 0 31 2,4,6,9,11 *", "Europe/Berlin", SCHED_DST_VIXIE, 0, 50000},
	{NEXT, "30 2 8-14 3 */7", "America/New_York", SCHED_DST_SKIP_FIRST, 0, 50000},
	{LAST, "* * * * *", "Europe/Berlin", SCHED_DST_VIXIE, 1, 20000},
	{LAST, "0 0 29 2 *", "Europe/Berlin", SCHED_DST_VIXIE, 100, 500000},
	{LAST, "@every 100ms", "Europe/Berlin", SCHED_DST_VIXIE, 10, 20000},
	{COUNT, "* * * * *", "Europe/Berlin", SCHED_DST_VIXIE, 10, 10e6},
	{COUNT, "*/10 * * * * *", "America/New_York", SCHED_DST_SHIFT_FIRST, 10, 10e6},
	{COUNT, "@every 100ms", "Europe/Berlin", SCHED_DST_VIXIE, 10, 10e6}
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
run_batch(const BenchCase *bench, int64 *sink)
{
	SchedTime	now = (SchedTime) sched_civil_day(2026, 7, 1) * 86400 * SCHED_USEC_PER_SEC;
	SchedTime	upto = now + bench->years * INT64CONST(31557600) * SCHED_USEC_PER_SEC;
	SchedScheduleContext context = {tzfile_zone(bench->zone), bench->policy, NULL, now, SCHED_TIME_BEGIN};
	SchedSchedule *schedule = sched_schedule_parse(bench->text, NULL);
	double		start = cpu_seconds();
	double		spent;
	int64		calls = 0;

	do
	{
		for (int i = 0; i < 16; i++, calls++)
		{
			/* walk through half a year, so that no cache helps */
			SchedTime	after = now + calls % 1000 * INT64CONST(15778800) * 1000;

			switch (bench->operation)
			{
				case PARSE:
					sched_schedule_free(sched_schedule_parse(bench->text, NULL));
					break;
				case NEXT:
					*sink ^= sched_schedule_next(schedule, &context, after);
					break;
				case LAST:
					*sink ^= sched_schedule_last(schedule, &context, now, upto + calls % 1000 * 1000003);
					break;
				case COUNT:
					*sink ^= sched_schedule_count(schedule, &context, now, upto + calls % 1000 * 1000003,
												  PG_INT64_MAX);
					break;
			}
		}
		spent = cpu_seconds() - start;
	} while (spent < BATCH_SECONDS);
	sched_schedule_free(schedule);
	return spent * 1e9 / calls;
}

int
main(void)
{
	int64		sink = 0;
	int			failures = 0;

	printf("%-6s %-44s %-20s %12s %12s\n", "call", "schedule", "zone", "ns", "bound");
	for (int i = 0; i < lengthof(benches); i++)
	{
		const BenchCase *bench = &benches[i];
		double		best = run_batch(bench, &sink);

		for (int batch = 1; batch < BATCHES; batch++)
		{
			double		spent = run_batch(bench, &sink);

			best = Min(best, spent);
		}
		printf("%-6s %-44s %-20s %12.0f %12.0f%s\n", operation_names[bench->operation],
			   bench->text, bench->zone, best, bench->bound,
			   best > bench->bound ? "  EXCEEDED" : "");
		failures += best > bench->bound;
	}
	printf("# check sum " INT64_FORMAT "\n", sink);
	return failures > 0 ? 1 : 0;
}
