/*-------------------------------------------------------------------------
 *
 * attempt.c
 *	  What follows when an attempt of a task is over.
 *
 * One decision for all who end attempts: workers, the scheduler that finds a
 * timeout or a dead worker, and those who report from outside.  The outcome row
 * is written in the caller's transaction; its primary key (task_id, attempt)
 * lets only one of several rivals commit.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "application/tasks/attempt.h"
#include "application/tasks/record.h"
#include "infrastructure/memory/pending.h"
#include "infrastructure/tables/task_type.h"

void
sched_attempt_copy(const QTask *task, SchedAttempt *attempt)
{
	attempt->task_id = task->task_id;
	attempt->job_id = task->lane->spec.job_id;
	attempt->run_id = task->run_id;
	attempt->attempt = task->attempt;
	attempt->tries = task->tries;
	attempt->losses = task->losses;
	attempt->executor_id = task->executor == 0 ? 0 :
		sched_executor_of(task)->spec.executor_id;
	attempt->stop = task->stop;
	attempt->progress = task->progress;
	attempt->due_at = task->due_at;
	attempt->queued_at = task->queued_at;
	attempt->started_at = task->started_at;
}

/* A lost attempt goes again at once; one that is lost again and again, later. */
static int64
loss_delay(int losses)
{
	return losses == 0 ? 0 :
		Min(USECS_PER_SEC << Min(losses - 1, 9), 5 * USECS_PER_MINUTE);
}

/* Is there to be another attempt?  Then sets when, and whether it counts. */
static bool
goes_on(const SchedJob *job, const SchedAttempt *attempt,
		const SchedEnd *end, TimestampTz now, TimestampTz *retry_at,
		bool *counts)
{
	int64		delay;

	if (job == NULL || job->deleted)
		return false;

	*counts = true;
	switch (end->status)
	{
		case SCHED_OUTCOME_LOST:
		case SCHED_OUTCOME_RELEASED:
			*counts = false;
			/* what was never started goes to the next one at once */
			*retry_at = attempt->started_at == 0 ? now :
				now + loss_delay(attempt->losses);
			return true;

		case SCHED_OUTCOME_FAILED:
		case SCHED_OUTCOME_TIMEOUT:
			if (!end->retryable || attempt->tries + 1 >= job->max_attempts)
				return false;
			delay = sched_retry_delay(job->retry_strategy, job->retry_jitter,
									  attempt->tries + 1, job->retry_delay,
									  job->retry_max_delay, attempt->task_id);
			if (delay == SCHED_RETRY_NEVER)
				return false;
			/* the other side knows better, within the job's patience */
			if (end->retry_after > 0)
				delay = Min(end->retry_after, job->retry_max_delay);
			*retry_at = now + delay;
			return true;

		default:
			return false;
	}
}

bool
sched_attempt_outcome(const SchedJob *job, const SchedAttempt *attempt,
					  const SchedEnd *end, TimestampTz now,
					  SchedOutcome *outcome, bool *counts)
{
	TimestampTz retry_at = 0;
	bool		again;

	*counts = true;
	again = goes_on(job, attempt, end, now, &retry_at, counts);
	outcome->task_id = attempt->task_id;
	outcome->job_id = attempt->job_id;
	outcome->run_id = attempt->run_id;
	outcome->attempt = attempt->attempt;
	outcome->status = end->status;
	outcome->final = !again;
	outcome->finished_at = now;
	outcome->queued_at = attempt->queued_at;
	outcome->started_at = attempt->started_at;
	outcome->retry_at = retry_at;
	outcome->executor_id = end->executor_id;
	outcome->row_count = end->row_count;
	outcome->progress = attempt->progress;
	outcome->sqlstate = end->sqlstate;
	outcome->error = end->error;
	outcome->reason = end->reason;
	outcome->result = end->result;
	if (end->status == SCHED_OUTCOME_CANCELLED && end->reason != NULL &&
		strcmp(end->reason, SCHED_ON_REQUEST) == 0)
	{
		const char *why = sched_store_find_log(attempt->task_id,
											   attempt->attempt,
											   SCHED_REQUEST_LOG);

		if (why != NULL)
			outcome->reason = why;
	}
	if (!again && (end->status == SCHED_OUTCOME_LOST ||
				   end->status == SCHED_OUTCOME_RELEASED))
	{
		/* the job is gone, nobody will run it again */
		outcome->status = SCHED_OUTCOME_CANCELLED;
		outcome->reason = "the job no longer exists";
	}
	return again;
}

bool
sched_attempt_end(const SchedJob *job, const SchedAttempt *attempt,
				  const SchedEnd *end, TimestampTz now)
{
	SchedOutcome outcome;
	bool		counts;
	bool		again = sched_attempt_outcome(job, attempt, end, now, &outcome,
											  &counts);

	sched_record_outcomes(&outcome, 1);
	if (again)
		sched_pending_retry_task(attempt->task_id, outcome.retry_at, counts);
	else
		sched_pending_finish_task(attempt->task_id);
	return !again;
}

void
sched_lane_spec(const SchedJob *job, QLaneSpec *spec)
{
	/* compared as a whole, so the padding has to be the same too */
	MemSet(spec, 0, sizeof(QLaneSpec));
	spec->job_id = job->job_id;
	spec->kind = sched_queue_kind(job->type);
	if (spec->kind == SCHED_KIND_SQL ||
		sched_task_type(job->type)->handler != NULL)
	{
		spec->kind = SCHED_KIND_SQL;
		spec->role = job->run_as;
	}
	spec->max_running = job->max_concurrent_runs;
	spec->timeout = Max(job->timeout, 0);
	spec->paused = job->status == SCHED_JOB_PAUSED;
	if (job->pool != NULL)
	{
		spec->pool = sched_pool_key(job->pool);
		spec->pool_slots = job->pool_slots;
	}
	/* tags and routes say which executor; the built-in workers are all alike */
	if (spec->kind == SCHED_KIND_SQL || spec->kind == SCHED_KIND_HTTP)
		return;
	spec->route = job->route;
	if (job->tag_count > 0)
	{
		spec->tag_count = Min(job->tag_count, SCHED_MAX_REQUIRED_TAGS);
		memcpy(spec->tags, job->tags, spec->tag_count * sizeof(uint32));
	}
}
