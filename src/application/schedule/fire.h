/*-------------------------------------------------------------------------
 *
 * fire.h
 *	  Turning due triggers into tasks.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_FIRE_H
#define SCHED_FIRE_H

#include "domain/schedule/schedule.h"
#include "nodes/pg_list.h"

#define SCHED_FIRE_BATCH	500

/* Something to write to _trigger_state about a trigger just read. */
typedef struct SchedRepair
{
	int64		trigger_id;
	bool		create;			/* it had no row */
	bool		mended;			/* it is no longer at fault */
	TimestampTz moved_from;		/* its next fire is another one now, 0: no */
	TimestampTz next_fire_at;	/* for create; 0: never */
	TimestampTz ask_after;		/* for create; 0: it is not to be asked */
	char	   *fault;			/* put it into quarantine */
} SchedRepair;

extern List *sched_fire_add_repair(List *repairs, const SchedRepair *repair);
extern void sched_fire_write_repairs(List *repairs);

/*
 * When a fixed-delay trigger is due, counted from the end of its job's last
 * task; 0 while the job has a live task (its end is reported then).
 */
extern TimestampTz sched_fire_after_end(int db, int64 job_id,
										const SchedSchedule *schedule);

/*
 * Fire the triggers in one transaction.  next[i] gets the time at which
 * the trigger is due again, 0: never, or not before something changes.
 */
extern void sched_fire(const int64 *trigger_ids, int count, TimestampTz now,
					   TimestampTz *next);

/* A trigger of the job will not fire any more; see the following. */
extern void sched_fire_exhausted(int64 job_id);

/* Mark jobs as completed whose schedule is exhausted; true when all are. */
extern bool sched_fire_complete_jobs(void);

#endif							/* SCHED_FIRE_H */
