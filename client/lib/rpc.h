/* SPDX-License-Identifier: BSD-3-Clause */
/* One request over the socket and its response. */
#ifndef NUMD_CLIENT_LIB_RPC_H
#define NUMD_CLIENT_LIB_RPC_H

#include <msgpack.h>
#include <stdbool.h>

#include "client/numd.h"
#include "protocol/wire.h"

#define RPC_TIMEOUT_NS 60000000000

/* A request under construction and its response. */
struct rpc {
  numd_conn *conn;
  msgpack_sbuffer out;
  msgpack_packer pk;
  uint32_t msgid;
  struct wire_message reply;
  bool has_reply;
  int fd; /* that came beside the response, or -1 */
};

/* Starts a request: afterwards the caller packs its params into rpc->pk. conn->lock is held until rpc_end. */
void rpc_begin(struct rpc *rpc, numd_conn *conn, const char *method);
/* Sends the request, with send_fd beside it unless that is -1, and waits for the response. 0, the status of
 * an error response, EDISCONNECTED or ETIMEOUT. */
int rpc_run(struct rpc *rpc, int send_fd, int64_t timeout_ns);
/* As rpc_run, for a request whose result is a text; *text is the caller's to free. */
int rpc_run_for_text(struct rpc *rpc, char **text);
void rpc_end(struct rpc *rpc);
/* Starts a notification, which has no response; rpc_notify sends and ends it. */
void rpc_begin_notify(struct rpc *rpc, numd_conn *conn, const char *method);
void rpc_notify(struct rpc *rpc);

#endif
