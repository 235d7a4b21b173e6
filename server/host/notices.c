/* SPDX-License-Identifier: BSD-3-Clause */
#include "server/host/notices.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "shared/clock.h"

#define SEALS (F_SEAL_FUTURE_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

static int map(int fd, int protection, struct notices **out) {
  void *p = mmap(NULL, sizeof(struct notices), protection, MAP_SHARED, fd, 0);
  if (p == MAP_FAILED)
    return -errno;
  *out = p;
  return 0;
}

/* Maps the object, which is empty, for writing, and seals it. */
static int begin(int fd, struct notices **out) {
  struct notices *notices = NULL;
  if (ftruncate(fd, sizeof(*notices)) < 0)
    return -errno;
  int rc = map(fd, PROT_READ | PROT_WRITE, &notices);
  if (rc < 0)
    return rc;
  if (fcntl(fd, F_ADD_SEALS, SEALS) < 0) {
    rc = -errno;
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
  struct notices *notices = NULL;
  int rc = map(fd, PROT_READ, &notices);
  *out = notices;
  return rc;
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
}
