# SPDX-License-Identifier: BSD-3-Clause
# The benchmark's C clients and Python modules. Needs CC, CFLAGS (with -O2), PYTHON and BUILD; `bench-clients` builds
# them all.

BENCH_C := scripts/bench/ways_c
BENCH_FLAGS := -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes \
	-Wmissing-prototypes -I. -pthread -DNUMD_TRACE
BENCH_SHARED := $(addprefix $(BENCH_C)/,main.c timing.c scheduled.c stamped.c cases.c trace.c)
BENCH_ENGINE := $(BENCH_C)/engine_plan.c
BENCH_CLIENTS := $(addprefix $(BUILD)/bench/,bench-floors bench-direct bench-peer bench-numd)

# Python modules that are made of C, and the library that cffi opens. What needs Cython or cffi is built where they are.
BENCH_SUFFIX := $(shell $(PYTHON) -c 'import sysconfig; print(sysconfig.get_config_var("EXT_SUFFIX"))' 2>/dev/null)
BENCH_MODULES := $(addprefix $(BUILD)/bench/,_bench_extension$(BENCH_SUFFIX) _bench_stamps$(BENCH_SUFFIX) libbench-loops.so loops.cdef \
	$(if $(shell command -v cython3),_bench_cython$(BENCH_SUFFIX)) \
	$(if $(shell $(PYTHON) -c 'import cffi; print(1)' 2>/dev/null),_bench_cffi$(BENCH_SUFFIX)))

.PHONY: bench-clients
bench-clients: $(BENCH_CLIENTS) $(BENCH_MODULES) bench-traced

$(BENCH_CLIENTS): $(BENCH_SHARED) $(BENCH_C)/bench.h shared/trace.h scripts/bench/bench.mk | $(BUILD)/bench
$(BUILD)/bench:
	mkdir -p $@

$(BUILD)/bench/bench-floors: $(BENCH_C)/floors.c
	$(CC) $(BENCH_FLAGS) $(CFLAGS) -o $@ $(BENCH_SHARED) $<

$(BUILD)/bench/bench-direct $(BUILD)/bench/bench-peer: $(BUILD)/bench/bench-%: $(BENCH_C)/%.c $(BENCH_ENGINE) \
		$(BENCH_C)/engine_plan.h server/engine/engine.h $(BUILD)/libnumd-engine.so
	$(CC) $(BENCH_FLAGS) $(CFLAGS) -o $@ $(BENCH_SHARED) $< $(BENCH_ENGINE) -L$(BUILD) -lnumd-engine \
		'-Wl,-rpath,$$ORIGIN/..'

$(BUILD)/bench/bench-numd: $(BENCH_C)/numd.c client/numd.h $(BUILD)/libnumd.so
	$(CC) $(BENCH_FLAGS) $(CFLAGS) -o $@ $(BENCH_SHARED) $< $(LINK_LIBNUMD)

# numd with stamps (shared/trace.h), for the breakdown of a call: all that has stamps is compiled again, everything
# else is the same. In a directory of its own, where each part finds the others.
TRACED := client/lib/submit.c client/lib/wait.c client/lib/rpc.c shared/wake.c server/worker/door_ring.c \
	server/worker/door_socket.c server/worker/methods_plan.c server/worker/bind.c
traced_objects = $(call objects,$(filter-out $(TRACED),$(1)) $(patsubst %,traced/%,$(filter $(TRACED),$(1)) trace.c))
TRACED_PARTS := numd numd-worker libnumd.so bench/bench-numd python/numd/__init__.py

.PHONY: bench-traced
bench-traced: $(TRACED_PARTS:%=$(BUILD)/traced/%)

$(BUILD)/traced/%.o: %.c
	@mkdir -p $(@D)
	$(call compile,-DNUMD_TRACE)

$(BUILD)/traced/trace.o: $(BENCH_C)/trace.c
	@mkdir -p $(@D)
	$(call compile,-DNUMD_TRACE)

$(BUILD)/traced/numd-worker: $(call traced_objects,$(WORKER)) $(BUILD)/libkernels.a
	$(call link_worker,$^)

$(BUILD)/traced/libnumd.so: $(call traced_objects,$(CLIENT)) client/lib/numd.map
	$(call link_libnumd,$(call traced_objects,$(CLIENT)))

$(BUILD)/traced/numd $(BUILD)/traced/bench/bench-numd: $(BUILD)/traced/%: $(BUILD)/%
	@mkdir -p $(@D)
	cp $< $@

$(BUILD)/traced/python/numd/__init__.py: $(PYTHON_EXTENSION) $(PYTHON_COPIES)
	rm -rf $(@D)
	mkdir -p $(dir $(@D))
	cp -r $(BUILD)/python/numd $(@D)
	touch $@

# NumPy's headers first: Debian has those of its own NumPy among Python's.
BENCH_PYTHON = $(shell $(PYTHON) -c 'import numpy, sysconfig; \
	print("-isystem", numpy.get_include(), "-isystem", sysconfig.get_paths()["include"])')
BENCH_MODULE_FLAGS := -O3 -fPIC -shared -I.

$(BENCH_MODULES): scripts/bench/bench.mk | $(BUILD)/bench

$(BUILD)/bench/loops.cdef: $(BENCH_C)/loops.h
	grep '^[a-z].*;$$' $< > $@

$(BUILD)/bench/libbench-loops.so: $(BENCH_C)/loops.c $(BENCH_C)/loops.h
	$(CC) $(BENCH_FLAGS) $(CFLAGS) $(BENCH_MODULE_FLAGS) -o $@ $< -lm

$(BUILD)/bench/_bench_extension$(BENCH_SUFFIX): $(BENCH_C)/extension.c $(BENCH_C)/loops.c $(BENCH_C)/loops.h
	$(CC) $(BENCH_FLAGS) $(CFLAGS) $(BENCH_MODULE_FLAGS) $(BENCH_PYTHON) -o $@ \
		$(BENCH_C)/extension.c $(BENCH_C)/loops.c -lm

$(BUILD)/bench/_bench_stamps$(BENCH_SUFFIX): $(BENCH_C)/stamps.c $(BENCH_C)/trace.c shared/trace.h
	$(CC) $(BENCH_FLAGS) $(CFLAGS) $(BENCH_MODULE_FLAGS) -fvisibility=hidden -Wno-unused-parameter $(BENCH_PYTHON) -o $@ \
		$(BENCH_C)/stamps.c $(BENCH_C)/trace.c

$(BUILD)/bench/_bench_cython$(BENCH_SUFFIX): $(BENCH_C)/typed.pyx
	cython3 -3 --module-name _bench_cython -o $(BUILD)/bench/_bench_cython.c $<
	$(CC) $(CFLAGS) $(BENCH_MODULE_FLAGS) -pthread -w $(BENCH_PYTHON) -o $@ $(BUILD)/bench/_bench_cython.c -lm

$(BUILD)/bench/_bench_cffi$(BENCH_SUFFIX): $(BENCH_C)/cffi_glue.py $(BENCH_C)/loops.c $(BUILD)/bench/loops.cdef
	$(PYTHON) $< _bench_cffi $(BUILD)/bench/loops.cdef $(BUILD)/bench/_bench_cffi.c
	$(CC) $(CFLAGS) $(BENCH_MODULE_FLAGS) -pthread -w $(BENCH_PYTHON) -o $@ \
		$(BUILD)/bench/_bench_cffi.c $(BENCH_C)/loops.c -lm

.PHONY: bench-kernels
bench-kernels: all ## measure every operation against NumPy (QUICK=1: small sizes; ONLY=add,sum,figures)
	$(PYTHON) scripts/bench kernels --build $(BUILD) $(if $(QUICK),--quick) $(if $(ONLY),--only $(ONLY))

.PHONY: bench-python
bench-python: all ## measure what Python programs pay, against NumPy in process (QUICK=1: within ten seconds)
	$(PYTHON) scripts/bench python --build $(BUILD) $(if $(QUICK),--quick)

.PHONY: bench-fairness
bench-fairness: all ## measure what a user at its quota costs another one, as root (QUICK=1: a minute; ONLY=attack,attack)
	$(PYTHON) scripts/bench fairness --build $(BUILD) $(if $(QUICK),--quick) $(if $(ONLY),--only '$(ONLY)')
