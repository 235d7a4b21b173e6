/* The lists of operations, parameters and dtypes as tables, for a terminal and as a page. A row that is added
 * to a list is in all of them. */
#include <stdio.h>
#include <string.h>

#include "client/ctl/numdctl.h"
#include "client/numd.h"

struct row {
  const char *name, *class, *kinds, *typing, *fast, *doc;
  int n_in, n_out;
  uint32_t params;
  double ulp;
};

static const struct row rows[] = {
#define X(number, NAME, opname, opclass, inputs, outputs, opkinds, optyping, opparams, opulp, opfast, opdoc) \
  {.name = #opname,                                                                                          \
   .class = #opclass,                                                                                        \
   .kinds = (opkinds),                                                                                       \
   .typing = #optyping,                                                                                      \
   .fast = #opfast,                                                                                          \
   .doc = (opdoc),                                                                                           \
   .n_in = (inputs),                                                                                         \
   .n_out = (outputs),                                                                                       \
   .params = (opparams),                                                                                     \
   .ulp = (opulp)},
    NUMD_OP_LIST(X)
#undef X
};

#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

/* A word of the lists and what it says. */
struct word {
  const char *word, *text;
};

static const struct word classes[] = {
    {"MAP", "Elementwise, with broadcasting"},
    {"REDUCE", "Over any set of axes"},
    {"SCAN", "Along one axis"},
    {"PRODUCT", "Sums of products"},
    {"VIEW", "The same elements, arranged by strides alone"},
    {"MOVE", "Elements copied elsewhere, by their place alone"},
    {"ORDER", "Elements compared, searched, selected or placed"},
    {"MAKE", "New values from parameters"},
    {"LINALG", "Factorisations and what follows from them, of the last two axes"},
};

static const struct word typings[] = {
    {"ANY", "computes in the dtype T to which the inputs promote, gives T"},
    {"FLOAT", "bool and integers of 8 and 16 bits become float32, others float64; gives that"},
    {"QUOTIENT", "bool and integers become float64; gives that"},
    {"COMPARE", "computes in T, gives bool"},
    {"PART", "computes in T, gives the real dtype of its parts"},
    {"SELECT", "the first input is bool, the others promote to T; gives T"},
    {"ASTYPE", "gives the dtype that is asked for, by value conversion"},
    {"SUM",
     "bool and signed accumulate in int64, unsigned in uint64, and give that; floats accumulate in float64 "
     "or "
     "complex128 and give T"},
    {"LOGICAL", "converts to bool (x != 0), gives bool"},
    {"MEAN",
     "bool and integers become float64, accumulates in float64 or complex128; var and std of complex are "
     "real"},
    {"INDEX", "computes in T, gives int64"},
    {"GATHER", "gives the first input's dtype; the second holds indices of integers or a mask of bool"},
    {"GIVEN", "the dtype that is asked for"},
    {"OWN", "as its documentation says"},
};

static const struct word fasts[] = {
#define X(NAME, sentence) {#NAME, sentence},
    NUMD_FAST_LIST(X)
#undef X
};

static const struct word params[] = {
#define X(bit, NAME, name, type, doc) {#name, doc},
    NUMD_PARAM_LIST(X)
#undef X
};

static const struct word param_types[] = {
#define X(bit, NAME, name, type, doc) {#name, #type},
    NUMD_PARAM_LIST(X)
#undef X
};

#define N_WORDS(list) (sizeof(list) / sizeof((list)[0]))

static const char *kind_name(char kind) {
  switch (kind) {
    case 'b':
      return "bool";
    case 'i':
      return "signed integer";
    case 'u':
      return "unsigned integer";
    case 'f':
      return "real";
    default:
      return "complex";
  }
}

/* "complex and real" as the shortest that says it. */
static const char *kinds_text(const char *kinds) {
  static const struct word texts[] = {
      {"biufc", "all"},          {"iufc", "numbers"}, {"biuf", "all but complex"}, {"iuf", "real numbers"},
      {"biu", "bool, integers"}, {"iu", "integers"},  {"fc", "floats, complex"},
  };
  for (size_t i = 0; i < N_WORDS(texts); i++)
    if (strcmp(texts[i].word, kinds) == 0)
      return texts[i].text;
  return kinds;
}

static const char *count_text(int n, char buffer[16]) {
  snprintf(buffer, 16, "%d", n);
  return n < 0 ? "1 to 16" : buffer;
}

static const char *ulp_text(double ulp, char buffer[16]) {
  snprintf(buffer, 16, "%g", ulp);
  return ulp > 0 ? buffer : "-";
}

/* ---- For a terminal ---- */

static void print_row(const struct row *row) {
  char in[16], ulp[16];
  printf("%-19s %-8s %7s %4d  %-15s %-9s %5s  %s\n", row->name, row->class, count_text(row->n_in, in),
         row->n_out, kinds_text(row->kinds), row->typing, ulp_text(row->ulp, ulp), row->doc);
}

int print_ops(void) {
  printf("%-19s %-8s %7s %4s  %-15s %-9s %5s  %s\n", "operation", "class", "inputs", "out", "dtypes",
         "result", "ULP", "");
  for (size_t i = 0; i < N_ROWS; i++)
    print_row(&rows[i]);
  printf("\nresult:\n");
  for (size_t i = 0; i < N_WORDS(typings); i++)
    printf("  %-9s %s\n", typings[i].word, typings[i].text);
  return 0;
}

int print_dtypes(void) {
  printf("%-11s %5s  %s\n", "dtype", "bytes", "kind");
#define X(number, NAME, name, ctype, kind, npchar) \
  printf("%-11s %5zu  %s\n", #name, sizeof(ctype), kind_name(kind));
  NUMD_DTYPE_LIST(X)
#undef X
  return 0;
}

/* ---- The page ---- */

static void page_words(const char *heading, const char *column, const struct word list[], size_t n) {
  printf("\n## %s\n\n| %s | |\n|---|---|\n", heading, column);
  for (size_t i = 0; i < n; i++)
    printf("| %s | %s |\n", list[i].word, list[i].text);
}

static void page_params_of(const struct row *row) {
  const char *separator = "";
  for (size_t bit = 0; bit < N_WORDS(params); bit++)
    if (row->params >> bit & 1) {
      printf("%s`%s`", separator, params[bit].word);
      separator = ", ";
    }
}

static void page_class(const struct word *class) {
  char in[16], ulp[16];
  printf(
      "\n## %s: %s\n\n| operation | inputs | outputs | dtypes | result | parameters | ULP | fast by | |\n"
      "|---|---|---|---|---|---|---|---|---|\n",
      class->word, class->text);
  for (size_t i = 0; i < N_ROWS; i++) {
    if (strcmp(rows[i].class, class->word) != 0)
      continue;
    printf("| `%s` | %s | %d | %s | %s | ", rows[i].name, count_text(rows[i].n_in, in), rows[i].n_out,
           kinds_text(rows[i].kinds), rows[i].typing);
    page_params_of(&rows[i]);
    printf(" | %s | %s | %s |\n", ulp_text(rows[i].ulp, ulp), rows[i].fast, rows[i].doc);
  }
}

static const char *param_type_text(const char *type) {
  static const struct word texts[] = {
      {"MASK", "axes"}, {"FLAG", "true or false"}, {"DTYPE", "dtype"}, {"AXIS", "axis"},
      {"N", "integer"}, {"K", "integer"},          {"REAL", "number"},
  };
  for (size_t i = 0; i < N_WORDS(texts); i++)
    if (strcmp(texts[i].word, type) == 0)
      return texts[i].text;
  return "integers";
}

int print_ops_page(void) {
  printf(
      "# Operations\n\n"
      "Written by `make docs` from `protocol/op.h` and `protocol/dtype.h`: %zu operations, %zu parameters. "
      "Names "
      "and meaning are those of the Python array API standard, or NumPy's for what the standard has no "
      "function "
      "for.\n\n"
      "- *inputs* and *outputs* count values of a program. Where the length of an output depends on the "
      "data, the "
      "last output counts how much is used (nonzero, unique_* and extract).\n"
      "- *ULP* is the largest error of a float64 result in units in the last place: 0.5 is correctly "
      "rounded; - "
      "means that nothing is rounded, or that the error depends on the number of terms.\n",
      N_ROWS, N_WORDS(params));
  for (size_t i = 0; i < N_WORDS(classes); i++)
    page_class(&classes[i]);
  printf("\n## Parameters\n\n| parameter | type | |\n|---|---|---|\n");
  for (size_t i = 0; i < N_WORDS(params); i++)
    printf("| `%s` | %s | %s |\n", params[i].word, param_type_text(param_types[i].text), params[i].text);
  page_words("Result dtypes", "result", typings, N_WORDS(typings));
  page_words("What makes them fast", "fast by", fasts, N_WORDS(fasts));
  printf("\n## Dtypes\n\n| dtype | bytes | kind |\n|---|---|---|\n");
#define X(number, NAME, name, ctype, kind, npchar) \
  printf("| `%s` | %zu | %s |\n", #name, sizeof(ctype), kind_name(kind));
  NUMD_DTYPE_LIST(X)
#undef X
  return 0;
}
