/*-------------------------------------------------------------------------
 *
 * script.c
 *	  Running the SQL text of a task at top level.
 *
 * Runs in a worker.  Statements go through the same steps as those of a client
 * that sends a simple query, so everything that works there works here.
 * All statements share one transaction, which is also the one in
 * which the worker records the completion, unless the text contains
 *
 *	- a statement that cannot run inside a transaction block (VACUUM, CREATE
 *	  DATABASE, CREATE INDEX CONCURRENTLY, ...) or one that controls
 *	  transactions (BEGIN, COMMIT): then each statement is a transaction of its
 *	  own, as with psql -f, and the completion follows in another one;
 *	- CALL: its procedure may commit, and what comes after belongs to the
 *	  transaction that is open then.
 *
 * Notices reach the log through the protocol layer: the worker poses as a
 * session with a client whose connection is a function of ours.  Nothing is
 * queued, so nothing can fill up and block.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "application/processes/current.h"
#include "application/processes/script.h"
#include "catalog/pg_type.h"
#include "infrastructure/compat.h"
#include "libpq/pqformat.h"
#include "mb/pg_wchar.h"
#include "nodes/parsenodes.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#define MAX_RESULT_ROWS		100
#define MAX_RESULT_BYTES	(64 * 1024)

/* ---------- notices ---------- */

static void
comm_nothing(void)
{
}

static int
comm_zero(void)
{
	return 0;
}

static bool
comm_false(void)
{
	return false;
}

/* A message to the client.  Only notices matter. */
static int
comm_message(char type, const char *body, size_t length)
{
	const char *end = body + length;
	const char *message = NULL;
	const char *detail = NULL;
	SchedLogLevel level = SCHED_LOG_INFO;
	char		text[2048];

	if (type != 'N' || sched_current == NULL)
		return 0;
	while (body < end && *body != '\0')
	{
		char		field = *body++;

		if (field == 'V' && strncmp(body, "DEBUG", 5) == 0)
			level = SCHED_LOG_DEBUG;
		else if (field == 'V' && strcmp(body, "WARNING") == 0)
			level = SCHED_LOG_WARNING;
		else if (field == 'M')
			message = body;
		else if (field == 'D')
			detail = body;
		body += strlen(body) + 1;
	}
	if (message == NULL)
		return 0;
	if (detail == NULL)
		sched_current_log(level, message);
	else
	{
		snprintf(text, sizeof(text), "%s (%s)", message, detail);
		sched_current_log(level, text);
	}
	return 0;
}

static void
comm_message_noblock(char type, const char *body, size_t length)
{
	(void) comm_message(type, body, length);
}

static const PQcommMethods comm_methods = {
	.comm_reset = comm_nothing,
	.flush = comm_zero,
	.flush_if_writable = comm_zero,
	.is_send_pending = comm_false,
	.putmessage = comm_message,
	.putmessage_noblock = comm_message_noblock
};

void
sched_script_capture_notices(void)
{
	PqCommMethods = &comm_methods;
	whereToSendOutput = DestRemote;
	FrontendProtocol = PG_PROTOCOL_LATEST;
}

/* ---------- the last statement's rows ---------- */

typedef struct RowReceiver
{
	DestReceiver pub;
	MemoryContext context;
	JsonbParseState *state;		/* array of the rows, NULL before the first */
	uint64		seen;
	int			kept;
	Size		bytes;
} RowReceiver;

static void
push_text(JsonbParseState **state, JsonbIteratorToken token, char *text)
{
	JsonbValue	value;

	value.type = jbvString;
	value.val.string.val = text;
	value.val.string.len = strlen(text);
	pushJsonbValue(state, token, &value);
}

/* One column: what JSON knows as it is, the rest by its output function. */
static Size
push_datum(JsonbParseState **state, Datum datum, bool isnull, Oid type)
{
	JsonbValue	value;
	Oid			output;
	bool		varlena;
	char	   *text;

	if (isnull)
	{
		value.type = jbvNull;
		pushJsonbValue(state, WJB_VALUE, &value);
		return 4;
	}
	switch (type)
	{
		case BOOLOID:
			value.type = jbvBool;
			value.val.boolean = DatumGetBool(datum);
			pushJsonbValue(state, WJB_VALUE, &value);
			return 4;
		case INT2OID:
		case INT4OID:
		case INT8OID:
			value.type = jbvNumeric;
			value.val.numeric =
				int64_to_numeric(type == INT2OID ? DatumGetInt16(datum) :
								 type == INT4OID ? DatumGetInt32(datum) :
								 DatumGetInt64(datum));
			pushJsonbValue(state, WJB_VALUE, &value);
			return 12;
		case NUMERICOID:
			if (!numeric_is_nan(DatumGetNumeric(datum)) &&
				!numeric_is_inf(DatumGetNumeric(datum)))
			{
				value.type = jbvNumeric;
				value.val.numeric = DatumGetNumericCopy(datum);
				pushJsonbValue(state, WJB_VALUE, &value);
				return VARSIZE_ANY(value.val.numeric);
			}
			break;
		case JSONBOID:
			{
				Jsonb	   *jsonb = DatumGetJsonbPCopy(datum);

				if (VARSIZE(jsonb) > MAX_RESULT_BYTES)
					break;
				if (JB_ROOT_IS_SCALAR(jsonb))
				{
					JsonbExtractScalar(&jsonb->root, &value);
					pushJsonbValue(state, WJB_VALUE, &value);
				}
				else
				{
					value.type = jbvBinary;
					value.val.binary.data = &jsonb->root;
					value.val.binary.len = VARSIZE(jsonb) - VARHDRSZ;
					pushJsonbValue(state, WJB_VALUE, &value);
				}
				return VARSIZE(jsonb);
			}
		default:
			break;
	}
	getTypeOutputInfo(type, &output, &varlena);
	text = OidOutputFunctionCall(output, datum);
	if (strlen(text) > MAX_RESULT_BYTES)
		text[pg_mbcliplen(text, strlen(text), MAX_RESULT_BYTES)] = '\0';
	push_text(state, WJB_VALUE, text);
	return strlen(text);
}

static bool
receive_row(TupleTableSlot *slot, DestReceiver *self)
{
	RowReceiver *receiver = (RowReceiver *) self;
	TupleDesc	desc = slot->tts_tupleDescriptor;
	MemoryContext old;

	receiver->seen++;
	if (receiver->kept == MAX_RESULT_ROWS ||
		receiver->bytes >= MAX_RESULT_BYTES)
		return true;

	old = MemoryContextSwitchTo(receiver->context);
	slot_getallattrs(slot);
	if (receiver->state == NULL)
		pushJsonbValue(&receiver->state, WJB_BEGIN_ARRAY, NULL);
	pushJsonbValue(&receiver->state, WJB_BEGIN_OBJECT, NULL);
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(desc, i);

		push_text(&receiver->state, WJB_KEY,
				  pstrdup(NameStr(column->attname)));
		receiver->bytes += strlen(NameStr(column->attname)) +
			push_datum(&receiver->state, slot->tts_values[i],
					   slot->tts_isnull[i], column->atttypid);
	}
	pushJsonbValue(&receiver->state, WJB_END_OBJECT, NULL);
	receiver->kept++;
	MemoryContextSwitchTo(old);
	return true;
}

static void
receive_startup(DestReceiver *self, int operation, TupleDesc desc)
{
}

static void
receive_nothing(DestReceiver *self)
{
}

static void
reset_receiver(RowReceiver *receiver)
{
	MemoryContextReset(receiver->context);
	receiver->state = NULL;
	receiver->seen = 0;
	receiver->kept = 0;
	receiver->bytes = 0;
}

/* {"command": "SELECT", "row_count": 1, "rows": [{...}]} */
static Jsonb *
make_result(RowReceiver *receiver, const QueryCompletion *qc, bool has_count)
{
	JsonbParseState *state = NULL;
	JsonbValue	value;
	JsonbValue *root;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	push_text(&state, WJB_KEY, "command");
	push_text(&state, WJB_VALUE,
			  pstrdup(GetCommandTagName(qc->commandTag)));
	if (has_count)
	{
		push_text(&state, WJB_KEY, "row_count");
		value.type = jbvNumeric;
		value.val.numeric = int64_to_numeric(qc->nprocessed);
		pushJsonbValue(&state, WJB_VALUE, &value);
	}
	if (receiver->state != NULL)
	{
		Jsonb	   *rows = JsonbValueToJsonb(pushJsonbValue(&receiver->state,
															WJB_END_ARRAY,
															NULL));

		push_text(&state, WJB_KEY, "rows");
		value.type = jbvBinary;
		value.val.binary.data = &rows->root;
		value.val.binary.len = VARSIZE(rows) - VARHDRSZ;
		pushJsonbValue(&state, WJB_VALUE, &value);
		if (receiver->seen > receiver->kept)
		{
			push_text(&state, WJB_KEY, "truncated");
			value.type = jbvBool;
			value.val.boolean = true;
			pushJsonbValue(&state, WJB_VALUE, &value);
		}
	}
	root = pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	return JsonbValueToJsonb(root);
}

/* ---------- statements ---------- */

/* Must the statement be a transaction of its own? */
static bool
needs_own_transaction(const Node *statement)
{
	switch (nodeTag(statement))
	{
		case T_VacuumStmt:
			return ((const VacuumStmt *) statement)->is_vacuumcmd;
		case T_TransactionStmt:
		case T_CreatedbStmt:
		case T_DropdbStmt:
		case T_CreateTableSpaceStmt:
		case T_DropTableSpaceStmt:
		case T_AlterSystemStmt:
		case T_ClusterStmt:
		case T_ReindexStmt:
		case T_CreateSubscriptionStmt:
		case T_AlterSubscriptionStmt:
		case T_DropSubscriptionStmt:
		case T_AlterDatabaseStmt:
			return true;
		case T_IndexStmt:
			return ((const IndexStmt *) statement)->concurrent;
		case T_DropStmt:
			return ((const DropStmt *) statement)->concurrent;
		case T_AlterTableStmt:
			{
				ListCell   *cell;

				foreach(cell, ((const AlterTableStmt *) statement)->cmds)
				{
					const AlterTableCmd *command = lfirst(cell);

					if (command->subtype == AT_DetachPartition &&
						((PartitionCmd *) command->def)->concurrent)
						return true;
				}
				return false;
			}
		default:
			return false;
	}
}

static void
refuse_client_copy(const Node *statement)
{
	if (IsA(statement, CopyStmt) &&
		((const CopyStmt *) statement)->filename == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot COPY to or from the client in a task"),
				 errdetail("A task has no client."),
				 errhint("Copy to or from a file or a program, or use INSERT.")));
}

static void
run_statement(RawStmt *raw, const char *text, RowReceiver *receiver,
			  QueryCompletion *qc)
{
	bool		snapshot = analyze_requires_snapshot(raw);
	List	   *queries;
	List	   *plans;
	Portal		portal;

	CHECK_FOR_INTERRUPTS();
	if (snapshot)
		PushActiveSnapshot(GetTransactionSnapshot());
	queries = pg_analyze_and_rewrite_fixedparams(raw, text, NULL, 0, NULL);
	plans = pg_plan_queries(queries, text, CURSOR_OPT_PARALLEL_OK, NULL);
	if (snapshot)
		PopActiveSnapshot();

	portal = CreatePortal("", true, true);
	portal->visible = false;
	PortalDefineQuery(portal, NULL, text, CreateCommandTag(raw->stmt), plans,
					  NULL);
	PortalStart(portal, NULL, 0, InvalidSnapshot);
	reset_receiver(receiver);
	InitializeQueryCompletion(qc);
	(void) compat_portal_run(portal, &receiver->pub, qc);
	PortalDrop(portal, false);
}

void
sched_script_run(const char *text, MemoryContext result_context,
				 SchedScriptResult *result)
{
	MemoryContext work = AllocSetContextCreate(result_context,
											   "sched script",
											   ALLOCSET_DEFAULT_SIZES);
	List	   *statements;
	ListCell   *cell;
	bool		own_transactions = false;
	bool		calls = false;
	bool		block;
	RowReceiver receiver = {{0}};
	QueryCompletion qc;

	MemoryContextSwitchTo(work);
	statements = pg_parse_query(text);
	InitializeQueryCompletion(&qc);
	receiver.pub.receiveSlot = receive_row;
	receiver.pub.rStartup = receive_startup;
	receiver.pub.rShutdown = receive_nothing;
	receiver.pub.rDestroy = receive_nothing;
	receiver.pub.mydest = DestNone;
	receiver.context = AllocSetContextCreate(work, "sched rows",
											 ALLOCSET_SMALL_SIZES);

	foreach(cell, statements)
	{
		const Node *statement = lfirst_node(RawStmt, cell)->stmt;

		refuse_client_copy(statement);
		own_transactions |= needs_own_transaction(statement);
		calls |= IsA(statement, CallStmt);
	}
	/* as a block, so that SET LOCAL and LOCK TABLE mean what they say */
	block = !own_transactions && !calls && list_length(statements) > 1;

	foreach(cell, statements)
	{
		RawStmt    *raw = lfirst_node(RawStmt, cell);

		if (own_transactions && cell != list_head(statements))
			StartTransactionCommand();	/* no-op in a block */
		if (block)
			BeginImplicitTransactionBlock();
		MemoryContextSwitchTo(work);
		run_statement(raw, text, &receiver, &qc);
		MemoryContextSwitchTo(work);
		if (own_transactions)
			CommitTransactionCommand();
		else
			CommandCounterIncrement();
	}

	if (own_transactions)
	{
		if (IsTransactionOrTransactionBlock())
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_TRANSACTION_STATE),
					 errmsg("the task left a transaction open"),
					 errdetail("There is a BEGIN without COMMIT; what it did is rolled back."),
					 errhint("End the command with COMMIT, or leave BEGIN away: a task is a transaction by itself.")));
		StartTransactionCommand();
	}
	else if (block)
		EndImplicitTransactionBlock();

	MemoryContextSwitchTo(result_context);
	if (statements != NIL)
	{
		bool		counts = command_tag_display_rowcount(qc.commandTag);

		result->row_count = counts ? (int64) qc.nprocessed : SCHED_UNSET;
		result->result = make_result(&receiver, &qc, counts);
	}
	else
	{
		result->row_count = SCHED_UNSET;
		result->result = NULL;
	}
	/* the transaction that we were called in may have ended */
	MemoryContextSwitchTo(CurTransactionContext);
}
