/* SPDX-License-Identifier: BSD-3-Clause */
#include "protocol/list.h"

#include <stdalign.h>
#include <string.h>

#include "protocol/dtype_lists.h"
#include "shared/text.h"

const struct numd_op_info op_rows[NUMD_OP_CODES] = {
#define X(number, NAME, opname, opclass, inputs, outputs, opkinds, op_typing, opparams, op_ulp, opfast, \
          opdoc)                                                                                        \
  [number] = {.name = #opname,                                                                          \
              .op_class = NUMD_CLASS_##opclass,                                                         \
              .n_in = (inputs),                                                                         \
              .n_out = NUMD_OUTPUTS_COUNT(outputs),                                                     \
              .roomy = NUMD_OUTPUTS_ROOMY(outputs),                                                     \
              .kinds = (opkinds),                                                                       \
              .typing = NUMD_TYPING_##op_typing,                                                        \
              .params = (opparams),                                                                     \
              .ulp = (op_ulp),                                                                          \
              .fast = NUMD_FAST_##opfast,                                                               \
              .doc = (opdoc)},
    NUMD_OP_LIST(X)
#undef X
};

const struct numd_param_info param_rows[NUMD_N_PARAMS] = {
#define X(bit, NAME, pname, ptype, pdoc) [bit] = {.name = #pname, .doc = (pdoc), .type = NUMD_TYPE_##ptype},
    NUMD_PARAM_LIST(X)
#undef X
};

const struct numd_dtype_info dtype_rows[NUMD_DTYPE_CODES] = {
#define X(number, NAME, dname, ctype, dkind, dchar) \
  [number] = {                                      \
      .name = #dname, .size = sizeof(ctype), .align = alignof(ctype), .kind = (dkind), .npchar = (dchar)},
    NUMD_DTYPE_LIST(X)
#undef X
};

/* The lists of dtype_lists.h have the rows of NUMD_DTYPE_LIST, each in the list of its kind. */
#define X(number, NAME, dname, ctype, dkind, dchar) \
  typedef ctype type_##NAME;                        \
  enum { kind_##NAME = dkind };
NUMD_DTYPE_LIST(X)
#undef X
#define ASSERT_ROW(NAME, T, kind, parts)                                                           \
  _Static_assert(kind_##NAME == (kind), #NAME " is of another kind");                              \
  _Static_assert(sizeof(type_##NAME) == (parts) * sizeof(T) && alignof(type_##NAME) == alignof(T), \
                 #NAME " has another type");
DTYPE_BOOLS(ASSERT_ROW, 'b', 1)
DTYPE_SIGNED_INTS(ASSERT_ROW, 'i', 1)
DTYPE_UNSIGNED_INTS(ASSERT_ROW, 'u', 1)
DTYPE_REALS(ASSERT_ROW, 'f', 1)
DTYPE_COMPLEXES(ASSERT_ROW, 'c', 2)
#undef ASSERT_ROW
#define COUNT_ROW(...) +1
enum {
  n_dtypes = 0 NUMD_DTYPE_LIST(COUNT_ROW),
  n_by_kind =
      0 DTYPE_BOOLS(COUNT_ROW) DTYPE_INTS(COUNT_ROW) DTYPE_REALS(COUNT_ROW) DTYPE_COMPLEXES(COUNT_ROW),
};
_Static_assert(n_dtypes == n_by_kind, "a dtype is in no list of its kind");
#undef COUNT_ROW

const struct numd_word class_words[NUMD_N_CLASSES] = {
#define X(NAME, sentence) {#NAME, sentence, ""},
    NUMD_OP_CLASS_LIST(X)
#undef X
};

const struct numd_word typing_words[NUMD_N_TYPINGS] = {
#define X(NAME, sentence, note) {#NAME, sentence, note},
    NUMD_OP_TYPING_LIST(X)
#undef X
};

const struct numd_word fast_words[NUMD_N_FASTS] = {
#define X(NAME, sentence) {#NAME, sentence, ""},
    NUMD_FAST_LIST(X)
#undef X
};

const struct numd_word param_type_words[NUMD_N_PARAM_TYPES] = {
#define X(NAME, wanted, python) {#NAME, wanted, python},
    NUMD_PARAM_TYPE_LIST(X)
#undef X
};

static const struct {
  int number;
  const char *name;
  const char *message;
} status_rows[] = {
#define X(number, name, message) {number, #name, message},
    NUMD_STATUS_LIST(X)
#undef X
};

#define N_STATUSES (sizeof(status_rows) / sizeof(status_rows[0]))

int op_find(const char *name, size_t len) {
  for (int i = 0; i < NUMD_OP_CODES; i++)
    if (text_is(name, len, op_rows[i].name))
      return i;
  return -1;
}

int dtype_find(const char *name, size_t len) {
  for (int i = 0; i < NUMD_DTYPE_CODES; i++)
    if (text_is(name, len, dtype_rows[i].name))
      return i;
  return -1;
}

const char *status_name(int status) {
  for (size_t i = 0; i < N_STATUSES; i++)
    if (status_rows[i].number == status)
      return status_rows[i].name;
  return "?";
}

const char *status_message(int status) {
  for (size_t i = 0; i < N_STATUSES; i++)
    if (status_rows[i].number == status)
      return status_rows[i].message;
  return "unknown status";
}

static int kind_rank(char kind) {
  return kind == 'b' ? 0 : kind == 'u' ? 1 : kind == 'i' ? 2 : kind == 'f' ? 3 : 4;
}

/* The dtype of a kind with at least `size` bytes an item; NUMD_DTYPE_NONE if there is none. */
static numd_dtype dtype_of(char kind, int size) {
  numd_dtype best = NUMD_DTYPE_NONE;
  for (int i = 0; i < NUMD_DTYPE_CODES; i++)
    if (dtype_rows[i].name && dtype_rows[i].kind == kind && dtype_rows[i].size >= size &&
        (best == NUMD_DTYPE_NONE || dtype_rows[i].size < dtype_rows[best].size))
      best = (numd_dtype)i;
  return best;
}

/* The smallest size of a float that takes every value of an integer dtype, as NumPy counts it. */
static int float_size_for(const struct numd_dtype_info *d) {
  if (d->kind == 'f')
    return d->size;
  if (d->kind == 'c')
    return d->size / 2;
  return d->kind == 'b' || d->size == 1 ? 2 : d->size == 2 ? 4 : 8;
}

static numd_dtype promote_strong(numd_dtype a, numd_dtype b) {
  const struct numd_dtype_info *x = &dtype_rows[a], *y = &dtype_rows[b];
  if (kind_rank(x->kind) > kind_rank(y->kind))
    return promote_strong(b, a);
  if (x->kind == y->kind)
    return x->size >= y->size ? a : b;
  if (x->kind == 'b')
    return b;
  if (y->kind == 'i') /* unsigned with signed: the next signed size that holds both */
    return x->size < y->size ? b : x->size == 8 ? dtype_of('f', 8) : dtype_of('i', 2 * x->size);
  int need = float_size_for(x), have = float_size_for(y);
  int size = need > have ? need : have;
  if (size < 4)
    size = 4;
  return y->kind == 'c' ? dtype_of('c', 2 * size) : dtype_of('f', size);
}

numd_dtype dtype_promote(numd_dtype a, bool a_weak, numd_dtype b, bool b_weak) {
  if (a_weak == b_weak)
    return promote_strong(a, b);
  numd_dtype strong = a_weak ? b : a, weak = a_weak ? a : b;
  char sk = dtype_rows[strong].kind, wk = dtype_rows[weak].kind;
  if (wk == 'b' || sk == 'c' || kind_rank(sk == 'u' ? 'i' : sk) >= kind_rank(wk))
    return strong;
  if (wk == 'c' && sk == 'f')
    return dtype_of('c', 2 * dtype_rows[strong].size);
  if (wk == 'i' && sk == 'u')
    return strong;
  return weak; /* bool with int, anything discrete with float: the default dtype of that kind */
}

bool dtype_can_cast(numd_dtype from, numd_dtype to) {
  char f = dtype_rows[from].kind, t = dtype_rows[to].kind;
  return kind_rank(f == 'u' ? 'i' : f) <= kind_rank(t == 'u' ? 'i' : t) && !(f == 'i' && t == 'u');
}

numd_dtype dtype_part(numd_dtype dtype) {
  return dtype == NUMD_COMPLEX64 ? NUMD_FLOAT32 : dtype == NUMD_COMPLEX128 ? NUMD_FLOAT64 : dtype;
}

bool op_takes(numd_op op, numd_dtype dtype) {
  return strchr(op_rows[op].kinds, dtype_rows[dtype].kind) != NULL;
}

numd_dtype op_map_result(numd_op op, numd_dtype dtype) {
  switch (op_rows[op].typing) {
    case NUMD_TYPING_COMPARE:
    case NUMD_TYPING_LOGICAL:
      return NUMD_BOOL;
    case NUMD_TYPING_PART:
      return dtype_part(dtype);
    default:
      return dtype;
  }
}
