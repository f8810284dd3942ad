/*-------------------------------------------------------------------------
 *
 * pending.c
 *	  What the running transaction means for the queue, once it commits.
 *
 * Notes live in the transaction's memory and know their subtransaction; a
 * rollback to a savepoint takes its notes away.  At commit, when the changes
 * are durable and visible, all are applied under one hold of the lock.  Applying
 * cannot fail.  A note that finds nothing to apply to is dropped: then
 * memory has it from elsewhere, or the scheduler reads the tables anyway.
 *
 * Very many new tasks of one transaction are not all remembered: beyond
 * MAX_REMEMBERED each job's are summed up as "left out from this task_id on",
 * and tasks for later as "there are some from this time on".
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "infrastructure/clock.h"
#include "infrastructure/memory/listener.h"
#include "infrastructure/memory/pending.h"
#include "infrastructure/settings.h"
#include "infrastructure/memory/waiters.h"
#include "infrastructure/memory/wake.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#define MAX_REMEMBERED	20000

typedef enum NoteKind
{
	NOTE_ADD,
	NOTE_LEAVE_OUT,
	NOTE_FUTURE,
	NOTE_MANY_FUTURE,
	NOTE_FINISH,
	NOTE_RETRY,
	NOTE_HURRY,
	NOTE_STOP,
	NOTE_RESERVE,
	NOTE_LETTER,
	NOTE_EVALUATE,
	NOTE_MOVED,
	NOTE_LEASES,
	NOTE_STARTS,
	NOTE_ENDS,
	NOTE_EXECUTOR,
	NOTE_EXECUTOR_GONE,
	NOTE_EXECUTOR_ONLINE,
	NOTE_JOB,
	NOTE_CHORE,
	NOTE_SEGMENTS,
	NOTE_SECRETS,
	NOTE_DELIVERIES,
	NOTE_LISTENERS,
	NOTE_EVENTS,
	NOTE_TYPES,
	NOTE_POOLS,
	NOTE_LAUNCHER,
	NOTE_SCHEDULER
} NoteKind;

typedef struct Note
{
	NoteKind	kind;
	SubTransactionId subid;
	int64		id;				/* task or job */
	int64		id2;
	Oid			role;
	TimestampTz at;
	int			flag;
	uint64		xid;			/* of the transaction, in full */
	uint32		job_generation;
	QTaskBatch *batch;			/* NOTE_LEASES, NOTE_STARTS, NOTE_ENDS */
	QExecutorSpec *executor;
	QLaneSpec	lane;
	QTaskSpec	task;
} Note;

static Note *notes;				/* in TopTransactionContext */
static int	note_count;
static int	note_capacity;

static void undo_note(const Note *note, int me, TimestampTz now);
static void hold_again(int me);

/* The task that the process will finish itself after the commit, 0: none. */
static int64 deferred_task;
static bool deferred;

static Note *
add_note(NoteKind kind, int64 id)
{
	Note	   *note;

	sched_shmem_require();
	if (notes == NULL)
	{
		note_capacity = 8;
		notes = MemoryContextAlloc(TopTransactionContext,
								   note_capacity * sizeof(Note));
	}
	else if (note_count == note_capacity)
	{
		notes = repalloc_huge(notes, 2 * (Size) note_capacity * sizeof(Note));
		note_capacity *= 2;
	}
	note = &notes[note_count++];
	note->kind = kind;
	note->subid = GetCurrentSubTransactionId();
	note->id = id;
	note->at = 0;
	note->flag = 0;
	note->batch = NULL;
	note->executor = NULL;
	return note;
}

uint32
sched_pending_job_generation(void)
{
	int			me = sched_shmem_my_database();

	if (me < 0)
		return 0;
	return *(volatile uint32 *) &sched_shared->databases[me].job_generation;
}

void
sched_pending_add_task(const QLaneSpec *lane, const QTaskSpec *task,
					   uint32 job_generation)
{
	Note	   *note;

	if (note_count >= MAX_REMEMBERED)
	{
		for (int i = note_count - 1; i >= MAX_REMEMBERED; i--)
			if (notes[i].kind == NOTE_LEAVE_OUT &&
				notes[i].lane.job_id == lane->job_id &&
				notes[i].subid == GetCurrentSubTransactionId())
			{
				notes[i].id = Min(notes[i].id, task->task_id);
				return;
			}
		note = add_note(NOTE_LEAVE_OUT, task->task_id);
	}
	else
		note = add_note(NOTE_ADD, task->task_id);
	note->lane = *lane;
	note->task = *task;
	note->job_generation = job_generation;
}

void
sched_pending_add_future(const QLaneSpec *lane, const QTaskSpec *task,
						 uint32 job_generation)
{
	Note	   *note;

	if (note_count >= MAX_REMEMBERED)
	{
		for (int i = note_count - 1; i >= MAX_REMEMBERED; i--)
			if (notes[i].kind == NOTE_MANY_FUTURE &&
				notes[i].subid == GetCurrentSubTransactionId())
			{
				notes[i].at = Min(notes[i].at, task->due_at);
				return;
			}
		add_note(NOTE_MANY_FUTURE, 0)->at = task->due_at;
		return;
	}
	note = add_note(NOTE_FUTURE, task->task_id);
	note->lane = *lane;
	note->task = *task;
	note->job_generation = job_generation;
}

void
sched_pending_finish_task(int64 task_id)
{
	if (task_id == deferred_task)
	{
		deferred = true;
		return;
	}
	add_note(NOTE_FINISH, task_id);
}

void
sched_pending_defer_finish(int64 task_id)
{
	deferred_task = task_id;
	deferred = false;
}

bool
sched_pending_take_deferred(void)
{
	bool		result = deferred;

	deferred_task = 0;
	deferred = false;
	return result;
}

void
sched_pending_retry_task(int64 task_id, TimestampTz due_at, bool counts)
{
	Note	   *note = add_note(NOTE_RETRY, task_id);

	note->at = due_at;
	note->flag = counts;
}

void
sched_pending_hurry_task(int64 task_id)
{
	add_note(NOTE_HURRY, task_id);
}

void
sched_pending_stop_task(int64 task_id, SchedStopReason reason, bool at_once)
{
	Note	   *note = add_note(NOTE_STOP, task_id);

	note->flag = reason;
	note->at = at_once;
}

int
sched_pending_count_tasks(int64 job_id, int limit)
{
	int			count = 0;

	for (int i = note_count - 1; i >= 0 && count < limit; i--)
		if ((notes[i].kind == NOTE_ADD || notes[i].kind == NOTE_LEAVE_OUT) &&
			notes[i].lane.job_id == job_id)
			count += notes[i].kind == NOTE_ADD ? 1 : limit;
	return Min(count, limit);
}

bool
sched_pending_reserve_task(int64 task_id)
{
	int			me;
	QTask	   *task;
	bool		mine = true;

	add_note(NOTE_RESERVE, task_id);	/* first: so that it is undone */
	me = sched_shmem_my_database();
	if (me < 0)
		return true;
	sched_lock(LW_EXCLUSIVE);
	task = sched_queue_find(me, task_id);
	if (task != NULL)
		mine = sched_queue_reserve(task, MyProcPid);
	sched_unlock();
	return mine;
}

void
sched_pending_letter(int64 task_id, SchedEdgeLetter letter)
{
	Note	   *note = add_note(NOTE_LETTER, task_id);

	note->flag = letter;
	note->xid = U64FromFullTransactionId(GetTopFullTransactionId());
}

void
sched_pending_evaluate(int64 task_id)
{
	add_note(NOTE_EVALUATE, task_id);
}

void
sched_pending_job_moved(int64 job_id)
{
	if (note_count > 0 && notes[note_count - 1].kind == NOTE_MOVED &&
		notes[note_count - 1].id == job_id &&
		notes[note_count - 1].subid == GetCurrentSubTransactionId())
		return;
	add_note(NOTE_MOVED, job_id);
}

void
sched_pending_unreserve_task(int64 task_id)
{
	int			me = sched_shmem_my_database();
	Note	   *note = &notes[note_count - 1];

	if (note->kind != NOTE_RESERVE || note->id != task_id)
		return;
	note_count--;
	if (me < 0)
		return;
	sched_lock(LW_EXCLUSIVE);
	undo_note(note, me, sched_clock_now());
	hold_again(me);
	sched_unlock();
}

static QTaskBatch *
add_batch(NoteKind kind, int capacity)
{
	QTaskBatch *batch;
	Note	   *note;

	batch = MemoryContextAllocHuge(TopTransactionContext,
								   offsetof(QTaskBatch, refs) +
								   (Size) capacity * sizeof(QTaskRef));
	batch->count = 0;
	note = add_note(kind, 0);
	note->batch = batch;
	return batch;
}

QTaskBatch *
sched_pending_leases(int capacity)
{
	return add_batch(NOTE_LEASES, capacity);
}

QTaskBatch *
sched_pending_starts(int capacity)
{
	return add_batch(NOTE_STARTS, capacity);
}

QTaskBatch *
sched_pending_ends(int capacity)
{
	return add_batch(NOTE_ENDS, capacity);
}

bool
sched_pending_executor(const QExecutorSpec *spec, bool is_new)
{
	QExecutorSpec *copy = MemoryContextAlloc(TopTransactionContext,
											 sizeof(QExecutorSpec));
	Note	   *note = add_note(NOTE_EXECUTOR, spec->executor_id);
	int			me = sched_shmem_my_database();
	bool		room = true;

	*copy = *spec;
	note->executor = copy;
	note->flag = is_new;
	if (is_new && me >= 0)
	{
		sched_lock(LW_EXCLUSIVE);
		room = sched_executor_put(me, spec, MyProcPid,
								  sched_clock_now()) != NULL;
		sched_unlock();
	}
	return room;
}

void
sched_pending_executor_gone(int executor_id)
{
	add_note(NOTE_EXECUTOR_GONE, executor_id);
}

void
sched_pending_executor_online(int executor_id)
{
	add_note(NOTE_EXECUTOR_ONLINE, executor_id);
}

void
sched_pending_job_changed(int64 job_id, int paused)
{
	Note	   *note;

	if (note_count > 0 && notes[note_count - 1].kind == NOTE_JOB &&
		notes[note_count - 1].id == job_id && paused < 0 &&
		notes[note_count - 1].subid == GetCurrentSubTransactionId())
		return;
	note = add_note(NOTE_JOB, job_id);
	note->flag = paused;
}

void
sched_pending_chore(Oid role, SchedChoreKind kind, int64 id1, int64 id2)
{
	Note	   *note = add_note(NOTE_CHORE, id1);

	note->role = role;
	note->flag = kind;
	note->id2 = id2;
}

void
sched_pending_segments_changed(void)
{
	add_note(NOTE_SEGMENTS, 0);
}

/* What kind of worker takes a job's tasks may be another one now. */
void
sched_pending_types_changed(void)
{
	(void) add_note(NOTE_TYPES, 0);
	sched_pending_job_changed(SCHED_CHANGE_ALL, -1);
}

void
sched_pending_listeners_changed(void)
{
	add_note(NOTE_LISTENERS, 0);
}

/* Once is enough, unless a savepoint that may be undone lies in between. */
void
sched_pending_events_recorded(void)
{
	if (note_count > 0 && notes[note_count - 1].kind == NOTE_EVENTS &&
		notes[note_count - 1].subid == GetCurrentSubTransactionId())
		return;
	add_note(NOTE_EVENTS, 0);
}

void
sched_pending_pools_changed(void)
{
	(void) add_note(NOTE_POOLS, 0);
}

void
sched_pending_deliveries(void)
{
	if (note_count > 0 && notes[note_count - 1].kind == NOTE_DELIVERIES &&
		notes[note_count - 1].subid == GetCurrentSubTransactionId())
		return;
	(void) add_note(NOTE_DELIVERIES, 0);
}

void
sched_pending_secrets_changed(void)
{
	(void) add_note(NOTE_SECRETS, 0);
}

void
sched_pending_wake_launcher(void)
{
	add_note(NOTE_LAUNCHER, 0);
}

void
sched_pending_wake_scheduler(void)
{
	add_note(NOTE_SCHEDULER, 0);
}

/* ---------- tasks that the transaction holds ---------- */

/*
 * The attempt is over and another one is to follow; unless somebody has told it
 * to stop in the meantime.
 */
static void
end_attempt(QTask *task, TimestampTz retry_at, bool counts, TimestampTz now)
{
	int			running = sched_shared->databases[task->db].running;
	SchedStopReason stop = task->stop;

	if (stop == SCHED_STOP_TIMEOUT)
		stop = SCHED_STOP_NONE; /* that is what ended the attempt */
	task->ending_pid = 0;
	if (task->status == SCHED_TASK_RUNNING)
	{
		sched_queue_retry(task, retry_at, counts);
		if (stop == SCHED_STOP_NONE && retry_at <= now &&
			!task->lane->spec.paused)
			sched_queue_make_ready(task, now);
	}
	else if (task->status == SCHED_TASK_ASSIGNED)
		sched_queue_release(task, now);
	else
		return;
	if (stop != SCHED_STOP_NONE)
		sched_queue_stop_waiting(task, stop, now);
	if (sched_max_concurrent_jobs > 0 && running >= sched_max_concurrent_jobs)
		sched_queue_wake_workers(task->db);
}

/* Does the entry still belong to that task? */
static inline bool
is_there(const QTaskRef *ref, int me)
{
	return ref->task->db == me && ref->task->task_id == ref->task_id;
}

static void
apply_ref(NoteKind kind, const QTaskRef *ref, int me, TimestampTz now)
{
	QTask	   *task = ref->task;

	if (!is_there(ref, me))
		return;
	if (kind == NOTE_LEASES)
		sched_queue_lease_kept(task);
	else if (kind == NOTE_STARTS)
	{
		task->ending_pid = 0;
		sched_queue_check_holder(task);
	}
	else if (ref->fate == Q_FINISH)
		sched_queue_finish(task);
	else if (ref->fate == Q_RETRY)
		end_attempt(task, ref->retry_at, ref->counts, now);
	else
		sched_queue_unreserve(task, now);
}

static void
undo_ref(NoteKind kind, const QTaskRef *ref, int me, TimestampTz now)
{
	QTask	   *task = ref->task;

	if (!is_there(ref, me) || task->attempt != ref->attempt)
		return;
	if (kind == NOTE_LEASES && task->status == SCHED_TASK_ASSIGNED)
		sched_queue_lease_undone(task);
	else if (kind == NOTE_STARTS && task->status == SCHED_TASK_RUNNING)
	{
		task->ending_pid = 0;
		sched_queue_start_undone(task);
		sched_queue_check_holder(task);
	}
	else if (kind == NOTE_ENDS && task->ending_pid == MyProcPid)
		sched_queue_unreserve(task, now);
}

/* The change has not been: what it did to memory at once is taken back. */
static void
undo_note(const Note *note, int me, TimestampTz now)
{
	QTask	   *task;
	QExecutor  *executor;

	switch (note->kind)
	{
		case NOTE_LEASES:
		case NOTE_STARTS:
		case NOTE_ENDS:
			for (int i = note->batch->count - 1; i >= 0; i--)
				undo_ref(note->kind, &note->batch->refs[i], me, now);
			break;
		case NOTE_RESERVE:
			task = sched_queue_find(me, note->id);
			if (task != NULL && task->ending_pid == MyProcPid)
				sched_queue_unreserve(task, now);
			break;
		case NOTE_EXECUTOR:
			executor = note->flag ? sched_executor_find_id(me, note->id) : NULL;
			if (executor != NULL && executor->hidden_pid == MyProcPid)
				sched_executor_remove(executor);
			break;
		default:
			break;
	}
}

/* What the transaction still holds after a rollback to a savepoint. */
static void
hold_again(int me)
{
	for (int i = 0; i < note_count; i++)
	{
		const Note *note = &notes[i];
		QTask	   *task;

		if (note->kind == NOTE_RESERVE)
		{
			task = sched_queue_find(me, note->id);
			if (task != NULL)
				(void) sched_queue_reserve(task, MyProcPid);
		}
		else if (note->batch != NULL)
		{
			for (int j = 0; j < note->batch->count; j++)
			{
				const QTaskRef *ref = &note->batch->refs[j];

				if (is_there(ref, me) &&
					sched_queue_reserve(ref->task, MyProcPid))
					ref->task->ending |= note->kind == NOTE_ENDS;
			}
		}
	}
}

/* ---------- applying ---------- */

static void
apply_to_worker(QTask *task, SchedStopReason reason, bool at_once)
{
	SchedWorker *worker;

	if (task->executor != 0 && task->stop == SCHED_STOP_NONE)
	{
		/* told with its executor's next beat; the scheduler waits no longer */
		task->stop = reason;
		sched_queue_set_timer(task, sched_clock_now() +
							  (at_once ? 0 :
							   sched_cancel_grace * USECS_PER_SEC));
	}
	if (sched_queue_stop_http(task, reason) || task->worker < 0)
		return;
	worker = &sched_shared->workers[task->worker];
	if (worker->state != SCHED_WORKER_BUSY || worker->task != task ||
		(worker->stop != SCHED_STOP_NONE && !at_once))
		return;
	if (worker->stop == SCHED_STOP_NONE)
		worker->stop = reason;
	if (at_once)
	{
		worker->terminated = true;
		sched_wake_terminate(worker);
	}
	else
		sched_wake_cancel(worker);
	/* when it does not react, the scheduler terminates the worker */
	sched_queue_set_timer(task, sched_clock_now() +
						  sched_cancel_grace * USECS_PER_SEC);
}

static void
apply_note(const Note *note, int me, TimestampTz now)
{
	SchedDatabase *db = &sched_shared->databases[me];
	QTask	   *task;
	QExecutor  *executor;

	switch (note->kind)
	{
		case NOTE_FUTURE:
			/* the scheduler may have looked beyond it before it was there */
			if (note->task.due_at >= db->horizon)
				break;
			/* FALLTHROUGH */
		case NOTE_ADD:
			/* nobody has read the tables yet: they will be read */
			if (!db->loaded)
				break;
			(void) sched_queue_add(me, &note->lane, &note->task, false, now);
			if (note->job_generation != db->job_generation)
			{
				sched_shmem_note_change(db, note->lane.job_id);
				sched_wake_scheduler(db);
			}
			break;
		case NOTE_LEAVE_OUT:
			if (db->loaded)
				sched_queue_leave_out(me, &note->lane, note->id);
			break;
		case NOTE_MANY_FUTURE:
			if (db->loaded && note->at < db->horizon)
			{
				db->rescan = true;
				sched_wake_scheduler(db);
			}
			break;
		case NOTE_FINISH:
			task = sched_queue_find(me, note->id);
			if (task == NULL)
			{
				sched_queue_note_ended(me, note->id);
				break;
			}
			if (task->executor != 0)
				sched_executor_note_lost(sched_executor_of(task),
										 task->task_id, task->attempt);
			sched_queue_finish(task);
			break;
		case NOTE_RETRY:
			task = sched_queue_find(me, note->id);
			if (task != NULL)
				end_attempt(task, note->at, note->flag, now);
			break;
		case NOTE_HURRY:
			task = sched_queue_find(me, note->id);
			if (task != NULL && task->status == SCHED_TASK_WAITING_RETRY)
			{
				task->due_at = now;
				sched_queue_make_ready(task, now);
			}
			break;
		case NOTE_STOP:
			task = sched_queue_find(me, note->id);
			if (task == NULL)
				break;
			if (sched_task_status_holds_lease(task->status))
				apply_to_worker(task, note->flag, note->at != 0);
			else
				sched_queue_stop_waiting(task, note->flag, now);
			break;
		case NOTE_LEASES:
		case NOTE_STARTS:
		case NOTE_ENDS:
			for (int i = 0; i < note->batch->count; i++)
				apply_ref(note->kind, &note->batch->refs[i], me, now);
			break;
		case NOTE_EXECUTOR:
			(void) sched_executor_put(me, note->executor, 0, now);
			break;
		case NOTE_EXECUTOR_GONE:
			executor = sched_executor_find_id(me, note->id);
			if (executor != NULL)
			{
				sched_waiter_wake_all(executor);
				sched_executor_remove(executor);
			}
			break;
		case NOTE_EXECUTOR_ONLINE:
			executor = sched_executor_find_id(me, note->id);
			if (executor != NULL && executor->spec.active)
			{
				executor->last_beat = now;
				sched_executor_set_status(executor, SCHED_EXECUTOR_ONLINE,
										  true, now);
			}
			break;
		case NOTE_RESERVE:
			undo_note(note, me, now);
			break;
		case NOTE_LETTER:
			task = sched_queue_find(me, note->id);
			if (task != NULL)
				sched_queue_letter(task, note->flag, note->xid, now);
			else
				sched_shmem_note_stray(db, note->id);
			break;
		case NOTE_EVALUATE:
			task = sched_queue_find(me, note->id);
			if (task != NULL)
				sched_queue_evaluate(task, now);
			else
				sched_shmem_note_stray(db, note->id);
			break;
		case NOTE_MOVED:
			sched_shmem_note_moved(db, note->id);
			break;
		case NOTE_JOB:
			db->job_generation++;
			if (note->flag >= 0)
				sched_queue_pause_lane(me, note->id, note->flag);
			sched_shmem_note_change(db, note->id);
			sched_shmem_note_moved(db, note->id);
			sched_wake_scheduler(db);
			break;
		case NOTE_CHORE:
			(void) sched_chores_put(me, note->role, note->flag, note->id,
									note->id2);
			break;
		case NOTE_SECRETS:
			db->http.secret_generation++;
			break;
		case NOTE_DELIVERIES:
			sched_queue_note_deliveries(db);
			break;
		case NOTE_SEGMENTS:
			db->segment_generation++;
			break;
		case NOTE_LISTENERS:
			db->listener_generation++;
			break;
		case NOTE_EVENTS:
			db->events = true;
			sched_wake_scheduler(db);
			break;
		case NOTE_POOLS:
			db->pool_generation++;
			sched_wake_scheduler(db);
			break;
		case NOTE_TYPES:
			db->type_generation++;
			break;
		case NOTE_SCHEDULER:
			sched_wake_scheduler(db);
			break;
		case NOTE_LAUNCHER:
			break;
	}
}

static void
apply_all(bool committed)
{
	TimestampTz now = sched_clock_now();
	int			me;

	sched_lock(LW_EXCLUSIVE);
	me = sched_shmem_my_database();
	for (int i = 0; i < note_count; i++)
	{
		Note	   *note = &notes[i];

		if (note->kind == NOTE_LAUNCHER && committed)
		{
			sched_shared->probe = true;
			sched_wake_launcher();
		}
		else if (note->kind == NOTE_LISTENERS && !committed)
			sched_listeners_forget();
		else if (me >= 0 && committed && note->kind != NOTE_RESERVE)
			apply_note(note, me, now);
	}
	/* reservations last: what was ended above is gone, the rest goes on */
	for (int i = note_count - 1; me >= 0 && i >= 0; i--)
		if (!committed || notes[i].kind == NOTE_RESERVE)
			undo_note(&notes[i], me, now);
	sched_unlock();
}

static void
at_transaction_end(XactEvent event, void *arg)
{
	if (notes == NULL)
		return;
	switch (event)
	{
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_ABORT:
			apply_all(event == XACT_EVENT_COMMIT);
			notes = NULL;		/* the memory goes with the transaction */
			note_count = 0;
			break;
		case XACT_EVENT_PRE_PREPARE:
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("cannot PREPARE a transaction that has changed jobs or tasks"),
					 errhint("Use COMMIT instead of PREPARE TRANSACTION.")));
			break;
		default:
			break;
	}
}

static void
at_subtransaction_end(SubXactEvent event, SubTransactionId subid,
					  SubTransactionId parent, void *arg)
{
	int			me;
	int			kept = 0;

	if (notes == NULL)
		return;
	if (event == SUBXACT_EVENT_COMMIT_SUB)
	{
		for (int i = 0; i < note_count; i++)
			if (notes[i].subid == subid)
				notes[i].subid = parent;
	}
	else if (event == SUBXACT_EVENT_ABORT_SUB)
	{
		sched_lock(LW_EXCLUSIVE);
		me = sched_shmem_my_database();
		for (int i = note_count - 1; me >= 0 && i >= 0; i--)
			if (notes[i].subid == subid)
				undo_note(&notes[i], me, sched_clock_now());
		for (int i = 0; i < note_count; i++)
		{
			if (notes[i].subid != subid)
				notes[kept++] = notes[i];
			else if (notes[i].kind == NOTE_LISTENERS)
				sched_listeners_forget();
		}
		note_count = kept;
		if (me >= 0)
			hold_again(me);
		sched_unlock();
	}
}

void
sched_pending_install(void)
{
	RegisterXactCallback(at_transaction_end, NULL);
	RegisterSubXactCallback(at_subtransaction_end, NULL);
}
