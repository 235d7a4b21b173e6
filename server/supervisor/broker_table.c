/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "protocol/status.h"
#include "server/supervisor/broker_impl.h"
#include "shared/grow.h"

static struct holder_count *count_of(struct broker *broker, uint32_t holder) {
  return holder < BROKER_HOLDERS_MAX ? &broker->counts[holder] : NULL; /* NULL: NOBODY */
}

int hold_add(struct broker *broker, struct shared_object *object, struct hold hold) {
  struct holder_count *count = count_of(broker, hold.holder);
  if (count &&
      (count->holds >= BROKER_HELD_MAX || (hold.kind == HOLD_LEASE && count->leases >= BROKER_LEASES_MAX)))
    return NUMD_ELIMIT;
  if (!grow((void **)&object->holds, object->n, &object->room, sizeof(hold)))
    return NUMD_ENOMEMORY;
  object->holds[object->n++] = hold;
  if (count) {
    count->holds++;
    count->leases += hold.kind == HOLD_LEASE;
  }
  return 0;
}

void hold_discount(struct broker *broker, const struct hold *hold) {
  struct holder_count *count = count_of(broker, hold->holder);
  if (count) {
    count->holds--;
    count->leases -= hold->kind == HOLD_LEASE;
  }
}

void hold_remove(struct broker *broker, struct shared_object *object, size_t k) {
  hold_discount(broker, &object->holds[k]);
  free(object->holds[k].name);
  struct hold *last = &object->holds[--object->n];
  object->holds[k] = *last;
  last->name = NULL;
}

void object_deinit(struct broker *broker, struct shared_object *object) {
  while (object->n > 0)
    hold_remove(broker, object, 0);
  close(object->fd);
  free(object->holds);
}

bool object_settle(struct broker *broker, struct shared_object *object) {
  if (object->n > 0)
    return false;
  object_deinit(broker, object);
  struct shared_object *last = &broker->objects[--broker->n];
  *object = *last;
  *last = (struct shared_object){.fd = -1};
  return true;
}

struct shared_object *object_find(struct broker *broker, const uint8_t token[CONTROL_TOKEN_BYTES]) {
  for (size_t i = 0; i < broker->n; i++)
    if (memcmp(broker->objects[i].token, token, CONTROL_TOKEN_BYTES) == 0)
      return &broker->objects[i];
  return NULL;
}

struct hold *hold_find(struct shared_object *object, enum hold_kind kind, uint32_t holder, uint64_t first) {
  for (size_t k = 0; k < object->n; k++) {
    struct hold *h = &object->holds[k];
    if (h->kind == kind && h->holder == holder && (kind != HOLD_BLOCK || h->first == first))
      return h;
  }
  return NULL;
}

/* Ends the leases that a session has of a block. */
static void give_up_leases(struct broker *broker, struct shared_object *object, uint32_t holder,
                           uint64_t first) {
  for (size_t k = object->n; k-- > 0;) {
    const struct hold *h = &object->holds[k];
    if (h->kind == HOLD_LEASE && h->holder == holder && h->first == first)
      hold_remove(broker, object, k);
  }
}

int hold_add_lease(struct broker *broker, struct shared_object *object, uint32_t holder, uint32_t uid,
                   uint64_t first, uint64_t *ticket) {
  if (holder < BROKER_HOLDERS_MAX && broker->counts[holder].leases >= BROKER_LEASES_MAX)
    give_up_leases(broker, object, holder, first);
  *ticket = ++broker->last_ticket;
  return hold_add(
      broker, object,
      (struct hold){.kind = HOLD_LEASE, .holder = holder, .uid = uid, .first = first, .ticket = *ticket});
}

struct published_name *published_name_new(const struct control_message *what) {
  struct published_name *name = calloc(1, sizeof(*name));
  if (!name)
    return NULL;
  memcpy(name->text, what->name, sizeof(name->text));
  memcpy(name->note, what->note, sizeof(name->note));
  name->note_bytes = what->note_bytes;
  return name;
}
