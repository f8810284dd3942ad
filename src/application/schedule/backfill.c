/*-------------------------------------------------------------------------
 *
 * backfill.c
 *	  Going on with backfills, in the scheduler.
 *
 * The work is done by sched._backfill_step(), see sql/install/54_backfill.sql.  This
 * file sees to it that it is called: a job with a backfill reports the end of its
 * tasks, like one with a fixed delay.  A task may end before its job is told to
 * report, so it is looked at again after a second in any case.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "application/schedule/backfill.h"
#include "catalog/pg_type.h"
#include "infrastructure/tables/owned.h"
#include "infrastructure/memory/queue.h"
#include "utils/array.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#define LOOK_AGAIN		USECS_PER_SEC
#define MAX_ROUNDS		10		/* before others get their turn */

/* Let the jobs report the ends of their tasks; false when one has none any more. */
static bool
ask_for_ends(int db, const Datum *jobs, int count)
{
	bool		all = true;

	sched_lock(LW_EXCLUSIVE);
	for (int i = 0; i < count; i++)
	{
		QLane	   *lane = sched_queue_find_lane(db, DatumGetInt64(jobs[i]));

		if (lane != NULL)
			lane->spec.report_end = true;
		else
			all = false;
	}
	sched_unlock();
	return all;
}

TimestampTz
sched_backfill_run(int db)
{
	for (int i = 0; i < MAX_ROUNDS; i++)
	{
		Datum	   *jobs;
		bool	   *nulls;
		int			count;
		bool		isnull;
		bool		reported;
		Datum		result;

		SetCurrentStatementStartTimestamp();
		StartTransactionCommand();
		PushActiveSnapshot(GetTransactionSnapshot());
		result = sched_owned_call("_backfill_step", 0, NULL, NULL, NULL,
								  &isnull);
		deconstruct_array(DatumGetArrayTypeP(result), INT8OID, 8, true, 'd',
						  &jobs, &nulls, &count);
		PopActiveSnapshot();
		if (count == 0)
		{
			CommitTransactionCommand();
			return 0;
		}
		jobs = memcpy(MemoryContextAlloc(TopMemoryContext,
										 count * sizeof(Datum)),
					  jobs, count * sizeof(Datum));
		CommitTransactionCommand();
		reported = ask_for_ends(db, jobs, count);
		pfree(jobs);
		if (reported)
			break;
	}
	return GetCurrentTimestamp() + LOOK_AGAIN;
}
