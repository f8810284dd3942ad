/*-------------------------------------------------------------------------
 *
 * test_calendar.c
 *	  Calendars hold the days that their specs say, and refuse bad specs.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include "domain/schedule/calendar.h"
#include "domain/schedule/civil.h"
#include "unit.h"

/* Other calendars, by name; the array ends with a NULL name */
typedef struct Named
{
	const char *name;
	const char *json;
} Named;

static Named library[] = {
	{"holidays", "{\"include\": [\"12-25\", \"01-01\", {\"easter\": 1}]}"},
	{"office", "{\"weekly\": [\"MON\",\"TUE\",\"WED\",\"THU\",\"FRI\"], \"exclude_calendars\": [\"holidays\"]}"},
	{"a", "{\"exclude_calendars\": [\"b\"]}"},
	{"b", "{\"exclude_calendars\": [\"c\"]}"},
	{"c", "{\"include_calendars\": [\"a\"]}"},
	{"self", "{\"include_calendars\": [\"self\"]}"},
	{"broken", "{\"include\": [\"13-01\"]}"},
	{"wide", "{\"include_calendars\": [\"wide2\",\"wide2\",\"wide2\",\"wide2\",\"wide2\",\"wide2\"]}"},
	{"wide2", "{\"include_calendars\": [\"holidays\",\"holidays\",\"holidays\",\"holidays\",\"holidays\",\"holidays\"]}"},
	{"deep1", "{\"include_calendars\": [\"deep2\"]}"},
	{"deep2", "{\"include_calendars\": [\"deep3\"]}"},
	{"deep3", "{\"include_calendars\": [\"deep4\"]}"},
	{"deep4", "{\"include_calendars\": [\"deep5\"]}"},
	{"deep5", "{\"include_calendars\": [\"deep6\"]}"},
	{"deep6", "{\"include_calendars\": [\"deep7\"]}"},
	{"deep7", "{\"include_calendars\": [\"deep8\"]}"},
	{"deep8", "{\"include_calendars\": [\"holidays\"]}"},
	{NULL, NULL}
};

static const char *
resolve(const char *name, void *arg)
{
	for (const Named *named = arg; named->name != NULL; named++)
	{
		if (strcmp(named->name, name) == 0)
			return named->json;
	}
	return NULL;
}

static int32
day_of(const char *text)
{
	int			year;
	int			month;
	int			mday;

	if (sscanf(text, "%d-%d-%d", &year, &month, &mday) != 3)
	{
		printf("Bail out! not a date: %s\n", text);
		exit(1);
	}
	return sched_civil_day(year, month, mday);
}

/* in, out: dates separated by blanks */
typedef struct DayCase
{
	const char *json;
	const char *in;
	const char *out;
} DayCase;

static const DayCase day_cases[] = {
	{"{}", "2027-01-01 2000-02-29 1600-01-01", ""},
	{"{\"description\": \"a \\\"b\\\" \\u00e4 \\ud83d\\ude00\", \"timezone\": null}", "2027-01-01", ""},
	{"{\"weekly\": [\"MON\", \"Tuesday\", \"wed\"]}", "2027-03-01 2027-03-02 2027-03-03", "2027-03-04 2027-03-07"},
	{"{\"include\": [\"2027-12-25\"]}", "2027-12-25", "2027-12-24 2027-12-26 2028-12-25"},
	{"{\"weekly\": [\"SAT\"], \"include\": [\"2027-03-01\"]}", "2027-03-01 2027-03-06", "2027-03-02 2027-03-07"},
	{"{\"weekly\": [], \"include\": [\"2027-03-01\"]}", "2027-03-01", "2027-03-02"},
	{"{\"exclude\": [\"2027-12-24..2027-12-31\"]}", "2027-12-23 2028-01-01", "2027-12-24 2027-12-28 2027-12-31"},
	{"{\"exclude\": [{\"from\": \"2027-12-24\", \"to\": \"2027-12-31\"}]}", "2027-12-23 2028-01-01", "2027-12-24 2027-12-31"},
	{"{\"exclude\": [\"12-24..01-02\"]}", "2027-12-23 2028-01-03", "2027-12-24 2027-12-31 2028-01-01 2028-01-02"},
	{"{\"exclude\": [{\"to\": \"01-02\", \"from\": \"12-24\"}]}", "2027-12-23", "2028-01-02"},
	{"{\"exclude\": [\"02-29\"]}", "2027-02-28 2027-03-01 2028-03-01", "2028-02-29 2032-02-29"},
	{"{\"exclude\": [\"SAT\", \"Sunday\"]}", "2027-03-05 2027-03-08", "2027-03-06 2027-03-07"},
	{"{\"include\": [{\"month\": 11, \"weekday\": \"THU\", \"nth\": 4}]}", "2026-11-26 2027-11-25 2028-11-23", "2027-11-18 2027-10-28 2027-11-26"},
	{"{\"include\": [{\"month\": 5, \"weekday\": \"MON\", \"nth\": -1}]}", "2026-05-25 2027-05-31", "2027-05-24 2027-06-28"},
	{"{\"include\": [{\"weekday\": \"TUE\", \"nth\": 2}]}", "2027-01-12 2027-02-09", "2027-01-05 2027-01-19"},
	{"{\"include\": [{\"weekday\": \"FRI\", \"nth\": 5}]}", "2027-01-29 2027-04-30", "2027-02-26 2027-03-26"},
	{"{\"include\": [{\"easter\": 0}]}", "2000-04-23 2008-03-23 2024-03-31 2025-04-20 2027-03-28 2038-04-25 2076-04-19 2049-04-18 1981-04-19 1954-04-18 2285-03-22", "2027-03-27 2027-04-04"},
	{"{\"include\": [{\"easter\": -2}, {\"easter\": 1}, {\"easter\": 39}]}", "2027-03-26 2027-03-29 2027-05-06", "2027-03-28 2027-03-27"},
	{"{\"include\": [{\"easter\": -80}, {\"easter\": 250}]}", "2285-01-01 2038-12-31", "2038-12-30"},
	{"{\"include\": [\"2027-12-25\"], \"exclude\": [\"12-25\"], \"weekly\": [\"SUN\"]}", "2027-03-07", "2027-12-25 2022-12-25"},
	{"{\"exclude_calendars\": [\"holidays\"]}", "2027-12-24", "2027-12-25 2027-03-29 2028-01-01"},
	{"{\"include_calendars\": [\"holidays\"], \"include\": [\"2027-05-05\"]}", "2027-12-25 2027-05-05", "2027-05-06"},
	{"{\"include_calendars\": [\"office\"], \"exclude\": [\"2027-03-02\"]}", "2027-03-01 2027-03-03", "2027-03-02 2027-03-06 2027-03-29"},
	{"{\"include_calendars\": [\"deep2\"]}", "2027-12-25", "2027-12-24"},
	{"{\"exclude\": [\"2027-03-03\", \"2027-03-01..2027-03-02\", \"2027-03-10\", \"2027-03-01\", \"2027-03-04..2027-03-05\"]}",
	"2027-02-28 2027-03-06 2027-03-09 2027-03-11", "2027-03-01 2027-03-02 2027-03-03 2027-03-04 2027-03-05 2027-03-10"},
	{" { \"weekly\" : [ \"MON\" ] } \t", "2027-03-01", "2027-03-02"},
};

static void
check_days(const SchedCalendar *calendar, const char *dates, bool expected,
		   const char *json)
{
	while (*dates != '\0')
	{
		unit_ok(sched_calendar_includes(calendar, day_of(dates)) == expected,
				"%.10s is %s %s", dates, expected ? "in" : "not in", json);
		dates += strcspn(dates, " ");
		dates += strspn(dates, " ");
	}
}

static void
test_days(void)
{
	for (int i = 0; i < lengthof(day_cases); i++)
	{
		SchedError	err = {0};
		SchedCalendar *calendar = sched_calendar_parse(day_cases[i].json,
													   resolve,
													   library,
													   &err);

		if (!unit_ok(calendar != NULL, "%s is a calendar", day_cases[i].json))
		{
			printf("# %d: %s\n", err.position, err.message);
			continue;
		}
		check_days(calendar, day_cases[i].in, true, day_cases[i].json);
		check_days(calendar, day_cases[i].out, false, day_cases[i].json);
		sched_calendar_free(calendar);
	}
}

/* position: of the error, -1: none, -2: not of interest */
typedef struct ErrorCase
{
	const char *json;
	int			position;
	const char *message;
} ErrorCase;

static const ErrorCase error_cases[] = {
	{"", 0, "\"{\" is missing in calendar"},
	{"[]", 0, "\"{\" is missing in calendar"},
	{"{", 1, "key in calendar must be a JSON string"},
	{"{}x", 2, "something stands behind the calendar"},
	{"{\"weekly\": [\"MON\"],}", 19, "key in calendar must be a JSON string"},
	{"{\"weekly\" [\"MON\"]}", 10, "\":\" is missing in calendar"},
	{"{\"weekly\": \"MON\"}", 11, "\"[\" is missing in calendar"},
	{"{\"weekly\": [\"MON\"", 17, "\"]\" is missing in calendar"},
	{"{\"weekly\": [\"MON\" \"TUE\"]}", 18, "\"]\" is missing in calendar"},
	{"{\"weekly\": [\"MOM\"]}", 12, "invalid weekday \"MOM\" in calendar"},
	{"{\"weekly\": [1]}", 12, "weekday in calendar must be a JSON string"},
	{"{\"holidays\": []}", 1, "unknown key \"holidays\" in calendar"},
	{"{\"weekly\": [], \"weekly\": []}", 15, "key \"weekly\" is given twice in calendar"},
	{"{\"include\": [\"2027-02-29\"]}", 13, "invalid day \"2027-02-29\" in calendar"},
	{"{\"include\": [\"02-30\"]}", 13, "invalid day \"02-30\" in calendar"},
	{"{\"include\": [\"2027-13-01\"]}", 13, "invalid day \"2027-13-01\" in calendar"},
	{"{\"include\": [\"0000-01-01\"]}", 13, "invalid day \"0000-01-01\" in calendar"},
	{"{\"include\": [\"2027-1-1\"]}", 13, "invalid day \"2027-1-1\" in calendar"},
	{"{\"include\": [\"2027-01-01x\"]}", 13, "invalid day \"2027-01-01x\" in calendar"},
	{"{\"include\": [\"2027-01-02..2027-01-01\"]}", 13, "invalid range of days in calendar"},
	{"{\"include\": [\"2027-01-02..01-03\"]}", 13, "invalid range of days in calendar"},
	{"{\"include\": [\"12-25..\"]}", 13, "invalid day \"12-25..\" in calendar"},
	{"{\"include\": [\"never never never never never never\"]}", 13, "item in calendar is too long"},
	{"{\"include\": [[]]}", 13, "item in calendar must be a JSON string"},
	{"{\"include\": [{}]}", 14, "key in calendar must be a JSON string"},
	{"{\"include\": [{\"from\": \"12-25\"}]}", 13, "invalid item in calendar"},
	{"{\"include\": [{\"weekday\": \"MON\"}]}", 13, "invalid item in calendar"},
	{"{\"include\": [{\"weekday\": \"MON\", \"nth\": 0}]}", 13, "invalid item in calendar"},
	{"{\"include\": [{\"weekday\": \"MON\", \"nth\": 6}]}", 39, "invalid \"nth\" in calendar"},
	{"{\"include\": [{\"weekday\": \"MON\", \"nth\": 1.5}]}", 39, "invalid \"nth\" in calendar"},
	{"{\"include\": [{\"month\": 13}]}", 23, "invalid \"month\" in calendar"},
	{"{\"include\": [{\"easter\": 251}]}", 24, "invalid \"easter\" in calendar"},
	{"{\"include\": [{\"easter\": 99999999999999999999}]}", 24, "invalid \"easter\" in calendar"},
	{"{\"include\": [{\"easter\": 1, \"nth\": 1}]}", 13, "invalid item in calendar"},
	{"{\"include\": [{\"easter\": 1, \"easter\": 1}]}", 27, "key \"easter\" is given twice in calendar"},
	{"{\"include\": [{\"day\": 1}]}", 14, "unknown key \"day\" in calendar"},
	{"{\"description\": \"abc}", 16, "unterminated string in calendar"},
	{"{\"description\": \"a\\q\"}", 18, "invalid escape in calendar"},
	{"{\"description\": \"\\ud800\"}", 17, "invalid escape in calendar"},
	{"{\"description\": \"\\", 17, "invalid escape in calendar"},
	{"{\"description\": 1}", 16, "\"description\" in calendar must be a JSON string"},
	{"{\"include_calendars\": [\"nowhere\"]}", 23, "calendar \"nowhere\" does not exist"},
	{"{\"include_calendars\": [\"broken\"]}", 23, "calendar \"broken\", to which this one refers, is not valid: invalid day \"13-01\" in calendar"},
	{"{\"include_calendars\": [\"a\"]}", 23, NULL},
	{"{\"exclude_calendars\": [\"self\"]}", 23, NULL},
	{"{\"include_calendars\": [\"wide\"]}", 23, NULL},
	{"{\"include_calendars\": [\"deep1\"]}", 23, NULL},
	{"{\"weekly\": []}", -1, "calendar has no day"},
	{"{\"include\": []}", -1, "calendar has no day"},
	{"{\"include\": [\"1969-12-31\"]}", -1, "calendar has no day"},
	{"{\"exclude\": [\"01-01..12-31\"]}", -1, "calendar has no day"},
	{"{\"include\": [\"SAT\"], \"exclude\": [\"SAT\"]}", -1, "calendar has no day"},
};

static void
test_errors(void)
{
	for (int i = 0; i < lengthof(error_cases); i++)
	{
		const ErrorCase *c = &error_cases[i];
		SchedError	err = {0};
		SchedCalendar *calendar = sched_calendar_parse(c->json, resolve,
													   library,
													   &err);

		if (!unit_ok(calendar == NULL, "refused: %s", c->json))
			continue;
		unit_is_int(err.position, c->position,
					psprintf("position of the error in %s", c->json));
		if (c->message != NULL)
			unit_is_str(err.message, c->message,
						psprintf("message for %s", c->json));
		unit_ok(err.hint[0] != '\0', "there is a hint for %s", c->json);
	}
	unit_ok(sched_calendar_parse("{\"include_calendars\": [\"x\"]}", NULL, NULL,
								 NULL) == NULL,
			"without anybody to ask, other calendars do not exist");
}

static void
test_circle_is_named(void)
{
	SchedError	err = {0};

	(void) sched_calendar_parse("{\"exclude_calendars\": [\"a\"]}", resolve,
								library, &err);
	unit_ok(strstr(err.message, "in a circle") != NULL,
			"a circle is called one");
	unit_is_str(err.detail, "a, named by c, named by b, named by a",
				"the detail names the circle");
}

/* Ten thousand dates in any order, checked one by one */
static void
test_many_days(void)
{
	char	   *json = palloc(10000 * 16 + 64);
	char	   *end = json;
	SchedCalendar *calendar;
	SchedError	err = {0};
	int32		base = sched_civil_day(2020, 1, 1);
	bool		right = true;
	double		before;
	int64		hits = 0;

	end += sprintf(end, "{\"include\": [");
	for (int i = 0; i < 10000; i++)
	{
		/* every third day, scattered: 7 and 10000 have no common factor */
		SchedDate	date = sched_civil_date(base + 3 * ((i * 7) % 10000));

		end += sprintf(end, "%s\"%04d-%02d-%02d\"", i > 0 ? "," : "",
					   date.year, date.month, date.mday);
	}
	sprintf(end, "]}");
	calendar = sched_calendar_parse(json, NULL, NULL, &err);
	if (!unit_ok(calendar != NULL, "10000 days are a calendar"))
		return;
	for (int32 day = -10; day < 30010; day++)
		right = right && sched_calendar_includes(calendar, base + day) ==
			(day >= 0 && day < 30000 && day % 3 == 0);
	unit_ok(right, "exactly these days are in");

	before = unit_cpu_seconds();
	for (int i = 0; i < 1000000; i++)
		hits += sched_calendar_includes(calendar, base + i % 30000);
	unit_ok((unit_cpu_seconds() - before) < 1.0 && hits > 0,
			"a day is looked up within a microsecond (%.0f ns)",
			(unit_cpu_seconds() - before) * 1000);
	sched_calendar_free(calendar);

	sprintf(end, ",\"2019-01-01\"]}");
	unit_ok(sched_calendar_parse(json, NULL, NULL, &err) == NULL &&
			strcmp(err.message, "too many days in calendar") == 0,
			"one more is refused");
	pfree(json);
}

static void
test_next_day(void)
{
	SchedCalendar *calendar = sched_calendar_parse("{\"weekly\": [\"MON\"]}",
												   NULL, NULL, NULL);

	unit_is_int(sched_calendar_next_day(calendar, day_of("2027-03-02"),
										day_of("2027-04-01")),
				day_of("2027-03-08"), "the next Monday");
	unit_is_int(sched_calendar_next_day(calendar, day_of("2027-03-02"),
										day_of("2027-03-08")),
				day_of("2027-03-08"), "none before the end gives the end");
	unit_is_int(sched_calendar_next_day(calendar, day_of("2027-03-08"),
										day_of("2027-03-02")),
				day_of("2027-03-02"), "an empty span gives its end");
	sched_calendar_free(calendar);
	sched_calendar_free(NULL);
}

int
main(void)
{
	test_days();
	test_errors();
	test_circle_is_named();
	test_many_days();
	test_next_day();
	return unit_done();
}
