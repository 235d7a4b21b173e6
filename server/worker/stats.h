/* SPDX-License-Identifier: BSD-3-Clause */
/* The answer to the method `stats`: the scoreboard as a map, and what one user holds. */
#ifndef NUMD_SERVER_WORKER_STATS_H
#define NUMD_SERVER_WORKER_STATS_H

#include <msgpack.h>

#include "server/host/scoreboard.h"

/* What one user holds of the quotas that the supervisor counts itself. */
struct stats_held {
  uint64_t sessions, descriptors;
};

void stats_pack(msgpack_packer *pk, const struct scoreboard *scoreboard, uint32_t uid,
                const struct stats_held *held);

#endif
