# From COMMIT of schedule_task to the claimer that waits having the task, and what
# waiting claimers cost.  Claimers wait in the server (claim_tasks with wait); the one
# that gets the task notes clock_timestamp() in the same statement.
samples=$(scaled 2000)
server wakeup "synchronous_commit = off" "max_connections = 120" "sched.max_concurrent_jobs = 0"
"$bindir/psql" -Xq -v ON_ERROR_STOP=1 -f "$tree/bench/peers/sched/setup.sql" >/dev/null
wait_scheduler
q "CREATE UNLOGGED TABLE arrived (task_id bigint, at timestamptz, pid int)"
cat >"$home/claimer.pgbench" <<'END'
INSERT INTO arrived SELECT c.task_id, clock_timestamp(), pg_backend_pid() FROM sched.claim_tasks('bench', 1, '30 seconds', start => true) AS c;
END
cat >"$home/producer.sql" <<'END'
DO $$
DECLARE
	v_before timestamptz;
	v_task bigint;
BEGIN
	FOR i IN 1 .. current_setting('bench.samples')::int LOOP
		v_task := sched.schedule_task('queue');
		v_before := clock_timestamp();
		COMMIT;
		INSERT INTO ordered VALUES (v_task, v_before);
		COMMIT;
		PERFORM pg_sleep(0.002);
	END LOOP;
END $$;
END
q "CREATE UNLOGGED TABLE ordered (task_id bigint, before timestamptz)"
for waiting in 1 64; do
	q "TRUNCATE arrived, ordered"
	"$bindir/pgbench" -n -M prepared -c $waiting -j 1 -T 600 -f "$home/claimer.pgbench" >/dev/null 2>&1 &
	claimers=$!
	until_true 60 "SELECT count(*) >= $waiting FROM pg_stat_activity WHERE query LIKE 'INSERT INTO arrived%' AND state = 'active'"
	pids=$(q "SELECT string_agg(pid::text, ' ') FROM pg_stat_activity WHERE query LIKE 'INSERT INTO arrived%'")
	cpu=$(cpu_ms $pids)
	PGOPTIONS="-c bench.samples=$samples" "$bindir/psql" -Xq -f "$home/producer.sql" >/dev/null
	until_true 60 "SELECT count(*) = $samples FROM arrived"
	record "$waiting waiting" cpu_per_task "$(calc "($(cpu_ms $pids) - $cpu) * 1000 / $samples" 1)" us
	read -r p50 p99 top <<<"$(q "SELECT round((percentile_cont(0.5) WITHIN GROUP (ORDER BY l) * 1000)::numeric, 3),
		round((percentile_cont(0.99) WITHIN GROUP (ORDER BY l) * 1000)::numeric, 3), round((max(l) * 1000)::numeric, 3)
		FROM (SELECT extract(epoch FROM a.at - o.before)::float8 AS l FROM arrived a JOIN ordered o USING (task_id)) AS s" | tr '|' ' ')"
	record "$waiting waiting" commit_to_claim_p50 "$p50" ms
	record "$waiting waiting" commit_to_claim_p99 "$p99" ms
	record "$waiting waiting" commit_to_claim_max "$top" ms
	q "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'INSERT INTO arrived%'" >/dev/null
	wait $claimers || true
done
stop_server
rm -rf "$server"
