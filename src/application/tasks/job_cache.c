/*-------------------------------------------------------------------------
 *
 * job_cache.c
 *	  Job definitions, kept by this process as long as no job changes.
 *
 * Claims and completions need a job's definition for every task.  It is read
 * once and kept until the count of job changes in shared memory moves on, which
 * happens at the commit of whoever changes any job.  A change that this very
 * transaction has made and not committed is not seen.
 *
 * When it holds too many, all are forgotten: but only at the start of a call, so
 * that what a caller got stays valid while it handles a batch.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "application/tasks/job_cache.h"
#include "infrastructure/memory/pending.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#define MAX_JOBS	1024

typedef struct JobEntry
{
	int64		job_id;
	SchedJob   *job;
} JobEntry;

static MemoryContext cache_context;
static HTAB *cache;
static uint32 cache_generation;

static void
make_cache(uint32 generation)
{
	HASHCTL		control = {0};

	cache = NULL;
	if (cache_context == NULL)
		cache_context = AllocSetContextCreate(TopMemoryContext,
											  "sched job cache",
											  ALLOCSET_DEFAULT_SIZES);
	else
		MemoryContextReset(cache_context);
	control.keysize = sizeof(int64);
	control.entrysize = sizeof(JobEntry);
	control.hcxt = cache_context;
	cache = hash_create("sched job cache", 64, &control,
						HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	cache_generation = generation;
}

const SchedJob *
sched_job_cached(int64 job_id)
{
	static JobEntry *last;
	uint32		generation = sched_pending_job_generation();
	JobEntry   *entry;
	SchedJob   *job;
	MemoryContext old;

	if (cache == NULL || cache_generation != generation ||
		hash_get_num_entries(cache) >= MAX_JOBS)
	{
		last = NULL;
		make_cache(generation);
	}
	if (last != NULL && last->job_id == job_id)
		return last->job;
	entry = hash_search(cache, &job_id, HASH_FIND, NULL);
	if (entry == NULL)
	{
		old = MemoryContextSwitchTo(cache_context);
		job = sched_store_job(job_id);
		MemoryContextSwitchTo(old);
		entry = hash_search(cache, &job_id, HASH_ENTER, NULL);
		entry->job = job;
	}
	last = entry;
	return entry->job;
}
