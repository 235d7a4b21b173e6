/* Shared memory of our own: a few large sealed memfds, cut into blocks.
 *
 * The bookkeeping is private, outside of the shared pages: nothing that another process can write, or
 * that a fork shares with a parent, steers an allocation. Sizes are rounded up to classes, four to a
 * doubling, with a free list each; arrays above LARGE have a segment alone, and a few of these are kept
 * for reuse, since new pages cost more than the arithmetic done on them. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "client/lib/internal.h"

#define SEGMENT_BYTES ((uint64_t)64 << 20)
#define LARGE ((uint64_t)4 << 20)
#define KEEP_BYTES ((uint64_t)512 << 20) /* of large segments that nobody uses */
#define KEEP_N 16
#define RECLAIM_N 32 /* blocks given up and perhaps not returned, before the daemon is asked */
#define GRAIN 64     /* every array starts at a cache line */

/* ---- Size classes ---- */

/* 64, 80, 96, 112, 128, 160, ... : the class of a size, and its bytes. */
static int class_of(uint64_t bytes, uint64_t *rounded) {
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

/* ---- Segments ---- */

int segment_free_id(const numd_conn *conn) {
  for (int i = 0; i < MAX_SEGMENTS; i++)
    if (!conn->segments[i])
      return i;
  return -1;
}

int segment_attach(numd_segment *s) {
  struct rpc rpc;
  rpc_begin(&rpc, s->conn, "attach");
  msgpack_pack_array(&rpc.pk, 2);
  msgpack_pack_uint32(&rpc.pk, s->id);
  msgpack_pack_map(&rpc.pk, 1);
  wire_pack_str(&rpc.pk, "fd");
  msgpack_pack_true(&rpc.pk);
  int r = rpc_run(&rpc, s->fd, RPC_TIMEOUT_NS);
  rpc_end(&rpc);
  return r;
}

void segment_detach(numd_segment *s) {
  struct rpc rpc;
  if (s->conn->broken || s->conn->fork_generation != atomic_load(&fork_generation))
    return;
  rpc_begin_notify(&rpc, s->conn, "detach");
  msgpack_pack_array(&rpc.pk, 1);
  msgpack_pack_uint32(&rpc.pk, s->id);
  rpc_notify(&rpc);
}

static void free_list(struct block **list) {
  while (*list) {
    struct block *b = *list;
    *list = b->next;
    free(b);
  }
}

static void segment_free(numd_segment *s) {
  numd_conn *c = s->conn;
  if (s->data)
    munmap(s->data, s->bytes);
  close(s->fd);
  if (c->segments[s->id] == s)
    c->segments[s->id] = NULL;
  free_list(&s->shared);
  free(s);
}

int segment_map(numd_segment *s) {
  struct stat st;
  if (fstat(s->fd, &st) < 0)
    return error_set(NUMD_EDESCRIPTOR, "%s", strerror(errno));
  if (!S_ISREG(st.st_mode) || st.st_size <= 0)
    return error_set(NUMD_EDESCRIPTOR, "not a shared-memory object with a size");
  s->bytes = (uint64_t)st.st_size;
  void *p = mmap(NULL, s->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, s->fd, 0);
  if (p == MAP_FAILED)
    return errno == ENOMEM
               ? error_no_memory()
               : error_set(NUMD_EDESCRIPTOR, "object cannot be mapped for writing: %s", strerror(errno));
  madvise(p, s->bytes, MADV_HUGEPAGE); /* heeded where the system allows it for shared memory */
  s->data = p;
  return 0;
}

int segment_new(numd_conn *conn, int fd, bool ours, numd_segment **out) {
  int id = segment_free_id(conn), r;
  numd_segment *s = id < 0 ? NULL : calloc(1, sizeof(*s));
  if (!s) {
    close(fd);
    return id < 0 ? error_set(NUMD_ELIMIT, "a session has at most %d segments", MAX_SEGMENTS)
                  : error_no_memory();
  }
  s->conn = conn;
  s->fd = fd;
  s->id = (uint32_t)id;
  s->ours = ours;
  atomic_init(&s->refs, 1);
  if ((r = segment_map(s)) || (r = segment_attach(s))) {
    segment_free(s);
    return r;
  }
  conn->segments[id] = s;
  *out = s;
  return 0;
}

static void segment_drop(numd_segment *s) {
  segment_detach(s);
  segment_free(s);
}

/* The memory that this process and those beside it may use: of the machine, and of its control group. */
static uint64_t memory_limit(const char **whose) {
  struct sysinfo info;
  uint64_t limit = UINT64_MAX, group;
  *whose = "the machine has, with swap";
  if (sysinfo(&info) == 0)
    limit = ((uint64_t)info.totalram + info.totalswap) * info.mem_unit;
  static const char *const files[] = {"/sys/fs/cgroup/memory.max",
                                      "/sys/fs/cgroup/memory/memory.limit_in_bytes"};
  for (size_t i = 0; i < 2; i++) {
    FILE *f = fopen(files[i], "re");
    if (f && fscanf(f, "%" SCNu64, &group) == 1 && group < limit) {
      limit = group;
      *whose = "this container may use (raise it with docker run --memory=SIZE)";
    }
    if (f)
      fclose(f);
  }
  return limit;
}

/* A new object of ours, which nobody can shrink. It is a memfd, which /dev/shm's size does not limit. */
static int segment_create(numd_conn *conn, uint64_t bytes, numd_segment **out) {
  const char *whose;
  uint64_t limit = memory_limit(&whose);
  if (bytes > SEGMENT_BYTES && bytes > limit)
    return error_set(NUMD_ENOMEMORY, "an array of %llu bytes is wanted; %llu are all that %s",
                     (unsigned long long)bytes, (unsigned long long)limit, whose);
  int fd = memfd_create("numd-arrays", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0 || ftruncate(fd, (off_t)bytes) < 0 || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) < 0) {
    int err = errno;
    if (fd >= 0)
      close(fd);
    return error_set(NUMD_ENOMEMORY, "no shared memory of %llu bytes: %s", (unsigned long long)bytes,
                     strerror(err));
  }
  return segment_new(conn, fd, true, out);
}

/* An object on a file system of limited size, as /dev/shm is, may be longer than what is left there: whoever
 * touched the rest would be killed by SIGBUS. */
static int check_space(int fd) {
  struct stat st;
  struct statvfs fs;
  if (fstat(fd, &st) < 0 || fstatvfs(fd, &fs) < 0 || fs.f_blocks == 0 || st.st_blocks * 512 >= st.st_size)
    return 0;
  uint64_t wanted = (uint64_t)(st.st_size - st.st_blocks * 512),
           free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
  if (wanted <= free_bytes)
    return 0;
  return error_set(
      NUMD_ENOMEMORY,
      "the object has %lld bytes, of which %llu are still to be found; its file system (/dev/shm?) "
      "has %llu left of %llu. "
      "Raise its size: docker run --shm-size=SIZE, or mount -o remount,size=SIZE /dev/shm",
      (long long)st.st_size, (unsigned long long)wanted, (unsigned long long)free_bytes,
      (unsigned long long)fs.f_blocks * fs.f_frsize);
}

numd_segment *numd_segment_ref(numd_segment *segment) {
  atomic_fetch_add_explicit(&segment->refs, 1, memory_order_relaxed);
  return segment;
}

/* The last reference is dropped under the lock, where nobody can find the segment meanwhile. */
void numd_segment_unref(numd_segment *s) {
  if (!s)
    return;
  int refs = atomic_load_explicit(&s->refs, memory_order_relaxed);
  while (refs > 1)
    if (atomic_compare_exchange_weak_explicit(&s->refs, &refs, refs - 1, memory_order_release,
                                              memory_order_relaxed))
      return;
  numd_conn *c = s->conn;
  pthread_mutex_lock(&c->lock);
  bool last = atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) == 1;
  if (last)
    segment_drop(s);
  pthread_mutex_unlock(&c->lock);
  if (last)
    numd_conn_unref(c);
}

static int attach_foreign(numd_conn *conn, int fd, numd_segment **out) {
  int space = check_space(fd);
  if (space) {
    close(fd);
    return space;
  }
  pthread_mutex_lock(&conn->lock);
  int r = segment_new(conn, fd, false, out);
  pthread_mutex_unlock(&conn->lock);
  if (r == 0)
    numd_conn_ref(conn);
  return r;
}

int numd_segment_attach_fd(numd_conn *conn, int fd, numd_segment **out) {
  int r = conn_enter(conn), own = r ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);
  if (r == 0 && own < 0)
    r = error_set(NUMD_EDESCRIPTOR, "descriptor %d: %s", fd, strerror(errno));
  return r ? r : attach_foreign(conn, own, out);
}

int numd_segment_attach(numd_conn *conn, const char *name, numd_segment **out) {
  char path[256];
  int r = conn_enter(conn);
  if (r)
    return r;
  if (snprintf(path, sizeof(path), "%s%s", name[0] == '/' ? "" : "/", name) >= (int)sizeof(path))
    return error_set(NUMD_EACCESS, "name of a shared-memory object is too long");
  int fd = shm_open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0);
  if (fd < 0)
    return error_set(NUMD_EACCESS, "shared-memory object %s: %s", path, strerror(errno));
  return attach_foreign(conn, fd, out);
}

void *numd_segment_data(const numd_segment *segment) {
  return segment->data;
}

uint64_t numd_segment_bytes(const numd_segment *segment) {
  return segment->bytes;
}

/* ---- Blocks ---- */

static struct block *make_block(numd_segment *s, uint64_t offset, uint64_t bytes, int class) {
  struct block *b = calloc(1, sizeof(*b));
  if (b)
    *b = (struct block){.segment = s, .offset = offset, .bytes = bytes, .class = class, .fresh = true};
  return b;
}

static numd_segment *block_release(struct block *b);
static void arena_reclaim(numd_conn *conn);

static int small_block(numd_conn *conn, uint64_t bytes, struct block **out) {
  struct arena *a = &conn->arena;
  uint64_t rounded;
  int class = class_of(bytes, &rounded);
  if ((*out = a->free[class])) {
    a->free[class] = (*out)->next;
    return 0;
  }
  if (a->n_lent >= RECLAIM_N) {
    arena_reclaim(conn);
    if ((*out = a->free[class])) {
      a->free[class] = (*out)->next;
      return 0;
    }
  }
  uint64_t offset = a->current ? (a->current->used + GRAIN - 1) / GRAIN * GRAIN : 0;
  if (!a->current || offset + rounded > a->current->bytes) {
    int r = segment_create(conn, SEGMENT_BYTES, &a->current);
    if (r)
      return r;
    offset = 0;
  }
  if (!(*out = make_block(a->current, offset, rounded, class)))
    return error_no_memory();
  a->current->used = offset + rounded;
  return 0;
}

/* The smallest kept segment that fits without wasting half of it. */
static struct block *reuse_large(struct arena *a, uint64_t bytes) {
  struct block **best = NULL;
  for (struct block **p = &a->large; *p; p = &(*p)->next)
    if ((*p)->bytes >= bytes && (*p)->bytes / 2 <= bytes && (!best || (*p)->bytes < (*best)->bytes))
      best = p;
  if (!best)
    return NULL;
  struct block *b = *best;
  *best = b->next;
  a->large_bytes -= b->bytes;
  a->n_large--;
  return b;
}

static int large_block(numd_conn *conn, uint64_t bytes, struct block **out) {
  numd_segment *s;
  if ((*out = reuse_large(&conn->arena, bytes)))
    return 0;
  uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
  bytes = (bytes + page - 1) / page * page;
  int r = segment_create(conn, bytes, &s);
  if (r)
    return r;
  if (!(*out = make_block(s, 0, bytes, -1))) {
    segment_drop(s);
    return error_no_memory();
  }
  return 0;
}

/* Blocks of others that only waited for a forked child. */
static void release_borrowed(numd_segment *s) {
  numd_segment_ref(s);
  for (struct block *b = s->shared, *next; b; b = next) {
    next = b->next;
    if (b->borrowed && atomic_load(&b->refs) == 0 && !watch_inherited(b->born))
      numd_segment_unref(block_release(b));
  }
  numd_segment_unref(s);
}

/* Puts blocks that we freed, and that nobody else holds any more, where they can be used again. What was
 * shared in an earlier session stays: the daemon does not know any more who holds it. */
static void arena_reclaim(numd_conn *conn) {
  struct arena *a = &conn->arena;
  struct block *inherited = a->inherited;
  a->inherited = NULL;
  a->n_lent = 0;
  while (inherited) {
    struct block *b = inherited;
    inherited = b->next;
    if (watch_inherited(b->born)) {
      b->next = a->inherited;
      a->inherited = b;
      continue;
    }
    block_release(b);
  }
  for (int i = 0; i < MAX_SEGMENTS; i++) {
    numd_segment *s = conn->segments[i];
    if (!s || !s->shared)
      continue;
    if (!s->ours) {
      release_borrowed(s);
      continue;
    }
    block_ask_returned(s);
    for (struct block **p = &s->shared; *p;) {
      struct block *b = *p;
      if (!b->returned || watch_inherited(b->born)) {
        p = &b->next;
        continue;
      }
      *p = b->next;
      b->returned = false;
      b->shared_epoch = 0;
      b->next = a->free[b->class];
      a->free[b->class] = b;
    }
  }
}

int block_new(numd_conn *conn, uint64_t bytes, struct block **out) {
  pthread_mutex_lock(&conn->lock);
  int r = bytes > LARGE ? large_block(conn, bytes, out) : small_block(conn, bytes, out);
  pthread_mutex_unlock(&conn->lock);
  if (r == 0) {
    atomic_init(&(*out)->refs, 1);
    (*out)->born = atomic_load_explicit(&watch_forks, memory_order_relaxed);
  }
  return r;
}

/* Our parent's memory is not ours to give away again. */
static bool is_pinned(const struct block *b) {
  return b->segment->conn->segments[b->segment->id] != b->segment || !b->segment->ours;
}

/* Lets a block of which no array is left go as far as it may. The segment that it kept, if any, is to be
 * unreferenced without the lock. */
static numd_segment *block_release(struct block *b) {
  numd_segment *s = b->segment;
  struct arena *a = &s->conn->arena;
  if (b->shared_epoch)
    block_give(b);
  if (!b->borrowed && !is_pinned(b) && b->shared_epoch && b->class >= 0) {
    a->n_lent++; /* it stays on its segment's list until nobody else holds it: arena_reclaim */
  } else if (!b->borrowed && !is_pinned(b) && b->class >= 0) {
    b->next = a->free[b->class];
    a->free[b->class] = b;
  } else if (!b->borrowed && !is_pinned(b) && !b->shared_epoch && a->n_large < KEEP_N &&
             a->large_bytes + b->bytes <= KEEP_BYTES) {
    b->next = a->large;
    a->large = b;
    a->large_bytes += b->bytes;
    a->n_large++;
  } else {
    bool whole = !b->borrowed && !is_pinned(b), borrowed = b->borrowed;
    block_unlink(b);
    free(b);
    if (whole) /* what others hold of it is theirs from now on */
      segment_drop(s);
    return borrowed ? s : NULL;
  }
  return NULL;
}

/* The last reference is dropped under the lock, where no handle can bring the block back meanwhile. */
void block_unref(struct block *b) {
  int refs = atomic_load_explicit(&b->refs, memory_order_relaxed);
  while (refs > 1)
    if (atomic_compare_exchange_weak_explicit(&b->refs, &refs, refs - 1, memory_order_release,
                                              memory_order_relaxed))
      return;
  numd_conn *c = b->segment->conn;
  struct arena *a = &c->arena;
  numd_segment *unused = NULL;
  pthread_mutex_lock(&c->lock);
  if (atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) == 1) {
    bool ours = c->fork_generation == atomic_load_explicit(&fork_generation, memory_order_relaxed);
    b->fresh = false;
    bool inherited = ours && watch_inherited(b->born);
    if (inherited && b->borrowed) {
      a->n_lent++; /* it stays on its segment's list, and held */
    } else if (inherited && !b->shared_epoch) {
      b->next = a->inherited;
      a->inherited = b;
      a->n_lent++;
    } else if (ours) {
      unused = block_release(b);
    } else {
      unused = b->borrowed ? b->segment : NULL;
      block_unlink(b);
      free(b);
    }
  }
  pthread_mutex_unlock(&c->lock);
  numd_segment_unref(unused);
}

static void free_lists(struct arena *a) {
  for (int i = 0; i < N_CLASSES; i++)
    free_list(&a->free[i]);
  free_list(&a->large);
  free_list(&a->inherited);
}

static numd_conn *conn_of(struct arena *a) {
  return (numd_conn *)((char *)a - offsetof(numd_conn, arena));
}

/* Segments that arrays of the parent live in stay mapped and attached, but are no longer `ours`. */
void arena_forget(struct arena *a) {
  numd_conn *conn = conn_of(a);
  free_lists(a);
  for (int i = 0; i < MAX_SEGMENTS; i++)
    if (conn->segments[i]) {
      conn->segments[i]->ours = false;
      conn->segments[i]->token_epoch = 0;
    }
  memset(a, 0, sizeof(*a));
}

/* The connection is closing: no array is left, so every remaining segment of its own goes. */
void arena_deinit(struct arena *a) {
  numd_conn *conn = conn_of(a);
  free_lists(a);
  for (int i = 0; i < MAX_SEGMENTS; i++)
    if (conn->segments[i])
      segment_free(conn->segments[i]);
}
