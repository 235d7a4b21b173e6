/* SPDX-License-Identifier: BSD-3-Clause */
/* The supervisor's answers to its workers' questions (server/host/control_channel.h). */
#ifndef NUMD_SERVER_SUPERVISOR_QUESTIONS_H
#define NUMD_SERVER_SUPERVISOR_QUESTIONS_H

#include "server/supervisor/broker.h"
#include "server/supervisor/workers.h"

/* Does what the message asks for, and sends the answer if that kind of message has one. fd came beside the
 * message, or is -1, and becomes the callee's. */
void questions_answer(struct broker *broker, struct worker_process *worker, struct control_message *message,
                      int fd);

#endif
