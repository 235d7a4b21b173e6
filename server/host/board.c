#include "server/host/board.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static uint64_t boot_time_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_BOOTTIME, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int affinity_cores(void) {
  size_t bytes = CPU_ALLOC_SIZE(8192);
  cpu_set_t *set = CPU_ALLOC(8192);
  int n = set && sched_getaffinity(0, bytes, set) == 0 ? CPU_COUNT_S(bytes, set) : 1;
  CPU_FREE(set);
  return n;
}

/* Cores of a quota in one file ("max 100000", "150000 100000") or, for v1, in two; 0: no limit. */
static int quota_in(const char *quota_path, const char *period_path) {
  char text[64] = "", more[64] = "100000";
  FILE *f = fopen(quota_path, "re");
  if (!f)
    return 0;
  bool got = fgets(text, sizeof(text), f) != NULL;
  fclose(f);
  if (got && period_path && (f = fopen(period_path, "re"))) {
    got = fgets(more, sizeof(more), f) != NULL;
    fclose(f);
  }
  long quota = 0, period = 100000;
  if (!got || sscanf(text, "%ld %ld", &quota, &period) < 1)
    return 0;
  if (period_path)
    period = strtol(more, NULL, 10);
  return quota > 0 && period > 0 ? (int)((quota + period - 1) / period) : 0;
}

/* The tightest quota from a control group up to the root of its hierarchy; 0: no limit. */
static int quota_above(const char *mount, char *group, bool v1) {
  char quota[512], period[512];
  int least = 0;
  for (;;) {
    snprintf(quota, sizeof(quota), "%s%s/%s", mount, group, v1 ? "cpu.cfs_quota_us" : "cpu.max");
    snprintf(period, sizeof(period), "%s%s/cpu.cfs_period_us", mount, group);
    int n = quota_in(quota, v1 ? period : NULL);
    if (n > 0 && (least == 0 || n < least))
      least = n;
    char *slash = strrchr(group, '/');
    if (!slash)
      return least;
    *slash = '\0';
  }
}

/* A line of /proc/self/cgroup is "number:controllers:/path"; version 2 has number 0 and no controllers. */
static int quota_of_line(char *line) {
  char *controllers = strchr(line, ':'), *group = controllers ? strchr(controllers + 1, ':') : NULL;
  if (!group)
    return 0;
  *controllers++ = *group++ = '\0';
  group[strcspn(group, "\n")] = '\0';
  if (*controllers == '\0')
    return quota_above("/sys/fs/cgroup", group, false);
  for (char *save, *c = strtok_r(controllers, ",", &save); c; c = strtok_r(NULL, ",", &save))
    if (strcmp(c, "cpu") == 0)
      return quota_above("/sys/fs/cgroup/cpu", group, true);
  return 0;
}

static int quota_cores(void) {
  char line[400];
  int least = 0;
  FILE *f = fopen("/proc/self/cgroup", "re");
  while (f && fgets(line, sizeof(line), f)) {
    int n = quota_of_line(line);
    if (n > 0 && (least == 0 || n < least))
      least = n;
  }
  if (f)
    fclose(f);
  return least;
}

int board_count_cores(void) {
  int cores = affinity_cores(), quota = quota_cores();
  if (quota > 0 && quota < cores)
    cores = quota;
  return cores < 1 ? 1 : cores > BOARD_MAX_CORES ? BOARD_MAX_CORES : cores;
}

int board_map(int fd, struct board **out) {
  void *p = mmap(NULL, sizeof(struct board), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (p == MAP_FAILED)
    return -errno;
  *out = p;
  return 0;
}

int board_new(struct board **out, int *fd) {
  int rc = 0, memfd = memfd_create("numd-board", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (memfd < 0)
    return -errno;
  if (ftruncate(memfd, sizeof(struct board)) < 0 ||
      fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
    rc = -errno;
  if (rc == 0)
    rc = board_map(memfd, out);
  if (rc < 0) {
    close(memfd);
    return rc;
  }
  (*out)->n_cores = (uint32_t)board_count_cores();
  (*out)->n_spin = (*out)->n_cores / 2;
  (*out)->n_entries = BOARD_MAX_ENTRIES;
  (*out)->started_ns = boot_time_ns();
  *fd = memfd;
  return 0;
}

void board_unmap(struct board *board) {
  if (board)
    munmap(board, sizeof(*board));
}

static int take(_Atomic uint32_t owners[], uint32_t n, uint32_t entry, int want) {
  int got = 0;
  for (uint32_t i = 0; i < n && got < want; i++) {
    uint32_t nobody = 0;
    if (atomic_load_explicit(&owners[i], memory_order_relaxed) == 0 &&
        atomic_compare_exchange_strong_explicit(&owners[i], &nobody, entry + 1, memory_order_acq_rel,
                                                memory_order_relaxed))
      got++;
  }
  return got;
}

static void give(_Atomic uint32_t owners[], uint32_t n, uint32_t entry, int count) {
  for (uint32_t i = 0; i < n && count > 0; i++) {
    uint32_t mine = entry + 1;
    if (atomic_load_explicit(&owners[i], memory_order_relaxed) == mine &&
        atomic_compare_exchange_strong_explicit(&owners[i], &mine, 0, memory_order_acq_rel,
                                                memory_order_relaxed))
      count--;
  }
}

int board_begin_work(struct board *board, uint32_t entry) {
  atomic_fetch_add_explicit(&board->entries[entry].n_callers, 1, memory_order_relaxed);
  int others = atomic_fetch_add_explicit(&board->n_callers, 1, memory_order_relaxed);
  return others > 0 ? others : 0;
}

void board_end_work(struct board *board, uint32_t entry) {
  atomic_fetch_sub_explicit(&board->n_callers, 1, memory_order_relaxed);
  atomic_fetch_sub_explicit(&board->entries[entry].n_callers, 1, memory_order_relaxed);
}

/* In this order: a worker that dies between the two makes the total too large, never too small. */
void board_begin_wait(struct board *board, uint32_t entry) {
  atomic_fetch_add(&board->n_waiting, 1);
  atomic_fetch_add(&board->entries[entry].n_waiting, 1);
}

void board_end_wait(struct board *board, uint32_t entry) {
  atomic_fetch_sub(&board->entries[entry].n_waiting, 1);
  atomic_fetch_sub(&board->n_waiting, 1);
}

bool board_has_idle_core(const struct board *board) {
  if (atomic_load_explicit(&board->n_callers, memory_order_relaxed) >= (int)board->n_cores)
    return false;
  for (uint32_t i = 0; i < board->n_cores; i++)
    if (atomic_load_explicit(&board->core_owner[i], memory_order_relaxed) == 0)
      return true;
  return false;
}

int board_take_cores(struct board *board, uint32_t entry, int want) {
  return take(board->core_owner, board->n_cores, entry, want);
}

void board_give_cores(struct board *board, uint32_t entry, int n) {
  give(board->core_owner, board->n_cores, entry, n);
}

bool board_take_spin(struct board *board, uint32_t entry) {
  return take(board->spin_owner, board->n_spin, entry, 1) == 1;
}

void board_give_spin(struct board *board, uint32_t entry) {
  give(board->spin_owner, board->n_spin, entry, 1);
}

void board_bury(struct board *board, uint32_t entry) {
  struct board_entry *e = &board->entries[entry];
  give(board->core_owner, board->n_cores, entry, BOARD_MAX_CORES);
  give(board->spin_owner, board->n_spin, entry, BOARD_MAX_CORES);
  atomic_fetch_sub(&board->n_callers, atomic_exchange(&e->n_callers, 0));
  atomic_store(&e->pid, 0);
  atomic_store(&e->uid, 0);
  atomic_store(&e->client_pid, 0);
  atomic_store(&e->state, BOARD_FREE);
  atomic_store(&e->sandbox, 0);
  atomic_fetch_sub(&board->n_waiting, atomic_exchange(&e->n_waiting, 0));
  atomic_store(&e->half, 0);
  _Atomic uint64_t *counters[] = {&e->calls_ring, &e->calls_socket, &e->errors, &e->busy_ns};
  for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
    atomic_store(counters[i], 0);
  for (int q = 0; q < N_QUOTAS; q++)
    atomic_store(&e->held[q], 0);
}
