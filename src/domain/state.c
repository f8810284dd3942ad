/*-------------------------------------------------------------------------
 *
 * state.c
 *	  The state machines of jobs and tasks, as data.
 *
 * Design: one row per state, holding its word, the event that reports the
 * arrival in it, and the set of states that may follow.  The one place that
 * changes states (application/) asks here before it writes; a state that no
 * other leads to, or a non-terminal one that leads nowhere, is found by the
 * unit test that walks the table.
 *
 *-------------------------------------------------------------------------
 */
#ifndef FRONTEND
#include "postgres.h"
#else
#include "postgres_fe.h"
#endif

#include "domain/state.h"

#define BIT(status)		(1u << (status))

typedef struct StateRow
{
	const char *name;
	const char *event;
	uint32		next;			/* BIT()s of the states that may follow */
} StateRow;

static const StateRow task_states[SCHED_TASK_STATUS_COUNT] = {
	[SCHED_TASK_SCHEDULED] = {
		"scheduled", "task.scheduled",
		BIT(SCHED_TASK_WAITING) | BIT(SCHED_TASK_READY) |
		BIT(SCHED_TASK_MISSED) | BIT(SCHED_TASK_CANCELLED)
	},
	[SCHED_TASK_WAITING] = {
		"waiting", NULL,
		BIT(SCHED_TASK_READY) | BIT(SCHED_TASK_SKIPPED) |
		BIT(SCHED_TASK_UPSTREAM_FAILED) |
		BIT(SCHED_TASK_MISSED) | BIT(SCHED_TASK_CANCELLED)
	},
	[SCHED_TASK_READY] = {
		"ready", "task.ready",
		BIT(SCHED_TASK_ASSIGNED) |
		BIT(SCHED_TASK_MISSED) | BIT(SCHED_TASK_CANCELLED)
	},
	[SCHED_TASK_ASSIGNED] = {
		/* back to ready: not started in time, executor lost or deactivated */
		"assigned", "task.assigned",
		BIT(SCHED_TASK_RUNNING) | BIT(SCHED_TASK_READY) |
		BIT(SCHED_TASK_CANCELLED)
	},
	[SCHED_TASK_RUNNING] = {
		"running", "task.started",
		BIT(SCHED_TASK_COMPLETED) | BIT(SCHED_TASK_FAILED) |
		BIT(SCHED_TASK_TIMEOUT) | BIT(SCHED_TASK_WAITING_RETRY) |
		BIT(SCHED_TASK_CANCELLED)
	},
	[SCHED_TASK_WAITING_RETRY] = {
		"waiting_retry", "task.retry_scheduled",
		BIT(SCHED_TASK_READY) | BIT(SCHED_TASK_CANCELLED)
	},
	[SCHED_TASK_COMPLETED] = {"completed", "task.completed", 0},
	[SCHED_TASK_FAILED] = {"failed", "task.failed", 0},
	[SCHED_TASK_TIMEOUT] = {"timeout", "task.timeout", 0},
	[SCHED_TASK_CANCELLED] = {"cancelled", "task.cancelled", 0},
	[SCHED_TASK_SKIPPED] = {"skipped", "task.skipped", 0},
	[SCHED_TASK_UPSTREAM_FAILED] = {
		"upstream_failed", "task.upstream_failed", 0
	},
	[SCHED_TASK_MISSED] = {"missed", "task.missed", 0},
};

static const StateRow job_states[SCHED_JOB_STATUS_COUNT] = {
	[SCHED_JOB_CREATED] = {
		"created", "job.created",
		BIT(SCHED_JOB_ACTIVE) | BIT(SCHED_JOB_DISABLED)
	},
	[SCHED_JOB_ACTIVE] = {
		"active", "job.activated",
		BIT(SCHED_JOB_PAUSED) | BIT(SCHED_JOB_DISABLED) |
		BIT(SCHED_JOB_COMPLETED)
	},
	[SCHED_JOB_PAUSED] = {
		"paused", "job.paused",
		BIT(SCHED_JOB_ACTIVE) | BIT(SCHED_JOB_DISABLED)
	},
	[SCHED_JOB_DISABLED] = {
		"disabled", "job.disabled",
		BIT(SCHED_JOB_ACTIVE)
	},
	[SCHED_JOB_COMPLETED] = {"completed", "job.completed", 0},
};

static int
state_lookup(const StateRow *rows, int count, const char *name)
{
	if (name == NULL)
		return -1;
	for (int i = 0; i < count; i++)
	{
		if (strcmp(rows[i].name, name) == 0)
			return i;
	}
	return -1;
}

const char *
sched_task_status_name(SchedTaskStatus status)
{
	return task_states[status].name;
}

bool
sched_task_status_from_name(const char *name, SchedTaskStatus *status)
{
	int			found = state_lookup(task_states, SCHED_TASK_STATUS_COUNT,
									 name);

	if (found < 0)
		return false;
	*status = (SchedTaskStatus) found;
	return true;
}

const char *
sched_job_status_name(SchedJobStatus status)
{
	return job_states[status].name;
}

bool
sched_job_status_from_name(const char *name, SchedJobStatus *status)
{
	int			found = state_lookup(job_states, SCHED_JOB_STATUS_COUNT,
									 name);

	if (found < 0)
		return false;
	*status = (SchedJobStatus) found;
	return true;
}

bool
sched_task_status_is_terminal(SchedTaskStatus status)
{
	return status >= SCHED_TASK_COMPLETED;
}

/*
 * An occurrence that is not to run at all (overlap, misfire, a dependency
 * that can never be met) is recorded as a row that is terminal from birth.
 */
bool
sched_task_status_is_initial(SchedTaskStatus status)
{
	return (BIT(status) &
			(BIT(SCHED_TASK_SCHEDULED) | BIT(SCHED_TASK_WAITING) |
			 BIT(SCHED_TASK_READY) | BIT(SCHED_TASK_SKIPPED) |
			 BIT(SCHED_TASK_UPSTREAM_FAILED) | BIT(SCHED_TASK_MISSED))) != 0;
}

bool
sched_task_status_occupies_job(SchedTaskStatus status)
{
	return (BIT(status) &
			(BIT(SCHED_TASK_WAITING) | BIT(SCHED_TASK_READY) |
			 BIT(SCHED_TASK_ASSIGNED) | BIT(SCHED_TASK_RUNNING) |
			 BIT(SCHED_TASK_WAITING_RETRY))) != 0;
}

bool
sched_task_status_holds_lease(SchedTaskStatus status)
{
	return status == SCHED_TASK_ASSIGNED || status == SCHED_TASK_RUNNING;
}

bool
sched_task_transition_allowed(SchedTaskStatus from, SchedTaskStatus to)
{
	return (task_states[from].next & BIT(to)) != 0;
}

bool
sched_job_transition_allowed(SchedJobStatus from, SchedJobStatus to)
{
	return (job_states[from].next & BIT(to)) != 0;
}

const char *
sched_task_event_name(SchedTaskStatus to)
{
	return task_states[to].event;
}

const char *
sched_job_event_name(SchedJobStatus from, SchedJobStatus to)
{
	if (from == SCHED_JOB_PAUSED && to == SCHED_JOB_ACTIVE)
		return "job.resumed";
	return job_states[to].event;
}
