/*-------------------------------------------------------------------------
 *
 * current.c
 *	  The SQL task that this process runs right now, and what it says.
 *
 * Log lines are kept in memory until the attempt is over, so that they are there
 * also when it fails and its transaction is rolled back.  A task that says
 * very much keeps its first half and its last words: the beginning tells what was
 * going on, the end what went wrong.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "application/current.h"
#include "infrastructure/clock.h"
#include "mb/pg_wchar.h"
#include "utils/memutils.h"

#define MAX_LINES		1000
#define MAX_BYTES		(256 * 1024)
#define MAX_LINE_BYTES	8192

SchedCurrent *sched_current = NULL;

void
sched_current_log(SchedLogLevel level, const char *message)
{
	SchedCurrent *current = sched_current;
	SchedLogLine *line;
	int			length = strlen(message);

	if (current == NULL)
		return;
	if (length > MAX_LINE_BYTES)
		length = pg_mbcliplen(message, length, MAX_LINE_BYTES);

	/* full: the oldest line of the second half makes room */
	while (current->lines >= MAX_LINES ||
		   current->bytes + length > MAX_BYTES)
	{
		SchedLogLine *before = current->first;

		if (current->lines < 3)
			return;
		for (int i = 0; i < current->lines / 2 - 1; i++)
			before = before->next;
		line = before->next;
		before->next = line->next;
		if (current->last == line)
			current->last = before;
		current->lines--;
		current->bytes -= strlen(line->message);
		current->dropped++;
		pfree(line);
	}

	/* called while a message is being reported: no place for an error */
	line = MemoryContextAllocExtended(current->context,
									  offsetof(SchedLogLine, message) +
									  length + 1, MCXT_ALLOC_NO_OOM);
	if (line == NULL)
		return;
	line->next = NULL;
	line->level = level;
	line->at = sched_clock_now();
	memcpy(line->message, message, length);
	line->message[length] = '\0';
	if (current->last == NULL)
		current->first = line;
	else
		current->last->next = line;
	current->last = line;
	current->lines++;
	current->bytes += length;
}

void
sched_current_write_log(void)
{
	SchedCurrent *current = sched_current;
	SchedLogLine *line = current->first;
	int			half = current->lines / 2;

	for (int i = 0; line != NULL; i++, line = line->next)
	{
		if (current->dropped > 0 && i == half)
		{
			char		note[80];

			snprintf(note, sizeof(note), "%d lines left out here",
					 current->dropped);
			sched_store_insert_log(current->attempt.task_id,
								   current->attempt.attempt,
								   SCHED_LOG_WARNING, line->at, note);
		}
		sched_store_insert_log(current->attempt.task_id,
							   current->attempt.attempt, line->level,
							   line->at, line->message);
	}
}
