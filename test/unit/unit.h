/*-------------------------------------------------------------------------
 *
 * unit.h
 *	  A unit test program that speaks TAP.
 *
 * Include it in exactly one file of each program.  Each check is named by the
 * claim that it tests; unit_done() prints the plan and gives main()'s result.
 * A run in which nothing was checked fails.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_UNIT_H
#define SCHED_UNIT_H

#include <time.h>

static int	unit_count;
static int	unit_failures;

static bool unit_ok(bool condition, const char *claim,...) pg_attribute_printf(2, 3);

static bool
unit_ok(bool condition, const char *claim,...)
{
	va_list		args;

	unit_count++;
	if (!condition)
		unit_failures++;
	printf("%sok %d - ", condition ? "" : "not ", unit_count);
	va_start(args, claim);
	vprintf(claim, args);
	va_end(args);
	printf("\n");
	return condition;
}

static inline bool
unit_is_int(int64 got, int64 expected, const char *claim)
{
	bool		ok = unit_ok(got == expected, "%s", claim);

	if (!ok)
		printf("#      got: " INT64_FORMAT "\n# expected: " INT64_FORMAT "\n",
			   got, expected);
	return ok;
}

static inline bool
unit_is_str(const char *got, const char *expected, const char *claim)
{
	bool		ok = unit_ok(got != NULL && strcmp(got, expected) == 0, "%s", claim);

	if (!ok)
		printf("#      got: %s\n# expected: %s\n", got ? got : "(null)", expected);
	return ok;
}

/* Seconds of processor time of this process, for bounds on cost. */
static inline double
unit_cpu_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

static inline int
unit_done(void)
{
	printf("1..%d\n", unit_count);
	if (unit_failures > 0)
		printf("# %d of %d checks failed\n", unit_failures, unit_count);
	return unit_count == 0 || unit_failures > 0 ? 1 : 0;
}

#endif							/* SCHED_UNIT_H */
