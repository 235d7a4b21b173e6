/* SPDX-License-Identifier: BSD-3-Clause */
/* What functions that make arrays are asked for. */
#ifndef CREATE_H
#define CREATE_H

#include "pynumd.h"

#define KEYWORDS(function) (PyCFunction)(void (*)(void))(function), METH_VARARGS | METH_KEYWORDS

struct request {
  struct state *state;
  numd_conn *conn; /* a reference */
  numd_dtype dtype;
  int ndim;
  int64_t shape[NUMD_MAX_DIMS];
};

static inline void request_drop(struct request *request) {
  conn_drop(&request->conn);
}

#define REQUEST(name, module) \
  __attribute__((cleanup(request_drop))) struct request name = {.state = module_state(module)}

/* Fills the rest in; None for dtype or session is the default. */
int request_complete(struct request *request, PyObject *shape, PyObject *dtype, PyObject *session);

#endif
