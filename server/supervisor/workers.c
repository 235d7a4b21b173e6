/* SPDX-License-Identifier: BSD-3-Clause */
#include "server/supervisor/workers.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/host/log.h"
#include "server/supervisor/charges.h"

#define STDERR_FD 2
#define BACKOFF_MS 100
#define REFILL_MS \
  100 /* a spare is replaced so long after it was used, to leave the cores to its new client */

static void on_handle_closed(uv_handle_t *handle) {
  struct worker_process *w = handle->data, **at = &w->workers->first;
  struct workers *workers = w->workers;
  if (--w->n_handles > 0)
    return;
  while (*at != w)
    at = &(*at)->next;
  *at = w->next;
  close(w->control);
  workers->entry_used[w->entry] = false;
  free(w);
  if (!workers->first)
    workers->events->none_left(workers->data);
}

static void log_end(const struct worker_process *w, int64_t code, int number) {
  char how[64], who[64] = "a spare";
  bool lost = number != 0 || code != 0;
  if (number != 0)
    snprintf(how, sizeof(how), "was ended by signal %d (%s)", number, strsignal(number));
  else
    snprintf(how, sizeof(how), "ended with code %d", (int)code);
  if (w->in_session)
    snprintf(who, sizeof(who), "session of process %d, user %u", w->client_pid, w->client_uid);
  if (w->workers->stopping || !lost)
    log_info("worker %d (%s) %s", w->process.pid, who, how);
  else
    log_warning("worker %d (%s) %s", w->process.pid, who, how);
}

static void refill_later(struct workers *workers);

static void on_exit_of(uv_process_t *process, int64_t code, int number) {
  struct worker_process *w = process->data;
  struct workers *workers = w->workers;
  bool lost = code != 0 || number != 0;
  w->exited = true;
  log_end(w, code, number);
  if (lost && !workers->stopping)
    atomic_fetch_add(&workers->notices->workers_lost, 1);
  scoreboard_bury(workers->scoreboard, w->entry);
  notices_put(workers->notices, w->entry, 0, WORKER_NONE, 0, 0);
  if (w->in_session)
    charges_end_session(workers->charges, w);
  *(w->in_session ? &workers->n_sessions : &workers->n_spares) -= 1;
  workers->events->ended(workers->data, w, lost);
  uv_close((uv_handle_t *)&w->control_poll, on_handle_closed);
  uv_close((uv_handle_t *)process, on_handle_closed);
  if (w->in_session || w->told_to_end)
    workers_refill_soon(workers);
  else
    refill_later(workers);
}

/* A PONG answers its own PING and those before, none that was sent later. */
static void on_pong(struct worker_process *w, uint64_t serial) {
  if (serial <= w->pong || serial > w->ping)
    return;
  w->pong = serial;
  w->n_unanswered = (int)(w->ping - serial);
  if (!w->in_session)
    w->workers->n_silent = 0;
}

static void on_sign(struct worker_process *w, const struct control_message *message) {
  if (message->type == CONTROL_PONG) {
    on_pong(w, message->serial);
  } else if (!w->ready) {
    w->ready = true;
    w->workers->events->ready(w->workers->data);
  }
}

static void on_control(uv_poll_t *poll, int status, int events) {
  struct worker_process *w = poll->data;
  struct control_message message;
  int fd = -1, rc = status < 0 ? 0 : control_recv(w->control, &message, &fd);
  if (rc == -EAGAIN)
    return;
  if (rc <= 0) {
    uv_poll_stop(poll); /* the worker is about to end */
    if (rc == -EPROTO)  /* or has gone bad */
      uv_process_kill(&w->process, SIGKILL);
    return;
  }
  if (message.type == CONTROL_READY || message.type == CONTROL_PONG) {
    if (fd >= 0)
      close(fd);
    on_sign(w, &message);
    return;
  }
  w->workers->events->message(w->workers->data, w, &message, fd);
}

void workers_each_session(const struct workers *workers, uint32_t uid,
                          void (*each)(void *arg, int worker, int client), void *arg) {
  for (struct worker_process *w = workers->first; w; w = w->next)
    if (w->in_session && !w->exited && w->client_uid == uid)
      each(arg, w->process.pid, w->client_pid);
}

/* Starts the process. It has the descriptors in `stdio` and no others: ours are all close-on-exec. */
static int spawn(struct worker_process *w, int control) {
  struct workers *workers = w->workers;
  char parent[16], entry[16], level[16];
  snprintf(parent, sizeof(parent), "%d", (int)getpid());
  snprintf(entry, sizeof(entry), "%u", w->entry);
  snprintf(level, sizeof(level), "%d", (int)log_level());
  char *args[] = {"numd-worker", parent, entry, level, NULL};
  uv_stdio_container_t stdio[] = {
      {.flags = UV_IGNORE},
      {.flags = UV_INHERIT_FD, .data.fd = STDERR_FD},
      {.flags = UV_INHERIT_FD, .data.fd = STDERR_FD},
      {.flags = UV_INHERIT_FD, .data.fd = control},
      {.flags = UV_INHERIT_FD, .data.fd = workers->scoreboard_fd},
      {.flags = UV_INHERIT_FD, .data.fd = workers->notices_fd},
  };
  uv_process_options_t options = {.exit_cb = on_exit_of,
                                  .file = workers->program,
                                  .args = args,
                                  .cwd = "/",
                                  .stdio = stdio,
                                  .stdio_count = sizeof(stdio) / sizeof(stdio[0])};
  return uv_spawn(workers->loop, &w->process, &options);
}

uint64_t workers_count_sessions(const struct workers *workers, uint32_t uid) {
  uint64_t n = 0;
  for (const struct worker_process *w = workers->first; w; w = w->next)
    n += w->in_session && !w->exited && w->client_uid == uid;
  return n;
}

static int take_entry(struct workers *workers, uint32_t *entry) {
  for (uint32_t i = 0; i < SCOREBOARD_ENTRIES; i++)
    if (!workers->entry_used[i]) {
      workers->entry_used[i] = true;
      *entry = i;
      return 0;
    }
  return -EAGAIN;
}

static void show(const struct worker_process *w, enum worker_state state) {
  notices_put(w->workers->notices, w->entry, w->process.pid, state, w->client_uid, w->client_pid);
  if (state == WORKER_SESSION)
    cores_join(&w->workers->scoreboard->cores, w->entry, w->client_uid);
  else
    cores_leave(&w->workers->scoreboard->cores, w->entry);
}

/* Starts a worker, which is a spare. 0 or -errno. */
static int worker_new(struct workers *workers, struct worker_process **out) {
  int pair[2], rc;
  struct worker_process *w = calloc(1, sizeof(*w));
  if (!w)
    return -ENOMEM;
  w->workers = workers;
  w->process.data = w->control_poll.data = w;
  w->started_ms = uv_now(workers->loop);
  rc = take_entry(workers, &w->entry);
  if (rc < 0)
    goto free_worker;
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
    rc = -errno;
    goto give_entry;
  }
  rc = spawn(w, pair[1]);
  close(pair[1]);
  w->control = pair[0];
  w->next = workers->first;
  workers->first = w;
  w->n_handles = 1;
  if (rc < 0) { /* libuv wants even a handle that failed to be closed */
    uv_close((uv_handle_t *)&w->process, on_handle_closed);
    return rc;
  }
  uv_poll_init(workers->loop, &w->control_poll, w->control);
  uv_poll_start(&w->control_poll, UV_READABLE, on_control);
  w->n_handles = 2;
  workers->n_spares++;
  show(w, WORKER_SPARE);
  *out = w;
  return 0;
give_entry:
  workers->entry_used[w->entry] = false;
free_worker:
  free(w);
  return rc;
}

static void on_spawn_timer(uv_timer_t *timer) {
  workers_refill(timer->data);
}

void workers_init(struct workers *workers) {
  uv_timer_init(workers->loop, &workers->spawn_timer);
  workers->spawn_timer.data = workers;
}

/* After n failures in a row the next start waits 2^n as long. */
static void refill_later(struct workers *workers) {
  int shift = workers->n_failures < 7 ? workers->n_failures : 7;
  if (!workers->stopping)
    uv_timer_start(&workers->spawn_timer, on_spawn_timer, (uint64_t)BACKOFF_MS << shift, 0);
  workers->n_failures++;
}

void workers_refill_soon(struct workers *workers) {
  if (workers->no_more)
    return;
  if (workers->n_spares == 0)
    workers_refill(workers);
  else if (!workers->stopping && !uv_is_active((uv_handle_t *)&workers->spawn_timer))
    uv_timer_start(&workers->spawn_timer, on_spawn_timer, REFILL_MS, 0);
}

void workers_refill(struct workers *workers) {
  struct worker_process *w;
  int rc = 0;
  if (workers->stopping || workers->no_more || uv_is_active((uv_handle_t *)&workers->spawn_timer))
    return;
  while (rc == 0 && workers->n_spares < workers->spares_wanted)
    rc = worker_new(workers, &w);
  if (rc < 0) {
    log_error("a worker cannot be started (%s): %s", workers->program, strerror(-rc));
    refill_later(workers);
  }
}

/* Hands the connection to a worker, whose user the notices name before it gets the message. A client of
 * another user is a guest unless the worker, as root, can become that user. */
static int hand_over(struct worker_process *w, int client, const struct ucred *who) {
  struct control_message message = {.type = CONTROL_SESSION,
                                    .pid = who->pid,
                                    .uid = who->uid,
                                    .gid = who->gid,
                                    .flag = geteuid() != 0 && geteuid() != who->uid};
  w->client_pid = who->pid;
  w->client_uid = who->uid;
  show(w, WORKER_SESSION);
  charges_begin_session(w->workers->charges, w, &message);
  int rc = control_send(w->control, &message, client);
  if (rc < 0) {
    charges_end_session(w->workers->charges, w);
    show(w, WORKER_SPARE);
    return rc;
  }
  w->in_session = true;
  w->workers->n_spares--;
  w->workers->n_sessions++;
  w->workers->n_failures = 0;
  atomic_fetch_add(&w->workers->notices->sessions_total, 1);
  return 0;
}

/* The oldest spare, or NULL. */
static struct worker_process *find_spare(const struct workers *workers) {
  struct worker_process *oldest = NULL;
  for (struct worker_process *w = workers->first; w; w = w->next)
    if (!w->in_session && !w->exited && w->n_handles == 2)
      oldest = w; /* the list has the newest first */
  return oldest;
}

bool workers_have_spare(const struct workers *workers) {
  return find_spare(workers) != NULL;
}

#define START_MS 2000 /* a worker that takes longer is not waited for */

bool workers_may_start(const struct workers *workers) {
  int n_starting = 0;
  for (const struct worker_process *w = workers->first; w; w = w->next)
    n_starting += !w->ready && !w->exited && uv_now(workers->loop) - w->started_ms < START_MS;
  return n_starting < workers->starts_max;
}

int workers_serve(struct workers *workers, int client, const struct ucred *who, bool by_spare) {
  struct worker_process *spare = by_spare ? find_spare(workers) : NULL, *fresh = NULL;
  if (spare && hand_over(spare, client, who) == 0)
    return 0;
  int rc = worker_new(workers, &fresh);
  return fresh ? hand_over(fresh, client, who) : rc;
}

static bool is_alive(const struct worker_process *w) {
  return !w->exited && w->n_handles == 2;
}

#define SILENT_SPARE 2    /* unanswered questions after which a spare is ended */
#define SILENT_SESSION 10 /* unanswered questions after which a worker with a session is logged */
#define SILENT_SPARES 3   /* so many spares ended in a row are no accident */

bool workers_ask(struct workers *workers) {
  struct control_message question = {.type = CONTROL_PING};
  for (struct worker_process *w = workers->first; w; w = w->next) {
    if (!is_alive(w))
      continue;
    if (!w->in_session && w->n_unanswered == SILENT_SPARE) {
      log_warning("worker %d (a spare) does not answer and is ended", w->process.pid);
      workers->n_silent++;
      uv_process_kill(&w->process, SIGKILL);
    } else if (w->in_session && w->n_unanswered == SILENT_SESSION) {
      log_warning("worker %d (session of process %d, user %u) does not answer", w->process.pid, w->client_pid,
                  w->client_uid);
    }
    if (w->n_unanswered++ <= SILENT_SESSION) { /* more would fill its socket */
      question.serial = ++w->ping;
      control_send(w->control, &question, -1);
    }
  }
  return workers->n_silent < SILENT_SPARES;
}

static void stop_worker(struct worker_process *w) {
  const struct control_message message = {.type = CONTROL_STOP};
  w->told_to_end = true;
  if (is_alive(w) && control_send(w->control, &message, -1) < 0)
    uv_process_kill(&w->process, SIGTERM);
}

void workers_renew_spares(struct workers *workers) {
  for (struct worker_process *w = workers->first; w; w = w->next)
    if (!w->in_session)
      stop_worker(w);
}

void workers_stop(struct workers *workers) {
  workers->stopping = true;
  uv_timer_stop(&workers->spawn_timer);
  for (struct worker_process *w = workers->first; w; w = w->next)
    stop_worker(w);
}

void workers_kill(struct workers *workers) {
  for (struct worker_process *w = workers->first; w; w = w->next)
    if (is_alive(w))
      uv_process_kill(&w->process, SIGKILL);
}
