/*-------------------------------------------------------------------------
 *
 * scheduler.h
 *	  The scheduler of one database.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_SCHEDULER_H
#define SCHED_SCHEDULER_H

/* Entry point; the argument is the database's slot. */
extern PGDLLEXPORT void sched_scheduler_main(Datum slot);

#endif							/* SCHED_SCHEDULER_H */
