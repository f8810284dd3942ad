/*-------------------------------------------------------------------------
 *
 * graph_layout.c
 *	  Where to draw the nodes and edges of a graph: in layers.
 *
 * The method of Sugiyama in four steps:
 *
 *	1. Layers: a node stands one below the lowest of those that lead to it
 *	   (longest path).  Where the rest of the graph is made of circles, the first
 *	   node of the caller's order goes on, and edges that lead up are drawn so.
 *	2. An edge over several layers gets a waypoint in each between, so that it
 *	   has its place among the nodes there.  There are MAX_WAYPOINTS of them at
 *	   the most; edges that come too late for one are drawn straight.
 *	3. Order within the layers: each node goes to the mean of the positions of its
 *	   neighbours (barycenter), SWEEPS times down and up; of all the orders seen
 *	   that with the fewest crossings would be best, but counting costs more
 *	   than it is worth: the last one is taken.
 *	4. Coordinates: each node wants to be at the mean of its neighbours' x; what
 *	   overlaps is pushed apart to the right in one pass and to the left in
 *	   another, and the middle of both keeps the distances.
 *
 * Ties are broken by the order of the input everywhere, so equal input gives
 * equal output.
 *
 *-------------------------------------------------------------------------
 */
#ifndef FRONTEND
#include "postgres.h"
#else
#include "postgres_fe.h"
#endif

#include "domain/graph_layout.h"

#define MAX_WAYPOINTS	200000
#define SWEEPS			6
#define SETTLE_SWEEPS	4
#define WAYPOINT_WIDTH	8

/* A node or a waypoint. */
typedef struct Vertex
{
	int			layer;
	int			position;		/* within the layer */
	int			width;
	double		x;
	double		weight;			/* what it is sorted by */
	/* neighbours, in the arrays "above" and "below" */
	int			first_above;
	int			above_count;
	int			first_below;
	int			below_count;
} Vertex;

typedef struct Segment
{
	int			upper;
	int			lower;
} Segment;

typedef struct Graph
{
	int			node_count;
	int			vertex_count;
	Vertex	   *vertices;
	int			segment_count;
	Segment    *segments;		/* between neighbouring layers */
	int		   *above;
	int		   *below;
	int			layer_count;
	int		   *layer_start;	/* layer_count + 1 entries, in order */
	int		   *order;			/* vertices, layer by layer */
} Graph;

static void *
allocate(int64 count, size_t size)
{
	return palloc0(Max(count, 1) * size);
}

/* ---------- 1. layers ---------- */

/* Fills in layer[]; first_out and out are the edges by their origin. */
static void
assign_layers(int node_count, int arc_count, const SchedArc *arcs, int *layer)
{
	int		   *missing = allocate(node_count, sizeof(int));
	int		   *first_out = allocate(node_count + 1, sizeof(int));
	int		   *out = allocate(arc_count, sizeof(int));
	bool	   *done = allocate(node_count, sizeof(bool));
	int		   *queue = allocate(node_count, sizeof(int));
	int			head = 0;
	int			tail = 0;
	int			next = 0;

	for (int i = 0; i < arc_count; i++)
	{
		if (arcs[i].from == arcs[i].to)
			continue;
		missing[arcs[i].to]++;
		first_out[arcs[i].from + 1]++;
	}
	for (int i = 0; i < node_count; i++)
		first_out[i + 1] += first_out[i];
	for (int i = 0; i < arc_count; i++)
		if (arcs[i].from != arcs[i].to)
			out[first_out[arcs[i].from]++] = arcs[i].to;
	for (int i = node_count; i > 0; i--)
		first_out[i] = first_out[i - 1];
	first_out[0] = 0;

	for (int i = 0; i < node_count; i++)
		if (missing[i] == 0)
		{
			done[i] = true;
			queue[tail++] = i;
		}
	for (;;)
	{
		while (head < tail)
		{
			int			node = queue[head++];

			for (int i = first_out[node]; i < first_out[node + 1]; i++)
			{
				int			to = out[i];

				if (done[to])
					continue;
				layer[to] = Max(layer[to], layer[node] + 1);
				if (--missing[to] == 0)
				{
					done[to] = true;
					queue[tail++] = to;
				}
			}
		}
		/* what is left hangs on circles */
		while (next < node_count && done[next])
			next++;
		if (next == node_count)
			break;
		done[next] = true;
		queue[tail++] = next;
	}
	pfree(missing);
	pfree(first_out);
	pfree(out);
	pfree(done);
	pfree(queue);
}

/* ---------- 2. waypoints ---------- */

static void
add_segment(Graph *graph, int from, int to)
{
	Segment    *segment = &graph->segments[graph->segment_count++];

	segment->upper = from;
	segment->lower = to;
}

/*
 * Make waypoints for the edges; first_way and way_count say which are whose,
 * from the upper end to the lower.
 */
static void
add_waypoints(Graph *graph, int arc_count, const SchedArc *arcs,
			  const int *layer, int *first_way, int *way_count)
{
	int64		wanted = 0;
	int			room;

	for (int i = 0; i < arc_count; i++)
		wanted += Max(abs(layer[arcs[i].to] - layer[arcs[i].from]) - 1, 0);
	room = (int) Min(wanted, MAX_WAYPOINTS);
	graph->vertices = allocate((int64) graph->node_count + room,
							   sizeof(Vertex));
	graph->segments = allocate((int64) arc_count + room, sizeof(Segment));
	graph->vertex_count = graph->node_count;

	for (int i = 0; i < arc_count; i++)
	{
		bool		down = layer[arcs[i].to] > layer[arcs[i].from];
		int			upper = down ? arcs[i].from : arcs[i].to;
		int			lower = down ? arcs[i].to : arcs[i].from;
		int			span = layer[lower] - layer[upper];
		int			last = upper;

		first_way[i] = graph->vertex_count;
		way_count[i] = 0;
		if (span == 0 || span - 1 > room)
			continue;
		for (int k = 1; k < span; k++)
		{
			Vertex	   *way = &graph->vertices[graph->vertex_count];

			way->layer = layer[upper] + k;
			way->width = WAYPOINT_WIDTH;
			add_segment(graph, last, graph->vertex_count);
			last = graph->vertex_count++;
		}
		add_segment(graph, last, lower);
		way_count[i] = span - 1;
		room -= span - 1;
	}
}

/* Neighbours of each vertex in the layers above and below. */
static void
link_neighbours(Graph *graph)
{
	int		   *above_fill;
	int		   *below_fill;
	int			above_total = 0;
	int			below_total = 0;

	for (int i = 0; i < graph->segment_count; i++)
	{
		graph->vertices[graph->segments[i].upper].below_count++;
		graph->vertices[graph->segments[i].lower].above_count++;
	}
	graph->above = allocate(graph->segment_count, sizeof(int));
	graph->below = allocate(graph->segment_count, sizeof(int));
	above_fill = allocate(graph->vertex_count, sizeof(int));
	below_fill = allocate(graph->vertex_count, sizeof(int));
	for (int i = 0; i < graph->vertex_count; i++)
	{
		Vertex	   *vertex = &graph->vertices[i];

		vertex->first_above = above_fill[i] = above_total;
		vertex->first_below = below_fill[i] = below_total;
		above_total += vertex->above_count;
		below_total += vertex->below_count;
	}
	for (int i = 0; i < graph->segment_count; i++)
	{
		const Segment *segment = &graph->segments[i];

		graph->above[above_fill[segment->lower]++] = segment->upper;
		graph->below[below_fill[segment->upper]++] = segment->lower;
	}
	pfree(above_fill);
	pfree(below_fill);
}

/* ---------- 3. order ---------- */

static void
fill_layers(Graph *graph)
{
	int		   *fill;

	for (int i = 0; i < graph->vertex_count; i++)
		graph->layer_count = Max(graph->layer_count,
								 graph->vertices[i].layer + 1);
	graph->layer_start = allocate(graph->layer_count + 1, sizeof(int));
	graph->order = allocate(graph->vertex_count, sizeof(int));
	for (int i = 0; i < graph->vertex_count; i++)
		graph->layer_start[graph->vertices[i].layer + 1]++;
	for (int i = 0; i < graph->layer_count; i++)
		graph->layer_start[i + 1] += graph->layer_start[i];
	fill = allocate(graph->layer_count, sizeof(int));
	for (int i = 0; i < graph->vertex_count; i++)
	{
		Vertex	   *vertex = &graph->vertices[i];

		vertex->position = fill[vertex->layer]++;
		graph->order[graph->layer_start[vertex->layer] + vertex->position] = i;
	}
	pfree(fill);
}

static const Vertex *sort_vertices;

static int
compare_weights(const void *a, const void *b)
{
	int			left = *(const int *) a;
	int			right = *(const int *) b;

	if (sort_vertices[left].weight != sort_vertices[right].weight)
		return sort_vertices[left].weight < sort_vertices[right].weight ? -1 : 1;
	if (sort_vertices[left].position != sort_vertices[right].position)
		return sort_vertices[left].position < sort_vertices[right].position ? -1 : 1;
	return left < right ? -1 : left > right ? 1 : 0;
}

/* The mean position of the neighbours; its own where there are none. */
static double
barycenter(const Graph *graph, const Vertex *vertex, bool upwards)
{
	const int  *neighbours = upwards ? &graph->above[vertex->first_above] :
	&graph->below[vertex->first_below];
	int			count = upwards ? vertex->above_count : vertex->below_count;
	double		sum = 0;

	if (count == 0)
		return vertex->position;
	for (int i = 0; i < count; i++)
		sum += graph->vertices[neighbours[i]].position;
	return sum / count;
}

static void
order_layer(Graph *graph, int layer, bool upwards)
{
	int			start = graph->layer_start[layer];
	int			count = graph->layer_start[layer + 1] - start;

	for (int i = 0; i < count; i++)
	{
		Vertex	   *vertex = &graph->vertices[graph->order[start + i]];

		vertex->weight = barycenter(graph, vertex, upwards);
	}
	sort_vertices = graph->vertices;
	qsort(&graph->order[start], count, sizeof(int), compare_weights);
	for (int i = 0; i < count; i++)
		graph->vertices[graph->order[start + i]].position = i;
}

static void
reduce_crossings(Graph *graph)
{
	for (int sweep = 0; sweep < SWEEPS; sweep++)
	{
		if (sweep % 2 == 0)
			for (int i = 1; i < graph->layer_count; i++)
				order_layer(graph, i, true);
		else
			for (int i = graph->layer_count - 2; i >= 0; i--)
				order_layer(graph, i, false);
	}
}

/* ---------- 4. coordinates ---------- */

static double
distance(const Vertex *left, const Vertex *right)
{
	return (left->width + right->width) / 2.0 + SCHED_NODE_GAP;
}

/* Side by side, the layer centred at 0. */
static void
pack_layer(Graph *graph, int layer)
{
	int			start = graph->layer_start[layer];
	int			count = graph->layer_start[layer + 1] - start;
	double		x = 0;

	for (int i = 0; i < count; i++)
	{
		Vertex	   *vertex = &graph->vertices[graph->order[start + i]];

		if (i > 0)
			x += distance(&graph->vertices[graph->order[start + i - 1]],
						  vertex);
		vertex->x = x;
	}
	for (int i = 0; i < count; i++)
		graph->vertices[graph->order[start + i]].x -= x / 2;
}

static double
wish(const Graph *graph, const Vertex *vertex, bool upwards)
{
	const int  *neighbours = upwards ? &graph->above[vertex->first_above] :
	&graph->below[vertex->first_below];
	int			count = upwards ? vertex->above_count : vertex->below_count;
	double		sum = 0;

	if (count == 0)
		return vertex->x;
	for (int i = 0; i < count; i++)
		sum += graph->vertices[neighbours[i]].x;
	return sum / count;
}

static void
settle_layer(Graph *graph, int layer, bool upwards, double *right)
{
	int			start = graph->layer_start[layer];
	int			count = graph->layer_start[layer + 1] - start;
	double		limit = 0;

	for (int i = 0; i < count; i++)
	{
		Vertex	   *vertex = &graph->vertices[graph->order[start + i]];

		vertex->weight = wish(graph, vertex, upwards);
		right[i] = vertex->weight;
		if (i > 0)
			right[i] = Max(right[i], right[i - 1] +
						   distance(&graph->vertices[graph->order[start + i - 1]],
									vertex));
	}
	for (int i = count - 1; i >= 0; i--)
	{
		Vertex	   *vertex = &graph->vertices[graph->order[start + i]];
		double		left = vertex->weight;

		if (i < count - 1)
			left = Min(left, limit -
					   distance(vertex,
								&graph->vertices[graph->order[start + i + 1]]));
		limit = left;
		vertex->x = (left + right[i]) / 2;
	}
}

static void
place(Graph *graph)
{
	double	   *right = allocate(graph->vertex_count, sizeof(double));

	for (int i = 0; i < graph->layer_count; i++)
		pack_layer(graph, i);
	for (int sweep = 0; sweep < SETTLE_SWEEPS; sweep++)
	{
		if (sweep % 2 == 0)
			for (int i = 1; i < graph->layer_count; i++)
				settle_layer(graph, i, true, right);
		else
			for (int i = graph->layer_count - 2; i >= 0; i--)
				settle_layer(graph, i, false, right);
	}
	pfree(right);
}

/* ---------- the result ---------- */

static int
layer_y(int layer)
{
	return SCHED_MARGIN + SCHED_NODE_HEIGHT / 2 +
		layer * (SCHED_NODE_HEIGHT + SCHED_LAYER_GAP);
}

static SchedLayout *
make_result(const Graph *graph, int arc_count, const SchedArc *arcs,
			const int *first_way, const int *way_count)
{
	SchedLayout *layout = allocate(1, sizeof(SchedLayout));
	double		low = 0;
	double		high = 0;

	for (int i = 0; i < graph->vertex_count; i++)
	{
		const Vertex *vertex = &graph->vertices[i];

		if (i == 0 || vertex->x - vertex->width / 2.0 < low)
			low = vertex->x - vertex->width / 2.0;
		if (i == 0 || vertex->x + vertex->width / 2.0 > high)
			high = vertex->x + vertex->width / 2.0;
	}
	layout->layer_count = graph->layer_count;
	layout->width = (int) (high - low + 0.5) + 2 * SCHED_MARGIN;
	layout->height = graph->layer_count == 0 ? 2 * SCHED_MARGIN :
		layer_y(graph->layer_count - 1) + SCHED_NODE_HEIGHT / 2 + SCHED_MARGIN;
	layout->layer = allocate(graph->node_count, sizeof(int));
	layout->centre = allocate(graph->node_count, sizeof(SchedPoint));
	for (int i = 0; i < graph->node_count; i++)
	{
		layout->layer[i] = graph->vertices[i].layer;
		layout->centre[i].x = (int) (graph->vertices[i].x - low + 0.5) +
			SCHED_MARGIN;
		layout->centre[i].y = layer_y(graph->vertices[i].layer);
	}

	layout->first_bend = allocate(arc_count, sizeof(int));
	layout->bend_count = allocate(arc_count, sizeof(int));
	layout->bends = allocate(graph->vertex_count - graph->node_count,
							 sizeof(SchedPoint));
	for (int i = 0; i < arc_count; i++)
	{
		int			first = first_way[i] - graph->node_count;
		bool		down = layout->layer[arcs[i].to] >
		layout->layer[arcs[i].from];

		layout->first_bend[i] = first;
		layout->bend_count[i] = way_count[i];
		for (int k = 0; k < way_count[i]; k++)
		{
			const Vertex *way = &graph->vertices[first_way[i] + k];
			SchedPoint *bend = &layout->bends[down ? first + k :
											  first + way_count[i] - 1 - k];

			bend->x = (int) (way->x - low + 0.5) + SCHED_MARGIN;
			bend->y = layer_y(way->layer);
		}
	}
	return layout;
}

SchedLayout *
sched_graph_layout(int node_count, const int *widths, int arc_count,
				   const SchedArc *arcs)
{
	Graph		graph;
	int		   *layer = allocate(node_count, sizeof(int));
	int		   *first_way = allocate(arc_count, sizeof(int));
	int		   *way_count = allocate(arc_count, sizeof(int));
	SchedLayout *layout;

	memset(&graph, 0, sizeof(graph));
	graph.node_count = node_count;
	assign_layers(node_count, arc_count, arcs, layer);
	add_waypoints(&graph, arc_count, arcs, layer, first_way, way_count);
	for (int i = 0; i < node_count; i++)
	{
		graph.vertices[i].layer = layer[i];
		graph.vertices[i].width = widths[i];
	}
	link_neighbours(&graph);
	fill_layers(&graph);
	reduce_crossings(&graph);
	place(&graph);
	layout = make_result(&graph, arc_count, arcs, first_way, way_count);

	pfree(graph.vertices);
	pfree(graph.segments);
	pfree(graph.above);
	pfree(graph.below);
	pfree(graph.layer_start);
	pfree(graph.order);
	pfree(layer);
	pfree(first_way);
	pfree(way_count);
	return layout;
}
