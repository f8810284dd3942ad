/*-------------------------------------------------------------------------
 *
 * graph_layout.h
 *	  Where to draw the nodes and edges of a graph: in layers, from top to
 *	  bottom.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_GRAPH_LAYOUT_H
#define SCHED_GRAPH_LAYOUT_H

#include "domain/domain.h"

/* An edge between nodes, by their positions in the caller's array. */
typedef struct SchedArc
{
	int			from;
	int			to;
} SchedArc;

typedef struct SchedPoint
{
	int			x;
	int			y;
} SchedPoint;

typedef struct SchedLayout
{
	int			width;			/* of the whole, margins included */
	int			height;
	int			layer_count;
	int		   *layer;			/* of each node, from 0 */
	SchedPoint *centre;			/* of each node */
	int		   *first_bend;		/* of each edge, in bends */
	int		   *bend_count;		/* likewise; from "from" to "to" */
	SchedPoint *bends;
} SchedLayout;

#define SCHED_NODE_HEIGHT	34
#define SCHED_LAYER_GAP		52
#define SCHED_NODE_GAP		24
#define SCHED_MARGIN		16

/*
 * Lay out a graph; widths are those of the nodes.  An edge leads downwards,
 * unless it would close a circle, or both of its ends are the same.  The result
 * follows from the input alone, and is palloc'd.  Time: proportional to nodes
 * and edges, but for logarithms; a fraction of a second for 10,000 nodes.
 */
extern SchedLayout *sched_graph_layout(int node_count, const int *widths,
									   int arc_count, const SchedArc *arcs);

#endif							/* SCHED_GRAPH_LAYOUT_H */
