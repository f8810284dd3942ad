/*-------------------------------------------------------------------------
 *
 * domain.h
 *	  What every file of the domain layer may use.
 *
 * The domain is pure C: no SPI, no ereport, no server state, no clock.  It
 * compiles into the extension and, with -DFRONTEND, into the unit tests and
 * fuzzers.  Functions report a failure through SchedError and a result code;
 * they never throw (apart from palloc running out of memory).
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_DOMAIN_H
#define SCHED_DOMAIN_H

/*
 * An instant: microseconds since 2000-01-01 00:00:00 UTC, the representation
 * of timestamptz.  The two extremes mean "never" (later than anything) and
 * "always been" (earlier than anything).
 */
typedef int64 SchedTime;

#define SCHED_TIME_NEVER	PG_INT64_MAX
#define SCHED_TIME_BEGIN	PG_INT64_MIN

#define SCHED_USEC_PER_SEC	INT64CONST(1000000)
#define SCHED_SECS_PER_DAY	86400

/*
 * Why an input was refused.  "position" is the 0-based byte offset in the
 * text given, -1 when no character is to blame.  message is a lower-case
 * phrase without a period; detail and hint are sentences or empty.
 */
typedef struct SchedError
{
	int			position;
	char		message[160];
	char		detail[256];
	char		hint[256];
} SchedError;

extern void sched_error_set(SchedError *err, int position,
							const char *message, const char *detail,
							const char *hint,...) pg_attribute_printf(3, 6);

#endif							/* SCHED_DOMAIN_H */
