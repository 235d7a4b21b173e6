/* The type Function: a Python function that the daemon computes as one program.
 *
 * A call turns its arguments into a key of addresses (struct key) and looks for a plan in an open-addressing
 * table. Only a miss goes to Python: numd._trace runs the function on stand-ins for its arguments, plan.c
 * has the trace prepared. At PLANS_MAX the plan that was not called for longest makes room.
 *
 * Arguments by position that are arrays and numbers are read here. Where there are keywords, containers, or
 * static arguments, numd._tree first takes the arguments apart into such leaves and a structure, whose
 * address is a part of the key. */
#include "docstrings.h"
#include "pynumd.h"

#include <structmember.h>

#define PLANS_MAX 256
#define SLOTS (2 * PLANS_MAX) /* a power of two, at most half full */

struct function {
  PyObject_HEAD PyObject *dict;
  PyObject *wrapped;
  PyObject *parameters; /* numd._tree.Parameters, once they are needed */
  int has_static;
  vectorcallfunc vectorcall;
  uint64_t n_calls;
  int n_plans;
  struct plan *plans[PLANS_MAX];
  uint16_t slots[SLOTS]; /* index of a plan plus one, or 0 */
};

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

void call_clear(struct call *call) {
  for (int i = 0; i < call->n_owned; i++)
    Py_DECREF(call->owned[i]);
  call->n_owned = 0;
  Py_CLEAR(call->plan);
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

/* What reading arguments may give beside 0 and -1. */
enum {
  TRACED = 1, /* one stands for a value that is being traced */
  NESTED
}; /* they are to be taken apart first */

/* Whether it becomes an array here: what has a buffer, but for text. Anything else is left to numd._tree. */
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
    PyObject *given = outs->n ? outs->items[i] : NULL;
    const numd_layout *layout = numd_plan_output(plan->plan, i);
    PyObject *array = given ? Py_NewRef(given)
                            : array_new(call->state, plan->conn, layout->dtype, layout->ndim, layout->shape);
    if (!array)
      return -1;
    call_array(call, array);
    call->outputs[i] = array;
  }
  return 0;
}

/* 0, -1, TRACED or NESTED. */
static int call_read(struct call *call, struct function *self, PyObject *const *args, Py_ssize_t n,
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

/* ---- Calling */

static PyObject *outputs_built(const struct plan *plan, PyObject *const outputs[]) {
  PyObject *list = PyList_New(plan->n_outputs);
  for (int i = 0; i < plan->n_outputs && list; i++)
    PyList_SET_ITEM(list, i, Py_NewRef(outputs[i]));
  PyObject *answer = list ? PyObject_CallOneArg(plan->build, list) : NULL;
  Py_XDECREF(list);
  return answer;
}

PyObject *call_result(struct state *state, const struct plan *plan, PyObject *const outputs[],
                      const numd_scalar *result) {
  if (plan->has_result)
    return array_from_scalar(state, plan->conn, result);
  if (plan->build == Py_None)
    return Py_NewRef(outputs[0]);
  if (plan->build != Py_True)
    return outputs_built(plan, outputs);
  PyObject *tuple = PyTuple_New(plan->n_outputs);
  for (int i = 0; i < plan->n_outputs && tuple; i++)
    PyTuple_SET_ITEM(tuple, i, Py_NewRef(outputs[i]));
  return tuple;
}

/* Whether a call that was lost may be made again. */
static int call_may_repeat(const struct call *call) {
  numd_array *out[NUMD_MAX_BINDINGS];
  int n_inputs = numd_plan_n_inputs(call->plan->plan), n_out = call->n_args - n_inputs;
  for (int i = 0; i < n_out; i++)
    out[i] = call->args[n_inputs + i].array;
  return numd_may_repeat(n_inputs, call->args, n_out, out);
}

static PyObject *call_run(struct call *call) {
  numd_ticket ticket;
  numd_scalar result;
  PyObject *answer = NULL;
  int status, n = 0;
  count_call();
  do {
    status = numd_plan_call_for(call->plan->plan, call->n_args, call->args, &result, WITH_GIL_NS, &ticket);
    status = wait_on(status, &ticket, &result);
  } while (++n < 2 && status == NUMD_EDISCONNECTED && call_may_repeat(call));
  if (status == NUMD_OK)
    answer = call_result(call->state, call->plan, call->outputs, &result);
  else if (status > 0)
    raise_status(call->state, status);
  call_clear(call);
  return answer;
}

/* Takes out= from the keywords: gives how many others there are. */
static Py_ssize_t out_keyword(const struct state *state, PyObject *const *values, PyObject *kwnames,
                              PyObject **out) {
  Py_ssize_t n = kwnames ? PyTuple_GET_SIZE(kwnames) : 0, n_others = 0;
  *out = NULL;
  for (Py_ssize_t i = 0; i < n; i++) {
    PyObject *name = PyTuple_GET_ITEM(kwnames, i);
    if (name != state->k_out && PyUnicode_Compare(name, state->k_out))
      n_others++;
    else
      *out = values[i];
  }
  return n_others;
}

static PyObject *parameters(struct state *state, struct function *self) {
  PyObject *kept = __atomic_load_n(&self->parameters, __ATOMIC_ACQUIRE), *class;
  if (kept || !(class = imported(state, IMPORT_PARAMETERS)))
    return kept;
  return keep_once(&self->parameters, PyObject_CallFunction(class, "O()", self->wrapped));
}

static PyObject *args_tuple(PyObject *const *args, Py_ssize_t n) {
  PyObject *tuple = PyTuple_New(n);
  for (Py_ssize_t i = 0; i < n && tuple; i++)
    PyTuple_SET_ITEM(tuple, i, Py_NewRef(args[i]));
  return tuple;
}

/* The keywords but for out. */
static PyObject *kwargs_dict(const struct state *state, PyObject *const *values, PyObject *kwnames) {
  PyObject *dict = PyDict_New();
  for (Py_ssize_t i = 0; dict && kwnames && i < PyTuple_GET_SIZE(kwnames); i++) {
    PyObject *name = PyTuple_GET_ITEM(kwnames, i);
    if (name != state->k_out && PyUnicode_Compare(name, state->k_out) &&
        PyDict_SetItem(dict, name, values[i]))
      Py_CLEAR(dict);
  }
  return dict;
}

/* What a call becomes: 0: `call` is ready; -1; TRACED: *inlined is what the wrapped function gave, for the
 * call is a part of another function that is being traced. */
static int call_inline(struct function *self, PyObject *args, PyObject *kwargs, PyObject *out,
                       PyObject **inlined) {
  if (out && out != Py_None) {
    PyErr_SetString(PyExc_TypeError, "out= cannot be used in a function that is being traced");
    return -1;
  }
  *inlined = PyObject_Call(self->wrapped, args, kwargs);
  return *inlined ? TRACED : -1;
}

static int call_read_nested(struct call *call, struct function *self, PyObject *args, PyObject *kwargs,
                            PyObject *out, PyObject **inlined) {
  PyObject *info = parameters(call->state, self), *structure, *leaves;
  int is_traced, status;
  PyObject *flat = info ? PyObject_CallMethod(info, "flatten", "OO", args, kwargs) : NULL;
  if (!flat)
    return -1;
  if (!PyArg_ParseTuple(flat, "OO!p", &structure, &PyTuple_Type, &leaves, &is_traced))
    status = -1;
  else if (is_traced)
    status = call_inline(self, args, kwargs, out, inlined);
  else
    status =
        call_read(call, self, ((PyTupleObject *)leaves)->ob_item, PyTuple_GET_SIZE(leaves), structure, out);
  Py_DECREF(flat);
  return status;
}

/* Reads a call in any form, as call_inline says. */
static int call_begin(struct call *call, struct function *self, PyObject *const *args, Py_ssize_t n,
                      PyObject *kwnames, PyObject **inlined) {
  PyObject *out;
  call->state = state_of((PyObject *)self);
  int status = out_keyword(call->state, args + n, kwnames, &out) || self->has_static
                   ? NESTED
                   : call_read(call, self, args, n, NULL, out);
  if (status <= 0)
    return status;
  PyObject *tuple = args_tuple(args, n), *dict = kwargs_dict(call->state, args + n, kwnames);
  if (!tuple || !dict)
    status = -1;
  else if (status == TRACED)
    status = call_inline(self, tuple, dict, out, inlined);
  else
    status = call_read_nested(call, self, tuple, dict, out, inlined);
  Py_XDECREF(tuple);
  Py_XDECREF(dict);
  return status;
}

static PyObject *function_vectorcall(PyObject *object, PyObject *const *args, size_t nargsf,
                                     PyObject *kwnames) {
  struct call call;
  PyObject *inlined = NULL;
  int status =
      call_begin(&call, (struct function *)object, args, PyVectorcall_NARGS(nargsf), kwnames, &inlined);
  return status == 0 ? call_run(&call) : status == TRACED ? inlined : NULL;
}

/* The same where the call must not be a part of another. 0 or -1. */
static int call_begin_alone(struct call *call, PyObject *object, PyObject *const *args, Py_ssize_t n,
                            PyObject *kwnames) {
  PyObject *inlined = NULL;
  int status = call_begin(call, (struct function *)object, args, n, kwnames, &inlined);
  if (status != TRACED)
    return status;
  Py_XDECREF(inlined);
  PyErr_SetString(PyExc_TypeError, "not possible with a value that is being traced");
  return -1;
}

static PyObject *function_submit(PyObject *object, PyObject *const *args, Py_ssize_t n, PyObject *kwnames) {
  struct call call;
  if (call_begin_alone(&call, object, args, n, kwnames))
    return NULL;
  PyObject *future = future_submit(&call);
  if (!future)
    call_clear(&call);
  return future;
}

/* A coroutine that submits when it is awaited, numd._async.call. */
static PyObject *function_async(PyObject *object, PyObject *args, PyObject *kwargs) {
  PyObject *coroutine = imported(state_of(object), IMPORT_ASYNC_CALL);
  PyObject *submit = coroutine ? PyObject_GetAttrString(object, "submit") : NULL;
  PyObject *answer =
      submit ? PyObject_CallFunctionObjArgs(coroutine, submit, args, kwargs ? kwargs : Py_None, NULL) : NULL;
  Py_XDECREF(submit);
  return answer;
}

static PyObject *function_explain(PyObject *object, PyObject *const *args, Py_ssize_t n, PyObject *kwnames) {
  struct state *state = state_of(object);
  struct call call;
  char *text = NULL;
  if (call_begin_alone(&call, object, args, n, kwnames))
    return NULL;
  int status = numd_plan_explain(call.plan->plan, &text);
  call_clear(&call);
  if (status != NUMD_OK)
    return raise_status(state, status);
  PyObject *class = imported(state, IMPORT_EXPLANATION);
  PyObject *answer = class ? PyObject_CallFunction(class, "s", text) : NULL;
  free(text);
  return answer;
}

/* ---- The object */

/* __name__, __doc__, __module__ and so on, as for any decorated function. */
static int function_decorate(struct state *state, PyObject *self, PyObject *wrapped) {
  PyObject *update = imported(state, IMPORT_UPDATE_WRAPPER);
  PyObject *done = update ? PyObject_CallFunctionObjArgs(update, self, wrapped, NULL) : NULL;
  Py_XDECREF(done);
  return done ? 0 : -1;
}

/* numd.function(static=...) as a decorator: functools.partial(numd.function, static=...). */
static PyObject *function_decorator(struct state *state, PyTypeObject *type, PyObject *kwargs) {
  PyObject *partial = imported(state, IMPORT_PARTIAL);
  PyObject *args = partial ? PyTuple_Pack(1, type) : NULL;
  PyObject *answer = args ? PyObject_Call(partial, args, kwargs) : NULL;
  Py_XDECREF(args);
  return answer;
}

static int function_set_static(struct state *state, struct function *self, PyObject *names) {
  PyObject *class = names ? imported(state, IMPORT_PARAMETERS) : NULL;
  if (!class)
    return names ? -1 : 0;
  self->parameters = PyObject_CallFunctionObjArgs(class, self->wrapped, names, NULL);
  PyObject *found = self->parameters ? PyObject_GetAttrString(self->parameters, "static") : NULL;
  self->has_static = found ? PyObject_IsTrue(found) : -1;
  Py_XDECREF(found);
  return self->has_static < 0 ? -1 : 0;
}

static PyObject *function_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
  static char *keywords[] = {"", "static", NULL};
  PyObject *wrapped = NULL, *names = NULL;
  struct state *state = PyType_GetModuleState(type);
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O$O:function", keywords, &wrapped, &names))
    return NULL;
  if (!wrapped)
    return function_decorator(state, type, kwargs);
  if (!PyCallable_Check(wrapped)) {
    PyErr_Format(PyExc_TypeError, "%s is not a function", Py_TYPE(wrapped)->tp_name);
    return NULL;
  }
  struct function *self = (struct function *)type->tp_alloc(type, 0);
  if (!self)
    return NULL;
  self->wrapped = Py_NewRef(wrapped);
  self->vectorcall = function_vectorcall;
  if (function_set_static(state, self, names) || function_decorate(state, (PyObject *)self, wrapped))
    Py_CLEAR(self);
  return (PyObject *)self;
}

/* As of functions: found in a class, it is a method of the instance. */
static PyObject *function_get(PyObject *self, PyObject *object, PyObject *type) {
  return object && object != Py_None ? PyMethod_New(self, object) : Py_NewRef(self);
}

static int function_traverse(PyObject *object, visitproc visit, void *arg) {
  struct function *self = (struct function *)object;
  Py_VISIT(Py_TYPE(object));
  Py_VISIT(self->dict);
  Py_VISIT(self->wrapped);
  Py_VISIT(self->parameters);
  for (int i = 0; i < self->n_plans; i++)
    Py_VISIT(self->plans[i]);
  return 0;
}

static void table_clear(struct function *self) {
  int n = self->n_plans;
  self->n_plans = 0;
  memset(self->slots, 0, sizeof self->slots);
  for (int i = 0; i < n; i++)
    Py_CLEAR(self->plans[i]);
}

static int function_clear(PyObject *object) {
  struct function *self = (struct function *)object;
  Py_CLEAR(self->dict);
  Py_CLEAR(self->wrapped);
  Py_CLEAR(self->parameters);
  table_clear(self);
  return 0;
}

static void function_dealloc(PyObject *object) {
  PyTypeObject *type = Py_TYPE(object);
  PyObject_GC_UnTrack(object);
  function_clear(object);
  type->tp_free(object);
  Py_DECREF(type);
}

static PyObject *function_repr(PyObject *self) {
  PyObject *name = PyObject_GetAttrString(self, "__qualname__");
  PyErr_Clear();
  PyObject *text =
      name ? PyUnicode_FromFormat("<numd.function %U>", name) : PyUnicode_FromString("<numd.function>");
  Py_XDECREF(name);
  return text;
}

/* Pickled by name, as functions are. */
static PyObject *function_reduce(PyObject *self, PyObject *unused) {
  return PyObject_GetAttrString(self, "__qualname__");
}

#define FAST(function) (PyCFunction)(void (*)(void))(function), METH_FASTCALL | METH_KEYWORDS

static PyMethodDef function_methods[] = {
    {"submit", FAST(function_submit), DOC_FUNCTION_SUBMIT},
    {"async_", (PyCFunction)(void (*)(void))function_async, METH_VARARGS | METH_KEYWORDS,
     DOC_FUNCTION_ASYNC_},
    {"explain", FAST(function_explain), DOC_FUNCTION_EXPLAIN},
    {"__reduce__", function_reduce, METH_NOARGS, NULL},
    {0},
};

static PyGetSetDef function_getset[] = {
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, NULL, NULL},
    {0},
};

static PyMemberDef function_members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(struct function, vectorcall), READONLY, NULL},
    {"__dictoffset__", T_PYSSIZET, offsetof(struct function, dict), READONLY, NULL},
    {0},
};

/* The members have told where these are, and are nothing for help(). Pythons differ in which of them the
 * type's dict has. */
static void members_hide(PyTypeObject *type) {
  for (const PyMemberDef *member = function_members; member->name; member++)
    if (PyDict_DelItemString(type->tp_dict, member->name))
      PyErr_Clear();
  PyType_Modified(type);
}

PyObject *function_type_new(PyObject *module) {
  PyType_Slot slots[] = {
      {Py_tp_doc, DOC_FUNCTION},           {Py_tp_call, PyVectorcall_Call},
      {Py_tp_new, function_new},           {Py_tp_dealloc, function_dealloc},
      {Py_tp_traverse, function_traverse}, {Py_tp_clear, function_clear},
      {Py_tp_repr, function_repr},         {Py_tp_descr_get, function_get},
      {Py_tp_members, function_members},   {Py_tp_methods, function_methods},
      {Py_tp_getset, function_getset},     {0},
  };
  PyType_Spec spec = {
      .name = "numd.function",
      .basicsize = sizeof(struct function),
      .flags =
          Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_IMMUTABLETYPE,
      .slots = slots,
  };
  PyObject *type = PyType_FromModuleAndSpec(module, &spec, NULL);
  if (type)
    members_hide((PyTypeObject *)type);
  return type;
}
