/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "protocol/status.h"
#include "server/supervisor/broker_impl.h"
#include "shared/grow.h"

/* ---- Objects ---- */

static struct shared_object *find_file(struct broker *broker, const struct stat *st) {
  for (size_t i = 0; i < broker->n; i++)
    if (broker->objects[i].inode == st->st_ino && broker->objects[i].device == st->st_dev)
      return &broker->objects[i];
  return NULL;
}

uint64_t broker_count_objects(const struct broker *broker, uint32_t uid) {
  uint64_t n = 0;
  for (size_t i = 0; i < broker->n; i++)
    n += broker->objects[i].uid == uid;
  return n;
}

int broker_share(struct broker *broker, uint32_t holder, uint32_t uid, int fd,
                 uint8_t token[CONTROL_TOKEN_BYTES]) {
  struct shared_object *known, object = {.fd = fd, .uid = uid};
  struct stat st;
  int status = 0;
  if (fd < 0)
    return NUMD_EINTERNAL;
  if (fstat(fd, &st) < 0)
    status = NUMD_EINTERNAL;
  else if ((known = find_file(broker, &st))) {
    close(fd);
    memcpy(token, known->token, CONTROL_TOKEN_BYTES);
    return hold_add(broker, known, (struct hold){.kind = HOLD_WHOLE, .holder = holder});
  } else if (broker_count_objects(broker, uid) >= broker->objects_max)
    status = NUMD_ELIMIT;
  else if (!grow((void **)&broker->objects, broker->n, &broker->room, sizeof(object)))
    status = NUMD_ENOMEMORY;
  else if (getrandom(object.token, sizeof(object.token), 0) != sizeof(object.token))
    status = NUMD_EINTERNAL;
  if (status == 0)
    status = hold_add(broker, &object, (struct hold){.kind = HOLD_WHOLE, .holder = holder});
  if (status != 0) {
    close(fd);
    return status;
  }
  object.device = st.st_dev;
  object.inode = st.st_ino;
  memcpy(token, object.token, CONTROL_TOKEN_BYTES);
  broker->objects[broker->n++] = object;
  return 0;
}

int broker_import(struct broker *broker, uint32_t holder, const uint8_t token[CONTROL_TOKEN_BYTES], int *fd) {
  struct shared_object *object = object_find(broker, token);
  if (!object)
    return NUMD_ESEGMENT;
  *fd = object->fd;
  return hold_add(broker, object, (struct hold){.kind = HOLD_WHOLE, .holder = holder});
}

void broker_drop(struct broker *broker, uint32_t holder, const uint8_t token[CONTROL_TOKEN_BYTES]) {
  struct shared_object *object = object_find(broker, token);
  if (!object)
    return;
  struct hold *h = hold_find(object, HOLD_WHOLE, holder, 0);
  if (!h)
    h = hold_find(object, HOLD_MAPPED, holder, 0);
  if (h)
    hold_remove(broker, object, (size_t)(h - object->holds));
  if (!hold_find(object, HOLD_WHOLE, holder, 0) && !hold_find(object, HOLD_MAPPED, holder, 0))
    for (size_t k = object->n; k-- > 0;)
      if (object->holds[k].kind == HOLD_BLOCK && object->holds[k].holder == holder)
        hold_remove(broker, object, k);
  object_settle(broker, object);
}

/* ---- Blocks ---- */

static int hold_block(struct broker *broker, struct shared_object *object, uint32_t holder, uint64_t first) {
  if (hold_find(object, HOLD_BLOCK, holder, first))
    return 0;
  return hold_add(broker, object, (struct hold){.kind = HOLD_BLOCK, .holder = holder, .first = first});
}

int broker_lend(struct broker *broker, uint32_t holder, uint32_t uid,
                const uint8_t token[CONTROL_TOKEN_BYTES], uint64_t first, uint64_t *ticket) {
  struct shared_object *object = object_find(broker, token);
  int status =
      object && holder < BROKER_HOLDERS_MAX ? hold_block(broker, object, holder, first) : NUMD_ESEGMENT;
  return status != 0 ? status : hold_add_lease(broker, object, holder, uid, first, ticket);
}

/* Whether anybody has a hold on this very block. */
static bool is_held(const struct shared_object *object, uint64_t first) {
  for (size_t k = 0; k < object->n; k++)
    if (object->holds[k].kind >= HOLD_BLOCK && object->holds[k].first == first)
      return true;
  return false;
}

int broker_take(struct broker *broker, uint32_t holder, const uint8_t token[CONTROL_TOKEN_BYTES],
                uint64_t first, uint64_t ticket) {
  struct shared_object *object = object_find(broker, token);
  if (!object || !is_held(object, first))
    return NUMD_ESEGMENT;
  int status = hold_block(broker, object, holder, first);
  for (size_t k = 0; status == 0 && k < object->n; k++)
    if (object->holds[k].kind == HOLD_LEASE && object->holds[k].ticket == ticket) {
      hold_remove(broker, object, k);
      break;
    }
  struct hold *whole = hold_find(object, HOLD_WHOLE, holder, 0);
  if (status == 0 && whole)
    whole->kind = HOLD_MAPPED;
  return status;
}

void broker_give(struct broker *broker, uint32_t holder, const uint8_t token[CONTROL_TOKEN_BYTES],
                 uint64_t first) {
  struct shared_object *object = object_find(broker, token);
  struct hold *h = object ? hold_find(object, HOLD_BLOCK, holder, first) : NULL;
  if (h)
    hold_remove(broker, object, (size_t)(h - object->holds));
  if (object)
    object_settle(broker, object);
}

bool broker_is_free(struct broker *broker, uint32_t holder, const uint8_t token[CONTROL_TOKEN_BYTES],
                    uint64_t first) {
  const struct shared_object *object = object_find(broker, token);
  if (!object || object->lost || is_held(object, first))
    return false;
  for (size_t k = 0; k < object->n; k++)
    if (object->holds[k].kind == HOLD_WHOLE && object->holds[k].holder != holder)
      return false;
  return true;
}

/* ---- Ends ---- */

static size_t count_left(const struct broker *broker, uint32_t uid) {
  size_t n = 0;
  for (size_t i = 0; i < broker->n; i++)
    for (size_t k = 0; k < broker->objects[i].n; k++)
      n += broker->objects[i].holds[k].until_ms != 0 && broker->objects[i].holds[k].uid == uid;
  return n;
}

void broker_drop_all(struct broker *broker, uint32_t holder, bool lost, uint64_t now_ms) {
  size_t room = SIZE_MAX; /* for leases that stay */
  for (size_t i = 0; i < broker->n;) {
    struct shared_object *object = &broker->objects[i];
    for (size_t k = object->n; k-- > 0;) {
      struct hold *h = &object->holds[k];
      if (h->holder != holder)
        continue;
      if (h->kind == HOLD_LEASE && room == SIZE_MAX) {
        size_t n = count_left(broker, h->uid);
        room = n < BROKER_HELD_MAX ? BROKER_HELD_MAX - n : 0;
      }
      if (h->kind == HOLD_LEASE && room > 0) {
        room--;
        hold_discount(broker, h);
        h->holder = NOBODY;
        h->until_ms = now_ms + BROKER_LEASE_MS;
      } else {
        object->lost |= lost;
        hold_remove(broker, object, k);
      }
    }
    if (!object_settle(broker, object))
      i++;
  }
}

bool broker_expire(struct broker *broker, uint64_t now_ms) {
  bool more = false;
  for (size_t i = 0; i < broker->n;) {
    struct shared_object *object = &broker->objects[i];
    for (size_t k = object->n; k-- > 0;) {
      const struct hold *h = &object->holds[k];
      if (h->kind != HOLD_LEASE || h->until_ms == 0)
        continue;
      if (h->until_ms <= now_ms)
        hold_remove(broker, object, k);
      else
        more = true;
    }
    if (!object_settle(broker, object))
      i++;
  }
  return more;
}

void broker_deinit(struct broker *broker) {
  for (size_t i = 0; i < broker->n; i++)
    object_deinit(broker, &broker->objects[i]);
  free(broker->objects);
  memset(broker, 0, sizeof(*broker));
}

/* ---- Telling ---- */

void broker_each(const struct broker *broker, uint32_t uid, void (*each)(void *arg, int fd), void *arg) {
  for (size_t i = 0; i < broker->n; i++) {
    const struct shared_object *object = &broker->objects[i];
    for (size_t k = 0; k < object->n; k++)
      if ((object->holds[k].kind == HOLD_NAME || object->holds[k].kind == HOLD_LEASE) &&
          object->holds[k].uid == uid) {
        each(arg, object->fd);
        break;
      }
  }
}

void broker_print(const struct broker *broker, FILE *out, uint32_t uid, uint64_t device, uint64_t inode) {
  const char *comma = "";
  size_t n_leases = 0;
  fprintf(out, "\"names\": [");
  for (size_t i = 0; i < broker->n; i++) {
    const struct shared_object *object = &broker->objects[i];
    if (object->device != device || object->inode != inode)
      continue;
    for (size_t k = 0; k < object->n; k++) {
      n_leases += object->holds[k].kind == HOLD_LEASE;
      if (object->holds[k].kind == HOLD_NAME && object->holds[k].uid == uid) {
        fprintf(out, "%s\"%s\"", comma, object->holds[k].name->text);
        comma = ", ";
      }
    }
  }
  fprintf(out, "], \"handles_in_flight\": %zu", n_leases);
}
