/*-------------------------------------------------------------------------
 *
 * wake.c
 *	  The one place that wakes a process.
 *
 * Latches carry no meaning: whoever is woken looks at shared memory.  The lock is
 * held by the caller so that the PGPROC still belongs to the process meant: a
 * process takes itself out of shared memory under the lock before it goes.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <signal.h>

#include "infrastructure/memory/wake.h"

void
sched_wake_launcher(void)
{
	if (sched_shared->launcher != NULL)
		SetLatch(&sched_shared->launcher->procLatch);
}

void
sched_wake_scheduler(SchedDatabase *db)
{
	if (db->scheduler != NULL)
		SetLatch(&db->scheduler->procLatch);
}

void
sched_wake_worker(SchedWorker *worker)
{
	if (worker->proc != NULL)
		SetLatch(&worker->proc->procLatch);
}

void
sched_wake_http(SchedDatabase *db)
{
	if (db->http.proc != NULL)
		SetLatch(&db->http.proc->procLatch);
}

void
sched_wake_terminate_http(SchedDatabase *db)
{
	if (db->http.proc != NULL)
		kill(db->http.pid, SIGTERM);
}

void
sched_wake_cancel(SchedWorker *worker)
{
	if (worker->proc != NULL)
		kill(worker->pid, SIGINT);
}

void
sched_wake_terminate(SchedWorker *worker)
{
	if (worker->proc != NULL)
		kill(worker->pid, SIGTERM);
}

void
sched_wake_process(PGPROC *proc)
{
	if (proc != NULL)
		SetLatch(&proc->procLatch);
}
