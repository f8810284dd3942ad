/*-------------------------------------------------------------------------
 *
 * leases.c
 *	  What executors do with tasks: claim, start, complete, fail.
 *
 * Runs in the backend of the executor.  Each call takes the lock of shared memory
 * once for the whole batch: it checks each task and marks it as held by this
 * transaction (pending.c), so that nobody else can do anything to it until the
 * transaction is over.  Then the rows are written: one lease for all that was
 * claimed or started, one outcome for each attempt that ended.  At commit the
 * marks become the new state, at rollback they are taken back.
 *
 * What is refused is refused in memory, before anything is written.  The number of
 * the attempt tells an executor that comes late from the one that has the task
 * now; and whoever shows a token can only speak of leases of the executor whose
 * token it is.  The primary key of _outcome stands behind all that.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "application/events/event.h"
#include "application/tasks/job_cache.h"
#include "application/executors/leases.h"
#include "application/tasks/record.h"
#include "application/tasks/rights.h"
#include "application/tasks/tasks.h"
#include "infrastructure/clock.h"
#include "infrastructure/tables/lease_table.h"
#include "infrastructure/memory/pending.h"
#include "infrastructure/settings.h"
#include "infrastructure/memory/waiters.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

/* What is known of a task of a batch, copied while the lock was held. */
typedef struct Held
{
	SchedAttempt attempt;
	SchedReport *report;
	QTaskRef   *ref;
} Held;

static TimestampTz
deadline_of(const SchedJob *job, TimestampTz started_at)
{
	return job == NULL || job->timeout <= 0 ? 0 : started_at + job->timeout;
}

/* ---------- claiming ---------- */

static void
copy_claim(QTask *task, SchedClaim *claim)
{
	claim->task = task;
	claim->task_id = task->task_id;
	claim->attempt = task->attempt;
	claim->job_id = task->lane->spec.job_id;
	claim->run_id = task->run_id;
	claim->scheduled_at = task->scheduled_at;
	claim->has_parameters = task->has_parameters;
	claim->tid = task->tid;
	claim->deadline = task->deadline;
}

/* What sched.assign_task() gave it: the lease is written already. */
static int
deliver(QExecutor *executor, int max, SchedClaim *claims)
{
	dlist_iter	iter;
	int			count = 0;

	dlist_foreach(iter, &executor->leases)
	{
		QTask	   *task = dlist_container(QTask, lease_node, iter.cur);

		if (count == max || executor->undelivered == 0)
			break;
		if (!task->undelivered ||
			(task->ending_pid != 0 && task->ending_pid != MyProcPid))
			continue;
		task->undelivered = false;
		executor->undelivered--;
		copy_claim(task, &claims[count++]);
	}
	return count;
}

/* Write the leases; start the tasks in memory, too, if that is wanted. */
static void
write_claims(const SchedIdentity *identity, SchedClaim *claims, int first,
			 int count, bool start, TimestampTz now)
{
	int64	   *ids = palloc(count * sizeof(int64));
	int		   *attempts = palloc(count * sizeof(int));
	QTaskBatch *starts = NULL;

	for (int i = 0; i < count; i++)
	{
		SchedClaim *claim = &claims[first + i];

		ids[i] = claim->task_id;
		attempts[i] = claim->attempt;
		claim->deadline = deadline_of(sched_job_cached(claim->job_id), now);
	}
	sched_store_insert_leases(start ? SCHED_LEASE_RUNNING :
							  SCHED_LEASE_ASSIGNED, identity->executor_id,
							  now, ids, attempts, count);
	pfree(ids);
	pfree(attempts);
	for (int i = 0; i < count; i++)
	{
		SchedClaim *claim = &claims[first + i];

		sched_event_of_lease(false, identity->executor_id, claim->task_id,
							 claim->job_id, claim->attempt);
		if (start)
			sched_event_of_lease(true, identity->executor_id, claim->task_id,
								 claim->job_id, claim->attempt);
	}
	if (!start)
		return;

	starts = sched_pending_starts(count);
	sched_lock(LW_EXCLUSIVE);
	for (int i = 0; i < count; i++)
	{
		QTask	   *task = claims[first + i].task;

		if (task->task_id != claims[first + i].task_id ||
			task->status != SCHED_TASK_ASSIGNED)
			continue;
		sched_batch_add(starts, task);
		sched_queue_start(task, now, claims[first + i].deadline);
	}
	sched_unlock();
}

/*
 * Tasks whose job was deleted while they were in hands that nobody could take
 * them from: they end here.  Moves the others together; returns how many these are.
 */
static int
drop_orphans(const SchedIdentity *identity, SchedClaim *claims, int count,
			 QTaskBatch *leases, TimestampTz now)
{
	QTaskBatch *ends = NULL;
	int			kept = 0;

	for (int i = 0; i < count; i++)
	{
		SchedOutcome outcome;
		SchedAttempt attempt = {0};
		SchedEnd	end = {0};
		bool		counts;

		if (sched_job_cached(claims[i].job_id) != NULL)
		{
			claims[kept++] = claims[i];
			continue;
		}
		if (ends == NULL)
			ends = sched_pending_ends(count);
		ends->refs[ends->count] = leases->refs[i];
		ends->refs[ends->count++].fate = Q_FINISH;
		attempt.task_id = claims[i].task_id;
		attempt.job_id = claims[i].job_id;
		attempt.run_id = claims[i].run_id;
		attempt.attempt = claims[i].attempt;
		attempt.progress = -1;
		end.status = SCHED_OUTCOME_RELEASED;
		end.row_count = SCHED_UNSET;
		end.executor_id = identity->executor_id;
		(void) sched_attempt_outcome(NULL, &attempt, &end, now, &outcome,
									 &counts);
		sched_record_outcomes(&outcome, 1);
	}
	return kept;
}

int
sched_lease_claim(const SchedIdentity *identity, int max, bool start,
				  SchedClaim *claims)
{
	TimestampTz now;
	QTaskBatch *leases;
	QTask	  **tasks;
	QExecutor  *executor;
	bool		came_online = false;
	Oid			owner = InvalidOid;
	int			delivered = 0;
	int			count = 0;
	int			me;

	leases = sched_pending_leases(max);
	tasks = palloc(max * sizeof(QTask *));
	sched_lock(LW_EXCLUSIVE);
	/* not before: an attempt that ended while we waited is over before ours */
	now = sched_clock_now();
	me = sched_shmem_my_database();
	executor = me < 0 ? NULL : sched_identity_slot(me, identity);
	if (executor != NULL)
	{
		came_online = sched_executor_came_online(executor, now);
		owner = executor->spec.owner;
		if (executor->undelivered > 0)
			delivered = deliver(executor, max, claims);
		count = sched_queue_lease(executor, tasks, max - delivered, MyProcPid,
								  now);
		for (int i = 0; i < count; i++)
		{
			sched_batch_add(leases, tasks[i]);
			copy_claim(tasks[i], &claims[delivered + i]);
		}
	}
	sched_unlock();
	pfree(tasks);
	if (executor == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("executor \"%s\" has just been changed",
						identity->name),
				 errhint("Try again.")));
	if (came_online)
		sched_event_executor(SCHED_EVENT_EXECUTOR_ONLINE, identity->name, owner,
							 NULL);
	count = drop_orphans(identity, &claims[delivered], count, leases, now);
	if (count > 0)
		write_claims(identity, claims, delivered, count, start, now);
	return delivered + count;
}

/* ---------- what the calls about leases have in common ---------- */

/* The executors that a batch is about, as far as the caller may act for them. */
typedef struct Callers
{
	SchedIdentity *known;
	bool	   *may;
	int			count;
	int			capacity;
} Callers;

/*
 * One executor, mostly, and the same as in the call before: it is kept, and
 * checked each time.
 */
static SchedIdentity last_caller;
static bool have_last_caller = false;

static void
add_caller(Callers *callers, const SchedIdentity *identity)
{
	if (callers->count == callers->capacity)
	{
		callers->capacity *= 2;
		callers->known = repalloc(callers->known, callers->capacity *
								  sizeof(SchedIdentity));
		callers->may = repalloc(callers->may,
								callers->capacity * sizeof(bool));
	}
	callers->known[callers->count] = *identity;
	callers->may[callers->count] = sched_identity_may_act(identity);
	if (callers->may[callers->count])
	{
		last_caller = *identity;
		have_last_caller = true;
	}
	callers->count++;
}

static void
init_callers(Callers *callers)
{
	callers->count = 0;
	callers->capacity = 1;
	callers->known = palloc(sizeof(SchedIdentity));
	callers->may = palloc(sizeof(bool));
	if (have_last_caller)
		add_caller(callers, &last_caller);
}

/* -1: not looked at yet; lock held. */
static int
find_caller(const Callers *callers, const QExecutor *executor)
{
	for (int i = 0; i < callers->count; i++)
		if (callers->known[i].index == sched_executor_index(executor) &&
			sched_identity_slot(executor->db, &callers->known[i]) == executor)
			return i;
	return -1;
}

/*
 * May the caller do that to the task?  Stores the executor that has to be looked at
 * first, if there is one, in *unknown.  Lock held.
 */
static SchedRefusal
judge(QTask *task, SchedReport *report, SchedTaskStatus wanted,
	  const Callers *callers, SchedIdentity *unknown, bool *is_unknown)
{
	QExecutor  *executor;
	int			caller;

	if (task == NULL)
		return SCHED_REFUSED_UNKNOWN;
	report->present = task->attempt;
	executor = sched_executor_of(task);
	if (executor == NULL)
		return task->attempt != report->attempt ? SCHED_REFUSED_STALE :
			sched_task_status_holds_lease(task->status) ?
			SCHED_REFUSED_BUILT_IN : SCHED_REFUSED_NOT_LEASED;
	caller = find_caller(callers, executor);
	if (caller < 0 && !executor->gone)
	{
		sched_identity_copy(executor, unknown);
		*is_unknown = true;
		return SCHED_REFUSED_EXECUTOR;
	}
	if (caller < 0 || !callers->may[caller])
		return SCHED_REFUSED_EXECUTOR;
	if (task->attempt != report->attempt)
		return SCHED_REFUSED_STALE;
	if (task->ending_pid != 0 && task->ending_pid != MyProcPid)
		return SCHED_REFUSED_BUSY;
	if (task->ending)
		return SCHED_REFUSED_UNKNOWN;
	if (task->status != wanted)
		return wanted == SCHED_TASK_RUNNING ? SCHED_REFUSED_NOT_STARTED :
			SCHED_REFUSED_STARTED;
	return SCHED_ACCEPTED;
}

/*
 * Judge all reports and hold what is accepted, for as long as the transaction
 * lasts.  Executors that were not known are looked at in between, without the
 * lock, and then everything not yet held is judged again.
 */
static int
hold(SchedReport *reports, int count, SchedTaskStatus wanted,
	 QTaskBatch *batch, Held *held)
{
	Callers		callers;
	int			accepted = 0;
	bool		again = true;

	init_callers(&callers);
	for (int i = 0; i < count; i++)
		reports[i].refusal = SCHED_REFUSED_UNKNOWN;
	while (again)
	{
		SchedIdentity unknown;
		int			me;

		again = false;
		sched_lock(LW_EXCLUSIVE);
		me = sched_shmem_my_database();
		for (int i = 0; i < count && !again; i++)
		{
			SchedReport *report = &reports[i];
			QTask	   *task;

			if (report->refusal == SCHED_ACCEPTED)
				continue;
			task = me < 0 ? NULL : sched_queue_find(me, report->task_id);
			report->refusal = judge(task, report, wanted, &callers, &unknown,
									&again);
			if (report->refusal != SCHED_ACCEPTED)
				continue;
			task->ending_pid = MyProcPid;
			task->ending = wanted == SCHED_TASK_RUNNING;
			if (task->undelivered)
			{
				task->undelivered = false;
				sched_executor_of(task)->undelivered--;
			}
			held[accepted].ref = sched_batch_add(batch, task);
			held[accepted].report = report;
			sched_attempt_copy(task, &held[accepted].attempt);
			accepted++;
		}
		sched_unlock();
		if (again)
			add_caller(&callers, &unknown);
	}

	/* who speaks for nobody at all has no right here */
	for (int i = 0; i < count; i++)
		if (reports[i].refusal == SCHED_REFUSED_EXECUTOR)
		{
			SchedRefusal refusal = sched_identity_is_some() ?
			SCHED_REFUSED_EXECUTOR : SCHED_REFUSED_RIGHT;

			for (int j = i; j < count; j++)
				if (reports[j].refusal == SCHED_REFUSED_EXECUTOR)
					reports[j].refusal = refusal;
			break;
		}
	pfree(callers.known);
	pfree(callers.may);
	return accepted;
}

/* ---------- starting ---------- */

int
sched_lease_start(SchedReport *reports, int count)
{
	TimestampTz now = sched_clock_now();
	QTaskBatch *batch = sched_pending_starts(count);
	Held	   *held = palloc(count * sizeof(Held));
	TimestampTz *deadlines;
	int			accepted = hold(reports, count, SCHED_TASK_ASSIGNED, batch,
								held);
	int64	   *ids;
	int		   *attempts;

	if (accepted == 0)
		return 0;
	ids = palloc(accepted * sizeof(int64));
	attempts = palloc(accepted * sizeof(int));
	deadlines = palloc(accepted * sizeof(TimestampTz));
	for (int i = 0; i < accepted; i++)
	{
		ids[i] = held[i].attempt.task_id;
		attempts[i] = held[i].attempt.attempt;
		deadlines[i] = deadline_of(sched_job_cached(held[i].attempt.job_id),
								   now);
	}
	/* those of one executor in one row */
	for (int i = 0; i < accepted;)
	{
		int			n = 1;

		while (i + n < accepted && held[i + n].attempt.executor_id ==
			   held[i].attempt.executor_id)
			n++;
		sched_store_insert_leases(SCHED_LEASE_STARTED,
								  held[i].attempt.executor_id, now, &ids[i],
								  &attempts[i], n);
		i += n;
	}
	for (int i = 0; i < accepted; i++)
		sched_event_of_lease(true, held[i].attempt.executor_id, ids[i],
							 held[i].attempt.job_id, attempts[i]);
	sched_lock(LW_EXCLUSIVE);
	for (int i = 0; i < accepted; i++)
	{
		QTask	   *task = held[i].ref->task;

		if (task->task_id == ids[i] && task->status == SCHED_TASK_ASSIGNED)
			sched_queue_start(task, now, deadlines[i]);
	}
	sched_unlock();
	return accepted;
}

/* ---------- ending ---------- */

static void
end_held(Held *held, int count, bool failed, bool retryable, TimestampTz now)
{
	SchedOutcome *outcomes = palloc(count * sizeof(SchedOutcome));

	for (int i = 0; i < count; i++)
	{
		const SchedAttempt *attempt = &held[i].attempt;
		const SchedJob *job = sched_job_cached(attempt->job_id);
		SchedEnd	end = {0};
		bool		again;

		end.executor_id = attempt->executor_id;
		end.row_count = SCHED_UNSET;
		if (!failed)
		{
			end.status = SCHED_OUTCOME_COMPLETED;
			if (job == NULL || job->history == NULL ||
				strcmp(job->history, "all") == 0)
				end.result = held[i].report->result;
		}
		else if (attempt->stop != SCHED_STOP_NONE)
		{
			/* it was told to stop, and has */
			end.status = SCHED_OUTCOME_CANCELLED;
			end.reason = attempt->stop == SCHED_STOP_CANCEL ?
				SCHED_ON_REQUEST : "replaced by a newer run";
			end.error = held[i].report->error;
		}
		else
		{
			end.status = SCHED_OUTCOME_FAILED;
			end.retryable = retryable;
			end.error = held[i].report->error;
		}
		again = sched_attempt_outcome(job, attempt, &end, now, &outcomes[i],
									  &held[i].ref->counts);
		held[i].ref->fate = again ? Q_RETRY : Q_FINISH;
		held[i].ref->retry_at = outcomes[i].retry_at;
	}
	sched_record_outcomes(outcomes, count);
	pfree(outcomes);
}

static int
end_reports(SchedReport *reports, int count, bool failed, bool retryable)
{
	QTaskBatch *batch = sched_pending_ends(count);
	Held	   *held = palloc(count * sizeof(Held));
	int			accepted = hold(reports, count, SCHED_TASK_RUNNING, batch,
								held);

	if (accepted > 0)
		end_held(held, accepted, failed, retryable, sched_clock_now());
	pfree(held);
	return accepted;
}

int
sched_lease_complete(SchedReport *reports, int count)
{
	return end_reports(reports, count, false, false);
}

int
sched_lease_fail(SchedReport *reports, int count, bool retryable)
{
	return end_reports(reports, count, true, retryable);
}

/* ---------- giving a task to an executor ---------- */

static const char *
assign_obstacle(QTask *task, QExecutor *executor)
{
	SchedDatabase *db = &sched_shared->databases[executor->db];

	if (task == NULL)
		return "It has ended, or is not in the queue.";
	if (task->status != SCHED_TASK_READY)
		return "It is not ready.";
	if (task->ending_pid != 0)
		return "Another session is at it.";
	if (executor->spec.status != SCHED_EXECUTOR_ONLINE)
		return "The executor is not online.";
	if (!sched_executor_takes_kind(executor, task->lane->spec.kind))
		return "The executor does not take tasks of this type.";
	if (!sched_executor_has_tags(executor, task->lane->class))
		return "The executor lacks a tag that the task requires.";
	if (executor->running >= executor->spec.max_concurrent)
		return "The executor is at its max_concurrent.";
	if (task->place == Q_BUFFER)
		return "The overlap policy of its job holds it back.";
	if (task->place != Q_CLASS)
		return "Its job is paused or at its max_concurrent_runs.";
	if (!sched_queue_has_slots(task))
		return "Its pool has not enough free slots.";
	if (sched_max_concurrent_jobs > 0 &&
		db->running >= sched_max_concurrent_jobs)
		return "sched.max_concurrent_jobs tasks run already.";
	return NULL;
}

int
sched_lease_assign(int64 task_id, const char *executor_name)
{
	TimestampTz now = sched_clock_now();
	SchedTaskRow row;
	SchedIdentity identity;
	QTaskBatch *batch;
	QExecutor  *executor;
	QTask	   *task = NULL;
	const char *obstacle = "The executor has just been changed.";
	int			attempt = 0;
	int			me;

	sched_task_require(task_id, &row, true);
	sched_identity_find(executor_name, &identity);
	batch = sched_pending_leases(1);
	sched_lock(LW_EXCLUSIVE);
	me = sched_shmem_my_database();
	executor = me < 0 ? NULL : sched_identity_slot(me, &identity);
	if (executor != NULL)
	{
		task = sched_queue_find(me, task_id);
		obstacle = assign_obstacle(task, executor);
		if (obstacle == NULL)
		{
			sched_queue_assign(executor, task, MyProcPid, now);
			sched_batch_add(batch, task);
			task->undelivered = true;
			executor->undelivered++;
			attempt = task->attempt;
		}
	}
	sched_unlock();
	if (obstacle != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("cannot assign task %lld to executor \"%s\"",
						(long long) task_id, identity.name),
				 errdetail("%s", obstacle),
				 errhint("sched.why() tells what a task waits for.")));
	sched_store_insert_leases(SCHED_LEASE_ASSIGNED, identity.executor_id, now,
							  &task_id, &attempt, 1);
	sched_event_of_lease(false, identity.executor_id, task_id, row.job_id,
						 attempt);
	return attempt;
}

/* ---------- refusals ---------- */

char	   *
sched_lease_refusal_text(const SchedReport *report)
{
	long long	id = (long long) report->task_id;

	switch (report->refusal)
	{
		case SCHED_ACCEPTED:
			break;
		case SCHED_REFUSED_UNKNOWN:
			return psprintf("attempt %d of task %lld has ended",
							report->attempt, id);
		case SCHED_REFUSED_NOT_LEASED:
			return psprintf("attempt %d of task %lld is in no executor's hands",
							report->attempt, id);
		case SCHED_REFUSED_BUILT_IN:
			return psprintf("attempt %d of task %lld belongs to a built-in worker",
							report->attempt, id);
		case SCHED_REFUSED_STALE:
			return psprintf("attempt %d of task %lld is not the present one, which is %d",
							report->attempt, id, report->present);
		case SCHED_REFUSED_NOT_STARTED:
			return psprintf("attempt %d of task %lld is not running",
							report->attempt, id);
		case SCHED_REFUSED_STARTED:
			return psprintf("attempt %d of task %lld has been started already",
							report->attempt, id);
		case SCHED_REFUSED_EXECUTOR:
			return psprintf("attempt %d of task %lld belongs to another executor",
							report->attempt, id);
		case SCHED_REFUSED_RIGHT:
			return psprintf("permission denied for task %lld", id);
		case SCHED_REFUSED_BUSY:
			return psprintf("another session is at attempt %d of task %lld",
							report->attempt, id);
	}
	return NULL;
}

void
sched_lease_raise(const SchedReport *report)
{
	SchedTaskRow row;
	bool		no_right = report->refusal == SCHED_REFUSED_RIGHT;

	if (report->refusal == SCHED_REFUSED_UNKNOWN &&
		!sched_store_task(report->task_id, &row))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("task %lld does not exist",
						(long long) report->task_id),
				 errhint("See sched.tasks for those that do.")));
	ereport(ERROR,
			(errcode(no_right ? ERRCODE_INSUFFICIENT_PRIVILEGE :
					 ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("%s", sched_lease_refusal_text(report)),
			 no_right ?
			 errhint("Only the executor that has the task may say that: by its token in sched.executor_token, or as a member of the role that registered it.") :
			 report->refusal == SCHED_REFUSED_NOT_STARTED ?
			 errhint("Start it first with sched.start_task().") :
			 errhint("See sched.task_attempts() for the attempts of a task.")));
}

bool
sched_lease_is_mine(int64 task_id, int attempt)
{
	SchedIdentity identity;
	QTask	   *task = NULL;
	bool		leased = false;
	int			me;

	sched_lock(LW_SHARED);
	me = sched_shmem_my_database();
	if (me >= 0)
		task = sched_queue_find(me, task_id);
	if (task != NULL && task->executor != 0 && task->attempt == attempt)
	{
		leased = true;
		sched_identity_copy(sched_executor_of(task), &identity);
	}
	sched_unlock();
	return leased && sched_identity_may_act(&identity);
}
