/*-------------------------------------------------------------------------
 *
 * condition.c
 *	  The conditions of dependencies, evaluated as the job's owner.
 *
 * A condition is a SQL expression over status, result and parameters of the upstream
 * task.  The scheduler, which runs nothing of a user's, asks for it as a
 * chore (chore.c) when the upstream task has ended; a worker that is connected as
 * the owner of the waiting job evaluates it, in a transaction that may only
 * read, and writes the letter: S for true, K for false or NULL.  If it raises an
 * error, and does so again where that makes sense, the letter is F, with the
 * message as the reason.
 *
 * A letter is written once; who comes later finds it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "application/workflow/condition.h"
#include "application/workflow/graph.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "infrastructure/clock.h"
#include "infrastructure/memory/pending.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

typedef struct Answer
{
	SchedEdgeLetter letter;
	int64		upstream_task;
} Answer;

Jsonb	   *
sched_condition_parameters(const SchedJob *job, const SchedTaskRow *task)
{
	Datum		parameters;

	if (job == NULL)
		return task->parameters;
	parameters = JsonbPGetDatum(job->parameters);
	if (task->parameters != NULL)
		parameters = DirectFunctionCall2(jsonb_concat, parameters,
										 JsonbPGetDatum(task->parameters));
	return DatumGetJsonbP(parameters);
}

/* The upstream task of the edge, 0: not known; done: the letter is there. */
static int64
upstream_of(const SchedNode *node, int edge, bool *done)
{
	int			count;
	SchedLetterRow *letters = sched_store_letters(node->task_id, &count);
	int64		upstream = node->in_tasks[edge];

	*done = false;
	for (int i = 0; i < count; i++)
	{
		if (letters[i].edge != edge)
			continue;
		if (letters[i].letter != SCHED_LETTER_PENDING)
			*done = true;
		else
			upstream = letters[i].upstream_task;
	}
	return upstream;
}

/* True, false or NULL as a letter. */
static SchedEdgeLetter
evaluate(const char *condition, const char *status, Jsonb *result,
		 Jsonb *parameters)
{
	Oid			types[3] = {TEXTOID, JSONBOID, JSONBOID};
	Datum		values[3];
	char		nulls[4] = "   ";
	char	   *query = psprintf("SELECT (%s\n)::pg_catalog.bool FROM "
								 "(SELECT $1 AS status, $2 AS result, $3 AS parameters) AS upstream",
								 condition);
	bool		isnull;
	bool		value;

	values[0] = CStringGetTextDatum(status);
	values[1] = JsonbPGetDatum(result);
	nulls[1] = result == NULL ? 'n' : ' ';
	values[2] = JsonbPGetDatum(parameters);
	nulls[2] = parameters == NULL ? 'n' : ' ';

	XactReadOnly = true;
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (SPI_execute_with_args(query, 3, types, values, nulls, false, 2) !=
		SPI_OK_SELECT || SPI_tuptable->tupdesc->natts != 1 ||
		SPI_gettypeid(SPI_tuptable->tupdesc, 1) != BOOLOID ||
		SPI_processed > 1)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("the condition is not one boolean expression")));
	value = SPI_processed == 1 &&
		DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0],
								   SPI_tuptable->tupdesc, 1, &isnull)) &&
		!isnull;
	SPI_finish();
	return value ? SCHED_LETTER_SATISFIED : SCHED_LETTER_SKIPPED;
}

static void *
ask(const SchedChore *chore, MemoryContext context)
{
	int			position = (int) chore->id2;
	SchedNode	node;
	SchedEdge	edge;
	SchedJob   *job;
	SchedTaskRow task;
	Answer	   *answer;
	int			attempt;
	char		code;
	bool		final = false;
	bool		done;
	int64		upstream;
	TimestampTz at;

	if (!sched_store_node(chore->id1, &node) || position < 0 ||
		position >= node.in_count ||
		!sched_store_edge(node.in_edges[position], &edge) ||
		edge.condition == NULL)
		return NULL;
	job = sched_store_job(node.job_id);
	if (job == NULL || job->owner != GetUserId())
		return NULL;			/* the scheduler will ask somebody else */
	upstream = upstream_of(&node, position, &done);
	if (done || upstream == 0 ||
		!sched_store_last_outcome(upstream, &attempt, &code, &final, &at) ||
		!final || !sched_store_task(upstream, &task))
		return NULL;

	answer = MemoryContextAllocZero(context, sizeof(Answer));
	answer->upstream_task = upstream;
	answer->letter = evaluate(edge.condition,
							  sched_task_status_name(sched_outcome_status(code)),
							  sched_store_result(upstream),
							  sched_condition_parameters(sched_store_job(task.job_id),
														 &task));
	return answer;
}

static void
write_letter(const SchedChore *chore, SchedEdgeLetter letter,
			 int64 upstream_task, const char *reason)
{
	SchedLetterRow row = {0};
	SchedNode	node;
	bool		done;
	int64		upstream;

	if (!sched_store_node(chore->id1, &node) || chore->id2 >= node.in_count)
		return;
	upstream = upstream_of(&node, (int) chore->id2, &done);
	if (!done)
	{
		row.task_id = chore->id1;
		row.edge = (int) chore->id2;
		row.letter = letter;
		row.upstream_task = upstream_task != 0 ? upstream_task : upstream;
		row.decided_at = sched_clock_now();
		row.reason = reason;
		sched_store_insert_letters(&row, 1);
	}
	sched_pending_evaluate(chore->id1);
}

static void
hand_over(const SchedChore *chore, void *given)
{
	const Answer *answer = given;

	write_letter(chore, answer->letter, answer->upstream_task,
				 answer->letter == SCHED_LETTER_SKIPPED ?
				 "the condition is not true" : NULL);
}

static void
give_up(const SchedChore *chore, const char *error)
{
	write_letter(chore, SCHED_LETTER_FAILED, 0,
				 psprintf("the condition failed: %s", error));
}

const SchedChoreHandler sched_condition_chore = {
	.run = ask,
	.store = hand_over,
	.give_up = give_up
};
