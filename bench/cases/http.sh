# HTTP tasks against a web server on the loopback interface, 64 on the wire:
# with one row of history each, durable. Against a bare libcurl multi loop with as
# many requests on the wire. The two take turns, three times; the ratio is that
# of the medians.
tasks=$(scaled 30000)
nginx=$(PATH=$PATH:/usr/sbin:/usr/local/sbin command -v nginx || true)
[ -n "$nginx" ] || { say "  nginx is not installed: left out"; exit 0; }
port=$((20000 + $$ % 20000))
web=$home/web
mkdir -p "$web"
cat >"$web/nginx.conf" <<END
worker_processes 1;
pid $web/pid;
error_log $web/error.log;
events { worker_connections 1024; }
http {
	access_log off;
	client_body_temp_path $web/body;
	proxy_temp_path $web/proxy;
	fastcgi_temp_path $web/fastcgi;
	uwsgi_temp_path $web/uwsgi;
	scgi_temp_path $web/scgi;
	keepalive_requests 100000000;
	server {
		listen 127.0.0.1:$port;
		location / { default_type text/plain; return 200 "hello"; }
	}
}
END
"$nginx" -c "$web/nginx.conf" -p "$web" 2>/dev/null
trap '"$nginx" -c "$web/nginx.conf" -p "$web" -s stop 2>/dev/null || true' EXIT
url=http://127.0.0.1:$port/
${CC:-cc} -O2 -o "$home/httploop" bench/bareloop/httploop.c $(pkg-config --cflags --libs libcurl)

sched_server sched "sched.http_allowed_hosts = '127.0.0.1'" "sched.http_max_in_flight = 64" \
	"sched.max_concurrent_jobs = 0"
median() { tr ' ' '\n' <<<"$1" | sed '/^$/d' | sort -n | sed -n 2p; }
done_tasks() { q "SELECT count(*) FROM sched._outcome WHERE final AND status = 'c'"; }

q "SELECT sched.create_job('get', '$url', type => 'http')" >/dev/null
q "SELECT count(*) FROM sched.schedule_tasks('get', array_fill(NULL::jsonb, ARRAY[1000]))" >/dev/null
q "SELECT sched._settle('30 s')" >/dev/null
for history in all none; do
	q "SELECT sched.update_job('get', '{\"history\": \"$history\"}')" >/dev/null
	rates='' limits=''
	for round in 1 2 3; do
		limits="$limits $("$home/httploop" "$url" "$tasks" 64)"
		before=$(done_tasks)
		q "SELECT sched.pause_job('get')" >/dev/null
		q "SELECT count(*) FROM sched.schedule_tasks('get', array_fill(NULL::jsonb, ARRAY[$tasks]))" >/dev/null
		[ $round = 2 ] && profile "http-$history" "$(pid_of 'sched http')" 2 &
		seconds=$("$bindir/psql" -XqAt -v ON_ERROR_STOP=1 <<-END
			SELECT clock_timestamp() AS begun, sched.resume_job('get') \gset
			SELECT sched._settle('120 s') \gset
			SELECT extract(epoch FROM max(finished_at) - :'begun'::timestamptz) FROM sched._outcome
			 WHERE finished_at >= :'begun';
		END
		)
		[ $(($(done_tasks) - before)) = "$tasks" ] || { say "not every task is completed"; exit 1; }
		rates="$rates $(calc "$tasks / $seconds" 0)"
	done
	say "  tasks/s:$rates   bare loop:$limits"
	record "64 on the wire, history $history" rate "$(median "$rates")" tasks/s "bare libcurl loop" "$(median "$limits")"
done
stop_server
