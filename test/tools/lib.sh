# What the scripts of "make check" and "make demo" share; sourced, never run.
#
# They start on any Debian machine, as root or not.  Root installs what is
# missing, copies the tree to a folder that an unprivileged user owns and goes
# on there as that user, since the server refuses to run as root.  Anybody else
# works in the tree itself and is told which packages to ask for.

tree=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

# Settings of the caller that reach the unprivileged half; nothing else does.
passed_on=(CI SUITES REGRESS ISOLATION PROVE_TESTS PROVE_FLAGS FUZZ_TIME CLANG
	CC WERROR CHECK_MODE PG_CONFIG PG_TEST_EXTRA PG_TEST_NOCLEAN
	PG_TEST_TIMEOUT_DEFAULT SCHED_RACE_SECONDS DEMO_KEEP DEMO_SECONDS DEMO_STOP COLUMNS TERM NO_COLOR)

say() { printf '%s\n' "$*"; }
die() {
	printf 'error: %s\n' "$@" >&2
	exit 2
}
have() { command -v "$1" >/dev/null 2>&1; }
is_root() { [ "$(id -u)" = 0 ]; }

# ---- tools -----------------------------------------------------------------

# A pg_config counts if a server can be both started and built for.
usable_pg_config() {
	local pgxs bin
	pgxs=$("$1" --pgxs 2>/dev/null) && bin=$("$1" --bindir) &&
		[ -e "$pgxs" ] && [ -x "$bin/postgres" ] && [ -x "$bin/initdb" ] &&
		[ -e "$("$1" --includedir-server)/postgres.h" ] &&
		[ -x "$(dirname "$pgxs")/../test/regress/pg_regress" ]
}

# Sets PG_CONFIG to an absolute path, or returns false.
find_pg_config() {
	local c
	if [ -n "${PG_CONFIG:-}" ] && [ "$PG_CONFIG" != pg_config ]; then
		c=$(command -v "$PG_CONFIG") || die "PG_CONFIG=$PG_CONFIG: no such program"
		usable_pg_config "$c" ||
			die "PG_CONFIG=$PG_CONFIG: its server, headers or pg_regress are not installed"
		PG_CONFIG=$c
		return 0
	fi
	for c in "$(command -v pg_config || true)" /usr/lib/postgresql/*/bin/pg_config; do
		if [ -n "$c" ] && [ -x "$c" ] && usable_pg_config "$c"; then
			PG_CONFIG=$("$c" --bindir)/pg_config
			[ -x "$PG_CONFIG" ] || PG_CONFIG=$c
			return 0
		fi
	done
	return 1
}

# The major version to install: that of a server already there, else the
# distribution's.
packaged_version() {
	local v
	for v in /usr/lib/postgresql/*/bin/postgres; do
		[ -x "$v" ] && { basename "${v%/bin/postgres}"; return; }
	done
	for v in 15 16 17 18; do
		apt-cache show "postgresql-server-dev-$v" 2>/dev/null | grep -q . && { echo "$v"; return; }
	done
	echo 15
}

find_clang() {
	local c
	for c in "${CLANG:-}" clang $(compgen -c clang- | grep -E '^clang-[0-9]+$' | sort -rV); do
		[ -n "$c" ] && have "$c" && { command -v "$c"; return 0; }
	done
	return 1
}

# Whether that clang can link a fuzzer.
has_libfuzzer() {
	local c d rc=0
	c=$(find_clang) || return 1
	d=$(mktemp -d)
	printf '#include <stddef.h>\n#include <stdint.h>\nint LLVMFuzzerTestOneInput(const uint8_t *d, size_t n) { return 0; }\n' >"$d/f.c"
	"$c" -fsanitize=fuzzer,address,undefined -o "$d/f" "$d/f.c" >/dev/null 2>&1 || rc=1
	rm -rf "$d"
	return $rc
}

# The packages without which nothing works, one per line; none: all is there.
missing_packages() {
	local v
	have "${CC:-gcc}" || echo gcc
	[ -e /usr/include/stdio.h ] || echo libc6-dev
	have make || echo make
	if ! find_pg_config; then
		v=$(packaged_version)
		echo "postgresql-$v"
		echo "postgresql-server-dev-$v"
	fi
	have pkg-config || echo pkg-config
	# where libcurl looks for the authorities that it trusts
	[ -e /etc/ssl/certs/ca-certificates.crt ] || echo ca-certificates
	pkg-config --exists 'libcurl >= 7.80' 2>/dev/null || echo libcurl4-openssl-dev
	pkg-config --exists libcrypto 2>/dev/null || echo libssl-dev
	have prove || echo perl
	perl -MIPC::Run -e 1 2>/dev/null || echo libipc-run-perl
	case ${CHECK_MODE:-} in
		coverage) have lcov || echo lcov ;;
		valgrind) have valgrind || echo valgrind ;;
	esac
}

# Packages that only one suite wants, which is skipped without them.
wanted_packages() {
	if [ -n "${CI:-}${FUZZ_TIME:-}" ] && ! has_libfuzzer; then
		echo clang
		echo libclang-rt-dev
	fi
}

# Debian's server package makes a cluster when it is installed, unless told
# otherwise.  Nobody asked for one here, so it is told, for this time only.
cluster_conf=/etc/postgresql-common/createcluster.conf
cluster_mark='create_main_cluster = false # while sched installs its tools'
no_main_cluster() {
	grep -qs '^create_main_cluster' "$cluster_conf" && return
	mkdir -p "$(dirname "$cluster_conf")"
	echo "$cluster_mark" >>"$cluster_conf"
}
main_cluster_as_before() {
	grep -qsF "$cluster_mark" "$cluster_conf" || return 0
	sed -i '/# while sched installs its tools$/d' "$cluster_conf"
	[ -s "$cluster_conf" ] || cp /usr/share/postgresql-common/createcluster.conf "$cluster_conf" 2>/dev/null ||
		rm -f "$cluster_conf"
}

install_packages() {
	local log
	log=$(mktemp)
	say "installing: $*"
	no_main_cluster
	if ! DEBIAN_FRONTEND=noninteractive UCF_FORCE_CONFFOLD=1 apt-get -o DPkg::Lock::Timeout=600 \
		-y --no-install-recommends install "$@" >"$log" 2>&1 </dev/null; then
		main_cluster_as_before
		tail -30 "$log" >&2
		rm -f "$log"
		return 1
	fi
	main_cluster_as_before
	rm -f "$log"
}

# Makes sure of everything; PG_CONFIG is set afterwards.
ensure_tools() {
	local miss want
	miss=$(missing_packages) || exit 2
	want=$(wanted_packages)
	if [ -n "$miss$want" ] && is_root && have apt-get; then
		apt-get -qq -o DPkg::Lock::Timeout=600 update >/dev/null 2>&1 ||
			say "warning: apt-get update failed, trying with the lists at hand"
		# with fresh lists the version to install may be another one
		miss=$(missing_packages) || exit 2
	fi
	if [ -n "$miss" ]; then
		is_root || die "these packages are missing, and only root can install them:" \
			"    apt-get install --no-install-recommends $(echo $miss)"
		have apt-get || die "these Debian packages, or their likes, are missing: $(echo $miss)"
		install_packages $miss || die "could not install: $(echo $miss)"
		hash -r
		miss=$(missing_packages) || exit 2
		[ -z "$miss" ] || die "still missing after installing: $(echo $miss)"
	fi
	if [ -n "$want" ] && is_root && have apt-get; then
		install_packages $want || say "warning: not to be had: $(echo $want)"
	fi
	find_pg_config || die "no PostgreSQL server with headers was found"
}

# ---- privileges ------------------------------------------------------------

# Who runs the servers when root calls: the owner of a server that is not
# root's, else postgres, else a user made for it.
unprivileged_user() {
	local owner
	owner=$(stat -c %U "$("$PG_CONFIG" --bindir)")
	if [ "$owner" != root ] && [ "$owner" != UNKNOWN ]; then
		echo "$owner"
	elif id postgres >/dev/null 2>&1; then
		echo postgres
	else
		id schedtest >/dev/null 2>&1 ||
			useradd --system --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin schedtest
		echo schedtest
	fi
}

# copy_tree FOLDER: the sources as they are now, without what was built.
copy_tree() {
	local rc=0
	(cd "$tree" && tar c --exclude-vcs --exclude=./tmp_* --exclude=./results --exclude=./coverage \
		--exclude=./output_iso --exclude=./.build-flags --exclude='./sql/sched--*.sql' \
		--exclude='*.o' --exclude='*.d' --exclude='*.so' --exclude='*.bc' --exclude='*.gc[dn][ao]' .) |
		tar x -C "$1" --no-same-owner || rc=$?
	# 1: a file changed while it was read
	[ $rc -le 1 ]
}

# as_user USER FOLDER COMMAND...: with nothing of root's environment.
as_user() {
	local user=$1 home=$2 v
	local -a keep=()
	shift 2
	for v in "${passed_on[@]}"; do
		[ -z "${!v+set}" ] || keep+=("$v=${!v}")
	done
	(cd "$home" && exec setpriv --reuid="$user" --regid="$(id -g "$user")" --init-groups \
		env -i HOME="$home" USER="$user" LOGNAME="$user" SHELL=/bin/sh LC_ALL=C.UTF-8 \
		PATH=/usr/local/bin:/usr/bin:/bin "${keep[@]}" "$@")
}

# Nothing of the caller's may steer the test servers and their clients.
clean_environment() {
	local v
	for v in $(compgen -e PG); do
		case $v in PG_CONFIG | PG_TEST_*) ;; *) unset "$v" ;; esac
	done
	unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES TZ LANG LANGUAGE CDPATH
	export LC_ALL=C.UTF-8
	umask 022
}

# ---- servers ---------------------------------------------------------------

# stop_servers FOLDER: ends every server whose data lies below, at once.
stop_servers() {
	local f pid
	while IFS= read -r f; do
		pid=$(head -1 "$f" 2>/dev/null) || continue
		[ "$(readlink "/proc/$pid/cwd" 2>/dev/null)" = "$(dirname "$f")" ] && kill -QUIT "$pid" 2>/dev/null
	done < <(find "$1" -name postmaster.pid 2>/dev/null)
	return 0
}

# private_server FOLDER: a server that knows no setting for staged extensions
# (one built from source, before 18) is copied, since it finds its files
# relative to its own program; then the copy takes a real install.
private_server() {
	local bin prefix dir f
	bin=$("$PG_CONFIG" --bindir)
	prefix=$(dirname "$bin")
	for dir in "$("$PG_CONFIG" --sharedir)" "$("$PG_CONFIG" --pkglibdir)" "$("$PG_CONFIG" --includedir-server)"; do
		case $dir in
			"$prefix"/?*) ;;
			*) die "$PG_CONFIG: the server has neither extension_control_path nor extension_destdir, and $dir is not below $prefix, so it cannot be copied either" ;;
		esac
	done
	[ "$prefix" != /usr ] && [ "$prefix" != / ] || die "$PG_CONFIG: will not copy all of $prefix"
	mkdir -p "$1"
	for f in bin include lib lib64 share; do
		[ ! -e "$prefix/$f" ] || cp -a --no-preserve=ownership "$prefix/$f" "$1/"
	done
	PG_CONFIG=$1/bin/pg_config
	usable_pg_config "$PG_CONFIG" || die "$prefix could not be copied to $1"
}

# stage FOLDER [make variables]: builds, installs below FOLDER, and writes
# FOLDER/temp.conf for servers that are to have it.  Sets bindir.
stage() {
	local to=$1 known
	shift
	known=$("$("$PG_CONFIG" --bindir)/postgres" --describe-config | cut -f1)
	cp test/sched.conf "$to/temp.conf"
	if grep -qx extension_control_path <<<"$known"; then
		echo "extension_control_path = '$to/inst$("$PG_CONFIG" --sharedir):\$system'" >>"$to/temp.conf"
	elif grep -qx extension_destdir <<<"$known"; then
		echo "extension_destdir = '$to/inst'" >>"$to/temp.conf"
	else
		private_server "$to/pg"
	fi
	bindir=$("$PG_CONFIG" --bindir)
	make -s -j2 PG_CONFIG="$PG_CONFIG" with_llvm=no "$@" all || return 1
	if [ -d "$to/pg" ]; then
		make -s PG_CONFIG="$PG_CONFIG" with_llvm=no "$@" install
	else
		echo "dynamic_library_path = '$to/inst$("$PG_CONFIG" --pkglibdir):\$libdir'" >>"$to/temp.conf"
		make -s PG_CONFIG="$PG_CONFIG" with_llvm=no "$@" install DESTDIR="$to/inst"
	fi
}
