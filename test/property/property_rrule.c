/*-------------------------------------------------------------------------
 *
 * property_rrule.c
 *	  Random recurrence rules agree with a slow expansion.
 *
 * Each round makes up a rule, a zone and a DTSTART, mostly shortly before a
 * change of offset.  The expansion is written here a second time, in the
 * plainest way: for daily and longer frequencies it walks over the days of
 * some years, asks each part of the rule about each day, sorts what a period
 * gives and picks by BYSETPOS; for shorter ones it walks over each second of
 * some days.  Nothing of it is shared with the domain but dates and the
 * translation of local times, which have tests of their own.
 *
 * Claims: next() gives exactly the expansion, in order; count() and last()
 * agree with it for any span.
 *
 * PROPERTY_SEED chooses another sequence, PROPERTY_SECONDS how long to go on
 * (20), PROPERTY_ROUND runs one round alone.  A failure prints all three.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include "domain/schedule/civil.h"
#include "domain/schedule/rrule.h"
#include "tzfile.h"
#include "unit.h"

#define DAY				INT64CONST(86400)
#define DEFAULT_SEED	UINT64CONST(20260301)
#define MAX_LIST		8
#define MAX_FIRES		400000

/* Sub-daily rules are followed second by second for so long. */
#define WINDOW_SECONDS	(3 * DAY)

typedef enum Freq
{
	SECONDLY, MINUTELY, HOURLY, DAILY, WEEKLY, MONTHLY, YEARLY
} Freq;

static const char *const freq_names[] = {
	"SECONDLY", "MINUTELY", "HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY"
};
static const char *const day_names[] = {"SU", "MO", "TU", "WE", "TH", "FR", "SA"};

typedef struct List
{
	int			n;
	int			value[MAX_LIST];
} List;

typedef struct Rule
{
	Freq		freq;
	int			interval;
	int			count;			/* 0: none */
	bool		has_until;
	int64		until;			/* UTC */
	List		months;
	List		weeks;
	List		year_days;
	List		month_days;
	List		nths;			/* of BYDAY, beside weekdays; 0: every */
	List		weekdays;
	List		hours;
	List		minutes;
	List		seconds;
	List		positions;
	int			wkst;
	int64		start;			/* local second */
	const SchedZone *zone;
	char text[	2048];
} Rule;

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

/* ---- making up rules ---- */

static bool
contains(const List *list, int value)
{
	for (int i = 0; i < list->n; i++)
	{
		if (list->value[i] == value)
			return true;
	}
	return false;
}

static void
fill(List *list, int most, int low, int high, bool negative)
{
	int			n = (int) between(1, most);

	for (list->n = 0; list->n < n; list->n++)
	{
		int			value = (int) between(low, high);

		list->value[list->n] = negative && chance(40) ? -value : value;
	}
}

static void
write_list(char *out, const char *key, const List *list)
{
	if (list->n == 0)
		return;
	sprintf(out + strlen(out), ";%s=", key);
	for (int i = 0; i < list->n; i++)
		sprintf(out + strlen(out), "%s%d", i > 0 ? "," : "", list->value[i]);
}

static void
write_moment(char *out, int64 second)
{
	int64		day = sched_floor_div(second, DAY);
	int			time = (int) (second - day * DAY);
	SchedDate	date = sched_civil_date((int32) day);

	sprintf(out + strlen(out), "%04d%02d%02dT%02d%02d%02d", date.year,
			date.month, date.mday, time / 3600, time / 60 % 60, time % 60);
}

static void
write_rule(Rule *rule)
{
	char	   *out = rule->text;

	strcpy(out, "DTSTART:");
	write_moment(out, rule->start);
	sprintf(out + strlen(out), " RRULE:FREQ=%s", freq_names[rule->freq]);
	if (rule->interval > 1)
		sprintf(out + strlen(out), ";INTERVAL=%d", rule->interval);
	if (rule->count > 0)
		sprintf(out + strlen(out), ";COUNT=%d", rule->count);
	if (rule->has_until)
	{
		strcat(out, ";UNTIL=");
		write_moment(out, rule->until);
		strcat(out, "Z");
	}
	write_list(out, "BYMONTH", &rule->months);
	write_list(out, "BYWEEKNO", &rule->weeks);
	write_list(out, "BYYEARDAY", &rule->year_days);
	write_list(out, "BYMONTHDAY", &rule->month_days);
	if (rule->weekdays.n > 0)
		strcat(out, ";BYDAY=");
	for (int i = 0; i < rule->weekdays.n; i++)
	{
		if (i > 0)
			strcat(out, ",");
		if (rule->nths.value[i] != 0)
			sprintf(out + strlen(out), "%d", rule->nths.value[i]);
		strcat(out, day_names[rule->weekdays.value[i]]);
	}
	write_list(out, "BYHOUR", &rule->hours);
	write_list(out, "BYMINUTE", &rule->minutes);
	write_list(out, "BYSECOND", &rule->seconds);
	write_list(out, "BYSETPOS", &rule->positions);
	if (rule->wkst != 1)
		sprintf(out + strlen(out), ";WKST=%s", day_names[rule->wkst]);
}

static void
make_days(Rule *rule)
{
	bool		sub_daily = rule->freq < DAILY;

	if (chance(25))
		fill(&rule->months, 4, 1, 12, false);
	if (rule->freq == YEARLY && chance(20))
		fill(&rule->weeks, 4, 1, 53, true);
	if ((rule->freq == YEARLY || sub_daily) && chance(15))
		fill(&rule->year_days, MAX_LIST, 1, 366, true);
	if (rule->freq != WEEKLY && chance(25))
		fill(&rule->month_days, MAX_LIST, 1, 31, true);
	if (chance(40))
	{
		bool		nth = rule->freq >= MONTHLY && rule->weeks.n == 0;

		fill(&rule->weekdays, 4, 0, 6, false);
		for (int i = 0; i < rule->weekdays.n; i++)
		{
			int			most = rule->freq == YEARLY && chance(50) ? 53 : 5;

			rule->nths.value[i] = nth && chance(50) ?
				(int) between(1, most) * (chance(40) ? -1 : 1) : 0;
		}
	}
}

/* Shortly before a change of offset, between 1970 and 2100, if there is one */
static int64
make_start(const SchedZone *zone)
{
	int64		second = between(-30 * 365 * DAY, 100 * 365 * DAY);
	SchedZonePeriod period;

	zone->period(zone, second, &period);
	if (period.until < 100 * 365 * DAY && chance(80))
		second = period.until - between(0, 2 * DAY);
	if (chance(60))
		second -= sched_floor_mod(second, 900);
	return sched_zone_to_local(zone, second);
}

static void
make_rule(Rule *rule, char **zone_names, int n_zones)
{
	static const char *const favourites[] = {
		"UTC", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe",
		"Africa/Casablanca", "America/Havana", "Antarctica/Troll", "Asia/Beirut"
	};
	static const int intervals[] = {2, 3, 4, 5, 6, 7, 12, 15, 24, 31, 45, 61, 97, 1440, 3601};

	memset(rule, 0, sizeof(*rule));
	rule->zone = tzfile_zone(chance(50) ?
							 favourites[between(0, lengthof(favourites) - 1)] :
							 zone_names[between(0, n_zones - 1)]);
	if (rule->zone == NULL)
		rule->zone = tzfile_zone("UTC");
	rule->start = make_start(rule->zone);
	rule->freq = (Freq) between(SECONDLY, YEARLY);
	rule->interval = chance(50) ? 1 : intervals[between(0, lengthof(intervals) - 1)];
	rule->wkst = chance(60) ? 1 : (int) between(0, 6);
	make_days(rule);
	if (chance(30))
		fill(&rule->hours, 4, 0, chance(50) ? 3 : 23, false);
	if (chance(30))
		fill(&rule->minutes, 3, 0, 59, false);
	if (chance(20))
		fill(&rule->seconds, 2, 0, 59, false);
	if (chance(25) && (rule->months.n | rule->weeks.n | rule->year_days.n |
					   rule->month_days.n | rule->weekdays.n | rule->hours.n |
					   rule->minutes.n | rule->seconds.n) != 0)
		fill(&rule->positions, 3, 1, chance(70) ? 4 : 366, true);
	if (chance(20))
		rule->count = (int) between(1, chance(70) ? 20 : 3000);
	else if (chance(20))
	{
		rule->has_until = true;
		rule->until = rule->start + between(0, chance(50) ? 2 * DAY : 1000 * DAY);
	}
	write_rule(rule);
}

/* ---- what the parts say about a day ---- */

static int
days_of_year(int year)
{
	return sched_civil_is_leap(year) ? 366 : 365;
}

static int
year_day(int32 day, int year)
{
	return day - sched_civil_day(year, 1, 1) + 1;
}

static int32
week_start(int32 day, int wkst)
{
	while (sched_civil_weekday(day) != wkst)
		day--;
	return day;
}

/* The week belongs to the year that has most of it; there it has a number. */
static int
week_number(int32 day, int wkst, int *year)
{
	int32		middle = week_start(day, wkst) + 3;

	*year = sched_civil_date(middle).year;
	return (year_day(middle, *year) - 1) / 7 + 1;
}

static bool
week_says_yes(const Rule *rule, int32 day)
{
	int			year;
	int			number = week_number(day, rule->wkst, &year);
	int			same;
	int			total = week_number(sched_civil_day(year, 12, 28), rule->wkst,
									&same);

	return contains(&rule->weeks, number) ||
		contains(&rule->weeks, number - total - 1);
}

/* Is the day the n-th of its weekday among the days from "first" to "last"? */
static bool
is_nth(int32 day, int n, int32 first, int32 last)
{
	int			place = 0;

	if (n > 0)
	{
		for (int32 d = first; d <= day; d++)
			place += sched_civil_weekday(d) == sched_civil_weekday(day);
		return place == n;
	}
	for (int32 d = last; d >= day; d--)
		place += sched_civil_weekday(d) == sched_civil_weekday(day);
	return place == -n;
}

static bool
weekday_says_yes(const Rule *rule, int32 day, SchedDate date)
{
	bool		by_month = rule->freq == MONTHLY || rule->months.n > 0;
	int32		first = sched_civil_day(date.year, by_month ? date.month : 1, 1);
	int32		last = by_month ?
	first + sched_civil_month_days(date.year, date.month) - 1 :
	first + days_of_year(date.year) - 1;

	for (int i = 0; i < rule->weekdays.n; i++)
	{
		if (sched_civil_weekday(day) == rule->weekdays.value[i] &&
			(rule->nths.value[i] == 0 ||
			 is_nth(day, rule->nths.value[i], first, last)))
			return true;
	}
	return false;
}

static bool
day_says_yes(const Rule *rule, int32 day)
{
	SchedDate	date = sched_civil_date(day);
	int32		start_day = (int32) sched_floor_div(rule->start, DAY);
	SchedDate	start = sched_civil_date(start_day);
	int			length = sched_civil_month_days(date.year, date.month);
	int			in_year = year_day(day, date.year);
	bool		no_day = rule->month_days.n + rule->weekdays.n +
	rule->year_days.n == 0;

	if (rule->months.n > 0 && !contains(&rule->months, date.month))
		return false;
	if (rule->weeks.n > 0 && !week_says_yes(rule, day))
		return false;
	if (rule->year_days.n > 0 && !contains(&rule->year_days, in_year) &&
		!contains(&rule->year_days, in_year - days_of_year(date.year) - 1))
		return false;
	if (rule->month_days.n > 0 && !contains(&rule->month_days, date.mday) &&
		!contains(&rule->month_days, date.mday - length - 1))
		return false;
	if (rule->weekdays.n > 0 && !weekday_says_yes(rule, day, date))
		return false;

	/* what is not said comes from DTSTART */
	if (!no_day || rule->freq <= DAILY)
		return true;
	if (rule->freq == WEEKLY || rule->weeks.n > 0)
		return sched_civil_weekday(day) == sched_civil_weekday(start_day);
	if (date.mday != start.mday)
		return false;
	return rule->freq == MONTHLY || rule->months.n > 0 ||
		date.month == start.month;
}

/* ---- expanding ---- */

static int64 fires[MAX_FIRES];
static int	n_fires;

/* What is known is complete for instants before this one. */
static int64 horizon;

static int
compare_seconds(const void *a, const void *b)
{
	int64		x = *(const int64 *) a;
	int64		y = *(const int64 *) b;

	return x < y ? -1 : x > y ? 1 : 0;
}

static int
sort_unique(int64 *seconds, int n)
{
	int			kept = 0;

	qsort(seconds, n, sizeof(int64), compare_seconds);
	for (int i = 0; i < n; i++)
	{
		if (kept == 0 || seconds[kept - 1] != seconds[i])
			seconds[kept++] = seconds[i];
	}
	return kept;
}

/* Is the index one that BYSETPOS picks out of so many? */
static bool
picked(const Rule *rule, int index, int total)
{
	return rule->positions.n == 0 || contains(&rule->positions, index + 1) ||
		contains(&rule->positions, index - total);
}

/* All times of a day that the parts allow, in order */
static int
times_of_day(const Rule *rule, int *times)
{
	int			start = (int) sched_floor_mod(rule->start, DAY);
	int			n = 0;

	for (int time = 0; time < DAY; time++)
	{
		int			hour = time / 3600;
		int			minute = time / 60 % 60;
		int			second = time % 60;

		if ((rule->hours.n > 0 ? contains(&rule->hours, hour) :
			 hour == start / 3600) &&
			(rule->minutes.n > 0 ? contains(&rule->minutes, minute) :
			 minute == start / 60 % 60) &&
			(rule->seconds.n > 0 ? contains(&rule->seconds, second) :
			 second == start % 60))
			times[n++] = time;
	}
	return n;
}

static int64
period_of(const Rule *rule, int32 day)
{
	SchedDate	date = sched_civil_date(day);

	switch (rule->freq)
	{
		case YEARLY:
			return date.year;
		case MONTHLY:
			return date.year * 12 + date.month;
		case WEEKLY:
			return sched_floor_div(week_start(day, rule->wkst), 7);
		default:
			return day;
	}
}

/* Put the chosen elements of one period behind what there is. */
static void
take_period(const Rule *rule, const int32 *days, int n_days, const int *times,
			int n_times)
{
	for (int i = 0; i < n_days * n_times && n_fires < MAX_FIRES; i++)
	{
		int64		local = days[i / n_times] * DAY + times[i % n_times];

		if (picked(rule, i, n_days * n_times) && local >= rule->start &&
			(rule->count == 0 || n_fires < rule->count))
			fires[n_fires++] = local;
	}
}

static void
expand_days(const Rule *rule)
{
	static int	times[DAY];
	int			n_times = times_of_day(rule, times);
	int32		start_day = (int32) sched_floor_div(rule->start, DAY);
	int			start_year = sched_civil_date(start_day).year;
	int			years = rule->freq == YEARLY ? 12 : rule->freq == MONTHLY ? 5 : 2;
	int32		day = Min(week_start(start_day, rule->wkst),
						  sched_civil_day(start_year, 1, 1));
	int32		end = sched_civil_day(start_year + years, 1, 1);
	int64		current = PG_INT64_MIN;
	int32		days[367];
	int			n_days = 0;

	n_fires = 0;
	for (; day < end; day++)
	{
		int64		period = period_of(rule, day);

		if (period != current)
		{
			take_period(rule, days, n_days, times, n_times);
			n_days = 0;
			current = period;
		}
		if ((period - period_of(rule, start_day)) % rule->interval == 0 &&
			day_says_yes(rule, day))
			days[n_days++] = day;
	}
	take_period(rule, days, n_days, times, n_times);

	/* local times become instants only now: COUNT counts local times */
	for (int i = 0; i < n_fires; i++)
	{
		SchedLocal	local;

		sched_zone_from_local(rule->zone, fires[i], &local);
		fires[i] = local.kind == SCHED_LOCAL_GAP ? local.second : local.first;
	}
	n_fires = sort_unique(fires, n_fires);

	/* the last week may go on beyond the end */
	horizon = (end - 9) * DAY;
}

/*
 * Mark the times of the hour, minute or second that begins at "from" which
 * match, days and interval apart: number what the parts allow in it, and take
 * what BYSETPOS picks.
 */
static void
mark_unit(const Rule *rule, int from, int unit, bool *marks)
{
	static int	times[3600];
	int			start = (int) sched_floor_mod(rule->start, DAY);
	int			total = 0;

	for (int time = from; time < from + unit; time++)
	{
		int			minute = time / 60 % 60;
		int			second = time % 60;

		marks[time] = false;
		if (rule->hours.n > 0 && !contains(&rule->hours, time / 3600))
			continue;
		if (rule->minutes.n > 0 ? !contains(&rule->minutes, minute) :
			rule->freq == HOURLY && minute != start / 60 % 60)
			continue;
		if (rule->seconds.n > 0 ? !contains(&rule->seconds, second) :
			rule->freq >= MINUTELY && second != start % 60)
			continue;
		times[total++] = time;
	}
	for (int i = 0; i < total; i++)
		marks[times[i]] = picked(rule, i, total);
}

static bool
reading_says_yes(const Rule *rule, int64 reading)
{
	static char known_text[2048];
	static bool known_time[DAY];
	static int64 known_day = PG_INT64_MIN;
	static bool day_answer;
	int64		day = sched_floor_div(reading, DAY);

	/* the same for each day, and each day is asked about often */
	if (strcmp(known_text, rule->text) != 0)
	{
		int			unit = rule->freq == HOURLY ? 3600 :
		rule->freq == MINUTELY ? 60 : 1;

		for (int from = 0; from < DAY; from += unit)
			mark_unit(rule, from, unit, known_time);
		strcpy(known_text, rule->text);
		known_day = PG_INT64_MIN;
	}
	if (day != known_day)
	{
		known_day = day;
		day_answer = day_says_yes(rule, (int32) day);
	}
	return day_answer && known_time[reading - day * DAY];
}

static void
expand_seconds(const Rule *rule)
{
	int			unit = rule->freq == HOURLY ? 3600 : rule->freq == MINUTELY ? 60 : 1;
	SchedLocal	local;
	int64		start;
	int64		base;

	sched_zone_from_local(rule->zone, rule->start, &local);
	start = local.kind == SCHED_LOCAL_GAP ? local.second : local.first;
	base = start - sched_floor_mod(rule->start, unit);
	horizon = start + WINDOW_SECONDS;
	n_fires = 0;
	for (int64 second = start; second < horizon;)
	{
		SchedZonePeriod period;
		SchedZonePeriod before;

		rule->zone->period(rule->zone, second, &period);
		before.offset = period.offset;
		if (period.from != PG_INT64_MIN)
			rule->zone->period(rule->zone, period.from - 1, &before);
		for (; second < Min(period.until, horizon); second++)
		{
			bool		yes;

			if ((second - base) / unit % rule->interval != 0)
				continue;
			yes = reading_says_yes(rule, second + period.offset);
			if (!yes && before.offset < period.offset &&
				second < period.from + period.offset - before.offset)
				yes = reading_says_yes(rule, second + before.offset);
			if (yes && (rule->count == 0 || n_fires < rule->count) &&
				n_fires < MAX_FIRES)
				fires[n_fires++] = second;
		}
	}
}

/* ---- comparing ---- */

static SchedTime
time_of(int64 second)
{
	return second * SCHED_USEC_PER_SEC;
}

/* The number of expanded fires in (after, upto], and the last of them */
static int
expanded_count(int64 after, int64 upto, int64 *last)
{
	int			n = 0;

	for (int i = 0; i < n_fires; i++)
	{
		if (fires[i] > after && fires[i] <= upto)
		{
			n++;
			*last = fires[i];
		}
	}
	return n;
}

static bool
check_spans(const Rule *rule, const SchedRRule *parsed)
{
	for (int i = 0; i < 8; i++)
	{
		int64		first = n_fires > 0 ? fires[0] : horizon - 10 * DAY;
		int64		after = between(first - DAY, horizon - 2);
		int64		upto = between(after, horizon - 1);
		int64		last = 0;
		int			n;

		/* often from fire to fire */
		if (n_fires > 0 && chance(60))
		{
			after = fires[between(0, n_fires - 1)] - between(0, 1);
			upto = Max(after, fires[between(0, n_fires - 1)] - between(0, 1));
			upto = Min(upto, horizon - 1);
		}
		n = expanded_count(after, upto, &last);
		if (sched_rrule_count(parsed, rule->zone, 0, time_of(after),
							  time_of(upto), PG_INT64_MAX) != n)
		{
			printf("# count from %s to %s is " INT64_FORMAT ", not %d\n",
				   tzfile_format_time(time_of(after)),
				   tzfile_format_time(time_of(upto)),
				   sched_rrule_count(parsed, rule->zone, 0, time_of(after),
									 time_of(upto), PG_INT64_MAX), n);
			return false;
		}
		if (sched_rrule_last(parsed, rule->zone, 0, time_of(after),
							 time_of(upto)) !=
			(n > 0 ? time_of(last) : SCHED_TIME_BEGIN))
		{
			printf("# last from %s to %s is wrong\n",
				   tzfile_format_time(time_of(after)),
				   tzfile_format_time(time_of(upto)));
			return false;
		}
	}
	return true;
}

static bool
check_round(const Rule *rule)
{
	SchedError	err = {0};
	SchedRRule *parsed = sched_rrule_parse(rule->text, &err);
	SchedTime	t = SCHED_TIME_BEGIN;
	bool		ok = true;

	if (parsed == NULL)
	{
		printf("# refused: %s\n", err.message);
		return false;
	}
	if (rule->freq >= DAILY)
		expand_days(rule);
	else
		expand_seconds(rule);
	while (n_fires > 0 && fires[n_fires - 1] >= horizon)
		n_fires--;
	while (rule->has_until && n_fires > 0 && fires[n_fires - 1] > rule->until)
		n_fires--;

	for (int i = 0; ok && i < Min(n_fires, 500); i++)
	{
		t = sched_rrule_next(parsed, rule->zone, 0, t);
		if (t != time_of(fires[i]))
		{
			printf("# fire %d is %s, not %s\n", i + 1, tzfile_format_time(t),
				   tzfile_format_time(time_of(fires[i])));
			ok = false;
		}
	}
	if (ok && n_fires <= 500)
	{
		t = sched_rrule_next(parsed, rule->zone, 0, t);
		if (t < time_of(horizon) ||
			(rule->count > 0 && rule->count <= n_fires && t != SCHED_TIME_NEVER &&
			 rule->freq < DAILY))
		{
			printf("# fire %d is %s, there should be none\n", n_fires + 1,
				   tzfile_format_time(t));
			ok = false;
		}
	}
	ok = ok && check_spans(rule, parsed);
	sched_rrule_free(parsed);
	return ok;
}

static int64
setting(const char *name, int64 otherwise)
{
	const char *text = getenv(name);

	return text !=NULL && *text !='\0' ? strtoll(text, NULL, 10) : otherwise;
}

int
main(void)
{
	uint64		seed = (uint64) setting("PROPERTY_SEED", DEFAULT_SEED);
	int64		only = setting("PROPERTY_ROUND", -1);
	double		seconds = (double) setting("PROPERTY_SECONDS", 20);
	double		begin = unit_cpu_seconds();
	char	  **zone_names = tzfile_names();
	int			n_zones = 0;
	int			failures = 0;
	int64		rounds = 0;
	int64		fired = 0;
	static Rule rule;

	while (zone_names != NULL && zone_names[n_zones] != NULL)
		n_zones++;
	if (n_zones == 0 || tzfile_zone("UTC") == NULL)
	{
		printf("Bail out! no time zones in %s\n", tzfile_directory());
		return 1;
	}
	for (int64 round = Max(only, 0); failures < 5; round++)
	{
		random_state = seed * UINT64CONST(1000003) + (uint64) round;
		make_rule(&rule, zone_names, n_zones);
		if (!check_round(&rule))
		{
			failures++;
			printf("# %s in %s\n# PROPERTY_SEED=" UINT64_FORMAT " PROPERTY_ROUND=" INT64_FORMAT "\n",
				   rule.text, rule.zone->name, seed, round);
		}
		rounds++;
		fired += n_fires;
		if (only >= 0 || unit_cpu_seconds() - begin > seconds)
			break;
	}
	unit_ok(failures == 0, "next, last and count agree with an expansion");
	unit_ok(only >= 0 || fired > rounds,
			"the rules fired: " INT64_FORMAT " times in " INT64_FORMAT " rounds",
			fired, rounds);
	return unit_done();
}
