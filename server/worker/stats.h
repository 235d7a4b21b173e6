/* SPDX-License-Identifier: BSD-3-Clause */
/* The answer to the method `stats`: notices and scoreboard as a map, as far as one user may see them, and
 * what that user holds. */
#ifndef NUMD_SERVER_WORKER_STATS_H
#define NUMD_SERVER_WORKER_STATS_H

#include <msgpack.h>

#include "server/host/notices.h"
#include "server/host/scoreboard.h"

void stats_pack(msgpack_packer *pk, const struct scoreboard *scoreboard, const struct notices *notices,
                uint32_t uid, const uint64_t used[N_QUOTAS]);

#endif
