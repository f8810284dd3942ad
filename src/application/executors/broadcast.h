/*-------------------------------------------------------------------------
 *
 * broadcast.h
 *	  Tasks that all executors share.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_BROADCAST_H
#define SCHED_BROADCAST_H

#include "infrastructure/memory/queue.h"
#include "infrastructure/tables/store.h"

/*
 * In the scheduler, in a transaction and with SPI connected: make the shards of the
 * job's tasks that have none, end those tasks whose shards have all ended, and
 * fail shards whose executor is gone.  True when something was made that is
 * to be looked at again after the commit.
 */
extern bool sched_broadcast_turn(int db, int64 job_id);

#endif							/* SCHED_BROADCAST_H */
