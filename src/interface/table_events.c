/*-------------------------------------------------------------------------
 *
 * table_events.c
 *	  Events of statements that change a table.
 *
 * sched.attach_table_events() puts statement-level AFTER triggers with
 * transition tables on a table; their function is here.  One statement makes one
 * event with the number of its rows, whatever that number is; a statement
 * that changed no row, or none that the condition holds for, makes none.  The
 * trigger's arguments are the name of the event, the condition, and whether
 * the payload is to have the rows, so that a dump of the table carries all of it.
 *
 * Whoever changes the table runs this, whatever rights he has.  The event is
 * that of the table's owner, and condition and rows are evaluated as the
 * table's owner, under a search_path of its own and as a security-restricted
 * operation.  The owner may change later, even to a superuser, so a condition may
 * use nothing but functions and operators that belong to a superuser and have no
 * side effects, and no subqueries: what it calls can never be of the making of
 * somebody with less rights than whom it runs as.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/transam.h"
#include "application/events/event.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "infrastructure/memory/shmem.h"
#include "infrastructure/tables/store.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "parser/parse_coerce.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/plancache.h"
#include "utils/queryenvironment.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "utils/tuplestore.h"
#include "utils/typcache.h"

PG_FUNCTION_INFO_V1(sched_table_event);
PG_FUNCTION_INFO_V1(sched_sql_table_condition_check);

/* Bounds of the rows in a payload. */
#define MAX_ROWS		100
#define MAX_ROWS_BYTES	(512 * 1024)

/* ---------- conditions ---------- */

static bool
is_harmful_function(Oid function, void *context)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	Form_pg_proc form;
	bool		bad;

	if (!HeapTupleIsValid(tuple))
		return true;
	form = (Form_pg_proc) GETSTRUCT(tuple);
	bad = form->provolatile == PROVOLATILE_VOLATILE ||
		!superuser_arg(form->proowner);
	if (bad)
		strlcpy(context, NameStr(form->proname), NAMEDATALEN);
	ReleaseSysCache(tuple);
	return bad;
}

/* Finds what a condition may not contain; *context gets its name. */
static bool
find_fault(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (check_functions_in_node(node, is_harmful_function, context))
		return true;
	if (IsA(node, SubLink) || IsA(node, Query))
		strlcpy(context, "a subquery", NAMEDATALEN);
	else if (IsA(node, CoerceToDomain))
		strlcpy(context, "a domain", NAMEDATALEN);
	else if (IsA(node, Aggref) || IsA(node, WindowFunc) ||
			 IsA(node, GroupingFunc))
		strlcpy(context, "an aggregate", NAMEDATALEN);
	else
		return expression_tree_walker(node, find_fault, context);
	return true;
}

static char *
make_query(const char *what, bool is_delete, const char *condition)
{
	return psprintf("SELECT %s FROM %s%s", what,
					is_delete ? "old_rows AS old" : "new_rows AS new",
					condition[0] == '\0' ? "" :
					psprintf(" WHERE (%s\n)", condition));
}

/*
 * Prepare a query with the condition in it and make sure that it is what it
 * looks like.  Inside SPI, as the table's owner.
 */
static SPIPlanPtr
prepare(const char *what, bool is_delete, const char *condition,
		const char *relation_name)
{
	SPIPlanPtr	plan;
	List	   *sources;
	Query	   *query = NULL;
	char		fault[NAMEDATALEN] = "";

	plan = SPI_prepare(make_query(what, is_delete, condition), 0, NULL);
	if (plan == NULL)
		elog(ERROR, "could not prepare the condition on table \"%s\": %s",
			 relation_name, SPI_result_code_string(SPI_result));
	sources = SPI_plan_get_plan_sources(plan);
	if (list_length(sources) == 1)
	{
		CachedPlanSource *source = linitial(sources);

		if (list_length(source->query_list) == 1)
			query = linitial_node(Query, source->query_list);
	}
	if (query == NULL || query->commandType != CMD_SELECT ||
		list_length(query->rtable) != 1 || query->hasSubLinks ||
		query->setOperations != NULL || query->groupClause != NIL ||
		query->havingQual != NULL || query->sortClause != NIL ||
		query->limitCount != NULL || query->limitOffset != NULL ||
		query->rowMarks != NIL || query->cteList != NIL ||
		query->hasTargetSRFs || query->windowClause != NIL)
		strlcpy(fault, "more than a condition", sizeof(fault));
	else
		(void) find_fault(query->jointree->quals, fault);
	if (fault[0] != '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid \"when\" for table \"%s\"", relation_name),
				 errdetail("The condition contains %s.", fault),
				 errhint("Give a condition on the columns of a row without subqueries; functions must belong to a superuser and not be volatile.")));
	return plan;
}

/*
 * Would making JSON of the type call a function of somebody who is no
 * superuser?  A cast to json that a user made for his type counts.
 */
static bool
calls_strangers(Oid type)
{
	Oid			function;
	Oid			element;
	char		name[NAMEDATALEN];

	check_stack_depth();
	type = getBaseType(type);
	element = get_element_type(type);
	if (OidIsValid(element))
		return calls_strangers(element);
	if (type < FirstNormalObjectId)
		return false;
	if (find_coercion_pathway(JSONOID, type, COERCION_EXPLICIT, &function) ==
		COERCION_PATH_FUNC)
		return is_harmful_function(function, name);
	if (type_is_rowtype(type))
	{
		TupleDesc	desc = lookup_rowtype_tupdesc(type, -1);
		bool		found = false;

		for (int i = 0; i < desc->natts && !found; i++)
			if (!TupleDescAttr(desc, i)->attisdropped)
				found = calls_strangers(TupleDescAttr(desc, i)->atttypid);
		ReleaseTupleDesc(desc);
		return found;
	}
	return false;
}

/* ---------- as the table's owner ---------- */

typedef struct Identity
{
	Oid			caller;
	int			security;
	int			nest_level;
} Identity;

static void
become(Oid owner, Identity *identity)
{
	GetUserIdAndSecContext(&identity->caller, &identity->security);
	SetUserIdAndSecContext(owner, identity->security |
						   SECURITY_LOCAL_USERID_CHANGE |
						   SECURITY_RESTRICTED_OPERATION);
	identity->nest_level = NewGUCNestLevel();
	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

/* After an error the abort of the (sub)transaction does the same. */
static void
become_caller(const Identity *identity)
{
	AtEOXact_GUC(false, identity->nest_level);
	SetUserIdAndSecContext(identity->caller, identity->security);
}

/* ---------- attaching ---------- */

/* _table_condition_check(relation oid, operation text, condition text) */
Datum
sched_sql_table_condition_check(PG_FUNCTION_ARGS)
{
	Oid			relid = PG_GETARG_OID(0);
	bool		is_delete = strcmp(text_to_cstring(PG_GETARG_TEXT_PP(1)),
								   "DELETE") == 0;
	char	   *condition = text_to_cstring(PG_GETARG_TEXT_PP(2));
	Relation	relation = table_open(relid, AccessShareLock);
	EphemeralNamedRelation enr = palloc0(sizeof(EphemeralNamedRelationData));
	Identity	identity;

	enr->md.name = is_delete ? "old_rows" : "new_rows";
	enr->md.reliddesc = relid;
	enr->md.enrtype = ENR_NAMED_TUPLESTORE;

	become(relation->rd_rel->relowner, &identity);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (SPI_register_relation(enr) != SPI_OK_REL_REGISTER)
		elog(ERROR, "could not register the rows");
	(void) prepare("1", is_delete, condition,
				   RelationGetRelationName(relation));
	SPI_finish();
	become_caller(&identity);
	table_close(relation, AccessShareLock);
	PG_RETURN_VOID();
}

/* ---------- the trigger ---------- */

static int64
count_rows(bool is_delete, const char *condition, const char *relation_name)
{
	bool		isnull;

	if (SPI_execute_plan(prepare("pg_catalog.count(*)", is_delete, condition,
								 relation_name),
						 NULL, NULL, true, 0) != SPI_OK_SELECT ||
		SPI_processed != 1)
		elog(ERROR, "could not count the rows of table \"%s\"",
			 relation_name);
	return DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0],
									   SPI_tuptable->tupdesc, 1, &isnull));
}

/* The first rows as JSON; fewer than there are when they are too many. */
static void
append_rows(StringInfo out, bool is_delete, const char *condition,
			const char *relation_name, int64 count)
{
	int64		taken = 0;

	if (SPI_execute_plan(prepare(is_delete ?
								 "pg_catalog.to_json(old)::pg_catalog.text" :
								 "pg_catalog.to_json(new)::pg_catalog.text",
								 is_delete, condition, relation_name),
						 NULL, NULL, true, MAX_ROWS) != SPI_OK_SELECT)
		elog(ERROR, "could not read the rows of table \"%s\"", relation_name);
	appendStringInfoString(out, ", \"rows\": [");
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		char	   *row = SPI_getvalue(SPI_tuptable->vals[i],
									   SPI_tuptable->tupdesc, 1);

		if (row == NULL || out->len + strlen(row) > MAX_ROWS_BYTES)
			break;
		appendStringInfo(out, "%s%s", i > 0 ? ", " : "", row);
		taken++;
	}
	appendStringInfo(out, "], \"rows_complete\": %s",
					 taken == count ? "true" : "false");
}

static const char *
operation_name(TriggerEvent event)
{
	return TRIGGER_FIRED_BY_INSERT(event) ? "INSERT" :
		TRIGGER_FIRED_BY_UPDATE(event) ? "UPDATE" :
		TRIGGER_FIRED_BY_DELETE(event) ? "DELETE" : "TRUNCATE";
}

/*
 * The payload in *out; false when there is nothing to report.
 */
static bool
describe_statement(TriggerData *trigger, StringInfo out)
{
	Relation	relation = trigger->tg_relation;
	const char *condition = trigger->tg_trigger->tgargs[1];
	bool		with_rows = strcmp(trigger->tg_trigger->tgargs[2], "rows") == 0;
	bool		is_delete = TRIGGER_FIRED_BY_DELETE(trigger->tg_event);
	Tuplestorestate *store = is_delete ? trigger->tg_oldtable :
	trigger->tg_newtable;
	int64		count;
	Identity	identity;
	MemoryContext caller_context = CurrentMemoryContext;
	StringInfoData rows;

	appendStringInfo(out, "{\"operation\": \"%s\", \"relation\": ",
					 operation_name(trigger->tg_event));
	escape_json(out, psprintf("%s.%s",
							  get_namespace_name(RelationGetNamespace(relation)),
							  RelationGetRelationName(relation)));
	if (store == NULL)
	{
		/* TRUNCATE: nobody has counted */
		appendStringInfoChar(out, '}');
		return true;
	}

	count = tuplestore_tuple_count(store);
	if (count == 0)
		return false;
	initStringInfo(&rows);
	if (condition[0] != '\0' || with_rows)
	{
		become(relation->rd_rel->relowner, &identity);
		if (SPI_connect() != SPI_OK_CONNECT ||
			SPI_register_trigger_data(trigger) != SPI_OK_TD_REGISTER)
			elog(ERROR, "could not register the rows of table \"%s\"",
				 RelationGetRelationName(relation));
		if (condition[0] != '\0')
			count = count_rows(is_delete, condition,
							   RelationGetRelationName(relation));
		if (count > 0 && with_rows &&
			!calls_strangers(relation->rd_rel->reltype))
			append_rows(&rows, is_delete, condition,
						RelationGetRelationName(relation), count);
		SPI_finish();
		become_caller(&identity);
		MemoryContextSwitchTo(caller_context);
	}
	appendStringInfo(out, ", \"count\": " INT64_FORMAT "%s}", count,
					 rows.data);
	return count > 0;
}

Datum
sched_table_event(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	SchedEvent	event;
	StringInfoData payload;

	if (!CALLED_AS_TRIGGER(fcinfo) ||
		!TRIGGER_FIRED_AFTER(trigger->tg_event) ||
		!TRIGGER_FIRED_FOR_STATEMENT(trigger->tg_event) ||
		trigger->tg_trigger->tgnargs != 3)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function sched._table_event() is for triggers made by sched.attach_table_events()")));
	if (sched_shared == NULL)
	{
		/* somebody's table must not depend on how the server was started */
		ereport(WARNING,
				(errmsg("no event \"%s\": sched is not loaded",
						trigger->tg_trigger->tgargs[0]),
				 errhint("Add sched to shared_preload_libraries and restart the server.")));
		return PointerGetDatum(NULL);
	}

	initStringInfo(&payload);
	if (describe_statement(trigger, &payload))
	{
		sched_event_init(&event, SCHED_EVENT_COUNT);
		event.name = trigger->tg_trigger->tgargs[0];
		event.owner = trigger->tg_relation->rd_rel->relowner;
		event.payload = DatumGetJsonbP(DirectFunctionCall1(jsonb_in,
														   CStringGetDatum(payload.data)));
		(void) sched_event_record(&event);
	}
	return PointerGetDatum(NULL);
}
