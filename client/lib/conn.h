/* SPDX-License-Identifier: BSD-3-Clause */
/* A connection and its sessions.
 *
 * The words of the library, each used for one thing:
 *   connection  what numd_connect gives. It outlives its sessions.
 *   session     what the daemon keeps for us while one socket is open. When the daemon or its worker dies, or
 *               after a fork, the next use of the connection opens another session, of another epoch.
 *   epoch       the number of a session, unique in the process.
 *   segment     a shared-memory object, mapped here and known to the session (segment.h).
 *   block       a piece of a segment that arrays live in (block.h).
 *   array       a view of a block, or of a segment that the user attached (array.h).
 *   plan        a program that the daemon has prepared (plan.h).
 *   binding     8 bytes that tell the daemon one argument of a call: an array's place or a scalar's value
 *               (bindings.h).
 *   call        one computation of a plan: submitted, then waited for (call.h).
 *   ticket      what the user holds of a submitted call (numd_ticket).
 *   pending     a call that was submitted and not yet waited for to its end (pending.h).
 *   channel     the shared memory through which one thread's calls go (channel.h).
 *
 * Every module that keeps something for a connection says so in a struct conn_part: conn.c opens and loses
 * sessions without knowing what is kept; connect.c lists the parts.
 *
 * Locks, in the order in which they may be taken: the registry of connections (conn.c), conn->lock, the table
 * of layouts (layout.c), a channel's pending calls (pending.c). fork() takes the first three, so that a child
 * never inherits one in the middle of a change. */
#ifndef NUMD_CLIENT_LIB_CONN_H
#define NUMD_CLIENT_LIB_CONN_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "client/numd.h"
#include "protocol/request.h"
#include "shared/address.h"

/* What a module keeps for a connection. Functions may be NULL. All but `init` and `deinit` run under
 * conn->lock. */
struct conn_part {
  int (*init)(numd_conn *conn);
  void (*deinit)(numd_conn *conn); /* also if init failed half-way; there is no session and no other user */
  /* The session is over. inherited: this process was forked, and the session and all that it has are the
   * parent's. */
  void (*lost)(numd_conn *conn, bool inherited);
  /* Another session is open: tells the daemon what it must know before anything else. */
  int (*open)(numd_conn *conn);
};

struct numd_conn {
  atomic_int refs;
  pthread_mutex_t lock; /* recursive; the socket and everything below */
  char address[ADDRESS_BYTES];
  char *daemon;
  bool no_start;
  enum numd_door door;
  enum numd_wait wait;
  int sock;
  _Atomic uint64_t epoch;   /* of the session */
  atomic_bool broken;       /* the session is gone: another is to be opened before the next use */
  uint64_t fork_generation; /* of the process that opened the session */
  struct numd_conn *next;   /* registry */

  uint32_t next_msgid; /* rpc.c */
  char *in;            /* rpc.c: received and not yet used */
  size_t in_len, in_cap;

  const struct conn_part *const *parts;
  numd_segment *segments[MAX_SEGMENTS]; /* by id; segment.c */
  struct arena *arena;
  struct channel_table *channels;
  struct plan_table *plans;
  struct plan_cache *plan_cache;
};

/* How many forks lie between the process that loaded the library and this one. */
extern _Atomic uint64_t fork_generation;

/* Opens a session. parts: in the order in which they are set up, ending with NULL; taken down in reverse. */
int conn_new(const numd_options *options, const struct conn_part *const *parts, numd_conn **out);

/* Whether this process was forked since the session was opened, which is then the parent's. */
static inline bool conn_is_inherited(const numd_conn *conn) {
  return conn->fork_generation != atomic_load_explicit(&fork_generation, memory_order_relaxed);
}
/* Whether there is a session of this process, as far as is known. */
static inline bool conn_has_session(const numd_conn *conn) {
  return !conn_is_inherited(conn) && !atomic_load_explicit(&conn->broken, memory_order_relaxed);
}

/* The first step of every use: opens another session if there is none. Without conn->lock. */
int conn_enter_slow(numd_conn *conn);
static inline int conn_enter(numd_conn *conn) {
  return __builtin_expect(conn_has_session(conn), 1) ? 0 : conn_enter_slow(conn);
}

/* Whether the daemon hung up; marks the connection broken. */
bool conn_is_dead(numd_conn *conn);

/* Whether a connection with this address still exists; a thread that has kept the address asks before it uses
 * it. If so, the connection and its channels stay until conn_let_go. That must be soon, for until then no
 * connection can be made or freed. */
bool conn_hold(numd_conn *conn);
/* As conn_hold, if the connection also has that session still; else it may be another at the same address. */
bool conn_hold_session(numd_conn *conn, uint64_t epoch);
void conn_let_go(void);

#endif
