/* SPDX-License-Identifier: BSD-3-Clause */
/* What the fuzz targets share. Each target is one file with libFuzzer's entry; `make fuzz` links it with
 * libFuzzer, and the tests with replay.c, which runs the files of its corpus. */
#ifndef NUMD_TESTS_FUZZ_H
#define NUMD_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must be so whatever the input is. */
#define MUST(condition)                                                              \
  do {                                                                               \
    if (!(condition)) {                                                              \
      fprintf(stderr, "%s:%d: error: not so: %s\n", __FILE__, __LINE__, #condition); \
      abort();                                                                       \
    }                                                                                \
  } while (0)

/* The input as a sequence of decisions; behind its end all are 0. */
struct input {
  const uint8_t *at;
  size_t left;
};

static inline uint8_t input_byte(struct input *in) {
  if (in->left == 0)
    return 0;
  in->left--;
  return *in->at++;
}

static inline uint32_t input_below(struct input *in, uint32_t n) {
  uint32_t value = input_byte(in);
  if (n > 256)
    value |= (uint32_t)input_byte(in) << 8 | (uint32_t)input_byte(in) << 16;
  return value % n;
}

static inline uint64_t input_word(struct input *in) {
  uint64_t value = 0;
  for (int i = 0; i < 8; i++)
    value |= (uint64_t)input_byte(in) << 8 * i;
  return value;
}

#endif
