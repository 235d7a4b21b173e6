/* SPDX-License-Identifier: BSD-3-Clause */
/* Which channels are the calling thread's: one for each of the connections that it used last. */
#ifndef NUMD_CLIENT_LIB_THREAD_CHANNEL_H
#define NUMD_CLIENT_LIB_THREAD_CHANNEL_H

#include "client/lib/channel.h"

/* The channel belongs to the session with this epoch. The connection may have been freed since, and another
 * may be at its address: the epoch tells (conn_hold_session). */
struct thread_channel {
  numd_conn *conn;
  uint64_t epoch;
  struct channel *channel;
};

/* The channel that the calling thread used last. */
extern __thread struct thread_channel last_channel __attribute__((tls_model("initial-exec")));

/* The calling thread's channel, opened on its first call. */
int thread_channel_get_slow(numd_conn *conn, struct channel **out);
static inline int thread_channel_get(numd_conn *conn, struct channel **out) {
  if (last_channel.conn != conn ||
      last_channel.epoch != atomic_load_explicit(&conn->epoch, memory_order_acquire))
    return thread_channel_get_slow(conn, out);
  *out = last_channel.channel;
  return 0;
}

/* Whether the calling thread is the owner of the channel. */
bool thread_channel_is_mine(const struct channel *channel);

/* Calls `each` with the thread's channels whose sessions are not lost; they are not freed while it runs. */
void thread_channel_each(void (*each)(struct channel *channel, int arg), int arg);

#endif
