/*-------------------------------------------------------------------------
 *
 * record.h
 *	  Writing the record: what was ordered, and how it ended.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_RECORD_H
#define SCHED_RECORD_H

#include "infrastructure/tables/store.h"

/*
 * Write rows of _task, or of _outcome, in the running transaction, and all that
 * follows from them there.  Whoever makes or ends tasks comes through here.
 */
extern void sched_record_tasks(SchedTaskRow *rows, int count);
extern void sched_record_outcomes(const SchedOutcome *rows, int count);

#endif							/* SCHED_RECORD_H */
