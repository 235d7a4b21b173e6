/* SPDX-License-Identifier: BSD-3-Clause */
#include "server/host/machine.h"

#include <sys/resource.h>
#include <sys/sysinfo.h>

uint64_t machine_memory_bytes(void) {
  struct sysinfo info;
  if (sysinfo(&info) < 0)
    return (uint64_t)1 << 40;
  return ((uint64_t)info.totalram + info.totalswap) * info.mem_unit;
}

void machine_raise_fd_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
  }
}
