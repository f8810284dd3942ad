#!/bin/bash
# make typedefs: writes typedefs.list, the type names that pg_bsd_indent has to
# know.  The server's are taken from the debug information of the objects, so
# the tree is built first; only names that the sources use are kept.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
find_pg_config || die "no PostgreSQL server with headers was found; make bootstrap installs one"
clean_environment
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
copy_tree "$work"
make -s -j2 -k -C "$work" PG_CONFIG="$PG_CONFIG" with_llvm=no PG_CFLAGS=-g >/dev/null 2>&1 ||
	say "warning: not all sources could be compiled; types of those are missing"
{
	find "$work/src" -name '*.o' -exec readelf --debug-dump=info {} + 2>/dev/null |
		awk '/Abbrev Number/ { take = /DW_TAG_typedef/ }
			take && /DW_AT_name/ { print $NF; take = 0 }'
	# our own, also where a type is used only by its pointer
	find "$tree/src" "$tree/test" -name '*.[ch]' -exec cat {} + |
		sed -nE 's/^\} ?([A-Za-z_0-9]+);.*/\1/p
			s/^typedef (struct|enum|union) [A-Za-z_0-9]+ ([A-Za-z_0-9]+);.*/\2/p
			s/^typedef [^(]*\(\*([A-Za-z_0-9]+)\).*/\1/p'
} | sort -u >"$work/known"
find "$tree/src" "$tree/test" -name '*.[ch]' -exec cat {} + | grep -oE '[A-Za-z_][A-Za-z0-9_]*' | sort -u >"$work/used"
[ -s "$work/known" ] || die "no debug information was found"
LC_ALL=C comm -12 <(LC_ALL=C sort "$work/known") <(LC_ALL=C sort "$work/used") >"$tree/typedefs.list"
say "typedefs.list: $(wc -l <"$tree/typedefs.list") names"
