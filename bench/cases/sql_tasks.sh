# Trivial SQL tasks that wait in the queue of a paused job: how fast they are
# drained once it is resumed.  Against the bare loop with as many workers.
tasks=$(scaled 100000)
sched_server sched
q "SELECT sched.create_job('drain', 'SELECT 1')" >/dev/null

for sync in off on; do
	n=$tasks
	[ $sync = off ] || n=$((tasks / 5 > 0 ? tasks / 5 : 1))
	for workers in 1 2 8; do
		restart_with "sched.max_workers = $workers" "synchronous_commit = $sync"
		case="$workers worker(s), sync $sync"
		warm drain
		q "SELECT sched.pause_job('drain')" >/dev/null
		q "SELECT count(*) FROM sched.schedule_tasks('drain', array_fill('{}'::jsonb, ARRAY[$n]))" >/dev/null
		limit=$(bare_rate "$n" "$workers")
		q "CHECKPOINT"
		before=$(q "SELECT coalesce(sum(tasks_done), 0) FROM sched._workers()")
		if [ "$workers" = 1 ] && [ -n "$BENCH_PROFILE" ]; then
			profile "worker-sync-$sync" "$(pid_of 'sched worker')" 4 &
		fi
		seconds=$("$bindir/psql" -XqAt -v ON_ERROR_STOP=1 <<-END
			SELECT clock_timestamp() AS begun, sched.resume_job('drain') \gset
			CALL bench.wait_done($before + $n, 300);
			SELECT extract(epoch FROM max(finished_at) - :'begun'::timestamptz) FROM sched._outcome
			 WHERE finished_at >= :'begun';
		END
		)
		left=$(q "SELECT count(*) FROM sched._task t
			WHERE NOT EXISTS (SELECT FROM sched._outcome o WHERE o.task_id = t.task_id AND o.final)")
		[ "$left" = 0 ] || { say "$left tasks have no outcome"; exit 1; }
		record "$case" rate "$(calc "$n / $seconds" 0)" tasks/s "bare loop" "$limit"
		record "$case" bare_loop "$limit" tx/s
	done
done
