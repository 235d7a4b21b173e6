#include "server/broker.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "protocol/status.h"

/* A session that imports a token twice holds it twice, as it has two segments of it. */
struct shared_object {
  uint8_t token[CONTROL_TOKEN_BYTES];
  int fd;
  uint32_t *holders;
  size_t n, room;
};

/* Makes room for one more item of `size` bytes. False: out of memory. */
static int grow(void **items, size_t n, size_t *room, size_t size) {
  if (n < *room)
    return 1;
  size_t more = *room ? *room * 2 : 4;
  void *grown = realloc(*items, more * size);
  if (!grown)
    return 0;
  *items = grown;
  *room = more;
  return 1;
}

static size_t count_held(const struct broker *broker, uint32_t holder) {
  size_t n = 0;
  for (size_t i = 0; i < broker->n; i++)
    for (size_t k = 0; k < broker->objects[i].n; k++)
      n += broker->objects[i].holders[k] == holder;
  return n;
}

static int add_holder(struct shared_object *object, uint32_t holder) {
  if (!grow((void **)&object->holders, object->n, &object->room, sizeof(holder)))
    return NUMD_ENOMEMORY;
  object->holders[object->n++] = holder;
  return 0;
}

int broker_share(struct broker *broker, uint32_t holder, int fd, uint8_t token[CONTROL_TOKEN_BYTES]) {
  struct shared_object object = {.fd = fd};
  int status = 0;
  if (fd < 0)
    return NUMD_EINTERNAL;
  if (count_held(broker, holder) >= BROKER_HELD_MAX)
    status = NUMD_ELIMIT;
  else if (!grow((void **)&broker->objects, broker->n, &broker->room, sizeof(object)))
    status = NUMD_ENOMEMORY;
  else if (getrandom(object.token, sizeof(object.token), 0) != sizeof(object.token))
    status = NUMD_EINTERNAL;
  if (status == 0)
    status = add_holder(&object, holder);
  if (status != 0) {
    close(fd);
    return status;
  }
  memcpy(token, object.token, CONTROL_TOKEN_BYTES);
  broker->objects[broker->n++] = object;
  return 0;
}

static struct shared_object *find(struct broker *broker, const uint8_t token[CONTROL_TOKEN_BYTES]) {
  for (size_t i = 0; i < broker->n; i++)
    if (memcmp(broker->objects[i].token, token, CONTROL_TOKEN_BYTES) == 0)
      return &broker->objects[i];
  return NULL;
}

int broker_import(struct broker *broker, uint32_t holder, const uint8_t token[CONTROL_TOKEN_BYTES], int *fd) {
  struct shared_object *object = find(broker, token);
  if (!object)
    return NUMD_ESEGMENT;
  if (count_held(broker, holder) >= BROKER_HELD_MAX)
    return NUMD_ELIMIT;
  *fd = object->fd;
  return add_holder(object, holder);
}

/* Takes a holder away once, and the object with the last one. Whether the object is gone. */
static int drop(struct broker *broker, struct shared_object *object, uint32_t holder) {
  size_t k = 0;
  while (k < object->n && object->holders[k] != holder)
    k++;
  if (k == object->n)
    return 0;
  object->holders[k] = object->holders[--object->n];
  if (object->n > 0)
    return 0;
  close(object->fd);
  free(object->holders);
  object->holders = NULL;
  struct shared_object *last = &broker->objects[--broker->n];
  if (object != last)
    *object = *last;
  return 1;
}

void broker_drop(struct broker *broker, uint32_t holder, const uint8_t token[CONTROL_TOKEN_BYTES]) {
  struct shared_object *object = find(broker, token);
  if (object)
    drop(broker, object, holder);
}

void broker_drop_all(struct broker *broker, uint32_t holder) {
  for (size_t i = 0; i < broker->n;) {
    size_t before = broker->objects[i].n;
    int gone = drop(broker, &broker->objects[i], holder);
    if (!gone && broker->objects[i].n == before)
      i++;
  }
}

void broker_deinit(struct broker *broker) {
  for (size_t i = 0; i < broker->n; i++) {
    close(broker->objects[i].fd);
    free(broker->objects[i].holders);
  }
  free(broker->objects);
  memset(broker, 0, sizeof(*broker));
}
