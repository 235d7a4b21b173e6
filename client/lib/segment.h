/* SPDX-License-Identifier: BSD-3-Clause */
/* Segments: shared-memory objects, mapped here and attached in the session. */
#ifndef NUMD_CLIENT_LIB_SEGMENT_H
#define NUMD_CLIENT_LIB_SEGMENT_H

#include <stdatomic.h>
#include <stdbool.h>

#include "client/lib/conn.h"

#define SEGMENT_TOKEN_BYTES 16

struct block;

struct numd_segment {
  numd_conn *conn;
  atomic_int refs; /* its blocks, arrays made in it, and the user's */
  uint32_t id;
  int fd;
  char *data;
  uint64_t bytes;
  bool ours;            /* made by this process, whose arena alone may hand out its blocks */
  uint64_t token_epoch; /* the session in which the token was given; 0: none yet */
  uint8_t token[SEGMENT_TOKEN_BYTES];
  uint64_t used;        /* ours: bytes handed out from the start (arena.c) */
  struct block *blocks; /* those that other processes may hold, too (block.h) */
};

/* Attaches the segments again in each new session. */
extern const struct conn_part segment_part;

/* All below with conn->lock held. */

/* A new object of ours, which nobody can shrink. */
int segment_create(numd_conn *conn, uint64_t bytes, numd_segment **out);
/* Attaches and maps what the daemon keeps under a token. */
int segment_import(numd_conn *conn, const uint8_t token[SEGMENT_TOKEN_BYTES], numd_segment **out);
/* The segment with this token if it is mapped already: received before, ours, or inherited; else NULL. */
numd_segment *segment_find(numd_conn *conn, const uint8_t token[SEGMENT_TOKEN_BYTES]);
/* Detaches and unmaps it. */
void segment_drop(numd_segment *segment);

#endif
