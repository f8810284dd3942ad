/*-------------------------------------------------------------------------
 *
 * policy.h
 *	  What to do with occurrences that meet a running task, or that were
 *	  missed while nobody was looking.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_POLICY_H
#define SCHED_POLICY_H

#include "domain/domain.h"
#include "domain/schedule/schedule.h"

/* ---- overlap ---- */

typedef enum SchedOverlapPolicy
{
	SCHED_OVERLAP_SKIP,
	SCHED_OVERLAP_BUFFER_ONE,
	SCHED_OVERLAP_BUFFER_ALL,
	SCHED_OVERLAP_CANCEL_OTHER,
	SCHED_OVERLAP_TERMINATE_OTHER,
	SCHED_OVERLAP_ALLOW
} SchedOverlapPolicy;

#define SCHED_OVERLAP_POLICY_COUNT	(SCHED_OVERLAP_ALLOW + 1)

typedef enum SchedOverlapDecision
{
	SCHED_OVERLAP_DO_RUN,		/* enqueue; nothing is in its way */
	SCHED_OVERLAP_DO_SKIP,		/* record as skipped */
	SCHED_OVERLAP_DO_BUFFER,	/* enqueue behind what occupies the job */
	SCHED_OVERLAP_DO_CANCEL_OTHERS, /* enqueue, ask the others to stop */
	SCHED_OVERLAP_DO_TERMINATE_OTHERS	/* enqueue, stop the others now */
} SchedOverlapDecision;

/*
 * live: tasks of the job which occupy it and may run already.  buffered:
 * tasks which an earlier decision put behind them.  max_concurrent_runs 0
 * means no limit; only "allow" lets more than one run.
 */
extern SchedOverlapDecision sched_overlap_decide(SchedOverlapPolicy policy,
												 int64 live, int64 buffered,
												 int64 max_concurrent_runs);

/* ---- misfire ---- */

typedef enum SchedMisfirePolicy
{
	SCHED_MISFIRE_FIRE_ONCE,
	SCHED_MISFIRE_SKIP,
	SCHED_MISFIRE_FIRE_ALL
} SchedMisfirePolicy;

#define SCHED_MISFIRE_POLICY_COUNT	(SCHED_MISFIRE_FIRE_ALL + 1)

typedef struct SchedMisfireInput
{
	const SchedSchedule *schedule;
	const SchedScheduleContext *context;
	SchedTime	last_fire;		/* the last nominal time dealt with */
	SchedTime	now;
	int64		threshold;		/* how late is merely late, microseconds */
	SchedMisfirePolicy policy;
	int64		catchup_window; /* microseconds, 0: no limit */
	int64		catchup_limit;	/* number of fires, 0: no limit */
	SchedTime	end_at;			/* last moment to fire, SCHED_TIME_NEVER: none */
	int64		runs_left;		/* by max_runs; below 0: no limit */
} SchedMisfireInput;

/*
 * The runs are the fires of the schedule in (run_after, run_last], oldest
 * first: run_first, then sched_schedule_next() of each until run_last.
 *
 * missed_count fires from missed_first to missed_last do not run.  With
 * fire_once they belong to the first run (its task's missed_count); otherwise
 * record_missed tells to write one row for the span.
 */
typedef struct SchedMisfirePlan
{
	int64		run_count;
	SchedTime	run_after;
	SchedTime	run_first;
	SchedTime	run_last;
	int64		missed_count;
	SchedTime	missed_first;
	SchedTime	missed_last;
	bool		record_missed;
	SchedTime	next;			/* the next fire after now, or NEVER */
} SchedMisfirePlan;

/*
 * What is due at input->now, and what comes of it.  Takes the time of a few
 * sched_schedule_count() calls, however much was missed.
 */
extern void sched_misfire_plan(const SchedMisfireInput *input,
							   SchedMisfirePlan *plan);

/* ---- jitter of triggers ---- */

/*
 * How long after its nominal time a job fires: in [0, jitter], before the
 * next nominal time (SCHED_TIME_NEVER: none), always the same for the same
 * job and time.
 */
extern int64 sched_trigger_jitter(int64 job_id, SchedTime nominal,
								  SchedTime next_nominal, int64 jitter);

extern const char *sched_overlap_policy_name(SchedOverlapPolicy policy);
extern bool sched_overlap_policy_from_name(const char *name,
										   SchedOverlapPolicy *policy);
extern const char *sched_misfire_policy_name(SchedMisfirePolicy policy);
extern bool sched_misfire_policy_from_name(const char *name,
										   SchedMisfirePolicy *policy);

#endif							/* SCHED_POLICY_H */
