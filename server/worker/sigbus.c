/* SPDX-License-Identifier: BSD-3-Clause */
/* The table is fixed and made of atomics because the handler may run in any thread, at any instruction.
 * An entry's `start` is set last and cleared first, so an entry with a start is complete. No thread can fault
 * in a segment whose entry is being removed: a segment is unmapped only when no runner can use it any more.
 *
 * Several threads may fault in one segment at once. Each maps zero pages from the page of its fault to the
 * end. A later mapping replaces only zero pages, and what calls that fail with ELOST have written there. */
#include "server/worker/sigbus.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "protocol/request.h"

#define N_ENTRIES (2 * MAX_SEGMENTS)

static struct {
  _Atomic uintptr_t start; /* 0: free */
  _Atomic uintptr_t end;   /* one past its last page */
  _Atomic uintptr_t page;
  atomic_int *_Atomic lost;
} entries[N_ENTRIES];

static atomic_int n_used; /* one past the highest entry ever used */

/* Maps zero pages from the faulting page to the end of its segment. False if the address is in no segment, or
 * if that fails. */
static bool replace(uintptr_t address) {
  int n = atomic_load(&n_used);
  for (int i = 0; i < n; i++) {
    uintptr_t start = atomic_load(&entries[i].start);
    if (start == 0 || address < start || address >= atomic_load(&entries[i].end))
      continue;
    uintptr_t from = address & ~(atomic_load(&entries[i].page) - 1);
    atomic_store(atomic_load(&entries[i].lost), 1);
    /* RLIMIT_DATA does not stand in the way: the pages take the place of as many others. */
    return mmap((void *)from, atomic_load(&entries[i].end) - from, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0) != MAP_FAILED;
  }
  return false;
}

static void on_sigbus(int number, siginfo_t *info, void *context) {
  int saved = errno;
  if (info->si_code <= 0 || !replace((uintptr_t)info->si_addr)) {
    signal(SIGBUS, SIG_DFL);
    raise(SIGBUS); /* delivered when this handler returns */
  }
  errno = saved;
}

int sigbus_install(void) {
  struct sigaction action;
  memset(&action, 0, sizeof(action));
  action.sa_sigaction = on_sigbus;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  return sigaction(SIGBUS, &action, NULL) < 0 ? -errno : 0;
}

int sigbus_watch(void *data, size_t bytes, size_t page, atomic_int *lost) {
  int i = 0;
  while (i < N_ENTRIES && atomic_load(&entries[i].start) != 0)
    i++;
  if (i == N_ENTRIES)
    return -ENOSPC;
  atomic_store(&entries[i].end, (uintptr_t)data + ((bytes + page - 1) & ~(page - 1)));
  atomic_store(&entries[i].page, page);
  atomic_store(&entries[i].lost, lost);
  atomic_store(&entries[i].start, (uintptr_t)data);
  if (i >= atomic_load(&n_used))
    atomic_store(&n_used, i + 1);
  return i;
}

void sigbus_unwatch(int index) {
  if (index >= 0)
    atomic_store(&entries[index].start, 0);
}
