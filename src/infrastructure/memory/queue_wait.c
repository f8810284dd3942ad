/*-------------------------------------------------------------------------
 *
 * queue_wait.c
 *	  Tasks that wait for others, in shared memory.
 *
 * A waiting task counts how many of its upstreams have come to which letter
 * (domain/join.c).  Whoever ends an upstream notes the letter in his
 * transaction, and it is counted here when that has committed: the one who brings
 * the last letter makes the task ready, in one step under the lock.  So one
 * end costs the same whatever the number of upstreams, nobody locks a row for it,
 * and two who end at the same moment cannot both, or neither, be the last.
 *
 * The counts are only a shortcut: what decides is in the tables (_node, _letter,
 * _outcome), from which the scheduler counts anew after a restart, and
 * always where a letter does not follow from an outcome alone: conditions,
 * delays, matches across runs, mutexes.  It takes a snapshot for that.  A
 * letter of a transaction that began after the snapshot is not in the count and is
 * added; for one that began before nobody knows, so it is counted once more.
 *
 * A decision that ends the task (skipped, upstream_failed) needs a row, and is left
 * to the scheduler: the task's timer rings.
 *
 * The caller holds sched_shared->lock exclusively.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "infrastructure/memory/queue.h"

/* The scheduler looks at it as soon as it can. */
void
sched_queue_evaluate(QTask *task, TimestampTz now)
{
	if (task->status != SCHED_TASK_WAITING)
		return;					/* it looks when the task comes to wait */
	if (!task->timed || task->timer_at > now)
		sched_queue_set_timer(task, now);
}

/* From now on it is due. */
static void
release(QTask *task, TimestampTz now)
{
	task->due_at = now;
	sched_queue_make_ready(task, now);
}

static void
decide(QTask *task, TimestampTz now)
{
	switch (sched_join_decide(task->rule, &task->join))
	{
		case SCHED_DECISION_WAIT:
			break;
		case SCHED_DECISION_RUN:
			if (!task->guarded)
			{
				release(task, now);
				break;
			}
			/* FALLTHROUGH */
		case SCHED_DECISION_SKIP:
		case SCHED_DECISION_UPSTREAM_FAILED:
			sched_queue_evaluate(task, now);
			break;
	}
}

/* Its time has come. */
void
sched_queue_begin_waiting(QTask *task, TimestampTz now)
{
	sched_queue_enter_waiting(task);
	sched_queue_set_timer(task, task->give_up_at);
	if (task->counted)
		decide(task, now);
	else
		sched_queue_evaluate(task, now);
}

/* An upstream has come to this letter; xid: the full id of who wrote it. */
void
sched_queue_letter(QTask *task, SchedEdgeLetter letter, uint64 xid,
				   TimestampTz now)
{
	if (!task->waits || task->status == SCHED_TASK_SCHEDULED)
	{
		task->counted = false;	/* counted when it comes to wait */
		return;
	}
	if (task->status != SCHED_TASK_WAITING)
		return;					/* decided already */
	if (!task->counted || xid < task->counted_before)
	{
		task->counted = false;
		sched_queue_evaluate(task, now);
		return;
	}
	task->join.pending--;
	sched_join_count_letter(&task->join, letter);
	decide(task, now);
}

/*
 * The scheduler has counted, by a snapshot in which no transaction from
 * "before" on is visible.  turn: no mutex holds it back.  look_at: when to look
 * again by itself, 0: not.  What came in while it counted is counted next.
 */
void
sched_queue_counted(QTask *task, const SchedJoinCounts *join, bool guarded,
					bool turn, uint64 before, TimestampTz look_at,
					TimestampTz now)
{
	bool		again = task->timed && task->timer_at <= now;

	task->guarded = guarded;
	/* no later letter changes that */
	if (turn && sched_join_decide(task->rule, join) == SCHED_DECISION_RUN)
	{
		release(task, now);
		return;
	}
	if (again)
		return;
	task->join = *join;
	task->counted_before = before;
	task->counted = true;
	sched_queue_set_timer(task, look_at);
}
