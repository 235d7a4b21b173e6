/* SPDX-License-Identifier: BSD-3-Clause */
/* A channel's memory: a ring of slots and, for each side, a park word and a semaphore.
 *
 * Calls of a channel are numbered from 0. Call k lives in slot k % n_slots, in lap k / n_slots. The
 * slot's `seq` says whose the slot is: 2 * lap means that the client may fill it, 2 * lap + 1 that the worker
 * has it, 2 * lap + 2 (which is 2 * (lap + 1)) that the call is done and the slot is the client's again. Both
 * sides count k in private memory.
 *
 * Beside the ring there is a single slot, for a call that is submitted while no other is in flight. It counts
 * its own calls, each a lap, and the worker serves it before anything in the ring. It is the same cache line
 * for every call, which makes it quicker than the ring: a line that both cores have in their caches changes
 * hands in half the time of one that has to be fetched from memory. How quickly a line changes hands depends
 * on its address, by a factor of two on large processors: the part of the last-level cache that keeps account
 * of the line may be near or far. So there are several single slots to choose from: each call names, in its
 * flags, the single slot of the next call, and a client may time them by pings.
 *
 * Order of memory. The client writes a slot's request fields, then stores seq with release; the worker
 * loads seq with acquire, then copies the fields once. The completion comes back in the same way.
 *
 * Sleeping. A side about to sleep stores its `parked`, then a full fence, then looks at seq once more. The
 * other side stores seq, then a full fence, then looks at `parked` and wakes the sleeper in the way that
 * `parked` names: by the semaphore, or, for a client that waits for several things in one poll, by a byte on
 * the socket that the client asked for (method `notify`). Without the fences both could look before they see
 * the other's store, and the sleeper would sleep although its slot has changed hands; with them at least one
 * sees the other. The waking side may put its fence off (wake.h), until it waits for long or begins other
 * work. The semaphore is only a hint: whoever wakes looks at seq again.
 *
 * Either side may be hostile, so each copies a slot's 128 bytes once and checks the copy. Cores and gears are
 * hints, checked for range only. */
#ifndef NUMD_SHARED_CHANNEL_H
#define NUMD_SHARED_CHANNEL_H

#include <semaphore.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/wait_policy.h"

#define CHANNEL_MAGIC 0x646d756eu /* "numd" */
#define CHANNEL_SLOTS 256u
#define SINGLE_SLOTS 16u
#define SLOT_PING 0x8000u /* flag: the worker runs no plan and only answers */
#define SLOT_INLINE 11    /* bindings in the slot itself */
#define SLOT_SPILL 53     /* bindings that go to the slot's part of the spill area */

struct slot {
  _Atomic uint32_t seq;
  uint32_t plan;
  uint16_t n_bindings;
  uint16_t flags; /* ring: 0; single: SLOT_PING, and the single slot of the next call */
  uint32_t detail;
  int32_t status;
  uint32_t reserved; /* 0 */
  uint64_t bindings[3];
  uint8_t result[16];
  uint64_t more_bindings[8];
};

/* How a side wants to be woken. */
enum {
  PARKED_SEM = 1, /* by its semaphore */
  PARKED_FD = 2,  /* client: by a byte on its notification socket */
};

/* Words that one side writes and the other reads. */
struct channel_side {
  _Atomic uint32_t parked; /* PARKED_*: asleep or about to be; 0: awake */
  _Atomic uint32_t cpu;    /* the core it runs on */
  _Atomic uint32_t gear;   /* enum gear, of the worker */
  uint8_t pad[116];
};

/* A semaphore alone on its cache lines; only the functions of sem.h touch it. */
struct channel_sem {
  sem_t sem;
  uint8_t pad[128 - sizeof(sem_t)];
};

struct channel_memory {
  uint32_t magic, signature, n_slots, slot_bytes;
  uint32_t spill_bindings; /* a slot */
  uint32_t wait;           /* enum numd_wait */
  uint64_t total_bytes;
  uint8_t pad[96];
  struct channel_side client, worker;
  struct channel_sem client_sem, worker_sem;
  struct slot single[SINGLE_SLOTS];
  struct slot slots[CHANNEL_SLOTS];
  uint64_t spill[CHANNEL_SLOTS][SLOT_SPILL];
  uint64_t single_spill[SLOT_SPILL];
};

_Static_assert(sizeof(struct slot) == 128, "a slot is two cache lines");
_Static_assert(offsetof(struct slot, plan) == 4, "layout");
_Static_assert(offsetof(struct slot, n_bindings) == 8, "layout");
_Static_assert(offsetof(struct slot, detail) == 12, "layout");
_Static_assert(offsetof(struct slot, status) == 16, "layout");
_Static_assert(offsetof(struct slot, bindings) == 24, "layout");
_Static_assert(offsetof(struct slot, result) == 48, "the first three bindings and the result share a line");
_Static_assert(offsetof(struct slot, more_bindings) == 64, "layout");
_Static_assert(sizeof(struct channel_side) == 128, "a side has its own lines");
_Static_assert(sizeof(struct channel_sem) == 128, "a semaphore has its own lines");
_Static_assert(offsetof(struct channel_memory, client) == 128, "layout");
_Static_assert(offsetof(struct channel_memory, single) == 640, "layout");
_Static_assert(offsetof(struct channel_memory, slots) == 2688, "layout");

/* Changes whenever a size or offset above does; both sides compare it. */
#define CHANNEL_SIGNATURE \
  ((uint32_t)(sizeof(struct channel_memory) ^ sizeof(sem_t) << 20 ^ CHANNEL_SLOTS << 8 ^ 0x12u))

/* Worker: makes and maps a channel's memory, a memfd sealed against any change of size. -errno. */
int channel_new(enum numd_wait wait, struct channel_memory **out, int *fd);
/* Client: maps a channel that the worker sent. -EPROTO if it is not laid out as here; else -errno. */
int channel_map(int fd, struct channel_memory **out);
void channel_unmap(struct channel_memory *channel);

/* A bit of the number by which a client cancels a call: the call is in the single slot, not in the ring. */
#define SINGLE_CALL ((uint64_t)1 << 63)

/* The seq that says that a call was submitted, or is done; calls of the single slot and of the ring are
 * counted apart. */
static inline uint32_t single_seq_submitted(uint64_t call) {
  return (uint32_t)call * 2 + 1;
}
static inline uint32_t single_seq_done(uint64_t call) {
  return (uint32_t)call * 2 + 2;
}
static inline uint32_t channel_seq_submitted(uint64_t call) {
  return (uint32_t)(call / CHANNEL_SLOTS) * 2 + 1;
}
static inline uint32_t channel_seq_done(uint64_t call) {
  return (uint32_t)(call / CHANNEL_SLOTS) * 2 + 2;
}
static inline struct slot *channel_slot(struct channel_memory *channel, uint64_t call) {
  return &channel->slots[call % CHANNEL_SLOTS];
}

#endif
