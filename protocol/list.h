/* Tables made from the three lists: what a status, dtype or operation is called, and the facts in
 * its row. Looking a number up never fails: an unknown number gives NULL or 0. */
#ifndef NUMD_PROTOCOL_LIST_H
#define NUMD_PROTOCOL_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/dtype.h"
#include "protocol/op.h"
#include "protocol/status.h"

enum op_class { OP_MAP = 1, OP_REDUCE, OP_SCAN, OP_PRODUCT, OP_VIEW, OP_MOVE, OP_ORDER, OP_MAKE, OP_LINALG };

enum op_typing {
  TYPING_ANY,
  TYPING_FLOAT,
  TYPING_QUOTIENT,
  TYPING_COMPARE,
  TYPING_PART,
  TYPING_SELECT,
  TYPING_ASTYPE,
  TYPING_SUM,
  TYPING_LOGICAL,
  TYPING_MEAN,
  TYPING_INDEX,
  TYPING_GATHER,
  TYPING_GIVEN,
  TYPING_OWN,
};

struct op_row {
  const char *name; /* NULL: no operation has this number */
  const char *class_name;
  const char *kinds; /* of dtypes that the inputs may promote to */
  const char *typing_name;
  const char *fast; /* a sentence */
  const char *doc;
  uint32_t params; /* NUMD_PARAM_* that it takes */
  float ulp;
  uint8_t class;  /* enum op_class */
  uint8_t typing; /* enum op_typing */
  int8_t n_in;    /* -1: any number up to NUMD_OP_MAX_IN */
  uint8_t n_out;
};

enum param_type {
  PARAM_MASK,
  PARAM_FLAG,
  PARAM_DTYPE,
  PARAM_AXIS,
  PARAM_N,
  PARAM_K,
  PARAM_REAL,
  PARAM_LIST0,
  PARAM_LIST1,
  PARAM_LIST2
};

/* The parameter of bit i; name NULL: there is none. */
struct param_row {
  const char *name;
  const char *doc;
  uint8_t type; /* enum param_type */
};

#define N_PARAMS 25

struct dtype_row {
  const char *name; /* NULL: no dtype has this number */
  uint8_t size;     /* bytes an item */
  uint8_t align;    /* bytes to which an item's address must be aligned */
  char kind;        /* 'b' 'i' 'u' 'f' 'c' */
  char npchar;
};

extern const struct op_row op_rows[NUMD_OP_CODES];
extern const struct param_row param_rows[N_PARAMS];
extern const struct dtype_row dtype_rows[NUMD_DTYPE_CODES];

static inline bool dtype_known(unsigned dtype) {
  return dtype < NUMD_DTYPE_CODES && dtype_rows[dtype].name != NULL;
}

static inline bool op_known(unsigned op) {
  return op < NUMD_OP_CODES && op_rows[op].name != NULL;
}

/* The number of a name of `len` bytes; -1 if nothing is called so. */
int op_find(const char *name, size_t len);
int dtype_find(const char *name, size_t len);

/* The constant's name ("ESEGMENT") and its message; "?" and "unknown status" for an unknown one. */
const char *status_name(int status);
const char *status_message(int status);

/* The dtype to which two promote, as the array API standard and NumPy 2 have it. A weak one is that
 * of a Python scalar: it counts by kind only, against a dtype that is not weak. */
numd_dtype dtype_promote(numd_dtype a, bool a_weak, numd_dtype b, bool b_weak);

/* The dtype of the real and imaginary part; a real dtype itself. */
numd_dtype dtype_part(numd_dtype dtype);

/* Whether the operation takes inputs that promote to `dtype`. */
bool op_takes(numd_op op, numd_dtype dtype);

/* What an elementwise operation gives that computes in `dtype`: itself, bool or its part. */
numd_dtype op_map_result(numd_op op, numd_dtype dtype);

/* NumPy's "same_kind" rule: whether `from` may be stored in `to` without asking. */
bool dtype_can_cast(numd_dtype from, numd_dtype to);

#endif
