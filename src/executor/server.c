/*-------------------------------------------------------------------------
 *
 * server.c
 *	  The conversation with the database.
 *
 * Two connections: one claims tasks, and waits in the server until there are
 * some; the other one carries short requests.  While an answer is awaited
 * the running commands are attended to, so a slow or unreachable server
 * never keeps a task from being stopped in time.
 *
 * An answer that does not come within REQUEST_SECONDS counts as a broken
 * connection.  Both are then made anew, after a pause that grows with the
 * number of failures and differs from executor to executor.
 *
 *-------------------------------------------------------------------------
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "executor/server.h"
#include "executor/text.h"

#define CONNECT_SECONDS		15
#define REQUEST_SECONDS		20
#define ATTEND_MS			100
#define MAX_PAUSE_MS		15000

int64_t
monotonic_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Wait for the socket, a moment at a time; false at the deadline. */
static bool
wait_for_socket(Server *server, PGconn *conn, short events, int64_t deadline)
{
	for (;;)
	{
		struct pollfd fd = {PQsocket(conn), events, 0};
		int64_t		left = deadline - monotonic_ms();
		int			n;

		if (fd.fd < 0 || left <= 0)
			return false;
		n = poll(&fd, 1, left < ATTEND_MS ? (int) left : ATTEND_MS);
		server->attend(server->attend_arg);
		if (n > 0)
			return true;
	}
}

/* ---------- connections ---------- */

static PGconn *
open_connection(Server *server, const char *purpose)
{
	/* what comes before dbname gives way to the connection string */
	const char *names[] = {
		"target_session_attrs", "keepalives_idle", "keepalives_interval",
		"keepalives_count", "tcp_user_timeout", "fallback_application_name",
		"dbname", "client_encoding", NULL
	};
	char		application[128];
	const char *values[] = {
		"read-write", "15", "5", "3", "20000", application,
		server->options->conninfo[0] != '\0' ? server->options->conninfo : NULL,
		"UTF8", NULL
	};
	int64_t		deadline = monotonic_ms() + CONNECT_SECONDS * 1000;
	PostgresPollingStatusType status = PGRES_POLLING_WRITING;
	PGconn	   *conn;

	snprintf(application, sizeof(application), "sched-executor %.60s %s",
			 server->options->name, purpose);
	conn = PQconnectStartParams(names, values, 1);
	if (conn == NULL)
		return NULL;
	while (PQstatus(conn) != CONNECTION_BAD &&
		   status != PGRES_POLLING_OK && status != PGRES_POLLING_FAILED)
	{
		if (!wait_for_socket(server, conn,
							 status == PGRES_POLLING_READING ? POLLIN : POLLOUT,
							 deadline))
			break;
		status = PQconnectPoll(conn);
	}
	if (status == PGRES_POLLING_OK)
		return conn;
	say("no connection: %s", PQstatus(conn) == CONNECTION_BAD ?
		PQerrorMessage(conn) : "timeout");
	PQfinish(conn);
	return NULL;
}

static void
close_connection(PGconn **conn)
{
	if (*conn != NULL)
		PQfinish(*conn);
	*conn = NULL;
}

void
server_disconnect(Server *server)
{
	close_connection(&server->control);
	close_connection(&server->claims);
	server->claiming = false;
}

/* Both are lost together: after a fail-over one may still look well. */
static void
connection_broke(Server *server)
{
	int			pause = 250 << (server->failures < 6 ? server->failures : 6);

	server_disconnect(server);
	server->failures++;
	if (pause > MAX_PAUSE_MS)
		pause = MAX_PAUSE_MS;
	server->retry_at = monotonic_ms() + pause / 2 + random() % (pause / 2 + 1);
}

/* ---------- requests ---------- */

static void
note_refusal(Server *server, const PGresult *result)
{
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *message = PQresultErrorField(result,
											 PG_DIAG_MESSAGE_PRIMARY);
	const char *detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);

	snprintf(server->sqlstate, sizeof(server->sqlstate), "%s",
			 state != NULL ? state : "");
	snprintf(server->message, sizeof(server->message), "%s%s%s",
			 message != NULL ? message : "no answer",
			 detail != NULL ? ": " : "", detail != NULL ? detail : "");
}

/* Errors that another connection, or the same one later, does not meet. */
static bool
is_passing(const char *sqlstate)
{
	return sqlstate[0] == '\0' ||
		strncmp(sqlstate, "08", 2) == 0 || strncmp(sqlstate, "57P", 3) == 0 ||
		strncmp(sqlstate, "53", 2) == 0 || strncmp(sqlstate, "40", 2) == 0 ||
		strcmp(sqlstate, "25006") == 0 || strcmp(sqlstate, "57014") == 0 ||
		strcmp(sqlstate, "55P03") == 0;
}

/* The last result of what was sent; NULL when the connection is gone. */
static PGresult *
await_result(Server *server, PGconn *conn, int64_t deadline)
{
	PGresult   *last = NULL;

	for (;;)
	{
		PGresult   *result;

		while (PQflush(conn) == 1)
			if (!wait_for_socket(server, conn, POLLIN | POLLOUT, deadline) ||
				!PQconsumeInput(conn))
				goto broken;
		while (PQisBusy(conn))
			if (!wait_for_socket(server, conn, POLLIN, deadline) ||
				!PQconsumeInput(conn))
				goto broken;
		result = PQgetResult(conn);
		if (result == NULL)
			return last;
		if (last != NULL)
			PQclear(last);
		last = result;
	}

broken:
	if (last != NULL)
		PQclear(last);
	return NULL;
}

static bool
is_good(const PGresult *result)
{
	return PQresultStatus(result) == PGRES_TUPLES_OK ||
		PQresultStatus(result) == PGRES_COMMAND_OK;
}

static Reply
request_on(Server *server, PGconn *conn, const char *query, int count,
		   const char *const *values, PGresult **result)
{
	PGresult   *answer = NULL;
	Reply		reply;

	if (PQsendQueryParams(conn, query, count, NULL, values, NULL, NULL, 0))
		answer = await_result(server, conn,
							  monotonic_ms() + REQUEST_SECONDS * 1000);
	if (answer == NULL)
	{
		say("connection lost: %s", PQerrorMessage(conn));
		return REPLY_BROKEN;
	}
	if (is_good(answer))
	{
		if (result != NULL)
			*result = answer;
		else
			PQclear(answer);
		return REPLY_OK;
	}
	note_refusal(server, answer);
	reply = is_passing(server->sqlstate) ? REPLY_BROKEN : REPLY_REFUSED;
	PQclear(answer);
	if (reply == REPLY_BROKEN)
		say("server: %s", server->message);
	return reply;
}

Reply
server_request(Server *server, const char *query, int count,
			   const char *const *values, PGresult **result)
{
	Reply		reply;

	if (result != NULL)
		*result = NULL;
	if (server->control == NULL)
		return REPLY_BROKEN;
	reply = request_on(server, server->control, query, count, values, result);
	if (reply == REPLY_BROKEN)
		connection_broke(server);
	return reply;
}

/* ---------- getting ready ---------- */

/* Show the token, and learn how often to beat. */
static bool
introduce(Server *server, PGconn *conn)
{
	PGresult   *result;
	const char *values[1] = {server->token};

	if (server->token != NULL &&
		request_on(server, conn,
				   "SELECT pg_catalog.set_config('sched.executor_token', $1, false)",
				   1, values, NULL) != REPLY_OK)
		return false;
	if (request_on(server, conn,
				   "SELECT extract(epoch FROM current_setting('sched.executor_heartbeat_interval')::interval), "
				   "extract(epoch FROM current_setting('sched.executor_timeout')::interval)",
				   0, NULL, &result) != REPLY_OK)
		return false;
	server->beat_seconds = atof(PQgetvalue(result, 0, 0));
	server->lease_seconds = atof(PQgetvalue(result, 0, 1));
	PQclear(result);
	return true;
}

bool
server_connect(Server *server)
{
	if (server->control != NULL && server->claims != NULL)
		return true;
	if (monotonic_ms() < server->retry_at)
		return false;
	server_disconnect(server);
	server->control = open_connection(server, "control");
	if (server->control != NULL)
		server->claims = open_connection(server, "claims");
	if (server->claims == NULL || !introduce(server, server->control) ||
		!introduce(server, server->claims))
	{
		connection_broke(server);
		return false;
	}
	server->failures = 0;
	say_verbose("connected to %s, database %s", PQhost(server->control),
				PQdb(server->control));
	return true;
}

bool
server_register(Server *server)
{
	const Options *options = server->options;
	char		concurrency[16];
	char		host[256] = "";
	Text		info;
	const char *values[5];
	PGresult   *result;
	Reply		reply;

	gethostname(host, sizeof(host) - 1);
	snprintf(concurrency, sizeof(concurrency), "%d", options->concurrency);
	text_init(&info);
	text_append(&info, "{\"program\": \"sched-executor " SCHED_VERSION "\", \"host\": ");
	text_append_json(&info, host);
	text_append(&info, "}");
	text_make_valid(&info);
	values[0] = options->name;
	values[1] = options->types;
	values[2] = options->tags;
	values[3] = concurrency;
	values[4] = info.data;
	reply = server_request(server,
						   "SELECT token FROM sched.register_executor(name => $1, types => $2::text[], "
						   "tags => $3::text[], max_concurrent => $4::int, info => $5::jsonb)",
						   5, values, &result);
	text_free(&info);
	if (reply == REPLY_REFUSED && strcmp(server->sqlstate, "42710") == 0)
	{
		say_verbose("executor \"%s\" is registered already", options->name);
		return true;
	}
	if (reply != REPLY_OK)
	{
		if (reply == REPLY_REFUSED)
			say("could not register executor \"%s\": %s", options->name,
				server->message);
		return false;
	}
	if (!PQgetisnull(result, 0, 0))
	{
		/* whatever we had was another executor's */
		free(server->token);
		server->token = text_copy(PQgetvalue(result, 0, 0));
	}
	PQclear(result);
	say("registered executor \"%s\"", options->name);
	/* the connections have to know the token as well */
	return introduce(server, server->control) &&
		introduce(server, server->claims);
}

/* ---------- claims ---------- */

bool
server_claim(Server *server, int count, int wait_seconds)
{
	char		max_tasks[16];
	char		wait[32];
	const char *values[3] = {server->options->name, max_tasks, wait};

	snprintf(max_tasks, sizeof(max_tasks), "%d", count);
	snprintf(wait, sizeof(wait), "%d seconds", wait_seconds);
	if (!PQsendQueryParams(server->claims,
						   "SELECT task_id, attempt, job_name, type, command, parameters, scheduled_at, run_id "
						   "FROM sched.claim_tasks(executor => $1, max_tasks => $2::int, wait => $3::interval)",
						   3, NULL, values, NULL, NULL, 0))
	{
		connection_broke(server);
		return false;
	}
	server->claiming = true;
	return true;
}

bool
server_claimed(Server *server, PGresult **result)
{
	PGresult   *answer;

	*result = NULL;
	if (!server->claiming)
		return false;
	if (!PQconsumeInput(server->claims) || PQflush(server->claims) < 0)
	{
		say("connection lost: %s", PQerrorMessage(server->claims));
		connection_broke(server);
		return true;
	}
	if (PQisBusy(server->claims))
		return false;
	answer = await_result(server, server->claims,
						  monotonic_ms() + REQUEST_SECONDS * 1000);
	server->claiming = false;
	if (answer == NULL)
		connection_broke(server);
	else if (is_good(answer))
		*result = answer;
	else
	{
		note_refusal(server, answer);
		PQclear(answer);
		if (strcmp(server->sqlstate, "57014") == 0)
			return true;		/* cancelled, by ourselves */
		say("could not claim tasks: %s", server->message);
		if (strcmp(server->sqlstate, "42704") == 0)
			server->gone = true;
		else if (is_passing(server->sqlstate))
			connection_broke(server);
		else
			server->retry_at = monotonic_ms() + 5000;
	}
	return true;
}

void
server_cancel_claim(Server *server)
{
	PGcancel   *cancel;
	char		error[256];

	if (!server->claiming)
		return;
	cancel = PQgetCancel(server->claims);
	if (cancel == NULL || !PQcancel(cancel, error, sizeof(error)))
		say_verbose("the waiting claim could not be cancelled");
	PQfreeCancel(cancel);
}
