# Trivial SQL tasks that wait in the queue of a paused job: how fast they are
# drained once it is resumed.  Against the bare loop with as many workers and the
# same commits.  The two take turns, three times, since disks and neighbours
# have their moods; the ratio is that of the medians.
tasks=$(scaled 100000)
sched_server sched
q "SELECT sched.create_job('drain', 'SELECT 1')" >/dev/null
median() { tr ' ' '\n' <<<"$1" | sed '/^$/d' | sort -n | sed -n 2p; }
flushes() { q "SELECT wal_sync FROM pg_stat_wal"; }

for sync in off on; do
	n=$tasks
	[ $sync = off ] || n=$((tasks / 5 > 0 ? tasks / 5 : 1))
	for workers in 1 2 8; do
		restart_with "sched.max_workers = $workers" "synchronous_commit = $sync"
		case="$workers worker(s), sync $sync"
		warm drain
		rates='' limits=''
		for round in 1 2 3; do
			flushed=$(flushes)
			limits="$limits $(bare_rate "$n" "$workers")"
			bare_flushes=$(calc "($(flushes) - $flushed) / $n" 2)

			q "SELECT sched.pause_job('drain')" >/dev/null
			q "SELECT count(*) FROM sched.schedule_tasks('drain', array_fill('{}'::jsonb, ARRAY[$n]))" >/dev/null
			before=$(q "SELECT coalesce(sum(tasks_done), 0) FROM sched._workers()")
			flushed=$(flushes)
			if [ $round = 2 ] && [ "$workers" = 1 ]; then
				profile "worker-sync-$sync" "$(pid_of 'sched worker')" 4 &
			fi
			seconds=$("$bindir/psql" -XqAt -v ON_ERROR_STOP=1 <<-END
				SELECT clock_timestamp() AS begun, sched.resume_job('drain') \gset
				CALL bench.wait_done($before + $n, 300);
				SELECT extract(epoch FROM max(finished_at) - :'begun'::timestamptz) FROM sched._outcome
				 WHERE finished_at >= :'begun';
			END
			)
			rates="$rates $(calc "$n / $seconds" 0)"
			# idle workers hand their counters in after a second
			sleep 2
			q "SELECT sched._settle('10 s')" >/dev/null
			sched_flushes=$(calc "($(flushes) - $flushed) / $n" 2)
		done
		left=$(q "SELECT count(*) FROM sched._task t
			WHERE NOT EXISTS (SELECT FROM sched._outcome o WHERE o.task_id = t.task_id AND o.final)")
		[ "$left" = 0 ] || { say "$left tasks have no outcome"; exit 1; }
		limit=$(median "$limits")
		say "  tasks/s:$rates   bare loop:$limits"
		record "$case" rate "$(median "$rates")" tasks/s "bare loop" "$limit"
		if [ $sync = on ]; then
			record "$case" flushes_per_task "$sched_flushes" syncs "bare loop" "$bare_flushes"
		fi
	done
done
