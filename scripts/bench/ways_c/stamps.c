/* SPDX-License-Identifier: BSD-3-Clause */
/* Stamps and the clock of a trace for Python: the module _bench_stamps. */
#include <Python.h>

#include "shared/trace.h"

/* stamp(point): appends the time to the log that $BENCH_TRACE named when the module was loaded. */
static PyObject *stamp(PyObject *module, PyObject *point) {
  long value = PyLong_AsLong(point);
  if (value == -1 && PyErr_Occurred())
    return NULL;
  trace_stamp((enum trace_point)value);
  Py_RETURN_NONE;
}

/* now(clock): the time by one of the CLOCKS. */
static PyObject *now(PyObject *module, PyObject *clock) {
  long value = PyLong_AsLong(clock);
  if (value == -1 && PyErr_Occurred())
    return NULL;
  return PyLong_FromUnsignedLongLong(trace_now((enum trace_clock)value));
}

static PyMethodDef functions[] = {
    {"stamp", stamp, METH_O, "stamp(point)"},
    {"now", now, METH_O, "now(clock) -> int"},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_bench_stamps",
    .m_doc = "Stamps of the time in a log that processes share.",
    .m_size = -1,
    .m_methods = functions,
};

static const struct {
  const char *name;
  long value;
} constants[] = {
    {"BEGIN", TRACE_BEGIN},
    {"ENCODED", TRACE_ENCODED},
    {"SENT", TRACE_SENT},
    {"TAKEN", TRACE_TAKEN},
    {"DECODED", TRACE_DECODED},
    {"CHECKED", TRACE_CHECKED},
    {"COMPUTED", TRACE_COMPUTED},
    {"SIGNALLED", TRACE_SIGNALLED},
    {"WOKEN", TRACE_WOKEN},
    {"END", TRACE_END},
    {"COST", TRACE_COST},
    {"POINT_BITS", TRACE_POINT_BITS},
    {"ENTRIES", TRACE_ENTRIES},
    {"LOG_BYTES", sizeof(struct trace_log)},
    {"MONOTONIC", TRACE_CLOCK_MONOTONIC},
    {"TSC", TRACE_CLOCK_TSC},
};

PyMODINIT_FUNC PyInit__bench_stamps(void);
PyMODINIT_FUNC PyInit__bench_stamps(void) {
  PyObject *module = PyModule_Create(&definition);
  for (size_t i = 0; module && i < sizeof(constants) / sizeof(constants[0]); i++)
    if (PyModule_AddIntConstant(module, constants[i].name, constants[i].value)) {
      Py_DECREF(module);
      return NULL;
    }
  return module;
}
