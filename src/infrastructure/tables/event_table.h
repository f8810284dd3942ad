/*-------------------------------------------------------------------------
 *
 * event_table.h
 *	  The tables of events: what happened, and what is to be sent of it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_EVENT_TABLE_H
#define SCHED_EVENT_TABLE_H

#include "infrastructure/tables/store.h"

/* A row to be written to _event. */
typedef struct SchedEventRow
{
	int64		event_id;
	const char *type;
	TimestampTz occurred_at;
	int64		job_id;			/* SCHED_UNSET: none */
	int64		task_id;		/* SCHED_UNSET: none */
	const char *executor;		/* NULL: none */
	Oid			owner;			/* who may see it */
	Oid			actor;			/* InvalidOid: the scheduler itself */
	Jsonb	   *payload;		/* NULL: none */
	const int64 *fired;			/* triggers */
	int			fired_count;
} SchedEventRow;

/*
 * The next id.  The transaction has its xid by then, which those who read
 * events in order rely on.
 */
extern int64 sched_event_table_next_id(void);

extern void sched_event_table_insert(const SchedEventRow *row);

/* Have the event sent to a subscriber. */
extern void sched_event_table_insert_delivery(int64 subscription_id,
											  int64 event_id, TimestampTz now);

#endif							/* SCHED_EVENT_TABLE_H */
