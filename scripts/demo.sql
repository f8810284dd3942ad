CREATE EXTENSION sched;
CREATE TABLE visit (who text, at timestamptz DEFAULT clock_timestamp());

-- every minute, as cron would
SELECT sched.create_job('every-minute',
    $$INSERT INTO visit VALUES ('cron')$$,
    '* * * * *');

-- every second
SELECT sched.create_job('every-second',
    $$INSERT INTO visit VALUES ('interval')$$,
    '@every 1 second');

-- once, five seconds from now
SELECT sched.create_job('one-time',
    $$VACUUM ANALYZE visit$$,
    '@at ' || date_trunc('second', now()) + interval '5 seconds');

-- something that takes a while, three seconds after it ended the last time
SELECT sched.create_job('report',
    $$SELECT sched.log('info', 'counting visits');
      SELECT pg_sleep(2);
      SELECT who, count(*) FROM visit GROUP BY who$$,
    '@after 3 seconds');

-- fails twice and is tried again a second later: the third try succeeds
CREATE SEQUENCE try;
SELECT sched.create_job('third-time-lucky',
    $$DO 'BEGIN IF nextval(''try'') % 3 > 0 THEN RAISE EXCEPTION ''no luck yet''; END IF; END'$$,
    '@every 5 seconds',
    max_attempts => 3, retry_strategy => 'fixed_delay', retry_delay => '1 second');

-- fails for good; there is no schedule, so it runs when it is told to
SELECT sched.create_job('hopeless', $$SELECT 1 / 0$$, max_attempts => 1);
SELECT sched.run_job('hopeless');
