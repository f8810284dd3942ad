/*-------------------------------------------------------------------------
 *
 * server_log.h
 *	  Lines about tasks and jobs in the server's log.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_SERVER_LOG_H
#define SCHED_SERVER_LOG_H

/* Called once, in the postmaster. */
extern void sched_server_log_install(void);

/* Does sched.log_level let lines of this level (DEBUG1 to ERROR) through? */
extern bool sched_server_log_wants(int level);

/*
 * Write a line once the running transaction has committed; it is made into one
 * line whatever is in it.  Does not look at the level.
 */
extern void sched_server_log(const char *format,...) pg_attribute_printf(1, 2);

#endif							/* SCHED_SERVER_LOG_H */
