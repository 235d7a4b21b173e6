/* SPDX-License-Identifier: BSD-3-Clause */
#include "client/lib/notify.h"

#include "client/lib/error.h"
#include "client/lib/rpc.h"
#include "client/lib/thread_channel.h"

static int notify_rpc(struct channel *ch) {
  struct rpc rpc;
  rpc_begin(&rpc, ch->conn, "notify");
  msgpack_pack_array(&rpc.pk, 1);
  msgpack_pack_uint32(&rpc.pk, ch->id);
  int r = rpc_run(&rpc, -1, RPC_TIMEOUT_NS);
  if (r == 0 && rpc.fd < 0)
    r = error_set(NUMD_EPROTOCOL, "the daemon sent no notification socket");
  if (r == 0) {
    ch->notify_fd = rpc.fd;
    rpc.fd = -1;
  }
  rpc_end(&rpc);
  return r;
}

int channel_notify(struct channel *ch, int *fd) {
  int r = 0;
  if (!thread_channel_is_mine(ch))
    return error_set(NUMD_EINVAL, "the call was submitted by another thread");
  if (ch->epoch != atomic_load_explicit(&ch->conn->epoch, memory_order_acquire))
    return error_set(NUMD_EDISCONNECTED, "the session of this call is gone");
  if (ch->notify_fd < 0 && (r = notify_rpc(ch)))
    return r;
  wake_notify_client(&ch->waiter, true);
  *fd = ch->notify_fd;
  return 0;
}

static void stop_notifying(struct channel *ch, int fd) {
  if (ch->notify_fd == fd)
    wake_notify_client(&ch->waiter, false);
}

void numd_notify_off(int fd) {
  thread_channel_each(stop_notifying, fd);
}
