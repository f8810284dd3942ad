/*-------------------------------------------------------------------------
 *
 * identity.h
 *	  Who acts as an executor, and may he.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_IDENTITY_H
#define SCHED_IDENTITY_H

#include "infrastructure/memory/executors.h"

/* An executor, copied out of shared memory. */
typedef struct SchedIdentity
{
	uint32		index;
	int			executor_id;
	Oid			owner;
	SchedExecutorStatus status;
	bool		active;
	uint8		digest[SCHED_TOKEN_DIGEST_BYTES];
	char		name[SCHED_EXECUTOR_NAME_BYTES];
} SchedIdentity;

/*
 * Raise an error unless executors may take part here and now: 55000 with
 * sched.cluster_enabled off, 57P03 as long as the scheduler has not read the
 * tables.
 */
extern void sched_require_cluster(void);

/* Copy, with the lock held in any mode. */
extern void sched_identity_copy(const QExecutor *executor,
								SchedIdentity *identity);

/* Does the slot still belong to that executor, unchanged?  Lock held. */
extern QExecutor *sched_identity_slot(int db, const SchedIdentity *identity);

/* The executor of that name; raises 42704. */
extern void sched_identity_find(const char *name, SchedIdentity *identity);

/* May the session speak for the executor? */
extern bool sched_identity_may_act(const SchedIdentity *identity);

/* Does it speak for any executor at all? */
extern bool sched_identity_is_some(void);

/* Both at once; raises 42704, 42501. */
extern void sched_identity_require(const char *name, SchedIdentity *identity);

/* SHA-256 of a token. */
extern void sched_token_digest(const char *token,
							   uint8 digest[SCHED_TOKEN_DIGEST_BYTES]);

#endif							/* SCHED_IDENTITY_H */
