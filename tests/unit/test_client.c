/* SPDX-License-Identifier: BSD-3-Clause */
/* The C library against a real daemon: threads, forks, many bindings, calls in flight, time limits,
 * the daemon's death. Runs $NUMD_BUILD/numd (default: build). */
#include <check.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "client/numd.h"
#include "tests/unit/suite.h"

static char address[64], program[512];
static pid_t daemon_pid;
static numd_conn *conn;

#define MUST(expression)                                                                    \
  do {                                                                                      \
    int must_status = (expression);                                                         \
    ck_assert_msg(must_status == 0, "%s: %s", numd_status_name(must_status), numd_error()); \
  } while (0)

static void start_daemon(void) {
  daemon_pid = fork();
  if (daemon_pid == 0) {
    execl(program, program, "--socket", address, "--log-level", "warning", (char *)NULL);
    _exit(127);
  }
}

/* Connects, giving a daemon that was just started a moment. */
static void connect_to(numd_options options) {
  options.size = sizeof(options);
  options.address = address;
  options.no_start = 1;
  int r = NUMD_EUNAVAILABLE;
  for (int i = 0; i < 100 && (r = numd_connect(&options, &conn)) == NUMD_EUNAVAILABLE; i++)
    usleep(20000);
  MUST(r);
}

static void setup(void) {
  const char *build = getenv("NUMD_BUILD");
  snprintf(program, sizeof(program), "%s/numd", build ? build : "build");
  snprintf(address, sizeof(address), "/tmp/numd-test-client-%d.sock", getpid());
  start_daemon();
  connect_to((numd_options){0});
}

static void teardown(void) {
  numd_conn_unref(conn);
  kill(daemon_pid, SIGTERM);
  waitpid(daemon_pid, NULL, 0);
  unlink(address);
}

static numd_array *doubles(int64_t n, double first, double step) {
  numd_array *a;
  MUST(numd_array_empty(conn, NUMD_FLOAT64, 1, &n, &a));
  for (int64_t i = 0; i < n; i++)
    ((double *)a->data)[i] = first + step * (double)i;
  return a;
}

static numd_plan *plan_of(numd_op op, int n_in, int64_t n, int as_result) {
  numd_program *p = numd_program_new();
  int in[2];
  numd_plan *plan;
  for (int i = 0; i < n_in; i++)
    in[i] = numd_program_input(p, NUMD_FLOAT64, 1, &n, NULL);
  int v = numd_program_op(p, op, n_in, in, NULL);
  if (as_result)
    ck_assert_int_eq(numd_program_result(p, v), 0);
  else
    ck_assert_int_eq(numd_program_output(p, v, NUMD_DTYPE_NONE, -1, NULL, NULL), 0);
  MUST(numd_prepare(conn, p, &plan));
  numd_program_free(p);
  return plan;
}

START_TEST(one_operation_at_a_time) {
  numd_array *a = doubles(1000, 0, 1), *b = doubles(1000, 1, 2), *sum = NULL;
  const numd_arg args[] = {{.array = a}, {.array = b}};
  MUST(numd_apply(conn, NUMD_OP_ADD, NULL, 2, args, &sum, NULL));
  for (int i = 0; i < 1000; i++)
    ck_assert_double_eq(((double *)sum->data)[i], 1 + 3.0 * i);
  numd_scalar total;
  MUST(numd_apply(conn, NUMD_OP_SUM, NULL, 1, (numd_arg[]){{.array = sum}}, NULL, &total));
  ck_assert_int_eq(total.dtype, NUMD_FLOAT64);
  ck_assert_double_eq(total.f, 1000 + 3.0 * 499500);
  const numd_arg scaled[] = {{.array = sum}, {.scalar = {.dtype = NUMD_INT64, .i = 10}}};
  MUST(numd_apply(conn, NUMD_OP_MULTIPLY, NULL, 2, scaled, &sum, NULL)); /* in place */
  ck_assert_double_eq(((double *)sum->data)[7], 220);
  numd_array_unref(a);
  numd_array_unref(b);
  numd_array_unref(sum);
}
END_TEST

START_TEST(mistakes_are_named) {
  numd_array *a = doubles(3, 0, 1), *b = doubles(4, 0, 1), *out = NULL;
  const numd_arg args[] = {{.array = a}, {.array = b}};
  ck_assert_int_eq(numd_apply(conn, NUMD_OP_ADD, NULL, 2, args, &out, NULL), NUMD_ESHAPE);
  ck_assert_ptr_nonnull(strstr(numd_error(), "(3,) and (4,) do not broadcast"));
  ck_assert_ptr_null(out);
  ck_assert_int_eq(numd_apply(conn, NUMD_OP_ADD, NULL, 1, args, &out, NULL), NUMD_EINVAL);
  ck_assert_int_eq(numd_apply(conn, (numd_op)191, NULL, 1, args, &out, NULL), NUMD_EOP);
  int64_t far = 1000;
  ck_assert_int_eq(numd_array_view(a, 0, NUMD_FLOAT64, 1, &far, NULL, &out), NUMD_EBOUNDS);
  ck_assert_int_eq(numd_array_view(a, 1, NUMD_FLOAT64, 0, NULL, NULL, &out), NUMD_EALIGN);
  numd_segment *s;
  ck_assert_int_eq(numd_segment_attach(conn, "/numd-no-such-object", &s), NUMD_EACCESS);
  ck_assert_int_eq(numd_segment_attach_fd(conn, 0, &s), NUMD_EDESCRIPTOR);
  numd_array_unref(a);
  numd_array_unref(b);
}
END_TEST

START_TEST(parameters) {
  numd_array *a = doubles(6, 0, 1), *out = NULL, *matrix;
  const numd_arg arg = {.array = a};
  numd_scalar r;
  numd_params p = {.given = NUMD_PARAM_CORRECTION, .real = 1};
  MUST(numd_apply(conn, NUMD_OP_VAR, &p, 1, &arg, NULL, &r));
  ck_assert_double_eq_tol(r.f, 3.5, 1e-12);
  p = (numd_params){.given = NUMD_PARAM_SHIFT, .n_ints = {1}, .ints = {(int64_t[]){2}}};
  for (int i = 0; i < 3; i++) { /* the second and third find the plan again */
    MUST(numd_apply(conn, NUMD_OP_ROLL, &p, 1, &arg, &out, NULL));
    ck_assert_double_eq(((double *)out->data)[2], 0);
  }
  p.ints[0] = (int64_t[]){3};
  MUST(numd_apply(conn, NUMD_OP_ROLL, &p, 1, &arg, &out, NULL));
  ck_assert_double_eq(((double *)out->data)[3], 0);
  MUST(numd_array_view(a, 0, NUMD_FLOAT64, 2, (int64_t[]){2, 3}, (int64_t[]){24, 8}, &matrix));
  p = (numd_params){.given = NUMD_PARAM_AXES, .axes = 1u << 1};
  numd_array *sums = NULL;
  MUST(numd_apply(conn, NUMD_OP_SUM, &p, 1, (numd_arg[]){{.array = matrix}}, &sums, NULL));
  ck_assert_int_eq(sums->layout->ndim, 1);
  ck_assert_double_eq(((double *)sums->data)[1], 12);
  for (int i = 0; i < 4; i++) {
    static const numd_params wrong[] = {{.given = NUMD_PARAM_AXIS, .axis = 0},
                                        {.given = NUMD_PARAM_AXES, .axes = 1u << 16},
                                        {.given = NUMD_PARAM_SHAPE, .n_ints = {17}},
                                        {.given = 1u << 30}};
    ck_assert_int_eq(numd_apply(conn, NUMD_OP_SUM, &wrong[i], 1, &arg, NULL, &r), NUMD_EINVAL);
  }
  numd_array_unref(a);
  numd_array_unref(out);
  numd_array_unref(matrix);
  numd_array_unref(sums);
}
END_TEST

START_TEST(several_arrays) {
  const int64_t shape[] = {3, 3};
  numd_array *a, *qr[2] = {NULL, NULL};
  ck_assert_int_eq(numd_op_n_arrays(NUMD_OP_QR), 2);
  ck_assert_int_eq(numd_op_n_arrays(NUMD_OP_UNIQUE_ALL), 4);
  ck_assert_int_eq(numd_op_n_arrays(NUMD_OP_ADD), 1);
  MUST(numd_array_zeros(conn, NUMD_FLOAT64, 2, shape, &a));
  for (int i = 0; i < 3; i++)
    ((double *)a->data)[4 * i] = i + 2;
  MUST(numd_apply(conn, NUMD_OP_QR, NULL, 1, (numd_arg[]){{.array = a}}, qr, NULL));
  for (int i = 0; i < 9; i++) {
    double product = 0;
    for (int k = 0; k < 3; k++)
      product += ((double *)qr[0]->data)[i / 3 * 3 + k] * ((double *)qr[1]->data)[k * 3 + i % 3];
    ck_assert_double_eq_tol(product, ((double *)a->data)[i], 1e-12);
  }
  ck_assert_int_eq(numd_apply(conn, NUMD_OP_QR, NULL, 1, (numd_arg[]){{.array = a}}, NULL, NULL),
                   NUMD_EINVAL);
  numd_array_unref(a);
  numd_array_unref(qr[0]);
  numd_array_unref(qr[1]);
}
END_TEST

/* What has a length by the data is cut to it, by the call or by who waits for it. */
START_TEST(counted_arrays) {
  int64_t n = 6;
  numd_array *a, *out[2] = {NULL, NULL}, *later[2] = {NULL, NULL};
  numd_scalar count;
  numd_ticket ticket;
  MUST(numd_array_empty(conn, NUMD_INT64, 1, &n, &a));
  memcpy(a->data, (int64_t[]){5, 3, 5, 3, 3, 9}, 6 * sizeof(int64_t));
  const numd_arg arg = {.array = a};
  MUST(numd_apply(conn, NUMD_OP_UNIQUE_COUNTS, NULL, 1, &arg, out, &count));
  ck_assert_int_eq(count.i, 3);
  ck_assert_int_eq(out[0]->layout->size, 3);
  ck_assert_int_eq(out[1]->layout->size, 3);
  ck_assert_mem_eq(out[0]->data, ((int64_t[]){3, 5, 9}), 3 * sizeof(int64_t));
  ck_assert_mem_eq(out[1]->data, ((int64_t[]){3, 2, 1}), 3 * sizeof(int64_t));
  MUST(numd_apply_submit(conn, NUMD_OP_UNIQUE_COUNTS, NULL, 1, &arg, later, &ticket));
  MUST(numd_wait(&ticket, NUMD_FOREVER, &count));
  ck_assert_int_eq(later[0]->layout->size, 6);
  MUST(numd_trim(NUMD_OP_UNIQUE_COUNTS, later, count.i));
  ck_assert_int_eq(later[0]->layout->size, 3);
  ck_assert_int_eq(numd_trim(NUMD_OP_UNIQUE_COUNTS, later, 4), NUMD_EINVAL);
  for (int i = 0; i < 2; i++) {
    numd_array_unref(out[i]);
    numd_array_unref(later[i]);
  }
  numd_array_unref(a);
}
END_TEST

/* More inputs than a signature has words, and signatures that differ in the last of them only. */
START_TEST(many_inputs) {
  numd_arg args[16];
  numd_array *longer = doubles(5, 100, 1), *out = NULL, *other = NULL;
  const numd_params p = {.given = NUMD_PARAM_AXIS, .axis = 0};
  for (int i = 0; i < 16; i++)
    args[i] = (numd_arg){.array = doubles(2, i, 0.5)};
  MUST(numd_apply(conn, NUMD_OP_CONCAT, &p, 16, args, &out, NULL));
  ck_assert_int_eq(out->layout->size, 32);
  ck_assert_double_eq(((double *)out->data)[31], 15.5);
  numd_array *last = args[15].array;
  args[15].array = longer;
  MUST(numd_apply(conn, NUMD_OP_CONCAT, &p, 16, args, &other, NULL));
  ck_assert_int_eq(other->layout->size, 35);
  ck_assert_int_eq(numd_apply(conn, NUMD_OP_CONCAT, &p, 0, args, &other, NULL), NUMD_EINVAL);
  ck_assert_int_eq(numd_apply(conn, NUMD_OP_CONCAT, &p, 17, args, &other, NULL), NUMD_EINVAL);
  for (int i = 0; i < 16; i++)
    numd_array_unref(args[i].array);
  numd_array_unref(last);
  numd_array_unref(out);
  numd_array_unref(other);
}
END_TEST

/* Complex scalars go by place; each call in flight has its own. */
START_TEST(complex_scalars) {
  numd_array *a = doubles(4, 1, 1), *out[20] = {NULL};
  numd_ticket tickets[20];
  numd_scalar total;
  for (int i = 0; i < 20; i++) {
    const numd_arg args[] = {{.array = a}, {.scalar = {.dtype = NUMD_COMPLEX128, .c = {i, 1}}}};
    MUST(numd_apply_submit(conn, NUMD_OP_MULTIPLY, NULL, 2, args, &out[i], &tickets[i]));
  }
  for (int i = 0; i < 20; i++) {
    MUST(numd_wait(&tickets[i], NUMD_FOREVER, NULL));
    ck_assert_int_eq(out[i]->layout->dtype, NUMD_COMPLEX128);
    ck_assert_double_eq(((numd_complex128 *)out[i]->data)[3].real, 4 * i);
    ck_assert_double_eq(((numd_complex128 *)out[i]->data)[3].imag, 4);
  }
  MUST(numd_apply(conn, NUMD_OP_SUM, NULL, 1, (numd_arg[]){{.array = out[7]}}, NULL, &total));
  ck_assert_int_eq(total.dtype, NUMD_COMPLEX128);
  ck_assert(total.c.real == 70 && total.c.imag == 10);
  numd_array_unref(a);
  for (int i = 0; i < 20; i++)
    numd_array_unref(out[i]);
}
END_TEST

START_TEST(promotion) {
  ck_assert_int_eq(numd_promote(NUMD_INT8, 0, NUMD_UINT8, 0), NUMD_INT16);
  ck_assert_int_eq(numd_promote(NUMD_INT8, 0, NUMD_INT64, 1), NUMD_INT8);
  ck_assert_int_eq(numd_promote(NUMD_COMPLEX128, 1, NUMD_FLOAT32, 0), NUMD_COMPLEX64);
  ck_assert_int_eq(numd_promote((numd_dtype)99, 0, NUMD_INT8, 0), NUMD_DTYPE_NONE);
  ck_assert(numd_can_cast(NUMD_FLOAT64, NUMD_FLOAT32) && !numd_can_cast(NUMD_FLOAT32, NUMD_INT64));
}
END_TEST

/* More bindings than a slot holds: the rest goes through the spill area. */
START_TEST(many_bindings) {
  enum { N_IN = 40 };
  const int64_t n = 100;
  numd_program *p = numd_program_new();
  numd_arg args[N_IN + 1];
  numd_plan *plan;
  int v = -1;
  for (int i = 0; i < N_IN; i++) {
    ck_assert_int_eq(numd_program_input(p, NUMD_FLOAT64, 1, &n, NULL), i);
    args[i] = (numd_arg){.array = doubles(n, i, 1)};
  }
  for (int i = 1; i < N_IN; i++)
    v = numd_program_op(p, NUMD_OP_ADD, 2, (int[]){i == 1 ? 0 : v, i}, NULL);
  numd_program_output(p, v, NUMD_DTYPE_NONE, -1, NULL, NULL);
  MUST(numd_prepare(conn, p, &plan));
  numd_program_free(p);
  args[N_IN] = (numd_arg){.array = doubles(n, 0, 0)};
  MUST(numd_plan_call(plan, N_IN + 1, args, NULL, NUMD_FOREVER));
  for (int i = 0; i < n; i++)
    ck_assert_double_eq(((double *)args[N_IN].array->data)[i], N_IN * (N_IN - 1) / 2 + N_IN * i);
  for (int i = 0; i <= N_IN; i++)
    numd_array_unref(args[i].array);
  numd_plan_unref(plan);
}
END_TEST

/* More calls in flight than the ring has slots, waited for in the opposite order. */
START_TEST(many_calls_in_flight) {
  enum { N = 1000 };
  static numd_ticket tickets[N];
  numd_array *a = doubles(50, 1, 0);
  numd_plan *plan = plan_of(NUMD_OP_SUM, 1, 50, 1);
  numd_scalar result;
  for (int i = 0; i < N; i++)
    MUST(numd_plan_submit(plan, 1, (numd_arg[]){{.array = a}}, &tickets[i]));
  for (int i = N - 1; i >= 0; i--) {
    MUST(numd_wait(&tickets[i], NUMD_FOREVER, &result));
    ck_assert_double_eq(result.f, 50);
  }
  ck_assert_int_eq(numd_wait(&tickets[0], NUMD_FOREVER, &result), NUMD_EINVAL);
  numd_plan_unref(plan);
  numd_array_unref(a);
}
END_TEST

static void *thread_main(void *arg) {
  double first = *(int *)arg;
  numd_array *a = doubles(100, first, 1), *b = doubles(100, 0, 1), *out = NULL;
  for (int i = 0; i < 2000; i++) {
    const numd_arg args[] = {{.array = a}, {.array = b}};
    MUST(numd_apply(conn, i % 2 ? NUMD_OP_ADD : NUMD_OP_SUBTRACT, NULL, 2, args, &out, NULL));
    ck_assert_double_eq(((double *)out->data)[99], i % 2 ? first + 198 : first);
  }
  numd_array_unref(a);
  numd_array_unref(b);
  numd_array_unref(out);
  return NULL;
}

START_TEST(threads_have_channels_of_their_own) {
  pthread_t threads[8];
  int numbers[8];
  for (int round = 0; round < 2; round++) { /* the second round finds the channels of the first */
    for (int i = 0; i < 8; i++) {
      numbers[i] = i;
      ck_assert_int_eq(pthread_create(&threads[i], NULL, thread_main, &numbers[i]), 0);
    }
    for (int i = 0; i < 8; i++)
      pthread_join(threads[i], NULL);
  }
}
END_TEST

static void *wait_main(void *arg) {
  static numd_scalar result;
  MUST(numd_wait(arg, NUMD_FOREVER, &result));
  return &result;
}

START_TEST(any_thread_may_wait) {
  numd_array *a = doubles(1000000, 1, 0);
  numd_plan *plan = plan_of(NUMD_OP_SUM, 1, 1000000, 1);
  numd_ticket ticket;
  pthread_t thread;
  void *result;
  MUST(numd_plan_submit(plan, 1, (numd_arg[]){{.array = a}}, &ticket));
  ck_assert_int_eq(pthread_create(&thread, NULL, wait_main, &ticket), 0);
  pthread_join(thread, &result);
  ck_assert_double_eq(((numd_scalar *)result)->f, 1e6);
  numd_plan_unref(plan);
  numd_array_unref(a);
}
END_TEST

START_TEST(a_child_goes_on_with_what_it_inherited) {
  numd_array *a = doubles(100, 0, 1), *out = doubles(100, 0, 0);
  numd_plan *plan = plan_of(NUMD_OP_NEGATIVE, 1, 100, 0);
  const numd_arg args[] = {{.array = a}, {.array = out}};
  MUST(numd_plan_call(plan, 2, args, NULL, NUMD_FOREVER));
  pid_t child = fork();
  if (child == 0) {
    ((double *)a->data)[5] = 55;
    int r = numd_plan_call(plan, 2, args, NULL, NUMD_FOREVER); /* a session of its own, the same memory */
    numd_array *fresh = NULL;                                  /* and memory of its own */
    r = r ? r : numd_apply(conn, NUMD_OP_ADD, NULL, 2, args, &fresh, NULL);
    _exit(r || ((double *)fresh->data)[5] != 0);
  }
  int status;
  ck_assert_int_eq(waitpid(child, &status, 0), child);
  ck_assert_int_eq(status, 0);
  ck_assert_double_eq(((double *)out->data)[5], -55);
  numd_array *mine = doubles(100, 7, 0); /* not where the child's is */
  MUST(numd_plan_call(plan, 2, args, NULL, NUMD_FOREVER));
  ck_assert_double_eq(((double *)mine->data)[5], 7);
  numd_array_unref(mine);
  numd_array_unref(a);
  numd_array_unref(out);
  numd_plan_unref(plan);
}
END_TEST

START_TEST(a_time_limit_ends_a_long_call) {
  const int64_t shape[] = {3000, 3000};
  numd_array *a, *out;
  numd_plan *plan;
  MUST(numd_array_zeros(conn, NUMD_INT64, 2, shape, &a));
  MUST(numd_array_zeros(conn, NUMD_INT64, 2, shape, &out));
  numd_program *p = numd_program_new();
  numd_program_input(p, NUMD_INT64, 2, shape, NULL);
  numd_program_output(p, numd_program_op(p, NUMD_OP_MATMUL, 2, (int[]){0, 0}, NULL), NUMD_DTYPE_NONE, -1,
                      NULL, NULL);
  MUST(numd_prepare(conn, p, &plan));
  numd_program_free(p);
  const numd_arg args[] = {{.array = a}, {.array = out}};
  ck_assert_int_eq(numd_plan_call(plan, 2, args, NULL, 1000000), NUMD_ETIMEOUT);
  numd_ticket first, second;
  MUST(numd_plan_submit(plan, 2, args, &first));
  MUST(numd_plan_submit(plan, 2, args, &second)); /* cancelled while it waits in the ring */
  ck_assert_int_eq(numd_wait(&second, 0, NULL), NUMD_ETIMEOUT);
  MUST(numd_cancel(&second));
  MUST(numd_cancel(&first));
  ck_assert_int_eq(numd_wait(&first, NUMD_FOREVER, NULL), NUMD_ECANCELLED);
  ck_assert_int_eq(numd_wait(&second, NUMD_FOREVER, NULL), NUMD_ECANCELLED);
  numd_array_unref(a);
  numd_array_unref(out);
  numd_plan_unref(plan);
}
END_TEST

START_TEST(the_socket_is_a_complete_way_in) {
  numd_conn_unref(conn);
  connect_to((numd_options){.door = NUMD_DOOR_SOCKET});
  numd_array *a = doubles(1000, 0, 1);
  numd_plan *plan = plan_of(NUMD_OP_SUM, 1, 1000, 1);
  numd_scalar result;
  MUST(numd_plan_call(plan, 1, (numd_arg[]){{.array = a}}, &result, NUMD_FOREVER));
  ck_assert_double_eq(result.f, 499500);
  numd_ticket ticket;
  MUST(numd_plan_submit(plan, 1, (numd_arg[]){{.array = a}}, &ticket));
  MUST(numd_wait(&ticket, NUMD_FOREVER, &result));
  ck_assert_double_eq(result.f, 499500);
  numd_plan_unref(plan);
  numd_array_unref(a);
}
END_TEST

START_TEST(the_daemons_death_loses_no_data) {
  numd_array *a = doubles(100, 3, 0), *out = doubles(100, 0, 0);
  numd_plan *plan = plan_of(NUMD_OP_NEGATIVE, 1, 100, 0);
  const numd_arg args[] = {{.array = a}, {.array = out}};
  MUST(numd_plan_call(plan, 2, args, NULL, NUMD_FOREVER));
  kill(daemon_pid, SIGKILL);
  waitpid(daemon_pid, NULL, 0);
  usleep(200000);
  int r = numd_plan_call(plan, 2, args, NULL, 5000000000);
  ck_assert_msg(r == NUMD_EDISCONNECTED || r == NUMD_EUNAVAILABLE, "status %d: %s", r, numd_error());
  start_daemon();
  ((double *)out->data)[7] = 0;
  for (int i = 0; i < 100 && (r = numd_plan_call(plan, 2, args, NULL, 5000000000)); i++)
    usleep(20000);
  MUST(r);
  ck_assert_double_eq(((double *)out->data)[7], -3);
  numd_array_unref(a);
  numd_array_unref(out);
  numd_plan_unref(plan);
}
END_TEST

/* The worker of this session, by the daemon's own account. */
static void kill_workers(void) {
  char *json;
  MUST(numd_stats(conn, &json));
  for (const char *p = json; (p = strstr(p, "\"client_pid\": ")); p++) {
    const char *back = p;
    while (back > json && *back != '{')
      back--;
    const char *pid = strstr(back, "\"pid\": ");
    if (atoi(p + 14) == getpid() && pid)
      kill(atoi(pid + 7), SIGKILL);
  }
  free(json);
  usleep(200000);
}

START_TEST(a_call_that_was_lost_is_made_again_if_that_is_safe) {
  numd_array *a = doubles(1000, 1, 1), *out = doubles(1000, 0, 0), *made = NULL;
  numd_plan *plan = plan_of(NUMD_OP_NEGATIVE, 1, 1000, 0);
  numd_handle handle;
  kill_workers();
  MUST(numd_plan_call(plan, 2, (numd_arg[]){{.array = a}, {.array = out}}, NULL, NUMD_FOREVER));
  ck_assert_double_eq(((double *)out->data)[10], -11);
  kill_workers();
  MUST(numd_apply(conn, NUMD_OP_NEGATIVE, NULL, 1, (numd_arg[]){{.array = a}}, &made, NULL));
  ck_assert_double_eq(((double *)made->data)[10], -11);
  kill_workers(); /* nobody knows whether it was done over its own input */
  int r = numd_plan_call(plan, 2, (numd_arg[]){{.array = a}, {.array = a}}, NULL, NUMD_FOREVER);
  ck_assert_int_eq(r, NUMD_EDISCONNECTED);
  MUST(numd_array_export(out, &handle));
  kill_workers(); /* nor who has an output that was shared */
  r = numd_plan_call(plan, 2, (numd_arg[]){{.array = a}, {.array = out}}, NULL, NUMD_FOREVER);
  ck_assert_int_eq(r, NUMD_EDISCONNECTED);
  numd_array_unref(a);
  numd_array_unref(out);
  numd_array_unref(made);
  numd_plan_unref(plan);
}
END_TEST

/* Calls with one channel a thread, both at the same time. */
static void use_two_threads(void) {
  pthread_t threads[2];
  int numbers[2] = {1, 2};
  for (int i = 0; i < 2; i++)
    ck_assert_int_eq(pthread_create(&threads[i], NULL, thread_main, &numbers[i]), 0);
  for (int i = 0; i < 2; i++)
    pthread_join(threads[i], NULL);
}

START_TEST(nothing_waits_for_a_session_that_is_gone) {
  const int64_t shape[] = {2000, 2000};
  numd_array *a, *out;
  numd_plan *plan;
  numd_ticket first, second;
  MUST(numd_array_zeros(conn, NUMD_INT64, 2, shape, &a));
  MUST(numd_array_zeros(conn, NUMD_INT64, 2, shape, &out));
  use_two_threads();
  numd_program *p = numd_program_new();
  numd_program_input(p, NUMD_INT64, 2, shape, NULL);
  numd_program_output(p, numd_program_op(p, NUMD_OP_MATMUL, 2, (int[]){0, 0}, NULL), NUMD_DTYPE_NONE, -1,
                      NULL, NULL);
  MUST(numd_prepare(conn, p, &plan));
  numd_program_free(p);
  const numd_arg args[] = {{.array = a}, {.array = out}};
  MUST(numd_plan_submit(plan, 2, args, &first));
  MUST(numd_plan_submit(plan, 2, args, &second));
  kill_workers();
  int r = NUMD_ETIMEOUT; /* polling sees it */
  for (int i = 0; i < 1000 && r == NUMD_ETIMEOUT; i++, usleep(1000))
    r = numd_wait(&first, 0, NULL);
  ck_assert_int_eq(r, NUMD_EDISCONNECTED);
  for (int i = 0; i < 100 && numd_ping(conn, 1000000000); i++)
    usleep(20000); /* another session opens */
  ck_assert_int_eq(numd_wait(&second, 5000000000, NULL), NUMD_EDISCONNECTED);
  use_two_threads(); /* the channels of the threads before were the old session's */
  numd_scalar sum;
  MUST(numd_apply(conn, NUMD_OP_SUM, NULL, 1, (numd_arg[]){{.array = a}}, NULL, &sum));
  ck_assert_int_eq(sum.i, 0);
  numd_array_unref(a);
  numd_array_unref(out);
  numd_plan_unref(plan);
}
END_TEST

/* Blocks of odd sizes up to the very end of a segment, and into the next. */
START_TEST(small_arrays_fill_segments) {
  enum { N = 60000 };
  static numd_array *arrays[N];
  numd_scalar sum;
  for (int i = 0; i < N; i++) {
    int64_t n = 10 + 130 * (i % 3);
    MUST(numd_array_zeros(conn, NUMD_FLOAT64, 1, &n, &arrays[i]));
    ((double *)arrays[i]->data)[n - 1] = i;
  }
  for (int i = 0; i < N; i += 1 + 37 * (i < 20000)) {
    MUST(numd_apply(conn, NUMD_OP_SUM, NULL, 1, (numd_arg[]){{.array = arrays[i]}}, NULL, &sum));
    ck_assert_double_eq(sum.f, i);
  }
  for (int i = 0; i < N; i++)
    numd_array_unref(arrays[i]);
}
END_TEST

START_TEST(a_handle_reaches_another_process) {
  numd_array *a = doubles(100, 2, 1);
  numd_handle handle;
  int ends[2], status;
  ck_assert_int_eq(pipe(ends), 0);
  pid_t child = fork(); /* before the export: the child learns of the memory by its handle alone */
  if (child == 0) {
    numd_conn *own;
    numd_array *there;
    numd_scalar sum;
    if (read(ends[0], &handle, sizeof(handle)) != sizeof(handle))
      _exit(1);
    if (numd_connect(&(numd_options){.size = sizeof(numd_options), .address = address, .no_start = 1},
                     &own) ||
        numd_array_import(own, &handle, &there) ||
        numd_apply(own, NUMD_OP_SUM, NULL, 1, (numd_arg[]){{.array = there}}, NULL, &sum) || sum.f != 5150)
      _exit(2);
    ((double *)there->data)[0] = -1;
    _exit(0);
  }
  MUST(numd_array_export(a, &handle));
  ck_assert_int_eq(write(ends[1], &handle, sizeof(handle)), sizeof(handle));
  ck_assert_int_eq(waitpid(child, &status, 0), child);
  ck_assert_int_eq(status, 0);
  ck_assert_double_eq(((double *)a->data)[0], -1);
  handle.token[3] ^= 1;
  numd_array *none = NULL;
  numd_conn *other = NULL;
  MUST(
      numd_connect(&(numd_options){.size = sizeof(numd_options), .address = address, .no_start = 1}, &other));
  ck_assert_int_eq(numd_array_import(other, &handle, &none), NUMD_ESEGMENT);
  numd_conn_unref(other);
  numd_array_unref(a);
  close(ends[0]);
  close(ends[1]);
}
END_TEST

/* Small arrays of every rank, one of each dtype in turn. */
static numd_array *small(int i, int64_t shape[NUMD_MAX_DIMS]) {
  static const numd_dtype dtypes[] = {NUMD_INT8,   NUMD_INT16,  NUMD_INT32,  NUMD_INT64,   NUMD_UINT8,
                                      NUMD_UINT16, NUMD_UINT32, NUMD_UINT64, NUMD_FLOAT32, NUMD_FLOAT64};
  numd_array *a;
  int ndim = i / 10 % (NUMD_MAX_DIMS + 1);
  for (int d = 0; d < ndim; d++)
    shape[d] = d == 0 ? 3 : 1;
  MUST(numd_array_zeros(conn, dtypes[i % 10], ndim, shape, &a));
  return a;
}

/* One of 1,020 signatures. */
static void apply_signature(int i) {
  static const numd_op ops[] = {NUMD_OP_ADD,     NUMD_OP_SUBTRACT, NUMD_OP_MULTIPLY,
                                NUMD_OP_MAXIMUM, NUMD_OP_LESS,     NUMD_OP_SUM};
  int64_t shape[NUMD_MAX_DIMS];
  numd_array *a = small(i, shape), *out = NULL;
  numd_op op = ops[i / 170];
  MUST(numd_apply(conn, op, NULL, op == NUMD_OP_SUM ? 1 : 2, (numd_arg[]){{.array = a}, {.array = a}}, &out,
                  NULL));
  numd_array_unref(out);
  numd_array_unref(a);
}

static size_t heap_bytes(void) {
  struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

/* A sanitizer has its own memory beside all that is allocated. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define RESIDENT_KIB (1 << 20)
#else
#define RESIDENT_KIB 2048
#endif

/* Of this process's own, not what is shared. */
static long resident_kib(void) {
  char line[200];
  long kib = -1;
  FILE *f = fopen("/proc/self/status", "r");
  while (f && fgets(line, sizeof(line), f))
    if (sscanf(line, "RssAnon: %ld", &kib) == 1)
      break;
  if (f)
    fclose(f);
  return kib;
}

START_TEST(a_cached_plan_costs_little_and_outlives_the_daemon) {
  enum { N = 1020 };
  apply_signature(0); /* the channel and the tables */
  size_t heap = heap_bytes();
  long resident = resident_kib();
  for (int i = 0; i < N; i++)
    apply_signature(i);
  ck_assert_msg(heap_bytes() < heap + (2 << 20), "%zu bytes", heap_bytes() - heap);
  ck_assert_msg(resident_kib() < resident + RESIDENT_KIB, "%ld KiB", resident_kib() - resident);
  kill(daemon_pid, SIGKILL);
  waitpid(daemon_pid, NULL, 0);
  start_daemon();
  while (numd_ping(conn, 5000000000))
    usleep(20000);
  for (int i = 0; i < N; i++)
    apply_signature(i);
}
END_TEST

static void *apply_first(void *unused) {
  int64_t shape[] = {3};
  numd_array *a = doubles(3, 1, 1), *out = NULL;
  numd_plan *plan = plan_of(NUMD_OP_NEGATIVE, 1, 3, 0);
  MUST(numd_apply(conn, NUMD_OP_ADD, NULL, 2, (numd_arg[]){{.array = a}, {.array = a}}, &out, NULL));
  MUST(numd_apply(conn, NUMD_OP_RESHAPE,
                  &(numd_params){.given = NUMD_PARAM_SHAPE, .n_ints = {1}, .ints = {shape}}, 1,
                  (numd_arg[]){{.array = a}}, &out, NULL));
  MUST(numd_plan_call(plan, 2, (numd_arg[]){{.array = a}, {.array = out}}, NULL, NUMD_FOREVER));
  numd_plan_unref(plan);
  numd_array_unref(out);
  numd_array_unref(a);
  return unused;
}

START_TEST(a_thread_may_have_a_small_stack) {
  pthread_attr_t attr;
  pthread_t thread;
  pthread_attr_init(&attr);
  ck_assert_int_eq(pthread_attr_setstacksize(&attr, 64 << 10), 0);
  ck_assert_int_eq(pthread_create(&thread, &attr, apply_first, NULL), 0);
  pthread_join(thread, NULL);
  pthread_attr_destroy(&attr);
}
END_TEST

START_TEST(handles_of_another_version_are_refused) {
  numd_array *a = doubles(10, 0, 1), *none = NULL;
  numd_handle handle, other;
  MUST(numd_array_export(a, &handle));
  ck_assert_uint_eq(handle.version, NUMD_HANDLE_VERSION);
  ck_assert_uint_eq(handle.reserved, 0);
  other = handle;
  other.version++;
  ck_assert_int_eq(numd_array_import(conn, &other, &none), NUMD_EVERSION);
  ck_assert_ptr_nonnull(strstr(numd_error(), "version 2"));
  other = handle;
  other.reserved = 1;
  ck_assert_int_eq(numd_array_import(conn, &other, &none), NUMD_EINVAL);
  ck_assert_ptr_null(none);
  MUST(numd_array_import(conn, &handle, &none));
  numd_array_unref(none);
  numd_array_unref(a);
}
END_TEST

/* Options as a program would give them whose numd.h knows more of them than the library. */
struct later_options {
  numd_options known;
  uint64_t later[4];
};

static void refused(const numd_options *options, const char *word) {
  numd_conn *none = NULL;
  ck_assert_int_eq(numd_connect(options, &none), NUMD_EINVAL);
  ck_assert_msg(strstr(numd_error(), word), "%s", numd_error());
  ck_assert_ptr_null(none);
}

START_TEST(options_of_another_size_are_read_or_refused) {
  numd_options o = NUMD_OPTIONS_INIT;
  o.address = address;
  o.no_start = 1;
  struct later_options later = {.known = o};
  later.known.size = sizeof(later);
  numd_conn *other;
  MUST(numd_connect(&later.known, &other)); /* what it does not know is not asked for */
  numd_conn_unref(other);
  later.later[3] = 1;
  refused(&later.known, "byte 64 is set");
  const size_t wrong[] = {0, sizeof(o) - 1, 1 << 20, SIZE_MAX};
  for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
    o.size = wrong[i];
    refused(&o, "NUMD_OPTIONS_INIT");
  }
}
END_TEST

START_TEST(options_that_do_not_exist_are_refused) {
  const numd_options plain = {.size = sizeof(plain), .address = address, .no_start = 1};
  numd_options o = plain;
  o.reserved = 1;
  refused(&o, "reserved");
  o = plain;
  o.door = (enum numd_door)2;
  refused(&o, "door");
  o = plain;
  o.wait = (enum numd_wait)4;
  refused(&o, "waiting");
}
END_TEST

int main(void) {
  Suite *suite = suite_create("client");
  TCase *t = tcase_create("client");
  tcase_add_checked_fixture(t, setup, teardown);
  tcase_set_timeout(t, 60);
  tcase_add_test(t, one_operation_at_a_time);
  tcase_add_test(t, mistakes_are_named);
  tcase_add_test(t, parameters);
  tcase_add_test(t, several_arrays);
  tcase_add_test(t, counted_arrays);
  tcase_add_test(t, many_inputs);
  tcase_add_test(t, complex_scalars);
  tcase_add_test(t, promotion);
  tcase_add_test(t, many_bindings);
  tcase_add_test(t, many_calls_in_flight);
  tcase_add_test(t, threads_have_channels_of_their_own);
  tcase_add_test(t, any_thread_may_wait);
  tcase_add_test(t, a_child_goes_on_with_what_it_inherited);
  tcase_add_test(t, a_time_limit_ends_a_long_call);
  tcase_add_test(t, the_socket_is_a_complete_way_in);
  tcase_add_test(t, the_daemons_death_loses_no_data);
  tcase_add_test(t, a_call_that_was_lost_is_made_again_if_that_is_safe);
  tcase_add_test(t, nothing_waits_for_a_session_that_is_gone);
  tcase_add_test(t, small_arrays_fill_segments);
  tcase_add_test(t, a_cached_plan_costs_little_and_outlives_the_daemon);
  tcase_add_test(t, a_thread_may_have_a_small_stack);
  tcase_add_test(t, a_handle_reaches_another_process);
  tcase_add_test(t, handles_of_another_version_are_refused);
  tcase_add_test(t, options_of_another_size_are_read_or_refused);
  tcase_add_test(t, options_that_do_not_exist_are_refused);
  suite_add_tcase(suite, t);
  return suite_run(suite);
}
