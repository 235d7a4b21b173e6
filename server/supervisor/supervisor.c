/* The supervisor's loop: a listening socket, signals, and a few timers that run only while something is
 * pending, so an idle daemon does not wake at all.
 *
 * Ending when idle: the address is released first and whoever connected before that is still served, so no
 * client is lost between the last look and the end; a new daemon may begin at the address meanwhile. */
#include "server/supervisor/supervisor.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "protocol/version.h"
#include "server/host/log.h"
#include "server/supervisor/accept.h"
#include "server/supervisor/upgrade.h"
#include "server/supervisor/watchdog.h"

#define FIRST_CLIENT_MS 10000 /* with idle_ms: how long to wait for one */
#define STOP_MS 2000
#define LEASE_LOOK_MS 5000

static void stop(struct supervisor *s);

static void on_idle_timer(uv_timer_t *timer) {
  struct supervisor *s = timer->data;
  if (s->n_sessions > 0 || s->broker.n > 0) /* named arrays stay, and handles on their way are awaited */
    return;
  listener_release(&s->listener);
  if (admit_some(s) > 0 && s->n_sessions > 0)
    return;
  log_info("no client is left");
  stop(s);
}

void supervisor_session_ended(struct supervisor *s) {
  if (s->n_sessions == 0 && s->retired && !s->stopping) {
    log_info("the last session has ended");
    stop(s);
  } else if (s->n_sessions == 0 && s->options.idle_ms >= 0 && !s->stopping)
    uv_timer_start(&s->idle_timer, on_idle_timer, (uint64_t)s->options.idle_ms, 0);
}

void supervisor_retire(struct supervisor *s) {
  s->retired = true;
  admit_stop(s);
  watchdog_stop(s);
  listener_abandon(&s->listener);
  children_renew_spares(s);
  supervisor_session_ended(s);
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
  if (!s->retired)
    service_tell(&s->service, "STOPPING=1");
  watchdog_stop(s);
  upgrade_stop(s);
  listener_release(&s->listener);
  admit_stop(s);
  uv_timer_stop(&s->idle_timer);
  uv_timer_stop(&s->spawn_timer);
  uv_timer_stop(&s->lease_timer);
  uv_timer_start(&s->stop_timer, on_stop_timer, STOP_MS, 0);
  children_stop(s);
  supervisor_child_gone(s);
}

static void on_signal(uv_signal_t *signal, int number) {
  log_info("ends by signal %d (%s)", number, strsignal(number));
  stop(signal->data);
}

static void on_reload(uv_signal_t *signal, int number) {
  struct supervisor *s = signal->data;
  service_tell_reloading(&s->service);
  log_info("spare workers are replaced");
  children_renew_spares(s);
  service_tell(&s->service, "READY=1");
}

static void on_upgrade(uv_signal_t *signal, int number) {
  upgrade_begin(signal->data);
}

/* $NUMD_WORKER, else numd-worker beside this program or in ../libexec/numd. */
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

/* A daemon that root runs as a service serves everybody, since its workers become their clients' users. One
 * that a program of root's started for itself does not. */
static void set_access(struct supervisor_options *o) {
  o->access.everybody = geteuid() == 0 && o->idle_ms < 0 && !o->access.has_group && o->access.n_uids == 0;
}

static uint64_t machine_memory(void) {
  struct sysinfo info;
  return sysinfo(&info) < 0 ? (uint64_t)1 << 40 : ((uint64_t)info.totalram + info.totalswap) * info.mem_unit;
}

/* No user takes all sessions, where there are others. */
static void set_limits(struct supervisor *s) {
  const struct supervisor_options *o = &s->options;
  bool others = o->access.everybody || o->access.has_group || o->access.n_uids > 0;
  uint64_t memory = machine_memory(), most = (uint64_t)o->workers_max;
  struct rlimit fds = {.rlim_cur = 1024};
  getrlimit(RLIMIT_NOFILE, &fds);
  memcpy(s->scoreboard->limits, o->quotas, sizeof(o->quotas));
  quota_set_defaults(s->scoreboard->limits, memory, others && most > 3 ? most / 4 * 3 : most,
                     fds.rlim_cur / 4);
  s->broker.objects_max = s->scoreboard->limits[QUOTA_DESCRIPTORS];
  s->scoreboard->options = o->scoreboard;
  s->scoreboard->cores.many_users = others;
  if (s->scoreboard->options.worker_memory == 0)
    s->scoreboard->options.worker_memory = memory;
}

static int init_handles(struct supervisor *s) {
  uv_timer_t *timers[] = {&s->idle_timer, &s->stop_timer, &s->spawn_timer, &s->lease_timer,
                          &s->upgrade_timer};
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
  return admit_init(s);
}

static int supervisor_init(struct supervisor *s, const struct supervisor_options *options,
                           struct errtext *err) {
  s->options = *options;
  set_access(&s->options);
  s->scoreboard_fd = s->reserve_fd = s->upgrade_fd = s->listener.fd = s->listener.lock_fd = -1;
  signal(SIGPIPE, SIG_IGN);
  service_init(&s->service);
  raise_fd_limit();
  set_worker_environment();
  int rc = find_worker(s);
  if (rc < 0)
    return errtext_set(err, rc, "numd-worker is neither beside numd nor in ../libexec/numd; set NUMD_WORKER");
  rc = scoreboard_new(&s->scoreboard, &s->scoreboard_fd);
  if (rc < 0)
    return errtext_set(err, rc, "the scoreboard: %s", strerror(-rc));
  set_limits(s);
  rc = options->take_over ? listener_take_over(&s->listener, options->socket, err)
                          : listener_open(&s->listener, options->socket, &s->options.access, err);
  if (rc < 0)
    return rc;
  rc = uv_loop_init(&s->loop);
  if (rc == 0)
    rc = init_handles(s);
  return rc < 0 ? errtext_set(err, rc, "the event loop: %s", strerror(-rc)) : 0;
}

static void supervisor_deinit(struct supervisor *s) {
  listener_close(&s->listener);
  broker_deinit(&s->broker);
  scoreboard_unmap(s->scoreboard);
  if (s->scoreboard_fd >= 0)
    close(s->scoreboard_fd);
  admit_deinit(s);
  service_deinit(&s->service);
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
  if (s.options.take_over)
    upgrade_take_over(&s);
  children_refill(&s);
  watchdog_start(&s);
  log_info("version %s listens at %s: %u cores, %d spare workers, %d sessions at most", NUMD_VERSION,
           s.listener.inherited ? "an inherited socket" : s.listener.path, s.scoreboard->cores.n_cores,
           s.options.spares, s.options.workers_max);
  service_tell(&s.service, "READY=1\nSTATUS=Listening at %s",
               s.listener.inherited ? "an inherited socket" : s.listener.path);
  if (s.options.idle_ms >= 0)
    uv_timer_start(&s.idle_timer, on_idle_timer, FIRST_CLIENT_MS, 0);
  uv_run(&s.loop, UV_RUN_DEFAULT);
  uv_loop_close(&s.loop);
  supervisor_deinit(&s);
  log_info("ended");
  return 0;
}
