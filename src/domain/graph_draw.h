/*-------------------------------------------------------------------------
 *
 * graph_draw.h
 *	  A graph of jobs as text: for Mermaid, for Graphviz, as JSON, as SVG.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_GRAPH_DRAW_H
#define SCHED_GRAPH_DRAW_H

#include "domain/graph_layout.h"

typedef enum SchedGraphFormat
{
	SCHED_GRAPH_MERMAID,
	SCHED_GRAPH_DOT,
	SCHED_GRAPH_JSON,
	SCHED_GRAPH_SVG
} SchedGraphFormat;

typedef struct SchedGraphNode
{
	int64		job_id;
	const char *name;
	const char *label;			/* the name, or the beginning of a long one */
	int			label_chars;
	const char *status;			/* of the task, or of the job */
	int64		task_id;		/* 0: none */
} SchedGraphNode;

/* An edge from what is waited for to what waits. */
typedef struct SchedGraphEdge
{
	SchedArc	arc;
	const char *type;
} SchedGraphEdge;

typedef struct SchedGraph
{
	int64		run_id;			/* 0: the graph of the jobs themselves */
	int			node_count;
	const SchedGraphNode *nodes;
	int			edge_count;
	const SchedGraphEdge *edges;
} SchedGraph;

extern bool sched_graph_format_from_name(const char *name,
										 SchedGraphFormat *format);

/* The text, palloc'd. */
extern char *sched_graph_draw(const SchedGraph *graph,
							  SchedGraphFormat format);

#endif							/* SCHED_GRAPH_DRAW_H */
