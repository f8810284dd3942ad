/*-------------------------------------------------------------------------
 *
 * at.c
 *	  The date and time of "@at".
 *
 * Accepts ISO 8601, with a "T" or blanks between date and time, the time
 * optional, and behind it nothing (the job's zone), "Z", an offset, or the
 * name of a zone, which is kept like that of a "TZ=" prefix.
 *
 *-------------------------------------------------------------------------
 */
#ifndef FRONTEND
#include "postgres.h"
#else
#include "postgres_fe.h"
#endif

#include "domain/schedule/schedule_int.h"

typedef struct Reader
{
	const char *text;
	const char *at;
	SchedError *err;
} Reader;

static bool
fail(Reader *in, const char *at, const char *message)
{
	sched_error_set(in->err, (int) (at - in->text), "%s",
					"A date and time is written as year-month-day hour:minute[:second], with an optional offset from UTC.",
					"For example \"@at 2027-03-01 09:00\" or \"@at 2027-03-01T09:00:00Z\".",
					message);
	return false;
}

static inline bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Exactly "digits" digits whose value lies in min..max. */
static bool
read_number(Reader *in, int digits, int min, int max, const char *message, int *value)
{
	const char *at = in->at;
	int			n = 0;

	for (int i = 0; i < digits; i++, in->at++)
	{
		if (!is_digit(*in->at))
			return fail(in, in->at, *in->at == '\0' ? "date and time ends too early" :
						"a digit is expected here");
		n = n * 10 + (*in->at - '0');
	}
	if (n < min || n > max)
		return fail(in, at, message);
	*value = n;
	return true;
}

static bool
read_date(Reader *in, int32 *day)
{
	int			year;
	int			month;
	int			mday;
	const char *mday_at;
	char		message[64];
	bool		compact;

	snprintf(message, sizeof(message), "year must be %d-%d",
			 SCHED_YEAR_FIRST, SCHED_YEAR_LIMIT - 1);
	if (!read_number(in, 4, SCHED_YEAR_FIRST, SCHED_YEAR_LIMIT - 1, message, &year))
		return false;
	compact = is_digit(*in->at);
	if (!compact && *in->at++ != '-')
		return fail(in, in->at - 1, "\"-\" is expected behind the year");
	if (!read_number(in, 2, 1, 12, "month must be 1-12", &month))
		return false;
	if (!compact && *in->at++ != '-')
		return fail(in, in->at - 1, "\"-\" is expected behind the month");
	mday_at = in->at;
	if (!read_number(in, 2, 1, 31, "day of month must be 1-31", &mday))
		return false;
	if (mday > sched_civil_month_days(year, month))
		return fail(in, mday_at, "the month has no such day");
	*day = sched_civil_day(year, month, mday);
	return true;
}

static bool
read_time(Reader *in, int *second, int32 *usec)
{
	int			hour;
	int			minute;
	int			sec = 0;
	bool		compact;

	if (!read_number(in, 2, 0, 23, "hour must be 0-23", &hour))
		return false;
	compact = is_digit(*in->at);
	if (!compact && *in->at++ != ':')
		return fail(in, in->at - 1, "\":\" is expected behind the hour");
	if (!read_number(in, 2, 0, 59, "minute must be 0-59", &minute))
		return false;
	if (*in->at == ':' || (compact && is_digit(*in->at)))
	{
		in->at += *in->at == ':';
		if (!read_number(in, 2, 0, 59, "second must be 0-59", &sec))
			return false;
		if (*in->at == '.')
		{
			int32		scale = 100000;

			if (!is_digit(*++in->at))
				return fail(in, in->at, "a digit is expected here");
			for (; is_digit(*in->at); in->at++, scale /= 10)
				*usec += (*in->at - '0') * scale;
		}
	}
	*second = hour * 3600 + minute * 60 + sec;
	return true;
}

static bool
read_offset(Reader *in, int32 *offset)
{
	int			sign = *in->at == '-' ? -1 : 1;
	int			hour;
	int			minute = 0;

	in->at++;
	if (!read_number(in, 2, 0, 15, "hours of the offset must be 0-15", &hour))
		return false;
	in->at += *in->at == ':';
	if ((is_digit(*in->at) || in->at[-1] == ':') &&
		!read_number(in, 2, 0, 59, "minutes of the offset must be 0-59", &minute))
		return false;
	*offset = sign * (hour * 3600 + minute * 60);
	return true;
}

static inline void
skip_blanks(Reader *in)
{
	while (*in->at == ' ' || *in->at == '\t' || *in->at == '\n' || *in->at == '\r')
		in->at++;
}

bool
sched_at_parse(const char *input, SchedSchedule *schedule, SchedError *err)
{
	Reader		in = {input, input, err};
	int32		day;
	int			second = 0;
	int32		usec = 0;

	skip_blanks(&in);
	if (!read_date(&in, &day))
		return false;
	if ((*in.at == 'T' || *in.at == 't') && is_digit(in.at[1]))
	{
		in.at++;
		if (!read_time(&in, &second, &usec))
			return false;
	}
	else
	{
		skip_blanks(&in);
		if (is_digit(*in.at) && !read_time(&in, &second, &usec))
			return false;
	}
	schedule->u.at.local_second = (int64) day * SCHED_SECS_PER_DAY + second;
	schedule->u.at.usec = usec;
	skip_blanks(&in);
	if (*in.at == '+' || *in.at == '-')
	{
		schedule->u.at.has_offset = true;
		if (!read_offset(&in, &schedule->u.at.offset))
			return false;
	}
	else if ((*in.at == 'Z' || *in.at == 'z') && (in.at[1] == '\0' || in.at[1] == ' '))
	{
		schedule->u.at.has_offset = true;
		in.at++;
	}
	else if (*in.at != '\0')
	{
		size_t		length = strcspn(in.at, " \t\r\n");

		if (!sched_zone_name_valid(in.at, length) || schedule->zone_name[0] != '\0')
			return fail(&in, in.at, "text after the date and time");
		memcpy(schedule->zone_name, in.at, length);
		schedule->zone_name[length] = '\0';
		in.at += length;
	}
	skip_blanks(&in);
	if (*in.at != '\0')
		return fail(&in, in.at, "text after the date and time");
	return true;
}

SchedTime
sched_at_time(const SchedSchedule *schedule, const SchedScheduleContext *context)
{
	int64		second = schedule->u.at.local_second;
	SchedLocal	where;

	if (schedule->u.at.has_offset)
		second -= schedule->u.at.offset;
	else
	{
		sched_zone_from_local(context->zone, second, &where);
		second = where.kind == SCHED_LOCAL_GAP ? where.second : where.first;
	}
	return second * SCHED_USEC_PER_SEC + schedule->u.at.usec;
}
