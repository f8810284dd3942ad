/*-------------------------------------------------------------------------
 *
 * lease_functions.c
 *	  SQL functions of executors about tasks: claim, start, complete, fail.
 *
 * They run with the caller's rights and check who speaks (identity.c); tables
 * are reached below the level of SQL.  The functions for one task raise an
 * error when it is refused, those for many say so in a row and go on with the
 * rest.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "application/tasks/job_cache.h"
#include "application/executors/leases.h"
#include "application/executors/claiming.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "infrastructure/tables/lease_table.h"
#include "infrastructure/settings.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(sched_claim_tasks);
PG_FUNCTION_INFO_V1(sched_complete_and_claim);
PG_FUNCTION_INFO_V1(sched_start_task);
PG_FUNCTION_INFO_V1(sched_start_tasks);
PG_FUNCTION_INFO_V1(sched_complete_task);
PG_FUNCTION_INFO_V1(sched_complete_tasks);
PG_FUNCTION_INFO_V1(sched_fail_task);
PG_FUNCTION_INFO_V1(sched_fail_tasks);
PG_FUNCTION_INFO_V1(sched_assign_task);

#define MAX_BATCH		10000
#define CLAIM_COLUMNS	10

/* ---------- arguments ---------- */

static void
missing_argument(const char *object, const char *argument, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("the %s is missing", object),
			 errdetail("Argument \"%s\" is NULL.", argument),
			 errhint("%s", hint)));
}

static char *
executor_arg(FunctionCallInfo fcinfo, int n)
{
	if (PG_ARGISNULL(n))
		missing_argument("executor", "executor",
						 "Give the name of an executor, see sched.executors.");
	return text_to_cstring(PG_GETARG_TEXT_PP(n));
}

static int
max_tasks_arg(FunctionCallInfo fcinfo, int n, const char *executor)
{
	int			max = PG_ARGISNULL(n) ? 0 : PG_GETARG_INT32(n);

	if (max < 1 || max > MAX_BATCH)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid max_tasks for executor \"%s\"", executor),
				 errdetail("max_tasks is %d.", max),
				 errhint("Give a number from 1 to %d.", MAX_BATCH)));
	return max;
}

/* Microseconds. */
static int64
wait_arg(FunctionCallInfo fcinfo, int n, const char *executor)
{
	int64		wait = PG_ARGISNULL(n) ? 0 :
	sched_store_interval_usec(PG_GETARG_INTERVAL_P(n));

	if (wait < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid wait for executor \"%s\"", executor),
				 errdetail("wait is negative."),
				 errhint("Give an interval such as 30 seconds.")));
	return wait;
}

static void
one_report(FunctionCallInfo fcinfo, SchedReport *report)
{
	MemSet(report, 0, sizeof(SchedReport));
	if (PG_ARGISNULL(0))
		missing_argument("task", "task_id",
						 "Give the task_id that sched.claim_tasks() returned.");
	if (PG_ARGISNULL(1))
		missing_argument("attempt", "attempt",
						 "Give the attempt that sched.claim_tasks() returned.");
	report->task_id = PG_GETARG_INT64(0);
	report->attempt = PG_GETARG_INT32(1);
}

static void
bad_array(const char *argument, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid %s for a batch of tasks", argument),
			 errdetail("%s", detail),
			 errhint("Give arrays of the same length, with one element per task.")));
}

/* The elements of an array of a type of fixed size, which must not be NULL. */
static void *
plain_array(FunctionCallInfo fcinfo, int n, const char *argument, Oid type,
			int *count)
{
	ArrayType  *array;

	if (PG_ARGISNULL(n))
		bad_array(argument, "It is NULL.");
	array = PG_GETARG_ARRAYTYPE_P(n);
	*count = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	if (ARR_ELEMTYPE(array) != type || ARR_NDIM(array) > 1)
		bad_array(argument, "It has more than one dimension.");
	if (array_contains_nulls(array))
		bad_array(argument, "An element is NULL.");
	if (*count > MAX_BATCH)
		bad_array(argument, psprintf("It has %d elements, more than %d.",
									 *count, MAX_BATCH));
	return ARR_DATA_PTR(array);
}

/* Reports from the arguments "task_ids" and "attempts", which is the next. */
static SchedReport *
report_args(FunctionCallInfo fcinfo, int n, int *count)
{
	int			attempt_count;
	int64	   *ids = plain_array(fcinfo, n, "task_ids", INT8OID, count);
	int		   *attempts = plain_array(fcinfo, n + 1, "attempts", INT4OID,
									   &attempt_count);
	SchedReport *reports;

	if (attempt_count != *count)
		bad_array("attempts", psprintf("It has %d elements, task_ids has %d.",
									   attempt_count, *count));
	reports = palloc0(Max(*count, 1) * sizeof(SchedReport));
	for (int i = 0; i < *count; i++)
	{
		reports[i].task_id = ids[i];
		reports[i].attempt = attempts[i];
	}
	return reports;
}

/* One value for each report; NULL: none for any. */
static void
value_args(FunctionCallInfo fcinfo, int n, const char *argument, Oid type,
		   SchedReport *reports, int count)
{
	Datum	   *elements;
	bool	   *nulls;
	int			value_count;

	if (PG_ARGISNULL(n))
		return;
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(n), type, -1, false, TYPALIGN_INT,
					  &elements, &nulls, &value_count);
	if (value_count != count)
		bad_array(argument, psprintf("It has %d elements, task_ids has %d.",
									 value_count, count));
	for (int i = 0; i < count; i++)
	{
		if (nulls[i])
			continue;
		if (type == JSONBOID)
			reports[i].result = DatumGetJsonbP(elements[i]);
		else
			reports[i].error = TextDatumGetCString(elements[i]);
	}
}

/* ---------- claiming ---------- */

static Jsonb *
parameters_of(const SchedClaim *claim, const SchedJob *job,
			  SchedTaskReader *reader)
{
	Jsonb	   *own = NULL;

	if (claim->has_parameters)
		own = sched_store_parameters(reader, claim->task_id,
									 &claim->tid);
	if (job == NULL || JB_ROOT_COUNT(job->parameters) == 0)
		return own != NULL ? own : job == NULL ? NULL : job->parameters;
	if (own == NULL)
		return job->parameters;
	/* the job's parameters, and over them the task's own */
	return DatumGetJsonbP(DirectFunctionCall2(jsonb_concat,
											  JsonbPGetDatum(job->parameters),
											  JsonbPGetDatum(own)));
}

static void
put_claims(ReturnSetInfo *rsinfo, const SchedClaim *claims, int count)
{
	SchedTaskReader reader = {0};
	const SchedJob *job = NULL;
	Datum		v[CLAIM_COLUMNS];
	bool		n[CLAIM_COLUMNS] = {0};

	for (int i = 0; i < count; i++)
	{
		const SchedClaim *claim = &claims[i];
		Jsonb	   *parameters;

		if (i == 0 || claim->job_id != claims[i - 1].job_id)
		{
			job = sched_job_cached(claim->job_id);
			n[3] = n[4] = job == NULL;
			n[5] = job == NULL || job->command == NULL;
			v[3] = n[3] ? 0 : CStringGetTextDatum(job->name);
			v[4] = n[4] ? 0 : CStringGetTextDatum(job->type);
			v[5] = n[5] ? 0 : CStringGetTextDatum(job->command);
		}
		parameters = parameters_of(claim, job, &reader);
		v[0] = Int64GetDatum(claim->task_id);
		v[1] = Int32GetDatum(claim->attempt);
		v[2] = Int64GetDatum(claim->job_id);
		v[6] = PointerGetDatum(parameters);
		n[6] = parameters == NULL;
		v[7] = TimestampTzGetDatum(claim->scheduled_at);
		v[8] = TimestampTzGetDatum(claim->deadline);
		n[8] = claim->deadline == 0;
		v[9] = Int64GetDatum(claim->run_id);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, v, n);
	}
	sched_store_close_reader(&reader);
}

Datum
sched_claim_tasks(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	char	   *name = executor_arg(fcinfo, 0);
	int			max = max_tasks_arg(fcinfo, 1, name);
	int64		wait = wait_arg(fcinfo, 2, name);
	bool		start = !PG_ARGISNULL(3) && PG_GETARG_BOOL(3);
	SchedClaim *claims;
	int			count;

	InitMaterializedSRF(fcinfo, 0);
	sched_require_cluster();
	claims = palloc(max * sizeof(SchedClaim));
	count = sched_wait_and_claim(name, max, wait, start, claims);
	put_claims(rsinfo, claims, count);
	return (Datum) 0;
}

/* The previous batch is over, give me the next: in one round trip. */
Datum
sched_complete_and_claim(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	char	   *name = executor_arg(fcinfo, 0);
	int			max = max_tasks_arg(fcinfo, 4, name);
	int64		wait = wait_arg(fcinfo, 5, name);
	SchedReport *reports;
	SchedClaim *claims;
	int			count = 0;

	InitMaterializedSRF(fcinfo, 0);
	sched_require_cluster();
	if (!PG_ARGISNULL(1))
	{
		reports = report_args(fcinfo, 1, &count);
		value_args(fcinfo, 3, "results", JSONBOID, reports, count);
		if (count > 0 && sched_lease_complete(reports, count) < count)
			for (int i = 0; i < count; i++)
				if (reports[i].refusal != SCHED_ACCEPTED)
					ereport(NOTICE,
							(errmsg("%s",
									sched_lease_refusal_text(&reports[i]))));
	}
	claims = palloc(max * sizeof(SchedClaim));
	/* nobody waits with what has been completed not yet committed */
	count = sched_wait_and_claim(name, max, count > 0 ? 0 : wait, true, claims);
	put_claims(rsinfo, claims, count);
	return (Datum) 0;
}

/* ---------- one task ---------- */

Datum
sched_start_task(PG_FUNCTION_ARGS)
{
	SchedReport report;

	one_report(fcinfo, &report);
	sched_require_cluster();
	if (sched_lease_start(&report, 1) == 0)
		sched_lease_raise(&report);
	PG_RETURN_VOID();
}

Datum
sched_complete_task(PG_FUNCTION_ARGS)
{
	SchedReport report;

	one_report(fcinfo, &report);
	report.result = PG_ARGISNULL(2) ? NULL : PG_GETARG_JSONB_P(2);
	sched_require_cluster();
	if (sched_lease_complete(&report, 1) == 0)
		sched_lease_raise(&report);
	PG_RETURN_VOID();
}

Datum
sched_fail_task(PG_FUNCTION_ARGS)
{
	SchedReport report;

	one_report(fcinfo, &report);
	report.error = PG_ARGISNULL(2) ? NULL :
		text_to_cstring(PG_GETARG_TEXT_PP(2));
	sched_require_cluster();
	if (sched_lease_fail(&report, 1,
						 PG_ARGISNULL(3) || PG_GETARG_BOOL(3)) == 0)
		sched_lease_raise(&report);
	PG_RETURN_VOID();
}

/* ---------- many tasks ---------- */

static void
put_reports(ReturnSetInfo *rsinfo, const SchedReport *reports, int count)
{
	for (int i = 0; i < count; i++)
	{
		const SchedReport *report = &reports[i];
		bool		accepted = report->refusal == SCHED_ACCEPTED;
		Datum		v[3];
		bool		n[3] = {false, false, accepted};

		v[0] = Int64GetDatum(report->task_id);
		v[1] = BoolGetDatum(accepted);
		v[2] = accepted ? (Datum) 0 :
			CStringGetTextDatum(sched_lease_refusal_text(report));
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, v, n);
	}
}

Datum
sched_start_tasks(PG_FUNCTION_ARGS)
{
	int			count;
	SchedReport *reports = report_args(fcinfo, 0, &count);

	InitMaterializedSRF(fcinfo, 0);
	sched_require_cluster();
	if (count > 0)
		(void) sched_lease_start(reports, count);
	put_reports((ReturnSetInfo *) fcinfo->resultinfo, reports, count);
	return (Datum) 0;
}

Datum
sched_complete_tasks(PG_FUNCTION_ARGS)
{
	int			count;
	SchedReport *reports = report_args(fcinfo, 0, &count);

	value_args(fcinfo, 2, "results", JSONBOID, reports, count);
	InitMaterializedSRF(fcinfo, 0);
	sched_require_cluster();
	if (count > 0)
		(void) sched_lease_complete(reports, count);
	put_reports((ReturnSetInfo *) fcinfo->resultinfo, reports, count);
	return (Datum) 0;
}

Datum
sched_fail_tasks(PG_FUNCTION_ARGS)
{
	int			count;
	SchedReport *reports = report_args(fcinfo, 0, &count);

	value_args(fcinfo, 2, "errors", TEXTOID, reports, count);
	InitMaterializedSRF(fcinfo, 0);
	sched_require_cluster();
	if (count > 0)
		(void) sched_lease_fail(reports, count,
								PG_ARGISNULL(3) || PG_GETARG_BOOL(3));
	put_reports((ReturnSetInfo *) fcinfo->resultinfo, reports, count);
	return (Datum) 0;
}

Datum
sched_assign_task(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0))
		missing_argument("task", "task_id",
						 "Give the task_id of a task, see sched.tasks.");
	sched_require_cluster();
	PG_RETURN_INT32(sched_lease_assign(PG_GETARG_INT64(0),
									   executor_arg(fcinfo, 1)));
}
