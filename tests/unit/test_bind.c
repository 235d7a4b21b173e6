/* SPDX-License-Identifier: BSD-3-Clause */
/* Offsets, shapes and strides at the edges of a segment and of 64 bits: what binding decides is what
 * arithmetic of 128 bits says. SCALE of 10^7 cases. */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "server/kernels/kernels.h"
#include "server/worker/session.h"
#include "server/worker/sigbus.h"
#include "tests/unit/random.h"

#define BYTES 65536
#define FIGURE 10000000
#define OFFSETS 200 /* a layout */

static struct session *session;
static struct runner *runner;

static void set_up(void) {
  struct errtext err = {""};
  uint64_t bytes = 0;
  random_reseed();
  ck_assert_int_eq(kernels_init(NULL), 0);
  ck_assert_int_eq(sigbus_install(), 0);
  session = calloc(1, sizeof(*session));
  ck_assert_int_eq(session_init(session, NULL, 0), 0);
  ck_assert_int_eq(session_add_runner(session, &runner), 0);
  runner->call_id = 1; /* nobody cancels it */
  int fd = memfd_create("bind", MFD_CLOEXEC);
  ck_assert_int_eq(ftruncate(fd, BYTES), 0);
  ck_assert_int_eq(session_attach(session, 0, fd, &bytes, &err), 0);
}

static void tear_down(void) {
  session_remove_runner(session, runner);
  session_deinit(session);
  free(session);
}

/* Small enough to be computed with; its strides may lead anywhere. */
static struct layout random_layout(void) {
  static const uint8_t dtypes[] = {NUMD_UINT8, NUMD_INT16, NUMD_FLOAT32, NUMD_FLOAT64, NUMD_COMPLEX128};
  struct layout l = {.dtype = dtypes[random_below(5)], .ndim = (uint8_t)random_below(4)};
  int64_t item = dtype_rows[l.dtype].align;
  for (int d = 0; d < l.ndim; d++) {
    l.shape[d] = random_below(20) ? 1 + random_below(6) : 0;
    l.strides[d] = random_below(3) ? (random_below(2000) - 1000) * item : random_int() / item * item;
  }
  return l;
}

/* The offset's neighbourhood of what just fits, or any of 48 bits. */
static uint64_t random_offset(__int128 low, __int128 high) {
  __int128 edge = random_below(2) ? -low : BYTES - high;
  if (random_below(4) == 0 || edge < 0 || edge > BYTES)
    return random_bits() >> (16 + random_below(32));
  __int128 offset = edge + random_below(33) - 16;
  return offset < 0 ? 0 : (uint64_t)offset;
}

static void check_offsets(const struct layout *l, __int128 low, __int128 high) {
  for (int i = 0; i < OFFSETS; i++) {
    uint64_t offset = random_offset(low, high) & BINDING_OFFSET_MAX;
    struct request request = {.plan_id = 0, .n_bindings = 1, .bindings = {binding_make(0, offset)}};
    struct completion done;
    bool inside = offset + low >= 0 && offset + high <= BYTES && offset <= BYTES;
    int expected = !inside ? NUMD_EBOUNDS : offset % dtype_rows[l->dtype].align ? NUMD_EALIGN : NUMD_OK;
    session_run(session, runner, &request, &done);
    CHECK(done.status == expected, "seed %llu: offset %llu of [%lld, %lld): %s, not %s",
          (unsigned long long)random_seed, (unsigned long long)offset, (long long)low, (long long)high,
          status_name(done.status), status_name(expected));
  }
}

/* What the layout touches, relative to its first element. */
static void reach(const struct layout *l, __int128 *low, __int128 *high) {
  *low = 0;
  *high = dtype_rows[l->dtype].size;
  for (int d = 0; d < l->ndim; d++) {
    if (l->shape[d] == 0) {
      *low = *high = 0;
      return;
    }
    __int128 far = (__int128)(l->shape[d] - 1) * l->strides[d];
    *(far < 0 ? low : high) += far;
  }
}

START_TEST(binding_decides_as_exact_arithmetic_does) {
  static struct program p;
  const char *scale = getenv("SCALE");
  long n = (long)(FIGURE * (scale && *scale ? atof(scale) : 0.01)), compiled = 0, cases = 0;
  p.n_operands = p.n_ops = p.n_outputs = 1;
  p.ops[0] = (struct op){.code = NUMD_OP_SUM, .n_in = 1};
  p.outputs[0] = (struct output){.value = 1, .kind = OUTPUT_RESULT, .open_dtype = true, .open_shape = true};
  for (; cases < n; cases += OFFSETS) {
    struct errtext err = {""};
    struct plan *plan = NULL;
    __int128 low, high;
    struct layout l = random_layout();
    p.operands[0] = (struct operand){.kind = OPERAND_ARRAY, .layout = l};
    reach(&l, &low, &high);
    bool fits = low >= -((__int128)1 << 62) && high <= (__int128)1 << 62;
    int status = session_prepare(session, 0, &p, &plan, &err);
    CHECK((status == 0) == fits, "seed %llu: %s", (unsigned long long)random_seed, err.text);
    if (status != 0)
      continue;
    check_offsets(&l, low, high);
    ck_assert_int_eq(session_release(session, 0, &err), 0);
    compiled++;
  }
  ck_assert_int_eq(session_reap(session), 0);
  ck_assert_int_gt(compiled, 0);
  printf("%ld offsets\n", cases);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("bind");
  TCase *tcase = tcase_create("bind");
  tcase_add_checked_fixture(tcase, set_up, tear_down);
  tcase_set_timeout(tcase, 600);
  tcase_add_test(tcase, binding_decides_as_exact_arithmetic_does);
  suite_add_tcase(suite, tcase);
  return run_suite(suite);
}
