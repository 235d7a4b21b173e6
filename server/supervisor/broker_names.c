/* SPDX-License-Identifier: BSD-3-Clause */
/* Published names: each is a hold of the kind NAME, and belongs to a user rather than to a session. */
#include <stdlib.h>
#include <string.h>

#include "protocol/status.h"
#include "server/supervisor/broker_impl.h"

static struct hold *find_name(const struct broker *broker, uint32_t uid, const char *name,
                              struct shared_object **object) {
  for (size_t i = 0; i < broker->n; i++)
    for (size_t k = 0; k < broker->objects[i].n; k++) {
      struct hold *h = &broker->objects[i].holds[k];
      if (h->kind == HOLD_NAME && h->uid == uid && strcmp(h->name->text, name) == 0) {
        *object = &broker->objects[i];
        return h;
      }
    }
  return NULL;
}

static size_t count_names(const struct broker *broker, uint32_t uid) {
  size_t n = 0;
  for (size_t i = 0; i < broker->n; i++)
    for (size_t k = 0; k < broker->objects[i].n; k++)
      n += broker->objects[i].holds[k].kind == HOLD_NAME && broker->objects[i].holds[k].uid == uid;
  return n;
}

int broker_publish(struct broker *broker, uint32_t uid, const struct control_message *what) {
  struct shared_object *object = object_find(broker, what->token), *before = NULL;
  if (!object)
    return NUMD_ESEGMENT;
  if (what->note_bytes > sizeof(what->note))
    return NUMD_EINVAL;
  const struct hold *old = find_name(broker, uid, what->name, &before);
  if (old && !what->flag)
    return NUMD_EEXIST;
  if (!old && count_names(broker, uid) >= BROKER_NAMES_MAX)
    return NUMD_ELIMIT;
  const size_t k = old ? (size_t)(old - before->holds) : 0; /* the holds may move when one more is added */
  struct published_name *name = published_name_new(what);
  if (!name)
    return NUMD_ENOMEMORY;
  int status = hold_add(
      broker, object,
      (struct hold){.kind = HOLD_NAME, .holder = NOBODY, .uid = uid, .first = what->first, .name = name});
  if (status != 0) {
    free(name);
    return status;
  }
  if (before) {
    hold_remove(broker, before, k);
    object_settle(broker, before);
  }
  return 0;
}

int broker_open(struct broker *broker, uint32_t holder, uint32_t uid, struct control_message *what) {
  struct shared_object *object;
  struct hold *h = find_name(broker, uid, what->name, &object);
  if (!h)
    return NUMD_ESEGMENT;
  memcpy(what->token, object->token, CONTROL_TOKEN_BYTES);
  memcpy(what->note, h->name->note, sizeof(what->note));
  what->note_bytes = h->name->note_bytes;
  what->first = h->first;
  return hold_add_lease(broker, object, holder, uid, what->first, &what->ticket);
}

int broker_unpublish(struct broker *broker, uint32_t uid, const char *name) {
  struct shared_object *object;
  struct hold *h = find_name(broker, uid, name, &object);
  if (!h)
    return NUMD_ESEGMENT;
  hold_remove(broker, object, (size_t)(h - object->holds));
  object_settle(broker, object);
  return 0;
}
