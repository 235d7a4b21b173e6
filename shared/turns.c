/* The counters in struct cores are the truth, and are added up anew for each turn, since any member may have
 * died meanwhile.
 *
 * A caller counts itself first and then adds up, so of two that begin at once at least one sees both, and
 * never do both take the last place. A caller that sees more callers than its user may have takes its count
 * back and waits. A caller that ends wakes one thread that waits, of any member of its user. The waiting
 * thread counts itself as waiting and then adds up the callers; the ending thread takes its count back and
 * then looks for a waiting thread; a full fence stands between the two steps on both sides, so at least one
 * of them sees the other, and no thread sleeps although its turn has come. A wake-up that is lost all the
 * same (its semaphore is a hint that another process may spoil) costs WAIT_NS. */
#include "shared/turns.h"

#include <limits.h>

#include "shared/clock.h"
#include "shared/sem.h"

#define LINGER_NS                                                                           \
  500000000 /* so long after a call its user counts as active: it may be slow to get a core \
             */
#define WAIT_NS 250000000
#define LOOK_NS 20000000 /* how often a member without callers adds up */
/* A caller waits so long for each thread of its user that waits, PATIENCE_MAX of them at most, and then goes
 * on. */
#define PATIENCE_NS 250000000
#define PATIENCE_MAX 256

#define GET(word) atomic_load_explicit(&(word), memory_order_relaxed)

void turns_init(struct turns *f, struct cores *cores, uint32_t member) {
  f->cores = cores;
  f->member = member;
  sched_getaffinity(0, sizeof(f->all), &f->all);
  int n = CPU_COUNT(&f->all), seen = 0;
  CPU_ZERO(&f->half[0]);
  CPU_ZERO(&f->half[1]);
  for (int i = 0; i < CPU_SETSIZE; i++)
    if (CPU_ISSET(i, &f->all))
      CPU_SET(i, &f->half[n > 1 && seen++ >= n / 2]);
  if (n < 2)
    f->half[1] = f->half[0];
}

struct tally {
  int callers, waiting; /* of this user */
  int others_callers;
  int others_in[3]; /* callers by enum turn_placement */
  uint64_t others_calls;
};

static struct tally tally(const struct turns *f) {
  const struct cores *cores = f->cores;
  uint32_t n = GET(cores->n_used), user = GET(cores->members[f->member].user);
  struct tally t = {0};
  for (uint32_t i = 0; i < n && i < CORES_MAX_MEMBERS; i++) {
    const struct cores_member *m = &cores->members[i];
    if (!GET(m->joined))
      continue;
    int callers = GET(m->n_callers);
    uint32_t placement = GET(m->placement);
    if (GET(m->user) == user) {
      t.callers += callers;
      t.waiting += GET(m->n_waiting);
      continue;
    }
    t.others_calls += GET(m->n_calls);
    t.others_callers += callers;
    t.others_in[placement <= TURN_UPPER_HALF ? placement : TURN_ANYWHERE] += callers;
  }
  return t;
}

/* Whether other users made calls lately. */
static bool others_active(struct turns *f, const struct tally *t) {
  int64_t now = clock_now_ns();
  if (t->others_callers > 0 || t->others_calls != GET(f->others_calls)) {
    atomic_store_explicit(&f->others_calls, t->others_calls, memory_order_relaxed);
    atomic_store_explicit(&f->others_active_ns, now, memory_order_relaxed);
  }
  return now - GET(f->others_active_ns) < LINGER_NS;
}

/* The half in which fewer callers of other users are at work. If both halves are equal: the half that the
 * member has now, or anywhere if its user has no caller at work either. */
static uint32_t choose_placement(struct turns *f, const struct tally *t) {
  if (!others_active(f, t))
    return TURN_ANYWHERE;
  int more = t->others_in[TURN_UPPER_HALF] - t->others_in[TURN_LOWER_HALF];
  if (more != 0)
    return more > 0 ? TURN_LOWER_HALF : TURN_UPPER_HALF;
  if (t->callers == 0)
    return TURN_ANYWHERE;
  return GET(f->cores->members[f->member].placement) == TURN_UPPER_HALF ? TURN_UPPER_HALF : TURN_LOWER_HALF;
}

static const cpu_set_t *settle(struct turns *f, uint32_t placement) {
  const cpu_set_t *set = placement == TURN_ANYWHERE ? NULL : &f->half[placement == TURN_UPPER_HALF];
  atomic_store_explicit(&f->placement, set, memory_order_relaxed);
  atomic_store_explicit(&f->cores->members[f->member].placement, placement, memory_order_relaxed);
  return set;
}

const cpu_set_t *turns_placement(struct turns *f) {
  if (!f->cores || !f->cores->many_users)
    return NULL;
  int64_t now = clock_now_ns();
  if (now - GET(f->looked_ns) > LOOK_NS) {
    atomic_store_explicit(&f->looked_ns, now, memory_order_relaxed);
    struct tally t = tally(f);
    return settle(f, choose_placement(f, &t));
  }
  return GET(f->placement);
}

/* Wakes one thread that waits, of any member of this user, beginning with the member after this one. */
static void wake_one(struct turns *f) {
  struct cores *cores = f->cores;
  uint32_t n = GET(cores->n_used), user = GET(cores->members[f->member].user);
  atomic_thread_fence(memory_order_seq_cst);
  if (GET(cores->n_waiting) <= 0)
    return;
  for (uint32_t k = 1; k <= n && n <= CORES_MAX_MEMBERS; k++) {
    struct cores_member *m = &cores->members[(f->member + k) % n];
    if (GET(m->n_waiting) > 0 && GET(m->user) == user && GET(m->joined)) {
      sem_hint(&m->turn);
      return;
    }
  }
}

void turns_move(const struct turns *f, const cpu_set_t *cores) {
  static _Thread_local bool moved;
  if (cores || moved)
    sched_setaffinity(0, sizeof(f->all), cores ? cores : &f->all);
  moved = cores != NULL;
}

/* Half of the cores that are counted, which may be fewer than the processors of the set (a control group's
 * quota). */
static int share(const struct turns *f, const cpu_set_t *set) {
  int n = CPU_COUNT(set), most = (int)(f->cores->n_cores + 1) / 2;
  return n < most ? n : most;
}

static int64_t patience(int waiting) {
  return (int64_t)PATIENCE_NS * (waiting < PATIENCE_MAX ? waiting + 1 : PATIENCE_MAX);
}

static struct turn begin_among_users(struct turns *f, turns_given_up_fn given_up, const void *arg) {
  bool waits = false;
  for (int64_t begun = clock_now_ns();;) {
    struct turn turn = {.most = INT_MAX};
    turn.others = cores_begin_work(f->cores, f->member);
    atomic_thread_fence(memory_order_seq_cst);
    struct tally t = tally(f);
    turn.cores = settle(f, choose_placement(f, &t));
    if (turn.cores)
      turn.most = share(f, turn.cores);
    turns_move(f, turn.cores);
    if (t.callers <= turn.most || given_up(arg) || clock_now_ns() - begun > patience(t.waiting)) {
      if (waits)
        cores_end_wait(f->cores, f->member);
      if (!turn.cores && t.waiting > waits)
        wake_one(f);
      return turn;
    }
    cores_end_work(f->cores, f->member);
    if (!waits) /* and adds up once more before it sleeps: from now on, a caller that ends sees that it waits
                 */
      cores_begin_wait(f->cores, f->member);
    else if (tally(f).callers >=
             turn.most) /* else two callers took their counts back at once, and none is at work */
      sem_await_hint(&f->cores->members[f->member].turn, clock_deadline(WAIT_NS));
    waits = true;
  }
}

struct turn turns_begin(struct turns *f, turns_given_up_fn given_up, const void *arg) {
  if (f->cores->many_users)
    return begin_among_users(f, given_up, arg);
  return (struct turn){.others = cores_begin_work(f->cores, f->member), .most = INT_MAX};
}

void turns_end(struct turns *f) {
  cores_end_work(f->cores, f->member);
  if (f->cores->many_users)
    wake_one(f);
}
