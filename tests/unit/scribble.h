/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory that changes under a kernel, as another process might change it. */
#ifndef NUMD_TESTS_SCRIBBLE_H
#define NUMD_TESTS_SCRIBBLE_H

#include <check.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct scribbler {
  pthread_t thread;
  uint64_t *words;
  uint64_t n_words;
  _Atomic bool stop;
};

/* Words of random bytes, of which about half are 0. */
static inline void *scribble(void *arg) {
  struct scribbler *s = arg;
  for (uint64_t x = 1; !s->stop; x = x * 6364136223846793005u + 1442695040888963407u) {
    const uint64_t keep = (x >> 20 & 0x0101010101010101u) * 0xff;
    __atomic_store_n(&s->words[(x >> 33) % s->n_words], (x ^ x >> 31) & keep, __ATOMIC_RELAXED);
  }
  return NULL;
}

/* Scribbles on memory, which is aligned to 8 bytes, until scribbler_stop. */
static inline void scribbler_start(struct scribbler *s, void *memory, int64_t bytes) {
  s->words = memory;
  s->n_words = (uint64_t)bytes / sizeof(uint64_t);
  s->stop = false;
  ck_assert(pthread_create(&s->thread, NULL, scribble, s) == 0);
}

static inline void scribbler_stop(struct scribbler *s) {
  s->stop = true;
  pthread_join(s->thread, NULL);
}

#endif
