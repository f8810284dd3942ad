/*-------------------------------------------------------------------------
 *
 * state.h
 *	  The states of jobs and tasks, and the moves between them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_STATE_H
#define SCHED_STATE_H

#include "domain/domain.h"

typedef enum SchedTaskStatus
{
	SCHED_TASK_SCHEDULED,
	SCHED_TASK_WAITING,
	SCHED_TASK_READY,
	SCHED_TASK_ASSIGNED,
	SCHED_TASK_RUNNING,
	SCHED_TASK_WAITING_RETRY,
	/* terminal from here on */
	SCHED_TASK_COMPLETED,
	SCHED_TASK_FAILED,
	SCHED_TASK_TIMEOUT,
	SCHED_TASK_CANCELLED,
	SCHED_TASK_SKIPPED,
	SCHED_TASK_UPSTREAM_FAILED,
	SCHED_TASK_MISSED
} SchedTaskStatus;

#define SCHED_TASK_STATUS_COUNT (SCHED_TASK_MISSED + 1)

typedef enum SchedJobStatus
{
	SCHED_JOB_CREATED,
	SCHED_JOB_ACTIVE,
	SCHED_JOB_PAUSED,
	SCHED_JOB_DISABLED,
	SCHED_JOB_COMPLETED
} SchedJobStatus;

#define SCHED_JOB_STATUS_COUNT	(SCHED_JOB_COMPLETED + 1)

extern const char *sched_task_status_name(SchedTaskStatus status);
extern bool sched_task_status_from_name(const char *name,
										SchedTaskStatus *status);
extern const char *sched_job_status_name(SchedJobStatus status);
extern bool sched_job_status_from_name(const char *name,
									   SchedJobStatus *status);

/* Never to change again. */
extern bool sched_task_status_is_terminal(SchedTaskStatus status);

/* May a row of a new task be written with this status? */
extern bool sched_task_status_is_initial(SchedTaskStatus status);

/* Does a task in this state occupy its job, as the overlap policy sees it? */
extern bool sched_task_status_occupies_job(SchedTaskStatus status);

/* Is an attempt of the task in somebody's hands? */
extern bool sched_task_status_holds_lease(SchedTaskStatus status);

extern bool sched_task_transition_allowed(SchedTaskStatus from,
										  SchedTaskStatus to);
extern bool sched_job_transition_allowed(SchedJobStatus from,
										 SchedJobStatus to);

/*
 * The domain event that reports the arrival in a state ("task.ready"); NULL
 * when none does (waiting).  For jobs it depends on where it came from:
 * paused to active is "job.resumed".
 */
extern const char *sched_task_event_name(SchedTaskStatus to);
extern const char *sched_job_event_name(SchedJobStatus from,
										SchedJobStatus to);

#endif							/* SCHED_STATE_H */
