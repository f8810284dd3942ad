/*-------------------------------------------------------------------------
 *
 * child.h
 *	  One command that runs for a task.
 *
 *-------------------------------------------------------------------------
 */
#ifndef EXECUTOR_CHILD_H
#define EXECUTOR_CHILD_H

#include <poll.h>
#include <stdbool.h>
#include <sys/types.h>

#include "executor/text.h"

typedef struct Child
{
	pid_t		pid;			/* 0: none; also the process group */
	bool		ended;			/* status is what waitpid() said */
	int			status;
	int			in;				/* our ends of its pipes, -1: closed */
	int			out;
	int			err;
	Text		input;			/* for its stdin */
	size_t		written;
	Text		output;			/* the beginning of its stdout */
	bool		output_cut;		/* there was more */
	Text		log;			/* complete lines of stderr not yet taken away */
	Text		line;			/* the incomplete last line */
	long		log_room;		/* bytes of log that may still be kept */
	Text		tail;			/* the end of what was not kept */
	long		dropped;		/* lines not kept */
	char		last_words[512];	/* its last line on stderr that is not empty */
	long		max_output;
} Child;

/*
 * Run /bin/sh -c command in a process group of its own, with input on its stdin
 * and the settings NAME=VALUE of environment, NULL at their end, added to ours.
 * False with errno set when it could not be started.
 */
extern bool child_start(Child *child, const char *command,
						const char *input, char *const *environment,
						long max_output);

/* Which of its pipes to wait for; returns how many entries were filled in. */
extern int	child_poll_set(const Child *child, struct pollfd *fds);

/* Read and write what can be without waiting, and see whether it has ended. */
extern void child_attend(Child *child);

/* It has ended and all that it said is here. */
extern bool child_is_over(const Child *child);

/* A signal to the whole group. */
extern void child_signal(const Child *child, int signal);

/* No more of it, also what it left behind in its group. */
extern void child_finish(Child *child);

#endif							/* EXECUTOR_CHILD_H */
