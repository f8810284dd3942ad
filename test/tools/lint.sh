#!/bin/bash
# Rules that no compiler checks, as TAP: which layer may include which, no test
# without an expected output, every install part within the one script.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
n=0 bad=0
verdict() { # NAME FINDINGS
	n=$((n + 1))
	if [ -z "$2" ]; then
		echo "ok $n - $1"
	else
		bad=1
		echo "not ok $n - $1"
		sed 's/^/#   /' <<<"$2"
	fi
}

# includes LAYER FORBIDDEN...: includes of headers of the layers named
includes() {
	local layer=$1 other
	shift
	for other in "$@"; do
		grep -nE "^#[ \t]*include \"$other/" src/"$layer"/*.[ch] src/"$layer"/*/*.[ch] 2>/dev/null || true
	done
}

verdict "the domain includes no other layer" "$(includes domain infrastructure application interface)"
verdict "the infrastructure includes only itself and the domain" "$(includes infrastructure application interface)"
verdict "the application does not include the interface" "$(includes application interface)"
verdict "the domain takes nothing from the server but what client programs may use" \
	"$(grep -nE '^#[ \t]*include "' src/domain/*.[ch] src/domain/*/*.[ch] | grep -vE '"((domain|common|port|lib)/([a-z]+/)?[a-z_]+\.h|c\.h|postgres\.h|postgres_fe\.h)"' || true)"
verdict "postgres.h is included by no header" "$(grep -nE '^#[ \t]*include "postgres\.h"' src/*/*.h src/*/*/*.h || true)"
verdict "install parts do not replace each other's objects" "$(grep -niE 'or +replace' sql/install/*.sql || true)"
verdict "every SQL test has its expected output" "$(
	for f in sql/*.sql; do
		case $f in sql/sched--* | 'sql/*.sql') continue ;; esac
		b=$(basename "$f" .sql)
		[ -e "expected/$b.out" ] || echo "expected/$b.out is missing"
	done
)"
verdict "every isolation spec has its expected output" "$(
	for f in test/isolation/specs/*.spec; do
		[ -e "$f" ] || continue
		b=$(basename "$f" .spec)
		[ -e "test/isolation/expected/$b.out" ] || echo "test/isolation/expected/$b.out is missing"
	done
)"
verdict "no file of C is longer than 1000 lines" "$(wc -l src/*/*.[ch] src/*/*/*.[ch] | awk '$2 != "total" && $1 > 1000')"
echo "1..$n"
exit $bad
