# sched -- job scheduler for PostgreSQL
#
#   make, make install   build and install for the server that PG_CONFIG names
#   make check           every test, in throw-away servers; nothing is installed
#                        but missing tools, and those only when root calls
#   make demo            a throw-away server with a few jobs at work
#   make help            the rest
EXTENSION  = sched
MODULE_big = sched
PGFILEDESC = "sched - job scheduler"

# The control file is the only place where the version is written.
EXTVERSION := $(shell sed -n "s/^default_version *= *'\(.*\)'/\1/p" sched.control)

# Install script: the numbered parts, in order.  A part never says OR REPLACE.
SQL_PARTS  := $(sort $(wildcard sql/install/*.sql))
INSTALL_SQL = sql/$(EXTENSION)--$(EXTVERSION).sql
DATA        = $(wildcard sql/upgrade/$(EXTENSION)--*--*.sql)
DATA_built  = $(INSTALL_SQL)

# The four layers make the library.  Programs (src/executor) are built apart.
LAYERS  = domain application infrastructure interface
SOURCES = $(sort $(wildcard $(LAYERS:%=src/%/*.c) $(LAYERS:%=src/%/*/*.c)))
OBJS    = $(SOURCES:.c=.o)

# -MMD in CFLAGS and not in CPPFLAGS: the latter also serve the bitcode build,
# which would write the same .d files over again.
WARNINGS    = -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare \
              -Wno-missing-field-initializers
PG_CPPFLAGS = -Isrc -DSCHED_VERSION=\"$(EXTVERSION)\" $(shell $(PKG_CONFIG) --cflags libcurl)
PG_CFLAGS   = $(WARNINGS) -MMD -MP
# Libraries to link with are to be added here, and their packages in
# test/tools/lib.sh.
PKG_CONFIG ?= pkg-config
SHLIB_LINK  = $(shell $(PKG_CONFIG) --libs libcurl)
# Without it secrets cannot be encrypted.
ifeq ($(shell $(PKG_CONFIG) --exists 'libcrypto >= 1.1' 2>/dev/null && echo yes),yes)
PG_CPPFLAGS += -DSCHED_HAVE_LIBCRYPTO $(shell $(PKG_CONFIG) --cflags libcrypto)
SHLIB_LINK  += $(shell $(PKG_CONFIG) --libs libcrypto)
endif

# The program that joins as an executor: libpq only, nothing of the server.
EXECUTOR         = sched-executor
EXECUTOR_SOURCES = $(sort $(wildcard src/executor/*.c))
EXECUTOR_OBJS    = $(EXECUTOR_SOURCES:.c=.o)

# Tests: SQL (sql/, expected/), concurrency (test/isolation), nodes (test/t).
REGRESS        = $(patsubst sql/%.sql,%,$(filter-out sql/$(EXTENSION)--%,$(sort $(wildcard sql/*.sql))))
ISOLATION      = $(patsubst test/isolation/specs/%.spec,%,$(sort $(wildcard test/isolation/specs/*.spec)))
ISOLATION_OPTS = --inputdir=test/isolation
TAP_TESTS      = 1
PROVE_TESTS   ?= test/t/*.pl
PROVE_FLAGS   += -I test/perl
EXTRA_CLEAN    = $(EXECUTOR) src/executor/*.[od] tmp_install tmp_check output_iso results log coverage \
                 .build-flags sql/$(EXTENSION)--*.sql \
                 $(foreach l,$(LAYERS),$(foreach x,d gcda gcno,src/$(l)/*.$(x) src/$(l)/*/*.$(x)))

PG_CONFIG ?= pg_config

# Goals that must work before there is a server to build for: their scripts
# install what is missing first.  PGXS is not read for them, also because it
# has a "check" of its own, which only refuses.
BARE_GOALS = check demo demo-stop bootstrap coverage valgrind-check \
             asan-check indent indent-check typedefs help

ifneq ($(filter $(BARE_GOALS),$(MAKECMDGOALS)),)

.PHONY: $(MAKECMDGOALS)
check:
	@bash test/tools/check.sh
coverage:
	@CHECK_MODE=coverage bash test/tools/check.sh
valgrind-check:
	@CHECK_MODE=valgrind bash test/tools/check.sh
asan-check:
	@CHECK_MODE=asan bash test/tools/check.sh
bootstrap:
	@bash test/tools/bootstrap.sh
demo:
	@bash scripts/demo.sh start
demo-stop:
	@bash scripts/demo.sh stop
indent:
	@bash test/tools/indent.sh
indent-check:
	@bash test/tools/indent.sh --check
typedefs:
	@bash test/tools/typedefs.sh
help:
	@cat test/tools/help.txt

# "make clean check": the other goals have the ordinary Makefile
OTHER_GOALS := $(filter-out $(BARE_GOALS),$(MAKECMDGOALS))
ifneq ($(OTHER_GOALS),)
$(OTHER_GOALS):
	+@$(MAKE) --no-print-directory $@
endif

else

PGXS := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)
ifeq ($(wildcard $(PGXS)),)
$(error no server headers behind PG_CONFIG=$(PG_CONFIG): install \
postgresql-server-dev-15 or the like, or run "make bootstrap" as root)
endif
include $(PGXS)

all: $(EXECUTOR)
$(EXECUTOR): $(EXECUTOR_OBJS)
	$(CC) $(CFLAGS) $(EXECUTOR_OBJS) $(LDFLAGS) -L$(libdir) -lpq -o $@
$(EXECUTOR_OBJS): CPPFLAGS := -Isrc -I$(includedir) -D_GNU_SOURCE -DSCHED_VERSION=\"$(EXTVERSION)\"
$(EXECUTOR_OBJS): .build-flags
-include $(wildcard $(EXECUTOR_OBJS:.o=.d))

install: install-executor
uninstall: uninstall-executor
.PHONY: install-executor uninstall-executor
install-executor: $(EXECUTOR)
	$(MKDIR_P) '$(DESTDIR)$(bindir)'
	$(INSTALL_PROGRAM) $(EXECUTOR) '$(DESTDIR)$(bindir)/$(EXECUTOR)'
uninstall-executor:
	rm -f '$(DESTDIR)$(bindir)/$(EXECUTOR)'

ifneq ($(shell $(PKG_CONFIG) --exists 'libcurl >= 7.80' 2>/dev/null && echo yes),yes)
$(error no libcurl 7.80 or later: install libcurl4-openssl-dev (and pkg-config), \
or run "make bootstrap" as root)
endif

ifeq ($(PORTNAME),linux)
# Preloaded libraries share one name space: our calls stay our own.
SHLIB_LINK += -Wl,-Bsymbolic
endif

# Instrumented builds, for test/tools only
ifdef COVERAGE
override CFLAGS += -O0 --coverage
SHLIB_LINK += --coverage
endif
ifdef SANITIZE
# the server's own flags hold -fwrapv, which would hide signed overflows
override CFLAGS += -O1 -g -fno-omit-frame-pointer -fno-wrapv \
	-fsanitize=$(SANITIZE) -fno-sanitize=alignment -fno-sanitize-recover=undefined
SHLIB_LINK += -fsanitize=$(SANITIZE)
endif

$(INSTALL_SQL): $(SQL_PARTS) sched.control
	@test -n "$(SQL_PARTS)" || { echo "no parts in sql/install" >&2; exit 1; }
	@! grep -niE 'or +replace' $(SQL_PARTS)
	@cat $(SQL_PARTS) > $@.tmp && mv $@.tmp $@

# Objects of another server or with other flags are not reused.
BUILD_FLAGS := $(strip $(CC) $(CFLAGS) $(COPT) $(PG_CPPFLAGS) $(shell $(PG_CONFIG) --version --pkglibdir))
$(shell echo '$(BUILD_FLAGS)' | cmp -s - .build-flags || echo '$(BUILD_FLAGS)' > .build-flags)
$(OBJS): .build-flags
-include $(wildcard $(OBJS:.o=.d))

# A second opinion on the sources; makes no objects.  The server's headers are
# taken as system headers, since they were configured for gcc, which is also
# why clang ignores their way to mark printf-like functions.
CLANG_CHECK ?= clang
.PHONY: clang-check
clang-check:
	@for f in $(SOURCES); do \
	  $(CLANG_CHECK) -fsyntax-only -std=gnu99 -Werror $(WARNINGS) \
	    -Wno-ignored-attributes \
	    $(patsubst -I/%,-isystem /%,$(CPPFLAGS)) $$f \
	    || bad="$$bad $$f"; \
	done; \
	for f in $(EXECUTOR_SOURCES); do \
	  $(CLANG_CHECK) -fsyntax-only -std=gnu99 -Werror -Wall -Wextra -Isrc -D_GNU_SOURCE \
	    -DSCHED_VERSION=\"$(EXTVERSION)\" -isystem $(includedir) $$f \
	    || bad="$$bad $$f"; \
	done; test -z "$$bad" || { echo "clang objects to:$$bad" >&2; exit 1; }

# unit-check, property-check, fuzz-check, bench-micro
-include $(wildcard test/unit/unit.mk)

endif
