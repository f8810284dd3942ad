/*-------------------------------------------------------------------------
 *
 * database_hooks.h
 *	  Make way for commands that need a database without sessions.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_DATABASE_HOOKS_H
#define SCHED_DATABASE_HOOKS_H

/* Called once, in the postmaster. */
extern void sched_database_hooks_install(void);

#endif							/* SCHED_DATABASE_HOOKS_H */
