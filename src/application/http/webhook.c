/*-------------------------------------------------------------------------
 *
 * webhook.c
 *	  Sending events to subscribers.
 *
 * Runs in the HTTP worker, beside the tasks.  A row of _delivery is written in
 * the transaction of the event, and goes in the transaction that records
 * that it was received; so an event is sent at least once, whatever dies.
 *
 * One event of a subscription is on the wire at a time, the one with the least
 * id, until it is received or the subscription is paused: subscribers get events
 * in order.  Ids are given before transactions commit, so an event waits while an
 * older transaction could still bring a lesser id, for at most
 * MAX_ORDER_WAIT.
 *
 * What is sent is a CloudEvent 1.0 in JSON, with a signature over the time and
 * the body if the subscription has a secret.  What is not answered by 2xx is
 * sent again, later each time; after sched.webhook_max_attempts, or when the
 * subscriber says that it is gone (410), the subscription is paused, and an
 * event says so.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "application/events/event.h"
#include "application/http/http_request.h"
#include "application/http/http_result.h"
#include "application/http/secret.h"
#include "application/http/webhook.h"
#include "catalog/pg_type.h"
#include "commands/dbcommands.h"
#include "common/hmac.h"
#include "common/sha2.h"
#include "executor/spi.h"
#include "infrastructure/clock.h"
#include "infrastructure/settings.h"
#include "infrastructure/tables/store.h"
#include "lib/ilist.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#define MAX_ORDER_WAIT	"5 seconds"
#define LOOK_DELAY		(100 * 1000)	/* for an older transaction to end */
#define MAX_LOOK_DELAY	(5 * USECS_PER_SEC)
#define FIRST_DELAY		(1 * USECS_PER_SEC)
#define LONGEST_DELAY	(3600 * USECS_PER_SEC)
#define TIMEOUT_MS		30000
#define MAX_ANSWER		1024	/* bytes of the body that are read */
#define MAX_FAILURES	4		/* in a row when recording */

typedef struct Delivery
{
	HttpOwnerKind kind;
	dlist_node	node;
	MemoryContext context;		/* holds all of it */
	SchedHttpCall *call;		/* NULL: not sent */
	int64		subscription_id;
	int64		event_id;
	char	   *name;			/* of the subscription */
	Oid			owner;
	int			attempts;		/* before this one */
	SchedHttpSpec spec;
	/* how it ended */
	bool		received;
	bool		hopeless;
	int			status;			/* 0: no answer */
	char	   *error;
	int64		retry_after;	/* microseconds, 0: not said */
}			Delivery;

static dlist_head on_wire = DLIST_STATIC_INIT(on_wire);
static dlist_head ended = DLIST_STATIC_INIT(ended);
static int	in_hand;
static TimestampTz look_at;		/* real time, 0: never */
static TimestampTz record_at;	/* likewise; 0: at once */

/* ---------- the event ---------- */

static void
add(StringInfo out, const char *key, const char *value)
{
	if (value == NULL)
		return;
	appendStringInfo(out, "%s\"%s\": ", out->len > 1 ? ", " : "", key);
	escape_json(out, value);
}

/* urn:sched:NODE:DATABASE, percent-encoded */
static char *
event_source(void)
{
	StringInfoData out;
	const char *parts[2] = {sched_settings_node_id(),
	get_database_name(MyDatabaseId)};

	initStringInfo(&out);
	appendStringInfoString(&out, "urn:sched");
	for (int i = 0; i < 2; i++)
	{
		appendStringInfoChar(&out, ':');
		for (const unsigned char *p = (const unsigned char *) parts[i]; *p != '\0'; p++)
		{
			if ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
				(*p >= '0' && *p <= '9') || strchr("-._", *p) != NULL)
				appendStringInfoChar(&out, *p);
			else
				appendStringInfo(&out, "%%%02X", *p);
		}
	}
	return out.data;
}

/* Columns of the query in pick(). */
enum
{
	COL_SUBSCRIPTION = 1, COL_NAME, COL_OWNER, COL_URL, COL_HEADERS,
	COL_SIGNED, COL_EVENT, COL_ATTEMPTS, COL_TYPE, COL_TIME, COL_JOB,
	COL_TASK, COL_EXECUTOR, COL_ACTOR, COL_PAYLOAD
};

static char *
column(HeapTuple tuple, TupleDesc desc, int number)
{
	return SPI_getvalue(tuple, desc, number);
}

static char *
event_body(HeapTuple tuple, TupleDesc desc)
{
	StringInfoData out;
	char	   *payload = column(tuple, desc, COL_PAYLOAD);

	initStringInfo(&out);
	appendStringInfoChar(&out, '{');
	add(&out, "specversion", "1.0");
	add(&out, "id", column(tuple, desc, COL_EVENT));
	add(&out, "source", event_source());
	add(&out, "type", column(tuple, desc, COL_TYPE));
	add(&out, "time", column(tuple, desc, COL_TIME));
	add(&out, "jobid", column(tuple, desc, COL_JOB));
	add(&out, "taskid", column(tuple, desc, COL_TASK));
	add(&out, "executor", column(tuple, desc, COL_EXECUTOR));
	add(&out, "actor", column(tuple, desc, COL_ACTOR));
	add(&out, "datacontenttype", "application/json");
	appendStringInfo(&out, ", \"data\": %s}", payload == NULL ? "null" : payload);
	return out.data;
}

/* ---------- the request ---------- */

/* "t=SECONDS,v1=HEX", HEX of HMAC-SHA256 over "SECONDS.BODY" */
static char *
signature(const char *secret, const char *body, Size length)
{
	pg_hmac_ctx *hmac = pg_hmac_create(PG_SHA256);
	uint8		digest[PG_SHA256_DIGEST_LENGTH];
	char		hex[2 * PG_SHA256_DIGEST_LENGTH + 1];
	char	   *seconds = psprintf(INT64_FORMAT ".", (int64) time(NULL));

	if (hmac == NULL ||
		pg_hmac_init(hmac, (const uint8 *) secret, strlen(secret)) < 0 ||
		pg_hmac_update(hmac, (const uint8 *) seconds, strlen(seconds)) < 0 ||
		pg_hmac_update(hmac, (const uint8 *) body, length) < 0 ||
		pg_hmac_final(hmac, digest, sizeof(digest)) < 0)
		ereport(ERROR, (errmsg("could not compute a signature")));
	pg_hmac_free(hmac);
	for (int i = 0; i < PG_SHA256_DIGEST_LENGTH; i++)
		sprintf(hex + 2 * i, "%02x", digest[i]);
	seconds[strlen(seconds) - 1] = '\0';
	return psprintf("t=%s,v1=%s", seconds, hex);
}

static const char *
secret_value(void *arg, const char *name, const char **why)
{
	const		Delivery *delivery = arg;

	return sched_secret_value(name, delivery->owner, delivery->owner, why);
}

/* Whatever makes it impossible to send is how the attempt ended. */
static void
cannot_send(Delivery * delivery, char *error)
{
	delivery->error = error;
	dlist_push_tail(&ended, &delivery->node);
}

static void
send(Delivery * delivery, SchedHttpClient *client, bool is_signed, Jsonb *headers,
	 char *url, char *body)
{
	SchedHttpSpec *spec = &delivery->spec;
	SchedHttpRequest request = {0};
	SchedHttpHeader all[128];
	SchedHttpProblem problem;
	Jsonb	   *parameters;
	int			n;

	parameters = DatumGetJsonbP(DirectFunctionCall1(jsonb_in,
													CStringGetDatum(psprintf("{\"headers\": %s}",
																			 JsonbToCString(NULL, &headers->root, VARSIZE(headers))))));
	if (!sched_http_spec_parse(url, parameters, spec, &problem) ||
		!sched_http_spec_fill_in(spec, secret_value, delivery, &problem))
	{
		cannot_send(delivery, psprintf("invalid request: %s", problem.detail));
		return;
	}
	body = pg_server_to_any(body, strlen(body), PG_UTF8);
	n = spec->header_count;
	Assert(n + 3 <= lengthof(all));
	if (n > 0)
		memcpy(all, spec->headers, n * sizeof(SchedHttpHeader));
	all[n++] = (SchedHttpHeader)
	{
		"Content-Type", "application/cloudevents+json; charset=utf-8", false
	};
	all[n++] = (SchedHttpHeader)
	{
		"Idempotency-Key", psprintf(INT64_FORMAT "-" INT64_FORMAT,
									delivery->subscription_id,
									delivery->event_id), false
	};
	if (is_signed)
	{
		const char *why = NULL;
		char	   *secret = sched_secret_value(psprintf("subscription:" INT64_FORMAT,
														 delivery->subscription_id),
												delivery->owner, delivery->owner,
												&why);

		if (secret == NULL)
		{
			cannot_send(delivery, psprintf("the secret of the subscription %s",
										   why));
			return;
		}
		all[n++] = (SchedHttpHeader)
		{
			"X-Sched-Signature", signature(secret, body, strlen(body)), false
		};
	}
	request.method = "POST";
	request.url = spec->url;
	request.headers = all;
	request.header_count = n;
	request.body = body;
	request.body_length = strlen(body);
	request.timeout_ms = TIMEOUT_MS;
	request.max_body = MAX_ANSWER;
	request.owner = delivery;
	delivery->call = sched_http_client_start(client, &request);
	if (delivery->call == NULL)
		cannot_send(delivery, pstrdup("out of memory"));
	else
		dlist_push_tail(&on_wire, &delivery->node);
}

/* ---------- picking ---------- */

static void
drop_delivery(int64 subscription_id, int64 event_id)
{
	Oid			types[2] = {INT8OID, INT8OID};
	Datum		args[2] = {Int64GetDatum(subscription_id),
	Int64GetDatum(event_id)};

	if (SPI_execute_with_args("DELETE FROM sched._delivery "
							  "WHERE subscription_id = $1 AND event_id = $2",
							  2, types, args, NULL, false, 0) != SPI_OK_DELETE)
		elog(ERROR, "could not delete from sched._delivery");
}

static Datum
ids_on_wire(void)
{
	Datum	   *ids = palloc(Max(in_hand, 1) * sizeof(Datum));
	dlist_iter	iter;
	int			n = 0;

	dlist_foreach(iter, &on_wire)
		ids[n++] = Int64GetDatum(dlist_container(Delivery, node, iter.cur)->subscription_id);
	dlist_foreach(iter, &ended)
		ids[n++] = Int64GetDatum(dlist_container(Delivery, node, iter.cur)->subscription_id);
	return PointerGetDatum(construct_array(ids, n, INT8OID, 8, true,
										   TYPALIGN_DOUBLE));
}

/* A picked row: read in the transaction, sent after it. */
typedef struct Picked
{
	Delivery   *delivery;
	bool		is_signed;
	Jsonb	   *headers;
	char	   *url;
	char	   *body;
}			Picked;

static Picked
read_picked(HeapTuple tuple, TupleDesc desc)
{
	MemoryContext context = AllocSetContextCreate(TopMemoryContext,
												  "sched webhook",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Delivery   *delivery = palloc0(sizeof(Delivery));
	Picked		picked;
	bool		isnull;

	delivery->kind = HTTP_OWNER_DELIVERY;
	delivery->context = context;
	delivery->subscription_id = DatumGetInt64(SPI_getbinval(tuple, desc,
															COL_SUBSCRIPTION, &isnull));
	delivery->event_id = DatumGetInt64(SPI_getbinval(tuple, desc, COL_EVENT,
													 &isnull));
	delivery->name = column(tuple, desc, COL_NAME);
	delivery->owner = DatumGetObjectId(SPI_getbinval(tuple, desc, COL_OWNER,
													 &isnull));
	delivery->attempts = DatumGetInt32(SPI_getbinval(tuple, desc, COL_ATTEMPTS,
													 &isnull));
	picked.delivery = delivery;
	picked.is_signed = DatumGetBool(SPI_getbinval(tuple, desc, COL_SIGNED,
												  &isnull));
	picked.headers = DatumGetJsonbPCopy(SPI_getbinval(tuple, desc, COL_HEADERS,
													  &isnull));
	picked.url = column(tuple, desc, COL_URL);
	picked.body = event_body(tuple, desc);
	MemoryContextSwitchTo(old);
	return picked;
}

/*
 * The next event of every subscription that has none on the wire, if it is due
 * and no older transaction can bring one that goes before it.  Events that
 * retention has taken are passed over.
 */
static const char pick_query[] =
"SELECT s.subscription_id, s.name, s.owner::pg_catalog.oid, s.url, s.headers, s.signed,"
" d.event_id, d.attempts, e.type,"
" pg_catalog.to_char(e.occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'),"
" e.job_id, e.task_id, e.executor, pg_catalog.pg_get_userbyid(e.actor), e.payload"
" FROM sched._subscription s"
" LEFT JOIN sched._subscription_state st ON st.subscription_id = s.subscription_id"
" CROSS JOIN LATERAL (SELECT x.* FROM sched._delivery x"
"  WHERE x.subscription_id = s.subscription_id ORDER BY x.event_id LIMIT 1) d"
" LEFT JOIN sched._event e ON e.event_id = d.event_id"
" WHERE st.paused_at IS NULL AND s.subscription_id <> ALL ($1) AND d.due_at <= $2"
" AND (e.xid IS NULL OR e.xid < pg_catalog.pg_snapshot_xmin(pg_catalog.pg_current_snapshot())"
"  OR e.occurred_at < $2 - interval '" MAX_ORDER_WAIT "')"
" ORDER BY d.event_id LIMIT $3";

/* When there is something to do besides what is on the wire. */
static const char next_query[] =
"SELECT pg_catalog.min(d.due_at)"
" FROM sched._subscription s"
" LEFT JOIN sched._subscription_state st ON st.subscription_id = s.subscription_id"
" CROSS JOIN LATERAL (SELECT x.due_at FROM sched._delivery x"
"  WHERE x.subscription_id = s.subscription_id ORDER BY x.event_id LIMIT 1) d"
" WHERE st.paused_at IS NULL AND s.subscription_id <> ALL ($1)";

static void
begin(void)
{
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
}

static void
commit(void)
{
	SPI_finish();
	PopActiveSnapshot();
	CommitTransactionCommand();
}

/* Real time at which to look again for what waits; 0: nothing does. */
static TimestampTz
next_look(void)
{
	Oid			types[1] = {INT8ARRAYOID};
	Datum		args[1] = {ids_on_wire()};
	TimestampTz due;
	TimestampTz real = GetCurrentTimestamp();
	bool		isnull;

	if (SPI_execute_with_args(next_query, 1, types, args, NULL, true,
							  1) != SPI_OK_SELECT)
		elog(ERROR, "could not read sched._delivery");
	due = DatumGetTimestampTz(SPI_getbinval(SPI_tuptable->vals[0],
											SPI_tuptable->tupdesc, 1,
											&isnull));
	if (isnull)
		return 0;
	/* a clock that stands still is looked at now and then */
	if (sched_clock_is_frozen())
		return real + LOOK_DELAY;
	/* and one that is set may bring it sooner */
	return Min(Max(due, real + LOOK_DELAY), real + MAX_LOOK_DELAY);
}

static bool
pick(SchedHttpClient *client, int room)
{
	Oid			types[3] = {INT8ARRAYOID, TIMESTAMPTZOID, INT4OID};
	Datum		args[3];
	Picked	   *picked;
	int			count = 0;
	int			found;

	begin();
	args[0] = ids_on_wire();
	args[1] = TimestampTzGetDatum(sched_clock_now());
	args[2] = Int32GetDatum(room);
	if (SPI_execute_with_args(pick_query, 3, types, args, NULL, true,
							  0) != SPI_OK_SELECT)
		elog(ERROR, "could not read sched._delivery");
	found = (int) SPI_processed;
	picked = palloc((found + 1) * sizeof(Picked));
	{
		SPITupleTable *table = SPI_tuptable;

		for (int i = 0; i < found; i++)
		{
			bool		gone;

			(void) SPI_getbinval(table->vals[i], table->tupdesc, COL_TYPE,
								 &gone);
			if (gone)
			{
				bool		isnull;

				drop_delivery(DatumGetInt64(SPI_getbinval(table->vals[i], table->tupdesc,
														  COL_SUBSCRIPTION, &isnull)),
							  DatumGetInt64(SPI_getbinval(table->vals[i], table->tupdesc,
														  COL_EVENT, &isnull)));
				continue;
			}
			picked[count++] = read_picked(table->vals[i], table->tupdesc);
		}
	}
	/* secrets are read in the transaction, too; nothing is waited for */
	for (int i = 0; i < count; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(picked[i].delivery->context);

		send(picked[i].delivery, client, picked[i].is_signed,
			 picked[i].headers, picked[i].url, picked[i].body);
		in_hand++;
		MemoryContextSwitchTo(old);
	}
	look_at = next_look();
	commit();
	return found > 0;
}

/* ---------- recording ---------- */

void
sched_webhooks_ended(SchedHttpCall *call)
{
	Delivery   *delivery = sched_http_call_owner(call);
	const SchedHttpAnswer *answer = sched_http_call_answer(call);
	MemoryContext old = MemoryContextSwitchTo(delivery->context);
	SchedEnd	end = {0};

	sched_http_result(answer, &delivery->spec, &end);
	delivery->received = end.status == SCHED_OUTCOME_COMPLETED;
	delivery->status = answer->status;
	delivery->hopeless = answer->fault == SCHED_HTTP_OK &&
		answer->status == 410;
	delivery->retry_after = end.retry_after;
	if (!delivery->received)
		delivery->error = end.error == NULL ? "" : (char *) end.error;
	MemoryContextSwitchTo(old);
	dlist_delete(&delivery->node);
	dlist_push_tail(&ended, &delivery->node);
}

static int64
delay_of(const Delivery * delivery)
{
	int64		delay = Min(FIRST_DELAY << Min(delivery->attempts, 20),
							LONGEST_DELAY);

	return delivery->retry_after > 0 ?
		Min(delivery->retry_after, LONGEST_DELAY) : delay;
}

/* Tell that a subscription is paused. */
static void
record_pause(const Delivery * delivery)
{
	SchedEvent	event;
	StringInfoData payload;

	initStringInfo(&payload);
	appendStringInfoChar(&payload, '{');
	add(&payload, "subscription", delivery->name);
	add(&payload, "error", delivery->error);
	appendStringInfo(&payload, ", \"event_id\": " INT64_FORMAT ", \"attempts\": %d}",
					 delivery->event_id, delivery->attempts + 1);
	sched_event_init(&event, SCHED_EVENT_COUNT);
	event.name = "subscription.paused";
	event.owner = delivery->owner;
	event.payload = DatumGetJsonbP(DirectFunctionCall1(jsonb_in,
													   CStringGetDatum(payload.data)));
	(void) sched_event_record(&event);
	ereport(LOG,
			(errmsg("sched: subscription \"%s\" is paused after %d attempts: %s",
					delivery->name, delivery->attempts + 1, delivery->error)));
}

static void
record_one(const Delivery * delivery)
{
	TimestampTz now = sched_clock_now();
	bool		pause = !delivery->received &&
	(delivery->hopeless ||
	 delivery->attempts + 1 >= sched_webhook_max_attempts);
	Oid			types[7] = {INT8OID, INT8OID, TIMESTAMPTZOID, BOOLOID, BOOLOID,
	TEXTOID, INT4OID};
	Datum		args[7];
	char		nulls[8] = "       ";

	args[0] = Int64GetDatum(delivery->subscription_id);
	args[1] = Int64GetDatum(delivery->event_id);
	args[2] = TimestampTzGetDatum(now);
	args[3] = BoolGetDatum(delivery->received);
	args[4] = BoolGetDatum(pause);
	if (delivery->error != NULL)
		args[5] = CStringGetTextDatum(delivery->error);
	else
		nulls[5] = 'n';
	args[6] = Int32GetDatum(delivery->status);
	if (delivery->status == 0)
		nulls[6] = 'n';

	/* it may have been unsubscribed in the meantime: then there is nothing */
	if (SPI_execute_with_args("INSERT INTO sched._subscription_state AS st"
							  " (subscription_id, delivered, failures, last_status, last_error,"
							  " last_event_id, last_delivered_at, paused_at, paused_reason)"
							  " SELECT $1, $4::int, (NOT $4)::int, $7, $6, CASE WHEN $4 THEN $2 END,"
							  " CASE WHEN $4 THEN $3 END, CASE WHEN $5 THEN $3 END, CASE WHEN $5 THEN $6 END"
							  " FROM sched._subscription s WHERE s.subscription_id = $1"
							  " ON CONFLICT (subscription_id) DO UPDATE SET"
							  " delivered = st.delivered + excluded.delivered,"
							  " failures = CASE WHEN $4 THEN 0 ELSE st.failures + 1 END,"
							  " last_status = $7, last_error = $6,"
							  " last_event_id = coalesce(excluded.last_event_id, st.last_event_id),"
							  " last_delivered_at = coalesce(excluded.last_delivered_at, st.last_delivered_at),"
							  " paused_at = coalesce(st.paused_at, excluded.paused_at),"
							  " paused_reason = coalesce(st.paused_reason, excluded.paused_reason)",
							  7, types, args, nulls, false, 0) != SPI_OK_INSERT)
		elog(ERROR, "could not write sched._subscription_state");
	if (SPI_processed == 0)
		return;
	if (delivery->received)
		drop_delivery(delivery->subscription_id, delivery->event_id);
	else
	{
		args[3] = TimestampTzGetDatum(now + delay_of(delivery));
		types[3] = TIMESTAMPTZOID;
		if (SPI_execute_with_args("UPDATE sched._delivery SET attempts = attempts + 1,"
								  " due_at = $4, last_status = $7, last_error = $6,"
								  " last_attempt_at = $3"
								  " WHERE subscription_id = $1 AND event_id = $2",
								  7, types, args, nulls, false, 0) != SPI_OK_UPDATE)
			elog(ERROR, "could not update sched._delivery");
		if (pause)
			record_pause(delivery);
	}
}

/* Record all that have ended, or one, and let go of them. */
static void
record(SchedHttpClient *client, Delivery * only)
{
	dlist_mutable_iter iter;

	begin();
	dlist_foreach_modify(iter, &ended)
	{
		Delivery   *delivery = dlist_container(Delivery, node, iter.cur);

		if (only != NULL && delivery != only)
			continue;
		record_one(delivery);
		CommandCounterIncrement();
	}
	commit();
	dlist_foreach_modify(iter, &ended)
	{
		Delivery   *delivery = dlist_container(Delivery, node, iter.cur);

		if (only != NULL && delivery != only)
			continue;
		dlist_delete(&delivery->node);
		if (delivery->call != NULL)
			sched_http_client_release(client, delivery->call);
		MemoryContextDelete(delivery->context);
		in_hand--;
	}
	/* the next of their subscriptions may go */
	sched_webhooks_look_again();
}

/* False when that failed: reported, and all is as it was. */
static bool
try_to_record(SchedHttpClient *client, Delivery * only)
{
	MemoryContext old = CurrentMemoryContext;
	volatile bool done = false;

	PG_TRY();
	{
		record(client, only);
		done = true;
	}
	PG_CATCH();
	{
		ErrorData  *error;

		HOLD_INTERRUPTS();
		MemoryContextSwitchTo(old);
		error = CopyErrorData();
		FlushErrorState();
		AbortOutOfAnyTransaction();
		RESUME_INTERRUPTS();
		ereport(only == NULL || error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE ? DEBUG1 : LOG,
				(errmsg("sched: could not record what became of an event: %s",
						error->message)));
		FreeErrorData(error);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(old);
	return done;
}

/*
 * All in one transaction; if somebody holds a lock on one of them, each in its
 * own.  What fails then is tried again in a moment.
 */
static void
record_ended(SchedHttpClient *client)
{
	dlist_mutable_iter iter;
	int			failures = 0;

	if (try_to_record(client, NULL))
		return;
	dlist_foreach_modify(iter, &ended)
		if (failures < MAX_FAILURES &&
			!try_to_record(client,
						   dlist_container(Delivery, node, iter.cur)))
		failures++;
	if (failures > 0)
		record_at = GetCurrentTimestamp() + FIRST_DELAY;
}

/* ---------- the turn ---------- */

bool
sched_webhooks_turn(SchedHttpClient *client, int room)
{
	bool		done = false;

	if (!dlist_is_empty(&ended) && GetCurrentTimestamp() >= record_at)
	{
		record_at = 0;
		record_ended(client);
		done = true;
	}
	if (look_at != 0 && look_at <= GetCurrentTimestamp() && room > in_hand &&
		sched_enabled)
		done = pick(client, room - in_hand) || done;
	return done;
}

int
sched_webhooks_in_flight(void)
{
	return in_hand;
}

void
sched_webhooks_look_again(void)
{
	look_at = GetCurrentTimestamp();
}

void
sched_webhooks_put_off(void)
{
	look_at = GetCurrentTimestamp() + FIRST_DELAY;
}

TimestampTz
sched_webhooks_next(void)
{
	if (!dlist_is_empty(&ended))
	{
		TimestampTz at = record_at != 0 ? record_at : GetCurrentTimestamp();

		return look_at == 0 ? at : Min(look_at, at);
	}
	return look_at;
}
