/* SPDX-License-Identifier: BSD-3-Clause */
/* Calls through the socket, one request each. They use no channel. */
#ifndef NUMD_CLIENT_LIB_CALL_SOCKET_H
#define NUMD_CLIENT_LIB_CALL_SOCKET_H

#include "client/lib/pending.h"
#include "client/lib/plan.h"

/* Makes the call and waits. ETIMEOUT: it was cancelled. */
int socket_call(numd_plan *plan, int n, const numd_arg args[], const uint64_t bindings[], struct item *result,
                int64_t timeout_ns);
/* Makes the call and waits, and keeps the answer for the ticket, whose number becomes the address of the
 * answer. ENOMEMORY. */
int socket_submit(numd_plan *plan, int n, const numd_arg args[], const uint64_t bindings[],
                  numd_ticket *ticket);
/* The call's own status, with its result. EINVAL: the ticket was finished before. */
int socket_finish(numd_ticket *ticket, struct item *result);

#endif
