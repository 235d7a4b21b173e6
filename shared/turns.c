/* SPDX-License-Identifier: BSD-3-Clause */
/* What a user may have is never stored. It follows from the counters in struct cores, which are added up anew
 * for each turn, since any member may have died meanwhile.
 *
 * A caller counts itself first and then adds up, so of two that begin at once at least one sees both, and
 * never do both take the last place. A caller that sees more callers than its user may have takes its count
 * back and waits. A caller that ends wakes one thread that waits, of any member of its user. The waiting
 * thread counts itself as waiting and then adds up the callers; the ending thread takes its count back and
 * then looks for a waiting thread; a full fence stands between the two steps on both sides, so at least one
 * of them sees the other, and no thread sleeps although its turn has come. A wake-up that is lost all the
 * same (its semaphore is a hint that another process may spoil) costs WAIT_NS to twice that. */
#include "shared/turns.h"

#include <limits.h>

#include "shared/clock.h"
#include "shared/sem.h"

/* A user counts as active for so long after a call of his: his next call may be slow to get a core. */
#define LINGER_NS 500000000
#define WAIT_NS 250000000
#define LONGEST_NS 5000000 /* so long a call has its turn while others of its user wait */
#define YIELD_NS 20000000  /* a thread that lets others begin waits for them no longer */
#define WOKEN_NS 20000000  /* by then a woken thread has run, or will not soon */
#define RENEW_NS 1000000   /* a turn is as it was decided for so long */
#define LOOK_NS 20000000   /* turns_placement adds the counters up again when they are older than this */
/* A caller waits at most so long for each waiting thread of its user, of whom PATIENCE_MAX are counted, and
 * then goes on without its turn. */
#define PATIENCE_NS 250000000
#define PATIENCE_MAX 256

#define GET(word) atomic_load_explicit(&(word), memory_order_relaxed)

void turns_init(struct turns *turns, struct cores *cores, uint32_t member) {
  turns->cores = cores;
  turns->member = member;
  sched_getaffinity(0, sizeof(turns->all), &turns->all);
  int n = CPU_COUNT(&turns->all), seen = 0;
  CPU_ZERO(&turns->half[0]);
  CPU_ZERO(&turns->half[1]);
  for (int i = 0; i < CPU_SETSIZE; i++)
    if (CPU_ISSET(i, &turns->all))
      CPU_SET(i, &turns->half[n > 1 && seen++ >= n / 2]);
  if (n < 2)
    turns->half[1] = turns->half[0];
}

struct tally {
  int callers, waiting; /* of this user */
  int others_callers;
  int others_in[3]; /* callers and strict members by enum turn_placement */
  uint64_t others_calls;
};

static struct tally tally(const struct turns *turns) {
  const struct cores *cores = turns->cores;
  uint32_t n = GET(cores->n_used), user = GET(cores->members[turns->member].user);
  struct tally t = {0};
  for (uint32_t i = 0; i < n && i < CORES_MAX_MEMBERS; i++) {
    const struct cores_member *m = &cores->members[i];
    if (!GET(m->joined) || GET(m->still))
      continue;
    int callers = cores_threads(&m->n_callers);
    uint32_t placement = GET(m->placement);
    if (GET(m->user) == user) {
      t.callers += callers;
      t.waiting += cores_threads(&m->n_waiting);
      continue;
    }
    t.others_calls += GET(m->n_calls);
    t.others_callers += callers;
    t.others_in[placement <= TURN_UPPER_HALF ? placement : TURN_ANYWHERE] += callers + (GET(m->strict) != 0);
  }
  return t;
}

/* Whether other users have made calls within LINGER_NS. */
static bool others_active(struct turns *turns, const struct tally *t) {
  int64_t now = clock_now_ns();
  if (t->others_callers > 0 || t->others_calls != GET(turns->others_calls)) {
    atomic_store_explicit(&turns->others_calls, t->others_calls, memory_order_relaxed);
    atomic_store_explicit(&turns->others_active_ns, now, memory_order_relaxed);
  }
  return now - GET(turns->others_active_ns) < LINGER_NS;
}

/* The half in which fewer callers of other users are at work; a strict member is as good as a caller, since
 * its many calls are short and so seldom seen. If both halves are equal: the half that the member has now, or
 * anywhere if its user has no caller at work and is not strict. */
static uint32_t choose_half(const struct turns *turns, const struct tally *t) {
  int more = t->others_in[TURN_UPPER_HALF] - t->others_in[TURN_LOWER_HALF];
  if (more != 0)
    return more > 0 ? TURN_LOWER_HALF : TURN_UPPER_HALF;
  if (t->callers == 0 && !turns_are_strict(turns->cores, turns->member))
    return TURN_ANYWHERE;
  return GET(turns->cores->members[turns->member].placement) == TURN_UPPER_HALF ? TURN_UPPER_HALF
                                                                                : TURN_LOWER_HALF;
}

static const cpu_set_t *settle(struct turns *turns, uint32_t placement) {
  const cpu_set_t *set = placement == TURN_ANYWHERE ? NULL : &turns->half[placement == TURN_UPPER_HALF];
  atomic_store_explicit(&turns->placement, set, memory_order_relaxed);
  atomic_store_explicit(&turns->cores->members[turns->member].placement, placement, memory_order_relaxed);
  return set;
}

/* Adds up, decides where the member's threads are to run, and asks for the observer if users compete. */
static const cpu_set_t *decide(struct turns *turns, struct tally *t) {
  atomic_store_explicit(&turns->looked_ns, clock_now_ns(), memory_order_relaxed);
  *t = tally(turns);
  bool compete = others_active(turns, t);
  if (compete)
    cores_want_observer(turns->cores);
  return settle(turns, compete ? choose_half(turns, t) : TURN_ANYWHERE);
}

const cpu_set_t *turns_placement(struct turns *turns) {
  if (!turns->cores || !GET(turns->cores->several_users))
    return NULL;
  if (clock_now_ns() - GET(turns->looked_ns) > LOOK_NS) {
    struct tally t;
    return decide(turns, &t);
  }
  return GET(turns->placement);
}

bool turns_compete(struct turns *turns) {
  if (!turns->cores || !GET(turns->cores->several_users))
    return false;
  (void)turns_placement(turns);
  return clock_now_ns() - GET(turns->others_active_ns) < LINGER_NS;
}

bool turns_are_taken(struct turns *turns, uint64_t cost_ns) {
  if (!turns->cores || !GET(turns->cores->several_users))
    return false;
  if (cost_ns < TURN_MIN_NS)
    return turns_are_strict(turns->cores, turns->member);
  return turns_compete(turns);
}

/* Whether a thread of the member was woken lately and has yet to run. */
static bool has_woken(const struct cores_member *m, int64_t now) {
  int64_t since = now - GET(m->woken_ns);
  return sem_has_hint(&m->turn) && since >= 0 && since < WOKEN_NS;
}

/* Wakes one thread that waits, of any member of this user, beginning with the member after this one; nobody
 * if one is about to run already, for there is one place free. */
static void wake_one(struct turns *turns) {
  struct cores *cores = turns->cores;
  uint32_t n = GET(cores->n_used), user = GET(cores->members[turns->member].user);
  struct cores_member *next = NULL;
  atomic_thread_fence(memory_order_seq_cst);
  if (GET(cores->n_waiting) <= 0)
    return;
  int64_t now = clock_now_ns();
  for (uint32_t k = 1; k <= n && n <= CORES_MAX_MEMBERS; k++) {
    struct cores_member *m = &cores->members[(turns->member + k) % n];
    if (GET(m->n_waiting) <= 0 || GET(m->user) != user || !GET(m->joined) || GET(m->still))
      continue;
    if (has_woken(m, now))
      return;
    if (!next && !sem_has_hint(&m->turn))
      next = m;
  }
  if (next) {
    atomic_store_explicit(&next->woken_ns, now, memory_order_relaxed);
    sem_hint(&next->turn);
  }
}

void turns_move(const struct turns *turns, const cpu_set_t *cores) {
  static _Thread_local bool moved = true; /* a new thread inherits the cores of the one that started it */
  if (cores || moved)
    sched_setaffinity(0, sizeof(turns->all), cores ? cores : &turns->all);
  moved = cores != NULL;
}

void turns_place(struct turns *turns) {
  if (turns->cores)
    turns_move(turns, turns_are_strict(turns->cores, turns->member) ? turns_placement(turns) : NULL);
}

/* How many threads of one user may work: as many as the half has processors, or half of the cores that are
 * counted, which are fewer where a control group has a quota. */
static int share(const struct turns *turns, const cpu_set_t *set) {
  int n = CPU_COUNT(set), most = (int)(turns->cores->n_cores + 1) / 2;
  return n < most ? n : most;
}

static int64_t patience(int waiting) {
  return (int64_t)PATIENCE_NS * (waiting < PATIENCE_MAX ? waiting + 1 : PATIENCE_MAX);
}

/* Counts the thread as a caller and gives it what it may have, if its user has a place for it or waiting is
 * over; else leaves it uncounted. */
static bool try_to_begin(struct turns *turns, struct turn *turn, bool waits, bool no_longer, int64_t begun) {
  struct tally t;
  cores_claim_work(turns->cores, turns->member);
  atomic_thread_fence(memory_order_seq_cst);
  turn->cores = decide(turns, &t);
  turn->most = turn->cores ? share(turns, turn->cores) : INT_MAX;
  turn->looked_ns = GET(turns->looked_ns);
  turn->begun = t.callers <= turn->most || no_longer || turn->looked_ns - begun > patience(t.waiting);
  if (!turn->begun) {
    cores_drop_claim(turns->cores, turns->member);
    return false;
  }
  cores_begin_claimed(turns->cores, turns->member);
  if (!turn->cores && t.waiting > waits) /* the other users rest: nobody of this user needs to wait */
    wake_one(turns);
  return true;
}

/* Whether other threads of the user wait. A thread whose turn has ended would take the next one before the
 * thread that it woke is awake, so without this one thread would have all turns, and each of its ends would
 * wake another in vain. */
static bool others_wait(const struct turns *turns) {
  return GET(turns->cores->n_waiting) > 0 && tally(turns).waiting > 0;
}

static void begin_among_users(struct turns *turns, struct turn *turn, turns_given_up_fn given_up,
                              const void *arg) {
  int64_t begun = clock_now_ns();
  sem_t *sem = &turns->cores->members[turns->member].turn;
  bool waits = others_wait(turns);
  if (waits) {
    cores_begin_wait(turns->cores, turns->member);
    sem_await_hint(sem, begun + YIELD_NS);
  }
  while (!try_to_begin(turns, turn, waits, given_up(arg), begun)) {
    /* In its first round the thread only counts itself as waiting, and adds up again before it sleeps: a
     * caller that ended before did not see it. Later it sleeps, unless its user has a place free: then it and
     * another caller saw each other's counts and both took theirs back, and no caller at work would wake
     * either. */
    if (!waits)
      cores_begin_wait(turns->cores, turns->member);
    else if (tally(turns).callers >= turn->most)
      sem_await_hint(sem, clock_deadline(WAIT_NS + begun % WAIT_NS)); /* not all end at the same time */
    waits = true;
  }
  if (waits)
    cores_end_wait(turns->cores, turns->member);
  turn->begun_ns = turn->looked_ns;
  turns_move(turns, turn->cores);
}

void turns_begin(struct turns *turns, struct turn *turn, turns_given_up_fn given_up, const void *arg) {
  if (GET(turns->cores->several_users)) {
    begin_among_users(turns, turn, given_up, arg);
    return;
  }
  *turn = (struct turn){.begun = true, .most = INT_MAX};
  cores_begin_work(turns->cores, turns->member);
  turns_move(turns, NULL);
}

/* Of a turn that has begun. False: the user has more callers at work than it may. */
static bool is_still_in_turn(struct turns *turns, struct turn *turn) {
  struct tally t;
  const cpu_set_t *before = turn->cores;
  turn->cores = decide(turns, &t);
  turn->most = turn->cores ? share(turns, turn->cores) : INT_MAX;
  turn->looked_ns = GET(turns->looked_ns);
  if (t.callers > turn->most)
    return false;
  if (turn->cores != before)
    turns_move(turns, turn->cores);
  return true;
}

bool turns_renew(struct turns *turns, struct turn *turn) {
  if (!GET(turns->cores->several_users) || clock_now_ns() - turn->looked_ns < RENEW_NS)
    return true;
  if (turn->begun && is_still_in_turn(turns, turn) &&
      (turn->looked_ns - turn->begun_ns < LONGEST_NS || !others_wait(turns)))
    return true;
  if (turn->begun)
    turns_end(turns, turn);
  return false;
}

void turns_end(struct turns *turns, struct turn *turn) {
  turn->begun = false;
  cores_end_work(turns->cores, turns->member);
  if (GET(turns->cores->several_users))
    wake_one(turns);
}
