/*-------------------------------------------------------------------------
 *
 * database_hooks.c
 *	  Make way for commands that need a database without sessions.
 *
 * DROP DATABASE, ALTER DATABASE ... RENAME or SET TABLESPACE, and CREATE
 * DATABASE with a template are refused while anybody is connected to the
 * database in question, our scheduler and workers included.  So before such a
 * command runs, and only if the caller has the right to it, a hold is put on
 * the database: the launcher starts nothing there, and who is there is asked
 * to go.  The command then runs whether or not all went in time; if not, its
 * own check says so.
 *
 * The hold lasts until the transaction ends, since before that the launcher
 * would still see the database and have its scheduler wait for the command's
 * lock.  After an error it is taken back at once.  A session that is ended
 * aborts its transaction and so drops its holds; the launcher drops those of
 * sessions that are no more.
 *
 * The other task of this file is to notice that the extension was dropped,
 * by whatever command, and to let the scheduler know at commit; and to tell the
 * session's reset (session.c) that there was a utility command at all.
 *
 * Runs in the backend that executes the command.  Takes sched_shared->lock for
 * short, and no other lock.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "application/processes/session.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_database.h"
#include "commands/dbcommands.h"
#include "commands/defrem.h"
#include "commands/extension.h"
#include "infrastructure/compat.h"
#include "infrastructure/memory/pending.h"
#include "infrastructure/settings.h"
#include "infrastructure/memory/shmem.h"
#include "infrastructure/memory/wake.h"
#include "interface/database_hooks.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "tcop/utility.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#define EXTENSION_NAME		"sched"
#define DEFAULT_TEMPLATE	"template1"

#define WAIT_STEP			10	/* milliseconds */
#define WAIT_STEPS			1000	/* 10 seconds */
#define GRACE_STEPS			200 /* 2 seconds, for running tasks */

static ProcessUtility_hook_type previous_utility_hook;

/* Has this transaction put a hold on a database? */
static bool holding = false;

/* ---------- which database has to be empty ---------- */

/* The database, if the caller owns it; else the command will fail anyway. */
static Oid
owned_database(const char *name)
{
	Oid			database;

	if (name == NULL)
		return InvalidOid;
	database = get_database_oid(name, true);
	if (!OidIsValid(database) || !compat_owns_database(database, GetUserId()))
		return InvalidOid;
	return database;
}

static bool
may_create_databases(void)
{
	HeapTuple	tuple;
	bool		may = false;

	if (superuser())
		return true;
	tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(GetUserId()));
	if (HeapTupleIsValid(tuple))
	{
		may = ((Form_pg_authid) GETSTRUCT(tuple))->rolcreatedb;
		ReleaseSysCache(tuple);
	}
	return may;
}

static bool
is_template(Oid database)
{
	HeapTuple	tuple = SearchSysCache1(DATABASEOID, ObjectIdGetDatum(database));
	bool		yes = false;

	if (HeapTupleIsValid(tuple))
	{
		yes = ((Form_pg_database) GETSTRUCT(tuple))->datistemplate;
		ReleaseSysCache(tuple);
	}
	return yes;
}

static DefElem *
find_option(List *options, const char *name)
{
	ListCell   *cell;

	foreach(cell, options)
	{
		DefElem    *option = lfirst_node(DefElem, cell);

		if (strcmp(option->defname, name) == 0)
			return option;
	}
	return NULL;
}

/* The template of CREATE DATABASE, if the caller may copy it. */
static Oid
template_database(const CreatedbStmt *stmt)
{
	DefElem    *option = find_option(stmt->options, "template");
	const char *name = DEFAULT_TEMPLATE;
	Oid			database;

	if (!may_create_databases())
		return InvalidOid;
	if (option != NULL && option->arg != NULL)
		name = defGetString(option);
	database = get_database_oid(name, true);
	if (!OidIsValid(database) ||
		!(is_template(database) ||
		  compat_owns_database(database, GetUserId())))
		return InvalidOid;
	return database;
}

/* Which database does the command need empty?  InvalidOid: none. */
static Oid
database_to_empty(Node *stmt, bool is_top_level)
{
	Oid			database = InvalidOid;
	bool		needs_own_transaction = true;

	switch (nodeTag(stmt))
	{
		case T_DropdbStmt:
			database = owned_database(((DropdbStmt *) stmt)->dbname);
			break;
		case T_RenameStmt:
			if (((RenameStmt *) stmt)->renameType == OBJECT_DATABASE)
				database = owned_database(((RenameStmt *) stmt)->subname);
			needs_own_transaction = false;
			break;
		case T_AlterDatabaseStmt:
			if (find_option(((AlterDatabaseStmt *) stmt)->options,
							"tablespace") != NULL)
				database = owned_database(((AlterDatabaseStmt *) stmt)->dbname);
			break;
		case T_CreatedbStmt:
			database = template_database((CreatedbStmt *) stmt);
			break;
		default:
			break;
	}
	if (!OidIsValid(database))
		return InvalidOid;

	/* what is going to be refused is no reason to stop anybody's tasks */
	if (database == MyDatabaseId && !IsA(stmt, CreatedbStmt))
		return InvalidOid;
	if (IsA(stmt, DropdbStmt) && is_template(database))
		return InvalidOid;
	if (needs_own_transaction && IsInTransactionBlock(is_top_level))
		return InvalidOid;
	return database;
}

/* ---------- holds ---------- */

static bool
put_hold(Oid database)
{
	for (int i = 0; i < SCHED_MAX_HOLDS; i++)
	{
		SchedHold  *hold = &sched_shared->holds[i];

		if (OidIsValid(hold->database))
			continue;
		hold->database = database;
		hold->holder = MyProcPid;
		holding = true;
		return true;
	}
	return false;
}

static void
drop_holds(void)
{
	if (!holding)
		return;
	holding = false;
	sched_lock(LW_EXCLUSIVE);
	for (int i = 0; i < SCHED_MAX_HOLDS; i++)
	{
		SchedHold  *hold = &sched_shared->holds[i];

		if (OidIsValid(hold->database) && hold->holder == MyProcPid)
		{
			hold->database = InvalidOid;
			hold->holder = 0;
		}
	}
	sched_wake_launcher();
	sched_unlock();
}

static void
at_transaction_end(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PREPARE:
			drop_holds();
			break;
		default:
			break;
	}
}

/* ---------- emptying a database ---------- */

/* Ask one worker to go; true while it is in the way.  Lock held. */
static bool
dismiss_worker(SchedWorker *worker, bool now_or_never)
{
	if (worker->state == SCHED_WORKER_FREE ||
		worker->state == SCHED_WORKER_DEAD)
		return false;
	if (!worker->leave)
	{
		worker->leave = true;
		sched_wake_worker(worker);
	}
	if (!now_or_never)
		return true;
	if (worker->proc == NULL)
		return false;			/* not there, and goes when it comes */
	if (worker->state == SCHED_WORKER_BUSY && !worker->terminated)
	{
		worker->terminated = true;
		sched_wake_terminate(worker);
	}
	return true;
}

/* Ask all to go; true when nobody of ours is left.  Lock held. */
static bool
dismiss(Oid database, bool terminate_busy, bool out_of_patience)
{
	SchedDatabase *db = sched_shmem_database(database);
	bool		gone = true;

	if (db == NULL)
		return true;
	if (db->state == SCHED_DB_STARTING || db->state == SCHED_DB_RUNNING)
	{
		gone = false;
		if (!db->leave)
		{
			db->leave = true;
			sched_wake_scheduler(db);
		}
	}
	if (db->http.proc != NULL ||
		(db->http.state == SCHED_WORKER_STARTING && !out_of_patience))
	{
		gone = false;
		if (!db->http.leave)
		{
			db->http.leave = true;
			sched_wake_http(db);
		}
		if (out_of_patience && !db->http.terminated)
		{
			db->http.terminated = true;
			sched_wake_terminate_http(db);
		}
	}
	for (int i = 0; i < sched_max_workers; i++)
	{
		SchedWorker *worker = &sched_shared->workers[i];

		if (worker->database == database &&
			dismiss_worker(worker, out_of_patience ||
						   (terminate_busy &&
							worker->state == SCHED_WORKER_BUSY)))
			gone = false;
	}
	return gone;
}

static void
empty_database(Oid database, bool terminate_busy)
{
	bool		held = false;

	for (int step = 0; step < WAIT_STEPS; step++)
	{
		bool		gone = false;

		CHECK_FOR_INTERRUPTS();
		sched_lock(LW_EXCLUSIVE);
		if (!held)
			held = put_hold(database);
		if (held)
			gone = dismiss(database, terminate_busy, step >= GRACE_STEPS);
		sched_unlock();
		if (gone)
			return;
		(void) WaitLatch(MyLatch,
						 WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 WAIT_STEP, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
	}
}

/* ---------- the hook ---------- */

/* May the command drop the extension, directly or by CASCADE? */
static bool
may_drop_extension(Node *stmt)
{
	if (IsA(stmt, DropOwnedStmt))
		return true;
	if (!IsA(stmt, DropStmt))
		return false;
	switch (((DropStmt *) stmt)->removeType)
	{
		case OBJECT_EXTENSION:
		case OBJECT_SCHEMA:
			return true;
		default:
			return false;
	}
}

static void
run_utility(PlannedStmt *pstmt, const char *query_string, bool read_only_tree,
			ProcessUtilityContext context, ParamListInfo params,
			QueryEnvironment *query_env, DestReceiver *dest,
			QueryCompletion *qc)
{
	if (previous_utility_hook)
		previous_utility_hook(pstmt, query_string, read_only_tree, context,
							  params, query_env, dest, qc);
	else
		standard_ProcessUtility(pstmt, query_string, read_only_tree, context,
								params, query_env, dest, qc);
}

/* Run the command with the database held, and as empty as we can make it. */
static void
run_with_hold(Oid database, PlannedStmt *pstmt, const char *query_string,
			  bool read_only_tree, ProcessUtilityContext context,
			  ParamListInfo params, QueryEnvironment *query_env,
			  DestReceiver *dest, QueryCompletion *qc)
{
	PG_TRY();
	{
		empty_database(database, IsA(pstmt->utilityStmt, DropdbStmt));
		run_utility(pstmt, query_string, read_only_tree, context, params,
					query_env, dest, qc);
	}
	PG_CATCH();
	{
		drop_holds();
		PG_RE_THROW();
	}
	PG_END_TRY();
}

static void
process_utility(PlannedStmt *pstmt, const char *query_string,
				bool read_only_tree, ProcessUtilityContext context,
				ParamListInfo params, QueryEnvironment *query_env,
				DestReceiver *dest, QueryCompletion *qc)
{
	Node	   *stmt = pstmt->utilityStmt;
	bool		had_extension = false;
	Oid			database = InvalidOid;

	sched_session_note_utility();
	/* BEGIN, ROLLBACK and so on come here outside of a valid transaction */
	if (sched_shared != NULL && IsTransactionState())
	{
		database = database_to_empty(stmt,
									 context == PROCESS_UTILITY_TOPLEVEL);
		had_extension = may_drop_extension(stmt) &&
			OidIsValid(get_extension_oid(EXTENSION_NAME, true));
	}

	if (OidIsValid(database))
		run_with_hold(database, pstmt, query_string, read_only_tree, context,
					  params, query_env, dest, qc);
	else
		run_utility(pstmt, query_string, read_only_tree, context, params,
					query_env, dest, qc);

	/* only then: PREPARE TRANSACTION is refused after such a note */
	if (had_extension &&
		!OidIsValid(get_extension_oid(EXTENSION_NAME, true)))
		sched_pending_wake_scheduler();
}

void
sched_database_hooks_install(void)
{
	previous_utility_hook = ProcessUtility_hook;
	ProcessUtility_hook = process_utility;
	RegisterXactCallback(at_transaction_end, NULL);
}
