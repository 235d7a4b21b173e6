/* SPDX-License-Identifier: BSD-3-Clause */
/* The scoreboard: memory with facts about the whole daemon. The supervisor makes it (a memfd) and every
 * worker maps it; clients never do. An entry is one worker process; its number is also the worker's member
 * number in the count of cores (shared/cores.h), which is a part of the scoreboard. In an entry the
 * supervisor writes pid, uid, client_pid and state, and its worker the rest. */
#ifndef NUMD_SERVER_HOST_SCOREBOARD_H
#define NUMD_SERVER_HOST_SCOREBOARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "server/host/quota.h"
#include "shared/cores.h"

#define SCOREBOARD_ENTRIES CORES_MAX_MEMBERS

struct scoreboard_entry {
  _Atomic int32_t pid; /* 0: free */
  _Atomic uint32_t uid;
  _Atomic int32_t client_pid;
  _Atomic uint32_t state;                /* enum scoreboard_state */
  _Atomic uint32_t sandbox;              /* enum sandbox_bit: the restrictions that hold for the worker */
  _Atomic uint64_t calls_socket, errors; /* calls by either door are counted in cores.members */
  _Atomic uint64_t held[N_QUOTAS];       /* charged by quota.h; zero for what the supervisor counts */
  _Atomic uint64_t busy_ns;
};

enum scoreboard_state { SCOREBOARD_FREE, SCOREBOARD_SPARE, SCOREBOARD_SESSION };

/* The daemon's options that concern workers. */
struct scoreboard_options {
  bool no_sandbox;
  uint64_t worker_memory; /* private bytes of one worker */
  uint64_t call_max_ns;   /* calls that run longer are given up; 0: none */
};

struct scoreboard {
  struct scoreboard_options options; /* this and the limits are set before the first worker starts */
  uint64_t limits[N_QUOTAS];         /* of one user */
  uint64_t started_ns;               /* CLOCK_BOOTTIME */
  _Atomic uint32_t n_used;           /* one past the highest entry that was ever used */
  _Atomic uint64_t sessions_total, workers_lost;
  struct cores cores;
  struct scoreboard_entry entries[SCOREBOARD_ENTRIES];
};

/* Makes a scoreboard with a count of the cores that this process may use. -errno. */
int scoreboard_new(struct scoreboard **out, int *fd);
int scoreboard_map(int fd, struct scoreboard **out);
void scoreboard_unmap(struct scoreboard *scoreboard);

/* Writes what worker `entry` does, and for which client. Supervisor only. */
void scoreboard_show(struct scoreboard *scoreboard, uint32_t entry, int pid, enum scoreboard_state state,
                     uint32_t uid, int client_pid);
/* Gives back all that a dead worker held, and frees its entry. Supervisor only. */
void scoreboard_bury(struct scoreboard *scoreboard, uint32_t entry);

#endif
