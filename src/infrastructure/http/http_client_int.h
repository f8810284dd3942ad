/*-------------------------------------------------------------------------
 *
 * http_client_int.h
 *	  What the two halves of the HTTP client share.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_HTTP_CLIENT_INT_H
#define SCHED_HTTP_CLIENT_INT_H

#include <curl/curl.h>
#include <signal.h>
#include <time.h>

#include "infrastructure/http/http_client.h"

struct SchedHttpCall
{
	SchedHttpClient *client;
	SchedHttpCall *next;		/* in the list of ended or spare calls */
	SchedHttpCall *previous;	/* among the ended */
	CURL	   *easy;
	struct curl_slist *headers;
	bool		active;			/* in the multi handle */
	bool		ended;			/* in the list of ended calls */

	/* the request, as the next hop will send it */
	char	   *url;
	char	   *host;			/* as libcurl reads the URL */
	char	   *origin;			/* scheme, host and port of the first URL */
	int			port;
	bool		https;
	char	   *method;
	char	   *body;
	Size		body_length;
	bool		body_secret;
	SchedHttpHeader *request_headers;	/* one piece of memory */
	int			request_header_count;
	bool		foreign;		/* has been redirected to another origin */
	int64		timeout_ms;
	int64		started_at;		/* of the first hop, monotonic microseconds */
	int			redirects_left;
	Size		max_body;
	void	   *owner;

	/* the answer so far */
	bool		connected;		/* there is a connection */
	bool		refused;		/* by the egress rules */
	bool		headers_done;
	bool		too_large;
	Size		headers_capacity;
	Size		body_capacity;
	char		curl_error[CURL_ERROR_SIZE];
	SchedHttpAnswer answer;
};

struct SchedHttpClient
{
	CURLM	   *multi;
	int			epoll;			/* -1: none */
	int64		timer_at;		/* monotonic microseconds, 0: none */
	const SchedEgress *egress;
	char	   *ca_file;
	SchedHttpCall *first_ended;
	SchedHttpCall *last_ended;
	SchedHttpCall *spare;
	int			spare_count;
	sigset_t	old_mask;
	int			nesting;
};

/* Microseconds of a clock that nobody sets. */
static inline int64
monotonic_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* What libcurl calls. */
extern int	sched_http_socket_changed(CURL *easy, curl_socket_t socket,
									  int what, void *arg, void *known);
extern int	sched_http_timer_changed(CURLM *multi, long timeout_ms, void *arg);
extern curl_socket_t sched_http_open_socket(void *arg, curlsocktype purpose,
											struct curl_sockaddr *target);
extern int	sched_http_before_request(void *arg, char *remote, char *local,
									  int remote_port, int local_port);
extern size_t sched_http_take_header(char *data, size_t size, size_t count,
									 void *arg);
extern size_t sched_http_take_body(char *data, size_t size, size_t count,
								   void *arg);

#endif							/* SCHED_HTTP_CLIENT_INT_H */
