/*-------------------------------------------------------------------------
 *
 * launcher.h
 *	  The process that sees to it that each database has its scheduler.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_LAUNCHER_H
#define SCHED_LAUNCHER_H

/* Called once, in the postmaster, and not during a binary upgrade. */
extern void sched_launcher_register(void);

extern PGDLLEXPORT void sched_launcher_main(Datum main_arg);

#endif							/* SCHED_LAUNCHER_H */
