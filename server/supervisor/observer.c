/* SPDX-License-Identifier: BSD-3-Clause */
#include "server/supervisor/observer.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "shared/clock.h"
#include "shared/sem.h"
#include "shared/thread.h"

#define LITTLE 0.05 /* cores; who uses less is in nobody's way */

#define GET(word) atomic_load_explicit(&(word), memory_order_relaxed)

static int larger(int a, int b) {
  return a > b ? a : b;
}

static int64_t cpu_ns_of(int32_t pid) {
  clockid_t clock;
  struct timespec t;
  if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &t) != 0)
    return -1;
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int count_runnable(void) {
  int n = 0;
  FILE *f = fopen("/proc/loadavg", "re");
  if (!f)
    return 0;
  if (fscanf(f, "%*f %*f %*f %d/", &n) != 1)
    n = 0;
  fclose(f);
  return n;
}

void observer_init(struct observer *o, struct scoreboard *scoreboard, const struct notices *notices) {
  memset(o, 0, sizeof(*o));
  o->scoreboard = scoreboard;
  o->notices = notices;
  o->cpu_ns = cpu_ns_of;
  o->now_ns = clock_now_ns;
  o->n_runnable = count_runnable;
}

/* The index of a user; `likely` is looked at first. */
static uint32_t find_user(struct observer *o, uint32_t uid, uint32_t likely) {
  if (likely < o->n_users && o->users[likely].uid == uid)
    return likely;
  for (uint32_t i = 0; i < o->n_users; i++)
    if (o->users[i].uid == uid)
      return i;
  o->users[o->n_users] = (struct observed_user){.uid = uid};
  return o->n_users++;
}

/* Forgets what the last look found of the users, and those who have no worker any more. */
static void begin_users(struct observer *o, int64_t now) {
  uint32_t n = 0;
  for (uint32_t i = 0; i < o->n_users && n < SCOREBOARD_ENTRIES; i++)
    if (o->users[i].strict_until_ns > now)
      o->users[n++] =
          (struct observed_user){.uid = o->users[i].uid, .strict_until_ns = o->users[i].strict_until_ns};
  o->n_users = n;
}

/* Says whether the worker stands still, if that has changed; and again while it does, since the count of the
 * callers to leave out is made anew then. */
static void judge_motion(struct observer *o, uint32_t i, int64_t used_ns) {
  struct cores *cores = &o->scoreboard->cores;
  struct observed_worker *w = &o->workers[i];
  w->n_motionless = used_ns == 0 && (o->holds[i] || GET(cores->members[i].still)) ? w->n_motionless + 1 : 0;
  bool still = w->n_motionless >= OBSERVER_STILL_LOOKS;
  if (still || GET(cores->members[i].still))
    cores_set_still(cores, i, still);
  o->n_still += still;
}

static void look_at_worker(struct observer *o, uint32_t i, int32_t pid) {
  const struct cores_member *m = &o->scoreboard->cores.members[i];
  struct observed_worker *w = &o->workers[i];
  int64_t cpu_ns = o->cpu_ns(pid), used_ns = cpu_ns - w->cpu_ns;
  int64_t now = o->now_ns(),
          passed_ns = now - w->at_ns; /* each worker has its own: this thread may be slow */
  uint64_t n_calls = GET(m->n_calls);
  if (cpu_ns < 0)
    return;
  bool is_known = w->pid == pid;
  if (!is_known) {
    *w = (struct observed_worker){.pid = pid, .n_calls = n_calls};
    used_ns = 0;
    passed_ns = 1;
  }
  w->user = find_user(o, GET(o->notices->entries[i].uid), w->user);
  struct observed_user *user = &o->users[w->user];
  user->used += passed_ns > 0 ? (double)used_ns / (double)passed_ns : 0;
  user->active |= n_calls != w->n_calls || GET(m->n_callers) > 0 || GET(m->n_waiting) > 0;
  if (used_ns > 0)
    user->n_threads += larger(cores_threads(&m->n_channels), 1);
  user->n_threads += cores_threads(&m->n_waiting);
  user->waits |= GET(m->n_waiting) > 0;
  w->cpu_ns = cpu_ns;
  w->at_ns = now;
  w->n_calls = n_calls;
  if (is_known)
    judge_motion(o, i, used_ns);
}

/* Half of the cores, and half of what the workers used if that was less because there are not enough cores
 * for all threads of the machine (this thread is one of them). */
struct halves {
  int cores;
  double of_cores, of_used;
};

static struct halves find_halves(const struct observer *o) {
  int n_cores = (int)o->notices->n_cores, rounded_up = (n_cores + 1) / 2;
  struct halves h = {.cores = rounded_up, .of_cores = n_cores == 1 ? 0.5 : rounded_up};
  for (uint32_t i = 0; i < o->n_users; i++)
    h.of_used += o->users[i].used / 2;
  if (h.of_used > h.of_cores || o->n_runnable() <= n_cores + 1)
    h.of_used = h.of_cores;
  return h;
}

/* Who has more than half has too much, with an eighth for what is no call. Who is strict keeps to half, so he
 * is let go only when he uses clearly less and wants no more. */
static bool has_too_much(const struct observed_user *user, const struct halves *h, bool strict) {
  double half = user->n_threads > h->cores ? h->of_used : h->of_cores;
  return user->used > LITTLE && (user->used > half / 8 * (strict ? 6 : 9) || (strict && user->waits));
}

static void judge_users(struct observer *o, int64_t now) {
  const struct halves halves = find_halves(o);
  o->n_active = 0;
  for (uint32_t i = 0; i < o->n_users; i++)
    o->n_active += o->users[i].active;
  for (uint32_t i = 0; i < o->n_users; i++) {
    struct observed_user *user = &o->users[i];
    bool others = o->n_active > user->active;
    if (others && has_too_much(user, &halves, user->strict_until_ns > now))
      user->strict_until_ns = now + OBSERVER_STRICT_NS;
  }
}

void observer_look(struct observer *o) {
  struct scoreboard *scoreboard = o->scoreboard;
  int64_t now = o->now_ns();
  uint32_t n = GET(o->notices->n_used);
  begin_users(o, now);
  cores_find_holders(&scoreboard->cores, o->holds);
  o->n_still = 0;
  for (uint32_t i = 0; i < n; i++) {
    int32_t pid = GET(o->notices->entries[i].pid);
    if (pid > 0 && GET(o->notices->entries[i].state) == WORKER_SESSION)
      look_at_worker(o, i, pid);
    else
      o->workers[i].pid = 0;
  }
  judge_users(o, now);
  for (uint32_t i = 0; i < n; i++)
    if (o->workers[i].pid != 0)
      atomic_store_explicit(&scoreboard->cores.members[i].strict,
                            o->users[o->workers[i].user].strict_until_ns > now, memory_order_relaxed);
}

/* Sleeps until the next look is due. The words and the semaphore by which workers wake this thread are
 * theirs to spoil: so it looks now and then without being woken, and never more often than every
 * OBSERVER_LEAST_NS. */
static void await_look(struct observer *o) {
  const struct timespec pause = {.tv_nsec = OBSERVER_LOOK_NS}, least = {.tv_nsec = OBSERVER_LEAST_NS};
  if (o->n_quiet < OBSERVER_QUIET_LOOKS) {
    nanosleep(&pause, NULL);
    return;
  }
  cores_await_want(&o->scoreboard->cores, clock_deadline(OBSERVER_SLOW_NS));
  nanosleep(&least, NULL);
}

static void *observe(void *arg) {
  struct observer *o = arg;
  struct cores *cores = &o->scoreboard->cores;
  o->n_quiet = OBSERVER_QUIET_LOOKS;
  for (await_look(o); !atomic_load(&o->stop); await_look(o)) {
    bool wanted = atomic_exchange(&cores->wants_observer, 0) != 0;
    observer_look(o);
    o->n_quiet = wanted || o->n_active > 1 ? 0 : o->n_quiet + (o->n_quiet < OBSERVER_QUIET_LOOKS);
  }
  return NULL;
}

int observer_start(struct observer *o) {
  int rc = thread_start(&o->thread, observe, o);
  o->started = rc == 0;
  return -rc;
}

void observer_stop(struct observer *o) {
  if (!o->started)
    return;
  atomic_store(&o->stop, true);
  cores_want_observer(&o->scoreboard->cores);
  sem_hint(&o->scoreboard->cores.observer);
  pthread_join(o->thread, NULL);
  o->started = false;
}
