/* SPDX-License-Identifier: BSD-3-Clause */
#include "shared/cores.h"

void cores_init(struct cores *cores, int n_cores) {
  cores->n_cores = n_cores < CORES_MAX ? (uint32_t)n_cores : CORES_MAX;
  cores->n_spin = cores->n_cores / 2;
}

void cores_join(struct cores *cores, uint32_t member, uint32_t user) {
  struct cores_member *m = &cores->members[member];
  atomic_store(&m->user, user);
  atomic_store(&m->joined, 1);
  if (member >= atomic_load(&cores->n_used))
    atomic_store(&cores->n_used, member + 1);
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

void cores_leave(struct cores *cores, uint32_t member) {
  struct cores_member *m = &cores->members[member];
  give(cores->core_owner, cores->n_cores, member, CORES_MAX);
  give(cores->spin_owner, cores->n_spin, member, CORES_MAX);
  atomic_fetch_sub(&cores->n_callers, atomic_exchange(&m->n_callers, 0));
  atomic_store(&m->joined, 0);
  atomic_fetch_sub(&cores->n_waiting, atomic_exchange(&m->n_waiting, 0));
  atomic_store(&m->user, 0);
  atomic_store(&m->placement, 0);
  atomic_store(&m->n_calls, 0);
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

bool cores_has_idle(const struct cores *cores) {
  if (atomic_load_explicit(&cores->n_callers, memory_order_relaxed) >= (int)cores->n_cores)
    return false;
  for (uint32_t i = 0; i < cores->n_cores && i < CORES_MAX; i++)
    if (atomic_load_explicit(&cores->core_owner[i], memory_order_relaxed) == 0)
      return true;
  return false;
}

int cores_begin_work(struct cores *cores, uint32_t member) {
  atomic_fetch_add_explicit(&cores->members[member].n_callers, 1, memory_order_relaxed);
  int others = atomic_fetch_add_explicit(&cores->n_callers, 1, memory_order_relaxed);
  return others > 0 ? others : 0;
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
