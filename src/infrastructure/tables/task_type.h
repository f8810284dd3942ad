/*-------------------------------------------------------------------------
 *
 * task_type.h
 *	  What sched._task_type says of the type of a job.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_TASK_TYPE_H
#define SCHED_TASK_TYPE_H

#include "domain/json_schema.h"

typedef struct SchedTaskType
{
	bool		exists;
	Oid			owner;			/* InvalidOid: built in */
	char	   *handler;		/* a function as regprocedure, NULL: none */
	SchedJson  *schema;			/* of the parameters, NULL: none */
} SchedTaskType;

/*
 * Never NULL; stays as it is until the next call.  Reads the table when the
 * types have changed since it was last asked.  "sql" is known without.
 */
extern const SchedTaskType *sched_task_type(const char *name);

#endif							/* SCHED_TASK_TYPE_H */
