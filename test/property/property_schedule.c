/*-------------------------------------------------------------------------
 *
 * property_schedule.c
 *	  Random schedules in every zone agree with a slow definition.
 *
 * Each round makes up an expression, a zone of the system's database, an
 * instant between 1970 and 2100 (mostly close to a change of offset), a DST
 * policy and sometimes a calendar.  The definition that it is compared with is
 * written here a second time, in the plainest way: a matcher which interprets
 * the text of a field anew for every value, applied to each minute (or each
 * second) of the zone's clock in turn.
 *
 * Claims: next() is strictly later and is a fire, nothing fires in between,
 * last() and count() agree with the sequence that next() gives.
 *
 * PROPERTY_SEED chooses another sequence, PROPERTY_SECONDS how long to go on
 * (20), PROPERTY_ROUND runs one round alone.  A failure prints all three.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include "domain/schedule/calendar.h"
#include "domain/schedule/civil.h"
#include "domain/schedule/schedule.h"
#include "tzfile.h"
#include "unit.h"

#define DAY				INT64CONST(86400)
#define DEFAULT_SEED	UINT64CONST(20260301)

/* How far the slow definition is followed, in seconds. */
#define WINDOW_MINUTES	(400 * DAY)
#define WINDOW_SECONDS	(2 * DAY)

/* A calendar of our own: the days of a week of seven or another length. */
struct SchedCalendar
{
	int			length;
	uint32		mask;
};

bool
sched_calendar_includes(const SchedCalendar *calendar, int32 day)
{
	return (calendar->mask >> sched_floor_mod(day, calendar->length) & 1) != 0;
}

/* ---- random numbers ---- */

static uint64 random_state;

static uint64
random_next(void)
{
	uint64		z = (random_state += UINT64CONST(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64CONST(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64CONST(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static int64
between(int64 low, int64 high)
{
	return low + (int64) (random_next() % (uint64) (high - low + 1));
}

static bool
chance(int percent)
{
	return between(1, 100) <= percent;
}

/* ---- making up expressions ---- */

typedef enum Field
{
	SECOND, MINUTE, HOUR, DOM, MONTH, DOW, YEAR
} Field;

static const int field_min[] = {0, 0, 0, 1, 1, 0, 1970};
static const int field_max[] = {59, 59, 23, 31, 12, 7, 2200};
static const char *const month_names[] = {"JAN", "feb", "Mar", "APR", "may", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"};
static const char *const weekday_names[] = {"SUN", "mon", "Tue", "WED", "thu", "FRI", "SAT"};

typedef struct Expression
{
	char		source[512];
	char		field[7][64];	/* empty: the form has no such field */
	bool		quartz;
	SchedDstPolicy policy;
	const SchedZone *zone;
	SchedCalendar *calendar;
} Expression;

static int
random_value(Field field, bool quartz)
{
	int			min = field == DOW && quartz ? 1 : field_min[field];

	if (field == HOUR && chance(60))
		return (int) between(0, 3);
	if (field == MINUTE && chance(50))
		return (int) between(0, 3) * 15;
	return (int) between(min, field_max[field]);
}

static void
append_value(char *out, Field field, bool quartz)
{
	int			value = random_value(field, quartz);

	if (field == MONTH && chance(30))
		strcat(out, month_names[value - 1]);
	else if (field == DOW && chance(30))
		strcat(out, weekday_names[value % 7]);
	else
		sprintf(out + strlen(out), "%d", value);
}

static void
append_element(char *out, Field field, bool quartz)
{
	int			kind = (int) between(1, 100);

	if (field == DOM && kind <= 20)
	{
		switch (between(1, 5))
		{
			case 1:
				strcat(out, chance(50) ? "L" : "$");
				break;
			case 2:
				strcat(out, "LW");
				break;
			case 3:
				sprintf(out + strlen(out), "L-%d", (int) between(0, 30));
				break;
			case 4:
				sprintf(out + strlen(out), "L-%dW", (int) between(1, 30));
				break;
			default:
				sprintf(out + strlen(out), "%dW", (int) between(1, 31));
		}
		return;
	}
	if (field == DOW && kind <= 20)
	{
		append_value(out, field, quartz);
		if (chance(30))
			strcat(out, chance(50) ? "L" : "#L");
		else
			sprintf(out + strlen(out), "#%d", (int) between(1, 5));
		return;
	}
	if (kind <= 35)
	{
		strcat(out, "*");
		if (chance(70))
			sprintf(out + strlen(out), "/%d", (int) between(1, chance(10) ? 70 : 12));
		return;
	}
	append_value(out, field, quartz);
	if (kind <= 60 && field != YEAR)
		append_value(strcat(out, "-"), field, quartz);
	if (chance(kind <= 60 ? 30 : 10))
		sprintf(out + strlen(out), "/%d", (int) between(1, 20));
}

static void
make_field(Expression *e, Field field)
{
	char	   *out = e->field[field];

	out[0] = '\0';
	if (chance(field == MONTH || field == YEAR ? 80 : field >= DOM ? 60 : 15))
	{
		strcpy(out, "*");
		return;
	}
	append_element(out, field, e->quartz);
	while (chance(30) && strlen(out) < 40)
		append_element(strcat(out, ","), field, e->quartz);
}

static void
make_expression(Expression *e)
{
	int			form = (int) between(1, 10);

	memset(e->field, 0, sizeof(e->field));
	e->quartz = form >= 9;
	for (Field field = form <= 6 ? MINUTE : SECOND; field <= DOW; field++)
		make_field(e, field);
	if (e->quartz)
		strcpy(e->field[chance(50) ? DOM : DOW], "?");
	else if (chance(5))
		strcpy(e->field[DOM], "?");
	if (e->quartz && form == 10)
		make_field(e, YEAR);

	/* a "?" among six fields would make the expression Quartz */
	if (form > 6 && !e->quartz && strcmp(e->field[DOM], "?") == 0)
		strcpy(e->field[DOM], "*");

	e->source[0] = '\0';
	for (Field field = SECOND; field <= YEAR; field++)
	{
		if (e->field[field][0] != '\0')
			sprintf(e->source + strlen(e->source), "%s%s", e->source[0] ? " " : "", e->field[field]);
	}
}

/* ---- the slow definition ---- */

/* A number or a name at *at; 0 = Sunday for days of the week, 7 kept. */
static int
slow_value(const char **at, Field field, bool quartz)
{
	for (int i = 0; i < (field == MONTH ? 12 : field == DOW ? 7 : 0); i++)
	{
		if (pg_strncasecmp(*at, field == MONTH ? month_names[i] : weekday_names[i], 3) == 0)
		{
			*at += 3;
			return field == MONTH ? i + 1 : i;
		}
	}
	return (int) strtol(*at, (char **) at, 10) - (field == DOW && quartz ? 1 : 0);
}

static bool
slow_weekday_is(int value, int weekday)
{
	return value % 7 == weekday;
}

/* The weekday nearest to a day, found by looking outwards. */
static int
slow_nearest(SchedDate date, int mday)
{
	static const int tries[] = {0, -1, 1, -2, 2};
	int			length = sched_civil_month_days(date.year, date.month);

	if (mday < 1 || mday > length)
		return -1;
	for (int i = 0; i < lengthof(tries); i++)
	{
		int			candidate = mday + tries[i];
		int			weekday;

		if (candidate < 1 || candidate > length)
			continue;
		weekday = sched_civil_weekday(sched_civil_day(date.year, date.month, candidate));
		if (weekday != 0 && weekday != 6)
			return candidate;
	}
	return -1;
}

/* Does one element of a list match?  value is a weekday for DOW. */
static bool
slow_element(const char *at, const char *end, Field field, bool quartz,
			 int value, SchedDate date)
{
	int			length = sched_civil_month_days(date.year, date.month);
	int			min = field_min[field];
	int			max = field == DOW ? 6 : field_max[field];
	int			low;
	int			high;
	int			step = 1;
	bool		is_range = false;

	if (*at == '?')
		return true;
	if (field == DOM && (*at == 'L' || *at == '$'))
	{
		int			offset = 0;

		at++;
		if (at < end && *at == '-')
		{
			at++;
			offset = (int) strtol(at, (char **) &at, 10);
		}
		if (at < end && *at == 'W')
			return value == slow_nearest(date, length - offset);
		return value == length - offset;
	}
	if (*at == '*')
	{
		at++;
		low = min;
		high = max;
		is_range = true;
	}
	else
	{
		low = high = slow_value(&at, field, quartz);
		if (field == DOM && at < end && *at == 'W')
			return value == slow_nearest(date, low);
		if (field == DOW && at < end && (*at == 'L' || (*at == '#' && at[1] == 'L')))
			return slow_weekday_is(low, value) && date.mday + 7 > length;
		if (field == DOW && at < end && *at == '#')
			return slow_weekday_is(low, value) && (date.mday - 1) / 7 + 1 == at[1] - '0';
		if (at < end && *at == '-')
		{
			at++;
			high = slow_value(&at, field, quartz);
			is_range = true;
		}
	}
	if (at < end && *at == '/')
	{
		at++;
		step = (int) strtol(at, (char **) &at, 10);
		if (!is_range)
		{
			low = field == DOW ? low % 7 : low;
			high = max;
		}
	}

	/* walk the values in the order in which they are meant */
	for (int v = low, n = 0;; v++, n++)
	{
		int			shown = field == DOW ? v % 7 : v;

		if (v > (field == DOW ? 7 : max) && field != DOW)
			v = shown = min;
		if (n % step == 0 && shown == value)
			return true;
		if (v == high || (field == DOW && low > high && v == high + 7))
			return false;
	}
}

static bool
slow_field(const Expression *e, Field field, int value, SchedDate date)
{
	const char *at = e->field[field];

	if (*at == '\0')
		return field == SECOND ? value == 0 : true;
	for (;;)
	{
		const char *end = at + strcspn(at, ",");

		if (slow_element(at, end, field, e->quartz, value, date))
			return true;
		if (*end == '\0')
			return false;
		at = end + 1;
	}
}

static bool
has_star(const Expression *e, Field field)
{
	return strpbrk(e->field[field], "*?") != NULL;
}

/* Does the local day match?  The last answer is kept. */
static bool
slow_day(const Expression *e, int32 day)
{
	static const Expression *known_expression;
	static char known_text[512];
	static int32 known_day;
	static bool known;
	SchedDate	date;
	bool		dom;
	bool		dow;

	if (known_expression == e && known_day == day && strcmp(known_text, e->source) == 0)
		return known && (e->calendar == NULL || sched_calendar_includes(e->calendar, day));
	date = sched_civil_date(day);
	dom = slow_field(e, DOM, date.mday, date);
	dow = slow_field(e, DOW, sched_civil_weekday(day), date);
	known = slow_field(e, MONTH, date.month, date) &&
		slow_field(e, YEAR, date.year, date) &&
		(has_star(e, DOM) || has_star(e, DOW) ? dom && dow : dom || dow);
	known_expression = e;
	known_day = day;
	strcpy(known_text, e->source);
	return known && (e->calendar == NULL || sched_calendar_includes(e->calendar, day));
}

/* Does the reading of a wall clock match? */
static bool
slow_reading(const Expression *e, int64 reading)
{
	int32		day = (int32) sched_floor_div(reading, DAY);
	int			rest = (int) (reading - day * DAY);
	SchedDate	date = {2000, 1, 1};

	return slow_day(e, day) &&
		slow_field(e, HOUR, rest / 3600, date) &&
		slow_field(e, MINUTE, rest / 60 % 60, date) &&
		slow_field(e, SECOND, rest % 60, date);
}

static bool
follows_clock(const Expression *e)
{
	return has_star(e, MINUTE) || has_star(e, HOUR);
}

static bool
every_hour(const Expression *e)
{
	SchedDate	date = {2000, 1, 1};

	for (int hour = 0; hour < 24; hour++)
	{
		if (!slow_field(e, HOUR, hour, date))
			return false;
	}
	return true;
}

/* Does the reading match anywhere in a stretch?  How often, up to two? */
static int
slow_stretch(const Expression *e, int64 from, int64 until)
{
	int			count = 0;

	for (int64 reading = from; reading < until && count < 2; reading++)
		count += slow_reading(e, reading);
	return count;
}

/* Does the expression fire at this second? */
static bool
slow_fires(const Expression *e, const SchedZonePeriod *period,
		   const SchedZonePeriod *before, int64 second)
{
	int64		reading = second + period->offset;
	int64		shift = (int64) period->offset - before->offset;
	int64		since = second - period->from;

	if (slow_reading(e, reading))
	{
		/* set back: was this reading shown before the change? */
		if (shift >= 0 || since >= -shift)
			return true;
		switch (e->policy)
		{
			case SCHED_DST_VIXIE:
				if (follows_clock(e))
					return true;
				break;
			case SCHED_DST_SKIP_BOTH:
				return true;
			case SCHED_DST_SKIP_FIRST:
				if (every_hour(e) ||
					slow_stretch(e, period->from + period->offset,
								 period->from + before->offset) == 2)
					return true;
				break;
			case SCHED_DST_SHIFT_FIRST:
				if (every_hour(e))
					return true;
				break;
		}
	}

	/* set forward: does this second stand in for readings that were lost? */
	if (shift > 0 && since < shift)
	{
		if (e->policy == SCHED_DST_VIXIE)
			return since == 0 && shift <= 3 * 3600 && !follows_clock(e) &&
				slow_stretch(e, period->from + before->offset, reading) > 0;
		if (e->policy == SCHED_DST_SHIFT_FIRST)
			return slow_reading(e, reading - shift);
	}
	return false;
}

/* The first fire at low <= second <= high, or PG_INT64_MAX. */
static int64
slow_next(const Expression *e, int64 low, int64 high)
{
	int64		second = low;

	while (second <= high)
	{
		SchedZonePeriod period;
		SchedZonePeriod before;
		int64		step = e->field[SECOND][0] == '\0' ? 60 : 1;

		e->zone->period(e->zone, second, &period);
		before = period;
		if (period.from != PG_INT64_MIN)
			e->zone->period(e->zone, period.from - 1, &before);
		for (; second <= high && second < period.until;)
		{
			int64		off = sched_floor_mod(second + period.offset, step);

			if (slow_fires(e, &period, &before, second))
				return second;

			/* the change itself, then whole minutes of the local clock */
			second += step - off;
		}
		second = Min(second, period.until);
	}
	return PG_INT64_MAX;
}

/* ---- rounds ---- */

static uint64 seed = DEFAULT_SEED;
static int64 round_number;

static void
report(const Expression *e, SchedTime after, const char *what)
{
	printf("# %s: \"%s\" in %s, policy %d, calendar %d/%x, after %s\n", what, e->source,
		   e->zone->name, (int) e->policy, e->calendar ? e->calendar->length : 0,
		   e->calendar ? e->calendar->mask : 0, tzfile_format_time(after));
	printf("# repeat with PROPERTY_SEED=" UINT64_FORMAT " PROPERTY_ROUND=" INT64_FORMAT "\n",
		   seed, round_number);
}

static SchedTime
random_instant(const SchedZone *zone)
{
	int64		low = sched_civil_day(1970, 1, 1) * DAY;
	int64		high = sched_civil_day(2100, 1, 1) * DAY;
	int64		second = between(low, high);
	SchedZonePeriod period;

	if (chance(75))
	{
		zone->period(zone, second, &period);
		if (period.until != PG_INT64_MAX && period.until < high)
			second = period.until + between(-DAY, chance(50) ? DAY : 7200);
	}
	return second * SCHED_USEC_PER_SEC + (chance(30) ? between(0, 999999) : 0);
}

/* Is next() right, as far as the slow definition can be followed? */
static bool
next_is_right(const Expression *e, SchedTime after, SchedTime fire)
{
	int64		low = sched_floor_div(after, SCHED_USEC_PER_SEC) + 1;
	int64		high = low + (e->field[SECOND][0] == '\0' ? WINDOW_MINUTES : WINDOW_SECONDS);
	int64		slow;

	if (fire <= after || (fire != SCHED_TIME_NEVER && fire % SCHED_USEC_PER_SEC != 0))
	{
		report(e, after, "not later, or not a whole second");
		return false;
	}
	if (fire != SCHED_TIME_NEVER)
		high = Min(high, fire / SCHED_USEC_PER_SEC);
	slow = slow_next(e, low, high);
	if (slow == PG_INT64_MAX ? fire > high * SCHED_USEC_PER_SEC :
		fire == slow * SCHED_USEC_PER_SEC)
		return true;
	report(e, after, "next() differs");
	printf("# next() gives %s, the definition %s\n", tzfile_format_time(fire),
		   slow == PG_INT64_MAX ? "nothing so early" : tzfile_format_time(slow * SCHED_USEC_PER_SEC));
	return false;
}

static bool
last_and_count_agree(const SchedSchedule *schedule, const SchedScheduleContext *context,
					 const Expression *e, SchedTime after, SchedTime upto)
{
	SchedTime	last = SCHED_TIME_BEGIN;
	int64		count = 0;
	SchedTime	got_last;
	int64		got_count;

	for (SchedTime t = sched_schedule_next(schedule, context, after);
		 t <= upto && count < 3000;
		 t = sched_schedule_next(schedule, context, t))
	{
		last = t;
		count++;
	}
	if (count == 3000)
		upto = last;
	got_last = sched_schedule_last(schedule, context, after, upto);
	got_count = sched_schedule_count(schedule, context, after, upto, PG_INT64_MAX);
	if (got_last == last && got_count == count &&
		sched_schedule_count(schedule, context, after, upto, 2) == Min(count, 2))
		return true;
	report(e, after, "last() or count() differs");
	printf("# up to %s: last %s, not %s; count " INT64_FORMAT ", not " INT64_FORMAT "\n",
		   tzfile_format_time(upto), tzfile_format_time(got_last), tzfile_format_time(last),
		   got_count, count);
	return false;
}

/* A rate, by walking from its anchor. */
static bool
rate_is_right(Expression *e, SchedTime after)
{
	int64		period = between(100, 90000) * (chance(50) ? 1000 : INT64CONST(1000000));
	SchedTime	anchor = after + between(-200, 200) * period / 100;
	SchedScheduleContext context = {e->zone, e->policy, e->calendar, anchor, SCHED_TIME_BEGIN};
	SchedSchedule *schedule;
	SchedTime	fire;
	SchedTime	slow = anchor;
	bool		ok;

	snprintf(e->source, sizeof(e->source), "@every " INT64_FORMAT "ms", period / 1000);
	schedule = sched_schedule_parse(e->source, NULL);
	fire = sched_schedule_next(schedule, &context, after);
	for (int64 i = 0; i < 2000000; i++, slow += period)
	{
		int64		local = sched_zone_to_local(e->zone, sched_floor_div(slow, SCHED_USEC_PER_SEC));

		if (slow > after &&
			(e->calendar == NULL ||
			 sched_calendar_includes(e->calendar, (int32) sched_floor_div(local, DAY))))
			break;
		if (i == 1999999)
			slow = PG_INT64_MIN;
	}
	ok = slow < anchor || slow == fire;
	if (!ok)
	{
		report(e, after, "rate differs");
		printf("# anchor %s, next() gives %s, walking %s\n", tzfile_format_time(anchor),
			   tzfile_format_time(fire), tzfile_format_time(slow));
	}
	ok = ok && last_and_count_agree(schedule, &context, e, after, after + period * between(1, 500));
	sched_schedule_free(schedule);
	return ok;
}

static int	checked[3];
static int	failed[3];

static void
run_round(char **names, int name_count)
{
	Expression	e;
	SchedCalendar calendar;
	SchedTime	after;
	SchedTime	first;
	SchedTime	t;
	SchedSchedule *schedule;
	SchedError	err;

	random_state = seed + round_number * UINT64CONST(1000003);
	e.zone = tzfile_zone(names[between(0, name_count - 1)]);
	e.policy = (SchedDstPolicy) between(0, 3);
	e.calendar = NULL;
	if (chance(20))
	{
		calendar.length = chance(50) ? 7 : (int) between(2, 30);
		calendar.mask = (uint32) random_next();
		e.calendar = &calendar;
	}
	t = first = after = random_instant(e.zone);
	if (chance(10))
	{
		checked[2]++;
		failed[2] += !rate_is_right(&e, after);
		return;
	}
	make_expression(&e);
	schedule = sched_schedule_parse(e.source, &err);
	if (schedule == NULL)
	{
		failed[0]++;
		report(&e, after, err.message);
		return;
	}
	{
		SchedScheduleContext context = {e.zone, e.policy, e.calendar, after, SCHED_TIME_BEGIN};

		for (int i = 0; i < 4; i++)
		{
			SchedTime	fire = sched_schedule_next(schedule, &context, t);

			checked[0]++;
			if (!next_is_right(&e, t, fire))
			{
				failed[0]++;
				break;
			}
			if (fire == SCHED_TIME_NEVER)
				break;
			t = fire;
		}
		checked[1]++;
		failed[1] += !last_and_count_agree(schedule, &context, &e, first,
										   t + between(-5, 2 * DAY) * SCHED_USEC_PER_SEC);
	}
	sched_schedule_free(schedule);
}

int
main(void)
{
	const char *value;
	double		seconds = 20;
	char	  **names = tzfile_names();
	int			name_count = 0;
	double		start;
	int64		only = -1;

	if ((value = getenv("PROPERTY_SEED")) != NULL)
		seed = strtoull(value, NULL, 10);
	if ((value = getenv("PROPERTY_SECONDS")) != NULL)
		seconds = atof(value);
	if ((value = getenv("PROPERTY_ROUND")) != NULL)
		only = strtoll(value, NULL, 10);
	while (names[name_count] != NULL)
		name_count++;
	printf("# seed " UINT64_FORMAT ", %d zones below %s\n", seed, name_count, tzfile_directory());
	if (name_count == 0)
	{
		printf("Bail out! no time zones found\n");
		return 1;
	}
	start = unit_cpu_seconds();
	for (round_number = Max(only, 0);; round_number++)
	{
		run_round(names, name_count);
		if (only >= 0 || unit_cpu_seconds() - start > seconds ||
			failed[0] + failed[1] + failed[2] > 5)
			break;
	}
	printf("# " INT64_FORMAT " rounds\n", round_number + 1);
	if (only < 0)
		unit_ok(checked[0] > 100 && checked[1] > 50 && checked[2] > 5,
				"enough was checked: %d fires, %d spans, %d rates", checked[0], checked[1], checked[2]);
	unit_is_int(failed[0], 0, "next() gives the first fire of the slow definition");
	unit_is_int(failed[1], 0, "last() and count() agree with next()");
	unit_is_int(failed[2], 0, "rates keep their phase");
	return unit_done();
}
