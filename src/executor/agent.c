/*-------------------------------------------------------------------------
 *
 * agent.c
 *	  Taking tasks, running them, and telling how they went.
 *
 * One loop, one thread.  Each running task has a slot; a free slot is a task
 * that may be claimed.  A task is started in the server before its command
 * runs, and its command's end is reported until the server has taken
 * note or has refused: a report that is refused concerns an attempt that the
 * server has given up, and is dropped.
 *
 * A lease lives as long as heartbeats arrive.  An executor that could not beat for
 * the time after which the server takes it for lost stops its tasks by
 * itself, since somebody else may be running them by then.
 *
 * Between answers of the server and while one is awaited, attend() looks
 * after the commands: their pipes and ends.  How long a task may take is for the
 * server to say: a heartbeat brings word of attempts that are over.
 *
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "executor/agent.h"
#include "executor/child.h"
#include "executor/server.h"
#include "executor/text.h"

#define BUSY_BEAT_MS	5000	/* between heartbeats while tasks run */
#define CANCEL_MS		1000	/* before a claim is cancelled again */
#define LOG_MS			1000	/* how often lines go to the server */
#define MAX_SLEEP_MS	1000

typedef enum StopReason
{
	STOP_NONE,
	STOP_CANCELLED,				/* the server asked for it */
	STOP_LOST,					/* the lease is not ours any more */
	STOP_LEAVING
} StopReason;

typedef struct Slot
{
	bool		used;
	bool		over;			/* ended, to be reported */
	char	   *task_id;
	char	   *attempt;
	char	   *job;
	Child		child;
	StopReason	stop;
	int64_t		kill_at;		/* 0: not told to stop; milliseconds */
	int64_t		next_log;
	char		start_error[256];	/* its command could not be run */
} Slot;

typedef struct Agent
{
	const Options *options;
	Server		server;
	Slot	   *slots;
	int			used;
	int64_t		next_beat;
	int64_t		next_cancel;	/* of a claim that waits */
	int64_t		last_beat;		/* when the server last heard of us */
	bool		draining;		/* the server says so */
	bool		leaving;		/* we have been told to stop */
	bool		hurried;		/* told twice */
	int64_t		leave_by;		/* 0: when the tasks have ended */
	bool		idle;			/* the last claim brought nothing */
	bool		registered;
} Agent;

static volatile sig_atomic_t stop_signals = 0;
static int	wake_pipe[2] = {-1, -1};

static void
on_stop(int signal)
{
	int			saved = errno;

	(void) signal;
	stop_signals++;
	if (write(wake_pipe[1], "s", 1) < 0)
		stop_signals += 0;		/* full: somebody will look anyway */
	errno = saved;
}

static void
on_child(int signal)
{
	int			saved = errno;

	(void) signal;
	if (write(wake_pipe[1], "c", 1) < 0)
		stop_signals += 0;
	errno = saved;
}

/* ---------- commands ---------- */

static void
stop_slot(Agent *agent, Slot *slot, StopReason reason)
{
	if (slot->stop == STOP_NONE || reason == STOP_LOST)
		slot->stop = reason;
	if (slot->kill_at != 0 || slot->child.pid == 0)
		return;
	child_signal(&slot->child, SIGTERM);
	slot->kill_at = monotonic_ms() + agent->options->grace_seconds * 1000;
}

/* Look after the commands.  Never talks to the server. */
static void
attend(void *arg)
{
	Agent	   *agent = arg;
	int64_t		now = monotonic_ms();
	char		buffer[256];

	while (read(wake_pipe[0], buffer, sizeof(buffer)) > 0)
		;
	for (int i = 0; i < agent->options->concurrency; i++)
	{
		Slot	   *slot = &agent->slots[i];

		if (!slot->used || slot->over)
			continue;
		child_attend(&slot->child);
		if (child_is_over(&slot->child))
		{
			slot->over = true;
			continue;
		}
		if (slot->kill_at != 0 && now >= slot->kill_at)
		{
			child_signal(&slot->child, SIGKILL);
			slot->kill_at = now + 1000;
		}
		if (agent->last_beat != 0 && slot->stop != STOP_LOST &&
			now - agent->last_beat > agent->server.lease_seconds * 1000)
		{
			say("task %s: no contact with the server for %.0f s, its lease is lost",
				slot->task_id, agent->server.lease_seconds);
			stop_slot(agent, slot, STOP_LOST);
		}
	}
}

static void
free_slot(Agent *agent, Slot *slot)
{
	child_finish(&slot->child);
	free(slot->task_id);
	free(slot->attempt);
	free(slot->job);
	memset(slot, 0, sizeof(Slot));
	agent->used--;
}

/* NAME=VALUE, the value cut at a zero byte by nature. */
static char *
setting(const char *name, const char *value)
{
	Text		text;

	text_init(&text);
	text_append(&text, name);
	text_append(&text, "=");
	text_append(&text, value);
	return text.data;
}

static void
run_command(Agent *agent, Slot *slot, const PGresult *tasks, int row)
{
	static const char *const names[] = {
		"SCHED_TASK_ID", "SCHED_ATTEMPT", "SCHED_JOB_NAME", "SCHED_TYPE",
		"SCHED_COMMAND", NULL, "SCHED_SCHEDULED_AT", "SCHED_RUN_ID"
	};
	const char *type = PQgetvalue(tasks, row, 3);
	const char *command = options_handler(agent->options, type);
	char	   *environment[12];
	char		key[128];
	int			n = 0;

	for (int i = 0; i < 8; i++)
		if (names[i] != NULL)
			environment[n++] = setting(names[i], PQgetvalue(tasks, row, i));
	snprintf(key, sizeof(key), "%s-%s-%s", PQgetvalue(tasks, row, 7),
			 slot->task_id, slot->attempt);
	environment[n++] = setting("SCHED_IDEMPOTENCY_KEY", key);
	environment[n++] = setting("SCHED_EXECUTOR", agent->options->name);
	environment[n] = NULL;

	if (command == NULL)
		command = PQgetvalue(tasks, row, 4);
	if (command[0] == '\0')
		snprintf(slot->start_error, sizeof(slot->start_error),
				 "the task has no command");
	else if (!child_start(&slot->child, command, PQgetvalue(tasks, row, 5),
						  environment, agent->options->max_output))
		snprintf(slot->start_error, sizeof(slot->start_error),
				 "could not start the command: %s", strerror(errno));
	slot->over = slot->child.pid == 0;
	for (int i = 0; i < n; i++)
		free(environment[i]);
}

/* ---------- talking about a task ---------- */

static Reply
start_in_server(Agent *agent, Slot *slot)
{
	const char *values[2] = {slot->task_id, slot->attempt};

	return server_request(&agent->server,
						  "SELECT sched.start_task(task_id => $1::bigint, attempt => $2::int)",
						  2, values, NULL);
}

/* The lines that have come in so far go into the task's log. */
static Reply
send_log(Agent *agent, Slot *slot)
{
	const char *values[3] = {slot->task_id, slot->attempt, NULL};
	Text		lines;
	Reply		reply;

	if (slot->child.pid == 0 || slot->child.log.length == 0)
		return REPLY_OK;
	/* more of them may come in while the server is at these */
	lines = slot->child.log;
	text_init(&slot->child.log);
	values[2] = lines.data;
	reply = server_request(&agent->server,
						   "SELECT CASE WHEN l.line ~ '^PROGRESS:? *[0-9]+([.][0-9]+)?%?( |$)' "
						   "THEN sched.report_progress(task_id => $1::bigint, attempt => $2::int, "
						   "percent => least(substring(l.line from '[0-9]+[.]?[0-9]*')::numeric, 100), "
						   "message => nullif(regexp_replace(l.line, '^PROGRESS:? *[0-9.]+%? ?', ''), '')) "
						   "ELSE sched.log_task(task_id => $1::bigint, attempt => $2::int, "
						   "level => lower(coalesce(substring(l.line from '^(DEBUG|INFO|WARNING|ERROR):'), 'info')), "
						   "message => regexp_replace(l.line, '^(DEBUG|INFO|WARNING|ERROR): *', '')) END "
						   "FROM unnest(string_to_array(rtrim($3, E'\\n'), E'\\n')) WITH ORDINALITY AS l (line, n) "
						   "ORDER BY l.n",
						   3, values, NULL);
	if (reply == REPLY_BROKEN)
	{
		text_append_bytes(&lines, slot->child.log.data, slot->child.log.length);
		text_free(&slot->child.log);
		slot->child.log = lines;
	}
	else
		text_free(&lines);
	return reply;
}

static Reply
send_dropped_log(Agent *agent, Slot *slot)
{
	char		note[128];
	Text	   *log = &slot->child.log;

	if (slot->child.pid == 0 || slot->child.dropped == 0)
		return REPLY_OK;
	snprintf(note, sizeof(note),
			 "WARNING: %ld lines of the log were too many; the last of them follow\n",
			 slot->child.dropped);
	text_append(log, note);
	text_append_bytes(log, slot->child.tail.data, slot->child.tail.length);
	slot->child.dropped = 0;
	return send_log(agent, slot);
}

/* What became of the command: empty for success. */
static void
describe_failure(const Slot *slot, char *error, size_t size)
{
	int			status = slot->child.status;

	error[0] = '\0';
	if (slot->start_error[0] != '\0')
		snprintf(error, size, "%s", slot->start_error);
	else if (slot->stop == STOP_LEAVING)
		snprintf(error, size, "the executor is shutting down");
	else if (WIFSIGNALED(status))
		snprintf(error, size, "the command was ended by signal %d",
				 WTERMSIG(status));
	else if (WEXITSTATUS(status) != 0)
		snprintf(error, size, "the command ended with exit code %d",
				 WEXITSTATUS(status));
}

/* The last thing it said on stderr often tells more than its exit code. */
static char *
with_last_words(const Slot *slot, const char *error)
{
	Text		text;

	text_init(&text);
	text_append(&text, error);
	if (slot->child.pid != 0 && slot->child.last_words[0] != '\0')
	{
		text_append(&text, ": ");
		text_append(&text, slot->child.last_words);
	}
	text_make_valid(&text);
	return text.data;
}

/*
 * Might this be JSON?  Only the server knows; but what certainly is none is not
 * sent as such, since every refusal is an error in the server's log.
 */
static bool
looks_like_json(const char *text)
{
	static const char *const space = " \t\r\n";
	const char *end = text + strlen(text);
	size_t		length;

	text += strspn(text, space);
	while (end > text && strchr(space, end[-1]) != NULL)
		end--;
	length = end - text;
	if (length == 0)
		return false;
	switch (text[0])
	{
		case '{':
			return end[-1] == '}';
		case '[':
			return end[-1] == ']';
		case '"':
			return length > 1 && end[-1] == '"';
		case 't':
			return length == 4 && memcmp(text, "true", length) == 0;
		case 'f':
			return length == 5 && memcmp(text, "false", length) == 0;
		case 'n':
			return length == 4 && memcmp(text, "null", length) == 0;
		default:
			return strspn(text, "0123456789+-.eE") == length;
	}
}

static Reply
report_success(Agent *agent, Slot *slot)
{
	const char *values[3] = {slot->task_id, slot->attempt, NULL};
	Text		result;
	Reply		reply = REPLY_REFUSED;

	text_make_valid(&slot->child.output);
	if (!slot->child.output_cut && looks_like_json(slot->child.output.data))
	{
		/* JSON is the result as it stands; the server refuses what is none */
		values[2] = slot->child.output.data;
		reply = server_request(&agent->server,
							   "SELECT sched.complete_task(task_id => $1::bigint, attempt => $2::int, result => $3::jsonb)",
							   3, values, NULL);
		if (reply != REPLY_REFUSED ||
			strncmp(agent->server.sqlstate, "22", 2) != 0)
			return reply;
	}
	text_init(&result);
	text_append(&result, "{\"exit_code\": 0, \"stdout\": ");
	text_append_json(&result, slot->child.output.data);
	text_append(&result, slot->child.output_cut ? ", \"truncated\": true}" : "}");
	values[2] = result.data;
	reply = server_request(&agent->server,
						   "SELECT sched.complete_task(task_id => $1::bigint, attempt => $2::int, result => $3::jsonb)",
						   3, values, NULL);
	text_free(&result);
	return reply;
}

static Reply
report_failure(Agent *agent, Slot *slot, const char *error)
{
	bool		fatal = slot->child.pid != 0 && slot->stop == STOP_NONE &&
		WIFEXITED(slot->child.status) &&
		options_is_fatal(agent->options, WEXITSTATUS(slot->child.status));
	const char *values[4] = {slot->task_id, slot->attempt, error,
	fatal ? "false" : "true"};

	return server_request(&agent->server,
						  "SELECT sched.fail_task(task_id => $1::bigint, attempt => $2::int, "
						  "error => $3, retryable => $4::boolean)",
						  4, values, NULL);
}

/* Tell the server of the end; the slot is free once it has been told. */
static void
report(Agent *agent, Slot *slot)
{
	char		short_error[512];
	char	   *error;
	Reply		reply;

	if (slot->stop == STOP_LOST)
	{
		free_slot(agent, slot);
		return;
	}
	describe_failure(slot, short_error, sizeof(short_error));
	error = short_error[0] == '\0' ? NULL : with_last_words(slot, short_error);
	reply = send_log(agent, slot);
	if (reply != REPLY_BROKEN)
		reply = send_dropped_log(agent, slot);
	if (reply != REPLY_BROKEN)
		reply = error == NULL ? report_success(agent, slot) :
			report_failure(agent, slot, error);
	if (reply == REPLY_REFUSED)
		say("task %s attempt %s: %s", slot->task_id, slot->attempt,
			agent->server.message);
	else if (reply == REPLY_OK)
		say_verbose("task %s attempt %s of job \"%s\": %s", slot->task_id,
					slot->attempt, slot->job, error != NULL ? error : "completed");
	free(error);
	if (reply != REPLY_BROKEN)
		free_slot(agent, slot);
}

/* ---------- heartbeats ---------- */

/* Stop the tasks of a list of ids, or of id:attempt, separated by spaces. */
static void
stop_listed(Agent *agent, const char *ids, StopReason reason)
{
	char	   *copy = text_copy(ids);
	char	   *rest = NULL;

	for (char *id = strtok_r(copy, " ", &rest); id != NULL;
		 id = strtok_r(NULL, " ", &rest))
	{
		char	   *attempt = strchr(id, ':');

		if (attempt != NULL)
			*attempt++ = '\0';
		for (int i = 0; i < agent->options->concurrency; i++)
		{
			Slot	   *slot = &agent->slots[i];

			/* a later attempt at the same task may be ours as well */
			if (slot->used && strcmp(slot->task_id, id) == 0 &&
				(attempt == NULL || strcmp(slot->attempt, attempt) == 0) &&
				slot->stop != reason)
			{
				say("task %s: %s", id, reason == STOP_LOST ?
					"the server has given its attempt up" : "to be cancelled");
				stop_slot(agent, slot, reason);
			}
		}
	}
	free(copy);
}

static void
beat(Agent *agent)
{
	char		load[64];
	const char *values[2] = {agent->options->name, load};
	int64_t		began = monotonic_ms();
	PGresult   *result;
	Reply		reply;

	snprintf(load, sizeof(load), "{\"running\": %d, \"slots\": %d}",
			 agent->used, agent->options->concurrency);
	reply = server_request(&agent->server,
						   "SELECT coalesce((h.answer ->> 'drain')::boolean, false), "
						   "coalesce((SELECT string_agg(c.id, ' ') FROM jsonb_array_elements_text(h.answer -> 'cancel') AS c (id)), ''), "
						   "coalesce((SELECT string_agg(l.id || ':' || l.attempt, ' ') FROM ROWS FROM "
						   "(jsonb_array_elements_text(h.answer -> 'lost'), jsonb_array_elements_text(h.answer -> 'lost_attempts')) AS l (id, attempt)), '') "
						   "FROM sched.heartbeat(executor => $1, load => $2::jsonb) AS h (answer)",
						   2, values, &result);
	if (reply == REPLY_OK)
	{
		agent->last_beat = began;
		if (agent->draining != (PQgetvalue(result, 0, 0)[0] == 't'))
		{
			agent->draining = !agent->draining;
			say(agent->draining ? "the server asks to take no more tasks" :
				"taking tasks again");
		}
		stop_listed(agent, PQgetvalue(result, 0, 1), STOP_CANCELLED);
		stop_listed(agent, PQgetvalue(result, 0, 2), STOP_LOST);
		PQclear(result);
	}
	else if (reply == REPLY_REFUSED)
	{
		say("heartbeat: %s", agent->server.message);
		if (strcmp(agent->server.sqlstate, "42704") == 0 ||
			strcmp(agent->server.sqlstate, "42501") == 0)
			agent->server.gone = true;
	}
	agent->next_beat = monotonic_ms() +
		(agent->used > 0 && agent->server.beat_seconds * 1000 > BUSY_BEAT_MS ?
		 BUSY_BEAT_MS : (int64_t) (agent->server.beat_seconds * 1000));
}

/* ---------- claims ---------- */

/* Start a claimed task here and in the server. */
static void
take(Agent *agent, const PGresult *tasks, int row)
{
	Slot	   *slot = NULL;
	Reply		reply;

	for (int i = 0; i < agent->options->concurrency && slot == NULL; i++)
		if (!agent->slots[i].used)
			slot = &agent->slots[i];
	if (slot == NULL)
		return;					/* the server takes back what is not started */
	slot->used = true;
	slot->task_id = text_copy(PQgetvalue(tasks, row, 0));
	slot->attempt = text_copy(PQgetvalue(tasks, row, 1));
	slot->job = text_copy(PQgetvalue(tasks, row, 2));
	agent->used++;

	reply = start_in_server(agent, slot);
	if (reply != REPLY_OK)
	{
		if (reply == REPLY_REFUSED)
			say("task %s attempt %s: %s", slot->task_id, slot->attempt,
				agent->server.message);
		free_slot(agent, slot);
		return;
	}
	say_verbose("task %s attempt %s of job \"%s\" starts", slot->task_id,
				slot->attempt, slot->job);
	run_command(agent, slot, tasks, row);
}

static void
take_claimed(Agent *agent)
{
	PGresult   *tasks;

	if (!server_claimed(&agent->server, &tasks))
		return;
	agent->idle = tasks != NULL && PQntuples(tasks) == 0;
	if (tasks == NULL)
		return;
	for (int row = 0; row < PQntuples(tasks); row++)
		take(agent, tasks, row);
	PQclear(tasks);
	if (agent->next_beat > monotonic_ms() + BUSY_BEAT_MS)
		agent->next_beat = monotonic_ms() + BUSY_BEAT_MS;
}

/* ---------- the loop ---------- */

static void
sleep_until_something_happens(Agent *agent)
{
	int			size = 2 + 3 * agent->options->concurrency;
	struct pollfd *fds = must_allocate(NULL, size * sizeof(struct pollfd));
	int			n = 0;
	int64_t		now = monotonic_ms();
	int64_t		until = now + MAX_SLEEP_MS;

	fds[n++] = (struct pollfd) {wake_pipe[0], POLLIN, 0};
	if (agent->server.claiming)
		fds[n++] = (struct pollfd) {PQsocket(agent->server.claims), POLLIN, 0};
	for (int i = 0; i < agent->options->concurrency; i++)
	{
		Slot	   *slot = &agent->slots[i];

		if (!slot->used || slot->over)
			continue;
		n += child_poll_set(&slot->child, &fds[n]);
		if (slot->kill_at != 0 && slot->kill_at < until)
			until = slot->kill_at;
		/* both its pipes are closed: only its end is missing */
		if (slot->child.ended)
			until = now;
	}
	if (agent->next_beat < until)
		until = agent->next_beat;
	if (until > now)
		(void) poll(fds, n, (int) (until - now));
	free(fds);
}

static void
note_signals(Agent *agent)
{
	if (stop_signals > 0 && !agent->leaving)
	{
		agent->leaving = true;
		if (agent->options->drain_seconds > 0)
			agent->leave_by = monotonic_ms() +
				(int64_t) agent->options->drain_seconds * 1000;
		say("stopping; %d tasks are running", agent->used);
	}
	/* again and again: one that comes before the claim has begun has no effect */
	if (agent->leaving && agent->server.claiming &&
		monotonic_ms() >= agent->next_cancel)
	{
		server_cancel_claim(&agent->server);
		agent->next_cancel = monotonic_ms() + CANCEL_MS;
	}
	if (agent->leaving && !agent->hurried &&
		(stop_signals > 1 ||
		 (agent->leave_by != 0 && monotonic_ms() >= agent->leave_by)))
	{
		agent->hurried = true;
		for (int i = 0; i < agent->options->concurrency; i++)
			if (agent->slots[i].used && !agent->slots[i].over)
				stop_slot(agent, &agent->slots[i], STOP_LEAVING);
	}
}

/* Everything that is to be told to the server, if it can be reached. */
static void
talk(Agent *agent)
{
	int64_t		now = monotonic_ms();

	if (!server_connect(&agent->server))
		return;
	if (agent->options->do_register && !agent->registered)
	{
		agent->registered = server_register(&agent->server);
		if (!agent->registered)
			return;
	}
	if (now >= agent->next_beat || agent->last_beat == 0)
		beat(agent);
	for (int i = 0; i < agent->options->concurrency; i++)
	{
		Slot	   *slot = &agent->slots[i];

		if (slot->used && slot->over)
			report(agent, slot);
		else if (slot->used && slot->child.log.length > 0 &&
				 now >= slot->next_log)
		{
			(void) send_log(agent, slot);
			slot->next_log = now + LOG_MS;
		}
		if (agent->server.control == NULL)
			return;
	}
	if (!agent->server.claiming && !agent->leaving && !agent->draining &&
		!agent->server.gone && now >= agent->server.retry_at &&
		!(agent->options->once && agent->idle && agent->used == 0) &&
		agent->used < agent->options->concurrency)
		(void) server_claim(&agent->server,
							agent->options->concurrency - agent->used,
							agent->options->once ? 0 :
							agent->options->wait_seconds);
}

static void
set_up(Agent *agent, const Options *options)
{
	struct sigaction action;

	memset(agent, 0, sizeof(Agent));
	agent->options = options;
	agent->server.options = options;
	agent->server.attend = attend;
	agent->server.attend_arg = agent;
	agent->server.lease_seconds = 120;
	agent->server.beat_seconds = 30;
	if (options->token != NULL)
		agent->server.token = text_copy(options->token);
	agent->slots = must_allocate(NULL, options->concurrency * sizeof(Slot));
	memset(agent->slots, 0, options->concurrency * sizeof(Slot));

	if (pipe(wake_pipe) != 0)
	{
		say("could not make a pipe: %s", strerror(errno));
		exit(1);
	}
	fcntl(wake_pipe[0], F_SETFL, O_NONBLOCK);
	fcntl(wake_pipe[1], F_SETFL, O_NONBLOCK);
	fcntl(wake_pipe[0], F_SETFD, FD_CLOEXEC);
	fcntl(wake_pipe[1], F_SETFD, FD_CLOEXEC);
	memset(&action, 0, sizeof(action));
	sigemptyset(&action.sa_mask);
	action.sa_handler = on_stop;
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	action.sa_handler = on_child;
	action.sa_flags = SA_NOCLDSTOP;
	sigaction(SIGCHLD, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	srandom((unsigned) (monotonic_ms() ^ getpid()));
}

/* Say good-bye, so that the server need not find out. */
static void
take_leave(Agent *agent)
{
	const char *values[1] = {agent->options->name};

	if (agent->server.control == NULL || agent->server.gone)
		return;
	if (agent->options->deregister)
		(void) server_request(&agent->server,
							  "SELECT sched.deregister_executor(executor => $1)",
							  1, values, NULL);
}

int
agent_run(const Options *options)
{
	Agent		agent;
	bool		finished = false;

	set_up(&agent, options);
	say_verbose("executor \"%s\", types %s, tags %s", options->name,
				options->types, options->tags);
	while (!finished)
	{
		attend(&agent);
		note_signals(&agent);
		take_claimed(&agent);
		talk(&agent);
		if (agent.used == 0 && !agent.server.claiming)
			finished = agent.leaving || agent.server.gone ||
				(options->once && agent.idle);
		/* told twice, and the server cannot be told: it will find out */
		if (agent.hurried && agent.server.control == NULL)
		{
			bool		running = false;

			for (int i = 0; i < options->concurrency; i++)
				running |= agent.slots[i].used && !agent.slots[i].over;
			finished |= !running;
		}
		if (!finished)
			sleep_until_something_happens(&agent);
	}
	take_leave(&agent);
	server_disconnect(&agent.server);
	if (agent.server.gone)
		say("the server does not let \"%s\" take part", options->name);
	return agent.server.gone ? 1 : 0;
}
