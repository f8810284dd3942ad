/*-------------------------------------------------------------------------
 *
 * attempt.h
 *	  What follows when an attempt of a task is over.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_ATTEMPT_H
#define SCHED_ATTEMPT_H

#include "infrastructure/memory/executors.h"
#include "infrastructure/tables/store.h"

/* An attempt, copied out of shared memory. */
typedef struct SchedAttempt
{
	int64		task_id;
	int64		job_id;
	int64		run_id;
	int			attempt;
	int			tries;			/* earlier attempts that count */
	int			losses;
	int			executor_id;	/* external executor that has it, 0: none */
	SchedStopReason stop;		/* that one was told to stop */
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

/*
 * Why an attempt was cancelled, when somebody asked for it.  If he said why, that
 * becomes the reason; cancel_task leaves it in the task's log.
 */
#define SCHED_ON_REQUEST	"cancelled on request"
#define SCHED_REQUEST_LOG	"cancel requested: "

/* With sched_shared->lock held. */
extern void sched_attempt_copy(const QTask *task, SchedAttempt *attempt);

/*
 * Make the row of the outcome and decide whether another attempt follows (true;
 * then counts says whether this one does count against the limit).  Writes
 * nothing.
 */
extern bool sched_attempt_outcome(const SchedJob *job,
								  const SchedAttempt *attempt,
								  const SchedEnd *end, TimestampTz now,
								  SchedOutcome *outcome, bool *counts);

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
