/* SPDX-License-Identifier: BSD-3-Clause */
/* Operators of Array. Each one is an operation of the list; in-place forms store in the left operand, unless
 * that is a value. Results without dimensions are NumPy's scalars.
 *
 * An operand that cannot be an array is left to its own reflected operator (NotImplemented); so is one
 * that stands for a value being traced. */
#include "pynumd.h"

/* Whether it has ufuncs of its own, as arrays of other libraries have: those take care of both operands. */
static int has_own_ufuncs(const struct state *state, PyObject *object) {
  PyObject *own = PyObject_GetAttrString((PyObject *)Py_TYPE(object), "__array_ufunc__");
  PyObject *numpys = own ? PyObject_GetAttrString(state->ndarray, "__array_ufunc__") : NULL;
  PyErr_Clear();
  int differ = own && own != numpys;
  Py_XDECREF(own);
  Py_XDECREF(numpys);
  return differ;
}

static int has_array_hook(PyObject *object) {
  return PyObject_HasAttrString((PyObject *)Py_TYPE(object), "__array__") ||
         PyObject_HasAttrString((PyObject *)Py_TYPE(object), "__array_interface__");
}

static int is_operand(const struct state *state, PyObject *object) {
  if (array_check(state, object) || PyFloat_Check(object) || PyLong_Check(object) || PyComplex_Check(object))
    return 1;
  if (is_tracer(state, object) || PyUnicode_Check(object) || PyBytes_Check(object))
    return 0;
  if (PyList_Check(object) || PyTuple_Check(object) || Py_IS_TYPE(object, (PyTypeObject *)state->ndarray))
    return 1;
  return (PyObject_CheckBuffer(object) || has_array_hook(object)) && !has_own_ufuncs(state, object);
}

/* A result without dimensions is an Array where an operand is one that the namespace gave, else one of
 * NumPy's scalars. */
static PyObject *finished(const struct state *state, PyObject *result, int n, PyObject *const *operands) {
  for (int i = 0; i < n; i++)
    if (array_is_of_namespace(state, operands[i]))
      return array_as_value(result);
  return value_of(result);
}

static PyObject *binary(numd_op op, PyObject *a, PyObject *b, PyObject *out) {
  struct state *state = operator_state(a, b);
  PyObject *const operands[] = {a, b};
  if (!is_operand(state, a) || !is_operand(state, b))
    Py_RETURN_NOTIMPLEMENTED;
  if (out && ((struct array *)out)->is_value)
    out = NULL;
  PyObject *answer = apply(state, op, NULL, 2, operands, out);
  if (!answer)
    answer = dispatch_operator(state, op, 2, operands, out);
  return out ? answer : finished(state, answer, 2, operands);
}

static PyObject *unary(numd_op op, PyObject *a) {
  struct state *state = array_state(a);
  PyObject *answer = apply(state, op, NULL, 1, &a, NULL);
  return finished(state, answer ? answer : dispatch_operator(state, op, 1, &a, NULL), 1, &a);
}

/* Products go the way of the function, where the result of vectors comes back with the call. */
static PyObject *product(numd_op op, PyObject *a, PyObject *b) {
  struct state *state = operator_state(a, b);
  PyObject *const operands[] = {a, b};
  if (!is_operand(state, a) || !is_operand(state, b))
    Py_RETURN_NOTIMPLEMENTED;
  PyObject *answer = op_call(state, op_function_find(op), operands, 2, NULL, RESULTS_VALUES);
  return value_of(answer ? answer : dispatch_operator(state, op, 2, operands, NULL));
}

#define BINARY(name, OP)                                             \
  static PyObject *number_##name(PyObject *a, PyObject *b) {         \
    return binary(OP, a, b, NULL);                                   \
  }                                                                  \
  static PyObject *number_inplace_##name(PyObject *a, PyObject *b) { \
    return binary(OP, a, b, a);                                      \
  }

BINARY(add, NUMD_OP_ADD)
BINARY(subtract, NUMD_OP_SUBTRACT)
BINARY(multiply, NUMD_OP_MULTIPLY)
BINARY(divide, NUMD_OP_DIVIDE)
BINARY(floor_divide, NUMD_OP_FLOOR_DIVIDE)
BINARY(remainder, NUMD_OP_REMAINDER)
BINARY(and, NUMD_OP_BITWISE_AND)
BINARY(or, NUMD_OP_BITWISE_OR)
BINARY(xor, NUMD_OP_BITWISE_XOR)
BINARY(lshift, NUMD_OP_BITWISE_LEFT_SHIFT)
BINARY(rshift, NUMD_OP_BITWISE_RIGHT_SHIFT)

static PyObject *number_divmod(PyObject *a, PyObject *b) {
  PyObject *quotient = number_floor_divide(a, b);
  PyObject *rest = quotient && quotient != Py_NotImplemented ? number_remainder(a, b) : NULL;
  if (quotient == Py_NotImplemented)
    return quotient;
  PyObject *both = rest ? PyTuple_Pack(2, quotient, rest) : NULL;
  Py_XDECREF(quotient);
  Py_XDECREF(rest);
  return both;
}

static PyObject *number_power(PyObject *a, PyObject *b, PyObject *modulo) {
  if (modulo != Py_None)
    Py_RETURN_NOTIMPLEMENTED;
  return binary(NUMD_OP_POW, a, b, NULL);
}

static PyObject *number_inplace_power(PyObject *a, PyObject *b, PyObject *modulo) {
  if (modulo != Py_None)
    Py_RETURN_NOTIMPLEMENTED;
  return binary(NUMD_OP_POW, a, b, a);
}

static PyObject *number_matmul(PyObject *a, PyObject *b) {
  return product(NUMD_OP_MATMUL, a, b);
}

static PyObject *number_inplace_matmul(PyObject *a, PyObject *b) {
  return binary(NUMD_OP_MATMUL, a, b, a);
}

static PyObject *number_negative(PyObject *a) {
  return unary(NUMD_OP_NEGATIVE, a);
}
static PyObject *number_positive(PyObject *a) {
  return unary(NUMD_OP_POSITIVE, a);
}
static PyObject *number_invert(PyObject *a) {
  return unary(NUMD_OP_BITWISE_INVERT, a);
}
static PyObject *number_abs(PyObject *a) {
  return unary(NUMD_OP_ABS, a);
}

PyObject *array_compare(PyObject *self, PyObject *other, int how) {
  static const numd_op ops[] = {
      [Py_LT] = NUMD_OP_LESS,      [Py_LE] = NUMD_OP_LESS_EQUAL, [Py_EQ] = NUMD_OP_EQUAL,
      [Py_NE] = NUMD_OP_NOT_EQUAL, [Py_GT] = NUMD_OP_GREATER,    [Py_GE] = NUMD_OP_GREATER_EQUAL,
  };
  return binary(ops[how], self, other, NULL);
}

/* ---- As Python scalars */

static int number_bool(PyObject *a) {
  if (array_view(a)->layout->size != 1) {
    PyErr_SetString(PyExc_ValueError,
                    "the truth of an array that has not one element is ambiguous: use any() or all()");
    return -1;
  }
  PyObject *item = array_item(a);
  int truth = item ? PyObject_IsTrue(item) : -1;
  Py_XDECREF(item);
  return truth;
}

static PyObject *number_int(PyObject *a) {
  PyObject *item = array_item(a);
  PyObject *number = item ? PyNumber_Long(item) : NULL;
  Py_XDECREF(item);
  return number;
}

static PyObject *number_float(PyObject *a) {
  PyObject *item = array_item(a);
  PyObject *number = item ? PyNumber_Float(item) : NULL;
  Py_XDECREF(item);
  return number;
}

/* As NumPy: an array with dimensions is no index, whatever its size. */
static PyObject *number_index(PyObject *a) {
  const numd_layout *layout = array_view(a)->layout;
  char kind = dtype_kind(layout->dtype);
  if (layout->ndim == 0 && (kind == 'i' || kind == 'u'))
    return array_item(a);
  PyErr_SetString(PyExc_TypeError, "only an integer array without dimensions can be an index");
  return NULL;
}

const PyType_Slot number_slots[] = {
    {Py_nb_add, number_add},
    {Py_nb_subtract, number_subtract},
    {Py_nb_multiply, number_multiply},
    {Py_nb_true_divide, number_divide},
    {Py_nb_power, number_power},
    {Py_nb_matrix_multiply, number_matmul},
    {Py_nb_inplace_add, number_inplace_add},
    {Py_nb_inplace_subtract, number_inplace_subtract},
    {Py_nb_inplace_multiply, number_inplace_multiply},
    {Py_nb_inplace_true_divide, number_inplace_divide},
    {Py_nb_inplace_floor_divide, number_inplace_floor_divide},
    {Py_nb_inplace_remainder, number_inplace_remainder},
    {Py_nb_inplace_and, number_inplace_and},
    {Py_nb_inplace_or, number_inplace_or},
    {Py_nb_inplace_xor, number_inplace_xor},
    {Py_nb_inplace_lshift, number_inplace_lshift},
    {Py_nb_inplace_rshift, number_inplace_rshift},
    {Py_nb_inplace_power, number_inplace_power},
    {Py_nb_inplace_matrix_multiply, number_inplace_matmul},
    {Py_nb_floor_divide, number_floor_divide},
    {Py_nb_remainder, number_remainder},
    {Py_nb_divmod, number_divmod},
    {Py_nb_and, number_and},
    {Py_nb_or, number_or},
    {Py_nb_xor, number_xor},
    {Py_nb_lshift, number_lshift},
    {Py_nb_rshift, number_rshift},
    {Py_nb_invert, number_invert},
    {Py_nb_negative, number_negative},
    {Py_nb_positive, number_positive},
    {Py_nb_absolute, number_abs},
    {Py_nb_bool, number_bool},
    {Py_nb_int, number_int},
    {Py_nb_float, number_float},
    {Py_nb_index, number_index},
    {0},
};
