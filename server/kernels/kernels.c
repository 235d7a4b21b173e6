/* Which instruction set's kernels are used, and looking kernels up in its table. */
#include "server/kernels/kernels.h"

#include <errno.h>
#include <string.h>

#include "server/kernels/table.h"

static bool has_baseline(void) {
  return true;
}

#ifdef __x86_64__
/* What the flags in kernels.mk let the compiler use, feature by feature: clang 14 does not know the
 * levels by name here, and a hypervisor may hide any of them. */
static bool has_v2(void) {
  return __builtin_cpu_supports("sse3") && __builtin_cpu_supports("ssse3") &&
         __builtin_cpu_supports("sse4.1") && __builtin_cpu_supports("sse4.2") &&
         __builtin_cpu_supports("popcnt");
}

static bool has_v3(void) {
  return has_v2() && __builtin_cpu_supports("avx") && __builtin_cpu_supports("avx2") &&
         __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
}

static bool has_v4(void) {
  return has_v3() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vl");
}

/* X(name of the instruction set, its table's suffix, whether this CPU has it), worst first */
#define VARIANT_LIST(X) X("c", c, has_baseline) X("v2", v2, has_v2) X("v3", v3, has_v3) X("v4", v4, has_v4)
#else
#define VARIANT_LIST(X) X("c", c, has_baseline)
#endif

static const struct {
  bool (*supported)(void);
  const struct kernels_table *table;
} variants[] = {
#define X(name, suffix, test) {test, &kernels_table_##suffix},
    VARIANT_LIST(X)
#undef X
};

#define N_VARIANTS ((int)(sizeof(variants) / sizeof(variants[0])))

const char *const kernels_isa_names[] = {
#define X(name, suffix, test) name,
    VARIANT_LIST(X)
#undef X
        NULL,
};

static int chosen; /* index in variants; plain C until kernels_init */

int kernels_init(const char *isa) {
  for (int i = N_VARIANTS - 1; i >= 0; i--) {
    if (isa && strcmp(isa, kernels_isa_names[i]) != 0)
      continue;
    if (variants[i].supported()) {
      chosen = i;
      return 0;
    }
  }
  return -ENOTSUP;
}

const char *kernels_isa(void) {
  return kernels_isa_names[chosen];
}

const struct kernels_table *kernels_table(void) {
  return variants[chosen].table;
}

kernel_map_fn kernel_map(numd_op op, numd_dtype dtype) {
  if (!op_known(op) || !dtype_known(dtype))
    return NULL;
  return kernels_table()->map[op][dtype];
}

kernel_map_fn kernel_cast(numd_dtype from, numd_dtype to) {
  if (!dtype_known(from) || !dtype_known(to))
    return NULL;
  return from == to ? kernel_map(NUMD_OP_COPY, to) : kernels_table()->cast[from][to];
}

/* What a reduction is beside its loop: a MEAN is a SUM as far as the kernels go. */
static const struct {
  uint8_t loop, combine;
  bool has_identity;
  uint8_t identity;
} reductions[NUMD_OP_CODES] = {
    [NUMD_OP_SUM] = {NUMD_OP_SUM, NUMD_OP_ADD, true, 0},
    [NUMD_OP_MEAN] = {NUMD_OP_SUM, NUMD_OP_ADD, true, 0},
    [NUMD_OP_PROD] = {NUMD_OP_PROD, NUMD_OP_MULTIPLY, true, 1},
    [NUMD_OP_MAX] = {NUMD_OP_MAX, NUMD_OP_MAXIMUM, false, 0},
    [NUMD_OP_MIN] = {NUMD_OP_MIN, NUMD_OP_MINIMUM, false, 0},
    [NUMD_OP_ANY] = {NUMD_OP_ANY, NUMD_OP_MAXIMUM, true, 0},
    [NUMD_OP_ALL] = {NUMD_OP_ALL, NUMD_OP_MINIMUM, true, 1},
};

kernel_reduce_fn kernel_reduce(numd_op op, numd_dtype acc_dtype) {
  if (!op_known(op) || !dtype_known(acc_dtype))
    return NULL;
  return kernels_table()->reduce[reductions[op].loop][acc_dtype];
}

numd_op kernel_reduce_combine(numd_op op) {
  return op_known(op) ? reductions[op].combine : 0;
}

int kernel_reduce_identity(numd_op op, numd_dtype acc_dtype, void *out) {
  if (!op_known(op) || !dtype_known(acc_dtype) || !reductions[op].has_identity)
    return 0;
  const uint8_t value = reductions[op].identity;
  char *const ptr[] = {(char *)&value, out};
  static const int64_t stride[] = {0, 0};
  kernel_cast(NUMD_BOOL, acc_dtype)(1, ptr, stride);
  return 1;
}

/* Picoseconds an item, contiguous and in L1, with the v3 loops on a Xeon of 2023. */
struct cost {
  uint16_t boolean, integer, float32, float64;
};

static const struct cost usual_cost = {50, 200, 90, 150};

static const struct cost costs[NUMD_OP_CODES] = {
    [NUMD_OP_DIVIDE] = {0, 0, 290, 830},   [NUMD_OP_SQRT] = {0, 0, 340, 1260},
    [NUMD_OP_EXP] = {0, 0, 1100, 2250},    [NUMD_OP_LOG] = {0, 0, 1600, 4350},
    [NUMD_OP_SIN] = {0, 0, 1200, 2950},    [NUMD_OP_COS] = {0, 0, 1300, 3250},
    [NUMD_OP_TANH] = {0, 0, 4400, 8600},   [NUMD_OP_POWER] = {0, 13000, 8000, 15400},
    [NUMD_OP_WHERE] = {70, 250, 140, 280}, [NUMD_OP_PROD] = {0, 380, 0, 130},
    [NUMD_OP_MAX] = {100, 250, 190, 350},  [NUMD_OP_MIN] = {100, 250, 190, 350},
    [NUMD_OP_ANY] = {100, 0, 0, 0},        [NUMD_OP_ALL] = {100, 0, 0, 0},
};

unsigned kernel_cost_ps(numd_op op, numd_dtype dtype) {
  if (!op_known(op) || !dtype_known(dtype))
    return 0;
  const struct cost *own = &costs[op], *usual = &usual_cost;
  if (dtype_rows[dtype].kind == 'b')
    return own->boolean ? own->boolean : usual->boolean;
  if (dtype_rows[dtype].kind != 'f')
    return own->integer ? own->integer : usual->integer;
  if (dtype_rows[dtype].size == 4)
    return own->float32 ? own->float32 : usual->float32;
  return own->float64 ? own->float64 : usual->float64;
}
