/*-------------------------------------------------------------------------
 *
 * session.h
 *	  Leaving nothing of a task behind in its worker.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_SESSION_H
#define SCHED_SESSION_H

/* Reset the session to how it was at its start; outside a transaction. */
extern void sched_session_reset(void);

#endif							/* SCHED_SESSION_H */
