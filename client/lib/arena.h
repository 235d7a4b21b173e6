/* SPDX-License-Identifier: BSD-3-Clause */
/* The memory that arrays live in: blocks cut out of a few large segments, and used again. */
#ifndef NUMD_CLIENT_LIB_ARENA_H
#define NUMD_CLIENT_LIB_ARENA_H

#include "client/lib/block.h"

/* Sizes are rounded up to classes, four to a doubling. */
#define ARENA_CLASSES 72
#define ARENA_LARGE ((uint64_t)4 << 20)          /* a longer block has a segment for itself */
#define ARENA_SEGMENT_BYTES ((uint64_t)64 << 20) /* of a segment that blocks are cut out of */
/* After so many blocks that others held when their last array here was dropped, the daemon is asked which of
 * them nobody holds any more. */
#define ARENA_RECLAIM 32

extern const struct conn_part arena_part;

/* The class of a size up to ARENA_LARGE, and the bytes of its blocks: 64, 80, 96, 112, 128, 160, ... */
int arena_class(uint64_t bytes, uint64_t *rounded);

/* A PRIVATE block with one reference. is_zero: nobody ever wrote to it. ENOMEMORY, ELIMIT, EDISCONNECTED. */
int arena_alloc(numd_conn *conn, uint64_t bytes, bool *is_zero, struct block **out);
/* An array in the block is gone. With the last one the block goes to the next state that it may have
 * (block.h). */
void block_unref(struct block *block);

#endif
