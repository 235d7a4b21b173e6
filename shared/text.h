/* SPDX-License-Identifier: BSD-3-Clause */
/* Text that is not terminated, as messages have it. */
#ifndef NUMD_SHARED_TEXT_H
#define NUMD_SHARED_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* Whether the text of `len` bytes is this word; nothing is the word NULL. */
static inline bool text_is(const char *text, size_t len, const char *word) {
  return word && strlen(word) == len && memcmp(text, word, len) == 0;
}

#endif
