/*-------------------------------------------------------------------------
 *
 * options.h
 *	  What sched-executor is told on its command line and in its environment.
 *
 *-------------------------------------------------------------------------
 */
#ifndef EXECUTOR_OPTIONS_H
#define EXECUTOR_OPTIONS_H

#include <stdbool.h>

#define MAX_HANDLERS		64
#define MAX_FATAL_CODES		64

/* Tasks of a type that a command of its own runs. */
typedef struct Handler
{
	char	   *type;
	char	   *command;
} Handler;

typedef struct Options
{
	const char *conninfo;
	const char *name;			/* of the executor */
	const char *token;			/* NULL: the role's right is enough */
	const char *tags;			/* an array literal */
	const char *types;			/* likewise: the handlers' and shell */
	Handler		handlers[MAX_HANDLERS];
	int			handler_count;
	bool		shell;			/* run tasks of type shell */
	int			fatal_codes[MAX_FATAL_CODES];	/* exit codes not retried */
	int			fatal_count;
	int			concurrency;	/* tasks at once */
	int			wait_seconds;	/* how long one claim waits in the server */
	int			grace_seconds;	/* between TERM and KILL */
	int			drain_seconds;	/* for running tasks after SIGTERM, 0: no end */
	long		max_output;		/* bytes of a task's output that are kept */
	bool		do_register;	/* register when the name is unknown */
	bool		deregister;		/* when leaving */
	bool		once;			/* leave when there is nothing to do */
	bool		verbose;
} Options;

/*
 * Fills in options; what argv points to must stay.  Exits with 0 after --help
 * and --version, with 2 after a complaint.
 */
extern void options_parse(Options *options, int argc, char **argv);

/* The command that runs tasks of the type, NULL: the task's own command. */
extern const char *options_handler(const Options *options, const char *type);

/* Is an exit with this code final? */
extern bool options_is_fatal(const Options *options, int code);

#endif							/* EXECUTOR_OPTIONS_H */
