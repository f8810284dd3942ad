# What the benchmarks share; sourced by run.sh, never run.

# ---- results ---------------------------------------------------------------

results_start() {
	tsv=$results/$1.tsv
	printf 'benchmark\tcase\tmetric\tvalue\tunit\tlimit\tlimit_value\tratio\n' >"$tsv"
}
# record CASE METRIC VALUE UNIT [LIMIT LIMIT_VALUE]: one figure and, if there is
# something to hold it against, value / limit.
record() {
	local ratio=
	if [ -n "${6:-}" ]; then
		ratio=$(awk -v a="$3" -v b="$6" 'BEGIN { if (b + 0 != 0) printf "%.3f", a / b }')
	fi
	printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$name" "$1" "$2" "$3" "$4" "${5:-}" "${6:-}" "$ratio" >>"$tsv"
	printf '  %-34s %-26s %12s %-8s %s\n' "$1" "$2" "$3" "$4" "${ratio:+$ratio of $5}"
}
results_table() {
	say
	tail -n +2 "$results/$1.tsv" | awk -F '\t' -v OFS='\t' \
		'BEGIN { print "case", "metric", "value", "unit", "limit", "ratio" }
		 { print $2, $3, $4, $5, ($6 == "" ? "-" : $6), ($8 == "" ? "-" : $8) }' | column -t -s $'\t'
	say
}
# scaled N: N times BENCH_SCALE, at least 1
scaled() { awk -v n="$1" -v s="$BENCH_SCALE" 'BEGIN { n = int(n * s); print n < 1 ? 1 : n }'; }
calc() { awk "BEGIN { printf \"%.${2:-1}f\", $1 }"; }

# ---- servers ---------------------------------------------------------------

# server NAME [lines of configuration]: a new server with a database "bench".
server() {
	local libraries
	server=$home/server-$1
	shift
	mkdir -p "$server/socket"
	libraries=$(sed -n "s/^dynamic_library_path *= *'\(.*\)'/\1/p" "$home/temp.conf" | tail -1)
	"$bindir/initdb" -D "$server/data" -U postgres -A trust -N -E UTF8 --no-locale >"$server/initdb.log"
	{
		cat "$home/temp.conf"
		echo "listen_addresses = ''"
		echo "unix_socket_directories = '$server/socket'"
		echo "dynamic_library_path = '${libraries:-\$libdir}:$tree/bench/bareloop'"
		echo "fsync = on"
		echo "shared_buffers = 1GB"
		echo "max_wal_size = 8GB"
		echo "checkpoint_timeout = 30min"
		echo "max_worker_processes = 64"
		echo "sched.max_workers = 8"
		echo "log_min_messages = warning"
		printf '%s\n' "$@"
	} >>"$server/data/postgresql.conf"
	export PGHOST=$server/socket PGUSER=postgres PGDATABASE=postgres PGCONNECT_TIMEOUT=10
	start_server
	"$bindir/createdb" bench
	export PGDATABASE=bench
}
start_server() { "$bindir/pg_ctl" -D "$server/data" -l "$server/server.log" -w -t 300 start >/dev/null; }
stop_server() { "$bindir/pg_ctl" -D "$server/data" -m fast -w -t 300 stop >/dev/null; }

# restart_with SETTING...: the settings, then a restart
restart_with() {
	local s
	for s in "$@"; do echo "$s" >>"$server/data/postgresql.conf"; done
	stop_server
	start_server
	wait_scheduler
}

q() { "$bindir/psql" -XqAt -v ON_ERROR_STOP=1 -c "$1"; }

# until_true SECONDS SQL: polls; returns false at the deadline
until_true() {
	local end=$((SECONDS + $1))
	while [ "$(q "$2" 2>/dev/null)" != t ]; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.05
	done
}
wait_scheduler() {
	until_true 120 "SELECT running AND held IS NULL FROM sched._scheduler_state()" ||
		{ say "no scheduler runs"; return 1; }
}
sched_server() {
	server "$@"
	q "CREATE EXTENSION sched"
	q "CREATE SCHEMA bench"
	q "CREATE FUNCTION bench.loop(library text, loops bigint, workers int, statement text, insert text)
		RETURNS float8 LANGUAGE c AS 'bareloop', 'bareloop_run'"
	q "CREATE FUNCTION bench.ping(library text, rounds bigint)
		RETURNS float8 LANGUAGE c AS 'bareloop', 'bareloop_ping'"
	# the row that a finished task leaves, with its key
	q "CREATE TABLE bench.outcome (LIKE sched._outcome, PRIMARY KEY (task_id, attempt))"
	# a procedure, since it must not hold a snapshot while it waits
	q "CREATE PROCEDURE bench.wait_done(target bigint, seconds float8) LANGUAGE plpgsql AS \$\$
		DECLARE
			v_end timestamptz := clock_timestamp() + seconds * interval '1 second';
			v_done bigint;
		BEGIN
			LOOP
				SELECT sum(w.tasks_done) INTO v_done FROM sched._workers() w;
				EXIT WHEN v_done >= target;
				COMMIT;
				IF clock_timestamp() > v_end THEN
					RAISE EXCEPTION '% of % tasks were done after % s', v_done, target, seconds;
				END IF;
				PERFORM pg_sleep(0.005);
			END LOOP;
		END \$\$"
	wait_scheduler
}

# loop_insert: the statement of the bare loop, writing the row of a finished task
loop_insert="INSERT INTO bench.outcome (task_id, attempt, status, final, finished_at, queued_at, started_at, row_count)
	VALUES (\$1, 1, 'c', true, now(), now(), now(), 1)"
# bare_rate LOOPS WORKERS [INSERT]: transactions per second of the bare loop
bare_rate() {
	local seconds
	q "TRUNCATE bench.outcome"
	seconds=$(q "SELECT bench.loop('bareloop', $(($1 / $2)), $2, 'SELECT 1', \$i\$${3-$loop_insert}\$i\$)")
	calc "$1 / $seconds" 0
}
# warm JOB: start every worker, so that starting them is not measured
warm() {
	q "SELECT count(*) FROM sched.schedule_tasks('$1', array_fill('{}'::jsonb, ARRAY[${2:-200}]))" >/dev/null
	q "SELECT sched._settle('30 s')" >/dev/null
}

# ---- processes -------------------------------------------------------------

pid_of() { q "SELECT min(pid) FROM pg_stat_activity WHERE backend_type = '$1'"; }
# cpu_ms PID...: processor time used so far
cpu_ms() {
	local p sum=0 t
	for p in "$@"; do
		if read -r t _ 2>/dev/null <"/proc/$p/schedstat" && [ "$t" -gt 0 ]; then
			sum=$((sum + t / 1000))
		else
			t=$(sed 's/.*) //' "/proc/$p/stat" | awk -v h="$(getconf CLK_TCK)" '{ print int(($12 + $13) * 1000000 / h) }')
			sum=$((sum + t))
		fi
	done
	calc "$sum / 1000" 2
}
rss_mb() { calc "$(awk '/^RssAnon/ { print $2 }' "/proc/$1/status") / 1024" 1; }
# profile NAME PID SECONDS: hottest functions of one process, in the background
profile() {
	[ -n "$BENCH_PROFILE" ] && have perf || return 0
	perf record -q -g -o "$home/perf.$1" -p "$2" -- sleep "$3" >/dev/null 2>&1 || return 0
	perf report -q --no-children -g none -i "$home/perf.$1" --percent-limit 1 2>/dev/null |
		sed -n '1,40p' >"$results/profile.$name.$1.txt" || true
}
