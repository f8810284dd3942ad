/*-------------------------------------------------------------------------
 *
 * handler.h
 *	  Task types of users: the functions that run them, and what parameters
 *	  they take.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_HANDLER_H
#define SCHED_HANDLER_H

#include "application/processes/script.h"
#include "infrastructure/tables/store.h"
#include "infrastructure/tables/task_type.h"

/*
 * Call the handler of the type for the task in hand.  The result is made in
 * result_context.  Raises the handler's errors.
 */
extern void sched_handler_run(const SchedJob *job, const SchedTaskType *type,
							  MemoryContext result_context,
							  SchedScriptResult *result);

/*
 * Raise 22023 unless parameters suit the schema; object is as in 'job
 * "nightly"'.
 */
extern void sched_parameters_check(const char *object, const SchedJson *schema,
								   const Jsonb *parameters);

/* The same for a task of the job with parameters of its own, NULL: none. */
extern void sched_parameters_check_task(const SchedJob *job,
										const Jsonb *parameters);

#endif							/* SCHED_HANDLER_H */
