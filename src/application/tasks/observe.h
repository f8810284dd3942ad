/*-------------------------------------------------------------------------
 *
 * observe.h
 *	  Counting, and telling the server log, what the record is about to hold.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_OBSERVE_H
#define SCHED_OBSERVE_H

#include "infrastructure/tables/store.h"

/* From record.c: rows that the running transaction writes. */
extern void sched_observe_tasks(const SchedTaskRow *rows, int count);
extern void sched_observe_outcomes(const SchedOutcome *rows, int count);

/*
 * A task became ready or started, or a job has another status.  For
 * sched.log_level = debug: ask first, it costs nothing else otherwise.
 */
extern bool sched_observes_states(void);
extern void sched_observe_state(int64 task_id, int attempt, int64 job_id,
								const char *state);
extern void sched_observe_job(const char *name, int64 job_id,
							  const char *from, const char *to);

/* Something happened to an executor ("online"); that it is lost is a warning. */
extern void sched_observe_executor(const char *name, const char *state,
								   bool lost);

#endif							/* SCHED_OBSERVE_H */
