/* SPDX-License-Identifier: BSD-3-Clause */
/* The ring door: a session's channels, each served by a thread of its own. */
#ifndef NUMD_SERVER_WORKER_DOOR_RING_H
#define NUMD_SERVER_WORKER_DOOR_RING_H

#include <stdint.h>

#include "server/worker/session.h"
#include "shared/channel.h"

int ring_door_new(struct session *session, struct ring_door **out); /* 0 or -errno */

/* Opens a channel: its memory is a sealed memfd, *fd (the caller's to send and close). Main thread only.
 * ELIMIT, ENOMEMORY. */
int ring_door_open(struct ring_door *door, enum numd_wait wait, uint32_t *id, int *fd, uint64_t *bytes,
                   struct errtext *err);
/* Ends a channel and joins its thread; a call that is being run is cancelled. ECHANNEL. */
int ring_door_close(struct ring_door *door, uint64_t id, struct errtext *err);
/* Cancels call `number` of a channel if it is not done yet; one that is being run ends at its next block.
 * ECHANNEL. */
int ring_door_cancel(struct ring_door *door, uint64_t id, uint64_t number, struct errtext *err);
/* Makes the channel's notification socket: the worker sends a byte on it when a call is done while the client
 * is parked with PARKED_FD, and closes it with the channel. *fd gets the client's end, which is the caller's
 * to send and close. EEXIST (the channel has one already), ECHANNEL, ELIMIT. */
int ring_door_notify(struct ring_door *door, uint64_t id, int *fd, struct errtext *err);
/* Ends all channels. */
struct ring_door *ring_door_free(struct ring_door *door);

#endif
