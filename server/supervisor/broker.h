/* The broker: the supervisor's table of objects that sessions share with each other, by token, and of who
 * holds what in them.
 *
 * A client library cuts many arrays from one object, so a hold is on the whole object or on a block of it,
 * which is named by the offset of its first byte. Holders are workers' entry numbers. Kinds of holds:
 *
 *   WHOLE   a session that shared the object, or imported it without saying more: everything in it
 *   MAPPED  a session that imported it and said since which blocks it uses: the object, but no block
 *   BLOCK   a session uses this block
 *   LEASE   a handle of this block is on its way, and nobody has taken it yet; LEASE_MS after the end of the
 *           session that sent it, it is given up
 *   NAME    this block is published
 *
 * An object is kept while there is any hold. Its maker may use a block again when nobody else holds it. */
#ifndef NUMD_SERVER_SUPERVISOR_BROKER_H
#define NUMD_SERVER_SUPERVISOR_BROKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "server/host/control_channel.h"
#include "server/host/scoreboard.h"

#define BROKER_HELD_MAX 65536   /* holds of one session; leases that one user's ended sessions left */
#define BROKER_LEASES_MAX 16384 /* of one session */
#define BROKER_NAMES_MAX 4096   /* published names of one user */
#define BROKER_LEASE_MS 60000
#define BROKER_HOLDERS_MAX SCOREBOARD_ENTRIES

struct shared_object;

/* Of one session. */
struct holder_count {
  uint32_t holds, leases;
};

struct broker {
  struct shared_object *objects;
  size_t n, room;
  uint64_t last_ticket;
  uint64_t objects_max; /* that one user may have us keep */
  struct holder_count counts[BROKER_HOLDERS_MAX];
};

/* Keeps fd, which becomes the broker's in any case, as held WHOLE. An object that is known already keeps its
 * token. ELIMIT (also if the user has objects_max of them), ENOMEMORY or EINTERNAL. */
int broker_share(struct broker *broker, uint32_t holder, uint32_t uid, int fd,
                 uint8_t token[CONTROL_TOKEN_BYTES]);
uint64_t broker_count_objects(const struct broker *broker, uint32_t uid);
/* Adds a WHOLE hold. *fd stays the broker's. 0, ESEGMENT, ELIMIT or ENOMEMORY. */
int broker_import(struct broker *broker, uint32_t holder, const uint8_t token[CONTROL_TOKEN_BYTES], int *fd);
/* Takes one WHOLE or MAPPED hold away, and with the last of the session its BLOCKs. */
void broker_drop(struct broker *broker, uint32_t holder, const uint8_t token[CONTROL_TOKEN_BYTES]);

/* A LEASE, under a ticket that is never 0, and the lender's own BLOCK. A session with BROKER_LEASES_MAX of
 * them gives up its earlier ones of this block, for which its BLOCK stands; ELIMIT if there are none. */
int broker_lend(struct broker *broker, uint32_t holder, uint32_t uid,
                const uint8_t token[CONTROL_TOKEN_BYTES], uint64_t first, uint64_t *ticket);
/* The session holds the BLOCK from now on, its import of the object is MAPPED only, and the ticket's lease is
 * over. ESEGMENT if nobody held the block any more. */
int broker_take(struct broker *broker, uint32_t holder, const uint8_t token[CONTROL_TOKEN_BYTES],
                uint64_t first, uint64_t ticket);
void broker_give(struct broker *broker, uint32_t holder, const uint8_t token[CONTROL_TOKEN_BYTES],
                 uint64_t first);
/* Whether nobody but `holder` as a whole holds the block. */
bool broker_is_free(struct broker *broker, uint32_t holder, const uint8_t token[CONTROL_TOKEN_BYTES],
                    uint64_t first);

/* Names are a user's own. EEXIST unless `replace`, ESEGMENT, ELIMIT, ENOMEMORY. */
int broker_publish(struct broker *broker, uint32_t uid, const struct control_message *what);
/* Fills token, first, note and a new LEASE's ticket. ESEGMENT. */
int broker_open(struct broker *broker, uint32_t holder, uint32_t uid, struct control_message *what);
int broker_unpublish(struct broker *broker, uint32_t uid, const char *name);

/* Tells another daemon of everything: an ADOPT for each name and each handle on its way, one at least for an
 * object. No block is given out again from then on. 0, or -errno of what could not be told. */
int broker_hand_over(struct broker *broker, int control);
/* Takes over what one message tells of an object, whose descriptor becomes ours. ENOMEMORY, ELIMIT. */
int broker_adopt(struct broker *broker, const struct control_message *what, int fd, uint64_t now_ms);

/* The holder's session has ended; `lost` if its worker did not end by itself, so that the client may still be
 * there: then no block that it held is given out again. */
void broker_drop_all(struct broker *broker, uint32_t holder, bool lost, uint64_t now_ms);
/* Gives up leases that are over. Whether others wait. */
bool broker_expire(struct broker *broker, uint64_t now_ms);

/* What there is, as JSON members of objects that a user may know of, by device and inode. */
void broker_print(const struct broker *broker, FILE *out, uint32_t uid, uint64_t device, uint64_t inode);
/* Calls back for each object in which the user holds a name or a lease. */
void broker_each(const struct broker *broker, uint32_t uid, void (*each)(void *arg, int fd), void *arg);
void broker_deinit(struct broker *broker);

#endif
