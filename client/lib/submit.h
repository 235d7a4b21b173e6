/* SPDX-License-Identifier: BSD-3-Clause */
/* Submitting calls to a channel. */
#ifndef NUMD_CLIENT_LIB_SUBMIT_H
#define NUMD_CLIENT_LIB_SUBMIT_H

#include "client/lib/channel.h"

/* Hands a call over, and gives its number. Called by the owner, which then waits for the call at once or
 * settles (wake.h). ENOMEMORY, EDISCONNECTED. */
int channel_submit(struct channel *channel, uint32_t plan_id, int n, const uint64_t bindings[],
                   uint64_t *number);
static inline void channel_settle(struct channel *channel) {
  wake_settle(&channel->waiter);
}

#endif
