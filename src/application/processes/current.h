/*-------------------------------------------------------------------------
 *
 * current.h
 *	  The SQL task that this process runs right now.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_CURRENT_H
#define SCHED_CURRENT_H

#include "application/tasks/attempt.h"

typedef struct SchedLogLine
{
	struct SchedLogLine *next;
	SchedLogLevel level;
	TimestampTz at;
	char		message[FLEXIBLE_ARRAY_MEMBER];
} SchedLogLine;

typedef struct SchedCurrent
{
	const SchedJob *job;
	SchedAttempt attempt;
	MemoryContext context;		/* lives as long as the attempt */
	SchedLogLine *first;
	SchedLogLine *last;
	int			lines;
	Size		bytes;
	int			dropped;		/* lines beyond the bounds */
} SchedCurrent;

/* NULL when this process is not running a task. */
extern SchedCurrent *sched_current;

/*
 * The task as sched.current_task() describes it; lives as long as the attempt.
 * There must be a task.
 */
extern Jsonb *sched_current_describe(void);

/* Keep a line for the task's log; bounded, and cannot fail. */
extern void sched_current_log(SchedLogLevel level, const char *message);

/* Write the kept lines in the running transaction. */
extern void sched_current_write_log(void);

#endif							/* SCHED_CURRENT_H */
