# Tests and benchmarks of the domain layer, without a server.
#
#   make unit-check                     every test/unit/test_*.c
#   make property-check                 every test/property/property_*.c
#   make fuzz-check FUZZ_TIME=60        every test/fuzz/fuzz_*.c, seconds each
#   make bench-micro                    every bench/micro/bench_*.c
#
# The domain is compiled as frontend code, once plainly and once with
# sanitizers, into a library from which each program takes what it needs.
# Programs print TAP.  PROPERTY_SEED, PROPERTY_SECONDS and PROPERTY_ROUND
# reach the property tests through the environment.
#
# Part of the main Makefile; "make -f test/unit/unit.mk" works as well.

PG_CONFIG  ?= pg_config
UNIT_BUILD ?= tmp_check/unit
FUZZ_TIME  ?= 60
CLANG      ?= clang

UNIT_INCLUDE := $(shell $(PG_CONFIG) --includedir-server)
UNIT_LIBDIRS := $(shell $(PG_CONFIG) --pkglibdir) $(shell $(PG_CONFIG) --libdir)
UNIT_TZDIR   := $(firstword $(TZDIR) $(wildcard /usr/share/zoneinfo) \
                $(shell $(PG_CONFIG) --sharedir)/timezone)

# The server's headers count as system headers: their warnings are not ours.
UNIT_CPPFLAGS = -DFRONTEND -Isrc -Itest/unit -isystem $(UNIT_INCLUDE) -MMD -MP
UNIT_WARNINGS = -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare \
                -Wno-missing-field-initializers
UNIT_CFLAGS   = -std=gnu99 -g -O2 -fno-strict-aliasing -fwrapv \
                -fexcess-precision=standard $(UNIT_WARNINGS) $(UNIT_EXTRA_CFLAGS)
UNIT_LIBS     = $(addprefix -L,$(UNIT_LIBDIRS)) -lpgcommon -lpgport -lm

# No -fwrapv: a signed overflow is to be found.
FUZZ_CFLAGS = -std=gnu99 -g -O1 -fno-omit-frame-pointer -Wno-ignored-attributes \
              -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined \
              $(UNIT_WARNINGS)

UNIT_DOMAIN = $(sort $(wildcard src/domain/*.c src/domain/*/*.c)) test/unit/tzfile.c
UNIT_TESTS  = $(sort $(wildcard test/unit/test_*.c))
UNIT_PROPS  = $(sort $(wildcard test/property/property_*.c))
UNIT_BENCH  = $(sort $(wildcard bench/micro/bench_*.c))
UNIT_FUZZ   = $(sort $(wildcard test/fuzz/fuzz_*.c))

unit_plain  = $(patsubst %.c,$(UNIT_BUILD)/plain/%$(2),$(1))
unit_fuzzed = $(patsubst %.c,$(UNIT_BUILD)/fuzz/%$(2),$(1))

.PHONY: unit-check property-check fuzz-check bench-micro
.SECONDARY: $(call unit_plain,$(UNIT_DOMAIN) $(UNIT_TESTS) $(UNIT_PROPS) $(UNIT_BENCH),.o) \
	$(call unit_fuzzed,$(UNIT_DOMAIN) $(UNIT_FUZZ),.o)

$(UNIT_BUILD)/plain/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(UNIT_CFLAGS) $(UNIT_CPPFLAGS) -c $< -o $@

$(UNIT_BUILD)/fuzz/%.o: %.c
	@mkdir -p $(@D)
	$(CLANG) $(FUZZ_CFLAGS) $(UNIT_CPPFLAGS) -c $< -o $@

$(UNIT_BUILD)/plain/domain.a: $(call unit_plain,$(UNIT_DOMAIN),.o)
	@rm -f $@
	@ar rcs $@ $^

$(UNIT_BUILD)/fuzz/domain.a: $(call unit_fuzzed,$(UNIT_DOMAIN),.o)
	@rm -f $@
	@ar rcs $@ $^

$(call unit_plain,$(UNIT_TESTS) $(UNIT_PROPS) $(UNIT_BENCH),): %: %.o $(UNIT_BUILD)/plain/domain.a
	$(CC) $(UNIT_EXTRA_CFLAGS) $^ $(UNIT_LIBS) -o $@

$(call unit_fuzzed,$(UNIT_FUZZ),): %: %.o $(UNIT_BUILD)/fuzz/domain.a
	$(CLANG) -fsanitize=fuzzer,address,undefined $^ $(UNIT_LIBS) -o $@

# A program that fails does not keep the next from running.
define unit_run
	@rc=0; for program in $(1); do \
	  echo "# $${program##*/}"; \
	  TZDIR=$(UNIT_TZDIR) $$program || { rc=1; echo "# $${program##*/} failed"; }; \
	done; exit $$rc
endef

unit-check: $(call unit_plain,$(UNIT_TESTS),)
	$(call unit_run,$^)

property-check: $(call unit_plain,$(UNIT_PROPS),)
	$(call unit_run,$^)

bench-micro: $(call unit_plain,$(UNIT_BENCH),)
	$(call unit_run,$^)

# What a fuzzer finds new is kept beside it, not in the committed corpus.  A
# dictionary beside the source is used.  They run two at a time; what they
# demand of time is processor time.
fuzz-check: $(call unit_fuzzed,$(UNIT_FUZZ),)
	@printf '%s\n' $^ | TZDIR=$(UNIT_TZDIR) xargs -P 2 -I {} bash test/tools/fuzz.sh {} $(FUZZ_TIME)
	@n=0; rc=0; for program in $^; do \
	  n=$$((n + 1)); name=$${program##*/fuzz_}; \
	  if [ "`cat $$program.rc`" = 0 ]; \
	  then echo "ok $$n - fuzz_$$name found nothing in $(FUZZ_TIME) s"; \
	  else rc=1; echo "not ok $$n - fuzz_$$name"; tail -n 40 $$program.log | sed 's/^/# /'; fi; \
	done; echo "1..$$n"; exit $$rc

-include $(wildcard $(UNIT_BUILD)/*/*/*/*.d)
