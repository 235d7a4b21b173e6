/* SPDX-License-Identifier: BSD-3-Clause */
/* Quotas: what one user may hold of the daemon at once, over all sessions of his. The supervisor counts what
 * each user holds (accounts.h); a worker asks it before its session takes more (allowance.h). */
#ifndef NUMD_SERVER_HOST_QUOTA_H
#define NUMD_SERVER_HOST_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/errtext.h"

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

/* Writes the sentence of a refusal, and gives ELIMIT. */
int quota_refuse(uint64_t limit, uint32_t uid, enum quota q, uint64_t used, uint64_t amount,
                 struct errtext *err);

#endif
