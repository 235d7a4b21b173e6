/* SPDX-License-Identifier: BSD-3-Clause */
/* The functions of the module: one for each row of the list of operations.
 *
 * The names of the rows expand to C functions, each of which passes its entry of the table on; everything
 * else that the rows say comes from the library (numd_op_info), and docstrings are written from that when the
 * module is made. A new row of the list needs nothing here. */
#include <pthread.h>
#include <stdbool.h>

#include "pynumd.h"

enum {
#define X(number, NAME, name, class, inputs, outputs, kinds, typing, params, ulp, fast, doc) PLACE_##NAME,
  NUMD_OP_LIST(X)
#undef X
      N_OPS
};

/* The library's constants: the same for every module that this process makes. */
static struct op_function functions[N_OPS] = {
#define X(number, NAME, name, class, inputs, outputs, kinds, typing, params, ulp, fast, doc) \
  {NUMD_OP_##NAME, NULL},
    NUMD_OP_LIST(X)
#undef X
};
static uint8_t places[NUMD_OP_CODES]; /* and one, so that 0 is none */
_Static_assert(N_OPS < UINT8_MAX, "a place fits");

#define X(number, NAME, name, class, inputs, outputs, kinds, typing, params, ulp, fast, doc)             \
  static PyObject *op_##name(PyObject *module, PyObject *const *args, Py_ssize_t n, PyObject *kwnames) { \
    return op_call(module_state(module), &functions[PLACE_##NAME], args, n, kwnames, RESULTS_ARRAYS);    \
  }
NUMD_OP_LIST(X)
#undef X

static PyMethodDef op_methods[N_OPS + 1] = {
#define X(number, NAME, name, class, inputs, outputs, kinds, typing, params, ulp, fast, doc) \
  {#name, (PyCFunction)(void (*)(void))op_##name, METH_FASTCALL | METH_KEYWORDS, NULL},
    NUMD_OP_LIST(X)
#undef X
};

static void fill_in(void) {
  for (int i = 0; i < N_OPS; i++) {
    functions[i].info = numd_op_info(functions[i].number);
    places[functions[i].number] = (uint8_t)(i + 1);
  }
}

const struct op_function *op_function_find(numd_op number) {
  int place = (size_t)number < sizeof places ? places[number] : 0;
  return place ? &functions[place - 1] : NULL;
}

const struct op_function *op_function_at(long place) {
  return &functions[place];
}

/* ---- Docstrings, in numpydoc's form */

static const char *op_inputs(const struct op_function *op) {
  static const char *const inputs[] = {"", "x", "x1, x2", "x1, x2, x3"};
  return op->info->n_in < 0 ? "*arrays" : inputs[op->info->n_in];
}

/* Whether the parameter may be given by position: the axis, and the dtype of astype. */
static bool by_position(const struct op_function *op, int bit) {
  uint32_t mask = NUMD_PARAM_AXES | NUMD_PARAM_AXIS | (op->number == NUMD_OP_ASTYPE ? NUMD_PARAM_DTYPE : 0);
  return mask >> bit & 1;
}

static void doc_keywords(const struct state *state, FILE *f, const struct op_function *op, bool positional) {
  for (int bit = 0; bit < NUMD_N_PARAMS; bit++)
    if ((op->info->params >> bit & 1) && by_position(op, bit) == positional)
      fprintf(f, ", %s=%s", PyUnicode_AsUTF8(state->params[bit]),
              numd_param_info(bit)->type == NUMD_TYPE_FLAG ? "False" : "None");
}

static void doc_signature(const struct state *state, FILE *f, const struct op_function *op) {
  const char *inputs = op_inputs(op);
  fprintf(f, "%s(%s%s", op->info->name, inputs, op->info->n_in > 0 ? ", /" : op->info->n_in < 0 ? "" : "*");
  doc_keywords(state, f, op, true);
  bool out_by_position =
      (op->info->op_class == NUMD_CLASS_MAP || op->info->op_class == NUMD_CLASS_PRODUCT) && !op->info->params;
  if (op->info->n_in > 0 && !out_by_position && (op->info->params || op->info->n_out == 1))
    fputs(", *", f);
  doc_keywords(state, f, op, false);
  if (op->info->n_out == 1)
    fputs(", out=None", f);
  if (op->info->op_class == NUMD_CLASS_MAKE)
    fputs(", session=None", f);
  fputs(")\n--\n\n", f);
}

/* Begins with a capital letter, unless with a name or a formula. */
static void doc_sentence(FILE *f, const char *text) {
  size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz");
  bool word = n && strchr(" ,;:", text[n]) && strncmp(text, "x ", 2); /* strchr finds the end, too */
  fprintf(f, "%c%s.", word ? *text - 'a' + 'A' : *text, text + 1);
}

static void doc_parameters(const struct state *state, FILE *f, const struct op_function *op) {
  fputs("\n\nParameters\n----------\n", f);
  if (op->info->n_in)
    fprintf(f, "%s : array_like\n    Arrays, or Python scalars, which are weak.\n", op_inputs(op));
  for (int bit = 0; bit < NUMD_N_PARAMS; bit++)
    if (op->info->params >> bit & 1) {
      fprintf(f, "%s : %s%s\n    ", PyUnicode_AsUTF8(state->params[bit]),
              numd_word(NUMD_WORDS_PARAM_TYPE, numd_param_info(bit)->type)->note,
              op->number == NUMD_OP_ASTYPE ? "" : ", optional");
      doc_sentence(f, numd_param_info(bit)->doc);
      fputc('\n', f);
    }
  if (op->info->n_out == 1)
    fputs("out : Array, optional\n    Where to store the result, cast by the same_kind rule.\n", f);
}

static void doc_results(FILE *f, const struct op_function *op) {
  fputs("\nReturns\n-------\n", f);
  if (op->info->n_out > 2)
    fputs("tuple of Array\n", f);
  else if (op->info->op_class == NUMD_CLASS_MAP)
    fputs("Array\n    `out`, or a new array of the broadcast shape.\n", f);
  else
    fputs("Array\n    `out`, or a new array, which may have no dimensions.\n", f);
  fprintf(f, "\nNotes\n-----\n%s", numd_word(NUMD_WORDS_TYPING, op->info->typing)->note);
  if (op->info->ulp > 0)
    fprintf(f, "\nThe error of a float64 result is at most %g unit%s in the last place.", op->info->ulp,
            op->info->ulp > 1 ? "s" : "");
  fprintf(f, "\nFast by %s.\n", numd_word(NUMD_WORDS_FAST, op->info->fast)->text);
}

/* Lives as long as the process. */
static char *op_doc(const struct state *state, const struct op_function *op) {
  char *text = NULL;
  size_t n_text;
  FILE *f = open_memstream(&text, &n_text);
  if (!f)
    return NULL;
  doc_signature(state, f, op);
  doc_sentence(f, op->info->doc);
  doc_parameters(state, f, op);
  doc_results(f, op);
  return fclose(f) ? NULL : text;
}

static PyObject *op_row(const struct op_function *op) {
  const struct numd_op_info *info = op->info;
  return Py_BuildValue("(issiissIdss)", (int)op->number, info->name,
                       numd_word(NUMD_WORDS_CLASS, info->op_class)->name, (int)info->n_in, (int)info->n_out,
                       info->kinds, numd_word(NUMD_WORDS_TYPING, info->typing)->name, (unsigned)info->params,
                       (double)info->ulp, numd_word(NUMD_WORDS_FAST, info->fast)->text, info->doc);
}

static PyObject *ops_tuple(void) {
  PyObject *table = PyTuple_New(N_OPS);
  for (int i = 0; i < N_OPS && table; i++) {
    PyObject *row = op_row(&functions[i]);
    if (row)
      PyTuple_SET_ITEM(table, i, row);
    else
      Py_CLEAR(table);
  }
  return table;
}

static PyObject *params_tuple(const struct state *state) {
  PyObject *table = PyTuple_New(NUMD_N_PARAMS);
  for (int bit = 0; bit < NUMD_N_PARAMS && table; bit++) {
    PyObject *row = Py_BuildValue("(Oss)", state->params[bit],
                                  numd_word(NUMD_WORDS_PARAM_TYPE, numd_param_info(bit)->type)->name,
                                  numd_param_info(bit)->doc);
    if (row)
      PyTuple_SET_ITEM(table, bit, row);
    else
      Py_CLEAR(table);
  }
  return table;
}

/* What Python calls a value of each type of parameter. */
static PyObject *param_types_dict(void) {
  PyObject *types = PyDict_New();
  const struct numd_word *word;
  for (int i = 0; types && (word = numd_word(NUMD_WORDS_PARAM_TYPE, i)); i++) {
    PyObject *note = PyUnicode_FromString(word->note);
    if (!note || PyDict_SetItemString(types, word->name, note))
      Py_CLEAR(types);
    Py_XDECREF(note);
  }
  return types;
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
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  const struct state *state = module_state(module);
  pthread_once(&once, fill_in);
  for (int i = 0; i < N_OPS; i++)
    if (!op_methods[i].ml_doc)
      op_methods[i].ml_doc = op_doc(state, &functions[i]);
  return add_object(module, "rows", rows_of(module)) || add_object(module, "_ops", ops_tuple()) ||
                 add_object(module, "_params", params_tuple(state)) ||
                 add_object(module, "_param_types", param_types_dict())
             ? -1
             : 0;
}
