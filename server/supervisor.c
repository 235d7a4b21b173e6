/* The supervisor's loop: a listening socket, signals, and a few timers that run only while something is
 * pending, so an idle daemon does not wake at all.
 *
 * Ending when idle: the address is released first and whoever connected before that is still served, so no
 * client is lost between the last look and the end; a new daemon may begin at the address meanwhile. */
#include "server/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "protocol/version.h"
#include "protocol/wire.h"
#include "server/log.h"

#define ACCEPTS_AT_ONCE 32
#define ACCEPT_REST_MS 100
#define FIRST_CLIENT_MS 10000 /* with idle_ms: how long to wait for one */
#define STOP_MS 2000
#define LEASE_LOOK_MS 5000

static void stop(struct supervisor *s);

/* Tells a client why it is not served, as far as it can be written, and closes. */
static void refuse(int client, int status, const char *sentence) {
  msgpack_sbuffer buffer;
  msgpack_packer pk;
  msgpack_sbuffer_init(&buffer);
  msgpack_packer_init(&pk, &buffer, msgpack_sbuffer_write);
  wire_pack_goodbye(&pk, status, sentence);
  if (send(client, buffer.data, buffer.size, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
    log_debug("a refused client did not listen");
  msgpack_sbuffer_destroy(&buffer);
  close(client);
}

/* A daemon that root runs as a service does, since its workers become their clients' users. One that a
 * program of root's started for itself does not. */
static bool serves_every_user(const struct supervisor_options *options) {
  return geteuid() == 0 && options->idle_ms < 0;
}

static void admit(struct supervisor *s, int client) {
  struct ucred who;
  socklen_t len = sizeof(who);
  if (getsockopt(client, SOL_SOCKET, SO_PEERCRED, &who, &len) < 0) {
    close(client);
    return;
  }
  if (!serves_every_user(&s->options) && who.uid != geteuid()) {
    log_warning("process %d of user %u is refused: this daemon serves user %u", who.pid, who.uid, geteuid());
    refuse(client, NUMD_EACCESS, "this daemon serves another user");
    return;
  }
  if (s->n_sessions >= s->options.workers_max) {
    log_warning("process %d of user %u is refused: %d sessions are open", who.pid, who.uid, s->n_sessions);
    refuse(client, NUMD_ELIMIT, "the daemon serves as many clients as it may");
    return;
  }
  int rc = children_serve(s, client, &who);
  if (rc < 0) {
    log_error("process %d cannot be served: %s", who.pid, strerror(-rc));
    refuse(client, NUMD_ELIMIT, "no worker could be started");
    return;
  }
  log_info("session of process %d, user %u begins", who.pid, who.uid);
  uv_timer_stop(&s->idle_timer);
  close(client);
}

static void open_reserve(struct supervisor *s) {
  s->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void on_acceptable(uv_poll_t *poll, int status, int events);

static void on_accept_timer(uv_timer_t *timer) {
  struct supervisor *s = timer->data;
  if (s->reserve_fd < 0)
    open_reserve(s);
  uv_poll_start(&s->accept_poll, UV_READABLE, on_acceptable);
}

/* Descriptors ran out: the reserve is given up for one connection, which is refused; then accepting rests. */
static void shed(struct supervisor *s, int error) {
  log_warning("a connection is refused: %s", strerror(error));
  if (s->reserve_fd >= 0) {
    close(s->reserve_fd);
    s->reserve_fd = -1;
    int client = accept4(s->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (client >= 0)
      refuse(client, NUMD_ELIMIT, "the daemon has no descriptor left");
    open_reserve(s);
  }
  uv_poll_stop(&s->accept_poll);
  uv_timer_start(&s->accept_timer, on_accept_timer, ACCEPT_REST_MS, 0);
}

/* How many connections were accepted. */
static int accept_some(struct supervisor *s) {
  int n = 0;
  while (n < ACCEPTS_AT_ONCE) {
    int client = accept4(s->listener.fd, NULL, NULL, SOCK_CLOEXEC);
    if (client >= 0) {
      admit(s, client);
      n++;
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
      shed(s, errno);
      break;
    } else if (errno != EINTR && errno != ECONNABORTED) {
      break;
    }
  }
  children_refill_soon(s);
  return n;
}

static void on_acceptable(uv_poll_t *poll, int status, int events) {
  struct supervisor *s = poll->data;
  if (!s->stopping)
    accept_some(s);
}

static void on_idle_timer(uv_timer_t *timer) {
  struct supervisor *s = timer->data;
  if (s->n_sessions > 0 || s->broker.n > 0) /* named arrays stay, and handles on their way are awaited */
    return;
  listener_release(&s->listener);
  if (accept_some(s) > 0 && s->n_sessions > 0)
    return;
  log_info("no client is left");
  stop(s);
}

void supervisor_session_ended(struct supervisor *s) {
  if (s->n_sessions == 0 && s->options.idle_ms >= 0 && !s->stopping)
    uv_timer_start(&s->idle_timer, on_idle_timer, (uint64_t)s->options.idle_ms, 0);
}

static void on_lease_timer(uv_timer_t *timer) {
  supervisor_expire_leases(timer->data);
}

void supervisor_expire_leases(struct supervisor *s) {
  if (s->stopping)
    return;
  if (broker_expire(&s->broker, uv_now(&s->loop)))
    uv_timer_start(&s->lease_timer, on_lease_timer, LEASE_LOOK_MS, 0);
  else if (s->n_sessions == 0)
    supervisor_session_ended(s);
}

static void close_handle(uv_handle_t *handle, void *arg) {
  if (!uv_is_closing(handle))
    uv_close(handle, NULL);
}

void supervisor_child_gone(struct supervisor *s) {
  if (s->stopping && !s->children)
    uv_walk(&s->loop, close_handle, NULL);
}

static void on_stop_timer(uv_timer_t *timer) {
  log_warning("workers did not end in time and are killed");
  children_kill(timer->data);
}

static void stop(struct supervisor *s) {
  if (s->stopping) { /* asked twice: at once */
    children_kill(s);
    return;
  }
  s->stopping = true;
  listener_release(&s->listener);
  uv_close((uv_handle_t *)&s->accept_poll, NULL);
  uv_timer_stop(&s->idle_timer);
  uv_timer_stop(&s->spawn_timer);
  uv_timer_stop(&s->accept_timer);
  uv_timer_stop(&s->lease_timer);
  uv_timer_start(&s->stop_timer, on_stop_timer, STOP_MS, 0);
  children_stop(s);
  supervisor_child_gone(s);
}

static void on_signal(uv_signal_t *signal, int number) {
  log_info("ends by signal %d (%s)", number, strsignal(number));
  stop(signal->data);
}

/* $NUMD_WORKER, else numd-worker beside this program or in ../libexec/numd. */
static int find_worker(char *path, size_t len) {
  static const char *const places[] = {"numd-worker", "../libexec/numd/numd-worker"};
  char self[PATH_MAX];
  const char *env = getenv("NUMD_WORKER");
  if (env && *env)
    return snprintf(path, len, "%s", env) < (int)len ? 0 : -ENAMETOOLONG;
  ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
  if (n < 0)
    return -errno;
  self[n] = '\0';
  *strrchr(self, '/') = '\0';
  for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
    if (snprintf(path, len, "%s/%s", self, places[i]) < (int)len && access(path, X_OK) == 0)
      return 0;
  return -ENOENT;
}

/* Shared objects and connections cost descriptors here: as many as the system allows. */
static void raise_fd_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
  }
}

/* Kernels are parallel by our own tiling, so each BLAS call has one thread; the loop's pool has one
 * thread a long call. */
static void set_worker_environment(void) {
  setenv("OPENBLAS_NUM_THREADS", "1", 1);
  setenv("OMP_NUM_THREADS", "1", 1);
  setenv("UV_THREADPOOL_SIZE", "4", 1);
}

static int init_handles(struct supervisor *s) {
  uv_timer_t *timers[] = {&s->accept_timer, &s->idle_timer, &s->stop_timer, &s->spawn_timer, &s->lease_timer};
  for (size_t i = 0; i < sizeof(timers) / sizeof(timers[0]); i++) {
    uv_timer_init(&s->loop, timers[i]);
    timers[i]->data = s;
  }
  uv_signal_init(&s->loop, &s->sigterm);
  uv_signal_init(&s->loop, &s->sigint);
  s->sigterm.data = s->sigint.data = s->accept_poll.data = s;
  uv_signal_start(&s->sigterm, on_signal, SIGTERM);
  uv_signal_start(&s->sigint, on_signal, SIGINT);
  int rc = uv_poll_init(&s->loop, &s->accept_poll, s->listener.fd);
  return rc == 0 ? uv_poll_start(&s->accept_poll, UV_READABLE, on_acceptable) : rc;
}

static int supervisor_init(struct supervisor *s, const struct supervisor_options *options,
                           struct errtext *err) {
  s->options = *options;
  s->board_fd = s->reserve_fd = s->listener.fd = s->listener.lock_fd = -1;
  signal(SIGPIPE, SIG_IGN);
  raise_fd_limit();
  set_worker_environment();
  int rc = find_worker(s->worker_path, sizeof(s->worker_path));
  if (rc < 0)
    return errtext_set(err, rc, "numd-worker is neither beside numd nor in ../libexec/numd; set NUMD_WORKER");
  rc = board_new(&s->board, &s->board_fd);
  if (rc < 0)
    return errtext_set(err, rc, "the board: %s", strerror(-rc));
  rc = listener_open(&s->listener, options->socket, serves_every_user(options), err);
  if (rc < 0)
    return rc;
  open_reserve(s);
  rc = uv_loop_init(&s->loop);
  if (rc == 0)
    rc = init_handles(s);
  return rc < 0 ? errtext_set(err, rc, "the event loop: %s", strerror(-rc)) : 0;
}

static void supervisor_deinit(struct supervisor *s) {
  listener_close(&s->listener);
  broker_deinit(&s->broker);
  board_unmap(s->board);
  if (s->board_fd >= 0)
    close(s->board_fd);
  if (s->reserve_fd >= 0)
    close(s->reserve_fd);
}

int supervisor_run(const struct supervisor_options *options) {
  static struct supervisor s;
  struct errtext err;
  int rc = supervisor_init(&s, options, &err);
  if (rc < 0) {
    log_error("%s", err.text);
    supervisor_deinit(&s);
    return 1;
  }
  log_info("version %s listens at %s: %u cores, %d spare workers, %d sessions at most", NUMD_VERSION,
           s.listener.inherited ? "an inherited socket" : s.listener.path, s.board->n_cores, s.options.spares,
           s.options.workers_max);
  children_refill(&s);
  if (s.options.idle_ms >= 0)
    uv_timer_start(&s.idle_timer, on_idle_timer, FIRST_CLIENT_MS, 0);
  uv_run(&s.loop, UV_RUN_DEFAULT);
  uv_loop_close(&s.loop);
  supervisor_deinit(&s);
  log_info("ended");
  return 0;
}
