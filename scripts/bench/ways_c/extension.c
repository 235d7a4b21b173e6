/* SPDX-License-Identifier: BSD-3-Clause */
/* A Python extension on NumPy's C API, as one writes it by hand: arguments are checked, the GIL is released
 * while it computes on arrays that are large enough for that to pay (NumPy does the same), and C loops do the
 * work. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#define NPY_NO_DEPRECATED_API NPY_1_7_API_VERSION
#include <numpy/arrayobject.h>

#include "scripts/bench/ways_c/loops.h"

#define RELEASE_FROM 500 /* elements */

/* Contiguous float64 arrays with one shape, else NULL and an exception. */
static double *data(PyObject *object, PyObject *like) {
  PyArrayObject *array = (PyArrayObject *)object;
  if (!PyArray_Check(object) || PyArray_TYPE(array) != NPY_FLOAT64 || !PyArray_IS_C_CONTIGUOUS(array) ||
      !PyArray_SAMESHAPE(array, (PyArrayObject *)like)) {
    PyErr_SetString(PyExc_TypeError, "contiguous float64 arrays of one shape are wanted");
    return NULL;
  }
  return PyArray_DATA(array);
}

typedef void loop(long, const double *, const double *, double *);

static PyObject *run(loop *function, PyObject *const *args, Py_ssize_t n_args, int matrices) {
  double *a, *b, *out;
  if (n_args != 3) {
    PyErr_SetString(PyExc_TypeError, "three arrays are wanted");
    return NULL;
  }
  if (!PyArray_Check(args[0])) {
    PyErr_SetString(PyExc_TypeError, "arrays are wanted");
    return NULL;
  }
  if (!(a = data(args[0], args[0])) || !(b = data(args[1], args[0])) || !(out = data(args[2], args[0]))) {
    return NULL;
  }
  PyArrayObject *first = (PyArrayObject *)args[0];
  long size = PyArray_SIZE(first);
  if (matrices && (PyArray_NDIM(first) != 2 || PyArray_DIM(first, 0) != PyArray_DIM(first, 1))) {
    PyErr_SetString(PyExc_TypeError, "square matrices are wanted");
    return NULL;
  }
  long n = matrices ? (long)PyArray_DIM(first, 0) : size;
  PyThreadState *state = size >= RELEASE_FROM ? PyEval_SaveThread() : NULL;
  function(n, a, b, out);
  if (state) {
    PyEval_RestoreThread(state);
  }
  Py_RETURN_NONE;
}

static PyObject *extension_add(PyObject *self, PyObject *const *args, Py_ssize_t n_args) {
  (void)self;
  return run(loops_add, args, n_args, 0);
}

static PyObject *extension_expr(PyObject *self, PyObject *const *args, Py_ssize_t n_args) {
  (void)self;
  return run(loops_expr, args, n_args, 0);
}

static PyObject *extension_matmul(PyObject *self, PyObject *const *args, Py_ssize_t n_args) {
  (void)self;
  return run(loops_matmul, args, n_args, 1);
}

static PyObject *extension_sum(PyObject *self, PyObject *array) {
  (void)self;
  if (!PyArray_Check(array)) {
    PyErr_SetString(PyExc_TypeError, "an array is wanted");
    return NULL;
  }
  double *a = data(array, array), sum;
  if (!a) {
    return NULL;
  }
  long n = PyArray_SIZE((PyArrayObject *)array);
  PyThreadState *state = n >= RELEASE_FROM ? PyEval_SaveThread() : NULL;
  sum = loops_sum(n, a);
  if (state) {
    PyEval_RestoreThread(state);
  }
  return PyFloat_FromDouble(sum);
}

#define FAST(function) (PyCFunction)(void (*)(void)) function, METH_FASTCALL

static PyMethodDef methods[] = {
    {"add", FAST(extension_add), NULL},
    {"expr", FAST(extension_expr), NULL},
    {"matmul", FAST(extension_matmul), NULL},
    {"sum", extension_sum, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "_bench_extension", .m_size = -1,
                                        .m_methods = methods};

PyMODINIT_FUNC PyInit__bench_extension(void);
PyMODINIT_FUNC PyInit__bench_extension(void) {
  import_array();
  return PyModule_Create(&definition);
}
