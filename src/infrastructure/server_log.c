/*-------------------------------------------------------------------------
 *
 * server_log.c
 *	  Lines about tasks and jobs in the server's log.
 *
 * sched.log_level alone decides which lines there are; they are written at
 * level LOG and never sent to a client.  Lines are kept until the transaction
 * has committed, so that the log tells of nothing that has not happened, and
 * those of a savepoint that is rolled back are forgotten.  A transaction that has
 * more of them than MAX_LINES says how many it left out.
 *
 * Writing after the commit cannot fail for a reason that writing any message would
 * not: the text is ready by then.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "infrastructure/server_log.h"
#include "infrastructure/settings.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/memutils.h"

#define MAX_LINES	1000
#define MAX_BYTES	1000		/* of one line */

typedef struct Line
{
	SubTransactionId subid;
	char	   *text;
} Line;

static Line *lines;				/* in TopTransactionContext */
static int	line_count;
static int	lines_left_out;

bool
sched_server_log_wants(int level)
{
	return level >= sched_log_level;
}

/* What tasks say may hold anything: make one line of it, not too long. */
static void
flatten(char *line)
{
	int			length = strlen(line);

	if (length > MAX_BYTES)
		line[pg_mbcliplen(line, length, MAX_BYTES)] = '\0';
	for (char *c = line; *c != '\0'; c++)
		if ((unsigned char) *c < ' ' || *c == 0x7f)
			*c = ' ';
}

void
sched_server_log(const char *format,...)
{
	MemoryContext old;
	StringInfoData line;

	if (line_count == MAX_LINES)
	{
		lines_left_out++;
		return;
	}
	old = MemoryContextSwitchTo(TopTransactionContext);
	if (lines == NULL)
		lines = palloc(MAX_LINES * sizeof(Line));
	initStringInfo(&line);
	for (;;)
	{
		va_list		args;
		int			needed;

		va_start(args, format);
		needed = appendStringInfoVA(&line, format, args);
		va_end(args);
		if (needed == 0)
			break;
		enlargeStringInfo(&line, needed);
	}
	flatten(line.data);
	lines[line_count].subid = GetCurrentSubTransactionId();
	lines[line_count++].text = line.data;
	MemoryContextSwitchTo(old);
}

static void
write_lines(void)
{
	for (int i = 0; i < line_count; i++)
		ereport(LOG_SERVER_ONLY,
				(errmsg_internal("sched: %s", lines[i].text),
				 errhidestmt(true), errhidecontext(true)));
	if (lines_left_out > 0)
		ereport(LOG_SERVER_ONLY,
				(errmsg("sched: %d more lines of this transaction are left out",
						lines_left_out),
				 errhidestmt(true), errhidecontext(true)));
}

static void
at_transaction_end(XactEvent event, void *arg)
{
	if (lines == NULL ||
		(event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT &&
		 event != XACT_EVENT_PREPARE))
		return;
	if (event == XACT_EVENT_COMMIT)
		write_lines();
	lines = NULL;				/* the memory goes with the transaction */
	line_count = 0;
	lines_left_out = 0;
}

static void
at_subtransaction_end(SubXactEvent event, SubTransactionId subid,
					  SubTransactionId parent, void *arg)
{
	int			kept = 0;

	if (lines == NULL)
		return;
	if (event == SUBXACT_EVENT_COMMIT_SUB)
	{
		for (int i = 0; i < line_count; i++)
			if (lines[i].subid == subid)
				lines[i].subid = parent;
	}
	else if (event == SUBXACT_EVENT_ABORT_SUB)
	{
		for (int i = 0; i < line_count; i++)
			if (lines[i].subid != subid)
				lines[kept++] = lines[i];
		line_count = kept;
	}
}

void
sched_server_log_install(void)
{
	RegisterXactCallback(at_transaction_end, NULL);
	RegisterSubXactCallback(at_subtransaction_end, NULL);
}
