# make coverage: make check with the library instrumented by gcov, then a page
# per source file in coverage/.  Part of check.sh (CHECK_MODE=coverage).
#
# Server processes write their counts when they end by themselves; those that a
# test kills with SIGKILL count for nothing.
: "${SUITES:=regress isolation tap}"
mode_make=(COVERAGE=1 COPT=)

mode_report() {
	local info=$out/coverage.info
	header "coverage"
	if ! lcov -q --rc lcov_branch_coverage=1 --capture --no-external -b . -d src -o "$info" >"$out/log/lcov.log" 2>&1; then
		show_end 20 "$out/log/lcov.log"
		count coverage 0 0 1 0
		return
	fi
	lcov --rc lcov_branch_coverage=1 --list "$info" 2>/dev/null | grep -vE '^(Reading|Message)' || true
	rm -rf coverage
	genhtml -q --branch-coverage -o coverage "$info" >>"$out/log/lcov.log" 2>&1 && say "pages: coverage/index.html"
	count coverage 0 1 0 0
}
