/*-------------------------------------------------------------------------
 *
 * graph_draw.c
 *	  A graph of jobs as text: for Mermaid, for Graphviz, as JSON, as SVG.
 *
 * Nodes and edges come in the order in which the caller has them.  Names are
 * what users made of them: each format has its own way to quote, and none of the
 * texts can be left by a name.  Names are taken as bytes of an encoding in which
 * those below 128 are ASCII, as all of the server's are.
 *
 *-------------------------------------------------------------------------
 */
#ifndef FRONTEND
#include "postgres.h"
#else
#include "postgres_fe.h"
#endif

#include "lib/stringinfo.h"
#include "domain/graph_draw.h"

#define CHAR_WIDTH		8
#define MIN_NODE_WIDTH	64

typedef struct Colour
{
	const char *status;
	const char *fill;
	const char *line;
} Colour;

static const Colour colours[] = {
	{"scheduled", "#eef2f7", "#8a97a8"},
	{"waiting", "#eef2f7", "#8a97a8"},
	{"ready", "#e0ecff", "#3f6fb5"},
	{"assigned", "#d6e4ff", "#3f6fb5"},
	{"running", "#cfe2ff", "#1f5fbf"},
	{"waiting_retry", "#fff3cd", "#b58900"},
	{"completed", "#d6f5dd", "#2e8b4f"},
	{"failed", "#fbd5d5", "#c0392b"},
	{"timeout", "#fbd5d5", "#c0392b"},
	{"upstream_failed", "#fde3cf", "#cc6d1d"},
	{"cancelled", "#e4e4e4", "#777777"},
	{"skipped", "#f3e9fb", "#8e5bb5"},
	{"missed", "#f3e9fb", "#8e5bb5"},
	/* of jobs */
	{"active", "#ffffff", "#3f6fb5"},
	{"created", "#ffffff", "#8a97a8"},
	{"paused", "#fff3cd", "#b58900"},
	{"disabled", "#e4e4e4", "#777777"},
};

static const char *const format_names[] = {
	[SCHED_GRAPH_MERMAID] = "mermaid",
	[SCHED_GRAPH_DOT] = "dot",
	[SCHED_GRAPH_JSON] = "json",
	[SCHED_GRAPH_SVG] = "svg",
};

bool
sched_graph_format_from_name(const char *name, SchedGraphFormat *format)
{
	for (int i = 0; i < lengthof(format_names); i++)
		if (pg_strcasecmp(name, format_names[i]) == 0)
		{
			*format = (SchedGraphFormat) i;
			return true;
		}
	return false;
}

static const Colour *
colour_of(const char *status)
{
	for (int i = 0; i < lengthof(colours); i++)
		if (strcmp(colours[i].status, status) == 0)
			return &colours[i];
	return &colours[0];
}

static bool
is_plain(const SchedGraphEdge *edge)
{
	return strcmp(edge->type, "success") == 0;
}

static bool
is_weak(const SchedGraphEdge *edge)
{
	return strcmp(edge->type, "soft") == 0 ||
		strcmp(edge->type, "mutex") == 0;
}

/* ---------- Mermaid ---------- */

/* Within double quotes; entities begin with "#" there. */
static void
append_mermaid(StringInfo out, const char *name)
{
	for (; *name != '\0'; name++)
	{
		switch (*name)
		{
			case '"':
				appendStringInfoString(out, "#quot;");
				break;
			case '#':
			case '`':			/* a text in these would be Markdown */
			case '\\':
			case '&':
			case '<':
			case '>':
				appendStringInfo(out, "#%d;", *name);
				break;
			default:
				appendStringInfoChar(out, (unsigned char) *name < 0x20 ? ' ' : *name);
				break;
		}
	}
}

static void
draw_mermaid(StringInfo out, const SchedGraph *graph)
{
	appendStringInfoString(out, "flowchart TD\n");
	for (int i = 0; i < graph->node_count; i++)
	{
		appendStringInfo(out, "    j" INT64_FORMAT "[\"",
						 graph->nodes[i].job_id);
		append_mermaid(out, graph->nodes[i].name);
		appendStringInfoString(out, "\"]\n");
	}
	for (int i = 0; i < graph->edge_count; i++)
	{
		const SchedGraphEdge *edge = &graph->edges[i];

		appendStringInfo(out, "    j" INT64_FORMAT " %s",
						 graph->nodes[edge->arc.from].job_id,
						 is_weak(edge) ? "-.->" : "-->");
		if (!is_plain(edge))
			appendStringInfo(out, "|%s|", edge->type);
		appendStringInfo(out, " j" INT64_FORMAT "\n",
						 graph->nodes[edge->arc.to].job_id);
	}
	for (int c = 0; c < lengthof(colours); c++)
	{
		bool		first = true;

		for (int i = 0; i < graph->node_count; i++)
		{
			if (strcmp(graph->nodes[i].status, colours[c].status) != 0)
				continue;
			if (first)
				appendStringInfo(out,
								 "    classDef %s fill:%s,stroke:%s,color:#222222\n"
								 "    class ",
								 colours[c].status, colours[c].fill,
								 colours[c].line);
			appendStringInfo(out, "%sj" INT64_FORMAT, first ? "" : ",",
							 graph->nodes[i].job_id);
			first = false;
		}
		if (!first)
			appendStringInfo(out, " %s\n", colours[c].status);
	}
}

/* ---------- Graphviz ---------- */

static void
append_dot(StringInfo out, const char *name)
{
	for (; *name != '\0'; name++)
	{
		if (*name == '"' || *name == '\\')
			appendStringInfoChar(out, '\\');
		if (*name == '\n')
			appendStringInfoString(out, "\\n");
		else
			appendStringInfoChar(out, (unsigned char) *name < 0x20 ? ' ' : *name);
	}
}

static void
draw_dot(StringInfo out, const SchedGraph *graph)
{
	appendStringInfoString(out,
						   "digraph sched {\n"
						   "    rankdir=TB;\n"
						   "    node [shape=box, style=\"rounded,filled\", fontname=\"sans-serif\", fontsize=12];\n"
						   "    edge [fontname=\"sans-serif\", fontsize=10];\n");
	for (int i = 0; i < graph->node_count; i++)
	{
		const SchedGraphNode *node = &graph->nodes[i];
		const Colour *colour = colour_of(node->status);

		appendStringInfo(out, "    j" INT64_FORMAT " [label=\"", node->job_id);
		append_dot(out, node->name);
		appendStringInfo(out, "\", tooltip=\"%s\", fillcolor=\"%s\", color=\"%s\"];\n",
						 node->status, colour->fill, colour->line);
	}
	for (int i = 0; i < graph->edge_count; i++)
	{
		const SchedGraphEdge *edge = &graph->edges[i];

		appendStringInfo(out, "    j" INT64_FORMAT " -> j" INT64_FORMAT,
						 graph->nodes[edge->arc.from].job_id,
						 graph->nodes[edge->arc.to].job_id);
		if (!is_plain(edge))
			appendStringInfo(out, " [label=\"%s\"%s]", edge->type,
							 is_weak(edge) ? ", style=dashed" : "");
		appendStringInfoString(out, ";\n");
	}
	appendStringInfoString(out, "}\n");
}

/* ---------- layout ---------- */

static SchedLayout *
lay_out(const SchedGraph *graph, int **widths)
{
	SchedArc   *arcs = palloc(Max(graph->edge_count, 1) * sizeof(SchedArc));
	SchedLayout *layout;

	*widths = palloc(Max(graph->node_count, 1) * sizeof(int));
	for (int i = 0; i < graph->node_count; i++)
		(*widths)[i] = Max(MIN_NODE_WIDTH,
						   graph->nodes[i].label_chars * CHAR_WIDTH + 20);
	for (int i = 0; i < graph->edge_count; i++)
		arcs[i] = graph->edges[i].arc;
	layout = sched_graph_layout(graph->node_count, *widths, graph->edge_count,
								arcs);
	pfree(arcs);
	return layout;
}

/* ---------- JSON ---------- */

static void
append_json(StringInfo out, const char *name)
{
	appendStringInfoChar(out, '"');
	for (; *name != '\0'; name++)
	{
		if (*name == '"' || *name == '\\')
			appendStringInfo(out, "\\%c", *name);
		else if ((unsigned char) *name < 0x20)
			appendStringInfo(out, "\\u%04x", *name);
		else
			appendStringInfoChar(out, *name);
	}
	appendStringInfoChar(out, '"');
}

static void
draw_json(StringInfo out, const SchedGraph *graph)
{
	int		   *widths;
	SchedLayout *layout = lay_out(graph, &widths);

	appendStringInfoString(out, "{\"run_id\": ");
	if (graph->run_id != 0)
		appendStringInfo(out, INT64_FORMAT, graph->run_id);
	else
		appendStringInfoString(out, "null");
	appendStringInfoString(out, ", \"nodes\": [");
	for (int i = 0; i < graph->node_count; i++)
	{
		const SchedGraphNode *node = &graph->nodes[i];

		appendStringInfo(out, "%s\n  {\"job_id\": " INT64_FORMAT ", \"name\": ",
						 i > 0 ? "," : "", node->job_id);
		append_json(out, node->name);
		appendStringInfo(out, ", \"status\": \"%s\", \"layer\": %d",
						 node->status, layout->layer[i]);
		if (node->task_id != 0)
			appendStringInfo(out, ", \"task_id\": " INT64_FORMAT,
							 node->task_id);
		appendStringInfoChar(out, '}');
	}
	appendStringInfoString(out, "], \"edges\": [");
	for (int i = 0; i < graph->edge_count; i++)
		appendStringInfo(out, "%s\n  {\"from\": " INT64_FORMAT ", \"to\": " INT64_FORMAT ", \"type\": \"%s\"}",
						 i > 0 ? "," : "",
						 graph->nodes[graph->edges[i].arc.from].job_id,
						 graph->nodes[graph->edges[i].arc.to].job_id,
						 graph->edges[i].type);
	appendStringInfoString(out, "]}");
}

/* ---------- SVG ---------- */

static void
append_xml(StringInfo out, const char *name)
{
	for (; *name != '\0'; name++)
	{
		switch (*name)
		{
			case '&':
				appendStringInfoString(out, "&amp;");
				break;
			case '<':
				appendStringInfoString(out, "&lt;");
				break;
			case '>':
				appendStringInfoString(out, "&gt;");
				break;
			case '"':
				appendStringInfoString(out, "&quot;");
				break;
			case '\'':
				appendStringInfoString(out, "&#39;");
				break;
			default:
				/* XML has no way to say most of the others */
				appendStringInfoChar(out, (unsigned char) *name < 0x20 ? ' ' : *name);
				break;
		}
	}
}

/* From the border of one node over the bends to that of the other. */
static void
draw_edge(StringInfo out, const SchedGraphEdge *edge, const SchedLayout *layout,
		  int which)
{
	SchedPoint	from = layout->centre[edge->arc.from];
	SchedPoint	to = layout->centre[edge->arc.to];
	SchedPoint	last = from;
	int			half = SCHED_NODE_HEIGHT / 2;
	int			direction = to.y > from.y ? 1 : -1;

	if (edge->arc.from == edge->arc.to)
		return;
	last.y += direction * half;
	appendStringInfo(out, "<path d=\"M%d %d", last.x, last.y);
	for (int i = 0; i <= layout->bend_count[which]; i++)
	{
		SchedPoint	next = to;
		int			middle;

		if (i < layout->bend_count[which])
			next = layout->bends[layout->first_bend[which] + i];
		else if (to.y != from.y)
			next.y -= direction * half;
		middle = (last.y + next.y) / 2;
		appendStringInfo(out, " C%d %d %d %d %d %d", last.x, middle, next.x,
						 middle, next.x, next.y);
		last = next;
	}
	appendStringInfo(out, "\" class=\"edge%s\" marker-end=\"url(#arrow)\"/>\n",
					 is_weak(edge) ? " weak" : "");
	if (!is_plain(edge))
		appendStringInfo(out, "<text x=\"%d\" y=\"%d\" class=\"kind\">%s</text>\n",
						 (from.x + to.x) / 2 + 4, (from.y + to.y) / 2,
						 edge->type);
}

static void
draw_node(StringInfo out, const SchedGraphNode *node, SchedPoint centre,
		  int width)
{
	const Colour *colour = colour_of(node->status);

	appendStringInfoString(out, "<g><title>");
	append_xml(out, node->name);
	appendStringInfo(out, ": %s", node->status);
	if (node->task_id != 0)
		appendStringInfo(out, " (task " INT64_FORMAT ")", node->task_id);
	appendStringInfo(out,
					 "</title><rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"6\" fill=\"%s\" stroke=\"%s\"/>"
					 "<text x=\"%d\" y=\"%d\" class=\"name\">",
					 centre.x - width / 2, centre.y - SCHED_NODE_HEIGHT / 2,
					 width, SCHED_NODE_HEIGHT, colour->fill, colour->line,
					 centre.x, centre.y + 4);
	append_xml(out, node->label);
	appendStringInfoString(out, "</text></g>\n");
}

static void
draw_svg(StringInfo out, const SchedGraph *graph)
{
	int		   *widths;
	SchedLayout *layout = lay_out(graph, &widths);

	appendStringInfo(out,
					 "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" role=\"img\">\n"
					 "<style>.name{font:13px sans-serif;text-anchor:middle;fill:#222}"
					 ".kind{font:10px sans-serif;fill:#666}"
					 ".edge{fill:none;stroke:#8a97a8;stroke-width:1.3}"
					 ".weak{stroke-dasharray:4 3}</style>\n"
					 "<defs><marker id=\"arrow\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\">"
					 "<path d=\"M0 0 L8 4 L0 8 z\" fill=\"#8a97a8\"/></marker></defs>\n",
					 layout->width, layout->height, layout->width,
					 layout->height);
	for (int i = 0; i < graph->edge_count; i++)
		draw_edge(out, &graph->edges[i], layout, i);
	for (int i = 0; i < graph->node_count; i++)
		draw_node(out, &graph->nodes[i], layout->centre[i], widths[i]);
	appendStringInfoString(out, "</svg>\n");
}

char	   *
sched_graph_draw(const SchedGraph *graph, SchedGraphFormat format)
{
	StringInfoData out;

	initStringInfo(&out);
	switch (format)
	{
		case SCHED_GRAPH_MERMAID:
			draw_mermaid(&out, graph);
			break;
		case SCHED_GRAPH_DOT:
			draw_dot(&out, graph);
			break;
		case SCHED_GRAPH_JSON:
			draw_json(&out, graph);
			break;
		case SCHED_GRAPH_SVG:
			draw_svg(&out, graph);
			break;
	}
	return out.data;
}
