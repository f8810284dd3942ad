# Memory: a hundred thousand tasks leave the processes as large as they were.

use strict;
use warnings;
use Test::More;
use SchedTest;

my $node = new_node('memory', "synchronous_commit = off\nsched.max_workers = 2\n");
wait_pids($node, scheduler_type, 1);
sql($node, q(SELECT sched.create_job('trivial', 'SELECT 1')));

# Run so many tasks, and wait for the last.
sub run_tasks
{
	my ($count) = @_;
	sql($node, "SELECT count(*) FROM sched.schedule_tasks('trivial',
		(SELECT array_agg('{}'::jsonb) FROM generate_series(1, $count)))");
	is(sql($node, q(SELECT sched._settle('120 s'))), 't', "$count tasks are done");
	return;
}

run_tasks(20_000) for 1 .. 2;
my %before = map { $_ => rss_kb($_) }
  map { pids($node, $_) } launcher_type, scheduler_type, worker_type;
run_tasks(20_000) for 1 .. 5;
is(sql($node, q(SELECT count(*) FROM sched.tasks WHERE status = 'completed')), 140_000,
	'all have completed');

my $seen = 0;
for my $pid (sort { $a <=> $b } keys %before)
{
	next if !-e "/proc/$pid";    # an idle worker may have left
	my $after = rss_kb($pid);
	$seen++;
	cmp_ok($after - $before{$pid}, '<', 4096,
		"process $pid has not grown: $before{$pid} kB, then $after kB");
}
cmp_ok($seen, '>=', 3, 'launcher, scheduler and a worker were looked at');

done_testing();
