/*-------------------------------------------------------------------------
 *
 * job_cache.h
 *	  Job definitions, kept by this process as long as no job changes.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_JOB_CACHE_H
#define SCHED_JOB_CACHE_H

#include "infrastructure/tables/store.h"

/*
 * The job, valid until the next call of this function in a transaction in
 * which a job has changed; NULL when there is none.
 */
extern const SchedJob *sched_job_cached(int64 job_id);

#endif							/* SCHED_JOB_CACHE_H */
