/*-------------------------------------------------------------------------
 *
 * test_retry.c
 *	  Delays between attempts, jitter, and which errors are tried again.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include "domain/retry.h"
#include "unit.h"

#define SEC		SCHED_USEC_PER_SEC
#define HOUR	(3600 * SEC)

static int64
plain_delay(SchedRetryStrategy strategy, int n, int64 delay, int64 cap)
{
	return sched_retry_delay(strategy, SCHED_JITTER_NONE, n, delay, cap, 7);
}

/* When attempts 1, 2, ... start if each takes "run" seconds */
static void
check_attempts(const char *claim, SchedRetryStrategy strategy, int attempts,
			   int run, const int *expected)
{
	int64		start = 0;

	for (int i = 0; i < attempts; i++)
	{
		if (i > 0)
			start += run * SEC + plain_delay(strategy, i, 60 * SEC, HOUR);
		unit_is_int(start / SEC, expected[i],
					psprintf("%s: attempt %d", claim, i + 1));
	}
}

static void
test_strategies(void)
{
	static const int exponential[] = {0, 60, 180};
	static const int fixed[] = {0, 60, 120, 180};
	static const int linear[] = {0, 60, 180, 360};
	static const int slow[] = {0, 90, 180};
	static const int fibonacci[] = {1, 1, 2, 3, 5, 8, 13, 21, 34, 55};

	check_attempts("exponential", SCHED_RETRY_EXPONENTIAL_BACKOFF, 3, 0,
				   exponential);
	check_attempts("fixed", SCHED_RETRY_FIXED_DELAY, 4, 0, fixed);
	check_attempts("linear", SCHED_RETRY_LINEAR_BACKOFF, 4, 0, linear);
	check_attempts("counted from the end of the attempt",
				   SCHED_RETRY_FIXED_DELAY, 3, 30, slow);
	for (int n = 1; n <= lengthof(fibonacci); n++)
		unit_is_int(plain_delay(SCHED_RETRY_FIBONACCI_BACKOFF, n, SEC, HOUR),
					fibonacci[n - 1] * SEC,
					psprintf("fibonacci delay %d", n));
	unit_is_int(plain_delay(SCHED_RETRY_NONE, 1, SEC, HOUR),
				SCHED_RETRY_NEVER, "none never retries");
}

static void
test_bounds(void)
{
	static const int numbers[] = {80, 100, 1000, PG_INT32_MAX};

	for (int s = 0; s < SCHED_RETRY_NONE; s++)
	{
		const char *name = sched_retry_strategy_name((SchedRetryStrategy) s);
		int64		last = 0;
		bool		monotone = true;

		for (int i = 0; i < lengthof(numbers); i++)
		{
			int64		expected = s == SCHED_RETRY_FIXED_DELAY ? 60 * SEC : HOUR;

			unit_is_int(plain_delay((SchedRetryStrategy) s, numbers[i],
									60 * SEC, HOUR), expected,
						psprintf("%s is capped at retry %d", name, numbers[i]));
			unit_ok(plain_delay((SchedRetryStrategy) s, numbers[i], 1,
								PG_INT64_MAX) >= 1,
					"%s does not overflow at retry %d without a cap", name,
					numbers[i]);
			unit_ok(plain_delay((SchedRetryStrategy) s, numbers[i],
								PG_INT64_MAX, PG_INT64_MAX) == PG_INT64_MAX,
					"%s does not overflow at retry %d from the largest delay",
					name, numbers[i]);
		}
		for (int n = 1; n < 200; n++)
		{
			int64		delay = plain_delay((SchedRetryStrategy) s, n, 3,
											PG_INT64_MAX);

			monotone = monotone && delay >= last;
			last = delay;
		}
		unit_ok(monotone, "%s never gets shorter", name);
		unit_is_int(plain_delay((SchedRetryStrategy) s, 5, 0, HOUR), 0,
					psprintf("%s of nothing is nothing", name));
		unit_is_int(plain_delay((SchedRetryStrategy) s, 5, -SEC, HOUR), 0,
					psprintf("%s of a negative delay is nothing", name));
		unit_is_int(plain_delay((SchedRetryStrategy) s, -3, 60 * SEC, HOUR),
					60 * SEC,
					psprintf("%s takes a retry below 1 for the first", name));
	}
}

static void
test_jitter(void)
{
	int			low = 0;
	int			high = 0;
	int			distinct = 0;
	bool		equal_in_range = true;
	bool		full_in_range = true;
	bool		stable = true;
	int64		previous = -1;

	for (int64 task = 1; task <= 10000; task++)
	{
		int64		equal = sched_retry_delay(SCHED_RETRY_FIXED_DELAY,
											  SCHED_JITTER_EQUAL, 1,
											  60 * SEC, HOUR, task);
		int64		full = sched_retry_delay(SCHED_RETRY_FIXED_DELAY,
											 SCHED_JITTER_FULL, 1,
											 60 * SEC, HOUR, task);

		equal_in_range = equal_in_range && equal >= 30 * SEC &&
			equal <= 60 * SEC;
		full_in_range = full_in_range && full >= 0 && full <= 60 * SEC;
		stable = stable &&
			equal == sched_retry_delay(SCHED_RETRY_FIXED_DELAY,
									   SCHED_JITTER_EQUAL, 1, 60 * SEC, HOUR,
									   task);
		low += full < 6 * SEC;
		high += full > 54 * SEC;
		distinct += full != previous;
		previous = full;
	}
	unit_ok(equal_in_range, "equal jitter of 60 s lies in [30 s, 60 s]");
	unit_ok(full_in_range, "full jitter of 60 s lies in [0 s, 60 s]");
	unit_ok(stable, "jitter is the same at every evaluation");
	unit_ok(low > 800 && low < 1200 && high > 800 && high < 1200,
			"full jitter spreads evenly: %d and %d of 1000 in the outer tenths",
			low, high);
	unit_ok(distinct > 9990, "neighbouring tasks get different jitter");
	unit_ok(sched_retry_delay(SCHED_RETRY_FIXED_DELAY, SCHED_JITTER_FULL, 1,
							  60 * SEC, HOUR, 5) !=
			sched_retry_delay(SCHED_RETRY_FIXED_DELAY, SCHED_JITTER_FULL, 2,
							  60 * SEC, HOUR, 5),
			"attempts of one task get different jitter");
	unit_ok(sched_retry_delay(SCHED_RETRY_EXPONENTIAL_BACKOFF,
							  SCHED_JITTER_FULL, 80, 60 * SEC, PG_INT64_MAX,
							  5) >= 0,
			"full jitter of the longest delay does not overflow");
	unit_is_int(sched_retry_delay(SCHED_RETRY_FIXED_DELAY, SCHED_JITTER_EQUAL,
								  1, 1, HOUR, 9), 1,
				"equal jitter of 1 microsecond stays");
}

static void
test_classification(void)
{
	static const char *const retried[] = {
		"40001", "40P01", "08006", "53300", "57014", "57P01", "P0001", "", "XX000"
	};
	static const char *const final[] = {"22012", "23505", "42601", "42501"};
	static const int statuses[] = {0, 408, 425, 429, 500, 503, 599};
	static const int final_statuses[] = {200, 301, 400, 401, 404, 409, 422, 600};

	for (int i = 0; i < lengthof(retried); i++)
		unit_ok(sched_retry_sqlstate_is_retryable(retried[i]),
				"SQLSTATE \"%s\" is retried", retried[i]);
	for (int i = 0; i < lengthof(final); i++)
		unit_ok(!sched_retry_sqlstate_is_retryable(final[i]),
				"SQLSTATE %s is final", final[i]);
	unit_ok(sched_retry_sqlstate_is_retryable(NULL),
			"a failure without SQLSTATE is retried");
	for (int i = 0; i < lengthof(statuses); i++)
		unit_ok(sched_retry_http_status_is_retryable(statuses[i]),
				"HTTP status %d is retried", statuses[i]);
	for (int i = 0; i < lengthof(final_statuses); i++)
		unit_ok(!sched_retry_http_status_is_retryable(final_statuses[i]),
				"HTTP status %d is final", final_statuses[i]);
}

static void
test_names(void)
{
	SchedRetryStrategy strategy = SCHED_RETRY_NONE;
	SchedRetryJitter jitter = SCHED_JITTER_EQUAL;

	for (int i = 0; i < SCHED_RETRY_STRATEGY_COUNT; i++)
		unit_ok(sched_retry_strategy_from_name(sched_retry_strategy_name((SchedRetryStrategy) i),
											   &strategy) && strategy == i,
				"strategy %s is found by its name",
				sched_retry_strategy_name((SchedRetryStrategy) i));
	for (int i = 0; i < SCHED_RETRY_JITTER_COUNT; i++)
		unit_ok(sched_retry_jitter_from_name(sched_retry_jitter_name((SchedRetryJitter) i),
											 &jitter) && jitter == i,
				"jitter %s is found by its name",
				sched_retry_jitter_name((SchedRetryJitter) i));
	unit_ok(!sched_retry_strategy_from_name("exponential", &strategy),
			"half a name is none");
	unit_ok(!sched_retry_jitter_from_name(NULL, &jitter), "NULL is no name");
}

int
main(void)
{
	test_strategies();
	test_bounds();
	test_jitter();
	test_classification();
	test_names();
	return unit_done();
}
