# The benchmark's C clients and Python modules. Needs CC, CFLAGS (with -O2), PYTHON and BUILD; `bench-clients` builds
# them all.

BENCH_C := scripts/bench/ways_c
BENCH_FLAGS := -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes \
	-Wmissing-prototypes -I. -pthread
BENCH_SHARED := $(BENCH_C)/main.c $(BENCH_C)/timing.c $(BENCH_C)/cases.c
BENCH_CLIENTS := $(addprefix $(BUILD)/bench/,bench-floors bench-direct bench-numd)

# Python modules that are made of C, and the library that cffi opens. What needs Cython or cffi is built where they are.
BENCH_SUFFIX := $(shell $(PYTHON) -c 'import sysconfig; print(sysconfig.get_config_var("EXT_SUFFIX"))' 2>/dev/null)
BENCH_MODULES := $(addprefix $(BUILD)/bench/,_bench_extension$(BENCH_SUFFIX) libbench-loops.so loops.cdef \
	$(if $(shell command -v cython3),_bench_cython$(BENCH_SUFFIX)) \
	$(if $(shell $(PYTHON) -c 'import cffi; print(1)' 2>/dev/null),_bench_cffi$(BENCH_SUFFIX)))

.PHONY: bench-clients
bench-clients: $(BENCH_CLIENTS) $(BENCH_MODULES)

$(BENCH_CLIENTS): $(BENCH_SHARED) $(BENCH_C)/bench.h scripts/bench/bench.mk | $(BUILD)/bench
$(BUILD)/bench:
	mkdir -p $@

$(BUILD)/bench/bench-floors: $(BENCH_C)/floors.c
	$(CC) $(BENCH_FLAGS) $(CFLAGS) -o $@ $(BENCH_SHARED) $<

$(BUILD)/bench/bench-direct: $(BENCH_C)/direct.c server/engine.h $(BUILD)/libnumd-engine.so
	$(CC) $(BENCH_FLAGS) $(CFLAGS) -o $@ $(BENCH_SHARED) $< -L$(BUILD) -lnumd-engine '-Wl,-rpath,$$ORIGIN/..'

$(BUILD)/bench/bench-numd: $(BENCH_C)/numd.c client/numd.h $(BUILD)/libnumd.so
	$(CC) $(BENCH_FLAGS) $(CFLAGS) -o $@ $(BENCH_SHARED) $< -L$(BUILD) -lnumd '-Wl,-rpath,$$ORIGIN/..'

BENCH_PYTHON = $(shell $(PYTHON) -c 'import numpy, sysconfig; \
	print("-isystem", sysconfig.get_paths()["include"], "-isystem", numpy.get_include())')
BENCH_MODULE_FLAGS := -O3 -fPIC -shared -I.

$(BENCH_MODULES): scripts/bench/bench.mk | $(BUILD)/bench

$(BUILD)/bench/loops.cdef: $(BENCH_C)/loops.h
	grep '^[a-z].*;$$' $< > $@

$(BUILD)/bench/libbench-loops.so: $(BENCH_C)/loops.c $(BENCH_C)/loops.h
	$(CC) $(BENCH_FLAGS) $(CFLAGS) $(BENCH_MODULE_FLAGS) -o $@ $< -lm

$(BUILD)/bench/_bench_extension$(BENCH_SUFFIX): $(BENCH_C)/extension.c $(BENCH_C)/loops.c $(BENCH_C)/loops.h
	$(CC) $(BENCH_FLAGS) $(CFLAGS) $(BENCH_MODULE_FLAGS) $(BENCH_PYTHON) -o $@ \
		$(BENCH_C)/extension.c $(BENCH_C)/loops.c -lm

$(BUILD)/bench/_bench_cython$(BENCH_SUFFIX): $(BENCH_C)/typed.pyx
	cython3 -3 --module-name _bench_cython -o $(BUILD)/bench/_bench_cython.c $<
	$(CC) $(CFLAGS) $(BENCH_MODULE_FLAGS) -pthread -w $(BENCH_PYTHON) -o $@ $(BUILD)/bench/_bench_cython.c -lm

$(BUILD)/bench/_bench_cffi$(BENCH_SUFFIX): $(BENCH_C)/cffi_glue.py $(BENCH_C)/loops.c $(BUILD)/bench/loops.cdef
	$(PYTHON) $< _bench_cffi $(BUILD)/bench/loops.cdef $(BUILD)/bench/_bench_cffi.c
	$(CC) $(CFLAGS) $(BENCH_MODULE_FLAGS) -pthread -w $(BENCH_PYTHON) -o $@ \
		$(BUILD)/bench/_bench_cffi.c $(BENCH_C)/loops.c -lm

.PHONY: bench-kernels
bench-kernels: all ## measure every operation against NumPy (QUICK=1: small sizes; ONLY=add,sum,figures)
	$(PYTHON) scripts/bench/kernels.py --build $(BUILD) $(if $(QUICK),--quick) $(if $(ONLY),--only $(ONLY))

.PHONY: bench-python
bench-python: all ## measure what Python programs pay, against NumPy in process (QUICK=1: within ten seconds)
	$(PYTHON) scripts/bench/python_figures.py --build $(BUILD) $(if $(QUICK),--quick)

.PHONY: bench-fairness
bench-fairness: all ## measure what a user at its quota costs another one, as root (QUICK=1: within ten seconds)
	$(PYTHON) scripts/bench/fairness.py --build $(BUILD) $(if $(QUICK),--quick)
