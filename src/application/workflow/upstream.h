/*-------------------------------------------------------------------------
 *
 * upstream.h
 *	  What a task is told of those that it waited for.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_UPSTREAM_H
#define SCHED_UPSTREAM_H

#include "lib/stringinfo.h"

/*
 * Appends {"job name": {"status", "result", "task_id", "parameters"}, ...}.
 * False, with nothing appended, for a task that has no dependencies.
 */
extern bool sched_upstream_describe(int64 task_id, StringInfo out);

#endif							/* SCHED_UPSTREAM_H */
