# The same as "queue", through clients: graphile-worker and pg-boss by their own, from
# npm, and sched by node's pg, in one server.  Needs node and npm with a registry;
# is passed over without.  Batches are the peers' own word for it: the local queue
# of graphile-worker, batchSize of pg-boss, max_tasks of claim_tasks.
have npm && have node || {
	say "  passed over: node and npm are not installed"
	return 0
}
clients=$home/clients
cp -r "$tree/bench/peers/clients" "$clients"
(cd "$clients" && npm install --no-audit --no-fund --ignore-scripts) >"$home/npm.log" 2>&1 || {
	say "  passed over: the packages could not be installed"
	return 0
}
for sync in off on; do
	server "clients-$sync" "synchronous_commit = $sync" "max_connections = 60" "sched.max_concurrent_jobs = 0"
	"$bindir/psql" -Xq -v ON_ERROR_STOP=1 -f "$tree/bench/peers/sched/setup.sql" >/dev/null
	wait_scheduler
	for batch in 1 10 100 500; do
		n=$(scaled $((batch == 1 ? 10000 : 50000)))
		for concurrency in 4 8; do
			top=0 top_peer=
			for peer in graphile.js pgboss.mjs sched.js; do
				rates=
				for turn in 1 2 3; do
					rate=$(cd "$clients" && timeout 300 node "$peer" "$n" "$batch" "$concurrency" 2>"$home/node.err") ||
						{ tail -3 "$home/node.err"; rate=0; }
					rates="$rates $rate"
				done
				rate=$(printf '%s\n' $rates | sort -n | tail -1)
				if [ $peer != sched.js ]; then
					record "sync $sync, batch $batch, $concurrency loops" "${peer%.*}" "$rate" tasks/s
					[ "$rate" -gt "$top" ] && top=$rate top_peer=${peer%.*}
				else
					record "sync $sync, batch $batch, $concurrency loops" sched "$rate" tasks/s "$top_peer" "$top"
				fi
			done
		done
	done
	stop_server
	rm -rf "$server"
done
