# The case that ends queues: a million finished tasks, a million for later, and a
# snapshot held open all the time.  Batches of 10 and of 100 with two clients,
# enqueueing as it goes; the first and the last of ten windows, and the
# same without the snapshot; then five million tasks in one go.
many=$(scaled 1000000)
window=$(scaled 100000)
for peer in ${QUEUE_PEERS:-sched skip_locked}; do
	for snapshot in none old; do
		server "old-$peer-$snapshot" "synchronous_commit = off" "sched.max_concurrent_jobs = 0" "sched.max_queued_tasks = 1000000" "autovacuum_naptime = 10s"
		"$bindir/psql" -Xq -v ON_ERROR_STOP=1 -f "$tree/bench/peers/$peer/setup.sql" >/dev/null
		[ "$peer" != sched ] || wait_scheduler
		fill() { "$bindir/psql" -Xq -v ON_ERROR_STOP=1 -v n="$1" -f "$tree/bench/peers/$peer/enqueue.sql" >/dev/null; }
		drain() { # TASKS BATCH: tasks per second
			local tps before
			before=$("$bindir/psql" -XqAt -f "$tree/bench/peers/$peer/due.sql")
			tps=$("$bindir/pgbench" -n -M prepared -c 2 -j 2 -t $(($1 / $2 / 2)) -D k="$2" \
				-f "$tree/bench/peers/$peer/cycle.pgbench" 2>/dev/null | sed -n 's/^tps = \([0-9.]*\).*/\1/p')
			calc "($before - $("$bindir/psql" -XqAt -f "$tree/bench/peers/$peer/due.sql")) * $tps / ($1 / $2)" 0
		}
		for ((i = 0; i < 10; i++)); do
			fill $((many / 10))
			drain $((many / 10)) 100 >/dev/null
		done
		case $peer in
			sched) q "SELECT count(*) FROM sched.schedule_tasks('queue', array_fill('{}'::jsonb, ARRAY[$many]), now() + interval '1 day')" >/dev/null ;;
			*) q "INSERT INTO skip_locked_task (job_id, payload, run_at) SELECT 1, '{}', now() + interval '1 day' FROM generate_series(1, $many)" ;;
		esac
		holder=
		if [ $snapshot = old ]; then
			"$bindir/psql" -XqAt >/dev/null <<-'END' &
				BEGIN ISOLATION LEVEL REPEATABLE READ;
				SELECT 1;
				SELECT pg_sleep(3600);
			END
			holder=$!
			until_true 30 "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND backend_xmin IS NOT NULL)"
		fi
		for batch in 10 100; do
			rates=
			for ((i = 0; i < 10; i++)); do
				fill "$window"
				rates="$rates $(drain "$window" $batch)"
			done
			say "  $peer, snapshot $snapshot, batch $batch, windows:$rates"
			set -- $rates
			median=$(printf '%s\n' "$@" | sort -n | sed -n 5p)
			record "$peer, snapshot $snapshot, batch $batch" last_window "${10}" tasks/s "first window" "$1"
			if [ $snapshot = none ]; then
				eval "none_$batch=$median"
				record "$peer, snapshot $snapshot, batch $batch" median "$median" tasks/s
			else
				record "$peer, snapshot $snapshot, batch $batch" median "$median" tasks/s "no snapshot" "$(eval echo \$none_$batch)"
			fi
		done
		if [ "$peer$snapshot" = schedold ]; then
			first=
			for ((i = 0; i < 25; i++)); do
				fill $((many / 5))
				last=$(drain $((many / 5)) 100)
				first=${first:-$last}
			done
			record "$peer, snapshot $snapshot, 5 million" last_fifth_of_a_million "$last" tasks/s "first" "$first"
		fi
		if [ -n "$holder" ]; then
			q "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'" >/dev/null
			wait "$holder" || true
		fi
		stop_server
		rm -rf "$server"
	done
done
