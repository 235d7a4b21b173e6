/* SPDX-License-Identifier: BSD-3-Clause */
/* Methods of Array. Reductions and products are rows of the list of operations, called with `self`. */
#include "docstrings.h"
#include "pynumd.h"

static const numd_layout *layout_of(PyObject *self) {
  return array_view(self)->layout;
}

/* ---- Values */

PyObject *array_copy(PyObject *self, PyObject *unused) {
  return apply(array_state(self), NUMD_OP_COPY, NULL, 1, &self, NULL);
}

static PyObject *array_astype(PyObject *self, PyObject *args, PyObject *kwargs) {
  struct state *state = array_state(self);
  static char *keywords[] = {"dtype", "copy", NULL};
  PyObject *wanted;
  int copy = 1;
  numd_params params = {.given = NUMD_PARAM_DTYPE};
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|p:astype", keywords, &wanted, &copy) ||
      dtype_parse(state, wanted, &params.dtype))
    return NULL;
  if (!copy && params.dtype == layout_of(self)->dtype)
    return Py_NewRef(self);
  return apply(state, NUMD_OP_ASTYPE, &params, 1, &self, NULL);
}

static PyObject *array_item_method(PyObject *self, PyObject *args) {
  if (!PyTuple_GET_SIZE(args))
    return array_item(self);
  PyObject *ndarray = array_numpy(self), *method = ndarray ? PyObject_GetAttrString(ndarray, "item") : NULL;
  PyObject *item = method ? PyObject_CallObject(method, args) : NULL;
  Py_XDECREF(method);
  Py_XDECREF(ndarray);
  return item;
}

/* As the Python scalar if there are no dimensions, as text otherwise. */
static PyObject *array_format(PyObject *self, PyObject *spec) {
  int is_plain = PyUnicode_Check(spec) && !PyUnicode_GET_LENGTH(spec);
  if (!is_plain && layout_of(self)->ndim) {
    PyErr_SetString(PyExc_TypeError, "only an array without dimensions takes a format");
    return NULL;
  }
  PyObject *item = is_plain ? PyObject_Str(self) : array_item(self);
  PyObject *text = item ? PyObject_Format(item, spec) : NULL;
  Py_XDECREF(item);
  return text;
}

/* item.name(args...), for an array without dimensions. */
static PyObject *item_call(PyObject *self, const char *name, PyObject *args) {
  if (layout_of(self)->ndim) {
    PyErr_Format(PyExc_TypeError, "only an array without dimensions has %s()", name);
    return NULL;
  }
  PyObject *item = array_item(self), *method = item ? PyObject_GetAttrString(item, name) : NULL;
  PyObject *answer = method ? PyObject_CallObject(method, args) : NULL;
  Py_XDECREF(method);
  Py_XDECREF(item);
  return answer;
}

static PyObject *array_trunc(PyObject *self, PyObject *unused) {
  return item_call(self, "__trunc__", NULL);
}
static PyObject *array_floor(PyObject *self, PyObject *unused) {
  return item_call(self, "__floor__", NULL);
}
static PyObject *array_ceil(PyObject *self, PyObject *unused) {
  return item_call(self, "__ceil__", NULL);
}

/* round(a) is an int; with digits it is an array of the dtype, as a.round(digits). */
static PyObject *array_round(PyObject *self, PyObject *args) {
  if (!PyTuple_GET_SIZE(args) || PyTuple_GET_ITEM(args, 0) == Py_None)
    return item_call(self, "__round__", NULL);
  PyObject *digits = PyTuple_GET_ITEM(args, 0);
  return dispatch_method("round", self, &digits, 1, NULL);
}

static PyObject *array_complex(PyObject *self, PyObject *unused) {
  PyObject *item = array_item(self);
  PyObject *number = item ? PyObject_CallOneArg((PyObject *)&PyComplex_Type, item) : NULL;
  Py_XDECREF(item);
  return number;
}

static PyObject *array_tolist(PyObject *self, PyObject *unused) {
  PyObject *ndarray = array_numpy(self);
  PyObject *list = ndarray ? PyObject_CallMethod(ndarray, "tolist", NULL) : NULL;
  Py_XDECREF(ndarray);
  return list;
}

int array_is_number(struct state *state, PyObject *value) {
  return PyFloat_Check(value) || PyLong_Check(value) || PyComplex_Check(value) ||
         PyObject_TypeCheck(value, (PyTypeObject *)state->generic);
}

int array_store(PyObject *self, void *data, PyObject *value) {
  numd_dtype dtype = layout_of(self)->dtype;
  char bytes[16];
  if (value_convert(array_state(self), dtype, value, bytes) ||
      future_settle(array_state(self), data, (char *)data + 1))
    return -1;
  memcpy(data, bytes, numd_dtype_size(dtype));
  return 0;
}

/* A number as the operand of an assignment to more than one element: of the dtype already, and weak. */
static int number_read(struct state *state, numd_dtype dtype, PyObject *value, numd_scalar *out) {
  char bytes[16];
  if (value_convert(state, dtype, value, bytes))
    return -1;
  scalar_widen(dtype, bytes, out);
  return 0;
}

int array_assign(PyObject *target, PyObject *value) {
  struct state *state = array_state(target);
  numd_params params = {.given = NUMD_PARAM_DTYPE, .dtype = layout_of(target)->dtype};
  struct operands operands = {.state = state, .conn = array_view(target)->conn, .n = 1};
  if (array_is_number(state, value)) {
    if (layout_of(target)->size == 1)
      return array_store(target, array_view(target)->data, value);
    if (number_read(state, params.dtype, value, &operands.args[0].scalar))
      return -1;
  } else {
    PyObject *array =
        array_check(state, value) ? Py_NewRef(value) : array_from(state, value, params.dtype, operands.conn);
    if (!array)
      return -1;
    operands.owned[0] = array;
    operands.args[0].array = array_view(array);
  }
  PyObject *done = operands_apply(&operands, NUMD_OP_ASTYPE, &params, target);
  Py_XDECREF(done);
  return done ? 0 : -1;
}

static PyObject *array_fill(PyObject *self, PyObject *value) {
  if (array_assign(self, value))
    return NULL;
  Py_RETURN_NONE;
}

/* ---- Protocols */

static PyObject *array_array(PyObject *self, PyObject *args, PyObject *kwargs) {
  struct state *state = array_state(self);
  static char *keywords[] = {"dtype", "copy", NULL};
  PyObject *dtype = Py_None, *copy = Py_None;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|OO:__array__", keywords, &dtype, &copy))
    return NULL;
  PyObject *ndarray = array_numpy(self);
  if (!ndarray)
    return NULL;
  if (dtype == Py_None)
    dtype = state->dtypes[layout_of(self)->dtype];
  PyObject *cast = copy == Py_True ? PyObject_CallMethod(ndarray, "astype", "O", dtype)
                                   : PyObject_CallFunctionObjArgs(state->asarray, ndarray, dtype, NULL);
  if (cast && cast != ndarray && copy == Py_False) {
    PyErr_SetString(PyExc_ValueError, "another dtype is not possible without a copy");
    Py_CLEAR(cast);
  }
  Py_DECREF(ndarray);
  return cast;
}

static PyObject *array_reduce(PyObject *self, PyObject *unused) {
  struct state *state = array_state(self);
  numd_handle handle;
  memset(&handle, 0, sizeof handle);
  int status = numd_array_export(array_view(self), &handle);
  if (status != NUMD_OK)
    return raise_status(state, status);
  PyObject *rebuild = imported(state, IMPORT_REBUILD);
  if (!rebuild)
    return NULL;
  return Py_BuildValue("O(y#s)", rebuild, (const char *)&handle, (Py_ssize_t)sizeof handle,
                       numd_conn_address(array_view(self)->conn));
}

/* Copying is the one thing that pickling a handle would get wrong. */
static PyObject *array_deepcopy(PyObject *self, PyObject *memo) {
  return array_copy(self, NULL);
}

/* ---- Operations as methods */

static PyObject *method_call(numd_op number, PyObject *self, PyObject *const *args, Py_ssize_t n,
                             PyObject *kwnames) {
  PyObject *whole[8] = {self};
  const struct op_function *op = op_function_find(number);
  Py_ssize_t all = n + (kwnames ? PyTuple_GET_SIZE(kwnames) : 0);
  if (all >= (Py_ssize_t)(sizeof whole / sizeof *whole)) {
    PyErr_Format(PyExc_TypeError, "too many arguments for %s()", op->info->name);
    return NULL;
  }
  memcpy(whole + 1, args, (size_t)all * sizeof *args);
  return op_call(array_state(self), op, whole, n + 1, kwnames, RESULTS_VALUES);
}

/* A reduction with arguments that only NumPy's function has (initial, where, ddof, more by position). */
static PyObject *method_call_or_numpy(numd_op number, const char *name, PyObject *self, PyObject *const *args,
                                      Py_ssize_t n, PyObject *kwnames) {
  PyObject *type, *value, *trace;
  PyObject *answer = method_call(number, self, args, n, kwnames);
  if (answer || !error_is_type())
    return answer;
  PyErr_Fetch(&type, &value, &trace);
  answer = dispatch_method(name, self, args, n, kwnames);
  if (answer || !PyErr_ExceptionMatches(PyExc_AttributeError)) {
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(trace);
  } else
    PyErr_Restore(type, value, trace);
  return answer;
}

#define METHOD(NAME, name)                                                                                   \
  static PyObject *array_op_##name(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *kwnames) { \
    return method_call_or_numpy(NUMD_OP_##NAME, #name, self, args, n, kwnames);                              \
  }
#define METHOD_MAP(NAME, name)
#define METHOD_REDUCE(NAME, name) METHOD(NAME, name)
#define METHOD_SCAN(NAME, name) METHOD(NAME, name)
#define METHOD_PRODUCT(NAME, name)
#define METHOD_VIEW(NAME, name)
#define METHOD_MOVE(NAME, name)
#define METHOD_ORDER(NAME, name)
#define METHOD_MAKE(NAME, name)
#define METHOD_LINALG(NAME, name)
#define X(number, NAME, name, class, n_in, n_out, kinds, typing, params, ulp, fast, doc) \
  METHOD_##class(NAME, name)
NUMD_OP_LIST(X)
#undef X
METHOD(MATMUL, matmul)
METHOD(DOT, dot)

/* What numd._numpy.methods has. */
/* clang-format off */
#define PYTHON_METHODS(X)                                                         \
  X(argpartition) X(argsort) X(byteswap) X(choose) X(clip) X(compress) X(conj)    \
  X(conjugate) X(cumprod) X(cumsum) X(diagonal) X(flatten) X(getfield) X(nonzero) \
  X(partition) X(ptp) X(put) X(ravel) X(repeat) X(resize) X(round)                \
  X(searchsorted) X(sort) X(squeeze) X(swapaxes) X(take) X(tobytes) X(trace)      \
  X(view)
/* clang-format on */

#define X(name)                                                                                              \
  static PyObject *array_py_##name(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *kwnames) { \
    return dispatch_method(#name, self, args, n, kwnames);                                                   \
  }
PYTHON_METHODS(X)
X(_repr_html_)
#undef X

#define ROW(name)                                                                      \
  {#name, (PyCFunction)(void (*)(void))array_op_##name, METH_FASTCALL | METH_KEYWORDS, \
   "As numd." #name ", with this array as the first operand."},
#define ROW_MAP(name)
#define ROW_REDUCE(name) ROW(name)
#define ROW_SCAN(name) ROW(name)
#define ROW_PRODUCT(name)
#define ROW_VIEW(name)
#define ROW_MOVE(name)
#define ROW_ORDER(name)
#define ROW_MAKE(name)
#define ROW_LINALG(name)

PyMethodDef array_methods[] = {
    {"reshape", array_reshape, METH_VARARGS, DOC_ARRAY_RESHAPE},
    {"transpose", array_transpose, METH_VARARGS, DOC_ARRAY_TRANSPOSE},
    {"permute", array_transpose, METH_VARARGS, DOC_ARRAY_PERMUTE},
    {"copy", array_copy, METH_NOARGS, DOC_ARRAY_COPY},
    {"astype", (PyCFunction)(void (*)(void))array_astype, METH_VARARGS | METH_KEYWORDS, DOC_ARRAY_ASTYPE},
    {"item", array_item_method, METH_VARARGS, DOC_ARRAY_ITEM},
    {"tolist", array_tolist, METH_NOARGS, DOC_ARRAY_TOLIST},
    {"fill", array_fill, METH_O, DOC_ARRAY_FILL},
    {"__array__", (PyCFunction)(void (*)(void))array_array, METH_VARARGS | METH_KEYWORDS, NULL},
    {"__dlpack__", (PyCFunction)(void (*)(void))array_dlpack, METH_VARARGS | METH_KEYWORDS,
     DOC_ARRAY___DLPACK__},
    {"__dlpack_device__", array_dlpack_device, METH_NOARGS, DOC_ARRAY___DLPACK_DEVICE__},
    {"__array_namespace__", (PyCFunction)(void (*)(void))array_namespace, METH_VARARGS | METH_KEYWORDS,
     DOC_ARRAY___ARRAY_NAMESPACE__},
    {"to_device", (PyCFunction)(void (*)(void))array_to_device, METH_VARARGS | METH_KEYWORDS,
     DOC_ARRAY_TO_DEVICE},
    {"__complex__", array_complex, METH_NOARGS, NULL},
    {"__format__", array_format, METH_O, NULL},
    {"__round__", array_round, METH_VARARGS, NULL},
    {"__trunc__", array_trunc, METH_NOARGS, NULL},
    {"__floor__", array_floor, METH_NOARGS, NULL},
    {"__ceil__", array_ceil, METH_NOARGS, NULL},
    {"__array_ufunc__", (PyCFunction)(void (*)(void))dispatch_ufunc, METH_FASTCALL | METH_KEYWORDS, NULL},
    {"__array_function__", (PyCFunction)(void (*)(void))dispatch_function, METH_FASTCALL | METH_KEYWORDS,
     NULL},
#define X(name)                                                                        \
  {#name, (PyCFunction)(void (*)(void))array_py_##name, METH_FASTCALL | METH_KEYWORDS, \
   "As numpy.ndarray." #name "."},
    PYTHON_METHODS(X)
#undef X
        {"_repr_html_", (PyCFunction)(void (*)(void))array_py__repr_html_, METH_FASTCALL | METH_KEYWORDS,
         DOC_ARRAY__REPR_HTML_},
    {"__reduce__", array_reduce, METH_NOARGS, NULL},
    {"__copy__", array_copy, METH_NOARGS, NULL},
    {"__deepcopy__", array_deepcopy, METH_O, NULL},
#define X(number, NAME, name, class, n_in, n_out, kinds, typing, params, ulp, fast, doc) ROW_##class(name)
    NUMD_OP_LIST(X)
#undef X
        ROW(matmul) ROW(dot){0},
};
