/* SPDX-License-Identifier: BSD-3-Clause */
/* Arrays from data, and from shapes. */
#include "create.h"
#include "docstrings.h"

#define RELEASE_BYTES (1 << 20) /* a copy as long as this lets other threads run */

/* ---- From data */

static void copy_bytes(void *to, const void *from, size_t bytes) {
  if (bytes < RELEASE_BYTES) {
    memcpy(to, from, bytes);
    return;
  }
  Py_BEGIN_ALLOW_THREADS;
  memcpy(to, from, bytes);
  Py_END_ALLOW_THREADS;
}

/* NumPy converts, reorders and swaps bytes where it must. */
static int copy_by_numpy(PyObject *array, PyObject *ndarray) {
  struct state *state = array_state(array);
  PyObject *view = array_numpy(array);
  PyObject *args = view ? PyTuple_Pack(2, view, ndarray) : NULL;
  PyObject *options = args ? Py_BuildValue("{ss}", "casting", "unsafe") : NULL;
  PyObject *done = options ? PyObject_Call(state->copyto, args, options) : NULL;
  Py_XDECREF(view);
  Py_XDECREF(args);
  Py_XDECREF(options);
  Py_XDECREF(done);
  return done ? 0 : -1;
}

static int copy_in(PyObject *array, PyObject *ndarray, PyObject *numpy_dtype) {
  struct state *state = array_state(array);
  Py_buffer buffer;
  const numd_array *view = array_view(array);
  if (numpy_dtype != state->dtypes[view->layout->dtype])
    return copy_by_numpy(array, ndarray);
  if (PyObject_GetBuffer(ndarray, &buffer, PyBUF_C_CONTIGUOUS)) {
    PyErr_Clear();
    return copy_by_numpy(array, ndarray);
  }
  copy_bytes(view->data, buffer.buf, (size_t)view->layout->nbytes);
  PyBuffer_Release(&buffer);
  return 0;
}

static PyObject *array_from_ndarray(struct state *state, PyObject *ndarray, numd_dtype dtype,
                                    numd_conn *conn) {
  int64_t shape[NUMD_MAX_DIMS];
  PyObject *array = NULL;
  PyObject *numpy_dtype = PyObject_GetAttr(ndarray, state->k_dtype);
  PyObject *numpy_shape = PyObject_GetAttrString(ndarray, "shape");
  int ndim = numpy_shape ? shape_parse(numpy_shape, shape) : -1;
  if (numpy_dtype && dtype == NUMD_DTYPE_NONE)
    dtype = dtype_lookup(state, numpy_dtype); /* in any byte order */
  if (numpy_dtype && dtype == NUMD_DTYPE_NONE)
    dtype_refuse(numpy_dtype);
  else if (numpy_dtype && ndim >= 0)
    array = array_new(state, conn, dtype, ndim, shape);
  if (array && copy_in(array, ndarray, numpy_dtype))
    Py_CLEAR(array);
  Py_XDECREF(numpy_dtype);
  Py_XDECREF(numpy_shape);
  return array;
}

PyObject *array_from(struct state *state, PyObject *object, numd_dtype dtype, numd_conn *conn) {
  if (array_check(state, object)) {
    numd_params params = {.given = NUMD_PARAM_DTYPE, .dtype = dtype};
    if (dtype == NUMD_DTYPE_NONE || dtype == array_view(object)->layout->dtype)
      return Py_NewRef(object);
    return apply(state, NUMD_OP_ASTYPE, &params, 1, &object, NULL);
  }
  CONN_HELD own = conn ? NULL : session_conn(state, NULL);
  if (!conn && !(conn = own))
    return NULL;
  /* Lists are read with the wanted dtype, so that what does not fit is noticed. */
  int typed = dtype != NUMD_DTYPE_NONE && !PyObject_HasAttr(object, state->k_dtype);
  PyObject *ndarray =
      PyObject_CallFunctionObjArgs(state->asarray, object, typed ? state->dtypes[dtype] : NULL, NULL);
  PyObject *array = ndarray ? array_from_ndarray(state, ndarray, dtype, conn) : NULL;
  Py_XDECREF(ndarray);
  return array;
}

/* The object behind a memoryview, or what an ndarray or memoryview is a view of; NULL, without an exception,
 * if it is neither. A new reference. */
static PyObject *object_behind(struct state *state, PyObject *view) {
  PyObject *base = PyMemoryView_Check(view)                 ? PyObject_GetAttrString(view, "obj")
                   : PyObject_HasAttr(view, state->k_dtype) ? PyObject_GetAttrString(view, "base")
                                                            : NULL;
  PyErr_Clear();
  return base;
}

/* The Array whose memory an ndarray or a memoryview shows; NULL, without an exception, if there is none. */
static PyObject *array_behind(struct state *state, PyObject *object) {
  PyObject *at = Py_NewRef(object);
  for (int steps = 0; at && !array_check(state, at) && steps < 16; steps++)
    Py_SETREF(at, object_behind(state, at));
  if (at && !array_check(state, at))
    Py_CLEAR(at);
  return at;
}

/* What a buffer's format says, in the machine's order of bytes; NUMD_DTYPE_NONE for anything else. */
static numd_dtype buffer_dtype(struct state *state, const Py_buffer *buffer) {
  if (!strcmp(buffer->format, "Zf"))
    return NUMD_COMPLEX64;
  if (!strcmp(buffer->format, "Zd"))
    return NUMD_COMPLEX128;
  PyObject *numpy_dtype = PyObject_CallFunction(state->dtype, "s", buffer->format);
  numd_dtype dtype = numpy_dtype ? dtype_lookup(state, numpy_dtype) : NUMD_DTYPE_NONE;
  if (dtype != NUMD_DTYPE_NONE && PyObject_RichCompareBool(numpy_dtype, state->dtypes[dtype], Py_EQ) != 1)
    dtype = NUMD_DTYPE_NONE;
  Py_XDECREF(numpy_dtype);
  PyErr_Clear();
  return dtype;
}

/* The Array of the same elements in the same memory, or NULL, without an exception. */
static PyObject *array_of_view(struct state *state, PyObject *object, numd_dtype dtype) {
  Py_buffer buffer;
  PyObject *base = array_behind(state, object), *array = NULL;
  if (!base)
    return NULL;
  if (PyObject_GetBuffer(object, &buffer, PyBUF_RECORDS)) {
    PyErr_Clear();
    Py_DECREF(base);
    return NULL;
  }
  numd_dtype own = buffer_dtype(state, &buffer);
  if (own != NUMD_DTYPE_NONE && (dtype == NUMD_DTYPE_NONE || dtype == own)) {
    numd_array *view = NULL, *from = array_view(base);
    if (numd_array_view(from, (char *)buffer.buf - (char *)from->data, own, buffer.ndim, buffer.shape,
                        buffer.strides, &view) == NUMD_OK)
      array = array_wrap(state, view);
  }
  PyBuffer_Release(&buffer);
  Py_DECREF(base);
  PyErr_Clear();
  return array;
}

/* copy: None, True or False, as the array API standard has it. */
static PyObject *array_as(struct state *state, PyObject *object, numd_dtype dtype, numd_conn *conn,
                          PyObject *copy) {
  int copies = copy == Py_None ? 0 : PyObject_IsTrue(copy);
  if (copies < 0)
    return NULL;
  numd_dtype own = array_check(state, object) ? array_view(object)->layout->dtype : NUMD_DTYPE_NONE;
  PyObject *same = copies || array_check(state, object) ? NULL : array_of_view(state, object, dtype);
  if (same)
    return same;
  if (copies && array_check(state, object) && (dtype == NUMD_DTYPE_NONE || dtype == own))
    return apply(state, NUMD_OP_COPY, NULL, 1, &object, NULL);
  if (copy == Py_False && !(array_check(state, object) && (dtype == NUMD_DTYPE_NONE || dtype == own))) {
    PyErr_SetString(PyExc_ValueError,
                    "copy=False, but only Arrays of that dtype, and views of their memory, are "
                    "in shared memory already");
    return NULL;
  }
  return array_from(state, object, dtype, conn);
}

static PyObject *create_asarray(PyObject *module, PyObject *args, PyObject *kwargs) {
  struct state *state = module_state(module);
  static char *keywords[] = {"", "dtype", "device", "copy", "session", NULL};
  PyObject *object, *wanted = Py_None, *device = Py_None, *copy = Py_None, *session = Py_None;
  numd_dtype dtype = NUMD_DTYPE_NONE;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|O$OOO:asarray", keywords, &object, &wanted, &device,
                                   &copy, &session) ||
      (wanted != Py_None && dtype_parse(state, wanted, &dtype)) || device_parse(device))
    return NULL;
  CONN_HELD conn = session == Py_None ? NULL : session_conn(state, session);
  if (!conn && PyErr_Occurred())
    return NULL;
  PyObject *array = array_as(state, object, dtype, conn, copy);
  return array_is_number(state, object) ? array_of_namespace(array) : array;
}

/* ---- From shapes */

int request_complete(struct request *request, PyObject *shape, PyObject *dtype, PyObject *session) {
  request->ndim = shape_parse(shape, request->shape);
  request->dtype = NUMD_FLOAT64;
  if (request->ndim < 0 || (dtype != Py_None && dtype_parse(request->state, dtype, &request->dtype)))
    return -1;
  request->conn = session_conn(request->state, session);
  return request->conn ? 0 : -1;
}

static int request_read(struct request *request, PyObject *args, PyObject *kwargs, const char *format) {
  static char *keywords[] = {"shape", "dtype", "device", "session", NULL};
  PyObject *shape, *dtype = Py_None, *device = Py_None, *session = Py_None;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, format, keywords, &shape, &dtype, &device, &session) ||
      device_parse(device))
    return -1;
  return request_complete(request, shape, dtype, session);
}

static PyObject *request_empty(const struct request *request) {
  return array_new(request->state, request->conn, request->dtype, request->ndim, request->shape);
}

static PyObject *request_filled(const struct request *request, PyObject *value) {
  PyObject *array = request_empty(request);
  if (array && array_assign(array, value))
    Py_CLEAR(array);
  return array;
}

static PyObject *create_empty(PyObject *module, PyObject *args, PyObject *kwargs) {
  REQUEST(request, module);
  return request_read(&request, args, kwargs, "O|O$OO:empty") ? NULL : request_empty(&request);
}

static PyObject *create_zeros(PyObject *module, PyObject *args, PyObject *kwargs) {
  REQUEST(request, module);
  numd_array *view = NULL;
  if (request_read(&request, args, kwargs, "O|O$OO:zeros"))
    return NULL;
  int status = numd_array_zeros(request.conn, request.dtype, request.ndim, request.shape, &view);
  return status == NUMD_OK ? array_wrap(request.state, view) : raise_status(request.state, status);
}

static PyObject *create_ones(PyObject *module, PyObject *args, PyObject *kwargs) {
  REQUEST(request, module);
  return request_read(&request, args, kwargs, "O|O$OO:ones") ? NULL : request_filled(&request, Py_True);
}

static PyObject *create_full(PyObject *module, PyObject *args, PyObject *kwargs) {
  static char *keywords[] = {"shape", "fill_value", "dtype", "device", "session", NULL};
  PyObject *shape, *value, *dtype = Py_None, *device = Py_None, *session = Py_None;
  REQUEST(request, module);
  numd_scalar scalar;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OO|O$OO:full", keywords, &shape, &value, &dtype, &device,
                                   &session) ||
      device_parse(device) || request_complete(&request, shape, dtype, session))
    return NULL;
  if (dtype == Py_None) {
    int kind = scalar_parse(value, &scalar);
    if (kind < 0)
      return NULL;
    if (kind)
      request.dtype = scalar.dtype;
  }
  return request_filled(&request, value);
}

PyMethodDef create_methods[] = {
    {"asarray", KEYWORDS(create_asarray), DOC_ASARRAY}, {"empty", KEYWORDS(create_empty), DOC_EMPTY},
    {"zeros", KEYWORDS(create_zeros), DOC_ZEROS},       {"ones", KEYWORDS(create_ones), DOC_ONES},
    {"full", KEYWORDS(create_full), DOC_FULL},          {0},
};
