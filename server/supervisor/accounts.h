/* SPDX-License-Identifier: BSD-3-Clause */
/* What the supervisor knows of each user: what he holds of each quota, and what accept.c has to know of him.
 * An account is there while there is anything in it. */
#ifndef NUMD_SERVER_SUPERVISOR_ACCOUNTS_H
#define NUMD_SERVER_SUPERVISOR_ACCOUNTS_H

#include <stdbool.h>
#include <stdint.h>

#include "server/host/quota.h"

#define ACCOUNTS_CHAINS 1024

struct waiting;

struct account {
  struct account *next;
  uint32_t uid;
  uint64_t held[N_QUOTAS];      /* granted to sessions of this daemon */
  uint64_t elsewhere[N_QUOTAS]; /* granted to sessions of the daemons before this one (upgrade.h) */
  uint64_t owed[N_QUOTAS];      /* given back, and the successor could not be told so yet */
  /* Of line.c: */
  struct waiting *waiting, *last_waiting; /* connections that wait for a worker */
  uint64_t n_waiting;
  struct account *next_in_line;
  int64_t due_ns; /* when its next connection is due by its rate, but for a burst */
};

/* A hash table by uid. All zeros are an empty one. */
struct accounts {
  struct account *chains[ACCOUNTS_CHAINS];
};

/* What its user holds in all. */
static inline uint64_t account_total(const struct account *account, enum quota q) {
  return account->held[q] + account->elsewhere[q];
}

/* The account of a user, which is opened if there is none; NULL without memory. It stays until the next call
 * of this function after it has become empty. */
struct account *accounts_get(struct accounts *accounts, uint32_t uid);
void accounts_each(const struct accounts *accounts, void (*each)(void *arg, struct account *account),
                   void *arg);
void accounts_deinit(struct accounts *accounts);

#endif
