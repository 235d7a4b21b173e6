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

# ---- What each program is made of ----

SHARED := $(wildcard shared/*.c)
PROTOCOL := $(wildcard protocol/*.c)
LISTS := protocol/list.c protocol/program.c
ENGINE := $(LISTS) $(addprefix server/,plan.c plan_groups.c plan_steps.c plan_text.c lower.c lower_map.c lower_reduce.c \
	lower_product.c lower_view.c lower_move.c lower_array.c loops.c exec.c exec_reduce.c product.c array_step.c pool.c fair.c board.c quota.c) \
	shared/sem.c
SUPERVISOR := $(SHARED) protocol/list.c protocol/wire.c \
	$(addprefix server/,main.c supervisor.c admit.c access.c service.c watchdog.c upgrade.c \
	children.c listen.c broker.c memory_list.c board.c quota.c control.c log.c)
WORKER := $(SHARED) $(PROTOCOL) $(filter-out protocol/% shared/%,$(ENGINE)) \
	$(addprefix server/,worker_main.c worker.c become.c sandbox.c sandbox_calls.c sandbox_files.c \
	deadline.c session.c bind.c door_ring.c door_socket.c methods.c methods_segment.c methods_lend.c methods_plan.c long_call.c \
	stats.c guard.c control.c log.c)
CLIENT := $(SHARED) $(PROTOCOL) $(filter-out client/numdctl%.c,$(wildcard client/*.c))

PROGRAMS := $(BUILD)/numd $(BUILD)/numd-worker $(BUILD)/numdctl
LIBRARIES := $(BUILD)/libnumd.so $(BUILD)/libnumd.a $(BUILD)/libnumd-engine.so

.PHONY: all
all: $(PROGRAMS) $(LIBRARIES) python examples ## build everything

include server/kernels/kernels.mk
include client/python/python.mk
include scripts/bench/bench.mk

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(OWN_CFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/numd: $(call objects,$(SUPERVISOR))
	$(CC) $(CFLAGS) $(LDFLAGS) -pthread -o $@ $^ $(LIBS_UV) $(LIBS_MSGPACK)

$(BUILD)/numd-worker: $(call objects,$(WORKER)) $(BUILD)/libkernels.a
	$(CC) $(CFLAGS) $(LDFLAGS) -pthread -o $@ $^ $(LIBS_UV) $(LIBS_MSGPACK) $(LIBS_SECCOMP) $(KERNEL_LIBS)

$(BUILD)/libnumd.so: $(call objects,$(CLIENT)) client/numd.map
	$(CC) $(CFLAGS) $(LDFLAGS) -pthread -shared -Wl,-soname,libnumd.so.0 -Wl,--version-script=client/numd.map \
		-Wl,-z,defs -o $@ $(call objects,$(CLIENT)) $(LIBS_MSGPACK)
	ln -sf libnumd.so $(BUILD)/libnumd.so.0

# One object in which everything but the public names is local, so that none of ours meets another's.
$(BUILD)/libnumd.a: $(call objects,$(CLIENT))
	ld -r -o $(BUILD)/libnumd-all.o $^
	objcopy --localize-hidden $(BUILD)/libnumd-all.o
	rm -f $@ && $(AR) rcs $@ $(BUILD)/libnumd-all.o

$(BUILD)/libnumd-engine.so: $(call objects,$(ENGINE) server/engine.c) $(BUILD)/libkernels.a
	$(CC) $(CFLAGS) $(LDFLAGS) -pthread -shared -Wl,-z,defs -o $@ $^ $(KERNEL_LIBS)

$(BUILD)/numdctl: $(call objects,$(wildcard client/numdctl*.c)) $(BUILD)/libnumd.so
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(call objects,$(wildcard client/numdctl*.c)) -L$(BUILD) -lnumd '-Wl,-rpath,$$ORIGIN:$$ORIGIN/../lib'

EXAMPLES := $(patsubst client/examples/%.c,$(BUILD)/examples/%,$(wildcard client/examples/*.c))
.PHONY: examples
examples: $(EXAMPLES)
$(BUILD)/examples/%: client/examples/%.c $(BUILD)/libnumd.so $(BUILD)/include/numd.h
	@mkdir -p $(@D)
	$(CC) -std=c11 $(WARNINGS) -I$(BUILD)/include $(CFLAGS) -o $@ $< -L$(BUILD) -lnumd '-Wl,-rpath,$$ORIGIN/..' -lm

# The public header as it is installed: one file, with the lists and the version put in.
$(BUILD)/include/numd.h: client/numd.h protocol/version.h protocol/status.h protocol/dtype.h protocol/op.h
	@mkdir -p $(@D)
	awk '/^#include "protocol\//{gsub(/"/,"",$$2); while ((getline line < $$2) > 0) print line; next} {print}' \
		client/numd.h > $@

# ---- Tests ----

UNIT_TESTS := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(wildcard tests/unit/test_*.c))
UNIT_OBJECTS := $(call objects,$(filter-out server/worker_main.c,$(sort $(WORKER))) )
CHECK_LIBS := $(shell pkg-config --libs check)

$(BUILD)/tests/%: $(BUILD)/tests/unit/%.o $(UNIT_OBJECTS) $(BUILD)/libkernels.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -pthread -o $@ $^ $(LIBS_UV) $(LIBS_MSGPACK) $(LIBS_SECCOMP) $(KERNEL_LIBS) $(CHECK_LIBS)

# This one is a client: it sees the public library alone.
$(BUILD)/tests/test_client: $(BUILD)/tests/unit/test_client.o $(BUILD)/libnumd.so
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -pthread -o $@ $< -L$(BUILD) -lnumd '-Wl,-rpath,$$ORIGIN/..' $(CHECK_LIBS)

.PHONY: unit-tests
unit-tests: $(UNIT_TESTS)

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
	ln -sf libnumd.so.$(VERSION) $(DESTDIR)$(PREFIX)/lib/libnumd.so.0
	ln -sf libnumd.so.0 $(DESTDIR)$(PREFIX)/lib/libnumd.so
	install -m 644 $(BUILD)/libnumd.a $(DESTDIR)$(PREFIX)/lib
	sed 's|@PREFIX@|$(PREFIX)|; s|@VERSION@|$(VERSION)|; s|@MSGPACK@|$(strip $(LIBS_MSGPACK))|' client/numd.pc.in > $(DESTDIR)$(PREFIX)/lib/pkgconfig/numd.pc
	install -m 644 client/numdctl.1 $(DESTDIR)$(PREFIX)/share/man/man1
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
	rm -rf build build-asan build-tsan build-fuzz

.PHONY: help
help: ## this list
	@awk -F':.*## ' '/^[a-z]+.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
