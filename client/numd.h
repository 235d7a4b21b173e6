/* SPDX-License-Identifier: BSD-3-Clause */
/* numd: share arrays with, and compute in, another process on the same host.
 *
 * A program connects to the daemon (one is started if none answers), makes arrays in shared memory or
 * attaches memory that exists already, and asks for operations on them, either one at a time
 * (`numd_apply`) or as a program that is prepared once and called often (`numd_prepare`,
 * `numd_plan_call`).
 *
 * Statuses. Functions that return `int` and are not said to return something else give a `numd_status`:
 * NUMD_OK (0) or a positive number; `numd_error()` is then a sentence about the calling thread's last
 * failure. On failure nothing is written through output pointers and nothing is lost. Below, each function
 * names the statuses that are about its arguments, without their NUMD_. Two groups have names.
 *
 * Session statuses can come from every function that is said to ask the daemon: EUNAVAILABLE (none
 * answers, and none could be started), EVERSION (it speaks another protocol), EACCESS (it does not serve this
 * user), ELIMIT (of sessions, or a quota of this user), EDISCONNECTED (the session was lost; the next use
 * opens another), ETIMEOUT (no answer within 60 s), EPROTOCOL (an answer that makes no sense), ENOMEMORY,
 * EINTERNAL.
 *
 * Call statuses are how a call can end: EDOMAIN (a value outside of the operation's domain), ERANGE (a
 * scalar does not fit the dtype that it takes), EINDEX, ESINGULAR, EDEFINITE, ECONVERGE (of its data), EINVAL
 * (two outputs overlap), ESEGMENT (an array was freed before its call was done), ELOST (an attached object
 * was made smaller), ECANCELLED (by numd_cancel, or at the daemon's own time limit), ELIMIT (too many long
 * calls at once through the socket), ENOMEMORY, EDISCONNECTED (the daemon or the worker ended meanwhile: the
 * outputs may be written, in part or not at all).
 *
 * Threads. All functions may be called from any thread, and objects be shared between threads, unless a
 * function says something else. Each thread that makes calls gets a channel of its own on its first call
 * (which asks the daemon; ELIMIT beyond 256 threads at once); calls of one thread run in the order in which
 * they were submitted. What two calls, or a call and this program, do to the same elements at the same time
 * is not put in order.
 *
 * Blocking. Who asks the daemon waits for its answer, at most 60 s unless a time limit is given, and requests
 * of other threads over the same connection wait until then; calls through the ring do not. Functions that
 * are not said to ask the daemon or to wait return at once, but for two things: a connection whose session
 * was lost, or was inherited by fork(), opens another at its next use, and memory that is made or given up
 * asks the daemon when it changes whole segments.
 *
 * Fork. After fork() the child may use everything that it inherited: its first use opens a session of
 * its own and attaches the same memory again. What the parent frees while the child lives stays as it is if
 * it existed at the fork. Tickets of the parent stay with it.
 *
 * Lifetimes. Objects are reference counted where there is a `_ref`; freeing NULL is legal. An array
 * keeps its connection and its memory. Arrays given to a submitted call must be kept until it is done.
 *
 * Versions. Before 1.0 a release may change what is here, and says so in CHANGELOG.md. Each function of
 * libnumd.so has the release that first had it as its symbol version. Structures that programs make and that
 * may grow say their size (numd_options) or which of their fields count (numd_params); those that travel say
 * their version (numd_handle). Structures that the library makes (numd_layout, numd_array) may grow at their
 * end, so programs use them by pointer and make no copies. numd_scalar and numd_arg stay as they are. */
#ifndef NUMD_H
#define NUMD_H

#include <stddef.h>
#include <stdint.h>

#include "protocol/dtype.h"
#include "protocol/limits.h"
#include "protocol/op.h"
#include "protocol/status.h"
#include "protocol/version.h"
#include "shared/wait_policy.h"

#ifdef __cplusplus
extern "C" {
#endif

#define NUMD_FOREVER INT64_MAX /* a time limit in nanoseconds */

#define NUMD_API __attribute__((visibility("default")))

/* ---- Words for numbers --------------------------------------------------------------------------
 *
 * None of these asks the daemon or fails. Texts that they give are constants. */

/* A sentence in English about the calling thread's last failure; after a success it says nothing new. Never
 * NULL. Valid until the thread's next call of a function of this library. */
NUMD_API const char *numd_error(void);
/* "ESHAPE" for NUMD_ESHAPE; "?" if there is no such status. Never NULL. */
NUMD_API const char *numd_status_name(int status);
/* "shapes do not match" for NUMD_ESHAPE; a text that says so if there is no such status. Never NULL. */
NUMD_API const char *numd_status_message(int status);
/* The numd_op of that name, as "add"; -1 if there is none. */
NUMD_API int numd_op_find(const char *name);
/* The name of an operation; NULL if there is none of that number. */
NUMD_API const char *numd_op_name(numd_op op);
/* How many arrays an operation gives: as many as `out` of numd_apply has room for. One but for some
 * factorisations and searches; 0 for an unknown operation. */
NUMD_API int numd_op_n_arrays(numd_op op);
/* The numd_dtype of that name, as "float64"; -1 if there is none. */
NUMD_API int numd_dtype_find(const char *name);
/* The name of a dtype; NULL if there is none of that number. */
NUMD_API const char *numd_dtype_name(numd_dtype dtype);
/* Bytes an item; 0 if there is no such dtype. */
NUMD_API size_t numd_dtype_size(numd_dtype dtype);
/* The dtype in which two meet, as the daemon promotes them. A weak one (nonzero) is that of a scalar: against
 * a dtype that is not weak its kind alone counts. NUMD_DTYPE_NONE if one is no dtype. */
NUMD_API numd_dtype numd_promote(numd_dtype a, int a_weak, numd_dtype b, int b_weak);
/* 1 if a result may be stored in an output of another dtype, by NumPy's same_kind rule; else 0. */
NUMD_API int numd_can_cast(numd_dtype from, numd_dtype to);

/* What the lists (protocol/op.h, protocol/dtype.h) say. All of it is valid for ever; no daemon is asked; any
 * thread. Later releases may add members at the end of these structs. */

/* The row of an operation. NULL if there is none of that number. */
NUMD_API const struct numd_op_info *numd_op_info(numd_op op);
/* The parameter whose bit in `given` is 1 << bit. NULL if there is none. */
NUMD_API const struct numd_param_info *numd_param_info(int bit);
/* The row of a dtype. NULL if there is none of that number. */
NUMD_API const struct numd_dtype_info *numd_dtype_info(numd_dtype dtype);

/* The words that rows use: of numd_op_class, numd_op_typing, numd_op_fast and numd_param_type. */
enum numd_word_list { NUMD_WORDS_CLASS, NUMD_WORDS_TYPING, NUMD_WORDS_FAST, NUMD_WORDS_PARAM_TYPE };
/* Word i (from 0) of a list. NULL behind the last, and for a list that does not exist. */
NUMD_API const struct numd_word *numd_word(enum numd_word_list list, int i);

/* ---- Connections -------------------------------------------------------------------------------- */

typedef struct numd_conn numd_conn;

/* The way that calls take: a ring in shared memory, or requests over the socket. */
enum numd_door { NUMD_DOOR_RING, NUMD_DOOR_SOCKET };

/* What is zero is the default. `size` says how much of the structure a program knows: a library that knows
 * more takes the rest for zero, and one that knows less refuses what it does not know unless it is zero.
 *     numd_options o = {.size = sizeof(o), .no_start = 1};     or     numd_options o = NUMD_OPTIONS_INIT; */
typedef struct numd_options {
  size_t size;         /* sizeof(numd_options) */
  const char *address; /* path of the daemon's socket; NULL: $NUMD_SOCKET, else the user's default */
  const char *daemon;  /* program to start if none answers; NULL: $NUMD_DAEMON, beside the library, PATH */
  int no_start;        /* nonzero: fail rather than start a daemon */
  enum numd_door door; /* the way that calls take */
  enum numd_wait wait;
  uint32_t reserved; /* 0 */
} numd_options;

#define NUMD_OPTIONS_INIT \
  { sizeof(numd_options), NULL, NULL, 0, NUMD_DOOR_RING, NUMD_WAIT_AUTO, 0 }

/* Opens a session: asks the daemon, and waits up to 5 s more for one that it starts. options NULL means all
 * defaults; they, and the texts in them, are read during the call only. A daemon that was started here
 * listens on the same address for other programs too, and ends soon after its last client. *out has one
 * reference, which is the caller's. EINVAL (a wrong size, an option that does not exist, an address that is
 * too long), session statuses. */
NUMD_API int numd_connect(const numd_options *options, numd_conn **out);
/* Adds a reference. Gives `conn`. */
NUMD_API numd_conn *numd_conn_ref(numd_conn *conn);
/* Drops a reference. The session ends when nothing refers to the connection any more: no user, array, segment
 * or plan. Tickets do not count: wait for them first. */
NUMD_API void numd_conn_unref(numd_conn *conn);
/* The path at which the daemon was found. Valid as long as the connection. */
NUMD_API const char *numd_conn_address(const numd_conn *conn);
/* Asks the daemon and waits for timeout_ns nanoseconds at most (and first for another thread's request that
 * is under way): whether there is a session, or another can be opened. ETIMEOUT, the other session statuses.
 */
NUMD_API int numd_ping(numd_conn *conn, int64_t timeout_ns);
/* The daemon's counters, as JSON text, to be freed with free(): the
 * keys are those of `stats` in protocol/PROTOCOL.md. Asks the daemon. Session statuses. */
NUMD_API int numd_stats(numd_conn *conn, char **json);

/* ---- Arrays ------------------------------------------------------------------------------------- */

/* A dtype and the way elements lie in memory; interned, so equal layouts have equal addresses within
 * one process. Valid as long as an array or a plan has it. */
typedef struct numd_layout {
  numd_dtype dtype;
  int ndim;
  int64_t size;   /* elements */
  int64_t nbytes; /* size times item size */
  int contiguous; /* C order without gaps */
  const int64_t *shape;
  const int64_t *strides; /* bytes; any sign; 0 repeats */
} numd_layout;

/* An array: a view of shared memory. Read-only to the caller, but for the elements. */
typedef struct numd_array {
  numd_conn *conn;
  const numd_layout *layout;
  void *data;       /* the element at index 0, 0, ... in this process */
  uint64_t binding; /* the same place for the daemon: segment id << 48 | byte offset */
} numd_array;

/* A new array in C order, at a multiple of 64 bytes. Its contents are unspecified, but never another
 * program's data. shape has ndim lengths, counted in elements, and is read during the call only. *out has one
 * reference. Asks the daemon when a segment is to be made: every 64 MiB of small arrays, and for each above 4
 * MiB that finds no kept one. EDTYPE, ESHAPE (a negative length, more than 16 dimensions, too large),
 * ENOMEMORY (more than the machine or the container has), ELIMIT (segments, or a quota of bytes), the other
 * session statuses. */
NUMD_API int numd_array_empty(numd_conn *conn, numd_dtype dtype, int ndim, const int64_t shape[],
                              numd_array **out);
/* As numd_array_empty, with all elements zero. */
NUMD_API int numd_array_zeros(numd_conn *conn, numd_dtype dtype, int ndim, const int64_t shape[],
                              numd_array **out);
/* Another view of `base`'s memory: its first element `offset` bytes after base->data (may be negative), the
 * strides in bytes; strides NULL means C order. It must stay inside of the memory that base's maker gave it:
 * that of the first array, or the whole of an attached segment. *out has one reference and keeps that memory;
 * base may go. EDTYPE, ESHAPE, EALIGN (an offset or stride that is no multiple of the dtype's alignment),
 * EBOUNDS, ENOMEMORY. */
NUMD_API int numd_array_view(numd_array *base, int64_t offset, numd_dtype dtype, int ndim,
                             const int64_t shape[], const int64_t strides[], numd_array **out);
/* Adds a reference. Gives `array`. */
NUMD_API numd_array *numd_array_ref(numd_array *array);
/* Drops a reference. With the last one of all arrays in it, the memory is used for others, or is given back.
 */
NUMD_API void numd_array_unref(numd_array *array);

/* ---- Memory that exists already, and memory for others ----------------------------------------- */

typedef struct numd_segment numd_segment;

/* Attaches a POSIX shared-memory object by its name ("/name" or "name"), which is opened here, with this
 * process's rights, and mapped readable and writable. It is never unlinked or resized; if somebody makes it
 * smaller, calls on what is gone give ELOST, and this process gets SIGBUS where it touches it. *out has one
 * reference. Asks the daemon. EACCESS (there is none, or it may not be opened), EDESCRIPTOR (not such an
 * object, empty, or sealed against writing), ENOMEMORY (its file system has not the room for all of it),
 * ELIMIT (4096 segments a session, or a quota), the other session statuses. */
NUMD_API int numd_segment_attach(numd_conn *conn, const char *name, numd_segment **out);
/* The same for a descriptor of a memfd or shared-memory object, which stays the caller's and may be closed.
 * EDESCRIPTOR (also for no descriptor), ENOMEMORY, ELIMIT, the other session statuses. */
NUMD_API int numd_segment_attach_fd(numd_conn *conn, int fd, numd_segment **out);
/* Adds a reference. Gives `segment`. */
NUMD_API numd_segment *numd_segment_ref(numd_segment *segment);
/* Drops a reference; arrays in it are references of their own. With the last one it is unmapped; the object
 * stays. */
NUMD_API void numd_segment_unref(numd_segment *segment);
/* Where it is mapped. Valid as long as the segment. */
NUMD_API void *numd_segment_data(const numd_segment *segment);
/* How many bytes it had when it was attached. */
NUMD_API uint64_t numd_segment_bytes(const numd_segment *segment);
/* An array in it, whose first element is `offset` bytes from its start; strides NULL means C order. *out has
 * one reference and keeps the segment. EDTYPE, ESHAPE, EALIGN (as for numd_array_view), EBOUNDS, ENOMEMORY.
 */
NUMD_API int numd_segment_array(numd_segment *segment, int64_t offset, numd_dtype dtype, int ndim,
                                const int64_t shape[], const int64_t strides[], numd_array **out);

#define NUMD_HANDLE_VERSION 1

/* A handle names an array for another process of the same daemon; it is plain data without pointers,
 * to be sent in any way between programs of one machine. What it names stays as long as any process holds the
 * array, or has published it; and a handle on its way holds it, too: until it was imported once, or until a
 * minute after the session that exported it has ended. A handle that is never imported holds its memory until
 * then. */
typedef struct numd_handle {
  uint32_t version;  /* NUMD_HANDLE_VERSION: of this structure */
  uint32_t reserved; /* 0 */
  uint8_t token[16]; /* the segment's: 128 random bits, held by the daemon */
  uint64_t ticket;   /* of this one handle */
  uint64_t offset;   /* of the first element in the segment */
  uint64_t block;    /* the part of the segment that is held: where it begins */
  uint64_t block_bytes;
  uint32_t dtype;
  uint32_t ndim;
  int64_t shape[NUMD_MAX_DIMS];
  int64_t strides[NUMD_MAX_DIMS];
} numd_handle;

/* Writes a handle of the array to *out. Who has it may read and write the array's whole segment. Asks the
 * daemon. ELIMIT (a quota of shared objects), the other session statuses. */
NUMD_API int numd_array_export(numd_array *array, numd_handle *out);
/* The array that a handle names, on the same memory. *out has one reference. Asks the daemon. In a forked
 * child of the exporter the memory is not mapped again. EVERSION (a handle of another version), EINVAL,
 * EDTYPE, ESHAPE, EALIGN or EBOUNDS (no handle, or a damaged one), ESEGMENT (nobody holds the memory any
 * more), EDESCRIPTOR (it cannot be mapped), ELIMIT, the other session statuses. */
NUMD_API int numd_array_import(numd_conn *conn, const numd_handle *handle, numd_array **out);

/* Gives an array a name; each user has a list of names at each daemon. A published array lasts until it is
 * unpublished or the daemon ends, whatever becomes of the process that published it; a daemon that was
 * started by a program stays while anything is published. A name has 1 to 127 of: letters, digits, . _ - / :
 * + @ replace nonzero: the name may be in use, and is this array's from now on. Asks the daemon. EINVAL (no
 * possible name), EEXIST (it is in use), ELIMIT, the other session statuses. */
NUMD_API int numd_publish(numd_array *array, const char *name, int replace);
/* An array on the memory that was published. *out has one reference. Asks the daemon. EINVAL (no possible
 * name), ESEGMENT (there is none of that name), EVERSION (published by a numd whose handles have another
 * version), and what numd_array_import gives. */
NUMD_API int numd_open(numd_conn *conn, const char *name, numd_array **out);
/* Takes the name away; the memory stays as long as somebody holds it. Asks the daemon. EINVAL (no possible
 * name), ESEGMENT (there is none of that name), session statuses. */
NUMD_API int numd_unpublish(numd_conn *conn, const char *name);
/* Who holds what, of all sessions of this user: JSON text, to be freed with free(). {"segments": [{"id",
 * "what", "bytes", "used", "names": [...], "handles_in_flight", "holders": [{"pid", "command"}]}]}
 * Asks the daemon. ELIMIT (too many segments for an answer), the other session statuses. */
NUMD_API int numd_memory(numd_conn *conn, char **json);

/* ---- One operation ------------------------------------------------------------------------------ */

/* A scalar. As an input it is a BOOL (b), INT64 (i), UINT64 (u), FLOAT64 (f) or COMPLEX128 (c), and weak, as
 * a Python scalar is: an int32 array plus an INT64 scalar stays int32. As a result it has any dtype, in the
 * member of that type. */
typedef struct numd_scalar {
  numd_dtype dtype;
  union {
    uint8_t b;
    int8_t i8;
    int16_t i16;
    int32_t i32;
    int64_t i;
    uint8_t u8;
    uint16_t u16;
    uint32_t u32;
    uint64_t u;
    float f32;
    double f;
    numd_complex64 c64;
    numd_complex128 c;
    uint64_t bits; /* the first 8 bytes of any */
  };
} numd_scalar;

typedef struct numd_arg {
  numd_array *array; /* or, if NULL: */
  numd_scalar scalar;
} numd_arg;

/* Parameters, as NUMD_PARAM_LIST (protocol/op.h) lists them and each operation's row says which it takes.
 * Only those are read whose bits are in `given`; those that are true or false are nothing but their bit. So
 * this may grow without a size: a program that does not know a field does not set its bit, and a library that
 * does not know a bit refuses it. numd_params p = {.given = NUMD_PARAM_AXES | NUMD_PARAM_KEEPDIMS, .axes = 1u
 * << 0}; */
typedef struct numd_params {
  uint32_t given;   /* NUMD_PARAM_* */
  uint32_t axes;    /* AXES: bit i for axis i */
  numd_dtype dtype; /* DTYPE */
  int axis;         /* AXIS: negative counts from the end */
  int64_t n;        /* N */
  int64_t k;        /* K */
  double real;      /* CORRECTION, ORD or RTOL */
  /* [0]: SHAPE, REPETITIONS or SHIFT; [1]: ORDER or START; [2]: AGAINST or STEP. At most 16 each; read during
   * the call only. */
  int n_ints[NUMD_N_LISTS];
  const int64_t *ints[NUMD_N_LISTS];
} numd_params;

/* A submitted call: plain data of the library's, in memory of the caller's, which may be moved. Each is
 * waited for by one thread at a time, until it is finished; one that never is keeps memory until the
 * connection ends. */
typedef struct numd_ticket {
  void *channel;
  uint64_t number;
  numd_dtype result_dtype;
  uint32_t spin_ns;
  numd_array *kept; /* what the call needs until it is done */
  uint64_t reserved[2];
} numd_ticket;

/* Computes op(args...) and waits. The first call with a signature (operation, parameters, layouts) prepares a
 * plan, which asks the daemon; later ones find it again. params NULL: none is given. Where the operation
 * gives one array:
 *  - *out is an array: the result is stored there, broadcast and cast by NumPy's same_kind rule. It may
 * overlap inputs: the result is as if it did not.
 *  - *out is NULL: a new array is made and stored there, with one reference.
 *  - out is NULL: the result has no dimensions and goes to *result with its own dtype; result may be NULL.
 * Where it gives several, out[0] to out[numd_op_n_arrays(op) - 1] are such arrays, or NULL.
 *
 * Some operations of class ORDER (nonzero, unique_*, extract) find out how long a result is only as they
 * compute it. Their arrays have room for all that could be; *result, if it is not NULL, is how much is used
 * (INT64), and arrays that were made here are cut to that, as by numd_trim.
 *
 * A call that is lost is made again, once, if numd_may_repeat says that it may.
 *
 * Of the arguments, found when the plan is prepared: EOP (no such operation), EINVAL (the number of
 * arguments, a parameter that the operation does not take or whose value is impossible, an array of another
 * connection, an output with several elements in one place), EDTYPE (a dtype that the operation does not
 * take; a scalar of another dtype than the five), ESHAPE (shapes that do not fit), ECAST (the output's
 * dtype), EBOUNDS (a view that overflows), EALIGN, EDOMAIN (a reduction of nothing that has no identity),
 * EINDEX (indices into an axis without elements), ELIMIT (dimensions, integers of a list, matrices too large
 * for LAPACK; 65536 plans or their memory; channels). Besides, call statuses and session statuses, ETIMEOUT
 * only from preparing. */
NUMD_API int numd_apply(numd_conn *conn, numd_op op, const numd_params *params, int n_args,
                        const numd_arg args[], numd_array **out, numd_scalar *result);

/* As numd_apply, but does not wait (through the socket door it does): the result is there, and result scalars
 * are given, when `numd_wait` has finished *ticket, which belongs to the caller. What is in `out`, made here
 * or given, and the arrays in args must be kept until then; made ones are not cut: see numd_trim. With 256
 * calls in flight it waits for the oldest. The statuses of numd_apply that are about arguments, and session
 * statuses; the call's own are given by numd_wait. */
NUMD_API int numd_apply_submit(numd_conn *conn, numd_op op, const numd_params *params, int n_args,
                               const numd_arg args[], numd_array **out, numd_ticket *ticket);

/* As numd_apply, but waits for timeout_ns at most (through the socket door without limit), and not at all for
 * what the daemon expects to take longer: on ETIMEOUT the call goes on, *ticket is to be waited for, and the
 * arrays are to be kept. A call that is lost is not made again. The statuses of numd_apply. */
NUMD_API int numd_apply_for(numd_conn *conn, numd_op op, const numd_params *params, int n_args,
                            const numd_arg args[], numd_array **out, numd_scalar *result, int64_t timeout_ns,
                            numd_ticket *ticket);

/* Cuts the arrays of a call that was not waited for, or that timed out, to the count that its wait gave: each
 * array in `out` whose length depends on the data is replaced by a view of its first `count` elements along
 * its last axis (of extract: the first axis), and its reference with it. NULLs stay. Nothing to do for other
 * operations. EINVAL (count is more than there is room for), ENOMEMORY: arrays that were not cut yet stay. */
NUMD_API int numd_trim(numd_op op, numd_array **out, int64_t count);

/* ---- Programs -----------------------------------------------------------------------------------
 *
 * A program is built value by value, by one thread at a time; each function that makes a value gives its
 * number (from 0), or the negative of a status. Dtypes and shapes of results follow by promotion and
 * broadcasting, and are checked by numd_prepare, which also tells the first mistake of building again, so
 * that it is enough to look there. Inputs, scalars and constants come before the first operation: EINVAL;
 * they are at most 64: ELIMIT. None of these functions asks the daemon. */

typedef struct numd_program numd_program;
typedef struct numd_plan numd_plan;

/* An empty program, to be freed. NULL: out of memory. */
NUMD_API numd_program *numd_program_new(void);
/* Frees it. Plans that were made of it stay. */
NUMD_API void numd_program_free(numd_program *program);
/* An array given at each call. shape in elements, strides in bytes; strides NULL means C order. -EDTYPE,
 * -ESHAPE, -EALIGN, -EINVAL, -ELIMIT, -ENOMEMORY. */
NUMD_API int numd_program_input(numd_program *program, numd_dtype dtype, int ndim, const int64_t shape[],
                                const int64_t strides[]);
/* A weak scalar given at each call: BOOL, INT64, UINT64, FLOAT64 or COMPLEX128. -EDTYPE, -EINVAL, -ELIMIT. */
NUMD_API int numd_program_scalar(numd_program *program, numd_dtype dtype);
/* A weak scalar that is fixed: BOOL, INT64, UINT64 or FLOAT64. -EDTYPE, -EINVAL, -ELIMIT. */
NUMD_API int numd_program_constant(numd_program *program, numd_scalar value);
/* An operation on earlier values, whose numbers are in `inputs`. params as for numd_apply. Gives the number
 * of the operation's first value; where it has several (the row's outputs, a count among them) the others
 * follow. -EOP, -EINVAL (the number of inputs, one that does not exist, a parameter), -EDTYPE (of a
 * parameter), -ELIMIT (256 operations, 16 integers of a list). */
NUMD_API int numd_program_op(numd_program *program, numd_op op, int n_inputs, const int inputs[],
                             const numd_params *params);
/* Makes a value an output: an array given at each call, to whose shape and dtype the value is broadcast and
 * cast. dtype NUMD_DTYPE_NONE and ndim -1 leave it to the daemon (C order); numd_plan_output then tells.
 * Gives the output's number. -EINVAL (no such value), -EDTYPE (none of that number, or a shape without one),
 * -ESHAPE, -EALIGN, -ELIMIT (16 outputs), -ENOMEMORY. */
NUMD_API int numd_program_output(numd_program *program, int value, numd_dtype dtype, int ndim,
                                 const int64_t shape[], const int64_t strides[]);
/* Makes a value without dimensions the call's scalar result. Gives 0. -EINVAL (no such value), -ELIMIT (one a
 * program, 16 outputs). */
NUMD_API int numd_program_result(numd_program *program, int value);

/* Has the daemon check and compile the program, which may be freed then. *out has one reference, and keeps
 * the connection. Asks the daemon. The first mistake of building; else what numd_apply finds when a plan is
 * prepared: EOP, EINVAL, EDTYPE, ESHAPE, ECAST, EBOUNDS, EALIGN, ERANGE (a constant does not fit the dtype
 * that it takes), EDOMAIN, EINDEX, ELIMIT; session statuses. The sentence names the place, as
 * "ops[3].inputs[1]". */
NUMD_API int numd_prepare(numd_conn *conn, const numd_program *program, numd_plan **out);
/* Adds a reference. Gives `plan`. */
NUMD_API numd_plan *numd_plan_ref(numd_plan *plan);
/* Drops a reference. After the last one the daemon is asked to release the plan, when none of the
 * connection's calls is in flight. Calls of it that were submitted go on. */
NUMD_API void numd_plan_unref(numd_plan *plan);
/* Arrays and scalars given at a call. */
NUMD_API int numd_plan_n_inputs(const numd_plan *plan);
/* Arrays given at a call to be written; the scalar result is not one. */
NUMD_API int numd_plan_n_outputs(const numd_plan *plan);
/* The layout of output i, from 0, as the daemon decided it; NULL if there is none. Valid as long as the plan.
 */
NUMD_API const numd_layout *numd_plan_output(const numd_plan *plan, int i);
/* The daemon's description of how the program was fused and what its steps move, for people, to be freed with
 * free(). Asks the daemon. Session statuses. */
NUMD_API int numd_plan_explain(numd_plan *plan, char **text);

/* Calls the plan and waits. args: the inputs in their order, then the output arrays, n_args together; they
 * must be of the plan's connection and have the prepared layouts. result may be NULL. timeout_ns:
 * NUMD_FOREVER, or after that long ETIMEOUT, and the call is cancelled, which is waited for. A call that is
 * lost is made again, once, if numd_may_repeat says that it may; a session that does not know the plan is
 * told of it first. EINVAL (the number of args, another connection), EDTYPE (a scalar of another dtype),
 * ESHAPE (another layout), ETIMEOUT, call statuses, session statuses. */
NUMD_API int numd_plan_call(numd_plan *plan, int n_args, const numd_arg args[], numd_scalar *result,
                            int64_t timeout_ns);

/* As numd_plan_call, but on ETIMEOUT, which comes at once for what the daemon expects to take longer (and
 * never through the socket door), the call goes on, *ticket is to be waited for, and the arrays are to be
 * kept. A call that is lost is not made again. The statuses of numd_plan_call. */
NUMD_API int numd_plan_call_for(numd_plan *plan, int n_args, const numd_arg args[], numd_scalar *result,
                                int64_t timeout_ns, numd_ticket *ticket);
/* As numd_plan_call, but does not wait (through the socket door it does): the arrays are to be kept until
 * `numd_wait` has finished *ticket, which belongs to the caller. With 256 calls in flight it waits for the
 * oldest. EINVAL, EDTYPE and ESHAPE as numd_plan_call, session statuses; the call's own are given by
 * numd_wait. */
NUMD_API int numd_plan_submit(numd_plan *plan, int n_args, const numd_arg args[], numd_ticket *ticket);
/* 1 if a call that was lost (EDISCONNECTED) may be made again as if it had never been, else 0: nothing that
 * it writes is read by it, and its outputs are arrays that were made by this connection and never shared.
 * NULL outputs are to be made. numd_apply and numd_plan_call do so by themselves, once; who waits for a
 * ticket may ask. */
NUMD_API int numd_may_repeat(int n_args, const numd_arg args[], int n_out, numd_array *const out[]);

/* Waits for a submitted call, from any thread (the one that submitted it is woken soonest; others look every
 * 50 us). timeout_ns: nanoseconds, NUMD_FOREVER, or 0 to look only. *result, if the call has one and result
 * is not NULL, is its scalar. A ticket is finished by the first wait that does not give ETIMEOUT, and is not
 * to be used after it. ETIMEOUT: it still runs and may be waited for again; EINVAL (it was finished before);
 * else the call's own status: NUMD_OK or one of the call statuses. */
NUMD_API int numd_wait(numd_ticket *ticket, int64_t timeout_ns, numd_scalar *result);
/* Asks the daemon that a submitted call be given up; it must still be waited for and gives ECANCELLED, or its
 * result if it was done already. The factorisation of one matrix is not interrupted: a call that is inside
 * LAPACK ends when LAPACK returns. From any thread, also while another waits. EDISCONNECTED (its session is
 * gone), the other session statuses. */
NUMD_API int numd_cancel(numd_ticket *ticket);

/* For programs that wait in poll() or a loop: *fd becomes readable when the ticket's call is done, or its
 * session ends. It tells of all calls that the calling thread submitted over this connection, so a loop that
 * waits for several asks for each and has one descriptor. After this call and each time that the descriptor
 * is readable (what is in it is to be read, without blocking, and thrown away), look at the tickets by
 * numd_wait(ticket, 0, ...). It is the library's: not to be closed, and closed with the session. By the
 * thread that submitted the call. Asks the daemon the first time. EINVAL (another thread submitted it, or it
 * went through the socket door), EDISCONNECTED (its session is gone), ELIMIT (descriptors), the other session
 * statuses. */
NUMD_API int numd_notify(numd_ticket *ticket, int *fd);
/* No more of that, until it is asked for again. By the same thread; of another's descriptor nothing happens.
 */
NUMD_API void numd_notify_off(int fd);

#ifdef __cplusplus
}
#endif
#endif
