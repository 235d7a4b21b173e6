/* SPDX-License-Identifier: BSD-3-Clause */
/* What bounded.c puts in front of functions of the product. */
#ifndef NUMD_TESTS_FUZZ_BOUNDED_H
#define NUMD_TESTS_FUZZ_BOUNDED_H

#include <semaphore.h>

#include "server/worker/session.h"

/* Whether a call of it costs little enough to be fuzzed. */
bool bounded_plan(const struct plan *plan);

int __real_session_prepare(struct session *, uint64_t, const struct program *, struct plan **,
                           struct errtext *);
int __wrap_session_prepare(struct session *, uint64_t, const struct program *, struct plan **,
                           struct errtext *);
void __real_sem_await_hint(sem_t *, int64_t);
void __wrap_sem_await_hint(sem_t *, int64_t);

#endif
