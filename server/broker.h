/* The broker: the supervisor's table of objects that sessions share with each other, by token. An object is
 * kept while a session that shared or imported it holds it; holders are workers' entry numbers. */
#ifndef NUMD_SERVER_BROKER_H
#define NUMD_SERVER_BROKER_H

#include <stddef.h>
#include <stdint.h>

#include "server/control.h"

#define BROKER_HELD_MAX 4096 /* objects that one session may hold */

struct shared_object;

struct broker {
  struct shared_object *objects;
  size_t n, room;
};

/* Keeps fd, which becomes the broker's in any case, under a new token held by `holder`. 0, ELIMIT, ENOMEMORY
 * or EINTERNAL. */
int broker_share(struct broker *broker, uint32_t holder, int fd, uint8_t token[CONTROL_TOKEN_BYTES]);
/* Adds a holder. *fd stays the broker's. 0, ESEGMENT, ELIMIT or ENOMEMORY. */
int broker_import(struct broker *broker, uint32_t holder, const uint8_t token[CONTROL_TOKEN_BYTES], int *fd);
void broker_drop(struct broker *broker, uint32_t holder, const uint8_t token[CONTROL_TOKEN_BYTES]);
/* The holder's session has ended. */
void broker_drop_all(struct broker *broker, uint32_t holder);
void broker_deinit(struct broker *broker);

#endif
