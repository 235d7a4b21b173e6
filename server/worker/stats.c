/* SPDX-License-Identifier: BSD-3-Clause */
#include "server/worker/stats.h"

#include <unistd.h>

#include "protocol/version.h"
#include "protocol/wire.h"
#include "server/worker/sandbox.h"
#include "shared/clock.h"

#define GET(word) ((uint64_t)atomic_load_explicit(&(word), memory_order_relaxed))

static uint32_t count_state(const struct scoreboard *scoreboard, enum scoreboard_state state) {
  uint32_t n = 0;
  for (uint32_t i = 0; i < SCOREBOARD_ENTRIES; i++)
    n += GET(scoreboard->entries[i].state) == state;
  return n;
}

static void pack_daemon(msgpack_packer *pk, const struct scoreboard *scoreboard) {
  wire_pack_str(pk, "daemon");
  msgpack_pack_map(pk, 8);
  wire_pack_str(pk, "version");
  wire_pack_str(pk, NUMD_VERSION);
  wire_pack_number(pk, "pid", (uint64_t)getppid());
  wire_pack_number(pk, "uptime_ns", clock_boot_ns() - scoreboard->started_ns);
  wire_pack_number(pk, "cores", scoreboard->cores.n_cores);
  wire_pack_number(pk, "spin_tokens", scoreboard->cores.n_spin);
  wire_pack_number(pk, "spares", count_state(scoreboard, SCOREBOARD_SPARE));
  wire_pack_number(pk, "sessions_total", GET(scoreboard->sessions_total));
  wire_pack_number(pk, "workers_lost", GET(scoreboard->workers_lost));
}

/* For each core or spin token the worker that holds it, or nil. */
static void pack_owners(msgpack_packer *pk, const struct scoreboard *scoreboard, const char *key,
                        const _Atomic uint32_t owners[], uint32_t n) {
  wire_pack_str(pk, key);
  msgpack_pack_array(pk, n);
  for (uint32_t i = 0; i < n; i++) {
    uint64_t owner = GET(owners[i]);
    if (owner == 0 || owner > SCOREBOARD_ENTRIES)
      msgpack_pack_nil(pk);
    else
      msgpack_pack_int64(pk, (int64_t)GET(scoreboard->entries[owner - 1].pid));
  }
}

static void pack_sandbox(msgpack_packer *pk, uint64_t held) {
  static const char *const names[] = {
#define X(bit, NAME, name, what) name,
      SANDBOX_LIST(X)
#undef X
  };
  wire_pack_str(pk, "sandbox");
  msgpack_pack_array(pk, (size_t)__builtin_popcountll(held));
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
    if (held >> i & 1)
      wire_pack_str(pk, names[i]);
}

static void pack_session(msgpack_packer *pk, const struct scoreboard *scoreboard, uint32_t entry) {
  const struct scoreboard_entry *e = &scoreboard->entries[entry];
  uint64_t calls = GET(scoreboard->cores.members[entry].n_calls), by_socket = GET(e->calls_socket);
  msgpack_pack_map(pk, 12);
  wire_pack_number(pk, "pid", GET(e->pid));
  wire_pack_number(pk, "client_pid", GET(e->client_pid));
  wire_pack_number(pk, "uid", GET(e->uid));
  wire_pack_number(pk, "calls_ring", calls > by_socket ? calls - by_socket : 0);
  wire_pack_number(pk, "calls_socket", by_socket);
  wire_pack_number(pk, "errors", GET(e->errors));
  wire_pack_number(pk, "segments", GET(e->held[QUOTA_SEGMENTS]));
  wire_pack_number(pk, "segment_bytes", GET(e->held[QUOTA_BYTES]));
  wire_pack_number(pk, "plans", GET(e->held[QUOTA_PLANS]));
  wire_pack_number(pk, "channels", GET(e->held[QUOTA_CHANNELS]));
  wire_pack_number(pk, "busy_ns", GET(e->busy_ns));
  pack_sandbox(pk, GET(e->sandbox));
}

/* What one user holds of each quota, and the limit. */
static void pack_quotas(msgpack_packer *pk, const struct scoreboard *scoreboard, uint32_t uid,
                        const struct stats_held *held) {
  wire_pack_str(pk, "quotas");
  msgpack_pack_array(pk, N_QUOTAS);
  for (int q = 0; q < N_QUOTAS; q++) {
    msgpack_pack_map(pk, 4);
    wire_pack_str(pk, "name");
    wire_pack_str(pk, quota_name(q));
    wire_pack_str(pk, "what");
    wire_pack_str(pk, quota_what(q));
    wire_pack_number(pk, "used",
                     q == QUOTA_SESSIONS      ? held->sessions
                     : q == QUOTA_DESCRIPTORS ? held->descriptors
                                              : quota_used(scoreboard, uid, q));
    wire_pack_number(pk, "limit", scoreboard->limits[q]);
  }
}

void stats_pack(msgpack_packer *pk, const struct scoreboard *scoreboard, uint32_t uid,
                const struct stats_held *held) {
  uint32_t list[SCOREBOARD_ENTRIES], n = 0;
  for (uint32_t i = 0; i < SCOREBOARD_ENTRIES; i++)
    if (GET(scoreboard->entries[i].state) == SCOREBOARD_SESSION)
      list[n++] = i;
  msgpack_pack_map(pk, 5);
  pack_daemon(pk, scoreboard);
  pack_quotas(pk, scoreboard, uid, held);
  pack_owners(pk, scoreboard, "core_owners", scoreboard->cores.core_owner, scoreboard->cores.n_cores);
  pack_owners(pk, scoreboard, "spin_owners", scoreboard->cores.spin_owner, scoreboard->cores.n_spin);
  wire_pack_str(pk, "sessions");
  msgpack_pack_array(pk, n);
  for (uint32_t i = 0; i < n; i++)
    pack_session(pk, scoreboard, list[i]);
}
