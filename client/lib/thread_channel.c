/* SPDX-License-Identifier: BSD-3-Clause */
#include "client/lib/thread_channel.h"

#include <string.h>

#define THREAD_CHANNELS 8

__thread struct thread_channel last_channel;
static __thread struct thread_channel mine[THREAD_CHANNELS];
static __thread int n_mine;
static pthread_key_t at_exit_key;

static void give_back_all(void *unused) {
  (void)unused;
  for (int i = 0; i < n_mine; i++)
    if (mine[i].channel)
      channel_return(mine[i].conn, mine[i].epoch, mine[i].channel);
  n_mine = 0;
  last_channel = (struct thread_channel){0};
}

static void make_key(void) {
  pthread_key_create(&at_exit_key, give_back_all);
}

static void remember(const struct thread_channel *m) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, make_key);
  pthread_setspecific(at_exit_key, &mine);
  last_channel = *m;
  for (int i = 0; i < n_mine; i++)
    if (mine[i].conn == m->conn) {
      mine[i] = *m; /* in place of the channel of a session that is lost */
      return;
    }
  if (n_mine == THREAD_CHANNELS) {
    if (mine[0].channel)
      channel_return(mine[0].conn, mine[0].epoch, mine[0].channel);
    memmove(&mine[0], &mine[1], sizeof(mine[0]) * (THREAD_CHANNELS - 1));
    n_mine--;
  }
  mine[n_mine++] = *m;
}

/* Retires the thread's channels of earlier sessions. conn->lock held. */
static void retire_mine(numd_conn *conn) {
  for (int i = 0; i < n_mine; i++)
    if (mine[i].conn == conn && mine[i].epoch != conn->epoch && mine[i].channel) {
      channel_retire(conn, mine[i].channel, mine[i].epoch);
      if (last_channel.channel == mine[i].channel)
        last_channel = (struct thread_channel){0};
      mine[i].channel = NULL;
    }
}

int thread_channel_get_slow(numd_conn *conn, struct channel **out) {
  uint64_t epoch = atomic_load_explicit(&conn->epoch, memory_order_acquire);
  for (int i = 0; i < n_mine; i++)
    if (mine[i].conn == conn && mine[i].epoch == epoch) {
      last_channel = mine[i];
      *out = last_channel.channel;
      return 0;
    }
  pthread_mutex_lock(&conn->lock);
  retire_mine(conn);
  int r = channel_open(conn, out);
  pthread_mutex_unlock(&conn->lock);
  if (r == 0)
    remember(&(struct thread_channel){.conn = conn, .epoch = (*out)->epoch, .channel = *out});
  return r;
}

bool thread_channel_is_mine(const struct channel *ch) {
  if (last_channel.channel == ch)
    return true;
  for (int i = 0; i < n_mine; i++)
    if (mine[i].channel == ch)
      return true;
  return false;
}

void thread_channel_each(void (*each)(struct channel *channel, int arg), int arg) {
  for (int i = 0; i < n_mine; i++)
    if (mine[i].channel && conn_hold_session(mine[i].conn, mine[i].epoch)) {
      each(mine[i].channel, arg);
      conn_let_go();
    }
}
