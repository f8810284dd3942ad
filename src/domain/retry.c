/*-------------------------------------------------------------------------
 *
 * retry.c
 *	  Backoff arithmetic and the classification of errors.
 *
 * Design: every delay is computed from the retry's number alone, never from
 * the delay before it, so that it can be recomputed at any time from what the
 * task's row says.  Growth stops at the cap before it can overflow: the loops
 * run until the value has reached the cap, at most 92 rounds.
 *
 * Jitter must not change between two evaluations (the scheduler, sched.why
 * and a standby after promotion all compute it), hence a hash of the task and
 * the attempt instead of a random number.
 *
 *-------------------------------------------------------------------------
 */
#ifndef FRONTEND
#include "postgres.h"
#else
#include "postgres_fe.h"
#endif

#include "domain/names.h"
#include "domain/retry.h"

static const char *const strategy_names[SCHED_RETRY_STRATEGY_COUNT] = {
	[SCHED_RETRY_EXPONENTIAL_BACKOFF] = "exponential_backoff",
	[SCHED_RETRY_FIXED_DELAY] = "fixed_delay",
	[SCHED_RETRY_LINEAR_BACKOFF] = "linear_backoff",
	[SCHED_RETRY_FIBONACCI_BACKOFF] = "fibonacci_backoff",
	[SCHED_RETRY_NONE] = "none",
};

static const char *const jitter_names[SCHED_RETRY_JITTER_COUNT] = {
	[SCHED_JITTER_NONE] = "none",
	[SCHED_JITTER_FULL] = "full",
	[SCHED_JITTER_EQUAL] = "equal",
};

const char *
sched_retry_strategy_name(SchedRetryStrategy strategy)
{
	return strategy_names[strategy];
}

bool
sched_retry_strategy_from_name(const char *name, SchedRetryStrategy *strategy)
{
	int			found = sched_name_lookup(strategy_names,
										  SCHED_RETRY_STRATEGY_COUNT, name);

	if (found < 0)
		return false;
	*strategy = (SchedRetryStrategy) found;
	return true;
}

const char *
sched_retry_jitter_name(SchedRetryJitter jitter)
{
	return jitter_names[jitter];
}

bool
sched_retry_jitter_from_name(const char *name, SchedRetryJitter *jitter)
{
	int			found = sched_name_lookup(jitter_names,
										  SCHED_RETRY_JITTER_COUNT, name);

	if (found < 0)
		return false;
	*jitter = (SchedRetryJitter) found;
	return true;
}

/* a * b for non-negative a and positive b, no further than cap */
static int64
capped_product(int64 a, int64 b, int64 cap)
{
	if (a > cap / b)
		return cap;
	return Min(a * b, cap);
}

static int64
exponential_delay(int64 delay, int retry_number, int64 cap)
{
	for (int n = 1; n < retry_number && delay > 0 && delay < cap; n++)
		delay = capped_product(delay, 2, cap);
	return Min(delay, cap);
}

/* F(1) = F(2) = 1: the multiplier stops growing where the cap stops it. */
static int64
fibonacci_delay(int64 delay, int retry_number, int64 cap)
{
	int64		previous = 0;
	int64		current = 1;

	if (delay == 0)
		return 0;
	for (int n = 1; n < retry_number && current <= cap / delay; n++)
	{
		int64		next;

		/* only a delay of a microsecond and a cap of ages get here */
		if (current > PG_INT64_MAX - previous)
			return cap;
		next = previous + current;
		previous = current;
		current = next;
	}
	return capped_product(delay, current, cap);
}

/*
 * The finalizer of a well-known 64-bit mixer, applied twice so that
 * neighbouring tasks and attempts share no bits.
 */
uint64
sched_retry_hash(uint64 a, uint64 b)
{
	uint64		x = a + UINT64CONST(0x9e3779b97f4a7c15);

	for (int round = 0; round < 2; round++)
	{
		x = (x ^ (x >> 30)) * UINT64CONST(0xbf58476d1ce4e5b9);
		x = (x ^ (x >> 27)) * UINT64CONST(0x94d049bb133111eb);
		x = (x ^ (x >> 31)) + b * UINT64CONST(0x9e3779b97f4a7c15);
	}
	return x ^ (x >> 32);
}

static int64
apply_jitter(SchedRetryJitter jitter, int64 delay, int retry_number,
			 int64 task_id)
{
	uint64		bits;
	int64		floor;

	if (jitter == SCHED_JITTER_NONE || delay == 0)
		return delay;

	bits = sched_retry_hash((uint64) task_id, (uint64) retry_number);
	/* the upper half is rounded up, so that [delay / 2, delay] holds */
	floor = jitter == SCHED_JITTER_EQUAL ? delay - delay / 2 : 0;
	return floor + (int64) (bits % ((uint64) (delay - floor) + 1));
}

int64
sched_retry_delay(SchedRetryStrategy strategy, SchedRetryJitter jitter,
				  int retry_number, int64 delay_usec, int64 max_delay_usec,
				  int64 task_id)
{
	int64		delay = Max(delay_usec, 0);
	int64		cap = Max(max_delay_usec, 0);

	if (strategy == SCHED_RETRY_NONE)
		return SCHED_RETRY_NEVER;
	if (retry_number < 1)
		retry_number = 1;

	switch (strategy)
	{
		case SCHED_RETRY_EXPONENTIAL_BACKOFF:
			delay = exponential_delay(delay, retry_number, cap);
			break;
		case SCHED_RETRY_FIXED_DELAY:
			delay = Min(delay, cap);
			break;
		case SCHED_RETRY_LINEAR_BACKOFF:
			delay = capped_product(delay, retry_number, cap);
			break;
		case SCHED_RETRY_FIBONACCI_BACKOFF:
			delay = fibonacci_delay(delay, retry_number, cap);
			break;
		case SCHED_RETRY_NONE:
			break;
	}
	return apply_jitter(jitter, delay, retry_number, task_id);
}

/*
 * Errors that the same statement would meet again: bad data (22), violated
 * constraints (23), bad syntax, names or rights (42).  Everything else may be
 * gone the next time: serialization failures and deadlocks (40), lost
 * connections (08), full disks and missing memory (53), an operator or a
 * shutdown (57), and whatever user code raises.
 */
bool
sched_retry_sqlstate_is_retryable(const char *sqlstate)
{
	if (sqlstate == NULL || sqlstate[0] == '\0')
		return true;
	return strncmp(sqlstate, "22", 2) != 0 &&
		strncmp(sqlstate, "23", 2) != 0 &&
		strncmp(sqlstate, "42", 2) != 0;
}

/*
 * 408, 425 and 429 ask for another try, 5xx is the other side's trouble; any
 * other answer would be the same again.
 */
bool
sched_retry_http_status_is_retryable(int status)
{
	return status == 0 || status == 408 || status == 425 || status == 429 ||
		(status >= 500 && status <= 599);
}
