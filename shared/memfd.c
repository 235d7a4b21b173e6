/* SPDX-License-Identifier: BSD-3-Clause */
#include "shared/memfd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

int memfd_sealed(const char *name, size_t bytes) {
  int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd >= 0 && ftruncate(fd, (off_t)bytes) == 0 &&
      fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
    return fd;
  int rc = -errno;
  if (fd >= 0)
    close(fd);
  return rc;
}

int memfd_seals(int fd) {
  int seals = fcntl(fd, F_GET_SEALS);
  return seals < 0 ? -errno : seals;
}

int memfd_stat(int fd, struct stat *st) {
#ifdef SYS_fstat
  return syscall(SYS_fstat, fd, st) < 0 ? -errno : 0;
#else
  return fstat(fd, st) < 0 ? -errno : 0;
#endif
}
