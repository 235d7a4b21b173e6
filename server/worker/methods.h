/* SPDX-License-Identifier: BSD-3-Clause */
/* The methods that a client may call through the socket door; what they take and give is written down in
 * protocol/PROTOCOL.md. */
#ifndef NUMD_SERVER_WORKER_METHODS_H
#define NUMD_SERVER_WORKER_METHODS_H

#include <stdint.h>

struct completion;
struct door_socket;
struct wire_message;
struct worker;

/* Handles a whole frame: puts the answer out, or says goodbye to a client that breaks the protocol. */
void methods_handle(struct door_socket *door, struct wire_message *message);

/* Puts out the answer of a long call; `data` is the worker. */
void methods_long_call_done(void *data, uint32_t msgid, int result_dtype,
                            const struct completion *completion);

void methods_count_error(struct worker *worker);

#endif
