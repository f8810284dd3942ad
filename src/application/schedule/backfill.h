/*-------------------------------------------------------------------------
 *
 * backfill.h
 *	  Going on with backfills, in the scheduler.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_BACKFILL_H
#define SCHED_BACKFILL_H

#include "datatype/timestamp.h"

/*
 * Order what may start; real time at which to look again, 0: there is no
 * backfill.  To be called also when the task of a job that reports its end has
 * ended.
 */
extern TimestampTz sched_backfill_run(int db);

#endif							/* SCHED_BACKFILL_H */
