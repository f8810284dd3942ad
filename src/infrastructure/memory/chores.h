/*-------------------------------------------------------------------------
 *
 * chores.h
 *	  User code that the scheduler wants to know the answer of, as work for
 *	  the SQL workers of a role.
 *
 * Everything here needs sched_shared->lock held exclusively unless it says
 * otherwise, and none can fail.  What is done for each kind stands in
 * application/processes/chore.c.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_CHORES_H
#define SCHED_CHORES_H

#include "infrastructure/memory/shmem.h"

#define SCHED_MAX_CHORES		256 /* in the server */
#define SCHED_CHORES_PER_ROLE	32	/* of one role in one database */
#define SCHED_CHORES_AT_ONCE	2	/* of one role: slow ones hold no more workers */
#define SCHED_CHORE_ATTEMPTS	3	/* then it is given up */

typedef enum SchedChoreKind
{
	SCHED_CHORE_NEXT_FIRE,		/* id1: a trigger, see custom_trigger.c */
	SCHED_CHORE_CONDITION,		/* id1: a waiting task, id2: which edge of it */
	SCHED_CHORE_ROUTE,			/* id1: a job, see router.c */
	SCHED_CHORE_KINDS
} SchedChoreKind;

typedef enum SchedChoreState
{
	SCHED_CHORE_FREE,
	SCHED_CHORE_WAITING,		/* for a worker, or for not_before */
	SCHED_CHORE_RUNNING,
	SCHED_CHORE_FAILED			/* for good: the scheduler has to say so */
} SchedChoreState;

typedef struct SchedChore
{
	SchedChoreState state;
	int			db;
	Oid			role;
	SchedChoreKind kind;
	int64		id1;
	int64		id2;
	uint64		order;			/* the least is next */
	TimestampTz since;			/* real time of its last change of state */
	TimestampTz not_before;		/* real time, 0: at once */
	TimestampTz deadline;		/* running: real time to stop it */
	int			worker;			/* slot that runs it */
	int			failures;
	bool		again;			/* asked for anew while it ran */
	char		error[256];		/* of the last failure */
} SchedChore;

/* Allocation, for shmem.c. */
extern Size sched_chores_size(void);
extern void sched_chores_attach(bool found);

/*
 * Have it done by a worker of the role.  True also when it is there already.
 * False when there is no room: the scheduler of the database is woken when there
 * is, and whoever asked has to ask again; nothing remembers it.
 */
extern bool sched_chores_put(int db, Oid role, SchedChoreKind kind,
							 int64 id1, int64 id2);

/* A worker takes the next one of its role, and gets rid of it. */
extern int	sched_chores_take(int db, Oid role, int worker);
extern void sched_chores_done(int chore);
extern void sched_chores_failed(int chore, const char *error, bool for_good);

/* Fail all that wait for a worker of the role, for good. */
extern void sched_chores_fail_role(int db, Oid role, const char *error);

extern SchedChore *sched_chores_get(int chore);

/* For the pool: how many wait for a worker now, and the first since when. */
extern int	sched_chores_due(int db, Oid role, TimestampTz *since);

/* For the scheduler: when to look again (0: no need), and what to do then. */
extern TimestampTz sched_chores_next(int db);
extern void sched_chores_tick(int db);

/* The next that failed for good, from *cursor on, -1: none; then forget it. */
extern int	sched_chores_next_failed(int db, int *cursor);
extern void sched_chores_forget(int chore);

/* Forget everything of a database. */
extern void sched_chores_purge(int db);

#endif							/* SCHED_CHORES_H */
