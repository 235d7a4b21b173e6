/* SPDX-License-Identifier: BSD-3-Clause */
/* Which instruction set's kernels are used, and looking kernels up in its table. */
#include "server/kernels/kernels.h"

#include <errno.h>
#include <string.h>

#include "server/kernels/scan_loops.h"
#include "server/kernels/table.h"

static bool has_baseline(void) {
  return true;
}

#ifdef __x86_64__
/* What the flags in kernels.mk let the compiler use, feature by feature: clang 14 does not know the
 * levels by name here, and a hypervisor may hide any of them. */
static bool has_v3(void) {
  return __builtin_cpu_supports("sse3") && __builtin_cpu_supports("ssse3") &&
         __builtin_cpu_supports("sse4.1") && __builtin_cpu_supports("sse4.2") &&
         __builtin_cpu_supports("popcnt") && __builtin_cpu_supports("avx") &&
         __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
         __builtin_cpu_supports("bmi2");
}

static bool has_v4(void) {
  return has_v3() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vl");
}

/* X(name of the instruction set, its table's suffix, whether this CPU has it), worst first */
#define VARIANT_LIST(X) X("c", c, has_baseline) X("v3", v3, has_v3) X("v4", v4, has_v4)
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
  const struct kernels_table *table = kernels_table();
  for (int i = 0; table->maps[i]; i++)
    if (table->maps[i][op][dtype])
      return table->maps[i][op][dtype];
  return NULL;
}

kernel_map_fn kernel_cast(numd_dtype from, numd_dtype to) {
  if (!dtype_known(from) || !dtype_known(to))
    return NULL;
  return from == to ? kernel_map(NUMD_OP_COPY, to) : kernels_table()->cast[from][to];
}

int kernel_flags_status(unsigned flags) {
  static const struct {
    unsigned flag;
    int status;
  } statuses[] = {
      {KERNEL_NEGATIVE_POWER, NUMD_EDOMAIN}, {KERNEL_INDEX, NUMD_EINDEX},
      {KERNEL_SINGULAR, NUMD_ESINGULAR},     {KERNEL_DEFINITE, NUMD_EDEFINITE},
      {KERNEL_CONVERGE, NUMD_ECONVERGE},     {KERNEL_VALUE, NUMD_EDOMAIN},
  };
  for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
    if (flags & statuses[i].flag)
      return statuses[i].status;
  return 0;
}

void kernel_nontemporal_copy(int64_t n, int size, const char *from, char *to) {
  kernels_table()->nontemporal_copy((size_t)n * (size_t)size, from, to);
}

void kernel_transpose_copy(int item, int64_t rows, int64_t cols, const char *from, int64_t from_step,
                           char *to, int64_t to_step) {
  kernels_table()->transpose_copy(item, rows, cols, from, from_step, to, to_step);
}

/* What a reduction is beside its loop. */
static const struct {
  uint8_t combine;
  bool has_identity;
  uint8_t identity;
} reductions[NUMD_OP_CODES] = {
    [NUMD_OP_SUM] = {NUMD_OP_ADD, true, 0},           [NUMD_OP_PROD] = {NUMD_OP_MULTIPLY, true, 1},
    [NUMD_OP_MAX] = {NUMD_OP_MAXIMUM, false, 0},      [NUMD_OP_MIN] = {NUMD_OP_MINIMUM, false, 0},
    [NUMD_OP_ANY] = {NUMD_OP_MAXIMUM, true, 0},       [NUMD_OP_ALL] = {NUMD_OP_MINIMUM, true, 1},
    [NUMD_OP_COUNT_NONZERO] = {NUMD_OP_ADD, true, 0},
};

static numd_dtype accumulator(numd_op op, numd_dtype in) {
  switch (op) {
    case NUMD_OP_COUNT_NONZERO:
      return NUMD_INT64;
    case NUMD_OP_ANY:
    case NUMD_OP_ALL:
      return NUMD_BOOL;
    case NUMD_OP_SUM:
    case NUMD_OP_PROD:
      switch (dtype_rows[in].kind) {
        case 'u':
          return NUMD_UINT64;
        case 'f':
          return NUMD_FLOAT64;
        case 'c':
          return NUMD_COMPLEX128;
        default:
          return NUMD_INT64;
      }
    default:
      return in;
  }
}

kernel_reduce_fn kernel_reduce(numd_op op, numd_dtype in, numd_dtype *acc) {
  if (!op_known(op) || !dtype_known(in) || !reductions[op].combine)
    return NULL;
  *acc = accumulator(op, in);
  const struct kernels_table *table = kernels_table();
  return table->reduce[0][op][in] ? table->reduce[0][op][in] : table->reduce[1][op][in];
}

kernel_rows_fn kernel_reduce_rows(numd_op op, numd_dtype in) {
  return op_known(op) && dtype_known(in) ? kernels_table()->rows[op][in] : NULL;
}

const struct scan_loops *kernel_scan_loops(void) {
  return kernels_table()->scan;
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

/* Picoseconds an item, contiguous and in L1, with the v4 loops on a Xeon of 2023: of integers (and bool) of
 * at most 16 bits, of 32 and 64; of reals; of complex numbers. 0: the usual one. */
enum cost_class { NARROW, WHOLE32, WHOLE64, REAL32, REAL64, COMPLEX32, COMPLEX64, N_COST_CLASSES };

typedef uint16_t cost_row[N_COST_CLASSES];

static const cost_row usual_cost = {50, 100, 200, 100, 200, 200, 500};
static const cost_row usual_math_cost = {0, 0, 0, 2000, 4000, 10000, 20000};

static const cost_row costs[NUMD_OP_CODES] = {
    [NUMD_OP_MULTIPLY] = {60, 100, 480, 100, 170, 340, 890},
    [NUMD_OP_DIVIDE] = {0, 0, 0, 290, 880, 1700, 5300},
    [NUMD_OP_FLOOR_DIVIDE] = {500, 1400, 2200, 1200, 3200, 0, 0},
    [NUMD_OP_REMAINDER] = {600, 1400, 2900, 1000, 1900, 0, 0},
    [NUMD_OP_SIGN] = {60, 100, 250, 180, 370, 3400, 3500},
    [NUMD_OP_SQUARE] = {60, 100, 320, 90, 170, 200, 480},
    [NUMD_OP_RECIPROCAL] = {0, 0, 0, 300, 960, 1500, 4800},
    [NUMD_OP_SQRT] = {0, 0, 0, 360, 1430, 10000, 20000},
    [NUMD_OP_ABS] = {40, 90, 180, 90, 180, 2000, 4000},
    [NUMD_OP_NEXTAFTER] = {0, 0, 0, 260, 460, 0, 0},
    [NUMD_OP_CLIP] = {60, 130, 260, 300, 590, 0, 0},
    [NUMD_OP_BITWISE_LEFT_SHIFT] = {200, 120, 230, 0, 0, 0, 0},
    [NUMD_OP_BITWISE_RIGHT_SHIFT] = {200, 120, 230, 0, 0, 0, 0},
    [NUMD_OP_POW] = {800, 1000, 2300, 7600, 10400, 20000, 40000},
    [NUMD_OP_EXP] = {0, 0, 0, 600, 1800, 0, 0},
    [NUMD_OP_LOG] = {0, 0, 0, 1150, 2800, 0, 0},
    [NUMD_OP_SIN] = {0, 0, 0, 1200, 4500, 0, 0},
    [NUMD_OP_COS] = {0, 0, 0, 1500, 5000, 0, 0},
    [NUMD_OP_TANH] = {0, 0, 0, 5200, 9000, 0, 0},
    [NUMD_OP_PROD] = {380, 380, 380, 130, 130, 500, 500},
    [NUMD_OP_MAX] = {100, 130, 250, 190, 350, 0, 0},
    [NUMD_OP_MIN] = {100, 130, 250, 190, 350, 0, 0},
};

static enum cost_class cost_class(const struct numd_dtype_info *row) {
  switch (row->kind) {
    case 'f':
      return row->size == 4 ? REAL32 : REAL64;
    case 'c':
      return row->size == 8 ? COMPLEX32 : COMPLEX64;
    default:
      return row->size == 8 ? WHOLE64 : row->size == 4 ? WHOLE32 : NARROW;
  }
}

unsigned kernel_cost_ps(numd_op op, numd_dtype dtype) {
  if (!op_known(op) || !dtype_known(dtype))
    return 0;
  const enum cost_class class = cost_class(&dtype_rows[dtype]);
  const bool math = op_rows[op].fast == NUMD_FAST_MATH;
  if (costs[op][class])
    return costs[op][class];
  return math && usual_math_cost[class] ? usual_math_cost[class] : usual_cost[class];
}
