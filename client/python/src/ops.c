/* The functions of the module: one for each row of the list of operations.
 *
 * Each row expands to an entry of the table and to a C function that passes the entry on; docstrings are
 * written from the rows when the module is made. A new row of the list needs nothing here. */
#include "pynumd.h"

enum {
#define X(number, NAME, name, class, n_in, typing, ulp, doc) INDEX_##NAME,
  NUMD_OP_LIST(X)
#undef X
      N_OPS
};

const int ops_count = N_OPS;

const struct op ops_table[] = {
#define X(number, NAME, name, class, n_in, typing, ulp, doc) \
  {NUMD_OP_##NAME, n_in, #name, #class, #typing, ulp, doc},
    NUMD_OP_LIST(X)
#undef X
};

#define X(number, NAME, name, class, n_in, typing, ulp, doc)                                             \
  _Static_assert(n_in <= MAX_INPUTS, #name);                                                             \
  static PyObject *op_##name(PyObject *module, PyObject *const *args, Py_ssize_t n, PyObject *kwnames) { \
    return op_call(&ops_table[INDEX_##NAME], args, n, kwnames);                                          \
  }
NUMD_OP_LIST(X)
#undef X

static PyMethodDef op_methods[N_OPS + 1] = {
#define X(number, NAME, name, class, n_in, typing, ulp, doc) \
  {#name, (PyCFunction)(void (*)(void))op_##name, METH_FASTCALL | METH_KEYWORDS, NULL},
    NUMD_OP_LIST(X)
#undef X
};

const struct op *op_find(numd_op number) {
  for (int i = 0; i < N_OPS; i++)
    if (ops_table[i].number == number)
      return &ops_table[i];
  return NULL;
}

/* ---- Docstrings, in numpydoc's form */

struct typing_note {
  const char *typing, *note;
};

static const struct typing_note typing_notes[] = {
    {"ANY", "Computes in the promoted dtype of the operands."},
    {"NUMBER", "Computes in the promoted dtype of the operands; bool is refused."},
    {"FLOAT", "Bool and integers become float64."},
    {"COMPARE", "The result is bool."},
    {"SELECT", "The first operand is bool; the others promote to the dtype of the result."},
    {"SUM", "Bool and integers accumulate in int64, float32 in float64."},
    {"LOGICAL", "Elements count as true if they are not zero; the result is bool."},
    {"MEAN", "Accumulates in float64; bool and integers give float64."},
};

static const char *typing_note(const struct op *op) {
  for (size_t i = 0; i < sizeof typing_notes / sizeof *typing_notes; i++)
    if (!strcmp(typing_notes[i].typing, op->typing))
      return typing_notes[i].note;
  return "";
}

static const char *op_inputs(const struct op *op) {
  static const char *const inputs[] = {"", "x", "x1, x2", "x1, x2, x3"};
  return inputs[op->n_in];
}

static int takes_dtype(const struct op *op) {
  return op->number == NUMD_OP_ASTYPE || !strcmp(op->typing, "SUM");
}

static void doc_signature(FILE *f, const struct op *op) {
  fprintf(f, "%s(%s, /, ", op->name, op_inputs(op));
  if (op->class[0] == 'R')
    fprintf(f, "axis=None, *, %skeepdims=False, out=None)", takes_dtype(op) ? "dtype=None, " : "");
  else
    fputs(takes_dtype(op) ? "dtype, *, out=None)" : "out=None)", f);
  fputs("\n--\n\n", f);
}

static void doc_parameters(FILE *f, const struct op *op) {
  fprintf(f, "\n\nParameters\n----------\n%s : array_like\n    Arrays, or Python scalars, which are weak.\n",
          op_inputs(op));
  if (op->class[0] == 'R')
    fputs("axis : None, int or tuple of int, optional\n    Axes to reduce; None means all of them.\n", f);
  if (takes_dtype(op))
    fprintf(f, "dtype : dtype%s\n    dtype of the result.\n", op->class[0] == 'R' ? ", optional" : "");
  if (op->class[0] == 'R')
    fputs("keepdims : bool, optional\n    Keep the reduced axes with length 1.\n", f);
  fputs("out : Array, optional\n    Where to store the result, cast by the same_kind rule.\n", f);
}

static void doc_results(FILE *f, const struct op *op) {
  fputs("\nReturns\n-------\n", f);
  if (op->class[0] == 'M')
    fputs("Array\n    `out`, or a new array of the broadcast shape.\n", f);
  else
    fputs("Array or scalar\n    `out`, a new array, or a Python scalar if no dimensions are left.\n", f);
  fprintf(f, "\nNotes\n-----\n%s", typing_note(op));
  if (op->ulp > 0)
    fprintf(f, "\nThe error of a float64 result is at most %g units in the last place.", op->ulp);
  fputc('\n', f);
}

/* Lives as long as the process. */
static char *op_doc(const struct op *op) {
  char *text = NULL;
  size_t n_text;
  FILE *f = open_memstream(&text, &n_text);
  if (!f)
    return NULL;
  doc_signature(f, op);
  fprintf(f, "%s.", op->doc);
  doc_parameters(f, op);
  doc_results(f, op);
  return fclose(f) ? NULL : text;
}

int ops_add_to(PyObject *module) {
  PyObject *table = PyTuple_New(N_OPS);
  if (!table)
    return -1;
  for (int i = 0; i < N_OPS; i++) {
    const struct op *op = &ops_table[i];
    if (!op_methods[i].ml_doc)
      op_methods[i].ml_doc = op_doc(op);
    PyObject *row = Py_BuildValue("(issisds)", (int)op->number, op->name, op->class, op->n_in, op->typing,
                                  op->ulp, op->doc);
    if (!row)
      break;
    PyTuple_SET_ITEM(table, i, row);
  }
  if (PyErr_Occurred() || PyModule_AddObjectRef(module, "_ops", table) ||
      PyModule_AddFunctions(module, op_methods)) {
    Py_DECREF(table);
    return -1;
  }
  Py_DECREF(table);
  return 0;
}
