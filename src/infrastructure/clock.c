/*-------------------------------------------------------------------------
 *
 * clock.c
 *	  The one place that tells the time.
 *
 * Everything that decides by time asks here.  A test can stop the clock of the
 * whole server at an instant; then time moves only when the test moves it.  The
 * instant lies in shared memory as an atomic, so reading it takes no lock.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "infrastructure/clock.h"
#include "infrastructure/memory/shmem.h"
#include "utils/timestamp.h"

TimestampTz
sched_clock_now(void)
{
	uint64		frozen = 0;

	if (sched_shared != NULL)
		frozen = pg_atomic_read_u64(&sched_shared->frozen_clock);
	return frozen != 0 ? (TimestampTz) frozen : GetCurrentTimestamp();
}

bool
sched_clock_is_frozen(void)
{
	return sched_shared != NULL &&
		pg_atomic_read_u64(&sched_shared->frozen_clock) != 0;
}

void
sched_clock_set(TimestampTz instant)
{
	pg_atomic_write_u64(&sched_shared->frozen_clock, (uint64) instant);
}
