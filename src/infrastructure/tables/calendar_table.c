/*-------------------------------------------------------------------------
 *
 * calendar_table.c
 *	  Reads calendars from sched._calendar.
 *
 * One index scan without SPI, so that it can be used by parallel workers and
 * by users without rights on the table: any calendar may be used by anybody
 * who may use schedules.  The name column has collation "C", which is what
 * the scan key compares by.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "infrastructure/tables/calendar_table.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/* The first columns of sched._calendar. */
#define ATTNUM_CALENDAR_NAME	1
#define ATTNUM_CALENDAR_SPEC	2

const char *
sched_calendar_table_spec(const char *name, void *arg)
{
	Oid			namespace = get_namespace_oid("sched", true);
	Oid			table;
	Oid			index;
	Relation	relation;
	SysScanDesc scan;
	ScanKeyData key;
	HeapTuple	tuple;
	char	   *spec = NULL;

	table = OidIsValid(namespace) ?
		get_relname_relid("_calendar", namespace) : InvalidOid;
	index = OidIsValid(namespace) ?
		get_relname_relid("calendar_pkey", namespace) : InvalidOid;
	if (!OidIsValid(table) || !OidIsValid(index))
		return NULL;

	relation = table_open(table, AccessShareLock);
	ScanKeyInit(&key, ATTNUM_CALENDAR_NAME, BTEqualStrategyNumber, F_TEXTEQ,
				CStringGetTextDatum(name));
	scan = systable_beginscan(relation, index, true, GetActiveSnapshot(),
							  1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		bool		isnull;
		Datum		value = heap_getattr(tuple, ATTNUM_CALENDAR_SPEC,
										 RelationGetDescr(relation), &isnull);

		if (!isnull)
		{
			Jsonb	   *jsonb = DatumGetJsonbP(value);

			spec = JsonbToCString(NULL, &jsonb->root, VARSIZE(jsonb));
		}
	}
	systable_endscan(scan);
	table_close(relation, AccessShareLock);
	return spec;
}
