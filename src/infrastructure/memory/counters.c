/*-------------------------------------------------------------------------
 *
 * counters.c
 *	  What happened, counted, per database.
 *
 * Counts lie in shared memory as atomics: counting takes no lock.  What a
 * transaction did is summed up in its own memory, a sum for each level of
 * savepoints, and added when it has committed; a rollback takes its part away.
 * A transaction that counts nothing pays nothing.
 *
 * The scheduler saves the counts once a minute into sched._counter, together with
 * the snapshot that they were read under.  After a restart or a crash of the server they are
 * what was saved and what the record holds beyond that snapshot
 * (sql/install/62_counters.sql), so they never fall behind what somebody has already
 * seen.  Until then the database's counts are closed: what would be counted is in the
 * record and is found there.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "infrastructure/memory/counters.h"
#include "infrastructure/memory/shmem.h"
#include "utils/memutils.h"

/* What the running transaction, or a part of it, adds. */
typedef struct Sum
{
	struct Sum *outer;
	SubTransactionId subid;
	int64		value[SCHED_COUNTERS];
} Sum;

static Sum *sums;				/* innermost first, in TopTransactionContext */

static const int64 bounds[SCHED_HISTOGRAM_BOUNDS] = {
	1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000,
	INT64CONST(1000000), INT64CONST(2500000), INT64CONST(5000000),
	INT64CONST(10000000), INT64CONST(30000000), INT64CONST(60000000),
	INT64CONST(300000000), INT64CONST(1800000000), INT64CONST(3600000000)
};

static const char *const names[SCHED_COUNT_LATENESS] = {
	"tasks", "completed", "failed", "timeout", "cancelled", "skipped",
	"upstream_failed", "missed", "retries", "timeouts", "lost", "released",
	"misfires"
};

/* ---------- names ---------- */

/* Buckets are lateness_0 and so on, sums lateness_usec; palloc'd. */
const char *
sched_counter_name(int counter)
{
	const char *histogram;
	int			i;

	if (counter < SCHED_COUNT_LATENESS)
		return names[counter];
	histogram = counter < SCHED_COUNT_DURATION ? "lateness" : "duration";
	i = (counter - SCHED_COUNT_LATENESS) % SCHED_HISTOGRAM_SIZE;
	if (i == SCHED_HISTOGRAM_SIZE - 1)
		return psprintf("%s_usec", histogram);
	return psprintf("%s_%d", histogram, i);
}

int
sched_counter_by_name(const char *name)
{
	for (int i = 0; i < SCHED_COUNTERS; i++)
		if (strcmp(sched_counter_name(i), name) == 0)
			return i;
	return -1;
}

int64
sched_counter_bound(int i)
{
	return bounds[i];
}

/* ---------- shared memory ---------- */

void
sched_counters_init(SchedCounters *counters)
{
	pg_atomic_init_u32(&counters->open, 0);
	for (int i = 0; i < SCHED_COUNTERS; i++)
		pg_atomic_init_u64(&counters->value[i], 0);
}

void
sched_counters_open(SchedCounters *counters)
{
	for (int i = 0; i < SCHED_COUNTERS; i++)
		pg_atomic_write_u64(&counters->value[i], 0);
	pg_atomic_write_u32(&counters->open, 1);
}

bool
sched_counters_is_open(SchedCounters *counters)
{
	return pg_atomic_read_u32(&counters->open) != 0;
}

void
sched_counters_close(SchedCounters *counters)
{
	pg_atomic_write_u32(&counters->open, 0);
}

/* The bucket of a value: what is equal to a bound lies below it. */
static int
bucket_of_usec(int64 usec)
{
	int			i = 0;

	while (i < SCHED_HISTOGRAM_BOUNDS && usec > bounds[i])
		i++;
	return i;
}

void
sched_counters_observe_now(SchedCounters *counters, SchedCounter histogram,
						   int64 usec)
{
	if (pg_atomic_read_u32(&counters->open) == 0)
		return;
	usec = Max(usec, 0);
	pg_atomic_fetch_add_u64(&counters->value[histogram + bucket_of_usec(usec)],
							1);
	pg_atomic_fetch_add_u64(&counters->value[histogram + SCHED_HISTOGRAM_SIZE - 1],
							usec);
}

/* ---------- in a transaction ---------- */

static Sum *
current_sum(void)
{
	SubTransactionId subid = GetCurrentSubTransactionId();
	Sum		   *sum;

	if (sums != NULL && sums->subid == subid)
		return sums;
	sum = MemoryContextAllocZero(TopTransactionContext, sizeof(Sum));
	sum->subid = subid;
	sum->outer = sums;
	sums = sum;
	return sum;
}

void
sched_counters_add(SchedCounter counter, int64 n)
{
	if (sched_shared != NULL && n != 0)
		current_sum()->value[counter] += n;
}

void
sched_counters_observe(SchedCounter histogram, int64 usec)
{
	Sum		   *sum;

	if (sched_shared == NULL)
		return;
	usec = Max(usec, 0);
	sum = current_sum();
	sum->value[histogram + bucket_of_usec(usec)]++;
	sum->value[histogram + SCHED_HISTOGRAM_SIZE - 1] += usec;
}

static void
apply(const Sum *sum)
{
	int			me = sched_shmem_my_database();
	SchedCounters *counters;

	if (me < 0)
		return;
	counters = &sched_shared->databases[me].counters;
	if (pg_atomic_read_u32(&counters->open) == 0)
		return;
	for (int i = 0; i < SCHED_COUNTERS; i++)
		if (sum->value[i] != 0)
			pg_atomic_fetch_add_u64(&counters->value[i], sum->value[i]);
}

static void
at_transaction_end(XactEvent event, void *arg)
{
	if (sums == NULL)
		return;
	switch (event)
	{
		case XACT_EVENT_COMMIT:
			for (Sum *sum = sums; sum != NULL; sum = sum->outer)
				apply(sum);
			sums = NULL;		/* the memory goes with the transaction */
			break;
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PREPARE:
			sums = NULL;
			break;
		default:
			break;
	}
}

static void
at_subtransaction_end(SubXactEvent event, SubTransactionId subid,
					  SubTransactionId parent, void *arg)
{
	Sum		   *sum = sums;

	if (sum == NULL || sum->subid != subid)
		return;
	if (event == SUBXACT_EVENT_ABORT_SUB)
		sums = sum->outer;
	else if (event == SUBXACT_EVENT_COMMIT_SUB)
	{
		if (sum->outer != NULL && sum->outer->subid == parent)
		{
			for (int i = 0; i < SCHED_COUNTERS; i++)
				sum->outer->value[i] += sum->value[i];
			sums = sum->outer;
		}
		else
			sum->subid = parent;
	}
}

void
sched_counters_install(void)
{
	RegisterXactCallback(at_transaction_end, NULL);
	RegisterSubXactCallback(at_subtransaction_end, NULL);
}
