/* SPDX-License-Identifier: BSD-3-Clause */
/* Opening sessions, and what happens when one is lost. The client chooses the ids of segments and plans. So
 * in another session all segments are attached again under the ids that they had, plans are prepared again
 * when they are next called, and bindings that were made before stay valid. */
#include "client/lib/conn.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "client/lib/daemon_start.h"
#include "client/lib/error.h"
#include "client/lib/fork_watch.h"
#include "client/lib/layout.h"
#include "shared/clock.h"
#include "shared/wake.h"

#define START_TIMEOUT_NS 5000000000

_Atomic uint64_t fork_generation;
static _Atomic uint64_t last_epoch;
static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
static numd_conn *registry;

/* ---- Fork ---- */

static void init_lock(pthread_mutex_t *lock) {
  pthread_mutexattr_t attr;
  pthread_mutexattr_init(&attr);
  pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
  pthread_mutex_init(lock, &attr);
  pthread_mutexattr_destroy(&attr);
}

static void before_fork(void) {
  pthread_mutex_lock(&registry_lock);
  for (numd_conn *c = registry; c; c = c->next)
    pthread_mutex_lock(&c->lock);
  layout_lock();
  fork_watch_before();
}

static void after_fork(void) {
  fork_watch_after(false);
  layout_unlock();
  for (numd_conn *c = registry; c; c = c->next)
    pthread_mutex_unlock(&c->lock);
  pthread_mutex_unlock(&registry_lock);
}

/* A recursive lock knows its owner by a thread id, which is another one in the child, so the child could not
 * unlock what it took before the fork: the lock is made anew. The child closes its copy of the socket, or the
 * worker would not see the parent end while the child lives. */
static void after_fork_in_child(void) {
  fork_watch_after(true);
  atomic_fetch_add_explicit(&fork_generation, 1, memory_order_relaxed);
  layout_unlock();
  for (numd_conn *c = registry; c; c = c->next) {
    init_lock(&c->lock);
    if (c->sock >= 0)
      close(c->sock);
    c->sock = -1;
    atomic_store_explicit(&c->broken, true, memory_order_relaxed);
  }
  pthread_mutex_unlock(&registry_lock);
}

static void install_fork_handlers(void) {
  pthread_atfork(before_fork, after_fork, after_fork_in_child);
}

/* ---- Opening a session ---- */

static int try_socket(const char *address, int *out) {
  struct sockaddr_un a = {.sun_family = AF_UNIX};
  snprintf(a.sun_path, sizeof(a.sun_path), "%s", address);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return -errno;
  if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0) {
    int err = -errno;
    close(fd);
    return err;
  }
  struct timeval slice = {.tv_usec = WAKE_SLICE_NS / 1000};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &slice, sizeof(slice));
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &slice, sizeof(slice));
  *out = fd;
  return 0;
}

/* Starts a daemon, since none answers at the address, and waits until it does. */
static int start_and_connect(numd_conn *c, int why, int *sock) {
  char program[4096];
  int r = c->no_start ? -ENOENT : daemon_find(c->daemon, program, sizeof(program));
  if (c->no_start)
    return error_set(NUMD_EUNAVAILABLE, "no daemon answers at %s (%s); start one with: numd --socket %s",
                     c->address, strerror(-why), c->address);
  if (r)
    return error_set(
        NUMD_EUNAVAILABLE,
        "no daemon answers at %s (%s), and no `numd` to start was found: set NUMD_DAEMON, or PATH",
        c->address, strerror(-why));
  if ((r = daemon_start(program, c->address)))
    return error_set(NUMD_EUNAVAILABLE, "%s could not be started: %s", program, strerror(-r));
  int64_t deadline = clock_deadline(START_TIMEOUT_NS);
  for (useconds_t pause_us = 2000; clock_now_ns() < deadline;
       pause_us = pause_us < 50000 ? pause_us * 2 : pause_us) {
    usleep(pause_us);
    if (try_socket(c->address, sock) == 0)
      return 0;
  }
  return error_set(NUMD_EUNAVAILABLE,
                   "%s was started for %s, but does not answer there (NUMD_LOG=FILE keeps its log)", program,
                   c->address);
}

static int open_socket(numd_conn *c, int *sock) {
  if (address_check_directory(c->address) < 0)
    return error_set(NUMD_EUNAVAILABLE, "the directory of %s belongs to another user: not trusted",
                     c->address);
  int r = try_socket(c->address, sock);
  if (r == 0)
    return 0;
  if (r == -ENOENT || r == -ECONNREFUSED)
    return start_and_connect(c, r, sock);
  if (r == -EACCES)
    return error_set(
        NUMD_EUNAVAILABLE,
        "the socket %s is another user's: its daemon must be told --allow-uid=%u or --group=NAME", c->address,
        (unsigned)geteuid());
  return error_set(NUMD_EUNAVAILABLE, "cannot connect to %s: %s", c->address, strerror(-r));
}

/* Opens a session, with conn->lock held. On failure the connection stays broken and may be tried again. */
static int open_session(numd_conn *c) {
  uint64_t generation = atomic_load_explicit(&fork_generation, memory_order_relaxed);
  int r;
  if (c->sock >= 0)
    close(c->sock);
  c->sock = -1;
  c->in_len = 0;
  atomic_store_explicit(&c->broken, true, memory_order_relaxed);
  for (int i = 0; c->parts[i]; i++)
    if (c->parts[i]->lost)
      c->parts[i]->lost(c, c->fork_generation != generation);
  if ((r = open_socket(c, &c->sock)))
    return r;
  for (int i = 0; c->parts[i]; i++)
    if (c->parts[i]->open && (r = c->parts[i]->open(c)))
      return r;
  c->fork_generation = generation;
  atomic_store_explicit(&c->epoch, atomic_fetch_add(&last_epoch, 1) + 1, memory_order_release);
  atomic_store_explicit(&c->broken, false, memory_order_release);
  return 0;
}

int conn_enter_slow(numd_conn *c) {
  int r = 0;
  pthread_mutex_lock(&c->lock);
  if (!conn_has_session(c))
    r = open_session(c);
  pthread_mutex_unlock(&c->lock);
  return r;
}

bool conn_is_dead(numd_conn *c) {
  struct pollfd p = {.fd = c->sock, .events = POLLRDHUP};
  if (atomic_load_explicit(&c->broken, memory_order_relaxed))
    return true;
  if (poll(&p, 1, 0) <= 0 || !(p.revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL)))
    return false;
  atomic_store_explicit(&c->broken, true, memory_order_relaxed);
  return true;
}

bool conn_hold(numd_conn *conn) {
  pthread_mutex_lock(&registry_lock);
  numd_conn *c = registry;
  while (c && c != conn)
    c = c->next;
  if (!c)
    pthread_mutex_unlock(&registry_lock);
  return c != NULL;
}

bool conn_hold_session(numd_conn *conn, uint64_t epoch) {
  if (!conn_hold(conn))
    return false;
  if (conn->epoch == epoch && !conn_is_inherited(conn))
    return true;
  conn_let_go();
  return false;
}

void conn_let_go(void) {
  pthread_mutex_unlock(&registry_lock);
}

/* ---- Life ---- */

static void destroy(numd_conn *c) {
  pthread_mutex_lock(&registry_lock);
  for (numd_conn **p = &registry; *p; p = &(*p)->next)
    if (*p == c) {
      *p = c->next;
      break;
    }
  pthread_mutex_unlock(&registry_lock);
  int n = 0;
  while (c->parts[n])
    n++;
  while (n-- > 0)
    if (c->parts[n]->deinit)
      c->parts[n]->deinit(c);
  if (c->sock >= 0)
    close(c->sock);
  free(c->daemon);
  free(c->in);
  pthread_mutex_destroy(&c->lock);
  free(c);
}

static int set_address(numd_conn *c, const char *asked) {
  if (!asked)
    return address_default(c->address, sizeof(c->address)) == 0
               ? 0
               : error_set(NUMD_EINVAL, "the default address is too long for a Unix socket");
  if (strlen(asked) >= sizeof(c->address))
    return error_set(NUMD_EINVAL, "address is too long for a Unix socket: %s", asked);
  memcpy(c->address, asked, strlen(asked) + 1);
  return 0;
}

static int init_parts(numd_conn *c) {
  int r = 0;
  for (int i = 0; r == 0 && c->parts[i]; i++)
    if (c->parts[i]->init)
      r = c->parts[i]->init(c);
  return r;
}

static int set_up(numd_conn *c, const numd_options *o) {
  int r = set_address(c, o->address);
  if (r)
    return r;
  if (o->daemon && !(c->daemon = strdup(o->daemon)))
    return error_no_memory();
  if ((r = init_parts(c)))
    return r;
  pthread_mutex_lock(&c->lock);
  r = open_session(c);
  pthread_mutex_unlock(&c->lock);
  return r;
}

int conn_new(const numd_options *o, const struct conn_part *const *parts, numd_conn **out) {
  static pthread_once_t handlers = PTHREAD_ONCE_INIT;
  pthread_once(&handlers, install_fork_handlers);
  numd_conn *c = calloc(1, sizeof(*c));
  if (!c)
    return error_no_memory();
  init_lock(&c->lock);
  atomic_init(&c->refs, 1);
  c->sock = -1;
  c->parts = parts;
  c->door = o->door;
  c->wait = o->wait;
  c->no_start = o->no_start != 0;
  c->fork_generation = atomic_load_explicit(&fork_generation, memory_order_relaxed);
  int r = set_up(c, o);
  if (r) {
    destroy(c);
    return r;
  }
  pthread_mutex_lock(&registry_lock);
  c->next = registry;
  registry = c;
  pthread_mutex_unlock(&registry_lock);
  *out = c;
  return 0;
}

numd_conn *numd_conn_ref(numd_conn *conn) {
  atomic_fetch_add_explicit(&conn->refs, 1, memory_order_relaxed);
  return conn;
}

void numd_conn_unref(numd_conn *conn) {
  if (conn && atomic_fetch_sub_explicit(&conn->refs, 1, memory_order_acq_rel) == 1)
    destroy(conn);
}

const char *numd_conn_address(const numd_conn *conn) {
  return conn->address;
}
