/* numd: share arrays with, and compute in, another process on the same host.
 *
 * A program connects to the daemon (one is started if none answers), makes arrays in shared memory or
 * attaches memory that exists already, and asks for operations on them, either one at a time
 * (`numd_apply`) or as a program that is prepared once and called often (`numd_prepare`,
 * `numd_plan_call`).
 *
 * Errors. Functions that return `int` give a `numd_status`: NUMD_OK (0) or a positive number;
 * `numd_error()` is then a sentence about the calling thread's last failure. On failure nothing is
 * written through output pointers and nothing is lost.
 *
 * Threads. All functions may be called from any thread. Each thread that calls gets a channel of its
 * own on first use; calls of one thread run in the order in which they were submitted.
 *
 * Fork. After fork() the child may use everything that it inherited: its first use opens a session of
 * its own and attaches the same memory again. What the parent frees while the child lives stays as it is if
 * it existed at the fork. Tickets of the parent stay with it.
 *
 * Lifetimes. Objects are reference counted where there is a `_ref`; freeing NULL is legal. An array
 * keeps its connection and its memory. Arrays given to a submitted call must be kept until it is done. */
#ifndef NUMD_H
#define NUMD_H

#include <stddef.h>
#include <stdint.h>

#include "protocol/dtype.h"
#include "protocol/op.h"
#include "protocol/status.h"
#include "protocol/version.h"

#ifdef __cplusplus
extern "C" {
#endif

#define NUMD_MAX_DIMS 16       /* dimensions of an array */
#define NUMD_MAX_BINDINGS 64   /* inputs, scalars and outputs of a program together */
#define NUMD_MAX_OPS 256       /* operations of a program */
#define NUMD_N_LISTS 3         /* parameters of one operation that are lists */
#define NUMD_FOREVER INT64_MAX /* a time limit in nanoseconds */

#define NUMD_API __attribute__((visibility("default")))

/* A sentence about the calling thread's last failure; valid until its next call. Never NULL. */
NUMD_API const char *numd_error(void);
/* "ESHAPE" and "shapes do not match" for NUMD_ESHAPE. Never NULL. */
NUMD_API const char *numd_status_name(int status);
NUMD_API const char *numd_status_message(int status);
/* Names to numbers and back; -1 and NULL for what does not exist. */
NUMD_API int numd_op_find(const char *name);
NUMD_API const char *numd_op_name(numd_op op);
NUMD_API int numd_dtype_find(const char *name);
NUMD_API const char *numd_dtype_name(numd_dtype dtype);
NUMD_API size_t numd_dtype_size(numd_dtype dtype); /* bytes an item; 0 if unknown */
/* The dtype in which two meet, as the daemon promotes them. A weak one is that of a scalar: against a dtype
 * that is not weak its kind alone counts. NUMD_DTYPE_NONE if one is no dtype. */
NUMD_API numd_dtype numd_promote(numd_dtype a, int a_weak, numd_dtype b, int b_weak);
/* Whether a result may be stored in an output of another dtype: NumPy's same_kind rule. */
NUMD_API int numd_can_cast(numd_dtype from, numd_dtype to);

/* ---- Connections -------------------------------------------------------------------------------- */

typedef struct numd_conn numd_conn;

enum numd_door { NUMD_DOOR_RING, NUMD_DOOR_SOCKET };
/* How the calling thread and its worker wait for each other. AUTO adapts to the time between calls;
 * the others fix one gear and exist to be measured. */
enum numd_wait { NUMD_WAIT_AUTO, NUMD_WAIT_SPIN, NUMD_WAIT_HANDOFF, NUMD_WAIT_SLEEP };

typedef struct numd_options {
  size_t size;         /* sizeof(numd_options), so that the structure may grow: NUMD_OPTIONS_INIT sets it */
  const char *address; /* path of the daemon's socket; NULL: $NUMD_SOCKET, else the user's default */
  const char *daemon;  /* program to start if none answers; NULL: $NUMD_DAEMON, beside the library, PATH */
  int no_start;        /* nonzero: fail rather than start a daemon */
  enum numd_door door; /* the way that calls take */
  enum numd_wait wait;
  uint32_t reserved; /* 0 */
} numd_options;

#define NUMD_OPTIONS_INIT \
  { .size = sizeof(numd_options) }

/* Opens a session. options NULL means all defaults. EUNAVAILABLE, EVERSION, ELIMIT, ENOMEMORY.
 * A daemon started here listens on the same address for other programs too, and ends soon after its last
 * client. */
NUMD_API int numd_connect(const numd_options *options, numd_conn **out);
NUMD_API numd_conn *numd_conn_ref(numd_conn *conn);
/* Drops a reference. The session ends when nothing refers to the connection any more. */
NUMD_API void numd_conn_unref(numd_conn *conn);
/* The path at which the daemon was found. Valid as long as the connection. */
NUMD_API const char *numd_conn_address(const numd_conn *conn);
/* Round trip over the socket. EDISCONNECTED, ETIMEOUT. */
NUMD_API int numd_ping(numd_conn *conn, int64_t timeout_ns);
/* The daemon's counters as JSON text, to be freed with free(). */
NUMD_API int numd_stats(numd_conn *conn, char **json);

/* ---- Arrays ------------------------------------------------------------------------------------- */

/* A dtype and the way elements lie in memory; interned, so equal layouts have equal addresses within
 * one process. */
typedef struct numd_layout {
  numd_dtype dtype;
  int ndim;
  int64_t size;   /* elements */
  int64_t nbytes; /* size times item size */
  int contiguous; /* C order without gaps */
  const int64_t *shape;
  const int64_t *strides; /* bytes; any sign; 0 repeats */
} numd_layout;

/* An array: a view of shared memory. Read-only to the caller. */
typedef struct numd_array {
  numd_conn *conn;
  const numd_layout *layout;
  void *data;       /* the element at index 0, 0, ... in this process */
  uint64_t binding; /* the same place for the daemon: segment id << 48 | byte offset */
} numd_array;

/* A new array in C order. Contents of `empty` are unspecified but never another program's data. EDTYPE,
 * ESHAPE (negative or too large), ENOMEMORY. */
NUMD_API int numd_array_empty(numd_conn *conn, numd_dtype dtype, int ndim, const int64_t shape[],
                              numd_array **out);
NUMD_API int numd_array_zeros(numd_conn *conn, numd_dtype dtype, int ndim, const int64_t shape[],
                              numd_array **out);
/* Another view of `base`'s memory: its first element `offset` bytes after base->data (may be negative).
 * It must stay inside the block of memory that base lives in: EBOUNDS. EALIGN for odd offsets or strides. */
NUMD_API int numd_array_view(numd_array *base, int64_t offset, numd_dtype dtype, int ndim,
                             const int64_t shape[], const int64_t strides[], numd_array **out);
NUMD_API numd_array *numd_array_ref(numd_array *array);
NUMD_API void numd_array_unref(numd_array *array);

/* ---- Memory that exists already, and memory for others ----------------------------------------- */

typedef struct numd_segment numd_segment;

/* Attach a POSIX shared-memory object by name ("/name" or "name"), or by a descriptor of a memfd or shm
 * object, which stays the caller's. The object stays when the segment goes. EACCESS, EDESCRIPTOR, ELIMIT. */
NUMD_API int numd_segment_attach(numd_conn *conn, const char *name, numd_segment **out);
NUMD_API int numd_segment_attach_fd(numd_conn *conn, int fd, numd_segment **out);
NUMD_API numd_segment *numd_segment_ref(numd_segment *segment);
NUMD_API void numd_segment_unref(numd_segment *segment);
NUMD_API void *numd_segment_data(const numd_segment *segment);
NUMD_API uint64_t numd_segment_bytes(const numd_segment *segment);
/* An array in it, `offset` bytes from its start; strides NULL means C order. EBOUNDS, EALIGN, ESHAPE, EDTYPE.
 */
NUMD_API int numd_segment_array(numd_segment *segment, int64_t offset, numd_dtype dtype, int ndim,
                                const int64_t shape[], const int64_t strides[], numd_array **out);

/* A handle names an array for another process of the same daemon; it is plain data without pointers,
 * to be sent in any way. What it names stays as long as any process holds the array, or has published it; and
 * a handle on its way holds it, too: until it was imported once, or until a minute after the session that
 * exported it has ended. A handle that is never imported holds its memory until then. */
#define NUMD_HANDLE_VERSION 1
typedef struct numd_handle {
  uint32_t version;  /* NUMD_HANDLE_VERSION */
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

NUMD_API int numd_array_export(numd_array *array, numd_handle *out);
/* ESEGMENT if nobody holds the memory any more. In a forked child of the exporter the memory is not mapped
 * again. */
NUMD_API int numd_array_import(numd_conn *conn, const numd_handle *handle, numd_array **out);

/* Names for arrays, a list for each user at each daemon. A published array lasts until it is unpublished or
 * the daemon ends, whatever becomes of the process that published it; a daemon that was started by a program
 * stays while anything is published. A name has 1 to 127 of: letters, digits, . _ - / : + @
 * EINVAL (no possible name), EEXIST (there is one, and replace is 0), ELIMIT. */
NUMD_API int numd_publish(numd_array *array, const char *name, int replace);
/* An array on the memory that was published. ESEGMENT if there is none of that name. */
NUMD_API int numd_open(numd_conn *conn, const char *name, numd_array **out);
/* Takes the name away; the memory stays as long as somebody holds it. ESEGMENT. */
NUMD_API int numd_unpublish(numd_conn *conn, const char *name);
/* Who holds what, of all sessions of this user: JSON text, to be freed with free(). {"segments": [{"id",
 * "what", "bytes", "used", "names": [...], "handles_in_flight", "holders": [{"pid", "command"}]}]} */
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
 * Only those are read whose bits are in `given`; those that are true or false are nothing but their bit.
 *     numd_params p = {.given = NUMD_PARAM_AXES | NUMD_PARAM_KEEPDIMS, .axes = 1u << 0}; */
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

/* A submitted call: plain data. */
typedef struct numd_ticket {
  void *channel;
  uint64_t number;
  numd_dtype result_dtype;
  uint32_t spin_ns;
  numd_array *kept; /* what the call needs until it is done */
  uint64_t reserved[2];
} numd_ticket;

/* How many arrays an operation gives: as many as `out` of numd_apply has room for. One but for some
 * factorisations and searches; 0 for an unknown operation. */
NUMD_API int numd_op_n_arrays(numd_op op);

/* Computes op(args...). The first call with a signature (operation, parameters, layouts) prepares a plan;
 * later ones find it again. params NULL: none is given. Where the operation gives one array:
 *  - *out is an array: the result is stored there, broadcast and cast by NumPy's same_kind rule.
 *  - *out is NULL: a new array is made and stored there.
 *  - out is NULL: the result has no dimensions and goes to *result with its own dtype.
 * Where it gives several, out[0] to out[numd_op_n_arrays(op) - 1] are such arrays, or NULL.
 *
 * Some operations of class ORDER (nonzero, unique_*, extract) find out how long a result is only as they
 * compute it. Their arrays have room for all that could be; *result, if it is not NULL, is how much is used
 * (INT64), and arrays that were made here are cut to that, as by numd_trim.
 *
 * ESHAPE, EDTYPE, ECAST, ERANGE, EDOMAIN, EINDEX, ESINGULAR, EDEFINITE, ECONVERGE, ESEGMENT, ELOST,
 * EDISCONNECTED, ENOMEMORY. */
NUMD_API int numd_apply(numd_conn *conn, numd_op op, const numd_params *params, int n_args,
                        const numd_arg args[], numd_array **out, numd_scalar *result);

/* As numd_apply, but does not wait: the result is there, and result scalars are given, when `numd_wait`
 * has finished the ticket. What is in `out`, made here or given, must be kept until then, and is not cut. */
NUMD_API int numd_apply_submit(numd_conn *conn, numd_op op, const numd_params *params, int n_args,
                               const numd_arg args[], numd_array **out, numd_ticket *ticket);

/* As numd_apply, but waits for timeout_ns at most, and not at all for what the daemon expects to take
 * longer: on ETIMEOUT the call goes on, and *ticket is to be waited for. */
NUMD_API int numd_apply_for(numd_conn *conn, numd_op op, const numd_params *params, int n_args,
                            const numd_arg args[], numd_array **out, numd_scalar *result, int64_t timeout_ns,
                            numd_ticket *ticket);

/* Cuts the arrays of a call that was not waited for, or that timed out, to the count that its wait gave: each
 * array in `out` whose length depends on the data is replaced by a view of its first `count` elements along
 * its last axis (of extract: the first axis). NULLs stay. Nothing to do for other operations. */
NUMD_API int numd_trim(numd_op op, numd_array **out, int64_t count);

/* ---- Programs ----------------------------------------------------------------------------------- */

typedef struct numd_program numd_program;
typedef struct numd_plan numd_plan;

/* A program is built value by value; each function that makes a value gives its number (from 0), or a
 * negative status. Dtypes and shapes of results follow by promotion and broadcasting, and are checked by
 * numd_prepare. Inputs, scalars and constants come before the first operation. A program may be freed once it
 * is prepared. */
NUMD_API numd_program *numd_program_new(void); /* NULL: out of memory */
NUMD_API void numd_program_free(numd_program *program);
/* An array given at each call. strides NULL means C order. */
NUMD_API int numd_program_input(numd_program *program, numd_dtype dtype, int ndim, const int64_t shape[],
                                const int64_t strides[]);
/* A weak scalar given at each call: BOOL, INT64, UINT64, FLOAT64 or COMPLEX128. */
NUMD_API int numd_program_scalar(numd_program *program, numd_dtype dtype);
/* A weak scalar that is fixed: BOOL, INT64, UINT64 or FLOAT64. */
NUMD_API int numd_program_constant(numd_program *program, numd_scalar value);
/* Inputs are numbers of earlier values. params as for numd_apply. Gives the number of the operation's first
 * value; where it has several (the row's outputs, a count among them) the others follow. */
NUMD_API int numd_program_op(numd_program *program, numd_op op, int n_inputs, const int inputs[],
                             const numd_params *params);
/* Makes a value an output: an array given at each call. dtype NUMD_DTYPE_NONE and ndim -1 leave it to the
 * daemon (C order); numd_plan_output then tells. Gives the output's number or a negative status. */
NUMD_API int numd_program_output(numd_program *program, int value, numd_dtype dtype, int ndim,
                                 const int64_t shape[], const int64_t strides[]);
/* Makes a value without dimensions the call's scalar result; one a program. 0 or a negative status. */
NUMD_API int numd_program_result(numd_program *program, int value);

/* Has the daemon check and compile the program. EOP, EDTYPE, ESHAPE, ECAST, EBOUNDS, ELIMIT, ENOMEMORY,
 * EDISCONNECTED. */
NUMD_API int numd_prepare(numd_conn *conn, const numd_program *program, numd_plan **out);
NUMD_API numd_plan *numd_plan_ref(numd_plan *plan);
NUMD_API void numd_plan_unref(numd_plan *plan);
NUMD_API int numd_plan_n_inputs(const numd_plan *plan);  /* arrays and scalars given at a call */
NUMD_API int numd_plan_n_outputs(const numd_plan *plan); /* arrays; the scalar result is not one */
/* The layout of output i, as the daemon decided it. Valid as long as the plan. */
NUMD_API const numd_layout *numd_plan_output(const numd_plan *plan, int i);
/* The daemon's description of how the program was fused and what its steps move, to be freed with free(). */
NUMD_API int numd_plan_explain(numd_plan *plan, char **text);

/* Calls the plan and waits. args: the inputs in their order, then the output arrays; layouts must be the
 * prepared ones (ESHAPE). result may be NULL. timeout_ns: NUMD_FOREVER, or after that long ETIMEOUT, and the
 * call is cancelled. */
NUMD_API int numd_plan_call(numd_plan *plan, int n_args, const numd_arg args[], numd_scalar *result,
                            int64_t timeout_ns);

/* As numd_plan_call, but on ETIMEOUT, which comes at once for what the daemon expects to take longer, the
 * call goes on, and *ticket is to be waited for. */
NUMD_API int numd_plan_call_for(numd_plan *plan, int n_args, const numd_arg args[], numd_scalar *result,
                                int64_t timeout_ns, numd_ticket *ticket);
/* As numd_plan_call, but does not wait. */
NUMD_API int numd_plan_submit(numd_plan *plan, int n_args, const numd_arg args[], numd_ticket *ticket);
/* Whether a call that was lost (EDISCONNECTED) may be made again as if it had never been: nothing that it
 * writes is read by it, and its outputs are arrays that were made by this connection and never shared. NULL
 * outputs are to be made. numd_apply and numd_plan_call do so by themselves, once; who waits for a ticket may
 * ask. */
NUMD_API int numd_may_repeat(int n_args, const numd_arg args[], int n_out, numd_array *const out[]);

/* Waits for a submitted call, from any thread. Its own status (NUMD_OK or what went wrong), or ETIMEOUT:
 * then it still runs and may be waited for again. timeout_ns 0 only looks. A ticket is finished by the first
 * wait that does not give ETIMEOUT, and is not to be used after it. */
NUMD_API int numd_wait(numd_ticket *ticket, int64_t timeout_ns, numd_scalar *result);
/* Asks that a submitted call be given up; it must still be waited for and gives ECANCELLED, or its
 * result if it was done already. The factorisation of one matrix is not interrupted: a call that is inside
 * LAPACK ends when LAPACK returns. */
NUMD_API int numd_cancel(numd_ticket *ticket);

/* For programs that wait in poll() or a loop: *fd becomes readable when the ticket's call is done, or its
 * session ends. It tells of all calls that the calling thread submitted over this connection, so a loop that
 * waits for several asks for each and has one descriptor. After this call and each time that the descriptor
 * is readable (what is in it is to be read, without blocking, and thrown away), look at the tickets by
 * numd_wait(ticket, 0, ...). It is the library's: not to be closed, and closed with the session. EINVAL if
 * another thread submitted the call, or if it went through the socket door. EDISCONNECTED, ELIMIT. */
NUMD_API int numd_notify(numd_ticket *ticket, int *fd);
/* No more of that, until it is asked for again. By the same thread. */
NUMD_API void numd_notify_off(int fd);

#ifdef __cplusplus
}
#endif
#endif
