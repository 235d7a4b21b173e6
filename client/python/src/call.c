/* SPDX-License-Identifier: BSD-3-Clause */
/* Calls of the functions that the rows of the list become.
 *
 * Every function takes its inputs by position and its parameters as keywords of their names, beside `out`
 * and, if it makes arrays out of nothing, `session`. One more positional argument is what the class mostly
 * wants next: `out` of an elementwise function, `axis` of a reduction, the dtype of astype. Concatenations
 * take any number of inputs.
 *
 * An elementwise function with nothing but inputs and `out` is on its way to the daemon before anything else
 * here is looked at. */
#include "pynumd.h"

/* What was given by keyword; value[i] counts where bit i of `given` is set. */
struct keywords {
  PyObject *out, *session;
  uint32_t given;
  PyObject *value[NUMD_N_PARAMS];
};

static int given_twice(const struct op_function *op, PyObject *name) {
  PyErr_Format(PyExc_TypeError, "%s() has '%U' twice", op->info->name, name);
  return -1;
}

static int keyword_object(const struct op_function *op, PyObject **slot, PyObject *name, PyObject *value) {
  if (*slot)
    return given_twice(op, name);
  *slot = value;
  return 0;
}

static int keyword_param(struct state *state, const struct op_function *op, struct keywords *keywords,
                         int bit, PyObject *value) {
  if (keywords->given >> bit & 1)
    return given_twice(op, state->params[bit]);
  keywords->given |= 1u << bit;
  keywords->value[bit] = value;
  return 0;
}

static int keyword_read(struct state *state, const struct op_function *op, struct keywords *keywords,
                        PyObject *name, PyObject *value) {
  if (name == state->k_out)
    return keyword_object(op, &keywords->out, name, value);
  int bit = params_find(state, op->info->params, name);
  if (bit >= 0)
    return keyword_param(state, op, keywords, bit, value);
  if (PyUnicode_Compare(name, state->k_out) == 0)
    return keyword_object(op, &keywords->out, name, value);
  if (op->info->op_class == NUMD_CLASS_MAKE && PyUnicode_Compare(name, state->k_session) == 0)
    return keyword_object(op, &keywords->session, name, value);
  PyErr_Format(PyExc_TypeError, "%s() has no keyword argument '%U'", op->info->name, name);
  return -1;
}

/* ---- Arguments */

static int arguments_count(const struct op_function *op, Py_ssize_t n) {
  if (op->info->n_in < 0)
    PyErr_Format(PyExc_TypeError, "%s() takes 1 to %d arrays; %zd given", op->info->name, MAX_INPUTS, n);
  else
    PyErr_Format(PyExc_TypeError, "%s() takes %d positional argument%s and at most one more; %zd given",
                 op->info->name, op->info->n_in, op->info->n_in == 1 ? "" : "s", n);
  return -1;
}

/* The positional argument after the inputs. */
static int positional_read(struct state *state, const struct op_function *op, struct keywords *keywords,
                           PyObject *value, Py_ssize_t n) {
  if (op->number == NUMD_OP_ASTYPE)
    return keyword_param(state, op, keywords, __builtin_ctz(NUMD_PARAM_DTYPE), value);
  if (op->info->op_class == NUMD_CLASS_MAP || op->info->op_class == NUMD_CLASS_PRODUCT)
    return keyword_object(op, &keywords->out, state->k_out, value);
  if (op->info->params & NUMD_PARAM_AXES)
    return keyword_param(state, op, keywords, __builtin_ctz(NUMD_PARAM_AXES), value);
  if (op->info->params & NUMD_PARAM_AXIS)
    return keyword_param(state, op, keywords, __builtin_ctz(NUMD_PARAM_AXIS), value);
  return arguments_count(op, n);
}

static int out_check(struct state *state, const struct op_function *op, struct keywords *keywords) {
  if (keywords->out == Py_None)
    keywords->out = NULL;
  if (!keywords->out)
    return 0;
  if (op->info->n_out > 1)
    PyErr_Format(PyExc_TypeError, "%s() gives several values and takes no out", op->info->name);
  else if (array_check(state, keywords->out))
    return 0;
  else
    PyErr_Format(PyExc_TypeError, "out is a %s, not a numd.Array", Py_TYPE(keywords->out)->tp_name);
  return -1;
}

/* Gives how many of the arguments are inputs, or -1. */
static int arguments_read(struct state *state, const struct op_function *op, struct keywords *keywords,
                          PyObject *const *args, Py_ssize_t n, PyObject *kwnames) {
  int n_in = op->info->n_in < 0 ? (int)(n > MAX_INPUTS ? MAX_INPUTS : n) : op->info->n_in;
  if (n < n_in || n > n_in + (op->info->n_in >= 0) || (n == 0 && op->info->n_in < 0))
    return arguments_count(op, n);
  if (n > n_in && positional_read(state, op, keywords, args[n_in], n))
    return -1;
  for (Py_ssize_t i = 0; kwnames && i < PyTuple_GET_SIZE(kwnames); i++)
    if (keyword_read(state, op, keywords, PyTuple_GET_ITEM(kwnames, i), args[n + i]))
      return -1;
  if (op->number == NUMD_OP_ASTYPE && !(keywords->given & NUMD_PARAM_DTYPE)) {
    PyErr_SetString(PyExc_TypeError, "astype() needs a dtype");
    return -1;
  }
  return out_check(state, op, keywords) ? -1 : n_in;
}

static PyObject *call_tracer(struct state *state, const struct op_function *op, PyObject *const *args,
                             PyObject *kwnames, Py_ssize_t n, int n_in) {
  PyObject *hook = NULL, *answer = NULL;
  PyObject *tuple = PyTuple_New(n), *dict = PyDict_New();
  for (Py_ssize_t i = 0; i < n && tuple; i++)
    PyTuple_SET_ITEM(tuple, i, Py_NewRef(args[i]));
  for (Py_ssize_t i = 0; kwnames && dict && i < PyTuple_GET_SIZE(kwnames); i++)
    PyDict_SetItem(dict, PyTuple_GET_ITEM(kwnames, i), args[n + i]);
  for (int i = 0; i < n_in && !hook; i++)
    if (is_tracer(state, args[i]))
      hook = PyObject_GetAttr(args[i], state->k_hook);
  if (hook && tuple && dict && !PyErr_Occurred())
    answer = PyObject_CallFunction(hook, "sOO", op->info->name, tuple, dict);
  Py_XDECREF(hook);
  Py_XDECREF(tuple);
  Py_XDECREF(dict);
  return answer;
}

/* ---- Results */

static int operand_ndim(const numd_arg *arg) {
  return arg->array ? arg->array->layout->ndim : 0;
}

/* Whether the result is known to have no dimensions, so that it can come back with the call: full reductions,
 * and products of vectors. */
static int gives_scalar(const struct op_function *op, const struct operands *operands,
                        const numd_params *params) {
  if (op->info->op_class == NUMD_CLASS_REDUCE) {
    int ndim = operand_ndim(&operands->args[0]);
    uint32_t all = (1u << ndim) - 1;
    return !ndim || (!(params->given & NUMD_PARAM_KEEPDIMS) &&
                     (!(params->given & NUMD_PARAM_AXES) || (params->axes & all) == all));
  }
  return (op->number == NUMD_OP_MATMUL || op->number == NUMD_OP_DOT) &&
         operand_ndim(&operands->args[0]) == 1 && operand_ndim(&operands->args[1]) == 1;
}

/* Takes over the references. */
static PyObject *results_wrap(struct state *state, numd_array *const views[], int n) {
  if (n == 1)
    return array_wrap(state, views[0]);
  PyObject *tuple = PyTuple_New(n);
  for (int i = 0; i < n; i++) {
    PyObject *item = tuple ? array_wrap(state, views[i]) : NULL;
    if (item)
      PyTuple_SET_ITEM(tuple, i, item);
    else if (tuple)
      Py_CLEAR(tuple);
    else
      numd_array_unref(views[i]);
  }
  return tuple;
}

/* Whether the result is new, and not memory that others see, or memory that the caller asked for. */
static int makes_values(const struct op_function *op) {
  return op->info->op_class != NUMD_CLASS_VIEW && op->info->op_class != NUMD_CLASS_MAKE &&
         op->number != NUMD_OP_COPY && op->number != NUMD_OP_ASTYPE;
}

/* As the caller wants a result without dimensions. */
static PyObject *finished(const struct op_function *op, PyObject *result, enum results results) {
  if (!makes_values(op))
    return results == RESULTS_ARRAYS ? array_of_namespace(result) : result;
  return results == RESULTS_VALUES ? values_of(result, NULL, 0) : array_as_value(result);
}

static PyObject *compute(const struct op_function *op, struct operands *operands, const numd_params *params,
                         PyObject *out, enum results results) {
  numd_array *views[NUMD_OP_MAX_OUT];
  if (out)
    return operands_apply(operands, op->number, params, out);
  if (gives_scalar(op, operands, params))
    return operands_apply_scalar(operands, op->number, params, results);
  if (operands_apply_all(operands, op->number, params, views))
    return NULL;
  return finished(op, results_wrap(operands->state, views, numd_op_n_arrays(op->number)), results);
}

/* ---- The call */

static PyObject *compute_with(const struct op_function *op, struct operands *operands,
                              const struct keywords *keywords, enum results results) {
  struct params params;
  int ndim = operands->n ? operand_ndim(&operands->args[0]) : 0;
  params.pub.given = 0;
  for (uint32_t left = keywords->given; left; left &= left - 1) {
    int bit = __builtin_ctz(left);
    if (params_set(operands->state, &params, bit, keywords->value[bit], ndim)) {
      operands_clear(operands);
      return NULL;
    }
  }
  return compute(op, operands, &params.pub, keywords->out, results);
}

/* What makes arrays out of nothing takes its scalars as they are, and is told where. */
static int make_read(struct operands *operands, int n_in, PyObject *const *args,
                     const struct keywords *keywords) {
  operands->n = 0;
  operands->held = keywords->out ? NULL : session_conn(operands->state, keywords->session);
  operands->conn = keywords->out ? array_view(keywords->out)->conn : operands->held;
  return operands->conn ? operands_read_weak(operands, n_in, args) : -1;
}

PyObject *op_call(struct state *state, const struct op_function *op, PyObject *const *args, Py_ssize_t n,
                  PyObject *kwnames, enum results results) {
  struct keywords keywords;
  struct operands operands;
  operands.state = state;
  keywords.out = keywords.session = NULL;
  keywords.given = 0;
  int n_in = arguments_read(state, op, &keywords, args, n, kwnames);
  if (n_in < 0)
    return NULL;
  int status = op->info->op_class == NUMD_CLASS_MAKE ? make_read(&operands, n_in, args, &keywords)
                                                     : operands_read(&operands, n_in, args, keywords.out);
  if (!status && op->info->op_class == NUMD_CLASS_MAP && !keywords.given)
    return keywords.out ? operands_apply(&operands, op->number, NULL, keywords.out)
                        : finished(op, operands_apply(&operands, op->number, NULL, NULL), results);
  if (!status)
    return compute_with(op, &operands, &keywords, results);
  operands_clear(&operands);
  return status > 0 ? call_tracer(state, op, args, kwnames, n, n_in) : NULL;
}
