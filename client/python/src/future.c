/* SPDX-License-Identifier: BSD-3-Clause */
/* The type Future: a call of a plan that was submitted.
 *
 * What a running call names must stay alive until it is done, whether or not anybody still holds the
 * Future. So the references live in a block of their own, `struct pending`. A Future that goes away early
 * leaves it in the module's ring without an owner, and later submissions look for such. The garbage collector
 * is not shown that ring: to it the daemon holds these arrays, and by them the module. After a fork the
 * child's copies are dropped: tickets stay with the parent.
 *
 * Only one thread may wait for a ticket, for the first to hear of its end finishes it; hence the lock. The
 * others see `done` when value and error are there for good, and may use the ticket until then and after it:
 * the block stays as long as the Future, without its references to arrays. */
#include <time.h>
#include <unistd.h>

#include "docstrings.h"
#include "pynumd.h"

struct pending {
  struct pending *next, *previous; /* in the state's ring of calls that run */
  struct future *owner;            /* NULL: nobody waits for it any more */
  struct plan *plan;
  numd_ticket ticket;
  pid_t pid;
  int n_owned;
  PyObject *outputs[NUMD_MAX_BINDINGS];
  PyObject *owned[];
};

struct future {
  PyObject_HEAD struct pending *pending;
  int done;
  PyThread_type_lock lock; /* held by the thread that waits */
  PyObject *value;
  PyObject *error;
};

SHARED_LOCK(pendings_lock); /* of all states */

static struct pending *pending_new(const struct call *call) {
  struct pending *self = PyMem_Malloc(sizeof *self + (size_t)call->n_owned * sizeof *self->owned);
  if (!self) {
    PyErr_NoMemory();
    return NULL;
  }
  self->next = self->previous = NULL;
  self->owner = NULL;
  self->plan = call->plan;
  self->pid = getpid();
  self->n_owned = call->n_owned;
  memcpy(self->outputs, call->outputs, (size_t)call->plan->n_outputs * sizeof *self->outputs);
  memcpy(self->owned, call->owned, (size_t)call->n_owned * sizeof *self->owned);
  return self;
}

/* Lets go of the arrays: the call is over. */
static void pending_release(struct pending *self) {
  int n = self->n_owned;
  self->n_owned = 0; /* first: the collector looks at what a Future owns */
  for (int i = 0; i < n; i++)
    Py_DECREF(self->owned[i]);
}

static void pending_free(struct pending *self) {
  pending_release(self);
  Py_DECREF(self->plan);
  PyMem_Free(self);
}

static int pending_over(struct pending *self) {
  return self->pid != getpid() || numd_wait(&self->ticket, 0, NULL) != NUMD_ETIMEOUT;
}

static void pending_link(struct state *state, struct pending *self) {
  SHARED_ENTER(pendings_lock);
  self->next = state->pendings;
  self->previous = NULL;
  if (self->next)
    self->next->previous = self;
  __atomic_store_n(&state->pendings, self, __ATOMIC_RELAXED);
  SHARED_LEAVE(pendings_lock);
}

static void ring_remove(struct state *state, struct pending *self) {
  if (self->next)
    self->next->previous = self->previous;
  if (self->previous)
    self->previous->next = self->next;
  else
    __atomic_store_n(&state->pendings, self->next, __ATOMIC_RELAXED);
}

static void pending_unlink(struct state *state, struct pending *self) {
  SHARED_ENTER(pendings_lock);
  ring_remove(state, self);
  SHARED_LEAVE(pendings_lock);
}

/* Takes one out of the ring that nobody waits for and for which `wanted` is true; NULL if there is none. */
static struct pending *orphan_take(struct state *state, int (*wanted)(struct pending *, const void *),
                                   const void *what) {
  SHARED_ENTER(pendings_lock);
  struct pending *orphan = state->pendings;
  while (orphan && (orphan->owner || !wanted(orphan, what)))
    orphan = orphan->next;
  if (orphan)
    ring_remove(state, orphan);
  SHARED_LEAVE(pendings_lock);
  return orphan;
}

static int is_over(struct pending *pending, const void *unused) {
  return pending_over(pending);
}

static void orphans_sweep(struct state *state) {
  struct pending *orphan;
  while ((orphan = orphan_take(state, is_over, NULL)))
    pending_free(orphan);
}

PyObject *future_submit(struct call *call) {
  struct state *state = call->state;
  if (__atomic_load_n(&state->pendings, __ATOMIC_RELAXED))
    orphans_sweep(state);
  struct pending *pending = pending_new(call);
  struct future *self = pending ? PyObject_GC_New(struct future, state->future_type) : NULL;
  if (!self) {
    PyMem_Free(pending);
    return NULL;
  }
  self->pending = NULL;
  self->done = 0;
  self->value = self->error = NULL;
  self->lock = PyThread_allocate_lock();
  count_call();
  int status = self->lock ? numd_plan_submit(call->plan->plan, call->n_args, call->args, &pending->ticket)
                          : NUMD_ENOMEMORY;
  if (status == NUMD_OK) {
    self->pending = pending;
    pending->owner = self;
    pending_link(state, pending);
    PyObject_GC_Track(self);
    return (PyObject *)self;
  }
  raise_status(state, status);
  PyMem_Free(pending);
  Py_DECREF(self);
  return NULL;
}

static int is_done(const struct future *self) {
  return __atomic_load_n(&self->done, __ATOMIC_ACQUIRE);
}

/* What a running call owns is looked at, too, but left to its end. */
static int future_traverse(PyObject *object, visitproc visit, void *arg) {
  struct future *self = (struct future *)object;
  Py_VISIT(Py_TYPE(object));
  Py_VISIT(self->value);
  Py_VISIT(self->error);
  if (self->pending)
    Py_VISIT(self->pending->plan);
  for (int i = 0; self->pending && i < self->pending->n_owned; i++)
    Py_VISIT(self->pending->owned[i]);
  return 0;
}

static int future_clear(PyObject *object) {
  struct future *self = (struct future *)object;
  Py_CLEAR(self->value);
  Py_CLEAR(self->error);
  return 0;
}

/* The call of a Future that goes away. Where the collector has taken the module from the type, one that runs
 * keeps its memory for good. */
static void future_leave(struct future *self) {
  PyObject *module = ((PyHeapTypeObject *)Py_TYPE(self))->ht_module;
  struct pending *pending = self->pending;
  int over = is_done(self);
  pending->owner = NULL;
  if (!module)
    return;
  if (!over && !(over = pending_over(pending)))
    return;
  if (!is_done(self))
    pending_unlink(module_state(module), pending);
  pending_free(pending);
}

static void future_dealloc(PyObject *object) {
  struct future *self = (struct future *)object;
  PyTypeObject *type = Py_TYPE(object);
  PyObject_GC_UnTrack(object);
  if (self->pending)
    future_leave(self);
  future_clear(object);
  if (self->lock)
    PyThread_free_lock(self->lock);
  PyObject_GC_Del(object);
  Py_DECREF(type);
}

/* ---- Waiting */

static int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t left_ns(int64_t deadline_ns) {
  if (deadline_ns == NUMD_FOREVER)
    return NUMD_FOREVER;
  int64_t left = deadline_ns - now_ns();
  return left > 0 ? left : 0;
}

static void future_finish(struct future *self, int status, const numd_scalar *result) {
  struct state *state = state_of((PyObject *)self);
  struct pending *pending = self->pending;
  if (status == NUMD_OK)
    self->value = call_result(state, pending->plan, pending->outputs, result);
  else
    raise_status(state, status);
  if (!self->value) {
    PyObject *type, *traceback;
    PyErr_Fetch(&type, &self->error, &traceback);
    PyErr_NormalizeException(&type, &self->error, &traceback);
    Py_XDECREF(type);
    Py_XDECREF(traceback);
  }
  __atomic_store_n(&self->done, 1, __ATOMIC_RELEASE);
  pending_unlink(state, pending);
  pending_release(pending);
}

/* The lock as acquired: 1; 0: not in time; -1: a signal handler raised. */
static int future_lock(struct future *self, int64_t deadline_ns) {
  if (PyThread_acquire_lock(self->lock, NOWAIT_LOCK))
    return 1;
  const int64_t most = wait_slice_ns();
  for (;;) {
    int64_t left = left_ns(deadline_ns), slice = left < most ? left : most;
    PyLockStatus status;
    Py_BEGIN_ALLOW_THREADS;
    status = PyThread_acquire_lock_timed(self->lock, slice / 1000, 0);
    Py_END_ALLOW_THREADS;
    if (status == PY_LOCK_ACQUIRED)
      return 1;
    if (PyErr_CheckSignals())
      return -1;
    if (slice == left)
      return 0;
  }
}

static int future_check_process(const struct future *self) {
  if (is_done(self) || self->pending->pid == getpid())
    return 0;
  PyErr_SetString(PyExc_RuntimeError, "the future belongs to the process that submitted the call");
  return -1;
}

/* 1: done; 0: not in time; -1: an exception. */
static int future_wait(struct future *self, int64_t deadline_ns) {
  if (is_done(self))
    return 1;
  if (future_check_process(self))
    return -1;
  int locked = future_lock(self, deadline_ns);
  if (locked != 1)
    return locked;
  int status = NUMD_OK;
  if (!is_done(self)) {
    numd_scalar result;
    status = numd_wait(&self->pending->ticket, 0, &result);
    if (status == NUMD_ETIMEOUT && left_ns(deadline_ns))
      status = wait_released(&self->pending->ticket, left_ns(deadline_ns), &result);
    if (status >= 0 && status != NUMD_ETIMEOUT)
      future_finish(self, status, &result);
  }
  PyThread_release_lock(self->lock);
  return status < 0 ? -1 : is_done(self);
}

/* ---- What a program does with memory itself waits for what it has submitted */

struct range {
  const char *first, *end;
};

static struct range range_of(const numd_array *array) {
  const numd_layout *layout = array->layout;
  struct range range = {array->data, (const char *)array->data + numd_dtype_size(layout->dtype)};
  for (int i = 0; i < layout->ndim; i++) {
    int64_t reach = (layout->shape[i] - 1) * layout->strides[i];
    *(reach < 0 ? &range.first : &range.end) += reach;
  }
  return layout->size ? range : (struct range){0};
}

static int writes_into(struct pending *pending, const void *what) {
  const struct range *range = what;
  if (pending->pid != getpid())
    return 0;
  for (int i = 0; i < pending->plan->n_outputs && i < pending->n_owned; i++) {
    struct range written = range_of(array_view(pending->outputs[i]));
    if (written.first < range->end && range->first < written.end)
      return 1;
  }
  return 0;
}

/* The Future of a call that writes there, with a reference; NULL if there is none. */
static struct future *writer_find(struct state *state, const struct range *range) {
  SHARED_ENTER(pendings_lock);
  struct pending *pending = state->pendings;
  while (pending && !(pending->owner && writes_into(pending, range)))
    pending = pending->next;
  struct future *owner = pending ? pending->owner : NULL;
  Py_XINCREF(owner);
  SHARED_LEAVE(pendings_lock);
  return owner;
}

static int orphan_settle(struct state *state, struct pending *orphan) {
  if (wait_released(&orphan->ticket, NUMD_FOREVER, NULL) >= 0) {
    pending_free(orphan);
    return 0;
  }
  pending_link(state, orphan);
  return -1;
}

int future_settle_range(struct state *state, const void *first, const void *end) {
  const struct range range = {first, end};
  struct future *writer;
  struct pending *orphan;
  int status = 0;
  while (status >= 0 && (writer = writer_find(state, &range))) {
    status = future_wait(writer, NUMD_FOREVER);
    Py_DECREF(writer);
  }
  while (status >= 0 && (orphan = orphan_take(state, writes_into, &range)))
    status = orphan_settle(state, orphan);
  return status < 0 ? -1 : 0;
}

/* ---- Methods */

static int timeout_parse(PyObject *timeout, int64_t *deadline_ns) {
  *deadline_ns = NUMD_FOREVER;
  if (timeout == Py_None)
    return 0;
  double seconds = PyFloat_AsDouble(timeout);
  if (seconds == -1 && PyErr_Occurred())
    return -1;
  if (seconds < 1e9) /* more is for ever */
    *deadline_ns = now_ns() + (seconds > 0 ? (int64_t)(seconds * 1e9) : 0);
  return 0;
}

static PyObject *future_result(PyObject *object, PyObject *args, PyObject *kwargs) {
  static char *keywords[] = {"timeout", NULL};
  struct state *state = state_of(object);
  struct future *self = (struct future *)object;
  PyObject *timeout = Py_None;
  int64_t deadline_ns;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O:result", keywords, &timeout) ||
      timeout_parse(timeout, &deadline_ns))
    return NULL;
  int done = future_wait(self, deadline_ns);
  if (done < 0)
    return NULL;
  if (!done)
    return raise_status(state, NUMD_ETIMEOUT);
  if (self->value)
    return Py_NewRef(self->value);
  if (self->error)
    PyErr_SetObject((PyObject *)Py_TYPE(self->error), self->error);
  else
    PyErr_SetString(PyExc_RuntimeError, "the garbage collector has taken the future apart");
  return NULL;
}

static PyObject *future_done(PyObject *object, PyObject *unused) {
  int done = future_wait((struct future *)object, 0);
  return done < 0 ? NULL : PyBool_FromLong(done);
}

/* Whether it is numd.CancelledError. */
static int error_is_cancelled(PyObject *error) {
  PyObject *status = PyObject_GetAttrString(error, "status");
  int is = status && PyUnicode_Check(status) && !PyUnicode_CompareWithASCIIString(status, "ECANCELLED");
  PyErr_Clear();
  Py_XDECREF(status);
  return is;
}

static PyObject *future_cancel(PyObject *object, PyObject *unused) {
  struct future *self = (struct future *)object;
  int done = future_wait(self, 0);
  if (done)
    return done < 0 ? NULL : Py_NewRef(Py_False);
  int status = numd_cancel(&self->pending->ticket);
  return status == NUMD_OK ? Py_NewRef(Py_True) : raise_status(state_of(object), status);
}

/* The descriptor by which the calling thread's loop hears of the call; None if it is to be waited for by a
 * thread, or has nothing to wait for. */
static PyObject *future_notify(PyObject *object, PyObject *unused) {
  struct future *self = (struct future *)object;
  int fd = -1, status;
  if (future_check_process(self))
    return NULL;
  if (is_done(self))
    Py_RETURN_NONE;
  numd_ticket ticket = self->pending->ticket; /* another thread may finish the call meanwhile */
  Py_BEGIN_ALLOW_THREADS;
  status = numd_notify(&ticket, &fd);
  Py_END_ALLOW_THREADS;
  if (status == NUMD_OK)
    return PyLong_FromLong(fd);
  return status == NUMD_EINVAL || status == NUMD_EDISCONNECTED ? Py_NewRef(Py_None)
                                                               : raise_status(state_of(object), status);
}

static PyObject *future_notify_off(PyObject *class, PyObject *number) {
  long fd = PyLong_AsLong(number);
  if (fd == -1 && PyErr_Occurred())
    return NULL;
  numd_notify_off((int)fd);
  Py_RETURN_NONE;
}

static PyObject *future_exception(PyObject *object, PyObject *args, PyObject *kwargs) {
  struct future *self = (struct future *)object;
  PyObject *result = future_result(object, args, kwargs);
  if (result) {
    Py_DECREF(result);
    Py_RETURN_NONE;
  }
  if (!self->error)
    return NULL;
  PyErr_Clear();
  return Py_NewRef(self->error);
}

static PyObject *future_cancelled(PyObject *object, PyObject *unused) {
  struct future *self = (struct future *)object;
  int done = future_wait(self, 0);
  if (done < 0)
    return NULL;
  return PyBool_FromLong(done && self->error && error_is_cancelled(self->error));
}

static PyObject *future_running(PyObject *object, PyObject *unused) {
  int done = future_wait((struct future *)object, 0);
  return done < 0 ? NULL : PyBool_FromLong(!done);
}

/* numd._process.futures has the rest: it is Python. */
static PyObject *future_add_done_callback(PyObject *object, PyObject *callback) {
  PyObject *function = imported(state_of(object), IMPORT_ADD_DONE_CALLBACK);
  return function ? PyObject_CallFunctionObjArgs(function, object, callback, NULL) : NULL;
}

static PyObject *future_await(PyObject *object) {
  PyObject *function = imported(state_of(object), IMPORT_ASYNC_WAIT);
  PyObject *coroutine = function ? PyObject_CallOneArg(function, object) : NULL;
  PyObject *iterator = coroutine ? PyObject_CallMethod(coroutine, "__await__", NULL) : NULL;
  Py_XDECREF(coroutine);
  return iterator;
}

static PyObject *future_repr(PyObject *object) {
  const struct future *self = (struct future *)object;
  return PyUnicode_FromFormat("<numd.Future, %s>", !is_done(self) ? "running"
                                                   : self->error  ? "failed"
                                                                  : "done");
}

static PyMethodDef future_methods[] = {
    {"result", (PyCFunction)(void (*)(void))future_result, METH_VARARGS | METH_KEYWORDS, DOC_FUTURE_RESULT},
    {"done", future_done, METH_NOARGS, DOC_FUTURE_DONE},
    {"cancel", future_cancel, METH_NOARGS, DOC_FUTURE_CANCEL},
    {"exception", (PyCFunction)(void (*)(void))future_exception, METH_VARARGS | METH_KEYWORDS,
     DOC_FUTURE_EXCEPTION},
    {"cancelled", future_cancelled, METH_NOARGS, DOC_FUTURE_CANCELLED},
    {"running", future_running, METH_NOARGS, DOC_FUTURE_RUNNING},
    {"add_done_callback", future_add_done_callback, METH_O, DOC_FUTURE_ADD_DONE_CALLBACK},
    {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS, DOC_FUTURE___CLASS_GETITEM__},
    {"_notify", future_notify, METH_NOARGS, NULL},
    {"_notify_off", future_notify_off, METH_O | METH_STATIC, NULL},
    {0},
};

PyObject *future_type_new(PyObject *module) {
  PyType_Slot slots[] = {
      {Py_tp_doc, DOC_FUTURE},           {Py_tp_dealloc, future_dealloc},
      {Py_tp_traverse, future_traverse}, {Py_tp_clear, future_clear},
      {Py_tp_repr, future_repr},         {Py_am_await, future_await},
      {Py_tp_methods, future_methods},   {0},
  };
  PyType_Spec spec = {
      .name = "numd.Future",
      .basicsize = sizeof(struct future),
      .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION |
               Py_TPFLAGS_IMMUTABLETYPE,
      .slots = slots,
  };
  return PyType_FromModuleAndSpec(module, &spec, NULL);
}
