/* The board: one shared page of facts about the whole daemon. The supervisor makes it (a memfd) and
 * every worker maps it; clients never do.
 *
 * Cores are owned by workers one by one: owner[i] is 0 or the worker's entry number plus 1, taken by
 * compare-and-swap and cleared by its owner, or by the supervisor when the owner is dead; so no core is ever
 * lost. A core here is a permission to run one more thread, not a particular processor. Spin tokens are
 * permissions for a channel thread to spin (its client spins too, so there is one for every two cores); same
 * rules. Callers at work are counted as well, for a caller that gets no core does its work all the same; a
 * worker that dies between the two counters makes the total too small, never too large. Numbers in entries
 * are written by their worker alone, with relaxed order: readers only show them. */
#ifndef NUMD_SERVER_HOST_BOARD_H
#define NUMD_SERVER_HOST_BOARD_H

#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "server/host/quota.h"

#define BOARD_MAX_CORES 256
#define BOARD_MAX_ENTRIES 1024

struct board_entry {
  _Atomic int32_t pid; /* 0: free */
  _Atomic uint32_t uid;
  _Atomic int32_t client_pid;
  _Atomic uint32_t state;   /* enum board_state */
  _Atomic uint32_t sandbox; /* enum sandbox_bit: what holds for the session's worker */
  _Atomic uint64_t calls_ring, calls_socket, errors;
  _Atomic uint64_t held[N_QUOTAS]; /* of what quota.h bounds; zero for what the supervisor holds */
  _Atomic uint64_t busy_ns;
  _Atomic int32_t n_callers; /* its share of the board's */
  /* For turns between users (fair.c). */
  _Atomic int32_t n_waiting; /* its share of the board's */
  _Atomic uint32_t half;     /* of the cores, that its callers are in */
  sem_t turn;                /* a hint to one that waits (sem.h, for which zeros are as good as sem_init) */
};

enum board_state { BOARD_FREE, BOARD_SPARE, BOARD_SESSION };

/* What the workers have to know of the daemon's options. */
struct board_options {
  bool no_sandbox;
  bool many_users;        /* are served */
  uint64_t worker_memory; /* private bytes of one worker */
  uint64_t call_max_ns;   /* calls that run longer are given up; 0: none */
};

struct board {
  struct board_options options; /* this and the limits are set before the first worker starts */
  uint64_t limits[N_QUOTAS];    /* of one user */
  uint32_t n_cores, n_spin, n_entries;
  uint64_t started_ns;     /* CLOCK_BOOTTIME */
  _Atomic uint32_t n_used; /* one past the highest entry that was ever used */
  _Atomic uint64_t sessions_total, workers_lost;
  _Atomic int32_t n_callers; /* threads at work on calls large enough to be shared out */
  _Atomic int32_t n_waiting; /* threads that wait for their user's turn */
  _Atomic uint32_t core_owner[BOARD_MAX_CORES];
  _Atomic uint32_t spin_owner[BOARD_MAX_CORES];
  struct board_entry entries[BOARD_MAX_ENTRIES];
};

/* Makes a board for the cores that this process may use (affinity and cgroup quota). -errno. */
int board_new(struct board **out, int *fd);
int board_map(int fd, struct board **out);
void board_unmap(struct board *board);
/* The number of cores this process may use: affinity mask, limited by cgroup v1/v2 CPU quota; at least 1. */
int board_count_cores(void);

/* Counts one more caller at work; how many others there were. */
int board_begin_work(struct board *board, uint32_t entry);
void board_end_work(struct board *board, uint32_t entry);
/* Counts one more that waits for its user's turn (fair.h). */
void board_begin_wait(struct board *board, uint32_t entry);
void board_end_wait(struct board *board, uint32_t entry);
/* Whether there is a core that no call is at work on. */
bool board_has_idle_core(const struct board *board);

/* Takes up to `want` cores for `entry`; returns how many. Never waits. */
int board_take_cores(struct board *board, uint32_t entry, int want);
void board_give_cores(struct board *board, uint32_t entry, int n);
bool board_take_spin(struct board *board, uint32_t entry);
void board_give_spin(struct board *board, uint32_t entry);
/* Gives back all that a dead worker held, and frees its entry. Supervisor only. */
void board_bury(struct board *board, uint32_t entry);

#endif
