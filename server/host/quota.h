/* SPDX-License-Identifier: BSD-3-Clause */
/* Quotas: what one user may hold of the daemon at once, over all sessions of his.
 *
 * What a session holds stands in its scoreboard entry. A worker that needs more charges its own entry first
 * and then adds up the entries of its user. Of two workers that charge at once, both may see too much and be
 * refused, but never do both get the last of it: at least one has charged before the other adds up. There is
 * no total beside the entries, so none can become wrong, and a dead worker's charges go with its entry.
 * Sessions and descriptors are held by the supervisor, which counts them itself. */
#ifndef NUMD_SERVER_HOST_QUOTA_H
#define NUMD_SERVER_HOST_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/errtext.h"

struct scoreboard;

/* X(NAME, name, what) */
#define QUOTA_LIST(X)                                                         \
  X(SESSIONS, sessions, "connections at once")                                \
  X(BYTES, bytes, "bytes of attached segments, each counted in each session") \
  X(SEGMENTS, segments, "attached segments")                                  \
  X(PLANS, plans, "prepared plans")                                           \
  X(CHANNELS, channels, "open channels, each with a thread")                  \
  X(CALLS, calls, "long calls of the socket that wait or run")                \
  X(DESCRIPTORS, descriptors, "shared objects that the daemon keeps, each a descriptor")

enum quota {
#define X(NAME, name, what) QUOTA_##NAME,
  QUOTA_LIST(X)
#undef X
      N_QUOTAS
};

const char *quota_name(enum quota q);
const char *quota_what(enum quota q);
/* Reads "name=number", with K, M, G or T (powers of 1024) behind the number. False: no such quota, or not a
 * number from 1. */
bool quota_parse(const char *text, uint64_t limits[N_QUOTAS]);
/* A number with K, M, G or T behind it, from 1. */
bool quota_parse_size(const char *text, uint64_t *out);
/* Sets the limits that are 0 to their defaults, for so much memory and so many sessions and descriptors. */
void quota_set_defaults(uint64_t limits[N_QUOTAS], uint64_t memory_bytes, uint64_t sessions,
                        uint64_t descriptors);

/* Charges an amount to an entry. 0; or ELIMIT, with nothing charged and a sentence that names quota and
 * limit. For any process that has the scoreboard; NULL: no limits. */
int quota_charge(struct scoreboard *scoreboard, uint32_t entry, enum quota q, uint64_t amount,
                 struct errtext *err);
void quota_give(struct scoreboard *scoreboard, uint32_t entry, enum quota q, uint64_t amount);
/* What a user holds in all. */
uint64_t quota_used(const struct scoreboard *scoreboard, uint32_t uid, enum quota q);
/* Writes the sentence of a refusal, and gives ELIMIT. */
int quota_refuse(const struct scoreboard *scoreboard, uint32_t uid, enum quota q, uint64_t used,
                 uint64_t amount, struct errtext *err);

#endif
