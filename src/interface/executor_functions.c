/*-------------------------------------------------------------------------
 *
 * executor_functions.c
 *	  SQL functions about executors themselves: beats, detection, what is shown.
 *
 * A beat is a change of shared memory and nothing else.  The rows of _executor are
 * changed by SQL (52_executors.sql); a trigger here passes them on to memory
 * when the transaction commits.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "application/events/event.h"
#include "application/executors/identity.h"
#include "application/executors/leases.h"
#include "application/tasks/rights.h"
#include "application/executors/claiming.h"
#include "application/executors/watch.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "infrastructure/clock.h"
#include "infrastructure/tables/executor_table.h"
#include "infrastructure/memory/pending.h"
#include "infrastructure/settings.h"
#include "infrastructure/tables/store.h"
#include "infrastructure/memory/waiters.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(sched_heartbeat);
PG_FUNCTION_INFO_V1(sched_detect_failed);
PG_FUNCTION_INFO_V1(sched_live_executors);
PG_FUNCTION_INFO_V1(sched_executor_name);
PG_FUNCTION_INFO_V1(sched_executor_changed);
PG_FUNCTION_INFO_V1(sched_executor_may_act);
PG_FUNCTION_INFO_V1(sched_wait_for_tasks_sql);
PG_FUNCTION_INFO_V1(sched_cluster_counts);
PG_FUNCTION_INFO_V1(sched_sql_executor_online);
PG_FUNCTION_INFO_V1(sched_sql_executor_restarted);

/* ---------- beats ---------- */

/* What a beat answers, copied while the lock was held. */
typedef struct BeatAnswer
{
	int			cancel_count;
	int			cancel_capacity;
	int64	   *cancel;
	int			lost_count;
	int64		lost[SCHED_EXECUTOR_LOST];
	int64		lost_attempts[SCHED_EXECUTOR_LOST];
	bool		drain;
	bool		found;
	bool		came_online;
	Oid			owner;
} BeatAnswer;

static void
beat(const SchedIdentity *identity, const Jsonb *load, BeatAnswer *answer)
{
	TimestampTz now = sched_clock_now();
	QExecutor  *executor;
	dlist_iter	iter;
	int			me;

	sched_lock(LW_EXCLUSIVE);
	me = sched_shmem_my_database();
	executor = me < 0 ? NULL : sched_identity_slot(me, identity);
	answer->found = executor != NULL;
	answer->cancel_count = 0;
	answer->lost_count = 0;
	answer->drain = false;
	answer->came_online = false;
	if (executor == NULL)
	{
		sched_unlock();
		return;
	}
	answer->came_online = sched_executor_came_online(executor, now);
	answer->owner = executor->spec.owner;
	if (executor->spec.status == SCHED_EXECUTOR_DRAINING &&
		executor->running == 0)
		sched_executor_set_status(executor, SCHED_EXECUTOR_MAINTENANCE, false,
								  now);
	answer->drain = executor->spec.status != SCHED_EXECUTOR_ONLINE;
	if (load != NULL)
	{
		executor->load_size = VARSIZE(load);
		memcpy(executor->load, load, executor->load_size);
	}
	dlist_foreach(iter, &executor->leases)
	{
		const QTask *task = dlist_container(QTask, lease_node, iter.cur);

		if (task->stop != SCHED_STOP_NONE &&
			answer->cancel_count < answer->cancel_capacity)
			answer->cancel[answer->cancel_count++] = task->task_id;
	}
	answer->lost_count = Min(executor->lost_count, SCHED_EXECUTOR_LOST);
	memcpy(answer->lost, executor->lost, answer->lost_count * sizeof(int64));
	for (int i = 0; i < answer->lost_count; i++)
		answer->lost_attempts[i] = executor->lost_attempts[i];
	executor->lost_count = 0;
	sched_unlock();
}

static void
append_ids(StringInfo out, const char *key, const int64 *ids, int count)
{
	appendStringInfo(out, "\"%s\": [", key);
	for (int i = 0; i < count; i++)
		appendStringInfo(out, "%s%lld", i > 0 ? ", " : "", (long long) ids[i]);
	appendStringInfoString(out, "], ");
}

Datum
sched_heartbeat(PG_FUNCTION_ARGS)
{
	SchedIdentity identity;
	BeatAnswer	answer;
	int64		cancel[256];
	Jsonb	   *load = NULL;
	StringInfoData out;
	char	   *name;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the executor is missing"),
				 errdetail("Argument \"executor\" is NULL."),
				 errhint("Give the name of an executor, see sched.executors.")));
	name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	if (!PG_ARGISNULL(1))
	{
		load = PG_GETARG_JSONB_P(1);
		if (VARSIZE(load) > SCHED_EXECUTOR_LOAD_BYTES)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("load of executor \"%s\" is too large", name),
					 errdetail("load takes %d bytes.", (int) VARSIZE(load)),
					 errhint("At most %d are kept: send a few numbers.",
							 SCHED_EXECUTOR_LOAD_BYTES)));
	}
	sched_require_cluster();
	answer.cancel = cancel;
	answer.cancel_capacity = lengthof(cancel);
	for (int try = 0;; try++)
	{
		sched_identity_require(name, &identity);
		beat(&identity, load, &answer);
		if (answer.found || try == 3)
			break;
	}
	if (answer.came_online)
		sched_event_executor(SCHED_EVENT_EXECUTOR_ONLINE, identity.name,
							 answer.owner, NULL);
	initStringInfo(&out);
	appendStringInfoChar(&out, '{');
	append_ids(&out, "cancel", answer.cancel, answer.cancel_count);
	append_ids(&out, "lost", answer.lost, answer.lost_count);
	append_ids(&out, "lost_attempts", answer.lost_attempts,
			   answer.lost_count);
	appendStringInfo(&out, "\"drain\": %s}", answer.drain ? "true" : "false");
	PG_RETURN_DATUM(DirectFunctionCall1(jsonb_in, CStringGetDatum(out.data)));
}

/* ---------- detection ---------- */

Datum
sched_detect_failed(PG_FUNCTION_ARGS)
{
	int64		timeout = sched_executor_timeout * USECS_PER_SEC;

	if (!PG_ARGISNULL(0))
		timeout = sched_store_interval_usec(PG_GETARG_INTERVAL_P(0));
	if (timeout < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid timeout of executors"),
				 errdetail("timeout is negative."),
				 errhint("Give an interval such as 2 minutes.")));
	sched_require_cluster();
	sched_require_right(InvalidOid, SCHED_MAY_OPERATE, "the executors");
	PG_RETURN_INT32(sched_watch_fail_silent(sched_shmem_my_database(),
											timeout));
}

/* ---------- what is shown ---------- */

Datum
sched_live_executors(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	QExecutor  *copies;
	QExecutor  *executor;
	QLane	   *lane;
	uint32		cursor = 0;
	int			built_in[2] = {0, 0};
	int			count = 0;
	int			capacity;
	int			me;

	InitMaterializedSRF(fcinfo, 0);
	if (sched_shared == NULL)
		return (Datum) 0;
	capacity = sched_executors_used() + 64;
	copies = palloc_extended(capacity * sizeof(QExecutor), MCXT_ALLOC_HUGE);
	sched_lock(LW_SHARED);
	me = sched_shmem_my_database();
	while (me >= 0 && count < capacity &&
		   (executor = sched_executor_next(me, &cursor)) != NULL)
		copies[count++] = *executor;
	cursor = 0;
	while (me >= 0 && (lane = sched_queue_next_lane(me, &cursor)) != NULL)
		if (lane->spec.kind == SCHED_KIND_SQL)
			built_in[0] += lane->running;
		else if (lane->spec.kind == SCHED_KIND_HTTP)
			built_in[1] += lane->running;
	sched_unlock();

	for (int i = 0; i < lengthof(built_in); i++)
	{
		Datum		v[6] = {0};
		bool		n[6] = {false, true, false, true, true, true};

		v[0] = Int32GetDatum(SCHED_EXECUTOR_SQL + i);
		v[2] = Int32GetDatum(built_in[i]);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, v, n);
	}
	for (int i = 0; i < count; i++)
	{
		const QExecutor *copy = &copies[i];
		Datum		v[6];
		bool		n[6] = {0};

		if (copy->gone)
			continue;
		v[0] = Int32GetDatum(copy->spec.executor_id);
		v[1] = CStringGetTextDatum(sched_executor_status_name(copy->spec.status));
		v[2] = Int32GetDatum(copy->running);
		n[3] = copy->load_size == 0;
		v[3] = PointerGetDatum(copy->load);
		v[4] = TimestampTzGetDatum(copy->last_beat);
		v[5] = Int64GetDatum((int64) copy->claimed);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, v, n);
	}
	pfree(copies);
	return (Datum) 0;
}

Datum
sched_executor_name(PG_FUNCTION_ARGS)
{
	int			executor_id = PG_GETARG_INT32(0);
	QExecutor  *executor = NULL;
	char		name[SCHED_EXECUTOR_NAME_BYTES];
	char	   *found;
	int			me;

	if (executor_id == SCHED_EXECUTOR_SQL)
		PG_RETURN_TEXT_P(cstring_to_text("sql"));
	if (executor_id == SCHED_EXECUTOR_HTTP)
		PG_RETURN_TEXT_P(cstring_to_text("http"));
	if (sched_shared != NULL)
	{
		sched_lock(LW_SHARED);
		me = sched_shmem_my_database();
		if (me >= 0)
			executor = sched_executor_find_id(me, executor_id);
		if (executor != NULL)
			strlcpy(name, executor->spec.name, sizeof(name));
		sched_unlock();
	}
	found = executor != NULL ? name : sched_store_executor_name(executor_id);
	PG_RETURN_TEXT_P(cstring_to_text(found != NULL ? found :
									 psprintf("%d", executor_id)));
}

/* Sessions that wait for tasks, and tasks that executors have. */
Datum
sched_cluster_counts(PG_FUNCTION_ARGS)
{
	TupleDesc	desc;
	Datum		v[3] = {0};
	bool		n[3] = {true, true, true};
	int			me;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	if (sched_shared != NULL)
	{
		sched_lock(LW_SHARED);
		me = sched_shmem_my_database();
		if (me >= 0)
		{
			v[0] = Int32GetDatum(sched_waiter_count(me));
			v[1] = Int32GetDatum(sched_shared->databases[me].ready);
			v[2] = Int32GetDatum(sched_shared->databases[me].running);
			n[0] = n[1] = n[2] = false;
		}
		sched_unlock();
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), v,
													  n)));
}

/* ---------- rows of _executor ---------- */

Datum
sched_executor_changed(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	TupleDesc	desc;
	QExecutorSpec spec;
	bool		is_new;
	HeapTuple	row;

	if (!CALLED_AS_TRIGGER(fcinfo) ||
		!TRIGGER_FIRED_FOR_ROW(trigger->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function sched._executor_changed() was not called by the trigger manager for a row")));
	if (sched_shared == NULL)
		return PointerGetDatum(NULL);
	desc = RelationGetDescr(trigger->tg_relation);
	is_new = TRIGGER_FIRED_BY_INSERT(trigger->tg_event);
	row = TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) ? trigger->tg_newtuple :
		trigger->tg_trigtuple;
	if (!sched_store_executor_spec(row, desc, &spec) ||
		TRIGGER_FIRED_BY_DELETE(trigger->tg_event))
		sched_pending_executor_gone(spec.executor_id);
	else if (!sched_pending_executor(&spec, is_new))
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("no room for executor \"%s\"", spec.name),
				 errdetail("Shared memory holds %d executors.",
						   sched_max_executors),
				 errhint("Deregister some, or increase sched.max_executors.")));
	return PointerGetDatum(NULL);
}

Datum
sched_sql_executor_online(PG_FUNCTION_ARGS)
{
	sched_shmem_require();
	sched_require_owner("_executor_online");
	sched_pending_executor_online(PG_GETARG_INT32(0));
	PG_RETURN_VOID();
}

Datum
sched_sql_executor_restarted(PG_FUNCTION_ARGS)
{
	int			executor_id = PG_GETARG_INT32(0);
	int			me;

	sched_shmem_require();
	sched_require_owner("_executor_restarted");
	me = sched_shmem_my_database();
	if (me >= 0)
		sched_watch_take_from(me, executor_id);
	sched_pending_executor_online(executor_id);
	PG_RETURN_VOID();
}

/* For SQL functions that change the row of an executor. */
Datum
sched_executor_may_act(PG_FUNCTION_ARGS)
{
	SchedIdentity identity;
	Oid			saved;
	int			security;
	bool		may;

	sched_require_cluster();
	sched_require_owner("_executor_may_act");
	sched_identity_find(text_to_cstring(PG_GETARG_TEXT_PP(1)), &identity);
	/* asked by the extension's owner about whoever called him */
	GetUserIdAndSecContext(&saved, &security);
	SetUserIdAndSecContext(PG_GETARG_OID(0), security);
	may = sched_identity_may_act(&identity);
	SetUserIdAndSecContext(saved, security);
	PG_RETURN_BOOL(may);
}

/* ---------- waiting without a snapshot ---------- */

/*
 * A procedure: when it is called outside of a transaction block it commits
 * what there is, so that nothing is held while it waits.
 */
Datum
sched_wait_for_tasks_sql(PG_FUNCTION_ARGS)
{
	CallContext *context = (CallContext *) fcinfo->context;
	char	   *name;
	int64		wait;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("nothing to wait for"),
				 errdetail("Argument \"executor\" or \"wait\" is NULL."),
				 errhint("Give the name of an executor and how long to wait.")));
	name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	wait = sched_store_interval_usec(PG_GETARG_INTERVAL_P(1));
	sched_require_cluster();
	if (context != NULL && IsA(context, CallContext) && !context->atomic)
	{
		if (SPI_connect_ext(SPI_OPT_NONATOMIC) != SPI_OK_CONNECT)
			elog(ERROR, "SPI_connect failed");
		SPI_commit();
		(void) sched_wait_for_tasks(name, wait);
		SPI_finish();
	}
	else
		(void) sched_wait_for_tasks(name, Min(wait, SCHED_MAX_WAIT));
	PG_RETURN_VOID();
}
