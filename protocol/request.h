/* SPDX-License-Identifier: BSD-3-Clause */
/* A request: a call as both doors make it, untrusted but copied out of the slot or message in which it came,
 * so that the client cannot change it any more. A completion: the answer to it, made exactly once. */
#ifndef NUMD_PROTOCOL_REQUEST_H
#define NUMD_PROTOCOL_REQUEST_H

#include <stdint.h>

#include "protocol/program.h"

/* A binding is 8 bytes: for an array its segment id and byte offset, for a scalar the value's bits. */
#define BINDING_OFFSET_BITS 48
#define BINDING_OFFSET_MAX (((uint64_t)1 << BINDING_OFFSET_BITS) - 1)

static inline uint64_t binding_make(uint32_t segment, uint64_t offset) {
  return (uint64_t)segment << BINDING_OFFSET_BITS | offset;
}
static inline uint32_t binding_segment(uint64_t binding) {
  return (uint32_t)(binding >> BINDING_OFFSET_BITS);
}
static inline uint64_t binding_offset(uint64_t binding) {
  return binding & BINDING_OFFSET_MAX;
}

/* Whether a binding has room for the value of a scalar of that dtype. */
static inline bool binding_holds(unsigned dtype) {
  return dtype == NUMD_BOOL || dtype == NUMD_INT64 || dtype == NUMD_UINT64 || dtype == NUMD_FLOAT64;
}

#define MAX_SEGMENTS 4096 /* segment ids are below this; clients choose them */
#define MAX_PLANS 65536   /* plan ids are below this; clients choose them */
#define MAX_CHANNELS 256  /* channels of a session; the daemon chooses the ids */

struct request {
  uint32_t plan_id;
  uint32_t n_bindings;
  uint64_t bindings[MAX_BINDINGS];
};

struct completion {
  int32_t status;  /* numd_status */
  uint32_t detail; /* which binding the status is about, or NO_DETAIL */
  uint8_t result[MAX_ITEM_BYTES];
};

#define NO_DETAIL UINT32_MAX

#endif
