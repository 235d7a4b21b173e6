/* SPDX-License-Identifier: BSD-3-Clause */
/* Waiting policies: how a client's thread and the worker wait for each other. One list; enum and names expand
 * from it.
 *
 * AUTO adapts to the time between calls; the others fix one gear (wake.h) and exist to be measured. */
#ifndef NUMD_SHARED_WAIT_POLICY_H
#define NUMD_SHARED_WAIT_POLICY_H

/* X(NAME, name) */
#define NUMD_WAIT_LIST(X) \
  X(AUTO, auto)           \
  X(SPIN, spin)           \
  X(HANDOFF, handoff)     \
  X(SLEEP, sleep)

enum numd_wait {
#define X(NAME, name) NUMD_WAIT_##NAME,
  NUMD_WAIT_LIST(X)
#undef X
      NUMD_N_WAITS
};

#endif
