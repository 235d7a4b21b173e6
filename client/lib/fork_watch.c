/* SPDX-License-Identifier: BSD-3-Clause */
/* Forked children that may still use our memory.
 *
 * A child may go on using every array that it inherited after the parent has dropped its own:
 * multiprocessing's `Process(target=f, args=(a,))` forgets its arguments once the child has started. So
 * memory that was in use at a fork is not used for something else while the child lives. Each fork makes a
 * pipe, of which the child has the writing end until it ends or executes another program; its own children
 * inherit that end, too. So when the pipe ends, no process is left that may use the memory. */
#include "client/lib/fork_watch.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

struct fork_watch {
  uint64_t number; /* of the fork; they count from 1 */
  int fd; /* the reading end; -1: no descriptor was left for a pipe, so the child counts as alive for ever */
  struct fork_watch *next;
};

_Atomic uint64_t fork_watch_count;
static pthread_mutex_t watch_lock = PTHREAD_MUTEX_INITIALIZER;
static struct fork_watch *watches; /* the newest first */
static int child_end = -1;         /* of the fork under way */

static bool has_ended(const struct fork_watch *w) {
  struct pollfd p = {.fd = w->fd};
  return w->fd >= 0 && poll(&p, 1, 0) == 1 && p.revents & POLLHUP;
}

static void forget(struct fork_watch **at) {
  struct fork_watch *w = *at;
  *at = w->next;
  if (w->fd >= 0)
    close(w->fd);
  free(w);
}

void fork_watch_before(void) {
  int ends[2] = {-1, -1};
  pthread_mutex_lock(&watch_lock);
  for (struct fork_watch **at = &watches; *at;)
    if (has_ended(*at))
      forget(at);
    else
      at = &(*at)->next;
  struct fork_watch *w = calloc(1, sizeof(*w));
  if (!w)
    return;
  if (pipe2(ends, O_CLOEXEC) < 0)
    ends[0] = ends[1] = -1;
  *w = (struct fork_watch){.number = atomic_load(&fork_watch_count) + 1, .fd = ends[0], .next = watches};
  watches = w;
  child_end = ends[1];
  atomic_fetch_add(&fork_watch_count, 1);
}

void fork_watch_after(bool in_child) {
  if (in_child)
    while (watches)
      forget(&watches);
  else if (child_end >= 0)
    close(child_end);
  child_end = -1;
  if (in_child)
    pthread_mutex_init(&watch_lock, NULL);
  else
    pthread_mutex_unlock(&watch_lock);
}

bool fork_watch_has_heir(uint64_t count) {
  bool lives = false;
  if (count == atomic_load_explicit(&fork_watch_count, memory_order_relaxed))
    return false;
  pthread_mutex_lock(&watch_lock);
  for (struct fork_watch **at = &watches; *at && (*at)->number > count && !lives;)
    if (has_ended(*at))
      forget(at);
    else
      lives = true;
  pthread_mutex_unlock(&watch_lock);
  return lives;
}
