/* SPDX-License-Identifier: BSD-3-Clause */
/* Between Python's values and numd's: dtypes, shapes, axes, scalars. */
#include "pynumd.h"

struct dtype_row {
  const char *name;
  char kind;
  char format[3];
};

/* NumPy names integers of 64 bits after C's long, which is what its own buffers say; a complex number is a Z
 * and the letter of its parts. */
#define FORMAT(ctype, kind, npchar)                              \
  {                                                              \
    (kind) == 'c'                                    ? 'Z'       \
    : (kind) == 'i' && sizeof(ctype) == sizeof(long) ? 'l'       \
    : (kind) == 'u' && sizeof(ctype) == sizeof(long) ? 'L'       \
                                                     : (npchar), \
        (kind) != 'c'                        ? 0                 \
        : sizeof(ctype) == 2 * sizeof(float) ? 'f'               \
                                             : 'd',              \
        0                                                        \
  }

static struct dtype_row dtype_rows[NUMD_DTYPE_CODES] = {
#define X(number, NAME, name, ctype, kind, npchar) [number] = {#name, kind, FORMAT(ctype, kind, npchar)},
    NUMD_DTYPE_LIST(X)
#undef X
};

char dtype_kind(numd_dtype dtype) {
  return dtype_rows[dtype].kind;
}

char *dtype_format(numd_dtype dtype) {
  return dtype_rows[dtype].format;
}

numd_dtype dtype_lookup(struct state *state, PyObject *numpy_dtype) {
  for (int i = 0; i < NUMD_DTYPE_CODES; i++)
    if (state->dtypes[i] == numpy_dtype)
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

int dtype_refuse(PyObject *numpy_dtype) {
  PyObject *names = dtype_names();
  if (names)
    PyErr_Format(PyExc_TypeError,
                 "numd has no dtype %S; it has %U: convert with .astype() or give dtype=", numpy_dtype,
                 names);
  Py_XDECREF(names);
  return -1;
}

/* 1, 0 or -1. */
static int dtype_is_native(PyObject *numpy_dtype) {
  PyObject *native = PyObject_GetAttrString(numpy_dtype, "isnative");
  int truth = native ? PyObject_IsTrue(native) : -1;
  Py_XDECREF(native);
  return truth;
}

int dtype_parse(struct state *state, PyObject *object, numd_dtype *dtype) {
  for (int i = 0; i < NUMD_DTYPE_CODES; i++)
    if (object == state->dtypes[i]) {
      *dtype = (numd_dtype)i;
      return 0;
    }
  PyObject *numpy_dtype = PyObject_CallOneArg(state->dtype, object);
  if (!numpy_dtype)
    return -1;
  *dtype = dtype_lookup(state, numpy_dtype);
  int native = *dtype == NUMD_DTYPE_NONE ? dtype_refuse(numpy_dtype) : dtype_is_native(numpy_dtype);
  if (!native)
    PyErr_Format(PyExc_TypeError, "%S is in another byte order than this machine's", numpy_dtype);
  Py_DECREF(numpy_dtype);
  return native == 1 ? 0 : -1;
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

/* An int as the narrower of int64 and uint64 that holds it. */
static int scalar_int(PyObject *object, numd_scalar *out) {
  int overflow;
  out->dtype = NUMD_INT64;
  out->i = PyLong_AsLongLongAndOverflow(object, &overflow);
  if (overflow > 0) {
    out->dtype = NUMD_UINT64;
    out->u = PyLong_AsUnsignedLongLong(object);
  }
  if (!overflow || (overflow > 0 && !PyErr_Occurred()))
    return 1;
  PyErr_Format(PyExc_OverflowError, "Python integer %R does not fit 64 bits", object);
  return -1;
}

/* A NumPy float64 is a float by inheritance, but not weak; hence exactly a float, or a complex. */
int scalar_parse(PyObject *object, numd_scalar *out) {
  if (PyFloat_CheckExact(object)) {
    out->dtype = NUMD_FLOAT64;
    out->f = PyFloat_AS_DOUBLE(object);
    return 1;
  }
  if (PyBool_Check(object)) {
    out->dtype = NUMD_BOOL;
    out->bits = object == Py_True;
    return 1;
  }
  if (PyLong_Check(object))
    return scalar_int(object, out);
  if (!PyComplex_CheckExact(object))
    return 0;
  out->dtype = NUMD_COMPLEX128;
  out->c = (numd_complex128){PyComplex_RealAsDouble(object), PyComplex_ImagAsDouble(object)};
  return 1;
}

#define CASE(NAME, ctype, WIDE, member) \
  case NUMD_##NAME: {                   \
    ctype value;                        \
    memcpy(&value, data, sizeof value); \
    out->dtype = NUMD_##WIDE;           \
    out->member = value;                \
    return;                             \
  }

void scalar_widen(numd_dtype dtype, const void *data, numd_scalar *out) {
  numd_complex64 c64;
  switch (dtype) {
    CASE(BOOL, bool, BOOL, bits)
    CASE(INT8, int8_t, INT64, i)
    CASE(INT16, int16_t, INT64, i)
    CASE(INT32, int32_t, INT64, i)
    CASE(INT64, int64_t, INT64, i)
    CASE(UINT8, uint8_t, UINT64, u)
    CASE(UINT16, uint16_t, UINT64, u)
    CASE(UINT32, uint32_t, UINT64, u)
    CASE(UINT64, uint64_t, UINT64, u)
    CASE(FLOAT32, float, FLOAT64, f)
    CASE(FLOAT64, double, FLOAT64, f)
    CASE(COMPLEX128, numd_complex128, COMPLEX128, c)
    case NUMD_COMPLEX64:
      memcpy(&c64, data, sizeof c64);
      out->dtype = NUMD_COMPLEX128;
      out->c = (numd_complex128){c64.real, c64.imag};
      return;
    default:
      out->dtype = NUMD_DTYPE_NONE;
  }
}

PyObject *item_object(numd_dtype dtype, const void *data) {
  numd_scalar wide;
  scalar_widen(dtype, data, &wide);
  switch (wide.dtype) {
    case NUMD_BOOL:
      return PyBool_FromLong(wide.bits != 0);
    case NUMD_INT64:
      return PyLong_FromLongLong(wide.i);
    case NUMD_UINT64:
      return PyLong_FromUnsignedLongLong(wide.u);
    case NUMD_FLOAT64:
      return PyFloat_FromDouble(wide.f);
    case NUMD_COMPLEX128:
      return PyComplex_FromDoubles(wide.c.real, wide.c.imag);
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
  *axes = 0;
  if (!PyTuple_Check(object))
    return axes_add(object, ndim, axes);
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(object); i++)
    if (axes_add(PyTuple_GET_ITEM(object, i), ndim, axes))
      return -1;
  return 0;
}
