/*-------------------------------------------------------------------------
 *
 * http_flight.h
 *	  An attempt of an HTTP task, from taking the task to writing its outcome.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_HTTP_FLIGHT_H
#define SCHED_HTTP_FLIGHT_H

#include "application/tasks/attempt.h"
#include "application/http/http_request.h"
#include "application/http/webhook.h"
#include "lib/ilist.h"

/* A job whose tasks are on their way; shared by them. */
typedef struct HttpJob
{
	int64		job_id;
	int			users;			/* flights that refer to it */
	bool		current;		/* it is the one to be used for new flights */
	MemoryContext context;		/* holds all of it */
	SchedJob   *job;			/* NULL: gone */
	bool		parsed;			/* spec is that of tasks without parameters */
	SchedHttpSpec spec;
	SchedHttpProblem problem;	/* if it is not */
} HttpJob;

typedef struct HttpFlight
{
	HttpOwnerKind kind;
	dlist_node	node;
	MemoryContext context;		/* holds all of it */
	SchedAttempt attempt;
	HttpJob    *job;			/* NULL: could not be read */
	const SchedHttpSpec *spec;	/* NULL: there is no request */
	SchedHttpCall *call;		/* NULL: not on the wire */
	SchedStopReason stop;
	bool		gone;			/* the queue knows nothing of it any more */
	SchedEnd	end;			/* once it has ended */
} HttpFlight;

/*
 * Read what is to be sent for an attempt; in a transaction.  A flight that
 * cannot be sent has no spec and its end filled in.  Never raises an error but
 * for want of memory.
 */
extern HttpFlight *sched_http_flight_prepare(const SchedAttempt *attempt);

/* Put it on the wire; false when there is not enough memory. */
extern bool sched_http_flight_start(HttpFlight *flight,
									SchedHttpClient *client);

/* Fill in the end from the answer, or from what it was stopped for. */
extern void sched_http_flight_conclude(HttpFlight *flight);

/*
 * Write the outcome in the running transaction.  thrift: 0 stores all, 1 takes
 * the body for plain text, 2 leaves the result out.
 */
extern void sched_http_flight_write(HttpFlight *flight, int thrift);

extern void sched_http_flight_free(HttpFlight *flight,
								   SchedHttpClient *client);

/* Roles have changed, so secrets may have: read everything anew. */
extern void sched_http_flight_forget_jobs(void);

#endif							/* SCHED_HTTP_FLIGHT_H */
