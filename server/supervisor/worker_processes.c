/* Worker processes, as the supervisor sees them.
 *
 * A child is a spare until a connection is handed to it, then it has a session, and it is never used for
 * another. It leaves the list only when its process was reaped and both of its handles are closed. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "protocol/status.h"
#include "server/host/log.h"
#include "server/supervisor/supervisor.h"

#define STDERR_FD 2
#define BACKOFF_MS 100
#define REFILL_MS 100 /* a new client has the machine to itself for so long, while there is a spare left */

struct child {
  struct child *next;
  struct supervisor *supervisor;
  uv_process_t process;
  uv_poll_t control_poll;
  int control;
  int n_handles; /* not closed yet */
  uint32_t entry;
  bool in_session, exited, told_to_end;
  int n_unanswered; /* questions for a sign of life, since the last answer */
  int32_t client_pid;
  uint32_t client_uid;
};

static void on_handle_closed(uv_handle_t *handle) {
  struct child *child = handle->data, **at = &child->supervisor->children;
  struct supervisor *s = child->supervisor;
  if (--child->n_handles > 0)
    return;
  while (*at != child)
    at = &(*at)->next;
  *at = child->next;
  close(child->control);
  s->entry_used[child->entry] = false;
  free(child);
  supervisor_child_gone(s);
}

static void log_end(const struct child *child, int64_t code, int number) {
  char how[64], who[64] = "a spare";
  bool lost = number != 0 || code != 0;
  if (number != 0)
    snprintf(how, sizeof(how), "was ended by signal %d (%s)", number, strsignal(number));
  else
    snprintf(how, sizeof(how), "ended with code %d", (int)code);
  if (child->in_session)
    snprintf(who, sizeof(who), "session of process %d, user %u", child->client_pid, child->client_uid);
  if (child->supervisor->stopping || !lost)
    log_info("worker %d (%s) %s", child->process.pid, who, how);
  else
    log_warning("worker %d (%s) %s", child->process.pid, who, how);
}

static void refill_later(struct supervisor *s);

static void on_exit_of(uv_process_t *process, int64_t code, int number) {
  struct child *child = process->data;
  struct supervisor *s = child->supervisor;
  child->exited = true;
  log_end(child, code, number);
  if ((code != 0 || number != 0) && !s->stopping)
    atomic_fetch_add(&s->scoreboard->workers_lost, 1);
  scoreboard_bury(s->scoreboard, child->entry);
  broker_drop_all(&s->broker, child->entry, code != 0 || number != 0, uv_now(&s->loop));
  supervisor_expire_leases(s);
  uv_close((uv_handle_t *)&child->control_poll, on_handle_closed);
  uv_close((uv_handle_t *)process, on_handle_closed);
  if (child->in_session) {
    s->n_sessions--;
    supervisor_session_ended(s);
    children_refill_soon(s);
  } else {
    s->n_spares--;
    if (child->told_to_end)
      children_refill_soon(s);
    else
      refill_later(s);
  }
}

/* What the supervisor says to a worker's question. *with_fd goes beside it. */
static int consider(struct child *child, struct control_message *m, int fd, int *with_fd, bool *close_it) {
  struct supervisor *s = child->supervisor;
  struct broker *broker = &s->broker;
  switch (m->type) {
    case CONTROL_SHARE:
      m->first = broker_count_objects(broker, child->client_uid);
      m->flag = m->first >= broker->objects_max;
      return broker_share(broker, child->entry, child->client_uid, fd, m->token);
    case CONTROL_IMPORT:
      return broker_import(broker, child->entry, m->token, with_fd);
    case CONTROL_LEND:
      return broker_lend(broker, child->entry, child->client_uid, m->token, m->first, &m->ticket);
    case CONTROL_TAKE:
      return broker_take(broker, child->entry, m->token, m->first, m->ticket);
    case CONTROL_IS_FREE:
      m->flag = broker_is_free(broker, child->entry, m->token, m->first);
      return 0;
    case CONTROL_PUBLISH:
      return broker_publish(broker, child->client_uid, m);
    case CONTROL_OPEN:
      return broker_open(broker, child->entry, child->client_uid, m);
    case CONTROL_UNPUBLISH:
      return broker_unpublish(broker, child->client_uid, m->name);
    case CONTROL_HELD:
      m->first = children_count_sessions(s, child->client_uid);
      m->ticket = broker_count_objects(broker, child->client_uid);
      return 0;
    case CONTROL_MEMORY:
      *with_fd = memory_list(s, child->client_uid);
      *close_it = true;
      return *with_fd < 0 ? NUMD_EINTERNAL : 0;
    default:
      return NUMD_EINTERNAL;
  }
}

static void answer(struct child *child, struct control_message *m, int fd) {
  int with_fd = -1;
  bool close_it = false;
  m->status = consider(child, m, fd, &with_fd, &close_it);
  m->type = CONTROL_REPLY;
  int rc = control_send(child->control, m, m->status == 0 ? with_fd : -1);
  if (rc < 0)
    log_warning("worker %d cannot be answered: %s", child->process.pid, strerror(-rc));
  if (close_it && with_fd >= 0)
    close(with_fd);
}

static void on_control(uv_poll_t *poll, int status, int events) {
  struct child *child = poll->data;
  struct broker *broker = &child->supervisor->broker;
  struct control_message message;
  int fd = -1, rc = status < 0 ? 0 : control_recv(child->control, &message, &fd);
  if (rc == -EAGAIN)
    return;
  if (rc <= 0) {
    uv_poll_stop(poll); /* it is about to end */
    return;
  }
  message.name[sizeof(message.name) - 1] = '\0';
  if (message.type != CONTROL_SHARE && fd >= 0)
    close(fd);
  if (message.type == CONTROL_PONG) {
    child->n_unanswered = 0;
    if (!child->in_session)
      child->supervisor->n_silent = 0;
  } else if (message.type == CONTROL_DROP)
    broker_drop(broker, child->entry, message.token);
  else if (message.type == CONTROL_GIVE)
    broker_give(broker, child->entry, message.token, message.first);
  else
    answer(child, &message, fd);
}

void children_each_session(struct supervisor *s, uint32_t uid,
                           void (*each)(void *arg, int worker, int client), void *arg) {
  for (struct child *child = s->children; child; child = child->next)
    if (child->in_session && !child->exited && child->client_uid == uid)
      each(arg, child->process.pid, child->client_pid);
}

/* The descriptors that a worker has are these and no others: everything else is close-on-exec. */
static int spawn(struct child *child, int control) {
  struct supervisor *s = child->supervisor;
  char parent[16], entry[16], level[16];
  snprintf(parent, sizeof(parent), "%d", (int)getpid());
  snprintf(entry, sizeof(entry), "%u", child->entry);
  snprintf(level, sizeof(level), "%d", (int)log_level());
  char *args[] = {"numd-worker", parent, entry, level, NULL};
  uv_stdio_container_t stdio[] = {
      {.flags = UV_IGNORE},
      {.flags = UV_INHERIT_FD, .data.fd = STDERR_FD},
      {.flags = UV_INHERIT_FD, .data.fd = STDERR_FD},
      {.flags = UV_INHERIT_FD, .data.fd = control},
      {.flags = UV_INHERIT_FD, .data.fd = s->scoreboard_fd},
  };
  uv_process_options_t options = {.exit_cb = on_exit_of,
                                  .file = s->worker_path,
                                  .args = args,
                                  .cwd = "/",
                                  .stdio = stdio,
                                  .stdio_count = sizeof(stdio) / sizeof(stdio[0])};
  return uv_spawn(&s->loop, &child->process, &options);
}

uint64_t children_count_sessions(const struct supervisor *s, uint32_t uid) {
  uint64_t n = 0;
  for (const struct child *child = s->children; child; child = child->next)
    n += child->in_session && !child->exited && child->client_uid == uid;
  return n;
}

static int take_entry(struct supervisor *s, uint32_t *entry) {
  for (uint32_t i = 0; i < SCOREBOARD_ENTRIES; i++)
    if (!s->entry_used[i]) {
      s->entry_used[i] = true;
      *entry = i;
      return 0;
    }
  return -EAGAIN;
}

static void show_on_scoreboard(const struct child *child, enum scoreboard_state state) {
  scoreboard_show(child->supervisor->scoreboard, child->entry, child->process.pid, state, child->client_uid,
                  child->client_pid);
}

/* Starts a worker, a spare. -errno. */
static int child_new(struct supervisor *s, struct child **out) {
  int pair[2], rc;
  struct child *child = calloc(1, sizeof(*child));
  if (!child)
    return -ENOMEM;
  child->supervisor = s;
  child->process.data = child->control_poll.data = child;
  rc = take_entry(s, &child->entry);
  if (rc < 0)
    goto free_child;
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
    rc = -errno;
    goto give_entry;
  }
  rc = spawn(child, pair[1]);
  close(pair[1]);
  child->control = pair[0];
  child->next = s->children;
  s->children = child;
  child->n_handles = 1;
  if (rc < 0) { /* libuv wants even a handle that failed to be closed */
    uv_close((uv_handle_t *)&child->process, on_handle_closed);
    return rc;
  }
  uv_poll_init(&s->loop, &child->control_poll, child->control);
  uv_poll_start(&child->control_poll, UV_READABLE, on_control);
  child->n_handles = 2;
  s->n_spares++;
  show_on_scoreboard(child, SCOREBOARD_SPARE);
  *out = child;
  return 0;
give_entry:
  s->entry_used[child->entry] = false;
free_child:
  free(child);
  return rc;
}

static void on_spawn_timer(uv_timer_t *timer) {
  children_refill(timer->data);
}

/* After n failures in a row the next start waits 2^n as long. */
static void refill_later(struct supervisor *s) {
  int shift = s->n_failures < 7 ? s->n_failures : 7;
  if (!s->stopping)
    uv_timer_start(&s->spawn_timer, on_spawn_timer, (uint64_t)BACKOFF_MS << shift, 0);
  s->n_failures++;
}

void children_refill_soon(struct supervisor *s) {
  if (s->retired)
    return;
  if (s->n_spares == 0)
    children_refill(s);
  else if (!s->stopping && !uv_is_active((uv_handle_t *)&s->spawn_timer))
    uv_timer_start(&s->spawn_timer, on_spawn_timer, REFILL_MS, 0);
}

void children_refill(struct supervisor *s) {
  struct child *child;
  int rc = 0;
  if (s->stopping || s->retired || uv_is_active((uv_handle_t *)&s->spawn_timer))
    return;
  while (rc == 0 && s->n_spares < s->options.spares)
    rc = child_new(s, &child);
  if (rc < 0) {
    log_error("a worker cannot be started (%s): %s", s->worker_path, strerror(-rc));
    refill_later(s);
  }
}

/* Hands the connection to one child, for whose first charge the scoreboard must say already whose it is.
 * Another user than ours is a guest, unless the worker can become that user. */
static int hand_over(struct child *child, int client, const struct ucred *who) {
  struct control_message message = {.type = CONTROL_SESSION,
                                    .pid = who->pid,
                                    .uid = who->uid,
                                    .gid = who->gid,
                                    .flag = geteuid() != 0 && geteuid() != who->uid};
  child->client_pid = who->pid;
  child->client_uid = who->uid;
  show_on_scoreboard(child, SCOREBOARD_SESSION);
  int rc = control_send(child->control, &message, client);
  if (rc < 0) {
    show_on_scoreboard(child, SCOREBOARD_SPARE);
    return rc;
  }
  child->in_session = true;
  child->supervisor->n_spares--;
  child->supervisor->n_sessions++;
  child->supervisor->n_failures = 0;
  atomic_fetch_add(&child->supervisor->scoreboard->sessions_total, 1);
  return 0;
}

int children_serve(struct supervisor *s, int client, const struct ucred *who) {
  struct child *oldest = NULL;
  for (struct child *child = s->children; child; child = child->next)
    if (!child->in_session && !child->exited && child->n_handles == 2)
      oldest = child; /* the list has the newest first */
  if (oldest && hand_over(oldest, client, who) == 0)
    return 0;
  struct child *fresh = NULL;
  int rc = child_new(s, &fresh);
  return fresh ? hand_over(fresh, client, who) : rc;
}

static bool is_alive(const struct child *child) {
  return !child->exited && child->n_handles == 2;
}

#define SILENT_SPARE 2    /* unanswered questions before a spare is ended */
#define SILENT_SESSION 10 /* and before a worker at work is logged */
#define SILENT_SPARES 3   /* as many ended in a row are no accident */

bool children_ask(struct supervisor *s) {
  const struct control_message question = {.type = CONTROL_PING};
  for (struct child *child = s->children; child; child = child->next) {
    if (!is_alive(child))
      continue;
    if (!child->in_session && child->n_unanswered == SILENT_SPARE) {
      log_warning("worker %d (a spare) does not answer and is ended", child->process.pid);
      s->n_silent++;
      uv_process_kill(&child->process, SIGKILL);
    } else if (child->in_session && child->n_unanswered == SILENT_SESSION) {
      log_warning("worker %d (session of process %d, user %u) does not answer", child->process.pid,
                  child->client_pid, child->client_uid);
    }
    if (child->n_unanswered++ <= SILENT_SESSION) /* no more, or they fill its socket */
      control_send(child->control, &question, -1);
  }
  return s->n_silent < SILENT_SPARES;
}

static void stop_child(struct child *child) {
  const struct control_message message = {.type = CONTROL_STOP};
  child->told_to_end = true;
  if (is_alive(child) && control_send(child->control, &message, -1) < 0)
    uv_process_kill(&child->process, SIGTERM);
}

void children_renew_spares(struct supervisor *s) {
  for (struct child *child = s->children; child; child = child->next)
    if (!child->in_session)
      stop_child(child);
}

void children_stop(struct supervisor *s) {
  for (struct child *child = s->children; child; child = child->next)
    stop_child(child);
}

void children_kill(struct supervisor *s) {
  for (struct child *child = s->children; child; child = child->next)
    if (is_alive(child))
      uv_process_kill(&child->process, SIGKILL);
}
