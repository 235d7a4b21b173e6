/* SPDX-License-Identifier: BSD-3-Clause */
/* Helper threads, and how a caller gets their help.
 *
 * An idle helper sleeps on its semaphore `wake`, and its `job` is NULL. A caller that got cores from the
 * count offers its job: it swaps `job` from NULL to the job and posts `wake`. The helper accepts by swapping
 * `job` from the job to &busy, works, sets `job` to NULL again and posts the job's `done`. When all tasks are
 * taken, the caller withdraws the offers that no helper has accepted yet, by swapping `job` from the job to
 * NULL, and waits for the others to post `done`. So it never waits for a helper that has yet to wake, and a
 * helper that wakes too late finds NULL or another job. */
#include "server/engine/pool.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "server/engine/exec.h"
#include "shared/available_cores.h"
#include "shared/thread.h"
#include "shared/turns.h"

struct pool_job {
  pool_task fn;
  void *arg;
  int64_t n_tasks;
  struct call *call; /* whose tasks they are, or NULL: none is begun once it is given up */
  _Atomic int64_t next;
  sem_t done; /* posted by each helper that accepted the job */
  /* What the call's turn gives the helpers, which may change between tasks: */
  const cpu_set_t *_Atomic placement; /* struct turn's cores */
  _Atomic int n_helpers;              /* so many may work */
  _Atomic int n_accepted;
  int n_cores; /* the caller's: that it holds */
};

#define MAX_HELPERS 63
static struct pool_job busy; /* in a helper's `job`: it is at work */

struct helper {
  pthread_t thread;
  sem_t wake;
  struct pool_job *_Atomic job;
  struct pool *pool;
};

struct pool {
  struct cores *cores; /* NULL: no count is kept */
  uint32_t member;
  int max_helpers;
  struct turns turns;
  pthread_mutex_t grow;
  _Atomic int n_helpers;
  atomic_bool stop;
  struct helper helpers[MAX_HELPERS];
};

/* Does one task; false if none is left. */
static bool do_task(struct pool_job *j) {
  if (j->call && call_given_up(j->call))
    return false;
  int64_t i = atomic_fetch_add_explicit(&j->next, 1, memory_order_relaxed);
  if (i >= j->n_tasks)
    return false;
  j->fn(j->arg, i);
  return true;
}

/* Does tasks until none is left, or until the call's turn has no place for this helper any more. */
static void help(struct pool *p, struct pool_job *j) {
  int number = atomic_fetch_add_explicit(&j->n_accepted, 1, memory_order_relaxed);
  const cpu_set_t *placement = atomic_load_explicit(&j->placement, memory_order_relaxed);
  turns_move(&p->turns, placement);
  while (number < atomic_load_explicit(&j->n_helpers, memory_order_relaxed) && do_task(j)) {
    const cpu_set_t *now = atomic_load_explicit(&j->placement, memory_order_relaxed);
    if (now != placement)
      turns_move(&p->turns, now);
    placement = now;
  }
}

static void *helper_main(void *arg) {
  struct helper *h = arg;
  sched_setaffinity(0, sizeof(cpu_set_t), &h->pool->turns.all); /* the thread that started it may be pinned */
  while (!atomic_load_explicit(&h->pool->stop, memory_order_acquire)) {
    if (sem_wait(&h->wake) < 0)
      continue;
    struct pool_job *j = atomic_load_explicit(&h->job, memory_order_acquire);
    if (!j || !atomic_compare_exchange_strong(&h->job, &j, &busy))
      continue; /* the offer was withdrawn, or the pool is stopping */
    help(h->pool, j);
    atomic_store_explicit(&h->job, NULL, memory_order_release);
    sem_post(&j->done);
  }
  return NULL;
}

int pool_new(struct cores *cores, uint32_t member, struct pool **out) {
  struct pool *p = calloc(1, sizeof(*p));
  if (!p)
    return -ENOMEM;
  int n_cores = cores ? (int)cores->n_cores : available_cores();
  p->cores = cores;
  p->member = member;
  turns_init(&p->turns, cores, member);
  p->max_helpers = n_cores - 1 < MAX_HELPERS ? n_cores - 1 : MAX_HELPERS;
  pthread_mutex_init(&p->grow, NULL);
  *out = p;
  return 0;
}

static bool start_helper(struct pool *p, int i) {
  struct helper *h = &p->helpers[i];
  h->pool = p;
  return sem_init(&h->wake, 0, 0) == 0 && thread_start(&h->thread, helper_main, h) == 0;
}

static int grow_to(struct pool *p, int n) {
  if (n > p->max_helpers)
    n = p->max_helpers;
  if (atomic_load_explicit(&p->n_helpers, memory_order_acquire) < n) {
    pthread_mutex_lock(&p->grow);
    while (p->n_helpers < n && start_helper(p, p->n_helpers))
      atomic_fetch_add_explicit(&p->n_helpers, 1, memory_order_release);
    pthread_mutex_unlock(&p->grow);
  }
  return atomic_load_explicit(&p->n_helpers, memory_order_acquire);
}

struct pool *pool_free(struct pool *p) {
  if (!p)
    return NULL;
  atomic_store_explicit(&p->stop, true, memory_order_release);
  for (int i = 0; i < p->n_helpers; i++) {
    sem_post(&p->helpers[i].wake);
    pthread_join(p->helpers[i].thread, NULL);
    sem_destroy(&p->helpers[i].wake);
  }
  pthread_mutex_destroy(&p->grow);
  free(p);
  return NULL;
}

/* Offers the job to up to `want` idle helpers; how many, and which. */
static int offer(struct pool *p, struct pool_job *j, int want, struct helper *offered[MAX_HELPERS]) {
  int have = grow_to(p, want), n = 0;
  for (int i = 0; i < have && n < want; i++) {
    struct helper *h = &p->helpers[i];
    struct pool_job *idle = NULL;
    if (!atomic_compare_exchange_strong(&h->job, &idle, j))
      continue;
    sem_post(&h->wake);
    offered[n++] = h;
  }
  return n;
}

const cpu_set_t *pool_placement(struct pool *p) {
  return turns_placement(&p->turns);
}

static bool is_given_up(const void *call) {
  return call_is_given_up(call);
}

void pool_place_thread(struct pool *p) {
  if (p)
    turns_place(&p->turns);
}

void pool_begin_thread(struct pool *p) {
  if (p)
    turns_move(&p->turns, NULL);
}

bool pool_has_rivals(struct pool *p) {
  return p && turns_compete(&p->turns);
}

bool pool_takes_turns(struct pool *p, uint64_t cost_ns) {
  return p && turns_are_taken(&p->turns, cost_ns);
}

void pool_begin_call(struct pool *p, struct call *call) {
  call->turn = (struct turn){.most = INT_MAX};
  if (p && p->cores && (call->plan->parallel || turns_are_taken(&p->turns, call->plan->cost_ns)))
    turns_begin(&p->turns, &call->turn, is_given_up, call);
}

void pool_renew_turn(struct pool *p, struct call *call) {
  if (p && p->cores && !turns_renew(&p->turns, &call->turn))
    turns_begin(&p->turns, &call->turn, is_given_up, call);
}

void pool_end_call(struct pool *p, struct call *call) {
  if (call->turn.begun)
    turns_end(&p->turns, &call->turn);
}

/* Takes up to `want` cores, as far as other callers leave them; how many it got. One of them is for the
 * calling thread; if there is none but that, 0. */
static int take_cores(struct pool *p, struct call *call, int want) {
  if (!p->cores)
    return want;
  pool_renew_turn(p, call);
  want = (int)smaller(want, call->turn.most);
  int most = (int)smaller(want, (int)p->cores->n_cores - (cores_callers(p->cores) - call->turn.begun));
  int got = most > 1 ? cores_take(p->cores, p->member, most) : 0;
  if (got < want)
    cores_want_observer(p->cores);
  return got;
}

/* Leaves the job's caller with so many cores, one for each helper that may go on and one for itself. */
static void keep_cores(struct pool *p, struct pool_job *j, int n) {
  if (n >= j->n_cores)
    return;
  atomic_store_explicit(&j->n_helpers, n - 1, memory_order_relaxed);
  cores_give(p->cores, p->member, j->n_cores - n);
  j->n_cores = n;
}

/* Between two tasks of the caller, since a step may take much longer than other users rest: has the helpers
 * do what the call's turn has become. Those that end do not come back in this step. */
static void renew_turn(struct pool *p, struct call *call, struct pool_job *j) {
  if (!p->cores)
    return;
  if (!turns_renew(&p->turns, &call->turn)) {
    keep_cores(p, j, 0);
    turns_begin(&p->turns, &call->turn, is_given_up, call);
  }
  keep_cores(p, j, call->turn.most);
  atomic_store_explicit(&j->placement, call->turn.cores, memory_order_relaxed);
}

static void finish_job(struct pool *p, struct pool_job *j, struct helper *offered[], int n) {
  for (int i = 0; i < n; i++) {
    struct pool_job *mine = j;
    if (!atomic_compare_exchange_strong(&offered[i]->job, &mine, NULL))
      while (sem_wait(&j->done) < 0) {
      }
  }
  if (p->cores)
    cores_give(p->cores, p->member, j->n_cores);
  sem_destroy(&j->done);
}

void pool_run(struct pool *p, struct call *call, int64_t n_tasks, pool_task fn, void *arg) {
  if (!p) {
    for (int64_t i = 0; i < n_tasks && !(call && call_given_up(call)); i++)
      fn(arg, i);
    return;
  }
  struct helper *offered[MAX_HELPERS];
  struct pool_job j = {.fn = fn, .arg = arg, .n_tasks = n_tasks, .call = call};
  int want = n_tasks - 1 < p->max_helpers ? (int)n_tasks : p->max_helpers + 1, n = 0;
  j.n_cores = take_cores(p, call, want);
  j.placement = call->turn.cores;
  j.n_helpers = j.n_cores - 1; /* one core is for this thread */
  sem_init(&j.done, 0, 0);
  if (j.n_cores > 1)
    n = offer(p, &j, j.n_cores - 1, offered);
  while (do_task(&j))
    renew_turn(p, call, &j);
  finish_job(p, &j, offered, n);
}
