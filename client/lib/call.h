/* SPDX-License-Identifier: BSD-3-Clause */
/* Calls: one computation of a plan each, submitted and then waited for. */
#ifndef NUMD_CLIENT_LIB_CALL_H
#define NUMD_CLIENT_LIB_CALL_H

#include "client/lib/plan.h"

/* Hands a call over, by the door that the connection uses. Afterwards the caller waits for it at once, as
 * call_wait_for does, or settles the channel (submit.h). */
int call_start(numd_plan *plan, int n, const numd_arg args[], const uint64_t bindings[], numd_ticket *ticket);
/* Waits for a call that was just handed over; ETIMEOUT at once if the call is known to take longer than that,
 * so that the caller can do something else meanwhile. */
int call_wait_for(numd_ticket *ticket, int64_t timeout_ns, numd_scalar *result);
/* Whether a call with that status was lost with its session. Such a call is made once more, in another
 * session, if numd_may_repeat allows it. */
static inline bool call_was_lost(int status) {
  return __builtin_expect(status == NUMD_EDISCONNECTED, 0);
}

#endif
