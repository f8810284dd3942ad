#!/bin/bash
# make demo: a throw-away server with a few jobs, shown at work for a while.
# make demo-stop: ends that server and removes it.
#
# The server listens on a socket in a private folder and on no network port.
# It lies in tmp_demo below the tree; when root calls, in a folder of /tmp that
# the unprivileged user owns, and tmp_demo/where says which.
#
#   DEMO_SECONDS=20   how long to watch, at least 10
#   DEMO_KEEP=0       stop the server when the show is over
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../test/tools/lib.sh"
home=$tree/tmp_demo
: "${DEMO_KEEP:=1}" "${DEMO_SECONDS:=20}"
# the third try of a task that is due after 5 seconds has to fit in
[ "$DEMO_SECONDS" -ge 10 ] || DEMO_SECONDS=10

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
	if pid=$(server_pid) && kill -0 "$pid" 2>/dev/null; then
		"$(cat "$home/bindir")/pg_ctl" -D "$home/data" -m fast -w stop >/dev/null
	fi
	[ ! -e "$home/socket_dir" ] || rm -rf "$(cat "$home/socket_dir")"
	rm -rf "$home"
}

if [ "${1:-start}" = stop ]; then
	if stop_demo; then say "the demo server is gone"; else say "there is no demo server"; fi
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
table() { run_sql -P format=wrapped -P columns="$COLUMNS" -P null=- -c "$1"; }

title "Some jobs"
cat scripts/demo.sql
run_sql -At -f scripts/demo.sql >/dev/null

# Every change of a task is a line, printed when it is first seen.
changes="
	SELECT task_id, status, attempt, max_attempts, job_name,
	       to_char(coalesce(finished_at, started_at, queued_at, scheduled_at), 'HH24:MI:SS.MS'),
	       coalesce(round(extract(epoch FROM finished_at - started_at) * 1000, 1)::text, '-'),
	       replace(coalesce(error, result::text, reason, ''), E'\\n', ' ')
	  FROM sched.tasks
	 WHERE status NOT IN ('scheduled', 'waiting')
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
		line=$(printf '%-12s %4s %-16s %-13s %s/%s %7s ms %s' \
			"$at" "#$id" "$job" "$status" "$attempt" "$max" "$ms" "$what")
		printf '%s%s%s\n' "$color" "${line:0:COLUMNS}" "$plain"
	done < <(run_sql -At -F $'\t' -c "$changes")
}

# The cron job is worth a short wait for the turn of the minute.
left=$((60 - 10#$(date +%S)))
if [ $left -ge "$DEMO_SECONDS" ] && [ $left -le $((DEMO_SECONDS + 15)) ]; then
	DEMO_SECONDS=$((left + 2))
fi
title "What they do in the next $DEMO_SECONDS seconds"
end=$((SECONDS + DEMO_SECONDS))
while [ $SECONDS -lt $end ]; do
	show_changes
	sleep 0.3
done

title "History: sched.tasks"
table "
	SELECT task_id, job_name, status, attempt AS try,
	       to_char(started_at, 'HH24:MI:SS.MS') AS started,
	       round(extract(epoch FROM finished_at - started_at) * 1000, 1) AS ms,
	       left(coalesce(error, result::text, reason), 60) AS outcome
	  FROM sched.tasks
	 WHERE finished_at IS NOT NULL
	 ORDER BY finished_at DESC LIMIT 12"

title "Every try of a task: sched.task_attempts(task_id)"
table "
	SELECT a.attempt, to_char(a.started_at, 'HH24:MI:SS.MS') AS started,
	       to_char(a.finished_at, 'HH24:MI:SS.MS') AS finished, a.outcome, a.error
	  FROM sched.task_attempts((SELECT min(task_id) FROM sched.tasks WHERE job_name = 'third-time-lucky')) a
	 ORDER BY a.attempt"

title "What a task said: sched.task_logs(task_id)"
table "
	SELECT to_char(l.logged_at, 'HH24:MI:SS.MS') AS at, l.level, l.message
	  FROM sched.task_logs((SELECT min(task_id) FROM sched.tasks WHERE job_name = 'report')) l
	 ORDER BY l.log_id"

title "sched.status()"
run_sql -At -c 'SELECT * FROM sched.status()'

# The show is no show if nothing was to be seen.
lacking=$(run_sql -At -c "
	SELECT string_agg(what, ', ') FROM (VALUES
		('a run each second', (SELECT count(*) >= 5 FROM sched.tasks WHERE job_name = 'every-second' AND status = 'completed')),
		('the one-time run', (SELECT count(*) = 1 FROM sched.tasks WHERE job_name = 'one-time' AND status = 'completed')),
		('a task that was retried', EXISTS (SELECT FROM sched.tasks WHERE job_name = 'third-time-lucky' AND status = 'completed' AND attempt = 3)),
		('a task that failed', EXISTS (SELECT FROM sched.tasks WHERE job_name = 'hopeless' AND status = 'failed'))
	) v (what, seen) WHERE NOT seen")
if [ -n "$lacking" ]; then
	say "${red}not seen: $lacking$plain"
	exit 1
fi

over=1
if [ "$DEMO_KEEP" = 0 ]; then
	"$bindir/pg_ctl" -D "$home/data" -m fast -w stop >/dev/null
	rm -rf "$socket" "$home"
	title "Done; the server is stopped and removed."
	exit 0
fi
title "The server goes on. It is yours:"
say "  connect   $bindir/psql -h $socket -U postgres demo"
say "  look      SELECT * FROM sched.status();   SELECT * FROM sched.jobs;"
say "  log       $home/server.log"
say "  data      $home/data"
say "  stop      ${DEMO_STOP:-make -C $tree demo-stop}"
