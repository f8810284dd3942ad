/*-------------------------------------------------------------------------
 *
 * fuzz_interval.c
 *	  Any text as a duration.
 *
 * What is accepted stays within its limits, and what is refused has a
 * position inside of the text.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include "domain/schedule/interval.h"

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	SchedInterval interval;
	SchedError	err;
	char	   *input = palloc(size + 1);
	bool		ok;

	memcpy(input, data, size);
	input[size] = '\0';
	if (sched_interval_parse(input, &interval, &err))
		ok = Abs(interval.months) <= SCHED_INTERVAL_MAX_MONTHS &&
			Abs(interval.days) <= SCHED_INTERVAL_MAX_DAYS &&
			Abs(interval.usec) <= SCHED_INTERVAL_MAX_DAYS * SCHED_USEC_PER_DAY &&
			Abs(sched_interval_usec(&interval)) < PG_INT64_MAX / 2;
	else
		ok = err.position >= 0 && err.position <= (int) strlen(input) && err.message[0] != '\0';
	if (!ok)
	{
		fprintf(stderr, "duration \"%s\"\n", input);
		abort();
	}
	pfree(input);
	return 0;
}
