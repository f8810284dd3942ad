# HttpStub - a web server for tests, with good and pathological answers
#
#     my $stub = HttpStub->start;
#     $stub->url('/ok')                  http://127.0.0.1:PORT/ok
#     my @seen = $stub->requests('/ok')  what has come, as hashes
#     $stub->hold(1)                     from now on /gate does not answer
#
# Listens on the loopback interface only.  A process serves each connection; it
# ends with the connection, or after two minutes.  What "never answers" blocks
# in a read until the client goes away, so nothing here sleeps or polls.

package HttpStub;

use strict;
use warnings;

use Fcntl qw(:flock SEEK_SET);
use IO::Socket::INET;
use PostgreSQL::Test::Utils;
use POSIX ();
use Socket qw(SOL_SOCKET SO_LINGER);

use constant longest => 120;    # seconds that a connection may last

sub start
{
	my ($class) = @_;
	my $listener = IO::Socket::INET->new(
		LocalAddr => '127.0.0.1',
		LocalPort => 0,
		Proto     => 'tcp',
		Listen    => 256,
		ReuseAddr => 1) or die "cannot listen: $!";
	my $dir  = PostgreSQL::Test::Utils::tempdir();
	my $self = bless {
		port => $listener->sockport,
		dir  => $dir,
		log  => "$dir/requests",
		hold => "$dir/hold",
	}, $class;

	append_to_file($self->{log}, '');
	my $pid = fork();
	die "cannot fork: $!" unless defined $pid;
	if ($pid == 0)
	{
		$self->_accept($listener);
		POSIX::_exit(0);
	}
	$self->{pid} = $pid;
	close $listener;
	return $self;
}

sub stop
{
	my ($self) = @_;

	return unless defined $self->{pid} && $self->{owner} // $$ == $$;
	# the connections are in its process group
	kill 'TERM', -$self->{pid};
	waitpid $self->{pid}, 0;
	delete $self->{pid};
	return;
}

sub port { return $_[0]->{port} }

sub url
{
	my ($self, $path, $host) = @_;
	return 'http://' . ($host // '127.0.0.1') . ":$self->{port}$path";
}

# Whether /gate keeps its requests waiting.
sub hold
{
	my ($self, $on) = @_;

	if   ($on) { append_to_file($self->{hold}, '1') }
	else       { unlink $self->{hold} }
	return;
}

# Every request for a path so far: {method, path, body, headers (lower case), end}.
# What ended a connection that never got an answer is in the list of ends().
sub requests
{
	my ($self, $path) = @_;
	my @found;

	for my $line (split /\n/, slurp_file($self->{log}))
	{
		my ($what, $method, $target, $headers, $body) = split /\t/, $line;

		next unless $what eq 'request' && (!defined $path || $target eq $path);
		my %headers = map { /^([^:]+): ?(.*)$/ ? (lc $1, $2) : () }
		  split /\x01/, $headers;
		push @found,
		  {
			method  => $method,
			path    => $target,
			headers => \%headers,
			body    => $body // ''
		  };
	}
	return @found;
}

# Paths of requests that were held until the client went away.
sub ends
{
	my ($self, $path) = @_;
	return grep { $_ eq "gone\t$path" } split /\n/, slurp_file($self->{log});
}

# ---- the server -------------------------------------------------------------

sub _accept
{
	my ($self, $listener) = @_;

	setpgrp(0, 0);
	$SIG{CHLD} = 'IGNORE';
	$SIG{TERM} = sub { POSIX::_exit(0) };
	while (1)
	{
		my $socket = $listener->accept or next;
		my $pid    = fork();

		if (defined $pid && $pid == 0)
		{
			$SIG{ALRM} = $SIG{PIPE} = sub { POSIX::_exit(0) };
			alarm longest;
			close $listener;
			$socket->autoflush(1);
			1 while $self->_serve($socket);
			POSIX::_exit(0);
		}
		close $socket;
	}
	return;
}

sub _note
{
	my ($self, @fields) = @_;
	my $line = join("\t", map { s/[\t\n]/ /gr } @fields) . "\n";

	open my $fh, '>>', $self->{log} or return;
	flock $fh, LOCK_EX;
	syswrite $fh, $line;
	close $fh;
	return;
}

# Until the client closes the connection.
sub _wait_until_gone
{
	my ($self, $socket, $path) = @_;
	my $buffer;

	1 while sysread $socket, $buffer, 4096;
	$self->_note('gone', $path);
	return 0;
}

sub _answer
{
	my ($socket, $status, $headers, $body) = @_;

	print $socket "HTTP/1.1 $status Stub\r\n$headers"
	  . 'Content-Length: '
	  . length($body)
	  . "\r\n\r\n$body";
	return 1;
}

# One request; false when the connection is over.
sub _serve
{
	my ($self, $socket) = @_;
	my $line = <$socket>;

	return 0 unless defined $line;
	if ($line !~ m{^([A-Z]+) (\S+) HTTP/1\.[01]\r\n$})
	{
		# perhaps the beginning of TLS
		return 0;
	}
	my ($method, $path) = ($1, $2);
	my (@headers, $length);

	while (defined($line = <$socket>))
	{
		$line =~ s/\r?\n$//;
		last if $line eq '';
		push @headers, $line;
		$length = $1 if $line =~ /^content-length:\s*(\d+)/i;
	}
	my $body = '';
	read $socket, $body, $length if $length;
	$self->_note('request', $method, $path, join("\x01", @headers), $body);
	return $self->_respond($socket, $path, \@headers, $body);
}

sub _respond
{
	my ($self, $socket, $path, $headers, $body) = @_;

	return _answer($socket, 200, "Content-Type: text/plain\r\n", 'hello')
	  if $path =~ m{^/ok};
	return _answer($socket, 200,
		"Content-Type: application/json\r\nSet-Cookie: a=b\r\n",
		'{"rows": [1, 2, {"x": null}]}')
	  if $path eq '/json';
	return _answer($socket, 200, "Content-Type: application/json\r\n", '{"a":')
	  if $path eq '/bad-json';
	return _answer($socket, 200, "Content-Type: application/octet-stream\r\n",
		"\x00\xff\x01")
	  if $path eq '/binary';
	return _answer($socket, 200, "Content-Type: text/plain\r\n",
		join("\n", @$headers) . "\n\n$body")
	  if $path =~ m{^/echo(\?|$)};
	return _answer($socket, $1, '', "status $1")
	  if $path =~ m{^/status/(\d+)$};
	return _answer($socket, $1, "Retry-After: $2\r\n", '')
	  if $path =~ m{^/status/(\d+)/after/(\d+)$};
	return _answer($socket, 503,
		"Retry-After: Fri, 31 Dec 2099 23:59:59 GMT\r\n", '')
	  if $path eq '/after-date';
	return _answer($socket, 302, "Location: /loop\r\n", '')
	  if $path eq '/loop';
	return _answer($socket, $1, "Location: $2\r\n", '')
	  if $path =~ m{^/(30\d)/to/(.*)$};

	if ($path =~ m{^/gate} && !-e $self->{hold})
	{
		return _answer($socket, 200, '', 'through');
	}
	if ($path =~ m{^/(gate|slow-headers)})
	{
		return $self->_wait_until_gone($socket, $path);
	}
	if ($path eq '/slow-body')
	{
		print $socket "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789";
		return $self->_wait_until_gone($socket, $path);
	}
	if ($path eq '/endless')
	{
		my $chunk = sprintf("%x\r\n%s\r\n", 4096, 'x' x 4096);

		print $socket "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
		1 while syswrite $socket, $chunk;
		return 0;
	}
	if ($path eq '/truncated')
	{
		print $socket "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789";
		return 0;
	}
	if ($path eq '/reset')
	{
		setsockopt $socket, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0);
		return 0;
	}
	if ($path eq '/huge-headers')
	{
		print $socket "HTTP/1.1 200 OK\r\n";
		print $socket "X-Filler-$_: " . 'y' x 1000 . "\r\n" for 1 .. 100;
		print $socket "Content-Length: 0\r\n\r\n";
		return 1;
	}
	if ($path eq '/huge-line')
	{
		print $socket "HTTP/1.1 200 OK\r\nX-Long: " . 'y' x 300_000 . "\r\n\r\n";
		return 0;
	}
	if ($path eq '/not-http')
	{
		print $socket "SSH-2.0-OpenSSH_9.2\r\n";
		return 0;
	}
	return _answer($socket, 404, '', 'nothing here');
}

sub DESTROY
{
	my ($self) = @_;
	local ($?, $!);
	$self->stop;
	return;
}

1;
