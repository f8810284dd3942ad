/*-------------------------------------------------------------------------
 *
 * counter_functions.c
 *	  The counts of this database, for those who save, restore and show them.
 *
 * Private functions; those in SQL that call them are in
 * sql/install/62_counters.sql and 64_metrics.sql.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "infrastructure/memory/counters.h"
#include "infrastructure/memory/shmem.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(sched_counters);
PG_FUNCTION_INFO_V1(sched_counters_put);
PG_FUNCTION_INFO_V1(sched_sql_counters_open);
PG_FUNCTION_INFO_V1(sched_counter_bounds);

/* Of this database; NULL when nobody counts. */
static SchedCounters *
my_counters(void)
{
	int			me = sched_shared == NULL ? -1 : sched_shmem_my_database();
	SchedCounters *counters;

	if (me < 0)
		return NULL;
	counters = &sched_shared->databases[me].counters;
	return pg_atomic_read_u32(&counters->open) != 0 ? counters : NULL;
}

Datum
sched_counters(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	SchedCounters *counters = my_counters();

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < SCHED_COUNTERS && counters != NULL; i++)
	{
		Datum		v[2];
		bool		n[2] = {false, false};

		v[0] = CStringGetTextDatum(sched_counter_name(i));
		v[1] = Int64GetDatum((int64) pg_atomic_read_u64(&counters->value[i]));
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, v, n);
	}
	return (Datum) 0;
}

/* From now on is counted, from zero. */
Datum
sched_sql_counters_open(PG_FUNCTION_ARGS)
{
	int			me = sched_shared == NULL ? -1 : sched_shmem_my_database();

	if (me >= 0)
		sched_counters_open(&sched_shared->databases[me].counters);
	PG_RETURN_VOID();
}

/* Add what was counted before; names that this version does not know are left out. */
Datum
sched_counters_put(PG_FUNCTION_ARGS)
{
	SchedCounters *counters = my_counters();
	Datum	   *names;
	Datum	   *values;
	int			count;
	int			value_count;

	deconstruct_array(PG_GETARG_ARRAYTYPE_P(0), TEXTOID, -1, false,
					  TYPALIGN_INT, &names, NULL, &count);
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(1), INT8OID, sizeof(int64),
					  FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &values, NULL,
					  &value_count);
	if (count != value_count)
		elog(ERROR, "as many names as values are needed");
	for (int i = 0; i < count && counters != NULL; i++)
	{
		int			which = sched_counter_by_name(TextDatumGetCString(names[i]));

		if (which >= 0)
			pg_atomic_fetch_add_u64(&counters->value[which],
									DatumGetInt64(values[i]));
	}
	PG_RETURN_BOOL(counters != NULL);
}

/* The upper bounds of the buckets of a histogram, in microseconds. */
Datum
sched_counter_bounds(PG_FUNCTION_ARGS)
{
	Datum		bounds[SCHED_HISTOGRAM_BOUNDS];

	for (int i = 0; i < SCHED_HISTOGRAM_BOUNDS; i++)
		bounds[i] = Int64GetDatum(sched_counter_bound(i));
	PG_RETURN_ARRAYTYPE_P(construct_array(bounds, SCHED_HISTOGRAM_BOUNDS,
										  INT8OID, sizeof(int64),
										  FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}
