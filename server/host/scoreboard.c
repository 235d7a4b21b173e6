/* SPDX-License-Identifier: BSD-3-Clause */
#include "server/host/scoreboard.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "shared/available_cores.h"
#include "shared/memfd.h"

int scoreboard_map(int fd, struct scoreboard **out) {
  void *p = mmap(NULL, sizeof(struct scoreboard), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (p == MAP_FAILED)
    return -errno;
  madvise(p, sizeof(struct scoreboard), MADV_DONTDUMP); /* a core file of a worker is its user's */
  *out = p;
  return 0;
}

int scoreboard_new(struct scoreboard **out, int *fd) {
  int memfd = memfd_sealed("numd-scoreboard", sizeof(struct scoreboard));
  if (memfd < 0)
    return memfd;
  int rc = scoreboard_map(memfd, out);
  if (rc < 0) {
    close(memfd);
    return rc;
  }
  cores_init(&(*out)->cores, available_cores());
  *fd = memfd;
  return 0;
}

void scoreboard_unmap(struct scoreboard *scoreboard) {
  if (scoreboard)
    munmap(scoreboard, sizeof(*scoreboard));
}

void scoreboard_bury(struct scoreboard *scoreboard, uint32_t entry) {
  struct scoreboard_entry *e = &scoreboard->entries[entry];
  cores_leave(&scoreboard->cores, entry);
  atomic_store(&e->sandbox, 0);
  atomic_store(&e->calls_socket, 0);
  atomic_store(&e->errors, 0);
  atomic_store(&e->busy_ns, 0);
  for (int q = 0; q < N_QUOTAS; q++)
    atomic_store(&e->held[q], 0);
}
