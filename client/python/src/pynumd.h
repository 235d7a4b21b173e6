/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of the extension share.
 *
 *   state      what belongs to one interpreter: types, names, objects of Python modules
 *   session    a connection, and the default one of the process
 *   array      the type `Array`; array_methods, number, index, reshape: its behaviour
 *   value      NumPy's scalars: elements, and results without dimensions
 *   convert    between Python's and numd's dtypes, shapes and scalars
 *   interchange  DLPack, and what the array API standard asks of an array
 *   create     arrays from data and from shapes
 *   attach     arrays on existing memory, from handles, from published names
 *   ops        one function for each row of the list of operations
 *   call       calls of these: arguments, keywords, results
 *   params     parameters of operations from Python values
 *   dispatch   NumPy's ufuncs and functions, given Arrays
 *   apply      one operation on Python operands; the path of `add` and of `a + b`
 *   helpers    what the modules in Python need
 *   plan       a prepared program with what its calls need; built from a trace
 *   function   the type `Function`; function_read: its cache from layouts to plans
 *   future     a submitted call
 *   wait       waiting for the daemon, with the GIL where that is short; exceptions
 *
 * Only numd.h is used of the project, and nothing of NumPy's C interface: arrays go to NumPy as buffers.
 * A function that returns `int` gives 0, or -1 with an exception set, unless it says otherwise. */
#ifndef PYNUMD_H
#define PYNUMD_H

#include <stdbool.h>

#include "state.h"

_Static_assert(sizeof(Py_ssize_t) == sizeof(int64_t), "shapes are handed to buffers as they are");

/* ---- Threads
 *
 * The GIL guards what threads share here; where there is none, locks do. None of them is held while Python
 * code runs or a reference is dropped. */
#ifdef Py_GIL_DISABLED
#define SHARED_LOCK(name) static PyMutex name
#define SHARED_ENTER(name) PyMutex_Lock(&name)
#define SHARED_LEAVE(name) PyMutex_Unlock(&name)
#define OBJECT_ENTER(object) Py_BEGIN_CRITICAL_SECTION(object)
#define OBJECT_LEAVE() Py_END_CRITICAL_SECTION()
#else
#define SHARED_LOCK(name) _Static_assert(1, "the GIL is the lock")
#define SHARED_ENTER(name)
#define SHARED_LEAVE(name)
#define OBJECT_ENTER(object) {
#define OBJECT_LEAVE() }
#endif

/* ---- convert.c */

/* Reads what numpy.dtype() would accept, in the machine's byte order. TypeError names the dtype if it is not
 * one of numd's. */
int dtype_parse(struct state *state, PyObject *object, numd_dtype *dtype);
/* The numd dtype of an object with a NumPy dtype, or NUMD_DTYPE_NONE; no exception. */
numd_dtype dtype_lookup(struct state *state, PyObject *numpy_dtype);
/* Raises TypeError; gives -1. */
int dtype_refuse(PyObject *numpy_dtype);
char dtype_kind(numd_dtype dtype);
/* The format of PEP 3118. */
char *dtype_format(numd_dtype dtype);
/* An int or a sequence of ints, at most NUMD_MAX_DIMS; gives their count or -1. */
int shape_parse(PyObject *object, int64_t shape[NUMD_MAX_DIMS]);
PyObject *shape_tuple(int ndim, const int64_t shape[]);
/* A Python bool, int, float or complex: 1 and *out, 0 if it is something else, -1 on error. */
int scalar_parse(PyObject *object, numd_scalar *out);
/* The scalar that lies at `data`, in the dtype in which operands of its kind are given. */
void scalar_widen(numd_dtype dtype, const void *data, numd_scalar *out);
/* The Python scalar that lies at `data`. */
PyObject *item_object(numd_dtype dtype, const void *data);
/* An axis number, counted from the end if negative, or -1. */
int axis_parse(PyObject *object, int ndim);
/* An int or a tuple of ints as a bit mask. */
int axes_parse(PyObject *object, int ndim, uint32_t *axes);

/* ---- session.c */

PyObject *session_type_new(PyObject *module);
/* Of a state without sessions yet; and of one that is about to go. */
int sessions_init(struct state *state);
void sessions_forget(struct state *state);

PyObject *session_connect(PyObject *module, PyObject *args, PyObject *kwargs);
PyObject *session_get_default(struct state *state); /* a new reference; connects at first use */
/* A reference to the connection of a Session object, or of the default session for None or NULL: another
 * thread may close the session at any time. */
numd_conn *session_conn(struct state *state, PyObject *session);
/* The same for the daemon at that address: of an open session, or of a new one. */
numd_conn *session_conn_at(struct state *state, const char *address);
/* A reference that is dropped at the end of the block; NULL is none. */
#define CONN_HELD __attribute__((cleanup(conn_drop))) numd_conn *
static inline void conn_drop(numd_conn **conn) {
  if (*conn)
    numd_conn_unref(*conn);
}
/* What the daemon counted, as a dict. Takes the reference over. */
PyObject *session_stats_of(struct state *state, numd_conn *conn);

/* ---- array.c */

struct array {
  PyObject_HEAD numd_array *view;
  struct state *state;         /* as state_of would find it, but quicker */
  bool of_namespace, is_value; /* set by array_of_namespace and array_as_value */
};
PyObject *array_type_new(PyObject *module);
void array_dealloc(PyObject *self);

static inline int array_check(const struct state *state, PyObject *object) {
  return Py_IS_TYPE(object, state->array_type);
}
static inline int array_is_of_namespace(const struct state *state, PyObject *object) {
  return array_check(state, object) && ((struct array *)object)->of_namespace;
}
static inline numd_array *array_view(PyObject *object) {
  return ((struct array *)object)->view;
}
static inline struct state *array_state(PyObject *object) {
  return ((struct array *)object)->state;
}
/* That of an operator: one of its operands is an Array, of any state. */
static inline struct state *operator_state(PyObject *a, PyObject *b) {
  return array_state(Py_TYPE(a)->tp_dealloc == array_dealloc ? a : b);
}
/* Gives the memory of dead Arrays back. */
void arrays_forget_spare(struct state *state);
/* Takes over the reference, also on failure. NULL gives NULL. */
PyObject *array_wrap(struct state *state, numd_array *view);
PyObject *array_new(struct state *state, numd_conn *conn, numd_dtype dtype, int ndim, const int64_t shape[]);
/* A new array without dimensions. */
PyObject *array_from_scalar(struct state *state, numd_conn *conn, const numd_scalar *scalar);
/* An Array without dimensions that a function of the namespace made of a number, or as a result. Programs
 * written for the array API go on with it and must meet no arrays of another library, so operators and [()]
 * give Arrays again, where they give NumPy's scalars for views without dimensions. */
static inline PyObject *array_of_namespace(PyObject *array) {
  if (array && Py_TYPE(array)->tp_dealloc == array_dealloc && !array_view(array)->layout->ndim)
    ((struct array *)array)->of_namespace = true;
  return array;
}
/* The same for an operation's result: as a value it is left as it is by in-place operators. */
static inline PyObject *array_as_value(PyObject *result) {
  if (result && Py_TYPE(result)->tp_dealloc == array_dealloc && !array_view(result)->layout->ndim)
    ((struct array *)result)->is_value = ((struct array *)result)->of_namespace = true;
  return result;
}
/* The same memory seen otherwise, `offset` bytes from the first element. */
PyObject *array_reshaped_view(PyObject *base, int64_t offset, int ndim, const int64_t shape[],
                              const int64_t strides[]);
/* A writable ndarray on the same memory. */
PyObject *array_numpy(PyObject *array);
/* The only element of an array with one element; TypeError otherwise. */
PyObject *array_item(PyObject *array);

/* ---- array_methods.c, number.c, index.c, reshape.c: behaviour of Array */

extern PyMethodDef array_methods[];
extern const PyType_Slot number_slots[], index_slots[]; /* each ends with an empty one */
PyObject *array_compare(PyObject *self, PyObject *other, int how);
PyObject *array_copy(PyObject *self, PyObject *unused);
PyObject *array_reshape(PyObject *self, PyObject *args);
PyObject *array_transpose(PyObject *self, PyObject *args);
PyObject *array_transposed(PyObject *self);
/* Shows the elements in another shape from now on; AttributeError if that needs a copy. */
int array_set_shape(PyObject *self, PyObject *shape, void *closure);
/* Stores a value, broadcast, in all of `target`, by value conversion. */
int array_assign(PyObject *target, PyObject *value);
/* Whether assignments take it for one number: Python's and NumPy's scalars. */
int array_is_number(struct state *state, PyObject *value);
/* Stores a number in the element of `self` that lies at `data`. */
int array_store(PyObject *self, void *data, PyObject *value);
/* Whether an element of it may lie there: the place is between its first and its last. */
int array_holds(PyObject *self, const void *data);

/* ---- value.c: NumPy's scalars */

int values_init(struct state *state);
/* Of the bytes at `data`. */
PyObject *value_new(struct state *state, numd_dtype dtype, const void *data);
/* The element of an Array that lies at `data`, once no submitted call writes to it any more. */
PyObject *value_at(PyObject *array, const void *data);
/* A result as NumPy gives it: what is an Array without dimensions becomes a scalar. Takes the reference over;
 * NULL gives NULL. */
PyObject *value_of(PyObject *result);
/* The same for each item of a tuple; what is one of the `given` stays as it is. */
PyObject *values_of(PyObject *result, PyObject *const *given, Py_ssize_t n_given);
/* Stores a number at `data` as an assignment to one element of an ndarray does, with NumPy's errors. */
int value_convert(struct state *state, numd_dtype dtype, PyObject *value, void *data);
/* Whether it is one of NumPy's scalars of our dtypes, and of which: *bytes is then its value. */
numd_dtype value_read(const struct state *state, PyObject *object, const void **bytes);

/* ---- interchange.c */

PyObject *array_dlpack(PyObject *self, PyObject *args, PyObject *kwargs);
PyObject *array_dlpack_device(PyObject *self, PyObject *unused);
PyObject *array_device(PyObject *self, void *closure);
PyObject *array_to_device(PyObject *self, PyObject *args, PyObject *kwargs);
PyObject *array_namespace(PyObject *self, PyObject *args, PyObject *kwargs);
/* None and "cpu" are the device that there is; ValueError for others. */
int device_parse(PyObject *device);

/* ---- create.c, attach.c */

/* Array as it is, anything that NumPy can read as a copy. dtype may be NUMD_DTYPE_NONE, conn NULL. */
PyObject *array_from(struct state *state, PyObject *object, numd_dtype dtype, numd_conn *conn);
extern PyMethodDef create_methods[], attach_methods[];

/* ---- params.c */

/* Parameters and the lists that they point to. Nothing is given while pub.given is 0. */
struct params {
  numd_params pub;
  int64_t ints[NUMD_N_LISTS][NUMD_MAX_DIMS];
};

int params_names_init(struct state *state);
/* Sets a parameter; None leaves it absent. Axes of a mask are counted for `ndim` dimensions. */
int params_set(struct state *state, struct params *params, int bit, PyObject *value, int ndim);
/* The bit, among those of a mask, whose keyword this is; -1 if there is none. No exception. */
int params_find(const struct state *state, uint32_t mask, PyObject *name);

/* ---- apply.c */

/* How many calls this process made. */
extern uint64_t n_calls;
static inline void count_call(void) {
  __atomic_fetch_add(&n_calls, 1, __ATOMIC_RELAXED);
}

#define MAX_INPUTS NUMD_OP_MAX_IN

/* A function of the module: an operation, and what the library's list says of it. */
struct op_function {
  numd_op number;
  const struct numd_op_info *info;
};

/* The operands of one operation. What was no array and no Python scalar is converted and owned here. */
struct operands {
  struct state *state;
  numd_conn *conn;
  numd_conn *held; /* the same with a reference, if no array has one; or NULL */
  int n;
  numd_arg args[MAX_INPUTS];
  PyObject *owned[MAX_INPUTS];
};

/* Reads n operands; `state` is given. 0; -1 with an exception; 1 if one of them stands for a value that is
 * being traced. If all are scalars they are converted, for then they are not weak. */
int operands_read(struct operands *operands, int n, PyObject *const *objects, PyObject *out);
/* The same without that: scalars stay, and `conn` and `held` are given, too. */
int operands_read_weak(struct operands *operands, int n, PyObject *const *objects);
void operands_clear(struct operands *operands);
/* Computes; a new Array if out is NULL, else a new reference to out. Clears the operands. */
PyObject *operands_apply(struct operands *operands, numd_op op, const numd_params *params, PyObject *out);
/* Whether results without dimensions are Arrays, as in the namespace, or values, as NumPy gives them. */
enum results { RESULTS_ARRAYS, RESULTS_VALUES };
/* The same for a result without dimensions, which comes back with the call. */
PyObject *operands_apply_scalar(struct operands *operands, numd_op op, const numd_params *params,
                                enum results results);
/* Computes all arrays that the operation gives into out[], cut where their length depends on the data. Clears
 * the operands. */
int operands_apply_all(struct operands *operands, numd_op op, const numd_params *params, numd_array *out[]);

/* op(objects...) for methods and operators. */
PyObject *apply(struct state *state, numd_op op, const numd_params *params, int n, PyObject *const *objects,
                PyObject *out);
/* Whether the object stands for a value that is being traced. */
int is_tracer(const struct state *state, PyObject *object);

/* ---- call.c */

/* A function of the module: arguments as vectorcall gives them. */
PyObject *op_call(struct state *state, const struct op_function *op, PyObject *const *args, Py_ssize_t n,
                  PyObject *kwnames, enum results results);

/* ---- dispatch.c */

/* Array.__array_ufunc__ and Array.__array_function__. */
PyObject *dispatch_ufunc(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *kwnames);
PyObject *dispatch_function(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *kwnames);
/* What numd._numpy.methods has under that name, called with `self` first. */
PyObject *dispatch_method(const char *name, PyObject *self, PyObject *const *args, Py_ssize_t n,
                          PyObject *kwnames);
/* After an operator failed: the same by NumPy if the operands are what the daemon does not have, else NULL
 * and the exception stays. */
PyObject *dispatch_operator(struct state *state, numd_op number, int n, PyObject *const *operands,
                            PyObject *out);
/* Whether the exception is a TypeError that says what the daemon does not have; a result that cannot be cast
 * to `out` is none. */
int error_is_type(void);

/* ---- ops.c */

const struct op_function *op_function_find(numd_op number);
/* By the place in the list. */
const struct op_function *op_function_at(long place);
int ops_add_to(PyObject *module);

/* ---- helpers.c */

extern PyMethodDef helper_methods[];

/* ---- plan.c */

/* What a plan is found by: the connection, the number of arguments, the layout of each array and the kind
 * of each scalar, the layouts of given outputs. Layouts are interned and kept by the plan, so an address in
 * the key of a living plan means nothing else. */
#define KEY_MAX (2 + 2 * NUMD_MAX_BINDINGS)

struct key {
  size_t hash;
  int n;
  const void *item[KEY_MAX];
};

/* A prepared program and what a call of it needs. Its inputs are the arguments, then captured arrays. */
struct plan {
  PyObject_HEAD numd_plan *plan;
  numd_conn *conn;
  PyObject *captured; /* inputs beside the arguments: Arrays, and scalars that are no constants */
  int n_outputs;
  int has_result;      /* its only output is a scalar result */
  PyObject *build;     /* how results are made of outputs, as plan.c says */
  PyObject *structure; /* of the arguments, or NULL: its address is in the key */
  uint64_t last_used;  /* by the function's count of calls */
  struct key *key;
};
PyObject *plan_type_new(PyObject *module);

/* trace: what numd._function.trace.trace gave for n_args arguments. outs: an Array or NULL for each output.
 * conn may be NULL if no argument is an array. */
struct plan *plan_build(struct state *state, PyObject *trace, numd_conn *conn, int n_args,
                        PyObject *const *outs, int n_outs, const struct key *key);

/* ---- function.c, future.c */

PyObject *function_type_new(PyObject *module);
PyObject *future_type_new(PyObject *module);

/* One call of a plan. `owned` are the references that keep alive what `args` names. */
struct call {
  struct state *state;
  struct plan *plan; /* a reference */
  int n_args;
  int n_owned;
  numd_arg args[NUMD_MAX_BINDINGS];
  PyObject *outputs[NUMD_MAX_BINDINGS]; /* borrowed from owned */
  PyObject *owned[NUMD_MAX_BINDINGS];
};

/* What the call gives, once it is done. */
PyObject *call_result(struct state *state, const struct plan *plan, PyObject *const outputs[],
                      const numd_scalar *result);
void call_clear(struct call *call);
/* Submits and gives a Future, which takes over the references of the call if it succeeds. */
PyObject *future_submit(struct call *call);
int future_settle_range(struct state *state, const void *first, const void *end);
/* Waits until no call that this process has submitted writes to these bytes any more. */
static inline int future_settle(struct state *state, const void *first, const void *end) {
  return __atomic_load_n(&state->pendings, __ATOMIC_RELAXED) ? future_settle_range(state, first, end) : 0;
}

/* ---- wait.c */

/* Raises the exception for a status; gives NULL. */
PyObject *raise_status(struct state *state, int status);
#define WITH_GIL_NS 20000 /* how long a call is waited for before the GIL is given up */
/* Goes on where a call was waited for WITH_GIL_NS and gave `status`: waits without the GIL if that is
 * ETIMEOUT. A status, or -1 if a signal handler raised: the call was then cancelled and is over. */
int wait_on(int status, numd_ticket *ticket, numd_scalar *result);
/* How long the calling thread may wait without a look for signals. */
int64_t wait_slice_ns(void);
/* Waits at most so long without the GIL, for signals too. A status, ETIMEOUT, or -1: an exception, and the
 * call still runs. */
int wait_released(numd_ticket *ticket, int64_t timeout_ns, numd_scalar *result);

#endif
