# Claim and complete, history kept where the queue keeps one: sched beside other
# queues on PostgreSQL, all in one server, one after the other, by pgbench
# with prepared statements.  Each run works off a backlog; its figure is the
# best of three turns, taken in turns, so that a busy neighbour meets all alike.
#
#   QUEUE_PEERS="sched graphile"  QUEUE_BATCHES="1 10 100"  QUEUE_CLIENTS="1 4 8"
#   QUEUE_SYNC="off on"  QUEUE_TURNS=3
: "${QUEUE_PEERS:=sched skip_locked graphile pgboss river pgmq}"
: "${QUEUE_BATCHES:=1 10 100}" "${QUEUE_CLIENTS:=1 4 8}" "${QUEUE_SYNC:=off on}" "${QUEUE_TURNS:=3}"
peers=$tree/bench/peers

# tasks worked off in a run of batches of $1
run_size() {
	case $1 in
		1) scaled 30000 ;;
		10) scaled 100000 ;;
		*) scaled 200000 ;;
	esac
}
enqueue() { "$bindir/psql" -Xq -v ON_ERROR_STOP=1 -v n="$2" -f "$peers/$1/enqueue.sql" >/dev/null; }
remaining() { "$bindir/psql" -XqAt -v ON_ERROR_STOP=1 -f "$peers/$1/remaining.sql"; }
# cycle PEER BATCH CLIENTS TASKS: tasks per second, of those that were worked off
cycle() {
	local jobs=$(($3 < 2 ? 1 : 2)) transactions=$(($4 / $2 / $3)) tps before
	before=$(remaining "$1")
	tps=$("$bindir/pgbench" -n -M prepared -c "$3" -j "$jobs" -t "$transactions" -D k="$2" \
		-f "$peers/$1/cycle.pgbench" 2>"$home/pgbench.err" | sed -n 's/^tps = \([0-9.]*\).*/\1/p')
	[ -n "$tps" ] || { cat "$home/pgbench.err" >&2; return 1; }
	grep -q . "$home/pgbench.err" && tail -2 "$home/pgbench.err" >&2
	calc "($before - $(remaining "$1")) * $tps / ($transactions * $3)" 0
}
best() { printf '%s\n' "$@" | sort -n | tail -1; }

for sync in $QUEUE_SYNC; do
	server "queue-$sync" "synchronous_commit = $sync" "max_connections = 60" "autovacuum_naptime = 10s" \
		"sched.max_concurrent_jobs = 0" "sched.max_queued_tasks = 1000000"
	for peer in $QUEUE_PEERS; do
		"$bindir/psql" -Xq -v ON_ERROR_STOP=1 -f "$peers/$peer/setup.sql" >/dev/null
	done
	case " $QUEUE_PEERS " in *" sched "*) wait_scheduler ;; esac

	# ---- enqueueing, and WAL of a whole life ----
	for peer in $QUEUE_PEERS; do
		n=$(scaled 100000)
		lsn=$(q "SELECT pg_current_wal_insert_lsn()")
		t=$(date +%s%N)
		enqueue "$peer" "$n"
		t=$(($(date +%s%N) - t))
		eval "bulk_$peer=$(calc "$n / ($t / 1000000000)" 0)"
		cycle "$peer" 100 4 "$n" >/dev/null
		record "sync $sync, $peer" bulk_enqueue "$(eval echo \$bulk_"$peer")" tasks/s
		record "sync $sync, $peer" wal_per_task "$(q "SELECT round(pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '$lsn') / $n)")" B
	done

	# ---- claim and complete ----
	for batch in $QUEUE_BATCHES; do
		for clients in $QUEUE_CLIENTS; do
			n=$(run_size "$batch")
			[ "$sync$batch" = on1 ] && n=$((n / 4 + 1))
			for peer in $QUEUE_PEERS; do eval "rates_$peer="; done
			for ((turn = 0; turn < QUEUE_TURNS; turn++)); do
				for peer in $QUEUE_PEERS; do
					enqueue "$peer" "$n"
					rate=$(cycle "$peer" "$batch" "$clients" "$n")
					eval "rates_$peer=\"\$rates_$peer $rate\""
				done
			done
			top=0 top_peer=
			for peer in $QUEUE_PEERS; do
				rate=$(best $(eval echo "\$rates_$peer"))
				[ "$peer" != sched ] && [ "$(calc "$rate > $top" 0)" = 1 ] && top=$rate top_peer=$peer
				eval "rate_$peer=$rate"
			done
			for peer in $QUEUE_PEERS; do
				if [ "$peer" = sched ] && [ -n "$top_peer" ]; then
					record "sync $sync, batch $batch, $clients clients" "$peer" "$rate_sched" tasks/s "$top_peer" "$top"
				else
					record "sync $sync, batch $batch, $clients clients" "$peer" "$(eval echo \$rate_"$peer")" tasks/s
				fi
			done
		done
	done
	stop_server
	rm -rf "$server"
done
