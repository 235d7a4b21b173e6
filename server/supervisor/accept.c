#include "server/supervisor/accept.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "protocol/wire.h"
#include "server/host/log.h"

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

/* 0, or the status of a refusal with its sentence. */
static int judge(struct supervisor *s, int client, const struct ucred *who, struct errtext *why) {
  uint64_t held = children_count_sessions(s, who->uid);
  if (!access_allows(&s->options.access, client, who, why))
    return NUMD_EACCESS;
  if (s->n_sessions >= s->options.workers_max)
    return errtext_set(why, NUMD_ELIMIT, "the daemon serves as many clients as it may");
  if (held >= s->scoreboard->limits[QUOTA_SESSIONS])
    return quota_refuse(s->scoreboard, who->uid, QUOTA_SESSIONS, held, 1, why);
  int rc = children_serve(s, client, who);
  if (rc < 0)
    return errtext_set(why, NUMD_ELIMIT, "no worker could be started: %s", strerror(-rc));
  return 0;
}

static void admit(struct supervisor *s, int client) {
  struct ucred who;
  struct errtext why;
  socklen_t len = sizeof(who);
  if (getsockopt(client, SOL_SOCKET, SO_PEERCRED, &who, &len) < 0) {
    close(client);
    return;
  }
  int status = judge(s, client, &who, &why);
  if (status != 0) {
    log_warning("process %d of user %u is refused: %s", who.pid, who.uid, why.text);
    refuse(client, status, why.text);
    return;
  }
  log_info("session of process %d, user %u begins", who.pid, who.uid);
  uv_timer_stop(&s->idle_timer);
  close(client);
}

static void open_reserve(struct supervisor *s) {
  s->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void on_acceptable(uv_poll_t *poll, int status, int events) {
  struct supervisor *s = poll->data;
  if (!s->stopping)
    admit_some(s);
}

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

int admit_some(struct supervisor *s) {
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

int admit_init(struct supervisor *s) {
  open_reserve(s);
  uv_timer_init(&s->loop, &s->accept_timer);
  s->accept_timer.data = s->accept_poll.data = s;
  int rc = uv_poll_init(&s->loop, &s->accept_poll, s->listener.fd);
  return rc == 0 ? uv_poll_start(&s->accept_poll, UV_READABLE, on_acceptable) : rc;
}

void admit_stop(struct supervisor *s) {
  if (!uv_is_closing((uv_handle_t *)&s->accept_poll))
    uv_close((uv_handle_t *)&s->accept_poll, NULL);
  uv_timer_stop(&s->accept_timer);
}

void admit_deinit(struct supervisor *s) {
  if (s->reserve_fd >= 0)
    close(s->reserve_fd);
}
