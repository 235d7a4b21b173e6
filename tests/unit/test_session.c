/* SPDX-License-Identifier: BSD-3-Clause */
/* Segments and plans of a session: what may be attached and what not, that nothing is left open or mapped,
 * and that what is removed outlives the calls that use it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/kernels/kernels.h"
#include "server/worker/session.h"
#include "server/worker/sigbus.h"
#include "tests/unit/random.h"

#define BYTES 65536

static struct session *session;

static int count_entries(const char *path) {
  int n = 0;
  DIR *d = opendir(path);
  while (readdir(d))
    n++;
  closedir(d);
  return n;
}

static int count_fds(void) {
  return count_entries("/proc/self/fd");
}

static int count_maps(void) {
  char line[512];
  int n = 0;
  FILE *f = fopen("/proc/self/maps", "re");
  while (fgets(line, sizeof(line), f))
    n += strstr(line, "memfd:") != NULL;
  fclose(f);
  return n;
}

static int make_object(off_t bytes, unsigned seals) {
  int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  ck_assert_int_ge(fd, 0);
  ck_assert_int_eq(ftruncate(fd, bytes), 0);
  if (seals)
    ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, seals), 0);
  return fd;
}

static int reopen(int fd, int flags) {
  char path[64];
  snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
  int again = open(path, flags | O_CLOEXEC);
  close(fd);
  return again;
}

static int make_pipe(void) {
  int fds[2];
  ck_assert_int_eq(pipe(fds), 0);
  close(fds[1]);
  return fds[0];
}

static int make_disk_file(void) {
  char name[] = "/var/tmp/numd-test-XXXXXX";
  int fd = mkstemp(name);
  unlink(name);
  ck_assert_int_eq(ftruncate(fd, BYTES), 0);
  return fd;
}

static int make_wrong(int kind) {
  switch (kind) {
    case 0:
      return make_pipe();
    case 1:
      return socket(AF_UNIX, SOCK_STREAM, 0);
    case 2:
      return open("/dev/zero", O_RDWR);
    case 3:
      return open("/dev/shm", O_RDONLY | O_DIRECTORY);
    case 4:
      return make_disk_file();
    case 5:
      return reopen(make_object(BYTES, 0), O_RDONLY);
    case 6:
      return reopen(make_object(BYTES, 0), O_PATH);
    case 7:
      return eventfd(0, 0);
    case 8:
      return make_object(0, 0);
    case 9:
      return reopen(make_object(BYTES, 0), O_WRONLY);
    case 10:
      return make_object(BYTES, F_SEAL_WRITE);
    case 11:
      return make_object(BYTES, F_SEAL_FUTURE_WRITE);
    case 12:
      return epoll_create1(0);
    case 13:
      return open("/proc/self/status", O_RDONLY);
    default:
      return 987654; /* not open */
  }
}

static const char *const reasons[] = {
    SESSION_NOT_MEMORY,
    SESSION_NOT_MEMORY,
    SESSION_NOT_MEMORY,
    SESSION_NOT_MEMORY,
    SESSION_NOT_MEMORY,
    "the object is not open for both reading and writing",
    SESSION_NOT_MEMORY,
    SESSION_NOT_MEMORY,
    "the object is empty",
    "the object is not open for both reading and writing",
    "the object is sealed against writing",
    "the object is sealed against writing",
    SESSION_NOT_MEMORY,
    SESSION_NOT_MEMORY,
    SESSION_NOT_MEMORY,
};

static void set_up(void) {
  random_reseed();
  kernels_init(NULL);
  sigbus_install();
  session = calloc(1, sizeof(*session));
  ck_assert_int_eq(session_init(session, NULL, 0), 0);
}

static void tear_down(void) {
  session_deinit(session);
  free(session);
}

START_TEST(test_wrong_descriptor) {
  struct errtext err = {""};
  uint64_t bytes = 0;
  int before = count_fds(), fd = make_wrong(_i);
  ck_assert_int_ge(fd, 0);
  ck_assert_int_eq(session_attach(session, 1, fd, &bytes, &err), NUMD_EDESCRIPTOR);
  ck_assert_str_eq(err.text, reasons[_i]);
  ck_assert_int_eq(count_fds(), before);
  ck_assert_ptr_null(atomic_load(&session->segments[1]));
}
END_TEST

START_TEST(test_attach_and_detach) {
  struct errtext err = {""};
  struct segment *segment = NULL;
  uint64_t bytes = 0;
  int before = count_fds();
  ck_assert_int_eq(session_attach(session, 5, make_object(BYTES, F_SEAL_SHRINK), &bytes, &err), 0);
  ck_assert_uint_eq(bytes, BYTES);
  ck_assert_int_eq(session_segment(session, 5, &segment, &err), 0);
  segment->data[BYTES - 1] = 1;
  ck_assert_int_eq(session_attach(session, 5, make_object(BYTES, 0), &bytes, &err), NUMD_EEXIST);
  ck_assert_str_eq(err.text, "segment 5 is attached already");
  ck_assert_int_eq(session_attach(session, MAX_SEGMENTS, make_object(BYTES, 0), &bytes, &err), NUMD_ESEGMENT);
  ck_assert_str_eq(err.text, "segment ids are from 0 to 4095");
  ck_assert_int_eq(session_detach(session, 6, &err), NUMD_ESEGMENT);
  ck_assert_str_eq(err.text, "there is no segment 6");
  ck_assert_int_eq(session_detach(session, 5, &err), 0);
  ck_assert_int_eq(session_detach(session, 5, &err), NUMD_ESEGMENT);
  ck_assert_int_eq(session_reap(session), 0);
  ck_assert_int_eq(count_fds(), before);
  ck_assert_int_eq(count_maps(), 0);
}
END_TEST

START_TEST(test_byte_quota) {
  struct errtext err = {""};
  uint64_t bytes = 0;
  int before = count_fds(), fd = make_object((off_t)1 << 42, 0); /* sparse, far more than any memory here */
  ck_assert_int_eq(session_attach(session, 1, fd, &bytes, &err), NUMD_ELIMIT);
  ck_assert_ptr_nonnull(strstr(err.text, "a segment of 4398046511104 bytes: a session may hold "));
  ck_assert_int_eq(count_fds(), before);
}
END_TEST

START_TEST(test_lost_segment) {
  struct errtext err = {""};
  struct segment *segment = NULL;
  uint64_t bytes = 0;
  int fd = make_object(BYTES, 0), ours = dup(fd);
  ck_assert_int_eq(session_attach(session, 1, fd, &bytes, &err), 0);
  ck_assert_int_eq(session_segment(session, 1, &segment, &err), 0);
  memset(segment->data, 7, BYTES);
  ck_assert_int_eq(ftruncate(ours, 8192), 0);
  volatile char *data = segment->data;
  ck_assert_int_eq(data[8191], 7);
  ck_assert_int_eq(atomic_load(&segment->lost), 0);
  ck_assert_int_eq(data[BYTES - 1], 0);
  ck_assert_int_eq(atomic_load(&segment->lost), 1);
  ck_assert_int_eq(data[20000], 0);
  data[30000] = 1;
  ck_assert_int_eq(data[30000], 1);
  ck_assert_int_eq(data[8191], 7);
  close(ours);
}
END_TEST

/* Plain arithmetic by the plan that `prepare` made, over and over, while the main thread takes its segment
 * and plan away and gives others. A call has either the old or none; never something freed. */
struct caller {
  pthread_t thread;
  struct runner *runner;
  atomic_int stop;
  uint64_t done, refused, wrong;
};

static void *call_over_and_over(void *arg) {
  struct caller *c = arg;
  struct request request = {.plan_id = 3, .n_bindings = 1, .bindings = {binding_make(1, 0)}};
  struct completion completion;
  c->runner->call_id = 1;
  while (!atomic_load_explicit(&c->stop, memory_order_relaxed)) {
    double sum = 0;
    session_run(session, c->runner, &request, &completion);
    memcpy(&sum, completion.result, sizeof(sum));
    if (completion.status == NUMD_OK && sum == BYTES / 8)
      c->done++;
    else if (completion.status == NUMD_ESEGMENT || completion.status == NUMD_EPLAN)
      c->refused++;
    else
      c->wrong++;
  }
  return NULL;
}

static void make_sum_program(struct program *p) {
  memset(p, 0, sizeof(*p));
  p->n_operands = p->n_ops = p->n_outputs = 1;
  p->operands[0] =
      (struct operand){.kind = OPERAND_ARRAY,
                       .layout = {.dtype = NUMD_FLOAT64, .ndim = 1, .shape = {BYTES / 8}, .strides = {8}}};
  p->ops[0] = (struct op){.code = NUMD_OP_SUM, .n_in = 1};
  p->outputs[0] = (struct output){.value = 1, .kind = OUTPUT_RESULT, .open_dtype = true, .open_shape = true};
}

static int make_ones(void) {
  int fd = make_object(BYTES, 0);
  for (int i = 0; i < BYTES / 8; i++) {
    double one = 1;
    ck_assert_int_eq(pwrite(fd, &one, 8, 8 * i), 8);
  }
  return fd;
}

START_TEST(test_removal_during_calls) {
  static struct program program;
  struct caller callers[2] = {0};
  struct errtext err = {""};
  struct plan *plan = NULL;
  uint64_t bytes = 0;
  int ones = make_ones();
  session->has_membarrier = session->has_membarrier && _i == 0; /* with and without */
  make_sum_program(&program);
  for (int i = 0; i < 2; i++) {
    ck_assert_int_eq(session_add_runner(session, &callers[i].runner), 0);
    pthread_create(&callers[i].thread, NULL, call_over_and_over, &callers[i]);
  }
  for (int i = 0; i < 1000; i++) {
    ck_assert_int_eq(session_attach(session, 1, dup(ones), &bytes, &err), 0);
    ck_assert_msg(session_prepare(session, 3, &program, &plan, &err) == 0, "%s", err.text);
    for (int k = random_below(2000); k > 0; k--)
      __asm__ volatile("" ::: "memory");
    usleep(random_below(10) == 0 ? 50 : 0);
    ck_assert_int_eq(session_detach(session, 1, &err), 0);
    ck_assert_int_eq(session_release(session, 3, &err), 0);
  }
  for (int i = 0; i < 2; i++)
    atomic_store(&callers[i].stop, 1);
  for (int i = 0; i < 2; i++)
    pthread_join(callers[i].thread, NULL);
  for (int i = 0; i < 2; i++) {
    ck_assert_uint_eq(callers[i].wrong, 0);
    ck_assert_uint_gt(callers[i].done, 0);
  }
  for (int i = 0; i < 100 && session_reap(session) > 0; i++)
    usleep(1000);
  ck_assert_int_eq(session_reap(session), 0);
  ck_assert_int_eq(count_maps(), 0);
  close(ones);
}
END_TEST

START_TEST(test_plan_ids) {
  static struct program program;
  struct errtext err = {""};
  struct plan *plan = NULL;
  make_sum_program(&program);
  ck_assert_int_eq(session_prepare(session, MAX_PLANS, &program, &plan, &err), NUMD_EPLAN);
  ck_assert_str_eq(err.text, "plan ids are from 0 to 65535");
  ck_assert_int_eq(session_prepare(session, 0, &program, &plan, &err), 0);
  ck_assert_int_eq(session_prepare(session, 0, &program, &plan, &err), NUMD_EEXIST);
  ck_assert_int_eq(session_release(session, 1, &err), NUMD_EPLAN);
  ck_assert_str_eq(err.text, "there is no plan 1");
  ck_assert_uint_gt(session->plan_bytes, 0);
  ck_assert_int_eq(session_release(session, 0, &err), 0);
  ck_assert_uint_eq(session->plan_bytes, 0);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("session");
  TCase *tcase = tcase_create("session");
  tcase_add_checked_fixture(tcase, set_up, tear_down);
  tcase_set_timeout(tcase, 60);
  tcase_add_loop_test(tcase, test_wrong_descriptor, 0, (int)(sizeof(reasons) / sizeof(reasons[0])));
  tcase_add_test(tcase, test_attach_and_detach);
  tcase_add_test(tcase, test_byte_quota);
  tcase_add_test(tcase, test_lost_segment);
  tcase_add_loop_test(tcase, test_removal_during_calls, 0, 2);
  tcase_add_test(tcase, test_plan_ids);
  suite_add_tcase(suite, tcase);
  return run_suite(suite);
}
