/* SPDX-License-Identifier: BSD-3-Clause */
/* What a session may hold of its user's quotas. The supervisor counts what it has granted to all sessions of
 * a user. It grants a little more than is asked for, as long as the user is far from the limit, so that most
 * segments and plans cost no question; what a session does not need it gives back, but for such a reserve.
 * Main thread only. */
#ifndef NUMD_SERVER_WORKER_ALLOWANCE_H
#define NUMD_SERVER_WORKER_ALLOWANCE_H

#include <stdatomic.h>
#include <stdint.h>

#include "server/host/quota.h"
#include "server/worker/ask.h"

struct allowance {
  struct ask *ask;        /* NULL: what was granted is all that there is */
  const uint64_t *limits; /* of the user, for refusals to tell */
  uint32_t uid;
  _Atomic uint64_t *shown; /* gets what is held, for others to see; may be NULL */
  uint64_t granted[N_QUOTAS], held[N_QUOTAS];
  uint64_t reserve[N_QUOTAS]; /* what the last grant had beyond what was asked for */
};

/* Charges an amount; an allowance that is NULL has no limits. 0; or ELIMIT, with nothing charged and a
 * sentence that names quota and limit; or EINTERNAL if the supervisor does not answer. */
int allowance_charge(struct allowance *allowance, enum quota q, uint64_t amount, struct errtext *err);
void allowance_give(struct allowance *allowance, enum quota q, uint64_t amount);

#endif
