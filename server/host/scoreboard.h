/* SPDX-License-Identifier: BSD-3-Clause */
/* The scoreboard: memory with what workers count. The supervisor makes it (a memfd) and every worker maps it;
 * clients never do. An entry is one worker process; its number is also the worker's member number in the
 * count of cores (shared/cores.h), which is a part of the scoreboard.
 *
 * Each worker could write all of it, so all of it is a hint: `stats` shows it, and waiting goes by it. What
 * decides about a user's rights is in the notices (notices.h) or with the supervisor. Whoever reads an index
 * here checks it. */
#ifndef NUMD_SERVER_HOST_SCOREBOARD_H
#define NUMD_SERVER_HOST_SCOREBOARD_H

#include <stdatomic.h>
#include <stdint.h>

#include "server/host/quota.h"
#include "shared/cores.h"

#define SCOREBOARD_ENTRIES CORES_MAX_MEMBERS

struct scoreboard_entry {
  _Atomic uint32_t sandbox;              /* enum sandbox_bit: the restrictions that hold for the worker */
  _Atomic uint64_t calls_socket, errors; /* calls by either door are counted in cores.members */
  _Atomic uint64_t held[N_QUOTAS];       /* what the session holds of what it was granted */
  _Atomic uint64_t busy_ns;
};

struct scoreboard {
  struct cores cores;
  struct scoreboard_entry entries[SCOREBOARD_ENTRIES];
};

/* Makes a scoreboard with a count of the cores that this process may use. -errno. */
int scoreboard_new(struct scoreboard **out, int *fd);
int scoreboard_map(int fd, struct scoreboard **out);
void scoreboard_unmap(struct scoreboard *scoreboard);

/* Gives back all that a dead worker held, and clears its entry. Supervisor only. */
void scoreboard_bury(struct scoreboard *scoreboard, uint32_t entry);

#endif
