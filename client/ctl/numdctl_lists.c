/* SPDX-License-Identifier: BSD-3-Clause */
/* The lists of operations, parameters and dtypes as tables, for a terminal and as a page. A row that is added
 * to a list is in all of them. */
#include <stdio.h>
#include <string.h>

#include "client/ctl/numdctl.h"
#include "client/numd.h"

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
  static const char *const texts[][2] = {
      {"biufc", "all"},          {"iufc", "numbers"}, {"biuf", "all but complex"}, {"iuf", "real numbers"},
      {"biu", "bool, integers"}, {"iu", "integers"},  {"fc", "floats, complex"},
  };
  for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
    if (strcmp(texts[i][0], kinds) == 0)
      return texts[i][1];
  return kinds;
}

static const char *count_text(int n, char buffer[16]) {
  if (n < 0) {
    snprintf(buffer, 16, "1 to %d", NUMD_OP_MAX_IN);
    return buffer;
  }
  snprintf(buffer, 16, "%d", n);
  return buffer;
}

static const char *ulp_text(double ulp, char buffer[16]) {
  snprintf(buffer, 16, "%g", ulp);
  return ulp > 0 ? buffer : "-";
}

static const char *word_name(enum numd_word_list list, int i) {
  return numd_word(list, i)->name;
}

/* ---- For a terminal ---- */

static void print_row(const struct numd_op_info *op) {
  char in[16], ulp[16];
  printf("%-19s %-8s %7s %4d  %-15s %-9s %5s  %s\n", op->name, word_name(NUMD_WORDS_CLASS, op->op_class),
         count_text(op->n_in, in), op->n_out, kinds_text(op->kinds), word_name(NUMD_WORDS_TYPING, op->typing),
         ulp_text(op->ulp, ulp), op->doc);
}

int print_ops(void) {
  printf("%-19s %-8s %7s %4s  %-15s %-9s %5s  %s\n", "operation", "class", "inputs", "out", "dtypes",
         "result", "ULP", "");
  for (int op = 0; op < NUMD_OP_CODES; op++)
    if (numd_op_info((numd_op)op))
      print_row(numd_op_info((numd_op)op));
  printf("\nresult:\n");
  const struct numd_word *word;
  for (int i = 0; (word = numd_word(NUMD_WORDS_TYPING, i)); i++)
    printf("  %-9s %s\n", word->name, word->text);
  return 0;
}

/* A line for each dtype by a format for its name, bytes and kind. */
static void print_dtype_lines(const char *format) {
  for (int i = 0; i < NUMD_DTYPE_CODES; i++) {
    const struct numd_dtype_info *dtype = numd_dtype_info((numd_dtype)i);
    if (dtype)
      printf(format, dtype->name, dtype->size, kind_name(dtype->kind));
  }
}

int print_dtypes(void) {
  printf("%-11s %5s  %s\n", "dtype", "bytes", "kind");
  print_dtype_lines("%-11s %5d  %s\n");
  return 0;
}

/* ---- The page ---- */

static void page_words(const char *heading, const char *column, enum numd_word_list list) {
  const struct numd_word *word;
  printf("\n## %s\n\n| %s | |\n|---|---|\n", heading, column);
  for (int i = 0; (word = numd_word(list, i)); i++)
    printf("| %s | %s |\n", word->name, word->text);
}

static void page_params_of(const struct numd_op_info *op) {
  const char *separator = "";
  for (int bit = 0; bit < NUMD_N_PARAMS; bit++)
    if (op->params >> bit & 1) {
      printf("%s`%s`", separator, numd_param_info(bit)->name);
      separator = ", ";
    }
}

static void page_op(const struct numd_op_info *op) {
  char in[16], ulp[16];
  printf("| `%s` | %s | %d | %s | %s | ", op->name, count_text(op->n_in, in), op->n_out,
         kinds_text(op->kinds), word_name(NUMD_WORDS_TYPING, op->typing));
  page_params_of(op);
  printf(" | %s | %s | %s |\n", ulp_text(op->ulp, ulp), word_name(NUMD_WORDS_FAST, op->fast), op->doc);
}

static void page_class(int class) {
  const struct numd_word *word = numd_word(NUMD_WORDS_CLASS, class);
  printf(
      "\n## %s: %s\n\n| operation | inputs | outputs | dtypes | result | parameters | ULP | fast by | |\n"
      "|---|---|---|---|---|---|---|---|---|\n",
      word->name, word->text);
  for (int i = 0; i < NUMD_OP_CODES; i++) {
    const struct numd_op_info *op = numd_op_info((numd_op)i);
    if (op && op->op_class == class)
      page_op(op);
  }
}

static int count_ops(void) {
  int n = 0;
  for (int i = 0; i < NUMD_OP_CODES; i++)
    n += numd_op_info((numd_op)i) != NULL;
  return n;
}

int print_ops_page(void) {
  printf(
      "# Operations\n\n"
      "Written by `make docs` from `protocol/op.h` and `protocol/dtype.h`: %d operations, %d parameters. "
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
      count_ops(), NUMD_N_PARAMS);
  for (int i = 0; numd_word(NUMD_WORDS_CLASS, i); i++)
    page_class(i);
  printf("\n## Parameters\n\n| parameter | type | |\n|---|---|---|\n");
  for (int bit = 0; bit < NUMD_N_PARAMS; bit++) {
    const struct numd_param_info *param = numd_param_info(bit);
    printf("| `%s` | %s | %s |\n", param->name, numd_word(NUMD_WORDS_PARAM_TYPE, param->type)->text,
           param->doc);
  }
  page_words("Result dtypes", "result", NUMD_WORDS_TYPING);
  page_words("What makes them fast", "fast by", NUMD_WORDS_FAST);
  printf("\n## Dtypes\n\n| dtype | bytes | kind |\n|---|---|---|\n");
  print_dtype_lines("| `%s` | %d | %s |\n");
  return 0;
}
