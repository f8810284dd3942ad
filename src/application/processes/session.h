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

/* A utility command runs: the session may keep something of it. */
extern void sched_session_note_utility(void);

#endif							/* SCHED_SESSION_H */
