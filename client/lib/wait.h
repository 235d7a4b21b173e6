/* Waiting for calls of a channel. */
#ifndef NUMD_CLIENT_LIB_WAIT_H
#define NUMD_CLIENT_LIB_WAIT_H

#include "client/lib/channel.h"

/* Waits for a call, from any thread: its status, with its result, or ETIMEOUT. spin_ns: how long a spin can
 * be worth it. The owner waits by the channel's waiting policy; another thread looks from time to time, since
 * a channel has one semaphore only. EDISCONNECTED; EINVAL: the call was waited for before. */
int channel_wait(struct channel *channel, uint64_t number, int64_t spin_ns, int64_t timeout_ns,
                 struct item *result);

#endif
