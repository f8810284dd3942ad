# make valgrind-check: the server tests with every server process under
# valgrind's memcheck.  Part of check.sh (CHECK_MODE=valgrind).
#
# Worth most with PG_CONFIG naming a server built with assertions and
# -DUSE_VALGRIND, which tells memcheck about palloc; its own suppressions are
# taken from share/valgrind.supp.  Other servers yield reports of their own.
. test/tools/overlay.sh

: "${SUITES:=regress isolation tap}"
export PGCTLTIMEOUT=600 PG_TEST_TIMEOUT_DEFAULT=${PG_TEST_TIMEOUT_DEFAULT:-900}
TAP_FILE_TIME=3600

mode_prepare() {
	local supp
	mkdir -p "$out/valgrind"
	supp=$("$PG_CONFIG" --sharedir)/valgrind.supp
	[ -e "$supp" ] || supp=$(dirname "$("$PG_CONFIG" --bindir)")/share/valgrind.supp
	[ -e "$supp" ] || supp=
	overlay "$out/bin" <<-X
		exec valgrind --quiet --leak-check=no --trace-children=yes ${supp:+--suppressions="$supp"} \\
			--error-markers=SCHED-REPORT-BEGIN,SCHED-REPORT-END --num-callers=25 \\
			--log-file="$out/valgrind/%p.log" "\$real" "\$@"
	X
}

mode_report() {
	local traced reports
	traced=$(find "$out/valgrind" -name '*.log' | wc -l)
	reports=$(cat "$out"/valgrind/*.log 2>/dev/null | grep -c SCHED-REPORT-BEGIN || true)
	header "valgrind: $traced processes, $reports reports"
	grep -h -A20 SCHED-REPORT-BEGIN "$out"/valgrind/*.log 2>/dev/null | head -n 200 || true
	if [ "$traced" -eq 0 ]; then
		say "no process was traced"
		reports=1
	fi
	count valgrind 0 $((reports == 0)) "$reports" 0
}
