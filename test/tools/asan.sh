# make asan-check: the server tests with AddressSanitizer and UBSan compiled
# into the library.  Part of check.sh (CHECK_MODE=asan).
#
# The server itself is stock: the sanitizers' run-time libraries are preloaded
# into it.  That hangs in a server with message translations (--enable-nls,
# such as Debian's), so PG_CONFIG has to name one without.
. test/tools/overlay.sh

: "${SUITES:=regress isolation tap}"
mode_make=(SANITIZE=address,undefined COPT=)

if "$PG_CONFIG" --configure | grep -q -e --enable-nls; then
	die "PG_CONFIG=$PG_CONFIG: this server was built with --enable-nls, in which a preloaded sanitizer hangs" \
		"name a server built from source: make asan-check PG_CONFIG=/path/to/pg_config"
fi

mode_prepare() {
	mkdir -p "$out/asan"
	# - leaks: a backend leaves everything to its exit
	# - use after return: it moves frames to where check_stack_depth() takes
	#   them for an overflow
	overlay "$out/bin" <<-X
		common=log_path=$out/asan/report
		export ASAN_OPTIONS=\$common:detect_leaks=0:detect_stack_use_after_return=0:detect_odr_violation=0:exitcode=99
		export UBSAN_OPTIONS=\$common:print_stacktrace=1:halt_on_error=1
		export LD_PRELOAD="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so)"
		exec "\$real" "\$@"
	X
}

mode_report() {
	local where reports
	where=$(find "$out" \( -path "$out/asan/*" -o -name '*.log' \) -type f)
	reports=$(cat $where /dev/null | grep -cE 'AddressSanitizer: |runtime error: ' || true)
	header "asan: $reports reports"
	grep -hE -A20 'AddressSanitizer: |runtime error: ' $where /dev/null | head -n 200 || true
	count asan 0 $((reports == 0)) "$reports" 0
}
