/* SPDX-License-Identifier: BSD-3-Clause */
/* Waiting for the daemon.
 *
 * Most calls are done within a few microseconds, less than it takes to give up the GIL and get it back
 * from a busy thread. So the first WITH_GIL_NS are waited with the GIL held; only then, or at once if the
 * call is known to take longer, do other threads get to run. Whoever waits longer looks for signals now and
 * then, so that Ctrl-C is heard: the main thread, where Python runs its handlers, often; others, each of
 * which would take the GIL for nothing, seldom (where Python is embedded, one of them may be its main
 * thread).
 *
 * Exceptions are made by numd._errors, which knows the class for each status. */
#include "pynumd.h"

#include <unistd.h>

#define SLICE_NS 100000000
#define SELDOM_NS 1000000000

PyObject *raise_status(struct state *state, int status) {
  PyObject *make = imported(state, IMPORT_MAKE_ERROR);
  PyObject *error = make ? PyObject_CallFunction(make, "isss", status, numd_status_name(status),
                                                 numd_status_message(status), numd_error())
                         : NULL;
  if (error) {
    PyErr_SetObject((PyObject *)Py_TYPE(error), error);
    Py_DECREF(error);
  }
  return NULL;
}

static int wait_slice(numd_ticket *ticket, int64_t timeout_ns, numd_scalar *result) {
  int status;
  Py_BEGIN_ALLOW_THREADS;
  status = numd_wait(ticket, timeout_ns, result);
  Py_END_ALLOW_THREADS;
  return status;
}

int64_t wait_slice_ns(void) {
  return gettid() == getpid() ? SLICE_NS : SELDOM_NS;
}

int wait_released(numd_ticket *ticket, int64_t timeout_ns, numd_scalar *result) {
  const int64_t most = wait_slice_ns();
  for (;;) {
    int64_t slice = timeout_ns < most ? timeout_ns : most;
    int status = wait_slice(ticket, slice, result);
    if (status != NUMD_ETIMEOUT)
      return status;
    if (PyErr_CheckSignals())
      return -1;
    if (timeout_ns != NUMD_FOREVER && (timeout_ns -= slice) <= 0)
      return NUMD_ETIMEOUT;
  }
}

/* The arrays of the call belong to a frame that is about to unwind, so the daemon must be done first. */
static void wait_abandoned(numd_ticket *ticket) {
  PyObject *type, *value, *traceback;
  PyErr_Fetch(&type, &value, &traceback);
  numd_cancel(ticket);
  wait_slice(ticket, NUMD_FOREVER, NULL);
  PyErr_Restore(type, value, traceback);
}

int wait_on(int status, numd_ticket *ticket, numd_scalar *result) {
  if (status != NUMD_ETIMEOUT)
    return status;
  status = wait_released(ticket, NUMD_FOREVER, result);
  if (status < 0)
    wait_abandoned(ticket);
  return status;
}
