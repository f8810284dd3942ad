/*-------------------------------------------------------------------------
 *
 * observe.c
 *	  Counting, and telling the server log, what the record is about to hold.
 *
 * Called by record.c for every row that it writes, in whichever process that
 * is.  Both counts and lines take effect when the transaction has committed
 * and are gone when it has not, see counters.c and server_log.c.
 *
 * A line says "task 12 attempt 1 job "nightly" failed: ...": the words stand in
 * this order in all of them, so that grep 'task 12 ' tells the life of a task.
 *
 *	level	a line for
 *	error	a task that failed for good
 *	warning	a failed or lost attempt after which another one follows; a missed
 *			occurrence; a lost executor
 *	info	a cancelled task
 *	debug	every other change of state of a task, job or executor
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "application/tasks/observe.h"
#include "infrastructure/memory/counters.h"
#include "infrastructure/server_log.h"
#include "lib/stringinfo.h"
#include "utils/timestamp.h"

bool
sched_observes_states(void)
{
	return sched_server_log_wants(DEBUG1);
}

/* The job as lines show it; palloc'd. */
static const char *
job_text(int64 job_id)
{
	SchedJob   *job = sched_store_job(job_id);

	return job != NULL ? psprintf("job \"%s\"", job->name) :
		psprintf("job " INT64_FORMAT, job_id);
}

/* ---------- tasks ---------- */

void
sched_observe_tasks(const SchedTaskRow *rows, int count)
{
	int64		misfires = 0;

	for (int i = 0; i < count; i++)
		misfires += rows[i].missed_count;
	sched_counters_add(SCHED_COUNT_TASKS, count);
	sched_counters_add(SCHED_COUNT_MISFIRES, misfires);

	if (sched_observes_states())
	{
		const char *job = "";

		for (int i = 0; i < count; i++)
		{
			if (i == 0 || rows[i].job_id != rows[i - 1].job_id)
				job = job_text(rows[i].job_id);
			sched_server_log("task " INT64_FORMAT " attempt 0 %s scheduled for %s",
							 rows[i].task_id, job,
							 timestamptz_to_str(rows[i].scheduled_at));
		}
	}
}

void
sched_observe_state(int64 task_id, int attempt, int64 job_id,
					const char *state)
{
	sched_server_log("task " INT64_FORMAT " attempt %d %s %s", task_id,
					 attempt, job_text(job_id), state);
}

void
sched_observe_job(const char *name, int64 job_id, const char *from,
				  const char *to)
{
	if (sched_observes_states())
		sched_server_log("job \"%s\" " INT64_FORMAT " %s, was %s", name,
						 job_id, to, from);
}

void
sched_observe_executor(const char *name, const char *state, bool lost)
{
	if (sched_server_log_wants(lost ? WARNING : DEBUG1))
		sched_server_log("executor \"%s\" %s", name, state);
}

/* ---------- outcomes ---------- */

static void
count_outcome(const SchedOutcome *o)
{
	if (o->started_at != 0)
		sched_counters_observe(SCHED_COUNT_DURATION,
							   o->finished_at - o->started_at);
	switch (o->status)
	{
		case SCHED_OUTCOME_TIMEOUT:
			sched_counters_add(SCHED_COUNT_TIMEOUTS, 1);
			break;
		case SCHED_OUTCOME_LOST:
			sched_counters_add(SCHED_COUNT_LOST, 1);
			return;
		case SCHED_OUTCOME_RELEASED:
			sched_counters_add(SCHED_COUNT_RELEASED, 1);
			return;
	}
	if (!o->final)
	{
		sched_counters_add(SCHED_COUNT_RETRIES, 1);
		return;
	}
	switch (o->status)
	{
		case SCHED_OUTCOME_COMPLETED:
			sched_counters_add(SCHED_COUNT_COMPLETED, 1);
			break;
		case SCHED_OUTCOME_FAILED:
			sched_counters_add(SCHED_COUNT_FAILED, 1);
			break;
		case SCHED_OUTCOME_TIMEOUT:
			sched_counters_add(SCHED_COUNT_TIMEOUT, 1);
			break;
		case SCHED_OUTCOME_CANCELLED:
			sched_counters_add(SCHED_COUNT_CANCELLED, 1);
			break;
		case SCHED_OUTCOME_SKIPPED:
			sched_counters_add(SCHED_COUNT_SKIPPED, 1);
			break;
		case SCHED_OUTCOME_UPSTREAM_FAILED:
			sched_counters_add(SCHED_COUNT_UPSTREAM_FAILED, 1);
			break;
		case SCHED_OUTCOME_MISSED:
			sched_counters_add(SCHED_COUNT_MISSED, 1);
			break;
	}
}

/* The word for an outcome, and the level of its line. */
static const char *
outcome_text(const SchedOutcome *o, int *level)
{
	*level = o->final ? ERROR : WARNING;
	switch (o->status)
	{
		case SCHED_OUTCOME_FAILED:
			return "failed";
		case SCHED_OUTCOME_TIMEOUT:
			return "timeout";
		case SCHED_OUTCOME_LOST:
			return "lost";
		case SCHED_OUTCOME_UPSTREAM_FAILED:
			return "upstream_failed";
		case SCHED_OUTCOME_MISSED:
			*level = WARNING;
			return "missed";
		case SCHED_OUTCOME_CANCELLED:
			*level = INFO;
			return "cancelled";
		case SCHED_OUTCOME_RELEASED:
			*level = DEBUG1;
			return "released";
		case SCHED_OUTCOME_SKIPPED:
			*level = DEBUG1;
			return "skipped";
		default:
			*level = DEBUG1;
			return "completed";
	}
}

static void
log_outcome(const SchedOutcome *o)
{
	StringInfoData line;
	const char *why = o->error != NULL ? o->error : o->reason;
	int			level;
	const char *text = outcome_text(o, &level);

	if (!sched_server_log_wants(level))
		return;
	initStringInfo(&line);
	appendStringInfo(&line, "task " INT64_FORMAT " attempt %d %s %s",
					 o->task_id, o->attempt, job_text(o->job_id), text);
	if (o->started_at != 0)
		appendStringInfo(&line, " after %lld ms",
						 (long long) (o->finished_at - o->started_at) / 1000);
	if (!o->final)
		appendStringInfo(&line, ", next attempt at %s",
						 timestamptz_to_str(o->retry_at));
	if (o->sqlstate != NULL)
		appendStringInfo(&line, ", SQLSTATE %s", o->sqlstate);
	if (why != NULL)
		appendStringInfo(&line, ": %s", why);
	sched_server_log("%s", line.data);
	pfree(line.data);
}

void
sched_observe_outcomes(const SchedOutcome *rows, int count)
{
	for (int i = 0; i < count; i++)
	{
		count_outcome(&rows[i]);
		log_outcome(&rows[i]);
	}
}
