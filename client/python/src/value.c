/* SPDX-License-Identifier: BSD-3-Clause */
/* Values: what an element, or a result without dimensions, is to a program. They are NumPy's scalars, made
 * here without a call into NumPy: by the type's own allocation, with the bytes put where that type keeps
 * them. Where that is differs between releases of NumPy, so it is found out when the module is made. */
#include <float.h>
#include <math.h>

#include "pynumd.h"

/* The bytes of a value that are looked for: no object has them by accident at the same place twice. */
static const unsigned char patterns[2][16] = {
    {0x12, 0x34, 0x56, 0x38, 0x9a, 0x3c, 0x5e, 0x40, 0x21, 0x43, 0x65, 0x37, 0xa9, 0x3b, 0xd5, 0x3f},
    {0x6d, 0x4b, 0x29, 0x3a, 0x65, 0x43, 0x21, 0x3e, 0x5e, 0x3c, 0x1a, 0x3c, 0x56, 0x34, 0x12, 0x41},
};

/* NumPy's own scalar of these bytes. */
static PyObject *scalar_by_numpy(struct state *state, numd_dtype dtype, const void *data) {
  PyObject *array = PyObject_CallFunction(state->frombuffer, "y#O", (const char *)data,
                                          (Py_ssize_t)numd_dtype_size(dtype), state->dtypes[dtype]);
  PyObject *first = array ? PySequence_GetItem(array, 0) : NULL;
  Py_XDECREF(array);
  return first;
}

static int has_at(PyObject *object, size_t place, const void *data, size_t size) {
  return !memcmp((const char *)object + place, data, size);
}

/* Where both scalars have their bytes; 0: nowhere. */
static size_t place_of(PyObject *const scalars[2], size_t size) {
  Py_ssize_t whole = Py_TYPE(scalars[0])->tp_basicsize;
  for (size_t place = sizeof(PyObject); place + size <= (size_t)whole; place++)
    if (has_at(scalars[0], place, patterns[0], size) && has_at(scalars[1], place, patterns[1], size))
      return place;
  return 0;
}

static int kind_init(struct state *state, numd_dtype dtype) {
  PyObject *scalars[2] = {scalar_by_numpy(state, dtype, patterns[0]),
                          scalar_by_numpy(state, dtype, patterns[1])};
  struct value_kind *kind = &state->values[dtype];
  if (scalars[0] && scalars[1]) {
    kind->type = (PyTypeObject *)Py_NewRef((PyObject *)Py_TYPE(scalars[0]));
    kind->place = place_of(scalars, numd_dtype_size(dtype));
    if (!kind->place)
      PyErr_Format(PyExc_ImportError, "NumPy's %s keeps its value where numd does not find it",
                   kind->type->tp_name);
  }
  Py_XDECREF(scalars[0]);
  Py_XDECREF(scalars[1]);
  return PyErr_Occurred() ? -1 : 0;
}

/* NumPy has two objects of that type, which programs compare by identity. */
static int bools_init(struct state *state) {
  for (int i = 0; i < 2; i++)
    if (!(state->bools[i] = scalar_by_numpy(state, NUMD_BOOL, &(uint8_t){(uint8_t)i})))
      return -1;
  return 0;
}

int values_init(struct state *state) {
  for (int i = 0; i < NUMD_DTYPE_CODES; i++)
    if (state->dtypes[i] && i != NUMD_BOOL && kind_init(state, (numd_dtype)i))
      return -1;
  return bools_init(state);
}

PyObject *value_new(struct state *state, numd_dtype dtype, const void *data) {
  if (dtype == NUMD_BOOL)
    return Py_NewRef(state->bools[*(const uint8_t *)data != 0]);
  const struct value_kind *kind = &state->values[dtype];
  PyObject *value = kind->type->tp_alloc(kind->type, 0);
  if (value)
    memcpy((char *)value + kind->place, data, numd_dtype_size(dtype));
  return value;
}

PyObject *value_at(PyObject *array, const void *data) {
  struct state *state = array_state(array);
  return future_settle(state, data, (const char *)data + 1)
             ? NULL
             : value_new(state, array_view(array)->layout->dtype, data);
}

PyObject *value_of(PyObject *result) {
  if (!result || Py_TYPE(result)->tp_dealloc != array_dealloc || array_view(result)->layout->ndim)
    return result;
  PyObject *value = value_at(result, array_view(result)->data);
  Py_DECREF(result);
  return value;
}

PyObject *values_of(PyObject *result, PyObject *const *given, Py_ssize_t n_given) {
  for (Py_ssize_t i = 0; i < n_given; i++)
    if (result == given[i])
      return result;
  if (!result || !PyTuple_CheckExact(result))
    return value_of(result);
  PyObject *values = PyTuple_New(PyTuple_GET_SIZE(result));
  for (Py_ssize_t i = 0; values && i < PyTuple_GET_SIZE(result); i++) {
    PyObject *value = values_of(Py_NewRef(PyTuple_GET_ITEM(result, i)), given, n_given);
    if (value)
      PyTuple_SET_ITEM(values, i, value);
    else
      Py_CLEAR(values);
  }
  Py_DECREF(result);
  return values;
}

numd_dtype value_read(const struct state *state, PyObject *object, const void **bytes) {
  static const uint8_t truths[2] = {0, 1};
  for (int i = 0; i < 2; i++)
    if (object == state->bools[i]) {
      *bytes = &truths[i];
      return NUMD_BOOL;
    }
  for (int i = 0; i < NUMD_DTYPE_CODES; i++)
    if (Py_IS_TYPE(object, state->values[i].type)) {
      *bytes = (const char *)object + state->values[i].place;
      return (numd_dtype)i;
    }
  return NUMD_DTYPE_NONE;
}

/* ---- Storing in one element */

static int out_of_bounds(numd_dtype dtype, PyObject *value) {
  PyErr_Format(PyExc_OverflowError, "Python integer %R out of bounds for %s", value, numd_dtype_name(dtype));
  return -1;
}

#define STORE(ctype, value)               \
  do {                                    \
    ctype stored = (ctype)(value);        \
    memcpy(data, &stored, sizeof stored); \
  } while (0)

/* An int that fits: 0. One that does not: 1, without an exception. */
static int store_int(numd_dtype dtype, PyObject *value, void *data) {
  int overflow;
  long long i = PyLong_AsLongLongAndOverflow(value, &overflow);
  if (overflow > 0 && dtype == NUMD_UINT64) {
    uint64_t u = PyLong_AsUnsignedLongLong(value);
    if (u == UINT64_MAX && PyErr_Occurred()) {
      PyErr_Clear();
      return 1;
    }
    STORE(uint64_t, u);
    return 0;
  }
  if (overflow)
    return 1;
  switch (dtype) {
#define CASE(NAME, ctype, least, most) \
  case NUMD_##NAME:                    \
    if (i < (least) || i > (most))     \
      return 1;                        \
    STORE(ctype, i);                   \
    return 0;
    CASE(INT8, int8_t, INT8_MIN, INT8_MAX)
    CASE(INT16, int16_t, INT16_MIN, INT16_MAX)
    CASE(INT32, int32_t, INT32_MIN, INT32_MAX)
    CASE(INT64, int64_t, INT64_MIN, INT64_MAX)
    CASE(UINT8, uint8_t, 0, UINT8_MAX)
    CASE(UINT16, uint16_t, 0, UINT16_MAX)
    CASE(UINT32, uint32_t, 0, UINT32_MAX)
    CASE(UINT64, uint64_t, 0, INT64_MAX)
#undef CASE
    case NUMD_FLOAT64: /* whose conversion is exact up to 2^53, and rounds as Python does beyond */
      if (i < -(1LL << 53) || i > 1LL << 53)
        return 1;
      STORE(double, i);
      return 0;
    default:
      return 1;
  }
}

/* What needs no thought: 0. Everything else: 1. */
static int store_plain(struct state *state, numd_dtype dtype, PyObject *value, void *data) {
  if (PyFloat_CheckExact(value) && dtype == NUMD_FLOAT64) {
    STORE(double, PyFloat_AS_DOUBLE(value));
    return 0;
  }
  if (PyBool_Check(value) && dtype == NUMD_BOOL) {
    STORE(uint8_t, value == Py_True);
    return 0;
  }
  if (PyFloat_CheckExact(value) && dtype == NUMD_FLOAT32 && fabs(PyFloat_AS_DOUBLE(value)) <= FLT_MAX) {
    STORE(float, PyFloat_AS_DOUBLE(value));
    return 0;
  }
  if (PyLong_CheckExact(value))
    return store_int(dtype, value, data);
  const void *bytes = NULL;
  if (value_read(state, value, &bytes) != dtype)
    return 1;
  memcpy(data, bytes, numd_dtype_size(dtype));
  return 0;
}

/* The conversion of an assignment is NumPy's, with its errors: `cell[()] = value` in an ndarray of one. */
static int store_by_numpy(struct state *state, numd_dtype dtype, PyObject *value, void *data) {
  PyObject *cell = PyObject_CallFunction(state->empty, "()O", state->dtypes[dtype]);
  PyObject *key = cell ? PyTuple_New(0) : NULL;
  Py_buffer buffer;
  int status = key ? PyObject_SetItem(cell, key, value) : -1;
  if (!status && !(status = PyObject_GetBuffer(cell, &buffer, PyBUF_SIMPLE))) {
    memcpy(data, buffer.buf, numd_dtype_size(dtype));
    PyBuffer_Release(&buffer);
  }
  Py_XDECREF(key);
  Py_XDECREF(cell);
  return status;
}

int value_convert(struct state *state, numd_dtype dtype, PyObject *value, void *data) {
  if (!store_plain(state, dtype, value, data))
    return 0;
  /* NumPy 1 lets integers wrap that do not fit; NumPy 2 and numd do not. */
  char kind = dtype_kind(dtype);
  if (PyLong_CheckExact(value) && (kind == 'i' || kind == 'u'))
    return out_of_bounds(dtype, value);
  return store_by_numpy(state, dtype, value, data);
}
