/*-------------------------------------------------------------------------
 *
 * custom_trigger.c
 *	  Triggers whose fire times a user's function tells.
 *
 * The function is asked for one fire after the other, as a chore: by a worker
 * that is connected as the job's owner.  What it has told stands in
 * _trigger_state: "fires", ascending, of which next_fire_at is the first that has
 * not come yet, and "ask_after", the instant to go on asking from; NULL when
 * it has said that there is nothing more.  A custom trigger has to be asked when
 * ask_after is there and no known fire lies ahead; so the scheduler finds out from
 * the tables whom to ask, whatever got lost.
 *
 * Asked is behind the last known fire until one lies ahead of now: one call as
 * a rule.  After a standstill there may be many; then the newest MAX_LISTED are
 * kept and the others counted ("unlisted"), since the misfire policy needs no
 * more than that.  Who needs too long for it hands over what he has and is
 * asked again.
 *
 * The answer counts only if the trigger is still what it was when it was asked.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "application/schedule/custom_trigger.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "fmgr.h"
#include "funcapi.h"
#include "infrastructure/clock.h"
#include "infrastructure/tables/owned.h"
#include "infrastructure/memory/pending.h"
#include "infrastructure/settings.h"
#include "infrastructure/memory/shmem.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/typcache.h"

#define MAX_LISTED		1000
#define SHORTEST		(100 * 1000)	/* microseconds between two fires */

/* What a worker hands over. */
typedef struct Answer
{
	int64		job_id;
	char	   *version;		/* of the definition that was asked about */
	TimestampTz asked_after;
	TimestampTz ask_after;		/* 0: never again */
	int64		dropped;		/* fires before the first in the ring */
	int			count;
	TimestampTz fires[MAX_LISTED];	/* a ring, the newest at count - 1 */
} Answer;

/* ---------- the scheduler: what is to be asked ---------- */

typedef struct Ask
{
	int64		trigger_id;
	Oid			owner;
} Ask;

static Ask *asks;				/* in TopMemoryContext */
static int	ask_count;
static int	ask_capacity;

void
sched_custom_ask_for(int64 trigger_id, Oid owner)
{
	if (asks == NULL)
	{
		ask_capacity = 64;
		asks = MemoryContextAlloc(TopMemoryContext,
								  ask_capacity * sizeof(Ask));
	}
	else if (ask_count == ask_capacity)
	{
		ask_capacity *= 2;
		asks = repalloc_huge(asks, (Size) ask_capacity * sizeof(Ask));
	}
	asks[ask_count].trigger_id = trigger_id;
	asks[ask_count].owner = owner;
	ask_count++;
}

void
sched_custom_forget_asked(void)
{
	ask_count = 0;
}

void
sched_custom_ask(int db)
{
	static bool refused = false;
	Oid			full = InvalidOid;	/* a role without room */
	int			kept = 0;

	/* the flag goes when there is room */
	if (ask_count == 0 ||
		(refused && sched_shared->databases[db].chores_refused))
		return;
	refused = false;
	for (int i = 0; i < ask_count; i++)
	{
		bool		put = false;

		if (asks[i].owner != full)
		{
			sched_lock(LW_EXCLUSIVE);
			put = sched_chores_put(db, asks[i].owner, SCHED_CHORE_NEXT_FIRE,
								   asks[i].trigger_id, 0);
			sched_unlock();
		}
		if (put)
			continue;
		full = asks[i].owner;
		refused = true;
		asks[kept++] = asks[i];
	}
	ask_count = kept;
}

/* ---------- the worker: asking ---------- */

/* The question: see sched._custom_question(). */
typedef struct Question
{
	Oid			function;
	int64		job_id;
	Datum		config;
	Datum		timezone;
	TimestampTz after;
	char	   *version;
} Question;

static bool
get_question(int64 trigger_id, Question *question)
{
	Oid			types[1] = {INT8OID};
	Datum		args[1] = {Int64GetDatum(trigger_id)};
	HeapTupleHeader row;
	bool		isnull;
	Datum		result;

	result = sched_owned_call("_custom_question", 1, types, args, NULL,
							  &isnull);
	if (isnull)
		return false;
	row = DatumGetHeapTupleHeader(result);
	question->function = DatumGetObjectId(GetAttributeByNum(row, 1, &isnull));
	if (isnull)
		return false;
	question->job_id = DatumGetInt64(GetAttributeByNum(row, 2, &isnull));
	question->config = GetAttributeByNum(row, 3, &isnull);
	question->timezone = GetAttributeByNum(row, 4, &isnull);
	question->after = DatumGetTimestampTz(GetAttributeByNum(row, 5, &isnull));
	question->version = TextDatumGetCString(GetAttributeByNum(row, 6, &isnull));
	return true;
}

/* What the function may return; raises an error for everything else. */
static void
check_answer(Oid function, TimestampTz after, TimestampTz fire)
{
	if (TIMESTAMP_NOT_FINITE(fire))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("function %s returned an infinite time",
						get_func_name(function)),
				 errhint("NULL means that there is no further fire.")));
	if (fire <= after)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("function %s returned %s, which is not after %s",
						get_func_name(function),
						pstrdup(timestamptz_to_str(fire)),
						pstrdup(timestamptz_to_str(after)))));
}

bool
sched_custom_call(Oid function, Datum config, Datum timezone,
				  TimestampTz after, TimestampTz *fire)
{
	LOCAL_FCINFO(fcinfo, 3);
	FmgrInfo	flinfo;
	Datum		result;

	fmgr_info(function, &flinfo);
	InitFunctionCallInfoData(*fcinfo, &flinfo, 3, InvalidOid, NULL, NULL);
	fcinfo->args[0].value = config;
	fcinfo->args[0].isnull = false;
	fcinfo->args[1].value = timezone;
	fcinfo->args[1].isnull = false;
	fcinfo->args[2].value = TimestampTzGetDatum(after);
	fcinfo->args[2].isnull = false;
	result = FunctionCallInvoke(fcinfo);
	if (fcinfo->isnull)
		return false;
	*fire = DatumGetTimestampTz(result);
	check_answer(function, after, *fire);
	return true;
}

static void *
ask(const SchedChore *chore, MemoryContext context)
{
	Question	question;
	Answer	   *answer;
	TimestampTz fire;
	TimestampTz now = sched_clock_now();
	TimestampTz stop = GetCurrentTimestamp() +
		(int64) sched_callback_timeout * 1000 / 4;
	MemoryContext call_context;

	if (!get_question(chore->id1, &question))
		return NULL;
	sched_chore_check_function(question.function);

	answer = MemoryContextAllocZero(context, sizeof(Answer));
	answer->job_id = question.job_id;
	answer->version = MemoryContextStrdup(context, question.version);
	answer->asked_after = question.after;
	answer->ask_after = question.after;

	call_context = AllocSetContextCreate(CurrentMemoryContext,
										 "sched custom trigger",
										 ALLOCSET_DEFAULT_SIZES);
	do
	{
		MemoryContext old = MemoryContextSwitchTo(call_context);
		bool		more;

		CHECK_FOR_INTERRUPTS();
		PushActiveSnapshot(GetTransactionSnapshot());
		more = sched_custom_call(question.function, question.config,
								 question.timezone, answer->ask_after, &fire);
		PopActiveSnapshot();
		CommandCounterIncrement();
		MemoryContextSwitchTo(old);
		MemoryContextReset(call_context);
		if (!more)
		{
			answer->ask_after = 0;
			break;
		}
		if (answer->count > 0 && fire - answer->ask_after < SHORTEST)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("function %s returned two times less than 100 ms apart",
							get_func_name(question.function)),
					 errhint("No schedule fires more often.")));
		answer->ask_after = fire;
		answer->fires[(answer->dropped + answer->count) % MAX_LISTED] = fire;
		if (answer->count < MAX_LISTED)
			answer->count++;
		else
			answer->dropped++;
	} while (fire <= now && GetCurrentTimestamp() < stop);
	return answer;
}

/* ---------- the worker: handing over ---------- */

static void
hand_over(const SchedChore *chore, void *given)
{
	Answer	   *answer = given;
	Oid			types[6] = {INT8OID, TEXTOID, TIMESTAMPTZOID,
	TIMESTAMPTZARRAYOID, INT8OID, TIMESTAMPTZOID};
	Datum		args[6];
	bool		nulls[6] = {false};
	bool		isnull;
	Datum	   *fires = palloc(MAX_LISTED * sizeof(Datum));

	for (int i = 0; i < answer->count; i++)
		fires[i] = TimestampTzGetDatum(answer->fires[(answer->dropped + i) %
													 MAX_LISTED]);
	args[0] = Int64GetDatum(chore->id1);
	args[1] = CStringGetTextDatum(answer->version);
	args[2] = TimestampTzGetDatum(answer->asked_after);
	args[3] = PointerGetDatum(construct_array(fires, answer->count,
											  TIMESTAMPTZOID, 8, true, 'd'));
	args[4] = Int64GetDatum(answer->dropped);
	args[5] = TimestampTzGetDatum(answer->ask_after);
	nulls[5] = answer->ask_after == 0;
	(void) sched_owned_call("_custom_answer", 6, types, args, nulls, &isnull);
	/* also when it came too late: somebody has to ask anew */
	sched_pending_job_changed(answer->job_id, -1);
}

/* ---------- the scheduler: giving up ---------- */

static void
give_up(const SchedChore *chore, const char *error)
{
	Oid			types[2] = {INT8OID, TEXTOID};
	Datum		args[2];
	bool		isnull;
	Datum		job;

	args[0] = Int64GetDatum(chore->id1);
	args[1] = CStringGetTextDatum(error);
	job = sched_owned_call("_custom_fault", 2, types, args, NULL, &isnull);
	if (!isnull)
		ereport(LOG,
				(errmsg("sched: trigger " INT64_FORMAT " of job \"%s\" is in quarantine: %s",
						chore->id1, TextDatumGetCString(job), error)));
	else
		sched_custom_ask_for(chore->id1, chore->role);	/* it was locked */
}

const SchedChoreHandler sched_custom_trigger_chore = {
	.run = ask,
	.store = hand_over,
	.give_up = give_up
};
