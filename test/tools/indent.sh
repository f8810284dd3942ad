#!/bin/bash
# make indent: formats the C sources as PostgreSQL formats its own.
# make indent-check: says which files that would change.
#
#   FILES="src/domain/a.c"   only these
#
# After a new type was introduced, run make typedefs first.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$tree"
if ! have pg_bsd_indent; then
	is_root && have apt-get || die "pg_bsd_indent is missing (package pg-bsd-indent)"
	apt-get -qq update
	install_packages pg-bsd-indent || die "could not install pg-bsd-indent"
fi
options=(-bad -bap -bbb -bc -bl -cli1 -cp33 -cdb -nce -d0 -di12 -nfc1 -i4 -l79
	-lp -lpl -nip -npro -sac -tpg -ts4)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
changed=0 failed=0
for f in ${FILES:-$(find src test -name '*.[ch]' | sort)}; do
	# a comment that begins with dashes keeps its layout
	sed 's!/\* \{1,\}---!/*---X_X!' "$f" >"$work/in.c"
	if ! (cd "$work" && pg_bsd_indent "${options[@]}" "-U$tree/typedefs.list" in.c out.c >said 2>&1); then
		sed "s!^!$f: !" "$work/said" >&2
		failed=$((failed + 1))
		continue
	fi
	sed -i 's!/\*---X_X!/* ---!; s/[ \t]*$//' "$work/out.c"
	cmp -s "$f" "$work/out.c" && continue
	changed=$((changed + 1))
	if [ "${1:-}" = --check ]; then
		diff -u --label "$f" --label "$f (indented)" "$f" "$work/out.c" || true
	else
		cat "$work/out.c" >"$f"
		say "indented $f"
	fi
done
if [ "${1:-}" = --check ]; then
	say "$changed files would change"
	[ $changed -eq 0 ] || exit 1
fi
[ $failed -eq 0 ] || die "pg_bsd_indent did not understand $failed files"
