/*-------------------------------------------------------------------------
 *
 * rrule_parse.c
 *	  Reading recurrence rules.
 *
 * Design: one pass over the text with a cursor that never goes back and never
 * past the terminating zero.  Lists become bit masks while they are read, so
 * that memory does not grow with the text; only RDATE and EXDATE keep arrays,
 * of bounded length.  What RFC 5545 forbids to combine is refused after all
 * parts are known, with the position of the part that is to blame.
 *
 * Properties stand one per line in a calendar file; here any white space
 * separates them, and white space behind a comma or a semicolon is ignored.
 * Case does not matter.  DTSTART is accepted as a part of the rule too, since
 * some programs write it there.
 *
 *-------------------------------------------------------------------------
 */
#ifndef FRONTEND
#include "postgres.h"
#else
#include "postgres_fe.h"
#endif

#include "domain/schedule/civil.h"
#include "domain/schedule/rrule_int.h"

/* DTSTART lies between these years, both included */
#define FIRST_YEAR		1601
#define LAST_YEAR		2200

#define MAX_NUMBER		INT64CONST(1000000000000)
#define MAX_INTERVAL	INT64CONST(1000000000)

typedef struct Cursor
{
	const char *text;
	const char *at;
	SchedError *err;
	RRuleParts *parts;
	int			key_position[RRULE_KEY_COUNT];
	int			rdate_capacity;
	int			exdate_capacity;
	bool		has_rule;
} Cursor;

static const char *const key_names[RRULE_KEY_COUNT] = {
	[RRULE_FREQ] = "FREQ",
	[RRULE_INTERVAL] = "INTERVAL",
	[RRULE_COUNT] = "COUNT",
	[RRULE_UNTIL] = "UNTIL",
	[RRULE_BYMONTH] = "BYMONTH",
	[RRULE_BYWEEKNO] = "BYWEEKNO",
	[RRULE_BYYEARDAY] = "BYYEARDAY",
	[RRULE_BYMONTHDAY] = "BYMONTHDAY",
	[RRULE_BYDAY] = "BYDAY",
	[RRULE_BYHOUR] = "BYHOUR",
	[RRULE_BYMINUTE] = "BYMINUTE",
	[RRULE_BYSECOND] = "BYSECOND",
	[RRULE_BYSETPOS] = "BYSETPOS",
	[RRULE_WKST] = "WKST",
	[RRULE_DTSTART] = "DTSTART",
};

static const char *const freq_names[] = {
	[RRULE_SECONDLY] = "SECONDLY",
	[RRULE_MINUTELY] = "MINUTELY",
	[RRULE_HOURLY] = "HOURLY",
	[RRULE_DAILY] = "DAILY",
	[RRULE_WEEKLY] = "WEEKLY",
	[RRULE_MONTHLY] = "MONTHLY",
	[RRULE_YEARLY] = "YEARLY",
};

static const char *const day_names[] = {"SU", "MO", "TU", "WE", "TH", "FR", "SA"};

#define HINT_RULE	"For example \"RRULE:FREQ=WEEKLY;BYDAY=MO,FR;BYHOUR=9\"."
#define HINT_TIME	"For example \"20270131T090000\", in UTC \"20270131T080000Z\", a day \"20270131\"."

/* ---- characters ---- */

static inline bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool
is_letter(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static inline bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* What may stand in a word of the grammar: letters, digits and a dash */
static inline bool
is_word(char c)
{
	return is_letter(c) || is_digit(c) || c == '-';
}

static inline int
position_of(const Cursor *cursor, const char *at)
{
	return (int) (at - cursor->text);
}

static void
skip_space(Cursor *cursor)
{
	while (is_space(*cursor->at))
		cursor->at++;
}

static bool
accept_char(Cursor *cursor, char c)
{
	if (*cursor->at != c)
		return false;
	cursor->at++;
	return true;
}

/* After a separator within a property, white space has no meaning. */
static bool
accept_separator(Cursor *cursor, char c)
{
	if (!accept_char(cursor, c))
		return false;
	skip_space(cursor);
	return true;
}

/* The word at the cursor is taken if it is this one, whatever its case. */
static bool
accept_word(Cursor *cursor, const char *word)
{
	size_t		length = strlen(word);

	if (pg_strncasecmp(cursor->at, word, length) != 0 ||
		is_word(cursor->at[length]))
		return false;
	cursor->at += length;
	return true;
}

static bool
refuse(Cursor *cursor, const char *at, const char *message,
	   const char *detail, const char *hint)
{
	sched_error_set(cursor->err, position_of(cursor, at), "%s", detail, hint,
					message);
	return false;
}

/* The same, quoting the word to blame */
static bool
refuse_word(Cursor *cursor, const char *at, const char *what,
			const char *detail, const char *hint)
{
	int			length = 0;

	while (length < 40 && at[length] != '\0' && !is_space(at[length]) &&
		   at[length] != ';' && at[length] != ',')
		length++;
	if (length == 0)
		sched_error_set(cursor->err, position_of(cursor, at),
						"%s is missing in recurrence rule", detail, hint, what);
	else
		sched_error_set(cursor->err, position_of(cursor, at),
						"invalid %s \"%.*s\" in recurrence rule", detail, hint,
						what, length, at);
	return false;
}

/* ---- numbers and lists ---- */

/* Digits, up to MAX_NUMBER */
static bool
read_digits(Cursor *cursor, int64 *result)
{
	int64		value = 0;

	if (!is_digit(*cursor->at))
		return false;
	for (; is_digit(*cursor->at); cursor->at++)
		value = Min(value * 10 + (*cursor->at - '0'), MAX_NUMBER);
	*result = value;
	return true;
}

static bool
read_number(Cursor *cursor, const char *what, int64 low, int64 high,
			const char *detail, const char *hint, int64 *result)
{
	const char *from = cursor->at;

	if (!read_digits(cursor, result) || is_word(*cursor->at) ||
		*result < low || *result > high)
		return refuse_word(cursor, from, what, detail, hint);
	return true;
}

/*
 * A list of numbers as bits.  bits[0] holds low .. high; if there is a
 * bits[1], minus 1 .. minus high are allowed too, and go there.
 */
static bool
read_number_list(Cursor *cursor, const char *what, int low, int high,
				 uint64 *bits0, uint64 *bits1, const char *detail,
				 const char *hint)
{
	do
	{
		const char *from = cursor->at;
		bool		negative = bits1 != NULL && accept_char(cursor, '-');
		int64		value;
		uint64	   *bits = negative ? bits1 : bits0;

		if (!negative)
			(void) accept_char(cursor, '+');
		if (!read_digits(cursor, &value) || is_word(*cursor->at) ||
			value < low || value > high)
			return refuse_word(cursor, from, what, detail, hint);
		bits[value / 64] |= SCHED_BIT64(value % 64);
	} while (accept_separator(cursor, ','));
	return true;
}

static bool
read_weekday(Cursor *cursor, int *weekday)
{
	for (int i = 0; i < lengthof(day_names); i++)
	{
		if (accept_word(cursor, day_names[i]))
		{
			*weekday = i;
			return true;
		}
	}
	return false;
}

static bool
read_weekday_list(Cursor *cursor)
{
	RRuleParts *parts = cursor->parts;

	do
	{
		const char *from = cursor->at;
		bool		negative = accept_char(cursor, '-');
		int64		nth = 0;
		int			weekday;

		if (!negative)
			(void) accept_char(cursor, '+');
		if ((cursor->at != from && !is_digit(*cursor->at)) ||
			(is_digit(*cursor->at) &&
			 (!read_digits(cursor, &nth) || nth < 1 || nth > 53)) ||
			!read_weekday(cursor, &weekday))
			return refuse_word(cursor, from, "BYDAY value",
							   "A weekday is SU, MO, TU, WE, TH, FR or SA, with a number from 1 to 53 or -1 to -53 before it where it counts within the month or year.",
							   "For example \"BYDAY=MO,WE\", or \"BYDAY=-1FR\" for the last Friday.");
		if (nth == 0)
			parts->weekdays |= 1u << weekday;
		else
		{
			parts->nth[negative ? 1 : 0][weekday] |= SCHED_BIT64(nth);
			parts->has_nth = true;
		}
	} while (accept_separator(cursor, ','));
	return true;
}

/* ---- dates and times ---- */

/* Exactly "count" digits */
static bool
read_fixed(Cursor *cursor, int count, int *result)
{
	*result = 0;
	for (int i = 0; i < count; i++, cursor->at++)
	{
		if (!is_digit(*cursor->at))
			return false;
		*result = *result * 10 + (*cursor->at - '0');
	}
	return true;
}

static bool
read_moment(Cursor *cursor, const char *what, RRuleMoment *moment)
{
	const char *from = cursor->at;
	int			year;
	int			month;
	int			mday;
	int			hour;
	int			minute;
	int			second;

	if (!read_fixed(cursor, 4, &year) || !read_fixed(cursor, 2, &month) ||
		!read_fixed(cursor, 2, &mday) || year < 1 ||
		month < 1 || month > 12 ||
		mday < 1 || mday > sched_civil_month_days(year, month))
		return refuse_word(cursor, from, what,
						   "A date is written YYYYMMDD, and must exist.",
						   HINT_TIME);
	moment->kind = RRULE_MOMENT_DATE;
	moment->value = (int64) sched_civil_day(year, month, mday) *
		SCHED_SECS_PER_DAY;
	if (accept_char(cursor, 'T') || accept_char(cursor, 't'))
	{
		if (!read_fixed(cursor, 2, &hour) || !read_fixed(cursor, 2, &minute) ||
			!read_fixed(cursor, 2, &second) ||
			hour > 23 || minute > 59 || second > 60)
			return refuse_word(cursor, from, what,
							   "A time is written HHMMSS behind the date and a \"T\".",
							   HINT_TIME);
		/* a leap second is the second before */
		moment->value += hour * 3600 + minute * 60 + Min(second, 59);
		moment->kind = accept_char(cursor, 'Z') || accept_char(cursor, 'z') ?
			RRULE_MOMENT_UTC : RRULE_MOMENT_LOCAL;
	}
	if (is_word(*cursor->at))
		return refuse_word(cursor, from, what, "Something stands behind it.",
						   HINT_TIME);
	if (year < FIRST_YEAR)
		return refuse_word(cursor, from, what,
						   "Years before 1601 are not supported.", HINT_TIME);
	return true;
}

/* Of a PERIOD only the start counts: what fires has no length. */
static void
skip_period(Cursor *cursor)
{
	if (*cursor->at != '/')
		return;
	cursor->at++;
	while (is_word(*cursor->at))
		cursor->at++;
}

static bool
read_moment_list(Cursor *cursor, const char *what, RRuleMoment **list,
				 int *count, int *capacity)
{
	do
	{
		if (*count >= RRULE_MAX_MOMENTS)
			return refuse(cursor, cursor->at,
						  "too many dates in recurrence rule",
						  "RDATE and EXDATE take up to 1000 values each.",
						  "Use a calendar to leave out many days.");
		if (*count >= *capacity)
		{
			int			larger = Max(*capacity * 2, 8);

			*list = *list == NULL ? palloc(larger * sizeof(RRuleMoment)) :
				repalloc(*list, larger * sizeof(RRuleMoment));
			*capacity = larger;
		}
		if (!read_moment(cursor, what, &(*list)[*count]))
			return false;
		skip_period(cursor);
		(*count)++;
	} while (accept_separator(cursor, ','));
	return true;
}

/* ---- the parts of a rule ---- */

static bool
read_freq(Cursor *cursor)
{
	for (int i = 0; i < lengthof(freq_names); i++)
	{
		if (accept_word(cursor, freq_names[i]))
		{
			cursor->parts->freq = (RRuleFreq) i;
			return true;
		}
	}
	return refuse_word(cursor, cursor->at, "FREQ",
					   "It is SECONDLY, MINUTELY, HOURLY, DAILY, WEEKLY, MONTHLY or YEARLY.",
					   HINT_RULE);
}

static bool
read_dtstart_value(Cursor *cursor)
{
	const char *from = cursor->at;
	RRuleMoment *start = &cursor->parts->dtstart;
	int			year;

	if (!read_moment(cursor, "DTSTART", start))
		return false;
	year = sched_civil_date((int32) sched_floor_div(start->value,
													SCHED_SECS_PER_DAY)).year;
	if (year > LAST_YEAR)
		return refuse_word(cursor, from, "DTSTART",
						   "Nothing fires after the year 2200.", HINT_TIME);
	return true;
}

static bool
read_hours_minutes_seconds(Cursor *cursor, RRuleKey key)
{
	RRuleParts *parts = cursor->parts;
	uint64		bits = 0;

	if (key == RRULE_BYHOUR)
	{
		if (!read_number_list(cursor, "BYHOUR value", 0, 23, &bits, NULL,
							  "An hour is a number from 0 to 23.",
							  "For example \"BYHOUR=9,17\"."))
			return false;
		parts->hours = (uint32) bits;
		return true;
	}
	if (key == RRULE_BYMINUTE)
		return read_number_list(cursor, "BYMINUTE value", 0, 59,
								&parts->minutes, NULL,
								"A minute is a number from 0 to 59.",
								"For example \"BYMINUTE=0,30\".");
	if (!read_number_list(cursor, "BYSECOND value", 0, 60, &bits, NULL,
						  "A second is a number from 0 to 59.",
						  "For example \"BYSECOND=0,30\"."))
		return false;
	/* clocks here know no leap second: 60 is the second before */
	if (bits & SCHED_BIT64(60))
		bits |= SCHED_BIT64(59);
	parts->seconds = bits & sched_bits_below(60);
	return true;
}

static bool
read_days_and_months(Cursor *cursor, RRuleKey key)
{
	RRuleParts *parts = cursor->parts;
	uint64		bits[2] = {0, 0};

	switch (key)
	{
		case RRULE_BYMONTH:
			if (!read_number_list(cursor, "BYMONTH value", 1, 12, &bits[0],
								  NULL, "A month is a number from 1 to 12.",
								  "For example \"BYMONTH=1,7\"."))
				return false;
			parts->months = (uint32) bits[0];
			return true;
		case RRULE_BYMONTHDAY:
			if (!read_number_list(cursor, "BYMONTHDAY value", 1, 31, &bits[0],
								  &bits[1],
								  "A day is a number from 1 to 31, or from -1 (the last) to -31.",
								  "For example \"BYMONTHDAY=1,-1\"."))
				return false;
			parts->month_days[0] = (uint32) bits[0];
			parts->month_days[1] = (uint32) bits[1];
			return true;
		case RRULE_BYWEEKNO:
			return read_number_list(cursor, "BYWEEKNO value", 1, 53,
									&parts->weeks[0], &parts->weeks[1],
									"A week is a number from 1 to 53, or from -1 (the last) to -53.",
									"For example \"BYWEEKNO=20\".");
		default:
			return read_number_list(cursor, "BYYEARDAY value", 1, 366,
									parts->year_days[0], parts->year_days[1],
									"A day is a number from 1 to 366, or from -1 (the last) to -366.",
									"For example \"BYYEARDAY=1,-1\".");
	}
}

static bool
read_part_value(Cursor *cursor, RRuleKey key)
{
	RRuleParts *parts = cursor->parts;

	switch (key)
	{
		case RRULE_FREQ:
			return read_freq(cursor);
		case RRULE_INTERVAL:
			return read_number(cursor, "INTERVAL", 1, MAX_INTERVAL,
							   "It is a number from 1 to 1000000000.",
							   "For example \"INTERVAL=2\".", &parts->interval);
		case RRULE_COUNT:
			return read_number(cursor, "COUNT", 1, MAX_NUMBER - 1,
							   "It is a number, 1 or more.",
							   "For example \"COUNT=10\".", &parts->count);
		case RRULE_UNTIL:
			return read_moment(cursor, "UNTIL", &parts->until);
		case RRULE_BYDAY:
			return read_weekday_list(cursor);
		case RRULE_BYMONTH:
		case RRULE_BYWEEKNO:
		case RRULE_BYYEARDAY:
		case RRULE_BYMONTHDAY:
			return read_days_and_months(cursor, key);
		case RRULE_BYHOUR:
		case RRULE_BYMINUTE:
		case RRULE_BYSECOND:
			return read_hours_minutes_seconds(cursor, key);
		case RRULE_BYSETPOS:
			return read_number_list(cursor, "BYSETPOS value", 1, 366,
									parts->positions[0], parts->positions[1],
									"A position is a number from 1 to 366, or from -1 (the last) to -366.",
									"For example \"BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1\" for the last weekday.");
		case RRULE_WKST:
			if (!read_weekday(cursor, &parts->wkst))
				return refuse_word(cursor, cursor->at, "WKST",
								   "It is SU, MO, TU, WE, TH, FR or SA.",
								   "For example \"WKST=SU\".");
			return true;
		case RRULE_DTSTART:
			return read_dtstart_value(cursor);
	}
	return false;
}

/* A part or property that may be given once only */
static bool
note_given(Cursor *cursor, RRuleKey key, const char *at)
{
	if (cursor->parts->given & RRULE_GIVEN(key))
	{
		sched_error_set(cursor->err, position_of(cursor, at),
						"%s is given twice in recurrence rule", NULL,
						"Give it once, with all its values separated by commas.",
						key_names[key]);
		return false;
	}
	cursor->parts->given |= RRULE_GIVEN(key);
	cursor->key_position[key] = position_of(cursor, at);
	return true;
}

static bool
read_part(Cursor *cursor)
{
	const char *from = cursor->at;

	for (int key = 0; key < RRULE_KEY_COUNT; key++)
	{
		if (!accept_word(cursor, key_names[key]))
			continue;
		if (!accept_char(cursor, '='))
			return refuse(cursor, cursor->at,
						  "\"=\" is missing in recurrence rule", NULL,
						  HINT_RULE);
		return note_given(cursor, (RRuleKey) key, from) &&
			read_part_value(cursor, (RRuleKey) key);
	}
	return refuse_word(cursor, from, "part",
					   "The parts are FREQ, INTERVAL, COUNT, UNTIL, BYMONTH, BYWEEKNO, BYYEARDAY, BYMONTHDAY, BYDAY, BYHOUR, BYMINUTE, BYSECOND, BYSETPOS and WKST.",
					   HINT_RULE);
}

static bool
read_rule(Cursor *cursor, const char *from)
{
	if (cursor->has_rule)
		return refuse(cursor, from, "more than one RRULE in recurrence rule",
					  NULL,
					  "Give the job one trigger for each of them.");
	cursor->has_rule = true;
	do
	{
		/* a semicolon at the end is common and harmless */
		if (*cursor->at == '\0' || is_space(*cursor->at))
			break;
		if (!read_part(cursor))
			return false;
		if (!accept_char(cursor, ';'))
			break;
		if (is_space(*cursor->at))
		{
			const char *semicolon = cursor->at;

			/* a line that ends in one is over if a property follows */
			skip_space(cursor);
			if (pg_strncasecmp(cursor->at, "DTSTART", 7) == 0 ||
				pg_strncasecmp(cursor->at, "RDATE", 5) == 0 ||
				pg_strncasecmp(cursor->at, "EXDATE", 6) == 0 ||
				pg_strncasecmp(cursor->at, "RRULE", 5) == 0)
				cursor->at = semicolon;
		}
	} while (true);
	return true;
}

/* ---- properties ---- */

static bool
read_zone_name(Cursor *cursor)
{
	RRuleParts *parts = cursor->parts;
	const char *from = cursor->at;
	bool		quoted = accept_char(cursor, '"');
	const char *begin = cursor->at;
	size_t		length;

	while (is_word(*cursor->at) || *cursor->at == '/' || *cursor->at == '_' ||
		   *cursor->at == '+')
		cursor->at++;
	length = cursor->at - begin;
	if (length == 0 || length >= sizeof(parts->zone_name) ||
		(quoted && !accept_char(cursor, '"')))
		return refuse(cursor, from, "invalid TZID in recurrence rule",
					  "It is the name of a time zone.",
					  "For example \"DTSTART;TZID=Europe/Berlin:20270131T090000\".");
	if (parts->zone_name[0] != '\0' &&
		(pg_strncasecmp(parts->zone_name, begin, length) != 0 ||
		 parts->zone_name[length] != '\0'))
		return refuse(cursor, from, "recurrence rule names two time zones",
					  "All its times are in one zone or in UTC.",
					  "Give other times in UTC, with a \"Z\" at the end.");
	memcpy(parts->zone_name, begin, length);
	parts->zone_name[length] = '\0';
	return true;
}

/* ";NAME=VALUE" any number of times, then ":" */
static bool
read_parameters(Cursor *cursor)
{
	while (accept_separator(cursor, ';'))
	{
		if (accept_word(cursor, "TZID"))
		{
			if (!accept_char(cursor, '='))
				return refuse(cursor, cursor->at,
							  "\"=\" is missing in recurrence rule", NULL,
							  HINT_TIME);
			if (!read_zone_name(cursor))
				return false;
		}
		else if (accept_word(cursor, "VALUE"))
		{
			/* the value shows by itself what it is */
			if (!accept_char(cursor, '=') ||
				!(accept_word(cursor, "DATE-TIME") ||
				  accept_word(cursor, "DATE") ||
				  accept_word(cursor, "PERIOD")))
				return refuse(cursor, cursor->at,
							  "invalid VALUE in recurrence rule",
							  "It is DATE, DATE-TIME or PERIOD.", HINT_TIME);
		}
		else
			return refuse_word(cursor, cursor->at, "parameter",
							   "The parameters are TZID and VALUE.",
							   "For example \"DTSTART;TZID=Europe/Berlin:20270131T090000\".");
	}
	if (!accept_char(cursor, ':'))
		return refuse(cursor, cursor->at, "\":\" is missing in recurrence rule",
					  NULL, "For example \"DTSTART:20270131T090000\".");
	skip_space(cursor);
	return true;
}

/* Is a property of this name at the cursor?  Its name is taken. */
static bool
accept_property(Cursor *cursor, const char *name)
{
	const char *from = cursor->at;

	if (!accept_word(cursor, name))
		return false;
	if (*cursor->at == ':' || *cursor->at == ';')
		return true;
	cursor->at = from;
	return false;
}

static bool
read_property(Cursor *cursor)
{
	RRuleParts *parts = cursor->parts;
	const char *from = cursor->at;

	if (accept_property(cursor, "RRULE"))
		return read_parameters(cursor) && read_rule(cursor, from);
	if (accept_property(cursor, "DTSTART"))
		return note_given(cursor, RRULE_DTSTART, from) &&
			read_parameters(cursor) && read_dtstart_value(cursor);
	if (accept_property(cursor, "RDATE"))
		return read_parameters(cursor) &&
			read_moment_list(cursor, "RDATE", &parts->rdates,
							 &parts->n_rdates, &cursor->rdate_capacity);
	if (accept_property(cursor, "EXDATE"))
		return read_parameters(cursor) &&
			read_moment_list(cursor, "EXDATE", &parts->exdates,
							 &parts->n_exdates, &cursor->exdate_capacity);
	if (accept_property(cursor, "EXRULE"))
		return refuse(cursor, from, "EXRULE is not supported",
					  "RFC 5545 has withdrawn it.",
					  "Use EXDATE, or a calendar.");
	return read_rule(cursor, from);
}

/* ---- what may not stand together ---- */

static bool
refuse_key(Cursor *cursor, RRuleKey key, const char *detail, const char *hint)
{
	sched_error_set(cursor->err, cursor->key_position[key],
					"%s does not go with FREQ=%s", detail, hint,
					key_names[key], freq_names[cursor->parts->freq]);
	return false;
}

static bool
check_days(Cursor *cursor)
{
	const RRuleParts *parts = cursor->parts;
	RRuleFreq	freq = parts->freq;
	uint32		given = parts->given;

	if ((given & RRULE_GIVEN(RRULE_BYWEEKNO)) && freq != RRULE_YEARLY)
		return refuse_key(cursor, RRULE_BYWEEKNO,
						  "Weeks are numbered within a year.",
						  "Use FREQ=YEARLY, with BYDAY for the days of the week.");
	if ((given & RRULE_GIVEN(RRULE_BYYEARDAY)) &&
		(freq == RRULE_DAILY || freq == RRULE_WEEKLY || freq == RRULE_MONTHLY))
		return refuse_key(cursor, RRULE_BYYEARDAY,
						  "Days are numbered within a year.",
						  "Use FREQ=YEARLY.");
	if ((given & RRULE_GIVEN(RRULE_BYMONTHDAY)) && freq == RRULE_WEEKLY)
		return refuse_key(cursor, RRULE_BYMONTHDAY,
						  "Days are numbered within a month.",
						  "Use FREQ=MONTHLY, with BYDAY for the weekdays.");
	if (parts->has_nth && freq != RRULE_MONTHLY && freq != RRULE_YEARLY)
		return refuse_key(cursor, RRULE_BYDAY,
						  "A number before a weekday counts within a month or a year.",
						  "Use FREQ=MONTHLY, or leave the number out.");
	if (parts->has_nth && (given & RRULE_GIVEN(RRULE_BYWEEKNO)))
		return refuse(cursor, cursor->text +cursor->key_position[RRULE_BYDAY],
					  "BYDAY with a number does not go with BYWEEKNO",
					  "A week has each weekday once.",
					  "Leave the number out.");
	return true;
}

static bool
check_parts(Cursor *cursor)
{
	uint32		given = cursor->parts->given;

	if (!cursor->has_rule)
		return refuse(cursor, cursor->at, "recurrence rule has no RRULE", NULL,
					  HINT_RULE);
	if ((given & RRULE_GIVEN(RRULE_FREQ)) == 0)
		return refuse(cursor, cursor->at, "recurrence rule has no FREQ",
					  "It is SECONDLY, MINUTELY, HOURLY, DAILY, WEEKLY, MONTHLY or YEARLY.",
					  HINT_RULE);
	if ((given & RRULE_GIVEN(RRULE_COUNT)) &&
		(given & RRULE_GIVEN(RRULE_UNTIL)))
		return refuse(cursor,
					  cursor->text +Max(cursor->key_position[RRULE_COUNT],
										cursor->key_position[RRULE_UNTIL]),
					  "COUNT does not go with UNTIL in recurrence rule", NULL,
					  "Give one of the two.");
	if ((given & RRULE_GIVEN(RRULE_BYSETPOS)) &&
		(given & (RRULE_DAY_PARTS | RRULE_GIVEN(RRULE_BYHOUR) |
				  RRULE_GIVEN(RRULE_BYMINUTE) |
				  RRULE_GIVEN(RRULE_BYSECOND))) == 0)
		return refuse(cursor,
					  cursor->text +cursor->key_position[RRULE_BYSETPOS],
					  "BYSETPOS needs another part to select from",
					  "It picks out of what the other BY parts of a period give.",
					  "For example \"BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1\" for the last weekday.");
	return check_days(cursor);
}

SchedRRule *
sched_rrule_parse(const char *text, SchedError *err)
{
	SchedRRule *rule = palloc0(sizeof(SchedRRule));
	SchedError	ignored;
	Cursor		cursor;

	memset(&cursor, 0, sizeof(cursor));
	cursor.text = text;
	cursor.at = text;

	cursor.err = err != NULL ? err : &ignored;
	cursor.parts = &rule->parts;
	rule->parts.interval = 1;
	rule->parts.wkst = 1;		/* Monday */

	skip_space(&cursor);
	while (*cursor.at != '\0')
	{
		if (!read_property(&cursor))
			goto refused;
		if (*cursor.at != '\0' && !is_space(*cursor.at))
		{
			sched_error_set(cursor.err, position_of(&cursor, cursor.at),
							"unexpected \"%c\" in recurrence rule", NULL,
							HINT_RULE, *cursor.at);
			goto refused;
		}
		skip_space(&cursor);
	}
	if (check_parts(&cursor))
		return rule;

refused:
	sched_rrule_free(rule);
	return NULL;
}

void
sched_rrule_free(SchedRRule *rule)
{
	if (rule == NULL)
		return;
	if (rule->parts.rdates != NULL)
		pfree(rule->parts.rdates);
	if (rule->parts.exdates != NULL)
		pfree(rule->parts.exdates);
	pfree(rule);
}

const char *
sched_rrule_zone_name(const SchedRRule *rule)
{
	return rule->parts.zone_name[0] != '\0' ? rule->parts.zone_name : NULL;
}
