/*-------------------------------------------------------------------------
 *
 * main.c
 *	  sched-executor: joins the scheduler in a database as an executor and
 *	  runs tasks as commands of this machine.
 *
 * A program of its own, which needs libpq only: nothing in this folder is
 * linked into the server.  See doc/executors.md.
 *
 *-------------------------------------------------------------------------
 */
#include "executor/agent.h"
#include "executor/options.h"
#include "executor/text.h"

int
main(int argc, char **argv)
{
	Options		options;

	options_parse(&options, argc, argv);
	say_more = options.verbose;
	return agent_run(&options);
}
