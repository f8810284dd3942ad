/*-------------------------------------------------------------------------
 *
 * http_callbacks.c
 *	  What libcurl calls back while it works for the HTTP client.
 *
 * Everything here runs inside of libcurl, so it must neither raise an error nor
 * allocate from a memory context: answers go into malloc'd buffers of bounded
 * size, and what is wrong is a return code and a flag in the call.
 *
 * The egress rules are applied here, to the address of a socket right before
 * it is connected, and once more before each request on a kept connection.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <netinet/in.h>
#include <sys/socket.h>
#ifdef HAVE_SYS_EPOLL_H
#include <sys/epoll.h>
#endif

#include "infrastructure/http/http_client_int.h"

/* ---------- its sockets and its clock ---------- */

int
sched_http_socket_changed(CURL *easy, curl_socket_t socket, int what, void *arg,
						  void *known)
{
#ifdef HAVE_SYS_EPOLL_H
	SchedHttpClient *client = arg;
	struct epoll_event event = {0};

	if (client->epoll < 0)
		return 0;
	if (what == CURL_POLL_REMOVE)
	{
		/* it may have been closed already, which has removed it */
		(void) epoll_ctl(client->epoll, EPOLL_CTL_DEL, socket, &event);
		return 0;
	}
	event.data.fd = socket;
	if (what & CURL_POLL_IN)
		event.events |= EPOLLIN;
	if (what & CURL_POLL_OUT)
		event.events |= EPOLLOUT;
	if (epoll_ctl(client->epoll, EPOLL_CTL_MOD, socket, &event) != 0 &&
		epoll_ctl(client->epoll, EPOLL_CTL_ADD, socket, &event) != 0)
		return -1;
#endif
	return 0;
}

int
sched_http_timer_changed(CURLM *multi, long timeout_ms, void *arg)
{
	SchedHttpClient *client = arg;

	client->timer_at = timeout_ms < 0 ? 0 :
		monotonic_now() + (int64) timeout_ms * 1000;
	return 0;
}

/* ---------- where a request goes ---------- */

static bool
may_reach(SchedHttpCall *call, const SchedAddress *address, const char *text)
{
	if (call->client->egress != NULL &&
		sched_egress_allows(call->client->egress, call->host, call->port,
							address))
		return true;
	call->refused = true;
	snprintf(call->answer.message, sizeof(call->answer.message),
			 "the address %s is %s", text,
			 sched_address_kind(address) == SCHED_ADDRESS_PUBLIC ? "not listed" :
			 sched_address_kind_name(sched_address_kind(address)));
	return false;
}

curl_socket_t
sched_http_open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *target)
{
	SchedHttpCall *call = arg;
	SchedAddress address = {0};
	char text[	64];

	if (purpose != CURLSOCKTYPE_IPCXN)
		return CURL_SOCKET_BAD;
	if (target->family == AF_INET)
	{
		memcpy(address.bytes,
			   &((struct sockaddr_in *) &target->addr)->sin_addr, 4);
		snprintf(text, sizeof(text), "%d.%d.%d.%d", address.bytes[0],
				 address.bytes[1], address.bytes[2], address.bytes[3]);
	}
	else if (target->family == AF_INET6)
	{
		const uint8 *b = address.bytes;

		address.v6 = true;
		memcpy(address.bytes,
			   &((struct sockaddr_in6 *) &target->addr)->sin6_addr, 16);
		snprintf(text, sizeof(text), "%x:%x:%x:%x:%x:%x:%x:%x",
				 b[0] << 8 | b[1], b[2] << 8 | b[3], b[4] << 8 | b[5],
				 b[6] << 8 | b[7], b[8] << 8 | b[9], b[10] << 8 | b[11],
				 b[12] << 8 | b[13], b[14] << 8 | b[15]);
	}
	else
		return CURL_SOCKET_BAD;
	if (!may_reach(call, &address, text))
		return CURL_SOCKET_BAD;
	call->refused = false;		/* another address of the same name was */
	return socket(target->family, target->socktype | SOCK_CLOEXEC,
				  target->protocol);
}

/* There is a connection, perhaps one that was made under earlier rules. */
int
sched_http_before_request(void *arg, char *remote, char *local, int remote_port,
						  int local_port)
{
	SchedHttpCall *call = arg;
	SchedAddress address;

	call->connected = true;
	if (remote == NULL || !sched_address_parse(remote, &address) ||
		!may_reach(call, &address, remote))
	{
		call->refused = true;
		return CURL_PREREQFUNC_ABORT;
	}
	return CURL_PREREQFUNC_OK;
}

/* ---------- the answer ---------- */

static bool
append(char **buffer, Size *length, Size *capacity, const char *data,
	   Size size)
{
	if (*length + size + 1 > *capacity)
	{
		Size		larger = Max(*capacity * 2, *length + size + 1);
		char	   *moved;

		larger = Max(larger, 512);
		moved = realloc(*buffer, larger);
		if (moved == NULL)
			return false;
		*buffer = moved;
		*capacity = larger;
	}
	memcpy(*buffer + *length, data, size);
	*length += size;
	(*buffer)[*length] = '\0';
	return true;
}

size_t
sched_http_take_header(char *data, size_t size, size_t count, void *arg)
{
	SchedHttpCall *call = arg;
	SchedHttpAnswer *answer = &call->answer;
	Size		length = size * count;
	Size		used = length;

	while (used > 0 && (data[used - 1] == '\n' || data[used - 1] == '\r'))
		used--;
	if (length > 5 && memcmp(data, "HTTP/", 5) == 0)
	{
		/* the head of another answer follows a 100 Continue */
		answer->headers_length = 0;
		call->headers_done = false;
		return length;
	}
	if (used == 0)
	{
		call->headers_done = true;
		return length;
	}
	if (answer->headers_length + used + 1 > SCHED_HTTP_MAX_HEADER_BYTES)
	{
		call->too_large = true;
		return 0;
	}
	if (!append(&answer->headers, &answer->headers_length,
				&call->headers_capacity, data, used) ||
		!append(&answer->headers, &answer->headers_length,
				&call->headers_capacity, "\n", 1))
		return 0;
	return length;
}

/* What is beyond the limit is not read: the rest of the transfer is given up. */
size_t
sched_http_take_body(char *data, size_t size, size_t count, void *arg)
{
	SchedHttpCall *call = arg;
	SchedHttpAnswer *answer = &call->answer;
	Size		length = size * count;
	Size		room = call->max_body - answer->body_length;
	Size		taken = Min(length, room);

	if (taken > 0 &&
		!append(&answer->body, &answer->body_length, &call->body_capacity,
				data, taken))
		return 0;
	if (taken < length)
		answer->truncated = true;
	return taken;
}
