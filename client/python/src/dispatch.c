/* SPDX-License-Identifier: BSD-3-Clause */
/* NumPy's protocols: `np.exp(a)` and `np.sum(a)` become operations of the daemon.
 *
 * __array_ufunc__ finds the row of a ufunc in a dict that is made at first use; a plain call, with `out` at
 * most, goes from there to the daemon. Other methods and keywords, and operands that a row refuses, are left
 * to numd._numpy.ufuncs. __array_function__ leaves the call to numd._numpy.dispatch, whose dict has an
 * implementation for each of NumPy's functions that numd computes. What neither has is computed by NumPy
 * (numd._numpy.fallback). */
#include "pynumd.h"

int error_is_type(void) {
  PyObject *type, *value, *trace;
  if (!PyErr_ExceptionMatches(PyExc_TypeError))
    return 0;
  PyErr_Fetch(&type, &value, &trace);
  PyErr_NormalizeException(&type, &value, &trace);
  PyObject *status = PyObject_GetAttrString(value, "status");
  PyErr_Clear();
  int is_cast = status && PyUnicode_Check(status) && !PyUnicode_CompareWithASCIIString(status, "ECAST");
  Py_XDECREF(status);
  PyErr_Restore(type, value, trace);
  return !is_cast;
}

/* ---- Ufuncs */

static int is_known(struct state *state, PyObject *object) {
  return array_check(state, object) || PyFloat_Check(object) || PyLong_Check(object) ||
         PyComplex_Check(object) || Py_IS_TYPE(object, (PyTypeObject *)state->ndarray) ||
         PyObject_TypeCheck(object, (PyTypeObject *)state->generic);
}

/* The row of a ufunc, or NULL. */
static const struct op_function *ufunc_row(struct state *state, PyObject *ufunc) {
  PyObject *rows = imported(state, IMPORT_UFUNC_ROWS);
  PyObject *index = rows ? PyDict_GetItemWithError(rows, ufunc) : NULL;
  return index ? op_function_at(PyLong_AsLong(index)) : NULL;
}

/* The `out` of a call without other keywords: 1 if it is an Array, 0 if there is none, -1 otherwise. */
static int ufunc_out(struct state *state, PyObject *const *values, PyObject *kwnames, PyObject **out) {
  if (!kwnames || !PyTuple_GET_SIZE(kwnames))
    return 0;
  if (PyTuple_GET_SIZE(kwnames) > 1 || PyTuple_GET_ITEM(kwnames, 0) != state->k_out ||
      !PyTuple_Check(values[0]) || PyTuple_GET_SIZE(values[0]) != 1)
    return -1;
  *out = PyTuple_GET_ITEM(values[0], 0);
  return array_check(state, *out) ? 1 : -1;
}

/* What a row can compute at once. NULL without an exception: it cannot. */
static PyObject *ufunc_fast(struct state *state, PyObject *const *args, Py_ssize_t n, PyObject *kwnames) {
  PyObject *whole[MAX_INPUTS + 1];
  const struct op_function *op = ufunc_row(state, args[0]);
  if (!op || n - 2 != op->info->n_in || !PyUnicode_Check(args[1]) ||
      PyUnicode_CompareWithASCIIString(args[1], "__call__"))
    return NULL;
  for (int i = 0; i < op->info->n_in; i++) {
    if (!is_known(state, args[2 + i]))
      return NULL;
    whole[i] = args[2 + i];
  }
  int has_out = ufunc_out(state, args + n, kwnames, &whole[op->info->n_in]);
  PyObject *answer =
      has_out < 0 ? NULL : op_call(state, op, whole, op->info->n_in + has_out, NULL, RESULTS_VALUES);
  if (!answer && PyErr_Occurred() && error_is_type())
    PyErr_Clear();
  return answer;
}

static PyObject *tuple_of(PyObject *const *items, Py_ssize_t n) {
  PyObject *tuple = PyTuple_New(n);
  for (Py_ssize_t i = 0; i < n && tuple; i++)
    PyTuple_SET_ITEM(tuple, i, Py_NewRef(items[i]));
  return tuple;
}

static PyObject *dict_of(PyObject *names, PyObject *const *values) {
  PyObject *dict = PyDict_New();
  for (Py_ssize_t i = 0; names && dict && i < PyTuple_GET_SIZE(names); i++)
    if (PyDict_SetItem(dict, PyTuple_GET_ITEM(names, i), values[i]))
      Py_CLEAR(dict);
  return dict;
}

PyObject *dispatch_ufunc(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *kwnames) {
  struct state *state = array_state(self);
  if (n < 2) {
    PyErr_SetString(PyExc_TypeError, "__array_ufunc__() takes a ufunc, a method and its inputs");
    return NULL;
  }
  PyObject *answer = ufunc_fast(state, args, n, kwnames);
  PyObject *call = answer || PyErr_Occurred() ? NULL : imported(state, IMPORT_UFUNC_CALL);
  if (!call)
    return answer;
  PyObject *inputs = tuple_of(args + 2, n - 2), *options = dict_of(kwnames, args + n);
  if (inputs && options)
    answer = PyObject_CallFunctionObjArgs(call, args[0], args[1], inputs, options, NULL);
  PyObject *out = options ? PyDict_GetItem(options, state->k_out) : NULL;
  if (!out || !PyTuple_Check(out))
    answer = values_of(answer, NULL, 0);
  Py_XDECREF(inputs);
  Py_XDECREF(options);
  return answer;
}

PyObject *dispatch_operator(struct state *state, numd_op number, int n, PyObject *const *operands,
                            PyObject *out) {
  if (!PyErr_Occurred() || !error_is_type())
    return NULL;
  PyErr_Clear();
  PyObject *call = imported(state, IMPORT_UFUNC_OPERATOR), *inputs = call ? tuple_of(operands, n) : NULL;
  PyObject *answer = inputs ? PyObject_CallFunction(call, "sOO", op_function_find(number)->info->name, inputs,
                                                    out ? out : Py_None)
                            : NULL;
  Py_XDECREF(inputs);
  return answer;
}

/* ---- Functions */

PyObject *dispatch_function(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *kwnames) {
  if (n != 4 || kwnames) {
    PyErr_SetString(PyExc_TypeError, "__array_function__() takes a function, types, args and kwargs");
    return NULL;
  }
  PyObject *call = imported(array_state(self), IMPORT_FUNCTION_CALL);
  return call ? PyObject_Vectorcall(call, args, 4, NULL) : NULL;
}

/* ---- Methods of Array that are written in Python */

/* Whether it has its first element where the Array has one of its own. */
static int is_view_of(PyObject *result, PyObject *self) {
  return Py_IS_TYPE(result, Py_TYPE(self)) && array_holds(self, array_view(result)->data);
}

PyObject *dispatch_method(const char *name, PyObject *self, PyObject *const *args, Py_ssize_t n,
                          PyObject *kwnames) {
  PyObject *whole[16] = {self}, *methods = imported(array_state(self), IMPORT_METHODS);
  PyObject *method = methods ? PyObject_GetAttrString(methods, name) : NULL;
  Py_ssize_t all = n + (kwnames ? PyTuple_GET_SIZE(kwnames) : 0);
  PyObject *answer = NULL;
  if (all >= (Py_ssize_t)(sizeof whole / sizeof *whole))
    PyErr_Format(PyExc_TypeError, "too many arguments for %s()", name);
  else if (method) {
    memcpy(whole + 1, args, (size_t)all * sizeof *args);
    answer = PyObject_Vectorcall(method, whole, (size_t)n + 1, kwnames);
  }
  Py_XDECREF(method);
  return answer && is_view_of(answer, self) ? answer : values_of(answer, whole, all + 1);
}
