/* SPDX-License-Identifier: BSD-3-Clause */
#include "server/host/quota.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/status.h"
#include "shared/text.h"

static const struct {
  const char *name, *what;
} quotas[N_QUOTAS] = {
#define X(NAME, name, what) {#name, what},
    QUOTA_LIST(X)
#undef X
};

const char *quota_name(enum quota q) {
  return quotas[q].name;
}

const char *quota_what(enum quota q) {
  return quotas[q].what;
}

bool quota_parse_size(const char *text, uint64_t *out) {
  static const char units[] = "KMGT";
  char *end;
  errno = 0;
  unsigned long long n = strtoull(text, &end, 10);
  const char *unit = *end ? strchr(units, *end) : NULL;
  int shift = unit ? 10 * (int)(unit - units + 1) : 0;
  if (*text < '0' || *text > '9' || errno != 0 || n == 0 || (*end && !unit) || (unit && end[1]) ||
      n > UINT64_MAX >> shift)
    return false;
  *out = (uint64_t)n << shift;
  return true;
}

bool quota_parse(const char *text, uint64_t limits[N_QUOTAS]) {
  const char *equals = strchr(text, '=');
  size_t len = equals ? (size_t)(equals - text) : 0;
  for (int q = 0; equals && q < N_QUOTAS; q++)
    if (text_is(text, len, quotas[q].name))
      return quota_parse_size(equals + 1, &limits[q]);
  return false;
}

/* The page tables of a mapping take 1/512 of its size, so with this factor those of one user take at most an
 * eighth of the memory. */
#define MAPPED_PER_MEMORY 64

void quota_set_defaults(uint64_t limits[N_QUOTAS], uint64_t memory_bytes, uint64_t sessions,
                        uint64_t descriptors) {
  const uint64_t defaults[N_QUOTAS] = {
      [QUOTA_SESSIONS] = sessions,      [QUOTA_BYTES] = MAPPED_PER_MEMORY * memory_bytes,
      [QUOTA_SEGMENTS] = 65536,         [QUOTA_PLANS] = 262144,
      [QUOTA_CHANNELS] = 2048,          [QUOTA_CALLS] = 4096,
      [QUOTA_DESCRIPTORS] = descriptors};
  for (int q = 0; q < N_QUOTAS; q++)
    if (limits[q] == 0)
      limits[q] = defaults[q];
}

int quota_refuse(uint64_t limit, uint32_t uid, enum quota q, uint64_t used, uint64_t amount,
                 struct errtext *err) {
  return errtext_set(err, NUMD_ELIMIT,
                     "quota of %s: user %" PRIu32 " may have %" PRIu64 ", has %" PRIu64
                     " and asked for %" PRIu64 " more (numd --quota=%s=N sets it)",
                     quotas[q].name, uid, limit, used, amount, quotas[q].name);
}
