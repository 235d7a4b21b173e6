/* SPDX-License-Identifier: BSD-3-Clause */
/* What a C program does without a library: another process, forked from the client, that computes with the
 * same kernels as numd and is told so in one of two ways.
 *
 *   stream     a Unix stream socket: a header and the arrays' bytes there, a header and the result's bytes
 * back semaphore  the arrays are in memory that both have; a request in that memory and a semaphore there, an
 *              answer and a semaphore back
 *
 * A request is judged by the partner before it computes, as a server has to. The seams of a call have stamps
 * (shared/trace.h), which do nothing but in the run that wants them. */
#include <errno.h>
#include <math.h>
#include <semaphore.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scripts/bench/ways_c/engine_plan.h"
#include "shared/trace.h"

enum { MAX_ARRAYS = BENCH_MAX_IN + 1, PEER_MAGIC = 0x72656570 };

/* What is to be done: where each array is, from the start of the message or of the shared memory. */
struct request {
  uint32_t magic, n_in;
  uint64_t offset[MAX_ARRAYS], bytes[MAX_ARRAYS];
};

struct answer {
  int64_t status;
  double result;
};

/* Memory of both; with the stream, of which each has its own. */
struct meeting {
  sem_t ask, answered;
  struct request request;
  struct answer answer;
  _Alignas(64) char arrays[];
};

struct transport {
  const char *name;
  bool shares; /* the arrays */
  int (*call)(void);
  void (*serve)(void); /* answers one call, on the partner's side */
};

static const struct transport *transport;
static const struct bench_job *job;
static struct meeting *meeting;
static size_t meeting_bytes;
static struct request wanted; /* what a right request says */
static struct engine_plan *plan;
static struct answer answer;
static double *output;
static int sockets[2] = {-1, -1};
static pid_t partner_pid;
static char reason[256];

/* Where the arrays lie; the output comes last. The bytes of all. */
static size_t lay_out(void) {
  size_t at = 0;
  wanted = (struct request){.magic = PEER_MAGIC, .n_in = (uint32_t)job->what->n_in};
  for (uint32_t i = 0; i <= wanted.n_in; i++) {
    const struct bench_array *array = i < wanted.n_in ? &job->in[i] : &job->out;
    wanted.offset[i] = at;
    wanted.bytes[i] = (uint64_t)array->size * sizeof(double);
    at += (wanted.bytes[i] + 63) / 64 * 64;
  }
  return at;
}

/* ---- The partner ---- */

static bool is_right(const struct request *r) {
  if (r->magic != PEER_MAGIC || r->n_in != wanted.n_in) {
    return false;
  }
  for (uint32_t i = 0; i <= r->n_in; i++) {
    if (r->bytes[i] != wanted.bytes[i] || r->offset[i] % sizeof(double) ||
        r->offset[i] > meeting_bytes - offsetof(struct meeting, arrays) - r->bytes[i]) {
      return false;
    }
  }
  return true;
}

static struct answer compute(const struct request *r) {
  void *data[MAX_ARRAYS];
  struct answer done = {.status = EINVAL};
  if (!is_right(r)) {
    return done;
  }
  for (uint32_t i = 0; i <= r->n_in; i++) {
    data[i] = meeting->arrays + r->offset[i];
  }
  trace_stamp(TRACE_CHECKED);
  done.status = engine_plan_run(plan, data, &done.result);
  trace_stamp(TRACE_COMPUTED);
  return done;
}

/* ---- The stream ---- */

typedef ssize_t move_fn(int fd, const struct iovec *pieces, int n);

/* Reads or writes all of the pieces, with a stamp when the first bytes are there, or else when the last are.
 */
static int move_all(move_fn *move, int fd, struct iovec *pieces, int n, enum trace_point first) {
  for (bool begun = false; n > 0; begun = true) {
    ssize_t moved = move(fd, pieces, n);
    if (moved <= 0) {
      errno = moved ? errno : EPIPE;
      return -1;
    }
    if (!begun) {
      trace_stamp(first);
    }
    for (; n > 0 && (size_t)moved >= pieces->iov_len; pieces++, n--) {
      moved -= (ssize_t)pieces->iov_len;
    }
    if (n > 0) {
      pieces->iov_base = (char *)pieces->iov_base + moved;
      pieces->iov_len -= (size_t)moved;
    }
  }
  return 0;
}

/* An answer, and the result's numbers unless it has no dimensions. The pieces. */
static int answer_pieces(struct iovec pieces[2], struct answer *head, void *numbers) {
  pieces[0] = (struct iovec){head, sizeof(*head)};
  pieces[1] = (struct iovec){numbers, wanted.bytes[wanted.n_in]};
  return job->what->scalar ? 1 : 2;
}

static int stream_call(void) {
  struct iovec pieces[1 + MAX_ARRAYS] = {{&wanted, sizeof(wanted)}};
  for (uint32_t i = 0; i < wanted.n_in; i++) {
    pieces[1 + i] = (struct iovec){job->in[i].data, wanted.bytes[i]};
  }
  trace_stamp(TRACE_ENCODED);
  if (move_all(writev, sockets[0], pieces, 1 + (int)wanted.n_in, TRACE_SENT)) {
    return -1;
  }
  int n = answer_pieces(pieces, &answer, output);
  return move_all(readv, sockets[0], pieces, n, TRACE_WOKEN) || answer.status;
}

static void stream_serve(void) {
  struct iovec pieces[1 + MAX_ARRAYS] = {{&meeting->request, sizeof(meeting->request)}};
  for (uint32_t i = 0; i < wanted.n_in; i++) {
    pieces[1 + i] = (struct iovec){meeting->arrays + wanted.offset[i], wanted.bytes[i]};
  }
  if (move_all(readv, sockets[1], pieces, 1 + (int)wanted.n_in, TRACE_TAKEN)) {
    _exit(0);
  }
  trace_stamp(TRACE_DECODED);
  struct answer done = compute(&meeting->request);
  int n = answer_pieces(pieces, &done, meeting->arrays + wanted.offset[wanted.n_in]);
  if (move_all(writev, sockets[1], pieces, n, TRACE_SIGNALLED)) {
    _exit(0);
  }
}

/* ---- Shared memory and two semaphores ---- */

static void down(sem_t *semaphore) {
  while (sem_wait(semaphore) && errno == EINTR) {
  }
}

static int semaphore_call(void) {
  meeting->request = wanted;
  trace_stamp(TRACE_ENCODED);
  sem_post(&meeting->ask);
  trace_stamp(TRACE_SENT);
  down(&meeting->answered);
  trace_stamp(TRACE_WOKEN);
  answer = meeting->answer;
  return answer.status != 0;
}

static void semaphore_serve(void) {
  down(&meeting->ask);
  trace_stamp(TRACE_TAKEN);
  struct request request = *(volatile struct request *)&meeting->request; /* judged as copied */
  trace_stamp(TRACE_DECODED);
  meeting->answer = compute(&request);
  sem_post(&meeting->answered);
  trace_stamp(TRACE_SIGNALLED);
}

/* ---- The way ---- */

static const struct transport transports[] = {
    {"stream", false, stream_call, stream_serve},
    {"semaphore", true, semaphore_call, semaphore_serve},
};

static void serve_for_ever(void) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  close(sockets[0]);
  if (bench_engine_plan(job, &plan, reason, sizeof(reason))) {
    _exit(1);
  }
  for (;;) {
    transport->serve();
  }
}

static void peer_close(void) {
  if (partner_pid > 0) {
    kill(partner_pid, SIGKILL);
    waitpid(partner_pid, NULL, 0);
  }
  partner_pid = 0;
  for (int i = 0; i < 2; i++) {
    if (sockets[i] >= 0) {
      close(sockets[i]);
    }
    sockets[i] = -1;
  }
  munmap(meeting, meeting_bytes);
}

/* The arrays in shared memory are filled before the fork, as a program that shares them keeps them there. */
static const char *meet(void) {
  sem_init(&meeting->ask, 1, 0);
  sem_init(&meeting->answered, 1, 0);
  for (uint32_t i = 0; transport->shares && i < wanted.n_in; i++) {
    memcpy(meeting->arrays + wanted.offset[i], job->in[i].data, wanted.bytes[i]);
  }
  output = (double *)(meeting->arrays + wanted.offset[wanted.n_in]);
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets)) {
    return strerror(errno);
  }
  partner_pid = fork();
  if (partner_pid == 0) {
    serve_for_ever();
  }
  close(sockets[1]);
  sockets[1] = -1;
  return partner_pid < 0 ? strerror(errno) : NULL;
}

static const char *peer_open(const struct bench_job *given) {
  job = given;
  if (!job->what || bench_engine_plan(job, &plan, reason, sizeof(reason))) {
    return job->what ? reason : "unknown case";
  }
  engine_plan_free(plan); /* the partner makes its own; here it only shows that it can be had */
  meeting_bytes = offsetof(struct meeting, arrays) + lay_out();
  meeting = mmap(NULL, meeting_bytes, PROT_READ | PROT_WRITE,
                 MAP_ANONYMOUS | (transport->shares ? MAP_SHARED : MAP_PRIVATE), -1, 0);
  if (meeting == MAP_FAILED) {
    return strerror(errno);
  }
  const char *error = meet();
  if (error) {
    peer_close();
  }
  return error;
}

static int peer_call(void) {
  return transport->call();
}

static const char *peer_error(void) {
  return answer.status ? "the partner refused the call" : strerror(errno);
}

static void peer_spoil(void) {
  answer.result = NAN;
  for (int64_t i = 0; i < job->out.size; i++) {
    output[i] = NAN;
  }
}

static void peer_result(double *out) {
  if (job->what->scalar) {
    *out = answer.result;
  } else {
    memcpy(out, output, wanted.bytes[wanted.n_in]);
  }
}

static int peer_partner(void) {
  return partner_pid;
}

static const struct bench_way peer_way = {
    .open = peer_open,
    .call = peer_call,
    .error = peer_error,
    .result = peer_result,
    .spoil = peer_spoil,
    .partner = peer_partner,
    .close = peer_close,
};

const struct bench_way *bench_way_choose(const char *argument) {
  for (size_t i = 0; argument && i < sizeof(transports) / sizeof(transports[0]); i++) {
    if (strcmp(transports[i].name, argument) == 0) {
      transport = &transports[i];
      return &peer_way;
    }
  }
  return NULL;
}
