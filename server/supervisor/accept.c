/* SPDX-License-Identifier: BSD-3-Clause */
#include "server/supervisor/accept.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "protocol/wire.h"
#include "server/host/log.h"
#include "server/supervisor/charges.h"
#include "shared/clock.h"

#define ACCEPTS_AT_ONCE 64
#define BACKLOG 4096 /* so that nobody finds it full while another floods it */
#define LINE_LOOK_MS 10
#define ACCEPT_REST_MS 100

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

/* Whether the client may be served. 0, or the status of a refusal with its sentence. */
static int check(const struct accept *a, const struct account *account, int client, const struct ucred *who,
                 struct errtext *why) {
  const uint64_t limit = a->workers->notices->limits[QUOTA_SESSIONS];
  if (!access_allows(a->access, client, who, why))
    return NUMD_EACCESS;
  if (!account)
    return errtext_set(why, NUMD_ENOMEMORY, "the daemon has no memory left");
  if (a->workers->n_sessions + a->line.n >= a->sessions_max)
    return errtext_set(why, NUMD_ELIMIT, "the daemon serves as many clients as it may");
  uint64_t held = account_total(account, QUOTA_SESSIONS) + account->n_waiting;
  return held < limit ? 0 : quota_refuse(limit, who->uid, QUOTA_SESSIONS, held, 1, why);
}

static void tell_why_not(int client, const struct ucred *who, int status, const char *sentence) {
  log_warning("process %d of user %u is refused: %s", who->pid, who->uid, sentence);
  refuse(client, status, sentence);
}

/* Puts the client in the line, unless it is to be refused or has gone already. */
static void receive_client(struct accept *a, int client) {
  struct ucred who;
  struct errtext why;
  socklen_t len = sizeof(who);
  if (line_is_gone(client) || getsockopt(client, SOL_SOCKET, SO_PEERCRED, &who, &len) < 0) {
    close(client);
    return;
  }
  struct account *account = accounts_get(&a->workers->charges->accounts, who.uid);
  int status = check(a, account, client, &who, &why);
  if (status != 0)
    tell_why_not(client, &who, status, why.text);
  else
    line_add(&a->line, account, client, &who);
}

/* A user who has rested gets a spare if there is one. Others leave the spares to him. */
static void serve(struct accept *a, int client, const struct ucred *who, int64_t now_ns) {
  struct account *account = accounts_get(&a->workers->charges->accounts, who->uid);
  int rc = workers_serve(a->workers, client, who, !account || line_has_rested(account, now_ns));
  if (rc < 0) {
    struct errtext why;
    int status = errtext_set(&why, NUMD_ELIMIT, "no worker could be started: %s", strerror(-rc));
    tell_why_not(client, who, status, why.text);
    return;
  }
  log_info("session of process %d, user %u begins", who->pid, who->uid);
  close(client);
  if (account)
    line_count(&a->line, account, now_ns);
  a->on_session(a->data);
}

static void on_line_timer(uv_timer_t *timer) {
  accept_serve(timer->data);
}

void accept_serve(struct accept *a) {
  struct ucred who;
  int client, before = a->line.n;
  while (a->line.n > 0) {
    int64_t now_ns = clock_now_ns();
    bool may_start = workers_may_start(a->workers);
    if ((!may_start && !workers_have_spare(a->workers)) ||
        !line_take(&a->line, now_ns, !may_start, &client, &who))
      break;
    serve(a, client, &who, now_ns);
  }
  if (a->line.n > 0)
    uv_timer_start(&a->line_timer, on_line_timer, LINE_LOOK_MS, 0);
  else if (before > 0)
    a->on_line_empty(a->data);
}

static void open_reserve(struct accept *a) {
  a->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void on_acceptable(uv_poll_t *poll, int status, int events) {
  accept_waiting(poll->data);
}

static void on_accept_timer(uv_timer_t *timer) {
  struct accept *a = timer->data;
  if (a->reserve_fd < 0)
    open_reserve(a);
  uv_poll_start(&a->poll, UV_READABLE, on_acceptable);
}

/* No descriptor is left to accept with. The reserve is closed, so that one waiting client can be accepted and
 * told why it is refused; then accepting rests for ACCEPT_REST_MS, or the loop would try again and again. */
static void shed(struct accept *a, int error) {
  log_warning("a connection is refused: %s", strerror(error));
  if (a->reserve_fd >= 0) {
    close(a->reserve_fd);
    a->reserve_fd = -1;
    int client = accept4(a->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (client >= 0)
      refuse(client, NUMD_ELIMIT, "the daemon has no descriptor left");
    open_reserve(a);
  }
  uv_poll_stop(&a->poll);
  uv_timer_start(&a->timer, on_accept_timer, ACCEPT_REST_MS, 0);
}

int accept_waiting(struct accept *a) {
  int n = 0;
  while (n < ACCEPTS_AT_ONCE) {
    int client = accept4(a->listen_fd, NULL, NULL, SOCK_CLOEXEC);
    if (client >= 0) {
      receive_client(a, client);
      n++;
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
      shed(a, errno);
      break;
    } else if (errno != EINTR && errno != ECONNABORTED) {
      break;
    }
  }
  accept_serve(a);
  workers_refill_soon(a->workers);
  return n;
}

int accept_start(struct accept *a) {
  open_reserve(a);
  uv_timer_init(a->workers->loop, &a->timer);
  uv_timer_init(a->workers->loop, &a->line_timer);
  a->timer.data = a->line_timer.data = a->poll.data = a;
  if (listen(a->listen_fd, BACKLOG) < 0)
    return -errno;
  int rc = uv_poll_init(a->workers->loop, &a->poll, a->listen_fd);
  return rc == 0 ? uv_poll_start(&a->poll, UV_READABLE, on_acceptable) : rc;
}

void accept_pause(struct accept *a) {
  uv_poll_stop(&a->poll);
}

void accept_resume(struct accept *a) {
  if (!uv_is_closing((uv_handle_t *)&a->poll))
    uv_poll_start(&a->poll, UV_READABLE, on_acceptable);
}

void accept_stop(struct accept *a) {
  if (!uv_is_closing((uv_handle_t *)&a->poll))
    uv_close((uv_handle_t *)&a->poll, NULL);
  uv_timer_stop(&a->timer);
}

void accept_dismiss(struct accept *a) {
  struct ucred who;
  int client;
  while (line_take(&a->line, INT64_MAX - LINE_BURST_NS, false, &client, &who))
    refuse(client, NUMD_EDISCONNECTED, "the daemon is ending");
  uv_timer_stop(&a->line_timer);
}

void accept_deinit(struct accept *a) {
  if (a->reserve_fd >= 0)
    close(a->reserve_fd);
}
