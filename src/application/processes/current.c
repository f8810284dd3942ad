/*-------------------------------------------------------------------------
 *
 * current.c
 *	  The SQL task that this process runs right now, and what it says.
 *
 * Log lines are kept in memory until the attempt is over, so that they are there
 * also when it fails and its transaction is rolled back.  A task that says
 * very much keeps its first half and its last words: the beginning tells what was
 * going on, the end what went wrong.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "application/processes/current.h"
#include "application/workflow/upstream.h"
#include "catalog/pg_type.h"
#include "infrastructure/clock.h"
#include "mb/pg_wchar.h"
#include "utils/datetime.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"

#define MAX_LINES		1000
#define MAX_BYTES		(256 * 1024)
#define MAX_LINE_BYTES	8192

SchedCurrent *sched_current = NULL;

void
sched_current_log(SchedLogLevel level, const char *message)
{
	SchedCurrent *current = sched_current;
	SchedLogLine *line;
	int			length = strlen(message);

	if (current == NULL)
		return;
	if (length > MAX_LINE_BYTES)
		length = pg_mbcliplen(message, length, MAX_LINE_BYTES);

	/* full: the oldest line of the second half makes room */
	while (current->lines >= MAX_LINES ||
		   current->bytes + length > MAX_BYTES)
	{
		SchedLogLine *before = current->first;

		if (current->lines < 3)
			return;
		for (int i = 0; i < current->lines / 2 - 1; i++)
			before = before->next;
		line = before->next;
		before->next = line->next;
		if (current->last == line)
			current->last = before;
		current->lines--;
		current->bytes -= strlen(line->message);
		current->dropped++;
		pfree(line);
	}

	/* called while a message is being reported: no place for an error */
	line = MemoryContextAllocExtended(current->context,
									  offsetof(SchedLogLine, message) +
									  length + 1, MCXT_ALLOC_NO_OOM);
	if (line == NULL)
		return;
	line->next = NULL;
	line->level = level;
	line->at = sched_clock_now();
	memcpy(line->message, message, length);
	line->message[length] = '\0';
	if (current->last == NULL)
		current->first = line;
	else
		current->last->next = line;
	current->last = line;
	current->lines++;
	current->bytes += length;
}

void
sched_current_write_log(void)
{
	SchedCurrent *current = sched_current;
	SchedLogLine *line = current->first;
	int			half = current->lines / 2;

	for (int i = 0; line != NULL; i++, line = line->next)
	{
		if (current->dropped > 0 && i == half)
		{
			char		note[80];

			snprintf(note, sizeof(note), "%d lines left out here",
					 current->dropped);
			sched_store_insert_log(current->attempt.task_id,
								   current->attempt.attempt,
								   SCHED_LOG_WARNING, line->at, note);
		}
		sched_store_insert_log(current->attempt.task_id,
							   current->attempt.attempt, line->level,
							   line->at, line->message);
	}
}

/* ---------- what it is about ---------- */

static void
append_id(StringInfo out, const char *key, int64 value)
{
	appendStringInfo(out, ", \"%s\": ", key);
	if (value == SCHED_UNSET)
		appendStringInfoString(out, "null");
	else
		appendStringInfo(out, "%lld", (long long) value);
}

/* The object that sched.current_task() returns, in the current context. */
static Jsonb *
describe(const SchedCurrent *current)
{
	SchedTaskRow row;
	StringInfoData out;
	Datum		parameters = JsonbPGetDatum(current->job->parameters);
	char		at[MAXDATELEN + 1];
	StringInfoData upstream;

	if (!sched_store_task(current->attempt.task_id, &row))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("task %lld does not exist",
						(long long) current->attempt.task_id)));
	/* the job's parameters, and over them the task's own */
	if (row.parameters != NULL)
		parameters = DirectFunctionCall2(jsonb_concat, parameters,
										 JsonbPGetDatum(row.parameters));
	JsonEncodeDateTime(at, TimestampTzGetDatum(row.scheduled_at),
					   TIMESTAMPTZOID, NULL);

	initStringInfo(&out);
	appendStringInfo(&out, "{\"task_id\": %lld, \"attempt\": %d",
					 (long long) row.task_id, current->attempt.attempt);
	append_id(&out, "job_id", row.job_id);
	appendStringInfoString(&out, ", \"job_name\": ");
	escape_json(&out, current->job->name);
	append_id(&out, "run_id", row.run_id);
	appendStringInfo(&out, ", \"scheduled_at\": \"%s\", \"parameters\": ", at);
	(void) JsonbToCString(&out, &DatumGetJsonbP(parameters)->root,
						  VARSIZE_ANY(DatumGetPointer(parameters)));
	append_id(&out, "missed_count",
			  row.missed_count == 0 ? SCHED_UNSET : row.missed_count);
	append_id(&out, "rerun_of", row.rerun_of);
	appendStringInfo(&out, ", \"idempotency_key\": \"%lld-%lld-%d\"",
					 (long long) row.run_id, (long long) row.task_id,
					 current->attempt.attempt);
	initStringInfo(&upstream);
	if (sched_upstream_describe(row.task_id, &upstream))
		appendStringInfo(&out, ", \"upstream\": %s", upstream.data);
	appendStringInfoChar(&out, '}');
	return DatumGetJsonbP(DirectFunctionCall1(jsonb_in,
											  CStringGetDatum(out.data)));
}

/* Made once per attempt: a task may ask for a parameter in every row of a query. */
Jsonb	   *
sched_current_describe(void)
{
	static const SchedCurrent *cached_for;
	static int64 cached_task_id;
	static int	cached_attempt;
	static Jsonb *cached;
	const SchedCurrent *current = sched_current;
	MemoryContext caller_context;
	Jsonb	   *made;

	if (cached != NULL && cached_for == current &&
		cached_task_id == current->attempt.task_id &&
		cached_attempt == current->attempt.attempt)
		return cached;

	cached = NULL;
	made = describe(current);
	caller_context = MemoryContextSwitchTo(current->context);
	cached = palloc(VARSIZE(made));
	memcpy(cached, made, VARSIZE(made));
	MemoryContextSwitchTo(caller_context);
	cached_for = current;
	cached_task_id = current->attempt.task_id;
	cached_attempt = current->attempt.attempt;
	return cached;
}
