/* SPDX-License-Identifier: BSD-3-Clause */
/* Inside of the broker: its table of objects and their holds, for the broker's files. */
#ifndef NUMD_SERVER_SUPERVISOR_BROKER_IMPL_H
#define NUMD_SERVER_SUPERVISOR_BROKER_IMPL_H

#include <sys/types.h>

#include "server/supervisor/broker.h"

enum hold_kind { HOLD_WHOLE, HOLD_MAPPED, HOLD_BLOCK, HOLD_LEASE, HOLD_NAME };

#define NOBODY UINT32_MAX /* the holder of names, and of leases whose session has ended */

struct published_name {
  char text[CONTROL_NAME_BYTES];
  uint32_t note_bytes;
  uint8_t note[CONTROL_NOTE_BYTES];
};

struct hold {
  enum hold_kind kind;
  uint32_t holder, uid;        /* uid: of NAME and LEASE */
  uint64_t first;              /* of BLOCK, LEASE and NAME */
  uint64_t ticket;             /* of LEASE */
  uint64_t until_ms;           /* of LEASE: when it ends; 0 while its session lives */
  struct published_name *name; /* of NAME */
};

/* An object and its holds. A session that imports it twice has two segments of it, and so two holds. */
struct shared_object {
  uint8_t token[CONTROL_TOKEN_BYTES];
  int fd;
  uint32_t uid; /* of the first that shared it */
  dev_t device;
  ino_t inode;
  bool lost; /* a client that we no longer know of may still use any block of it */
  struct hold *holds;
  size_t n, room;
};

struct shared_object *object_find(struct broker *broker, const uint8_t token[CONTROL_TOKEN_BYTES]);
void object_deinit(struct broker *broker, struct shared_object *object);
/* Forgets the object if nobody holds it. True if it did; another object may have its place then. */
bool object_settle(struct broker *broker, struct shared_object *object);

/* Adds a hold and counts it for its holder. ELIMIT, ENOMEMORY. */
int hold_add(struct broker *broker, struct shared_object *object, struct hold hold);
/* Adds a lease, under a new ticket, of a block that another hold keeps, too. So a session with as many leases
 * as it may have can do without those of the same block that it has already. ELIMIT, ENOMEMORY. */
int hold_add_lease(struct broker *broker, struct shared_object *object, uint32_t holder, uint32_t uid,
                   uint64_t first, uint64_t *ticket);
/* Removes hold k, and its name. Another hold may have its place then. */
void hold_remove(struct broker *broker, struct shared_object *object, size_t k);
/* Takes a hold off its holder's counts. */
void hold_discount(struct broker *broker, const struct hold *hold);
/* The hold of a kind that a session has, in the case of BLOCK on that block; or NULL. */
struct hold *hold_find(struct shared_object *object, enum hold_kind kind, uint32_t holder, uint64_t first);

/* The name and the note of a message, to be put into a hold; NULL if out of memory. */
struct published_name *published_name_new(const struct control_message *what);

#endif
