/*-------------------------------------------------------------------------
 *
 * test_policy.c
 *	  What becomes of missed and overlapping occurrences.
 *
 * The misfire cases are one job every 5 minutes whose scheduler was down from
 * 10:01 to 10:33 on 1 March 2027, as the documentation tells them.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include "domain/schedule/civil.h"
#include "domain/policy.h"
#include "tzfile.h"
#include "unit.h"

#define MINUTE	(60 * SCHED_USEC_PER_SEC)

static SchedTime
at(const char *text)
{
	SchedTime	t = SCHED_TIME_BEGIN;

	if (!tzfile_parse_time(text, strlen(text), &t))
	{
		printf("Bail out! not a time: %s\n", text);
		exit(1);
	}
	return t;
}

/* "10:05", or "10:04:30", of the day of the cases */
static SchedTime
clock_time(const char *hhmm)
{
	return at(psprintf("2027-03-01T%s%sZ", hhmm,
					   strlen(hhmm) == 5 ? ":00" : ""));
}

typedef struct Fixture
{
	SchedMisfireInput input;
	SchedScheduleContext context;
	SchedMisfirePlan plan;
} Fixture;

/* Down from 10:01 to 10:33, fire_once, unless the test changes it */
static void
prepare(Fixture *f, const char *schedule)
{
	SchedError	err;

	memset(f, 0, sizeof(*f));
	f->context.zone = tzfile_zone("UTC");
	f->context.anchor = clock_time("10:00");
	f->context.previous_end = SCHED_TIME_BEGIN;
	f->input.schedule = sched_schedule_parse(schedule, &err);
	if (f->input.schedule == NULL || f->context.zone == NULL)
	{
		printf("Bail out! cannot prepare \"%s\"\n", schedule);
		exit(1);
	}
	f->input.context = &f->context;
	f->input.last_fire = clock_time("10:00");
	f->input.now = clock_time("10:33");
	f->input.threshold = MINUTE;
	f->input.policy = SCHED_MISFIRE_FIRE_ONCE;
	f->input.end_at = SCHED_TIME_NEVER;
	f->input.runs_left = -1;
}

/* The plan's runs as "10:05 10:10", found in the way a caller does */
static char *
runs_of(const Fixture *f)
{
	char	   *text = pstrdup("");
	SchedTime	t = f->plan.run_after;

	for (int64 i = 0; i < f->plan.run_count; i++)
	{
		t = sched_schedule_next(f->input.schedule, &f->context, t);
		if ((i == 0 && t != f->plan.run_first) ||
			(i == f->plan.run_count - 1) != (t == f->plan.run_last))
			return pstrdup("inconsistent");
		text = psprintf("%s%s%.5s", text, i > 0 ? " " : "",
						tzfile_format_time(t) + 11);
	}
	return text;
}

static void
check(Fixture *f, const char *claim, const char *runs, int64 missed,
	  bool record, const char *next)
{
	sched_misfire_plan(&f->input, &f->plan);
	unit_is_str(runs_of(f), runs, psprintf("%s: runs", claim));
	unit_is_int(f->plan.missed_count, missed, psprintf("%s: missed", claim));
	unit_ok(f->plan.record_missed == record, "%s: a row for the span: %s",
			claim, record ? "yes" : "no");
	if (next == NULL)
		unit_ok(f->plan.next == SCHED_TIME_NEVER, "%s: completed", claim);
	else
		unit_is_str(pnstrdup(tzfile_format_time(f->plan.next) + 11, 5), next,
					psprintf("%s: next", claim));
}

static void
test_documented_misfires(void)
{
	Fixture		f;

	prepare(&f, "*/5 * * * *");
	f.input.policy = SCHED_MISFIRE_SKIP;
	check(&f, "skip", "", 6, true, "10:35");
	unit_ok(f.plan.missed_first == clock_time("10:05") &&
			f.plan.missed_last == clock_time("10:30"),
			"skip: the row spans 10:05 to 10:30");

	prepare(&f, "*/5 * * * *");
	check(&f, "fire_once", "10:30", 5, false, "10:35");

	prepare(&f, "*/5 * * * *");
	f.input.policy = SCHED_MISFIRE_FIRE_ALL;
	check(&f, "fire_all", "10:05 10:10 10:15 10:20 10:25 10:30", 0, false,
		  "10:35");

	f.input.catchup_limit = 2;
	check(&f, "fire_all, limit 2", "10:25 10:30", 4, true, "10:35");
	f.input.catchup_limit = 100;
	check(&f, "fire_all, limit 100", "10:05 10:10 10:15 10:20 10:25 10:30", 0,
		  false, "10:35");

	f.input.catchup_limit = 0;
	f.input.catchup_window = 10 * MINUTE;
	check(&f, "fire_all, window 10 minutes", "10:25 10:30", 4, true, "10:35");
	f.input.catchup_window = 8 * MINUTE;
	check(&f, "the window's edge is within", "10:25 10:30", 4, true, "10:35");
	f.input.catchup_limit = 1;
	check(&f, "fire_all, window and limit", "10:30", 5, true, "10:35");

	prepare(&f, "*/5 * * * *");
	f.input.now = clock_time("10:05:40");
	for (int policy = 0; policy < SCHED_MISFIRE_POLICY_COUNT; policy++)
	{
		f.input.policy = (SchedMisfirePolicy) policy;
		check(&f, psprintf("just late under %s",
						   sched_misfire_policy_name(f.input.policy)),
			  "10:05", 0, false, "10:10");
	}
}

static void
test_other_kinds(void)
{
	Fixture		f;

	prepare(&f, "@every 5 minutes");
	check(&f, "@every keeps its phase", "10:30", 5, false, "10:35");

	prepare(&f, "@at 2027-03-01 10:10+00");
	check(&f, "one time", "10:10", 0, false, NULL);
	f.input.policy = SCHED_MISFIRE_SKIP;
	check(&f, "one time, skip", "", 1, true, NULL);

	prepare(&f, "*/5 * * * *");
	f.input.end_at = clock_time("10:20");
	check(&f, "end_at 10:20", "10:20", 3, false, NULL);
	f.input.end_at = clock_time("10:00");
	check(&f, "ended before the outage", "", 0, false, NULL);
	f.input.end_at = clock_time("10:35");
	check(&f, "end_at is the last moment to fire", "10:30", 5, false, "10:35");

	prepare(&f, "RRULE:FREQ=MINUTELY;INTERVAL=5");
	check(&f, "a recurrence rule", "10:30", 5, false, "10:35");
}

static void
test_mixed(void)
{
	Fixture		f;

	/* 10:30 is only half a minute late, the others are misfires */
	prepare(&f, "*/5 * * * *");
	f.input.now = clock_time("10:30:30");
	check(&f, "fire_once, the newest just late", "10:30", 5, false, "10:35");
	f.input.policy = SCHED_MISFIRE_SKIP;
	check(&f, "skip, the newest just late", "10:30", 5, true, "10:35");

	prepare(&f, "*/5 * * * *");
	f.input.now = clock_time("10:06");
	f.input.policy = SCHED_MISFIRE_SKIP;
	check(&f, "exactly the threshold is late, not missed", "10:05", 0, false,
		  "10:10");
	f.input.now = clock_time("10:06:01");
	check(&f, "a second more is missed", "", 1, true, "10:10");

	prepare(&f, "*/5 * * * *");
	f.input.now = clock_time("10:04");
	check(&f, "nothing due", "", 0, false, "10:05");
	f.input.last_fire = clock_time("10:30");
	check(&f, "a clock set back fires nothing twice", "", 0, false, "10:35");

	prepare(&f, "*/5 * * * *");
	f.input.threshold = PG_INT64_MAX;
	check(&f, "no threshold at all", "10:05 10:10 10:15 10:20 10:25 10:30",
		  0, false, "10:35");
	f.input.threshold = 0;
	f.input.policy = SCHED_MISFIRE_SKIP;
	check(&f, "threshold 0", "", 6, true, "10:35");
}

static void
test_runs_left(void)
{
	Fixture		f;

	prepare(&f, "*/5 * * * *");
	f.input.policy = SCHED_MISFIRE_FIRE_ALL;
	f.input.runs_left = 2;
	check(&f, "two runs left: the oldest two", "10:05 10:10", 0, false, NULL);
	f.input.runs_left = 6;
	check(&f, "as many left as are due", "10:05 10:10 10:15 10:20 10:25 10:30",
		  0, false, NULL);
	f.input.runs_left = 7;
	check(&f, "one more left", "10:05 10:10 10:15 10:20 10:25 10:30", 0,
		  false, "10:35");
	f.input.runs_left = 0;
	check(&f, "none left", "", 0, false, NULL);
}

/* Cost must not depend on how much was missed. */
static void
test_long_outage(void)
{
	Fixture		f;
	double		before;

	prepare(&f, "* * * * *");
	f.input.last_fire = at("2027-03-01T00:00:00Z");
	f.input.now = at("2027-03-31T00:00:30Z") + MINUTE;
	before = unit_cpu_seconds();
	sched_misfire_plan(&f.input, &f.plan);
	unit_ok(unit_cpu_seconds() - before < 0.010,
			"30 days of a minutely job take under 10 ms");
	unit_is_int(f.plan.run_count, 1, "one task after 30 days");
	unit_is_int(f.plan.missed_count, 30 * 1440, "the others are counted");

	f.input.policy = SCHED_MISFIRE_FIRE_ALL;
	f.input.catchup_limit = 1000;
	before = unit_cpu_seconds();
	sched_misfire_plan(&f.input, &f.plan);
	unit_ok(unit_cpu_seconds() - before < 0.050,
			"so does finding the newest 1000, nearly");
	unit_is_int(f.plan.run_count, 1001,
				"the newest 1000 and the one that is just late");
	unit_is_int(f.plan.missed_count + f.plan.run_count, 30 * 1440 + 1,
				"none is lost");
}

static void
test_overlap(void)
{
	/* rows: policy; columns: free, one live, one live and one buffered */
	static const SchedOverlapDecision expected[SCHED_OVERLAP_POLICY_COUNT][3] = {
		[SCHED_OVERLAP_SKIP] = {
			SCHED_OVERLAP_DO_RUN, SCHED_OVERLAP_DO_SKIP, SCHED_OVERLAP_DO_SKIP
		},
		[SCHED_OVERLAP_BUFFER_ONE] = {
			SCHED_OVERLAP_DO_RUN, SCHED_OVERLAP_DO_BUFFER, SCHED_OVERLAP_DO_SKIP
		},
		[SCHED_OVERLAP_BUFFER_ALL] = {
			SCHED_OVERLAP_DO_RUN, SCHED_OVERLAP_DO_BUFFER, SCHED_OVERLAP_DO_BUFFER
		},
		[SCHED_OVERLAP_CANCEL_OTHER] = {
			SCHED_OVERLAP_DO_RUN, SCHED_OVERLAP_DO_CANCEL_OTHERS,
			SCHED_OVERLAP_DO_CANCEL_OTHERS
		},
		[SCHED_OVERLAP_TERMINATE_OTHER] = {
			SCHED_OVERLAP_DO_RUN, SCHED_OVERLAP_DO_TERMINATE_OTHERS,
			SCHED_OVERLAP_DO_TERMINATE_OTHERS
		},
		[SCHED_OVERLAP_ALLOW] = {
			SCHED_OVERLAP_DO_RUN, SCHED_OVERLAP_DO_RUN, SCHED_OVERLAP_DO_RUN
		},
	};

	for (int p = 0; p < SCHED_OVERLAP_POLICY_COUNT; p++)
	{
		for (int i = 0; i < 3; i++)
			unit_is_int(sched_overlap_decide((SchedOverlapPolicy) p, i > 0,
											 i > 1, 0),
						expected[p][i],
						psprintf("%s with %d in its way",
								 sched_overlap_policy_name((SchedOverlapPolicy) p), i));
	}
	unit_is_int(sched_overlap_decide(SCHED_OVERLAP_ALLOW, 1, 0, 2),
				SCHED_OVERLAP_DO_RUN, "allow up to two: the second runs");
	unit_is_int(sched_overlap_decide(SCHED_OVERLAP_ALLOW, 2, 0, 2),
				SCHED_OVERLAP_DO_BUFFER, "allow up to two: the third waits");
	unit_is_int(sched_overlap_decide(SCHED_OVERLAP_BUFFER_ONE, 0, 1, 0),
				SCHED_OVERLAP_DO_SKIP, "buffer_one keeps the first that waits");
}

static void
test_jitter(void)
{
	SchedTime	nominal = clock_time("10:05");
	bool		in_range = true;
	bool		before_next = true;
	int			distinct = 0;

	for (int64 job = 1; job <= 1000; job++)
	{
		int64		far = sched_trigger_jitter(job, nominal, SCHED_TIME_NEVER,
											   10 * MINUTE);
		int64		near = sched_trigger_jitter(job, nominal,
												nominal + MINUTE, 10 * MINUTE);

		in_range = in_range && far >= 0 && far <= 10 * MINUTE;
		before_next = before_next && near >= 0 && near < MINUTE;
		distinct += far != sched_trigger_jitter(job + 1, nominal,
												SCHED_TIME_NEVER, 10 * MINUTE);
	}
	unit_ok(in_range, "jitter lies in [0, jitter]");
	unit_ok(before_next, "jitter ends before the next fire");
	unit_ok(distinct > 990, "jobs get different jitter");
	unit_ok(sched_trigger_jitter(5, nominal, SCHED_TIME_NEVER, 10 * MINUTE) ==
			sched_trigger_jitter(5, nominal, SCHED_TIME_NEVER, 10 * MINUTE),
			"jitter is the same at every evaluation");
	unit_is_int(sched_trigger_jitter(5, nominal, SCHED_TIME_NEVER, 0), 0,
				"no jitter is none");
	unit_is_int(sched_trigger_jitter(5, nominal, nominal + 1, MINUTE), 0,
				"no room is none");
	unit_ok(sched_trigger_jitter(5, nominal, SCHED_TIME_NEVER, PG_INT64_MAX) >= 0,
			"the largest jitter does not overflow");
}

static void
test_names(void)
{
	SchedOverlapPolicy overlap = SCHED_OVERLAP_ALLOW;
	SchedMisfirePolicy misfire = SCHED_MISFIRE_FIRE_ALL;

	for (int i = 0; i < SCHED_OVERLAP_POLICY_COUNT; i++)
		unit_ok(sched_overlap_policy_from_name(sched_overlap_policy_name((SchedOverlapPolicy) i),
											   &overlap) && overlap == i,
				"overlap policy %s is found by its name",
				sched_overlap_policy_name((SchedOverlapPolicy) i));
	for (int i = 0; i < SCHED_MISFIRE_POLICY_COUNT; i++)
		unit_ok(sched_misfire_policy_from_name(sched_misfire_policy_name((SchedMisfirePolicy) i),
											   &misfire) && misfire == i,
				"misfire policy %s is found by its name",
				sched_misfire_policy_name((SchedMisfirePolicy) i));
	unit_ok(!sched_overlap_policy_from_name("queue", &overlap) &&
			!sched_misfire_policy_from_name("once", &misfire),
			"other words are refused");
}

int
main(void)
{
	test_documented_misfires();
	test_other_kinds();
	test_mixed();
	test_runs_left();
	test_long_outage();
	test_overlap();
	test_jitter();
	test_names();
	return unit_done();
}
