/*-------------------------------------------------------------------------
 *
 * match.h
 *	  Which task of the upstream an edge of a waiting task is about.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_MATCH_H
#define SCHED_MATCH_H

#include "infrastructure/tables/graph_store.h"

typedef enum SchedMatchKind
{
	SCHED_MATCH_FOUND,			/* one task */
	SCHED_MATCH_SEVERAL,		/* all of a window */
	SCHED_MATCH_NOT_YET,		/* it may still come */
	SCHED_MATCH_NEVER			/* it cannot come any more */
} SchedMatchKind;

typedef struct SchedMatchResult
{
	SchedMatchKind kind;
	int64		task_id;		/* FOUND */
	int			count;			/* SEVERAL */
	int64	   *task_ids;
	const char *reason;			/* NEVER */
} SchedMatchResult;

/*
 * Look for the match of an edge of a task.  In a transaction of the scheduler
 * with an active snapshot and an SPI connection.
 */
extern void sched_match(const SchedEdge *edge, const SchedTaskRow *task,
						TimestampTz now, SchedMatchResult *result);

#endif							/* SCHED_MATCH_H */
