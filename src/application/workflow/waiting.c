/*-------------------------------------------------------------------------
 *
 * waiting.c
 *	  The scheduler's care for tasks that wait for others.
 *
 * Most waiting tasks are made ready by whoever ends their last upstream
 * (queue_wait.c).  What is left is done here, by the tables: counting the letters of
 * a task that was read from them, matching edges that reach into other runs,
 * delays, starts, conditions, mutexes, the timeout of dependencies; and writing
 * the end of those that will not run (skipped, upstream_failed), with all that
 * follow from them, in one transaction.
 *
 * A task that has to be looked at has its timer set to now.  Before the tables are
 * read its count is marked void, so that what comes in meanwhile makes its timer
 * ring again.  Nothing durable says that a task is ready: it follows from the
 * outcomes, and from _letter, where what was matched or decided otherwise is
 * written.
 *
 * An edge that reaches into other runs is watched: which task watches which job
 * is in this process's memory.  A backend that makes or ends a task of a job with
 * dependents says so ("moved") while anything is watched.  Once a minute all
 * of these are looked at anyway.
 *
 * Takes no lock on a row; a task that another session is ending is left to it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "application/tasks/attempt.h"
#include "application/workflow/graph.h"
#include "application/workflow/match.h"
#include "application/tasks/record.h"
#include "application/workflow/waiting.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "infrastructure/clock.h"
#include "infrastructure/memory/pending.h"
#include "infrastructure/settings.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#define MAX_AT_ONCE		500		/* tasks of one transaction */
#define MAX_ENDED		5000	/* tasks that end in one transaction */
#define CONDITION_RETRY	(5 * USECS_PER_SEC)
#define AFTER_ERROR		(60 * USECS_PER_SEC)

/* Which tasks watch a job. */
typedef struct Watch
{
	int64		job_id;			/* hash key */
	int			count;
	int			capacity;
	int64	   *tasks;
} Watch;

/* What has been found out about a task. */
typedef struct Finding
{
	int64		task_id;
	int64		job_id;
	int64		run_id;
	SchedJoinRule rule;
	SchedJoinCounts counts;
	SchedJoinDecision decision;
	bool		ended;			/* by this transaction */
	int			mutex_count;
	int64	   *mutexes;		/* jobs whose tasks exclude it */
	int			hopeless;		/* pending edges that nothing will move */
	TimestampTz moved_at;		/* when the last of its upstreams ended */
	TimestampTz look_at;		/* 0: not by itself */
	char	   *reason;			/* of the first letter that is not S */
	char	   *stall;			/* of the first edge that is hopeless */
	SchedNode	node;
} Finding;

static int64 *strays;			/* in TopMemoryContext */
static int	stray_count;
static int	stray_capacity;
static int64 in_hand;			/* what is being looked at, 0: nothing */
static int64 rung[MAX_AT_ONCE];
static int	rung_count;
static HTAB *watches;
static int	watch_total;

/* ---------- watching ---------- */

static void
watch(int db, int64 job_id, int64 task_id)
{
	Watch	   *entry;
	bool		found;

	if (watches == NULL)
	{
		HASHCTL		control = {0};

		control.keysize = sizeof(int64);
		control.entrysize = sizeof(Watch);
		control.hcxt = TopMemoryContext;
		watches = hash_create("sched watches", 64, &control,
							  HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	entry = hash_search(watches, &job_id, HASH_ENTER, &found);
	if (!found)
	{
		entry->count = entry->capacity = 0;
		entry->tasks = NULL;
	}
	for (int i = 0; i < entry->count; i++)
		if (entry->tasks[i] == task_id)
			return;
	if (entry->count == entry->capacity)
	{
		int			capacity = Max(4, entry->capacity * 2);

		entry->tasks = entry->tasks == NULL ?
			MemoryContextAlloc(TopMemoryContext, capacity * sizeof(int64)) :
			repalloc(entry->tasks, capacity * sizeof(int64));
		entry->capacity = capacity;
	}
	entry->tasks[entry->count++] = task_id;
	watch_total++;

	/* before anything is read: who commits from now on says so */
	sched_lock(LW_EXCLUSIVE);
	sched_shared->databases[db].watches = watch_total;
	sched_unlock();
}

/* With the lock held: those who watch the job look again; others are forgotten. */
static void
look_again(int db, Watch *entry, TimestampTz now)
{
	int			kept = 0;

	for (int i = 0; i < entry->count; i++)
	{
		QTask	   *task = sched_queue_find(db, entry->tasks[i]);

		if (task == NULL || task->status != SCHED_TASK_WAITING)
			continue;
		sched_queue_evaluate(task, now);
		entry->tasks[kept++] = entry->tasks[i];
	}
	watch_total -= entry->count - kept;
	entry->count = kept;
}

static void
look_again_all(int db, TimestampTz now)
{
	HASH_SEQ_STATUS scan;
	Watch	   *entry;

	if (watches == NULL)
		return;
	hash_seq_init(&scan, watches);
	while ((entry = hash_seq_search(&scan)) != NULL)
	{
		look_again(db, entry, now);
		if (entry->count == 0)
		{
			/* plain memory of ours; nothing in here can fail */
			if (entry->tasks != NULL)
				pfree(entry->tasks);
			hash_search(watches, &entry->job_id, HASH_REMOVE, NULL);
		}
	}
}

/* Jobs of which a task began or ended. */
static void
take_moved(int db)
{
	SchedDatabase *database = &sched_shared->databases[db];
	TimestampTz now = sched_clock_now();

	sched_lock(LW_EXCLUSIVE);
	if (database->moved_overflow)
		look_again_all(db, now);
	for (int i = 0; i < database->moved_count && watches != NULL; i++)
	{
		Watch	   *entry = hash_search(watches, &database->moved[i],
										HASH_FIND, NULL);

		if (entry != NULL)
			look_again(db, entry, now);
	}
	database->moved_count = 0;
	database->moved_overflow = false;
	database->watches = watch_total;
	sched_unlock();
}

void
sched_waiting_recheck(int db, bool all)
{
	TimestampTz now = sched_clock_now();
	uint32		cursor = 0;
	QTask	   *task;

	sched_lock(LW_EXCLUSIVE);
	rung_count = 0;
	look_again_all(db, now);
	sched_shared->databases[db].watches = watch_total;
	if (sched_shared->databases[db].strays)
		sched_shared->databases[db].rescan = true;
	while ((task = sched_queue_next_task(db, &cursor)) != NULL)
		if (task->status == SCHED_TASK_WAITING && (all || !task->counted))
			sched_queue_evaluate(task, now);
	/* one that could not be looked at must not keep the others waiting */
	if (in_hand != 0 && (task = sched_queue_find(db, in_hand)) != NULL &&
		task->status == SCHED_TASK_WAITING)
		sched_queue_set_timer(task, now + AFTER_ERROR);
	in_hand = 0;
	sched_unlock();
}

/* ---------- letters ---------- */

/* Has an attempt of a task that has not ended started?  Else tell us when. */
static bool
has_started(int db, int64 task_id, TimestampTz *started_at)
{
	QTask	   *task;
	bool		started = false;

	sched_lock(LW_EXCLUSIVE);
	task = sched_queue_find(db, task_id);
	if (task != NULL && task->status == SCHED_TASK_RUNNING)
	{
		started = true;
		*started_at = task->started_at;
	}
	else if (task != NULL)
		task->start_watched = true;
	sched_unlock();
	return started;
}

static void
look_no_later_than(Finding *finding, TimestampTz at)
{
	if (finding->look_at == 0 || at < finding->look_at)
		finding->look_at = at;
}

/* What the edge makes of one upstream task. */
static SchedEdgeLetter
letter_of_task(int db, Finding *finding, int position,
			   const SchedEdge *edge, int64 task_id, TimestampTz now,
			   char **reason)
{
	int			attempt;
	char		code = 0;
	bool		final = false;
	bool		ended;
	bool		started = false;
	TimestampTz at = 0;
	SchedTaskStatus status = SCHED_TASK_WAITING;
	SchedEdgeLetter letter;

	ended = sched_store_last_outcome(task_id, &attempt, &code, &final, &at);
	if (ended && final)
		status = sched_outcome_status(code);
	else if (ended)
		status = SCHED_TASK_WAITING_RETRY;
	else
	{
		SchedTaskRow row;

		if (!sched_store_task(task_id, &row))
		{
			*reason = psprintf("no longer in the history (task %lld)",
							   (long long) task_id);
			return SCHED_LETTER_UPSTREAM_FAILED;
		}
	}
	if (final)
		finding->moved_at = Max(finding->moved_at, at);
	if (edge->type == SCHED_EDGE_START)
	{
		started = ended && code != SCHED_OUTCOME_RELEASED &&
			sched_store_started_at(task_id, &at);
		if (!started && !final)
			started = has_started(db, task_id, &at);
		letter = sched_edge_letter(SCHED_EDGE_START,
								   started || status != SCHED_TASK_WAITING_RETRY ?
								   status : SCHED_TASK_WAITING,
								   started, SCHED_CONDITION_UNKNOWN);
	}
	else
		letter = sched_edge_letter(edge->type, status, true,
								   SCHED_CONDITION_UNKNOWN);
	if (edge->type == SCHED_EDGE_CONDITIONAL && final &&
		letter == SCHED_LETTER_PENDING)
	{
		/* at the commit; asked once more in case that there was no room */
		SchedJob   *job = sched_store_job(finding->job_id);

		if (job != NULL)
			sched_pending_chore(job->owner, SCHED_CHORE_CONDITION,
								finding->task_id, position);
		look_no_later_than(finding, now + CONDITION_RETRY);
		return SCHED_LETTER_PENDING;
	}
	if (letter == SCHED_LETTER_SATISFIED && edge->delay > 0 &&
		at + edge->delay > now)
	{
		look_no_later_than(finding, at + edge->delay);
		return SCHED_LETTER_PENDING;
	}
	if (letter != SCHED_LETTER_SATISFIED && letter != SCHED_LETTER_PENDING)
		*reason = psprintf("%s (task %lld)", sched_task_status_name(status),
						   (long long) task_id);
	return letter;
}

/* The letter of several tasks together: the worst of them. */
static SchedEdgeLetter
worse(SchedEdgeLetter a, SchedEdgeLetter b)
{
	static const char order[] = "PFUKS";

	return strchr(order, a) < strchr(order, b) ? a : b;
}

static void
remember(const Finding *finding, int position, SchedEdgeLetter letter,
		 int64 upstream_task, const char *reason, TimestampTz now)
{
	SchedLetterRow row = {0};

	row.task_id = finding->task_id;
	row.edge = position;
	row.letter = letter;
	row.upstream_task = upstream_task;
	row.decided_at = now;
	row.reason = reason;
	sched_store_insert_letters(&row, 1);
}

/* Will a task of the job come without somebody ordering it? */
static bool
may_come(int64 job_id)
{
	static SPIPlanPtr plan = NULL;
	Oid			types[1] = {INT8OID};
	Datum		args[1] = {Int64GetDatum(job_id)};
	bool		isnull;

	if (plan == NULL)
	{
		SPIPlanPtr	prepared = SPI_prepare("SELECT sched._may_come($1)", 1,
										   types);

		if (prepared == NULL || SPI_keepplan(prepared) != 0)
			elog(ERROR, "could not prepare _may_come");
		plan = prepared;
	}
	if (SPI_execute_plan(plan, args, NULL, false, 1) != SPI_OK_SELECT ||
		SPI_processed != 1)
		elog(ERROR, "could not execute _may_come");
	return DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0],
									  SPI_tuptable->tupdesc, 1, &isnull));
}

/* An edge that no task of the run answers. */
static SchedEdgeLetter
letter_by_match(int db, Finding *finding, int position, const SchedEdge *edge,
				const SchedTaskRow *task, TimestampTz now, char **reason)
{
	SchedMatchResult match;
	SchedEdgeLetter letter = SCHED_LETTER_PENDING;

	watch(db, edge->upstream_id, finding->task_id);
	sched_match(edge, task, now, &match);
	if (match.kind == SCHED_MATCH_SEVERAL &&
		edge->type == SCHED_EDGE_CONDITIONAL)
	{
		match.kind = SCHED_MATCH_FOUND; /* a condition looks at the newest */
		match.task_id = match.task_ids[0];
	}
	switch (match.kind)
	{
		case SCHED_MATCH_FOUND:
			remember(finding, position, SCHED_LETTER_PENDING, match.task_id,
					 NULL, now);
			return letter_of_task(db, finding, position, edge, match.task_id,
								  now, reason);
		case SCHED_MATCH_SEVERAL:
			letter = SCHED_LETTER_SATISFIED;
			for (int i = 0; i < match.count; i++)
				letter = worse(letter,
							   letter_of_task(db, finding, position, edge,
											  match.task_ids[i], now, reason));
			if (letter != SCHED_LETTER_PENDING)
				remember(finding, position, letter, match.task_ids[0], *reason,
						 now);
			return letter;
		case SCHED_MATCH_NOT_YET:
			if (edge->type == SCHED_EDGE_SOFT)
				return sched_edge_letter_without_task(edge->type);
			if (task->trigger_id == SCHED_UNSET && !may_come(edge->upstream_id))
			{
				*reason = "stalled: nothing will start a task of it";
				finding->hopeless++;
			}
			return SCHED_LETTER_PENDING;
		case SCHED_MATCH_NEVER:
			if (edge->type == SCHED_EDGE_SOFT)
				return sched_edge_letter_without_task(edge->type);
			*reason = pstrdup(match.reason);
			remember(finding, position, SCHED_LETTER_UPSTREAM_FAILED, 0,
					 match.reason, now);
			return SCHED_LETTER_UPSTREAM_FAILED;
	}
	return letter;
}

/* ---------- one task ---------- */

static void
note_reason(Finding *finding, const SchedEdge *edge, SchedEdgeLetter letter,
			const char *reason)
{
	SchedJob   *upstream;
	char	  **place = letter == SCHED_LETTER_PENDING ? &finding->stall :
	&finding->reason;

	if (*place != NULL || letter == SCHED_LETTER_SATISFIED ||
		(letter == SCHED_LETTER_PENDING && reason == NULL))
		return;
	upstream = sched_store_job(edge->upstream_id);
	*place = psprintf("dependency on job \"%s\": %s",
					  upstream == NULL ? "?" : upstream->name,
					  reason == NULL ? "not met" : reason);
}

/*
 * Nothing will move it by itself.  That may be what somebody wants who orders the
 * rest by hand; after a while it is taken for a mistake.
 */
static void
check_stall(Finding *finding, const SchedTaskRow *task, TimestampTz now)
{
	TimestampTz since = Max(Max(task->created_at, task->scheduled_at),
							finding->moved_at);

	if (sched_stall_timeout == 0 ||
		finding->decision != SCHED_DECISION_WAIT ||
		finding->hopeless == 0 ||
		finding->hopeless < finding->counts.pending)
		return;
	since += sched_stall_timeout * USECS_PER_SEC;
	if (now >= since)
	{
		finding->decision = SCHED_DECISION_UPSTREAM_FAILED;
		finding->reason = finding->stall;
	}
	else
		look_no_later_than(finding, since);
}

/*
 * Count the letters of a task.  False when it is no waiting task any more.
 * Queries leave SPI's own context current, which ends before the mutexes are
 * looked at: those go to the caller's.
 */
static bool
find_out(int db, int64 task_id, TimestampTz now, Finding *finding)
{
	MemoryContext context = CurrentMemoryContext;
	SchedTaskRow task;
	SchedLetterRow *letters;
	int			letter_count;
	int			attempt;
	char		code;
	bool		final;
	TimestampTz at;

	in_hand = task_id;
	MemSet(finding, 0, sizeof(Finding));
	finding->task_id = task_id;
	/* ended, perhaps by this very transaction; or at least begun */
	if (!sched_store_task(task_id, &task) ||
		sched_store_last_outcome(task_id, &attempt, &code, &final, &at))
		return false;
	finding->job_id = task.job_id;
	finding->run_id = task.run_id;
	if (!sched_store_node(task_id, &finding->node))
		finding->node.rule = SCHED_JOIN_ALL_SUCCESS;
	finding->rule = finding->node.rule;
	letters = sched_store_letters(task_id, &letter_count);

	for (int i = 0; i < finding->node.in_count; i++)
	{
		SchedEdge	edge;
		SchedEdgeLetter letter = SCHED_LETTER_PENDING;
		int64		upstream_task = finding->node.in_tasks[i];
		char	   *reason = NULL;

		if (!sched_store_edge(finding->node.in_edges[i], &edge))
			continue;
		if (edge.type == SCHED_EDGE_MUTEX)
		{
			if (finding->mutexes == NULL)
				finding->mutexes = MemoryContextAlloc(context,
													  finding->node.in_count *
													  sizeof(int64));
			finding->mutexes[finding->mutex_count++] = edge.upstream_id;
			watch(db, edge.upstream_id, task_id);
			continue;
		}
		for (int k = 0; k < letter_count; k++)
		{
			if (letters[k].edge != i)
				continue;
			if (letters[k].letter != SCHED_LETTER_PENDING)
			{
				letter = letters[k].letter;
				reason = unconstify(char *, letters[k].reason);
			}
			else
			{
				upstream_task = letters[k].upstream_task;
				watch(db, edge.upstream_id, task_id);
			}
		}
		/* a start leaves no row that would bring us here again */
		if (letter == SCHED_LETTER_PENDING && edge.type == SCHED_EDGE_START &&
			upstream_task != 0)
			watch(db, edge.upstream_id, task_id);
		if (letter == SCHED_LETTER_PENDING)
			letter = upstream_task != 0 ?
				letter_of_task(db, finding, i, &edge, upstream_task, now,
							   &reason) :
				letter_by_match(db, finding, i, &edge, &task, now, &reason);
		note_reason(finding, &edge, letter, reason);
		sched_join_count_letter(&finding->counts, letter);
	}
	finding->decision = sched_join_decide(finding->rule, &finding->counts);
	if (finding->node.give_up_at != 0)
	{
		if (finding->decision == SCHED_DECISION_WAIT &&
			now >= finding->node.give_up_at)
		{
			finding->decision = finding->rule == SCHED_JOIN_ALL_DONE ?
				SCHED_DECISION_RUN : SCHED_DECISION_UPSTREAM_FAILED;
			if (finding->decision == SCHED_DECISION_RUN)
				finding->counts.pending = 0;
			else
				finding->reason =
					psprintf("dependency_timeout: %d of its dependencies had not ended",
							 finding->counts.pending);
		}
		else
			look_no_later_than(finding, finding->node.give_up_at);
	}
	check_stall(finding, &task, now);
	return true;
}

/* It will not run: write that.  False while another session is ending it. */
static bool
end_it(Finding *finding, TimestampTz now)
{
	SchedOutcome outcome = {0};

	if (!sched_pending_reserve_task(finding->task_id))
		return false;
	outcome.task_id = finding->task_id;
	outcome.job_id = finding->job_id;
	outcome.run_id = finding->run_id;
	outcome.attempt = 1;
	outcome.status = finding->decision == SCHED_DECISION_SKIP ?
		SCHED_OUTCOME_SKIPPED : SCHED_OUTCOME_UPSTREAM_FAILED;
	outcome.final = true;
	outcome.finished_at = now;
	outcome.row_count = SCHED_UNSET;
	outcome.progress = -1;
	outcome.reason = finding->reason != NULL ? finding->reason :
		psprintf("trigger_rule %s", sched_join_rule_name(finding->rule));
	sched_record_outcomes(&outcome, 1);
	CommandCounterIncrement();
	sched_pending_finish_task(finding->task_id);
	finding->ended = true;
	return true;
}

/* What memory says of a task. */
typedef enum Whereabouts
{
	WAITS,
	NOT_THERE,					/* ended, or there was no room for it */
	ELSEWHERE					/* it waits no longer */
} Whereabouts;

static Whereabouts
whereabouts(int db, int64 task_id)
{
	QTask	   *task;
	Whereabouts result;

	sched_lock(LW_SHARED);
	task = sched_queue_find(db, task_id);
	result = task == NULL ? NOT_THERE :
		task->status == SCHED_TASK_WAITING ? WAITS : ELSEWHERE;
	sched_unlock();
	return result;
}

static int
compare_ids(const void *a, const void *b)
{
	int64		x = *(const int64 *) a;
	int64		y = *(const int64 *) b;

	return x < y ? -1 : x > y ? 1 : 0;
}

/*
 * All that follow from tasks that end: level by level, each once per level.
 * What waits for something else yet learns of it at the commit.
 */
static void
end_followers(int db, List *ended, TimestampTz now)
{
	int			total = list_length(ended);

	while (ended != NIL && total < MAX_ENDED)
	{
		int			count = 0;
		int64	   *next;
		ListCell   *cell;
		List	   *level = NIL;

		foreach(cell, ended)
			count += ((Finding *) lfirst(cell))->node.out_count;
		next = palloc(Max(count, 1) * sizeof(int64));
		count = 0;
		foreach(cell, ended)
		{
			Finding    *finding = lfirst(cell);

			memcpy(next + count, finding->node.out_tasks,
				   finding->node.out_count * sizeof(int64));
			count += finding->node.out_count;
		}
		qsort(next, count, sizeof(int64), compare_ids);
		for (int i = 0; i < count; i++)
		{
			Finding    *finding;

			if ((i > 0 && next[i] == next[i - 1]) ||
				whereabouts(db, next[i]) != WAITS)
				continue;
			finding = palloc(sizeof(Finding));
			if (find_out(db, next[i], now, finding) &&
				(finding->decision == SCHED_DECISION_SKIP ||
				 finding->decision == SCHED_DECISION_UPSTREAM_FAILED) &&
				end_it(finding, now))
			{
				level = lappend(level, finding);
				total++;
			}
			CHECK_FOR_INTERRUPTS();
		}
		ended = level;
	}
}

/* ---------- the turn ---------- */

bool
sched_waiting_rings(QTask *task)
{
	if (rung_count == MAX_AT_ONCE)
		return false;
	sched_queue_set_timer(task, 0);
	task->counted = false;
	rung[rung_count++] = task->task_id;
	return true;
}

void
sched_waiting_stray(int64 task_id)
{
	if (stray_count == stray_capacity)
	{
		stray_capacity = Max(256, stray_capacity * 2);
		strays = strays == NULL ?
			MemoryContextAllocHuge(TopMemoryContext,
								   stray_capacity * sizeof(int64)) :
			repalloc_huge(strays, stray_capacity * sizeof(int64));
	}
	strays[stray_count++] = task_id;
}

/* Those of which something has been heard. */
static void
take_strays(int db)
{
	SchedDatabase *database = &sched_shared->databases[db];
	int64		heard[SCHED_MOVED_RING];
	int			count;

	if (!database->strays)
		return;
	sched_lock(LW_EXCLUSIVE);
	count = database->stray_count;
	memcpy(heard, database->stray, count * sizeof(int64));
	database->stray_count = 0;
	if (database->stray_overflow)
		database->rescan = true;	/* reads all of them anew */
	database->stray_overflow = false;
	sched_unlock();
	for (int i = 0; i < count; i++)
		sched_waiting_stray(heard[i]);
	while (stray_count > 0 && rung_count < MAX_AT_ONCE)
		rung[rung_count++] = strays[--stray_count];
}

/*
 * A task that was left out of memory while it waited, and need not wait any
 * longer: it goes in as one that is ready.
 */
static void
let_in(const Finding *finding, TimestampTz now)
{
	uint32		generation = sched_pending_job_generation();
	SchedJob   *job = sched_store_job(finding->job_id);
	SchedTaskRow row;
	QLaneSpec	lane;
	QTaskSpec	spec = {0};

	if (job == NULL || !sched_store_task(finding->task_id, &row))
		return;
	sched_lane_spec(job, &lane);
	spec.task_id = row.task_id;
	spec.run_id = row.run_id;
	spec.due_at = now;
	spec.scheduled_at = row.scheduled_at;
	spec.has_parameters = row.parameters != NULL;
	spec.priority = row.priority != 0 ? row.priority : job->priority;
	spec.attempt = 1;
	spec.serial = row.trigger_id != SCHED_UNSET &&
		job->overlap_policy != SCHED_OVERLAP_ALLOW;
	sched_pending_add_task(&lane, &spec, generation);
}

/* May the task start, as far as mutexes go?  With the lock held. */
static bool
has_its_turn(int db, const Finding *finding)
{
	for (int i = 0; i < finding->mutex_count; i++)
	{
		QLane	   *lane = sched_queue_find_lane(db, finding->mutexes[i]);

		if (lane != NULL && lane->occupied > lane->waiting)
			return false;
	}
	return true;
}

static void
apply(int db, const Finding *findings, int count, uint64 before)
{
	TimestampTz now = sched_clock_now();

	sched_lock(LW_EXCLUSIVE);
	for (int i = 0; i < count; i++)
	{
		const Finding *finding = &findings[i];
		QTask	   *task;

		if (finding->ended)
			continue;
		task = sched_queue_find(db, finding->task_id);
		if (task == NULL || task->status != SCHED_TASK_WAITING)
			continue;
		if (finding->decision == SCHED_DECISION_SKIP ||
			finding->decision == SCHED_DECISION_UPSTREAM_FAILED)
		{
			/* somebody else is about to end it: see what becomes of that */
			sched_queue_set_timer(task, now + 100 * 1000);
			continue;
		}
		sched_queue_counted(task, &finding->counts, finding->mutex_count > 0,
							has_its_turn(db, finding), before,
							finding->look_at, now);
	}
	sched_unlock();
}

bool
sched_waiting_turn(int db)
{
	TimestampTz now = sched_clock_now();
	Finding    *findings;
	int			count = 0;
	List	   *ended = NIL;
	uint64		before;
	MemoryContext context;
	MemoryContext old;
	Whereabouts where;

	take_moved(db);
	take_strays(db);
	if (rung_count == 0)
		return false;

	context = AllocSetContextCreate(CurrentMemoryContext, "sched findings",
									ALLOCSET_DEFAULT_SIZES);
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	old = MemoryContextSwitchTo(context);
	findings = palloc(rung_count * sizeof(Finding));
	for (int i = 0; i < rung_count; i++)
	{
		Finding    *finding = &findings[count];

		MemoryContextSwitchTo(context);
		if (!find_out(db, rung[i], now, finding))
			continue;
		count++;
		where = whereabouts(db, finding->task_id);
		if ((finding->decision == SCHED_DECISION_SKIP ||
			 finding->decision == SCHED_DECISION_UPSTREAM_FAILED) &&
			where != ELSEWHERE && end_it(finding, now))
			ended = lappend(ended, finding);
		else if (finding->decision == SCHED_DECISION_RUN &&
				 where == NOT_THERE && finding->mutex_count == 0)
			let_in(finding, now);
		CHECK_FOR_INTERRUPTS();
	}
	/* what begins later is in none of the snapshots that were read by */
	before = U64FromFullTransactionId(ReadNextFullTransactionId());
	end_followers(db, ended, now);
	MemoryContextSwitchTo(old);
	SPI_finish();
	PopActiveSnapshot();
	CommitTransactionCommand();
	in_hand = 0;

	apply(db, findings, count, before);
	MemoryContextDelete(context);
	rung_count = 0;
	return true;
}
