/* SPDX-License-Identifier: BSD-3-Clause */
/* The supervisor's loop: a listening socket, signals, and a few timers that run only while something is
 * pending, so an idle daemon does not wake at all.
 *
 * A daemon that ends when idle removes its address first, then serves the clients that connected before that,
 * and ends only if there are none. In any other order a client that connects between the last look and the
 * end would be lost. A new daemon may begin at the address meanwhile. */
#include "server/supervisor/supervisor.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "protocol/version.h"
#include "server/host/log.h"
#include "server/host/machine.h"
#include "server/supervisor/accept.h"
#include "server/supervisor/broker.h"
#include "server/supervisor/charges.h"
#include "server/supervisor/listen.h"
#include "server/supervisor/observer.h"
#include "server/supervisor/questions.h"
#include "server/supervisor/systemd.h"
#include "server/supervisor/upgrade.h"
#include "server/supervisor/watchdog.h"
#include "server/supervisor/workers.h"

#define FIRST_CLIENT_MS 10000 /* how long a daemon that ends when idle waits for its first client */
#define STOP_MS 2000
#define LEASE_LOOK_MS 5000

struct supervisor {
  struct supervisor_options options;
  uv_loop_t loop;
  struct scoreboard *scoreboard;
  struct notices *notices;
  int scoreboard_fd, notices_fd;
  struct listener listener;
  struct accept accept;
  struct workers workers;
  struct charges charges;
  struct broker broker;
  struct systemd systemd;
  struct watchdog watchdog;
  struct observer observer;
  struct upgrade upgrade;
  uv_timer_t idle_timer, stop_timer, lease_timer;
  uv_signal_t sigterm, sigint, sighup, sigusr2;
  char worker_path[PATH_MAX], program_path[PATH_MAX];
  bool retired; /* a successor has taken over: the last session ends the daemon */
  bool stopping;
  bool killed; /* the workers, since they did not end */
};

static void stop(struct supervisor *s);

static void on_idle_timer(uv_timer_t *timer) {
  struct supervisor *s = timer->data;
  if (s->workers.n_sessions > 0 || s->broker.n > 0) /* objects with published names or leases are kept */
    return;
  listener_release(&s->listener);
  accept_waiting(&s->accept);
  if (s->workers.n_sessions > 0 || s->accept.line.n > 0)
    return;
  log_info("no client is left");
  stop(s);
}

static void on_session(void *data) {
  struct supervisor *s = data;
  uv_timer_stop(&s->idle_timer);
}

/* If there is no session any more, and no daemon that counts on this one: ends the daemon if it has a
 * successor, or starts its idle time. */
static void look_for_end(struct supervisor *s) {
  if (s->workers.n_sessions > 0 || s->accept.line.n > 0 || s->stopping ||
      (s->retired && s->charges.has_predecessor))
    return;
  if (s->retired) {
    log_info("the last session has ended");
    stop(s);
  } else if (s->options.idle_ms >= 0) {
    uv_timer_start(&s->idle_timer, on_idle_timer, (uint64_t)s->options.idle_ms, 0);
  }
}

static void on_line_empty(void *data) {
  look_for_end(data);
}

static void expire_leases(struct supervisor *s);

static void on_lease_timer(uv_timer_t *timer) {
  expire_leases(timer->data);
}

static void expire_leases(struct supervisor *s) {
  if (s->stopping)
    return;
  if (broker_expire(&s->broker, uv_now(&s->loop)))
    uv_timer_start(&s->lease_timer, on_lease_timer, LEASE_LOOK_MS, 0);
  else
    look_for_end(s);
}

static void on_taken_over(void *data) {
  struct supervisor *s = data;
  accept_resume(&s->accept);
  expire_leases(s);
}

static void on_predecessor_ended(void *data) {
  look_for_end(data);
}

/* A successor has taken over: this daemon accepts no more, and ends after its last session. */
static void on_succeeded(void *data) {
  struct supervisor *s = data;
  log_info("%d sessions are left here", s->workers.n_sessions);
  s->retired = s->workers.no_more = true;
  accept_stop(&s->accept);
  watchdog_stop(&s->watchdog);
  listener_abandon(&s->listener);
  workers_renew_spares(&s->workers);
  look_for_end(s);
}

static void on_message(void *data, struct worker_process *worker, struct control_message *message, int fd) {
  struct supervisor *s = data;
  if (!charges_handle(&s->charges, worker, message))
    questions_answer(&s->broker, worker, message, fd);
  else if (fd >= 0)
    close(fd);
  if (s->charges.owes)
    upgrade_pay(&s->upgrade);
}

static void on_worker_ended(void *data, const struct worker_process *worker, bool lost) {
  struct supervisor *s = data;
  if (s->charges.owes)
    upgrade_pay(&s->upgrade);
  broker_drop_all(&s->broker, worker->entry, lost, uv_now(&s->loop));
  expire_leases(s);
  accept_serve(&s->accept);
  if (worker->in_session)
    look_for_end(s);
}

static void on_worker_ready(void *data) {
  struct supervisor *s = data;
  accept_serve(&s->accept);
}

static void close_handle(uv_handle_t *handle, void *arg) {
  if (!uv_is_closing(handle))
    uv_close(handle, NULL);
}

static void on_no_worker_left(void *data) {
  struct supervisor *s = data;
  if (s->stopping)
    uv_walk(&s->loop, close_handle, NULL);
}

static void on_stop_timer(uv_timer_t *timer) {
  struct supervisor *s = timer->data;
  if (s->killed) { /* they wait in the kernel, for a file system that a client has made for instance */
    log_warning("workers that cannot be killed are left");
    uv_walk(&s->loop, close_handle, NULL);
    return;
  }
  log_warning("workers did not end in time and are killed");
  s->killed = true;
  workers_kill(&s->workers);
}

static void stop(struct supervisor *s) {
  if (s->stopping) { /* asked a second time: end at once */
    workers_kill(&s->workers);
    return;
  }
  s->stopping = true;
  if (!s->retired)
    systemd_notify(&s->systemd, "STOPPING=1");
  watchdog_stop(&s->watchdog);
  upgrade_stop(&s->upgrade);
  listener_release(&s->listener);
  accept_stop(&s->accept);
  accept_dismiss(&s->accept);
  uv_timer_stop(&s->idle_timer);
  uv_timer_stop(&s->lease_timer);
  uv_timer_start(&s->stop_timer, on_stop_timer, STOP_MS, STOP_MS);
  workers_stop(&s->workers);
  if (!s->workers.first)
    on_no_worker_left(s);
}

static void on_signal(uv_signal_t *signal, int number) {
  log_info("ends by signal %d (%s)", number, strsignal(number));
  stop(signal->data);
}

static void on_reload(uv_signal_t *signal, int number) {
  struct supervisor *s = signal->data;
  systemd_notify_reloading(&s->systemd);
  log_info("spare workers are replaced");
  workers_renew_spares(&s->workers);
  systemd_notify(&s->systemd, "READY=1");
}

static void on_upgrade(uv_signal_t *signal, int number) {
  struct supervisor *s = signal->data;
  if (!s->stopping && !s->retired)
    upgrade_begin(&s->upgrade);
}

/* Finds the program of workers: $NUMD_WORKER, else numd-worker beside this program or in ../libexec/numd. */
static int find_worker(struct supervisor *s) {
  static const char *const places[] = {"numd-worker", "../libexec/numd/numd-worker"};
  char self[PATH_MAX], *path = s->worker_path;
  size_t len = sizeof(s->worker_path);
  const char *env = getenv("NUMD_WORKER");
  ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
  if (n < 0)
    return -errno;
  self[n] = '\0';
  memcpy(s->program_path, self, (size_t)n + 1);
  if (env && *env)
    return snprintf(path, len, "%s", env) < (int)len ? 0 : -ENAMETOOLONG;
  *strrchr(self, '/') = '\0';
  for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
    if (snprintf(path, len, "%s/%s", self, places[i]) < (int)len && access(path, X_OK) == 0)
      return 0;
  return -ENOENT;
}

/* Workers share matrix products out over cores by their own tiling, so each call of BLAS has one thread; the
 * pool of their loop has LONG_CALL_THREADS (long_call.h). */
static void set_worker_environment(void) {
  setenv("OPENBLAS_NUM_THREADS", "1", 1);
  setenv("OMP_NUM_THREADS", "1", 1);
  setenv("UV_THREADPOOL_SIZE", "4", 1);
}

/* A daemon that root runs as a service serves everybody, since each worker becomes its client's user. A
 * daemon that a program of root's has started for itself, which ends when idle, serves root alone. */
static void set_access(struct supervisor_options *o) {
  o->access.everybody = geteuid() == 0 && o->idle_ms < 0 && !o->access.has_group && o->access.n_uids == 0;
}

/* Sets quotas and limits. If several users may connect, one of them gets at most three quarters of the
 * sessions. */
static void set_limits(struct supervisor *s) {
  const struct supervisor_options *o = &s->options;
  bool others = o->access.everybody || o->access.has_group || o->access.n_uids > 0;
  uint64_t memory = machine_memory_bytes(), most = (uint64_t)o->workers_max;
  struct rlimit fds = {.rlim_cur = 1024};
  getrlimit(RLIMIT_NOFILE, &fds);
  memcpy(s->notices->limits, o->quotas, sizeof(o->quotas));
  quota_set_defaults(s->notices->limits, memory, others && most > 3 ? most / 4 * 3 : most, fds.rlim_cur / 4);
  s->broker.objects_max = s->notices->limits[QUOTA_DESCRIPTORS];
  s->notices->options = o->workers;
  if (s->notices->options.worker_memory == 0)
    s->notices->options.worker_memory = memory;
  s->notices->n_cores = s->scoreboard->cores.n_cores;
  s->notices->n_spin = s->scoreboard->cores.n_spin;
}

static void init_timers_and_signals(struct supervisor *s) {
  uv_timer_t *timers[] = {&s->idle_timer, &s->stop_timer, &s->lease_timer};
  for (size_t i = 0; i < sizeof(timers) / sizeof(timers[0]); i++) {
    uv_timer_init(&s->loop, timers[i]);
    timers[i]->data = s;
  }
  const struct {
    uv_signal_t *signal;
    int number;
    uv_signal_cb callback;
  } signals[] = {{&s->sigterm, SIGTERM, on_signal},
                 {&s->sigint, SIGINT, on_signal},
                 {&s->sighup, SIGHUP, on_reload},
                 {&s->sigusr2, SIGUSR2, on_upgrade}};
  for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
    uv_signal_init(&s->loop, signals[i].signal);
    signals[i].signal->data = s;
    uv_signal_start(signals[i].signal, signals[i].callback, signals[i].number);
  }
}

/* Connects the parts: each knows only those others that it is given here. 0 or -errno. */
static int init_parts(struct supervisor *s) {
  static const struct workers_events events = {.message = on_message,
                                               .ready = on_worker_ready,
                                               .ended = on_worker_ended,
                                               .none_left = on_no_worker_left};
  s->workers.loop = s->upgrade.loop = &s->loop;
  s->workers.scoreboard = s->scoreboard;
  s->workers.scoreboard_fd = s->scoreboard_fd;
  s->workers.notices = s->notices;
  s->workers.charges = s->upgrade.charges = &s->charges;
  s->charges.workers = &s->workers;
  s->workers.notices_fd = s->notices_fd;
  s->workers.program = s->worker_path;
  s->workers.spares_wanted = s->options.spares;
  s->workers.events = &events;
  s->upgrade.program = s->program_path;
  s->upgrade.argv = s->options.argv;
  s->upgrade.listener = &s->listener;
  s->upgrade.systemd = &s->systemd;
  s->upgrade.broker = &s->broker;
  s->upgrade.on_succeeded = on_succeeded;
  s->upgrade.on_taken_over = on_taken_over;
  s->upgrade.on_predecessor_ended = on_predecessor_ended;
  s->accept.listen_fd = s->listener.fd;
  s->accept.workers = &s->workers;
  s->accept.access = &s->options.access;
  s->accept.sessions_max = s->options.workers_max;
  s->accept.on_session = on_session;
  s->accept.on_line_empty = on_line_empty;
  s->accept.line.rate = s->options.connect_rate;
  s->workers.starts_max = (int)s->notices->n_cores + 1;
  s->workers.data = s->upgrade.data = s->accept.data = s;
  init_timers_and_signals(s);
  workers_init(&s->workers);
  upgrade_init(&s->upgrade);
  return accept_start(&s->accept);
}

static int supervisor_init(struct supervisor *s, const struct supervisor_options *options,
                           struct errtext *err) {
  s->options = *options;
  set_access(&s->options);
  s->scoreboard_fd = s->notices_fd = s->accept.reserve_fd = s->listener.fd = s->listener.lock_fd = -1;
  signal(SIGPIPE, SIG_IGN);
  systemd_init(&s->systemd);
  machine_raise_fd_limit(); /* every shared object and every worker has a descriptor here */
  set_worker_environment();
  int rc = find_worker(s);
  if (rc < 0)
    return errtext_set(err, rc, "numd-worker is neither beside numd nor in ../libexec/numd; set NUMD_WORKER");
  rc = scoreboard_new(&s->scoreboard, &s->scoreboard_fd);
  if (rc < 0)
    return errtext_set(err, rc, "the scoreboard: %s", strerror(-rc));
  rc = notices_new(&s->notices, &s->notices_fd);
  if (rc < 0)
    return errtext_set(err, rc, "the notices: %s", strerror(-rc));
  set_limits(s);
  observer_init(&s->observer, s->scoreboard, s->notices);
  rc = options->take_over ? listener_take_over(&s->listener, options->socket, err)
                          : listener_open(&s->listener, options->socket, &s->options.access, err);
  if (rc < 0)
    return rc;
  rc = uv_loop_init(&s->loop);
  if (rc == 0)
    rc = init_parts(s);
  return rc < 0 ? errtext_set(err, rc, "the event loop: %s", strerror(-rc)) : 0;
}

static void supervisor_deinit(struct supervisor *s) {
  observer_stop(&s->observer);
  listener_close(&s->listener);
  broker_deinit(&s->broker);
  charges_deinit(&s->charges);
  scoreboard_unmap(s->scoreboard);
  if (s->scoreboard_fd >= 0)
    close(s->scoreboard_fd);
  notices_unmap(s->notices);
  if (s->notices_fd >= 0)
    close(s->notices_fd);
  accept_deinit(&s->accept);
  systemd_deinit(&s->systemd);
}

static void start(struct supervisor *s) {
  int rc = observer_start(&s->observer);
  if (rc < 0)
    log_warning("users are not kept to their shares of the cores: no thread for it: %s", strerror(-rc));
  const char *address = s->listener.inherited ? "an inherited socket" : s->listener.path;
  if (s->options.take_over) {
    accept_pause(&s->accept); /* until it is known what users hold */
    upgrade_take_over(&s->upgrade);
  }
  workers_refill(&s->workers);
  watchdog_start(&s->watchdog, &s->workers, &s->systemd);
  log_info("version %s listens at %s: %u cores, %d spare workers, %d sessions at most", NUMD_VERSION, address,
           s->notices->n_cores, s->options.spares, s->options.workers_max);
  systemd_notify(&s->systemd, "READY=1\nSTATUS=Listening at %s", address);
  if (s->options.idle_ms >= 0)
    uv_timer_start(&s->idle_timer, on_idle_timer, FIRST_CLIENT_MS, 0);
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
  start(&s);
  uv_run(&s.loop, UV_RUN_DEFAULT);
  uv_loop_close(&s.loop);
  supervisor_deinit(&s);
  log_info("ended");
  return 0;
}
