/* The notification socket of a channel, for programs that wait in poll(). */
#ifndef NUMD_CLIENT_LIB_NOTIFY_H
#define NUMD_CLIENT_LIB_NOTIFY_H

#include "client/lib/channel.h"

/* The socket that tells of completions, and switches that on; of the calling thread's channels. EINVAL,
 * EDISCONNECTED. */
int channel_notify(struct channel *channel, int *fd);

#endif
