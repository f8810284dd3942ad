/*-------------------------------------------------------------------------
 *
 * schedule_functions.c
 *	  SQL functions about schedules: when they fire, what they mean, what is
 *	  wrong with them.
 *
 * All of them compile what they are given (schedule_cache.c, but without its
 * cache: a session asks seldom), compute, and forget.  None changes
 * anything, none uses SPI, so that they are safe in parallel workers; calendars
 * are read by an index scan with the caller's snapshot.
 *
 * Errors are raised here and nowhere below: the layers below return what is
 * at fault, and this file finds the SQLSTATE, the place and the hint.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "application/processes/chore.h"
#include "domain/schedule/calendar.h"
#include "domain/schedule/schedule.h"
#include "fmgr.h"
#include "funcapi.h"
#include "infrastructure/tables/calendar_table.h"
#include "infrastructure/clock.h"
#include "infrastructure/tables/owned.h"
#include "infrastructure/pgzone.h"
#include "infrastructure/schedule_cache.h"
#include "interface/schedule_functions.h"
#include "mb/pg_wchar.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

/* Most instants that one call returns. */
#define MAX_FIRES			100000

/* Longest text that a message quotes, and that a caret is drawn under. */
#define MAX_QUOTED			200
#define MAX_DRAWN			72

/* What a set-returning function remembers between its rows. */
typedef struct FireScan
{
	SchedCompiled compiled;
	SchedScheduleContext context;
	SchedTime	after;
	SchedTime	upto;
	int64		left;
	Oid			function;		/* of @custom, to be asked as the caller */
	Datum		config;
	Datum		timezone;
}			FireScan;

PG_FUNCTION_INFO_V1(sched_next_fire_times);
PG_FUNCTION_INFO_V1(sched_describe_schedule);
PG_FUNCTION_INFO_V1(sched_schedule_info);
PG_FUNCTION_INFO_V1(sched_schedule_sql_next);
PG_FUNCTION_INFO_V1(sched_schedule_sql_last);
PG_FUNCTION_INFO_V1(sched_schedule_sql_count);
PG_FUNCTION_INFO_V1(sched_schedule_sql_fires);
PG_FUNCTION_INFO_V1(sched_zone_name);
PG_FUNCTION_INFO_V1(sched_trigger_type_name);
PG_FUNCTION_INFO_V1(sched_schedule_fixed_period);
PG_FUNCTION_INFO_V1(sched_calendar_check);
PG_FUNCTION_INFO_V1(sched_calendar_includes_day);

/* ---- errors ---- */

/* A text cut to what a message may quote. */
static const char *
quoted(const char *text)
{
	int			length = strlen(text);

	if (length <= MAX_QUOTED)
		return text;

	return psprintf("%.*s...", pg_mbcliplen(text, length, MAX_QUOTED), text);
}

/*
 * The word at a position: what stands between blanks and separators, a
 * separator by itself, the inside of a string in quotes.
 */
static char *
word_at(const char *at)
{
	static const char separators[] = " \t\r\n,;:={}[]\"";
	size_t		length;

	if (*at == '"' && strchr(at + 1, '"') != NULL)
	{
		at++;
		length = strcspn(at, "\"");
	}
	else
	{
		length = strcspn(at, separators);
		if (length == 0)
			length = 1;
	}
	if (length > 40)
		length = pg_mbcliplen(at, length, 40);
	return pnstrdup(at, length);
}

/*
 * Two lines: the text around a position, and a caret under the character there.
 * Control characters are shown as blanks, so that the caret stands right.
 */
static void
draw_caret(StringInfo out, const char *text, int position)
{
	int			from = 0;
	int			until = strlen(text);
	int			column = 0;

	/* a window of whole characters */
	if (position > MAX_DRAWN / 2)
	{
		from = position - MAX_DRAWN / 2;
		from = pg_mbcliplen(text, from, from);
	}
	if (until - from > MAX_DRAWN)
		until = from + pg_mbcliplen(text +from, until - from, MAX_DRAWN);

	appendStringInfoChar(out, '\n');
	if (from > 0)
	{
		appendStringInfoString(out, "...");
		column += 3;
	}
	for (int i = from; i < until;)
	{
		int			length = pg_mblen(text +i);

		if (length == 1 && (unsigned char) text[i] < ' ')
			appendStringInfoChar(out, ' ');
		else
			appendBinaryStringInfo(out, text +i, length);
		if (i < position)
			column += Max(pg_dsplen(text +i), length == 1 ? 1 : 0);
		i += length;
	}
	if (text[until] != '\0')
		appendStringInfoString(out, "...");
	appendStringInfoChar(out, '\n');
	appendStringInfoSpaces(out, column);
	appendStringInfoChar(out, '^');
}

/* The domain cuts its texts by bytes: take away a character cut in two. */
static const char *
whole(const char *cut)
{
	int			length = strlen(cut);

	return pnstrdup(cut, pg_mbcliplen(cut, length, length));
}

/* DETAIL: where it is, what the domain has to say, and the picture. */
static char *
error_detail(const char *text, const SchedError *err)
{
	StringInfoData detail;
	int			length = strlen(text);
	bool		placed = err->position >= 0 && err->position <= length;

	initStringInfo(&detail);
	if (placed)
	{
		appendStringInfo(&detail, "Position %d: ",
						 pg_mbstrlen_with_len(text, err->position) + 1);
		if (err->position < length)
			appendStringInfo(&detail, "\"%s\".", word_at(text +err->position));
		else
			appendStringInfoString(&detail, "end of text.");
	}
	if (err->detail[0] != '\0')
		appendStringInfo(&detail, "%s%s", placed ? " " : "", whole(err->detail));
	if (placed && length > 0)
		draw_caret(&detail, text, err->position);
	return detail.data;
}

void
sched_schedule_error(const char *what, const char *text, const SchedError *err)
{
	char	   *detail = error_detail(text, err);

	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid %s \"%s\": %s", what, quoted(text), whole(err->message)),
			 detail[0] ? errdetail_internal("%s", detail) : 0,
			 err->hint[0] ? errhint("%s", err->hint) : 0));
}

/* A zone that is not known; it may have been named inside the schedule. */
static void
zone_error(const char *schedule, const char *timezone, const char *name)
{
	const char *place = NULL;
	SchedError	err;
	char	   *hint = sched_pgzone_hint(name);
	char	   *detail = NULL;

	if (timezone == NULL || strcmp(timezone, name) != 0)
		place = strstr(schedule, name);
	if (place != NULL)
	{
		sched_error_set(&err, (int) (place - schedule), "%s", NULL, NULL, "");
		detail = error_detail(schedule, &err);
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("time zone \"%s\" is not known", quoted(name)),
			 detail ? errdetail_internal("%s", detail) :
			 errdetail("timezone is \"%s\".", quoted(name)),
			 errhint("%s", hint)));
}

static void
fault_error(SchedFault fault, const char *schedule, const char *timezone,
			const char *name, const SchedError *err)
{
	switch (fault)
	{
		case SCHED_FAULT_NONE:
			break;
		case SCHED_FAULT_SCHEDULE:
			sched_schedule_error("schedule", schedule, err);
			break;
		case SCHED_FAULT_ZONE:
			zone_error(schedule, timezone, name);
			break;
		case SCHED_FAULT_DST_POLICY:
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("dst_policy \"%s\" is not known", quoted(name)),
					 errdetail("dst_policy is \"%s\".", quoted(name)),
					 errhint("%s", err->hint)));
			break;
		case SCHED_FAULT_NO_CALENDAR:
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_OBJECT),
					 errmsg("calendar \"%s\" does not exist", quoted(name)),
					 errhint("%s", err->hint)));
			break;
		case SCHED_FAULT_CALENDAR:
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("invalid calendar \"%s\": %s", quoted(name), whole(err->message)),
					 err->detail[0] ? errdetail("%s", whole(err->detail)) : 0,
					 err->hint[0] ? errhint("%s", err->hint) : 0));
			break;
	}
}

/* ---- arguments ---- */

static char *
text_arg(FunctionCallInfo fcinfo, int n)
{
	return PG_ARGISNULL(n) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(n));
}

static SchedTime
time_arg(FunctionCallInfo fcinfo, int n, SchedTime if_null)
{
	return PG_ARGISNULL(n) ? if_null : PG_GETARG_TIMESTAMPTZ(n);
}

/* Infinity is no place to count from. */
static SchedTime
clamp_time(SchedTime t)
{
	return Min(Max(t, MIN_TIMESTAMP), END_TIMESTAMP - 1);
}

/* NULL for what never comes. */
static Datum
time_datum(SchedTime t, bool *isnull)
{
	*isnull = t == SCHED_TIME_NEVER || t == SCHED_TIME_BEGIN;
	return TimestampTzGetDatum(t);
}

/* A schedule, and from timezone_arg on: timezone, dst_policy, calendar. */
static void
compile_args(FunctionCallInfo fcinfo, int schedule_arg, int timezone_arg,
			 SchedCompiled *compiled)
{
	char	   *schedule = text_arg(fcinfo, schedule_arg);
	char	   *timezone = text_arg(fcinfo, timezone_arg);
	char	   *dst_policy = text_arg(fcinfo, timezone_arg + 1);
	char	   *calendar = text_arg(fcinfo, timezone_arg + 2);
	const char *name = NULL;
	SchedError	err;
	SchedFault	fault;

	fault = sched_schedule_compile(schedule, timezone, dst_policy, calendar,
								   sched_calendar_table_spec, compiled, &err,
								   &name);
	if (fault != SCHED_FAULT_NONE)
		fault_error(fault, schedule, timezone, name, &err);
}

/* ---- sets of instants ---- */

/*
 * The next instant of a scan.  What counts from the end of the previous run
 * is shown as if runs took no time.
 */
static SchedTime
next_of_scan(FireScan * scan)
{
	SchedTime	t;

	if (scan->left <= 0)
		return SCHED_TIME_NEVER;
	if (OidIsValid(scan->function))
	{
		t = sched_custom_next_allowed(scan->function, scan->config,
									  scan->timezone, &scan->compiled,
									  scan->after, scan->upto);
		if (t == 0)
			return SCHED_TIME_NEVER;
	}
	else
		t = sched_schedule_next(scan->compiled.schedule, &scan->context, scan->after);
	if (t > scan->upto || t <= scan->after)
		return SCHED_TIME_NEVER;
	scan->after = t;
	if (sched_schedule_kind(scan->compiled.schedule) == SCHED_AFTER)
		scan->context.previous_end = t;
	scan->left--;
	return t;
}

static Datum
return_next_of_scan(FunctionCallInfo fcinfo)
{
	FuncCallContext *funcctx = SRF_PERCALL_SETUP();
	SchedTime	t = SCHED_TIME_NEVER;

	CHECK_FOR_INTERRUPTS();
	if (funcctx->user_fctx != NULL)
		t = next_of_scan(funcctx->user_fctx);
	if (t == SCHED_TIME_NEVER)
		SRF_RETURN_DONE(funcctx);
	SRF_RETURN_NEXT(funcctx, TimestampTzGetDatum(t));
}

static int64
count_arg(FunctionCallInfo fcinfo, int n, int64 if_null)
{
	int64		count = PG_ARGISNULL(n) ? if_null : PG_GETARG_INT32(n);

	if (count < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("count must not be negative"),
				 errdetail("count is " INT64_FORMAT ".", count),
				 errhint("Ask for 0 to %d instants.", MAX_FIRES)));
	if (count > MAX_FIRES)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("count must not be greater than %d", MAX_FIRES),
				 errdetail("count is " INT64_FORMAT ".", count),
				 errhint("Ask for less, and go on from the last instant.")));
	return count;
}

/* The function behind @custom, if the caller may have it asked; it gets no config. */
static void
look_up_function(FireScan * scan)
{
	Oid			types[1] = {TEXTOID};
	Datum		args[1];
	bool		isnull;

	args[0] = CStringGetTextDatum(sched_schedule_argument(scan->compiled.schedule));
	scan->function = DatumGetObjectId(sched_owned_call("_trigger_type_function",
													   1, types, args, NULL,
													   &isnull));
	sched_chore_check_function(scan->function);
	scan->config = DirectFunctionCall1(jsonb_in, CStringGetDatum("{}"));
	scan->timezone = CStringGetTextDatum(scan->context.zone->name);
}

/*
 * sched.next_fire_times(schedule text, count int, after timestamptz,
 * timezone text, dst_policy text, calendar text) SETOF timestamptz
 */
Datum
sched_next_fire_times(PG_FUNCTION_ARGS)
{
	if (SRF_IS_FIRSTCALL())
	{
		FuncCallContext *funcctx = SRF_FIRSTCALL_INIT();
		MemoryContext old_context;
		int64		count = count_arg(fcinfo, 1, 5);

		old_context = MemoryContextSwitchTo(funcctx->multi_call_memory_ctx);
		if (!PG_ARGISNULL(0))
		{
			FireScan   *scan = palloc0(sizeof(FireScan));
			SchedScheduleKind kind;

			compile_args(fcinfo, 0, 3, &scan->compiled);
			kind = sched_schedule_kind(scan->compiled.schedule);
			scan->after = clamp_time(time_arg(fcinfo, 2, sched_clock_now()));
			scan->upto = END_TIMESTAMP;
			scan->left = count;
			scan->context = scan->compiled.context;
			scan->context.anchor = scan->after;
			scan->context.previous_end = scan->after;
			if (kind == SCHED_CUSTOM)
				look_up_function(scan);
			if (sched_schedule_is_timed(scan->compiled.schedule) ||
				kind == SCHED_AFTER || kind == SCHED_CUSTOM)
				funcctx->user_fctx = scan;
		}
		MemoryContextSwitchTo(old_context);
	}
	return return_next_of_scan(fcinfo);
}

/*
 * sched._schedule_fires(schedule text, timezone text, dst_policy text,
 * calendar text, anchor timestamptz, after timestamptz, upto timestamptz,
 * max_rows int) SETOF timestamptz: the fires in (after, upto]
 */
Datum
sched_schedule_sql_fires(PG_FUNCTION_ARGS)
{
	if (SRF_IS_FIRSTCALL())
	{
		FuncCallContext *funcctx = SRF_FIRSTCALL_INIT();
		MemoryContext old_context;

		old_context = MemoryContextSwitchTo(funcctx->multi_call_memory_ctx);
		if (!PG_ARGISNULL(0) && !PG_ARGISNULL(5) && !PG_ARGISNULL(6))
		{
			FireScan   *scan = palloc0(sizeof(FireScan));

			compile_args(fcinfo, 0, 1, &scan->compiled);
			scan->after = clamp_time(PG_GETARG_TIMESTAMPTZ(5));
			scan->upto = clamp_time(PG_GETARG_TIMESTAMPTZ(6));
			scan->left = PG_ARGISNULL(7) ? MAX_FIRES + 1 : PG_GETARG_INT32(7);
			scan->context = scan->compiled.context;
			scan->context.anchor = time_arg(fcinfo, 4, scan->after);
			if (sched_schedule_is_timed(scan->compiled.schedule))
				funcctx->user_fctx = scan;
		}
		MemoryContextSwitchTo(old_context);
	}
	return return_next_of_scan(fcinfo);
}

/* ---- single answers ---- */

/* sched.describe_schedule(schedule text) text */
Datum
sched_describe_schedule(PG_FUNCTION_ARGS)
{
	char	   *expression = text_arg(fcinfo, 0);
	SchedError	err;
	SchedSchedule *schedule = sched_schedule_parse(expression, &err);

	if (schedule == NULL)
		sched_schedule_error("schedule", expression, &err);
	PG_RETURN_TEXT_P(cstring_to_text(sched_schedule_describe(schedule)));
}

/*
 * The first fire after now that start_at and end_at allow.  Both ends
 * belong to the time in which the job may fire.
 */
static SchedTime
first_fire(const SchedSchedule *schedule, const SchedScheduleContext *context,
		   SchedTime now, SchedTime start_at, SchedTime end_at)
{
	SchedTime	after = clamp_time(now);
	SchedTime	t;

	if (start_at > after)
		after = clamp_time(start_at) - 1;
	else if (sched_schedule_kind(schedule) == SCHED_AFTER)
		after--;				/* without a run so far it is due at once */
	t = sched_schedule_next(schedule, context, after);
	return t <= end_at ? t : SCHED_TIME_NEVER;
}

/*
 * sched._schedule_info(schedule text, timezone text, dst_policy text,
 * calendar text, anchor timestamptz, start_at timestamptz, end_at timestamptz,
 * after timestamptz) (kind text, next_fire_at timestamptz, surprise text,
 * zone text)
 */
Datum
sched_schedule_info(PG_FUNCTION_ARGS)
{
	SchedCompiled compiled;
	SchedScheduleContext context;
	SchedTime	now = time_arg(fcinfo, 7, sched_clock_now());
	SchedTime	start_at = time_arg(fcinfo, 5, SCHED_TIME_BEGIN);
	SchedTime	end_at = time_arg(fcinfo, 6, SCHED_TIME_NEVER);
	char	   *surprise = NULL;
	TupleDesc	tupdesc;
	Datum		values[4];
	bool		nulls[4] = {false, false, false, false};

	if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();

	compile_args(fcinfo, 0, 1, &compiled);
	context = compiled.context;
	context.anchor = clamp_time(time_arg(fcinfo, 4, PG_ARGISNULL(5) ? now : start_at));

	values[0] = CStringGetTextDatum(sched_schedule_kind_name(sched_schedule_kind(compiled.schedule)));
	values[1] = time_datum(first_fire(compiled.schedule, &context, now,
									  start_at, end_at), &nulls[1]);
	surprise = sched_schedule_surprise(compiled.schedule, &context, now);
	nulls[2] = surprise == NULL;
	if (surprise != NULL)
		values[2] = CStringGetTextDatum(surprise);
	values[3] = CStringGetTextDatum(context.zone->name);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(tupdesc),
													  values, nulls)));
}

/*
 * sched._schedule_next(schedule text, timezone text, dst_policy text,
 * calendar text, anchor timestamptz, previous_end timestamptz,
 * after timestamptz) timestamptz
 */
Datum
sched_schedule_sql_next(PG_FUNCTION_ARGS)
{
	SchedCompiled compiled;
	SchedTime	after;
	Datum		result;
	bool		isnull;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(6))
		PG_RETURN_NULL();
	compile_args(fcinfo, 0, 1, &compiled);
	after = clamp_time(PG_GETARG_TIMESTAMPTZ(6));
	compiled.context.anchor = clamp_time(time_arg(fcinfo, 4, after));
	compiled.context.previous_end = time_arg(fcinfo, 5, SCHED_TIME_BEGIN);
	result = time_datum(sched_schedule_next(compiled.schedule,
											&compiled.context, after), &isnull);
	if (isnull)
		PG_RETURN_NULL();
	PG_RETURN_DATUM(result);
}

/*
 * sched._schedule_last(schedule text, timezone text, dst_policy text,
 * calendar text, anchor timestamptz, after timestamptz, upto timestamptz)
 * timestamptz
 */
Datum
sched_schedule_sql_last(PG_FUNCTION_ARGS)
{
	SchedCompiled compiled;
	SchedTime	after;
	Datum		result;
	bool		isnull;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(5) || PG_ARGISNULL(6))
		PG_RETURN_NULL();
	compile_args(fcinfo, 0, 1, &compiled);
	after = clamp_time(PG_GETARG_TIMESTAMPTZ(5));
	compiled.context.anchor = clamp_time(time_arg(fcinfo, 4, after));
	result = time_datum(sched_schedule_last(compiled.schedule,
											&compiled.context, after,
											clamp_time(PG_GETARG_TIMESTAMPTZ(6))),
						&isnull);
	if (isnull)
		PG_RETURN_NULL();
	PG_RETURN_DATUM(result);
}

/*
 * sched._schedule_count(schedule text, timezone text, dst_policy text,
 * calendar text, anchor timestamptz, after timestamptz, upto timestamptz,
 * max_count bigint) bigint
 */
Datum
sched_schedule_sql_count(PG_FUNCTION_ARGS)
{
	SchedCompiled compiled;
	SchedTime	after;
	int64		limit = PG_ARGISNULL(7) ? PG_INT64_MAX : PG_GETARG_INT64(7);

	if (PG_ARGISNULL(0) || PG_ARGISNULL(5) || PG_ARGISNULL(6))
		PG_RETURN_NULL();
	compile_args(fcinfo, 0, 1, &compiled);
	after = clamp_time(PG_GETARG_TIMESTAMPTZ(5));
	compiled.context.anchor = clamp_time(time_arg(fcinfo, 4, after));
	PG_RETURN_INT64(sched_schedule_count(compiled.schedule, &compiled.context,
										 after,
										 clamp_time(PG_GETARG_TIMESTAMPTZ(6)),
										 Max(limit, 0)));
}

/* sched._zone_name(timezone text) text: as the server spells it, or NULL */
Datum
sched_zone_name(PG_FUNCTION_ARGS)
{
	const SchedZone *zone = sched_pgzone_get(text_arg(fcinfo, 0));

	if (zone == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(zone->name));
}

/* sched._schedule_period(schedule text) numeric: of @every, in seconds, if it is always the same */
Datum
sched_schedule_fixed_period(PG_FUNCTION_ARGS)
{
	SchedError	err;
	SchedSchedule *schedule = sched_schedule_parse(text_arg(fcinfo, 0), &err);
	int64		period;

	if (schedule == NULL || sched_schedule_kind(schedule) != SCHED_EVERY ||
		!sched_schedule_period_is_fixed(schedule))
		PG_RETURN_NULL();
	period = sched_schedule_period(schedule);
	PG_RETURN_NUMERIC(int64_div_fast_to_numeric(period, 6));
}

/* sched._trigger_type_name(schedule text) text: of @custom, else NULL */
Datum
sched_trigger_type_name(PG_FUNCTION_ARGS)
{
	SchedError	err;
	SchedSchedule *schedule = sched_schedule_parse(text_arg(fcinfo, 0), &err);

	if (schedule == NULL || sched_schedule_kind(schedule) != SCHED_CUSTOM)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(sched_schedule_argument(schedule)));
}

/* ---- calendars ---- */

typedef struct NewCalendar
{
	const char *name;
	const char *spec;
}			NewCalendar;

/* The table as it will be when the calendar at hand has its new spec. */
static const char *
resolve_with_new(const char *name, void *arg)
{
	NewCalendar *new_calendar = arg;

	if (strcmp(name, new_calendar->name) == 0)
		return new_calendar->spec;
	return sched_calendar_table_spec(name, NULL);
}

/*
 * sched._calendar_check(name text, spec jsonb) void: raises 22023 for a spec
 * that is bad or includes calendars that are not there or include this one
 */
Datum
sched_calendar_check(PG_FUNCTION_ARGS)
{
	NewCalendar new_calendar;
	Jsonb	   *spec = PG_GETARG_JSONB_P(1);
	SchedError	err;
	SchedCalendar *calendar;

	new_calendar.name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	new_calendar.spec = JsonbToCString(NULL, &spec->root, VARSIZE(spec));
	calendar = sched_calendar_parse(new_calendar.spec, resolve_with_new,
									&new_calendar, &err);
	if (calendar == NULL)
	{
		char	   *detail = error_detail(new_calendar.spec, &err);

		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid spec of calendar \"%s\": %s",
						quoted(new_calendar.name), whole(err.message)),
				 detail[0] ? errdetail_internal("%s", detail) : 0,
				 err.hint[0] ? errhint("%s", err.hint) : 0));
	}
	sched_calendar_free(calendar);
	PG_RETURN_VOID();
}

/* sched.calendar_includes(calendar text, day date) boolean */
Datum
sched_calendar_includes_day(PG_FUNCTION_ARGS)
{
	char	   *name = text_arg(fcinfo, 0);
	DateADT		day = PG_GETARG_DATEADT(1);
	SchedError	err;
	SchedFault	fault;
	SchedCalendar *calendar = NULL;

	if (DATE_NOT_FINITE(day))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("day must not be infinite")));
	fault = sched_calendar_compile(name, sched_calendar_table_spec, &calendar,
								   &err);
	if (fault != SCHED_FAULT_NONE)
		fault_error(fault, "", NULL, name, &err);
	PG_RETURN_BOOL(sched_calendar_includes(calendar, day));
}
