/*-------------------------------------------------------------------------
 *
 * test_rrule.c
 *	  Recurrence rules: what fires, what is refused, what it costs.
 *
 * The table holds the kinds of rules that RFC 5545 shows, and more, in UTC;
 * seams of time zones have their own cases.  test/property/property_rrule.c
 * compares with an independent expansion.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include "domain/schedule/civil.h"
#include "domain/schedule/rrule.h"
#include "tzfile.h"
#include "unit.h"

/*
 * rrule.h promises 10 ms, which bench/micro checks.  Here there must be room
 * for slow machines and sanitizers; a missing bound means seconds.
 */
#ifndef UNIT_HOSTILE_SECONDS
#define UNIT_HOSTILE_SECONDS	0.100
#endif

typedef struct RuleCase
{
	const char *start;
	const char *rule;
	const char *fires;
	bool		complete;		/* nothing fires after these */
} RuleCase;

static const RuleCase rule_cases[] = {
	{"19970902T090000", "FREQ=DAILY;COUNT=10",
	"19970902T090000 19970903T090000 19970904T090000 19970905T090000 19970906T090000 19970907T090000 19970908T090000 19970909T090000 19970910T090000 19970911T090000", true},
	{"19970902T090000", "FREQ=DAILY;UNTIL=19971224T000000",
	"19970902T090000 19970903T090000 19970904T090000 19970905T090000 19970906T090000 19970907T090000", false},
	{"19970902T090000", "FREQ=DAILY;INTERVAL=10;COUNT=5",
	"19970902T090000 19970912T090000 19970922T090000 19971002T090000 19971012T090000", true},
	{"19980101T090000", "FREQ=YEARLY;UNTIL=20000131T140000;BYMONTH=1;BYDAY=SU,MO,TU,WE,TH,FR,SA",
	"19980101T090000 19980102T090000 19980103T090000 19980104T090000 19980105T090000 19980106T090000", false},
	{"19970902T090000", "FREQ=WEEKLY;COUNT=10;WKST=SU;BYDAY=TU,TH",
	"19970902T090000 19970904T090000 19970909T090000 19970911T090000 19970916T090000 19970918T090000 19970923T090000 19970925T090000 19970930T090000 19971002T090000", true},
	{"19970901T090000", "FREQ=WEEKLY;INTERVAL=2;UNTIL=19971224T000000;WKST=SU;BYDAY=MO,WE,FR",
	"19970901T090000 19970903T090000 19970905T090000 19970915T090000 19970917T090000 19970919T090000", false},
	{"19970905T090000", "FREQ=MONTHLY;UNTIL=19971224T000000;BYDAY=1FR",
	"19970905T090000 19971003T090000 19971107T090000 19971205T090000", false},
	{"19970929T090000", "FREQ=MONTHLY;BYMONTHDAY=-3",
	"19971029T090000 19971128T090000 19971229T090000 19980129T090000 19980226T090000 19980329T090000", false},
	{"19970910T090000", "FREQ=MONTHLY;INTERVAL=18;COUNT=10;BYMONTHDAY=10,11,12,13,14,15",
	"19970910T090000 19970911T090000 19970912T090000 19970913T090000 19970914T090000 19970915T090000 19990310T090000 19990311T090000 19990312T090000 19990313T090000", true},
	{"19970902T090000", "FREQ=MONTHLY;INTERVAL=2;BYDAY=TU",
	"19970902T090000 19970909T090000 19970916T090000 19970923T090000 19970930T090000 19971104T090000", false},
	{"19970610T090000", "FREQ=YEARLY;COUNT=10;BYMONTH=6,7",
	"19970610T090000 19970710T090000 19980610T090000 19980710T090000 19990610T090000 19990710T090000 20000610T090000 20000710T090000 20010610T090000 20010710T090000", true},
	{"19970310T090000", "FREQ=YEARLY;INTERVAL=2;COUNT=10;BYMONTH=1,2,3",
	"19970310T090000 19990110T090000 19990210T090000 19990310T090000 20010110T090000 20010210T090000 20010310T090000 20030110T090000 20030210T090000 20030310T090000", true},
	{"19970101T090000", "FREQ=YEARLY;INTERVAL=3;COUNT=10;BYYEARDAY=1,100,200",
	"19970101T090000 19970410T090000 19970719T090000 20000101T090000 20000409T090000 20000718T090000 20030101T090000 20030410T090000 20030719T090000 20060101T090000", true},
	{"19970519T090000", "FREQ=YEARLY;BYDAY=20MO",
	"19970519T090000 19980518T090000 19990517T090000 20000515T090000 20010514T090000 20020520T090000", false},
	{"19970512T090000", "FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO",
	"19970512T090000 19980511T090000 19990517T090000 20000515T090000 20010514T090000 20020513T090000", false},
	{"19970313T090000", "FREQ=YEARLY;BYMONTH=3;BYDAY=TH",
	"19970313T090000 19970320T090000 19970327T090000 19980305T090000 19980312T090000 19980319T090000", false},
	{"19970605T090000", "FREQ=YEARLY;BYDAY=TH;BYMONTH=6,7,8",
	"19970605T090000 19970612T090000 19970619T090000 19970626T090000 19970703T090000 19970710T090000", false},
	{"19970902T090000", "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13",
	"19980213T090000 19980313T090000 19981113T090000 19990813T090000 20001013T090000 20010413T090000", false},
	{"19970913T090000", "FREQ=MONTHLY;BYDAY=SA;BYMONTHDAY=7,8,9,10,11,12,13",
	"19970913T090000 19971011T090000 19971108T090000 19971213T090000 19980110T090000 19980207T090000", false},
	{"19961105T090000", "FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8",
	"19961105T090000 20001107T090000 20041102T090000 20081104T090000 20121106T090000 20161108T090000", false},
	{"19970904T090000", "FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3",
	"19970904T090000 19971007T090000 19971106T090000", true},
	{"19970929T090000", "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2",
	"19970929T090000 19971030T090000 19971127T090000 19971230T090000 19980129T090000 19980226T090000", false},
	{"19970902T090000", "FREQ=MINUTELY;INTERVAL=15;COUNT=6",
	"19970902T090000 19970902T091500 19970902T093000 19970902T094500 19970902T100000 19970902T101500", true},
	{"19970902T090000", "FREQ=MINUTELY;INTERVAL=90;COUNT=4",
	"19970902T090000 19970902T103000 19970902T120000 19970902T133000", true},
	{"19970902T090000", "FREQ=DAILY;BYHOUR=9,10,11,12,13,14,15,16;BYMINUTE=0,20,40",
	"19970902T090000 19970902T092000 19970902T094000 19970902T100000 19970902T102000 19970902T104000", false},
	{"19970902T090000", "FREQ=MINUTELY;INTERVAL=20;BYHOUR=9,10,11,12,13,14,15,16",
	"19970902T090000 19970902T092000 19970902T094000 19970902T100000 19970902T102000 19970902T104000", false},
	{"19970805T090000", "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO",
	"19970805T090000 19970810T090000 19970819T090000 19970824T090000", true},
	{"19970805T090000", "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU",
	"19970805T090000 19970817T090000 19970819T090000 19970831T090000", true},
	{"20070115T090000", "FREQ=MONTHLY;BYMONTHDAY=15,30;COUNT=5",
	"20070115T090000 20070130T090000 20070215T090000 20070315T090000 20070330T090000", true},
	{"19960229T090000", "FREQ=YEARLY",
	"19960229T090000 20000229T090000 20040229T090000 20080229T090000 20120229T090000 20160229T090000", false},
	{"19960229T090000", "FREQ=YEARLY;INTERVAL=3",
	"19960229T090000 20080229T090000 20200229T090000 20320229T090000 20440229T090000 20560229T090000", false},
	{"20240131T090000", "FREQ=MONTHLY",
	"20240131T090000 20240331T090000 20240531T090000 20240731T090000 20240831T090000 20241031T090000", false},
	{"20240131T090000", "FREQ=MONTHLY;BYMONTHDAY=-1",
	"20240131T090000 20240229T090000 20240331T090000 20240430T090000 20240531T090000 20240630T090000", false},
	{"20240101T000000", "FREQ=YEARLY;BYYEARDAY=366",
	"20241231T000000 20281231T000000 20321231T000000 20361231T000000 20401231T000000 20441231T000000", false},
	{"20240101T000000", "FREQ=YEARLY;BYYEARDAY=-366",
	"20240101T000000 20280101T000000 20320101T000000 20360101T000000 20400101T000000 20440101T000000", false},
	{"20240101T000000", "FREQ=YEARLY;BYWEEKNO=53;BYDAY=MO,SU",
	"20261228T000000 20270103T000000 20321227T000000 20330102T000000 20371228T000000 20380103T000000", false},
	{"20240101T000000", "FREQ=YEARLY;BYWEEKNO=1;BYDAY=MO,SU",
	"20240101T000000 20240107T000000 20241230T000000 20250105T000000 20251229T000000 20260104T000000", false},
	{"20240101T000000", "FREQ=YEARLY;BYWEEKNO=-1;BYDAY=WE",
	"20241225T000000 20251224T000000 20261230T000000 20271229T000000 20281227T000000 20291226T000000", false},
	{"20240101T000000", "FREQ=YEARLY;BYWEEKNO=1;BYDAY=SU,SA;WKST=SU",
	"20240106T000000 20241229T000000 20250104T000000 20260104T000000 20260110T000000 20270103T000000", false},
	{"20240101T000000", "FREQ=YEARLY;BYDAY=-1FR,1FR",
	"20240105T000000 20241227T000000 20250103T000000 20251226T000000 20260102T000000 20261225T000000", false},
	{"20240101T120000", "FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=29",
	"20240229T120000 20280229T120000 20320229T120000 20360229T120000 20400229T120000 20440229T120000", false},
	{"20240101T120000", "FREQ=MONTHLY;BYDAY=5MO",
	"20240129T120000 20240429T120000 20240729T120000 20240930T120000 20241230T120000 20250331T120000", false},
	{"20240101T120000", "FREQ=DAILY;BYHOUR=6,18;BYSETPOS=-1",
	"20240101T180000 20240102T180000 20240103T180000 20240104T180000 20240105T180000 20240106T180000", false},
	{"20240101T120000", "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYHOUR=9,17;BYSETPOS=1,-1",
	"20240131T170000 20240201T090000 20240229T170000 20240301T090000 20240329T170000 20240401T090000", false},
	{"20240101T120000", "FREQ=YEARLY;BYMONTH=3,6,9,12;BYDAY=FR;BYSETPOS=-1",
	"20241227T120000 20251226T120000 20261225T120000 20271231T120000 20281229T120000 20291228T120000", false},
	{"20240101T120000", "FREQ=HOURLY;BYMINUTE=10,20,30;BYSETPOS=2;BYHOUR=3,4",
	"20240102T032000 20240102T042000 20240103T032000 20240103T042000 20240104T032000 20240104T042000", false},
	{"20240101T120000", "FREQ=MINUTELY;BYSECOND=5,10,50;BYSETPOS=1,-1",
	"20240101T120005 20240101T120050 20240101T120105 20240101T120150 20240101T120205 20240101T120250", false},
	{"20240101T120000", "FREQ=HOURLY;INTERVAL=7;BYDAY=SA",
	"20240106T040000 20240106T110000 20240106T180000 20240113T040000 20240113T110000 20240113T180000", false},
	{"20240101T120000", "FREQ=SECONDLY;INTERVAL=3601;BYMINUTE=0",
	"20240101T120000 20240101T130001 20240101T140002 20240101T150003 20240101T160004 20240101T170005", false},
	{"20240101T120000", "FREQ=SECONDLY;INTERVAL=45",
	"20240101T120000 20240101T120045 20240101T120130 20240101T120215 20240101T120300 20240101T120345", false},
	{"20240101T120007", "FREQ=SECONDLY;INTERVAL=7;BYHOUR=3;BYMINUTE=0",
	"20240102T030005 20240102T030012 20240102T030019 20240102T030026 20240102T030033 20240102T030040", false},
	{"20240101T120000", "FREQ=MINUTELY;INTERVAL=1440",
	"20240101T120000 20240102T120000 20240103T120000 20240104T120000 20240105T120000 20240106T120000", false},
	{"20240101T120000", "FREQ=HOURLY;INTERVAL=24;BYMONTH=2",
	"20240201T120000 20240202T120000 20240203T120000 20240204T120000 20240205T120000 20240206T120000", false},
};

static const SchedZone *
zone_named(const char *name)
{
	const SchedZone *zone = tzfile_zone(name);

	if (zone == NULL)
	{
		printf("Bail out! no time zone %s\n", name);
		exit(1);
	}
	return zone;
}

/* "19970902T090000" of a clock in UTC, or with an offset as "-0400" */
static SchedTime
instant(const char *text)
{
	int			n[6];
	int			offset = 0;

	if (sscanf(text, "%4d%2d%2dT%2d%2d%2d", &n[0], &n[1], &n[2], &n[3], &n[4],
			   &n[5]) != 6)
	{
		printf("Bail out! not a time: %s\n", text);
		exit(1);
	}
	if (text[15] == '+' || text[15] == '-')
	{
		offset = atoi(text +16);
		offset = (offset / 100 * 60 + offset % 100) * 60;
		if (text[15] == '-')
			offset = -offset;
	}
	return ((int64) sched_civil_day(n[0], n[1], n[2]) * SCHED_SECS_PER_DAY +
			n[3] * 3600 + n[4] * 60 + n[5] - offset) * SCHED_USEC_PER_SEC;
}

static SchedRRule *
parse(const char *text)
{
	SchedError	err = {0};
	SchedRRule *rule = sched_rrule_parse(text, &err);

	if (rule == NULL)
		printf("# %s: %s at %d\n", text, err.message, err.position);
	return rule;
}

/* TAP has one line for each check. */
static const char *
one_line(const char *text)
{
	char	   *line = pstrdup(text);

	for (char *c = line; *c != '\0'; c++)
	{
		if (*c == '\n' || *c == '\r')
			*c = ' ';
	}
	return line;
}

/* Do these fires come, one after the other, and do last and count agree? */
static void
check_fires(const char *text, const SchedZone *zone, const char *expected,
			bool complete)
{
	SchedRRule *rule = parse(text);
	SchedTime	anchor = instant("20240101T000000");
	SchedTime	before = SCHED_TIME_BEGIN;
	SchedTime	t = SCHED_TIME_BEGIN;
	bool		ok = true;
	bool		agree = true;
	int			count = 0;

	if (!unit_ok(rule != NULL, "%s parses", one_line(text)))
		return;
	while (*expected != '\0' && ok)
	{
		SchedTime	wanted = instant(expected);

		before = t;
		t = sched_rrule_next(rule, zone, anchor, t);
		count++;
		ok = t == wanted;
		if (!ok)
		{
			printf("# fire %d is %s, not %s\n", count, tzfile_format_time(t),
				   tzfile_format_time(wanted));
			break;
		}
		agree = agree &&
			sched_rrule_last(rule, zone, anchor, SCHED_TIME_BEGIN, t) == t &&
			sched_rrule_last(rule, zone, anchor, SCHED_TIME_BEGIN,
							 t - 1) == before &&
			sched_rrule_last(rule, zone, anchor, t, t + 1) == SCHED_TIME_BEGIN &&
			sched_rrule_count(rule, zone, anchor, SCHED_TIME_BEGIN, t,
							  1000) == count &&
			sched_rrule_count(rule, zone, anchor, SCHED_TIME_BEGIN, t,
							  1) == 1 &&
			sched_rrule_count(rule, zone, anchor, t - 1, t, 1000) == 1 &&
			sched_rrule_count(rule, zone, anchor, t, t, 1000) == 0;
		expected += strcspn(expected, " ");
		expected += strspn(expected, " ");
	}
	if (ok && complete)
	{
		SchedTime	after = sched_rrule_next(rule, zone, anchor, t);

		ok = after == SCHED_TIME_NEVER &&
			sched_rrule_last(rule, zone, anchor, SCHED_TIME_BEGIN,
							 SCHED_TIME_NEVER) == t;
		if (!ok)
			printf("# fires again at %s\n", tzfile_format_time(after));
	}
	unit_ok(ok, "%s in %s fires as expected", one_line(text), zone->name);
	unit_ok(agree, "%s in %s: last and count agree", one_line(text), zone->name);
	sched_rrule_free(rule);
}

static void
test_table(void)
{
	const SchedZone *utc = zone_named("UTC");

	for (int i = 0; i < lengthof(rule_cases); i++)
		check_fires(psprintf("DTSTART:%s RRULE:%s", rule_cases[i].start,
							 rule_cases[i].rule), utc, rule_cases[i].fires,
					rule_cases[i].complete);
}

typedef struct ZoneCase
{
	const char *zone;
	const char *text;
	const char *fires;
	bool		complete;
} ZoneCase;

static const ZoneCase zone_cases[] = {
	/* a gap shifts forward by its length */
	{"America/New_York", "DTSTART:20260307T023000 RRULE:FREQ=DAILY",
	"20260307T023000-0500 20260308T033000-0400 20260309T023000-0400", false},
	{"Australia/Lord_Howe", "DTSTART:20261003T021500 RRULE:FREQ=DAILY",
	"20261003T021500+1030 20261004T024500+1100 20261005T021500+1100", false},
	{"America/New_York", "DTSTART:20260307T000000 RRULE:FREQ=DAILY;BYHOUR=2,3",
	"20260307T020000-0500 20260307T030000-0500 20260308T030000-0400 20260309T020000-0400 20260309T030000-0400", false},
	{"America/New_York", "DTSTART:20260307T025959 RRULE:FREQ=DAILY",
	"20260307T025959-0500 20260308T035959-0400 20260309T025959-0400", false},
	{"America/New_York", "DTSTART:20260307T020000 RRULE:FREQ=DAILY",
	"20260307T020000-0500 20260308T030000-0400 20260309T020000-0400", false},
	/* COUNT counts local times, also when two of them collapse */
	{"America/New_York", "DTSTART:20260307T000000 RRULE:FREQ=DAILY;BYHOUR=2,3;COUNT=5",
	"20260307T020000-0500 20260307T030000-0500 20260308T030000-0400 20260309T020000-0400", true},
	/* the order of instants is not that of local times after a gap */
	{"America/New_York", "DTSTART:20260308T000000 RRULE:FREQ=DAILY;BYHOUR=2,3;BYMINUTE=15,45",
	"20260308T031500-0400 20260308T034500-0400 20260309T021500-0400", false},
	{"America/New_York", "DTSTART:20260308T000000 RRULE:FREQ=DAILY;BYHOUR=2,3;BYMINUTE=30;BYSETPOS=1,2",
	"20260308T033000-0400 20260309T023000-0400 20260309T033000-0400", false},
	/* an overlap takes the first */
	{"America/New_York", "DTSTART:20261031T013000 RRULE:FREQ=DAILY",
	"20261031T013000-0400 20261101T013000-0400 20261102T013000-0500", false},
	{"America/New_York", "DTSTART:20261101T000000 RRULE:FREQ=DAILY;BYHOUR=0,1,2;BYMINUTE=0",
	"20261101T000000-0400 20261101T010000-0400 20261101T020000-0500", false},
	/* a whole day that never was */
	{"Pacific/Apia", "DTSTART:20111229T120000 RRULE:FREQ=DAILY",
	"20111229T120000-1000 20111231T120000+1400 20120101T120000+1400", false},
	/* midnight that never was */
	{"America/Havana", "DTSTART:20260307T000000 RRULE:FREQ=DAILY",
	"20260307T000000-0500 20260308T010000-0400 20260309T000000-0400", false},
	/* elapsed time knows neither */
	{"America/New_York", "DTSTART:20260308T003000 RRULE:FREQ=HOURLY",
	"20260308T003000-0500 20260308T013000-0500 20260308T033000-0400 20260308T043000-0400", false},
	{"America/New_York", "DTSTART:20261101T003000 RRULE:FREQ=HOURLY",
	"20261101T003000-0400 20261101T013000-0400 20261101T013000-0500 20261101T023000-0500", false},
	{"America/New_York", "DTSTART:20260307T210000 RRULE:FREQ=HOURLY;INTERVAL=6;COUNT=3",
	"20260307T210000-0500 20260308T040000-0400 20260308T100000-0400", true},
	{"America/New_York", "DTSTART:20261101T000000 RRULE:FREQ=MINUTELY;INTERVAL=30;COUNT=7",
	"20261101T000000-0400 20261101T003000-0400 20261101T010000-0400 20261101T013000-0400 20261101T010000-0500 20261101T013000-0500 20261101T020000-0500", true},
	{"Australia/Lord_Howe", "DTSTART:20261004T004500 RRULE:FREQ=HOURLY",
	"20261004T004500+1030 20261004T014500+1030 20261004T024500+1100 20261004T034500+1100", false},
	{"Australia/Lord_Howe", "DTSTART:20261004T001500 RRULE:FREQ=HOURLY",
	"20261004T001500+1030 20261004T011500+1030 20261004T024500+1100 20261004T031500+1100", false},
	/* but an hour that was asked for is not lost */
	{"America/New_York", "DTSTART:20260307T000000 RRULE:FREQ=HOURLY;BYHOUR=2",
	"20260307T020000-0500 20260308T030000-0400 20260309T020000-0400", false},
	/* UNTIL in UTC, local, as a day */
	{"America/New_York", "DTSTART:20270101T090000 RRULE:FREQ=DAILY;UNTIL=20270102T140000Z",
	"20270101T090000-0500 20270102T090000-0500", true},
	{"America/New_York", "DTSTART:20270101T090000 RRULE:FREQ=DAILY;UNTIL=20270102T135959Z",
	"20270101T090000-0500", true},
	{"America/New_York", "DTSTART:20270101T090000 RRULE:FREQ=DAILY;UNTIL=20270102T090000",
	"20270101T090000-0500 20270102T090000-0500", true},
	{"America/New_York", "DTSTART:20270101T230000 RRULE:FREQ=DAILY;UNTIL=20270102",
	"20270101T230000-0500 20270102T230000-0500", true},
	/* DTSTART in UTC makes the rule run in UTC */
	{"America/New_York", "DTSTART:20260307T073000Z RRULE:FREQ=DAILY",
	"20260307T073000 20260308T073000 20260309T073000", false},
	{"Europe/Berlin", "DTSTART;VALUE=DATE:20270101 RRULE:FREQ=WEEKLY",
	"20270101T000000+0100 20270108T000000+0100", false},
	/* properties in any order and in between */
	{"UTC", "FREQ=DAILY;COUNT=3\nDTSTART:20270101T090000\r\nEXDATE:20270102T090000",
	"20270101T090000 20270103T090000", true},
	{"UTC", "freq=daily;dtstart=20270101T090000;count=2;",
	"20270101T090000 20270102T090000", true},
	{"UTC", "  RRULE:FREQ=DAILY; COUNT=2;\n DTSTART;TZID=Europe/Berlin:20270101T090000 ",
	"20270101T090000 20270102T090000", true},
	{"UTC", "DTSTART:20270101T090000 RRULE:FREQ=DAILY;COUNT=2 RDATE:20270105T000000,20270101T090000Z RDATE:20261231T000000",
	"20261231T000000 20270101T090000 20270102T090000 20270105T000000", true},
	{"UTC", "DTSTART:20270101T090000 RRULE:FREQ=DAILY;COUNT=4 EXDATE;VALUE=DATE:20270102,20270102 EXDATE:20270102T090000,20270104T090000",
	"20270101T090000 20270103T090000", true},
	{"UTC", "DTSTART:20270101T090000 RRULE:FREQ=DAILY;COUNT=1 RDATE:20270105T000000,20270106T000000 EXDATE:20270105T000000",
	"20270101T090000 20270106T000000", true},
	{"UTC", "DTSTART:20270101T090000 RRULE:FREQ=DAILY;COUNT=1 RDATE;VALUE=PERIOD:20270105T000000Z/PT1H",
	"20270101T090000 20270105T000000", true},
	{"UTC", "DTSTART:20270101T000000 RRULE:FREQ=SECONDLY EXDATE;VALUE=DATE:20270102 EXDATE:20270101T000001",
	"20270101T000000 20270101T000002 20270101T000003", false},
	{"America/New_York", "DTSTART:20270307T013000 RRULE:FREQ=DAILY;COUNT=2 EXDATE:20270307T063000Z",
	"20270308T013000-0500", true},
	/* without DTSTART, from the anchor 2024-01-01 00:00:00 UTC */
	{"UTC", "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13", "20240913T000000 20241213T000000 20250613T000000", false},
	{"Europe/Berlin", "FREQ=DAILY;COUNT=2", "20240101T000000 20240102T000000", true},
	{"UTC", "FREQ=HOURLY;BYHOUR=9;COUNT=2", "20240101T090000 20240102T090000", true},
	/* second 60 is second 59 */
	{"UTC", "DTSTART:20270101T000060 RRULE:FREQ=MINUTELY;BYSECOND=60;COUNT=2", "20270101T000059 20270101T000159", true},
	/* the end of time */
	{"UTC", "DTSTART:21991231T000000 RRULE:FREQ=YEARLY", "21991231T000000 22001231T000000", true},
	{"UTC", "DTSTART:22001231T235958 RRULE:FREQ=SECONDLY;COUNT=9", "22001231T235958 22001231T235959", true},
	/* long ago: local mean time */
	{"America/New_York", "DTSTART:18831118T115900 RRULE:FREQ=DAILY;COUNT=2", "18831118T165502 18831119T165900", true},
};

static void
test_zones(void)
{
	for (int i = 0; i < lengthof(zone_cases); i++)
		check_fires(zone_cases[i].text, zone_named(zone_cases[i].zone),
					zone_cases[i].fires, zone_cases[i].complete);
}

static void
test_never(void)
{
	static const char *const rules[] = {
		"FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
		"FREQ=MONTHLY;BYMONTHDAY=31;BYMONTH=4,6,9,11",
		"FREQ=MONTHLY;BYDAY=6MO",
		"FREQ=YEARLY;BYWEEKNO=20;BYMONTH=1",
		"FREQ=DAILY;BYMONTHDAY=31;BYMONTH=2",
		"FREQ=MONTHLY;BYMONTHDAY=1;BYSETPOS=2",
		"FREQ=HOURLY;INTERVAL=24;BYHOUR=3",
		"FREQ=MINUTELY;INTERVAL=60;BYMINUTE=30",
		"FREQ=SECONDLY;INTERVAL=60;BYSECOND=30",
		"FREQ=SECONDLY;BYSECOND=1;BYSETPOS=2",
		"FREQ=YEARLY;UNTIL=20230101",
		"DTSTART:20250101T000000 RRULE:FREQ=WEEKLY;INTERVAL=1000000000;BYDAY=MO",
	};

	for (int i = 0; i < lengthof(rules); i++)
	{
		SchedRRule *rule = parse(rules[i]);
		SchedTime	anchor = instant("20240101T000000");
		const SchedZone *utc = zone_named("UTC");

		if (!unit_ok(rule != NULL, "%s parses", rules[i]))
			continue;
		unit_ok(sched_rrule_next(rule, utc, anchor,
								 SCHED_TIME_BEGIN) == SCHED_TIME_NEVER,
				"%s never fires", rules[i]);
		unit_ok(sched_rrule_last(rule, utc, anchor, SCHED_TIME_BEGIN,
								 SCHED_TIME_NEVER) == SCHED_TIME_BEGIN,
				"%s has no last fire", rules[i]);
		unit_is_int(sched_rrule_count(rule, utc, anchor, SCHED_TIME_BEGIN,
									  SCHED_TIME_NEVER, PG_INT64_MAX), 0,
					psprintf("%s has no fires", rules[i]));
		sched_rrule_free(rule);
	}
}

typedef struct ErrorCase
{
	const char *text;
	int			position;
	const char *message;
} ErrorCase;

static const ErrorCase error_cases[] = {
	{"", 0, "recurrence rule has no RRULE"},
	{"   ", 3, "recurrence rule has no RRULE"},
	{"DTSTART:20270101T000000", 23, "recurrence rule has no RRULE"},
	{"RRULE:", 6, "recurrence rule has no FREQ"},
	{"COUNT=5", 7, "recurrence rule has no FREQ"},
	{"FREQ=FORTNIGHTLY", 5, "invalid FREQ \"FORTNIGHTLY\" in recurrence rule"},
	{"FREQ=", 5, "FREQ is missing in recurrence rule"},
	{"FREQ", 4, "\"=\" is missing in recurrence rule"},
	{"FREQ=DAILY;FREQ=DAILY", 11, "FREQ is given twice in recurrence rule"},
	{"FREQ=DAILY;BYDAI=MO", 11, "invalid part \"BYDAI=MO\" in recurrence rule"},
	{"FREQ=DAILY,COUNT=1", 10, "unexpected \",\" in recurrence rule"},
	{"FREQ=DAILY;INTERVAL=0", 20, "invalid INTERVAL \"0\" in recurrence rule"},
	{"FREQ=DAILY;INTERVAL=-1", 20, "invalid INTERVAL \"-1\" in recurrence rule"},
	{"FREQ=DAILY;INTERVAL=1x", 20, "invalid INTERVAL \"1x\" in recurrence rule"},
	{"FREQ=DAILY;INTERVAL=99999999999999999999", 20, "invalid INTERVAL \"99999999999999999999\" in recurrence rule"},
	{"FREQ=DAILY;COUNT=0", 17, "invalid COUNT \"0\" in recurrence rule"},
	{"FREQ=DAILY;COUNT=1;UNTIL=20270101", 19, "COUNT does not go with UNTIL in recurrence rule"},
	{"FREQ=DAILY;UNTIL=2027-01-01", 17, "invalid UNTIL \"2027-01-01\" in recurrence rule"},
	{"FREQ=DAILY;UNTIL=20270229", 17, "invalid UNTIL \"20270229\" in recurrence rule"},
	{"FREQ=DAILY;UNTIL=20270101T240000", 17, "invalid UNTIL \"20270101T240000\" in recurrence rule"},
	{"FREQ=DAILY;UNTIL=20270101T0000", 17, "invalid UNTIL \"20270101T0000\" in recurrence rule"},
	{"FREQ=DAILY;BYMONTH=13", 19, "invalid BYMONTH value \"13\" in recurrence rule"},
	{"FREQ=DAILY;BYMONTH=-1", 19, "invalid BYMONTH value \"-1\" in recurrence rule"},
	{"FREQ=DAILY;BYMONTH=1,,2", 21, "BYMONTH value is missing in recurrence rule"},
	{"FREQ=DAILY;BYMONTHDAY=0", 22, "invalid BYMONTHDAY value \"0\" in recurrence rule"},
	{"FREQ=DAILY;BYMONTHDAY=32", 22, "invalid BYMONTHDAY value \"32\" in recurrence rule"},
	{"FREQ=DAILY;BYHOUR=24", 18, "invalid BYHOUR value \"24\" in recurrence rule"},
	{"FREQ=DAILY;BYMINUTE=60", 20, "invalid BYMINUTE value \"60\" in recurrence rule"},
	{"FREQ=DAILY;BYSECOND=61", 20, "invalid BYSECOND value \"61\" in recurrence rule"},
	{"FREQ=DAILY;BYDAY=XX", 17, "invalid BYDAY value \"XX\" in recurrence rule"},
	{"FREQ=MONTHLY;BYDAY=54MO", 19, "invalid BYDAY value \"54MO\" in recurrence rule"},
	{"FREQ=MONTHLY;BYDAY=0MO", 19, "invalid BYDAY value \"0MO\" in recurrence rule"},
	{"FREQ=MONTHLY;BYDAY=-MO", 19, "invalid BYDAY value \"-MO\" in recurrence rule"},
	{"FREQ=MONTHLY;BYDAY=MON", 19, "invalid BYDAY value \"MON\" in recurrence rule"},
	{"FREQ=DAILY;BYDAY=1MO", 11, "BYDAY does not go with FREQ=DAILY"},
	{"FREQ=WEEKLY;BYMONTHDAY=1", 12, "BYMONTHDAY does not go with FREQ=WEEKLY"},
	{"FREQ=MONTHLY;BYWEEKNO=1", 13, "BYWEEKNO does not go with FREQ=MONTHLY"},
	{"FREQ=DAILY;BYYEARDAY=1", 11, "BYYEARDAY does not go with FREQ=DAILY"},
	{"FREQ=YEARLY;BYWEEKNO=1;BYDAY=1MO", 23, "BYDAY with a number does not go with BYWEEKNO"},
	{"FREQ=YEARLY;BYWEEKNO=54", 21, "invalid BYWEEKNO value \"54\" in recurrence rule"},
	{"FREQ=YEARLY;BYYEARDAY=367", 22, "invalid BYYEARDAY value \"367\" in recurrence rule"},
	{"FREQ=DAILY;BYSETPOS=1", 11, "BYSETPOS needs another part to select from"},
	{"FREQ=DAILY;BYHOUR=1;BYSETPOS=0", 29, "invalid BYSETPOS value \"0\" in recurrence rule"},
	{"FREQ=DAILY;WKST=1", 16, "invalid WKST \"1\" in recurrence rule"},
	{"FREQ=DAILY RRULE:FREQ=DAILY", 11, "more than one RRULE in recurrence rule"},
	{"FREQ=DAILY DTSTART:20270101 DTSTART:20270101", 28, "DTSTART is given twice in recurrence rule"},
	{"FREQ=DAILY DTSTART:15000101T000000", 19, "invalid DTSTART \"15000101T000000\" in recurrence rule"},
	{"FREQ=DAILY DTSTART:22010101T000000", 19, "invalid DTSTART \"22010101T000000\" in recurrence rule"},
	{"FREQ=DAILY DTSTART;TZID:20270101", 23, "\"=\" is missing in recurrence rule"},
	{"FREQ=DAILY DTSTART;TZID=:20270101", 24, "invalid TZID in recurrence rule"},
	{"FREQ=DAILY DTSTART;X=Y:20270101", 19, "invalid parameter \"X=Y:20270101\" in recurrence rule"},
	{"FREQ=DAILY DTSTART;TZID=Europe/Berlin", 37, "\":\" is missing in recurrence rule"},
	{"FREQ=DAILY DTSTART;TZID=UTC:20270101 EXDATE;TZID=Asia/Tokyo:20270101", 49, "recurrence rule names two time zones"},
	{"FREQ=DAILY EXRULE:FREQ=DAILY", 11, "EXRULE is not supported"},
	{"FREQ=DAILY EXDATE:", 18, "EXDATE is missing in recurrence rule"},
	{"FREQ=DAILY hello", 11, "more than one RRULE in recurrence rule"},
};

static void
test_errors(void)
{
	char	   *many;
	char	   *end;
	SchedError	err = {0};

	for (int i = 0; i < lengthof(error_cases); i++)
	{
		const ErrorCase *c = &error_cases[i];
		SchedRRule *rule;

		memset(&err, 0, sizeof(err));
		rule = sched_rrule_parse(c->text, &err);
		if (!unit_ok(rule == NULL, "refused: \"%s\"", c->text))
		{
			sched_rrule_free(rule);
			continue;
		}
		unit_is_str(err.message, c->message,
					psprintf("message for \"%s\"", c->text));
		unit_is_int(err.position, c->position,
					psprintf("position of the error in \"%s\"", c->text));
		unit_ok(err.hint[0] != '\0', "there is a hint for \"%s\"", c->text);
	}
	unit_ok(sched_rrule_parse("x", NULL) == NULL,
			"an error that nobody asked for is no trouble");

	many = palloc(20000);
	end = many + sprintf(many, "FREQ=DAILY EXDATE:20270101");
	for (int i = 0; i < 999; i++)
		end += sprintf(end, ",20270101");
	unit_ok(sched_rrule_parse(many, &err) != NULL, "1000 EXDATEs are accepted");
	sprintf(end, ",20270101");
	unit_ok(sched_rrule_parse(many, &err) == NULL &&
			strcmp(err.message, "too many dates in recurrence rule") == 0,
			"1001 are not");
	pfree(many);
}

typedef struct Description
{
	const char *text;
	const char *words;
} Description;

static const Description descriptions[] = {
	{"FREQ=DAILY", "every day"},
	{"FREQ=WEEKLY;BYDAY=MO,FR;BYHOUR=9;BYMINUTE=0", "every week on Monday and Friday at 09:00"},
	{"FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13", "every month on Friday that is the 13th day of the month"},
	{"FREQ=MONTHLY;INTERVAL=2;BYDAY=-1FR,2MO;COUNT=3", "every 2 months on the 2nd Monday and the last Friday of the month, 3 times"},
	{"FREQ=YEARLY;BYMONTH=1,7;BYMONTHDAY=1,-2", "every year on the 1st and 2nd to last day of the month in January and July"},
	{"FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO", "every year on Monday in the 20th week of the year"},
	{"FREQ=YEARLY;BYYEARDAY=100,-1", "every year on the 100th and last day of the year"},
	{"FREQ=MONTHLY;BYDAY=MO,TU;BYSETPOS=-1", "every month on Monday and Tuesday, of these only the last of each month"},
	{"FREQ=HOURLY;BYMINUTE=0,30", "every hour at minutes 0 and 30"},
	{"FREQ=MINUTELY;INTERVAL=15;BYHOUR=9,10", "every 15 minutes in hours 9 and 10"},
	{"DTSTART;TZID=Europe/Berlin:20270101T090000 RRULE:FREQ=DAILY;UNTIL=20280101T000000Z EXDATE:20270102T090000 RDATE:20270103",
	"every day at 09:00, from 2027-01-01 09:00 (Europe/Berlin), until 2028-01-01 00:00 UTC, also on 2027-01-03, but not on 2027-01-02 09:00"},
	{"FREQ=DAILY;COUNT=1", "every day, once"},
};

static void
test_descriptions(void)
{
	for (int i = 0; i < lengthof(descriptions); i++)
	{
		SchedRRule *rule = parse(descriptions[i].text);

		if (unit_ok(rule != NULL, "%s parses", descriptions[i].text))
			unit_is_str(sched_rrule_describe(rule), descriptions[i].words,
						psprintf("description of %s", descriptions[i].text));
		sched_rrule_free(rule);
	}
}

static void
test_zone_name(void)
{
	SchedRRule *rule = parse("DTSTART;TZID=\"America/New_York\":20270101T090000 RRULE:FREQ=DAILY");

	unit_is_str(sched_rrule_zone_name(rule), "America/New_York",
				"TZID names the zone");
	sched_rrule_free(rule);
	rule = parse("FREQ=DAILY");
	unit_ok(sched_rrule_zone_name(rule) == NULL, "without TZID none is named");
	sched_rrule_free(rule);
}

/* One rule asked for several anchors and zones in turn: caches must follow. */
static void
test_caches(void)
{
	SchedRRule *rule = parse("FREQ=HOURLY;INTERVAL=5;COUNT=20");
	SchedRRule *daily = parse("FREQ=DAILY;COUNT=3");
	static const char *const zones[] = {"UTC", "America/New_York", "Asia/Tokyo"};
	bool		right = true;

	for (int round = 0; round < 30; round++)
	{
		SchedTime	anchor = instant(round % 2 ? "20260307T120000" : "20270101T000000");
		const SchedZone *zone = zone_named(zones[round % 3]);

		right = right &&
			sched_rrule_last(rule, zone, anchor, SCHED_TIME_BEGIN,
							 SCHED_TIME_NEVER) ==
			anchor + 19 * 5 * 3600 * SCHED_USEC_PER_SEC &&
			sched_rrule_count(daily, zone, anchor, SCHED_TIME_BEGIN,
							  SCHED_TIME_NEVER, 100) == 3 &&
			sched_rrule_next(daily, zone, anchor, anchor - 1) == anchor;
	}
	unit_ok(right, "answers follow anchor and zone");
	sched_rrule_free(rule);
	sched_rrule_free(daily);
}

/* Rules made to be slow; none may take more than 10 ms for anything. */
static const char *const hostile[] = {
	"DTSTART:16010101T000000 RRULE:FREQ=SECONDLY;COUNT=999999999999",
	"DTSTART:16010101T000000 RRULE:FREQ=SECONDLY;COUNT=3000000000;BYHOUR=1,3,5;BYMINUTE=1,2,3",
	"DTSTART:16010101T000000 RRULE:FREQ=SECONDLY;INTERVAL=7;COUNT=999999999;BYHOUR=3;BYMINUTE=1,9",
	"DTSTART:16010101T000000 RRULE:FREQ=SECONDLY;INTERVAL=67;COUNT=99999999;BYSECOND=1,2,3",
	"DTSTART:16010101T000000 RRULE:FREQ=SECONDLY;INTERVAL=86399;COUNT=99999;BYHOUR=3;BYMINUTE=7",
	"DTSTART:16010101T000000 RRULE:FREQ=SECONDLY;INTERVAL=43201;BYHOUR=3;BYMINUTE=7;BYSECOND=11;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO",
	"DTSTART:16010101T000000 RRULE:FREQ=MINUTELY;INTERVAL=420;BYDAY=MO;BYHOUR=0,7,14,21;BYMINUTE=1,2,3,4,5,6,8",
	"DTSTART:16010101T000000 RRULE:FREQ=MINUTELY;INTERVAL=1439;COUNT=999999;BYMINUTE=59;BYHOUR=23",
	"DTSTART:16010101T000000 RRULE:FREQ=HOURLY;INTERVAL=23;COUNT=9999999;BYMINUTE=1,3,5,7,9;BYSECOND=1,2,3,4,5,6,7;BYSETPOS=1,2,3,-1",
	"DTSTART:16010101T000000 RRULE:FREQ=DAILY;COUNT=999999999;BYHOUR=0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15;BYMINUTE=1,2,3,4,5,6;BYSECOND=1,2,3,4,5,6;BYSETPOS=1,50,100,150,200,250,300,350,-350,-1,-366",
	"DTSTART:16010101T000000 RRULE:FREQ=DAILY;BYHOUR=1;BYSETPOS=300,-300",
	"DTSTART:16010101T000000 RRULE:FREQ=YEARLY;COUNT=99999;BYDAY=MO,TU;BYHOUR=1,2,3,4,5;BYSETPOS=1,2,366,-366",
	"DTSTART:16010101T000000 RRULE:FREQ=WEEKLY;INTERVAL=3;COUNT=99999;BYDAY=MO,TU;BYMONTH=2;BYSETPOS=2",
	"DTSTART:16040229T000000 RRULE:FREQ=YEARLY;INTERVAL=28;BYMONTH=2;BYMONTHDAY=29;BYDAY=TU;COUNT=500",
	"DTSTART:16010101T000000 RRULE:FREQ=DAILY;INTERVAL=2;BYMONTHDAY=31;BYMONTH=12;BYDAY=SA;COUNT=9999",
	"DTSTART:16010101T000000 RRULE:FREQ=YEARLY;BYWEEKNO=53;BYDAY=MO;BYMONTHDAY=3;BYMONTH=1",
	"DTSTART:16010101T000000 RRULE:FREQ=SECONDLY;INTERVAL=60;BYSECOND=30",
	"DTSTART:16010101T000000 RRULE:FREQ=MONTHLY;BYMONTHDAY=1;BYHOUR=1;BYSETPOS=2",
};

static void
test_hostile(void)
{
	const SchedZone *zones[2] = {zone_named("UTC"), zone_named("America/New_York")};
	SchedTime	points[3] = {
		instant("16010101T000000"), instant("20270101T000000"), instant("21990101T000000")
	};

	for (int i = 0; i < lengthof(hostile); i++)
	{
		double		worst = 0;

		for (int z = 0; z < 2; z++)
		{
			for (int p = 0; p < 3; p++)
			{
				SchedRRule *rule = parse(hostile[i]);
				double		before = unit_cpu_seconds();
				double		cost;

				if (rule == NULL)
					break;
				(void) sched_rrule_next(rule, zones[z], 0, points[p]);
				cost = unit_cpu_seconds() - before;
				worst = Max(worst, cost);

				before = unit_cpu_seconds();
				(void) sched_rrule_count(rule, zones[z], 0, points[0],
										 points[p] + 1, PG_INT64_MAX);
				cost = unit_cpu_seconds() - before;
				worst = Max(worst, cost);

				before = unit_cpu_seconds();
				(void) sched_rrule_last(rule, zones[z], 0, points[0],
										SCHED_TIME_NEVER);
				cost = unit_cpu_seconds() - before;
				worst = Max(worst, cost);
				sched_rrule_free(rule);
			}
		}
		unit_ok(worst > 0 && worst < UNIT_HOSTILE_SECONDS,
				"%s costs %.2f ms at worst", hostile[i], worst * 1000);
	}
}

int
main(void)
{
	test_table();
	test_zones();
	test_never();
	test_errors();
	test_descriptions();
	test_zone_name();
	test_caches();
	test_hostile();
	return unit_done();
}
