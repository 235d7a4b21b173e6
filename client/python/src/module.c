/* The module numd._numd: makes the types, looks NumPy's functions up, expands the lists. */
#include "docstrings.h"
#include "pynumd.h"

struct globals globals;

PyObject *module_attribute(const char *module_name, const char *name) {
  PyObject *module = PyImport_ImportModule(module_name);
  PyObject *attribute = module ? PyObject_GetAttrString(module, name) : NULL;
  Py_XDECREF(module);
  return attribute;
}

PyObject *keep_once(PyObject **slot, PyObject *made) {
  PyObject *kept = NULL;
  if (!made || __atomic_compare_exchange_n(slot, &kept, made, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
    return made;
  Py_DECREF(made);
  return kept;
}

PyObject *module_once(PyObject **slot, const char *module_name, const char *name) {
  PyObject *kept = __atomic_load_n(slot, __ATOMIC_ACQUIRE);
  return kept ? kept : keep_once(slot, module_attribute(module_name, name));
}

static int names_init(void) {
  globals.k_out = PyUnicode_InternFromString("out");
  globals.k_dtype = PyUnicode_InternFromString("dtype");
  globals.k_session = PyUnicode_InternFromString("session");
  globals.k_hook = PyUnicode_InternFromString("__numd_apply__");
  return PyErr_Occurred() ? -1 : 0;
}

static int imports_init(void) {
  PyObject *numpy = PyImport_ImportModule("numpy");
  PyObject *errors = numpy ? PyImport_ImportModule("numd._errors") : NULL;
  if (errors) {
    globals.asarray = PyObject_GetAttrString(numpy, "asarray");
    globals.copyto = PyObject_GetAttrString(numpy, "copyto");
    globals.array2string = PyObject_GetAttrString(numpy, "array2string");
    globals.dtype = PyObject_GetAttrString(numpy, "dtype");
    globals.ndarray = PyObject_GetAttrString(numpy, "ndarray");
    globals.generic = PyObject_GetAttrString(numpy, "generic");
    globals.make_error = PyObject_GetAttrString(errors, "make");
  }
  Py_XDECREF(errors);
  Py_XDECREF(numpy);
  return PyErr_Occurred() ? -1 : 0;
}

static int dtype_list(PyObject *names, const char *name) {
  PyObject *text = PyUnicode_FromString(name);
  int status = text ? PyList_Append(names, text) : -1;
  Py_XDECREF(text);
  return status;
}

/* The dtype objects, the module's attributes of the same names, and the list of those. */
static int dtypes_init(PyObject *module) {
  PyObject *names = PyList_New(0);
  if (PyModule_AddObjectRef(module, "_dtypes", names))
    return -1;
  Py_DECREF(names);
#define X(number, NAME, name, ctype, kind, npchar)                                              \
  globals.dtypes[number] = PyObject_CallFunction(globals.dtype, "s", #name);                    \
  if (PyModule_AddObjectRef(module, #name, globals.dtypes[number]) || dtype_list(names, #name)) \
    return -1;
  NUMD_DTYPE_LIST(X)
#undef X
  return 0;
}

static int types_init(PyObject *module) {
  static const struct {
    const char *name;
    PyTypeObject *type;
  } types[] = {
      {"Array", &array_type},       {"Session", &session_type}, {"Future", &future_type},
      {"function", &function_type}, {"_Plan", &plan_type},
  };
  if (array_type_init())
    return -1;
  for (size_t i = 0; i < sizeof types / sizeof *types; i++)
    if (PyType_Ready(types[i].type) ||
        PyModule_AddObjectRef(module, types[i].name, (PyObject *)types[i].type))
      return -1;
  return 0;
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
  numd_conn *conn = session_conn(NULL);
  return conn ? session_stats_of(conn) : NULL;
}

static PyObject *module_calls(PyObject *module, PyObject *unused) {
  return PyLong_FromUnsignedLongLong(__atomic_load_n(&n_calls, __ATOMIC_RELAXED));
}

static PyObject *module_default_session(PyObject *module, PyObject *unused) {
  return session_get_default();
}

static PyMethodDef methods[] = {
    {"connect", (PyCFunction)(void (*)(void))session_connect, METH_VARARGS | METH_KEYWORDS, DOC_CONNECT},
    {"default_session", module_default_session, METH_NOARGS, DOC_DEFAULT_SESSION},
    {"_stats", module_stats, METH_NOARGS, NULL},
    {"_calls", module_calls, METH_NOARGS, NULL},
    {0},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "numd._numd", .m_doc = DOC__NUMD, .m_size = -1, .m_methods = methods,
};

PyMODINIT_FUNC PyInit__numd(void);

PyMODINIT_FUNC PyInit__numd(void) {
  if (names_init() || params_names_init() || imports_init())
    return NULL;
  PyObject *module = PyModule_Create(&definition);
  if (!module)
    return NULL;
  if (types_init(module) || dtypes_init(module) || statuses_init(module) || ops_add_to(module) ||
      PyModule_AddFunctions(module, create_methods) || PyModule_AddFunctions(module, helper_methods) ||
      PyModule_AddIntConstant(module, "_MAX_DIMS", NUMD_MAX_DIMS) ||
      PyModule_AddStringConstant(module, "__version__", NUMD_VERSION)) {
    Py_DECREF(module);
    return NULL;
  }
#ifdef Py_GIL_DISABLED
  PyUnstable_Module_SetGIL(module, Py_MOD_GIL_NOT_USED);
#endif
  return module;
}
