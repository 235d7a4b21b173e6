/* SPDX-License-Identifier: BSD-3-Clause */
/* The notification socket of a channel, for programs that wait in poll(). */
#ifndef NUMD_CLIENT_LIB_NOTIFY_H
#define NUMD_CLIENT_LIB_NOTIFY_H

#include "client/lib/channel.h"

/* Gives the notification socket of one of the calling thread's channels, and has the worker use it from now
 * on. EINVAL, EDISCONNECTED. */
int channel_notify(struct channel *channel, int *fd);

#endif
