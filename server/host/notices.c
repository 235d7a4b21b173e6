/* SPDX-License-Identifier: BSD-3-Clause */
#include "server/host/notices.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "shared/clock.h"

#define SEALS (F_SEAL_FUTURE_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

/* NULL after a failure. */
static struct notices *map(int fd, int protection) {
  void *p = mmap(NULL, sizeof(struct notices), protection, MAP_SHARED, fd, 0);
  return p == MAP_FAILED ? NULL : p;
}

/* Maps the object, which is empty, for writing, and seals it. */
static int begin(int fd, struct notices **out) {
  if (ftruncate(fd, sizeof(struct notices)) < 0)
    return -errno;
  struct notices *notices = map(fd, PROT_READ | PROT_WRITE);
  if (!notices)
    return -errno;
  if (fcntl(fd, F_ADD_SEALS, SEALS) < 0) {
    int rc = -errno;
    notices_unmap(notices);
    return rc;
  }
  notices->started_ns = clock_boot_ns();
  notices->owner = geteuid();
  *out = notices;
  return 0;
}

int notices_new(struct notices **out, int *fd) {
  int memfd = memfd_create("numd-notices", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (memfd < 0)
    return -errno;
  int rc = begin(memfd, out);
  if (rc < 0)
    close(memfd);
  else
    *fd = memfd;
  return rc;
}

int notices_map(int fd, const struct notices **out) {
  *out = map(fd, PROT_READ);
  return *out ? 0 : -errno;
}

void notices_unmap(const struct notices *notices) {
  if (notices)
    munmap((void *)notices, sizeof(*notices));
}

void notices_put(struct notices *notices, uint32_t entry, int pid, enum worker_state state, uint32_t uid,
                 int client_pid) {
  struct notice *n = &notices->entries[entry];
  atomic_store(&n->pid, pid);
  atomic_store(&n->uid, uid);
  atomic_store(&n->client_pid, client_pid);
  atomic_store(&n->state, (uint32_t)state);
  if (entry >= atomic_load(&notices->n_used))
    atomic_store(&notices->n_used, entry + 1);
}
