#!/bin/bash
# bench/run.sh [names...]: the benchmarks, each in a throw-away server.
#
# Builds a copy of the tree, starts servers with a private socket and no network
# port, measures, writes bench/results/NAME.tsv, prints a table and removes the
# servers.  The names are those of the files in bench/cases; none means all.
#
#   BENCH_SCALE=0.1      a tenth of the work, for a quick look
#   BENCH_TIMEOUT=900    seconds after which one benchmark is given up
#   BENCH_PROFILE=1      also the hottest functions, if perf is to be had
#   PG_CONFIG=...        the server to measure with
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../test/tools/lib.sh"
: "${BENCH_SCALE:=1}" "${BENCH_TIMEOUT:=900}" "${BENCH_PROFILE:=}"
results=$tree/bench/results

names=("$@")
if [ ${#names[@]} -eq 0 ]; then
	names=(due_at_once sql_tasks latency million_jobs fires old_snapshot dependencies)
fi
for name in "${names[@]}"; do
	[ -e "$tree/bench/cases/$name.sh" ] ||
		die "there is no benchmark $name, only $(cd "$tree/bench/cases" && echo *.sh | sed 's/\.sh//g')"
done
ensure_tools

# ---- root hands over -------------------------------------------------------
if is_root; then
	user=$(unprivileged_user)
	work=$(mktemp -d "${TMPDIR:-/tmp}/sched-bench.XXXXXX")
	chmod 755 "$work"
	child=
	cleanup() {
		[ -z "$child" ] || kill -TERM "$child" 2>/dev/null || true
		[ -z "$child" ] || wait "$child" 2>/dev/null || true
		rm -rf "$work"
	}
	trap cleanup EXIT
	trap 'exit 130' INT TERM
	copy_tree "$work" || die "could not copy the tree to $work"
	chown -R "$user": "$work"
	given=()
	for v in $(compgen -v QUEUE_); do given+=("$v=${!v}"); done
	as_user "$user" "$work" PG_CONFIG="$PG_CONFIG" BENCH_SCALE="$BENCH_SCALE" \
		BENCH_TIMEOUT="$BENCH_TIMEOUT" BENCH_PROFILE="$BENCH_PROFILE" \
		"${given[@]}" \
		bash bench/run.sh "${names[@]}" &
	child=$!
	rc=0
	wait "$child" || rc=$?
	child=
	mkdir -p "$results"
	cp "$work"/bench/results/*.tsv "$work"/bench/results/profile.* "$results/" 2>/dev/null || true
	exit $rc
fi

# ---- the unprivileged half -------------------------------------------------
clean_environment
cd "$tree"
[ -w . ] || die "$tree is not writable; copy it somewhere else first"
home=$(mktemp -d "${TMPDIR:-/tmp}/sched-bench-server.XXXXXX")
chmod 700 "$home"
. bench/lib.sh
trap 'stop_servers "$home"; wait; rm -rf "$home"' EXIT
trap 'exit 130' INT TERM

say "building for $("$PG_CONFIG" --version)"
stage "$home" >"$home/build.log" 2>&1 &&
	make -s -C bench/bareloop PG_CONFIG="$PG_CONFIG" with_llvm=no >>"$home/build.log" 2>&1 || {
	tail -40 "$home/build.log"
	exit 2
}
mkdir -p "$results"
rc=0
for name in "${names[@]}"; do
	say "== $name"
	results_start "$name"
	# a subshell of its own, so that a failure ends one benchmark only
	(
		set -euo pipefail
		. "bench/cases/$name.sh"
	) &
	case_pid=$!
	(
		end=$((SECONDS + BENCH_TIMEOUT))
		while kill -0 $case_pid 2>/dev/null; do
			if [ $SECONDS -ge $end ]; then
				say "$name: given up after $BENCH_TIMEOUT s"
				kill -TERM $case_pid
				stop_servers "$home"
				exit
			fi
			sleep 1
		done
	) &
	watch_pid=$!
	if ! wait $case_pid; then
		say "$name failed; the end of the server log:"
		cat "$home"/*/server.log 2>/dev/null | grep -vE ' LOG: ' | tail -15
		rc=1
	fi
	kill $watch_pid 2>/dev/null || true
	stop_servers "$home"
	wait
	rm -rf "$home"/server-*
	results_table "$name"
done
exit $rc
