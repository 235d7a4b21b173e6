/* SPDX-License-Identifier: BSD-3-Clause */
/* A session without a client, for the targets that fuzz what is behind the doors. */
#ifndef NUMD_TESTS_FUZZ_TARGET_H
#define NUMD_TESTS_FUZZ_TARGET_H

#include "server/worker/session.h"

#define TARGET_BYTES 65536
#define TARGET_SEGMENTS 3 /* with the ids 0, 1 and 2 */

struct target {
  struct session session;
  struct runner *runner;
  char *memory[TARGET_SEGMENTS]; /* what the session has mapped */
};

/* The one target of the process, made on the first call. */
struct target *target_get(void);
/* Fills all segments with what the byte says; and whether they hold it still but for [from, to) of segment
 * `but`. */
void target_fill(struct target *target, uint8_t with);
bool target_is_filled(const struct target *target, uint8_t with, unsigned but, int64_t from, int64_t to);
/* An object of shared memory of so many bytes. */
int target_object(int64_t bytes);

#endif
