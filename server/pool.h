/* Helper threads for large steps. A caller always works itself; helpers join as far as the board has
 * cores to give. One pool serves all threads of a worker. */
#ifndef NUMD_SERVER_POOL_H
#define NUMD_SERVER_POOL_H

#include <stdint.h>

struct board;
struct pool;

/* board NULL: as many helpers as the process has cores, less one, without asking. 0 or -errno. */
int pool_new(struct board *board, uint32_t board_entry, struct pool **out);
/* No call may be running. Joins the helpers; NULL is legal. */
struct pool *pool_free(struct pool *pool);

typedef void (*pool_task)(void *arg, int64_t task);

/* Calls fn(arg, i) for 0 <= i < n_tasks, each once, in any order, by this thread and free helpers; returns
 * when all are done. Never fails: without helpers the caller does everything. pool NULL: in order, by this
 * thread. */
void pool_run(struct pool *pool, int64_t n_tasks, pool_task fn, void *arg);

#endif
