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

q "CREATE PROCEDURE bench.make(phase text, jobs int, spread boolean) LANGUAGE plpgsql AS \$\$
	BEGIN
		FOR i IN 1 .. jobs LOOP
			PERFORM sched.create_job(phase || '-' || i, 'SELECT 1', '@every 1 second',
				start_at => date_trunc('second', now())
					+ CASE WHEN spread THEN i % 1000 ELSE 0 END * interval '1 millisecond');
		END LOOP;
	END \$\$"
for phase in spread burst; do
	# a fixed rate has its phase from start_at
	q "CALL bench.make('$phase', $jobs, $([ $phase = spread ] && echo true || echo false))"
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
	# what is in flight may end
	sleep 3
	q "SELECT count(sched.disable_job(name)) FROM sched._job WHERE name LIKE '$phase-%'" >/dev/null
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
	seconds=$((seconds / 3 > 10 ? seconds / 3 : 10))
done
