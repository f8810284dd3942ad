# Every example of the documentation runs, and the reference pages are
# complete.
#
# The blocks that are fenced as ```sql in README.md and doc/*.md are run in the
# order in which they stand, each page in a database of its own that has the
# extension and a scheduler at work.  A block fenced as ```sql norun is left
# out: it needs another server, a restart, or the like.  A ```text block shows
# what an answer may look like, and is for the reader only.

use strict;
use warnings;
use Test::More;
use FindBin;
use SchedTest;

my $top = "$FindBin::RealBin/../..";

# The page as a list of blocks: [fence, number of the first line, text].
sub blocks
{
	my ($page) = @_;
	my @blocks;
	my $open;

	open my $fh, '<', "$top/$page" or die "$page: $!";
	while (my $line = <$fh>)
	{
		if (!defined $open)
		{
			next unless $line =~ /^```(.*?)\s*$/;
			$open = [ $1, $. + 1, '' ];
		}
		elsif ($line =~ /^```\s*$/)
		{
			push @blocks, $open;
			undef $open;
		}
		else
		{
			$open->[2] .= $line;
		}
	}
	close $fh;
	die "$page: the block at line $open->[1] is not closed" if defined $open;
	return @blocks;
}

sub text_of
{
	my ($page) = @_;
	open my $fh, '<', "$top/$page" or die "$page: $!";
	local $/;
	return scalar <$fh>;
}

sub pages
{
	my ($pattern) = @_;
	return map { substr $_, length("$top/") } sort glob("$top/$pattern");
}

my @pages = ('README.md', pages('doc/*.md'));
my $node  = new_node('docs');

# ---- examples ----------------------------------------------------------------

my $number = 0;

foreach my $page (@pages)
{
	my @all      = blocks($page);
	my @examples = grep { $_->[0] eq 'sql' } @all;
	my @unknown  = grep { $_->[0] =~ /^sql/ && $_->[0] !~ /^sql( norun)?$/ } @all;
	my @skipped  = grep { $_->[0] eq 'sql norun' } @all;
	my $db       = 'docs_' . ++$number;

	is(scalar(@unknown), 0, "$page has no block with a misspelt fence");
	cmp_ok(scalar(@skipped), '<=', scalar(@examples) + 3,
		"$page leaves out few of its examples");
	next unless @examples;

	sql($node, "CREATE DATABASE $db");
	sql($node, 'CREATE EXTENSION sched', $db);
	wait_for($node, "SELECT sched.readiness() ->> 'status'", 'UP', db => $db);

	foreach my $example (@examples)
	{
		my ($out, $err) = ('', '');
		my $rc = $node->psql(
			$db, $example->[2],
			stdout        => \$out,
			stderr        => \$err,
			on_error_stop => 1,
			timeout       => 120);

		is($rc, 0, "the example in line $example->[1] of $page runs")
		  or diag("it said: $err");
	}

	poll_ok($node, "SELECT sched.liveness() ->> 'status'",
		'UP', "the scheduler lives after the examples of $page", db => $db);
	sql($node, "DROP DATABASE $db");
}

# A user sees a result before the page has to be scrolled.
{
	my ($first) = grep { $_->[0] eq 'text' } blocks('README.md');

	ok(defined $first && $first->[1] <= 30,
		'README.md shows a result within 30 lines');
}

# ---- reference pages ---------------------------------------------------------

# Every public function and view is described, by its name.
{
	my $text  = text_of('doc/sql-api.md');
	my @names = split /\n/, sql($node, <<'SQL');
SELECT DISTINCT 'sched.' || p.proname FROM pg_proc p
WHERE p.pronamespace = 'sched'::regnamespace AND p.proname NOT LIKE '\_%'
UNION
SELECT 'sched.' || c.relname FROM pg_class c
WHERE c.relnamespace = 'sched'::regnamespace AND c.relkind = 'v' AND c.relname NOT LIKE '\_%'
ORDER BY 1
SQL
	my @missing = grep { $text !~ /\b\Q$_\E\b/ } @names;

	cmp_ok(scalar(@names), '>', 30, 'there are public functions and views');
	is("@missing", '', 'doc/sql-api.md names every one of them');
}

# What the pages call is there.
{
	my %seen;

	foreach my $page (@pages, pages('doc/internals/*.md'))
	{
		my $text = text_of($page);
		$seen{$1}{$page} = 1 while $text =~ /\bsched\.([a-z]\w*)\s*\(/g;
	}
	my @names = sort keys %seen;
	my $list  = join ', ', map { "('$_')" } @names;
	my $lost  = sql($node, <<"SQL");
SELECT string_agg(v.name, ' ' ORDER BY v.name) FROM (VALUES $list) AS v(name)
WHERE NOT EXISTS (SELECT FROM pg_proc p
	WHERE p.pronamespace = 'sched'::regnamespace AND p.proname = v.name)
SQL
	cmp_ok(scalar(@names), '>', 20, 'the pages call functions');
	is($lost, '', 'and every one of these exists');
}

# Every setting stands in the table with its default, and no other does.
{
	my $text = text_of('doc/configuration.md');
	my %documented;

	$documented{$1} = $2 while $text =~ /^\| `(sched\.\w+)` \| (.*?) \|/mg;
	my $shown = join "\n", map { "$_ $documented{$_}" } sort keys %documented;
	my $real = sql($node, <<'SQL');
SELECT s.name || ' ' || CASE
	WHEN s.boot_val = '' THEN 'empty'
	WHEN s.unit = 'kB' THEN '`' || s.boot_val || 'kB`'
	WHEN s.unit = 'ms' THEN '`' || s.boot_val::int / 1000 || 's`'
	WHEN s.unit = 's' THEN CASE
		WHEN s.boot_val::int > 0 AND s.boot_val::int % 86400 = 0 THEN '`' || s.boot_val::int / 86400 || 'd`'
		WHEN s.boot_val::int > 0 AND s.boot_val::int % 3600 = 0 THEN '`' || s.boot_val::int / 3600 || 'h`'
		ELSE '`' || s.boot_val || 's`' END
	ELSE '`' || s.boot_val || '`' END
FROM pg_settings s WHERE s.name LIKE 'sched.%' ORDER BY s.name COLLATE "C"
SQL
	is($shown, $real, 'doc/configuration.md has every setting and its default');
}

# ---- links -------------------------------------------------------------------

foreach my $page (@pages, pages('doc/internals/*.md'))
{
	my $text = text_of($page);
	my ($folder) = $page =~ m{^(.*/)?};
	my @broken;

	while ($text =~ /\]\(([^)#:]+)(?:#[^)]*)?\)/g)
	{
		my $target = ($folder // '') . $1;
		push @broken, $1 unless -e "$top/$target";
	}
	is("@broken", '', "the links of $page lead somewhere");
}

done_testing();
