/* SPDX-License-Identifier: BSD-3-Clause */
/* The log of a traced program (shared/trace.h). It is mapped before main(), so that a worker which shuts
 * itself in later has it already. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "shared/trace.h"

struct trace_log *trace_log;

__attribute__((constructor)) static void open_log(void) {
  const char *path = getenv("BENCH_TRACE");
  int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
  if (fd < 0)
    return;
  void *log = mmap(NULL, sizeof(*trace_log), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
  close(fd);
  if (log != MAP_FAILED)
    trace_log = log;
}
