/* SPDX-License-Identifier: BSD-3-Clause */
/* The notices: what the supervisor tells every worker: the daemon's options and limits, and which worker
 * serves whom. They lie in a memfd of their own, which the supervisor alone can write. It has mapped it
 * before the object was sealed against further writing mappings (F_SEAL_FUTURE_WRITE), so no worker, whatever
 * it has become, can write it by any road. What workers themselves count is on the scoreboard. */
#ifndef NUMD_SERVER_HOST_NOTICES_H
#define NUMD_SERVER_HOST_NOTICES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "server/host/quota.h"
#include "server/host/scoreboard.h"

/* The daemon's options that concern workers. */
struct worker_options {
  bool no_sandbox;
  uint64_t worker_memory; /* private bytes of one worker */
  uint64_t call_max_ns;   /* calls that run longer are given up; 0: none */
};

enum worker_state { WORKER_NONE, WORKER_SPARE, WORKER_SESSION };

/* One worker process; its number is also that of its entry on the scoreboard. */
struct notice {
  _Atomic int32_t pid; /* 0: there is none */
  _Atomic int32_t client_pid;
  _Atomic uint32_t uid;   /* of the client */
  _Atomic uint32_t state; /* enum worker_state */
};

struct notices {
  struct worker_options
      options;               /* this and what follows, up to n_spin, is set before the first worker starts */
  uint64_t limits[N_QUOTAS]; /* of one user */
  uint64_t started_ns;       /* CLOCK_BOOTTIME */
  uint32_t owner;            /* the user who runs the daemon */
  uint32_t n_cores, n_spin;  /* as in the count of cores */
  _Atomic uint32_t n_used;   /* one past the highest entry that was ever used */
  _Atomic uint64_t sessions_total, workers_lost;
  struct notice entries[SCOREBOARD_ENTRIES];
};

/* Makes the page. *fd can be mapped by workers, for reading alone. -errno. */
int notices_new(struct notices **out, int *fd);
int notices_map(int fd, const struct notices **out);
void notices_unmap(const struct notices *notices);

/* Writes what worker `entry` does, and for which client. Supervisor only. */
void notices_put(struct notices *notices, uint32_t entry, int pid, enum worker_state state, uint32_t uid,
                 int client_pid);

#endif
