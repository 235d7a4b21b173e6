/* SPDX-License-Identifier: BSD-3-Clause */
/* A session: one connected client as its worker process sees it: segments, plans, channels.
 *
 * Threads. The main thread (libuv loop, socket door) alone changes the tables. Channel threads, the
 * thread pool that runs long calls of the socket door, and the main thread read them while they run a
 * call, each as a `runner`. What is removed from a table is not freed before every runner has been seen
 * outside the call that it ran at the removal (session.c), so readers take neither lock nor reference. */
#ifndef NUMD_SERVER_WORKER_SESSION_H
#define NUMD_SERVER_WORKER_SESSION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "protocol/request.h"
#include "server/engine/plan.h"
#include "shared/errtext.h"

/* A mapped segment. The SIGBUS handler sets `lost` when the client has shrunk the object. The members after
 * it belong to the main thread; the descriptor is kept so that the segment can be shared. */
struct segment {
  char *data;
  uint64_t bytes;
  uint64_t device, inode; /* which object it is */
  atomic_int lost;
  int fd;
  int watch;    /* its entry in the SIGBUS handler's table */
  bool charged; /* to its user's quotas, until it is freed */
  bool has_token;
  uint8_t token[16]; /* by which the supervisor knows it, if it was shared or was attached by a token */
};

#define LONG_CALL_NS 200000 /* a call whose estimate is longer is worth a move to another thread or core */
#define CANCEL_ALL UINT64_MAX

/* What one thread needs to run calls. `calls` is odd while the thread is inside a call. */
struct runner {
  _Atomic uint64_t calls;
  uint64_t call_id;        /* of the call that it runs, by runner_name_call */
  _Atomic uint64_t cancel; /* set by other threads: the call with this id, or CANCEL_ALL, is given up */
  void (*before_long)(void *arg); /* called before a call of LONG_CALL_NS or more, and before one whose turn
                                     has moved it; may be NULL */
  void *before_long_arg;
  char *scratch; /* private memory for temporaries, mapped on demand */
  size_t scratch_bytes;
};

/* Gives the runner's next call an id, by which `cancel` can name it. Called by the runner's own thread before
 * session_run; atomic because deadline.c reads it in another thread. */
static inline void runner_name_call(struct runner *runner, uint64_t id) {
  __atomic_store_n(&runner->call_id, id, __ATOMIC_RELAXED);
}

struct ring_door;  /* door_ring.h: the session's channels and their threads */
struct pool;       /* pool.h: helper threads for large calls */
struct scoreboard; /* scoreboard.h: what all workers of the machine share */
struct allowance;  /* allowance.h: what the session may hold of its user's quotas */

#define MAX_RUNNERS (MAX_CHANNELS + 8)

struct session {
  _Atomic(struct segment *) segments[MAX_SEGMENTS];
  _Atomic(struct plan *) plans[MAX_PLANS];
  struct runner *_Atomic runners[MAX_RUNNERS];
  struct ring_door *ring;
  struct pool *pool;
  struct scoreboard *scoreboard;
  uint32_t entry; /* this worker's, in the scoreboard */
  struct allowance *allowance;
  const _Atomic uint32_t *strict; /* its member's word in the count of cores (turns.h) */
  uint64_t segment_bytes, plan_bytes;
  bool has_membarrier;
  struct retired *retired; /* removed from the tables, waiting for the runners */
};

/* Whether every call of the session takes a turn, even the smallest, which otherwise does not. */
static inline bool session_is_strict(const struct session *session) {
  return atomic_load_explicit(session->strict, memory_order_relaxed) != 0;
}

/* What a session may hold besides the numbers of ids, its user's quotas (quota.h) and, in segments, as many
 * bytes as the machine has memory. */
#define SESSION_PLAN_BYTES_MAX ((uint64_t)256 << 20)

/* Its allowance is NULL: nothing is charged until it is given one. All threads of the session must have ended
 * before session_deinit. 0 or -errno. */
int session_init(struct session *session, struct scoreboard *scoreboard, uint32_t entry);
void session_deinit(struct session *session);

#define SESSION_NOT_MEMORY "the descriptor is not shared memory (a memfd, or a file of tmpfs or hugetlbfs)"

/* Maps the object behind fd, which becomes the session's and is closed after a failure, as segment `id`.
 * *bytes gets its size. ESEGMENT (id out of range), EEXIST, EDESCRIPTOR (the sentence says why), ELIMIT,
 * ENOMEMORY. */
int session_attach(struct session *session, uint64_t id, int fd, uint64_t *bytes, struct errtext *err);
int session_detach(struct session *session, uint64_t id, struct errtext *err);
/* The segment with an id, for the main thread; ESEGMENT. */
int session_segment(struct session *session, uint64_t id, struct segment **out, struct errtext *err);

/* Compiles a program as plan `id`: EPLAN (id out of range), EEXIST, ELIMIT, or what plan_compile says. *plan
 * stays the session's. */
int session_prepare(struct session *session, uint64_t id, const struct program *program, struct plan **plan,
                    struct errtext *err);
/* The plan with an id, for the main thread; EPLAN. */
int session_plan(struct session *session, uint64_t id, struct plan **out, struct errtext *err);
int session_release(struct session *session, uint64_t id, struct errtext *err);

/* Makes a runner, and frees it again, when its thread must be outside a call. Main thread only. ELIMIT,
 * ENOMEMORY. */
int session_add_runner(struct session *session, struct runner **out);
void session_remove_runner(struct session *session, struct runner *runner);

/* Frees those removed segments and plans that no runner can use any more; returns how many are left.
 * Called by the main thread after a removal, and from a timer while the result is not 0. */
int session_reap(struct session *session);

/* The one road from a request to a kernel: checks the request's bindings against this session, runs its plan,
 * fills *completion. May be called by any thread with a runner of its own. (bind.c) */
void session_run(struct session *session, struct runner *runner, const struct request *request,
                 struct completion *completion);

#endif
