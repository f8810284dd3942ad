/*-------------------------------------------------------------------------
 *
 * retry.h
 *	  Whether and when a failed attempt is tried again.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_RETRY_H
#define SCHED_RETRY_H

#include "domain/domain.h"

typedef enum SchedRetryStrategy
{
	SCHED_RETRY_EXPONENTIAL_BACKOFF,
	SCHED_RETRY_FIXED_DELAY,
	SCHED_RETRY_LINEAR_BACKOFF,
	SCHED_RETRY_FIBONACCI_BACKOFF,
	SCHED_RETRY_NONE
} SchedRetryStrategy;

#define SCHED_RETRY_STRATEGY_COUNT	(SCHED_RETRY_NONE + 1)

typedef enum SchedRetryJitter
{
	SCHED_JITTER_NONE,
	SCHED_JITTER_FULL,			/* anywhere in [0, delay] */
	SCHED_JITTER_EQUAL			/* anywhere in [delay / 2, delay] */
} SchedRetryJitter;

#define SCHED_RETRY_JITTER_COUNT	(SCHED_JITTER_EQUAL + 1)

/* What sched_retry_delay() answers when the strategy is not to retry. */
#define SCHED_RETRY_NEVER	INT64CONST(-1)

/*
 * Microseconds from the end of the failed attempt to the next one.
 * retry_number is 1 for the first retry.  delay_usec and max_delay_usec below
 * zero count as zero.  The same arguments give the same delay always and
 * everywhere, jitter included: it hashes task_id and retry_number.
 */
extern int64 sched_retry_delay(SchedRetryStrategy strategy,
							   SchedRetryJitter jitter, int retry_number,
							   int64 delay_usec, int64 max_delay_usec,
							   int64 task_id);

/*
 * May a task be tried again after this error, or this HTTP status?  NULL and
 * 0 stand for a failure that gave none (a timeout, a lost connection).
 */
extern bool sched_retry_sqlstate_is_retryable(const char *sqlstate);
extern bool sched_retry_http_status_is_retryable(int status);

/* Evenly spread, reproducible bits out of two numbers. */
extern uint64 sched_retry_hash(uint64 a, uint64 b);

extern const char *sched_retry_strategy_name(SchedRetryStrategy strategy);
extern bool sched_retry_strategy_from_name(const char *name,
										   SchedRetryStrategy *strategy);
extern const char *sched_retry_jitter_name(SchedRetryJitter jitter);
extern bool sched_retry_jitter_from_name(const char *name,
										 SchedRetryJitter *jitter);

#endif							/* SCHED_RETRY_H */
