/*-------------------------------------------------------------------------
 *
 * recover.h
 *	  Reading live tasks from the tables into the queue.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_RECOVER_H
#define SCHED_RECOVER_H

#include "infrastructure/memory/shmem.h"

/* How far ahead of their time tasks come into memory. */
#define SCHED_HORIZON	(60 * USECS_PER_SEC)

/* Each in a transaction of its own, in the scheduler. */
extern void sched_recover_all(int db);
extern void sched_recover_future(int db);
extern bool sched_recover_left_out(int db);

/* After an error: what was being read has to be read again. */
extern void sched_recover_interrupted(int db);

#endif							/* SCHED_RECOVER_H */
