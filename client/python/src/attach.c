/* SPDX-License-Identifier: BSD-3-Clause */
/* Arrays on memory that exists already: of other libraries' objects, of handles, of published names. */
#include "create.h"
#include "docstrings.h"

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

static PyObject *attach_object(PyObject *module, PyObject *args, PyObject *kwargs) {
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

static PyObject *attach_rebuild(PyObject *module, PyObject *args) {
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

static PyObject *attach_publish(PyObject *module, PyObject *args, PyObject *kwargs) {
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

static PyObject *attach_open(PyObject *module, PyObject *args, PyObject *kwargs) {
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

static PyObject *attach_unpublish(PyObject *module, PyObject *args, PyObject *kwargs) {
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
static PyObject *memory_report(PyObject *module, PyObject *session) {
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

PyMethodDef attach_methods[] = {
    {"attach", KEYWORDS(attach_object), DOC_ATTACH},
    {"publish", KEYWORDS(attach_publish), DOC_PUBLISH},
    {"open", KEYWORDS(attach_open), DOC_OPEN},
    {"unpublish", KEYWORDS(attach_unpublish), DOC_UNPUBLISH},
    {"_memory", memory_report, METH_O, NULL},
    {"_rebuild", attach_rebuild, METH_VARARGS, NULL},
    {0},
};
