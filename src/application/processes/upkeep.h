/*-------------------------------------------------------------------------
 *
 * upkeep.h
 *	  What the scheduler does once a minute: segments, retention, saving counts.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_UPKEEP_H
#define SCHED_UPKEEP_H

/* Each step is a transaction of its own; a failing one is logged and left. */
extern void sched_upkeep_run(void);

/* Bring the counts up to what they were when the server stopped. */
extern void sched_upkeep_restore_counters(void);

/* Was the data made in another server or database? Sets *reason. */
extern bool sched_upkeep_is_copy(char *reason, int size);

/*
 * Triggers from elsewhere have come, the oldest of them made at that time: if that
 * was before the extension was created here, note that the data is a copy.
 */
extern void sched_upkeep_note_unknown(TimestampTz oldest);

#endif							/* SCHED_UPKEEP_H */
