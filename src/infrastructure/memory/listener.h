/*-------------------------------------------------------------------------
 *
 * listener.h
 *	  Who listens to which events: event triggers and subscriptions.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_LISTENER_H
#define SCHED_LISTENER_H

#include "domain/event.h"
#include "infrastructure/tables/store.h"

typedef struct SchedListener
{
	int64		trigger_id;		/* 0: a subscription */
	int64		job_id;
	int64		subscription_id;
	Oid			owner;			/* of the subscription */
	const char *pattern;
	const char *condition;		/* "? (...)" behind the pattern, or NULL */
	const char *filter;			/* jsonpath of the trigger's config, or NULL */
	Jsonb	   *parameters;		/* of the trigger, NULL: none */
} SchedListener;

/* Is there anybody who listens to this type?  Costs next to nothing. */
extern bool sched_listeners_want(SchedEventType type);

/*
 * Those who listen to events of the name; *listeners is palloc'd, what it
 * refers to as well.  Returns how many.
 */
extern int	sched_listeners_find(const char *name, SchedListener **listeners);

/*
 * Somebody was added or has gone, in the running transaction: read again here at
 * once, and everywhere else after its commit.
 */
extern void sched_listeners_changed(void);

/* The transaction that changed something has been undone. */
extern void sched_listeners_forget(void);

#endif							/* SCHED_LISTENER_H */
