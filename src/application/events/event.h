/*-------------------------------------------------------------------------
 *
 * event.h
 *	  Recording events, and what follows from them in the same transaction.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_APPLICATION_EVENT_H
#define SCHED_APPLICATION_EVENT_H

#include "domain/event.h"
#include "infrastructure/tables/store.h"

typedef struct SchedEvent
{
	SchedEventType type;		/* SCHED_EVENT_COUNT: somebody's own */
	const char *name;
	int64		job_id;			/* SCHED_UNSET: none */
	int64		task_id;		/* SCHED_UNSET: none */
	const char *executor;		/* NULL: none */
	Oid			owner;			/* whose event it is: who may see it */
	TimestampTz occurred_at;	/* 0: now */
	Jsonb	   *payload;		/* NULL: none */
} SchedEvent;

/* Nothing set but the type and its name. */
extern void sched_event_init(SchedEvent *event, SchedEventType type);

/*
 * Is an event of the type to be recorded: because of sched.event_level, or
 * because somebody listens?  Ask before anything is put together.
 */
extern bool sched_event_wanted(SchedEventType type);

/*
 * Record an event in the running transaction, and have it sent to those who
 * subscribed to it.  Returns its id.
 */
extern int64 sched_event_record(const SchedEvent *event);

/*
 * Is this the scheduler or the HTTP worker?  They act for everybody, and must
 * neither wait for anybody nor take long for anybody's sake.
 */
extern bool sched_event_nobody_acts(void);

/*
 * Shorthands, which do nothing when the event is not wanted.  The payload is
 * JSON text or NULL.  Those of an executor belong to its owner.
 */
extern void sched_event_job(SchedEventType type, int64 job_id, Oid owner,
							const char *job_name, const char *payload);
extern void sched_event_task(SchedEventType type, int64 task_id,
							 int64 job_id, const char *executor,
							 const char *payload);
extern void sched_event_executor(SchedEventType type, const char *executor,
								 Oid owner, const char *payload);

/* What the rows of the record mean; called by record.c. */
extern void sched_event_of_tasks(const SchedTaskRow *rows, int count);
extern void sched_event_of_outcomes(const SchedOutcome *rows, int count);

/* An attempt has said how far it has come; message may be NULL. */
extern void sched_event_of_progress(int64 task_id, int attempt, float4 percent,
									const char *message);

/* An external executor got an attempt, or started it. */
extern void sched_event_of_lease(bool started, int executor_id,
								 int64 task_id, int64 job_id, int attempt);

#endif							/* SCHED_APPLICATION_EVENT_H */
