/*-------------------------------------------------------------------------
 *
 * cron.c
 *	  Cron expressions: text to bit masks, and masks to days of a month.
 *
 * Three forms share one parser.  Five fields have Vixie's meaning; six fields
 * put seconds in front of them; a "?" among six fields, or a seventh field
 * (years), makes it Quartz, where days of the week count from 1 = Sunday.
 *
 * A field is a comma-separated list of elements, each of which ends up as
 * bits in one mask, so that finding a time later is a matter of bit scans.
 * Days need more than one mask because "L", "15W" and "FRI#3" mean other days
 * in every month; sched_cron_month_days() resolves them for one month.
 *
 * Everything here is a single pass over the text without allocation, and the
 * position of an error is that of the offending character.
 *
 *-------------------------------------------------------------------------
 */
#ifndef FRONTEND
#include "postgres.h"
#else
#include "postgres_fe.h"
#endif

#include "port/pg_bitutils.h"
#include "domain/schedule/schedule_int.h"

#define MAX_FIELDS		7
#define ALL_WEEKDAYS	0x7f

typedef enum FieldId
{
	FIELD_SECOND,
	FIELD_MINUTE,
	FIELD_HOUR,
	FIELD_DOM,
	FIELD_MONTH,
	FIELD_DOW,
	FIELD_YEAR
} FieldId;

typedef struct FieldSpec
{
	const char *name;
	int			min;
	int			max;			/* of what may be written */
	int			span;			/* values before the field wraps */
	const char *names;			/* three letters each, or NULL */
	int			first_name;		/* value of the first of them */
	const char *hint;
} FieldSpec;

static const FieldSpec specs[] = {
	{"second", 0, 59, 60, NULL, 0, "For example \"*/10 * * * * *\"."},
	{"minute", 0, 59, 60, NULL, 0, "For example \"*/5 * * * *\"."},
	{"hour", 0, 23, 24, NULL, 0, "For example \"0 9-17 * * *\"."},
	{"day of month", 1, 31, 31, NULL, 0, "For example \"0 0 1,15 * *\", or \"0 0 L * *\" for the last day."},
	{"month", 1, 12, 12, "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC", 1, "For example \"0 0 1 JAN-JUN *\"."},
	{"day of week", 0, 7, 7, "SUNMONTUEWEDTHUFRISAT", 0, "For example \"0 9 * * MON-FRI\"."},
	{"year", SCHED_YEAR_FIRST, SCHED_YEAR_LIMIT - 1, SCHED_YEAR_LIMIT - SCHED_YEAR_FIRST, NULL, 0, "For example \"0 0 9 1 1 ? 2030-2035\"."}
};

static const FieldSpec quartz_dow = {
	"day of week", 1, 7, 7, "SUNMONTUEWEDTHUFRISAT", 1, "For example \"0 0 9 ? * MON-FRI\"; with \"?\" or a year Sunday is 1."
};

typedef struct Parser
{
	const char *text;			/* start of the expression */
	const char *at;
	const char *end;			/* of the current field */
	const FieldSpec *spec;
	FieldId		field;
	SchedCron  *cron;
	SchedError *err;
} Parser;

static inline bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static inline bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The next character of the field in upper case, NUL at its end. */
static inline char
peek(const Parser *p)
{
	char		c = p->at < p->end ? *p->at : '\0';

	return c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c;
}

static bool
fail_at(Parser *p, const char *at, const char *message, const char *detail)
{
	sched_error_set(p->err, (int) (at - p->text), "%s", detail, p->spec->hint,
					message);
	return false;
}

static bool
fail_range(Parser *p, const char *at)
{
	char		detail[96];

	if (p->spec->names != NULL)
		snprintf(detail, sizeof(detail), "Names are %.3s to %.3s, without regard to case.",
				 p->spec->names, p->spec->names + strlen(p->spec->names) - 3);
	else
		snprintf(detail, sizeof(detail), "The field is \"%.*s\".",
				 (int) Min(p->end - p->at + (p->at - at), 60), at);
	sched_error_set(p->err, (int) (at - p->text), "%s must be %d-%d", detail,
					p->spec->hint, p->spec->name, p->spec->min, p->spec->max);
	return false;
}

/* Does a letter stand before this character? */
static inline bool
in_word(const Parser *p)
{
	return p->at != p->text &&is_letter(p->at[-1]);
}

static bool
fail_char(Parser *p)
{
	char		message[96];
	int			length = 1;

	if (p->at >= p->end)
	{
		snprintf(message, sizeof(message), "the %s field ends too early", p->spec->name);
		return fail_at(p, p->at, message, "A value is expected here.");
	}

	/* do not cut a multibyte character in two */
	while (p->at + length < p->end && length < 4 && (p->at[length] & 0xc0) == 0x80)
		length++;
	snprintf(message, sizeof(message), "unexpected \"%.*s\" in the %s field",
			 length, p->at, p->spec->name);
	if (p->spec->names != NULL && is_letter(*p->at) && in_word(p))
		return fail_at(p, p->at, message, "Names have three letters.");
	return fail_at(p, p->at, message,
				   "A field holds numbers, names, ranges and steps, with commas between them.");
}

/* A number of any length; what does not fit comes out as something too large. */
static bool
read_number(Parser *p, int *value)
{
	int			n = 0;

	if (!is_digit(peek(p)))
		return fail_char(p);
	for (; is_digit(peek(p)); p->at++)
		n = Min(n * 10 + (*p->at - '0'), 1000000);
	*value = n;
	return true;
}

/* A number or a name within the limits of the field. */
static bool
read_value(Parser *p, int *value)
{
	const char *at = p->at;

	if (p->spec->names != NULL && is_letter(peek(p)))
	{
		for (int i = 0; p->spec->names[i * 3] != '\0'; i++)
		{
			if (p->end - at >= 3 && pg_strncasecmp(at, p->spec->names + i * 3, 3) == 0)
			{
				p->at += 3;
				*value = p->spec->first_name + i;
				return true;
			}
		}
		return fail_range(p, at);
	}
	if (!read_number(p, value))
		return false;
	if (*value < p->spec->min || *value > p->spec->max)
		return fail_range(p, at);
	return true;
}

/* The bit of the mask that stands for a value as written. */
static inline int
value_bit(const Parser *p, int value)
{
	if (p->field == FIELD_DOW)
		return (value - p->spec->first_name) % 7;
	return value;
}

static void
set_bit(Parser *p, int bit)
{
	SchedCron  *cron = p->cron;

	switch (p->field)
	{
		case FIELD_SECOND:
			cron->seconds |= UINT64CONST(1) << bit;
			break;
		case FIELD_MINUTE:
			cron->minutes |= UINT64CONST(1) << bit;
			break;
		case FIELD_HOUR:
			cron->hours |= 1U << bit;
			break;
		case FIELD_DOM:
			cron->dom |= 1U << bit;
			break;
		case FIELD_MONTH:
			cron->months |= 1U << bit;
			break;
		case FIELD_DOW:
			cron->dow |= 1U << bit;
			break;
		case FIELD_YEAR:
			bit -= SCHED_YEAR_FIRST;
			cron->years[bit / 64] |= UINT64CONST(1) << (bit % 64);
			break;
	}
}

/* Every step-th value of low..high; high may lie beyond the wrap. */
static void
set_range(Parser *p, int low, int high, int step)
{
	int			base = p->field == FIELD_DOW ? 0 : p->spec->min;

	for (int value = low; value <= high; value += step)
	{
		int			bit = value;

		while (bit >= base + p->spec->span)
			bit -= p->spec->span;
		set_bit(p, bit);
	}
}

static bool
read_step(Parser *p, int *step)
{
	const char *at = ++p->at;

	if (!read_number(p, step))
		return false;
	if (*step == 0)
		return fail_at(p, at, "step must be at least 1",
					   "The number behind \"/\" is the distance between two values.");
	if (*step > p->spec->span)
		p->cron->step_beyond = true;
	return true;
}

static void
mark_star(Parser *p)
{
	SchedCron  *cron = p->cron;

	switch (p->field)
	{
		case FIELD_SECOND:
			cron->second_star = true;
			break;
		case FIELD_MINUTE:
			cron->minute_star = true;
			break;
		case FIELD_HOUR:
			cron->hour_star = true;
			break;
		case FIELD_DOM:
			cron->dom_star = true;
			break;
		case FIELD_DOW:
			cron->dow_star = true;
			break;
		default:
			break;
	}
}

/* "*", "* / step" */
static bool
read_star(Parser *p)
{
	int			step = 1;
	int			low = p->field == FIELD_DOW ? 0 : p->spec->min;

	mark_star(p);
	p->at++;
	if (peek(p) == '/' && !read_step(p, &step))
		return false;
	set_range(p, low, low + p->spec->span - 1, step);
	return true;
}

/* "L", "L-3", "LW", "L-3W" of the day of month; "$" is another word for "L" */
static bool
read_last_day(Parser *p)
{
	const char *at = ++p->at;
	int			offset = 0;

	if (peek(p) == '-')
	{
		at = ++p->at;
		if (!read_number(p, &offset))
			return false;
		if (offset > 30)
			return fail_at(p, at, "days before the last must be 0-30",
						   "\"L-3\" is the third day before the last day of the month.");
	}
	if (peek(p) == 'W')
	{
		p->at++;
		p->cron->dom_last_nearest |= 1U << offset;
	}
	else
		p->cron->dom_last |= 1U << offset;
	return true;
}

/* What may follow a day of the week: "L" and "#n", "#L" */
static bool
read_weekday_suffix(Parser *p, int weekday)
{
	if (*p->at != '#')
	{
		p->at++;
		p->cron->dow_last |= 1U << weekday;
		return true;
	}
	p->at++;
	if (peek(p) == 'L' || peek(p) == '$')
	{
		p->at++;
		p->cron->dow_last |= 1U << weekday;
	}
	else
	{
		const char *at = p->at;
		int			nth;

		if (!read_number(p, &nth))
			return false;
		if (nth < 1 || nth > 5)
			return fail_at(p, at, "week of month must be 1-5",
						   "\"FRI#3\" is the third Friday of the month, \"FRIL\" the last one.");
		p->cron->dow_nth[nth - 1] |= 1U << weekday;
	}
	return true;
}

/* One element of the list that a field is. */
static bool
read_element(Parser *p)
{
	const char *at = p->at;
	char		c = peek(p);
	int			low;
	int			high;
	int			step = 1;

	if (c == '*')
		return read_star(p);
	if (p->field == FIELD_DOM && (c == 'L' || c == '$'))
		return read_last_day(p);
	if (p->field == FIELD_DOW && c == 'L' && p->cron->form == SCHED_CRON_QUARTZ)
	{
		/* Quartz: the last day of the week is Saturday */
		p->at++;
		set_bit(p, 6);
		return true;
	}
	if (!read_value(p, &low))
		return false;

	c = peek(p);
	if (p->field == FIELD_DOM && c == 'W')
	{
		p->at++;
		p->cron->dom_nearest |= 1U << low;
		return true;
	}
	if (p->field == FIELD_DOW && (c == 'L' || c == '$' || c == '#'))
		return read_weekday_suffix(p, value_bit(p, low));

	low = p->field == FIELD_DOW ? low - p->spec->first_name : low;
	high = low;
	if (c == '-')
	{
		p->at++;
		if (!read_value(p, &high))
			return false;
		high = p->field == FIELD_DOW ? high - p->spec->first_name : high;
		if (high < low)
		{
			if (p->field == FIELD_YEAR)
				return fail_at(p, at, "range of years ends before it begins",
							   "Only fields that repeat can wrap around.");
			high += p->spec->span;
		}
	}
	if (peek(p) == '/')
	{
		if (c != '-')
		{
			/* from low to the end of the field */
			if (p->field == FIELD_DOW)
			{
				low %= 7;
				high = 6;
			}
			else
				high = p->spec->max;
		}
		if (!read_step(p, &step))
			return false;
	}
	set_range(p, low, high, step);
	return true;
}

static bool
read_field(Parser *p)
{
	if (peek(p) == '?' && p->end - p->at == 1 &&
		(p->field == FIELD_DOM || p->field == FIELD_DOW))
		return read_star(p);
	for (;;)
	{
		if (!read_element(p))
			return false;
		if (p->at == p->end)
			return true;
		if (*p->at != ',')
			return fail_char(p);
		p->at++;
	}
}

static bool
fail_count(const char *input, int position, int count, SchedError *err)
{
	sched_error_set(err, position,
					count == 0 ? "schedule is empty" :
					"a cron expression has 5, 6 or 7 fields, not %d",
					"The fields are minute, hour, day of month, month and day of week; six begin with seconds, seven end with a year.",
					"For example \"*/5 9-17 * * MON-FRI\" or \"@every 10 minutes\".",
					count);
	return false;
}

bool
sched_cron_parse(const char *input, SchedCron *cron, SchedError *err)
{
	const char *starts[MAX_FIELDS];
	const char *ends[MAX_FIELDS];
	const char *at = input;
	Parser		p = {input, input, input, &specs[0], FIELD_SECOND, cron, err};
	int			count = 0;
	bool		question = false;
	int			first;

	memset(cron, 0, sizeof(*cron));
	for (;;)
	{
		const char *start;

		while (is_blank(*at))
			at++;
		if (*at == '\0')
			break;
		start = at;
		while (*at != '\0' && !is_blank(*at))
			at++;
		if (count < MAX_FIELDS)
		{
			starts[count] = start;
			ends[count] = at;
			if (*start == '?')
				question = true;
		}
		else if (count == MAX_FIELDS)
			p.at = start;
		count++;
	}
	if (count < 5)
		return fail_count(input, (int) (at - input), count, err);
	if (count > MAX_FIELDS)
		return fail_count(input, (int) (p.at - input), count, err);

	cron->form = count == 5 ? SCHED_CRON_FIVE :
		count == 7 || question ? SCHED_CRON_QUARTZ : SCHED_CRON_SIX;
	first = count == 5 ? FIELD_MINUTE : FIELD_SECOND;
	if (count == 5)
		cron->seconds = 1;
	for (int i = 0; i < count; i++)
	{
		p.field = first + i;
		p.spec = p.field == FIELD_DOW && cron->form == SCHED_CRON_QUARTZ ?
			&quartz_dow : &specs[p.field];
		p.at = starts[i];
		p.end = ends[i];
		if (p.field == FIELD_YEAR)
			cron->has_years = !(p.end - p.at == 1 && *p.at == '*');
		if (!read_field(&p))
			return false;
	}
	if (cron->form == SCHED_CRON_QUARTZ && !cron->dom_star && !cron->dow_star)
	{
		sched_error_set(err, (int) (starts[FIELD_DOW] - input),
						"one of day of month and day of week must be \"?\"",
						"This form of cron expression restricts one of the two fields only.",
						"For example \"0 0 9 ? * MON-FRI\" or \"0 0 9 1,15 * ?\".");
		return false;
	}
	return true;
}

/* Turn a mask of weekdays into days 1..7 (bits 0..6) of a week that begins on "first". */
static inline uint32
rotate_week(uint32 weekdays, int first)
{
	return ((weekdays | weekdays << 7) >> first) & ALL_WEEKDAYS;
}

/* The Monday to Friday nearest to a day, in the same month. */
static int
nearest_weekday(int mday, int first_weekday, int length)
{
	int			weekday = (first_weekday + mday - 1) % 7;

	if (weekday == 6)
		return mday > 1 ? mday - 1 : mday + 2;
	if (weekday == 0)
		return mday < length ? mday + 1 : mday - 2;
	return mday;
}

uint32
sched_cron_month_days(const SchedCron *cron, int32 year, int month)
{
	int			length = sched_civil_month_days(year, month);
	int			first = sched_civil_weekday(sched_civil_day(year, month, 1));
	uint32		valid = (uint32) (((UINT64CONST(1) << length) - 1) << 1);
	uint64		weeks;
	uint32		dom = cron->dom;
	uint32		dow;
	uint32		rest;

	for (rest = cron->dom_last; rest != 0; rest &= rest - 1)
	{
		int			mday = length - pg_rightmost_one_pos32(rest);

		if (mday >= 1)
			dom |= 1U << mday;
	}
	for (rest = cron->dom_nearest; rest != 0; rest &= rest - 1)
	{
		int			mday = pg_rightmost_one_pos32(rest);

		if (mday <= length)
			dom |= 1U << nearest_weekday(mday, first, length);
	}
	for (rest = cron->dom_last_nearest; rest != 0; rest &= rest - 1)
	{
		int			mday = length - pg_rightmost_one_pos32(rest);

		if (mday >= 1)
			dom |= 1U << nearest_weekday(mday, first, length);
	}

	/* the same seven bits once for every week */
	weeks = (uint64) rotate_week(cron->dow, first) * UINT64CONST(0x10204081);
	for (int nth = 0; nth < 5; nth++)
		weeks |= (uint64) rotate_week(cron->dow_nth[nth], first) << (7 * nth);
	dow = (uint32) (weeks << 1) & valid;
	if (cron->dow_last != 0)
		dow |= rotate_week(cron->dow_last, (first + length - 7) % 7) << (length - 6);

	dom &= valid;
	return cron->dom_star || cron->dow_star ? dom & dow : dom | dow;
}
