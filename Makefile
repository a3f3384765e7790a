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
OPTIMISE_coverage := -O0 -g --coverage
CFLAGS ?=
ALL_CFLAGS := -std=c17 -pthread -fPIC -fvisibility=default $(OPTIMISE_$(VARIANT)) $(WARNINGS) $(CFLAGS)
LIBS := -llmdb -ljansson -lyaml -lzstd -lsnappy -llz4 -lbz2 -lz -lxxhash -lm -ldl -lpthread

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
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $(CLI_OBJECTS) $(BUILD)/libinlet.a $(LIBS)
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
	$(Q)mkdir -p $(@D) && $(CC) $(CPPFLAGS) $(ALL_CFLAGS) -Wno-missing-prototypes -MMD -MP -o $@ $< $(BUILD)/libinlet.a -lcmocka $(LIBS)
.PHONY: unit
unit: $(UNIT_TESTS)

-include $(OBJECTS:.o=.d) $(CLI_OBJECTS:.o=.d) $(UNIT_TESTS:.t=.d)
