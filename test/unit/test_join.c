/*-------------------------------------------------------------------------
 *
 * test_join.c
 *	  Join rules decide as cases/trigger_rules.tsv says, and edges turn
 *	  outcomes into the documented letters.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include "domain/join.h"
#include "unit.h"

#ifndef UNIT_CASES
#define UNIT_CASES "test/unit/cases"
#endif

static void
test_cases(void)
{
	FILE	   *file = fopen(UNIT_CASES "/trigger_rules.tsv", "r");
	char		line[256];
	int			cases = 0;

	if (file == NULL)
	{
		printf("Bail out! cannot open %s/trigger_rules.tsv\n", UNIT_CASES);
		exit(1);
	}
	while (fgets(line, sizeof(line), file) != NULL)
	{
		char		rule_name[64];
		char		letters[64];
		char		decision[64];
		SchedJoinRule rule = SCHED_JOIN_ALWAYS;
		SchedJoinCounts counts = {0};

		if (sscanf(line, "%63s %63s %63s", rule_name, letters, decision) != 3 ||
			strcmp(rule_name, "rule") == 0)
			continue;
		cases++;
		for (const char *c = letters; *c != '\0'; c++)
		{
			if (*c != ',')
				sched_join_count_letter(&counts, (SchedEdgeLetter) *c);
		}
		if (unit_ok(sched_join_rule_from_name(rule_name, &rule),
					"%s is a rule", rule_name))
			unit_is_str(sched_join_decision_name(sched_join_decide(rule, &counts)),
						decision, psprintf("%s of %s", rule_name, letters));
	}
	fclose(file);
	unit_ok(cases >= 300, "there are %d cases", cases);
}

/*
 * Whatever a rule decides early, it would not decide otherwise when the rest
 * is known, unless that is in its nature (a skip may hide a later failure).
 */
static void
test_early_decisions(void)
{
	static const char letters[] = "SFUK";

	for (int r = 0; r < SCHED_JOIN_RULE_COUNT; r++)
	{
		SchedJoinRule rule = (SchedJoinRule) r;
		bool		no_wait_at_end = true;
		bool		run_is_final = true;

		for (int n = 0; n < 256; n++)
		{
			SchedJoinCounts counts = {0};
			SchedJoinDecision first;
			SchedJoinDecision last;

			for (int i = 0; i < 3; i++)
				sched_join_count_letter(&counts,
										(SchedEdgeLetter) letters[(n >> (2 * i)) & 3]);
			counts.pending = 1;
			first = sched_join_decide(rule, &counts);
			counts.pending = 0;
			sched_join_count_letter(&counts, (SchedEdgeLetter) letters[(n >> 6) & 3]);
			last = sched_join_decide(rule, &counts);
			if (last == SCHED_DECISION_WAIT)
				no_wait_at_end = false;
			if (first == SCHED_DECISION_RUN && last != SCHED_DECISION_RUN)
				run_is_final = false;
		}
		unit_ok(no_wait_at_end, "%s waits for nothing when all are done",
				sched_join_rule_name(rule));
		unit_ok(run_is_final, "%s runs early only if it would run at the end",
				sched_join_rule_name(rule));
	}
}

static void
test_without_upstreams(void)
{
	SchedJoinCounts none = {0};

	for (int r = 0; r < SCHED_JOIN_RULE_COUNT; r++)
		unit_ok(sched_join_decide((SchedJoinRule) r, &none) == SCHED_DECISION_RUN,
				"%s without upstreams runs",
				sched_join_rule_name((SchedJoinRule) r));
}

/*
 * Per edge type: the letters for completed, failed, timeout, cancelled,
 * skipped, upstream_failed and missed.
 */
typedef struct EdgeRow
{
	SchedEdgeType type;
	bool		started;
	SchedConditionResult condition;
	const char *letters;
} EdgeRow;

static const EdgeRow edge_rows[] = {
	{SCHED_EDGE_SUCCESS, true, SCHED_CONDITION_UNKNOWN, "SFFFKUF"},
	{SCHED_EDGE_COMPLETION, true, SCHED_CONDITION_UNKNOWN, "SSSSSSS"},
	{SCHED_EDGE_FAILURE, true, SCHED_CONDITION_UNKNOWN, "KSSKKSK"},
	{SCHED_EDGE_START, true, SCHED_CONDITION_UNKNOWN, "SSSSSSS"},
	{SCHED_EDGE_START, false, SCHED_CONDITION_UNKNOWN, "SFFFKUF"},
	{SCHED_EDGE_CONDITIONAL, true, SCHED_CONDITION_TRUE, "SSSSSUS"},
	{SCHED_EDGE_CONDITIONAL, true, SCHED_CONDITION_FALSE, "KKKKKUK"},
	{SCHED_EDGE_CONDITIONAL, true, SCHED_CONDITION_ERROR, "FFFFFUF"},
	{SCHED_EDGE_CONDITIONAL, true, SCHED_CONDITION_UNKNOWN, "PPPPPUP"},
	{SCHED_EDGE_SOFT, true, SCHED_CONDITION_UNKNOWN, "SSSSSSS"},
	{SCHED_EDGE_MUTEX, true, SCHED_CONDITION_UNKNOWN, "-------"},
};

static void
test_edges(void)
{
	for (int i = 0; i < lengthof(edge_rows); i++)
	{
		const EdgeRow *row = &edge_rows[i];

		for (int s = 0; s < 7; s++)
		{
			SchedTaskStatus status = (SchedTaskStatus) (SCHED_TASK_COMPLETED + s);

			unit_is_int(sched_edge_letter(row->type, status, row->started,
										  row->condition),
						row->letters[s],
						psprintf("%s edge, row %d, upstream %s",
								 sched_edge_type_name(row->type), i,
								 sched_task_status_name(status)));
		}
	}
	for (int s = 0; s < SCHED_TASK_COMPLETED; s++)
	{
		SchedTaskStatus status = (SchedTaskStatus) s;
		bool		running = status == SCHED_TASK_RUNNING ||
		status == SCHED_TASK_WAITING_RETRY;

		for (int type = 0; type < SCHED_EDGE_MUTEX; type++)
			unit_is_int(sched_edge_letter((SchedEdgeType) type, status, false,
										  SCHED_CONDITION_TRUE),
						type == SCHED_EDGE_START && running ? 'S' : 'P',
						psprintf("%s edge, upstream still %s",
								 sched_edge_type_name((SchedEdgeType) type),
								 sched_task_status_name(status)));
	}
	unit_is_int(sched_edge_letter_without_task(SCHED_EDGE_SOFT), 'S',
				"a soft edge without a task is satisfied");
	unit_is_int(sched_edge_letter_without_task(SCHED_EDGE_SUCCESS), 'P',
				"a success edge without a task is pending");
	unit_is_int(sched_edge_letter_without_task(SCHED_EDGE_MUTEX), '-',
				"a mutex edge is no part of the rule");
}

static void
test_names(void)
{
	SchedJoinRule rule = SCHED_JOIN_ALWAYS;
	SchedEdgeType type = SCHED_EDGE_MUTEX;

	for (int i = 0; i < SCHED_JOIN_RULE_COUNT; i++)
		unit_ok(sched_join_rule_from_name(sched_join_rule_name((SchedJoinRule) i),
										  &rule) && rule == i,
				"rule %s is found by its name",
				sched_join_rule_name((SchedJoinRule) i));
	for (int i = 0; i < SCHED_EDGE_TYPE_COUNT; i++)
		unit_ok(sched_edge_type_from_name(sched_edge_type_name((SchedEdgeType) i),
										  &type) && type == i,
				"edge type %s is found by its name",
				sched_edge_type_name((SchedEdgeType) i));
	unit_ok(!sched_join_rule_from_name("ALL_SUCCESS", &rule) &&
			!sched_edge_type_from_name("hard", &type),
			"other words are refused");
}

int
main(void)
{
	test_cases();
	test_early_decisions();
	test_without_upstreams();
	test_edges();
	test_names();
	return unit_done();
}
