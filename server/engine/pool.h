/* SPDX-License-Identifier: BSD-3-Clause */
/* Helper threads for large steps. A caller always works itself; helpers join it as far as the count of cores
 * (shared/cores.h) has cores to give. One pool serves all threads of a process. */
#ifndef NUMD_SERVER_ENGINE_POOL_H
#define NUMD_SERVER_ENGINE_POOL_H

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>

struct call;
struct cores;
struct pool;

/* For member `member` of the count. cores NULL: as many helpers as the process has cores, less one, without
 * asking. 0 or -errno. */
int pool_new(struct cores *cores, uint32_t member, struct pool **out);
/* No call may be running. Joins the helpers; NULL is legal. */
struct pool *pool_free(struct pool *pool);

/* Where threads of this process are to run now, or NULL: wherever they may. Valid as long as the pool. */
const cpu_set_t *pool_placement(struct pool *pool);
/* To be called now and then by a thread that does other work than calls: it keeps to its user's cores. pool
 * NULL: nothing. */
void pool_place_thread(struct pool *pool);
/* To be called first by a thread that such a thread starts, so that it may run on all cores. */
void pool_begin_thread(struct pool *pool);

/* Whether other users have made calls lately. pool NULL: they have not. */
bool pool_has_rivals(struct pool *pool);

/* Turns between users (shared/turns.h): whether a call with this estimate is to take one now; to be called
 * before the first step of a call, before a later one, and after the last. pool NULL: there are none. */
bool pool_takes_turns(struct pool *pool, uint64_t cost_ns);
void pool_begin_call(struct pool *pool, struct call *call);
void pool_renew_turn(struct pool *pool, struct call *call);
void pool_end_call(struct pool *pool, struct call *call);

typedef void (*pool_task)(void *arg, int64_t task);

/* Calls fn(arg, i) for 0 <= i < n_tasks, each once, in any order, in this thread and in idle helpers, as
 * many as the call's turn lets it have; returns when all tasks are done. Never fails: without helpers the
 * caller does everything. pool NULL: at once and in order, in this thread. */
void pool_run(struct pool *pool, struct call *call, int64_t n_tasks, pool_task fn, void *arg);

#endif
