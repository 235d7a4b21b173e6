/* SPDX-License-Identifier: BSD-3-Clause */
/* The broker: the supervisor's table of objects that sessions share with each other, by token, and of who
 * holds what in them.
 *
 * A client library cuts many arrays from one object, so a hold is on the whole object or on a block of it,
 * which is named by the offset of its first byte. A holder is a session, by its worker's entry on the
 * scoreboard. Kinds of holds:
 *
 *   WHOLE   the session shared the object, or imported it and has taken no block of it: it may use all blocks
 *   MAPPED  the session imported the object and has taken blocks since: it keeps the object, but no block
 *   BLOCK   the session uses this block
 *   LEASE   the session has sent a handle of this block to another client, which has not taken it yet; the
 *           lease ends BROKER_LEASE_MS after the session
 *   NAME    this block is published under a name
 *
 * An object is kept while there is any hold on it. Its maker may use a block again when nobody else holds
 * it. */
#ifndef NUMD_SERVER_SUPERVISOR_BROKER_H
#define NUMD_SERVER_SUPERVISOR_BROKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "server/host/control_channel.h"
#include "server/host/scoreboard.h"

#define BROKER_HELD_MAX 65536   /* holds of one session; leases left by the ended sessions of one user */
#define BROKER_LEASES_MAX 16384 /* of one session */
#define BROKER_NAMES_MAX 4096   /* published names of one user */
#define BROKER_LEASE_MS 60000
#define BROKER_HOLDERS_MAX SCOREBOARD_ENTRIES

struct shared_object;

/* How many holds one session has, and how many of them are leases. */
struct holder_count {
  uint32_t holds, leases;
};

struct broker {
  struct shared_object *objects;
  size_t n, room;
  uint64_t last_ticket;
  uint64_t objects_max; /* that are kept for one user */
  struct holder_count counts[BROKER_HOLDERS_MAX];
};

/* Keeps the object of fd, which becomes the broker's in any case, and adds a WHOLE hold. An object that is
 * known already keeps its token. ELIMIT (also if the user has objects_max objects), ENOMEMORY, EINTERNAL. */
int broker_share(struct broker *broker, uint32_t holder, uint32_t uid, int fd,
                 uint8_t token[CONTROL_TOKEN_BYTES]);
uint64_t broker_count_objects(const struct broker *broker, uint32_t uid);
/* Adds a WHOLE hold. *fd stays the broker's. 0, ESEGMENT, ELIMIT or ENOMEMORY. */
int broker_import(struct broker *broker, uint32_t holder, const uint8_t token[CONTROL_TOKEN_BYTES], int *fd);
/* Removes one WHOLE or MAPPED hold of the session, and with the last one its BLOCK holds on the object. */
void broker_drop(struct broker *broker, uint32_t holder, const uint8_t token[CONTROL_TOKEN_BYTES]);

/* Adds a LEASE, under a ticket that is never 0, and a BLOCK hold of the lending session. If the session has
 * BROKER_LEASES_MAX leases, its earlier ones of this block end, since its BLOCK hold keeps the block; ELIMIT
 * if it has none of this block. */
int broker_lend(struct broker *broker, uint32_t holder, uint32_t uid,
                const uint8_t token[CONTROL_TOKEN_BYTES], uint64_t first, uint64_t *ticket);
/* Adds a BLOCK hold, makes a WHOLE hold of the session MAPPED, and ends the lease of that ticket. ESEGMENT if
 * nobody held the block any more. */
int broker_take(struct broker *broker, uint32_t holder, const uint8_t token[CONTROL_TOKEN_BYTES],
                uint64_t first, uint64_t ticket);
void broker_give(struct broker *broker, uint32_t holder, const uint8_t token[CONTROL_TOKEN_BYTES],
                 uint64_t first);
/* Whether nobody holds the block, except `holder` by a WHOLE hold: then it may use the block again. */
bool broker_is_free(struct broker *broker, uint32_t holder, const uint8_t token[CONTROL_TOKEN_BYTES],
                    uint64_t first);

/* Adds a NAME; each user has names of his own. EEXIST (the name is taken and what->flag does not allow to
 * replace it), ESEGMENT, EINVAL, ELIMIT, ENOMEMORY. */
int broker_publish(struct broker *broker, uint32_t uid, const struct control_message *what);
/* Fills in token, first and note of a NAME, and the ticket of a new LEASE. ESEGMENT, ELIMIT, ENOMEMORY. */
int broker_open(struct broker *broker, uint32_t holder, uint32_t uid, struct control_message *what);
int broker_unpublish(struct broker *broker, uint32_t uid, const char *name);

/* Tells another daemon of all objects: an ADOPT message for each NAME and each LEASE, and one for an object
 * that has neither. From then on broker_is_free is false for all blocks. 0, or -errno if not everything could
 * be told. */
int broker_hand_over(struct broker *broker, int control);
/* Takes over what one ADOPT message tells of an object, whose descriptor becomes the broker's. ENOMEMORY,
 * ELIMIT. */
int broker_adopt(struct broker *broker, const struct control_message *what, int fd, uint64_t now_ms);

/* Removes the holds of a session that has ended, except leases, which end later. `lost`: its worker did not
 * end by itself, so its client may still use what it held; broker_is_free is false for all blocks of these
 * objects from then on. */
void broker_drop_all(struct broker *broker, uint32_t holder, bool lost, uint64_t now_ms);
/* Ends the leases whose time is over. Whether others will end later. */
bool broker_expire(struct broker *broker, uint64_t now_ms);

/* Prints what the broker knows of the object with that device and inode, as members of a JSON object: the
 * user's names in it, and the number of its leases. */
void broker_print(const struct broker *broker, FILE *out, uint32_t uid, uint64_t device, uint64_t inode);
/* Calls back for each object in which the user has a NAME or a LEASE. */
void broker_each(const struct broker *broker, uint32_t uid, void (*each)(void *arg, int fd), void *arg);
void broker_deinit(struct broker *broker);

#endif
