/* SPDX-License-Identifier: BSD-3-Clause */
/* What belongs to one interpreter, in the state of the module: types, names, and objects of Python modules.
 *
 * A function of the module finds the state by its `self`, which is the module; a method by the type of its
 * object, for no type here has subclasses. From there it is handed down as the first argument. An interpreter
 * that imports the module anew has a second state, and to that the first one's Arrays are strangers. What
 * libnumd keeps (connections, the threads' channels) and the count of calls belong to the process. */
#ifndef STATE_H
#define STATE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <numd.h>

/* What is called of other modules: its name here, the module, and the attribute, or NULL for the module
 * itself. It is looked up when it is first needed. */
#define IMPORT_LIST(X)                                               \
  X(ASYNC_CALL, "numd._process.futures", "call")                     \
  X(ASYNC_WAIT, "numd._process.futures", "wait")                     \
  X(ADD_DONE_CALLBACK, "numd._process.futures", "add_done_callback") \
  X(FUNCTION_CALL, "numd._numpy.dispatch", "call")                   \
  X(MAKE_ERROR, "numd._errors", "make")                              \
  X(EXPLANATION, "numd._display", "Explanation")                     \
  X(INDEX_GET, "numd._standard.index", "get")                        \
  X(INDEX_SET, "numd._standard.index", "set")                        \
  X(MEMORY_DESCRIPTOR, "numd._process.memory", "descriptor")         \
  X(METHODS, "numd._numpy.methods", NULL)                            \
  X(NAMESPACE, "numd", NULL)                                         \
  X(PARAMETERS, "numd._function.pytree", "Parameters")               \
  X(PARTIAL, "functools", "partial")                                 \
  X(READ_JSON, "json", "loads")                                      \
  X(REBUILD, "numd", "_rebuild")                                     \
  X(TRACE, "numd._function.trace", "trace")                          \
  X(UFUNC_CALL, "numd._numpy.ufuncs", "call")                        \
  X(UFUNC_OPERATOR, "numd._numpy.ufuncs", "operator")                \
  X(UFUNC_ROWS, "numd._numpy.ufuncs", "ROWS")                        \
  X(UPDATE_WRAPPER, "functools", "update_wrapper")

enum import {
#define X(NAME, module, attribute) IMPORT_##NAME,
  IMPORT_LIST(X)
#undef X
      N_IMPORTS
};

/* Attributes of numpy. */
#define NUMPY_LIST(X) \
  X(asarray) X(copyto) X(array2string) X(dtype) X(ndarray) X(generic) X(frombuffer) X(empty)
/* Interned names. */
#define NAME_LIST(X) X(k_out, "out") X(k_dtype, "dtype") X(k_session, "session") X(k_hook, "__numd_apply__")
#define TYPE_LIST(X) X(array) X(session) X(future) X(function) X(plan)

/* Sessions of a state that are open, in a ring. */
struct session_link {
  struct session_link *next, *previous;
};

#define SPARE_MAX 64

/* The type of NumPy's scalars of one dtype, and where these keep their value. */
struct value_kind {
  PyTypeObject *type;
  size_t place;
};

struct state {
#define X(name) PyTypeObject *name##_type;
  TYPE_LIST(X)
#undef X
#define X(name) PyObject *name;
  NUMPY_LIST(X)
#undef X
#define X(name, text) PyObject *name;
  NAME_LIST(X)
#undef X
  PyObject *dtypes[NUMD_DTYPE_CODES]; /* the dtype object for each number, or NULL */
  PyObject *params[NUMD_N_PARAMS];    /* the keyword of each parameter's bit */
  PyObject *imports[N_IMPORTS];       /* NULL: not looked up yet */
  PyObject *default_session;
  PyObject *kept_sessions; /* a list: those to daemons of arrays that were unpickled */
  struct session_link sessions;
  struct pending *pendings; /* of future.c: the calls that run */
  struct value_kind values[NUMD_DTYPE_CODES];
  PyObject *bools[2]; /* NumPy's False and True */
#ifndef Py_GIL_DISABLED
  PyObject *spare_arrays[SPARE_MAX]; /* memory of dead ones, for array.c */
  int n_spare_arrays;
#endif
};

/* Of a function of the module. */
static inline struct state *module_state(PyObject *module) {
  return PyModule_GetState(module);
}

/* Of an object of a type of ours. */
static inline struct state *state_of(PyObject *self) {
  return PyType_GetModuleState(Py_TYPE(self));
}

/* One of IMPORT_LIST; borrowed. NULL with an exception. */
PyObject *imported(struct state *state, enum import which);
/* Keeps an object in a slot that is filled once, unless another thread was faster; takes the reference over.
 * What is in the slot; NULL for NULL. Borrowed. */
PyObject *keep_once(PyObject **slot, PyObject *made);

#endif
