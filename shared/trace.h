/* Stamps of the time at the seams of a call, to tell where its time goes (scripts/bench/experiments/breakdown.py).
 *
 * They exist in a build with NUMD_TRACE alone, which the benchmark makes of the few files that have stamps:
 * in the product they are nothing, so that there is no cost and nothing that a client could turn on. In a
 * traced build each side of a call appends to a log of its own in memory that all share; neither reads the
 * other's lines, so the stamps disturb the call by their own time only. Two threads must not append to one
 * side: the benchmark has one call under way at a time.
 *
 * The clock is the processor's counter where the kernel trusts it too, else the monotonic clock; whoever made
 * the log decided that. An entry is the time with the point in its lowest bits. */
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
  TRACE_COST,      /* no point: two of these, one after the other, tell what a stamp costs */
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
    return __builtin_ia32_rdtscp(&core); /* waits until what comes before it is done */
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
