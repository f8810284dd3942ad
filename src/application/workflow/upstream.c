/*-------------------------------------------------------------------------
 *
 * upstream.c
 *	  What a task is told of those that it waited for.
 *
 * Runs in whoever runs the task, as an ordinary role: reads the tables below the
 * SQL level.  What a job's owner sees in here of another's job is what the
 * one who added the dependency had to be allowed to see.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "application/workflow/condition.h"
#include "application/workflow/graph.h"
#include "application/tasks/tasks.h"
#include "application/workflow/upstream.h"
#include "utils/builtins.h"
#include "utils/json.h"

static void
append_json(StringInfo out, const char *key, Jsonb *value)
{
	appendStringInfo(out, ", \"%s\": ", key);
	if (value == NULL)
		appendStringInfoString(out, "null");
	else
		(void) JsonbToCString(out, &value->root, VARSIZE(value));
}

/* The word for what an upstream task is doing or has come to. */
static const char *
status_of(int64 task_id)
{
	int			attempt;
	char		code;
	bool		final = false;
	TimestampTz at;
	SchedTaskStatus status;
	SchedAttempt live;

	if (sched_store_last_outcome(task_id, &attempt, &code, &final, &at) &&
		final)
		return sched_task_status_name(sched_outcome_status(code));
	if (sched_task_live(task_id, &status, &live))
		return sched_task_status_name(status);
	return sched_task_status_name(SCHED_TASK_WAITING);
}

static void
append_upstream(StringInfo out, const SchedJob *job, int64 task_id)
{
	SchedTaskRow task;

	escape_json(out, job->name);
	if (task_id == 0 || !sched_store_task(task_id, &task))
	{
		appendStringInfoString(out, ": {\"status\": null, \"task_id\": null, \"result\": null}");
		return;
	}
	appendStringInfo(out, ": {\"status\": \"%s\", \"task_id\": %lld",
					 status_of(task_id), (long long) task_id);
	append_json(out, "result", sched_store_result(task_id));
	append_json(out, "parameters", sched_condition_parameters(job, &task));
	appendStringInfoChar(out, '}');
}

bool
sched_upstream_describe(int64 task_id, StringInfo out)
{
	SchedNode	node;
	SchedLetterRow *letters;
	int			count;
	bool		first = true;

	if (!sched_store_node(task_id, &node) || node.in_count == 0)
		return false;
	letters = sched_store_letters(task_id, &count);
	appendStringInfoChar(out, '{');
	for (int i = 0; i < node.in_count; i++)
	{
		SchedEdge	edge;
		SchedJob   *job;
		int64		upstream = node.in_tasks[i];

		if (!sched_store_edge(node.in_edges[i], &edge) ||
			edge.type == SCHED_EDGE_MUTEX ||
			(job = sched_store_job(edge.upstream_id)) == NULL)
			continue;
		for (int k = 0; k < count; k++)
			if (letters[k].edge == i && letters[k].upstream_task != 0)
				upstream = letters[k].upstream_task;
		if (!first)
			appendStringInfoString(out, ", ");
		first = false;
		append_upstream(out, job, upstream);
	}
	appendStringInfoChar(out, '}');
	return true;
}
