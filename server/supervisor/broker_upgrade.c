/* SPDX-License-Identifier: BSD-3-Clause */
/* The broker's side of an upgrade in place (upgrade.h): telling its table to another daemon, and taking one
 * over. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "protocol/status.h"
#include "server/supervisor/broker_impl.h"
#include "shared/grow.h"

static int tell_hold(const struct shared_object *object, const struct hold *hold, int control) {
  struct control_message m = {
      .type = CONTROL_ADOPT, .uid = hold->uid, .gid = object->uid, .first = hold->first};
  memcpy(m.token, object->token, sizeof(m.token));
  m.ticket = hold->ticket;
  if (hold->name) {
    memcpy(m.name, hold->name->text, sizeof(m.name));
    memcpy(m.note, hold->name->note, sizeof(m.note));
    m.note_bytes = hold->name->note_bytes;
  }
  return control_send(control, &m, object->fd);
}

int broker_hand_over(struct broker *broker, int control) {
  int rc = 0;
  for (size_t i = 0; i < broker->n && rc == 0; i++) {
    struct shared_object *object = &broker->objects[i];
    const struct hold none = {.uid = object->uid};
    size_t told = 0;
    object->lost = true;
    for (size_t k = 0; k < object->n && rc == 0; k++)
      if (object->holds[k].kind == HOLD_NAME || object->holds[k].kind == HOLD_LEASE) {
        rc = tell_hold(object, &object->holds[k], control);
        told++;
      }
    if (rc == 0 && told == 0) /* a client may be about to import it, by a token that another client sent */
      rc = tell_hold(object, &none, control);
  }
  return rc;
}

/* The object of a token, which is added to the table if it is not there. fd becomes the broker's. */
static struct shared_object *adopt_object(struct broker *broker, const struct control_message *what, int fd) {
  struct shared_object *known = object_find(broker, what->token);
  struct stat st;
  if (known || fstat(fd, &st) < 0 ||
      !grow((void **)&broker->objects, broker->n, &broker->room, sizeof(*broker->objects))) {
    close(fd);
    return known;
  }
  struct shared_object *object = &broker->objects[broker->n++];
  *object = (struct shared_object){
      .fd = fd, .uid = what->gid, .device = st.st_dev, .inode = st.st_ino, .lost = true};
  memcpy(object->token, what->token, sizeof(object->token));
  return object;
}

int broker_adopt(struct broker *broker, const struct control_message *what, int fd, uint64_t now_ms) {
  struct shared_object *object = adopt_object(broker, what, fd);
  struct hold hold = {.kind = HOLD_LEASE,
                      .holder = NOBODY,
                      .uid = what->uid,
                      .first = what->first,
                      .ticket = what->ticket,
                      .until_ms = now_ms + BROKER_LEASE_MS};
  int status = object ? 0 : NUMD_ENOMEMORY;
  if (status == 0 && what->name[0] != '\0') {
    hold.kind = HOLD_NAME;
    hold.until_ms = 0;
    hold.name = published_name_new(what);
    status = hold.name ? 0 : NUMD_ENOMEMORY;
  }
  if (status == 0)
    status = hold_add(broker, object, hold);
  if (status != 0)
    free(hold.name);
  if (what->ticket > broker->last_ticket)
    broker->last_ticket = what->ticket;
  if (object)
    object_settle(broker, object);
  return status;
}
