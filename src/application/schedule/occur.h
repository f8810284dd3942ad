/*-------------------------------------------------------------------------
 *
 * occur.h
 *	  What the overlap policy makes of an occurrence of a trigger.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_OCCUR_H
#define SCHED_OCCUR_H

#include "infrastructure/tables/store.h"

/*
 * May the job have another run now?  False: skip it.  Tells the job's other
 * runs to stop, at commit, where the policy says so.  report_end: whether or
 * not it runs, the scheduler wants to know when the job's runs are over.
 */
extern bool sched_occur_decide(const SchedJob *job, bool report_end,
							   TimestampTz now);

/* The reason of a task that was skipped. */
#define SCHED_OCCUR_SKIPPED "overlap policy: an earlier run is not over"

/*
 * Let the queue know, at commit, of a task that the policy lets be; fills in
 * what the row says of the tasks that it waits for.  generation is that of sched_pending_job_generation() before the job was read.
 */
extern void sched_occur_enqueue(const SchedJob *job, SchedTaskRow *row,
								uint32 generation, bool report_end,
								TimestampTz now);

/* Fill in the outcome of a task that is born ended. */
extern void sched_occur_ended(SchedTaskRow *row, char status,
							  const char *reason, TimestampTz now,
							  SchedOutcome *outcome);

#endif							/* SCHED_OCCUR_H */
