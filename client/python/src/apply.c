/* One operation on Python operands: the path of `numd.add(a, b, out=o)` and of `a + b`.
 *
 * Arrays and Python scalars become numd_args with a type check each and nothing allocated. What is
 * neither (an ndarray, a list, a NumPy scalar) is set aside first and converted when the connection is
 * known from the others; so is a scalar if all operands are scalars, for those are not weak.
 *
 * An operand of a type with `__numd_apply__` stands for a value that numd.function is tracing; it gets
 * the call instead: __numd_apply__(name, args, kwargs). */
#include <assert.h>

#include "pynumd.h"

static int other_session(void) {
  PyErr_SetString(PyExc_ValueError, "the arrays belong to different sessions");
  return -1;
}

int is_tracer(PyObject *object) {
  PyObject *hook = PyObject_GetAttr((PyObject *)Py_TYPE(object), globals.k_hook);
  PyErr_Clear();
  Py_XDECREF(hook);
  return hook != NULL;
}

static inline int operands_conn(struct operands *operands, const numd_array *view) {
  if (operands->conn == view->conn)
    return 0;
  if (operands->conn)
    return other_session();
  operands->conn = view->conn;
  return 0;
}

/* 0; -1; 1: left for operands_convert. */
static inline int operand_read(struct operands *operands, int i, PyObject *object) {
  numd_arg *arg = &operands->args[i];
  operands->owned[i] = NULL;
  if (array_check(object)) {
    arg->array = array_view(object);
    return operands_conn(operands, arg->array);
  }
  arg->array = NULL;
  int kind = scalar_parse(object, &arg->scalar);
  return kind < 0 ? -1 : !kind;
}

static int operand_convert(struct operands *operands, int i, PyObject *object) {
  if (!operands->conn && !(operands->conn = session_conn(NULL)))
    return -1;
  operands->owned[i] = array_from(object, NUMD_DTYPE_NONE, operands->conn);
  if (!operands->owned[i])
    return -1;
  operands->args[i].array = array_view(operands->owned[i]);
  return 0;
}

static int operands_convert(struct operands *operands, PyObject *const *objects, unsigned left) {
  for (int i = 0; i < operands->n; i++)
    if (left & 1u << i && is_tracer(objects[i]))
      return 1;
  for (int i = 0; i < operands->n; i++)
    if (left & 1u << i && operand_convert(operands, i, objects[i]))
      return -1;
  return 0;
}

int operands_read(struct operands *operands, int n, PyObject *const *objects, PyObject *out) {
  unsigned left = 0, arrays = 0;
  assert(n > 0); /* there is no operation without an input */
  operands->conn = out ? array_view(out)->conn : NULL;
  operands->n = n;
  for (int i = 0; i < n; i++) {
    int status = operand_read(operands, i, objects[i]);
    if (status < 0) {
      operands->n = i;
      return -1;
    }
    left |= (unsigned)status << i;
    arrays |= (unsigned)!!operands->args[i].array << i;
  }
  if (!arrays && !left)
    left = (1u << n) - 1;
  return left ? operands_convert(operands, objects, left) : 0;
}

void operands_clear(struct operands *operands) {
  for (int i = 0; i < operands->n; i++)
    Py_CLEAR(operands->owned[i]);
}

/* ---- Computing */

static int apply_wait(struct operands *operands, numd_op op, const numd_params *params, numd_array **out,
                      numd_scalar *result) {
  numd_ticket ticket;
  int status = numd_apply_for(operands->conn, op, params, operands->n, operands->args, out, result,
                              WITH_GIL_NS, &ticket);
  status = wait_on(status, &ticket, result);
  operands_clear(operands);
  if (status > 0)
    raise_status(status);
  return status ? -1 : 0;
}

PyObject *operands_apply(struct operands *operands, numd_op op, const numd_params *params, PyObject *out) {
  numd_array *given = out ? array_view(out) : NULL;
  numd_array *view = given;
  if (!apply_wait(operands, op, params, &view, NULL))
    return out ? Py_NewRef(out) : array_wrap(view);
  if (!out)
    numd_array_unref(view);
  return NULL;
}

PyObject *operands_apply_scalar(struct operands *operands, numd_op op, const numd_params *params) {
  numd_scalar result;
  return apply_wait(operands, op, params, NULL, &result) ? NULL : scalar_object(&result);
}

PyObject *apply(numd_op op, const numd_params *params, int n, PyObject *const *objects, PyObject *out) {
  struct operands operands;
  int status = operands_read(&operands, n, objects, out);
  if (!status)
    return operands_apply(&operands, op, params, out);
  operands_clear(&operands);
  if (status > 0)
    PyErr_SetString(PyExc_TypeError, "a traced value cannot be stored in an array");
  return NULL;
}

/* ---- Functions of the module */

struct keywords {
  PyObject *out, *axis, *keepdims, *dtype;
};

static PyObject **keyword_slot(struct keywords *keywords, PyObject *name) {
  PyObject *const names[] = {globals.k_out, globals.k_axis, globals.k_keepdims, globals.k_dtype};
  PyObject **const slots[] = {&keywords->out, &keywords->axis, &keywords->keepdims, &keywords->dtype};
  for (int i = 0; i < 4; i++)
    if (name == names[i])
      return slots[i];
  for (int i = 0; i < 4; i++)
    if (PyUnicode_Compare(name, names[i]) == 0)
      return slots[i];
  return NULL;
}

static int keyword_unknown(const struct op *op, PyObject *name) {
  PyErr_Format(PyExc_TypeError, "%s() has no keyword argument '%U'", op->name, name);
  return -1;
}

static int keywords_read(const struct op *op, struct keywords *keywords, PyObject *const *values,
                         PyObject *names) {
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(names); i++) {
    PyObject **slot = keyword_slot(keywords, PyTuple_GET_ITEM(names, i));
    if (!slot)
      return keyword_unknown(op, PyTuple_GET_ITEM(names, i));
    if (*slot) {
      PyErr_Format(PyExc_TypeError, "%s() has '%U' twice", op->name, PyTuple_GET_ITEM(names, i));
      return -1;
    }
    *slot = values[i];
  }
  return 0;
}

/* Keywords that were given but do not belong to the operation. */
static int keywords_check(const struct op *op, const struct keywords *keywords) {
  int reduces = op->class[0] == 'R', casts = op->number == NUMD_OP_ASTYPE;
  if (!reduces && keywords->axis)
    return keyword_unknown(op, globals.k_axis);
  if (!reduces && keywords->keepdims)
    return keyword_unknown(op, globals.k_keepdims);
  if (keywords->dtype && !casts && strcmp(op->typing, "SUM"))
    return keyword_unknown(op, globals.k_dtype);
  if (casts && !keywords->dtype) {
    PyErr_SetString(PyExc_TypeError, "astype() needs a dtype");
    return -1;
  }
  return 0;
}

/* The positional argument after the inputs: out, or what the operation is mostly told next. */
static PyObject **positional_slot(const struct op *op, struct keywords *keywords) {
  if (op->class[0] == 'R')
    return &keywords->axis;
  return op->number == NUMD_OP_ASTYPE ? &keywords->dtype : &keywords->out;
}

static int arguments_count(const struct op *op, Py_ssize_t n) {
  PyErr_Format(PyExc_TypeError, "%s() takes %d positional argument%s and at most one more; %zd given",
               op->name, op->n_in, op->n_in == 1 ? "" : "s", n);
  return -1;
}

static int out_check(struct keywords *keywords) {
  if (keywords->out == Py_None)
    keywords->out = NULL;
  if (!keywords->out || array_check(keywords->out))
    return 0;
  PyErr_Format(PyExc_TypeError, "out is a %s, not a numd.Array", Py_TYPE(keywords->out)->tp_name);
  return -1;
}

static int arguments_read(const struct op *op, struct keywords *keywords, PyObject *const *args, Py_ssize_t n,
                          PyObject *kwnames) {
  if (n < op->n_in || n > op->n_in + 1)
    return arguments_count(op, n);
  if (n > op->n_in)
    *positional_slot(op, keywords) = args[op->n_in];
  if (kwnames && keywords_read(op, keywords, args + n, kwnames))
    return -1;
  return keywords_check(op, keywords) || out_check(keywords) ? -1 : 0;
}

static PyObject *call_tracer(const struct op *op, PyObject *const *args, PyObject *kwnames, Py_ssize_t n) {
  PyObject *hook = NULL, *answer = NULL;
  PyObject *tuple = PyTuple_New(n), *dict = PyDict_New();
  for (Py_ssize_t i = 0; i < n && tuple; i++)
    PyTuple_SET_ITEM(tuple, i, Py_NewRef(args[i]));
  for (Py_ssize_t i = 0; kwnames && dict && i < PyTuple_GET_SIZE(kwnames); i++)
    PyDict_SetItem(dict, PyTuple_GET_ITEM(kwnames, i), args[n + i]);
  for (int i = 0; i < op->n_in && !hook; i++)
    if (is_tracer(args[i]))
      hook = PyObject_GetAttr(args[i], globals.k_hook);
  if (hook && tuple && dict && !PyErr_Occurred())
    answer = PyObject_CallFunction(hook, "sOO", op->name, tuple, dict);
  Py_XDECREF(hook);
  Py_XDECREF(tuple);
  Py_XDECREF(dict);
  return answer;
}

static int params_read(const struct op *op, const struct keywords *keywords, int ndim, numd_params *params) {
  int keepdims = keywords->keepdims ? PyObject_IsTrue(keywords->keepdims) : 0;
  if (keepdims < 0)
    return -1;
  params->keepdims = keepdims;
  if (keywords->axis && axes_parse(keywords->axis, ndim, &params->axes))
    return -1;
  if (keywords->dtype && keywords->dtype != Py_None)
    return dtype_parse(keywords->dtype, &params->dtype);
  return 0;
}

static int operand_ndim(const numd_arg *arg) {
  return arg->array ? arg->array->layout->ndim : 0;
}

/* Whether the result has no dimensions and comes back as a Python scalar: full reductions, and products
 * of vectors. */
static int gives_scalar(const struct op *op, const struct operands *operands, const numd_params *params) {
  int ndim = operand_ndim(&operands->args[0]);
  uint32_t all = (1u << ndim) - 1;
  switch (op->class[0]) {
    case 'R':
      return !ndim || (!params->keepdims && (params->axes & all) == all);
    case 'P':
      return operands->n == 2 && ndim == 1 && operand_ndim(&operands->args[1]) == 1;
    default:
      return 0;
  }
}

static PyObject *op_compute(const struct op *op, struct operands *operands, const struct keywords *keywords) {
  numd_params params = {.axes = NUMD_ALL_AXES, .dtype = NUMD_DTYPE_NONE};
  if (op->class[0] == 'M' && op->number != NUMD_OP_ASTYPE)
    return operands_apply(operands, op->number, NULL, keywords->out);
  if (params_read(op, keywords, operand_ndim(&operands->args[0]), &params)) {
    operands_clear(operands);
    return NULL;
  }
  if (!keywords->out && gives_scalar(op, operands, &params))
    return operands_apply_scalar(operands, op->number, &params);
  return operands_apply(operands, op->number, &params, keywords->out);
}

PyObject *op_call(const struct op *op, PyObject *const *args, Py_ssize_t n, PyObject *kwnames) {
  struct keywords keywords = {0};
  struct operands operands;
  if (arguments_read(op, &keywords, args, n, kwnames))
    return NULL;
  int status = operands_read(&operands, op->n_in, args, keywords.out);
  if (!status)
    return op_compute(op, &operands, &keywords);
  operands_clear(&operands);
  return status > 0 ? call_tracer(op, args, kwnames, n) : NULL;
}
