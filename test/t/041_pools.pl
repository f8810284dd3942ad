# Pools under load: sessions order tasks of several jobs at once, workers take
# and give back slots, slots are added and taken away, a worker is killed.
# From the history: never more slots in use than there were, nobody
# overtaken, nothing left behind.

use strict;
use warnings;
use Test::More;
use IPC::Run qw(start finish);
use SchedTest;

my $node = new_node('pools', conf => "sched.max_workers = 8\nsched.max_concurrent_jobs = 100\n");
wait_pids($node, scheduler_type, 1);

sql($node, <<'SQL');
SELECT sched.create_pool('wide', 4), sched.create_pool('narrow', 1);
SELECT sched.create_job('small', 'SELECT pg_sleep(random() * 0.004)', pool => 'wide');
SELECT sched.create_job('middle', 'SELECT pg_sleep(random() * 0.004)', pool => 'wide', pool_slots => 2);
SELECT sched.create_job('large', 'SELECT pg_sleep(random() * 0.004)', pool => 'wide', pool_slots => 4);
SELECT sched.create_job('thin', 'SELECT pg_sleep(random() * 0.004)', pool => 'narrow');
SELECT sched.create_job('free', 'SELECT 1');
SQL

# How many slots were in use at most, by what the outcomes say.
sub most_used
{
	my ($pool) = @_;

	return sql($node, <<"SQL");
SELECT coalesce(max(used), 0) FROM (
	SELECT sum(slots) OVER (ORDER BY at, slots) AS used FROM (
		SELECT t.started_at AS at, coalesce(j.pool_slots, 1) AS slots
		FROM sched.tasks t JOIN sched.jobs j USING (job_id) WHERE j.pool = '$pool' AND t.started_at IS NOT NULL
		UNION ALL
		SELECT t.finished_at, -coalesce(j.pool_slots, 1)
		FROM sched.tasks t JOIN sched.jobs j USING (job_id) WHERE j.pool = '$pool' AND t.started_at IS NOT NULL) AS e) AS u
SQL
}

# Pairs of one pool where the one that was ready later was started earlier.
sub overtaken
{
	return sql($node, <<'SQL');
SELECT count(*) FROM (
	SELECT t.queued_at, max(t.queued_at) OVER (PARTITION BY j.pool ORDER BY t.started_at ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
	FROM sched.tasks t JOIN sched.jobs j USING (job_id)
	WHERE j.pool IS NOT NULL AND t.started_at IS NOT NULL) AS o
WHERE before > queued_at
SQL
}

sub unfinished { return sql($node, 'SELECT count(*) FROM sched.tasks WHERE finished_at IS NULL'); }

# ---- a race ------------------------------------------------------------------

my $script = $node->basedir . '/race.sql';
open my $fh, '>', $script or die $!;
print $fh <<'SQL';
\set which random(1, 100)
\if :which <= 50
SELECT sched.run_job('small');
\elif :which <= 70
SELECT sched.run_job('middle');
\elif :which <= 80
SELECT sched.run_job('large');
\elif :which <= 90
SELECT sched.run_job('thin');
\elif :which <= 97
SELECT sched.run_job('free');
\else
SELECT sched.cancel_task(t.task_id) FROM sched.tasks t WHERE t.status = 'ready' ORDER BY random() LIMIT 1;
\endif
SQL
close $fh;
my ($out, $err) = ('', '');
my $pgbench = start [ 'pgbench', '-n', '-c', '4', '-t', '150', '-f', $script, '-h', $node->host, '-p', $node->port, 'postgres' ],
	'>', \$out, '2>', \$err;
my $peak = 0;
for (1 .. 200)
{
	$pgbench->pump_nb;
	last unless $pgbench->pumpable;
	my $over = sql($node, q(SELECT coalesce(max(used - slots), 0) FROM sched.pools));
	$peak = $over if $over > $peak;
}
ok($pgbench->finish, 'the sessions end') or diag($err);
unlike($err, qr/ERROR/, 'none of them meets an error') or diag($err);
is($peak, 0, 'nobody ever saw more slots used than there are');
poll_ok($node, 'SELECT count(*) FROM sched.tasks WHERE finished_at IS NULL', '0', 'nothing is left behind', seconds => 60);
cmp_ok(most_used('wide'), '<=', 4, 'the wide pool never gave more than its slots');
is(most_used('narrow'), 1, 'the narrow pool ran one at a time');
is(overtaken(), 0, 'within a pool nobody overtakes, however many slots he needs');
is(sql($node, q(SELECT count(*) FROM sched.tasks WHERE status NOT IN ('completed', 'cancelled'))), 0, 'all were completed or cancelled');
is(sql($node, q(SELECT sum(used + waiting) FROM sched.pools)), 0, 'all slots are free again');

# ---- a full pool and those outside of it -----------------------------------

sql($node, q(SELECT sched.update_pool('wide', 0), sched.update_pool('narrow', 0)));
sql($node, q(SELECT count(*) FROM sched.schedule_tasks('small', array_fill('{}'::jsonb, ARRAY[2000])) AS s,
	sched.run_job('thin') AS t));
my $task = sql($node, q(SELECT sched.run_job('free')));
is(sql($node, "SELECT sched.wait_for_task($task)"), 'completed', 'two closed pools keep nobody else from running');
is(sql($node, q(SELECT sum(used) || ' ' || sum(waiting) FROM sched.pools)), '0 2001', 'and all of theirs wait');
sql($node, q(SELECT sched.update_pool('wide', 3)));
poll_ok($node, q(SELECT count(*) > 20 FROM sched.tasks WHERE job_name = 'small' AND status = 'completed' AND queued_at >
	(SELECT max(finished_at) FROM sched.tasks WHERE job_name = 'large')), 't', 'they go on when it is opened');

# ---- a crash -------------------------------------------------------------------

kill9_server($node);
$node->start;
wait_pids($node, scheduler_type, 1);
sql($node, q(SELECT sched.update_pool('wide', 2)));
poll_ok($node, q(SELECT used <= 2 FROM sched.pools WHERE name = 'wide'), 't', 'after a crash the slots are counted anew');
sql($node, q(SELECT sched.update_pool('narrow', 1), sched.update_pool('wide', 4)));
poll_ok($node, 'SELECT count(*) FROM sched.tasks WHERE finished_at IS NULL', '0', 'and everything that waited is done', seconds => 90);
is(sql($node, q(SELECT sum(used + waiting) FROM sched.pools)), 0, 'all slots are free again');
is(sql($node, q(SELECT count(*) FROM sched.tasks WHERE status = 'failed')), 0, 'nothing failed');

# ---- all limits at once ------------------------------------------------------

# 150 are ready: 100 may run in the database, of those of the pool no more than its slots, and
# no more than the executor takes.
sql($node, <<'SQL');
SELECT sched.register_task_type('far');
SELECT sched.create_pool('far', 30);
SELECT count(*) FROM sched.register_executor('wide', '{far}', '{}', 1000);
SELECT count(*) FROM sched.register_executor('slim', '{far}', '{}', 7);
SELECT sched.create_job('far', type => 'far'), sched.create_job('far pooled', type => 'far', pool => 'far'),
	sched.create_job('far three', type => 'far', max_concurrent_runs => 3);
SQL
sql($node, q(SELECT count(*) FROM sched.schedule_tasks('far three', array_fill(NULL::jsonb, ARRAY[10]))));
sql($node, q(SELECT count(*) FROM sched.schedule_tasks('far pooled', array_fill(NULL::jsonb, ARRAY[40]))));
sql($node, q(SELECT count(*) FROM sched.schedule_tasks('far', array_fill(NULL::jsonb, ARRAY[100]))));
poll_ok($node, q(SELECT sched._pool_capacity('far')), 30, 'the queue knows the pool');
is(sql($node, q(SELECT count(*) FROM sched.claim_tasks('slim', 100))), 7, 'an executor gets no more than it takes');
is(sql($node, q(SELECT count(*) FROM sched.claim_tasks('wide', 1000))), 93, 'all of them no more than the database may run');
is(sql($node, q(SELECT string_agg(job_name || ' ' || n, ', ' ORDER BY job_name) FROM
	(SELECT job_name, count(*) AS n FROM sched.tasks WHERE status = 'assigned' GROUP BY 1) AS a)),
	'far 67, far pooled 30, far three 3', 'and neither the job nor the pool gives more than its limit');
is(sql($node, q(SELECT count(*) FROM sched.claim_tasks('wide', 1000))), 0, 'that is all for now');

done_testing();
