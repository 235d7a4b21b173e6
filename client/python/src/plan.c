/* SPDX-License-Identifier: BSD-3-Clause */
/* Plans: a trace is turned into a program, the program is prepared by the daemon.
 *
 * numd._function.trace gives (nodes, captured, outputs, no_dims, build):
 *   nodes    one tuple for each value of the program, in order:
 *              ("input", Array)     an argument or a captured array
 *              ("scalar", sample)   an argument that is a Python scalar
 *              ("constant", value)
 *              ("op", number, inputs, params), a dict of parameters by their keywords
 *              ("part", i)          result i of the operation before, which gives several
 *   captured the inputs and scalars that are no arguments
 *   outputs  numbers of values;  no_dims: for each, whether it has no dimensions
 *   build    None: there is one output, and that is the result; True: the result is a tuple of them; else a
 *            function of a list of them */
#include "pynumd.h"

/* ---- Values of a program; each function gives the value's number, a negative status, or RAISED */

#define RAISED INT_MIN

static int add_input(struct state *state, numd_program *program, PyObject *array) {
  if (!array_check(state, array)) {
    PyErr_SetString(PyExc_TypeError, "an input of a program is an Array");
    return RAISED;
  }
  const numd_layout *layout = array_view(array)->layout;
  return numd_program_input(program, layout->dtype, layout->ndim, layout->shape, layout->strides);
}

static int add_scalar(numd_program *program, PyObject *value, int is_constant) {
  numd_scalar scalar;
  int kind = scalar_parse(value, &scalar);
  if (kind == 0)
    PyErr_Format(PyExc_TypeError, "a scalar of a program cannot be %R", value);
  if (kind != 1)
    return RAISED;
  return is_constant ? numd_program_constant(program, scalar) : numd_program_scalar(program, scalar.dtype);
}

static int params_of(struct state *state, const struct op_function *op, PyObject *dict,
                     struct params *params) {
  PyObject *name, *value;
  Py_ssize_t at = 0;
  params->pub.given = 0;
  while (PyDict_Next(dict, &at, &name, &value)) {
    int bit = params_find(state, op->info->params, name);
    if (bit < 0) {
      PyErr_Format(PyExc_TypeError, "%s() has no parameter '%U'", op->info->name, name);
      return -1;
    }
    if (params_set(state, params, bit, value, NUMD_MAX_DIMS))
      return -1;
  }
  return 0;
}

static int add_op(struct state *state, numd_program *program, PyObject *node) {
  int inputs[MAX_INPUTS];
  struct params params;
  PyObject *numbers = PyTuple_GET_ITEM(node, 2);
  const struct op_function *op = op_function_find((numd_op)PyLong_AsLong(PyTuple_GET_ITEM(node, 1)));
  int n = (int)PyTuple_GET_SIZE(numbers);
  if (!op || n > MAX_INPUTS) {
    PyErr_SetString(PyExc_TypeError, "no such operation");
    return RAISED;
  }
  for (int i = 0; i < n; i++)
    inputs[i] = (int)PyLong_AsLong(PyTuple_GET_ITEM(numbers, i));
  if (params_of(state, op, PyTuple_GET_ITEM(node, 3), &params))
    return RAISED;
  return numd_program_op(program, op->number, n, inputs, &params.pub);
}

static int add_node(struct state *state, numd_program *program, PyObject *node) {
  PyObject *kind = PyTuple_GET_ITEM(node, 0), *value = PyTuple_GET_ITEM(node, 1);
  if (!PyUnicode_CompareWithASCIIString(kind, "op"))
    return add_op(state, program, node);
  if (!PyUnicode_CompareWithASCIIString(kind, "part")) /* numd_program_op added all of them */
    return 0;
  if (!PyUnicode_CompareWithASCIIString(kind, "input"))
    return add_input(state, program, value);
  return add_scalar(program, value, !PyUnicode_CompareWithASCIIString(kind, "constant"));
}

static int refuse(struct state *state, int status) {
  if (status != RAISED)
    raise_status(state, -status);
  return -1;
}

static int add_nodes(struct state *state, numd_program *program, PyObject *nodes) {
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(nodes); i++) {
    int status = add_node(state, program, PyTuple_GET_ITEM(nodes, i));
    if (status < 0)
      return refuse(state, status);
  }
  return 0;
}

static int add_outputs(struct state *state, numd_program *program, const struct plan *plan, PyObject *values,
                       PyObject *const *outs) {
  for (int i = 0; i < plan->n_outputs || (i == 0 && plan->has_result); i++) {
    int value = (int)PyLong_AsLong(PyTuple_GET_ITEM(values, i));
    const numd_layout *out = outs && outs[i] ? array_view(outs[i])->layout : NULL;
    int status = plan->has_result ? numd_program_result(program, value)
                 : out ? numd_program_output(program, value, out->dtype, out->ndim, out->shape, out->strides)
                       : numd_program_output(program, value, NUMD_DTYPE_NONE, -1, NULL, NULL);
    if (status < 0)
      return refuse(state, status);
  }
  return 0;
}

/* ---- The plan */

static int plan_prepare(struct state *state, struct plan *self, const numd_program *program) {
  int status;
  Py_BEGIN_ALLOW_THREADS;
  status = numd_prepare(self->conn, program, &self->plan);
  Py_END_ALLOW_THREADS;
  if (status != NUMD_OK)
    raise_status(state, status);
  return status == NUMD_OK ? 0 : -1;
}

static int plan_compile(struct state *state, struct plan *self, PyObject *trace, PyObject *const *outs) {
  numd_program *program = numd_program_new();
  if (!program) {
    PyErr_NoMemory();
    return -1;
  }
  int failed = add_nodes(state, program, PyTuple_GET_ITEM(trace, 0)) ||
               add_outputs(state, program, self, PyTuple_GET_ITEM(trace, 2), outs) ||
               plan_prepare(state, self, program);
  numd_program_free(program);
  return failed ? -1 : 0;
}

static int plan_check_outs(const struct plan *plan, int n_results, int n_outs) {
  if (n_outs && n_outs != n_results) {
    PyErr_Format(PyExc_ValueError, "out has %d arrays for %d results", n_outs, n_results);
    return -1;
  }
  return 0;
}

static int plan_check_count(const struct plan *plan, int n_args) {
  Py_ssize_t n = n_args + PyTuple_GET_SIZE(plan->captured) + plan->n_outputs;
  if (n <= NUMD_MAX_BINDINGS)
    return 0;
  PyErr_Format(PyExc_ValueError, "%zd arguments, captured arrays and results; at most %d are possible", n,
               NUMD_MAX_BINDINGS);
  return -1;
}

/* Captured arrays decide the connection if no argument did, and must agree with it otherwise. */
static int plan_connect(struct state *state, struct plan *self, numd_conn *conn) {
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(self->captured); i++) {
    if (!array_check(state, PyTuple_GET_ITEM(self->captured, i)))
      continue;
    numd_conn *own = array_view(PyTuple_GET_ITEM(self->captured, i))->conn;
    if (conn && conn != own) {
      PyErr_SetString(PyExc_ValueError, "arguments and captured arrays belong to different sessions");
      return -1;
    }
    conn = own;
  }
  self->conn = conn ? numd_conn_ref(conn) : session_conn(state, NULL);
  return self->conn ? 0 : -1;
}

static int plan_describe(struct plan *self, PyObject *trace, int n_outs) {
  PyObject *no_dims = PyTuple_GET_ITEM(trace, 3);
  self->captured = Py_NewRef(PyTuple_GET_ITEM(trace, 1));
  self->n_outputs = (int)PyTuple_GET_SIZE(no_dims);
  self->build = Py_NewRef(PyTuple_GET_ITEM(trace, 4));
  if (plan_check_outs(self, self->n_outputs, n_outs))
    return -1;
  self->has_result = self->build == Py_None && !n_outs && PyTuple_GET_ITEM(no_dims, 0) == Py_True;
  if (self->has_result)
    self->n_outputs = 0;
  return 0;
}

struct plan *plan_build(struct state *state, PyObject *trace, numd_conn *conn, int n_args,
                        PyObject *const *outs, int n_outs, const struct key *key) {
  struct plan *self = PyObject_GC_New(struct plan, state->plan_type);
  if (!self)
    return NULL;
  memset((char *)self + sizeof(PyObject), 0, sizeof *self - sizeof(PyObject));
  size_t bytes = offsetof(struct key, item) + (size_t)key->n * sizeof *key->item;
  self->key = PyMem_Malloc(bytes);
  if (self->key)
    memcpy(self->key, key, bytes);
  else
    PyErr_NoMemory();
  if (!self->key || plan_describe(self, trace, n_outs) || plan_check_count(self, n_args) ||
      plan_connect(state, self, conn) || plan_compile(state, self, trace, n_outs ? outs : NULL))
    Py_CLEAR(self);
  else
    PyObject_GC_Track(self);
  return self;
}

static int plan_traverse(PyObject *object, visitproc visit, void *arg) {
  struct plan *self = (struct plan *)object;
  Py_VISIT(Py_TYPE(object));
  Py_VISIT(self->captured);
  Py_VISIT(self->build);
  Py_VISIT(self->structure);
  return 0;
}

static int plan_clear(PyObject *object) {
  struct plan *self = (struct plan *)object;
  Py_CLEAR(self->captured);
  Py_CLEAR(self->build);
  Py_CLEAR(self->structure);
  return 0;
}

static void plan_dealloc(PyObject *object) {
  struct plan *self = (struct plan *)object;
  PyTypeObject *type = Py_TYPE(object);
  PyObject_GC_UnTrack(object);
  plan_clear(object);
  numd_plan_unref(self->plan);
  if (self->conn)
    numd_conn_unref(self->conn);
  PyMem_Free(self->key);
  PyObject_GC_Del(object);
  Py_DECREF(type);
}

PyObject *plan_type_new(PyObject *module) {
  PyType_Slot slots[] = {
      {Py_tp_dealloc, plan_dealloc},
      {Py_tp_traverse, plan_traverse},
      {Py_tp_clear, plan_clear},
      {0},
  };
  PyType_Spec spec = {
      .name = "numd._numd.Plan",
      .basicsize = sizeof(struct plan),
      .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION |
               Py_TPFLAGS_IMMUTABLETYPE,
      .slots = slots,
  };
  return PyType_FromModuleAndSpec(module, &spec, NULL);
}
