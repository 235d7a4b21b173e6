/* SPDX-License-Identifier: BSD-3-Clause */
/* Telling and asking the daemon which parts of segments several processes hold.
 *
 * The daemon keeps every segment that is shared, and knows who holds which part of it. A part is named by the
 * byte at which it begins. A process that gives a handle away leases the part: the lease, which has a number,
 * holds the part until the handle is redeemed or a minute after the session has ended. All with conn->lock
 * held. */
#ifndef NUMD_CLIENT_LIB_LEASE_H
#define NUMD_CLIENT_LIB_LEASE_H

#include "client/lib/segment.h"

/* Makes sure that the segment has a token of this session: the daemon keeps it from now on. */
int lease_token(numd_segment *segment);
/* Tells that we hold the part and that a handle of it is on its way; *lease gets the lease's number. */
int lease_begin(numd_segment *segment, uint64_t first, uint64_t *lease);
/* Tells that a handle has arrived: we hold the part, and the lease has ended. */
int lease_redeem(numd_segment *segment, uint64_t first, uint64_t lease);
/* Tells, by a notification, that we do not hold the part any more. Does nothing if the session is lost: its
 * holds ended with it. */
void lease_give_up(numd_segment *segment, uint64_t first);
/* Sets returned[i] if nobody, be it a process or a lease, holds the i-th part any more. EDISCONNECTED and
 * others: nothing is known. */
int lease_ask_returned(numd_segment *segment, uint32_t n, const uint64_t firsts[], bool returned[]);

#endif
