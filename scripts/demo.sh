#!/bin/bash
# make demo: a throw-away server with a few jobs and an executor beside it, shown
# at work for a while.
# make demo-stop: ends both and removes what they left.
#
# The server listens on a socket in a private folder and on no network port.
# It lies in tmp_demo below the tree; when root calls, in a folder of /tmp that
# the unprivileged user owns, and tmp_demo/where says which.
#
#   DEMO_SECONDS=20   how long to watch; longer if something has not been seen
#   DEMO_KEEP=0       stop everything when the show is over
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../test/tools/lib.sh"
home=$tree/tmp_demo
: "${DEMO_KEEP:=1}" "${DEMO_SECONDS:=20}"
# a slow machine has so many seconds more to show everything
patience=90

# stop_executor FOLDER: the program is told to stop, after ten seconds killed.
# The name of the process is looked at, since ids are used again.
stop_executor() {
	local pid i
	pid=$(cat "$1/executor.pid" 2>/dev/null) || return 0
	rm -f "$1/executor.pid"
	for i in {1..100}; do
		[ "$(cat "/proc/$pid/comm" 2>/dev/null)" = sched-executor ] || return 0
		# a second signal would give up running tasks, which may come at last
		if [ "$i" = 1 ] || [ "$i" = 50 ]; then kill -TERM "$pid" 2>/dev/null || return 0; fi
		sleep 0.1
	done
	kill -KILL "$pid" 2>/dev/null || true
}

server_pid() {
	[ -e "$home/data/postmaster.pid" ] && head -1 "$home/data/postmaster.pid"
}

stop_demo() {
	local pid dir
	if is_root; then
		[ -e "$home/where" ] || return 1
		dir=$(cat "$home/where")
		rm -rf "$home"
		[ -d "$dir/tmp_demo" ] || return 1
		as_user "$(stat -c %U "$dir")" "$dir" bash scripts/demo.sh stop >/dev/null || true
		case $dir in */sched-demo.*) rm -rf "$dir" ;; esac
		return 0
	fi
	[ -d "$home" ] || return 1
	stop_executor "$home"
	if pid=$(server_pid) && kill -0 "$pid" 2>/dev/null; then
		"$(cat "$home/bindir")/pg_ctl" -D "$home/data" -m fast -w stop >/dev/null
	fi
	[ ! -e "$home/socket_dir" ] || rm -rf "$(cat "$home/socket_dir")"
	rm -rf "$home"
}

if [ "${1:-start}" = stop ]; then
	if stop_demo; then say "the demo is gone"; else say "there is no demo server"; fi
	exit 0
fi

terminal_width() {
	local size
	if [ -z "${COLUMNS:-}" ]; then
		size=$(stty size 2>/dev/null </dev/tty) && COLUMNS=${size#* }
	fi
	[ "${COLUMNS:-0}" -ge 40 ] 2>/dev/null || COLUMNS=80
	export COLUMNS
}
terminal_width

ensure_tools
if stop_demo; then say "stopped the demo server that was there"; fi

# ---- root hands over -------------------------------------------------------
if is_root; then
	user=$(unprivileged_user)
	work=$(mktemp -d "${TMPDIR:-/tmp}/sched-demo.XXXXXX")
	chmod 755 "$work"
	trap 'rm -rf "$work"' EXIT
	copy_tree "$work" || die "could not copy the tree to $work"
	chown -R "$user": "$work"
	mkdir -p "$home"
	echo "$work" >"$home/where"
	rc=0
	as_user "$user" "$work" PG_CONFIG="$PG_CONFIG" DEMO_STOP="make -C $tree demo-stop" \
		bash scripts/demo.sh start || rc=$?
	if [ $rc -eq 0 ] && [ "$DEMO_KEEP" != 0 ]; then
		trap - EXIT
	else
		rm -rf "$home"
	fi
	exit $rc
fi

# ---- the unprivileged half -------------------------------------------------
clean_environment
cd "$tree"
[ -w . ] || die "$tree is not writable; copy it somewhere else first"
mkdir -p "$home"
over=0
ending() {
	if [ $over = 0 ]; then
		stop_executor "$home"
		stop_servers "$home"
		[ ! -s "$home/server.log" ] || tail -20 "$home/server.log" >&2
		[ ! -e "$home/socket_dir" ] || rm -rf "$(cat "$home/socket_dir")"
	fi
}
trap ending EXIT
trap 'exit 130' INT TERM

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
	bold=$'\e[1m' dim=$'\e[2m' red=$'\e[31m' green=$'\e[32m' yellow=$'\e[33m' plain=$'\e[0m'
else
	bold='' dim='' red='' green='' yellow='' plain=''
fi
title() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }

title "Building for $("$PG_CONFIG" --version)"
stage "$home" >"$home/build.log" 2>&1 || {
	cat "$home/build.log"
	exit 1
}
echo "$bindir" >"$home/bindir"

title "Starting a server of its own"
# a socket's path may have 107 characters
socket=$home/socket
[ ${#socket} -le 80 ] || socket=$(mktemp -d /tmp/sched-demo-socket.XXXXXX)
mkdir -p "$socket"
chmod 700 "$socket"
echo "$socket" >"$home/socket_dir"
"$bindir/initdb" -D "$home/data" -U postgres -A trust -N -E UTF8 --no-locale >"$home/initdb.log"
{
	cat "$home/temp.conf"
	echo "listen_addresses = ''"
	echo "unix_socket_directories = '$socket'"
} >>"$home/data/postgresql.conf"
"$bindir/pg_ctl" -D "$home/data" -l "$home/server.log" -w start >/dev/null

export PGHOST=$socket PGUSER=postgres PGDATABASE=demo PGCONNECT_TIMEOUT=10
"$bindir/createdb" --maintenance-db=postgres demo
run_sql() { "$bindir/psql" -Xq -v ON_ERROR_STOP=1 -P pager=off "$@"; }
table() { run_sql -P null=- -P footer=off -c "$1" | sed '/^$/d'; }

title "Some jobs"
cat scripts/demo.sql
run_sql -At -f scripts/demo.sql >/dev/null

title "An executor beside the server: sched-executor --name=demo-node --register"
setsid ./sched-executor --dbname="host=$socket user=postgres dbname=demo" --name=demo-node \
	--register --concurrency=2 --verbose </dev/null >"$home/executor.log" 2>&1 &
echo $! >"$home/executor.pid"

# What a task came to, in a few words
outcome="replace(coalesce(error, result #>> '{rows,0}', rtrim(result ->> 'stdout', E'\\n'),
	result ->> 'command', result::text, reason, ''), E'\\n', ' ')"

# Every change of a task is a line, printed when it is first seen.
changes="
	SELECT task_id, status, attempt, max_attempts, job_name,
	       to_char(coalesce(finished_at, started_at, queued_at, scheduled_at), 'HH24:MI:SS.MS'),
	       coalesce(round(extract(epoch FROM finished_at - started_at) * 1000, 1)::text, '-'),
	       $outcome
	  FROM sched.tasks
	 WHERE status <> 'scheduled'
	 ORDER BY coalesce(finished_at, started_at, queued_at, scheduled_at), task_id"
declare -A seen=()
show_changes() {
	local id status attempt max job at ms what line color
	while IFS=$'\t' read -r id status attempt max job at ms what; do
		[ -z "${seen[$id $status $attempt]+x}" ] || continue
		seen[$id $status $attempt]=1
		case $status in
			completed) color=$green ;;
			failed | timeout | missed) color=$red ;;
			waiting_retry) color=$yellow ;;
			*) color=$dim ;;
		esac
		line=$(printf '%-12s %4s %-16s %-13s %s/%s %6s ms  %s' \
			"$at" "#$id" "$job" "$status" "$attempt" "$max" "$ms" "$what")
		printf '%s%s%s\n' "$color" "${line:0:COLUMNS}" "$plain"
	done < <(run_sql -At -F $'\t' -c "$changes")
}

# What has not been seen yet of what the show is about
lacking() {
	run_sql -At -c "
	WITH t AS (SELECT job_name, status, attempt, executor FROM sched.tasks WHERE finished_at IS NOT NULL)
	SELECT string_agg(what, ', ') FROM (VALUES
		('a run every three seconds', (SELECT count(*) >= 3 FROM t WHERE job_name = 'heartbeat' AND status = 'completed')),
		('the one-time run', EXISTS (SELECT FROM t WHERE job_name = 'one-time' AND status = 'completed')),
		('a task that was retried', EXISTS (SELECT FROM t WHERE job_name = 'third-time-lucky' AND status = 'completed' AND attempt = 3)),
		('a task that failed', EXISTS (SELECT FROM t WHERE job_name = 'hopeless' AND status = 'failed')),
		('the end of a workflow', EXISTS (SELECT FROM t WHERE job_name = 'totals' AND status = 'completed')),
		('a task that an event fired', EXISTS (SELECT FROM t WHERE job_name = 'confirm' AND status = 'completed')),
		('a task of the executor', EXISTS (SELECT FROM t WHERE job_name = 'disk-space' AND status = 'completed' AND executor = 'demo-node'))
	) v (what, seen) WHERE NOT seen"
}

# The cron job is worth a short wait for the turn of the minute.
left=$((60 - 10#$(date +%S)))
if [ $left -ge "$DEMO_SECONDS" ] && [ $left -le $((DEMO_SECONDS + 15)) ]; then
	DEMO_SECONDS=$((left + 2))
fi
title "What they do in the next $DEMO_SECONDS seconds"
end=$((SECONDS + DEMO_SECONDS)) missing=
while :; do
	show_changes
	if [ $SECONDS -ge $end ]; then
		missing=$(lacking)
		if [ -z "$missing" ] || [ $SECONDS -ge $((end + patience)) ]; then break; fi
	fi
	sleep 0.3
done
# The show is no show if something was not to be seen.
if [ -n "$missing" ]; then
	say "${red}not seen: $missing$plain"
	[ ! -s "$home/executor.log" ] || tail -5 "$home/executor.log"
	exit 1
fi

title "sched.status()"
run_sql -At -c 'SELECT * FROM sched.status()' | cat -s

title "History: sched.tasks, the last two of each job"
table "
	SELECT task_id AS task, job_name AS job, status, attempt AS try,
	       to_char(started_at, 'HH24:MI:SS') AS started,
	       round(extract(epoch FROM finished_at - started_at) * 1000) AS ms,
	       left($outcome, greatest(16, $COLUMNS - 63)) AS outcome
	  FROM (SELECT *, row_number() OVER (PARTITION BY job_id ORDER BY task_id DESC) AS nth
	          FROM sched.tasks WHERE finished_at IS NOT NULL) AS t
	 WHERE nth <= 2
	 ORDER BY task_id"

title "Every try of a task: sched.task_attempts(task_id)"
table "
	SELECT a.attempt, to_char(a.started_at, 'HH24:MI:SS.MS') AS started,
	       to_char(a.finished_at, 'HH24:MI:SS.MS') AS finished, a.outcome, a.error
	  FROM sched.task_attempts((SELECT min(task_id) FROM sched.tasks WHERE job_name = 'third-time-lucky')) a
	 ORDER BY a.attempt"

title "What tasks said: sched.task_logs(task_id)"
table "
	SELECT to_char(l.logged_at, 'HH24:MI:SS.MS') AS at, t.job_name AS job, l.level, left(l.message, 40) AS message
	  FROM (SELECT job_name, min(task_id) AS task_id FROM sched.tasks
	         WHERE job_name IN ('report', 'disk-space', 'third-time-lucky') AND status = 'completed'
	         GROUP BY job_name) AS t, sched.task_logs(t.task_id) AS l
	 ORDER BY l.log_id"

title "The workflow: sched.runs"
run=$(run_sql -At -c "SELECT min(run_id) FROM sched.tasks WHERE job_name = 'extract'")
table "
	SELECT run_id, root_job, status, to_char(finished_at - started_at, 'SS.MS') AS seconds,
	       tasks, critical_path
	  FROM sched.runs WHERE run_id = $run"

title "The workflow as Mermaid: sched.dependency_graph(run_id => $run); dot, json and svg as well"
run_sql -At -c "SELECT sched.dependency_graph(run_id => $run)"

title "Events: sched.events"
table "
	SELECT event_id AS event, type, to_char(occurred_at, 'HH24:MI:SS') AS at, actor,
	       left((payload - 'reason')::text, greatest(20, $COLUMNS - 54)) AS payload
	  FROM sched.events
	 WHERE type ~ '^(order|task|executor)' ORDER BY event_id LIMIT 8"

title "Who runs tasks: sched.executors"
table "
	SELECT name, status, types, max_concurrent AS at_once, running FROM sched.executors ORDER BY name"

over=1
if [ "$DEMO_KEEP" = 0 ]; then
	stop_executor "$home"
	"$bindir/pg_ctl" -D "$home/data" -m fast -w stop >/dev/null
	rm -rf "$socket" "$home"
	title "Done; the executor and the server are stopped and removed."
	exit 0
fi
title "The server and the executor go on. They are yours:"
say "  connect   $bindir/psql -h $socket -U postgres demo"
say "  look      SELECT * FROM sched.status();"
say "            SELECT name, schedule, status, next_fire_at FROM sched.jobs;"
say "  try       SELECT sched.run_job('extract') AS task \\gset"
say "            SELECT sched.wait_for_task(:task);"
say "            SELECT * FROM sched.why((SELECT max(task_id) FROM sched.tasks));"
say "            SELECT sched.pause_job('heartbeat');"
say "  logs      $home/server.log"
say "            $home/executor.log"
say "  stop      ${DEMO_STOP:-make -C $tree demo-stop}"
