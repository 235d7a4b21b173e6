/* SPDX-License-Identifier: BSD-3-Clause */
/* Handing a call over to the worker: the slot is filled in, and then its seq makes it the worker's. */
#ifndef NUMD_CLIENT_LIB_SLOT_H
#define NUMD_CLIENT_LIB_SLOT_H

#include "client/lib/channel.h"
#include "shared/trace.h"

/* Called by the channel's owner, which afterwards waits for the answer at once or settles (wake.h). spill:
 * where the bindings go for which the slot itself has no room. */
static inline void slot_hand_over(struct channel *ch, struct slot *slot, uint64_t *spill, uint32_t plan_id,
                                  int n, const uint64_t bindings[], uint16_t flags, uint32_t seq) {
  int i = 0;
  slot->plan = plan_id;
  slot->n_bindings = (uint16_t)n;
  slot->flags = flags;
  slot->reserved = 0;
  for (; i < n && i < 3; i++)
    slot->bindings[i] = bindings[i];
  for (; i < n && i < SLOT_INLINE; i++)
    slot->more_bindings[i - 3] = bindings[i];
  for (; i < n; i++)
    spill[i - SLOT_INLINE] = bindings[i];
  if (seq % 64 == 1) /* a thread changes its core seldom, and publishes it whenever it spins, too */
    wake_publish_cpu(&ch->waiter);
  trace_stamp(TRACE_ENCODED);
  atomic_store_explicit(&slot->seq, seq, memory_order_release);
  wake_peer_unsettled(&ch->waiter);
  trace_stamp(TRACE_SENT);
}

#endif
