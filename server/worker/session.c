/* SPDX-License-Identifier: BSD-3-Clause */
/* The session's tables, and how segments and plans leave them.
 *
 * A thread that runs a call (session_run) makes its runner's `calls` odd and then looks into the tables, with
 * no fence between the two. The main thread removes something in three steps: it clears the entry in the
 * table, has every thread of the process pass a full fence (membarrier), and looks at all runners. A runner
 * whose `calls` is odd now may use what was removed until its `calls` changes; a runner whose `calls` is even
 * will not find it any more. Without the fence the main thread could read an even `calls` while the thread's
 * odd one is still in its core's store buffer, and free what that thread has found. Where the kernel has no
 * membarrier, the main thread puts the look off by SETTLE_NS, far longer than a store stays in a buffer. */
#include "server/worker/session.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/membarrier.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "server/host/machine.h"
#include "server/host/scoreboard.h"
#include "server/worker/allowance.h"
#include "server/worker/sigbus.h"
#include "shared/clock.h"
#include "shared/memfd.h"

#define SETTLE_NS 10000000

/* A runner that may use what was removed until its `calls` has another value. */
struct wait {
  const struct runner *runner;
  uint64_t calls;
};

struct retired {
  struct retired *next;
  struct segment *segment; /* this or the plan; the other is NULL */
  struct plan *plan;
  int64_t since_ns;
  bool settled; /* the runners were looked at, and waits is filled */
  int n_waits;
  struct wait waits[MAX_RUNNERS];
};

int session_init(struct session *session, struct scoreboard *scoreboard, uint32_t entry) {
  static const _Atomic uint32_t never = 0;
  memset(session, 0, sizeof(*session));
  session->scoreboard = scoreboard;
  session->entry = entry;
  session->strict = scoreboard ? &scoreboard->cores.members[entry].strict : &never;
  session->has_membarrier = syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
  return 0;
}

static void give(struct session *session, enum quota q, uint64_t amount) {
  allowance_give(session->allowance, q, amount);
}

static int charge(struct session *session, enum quota q, uint64_t amount, struct errtext *err) {
  return allowance_charge(session->allowance, q, amount, err);
}

/* Unmaps and frees; NULL is legal. */
static void segment_free(struct session *session, struct segment *segment) {
  if (!segment)
    return;
  if (segment->charged) {
    give(session, QUOTA_SEGMENTS, 1);
    give(session, QUOTA_BYTES, segment->bytes);
  }
  sigbus_unwatch(segment->watch);
  if (segment->data)
    munmap(segment->data, segment->bytes);
  if (segment->fd >= 0)
    close(segment->fd);
  free(segment);
}

static void plan_let_go(struct session *session, struct plan *plan) {
  if (plan)
    give(session, QUOTA_PLANS, 1);
  plan_free(plan);
}

/* Looks at all runners: those inside a call are waited for. */
static void settle(struct session *session, struct retired *r) {
  r->settled = true;
  for (int i = 0; i < MAX_RUNNERS; i++) {
    struct runner *runner = atomic_load_explicit(&session->runners[i], memory_order_acquire);
    uint64_t calls = runner ? atomic_load_explicit(&runner->calls, memory_order_acquire) : 0;
    if (calls & 1)
      r->waits[r->n_waits++] = (struct wait){runner, calls};
  }
}

/* Whether no runner can use it any more. */
static bool is_unused(struct session *session, struct retired *r) {
  if (!r->settled) {
    if (clock_now_ns() - r->since_ns < SETTLE_NS)
      return false;
    settle(session, r);
  }
  while (r->n_waits > 0) {
    const struct wait *w = &r->waits[r->n_waits - 1];
    if (w->runner && atomic_load_explicit(&w->runner->calls, memory_order_acquire) == w->calls)
      return false;
    r->n_waits--;
  }
  return true;
}

int session_reap(struct session *session) {
  int left = 0;
  for (struct retired **at = &session->retired; *at;) {
    struct retired *r = *at;
    if (!is_unused(session, r)) {
      left++;
      at = &r->next;
      continue;
    }
    *at = r->next;
    segment_free(session, r->segment);
    plan_let_go(session, r->plan);
    free(r);
  }
  return left;
}

/* Takes over what was just removed from its table; `r` was allocated before the removal. */
static void retire(struct session *session, struct retired *r, struct segment *segment, struct plan *plan) {
  *r = (struct retired){
      .next = session->retired, .segment = segment, .plan = plan, .since_ns = clock_now_ns()};
  atomic_thread_fence(memory_order_seq_cst);
  if (session->has_membarrier && syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0)
    settle(session, r);
  session->retired = r;
  session_reap(session);
}

/* The page size of a shared-memory object's file system. */
static size_t object_page(int fd) {
  struct statfs fs;
  if (fstatfs(fd, &fs) == 0 && fs.f_type == HUGETLBFS_MAGIC)
    return (size_t)fs.f_bsize;
  return (size_t)sysconf(_SC_PAGESIZE);
}

/* Checks that the descriptor is a writable shared-memory object, and reads its size and identity. */
static int check_object(int fd, struct segment *segment, size_t *page, struct errtext *err) {
  struct stat st;
  int seals = memfd_seals(fd), status = NUMD_EDESCRIPTOR;
  if (seals < 0)
    return errtext_set(err, status, SESSION_NOT_MEMORY);
  if ((fcntl(fd, F_GETFL) & O_ACCMODE) != O_RDWR)
    return errtext_set(err, status, "the object is not open for both reading and writing");
  if (seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
    return errtext_set(err, status, "the object is sealed against writing");
  if (memfd_stat(fd, &st) < 0 || st.st_size <= 0)
    return errtext_set(err, status, "the object is empty");
  *page = object_page(fd);
  segment->bytes = (uint64_t)st.st_size;
  segment->device = st.st_dev;
  segment->inode = st.st_ino;
  return 0;
}

/* Charges a segment against the session's own limit and its user's quotas. */
static int charge_segment(struct session *session, struct segment *segment, struct errtext *err) {
  uint64_t bytes = segment->bytes;
  uint64_t most = machine_memory_bytes();
  if (bytes > BINDING_OFFSET_MAX || bytes > most || session->segment_bytes > most - bytes)
    return errtext_set(
        err, NUMD_ELIMIT, "a segment of %llu bytes: a session may hold %llu bytes, this one has %llu already",
        (unsigned long long)bytes, (unsigned long long)most, (unsigned long long)session->segment_bytes);
  int status = charge(session, QUOTA_SEGMENTS, 1, err);
  if (status == 0 && (status = charge(session, QUOTA_BYTES, bytes, err)) != 0)
    give(session, QUOTA_SEGMENTS, 1);
  segment->charged = status == 0;
  return status;
}

/* Maps the object; the segment takes fd over if this succeeds. */
static int map_object(struct segment *segment, int fd, size_t page, struct errtext *err) {
  void *p = mmap(NULL, segment->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (p == MAP_FAILED)
    return errtext_set(err, errno == ENOMEM ? NUMD_ENOMEMORY : NUMD_EDESCRIPTOR,
                       "the object cannot be mapped: %s", strerror(errno));
  madvise(p, segment->bytes, MADV_HUGEPAGE); /* has an effect where the system allows it for shared memory */
  madvise(p, segment->bytes, MADV_DONTDUMP); /* it is the client's */
  segment->data = p;
  segment->watch = sigbus_watch(p, segment->bytes, page, &segment->lost);
  if (segment->watch < 0)
    return errtext_set(err, NUMD_ELIMIT, "too many segments are waiting to be unmapped");
  segment->fd = fd;
  return 0;
}

int session_attach(struct session *session, uint64_t id, int fd, uint64_t *bytes, struct errtext *err) {
  struct segment *segment = calloc(1, sizeof(*segment));
  size_t page = 0;
  int status = 0;
  if (segment)
    segment->fd = segment->watch = -1;
  if (!segment)
    status = errtext_set(err, NUMD_ENOMEMORY, "out of memory");
  else if (id >= MAX_SEGMENTS)
    status = errtext_set(err, NUMD_ESEGMENT, "segment ids are from 0 to %d", MAX_SEGMENTS - 1);
  else if (atomic_load_explicit(&session->segments[id], memory_order_relaxed))
    status = errtext_set(err, NUMD_EEXIST, "segment %u is attached already", (unsigned)id);
  if (status != 0)
    goto out;
  status = check_object(fd, segment, &page, err);
  if (status == 0)
    status = charge_segment(session, segment, err);
  if (status == 0)
    status = map_object(segment, fd, page, err);
  if (status != 0)
    goto out;
  *bytes = segment->bytes;
  session->segment_bytes += segment->bytes;
  atomic_store_explicit(&session->segments[id], segment, memory_order_release);
  return 0;
out:
  if (segment)
    segment->fd = -1;
  segment_free(session, segment);
  close(fd);
  return status;
}

int session_segment(struct session *session, uint64_t id, struct segment **out, struct errtext *err) {
  struct segment *segment =
      id < MAX_SEGMENTS ? atomic_load_explicit(&session->segments[id], memory_order_relaxed) : NULL;
  if (!segment)
    return errtext_set(err, NUMD_ESEGMENT, "there is no segment %llu", (unsigned long long)id);
  *out = segment;
  return 0;
}

int session_detach(struct session *session, uint64_t id, struct errtext *err) {
  struct segment *segment = NULL;
  int status = session_segment(session, id, &segment, err);
  if (status != 0)
    return status;
  struct retired *r = malloc(sizeof(*r));
  if (!r)
    return errtext_set(err, NUMD_ENOMEMORY, "out of memory");
  atomic_store_explicit(&session->segments[id], NULL, memory_order_relaxed);
  session->segment_bytes -= segment->bytes;
  retire(session, r, segment, NULL);
  return 0;
}

int session_prepare(struct session *session, uint64_t id, const struct program *program, struct plan **plan,
                    struct errtext *err) {
  struct plan *made = NULL;
  if (id >= MAX_PLANS)
    return errtext_set(err, NUMD_EPLAN, "plan ids are from 0 to %d", MAX_PLANS - 1);
  if (atomic_load_explicit(&session->plans[id], memory_order_relaxed))
    return errtext_set(err, NUMD_EEXIST, "plan %u exists already", (unsigned)id);
  if (session->plan_bytes > SESSION_PLAN_BYTES_MAX)
    return errtext_set(err, NUMD_ELIMIT, "this session's plans take %llu bytes already",
                       (unsigned long long)session->plan_bytes);
  int status = charge(session, QUOTA_PLANS, 1, err);
  if (status != 0)
    return status;
  status = plan_compile(program, &made, err);
  if (status < 0)
    status = errtext_set(err, status == -ENOMEM ? NUMD_ENOMEMORY : NUMD_EINTERNAL, "the plan: %s",
                         strerror(-status));
  if (status != 0) {
    give(session, QUOTA_PLANS, 1);
    return status;
  }
  session->plan_bytes += plan_bytes(made);
  atomic_store_explicit(&session->plans[id], made, memory_order_release);
  *plan = made;
  return 0;
}

int session_plan(struct session *session, uint64_t id, struct plan **out, struct errtext *err) {
  *out = id < MAX_PLANS ? atomic_load_explicit(&session->plans[id], memory_order_relaxed) : NULL;
  return *out ? 0 : errtext_set(err, NUMD_EPLAN, "there is no plan %llu", (unsigned long long)id);
}

int session_release(struct session *session, uint64_t id, struct errtext *err) {
  struct plan *plan = NULL;
  int status = session_plan(session, id, &plan, err);
  if (status != 0)
    return status;
  struct retired *r = malloc(sizeof(*r));
  if (!r)
    return errtext_set(err, NUMD_ENOMEMORY, "out of memory");
  atomic_store_explicit(&session->plans[id], NULL, memory_order_relaxed);
  session->plan_bytes -= plan_bytes(plan);
  retire(session, r, NULL, plan);
  return 0;
}

int session_add_runner(struct session *session, struct runner **out) {
  int i = 0;
  while (i < MAX_RUNNERS && atomic_load_explicit(&session->runners[i], memory_order_relaxed))
    i++;
  if (i == MAX_RUNNERS)
    return NUMD_ELIMIT;
  struct runner *runner = aligned_alloc(128, (sizeof(*runner) + 127) / 128 * 128);
  if (!runner)
    return NUMD_ENOMEMORY;
  memset(runner, 0, sizeof(*runner));
  atomic_store_explicit(&session->runners[i], runner, memory_order_release);
  *out = runner;
  return 0;
}

void session_remove_runner(struct session *session, struct runner *runner) {
  if (!runner)
    return;
  for (int i = 0; i < MAX_RUNNERS; i++)
    if (atomic_load_explicit(&session->runners[i], memory_order_relaxed) == runner)
      atomic_store_explicit(&session->runners[i], NULL, memory_order_relaxed);
  for (struct retired *r = session->retired; r; r = r->next)
    for (int i = 0; i < r->n_waits; i++)
      if (r->waits[i].runner == runner)
        r->waits[i].runner = NULL;
  if (runner->scratch)
    munmap(runner->scratch, runner->scratch_bytes);
  free(runner);
}

void session_deinit(struct session *session) {
  for (int i = 0; i < MAX_RUNNERS; i++)
    session_remove_runner(session, atomic_load(&session->runners[i]));
  while (session->retired) {
    struct retired *r = session->retired;
    session->retired = r->next;
    segment_free(session, r->segment);
    plan_let_go(session, r->plan);
    free(r);
  }
  for (int i = 0; i < MAX_SEGMENTS; i++)
    segment_free(session, atomic_exchange(&session->segments[i], NULL));
  for (int i = 0; i < MAX_PLANS; i++)
    plan_let_go(session, atomic_exchange(&session->plans[i], NULL));
}
