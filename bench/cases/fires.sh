# 10,000 jobs that fire every second for a minute.  First with their phases
# spread over the second, then all at the same instant.
jobs=$(scaled 10000)
seconds=$(scaled 60)
[ "$seconds" -ge 15 ] || seconds=15
sched_server sched "synchronous_commit = off"
q "SELECT sched.create_job('warm', 'SELECT 1')" >/dev/null
warm warm
limit=$(bare_rate 100000 2)
record limit bare_loop "$limit" tx/s

for phase in spread burst; do
	q "SELECT count(sched.create_job('$phase-' || i, 'SELECT 1', '@every 1 second', active => false))
	   FROM generate_series(1, $jobs) i" >/dev/null
	# a fixed rate has its phase from the activation; the change goes the normal way
	if [ $phase = spread ]; then
		offset="(j.job_id % 1000) * interval '1 millisecond'"
	else
		offset="interval '0'"
	fi
	q "UPDATE sched._job j SET status = 'active',
		activated_at = date_trunc('second', now()) + interval '5 seconds' + $offset WHERE name LIKE '$phase-%'"
	until_true 60 "SELECT EXISTS (SELECT FROM sched._task t JOIN sched._job j USING (job_id) WHERE j.name LIKE '$phase-%')"
	sleep 3
	scheduler=$(pid_of 'sched scheduler')
	profile "scheduler-$phase" "$scheduler" 5 &
	from=$(q "SELECT date_trunc('second', now())")
	cpu=$(cpu_ms "$scheduler")
	wal=$(q "SELECT pg_current_wal_lsn()")
	sleep "$seconds"
	cpu=$(calc "$(cpu_ms "$scheduler") - $cpu" 0)
	to=$(q "SELECT date_trunc('second', now())")
	q "UPDATE sched._job SET status = 'paused' WHERE name LIKE '$phase-%'"
	until_true 120 "SELECT count(*) FILTER (WHERE status = 'running') = 0 FROM sched._live_tasks()" || true
	q "CREATE TABLE bench.$phase AS SELECT t.task_id, t.scheduled_at, t.created_at, o.queued_at, o.started_at, o.status
	   FROM sched._task t JOIN sched._job j USING (job_id) LEFT JOIN sched._outcome o USING (task_id)
	   WHERE j.name LIKE '$phase-%' AND t.scheduled_at >= '$from' AND t.scheduled_at < '$to'"
	expected=$(q "SELECT ($jobs * extract(epoch FROM timestamptz '$to' - '$from'))::bigint")
	read -r made started missed <<<"$(q "SELECT count(*), count(started_at), count(*) FILTER (WHERE started_at IS NULL)
		FROM bench.$phase" | tr '|' ' ')"
	record "$phase" occurrences "$made" tasks "jobs x seconds" "$expected"
	record "$phase" started "$started" tasks "jobs x seconds" "$expected"
	record "$phase" not_started "$missed" tasks
	for what in created_at:fired started_at:started; do
		read -r p50 p99 max <<<"$(q "SELECT round((1000 * percentile_cont(0.5) WITHIN GROUP (ORDER BY l))::numeric, 1),
				round((1000 * percentile_cont(0.99) WITHIN GROUP (ORDER BY l))::numeric, 1), round((1000 * max(l))::numeric, 1)
			FROM (SELECT extract(epoch FROM ${what%%:*} - scheduled_at)::float8 AS l FROM bench.$phase) d" | tr '|' ' ')"
		record "$phase" "late_${what#*:}_p50" "$p50" ms
		record "$phase" "late_${what#*:}_p99" "$p99" ms
		record "$phase" "late_${what#*:}_max" "$max" ms
	done
	record "$phase" scheduler_cpu "$(calc "$cpu / 10 / $seconds" 1)" "% of a core"
	record "$phase" rate "$(calc "$started / $seconds" 0)" tasks/s "bare loop, 2 workers" "$limit"
	record "$phase" wal_per_task "$(q "SELECT round(pg_wal_lsn_diff(pg_current_wal_lsn(), '$wal') / greatest($made, 1))")" B
	q "SELECT count(sched.disable_job(name)) FROM sched._job WHERE name LIKE '$phase-%'" >/dev/null
	seconds=$((seconds / 3 > 10 ? seconds / 3 : 10))
done
