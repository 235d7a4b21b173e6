/* A session: one connected client as its worker process sees it: segments, plans, channels.
 *
 * Threads. The main thread (libuv loop, socket door) alone changes the tables. Channel threads, the
 * thread pool that runs long calls of the socket door, and the main thread read them while they run a
 * call, each as a `runner`. Nothing that a table held is freed before every runner has been seen
 * outside a call after the removal (session_retire), so readers take neither lock nor reference. */
#ifndef NUMD_SERVER_WORKER_SESSION_H
#define NUMD_SERVER_WORKER_SESSION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "protocol/request.h"
#include "server/engine/plan.h"
#include "shared/errtext.h"

/* A mapped segment. `lost` is set by the SIGBUS handler when the object shrank below us. What follows it is
 * the main thread's: the descriptor is kept so that the segment can be shared. */
struct segment {
  char *data;
  uint64_t bytes;
  uint64_t device, inode; /* which object it is */
  atomic_int lost;
  int fd;
  int watch;    /* its entry in the SIGBUS handler's table */
  bool charged; /* to its user's quotas, until it is freed */
  bool has_token;
  uint8_t token[16]; /* its name at the supervisor, once it was shared or if it was attached by one */
};

#define LONG_CALL_NS 200000 /* calls that are estimated to take longer are worth a move to another core */
#define CANCEL_ALL UINT64_MAX

/* What one thread needs to run calls. `calls` is odd while the thread is inside a call. */
struct runner {
  _Atomic uint64_t calls;
  uint64_t call_id;        /* set by the thread itself before session_run: what `cancel` would name it */
  _Atomic uint64_t cancel; /* set by others: give up the call of this id, or CANCEL_ALL, at the next block */
  void (*before_long)(void *arg); /* called before a call of LONG_CALL_NS or more; may be NULL */
  void *before_long_arg;
  char *scratch; /* private memory for temporaries, mapped on demand */
  size_t scratch_bytes;
};

/* Plain moves, but for a look from another thread (deadline.c). */
static inline void runner_name_call(struct runner *runner, uint64_t id) {
  __atomic_store_n(&runner->call_id, id, __ATOMIC_RELAXED);
}

struct ring_door;  /* door_ring.h: the session's channels and their threads */
struct pool;       /* pool.h: helper threads for large calls */
struct scoreboard; /* scoreboard.h: what all workers of the machine share */

#define MAX_RUNNERS (MAX_CHANNELS + 8)

struct session {
  _Atomic(struct segment *) segments[MAX_SEGMENTS];
  _Atomic(struct plan *) plans[MAX_PLANS];
  struct runner *_Atomic runners[MAX_RUNNERS];
  struct ring_door *ring;
  struct pool *pool;
  struct scoreboard *scoreboard;
  uint32_t entry; /* this worker's entry */
  uint64_t segment_bytes, plan_bytes;
  bool has_membarrier;
  struct retired *retired; /* removed from the tables, waiting for the runners */
};

/* What a session may hold besides the numbers of ids and its user's quotas (quota.h). Segments: no more bytes
 * than the machine has memory. */
#define SESSION_PLAN_BYTES_MAX ((uint64_t)256 << 20)
uint64_t session_segment_bytes_max(void);

/* scoreboard may be NULL. session_deinit wants all threads of the session to have ended. 0 or -errno. */
int session_init(struct session *session, struct scoreboard *scoreboard, uint32_t entry);
void session_deinit(struct session *session);

/* Maps the object behind fd (which it takes over, closed in any case) as segment `id`. Statuses:
 * ESEGMENT (id out of range), EEXIST, EDESCRIPTOR (with the reason), ELIMIT, ENOMEMORY. *bytes gets its size.
 */
int session_attach(struct session *session, uint64_t id, int fd, uint64_t *bytes, struct errtext *err);
int session_detach(struct session *session, uint64_t id, struct errtext *err);
/* The segment with an id, for the main thread; ESEGMENT. */
int session_segment(struct session *session, uint64_t id, struct segment **out, struct errtext *err);

/* Compiles a program as plan `id`: EPLAN (id out of range), EEXIST, ELIMIT, or what plan_compile says. *plan
 * stays the session's. */
int session_prepare(struct session *session, uint64_t id, const struct program *program, struct plan **plan,
                    struct errtext *err);
int session_release(struct session *session, uint64_t id, struct errtext *err);

/* Registers a runner and takes it back (which waits for nothing: the thread must be outside a call).
 * Main thread only. ELIMIT, ENOMEMORY. */
int session_add_runner(struct session *session, struct runner **out);
void session_remove_runner(struct session *session, struct runner *runner);

/* Frees what was retired and is no longer in use by any runner; returns how many things still wait.
 * Called by the main thread after a removal, and from a timer while the result is not 0. */
int session_reap(struct session *session);

/* The one road: checks the request's bindings against this session, runs its plan, fills *completion.
 * May be called by any thread with its own runner. (bind.c) */
void session_run(struct session *session, struct runner *runner, const struct request *request,
                 struct completion *completion);

#endif
