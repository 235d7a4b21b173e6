/* SPDX-License-Identifier: BSD-3-Clause */
/* Parameters of operations: which there are, what they are called in Python, and reading their values.
 *
 * Keywords are the names of the list; the axes of a reduction are called `axis`, as NumPy has it. No
 * operation takes both. */
#include "pynumd.h"

int params_names_init(struct state *state) {
  for (int bit = 0; bit < NUMD_N_PARAMS; bit++) {
    int is_axes = 1 << bit == NUMD_PARAM_AXES;
    state->params[bit] = PyUnicode_InternFromString(is_axes ? "axis" : numd_param_info(bit)->name);
    if (!state->params[bit])
      return -1;
  }
  return 0;
}

int params_find(const struct state *state, uint32_t mask, PyObject *name) {
  for (uint32_t left = mask; left; left &= left - 1)
    if (name == state->params[__builtin_ctz(left)])
      return __builtin_ctz(left);
  for (uint32_t left = mask; left; left &= left - 1)
    if (PyUnicode_Compare(name, state->params[__builtin_ctz(left)]) == 0)
      return __builtin_ctz(left);
  return -1;
}

static int set_integer(PyObject *value, int64_t *out) {
  PyObject *index = PyNumber_Index(value);
  *out = index ? PyLong_AsLongLong(index) : -1;
  Py_XDECREF(index);
  return *out == -1 && PyErr_Occurred() ? -1 : 0;
}

static int set_axis(PyObject *value, int *out) {
  int64_t axis;
  if (set_integer(value, &axis))
    return -1;
  *out = axis < -NUMD_MAX_DIMS ? -NUMD_MAX_DIMS - 1 : axis > NUMD_MAX_DIMS ? NUMD_MAX_DIMS : (int)axis;
  return 0;
}

static int set_list(struct params *params, int list, PyObject *value) {
  int n = shape_parse(value, params->ints[list]);
  params->pub.n_ints[list] = n;
  params->pub.ints[list] = params->ints[list];
  return n < 0 ? -1 : 0;
}

static int set_flag(struct params *params, int bit, PyObject *value) {
  int truth = PyObject_IsTrue(value);
  if (truth == 0)
    params->pub.given &= ~(1u << bit);
  return truth < 0 ? -1 : 0;
}

int params_set(struct state *state, struct params *params, int bit, PyObject *value, int ndim) {
  if (value == Py_None)
    return 0;
  params->pub.given |= 1u << bit;
  int type = numd_param_info(bit)->type;
  switch (type) {
    case NUMD_TYPE_MASK:
      return axes_parse(value, ndim, &params->pub.axes);
    case NUMD_TYPE_FLAG:
      return set_flag(params, bit, value);
    case NUMD_TYPE_DTYPE:
      return dtype_parse(state, value, &params->pub.dtype);
    case NUMD_TYPE_AXIS:
      return set_axis(value, &params->pub.axis);
    case NUMD_TYPE_N:
      return set_integer(value, &params->pub.n);
    case NUMD_TYPE_K:
      return set_integer(value, &params->pub.k);
    case NUMD_TYPE_REAL:
      params->pub.real = PyFloat_AsDouble(value);
      return params->pub.real == -1 && PyErr_Occurred() ? -1 : 0;
    default:
      return set_list(params, type - NUMD_TYPE_LIST0, value);
  }
}
