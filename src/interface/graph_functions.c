/*-------------------------------------------------------------------------
 *
 * graph_functions.c
 *	  SQL functions over the graph of jobs and the graphs of runs.
 *
 * Private functions: their callers have checked rights.  They read the tables
 * as of now rather than as of the caller's snapshot, since what they are asked is
 * whether something may be done.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "application/tasks/attempt.h"
#include "application/workflow/graph.h"
#include "application/tasks/record.h"
#include "application/tasks/rights.h"
#include "application/tasks/tasks.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "infrastructure/clock.h"
#include "infrastructure/memory/pending.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "parser/parser.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"

PG_FUNCTION_INFO_V1(sched_dependency_path);
PG_FUNCTION_INFO_V1(sched_sql_edge_letter);
PG_FUNCTION_INFO_V1(sched_sql_join_decision);
PG_FUNCTION_INFO_V1(sched_enqueue_placed);
PG_FUNCTION_INFO_V1(sched_sql_check_expression);

/* A job that was reached, and from where. */
typedef struct Reached
{
	int64		job_id;			/* hash key */
	int64		from;			/* 0: the start */
} Reached;

static Datum
path_to(HTAB *reached, int64 job_id)
{
	List	   *path = NIL;
	ListCell   *cell;
	Datum	   *elements;
	int			n = 0;

	while (job_id != 0)
	{
		Reached    *entry = hash_search(reached, &job_id, HASH_FIND, NULL);

		path = lcons(entry, path);
		job_id = entry->from;
	}
	elements = palloc(list_length(path) * sizeof(Datum));
	foreach(cell, path)
		elements[n++] = Int64GetDatum(((Reached *) lfirst(cell))->job_id);
	return PointerGetDatum(construct_array(elements, n, INT8OID, 8,
										   FLOAT8PASSBYVAL,
										   TYPALIGN_DOUBLE));
}

/*
 * The way from a job over those that depend on it to another, by breadth.
 * A new job has none that depend on it, so that building a large graph costs nothing.
 */
Datum
sched_dependency_path(PG_FUNCTION_ARGS)
{
	int64		start = PG_GETARG_INT64(0);
	int64		target = PG_GETARG_INT64(1);
	HASHCTL		control = {0};
	HTAB	   *reached;
	Reached    *entry;
	List	   *level;
	bool		found;

	sched_require_owner("_dependency_path");
	control.keysize = sizeof(int64);
	control.entrysize = sizeof(Reached);
	control.hcxt = CurrentMemoryContext;
	reached = hash_create("sched reached jobs", 64, &control,
						  HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	entry = hash_search(reached, &start, HASH_ENTER, &found);
	entry->from = 0;
	level = list_make1(entry);
	while (level != NIL)
	{
		List	   *next = NIL;
		ListCell   *cell;

		foreach(cell, level)
		{
			int64		job_id = ((Reached *) lfirst(cell))->job_id;
			int			count;
			SchedEdge  *edges = sched_store_edges_on(job_id, &count);

			for (int i = 0; i < count; i++)
			{
				if (edges[i].removed || edges[i].type == SCHED_EDGE_MUTEX)
					continue;
				entry = hash_search(reached, &edges[i].job_id, HASH_ENTER,
									&found);
				if (found)
					continue;
				entry->from = job_id;
				if (entry->job_id == target)
					PG_RETURN_DATUM(path_to(reached, target));
				next = lappend(next, entry);
			}
			CHECK_FOR_INTERRUPTS();
		}
		list_free(level);
		level = next;
	}
	PG_RETURN_NULL();
}

/* ---------- rules ---------- */

Datum
sched_sql_edge_letter(PG_FUNCTION_ARGS)
{
	char	   *type_name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char	   *status_name = text_to_cstring(PG_GETARG_TEXT_PP(1));
	SchedEdgeType type;
	SchedTaskStatus status;
	char		letter[2] = "";

	if (!sched_edge_type_from_name(type_name, &type) ||
		!sched_task_status_from_name(status_name, &status))
		PG_RETURN_NULL();
	letter[0] = (char) sched_edge_letter(type, status, PG_GETARG_BOOL(2),
										 SCHED_CONDITION_UNKNOWN);
	PG_RETURN_TEXT_P(cstring_to_text(letter));
}

/* Letters may be separated by whatever. */
Datum
sched_sql_join_decision(PG_FUNCTION_ARGS)
{
	char	   *rule_name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char	   *letters = text_to_cstring(PG_GETARG_TEXT_PP(1));
	SchedJoinRule rule;
	SchedJoinCounts counts = {0};

	if (!sched_join_rule_from_name(rule_name, &rule))
		PG_RETURN_NULL();
	for (char *c = letters; *c != '\0'; c++)
		if (strchr("SFUKP", *c) != NULL)
			sched_join_count_letter(&counts, (SchedEdgeLetter) *c);
	PG_RETURN_TEXT_P(cstring_to_text(sched_join_decision_name(sched_join_decide(rule,
																				&counts))));
}

/*
 * Is it one expression, as far as the grammar goes?  Nothing is looked up in
 * catalogs: whose names they are is decided when it is evaluated.
 */
Datum
sched_sql_check_expression(PG_FUNCTION_ARGS)
{
	char	   *query = psprintf("SELECT (%s\n)",
								 text_to_cstring(PG_GETARG_TEXT_PP(0)));
	List	   *parsed = raw_parser(query, RAW_PARSE_DEFAULT);
	SelectStmt *select;

	if (list_length(parsed) != 1)
		PG_RETURN_BOOL(false);
	select = (SelectStmt *) linitial_node(RawStmt, parsed)->stmt;
	PG_RETURN_BOOL(IsA(select, SelectStmt) &&
				   list_length(select->targetList) == 1 &&
				   select->fromClause == NIL && select->op == SETOP_NONE &&
				   select->whereClause == NULL &&
				   select->groupClause == NIL && select->sortClause == NIL);
}

/* ---------- once more ---------- */

/* A task whose row in _node the caller has written. */
Datum
sched_enqueue_placed(PG_FUNCTION_ARGS)
{
	SchedTaskRow row = {0};
	QLaneSpec	lane;
	QTaskSpec	spec = {0};
	SchedJob   *job;
	uint32		generation;
	TimestampTz now = sched_clock_now();

	sched_shmem_require();
	sched_require_owner("_enqueue_placed");
	for (int i = 0; i < 5; i++)
		if (PG_ARGISNULL(i))
			elog(ERROR, "_enqueue_placed() lacks an argument");
	generation = sched_pending_job_generation();
	job = sched_store_job(PG_GETARG_INT64(1));
	if (job == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("job %lld does not exist",
						(long long) PG_GETARG_INT64(1))));
	row.task_id = PG_GETARG_INT64(0);
	row.job_id = job->job_id;
	row.run_id = PG_GETARG_INT64(2);
	row.rerun_of = PG_GETARG_INT64(3);
	row.trigger_id = SCHED_UNSET;
	row.scheduled_at = PG_GETARG_TIMESTAMPTZ(4);
	row.created_at = now;
	row.parameters = PG_ARGISNULL(5) ? NULL : PG_GETARG_JSONB_P(5);
	row.priority = PG_ARGISNULL(6) ? 0 : PG_GETARG_INT32(6);
	row.placed = true;
	sched_record_tasks(&row, 1);

	sched_lane_spec(job, &lane);
	spec.task_id = row.task_id;
	spec.run_id = row.run_id;
	spec.due_at = Max(row.scheduled_at, now);
	spec.scheduled_at = row.scheduled_at;
	spec.has_parameters = row.parameters != NULL;
	spec.priority = row.priority != 0 ? row.priority : job->priority;
	spec.attempt = 1;
	spec.waits = spec.evaluate = !PG_ARGISNULL(7) && PG_GETARG_BOOL(7);
	spec.rule = job->trigger_rule;
	if (spec.waits && job->dependency_timeout > 0)
		spec.give_up_at = now + job->dependency_timeout;
	sched_pending_add_task(&lane, &spec, generation);
	PG_RETURN_VOID();
}
