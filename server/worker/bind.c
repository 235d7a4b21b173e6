/* SPDX-License-Identifier: BSD-3-Clause */
/* The one road from a request to a kernel: every binding is checked against this session's segments, and
 * against the range of bytes that the plan says it touches; only then do addresses exist.
 *
 * What is checked is the request, a private copy, so the client cannot change it between the check and the
 * use. A segment that is detached meanwhile stays mapped until this runner has left its call (session.h), and
 * a segment that shrinks meanwhile gets zero pages from the SIGBUS handler and is marked lost (sigbus.h). */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "server/engine/exec.h"
#include "server/engine/plan_impl.h"
#include "server/engine/pool.h"
#include "server/engine/scalar.h"
#include "server/worker/session.h"
#include "shared/trace.h"

#define SCRATCH_KEPT ((size_t)64 << 20) /* scratch that a runner keeps from call to call, at most */

/* A call with what its bindings are bound to. */
struct bound_call {
  struct call call;
  struct segment *segment[MAX_BINDINGS];
  uint64_t offset[MAX_BINDINGS];
  _Alignas(MAX_ITEM_BYTES) char scalars[SCALAR_BYTES];
};

static int fail(struct completion *c, int status, uint32_t binding) {
  c->status = status;
  c->detail = binding;
  return status;
}

static int bind_array(struct session *session, const struct plan *p, uint32_t i, uint64_t binding,
                      struct bound_call *run) {
  uint32_t id = binding_segment(binding);
  uint64_t offset = binding_offset(binding);
  struct segment *s =
      id < MAX_SEGMENTS ? atomic_load_explicit(&session->segments[id], memory_order_acquire) : NULL;
  if (!s)
    return NUMD_ESEGMENT;
  const struct bound *b = &p->bounds[i];
  /* An offset has 48 bits and an extent 62, so no sum here overflows. */
  if ((int64_t)offset + b->lo < 0 || (uint64_t)((int64_t)offset + b->hi) > s->bytes || offset > s->bytes)
    return NUMD_EBOUNDS;
  if (offset & b->align_mask)
    return NUMD_EALIGN;
  run->segment[i] = s;
  run->offset[i] = offset;
  run->call.bases[i] = s->data + offset;
  return 0;
}

static int bind_scalars(const struct plan *p, const struct request *request, struct bound_call *run,
                        struct completion *completion) {
  for (uint32_t i = 0; i < p->n_scalars; i++) {
    const struct scalar_use *use = &p->scalars[i];
    uint64_t bits = request->bindings[use->binding];
    if (use->from == NUMD_BOOL)
      bits = (bits & 0xff) != 0;
    if (!scalar_convert(use->from, bits, use->to, run->scalars + use->offset))
      return fail(completion, NUMD_ERANGE, use->binding);
  }
  return 0;
}

/* Whether two segments share their memory: an object may be attached more than once. */
static bool is_same_object(const struct segment *a, const struct segment *b) {
  return a == b || (a->inode == b->inode && a->device == b->device);
}

/* Whether two arrays of a call have bytes in common, as far as the ranges that they touch tell. */
static bool ranges_meet(const struct plan *p, const struct bound_call *run, uint32_t a, uint32_t b) {
  const struct bound *p_a = &p->bounds[a], *p_b = &p->bounds[b];
  if (!is_same_object(run->segment[a], run->segment[b]) || p_a->lo == p_a->hi || p_b->lo == p_b->hi)
    return false;
  int64_t x = (int64_t)run->offset[a], y = (int64_t)run->offset[b];
  return x + p_a->lo < y + p_b->hi && y + p_b->lo < x + p_a->hi;
}

/* Looks for overlaps of output `o`. EINVAL: with another output. *redirect is set if it overlaps an input in
 * a way that the plan's steps are not made for, so that the output must be computed in private memory. */
static int check_overlap(const struct plan *p, const struct bound_call *run, uint32_t o, bool *redirect) {
  for (uint32_t i = 0; i < p->n_bindings; i++) {
    if (i == o || p->bounds[i].kind == BIND_SCALAR || !ranges_meet(p, run, o, i))
      continue;
    if (p->bounds[i].kind == BIND_OUTPUT)
      return NUMD_EINVAL;
    if (run->offset[i] != run->offset[o] || !(p->bounds[o].exact_ok >> i & 1))
      *redirect = true;
  }
  return 0;
}

static char *reserve_scratch(struct runner *r, size_t bytes) {
  if (bytes <= r->scratch_bytes)
    return r->scratch;
  if (r->scratch)
    munmap(r->scratch, r->scratch_bytes);
  bytes = (size_t)align_up((int64_t)bytes, 1 << 16);
  char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  r->scratch = p == MAP_FAILED ? NULL : p;
  r->scratch_bytes = r->scratch ? bytes : 0;
  return r->scratch;
}

static void trim_scratch(struct runner *r) {
  if (r->scratch_bytes <= SCRATCH_KEPT)
    return;
  munmap(r->scratch, r->scratch_bytes);
  r->scratch = NULL;
  r->scratch_bytes = 0;
}

/* Runs the call with the outputs in `mask` in private memory, behind the plan's own scratch, and copies them
 * to their bindings when every input has been read. */
static int run_redirected(struct runner *runner, const struct plan *p, uint64_t mask,
                          struct bound_call *run) {
  static const _Atomic uint64_t never = 0; /* no call has this id */
  char *where[MAX_BINDINGS];
  int64_t at = align_up(p->scratch_bytes, 64), total = at;
  for (uint32_t i = 0; i < p->n_bindings; i++)
    if (mask >> i & 1)
      total += align_up(p->bounds[i].hi - p->bounds[i].lo, 64);
  char *scratch = reserve_scratch(runner, (size_t)total);
  if (!scratch)
    return NUMD_ENOMEMORY;
  run->call.bases[BASE_SCRATCH] = scratch;
  for (uint32_t i = 0; i < p->n_bindings; i++) {
    where[i] = run->call.bases[i];
    if (!(mask >> i & 1))
      continue;
    run->call.bases[i] = scratch + at - p->bounds[i].lo;
    at += align_up(p->bounds[i].hi - p->bounds[i].lo, 64);
  }
  int status = exec_run(&run->call);
  run->call.cancel = &never; /* a copy that is broken off would leave the overlapped input half overwritten */
  for (uint32_t i = 0; i < p->n_bindings && status == 0; i++) {
    if (!(mask >> i & 1))
      continue;
    run->call.bases[BASE_REDIRECT] = run->call.bases[i];
    run->call.bases[i] = where[i];
    exec_step(&run->call, p->copy_back[i]);
  }
  return status;
}

static int bind_all(struct session *session, const struct plan *p, const struct request *request,
                    struct bound_call *run, struct completion *completion) {
  if (request->n_bindings != p->n_bindings)
    return fail(completion, NUMD_EINVAL, NO_DETAIL);
  for (uint32_t i = 0; i < p->n_bindings; i++) {
    run->segment[i] = NULL; /* a scalar has none */
    int r = p->bounds[i].kind == BIND_SCALAR ? 0 : bind_array(session, p, i, request->bindings[i], run);
    if (r)
      return fail(completion, r, i);
  }
  return bind_scalars(p, request, run, completion);
}

/* Completes the call. If a segment shrank while the call ran, the kernels read zeros in place of its data, so
 * the status is ELOST whatever they gave. */
static int finish(const struct plan *p, const struct bound_call *run, int status,
                  struct completion *completion) {
  for (uint32_t i = 0; i < p->n_bindings; i++)
    if (p->bounds[i].kind != BIND_SCALAR &&
        atomic_load_explicit(&run->segment[i]->lost, memory_order_relaxed))
      return fail(completion, NUMD_ELOST, i);
  return fail(completion, status, NO_DETAIL);
}

/* Of a call that is not among the shortest. */
static void begin_turn(struct session *session, struct runner *runner, struct call *call) {
  pool_begin_call(session->pool, call);
  if ((call->plan->cost_ns > LONG_CALL_NS || call->turn.cores) && runner->before_long)
    runner->before_long(runner->before_long_arg);
}

static int run_plan(struct session *session, struct runner *runner, const struct plan *p,
                    const struct request *request, struct completion *completion) {
  struct bound_call run;
  uint64_t redirect = 0;
  int status = bind_all(session, p, request, &run, completion);
  if (status)
    return status;
  for (uint64_t left = p->outputs_mask; left; left &= left - 1) {
    uint32_t o = (uint32_t)__builtin_ctzll(left);
    bool apart = false;
    if ((status = check_overlap(p, &run, o, &apart)))
      return fail(completion, status, o);
    redirect |= (uint64_t)apart << o;
  }
  run.call.plan = p;
  run.call.cancel = &runner->cancel;
  run.call.call_id = runner->call_id;
  run.call.pool = session->pool;
  atomic_init(&run.call.flags, 0);
  run.call.bases[BASE_CONSTANTS] = p->constants;
  run.call.bases[BASE_SCALARS] = run.scalars;
  run.call.bases[BASE_RESULT] = (char *)completion->result;
  trace_stamp(TRACE_CHECKED);
  run.call.turn = (struct turn){.begun = false};
  if (p->cost_ns >= TURN_MIN_NS || session_is_strict(session))
    begin_turn(session, runner, &run.call);
  if (redirect)
    status = run_redirected(runner, p, redirect, &run);
  else if (p->scratch_bytes &&
           !(run.call.bases[BASE_SCRATCH] = reserve_scratch(runner, (size_t)p->scratch_bytes)))
    status = NUMD_ENOMEMORY;
  else
    status = exec_run(&run.call);
  if (run.call.turn.begun)
    pool_end_call(session->pool, &run.call);
  trace_stamp(TRACE_COMPUTED);
  trim_scratch(runner);
  return finish(p, &run, status, completion);
}

/* The same checks as run_plan's, in as few instructions as possible, for a plan that is one kernel over a few
 * arrays. False, with nothing done: a check fails or an output overlaps an input, and run_plan is to find out
 * which. */
static bool run_one(struct session *session, const struct plan *p, const struct request *request,
                    struct completion *completion) {
  struct segment *segment[ONE_KERNEL_BINDINGS] = {NULL};
  char *base[ONE_KERNEL_BINDINGS];
  uint32_t n = p->n_bindings, last = n - 1;
  if (n == 0 || n > ONE_KERNEL_BINDINGS || request->n_bindings != n)
    return false;
  for (uint32_t i = 0; i < n; i++) {
    const struct bound *b = &p->bounds[i];
    uint32_t id = binding_segment(request->bindings[i]);
    int64_t offset = (int64_t)binding_offset(request->bindings[i]);
    if (id >= MAX_SEGMENTS)
      return false;
    struct segment *s = atomic_load_explicit(&session->segments[id], memory_order_acquire);
    if (!s || offset + b->lo < 0 || offset + b->hi > (int64_t)s->bytes || offset & b->align_mask)
      return false;
    segment[i] = s;
    base[i] = s->data + offset;
  }
  for (uint32_t i = 0; p->outputs_mask && i < last; i++) {
    const struct bound *in = &p->bounds[i], *out = &p->bounds[last];
    bool apart = segment[i] == segment[last]
                     ? base[i] + in->lo >= base[last] + out->hi || base[last] + out->lo >= base[i] + in->hi
                     : !is_same_object(segment[i], segment[last]);
    if (!apart && (base[i] != base[last] || !(out->exact_ok >> i & 1)))
      return false;
  }
  trace_stamp(TRACE_CHECKED);
  completion->status = exec_one_kernel(&p->one, base, (char *)completion->result);
  trace_stamp(TRACE_COMPUTED);
  completion->detail = NO_DETAIL;
  for (uint32_t i = 0; i < n; i++)
    if (atomic_load_explicit(&segment[i]->lost, memory_order_relaxed))
      fail(completion, NUMD_ELOST, i);
  return true;
}

void session_run(struct session *session, struct runner *runner, const struct request *request,
                 struct completion *completion) {
  uint64_t calls = atomic_load_explicit(&runner->calls, memory_order_relaxed);
  memset(completion->result, 0, sizeof(completion->result));
  atomic_store_explicit(&runner->calls, calls + 1, memory_order_relaxed);
  /* Between the store above and the loads below the processor needs a full fence, or the main thread could
   * see no call under way and free what this thread then finds in the tables. The main thread has all our
   * threads pass that fence when it removes something (session.c), so here only the compiler must keep the
   * order. */
  atomic_signal_fence(memory_order_seq_cst);
  struct plan *p = request->plan_id < MAX_PLANS
                       ? atomic_load_explicit(&session->plans[request->plan_id], memory_order_acquire)
                       : NULL;
  if (!p)
    fail(completion, NUMD_EPLAN, NO_DETAIL);
  else if (p->one.n == 0 || session_is_strict(session) || !run_one(session, p, request, completion))
    run_plan(session, runner, p, request, completion);
  atomic_store_explicit(&runner->calls, calls + 2, memory_order_release);
}
