/*-------------------------------------------------------------------------
 *
 * graph_store.h
 *	  Reading and writing dependencies, and the places of tasks in their runs.
 *
 * As in store.h: below the SQL level, as of the latest snapshot, in the
 * caller's memory context.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_GRAPH_STORE_H
#define SCHED_GRAPH_STORE_H

#include "infrastructure/tables/store.h"

/* Which task of the upstream an edge is about. */
typedef enum SchedMatch
{
	SCHED_MATCH_DEFAULT,		/* same_run within a run, else since_last_run */
	SCHED_MATCH_SAME_RUN,
	SCHED_MATCH_SINCE_LAST_RUN,
	SCHED_MATCH_SAME_TIME,
	SCHED_MATCH_OFFSET,
	SCHED_MATCH_LATEST,
	SCHED_MATCH_WINDOW
} SchedMatch;

/* A row of _dependency. */
typedef struct SchedEdge
{
	int64		edge_id;
	int64		job_id;
	int64		upstream_id;
	SchedEdgeType type;
	SchedMatch	match;
	int64		offset;			/* microseconds, 0: none */
	int64		delay;			/* microseconds, 0: none */
	char	   *condition;		/* NULL: none */
	bool		removed;
} SchedEdge;

/* A row of _node. */
typedef struct SchedNode
{
	int64		task_id;
	int64		run_id;
	int64		job_id;
	bool		waits;			/* it has a rule */
	SchedJoinRule rule;
	TimestampTz give_up_at;		/* 0: never */
	int			in_count;
	int64	   *in_edges;
	int64	   *in_tasks;		/* 0: to be matched */
	int			out_count;
	int64	   *out_tasks;
	char	   *out_types;		/* out_count letters, see graph.c */
} SchedNode;

/* A row of _letter. */
typedef struct SchedLetterRow
{
	int64		task_id;
	int			edge;
	char		letter;
	int64		upstream_task;	/* 0: none */
	TimestampTz decided_at;
	const char *reason;			/* NULL: none */
} SchedLetterRow;

/* All edges of a job, or all on a job, also removed ones; as an array. */
extern SchedEdge *sched_store_edges_of(int64 job_id, int *count);
extern SchedEdge *sched_store_edges_on(int64 upstream_id, int *count);

/* One edge by its id; false when it is gone. */
extern bool sched_store_edge(int64 edge_id, SchedEdge *edge);

/* Has the job a trigger of its own? */
extern bool sched_store_has_trigger(int64 job_id);

extern void sched_store_insert_nodes(const SchedNode *rows, int count);
extern bool sched_store_node(int64 task_id, SchedNode *node);
extern void sched_store_insert_letters(const SchedLetterRow *rows, int count);
extern SchedLetterRow *sched_store_letters(int64 task_id, int *count);

#endif							/* SCHED_GRAPH_STORE_H */
