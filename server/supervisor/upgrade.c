/* The successor gets the listening socket as descriptor 3, the lock as 4 (/dev/null if the socket came from a
 * service manager) and as 5 one end of a socket pair, over which go: READY from it, then an ADOPT for each
 * name and handle on its way, and the end of file.
 *
 * Who holds which block is known to one daemon alone, so of objects that both know no block is ever given out
 * again (`lost` in the broker): memory that would have been used again is not, until its maker ends. */
#include "server/supervisor/upgrade.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "server/host/log.h"

#define STDERR_FD 2
#define READY_MS 10000
#define SEND_SECONDS 5
#define ENVIRONMENT_MAX 1024

extern char **environ;

static void on_closed(uv_handle_t *handle) {
  struct supervisor *s = handle->data;
  s->upgrade_handles--;
}

static void end_attempt(struct supervisor *s) {
  uv_close((uv_handle_t *)&s->upgrade_poll, on_closed);
  uv_timer_stop(&s->upgrade_timer);
  close(s->upgrade_fd);
  s->upgrade_fd = -1;
}

static void on_exit_of_successor(uv_process_t *process, int64_t code, int number) {
  log_warning("the successor %d ended with code %d, signal %d", process->pid, (int)code, number);
  uv_close((uv_handle_t *)process, on_closed);
}

static void give_up(struct supervisor *s, const char *why) {
  log_error("no upgrade: %s; this daemon goes on", why);
  uv_process_kill(&s->successor, SIGTERM);
  end_attempt(s);
  service_tell(&s->service, "READY=1\nSTATUS=The upgrade failed: %s", why);
}

static void on_late(uv_timer_t *timer) {
  give_up(timer->data, "the successor does not get ready");
}

static void on_successor(uv_poll_t *poll, int status, int events) {
  struct supervisor *s = poll->data;
  struct control_message m;
  int fd = -1, rc = status < 0 ? status : control_recv(s->upgrade_fd, &m, &fd);
  if (rc == -EAGAIN)
    return;
  if (fd >= 0)
    close(fd);
  if (rc != 1 || m.type != CONTROL_READY) {
    give_up(s, "the successor could not start");
    return;
  }
  fcntl(s->upgrade_fd, F_SETFL, fcntl(s->upgrade_fd, F_GETFL) & ~O_NONBLOCK); /* which polling made it */
  rc = broker_hand_over(&s->broker, s->upgrade_fd);
  if (rc < 0)
    log_error("not all shared arrays could be handed over: %s", strerror(-rc));
  log_info("process %d has taken over; %d sessions are left here", s->successor.pid, s->n_sessions);
  service_tell(&s->service, "MAINPID=%d", s->successor.pid);
  end_attempt(s);
  uv_unref((uv_handle_t *)&s->successor); /* it outlives us */
  supervisor_retire(s);
}

/* Our arguments, and --take-over once. */
static char **successor_arguments(const struct supervisor *s) {
  int n = 0;
  while (s->options.argv[n])
    n++;
  char **args = calloc((size_t)n + 2, sizeof(*args));
  for (int i = 0; args && i < n; i++)
    args[i] = s->options.argv[i];
  if (args && !s->options.take_over)
    args[n] = "--take-over";
  return args;
}

/* Ours, and what service_init took out of it. `more` has room for two. */
static void successor_environment(const struct supervisor *s, char **out, char more[2][160]) {
  int n = 0;
  for (; environ[n] && n < ENVIRONMENT_MAX; n++)
    out[n] = environ[n];
  if (s->service.fd >= 0) {
    snprintf(more[0], sizeof(more[0]), "NOTIFY_SOCKET=%s", s->service.address_text);
    out[n++] = more[0];
  }
  if (s->service.watchdog_us > 0) {
    snprintf(more[1], sizeof(more[1]), "WATCHDOG_USEC=%llu", (unsigned long long)s->service.watchdog_us);
    out[n++] = more[1];
  }
  out[n] = NULL;
}

/* 0 or a negative code of libuv's; the handle must be closed in any case. */
static int start_successor(struct supervisor *s, int control) {
  char *env[ENVIRONMENT_MAX + 3], more[2][160], **args = successor_arguments(s);
  int none = open("/dev/null", O_RDONLY | O_CLOEXEC), lock = s->listener.lock_fd;
  uv_stdio_container_t stdio[] = {
      {.flags = UV_IGNORE},
      {.flags = UV_INHERIT_FD, .data.fd = STDERR_FD},
      {.flags = UV_INHERIT_FD, .data.fd = STDERR_FD},
      {.flags = UV_INHERIT_FD, .data.fd = s->listener.fd},
      {.flags = UV_INHERIT_FD, .data.fd = lock >= 0 ? lock : none},
      {.flags = UV_INHERIT_FD, .data.fd = control},
  };
  successor_environment(s, env, more);
  uv_process_options_t options = {.exit_cb = on_exit_of_successor,
                                  .file = s->program_path,
                                  .args = args,
                                  .env = env,
                                  .stdio = stdio,
                                  .stdio_count = sizeof(stdio) / sizeof(stdio[0])};
  int rc = args && none >= 0 ? uv_spawn(&s->loop, &s->successor, &options) : UV_ENOMEM;
  if (none >= 0)
    close(none);
  free(args);
  return rc;
}

void upgrade_begin(struct supervisor *s) {
  const struct timeval patience = {.tv_sec = SEND_SECONDS};
  int pair[2];
  if (s->upgrade_handles > 0 || s->stopping || s->retired)
    return;
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
    log_error("no upgrade: %s", strerror(errno));
    return;
  }
  setsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
  s->successor.data = s->upgrade_poll.data = s->upgrade_timer.data = s;
  int rc = start_successor(s, pair[1]);
  close(pair[1]);
  s->upgrade_handles = 1;
  if (rc < 0) {
    log_error("no upgrade: %s cannot be started: %s", s->program_path, uv_strerror(rc));
    uv_close((uv_handle_t *)&s->successor, on_closed);
    close(pair[0]);
    return;
  }
  log_info("process %d is to take over", s->successor.pid);
  s->upgrade_fd = pair[0];
  s->upgrade_handles = 2;
  uv_poll_init(&s->loop, &s->upgrade_poll, s->upgrade_fd);
  uv_poll_start(&s->upgrade_poll, UV_READABLE, on_successor);
  uv_timer_start(&s->upgrade_timer, on_late, READY_MS, 0);
}

void upgrade_stop(struct supervisor *s) {
  if (s->upgrade_fd >= 0)
    end_attempt(s);
}

/* ---- The successor ---- */

static void on_predecessor(uv_poll_t *poll, int status, int events) {
  struct supervisor *s = poll->data;
  struct control_message m;
  int fd = -1, rc = status < 0 ? 0 : control_recv(s->upgrade_fd, &m, &fd);
  if (rc == -EAGAIN)
    return;
  if (rc == 1 && m.type == CONTROL_ADOPT && fd >= 0) {
    if (broker_adopt(&s->broker, &m, fd, uv_now(&s->loop)) != 0)
      log_warning("a shared array could not be taken over");
    return;
  }
  if (fd >= 0)
    close(fd);
  end_attempt(s);
  supervisor_expire_leases(s);
  log_info("took over from another daemon, with %zu shared objects", s->broker.n);
}

void upgrade_take_over(struct supervisor *s) {
  const struct control_message ready = {.type = CONTROL_READY};
  s->upgrade_fd = TAKE_OVER_CONTROL;
  fcntl(s->upgrade_fd, F_SETFD, FD_CLOEXEC);
  s->upgrade_poll.data = s;
  s->upgrade_handles = 1;
  uv_poll_init(&s->loop, &s->upgrade_poll, s->upgrade_fd); /* makes it non-blocking */
  uv_poll_start(&s->upgrade_poll, UV_READABLE, on_predecessor);
  if (control_send(s->upgrade_fd, &ready, -1) < 0)
    log_warning("the daemon before this one does not listen");
}
