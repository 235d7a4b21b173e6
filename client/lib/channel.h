/* SPDX-License-Identifier: BSD-3-Clause */
/* Channels: a thread has one, opened on its first call; when the thread ends, another may get it.
 *
 * Only the thread that has a channel, its owner, submits calls to it (submit.h); any thread may wait for them
 * (wait.h). A call that is submitted while none is pending takes a single slot of the channel's memory, which
 * needs no bookkeeping; the others take their turns in the ring (shared/channel.h). */
#ifndef NUMD_CLIENT_LIB_CHANNEL_H
#define NUMD_CLIENT_LIB_CHANNEL_H

#include "client/lib/conn.h"
#include "client/lib/pending.h"
#include "shared/wake.h"

#define CHANNEL_FIRST_CHOICE 64 /* calls before the single slots are timed for the first time */

struct channel {
  numd_conn *conn;
  uint64_t epoch; /* of the session that it belongs to */
  uint32_t id;
  struct channel_memory *memory;
  struct waiter waiter;         /* the owner's */
  uint64_t next;                /* number of the next call of the ring */
  uint64_t next_single;         /* number of the next call in a single slot */
  uint16_t single_at;           /* the single slot for that call (slot_choice.h) */
  int32_t until_choice;         /* calls until the single slots are timed again */
  _Atomic uint8_t single_state; /* of the single slot's call: CALL_NONE or CALL_PENDING */
  struct pending pending;       /* calls of the ring */
  struct channel *next_free;    /* conn->lock */
  bool retired;                 /* conn->lock */
  int notify_fd;                /* the notification socket, or -1 (notify.c) */
  void *kept;                   /* what another module keeps for the owner (plan_cache.c), */
  void (*free_kept)(void *);    /* and how that is freed */
};

extern const struct conn_part channel_part;

/* A channel that an ended thread left, or a new one. conn->lock held. ELIMIT, ENOMEMORY, EDISCONNECTED. */
int channel_open(numd_conn *conn, struct channel **out);
/* The thread that had this channel has ended: another may get it, if the session is still the same. */
void channel_return(numd_conn *conn, uint64_t epoch, struct channel *channel);
/* The calling thread, which owns this channel of a lost session, will not use it any more: it is freed as
 * soon as another is opened and no ticket refers to it. conn->lock held. */
void channel_retire(numd_conn *conn, struct channel *channel, uint64_t epoch);
/* Whether no call of the session is pending. conn->lock held. */
bool channel_all_idle(const numd_conn *conn);

/* Whether the worker that served this channel is gone; it is when another session has been opened since. */
static inline bool channel_is_lost(const struct channel *ch) {
  return ch->epoch != atomic_load_explicit(&ch->conn->epoch, memory_order_acquire) || conn_is_dead(ch->conn);
}
int channel_lost_call(void); /* EDISCONNECTED, for a call that was pending then */

#endif
