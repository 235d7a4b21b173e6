/* SPDX-License-Identifier: BSD-3-Clause */
#include "client/lib/pending.h"

#include <stdlib.h>
#include <string.h>

#include "client/lib/error.h"

static void lock(struct pending *p) {
  while (atomic_flag_test_and_set_explicit(&p->lock, memory_order_acquire)) {
  }
}

static void unlock(struct pending *p) {
  atomic_flag_clear_explicit(&p->lock, memory_order_release);
}

static struct pending_call *record(struct pending *p, uint64_t number) {
  return &p->calls[number % CHANNEL_SLOTS];
}

void pending_init(struct pending *p) {
  atomic_flag_clear(&p->lock);
}

void pending_deinit(struct pending *p) {
  while (p->aside) {
    struct pending_call *c = p->aside;
    p->aside = c->next;
    free(c);
  }
}

/* Does not wait for the lock: in a forked child it may be held for ever, by a thread that only the parent
 * has. */
bool pending_any(struct pending *p) {
  if (atomic_flag_test_and_set_explicit(&p->lock, memory_order_acquire))
    return true;
  bool any = p->n != 0 || p->aside;
  unlock(p);
  return any;
}

void pending_add(struct pending *p, uint64_t number) {
  struct pending_call *c = record(p, number);
  lock(p);
  c->number = number;
  c->state = CALL_PENDING;
  unlock(p);
  atomic_fetch_add_explicit(&p->n, 1, memory_order_relaxed);
}

/* Copies the answer out of the call's slot, which is free for another call afterwards. The lock is held. */
static void take_answer(struct pending *p, struct channel_memory *memory, struct pending_call *c) {
  const struct slot *slot = channel_slot(memory, c->number);
  c->answer.status = slot->status;
  c->answer.detail = slot->detail;
  memcpy(&c->answer.result, slot->result, sizeof(slot->result));
  c->state = CALL_DONE;
  atomic_fetch_sub_explicit(&p->n, 1, memory_order_relaxed);
}

bool pending_look(struct pending *p, struct channel_memory *memory, uint64_t number) {
  struct pending_call *c = record(p, number);
  lock(p);
  if (c->state == CALL_PENDING && pending_is_done(memory, number))
    take_answer(p, memory, c);
  bool is_pending = c->state == CALL_PENDING;
  unlock(p);
  return is_pending;
}

int pending_put_aside(struct pending *p, uint64_t number) {
  struct pending_call *c = record(p, number), *aside = malloc(sizeof(*aside));
  if (!aside)
    return error_no_memory();
  lock(p);
  if (c->state == CALL_DONE) {
    *aside = *c;
    aside->next = p->aside;
    p->aside = aside;
    c->state = CALL_NONE;
    aside = NULL;
  }
  unlock(p);
  free(aside);
  return 0;
}

static int take_aside(struct pending *p, uint64_t number, struct call_answer *out) {
  for (struct pending_call **at = &p->aside; *at; at = &(*at)->next)
    if ((*at)->number == number) {
      struct pending_call *gone = *at;
      *out = gone->answer;
      *at = gone->next;
      free(gone);
      return 1;
    }
  return -1;
}

int pending_take(struct pending *p, struct channel_memory *memory, uint64_t number, struct call_answer *out) {
  struct pending_call *c = record(p, number);
  int found;
  lock(p);
  if (c->state != CALL_NONE && c->number == number) {
    if (c->state == CALL_PENDING && pending_is_done(memory, number))
      take_answer(p, memory, c);
    found = c->state == CALL_DONE;
    if (found) {
      *out = c->answer;
      c->state = CALL_NONE;
    }
  } else {
    found = take_aside(p, number, out);
  }
  unlock(p);
  return found;
}

void pending_lose(struct pending *p, uint64_t number) {
  struct pending_call *c = record(p, number);
  lock(p);
  if (c->state == CALL_PENDING) {
    c->state = CALL_NONE;
    atomic_fetch_sub_explicit(&p->n, 1, memory_order_relaxed);
  }
  unlock(p);
}
