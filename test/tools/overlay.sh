# A program folder whose "postgres" is something else; sourced by the modes.
#
# overlay FOLDER < the lines to run before the server proper
#
# Everything is a link into the real folder, so that initdb finds the real
# server and stays fast; pg_ctl is a copy, since it looks for "postgres" beside
# itself, and so the TAP tests start the wrapper too.
overlay() {
	local to=$1 real f
	real=$("$PG_CONFIG" --bindir)
	mkdir -p "$to"
	for f in "$real"/*; do ln -sf "$f" "$to/"; done
	rm -f "$to/postgres" "$to/postmaster" "$to/pg_ctl"
	cp "$real/pg_ctl" "$to/pg_ctl"
	{
		echo '#!/bin/bash'
		echo "real='$real/postgres'"
		# these tell something or run inside of initdb
		echo 'case ${1:-} in -V | --version | -C | --single | --boot | --check | --describe-config) exec "$real" "$@" ;; esac'
		cat
	} >"$to/postgres"
	chmod +x "$to/postgres"
	test_bindir=$to
}
