/*-------------------------------------------------------------------------
 *
 * options.c
 *	  What sched-executor is told on its command line and in its environment.
 *
 * Secrets are taken from the environment or a file, never from the command
 * line, where every user of the machine can read them.
 *
 *-------------------------------------------------------------------------
 */
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "executor/options.h"
#include "executor/text.h"

enum
{
	OPT_TOKEN_FILE = 256, OPT_HANDLER, OPT_NO_SHELL, OPT_FATAL, OPT_GRACE,
	OPT_DRAIN, OPT_MAX_OUTPUT, OPT_REGISTER, OPT_DEREGISTER, OPT_ONCE
};

static const struct option long_options[] = {
	{"dbname", required_argument, NULL, 'd'},
	{"name", required_argument, NULL, 'n'},
	{"tags", required_argument, NULL, 't'},
	{"concurrency", required_argument, NULL, 'c'},
	{"wait", required_argument, NULL, 'w'},
	{"token-file", required_argument, NULL, OPT_TOKEN_FILE},
	{"handler", required_argument, NULL, OPT_HANDLER},
	{"no-shell", no_argument, NULL, OPT_NO_SHELL},
	{"fatal-exit", required_argument, NULL, OPT_FATAL},
	{"kill-after", required_argument, NULL, OPT_GRACE},
	{"drain-timeout", required_argument, NULL, OPT_DRAIN},
	{"max-output", required_argument, NULL, OPT_MAX_OUTPUT},
	{"register", no_argument, NULL, OPT_REGISTER},
	{"deregister", no_argument, NULL, OPT_DEREGISTER},
	{"once", no_argument, NULL, OPT_ONCE},
	{"verbose", no_argument, NULL, 'v'},
	{"version", no_argument, NULL, 'V'},
	{"help", no_argument, NULL, '?'},
	{NULL, 0, NULL, 0}
};

static void
usage(void)
{
	printf("sched-executor takes tasks from the scheduler \"sched\" in a PostgreSQL database\n"
		   "and runs them as commands of this machine.\n"
		   "\n"
		   "Usage:\n"
		   "  sched-executor [OPTION]...\n"
		   "\n"
		   "Options:\n"
		   "  -d, --dbname=CONNINFO     connection string or URI; also PGHOST and its like\n"
		   "  -n, --name=NAME           name of the executor (this host's name)\n"
		   "  -c, --concurrency=N       tasks at once (1)\n"
		   "  -t, --tags=A,B            tags, for jobs with required_tags\n"
		   "  -w, --wait=SECONDS        how long a claim waits in the server (30)\n"
		   "      --handler=TYPE=CMD    run tasks of TYPE with CMD; may be repeated\n"
		   "      --no-shell            do not run tasks of type shell\n"
		   "      --fatal-exit=N,M      exit codes after which a task is not tried again\n"
		   "      --kill-after=SECONDS  from SIGTERM to SIGKILL of a task (10)\n"
		   "      --drain-timeout=SECS  for running tasks when told to stop; 0: no end (0)\n"
		   "      --max-output=BYTES    of a task's output and log to keep, each (65536)\n"
		   "      --register            register the executor if it is not known yet\n"
		   "      --deregister          deregister it when leaving\n"
		   "      --token-file=FILE     the token that register_executor() gave\n"
		   "      --once                leave when no task is waiting\n"
		   "  -v, --verbose             say more on stderr\n"
		   "  -V, --version             print the version, then exit\n"
		   "  -?, --help                print this, then exit\n"
		   "\n"
		   "The token is read from --token-file or SCHED_EXECUTOR_TOKEN. SIGTERM or SIGINT:\n"
		   "takes no more tasks, ends when the running ones have; a second one stops them.\n");
}

static void
complain(const char *format, const char *argument)
{
	fprintf(stderr, "sched-executor: ");
	fprintf(stderr, format, argument);
	fprintf(stderr, "\nTry \"sched-executor --help\".\n");
	exit(2);
}

static int
number(const char *option, const char *text, int least, int most)
{
	char	   *end;
	long		value;

	errno = 0;
	value = strtol(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || value < least ||
		value > most)
	{
		fprintf(stderr, "sched-executor: --%s needs a number from %d to %d, not \"%s\"\n",
				option, least, most, text);
		exit(2);
	}
	return (int) value;
}

/* The first line of the file. */
static char *
read_token(const char *path)
{
	char		line[1024];
	FILE	   *file = fopen(path, "r");

	if (file == NULL || fgets(line, sizeof(line), file) == NULL)
		complain("could not read the token from \"%s\"", path);
	fclose(file);
	line[strcspn(line, "\r\n")] = '\0';
	return text_copy(line);
}

/* "a,b" as the literal of an array. */
static char *
array_of_list(const char *list)
{
	Text		array;
	char	   *copy = text_copy(list);
	char	   *rest = NULL;

	text_init(&array);
	text_append(&array, "{");
	for (char *word = strtok_r(copy, ",", &rest); word != NULL;
		 word = strtok_r(NULL, ",", &rest))
	{
		if (array.length > 1)
			text_append(&array, ",");
		text_append_array_element(&array, word);
	}
	text_append(&array, "}");
	free(copy);
	return array.data;
}

static void
add_handler(Options *options, const char *argument)
{
	const char *equals = strchr(argument, '=');
	Handler    *handler;

	if (equals == NULL || equals == argument || equals[1] == '\0')
		complain("--handler needs TYPE=COMMAND, not \"%s\"", argument);
	if (options->handler_count == MAX_HANDLERS)
		complain("too many handlers, at \"%s\"", argument);
	handler = &options->handlers[options->handler_count++];
	handler->type = text_copy_n(argument, equals - argument);
	handler->command = text_copy(equals + 1);
}

static void
add_fatal_codes(Options *options, const char *list)
{
	char	   *copy = text_copy(list);
	char	   *rest = NULL;

	for (char *word = strtok_r(copy, ",", &rest); word != NULL;
		 word = strtok_r(NULL, ",", &rest))
	{
		if (options->fatal_count == MAX_FATAL_CODES)
			complain("too many exit codes: \"%s\"", list);
		options->fatal_codes[options->fatal_count++] =
			number("fatal-exit", word, 1, 255);
	}
	free(copy);
}

static char *
types_of_handlers(const Options *options)
{
	Text		array;

	text_init(&array);
	text_append(&array, "{");
	for (int i = 0; i < options->handler_count; i++)
	{
		if (i > 0)
			text_append(&array, ",");
		text_append_array_element(&array, options->handlers[i].type);
	}
	if (options->shell && options_handler(options, "shell") == NULL)
		text_append(&array, array.length > 1 ? ",shell" : "shell");
	text_append(&array, "}");
	return array.data;
}

static const char *
host_name(void)
{
	static char name[256];

	if (gethostname(name, sizeof(name) - 1) != 0 || name[0] == '\0')
		complain("this host has no name%s; use --name", "");
	return name;
}

void
options_parse(Options *options, int argc, char **argv)
{
	int			c;

	memset(options, 0, sizeof(Options));
	options->conninfo = "";
	options->tags = "{}";
	options->shell = true;
	options->concurrency = 1;
	options->wait_seconds = 30;
	options->grace_seconds = 10;
	options->max_output = 65536;
	options->token = getenv("SCHED_EXECUTOR_TOKEN");

	while ((c = getopt_long(argc, argv, "d:n:t:c:w:vV?", long_options,
							NULL)) != -1)
	{
		switch (c)
		{
			case 'd':
				options->conninfo = optarg;
				break;
			case 'n':
				options->name = optarg;
				break;
			case 't':
				options->tags = array_of_list(optarg);
				break;
			case 'c':
				options->concurrency = number("concurrency", optarg, 1, 1000);
				break;
			case 'w':
				options->wait_seconds = number("wait", optarg, 0, 3600);
				break;
			case OPT_TOKEN_FILE:
				options->token = read_token(optarg);
				break;
			case OPT_HANDLER:
				add_handler(options, optarg);
				break;
			case OPT_NO_SHELL:
				options->shell = false;
				break;
			case OPT_FATAL:
				add_fatal_codes(options, optarg);
				break;
			case OPT_GRACE:
				options->grace_seconds = number("kill-after", optarg, 0, 86400);
				break;
			case OPT_DRAIN:
				options->drain_seconds = number("drain-timeout", optarg, 0,
												INT_MAX);
				break;
			case OPT_MAX_OUTPUT:
				options->max_output = number("max-output", optarg, 0,
											 100 * 1024 * 1024);
				break;
			case OPT_REGISTER:
				options->do_register = true;
				break;
			case OPT_DEREGISTER:
				options->deregister = true;
				break;
			case OPT_ONCE:
				options->once = true;
				break;
			case 'v':
				options->verbose = true;
				break;
			case 'V':
				printf("sched-executor %s\n", SCHED_VERSION);
				exit(0);
			default:
				/* getopt has complained of what it does not know */
				if (optopt != 0 && optopt != '?')
					exit(2);
				usage();
				exit(0);
		}
	}
	if (optind < argc)
		complain("unexpected argument \"%s\"", argv[optind]);
	if (options->name == NULL)
		options->name = host_name();
	options->types = types_of_handlers(options);
	if (strcmp(options->types, "{}") == 0)
		complain("--no-shell needs a --handler%s", "");
}

const char *
options_handler(const Options *options, const char *type)
{
	for (int i = 0; i < options->handler_count; i++)
		if (strcmp(options->handlers[i].type, type) == 0)
			return options->handlers[i].command;
	return NULL;
}

bool
options_is_fatal(const Options *options, int code)
{
	for (int i = 0; i < options->fatal_count; i++)
		if (options->fatal_codes[i] == code)
			return true;
	return false;
}
