/*-------------------------------------------------------------------------
 *
 * record.c
 *	  Writing the record: what was ordered, and how it ended.
 *
 * Every row of _task and _outcome is written through here, by whichever
 * process makes or ends the task, in that process's transaction.  So what has
 * to follow from a task's beginning or end in the same transaction is called
 * from here and from nowhere else.
 *
 * Takes no lock of its own and leaves no trace when the transaction fails.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "application/events/event.h"
#include "application/tasks/observe.h"
#include "application/workflow/graph.h"
#include "application/tasks/record.h"

void
sched_record_tasks(SchedTaskRow *rows, int count)
{
	sched_store_insert_tasks(rows, count);
	sched_event_of_tasks(rows, count);
	sched_observe_tasks(rows, count);
	sched_graph_tasks_made(rows, count);
}

void
sched_record_outcomes(const SchedOutcome *rows, int count)
{
	sched_store_insert_outcomes(rows, count);
	sched_event_of_outcomes(rows, count);
	sched_observe_outcomes(rows, count);
	sched_graph_tasks_ended(rows, count);
}
