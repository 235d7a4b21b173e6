/* Inside the client library. What each file owns:
 *   error.c    the thread's last error
 *   conn.c     sessions: connecting, starting a daemon, opening again after a fork or a death
 *   rpc.c      one request and its response over the socket
 *   layout.c   interned layouts
 *   memory.c   segments, and the blocks that arrays live in
 *   watch.c    forked children that may still use our memory
 *   lend.c     blocks that other processes hold, too: handles and published names
 *   array.c    arrays and handles
 *   channel.c  channels: submitting to the ring and waiting
 *   program.c  programs, as they are built, and the parameters of operations
 *   plan.c     plans that the daemon makes of programs
 *   call.c     calling them
 *   lookup.c   plans found by signature
 *   apply.c    one operation at a time
 *   list.c     what the lists say: names, dtypes, promotion
 *
 * Locks, in the order in which they may be taken: registry (conn.c), conn->lock, layouts (layout.c),
 * channel->lock. fork() takes the first three, so that a child never inherits one in the middle of something.
 */
#ifndef NUMD_CLIENT_LIB_INTERNAL_H
#define NUMD_CLIENT_LIB_INTERNAL_H

#include <msgpack.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "client/numd.h"
#include "protocol/program.h"
#include "protocol/request.h"
#include "protocol/wire.h"
#include "shared/address.h"
#include "shared/channel.h"
#include "shared/errtext.h"
#include "shared/wake.h"

/* ---- error.c ---- */

/* Sets the thread's sentence and gives status. A macro, so that a compiler sees which status it is. */
__attribute__((format(printf, 1, 2))) void error_write(const char *format, ...);
#define error_set(status, ...) (error_write(__VA_ARGS__), errtext_same(status))
int error_status(int status); /* the status's message alone */
#define error_no_memory() error_set(NUMD_ENOMEMORY, "%s", status_message(NUMD_ENOMEMORY))

/* ---- layout.c ---- */

struct layout_impl {
  numd_layout pub; /* first: a numd_layout * is a layout_impl * */
  atomic_int refs;
  uint64_t hash;
  struct layout_impl *next;
  int64_t extents[2]; /* lowest byte, one past the highest */
  int64_t dims[];     /* shape, then strides */
};

/* The interned layout, with a reference. strides NULL: C order. EDTYPE, ESHAPE, EALIGN, ENOMEMORY. */
int layout_get(numd_dtype dtype, int ndim, const int64_t shape[], const int64_t strides[],
               const numd_layout **out);
const numd_layout *layout_ref(const numd_layout *layout);
void layout_unref(const numd_layout *layout);
void layout_lock(void);
void layout_unlock(void);

static inline const struct layout_impl *layout_impl(const numd_layout *layout) {
  return (const struct layout_impl *)layout;
}

/* ---- memory.c ---- */

struct numd_segment {
  numd_conn *conn;
  atomic_int refs; /* its blocks, arrays made in it, and the user's */
  uint32_t id;
  int fd;
  char *data;
  uint64_t bytes;
  bool ours;            /* made here: arrays of ours live in it */
  uint64_t token_epoch; /* the session in which the token was given; 0: none yet */
  uint8_t token[16];
  uint64_t used;        /* ours: bytes handed out from the start */
  struct block *shared; /* the blocks in it that other processes may hold, too */
};

/* A piece of a segment. Those of segments that are `ours` were cut out here; others were made by another
 * process, and came by a handle: such a block keeps its segment. */
struct block {
  numd_segment *segment;
  uint64_t offset, bytes;
  int class;             /* size class; -1: alone in its segment */
  bool fresh;            /* never used: still zero */
  bool returned;         /* shared, but nobody else holds it any more */
  bool borrowed;         /* made by another process */
  uint64_t shared_epoch; /* the session in which we told the daemon that we hold it; 0: never shared */
  uint64_t born;         /* watch_forks when it was handed out */
  atomic_int refs;       /* the arrays in it; 0: free, or shared and not returned yet */
  struct block *next;    /* on a free list, or of those shared in its segment */
};

#define N_CLASSES 72

/* Free memory of a connection's segments. Guarded by conn->lock. */
struct arena {
  numd_segment *current;
  struct block *free[N_CLASSES];
  struct block *large; /* whole segments kept for reuse */
  uint64_t large_bytes;
  int n_large;
  struct block *inherited; /* that we do not use any more, but perhaps forked children */
  int n_lent;              /* blocks of ours that we do not use any more, but others may */
};

int block_new(numd_conn *conn, uint64_t bytes, struct block **out);
void block_unref(struct block *block);
static inline void block_ref(struct block *block) {
  atomic_fetch_add_explicit(&block->refs, 1, memory_order_relaxed);
}
/* Forgets all free memory without touching it: after a fork it is the parent's. */
void arena_forget(struct arena *arena);
void arena_deinit(struct arena *arena);
/* Maps the object and attaches it under a new id; takes fd over in any case. conn->lock held. */
int segment_new(numd_conn *conn, int fd, bool ours, numd_segment **out);
int segment_free_id(const numd_conn *conn); /* -1: there is none */
int segment_map(numd_segment *segment);     /* the object behind its descriptor */
/* Attaches it in the current session, under the id that it has. */
int segment_attach(numd_segment *segment);
void segment_detach(numd_segment *segment); /* as a notification */
/* Holds the block that a handle names, whose segment is mapped if it was not yet. */
int block_import(numd_conn *conn, const numd_handle *handle, struct block **out);
/* We do not use it any more. conn->lock held, as for the others. */
void block_give(struct block *block);
/* Takes it off the list of those shared in its segment, if it is on it. */
void block_unlink(struct block *block);
/* Sets `returned` of those blocks of a segment of ours that nobody uses any more. */
void block_ask_returned(numd_segment *segment);

/* ---- watch.c ---- */

extern _Atomic uint64_t watch_forks; /* how often this process forked */
void watch_before_fork(void);
void watch_after_fork(bool in_child);
/* Whether a child that was forked after that count still lives. Any lock may be held. */
bool watch_inherited(uint64_t born);

/* ---- array.c ---- */

struct array_impl {
  numd_array pub; /* first */
  atomic_int refs;
  struct block *block;   /* ours, shared by its views */
  numd_segment *segment; /* of others: attached or imported */
};

/* A new array of a layout, which gets another reference. */
int array_of_layout(numd_conn *conn, const numd_layout *layout, numd_array **out);

/* ---- channel.c ---- */

/* The bytes of a call's scalar result. */
struct item {
  uint64_t words[MAX_ITEM_BYTES / 8];
};

enum flight_state { FLIGHT_NONE, FLIGHT_FLYING, FLIGHT_DONE };

/* A call that was submitted and not yet waited for. */
struct flight {
  uint64_t number;
  uint8_t state;
  int32_t status;
  uint32_t detail;
  struct item result;
  struct flight *next; /* done, but its slot went to a later call */
};

#define PLAN_CACHE 256

struct channel {
  numd_conn *conn;
  uint64_t epoch; /* of the session that it belongs to */
  uint32_t id;
  struct channel_memory *memory;
  struct waiter waiter;
  atomic_flag lock; /* flights; held for moments only */
  uint64_t next;    /* number of the next call of the ring */
  uint64_t next_single;
  uint16_t single_at;           /* the single slot of the next call */
  int32_t until_choice;         /* calls until the single slots are timed again */
  _Atomic uint8_t single_state; /* enum flight_state of the single slot's call: NONE or FLYING */
  atomic_int n_flying;          /* in the ring */
  struct flight flights[CHANNEL_SLOTS];
  struct flight *done; /* overtaken by later calls */
  struct channel *next_free;
  bool retired;               /* conn->lock */
  struct lookup_entry *cache; /* PLAN_CACHE entries, made on first use (lookup.c) */
  int notify_fd;              /* the notification socket, or -1 */
};

/* A channel of a lost session that its thread has no more use for: it is freed as soon as another is opened
 * and no ticket refers to it. Only that thread may know. conn->lock held. */
void channel_retire(numd_conn *conn, struct channel *channel, uint64_t epoch);
void channel_free(struct channel *channel); /* conn is closing, or the session is gone */
/* Hands a call over. The caller waits for it at once (by the owner's thread) or settles. */
int channel_submit(struct channel *channel, uint32_t plan_id, int n, const uint64_t bindings[],
                   uint64_t *number);
void channel_settle(struct channel *channel);
/* The socket that tells of completions, and switches that on; of the calling thread's channels. EINVAL. */
int channel_notify(struct channel *channel, int *fd);
int channel_wait(struct channel *channel, uint64_t number, int64_t spin_ns, int64_t timeout_ns,
                 struct item *result);

/* ---- program.c ---- */

/* Checks the parameters of an operation and makes them what a program has. NULL: none. EINVAL, EDTYPE,
 * ELIMIT. */
int params_read(numd_op op, const numd_params *params, struct op_params *out);
void layout_fill(const numd_layout *from, struct layout *to);
/* Whether a dtype is one of a weak scalar that is bound by its value. */
static inline bool is_scalar_dtype(numd_dtype dtype) {
  return dtype == NUMD_BOOL || dtype == NUMD_INT64 || dtype == NUMD_FLOAT64 || dtype == NUMD_UINT64;
}

/* ---- plan.c ---- */

struct numd_program {
  struct program program;
  int error; /* the first mistake while building */
  char sentence[200];
};

struct plan_input {
  const numd_layout *layout; /* NULL: a scalar, weak */
  uint8_t dtype;
};

struct numd_plan {
  numd_conn *conn;
  atomic_int refs;
  uint32_t id;
  _Atomic uint64_t epoch;  /* of the session that knows it */
  struct program *program; /* to prepare it again in another session */
  int n_inputs, n_outputs;
  struct plan_input args[MAX_BINDINGS]; /* inputs, then outputs */
  numd_dtype result_dtype;
  uint32_t spin_ns; /* how long to spin for a call of it */
  bool holds_conn;  /* the user's; those found by signature are the connection's own */
  struct numd_plan *next_dead;
};

int plan_prepare(numd_conn *conn, const struct program *program, numd_plan **out);
/* Gives up the ids of plans that nobody uses, if no call is in flight. conn->lock held. */
void plan_release_dead(numd_conn *conn);
void plan_free_dead(numd_conn *conn); /* the connection is closing */

/* ---- call.c ---- */

/* The words of a call. COMPLEX128 scalars, which do not fit one, are put in shared memory: *kept holds it
 * until the call is done, or is NULL. */
int call_words(const numd_plan *plan, int n_args, const numd_arg args[], uint64_t words[MAX_BINDINGS],
               numd_array **kept);
int call_keep_complex(numd_conn *conn, int n_args, const numd_arg args[], uint64_t words[],
                      numd_array **kept);
/* Hands a call over. The caller waits for it at once or settles the channel. */
int call_start(numd_plan *plan, int n, const numd_arg args[], const uint64_t words[], numd_ticket *ticket);
/* Waits for a call that was just handed over, but not at all if it is known to take longer: the caller has
 * something better to do meanwhile. */
int call_wait_for(numd_ticket *ticket, int64_t timeout_ns, numd_scalar *result);

/* ---- lookup.c ---- */

/* What the plan of an operation is found by. `rest` is NULL where the words say all. */
struct signature {
  uint64_t head;      /* operation, short parameters */
  const void *arg[3]; /* layout; a scalar's dtype as a small number */
  const void *out;    /* layout; NULL: open; SIGNATURE_RESULT */
  const struct signature_rest *rest;
};

#define SIGNATURE_RESULT ((const void *)(uintptr_t)1)
#define SIGNATURE_SCALAR(dtype) ((const void *)(uintptr_t)(16 + (dtype)))

/* Longer parameters, and arguments and outputs beyond those. All bytes count, so they are cleared first. */
struct signature_rest {
  struct op_params params;
  const void *arg[NUMD_OP_MAX_IN - 3];
  const void *out[NUMD_OP_MAX_OUT];
};

struct plan_cache;
void plan_cache_free(struct plan_cache *cache);
void lookup_entries_free(struct lookup_entry *entries);
/* The plan for a signature, made if there is none; the calling thread's table keeps it. */
int lookup(numd_conn *conn, numd_op op, const numd_params *params, int n_args, const numd_arg args[],
           const struct signature *signature, numd_plan **out);

/* ---- list.c ---- */

/* Whether the last output of the operation counts how much of the others is used. */
static inline bool op_counts(numd_op op) {
  return op_rows[op].class == OP_ORDER && op_rows[op].n_out > 1;
}
static inline int op_n_arrays(numd_op op) {
  return op_rows[op].n_out - op_counts(op);
}

/* ---- conn.c ---- */

struct numd_conn {
  atomic_int refs;
  pthread_mutex_t lock; /* the socket and everything below */
  char address[ADDRESS_BYTES];
  char *daemon;
  bool no_start;
  enum numd_door door;
  enum numd_wait wait;
  int sock;
  _Atomic uint64_t epoch; /* counts sessions; unique in the process */
  atomic_bool broken;     /* the session is gone: open another before the next use */
  uint64_t fork_generation;
  uint32_t next_msgid;
  char *in; /* received and not yet used */
  size_t in_len, in_cap;
  numd_segment *segments[MAX_SEGMENTS];
  numd_plan **plans; /* MAX_PLANS */
  uint32_t next_plan;
  numd_plan *dead_plans; /* to be released when no call flies */
  struct arena arena;
  struct channel *channels[MAX_CHANNELS];
  int n_channels;
  struct channel *free_channels; /* of threads that ended */
  struct plan_cache *cache;
  struct numd_conn *next; /* registry */
};

extern _Atomic uint64_t fork_generation;

/* Opens the session again if it was lost or belongs to our parent. Without conn->lock. */
int conn_enter_slow(numd_conn *conn);
static inline int conn_enter(numd_conn *conn) {
  if (__builtin_expect(
          conn->fork_generation == atomic_load_explicit(&fork_generation, memory_order_relaxed) &&
              !atomic_load_explicit(&conn->broken, memory_order_relaxed),
          1))
    return 0;
  return conn_enter_slow(conn);
}
/* A thread that had this channel ended: another may have it, if the session is still the same. */
void conn_return_channel(numd_conn *conn, uint64_t epoch, struct channel *channel);
/* Whether that connection still has that session; it may be gone, and another in its place. If so, it and its
 * channels stay until they are let go, which must be soon: all connections wait. */
bool conn_hold_session(numd_conn *conn, uint64_t epoch);
void conn_let_session_go(void);
/* Whether the daemon hung up; marks the connection broken. */
bool conn_is_dead(numd_conn *conn);

/* ---- channel.c and plan.c: the first steps of every call ---- */

/* The channel that the thread used last, and the session that it belongs to. */
struct thread_channel {
  numd_conn *conn;
  uint64_t epoch;
  struct channel *channel;
};
extern __thread struct thread_channel last_channel __attribute__((tls_model("initial-exec")));

/* The calling thread's channel, opened on its first call. */
int channel_get_slow(numd_conn *conn, struct channel **out);
static inline int channel_get(numd_conn *conn, struct channel **out) {
  if (last_channel.conn != conn ||
      last_channel.epoch != atomic_load_explicit(&conn->epoch, memory_order_acquire))
    return channel_get_slow(conn, out);
  *out = last_channel.channel;
  return 0;
}

/* Makes sure that the current session knows the plan. */
int plan_enter_slow(numd_plan *plan);
static inline int plan_enter(numd_plan *plan) {
  int r = conn_enter(plan->conn);
  if (r || atomic_load_explicit(&plan->epoch, memory_order_acquire) ==
               atomic_load_explicit(&plan->conn->epoch, memory_order_acquire))
    return r;
  return plan_enter_slow(plan);
}

/* ---- rpc.c ---- */

#define RPC_TIMEOUT_NS 60000000000

/* A request under construction and its response. */
struct rpc {
  numd_conn *conn;
  msgpack_sbuffer out;
  msgpack_packer pk;
  uint32_t msgid;
  struct wire_message reply;
  bool has_reply;
  int fd; /* that came beside the response, or -1 */
};

/* Starts a request: afterwards the caller packs its params into rpc->pk. conn->lock is held until rpc_end. */
void rpc_begin(struct rpc *rpc, numd_conn *conn, const char *method);
/* Sends it, with send_fd beside it unless that is -1, and waits. The error's status, or EDISCONNECTED or
 * ETIMEOUT. */
int rpc_run(struct rpc *rpc, int send_fd, int64_t timeout_ns);
/* The same for a request that is answered by a text, which is to be freed. */
int rpc_run_for_text(struct rpc *rpc, char **text);
void rpc_end(struct rpc *rpc);
/* The same for a notification, which is not answered: sends it and ends it. */
void rpc_begin_notify(struct rpc *rpc, numd_conn *conn, const char *method);
void rpc_notify(struct rpc *rpc);

#endif
