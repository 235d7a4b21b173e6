/* Between Python's values and numd's: dtypes, shapes, axes, scalars. */
#include "pynumd.h"

struct dtype_row {
  const char *name;
  char kind;
  char format[2];
};

/* NumPy names int64 after C's long, which is what its own buffers say. */
#define FORMAT(ctype, kind, npchar) ((kind) == 'i' && sizeof(ctype) == sizeof(long) ? 'l' : (npchar))

static struct dtype_row dtype_rows[NUMD_DTYPE_CODES] = {
#define X(number, NAME, name, ctype, kind, npchar) [number] = {#name, kind, {FORMAT(ctype, kind, npchar), 0}},
    NUMD_DTYPE_LIST(X)
#undef X
};

char dtype_kind(numd_dtype dtype) {
  return dtype_rows[dtype].kind;
}

char *dtype_format(numd_dtype dtype) {
  return dtype_rows[dtype].format;
}

numd_dtype dtype_lookup(PyObject *numpy_dtype) {
  for (int i = 0; i < NUMD_DTYPE_CODES; i++)
    if (globals.dtypes[i] == numpy_dtype)
      return (numd_dtype)i;
  PyObject *name = PyObject_GetAttrString(numpy_dtype, "name");
  const char *text = name && PyUnicode_Check(name) ? PyUnicode_AsUTF8(name) : NULL;
  int found = text ? numd_dtype_find(text) : -1;
  Py_XDECREF(name);
  PyErr_Clear();
  return found < 0 ? NUMD_DTYPE_NONE : (numd_dtype)found;
}

static PyObject *dtype_names(void) {
  PyObject *names = PyUnicode_FromString("");
  for (int i = 0; i < NUMD_DTYPE_CODES && names; i++)
    if (dtype_rows[i].name)
      Py_SETREF(names, PyUnicode_FromFormat("%U%s%s", names, PyUnicode_GET_LENGTH(names) ? ", " : "",
                                            dtype_rows[i].name));
  return names;
}

static int dtype_refuse(PyObject *numpy_dtype) {
  PyObject *names = dtype_names();
  if (names)
    PyErr_Format(PyExc_TypeError,
                 "numd has no dtype %S; it has %U: convert with .astype() or give dtype=", numpy_dtype,
                 names);
  Py_XDECREF(names);
  return -1;
}

int dtype_parse(PyObject *object, numd_dtype *dtype) {
  PyObject *numpy_dtype = PyObject_CallOneArg(globals.dtype, object);
  if (!numpy_dtype)
    return -1;
  *dtype = dtype_lookup(numpy_dtype);
  int status = *dtype == NUMD_DTYPE_NONE ? dtype_refuse(numpy_dtype) : 0;
  Py_DECREF(numpy_dtype);
  return status;
}

static int shape_item(PyObject *object, int64_t *length) {
  *length = PyNumber_AsSsize_t(object, PyExc_OverflowError);
  return *length == -1 && PyErr_Occurred() ? -1 : 0;
}

int shape_parse(PyObject *object, int64_t shape[NUMD_MAX_DIMS]) {
  if (PyIndex_Check(object))
    return shape_item(object, shape) ? -1 : 1;
  PyObject *items = PySequence_Fast(object, "a shape is an int or a sequence of ints");
  if (!items)
    return -1;
  Py_ssize_t n = PySequence_Fast_GET_SIZE(items);
  if (n > NUMD_MAX_DIMS) {
    PyErr_Format(PyExc_ValueError, "%zd dimensions; at most %d are possible", n, NUMD_MAX_DIMS);
    n = -1;
  }
  for (Py_ssize_t i = 0; i < n; i++)
    if (shape_item(PySequence_Fast_GET_ITEM(items, i), &shape[i]))
      n = -1;
  Py_DECREF(items);
  return (int)n;
}

PyObject *shape_tuple(int ndim, const int64_t shape[]) {
  PyObject *tuple = PyTuple_New(ndim);
  for (int i = 0; i < ndim && tuple; i++) {
    PyObject *length = PyLong_FromLongLong(shape[i]);
    if (!length)
      Py_CLEAR(tuple);
    else
      PyTuple_SET_ITEM(tuple, i, length);
  }
  return tuple;
}

/* A NumPy float64 is a float by inheritance, but not weak; hence exactly a float. */
int scalar_parse(PyObject *object, numd_scalar *out) {
  if (PyFloat_CheckExact(object)) {
    out->dtype = NUMD_FLOAT64;
    out->f = PyFloat_AS_DOUBLE(object);
    return 1;
  }
  if (!PyLong_Check(object))
    return 0;
  if (PyBool_Check(object)) {
    out->dtype = NUMD_BOOL;
    out->bits = object == Py_True;
    return 1;
  }
  out->dtype = NUMD_INT64;
  out->i = PyLong_AsLongLong(object);
  if (out->i != -1 || !PyErr_Occurred())
    return 1;
  PyErr_Format(PyExc_OverflowError, "Python integer %R does not fit int64", object);
  return -1;
}

PyObject *scalar_object(const numd_scalar *scalar) {
  return item_object(scalar->dtype, &scalar->bits);
}

#define ITEM_b(value) PyBool_FromLong((value) != 0)
#define ITEM_i(value) PyLong_FromLongLong(value)
#define ITEM_u(value) PyLong_FromUnsignedLongLong(value)
#define ITEM_f(value) PyFloat_FromDouble(value)

PyObject *item_object(numd_dtype dtype, const void *data) {
  switch (dtype) {
#define X(number, NAME, name, ctype, kind, npchar)           \
  case NUMD_##NAME: {                                        \
    ctype value;                                             \
    memcpy(&value, data, sizeof value);                      \
    return kind == 'b'   ? ITEM_b(value)                     \
           : kind == 'i' ? ITEM_i((long long)value)          \
           : kind == 'u' ? ITEM_u((unsigned long long)value) \
                         : ITEM_f((double)value);            \
  }
    NUMD_DTYPE_LIST(X)
#undef X
    default:
      PyErr_Format(PyExc_SystemError, "unknown dtype %d", (int)dtype);
      return NULL;
  }
}

int axis_parse(PyObject *object, int ndim) {
  Py_ssize_t axis = PyNumber_AsSsize_t(object, PyExc_ValueError);
  if (axis == -1 && PyErr_Occurred())
    return -1;
  if (axis < -ndim || axis >= ndim) {
    PyErr_Format(PyExc_ValueError, "axis %zd is out of bounds for an array of dimension %d", axis, ndim);
    return -1;
  }
  return (int)(axis < 0 ? axis + ndim : axis);
}

static int axes_add(PyObject *object, int ndim, uint32_t *axes) {
  int axis = axis_parse(object, ndim);
  if (axis < 0)
    return -1;
  if (*axes & 1u << axis) {
    PyErr_Format(PyExc_ValueError, "axis %d is given twice", axis);
    return -1;
  }
  *axes |= 1u << axis;
  return 0;
}

int axes_parse(PyObject *object, int ndim, uint32_t *axes) {
  *axes = NUMD_ALL_AXES;
  if (object == Py_None)
    return 0;
  *axes = 0;
  if (!PyTuple_Check(object))
    return axes_add(object, ndim, axes);
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(object); i++)
    if (axes_add(PyTuple_GET_ITEM(object, i), ndim, axes))
      return -1;
  return 0;
}
