/* SPDX-License-Identifier: BSD-3-Clause */
/* A program prepared once and called often: a*b + sqrt(a) - exp(b), fused into one pass.
 *
 *   cc expression.c $(pkg-config --cflags --libs numd) -o expression && ./expression
 */
#include <math.h>
#include <numd.h>
#include <stdio.h>
#include <stdlib.h>

/* Ends the program with numd's own sentence if something went wrong. */
static void must(int status) {
  if (status == NUMD_OK)
    return;
  fprintf(stderr, "%s: %s\n", numd_status_name(status), numd_error());
  exit(1);
}

int main(void) {
  enum { N = 1000 };
  const int64_t shape[] = {N};
  numd_conn *conn;
  numd_array *a, *b, *out;
  numd_plan *plan;

  must(numd_connect(NULL, &conn)); /* starts a daemon if there is none */
  must(numd_array_empty(conn, NUMD_FLOAT64, 1, shape, &a));
  must(numd_array_empty(conn, NUMD_FLOAT64, 1, shape, &b));
  must(numd_array_empty(conn, NUMD_FLOAT64, 1, shape, &out));
  double *pa = a->data, *pb = b->data, *po = out->data;
  for (int i = 0; i < N; i++) {
    pa[i] = i;
    pb[i] = i / (double)N;
  }

  numd_program *p = numd_program_new();
  int x = numd_program_input(p, NUMD_FLOAT64, 1, shape, NULL);
  int y = numd_program_input(p, NUMD_FLOAT64, 1, shape, NULL);
  int xy = numd_program_op(p, NUMD_OP_MULTIPLY, 2, (int[]){x, y}, NULL);
  int root = numd_program_op(p, NUMD_OP_SQRT, 1, (int[]){x}, NULL);
  int left = numd_program_op(p, NUMD_OP_ADD, 2, (int[]){xy, root}, NULL);
  int power = numd_program_op(p, NUMD_OP_EXP, 1, (int[]){y}, NULL);
  int all = numd_program_op(p, NUMD_OP_SUBTRACT, 2, (int[]){left, power}, NULL);
  numd_program_output(p, all, NUMD_DTYPE_NONE, -1, NULL, NULL);
  must(numd_prepare(conn, p, &plan)); /* a mistake in building shows here */
  numd_program_free(p);

  const numd_arg args[] = {{.array = a}, {.array = b}, {.array = out}};
  must(numd_plan_call(plan, 3, args, NULL, NUMD_FOREVER));

  double worst = 0;
  for (int i = 0; i < N; i++)
    worst = fmax(worst, fabs(po[i] - (pa[i] * pb[i] + sqrt(pa[i]) - exp(pb[i]))));
  printf("%d elements computed in another process, largest difference %g\n", N, worst);

  numd_plan_unref(plan);
  numd_array_unref(a);
  numd_array_unref(b);
  numd_array_unref(out);
  numd_conn_unref(conn);
  return worst < 1e-10 ? 0 : 1;
}
