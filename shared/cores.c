/* SPDX-License-Identifier: BSD-3-Clause */
#include "shared/cores.h"

#include "shared/clock.h"
#include "shared/sem.h"

#define GET(word) atomic_load_explicit(&(word), memory_order_relaxed)

void cores_init(struct cores *cores, int n_cores) {
  cores->n_cores = n_cores < CORES_MAX ? (uint32_t)n_cores : CORES_MAX;
  cores->n_spin = cores->n_cores / 2;
}

/* Looks anew whether members of several users have joined. */
static void count_users(struct cores *cores) {
  bool several = false, any = false;
  uint32_t first = 0;
  for (uint32_t i = 0; i < GET(cores->n_used) && i < CORES_MAX_MEMBERS; i++) {
    const struct cores_member *m = &cores->members[i];
    if (!GET(m->joined))
      continue;
    first = any ? first : GET(m->user);
    any = true;
    several |= GET(m->user) != first;
  }
  atomic_store(&cores->several_users, several);
  if (several)
    cores_want_observer(cores);
}

void cores_join(struct cores *cores, uint32_t member, uint32_t user) {
  struct cores_member *m = &cores->members[member];
  atomic_store(&m->user, user);
  atomic_store(&m->joined, 1);
  if (member >= atomic_load(&cores->n_used))
    atomic_store(&cores->n_used, member + 1);
  count_users(cores);
}

static int take(_Atomic uint32_t owners[], uint32_t n, uint32_t member, int want) {
  int got = 0;
  for (uint32_t i = 0; i < n && i < CORES_MAX && got < want; i++) {
    uint32_t nobody = 0;
    if (atomic_load_explicit(&owners[i], memory_order_relaxed) == 0 &&
        atomic_compare_exchange_strong_explicit(&owners[i], &nobody, member + 1, memory_order_acq_rel,
                                                memory_order_relaxed))
      got++;
  }
  return got;
}

static void give(_Atomic uint32_t owners[], uint32_t n, uint32_t member, int count) {
  for (uint32_t i = 0; i < n && i < CORES_MAX && count > 0; i++) {
    uint32_t mine = member + 1;
    if (atomic_load_explicit(&owners[i], memory_order_relaxed) == mine &&
        atomic_compare_exchange_strong_explicit(&owners[i], &mine, 0, memory_order_acq_rel,
                                                memory_order_relaxed))
      count--;
  }
}

static void take_all_from(struct cores *cores, uint32_t member) {
  give(cores->core_owner, cores->n_cores, member, CORES_MAX);
  give(cores->spin_owner, cores->n_spin, member, CORES_MAX);
}

static void count_still_callers(struct cores *cores) {
  int n = 0;
  for (uint32_t i = 0; i < GET(cores->n_used) && i < CORES_MAX_MEMBERS; i++)
    n += GET(cores->members[i].still) ? cores_threads(&cores->members[i].n_callers) : 0;
  atomic_store(&cores->n_still_callers, n);
}

void cores_leave(struct cores *cores, uint32_t member) {
  struct cores_member *m = &cores->members[member];
  take_all_from(cores, member);
  atomic_store(&m->still, 0);
  atomic_store(&m->strict, 0);
  atomic_fetch_sub(&cores->n_callers, atomic_exchange(&m->n_callers, 0));
  atomic_store(&m->joined, 0);
  atomic_fetch_sub(&cores->n_waiting, atomic_exchange(&m->n_waiting, 0));
  atomic_store(&m->user, 0);
  atomic_store(&m->placement, 0);
  atomic_store(&m->n_calls, 0);
  atomic_store(&m->n_channels, 0);
  count_still_callers(cores);
  count_users(cores);
}

int cores_take(struct cores *cores, uint32_t member, int want) {
  return take(cores->core_owner, cores->n_cores, member, want);
}

void cores_give(struct cores *cores, uint32_t member, int n) {
  give(cores->core_owner, cores->n_cores, member, n);
}

bool cores_take_spin(struct cores *cores, uint32_t member) {
  return take(cores->spin_owner, cores->n_spin, member, 1) == 1;
}

void cores_give_spin(struct cores *cores, uint32_t member) {
  give(cores->spin_owner, cores->n_spin, member, 1);
}

int cores_callers(const struct cores *cores) {
  int all = GET(cores->n_callers), still = GET(cores->n_still_callers);
  return all > still && still >= 0 ? all - still : 0;
}

bool cores_has_idle(const struct cores *cores) {
  if (cores_callers(cores) >= (int)cores->n_cores)
    return false;
  for (uint32_t i = 0; i < cores->n_cores && i < CORES_MAX; i++)
    if (GET(cores->core_owner[i]) == 0)
      return true;
  return false;
}

void cores_claim_work(struct cores *cores, uint32_t member) {
  atomic_fetch_add_explicit(&cores->members[member].n_callers, 1, memory_order_relaxed);
}

void cores_begin_claimed(struct cores *cores, uint32_t member) {
  atomic_fetch_add_explicit(&cores->n_callers, 1, memory_order_relaxed);
  if (GET(cores->members[member].still)) /* it was continued */
    cores_want_observer(cores);
}

void cores_drop_claim(struct cores *cores, uint32_t member) {
  atomic_fetch_sub_explicit(&cores->members[member].n_callers, 1, memory_order_relaxed);
}

void cores_begin_work(struct cores *cores, uint32_t member) {
  cores_claim_work(cores, member);
  cores_begin_claimed(cores, member);
}

void cores_end_work(struct cores *cores, uint32_t member) {
  atomic_fetch_sub_explicit(&cores->n_callers, 1, memory_order_relaxed);
  atomic_fetch_sub_explicit(&cores->members[member].n_callers, 1, memory_order_relaxed);
}

/* Changes the total first. A member that dies between the two steps then leaves a total that is too large,
 * never one that is too small: a thread that ends its work would then wake nobody. */
void cores_begin_wait(struct cores *cores, uint32_t member) {
  atomic_fetch_add(&cores->n_waiting, 1);
  atomic_fetch_add(&cores->members[member].n_waiting, 1);
}

void cores_end_wait(struct cores *cores, uint32_t member) {
  atomic_fetch_sub(&cores->members[member].n_waiting, 1);
  atomic_fetch_sub(&cores->n_waiting, 1);
}

/* The asking thread stores its want and then looks whether the observer sleeps; the observer says that it
 * sleeps and then looks for a want. A full fence stands between the two steps on both sides, so at least one
 * of them sees the other. */
void cores_want_observer(struct cores *cores) {
  if (GET(cores->wants_observer))
    return;
  atomic_store(&cores->wants_observer, 1);
  atomic_thread_fence(memory_order_seq_cst);
  if (GET(cores->observer_sleeps))
    sem_hint(&cores->observer);
}

void cores_await_want(struct cores *cores, int64_t deadline) {
  atomic_store(&cores->observer_sleeps, 1);
  atomic_thread_fence(memory_order_seq_cst);
  while (!GET(cores->wants_observer) && clock_now_ns() < deadline)
    sem_await_hint(&cores->observer, deadline);
  atomic_store(&cores->observer_sleeps, 0);
}

void cores_set_still(struct cores *cores, uint32_t member, bool still) {
  atomic_store(&cores->members[member].still, still);
  if (still)
    take_all_from(cores, member);
  count_still_callers(cores);
}

static void note_owners(const _Atomic uint32_t owners[], uint32_t n, bool holds[CORES_MAX_MEMBERS]) {
  for (uint32_t i = 0; i < n && i < CORES_MAX; i++) {
    uint32_t owner = GET(owners[i]);
    if (owner > 0 && owner <= CORES_MAX_MEMBERS)
      holds[owner - 1] = true;
  }
}

void cores_find_holders(const struct cores *cores, bool holds[CORES_MAX_MEMBERS]) {
  for (uint32_t i = 0; i < CORES_MAX_MEMBERS; i++)
    holds[i] = GET(cores->members[i].n_callers) > 0;
  note_owners(cores->core_owner, cores->n_cores, holds);
  note_owners(cores->spin_owner, cores->n_spin, holds);
}
