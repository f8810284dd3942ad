# A million active jobs of which none is due: what the launcher and the scheduler
# cost while nothing happens, how long they take to start, how much memory
# they hold, and what it costs to change one job.
jobs=$(scaled 1000000)
idle=$(scaled 60)
[ "$idle" -ge 20 ] || idle=20
sched_server sched
q "ALTER TABLE sched._job DISABLE TRIGGER ALL; ALTER TABLE sched._trigger DISABLE TRIGGER ALL"
begun=$(date +%s.%N)
q "INSERT INTO sched._job (name, command, owner, created_at, updated_at, activated_at)
   SELECT 'job-' || i, 'SELECT 1', 'postgres', now(), now(), now() FROM generate_series(1, $jobs) i"
q "INSERT INTO sched._trigger (job_id, kind, schedule, created_at, is_main)
   SELECT job_id, 'cron', format('%s %s 1 1 *', job_id % 60, job_id / 60 % 24), now(), true FROM sched._job"
q "INSERT INTO sched._trigger_state (trigger_id, next_fire_at)
   SELECT trigger_id, date_trunc('year', now() + interval '1 year')
	+ make_interval(mins => (job_id % 60)::int, hours => (job_id / 60 % 24)::int) FROM sched._trigger"
record tables insert "$(calc "$(date +%s.%N) - $begun")" s
q "ALTER TABLE sched._job ENABLE TRIGGER ALL; ALTER TABLE sched._job ENABLE ALWAYS TRIGGER job_changed;
   ALTER TABLE sched._trigger ENABLE TRIGGER ALL; ALTER TABLE sched._trigger ENABLE ALWAYS TRIGGER trigger_changed"
q "VACUUM ANALYZE sched._job, sched._trigger, sched._trigger_state"
q "CHECKPOINT"
stop_server
start_server
begun=$(date +%s.%N)
until_true 300 "SELECT running AND held IS NULL AND triggers >= $jobs FROM sched._scheduler_state()"
record scheduler load "$(calc "$(date +%s.%N) - $begun")" s
scheduler=$(pid_of 'sched scheduler')
launcher=$(pid_of 'sched launcher')
record scheduler load_cpu "$(calc "$(cpu_ms "$scheduler") / 1000" 2)" s
record scheduler private_memory "$(rss_mb "$scheduler")" MB
record scheduler memory_per_job "$(calc "$(rss_mb "$scheduler") * 1048576 / $jobs" 0)" B
record launcher private_memory "$(rss_mb "$launcher")" MB

# what follows a start (the first statistics, segments) is not idling
sleep 5
before=$(cpu_ms "$scheduler" "$launcher")
sleep "$idle"
after=$(cpu_ms "$scheduler" "$launcher")
record "launcher and scheduler, idle" cpu "$(calc "$after - $before" 2)" "ms in ${idle}s"
record "launcher and scheduler, idle" cpu_share "$(calc "($after - $before) / 10 / $idle" 4)" "% of a core"

# Each change makes its job the next to fire of all, so that the scheduler shows when it has it.
q "CREATE TABLE bench.change (call float8, taken float8)"
q "CREATE PROCEDURE bench.change(samples int) LANGUAGE plpgsql AS \$\$
	DECLARE
		v_begun timestamptz;
		v_committed timestamptz;
		v_first timestamptz;
		v_next timestamptz;
	BEGIN
		SELECT min(next_fire_at) INTO v_first FROM sched._trigger_state;
		v_first := date_trunc('second', v_first);
		FOR i IN 1 .. samples LOOP
			v_begun := clock_timestamp();
			PERFORM sched.update_job('job-' || i,
				jsonb_build_object('schedule', '@at ' || (v_first - i * interval '1 minute')));
			v_next := v_first - i * interval '1 minute';
			COMMIT;
			v_committed := clock_timestamp();
			WHILE (SELECT s.next_fire_at FROM sched._scheduler_state() s) IS DISTINCT FROM v_next LOOP
				IF clock_timestamp() - v_committed > interval '5 s' THEN
					RAISE EXCEPTION 'the scheduler has % next, not %',
						(SELECT s.next_fire_at FROM sched._scheduler_state() s), v_next;
				END IF;
				COMMIT;
			END LOOP;
			INSERT INTO bench.change VALUES (1000 * extract(epoch FROM v_committed - v_begun),
				1000 * extract(epoch FROM clock_timestamp() - v_committed));
			COMMIT;
		END LOOP;
	END \$\$"
q "CALL bench.change(20)"
q "TRUNCATE bench.change"
before=$(cpu_ms "$scheduler")
q "CALL bench.change(300)"
after=$(cpu_ms "$scheduler")
for what in "call:update_job and commit" "taken:until the scheduler has it"; do
	read -r p50 p99 <<<"$(q "SELECT round(percentile_cont(0.5) WITHIN GROUP (ORDER BY ${what%%:*})::numeric, 3),
		round(percentile_cont(0.99) WITHIN GROUP (ORDER BY ${what%%:*})::numeric, 3) FROM bench.change" | tr '|' ' ')"
	record "one changed job" "${what#*:}, p50" "$p50" ms
	record "one changed job" "${what#*:}, p99" "$p99" ms
done
record "one changed job" scheduler_cpu "$(calc "($after - $before) / 300" 3)" ms
record "after changes" private_memory "$(rss_mb "$scheduler")" MB
