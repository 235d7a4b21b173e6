/* SPDX-License-Identifier: BSD-3-Clause */
#include "server/supervisor/charges.h"

#include <string.h>

#include "protocol/status.h"
#include "server/host/log.h"
#include "server/supervisor/workers.h"

/* The largest reserves. Quotas that are not here have none: what they count takes longer than a question. */
static const uint64_t most_reserve[N_QUOTAS] = {
    [QUOTA_BYTES] = (uint64_t)256 << 20, [QUOTA_SEGMENTS] = 16, [QUOTA_PLANS] = 64, [QUOTA_CALLS] = 4};

#define SHARE_OF_FREE 16 /* a reserve is at most this part of what a session's share of the free would be */

static uint64_t smaller(uint64_t a, uint64_t b) {
  return a < b ? a : b;
}

static uint64_t limit_of(const struct charges *c, enum quota q) {
  return c->workers->notices->limits[q];
}

/* What is granted beyond what is asked for, with so much free. */
static uint64_t reserve(const struct charges *c, enum quota q, uint64_t free_amount) {
  uint64_t share = free_amount / SHARE_OF_FREE / limit_of(c, QUOTA_SESSIONS);
  uint64_t n = smaller(share, most_reserve[q]);
  return n < most_reserve[q] / 16 ? 0 : n;
}

/* What the sessions of a user say that they hold, as far as it was granted: for people to read. */
static uint64_t used(const struct charges *c, const struct account *a, enum quota q) {
  uint64_t n = a->elsewhere[q];
  if (q == QUOTA_SESSIONS)
    return account_total(a, q);
  for (const struct worker_process *w = c->workers->first; w; w = w->next)
    if (w->in_session && !w->exited && w->client_uid == a->uid) {
      uint64_t shown = atomic_load(&c->workers->scoreboard->entries[w->entry].held[q]);
      n += smaller(shown, w->granted[q]);
    }
  return n;
}

/* Decides about a CHARGE, and makes the answer of it: the amount that was granted, the reserve in it, and the
 * status; or what the user holds, if it is refused. */
static void decide(const struct charges *c, const struct account *a, struct control_message *m) {
  enum quota q = (enum quota)m->flag;
  uint64_t limit = limit_of(c, q), taken = account_total(a, q);
  m->status = NUMD_ELIMIT;
  if (taken > limit || m->first > limit - taken) {
    m->first = used(c, a, q);
    return;
  }
  m->status = 0;
  m->ticket = reserve(c, q, limit - taken - m->first);
  m->first += m->ticket;
}

/* Of what quotas workers may ask. */
static bool is_askable(const struct control_message *m) {
  return m->flag < N_QUOTAS && m->flag != QUOTA_SESSIONS && m->flag != QUOTA_DESCRIPTORS;
}

static void answer(const struct worker_process *w, struct control_message *m) {
  m->type = CONTROL_REPLY;
  int rc = control_send(w->control, m, -1);
  if (rc < 0)
    log_warning("worker %d cannot be answered: %s", w->process.pid, strerror(-rc));
}

/* Tells the successor, if there is one, that a user needs so much no longer. */
static void tell_discharge(struct charges *c, struct account *a, enum quota q, uint64_t amount) {
  const struct control_message m = {
      .type = CONTROL_DISCHARGE, .uid = a->uid, .flag = q, .first = amount + a->owed[q]};
  if (!c->has_successor || m.first == 0)
    return;
  bool told = control_send(c->successor, &m, -1) == 0;
  a->owed[q] = told ? 0 : m.first;
  c->owes |= !told;
}

static void discharge(struct charges *c, struct worker_process *w, enum quota q, uint64_t amount) {
  struct account *a = accounts_get(&c->accounts, w->client_uid);
  amount = smaller(amount, w->granted[q]);
  if (!a || amount == 0)
    return;
  w->granted[q] -= amount;
  a->held[q] -= amount;
  tell_discharge(c, a, q, amount);
}

/* Answers a worker's CHARGE, or has the successor do so. */
static void charge(struct charges *c, struct worker_process *w, struct control_message *m) {
  struct account *a = accounts_get(&c->accounts, w->client_uid);
  m->uid = w->client_uid;
  m->pid = (int32_t)w->entry;
  m->gid = 0; /* daemons between that worker's and the one that answers */
  m->status = NUMD_EINTERNAL;
  if (a && is_askable(m) && c->has_successor) {
    if (control_send(c->successor, m, -1) == 0)
      return;
  } else if (a && is_askable(m)) {
    decide(c, a, m);
  }
  if (m->status == 0) {
    w->granted[m->flag] += m->first;
    a->held[m->flag] += m->first;
  }
  answer(w, m);
}

static void list_used(struct charges *c, const struct worker_process *w, struct control_message *m) {
  const struct account *a = accounts_get(&c->accounts, w->client_uid);
  uint64_t n[N_QUOTAS] = {0};
  for (int q = 0; a && q < N_QUOTAS; q++)
    n[q] = used(c, a, q);
  memcpy(m->note, n, sizeof(n));
  m->note_bytes = sizeof(n);
}

bool charges_handle(struct charges *c, struct worker_process *w, struct control_message *m) {
  if (m->type == CONTROL_HELD)
    list_used(c, w, m);
  else if (m->type == CONTROL_DISCHARGE && is_askable(m))
    discharge(c, w, (enum quota)m->flag, m->first);
  else if (m->type == CONTROL_CHARGE)
    charge(c, w, m);
  return m->type == CONTROL_DISCHARGE || m->type == CONTROL_CHARGE || m->type == CONTROL_REPLY;
}

/* Tells the successor that a user holds so much more. */
static int tell_charged(int successor, uint32_t uid, const uint64_t amounts[N_QUOTAS]) {
  struct control_message m = {.type = CONTROL_CHARGED, .uid = uid};
  memcpy(m.note, amounts, N_QUOTAS * sizeof(*amounts));
  return control_send(successor, &m, -1);
}

void charges_begin_session(struct charges *c, struct worker_process *w, struct control_message *m) {
  struct account *a = accounts_get(&c->accounts, w->client_uid);
  uint64_t first[N_QUOTAS] = {[QUOTA_SESSIONS] = 1};
  if (!a)
    return;
  for (int q = 0; q < N_QUOTAS; q++) {
    uint64_t limit = limit_of(c, q), taken = account_total(a, q);
    if (most_reserve[q] > 0 && !c->has_successor && taken < limit)
      first[q] = reserve(c, q, limit - taken);
    a->held[q] += first[q];
    w->granted[q] = first[q];
  }
  memcpy(m->note, first, sizeof(first));
  if (c->has_successor)
    tell_charged(c->successor, a->uid, first);
}

void charges_end_session(struct charges *c, struct worker_process *w) {
  for (int q = 0; q < N_QUOTAS; q++)
    discharge(c, w, (enum quota)q, w->granted[q]);
}

/* ---- Between daemons ---- */

struct handing_over {
  int successor, rc;
};

static void tell_all(void *arg, struct account *a) {
  struct handing_over *h = arg;
  uint64_t n[N_QUOTAS];
  for (int q = 0; q < N_QUOTAS; q++)
    n[q] = account_total(a, q);
  if (h->rc == 0)
    h->rc = tell_charged(h->successor, a->uid, n);
}

int charges_hand_over(struct charges *c, int successor) {
  struct handing_over h = {.successor = successor};
  accounts_each(&c->accounts, tell_all, &h);
  c->successor = successor;
  c->has_successor = true;
  return h.rc;
}

static struct worker_process *find_worker(const struct charges *c, const struct control_message *m) {
  for (struct worker_process *w = c->workers->first; w; w = w->next)
    if ((int32_t)w->entry == m->pid && w->in_session && !w->exited && w->client_uid == m->uid)
      return w;
  return NULL;
}

/* An answer of the successor's goes to the worker that asked, or to the daemon before this one. What was
 * granted to somebody who is gone is given back at once. */
void charges_handle_successors(struct charges *c, struct control_message *m) {
  struct account *a = accounts_get(&c->accounts, m->uid);
  if (m->type != CONTROL_REPLY || !a || !is_askable(m))
    return;
  uint64_t amount = m->status == 0 ? m->first : 0;
  struct worker_process *w = m->gid == 0 ? find_worker(c, m) : NULL;
  if (w) {
    w->granted[m->flag] += amount;
    a->held[m->flag] += amount;
    answer(w, m);
  } else if (m->gid > 0 && c->has_predecessor) {
    m->gid--;
    a->elsewhere[m->flag] += amount;
    if (control_send(c->predecessor, m, -1) < 0)
      log_warning("the daemon before this one does not listen");
  } else {
    tell_discharge(c, a, (enum quota)m->flag, amount);
  }
}

static void pay(void *arg, struct account *a) {
  for (int q = 0; q < N_QUOTAS; q++)
    tell_discharge(arg, a, (enum quota)q, 0);
}

bool charges_pay(struct charges *c) {
  c->owes = false;
  accounts_each(&c->accounts, pay, c);
  return !c->owes;
}

static void forget_debt(void *arg, struct account *a) {
  memset(a->owed, 0, sizeof(a->owed));
}

void charges_lose_successor(struct charges *c) {
  c->has_successor = c->owes = false;
  accounts_each(&c->accounts, forget_debt, NULL);
}

void charges_set_predecessor(struct charges *c, int predecessor) {
  c->predecessor = predecessor;
  c->has_predecessor = true;
}

static void add_elsewhere(struct account *a, const struct control_message *m) {
  uint64_t n[N_QUOTAS];
  memcpy(n, m->note, sizeof(n));
  for (int q = 0; q < N_QUOTAS; q++)
    a->elsewhere[q] += n[q];
}

/* Answers a CHARGE of the predecessor's, or passes it on. */
static void charge_elsewhere(struct charges *c, struct account *a, struct control_message *m) {
  if (c->has_successor) {
    m->gid++;
    control_send(c->successor, m, -1);
    return;
  }
  decide(c, a, m);
  m->type = CONTROL_REPLY;
  if (control_send(c->predecessor, m, -1) == 0 && m->status == 0)
    a->elsewhere[m->flag] += m->first;
}

static void discharge_elsewhere(struct charges *c, struct account *a, enum quota q, uint64_t amount) {
  amount = smaller(amount, a->elsewhere[q]);
  a->elsewhere[q] -= amount;
  tell_discharge(c, a, q, amount);
}

void charges_handle_predecessors(struct charges *c, struct control_message *m) {
  struct account *a = accounts_get(&c->accounts, m->uid);
  if (!a)
    return;
  if (m->type == CONTROL_CHARGED) {
    uint64_t n[N_QUOTAS];
    memcpy(n, m->note, sizeof(n));
    add_elsewhere(a, m);
    if (c->has_successor)
      tell_charged(c->successor, a->uid, n);
  } else if (m->type == CONTROL_CHARGE && is_askable(m)) {
    charge_elsewhere(c, a, m);
  } else if (m->type == CONTROL_DISCHARGE && m->flag < N_QUOTAS) {
    discharge_elsewhere(c, a, (enum quota)m->flag, m->first);
  }
}

static void forget_elsewhere(void *arg, struct account *a) {
  for (int q = 0; q < N_QUOTAS; q++)
    discharge_elsewhere(arg, a, (enum quota)q, a->elsewhere[q]);
}

void charges_lose_predecessor(struct charges *c) {
  c->has_predecessor = false;
  accounts_each(&c->accounts, forget_elsewhere, c);
}

void charges_deinit(struct charges *c) {
  accounts_deinit(&c->accounts);
}
