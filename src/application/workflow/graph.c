/*-------------------------------------------------------------------------
 *
 * graph.c
 *	  Runs: the tasks that follow from a task, and what its end means for them.
 *
 * When the root of a run is made (ordered, or fired by a trigger), so are, in
 * the same transaction, the tasks of all jobs that follow from it: those
 * that depend on its job or on a job of the run, have no trigger of their own,
 * and are active or paused.  All of them have the root's run_id and nominal
 * time.  Each has a row in _node, which says for which tasks it waits and which
 * wait for it; so runs are never mixed, and an edge that comes or goes later
 * means nothing for a run that has begun.
 *
 * When a task ends, whoever writes its outcome looks up its row in _node and notes
 * a letter for each task that waits for it, which is counted at his commit
 * (queue_wait.c).  Nothing is written: a task whose upstreams have ended is ready
 * by their outcomes.  What a letter alone cannot say is noted as "have a
 * look", and the scheduler does (waiting.c).
 *
 * out_types has one character for each waiting task: s, c, f, o for an edge of
 * type success, completion, failure, soft; ? for one that the scheduler has to
 * look at.
 *
 * Jobs that nobody depends on and that depend on nobody are known as such by
 * every backend until some job changes; their tasks cost one look there.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "application/tasks/attempt.h"
#include "application/workflow/graph.h"
#include "application/tasks/record.h"
#include "application/executors/routing.h"
#include "application/tasks/tasks.h"
#include "infrastructure/clock.h"
#include "infrastructure/memory/pending.h"
#include "miscadmin.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

/* What a job is to others. */
#define ROLE_UPSTREAM	1		/* others depend on it, or did */
#define ROLE_WAITS		2		/* it depends on others */
#define ROLE_EXCLUDES	4		/* some of these edges are mutexes */

typedef struct Role
{
	int64		job_id;			/* hash key */
	int			role;
} Role;

/* A task of a run that is being made. */
typedef struct Member
{
	int64		job_id;			/* hash key */
	SchedJob   *job;			/* NULL: the root, whose caller has it */
	SchedTaskRow *row;
	SchedNode	node;
	int			out_capacity;
	bool		evaluate;
	bool		guarded;
	int			pending;
	struct Member *next;		/* in the order of discovery */
} Member;

typedef struct Run
{
	HTAB	   *by_job;
	Member	   *first;
	Member	   *last;
	int			count;
	TimestampTz now;
	const SchedTaskRow *root;
} Run;

/* ---------- what jobs are to others ---------- */

static HTAB *roles = NULL;
static uint32 roles_generation;

static int
read_role(int64 job_id)
{
	int			role = 0;
	int			count;
	SchedEdge  *edges = sched_store_edges_on(job_id, &count);

	if (count > 0)
		role |= ROLE_UPSTREAM;
	if (edges != NULL)
		pfree(edges);
	edges = sched_store_edges_of(job_id, &count);
	for (int i = 0; i < count; i++)
	{
		if (edges[i].removed)
			continue;
		role |= ROLE_WAITS;
		if (edges[i].type == SCHED_EDGE_MUTEX)
			role |= ROLE_EXCLUDES;
	}
	if (edges != NULL)
		pfree(edges);
	return role;
}

/* Known until the next change of any job or dependency. */
static int
role_of(int64 job_id)
{
	uint32		generation = sched_pending_job_generation();
	Role	   *found;
	bool		known;
	int			role;

	if (sched_shmem_my_database() < 0)
		return read_role(job_id);
	if (roles != NULL && roles_generation != generation)
	{
		hash_destroy(roles);
		roles = NULL;
	}
	if (roles == NULL)
	{
		HASHCTL		control = {0};

		control.keysize = sizeof(int64);
		control.entrysize = sizeof(Role);
		control.hcxt = TopMemoryContext;
		roles = hash_create("sched roles of jobs", 256, &control,
							HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
		roles_generation = generation;
	}
	found = hash_search(roles, &job_id, HASH_FIND, NULL);
	if (found != NULL)
		return found->role;
	role = read_role(job_id);
	found = hash_search(roles, &job_id, HASH_ENTER, &known);
	found->role = role;
	return role;
}

SchedTaskStatus
sched_outcome_status(char code)
{
	switch (code)
	{
		case SCHED_OUTCOME_COMPLETED:
			return SCHED_TASK_COMPLETED;
		case SCHED_OUTCOME_TIMEOUT:
			return SCHED_TASK_TIMEOUT;
		case SCHED_OUTCOME_CANCELLED:
			return SCHED_TASK_CANCELLED;
		case SCHED_OUTCOME_SKIPPED:
			return SCHED_TASK_SKIPPED;
		case SCHED_OUTCOME_UPSTREAM_FAILED:
			return SCHED_TASK_UPSTREAM_FAILED;
		case SCHED_OUTCOME_MISSED:
			return SCHED_TASK_MISSED;
		default:
			return SCHED_TASK_FAILED;
	}
}

static TimestampTz
give_up_at(const SchedJob *job, TimestampTz due_at)
{
	return job->dependency_timeout > 0 ?
		Max(due_at, sched_clock_now()) + job->dependency_timeout : 0;
}

SchedWaits
sched_graph_waits(const SchedJob *job, bool fired, TimestampTz due_at,
				  QTaskSpec *spec)
{
	int			role = role_of(job->job_id);
	SchedWaits	waits = SCHED_WAITS_FOR_NOTHING;

	if (fired && (role & ROLE_WAITS))
		waits = SCHED_WAITS_FOR_ALL;
	else if (role & ROLE_EXCLUDES)
		waits = SCHED_WAITS_FOR_MUTEX;
	if (waits == SCHED_WAITS_FOR_NOTHING)
		return waits;
	spec->waits = true;
	spec->evaluate = true;
	spec->rule = waits == SCHED_WAITS_FOR_ALL ? job->trigger_rule :
		SCHED_JOIN_ALL_SUCCESS;
	spec->give_up_at = waits == SCHED_WAITS_FOR_ALL ?
		give_up_at(job, due_at) : 0;
	return waits;
}

/* ---------- making a run ---------- */

static Member *
add_member(Run *run, int64 job_id, SchedJob *job)
{
	bool		found;
	Member	   *member = hash_search(run->by_job, &job_id, HASH_ENTER, &found);

	MemSet((char *) member + sizeof(int64), 0, sizeof(Member) - sizeof(int64));
	member->job = job;
	if (run->last == NULL)
		run->first = member;
	else
		run->last->next = member;
	run->last = member;
	run->count++;
	member->node.run_id = run->root->run_id;
	member->node.job_id = job_id;
	return member;
}

/* The job, if it takes part in runs of its upstreams; else NULL. */
static SchedJob *
follower(int64 job_id)
{
	SchedJob   *job = sched_store_job(job_id);

	if (job == NULL || (job->status != SCHED_JOB_ACTIVE &&
						job->status != SCHED_JOB_PAUSED))
		return NULL;
	return sched_store_has_trigger(job_id) ? NULL : job;
}

/* The jobs that follow, breadth first; edges to jobs of the run are kept. */
static void
discover(Run *run)
{
	for (Member *m = run->first; m != NULL; m = m->next)
	{
		int			count = 0;
		SchedEdge  *edges;

		if (!(role_of(m->job_id) & ROLE_UPSTREAM))
			continue;
		edges = sched_store_edges_on(m->job_id, &count);
		for (int i = 0; i < count; i++)
		{
			SchedJob   *job;

			if (edges[i].removed || edges[i].type == SCHED_EDGE_MUTEX ||
				hash_search(run->by_job, &edges[i].job_id, HASH_FIND,
							NULL) != NULL)
				continue;
			job = follower(edges[i].job_id);
			if (job != NULL)
				add_member(run, edges[i].job_id, job);
		}
		CHECK_FOR_INTERRUPTS();
	}
}

static char
out_type(const SchedEdge *edge)
{
	if (edge->delay > 0)
		return '?';
	switch (edge->type)
	{
		case SCHED_EDGE_SUCCESS:
			return 's';
		case SCHED_EDGE_COMPLETION:
			return 'c';
		case SCHED_EDGE_FAILURE:
			return 'f';
		case SCHED_EDGE_SOFT:
			return 'o';
		default:
			return '?';
	}
}

static void
add_out(SchedNode *node, int *capacity, int64 task_id, char type)
{
	if (node->out_count == *capacity)
	{
		*capacity = Max(4, *capacity * 2);
		node->out_tasks = node->out_tasks == NULL ?
			palloc(*capacity * sizeof(int64)) :
			repalloc(node->out_tasks, *capacity * sizeof(int64));
		node->out_types = node->out_types == NULL ?
			palloc(*capacity) : repalloc(node->out_types, *capacity);
	}
	node->out_tasks[node->out_count] = task_id;
	node->out_types[node->out_count++] = type;
}

/* For whom the member waits; in the run, or to be matched by the scheduler. */
static void
connect(Run *run, Member *m, SchedWaits waits)
{
	int			count;
	SchedEdge  *edges = sched_store_edges_of(m->job_id, &count);
	SchedNode  *node = &m->node;

	node->in_edges = palloc(Max(count, 1) * sizeof(int64));
	node->in_tasks = palloc(Max(count, 1) * sizeof(int64));
	for (int i = 0; i < count; i++)
	{
		const SchedEdge *edge = &edges[i];
		Member	   *upstream = NULL;
		int64		task_id = 0;

		if (edge->removed || (waits == SCHED_WAITS_FOR_MUTEX &&
							  edge->type != SCHED_EDGE_MUTEX))
			continue;
		if (edge->type == SCHED_EDGE_MUTEX)
			m->guarded = true;
		else
		{
			m->pending++;
			if (m->job != NULL && (edge->match == SCHED_MATCH_DEFAULT ||
								   edge->match == SCHED_MATCH_SAME_RUN))
				upstream = hash_search(run->by_job, &edge->upstream_id,
									   HASH_FIND, NULL);
		}
		if (upstream != NULL)
		{
			char		type = out_type(edge);

			task_id = upstream->row->task_id;
			add_out(&upstream->node, &upstream->out_capacity,
					m->row->task_id, type);
			if (type == '?')
				m->evaluate = true;
		}
		else
			m->evaluate = true;
		node->in_edges[node->in_count] = edge->edge_id;
		node->in_tasks[node->in_count++] = task_id;
	}
	node->waits = waits != SCHED_WAITS_FOR_NOTHING;
}

/* Let the queue know of a member that the run brought about. */
static void
note_member(const Member *m, uint32 generation, TimestampTz now)
{
	QLaneSpec	lane;
	QTaskSpec	spec = {0};

	sched_lane_spec(m->job, &lane);
	spec.task_id = m->row->task_id;
	spec.run_id = m->row->run_id;
	spec.due_at = Max(m->row->scheduled_at, m->row->created_at);
	spec.scheduled_at = m->row->scheduled_at;
	spec.priority = m->row->priority != 0 ? m->row->priority :
		m->job->priority;
	spec.attempt = 1;
	spec.route_key = sched_routing_key(m->job, m->row->parameters);
	spec.waits = m->node.waits;
	spec.evaluate = m->evaluate;
	spec.guarded = m->guarded;
	spec.rule = m->node.rule;
	spec.pending = m->pending;
	spec.give_up_at = m->node.give_up_at;
	if (m->row->scheduled_at > now + SCHED_LOOKAHEAD)
	{
		sched_store_insert_future(m->row->scheduled_at, m->row->task_id);
		sched_pending_add_future(&lane, &spec, generation);
	}
	else
		sched_pending_add_task(&lane, &spec, generation);
}

/* Write the places of all, and the tasks of those that are new. */
static void
write_run(Run *run, SchedTaskRow *rows, int count, uint32 generation)
{
	SchedNode  *nodes = palloc(run->count * sizeof(SchedNode));
	int			n = 0;

	if (count > 0)
		sched_record_tasks(rows, count);
	for (Member *m = run->first; m != NULL; m = m->next)
	{
		if (m->job != NULL || m->node.waits || m->node.out_count > 0 ||
			m->row->run_id != m->row->task_id)
			nodes[n++] = m->node;
		if (m->job != NULL)
			note_member(m, generation, run->now);
	}
	sched_store_insert_nodes(nodes, n);
}

/* Roots of one run, of different jobs, have been written: what follows? */
static void
make_run(const SchedTaskRow *roots, int count)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "sched run",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	uint32		generation = sched_pending_job_generation();
	HASHCTL		control = {0};
	Run			run = {0};
	SchedTaskRow *rows;
	int			n = 0;
	int			root_count = 0;

	control.keysize = sizeof(int64);
	control.entrysize = sizeof(Member);
	control.hcxt = context;
	run.by_job = hash_create("sched run", 64, &control,
							 HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	run.now = sched_clock_now();
	run.root = &roots[0];
	for (int i = 0; i < count; i++)
	{
		Member	   *m = add_member(&run, roots[i].job_id, NULL);

		m->row = unconstify(SchedTaskRow *, &roots[i]);
		root_count++;
	}
	if (roots[0].rerun_of == SCHED_UNSET && !roots[0].ended)
		discover(&run);

	rows = palloc(Max(run.count - root_count, 1) * sizeof(SchedTaskRow));
	for (Member *m = run.first; m != NULL; m = m->next)
	{
		if (m->job != NULL)
		{
			SchedTaskRow *row = &rows[n++];

			MemSet(row, 0, sizeof(SchedTaskRow));
			row->task_id = sched_store_next_task_id();
			row->job_id = m->job_id;
			row->run_id = run.root->run_id;
			row->trigger_id = SCHED_UNSET;
			row->rerun_of = SCHED_UNSET;
			row->scheduled_at = run.root->scheduled_at;
			row->created_at = run.root->created_at;
			row->waits = SCHED_WAITS_FOR_ALL;
			row->placed = true;
			m->row = row;
		}
		m->node.task_id = m->row->task_id;
	}
	for (Member *m = run.first; m != NULL; m = m->next)
	{
		if (m->row->waits == SCHED_WAITS_FOR_NOTHING || m->row->ended)
			continue;
		connect(&run, m, m->row->waits);
		m->node.rule = SCHED_JOIN_ALL_SUCCESS;
		if (m->row->waits == SCHED_WAITS_FOR_ALL)
		{
			SchedJob   *job = m->job != NULL ? m->job :
			sched_store_job(m->job_id);

			if (job != NULL)
			{
				m->node.rule = job->trigger_rule;
				m->node.give_up_at = give_up_at(job, m->row->scheduled_at);
			}
		}
		CHECK_FOR_INTERRUPTS();
	}
	write_run(&run, rows, n, generation);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

/* May the row be a root of the run that rows[0] begins? */
static bool
joins_run(const SchedTaskRow *rows, int count, const SchedTaskRow *row)
{
	if (row->run_id != rows[0].run_id ||
		row->scheduled_at != rows[0].scheduled_at ||
		row->rerun_of != SCHED_UNSET || row->ended ||
		rows[0].rerun_of != SCHED_UNSET || rows[0].ended)
		return false;
	for (int i = 0; i < count; i++)
		if (rows[i].job_id == row->job_id)
			return false;
	return true;
}

void
sched_graph_tasks_made(const SchedTaskRow *rows, int count)
{
	for (int i = 0; i < count;)
	{
		const SchedTaskRow *row = &rows[i];
		int			role = role_of(row->job_id);
		int			n = 1;

		if (role & ROLE_UPSTREAM)
			sched_pending_job_moved(row->job_id);
		if (row->placed || (role == 0 && row->run_id == row->task_id))
		{
			i++;
			continue;
		}
		while (i + n < count && !rows[i + n].placed &&
			   joins_run(row, n, &rows[i + n]))
			n++;
		make_run(row, n);
		i += n;
	}
}

/* ---------- the end of a task ---------- */

static SchedEdgeType
type_of_out(char type)
{
	return type == 's' ? SCHED_EDGE_SUCCESS : type == 'f' ? SCHED_EDGE_FAILURE :
		type == 'o' ? SCHED_EDGE_SOFT : SCHED_EDGE_COMPLETION;
}

static void
tell_followers(const SchedOutcome *row)
{
	SchedTaskStatus status = sched_outcome_status(row->status);
	SchedNode	node;

	if (!sched_store_node(row->task_id, &node))
		return;
	for (int i = 0; i < node.out_count; i++)
	{
		if (node.out_types[i] == '?')
			sched_pending_evaluate(node.out_tasks[i]);
		else
			sched_pending_letter(node.out_tasks[i],
								 sched_edge_letter(type_of_out(node.out_types[i]),
												   status, true,
												   SCHED_CONDITION_UNKNOWN));
	}
}

void
sched_graph_tasks_ended(const SchedOutcome *rows, int count)
{
	for (int i = 0; i < count; i++)
	{
		if (!rows[i].final || !(role_of(rows[i].job_id) & ROLE_UPSTREAM))
			continue;
		sched_pending_job_moved(rows[i].job_id);
		tell_followers(&rows[i]);
	}
}
