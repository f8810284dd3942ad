/*-------------------------------------------------------------------------
 *
 * error.c
 *	  How the domain reports bad input.
 *
 * The caller owns the SchedError; whoever finds the fault fills it and
 * returns NULL or false.  Texts that are too long are cut, never overrun.
 *
 *-------------------------------------------------------------------------
 */
#ifndef FRONTEND
#include "postgres.h"
#else
#include "postgres_fe.h"
#endif

#include "domain/domain.h"

void
sched_error_set(SchedError *err, int position, const char *message,
				const char *detail, const char *hint,...)
{
	va_list		args;

	if (err == NULL)
		return;
	err->position = position;

	/* the variable part, if any, belongs to message */
	va_start(args, hint);
	vsnprintf(err->message, sizeof(err->message), message, args);
	va_end(args);
	snprintf(err->detail, sizeof(err->detail), "%s", detail ? detail : "");
	snprintf(err->hint, sizeof(err->hint), "%s", hint ? hint : "");
}
