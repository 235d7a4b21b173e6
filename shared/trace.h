/* SPDX-License-Identifier: BSD-3-Clause */
/* Time stamps at the seams of a call, which tell where its time goes
 * (scripts/bench/experiments/breakdown.py).
 *
 * Stamps exist only in a build with NUMD_TRACE, which the benchmark makes of the few files that have stamps.
 * In the product trace_stamp is empty, so that it costs nothing and a client has nothing to turn on. In a
 * traced build each side of a call appends to its own log in memory that both processes map; neither side
 * reads the other's cache lines, so stamps disturb the call by their own time only. Two threads must not
 * append to one side's log: the benchmark has one call under way at a time.
 *
 * The clock is the processor's counter where the kernel trusts that counter too, else the monotonic clock;
 * the maker of the log has decided which. An entry is the time, with the point in its lowest bits. */
#ifndef NUMD_SHARED_TRACE_H
#define NUMD_SHARED_TRACE_H

#include <stdint.h>

/* In the order in which a call passes them. */
enum trace_point {
  TRACE_BEGIN,     /* client: the program calls */
  TRACE_ENCODED,   /* client: the request is put into words, not yet seen by the other side */
  TRACE_SENT,      /* client: handed over, and the system call that wakes the other side, if any, returned */
  TRACE_TAKEN,     /* server: awake, has seen that there is a request */
  TRACE_DECODED,   /* server: holds the request in private memory */
  TRACE_CHECKED,   /* server: knows addresses that are right */
  TRACE_COMPUTED,  /* server: the kernel returned */
  TRACE_SIGNALLED, /* server: the answer handed over, the client woken */
  TRACE_WOKEN,     /* client: awake, has seen that there is an answer */
  TRACE_END,       /* client: the program goes on */
  TRACE_COST,      /* no point of a call: two of these stamps, one after the other, tell what a stamp costs */
};

#define TRACE_POINT_BITS 4
#define TRACE_ENTRIES ((1u << 17) - 8)

enum trace_clock { TRACE_CLOCK_MONOTONIC, TRACE_CLOCK_TSC };

struct trace_side {
  uint64_t n; /* entries so far; those without room are dropped */
  uint64_t pad[7];
  uint64_t entries[TRACE_ENTRIES];
};

struct trace_log {
  uint64_t clock; /* enum trace_clock */
  uint64_t pad[7];
  struct trace_side client, server;
};

#ifdef NUMD_TRACE
#include "shared/clock.h"

/* This program's log, from the file that $BENCH_TRACE names; NULL: there is none. */
extern struct trace_log *trace_log;

static inline uint64_t trace_now(enum trace_clock clock) {
#if defined(__x86_64__)
  unsigned core;
  if (clock == TRACE_CLOCK_TSC)
    return __builtin_ia32_rdtscp(&core); /* waits until the instructions before it are done */
#endif
  (void)clock;
  return (uint64_t)clock_now_ns();
}

static inline void trace_stamp(enum trace_point point) {
  if (!trace_log)
    return;
  struct trace_side *side =
      point >= TRACE_TAKEN && point <= TRACE_SIGNALLED ? &trace_log->server : &trace_log->client;
  if (side->n < TRACE_ENTRIES)
    side->entries[side->n++] = trace_now((enum trace_clock)trace_log->clock) << TRACE_POINT_BITS | point;
}
#else
static inline void trace_stamp(enum trace_point point) {
  (void)point;
}
#endif

#endif
