# SPDX-License-Identifier: BSD-3-Clause
# numd: `make bench` and `make check` do everything; `make help` lists the rest.

BUILD ?= build
PREFIX ?= /usr/local
CC = gcc
PYTHON ?= $(if $(VIRTUAL_ENV),$(VIRTUAL_ENV)/bin/python,/usr/bin/python3)
CFLAGS ?= -O2 -g
QUICK ?=

.DEFAULT_GOAL := all

# The kernels are built for several instruction sets: on all cores, unless told otherwise.
ifeq (,$(filter -j%,$(MAKEFLAGS)))
MAKEFLAGS += -j$(shell nproc)
endif

# What must be installed is installed before pkg-config is asked. Only goals that say so do it.
SETUP_GOALS := bench bench-all bench-kernels bench-python check asan tsan model faults soak
ifneq (,$(filter $(SETUP_GOALS),$(MAKECMDGOALS)))
# Ways of bench-all whose parts cannot be had are skipped.
ifneq (,$(filter bench-all,$(MAKECMDGOALS)))
SETUP_PEERS := BUILD=$(BUILD) scripts/setup --peers >&2 ||
endif
SETUP_DONE := $(shell $(SETUP_PEERS) scripts/setup >&2 || echo failed)
ifeq ($(SETUP_DONE),failed)
$(error some packages are missing: see above)
endif
endif

WARNINGS := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wno-unused-parameter
MSGPACK := $(shell pkg-config --exists msgpack-c && echo msgpack-c || echo msgpack)
OWN_CFLAGS := -std=gnu11 -D_GNU_SOURCE -fPIC -fvisibility=hidden -pthread $(WARNINGS) -I. \
	$(shell pkg-config --cflags libuv $(MSGPACK))
LIBS_UV := $(shell pkg-config --libs libuv)
LIBS_MSGPACK := $(shell pkg-config --libs $(MSGPACK))
LIBS_SECCOMP := $(shell pkg-config --libs libseccomp)

VERSION := $(shell sed -n 's/.*NUMD_VERSION "\(.*\)"/\1/p' protocol/version.h)
objects = $(patsubst %.c,$(BUILD)/%.o,$(1))
# Programs that were linked to one libnumd run with every other of the same first number.
SONAME := libnumd.so.$(firstword $(subst ., ,$(VERSION)))

# ---- What each program is made of ----

SHARED := $(wildcard shared/*.c)
PROTOCOL := $(wildcard protocol/*.c)
HOST := $(wildcard server/host/*.c)
ENGINE := $(wildcard server/engine/*.c)
SUPERVISOR := $(SHARED) $(PROTOCOL) $(HOST) $(wildcard server/supervisor/*.c)
WORKER := $(SHARED) $(PROTOCOL) $(HOST) $(filter-out server/engine/engine.c,$(ENGINE)) $(wildcard server/worker/*.c)
CLIENT := $(SHARED) $(PROTOCOL) $(wildcard client/lib/*.c)

PROGRAMS := $(BUILD)/numd $(BUILD)/numd-worker $(BUILD)/numdctl
LIBRARIES := $(BUILD)/libnumd.so $(BUILD)/libnumd.a $(BUILD)/libnumd-engine.so

.PHONY: all
all: $(PROGRAMS) $(LIBRARIES) python examples ## build everything

include server/kernels/kernels.mk
include client/python/python.mk
include scripts/bench/bench.mk

# How an object is compiled (1: more flags), and how a program is linked: from its parts, and with all that a worker
# needs from its parts (1) and more libraries (2). LINK_LIBNUMD is for what is one folder below libnumd.so.
compile = $(CC) $(CPPFLAGS) $(OWN_CFLAGS) $(CFLAGS) $(1) -MMD -MP -c $< -o $@
link = $(CC) $(CFLAGS) $(LDFLAGS) -pthread -o $@
link_worker = $(link) $(1) $(LIBS_UV) $(LIBS_MSGPACK) $(LIBS_SECCOMP) $(KERNEL_LIBS) $(2)
LINK_LIBNUMD = -L$(BUILD) -lnumd '-Wl,-rpath,$$ORIGIN/..'

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(compile)

$(BUILD)/numd: $(call objects,$(SUPERVISOR))
	$(link) $^ $(LIBS_UV) $(LIBS_MSGPACK)

$(BUILD)/numd-worker: $(call objects,$(WORKER)) $(WORKER_EXTRA) $(BUILD)/libkernels.a
	$(call link_worker,$^)

# What makes libnumd.so of its objects, which both kinds of build do. The library stays where it was loaded (nodelete):
# a thread that used it gives its channel back as it ends, by a destructor that would be called after a dlclose, too.
link_libnumd = $(link) -shared -Wl,-soname,$(SONAME) -Wl,--version-script=client/lib/numd.map \
	-Wl,--no-undefined-version -Wl,-z,defs -Wl,-z,nodelete $(1) $(LIBS_MSGPACK) && \
	ln -sf $(@F) $(@D)/$(SONAME)

$(BUILD)/libnumd.so: $(call objects,$(CLIENT)) client/lib/numd.map
	$(call link_libnumd,$(call objects,$(CLIENT)))

# One object in which everything but the public names is local, so that none of ours meets another's.
$(BUILD)/libnumd.a: $(call objects,$(CLIENT))
	ld -r -o $(BUILD)/libnumd-all.o $^
	objcopy --localize-hidden $(BUILD)/libnumd-all.o
	rm -f $@ && $(AR) rcs $@ $(BUILD)/libnumd-all.o

$(BUILD)/libnumd-engine.so: $(call objects,$(SHARED) protocol/list.c protocol/layout.c protocol/program.c $(ENGINE)) $(BUILD)/libkernels.a
	$(link) -shared -Wl,-z,defs $^ $(KERNEL_LIBS)

$(BUILD)/numdctl: $(call objects,$(wildcard client/ctl/*.c)) $(BUILD)/libnumd.so
	$(link) $(call objects,$(wildcard client/ctl/*.c)) -L$(BUILD) -lnumd '-Wl,-rpath,$$ORIGIN:$$ORIGIN/../lib'

EXAMPLES := $(patsubst client/examples/%.c,$(BUILD)/examples/%,$(wildcard client/examples/*.c))
.PHONY: examples
examples: $(EXAMPLES)
$(BUILD)/examples/%: client/examples/%.c $(BUILD)/libnumd.so $(BUILD)/include/numd.h
	@mkdir -p $(@D)
	$(CC) -std=c11 $(WARNINGS) -I$(BUILD)/include $(CFLAGS) -o $@ $< $(LINK_LIBNUMD) -lm

# The public header as it is installed: one file, with the lists and the version put in.
NUMD_H_PARTS := $(shell sed -n 's/^\#include "\(.*\)"/\1/p' client/numd.h)
$(BUILD)/include/numd.h: client/numd.h $(NUMD_H_PARTS)
	@mkdir -p $(@D)
	awk '/^#include "/{gsub(/"/,"",$$2); while ((getline line < $$2) > 0) print line; next} {print}' \
		client/numd.h > $@

# ---- Tests ----

UNIT_TESTS := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(wildcard tests/unit/test_*.c))
UNIT_OBJECTS := $(call objects,$(filter-out %/main.c,$(sort $(SUPERVISOR) $(WORKER))))
CHECK_LIBS := $(shell pkg-config --libs check)

$(BUILD)/tests/%: $(BUILD)/tests/unit/%.o $(UNIT_OBJECTS) $(BUILD)/libkernels.a
	@mkdir -p $(@D)
	$(call link_worker,$^,$(CHECK_LIBS))

# This one is a client: it sees the public library alone.
$(BUILD)/tests/test_client: $(BUILD)/tests/unit/test_client.o $(BUILD)/libnumd.so
	@mkdir -p $(@D)
	$(link) $< $(LINK_LIBNUMD) $(CHECK_LIBS)

# These look at the library's modules.
$(BUILD)/tests/test_client_%: $(BUILD)/tests/unit/test_client_%.o $(call objects,$(CLIENT))
	@mkdir -p $(@D)
	$(link) $^ $(LIBS_MSGPACK) $(CHECK_LIBS)

# Preloaded by a test, so without sanitizers.
$(BUILD)/tests/shift_clock.so: tests/unit/shift_clock.c
	@mkdir -p $(@D)
	$(CC) $(OWN_CFLAGS) -O2 -shared -o $@ $<

.PHONY: unit-tests
unit-tests: $(UNIT_TESTS) $(BUILD)/tests/shift_clock.so

.PHONY: check
check: all bench-clients unit-tests ## build, run every test, count them
	BUILD=$(BUILD) PYTHON=$(PYTHON) scripts/check

.PHONY: bench
bench: all bench-clients ## measure: numd against calls in process and other IPC (QUICK=1: within a minute)
	$(PYTHON) scripts/bench run --build $(BUILD) $(if $(QUICK),--quick)

.PHONY: bench-all
bench-all: all bench-clients ## measure all ways of computing and of IPC, in a quarter of an hour (QUICK=1: 5 minutes)
	$(PYTHON) scripts/bench run --build $(BUILD) --all $(if $(QUICK),--quick)

.PHONY: run
run: all ## a daemon in the foreground on a private socket
	$(BUILD)/numd --socket $(abspath $(BUILD))/numd.sock

.PHONY: check-array-api
check-array-api: all ## the public array-api-tests suite: CHECKOUT=its clone, in a virtual environment with NumPy 2
	@BUILD=$(BUILD) PYTHON=$(PYTHON) scripts/check-array-api $(CHECKOUT)

.PHONY: asan tsan
asan: ## the tests under AddressSanitizer and UndefinedBehaviorSanitizer
	scripts/sanitize asan
tsan: ## the tests under ThreadSanitizer
	scripts/sanitize tsan

# A source distribution has no tests.
-include tests/fuzz/fuzz.mk tests/faults/inject/inject.mk

# Linked into the worker of a coverage build (WORKER_EXTRA). Nothing in it is counted: its fork is no more than a fork.
$(BUILD)/tests/coverage/%.o: tests/coverage/%.c
	@mkdir -p $(@D)
	$(CC) $(OWN_CFLAGS) $(filter-out --coverage -fprofile%,$(CFLAGS)) \
		'-DCOVERAGE_LOCK="$(abspath $(BUILD))/coverage.lock"' -MMD -MP -c $< -o $@

.PHONY: coverage
coverage: ## which lines and branches the tests reach: build-cov/coverage/index.html, and the totals here
	scripts/coverage

.PHONY: fuzz
fuzz: all ## libFuzzer under AddressSanitizer on each target: SECONDS=60 a target, ONLY=frame,ring
	scripts/fuzz $(or $(SECONDS),60) $(ONLY)

.PHONY: faults soak
faults: all bench-clients unit-tests ## what daemons have died of, at full figures, with a table of it: SCALE=1
	NUMD_BUILD=$(abspath $(BUILD)) PYTHONPATH=$(abspath $(BUILD))/python SCALE=$(or $(SCALE),1) \
		$(PYTHON) -m pytest -q -p no:cacheprovider tests/faults
soak: all ## everything at once for SECONDS=600, every result checked, nothing may grow
	NUMD_BUILD=$(abspath $(BUILD)) PYTHONPATH=$(abspath $(BUILD))/python $(PYTHON) tests/faults/soak.py $(or $(SECONDS),600)

.PHONY: model
model: ## the model of the waiting protocol, all that it can do looked at
	$(PYTHON) -m pytest -q -s -p no:cacheprovider tests/faults/test_waiting_model.py

.PHONY: lint format
lint: ## clang-format, clang-tidy, direction of includes and imports, shellcheck, pyflakes
	scripts/lint
format: ## rewrite the C sources with clang-format
	git ls-files '*.c' '*.h' | xargs clang-format -i

.PHONY: docs
docs: $(BUILD)/numdctl python ## write the page and the type stubs that are made from the lists
	$(BUILD)/numdctl ops --markdown > protocol/OPERATIONS.md
	PYTHONPATH=$(BUILD)/python $(PYTHON) scripts/stubs client/python/numd

.PHONY: install
install: all install-units ## into DESTDIR/PREFIX
	install -d $(addprefix $(DESTDIR)$(PREFIX)/,bin libexec/numd include lib/pkgconfig share/man/man1 share/man/man8)
	install -m 755 $(BUILD)/numd $(BUILD)/numdctl $(DESTDIR)$(PREFIX)/bin
	install -m 755 $(BUILD)/numd-worker $(DESTDIR)$(PREFIX)/libexec/numd
	install -m 644 $(BUILD)/include/numd.h $(DESTDIR)$(PREFIX)/include
	install -m 755 $(BUILD)/libnumd.so $(DESTDIR)$(PREFIX)/lib/libnumd.so.$(VERSION)
	ln -sf libnumd.so.$(VERSION) $(DESTDIR)$(PREFIX)/lib/$(SONAME)
	ln -sf $(SONAME) $(DESTDIR)$(PREFIX)/lib/libnumd.so
	install -m 644 $(BUILD)/libnumd.a $(DESTDIR)$(PREFIX)/lib
	sed 's|@PREFIX@|$(PREFIX)|; s|@VERSION@|$(VERSION)|; s|@MSGPACK@|$(strip $(LIBS_MSGPACK))|' client/numd.pc.in > $(DESTDIR)$(PREFIX)/lib/pkgconfig/numd.pc
	install -m 644 client/ctl/numdctl.1 $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 644 server/numd.8 $(DESTDIR)$(PREFIX)/share/man/man8
	$(if $(DESTDIR),,-ldconfig)

# Units of systemd, for the machine and for a user; they say where the program is.
UNITS := $(wildcard server/units/*/*.in)
.PHONY: install-units
install-units:
	$(foreach unit,$(UNITS),install -d $(DESTDIR)$(PREFIX)/lib/systemd/$(notdir $(patsubst %/,%,$(dir $(unit)))) && \
		sed 's|@BINDIR@|$(PREFIX)/bin|' $(unit) > $(DESTDIR)$(PREFIX)/lib/systemd/$(patsubst server/units/%.in,%,$(unit)) &&) true

.PHONY: clean
clean: ## remove what was built
	rm -rf build build-asan build-cov build-tsan build-fuzz

.PHONY: help
help: ## this list
	@awk -F':.*## ' '/^[a-z]+.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
