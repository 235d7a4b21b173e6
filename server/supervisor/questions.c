/* SPDX-License-Identifier: BSD-3-Clause */
#include "server/supervisor/questions.h"

#include <string.h>
#include <unistd.h>

#include "protocol/status.h"
#include "server/host/log.h"
#include "server/supervisor/memory_list.h"

/* The descriptor that goes beside an answer. */
struct beside {
  int fd;    /* -1: none */
  bool ours; /* to be closed when it is sent */
};

static int count_held(struct broker *broker, struct worker_process *worker, struct control_message *m) {
  m->first = workers_count_sessions(worker->workers, worker->client_uid);
  m->ticket = broker_count_objects(broker, worker->client_uid);
  return 0;
}

static int list_memory(struct broker *broker, struct worker_process *worker, struct beside *beside) {
  beside->fd = memory_list(worker->workers, broker, worker->client_uid);
  beside->ours = true;
  return beside->fd < 0 ? NUMD_EINTERNAL : 0;
}

static int share(struct broker *broker, struct worker_process *worker, struct control_message *m, int fd) {
  m->first = broker_count_objects(broker, worker->client_uid);
  m->flag = m->first >= broker->objects_max;
  return broker_share(broker, worker->entry, worker->client_uid, fd, m->token);
}

/* Does what a question asks for. Gives the status of the answer; its other members are put into the
 * message. */
static int handle_question(struct broker *broker, struct worker_process *worker, struct control_message *m,
                           int fd, struct beside *beside) {
  uint32_t holder = worker->entry, uid = worker->client_uid;
  switch (m->type) {
    case CONTROL_SHARE:
      return share(broker, worker, m, fd);
    case CONTROL_IMPORT:
      return broker_import(broker, holder, m->token, &beside->fd);
    case CONTROL_LEND:
      return broker_lend(broker, holder, uid, m->token, m->first, &m->ticket);
    case CONTROL_TAKE:
      return broker_take(broker, holder, m->token, m->first, m->ticket);
    case CONTROL_IS_FREE:
      m->flag = broker_is_free(broker, holder, m->token, m->first);
      return 0;
    case CONTROL_PUBLISH:
      return broker_publish(broker, uid, m);
    case CONTROL_OPEN:
      return broker_open(broker, holder, uid, m);
    case CONTROL_UNPUBLISH:
      return broker_unpublish(broker, uid, m->name);
    case CONTROL_HELD:
      return count_held(broker, worker, m);
    case CONTROL_MEMORY:
      return list_memory(broker, worker, beside);
    default:
      return NUMD_EINTERNAL;
  }
}

static void answer(struct broker *broker, struct worker_process *worker, struct control_message *m, int fd) {
  struct beside beside = {.fd = -1};
  m->status = handle_question(broker, worker, m, fd, &beside);
  m->type = CONTROL_REPLY;
  int rc = control_send(worker->control, m, m->status == 0 ? beside.fd : -1);
  if (rc < 0)
    log_warning("worker %d cannot be answered: %s", worker->process.pid, strerror(-rc));
  if (beside.ours && beside.fd >= 0)
    close(beside.fd);
}

void questions_answer(struct broker *broker, struct worker_process *worker, struct control_message *m,
                      int fd) {
  m->name[sizeof(m->name) - 1] = '\0';
  if (m->type != CONTROL_SHARE && fd >= 0)
    close(fd);
  if (m->type == CONTROL_DROP)
    broker_drop(broker, worker->entry, m->token);
  else if (m->type == CONTROL_GIVE)
    broker_give(broker, worker->entry, m->token, m->first);
  else
    answer(broker, worker, m, fd);
}
