/* SPDX-License-Identifier: BSD-3-Clause */
/* The calls of a channel's ring that were submitted and not yet waited for to their end.
 *
 * A call is PENDING until its answer is taken out of its slot; then it is DONE until its ticket is waited
 * for. The call that comes CHANNEL_SLOTS calls later needs the slot and the record: if nobody has waited for
 * the earlier call by then, its answer is put aside. The owner of the channel submits, and any thread may
 * wait, so all this is under a lock, which is held for moments only. */
#ifndef NUMD_CLIENT_LIB_PENDING_H
#define NUMD_CLIENT_LIB_PENDING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "protocol/program.h"
#include "shared/channel.h"

/* The bytes of a call's scalar result. */
struct item {
  uint64_t words[MAX_ITEM_BYTES / 8];
};

struct call_answer {
  int32_t status;
  uint32_t detail; /* which binding it is about, or NO_DETAIL */
  struct item result;
};

enum call_state { CALL_NONE, CALL_PENDING, CALL_DONE };

struct pending_call {
  uint64_t number;
  uint8_t state; /* enum call_state */
  struct call_answer answer;
  struct pending_call *next; /* put aside */
};

struct pending {
  atomic_flag lock;
  atomic_int n; /* calls that are PENDING */
  struct pending_call calls[CHANNEL_SLOTS];
  struct pending_call *aside; /* DONE, but their slots went to later calls */
};

void pending_init(struct pending *pending);
void pending_deinit(struct pending *pending);

/* Whether any call is PENDING or DONE. Also true while another thread has the lock, for then that thread
 * submits or waits for a call. */
bool pending_any(struct pending *pending);

/* Notes a call that the owner submits. Its slot and record must be free. */
void pending_add(struct pending *pending, uint64_t number);
static inline bool pending_is_free(const struct pending *pending, uint64_t number) {
  return pending->calls[number % CHANNEL_SLOTS].state == CALL_NONE;
}

/* Takes the answer out of the call's slot, if it is there. Whether the call is PENDING still. */
bool pending_look(struct pending *pending, struct channel_memory *memory, uint64_t number);
/* Puts the answer of a call that is not PENDING any more aside, so that its record is free. ENOMEMORY. */
int pending_put_aside(struct pending *pending, uint64_t number);
/* Takes the answer of a call, for the thread that waits for it: 1 if the answer is there, 0 if the call is
 * PENDING, -1 if there is no such call. */
int pending_take(struct pending *pending, struct channel_memory *memory, uint64_t number,
                 struct call_answer *out);
/* Forgets a call whose worker is gone. */
void pending_lose(struct pending *pending, uint64_t number);

static inline bool pending_is_done(struct channel_memory *memory, uint64_t number) {
  return atomic_load_explicit(&channel_slot(memory, number)->seq, memory_order_acquire) ==
         channel_seq_done(number);
}

#endif
