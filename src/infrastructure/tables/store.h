/*-------------------------------------------------------------------------
 *
 * store.h
 *	  Access to the tables of the extension from C.
 *
 * Rows are read and written directly, below the SQL level: no plan, no
 * search_path, no operator that somebody could have shadowed, and no right of
 * the current user involved.  Callers check rights themselves.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SCHED_STORE_H
#define SCHED_STORE_H

#include "access/htup.h"
#include "access/tupdesc.h"
#include "datatype/timestamp.h"
#include "domain/join.h"
#include "domain/policy.h"
#include "domain/retry.h"
#include "domain/route.h"
#include "domain/state.h"
#include "storage/itemptr.h"
#include "utils/array.h"
#include "utils/jsonb.h"
#include "utils/relcache.h"

/* What is in a column that nobody filled in. */
#define SCHED_UNSET			PG_INT64_MIN

/* A row of _job, in the caller's memory context. */
typedef struct SchedJob
{
	int64		job_id;
	char	   *name;
	char	   *type;
	char	   *command;		/* NULL: none */
	SchedJobStatus status;
	bool		deleted;
	Oid			owner;
	Oid			run_as;			/* the owner where the row says nothing */
	Oid			defined_by;		/* who said so; may be gone, or invalid */
	Jsonb	   *parameters;
	char	   *timezone;		/* NULL: the default */
	char	   *calendar;
	char	   *dst_policy;
	char	   *history;
	int			priority;		/* the setting where the row says nothing */
	int64		timeout;		/* microseconds, 0: none */
	int			max_attempts;
	int64		retry_delay;
	int64		retry_max_delay;
	SchedRetryStrategy retry_strategy;
	SchedRetryJitter retry_jitter;
	SchedOverlapPolicy overlap_policy;
	SchedMisfirePolicy misfire_policy;
	int			max_concurrent_runs;	/* 0: no limit */
	int64		catchup_window; /* 0: none */
	int			catchup_limit;	/* 0: none */
	int64		jitter;
	int			max_runs;		/* 0: no limit */
	SchedJoinRule trigger_rule;
	int64		dependency_timeout; /* microseconds, 0: none */
	SchedRoute	route;
	char	   *router;			/* its name, of a custom route */
	char	   *pool;			/* NULL: none */
	int			pool_slots;
	int			tag_count;		/* required tags */
	uint32	   *tags;			/* their hashes, sorted, each once */
	TimestampTz start_at;		/* 0: none */
	TimestampTz end_at;			/* 0: none */
	TimestampTz created_at;
	TimestampTz activated_at;
} SchedJob;

/* Which of its job's dependencies a task waits for. */
typedef enum SchedWaits
{
	SCHED_WAITS_FOR_NOTHING,
	SCHED_WAITS_FOR_MUTEX,		/* ordered by hand: only for its turn */
	SCHED_WAITS_FOR_ALL
} SchedWaits;

/* A row to be written to _task. */
typedef struct SchedTaskRow
{
	int64		task_id;
	int64		job_id;
	int64		run_id;
	int64		trigger_id;		/* SCHED_UNSET: none */
	int64		rerun_of;		/* SCHED_UNSET: none */
	TimestampTz scheduled_at;
	TimestampTz created_at;
	int			priority;		/* 0: the job's */
	int			missed_count;	/* 0: none */
	Jsonb	   *parameters;		/* NULL: the job's */
	const char *idempotency_key;	/* NULL: none */
	/* not in the row: */
	SchedWaits	waits;
	bool		ended;			/* it is written together with its end */
	bool		placed;			/* its place in a run has been written */
	ItemPointerData tid;		/* where it was written */
} SchedTaskRow;

/* A row to be written to _outcome. */
typedef struct SchedOutcome
{
	int64		task_id;
	int64		job_id;			/* of the task; not in the row */
	int64		run_id;			/* likewise */
	int			attempt;
	char		status;			/* one of SCHED_OUTCOME_* */
	bool		final;
	TimestampTz finished_at;
	TimestampTz queued_at;		/* 0: NULL, likewise below */
	TimestampTz started_at;
	TimestampTz retry_at;
	int			executor_id;	/* 0: NULL */
	int64		row_count;		/* SCHED_UNSET: NULL */
	float4		progress;		/* negative: NULL */
	const char *sqlstate;
	const char *error;
	const char *reason;
	Jsonb	   *result;
} SchedOutcome;

#define SCHED_OUTCOME_COMPLETED			'c'
#define SCHED_OUTCOME_FAILED			'f'
#define SCHED_OUTCOME_TIMEOUT			't'
#define SCHED_OUTCOME_CANCELLED			'x'
#define SCHED_OUTCOME_SKIPPED			'k'
#define SCHED_OUTCOME_UPSTREAM_FAILED	'u'
#define SCHED_OUTCOME_MISSED			'm'
#define SCHED_OUTCOME_LOST				'l'	/* of an attempt only */
#define SCHED_OUTCOME_RELEASED			'b'	/* of an attempt only */

typedef enum SchedLogLevel
{
	SCHED_LOG_DEBUG,
	SCHED_LOG_INFO,
	SCHED_LOG_WARNING,
	SCHED_LOG_ERROR
} SchedLogLevel;

/* The tables that are partitioned by task_id. */
typedef enum SchedSegmentTable
{
	SCHED_SEGMENT_TASK,
	SCHED_SEGMENT_OUTCOME,
	SCHED_SEGMENT_LOG,
	SCHED_SEGMENT_NODE,
	SCHED_SEGMENT_LETTER,
	SCHED_SEGMENT_LEASE
} SchedSegmentTable;

#define SCHED_SEGMENT_TABLES	(SCHED_SEGMENT_LEASE + 1)

/* Is the extension there, in the version of this library? */
extern bool sched_store_present(void);

/* The OID of a table or sequence of the extension; error when it is missing. */
extern Oid	sched_store_relation(const char *name);

/* The extension's owner. */
extern Oid	sched_store_owner(void);

/* Read a job as of the latest snapshot; NULL when it is not there. */
extern SchedJob *sched_store_job(int64 job_id);
extern SchedJob *sched_store_any_job(int64 job_id); /* deleted ones, too */
extern SchedJob *sched_store_job_by_name(const char *name);
extern SchedJob *sched_store_job_from_tuple(HeapTuple tuple, TupleDesc desc);

/* The job of a task and its row; false when there is no such task. */
extern bool sched_store_task(int64 task_id, SchedTaskRow *row);

/* The last outcome of a task; false when it has none. */
extern bool sched_store_last_outcome(int64 task_id, int *attempt,
									 char *status, bool *final,
									 TimestampTz *finished_at);

/* The result of a task that has ended, copied; NULL: none. */
extern Jsonb *sched_store_result(int64 task_id);

/* When the first attempt of a task that has ended started; false: none did. */
extern bool sched_store_started_at(int64 task_id, TimestampTz *started_at);

extern int64 sched_store_next_task_id(void);
extern void sched_store_insert_tasks(SchedTaskRow *rows, int count);
extern void sched_store_insert_outcomes(const SchedOutcome *rows, int count);
extern void sched_store_insert_log(int64 task_id, int attempt,
								   SchedLogLevel level, TimestampTz at,
								   const char *message);

/*
 * What follows the prefix in the first log line of the attempt that begins with it;
 * palloc'd, or NULL.
 */
extern char *sched_store_find_log(int64 task_id, int attempt,
								  const char *prefix);
extern void sched_store_insert_future(TimestampTz due_at, int64 task_id);

/* The task that the key stands for, or 0 after recording the new one. */
extern int64 sched_store_idempotent(int64 job_id, const char *key,
									int64 task_id, TimestampTz now);
extern int64 sched_store_find_idempotent(int64 job_id, const char *key);

/* The hashes of texts, sorted, each once, as tags are compared by. */
extern uint32 *sched_store_hash_texts(ArrayType *array, int *count);

extern int64 sched_store_interval_usec(const Interval *interval);

/*
 * The partition that a task_id belongs to, locked for writing, and the first
 * task_id beyond it; the index of it that begins with task_id.
 */
extern Relation sched_store_open_segment(SchedSegmentTable table,
										 int64 task_id, int64 *hi);
extern Oid	sched_store_index_on_task(Relation relation);

/* For values that may go to a TOAST table, which needs a snapshot. */
extern bool sched_store_push_snapshot(void);
extern void sched_store_pop_snapshot(bool pushed);

#endif							/* SCHED_STORE_H */
