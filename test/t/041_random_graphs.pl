# Random graphs, rules and outcomes: what becomes of each task is what a slow
# evaluator says that knows nothing of how the server does it.  It goes by
# doc/dependencies.md alone.  SEED and GRAPHS repeat or extend a run.

use strict;
use warnings;
use Test::More;
use SchedTest;

my $seed   = $ENV{SEED}   // 20261;
my $graphs = $ENV{GRAPHS} // 60;
srand($seed);
note("seed $seed, $graphs graphs");

my @rules = qw(all_success all_done all_failed one_success one_failed one_done none_failed
  none_failed_min_one_success all_done_min_one_success none_skipped all_skipped always);
my @types = qw(success success success completion failure start soft conditional);

# ---- the evaluator -------------------------------------------------------------------

# The letter that an edge makes of how its upstream ended.
sub letter
{
	my ($type, $state) = @_;
	my ($s, $u, $k) = ($state eq 'completed', $state eq 'upstream_failed', $state eq 'skipped');

	return 'S' if $type eq 'completion' || $type eq 'soft';
	return $s ? 'S' : $u ? 'U' : $k ? 'K' : 'F' if $type eq 'success';
	return $state =~ /^(failed|timeout|upstream_failed)$/ ? 'S' : 'K' if $type eq 'failure';
	return $u ? 'U' : $k ? 'K' : 'S' if $type eq 'start';     # all others here have started
	return $u ? 'U' : $s ? 'S' : 'K' if $type eq 'conditional';    # status = 'completed'
	die $type;
}

# What a rule says when all letters are there.
sub decide
{
	my ($rule, @letters) = @_;
	my %n = (S => 0, F => 0, U => 0, K => 0);

	$n{$_}++ for @letters;
	my $all = @letters;
	my $bad = $n{F} + $n{U};
	return 'run' if $all == 0 || $rule eq 'always' || $rule eq 'all_done';
	return $bad ? 'upstream_failed' : $n{K} ? 'skipped' : 'run' if $rule eq 'all_success';
	return $bad == $all ? 'run' : 'skipped' if $rule eq 'all_failed';
	return $n{S} ? 'run' : $bad ? 'upstream_failed' : 'skipped' if $rule eq 'one_success';
	return $bad ? 'run' : 'skipped' if $rule eq 'one_failed';
	return $n{S} + $n{F} ? 'run' : 'skipped' if $rule eq 'one_done';
	return $bad ? 'upstream_failed' : 'run' if $rule eq 'none_failed';
	return $bad ? 'upstream_failed' : $n{S} ? 'run' : 'skipped' if $rule eq 'none_failed_min_one_success';
	return $n{K} ? 'skipped' : $n{S} ? 'run' : 'upstream_failed' if $rule eq 'all_done_min_one_success';
	return $n{K} ? 'skipped' : 'run' if $rule eq 'none_skipped';
	return $n{K} == $all ? 'run' : 'skipped' if $rule eq 'all_skipped';
	die $rule;
}

# ---- the graphs -----------------------------------------------------------------------

my $node = new_node('random', conf => 'sched.max_workers = 6');
my (%expected, %shape);
my $sql = "BEGIN;\n";

for my $g (1 .. $graphs)
{
	my $n = 2 + int(rand(11));
	my @state;

	for my $k (0 .. $n - 1)
	{
		my $rule  = $rules[rand @rules];
		my $fails = rand() < 0.3;
		my $name  = sprintf 'g%d-%d', $g, $k;
		my (%up, @letters, @said);

		# the first is the root; every other one follows from it in some way
		if ($k > 0)
		{
			$up{ int(rand($k)) } = 1 for 1 .. 1 + int(rand(3));
		}
		$sql .= sprintf "SELECT sched.create_job('%s', '%s', max_attempts => 1, trigger_rule => '%s');\n", $name,
		  $fails ? 'SELECT 1/0' : 'SELECT 1', $rule;
		for my $u (sort { $a <=> $b } keys %up)
		{
			my $type = $types[rand @types];

			push @letters, letter($type, $state[$u]);
			push @said, "$type of $u";
			$sql .= sprintf "SELECT sched.add_dependency('%s', 'g%d-%d', '%s'%s);\n", $name, $g, $u, $type,
			  $type eq 'conditional' ? q(, condition => $$status = 'completed'$$) : '';
		}
		my $what = decide($rule, @letters);
		$state[$k] = $what ne 'run' ? $what : $fails ? 'failed' : 'completed';
		$expected{$name} = $state[$k];
		$shape{$name} = "$rule(" . join(', ', @said) . ')';
	}
}
$sql .= "COMMIT;\n";
$sql .= sprintf "SELECT sched.run_job('g%d-0');\n", $_ for 1 .. $graphs;
sql($node, $sql);

poll_ok($node, q(SELECT count(*) FROM sched._task t WHERE NOT EXISTS (SELECT FROM sched._outcome o WHERE o.task_id = t.task_id AND o.final)),
	'0', 'every task of every graph ends', seconds => 60);
my %got = map { split /=/ } split /\n/, sql($node, q(SELECT job_name || '=' || string_agg(status, '+') FROM sched.tasks GROUP BY job_name));
for my $g (1 .. $graphs)
{
	my @names = grep { /^g$g-/ } sort keys %expected;
	my @wrong = grep { ($got{$_} // 'nothing') ne $expected{$_} } @names;

	is(scalar(@wrong), 0, "graph $g: " . scalar(@names) . ' tasks end as they should')
	  or diag(map { "$_ $shape{$_}: expected $expected{$_}, got " . ($got{$_} // 'nothing') . "\n" } @wrong);
}
my %seen = map { $_ => 1 } values %expected;
is(join(' ', sort keys %seen), 'completed failed skipped upstream_failed', 'all ways to end occurred');

# No task of a run started before the edge that let it had been decided: a task with
# success edges only and all_success is the one that can be told from outside.
is(sql($node, q(
	SELECT count(*) FROM sched.tasks d JOIN sched._node n USING (task_id)
	CROSS JOIN LATERAL unnest(n.in_edges, n.in_tasks) u(edge, task_id)
	JOIN sched._dependency e ON e.dependency_id = u.edge JOIN sched.tasks t ON t.task_id = u.task_id
	WHERE n.rule IN ('all_success', 'all_done', 'none_failed', 'none_skipped') AND e.type IN ('success', 'completion', 'failure')
	  AND d.started_at < t.finished_at)), '0', 'nobody starts before what it waits for has ended');

done_testing();
