/* SPDX-License-Identifier: BSD-3-Clause */
/* A client that uses the whole library once, for runs in which something fails: fail-session ADDRESS. It
 * waits for a line on standard input before it begins, and before it ends when everything has been given
 * back. What fails is reported by the library and passed over; a result that was given and is wrong ends the
 * program with code 3. */
#include <numd.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define N 64

static void wait_for_line(void) {
  char line[16];
  if (!fgets(line, sizeof(line), stdin))
    exit(2);
}

static void must(int right, const char *what) {
  if (!right) {
    fprintf(stderr, "wrong: %s\n", what);
    exit(3);
  }
}

static void use_operations(numd_conn *conn, numd_array *a) {
  const numd_arg args[] = {{.array = a}, {.scalar = {.dtype = NUMD_FLOAT64, .f = 2}}};
  numd_array *out = NULL, *several[2] = {NULL, NULL};
  numd_scalar sum;
  if (numd_apply(conn, NUMD_OP_MULTIPLY, NULL, 2, args, &out, NULL) == 0) {
    must(((double *)out->data)[5] == 10, "multiply");
    numd_array_unref(out);
  }
  if (numd_apply(conn, NUMD_OP_SUM, NULL, 1, args, NULL, &sum) == 0)
    must(sum.f == N * (N - 1) / 2, "sum");
  if (numd_apply(conn, NUMD_OP_UNIQUE_COUNTS, NULL, 1, args, several, NULL) == 0) {
    must(several[0]->layout->size == N, "unique_counts");
    numd_array_unref(several[0]);
    numd_array_unref(several[1]);
  }
}

static void use_ticket(numd_plan *plan, numd_array *a, numd_array *out) {
  const numd_arg args[] = {{.array = a}, {.array = out}};
  numd_scalar result;
  numd_ticket ticket;
  int fd = -1, r = NUMD_ETIMEOUT;
  if (numd_plan_submit(plan, 2, args, &ticket))
    return;
  if (numd_notify(&ticket, &fd) == 0) {
    r = numd_wait(&ticket, 0, &result);
    if (r == NUMD_ETIMEOUT)
      (void)poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 2000);
    numd_notify_off(fd);
  }
  if (r == NUMD_ETIMEOUT)
    r = numd_wait(&ticket, 20000000000, &result);
  if (r == 0)
    must(result.f == -N * (N - 1) / 2.0 && ((double *)out->data)[7] == -7, "ticket");
}

static void use_plan(numd_conn *conn, numd_array *a) {
  numd_program *g = numd_program_new();
  numd_plan *plan = NULL;
  numd_array *out = NULL;
  char *text = NULL;
  if (!g)
    return;
  int x = numd_program_input(g, NUMD_FLOAT64, a->layout->ndim, a->layout->shape, NULL);
  int y = x < 0 ? x : numd_program_op(g, NUMD_OP_NEGATIVE, 1, &x, NULL);
  int z = y < 0 ? y : numd_program_op(g, NUMD_OP_SUM, 1, &y, NULL);
  if (z >= 0 && numd_program_output(g, y, NUMD_DTYPE_NONE, -1, NULL, NULL) >= 0 &&
      numd_program_result(g, z) == 0 && numd_prepare(conn, g, &plan) == 0) {
    if (numd_plan_explain(plan, &text) == 0)
      free(text);
    if (numd_array_zeros(conn, NUMD_FLOAT64, 1, a->layout->shape, &out) == 0) {
      use_ticket(plan, a, out);
      numd_array_unref(out);
    }
    numd_plan_unref(plan);
  }
  numd_program_free(g);
}

static void use_sharing(numd_conn *conn, numd_array *a) {
  numd_handle handle;
  numd_array *other = NULL;
  char *json = NULL;
  if (numd_array_export(a, &handle) == 0 && numd_array_import(conn, &handle, &other) == 0) {
    must(((double *)other->data)[9] == 9, "import");
    numd_array_unref(other);
  }
  if (numd_publish(a, "fail-session", 1) == 0) {
    if (numd_open(conn, "fail-session", &other) == 0)
      numd_array_unref(other);
    (void)numd_unpublish(conn, "fail-session");
  }
  if (numd_memory(conn, &json) == 0)
    free(json);
  if (numd_stats(conn, &json) == 0)
    free(json);
}

static void use(const char *address, enum numd_door door) {
  const numd_options options = {.size = sizeof(options), .address = address, .no_start = 1, .door = door};
  const int64_t shape[] = {N};
  numd_conn *conn = NULL;
  numd_array *a = NULL;
  if (numd_connect(&options, &conn))
    return;
  if (numd_array_zeros(conn, NUMD_FLOAT64, 1, shape, &a) == 0) {
    for (int i = 0; i < N; i++)
      ((double *)a->data)[i] = i;
    use_operations(conn, a);
    use_plan(conn, a);
    use_sharing(conn, a);
    numd_array_unref(a);
  }
  (void)numd_ping(conn, 1000000000);
  numd_conn_unref(conn);
}

int main(int argc, char **argv) {
  if (argc != 2)
    return 2;
  wait_for_line();
  use(argv[1], NUMD_DOOR_RING);
  use(argv[1], NUMD_DOOR_SOCKET);
  puts("done");
  fflush(stdout);
  wait_for_line();
  return 0;
}
