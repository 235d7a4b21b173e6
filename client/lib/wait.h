/* SPDX-License-Identifier: BSD-3-Clause */
/* Waiting for calls of a channel. */
#ifndef NUMD_CLIENT_LIB_WAIT_H
#define NUMD_CLIENT_LIB_WAIT_H

#include "client/lib/channel.h"

/* Waits for a call, in any thread. Gives the call's status and result; or ETIMEOUT, EDISCONNECTED, or EINVAL
 * (the call was waited for before). spin_ns: for how long spinning is worth its while. The owner waits by the
 * channel's waiting policy; another thread looks from time to time, since a channel has only one semaphore
 * for the client. */
int channel_wait(struct channel *channel, uint64_t number, int64_t spin_ns, int64_t timeout_ns,
                 struct item *result);

#endif
