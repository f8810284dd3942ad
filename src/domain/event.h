/*-------------------------------------------------------------------------
 *
 * event.h
 *	  The domain events, and what the name of any other event may be.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_EVENT_NAMES_H
#define SCHED_EVENT_NAMES_H

#include "domain/domain.h"

typedef enum SchedEventType
{
	SCHED_EVENT_JOB_CREATED,
	SCHED_EVENT_JOB_UPDATED,
	SCHED_EVENT_JOB_ACTIVATED,
	SCHED_EVENT_JOB_PAUSED,
	SCHED_EVENT_JOB_RESUMED,
	SCHED_EVENT_JOB_DISABLED,
	SCHED_EVENT_JOB_COMPLETED,
	SCHED_EVENT_JOB_DELETED,
	SCHED_EVENT_JOB_MISFIRED,
	SCHED_EVENT_TASK_SCHEDULED,
	SCHED_EVENT_TASK_READY,
	SCHED_EVENT_TASK_ASSIGNED,
	SCHED_EVENT_TASK_STARTED,
	SCHED_EVENT_TASK_PROGRESS,
	SCHED_EVENT_TASK_COMPLETED,
	SCHED_EVENT_TASK_FAILED,
	SCHED_EVENT_TASK_RETRY_SCHEDULED,
	SCHED_EVENT_TASK_TIMEOUT,
	SCHED_EVENT_TASK_CANCELLED,
	SCHED_EVENT_TASK_SKIPPED,
	SCHED_EVENT_TASK_UPSTREAM_FAILED,
	SCHED_EVENT_TASK_MISSED,
	SCHED_EVENT_EXECUTOR_REGISTERED,
	SCHED_EVENT_EXECUTOR_ONLINE,
	SCHED_EVENT_EXECUTOR_OFFLINE,
	SCHED_EVENT_EXECUTOR_LOST,
	SCHED_EVENT_EXECUTOR_DRAINING,
	SCHED_EVENT_EXECUTOR_DEREGISTERED,
	SCHED_EVENT_COUNT			/* also stands for: none of these */
} SchedEventType;

/* sched.event_level; the numbers are those of the setting. */
typedef enum SchedEventLevel
{
	SCHED_EVENTS_NONE = 0,
	SCHED_EVENTS_IMPORTANT = 1,
	SCHED_EVENTS_ALL = 2
} SchedEventLevel;

#define SCHED_MAX_EVENT_NAME	255 /* bytes */

extern const char *sched_event_type_name(SchedEventType type);

/* SCHED_EVENT_COUNT when there is none of that name. */
extern SchedEventType sched_event_type_from_name(const char *name);

/* Does the level, by itself, want events of the type recorded? */
extern bool sched_event_in_level(SchedEventType type, SchedEventLevel level);

/*
 * What is wrong with a name that somebody gives an event of his own, NULL:
 * nothing.  *position is the offending byte.
 */
extern const char *sched_event_name_fault(const char *name, int *position);

#endif							/* SCHED_EVENT_NAMES_H */
