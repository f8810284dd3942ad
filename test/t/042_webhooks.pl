# Webhooks: every event reaches its subscribers, in order, signed, whatever dies
# in between; a subscriber that is gone stops nobody but itself.

use strict;
use warnings;
use Test::More;
use Digest::SHA qw(hmac_sha256_hex);
use JSON::PP;
use SchedTest;
use HttpStub;

my $stub = HttpStub->start;
my $node = new_node('webhooks', conf => <<'CONF');
sched.http_allowed_hosts = '127.0.0.1'
sched.node_id = 'node 1'
sched.event_level = none
sched.webhook_max_attempts = 3
CONF

sub subscribe
{
	my ($name, $pattern, $url, $more) = @_;
	return sql($node, "SELECT sched.subscribe('$name', '$pattern', '$url'" . ($more // '') . ')');
}

sub emit { return sql($node, "SELECT sched.emit_event('$_[0]', '$_[1]')") }

sub state
{
	my ($name, $what) = @_;
	return sql($node, "SELECT $what FROM sched.subscriptions WHERE name = '$name'");
}

# numbers(path): the "n" of the events that came there, in order of arrival
sub numbers
{
	my ($path) = @_;
	return join ' ', map { decode_json($_->{body})->{data}{n} } $stub->requests($path);
}

# ---- what is sent -------------------------------------------------------------

my $id = subscribe('orders', 'order.*', $stub->url('/ok?orders'), q(, '{"X-Team": "billing"}', 'key of the hook'));
my $event = emit('order.created', '{"n": 1, "text": "grün \"x\""}');
emit('invoice.created', '{"n": 2}');
ok(wait_until(sub { $stub->requests('/ok?orders') == 1 }), 'an event that matches is sent');
my ($request) = $stub->requests('/ok?orders');
my $sent = decode_json($request->{body});
is($request->{method}, 'POST', 'by POST');
is($request->{headers}{'content-type'}, 'application/cloudevents+json; charset=utf-8', 'as a CloudEvent in JSON');
is($request->{headers}{'x-team'}, 'billing', 'with the headers of the subscription');
is($request->{headers}{'idempotency-key'}, "$id-$event", 'with a key');
is("$sent->{specversion} $sent->{id} $sent->{source} $sent->{type} $sent->{datacontenttype}",
	"1.0 $event urn:sched:node%201:postgres order.created application/json", 'its attributes');
like($sent->{time}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/, 'its time');
is($sent->{actor}, 'postgres', 'who did it');
is_deeply($sent->{data}, { n => 1, text => "gr\x{fc}n \"x\"" }, 'and its payload');
my ($time, $digest) = $request->{headers}{'x-sched-signature'} =~ /^t=(\d+),v1=([0-9a-f]{64})$/;
is($digest, hmac_sha256_hex("$time.$request->{body}", 'key of the hook'), 'the signature covers time and body');
cmp_ok(abs(time - $time), '<', 120, 'the time is that of sending');
poll_ok($node, "SELECT concat_ws(' ', status, signed, delivered, waiting, failures, last_event_id, last_status) FROM sched.subscriptions WHERE name = 'orders'",
	"active t 1 0 0 $event 200", 'the view tells how it went');
is(sql($node, 'SELECT count(*) FROM sched._delivery'), '0', 'nothing is left of it');
unlike(sql($node, q(SELECT string_agg(s::text, '') FROM sched.subscriptions s)), qr/key of the hook|billing/, 'neither secret nor header values are shown');

sql($node, "BEGIN; SELECT sched.emit_event('order.created', '{\"n\": 3}'); ROLLBACK");
sql($node, "SELECT sched.emit_event('order.created', jsonb_build_object('n', i)) FROM generate_series(4, 30) i");
ok(wait_until(sub { $stub->requests('/ok?orders') == 28 }), 'many at once are all sent');
is(numbers('/ok?orders'), join(' ', 1, 4 .. 30), 'in order, and not what was rolled back');

# ---- order across transactions ---------------------------------------------------

{
	my $older = $node->background_psql('postgres', on_error_stop => 1);
	$older->query_safe("BEGIN");
	$older->query_safe("SELECT sched.emit_event('order.slow', '{\"n\": 31}')");
	emit('order.fast', '{"n": 32}');
	wait_for($node, "SELECT count(*) > 0 FROM sched._delivery", 't');
	$older->query_safe("COMMIT");
	$older->quit;
	ok(wait_until(sub { $stub->requests('/ok?orders') == 30 }), 'events of two transactions at once');
	is(numbers('/ok?orders') =~ /(\d+ \d+)$/ && $1, '31 32', 'are sent in the order of their ids, not of the commits');
}

# ---- tasks and other jobs' events ----------------------------------------------------

sql($node, 'SELECT sched.create_roles(); CREATE ROLE alice LOGIN; GRANT sched_user TO alice');
sql($node, "SELECT sched.create_job('fails', 'SELECT 1/0', max_attempts => 1)");
subscribe('failures', 'task.failed', $stub->url('/ok?failed'));
sql($node, "SET SESSION AUTHORIZATION alice; SELECT sched.subscribe('spy', '**', '" . $stub->url('/ok?spy') . "')");
my $task = sql($node, "SELECT sched.run_job('fails')");
ok(wait_until(sub { $stub->requests('/ok?failed') == 1 }), 'a failed task is told to who asks for it');
$sent = decode_json(($stub->requests('/ok?failed'))[0]{body});
is("$sent->{type} $sent->{taskid}", "task.failed $task", 'with its id');
is(sql($node, "SELECT count(*) FROM sched._delivery"), 0, 'all is sent');
is(scalar($stub->requests('/ok?spy')), 0, 'nobody hears of jobs that he may not see');

# ---- failures -----------------------------------------------------------------------

subscribe('flaky', 'flaky.*', $stub->url('/gate?flaky'));
set_clock($node, '2031-01-01 12:00:00');
$stub->hold(1);
emit('flaky.one', '{"n": 1}');
emit('flaky.two', '{"n": 2}');
ok(wait_until(sub { $stub->requests('/gate?flaky') == 1 }), 'the first is sent');
my ($http) = pids($node, 'sched http');
sql($node, "SELECT pg_terminate_backend($http)");
ok(wait_until(sub { $stub->requests('/gate?flaky') == 2 }), 'a worker that dies with it on the wire sends it again');
kill9($node, 'sched http');
set_clock($node, '2031-01-01 12:00:00');
ok(wait_until(sub { $stub->requests('/gate?flaky') == 3 }), 'so does the server after a crash');
is(numbers('/gate?flaky'), '1 1 1', 'and nothing before it is received');
$stub->hold(0);
($http) = wait_pids($node, 'sched http', 1);
sql($node, "SELECT pg_terminate_backend($http)");
ok(wait_until(sub { $stub->requests('/gate?flaky') == 5 }), 'then comes the next');
is(numbers('/gate?flaky'), '1 1 1 1 2', 'each at least once, in order');

subscribe('broken', 'broken.*', $stub->url('/status/503'));
subscribe('watch', 'subscription.*', $stub->url('/ok?watch'));
my $broken = emit('broken.one', '{"n": 1}');
emit('broken.two', '{"n": 2}');
my $now = '2031-01-01 12:00:00';
for my $attempt (1, 2)
{
	wait_for($node, "SELECT failures FROM sched.subscriptions WHERE name = 'broken'", $attempt);
	is(state('broken', "next_attempt_at - sched._now()"), "00:00:0$attempt", "after failure $attempt it waits for $attempt s");
	advance_clock($node, "$attempt s");
}
wait_for($node, "SELECT status FROM sched.subscriptions WHERE name = 'broken'", 'paused');
is(state('broken', "failures || ' ' || waiting || ' ' || paused_reason"), "3 2 HTTP 503 Service Unavailable from 127.0.0.1:" . $stub->port, 'after sched.webhook_max_attempts it is paused, and keeps its events');
ok(wait_until(sub { $stub->requests('/ok?watch') == 1 }), 'an event says so');
$sent = decode_json(($stub->requests('/ok?watch'))[0]{body});
is("$sent->{type} $sent->{data}{subscription} $sent->{data}{event_id} $sent->{data}{attempts}", "subscription.paused broken $broken 3", 'which, and over what');
is(scalar(log_lines($node, qr/subscription "broken" is paused after 3 attempts/)), 1, 'the server log says it, too');
emit('order.created', '{"n": 40}');
ok(wait_until(sub { numbers('/ok?orders') =~ / 40$/ }), 'the others go on');

is(sql($node, "SELECT sched.resume_subscription('orders')"), 'f', 'what is not paused is not resumed');
is(sql($node, "SELECT sched.resume_subscription('broken')"), 't', 'a paused one is');
ok(wait_until(sub { $stub->requests('/status/503') == 4 }), 'and is tried again at once');
is(sql($node, "SELECT sched.pause_subscription('broken', 'by hand')"), 't', 'one can be paused by hand');
is(sql($node, "SELECT sched.pause_subscription('broken')"), 'f', 'once');
is((sql_error($node, "SELECT sched.$_('nobody')"))[0], '42704', "$_: unknown") for qw(pause_subscription resume_subscription);
is((sql_error($node, "SET SESSION AUTHORIZATION alice; SELECT sched.$_('orders')"))[0], '42501', "$_: somebody else's") for qw(pause_subscription resume_subscription unsubscribe);

subscribe('unset', 'unset.*', $stub->url('/ok?unset'), q(, '{"X-Key": "{{secret:nothing}}"}'));
emit('unset.one', '{"n": 1}');
wait_for($node, "SELECT last_error FROM sched.subscriptions WHERE name = 'unset'", 'invalid request: Secret "nothing" does not exist.');
pass('what cannot be sent is a failure, too');
subscribe('gone', 'gone.*', $stub->url('/status/410'));
emit('gone.one', '{"n": 1}');
wait_for($node, "SELECT status FROM sched.subscriptions WHERE name = 'gone'", 'paused');
is(state('gone', 'failures'), '1', 'a subscriber that says it is gone is paused at once');
subscribe('inside', 'inside.*', 'http://169.254.169.254/latest');
emit('inside.one', '{"n": 1}');
wait_for($node, "SELECT last_error FROM sched.subscriptions WHERE name = 'inside'", qr/refused: the address 169.254.169.254 is link-local/);
pass('the same addresses are forbidden as to tasks');
subscribe('elsewhere', 'elsewhere.*', $stub->url('/302/to//ok?else'));
emit('elsewhere.one', '{"n": 1}');
wait_for($node, "SELECT last_status FROM sched.subscriptions WHERE name = 'elsewhere'", '302');
is(scalar($stub->requests('/ok?else')), 0, 'redirects are not followed');

# ---- locks of users ------------------------------------------------------------------

{
	my $holder = $node->background_psql('postgres', on_error_stop => 1);
	$holder->query_safe('BEGIN');
	$holder->query_safe("SELECT sched.pause_subscription('orders')");
	emit('order.created', '{"n": 50}');
	advance_clock($node, '10 s');    # longer than it waits for older transactions
	ok(wait_until(sub { numbers('/ok?orders') =~ / 50$/ }), 'a subscription that somebody is changing');
	emit('subscription.other', '{"n": 51}');
	advance_clock($node, '10 s');
	ok(wait_until(sub { ($stub->requests('/ok?watch'))[-1]{body} =~ /"n": 51/ }), 'holds up no other');
	sql($node, "SELECT sched.create_job('page', '" . $stub->url('/ok?page') . "', type => 'http')");
	is(sql($node, "SELECT sched.wait_for_task(" . sql($node, "SELECT sched.run_job('page')") . ", '30 s')"), 'completed', 'and no task');
	$holder->query_safe('ROLLBACK');
	$holder->quit;
	poll_ok($node, "SELECT waiting FROM sched.subscriptions WHERE name = 'orders'", '0', 'it goes on when that is over');
	is(scalar(() = numbers('/ok?orders') =~ / 50/g), 1, 'without sending anything again');
}

is((sql_error($node, "SELECT sched.subscribe('bad', 'a.*', 'http://user:pw\@example.com/')"))[0], '22023', 'a URL with a password is refused');
is((sql_error($node, "SELECT sched.subscribe('bad', 'a.*', 'http://example.com/', '{\"Host\": \"x\"}')"))[0], '22023', 'a header of the transport, too');

is(sql($node, "SELECT sched.unsubscribe('broken')"), 't', 'a subscription ends');
is(sql($node, "SELECT count(*) FROM sched._delivery JOIN sched._event USING (event_id) WHERE type LIKE 'broken%'"), 0, 'and what was not sent is dropped');
is(sql($node, "SELECT sched.unsubscribe('orders')"), 't', 'with its secret');
is(sql($node, "SELECT count(*) FROM sched._secret"), 0, 'which is gone');

$stub->stop;
done_testing();
