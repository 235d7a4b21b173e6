/* SPDX-License-Identifier: BSD-3-Clause */
/* From the arguments of a Function's call to its plan.
 *
 * A call turns its arguments into a key of addresses (struct key) and looks for a plan in an open-addressing
 * table. Only a miss goes to Python: numd._function.trace runs the function on stand-ins for its arguments,
 * plan.c has the trace prepared. At PLANS_MAX the plan that was not called for longest makes room. */
#include "function.h"

/* ---- The table */

static void key_add(struct key *key, const void *item) {
  key->hash = (key->hash ^ (uintptr_t)item >> 4) * 0x9E3779B97F4A7C15u;
  key->item[key->n++] = item;
}

static int key_equal(const struct key *a, const struct key *b) {
  return a->hash == b->hash && a->n == b->n && !memcmp(a->item, b->item, (size_t)a->n * sizeof *a->item);
}

static size_t key_slot(const struct key *key) {
  return key->hash >> 32 & (SLOTS - 1);
}

static struct plan *table_find(struct function *self, const struct key *key) {
  for (size_t slot = key_slot(key); self->slots[slot]; slot = (slot + 1) & (SLOTS - 1)) {
    struct plan *plan = self->plans[self->slots[slot] - 1];
    if (key_equal(plan->key, key))
      return plan;
  }
  return NULL;
}

static void table_link(struct function *self, int i) {
  size_t slot = key_slot(self->plans[i]->key);
  while (self->slots[slot])
    slot = (slot + 1) & (SLOTS - 1);
  self->slots[slot] = (uint16_t)(i + 1);
}

static int table_oldest(const struct function *self) {
  int oldest = 0;
  for (int i = 1; i < PLANS_MAX; i++)
    if (self->plans[i]->last_used < self->plans[oldest]->last_used)
      oldest = i;
  return oldest;
}

/* Takes over the reference. Gives the plan that had to make room, or NULL. */
static struct plan *table_add(struct function *self, struct plan *plan) {
  if (self->n_plans < PLANS_MAX) {
    self->plans[self->n_plans] = plan;
    table_link(self, self->n_plans++);
    return NULL;
  }
  int i = table_oldest(self);
  struct plan *evicted = self->plans[i];
  self->plans[i] = plan;
  memset(self->slots, 0, sizeof self->slots);
  for (i = 0; i < PLANS_MAX; i++)
    table_link(self, i);
  return evicted;
}

/* The plan with that key, with a reference: the one that is there, or else `made`, whose reference is taken
 * over; NULL if both are none. */
static struct plan *table_get(struct function *self, const struct key *key, struct plan *made) {
  struct plan *plan, *left = made;
  OBJECT_ENTER(self);
  plan = table_find(self, key);
  if (!plan && made) {
    plan = made;
    left = table_add(self, made);
  }
  if (plan) {
    plan->last_used = ++self->n_calls;
    Py_INCREF(plan);
  }
  OBJECT_LEAVE();
  Py_XDECREF(left);
  return plan;
}

void table_clear(struct function *self) {
  int n = self->n_plans;
  self->n_plans = 0;
  memset(self->slots, 0, sizeof self->slots);
  for (int i = 0; i < n; i++)
    Py_CLEAR(self->plans[i]);
}

/* ---- Reading a call */

struct outs {
  int n;
  PyObject *items[NUMD_MAX_BINDINGS]; /* borrowed; NULL: to be made */
};

static int outs_add(struct state *state, struct outs *outs, PyObject *item) {
  if (item != Py_None && !array_check(state, item)) {
    PyErr_Format(PyExc_TypeError, "out has a %s, not a numd.Array", Py_TYPE(item)->tp_name);
    return -1;
  }
  outs->items[outs->n++] = item == Py_None ? NULL : item;
  return 0;
}

static int outs_read(struct state *state, struct outs *outs, PyObject *object) {
  outs->n = 0;
  if (!object || object == Py_None)
    return 0;
  if (!PyTuple_Check(object))
    return outs_add(state, outs, object);
  if (PyTuple_GET_SIZE(object) > NUMD_MAX_BINDINGS) {
    PyErr_SetString(PyExc_ValueError, "too many arrays in out");
    return -1;
  }
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(object); i++)
    if (outs_add(state, outs, PyTuple_GET_ITEM(object, i)))
      return -1;
  return 0;
}

static void call_own(struct call *call, PyObject *array) {
  call->owned[call->n_owned++] = array;
}

static int conn_agree(numd_conn **conn, PyObject *array) {
  numd_conn *own = array_view(array)->conn;
  if (*conn && *conn != own) {
    PyErr_SetString(PyExc_ValueError, "the arrays belong to different sessions");
    return -1;
  }
  *conn = own;
  return 0;
}

/* Whether it becomes an array here: what has a buffer, but for text. Anything else is left to
 * numd._function.pytree. */
static int is_buffer(PyObject *object) {
  return PyObject_CheckBuffer(object) && !PyBytes_Check(object);
}

static int call_argument(struct call *call, struct key *key, numd_conn **conn, PyObject *object,
                         int is_leaf) {
  struct state *state = call->state;
  numd_arg *arg = &call->args[call->n_args++];
  PyObject *array = array_check(state, object) ? Py_NewRef(object) : NULL;
  arg->array = NULL;
  if (!array) {
    int kind = scalar_parse(object, &arg->scalar);
    if (kind == 1)
      key_add(key, (const void *)(uintptr_t)(16 * (arg->scalar.dtype + 1)));
    if (kind)
      return kind < 0 ? -1 : 0;
    if (is_tracer(state, object))
      return TRACED;
    if (!is_leaf && !is_buffer(object))
      return NESTED;
    if (!(array = array_from(state, object, NUMD_DTYPE_NONE, *conn)))
      return -1;
  }
  call_own(call, array);
  arg->array = array_view(array);
  key_add(key, arg->array->layout);
  return conn_agree(conn, array);
}

static int call_arguments(struct call *call, struct key *key, numd_conn **conn, PyObject *const *args,
                          Py_ssize_t n, PyObject *structure) {
  if (n > NUMD_MAX_BINDINGS) {
    PyErr_Format(PyExc_ValueError, "%zd arguments; at most %d are possible", n, NUMD_MAX_BINDINGS);
    return -1;
  }
  key_add(key, structure ? (const void *)structure : (const void *)(uintptr_t)(16 * n));
  for (Py_ssize_t i = 0; i < n; i++) {
    int status = call_argument(call, key, conn, args[i], structure != NULL);
    if (status)
      return status;
  }
  return 0;
}

static int key_outs(struct key *key, numd_conn **conn, const struct outs *outs) {
  for (int i = 0; i < outs->n; i++) {
    key_add(key, outs->items[i] ? array_view(outs->items[i])->layout : NULL);
    if (outs->items[i] && conn_agree(conn, outs->items[i]))
      return -1;
  }
  key_add(key, *conn);
  return 0;
}

static PyObject *trace(struct function *self, const struct call *call, PyObject *const *args, Py_ssize_t n,
                       PyObject *structure) {
  PyObject *function = imported(call->state, IMPORT_TRACE);
  PyObject *seen = function ? PyTuple_New(n) : NULL;
  if (!seen)
    return NULL;
  int array = 0; /* arguments that were converted are traced as the arrays that they became */
  for (Py_ssize_t i = 0; i < n; i++)
    PyTuple_SET_ITEM(seen, i, Py_NewRef(call->args[i].array ? call->owned[array++] : args[i]));
  PyObject *answer =
      PyObject_CallFunctionObjArgs(function, self->wrapped, seen, structure ? structure : Py_None, NULL);
  Py_DECREF(seen);
  return answer;
}

static struct plan *function_plan(struct function *self, struct call *call, const struct key *key,
                                  numd_conn *conn, const struct outs *outs, PyObject *const *args,
                                  Py_ssize_t n, PyObject *structure) {
  struct plan *plan = table_get(self, key, NULL);
  if (plan)
    return plan;
  PyObject *traced = trace(self, call, args, n, structure);
  plan = traced ? plan_build(call->state, traced, conn, (int)n, outs->items, outs->n, key) : NULL;
  Py_XDECREF(traced);
  if (!plan)
    return NULL;
  plan->structure = Py_XNewRef(structure);
  return table_get(self, key, plan);
}

static void call_array(struct call *call, PyObject *array) {
  call_own(call, array);
  call->args[call->n_args++].array = array_view(array);
}

/* An array, or a scalar that was read when the program was made. */
static void call_captured(struct call *call, PyObject *object) {
  if (array_check(call->state, object)) {
    call_array(call, Py_NewRef(object));
    return;
  }
  numd_arg *arg = &call->args[call->n_args++];
  arg->array = NULL;
  scalar_parse(object, &arg->scalar);
}

static int call_outputs(struct call *call, const struct outs *outs) {
  const struct plan *plan = call->plan;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(plan->captured); i++)
    call_captured(call, PyTuple_GET_ITEM(plan->captured, i));
  for (int i = 0; i < plan->n_outputs; i++) {
    PyObject *given = i < outs->n ? outs->items[i] : NULL;
    const numd_layout *layout = numd_plan_output(plan->plan, i);
    PyObject *array =
        given
            ? Py_NewRef(given)
            : array_as_value(array_new(call->state, plan->conn, layout->dtype, layout->ndim, layout->shape));
    if (!array)
      return -1;
    call_array(call, array);
    call->outputs[i] = array;
  }
  return 0;
}

int call_read(struct call *call, struct function *self, PyObject *const *args, Py_ssize_t n,
              PyObject *structure, PyObject *out) {
  struct key key;
  key.n = 0;
  key.hash = 0;
  struct outs outs;
  numd_conn *conn = NULL;
  call->plan = NULL;
  call->n_args = call->n_owned = 0;
  int status = call_arguments(call, &key, &conn, args, n, structure);
  if (!status)
    status = outs_read(call->state, &outs, out) || key_outs(&key, &conn, &outs) ? -1 : 0;
  if (!status)
    status = (call->plan = function_plan(self, call, &key, conn, &outs, args, n, structure)) ? 0 : -1;
  if (!status)
    status = call_outputs(call, &outs);
  if (status)
    call_clear(call);
  return status;
}
