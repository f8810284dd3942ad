/*-------------------------------------------------------------------------
 *
 * policy.c
 *	  Overlap, misfire and jitter as pure functions.
 *
 * Design: what is due lies in the half-open span (last_fire, now].  A fire no
 * older than the threshold is just late and runs whatever the policy says;
 * older ones are misfires.  The span is cut at a few instants and each part
 * is counted, never walked: only what really runs is enumerated, and that by
 * the caller.  Thus a minutely job that was down for a month costs as much as
 * one that was down for an hour.
 *
 *-------------------------------------------------------------------------
 */
#ifndef FRONTEND
#include "postgres.h"
#else
#include "postgres_fe.h"
#endif

#include "domain/names.h"
#include "domain/policy.h"
#include "domain/retry.h"

static const char *const overlap_names[SCHED_OVERLAP_POLICY_COUNT] = {
	[SCHED_OVERLAP_SKIP] = "skip",
	[SCHED_OVERLAP_BUFFER_ONE] = "buffer_one",
	[SCHED_OVERLAP_BUFFER_ALL] = "buffer_all",
	[SCHED_OVERLAP_CANCEL_OTHER] = "cancel_other",
	[SCHED_OVERLAP_TERMINATE_OTHER] = "terminate_other",
	[SCHED_OVERLAP_ALLOW] = "allow",
};

static const char *const misfire_names[SCHED_MISFIRE_POLICY_COUNT] = {
	[SCHED_MISFIRE_FIRE_ONCE] = "fire_once",
	[SCHED_MISFIRE_SKIP] = "skip",
	[SCHED_MISFIRE_FIRE_ALL] = "fire_all",
};

const char *
sched_overlap_policy_name(SchedOverlapPolicy policy)
{
	return overlap_names[policy];
}

bool
sched_overlap_policy_from_name(const char *name, SchedOverlapPolicy *policy)
{
	int			found = sched_name_lookup(overlap_names,
										  SCHED_OVERLAP_POLICY_COUNT, name);

	if (found < 0)
		return false;
	*policy = (SchedOverlapPolicy) found;
	return true;
}

const char *
sched_misfire_policy_name(SchedMisfirePolicy policy)
{
	return misfire_names[policy];
}

bool
sched_misfire_policy_from_name(const char *name, SchedMisfirePolicy *policy)
{
	int			found = sched_name_lookup(misfire_names,
										  SCHED_MISFIRE_POLICY_COUNT, name);

	if (found < 0)
		return false;
	*policy = (SchedMisfirePolicy) found;
	return true;
}

SchedOverlapDecision
sched_overlap_decide(SchedOverlapPolicy policy, int64 live, int64 buffered,
					 int64 max_concurrent_runs)
{
	if (live + buffered <= 0)
		return SCHED_OVERLAP_DO_RUN;

	switch (policy)
	{
		case SCHED_OVERLAP_SKIP:
			break;
		case SCHED_OVERLAP_BUFFER_ONE:
			/* who waits already keeps its place; the newcomer is skipped */
			if (buffered <= 0)
				return SCHED_OVERLAP_DO_BUFFER;
			break;
		case SCHED_OVERLAP_BUFFER_ALL:
			return SCHED_OVERLAP_DO_BUFFER;
		case SCHED_OVERLAP_CANCEL_OTHER:
			return SCHED_OVERLAP_DO_CANCEL_OTHERS;
		case SCHED_OVERLAP_TERMINATE_OTHER:
			return SCHED_OVERLAP_DO_TERMINATE_OTHERS;
		case SCHED_OVERLAP_ALLOW:
			if (max_concurrent_runs <= 0 ||
				live + buffered < max_concurrent_runs)
				return SCHED_OVERLAP_DO_RUN;
			return SCHED_OVERLAP_DO_BUFFER;
	}
	return SCHED_OVERLAP_DO_SKIP;
}

/* Subtract a span that may be huge from an instant, stopping at the ends. */
static SchedTime
time_minus(SchedTime t, int64 span)
{
	if (t == SCHED_TIME_NEVER || t == SCHED_TIME_BEGIN)
		return t;
	if (span > 0 && t < SCHED_TIME_BEGIN + span)
		return SCHED_TIME_BEGIN;
	return t - span;
}

/* Halfway, even between instants further apart than an int64 can tell. */
static inline SchedTime
time_between(SchedTime low, SchedTime high)
{
	return low + (SchedTime) (((uint64) high - (uint64) low) / 2);
}

static inline int64
count_fires(const SchedMisfireInput *in, SchedTime after, SchedTime upto)
{
	if (after >= upto)
		return 0;
	return sched_schedule_count(in->schedule, in->context, after, upto,
								PG_INT64_MAX);
}

/*
 * The latest instant t >= after such that no more than n fires lie in
 * (t, upto]; counting never goes beyond n + 1.
 */
static SchedTime
newest_after(const SchedMisfireInput *in, SchedTime after, SchedTime upto,
			 int64 n)
{
	SchedTime	low = after;	/* more than n fires follow it */
	SchedTime	high = upto;	/* at most n do */

	if (n >= PG_INT64_MAX - 1 ||
		sched_schedule_count(in->schedule, in->context, after, upto,
							 n + 1) <= n)
		return after;

	while (low + 1 < high)
	{
		SchedTime	middle = time_between(low, high);

		if (sched_schedule_count(in->schedule, in->context, middle, upto,
								 n + 1) <= n)
			high = middle;
		else
			low = middle;
	}
	return high;
}

/* The same from the other end: no more than n fires lie in (after, t]. */
static SchedTime
oldest_upto(const SchedMisfireInput *in, SchedTime after, SchedTime upto,
			int64 n)
{
	SchedTime	low = after;	/* at most n fires up to it */
	SchedTime	high = upto;	/* more than n */

	if (sched_schedule_count(in->schedule, in->context, after, upto,
							 n + 1) <= n)
		return upto;

	while (low + 1 < high)
	{
		SchedTime	middle = time_between(low, high);

		if (sched_schedule_count(in->schedule, in->context, after, middle,
								 n + 1) <= n)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/* The fires in (after, upto] run. */
static void
plan_runs(const SchedMisfireInput *in, SchedMisfirePlan *plan,
		  SchedTime after, SchedTime upto)
{
	plan->run_after = after;
	plan->run_count = count_fires(in, after, upto);
	if (plan->run_count == 0)
		return;
	plan->run_first = sched_schedule_next(in->schedule, in->context, after);
	plan->run_last = sched_schedule_last(in->schedule, in->context, after,
										 upto);
}

/* The fires in (after, upto] do not run. */
static void
plan_missed(const SchedMisfireInput *in, SchedMisfirePlan *plan,
			SchedTime after, SchedTime upto)
{
	plan->missed_count = count_fires(in, after, upto);
	if (plan->missed_count == 0)
		return;
	plan->missed_first = sched_schedule_next(in->schedule, in->context, after);
	plan->missed_last = sched_schedule_last(in->schedule, in->context, after,
											upto);
}

/* Where the misfires that run begin under fire_all (exclusive). */
static SchedTime
catchup_start(const SchedMisfireInput *in, SchedTime late)
{
	SchedTime	start = in->last_fire;

	if (in->catchup_window > 0)
		start = Max(start, time_minus(time_minus(in->now, in->catchup_window),
									  1));
	start = Min(start, late);
	if (in->catchup_limit > 0 && start < late)
		start = newest_after(in, start, late, in->catchup_limit);
	return start;
}

/* No more than runs_left of them, the oldest first; then it is over. */
static void
limit_runs(const SchedMisfireInput *in, SchedMisfirePlan *plan)
{
	if (in->runs_left < 0)
		return;
	if (plan->run_count > in->runs_left)
	{
		plan->run_count = in->runs_left;
		plan->run_last = in->runs_left == 0 ? SCHED_TIME_BEGIN :
			sched_schedule_last(in->schedule, in->context, plan->run_after,
								oldest_upto(in, plan->run_after,
											plan->run_last, in->runs_left));
	}
	if (plan->run_count == in->runs_left)
		plan->next = SCHED_TIME_NEVER;
}

void
sched_misfire_plan(const SchedMisfireInput *in, SchedMisfirePlan *plan)
{
	SchedTime	upto = Min(in->now, in->end_at);
	SchedTime	late;			/* the last instant that is too late */

	memset(plan, 0, sizeof(*plan));
	plan->run_first = plan->run_last = SCHED_TIME_BEGIN;
	plan->missed_first = plan->missed_last = SCHED_TIME_BEGIN;
	plan->run_after = in->last_fire;

	/* a clock that was set back must not make anything fire again */
	plan->next = sched_schedule_next(in->schedule, in->context,
									 Max(in->now, in->last_fire));
	if (plan->next > in->end_at)
		plan->next = SCHED_TIME_NEVER;
	if (upto <= in->last_fire)
	{
		limit_runs(in, plan);
		return;
	}

	late = time_minus(time_minus(in->now, Max(in->threshold, 0)), 1);
	late = Max(Min(late, upto), in->last_fire);

	switch (in->policy)
	{
		case SCHED_MISFIRE_SKIP:
			plan_missed(in, plan, in->last_fire, late);
			plan_runs(in, plan, late, upto);
			break;

		case SCHED_MISFIRE_FIRE_ALL:
			{
				SchedTime	start = catchup_start(in, late);

				plan_missed(in, plan, in->last_fire, start);
				plan_runs(in, plan, start, upto);
				break;
			}

		case SCHED_MISFIRE_FIRE_ONCE:
			plan_runs(in, plan, late, upto);
			if (plan->run_count == 0)
			{
				/* nothing is merely late: the newest misfire runs */
				SchedTime	newest = sched_schedule_last(in->schedule,
														 in->context,
														 in->last_fire, late);

				if (newest != SCHED_TIME_BEGIN)
				{
					late = newest - 1;
					plan_runs(in, plan, late, newest);
				}
			}
			plan_missed(in, plan, in->last_fire, late);
			break;
	}
	plan->record_missed = plan->missed_count > 0 &&
		in->policy != SCHED_MISFIRE_FIRE_ONCE;
	limit_runs(in, plan);
}

int64
sched_trigger_jitter(int64 job_id, SchedTime nominal, SchedTime next_nominal,
					 int64 jitter)
{
	int64		bound = Max(jitter, 0);

	if (next_nominal != SCHED_TIME_NEVER && next_nominal > nominal)
		bound = Min(bound, next_nominal - nominal - 1);
	if (bound == 0)
		return 0;
	return (int64) (sched_retry_hash((uint64) job_id, (uint64) nominal) %
					((uint64) bound + 1));
}
