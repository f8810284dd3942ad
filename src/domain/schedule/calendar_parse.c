/*-------------------------------------------------------------------------
 *
 * calendar_parse.c
 *	  Reading the JSON spec of a calendar.
 *
 * Design: the shape of a spec is known, so there is no general JSON tree: one
 * cursor goes through the text once, and each function expects what may stand
 * at its place.  An unknown key is refused where it stands, which also means
 * that nothing is ever nested deeper than the three levels of a spec.
 *
 * Other calendars are parsed when their names are met, and belong to the one
 * that names them.  The chain of names from the outermost calendar inwards is
 * kept to find circles; how deep it goes and how many calendars there are in
 * all is limited, so that no set of specs can blow up.
 *
 *-------------------------------------------------------------------------
 */
#ifndef FRONTEND
#include "postgres.h"
#else
#include "postgres_fe.h"
#endif

#include "domain/schedule/calendar_int.h"
#include "domain/schedule/civil.h"

#define NAME_SIZE		64
#define ITEM_SIZE		32

/* Days between which a calendar must have at least one */
#define FIRST_YEAR		1970
#define LAST_YEAR		2200

#define HINT_ITEM	"For example \"2027-12-25\", \"2027-12-24..2027-12-31\", \"12-25\", \"SAT\", {\"month\": 11, \"weekday\": \"THU\", \"nth\": 4} or {\"easter\": 1}."
#define HINT_SPEC	"For example {\"weekly\": [\"MON\", \"TUE\", \"WED\", \"THU\", \"FRI\"], \"exclude\": [\"12-25\"]}. The keys are description, timezone, weekly, include, exclude, include_calendars and exclude_calendars."

/* One calendar in the chain of those that are being parsed */
typedef struct Link
{
	const struct Link *outer;
	char		name[NAME_SIZE];
	int			depth;
} Link;

/* What all of them share */
typedef struct Chain
{
	int			total;			/* calendars so far */
	bool		named;			/* does the error say which one is to blame? */
} Chain;

typedef struct Parser
{
	const char *text;
	const char *at;
	SchedError *err;
	SchedCalendarResolve resolve;
	void	   *arg;
	const Link *link;
	Chain	   *chain;
} Parser;

static SchedCalendar *parse_calendar(const char *json,
									 SchedCalendarResolve resolve, void *arg,
									 const Link *link, Chain *chain,
									 SchedError *err);

static bool
refuse_at(Parser *parser, const char *at, const char *message,
		  const char *detail, const char *hint)
{
	sched_error_set(parser->err, (int) (at - parser->text), "%s", detail, hint,
					message);
	return false;
}

/* ---- JSON ---- */

static void
skip_space(Parser *parser)
{
	while (*parser->at == ' ' || *parser->at == '\t' || *parser->at == '\n' ||
		   *parser->at == '\r')
		parser->at++;
}

static bool
accept_char(Parser *parser, char c)
{
	skip_space(parser);
	if (*parser->at != c)
		return false;
	parser->at++;
	return true;
}

static bool
expect_char(Parser *parser, char c, const char *hint)
{
	if (accept_char(parser, c))
		return true;
	sched_error_set(parser->err, (int) (parser->at - parser->text),
					"\"%c\" is missing in calendar", NULL, hint, c);
	return false;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* The four digits behind "\u", -1 if they are none */
static int
read_hex4(Parser *parser)
{
	int			value = 0;

	for (int i = 0; i < 4; i++)
	{
		int			digit = hex_digit(parser->at[0]);

		if (digit < 0)
			return -1;
		value = value * 16 + digit;
		parser->at++;
	}
	return value;
}

/* What a backslash stands for, as UTF-8 in bytes[]; 0: nothing valid */
static int
read_escape(Parser *parser, char *bytes)
{
	static const char plain[] = "\"\\/bfnrt";
	static const char meaning[] = "\"\\/\b\f\n\r\t";
	const char *found;
	int			code;

	if (*parser->at == '\0')
		return 0;
	found = strchr(plain, *parser->at);
	if (found != NULL)
	{
		parser->at++;
		bytes[0] = meaning[found - plain];
		return 1;
	}
	if (*parser->at++ != 'u')
		return 0;
	code = read_hex4(parser);
	if (code <= 0)
		return 0;
	if (code >= 0xd800 && code < 0xdc00 && parser->at[0] == '\\' &&
		parser->at[1] == 'u')
	{
		int			low;

		parser->at += 2;
		low = read_hex4(parser);
		if (low < 0xdc00 || low >= 0xe000)
			return 0;
		code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
		bytes[0] = (char) (0xf0 | (code >> 18));
		bytes[1] = (char) (0x80 | ((code >> 12) & 0x3f));
		bytes[2] = (char) (0x80 | ((code >> 6) & 0x3f));
		bytes[3] = (char) (0x80 | (code & 0x3f));
		return 4;
	}
	if (code >= 0xd800 && code < 0xe000)
		return 0;
	if (code < 0x80)
	{
		bytes[0] = (char) code;
		return 1;
	}
	if (code < 0x800)
	{
		bytes[0] = (char) (0xc0 | (code >> 6));
		bytes[1] = (char) (0x80 | (code & 0x3f));
		return 2;
	}
	bytes[0] = (char) (0xe0 | (code >> 12));
	bytes[1] = (char) (0x80 | ((code >> 6) & 0x3f));
	bytes[2] = (char) (0x80 | (code & 0x3f));
	return 3;
}

/*
 * A string into buffer[size], or, with buffer NULL, to nowhere.  One that does
 * not fit cannot be valid where a buffer is given.
 */
static bool
read_string(Parser *parser, const char *what, char *buffer, int size,
			const char *hint)
{
	const char *from;
	int			length = 0;

	skip_space(parser);
	from = parser->at;
	if (*parser->at != '"')
	{
		sched_error_set(parser->err, (int) (from - parser->text),
						"%s in calendar must be a JSON string", NULL, hint,
						what);
		return false;
	}
	parser->at++;
	while (*parser->at != '"')
	{
		char		bytes[4];
		int			count = 1;
		const char *before = parser->at;

		if ((unsigned char) *parser->at < ' ')
			return refuse_at(parser, from, "unterminated string in calendar",
							 NULL, hint);
		bytes[0] = *parser->at++;
		if (bytes[0] == '\\' && (count = read_escape(parser, bytes)) == 0)
			return refuse_at(parser, before, "invalid escape in calendar",
							 NULL, "Write the character itself.");
		if (buffer == NULL)
			continue;
		if (length + count >= size)
		{
			sched_error_set(parser->err, (int) (from - parser->text),
							"%s in calendar is too long", NULL, hint, what);
			return false;
		}
		memcpy(buffer + length, bytes, count);
		length += count;
	}
	parser->at++;
	if (buffer != NULL)
		buffer[length] = '\0';
	return true;
}

static bool
read_integer(Parser *parser, const char *what, int low, int high,
			 const char *detail, int *result)
{
	const char *from;
	bool		negative;
	int			value = 0;
	bool		any = false;

	skip_space(parser);
	from = parser->at;
	negative = accept_char(parser, '-');
	for (; *parser->at >= '0' && *parser->at <= '9'; parser->at++)
	{
		value = Min(value * 10 + (*parser->at - '0'), 100000);
		any = true;
	}
	*result = negative ? -value : value;
	if (!any || *parser->at == '.' || *parser->at == 'e' ||
		*parser->at == 'E' || *result < low || *result > high)
	{
		sched_error_set(parser->err, (int) (from - parser->text),
						"invalid \"%s\" in calendar", detail, HINT_ITEM, what);
		return false;
	}
	return true;
}

/* ---- dates ---- */

/* A date, of one year or (year 0) of every */
static const char *
read_date(const char *at, SchedDate *date)
{
	int			numbers[3];
	int			count = 0;

	for (;;)
	{
		int			width = 0;

		numbers[count] = 0;
		for (; *at >= '0' && *at <= '9' && width < 5; at++, width++)
			numbers[count] = numbers[count] * 10 + (*at - '0');
		if (width != 2 && !(width == 4 && count == 0))
			return NULL;
		/* a first number of four digits is a year: three numbers, else two */
		if (count == 0)
			date->year = width == 4 ? numbers[0] : 0;
		count++;
		if (count == (date->year != 0 ? 3 : 2))
			break;
		if (*at++ != '-')
			return NULL;
	}
	date->month = numbers[count - 2];
	date->mday = numbers[count - 1];
	if (date->month < 1 || date->month > 12 || date->mday < 1 ||
		date->mday > sched_civil_month_days(date->year != 0 ? date->year : 2000,
											date->month))
		return NULL;
	return at;
}

/* All days from one date to another, both of one year or both of every */
static bool
add_range(Parser *parser, const char *position, CalendarDays *days,
		  const SchedDate *from, const SchedDate *to)
{
	CalendarRange range;

	if ((from->year == 0) != (to->year == 0))
		return refuse_at(parser, position,
						 "invalid range of days in calendar",
						 "One end has a year and the other has none.",
						 HINT_ITEM);
	if (from->year == 0)
	{
		int			bit = calendar_yearly_bit(from->month, from->mday);
		int			last = calendar_yearly_bit(to->month, to->mday);

		/* may run over the end of the year */
		for (;; bit = (bit + 1) % 366)
		{
			days->yearly[bit / 64] |= SCHED_BIT64(bit % 64);
			if (bit == last)
				break;
		}
		days->has_yearly = true;
		return true;
	}

	range.from = sched_civil_day(from->year, from->month, from->mday);
	range.to = sched_civil_day(to->year, to->month, to->mday);
	if (range.from > range.to)
		return refuse_at(parser, position,
						 "invalid range of days in calendar",
						 "It ends before it begins.", HINT_ITEM);
	if (days->n_ranges >= CALENDAR_MAX_RANGES)
		return refuse_at(parser, position, "too many days in calendar",
						 "A list takes up to 10000 days and ranges.",
						 "Use ranges and yearly rules.");
	if (days->n_ranges >= days->range_capacity)
	{
		days->range_capacity = Max(days->range_capacity * 2, 16);
		days->ranges = days->ranges == NULL ?
			palloc(days->range_capacity * sizeof(CalendarRange)) :
			repalloc(days->ranges,
					 days->range_capacity * sizeof(CalendarRange));
	}
	days->ranges[days->n_ranges++] = range;
	return true;
}

static int
weekday_of_name(const char *name)
{
	static const char *const names[] = {
		"sunday", "monday", "tuesday", "wednesday", "thursday", "friday",
		"saturday"
	};

	for (int i = 0; i < lengthof(names); i++)
	{
		if (pg_strcasecmp(name, names[i]) == 0 ||
			(strlen(name) == 3 && pg_strncasecmp(name, names[i], 3) == 0))
			return i;
	}
	return -1;
}

static bool
read_weekday(Parser *parser, int *weekday)
{
	char		name[ITEM_SIZE];
	const char *from;

	skip_space(parser);
	from = parser->at;
	if (!read_string(parser, "weekday", name, sizeof(name),
					 "For example \"MON\"."))
		return false;
	*weekday = weekday_of_name(name);
	if (*weekday < 0)
	{
		sched_error_set(parser->err, (int) (from - parser->text),
						"invalid weekday \"%s\" in calendar",
						"A weekday is SUN, MON, TUE, WED, THU, FRI or SAT.",
						"For example \"MON\".", name);
		return false;
	}
	return true;
}

/* ---- items ---- */

/* "2027-12-25", "12-24..01-02", "SAT" */
static bool
read_text_item(Parser *parser, CalendarDays *days)
{
	char		item[ITEM_SIZE];
	const char *position = parser->at;
	const char *rest;
	SchedDate	from;
	SchedDate	to;
	int			weekday;

	if (!read_string(parser, "item", item, sizeof(item), HINT_ITEM))
		return false;
	weekday = weekday_of_name(item);
	if (weekday >= 0)
	{
		days->weekdays |= 1u << weekday;
		return true;
	}
	rest = read_date(item, &from);
	to = from;
	if (rest != NULL && strncmp(rest, "..", 2) == 0)
		rest = read_date(rest + 2, &to);
	if (rest == NULL || *rest != '\0')
	{
		sched_error_set(parser->err, (int) (position - parser->text),
						"invalid day \"%s\" in calendar",
						"A day is written YYYY-MM-DD, or MM-DD for every year, and must exist.",
						HINT_ITEM, item);
		return false;
	}
	return add_range(parser, position, days, &from, &to);
}

/* The members of an item that is an object, as far as they were given */
typedef struct ObjectItem
{
	bool		has_from;
	bool		has_to;
	bool		has_month;
	bool		has_weekday;
	bool		has_nth;
	bool		has_easter;
	SchedDate	from;
	SchedDate	to;
	int			month;
	int			weekday;
	int			nth;
	int			easter;
} ObjectItem;

static bool
read_date_member(Parser *parser, const char *what, SchedDate *date)
{
	char text[	ITEM_SIZE];
	const char *position;
	const char *rest;

	skip_space(parser);
	position = parser->at;
	if (!read_string(parser, what, text, sizeof(text), HINT_ITEM))
		return false;
	rest = read_date(text, date);
	if (rest != NULL && *rest == '\0')
		return true;
	sched_error_set(parser->err, (int) (position - parser->text),
					"invalid day \"%s\" in calendar",
					"A day is written YYYY-MM-DD, or MM-DD for every year, and must exist.",
					HINT_ITEM, text);
	return false;
}

static bool
refuse_duplicate(Parser *parser, const char *position, const char *key)
{
	sched_error_set(parser->err, (int) (position - parser->text),
					"key \"%s\" is given twice in calendar", NULL,
					"Give it once.", key);
	return false;
}

static bool
read_member(Parser *parser, ObjectItem *item)
{
	char		key[NAME_SIZE];
	const char *position;
	bool	   *given = NULL;

	skip_space(parser);
	position = parser->at;
	if (!read_string(parser, "key", key, sizeof(key), HINT_ITEM) ||
		!expect_char(parser, ':', HINT_ITEM))
		return false;

	if (strcmp(key, "from") == 0)
		given = &item->has_from;
	else if (strcmp(key, "to") == 0)
		given = &item->has_to;
	else if (strcmp(key, "month") == 0)
		given = &item->has_month;
	else if (strcmp(key, "weekday") == 0)
		given = &item->has_weekday;
	else if (strcmp(key, "nth") == 0)
		given = &item->has_nth;
	else if (strcmp(key, "easter") == 0)
		given = &item->has_easter;

	if (given == NULL)
	{
		sched_error_set(parser->err, (int) (position - parser->text),
						"unknown key \"%s\" in calendar",
						"The keys of an item are from, to, month, weekday, nth and easter.",
						HINT_ITEM, key);
		return false;
	}
	if (*given)
		return refuse_duplicate(parser, position, key);
	*given = true;

	if (given == &item->has_from)
		return read_date_member(parser, "\"from\"", &item->from);
	if (given == &item->has_to)
		return read_date_member(parser, "\"to\"", &item->to);
	if (given == &item->has_month)
		return read_integer(parser, "month", 1, 12,
							"A month is a number from 1 to 12.", &item->month);
	if (given == &item->has_weekday)
		return read_weekday(parser, &item->weekday);
	if (given == &item->has_nth)
		return read_integer(parser, "nth", -5, 5,
							"It is a number from 1 to 5, or from -1 (the last) to -5.",
							&item->nth);
	return read_integer(parser, "easter", CALENDAR_EASTER_MIN,
						CALENDAR_EASTER_MAX,
						"It is a number of days from -80 to 250.",
						&item->easter);
}

static void
add_nth(CalendarDays *days, const ObjectItem *item)
{
	uint16		bit = item->nth > 0 ? 1u << item->nth : 1u << (8 - item->nth);

	for (int month = 1; month <= 12; month++)
	{
		if (!item->has_month || item->month == month)
			days->nth[month - 1][item->weekday] |= bit;
	}
	days->has_nth = true;
}

/* {"from": ..., "to": ...}, {"month": ..., ...}, {"easter": ...} */
static bool
read_object_item(Parser *parser, CalendarDays *days)
{
	const char *position = parser->at;
	ObjectItem	item;

	memset(&item, 0, sizeof(item));
	parser->at++;
	do
	{
		if (!read_member(parser, &item))
			return false;
	} while (accept_char(parser, ','));
	if (!expect_char(parser, '}', HINT_ITEM))
		return false;

	if (item.has_from && item.has_to && !item.has_month &&
		!item.has_weekday && !item.has_nth && !item.has_easter)
		return add_range(parser, position, days, &item.from, &item.to);
	if (item.has_weekday && item.has_nth && item.nth != 0 &&
		!item.has_from && !item.has_to && !item.has_easter)
	{
		add_nth(days, &item);
		return true;
	}
	if (item.has_easter && !item.has_from && !item.has_to &&
		!item.has_month && !item.has_weekday && !item.has_nth)
	{
		int			bit = item.easter - CALENDAR_EASTER_MIN;

		days->easter[bit / 64] |= SCHED_BIT64(bit % 64);
		days->has_easter = true;
		return true;
	}
	return refuse_at(parser, position, "invalid item in calendar",
					 "An item has \"from\" and \"to\", or \"weekday\" and \"nth\" (not 0) with or without \"month\", or \"easter\".",
					 HINT_ITEM);
}

static bool
read_item(Parser *parser, CalendarDays *days)
{
	skip_space(parser);
	if (*parser->at == '{')
		return read_object_item(parser, days);
	return read_text_item(parser, days);
}

/* ---- other calendars ---- */

static bool
check_circle(Parser *parser, const char *position, const char *name)
{
	char		path[512];
	size_t		used;
	const Link *begin = NULL;

	for (const Link *link = parser->link; link != NULL; link = link->outer)
	{
		if (strcmp(link->name, name) == 0)
			begin = link;
	}
	if (begin == NULL)
		return true;

	/* written from the inside out: each is named by the one before it */
	snprintf(path, sizeof(path), "%s", name);
	for (const Link *link = parser->link;; link = link->outer)
	{
		used = strlen(path);
		snprintf(path + used, sizeof(path) - used, ", named by %s",
				 link->name);
		if (link == begin)
			break;
	}
	sched_error_set(parser->err, (int) (position - parser->text),
					"calendars refer to each other in a circle", path,
					"Take one of the references out.");
	parser->chain->named = true;
	return false;
}

static bool
read_calendar_name(Parser *parser, CalendarDays *days)
{
	Link		link;
	SchedError	inner;
	SchedCalendar *calendar;
	const char *position;
	const char *json;

	skip_space(parser);
	position = parser->at;
	if (!read_string(parser, "name of another calendar", link.name,
					 sizeof(link.name), "For example [\"holidays\"].") ||
		!check_circle(parser, position, link.name))
		return false;
	link.outer = parser->link;
	link.depth = parser->link == NULL ? 1 : parser->link->depth + 1;
	if (link.depth > CALENDAR_MAX_DEPTH || ++parser->chain->total > CALENDAR_MAX_TOTAL)
		return refuse_at(parser, position,
						 "calendar refers to too many others",
						 "There may be 32 of them in all, 8 deep.",
						 "Name fewer calendars, or copy their days.");

	json = parser->resolve == NULL ? NULL :
		parser->resolve(link.name, parser->arg);
	if (json == NULL)
	{
		sched_error_set(parser->err, (int) (position - parser->text),
						"calendar \"%s\" does not exist", NULL,
						"Create it first.", link.name);
		return false;
	}
	memset(&inner, 0, sizeof(inner));
	calendar = parse_calendar(json, parser->resolve, parser->arg, &link,
							  parser->chain, &inner);
	if (calendar == NULL)
	{
		/* whoever fails innermost gives the message, once */
		if (parser->chain->named)
			sched_error_set(parser->err, (int) (position - parser->text),
							"%s", inner.detail, inner.hint, inner.message);
		else
			sched_error_set(parser->err, (int) (position - parser->text),
							"calendar \"%s\", to which this one refers, is not valid: %s",
							inner.detail, inner.hint, link.name,
							inner.message);
		parser->chain->named = true;
		return false;
	}
	days->calendars = days->calendars == NULL ?
		palloc(CALENDAR_MAX_TOTAL * sizeof(SchedCalendar *)) :
		days->calendars;
	days->calendars[days->n_calendars++] = calendar;
	return true;
}

/* ---- the spec ---- */

typedef enum SpecKey
{
	SPEC_DESCRIPTION,
	SPEC_TIMEZONE,
	SPEC_WEEKLY,
	SPEC_INCLUDE,
	SPEC_EXCLUDE,
	SPEC_INCLUDE_CALENDARS,
	SPEC_EXCLUDE_CALENDARS
} SpecKey;

static const char *const spec_keys[] = {
	[SPEC_DESCRIPTION] = "description",
	[SPEC_TIMEZONE] = "timezone",
	[SPEC_WEEKLY] = "weekly",
	[SPEC_INCLUDE] = "include",
	[SPEC_EXCLUDE] = "exclude",
	[SPEC_INCLUDE_CALENDARS] = "include_calendars",
	[SPEC_EXCLUDE_CALENDARS] = "exclude_calendars",
};

static bool
read_element(Parser *parser, SchedCalendar *calendar, SpecKey key)
{
	int			weekday;

	switch (key)
	{
		case SPEC_WEEKLY:
			if (!read_weekday(parser, &weekday))
				return false;
			calendar->weekly |= 1u << weekday;
			return true;
		case SPEC_INCLUDE:
			return read_item(parser, &calendar->include);
		case SPEC_EXCLUDE:
			return read_item(parser, &calendar->exclude);
		case SPEC_INCLUDE_CALENDARS:
			return read_calendar_name(parser, &calendar->include);
		case SPEC_EXCLUDE_CALENDARS:
			return read_calendar_name(parser, &calendar->exclude);
		default:
			return false;
	}
}

static bool
read_value(Parser *parser, SchedCalendar *calendar, SpecKey key)
{
	if (key == SPEC_DESCRIPTION || key == SPEC_TIMEZONE)
	{
		skip_space(parser);
		if (strncmp(parser->at, "null", 4) == 0)
		{
			parser->at += 4;
			return true;
		}
		return read_string(parser, key == SPEC_TIMEZONE ? "\"timezone\"" :
						   "\"description\"", NULL, 0, HINT_SPEC);
	}
	if (!expect_char(parser, '[', HINT_SPEC))
		return false;
	if (accept_char(parser, ']'))
		return true;
	do
	{
		if (!read_element(parser, calendar, key))
			return false;
	} while (accept_char(parser, ','));
	return expect_char(parser, ']', HINT_SPEC);
}

static bool
read_key_and_value(Parser *parser, SchedCalendar *calendar, uint32 *given)
{
	char		key[NAME_SIZE];
	const char *position;

	skip_space(parser);
	position = parser->at;
	if (!read_string(parser, "key", key, sizeof(key), HINT_SPEC) ||
		!expect_char(parser, ':', HINT_SPEC))
		return false;
	for (int i = 0; i < lengthof(spec_keys); i++)
	{
		if (strcmp(key, spec_keys[i]) != 0)
			continue;
		if (*given & (1u << i))
			return refuse_duplicate(parser, position, key);
		*given |= 1u << i;
		return read_value(parser, calendar, (SpecKey) i);
	}
	sched_error_set(parser->err, (int) (position - parser->text),
					"unknown key \"%s\" in calendar", NULL, HINT_SPEC, key);
	return false;
}

static bool
read_spec(Parser *parser, SchedCalendar *calendar)
{
	uint32		given = 0;

	if (!expect_char(parser, '{', HINT_SPEC))
		return false;
	if (!accept_char(parser, '}'))
	{
		do
		{
			if (!read_key_and_value(parser, calendar, &given))
				return false;
		} while (accept_char(parser, ','));
		if (!expect_char(parser, '}', HINT_SPEC))
			return false;
	}
	skip_space(parser);
	if (*parser->at != '\0')
		return refuse_at(parser, parser->at,
						 "something stands behind the calendar", NULL,
						 HINT_SPEC);

	if ((given & ((1u << SPEC_WEEKLY) | (1u << SPEC_INCLUDE) |
				  (1u << SPEC_INCLUDE_CALENDARS))) == 0)
		calendar->weekly = 0x7f;
	return true;
}

static SchedCalendar *
parse_calendar(const char *json, SchedCalendarResolve resolve, void *arg,
			   const Link *link, Chain *chain, SchedError *err)
{
	SchedCalendar *calendar = palloc0(sizeof(SchedCalendar));
	Parser		parser;

	parser.text = parser.at = json;
	parser.err = err;
	parser.resolve = resolve;
	parser.arg = arg;
	parser.link = link;
	parser.chain = chain;
	if (!read_spec(&parser, calendar))
	{
		sched_calendar_free(calendar);
		return NULL;
	}
	calendar_tidy_ranges(&calendar->include);
	calendar_tidy_ranges(&calendar->exclude);
	return calendar;
}

SchedCalendar *
sched_calendar_parse(const char *json, SchedCalendarResolve resolve, void *arg,
					 SchedError *err)
{
	Chain		chain = {0, false};
	SchedCalendar *calendar = parse_calendar(json, resolve, arg, NULL, &chain,
											 err);
	int32		end = sched_civil_day(LAST_YEAR + 1, 1, 1);

	if (calendar == NULL)
		return NULL;
	if (sched_calendar_next_day(calendar, sched_civil_day(FIRST_YEAR, 1, 1),
								end) == end)
	{
		sched_error_set(err, -1, "calendar has no day",
						"Everything in it is excluded, or lies outside the years 1970 to 2200.",
						HINT_SPEC);
		sched_calendar_free(calendar);
		return NULL;
	}
	return calendar;
}
