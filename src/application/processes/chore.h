/*-------------------------------------------------------------------------
 *
 * chore.h
 *	  What is done for each kind of chore, and by whom.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_CHORE_H
#define SCHED_CHORE_H

#include "infrastructure/memory/chores.h"

/*
 * A kind of chore.  Errors that run and store raise are failures of the chore: it
 * is tried again after a second, after three more, and is then given up;
 * at once when the SQLSTATE is one that tasks are not retried for.
 */
typedef struct SchedChoreHandler
{
	/*
	 * In a worker that is connected as the chore's role, in a transaction of
	 * its own and under a snapshot: finds out what is to be asked
	 * (sched_owned_call) and runs the user's code.  The answer is made in
	 * the memory context given; NULL: there is nothing to hand over.
	 */
	void	   *(*run) (const SchedChore *chore, MemoryContext context);

	/*
	 * In the same worker, in another transaction, after the session was
	 * reset: writes the answer (sched_owned_call, or store.h) unless the
	 * question has changed, and lets the scheduler know through pending.h.
	 */
	void		(*store) (const SchedChore *chore, void *answer);

	/*
	 * In the scheduler, in a transaction and under a snapshot, after the last
	 * failure: puts the object into quarantine with the reason, and logs it.
	 */
	void		(*give_up) (const SchedChore *chore, const char *error);
} SchedChoreHandler;

/* For the worker: do it and let go of it. */
extern void sched_chore_run(SchedWorker *me);

/* For the scheduler: watch deadlines, give up what has failed. */
extern void sched_chore_upkeep(int db);

/*
 * May a user's function be called as the current user?  Error when he has no right
 * to, and when the function's owner could thereby do things as the current
 * user that he has no right to himself.
 */
extern void sched_chore_check_function(Oid function);

/* The same as an answer: why not, or NULL. */
extern char *sched_chore_function_obstacle(Oid function);

#endif							/* SCHED_CHORE_H */
