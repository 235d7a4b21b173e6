/* SPDX-License-Identifier: BSD-3-Clause */
/* The type Function: a Python function that the daemon computes as one program.
 *
 * Arguments by position that are arrays and numbers are read by function_read.c as they are. Where there are
 * keywords, containers, or static arguments, numd._function.pytree first takes the arguments apart into such
 * leaves and a structure, whose address is a part of the key of the plan. */
#include "function.h"

#include <structmember.h>

#include "docstrings.h"

/* ---- Calling */

void call_clear(struct call *call) {
  for (int i = 0; i < call->n_owned; i++)
    Py_DECREF(call->owned[i]);
  call->n_owned = 0;
  Py_CLEAR(call->plan);
}

/* A new output without dimensions, which is marked as a value, is one of NumPy's scalars to the caller. */
static PyObject *output_value(PyObject *output) {
  return ((struct array *)output)->is_value ? value_of(Py_NewRef(output)) : Py_NewRef(output);
}

static PyObject *outputs_built(const struct plan *plan, PyObject *const outputs[]) {
  PyObject *list = PyList_New(plan->n_outputs);
  for (int i = 0; i < plan->n_outputs && list; i++)
    PyList_SET_ITEM(list, i, output_value(outputs[i]));
  PyObject *answer = list ? PyObject_CallOneArg(plan->build, list) : NULL;
  Py_XDECREF(list);
  return answer;
}

PyObject *call_result(struct state *state, const struct plan *plan, PyObject *const outputs[],
                      const numd_scalar *result) {
  if (plan->has_result)
    return value_new(state, result->dtype, &result->c);
  if (plan->build == Py_None)
    return output_value(outputs[0]);
  if (plan->build != Py_True)
    return outputs_built(plan, outputs);
  PyObject *tuple = PyTuple_New(plan->n_outputs);
  for (int i = 0; i < plan->n_outputs && tuple; i++)
    PyTuple_SET_ITEM(tuple, i, output_value(outputs[i]));
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

/* A coroutine that submits when it is awaited, numd._process.futures.call. */
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
