/* SPDX-License-Identifier: BSD-3-Clause */
#include "client/lib/block.h"

#include <stdlib.h>

#define BIT(state) (1u << BLOCK_##state)

const uint16_t block_next_states[BLOCK_STATES] = {
    [BLOCK_FREE] = BIT(PRIVATE),
    [BLOCK_PRIVATE] = BIT(SHARED) | BIT(FREE) | BIT(INHERITED),
    [BLOCK_INHERITED] = BIT(FREE),
    [BLOCK_SHARED] = BIT(LENT),
    [BLOCK_LENT] = BIT(SHARED) | BIT(FREE),
    [BLOCK_BORROWED] = BIT(KEPT),
    [BLOCK_KEPT] = BIT(BORROWED),
};

struct block *block_new(numd_segment *segment, uint64_t offset, uint64_t bytes, int class,
                        enum block_state state) {
  struct block *b = calloc(1, sizeof(*b));
  if (!b)
    return NULL;
  b->segment = segment;
  b->offset = offset;
  b->bytes = bytes;
  b->class = class;
  atomic_init(&b->state, (uint8_t)state);
  return b;
}

void block_list(struct block *block) {
  numd_segment *s = block->segment;
  if (block->shared_epoch)
    return;
  block->shared_epoch = s->conn->epoch;
  block->next = s->blocks;
  s->blocks = block;
}

struct block *block_find(const numd_segment *segment, uint64_t offset) {
  struct block *b = segment->blocks;
  while (b && b->offset != offset)
    b = b->next;
  return b;
}

void block_free(struct block *block) {
  for (struct block **p = &block->segment->blocks; *p; p = &(*p)->next)
    if (*p == block) {
      *p = block->next;
      break;
    }
  free(block);
}
