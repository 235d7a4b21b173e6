/* SPDX-License-Identifier: BSD-3-Clause */
/* Blocks: pieces of segments that arrays live in, and what may become of them.
 *
 *   FREE       on a free list of the arena
 *   PRIVATE    arrays of ours live in it, and no other process has it, forked children apart
 *   INHERITED  it was PRIVATE, and its last array is gone; a forked child may still have arrays in it
 *   SHARED     arrays of ours live in it, and other processes may hold it, too
 *   LENT       it was SHARED, and our last array is gone; others may still hold it
 *   BORROWED   another process made it; arrays of ours live in it, and we hold it
 *   KEPT       it was BORROWED, and our last array is gone; a forked child may still have arrays in it, so we
 *              hold it for the child
 *
 *   FREE -> PRIVATE                        an array is made
 *   PRIVATE -> SHARED                      a handle of it is made, or a name
 *   PRIVATE -> FREE, INHERITED             its last array is dropped
 *   INHERITED -> FREE                      the children that had it have ended
 *   SHARED -> LENT                         its last array is dropped
 *   LENT -> SHARED                         it came back by a handle
 *   LENT -> FREE                           the daemon says that nobody holds it, and no child has it
 *   BORROWED -> KEPT                       its last array is dropped, and a child may have it
 *   KEPT -> BORROWED                       it came once more by a handle
 *
 * From each state a block may also end: its memory goes back to where it came from, or stays with the parent.
 * All but the count of references is guarded by conn->lock. */
#ifndef NUMD_CLIENT_LIB_BLOCK_H
#define NUMD_CLIENT_LIB_BLOCK_H

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "client/lib/segment.h"

enum block_state {
  BLOCK_FREE,
  BLOCK_PRIVATE,
  BLOCK_INHERITED,
  BLOCK_SHARED, /* the first of those that are on their segment's list */
  BLOCK_LENT,
  BLOCK_BORROWED,
  BLOCK_KEPT,
  BLOCK_STATES
};

/* The class of a block that has its segment for itself, or is of another process. */
#define BLOCK_ALONE (-1)

struct block {
  numd_segment *segment;
  uint64_t offset, bytes;
  int class;             /* of its size (arena.c), or BLOCK_ALONE */
  _Atomic uint8_t state; /* enum block_state */
  uint64_t shared_epoch; /* the session in which the daemon was told that we hold it */
  uint64_t born;         /* fork_watch_count when it was handed out */
  atomic_int refs;       /* the arrays in it */
  struct block *next;    /* on a list of the arena, or of its segment's blocks */
};

/* A block without references; NULL: no memory. */
struct block *block_new(numd_segment *segment, uint64_t offset, uint64_t bytes, int class,
                        enum block_state state);
static inline void block_ref(struct block *block) {
  atomic_fetch_add_explicit(&block->refs, 1, memory_order_relaxed);
}

static inline enum block_state block_state(const struct block *block) {
  return (enum block_state)atomic_load_explicit(&block->state, memory_order_relaxed);
}
/* For each state, bit s: a block in that state may become s. */
extern const uint16_t block_next_states[BLOCK_STATES];
/* Changes the state; a transition that is not listed above is our mistake, and aborts. */
static inline void block_become(struct block *block, enum block_state state) {
  assert(block_next_states[block_state(block)] >> state & 1);
  atomic_store_explicit(&block->state, (uint8_t)state, memory_order_relaxed);
}

/* Whether it is on its segment's list. */
static inline bool block_is_listed(const struct block *block) {
  return block_state(block) >= BLOCK_SHARED;
}
/* Puts the block on its segment's list, and notes that the daemon was told of it in this session; a block
 * that is listed already keeps the session that was noted. */
void block_list(struct block *block);
/* The listed block that begins there, or NULL. */
struct block *block_find(const numd_segment *segment, uint64_t offset);
/* Takes it off the list, if it is on it, and frees it. */
void block_free(struct block *block);

#endif
