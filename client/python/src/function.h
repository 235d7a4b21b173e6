/* SPDX-License-Identifier: BSD-3-Clause */
/* The type Function between its two files: function_read.c has the way from arguments to a plan, function.c
 * the rest. */
#ifndef FUNCTION_H
#define FUNCTION_H

#include "pynumd.h"

#define PLANS_MAX 256
#define SLOTS (2 * PLANS_MAX) /* a power of two, at most half full */

struct function {
  PyObject_HEAD PyObject *dict;
  PyObject *wrapped;
  PyObject *parameters; /* numd._function.pytree.Parameters, once they are needed */
  int has_static;
  vectorcallfunc vectorcall;
  uint64_t n_calls;
  int n_plans;
  struct plan *plans[PLANS_MAX];
  uint16_t slots[SLOTS]; /* index of a plan plus one, or 0 */
};

/* Forgets all plans. */
void table_clear(struct function *self);

/* What reading arguments may give beside 0 and -1. */
enum {
  TRACED = 1, /* one stands for a value that is being traced */
  NESTED      /* they are to be taken apart first */
};

/* From arguments to a call that is ready; its `state` is given. With a structure, `args` are the leaves that
 * were taken from it. 0, -1, TRACED or NESTED. */
int call_read(struct call *call, struct function *self, PyObject *const *args, Py_ssize_t n,
              PyObject *structure, PyObject *out);

#endif
