/*-------------------------------------------------------------------------
 *
 * dependency_graph.c
 *	  Behind sched.dependency_graph(): nodes and edges, as arrays, to a text.
 *
 * What the caller may see has been decided by the SQL function that calls this.
 * Graphviz is not run: a backend that starts programs would be a hole.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "domain/graph_draw.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(sched_sql_graph_draw);

/* A name in a node of the picture is cut behind so many bytes. */
#define MAX_LABEL_BYTES	40

static Datum *
elements(FunctionCallInfo fcinfo, int n, Oid type, int *count, bool **nulls)
{
	bool		by_value = type == INT8OID || type == INT4OID;
	int			length = type == INT8OID ? 8 : type == INT4OID ? 4 : -1;
	Datum	   *values;

	deconstruct_array(PG_GETARG_ARRAYTYPE_P(n), type, length, by_value,
					  type == INT8OID ? TYPALIGN_DOUBLE : TYPALIGN_INT,
					  &values, nulls, count);
	return values;
}

static char *
make_label(const char *name, int *chars)
{
	int			length = strlen(name);
	int			cut = pg_mbcliplen(name, length, MAX_LABEL_BYTES);
	char	   *label = cut == length ? pstrdup(name) :
	psprintf("%.*s...", cut, name);

	*chars = pg_mbstrlen(label);
	return label;
}

/*
 * _graph_draw(format, run_id, job_ids, names, states, task_ids, from, to, types):
 * from and to are positions in the arrays of nodes, counted from 1.
 */
Datum
sched_sql_graph_draw(PG_FUNCTION_ARGS)
{
	SchedGraphFormat format;
	SchedGraph	graph = {0};
	SchedGraphNode *nodes;
	SchedGraphEdge *edges;
	Datum	   *ids;
	Datum	   *names;
	Datum	   *states;
	Datum	   *tasks;
	Datum	   *from;
	Datum	   *to;
	Datum	   *types;
	bool	   *nulls;
	bool	   *no_task;
	int			counts[7];

	if (!sched_graph_format_from_name(text_to_cstring(PG_GETARG_TEXT_PP(0)),
									  &format))
		elog(ERROR, "unknown format of a graph");
	graph.run_id = PG_GETARG_INT64(1);
	ids = elements(fcinfo, 2, INT8OID, &counts[0], &nulls);
	names = elements(fcinfo, 3, TEXTOID, &counts[1], &nulls);
	states = elements(fcinfo, 4, TEXTOID, &counts[2], &nulls);
	tasks = elements(fcinfo, 5, INT8OID, &counts[3], &no_task);
	from = elements(fcinfo, 6, INT4OID, &counts[4], &nulls);
	to = elements(fcinfo, 7, INT4OID, &counts[5], &nulls);
	types = elements(fcinfo, 8, TEXTOID, &counts[6], &nulls);
	for (int i = 1; i < 4; i++)
		if (counts[i] != counts[0])
			elog(ERROR, "a node of the graph is incomplete");
	if (counts[5] != counts[4] || counts[6] != counts[4])
		elog(ERROR, "an edge of the graph is incomplete");

	graph.node_count = counts[0];
	graph.nodes = nodes = palloc0(Max(counts[0], 1) * sizeof(SchedGraphNode));
	for (int i = 0; i < counts[0]; i++)
	{
		nodes[i].job_id = DatumGetInt64(ids[i]);
		nodes[i].name = TextDatumGetCString(names[i]);
		nodes[i].label = make_label(nodes[i].name, &nodes[i].label_chars);
		nodes[i].status = TextDatumGetCString(states[i]);
		nodes[i].task_id = no_task[i] ? 0 : DatumGetInt64(tasks[i]);
	}
	graph.edge_count = counts[4];
	graph.edges = edges = palloc0(Max(counts[4], 1) * sizeof(SchedGraphEdge));
	for (int i = 0; i < counts[4]; i++)
	{
		edges[i].arc.from = DatumGetInt32(from[i]) - 1;
		edges[i].arc.to = DatumGetInt32(to[i]) - 1;
		edges[i].type = TextDatumGetCString(types[i]);
		if (edges[i].arc.from < 0 || edges[i].arc.from >= counts[0] ||
			edges[i].arc.to < 0 || edges[i].arc.to >= counts[0])
			elog(ERROR, "an edge of the graph leads nowhere");
	}
	PG_RETURN_TEXT_P(cstring_to_text(sched_graph_draw(&graph, format)));
}
