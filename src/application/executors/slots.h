/*-------------------------------------------------------------------------
 *
 * slots.h
 *	  What the queue has to know of the pools of a database.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_SLOTS_H
#define SCHED_SLOTS_H

/* In the scheduler: read the pools if they may have changed; or in any case. */
extern void sched_slots_refresh(int db, bool always);

#endif							/* SCHED_SLOTS_H */
