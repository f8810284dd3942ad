/*-------------------------------------------------------------------------
 *
 * routing.c
 *	  What the routes of jobs need besides shared memory.
 *
 * The choice itself is made in shared memory (infrastructure/memory/queue_route.c) when
 * a task becomes ready.  Two things are not there: the key by which
 * consistent_hash chooses, which comes from the parameters and is computed when
 * the task is ordered; and which executor had the job's last task, which the
 * scheduler looks up in the record when memory has forgotten it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "application/executors/broadcast.h"
#include "application/executors/routing.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "infrastructure/memory/chores.h"
#include "infrastructure/memory/queue_route.h"
#include "miscadmin.h"
#include "utils/snapmgr.h"

#define KEY_MEMBER		"routing_key"

/* How many of the job's newest tasks are looked at for its last executor. */
#define NEWEST	"200"

/* ---------- the key ---------- */

static bool
find_member(const Jsonb *object, JsonbValue *value)
{
	JsonbValue	key;
	JsonbValue *found;

	if (object == NULL || !JB_ROOT_IS_OBJECT(object))
		return false;
	key.type = jbvString;
	key.val.string.val = KEY_MEMBER;
	key.val.string.len = strlen(KEY_MEMBER);
	found = findJsonbValueFromContainer(unconstify(JsonbContainer *, &object->root),
										JB_FOBJECT, &key);
	if (found == NULL || found->type == jbvNull)
		return false;
	*value = *found;
	return true;
}

static uint32
hash_value(JsonbValue *value)
{
	Jsonb	   *jsonb;

	if (value->type == jbvString)
		return hash_bytes((const unsigned char *) value->val.string.val,
						  value->val.string.len);
	jsonb = JsonbValueToJsonb(value);
	return hash_bytes((const unsigned char *) VARDATA(jsonb),
					  VARSIZE(jsonb) - VARHDRSZ);
}

uint32
sched_routing_key(const SchedJob *job, const Jsonb *parameters)
{
	JsonbValue	value;

	if (job->route != SCHED_ROUTE_CONSISTENT_HASH)
		return 0;
	if (find_member(parameters, &value) || find_member(job->parameters, &value))
		return hash_value(&value);
	if (parameters != NULL && JB_ROOT_COUNT(parameters) > 0)
		return hash_bytes((const unsigned char *) VARDATA_ANY(parameters),
						  VARSIZE_ANY_EXHDR(parameters));
	return murmurhash32((uint32) job->job_id);
}

/* ---------- the last executor ---------- */

/* The task of the job that last had an outcome from an executor, and which. */
static int
last_in_record(int64 job_id, int64 *task_id)
{
	static const char query[] =
		"SELECT o.task_id, o.executor_id FROM"
		" (SELECT t.task_id FROM sched._task t"
		"  WHERE t.job_id OPERATOR(pg_catalog.=) $1"
		"  ORDER BY t.task_id DESC LIMIT " NEWEST ") AS n"
		" JOIN sched._outcome o ON o.task_id OPERATOR(pg_catalog.=) n.task_id"
		" WHERE o.executor_id OPERATOR(pg_catalog.>=) 10"
		" ORDER BY o.task_id DESC, o.attempt DESC LIMIT 1";
	Oid			types[1] = {INT8OID};
	Datum		values[1] = {Int64GetDatum(job_id)};
	int			executor_id = 0;
	bool		isnull;

	*task_id = 0;
	if (SPI_execute_with_args(query, 1, types, values, NULL, true, 1) !=
		SPI_OK_SELECT)
		elog(ERROR, "could not read the tasks of job %lld", (long long) job_id);
	if (SPI_processed > 0)
	{
		*task_id = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0],
											   SPI_tuptable->tupdesc, 1,
											   &isnull));
		executor_id = DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[0],
												  SPI_tuptable->tupdesc, 2,
												  &isnull));
	}
	return executor_id;
}

/* A lease that is newer than that, of a task that has not ended. */
static int
last_in_memory(const QLane *lane, int64 task_id, int executor_id)
{
	dlist_iter	iter;

	dlist_foreach(iter, unconstify(dlist_head *, &lane->tasks))
	{
		const QTask *task = dlist_container(QTask, lane_node, iter.cur);

		if (task->executor != 0 && task->task_id > task_id)
		{
			task_id = task->task_id;
			executor_id = sched_executor_of(task)->spec.executor_id;
		}
	}
	return executor_id;
}

static void
answer_last(int db, int64 job_id)
{
	int64		task_id;
	int			executor_id = last_in_record(job_id, &task_id);
	QLane	   *lane;

	sched_lock(LW_EXCLUSIVE);
	lane = sched_queue_find_lane(db, job_id);
	if (lane != NULL)
		sched_route_set_last(lane, last_in_memory(lane, task_id, executor_id));
	sched_unlock();
}

/*
 * In whoever orders tasks: look it up before they are ready, so that they need
 * not wait for the scheduler.  With the rights of the extension's owner, and for
 * that without any name that the caller could have put his own in place of.
 */
void
sched_routing_prepare(const QLaneSpec *lane)
{
	Oid			caller;
	int			security;
	int64		task_id;
	int			executor_id;
	int			me;
	bool		known;

	if (lane->route != SCHED_ROUTE_ROUND_ROBIN &&
		lane->route != SCHED_ROUTE_STICKY)
		return;
	sched_lock(LW_SHARED);
	me = sched_shmem_my_database();
	known = me < 0 || sched_route_is_known(me, lane->job_id);
	sched_unlock();
	if (known)
		return;

	GetUserIdAndSecContext(&caller, &security);
	SetUserIdAndSecContext(sched_store_owner(),
						   security | SECURITY_LOCAL_USERID_CHANGE);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	executor_id = last_in_record(lane->job_id, &task_id);
	SPI_finish();
	SetUserIdAndSecContext(caller, security);

	sched_lock(LW_EXCLUSIVE);
	sched_route_learn(me, lane->job_id, executor_id);
	sched_unlock();
}

/* ---------- the scheduler's turn ---------- */

/* There was no room for a chore: ask again when there is. */
static bool refused = false;

static void
ask_router(int db, int64 job_id)
{
	SchedJob   *job = sched_store_job(job_id);

	if (job == NULL)
		return;
	sched_lock(LW_EXCLUSIVE);
	if (!sched_chores_put(db, job->owner, SCHED_CHORE_ROUTE, job_id, 0))
		refused = true;
	sched_unlock();
}

/* True when there is more to do after the commit. */
static bool
answer_all(int db)
{
	uint32		cursor = 0;
	bool		more = false;

	for (;;)
	{
		QLane	   *lane;
		int64		job_id = 0;
		SchedRoute	route = SCHED_ROUTE_PULL;

		sched_lock(LW_SHARED);
		lane = sched_route_next_asking(db, &cursor);
		if (lane != NULL)
		{
			job_id = lane->spec.job_id;
			route = lane->spec.route;
		}
		sched_unlock();
		if (lane == NULL)
			break;
		if (route == SCHED_ROUTE_ROUND_ROBIN || route == SCHED_ROUTE_STICKY)
			answer_last(db, job_id);
		else if (route == SCHED_ROUTE_CUSTOM)
			ask_router(db, job_id);
		else if (route == SCHED_ROUTE_BROADCAST &&
				 sched_broadcast_turn(db, job_id))
			more = true;
		CHECK_FOR_INTERRUPTS();
	}
	return more;
}

static void
set_wanted(SchedDatabase *database, bool wanted)
{
	sched_lock(LW_EXCLUSIVE);
	database->want_routes = wanted;
	sched_unlock();
}

void
sched_routing_recheck(int db)
{
	/* those that wait for an answer make the scheduler look by it */
	sched_lock(LW_EXCLUSIVE);
	sched_route_retry(db);
	sched_unlock();
}

void
sched_routing_run(int db)
{
	SchedDatabase *database = &sched_shared->databases[db];
	bool		more = false;

	if (!database->want_routes && !(refused && !database->chores_refused))
		return;
	refused = false;
	set_wanted(database, false);
	PG_TRY();
	{
		SetCurrentStatementStartTimestamp();
		StartTransactionCommand();
		PushActiveSnapshot(GetTransactionSnapshot());
		if (SPI_connect() != SPI_OK_CONNECT)
			elog(ERROR, "SPI_connect failed");
		more = answer_all(db);
		SPI_finish();
		PopActiveSnapshot();
		CommitTransactionCommand();
	}
	PG_CATCH();
	{
		set_wanted(database, true);
		PG_RE_THROW();
	}
	PG_END_TRY();
	if (more)
		set_wanted(database, true);
}
