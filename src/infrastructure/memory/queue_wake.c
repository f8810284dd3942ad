/*-------------------------------------------------------------------------
 *
 * queue_wake.c
 *	  Waking those who run what is ready.
 *
 * Each class of tasks has its takers: idle SQL workers of a role, the HTTP
 * worker, or sessions of external executors that wait.  One ready task wakes one
 * of them; if there is nobody, the scheduler, which may start a worker.
 *
 * The caller holds sched_shared->lock exclusively.  Nothing in here raises an
 * error, allocates, or waits.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "infrastructure/memory/queue_class.h"
#include "infrastructure/settings.h"
#include "infrastructure/memory/waiters.h"
#include "infrastructure/memory/wake.h"

/* Let the HTTP worker know that there is something; else the scheduler. */
static void
wake_http(SchedDatabase *db)
{
	if (db->http.proc != NULL)
	{
		if (!db->http.woken)
		{
			db->http.woken = true;
			sched_wake_http(db);
		}
	}
	else if (!db->http.wanted)
	{
		db->http.wanted = true;
		sched_wake_scheduler(db);
	}
}

void
sched_queue_note_deliveries(SchedDatabase *db)
{
	db->http.deliveries = true;
	wake_http(db);
}

bool
sched_queue_stop_http(QTask *task, SchedStopReason reason)
{
	SchedDatabase *db = &sched_shared->databases[task->db];

	if (task->worker != SCHED_WORKER_HTTP ||
		task->status != SCHED_TASK_RUNNING || task->stop != SCHED_STOP_NONE)
		return false;
	task->stop = reason;
	db->http.stops = true;
	wake_http(db);
	return true;
}

/* Let an idle worker of the class know; if there is none, the scheduler. */
void
sched_queue_wake_class(QClass *class)
{
	SchedDatabase *db = &sched_shared->databases[class->db];

	if (class->kind == SCHED_KIND_HTTP)
	{
		wake_http(db);
		return;
	}
	if (class->kind != SCHED_KIND_SQL)
	{
		sched_waiter_wake(class);
		return;
	}
	class = class->base;
	for (int i = 0; i < sched_max_workers; i++)
	{
		SchedWorker *worker = &sched_shared->workers[i];

		if (worker->state == SCHED_WORKER_IDLE && !worker->woken &&
			!worker->leave &&
			worker->db == class->db && worker->role == class->role)
		{
			worker->woken = true;
			sched_wake_worker(worker);
			return;
		}
	}
	if (!db->want_workers &&
		(class->workers == 0 || class->hungry_since == 0 ||
		 sched_shared->workers_used < sched_max_workers))
	{
		db->want_workers = true;
		sched_wake_scheduler(db);
	}
}

void
sched_queue_wake_workers(int db)
{
	QClass	   *class;
	int			cursor = 0;

	while ((class = sched_queue_next_class(db, &cursor)) != NULL)
	{
		QClass	   *variant = NULL;

		if (class->ready > 0)
			sched_queue_wake_class(class);
		while ((variant = sched_queue_next_variant(class, variant)) != NULL)
			if (sched_class_is_open(variant))
				sched_queue_wake_class(variant);
	}
}
