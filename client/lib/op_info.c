/* SPDX-License-Identifier: BSD-3-Clause */
/* The lists of operations and dtypes, as the library's users see them. */
#include "client/lib/op_info.h"

#include <string.h>

#include "client/lib/error.h"
#include "client/numd.h"

int op_refuse(numd_op op, int n_inputs) {
  if (!op_known(op))
    return error_set(NUMD_EOP, "no operation has the number %d", (int)op);
  if (op_rows[op].n_in < 0)
    return error_set(NUMD_EINVAL, "%s takes 1 to %d inputs, but %d were given", op_rows[op].name,
                     NUMD_OP_MAX_IN, n_inputs);
  return error_set(NUMD_EINVAL, "%s takes %d inputs, but %d were given", op_rows[op].name, op_rows[op].n_in,
                   n_inputs);
}

int numd_op_find(const char *name) {
  return op_find(name, strlen(name));
}

const char *numd_op_name(numd_op op) {
  return op_known(op) ? op_rows[op].name : NULL;
}

int numd_dtype_find(const char *name) {
  return dtype_find(name, strlen(name));
}

const char *numd_dtype_name(numd_dtype dtype) {
  return dtype_known(dtype) ? dtype_rows[dtype].name : NULL;
}

size_t numd_dtype_size(numd_dtype dtype) {
  return dtype_known(dtype) ? dtype_rows[dtype].size : 0;
}

numd_dtype numd_promote(numd_dtype a, int a_weak, numd_dtype b, int b_weak) {
  return dtype_known(a) && dtype_known(b) ? dtype_promote(a, a_weak != 0, b, b_weak != 0) : NUMD_DTYPE_NONE;
}

int numd_can_cast(numd_dtype from, numd_dtype to) {
  return dtype_known(from) && dtype_known(to) && dtype_can_cast(from, to);
}

int numd_op_n_arrays(numd_op op) {
  return op_known(op) ? op_n_arrays(op) : 0;
}

const struct numd_op_info *numd_op_info(numd_op op) {
  return op_known(op) ? &op_rows[op] : NULL;
}

const struct numd_param_info *numd_param_info(int bit) {
  return bit >= 0 && bit < NUMD_N_PARAMS ? &param_rows[bit] : NULL;
}

const struct numd_dtype_info *numd_dtype_info(numd_dtype dtype) {
  return dtype_known(dtype) ? &dtype_rows[dtype] : NULL;
}

const struct numd_word *numd_word(enum numd_word_list list, int i) {
  static const struct {
    const struct numd_word *words;
    int n;
  } lists[] = {[NUMD_WORDS_CLASS] = {class_words, NUMD_N_CLASSES},
               [NUMD_WORDS_TYPING] = {typing_words, NUMD_N_TYPINGS},
               [NUMD_WORDS_FAST] = {fast_words, NUMD_N_FASTS},
               [NUMD_WORDS_PARAM_TYPE] = {param_type_words, NUMD_N_PARAM_TYPES}};
  bool known = (unsigned)list < sizeof(lists) / sizeof(lists[0]) && i >= 0 && i < lists[list].n;
  return known ? &lists[list].words[i] : NULL;
}

/* Replaces the array by a view of its first `count` elements along an axis. */
static int cut(numd_array **array, int axis, int64_t count) {
  const numd_layout *l = (*array)->layout;
  int64_t shape[NUMD_MAX_DIMS];
  numd_array *view;
  if (l->shape[axis] == count)
    return 0;
  if (count > l->shape[axis])
    return error_set(NUMD_EINVAL, "an array with room for %lld elements cannot have %lld",
                     (long long)l->shape[axis], (long long)count);
  memcpy(shape, l->shape, sizeof(int64_t) * (size_t)l->ndim);
  shape[axis] = count;
  int r = numd_array_view(*array, 0, l->dtype, l->ndim, shape, l->strides, &view);
  if (r)
    return r;
  numd_array_unref(*array);
  *array = view;
  return 0;
}

int numd_trim(numd_op op, numd_array **out, int64_t count) {
  unsigned roomy = op_known(op) ? op_rows[op].roomy : 0;
  for (int i = 0; roomy >> i; i++) {
    int ndim = out[i] ? out[i]->layout->ndim : 0;
    int r = roomy >> i & 1 && ndim > 0 ? cut(&out[i], op == NUMD_OP_EXTRACT ? 0 : ndim - 1, count) : 0;
    if (r)
      return r;
  }
  return 0;
}
