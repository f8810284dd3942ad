# 1,000 jobs that come due in the same second: how long until the last has
# started.  Against pg_cron in both of its ways to run, one server after another.
jobs=$(scaled 1000)

report() { # CASE RUNS SECONDS
	record "$1" runs "$2" jobs
	record "$1" last_start "$3" s
	rate=$(calc "$2 / $3" 0)
}

sched_server sched
q "SELECT sched.create_job('warm', 'SELECT 1')" >/dev/null
warm warm
q "SELECT pg_stat_reset()" >/dev/null
limit=$(bare_rate 20000 2)
for policy in warm again; do
	# due at a whole second some seconds ahead, by cron with seconds
	q "SELECT count(sched.create_job('$policy-' || i, 'SELECT 1',
			to_char(now() + interval '6 seconds', 'SS MI HH24') || ' * * ?', timezone => 'UTC'))
	   FROM generate_series(1, $jobs) i" >/dev/null
	until_true 60 "SELECT count(*) = $jobs FROM sched._outcome o JOIN sched._task t USING (task_id)
		JOIN sched._job j USING (job_id) WHERE j.name LIKE '$policy-%' AND o.started_at IS NOT NULL"
	read -r runs last fired <<<"$(q "SELECT count(*), extract(epoch FROM max(o.started_at) - min(t.scheduled_at)),
			extract(epoch FROM max(o.queued_at) - min(t.scheduled_at))
		FROM sched._outcome o JOIN sched._task t USING (task_id) JOIN sched._job j USING (job_id)
		WHERE j.name LIKE '$policy-%'" | tr '|' ' ')"
	report "sched ($policy)" "$runs" "$last"
	record "sched ($policy)" last_fired "$fired" s
	record "sched ($policy)" rate "$rate" runs/s "bare loop, 2 workers" "$limit"
	sched_rate=$rate
done
stop_server

if [ -e "$("$PG_CONFIG" --pkglibdir)/pg_cron.so" ]; then
	for mode in on off; do
		server "pg_cron-$mode" "shared_preload_libraries = 'pg_cron'" "cron.database_name = 'bench'" \
			"cron.use_background_workers = $mode" "cron.host = '$home/server-pg_cron-$mode/socket'" \
			"max_connections = 200" "cron.max_running_jobs = 32"
		sed -i '/^sched\./d' "$server/data/postgresql.conf"
		q "CREATE EXTENSION pg_cron"
		# far enough from the turn of the minute
		[ $((10#$(date +%S))) -lt 50 ] || sleep $((62 - 10#$(date +%S)))
		q "SELECT count(cron.schedule('job-' || i, '* * * * *', 'SELECT 1')) FROM generate_series(1, $jobs) i" >/dev/null
		until_true 150 "SELECT count(*) >= $jobs FROM cron.job_run_details WHERE start_time IS NOT NULL" || true
		# the runs of the first minute
		read -r runs last <<<"$(q "SELECT count(*), extract(epoch FROM max(start_time) - min(minute))
			FROM (SELECT DISTINCT ON (jobid) start_time,
					min(date_trunc('minute', start_time)) OVER () AS minute
				  FROM cron.job_run_details WHERE start_time IS NOT NULL ORDER BY jobid, runid) r" | tr '|' ' ')"
		[ "$mode" = on ] && how='background workers' || how='libpq'
		report "pg_cron ($how)" "$runs" "$last"
		record "pg_cron ($how)" rate "$rate" runs/s
		record "sched against pg_cron ($how)" rate "$sched_rate" runs/s "pg_cron, $how" "$rate"
		stop_server
	done
else
	say "  pg_cron is not installed (postgresql-NN-cron): left out"
fi
