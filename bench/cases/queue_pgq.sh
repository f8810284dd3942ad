# PgQ, from Debian's package: events in batches, no claim of single ones, so it
# is no rival for the same work but a limit to look up to: what comes of appending
# and rotating only.  Passed over when the extension is not installed.
server pgq "synchronous_commit = off" "max_connections = 60"
if [ "$(q "SELECT count(*) FROM pg_available_extensions WHERE name = 'pgq'")" = 0 ]; then
	say "  passed over: the extension pgq is not installed (package postgresql-NN-pgq3)"
	stop_server
	return 0
fi
q "CREATE EXTENSION pgq"
q "SELECT pgq.create_queue('bench'), pgq.register_consumer('bench', 'bench')" >/dev/null
n=$(scaled 300000)
lsn=$(q "SELECT pg_current_wal_insert_lsn()")
seconds=$("$bindir/psql" -XqAt -v ON_ERROR_STOP=1 <<-END
	SELECT clock_timestamp() AS begun \gset
	SELECT count(pgq.insert_event('bench', 'work', '{"n": 1}')) FROM generate_series(1, $n) \g /dev/null
	SELECT extract(epoch FROM clock_timestamp() - :'begun'::timestamptz);
END
)
record "pgq, one transaction" insert "$(calc "$n / $seconds" 0)" events/s
q "SELECT pgq.force_tick('bench'); SELECT pgq.ticker()" >/dev/null
seconds=$("$bindir/psql" -XqAt -v ON_ERROR_STOP=1 <<-END
	SELECT clock_timestamp() AS begun \gset
	SELECT pgq.next_batch('bench', 'bench') AS batch \gset
	SELECT count(*) FROM pgq.get_batch_events(:batch) \g /dev/null
	SELECT pgq.finish_batch(:batch) \g /dev/null
	SELECT extract(epoch FROM clock_timestamp() - :'begun'::timestamptz);
END
)
record "pgq, one batch" drain "$(calc "$n / $seconds" 0)" events/s
record "pgq" wal_per_event "$(q "SELECT round(pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '$lsn') / $n)")" B
stop_server
rm -rf "$server"
