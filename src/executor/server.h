/*-------------------------------------------------------------------------
 *
 * server.h
 *	  The conversation with the database.
 *
 *-------------------------------------------------------------------------
 */
#ifndef EXECUTOR_SERVER_H
#define EXECUTOR_SERVER_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "executor/options.h"

/* How a request went. */
typedef enum Reply
{
	REPLY_OK,
	REPLY_REFUSED,				/* the server said no, asking again won't help */
	REPLY_BROKEN				/* no connection: ask again later */
} Reply;

typedef struct Server
{
	const Options *options;
	PGconn	   *control;		/* short requests; NULL: none */
	PGconn	   *claims;			/* the one that waits for tasks; NULL: none */
	bool		claiming;		/* a claim is under way */
	int64_t		retry_at;		/* no new connection before; milliseconds */
	int			failures;		/* connections that failed in a row */
	double		beat_seconds;	/* between heartbeats */
	double		lease_seconds;	/* without one, until the leases are lost */
	char	   *token;			/* ours, NULL: none */
	bool		gone;			/* the executor is not, or no longer, known */
	char		message[1024];	/* of the last refusal */
	char		sqlstate[6];
	void		(*attend) (void *);	/* called while waiting for an answer */
	void	   *attend_arg;
} Server;

/* Milliseconds of a clock that nobody sets. */
extern int64_t monotonic_ms(void);

/* True when both connections are there; tries at most once in a while. */
extern bool server_connect(Server *server);
extern void server_disconnect(Server *server);

/*
 * A request on the control connection with text parameters; its result, to be
 * cleared by the caller, in *result unless result is NULL.
 */
extern Reply server_request(Server *server, const char *query, int count,
							const char *const *values, PGresult **result);

/* Ask for tasks; the answer is taken by server_claimed() when it is there. */
extern bool server_claim(Server *server, int count, int wait_seconds);

/* True when the claim is over; *result is NULL after a failure. */
extern bool server_claimed(Server *server, PGresult **result);

/* Let a claim that waits come back now. */
extern void server_cancel_claim(Server *server);

/* Make the executor known; false when that cannot be. */
extern bool server_register(Server *server);

#endif							/* EXECUTOR_SERVER_H */
