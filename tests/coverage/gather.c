/* SPDX-License-Identifier: BSD-3-Clause */
/* Saves what a worker has counted, in a coverage build (make coverage), where this is linked into
 * numd-worker.
 *
 * A program built with --coverage counts in its own memory and writes the counts to files when it exits. A
 * worker can do neither: by then its sandbox lets it open no file, and it may end by _exit or by a signal.
 * The sandbox is under test and stays as it is. Instead, before main, the worker's static data (the counts
 * are part of it) become memory that it shares with a process forked then and there. That process, the heir,
 * is not in the sandbox. It waits until the worker has ended, however it does, and writes the counts that are
 * in the memory.
 *
 * The worker keeps nothing of this: no descriptor, no child, no right. The heir keeps none of the worker's
 * descriptors. While it lives it holds a shared lock on COVERAGE_LOCK, so that whoever gets the exclusive
 * lock knows that all is written. */
#include <fcntl.h>
#include <gcov.h>
#include <link.h>
#include <linux/close_range.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct range {
  uintptr_t begin, end;
};

static uintptr_t page_up(uintptr_t address) {
  uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
  return (address + page - 1) / page * page;
}

/* What of the program itself, the first object, is writable and stays so after it was linked. */
static int find_data(struct dl_phdr_info *object, size_t size, void *found) {
  struct range *data = found;
  for (int i = 0; i < object->dlpi_phnum; i++) {
    const ElfW(Phdr) *h = &object->dlpi_phdr[i];
    uintptr_t begin = object->dlpi_addr + h->p_vaddr, end = begin + h->p_memsz;
    if (h->p_type == PT_LOAD && (h->p_flags & PF_W))
      data->end = page_up(end);
    if (h->p_type == PT_GNU_RELRO)
      data->begin = page_up(end);
  }
  return 1;
}

/* Puts shared memory of the same content in the place of the program's static data. */
static int share_data(void) {
  struct range data = {0, 0};
  dl_iterate_phdr(find_data, &data);
  size_t bytes = data.end - data.begin;
  int fd = memfd_create("coverage", MFD_CLOEXEC);
  void *place = (void *)data.begin;
  if (data.begin == 0 || data.end <= data.begin || fd < 0 || write(fd, place, bytes) != (ssize_t)bytes)
    return -1;
  void *mapped = mmap(place, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
  close(fd);
  return mapped == place ? 0 : -1;
}

static _Noreturn void inherit(int worker) {
  struct pollfd end = {.fd = worker, .events = POLLIN};
  prctl(PR_SET_NAME, "coverage-heir");
  setsid(); /* whoever ends the worker's process group does not mean the heir */
  while (poll(&end, 1, -1) < 0)
    ;
  __gcov_dump();
  _exit(0);
}

/* The worker itself writes nothing, and says nothing of not being able to. */
static void leave(int status, void *unused) {
  _exit(status);
}

__attribute__((constructor)) static void gather(void) {
  pid_t worker = getpid();
  if (share_data() < 0)
    abort();
  pid_t between = fork(); /* ends at once, so that the heir is nobody's child */
  if (between == 0) {
    syscall(SYS_close_range, 0, ~0u, 0);
    int lock = open(COVERAGE_LOCK, O_RDONLY), pidfd = (int)syscall(SYS_pidfd_open, worker, 0);
    if (lock < 0 || flock(lock, LOCK_SH) < 0 || pidfd < 0)
      _exit(1);
    if (fork() == 0)
      inherit(pidfd);
    _exit(0);
  }
  int status = -1;
  if (between < 0 || waitpid(between, &status, 0) < 0 || status != 0)
    abort();
  on_exit(leave, NULL); /* the first that is registered is the last that runs */
}
