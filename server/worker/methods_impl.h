/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of methods share: methods.c has the table and the small methods, methods_segment.c those
 * about memory, methods_sharing.c those about who holds it, methods_plan.c those about plans and calls.
 *
 * A method's function reads its params, does the work through the session, and packs its result behind the
 * header of a response that is in the output already. Or it returns a status with a sentence; then methods.c
 * takes the header, and whatever else was packed, out of the output again. */
#ifndef NUMD_SERVER_WORKER_METHODS_IMPL_H
#define NUMD_SERVER_WORKER_METHODS_IMPL_H

#include "protocol/wire.h"
#include "server/worker/methods.h"
#include "server/worker/worker.h"

#define MEANT_LATER (-1) /* a method's result: the answer will be put out when a long call is done */

/* A client's request of a method, and where its response goes. */
struct method_request {
  struct worker *worker;
  struct session *session;
  msgpack_packer *pk;
  size_t mark; /* where the response begins */
  uint32_t msgid;
  const msgpack_object *params; /* as many as the method takes */
};

int method_attach(struct method_request *r, struct errtext *err);
int method_detach(struct method_request *r, struct errtext *err);
int method_share(struct method_request *r, struct errtext *err);
int method_lend(struct method_request *r, struct errtext *err);
int method_take(struct method_request *r, struct errtext *err);
int method_give(struct method_request *r, struct errtext *err);
int method_returned(struct method_request *r, struct errtext *err);
int method_publish(struct method_request *r, struct errtext *err);
int method_open(struct method_request *r, struct errtext *err);
int method_unpublish(struct method_request *r, struct errtext *err);
int method_memory(struct method_request *r, struct errtext *err);
int method_prepare(struct method_request *r, struct errtext *err);
int method_explain(struct method_request *r, struct errtext *err);
int method_release(struct method_request *r, struct errtext *err);
int method_call(struct method_request *r, struct errtext *err);

#endif
