/*-------------------------------------------------------------------------
 *
 * script.h
 *	  Running the SQL text of a task at top level.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_SCRIPT_H
#define SCHED_SCRIPT_H

#include "utils/jsonb.h"

typedef struct SchedScriptResult
{
	int64		row_count;
	Jsonb	   *result;			/* in the caller's context */
} SchedScriptResult;

/*
 * Run all statements of the text.  Called inside a transaction that has just
 * been started; when it returns, a transaction is open in which the
 * task's completion is to be written.  It is the one in which the statements ran
 * unless one of them cannot run in a block or ends transactions itself.
 * Raises whatever error the statements raise.
 */
extern void sched_script_run(const char *text, MemoryContext result_context,
							 SchedScriptResult *result);

/* Make notices reach the task's log; once, at the start of a worker. */
extern void sched_script_capture_notices(void);

#endif							/* SCHED_SCRIPT_H */
