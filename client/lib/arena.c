/* SPDX-License-Identifier: BSD-3-Clause */
/* The bookkeeping is in private memory, not in the shared pages, so that neither another process nor a parent
 * or child can change what is allocated. Each class of sizes has a free list. A block above ARENA_LARGE has a
 * segment for itself; a few free ones are kept for reuse, since new pages cost more than the arithmetic done
 * on them. All under conn->lock. */
#include "client/lib/arena.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/lib/error.h"
#include "client/lib/fork_watch.h"
#include "client/lib/lease.h"

#define KEEP_BYTES ((uint64_t)512 << 20) /* of large segments that nobody uses */
#define KEEP_N 16
#define GRAIN 64     /* every block starts at a cache line */
#define ASK_MAX 1024 /* blocks of a segment in one question to the daemon, at most */

struct arena {
  numd_segment *current; /* that blocks are cut out of */
  struct block *free[ARENA_CLASSES];
  struct block *large; /* FREE, each with a segment for itself */
  uint64_t large_bytes;
  int n_large;
  struct block *inherited; /* INHERITED */
  int n_waiting;           /* blocks that became INHERITED, LENT or KEPT since the last reclaim */
};

int arena_class(uint64_t bytes, uint64_t *rounded) {
  if (bytes <= GRAIN) {
    *rounded = GRAIN;
    return 0;
  }
  int log = 63 - __builtin_clzll(bytes - 1);
  uint64_t step = (uint64_t)1 << (log - 2), base = (uint64_t)1 << log;
  uint64_t n = (bytes - base + step - 1) / step;
  *rounded = base + n * step;
  return (log - 6) * 4 + (int)n;
}

/* ---- Lists ---- */

static struct block *pop(struct block **list) {
  struct block *b = *list;
  if (b)
    *list = b->next;
  return b;
}

static void push(struct block **list, struct block *b) {
  b->next = *list;
  *list = b;
}

static void free_list(struct block **list) {
  struct block *b;
  while ((b = pop(list)))
    free(b);
}

static void free_lists(struct arena *a) {
  for (int i = 0; i < ARENA_CLASSES; i++)
    free_list(&a->free[i]);
  free_list(&a->large);
  free_list(&a->inherited);
}

/* ---- Letting blocks go ---- */

/* Makes a block FREE that no other process has. If it has a segment for itself and enough of these are kept
 * already, the segment is dropped instead. */
static inline void make_free(struct arena *a, struct block *b) {
  if (b->class != BLOCK_ALONE) {
    block_become(b, BLOCK_FREE);
    push(&a->free[b->class], b);
  } else if (a->n_large < KEEP_N && a->large_bytes + b->bytes <= KEEP_BYTES) {
    block_become(b, BLOCK_FREE);
    push(&a->large, b);
    a->large_bytes += b->bytes;
    a->n_large++;
  } else {
    segment_drop(b->segment);
    free(b);
  }
}

/* Whether the block is in memory of the process that forked this one, which alone may use it again. */
static bool is_parents(const struct block *b) {
  return b->segment->conn->segments[b->segment->id] != b->segment || !b->segment->ours;
}

static void give_up(struct block *b) {
  if (b->shared_epoch == b->segment->conn->epoch)
    lease_give_up(b->segment, b->offset);
}

/* Lets a block go in which no array of ours is left and no child can have one. Gives the segment to which it
 * had a reference, or NULL; the caller drops that reference after it has released the lock. */
static numd_segment *release(struct block *b) {
  numd_segment *s = b->segment;
  struct arena *a = s->conn->arena;
  enum block_state state = block_state(b);
  bool borrowed = state == BLOCK_BORROWED || state == BLOCK_KEPT;
  if (block_is_listed(b))
    give_up(b);
  if (borrowed || is_parents(b)) {
    block_free(b);
    return borrowed ? s : NULL;
  }
  if (state != BLOCK_SHARED) {
    make_free(a, b);
  } else if (b->class != BLOCK_ALONE) {
    block_become(b, BLOCK_LENT);
    a->n_waiting++;
  } else {
    block_free(b);
    segment_drop(s); /* other processes that hold it keep their own mappings */
  }
  return NULL;
}

/* Lets the block go, or keeps it for a child that may have arrays in it, after its last array was dropped in
 * the process that opened the session. As release(). */
static numd_segment *drop(struct block *b) {
  struct arena *a = b->segment->conn->arena;
  enum block_state state = block_state(b);
  bool has_heir = fork_watch_has_heir(b->born);
  if (has_heir && state == BLOCK_BORROWED) {
    block_become(b, BLOCK_KEPT);
    a->n_waiting++;
  } else if (has_heir && state == BLOCK_PRIVATE) {
    block_become(b, BLOCK_INHERITED);
    push(&a->inherited, b);
    a->n_waiting++;
  } else {
    return release(b);
  }
  return NULL;
}

/* The last reference is dropped under the lock: without it, an import could find the block between the count
 * reaching 0 and the block leaving its list, and would use one that is about to be used for something else.
 * In a forked child that has opened no session yet, the arena is still the parent's: the block alone goes. */
void block_unref(struct block *b) {
  int refs = atomic_load_explicit(&b->refs, memory_order_relaxed);
  while (refs > 1)
    if (atomic_compare_exchange_weak_explicit(&b->refs, &refs, refs - 1, memory_order_release,
                                              memory_order_relaxed))
      return;
  numd_conn *c = b->segment->conn;
  numd_segment *unused = NULL;
  pthread_mutex_lock(&c->lock);
  if (atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) == 1) {
    if (!conn_is_inherited(c)) {
      unused = drop(b);
    } else {
      unused = block_state(b) == BLOCK_BORROWED ? b->segment : NULL;
      block_free(b);
    }
  }
  pthread_mutex_unlock(&c->lock);
  numd_segment_unref(unused);
}

/* ---- Reclaiming what others had ---- */

static void reclaim_inherited(struct arena *a) {
  struct block *left = a->inherited, *b;
  a->inherited = NULL;
  while ((b = pop(&left)))
    if (fork_watch_has_heir(b->born))
      push(&a->inherited, b);
    else
      release(b);
}

/* Gives up the KEPT blocks of the segment that no child has any more. */
static void reclaim_kept(numd_segment *s) {
  numd_segment_ref(s);
  for (struct block *b = s->blocks, *next; b; b = next) {
    next = b->next;
    if (block_state(b) == BLOCK_KEPT && !fork_watch_has_heir(b->born))
      numd_segment_unref(release(b));
  }
  numd_segment_unref(s);
}

/* Whether the daemon is asked who holds the block. Not if it was lent in an earlier session: that daemon may
 * be gone, and with it the only one who knew. */
static bool is_asked_for(const struct block *b) {
  return block_state(b) == BLOCK_LENT && b->shared_epoch == b->segment->conn->epoch;
}

static void reclaim_lent(struct arena *a, numd_segment *s) {
  uint64_t firsts[ASK_MAX];
  bool returned[ASK_MAX];
  uint32_t n = 0, i = 0;
  for (struct block *b = s->blocks; b && n < ASK_MAX; b = b->next)
    if (is_asked_for(b))
      firsts[n++] = b->offset;
  if (n == 0 || lease_ask_returned(s, n, firsts, returned))
    return;
  for (struct block **p = &s->blocks; *p && i < n;) {
    struct block *b = *p;
    if (!is_asked_for(b) || !returned[i++] || fork_watch_has_heir(b->born)) {
      p = &b->next;
      continue;
    }
    *p = b->next;
    b->shared_epoch = 0;
    make_free(a, b);
  }
}

static void reclaim(numd_conn *conn) {
  struct arena *a = conn->arena;
  a->n_waiting = 0;
  reclaim_inherited(a);
  for (int i = 0; i < MAX_SEGMENTS; i++) {
    numd_segment *s = conn->segments[i];
    if (s && s->blocks && s->ours)
      reclaim_lent(a, s);
    else if (s && s->blocks)
      reclaim_kept(s);
  }
}

/* ---- Handing blocks out ---- */

/* Cuts a block out of the current segment, or out of another if that is used up. */
static int cut(numd_conn *conn, uint64_t bytes, int class, struct block **out) {
  struct arena *a = conn->arena;
  uint64_t offset = a->current ? (a->current->used + GRAIN - 1) / GRAIN * GRAIN : 0;
  if (!a->current || offset + bytes > a->current->bytes) {
    int r = segment_create(conn, ARENA_SEGMENT_BYTES, &a->current);
    if (r)
      return r;
    offset = 0;
  }
  if (!(*out = block_new(a->current, offset, bytes, class, BLOCK_FREE)))
    return error_no_memory();
  a->current->used = offset + bytes;
  return 0;
}

static int alloc_small(numd_conn *conn, uint64_t bytes, bool *is_zero, struct block **out) {
  struct arena *a = conn->arena;
  int class = arena_class(bytes, &bytes);
  if (!(*out = pop(&a->free[class])) && a->n_waiting >= ARENA_RECLAIM) {
    reclaim(conn);
    *out = pop(&a->free[class]);
  }
  *is_zero = !*out;
  return *out ? 0 : cut(conn, bytes, class, out);
}

/* Takes the smallest of the kept blocks that is large enough and not more than twice as large; NULL if there
 * is none. */
static struct block *reuse_large(struct arena *a, uint64_t bytes) {
  struct block **best = NULL;
  for (struct block **p = &a->large; *p; p = &(*p)->next)
    if ((*p)->bytes >= bytes && (*p)->bytes / 2 <= bytes && (!best || (*p)->bytes < (*best)->bytes))
      best = p;
  struct block *b = best ? pop(best) : NULL;
  if (b) {
    a->large_bytes -= b->bytes;
    a->n_large--;
  }
  return b;
}

static int alloc_large(numd_conn *conn, uint64_t bytes, bool *is_zero, struct block **out) {
  numd_segment *s;
  *out = reuse_large(conn->arena, bytes);
  *is_zero = !*out;
  if (*out)
    return 0;
  uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
  bytes = (bytes + page - 1) / page * page;
  int r = segment_create(conn, bytes, &s);
  if (r)
    return r;
  if (!(*out = block_new(s, 0, bytes, BLOCK_ALONE, BLOCK_FREE))) {
    segment_drop(s);
    return error_no_memory();
  }
  return 0;
}

int arena_alloc(numd_conn *conn, uint64_t bytes, bool *is_zero, struct block **out) {
  pthread_mutex_lock(&conn->lock);
  int r =
      bytes > ARENA_LARGE ? alloc_large(conn, bytes, is_zero, out) : alloc_small(conn, bytes, is_zero, out);
  pthread_mutex_unlock(&conn->lock);
  if (r)
    return r;
  block_become(*out, BLOCK_PRIVATE);
  atomic_init(&(*out)->refs, 1);
  (*out)->born = atomic_load_explicit(&fork_watch_count, memory_order_relaxed);
  return 0;
}

/* ---- As a part of a connection ---- */

static int init(numd_conn *conn) {
  conn->arena = calloc(1, sizeof(*conn->arena));
  return conn->arena ? 0 : error_no_memory();
}

/* In a forked child all free memory is the parent's: the lists are forgotten, the memory is not touched. */
static void lost(numd_conn *conn, bool inherited) {
  if (!inherited)
    return;
  free_lists(conn->arena);
  memset(conn->arena, 0, sizeof(*conn->arena));
}

static void deinit(numd_conn *conn) {
  if (conn->arena)
    free_lists(conn->arena);
  for (int i = 0; i < MAX_SEGMENTS; i++)
    if (conn->segments[i])
      free_list(&conn->segments[i]->blocks);
  free(conn->arena);
}

const struct conn_part arena_part = {.init = init, .deinit = deinit, .lost = lost};
