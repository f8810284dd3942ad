/*-------------------------------------------------------------------------
 *
 * agent.h
 *	  Taking tasks, running them, and telling how they went.
 *
 *-------------------------------------------------------------------------
 */
#ifndef EXECUTOR_AGENT_H
#define EXECUTOR_AGENT_H

#include "executor/options.h"

/* Runs until it is told to stop; returns the program's exit code. */
extern int	agent_run(const Options *options);

#endif							/* EXECUTOR_AGENT_H */
