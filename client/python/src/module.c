/* SPDX-License-Identifier: BSD-3-Clause */
/* The module numd._numd: makes the types, looks NumPy's functions up, expands the lists; keeps their state.
 */
#include "docstrings.h"
#include "pynumd.h"

/* ---- What is looked up in other modules */

PyObject *keep_once(PyObject **slot, PyObject *made) {
  PyObject *kept = NULL;
  if (!made || __atomic_compare_exchange_n(slot, &kept, made, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
    return made;
  Py_DECREF(made);
  return kept;
}

PyObject *imported(struct state *state, enum import which) {
  static const struct {
    const char *module, *attribute;
  } imports[] = {
#define X(NAME, module, attribute) [IMPORT_##NAME] = {module, attribute},
      IMPORT_LIST(X)
#undef X
  };
  PyObject **slot = &state->imports[which], *kept = __atomic_load_n(slot, __ATOMIC_ACQUIRE);
  if (kept)
    return kept;
  PyObject *module = PyImport_ImportModule(imports[which].module);
  if (!module || !imports[which].attribute)
    return keep_once(slot, module);
  PyObject *attribute = PyObject_GetAttrString(module, imports[which].attribute);
  Py_DECREF(module);
  return keep_once(slot, attribute);
}

static int names_init(struct state *state) {
#define X(name, text)                                    \
  if (!(state->name = PyUnicode_InternFromString(text))) \
    return -1;
  NAME_LIST(X)
#undef X
  return params_names_init(state);
}

/* An error is made when there may be no time left to import anything: at the end of the interpreter. */
static int imports_init(struct state *state) {
  PyObject *numpy = PyImport_ImportModule("numpy");
  if (!numpy)
    return -1;
#define X(name) state->name = PyObject_GetAttrString(numpy, #name);
  NUMPY_LIST(X)
#undef X
  Py_DECREF(numpy);
  return PyErr_Occurred() || !imported(state, IMPORT_MAKE_ERROR) ? -1 : 0;
}

/* ---- Attributes of the module */

static int dtype_list(PyObject *names, const char *name) {
  PyObject *text = PyUnicode_FromString(name);
  int status = text ? PyList_Append(names, text) : -1;
  Py_XDECREF(text);
  return status;
}

/* The dtype objects, the module's attributes of the same names, and the list of those. */
static int dtypes_init(PyObject *module, struct state *state) {
  PyObject *names = PyList_New(0);
  if (PyModule_AddObjectRef(module, "_dtypes", names))
    return -1;
  Py_DECREF(names);
#define X(number, NAME, name, ctype, kind, npchar)                                             \
  state->dtypes[number] = PyObject_CallFunction(state->dtype, "s", #name);                     \
  if (PyModule_AddObjectRef(module, #name, state->dtypes[number]) || dtype_list(names, #name)) \
    return -1;
  NUMD_DTYPE_LIST(X)
#undef X
  return 0;
}

static int types_init(PyObject *module, struct state *state) {
#define X(name)                                                        \
  if (!(state->name##_type = (PyTypeObject *)name##_type_new(module))) \
    return -1;
  TYPE_LIST(X)
#undef X
  return PyModule_AddObjectRef(module, "Array", (PyObject *)state->array_type) ||
                 PyModule_AddObjectRef(module, "Session", (PyObject *)state->session_type) ||
                 PyModule_AddObjectRef(module, "Future", (PyObject *)state->future_type) ||
                 PyModule_AddObjectRef(module, "function", (PyObject *)state->function_type) ||
                 PyModule_AddObjectRef(module, "_Plan", (PyObject *)state->plan_type)
             ? -1
             : 0;
}

/* numd._numd.statuses: name to number. */
static int statuses_init(PyObject *module) {
  PyObject *statuses = PyDict_New();
#define X(number, name, message)                         \
  PyObject *value_##name = PyLong_FromLong(number);      \
  if (statuses && value_##name)                          \
    PyDict_SetItemString(statuses, #name, value_##name); \
  Py_XDECREF(value_##name);
  NUMD_STATUS_LIST(X)
#undef X
  int failed = !statuses || PyErr_Occurred() || PyModule_AddObjectRef(module, "_statuses", statuses);
  Py_XDECREF(statuses);
  return failed ? -1 : 0;
}

static PyObject *module_stats(PyObject *module, PyObject *unused) {
  struct state *state = module_state(module);
  numd_conn *conn = session_conn(state, NULL);
  return conn ? session_stats_of(state, conn) : NULL;
}

static PyObject *module_calls(PyObject *module, PyObject *unused) {
  return PyLong_FromUnsignedLongLong(__atomic_load_n(&n_calls, __ATOMIC_RELAXED));
}

static PyObject *module_default_session(PyObject *module, PyObject *unused) {
  return session_get_default(module_state(module));
}

static PyMethodDef methods[] = {
    {"connect", (PyCFunction)(void (*)(void))session_connect, METH_VARARGS | METH_KEYWORDS, DOC_CONNECT},
    {"default_session", module_default_session, METH_NOARGS, DOC_DEFAULT_SESSION},
    {"_stats", module_stats, METH_NOARGS, NULL},
    {"_calls", module_calls, METH_NOARGS, NULL},
    {0},
};

/* ---- The module's life */

static int module_exec(PyObject *module) {
  struct state *state = module_state(module);
  return sessions_init(state) || names_init(state) || imports_init(state) || types_init(module, state) ||
                 dtypes_init(module, state) || values_init(state) || statuses_init(module) ||
                 ops_add_to(module) || PyModule_AddFunctions(module, create_methods) ||
                 PyModule_AddFunctions(module, attach_methods) ||
                 PyModule_AddFunctions(module, helper_methods) ||
                 PyModule_AddIntConstant(module, "_MAX_DIMS", NUMD_MAX_DIMS) ||
                 PyModule_AddStringConstant(module, "__version__", NUMD_VERSION)
             ? -1
             : 0;
}

static int module_traverse(PyObject *module, visitproc visit, void *arg) {
  struct state *state = module_state(module);
#define X(name) Py_VISIT(state->name##_type);
  TYPE_LIST(X)
#undef X
#define X(name) Py_VISIT(state->name);
  NUMPY_LIST(X)
#undef X
  for (int i = 0; i < NUMD_DTYPE_CODES; i++)
    Py_VISIT(state->dtypes[i]);
  for (int i = 0; i < NUMD_DTYPE_CODES; i++)
    Py_VISIT(state->values[i].type);
  for (int i = 0; i < 2; i++)
    Py_VISIT(state->bools[i]);
  for (int i = 0; i < N_IMPORTS; i++)
    Py_VISIT(state->imports[i]);
  Py_VISIT(state->default_session);
  Py_VISIT(state->kept_sessions);
  return 0;
}

static int module_clear(PyObject *module) {
  struct state *state = module_state(module);
  arrays_forget_spare(state); /* while there is their type */
#define X(name) Py_CLEAR(state->name##_type);
  TYPE_LIST(X)
#undef X
#define X(name) Py_CLEAR(state->name);
  NUMPY_LIST(X)
#undef X
#define X(name, text) Py_CLEAR(state->name);
  NAME_LIST(X)
#undef X
  for (int i = 0; i < NUMD_DTYPE_CODES; i++)
    Py_CLEAR(state->dtypes[i]);
  for (int i = 0; i < NUMD_DTYPE_CODES; i++)
    Py_CLEAR(state->values[i].type);
  for (int i = 0; i < 2; i++)
    Py_CLEAR(state->bools[i]);
  for (int i = 0; i < NUMD_N_PARAMS; i++)
    Py_CLEAR(state->params[i]);
  for (int i = 0; i < N_IMPORTS; i++)
    Py_CLEAR(state->imports[i]);
  Py_CLEAR(state->default_session);
  Py_CLEAR(state->kept_sessions);
  return 0;
}

static void module_free(void *module) {
  module_clear(module);
  sessions_forget(module_state(module));
}

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, module_exec},
#if PY_VERSION_HEX >= 0x030C0000
    /* NumPy, which is imported here, can be loaded by the main interpreter alone. */
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED},
#endif
#ifdef Py_GIL_DISABLED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,          .m_name = "numd._numd",  .m_doc = DOC__NUMD,
    .m_size = sizeof(struct state), .m_methods = methods,    .m_slots = slots,
    .m_traverse = module_traverse,  .m_clear = module_clear, .m_free = module_free,
};

PyMODINIT_FUNC PyInit__numd(void);

PyMODINIT_FUNC PyInit__numd(void) {
  return PyModuleDef_Init(&definition);
}
