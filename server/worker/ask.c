/* SPDX-License-Identifier: BSD-3-Clause */
#include "server/worker/ask.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "protocol/list.h"
#include "protocol/status.h"
#include "server/host/log.h"
#include "shared/clock.h"

/* A serial number ends with the type of its question, so that a late answer tells what was asked. */
#define TYPE_BITS 8

static const char *answer_text(int status) {
  switch (status) {
    case NUMD_ESEGMENT:
      return "token: no such segment";
    case NUMD_EEXIST:
      return "an array is published under that name already";
    case NUMD_ELIMIT:
      return "the session, or its user, holds as many shared arrays as it may";
    default:
      return status_message(status);
  }
}

static void tell(const struct ask *ask, const struct control_message *about, uint32_t type) {
  struct control_message m = {.type = type, .first = about->first, .flag = about->flag};
  memcpy(m.token, about->token, sizeof(m.token));
  control_send(ask->control, &m, -1);
}

/* The supervisor has done what nobody waits for any more. Leases cannot be undone: they end with the
 * session. */
static void undo(const struct ask *ask, const struct control_message *late) {
  uint32_t type = late->serial & ((1 << TYPE_BITS) - 1);
  log_warning("the supervisor answered too late");
  if (late->status != 0)
    return;
  if (type == CONTROL_SHARE || type == CONTROL_IMPORT)
    tell(ask, late, CONTROL_DROP);
  else if (type == CONTROL_TAKE)
    tell(ask, late, CONTROL_GIVE);
  else if (type == CONTROL_CHARGE)
    tell(ask, late, CONTROL_DISCHARGE);
}

void ask_handle_other(struct ask *ask, const struct control_message *message, int fd) {
  ask->silent = false;
  if (fd >= 0)
    close(fd);
  if (message->type == CONTROL_REPLY)
    undo(ask, message);
  else
    ask->other(ask->data, message);
}

/* Milliseconds from now until then, rounded up; not negative. */
static int ms_until(int64_t then_ns) {
  int64_t left = then_ns - clock_now_ns();
  return left > 0 ? (int)(left / 1000000 + 1) : 0;
}

/* Receives until the answer is there. 0, or -errno: -ETIMEDOUT, -EPIPE at end of file. */
static int await(struct ask *ask, struct control_message *answer, int *fd) {
  const int64_t begun = clock_now_ns();
  struct pollfd p = {.fd = ask->control, .events = POLLIN};
  for (;;) {
    int64_t limit_ms = ask->silent ? ask->limit_ms / ASK_SILENT_PART : ask->limit_ms;
    int ready = poll(&p, 1, ms_until(begun + limit_ms * 1000000));
    if (ready < 0 && errno == EINTR)
      continue;
    if (ready <= 0)
      return ready < 0 ? -errno : -ETIMEDOUT;
    int rc = control_recv(ask->control, answer, fd);
    if (rc == -EAGAIN)
      continue;
    if (rc <= 0)
      return rc < 0 ? rc : -EPIPE;
    if (answer->type == CONTROL_REPLY && answer->serial == ask->last) {
      ask->silent = false;
      return 0;
    }
    ask_handle_other(ask, answer, *fd);
    *fd = -1;
  }
}

int ask_and_wait(struct ask *ask, struct control_message *message, int with_fd, int *fd,
                 struct errtext *err) {
  *fd = -1;
  message->serial = ask->last = ((ask->last >> TYPE_BITS) + 1) << TYPE_BITS | message->type;
  int rc = control_send(ask->control, message, with_fd);
  if (rc < 0)
    return errtext_set(err, NUMD_EINTERNAL, "the supervisor does not listen: %s", strerror(-rc));
  rc = await(ask, message, fd);
  ask->last |= (1 << TYPE_BITS) - 1; /* from here on the question is not open */
  if (rc < 0) {
    ask->silent = true;
    log_warning("the supervisor does not answer: %s", strerror(-rc));
    return errtext_set(err, NUMD_EINTERNAL, "the supervisor does not answer");
  }
  if (message->status == 0)
    return 0;
  if (*fd >= 0)
    close(*fd);
  *fd = -1;
  return errtext_set(err, message->status, "%s", answer_text(message->status));
}
