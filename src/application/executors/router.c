/*-------------------------------------------------------------------------
 *
 * router.c
 *	  Functions of users that choose the executor of a task.
 *
 * A job whose routing is the name of a registered function has its ready tasks
 * "unrouted" (infrastructure/memory/queue_route.c) until the function has been asked.
 * The scheduler makes that a chore of the job's owner, one per job, and a
 * worker asks for up to MAX_TASKS of them in one transaction.  What the function
 * says is applied to shared memory after that transaction is over.
 *
 * A function that names nobody, or somebody who may not have the task, leaves it
 * unrouted: it is asked again when executors come or change, and every minute.
 * One that fails three times in a row is reported, see sched.routers.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "application/executors/router.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "fmgr.h"
#include "infrastructure/tables/owned.h"
#include "infrastructure/memory/queue_route.h"
#include "infrastructure/memory/wake.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#define MAX_TASKS	100

typedef struct Answer
{
	int			count;
	bool		more;			/* there are others that were not asked for */
	int64		tasks[MAX_TASKS];
	char		executors[MAX_TASKS][SCHED_EXECUTOR_NAME_BYTES];	/* "": none */
} Answer;

/* ---------- in the worker ---------- */

/* The job's unrouted tasks, as many as fit. */
static void
collect(int64 job_id, Answer *answer)
{
	QLane	   *lane;
	dlist_iter	iter;
	int			me;

	sched_lock(LW_SHARED);
	me = sched_shmem_my_database();
	lane = me < 0 ? NULL : sched_queue_find_lane(me, job_id);
	if (lane != NULL && lane->spec.route == SCHED_ROUTE_CUSTOM)
		dlist_foreach(iter, &lane->tasks)
		{
			const QTask *task = dlist_container(QTask, lane_node, iter.cur);

			if (task->place != Q_UNROUTED)
				continue;
			if (answer->count == MAX_TASKS)
			{
				answer->more = true;
				break;
			}
			answer->tasks[answer->count++] = task->task_id;
		}
	sched_unlock();
}

static bool
get_question(int64 job_id, Oid *function, Datum *executors)
{
	Oid			types[1] = {INT8OID};
	Datum		args[1] = {Int64GetDatum(job_id)};
	HeapTupleHeader row;
	bool		isnull;
	Datum		result = sched_owned_call("_router_question", 1, types, args,
										  NULL, &isnull);

	if (isnull)
		return false;
	row = DatumGetHeapTupleHeader(result);
	*function = DatumGetObjectId(GetAttributeByNum(row, 1, &isnull));
	if (isnull)
		return false;
	*executors = GetAttributeByNum(row, 2, &isnull);
	return true;
}

/* Ask for one task. */
static void
ask_for(Oid function, int64 task_id, Datum executors, char *name)
{
	Oid			types[1] = {INT8OID};
	Datum		args[1] = {Int64GetDatum(task_id)};
	LOCAL_FCINFO(fcinfo, 2);
	FmgrInfo	flinfo;
	bool		isnull;
	Datum		task = sched_owned_call("_router_task", 1, types, args, NULL,
										&isnull);
	Datum		result;

	if (isnull)
		return;
	fmgr_info(function, &flinfo);
	InitFunctionCallInfoData(*fcinfo, &flinfo, 2, DEFAULT_COLLATION_OID, NULL,
							 NULL);
	fcinfo->args[0].value = task;
	fcinfo->args[0].isnull = false;
	fcinfo->args[1].value = executors;
	fcinfo->args[1].isnull = false;
	result = FunctionCallInvoke(fcinfo);
	if (!fcinfo->isnull)
		strlcpy(name, TextDatumGetCString(result), SCHED_EXECUTOR_NAME_BYTES);
}

static void *
ask(const SchedChore *chore, MemoryContext context)
{
	Answer	   *answer = MemoryContextAllocZero(context, sizeof(Answer));
	MemoryContext call_context;
	Datum		executors;
	Oid			function;

	collect(chore->id1, answer);
	if (answer->count == 0 ||
		!get_question(chore->id1, &function, &executors))
		return NULL;
	sched_chore_check_function(function);

	call_context = AllocSetContextCreate(CurrentMemoryContext, "sched router",
										 ALLOCSET_DEFAULT_SIZES);
	for (int i = 0; i < answer->count; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(call_context);

		CHECK_FOR_INTERRUPTS();
		PushActiveSnapshot(GetTransactionSnapshot());
		ask_for(function, answer->tasks[i], executors, answer->executors[i]);
		PopActiveSnapshot();
		CommandCounterIncrement();
		MemoryContextSwitchTo(old);
		MemoryContextReset(call_context);
	}
	return answer;
}

static void
hand_over(const SchedChore *chore, void *given)
{
	const Answer *answer = given;
	int			routed = 0;
	int			me;

	sched_lock(LW_EXCLUSIVE);
	me = sched_shmem_my_database();
	for (int i = 0; me >= 0 && i < answer->count; i++)
	{
		QTask	   *task = sched_queue_find(me, answer->tasks[i]);
		QExecutor  *executor = answer->executors[i][0] == '\0' ? NULL :
			sched_executor_find(me, answer->executors[i]);

		if (task != NULL && executor != NULL &&
			task->lane->spec.route == SCHED_ROUTE_CUSTOM &&
			sched_route_assign(task, executor->spec.executor_id))
			routed++;
	}
	/* the rest at once, unless all those asked for would stand in its way */
	if (answer->more && routed > 0)
	{
		sched_shared->databases[me].want_routes = true;
		sched_wake_scheduler(&sched_shared->databases[me]);
	}
	sched_unlock();
}

/* ---------- in the scheduler ---------- */

static void
give_up(const SchedChore *chore, const char *error)
{
	Oid			types[2] = {INT8OID, TEXTOID};
	Datum		args[2];
	bool		isnull;
	Datum		router;

	args[0] = Int64GetDatum(chore->id1);
	args[1] = CStringGetTextDatum(error);
	router = sched_owned_call("_router_fault", 2, types, args, NULL, &isnull);
	if (!isnull)
		ereport(LOG,
				(errmsg("sched: router \"%s\" failed for job " INT64_FORMAT ", whose tasks wait: %s",
						TextDatumGetCString(router), chore->id1, error)));
}

const SchedChoreHandler sched_router_chore = {
	.run = ask,
	.store = hand_over,
	.give_up = give_up
};
