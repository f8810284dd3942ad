# Metrics say what happened, outlive the server, and are read by Prometheus
# itself; the server log tells the life of a task.

use strict;
use warnings;
use Test::More;
use FindBin;
use IO::Socket::INET;
use SchedTest;

my $doc  = "$FindBin::RealBin/../../doc/monitoring";
my $node = new_node('monitoring');
wait_for($node, q(SELECT sched.readiness() ->> 'status'), 'UP');

sub have
{
	my ($program) = @_;
	return grep { -x "$_/$program" } split(/:/, $ENV{PATH}), '/usr/sbin', '/usr/local/sbin';
}

# The metrics as a hash from name with labels to value.
sub metrics
{
	return map { /^([^# ]\S*(?: \S+)*) (\S+)$/ ? ($1 => $2) : () } split /\n/, sql($node, 'SELECT sched.prometheus_metrics()');
}

sub settle
{
	is(sql($node, q(SELECT sched._settle('60 s'))), 't', 'all is done') or BAIL_OUT('tasks do not end');
	return;
}

# ---- what happened is counted ---------------------------------------------------

sql($node, <<'SQL');
SELECT sched.create_job('good', 'SELECT 1'), sched.create_job('bad', 'SELECT 1/0'),
	sched.create_job('conflict', $$DO 'BEGIN RAISE EXCEPTION ''later'' USING ERRCODE = ''40001''; END'$$, retry_delay => '0', max_attempts => 3),
	sched.create_job('slow', 'SELECT pg_sleep(60)', timeout => '0.2 s', max_attempts => 1),
	sched.create_job('paused', 'SELECT pg_sleep(60)');
UPDATE sched._job SET pool = 'a "b" \ c' WHERE name = 'paused';
SELECT sched.pause_job('paused');
SELECT sched.schedule_tasks('good', array_fill('{}'::jsonb, ARRAY[20]));
SELECT sched.run_job('bad'), sched.run_job('conflict'), sched.run_job('slow');
SELECT sched.run_job('paused'), sched.run_job('paused');
SELECT sched.cancel_task(sched.schedule_task('good', '2100-01-01'));
SQL
settle();
my %m = metrics();
is($m{scheduler_jobs_active_count}, 4, 'scheduler_jobs_active_count');
is($m{scheduler_tasks_scheduled_count}, 26, 'scheduler_tasks_scheduled_count');
is($m{scheduler_tasks_completed_count}, 20, 'scheduler_tasks_completed_count');
is($m{scheduler_tasks_failed_count}, 3, 'scheduler_tasks_failed_count has timeouts in it');
cmp_ok($m{scheduler_executor_count}, '>=', 1, 'scheduler_executor_count has the built-in workers');
is($m{'sched_tasks_ended_total{status="failed"}'}, 2, 'tasks are counted by how they ended');
is($m{'sched_tasks_ended_total{status="timeout"}'}, 1, '... timed out');
is($m{'sched_tasks_ended_total{status="cancelled"}'}, 1, '... cancelled');
is($m{sched_retries_total}, 2, 'retries are counted');
is($m{sched_timeouts_total}, 1, 'and timeouts');
is($m{sched_task_duration_seconds_count}, 25, 'the duration of every attempt is known');
is($m{sched_task_lateness_seconds_count}, 25, 'and how late it started');
is($m{'sched_task_duration_seconds_bucket{le="0.1"}'}, 24, 'one took long');
is($m{'sched_task_duration_seconds_bucket{le="+Inf"}'}, 25, 'the last bucket holds all');
is($m{'sched_queue_tasks{pool="a \"b\" \\\\ c",status="ready"}'}, 2, 'the depth of a pool, whatever its name');
is($m{'sched_jobs{status="paused"}'}, 1, 'jobs by status');
is(sql($node, 'SELECT sched.scaling_metric()'), 0, 'a paused job is no reason for more executors');
sql($node, q(SELECT sched.resume_job('paused')));
is(sql($node, q(SELECT sched.scaling_metric('a "b" \ c'))), 2, 'what is ready or runs in a pool is its backlog');
is(sql($node, q(SELECT sched.scaling_metric('nowhere'))), 0, 'a pool that is not there has none');
sql($node, q(SELECT sched.cancel_task(t.task_id) FROM sched.tasks_by_job('paused') t));
settle();

# ---- what did not happen is not ----------------------------------------------------

%m = metrics();
sql($node, <<'SQL');
BEGIN; SELECT sched.schedule_task('good', '2100-01-01'); ROLLBACK;
BEGIN;
SELECT sched.schedule_task('good', '2100-01-01');
SAVEPOINT a; SELECT sched.schedule_task('good', '2100-01-01');
SAVEPOINT b; SELECT sched.schedule_task('good', '2100-01-01'); RELEASE b;
ROLLBACK TO a;
SAVEPOINT c; SELECT sched.schedule_task('good', '2100-01-01'); RELEASE c;
COMMIT;
SQL
my %n = metrics();
is($n{sched_tasks_scheduled_total} - $m{sched_tasks_scheduled_total}, 2, 'what is rolled back is not counted, to a savepoint either');

# ---- occurrences that were not run in time --------------------------------------------

set_clock($node, '2040-01-01 10:00');
sql($node, q(SELECT sched.create_job('skipping', 'SELECT 1', '*/5 * * * *', misfire_policy => 'skip')));
settle();
set_clock($node, '2040-01-01 10:33');
poll_ok($node, q(SELECT sum(missed_count) FROM sched.tasks WHERE job_name = 'skipping'), 6, 'six occurrences are missed');
%m = metrics();
is($m{sched_misfires_total}, 6, 'and counted');
is($m{'sched_tasks_ended_total{status="missed"}'}, 1, 'the row that stands for them is one task');
sql($node, q(SELECT sched.delete_job('skipping')));
settle();
reset_clock($node);

# ---- counts outlive the server ------------------------------------------------------------

# same(before, after, what): no count has changed but those of the present.
sub same
{
	my ($before, $after, $what) = @_;
	my @keys = grep { /^(scheduler_tasks|sched_.*(_total|_bucket|_count))/ } sort keys %$before;
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	cmp_ok(scalar(@keys), '>', 50, "$what: many counts");
	is_deeply({ map { $_ => $after->{$_} } @keys }, { map { $_ => $before->{$_} } @keys }, "$what: none has changed");
	return;
}

%m = metrics();
$node->restart;
wait_for($node, q(SELECT sched.readiness() ->> 'status'), 'UP');
%n = metrics();
same(\%m, \%n, 'after a restart, without having been saved');

sql($node, 'SELECT sched._counters_save()');
sql($node, q(SELECT sched.schedule_tasks('good', array_fill('{}'::jsonb, ARRAY[7])); SELECT sched.run_job('bad')));
settle();
%m = metrics();
kill9($node, scheduler_type);
wait_for($node, q(SELECT sched.readiness() ->> 'status'), 'UP');
%n = metrics();
is($n{scheduler_tasks_completed_count}, $m{scheduler_tasks_completed_count}, 'a crash forgets no task');
is($n{scheduler_tasks_failed_count}, $m{scheduler_tasks_failed_count}, 'nor a failed one');
is($n{scheduler_tasks_scheduled_count}, $m{scheduler_tasks_scheduled_count}, 'nor one that was ordered');
same(\%m, \%n, 'after a crash, with some that were saved and some that were not');
my ($scheduler) = pids($node, scheduler_type);
kill 15, $scheduler;
wait_until(sub { process_gone($scheduler) }) or die;
wait_for($node, q(SELECT sched.readiness() ->> 'status'), 'UP');
%m = metrics();
same(\%n, \%m, 'after another scheduler has come');

# ---- the log -------------------------------------------------------------------------------

my $from = -s $node->logfile;
my $task = sql($node, q(SELECT sched.run_job('bad')));
wait_log($node, qr/sched: task $task attempt 1 job "bad" failed after \d+ ms, SQLSTATE 22012: division by zero/, $from);
$task = sql($node, q(SELECT sched.run_job('good')));
sql($node, "SELECT sched.wait_for_task($task)");
is(scalar(log_lines($node, qr/task $task /, $from)), 0, 'a task that goes well is not worth a line');
$node->append_conf('postgresql.conf', "sched.log_level = debug");
$node->reload;
wait_for($node, 'SHOW sched.log_level', 'debug');
sql($node, q(SELECT sched.update_job('conflict', '{"retry_delay": "50 ms"}')));
wait_until(sub {
	$from = -s $node->logfile;
	$task = sql($node, q(SELECT sched.run_job('conflict')));
	sql($node, "SELECT sched.wait_for_task($task)");
	# every process has read the setting when both of these speak
	log_lines($node, qr/task $task attempt 3 job "conflict" running/, $from) && log_lines($node, qr/task $task attempt 3 job "conflict" ready/, $from);
});
# the scheduler says that a task is ready, the worker that it runs: nobody waits for the other's line
is(scalar(log_lines($node, qr/sched: task $task attempt [23] job "conflict" ready$/, $from)), 2, 'at level debug a task that becomes ready is a line');
is_deeply(
	[ map { s/.*sched: task $task //r =~ s/ after.*?(?=, next|$)//r =~ s/(scheduled for|next attempt at) .*/$1/r } log_lines($node, qr/sched: task $task .*(?<!ready)$/, $from) ],
	[   'attempt 0 job "conflict" scheduled for',
		(map { ("attempt $_ job \"conflict\" running", "attempt $_ job \"conflict\" failed, next attempt at") } 1, 2),
		'attempt 3 job "conflict" running', 'attempt 3 job "conflict" failed' ],
	'and so is each of its other steps');
sql($node, q(SELECT sched.pause_job('good')));
wait_log($node, qr/sched: job "good" \d+ paused, was active/, $from);
sql($node, q(BEGIN; SELECT sched.resume_job('good'); ROLLBACK));
sql($node, q(SELECT sched.resume_job('good'); SELECT sched.create_job('verbose', $c$DO $d$BEGIN RAISE E'two\nlines'; END$d$ $c$)));
$task = sql($node, q(SELECT sched.run_job('verbose')));
wait_log($node, qr/task $task attempt 1 job "verbose" failed .*: two lines$/, $from);
is(scalar(log_lines($node, qr/sched: job "good" \d+ active/, $from)), 1, 'what is rolled back is not told');
sql($node, q(SELECT sched.register_executor('e1')));
wait_log($node, qr/sched: executor "e1" registered$/, $from);
$node->append_conf('postgresql.conf', "sched.log_level = info");
$node->reload;
wait_for($node, 'SHOW sched.log_level', 'info');
is(sql($node, q(SELECT sched.detect_failed_executors('0 s'))), 1, 'an executor is lost');
wait_log($node, qr/sched: executor "e1" lost$/, $from);
$node->append_conf('postgresql.conf', "sched.log_level = error");
$node->reload;
wait_for($node, 'SHOW sched.log_level', 'error');

# ---- Prometheus -------------------------------------------------------------------------------

my $text = sql($node, 'SELECT sched.prometheus_metrics()') . "\n";
is_deeply([ grep { !/^(# (HELP|TYPE) \w+ .+|\w+(\{.*\})? [0-9.e+-]+)$/ } split /\n/, $text ], [], 'every line is one of the format');
{
	my %type = $text =~ /^# TYPE (\w+) (\w+)$/mg;
	my @names = $text =~ /^(\w+)[{ ]/mg;
	my $rules = do { local (@ARGV, $/) = ("$doc/alerts.yml"); <> } . do { local (@ARGV, $/) = ("$doc/dashboard.json"); <> };
	my %known = map { $_ => 1 } @names, map({ /^(sched_\w+)_bucket$/ ? $1 : () } @names);
	my @unknown = grep { !$known{$_} } $rules =~ /\b((?:sched|scheduler)_\w+)\b(?=[\[{ )])/g;

	is("@unknown", '', 'alert rules and dashboard use metrics that there are');
	cmp_ok(scalar(keys %type), '>', 25, 'each with its type');
}

SKIP:
{
	skip 'promtool and prometheus are not on the PATH', 4 unless have('promtool') && have('prometheus');
	my $dir = PostgreSQL::Test::Utils::tempdir();

	PostgreSQL::Test::Utils::append_to_file("$dir/metrics", $text);
	is(system("promtool check metrics < '$dir/metrics' > '$dir/said' 2>&1"), 0, 'promtool finds no fault with the metrics')
	  or diag(slurp("$dir/said"));
	is(system("promtool check rules '$doc/alerts.yml' > '$dir/said' 2>&1"), 0, 'nor with the alert rules') or diag(slurp("$dir/said"));

	# what an HTTP server in front of the function says, to a real Prometheus
	my $server = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 5) or die "listen: $!";
	my $target = '127.0.0.1:' . $server->sockport;
	my $port = PostgreSQL::Test::Cluster::get_free_port();
	PostgreSQL::Test::Utils::append_to_file("$dir/prometheus.yml",
		"global: {scrape_interval: 1s}\nrule_files: ['$doc/alerts.yml']\nscrape_configs:\n- job_name: sched\n  metrics_path: /actuator/prometheus\n  static_configs: [{targets: ['$target']}]\n");
	defined(my $answering = fork) or die;
	if (!$answering)
	{
		while (my $client = $server->accept)
		{
			while (my $line = <$client>) { last if $line =~ /^\r?$/ }
			my $now = sql($node, 'SELECT sched.prometheus_metrics()') . "\n";
			print $client "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: " . length($now) . "\r\nConnection: close\r\n\r\n$now";
			close $client;
		}
		require POSIX;
		POSIX::_exit(0);
	}
	defined(my $prometheus = fork) or die;
	if (!$prometheus)
	{
		open STDOUT, '>', "$dir/log";
		open STDERR, '>&', \*STDOUT;
		exec 'prometheus', "--config.file=$dir/prometheus.yml", "--storage.tsdb.path=$dir/tsdb", "--web.listen-address=127.0.0.1:$port";
	}
	my $completed = { metrics() }->{scheduler_tasks_completed_count};
	my $answer = '';
	ok(wait_until(sub { $answer = get($port, '/api/v1/query?query=scheduler_tasks_completed_count'); $answer =~ /"value":\[[\d.]+,"$completed"\]/ }, 60),
		'Prometheus has the number of completed tasks') or diag($answer, slurp("$dir/log"));
	ok(wait_until(sub { $answer = get($port, '/api/v1/query?query=histogram_quantile(0.5,sched_task_duration_seconds_bucket)'); $answer =~ /"value":\[[\d.]+,"[\d.]+"\]/ }, 60),
		'and can tell the median duration') or diag($answer);
	kill 'TERM', $prometheus, $answering;
	waitpid $_, 0 for $prometheus, $answering;
}

sub slurp { local (@ARGV, $/) = @_; return scalar <> }

sub get
{
	my ($port, $path) = @_;
	my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Timeout => 5) or return '';

	print $socket "GET $path HTTP/1.0\r\n\r\n";
	local $/;
	return scalar <$socket>;
}

$node->stop;
done_testing();
