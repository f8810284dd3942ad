/*-------------------------------------------------------------------------
 *
 * http_client.c
 *	  Many HTTP requests at once, without ever waiting for one.
 *
 * libcurl's multi interface, driven by its sockets: they lie in an epoll set
 * of our own, whose descriptor is the one socket that the caller has in the
 * event set of its latch.  (A WaitEventSet cannot forget a socket, and sockets
 * come and go.)  Without epoll the caller polls.
 *
 * Rules that make it safe inside of a server process:
 *
 * - Callbacks (http_callbacks.c) only copy into malloc'd buffers of bounded
 *	 size and return codes.  Nothing here allocates from a memory context or
 *	 raises an error, so nothing ever jumps through libcurl.
 * - libcurl resolves names in threads.  All signals are blocked while it runs,
 *	 so that these threads inherit a mask with which no signal of the server
 *	 is ever delivered to them.  A request that is given up leaves its thread
 *	 to end by itself.
 * - Where a request goes is decided by the address of the socket, right before
 *	 it is connected and again before each request on a kept connection,
 *	 together with the host's name as libcurl itself read it from the URL.
 * - Redirects are followed here and not by libcurl: each is a new URL with
 *	 the same checks, and what is secret stays with the first host.
 * - No proxy, no netrc, no cookies, no other protocol than HTTP, whatever the
 *	 environment says.
 *
 * One process calls this, which owns the client; no lock is involved.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <pthread.h>
#include <unistd.h>
#ifdef HAVE_SYS_EPOLL_H
#include <sys/epoll.h>
#endif

#include "domain/http.h"
#include "infrastructure/http/http_client_int.h"

#if LIBCURL_VERSION_NUM < 0x075000
#error "sched needs libcurl 7.80 or later"
#endif

#define MAX_EVENTS		128
#define POLL_INTERVAL	10		/* milliseconds, without epoll */
#define CONNECT_TIMEOUT	30000	/* milliseconds */
#define MAX_SPARE		256

static void end_call(SchedHttpCall *call);

/* libcurl runs between these two. */
static void
enter(SchedHttpClient *client)
{
	sigset_t	all;

	if (client->nesting++ > 0)
		return;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &client->old_mask);
}

static void
leave(SchedHttpClient *client)
{
	if (--client->nesting == 0)
		pthread_sigmask(SIG_SETMASK, &client->old_mask, NULL);
}

/* ---------- the client ---------- */

SchedHttpClient *
sched_http_client_create(void)
{
	static bool initialized = false;
	SchedHttpClient *client = calloc(1, sizeof(SchedHttpClient));

	if (client == NULL)
		return NULL;
	client->epoll = -1;
	enter(client);
	if (!initialized && curl_global_init(CURL_GLOBAL_ALL) == CURLE_OK)
		initialized = true;
	if (initialized)
		client->multi = curl_multi_init();
	if (client->multi != NULL)
	{
#ifdef HAVE_SYS_EPOLL_H
		client->epoll = epoll_create1(EPOLL_CLOEXEC);
#endif
		if (client->epoll >= 0)
		{
			curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION,
							  sched_http_socket_changed);
			curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client);
			curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION,
							  sched_http_timer_changed);
			curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client);
		}
		curl_multi_setopt(client->multi, CURLMOPT_PIPELINING,
						  (long) CURLPIPE_MULTIPLEX);
	}
	leave(client);
	if (client->multi == NULL)
	{
		free(client);
		return NULL;
	}
	return client;
}

void
sched_http_client_set_egress(SchedHttpClient *client,
							 const SchedEgress *egress)
{
	client->egress = egress;
}

void
sched_http_client_set_ca_file(SchedHttpClient *client, const char *file)
{
	free(client->ca_file);
	client->ca_file = file == NULL || file[0] == '\0' ? NULL : strdup(file);
}

void
sched_http_client_set_idle_connections(SchedHttpClient *client, int count)
{
	enter(client);
	curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, (long) count);
	leave(client);
}

int
sched_http_client_socket(const SchedHttpClient *client)
{
	return client->epoll;
}

long
sched_http_client_timeout(SchedHttpClient *client)
{
	int64		left;

	if (client->first_ended != NULL)
		return 0;
	if (client->epoll < 0)
		return POLL_INTERVAL;
	if (client->timer_at == 0)
		return -1;
	left = client->timer_at - monotonic_now();
	return left <= 0 ? 0 : (long) ((left + 999) / 1000);
}

/* ---------- starting ---------- */

/* Reads the URL as libcurl does.  False, with a fault set, when it is bad. */
static bool
read_url(SchedHttpCall *call, CURLU *url, char **origin)
{
	char	   *scheme = NULL;
	char	   *host = NULL;
	char	   *port = NULL;
	char	   *user = NULL;
	bool		good;

	good = curl_url_set(url, CURLUPART_URL, call->url, 0) == CURLUE_OK &&
		curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
		curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
		curl_url_get(url, CURLUPART_PORT, &port,
					 CURLU_DEFAULT_PORT) == CURLUE_OK &&
		curl_url_get(url, CURLUPART_USER, &user, 0) != CURLUE_OK;
	if (good)
	{
		Size		length = strlen(host);
		const char *name = host;

		/* an IPv6 address comes in brackets */
		if (length > 2 && host[0] == '[')
		{
			name++;
			length -= 2;
		}
		call->https = strcmp(scheme, "https") == 0;
		good = call->https || strcmp(scheme, "http") == 0;
		free(call->host);
		call->host = strndup(name, length);
		call->port = atoi(port);
		snprintf(call->answer.host, sizeof(call->answer.host), "%s:%s", host,
				 port);
		*origin = malloc(strlen(scheme) + strlen(host) + strlen(port) + 5);
		if (*origin != NULL)
			sprintf(*origin, "%s://%s:%s", scheme, host, port);
		good = good && call->host != NULL && *origin != NULL;
	}
	curl_free(scheme);
	curl_free(host);
	curl_free(port);
	curl_free(user);
	return good;
}

static void
fail(SchedHttpCall *call, SchedHttpFault fault, const char *message)
{
	call->answer.fault = fault;
	if (message != NULL)
		snprintf(call->answer.message, sizeof(call->answer.message), "%s",
				 message);
	end_call(call);
}

/* The headers that this hop may have. */
static bool
make_headers(SchedHttpCall *call)
{
	bool		has_type = false;
	struct curl_slist *list;

	curl_slist_free_all(call->headers);
	call->headers = NULL;
	for (int i = 0; i < call->request_header_count; i++)
	{
		const SchedHttpHeader *header = &call->request_headers[i];
		Size		length = strlen(header->name) + strlen(header->value) + 3;
		char		space[512];
		char	   *line = length <= sizeof(space) ? space : malloc(length);

		if (line == NULL)
			return false;
		if (call->foreign &&
			(header->secret || sched_http_header_is_credential(header->name)))
		{
			if (line != space)
				free(line);
			continue;
		}
		has_type = has_type || pg_strcasecmp(header->name, "content-type") == 0;
		/* an empty one has to be asked for in a way of its own */
		if (header->value[0] == '\0')
			sprintf(line, "%s;", header->name);
		else
			sprintf(line, "%s: %s", header->name, header->value);
		list = curl_slist_append(call->headers, line);
		if (line != space)
			free(line);
		if (list == NULL)
			return false;
		call->headers = list;
	}
	/* what libcurl would add, but nobody asked for */
	list = curl_slist_append(call->headers, "Expect:");
	if (list == NULL)
		return false;
	call->headers = list;
	if (!has_type)
	{
		list = curl_slist_append(call->headers, "Content-Type:");
		if (list == NULL)
			return false;
		call->headers = list;
	}
	return true;
}

static void
set_options(SchedHttpCall *call)
{
	CURL	   *easy = call->easy;
	int64		left = 0;

	curl_easy_reset(easy);
	curl_easy_setopt(easy, CURLOPT_URL, call->url);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->curl_error);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_NETRC, (long) CURL_NETRC_IGNORED);
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
#if LIBCURL_VERSION_NUM >= 0x075500
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS,
					 (long) (CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
#if LIBCURL_VERSION_NUM >= 0x075700
	/* giving up a request does not wait for the resolver */
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
#endif
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
					 (long) CURL_HTTP_VERSION_2TLS);
	if (call->https)
		curl_easy_setopt(easy, CURLOPT_PIPEWAIT, 1L);
	if (call->client->ca_file != NULL)
		curl_easy_setopt(easy, CURLOPT_CAINFO, call->client->ca_file);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "sched/" SCHED_VERSION);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, sched_http_open_socket);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, call);
	curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, sched_http_before_request);
	curl_easy_setopt(easy, CURLOPT_PREREQDATA, call);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, sched_http_take_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, sched_http_take_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, call->headers);
	if (call->timeout_ms > 0)
	{
		left = call->timeout_ms - (monotonic_now() - call->started_at) / 1000;
		left = Max(left, 1);
		curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long) left);
	}
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
					 (long) (left > 0 ? Min(left, CONNECT_TIMEOUT) :
							 CONNECT_TIMEOUT));

	if (strcmp(call->method, "HEAD") == 0)
		curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
	else if (call->body != NULL || strcmp(call->method, "POST") == 0)
	{
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS,
						 call->body == NULL ? "" : call->body);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
						 (curl_off_t) call->body_length);
	}
	if (strcmp(call->method, "GET") != 0 || call->body != NULL)
		curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, call->method);
}

/* Send the request to call->url. */
static void
start_hop(SchedHttpCall *call)
{
	SchedHttpAnswer *answer = &call->answer;
	CURLU	   *url = curl_url();
	char	   *origin = NULL;

	answer->status = 0;
	answer->headers_length = 0;
	answer->body_length = 0;
	answer->truncated = false;
	answer->retry_after = 0;
	answer->message[0] = '\0';
	call->curl_error[0] = '\0';
	call->connected = false;
	call->refused = false;
	call->headers_done = false;
	call->too_large = false;

	if (url == NULL)
		fail(call, SCHED_HTTP_INTERNAL, "out of memory");
	else if (!read_url(call, url, &origin))
		fail(call, answer->redirects > 0 ? SCHED_HTTP_REDIRECT :
			 SCHED_HTTP_BAD_URL, "the URL is not valid");
	else if (call->client->egress == NULL ||
			 !sched_egress_may_reach_host(call->client->egress, call->host,
										  call->port))
		fail(call, SCHED_HTTP_REFUSED, "the host is not listed");
	else
	{
		if (call->origin == NULL)
		{
			call->origin = origin;
			origin = NULL;
		}
		else if (strcmp(call->origin, origin) != 0)
			call->foreign = true;
		if (call->foreign && call->body != NULL && call->body_secret)
			fail(call, SCHED_HTTP_REDIRECT,
				 "the body of the request holds a secret, which is for the first host only");
		else if (!make_headers(call))
			fail(call, SCHED_HTTP_INTERNAL, "out of memory");
		else
		{
			set_options(call);
			if (curl_multi_add_handle(call->client->multi,
									  call->easy) == CURLM_OK)
				call->active = true;
			else
				fail(call, SCHED_HTTP_INTERNAL, "libcurl did not take the request");
		}
	}
	free(origin);
	curl_url_cleanup(url);
}

static bool
copy_headers(SchedHttpCall *call, const SchedHttpRequest *request)
{
	Size		size = request->header_count * sizeof(SchedHttpHeader);
	char	   *text;

	for (int i = 0; i < request->header_count; i++)
		size += strlen(request->headers[i].name) +
			strlen(request->headers[i].value) + 2;
	call->request_headers = malloc(Max(size, 1));
	if (call->request_headers == NULL)
		return false;
	text = (char *) (call->request_headers + request->header_count);

	for (int i = 0; i < request->header_count; i++)
	{
		const SchedHttpHeader *from = &request->headers[i];
		SchedHttpHeader *to = &call->request_headers[i];

		to->name = strcpy(text, from->name);
		text	  +=strlen(text) + 1;

		to->value = strcpy(text, from->value);
		text	  +=strlen(text) + 1;

		to->secret = from->secret;
	}
	call->request_header_count = request->header_count;
	return true;
}

/* Forget the request and the answer, keep the handle. */
static void
clear_call(SchedHttpCall *call)
{
	CURL	   *easy = call->easy;

	curl_slist_free_all(call->headers);
	free(call->url);
	free(call->host);
	free(call->origin);
	free(call->method);
	if (call->body != NULL)
		explicit_bzero(call->body, call->body_length);
	free(call->body);
	free(call->request_headers);
	free(call->answer.headers);
	free(call->answer.body);
	memset(call, 0, sizeof(SchedHttpCall));
	call->easy = easy;
}

SchedHttpCall *
sched_http_client_start(SchedHttpClient *client,
						const SchedHttpRequest *request)
{
	SchedHttpCall *call = client->spare;
	bool		copied;

	enter(client);
	if (call != NULL)
	{
		client->spare = call->next;
		client->spare_count--;
	}
	else if ((call = calloc(1, sizeof(SchedHttpCall))) != NULL &&
			 (call->easy = curl_easy_init()) == NULL)
	{
		free(call);
		call = NULL;
	}
	if (call == NULL)
	{
		leave(client);
		return NULL;
	}
	call->client = client;
	call->next = NULL;
	call->owner = request->owner;
	call->url = strdup(request->url);
	call->method = strdup(request->method);
	call->timeout_ms = request->timeout_ms;
	call->started_at = monotonic_now();
	call->redirects_left = request->max_redirects;
	call->max_body = request->max_body;
	copied = call->url != NULL && call->method != NULL &&
		copy_headers(call, request);
	if (copied && request->body != NULL)
	{
		call->body = malloc(request->body_length + 1);
		if (call->body != NULL)
		{
			memcpy(call->body, request->body, request->body_length);
			call->body[request->body_length] = '\0';
		}
		call->body_length = request->body_length;
		call->body_secret = request->body_secret;
		copied = call->body != NULL;
	}
	if (copied)
		start_hop(call);
	else
		fail(call, SCHED_HTTP_INTERNAL, "out of memory");
	leave(client);
	return call;
}

/* ---------- ending ---------- */

/* Into the list of calls that the caller has to look at. */
static void
end_call(SchedHttpCall *call)
{
	SchedHttpClient *client = call->client;

	call->answer.total = monotonic_now() - call->started_at;
	call->ended = true;
	call->next = NULL;
	call->previous = client->last_ended;
	if (client->last_ended != NULL)
		client->last_ended->next = call;
	else
		client->first_ended = call;
	client->last_ended = call;
}

SchedHttpPhase
sched_http_call_phase(SchedHttpCall *call)
{
	curl_off_t	resolved = 0;
	curl_off_t	connected = 0;
	curl_off_t	secured = 0;
	curl_off_t	sent = 0;

	if (call->headers_done)
		return SCHED_HTTP_BODY;
	if (!call->connected)
	{
		curl_easy_getinfo(call->easy, CURLINFO_NAMELOOKUP_TIME_T, &resolved);
		curl_easy_getinfo(call->easy, CURLINFO_CONNECT_TIME_T, &connected);
		curl_easy_getinfo(call->easy, CURLINFO_APPCONNECT_TIME_T, &secured);
		if (resolved == 0)
			return SCHED_HTTP_RESOLVING;
		if (connected == 0)
			return SCHED_HTTP_CONNECTING;
		return call->https && secured == 0 ? SCHED_HTTP_TLS :
			SCHED_HTTP_SENDING;
	}
	if (call->body != NULL)
	{
		curl_easy_getinfo(call->easy, CURLINFO_SIZE_UPLOAD_T, &sent);
		if (sent < (curl_off_t) call->body_length)
			return SCHED_HTTP_SENDING;
	}
	return SCHED_HTTP_WAITING;
}

static SchedHttpFault
fault_of(const SchedHttpCall *call, CURLcode code)
{
	if (call->refused)
		return SCHED_HTTP_REFUSED;
	if (call->too_large)
		return SCHED_HTTP_TOO_LARGE;
	switch (code)
	{
		case CURLE_OK:
			return SCHED_HTTP_OK;
		case CURLE_WRITE_ERROR:
			return call->answer.truncated ? SCHED_HTTP_OK :
				SCHED_HTTP_INTERNAL;
		case CURLE_COULDNT_RESOLVE_HOST:
			return SCHED_HTTP_RESOLVE;
		case CURLE_COULDNT_CONNECT:
			return SCHED_HTTP_CONNECT;
		case CURLE_OPERATION_TIMEDOUT:
			return SCHED_HTTP_TIMEOUT;
		case CURLE_PEER_FAILED_VERIFICATION:
		case CURLE_SSL_ISSUER_ERROR:
		case CURLE_SSL_INVALIDCERTSTATUS:
			return SCHED_HTTP_CERTIFICATE;
		case CURLE_SSL_CONNECT_ERROR:
		case CURLE_SSL_CIPHER:
			return SCHED_HTTP_HANDSHAKE;
		case CURLE_OUT_OF_MEMORY:
			/* also said of a line of the headers beyond libcurl's own limit */
			return call->connected && !call->headers_done ?
				SCHED_HTTP_TOO_LARGE : SCHED_HTTP_INTERNAL;
		case CURLE_SSL_CACERT_BADFILE:
		case CURLE_FAILED_INIT:
			return SCHED_HTTP_INTERNAL;
		case CURLE_UNSUPPORTED_PROTOCOL:
			/* also said of an answer without a status line */
			return call->connected ? SCHED_HTTP_MALFORMED : SCHED_HTTP_BAD_URL;
		case CURLE_URL_MALFORMAT:
			return SCHED_HTTP_BAD_URL;
		case CURLE_WEIRD_SERVER_REPLY:
			return SCHED_HTTP_MALFORMED;
		default:
			return SCHED_HTTP_BROKEN;
	}
}

/* Go to where the answer points; false when it is the answer. */
static bool
follow_redirect(SchedHttpCall *call)
{
	SchedHttpAnswer *answer = &call->answer;
	int			status = answer->status;
	char	   *location = NULL;
	char	   *url;

	if (status != 301 && status != 302 && status != 303 && status != 307 &&
		status != 308)
		return false;
	curl_easy_getinfo(call->easy, CURLINFO_REDIRECT_URL, &location);
	if (location == NULL || call->redirects_left < 0)
		return false;
	if (call->redirects_left == 0)
	{
		if (answer->redirects == 0)
			return false;		/* none is to be followed */
		fail(call, SCHED_HTTP_REDIRECTS, NULL);
		return true;
	}
	url = strdup(location);
	if (url == NULL)
	{
		fail(call, SCHED_HTTP_INTERNAL, "out of memory");
		return true;
	}
	free(call->url);
	call->url = url;
	call->redirects_left--;
	answer->redirects++;
	if (sched_http_url_fault(url) != NULL)
	{
		fail(call, SCHED_HTTP_REDIRECT, sched_http_url_fault(url));
		return true;
	}
	if (strcmp(call->method, "HEAD") != 0 &&
		(status == 303 ||
		 ((status == 301 || status == 302) &&
		  strcmp(call->method, "POST") == 0)))
	{
		strcpy(call->method, "GET");	/* no other is shorter */
		free(call->body);
		call->body = NULL;
		call->body_length = 0;
	}
	start_hop(call);
	return true;
}

static void
collect(SchedHttpCall *call, CURLcode code)
{
	SchedHttpAnswer *answer = &call->answer;
	long		status = 0;
	long		version = 0;
	curl_off_t	time = 0;

	curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(call->easy, CURLINFO_HTTP_VERSION, &version);
	answer->status = (int) status;
	answer->http_version = version == CURL_HTTP_VERSION_1_0 ? 10 :
		version == CURL_HTTP_VERSION_1_1 ? 11 :
		version == CURL_HTTP_VERSION_2_0 ? 20 :
		version == CURL_HTTP_VERSION_3 ? 30 : 0;
	curl_easy_getinfo(call->easy, CURLINFO_NAMELOOKUP_TIME_T, &time);
	answer->resolved_at = time;
	curl_easy_getinfo(call->easy, CURLINFO_CONNECT_TIME_T, &time);
	answer->connected_at = time;
	curl_easy_getinfo(call->easy, CURLINFO_APPCONNECT_TIME_T, &time);
	answer->secured_at = time;
	curl_easy_getinfo(call->easy, CURLINFO_STARTTRANSFER_TIME_T, &time);
	answer->first_byte_at = time;
	curl_easy_getinfo(call->easy, CURLINFO_RETRY_AFTER, &time);
	answer->retry_after = time;
	answer->phase = sched_http_call_phase(call);
	answer->fault = fault_of(call, code);
	if (answer->fault == SCHED_HTTP_OK && follow_redirect(call))
		return;
	if (answer->fault == SCHED_HTTP_CONNECT)
	{
		long		number = 0;

		/* of the last address that was tried */
		curl_easy_getinfo(call->easy, CURLINFO_OS_ERRNO, &number);
		if (number != 0)
			snprintf(answer->message, sizeof(answer->message), "%s",
					 strerror((int) number));
	}
	if (answer->fault != SCHED_HTTP_OK && answer->message[0] == '\0')
		snprintf(answer->message, sizeof(answer->message), "%s",
				 call->curl_error[0] != '\0' ? call->curl_error :
				 curl_easy_strerror(code));
	end_call(call);
}

void
sched_http_client_pump(SchedHttpClient *client)
{
	int			running;
	int			left;
	CURLMsg    *message;

	enter(client);
#ifdef HAVE_SYS_EPOLL_H
	if (client->epoll >= 0)
	{
		struct epoll_event events[MAX_EVENTS];
		int			count = epoll_wait(client->epoll, events, MAX_EVENTS, 0);

		for (int i = 0; i < count; i++)
		{
			int			what = 0;

			if (events[i].events & EPOLLIN)
				what |= CURL_CSELECT_IN;
			if (events[i].events & EPOLLOUT)
				what |= CURL_CSELECT_OUT;
			if (events[i].events & (EPOLLERR | EPOLLHUP))
				what |= CURL_CSELECT_ERR | CURL_CSELECT_IN;
			curl_multi_socket_action(client->multi, events[i].data.fd, what,
									 &running);
		}
		if (client->timer_at != 0 && client->timer_at <= monotonic_now())
		{
			client->timer_at = 0;
			curl_multi_socket_action(client->multi, CURL_SOCKET_TIMEOUT, 0,
									 &running);
		}
	}
	else
#endif
		curl_multi_perform(client->multi, &running);

	while ((message = curl_multi_info_read(client->multi, &left)) != NULL)
	{
		SchedHttpCall *call = NULL;
		CURLcode	code = message->data.result;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &call);
		curl_multi_remove_handle(client->multi, message->easy_handle);
		call->active = false;
		collect(call, code);
	}
	leave(client);
}

SchedHttpCall *
sched_http_client_next_ended(SchedHttpClient *client)
{
	SchedHttpCall *call = client->first_ended;

	if (call == NULL)
		return NULL;
	client->first_ended = call->next;
	if (call->next != NULL)
		call->next->previous = NULL;
	else
		client->last_ended = NULL;
	call->next = NULL;
	call->ended = false;
	return call;
}

void	   *
sched_http_call_owner(const SchedHttpCall *call)
{
	return call->owner;
}

const SchedHttpAnswer *
sched_http_call_answer(const SchedHttpCall *call)
{
	return &call->answer;
}

void
sched_http_client_release(SchedHttpClient *client, SchedHttpCall *call)
{
	enter(client);
	if (call->active)
		curl_multi_remove_handle(client->multi, call->easy);
	if (call->ended)
	{
		if (call->previous != NULL)
			call->previous->next = call->next;
		else
			client->first_ended = call->next;
		if (call->next != NULL)
			call->next->previous = call->previous;
		else
			client->last_ended = call->previous;
	}
	clear_call(call);
	if (client->spare_count < MAX_SPARE)
	{
		call->client = client;
		call->next = client->spare;
		client->spare = call;
		client->spare_count++;
	}
	else
	{
		curl_easy_cleanup(call->easy);
		free(call);
	}
	leave(client);
}
