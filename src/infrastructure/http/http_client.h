/*-------------------------------------------------------------------------
 *
 * http_client.h
 *	  Many HTTP requests at once, without ever waiting for one.
 *
 * No transaction, no memory context and no error of the server is involved;
 * what is not enough memory is a fault like any other.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_HTTP_CLIENT_H
#define SCHED_HTTP_CLIENT_H

#include "domain/egress.h"

#define SCHED_HTTP_MAX_HEADER_BYTES		(64 * 1024)
#define SCHED_HTTP_MESSAGE_BYTES		256

/* How far a request has come. */
typedef enum SchedHttpPhase
{
	SCHED_HTTP_RESOLVING,
	SCHED_HTTP_CONNECTING,
	SCHED_HTTP_TLS,
	SCHED_HTTP_SENDING,
	SCHED_HTTP_WAITING,			/* for the headers of the answer */
	SCHED_HTTP_BODY
} SchedHttpPhase;

typedef enum SchedHttpFault
{
	SCHED_HTTP_OK,				/* there is an answer with a status */
	SCHED_HTTP_BAD_URL,
	SCHED_HTTP_REFUSED,			/* by the egress rules */
	SCHED_HTTP_RESOLVE,
	SCHED_HTTP_CONNECT,
	SCHED_HTTP_HANDSHAKE,		/* TLS could not be agreed on */
	SCHED_HTTP_CERTIFICATE,
	SCHED_HTTP_BROKEN,			/* the connection, in some later phase */
	SCHED_HTTP_TIMEOUT,
	SCHED_HTTP_TOO_LARGE,		/* the headers */
	SCHED_HTTP_MALFORMED,		/* that is no HTTP */
	SCHED_HTTP_REDIRECTS,		/* too many */
	SCHED_HTTP_REDIRECT,		/* to where we do not go */
	SCHED_HTTP_INTERNAL
} SchedHttpFault;

typedef struct SchedHttpHeader
{
	const char *name;
	const char *value;
	bool		secret;			/* for the host of the URL only */
} SchedHttpHeader;

/* A request; everything is copied when it is started. */
typedef struct SchedHttpRequest
{
	const char *method;
	const char *url;
	const SchedHttpHeader *headers;
	int			header_count;
	const char *body;			/* NULL: none */
	Size		body_length;
	bool		body_secret;	/* for the host of the URL only */
	int64		timeout_ms;		/* 0: none */
	int			max_redirects;	/* 0: none is followed */
	Size		max_body;		/* bytes of the answer that are kept */
	void	   *owner;			/* the caller's */
} SchedHttpRequest;

/* Times in microseconds since the start of the request, 0: never came to it. */
typedef struct SchedHttpAnswer
{
	SchedHttpFault fault;
	SchedHttpPhase phase;		/* where it ended */
	int			status;			/* 0: none */
	int			http_version;	/* 10, 11, 20, 30 */
	int			redirects;
	int64		retry_after;	/* seconds, 0: the answer does not say */
	char	   *headers;		/* lines "name: value\n", NULL: none */
	Size		headers_length;
	char	   *body;
	Size		body_length;
	bool		truncated;		/* the body went on */
	int64		resolved_at;
	int64		connected_at;
	int64		secured_at;
	int64		first_byte_at;
	int64		total;
	char		message[SCHED_HTTP_MESSAGE_BYTES];
	char		host[256];		/* of the last URL, with port */
} SchedHttpAnswer;

typedef struct SchedHttpClient SchedHttpClient;
typedef struct SchedHttpCall SchedHttpCall;

/* NULL when there is not enough memory. */
extern SchedHttpClient *sched_http_client_create(void);

/* For new connections, and for what is sent on old ones.  Not copied. */
extern void sched_http_client_set_egress(SchedHttpClient *client,
										 const SchedEgress *egress);

/* Certificates to trust instead of the system's; NULL or empty: the system's. */
extern void sched_http_client_set_ca_file(SchedHttpClient *client,
										  const char *file);

/* Connections that are kept when nobody uses them. */
extern void sched_http_client_set_idle_connections(SchedHttpClient *client,
												   int count);

/*
 * Readable when sched_http_client_pump() has work; -1 where the system has
 * no such thing: then pump every sched_http_client_timeout() milliseconds.
 */
extern int	sched_http_client_socket(const SchedHttpClient *client);

/* Milliseconds until it is to be pumped anyway, -1: no need. */
extern long sched_http_client_timeout(SchedHttpClient *client);

/*
 * A call ends by being returned from sched_http_client_next_ended(), even if
 * it never got anywhere.  NULL only when there is not enough memory.
 */
extern SchedHttpCall *sched_http_client_start(SchedHttpClient *client,
											  const SchedHttpRequest *request);

/* Do what can be done without waiting. */
extern void sched_http_client_pump(SchedHttpClient *client);

extern SchedHttpCall *sched_http_client_next_ended(SchedHttpClient *client);

extern void *sched_http_call_owner(const SchedHttpCall *call);
extern const SchedHttpAnswer *sched_http_call_answer(const SchedHttpCall *call);

/* Where a call that has not ended is. */
extern SchedHttpPhase sched_http_call_phase(SchedHttpCall *call);

/* End a call at once, or give back one that has ended. */
extern void sched_http_client_release(SchedHttpClient *client,
									  SchedHttpCall *call);

#endif							/* SCHED_HTTP_CLIENT_H */
