#include "server/host/scoreboard.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "shared/available_cores.h"

static uint64_t boot_time_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_BOOTTIME, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

int scoreboard_map(int fd, struct scoreboard **out) {
  void *p = mmap(NULL, sizeof(struct scoreboard), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (p == MAP_FAILED)
    return -errno;
  *out = p;
  return 0;
}

int scoreboard_new(struct scoreboard **out, int *fd) {
  int rc = 0, memfd = memfd_create("numd-scoreboard", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (memfd < 0)
    return -errno;
  if (ftruncate(memfd, sizeof(struct scoreboard)) < 0 ||
      fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
    rc = -errno;
  if (rc == 0)
    rc = scoreboard_map(memfd, out);
  if (rc < 0) {
    close(memfd);
    return rc;
  }
  cores_init(&(*out)->cores, available_cores());
  (*out)->started_ns = boot_time_ns();
  *fd = memfd;
  return 0;
}

void scoreboard_unmap(struct scoreboard *scoreboard) {
  if (scoreboard)
    munmap(scoreboard, sizeof(*scoreboard));
}

void scoreboard_show(struct scoreboard *scoreboard, uint32_t entry, int pid, enum scoreboard_state state,
                     uint32_t uid, int client_pid) {
  struct scoreboard_entry *e = &scoreboard->entries[entry];
  atomic_store(&e->pid, pid);
  atomic_store(&e->uid, uid);
  atomic_store(&e->client_pid, client_pid);
  if (state == SCOREBOARD_SESSION)
    cores_join(&scoreboard->cores, entry, uid);
  else
    cores_leave(&scoreboard->cores, entry);
  atomic_store(&e->state, (uint32_t)state);
  if (entry >= atomic_load(&scoreboard->n_used))
    atomic_store(&scoreboard->n_used, entry + 1);
}

void scoreboard_bury(struct scoreboard *scoreboard, uint32_t entry) {
  struct scoreboard_entry *e = &scoreboard->entries[entry];
  scoreboard_show(scoreboard, entry, 0, SCOREBOARD_FREE, 0, 0);
  atomic_store(&e->sandbox, 0);
  atomic_store(&e->calls_socket, 0);
  atomic_store(&e->errors, 0);
  atomic_store(&e->busy_ns, 0);
  for (int q = 0; q < N_QUOTAS; q++)
    atomic_store(&e->held[q], 0);
}
