/*-------------------------------------------------------------------------
 *
 * interval.c
 *	  Durations as people write them.
 *
 * The domain cannot call the server's interval input function, so this reads
 * the same notations: a list of quantities with units, clock notation, SQL's
 * years-months, ISO 8601, and a closing "ago".  Go's duration notation is a
 * list of quantities without blanks, which the same loop reads.
 *
 * Each quantity is kept as a whole part and nine decimals, so that nothing
 * passes through floating point.  Every sum is checked against a limit far
 * below overflow; a digit string of any length is read in one pass.
 *
 *-------------------------------------------------------------------------
 */
#ifndef FRONTEND
#include "postgres.h"
#else
#include "postgres_fe.h"
#endif

#include "common/int.h"
#include "domain/schedule/interval.h"

#define FRACTION_ONE	INT64CONST(1000000000)

/* Above this a whole part is out of range whatever its unit (nanoseconds). */
#define WHOLE_MAX		INT64CONST(100000000000000000)

typedef enum UnitBase
{
	BASE_NANOSECOND,
	BASE_MICROSECOND,
	BASE_DAY,
	BASE_MONTH
} UnitBase;

typedef struct Unit
{
	const char *name;
	UnitBase	base;
	int64		factor;
} Unit;

static const Unit units[] = {
	{"s", BASE_MICROSECOND, INT64CONST(1000000)},
	{"m", BASE_MICROSECOND, INT64CONST(60000000)},
	{"h", BASE_MICROSECOND, INT64CONST(3600000000)},
	{"d", BASE_DAY, 1},
	{"w", BASE_DAY, 7},
	{"y", BASE_MONTH, 12},
	{"ms", BASE_MICROSECOND, 1000},
	{"us", BASE_MICROSECOND, 1},
	{"ns", BASE_NANOSECOND, 1},
	{"\302\265s", BASE_MICROSECOND, 1}, /* U+00B5 */
	{"\316\274s", BASE_MICROSECOND, 1}, /* U+03BC */
	{"sec", BASE_MICROSECOND, INT64CONST(1000000)},
	{"secs", BASE_MICROSECOND, INT64CONST(1000000)},
	{"second", BASE_MICROSECOND, INT64CONST(1000000)},
	{"seconds", BASE_MICROSECOND, INT64CONST(1000000)},
	{"min", BASE_MICROSECOND, INT64CONST(60000000)},
	{"mins", BASE_MICROSECOND, INT64CONST(60000000)},
	{"minute", BASE_MICROSECOND, INT64CONST(60000000)},
	{"minutes", BASE_MICROSECOND, INT64CONST(60000000)},
	{"hr", BASE_MICROSECOND, INT64CONST(3600000000)},
	{"hrs", BASE_MICROSECOND, INT64CONST(3600000000)},
	{"hour", BASE_MICROSECOND, INT64CONST(3600000000)},
	{"hours", BASE_MICROSECOND, INT64CONST(3600000000)},
	{"day", BASE_DAY, 1},
	{"days", BASE_DAY, 1},
	{"week", BASE_DAY, 7},
	{"weeks", BASE_DAY, 7},
	{"mon", BASE_MONTH, 1},
	{"mons", BASE_MONTH, 1},
	{"month", BASE_MONTH, 1},
	{"months", BASE_MONTH, 1},
	{"yr", BASE_MONTH, 12},
	{"yrs", BASE_MONTH, 12},
	{"year", BASE_MONTH, 12},
	{"years", BASE_MONTH, 12},
	{"decade", BASE_MONTH, 120},
	{"decades", BASE_MONTH, 120},
	{"century", BASE_MONTH, 1200},
	{"centuries", BASE_MONTH, 1200},
	{"millennium", BASE_MONTH, 12000},
	{"msec", BASE_MICROSECOND, 1000},
	{"msecs", BASE_MICROSECOND, 1000},
	{"millisecond", BASE_MICROSECOND, 1000},
	{"milliseconds", BASE_MICROSECOND, 1000},
	{"usec", BASE_MICROSECOND, 1},
	{"usecs", BASE_MICROSECOND, 1},
	{"microsecond", BASE_MICROSECOND, 1},
	{"microseconds", BASE_MICROSECOND, 1},
	{"nanosecond", BASE_NANOSECOND, 1},
	{"nanoseconds", BASE_NANOSECOND, 1}
};

typedef struct Reader
{
	const char *start;
	const char *at;
	SchedInterval sum;
	SchedError *err;
} Reader;

typedef struct Quantity
{
	bool		negative;
	int64		whole;
	int64		fraction;		/* billionths */
} Quantity;

static bool
fail(Reader *in, const char *at, const char *message)
{
	sched_error_set(in->err, (int) (at - in->start), "%s",
					"A duration is a list of numbers with units, such as s, min, h, days, weeks or months.",
					"For example \"90s\", \"1h30m\" or \"1 hour 30 minutes\".", message);
	return false;
}

static inline bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool
is_unit_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c & 0x80) != 0;
}

static inline void
skip_blanks(Reader *in)
{
	while (*in->at == ' ' || *in->at == '\t' || *in->at == '\n' || *in->at == '\r')
		in->at++;
}

/* The sums, held to the limits of SchedInterval. */
static bool
add_months(Reader *in, const char *at, int64 count)
{
	int64		sum = in->sum.months + count;

	if (sum < -SCHED_INTERVAL_MAX_MONTHS || sum > SCHED_INTERVAL_MAX_MONTHS)
		return fail(in, at, "duration is out of range");
	in->sum.months = (int32) sum;
	return true;
}

static bool
add_days(Reader *in, const char *at, int64 count)
{
	int64		sum = in->sum.days + count;

	if (sum < -SCHED_INTERVAL_MAX_DAYS || sum > SCHED_INTERVAL_MAX_DAYS)
		return fail(in, at, "duration is out of range");
	in->sum.days = (int32) sum;
	return true;
}

static bool
add_usec(Reader *in, const char *at, int64 count)
{
	int64		sum;

	if (pg_add_s64_overflow(in->sum.usec, count, &sum) ||
		sum < -SCHED_INTERVAL_MAX_DAYS * SCHED_USEC_PER_DAY ||
		sum > SCHED_INTERVAL_MAX_DAYS * SCHED_USEC_PER_DAY)
		return fail(in, at, "duration is out of range");
	in->sum.usec = sum;
	return true;
}

/* fraction (billionths) of factor, rounded down; factor < 10^15 */
static int64
part_of(int64 fraction, int64 factor)
{
	return factor / FRACTION_ONE * fraction +
		factor % FRACTION_ONE * fraction / FRACTION_ONE;
}

/* Digits, and with them perhaps a fraction.  No sign here. */
static bool
read_number(Reader *in, Quantity *q)
{
	const char *start = in->at;
	int64		scale = FRACTION_ONE / 10;

	q->whole = q->fraction = 0;
	if (!is_digit(*in->at) && !(*in->at == '.' && is_digit(in->at[1])))
		return fail(in, in->at, *in->at ? "a number is expected here" : "a number is missing");
	for (; is_digit(*in->at); in->at++)
	{
		if (q->whole > WHOLE_MAX)
			return fail(in, start, "duration is out of range");
		q->whole = q->whole * 10 + (*in->at - '0');
	}
	if (*in->at == '.')
	{
		for (in->at++; is_digit(*in->at); in->at++)
		{
			q->fraction += (*in->at - '0') * scale;
			scale /= 10;
		}
	}
	return true;
}

static bool
add_quantity(Reader *in, const char *at, const Quantity *q,
			 UnitBase base, int64 factor)
{
	int64		sign = q->negative ? -1 : 1;
	int64		whole;
	int64		days;

	if (pg_mul_s64_overflow(q->whole, factor, &whole) || whole > PG_INT64_MAX / 2)
		return fail(in, at, "duration is out of range");
	switch (base)
	{
		case BASE_NANOSECOND:
			return add_usec(in, at, sign * (whole / 1000));
		case BASE_MICROSECOND:
			return add_usec(in, at, sign * (whole + part_of(q->fraction, factor)));
		case BASE_DAY:
			days = part_of(q->fraction, factor);
			return add_days(in, at, sign * (whole + days)) &&
				add_usec(in, at, sign * (part_of(q->fraction, factor * SCHED_USEC_PER_DAY) -
										 days * SCHED_USEC_PER_DAY));
		case BASE_MONTH:
			if (factor > 1)
				return add_months(in, at, sign * (whole + part_of(q->fraction, factor)));
			days = part_of(q->fraction, 30);
			return add_months(in, at, sign * whole) &&
				add_days(in, at, sign * days) &&
				add_usec(in, at, sign * (part_of(q->fraction, 30 * SCHED_USEC_PER_DAY) -
										 days * SCHED_USEC_PER_DAY));
	}
	return false;
}

static const Unit *
find_unit(const char *word, size_t length)
{
	for (int i = 0; i < lengthof(units); i++)
	{
		if (strlen(units[i].name) == length &&
			pg_strncasecmp(units[i].name, word, length) == 0)
			return &units[i];
	}
	return NULL;
}

/* The rest of "h:m[:s]", q holding the hours and in->at the first colon. */
static bool
read_clock(Reader *in, const char *at, const Quantity *q)
{
	Quantity	part = *q;
	int64		limit = 59;
	int64		factor = INT64CONST(60000000);

	if (q->fraction != 0)
		return fail(in, at, "hours before a colon must be whole");
	if (!add_quantity(in, at, q, BASE_MICROSECOND, INT64CONST(3600000000)))
		return false;
	while (*in->at == ':' && factor > 0)
	{
		const char *part_at = ++in->at;

		if (!read_number(in, &part))
			return false;
		if (part.whole > limit || (part.fraction != 0 && factor > SCHED_USEC_PER_SEC))
			return fail(in, part_at, "minutes and seconds must be 0-59");
		if (!add_quantity(in, part_at, &part, BASE_MICROSECOND, factor))
			return false;
		factor = factor > SCHED_USEC_PER_SEC ? SCHED_USEC_PER_SEC : 0;
	}
	return true;
}

/* ISO 8601: P1Y2M3W4DT5H6M7S, in->at behind the P. */
static bool
read_iso(Reader *in)
{
	bool		in_time = false;
	bool		any = false;

	for (;;)
	{
		Quantity	q;
		const char *at;
		char		unit;

		if (*in->at == 'T' || *in->at == 't')
		{
			if (in_time)
				return fail(in, in->at, "a second \"T\" in the duration");
			in_time = true;
			in->at++;
		}
		if (*in->at == '\0' || *in->at == ' ')
			break;
		at = in->at;
		q.negative = *in->at == '-';
		if (*in->at == '-' || *in->at == '+')
			in->at++;
		if (!read_number(in, &q))
			return false;
		unit = pg_toupper((unsigned char) *in->at);
		if (unit == '\0' || strchr(in_time ? "HMS" : "YMWD", unit) == NULL)
			return fail(in, in->at, in_time ? "one of H, M, S is expected here" :
						"one of Y, M, W, D, T is expected here");
		in->at++;
		if (!add_quantity(in, at, &q,
						  unit == 'Y' || (unit == 'M' && !in_time) ? BASE_MONTH :
						  unit == 'W' || unit == 'D' ? BASE_DAY : BASE_MICROSECOND,
						  unit == 'Y' ? 12 : unit == 'W' ? 7 :
						  unit == 'H' ? INT64CONST(3600000000) :
						  unit == 'M' && in_time ? INT64CONST(60000000) :
						  unit == 'S' ? SCHED_USEC_PER_SEC : 1))
			return false;
		any = true;
	}
	if (!any)
		return fail(in, in->at, "a number is missing");
	return true;
}

/* One quantity of the list: "90 s", "1:30", "1-2", "-3". */
static bool
read_item(Reader *in)
{
	const char *at = in->at;
	const char *word;
	const Unit *unit;
	Quantity	q;
	Quantity	months;

	q.negative = *in->at == '-';
	if (*in->at == '-' || *in->at == '+')
		in->at++;
	if (!read_number(in, &q))
		return false;
	if (*in->at == ':')
		return read_clock(in, at, &q);
	if (*in->at == '-' && q.fraction == 0 && is_digit(in->at[1]))
	{
		const char *months_at = ++in->at;

		months.negative = q.negative;
		if (!read_number(in, &months))
			return false;
		if (months.whole > 11 || months.fraction != 0)
			return fail(in, months_at, "months after years must be 0-11");
		return add_quantity(in, at, &q, BASE_MONTH, 12) &&
			add_quantity(in, months_at, &months, BASE_MONTH, 1);
	}

	skip_blanks(in);
	word = in->at;
	while (is_unit_char(*in->at))
		in->at++;
	if (word == in->at)
	{
		/*
		 * As in PostgreSQL: a bare number before a clock time counts days,
		 * one at the end seconds.
		 */
		size_t		digits = strspn(in->at, "0123456789");

		if (digits > 0 && in->at[digits] == ':')
			return add_quantity(in, at, &q, BASE_DAY, 1);
		if (*in->at != '\0')
			return fail(in, in->at, "a unit is expected here");
		unit = &units[0];
	}
	else
		unit = find_unit(word, in->at - word);
	if (unit == NULL)
		return fail(in, word, "unit of the duration is not known");
	return add_quantity(in, at, &q, unit->base, unit->factor);
}

bool
sched_interval_parse(const char *input, SchedInterval *result, SchedError *err)
{
	Reader		in = {input, input, {0, 0, 0}, err};

	skip_blanks(&in);
	if (*in.at == '\0')
		return fail(&in, in.at, "duration is missing");
	if ((*in.at == 'P' || *in.at == 'p'))
	{
		in.at++;
		if (!read_iso(&in))
			return false;
		skip_blanks(&in);
		if (*in.at != '\0')
			return fail(&in, in.at, "text after the duration");
	}
	else
	{
		while (*in.at != '\0')
		{
			if (!read_item(&in))
				return false;
			skip_blanks(&in);
			if (pg_strncasecmp(in.at, "ago", 3) == 0 && !is_unit_char(in.at[3]))
			{
				in.sum.months = -in.sum.months;
				in.sum.days = -in.sum.days;
				in.sum.usec = -in.sum.usec;
				in.at += 3;
				skip_blanks(&in);
				if (*in.at != '\0')
					return fail(&in, in.at, "text after \"ago\"");
			}
		}
	}
	*result = in.sum;
	return true;
}

int64
sched_interval_usec(const SchedInterval *interval)
{
	/* the limits keep each term below 4e16 */
	return ((int64) interval->months * 30 + interval->days) * SCHED_USEC_PER_DAY +
		interval->usec;
}
