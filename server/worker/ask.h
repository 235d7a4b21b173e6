/* SPDX-License-Identifier: BSD-3-Clause */
/* Questions to the supervisor, over the control channel. One is open at a time, and whoever asks waits for
 * the answer: the main thread of the worker, while channels and long calls go on.
 *
 * An answer counts if it has the serial number of the question that is open. Another one is late: its
 * question was given up and its asker told so. What it says was done is undone as far as it can be, and its
 * descriptor is closed. */
#ifndef NUMD_SERVER_WORKER_ASK_H
#define NUMD_SERVER_WORKER_ASK_H

#include <stdbool.h>
#include <stdint.h>

#include "server/host/control_channel.h"
#include "shared/errtext.h"

#define ASK_LIMIT_MS 5000 /* after which a question is given up */
/* While nothing has come from the supervisor since a question was given up, others are given up after this
 * part of the limit, so that a session goes on without a supervisor that stands still. */
#define ASK_SILENT_PART 50

struct ask {
  int control; /* to the supervisor */
  int limit_ms;
  /* Gets a message that is no answer, while a question waits. It may send, but not ask. */
  void (*other)(void *data, const struct control_message *message);
  void *data;
  uint64_t last; /* serial number given last */
  bool silent;   /* the last question was given up, and nothing has come since */
};

/* Asks, with a descriptor beside the question unless it is -1, and waits; the answer takes the place of the
 * question, and *fd is the descriptor that came along, or -1. The status of the answer, with a sentence; or
 * EINTERNAL if there is none. */
int ask_and_wait(struct ask *ask, struct control_message *message, int with_fd, int *fd, struct errtext *err);
/* Handles any message that was received, except the open question's answer. fd is closed. */
void ask_handle_other(struct ask *ask, const struct control_message *message, int fd);

#endif
