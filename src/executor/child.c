/*-------------------------------------------------------------------------
 *
 * child.c
 *	  One command that runs for a task.
 *
 * Nothing in here waits: pipes are non-blocking, and whoever calls goes on with
 * other tasks.  What is kept of the output is bounded; a command that
 * writes more goes on undisturbed.
 *
 * The command leads a process group, which is what signals go to.  When it has
 * ended, whatever it left behind in its group is killed: it would hold our
 * pipes open, and nobody would ever look after it.
 *
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "executor/child.h"

#define TAIL_BYTES	2048
#define MAX_LINE	8192

extern char **environ;

/* Settings of ours that are none of the command's business. */
static bool
is_private(const char *setting)
{
	return strncmp(setting, "PG", 2) == 0 ||
		strncmp(setting, "SCHED_EXECUTOR_TOKEN=", 21) == 0;
}

static char **
merge_environment(char *const *added)
{
	size_t		ours = 0;
	size_t		theirs = 0;
	size_t		n = 0;
	char	  **merged;

	while (environ[ours] != NULL)
		ours++;
	while (added[theirs] != NULL)
		theirs++;
	merged = must_allocate(NULL, (ours + theirs + 1) * sizeof(char *));
	for (size_t i = 0; i < ours; i++)
		if (!is_private(environ[i]))
			merged[n++] = environ[i];
	for (size_t i = 0; i < theirs; i++)
		merged[n++] = added[i];
	merged[n] = NULL;
	return merged;
}

/* In the new process; never returns. */
static void
become_command(const char *command, int in, int out, int err, char **env)
{
	const char *argv[] = {"sh", "-c", command, NULL};
	sigset_t	none;

	setpgid(0, 0);
#ifdef __linux__
	/* nobody would report what becomes of it */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
	signal(SIGPIPE, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0)
		_exit(127);
	for (int fd = 3; fd < 1024; fd++)
		close(fd);
	execve("/bin/sh", (char *const *) argv, env);
	_exit(127);
}

static void
close_pipe(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

bool
child_start(Child *child, const char *command, const char *input,
			char *const *environment, long max_output)
{
	int			pipes[3][2] = {{-1, -1}, {-1, -1}, {-1, -1}};
	char	  **env;
	int			reason = 0;

	memset(child, 0, sizeof(Child));
	child->in = child->out = child->err = -1;
	for (int i = 0; i < 3; i++)
		if (pipe(pipes[i]) != 0)
			reason = errno;
	env = merge_environment(environment);
	if (reason == 0)
	{
		child->pid = fork();
		if (child->pid < 0)
		{
			reason = errno;
			child->pid = 0;
		}
		else if (child->pid == 0)
			become_command(command, pipes[0][0], pipes[1][1], pipes[2][1],
						   env);
	}
	free(env);
	close_pipe(&pipes[0][0]);
	close_pipe(&pipes[1][1]);
	close_pipe(&pipes[2][1]);
	if (reason != 0)
	{
		close_pipe(&pipes[0][1]);
		close_pipe(&pipes[1][0]);
		close_pipe(&pipes[2][0]);
		errno = reason;
		return false;
	}

	/* here too, so that a signal to the group does not come too early */
	setpgid(child->pid, child->pid);
	child->in = pipes[0][1];
	child->out = pipes[1][0];
	child->err = pipes[2][0];
	fcntl(child->in, F_SETFL, O_NONBLOCK);
	fcntl(child->out, F_SETFL, O_NONBLOCK);
	fcntl(child->err, F_SETFL, O_NONBLOCK);
	text_init(&child->input);
	text_append(&child->input, input);
	text_init(&child->output);
	text_init(&child->log);
	text_init(&child->line);
	text_init(&child->tail);
	child->max_output = max_output;
	child->log_room = max_output;
	return true;
}

int
child_poll_set(const Child *child, struct pollfd *fds)
{
	int			n = 0;

	if (child->pid == 0)
		return 0;
	if (child->in >= 0)
		fds[n++] = (struct pollfd) {child->in, POLLOUT, 0};
	if (child->out >= 0)
		fds[n++] = (struct pollfd) {child->out, POLLIN, 0};
	if (child->err >= 0)
		fds[n++] = (struct pollfd) {child->err, POLLIN, 0};
	return n;
}

static void
write_input(Child *child)
{
	while (child->in >= 0 && child->written < child->input.length)
	{
		ssize_t		n = write(child->in, child->input.data + child->written,
							  child->input.length - child->written);

		if (n > 0)
			child->written += n;
		else if (n < 0 && errno == EINTR)
			continue;
		else if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return;
		else
			break;				/* it does not want to read on: its choice */
	}
	close_pipe(&child->in);
}

/* Bytes read at once: at most 64 kB, so that one task does not hold up others. */
static ssize_t
read_some(int *fd, char *buffer, size_t size)
{
	ssize_t		n;

	if (*fd < 0)
		return 0;
	do
		n = read(*fd, buffer, size);
	while (n < 0 && errno == EINTR);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK))
		close_pipe(fd);
	return n > 0 ? n : 0;
}

static void
keep_tail(Child *child)
{
	Text	   *tail = &child->tail;

	child->dropped++;
	text_append_bytes(tail, child->line.data, child->line.length);
	text_append(tail, "\n");
	if (tail->length > 2 * TAIL_BYTES)
	{
		size_t		surplus = tail->length - TAIL_BYTES;
		char	   *newline = memchr(tail->data + surplus, '\n',
									 tail->length - surplus);

		if (newline != NULL)
			surplus = newline + 1 - tail->data;
		memmove(tail->data, tail->data + surplus, tail->length - surplus + 1);
		tail->length -= surplus;
	}
}

static void
end_line(Child *child)
{
	text_make_valid(&child->line);
	if (child->line.length > 0)
		snprintf(child->last_words, sizeof(child->last_words), "%s",
				 child->line.data);
	if ((long) child->line.length < child->log_room)
	{
		child->log_room -= child->line.length + 1;
		text_append_bytes(&child->log, child->line.data, child->line.length);
		text_append(&child->log, "\n");
	}
	else
	{
		child->log_room = 0;
		keep_tail(child);
	}
	text_clear(&child->line);
}

static void
read_log(Child *child)
{
	char		buffer[65536];
	ssize_t		n = read_some(&child->err, buffer, sizeof(buffer));

	for (ssize_t i = 0; i < n; i++)
	{
		if (buffer[i] != '\n')
			text_append_bytes(&child->line, &buffer[i], 1);
		if (buffer[i] == '\n' || child->line.length >= MAX_LINE)
			end_line(child);
	}
	if (child->err < 0 && child->line.length > 0)
		end_line(child);
}

static void
read_output(Child *child)
{
	char		buffer[65536];
	ssize_t		n = read_some(&child->out, buffer, sizeof(buffer));
	long		room = child->max_output - (long) child->output.length;

	if (n > room)
		child->output_cut = true;
	if (n > 0 && room > 0)
		text_append_bytes(&child->output, buffer, n < room ? n : room);
}

void
child_attend(Child *child)
{
	if (child->pid == 0)
		return;
	write_input(child);
	read_output(child);
	read_log(child);
	if (!child->ended)
	{
		pid_t		pid = waitpid(child->pid, &child->status, WNOHANG);

		child->ended = pid == child->pid || (pid < 0 && errno == ECHILD);
		if (child->ended)
		{
			/* what it left behind; then read what is left in the pipes */
			kill(-child->pid, SIGKILL);
			close_pipe(&child->in);
		}
	}
}

bool
child_is_over(const Child *child)
{
	return child->ended && child->out < 0 && child->err < 0;
}

void
child_signal(const Child *child, int signal)
{
	if (child->pid > 0 && !child->ended)
		kill(-child->pid, signal);
}

void
child_finish(Child *child)
{
	if (child->pid == 0)
		return;
	child_signal(child, SIGKILL);
	close_pipe(&child->in);
	close_pipe(&child->out);
	close_pipe(&child->err);
	text_free(&child->input);
	text_free(&child->output);
	text_free(&child->log);
	text_free(&child->line);
	text_free(&child->tail);
	if (!child->ended)
		waitpid(child->pid, &child->status, 0);
	child->pid = 0;
}
