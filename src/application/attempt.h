/*-------------------------------------------------------------------------
 *
 * attempt.h
 *	  What follows when an attempt of a task is over.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_ATTEMPT_H
#define SCHED_ATTEMPT_H

#include "infrastructure/queue.h"
#include "infrastructure/store.h"

/* An attempt, copied out of shared memory. */
typedef struct SchedAttempt
{
	int64		task_id;
	int64		job_id;
	int64		run_id;
	int			attempt;
	int			tries;			/* earlier attempts that count */
	int			losses;
	float4		progress;
	TimestampTz due_at;
	TimestampTz queued_at;
	TimestampTz started_at;
} SchedAttempt;

/* How it ended. */
typedef struct SchedEnd
{
	char		status;			/* SCHED_OUTCOME_* */
	bool		retryable;		/* for failed and timeout */
	int64		retry_after;	/* microseconds, asked for by the other side */
	const char *sqlstate;
	const char *error;
	const char *reason;
	int64		row_count;
	Jsonb	   *result;
	int			executor_id;
} SchedEnd;

#define SCHED_EXECUTOR_SQL	1	/* the built-in SQL workers */
#define SCHED_EXECUTOR_HTTP	2	/* the built-in HTTP worker */

/* With sched_shared->lock held. */
extern void sched_attempt_copy(const QTask *task, SchedAttempt *attempt);

/*
 * Write the outcome in the running transaction and note what it means for the
 * queue: the task's end, or another attempt.  job may be NULL when it is gone;
 * then nothing is tried again.  True when the task has ended.
 */
extern bool sched_attempt_end(const SchedJob *job,
							  const SchedAttempt *attempt,
							  const SchedEnd *end, TimestampTz now);

/* What the queue has to know of the job. */
extern void sched_lane_spec(const SchedJob *job, QLaneSpec *spec);

#endif							/* SCHED_ATTEMPT_H */
