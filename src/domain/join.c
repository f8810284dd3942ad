/*-------------------------------------------------------------------------
 *
 * join.c
 *	  Join rules over counted outcomes.
 *
 * Design: a decision depends only on how many upstreams ended in which way,
 * never on their order, so the counts can be kept up to date incrementally
 * and the decision taken again at each change.  A rule decides as soon as no
 * further outcome could change its answer for the better: all_success gives
 * up at the first failure, one_success runs at the first success.
 *
 *-------------------------------------------------------------------------
 */
#ifndef FRONTEND
#include "postgres.h"
#else
#include "postgres_fe.h"
#endif

#include "domain/join.h"
#include "domain/names.h"

static const char *const rule_names[SCHED_JOIN_RULE_COUNT] = {
	[SCHED_JOIN_ALL_SUCCESS] = "all_success",
	[SCHED_JOIN_ALL_DONE] = "all_done",
	[SCHED_JOIN_ALL_FAILED] = "all_failed",
	[SCHED_JOIN_ONE_SUCCESS] = "one_success",
	[SCHED_JOIN_ONE_FAILED] = "one_failed",
	[SCHED_JOIN_ONE_DONE] = "one_done",
	[SCHED_JOIN_NONE_FAILED] = "none_failed",
	[SCHED_JOIN_NONE_FAILED_MIN_ONE_SUCCESS] = "none_failed_min_one_success",
	[SCHED_JOIN_ALL_DONE_MIN_ONE_SUCCESS] = "all_done_min_one_success",
	[SCHED_JOIN_NONE_SKIPPED] = "none_skipped",
	[SCHED_JOIN_ALL_SKIPPED] = "all_skipped",
	[SCHED_JOIN_ALWAYS] = "always",
};

static const char *const decision_names[SCHED_JOIN_DECISION_COUNT] = {
	[SCHED_DECISION_WAIT] = "WAIT",
	[SCHED_DECISION_RUN] = "RUN",
	[SCHED_DECISION_SKIP] = "SKIP",
	[SCHED_DECISION_UPSTREAM_FAILED] = "UPSTREAM_FAILED",
};

static const char *const edge_names[SCHED_EDGE_TYPE_COUNT] = {
	[SCHED_EDGE_SUCCESS] = "success",
	[SCHED_EDGE_COMPLETION] = "completion",
	[SCHED_EDGE_FAILURE] = "failure",
	[SCHED_EDGE_START] = "start",
	[SCHED_EDGE_CONDITIONAL] = "conditional",
	[SCHED_EDGE_SOFT] = "soft",
	[SCHED_EDGE_MUTEX] = "mutex",
};

const char *
sched_join_rule_name(SchedJoinRule rule)
{
	return rule_names[rule];
}

bool
sched_join_rule_from_name(const char *name, SchedJoinRule *rule)
{
	int			found = sched_name_lookup(rule_names, SCHED_JOIN_RULE_COUNT,
										  name);

	if (found < 0)
		return false;
	*rule = (SchedJoinRule) found;
	return true;
}

const char *
sched_join_decision_name(SchedJoinDecision decision)
{
	return decision_names[decision];
}

const char *
sched_edge_type_name(SchedEdgeType type)
{
	return edge_names[type];
}

bool
sched_edge_type_from_name(const char *name, SchedEdgeType *type)
{
	int			found = sched_name_lookup(edge_names, SCHED_EDGE_TYPE_COUNT,
										  name);

	if (found < 0)
		return false;
	*type = (SchedEdgeType) found;
	return true;
}

/* WAIT while something is pending, else what is given. */
static inline SchedJoinDecision
when_done(const SchedJoinCounts *counts, SchedJoinDecision decision)
{
	return counts->pending > 0 ? SCHED_DECISION_WAIT : decision;
}

SchedJoinDecision
sched_join_decide(SchedJoinRule rule, const SchedJoinCounts *counts)
{
	const int	s = counts->satisfied;
	const int	k = counts->skipped;
	const int	bad = counts->failed + counts->upstream_failed;

	if (s + k + bad + counts->pending == 0)
		return SCHED_DECISION_RUN;

	switch (rule)
	{
		case SCHED_JOIN_ALL_SUCCESS:
			if (bad > 0)
				return SCHED_DECISION_UPSTREAM_FAILED;
			if (k > 0)
				return SCHED_DECISION_SKIP;
			return when_done(counts, SCHED_DECISION_RUN);

		case SCHED_JOIN_ALL_DONE:
			return when_done(counts, SCHED_DECISION_RUN);

		case SCHED_JOIN_ALL_FAILED:
			if (s + k > 0)
				return SCHED_DECISION_SKIP;
			return when_done(counts, SCHED_DECISION_RUN);

		case SCHED_JOIN_ONE_SUCCESS:
			if (s > 0)
				return SCHED_DECISION_RUN;
			return when_done(counts, bad > 0 ?
							 SCHED_DECISION_UPSTREAM_FAILED :
							 SCHED_DECISION_SKIP);

		case SCHED_JOIN_ONE_FAILED:
			if (bad > 0)
				return SCHED_DECISION_RUN;
			return when_done(counts, SCHED_DECISION_SKIP);

		case SCHED_JOIN_ONE_DONE:
			/* only what really ran counts as done: not U, not K */
			if (s + counts->failed > 0)
				return SCHED_DECISION_RUN;
			return when_done(counts, SCHED_DECISION_SKIP);

		case SCHED_JOIN_NONE_FAILED:
			if (bad > 0)
				return SCHED_DECISION_UPSTREAM_FAILED;
			return when_done(counts, SCHED_DECISION_RUN);

		case SCHED_JOIN_NONE_FAILED_MIN_ONE_SUCCESS:
			if (bad > 0)
				return SCHED_DECISION_UPSTREAM_FAILED;
			return when_done(counts, s > 0 ? SCHED_DECISION_RUN :
							 SCHED_DECISION_SKIP);

		case SCHED_JOIN_ALL_DONE_MIN_ONE_SUCCESS:
			if (k > 0)
				return SCHED_DECISION_SKIP;
			return when_done(counts, s > 0 ? SCHED_DECISION_RUN :
							 SCHED_DECISION_UPSTREAM_FAILED);

		case SCHED_JOIN_NONE_SKIPPED:
			if (k > 0)
				return SCHED_DECISION_SKIP;
			return when_done(counts, SCHED_DECISION_RUN);

		case SCHED_JOIN_ALL_SKIPPED:
			if (s + bad > 0)
				return SCHED_DECISION_SKIP;
			return when_done(counts, SCHED_DECISION_RUN);

		case SCHED_JOIN_ALWAYS:
			return SCHED_DECISION_RUN;
	}
	return SCHED_DECISION_WAIT;
}

void
sched_join_count_letter(SchedJoinCounts *counts, SchedEdgeLetter letter)
{
	switch (letter)
	{
		case SCHED_LETTER_SATISFIED:
			counts->satisfied++;
			break;
		case SCHED_LETTER_FAILED:
			counts->failed++;
			break;
		case SCHED_LETTER_UPSTREAM_FAILED:
			counts->upstream_failed++;
			break;
		case SCHED_LETTER_SKIPPED:
			counts->skipped++;
			break;
		case SCHED_LETTER_PENDING:
			counts->pending++;
			break;
		case SCHED_LETTER_NONE:
			break;
	}
}

static SchedEdgeLetter
success_letter(SchedTaskStatus upstream)
{
	switch (upstream)
	{
		case SCHED_TASK_COMPLETED:
			return SCHED_LETTER_SATISFIED;
		case SCHED_TASK_FAILED:
		case SCHED_TASK_TIMEOUT:
		case SCHED_TASK_CANCELLED:
		case SCHED_TASK_MISSED:
			return SCHED_LETTER_FAILED;
		case SCHED_TASK_UPSTREAM_FAILED:
			return SCHED_LETTER_UPSTREAM_FAILED;
		case SCHED_TASK_SKIPPED:
			return SCHED_LETTER_SKIPPED;
		default:
			return SCHED_LETTER_PENDING;
	}
}

static SchedEdgeLetter
failure_letter(SchedTaskStatus upstream)
{
	switch (upstream)
	{
		case SCHED_TASK_FAILED:
		case SCHED_TASK_TIMEOUT:
		case SCHED_TASK_UPSTREAM_FAILED:
			return SCHED_LETTER_SATISFIED;
		case SCHED_TASK_COMPLETED:
		case SCHED_TASK_CANCELLED:
		case SCHED_TASK_SKIPPED:
		case SCHED_TASK_MISSED:
			return SCHED_LETTER_SKIPPED;
		default:
			return SCHED_LETTER_PENDING;
	}
}

/* An attempt that started and is now waiting for its retry did start. */
static SchedEdgeLetter
start_letter(SchedTaskStatus upstream, bool started)
{
	if (started || upstream == SCHED_TASK_RUNNING ||
		upstream == SCHED_TASK_WAITING_RETRY ||
		upstream == SCHED_TASK_COMPLETED)
		return SCHED_LETTER_SATISFIED;
	if (upstream == SCHED_TASK_UPSTREAM_FAILED)
		return SCHED_LETTER_UPSTREAM_FAILED;
	if (upstream == SCHED_TASK_SKIPPED)
		return SCHED_LETTER_SKIPPED;
	if (sched_task_status_is_terminal(upstream))
		return SCHED_LETTER_FAILED;
	return SCHED_LETTER_PENDING;
}

static SchedEdgeLetter
conditional_letter(SchedTaskStatus upstream, SchedConditionResult condition)
{
	if (!sched_task_status_is_terminal(upstream))
		return SCHED_LETTER_PENDING;
	if (upstream == SCHED_TASK_UPSTREAM_FAILED)
		return SCHED_LETTER_UPSTREAM_FAILED;

	switch (condition)
	{
		case SCHED_CONDITION_TRUE:
			return SCHED_LETTER_SATISFIED;
		case SCHED_CONDITION_FALSE:
			return SCHED_LETTER_SKIPPED;
		case SCHED_CONDITION_ERROR:
			return SCHED_LETTER_FAILED;
		case SCHED_CONDITION_UNKNOWN:
			break;
	}
	return SCHED_LETTER_PENDING;
}

SchedEdgeLetter
sched_edge_letter(SchedEdgeType type, SchedTaskStatus upstream, bool started,
				  SchedConditionResult condition)
{
	switch (type)
	{
		case SCHED_EDGE_SUCCESS:
			return success_letter(upstream);
		case SCHED_EDGE_FAILURE:
			return failure_letter(upstream);
		case SCHED_EDGE_START:
			return start_letter(upstream, started);
		case SCHED_EDGE_CONDITIONAL:
			return conditional_letter(upstream, condition);
		case SCHED_EDGE_COMPLETION:
		case SCHED_EDGE_SOFT:
			return sched_task_status_is_terminal(upstream) ?
				SCHED_LETTER_SATISFIED : SCHED_LETTER_PENDING;
		case SCHED_EDGE_MUTEX:
			break;
	}
	return SCHED_LETTER_NONE;
}

SchedEdgeLetter
sched_edge_letter_without_task(SchedEdgeType type)
{
	switch (type)
	{
		case SCHED_EDGE_SOFT:
			return SCHED_LETTER_SATISFIED;
		case SCHED_EDGE_MUTEX:
			return SCHED_LETTER_NONE;
		default:
			return SCHED_LETTER_PENDING;
	}
}
