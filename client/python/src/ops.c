/* The functions of the module: one for each row of the list of operations.
 *
 * Each row expands to an entry of the table and to a C function that passes the entry on; docstrings are
 * written from the rows when the module is made. A new row of the list needs nothing here. */
#include <stdbool.h>

#include "pynumd.h"

enum {
#define X(number, NAME, name, class, inputs, outputs, kinds, typing, params, ulp, fast, doc) INDEX_##NAME,
  NUMD_OP_LIST(X)
#undef X
      N_OPS
};

const int ops_count = N_OPS;

#define X(NAME, sentence) static const char fast_##NAME[] = sentence;
NUMD_FAST_LIST(X)
#undef X

const struct op ops_table[] = {
#define X(opnumber, NAME, opname, opclass, inputs, outputs, opkinds, optyping, opparams, opulp, opfast, \
          opdoc)                                                                                        \
  {.number = NUMD_OP_##NAME,                                                                            \
   .class = CLASS_##opclass,                                                                            \
   .n_in = (inputs),                                                                                    \
   .n_out = NUMD_OUTPUTS_COUNT(outputs),                                                                \
   .params = (opparams),                                                                                \
   .ulp = (opulp),                                                                                      \
   .name = #opname,                                                                                     \
   .class_name = #opclass,                                                                              \
   .kinds = (opkinds),                                                                                  \
   .typing = #optyping,                                                                                 \
   .fast = fast_##opfast,                                                                               \
   .doc = (opdoc)},
    NUMD_OP_LIST(X)
#undef X
};

#define X(number, NAME, name, class, inputs, outputs, kinds, typing, params, ulp, fast, doc)             \
  static PyObject *op_##name(PyObject *module, PyObject *const *args, Py_ssize_t n, PyObject *kwnames) { \
    return op_call(module_state(module), &ops_table[INDEX_##NAME], args, n, kwnames);                    \
  }
NUMD_OP_LIST(X)
#undef X

static PyMethodDef op_methods[N_OPS + 1] = {
#define X(number, NAME, name, class, inputs, outputs, kinds, typing, params, ulp, fast, doc) \
  {#name, (PyCFunction)(void (*)(void))op_##name, METH_FASTCALL | METH_KEYWORDS, NULL},
    NUMD_OP_LIST(X)
#undef X
};

const struct op *op_find(numd_op number) {
  static const uint8_t places[] = {/* and one, so that 0 is none */
#define X(opnumber, NAME, name, class, inputs, outputs, kinds, typing, params, ulp, fast, doc) \
  [opnumber] = INDEX_##NAME + 1,
                                   NUMD_OP_LIST(X)
#undef X
  };
  _Static_assert(N_OPS < UINT8_MAX, "a place fits");
  int place = (size_t)number < sizeof places ? places[number] : 0;
  return place ? &ops_table[place - 1] : NULL;
}

/* ---- Docstrings, in numpydoc's form */

struct typing_note {
  const char *typing, *note;
};

static const struct typing_note typing_notes[] = {
    {"ANY", "Computes in the promoted dtype of the operands."},
    {"FLOAT", "Bool and integers of 8 and 16 bits become float32, other integers float64."},
    {"QUOTIENT", "Bool and integers become float64."},
    {"COMPARE", "The result is bool."},
    {"PART", "The result has the real dtype of complex numbers."},
    {"SELECT", "The first operand is bool; the others promote to the dtype of the result."},
    {"SUM", "Bool and integers accumulate in int64, unsigned ones in uint64, reals in float64."},
    {"LOGICAL", "Elements count as true if they are not zero; the result is bool."},
    {"MEAN", "Accumulates in float64 or complex128; bool and integers give float64."},
    {"INDEX", "The result is int64."},
    {"GATHER", "The result has the dtype of the first operand."},
};

static const char *typing_note(const struct op *op) {
  for (size_t i = 0; i < sizeof typing_notes / sizeof *typing_notes; i++)
    if (!strcmp(typing_notes[i].typing, op->typing))
      return typing_notes[i].note;
  return "";
}

static const char *op_inputs(const struct op *op) {
  static const char *const inputs[] = {"", "x", "x1, x2", "x1, x2, x3"};
  return op->n_in < 0 ? "*arrays" : inputs[op->n_in];
}

/* Whether the parameter may be given by position: the axis, and the dtype of astype. */
static bool by_position(const struct op *op, int bit) {
  uint32_t mask = NUMD_PARAM_AXES | NUMD_PARAM_AXIS | (op->number == NUMD_OP_ASTYPE ? NUMD_PARAM_DTYPE : 0);
  return mask >> bit & 1;
}

static void doc_keywords(const struct state *state, FILE *f, const struct op *op, bool positional) {
  for (int bit = 0; bit < N_PARAMS; bit++)
    if ((op->params >> bit & 1) && by_position(op, bit) == positional)
      fprintf(f, ", %s=%s", PyUnicode_AsUTF8(state->params[bit]),
              strcmp(params_table[bit].type, "FLAG") ? "None" : "False");
}

static void doc_signature(const struct state *state, FILE *f, const struct op *op) {
  const char *inputs = op_inputs(op);
  fprintf(f, "%s(%s%s", op->name, inputs, op->n_in > 0 ? ", /" : op->n_in < 0 ? "" : "*");
  doc_keywords(state, f, op, true);
  bool out_by_position = (op->class == CLASS_MAP || op->class == CLASS_PRODUCT) && !op->params;
  if (op->n_in > 0 && !out_by_position && (op->params || op->n_out == 1))
    fputs(", *", f);
  doc_keywords(state, f, op, false);
  if (op->n_out == 1)
    fputs(", out=None", f);
  if (op->class == CLASS_MAKE)
    fputs(", session=None", f);
  fputs(")\n--\n\n", f);
}

static const char *param_type_text(const char *type) {
  static const struct typing_note texts[] = {{"MASK", "int or tuple of int"},
                                             {"FLAG", "bool"},
                                             {"DTYPE", "dtype"},
                                             {"AXIS", "int"},
                                             {"N", "int"},
                                             {"K", "int"},
                                             {"REAL", "float"}};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
    if (!strcmp(texts[i].typing, type))
      return texts[i].note;
  return "int or tuple of int";
}

/* Begins with a capital letter, unless with a name or a formula. */
static void doc_sentence(FILE *f, const char *text) {
  size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz");
  bool word = n && strchr(" ,;:", text[n]) && strncmp(text, "x ", 2); /* strchr finds the end, too */
  fprintf(f, "%c%s.", word ? *text - 'a' + 'A' : *text, text + 1);
}

static void doc_parameters(const struct state *state, FILE *f, const struct op *op) {
  fputs("\n\nParameters\n----------\n", f);
  if (op->n_in)
    fprintf(f, "%s : array_like\n    Arrays, or Python scalars, which are weak.\n", op_inputs(op));
  for (int bit = 0; bit < N_PARAMS; bit++)
    if (op->params >> bit & 1) {
      fprintf(f, "%s : %s%s\n    ", PyUnicode_AsUTF8(state->params[bit]),
              param_type_text(params_table[bit].type), op->number == NUMD_OP_ASTYPE ? "" : ", optional");
      doc_sentence(f, params_table[bit].doc);
      fputc('\n', f);
    }
  if (op->n_out == 1)
    fputs("out : Array, optional\n    Where to store the result, cast by the same_kind rule.\n", f);
}

static void doc_results(FILE *f, const struct op *op) {
  fputs("\nReturns\n-------\n", f);
  if (op->n_out > 2)
    fputs("tuple of Array\n", f);
  else if (op->class == CLASS_MAP)
    fputs("Array\n    `out`, or a new array of the broadcast shape.\n", f);
  else
    fputs("Array\n    `out`, or a new array, which may have no dimensions.\n", f);
  fprintf(f, "\nNotes\n-----\n%s", typing_note(op));
  if (op->ulp > 0)
    fprintf(f, "\nThe error of a float64 result is at most %g unit%s in the last place.", op->ulp,
            op->ulp > 1 ? "s" : "");
  fprintf(f, "\nFast by %s.\n", op->fast);
}

/* Lives as long as the process. */
static char *op_doc(const struct state *state, const struct op *op) {
  char *text = NULL;
  size_t n_text;
  FILE *f = open_memstream(&text, &n_text);
  if (!f)
    return NULL;
  doc_signature(state, f, op);
  doc_sentence(f, op->doc);
  doc_parameters(state, f, op);
  doc_results(f, op);
  return fclose(f) ? NULL : text;
}

static PyObject *op_row(const struct op *op) {
  return Py_BuildValue("(issiissIdss)", (int)op->number, op->name, op->class_name, op->n_in, op->n_out,
                       op->kinds, op->typing, (unsigned)op->params, op->ulp, op->fast, op->doc);
}

static PyObject *ops_tuple(void) {
  PyObject *table = PyTuple_New(N_OPS);
  for (int i = 0; i < N_OPS && table; i++) {
    PyObject *row = op_row(&ops_table[i]);
    if (row)
      PyTuple_SET_ITEM(table, i, row);
    else
      Py_CLEAR(table);
  }
  return table;
}

static PyObject *params_tuple(const struct state *state) {
  PyObject *table = PyTuple_New(N_PARAMS);
  for (int bit = 0; bit < N_PARAMS && table; bit++) {
    PyObject *row = Py_BuildValue("(Oss)", state->params[bit], params_table[bit].type, params_table[bit].doc);
    if (row)
      PyTuple_SET_ITEM(table, bit, row);
    else
      Py_CLEAR(table);
  }
  return table;
}

static int add_object(PyObject *module, const char *name, PyObject *object) {
  int status = object ? PyModule_AddObjectRef(module, name, object) : -1;
  Py_XDECREF(object);
  return status;
}

/* A namespace of the functions, which get `module` for their `self`. */
static PyObject *rows_of(PyObject *module) {
  PyObject *rows = PyModule_New("numd"); /* where pickle finds its functions */
  PyObject *name = rows ? PyModule_GetNameObject(rows) : NULL;
  int failed = !name;
  for (int i = 0; i < N_OPS && !failed; i++)
    failed = add_object(rows, op_methods[i].ml_name, PyCFunction_NewEx(&op_methods[i], module, name));
  Py_XDECREF(name);
  if (failed)
    Py_CLEAR(rows);
  return rows;
}

/* The functions are in a namespace of their own: some are public as they are, others have a function in
 * Python in front. */
int ops_add_to(PyObject *module) {
  const struct state *state = module_state(module);
  for (int i = 0; i < N_OPS; i++)
    if (!op_methods[i].ml_doc)
      op_methods[i].ml_doc = op_doc(state, &ops_table[i]);
  return add_object(module, "rows", rows_of(module)) || add_object(module, "_ops", ops_tuple()) ||
                 add_object(module, "_params", params_tuple(state))
             ? -1
             : 0;
}
