#!/bin/bash
# make check: builds, runs every suite in throw-away servers, and ends with
# the line "N passed, N failed" ("N skipped" too if some were).
#
#   SUITES="lint clang unit property fuzz regress isolation tap"   which
#   REGRESS="a b"  ISOLATION="c"  PROVE_TESTS="test/t/x.pl"           of those
#   PG_CONFIG=/path/pg_config   another server
#   FUZZ_TIME=60                seconds for each fuzzer, the default with CI=true, else 10
#   WERROR=                     let the compiler warn
#   CHECK_MODE=coverage|valgrind|asan   see the files of these names
#
# A suite that fails does not keep the next from running.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

ensure_tools

# ---- root hands over -------------------------------------------------------
if is_root; then
	user=$(unprivileged_user)
	work=$(mktemp -d "${TMPDIR:-/tmp}/sched-check.XXXXXX")
	chmod 755 "$work"
	trap 'rm -rf "$work"' EXIT
	copy_tree "$work" || die "could not copy the tree to $work"
	chown -R "$user": "$work"
	say "as $user in $work"
	rc=0
	as_user "$user" "$work" PG_CONFIG="$PG_CONFIG" bash test/tools/check.sh </dev/null || rc=$?
	if [ "${CHECK_MODE:-}" = coverage ] && [ -d "$work/coverage" ]; then
		rm -rf "$tree/coverage"
		cp -r "$work/coverage" "$tree/coverage"
	fi
	if [ $rc -ne 0 ] && [ -d "$work/tmp_check" ]; then
		# keep what was said, not what was stored; stderr, since the last line
		# on stdout is the count
		find "$work/tmp_check" \( -name pgdata -o -name data -o -name pg -o -name inst \) -type d -prune -exec rm -rf {} +
		trap - EXIT
		say "logs are kept in $work/tmp_check" >&2
	fi
	exit $rc
fi

# ---- the unprivileged half -------------------------------------------------
clean_environment
cd "$tree"
if [ ! -w . ]; then
	work=$(mktemp -d "${TMPDIR:-/tmp}/sched-check.XXXXXX")
	copy_tree "$work"
	cd "$work"
	say "the tree is read-only: in $work"
fi
top=$PWD
out=$top/tmp_check
server_said="$("$PG_CONFIG" --version) ($PG_CONFIG)"
rm -rf "$out" tmp_install
mkdir -p "$out/log"
trap 'stop_servers "$out"' EXIT
trap 'exit 130' INT TERM

passed=0 failed=0 skipped=0
summary=()

# count SUITE SECONDS PASSED FAILED SKIPPED
count() {
	passed=$((passed + $3)) failed=$((failed + $4)) skipped=$((skipped + $5))
	summary+=("$(printf '%-11s %5d passed %4d failed %4d skipped %5d s' "$1" "$3" "$4" "$5" "$2")")
}
header() { printf '\n== %s\n' "$*"; }
show_end() { # LINES FILE
	[ -s "$2" ] || return 0
	say "-- the end of ${2#"$top"/}"
	tail -n "$1" "$2"
}
wants() {
	local s
	for s in ${SUITES:-lint clang unit property fuzz regress isolation tap}; do
		[ "$s" = "$1" ] && return 0
	done
	return 1
}

unit_make() { # SUITE TARGET [variables]: of test/unit/unit.mk
	local suite=$1
	shift
	tap_run "$suite" make -s PG_CONFIG="$PG_CONFIG" with_llvm=no "$@"
}

# tap_count FILE: sets ok, not_ok, skip from the lines of a TAP stream
tap_count() {
	read -r ok not_ok skip < <(awk '
		/^ok [0-9]+/ { if (tolower($0) ~ /# *skip/) s++; else o++ }
		/^not ok/ { if (toupper($0) ~ /# *TODO/) s++; else n++ }
		/^1\.\.0 # *[Ss][Kk][Ii][Pp]/ || / skipped: / { s++ }
		END { print o + 0, n + 0, s + 0 }' "$1")
}

# tap_run SUITE COMMAND...: a command that prints TAP
tap_run() {
	local suite=$1 t=$SECONDS rc=0 log=$out/log/$1.log
	shift
	header "$suite"
	timeout -k 10 1200 "$@" >"$log" 2>&1 </dev/null || rc=$?
	tap_count "$log"
	[ $rc -eq 0 ] || [ "$not_ok" -gt 0 ] || not_ok=1
	if [ $rc -eq 0 ] && [ $((ok + not_ok + skip)) -eq 0 ]; then
		say "no test was run"
		not_ok=1
	fi
	if [ "$not_ok" -gt 0 ]; then
		grep -E '^not ok' "$log" || true
		show_end 60 "$log"
	fi
	say "$suite: $ok ok, $not_ok not ok, $skip skipped"
	count "$suite" $((SECONDS - t)) "$ok" "$not_ok" "$skip"
}

# pg_tests SUITE PROGRAM NAMES [options]: pg_regress or its isolation variant.
# What is not reported as ok has failed, whatever the reason.
pg_tests() {
	local suite=$1 program=$2 names=$3 t=$SECONDS rc=0 n ok bad log=$out/log/$1.log
	shift 3
	n=$(wc -w <<<"$names")
	header "$suite: $n in a server of its own"
	if [ "$n" -eq 0 ]; then
		say "there are no tests"
		count "$suite" 0 0 1 0
		return
	fi
	mkdir -p "$out/$suite"
	timeout -k 10 1800 "$program" --bindir="$test_bindir" --temp-instance="$out/$suite/server" \
		--temp-config="$out/temp.conf" --outputdir="$out/$suite" "$@" $names >"$log" 2>&1 </dev/null || rc=$?
	grep -E '^(not )?ok [0-9]|\.\.\. (ok|FAILED|failed)' "$log" || true
	ok=$(grep -cE '^ok [0-9]+ |\.\.\. +ok( |$)' "$log" || true)
	bad=$((n - ok))
	[ $rc -eq 0 ] || [ "$bad" -gt 0 ] || bad=1
	if [ "$bad" -gt 0 ]; then
		if [ -s "$out/$suite/regression.diffs" ]; then
			say "-- ${out#"$top"/}/$suite/regression.diffs"
			head -n 300 "$out/$suite/regression.diffs"
		else
			show_end 30 "$log"
		fi
		show_end 40 "$out/$suite/log/postmaster.log"
	fi
	count "$suite" $((SECONDS - t)) "$ok" "$bad" 0
}

tap_suite() {
	local t=$SECONDS t1 f name log rc files sum_ok=0 sum_not=0 sum_skip=0 n=0
	files=$(ls ${PROVE_TESTS:-test/t/*.pl} 2>/dev/null || true)
	header "tap: $(wc -w <<<"$files") files"
	for f in $files; do
		name=$(basename "$f" .pl) t1=$SECONDS rc=0
		log=$out/log/tap-$name.log
		timeout -k 10 "${TAP_FILE_TIME:-900}" env TESTDIR="$top" TESTDATADIR="$out" TESTLOGDIR="$out/log" \
			PATH="$test_bindir:$PATH" PGPORT=65432 TEMP_CONFIG="$out/temp.conf" \
			PG_REGRESS="$pgxs_test/regress/pg_regress" PG_TEST_PORT_DIR="$out/portlock" \
			share_contrib_dir="$("$PG_CONFIG" --sharedir)/contrib" \
			prove -v -I "$pgxs_test/perl" -I test/perl ${PROVE_FLAGS:-} "$f" >"$log" 2>&1 </dev/null || rc=$?
		tap_count "$log"
		[ $rc -eq 0 ] || [ "$not_ok" -gt 0 ] || not_ok=1
		if [ "$not_ok" -eq 0 ]; then
			printf 'ok      %-44s %4d assertions %4d s\n' "$name" "$ok" $((SECONDS - t1))
		else
			printf 'FAILED  %-44s %4d of %d %4d s\n' "$name" "$not_ok" $((ok + not_ok)) $((SECONDS - t1))
			grep -E -A12 '^not ok' "$log" | head -n 60 || true
			show_end 30 "$log"
			show_end 40 "$out/log/regress_log_$name"
			local l
			for l in "$out/log/${name}"_*.log; do show_end 25 "$l"; done
		fi
		sum_ok=$((sum_ok + ok)) sum_not=$((sum_not + not_ok)) sum_skip=$((sum_skip + skip)) n=$((n + 1))
		[ "$not_ok" -gt 0 ] || [ -n "${PG_TEST_NOCLEAN:-}" ] || rm -rf "$out"/t_"$name"_*
	done
	if [ $n -eq 0 ]; then
		say "there are no tests"
		sum_not=1
	fi
	count tap $((SECONDS - t)) $sum_ok $sum_not $sum_skip
}

# ---- what a mode changes; the files of that name replace these --------------
mode_make=()               # variables for make
mode_prepare() { :; }      # may change test_bindir
mode_report() { :; }       # may count more failures
if [ -n "${CHECK_MODE:-}" ]; then
	. "test/tools/$CHECK_MODE.sh"
fi

say "$server_said"

# ---- build -----------------------------------------------------------------
built=0
t=$SECONDS
header "compile: $(${CC:-gcc} --version | head -1)"
if stage "$out" COPT="${WERROR--Werror}" "${mode_make[@]}" >"$out/log/compile.log" 2>&1; then
	built=1
	cat "$out/log/compile.log"
	say "built and staged"
	count compile $((SECONDS - t)) 1 0 0
else
	head -n 200 "$out/log/compile.log"
	count compile $((SECONDS - t)) 0 1 0
fi
pgxs_test=$(dirname "$("$PG_CONFIG" --pgxs)")/../test
test_bindir=$("$PG_CONFIG" --bindir)
[ $built = 0 ] || mode_prepare

if wants clang; then
	t=$SECONDS
	if clang=$(find_clang); then
		header "clang: $($clang --version | head -1)"
		if make -s PG_CONFIG="$PG_CONFIG" with_llvm=no CLANG_CHECK="$clang" clang-check >"$out/log/clang.log" 2>&1; then
			say "no complaints"
			count clang $((SECONDS - t)) 1 0 0
		else
			head -n 100 "$out/log/clang.log"
			count clang $((SECONDS - t)) 0 1 0
		fi
	else
		header "clang: not installed, skipped"
		count clang 0 0 0 1
	fi
fi

# ---- suites ----------------------------------------------------------------
if wants lint; then tap_run lint bash test/tools/lint.sh; fi
if wants unit; then unit_make unit unit-check; fi
if wants property; then unit_make property property-check; fi
if wants fuzz; then
	if has_libfuzzer; then
		unit_make fuzz fuzz-check FUZZ_TIME="${FUZZ_TIME:-$([ -n "${CI:-}" ] && echo 60 || echo 10)}" CLANG="$(find_clang)"
	else
		header "fuzz: skipped, clang with libFuzzer is not installed (packages clang and libclang-rt-dev)"
		count fuzz 0 0 0 1
	fi
fi
for suite in regress isolation tap; do
	wants $suite || continue
	if [ $built = 0 ]; then
		header "$suite: not run, there is nothing to test"
		count $suite 0 0 1 0
		continue
	fi
	case $suite in
		regress)
			names=${REGRESS:-$(cd sql && ls *.sql 2>/dev/null | grep -v '^sched--' | sed 's/\.sql$//' || true)}
			pg_tests regress "$pgxs_test/regress/pg_regress" "$names" \
				--inputdir="$top" --dbname=contrib_regression
			;;
		isolation)
			names=${ISOLATION:-$(ls test/isolation/specs/*.spec 2>/dev/null | sed 's!.*/!!; s/\.spec$//' || true)}
			pg_tests isolation "$pgxs_test/isolation/pg_isolation_regress" "$names" \
				--inputdir="$top/test/isolation" --dbname=isolation_regression
			;;
		tap) tap_suite ;;
	esac
done
[ $built = 0 ] || mode_report

# ---- result ----------------------------------------------------------------
header "$server_said, $SECONDS s"
printf '%s\n' "${summary[@]}"
tail=
[ $skipped -eq 0 ] || tail=", $skipped skipped"
printf '\n%d passed, %d failed%s\n' $passed $failed "$tail"
[ $failed -eq 0 ]
