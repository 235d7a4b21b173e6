/* Arrays from data, from shapes, from memory that exists already, and from handles. */
#include "docstrings.h"
#include "pynumd.h"

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
  return array_as(state, object, dtype, conn, copy);
}

/* ---- From shapes */

struct request {
  struct state *state;
  numd_conn *conn; /* a reference */
  numd_dtype dtype;
  int ndim;
  int64_t shape[NUMD_MAX_DIMS];
};

static void request_drop(struct request *request) {
  conn_drop(&request->conn);
}

#define REQUEST(name, module) \
  __attribute__((cleanup(request_drop))) struct request name = {.state = module_state(module)}

static int request_complete(struct request *request, PyObject *shape, PyObject *dtype, PyObject *session) {
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

/* ---- From memory that exists already */

/* The name of a shared-memory object, as a new str; NULL without an exception if it has a descriptor. */
static PyObject *object_name(struct state *state, PyObject *object, int *fd) {
  *fd = -1;
  if (PyUnicode_Check(object))
    return Py_NewRef(object);
  if (!PyLong_Check(object) && PyObject_HasAttrString(object, "name") &&
      !PyObject_HasAttrString(object, "fileno"))
    return PyObject_GetAttrString(object, "name"); /* multiprocessing.shared_memory.SharedMemory */
  PyObject *descriptor = PyLong_Check(object) || PyObject_HasAttrString(object, "fileno")
                             ? NULL
                             : imported(state, IMPORT_MEMORY_DESCRIPTOR);
  PyObject *found = descriptor ? PyObject_CallOneArg(descriptor, object) : NULL; /* of an mmap */
  if (!PyErr_Occurred())
    *fd = PyObject_AsFileDescriptor(found ? found : object);
  Py_XDECREF(found);
  return NULL;
}

static numd_segment *segment_attach(struct state *state, numd_conn *conn, PyObject *object) {
  numd_segment *segment = NULL;
  int fd, status;
  PyObject *name = object_name(state, object, &fd);
  const char *text = name ? PyUnicode_AsUTF8(name) : NULL;
  if (PyErr_Occurred()) {
    Py_XDECREF(name);
    return NULL;
  }
  status = text ? numd_segment_attach(conn, text, &segment) : numd_segment_attach_fd(conn, fd, &segment);
  Py_XDECREF(name);
  if (status != NUMD_OK)
    raise_status(state, status);
  return segment;
}

static int strides_read(PyObject *object, int ndim, int64_t strides[NUMD_MAX_DIMS]) {
  int n = shape_parse(object, strides);
  if (n >= 0 && n != ndim)
    PyErr_Format(PyExc_ValueError, "%d strides for %d dimensions", n, ndim);
  return n == ndim ? 0 : -1;
}

static int attach_complete(struct request *request, PyObject *shape, PyObject *dtype, PyObject *session) {
  PyObject *none = shape == Py_None ? PyTuple_New(0) : Py_NewRef(shape);
  int failed = !none || request_complete(request, none, dtype, session);
  Py_XDECREF(none);
  return failed;
}

/* As many elements as there is room for. */
static int attach_shape(struct request *request, const numd_segment *segment, Py_ssize_t offset) {
  int64_t left = (int64_t)numd_segment_bytes(segment) - offset;
  if (offset < 0 || left < 0) {
    PyErr_Format(PyExc_ValueError, "offset is %zd; the object has %llu bytes", offset,
                 (unsigned long long)numd_segment_bytes(segment));
    return -1;
  }
  request->ndim = 1;
  request->shape[0] = left / (int64_t)numd_dtype_size(request->dtype);
  return 0;
}

static PyObject *create_attach(PyObject *module, PyObject *args, PyObject *kwargs) {
  static char *keywords[] = {"memory", "shape", "dtype", "offset", "strides", "session", NULL};
  PyObject *memory, *shape = Py_None, *dtype = Py_None, *order = Py_None, *session = Py_None;
  Py_ssize_t offset = 0;
  int64_t strides[NUMD_MAX_DIMS];
  REQUEST(request, module);
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|OOnO$O:attach", keywords, &memory, &shape, &dtype,
                                   &offset, &order, &session) ||
      attach_complete(&request, shape, dtype, session) ||
      (order != Py_None && strides_read(order, request.ndim, strides)))
    return NULL;
  numd_segment *segment = segment_attach(request.state, request.conn, memory);
  if (!segment)
    return NULL;
  numd_array *view = NULL;
  if (shape == Py_None && attach_shape(&request, segment, offset)) {
    numd_segment_unref(segment);
    return NULL;
  }
  int status = numd_segment_array(segment, offset, request.dtype, request.ndim, request.shape,
                                  order == Py_None ? NULL : strides, &view);
  if (status != NUMD_OK)
    raise_status(request.state, status);
  numd_segment_unref(segment); /* the array keeps what it needs */
  return status == NUMD_OK ? array_wrap(request.state, view) : NULL;
}

/* ---- From handles */

static PyObject *create_rebuild(PyObject *module, PyObject *args) {
  struct state *state = module_state(module);
  numd_handle handle;
  Py_buffer bytes;
  const char *address;
  if (!PyArg_ParseTuple(args, "y*s:_rebuild", &bytes, &address))
    return NULL;
  int fits = bytes.len == (Py_ssize_t)sizeof handle;
  if (fits)
    memcpy(&handle, bytes.buf, sizeof handle);
  PyBuffer_Release(&bytes);
  if (!fits) {
    PyErr_SetString(PyExc_ValueError, "the handle was made by another version of numd");
    return NULL;
  }
  CONN_HELD conn = session_conn_at(state, address);
  if (!conn)
    return NULL;
  numd_array *view = NULL;
  int status = numd_array_import(conn, &handle, &view);
  return status == NUMD_OK ? array_wrap(state, view) : raise_status(state, status);
}

/* ---- Published */

static PyObject *create_publish(PyObject *module, PyObject *args, PyObject *kwargs) {
  struct state *state = module_state(module);
  static char *keywords[] = {"name", "array", "replace", NULL};
  const char *name;
  PyObject *array;
  int replace = 0, status;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "sO|$p:publish", keywords, &name, &array, &replace))
    return NULL;
  if (!array_check(state, array)) {
    PyErr_Format(PyExc_TypeError, "array is a %s, not a numd.Array: see numd.asarray",
                 Py_TYPE(array)->tp_name);
    return NULL;
  }
  numd_array *view = numd_array_ref(array_view(array)); /* another thread may give the array another shape */
  Py_BEGIN_ALLOW_THREADS;
  status = numd_publish(view, name, replace);
  Py_END_ALLOW_THREADS;
  numd_array_unref(view);
  if (status == NUMD_EEXIST) {
    PyErr_Format(PyExc_FileExistsError, "an array is published as '%s' already; replace=True replaces it",
                 name);
    return NULL;
  }
  if (status != NUMD_OK)
    return raise_status(state, status);
  Py_RETURN_NONE;
}

static PyObject *no_such_name(struct state *state, int status, const char *name) {
  if (status != NUMD_ESEGMENT)
    return raise_status(state, status);
  PyErr_Format(PyExc_KeyError, "no array is published as '%s'", name);
  return NULL;
}

/* A name and a session: what open and unpublish take. */
static numd_conn *name_read(struct state *state, PyObject *args, PyObject *kwargs, const char *format,
                            const char **name) {
  static char *keywords[] = {"name", "session", NULL};
  PyObject *session = Py_None;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, format, keywords, name, &session))
    return NULL;
  return session_conn(state, session);
}

static PyObject *create_open(PyObject *module, PyObject *args, PyObject *kwargs) {
  struct state *state = module_state(module);
  const char *name;
  numd_array *view = NULL;
  int status;
  numd_conn *conn = name_read(state, args, kwargs, "s|$O:open", &name);
  if (!conn)
    return NULL;
  Py_BEGIN_ALLOW_THREADS;
  status = numd_open(conn, name, &view);
  numd_conn_unref(conn);
  Py_END_ALLOW_THREADS;
  return status == NUMD_OK ? array_wrap(state, view) : no_such_name(state, status, name);
}

static PyObject *create_unpublish(PyObject *module, PyObject *args, PyObject *kwargs) {
  struct state *state = module_state(module);
  const char *name;
  int status;
  numd_conn *conn = name_read(state, args, kwargs, "s|$O:unpublish", &name);
  if (!conn)
    return NULL;
  Py_BEGIN_ALLOW_THREADS;
  status = numd_unpublish(conn, name);
  numd_conn_unref(conn);
  Py_END_ALLOW_THREADS;
  if (status != NUMD_OK)
    return no_such_name(state, status, name);
  Py_RETURN_NONE;
}

/* The text of numd_memory. */
static PyObject *create_memory(PyObject *module, PyObject *session) {
  struct state *state = module_state(module);
  char *text = NULL;
  int status;
  numd_conn *conn = session_conn(state, session);
  if (!conn)
    return NULL;
  Py_BEGIN_ALLOW_THREADS;
  status = numd_memory(conn, &text);
  numd_conn_unref(conn);
  Py_END_ALLOW_THREADS;
  if (status != NUMD_OK)
    return raise_status(state, status);
  PyObject *answer = PyUnicode_FromString(text);
  free(text);
  return answer;
}

#define KEYWORDS(function) (PyCFunction)(void (*)(void))(function), METH_VARARGS | METH_KEYWORDS

PyMethodDef create_methods[] = {
    {"asarray", KEYWORDS(create_asarray), DOC_ASARRAY},
    {"empty", KEYWORDS(create_empty), DOC_EMPTY},
    {"zeros", KEYWORDS(create_zeros), DOC_ZEROS},
    {"ones", KEYWORDS(create_ones), DOC_ONES},
    {"full", KEYWORDS(create_full), DOC_FULL},
    {"attach", KEYWORDS(create_attach), DOC_ATTACH},
    {"publish", KEYWORDS(create_publish), DOC_PUBLISH},
    {"open", KEYWORDS(create_open), DOC_OPEN},
    {"unpublish", KEYWORDS(create_unpublish), DOC_UNPUBLISH},
    {"_memory", create_memory, METH_O, NULL},
    {"_rebuild", create_rebuild, METH_VARARGS, NULL},
    {0},
};
