/* SPDX-License-Identifier: BSD-3-Clause */
/* The successor gets the listening socket as descriptor 3, the lock as 4 (/dev/null if the socket came from a
 * service manager) and as 5 one end of a socket pair. Over that it sends READY, and then receives an ADOPT
 * for each name and lease in the broker, a CHARGED for each user, and READY. After that both talk about what
 * the users of the old daemon's sessions hold, until the old daemon ends.
 *
 * Sessions stay with the old daemon, so neither daemon knows all holds on an object that both have. So
 * neither ever says that a block of such an object is free (`lost` in the broker): its memory is not used
 * again until its maker ends. */
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

#define TAKE_OVER_OPTION "--take-over"

extern char **environ;

static void on_closed(uv_handle_t *handle) {
  struct upgrade *u = handle->data;
  u->n_handles--;
}

/* Ends the connection to the successor. */
static void end_attempt(struct upgrade *u) {
  uv_close((uv_handle_t *)&u->poll, on_closed);
  uv_timer_stop(&u->timer);
  close(u->fd);
  u->fd = -1;
}

static void on_exit_of_successor(uv_process_t *process, int64_t code, int number) {
  log_warning("the successor %d ended with code %d, signal %d", process->pid, (int)code, number);
  uv_close((uv_handle_t *)process, on_closed);
}

static void give_up(struct upgrade *u, const char *why) {
  log_error("no upgrade: %s; this daemon goes on", why);
  uv_process_kill(&u->successor, SIGTERM);
  end_attempt(u);
  systemd_notify(u->systemd, "READY=1\nSTATUS=The upgrade failed: %s", why);
}

static void on_late(uv_timer_t *timer) {
  give_up(timer->data, "the successor does not get ready");
}

static void on_successors_message(uv_poll_t *poll, int status, int events) {
  struct upgrade *u = poll->data;
  struct control_message m;
  int fd = -1, rc = status < 0 ? status : control_recv(u->fd, &m, &fd);
  if (fd >= 0)
    close(fd);
  if (rc == 1)
    charges_handle_successors(u->charges, &m);
  if (rc == 1 || rc == -EAGAIN) {
    bool more = u->charges->owes && !charges_pay(u->charges);
    uv_poll_start(poll, UV_READABLE | (more ? UV_WRITABLE : 0), on_successors_message);
    return;
  }
  charges_lose_successor(u->charges);
  end_attempt(u);
}

void upgrade_pay(struct upgrade *u) {
  if (u->fd >= 0 && u->charges->has_successor)
    uv_poll_start(&u->poll, UV_READABLE | UV_WRITABLE, on_successors_message);
}

/* Tells the successor everything. The connection blocks meanwhile, for SEND_SECONDS at most. */
static void hand_over(struct upgrade *u) {
  const struct control_message done = {.type = CONTROL_READY};
  int flags = fcntl(u->fd, F_GETFL);
  fcntl(u->fd, F_SETFL, flags & ~O_NONBLOCK); /* uv_poll_init has set it */
  int rc = broker_hand_over(u->broker, u->fd);
  if (rc < 0)
    log_error("not all shared arrays could be handed over: %s", strerror(-rc));
  rc = charges_hand_over(u->charges, u->fd);
  if (rc == 0)
    rc = control_send(u->fd, &done, -1);
  if (rc < 0)
    log_error("what users hold could not be handed over: %s", strerror(-rc));
  fcntl(u->fd, F_SETFL, flags | O_NONBLOCK);
}

static void on_successor(uv_poll_t *poll, int status, int events) {
  struct upgrade *u = poll->data;
  struct control_message m;
  int fd = -1, rc = status < 0 ? status : control_recv(u->fd, &m, &fd);
  if (rc == -EAGAIN)
    return;
  if (fd >= 0)
    close(fd);
  if (rc != 1 || m.type != CONTROL_READY) {
    give_up(u, "the successor could not start");
    return;
  }
  hand_over(u);
  log_info("process %d has taken over", u->successor.pid);
  systemd_notify(u->systemd, "MAINPID=%d", u->successor.pid);
  uv_timer_stop(&u->timer);
  uv_poll_start(&u->poll, UV_READABLE, on_successors_message);
  uv_unref((uv_handle_t *)&u->successor); /* or this daemon's loop would run until the successor ends */
  u->on_succeeded(u->data);
}

/* This daemon's own arguments, and --take-over behind them. */
static char **successor_arguments(const struct upgrade *u) {
  int n = 0;
  while (u->argv[n])
    n++;
  char **args = calloc((size_t)n + 2, sizeof(*args));
  for (int i = 0; args && i < n; i++)
    args[i] = u->argv[i];
  if (args && (n == 0 || strcmp(args[n - 1], TAKE_OVER_OPTION) != 0))
    args[n] = TAKE_OVER_OPTION;
  return args;
}

/* This daemon's own environment, and the two variables that systemd_init took out of it, which are written to
 * `more`. */
static void successor_environment(const struct upgrade *u, char **out, char more[2][160]) {
  int n = 0;
  for (; environ[n] && n < ENVIRONMENT_MAX; n++)
    out[n] = environ[n];
  if (u->systemd->fd >= 0) {
    snprintf(more[0], sizeof(more[0]), "NOTIFY_SOCKET=%s", u->systemd->address_text);
    out[n++] = more[0];
  }
  if (u->systemd->watchdog_us > 0) {
    snprintf(more[1], sizeof(more[1]), "WATCHDOG_USEC=%llu", (unsigned long long)u->systemd->watchdog_us);
    out[n++] = more[1];
  }
  out[n] = NULL;
}

/* 0 or a negative code of libuv's; the handle of the process must be closed in any case. */
static int start_successor(struct upgrade *u, int control) {
  char *env[ENVIRONMENT_MAX + 3], more[2][160], **args = successor_arguments(u);
  int none = open("/dev/null", O_RDONLY | O_CLOEXEC), lock = u->listener->lock_fd;
  uv_stdio_container_t stdio[] = {
      {.flags = UV_IGNORE},
      {.flags = UV_INHERIT_FD, .data.fd = STDERR_FD},
      {.flags = UV_INHERIT_FD, .data.fd = STDERR_FD},
      {.flags = UV_INHERIT_FD, .data.fd = u->listener->fd},
      {.flags = UV_INHERIT_FD, .data.fd = lock >= 0 ? lock : none},
      {.flags = UV_INHERIT_FD, .data.fd = control},
  };
  successor_environment(u, env, more);
  uv_process_options_t options = {.exit_cb = on_exit_of_successor,
                                  .file = u->program,
                                  .args = args,
                                  .env = env,
                                  .stdio = stdio,
                                  .stdio_count = sizeof(stdio) / sizeof(stdio[0])};
  int rc = args && none >= 0 ? uv_spawn(u->loop, &u->successor, &options) : UV_ENOMEM;
  if (none >= 0)
    close(none);
  free(args);
  return rc;
}

void upgrade_init(struct upgrade *u) {
  u->fd = u->predecessor_fd = -1;
  uv_timer_init(u->loop, &u->timer);
  u->timer.data = u;
}

void upgrade_begin(struct upgrade *u) {
  const struct timeval patience = {.tv_sec = SEND_SECONDS};
  int pair[2];
  if (u->n_handles > 0 || u->is_taking_over)
    return;
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
    log_error("no upgrade: %s", strerror(errno));
    return;
  }
  setsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
  u->successor.data = u->poll.data = u;
  int rc = start_successor(u, pair[1]);
  close(pair[1]);
  u->n_handles = 1;
  if (rc < 0) {
    log_error("no upgrade: %s cannot be started: %s", u->program, uv_strerror(rc));
    uv_close((uv_handle_t *)&u->successor, on_closed);
    close(pair[0]);
    return;
  }
  log_info("process %d is to take over", u->successor.pid);
  u->fd = pair[0];
  u->n_handles = 2;
  uv_poll_init(u->loop, &u->poll, u->fd);
  uv_poll_start(&u->poll, UV_READABLE, on_successor);
  uv_timer_start(&u->timer, on_late, READY_MS, 0);
}

static void end_predecessor(struct upgrade *u) {
  uv_close((uv_handle_t *)&u->predecessor_poll, NULL);
  close(u->predecessor_fd);
  u->predecessor_fd = -1;
}

void upgrade_stop(struct upgrade *u) {
  if (u->fd >= 0) {
    charges_lose_successor(u->charges);
    end_attempt(u);
  }
  if (u->predecessor_fd >= 0)
    end_predecessor(u);
}

/* ---- The successor ---- */

static void take_over(struct upgrade *u) {
  u->is_taking_over = false;
  log_info("took over from another daemon, with %zu shared objects", u->broker->n);
  u->on_taken_over(u->data);
}

static void on_predecessor(uv_poll_t *poll, int status, int events) {
  struct upgrade *u = poll->data;
  struct control_message m;
  int fd = -1, rc = status < 0 ? 0 : control_recv(u->predecessor_fd, &m, &fd);
  if (rc == -EAGAIN)
    return;
  if (rc == 1 && m.type == CONTROL_ADOPT && fd >= 0) {
    if (broker_adopt(u->broker, &m, fd, uv_now(u->loop)) != 0)
      log_warning("a shared array could not be taken over");
    return;
  }
  if (fd >= 0)
    close(fd);
  if (rc == 1 && m.type != CONTROL_READY) {
    charges_handle_predecessors(u->charges, &m);
    return;
  }
  if (u->is_taking_over)
    take_over(u);
  if (rc == 1)
    return;
  end_predecessor(u);
  charges_lose_predecessor(u->charges);
  u->on_predecessor_ended(u->data);
}

void upgrade_take_over(struct upgrade *u) {
  const struct control_message ready = {.type = CONTROL_READY};
  u->predecessor_fd = TAKE_OVER_CONTROL;
  u->is_taking_over = true;
  fcntl(u->predecessor_fd, F_SETFD, FD_CLOEXEC);
  u->predecessor_poll.data = u;
  uv_poll_init(u->loop, &u->predecessor_poll, u->predecessor_fd); /* makes it non-blocking */
  uv_poll_start(&u->predecessor_poll, UV_READABLE, on_predecessor);
  charges_set_predecessor(u->charges, u->predecessor_fd);
  if (control_send(u->predecessor_fd, &ready, -1) < 0)
    log_warning("the daemon before this one does not listen");
}
