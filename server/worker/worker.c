/* SPDX-License-Identifier: BSD-3-Clause */
/* The worker's loop. Everything runs in the main thread except most calls: each channel has a thread for its
 * calls (door_ring.c), and long calls of the socket door run in the loop's pool (long_call.c). */
#include "server/worker/worker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/engine/pool.h"
#include "server/host/scoreboard.h"
#include "server/worker/door_ring.h"
#include "server/worker/methods.h"

#define REAP_MS 5

static void on_stop(struct worker *worker) {
  door_goodbye(&worker->door, NUMD_EDISCONNECTED, "the daemon is ending");
}

/* Handles a message of the supervisor's that is no answer. */
static void on_message(void *data, const struct control_message *message) {
  struct worker *worker = data;
  const struct control_message alive = {.type = CONTROL_PONG, .serial = message->serial};
  if (message->type == CONTROL_STOP)
    on_stop(worker);
  else if (message->type == CONTROL_PING)
    control_send(worker->ask.control, &alive, -1);
}

int worker_share(struct worker *worker, int fd, uint8_t token[CONTROL_TOKEN_BYTES], struct errtext *err) {
  struct control_message m = {.type = CONTROL_SHARE};
  int none = -1, status = ask_and_wait(&worker->ask, &m, fd, &none, err);
  if (none >= 0)
    close(none);
  if (status == NUMD_ELIMIT && m.flag) {
    uint64_t limit = worker->place.notices->limits[QUOTA_DESCRIPTORS];
    return quota_refuse(limit, worker->uid, QUOTA_DESCRIPTORS, m.first, 1, err);
  }
  if (status == 0)
    memcpy(token, m.token, CONTROL_TOKEN_BYTES);
  return status;
}

int worker_import(struct worker *worker, const uint8_t token[CONTROL_TOKEN_BYTES], int *fd,
                  struct errtext *err) {
  struct control_message m = {.type = CONTROL_IMPORT};
  memcpy(m.token, token, CONTROL_TOKEN_BYTES);
  int status = ask_and_wait(&worker->ask, &m, -1, fd, err);
  if (status == 0 && *fd < 0)
    return errtext_set(err, NUMD_EINTERNAL, "the supervisor sent no descriptor");
  return status;
}

int worker_ask(struct worker *worker, struct control_message *message, int *fd, struct errtext *err) {
  int came = -1, status = ask_and_wait(&worker->ask, message, -1, &came, err);
  if (fd)
    *fd = came;
  else if (came >= 0)
    close(came);
  return status;
}

void worker_give(struct worker *worker, const uint8_t token[CONTROL_TOKEN_BYTES], uint64_t first) {
  struct control_message message = {.type = CONTROL_GIVE, .first = first};
  memcpy(message.token, token, CONTROL_TOKEN_BYTES);
  control_send(worker->ask.control, &message, -1);
}

void worker_drop(struct worker *worker, const uint8_t token[CONTROL_TOKEN_BYTES]) {
  struct control_message message = {.type = CONTROL_DROP};
  memcpy(message.token, token, CONTROL_TOKEN_BYTES);
  control_send(worker->ask.control, &message, -1);
}

static void on_reap(uv_timer_t *timer) {
  struct worker *worker = timer->data;
  if (session_reap(worker->session) == 0)
    uv_timer_stop(timer);
}

void worker_reap(struct worker *worker) {
  if (session_reap(worker->session) > 0)
    uv_timer_start(&worker->reap_timer, on_reap, REAP_MS, REAP_MS);
}

static void on_control(uv_poll_t *poll, int status, int events) {
  struct worker *worker = poll->data;
  struct control_message message;
  int fd = -1, rc = status < 0 ? 0 : control_recv(worker->ask.control, &message, &fd);
  if (rc == -EAGAIN)
    return;
  if (rc > 0)
    ask_handle_other(&worker->ask, &message, fd);
  else
    on_stop(worker);
}

#define LAST_CALL_SECONDS 10

/* The client is gone. Calls that still run for it are cancelled, and the loop ends when none is left. The
 * alarm ends the process if a call does not end soon, inside LAPACK say. */
static void on_door_closed(struct door_socket *door) {
  struct worker *worker = door->worker;
  long_call_cancel_all(&worker->long_calls);
  alarm(LAST_CALL_SECONDS);
  deadline_stop(&worker->deadline);
  uv_close((uv_handle_t *)&worker->reap_timer, NULL);
  uv_close((uv_handle_t *)&worker->control_poll, NULL);
}

/* Ends the process, since a thread that is inside a call that does not end cannot be joined. */
static void on_hopeless(void *data) {
  struct worker *worker = data;
  door_goodbye(&worker->door, NUMD_ETIMEOUT,
               "a call ran for longer than the daemon allows and could not be stopped");
  _exit(1);
}

/* The allowance that came with the session. */
static void allowance_init(struct worker *worker, const struct control_message *session) {
  struct allowance *a = &worker->allowance;
  *a = (struct allowance){.ask = &worker->ask,
                          .limits = worker->place.notices->limits,
                          .uid = session->uid,
                          .shown = worker->scoreboard->entries[worker->entry].held};
  memcpy(a->granted, session->note, sizeof(a->granted));
  memcpy(a->reserve, session->note, sizeof(a->reserve));
}

static int worker_init(struct worker *worker, const struct worker_place *place,
                       const struct control_message *session) {
  int rc = uv_loop_init(&worker->loop);
  worker->place = *place;
  worker->scoreboard = place->scoreboard;
  worker->entry = place->entry;
  worker->uid = session->uid;
  worker->guest = session->flag != 0;
  worker->ask = (struct ask){
      .control = place->control, .limit_ms = ASK_LIMIT_MS, .other = on_message, .data = worker, .last = 0};
  allowance_init(worker, session);
  worker->session = calloc(1, sizeof(*worker->session));
  if (rc == 0 && !worker->session)
    rc = -ENOMEM;
  if (rc == 0)
    rc = session_init(worker->session, place->scoreboard, place->entry);
  if (rc == 0)
    worker->session->allowance = &worker->allowance;
  if (rc == 0)
    rc = pool_new(&place->scoreboard->cores, place->entry, &worker->session->pool);
  if (rc == 0)
    rc = ring_door_new(worker->session, &worker->session->ring);
  if (rc == 0 && session_add_runner(worker->session, &worker->runner) != 0)
    rc = -ENOMEM;
  if (rc == 0 && long_calls_init(&worker->long_calls, &worker->loop, worker->session) != 0)
    rc = -ENOMEM;
  if (rc < 0)
    return rc;
  runner_name_call(worker->runner,
                   1); /* one id for all: short calls in the main thread cannot be cancelled */
  worker->long_calls.on_done = methods_long_call_done;
  worker->long_calls.data = worker;
  worker->deadline.on_hopeless = on_hopeless;
  worker->deadline.data = worker;
  return 0;
}

static int worker_serve(struct worker *worker, int client) {
  worker->reap_timer.data = worker->control_poll.data = worker;
  uv_timer_init(&worker->loop, &worker->reap_timer);
  int rc = uv_poll_init(&worker->loop, &worker->control_poll, worker->ask.control);
  if (rc == 0)
    rc = uv_poll_start(&worker->control_poll, UV_READABLE, on_control);
  if (rc == 0)
    rc = door_open(&worker->door, &worker->loop, client, on_door_closed);
  worker->door.worker = worker;
  deadline_start(&worker->deadline, &worker->loop, worker->session,
                 worker->place.notices->options.call_max_ns);
  return rc == 0 ? uv_run(&worker->loop, UV_RUN_DEFAULT) : rc;
}

static void worker_deinit(struct worker *worker) {
  struct session *session = worker->session;
  session->ring = ring_door_free(session->ring);
  door_deinit(&worker->door);
  long_calls_deinit(&worker->long_calls);
  session_remove_runner(session, worker->runner);
  session->pool = pool_free(session->pool);
  session_deinit(session);
  free(session);
  uv_loop_close(&worker->loop);
}

int worker_run(const struct worker_place *place, const struct control_message *session, int client) {
  static struct worker worker;
  int rc = worker_init(&worker, place, session);
  if (rc == 0)
    rc = worker_serve(&worker, client);
  if (rc < 0)
    return rc;
  worker_deinit(&worker);
  return 0;
}
