/*-------------------------------------------------------------------------
 *
 * plan_functions.c
 *	  When the triggers of a job fire, those of @custom included.
 *
 * What can be computed is the business of the private function
 * sched._job_plan().  The function of a custom trigger is asked here, with
 * the rights of whoever wants to know, and only if its author could not thereby
 * act as him; otherwise what the scheduler knows already is all there is to show.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "application/processes/chore.h"
#include "application/schedule/custom_trigger.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "fmgr.h"
#include "funcapi.h"
#include "infrastructure/tables/calendar_table.h"
#include "infrastructure/clock.h"
#include "infrastructure/tables/owned.h"
#include "infrastructure/schedule_cache.h"
#include "interface/as_owner.h"
#include "interface/schedule_functions.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#define MAX_ROWS	100000

PG_FUNCTION_INFO_V1(sched_job_plan);
PG_FUNCTION_INFO_V1(sched_backfill);

typedef struct Times
{
	TimestampTz *at;
	int			count;
	int			capacity;
} Times;

static void
add_time(Times *times, TimestampTz at)
{
	if (times->count == times->capacity)
	{
		times->capacity = Max(64, times->capacity * 2);
		times->at = times->at == NULL ?
			palloc(times->capacity * sizeof(TimestampTz)) :
			repalloc(times->at, times->capacity * sizeof(TimestampTz));
	}
	times->at[times->count++] = at;
}

static void
add_array(Times *times, Datum array)
{
	Datum	   *values;
	bool	   *nulls;
	int			count;

	deconstruct_array(DatumGetArrayTypeP(array), TIMESTAMPTZOID, 8, true, 'd',
					  &values, &nulls, &count);
	for (int i = 0; i < count; i++)
		if (!nulls[i])
			add_time(times, DatumGetTimestampTz(values[i]));
}

static int
compare_times(const void *a, const void *b)
{
	TimestampTz ta = *(const TimestampTz *) a;
	TimestampTz tb = *(const TimestampTz *) b;

	return ta < tb ? -1 : ta > tb;
}

TimestampTz
sched_custom_next_allowed(Oid function, Datum config, Datum timezone,
						  const SchedCompiled *compiled, TimestampTz after,
						  TimestampTz upto)
{
	SchedScheduleContext context = compiled->context;

	/* a calendar may leave out many in a row, but not for ever */
	for (int i = 0; i < 4000; i++)
	{
		TimestampTz fire;

		CHECK_FOR_INTERRUPTS();
		if (!sched_custom_call(function, config, timezone, after, &fire) ||
			fire > upto)
			break;
		context.fires = &fire;
		context.fire_count = 1;
		if (sched_schedule_next(compiled->schedule, &context,
								fire - 1) == fire)
			return fire;
		after = fire;
	}
	return 0;
}

/* One custom trigger: a row of sched._job_plan_custom(). */
static void
add_custom(Times *times, HeapTupleHeader row, int64 trigger_id,
		   Oid function, Datum config, Datum schedule, Datum timezone,
		   bool known_is_enough)
{
	bool		isnull;
	bool		has_calendar;
	Datum		calendar = GetAttributeByNum(row, 7, &has_calendar);
	TimestampTz after = DatumGetTimestampTz(GetAttributeByNum(row, 8, &isnull));
	TimestampTz upto = DatumGetTimestampTz(GetAttributeByNum(row, 9, &isnull));
	SchedCompiled compiled;
	SchedError	error;
	int			before = times->count;

	if (!known_is_enough)
		sched_chore_check_function(function);
	else if (sched_chore_function_obstacle(function) != NULL)
	{
		Oid			types[3] = {INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID};
		Datum		args[3] = {Int64GetDatum(trigger_id),
			TimestampTzGetDatum(after), TimestampTzGetDatum(upto)};
		Datum		known = sched_owned_call("_custom_known", 3, types, args,
											 NULL, &isnull);

		if (!isnull)
			add_array(times, known);
		return;
	}
	if (sched_schedule_compile(TextDatumGetCString(schedule),
							   TextDatumGetCString(timezone), NULL,
							   has_calendar ? NULL : TextDatumGetCString(calendar),
							   sched_calendar_table_spec, &compiled, &error,
							   NULL) != SCHED_FAULT_NONE)
		return;
	while ((after = sched_custom_next_allowed(function, config, timezone,
											  &compiled, after, upto)) != 0)
	{
		add_time(times, after);
		if (times->count - before > MAX_ROWS)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("the plan of trigger " INT64_FORMAT " has more than %d rows",
							trigger_id, MAX_ROWS),
					 errhint("Ask for a shorter time.")));
	}
}

/* The custom triggers of a job: what sched._job_plan_custom() tells. */
typedef struct CustomTriggers
{
	HeapTupleHeader row;
	int			count;
	Datum	   *ids;
	Datum	   *functions;
	Datum	   *configs;
	Datum	   *schedules;
	Datum	   *zones;
}			CustomTriggers;

static void
get_array(HeapTupleHeader row, int column, Oid type, int16 length,
		  bool by_value, char align, Datum **values, int *count)
{
	bool		isnull;
	bool	   *nulls;
	Datum		array = GetAttributeByNum(row, column, &isnull);

	deconstruct_array(DatumGetArrayTypeP(array), type, length, by_value,
					  align, values, &nulls, count);
}

/*
 * Arguments: a job, by name or id, and two instants.  False when the job has no
 * custom trigger.
 */
static bool
get_custom_triggers(FunctionCallInfo fcinfo, CustomTriggers * custom)
{
	Oid			types[4] = {OIDOID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID};
	Oid		   *own_types;
	int			own_count;
	Datum		args[4];
	bool		nulls[4] = {false};
	bool		isnull;

	(void) get_func_signature(fcinfo->flinfo->fn_oid, &own_types, &own_count);
	types[1] = own_types[0];
	args[0] = ObjectIdGetDatum(GetUserId());
	for (int i = 0; i < 3; i++)
	{
		args[i + 1] = PG_ARGISNULL(i) ? (Datum) 0 : PG_GETARG_DATUM(i);
		nulls[i + 1] = PG_ARGISNULL(i);
	}
	custom->row = DatumGetHeapTupleHeader(sched_owned_call("_job_plan_custom",
														   4, types, args,
														   nulls, &isnull));
	(void) GetAttributeByNum(custom->row, 2, &isnull);
	if (isnull)
		return false;
	get_array(custom->row, 2, INT8OID, 8, true, 'd', &custom->ids,
			  &custom->count);
	get_array(custom->row, 3, OIDOID, 4, true, 'i', &custom->functions,
			  &custom->count);
	get_array(custom->row, 4, JSONBOID, -1, false, 'i', &custom->configs,
			  &custom->count);
	get_array(custom->row, 5, TEXTOID, -1, false, 'i', &custom->schedules,
			  &custom->count);
	get_array(custom->row, 6, TEXTOID, -1, false, 'i', &custom->zones,
			  &custom->count);
	return true;
}

/*
 * sched.job_plan(job text | job_id bigint, from_time timestamptz, to_time
 * timestamptz) SETOF timestamptz
 */
Datum
sched_job_plan(PG_FUNCTION_ARGS)
{
	CustomTriggers custom;
	Times		times = {0};
	bool		isnull;
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;

	if (!get_custom_triggers(fcinfo, &custom))
		return sched_as_owner(fcinfo);

	add_array(&times, GetAttributeByNum(custom.row, 1, &isnull));
	for (int i = 0; i < custom.count; i++)
		add_custom(&times, custom.row, DatumGetInt64(custom.ids[i]),
				   DatumGetObjectId(custom.functions[i]), custom.configs[i],
				   custom.schedules[i], custom.zones[i], true);
	if (times.count > 1)
		qsort(times.at, times.count, sizeof(TimestampTz), compare_times);

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	for (int i = 0; i < times.count; i++)
	{
		Datum		value = TimestampTzGetDatum(times.at[i]);
		bool		null = false;

		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, &value,
							 &null);
	}
	return (Datum) 0;
}

/*
 * sched.backfill(job text | job_id bigint, from_time timestamptz, to_time
 * timestamptz, reprocess text, max_parallel int) bigint
 */
Datum
sched_backfill(PG_FUNCTION_ARGS)
{
	Oid			types[8] = {OIDOID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID,
	TEXTOID, INT4OID, INT8ARRAYOID, TIMESTAMPTZARRAYOID};
	Datum		args[8];
	bool		nulls[8] = {false};
	Oid		   *own_types;
	int			own_count;
	CustomTriggers custom;
	Times		times = {0};
	Datum	   *ids;
	bool		isnull;

	(void) get_func_signature(fcinfo->flinfo->fn_oid, &own_types, &own_count);
	types[1] = own_types[0];
	args[0] = ObjectIdGetDatum(GetUserId());
	for (int i = 0; i < 5; i++)
	{
		args[i + 1] = PG_ARGISNULL(i) ? (Datum) 0 : PG_GETARG_DATUM(i);
		nulls[i + 1] = PG_ARGISNULL(i);
	}
	nulls[6] = nulls[7] = true;
	args[6] = args[7] = (Datum) 0;

	/* nothing is asked over a range that is refused anyway */
	if (!PG_ARGISNULL(0) && !PG_ARGISNULL(1) && !PG_ARGISNULL(2) &&
		PG_GETARG_TIMESTAMPTZ(1) < PG_GETARG_TIMESTAMPTZ(2) &&
		PG_GETARG_TIMESTAMPTZ(2) <= sched_clock_now() &&
		get_custom_triggers(fcinfo, &custom))
	{
		int			capacity = 0;
		int			filled = 0;

		ids = NULL;
		for (int i = 0; i < custom.count; i++)
		{
			add_custom(&times, custom.row, DatumGetInt64(custom.ids[i]),
					   DatumGetObjectId(custom.functions[i]),
					   custom.configs[i], custom.schedules[i],
					   custom.zones[i], false);
			if (times.count > capacity)
			{
				capacity = times.count;
				ids = ids == NULL ? palloc(capacity * sizeof(Datum)) :
					repalloc(ids, capacity * sizeof(Datum));
			}
			while (filled < times.count)
				ids[filled++] = custom.ids[i];
		}
		nulls[6] = nulls[7] = false;
		args[6] = PointerGetDatum(construct_array(ids, times.count, INT8OID,
												  8, true, 'd'));
		args[7] = PointerGetDatum(construct_array((Datum *) times.at,
												  times.count, TIMESTAMPTZOID,
												  8, true, 'd'));
	}
	PG_RETURN_DATUM(sched_owned_call("_backfill", 8, types, args, nulls,
									 &isnull));
}
