/*-------------------------------------------------------------------------
 *
 * test_graph.c
 *	  Layouts keep layers apart and nodes off each other, drawings quote what
 *	  users named, and neither takes long.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include "domain/graph_draw.h"
#include "unit.h"

/* A generator of our own, so that every run draws the same. */
static uint32
pseudo_random(uint32 *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 8;
}

static int *
equal_widths(int count)
{
	int		   *widths = palloc(Max(count, 1) * sizeof(int));

	for (int i = 0; i < count; i++)
		widths[i] = 80 + (i % 5) * 10;
	return widths;
}

/* Edges lead downwards and no two nodes of a layer overlap. */
static bool
is_sound(const SchedLayout *layout, int nodes, const int *widths, int arcs,
		 const SchedArc *arc, bool acyclic)
{
	int		   *by_layer = palloc0((layout->layer_count + 1) * sizeof(int));
	int		   *order = palloc(Max(nodes, 1) * sizeof(int));
	bool		sound = true;

	for (int i = 0; acyclic && i < arcs; i++)
		sound &= layout->layer[arc[i].from] < layout->layer[arc[i].to];
	for (int i = 0; i < arcs; i++)
		for (int k = 0; k < layout->bend_count[i]; k++)
		{
			SchedPoint	bend = layout->bends[layout->first_bend[i] + k];

			sound &= bend.x >= 0 && bend.x <= layout->width;
		}
	for (int i = 0; i < nodes; i++)
	{
		sound &= layout->layer[i] >= 0 && layout->layer[i] < layout->layer_count;
		sound &= layout->centre[i].x - widths[i] / 2 >= 0;
		sound &= layout->centre[i].x + widths[i] / 2 <= layout->width;
		sound &= layout->centre[i].y + SCHED_NODE_HEIGHT / 2 <= layout->height;
		by_layer[layout->layer[i] + 1]++;
	}
	for (int i = 0; i < layout->layer_count; i++)
		by_layer[i + 1] += by_layer[i];
	for (int i = 0; i < nodes; i++)
		order[by_layer[layout->layer[i]]++] = i;
	/* within a layer: compare all pairs, of small ones */
	for (int i = 0; i < nodes; i++)
		for (int k = i + 1; k < nodes && k < i + 200 &&
			 layout->layer[order[k]] == layout->layer[order[i]]; k++)
		{
			int			a = order[i];
			int			b = order[k];

			sound &= abs(layout->centre[a].x - layout->centre[b].x) >=
				(widths[a] + widths[b]) / 2;
		}
	return sound;
}

static void
test_shapes(void)
{
	static const SchedArc diamond[] = {{0, 1}, {0, 2}, {1, 3}, {2, 3}};
	static const SchedArc shortcut[] = {{0, 1}, {1, 2}, {2, 3}, {0, 3}};
	static const SchedArc circle[] = {{0, 1}, {1, 2}, {2, 0}, {2, 3}, {3, 3}};
	int		   *widths = equal_widths(4);
	SchedLayout *layout = sched_graph_layout(4, widths, 4, diamond);

	unit_is_int(layout->layer_count, 3, "a diamond has three layers");
	unit_ok(layout->layer[1] == 1 && layout->layer[2] == 1, "its sides stand side by side");
	unit_ok(is_sound(layout, 4, widths, 4, diamond, true), "a diamond is sound");
	unit_ok(layout->centre[1].x < layout->centre[2].x, "the order of the input breaks ties");

	layout = sched_graph_layout(4, widths, 4, shortcut);
	unit_is_int(layout->layer[3], 3, "the longest path decides about the layer");
	unit_is_int(layout->bend_count[3], 2, "an edge over three layers has two bends");
	unit_ok(layout->bends[layout->first_bend[3]].y < layout->bends[layout->first_bend[3] + 1].y,
			"in their order");

	layout = sched_graph_layout(4, widths, 5, circle);
	unit_ok(is_sound(layout, 4, widths, 5, circle, false), "a circle and a loop do no harm");
	layout = sched_graph_layout(0, widths, 0, NULL);
	unit_ok(layout->width > 0 && layout->height > 0, "nothing can be drawn");
	layout = sched_graph_layout(1, widths, 0, NULL);
	unit_ok(is_sound(layout, 1, widths, 0, NULL, true), "one node can be drawn");
}

/* Two rows joined crosswise: the order of the second is turned around. */
static void
test_crossings(void)
{
	enum
	{
		N = 20
	};
	SchedArc	arcs[N];
	int		   *widths = equal_widths(2 * N);
	SchedLayout *layout;
	int			crossings = 0;

	for (int i = 0; i < N; i++)
	{
		arcs[i].from = i;
		arcs[i].to = 2 * N - 1 - i;
	}
	layout = sched_graph_layout(2 * N, widths, N, arcs);
	for (int i = 0; i < N; i++)
		for (int k = i + 1; k < N; k++)
			if ((layout->centre[arcs[i].from].x < layout->centre[arcs[k].from].x) !=
				(layout->centre[arcs[i].to].x < layout->centre[arcs[k].to].x))
				crossings++;
	unit_is_int(crossings, 0, "crossings that need not be are gone");
	unit_ok(is_sound(layout, 2 * N, widths, N, arcs, true), "and nothing overlaps");
}

static void
test_random(void)
{
	uint32		state = 7;
	int			bad = 0;

	for (int round = 0; round < 200; round++)
	{
		int			nodes = 1 + pseudo_random(&state) % 60;
		int			count = pseudo_random(&state) % 150;
		SchedArc   *arcs = palloc(Max(count, 1) * sizeof(SchedArc));
		int		   *widths = equal_widths(nodes);
		bool		acyclic = round % 2 == 0 && nodes > 1;
		SchedLayout *layout;
		SchedLayout *again;

		for (int i = 0; i < count; i++)
		{
			arcs[i].from = pseudo_random(&state) % nodes;
			arcs[i].to = pseudo_random(&state) % nodes;
			if (acyclic && arcs[i].from >= arcs[i].to)
			{
				int			low = Min(arcs[i].to, nodes - 2);

				arcs[i].to = Max(arcs[i].from, low + 1);
				arcs[i].from = low;
				if (arcs[i].from == arcs[i].to)
					arcs[i].to++;
			}
		}
		layout = sched_graph_layout(nodes, widths, count, arcs);
		again = sched_graph_layout(nodes, widths, count, arcs);
		if (!is_sound(layout, nodes, widths, count, arcs, acyclic) ||
			memcmp(layout->centre, again->centre, nodes * sizeof(SchedPoint)) != 0)
			bad++;
	}
	unit_is_int(bad, 0, "200 random graphs are sound, and the same each time");
}

static void
test_time(void)
{
	enum
	{
		NODES = 10000, ARCS = 30000
	};
	SchedArc   *arcs = palloc(ARCS * sizeof(SchedArc));
	int		   *widths = equal_widths(NODES);
	uint32		state = 1;
	SchedLayout *layout;
	double		before;

	for (int i = 0; i < ARCS; i++)
	{
		arcs[i].from = pseudo_random(&state) % (NODES - 100);
		arcs[i].to = arcs[i].from + 100 - arcs[i].from % 100 +
			pseudo_random(&state) % 100;
	}
	before = unit_cpu_seconds();
	layout = sched_graph_layout(NODES, widths, ARCS, arcs);
	unit_ok(unit_cpu_seconds() - before < 5, "10,000 nodes in 100 layers are laid out in time");
	unit_ok(layout->layer_count == 100 && is_sound(layout, NODES, widths, ARCS, arcs, true), "and well");

	/* edges over all layers: more waypoints than there may be */
	for (int i = 0; i < ARCS; i++)
	{
		arcs[i].from = i < NODES - 1 ? i : pseudo_random(&state) % 100;
		arcs[i].to = i < NODES - 1 ? i + 1 : NODES - 1 - pseudo_random(&state) % 100;
	}
	before = unit_cpu_seconds();
	layout = sched_graph_layout(NODES, widths, ARCS, arcs);
	unit_ok(unit_cpu_seconds() - before < 5 && layout->layer_count == NODES,
			"a chain of 10,000 with 20,000 edges over almost all of it, too");
}

/* Three nodes with every kind of name. */
static const SchedGraphNode nasty[] = {
	{1, "quote \" and \\ back", "quote \" and \\ back", 18, "completed", 11},
	{2, "<b>&'#`x`", "<b>&'#`x`", 9, "failed", 12},
	{3, "line\nbreak \xc3\xa4\xe2\x82\xac", "line", 4, "waiting", 0},
};
static const SchedGraphEdge nasty_edges[] = {
	{{0, 1}, "success"}, {{0, 2}, "failure"}, {{1, 2}, "mutex"},
};

static void
check_has(const char *text, const char *part, const char *claim)
{
	if (!unit_ok(strstr(text, part) != NULL, "%s", claim))
		printf("# %s\n", text);
}

static void
test_texts(void)
{
	SchedGraph	graph = {7, 3, nasty, 3, nasty_edges};
	SchedGraph	empty = {0, 0, NULL, 0, NULL};
	char	   *text = sched_graph_draw(&graph, SCHED_GRAPH_MERMAID);

	check_has(text, "flowchart TD\n", "Mermaid begins with its kind");
	check_has(text, "j1[\"quote #quot; and #92; back\"]", "Mermaid: quotes");
	check_has(text, "j2[\"#60;b#62;#38;'#35;#96;x#96;\"]", "Mermaid: marks of HTML and Markdown");
	check_has(text, "j3[\"line break \xc3\xa4\xe2\x82\xac\"]", "Mermaid: line breaks and other letters");
	check_has(text, "j1 --> j2\n", "Mermaid: an edge of type success");
	check_has(text, "j1 -->|failure| j3\n", "Mermaid: the type of another");
	check_has(text, "j2 -.->|mutex| j3\n", "Mermaid: a weak one");
	check_has(text, "class j1 completed", "Mermaid: states are classes");

	text = sched_graph_draw(&graph, SCHED_GRAPH_DOT);

	check_has(text, "j1 [label=\"quote \\\" and \\\\ back\"", "dot: quotes");
	check_has(text, "j3 [label=\"line\\nbreak \xc3\xa4\xe2\x82\xac\"", "dot: line breaks");
	check_has(text, "j1 -> j3 [label=\"failure\"];", "dot: types");
	check_has(text, "style=dashed", "dot: a weak edge");

	text = sched_graph_draw(&graph, SCHED_GRAPH_JSON);

	check_has(text, "\"name\": \"quote \\\" and \\\\ back\"", "JSON: quotes");
	check_has(text, "\"name\": \"line\\u000abreak", "JSON: line breaks");
	check_has(text, "\"run_id\": 7", "JSON: the run");
	check_has(text, "\"status\": \"failed\", \"layer\": 1, \"task_id\": 12", "JSON: state, layer and task");

	text = sched_graph_draw(&graph, SCHED_GRAPH_SVG);

	check_has(text, "<title>&lt;b&gt;&amp;&#39;#`x`: failed (task 12)</title>", "SVG: marks of XML");
	check_has(text, ">quote &quot; and \\ back</text>", "SVG: quotes");
	unit_ok(strstr(text, "<b>") == NULL, "SVG: no name becomes an element");
	check_has(text, "class=\"edge weak\"", "SVG: a weak edge");
	unit_is_str(text +strlen(text) - 7, "</svg>\n", "SVG: it ends");

	unit_is_str(sched_graph_draw(&empty, SCHED_GRAPH_MERMAID), "flowchart TD\n", "nothing, for Mermaid");
	unit_is_str(sched_graph_draw(&empty, SCHED_GRAPH_JSON), "{\"run_id\": null, \"nodes\": [], \"edges\": []}", "nothing, as JSON");
	check_has(sched_graph_draw(&empty, SCHED_GRAPH_SVG), "</svg>", "nothing, as SVG");
}

static void
test_formats(void)
{
	SchedGraphFormat format;

	unit_ok(sched_graph_format_from_name("SVG", &format) && format == SCHED_GRAPH_SVG, "formats in any case");
	unit_ok(!sched_graph_format_from_name("png", &format), "and no others");
}

int
main(void)
{
	test_shapes();
	test_crossings();
	test_random();
	test_time();
	test_texts();
	test_formats();
	return unit_done();
}
