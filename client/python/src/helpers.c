/* SPDX-License-Identifier: BSD-3-Clause */
/* What the modules in Python need of the extension: views by strides, promotion, arrays beside others. */
#include "docstrings.h"
#include "pynumd.h"

static PyObject *helper_view(PyObject *module, PyObject *args) {
  struct state *state = module_state(module);
  PyObject *base, *lengths, *steps, *wanted = Py_None;
  Py_ssize_t offset;
  int64_t shape[NUMD_MAX_DIMS], strides[NUMD_MAX_DIMS];
  numd_array *view = NULL;
  if (!PyArg_ParseTuple(args, "O!nOO|O:_view", state->array_type, &base, &offset, &lengths, &steps, &wanted))
    return NULL;
  numd_dtype dtype = array_view(base)->layout->dtype;
  if (wanted != Py_None && dtype_parse(state, wanted, &dtype))
    return NULL;
  int ndim = shape_parse(lengths, shape), n = ndim < 0 ? -1 : shape_parse(steps, strides);
  if (n < 0)
    return NULL;
  if (n != ndim) {
    PyErr_Format(PyExc_ValueError, "%d strides for %d dimensions", n, ndim);
    return NULL;
  }
  int status = numd_array_view(array_view(base), offset, dtype, ndim, shape, strides, &view);
  return status == NUMD_OK ? array_wrap(state, view) : raise_status(state, status);
}

static PyObject *helper_empty_beside(PyObject *module, PyObject *args) {
  struct state *state = module_state(module);
  PyObject *other, *lengths, *wanted;
  int64_t shape[NUMD_MAX_DIMS];
  numd_dtype dtype;
  if (!PyArg_ParseTuple(args, "O!OO:_empty_beside", state->array_type, &other, &lengths, &wanted))
    return NULL;
  int ndim = shape_parse(lengths, shape);
  if (ndim < 0 || dtype_parse(state, wanted, &dtype))
    return NULL;
  return array_new(state, array_view(other)->conn, dtype, ndim, shape);
}

/* The dtype of an operand: 1 if it is weak, 0 if not, -1. */
static int operand_dtype(struct state *state, PyObject *object, numd_dtype *dtype) {
  numd_scalar scalar;
  if (array_check(state, object)) {
    *dtype = array_view(object)->layout->dtype;
    return 0;
  }
  int kind = scalar_parse(object, &scalar);
  if (kind > 0)
    *dtype = scalar.dtype;
  if (kind)
    return kind;
  PyObject *own = PyObject_GetAttr(object, state->k_dtype);
  PyErr_Clear();
  int status = dtype_parse(state, own && !PyType_Check(object) ? own : object, dtype);
  Py_XDECREF(own);
  return status;
}

/* Strong ones from left to right, then the weak ones. */
static PyObject *helper_result_type(PyObject *module, PyObject *operands) {
  struct state *state = module_state(module);
  numd_dtype of[2] = {NUMD_DTYPE_NONE, NUMD_DTYPE_NONE}, dtype;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(operands); i++) {
    int weak = operand_dtype(state, PyTuple_GET_ITEM(operands, i), &dtype);
    if (weak < 0)
      return NULL;
    of[weak] = of[weak] == NUMD_DTYPE_NONE ? dtype : numd_promote(of[weak], weak, dtype, weak);
  }
  dtype = of[0] == NUMD_DTYPE_NONE   ? of[1]
          : of[1] == NUMD_DTYPE_NONE ? of[0]
                                     : numd_promote(of[0], 0, of[1], 1);
  if (dtype != NUMD_DTYPE_NONE)
    return Py_NewRef(state->dtypes[dtype]);
  PyErr_SetString(PyExc_ValueError, "result_type() needs an operand");
  return NULL;
}

static PyObject *helper_value(PyObject *module, PyObject *array) {
  return value_of(Py_NewRef(array));
}

PyMethodDef helper_methods[] = {
    {"_view", helper_view, METH_VARARGS, NULL},
    {"_value", helper_value, METH_O, NULL},
    {"_empty_beside", helper_empty_beside, METH_VARARGS, NULL},
    {"result_type", helper_result_type, METH_VARARGS, DOC_RESULT_TYPE},
    {0},
};
