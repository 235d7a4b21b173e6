/* SPDX-License-Identifier: BSD-3-Clause */
/* Array kernels: operations that want whole arrays in memory (sorting, scans, selection, factorisations).
 *
 * Such a kernel works in phases, one after another, each of a number of units that depends on shapes alone.
 * Units of a phase may run in any order, on any threads, at the same time; the next phase starts when all
 * have ended, and none of them raised a flag: that ends the run. So results do not depend on the number of
 * cores as long as a unit's work does not.
 *
 * Inputs are read with their strides; they may change while they are read (others share that memory), so what
 * decides an address or a loop bound is read once, into private memory, and checked there. Outputs are in
 * C order, aligned to their items, and overlap no input; but the first output of a kernel with `in_place` may
 * be exactly its first input.
 *
 * A kernel is a row of the table in array.c. It allocates nothing: `plan` says how much scratch it needs.
 * Scratch memory is aligned to 64 bytes and holds rubbish. */
#ifndef NUMD_SERVER_KERNELS_ARRAY_H
#define NUMD_SERVER_KERNELS_ARRAY_H

#include <stdbool.h>

#include "protocol/op_params.h"
#include "server/kernels/kernels.h"
#include "shared/errtext.h"

#define ARRAY_PHASES 64 /* at most */
#define ARRAY_OWN_BYTES 128

/* One operation on arrays of known layout. */
struct array_job {
  uint8_t op;
  uint8_t dtype; /* what it computes in: to this its inputs were converted, but for index and mask inputs */
  int n_in, n_out;
  struct op_params params;
  struct layout in[NUMD_OP_MAX_IN];
  /* Set by the kernel's `plan`: */
  struct layout out[NUMD_OP_MAX_OUT]; /* dtype, ndim, shape; strides are filled in afterwards */
  int n_phases;
  int64_t n_units[ARRAY_PHASES];
  int64_t shared_bytes;                  /* scratch of a run, for all phases */
  int64_t task_bytes;                    /* scratch of a unit while it runs */
  uint64_t cost_ns;                      /* rough, on one core */
  _Alignas(8) char own[ARRAY_OWN_BYTES]; /* a struct of the kernel's: see ARRAY_OWN */
};

/* What a kernel's `plan` keeps in the job for its `run` is a struct of its own, `struct name`: this defines
 * name_in(job), where `plan` fills it in, and name_of(job), where `run` reads it. */
#define ARRAY_OWN(name)                                                     \
  _Static_assert(sizeof(struct name) <= ARRAY_OWN_BYTES, "fits the job");   \
  _Static_assert(_Alignof(struct name) <= 8, "is aligned in the job");      \
  static inline struct name *name##_in(struct array_job *job) {             \
    return (struct name *)(void *)job->own;                                 \
  }                                                                         \
  static inline const struct name *name##_of(const struct array_job *job) { \
    return (const struct name *)(const void *)job->own;                     \
  }

/* One run: addresses, the element at index 0, 0, ... of each. */
struct array_run {
  const struct array_job *job;
  char *const *in;
  char *const *out;
  char *shared;
};

struct array_kernel {
  /* Checks shapes and parameters (statuses with a sentence: ESHAPE, EINVAL, EDOMAIN, ...), says what comes
   * out, and divides the work. Dtypes are those that the row of the list allows. */
  int (*plan)(struct array_job *job, struct errtext *err);
  /* Runs one unit; KERNEL_* flags. `task` is the unit's own scratch. */
  unsigned (*run)(const struct array_run *run, int phase, int64_t unit, char *task);
  bool in_place;
};

/* NULL: the operation has no array kernel. */
const struct array_kernel *kernel_array(numd_op op);

/* The axis that was given, made positive (default_axis, which may be negative too, if absent); ESHAPE, with a
 * sentence about operation `name`. */
int array_axis_of(const char *name, const struct op_params *params, int ndim, int default_axis, int *axis,
                  struct errtext *err);
/* The same for `plan`. */
int array_axis(const struct array_job *job, int ndim, int default_axis, int *axis, struct errtext *err);
/* The text of a shape, as (2, 3). */
const char *array_shape_text(const struct layout *a, char buf[96]);

#endif
