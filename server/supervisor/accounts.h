/* SPDX-License-Identifier: BSD-3-Clause */
/* What the supervisor knows of each user: what he holds of each quota, and what accept.c has to know of him.
 * An account is there while there is anything in it. */
#ifndef NUMD_SERVER_SUPERVISOR_ACCOUNTS_H
#define NUMD_SERVER_SUPERVISOR_ACCOUNTS_H

#include <stdbool.h>
#include <stdint.h>

#include "server/host/quota.h"

#define ACCOUNTS_CHAINS 1024

struct account {
  struct account *next;
  uint32_t uid;
  uint64_t held[N_QUOTAS];      /* granted to sessions of this daemon */
  uint64_t elsewhere[N_QUOTAS]; /* granted to sessions of the daemons before this one (upgrade.h) */
  uint64_t owed[N_QUOTAS];      /* given back, and the successor could not be told so yet */
};

/* A hash table by uid. All zeros are an empty one. */
struct accounts {
  struct account *chains[ACCOUNTS_CHAINS];
};

/* The account of a user, which is opened if there is none; NULL without memory. It stays until the next call
 * of this function after it has become empty. */
struct account *accounts_get(struct accounts *accounts, uint32_t uid);
void accounts_each(const struct accounts *accounts, void (*each)(void *arg, struct account *account),
                   void *arg);
void accounts_deinit(struct accounts *accounts);

#endif
