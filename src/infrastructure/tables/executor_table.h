/*-------------------------------------------------------------------------
 *
 * executor_table.h
 *	  Rows of _executor.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_EXECUTOR_TABLE_H
#define SCHED_EXECUTOR_TABLE_H

#include "access/htup.h"
#include "access/tupdesc.h"
#include "infrastructure/memory/executors.h"

/*
 * What a row says; false when it is that of an executor that was
 * deregistered.
 */
extern bool sched_store_executor_spec(HeapTuple tuple, TupleDesc desc,
									  QExecutorSpec *spec);

/* The name of an executor, deregistered ones included; NULL when it is gone. */
extern char *sched_store_executor_name(int executor_id);

#endif							/* SCHED_EXECUTOR_TABLE_H */
