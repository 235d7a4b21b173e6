/* SPDX-License-Identifier: BSD-3-Clause */
/* One operation on Python operands: the path of `numd.add(a, b, out=o)` and of `a + b`.
 *
 * Arrays and Python scalars become numd_args with a type check each and nothing allocated. What is
 * neither (an ndarray, a list, a NumPy scalar) is set aside first and converted when the connection is
 * known from the others; so is a scalar if all operands are scalars, for those are not weak.
 *
 * An operand of a type with `__numd_apply__` stands for a value that numd.function is tracing; it gets
 * the call instead: __numd_apply__(name, args, kwargs). */
#include "pynumd.h"

uint64_t n_calls;

static int other_session(void) {
  PyErr_SetString(PyExc_ValueError, "the arrays belong to different sessions");
  return -1;
}

int is_tracer(const struct state *state, PyObject *object) {
  PyObject *hook = PyObject_GetAttr((PyObject *)Py_TYPE(object), state->k_hook);
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
  if (array_check(operands->state, object)) {
    arg->array = array_view(object);
    return operands_conn(operands, arg->array);
  }
  arg->array = NULL;
  int kind = scalar_parse(object, &arg->scalar);
  return kind < 0 ? -1 : !kind;
}

static int operand_convert(struct operands *operands, int i, PyObject *object) {
  struct state *state = operands->state;
  if (!operands->conn && !(operands->conn = operands->held = session_conn(state, NULL)))
    return -1;
  operands->owned[i] = array_from(state, object, NUMD_DTYPE_NONE, operands->conn);
  if (!operands->owned[i])
    return -1;
  operands->args[i].array = array_view(operands->owned[i]);
  return 0;
}

/* One of NumPy's scalars beside an array may go with the call, as a Python scalar does, where being weak
 * makes no difference to the dtype in which the two meet. */
static int operand_as_scalar(struct operands *operands, int i, PyObject *object) {
  const numd_array *other = operands->n == 2 ? operands->args[1 - i].array : NULL;
  const void *bytes;
  numd_dtype dtype = other ? value_read(operands->state, object, &bytes) : NUMD_DTYPE_NONE;
  if (dtype == NUMD_DTYPE_NONE)
    return 0;
  scalar_widen(dtype, bytes, &operands->args[i].scalar);
  numd_dtype weak = operands->args[i].scalar.dtype, of_other = other->layout->dtype;
  return numd_promote(dtype, 0, of_other, 0) == numd_promote(weak, 1, of_other, 0);
}

static int operands_convert(struct operands *operands, PyObject *const *objects, unsigned left) {
  for (int i = 0; i < operands->n; i++)
    if (left & 1u << i && operand_as_scalar(operands, i, objects[i]))
      left &= ~(1u << i);
  for (int i = 0; i < operands->n; i++)
    if (left & 1u << i && is_tracer(operands->state, objects[i]))
      return 1;
  for (int i = 0; i < operands->n; i++)
    if (left & 1u << i && operand_convert(operands, i, objects[i]))
      return -1;
  return 0;
}

/* Reads what can be read as it is. Bits of what is left; *arrays gets those of arrays. -1: an exception. */
static inline int operands_scan(struct operands *operands, int n, PyObject *const *objects,
                                unsigned *arrays) {
  unsigned left = 0;
  operands->n = n;
  for (int i = 0; i < n; i++) {
    int status = operand_read(operands, i, objects[i]);
    if (status < 0) {
      operands->n = i;
      return -1;
    }
    left |= (unsigned)status << i;
    *arrays |= (unsigned)!!operands->args[i].array << i;
  }
  return (int)left;
}

int operands_read(struct operands *operands, int n, PyObject *const *objects, PyObject *out) {
  unsigned arrays = 0;
  operands->conn = out ? array_view(out)->conn : NULL;
  operands->held = NULL;
  int left = operands_scan(operands, n, objects, &arrays);
  if (!arrays && !left)
    left = (int)((1u << n) - 1);
  return left > 0 ? operands_convert(operands, objects, (unsigned)left) : left;
}

int operands_read_weak(struct operands *operands, int n, PyObject *const *objects) {
  unsigned arrays = 0;
  int left = operands_scan(operands, n, objects, &arrays);
  return left > 0 ? operands_convert(operands, objects, (unsigned)left) : left;
}

void operands_clear(struct operands *operands) {
  for (int i = 0; i < operands->n; i++)
    Py_CLEAR(operands->owned[i]);
  conn_drop(&operands->held);
  operands->held = NULL;
}

/* ---- Computing */

/* Whether a call that was lost is to be made again. */
static int is_repeated(int status, const struct operands *operands, numd_op op, numd_array *const out[]) {
  return status == NUMD_EDISCONNECTED &&
         numd_may_repeat(operands->n, operands->args, out ? numd_op_n_arrays(op) : 0, out);
}

static int apply_wait(struct operands *operands, numd_op op, const numd_params *params, numd_array **out,
                      numd_scalar *result) {
  numd_ticket ticket;
  int status, n = 0;
  count_call();
  do {
    status = numd_apply_for(operands->conn, op, params, operands->n, operands->args, out, result, WITH_GIL_NS,
                            &ticket);
    status = wait_on(status, &ticket, result);
  } while (++n < 2 && is_repeated(status, operands, op, out));
  operands_clear(operands);
  if (status > 0)
    raise_status(operands->state, status);
  return status ? -1 : 0;
}

PyObject *operands_apply(struct operands *operands, numd_op op, const numd_params *params, PyObject *out) {
  numd_array *given = out ? array_view(out) : NULL;
  numd_array *view = given;
  if (!apply_wait(operands, op, params, &view, NULL))
    return out ? Py_NewRef(out) : array_wrap(operands->state, view);
  if (!out)
    numd_array_unref(view);
  return NULL;
}

PyObject *operands_apply_scalar(struct operands *operands, numd_op op, const numd_params *params,
                                enum results results) {
  numd_scalar result;
  if (results == RESULTS_VALUES)
    return apply_wait(operands, op, params, NULL, &result)
               ? NULL
               : value_new(operands->state, result.dtype, &result.c);
  numd_conn *conn = numd_conn_ref(operands->conn); /* what was converted here may have been its last user */
  PyObject *array = apply_wait(operands, op, params, NULL, &result)
                        ? NULL
                        : array_as_value(array_from_scalar(operands->state, conn, &result));
  numd_conn_unref(conn);
  return array;
}

int operands_apply_all(struct operands *operands, numd_op op, const numd_params *params, numd_array *out[]) {
  numd_ticket ticket;
  numd_scalar count = {.dtype = NUMD_INT64};
  int n = numd_op_n_arrays(op), status, n_tries = 0;
  count_call();
  for (int i = 0; i < n; i++)
    out[i] = NULL;
  do {
    status = numd_apply_for(operands->conn, op, params, operands->n, operands->args, out, &count, WITH_GIL_NS,
                            &ticket);
    if (status == NUMD_ETIMEOUT && (status = wait_on(status, &ticket, &count)) == NUMD_OK)
      status = numd_trim(op, out, count.i);
  } while (++n_tries < 2 && is_repeated(status, operands, op, out));
  operands_clear(operands);
  for (int i = 0; i < n && status; i++)
    numd_array_unref(out[i]);
  if (status > 0)
    raise_status(operands->state, status);
  return status ? -1 : 0;
}

PyObject *apply(struct state *state, numd_op op, const numd_params *params, int n, PyObject *const *objects,
                PyObject *out) {
  struct operands operands;
  operands.state = state;
  int status = operands_read(&operands, n, objects, out);
  if (!status)
    return operands_apply(&operands, op, params, out);
  operands_clear(&operands);
  if (status > 0)
    PyErr_SetString(PyExc_TypeError, "a traced value cannot be stored in an array");
  return NULL;
}
