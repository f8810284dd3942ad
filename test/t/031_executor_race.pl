# A race: sessions of eight executors claim, start, complete, fail, cancel, beat,
# detect and deactivate as they like, half of it wrong or too late, some of it
# rolled back, while sessions, the scheduler and the whole server are killed.
# Then an audit over what was accepted, what was claimed and what the record
# says: each task ended exactly once, no attempt had two leases, no two
# attempts of a task were in hands at the same time, nothing stale was taken.
#
# SCHED_RACE_SECONDS=600 makes it last for ten minutes.

use strict;
use warnings;
use Test::More;
use SchedTest;
use Time::HiRes qw(time usleep);

my $seconds = $ENV{SCHED_RACE_SECONDS} || 15;
my $node = new_node('race', conf => "sched.max_concurrent_jobs = 0\nsched.start_timeout = 1\nsched.cancel_grace = 1\nsched.executor_timeout = 5\n");
wait_pids($node, scheduler_type, 1);

sql($node, <<'SQL');
CREATE SCHEMA race;
-- what was handed out, and what was accepted; no keys: twice is to be seen
CREATE TABLE race.claim (n bigserial, task_id bigint, attempt int, executor text);
CREATE TABLE race.accepted (task_id bigint, attempt int, what text);
CREATE INDEX ON race.claim (n);
SELECT sched.create_job('race', 'x', type => 'shell', max_attempts => 3, retry_delay => '20 ms', retry_strategy => 'fixed_delay', timeout => '2 s');
SELECT count(*) FROM generate_series(0, 7) g, sched.register_executor('e' || g, max_concurrent => 50);

CREATE FUNCTION race.step(p_who int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	v_executor	text := 'e' || (p_who % 8);
	v_dice		int := random() * 100;
	v_undo		boolean := random() < 0.1;
	v_last		bigint;
	v_ids		bigint[];
	v_attempts	int[];
BEGIN
	/* some of its newest claims, if they are still its own or not */
	SELECT last_value INTO v_last FROM race.claim_n_seq;
	SELECT coalesce(array_agg(c.task_id), '{}'), coalesce(array_agg(c.attempt), '{}') INTO v_ids, v_attempts
	FROM (SELECT * FROM race.claim c WHERE c.n > v_last - 60 AND (c.executor = v_executor OR random() < 0.05)
		  ORDER BY random() LIMIT 8) c;
	CASE
		WHEN v_dice < 12 THEN
			PERFORM sched.schedule_tasks('race', array_fill('{}'::jsonb, ARRAY[3]));
		WHEN v_dice < 40 THEN
			INSERT INTO race.claim (task_id, attempt, executor)
			SELECT t.task_id, t.attempt, v_executor
			FROM sched.claim_tasks(v_executor, 1 + (random() * 6)::int, start => random() < 0.6) t;
		WHEN v_dice < 50 THEN PERFORM sched.start_tasks(v_ids, v_attempts);
		WHEN v_dice < 75 THEN
			INSERT INTO race.accepted
			SELECT r.task_id, a.attempt, 'c' FROM sched.complete_tasks(v_ids, v_attempts) WITH ORDINALITY r
			JOIN unnest(v_attempts) WITH ORDINALITY AS a (attempt, ordinality) USING (ordinality) WHERE r.accepted;
		WHEN v_dice < 83 THEN
			INSERT INTO race.accepted
			SELECT r.task_id, a.attempt, 'f'
			FROM sched.fail_tasks(v_ids, v_attempts, array_fill('broken'::text, ARRAY[cardinality(v_ids)]), random() < 0.8) WITH ORDINALITY r
			JOIN unnest(v_attempts) WITH ORDINALITY AS a (attempt, ordinality) USING (ordinality) WHERE r.accepted;
		WHEN v_dice < 88 THEN
			IF cardinality(v_ids) > 0 THEN
				PERFORM sched.cancel_task(v_ids[1]);
			END IF;
		WHEN v_dice < 95 THEN PERFORM sched.heartbeat(v_executor);
		WHEN v_dice < 97 THEN PERFORM sched.detect_failed_executors(random() * interval '1 second');
		WHEN v_dice < 98 THEN PERFORM sched.deactivate_executor(v_executor, drain => random() < 0.5);
		ELSE PERFORM sched.activate_executor(v_executor);
	END CASE;
	IF v_undo THEN
		RAISE EXCEPTION USING ERRCODE = 'SR001';
	END IF;
	RETURN 'done';
EXCEPTION
	WHEN SQLSTATE 'SR001' THEN RETURN 'undone';
	WHEN object_not_in_prerequisite_state THEN RETURN 'refused';
END $$;
SQL

my $dir = PostgreSQL::Test::Utils::tempdir();
my %script = (
	one  => 'SELECT race.step(:client_id);',
	many => "BEGIN;\nSELECT race.step(:client_id);\nSELECT race.step(:client_id);\nSELECT race.step(:client_id);\nCOMMIT;",
	back => "BEGIN;\nSELECT race.step(:client_id);\nSAVEPOINT s;\nSELECT race.step(:client_id);\nROLLBACK TO s;\nSELECT race.step(:client_id);\nROLLBACK;");
for my $name (keys %script)
{
	open my $fh, '>', "$dir/$name.sql" or die;
	print $fh $script{$name};
	close $fh;
}

# ---- the race -----------------------------------------------------------------

my $end = time() + $seconds;
my ($rounds, $crashes) = (0, 0);
while (time() < $end)
{
	my $log = '';
	my $bench = IPC::Run::start(
		[ 'pgbench', '-n', '-c', '12', '-j', '2', '-T', '600', '-f', "$dir/one.sql\@8", '-f', "$dir/many.sql\@3", '-f', "$dir/back.sql\@1",
			$node->connstr('postgres') . ' application_name=pgbench' ],
		'>', \$log, '2>', \$log);
	my $round_end = time() + 3 + rand(1);
	my $backends = q(FROM pg_stat_activity WHERE application_name = 'pgbench');

	while (time() < $round_end)
	{
		usleep(200_000);
		eval { sql($node, "SELECT pg_terminate_backend(pid) FROM (SELECT pid $backends ORDER BY random() LIMIT 1) AS p") } if rand() < 0.4;
		eval { sql($node, 'SELECT pg_terminate_backend(pid) FROM sched._scheduler_state()') } if rand() < 0.1;
	}
	$rounds++;
	# every other round ends with a crash in the middle of everything
	if ($rounds % 2 == 0)
	{
		my $pid = sql($node, "SELECT pid $backends LIMIT 1");
		if ($pid)
		{
			my $started = sql($node, q(SELECT backend_start FROM pg_stat_activity WHERE backend_type = 'checkpointer'));
			kill 9, $pid;
			wait_for($node, "SELECT backend_start > '$started' FROM pg_stat_activity WHERE backend_type = 'checkpointer'", 't');
			$crashes++;
		}
	}
	$bench->signal('TERM');
	$bench->kill_kill;
	my @bad = grep { /ERROR/ && !/terminating|connection|closed/ } split /\n/, $log;
	is_deeply([ @bad[ 0 .. ($#bad > 4 ? 4 : $#bad) ] ], [], "round $rounds: no call fails otherwise than it should");
}
note("$rounds rounds, $crashes crashes");

# ---- everything comes to its end -------------------------------------------------

wait_for($node, q(SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgbench'), '0');
wait_for($node, q(SELECT sched.liveness() ->> 'status'), 'UP');
sql($node, q(SELECT sched.register_executor('last', max_concurrent => 5000)));
ok( wait_until(
		sub {
			sql($node, q(SELECT sched.heartbeat('last');
				WITH c AS (INSERT INTO race.claim (task_id, attempt, executor) SELECT task_id, attempt, 'last' FROM sched.claim_tasks('last', 5000, start => true) RETURNING *),
				     d AS (SELECT array_agg(task_id) AS ids, array_agg(attempt) AS attempts FROM c)
				INSERT INTO race.accepted SELECT r.task_id, a.attempt, 'c' FROM d, sched.complete_tasks(d.ids, d.attempts) WITH ORDINALITY r
				JOIN unnest((SELECT attempts FROM d)) WITH ORDINALITY AS a (attempt, ordinality) USING (ordinality) WHERE d.ids IS NOT NULL AND r.accepted));
			# one that was lost again and again waits for minutes
			sql($node, q(SELECT sched.retry_task(task_id) FROM sched._live_tasks() WHERE status = 'waiting_retry'));
			sql($node, 'SELECT count(*) FROM sched.tasks WHERE finished_at IS NULL') == 0;
		}, 120), 'every task comes to its end')
  or diag(sql($node, 'SELECT string_agg(t::text, E\'\n\') FROM (SELECT task_id, status, attempt, executor, error, reason FROM sched.tasks WHERE finished_at IS NULL LIMIT 5) AS t'));

# ---- the audit ----------------------------------------------------------------------

my $tasks = sql($node, 'SELECT count(*) FROM sched._task');
note("$tasks tasks, " . sql($node, 'SELECT count(*) FROM sched._outcome') . ' attempts: ' . sql($node,
	'SELECT string_agg(format($$%s %s$$, n, word), $$, $$ ORDER BY n DESC) FROM (SELECT count(*) n, sched._outcome_status(status) word FROM sched._outcome GROUP BY 2) AS s'));
cmp_ok($tasks, '>', 100, 'there was something to race for');
sub none { is(sql($node, "SELECT count(*) FROM ($_[0]) AS bad"), 0, $_[1]) or diag(sql($node, "SELECT string_agg(bad::text, E'\n') FROM ($_[0] LIMIT 5) AS bad")); return }

none('SELECT task_id FROM sched._task t WHERE 1 <> (SELECT count(*) FROM sched._outcome o WHERE o.task_id = t.task_id AND o.final)',
	'every task has ended exactly once');
none('SELECT task_id, attempt FROM race.claim GROUP BY 1, 2 HAVING count(*) > 1', 'no attempt was handed out twice');
none('SELECT task_id, attempt FROM race.accepted GROUP BY 1, 2 HAVING count(*) > 1', 'no attempt was ended twice');
none(q(SELECT a.* FROM race.accepted a LEFT JOIN sched._outcome o USING (task_id, attempt)
	WHERE o.status IS NULL OR (o.status <> a.what AND NOT (a.what = 'f' AND o.status = 'x'))),
	'what was accepted is what the record says');
none(q(SELECT o.task_id, o.attempt, o.status FROM sched._outcome o LEFT JOIN race.accepted a USING (task_id, attempt)
	WHERE o.status IN ('c', 'f') AND a.what IS NULL), 'nothing was recorded that nobody reported');
none(q(SELECT o.task_id, o.attempt, o.status FROM sched._outcome o LEFT JOIN race.claim c USING (task_id, attempt)
	LEFT JOIN sched._executor e ON e.executor_id = o.executor_id
	WHERE o.started_at IS NOT NULL AND c.executor IS DISTINCT FROM e.name), 'each attempt was run by the one that had claimed it');
none(q(SELECT l.task_id, l.attempt FROM (
		SELECT coalesce(u.id, l.task_id) AS task_id, coalesce(u.n, l.attempt) AS attempt, l.leased_at
		FROM sched._lease l LEFT JOIN LATERAL unnest(l.task_ids, l.attempts) AS u (id, n) ON true WHERE l.kind IN ('a', 'r')) AS l
	JOIN sched._outcome o ON o.task_id = l.task_id AND o.attempt < l.attempt AND o.finished_at > l.leased_at),
	'no attempt began before the one before it was over');
none(q(SELECT c.task_id, c.attempt FROM race.claim c LEFT JOIN sched._outcome o USING (task_id, attempt) WHERE o.status IS NULL),
	'each attempt that was handed out has its end');
none(q(SELECT task_id FROM sched._outcome WHERE final GROUP BY task_id HAVING max(attempt) <> (SELECT max(o.attempt) FROM sched._outcome o WHERE o.task_id = _outcome.task_id)),
	'nothing follows the end');
none(q(SELECT task_id, count(*) FROM sched._outcome WHERE status IN ('f', 't') GROUP BY 1 HAVING count(*) > 3), 'no task has more attempts than it may');
none(q(SELECT name, running FROM sched.executors WHERE running > 0), 'nobody has anything any more');
is(sql($node, 'SELECT ready_tasks || $$ $$ || running_tasks || $$ $$ || waiting_sessions FROM sched.cluster_status'), '0 0 0', 'the queue is empty');

$node->stop;
done_testing();
