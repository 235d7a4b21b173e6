# SPDX-License-Identifier: BSD-3-Clause
# How build/libkernels.a is made. Wants CC, CFLAGS and BUILD; gives KERNEL_OBJS, KERNEL_LIBS and the rules.
#
# KERNEL_SANITIZE may hold more flags; KERNEL_OPTIMIZE is the level where it need not be fast (scripts/coverage).
#
# A file that ends in .isa.c is compiled once for each instruction set, every other one once. -ffp-contract=off: a product
# and a sum are rounded each, on every instruction set. The -mno-... switch off what kernels.c does not check for.

KERNEL_DIR := server/kernels
KERNEL_SOURCES := $(wildcard $(KERNEL_DIR)/*.c $(KERNEL_DIR)/*/*.c)
KERNEL_FAMILIES := $(patsubst %.isa.c,%,$(filter %.isa.c,$(KERNEL_SOURCES)))
KERNEL_COMMON := $(patsubst %.c,%,$(filter-out %.isa.c,$(KERNEL_SOURCES)))
KERNEL_ISAS := c
ifneq (,$(filter x86_64-%,$(shell $(CC) -dumpmachine)))
KERNEL_ISAS += v3 v4
endif

KERNEL_OPTIMIZE ?= -O3
KERNEL_CFLAGS := $(KERNEL_OPTIMIZE) -fPIC -I. -fno-math-errno -fno-trapping-math -ffp-contract=off $(KERNEL_SANITIZE)
# The fallback: quicker to compile, and every loop that matters on a CPU of today has a better build.
KERNEL_CFLAGS_c := $(KERNEL_OPTIMIZE:-O3=-O2)
KERNEL_CFLAGS_v3 := -march=x86-64-v3 -mno-cx16 -mno-sahf -mno-movbe -mno-lzcnt -mno-f16c
# Not -mno-f16c: to clang that means no AVX-512 either.
KERNEL_CFLAGS_v4 := -march=x86-64-v4 -mno-cx16 -mno-sahf -mno-movbe -mno-lzcnt -mprefer-vector-width=512
# The 64-bit multiplication of AVX512DQ was measured to be slower than three of 32 bits.
KERNEL_CFLAGS_elementwise/map_int.v4 := -mno-avx512dq
KERNEL_CFLAGS_elementwise/power_int.v4 := -mno-avx512dq
KERNEL_CFLAGS_linalg/matmul_loops.v4 := -mno-avx512dq
KERNEL_BLAS_CFLAGS := $(shell pkg-config --cflags openblas)
# SLEEF is wanted only where libmvec, which comes with -lm, is not complete (see math_vector.h).
KERNEL_LIBS := -Wl,--as-needed $(shell pkg-config --libs sleef) -Wl,--no-as-needed \
	$(shell pkg-config --libs lapacke openblas) -lm

KERNEL_OBJS := $(KERNEL_COMMON:%=$(BUILD)/%.o) $(foreach isa,$(KERNEL_ISAS),$(KERNEL_FAMILIES:%=$(BUILD)/%.$(isa).o))

define KERNEL_ISA_RULE
$(BUILD)/$(KERNEL_DIR)/%.$(1).o: $(KERNEL_DIR)/%.isa.c
	@mkdir -p $$(@D)
	$$(CC) $$(CPPFLAGS) $$(CFLAGS) $$(KERNEL_CFLAGS) $$(KERNEL_CFLAGS_$(1)) $$(KERNEL_CFLAGS_$$*.$(1)) \
	  -DKERNEL_ISA=$(1) -MMD -MP -c $$< -o $$@
endef
$(foreach isa,$(KERNEL_ISAS),$(eval $(call KERNEL_ISA_RULE,$(isa))))

$(KERNEL_COMMON:%=$(BUILD)/%.o): $(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(KERNEL_CFLAGS) $(KERNEL_BLAS_CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/libkernels.a: $(KERNEL_OBJS)
	rm -f $@
	$(AR) rcs $@ $^

-include $(KERNEL_OBJS:.o=.d)
