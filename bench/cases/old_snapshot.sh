# A million tasks, ordered and drained in ten windows, without and with a
# REPEATABLE READ snapshot that somebody else holds open all the time.  What a
# task costs in WAL, rows and space is taken from the first.
tasks=$(scaled 1000000)
window=$((tasks / 10 > 0 ? tasks / 10 : 1))
for snapshot in none old; do
	sched_server "sched-$snapshot" "synchronous_commit = off"
	q "SELECT sched.create_job('drain', 'SELECT 1')" >/dev/null
	warm drain
	# what lies there already, as in a server that has been up for a while
	holder=
	if [ $snapshot = old ]; then
		"$bindir/psql" -XqAt >/dev/null <<-END &
			BEGIN ISOLATION LEVEL REPEATABLE READ;
			SELECT count(*) FROM sched._task;
			SELECT pg_sleep(3600);
		END
		holder=$!
		until_true 30 "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND backend_xmin IS NOT NULL)"
	fi
	q "SELECT pg_stat_reset()" >/dev/null
	wal=$(q "SELECT pg_current_wal_lsn()")
	size=$(q "SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c WHERE c.relnamespace = 'sched'::regnamespace AND c.relkind = 'r'")
	config=$(q "SELECT pg_total_relation_size('sched._job') + pg_total_relation_size('sched._trigger')
		+ pg_total_relation_size('sched._trigger_state') + pg_total_relation_size('sched._future') + pg_total_relation_size('sched._segment')")
	first= last=
	for i in 1 2 3 4 5 6 7 8 9 10; do
		before=$(q "SELECT coalesce(sum(tasks_done), 0) FROM sched._workers()")
		seconds=$("$bindir/psql" -XqAt -v ON_ERROR_STOP=1 <<-END
			SELECT clock_timestamp() AS begun \gset
			SELECT count(*) FROM sched.schedule_tasks('drain', array_fill('{}'::jsonb, ARRAY[$window])) \g /dev/null
			CALL bench.wait_done($before + $window, 300);
			SELECT extract(epoch FROM clock_timestamp() - :'begun'::timestamptz);
		END
		)
		rate=$(calc "$window / $seconds" 0)
		first=${first:-$rate}
		last=$rate
		rates="${rates:-} $rate"
	done
	made=$((window * 10))
	say "  windows, tasks/s:$rates"
	median=$(tr ' ' '\n' <<<"$rates" | sed '/^$/d' | sort -n | sed -n 5p)
	rates=
	record "snapshot: $snapshot" first_window "$first" tasks/s
	record "snapshot: $snapshot" last_window "$last" tasks/s "first window" "$first"
	if [ $snapshot = none ]; then
		none=$median
		record "snapshot: $snapshot" median_window "$median" tasks/s
	else
		record "snapshot: $snapshot" median_window "$median" tasks/s "no snapshot" "$none"
	fi
	record "snapshot: $snapshot" wal_per_task \
		"$(q "SELECT round(pg_wal_lsn_diff(pg_current_wal_lsn(), '$wal') / $made)")" B
	# the server's counters are a little behind
	until_true 5 "SELECT sum(n_tup_ins) >= 2 * $made FROM pg_stat_user_tables WHERE schemaname = 'sched'" || true
	read -r ins upd del dead <<<"$(q "SELECT sum(n_tup_ins), sum(n_tup_upd), sum(n_tup_del), sum(n_dead_tup)
		FROM pg_stat_user_tables WHERE schemaname = 'sched'" | tr '|' ' ')"
	record "snapshot: $snapshot" rows_inserted_per_task "$(calc "$ins / $made" 3)" rows
	record "snapshot: $snapshot" rows_updated_per_task "$(calc "$upd / $made" 6)" rows
	record "snapshot: $snapshot" rows_deleted_per_task "$(calc "$del / $made" 6)" rows
	record "snapshot: $snapshot" dead_rows "$dead" rows
	record "snapshot: $snapshot" space_per_task "$(q "SELECT round((sum(pg_total_relation_size(c.oid)) - $size) / $made)
		FROM pg_class c WHERE c.relnamespace = 'sched'::regnamespace AND c.relkind = 'r'")" B
	record "snapshot: $snapshot" other_tables_grew "$(q "SELECT pg_total_relation_size('sched._job') + pg_total_relation_size('sched._trigger')
		+ pg_total_relation_size('sched._trigger_state') + pg_total_relation_size('sched._future') + pg_total_relation_size('sched._segment') - $config")" B
	if [ -n "$holder" ]; then
		q "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'" >/dev/null
		wait "$holder" || true
	fi
	stop_server
	rm -rf "$server"
done
