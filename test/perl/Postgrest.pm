# Postgrest - HTTP requests to sched_api, as PostgREST makes SQL of them
#
# answer() does in SQL what PostgREST 12 to 14 does for a request: it connects as
# the authenticator, and in one transaction (READ ONLY for GET, and for functions
# that are STABLE) sets search_path to sched_api alone, the role, and the
# request.* settings, calls db-pre-request and then the view or function, and
# makes a response of what comes back.  serve() answers HTTP with it; start()
# does, or starts a real postgrest when there is one on the PATH.

package Postgrest;

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256);
use Exporter 'import';
use IO::Socket::INET;
use JSON::PP;
use MIME::Base64 qw(encode_base64url decode_base64url);
use PostgreSQL::Test::Utils;

our @EXPORT = qw(answer token start_postgrest http have_program);

my $json   = JSON::PP->new->canonical->allow_nonref;
my $secret = 'only for tests: a secret of more than 32 bytes';

# token(role): a JWT that PostgREST takes for it.
sub token
{
	my ($role) = @_;
	my $text = join '.', map { encode_base64url($json->encode($_)) } { alg => 'HS256', typ => 'JWT' }, { role => $role };

	return "Bearer $text." . encode_base64url(hmac_sha256($text, $secret));
}

sub have_program
{
	my ($program) = @_;
	my ($path) = grep { -x } map { "$_/$program" } split(/:/, $ENV{PATH}), '/usr/sbin', '/usr/local/sbin';

	return $path;
}

sub _literal
{
	my ($value) = @_;
	return 'NULL' unless defined $value;
	$value =~ s/'/''/g;
	$value =~ s/\\/\\\\/g;
	return " E'$value'";
}

sub _unescape
{
	my ($text) = @_;
	$text =~ tr/+/ /;
	$text =~ s/%([0-9a-fA-F]{2})/chr hex $1/ge;
	return $text;
}

sub _error
{
	my ($status, $code, $message, $details, $hint) = @_;
	return ($status, { 'content-type' => 'application/json; charset=utf-8' },
		$json->encode({ code => $code, message => $message, details => $details, hint => $hint }));
}

my %signatures;

# What is known of a function of sched_api: argument types, kind of result.
sub _signature
{
	my ($node, $db, $name) = @_;

	return $signatures{ $node->name . $db . $name } //= do
	{
		my $row = $node->safe_psql($db, "SELECT jsonb_build_object('oid', p.oid::text, 'volatile', p.provolatile, 'set', p.proretset,
				'result', p.prorettype::regtype::text, 'composite', (SELECT t.typtype = 'c' OR p.prorettype = 'record'::regtype FROM pg_type t WHERE t.oid = p.prorettype),
				'args', (SELECT coalesce(jsonb_object_agg(a.name, a.type), '{}') FROM (SELECT unnest(p.proargnames[:p.pronargs]) AS name, format_type(unnest(p.proargtypes::oid[]), NULL) AS type) a))
			FROM pg_proc p WHERE p.pronamespace = 'sched_api'::regnamespace AND p.proname = " . _literal($name) . ' ORDER BY p.pronargs LIMIT 2');
		$row =~ /\n/ ? die "$name has overloads" : $row eq '' ? undef : $json->decode($row);
	};
}

# answer(node, method, path with query [, headers, body, database]): (status,
# headers, body), header names in lower case.
sub answer
{
	my ($node, $method, $target, $headers, $body, $db) = @_;
	my ($path, $query) = split /\?/, $target, 2;
	my @query = map { [ map { _unescape($_) } split /=/, $_, 2 ] } split /&/, $query // '';
	my %headers = map { lc($_) => $headers->{$_} } keys %{ $headers // {} };
	my $role = 'anon';
	my $read = $method =~ /^(GET|HEAD)$/;
	my ($main, $plain);
	$db //= 'postgres';

	if (($headers{authorization} // '') =~ /^Bearer ([\w-]+\.([\w-]+))\.([\w-]+)$/)
	{
		return _error(401, 'PGRST301', 'No suitable key or wrong key type') if encode_base64url(hmac_sha256($1, $secret)) ne $3;
		$role = $json->decode(decode_base64url($2))->{role} // $role;
	}
	if ($path =~ m{^/rpc/(\w+)$})
	{
		my $name = $1;
		my $function = _signature($node, $db, $name)
		  or return _error(404, 'PGRST202', "Could not find the function sched_api.$name in the schema cache");
		my (%given, @rest);
		if ($read)
		{
			$given{ $_->[0] } = $_->[1] for grep { $function->{args}{ $_->[0] } } @query;
		}
		else
		{
			my $object = eval { $json->decode(defined $body && $body ne '' ? $body : '{}') };
			return _error(400, 'PGRST102', 'Empty or invalid json') unless ref $object eq 'HASH';
			%given = map { $_ => 1 } keys %$object;
		}
		my @unknown = grep { !$function->{args}{$_} } keys %given;
		return _error(404, 'PGRST202', "Could not find the function sched_api.$name(@{[join ', ', sort keys %given]}) in the schema cache") if @unknown;
		return _error(405, 'PGRST101', 'Cannot use the ' . $method . ' method on RPC') unless $read || $method eq 'POST';
		my @names = sort keys %given;
		my $call = "\"sched_api\".\"$name\"(" . join(', ', map { "\"$_\" := " . ($read ? _literal($given{$_}) . "::$function->{args}{$_}" : "b.\"$_\"") } @names) . ')';
		my $from = $read || !@names ? '' : 'json_to_record(' . _literal($body) . '::json) AS b(' . join(', ', map { "\"$_\" $function->{args}{$_}" } @names) . '), LATERAL ';
		$plain = ($headers{accept} // '') =~ m{^text/plain} && $function->{result} =~ m{text/plain};
		$main =
		    $function->{result} eq 'void' ? "SELECT '' FROM $from (SELECT $call) AS f"
		  : $plain                        ? "SELECT f.v FROM $from (SELECT $call AS v) AS f"
		  : $function->{set} && !$function->{composite} ? "SELECT coalesce(json_agg(f.v), '[]') FROM $from $call AS f(v)"
		  : $function->{set}       ? "SELECT coalesce(json_agg(f), '[]') FROM $from $call AS f"
		  : $function->{composite} ? "SELECT row_to_json(f) FROM $from $call AS f"
		  :                          "SELECT to_json(f.v) FROM $from (SELECT $call AS v) AS f";
		$read = 1 if $function->{volatile} ne 'v';
	}
	elsif ($path =~ m{^/(\w+)$} && $read)
	{
		my ($view, $limit, @where) = ($1, '');
		for my $q (@query)
		{
			$limit .= " LIMIT $q->[1]" if $q->[0] eq 'limit' && $q->[1] =~ /^\d+$/;
			push @where, "\"$q->[0]\"::text = " . _literal($1) if $q->[0] =~ /^\w+$/ && ($q->[1] // '') =~ /^eq\.(.*)$/s;
		}
		$main = "SELECT coalesce(json_agg(r), '[]') FROM (SELECT * FROM \"sched_api\".\"$view\"" . (@where ? ' WHERE ' . join(' AND ', @where) : '') . "$limit) AS r";
	}
	else
	{
		return _error($read ? 404 : 405, 'PGRST125', 'Invalid path specified in request URL');
	}

	my $settings = join ', ', map { "set_config('$_->[0]', " . _literal($_->[1]) . ', true)' }
	  [ 'search_path', '"sched_api"' ], [ 'role', $role ], [ 'request.jwt.claims', $json->encode({ role => $role }) ],
	  [ 'request.method', $method ], [ 'request.path', $path ], [ 'request.headers', $json->encode(\%headers) ];
	my ($out, $err) = ('', '');
	my $rc = $node->psql(
		$db,
		'BEGIN ISOLATION LEVEL READ COMMITTED ' . ($read ? 'READ ONLY' : 'READ WRITE') . ";\n\\o /dev/null\nSELECT $settings;\nSELECT \"sched_api\".pre_request();\n\\o\n$main;\n"
		  . "\\qecho ---\nSELECT pg_catalog.current_setting('response.status', true);\nSELECT pg_catalog.current_setting('response.headers', true);\nCOMMIT;",
		stdout       => \$out,
		stderr       => \$err,
		extra_params => [ '-U', 'authenticator', '-v', 'VERBOSITY=verbose' ]);
	if ($rc != 0)
	{
		my ($code, $message) = $err =~ /(?:ERROR|FATAL):  (\w{5}): (.*)/ or die "no SQLSTATE: $err";
		my ($detail) = $err =~ /^DETAIL:  (.*)/m;
		my ($hint)   = $err =~ /^HINT:  (.*)/m;
		if ($code eq 'PGRST')
		{
			my ($m, $d) = ($json->decode($message), $json->decode($detail));
			return ($d->{status}, { 'content-type' => 'application/json; charset=utf-8', map { lc($_) => $d->{headers}{$_} } keys %{ $d->{headers} } }, $json->encode($m));
		}
		return _error($code eq '42501' ? ($role eq 'anon' ? 401 : 403) : $code eq '25006' ? 405 : $code =~ /^(42883|42P01)$/ ? 404 : $code =~ /^(23503|23505)$/ ? 409
			: $code =~ /^(28|0L|0P)/ ? 403 : $code eq 'P0001' || $code =~ /^(22|23|42)/ ? 400 : $code =~ /^(08|53)/ ? 503 : 500, $code, $message, $detail, $hint);
	}
	my ($result, $status, $response) = $out =~ /^(.*?)\n?---\n?([^\n]*)\n?([^\n]*)\n?$/s or die "no answer: $out";
	my %answer = ('content-type' => $plain ? 'text/plain; charset=utf-8' : 'application/json; charset=utf-8');
	if ($response ne '')
	{
		for my $h (@{ $json->decode($response) }) { $answer{ lc $_ } = $h->{$_} for keys %$h }
	}
	return ($status ne '' ? $status : $result eq '' && $main =~ /^SELECT ''/ ? 204 : 200, \%answer, $result . ($plain ? "\n" : ''));
}

# http(port, method, path [, headers, body]): (status, headers, body)
sub http
{
	my ($port, $method, $path, $headers, $body) = @_;
	my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Timeout => 10) or return (0, {}, "connect: $!");
	my %headers = (Host => 'localhost', Connection => 'close', %{ $headers // {} });
	$headers{'Content-Length'} = length $body if defined $body;

	print $socket "$method $path HTTP/1.1\r\n", map({ "$_: $headers{$_}\r\n" } sort keys %headers), "\r\n", $body // '';
	local $/;
	my $text = <$socket> // '';
	my ($head, $content) = split /\r\n\r\n/, $text, 2;
	my ($status, @lines) = split /\r\n/, $head // '';
	my %answer = map { /^([^:]+):\s*(.*)$/ ? (lc $1 => $2) : () } @lines;
	if (($answer{'transfer-encoding'} // '') eq 'chunked')
	{
		my $all = '';
		while ($content =~ /\G([0-9a-fA-F]+)\r\n/gc)
		{
			my $n = hex $1 or last;
			$all .= substr $content, pos($content), $n;
			pos($content) += $n + 2;
		}
		$content = $all;
	}
	return ($status // '' =~ m{^HTTP/1\.[01] (\d+)} ? ($status =~ m{ (\d+)})[0] : 0, \%answer, $content);
}

sub _serve
{
	my ($node, $server) = @_;

	while (my $client = $server->accept)
	{
		my $line = <$client> // next;
		my ($method, $target) = $line =~ m{^(\w+) (\S+) HTTP/} or next;
		my %headers;
		while (my $h = <$client>)
		{
			last if $h =~ /^\r?\n$/;
			$headers{ lc $1 } = $2 if $h =~ /^([^:]+):\s*(.*?)\r?\n$/;
		}
		my $body;
		read $client, $body, $headers{'content-length'} if $headers{'content-length'};
		my ($status, $answer, $content) = eval { answer($node, $method, $target, \%headers, $body) };
		($status, $answer, $content) = (500, {}, "$@") unless defined $status;
		$content = '' if $method eq 'HEAD' || $status == 204;
		print $client "HTTP/1.1 $status X\r\nConnection: close\r\nContent-Length: ", length($content), "\r\n", map({ "$_: $answer->{$_}\r\n" } sort keys %$answer), "\r\n$content";
		close $client;
	}
	return;
}

# start_postgrest(node, port): its process id, and whether it is the real one.
sub start_postgrest
{
	my ($node, $port) = @_;
	my $program = have_program('postgrest');
	my $server;

	if ($program)
	{
		my $conf = PostgreSQL::Test::Utils::tempdir() . '/postgrest.conf';
		my $uri = sprintf 'postgresql:///postgres?host=%s&port=%s&user=authenticator', $node->host, $node->port;
		PostgreSQL::Test::Utils::append_to_file($conf,
			"db-uri = \"$uri\"\ndb-schemas = \"sched_api\"\ndb-extra-search-path = \"\"\ndb-anon-role = \"anon\"\ndb-pre-request = \"sched_api.pre_request\"\njwt-secret = \"$secret\"\nserver-host = \"127.0.0.1\"\nserver-port = $port\n");
		defined(my $pid = fork) or die;
		exec $program, $conf or die if !$pid;
		return ($pid, 1);
	}
	$server = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $port, Listen => 20, ReuseAddr => 1) or die "listen: $!";
	defined(my $pid = fork) or die;
	if (!$pid)
	{
		$SIG{PIPE} = 'IGNORE';
		_serve($node, $server);
		require POSIX;
		POSIX::_exit(0);
	}
	return ($pid, 0);
}

1;
