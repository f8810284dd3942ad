/*-------------------------------------------------------------------------
 *
 * occur.c
 *	  What the overlap policy makes of an occurrence of a trigger.
 *
 * Called by whoever fires: the scheduler for triggers that go by time, and the
 * backend in which an event happened for those that go by events.  What counts as an
 * earlier run is what memory knows of the job and what the running transaction
 * has ordered itself.  What another transaction is about to order is not seen;
 * a queued run of a policy that does not let runs overlap is held back then
 * until the other one is over, see QTask.serial.
 *
 * Runs that are to make room are told so at commit, so that a rollback leaves
 * them alone; those that have not started are cancelled in this transaction.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "application/tasks/attempt.h"
#include "application/workflow/graph.h"
#include "application/schedule/occur.h"
#include "application/executors/routing.h"
#include "infrastructure/memory/pending.h"

#define SOME_OTHERS	64			/* so many are expected at most */

/* A task that is to make room. */
typedef struct Other
{
	bool		running;
	SchedAttempt attempt;
} Other;

/*
 * The job's tasks that run, and those that have not started and nobody else is
 * about to end.  Copies up to capacity of them, returns how many there are.
 */
static int
copy_others(int64 job_id, Other *others, int capacity)
{
	QLane	   *lane = NULL;
	dlist_iter	iter;
	int			count = 0;
	int			me;

	sched_lock(LW_SHARED);
	me = sched_shmem_my_database();
	if (me >= 0)
		lane = sched_queue_find_lane(me, job_id);
	if (lane != NULL)
		dlist_foreach(iter, &lane->tasks)
		{
			QTask	   *task = dlist_container(QTask, lane_node, iter.cur);
			bool		running = sched_task_status_holds_lease(task->status);

			if (!running && (task->status == SCHED_TASK_SCHEDULED ||
							 task->ending_pid != 0))
				continue;
			if (count < capacity)
			{
				others[count].running = running;
				sched_attempt_copy(task, &others[count].attempt);
			}
			count++;
		}
	sched_unlock();
	return count;
}

/* Ask the job's other tasks to stop; those that have not started end here. */
static void
stop_others(int64 job_id, bool at_once, TimestampTz now)
{
	int			capacity = SOME_OTHERS;
	Other	   *others = palloc(capacity * sizeof(Other));
	int			count;

	/* memory is not allocated under the lock */
	while ((count = copy_others(job_id, others, capacity)) > capacity)
	{
		capacity = count + count / 4;
		others = repalloc_huge(others, capacity * sizeof(Other));
	}

	for (int i = 0; i < count; i++)
	{
		SchedAttempt *attempt = &others[i].attempt;
		SchedEnd	end = {0};

		if (others[i].running)
		{
			sched_pending_stop_task(attempt->task_id, SCHED_STOP_REPLACED,
									at_once);
			continue;
		}
		if (!sched_pending_reserve_task(attempt->task_id))
			continue;
		end.status = SCHED_OUTCOME_CANCELLED;
		end.reason = "replaced by a newer run";
		end.row_count = SCHED_UNSET;
		attempt->started_at = 0;
		(void) sched_attempt_end(NULL, attempt, &end, now);
	}
	pfree(others);
}

bool
sched_occur_decide(const SchedJob *job, bool report_end, TimestampTz now)
{
	QLane	   *lane = NULL;
	int			live = 0;
	int			buffered = 0;
	int			me;

	/* more than this many make no difference */
	int			pending = sched_pending_count_tasks(job->job_id,
													Max(2, job->max_concurrent_runs));

	sched_lock(report_end ? LW_EXCLUSIVE : LW_SHARED);
	me = sched_shmem_my_database();
	if (me >= 0)
		lane = sched_queue_find_lane(me, job->job_id);
	if (lane != NULL)
	{
		/* also when this one is skipped: the next follows from the end */
		if (report_end)
			lane->spec.report_end = true;
		live = lane->occupied - lane->buffered;
		buffered = lane->buffered;
		if (lane->spill_lo != SCHED_NO_SPILL)
			live++;
	}
	sched_unlock();
	if (live == 0 && pending > 0)
	{
		live = 1;
		pending--;
	}

	switch (sched_overlap_decide(job->overlap_policy, live,
								 buffered + pending,
								 job->max_concurrent_runs))
	{
		case SCHED_OVERLAP_DO_SKIP:
			return false;
		case SCHED_OVERLAP_DO_CANCEL_OTHERS:
			stop_others(job->job_id, false, now);
			break;
		case SCHED_OVERLAP_DO_TERMINATE_OTHERS:
			stop_others(job->job_id, true, now);
			break;
		case SCHED_OVERLAP_DO_RUN:
		case SCHED_OVERLAP_DO_BUFFER:
			break;
	}
	return true;
}

void
sched_occur_enqueue(const SchedJob *job, SchedTaskRow *row,
					uint32 generation, bool report_end, TimestampTz now)
{
	QLaneSpec	lane;
	QTaskSpec	task = {0};

	sched_lane_spec(job, &lane);
	lane.report_end = report_end;
	task.task_id = row->task_id;
	task.run_id = row->run_id;
	task.due_at = Min(row->scheduled_at, now);
	task.scheduled_at = row->scheduled_at;
	task.has_parameters = row->parameters != NULL;
	task.route_key = sched_routing_key(job, row->parameters);
	task.priority = job->priority;
	task.attempt = 1;
	task.serial = job->overlap_policy != SCHED_OVERLAP_ALLOW;
	row->waits = sched_graph_waits(job, true, now, &task);
	sched_pending_add_task(&lane, &task, generation);
}

void
sched_occur_ended(SchedTaskRow *row, char status, const char *reason,
				  TimestampTz now, SchedOutcome *outcome)
{
	row->ended = true;
	MemSet(outcome, 0, sizeof(SchedOutcome));
	outcome->task_id = row->task_id;
	outcome->job_id = row->job_id;
	outcome->run_id = row->run_id;
	outcome->attempt = 1;
	outcome->status = status;
	outcome->final = true;
	outcome->finished_at = now;
	outcome->row_count = SCHED_UNSET;
	outcome->progress = -1;
	outcome->reason = reason;
}
