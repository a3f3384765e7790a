# Makefile -- builds build/inlet and libinlet, runs tests and benchmarks. Plain GNU make, no configure.
#
#   make            optimised program      make demo      a real pipeline on sample files, from nothing
#   make check      every test             make bench     side by side with other programs
#   make san / tsan the suite under sanitizers             make install PREFIX= DESTDIR=
#
# V=1 shows commands; DEVELOPER=1 makes warnings errors; VARIANT=release|debug|san|tsan chooses the build folder.

MAKEFLAGS += --no-builtin-rules
VARIANT ?= release
BUILD := build/$(VARIANT)
CC ?= gcc
ifeq ($(origin CC),default)
CC := gcc
endif
PREFIX ?= /usr/local
VERSION := 0.1.0
-include config.mak

ROOMS := base columns stores formats engine listing notify sources sinks loader
WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wundef -Wpointer-arith -Wwrite-strings
ifdef DEVELOPER
WARNINGS += -Werror
endif
CPPFLAGS += -I. -D_GNU_SOURCE -DINLET_VERSION='"$(VERSION)"' $(shell xml2-config --cflags 2>/dev/null)
OPTIMISE_release := -O2 -g -DNDEBUG
OPTIMISE_debug := -O0 -g
OPTIMISE_san := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
OPTIMISE_tsan := -O1 -g -fsanitize=thread -fno-omit-frame-pointer
# A null pointer plus nothing is nothing: C2y says so, clang 14 does not yet.
OPTIMISE_fuzz := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize=pointer-overflow -fno-sanitize-recover=undefined -fno-omit-frame-pointer
OPTIMISE_coverage := -O0 -g --coverage -DCOVERAGE
CFLAGS ?=
ALL_CFLAGS := -std=c17 -pthread -fPIC -fvisibility=default $(OPTIMISE_$(VARIANT)) $(WARNINGS) $(CFLAGS)
LIBS := -llmdb -ljansson -lyaml -lzstd -lsnappy -llz4 -lbz2 -lz -lxxhash -lm -ldl -lpthread
# Each shared library costs the program's start; those that have an archive here go into it.
archive = $(or $(filter /%,$(shell $(CC) -print-file-name=lib$(1).a)),-l$(1))
PROGRAM_LIBS = $(foreach lib,lmdb yaml lz4 bz2 xxhash,$(call archive,$(lib))) -ljansson -lzstd -lsnappy -lz -lm -ldl -lpthread

SOURCES := $(wildcard $(addsuffix /*.c,$(ROOMS)))
CLI_SOURCES := $(wildcard cli/*.c)
OBJECTS := $(SOURCES:%.c=$(BUILD)/%.o)
CLI_OBJECTS := $(CLI_SOURCES:%.c=$(BUILD)/%.o)
UNIT_SOURCES := $(wildcard tests/unit/*/*_test.c)
UNIT_TESTS := $(UNIT_SOURCES:tests/unit/%.c=$(BUILD)/unit/%.t)

Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-5s %s\n' '$(1)' '$(2)')

.PHONY: all
all: build/inlet build/libinlet.a build/libinlet.so

ifeq ($(VARIANT),release)
build/inlet: $(BUILD)/inlet
	$(Q)ln -sf release/inlet $@
build/libinlet.a: $(BUILD)/libinlet.a
	$(Q)ln -sf release/libinlet.a $@
build/libinlet.so: $(BUILD)/libinlet.so
	$(Q)ln -sf release/libinlet.so $@
else
build/inlet: $(BUILD)/inlet ;
build/libinlet.a: $(BUILD)/libinlet.a ;
build/libinlet.so: ;
endif

$(BUILD)/inlet: $(CLI_OBJECTS) $(BUILD)/libinlet.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $(CLI_OBJECTS) $(BUILD)/libinlet.a $(PROGRAM_LIBS)
$(BUILD)/libinlet.a: $(OBJECTS)
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $(OBJECTS)
$(BUILD)/libinlet.so: $(OBJECTS)
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -shared -o $@ $(OBJECTS) $(LIBS)
$(BUILD)/%.o: %.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D) && $(CC) $(CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# Unit tests: one program a file, cmocka with TAP output; run by prove.
$(BUILD)/unit/%.t: tests/unit/%.c $(BUILD)/libinlet.a
	$(call say,TEST,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(CPPFLAGS) $(ALL_CFLAGS) -Wno-missing-prototypes -Wno-missing-field-initializers -Wno-unused-parameter -MMD -MP -o $@ $< $(BUILD)/libinlet.a -lcmocka $(LIBS)
.PHONY: unit tools
unit: $(UNIT_TESTS) tools

# Programs that the cross-checks with other readers drive.
TOOLS := $(patsubst tests/tools/%.c,$(BUILD)/tools/%,$(wildcard tests/tools/*.c))
$(BUILD)/tools/%: tests/tools/%.c $(BUILD)/libinlet.a
	$(call say,TOOL,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(CPPFLAGS) $(ALL_CFLAGS) -Wno-missing-prototypes -Wno-missing-field-initializers -Wno-unused-parameter -MMD -MP -o $@ $< $(BUILD)/libinlet.a $(LIBS)
tools: $(TOOLS)

# --- What a fresh Debian 12 needs; installed where missing. ------------------------------------------------------
BUILD_PACKAGES := gcc make libc6-dev liblmdb-dev libjansson-dev libyaml-dev libzstd-dev libsnappy-dev liblz4-dev libbz2-dev zlib1g-dev libxxhash-dev
TEST_PACKAGES := $(BUILD_PACKAGES) libcmocka-dev perl python3 python3-venv procps
VENV := build/venv
PYTHON ?= $(CURDIR)/$(VENV)/bin/python

.PHONY: deps deps-test venv
deps:
	@etc/install-packages $(BUILD_PACKAGES)
deps-test:
	@etc/install-packages $(TEST_PACKAGES)
venv: $(VENV)/.done
$(VENV)/.done: tests/requirements.txt
	@python3 -m venv $(VENV) && $(VENV)/bin/pip --quiet --disable-pip-version-check install -r tests/requirements.txt && touch $@

# --- Tests ---------------------------------------------------------------------------------------------------------
# check installs first, then starts make anew: the packages decide what can be built.
# Of a test that failed the log says why, also where nobody can run it again.
PROVE := prove --timer --merge --failures --comments
.PHONY: check check-all tidy
check:
	@$(MAKE) --no-print-directory deps-test
	@$(MAKE) --no-print-directory -j2 all unit
	@$(MAKE) --no-print-directory venv
	@$(MAKE) --no-print-directory check-all
check-all: tidy
	CMOCKA_MESSAGE_OUTPUT=TAP $(PROVE) -j2 --exec tests/unit/run $(UNIT_TESTS)
	INLET_TOOLS=$(BUILD)/tools PYTHON=$(PYTHON) $(PROVE) -j2 --exec tests/formats/with-tool $(wildcard tests/formats/*_crosscheck.py)
	INLET=$(CURDIR)/build/inlet PYTHON=$(PYTHON) $(PROVE) -j2 --exec '$(PYTHON)' $(wildcard tests/pipelines/*_test.py)
tidy:
	@python3 tests/tidy.py

.PHONY: demo
demo:
	@$(MAKE) --no-print-directory deps
	@$(MAKE) --no-print-directory -j2 all
	@etc/demo/run build/inlet

# --- Installation --------------------------------------------------------------------------------------------------
HEADERS := $(wildcard $(addsuffix /*.h,$(ROOMS))) base/conditions.def
.PHONY: install clean
install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib $(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/bash-completion/completions \
	  $(DESTDIR)$(PREFIX)/share/inlet $(DESTDIR)$(PREFIX)/lib/systemd/system
	install -m 755 $(BUILD)/inlet $(DESTDIR)$(PREFIX)/bin/inlet
	install -m 644 $(BUILD)/libinlet.a $(DESTDIR)$(PREFIX)/lib/libinlet.a
	install -m 755 $(BUILD)/libinlet.so $(DESTDIR)$(PREFIX)/lib/libinlet.so
	install -m 644 etc/inlet.1 $(DESTDIR)$(PREFIX)/share/man/man1/inlet.1
	install -m 644 etc/inlet.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/inlet
	install -m 644 etc/pipeline.schema.json $(DESTDIR)$(PREFIX)/share/inlet/pipeline.schema.json
	install -m 644 etc/inlet@.service etc/inlet-once@.service etc/inlet-once@.timer $(DESTDIR)$(PREFIX)/lib/systemd/system
	for header in $(HEADERS); do install -D -m 644 $$header $(DESTDIR)$(PREFIX)/include/inlet/$$header; done
clean:
	rm -rf build/release build/debug build/san build/tsan build/coverage build/inlet build/libinlet.a build/libinlet.so

.PHONY: san tsan
san:
	@$(MAKE) --no-print-directory VARIANT=san -j2 build/san/inlet unit
	CMOCKA_MESSAGE_OUTPUT=TAP $(PROVE) --exec tests/unit/run $(UNIT_SOURCES:tests/unit/%.c=build/san/unit/%.t)
	$(PROVE) --exec '' $(FUZZ_NAMES:%=build/san/replay/%)
	INLET=$(CURDIR)/build/san/inlet PYTHON=$(PYTHON) $(PROVE) --exec '$(PYTHON)' $(wildcard tests/pipelines/*_test.py)
tsan:
	@$(MAKE) --no-print-directory VARIANT=tsan -j2 build/tsan/inlet unit
	CMOCKA_MESSAGE_OUTPUT=TAP $(PROVE) --exec tests/unit/run $(UNIT_SOURCES:tests/unit/%.c=build/tsan/unit/%.t)
	INLET=$(CURDIR)/build/tsan/inlet PYTHON=$(PYTHON) $(PROVE) --exec '$(PYTHON)' $(wildcard tests/pipelines/*_test.py)

# What the sanitizers do not see, uninitialised memory first: the unit tests, and pipelines of every sink and of old checkpoints (these with leaks; forked
# children leak in the others). Pipelines that wait for a clock, or are traced themselves, are left out. VALGRIND tells tests to take fewer rounds.
VALGRIND := valgrind --quiet --error-exitcode=99
VALGRIND_TESTS := $(addprefix tests/pipelines/,sinks_test.py upgrade_test.py)
.PHONY: valgrind
valgrind:
	@etc/install-packages $(TEST_PACKAGES) valgrind
	@$(MAKE) --no-print-directory -j2 all unit venv
	VALGRIND=1 CMOCKA_MESSAGE_OUTPUT=TAP $(PROVE) -j2 --exec 'tests/unit/run $(VALGRIND)' $(UNIT_TESTS)
	@printf '#!/bin/sh\nexec $(VALGRIND) --leak-check=full --errors-for-leak-kinds=definite $(CURDIR)/$(BUILD)/inlet "$$@"\n' > $(BUILD)/inlet-valgrind && chmod +x $(BUILD)/inlet-valgrind
	INLET=$(CURDIR)/$(BUILD)/inlet-valgrind PYTHON=$(PYTHON) $(PROVE) -j2 --exec '$(PYTHON)' $(VALGRIND_TESTS)

# Branches of the rooms that lose no record: their unit tests, the pipelines but the long ones, beside them a sample of failing calls; a table a
# room (tests/coverage.py). About six minutes.
COVERAGE_ROOMS := loader sinks listing notify
COVERAGE_BAR ?= 90
COVERAGE_TESTS := tests/crash/fault_test.py $(filter-out %/soak_test.py %/oracle_test.py,$(wildcard tests/pipelines/*_test.py))
.PHONY: coverage
coverage:
	@$(MAKE) --no-print-directory deps-test venv build/release/crash/crashpoint
	@$(MAKE) --no-print-directory VARIANT=coverage -j2 build/coverage/inlet unit
	@find build/coverage -name '*.gcda' -delete
	CMOCKA_MESSAGE_OUTPUT=TAP $(PROVE) -j2 --exec tests/unit/run $(patsubst tests/unit/%.c,build/coverage/unit/%.t,$(wildcard $(COVERAGE_ROOMS:%=tests/unit/%/*_test.c)))
	INLET_CRASH_SECONDS=150 INLET=$(CURDIR)/build/coverage/inlet CRASHPOINT=$(CURDIR)/build/release/crash/crashpoint PYTHON=$(PYTHON) $(PROVE) -j2 \
	  --exec '$(PYTHON)' $(COVERAGE_TESTS)
	@$(PYTHON) tests/coverage.py build/coverage $(COVERAGE_BAR) $(COVERAGE_ROOMS)

# Apache Spark reads what inlet wrote; needs a Python with pyspark and delta-spark (and Delta's jars in SPARK_SUBMIT_ARGS).
SPARK_RUN ?= spark-submit --packages io.delta:delta-spark_4.2_2.13:4.4.0 --conf spark.sql.extensions=io.delta.sql.DeltaSparkSessionExtension --conf spark.sql.catalog.spark_catalog=org.apache.spark.sql.delta.catalog.DeltaCatalog
.PHONY: check-spark
check-spark: all
	INLET=$(CURDIR)/build/inlet $(SPARK_RUN) tests/spark/read_back.py

# --- Benchmarks ----------------------------------------------------------------------------------------------------
.PHONY: bench
bench: all venv
	@PYTHON=$(PYTHON) INLET=$(CURDIR)/build/inlet bench/run

-include $(OBJECTS:.o=.d) $(CLI_OBJECTS:.o=.d) $(UNIT_TESTS:.t=.d)

# --- Documentation: pages that the program or the sources write; `make map` prints the tree, a line a file. ---------
.PHONY: docs map
docs: all
	@build/inlet options --page > docs/options.md
	@build/inlet options --schema > etc/pipeline.schema.json
	@etc/list-errors > docs/errors.md
map:
	@etc/map

# --- The tool of the crash tests: no part of the program, so always built plainly. -----------------------------------
unit: build/release/crash/crashpoint
build/release/crash/crashpoint: tests/crash/crashpoint.c
	$(call say,TEST,$@)
	$(Q)mkdir -p $(@D) && $(CC) -std=c17 -D_GNU_SOURCE -O2 -g $(WARNINGS) -o $@.new $< && mv $@.new $@

# --- Nothing lost, nothing twice: a sample in `make check`, every point in `make crash` (docs/reliability.md). ---------
CRASH_TESTS := tests/crash/crash_test.py tests/crash/fault_test.py tests/crash/threads_test.py tests/crash/memory_test.py tests/crash/powerloss_test.py tests/crash/plants_test.py
CRASH_TOOLS := build/release/crash/crashpoint build/release/crash/nomemory.so
CRASH_RUN = INLET=$(CURDIR)/build/inlet CRASHPOINT=$(CURDIR)/build/release/crash/crashpoint PYTHON=$(PYTHON) $(PROVE) --exec '$(PYTHON)'
.PHONY: crash crash-sample powerloss
check-all: crash-sample
unit: build/release/crash/doors.so
build/release/crash/nomemory.so build/release/crash/doors.so: build/release/crash/%.so: tests/crash/%.c
	$(call say,TEST,$@)
	$(Q)mkdir -p $(@D) && $(CC) -std=c17 -D_GNU_SOURCE -O2 -shared -fPIC $(WARNINGS) -o $@ $<
crash-sample: $(CRASH_TOOLS)
	INLET_CRASH_SECONDS=25 $(CRASH_RUN) $(CRASH_TESTS)
crash:
	@$(MAKE) --no-print-directory -j2 all $(CRASH_TOOLS) venv
	INLET_CRASH=all $(CRASH_RUN) $(CRASH_TESTS)
powerloss:
	@$(MAKE) --no-print-directory -j2 all $(CRASH_TOOLS) venv
	INLET_CRASH=all $(CRASH_RUN) tests/crash/powerloss_test.py

# --- Fuzzing: tests/fuzz/X.c is a target; its stored inputs are tests/fuzz/corpus/X. ------------------------------------
# `make fuzz` runs each for FUZZ_SECONDS from what FUZZ_WORK holds; what breaks something goes into the stored corpus once mended.
FUZZ_SECONDS ?= 20
FUZZ_WORK ?= build/fuzz/work
FUZZ_CC ?= clang-14
FUZZ_NAMES := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/*.c))
FUZZ_REPLAYS := $(FUZZ_NAMES:%=$(BUILD)/replay/%)
$(BUILD)/replay/%: tests/fuzz/%.c $(BUILD)/libinlet.a
	$(call say,FUZZ,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(CPPFLAGS) $(ALL_CFLAGS) -DFUZZ_REPLAY -DFUZZ_CORPUS='"tests/fuzz/corpus/$*"' -Wno-missing-prototypes -MMD -MP -o $@ $< $(BUILD)/libinlet.a $(LIBS)
build/fuzz/targets/%: tests/fuzz/%.c build/fuzz/libinlet.a
	$(call say,FUZZ,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(CPPFLAGS) $(ALL_CFLAGS) -fsanitize=fuzzer -Wno-missing-prototypes -MMD -MP -o $@ $< build/fuzz/libinlet.a $(LIBS)
.PHONY: fuzz fuzz-deps fuzz-targets fuzz-corpus fuzz-replays
fuzz-deps:
	@etc/install-packages $(BUILD_PACKAGES) clang-14 libclang-rt-14-dev
fuzz-targets: $(FUZZ_NAMES:%=build/fuzz/targets/%)
fuzz: fuzz-deps
	@$(MAKE) --no-print-directory VARIANT=fuzz CC=$(FUZZ_CC) -j2 fuzz-targets
	@tests/fuzz/run $(FUZZ_SECONDS) $(FUZZ_WORK) $(FUZZ_NAMES)
# The stored inputs through programs without libFuzzer: part of make check and make san.
fuzz-replays: $(FUZZ_REPLAYS)
fuzz-corpus: fuzz-replays
	$(PROVE) -j2 --exec '' $(FUZZ_REPLAYS)
unit: fuzz-replays
check-all: fuzz-corpus
-include $(FUZZ_REPLAYS:=.d)

# --- Soak: the random model of tests/pipelines/soak_test.py, long. --------------------------------------------------------
SOAK_RECORDS ?= 10000000
SOAK_KILLS ?= 1000
.PHONY: soak
soak: all venv
	INLET=$(CURDIR)/build/inlet INLET_SOAK_RECORDS=$(SOAK_RECORDS) INLET_SOAK_KILLS=$(SOAK_KILLS) $(PROVE) --exec '$(PYTHON)' tests/pipelines/soak_test.py
