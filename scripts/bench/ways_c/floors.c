/* SPDX-License-Identifier: BSD-3-Clause */
/* Floors: what this machine takes at least to say something to another process and hear back. Plain C,
 * nothing of numd's. The two processes are pinned, to the first and the last core that they may use, or
 * both to the first. */
#include <errno.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scripts/bench/ways_c/bench.h"

enum { MESSAGE_BYTES = 64 };

struct meeting {
  _Alignas(128) _Atomic uint32_t word; /* odd: the partner's turn */
  _Alignas(128) sem_t ping;
  _Alignas(128) sem_t pong;
};

struct floor {
  const char *name;
  bool same_core;
  int (*call)(void);
  void (*serve)(void); /* answers one call; on the partner's side, for ever */
};

static struct meeting *meeting;
static int sockets[2] = {-1, -1};
static const struct floor *current;
static pid_t partner_pid;
static cpu_set_t allowed;

static inline void relax(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

static int cache_line_call(void) {
  uint32_t turn = atomic_load_explicit(&meeting->word, memory_order_relaxed);
  atomic_store_explicit(&meeting->word, turn + 1, memory_order_release);
  while (atomic_load_explicit(&meeting->word, memory_order_acquire) != turn + 2) {
    relax();
  }
  return 0;
}

static void cache_line_serve(void) {
  uint32_t turn;
  while (!((turn = atomic_load_explicit(&meeting->word, memory_order_acquire)) & 1)) {
    relax();
  }
  atomic_store_explicit(&meeting->word, turn + 1, memory_order_release);
}

static void down(sem_t *sem) {
  while (sem_wait(sem) && errno == EINTR) {
  }
}

static int semaphore_call(void) {
  sem_post(&meeting->ping);
  down(&meeting->pong);
  return 0;
}

static void semaphore_serve(void) {
  down(&meeting->ping);
  sem_post(&meeting->pong);
}

static int receive(int fd, char *message) {
  for (ssize_t have = 0; have < MESSAGE_BYTES;) {
    ssize_t n = read(fd, message + have, (size_t)(MESSAGE_BYTES - have));
    if (n <= 0) {
      return -1;
    }
    have += n;
  }
  return 0;
}

static int socket_call(void) {
  char message[MESSAGE_BYTES] = {0};
  return write(sockets[0], message, sizeof(message)) == sizeof(message) ? receive(sockets[0], message) : -1;
}

static void socket_serve(void) {
  char message[MESSAGE_BYTES];
  if (receive(sockets[1], message) || write(sockets[1], message, sizeof(message)) != sizeof(message)) {
    _exit(0);
  }
}

static const struct floor floors[] = {
    {"cache-line", false, cache_line_call, cache_line_serve},
    {"semaphore", false, semaphore_call, semaphore_serve},
    {"semaphore-same-core", true, semaphore_call, semaphore_serve},
    {"unix-socket", false, socket_call, socket_serve},
};

static void pin(bool last) {
  int core = -1;
  for (int i = 0; i < CPU_SETSIZE && (last || core < 0); i++) {
    core = CPU_ISSET(i, &allowed) ? i : core;
  }
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(core, &one);
  sched_setaffinity(0, sizeof(one), &one);
}

static const char *floor_open(const struct bench_job *job) {
  (void)job;
  sched_getaffinity(0, sizeof(allowed), &allowed);
  if (CPU_COUNT(&allowed) < 2 && !current->same_core) {
    return "needs two cores";
  }
  meeting = mmap(NULL, sizeof(*meeting), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (meeting == MAP_FAILED || socketpair(AF_UNIX, SOCK_STREAM, 0, sockets)) {
    return strerror(errno);
  }
  sem_init(&meeting->ping, 1, 0);
  sem_init(&meeting->pong, 1, 0);
  partner_pid = fork();
  if (partner_pid < 0) {
    return strerror(errno);
  }
  if (partner_pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close(sockets[0]);
    pin(!current->same_core);
    for (;;) {
      current->serve();
    }
  }
  pin(false);
  return NULL;
}

static void floor_close(void) {
  kill(partner_pid, SIGKILL);
  waitpid(partner_pid, NULL, 0);
  close(sockets[0]);
  close(sockets[1]);
  munmap(meeting, sizeof(*meeting));
  sched_setaffinity(0, sizeof(allowed), &allowed);
}

static int floor_call(void) {
  return current->call();
}

static const char *floor_error(void) {
  return strerror(errno);
}

static void floor_result(double *out) {
  *out = 0;
}

static int floor_partner(void) {
  return partner_pid;
}

static const struct bench_way floor_way = {
    .open = floor_open,
    .call = floor_call,
    .error = floor_error,
    .result = floor_result,
    .partner = floor_partner,
    .close = floor_close,
};

const struct bench_way *bench_way_choose(const char *argument) {
  for (size_t i = 0; argument && i < sizeof(floors) / sizeof(floors[0]); i++) {
    if (strcmp(floors[i].name, argument) == 0) {
      current = &floors[i];
      return &floor_way;
    }
  }
  return NULL;
}
