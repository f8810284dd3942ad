/*-------------------------------------------------------------------------
 *
 * pending.h
 *	  What the running transaction means for the queue, once it commits.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_PENDING_H
#define SCHED_PENDING_H

#include "infrastructure/memory/chores.h"
#include "infrastructure/memory/queue_lease.h"

/* What a transaction is about to do to a task, at its commit. */
typedef enum QTaskFate
{
	Q_UNTOUCHED,				/* nothing after all */
	Q_FINISH,					/* it has ended */
	Q_RETRY						/* the attempt has ended, another follows */
} QTaskFate;

/* A task that the transaction holds (QTask.ending_pid). */
typedef struct QTaskRef
{
	QTask	   *task;
	int64		task_id;
	int			attempt;
	QTaskFate	fate;
	bool		counts;			/* Q_RETRY: against the limit of attempts */
	TimestampTz retry_at;
} QTaskRef;

/* Tasks of one call.  To be filled with the lock held, when nothing can fail. */
typedef struct QTaskBatch
{
	int			count;
	QTaskRef	refs[FLEXIBLE_ARRAY_MEMBER];
} QTaskBatch;

/* Called once, in the postmaster. */
extern void sched_pending_install(void);

/*
 * The count of job changes when a job's row was read: if it has moved on by
 * the time of the commit, the scheduler checks the lane.
 */
extern uint32 sched_pending_job_generation(void);

/* A new task, or one that the tables hold and memory may lack. */
extern void sched_pending_add_task(const QLaneSpec *lane,
								   const QTaskSpec *task,
								   uint32 job_generation);

/*
 * The same of a task that stands in _future: memory takes it only if the
 * scheduler has, by the commit, already looked beyond its time.
 */
extern void sched_pending_add_future(const QLaneSpec *lane,
									 const QTaskSpec *task,
									 uint32 job_generation);

/* A live task has ended with this transaction. */
extern void sched_pending_finish_task(int64 task_id);

/*
 * The next sched_pending_finish_task() of this task leaves it to the caller to
 * finish it after the commit; the second function tells whether there was one, and
 * ends the arrangement.
 */
extern void sched_pending_defer_finish(int64 task_id);
extern bool sched_pending_take_deferred(void);

/* An attempt of a live task has ended, the next is due at due_at. */
extern void sched_pending_retry_task(int64 task_id, TimestampTz due_at,
									 bool counts);

/* Do not wait for the retry's time. */
extern void sched_pending_hurry_task(int64 task_id);

/* Stop whoever runs the task; at_once: without asking. */
extern void sched_pending_stop_task(int64 task_id, SchedStopReason reason,
									bool at_once);

/* How many tasks of the job the transaction has ordered, counting to limit. */
extern int	sched_pending_count_tasks(int64 job_id, int limit);

/*
 * Keep a live task from being started until the transaction ends; false when
 * another session has it.  Undone at rollback.
 */
extern bool sched_pending_reserve_task(int64 task_id);

/* An upstream of a waiting task has come to this letter. */
extern void sched_pending_letter(int64 task_id, SchedEdgeLetter letter);

/* The scheduler has to look what a waiting task's upstreams have come to. */
extern void sched_pending_evaluate(int64 task_id);

/* A task began or ended of a job that others may watch. */
extern void sched_pending_job_moved(int64 job_id);

/* Let a task go that was reserved last, and turned out not to be wanted. */
extern void sched_pending_unreserve_task(int64 task_id);

/*
 * Batches, to be filled by the caller, of tasks that the transaction leases,
 * starts, or ends.  At rollback, also to a savepoint, the tasks go back to
 * where they were.
 */
extern QTaskBatch *sched_pending_leases(int capacity);
extern QTaskBatch *sched_pending_starts(int capacity);
extern QTaskBatch *sched_pending_ends(int capacity);

static inline QTaskRef *
sched_batch_add(QTaskBatch *batch, QTask *task)
{
	QTaskRef   *ref = &batch->refs[batch->count++];

	ref->task = task;
	ref->task_id = task->task_id;
	ref->attempt = task->attempt;
	ref->fate = Q_UNTOUCHED;
	return ref;
}

/*
 * A row of _executor was made, changed, or taken out.  What is new is
 * in memory at once, for this transaction; false when memory is full.
 */
extern bool sched_pending_executor(const QExecutorSpec *spec, bool is_new);
extern void sched_pending_executor_gone(int executor_id);

/* Whatever its row said before: it is online. */
extern void sched_pending_executor_online(int executor_id);

/* _job or _trigger changed; paused: 1 or 0, or -1 for unchanged. */
extern void sched_pending_job_changed(int64 job_id, int paused);

/*
 * User code to be run, see chores.h.  When there is no room at the commit, the
 * scheduler is woken as soon as there is.
 */
extern void sched_pending_chore(Oid role, SchedChoreKind kind, int64 id1,
								int64 id2);

extern void sched_pending_segments_changed(void);
extern void sched_pending_secrets_changed(void);

/* There is something to be sent to subscribers. */
extern void sched_pending_deliveries(void);

/* Who listens to events has changed; events were recorded. */
extern void sched_pending_listeners_changed(void);
extern void sched_pending_events_recorded(void);
extern void sched_pending_types_changed(void);
extern void sched_pending_pools_changed(void);
extern void sched_pending_wake_launcher(void);
extern void sched_pending_wake_scheduler(void);

#endif							/* SCHED_PENDING_H */
