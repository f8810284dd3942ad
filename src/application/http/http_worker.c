/*-------------------------------------------------------------------------
 *
 * http_worker.c
 *	  The process of a database that does HTTP.
 *
 * One loop on the event set of its latch, in which the sockets of all requests
 * are one event.  Each turn lets libcurl do what it can without waiting.  Then,
 * in one short transaction, it writes the outcomes of all requests that have
 * ended, takes ready tasks, as many as may be on the wire, reads what they ask
 * for, and writes down that they are under way (a row of _lease); their requests
 * are sent when that is durable.  So there is one flush of the log for both ends of
 * many tasks, and no transaction or snapshot while anything waits for the wire.
 * The more requests end while a transaction commits, the more share the next.
 *
 * A task that is in hand is running in the queue, with SCHED_WORKER_HTTP as its
 * worker.  Whoever wants it stopped marks it there and sets the latch; the
 * request is then given up at once.  A worker that dies leaves its state DEAD and the
 * scheduler writes its attempts off (http_pool.c).
 *
 * It waits for no lock that a user may hold, but for a moment.  An outcome that
 * cannot be written, for that or because the disk is full, is tried again every
 * second; until then its task counts as running, and keeps its place among those
 * in hand.  Any other error ends the process.
 *
 * It is connected as the bootstrap superuser and runs nothing that a user wrote.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "application/http/http_flight.h"
#include "application/http/http_worker.h"
#include "application/http/webhook.h"
#include "infrastructure/clock.h"
#include "infrastructure/compat.h"
#include "infrastructure/tables/lease_table.h"
#include "infrastructure/memory/pending.h"
#include "infrastructure/memory/queue.h"
#include "infrastructure/settings.h"
#include "infrastructure/tables/store.h"
#include "infrastructure/memory/wake.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/procsignal.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#define MAX_BATCH		256		/* tasks taken in one hold of the lock */
#define REWRITE_DELAY	(1 * USECS_PER_SEC)
#define MAX_FAILURES	4		/* in a row of outcomes that cannot be written */
#define LOCK_TIMEOUT	"50"	/* milliseconds */

static SchedDatabase *database;
static SchedHttpWorker *me;
static int	my_db;

static SchedHttpClient *client;
static SchedEgress *egress;
static char *egress_text;
static WaitEventSet *events;
static bool roles_changed = false;

static dlist_head on_wire;
static dlist_head ended;		/* to be written */
static dlist_head stuck;		/* could not be written, to be tried again */
static int	in_hand;			/* all of them */
static TimestampTz rewrite_at;	/* real time, 0: nothing is stuck */

/* ---------- coming and going ---------- */

static void
leave_slot(int code, Datum arg)
{
	sched_lock(LW_EXCLUSIVE);
	me->proc = NULL;
	me->pid = 0;
	me->in_flight = 0;
	me->state = in_hand > 0 ? SCHED_WORKER_DEAD : SCHED_WORKER_FREE;
	if (code != 0)
	{
		me->retry_start_at = GetCurrentTimestamp() +
			(USECS_PER_SEC << Min(me->start_failures, 6));
		me->start_failures++;
	}
	if (sched_webhooks_next() != 0 || sched_webhooks_in_flight() > 0)
		me->deliveries = true;
	/* the scheduler looks whether there is work for another one */
	me->wanted = true;
	sched_wake_scheduler(database);
	if (database->scheduler == NULL)
		sched_wake_launcher();
	sched_unlock();
}

static void
attach(int slot)
{
	my_db = slot;
	database = &sched_shared->databases[slot];
	me = &database->http;
	sched_lock(LW_EXCLUSIVE);
	if (me->state != SCHED_WORKER_STARTING || me->proc != NULL ||
		memcmp(MyBgworkerEntry->bgw_extra, &me->generation,
			   sizeof(me->generation)) != 0)
	{
		sched_unlock();
		proc_exit(0);			/* it was given to somebody else */
	}
	me->proc = MyProc;
	me->pid = MyProcPid;
	me->state = SCHED_WORKER_IDLE;
	me->started_at = GetCurrentTimestamp();
	me->since = me->started_at;
	sched_unlock();
	before_shmem_exit(leave_slot, (Datum) 0);
}

static void
note_role_change(Datum arg, int cacheid, uint32 hashvalue)
{
	roles_changed = true;
}

/* Settings that the client has to know of. */
static void
apply_settings(void)
{
	if (egress == NULL || strcmp(egress_text, sched_http_allowed_hosts) != 0)
	{
		SchedEgress *old_rules = egress;
		MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);
		SchedError	err;

		egress = sched_egress_parse(sched_http_allowed_hosts, &err);
		MemoryContextSwitchTo(old);
		/* NULL, which no valid setting gives, allows nothing */
		sched_http_client_set_egress(client, egress);
		if (old_rules != NULL)
			pfree(old_rules);
		if (egress_text != NULL)
			pfree(egress_text);
		egress_text = MemoryContextStrdup(TopMemoryContext,
										  sched_http_allowed_hosts);
	}
	sched_http_client_set_ca_file(client, sched_http_ca_file);
	sched_http_client_set_idle_connections(client,
										   sched_http_max_in_flight * 2);
}

static void
set_up(void)
{
	SetConfigOption("search_path", "pg_catalog, pg_temp", PGC_SUSET,
					PGC_S_OVERRIDE);
	SetConfigOption("lock_timeout", LOCK_TIMEOUT, PGC_SUSET, PGC_S_OVERRIDE);
	SetConfigOption("statement_timeout", "0", PGC_SUSET, PGC_S_OVERRIDE);
	SetConfigOption("default_transaction_isolation", "read committed",
					PGC_SUSET, PGC_S_OVERRIDE);
	SetConfigOption("default_transaction_read_only", "off", PGC_SUSET,
					PGC_S_OVERRIDE);
	SetConfigOption("session_replication_role", "origin", PGC_SUSET,
					PGC_S_OVERRIDE);
	CacheRegisterSyscacheCallback(AUTHOID, note_role_change, (Datum) 0);
	CacheRegisterSyscacheCallback(AUTHMEMROLEMEM, note_role_change, (Datum) 0);

	client = sched_http_client_create();
	if (client == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("could not initialize libcurl")));
	apply_settings();

	events = compat_create_wait_event_set(3);
	AddWaitEventToSet(events, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, NULL);
	AddWaitEventToSet(events, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, NULL,
					  NULL);
	if (sched_http_client_socket(client) >= 0)
		AddWaitEventToSet(events, WL_SOCKET_READABLE,
						  sched_http_client_socket(client), NULL, NULL);
	dlist_init(&on_wire);
	dlist_init(&ended);
	dlist_init(&stuck);
}

static bool
extension_is_there(void)
{
	bool		there;

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	there = sched_store_present();
	CommitTransactionCommand();
	return there;
}

/* ---------- taking tasks ---------- */

/* Copies what is taken; returns how many. */
static int
take_tasks(SchedAttempt *attempts, int room)
{
	TimestampTz now = sched_clock_now();
	QClass	   *class;
	QTask	   *task;
	int			count = 0;

	sched_lock(LW_EXCLUSIVE);
	me->woken = false;
	class = sched_queue_find_class(my_db, InvalidOid, SCHED_KIND_HTTP);
	while (class != NULL && !me->leave && count < room &&
		   (task = sched_queue_take(class, now)) != NULL)
	{
		task->worker = SCHED_WORKER_HTTP;
		sched_attempt_copy(task, &attempts[count++]);
		in_hand++;
	}
	me->in_flight = in_hand;
	if ((in_hand > 0) != (me->state == SCHED_WORKER_BUSY))
	{
		me->state = in_hand > 0 ? SCHED_WORKER_BUSY : SCHED_WORKER_IDLE;
		me->since = GetCurrentTimestamp();
	}
	sched_unlock();
	return count;
}

/* The attempt's task in the queue, if it is still that attempt; lock held. */
static QTask *
task_of(const HttpFlight *flight)
{
	QTask	   *task = sched_queue_find(my_db, flight->attempt.task_id);

	return task != NULL && task->worker == SCHED_WORKER_HTTP &&
		task->attempt == flight->attempt.attempt ? task : NULL;
}

static void
set_deadlines(HttpFlight **flights, int count)
{
	sched_lock(LW_EXCLUSIVE);
	for (int i = 0; i < count; i++)
	{
		const HttpFlight *flight = flights[i];
		QTask	   *task;

		if (flight->spec == NULL || flight->job->job->timeout <= 0 ||
			(task = task_of(flight)) == NULL)
			continue;
		task->deadline = flight->attempt.started_at + flight->job->job->timeout;
		sched_queue_set_timer(task, task->deadline);
	}
	sched_unlock();
}

static void
end_flight(HttpFlight *flight)
{
	sched_http_flight_conclude(flight);
	dlist_push_tail(&ended, &flight->node);
}

/*
 * Read what the attempts ask for, and write down that they are under way: should
 * the server die with them on the wire, they count as lost.
 */
static void
prepare(const SchedAttempt *attempts, HttpFlight **flights, int count)
{
	int64		ids[MAX_BATCH];
	int			numbers[MAX_BATCH];
	int			leased = 0;

	for (int i = 0; i < count; i++)
	{
		flights[i] = sched_http_flight_prepare(&attempts[i]);
		if (flights[i]->spec == NULL)
			continue;
		ids[leased] = attempts[i].task_id;
		numbers[leased++] = attempts[i].attempt;
	}
	if (leased > 0)
		sched_store_insert_leases(SCHED_LEASE_RUNNING, SCHED_EXECUTOR_HTTP,
								  attempts[0].started_at, ids, numbers,
								  leased);
}

static void
send_off(HttpFlight **flights, int count)
{
	set_deadlines(flights, count);
	for (int i = 0; i < count; i++)
	{
		HttpFlight *flight = flights[i];

		if (flight->spec == NULL)
			end_flight(flight);
		else if (sched_http_flight_start(flight, client))
			dlist_push_tail(&on_wire, &flight->node);
		else
			ereport(ERROR,
					(errcode(ERRCODE_OUT_OF_MEMORY),
					 errmsg("out of memory")));
	}
}

/* ---------- stopping ---------- */

/* Give up the requests of tasks that were told to stop. */
static void
obey_stops(void)
{
	dlist_mutable_iter iter;
	bool		any;

	sched_lock(LW_EXCLUSIVE);
	any = me->stops;
	me->stops = false;
	if (any)
		dlist_foreach_modify(iter, &on_wire)
	{
		HttpFlight *flight = dlist_container(HttpFlight, node, iter.cur);
		QTask	   *task = task_of(flight);

		if (task == NULL)
			flight->gone = true;
		else
			flight->stop = task->stop;
	}
	sched_unlock();
	if (!any)
		return;
	dlist_foreach_modify(iter, &on_wire)
	{
		HttpFlight *flight = dlist_container(HttpFlight, node, iter.cur);

		if (flight->stop == SCHED_STOP_NONE && !flight->gone)
			continue;
		dlist_delete(&flight->node);
		if (!flight->gone)
			sched_http_flight_conclude(flight);
		sched_http_client_release(client, flight->call);
		flight->call = NULL;
		dlist_push_tail(&ended, &flight->node);
	}
}

/* ---------- writing outcomes ---------- */

static void
forget_flight(HttpFlight *flight)
{
	dlist_delete(&flight->node);
	sched_http_flight_free(flight, client);
	in_hand--;
	me->tasks_done++;
}

/* What one transaction is to do. */
typedef struct Work
{
	HttpFlight *only;			/* write this outcome, else all */
	int			thrift;			/* see sched_http_flight_write() */
	const SchedAttempt *attempts;	/* prepare these */
	HttpFlight **flights;
	int			count;
} Work;

static void
work_in_transaction(const Work *work)
{
	dlist_iter	iter;

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	if (work->only != NULL)
		sched_http_flight_write(work->only, work->thrift);
	else
		dlist_foreach(iter, &ended)
	{
		HttpFlight *flight = dlist_container(HttpFlight, node, iter.cur);

		if (!flight->gone)
			sched_http_flight_write(flight, work->thrift);
	}
	if (work->count > 0)
		prepare(work->attempts, work->flights, work->count);
	PopActiveSnapshot();
	CommitTransactionCommand();
}

/* False, with the error in *error, when it could not be done. */
static bool
try_to_work(const Work *work, ErrorData **error)
{
	MemoryContext old = CurrentMemoryContext;
	volatile bool done = false;

	PG_TRY();
	{
		work_in_transaction(work);
		done = true;
	}
	PG_CATCH();
	{
		HOLD_INTERRUPTS();
		MemoryContextSwitchTo(old);
		*error = CopyErrorData();
		FlushErrorState();
		AbortOutOfAnyTransaction();
		RESUME_INTERRUPTS();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(old);
	return done;
}

/* The attempt has an outcome, from somebody else. */
static bool
was_ended_elsewhere(const SchedAttempt *attempt)
{
	int			last = 0;
	char		status;
	bool		final = false;
	bool		found;
	TimestampTz finished_at;

	StartTransactionCommand();
	found = sched_store_last_outcome(attempt->task_id, &last, &status, &final,
									 &finished_at) &&
		last >= attempt->attempt;
	if (found && final)
		sched_pending_finish_task(attempt->task_id);
	CommitTransactionCommand();
	return found;
}

/* Write one outcome, with less and less in it; false when nothing helps. */
static bool
write_one(HttpFlight *flight, bool tell)
{
	for (int thrift = 0; thrift <= 2; thrift++)
	{
		Work		work = {flight, thrift};
		ErrorData  *error = NULL;
		bool		locked;

		if (try_to_work(&work, &error))
			return true;
		if (error->sqlerrcode == ERRCODE_UNIQUE_VIOLATION &&
			was_ended_elsewhere(&flight->attempt))
			return true;
		locked = error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE;
		if (tell && (locked || thrift == 2))
			ereport(locked ? DEBUG1 : LOG,
					(errcode(error->sqlerrcode),
					 errmsg("sched: could not record the outcome of task %lld: %s",
							(long long) flight->attempt.task_id,
							error->message)));
		FreeErrorData(error);
		if (locked)
			break;
	}
	return false;
}

/*
 * Write the outcomes of a list, each in a transaction of its own; those that
 * cannot be written are left for later.  So one that has to wait for somebody's
 * lock holds up no other.
 */
static void
write_one_by_one(dlist_head *list)
{
	dlist_head	left;
	dlist_mutable_iter iter;
	int			failures = 0;

	dlist_init(&left);
	dlist_foreach_modify(iter, list)
	{
		HttpFlight *flight = dlist_container(HttpFlight, node, iter.cur);

		if (flight->gone ||
			(failures < MAX_FAILURES && write_one(flight, failures == 0)))
			forget_flight(flight);
		else
		{
			failures++;
			dlist_delete(&flight->node);
			dlist_push_tail(&left, &flight->node);
		}
	}
	while (!dlist_is_empty(&left))
		dlist_push_tail(&stuck, dlist_pop_head_node(&left));
	rewrite_at = dlist_is_empty(&stuck) ? 0 :
		GetCurrentTimestamp() + REWRITE_DELAY;
}

static int
count_ended(void)
{
	dlist_iter	iter;
	int			count = 0;

	dlist_foreach(iter, &ended)
		count++;
	return count;
}

/*
 * Write what has ended and take what there is room for, in one transaction, whose
 * commit is what costs most.  False when there was nothing to do.
 */
static bool
turn_over(void)
{
	SchedAttempt attempts[MAX_BATCH];
	HttpFlight *flights[MAX_BATCH];
	dlist_mutable_iter iter;
	ErrorData  *error = NULL;
	Work		work = {NULL, 0, attempts, flights, 0};
	int			ended_count;
	int			room;

	if (rewrite_at != 0 && GetCurrentTimestamp() >= rewrite_at)
		write_one_by_one(&stuck);
	ended_count = count_ended();
	room = sched_http_max_in_flight - (in_hand - ended_count);
	if (room > 0)
		work.count = take_tasks(attempts, Min(room, MAX_BATCH));
	if (work.count == 0 && ended_count == 0)
		return false;

	MemSet(flights, 0, work.count * sizeof(HttpFlight *));
	if (try_to_work(&work, &error))
	{
		dlist_foreach_modify(iter, &ended)
			forget_flight(dlist_container(HttpFlight, node, iter.cur));
		send_off(flights, work.count);
		return true;
	}
	FreeErrorData(error);
	for (int i = 0; i < work.count; i++)
		if (flights[i] != NULL)
			sched_http_flight_free(flights[i], client);
	write_one_by_one(&ended);
	if (work.count > 0)
	{
		/* another error ends the process */
		SetCurrentStatementStartTimestamp();
		StartTransactionCommand();
		PushActiveSnapshot(GetTransactionSnapshot());
		prepare(attempts, flights, work.count);
		PopActiveSnapshot();
		CommitTransactionCommand();
		send_off(flights, work.count);
	}
	return true;
}

/* ---------- the loop ---------- */

static void
collect_ended(void)
{
	SchedHttpCall *call;

	while ((call = sched_http_client_next_ended(client)) != NULL)
	{
		HttpFlight *flight = sched_http_call_owner(call);

		if (flight->kind == HTTP_OWNER_DELIVERY)
		{
			sched_webhooks_ended(call);
			continue;
		}
		dlist_delete(&flight->node);
		end_flight(flight);
	}
}

static bool
nothing_in_hand(void)
{
	return in_hand == 0 && sched_webhooks_in_flight() == 0;
}

/* Events for subscribers; they have at least a quarter of the places. */
static bool
deliver(void)
{
	MemoryContext old = CurrentMemoryContext;
	volatile bool done = false;
	bool		news;
	int			room;

	sched_lock(LW_EXCLUSIVE);
	news = me->deliveries;
	me->deliveries = false;
	sched_unlock();
	if (news)
		sched_webhooks_look_again();
	room = me->leave || database->held ? 0 :
		Max(sched_http_max_in_flight - in_hand,
			Max(sched_http_max_in_flight / 4, 1));
	PG_TRY();
	{
		done = sched_webhooks_turn(client, room);
	}
	PG_CATCH();
	{
		/* the tasks must not suffer from it */
		HOLD_INTERRUPTS();
		EmitErrorReport();
		AbortOutOfAnyTransaction();
		FlushErrorState();
		RESUME_INTERRUPTS();
		sched_webhooks_put_off();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(old);
	return done;
}

/* Milliseconds to wait for the latch or a socket, -1: for ever. */
static long
time_to_wait(TimestampTz idle_since)
{
	long		wait = sched_http_client_timeout(client);
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz until = now + 60 * USECS_PER_SEC;
	long		limit;

	if (nothing_in_hand() && sched_http_client_socket(client) < 0)
		wait = -1;
	if (sched_webhooks_next() != 0 && !database->held)
		until = Min(until, sched_webhooks_next());
	if (nothing_in_hand())
		until = Min(until, idle_since +
					sched_worker_idle_timeout * USECS_PER_SEC);
	if (rewrite_at != 0)
		until = Min(until, rewrite_at);
	limit = until <= now ? 0 : (long) ((until - now) / 1000 + 1);
	return wait < 0 ? limit : Min(wait, limit);
}

/* Something happened that needs a transaction to be noticed. */
static void
accept_invalidations(void)
{
	if (in_hand == 0)
	{
		StartTransactionCommand();
		CommitTransactionCommand();
	}
	if (roles_changed)
	{
		roles_changed = false;
		sched_http_flight_forget_jobs();
	}
}

static void
wait_for_news(TimestampTz idle_since)
{
	WaitEvent	occurred[3];

	if (nothing_in_hand())
	{
		pgstat_report_stat(false);
		pgstat_report_activity(STATE_IDLE, NULL);
	}
	(void) WaitEventSetWait(events, time_to_wait(idle_since), occurred,
							lengthof(occurred), PG_WAIT_EXTENSION);
}

void
sched_http_worker_main(Datum slot)
{
	TimestampTz idle_since = GetCurrentTimestamp();
	MemoryContext cycle;

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();

	attach(DatumGetInt32(slot));
	BackgroundWorkerInitializeConnectionByOid(database->database, InvalidOid,
											  0);
	set_up();
	cycle = AllocSetContextCreate(TopMemoryContext, "sched http cycle",
								  ALLOCSET_DEFAULT_SIZES);
	if (!extension_is_there())
		proc_exit(0);
	pgstat_report_activity(STATE_RUNNING, "HTTP requests");

	for (;;)
	{
		bool		busy;

		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		MemoryContextSwitchTo(cycle);
		MemoryContextReset(cycle);
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
			apply_settings();
		}
		accept_invalidations();
		obey_stops();
		sched_http_client_pump(client);
		collect_ended();
		busy = turn_over();
		busy = deliver() || busy;
		if (!nothing_in_hand() || sched_webhooks_next() != 0)
			idle_since = GetCurrentTimestamp();
		if (nothing_in_hand() && !busy)
		{
			me->start_failures = 0;
			if (me->leave || GetCurrentTimestamp() - idle_since >=
				sched_worker_idle_timeout * USECS_PER_SEC)
				proc_exit(0);
		}
		if (busy)
			sched_http_client_pump(client);
		if (dlist_is_empty(&ended))
			wait_for_news(idle_since);
	}
}
