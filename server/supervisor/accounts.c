/* SPDX-License-Identifier: BSD-3-Clause */
#include "server/supervisor/accounts.h"

#include <stdlib.h>

#include "shared/clock.h"

static bool is_empty(const struct account *a) {
  uint64_t any = 0;
  for (int q = 0; q < N_QUOTAS; q++)
    any |= a->held[q] | a->elsewhere[q] | a->owed[q];
  return any == 0 && !a->waiting && a->due_ns <= clock_now_ns();
}

/* Closes the empty accounts that it comes across, so that chains stay short whoever comes and goes. */
struct account *accounts_get(struct accounts *accounts, uint32_t uid) {
  struct account **at = &accounts->chains[uid % ACCOUNTS_CHAINS], *found = NULL;
  while (*at) {
    struct account *a = *at;
    if (a->uid == uid)
      found = a;
    if (a->uid == uid || !is_empty(a)) {
      at = &a->next;
      continue;
    }
    *at = a->next;
    free(a);
  }
  if (!found && (found = calloc(1, sizeof(*found)))) {
    found->uid = uid;
    *at = found;
  }
  return found;
}

void accounts_each(const struct accounts *accounts, void (*each)(void *arg, struct account *account),
                   void *arg) {
  for (size_t i = 0; i < ACCOUNTS_CHAINS; i++)
    for (struct account *a = accounts->chains[i], *next; a; a = next) {
      next = a->next;
      each(arg, a);
    }
}

void accounts_deinit(struct accounts *accounts) {
  for (size_t i = 0; i < ACCOUNTS_CHAINS; i++)
    while (accounts->chains[i]) {
      struct account *a = accounts->chains[i];
      accounts->chains[i] = a->next;
      free(a);
    }
}
