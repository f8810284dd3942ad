# SchedTest - what the TAP tests of sched share, over PostgreSQL::Test::Cluster
#
# A test begins with
#
#     use strict;
#     use warnings;
#     use Test::More;
#     use SchedTest;
#
#     my $node = new_node('main');
#
# and waits for nothing by sleeping: wait_for() polls up to a deadline and dies
# when that passes, poll_ok() does the same as an assertion.  Where the test is
# about time itself, set_clock() and advance_clock() replace the clock that
# sched reads.
#
# Servers get the settings of the file that TEMP_CONFIG names, which "make
# check" writes: test/sched.conf and where the staged extension lies.

package SchedTest;

use strict;
use warnings;

use Carp;
use Exporter 'import';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

our @EXPORT = qw(
  new_node new_standby promote
  sql sql_error wait_for poll_ok wait_until
  launcher_type scheduler_type worker_type
  pids wait_pids kill9 kill9_server process_gone
  set_clock advance_clock reset_clock
  log_lines wait_log rss_kb cpu_seconds
);

use constant {
	launcher_type  => 'sched launcher',
	scheduler_type => 'sched scheduler',
	worker_type    => 'sched worker',
};

# How long to wait for what should happen at once, in seconds.
our $deadline = $PostgreSQL::Test::Utils::timeout_default || 180;

# ---- servers ----------------------------------------------------------------

# new_node(name, %options): a running server.
#   conf       => lines for postgresql.conf
#   streaming  => 1: can have standbys
#   extension  => 0: without CREATE EXTENSION sched in database postgres
#   start      => 0: leaves it stopped (and without the extension)
sub new_node
{
	my ($name, %opt) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init(
		allows_streaming => $opt{streaming} ? 1 : 0,
		extra            => [ '--no-locale', '--encoding=UTF8' ]);

	# A server outside of tests comes back after a crash, and it is larger
	# than what init() makes of a primary.
	$node->append_conf('postgresql.conf', <<'CONF');
restart_after_crash = on
max_connections = 60
shared_buffers = 32MB
log_statement = none
CONF
	$node->append_conf('postgresql.conf', $opt{conf}) if defined $opt{conf};

	return $node if defined $opt{start} && !$opt{start};
	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION sched')
	  unless defined $opt{extension} && !$opt{extension};
	return $node;
}

# new_standby(primary, name, %options): a running standby, caught up.
sub new_standby
{
	my ($primary, $name, %opt) = @_;
	my $standby = PostgreSQL::Test::Cluster->new($name);
	my $backup  = "for_$name";

	$primary->backup($backup);
	$standby->init_from_backup($primary, $backup, has_streaming => 1);
	$standby->append_conf('postgresql.conf', $opt{conf})
	  if defined $opt{conf};
	$standby->start;
	$primary->wait_for_catchup($standby);
	return $standby;
}

# promote(standby): returns when it takes writes.
sub promote
{
	my ($node) = @_;

	$node->promote;
	wait_for($node, 'SELECT NOT pg_is_in_recovery()', 't');
	return;
}

# ---- queries ----------------------------------------------------------------

# sql(node, query [, database]): its output; dies if it fails.
sub sql
{
	my ($node, $query, $db) = @_;
	return $node->safe_psql($db // 'postgres', $query);
}

# sql_error(node, query [, database]): (SQLSTATE, message) of a query that
# has to fail; empty strings if it does not.
sub sql_error
{
	my ($node, $query, $db) = @_;
	my ($out, $err) = ('', '');

	$node->psql(
		$db // 'postgres',
		$query,
		stdout       => \$out,
		stderr       => \$err,
		extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	return ($1, $2) if $err =~ /(?:ERROR|FATAL|PANIC):  (\w{5}): (.*)/;
	return ('', '');
}

# wait_until(code [, seconds]): polls until code returns true; returns
# whether it did.  What code cannot do yet, it may die of.
sub wait_until
{
	my ($code, $seconds) = @_;
	my $end = time() + ($seconds // $deadline);

	while (1)
	{
		return 1 if eval { $code->() };
		return 0 if time() > $end;
		usleep(20_000);
	}
}

sub _poll
{
	my ($node, $query, $expected, $db, $seconds, $last) = @_;

	$$last = 'no answer';
	return wait_until(
		sub {
			my ($out, $err) = ('', '');
			my $rc = $node->psql(
				$db // 'postgres',
				$query,
				stdout  => \$out,
				stderr  => \$err,
				timeout => 60);
			$$last = $rc == 0 ? $out : "error: $err";
			return $rc == 0
			  && (ref $expected ? $out =~ $expected : $out eq $expected);
		},
		$seconds);
}

# wait_for(node, query, expected [, db => name, seconds => n]): expected is a
# string or a pattern.  Errors on the way count as "not yet", so that it may
# be used across restarts.  Dies at the deadline.
sub wait_for
{
	my ($node, $query, $expected, %opt) = @_;
	my $last;

	return 1
	  if _poll($node, $query, $expected, $opt{db}, $opt{seconds}, \$last);
	croak "waited in vain for \"$expected\" from: $query\nlast seen: $last";
}

# poll_ok(node, query, expected, test name [, options of wait_for])
sub poll_ok
{
	my ($node, $query, $expected, $name, %opt) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $last;
	my $ok =
	  _poll($node, $query, $expected, $opt{db}, $opt{seconds}, \$last);

	ok($ok, $name)
	  or diag("query: $query\nexpected: $expected\nlast seen: $last");
	return $ok;
}

# ---- processes --------------------------------------------------------------

# pids(node, type [, database]): process ids by backend_type, ascending.
sub pids
{
	my ($node, $type, $db) = @_;
	my $where = defined $db ? " AND datname = '$db'" : '';

	return
	  split /\n/,
	  sql($node,
		"SELECT pid FROM pg_stat_activity WHERE backend_type = '$type'$where ORDER BY pid"
	  );
}

# wait_pids(node, type, count [, database]): the ids when there are that many.
sub wait_pids
{
	my ($node, $type, $count, $db) = @_;
	my @pids;

	wait_until(sub { @pids = pids($node, $type, $db); @pids == $count })
	  or croak "expected $count of \"$type\", there are " . scalar(@pids);
	return @pids;
}

# Whether a process has ended; one that nobody has reaped yet has.
sub process_gone
{
	my ($pid) = @_;

	open my $fh, '<', "/proc/$pid/stat" or return 1;
	my $stat = <$fh>;
	close $fh;
	return 1 unless defined $stat;
	return $stat =~ /\) [ZX] / ? 1 : 0;
}

# kill9(node, type [, database]): kills the first process of a type and
# returns when the server has restarted its processes.  Its id is returned.
sub kill9
{
	my ($node, $type, $db) = @_;
	my $pid;

	wait_until(sub { ($pid) = pids($node, $type, $db); defined $pid })
	  or croak "there is no \"$type\" to kill";
	my $started =
	  sql($node, "SELECT backend_start FROM pg_stat_activity WHERE backend_type = 'checkpointer'");
	kill 9, $pid;
	wait_until(sub { process_gone($pid) }) or croak "$pid does not end";

	# the checkpointer is started anew after every crash
	wait_for(
		$node,
		"SELECT backend_start > '$started' FROM pg_stat_activity WHERE backend_type = 'checkpointer'",
		't');
	return $pid;
}

# kill9_server(node): kills the postmaster and returns when all of its
# processes have ended; the node may then be started again.
sub kill9_server
{
	my ($node) = @_;
	my $file = $node->data_dir . '/postmaster.pid';
	my ($postmaster) = split /\n/, slurp_file($file);
	my @all = split /\n/, sql($node, 'SELECT pid FROM pg_stat_activity');

	$node->kill9;
	for my $pid ($postmaster, @all)
	{
		wait_until(sub { process_gone($pid) })
		  or croak "$pid outlives its postmaster";
	}

	# Whoever inherited the dead postmaster may be slow to reap it, and until
	# then its lock files look as if they were valid.
	unlink $file, $node->host . '/.s.PGSQL.' . $node->port . '.lock'
	  if -e "/proc/$postmaster";
	return;
}

# ---- time -------------------------------------------------------------------

my %clock;    # node name => what its clock was set to

# set_clock(node, timestamptz): from now on it is that time for sched.
sub set_clock
{
	my ($node, $time) = @_;

	sql($node, "SELECT sched._clock_set('$time'::timestamptz)");
	$clock{ $node->name } = $time;
	return;
}

# advance_clock(node, interval): from what set_clock() said last.
sub advance_clock
{
	my ($node, $interval) = @_;
	my $from = $clock{ $node->name }
	  or croak 'advance_clock() without set_clock()';

	set_clock($node,
		sql($node, "SELECT '$from'::timestamptz + '$interval'::interval"));
	return $clock{ $node->name };
}

sub reset_clock
{
	my ($node) = @_;

	sql($node, 'SELECT sched._clock_reset()');
	delete $clock{ $node->name };
	return;
}

# ---- what a server tells ----------------------------------------------------

# log_lines(node, pattern [, from byte]): matching lines of its log.
sub log_lines
{
	my ($node, $pattern, $from) = @_;
	my $text = slurp_file($node->logfile, $from // 0);

	return grep { $_ =~ $pattern } split /\n/, $text;
}

# wait_log(node, pattern [, from byte]): dies if it does not come.
sub wait_log
{
	my ($node, $pattern, $from) = @_;

	wait_until(sub { scalar log_lines($node, $pattern, $from) })
	  or croak "the log of " . $node->name . " never said $pattern";
	return;
}

# Resident memory of a process without what it shares, in kB.
sub rss_kb
{
	my ($pid) = @_;
	my $text = slurp_file("/proc/$pid/status");

	$text =~ /^RssAnon:\s+(\d+) kB/m or croak "no RssAnon for $pid";
	return $1;
}

# User and system time of a process, in seconds.
sub cpu_seconds
{
	my ($pid) = @_;
	my $text = slurp_file("/proc/$pid/stat");

	$text =~ s/^.*\) //s;
	my @f = split / /, $text;
	return ($f[11] + $f[12]) / 100;
}

1;
