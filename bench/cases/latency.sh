# From COMMIT of schedule_task to the start of the task, with warm workers that
# have nothing else to do, one task at a time.  The task writes the time at
# which its statement runs.  Two clocks stand at the other end: the time just
# before COMMIT (so the commit itself counts, with its flush) and the time at
# which the committed task came into the queue.
samples=$(scaled 2000)
sched_server sched
q "CREATE TABLE bench.mark (task_id bigint, ran_at timestamptz)"
q "CREATE TABLE bench.sample (task_id bigint, before_commit timestamptz, after_commit timestamptz)"
q "SELECT sched.create_job('latency',
	'INSERT INTO bench.mark SELECT (sched.current_task() ->> ''task_id'')::bigint, clock_timestamp()')" >/dev/null
q "CREATE PROCEDURE bench.ask(samples int) LANGUAGE plpgsql AS \$\$
	DECLARE
		v_id bigint;
		v_before timestamptz;
		v_after timestamptz;
	BEGIN
		FOR i IN 1 .. samples LOOP
			v_id := sched.schedule_task('latency');
			v_before := clock_timestamp();
			COMMIT;
			v_after := clock_timestamp();
			IF sched.wait_for_task(v_id, '10 s') IS DISTINCT FROM 'completed' THEN
				RAISE EXCEPTION 'task % was not completed', v_id;
			END IF;
			INSERT INTO bench.sample VALUES (v_id, v_before, v_after);
			COMMIT;
		END LOOP;
	END \$\$"
ping=$(calc "$(q "SELECT bench.ping('bareloop', 20000)") / 1000" 4)
record limit latch_wake "$ping" ms
for sync in off on; do
	restart_with "synchronous_commit = $sync"
	warm latency
	q "CALL bench.ask(100)"
	q "TRUNCATE bench.sample"
	q "CALL bench.ask($samples)"
	for what in "before_commit:commit to statement" "after_commit:commit returned to statement"; do
		read -r p50 p99 max <<<"$(q "SELECT round((1000 * percentile_cont(0.5) WITHIN GROUP (ORDER BY l))::numeric, 3),
				round((1000 * percentile_cont(0.99) WITHIN GROUP (ORDER BY l))::numeric, 3), round((1000 * max(l))::numeric, 3)
			FROM (SELECT extract(epoch FROM m.ran_at - s.${what%%:*})::float8 AS l
				  FROM bench.sample s JOIN bench.mark m USING (task_id)) d" | tr '|' ' ')"
		record "${what#*:}, sync $sync" p50 "$p50" ms "latch" "$ping"
		record "${what#*:}, sync $sync" p99 "$p99" ms "latch" "$ping"
		record "${what#*:}, sync $sync" max "$max" ms
	done
	read -r p50 p99 <<<"$(q "SELECT round((1000 * percentile_cont(0.5) WITHIN GROUP (ORDER BY l))::numeric, 3),
			round((1000 * percentile_cont(0.99) WITHIN GROUP (ORDER BY l))::numeric, 3)
		FROM (SELECT extract(epoch FROM o.started_at - o.queued_at)::float8 AS l
			  FROM bench.sample s JOIN sched._outcome o USING (task_id)) d" | tr '|' ' ')"
	record "queued to taken, sync $sync" p50 "$p50" ms
	record "queued to taken, sync $sync" p99 "$p99" ms
done
