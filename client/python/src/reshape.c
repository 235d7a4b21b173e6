/* SPDX-License-Identifier: BSD-3-Clause */
/* Arrays in other shapes: views of the same memory where strides can say it, copies where not. */
#include "pynumd.h"

static int64_t shape_size(int ndim, const int64_t shape[]) {
  int64_t size = 1;
  for (int i = 0; i < ndim; i++)
    if (__builtin_mul_overflow(size, shape[i], &size))
      return -1;
  return size;
}

/* Replaces the -1 that says "as many as there are". */
static int shape_complete(int ndim, int64_t shape[], int64_t size) {
  int open = -1;
  for (int i = 0; i < ndim; i++) {
    if (shape[i] >= 0)
      continue;
    if (open >= 0 || shape[i] != -1)
      return -1;
    shape[open = i] = 1;
  }
  int64_t known = shape_size(ndim, shape);
  if (open < 0)
    return known == size ? 0 : -1;
  if (known <= 0 || size % known)
    return -1;
  shape[open] = size / known;
  return 0;
}

static void strides_c_order(int ndim, const int64_t shape[], int64_t item, int64_t strides[]) {
  for (int i = ndim; i-- > 0; item *= shape[i] > 1 ? shape[i] : 1)
    strides[i] = item;
}

/* A run of axes that one can walk with a single stride. */
struct run {
  int64_t length, stride;
};

/* The axes of a layout, merged where the next begins where the previous ends. */
static int layout_runs(const numd_layout *layout, struct run runs[]) {
  int n = 0;
  for (int i = 0; i < layout->ndim; i++) {
    int64_t length = layout->shape[i], stride = layout->strides[i];
    if (length == 1)
      continue;
    if (n && runs[n - 1].stride == length * stride)
      runs[n - 1] = (struct run){runs[n - 1].length * length, stride};
    else
      runs[n++] = (struct run){length, stride};
  }
  return n;
}

/* Strides that show the same elements in another shape: each new axis must lie within one run. */
static int strides_reshaped(const numd_layout *from, int ndim, const int64_t shape[], int64_t strides[]) {
  struct run runs[NUMD_MAX_DIMS];
  int n = layout_runs(from, runs);
  for (int i = ndim; i-- > 0;) {
    while (n && runs[n - 1].length == 1)
      n--;
    strides[i] = n ? runs[n - 1].stride : (int64_t)numd_dtype_size(from->dtype);
    if (shape[i] == 1)
      continue;
    if (!n || runs[n - 1].length % shape[i])
      return -1;
    runs[n - 1] = (struct run){runs[n - 1].length / shape[i], runs[n - 1].stride * shape[i]};
  }
  return 0;
}

static PyObject *reshaped(PyObject *self, int ndim, const int64_t shape[]) {
  const numd_layout *from = array_view(self)->layout;
  int64_t strides[NUMD_MAX_DIMS];
  if (from->contiguous || !from->size)
    strides_c_order(ndim, shape, (int64_t)numd_dtype_size(from->dtype), strides);
  else if (strides_reshaped(from, ndim, shape, strides)) {
    PyObject *copy = array_copy(self, NULL);
    PyObject *answer = copy ? reshaped(copy, ndim, shape) : NULL;
    Py_XDECREF(copy);
    return answer;
  }
  return array_reshaped_view(self, 0, ndim, shape, strides);
}

/* f((2, 3)) and f(2, 3) are the same. */
static PyObject *unpacked(PyObject *args) {
  if (PyTuple_GET_SIZE(args) != 1)
    return args;
  PyObject *only = PyTuple_GET_ITEM(args, 0);
  return PyTuple_Check(only) || PyList_Check(only) ? only : args;
}

PyObject *array_reshape(PyObject *self, PyObject *args) {
  int64_t shape[NUMD_MAX_DIMS];
  int ndim = shape_parse(unpacked(args), shape);
  if (ndim < 0)
    return NULL;
  if (!shape_complete(ndim, shape, array_view(self)->layout->size))
    return reshaped(self, ndim, shape);
  PyErr_Format(PyExc_ValueError, "cannot reshape an array of %lld elements to %R",
               (long long)array_view(self)->layout->size, unpacked(args));
  return NULL;
}

int array_set_shape(PyObject *self, PyObject *shape, void *closure) {
  if (!shape) {
    PyErr_SetString(PyExc_AttributeError, "the shape of an array cannot be deleted");
    return -1;
  }
  PyObject *args = PyTuple_Pack(1, shape), *other = args ? array_reshape(self, args) : NULL;
  Py_XDECREF(args);
  if (!other)
    return -1;
  numd_array *before = array_view(self);
  int is_view = array_view(other)->data == before->data;
  if (is_view) {
    ((struct array *)self)->view = array_view(other);
    ((struct array *)other)->view = before;
  } else
    PyErr_SetString(PyExc_AttributeError, "this shape needs a copy: use reshape()");
  Py_DECREF(other);
  return is_view ? 0 : -1;
}

static PyObject *permuted(PyObject *self, const int axes[]) {
  const numd_layout *from = array_view(self)->layout;
  int64_t shape[NUMD_MAX_DIMS], strides[NUMD_MAX_DIMS];
  for (int i = 0; i < from->ndim; i++) {
    shape[i] = from->shape[axes[i]];
    strides[i] = from->strides[axes[i]];
  }
  return array_reshaped_view(self, 0, from->ndim, shape, strides);
}

PyObject *array_transposed(PyObject *self) {
  int axes[NUMD_MAX_DIMS], ndim = array_view(self)->layout->ndim;
  for (int i = 0; i < ndim; i++)
    axes[i] = ndim - 1 - i;
  return permuted(self, axes);
}

PyObject *array_transpose(PyObject *self, PyObject *args) {
  int axes[NUMD_MAX_DIMS], ndim = array_view(self)->layout->ndim;
  uint32_t seen = 0;
  PyObject *wanted = unpacked(args);
  Py_ssize_t n = PySequence_Size(wanted);
  if (n == 0 || (n == 1 && PyTuple_Check(wanted) && PyTuple_GET_ITEM(wanted, 0) == Py_None))
    return array_transposed(self);
  if (n != ndim) {
    PyErr_Format(PyExc_ValueError, "%zd axes given for an array of dimension %d", n, ndim);
    return NULL;
  }
  for (int i = 0; i < ndim; i++) {
    PyObject *item = PySequence_GetItem(wanted, i);
    axes[i] = item ? axis_parse(item, ndim) : -1;
    Py_XDECREF(item);
    if (axes[i] < 0)
      return NULL;
    seen |= 1u << axes[i];
  }
  if (seen == (1u << ndim) - 1)
    return permuted(self, axes);
  PyErr_SetString(PyExc_ValueError, "an axis is given twice");
  return NULL;
}
