#include "server/plan_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const kinds[] = {"elementwise", "reduction", "reduction by rows", "product",
                                    "array kernel"};

static void print_shape(FILE *f, const struct step *s) {
  fputs(" over (", f);
  for (int d = 0; d < s->ndim; d++)
    fprintf(f, "%s%lld", d ? ", " : "", (long long)s->shape[d]);
  fputs(")", f);
}

static uint64_t bytes_moved(const struct plan *p, uint64_t *written) {
  uint64_t read = 0;
  *written = 0;
  for (uint32_t i = 0; i < p->n_bindings; i++)
    if (p->bounds[i].kind == BIND_INPUT)
      read += (uint64_t)(p->bounds[i].hi - p->bounds[i].lo);
    else if (p->bounds[i].kind == BIND_OUTPUT)
      *written += (uint64_t)(p->bounds[i].hi - p->bounds[i].lo);
  return read;
}

static void print_step(FILE *f, uint32_t i, const struct step *s, const struct lowered *low,
                       const uint32_t group[]) {
  fprintf(f, "step %u: %s", i, kinds[s->kind]);
  if (s->kind == STEP_PRODUCT)
    fprintf(f, " (%lld x %lld) @ (%lld x %lld)", (long long)s->m, (long long)s->k, (long long)s->k,
            (long long)s->n);
  else if (s->kind != STEP_ARRAY)
    print_shape(f, s);
  if (s->block)
    fprintf(f, " in blocks of %lld, %u registers", (long long)s->block, s->n_registers);
  if (s->parallel)
    fputs(", on all free cores", f);
  fputs(":", f);
  for (uint32_t n = 0; n < low->n_nodes; n++)
    if (group[n] == i)
      fprintf(f, " %s[%s]", op_rows[low->nodes[n].op].name, dtype_rows[low->nodes[n].dtype].name);
  fputs("\n", f);
}

char *plan_text(const struct plan *p, const struct lowered *low, const uint32_t group[]) {
  char *text = NULL;
  size_t len;
  FILE *f = open_memstream(&text, &len);
  if (!f)
    return NULL;
  for (uint32_t i = 0; i < p->n_steps; i++)
    print_step(f, i, p->steps[i], low, group);
  uint64_t written, read = bytes_moved(p, &written);
  fprintf(f, "reads %llu bytes and writes %llu, holds %lld in temporaries\n", (unsigned long long)read,
          (unsigned long long)written, (long long)p->scratch_bytes);
  if (fclose(f) != 0) {
    free(text);
    return NULL;
  }
  return text;
}
