/* SPDX-License-Identifier: BSD-3-Clause */
/* Choosing among the single slots of a channel: how quickly a cache line changes hands between two cores
 * depends on its address (shared/channel.h). */
#ifndef NUMD_CLIENT_LIB_SLOT_CHOICE_H
#define NUMD_CLIENT_LIB_SLOT_CHOICE_H

#include "client/lib/channel.h"

/* Times the single slots by pings and takes the quickest, if the worker spins; sets until_choice. Called by
 * the owner while no call is pending. */
void slot_choose(struct channel *channel);

#endif
