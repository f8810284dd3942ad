/*
 * sse_bridge - events of sched as server-sent events, for browsers
 *
 *	cc -O2 -Wall -o sse_bridge sse_bridge.c \
 *		-I$(pg_config --includedir) -L$(pg_config --libdir) -lpq
 *	./sse_bridge 'dbname=app user=dashboard' 8099 https://app.example.com
 *
 * One process, one connection to the database.  It LISTENs on sched_events, reads
 * each event that it is told of from sched.events, and writes it to all browsers:
 *
 *	GET /events						every event that the role of the connection sees
 *	GET /events?type=report.		those whose type begins so
 *
 * A browser that comes back says which event it has seen last (Last-Event-ID)
 * and gets those after it, so a lost connection loses nothing; likewise when the
 * connection to the database was lost.  Who reads too slowly is cut off, and
 * comes back.
 *
 * It listens on the loopback address only and knows nobody: a proxy in front of it
 * does TLS and says who may come.  The third argument is the origin of the pages
 * that may use it, if it is another one than its own.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <libpq-fe.h>

#define MAX_CLIENTS		1000
#define MAX_REQUEST		8192
#define REPLAY_LIMIT	"1000"	/* events that one who comes back gets */
#define BEAT_SECONDS	15		/* a comment, so that proxies keep the line */

typedef struct Client
{
	int			fd;
	bool		streaming;		/* the request has been answered */
	char		prefix[128];	/* of the types that it wants */
	int			length;
	char		request[MAX_REQUEST];
} Client;

static Client *clients[MAX_CLIENTS];
static int	client_count;
static const char *conninfo;
static const char *origin;
static PGconn *conn;
static char last_id[32];		/* of the newest event that was passed on */
static volatile sig_atomic_t stop;

static void
on_signal(int signum)
{
	(void) signum;
	stop = 1;
}

/* ---------- clients ---------- */

static void
drop_client(int i)
{
	close(clients[i]->fd);
	free(clients[i]);
	clients[i] = clients[--client_count];
}

/* False when it cannot take all of it now. */
static bool
say(Client *client, const char *text)
{
	ssize_t		length = (ssize_t) strlen(text);

	return send(client->fd, text, (size_t) length, MSG_NOSIGNAL) == length;
}

/* A row (event_id, type, json) as an event; the JSON has no line breaks. */
static bool
say_event(Client *client, const char *id, const char *type, const char *json)
{
	size_t		size = strlen(id) + strlen(type) + strlen(json) + 64;
	char	   *text;
	bool		said;

	if (strncmp(type, client->prefix, strlen(client->prefix)) != 0)
		return true;
	text = malloc(size);
	if (text == NULL)
		return false;
	snprintf(text, size, "id: %s\nevent: %s\ndata: %s\n\n", id, type, json);
	said = say(client, text);
	free(text);
	return said;
}

/* ---------- the database ---------- */

#define EVENT_QUERY "SELECT e.event_id, e.type, pg_catalog.to_jsonb(e)::text FROM sched.events AS e "

static PGresult *
query(const char *text, const char *id)
{
	PGresult   *result = PQexecParams(conn, text, 1, NULL, &id, NULL, NULL, 0);

	if (PQresultStatus(result) == PGRES_TUPLES_OK)
		return result;
	fprintf(stderr, "sse_bridge: %s", PQerrorMessage(conn));
	PQclear(result);
	return NULL;
}

/* Pass rows on to one client, or to all that are there (NULL). */
static bool
pass_on(PGresult *rows, Client *only)
{
	bool		took_all = true;

	for (int r = 0; rows != NULL && r < PQntuples(rows); r++)
	{
		char	   *id = PQgetvalue(rows, r, 0);
		char	   *type = PQgetvalue(rows, r, 1);
		char	   *json = PQgetvalue(rows, r, 2);

		if (only != NULL)
		{
			took_all = took_all && say_event(only, id, type, json);
			continue;
		}
		for (int i = client_count - 1; i >= 0; i--)
			if (clients[i]->streaming &&
				!say_event(clients[i], id, type, json))
				drop_client(i);
		if (strtoll(id, NULL, 10) > strtoll(last_id, NULL, 10))
			snprintf(last_id, sizeof(last_id), "%s", id);
	}
	PQclear(rows);
	return took_all;
}

/* Connect, listen, and pass on what was missed. */
static bool
connect_database(void)
{
	PGresult   *result;

	if (conn != NULL)
		PQfinish(conn);
	conn = PQconnectdb(conninfo);
	if (PQstatus(conn) != CONNECTION_OK)
	{
		fprintf(stderr, "sse_bridge: %s", PQerrorMessage(conn));
		return false;
	}
	PQclear(PQexec(conn, "SET application_name = 'sse_bridge'"));
	result = PQexec(conn, "LISTEN sched_events");
	if (PQresultStatus(result) != PGRES_COMMAND_OK)
		fprintf(stderr, "sse_bridge: %s", PQerrorMessage(conn));
	PQclear(result);
	if (last_id[0] == '\0')
	{
		result = PQexec(conn, "SELECT pg_catalog.max(e.event_id) FROM sched.events AS e");
		snprintf(last_id, sizeof(last_id), "%s",
				 PQresultStatus(result) == PGRES_TUPLES_OK && !PQgetisnull(result, 0, 0) ?
				 PQgetvalue(result, 0, 0) : "0");
		PQclear(result);
	}
	else
		pass_on(query(EVENT_QUERY "WHERE e.event_id > $1::bigint ORDER BY e.event_id LIMIT " REPLAY_LIMIT,
					  last_id), NULL);
	return PQstatus(conn) == CONNECTION_OK;
}

/* The payload is {"event_id": 12, ...}. */
static void
read_notifications(void)
{
	PGnotify   *notify;

	PQconsumeInput(conn);
	while ((notify = PQnotifies(conn)) != NULL)
	{
		const char *found = strstr(notify->extra, "\"event_id\":");
		char		id[32];

		if (found != NULL)
		{
			snprintf(id, sizeof(id), "%lld",
					 strtoll(found + strlen("\"event_id\":"), NULL, 10));
			pass_on(query(EVENT_QUERY "WHERE e.event_id = $1::bigint", id), NULL);
		}
		PQfreemem(notify);
		PQconsumeInput(conn);
	}
}

/* ---------- requests ---------- */

/* The value of a header, in a buffer of the caller's; empty: it is not there. */
static void
header(const char *request, const char *name, char *value, size_t size)
{
	size_t		length = strlen(name);

	value[0] = '\0';
	for (const char *line = strstr(request, "\r\n"); line != NULL;
		 line = strstr(line + 2, "\r\n"))
		if (strncasecmp(line + 2, name, length) == 0 && line[2 + length] == ':')
		{
			const char *start = line + 3 + length;

			start += strspn(start, " ");
			snprintf(value, size, "%.*s", (int) strcspn(start, "\r\n"), start);
			return;
		}
}

/* Answers; false when the client is to be dropped. */
static bool
answer(Client *client)
{
	char		head[512];
	char		since[32];
	char		allow[256] = "";
	const char *path = client->request + strlen("GET ");
	const char *prefix;

	if (strncmp(client->request, "GET /events", 11) != 0 ||
		strchr("? ", client->request[11]) == NULL)
	{
		(void) say(client, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
		return false;
	}
	prefix = strstr(path, "?type=");
	if (prefix != NULL && prefix < strstr(path, " HTTP"))
		snprintf(client->prefix, sizeof(client->prefix), "%.*s",
				 (int) strspn(prefix + 6, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"),
				 prefix + 6);
	if (origin != NULL)
		snprintf(allow, sizeof(allow), "Access-Control-Allow-Origin: %s\r\nVary: Origin\r\n", origin);
	snprintf(head, sizeof(head),
			 "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
			 "Cache-Control: no-cache\r\nX-Accel-Buffering: no\r\n%sConnection: close\r\n\r\n"
			 "retry: 2000\n\n", allow);
	if (!say(client, head))
		return false;
	client->streaming = true;
	header(client->request, "Last-Event-ID", since, sizeof(since));
	if (since[0] == '\0' || strspn(since, "0123456789") != strlen(since))
		return true;
	return pass_on(query(EVENT_QUERY "WHERE e.event_id > $1::bigint ORDER BY e.event_id LIMIT " REPLAY_LIMIT,
						 since), client);
}

/* False when the client has gone, or asks for something else. */
static bool
read_client(Client *client)
{
	ssize_t		got = recv(client->fd, client->request + client->length,
						   (size_t) (MAX_REQUEST - 1 - client->length), 0);

	if (got <= 0)
		return got < 0 && (errno == EAGAIN || errno == EINTR);
	if (client->streaming)
		return true;			/* whatever it says now is of no interest */
	client->length += (int) got;
	client->request[client->length] = '\0';
	if (strstr(client->request, "\r\n\r\n") != NULL)
		return answer(client);
	return client->length < MAX_REQUEST - 1;
}

static void
accept_client(int server)
{
	int			fd = accept(server, NULL, NULL);
	Client	   *client;

	if (fd < 0)
		return;
	client = client_count < MAX_CLIENTS ? calloc(1, sizeof(Client)) : NULL;
	if (client == NULL || fcntl(fd, F_SETFL, O_NONBLOCK) != 0)
	{
		free(client);
		close(fd);
		return;
	}
	client->fd = fd;
	clients[client_count++] = client;
}

static int
listen_on(int port)
{
	struct sockaddr_in address = {0};
	int			fd = socket(AF_INET, SOCK_STREAM, 0);
	int			on = 1;

	address.sin_family = AF_INET;
	address.sin_port = htons((uint16_t) port);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
		bind(fd, (struct sockaddr *) &address, sizeof(address)) != 0 ||
		listen(fd, 64) != 0)
	{
		perror("sse_bridge");
		exit(1);
	}
	return fd;
}

int
main(int argc, char **argv)
{
	static struct pollfd fds[MAX_CLIENTS + 2];
	struct sigaction action = {.sa_handler = on_signal};
	time_t		next_beat = time(NULL) + BEAT_SECONDS;
	int			server;

	if (argc < 3)
	{
		fprintf(stderr, "usage: sse_bridge CONNINFO PORT [ORIGIN]\n");
		return 2;
	}
	conninfo = argv[1];
	origin = argc > 3 ? argv[3] : NULL;
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	server = listen_on(atoi(argv[2]));

	while (!stop)
	{
		int			polled;

		if ((conn == NULL || PQstatus(conn) != CONNECTION_OK) && !connect_database())
		{
			sleep(1);
			continue;
		}
		polled = client_count;
		fds[0] = (struct pollfd) {.fd = server, .events = POLLIN};
		fds[1] = (struct pollfd) {.fd = PQsocket(conn), .events = POLLIN};
		for (int i = 0; i < polled; i++)
			fds[i + 2] = (struct pollfd) {.fd = clients[i]->fd, .events = POLLIN};
		if (poll(fds, (nfds_t) polled + 2, 1000) < 0 && errno != EINTR)
			break;

		/* from the end: who goes is replaced by the last one */
		for (int i = polled - 1; i >= 0; i--)
			if (fds[i + 2].revents != 0 && !read_client(clients[i]))
				drop_client(i);
		if (fds[0].revents != 0)
			accept_client(server);
		read_notifications();
		if (time(NULL) >= next_beat)
		{
			for (int i = client_count - 1; i >= 0; i--)
				if (clients[i]->streaming && !say(clients[i], ":\n\n"))
					drop_client(i);
			next_beat = time(NULL) + BEAT_SECONDS;
		}
	}
	PQfinish(conn);
	return 0;
}
