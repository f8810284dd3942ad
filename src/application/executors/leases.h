/*-------------------------------------------------------------------------
 *
 * leases.h
 *	  What executors do with tasks: claim, start, complete, fail.
 *
 * Everything takes part in the running transaction.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_LEASES_H
#define SCHED_LEASES_H

#include "application/tasks/attempt.h"
#include "application/executors/identity.h"

/* A task that was claimed. */
typedef struct SchedClaim
{
	QTask	   *task;
	int64		task_id;
	int			attempt;
	int64		job_id;
	int64		run_id;
	TimestampTz scheduled_at;
	bool		has_parameters;
	ItemPointerData tid;
	TimestampTz deadline;		/* 0: none */
} SchedClaim;

/*
 * Claim up to max tasks for the executor, and start them with start; fills
 * claims and returns how many.
 */
extern int	sched_lease_claim(const SchedIdentity *identity, int max,
							  bool start, SchedClaim *claims);

/* Why nothing was done to a task. */
typedef enum SchedRefusal
{
	SCHED_ACCEPTED,
	SCHED_REFUSED_UNKNOWN,		/* memory has no such task */
	SCHED_REFUSED_NOT_LEASED,	/* nobody has it: it waits */
	SCHED_REFUSED_BUILT_IN,		/* a built-in worker has it */
	SCHED_REFUSED_STALE,		/* another attempt is the present one */
	SCHED_REFUSED_NOT_STARTED,	/* assigned, not running */
	SCHED_REFUSED_STARTED,		/* running already */
	SCHED_REFUSED_EXECUTOR,		/* another executor has it */
	SCHED_REFUSED_RIGHT,		/* the caller speaks for none */
	SCHED_REFUSED_BUSY			/* another session is at it */
} SchedRefusal;

/* One of the tasks of a call. */
typedef struct SchedReport
{
	int64		task_id;
	int			attempt;
	const char *error;			/* of a failure */
	Jsonb	   *result;			/* of a completion */
	SchedRefusal refusal;
	char	   *holder;			/* name of whose it is, SCHED_REFUSED_EXECUTOR */
	int			present;		/* the present attempt, SCHED_REFUSED_STALE */
} SchedReport;

/* Start what was claimed; returns how many were accepted. */
extern int	sched_lease_start(SchedReport *reports, int count);

/* End attempts: as completed, or as failed. */
extern int	sched_lease_complete(SchedReport *reports, int count);
extern int	sched_lease_fail(SchedReport *reports, int count, bool retryable);

/* Give a ready task to an executor; returns the attempt. */
extern int	sched_lease_assign(int64 task_id, const char *executor);

/* The message about a refusal, and the error itself. */
extern char *sched_lease_refusal_text(const SchedReport *report);
extern void sched_lease_raise(const SchedReport *report);

/* May the caller report about the attempt, being its executor? */
extern bool sched_lease_is_mine(int64 task_id, int attempt);

#endif							/* SCHED_LEASES_H */
