/* SPDX-License-Identifier: BSD-3-Clause */
#include "server/worker/allowance.h"

#include "protocol/status.h"

static int refuse(const struct allowance *a, enum quota q, uint64_t used, uint64_t amount,
                  struct errtext *err) {
  return quota_refuse(a->limits[q], a->uid, q, used, amount, err);
}

#define TRIES 16

/* Has at least `missing` more granted. What another session of the user gave back a moment ago may be on its
 * way to the supervisor, behind this question: what sessions hold then shows less than is granted, and the
 * question is put again. */
static int ask_for_more(struct allowance *a, enum quota q, uint64_t missing, uint64_t amount,
                        struct errtext *err) {
  struct control_message m;
  int fd, status = NUMD_ELIMIT;
  if (!a->ask)
    return refuse(a, q, a->held[q], amount, err);
  for (int i = 0; i < TRIES && status == NUMD_ELIMIT; i++) {
    m = (struct control_message){.type = CONTROL_CHARGE, .flag = q, .first = missing};
    status = ask_and_wait(a->ask, &m, -1, &fd, err);
    if (status == NUMD_ELIMIT && (m.first > a->limits[q] || amount > a->limits[q] - m.first))
      break;
  }
  if (status == NUMD_ELIMIT)
    return refuse(a, q, m.first, amount, err);
  if (status != 0)
    return status;
  a->granted[q] += m.first;
  a->reserve[q] = m.ticket;
  return 0;
}

static void show(const struct allowance *a, enum quota q) {
  if (a->shown)
    atomic_store_explicit(&a->shown[q], a->held[q], memory_order_relaxed);
}

int allowance_charge(struct allowance *a, enum quota q, uint64_t amount, struct errtext *err) {
  if (!a)
    return 0;
  uint64_t left = a->granted[q] - a->held[q];
  int status = amount > left ? ask_for_more(a, q, amount - left, amount, err) : 0;
  if (status != 0)
    return status;
  a->held[q] += amount;
  show(a, q);
  return 0;
}

void allowance_give(struct allowance *a, enum quota q, uint64_t amount) {
  if (!a)
    return;
  a->held[q] -= amount;
  show(a, q);
  uint64_t left = a->granted[q] - a->held[q];
  if (!a->ask || left <= 2 * a->reserve[q])
    return;
  const struct control_message m = {.type = CONTROL_DISCHARGE, .flag = q, .first = left - a->reserve[q]};
  if (control_send(a->ask->control, &m, -1) == 0) /* else the next time */
    a->granted[q] -= m.first;
}
