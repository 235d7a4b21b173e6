/* SPDX-License-Identifier: BSD-3-Clause */
#include "server/worker/stats.h"

#include <unistd.h>

#include "protocol/version.h"
#include "protocol/wire.h"
#include "server/worker/sandbox.h"
#include "shared/clock.h"

#define GET(word) ((uint64_t)atomic_load_explicit(&(word), memory_order_relaxed))

static uint32_t count_spares(const struct notices *notices) {
  uint32_t n = 0;
  for (uint32_t i = 0; i < GET(notices->n_used); i++)
    n += GET(notices->entries[i].state) == WORKER_SPARE;
  return n;
}

static void pack_daemon(msgpack_packer *pk, const struct notices *notices) {
  wire_pack_str(pk, "daemon");
  msgpack_pack_map(pk, 8);
  wire_pack_str(pk, "version");
  wire_pack_str(pk, NUMD_VERSION);
  wire_pack_number(pk, "pid", (uint64_t)getppid());
  wire_pack_number(pk, "uptime_ns", clock_boot_ns() - notices->started_ns);
  wire_pack_number(pk, "cores", notices->n_cores);
  wire_pack_number(pk, "spin_tokens", notices->n_spin);
  wire_pack_number(pk, "spares", count_spares(notices));
  wire_pack_number(pk, "sessions_total", GET(notices->sessions_total));
  wire_pack_number(pk, "workers_lost", GET(notices->workers_lost));
}

/* Whether a session is the user's to see: his own, or any if he runs the daemon or is root. */
static bool may_see(const struct notices *notices, uint32_t uid, uint32_t entry) {
  const struct notice *n = &notices->entries[entry];
  return GET(n->state) == WORKER_SESSION && (uid == 0 || uid == notices->owner || GET(n->uid) == uid);
}

/* For each core or spin token the worker that holds it, 0 if that is of another user, or nil. */
static void pack_owners(msgpack_packer *pk, const struct notices *notices, uint32_t uid, const char *key,
                        const _Atomic uint32_t owners[], uint32_t n) {
  wire_pack_str(pk, key);
  msgpack_pack_array(pk, n);
  for (uint32_t i = 0; i < n; i++) {
    uint64_t owner = GET(owners[i]);
    if (owner == 0 || owner > SCOREBOARD_ENTRIES)
      msgpack_pack_nil(pk);
    else if (may_see(notices, uid, (uint32_t)owner - 1))
      msgpack_pack_uint64(pk, GET(notices->entries[owner - 1].pid));
    else
      msgpack_pack_uint64(pk, 0);
  }
}

static void pack_sandbox(msgpack_packer *pk, uint64_t held) {
  static const char *const names[] = {
#define X(bit, NAME, name, what) name,
      SANDBOX_LIST(X)
#undef X
  };
  held &= ((uint64_t)1 << sizeof(names) / sizeof(names[0])) - 1; /* other bits would spoil the answer */
  wire_pack_str(pk, "sandbox");
  msgpack_pack_array(pk, (size_t)__builtin_popcountll(held));
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
    if (held >> i & 1)
      wire_pack_str(pk, names[i]);
}

static void pack_session(msgpack_packer *pk, const struct scoreboard *scoreboard,
                         const struct notices *notices, uint32_t entry) {
  const struct scoreboard_entry *e = &scoreboard->entries[entry];
  const struct notice *who = &notices->entries[entry];
  uint64_t calls = GET(scoreboard->cores.members[entry].n_calls), by_socket = GET(e->calls_socket);
  msgpack_pack_map(pk, 12);
  wire_pack_number(pk, "pid", GET(who->pid));
  wire_pack_number(pk, "client_pid", GET(who->client_pid));
  wire_pack_number(pk, "uid", GET(who->uid));
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
static void pack_quotas(msgpack_packer *pk, const uint64_t limits[N_QUOTAS], const uint64_t used[N_QUOTAS]) {
  wire_pack_str(pk, "quotas");
  msgpack_pack_array(pk, N_QUOTAS);
  for (int q = 0; q < N_QUOTAS; q++) {
    msgpack_pack_map(pk, 4);
    wire_pack_str(pk, "name");
    wire_pack_str(pk, quota_name(q));
    wire_pack_str(pk, "what");
    wire_pack_str(pk, quota_what(q));
    wire_pack_number(pk, "used", used[q]);
    wire_pack_number(pk, "limit", limits[q]);
  }
}

void stats_pack(msgpack_packer *pk, const struct scoreboard *scoreboard, const struct notices *notices,
                uint32_t uid, const uint64_t used[N_QUOTAS]) {
  const struct cores *cores = &scoreboard->cores;
  uint32_t list[SCOREBOARD_ENTRIES], n = 0;
  for (uint32_t i = 0; i < GET(notices->n_used); i++)
    if (may_see(notices, uid, i))
      list[n++] = i;
  msgpack_pack_map(pk, 5);
  pack_daemon(pk, notices);
  pack_quotas(pk, notices->limits, used);
  pack_owners(pk, notices, uid, "core_owners", cores->core_owner, notices->n_cores);
  pack_owners(pk, notices, uid, "spin_owners", cores->spin_owner, notices->n_spin);
  wire_pack_str(pk, "sessions");
  msgpack_pack_array(pk, n);
  for (uint32_t i = 0; i < n; i++)
    pack_session(pk, scoreboard, notices, list[i]);
}
