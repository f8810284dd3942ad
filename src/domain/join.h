/*-------------------------------------------------------------------------
 *
 * join.h
 *	  How the outcomes of upstream tasks decide about a task.
 *
 * Each dependency edge turns its upstream's outcome into a letter; the join
 * rule (trigger_rule) decides over the number of each letter.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_JOIN_H
#define SCHED_JOIN_H

#include "domain/domain.h"
#include "domain/state.h"

typedef enum SchedJoinRule
{
	SCHED_JOIN_ALL_SUCCESS,
	SCHED_JOIN_ALL_DONE,
	SCHED_JOIN_ALL_FAILED,
	SCHED_JOIN_ONE_SUCCESS,
	SCHED_JOIN_ONE_FAILED,
	SCHED_JOIN_ONE_DONE,
	SCHED_JOIN_NONE_FAILED,
	SCHED_JOIN_NONE_FAILED_MIN_ONE_SUCCESS,
	SCHED_JOIN_ALL_DONE_MIN_ONE_SUCCESS,
	SCHED_JOIN_NONE_SKIPPED,
	SCHED_JOIN_ALL_SKIPPED,
	SCHED_JOIN_ALWAYS
} SchedJoinRule;

#define SCHED_JOIN_RULE_COUNT	(SCHED_JOIN_ALWAYS + 1)

typedef struct SchedJoinCounts
{
	int			satisfied;		/* S */
	int			failed;			/* F */
	int			upstream_failed;	/* U */
	int			skipped;		/* K */
	int			pending;		/* P */
} SchedJoinCounts;

typedef enum SchedJoinDecision
{
	SCHED_DECISION_WAIT,
	SCHED_DECISION_RUN,
	SCHED_DECISION_SKIP,
	SCHED_DECISION_UPSTREAM_FAILED
} SchedJoinDecision;

#define SCHED_JOIN_DECISION_COUNT	(SCHED_DECISION_UPSTREAM_FAILED + 1)

/* What the rule says now.  Without any upstream the answer is RUN. */
extern SchedJoinDecision sched_join_decide(SchedJoinRule rule,
										   const SchedJoinCounts *counts);

typedef enum SchedEdgeType
{
	SCHED_EDGE_SUCCESS,
	SCHED_EDGE_COMPLETION,
	SCHED_EDGE_FAILURE,
	SCHED_EDGE_START,
	SCHED_EDGE_CONDITIONAL,
	SCHED_EDGE_SOFT,
	SCHED_EDGE_MUTEX
} SchedEdgeType;

#define SCHED_EDGE_TYPE_COUNT	(SCHED_EDGE_MUTEX + 1)

/* The letters are their own characters, as the tables store them. */
typedef enum SchedEdgeLetter
{
	SCHED_LETTER_SATISFIED = 'S',
	SCHED_LETTER_FAILED = 'F',
	SCHED_LETTER_UPSTREAM_FAILED = 'U',
	SCHED_LETTER_SKIPPED = 'K',
	SCHED_LETTER_PENDING = 'P',
	SCHED_LETTER_NONE = '-'		/* no part of the rule (mutex) */
} SchedEdgeLetter;

typedef enum SchedConditionResult
{
	SCHED_CONDITION_UNKNOWN,	/* not evaluated yet */
	SCHED_CONDITION_TRUE,
	SCHED_CONDITION_FALSE,		/* or NULL */
	SCHED_CONDITION_ERROR
} SchedConditionResult;

/*
 * The letter for an upstream task in this state.  started: did any attempt of
 * it ever start (only "start" edges look at it; the caller keeps the edge
 * pending until its delay is over).  condition: only for "conditional", to be
 * evaluated once the upstream is terminal.
 */
extern SchedEdgeLetter sched_edge_letter(SchedEdgeType type,
										 SchedTaskStatus upstream,
										 bool started,
										 SchedConditionResult condition);

/* The letter while the upstream has no task that matches. */
extern SchedEdgeLetter sched_edge_letter_without_task(SchedEdgeType type);

/* Adds one letter to the counts; NONE adds nothing. */
extern void sched_join_count_letter(SchedJoinCounts *counts,
									SchedEdgeLetter letter);

extern const char *sched_join_rule_name(SchedJoinRule rule);
extern bool sched_join_rule_from_name(const char *name, SchedJoinRule *rule);
extern const char *sched_join_decision_name(SchedJoinDecision decision);
extern const char *sched_edge_type_name(SchedEdgeType type);
extern bool sched_edge_type_from_name(const char *name, SchedEdgeType *type);

#endif							/* SCHED_JOIN_H */
