/*-------------------------------------------------------------------------
 *
 * webhook.h
 *	  Sending events to subscribers.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_WEBHOOK_H
#define SCHED_WEBHOOK_H

#include "infrastructure/http/http_client.h"
#include "utils/timestamp.h"

/* What a call of the HTTP client belongs to; the first member of its owner. */
typedef enum HttpOwnerKind
{
	HTTP_OWNER_FLIGHT,			/* an attempt of a task */
	HTTP_OWNER_DELIVERY			/* an event for a subscriber */
}			HttpOwnerKind;

/*
 * Record what has ended and send what is due, in transactions of its own;
 * leaves room for others on the wire.  True when anything was done.
 */
extern bool sched_webhooks_turn(SchedHttpClient *client, int room);

/* A call of ours has ended. */
extern void sched_webhooks_ended(SchedHttpCall *call);

extern int	sched_webhooks_in_flight(void);

/* Look again, whatever was known. */
extern void sched_webhooks_look_again(void);

/* After an error: try everything again in a moment. */
extern void sched_webhooks_put_off(void);

/* When the next one is due, real time; 0: nothing waits. */
extern TimestampTz sched_webhooks_next(void);

#endif							/* SCHED_WEBHOOK_H */
