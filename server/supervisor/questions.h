/* What the supervisor answers to its workers' questions (server/host/control_channel.h). */
#ifndef NUMD_SERVER_SUPERVISOR_QUESTIONS_H
#define NUMD_SERVER_SUPERVISOR_QUESTIONS_H

#include "server/supervisor/broker.h"
#include "server/supervisor/workers.h"

/* Does what the message asks for, and sends the answer unless there is none to that question. fd came beside
 * it, or is -1, and is taken over. */
void questions_answer(struct broker *broker, struct worker_process *worker, struct control_message *message,
                      int fd);

#endif
