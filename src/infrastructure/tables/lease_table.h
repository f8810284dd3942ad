/*-------------------------------------------------------------------------
 *
 * lease_table.h
 *	  The record of leases, and parameters of tasks by their place.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_LEASE_TABLE_H
#define SCHED_LEASE_TABLE_H

#include "infrastructure/tables/store.h"

/* _lease.kind */
#define SCHED_LEASE_ASSIGNED	'a'
#define SCHED_LEASE_RUNNING		'r' /* assigned and started at once */
#define SCHED_LEASE_STARTED		's' /* one that was assigned before */

/*
 * Write that the executor has these attempts from now on, or has started them:
 * one row for many.
 */
extern void sched_store_insert_leases(char kind, int executor_id,
									  TimestampTz at, const int64 *task_ids,
									  const int *attempts, int count);

/* Reads parameters of tasks; opens each partition once. */
typedef struct SchedTaskReader
{
	Relation	relation;		/* NULL: none is open */
	int64		lo;
	int64		hi;
	BlockNumber blocks;			/* that the partition has at least */
} SchedTaskReader;

/*
 * The task's own parameters, in the current context; NULL: none.  tid is where
 * the row should be; if it is not there it is looked for by its id.
 */
extern Jsonb *sched_store_parameters(SchedTaskReader *reader, int64 task_id,
									 const ItemPointerData *tid);
extern void sched_store_close_reader(SchedTaskReader *reader);

#endif							/* SCHED_LEASE_TABLE_H */
