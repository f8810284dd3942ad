CREATE EXTENSION sched;
CREATE TABLE visit (who text, at timestamptz DEFAULT clock_timestamp());

-- every minute as cron would, every three seconds, and once in five seconds
SELECT sched.create_job('every-minute', $$INSERT INTO visit VALUES ('cron')$$, '* * * * *');
SELECT sched.create_job('heartbeat', $$INSERT INTO visit VALUES ('interval')$$, '@every 3s');
SELECT sched.create_job('one-time', 'VACUUM ANALYZE visit', '@at ' || now() + interval '5 s');

-- takes a while; again four seconds after it ended the last time
SELECT sched.create_job('report', $$
    SELECT sched.log('info', 'counting visits');
    SELECT pg_sleep(2);
    SELECT who, count(*) FROM visit GROUP BY who$$, '@after 4s');

-- fails twice, is tried again a second later: the third try succeeds
CREATE SEQUENCE try;
SELECT sched.create_job('third-time-lucky', $$
    DO 'BEGIN IF nextval(''try'') % 3 > 0 THEN RAISE EXCEPTION ''no luck yet''; END IF; END'
    $$, max_attempts => 3, retry_strategy => 'fixed_delay', retry_delay => '1s');
SELECT sched.run_job('third-time-lucky');

-- fails for good; without a schedule it runs when it is told to
SELECT sched.create_job('hopeless', 'SELECT 1 / 0', max_attempts => 1);
SELECT sched.run_job('hopeless');

-- a workflow: two jobs follow one, another one follows both
SELECT sched.create_job('extract',  'SELECT pg_sleep(1); SELECT 3 AS files');
SELECT sched.create_job('orders',   $$
    SELECT pg_sleep(1);
    SELECT sched.emit_event('order.created', '{"order_id": 17}') AS event$$,
    depends_on => '{extract}');
SELECT sched.create_job('payments', 'SELECT pg_sleep(2)', depends_on => '{extract}');
SELECT sched.create_job('totals',   'SELECT 42 AS total', depends_on => '{orders,payments}');
SELECT sched.run_job('extract');

-- an event fires this one: "orders" above emits it
SELECT sched.create_job('confirm', $$
    SELECT 'order ' || (sched.current_task() #>> '{parameters,event,payload,order_id}') AS done$$,
    '@event order.created');

-- not run by the server but by sched-executor, a program that takes such tasks
SELECT sched.create_job('disk-space', $$
    echo "INFO: asking df" >&2; df -Ph . | awk 'NR == 2 { print $4 " free" }'$$,
    '@every 6s', type => 'shell');
