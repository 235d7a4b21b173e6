/* SPDX-License-Identifier: BSD-3-Clause */
/* Arrays that grow as items are added. */
#ifndef NUMD_SHARED_GROW_H
#define NUMD_SHARED_GROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

/* Makes room for one more item in an array that has n items and room for *room. False: out of memory, and
 * nothing has changed. */
static inline bool grow(void **items, size_t n, size_t *room, size_t item_bytes) {
  if (n < *room)
    return true;
  size_t more = *room ? *room * 2 : 8;
  void *grown = realloc(*items, more * item_bytes);
  if (!grown)
    return false;
  *items = grown;
  *room = more;
  return true;
}

#endif
