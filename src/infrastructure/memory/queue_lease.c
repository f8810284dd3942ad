/*-------------------------------------------------------------------------
 *
 * queue_lease.c
 *	  Leases: what external executors do with the tasks of the queue.
 *
 * A task that an executor claims leaves its heap and becomes assigned at once,
 * while the transaction that writes the lease is still open: so nobody else
 * gets it meanwhile.  ending_pid says whose transaction that is, and nobody
 * else may do anything to the task until it ends.  When it is rolled back
 * the task returns to its place, as if nothing had been; the lease has never
 * been in the record.
 *
 * The caller holds sched_shared->lock exclusively.  Nothing in here raises an
 * error, allocates, or waits.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "infrastructure/clock.h"
#include "infrastructure/memory/executors.h"
#include "infrastructure/memory/queue_int.h"
#include "infrastructure/memory/queue_lease.h"
#include "infrastructure/memory/queue_order.h"
#include "infrastructure/settings.h"
#include "infrastructure/memory/waiters.h"
#include "infrastructure/memory/wake.h"

#define MAX_CLASSES_TAKEN	64
#define FIRST_KIND			16	/* below: built-in workers */

uint32
sched_queue_kind(const char *type)
{
	if (strcmp(type, "sql") == 0)
		return SCHED_KIND_SQL;
	if (strcmp(type, "http") == 0)
		return SCHED_KIND_HTTP;
	return Max(hash_bytes((const unsigned char *) type, strlen(type)),
			   FIRST_KIND);
}

/* ---------- claiming ---------- */

/* The classes that the executor takes tasks from. */
static int
classes_of(const QExecutor *executor, QClass **classes)
{
	int			count = 0;
	int			cursor = 0;
	QClass	   *class;

	/* what was given to it comes first only if it is first */
	class = sched_queue_find_class(executor->db,
								   (Oid) executor->spec.executor_id,
								   SCHED_KIND_ROUTED);
	if (class != NULL)
		classes[count++] = class;
	if (executor->spec.type_count > 0)
	{
		for (int i = 0; i < executor->spec.type_count; i++)
		{
			class = sched_queue_find_class(executor->db, InvalidOid,
										   executor->spec.types[i]);
			if (class != NULL)
				classes[count++] = class;
		}
		return count;
	}
	while (count < MAX_CLASSES_TAKEN &&
		   (class = sched_queue_next_class(executor->db, &cursor)) != NULL)
		if (!OidIsValid(class->role) && sched_queue_has_ready(class) &&
			sched_executor_takes_kind(executor, class->kind))
			classes[count++] = class;
	return count;
}

/* The first task of these classes that it may have; NULL when there is none. */
static QTask *
first_of(const QExecutor *executor, QClass **classes, int count,
		 TimestampTz now)
{
	QTask	   *best = NULL;
	QTags		tags;

	sched_tags_init(&tags, executor->spec.tags, executor->spec.tag_count);
	for (int i = 0; i < count; i++)
	{
		QTask	   *head = sched_queue_first(classes[i], &tags, now);

		if (head != NULL && (best == NULL || compare_order(head, best) > 0))
			best = head;
	}
	return best;
}

static void
give(QExecutor *executor, QTask *task, int pid, TimestampTz now)
{
	sched_queue_set_status(task, SCHED_TASK_ASSIGNED);
	sched_executor_link(executor, task);
	task->ending_pid = pid;
	task->leased_at = now;
}

int
sched_queue_lease(QExecutor *executor, QTask **tasks, int max, int pid,
				  TimestampTz now)
{
	SchedDatabase *db = &sched_shared->databases[executor->db];
	QClass	   *classes[MAX_CLASSES_TAKEN];
	int			class_count;
	int			count = 0;

	if (!sched_enabled || db->held ||
		executor->spec.status != SCHED_EXECUTOR_ONLINE)
		return 0;
	max = Min(max, executor->spec.max_concurrent - executor->running);
	if (sched_max_concurrent_jobs > 0)
		max = Min(max, sched_max_concurrent_jobs - db->running);
	if (max <= 0)
		return 0;
	class_count = classes_of(executor, classes);
	while (count < max)
	{
		QTask	   *task = first_of(executor, classes, class_count, now);

		if (task == NULL)
			break;
		sched_queue_dequeue(task);
		if (sched_queue_lane_is_full(task->lane))
		{
			sched_queue_enqueue(task);	/* to the lane's own heap */
			continue;
		}
		give(executor, task, pid, now);
		sched_counters_observe_now(&db->counters, SCHED_COUNT_LATENESS,
								   now - task->due_at);
		tasks[count++] = task;
	}
	return count;
}

bool
sched_queue_has_for(const QExecutor *executor)
{
	SchedDatabase *db = &sched_shared->databases[executor->db];
	QClass	   *classes[MAX_CLASSES_TAKEN];

	return sched_enabled && !db->held &&
		executor->spec.status == SCHED_EXECUTOR_ONLINE &&
		executor->running < executor->spec.max_concurrent &&
		(sched_max_concurrent_jobs == 0 ||
		 db->running < sched_max_concurrent_jobs) &&
		first_of(executor, classes, classes_of(executor, classes),
				 sched_clock_now()) != NULL;
}

bool
sched_queue_assign(QExecutor *executor, QTask *task, int pid, TimestampTz now)
{
	if (task->status != SCHED_TASK_READY || task->ending_pid != 0)
		return false;
	sched_queue_dequeue(task);
	give(executor, task, pid, now);
	return true;
}

/* ---------- what becomes of a lease ---------- */

/* Its executor may have been lost while somebody's transaction held the task. */
void
sched_queue_check_holder(const QTask *task)
{
	QExecutor  *executor = sched_executor_of(task);

	if (executor != NULL &&
		(executor->gone ||
		 (executor->spec.status != SCHED_EXECUTOR_ONLINE &&
		  executor->spec.status != SCHED_EXECUTOR_DRAINING)))
		sched_executor_ask_settle(executor);
}

void
sched_queue_lease_kept(QTask *task)
{
	task->ending_pid = 0;
	sched_queue_check_holder(task);
	if (task->undelivered)
		sched_waiter_wake_all(sched_executor_of(task));
	if (task->status == SCHED_TASK_ASSIGNED && sched_start_timeout > 0)
		sched_queue_set_timer(task, task->leased_at +
							  sched_start_timeout * USECS_PER_SEC);
}

void
sched_queue_lease_undone(QTask *task)
{
	task->ending_pid = 0;
	task->leased_at = 0;
	sched_queue_revert_status(task, SCHED_TASK_READY);
	sched_queue_enqueue(task);
	sched_queue_lane_has_room(task->lane);
}

void
sched_queue_start(QTask *task, TimestampTz now, TimestampTz deadline)
{
	sched_queue_set_status(task, SCHED_TASK_RUNNING);
	task->started_at = now;
	task->deadline = deadline;
	sched_queue_set_timer(task, deadline);
	if (task->start_watched)
		sched_shmem_note_moved(&sched_shared->databases[task->db],
							   task->lane->spec.job_id);
}

void
sched_queue_start_undone(QTask *task)
{
	sched_queue_revert_status(task, SCHED_TASK_ASSIGNED);
	task->started_at = 0;
	task->deadline = 0;
	sched_queue_set_timer(task, sched_start_timeout > 0 ?
						  task->leased_at + sched_start_timeout *
						  USECS_PER_SEC : 0);
}

void
sched_queue_stop_waiting(QTask *task, SchedStopReason reason, TimestampTz now)
{
	if (task->status != SCHED_TASK_READY &&
		task->status != SCHED_TASK_WAITING_RETRY)
		return;
	sched_queue_dequeue(task);
	task->stop = reason;
	sched_queue_set_timer(task, now);
	sched_wake_scheduler(&sched_shared->databases[task->db]);
}

/* An assigned task that nobody has started: to another one, as a new attempt. */
void
sched_queue_release(QTask *task, TimestampTz now)
{
	task->ending_pid = 0;
	task->attempt++;
	if (!task->pinned)
		task->target = 0;		/* to somebody else, if its route says so */
	sched_queue_clear_attempt(task);
	sched_queue_make_ready(task, now);
	sched_queue_lane_has_room(task->lane);
}

/*
 * The same of an executor that is no longer there, for whoever ends the attempt.
 * That of the HTTP worker ends like those of one that has died.
 */
void
sched_queue_restore_orphan(QTask *task, TimestampTz started_at, bool http)
{
	SchedHttpWorker *worker = &sched_shared->databases[task->db].http;

	if (task->status == SCHED_TASK_SCHEDULED ||
		task->status == SCHED_TASK_WAITING_RETRY)
		sched_queue_set_status(task, SCHED_TASK_READY);
	if (task->status != SCHED_TASK_READY)
		return;
	sched_queue_set_timer(task, 0);
	sched_queue_dequeue(task);
	sched_queue_set_status(task, SCHED_TASK_ASSIGNED);
	if (started_at != 0)
		sched_queue_start(task, started_at, 0);
	if (http)
	{
		task->worker = SCHED_WORKER_HTTP;
		task->stop = SCHED_STOP_NONE;
		if (worker->state == SCHED_WORKER_FREE)
			worker->state = SCHED_WORKER_DEAD;
	}
}

/* A lease that was found in the record. */
void
sched_queue_restore_lease(QExecutor *executor, QTask *task,
						  TimestampTz leased_at, TimestampTz started_at,
						  TimestampTz deadline)
{
	if (task->status == SCHED_TASK_SCHEDULED ||
		task->status == SCHED_TASK_WAITING_RETRY)
		sched_queue_set_status(task, SCHED_TASK_READY);
	if (task->status != SCHED_TASK_READY)
		return;
	sched_queue_set_timer(task, 0);
	sched_queue_dequeue(task);
	give(executor, task, 0, leased_at);
	if (started_at != 0)
		sched_queue_start(task, started_at, deadline);
	else
		sched_queue_lease_kept(task);
}
