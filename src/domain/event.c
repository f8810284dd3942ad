/*-------------------------------------------------------------------------
 *
 * event.c
 *	  The domain events, and what the name of any other event may be.
 *
 * One row per event.  "frequent" ones are those that a task leaves behind on
 * its way when nothing is wrong: at 100,000 tasks a second they would
 * be most of what is written, so the level "important" leaves them out.
 *
 *-------------------------------------------------------------------------
 */
#ifndef FRONTEND
#include "postgres.h"
#else
#include "postgres_fe.h"
#endif

#include "domain/event.h"
#include "domain/event_pattern.h"

typedef struct EventRow
{
	const char *name;
	bool		frequent;
} EventRow;

static const EventRow event_rows[SCHED_EVENT_COUNT] = {
	[SCHED_EVENT_JOB_CREATED] = {"job.created", false},
	[SCHED_EVENT_JOB_UPDATED] = {"job.updated", false},
	[SCHED_EVENT_JOB_ACTIVATED] = {"job.activated", false},
	[SCHED_EVENT_JOB_PAUSED] = {"job.paused", false},
	[SCHED_EVENT_JOB_RESUMED] = {"job.resumed", false},
	[SCHED_EVENT_JOB_DISABLED] = {"job.disabled", false},
	[SCHED_EVENT_JOB_COMPLETED] = {"job.completed", false},
	[SCHED_EVENT_JOB_DELETED] = {"job.deleted", false},
	[SCHED_EVENT_JOB_MISFIRED] = {"job.misfired", false},
	[SCHED_EVENT_TASK_SCHEDULED] = {"task.scheduled", true},
	[SCHED_EVENT_TASK_READY] = {"task.ready", true},
	[SCHED_EVENT_TASK_ASSIGNED] = {"task.assigned", true},
	[SCHED_EVENT_TASK_STARTED] = {"task.started", true},
	[SCHED_EVENT_TASK_PROGRESS] = {"task.progress", true},
	[SCHED_EVENT_TASK_COMPLETED] = {"task.completed", true},
	[SCHED_EVENT_TASK_FAILED] = {"task.failed", false},
	[SCHED_EVENT_TASK_RETRY_SCHEDULED] = {"task.retry_scheduled", false},
	[SCHED_EVENT_TASK_TIMEOUT] = {"task.timeout", false},
	[SCHED_EVENT_TASK_CANCELLED] = {"task.cancelled", false},
	[SCHED_EVENT_TASK_SKIPPED] = {"task.skipped", true},
	[SCHED_EVENT_TASK_UPSTREAM_FAILED] = {"task.upstream_failed", false},
	[SCHED_EVENT_TASK_MISSED] = {"task.missed", false},
	[SCHED_EVENT_EXECUTOR_REGISTERED] = {"executor.registered", false},
	[SCHED_EVENT_EXECUTOR_ONLINE] = {"executor.online", false},
	[SCHED_EVENT_EXECUTOR_OFFLINE] = {"executor.offline", false},
	[SCHED_EVENT_EXECUTOR_LOST] = {"executor.lost", false},
	[SCHED_EVENT_EXECUTOR_DRAINING] = {"executor.draining", false},
	[SCHED_EVENT_EXECUTOR_DEREGISTERED] = {"executor.deregistered", false},
};

static const char *const reserved[] = {"job", "task", "executor"};

const char *
sched_event_type_name(SchedEventType type)
{
	return event_rows[type].name;
}

SchedEventType
sched_event_type_from_name(const char *name)
{
	for (int i = 0; i < SCHED_EVENT_COUNT; i++)
		if (strcmp(event_rows[i].name, name) == 0)
			return (SchedEventType) i;
	return SCHED_EVENT_COUNT;
}

bool
sched_event_in_level(SchedEventType type, SchedEventLevel level)
{
	return level == SCHED_EVENTS_ALL ||
		(level == SCHED_EVENTS_IMPORTANT && !event_rows[type].frequent);
}

const char *
sched_event_name_fault(const char *name, int *position)
{
	const char *stop;
	const char *message;
	int			length = sched_event_pattern_length(name, &stop, &message);
	size_t		first = strcspn(name, ".");

	*position = (int) (stop - name);
	if (length < 0)
		return message;
	if (name[length] != '\0')
		return "unexpected character in the event name";
	if (strchr(name, '*') != NULL)
	{
		*position = (int) (strchr(name, '*') - name);
		return "\"*\" stands in patterns only";
	}
	*position = 0;
	if (length > SCHED_MAX_EVENT_NAME)
	{
		*position = SCHED_MAX_EVENT_NAME;
		return "the name is longer than 255 bytes";
	}
	for (int i = 0; i < lengthof(reserved); i++)
		if (first == strlen(reserved[i]) &&
			strncmp(name, reserved[i], first) == 0)
			return "names that begin with \"job\", \"task\" or \"executor\" are those of sched's own events";
	return NULL;
}
