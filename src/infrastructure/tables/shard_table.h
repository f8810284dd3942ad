/*-------------------------------------------------------------------------
 *
 * shard_table.h
 *	  Reading sched._shard: what belongs to a broadcast task.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_SHARD_TABLE_H
#define SCHED_SHARD_TABLE_H

/* The task that a task is a shard of, and whose it is; false: it is none. */
extern bool sched_store_shard(int64 task_id, int64 *parent_id,
							  int *executor_id);

#endif							/* SCHED_SHARD_TABLE_H */
