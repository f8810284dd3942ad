# A graph of 10,000 jobs in 100 layers, each on 10 of the layer before, run to its
# end: edges per second.  The same once more next to a graph of 100 jobs, and a
# fan-in of 1,000: what an end costs must not depend on either.
layers=$(scaled 100)
[ "$layers" -ge 3 ] || layers=3
width=100
sched_server sched
q "SELECT sched.create_job('warm', 'SELECT 1')" >/dev/null
warm warm
limit=$(bare_rate 100000 8)
record limit bare_loop "$limit" tx/s

q "CREATE PROCEDURE bench.graph(name text, layers int, width int, degree int) LANGUAGE plpgsql AS \$\$
	BEGIN
		PERFORM setseed(0.5);
		PERFORM sched.create_job(name || ' root', 'SELECT 1');
		FOR l IN 1 .. layers LOOP
			FOR k IN 1 .. width LOOP
				PERFORM sched.create_job(format('%s %s-%s', name, l, k), 'SELECT 1',
					depends_on => CASE l WHEN 1 THEN ARRAY[name || ' root']
						ELSE ARRAY(SELECT DISTINCT format('%s %s-%s', name, l - 1, 1 + floor(random() * width)::int)
								   FROM generate_series(1, degree)) END);
			END LOOP;
			COMMIT;
		END LOOP;
	END \$\$"
q "CREATE FUNCTION bench.edges(name text) RETURNS bigint LANGUAGE sql AS \$\$
	SELECT count(*) FROM sched.dependencies WHERE job LIKE name || ' %' \$\$"

# run_graph NAME JOBS: one run to its end; seconds from the first start to the last end
run_graph() {
	local run
	run=$(q "SELECT sched.run_job('$1 root')")
	until_true 600 "SELECT count(*) = $2 FROM sched._outcome o WHERE o.final AND o.task_id >= $run" ||
		{ say "the run of $1 did not end"; return 1; }
	q "SELECT extract(epoch FROM max(o.finished_at) - min(o.started_at)) FROM sched._outcome o WHERE o.task_id >= $run"
}
for spec in "small 5 20 10" "large $layers $width 10" "fan 1 1000 1"; do
	read -r graph l w degree <<<"$spec"
	start=$(date +%s%3N)
	q "CALL bench.graph('$graph', $l, $w, $degree)"
	if [ "$graph" = fan ]; then
		q "SELECT sched.create_job('fan in', 'SELECT 1',
			depends_on => ARRAY(SELECT 'fan 1-' || k FROM generate_series(1, $w) k))" >/dev/null
	fi
	record "$graph" build "$(calc "($(date +%s%3N) - $start) / 1000" 2)" s
	q "VACUUM ANALYZE sched._job" && q "VACUUM ANALYZE sched._dependency"
	jobs=$((l * w + 1))
	[ "$graph" = fan ] && jobs=$((jobs + 1))
	edges=$(q "SELECT bench.edges('$graph')")
	best=
	for round in 1 2 3; do
		seconds=$(run_graph "$graph" "$jobs")
		[ -n "$best" ] && [ "$(calc "$seconds < $best" 0)" = 0 ] || best=$seconds
	done
	record "$graph" jobs "$jobs" jobs
	record "$graph" edges "$edges" edges
	record "$graph" run "$best" s
	record "$graph" edge_rate "$(calc "$edges / $best" 0)" edges/s "2,000 edges/s" 2000
	record "$graph" task_rate "$(calc "$jobs / $best" 0)" tasks/s "bare loop, 8 workers" "$limit"
done
