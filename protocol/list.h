/* SPDX-License-Identifier: BSD-3-Clause */
/* Tables made from the lists of statuses, dtypes and operations: what each is called, and the facts in its
 * row. The row of a number that nothing has is all zeros: its name is NULL. */
#ifndef NUMD_PROTOCOL_LIST_H
#define NUMD_PROTOCOL_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/dtype.h"
#include "protocol/op.h"
#include "protocol/status.h"

extern const struct numd_op_info op_rows[NUMD_OP_CODES];
extern const struct numd_param_info param_rows[NUMD_N_PARAMS];
extern const struct numd_dtype_info dtype_rows[NUMD_DTYPE_CODES];

/* The words and sentences of the lists in op.h, by their numbers. */
extern const struct numd_word class_words[NUMD_N_CLASSES];
extern const struct numd_word typing_words[NUMD_N_TYPINGS];
extern const struct numd_word fast_words[NUMD_N_FASTS];
extern const struct numd_word param_type_words[NUMD_N_PARAM_TYPES];

static inline bool dtype_known(unsigned dtype) {
  return dtype < NUMD_DTYPE_CODES && dtype_rows[dtype].name != NULL;
}

static inline bool op_known(unsigned op) {
  return op < NUMD_OP_CODES && op_rows[op].name != NULL;
}

/* The operation or dtype with a name of `len` bytes; -1 if there is none. */
int op_find(const char *name, size_t len);
int dtype_find(const char *name, size_t len);

/* The constant's name ("ESEGMENT") and its message; "?" and "unknown status" for an unknown one. */
const char *status_name(int status);
const char *status_message(int status);

/* The dtype to which two promote, as the array API standard and NumPy 2 have it. A weak dtype is that of a
 * Python scalar: beside a dtype that is not weak, only its kind counts. */
numd_dtype dtype_promote(numd_dtype a, bool a_weak, numd_dtype b, bool b_weak);

/* The dtype of the real and imaginary part; a real dtype itself. */
numd_dtype dtype_part(numd_dtype dtype);

/* Whether the operation takes inputs that promote to `dtype`. */
bool op_takes(numd_op op, numd_dtype dtype);

/* The dtype that an elementwise operation gives when it computes in `dtype`: the same, bool, or the dtype of
 * the real part. */
numd_dtype op_map_result(numd_op op, numd_dtype dtype);

/* NumPy's "same_kind" rule: whether `from` may be stored in `to` without asking. */
bool dtype_can_cast(numd_dtype from, numd_dtype to);

#endif
