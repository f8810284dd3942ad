/*-------------------------------------------------------------------------
 *
 * json_format.c
 *	  The formats that a JSON Schema may ask of a string.
 *
 * date, time and date-time are those of RFC 3339, with real days of real
 * months; a leap second is accepted at the end of a minute.  uuid is RFC 4122's
 * text in any case.
 *
 *-------------------------------------------------------------------------
 */
#ifndef FRONTEND
#include "postgres.h"
#else
#include "postgres_fe.h"
#endif

#include "domain/json_format.h"

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Read two digits, no more than max; false when they are not there. */
static bool
two_digits(const char **at, const char *end, int max, int *value)
{
	if (end - *at < 2 || !is_digit((*at)[0]) || !is_digit((*at)[1]))
		return false;
	*value = ((*at)[0] - '0') * 10 + (*at)[1] - '0';
	*at += 2;
	return *value <= max;
}

static bool
one_char(const char **at, const char *end, const char *allowed)
{
	if (*at == end || strchr(allowed, **at) == NULL || **at == '\0')
		return false;
	(*at)++;
	return true;
}

static bool
read_date(const char **at, const char *end)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int			century;
	int			year;
	int			month;
	int			day;
	int			last;

	if (!two_digits(at, end, 99, &century) || !two_digits(at, end, 99, &year) ||
		!one_char(at, end, "-") || !two_digits(at, end, 12, &month) ||
		!one_char(at, end, "-") || !two_digits(at, end, 31, &day) ||
		month == 0 || day == 0)
		return false;
	year += 100 * century;
	last = days[month - 1];
	if (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0))
		last = 29;
	return day <= last;
}

static bool
read_time(const char **at, const char *end)
{
	int			hour;
	int			minute;
	int			second;

	if (!two_digits(at, end, 23, &hour) || !one_char(at, end, ":") ||
		!two_digits(at, end, 59, &minute) || !one_char(at, end, ":") ||
		!two_digits(at, end, 60, &second))
		return false;
	if (one_char(at, end, "."))
	{
		if (*at == end || !is_digit(**at))
			return false;
		while (*at < end && is_digit(**at))
			(*at)++;
	}
	if (one_char(at, end, "Zz"))
		return true;
	return one_char(at, end, "+-") && two_digits(at, end, 23, &hour) &&
		one_char(at, end, ":") && two_digits(at, end, 59, &minute);
}

static bool
is_date(const char *text, int length)
{
	const char *at = text;

	return read_date(&at, text +length) && at == text +length;
}

static bool
is_time(const char *text, int length)
{
	const char *at = text;

	return read_time(&at, text +length) && at == text +length;
}

static bool
is_date_time(const char *text, int length)
{
	const char *at = text;
	const char *end = text +length;

	return read_date(&at, end) && one_char(&at, end, "Tt ") &&
		read_time(&at, end) && at == end;
}

static bool
is_uuid(const char *text, int length)
{
	if (length != 36)
		return false;
	for (int i = 0; i < length; i++)
	{
		char		c = text[i];

		if (i == 8 || i == 13 || i == 18 || i == 23)
		{
			if (c != '-')
				return false;
		}
		else if (!is_digit(c) && !(c >= 'a' && c <= 'f') &&
				 !(c >= 'A' && c <= 'F'))
			return false;
	}
	return true;
}

/* Enough to tell an address from something else; the mail server knows more. */
static bool
is_email(const char *text, int length)
{
	const char *end = text +length;
	const char *sign = NULL;

	for (const char *p = text; p < end; p++)
	{
		if ((unsigned char) *p <= ' ' || *p == 0x7f)
			return false;
		if (*p == '@')
		{
			if (sign != NULL)
				return false;
			sign = p;
		}
	}
	return sign != NULL && sign > text &&sign + 1 < end && sign[1] != '.' &&
				end[-1] != '.' && end[-1] != '-';
}

/* A scheme, a colon, and something behind it without blanks. */
static bool
is_uri(const char *text, int length)
{
	int			i = 0;

	if (length == 0 || !((text[0] >= 'a' && text[0] <= 'z') ||
						 (text[0] >= 'A' && text[0] <= 'Z')))
		return false;
	while (i < length && text[i] != ':')
	{
		char		c = text[i++];

		if (!is_digit(c) && !(c >= 'a' && c <= 'z') &&
			!(c >= 'A' && c <= 'Z') && c != '+' && c != '-' && c != '.')
			return false;
	}
	if (i + 1 >= length)
		return false;
	for (; i < length; i++)
		if ((unsigned char) text[i] <= ' ' || strchr("\"<>\\^`{|}", text[i]) != NULL)
			return false;
	return true;
}

static const struct
{
	const char *name;
	bool		(*suits) (const char *text, int length);
}			formats[] =

{
	{"date", is_date},
	{"time", is_time},
	{"date-time", is_date_time},
	{"uuid", is_uuid},
	{"email", is_email},
	{"uri", is_uri},
};

const char *
sched_json_format_names(void)
{
	return "date, time, date-time, uuid, email, uri";
}

bool
sched_json_format_is_known(const char *format)
{
	for (int i = 0; i < (int) lengthof(formats); i++)
		if (strcmp(format, formats[i].name) == 0)
			return true;
	return false;
}

bool
sched_json_format_suits(const char *format, const char *text, int length)
{
	for (int i = 0; i < (int) lengthof(formats); i++)
		if (strcmp(format, formats[i].name) == 0)
			return formats[i].suits(text, length);
	return true;
}
