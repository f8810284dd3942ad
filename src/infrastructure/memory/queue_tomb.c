/*-------------------------------------------------------------------------
 *
 * queue_tomb.c
 *	  Remembering what ends while live tasks are read from the tables.
 *
 * The scheduler reads tasks under a snapshot that is older than the end of some
 * of them.  What ends between begin and end of reading is kept as an entry of
 * its own kind, which sched_queue_add() takes for a duplicate and nobody else
 * finds; so no task that has ended is entered again.
 *
 * The caller holds sched_shared->lock exclusively.  Nothing in here raises an
 * error, allocates, or waits.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "infrastructure/memory/queue_int.h"

void
sched_queue_begin_reading(int db)
{
	sched_shared->databases[db].reading = true;
}

void
sched_queue_end_reading(int db)
{
	SchedDatabase *database = &sched_shared->databases[db];

	database->reading = false;
	while (!dlist_is_empty(&database->tombs))
		sched_queue_free_entry(dlist_container(QTask, lane_node,
											   dlist_pop_head_node(&database->tombs)),
							   db);
}

/* A task has ended that memory does not know. */
void
sched_queue_note_ended(int db, int64 task_id)
{
	SchedDatabase *database = &sched_shared->databases[db];
	QTask	   *task = database->reading ?
	sched_queue_make_entry(db, task_id) : NULL;

	if (task == NULL)
		return;
	database->tasks--;
	task->db = SCHED_TOMB(db);
	dlist_push_tail(&database->tombs, &task->lane_node);
}
