/*-------------------------------------------------------------------------
 *
 * tasks.h
 *	  Ordering tasks, and what people do to tasks that have not ended.
 *
 * Everything takes part in the running transaction.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_TASKS_H
#define SCHED_TASKS_H

#include "application/tasks/attempt.h"
#include "utils/timestamp.h"

/* Tasks due later than this are left in _future until their minute comes. */
#define SCHED_LOOKAHEAD		(60 * USECS_PER_SEC)

#define SCHED_MAX_KEY_BYTES 255

/* A task to be made. */
typedef struct SchedOrder
{
	TimestampTz scheduled_at;
	Jsonb	   *parameters;		/* NULL: the job's */
	int			priority;		/* 0: the job's */
	int			missed_count;	/* 0: none */
	int64		run_id;			/* SCHED_UNSET: a run of its own */
	int64		rerun_of;		/* SCHED_UNSET: none */
	int64		trigger_id;		/* SCHED_UNSET: none */
	const char *idempotency_key;	/* NULL: none */
} SchedOrder;

extern void sched_order_init(SchedOrder *order, TimestampTz scheduled_at);

/*
 * Make tasks of a job and store their ids; with an idempotency key that is
 * taken, the id of the task that has it.  generation is that of
 * sched_pending_job_generation() before the job was read.  Raises 22023 for an
 * order that cannot be carried out.
 */
extern void sched_tasks_order(const SchedJob *job, uint32 generation,
							  const SchedOrder *orders, int count,
							  int64 *ids);

/* Raises 55000 when the job does not take tasks. */
extern void sched_tasks_check_job(const SchedJob *job);

/* False when there is nothing to do; the current user's right is checked. */
extern bool sched_task_cancel(int64 task_id, const char *reason);
extern bool sched_task_hurry(int64 task_id);

/* Cancel what waits of a job; returns how many tasks.  No right is checked. */
extern int	sched_tasks_cancel_waiting(int64 job_id, const char *reason);

/* Copy of a live task; false when memory has none. */
extern bool sched_task_live(int64 task_id, SchedTaskStatus *status,
							SchedAttempt *attempt);

/* The task's row, if the current user has the right; raises 42704, 42501. */
extern void sched_task_require(int64 task_id, SchedTaskRow *row, bool operate);

/*
 * Say how far the attempt has come, at once and whatever becomes of the
 * transaction.  False when that attempt does not run.
 */
extern bool sched_task_progress(int64 task_id, int attempt, float4 percent);

#endif							/* SCHED_TASKS_H */
