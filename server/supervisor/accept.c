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

#define ACCEPTS_AT_ONCE 32
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

/* Has a worker serve the client, if it may be served. 0, or the status of a refusal with its sentence. */
static int serve_if_allowed(struct accept *a, int client, const struct ucred *who, struct errtext *why) {
  const uint64_t limit = a->workers->notices->limits[QUOTA_SESSIONS];
  uint64_t held = charges_granted(a->workers->charges, who->uid, QUOTA_SESSIONS);
  if (!access_allows(a->access, client, who, why))
    return NUMD_EACCESS;
  if (a->workers->n_sessions >= a->sessions_max)
    return errtext_set(why, NUMD_ELIMIT, "the daemon serves as many clients as it may");
  if (held >= limit)
    return quota_refuse(limit, who->uid, QUOTA_SESSIONS, held, 1, why);
  int rc = workers_serve(a->workers, client, who);
  if (rc < 0)
    return errtext_set(why, NUMD_ELIMIT, "no worker could be started: %s", strerror(-rc));
  return 0;
}

static void serve_or_refuse(struct accept *a, int client) {
  struct ucred who;
  struct errtext why;
  socklen_t len = sizeof(who);
  if (getsockopt(client, SOL_SOCKET, SO_PEERCRED, &who, &len) < 0) {
    close(client);
    return;
  }
  int status = serve_if_allowed(a, client, &who, &why);
  if (status != 0) {
    log_warning("process %d of user %u is refused: %s", who.pid, who.uid, why.text);
    refuse(client, status, why.text);
    return;
  }
  log_info("session of process %d, user %u begins", who.pid, who.uid);
  close(client);
  a->on_session(a->data);
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
      serve_or_refuse(a, client);
      n++;
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
      shed(a, errno);
      break;
    } else if (errno != EINTR && errno != ECONNABORTED) {
      break;
    }
  }
  workers_refill_soon(a->workers);
  return n;
}

int accept_start(struct accept *a) {
  open_reserve(a);
  uv_timer_init(a->workers->loop, &a->timer);
  a->timer.data = a->poll.data = a;
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

void accept_deinit(struct accept *a) {
  if (a->reserve_fd >= 0)
    close(a->reserve_fd);
}
