# The benchmark's C clients. Needs CC, CFLAGS (with -O2) and BUILD; `bench-clients` builds them all.

BENCH_C := scripts/bench/ways_c
BENCH_FLAGS := -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes \
	-Wmissing-prototypes -I. -pthread
BENCH_SHARED := $(BENCH_C)/main.c $(BENCH_C)/timing.c $(BENCH_C)/cases.c
BENCH_CLIENTS := $(addprefix $(BUILD)/bench/,bench-floors bench-direct bench-numd)

.PHONY: bench-clients
bench-clients: $(BENCH_CLIENTS)

$(BENCH_CLIENTS): $(BENCH_SHARED) $(BENCH_C)/bench.h scripts/bench/bench.mk | $(BUILD)/bench
$(BUILD)/bench:
	mkdir -p $@

$(BUILD)/bench/bench-floors: $(BENCH_C)/floors.c
	$(CC) $(BENCH_FLAGS) $(CFLAGS) -o $@ $(BENCH_SHARED) $<

$(BUILD)/bench/bench-direct: $(BENCH_C)/direct.c server/engine.h $(BUILD)/libnumd-engine.so
	$(CC) $(BENCH_FLAGS) $(CFLAGS) -o $@ $(BENCH_SHARED) $< -L$(BUILD) -lnumd-engine '-Wl,-rpath,$$ORIGIN/..'

$(BUILD)/bench/bench-numd: $(BENCH_C)/numd.c client/numd.h $(BUILD)/libnumd.so
	$(CC) $(BENCH_FLAGS) $(CFLAGS) -o $@ $(BENCH_SHARED) $< -L$(BUILD) -lnumd '-Wl,-rpath,$$ORIGIN/..'

.PHONY: bench-kernels
bench-kernels: all ## measure every operation against NumPy (QUICK=1: small sizes; ONLY=add,sum,figures)
	$(PYTHON) scripts/bench/kernels.py --build $(BUILD) $(if $(QUICK),--quick) $(if $(ONLY),--only $(ONLY))

.PHONY: bench-python
bench-python: all ## measure what Python programs pay, against NumPy in process (QUICK=1: within ten seconds)
	$(PYTHON) scripts/bench/python_figures.py --build $(BUILD) $(if $(QUICK),--quick)
