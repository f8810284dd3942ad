/*-------------------------------------------------------------------------
 *
 * task_functions.c
 *	  SQL functions about tasks: order, cancel, retry, and what a task says
 *	  about itself.
 *
 * They run with the caller's rights and check these themselves (rights.c);
 * tables are reached below the level of SQL, so that the caller needs no
 * right on them.  Those that are for the extension's owner say so.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "application/processes/current.h"
#include "application/events/event.h"
#include "application/executors/leases.h"
#include "application/tasks/rights.h"
#include "application/tasks/tasks.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "infrastructure/clock.h"
#include "infrastructure/memory/pending.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/numeric.h"

PG_FUNCTION_INFO_V1(sched_schedule_task_by_name);
PG_FUNCTION_INFO_V1(sched_schedule_task_by_id);
PG_FUNCTION_INFO_V1(sched_schedule_tasks_by_name);
PG_FUNCTION_INFO_V1(sched_schedule_tasks_by_id);
PG_FUNCTION_INFO_V1(sched_run_job_by_name);
PG_FUNCTION_INFO_V1(sched_run_job_by_id);
PG_FUNCTION_INFO_V1(sched_enqueue);
PG_FUNCTION_INFO_V1(sched_cancel_task);
PG_FUNCTION_INFO_V1(sched_cancel_waiting);
PG_FUNCTION_INFO_V1(sched_retry_task);
PG_FUNCTION_INFO_V1(sched_current_task);
PG_FUNCTION_INFO_V1(sched_log_message);
PG_FUNCTION_INFO_V1(sched_log_task);
PG_FUNCTION_INFO_V1(sched_report_progress);
PG_FUNCTION_INFO_V1(sched_report_progress_current);

#define MAX_NAME_IN_MESSAGE 200

/* ---------- arguments ---------- */

static char *
text_arg(FunctionCallInfo fcinfo, int n)
{
	return PG_ARGISNULL(n) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(n));
}

static void
missing_argument(const char *object, const char *argument, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("the %s is missing", object),
			 errdetail("Argument \"%s\" is NULL.", argument),
			 errhint("%s", hint)));
}

static int64
task_id_arg(FunctionCallInfo fcinfo, int n)
{
	if (PG_ARGISNULL(n))
		missing_argument("task", "task_id",
						 "Give the task_id of a task, see sched.tasks.");
	return PG_GETARG_INT64(n);
}

static void
check_job(const SchedJob *job)
{
	sched_require_right(job->owner, SCHED_MAY_OPERATE,
						psprintf("job \"%s\"", job->name));
	sched_tasks_check_job(job);
}

/*
 * Who may operate a job may run it as it is.  What it executes is said by its
 * parameters, too: who hands over others has to be a member of the role that it
 * runs as, as with update_job().
 */
static void
check_parameters(const SchedJob *job, const Jsonb *parameters)
{
	Oid			caller = GetUserId();

	if (parameters == NULL || JB_ROOT_COUNT(parameters) == 0 ||
		is_member_of_role(caller, job->run_as))
		return;
	if (job->parameters != NULL &&
		compareJsonbContainers(&unconstify(Jsonb *, parameters)->root,
							   &job->parameters->root) == 0)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied to say what job \"%s\" executes",
					job->name),
			 errdetail("It runs as role \"%s\", of which role \"%s\" is not a member, and the parameters are not the job's own.",
					   GetUserNameFromId(job->run_as, true),
					   GetUserNameFromId(caller, false)),
			 errhint("Leave the parameters away to run the job as it is defined.")));
}

/*
 * The job named by the first argument, which the caller may run.  generation
 * is taken before the row is read, see sched_pending_job_generation().
 */
static SchedJob *
job_by_name(FunctionCallInfo fcinfo, uint32 *generation)
{
	SchedJob   *job;
	char	   *name = text_arg(fcinfo, 0);

	sched_shmem_require();
	if (name == NULL)
		missing_argument("job", "job",
						 "Give the name of a job or its job_id.");
	*generation = sched_pending_job_generation();
	job = sched_store_job_by_name(name);
	if (job == NULL)
	{
		int			length = pg_mbcliplen(name, strlen(name),
										  MAX_NAME_IN_MESSAGE);

		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("job \"%.*s\" does not exist", length, name),
				 errhint("See sched.jobs for those that do.")));
	}
	check_job(job);
	return job;
}

static SchedJob *
find_job(int64 job_id)
{
	SchedJob   *job = sched_store_job(job_id);

	if (job == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("job %lld does not exist", (long long) job_id),
				 errhint("See sched.jobs for those that do.")));
	return job;
}

static SchedJob *
job_by_id(FunctionCallInfo fcinfo, uint32 *generation)
{
	SchedJob   *job;

	sched_shmem_require();
	if (PG_ARGISNULL(0))
		missing_argument("job", "job_id",
						 "Give the name of a job or its job_id.");
	*generation = sched_pending_job_generation();
	job = find_job(PG_GETARG_INT64(0));
	check_job(job);
	return job;
}

/*
 * What NULL means for run_at: the transaction's now(), as a default of now()
 * would be; but sched's own time where a test has stopped it.
 */
static TimestampTz
run_at_arg(FunctionCallInfo fcinfo, int n)
{
	if (!PG_ARGISNULL(n))
		return PG_GETARG_TIMESTAMPTZ(n);
	return sched_clock_is_frozen() ? sched_clock_now() :
		GetCurrentTransactionStartTimestamp();
}

static Jsonb *
jsonb_arg(FunctionCallInfo fcinfo, int n)
{
	return PG_ARGISNULL(n) ? NULL : PG_GETARG_JSONB_P(n);
}

/* 0 stands for "not said", so a 0 that was said is made another bad number. */
static int
priority_arg(FunctionCallInfo fcinfo, int n)
{
	int			priority;

	if (PG_ARGISNULL(n))
		return 0;
	priority = PG_GETARG_INT32(n);
	if (priority < 1 || priority > 10)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid priority %d for a task", priority),
				 errdetail("priority is %d.", priority),
				 errhint("Give a number from 1 to 10, 10 goes first.")));
	return priority;
}

static SchedLogLevel
level_arg(FunctionCallInfo fcinfo, int n)
{
	static const char *const names[] = {"debug", "info", "warning", "error"};
	char	   *level = text_arg(fcinfo, n);

	for (int i = 0; level != NULL && i < lengthof(names); i++)
		if (pg_strcasecmp(level, names[i]) == 0)
			return (SchedLogLevel) i;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 level == NULL ? errmsg("the log level is missing") :
			 errmsg("unknown log level \"%.*s\"",
					pg_mbcliplen(level, strlen(level), MAX_NAME_IN_MESSAGE),
					level),
			 errdetail("Argument \"level\" is not a level."),
			 errhint("Allowed are: debug, info, warning, error.")));
	return SCHED_LOG_ERROR;		/* keep compiler quiet */
}

static char *
message_arg(FunctionCallInfo fcinfo, int n)
{
	if (PG_ARGISNULL(n))
		missing_argument("log message", "message", "Give a text.");
	return text_arg(fcinfo, n);
}

static float4
percent_arg(FunctionCallInfo fcinfo, int n)
{
	double		percent = -1;

	if (!PG_ARGISNULL(n))
		percent = DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow,
													 PG_GETARG_DATUM(n)));
	/* written so that NaN is refused too */
	if (!(percent >= 0 && percent <= 100))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid progress of a task"),
				 PG_ARGISNULL(n) ? errdetail("percent is NULL.") :
				 errdetail("percent is %s.",
						   DatumGetCString(DirectFunctionCall1(numeric_out,
															   PG_GETARG_DATUM(n)))),
				 errhint("Give a number from 0 to 100.")));
	return (float4) percent;
}

/* ---------- ordering ---------- */

static int64
order_one(const SchedJob *job, uint32 generation, const SchedOrder *order)
{
	int64		task_id;

	sched_tasks_order(job, generation, order, 1, &task_id);
	return task_id;
}

static Datum
schedule_task(FunctionCallInfo fcinfo, const SchedJob *job, uint32 generation)
{
	SchedOrder	order;

	sched_order_init(&order, run_at_arg(fcinfo, 1));
	order.parameters = jsonb_arg(fcinfo, 2);
	check_parameters(job, order.parameters);
	order.priority = priority_arg(fcinfo, 3);
	order.idempotency_key = text_arg(fcinfo, 4);
	PG_RETURN_INT64(order_one(job, generation, &order));
}

Datum
sched_schedule_task_by_name(PG_FUNCTION_ARGS)
{
	uint32		generation;
	SchedJob   *job = job_by_name(fcinfo, &generation);

	return schedule_task(fcinfo, job, generation);
}

Datum
sched_schedule_task_by_id(PG_FUNCTION_ARGS)
{
	uint32		generation;
	SchedJob   *job = job_by_id(fcinfo, &generation);

	return schedule_task(fcinfo, job, generation);
}

static Datum
run_job(FunctionCallInfo fcinfo, const SchedJob *job, uint32 generation)
{
	SchedOrder	order;

	sched_order_init(&order, sched_clock_now());
	order.parameters = jsonb_arg(fcinfo, 1);
	check_parameters(job, order.parameters);
	PG_RETURN_INT64(order_one(job, generation, &order));
}

Datum
sched_run_job_by_name(PG_FUNCTION_ARGS)
{
	uint32		generation;
	SchedJob   *job = job_by_name(fcinfo, &generation);

	return run_job(fcinfo, job, generation);
}

Datum
sched_run_job_by_id(PG_FUNCTION_ARGS)
{
	uint32		generation;
	SchedJob   *job = job_by_id(fcinfo, &generation);

	return run_job(fcinfo, job, generation);
}

/* One task for each element of the array; NULL elements have the job's parameters. */
static Datum
schedule_tasks(FunctionCallInfo fcinfo, const SchedJob *job, uint32 generation)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	TimestampTz run_at = run_at_arg(fcinfo, 2);
	Datum	   *elements;
	bool	   *nulls;
	int			count;
	SchedOrder *orders;
	int64	   *ids;

	if (PG_ARGISNULL(1))
		missing_argument("array of parameters", "parameters",
						 "Give an array with one JSON object per task.");
	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);

	deconstruct_array(PG_GETARG_ARRAYTYPE_P(1), JSONBOID, -1, false,
					  TYPALIGN_INT, &elements, &nulls, &count);
	orders = palloc_extended(Max(count, 1) * sizeof(SchedOrder),
							 MCXT_ALLOC_HUGE);
	ids = palloc_extended(Max(count, 1) * sizeof(int64), MCXT_ALLOC_HUGE);
	for (int i = 0; i < count; i++)
	{
		sched_order_init(&orders[i], run_at);
		if (!nulls[i])
		{
			orders[i].parameters = DatumGetJsonbP(elements[i]);
			check_parameters(job, orders[i].parameters);
		}
	}
	sched_tasks_order(job, generation, orders, count, ids);

	for (int i = 0; i < count; i++)
	{
		Datum		value = Int64GetDatum(ids[i]);
		bool		isnull = false;

		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, &value,
							 &isnull);
	}
	return (Datum) 0;
}

Datum
sched_schedule_tasks_by_name(PG_FUNCTION_ARGS)
{
	uint32		generation;
	SchedJob   *job = job_by_name(fcinfo, &generation);

	return schedule_tasks(fcinfo, job, generation);
}

Datum
sched_schedule_tasks_by_id(PG_FUNCTION_ARGS)
{
	uint32		generation;
	SchedJob   *job = job_by_id(fcinfo, &generation);

	return schedule_tasks(fcinfo, job, generation);
}

static int64
bigint_or_unset(FunctionCallInfo fcinfo, int n)
{
	return PG_ARGISNULL(n) ? SCHED_UNSET : PG_GETARG_INT64(n);
}

/* For private functions, which have checked everything. */
Datum
sched_enqueue(PG_FUNCTION_ARGS)
{
	uint32		generation;
	SchedJob   *job;
	SchedOrder	order;

	sched_shmem_require();
	sched_require_owner("_enqueue");
	if (PG_ARGISNULL(0))
		missing_argument("job", "job_id", "Give the job_id of a job.");
	generation = sched_pending_job_generation();
	job = find_job(PG_GETARG_INT64(0));
	sched_order_init(&order, run_at_arg(fcinfo, 1));
	order.parameters = jsonb_arg(fcinfo, 2);
	order.priority = priority_arg(fcinfo, 3);
	order.run_id = bigint_or_unset(fcinfo, 4);
	order.rerun_of = bigint_or_unset(fcinfo, 5);
	order.trigger_id = bigint_or_unset(fcinfo, 6);
	order.missed_count = PG_ARGISNULL(7) ? 0 : PG_GETARG_INT32(7);
	PG_RETURN_INT64(order_one(job, generation, &order));
}

/* ---------- ending ---------- */

Datum
sched_cancel_task(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(sched_task_cancel(task_id_arg(fcinfo, 0),
									 text_arg(fcinfo, 1)));
}

Datum
sched_cancel_waiting(PG_FUNCTION_ARGS)
{
	sched_require_owner("_cancel_waiting");
	if (PG_ARGISNULL(0))
		missing_argument("job", "job_id", "Give the job_id of a job.");
	PG_RETURN_INT32(sched_tasks_cancel_waiting(PG_GETARG_INT64(0),
											   text_arg(fcinfo, 1)));
}

Datum
sched_retry_task(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(sched_task_hurry(task_id_arg(fcinfo, 0)));
}

/* ---------- inside of a task ---------- */

Datum
sched_current_task(PG_FUNCTION_ARGS)
{
	if (sched_current == NULL)
		PG_RETURN_NULL();
	PG_RETURN_JSONB_P(sched_current_describe());
}

Datum
sched_log_message(PG_FUNCTION_ARGS)
{
	SchedLogLevel level = level_arg(fcinfo, 0);
	char	   *message = message_arg(fcinfo, 1);

	if (sched_current != NULL)
		sched_current_log(level, message);
	else
		ereport(NOTICE, (errmsg_internal("%s", message)));
	PG_RETURN_VOID();
}

/* ---------- reports about an attempt ---------- */

static void
not_running(int64 task_id, int attempt)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("attempt %d of task %lld is not running", attempt,
					(long long) task_id),
			 errhint("See sched.task_attempts() for the attempts of a task.")));
}

/*
 * The attempt that a report is about: of the task in hand, which needs no
 * right, or of one that the caller may operate.
 */
static void
attempt_args(FunctionCallInfo fcinfo, int64 *task_id, int *attempt)
{
	SchedTaskRow row;

	sched_shmem_require();
	*task_id = task_id_arg(fcinfo, 0);
	if (PG_ARGISNULL(1))
		missing_argument("attempt", "attempt",
						 "Give the number of the attempt that runs.");
	*attempt = PG_GETARG_INT32(1);
	if ((sched_current == NULL || sched_current->attempt.task_id != *task_id) &&
		!sched_lease_is_mine(*task_id, *attempt))
		sched_task_require(*task_id, &row, true);
}

Datum
sched_log_task(PG_FUNCTION_ARGS)
{
	SchedTaskStatus status;
	SchedAttempt live;
	int64		task_id;
	int			attempt;
	SchedLogLevel level;
	char	   *message;

	attempt_args(fcinfo, &task_id, &attempt);
	level = level_arg(fcinfo, 2);
	message = message_arg(fcinfo, 3);
	if (!sched_task_live(task_id, &status, &live) ||
		!sched_task_status_holds_lease(status) || live.attempt != attempt)
		not_running(task_id, attempt);
	sched_store_insert_log(task_id, attempt, level, sched_clock_now(),
						   message);
	PG_RETURN_VOID();
}

Datum
sched_report_progress(PG_FUNCTION_ARGS)
{
	int64		task_id;
	int			attempt;
	float4		percent;
	char	   *message = text_arg(fcinfo, 3);

	attempt_args(fcinfo, &task_id, &attempt);
	percent = percent_arg(fcinfo, 2);
	if (!sched_task_progress(task_id, attempt, percent))
		not_running(task_id, attempt);
	if (message != NULL)
		sched_store_insert_log(task_id, attempt, SCHED_LOG_INFO,
							   sched_clock_now(), message);
	sched_event_of_progress(task_id, attempt, percent, message);
	PG_RETURN_VOID();
}

Datum
sched_report_progress_current(PG_FUNCTION_ARGS)
{
	float4		percent = percent_arg(fcinfo, 0);
	char	   *message = text_arg(fcinfo, 1);

	if (sched_current == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("this session is not running a task"),
				 errhint("From outside, name the task: sched.report_progress(task_id, attempt, percent).")));
	if (!sched_task_progress(sched_current->attempt.task_id,
							 sched_current->attempt.attempt, percent))
		not_running(sched_current->attempt.task_id,
					sched_current->attempt.attempt);
	if (message != NULL)
		sched_current_log(SCHED_LOG_INFO, message);
	sched_event_of_progress(sched_current->attempt.task_id,
							sched_current->attempt.attempt, percent, message);
	PG_RETURN_VOID();
}
